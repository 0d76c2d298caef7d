/* See support_calls.h. */
#include "support_calls.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/threads.h"
#include "tensor/view.h"

enum { MOST_BLOCKS = 65536, MOST_VALUES = 512, ATTR_BYTES = 1024 };

const born_view no_tensor;
static void *blocks[MOST_BLOCKS];
static int block_count;
static born_pool *pool;
static uint32_t random_state = 1;

void random_seed(uint32_t seed) { random_state = seed * 2654435761u + 1; }

uint32_t random_below(uint32_t n)
{
    random_state = random_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(random_state >> 8) * n >> 24);
}

static char *block(size_t bytes)
{
    char *p = calloc(1, bytes + 64);
    if (!p || block_count == MOST_BLOCKS) abort();
    blocks[block_count++] = p;
    return p;
}

void calls_free(void)
{
    while (block_count > 0) free(blocks[--block_count]);
    born__pool_close(&pool);
}

void calls_threads(int threads)
{
    born_error err = { 0 };
    born__pool_close(&pool);
    if (threads > 1 && born__pool_open(threads, &pool, &err) != BORN_OK) pool = NULL;
}

born_view tensor_zeros(born_dtype t, int rank, const int64_t *dim)
{
    born_view v = { .dtype = t, .rank = rank };
    for (int d = 0; d < rank; d++) v.dim[d] = dim[d];
    born__view_row_major(&v);
    v.data = block((size_t)born__view_bytes(&v));
    return v;
}

char *tensor_address(const born_view *v, int64_t i)
{
    int64_t at = 0;
    for (int d = v->rank - 1; d >= 0; d--) {
        at += i % v->dim[d] * v->stride[d];
        i /= v->dim[d];
    }
    return v->data + at * born__dtype_info(v->dtype)->size;
}

double tensor_at(const born_view *v, int64_t i) { return born__load_f64(v->dtype, tensor_address(v, i)); }

born_view tensor_of(born_dtype t, int rank, const int64_t *dim, const double *values)
{
    born_view v = tensor_zeros(t, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++) born__store_f64(t, tensor_address(&v, i), values[i]);
    return v;
}

born_view tensor_list(int count, const int64_t *v)
{
    born_view t = tensor_zeros(BORN_I64, 1, &(int64_t){ count });
    if (count) memcpy(t.data, v, (size_t)count * sizeof *v);
    return t;
}

born_view tensor_int(int64_t v)
{
    born_view t = tensor_zeros(BORN_I64, 0, NULL);
    memcpy(t.data, &v, sizeof v);
    return t;
}

born_view tensor_random(born_dtype t, int rank, const int64_t *dim)
{
    born_view v = tensor_zeros(t, rank, dim);
    bool is_signed = born__dtype_info(t)->cls == 'F' || born__dtype_info(t)->cls == 'I';
    for (int64_t i = 0; i < born__view_count(&v); i++) {
        double x = (double)random_below(t == BORN_BOOL ? 2 : 100);
        born__store_f64(t, tensor_address(&v, i), is_signed ? x - 50 : x);
    }
    return v;
}

born_view tensor_strided(const born_view *v)
{
    born_view s = *v;
    int64_t step = 1;
    int order[BORN_MAX_RANK], size = born__dtype_info(v->dtype)->size;
    for (int d = 0; d < v->rank; d++) order[d] = d;
    for (int d = v->rank - 1; d > 0; d--) {
        int other = (int)random_below((uint32_t)d + 1), t = order[d];
        order[d] = order[other];
        order[other] = t;
    }
    for (int d = 0; d < v->rank; d++) {         /* a gap of one element behind each dim */
        s.stride[order[d]] = step;
        step *= v->dim[order[d]] + 1;
    }
    s.data = block((size_t)step * (size_t)size);
    int back = v->rank > 0 ? (int)random_below((uint32_t)v->rank) : -1;
    if (back >= 0 && v->dim[back] > 0) {
        s.data += (v->dim[back] - 1) * s.stride[back] * size;
        s.stride[back] = -s.stride[back];
    }
    for (int64_t i = 0; i < born__view_count(v); i++)
        memcpy(tensor_address(&s, i), tensor_address(v, i), (size_t)size);
    return s;
}

bool tensor_same_bits(const born_view *a, const born_view *b)
{
    if (a->dtype != b->dtype || a->rank != b->rank) return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dim[d] != b->dim[d]) return false;
    size_t size = (size_t)born__dtype_info(a->dtype)->size;
    for (int64_t i = 0; i < born__view_count(a); i++)
        if (memcmp(tensor_address(a, i), tensor_address(b, i), size) != 0) return false;
    return true;
}

born_status infer_op(born_op_id op, const void *attrs, const born_view *in, int in_count, born_view *out,
                     int out_count, uint32_t unknown, born_error *err)
{
    _Alignas(16) char resolved[ATTR_BYTES];
    born_view given[16];
    const born_op *row = &born__ops[op];
    if (row->attrs) born__attrs_resolve(row->attrs, attrs, resolved);
    for (int i = 0; i < in_count; i++) {
        given[i] = in[i];
        if (unknown >> i & 1u) given[i].data = NULL;
    }
    bool shares = false;
    return born__op_infer(row, row->attrs ? resolved : NULL, given, in_count, out, out_count, &shares, err);
}

born_status call_op(born_op_id op, const void *attrs, const born_view *in, int in_count, born_view *out, int out_count,
                    born_error *err)
{
    _Alignas(16) char resolved[ATTR_BYTES];
    born_view given[64];
    const born_op *row = &born__ops[op];
    if (row->attrs) born__attrs_resolve(row->attrs, attrs, resolved);
    for (int i = 0; i < in_count; i++) given[i] = in[i];
    bool shares = false;
    BORN_TRY(born__op_infer(row, row->attrs ? resolved : NULL, given, in_count, out, out_count, &shares, err));
    for (int i = 0; i < out_count; i++) {
        born_view dense = out[i];
        out[i] = tensor_zeros(dense.dtype, dense.rank, dense.dim);
        memset(out[i].data, 0xa5, (size_t)born__view_bytes(&out[i]));
    }
    born_call c = { .op = row, .attrs = row->attrs ? resolved : NULL, .in_count = in_count, .out_count = out_count,
                    .in = given, .out = out };
    size_t bytes = row->scratch ? row->scratch(&c) : 0;
    char *scratch = block(bytes + 64);
    born_exec x = { .pool = pool, .scratch_bytes = bytes, .err = err };
    x.scratch = scratch + (64 - (uintptr_t)scratch % 64) % 64;
    return row->ref(&c, &x);
}

/* ---- an emitter that runs at once ---- */

typedef struct test_emit { born_emit e; born_view value[MOST_VALUES]; int count; } test_emit;

static born_val keep(test_emit *t, born_view v)
{
    if (t->count == MOST_VALUES) abort();
    t->value[t->count++] = v;
    return (born_val)t->count;
}

static const born_view *emit_meta(born_emit *e, born_val v) { return v ? &((test_emit *)e)->value[v - 1] : &no_tensor; }

static born_val emit_scalar(born_emit *e, born_dtype t, double v)
{
    return keep((test_emit *)e, tensor_of(t, 0, NULL, &v));
}

static born_val emit_ints(born_emit *e, const int64_t *v, int count)
{
    return keep((test_emit *)e, tensor_list(count, v));
}

static born_status emit_call(born_emit *e, born_op_id op, const void *attrs, const born_val *in, int in_count,
                             born_val *out, int out_count)
{
    born_view ins[64], outs[64];
    for (int i = 0; i < in_count; i++) ins[i] = *emit_meta(e, in[i]);
    for (int i = 0; i < out_count; i++) out[i] = 0;
    BORN_TRY(e->err.status);
    BORN_TRY(call_op(op, attrs, ins, in_count, outs, out_count, &e->err));
    for (int i = 0; i < out_count; i++) out[i] = keep((test_emit *)e, outs[i]);
    return BORN_OK;
}

born_status grad_op(born_op_id op, const void *attrs, const born_view *in, int in_count, const born_view *out,
                    const born_view *gout, int out_count, born_view *gin, born_error *err)
{
    _Alignas(16) char resolved[ATTR_BYTES];
    const born_op *row = &born__ops[op];
    static test_emit t;
    t = (test_emit){ .e = { .call = emit_call, .meta = emit_meta, .scalar = emit_scalar, .ints = emit_ints } };
    if (row->attrs) born__attrs_resolve(row->attrs, attrs, resolved);
    born_val ins[64] = { 0 }, outs[64] = { 0 }, gouts[64] = { 0 }, gins[64] = { 0 };
    bool wanted[64];
    for (int i = 0; i < in_count; i++) {
        ins[i] = in[i].dtype ? keep(&t, in[i]) : 0;
        wanted[i] = in[i].dtype == BORN_F32 || in[i].dtype == BORN_F64;
    }
    for (int i = 0; i < out_count; i++) {
        outs[i] = keep(&t, out[i]);
        gouts[i] = gout[i].dtype ? keep(&t, gout[i]) : 0;
    }
    born_grad g = { .op = row, .attrs = row->attrs ? resolved : NULL, .in_count = in_count, .out_count = out_count,
                    .in = ins, .out = outs, .gout = gouts, .wanted = wanted, .gin = gins };
    row->grad(&t.e, &g);
    for (int i = 0; i < in_count; i++) gin[i] = *emit_meta(&t.e, gins[i]);
    *err = t.e.err;
    return t.e.err.status;
}

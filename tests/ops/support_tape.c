/* A tape of calls on host memory; see support_tape.h. */
#include "support_tape.h"

#include <stdlib.h>

#include "base/alloc.h"

static tape_value *at(tape *t, born_val v)
{
    return &t->value[(v - 1) / TAPE_BLOCK][(v - 1) % TAPE_BLOCK];
}

static tape_call_record *call_at(tape *t, int i) { return &t->call[i / TAPE_BLOCK][i % TAPE_BLOCK]; }

static born_val add_value(tape *t, const born_view *v)
{
    if (t->values == TAPE_VALUES) return 0;
    if (t->values % TAPE_BLOCK == 0) t->value[t->values / TAPE_BLOCK] = born__calloc(TAPE_BLOCK, sizeof(tape_value));
    at(t, (born_val)++t->values)->view = *v;
    return (born_val)t->values;
}

static void *room_for(const born_view *v)
{
    size_t bytes = (size_t)born__view_count(v) * (size_t)born__elem_size(v);
    return born__calloc(bytes ? bytes : 1, 1);
}

born_val tape_put_view(tape *t, const born_view *v)
{
    born_view copy = *v;
    copy.buffer = NULL; /* marks what the test owns: tape_free leaves it */
    copy.offset = -1;
    return add_value(t, &copy);
}

born_val tape_put_turned(tape *t, born_dtype dtype, int rank, const int64_t *dim, const double *v, bool turned)
{
    born_view w = { .dtype = dtype, .rank = rank };
    int64_t step = 1;
    for (int d = 0; d < rank; d++) w.dim[d] = dim[d];
    born__view_row_major(&w);
    for (int d = 0; turned && d < rank; d++) {
        w.stride[d] = step;
        step *= dim[d];
    }
    w.data = room_for(&w);
    for (int64_t i = 0; i < born__view_count(&w); i++)
        born__store_f64(dtype, w.data + born__offset_of(w.dim, w.stride, rank, i) * born__elem_size(&w), v[i]);
    return add_value(t, &w);
}

born_val tape_put(tape *t, born_dtype dtype, int rank, const int64_t *dim, const double *v)
{
    return tape_put_turned(t, dtype, rank, dim, v, false);
}

static born_status run_call(born_emit *e, born_op_id id, const void *attrs, const born_val *in, int in_count,
                            born_val *out, int out_count)
{
    tape *t = (tape *)e;
    const born_op *op = &born__ops[id];
    born_view vi[TAPE_FEW] = { 0 }, vo[TAPE_FEW] = { 0 };
    bool shares;
    for (int i = 0; i < out_count; i++) out[i] = 0;
    if (e->err.status || t->calls == TAPE_CALLS || in_count > TAPE_FEW) return BORN_INTERNAL;
    void *own = NULL;
    if (op->attrs) {
        union {
            max_align_t align;
            char bytes[512];
        } defaults;
        if (!attrs) born__attrs_default(op->attrs, &defaults);
        own = born__attrs_dup(op->attrs, attrs ? attrs : &defaults);
    }
    for (int i = 0; i < in_count; i++)
        if (in[i]) vi[i] = at(t, in[i])->view;
    born_status s = born__op_infer(op, own, vi, in_count, vo, out_count, &shares, &e->err);
    for (int i = 0; i < out_count && s == BORN_OK; i++) {
        born__view_row_major(&vo[i]);
        vo[i].data = room_for(&vo[i]);
        vo[i].offset = 0;
    }
    born_call c = { .op = op, .attrs = own, .in_count = in_count, .out_count = out_count, .in = vi, .out = vo };
    size_t bytes = op->scratch && s == BORN_OK ? op->scratch(&c) : 0;
    born_exec x = { .scratch = born__alloc(bytes), .scratch_bytes = bytes, .err = &e->err };
    if (s == BORN_OK) s = op->ref(&c, &x);
    for (int i = 0; i < out_count && (op->props & BORN_P_EXTENT); i++) born__view_row_major(&vo[i]);
    for (int i = 0; i < out_count && s != BORN_OK; i++) born__free(vo[i].data);
    born__free(x.scratch);
    if (t->calls % TAPE_BLOCK == 0) t->call[t->calls / TAPE_BLOCK] = born__calloc(TAPE_BLOCK, sizeof(tape_call_record));
    tape_call_record *r = call_at(t, t->calls);
    *r = (tape_call_record){ .op = op, .attrs = own, .in_count = in_count, .out_count = out_count };
    memcpy(r->in, in, sizeof *in * (size_t)in_count);
    t->calls++;
    for (int i = 0; i < out_count && s == BORN_OK; i++) out[i] = r->out[i] = add_value(t, &vo[i]);
    return s;
}

static const born_view *meta(born_emit *e, born_val v)
{
    static const born_view none;
    return v ? &at((tape *)e, v)->view : &none;
}
static born_val scalar(born_emit *e, born_dtype dtype, double v)
{
    return tape_put((tape *)e, dtype, 0, NULL, &v);
}
static born_val ints(born_emit *e, const int64_t *v, int count)
{
    const int64_t dim = count;
    double *d = born__calloc((size_t)count + 1, sizeof *d);
    for (int i = 0; i < count; i++) d[i] = (double)v[i];
    born_val made = tape_put((tape *)e, BORN_I64, 1, &dim, d);
    born__free(d);
    return made;
}

tape *tape_new(void)
{
    tape *t = born__calloc(1, sizeof *t);
    t->emit = (born_emit){ .call = run_call, .meta = meta, .scalar = scalar, .ints = ints };
    return t;
}

void tape_free(tape *t)
{
    for (int i = 1; i <= t->values; i++)
        if (at(t, (born_val)i)->view.offset == 0) born__free(at(t, (born_val)i)->view.data);
    for (int i = 0; i < t->calls; i++) born__attrs_free(call_at(t, i)->op->attrs, call_at(t, i)->attrs);
    for (int i = 0; i < TAPE_VALUES / TAPE_BLOCK; i++) born__free(t->value[i]);
    for (int i = 0; i < TAPE_CALLS / TAPE_BLOCK; i++) born__free(t->call[i]);
    born__free(t);
}

born_val tape_run(tape *t, born_op_id op, const void *attrs, const born_val *in, int in_count)
{
    return born__emit1(&t->emit, op, attrs, in, in_count);
}

const born_view *tape_view(tape *t, born_val v)
{
    return &at(t, v)->view;
}
int64_t tape_count(tape *t, born_val v)
{
    return born__view_count(tape_view(t, v));
}
double tape_at(tape *t, born_val v, int64_t i)
{
    const born_view *w = tape_view(t, v);
    return born__load_f64(w->dtype, w->data + born__offset_of(w->dim, w->stride, w->rank, i) * born__elem_size(w));
}

static void accumulate(tape *t, born_val *sum, born_val v)
{
    if (!v) return;
    *sum = *sum ? born__emit1(&t->emit, BORN_OP_ADD, NULL, (born_val[]){ *sum, v }, 2) : v;
}

void tape_backward(tape *t, born_val out, born_val seed, const born_val *x, born_val *gx, int n)
{
    tape_backward_all(t, &out, &seed, 1, x, gx, n);
}

void tape_backward_all(tape *t, const born_val *out, const born_val *seed, int outs, const born_val *x, born_val *gx,
                       int n)
{
    static born_val grad[TAPE_VALUES + 1];
    static bool needs[TAPE_VALUES + 1];
    int calls = t->calls, values = t->values;
    memset(grad, 0, ((size_t)values + 1) * sizeof *grad);
    memset(needs, 0, ((size_t)values + 1) * sizeof *needs);
    for (int i = 0; i < n; i++) needs[x[i]] = true;
    for (int c = 0; c < calls; c++) {
        bool any = false;
        const tape_call_record *r = call_at(t, c);
        for (int i = 0; i < r->in_count; i++) any = any || needs[r->in[i]];
        for (int i = 0; i < r->out_count; i++) needs[r->out[i]] = any;
    }
    needs[0] = false;
    for (int i = 0; i < outs; i++)
        if (out[i] && seed[i]) accumulate(t, &grad[out[i]], seed[i]);
    for (int c = calls - 1; c >= 0 && !t->emit.err.status; c--) {
        tape_call_record r = *call_at(t, c);
        born_val gin[TAPE_FEW] = { 0 }, gout[TAPE_FEW] = { 0 };
        bool wanted[TAPE_FEW] = { false }, arrived = false;
        for (int i = 0; i < r.out_count; i++) {
            gout[i] = grad[r.out[i]];
            arrived = arrived || (gout[i] && needs[r.out[i]]);
        }
        for (int i = 0; i < r.in_count; i++) wanted[i] = needs[r.in[i]];
        if (!arrived) continue;
        if (!r.op->grad) {
            born__fail(&t->emit.err, BORN_UNSUPPORTED, "%s has no gradient", r.op->name);
            break;
        }
        born_grad g = { .op = r.op,
                        .attrs = r.attrs,
                        .in_count = r.in_count,
                        .out_count = r.out_count,
                        .in = r.in,
                        .out = r.out,
                        .gout = gout,
                        .wanted = wanted,
                        .gin = gin };
        r.op->grad(&t->emit, &g);
        for (int i = 0; i < r.in_count; i++)
            if (r.in[i] && (int)r.in[i] <= values && wanted[i]) accumulate(t, &grad[r.in[i]], gin[i]);
    }
    for (int i = 0; i < n; i++) gx[i] = grad[x[i]];
}

double tape_random(uint64_t *state, double lo, double hi)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return lo + (hi - lo) * (double)(*state >> 11) / 9007199254740992.0;
}

/* f16 and bf16 through f32 kernels: operands are converted into scratch, the kernel runs on f32, results are rounded
   back to nearest even. Broadcast dimensions (stride 0) of inputs stay broadcast, so the copy is no larger than the
   storage it reads. */
#include <string.h>

#include "cpu/leaf.h"
#include "ops/ref.h"

static bool is_half(born_dtype t) { return t == BORN_F16 || t == BORN_BF16; }

bool born__widen_needed(const born_call *c)
{
    if (c->op->props & (BORN_P_HALF | BORN_P_BY_SIZE | BORN_P_META)) return false;
    for (int i = 0; i < c->in_count; i++)
        if (is_half(c->in[i].dtype)) return true;
    for (int i = 0; i < c->out_count; i++)
        if (is_half(c->out[i].dtype)) return true;
    return false;
}

/* The f32 stand-in of v: dense over the dims that are not broadcast. Returns its bytes, SIZE_MAX on overflow. */
static size_t stand_in(const born_view *v, born_view *w, bool output)
{
    *w = *v;
    w->dtype = BORN_F32;
    w->buffer = NULL;
    w->offset = 0;
    int64_t count = 1;
    for (int d = v->rank - 1; d >= 0; d--) {
        bool spread = !output && v->stride[d] == 0 && v->dim[d] > 1;
        w->stride[d] = spread ? 0 : count;
        if (!spread && !born__mul_i64(count, v->dim[d], &count)) return SIZE_MAX;
    }
    if (count > INT64_MAX / 8 || (uint64_t)count > SIZE_MAX / 8) return SIZE_MAX;
    return ((size_t)count * sizeof(float) + 63) & ~(size_t)63;
}

size_t born__widen_bytes(const born_call *c)
{
    born_view w;
    size_t total = 0;
    for (int i = 0; i < c->in_count + c->out_count; i++) {
        bool output = i >= c->in_count;
        const born_view *v = output ? &c->out[i - c->in_count] : &c->in[i];
        if (!is_half(v->dtype)) continue;
        size_t n = stand_in(v, &w, output);
        if (n == SIZE_MAX || !born__add_size(total, n, &total)) return SIZE_MAX;
    }
    return total;
}

void born__widen_layout(const born_call *c, born_call *w, born_view *room, char *base)
{
    *w = *c;
    w->in = room;
    w->out = room + c->in_count;
    for (int i = 0; i < c->in_count + c->out_count; i++) {
        bool output = i >= c->in_count;
        const born_view *v = output ? &c->out[i - c->in_count] : &c->in[i];
        room[i] = *v;
        if (!is_half(v->dtype)) continue;
        size_t n = stand_in(v, &room[i], output);
        room[i].data = base;
        if (base) base += n;
    }
}

/* By the cast kernel of the level in use; there is one for each direction. */
static void convert(const born_view *from, const born_view *to, const born_exec *x)
{
    born_cast_attrs attrs = { .to = to->dtype };
    born_view in = *from, out = *to;
    born_call c = { .op = &born__ops[BORN_OP_CAST], .attrs = &attrs, .in = &in, .out = &out, .in_count = 1,
                    .out_count = 1 };
    born_query q;
    for (int d = 0; d < in.rank; d++)       /* an input's broadcast dims stay so in its stand-in */
        if (out.stride[d] == 0 && out.dim[d] > 1) in.dim[d] = out.dim[d] = 1;
    const born_kernel *k = born__kernel_pick(&c, &q);
    (void)(k ? k->run : c.op->ref)(&c, x);
}

void born__widen_in(const born_call *c, const born_call *w, const born_exec *x)
{
    for (int i = 0; i < c->in_count; i++)
        if (is_half(c->in[i].dtype)) convert(&c->in[i], &w->in[i], x);
}

void born__widen_out(born_call *c, const born_call *w, const born_exec *x)
{
    for (int i = 0; i < c->out_count; i++) {
        bool trimmed = memcmp(c->out[i].dim, w->out[i].dim, sizeof c->out[i].dim) != 0;
        memcpy(c->out[i].dim, w->out[i].dim, sizeof c->out[i].dim);
        if (!is_half(c->out[i].dtype)) continue;
        born_view wide = w->out[i];
        if (trimmed) {      /* extent ops leave dense data of the true sizes */
            born__view_row_major(&wide);
            born__view_row_major(&c->out[i]);
        }
        convert(&wide, &c->out[i], x);
    }
}

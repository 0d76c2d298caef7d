/* packed_attention: Attention of com.microsoft. Operands x w bias mask past added past_length; results y and present.
   The projection x w + bias (law (a), bias rounded in after) goes to scratch; heads of q, k and v are views of it. The
   reading of padding masks here serves multi_head_attention too. */
#include <math.h>

#include "ops/attention_ms.h"
#include "ops/llm.h"

typedef struct packed_dims { int64_t B, Tq, C, N, H, qk, v, past, D, Dv; } packed_dims;

static bool packed_sizes(const born_view *x, const born_view *w, const born_packed_attention_attrs *a, packed_dims *s)
{
    if (x->rank != 3 || w->rank != 2 || x->dim[2] != w->dim[0] || a->num_heads <= 0 || w->dim[1] > (int64_t)1 << 40)
        return false;
    *s = (packed_dims){ .B = x->dim[0], .Tq = x->dim[1], .C = x->dim[2], .N = w->dim[1], .H = a->num_heads };
    if (a->qkv_hidden_sizes.count == 3) {
        const int64_t *h = a->qkv_hidden_sizes.v;
        s->qk = h[0];
        s->v = h[2];
        if (h[0] != h[1] || h[0] <= 0 || h[2] <= 0 || h[0] > s->N || h[2] > s->N || 2 * h[0] + h[2] != s->N)
            return false;
    } else {
        if (a->qkv_hidden_sizes.count != 0 || s->N % 3 != 0 || s->N == 0) return false;
        s->qk = s->v = s->N / 3;
    }
    if (s->qk % s->H != 0 || s->v % s->H != 0) return false;
    s->D = s->qk / s->H;
    s->Dv = s->v / s->H;
    return true;
}

bool born__ms_mask_fits(const born_view *m, int64_t B, int64_t Tq, int64_t past, int64_t T)
{
    if (m->rank == 1) return m->dim[0] == B || (m->dim[0] % 2 == 0 && m->dim[0] / 2 == B);
    if (m->rank == 2) return m->dim[0] == B && m->dim[1] == T;
    if (m->rank == 3) return m->dim[0] == B && m->dim[1] == Tq && m->dim[2] == T;
    return m->rank == 4 && m->dim[0] == B && m->dim[1] == 1 && m->dim[2] >= past + Tq && m->dim[3] >= T;
}

void born__ms_mask_set(born_attn *a, const born_view *m, born_view *starts)
{
    int64_t z = born__elem_size(m);
    if (m->rank == 1) {
        a->ends = m;
        if (m->dim[0] == a->B) return;
        *starts = *m;
        starts->data += a->B * m->stride[0] * z;
        a->starts = starts;
    } else if (m->rank == 2) {
        a->keep = (born_attn_side){ m->data, m->stride[0] * z, 0, 0, m->stride[1] * z };
    } else if (m->rank == 3) {
        a->keep = (born_attn_side){ m->data, m->stride[0] * z, 0, m->stride[1] * z, m->stride[2] * z };
    } else {
        a->keep = (born_attn_side){ m->data + (a->T - a->Tq) * m->stride[2] * z, m->stride[0] * z, 0, m->stride[2] * z,
                                    m->stride[3] * z };
    }
}

born_status born__ms_mask_rule(born_infer *f, int mask, int added, int64_t B, int64_t H, int64_t Tq, int64_t past,
                               int64_t T)
{
    if (born__infer_has(f, mask)) {
        if (f->in[mask].dtype != BORN_I32)
            return born__infer_fail(f, BORN_DTYPE, "the mask cannot be %s", born_dtype_name(f->in[mask].dtype));
        if (!born__ms_mask_fits(&f->in[mask], B, Tq, past, T))
            return born__infer_fail(f, BORN_SHAPE, "mask %s does not fit %lld rows of %lld queries and %lld keys",
                                    born__infer_shape(f, mask), (long long)B, (long long)Tq, (long long)T);
    }
    if (born__infer_has(f, added) && !born__attn_mask_fits(&f->in[added], B, H, Tq, T, false))
        return born__infer_fail(f, BORN_SHAPE, "added scores %s do not fit [%lld,%lld,%lld,%lld]",
                                born__infer_shape(f, added), (long long)B, (long long)H, (long long)Tq, (long long)T);
    return BORN_OK;
}

born_status born__shape_packed_attention(born_infer *f)
{
    const born_packed_attention_attrs *a = BORN_ATTRS_OF(packed_attention, f);
    packed_dims s;
    int64_t T;
    if (a->do_rotary || a->share_buffer || born__infer_has(f, 6))
        return born__infer_fail(f, BORN_UNSUPPORTED, "do_rotary and shared past buffers are not supported");
    if (!packed_sizes(&f->in[0], &f->in[1], a, &s))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: x %s, weights %s, %lld heads",
                                born__infer_shape(f, 0), born__infer_shape(f, 1), (long long)a->num_heads);
    if (born__infer_has(f, 2) && !(f->in[2].rank == 1 && f->in[2].dim[0] == s.N))
        return born__infer_fail(f, BORN_SHAPE, "bias %s is not [%lld]", born__infer_shape(f, 2), (long long)s.N);
    bool keeps = born__infer_has(f, 4) || f->out_count > 1;
    if (keeps && s.D != s.Dv)
        return born__infer_fail(f, BORN_UNSUPPORTED, "past and present need heads of one size, not %lld and %lld",
                                (long long)s.D, (long long)s.Dv);
    if (born__infer_has(f, 4)) {
        const born_view *p = &f->in[4];
        if (p->rank != 5 || p->dim[0] != 2 || p->dim[1] != s.B || p->dim[2] != s.H || p->dim[4] != s.D)
            return born__infer_fail(f, BORN_SHAPE, "past %s is not [2,%lld,%lld,T,%lld]", born__infer_shape(f, 4),
                                    (long long)s.B, (long long)s.H, (long long)s.D);
        s.past = p->dim[3];
    }
    if (!born__add_i64(s.past, s.Tq, &T)) return born__infer_fail(f, BORN_RANGE, "too many keys");
    BORN_TRY(born__ms_mask_rule(f, 3, 5, s.B, s.H, s.Tq, s.past, T));
    born__out_set(f, 0, f->in[0].dtype, 3, (int64_t[]){ s.B, s.Tq, s.v });
    born__out_set(f, 1, f->in[0].dtype, 5, (int64_t[]){ 2, s.B, s.H, T, s.D });
    return BORN_OK;
}

size_t born__scratch_packed_attention(const born_call *c)
{
    size_t n = sizeof(float);
    bool ok = born__mul_size(n, (size_t)c->in[0].dim[0], &n) && born__mul_size(n, (size_t)c->in[0].dim[1], &n) &&
              born__mul_size(n, (size_t)c->in[1].dim[1], &n);
    return ok ? n : SIZE_MAX;
}

typedef struct project_job { const born_view *x, *w, *bias; packed_dims s; float *out; } project_job;
static void project_part(void *ctx, int64_t begin, int64_t end)
{
    const project_job *j = ctx;
    for (int64_t r = begin; r < end; r++) {
        const float *x = (const float *)(const void *)j->x->data + r / j->s.Tq * j->x->stride[0] +
                         r % j->s.Tq * j->x->stride[1];
        float *out = j->out + r * j->s.N;
        born__row_times((const char *)x, j->x->stride[2] * 4, j->w->data, j->w->stride[0] * 4, j->w->stride[1] * 4,
                        j->s.C, j->s.N, out);
        const float *bias = j->bias ? (const float *)(const void *)j->bias->data : NULL;
        for (int64_t n = 0; bias && n < j->s.N; n++) out[n] += bias[n * j->bias->stride[0]];
    }
}

/* Half `part` (0 keys, 1 values) of past or present [2, B, H, T, D]. */
static born_attn_side half_of(const born_view *v, int part)
{
    int64_t z = born__elem_size(v);
    return (born_attn_side){ v->data + part * v->stride[0] * z, v->stride[1] * z, v->stride[2] * z, v->stride[3] * z,
                             v->stride[4] * z };
}

born_status born__attn_packed_attention(born_call *c, const born_exec *x, born_attn_engine run)
{
    const born_packed_attention_attrs *t = BORN_ATTRS_OF(packed_attention, c);
    project_job j = { .x = &c->in[0], .w = &c->in[1], .bias = born__has(c, 2) ? &c->in[2] : NULL, .out = x->scratch };
    if (!packed_sizes(j.x, j.w, t, &j.s)) return born__fail(x->err, BORN_INTERNAL, "packed_attention: shapes changed");
    packed_dims *s = &j.s;
    if (s->B * s->Tq > 0) born__exec_for(x, s->B * s->Tq, 1, project_part, &j);
    if (born__has(c, 4)) s->past = c->in[4].dim[3];
    int64_t row = s->N * 4;
    born_attn a = { .B = s->B, .Hq = s->H, .Hk = s->H, .Tq = s->Tq, .D = s->D, .Dv = s->Dv, .past = s->past,
                    .T = s->past + s->Tq, .causal = t->unidirectional, .left = -1, .right = -1, .offset = s->past,
                    .fill = (float)t->mask_filter_value };
    a.scale = t->scale != 0 ? (float)t->scale : 1.0f / sqrtf((float)s->D);
    a.q = (born_attn_side){ (char *)j.out, s->Tq * row, s->D * 4, row, 4 };
    a.k = (born_attn_side){ (char *)(j.out + s->qk), s->Tq * row, s->D * 4, row, 4 };
    a.v = (born_attn_side){ (char *)(j.out + 2 * s->qk), s->Tq * row, s->Dv * 4, row, 4 };
    a.y = born__attn_side3(&c->out[0], s->H);
    if (born__has(c, 4)) {
        a.past_k = half_of(&c->in[4], 0);
        a.past_v = half_of(&c->in[4], 1);
    }
    born_view starts;
    if (born__has(c, 3)) born__ms_mask_set(&a, &c->in[3], &starts);
    if (born__has(c, 5)) a.add2 = born__attn_mask_side(&c->in[5]);
    for (int part = 0; part < 2 && c->out_count > 1 && c->out[1].data; part++) {
        born_attn_side dst = half_of(&c->out[1], part);
        if (s->past > 0) born__attn_copy(x, &dst, 0, part ? &a.past_v : &a.past_k, s->B, s->H, s->past, s->D);
        born__attn_copy(x, &dst, s->past, part ? &a.v : &a.k, s->B, s->H, s->Tq, s->D);
    }
    run(&a, x);
    return BORN_OK;
}

born_status born__ref_packed_attention(born_call *c, const born_exec *x)
{
    return born__attn_packed_attention(c, x, born__attn_run);
}

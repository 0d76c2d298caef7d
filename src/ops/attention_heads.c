/* multi_head_attention: MultiHeadAttention of com.microsoft. Operands q k v bias mask added past_k past_v past_length
   cache_indirection; results y present_k present_v scores. q is [B, Tq, C], or [B, T, H, 3, D] with k and v inside; k
   is [B, T, C], or [B, T, H, 2, D] with v inside, or [B, H, T, D]. A bias is added to copies in scratch. */
#include <math.h>

#include "ops/attention_ms.h"

typedef struct mha { int64_t B, H, Tq, Tk, D, Dv, past; born_attn_side q, k, v; } mha;

static born_attn_side inner(const born_view *v, int64_t which)
{
    int64_t z = born__elem_size(v);     /* [B, T, H, n, D] */
    return (born_attn_side){ v->data ? v->data + which * v->stride[3] * z : NULL, v->stride[0] * z, v->stride[2] * z,
                             v->stride[1] * z, v->stride[4] * z };
}

static bool has_view(const born_view *in, int count, int i) { return i < count && in[i].dtype != BORN_DTYPE_NONE; }

/* Sizes and sides of q k v in every form; false where they do not fit. */
static bool mha_read(const born_view *in, int count, int64_t heads, mha *m)
{
    const born_view *q = &in[0], *k = &in[1], *v = &in[2];
    if (heads <= 0 || q->rank < 3) return false;
    *m = (mha){ .B = q->dim[0], .H = heads, .Tq = q->dim[1] };
    bool has_k = has_view(in, count, 1), has_v = has_view(in, count, 2);
    if (q->rank == 5) {
        if (has_k || has_v || q->dim[2] != heads || q->dim[3] != 3) return false;
        m->Tk = m->Tq;
        m->D = m->Dv = q->dim[4];
        m->q = inner(q, 0);
        m->k = inner(q, 1);
        m->v = inner(q, 2);
        return true;
    }
    if (q->rank != 3 || !has_k || q->dim[2] % heads != 0 || k->dim[0] != m->B) return false;
    m->D = q->dim[2] / heads;
    m->q = born__attn_side3(q, heads);
    if (k->rank == 5) {
        if (has_v || k->dim[2] != heads || k->dim[3] != 2 || k->dim[4] != m->D) return false;
        m->Tk = k->dim[1];
        m->Dv = m->D;
        m->k = inner(k, 0);
        m->v = inner(k, 1);
        return true;
    }
    if (!has_v || v->rank != k->rank || v->dim[0] != m->B) return false;
    if (k->rank == 4) {
        m->Tk = k->dim[2];
        m->Dv = v->dim[3];
        m->k = born__attn_side4(k);
        m->v = born__attn_side4(v);
        return k->dim[1] == heads && v->dim[1] == heads && v->dim[2] == m->Tk && k->dim[3] == m->D;
    }
    if (k->rank != 3 || k->dim[2] != q->dim[2] || v->dim[1] != k->dim[1] || v->dim[2] % heads != 0) return false;
    m->Tk = k->dim[1];
    m->Dv = v->dim[2] / heads;
    m->k = born__attn_side3(k, heads);
    m->v = born__attn_side3(v, heads);
    return true;
}

static born_status past_rule(born_infer *f, mha *m)
{
    if (born__infer_has(f, 6) != born__infer_has(f, 7))
        return born__infer_fail(f, BORN_INVALID, "past key and past value go together");
    if (!born__infer_has(f, 6)) return BORN_OK;
    const born_view *k = &f->in[6], *v = &f->in[7];
    bool fits = k->rank == 4 && v->rank == 4 && k->dim[0] == m->B && k->dim[1] == m->H && k->dim[3] == m->D &&
                v->dim[0] == m->B && v->dim[1] == m->H && v->dim[2] == k->dim[2] && v->dim[3] == m->Dv;
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "past %s and %s do not fit", born__infer_shape(f, 6),
                                born__infer_shape(f, 7));
    m->past = k->dim[2];
    return BORN_OK;
}

born_status born__shape_multi_head_attention(born_infer *f)
{
    const born_packed_attention_attrs *a = BORN_ATTRS_OF(packed_attention, f);
    mha m;
    int64_t T, width, cols;
    if (born__infer_has(f, 8) || born__infer_has(f, 9))
        return born__infer_fail(f, BORN_UNSUPPORTED, "shared past buffers and beams are not supported");
    if (!mha_read(f->in, f->in_count, a->num_heads, &m) || !born__mul_i64(m.H, m.Dv, &width) ||
        !born__add_i64(m.D, m.D, &cols) || !born__mul_i64(m.H, cols, &cols) || !born__add_i64(cols, width, &cols))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: q %s, k %s, v %s, %lld heads",
                                born__infer_shape(f, 0), born__infer_has(f, 1) ? born__infer_shape(f, 1) : "none",
                                born__infer_has(f, 2) ? born__infer_shape(f, 2) : "none", (long long)a->num_heads);
    BORN_TRY(past_rule(f, &m));
    if (born__infer_has(f, 3) && !(f->in[3].rank == 1 && f->in[3].dim[0] == cols))
        return born__infer_fail(f, BORN_SHAPE, "bias %s is not [%lld]", born__infer_shape(f, 3), (long long)cols);
    if (!born__add_i64(m.past, m.Tk, &T)) return born__infer_fail(f, BORN_RANGE, "too many keys");
    if (born__infer_has(f, 4) && f->in[4].rank == 4)
        return born__infer_fail(f, BORN_SHAPE, "mask %s has rank 4", born__infer_shape(f, 4));
    BORN_TRY(born__ms_mask_rule(f, 4, 5, m.B, m.H, m.Tq, m.past, T));
    born_dtype t = f->in[0].dtype;
    born__out_set(f, 0, t, 3, (int64_t[]){ m.B, m.Tq, width });
    born__out_set(f, 1, t, 4, (int64_t[]){ m.B, m.H, T, m.D });
    born__out_set(f, 2, t, 4, (int64_t[]){ m.B, m.H, T, m.Dv });
    born__out_set(f, 3, t, 4, (int64_t[]){ m.B, m.H, m.Tq, T });
    return BORN_OK;
}

size_t born__scratch_multi_head_attention(const born_call *c)
{
    mha m;
    if (!born__has(c, 3) || !mha_read(c->in, c->in_count, BORN_ATTRS_OF(packed_attention, c)->num_heads, &m)) return 0;
    size_t q = (size_t)m.Tq, k = (size_t)m.Tk, n = sizeof(float);
    bool ok = born__mul_size(q, (size_t)m.D, &q) && born__mul_size(k, (size_t)m.D + (size_t)m.Dv, &k) &&
              born__add_size(q, k, &q) && born__mul_size(n, (size_t)m.B, &n) && born__mul_size(n, (size_t)m.H, &n) &&
              born__mul_size(n, q, &n);
    return ok ? n : SIZE_MAX;
}

/* Copies side (heads of D, T tokens) to dst [B, H, T, D] plus bias, and makes side the copy. Returns what is behind. */
static float *add_bias(const born_exec *x, const mha *m, born_attn_side *side, int64_t T, int64_t D, float *dst,
                       const born_view *bias, int64_t first)
{
    int64_t row = D * 4;
    born_attn_side copy = { (char *)dst, m->H * T * row, T * row, row, 4 };
    born__attn_copy(x, &copy, 0, side, m->B, m->H, T, D);
    const float *b = (const float *)(const void *)bias->data + first * bias->stride[0];
    for (int64_t r = 0; D > 0 && r < m->B * m->H * T; r++) {
        const float *head = b + r / T % m->H * D * bias->stride[0];
        for (int64_t d = 0; d < D; d++) dst[r * D + d] += head[d * bias->stride[0]];
    }
    *side = copy;
    return dst + m->B * m->H * T * D;
}

born_status born__attn_multi_head_attention(born_call *c, const born_exec *x, born_attn_engine run)
{
    const born_packed_attention_attrs *t = BORN_ATTRS_OF(packed_attention, c);
    mha m;
    if (!mha_read(c->in, c->in_count, t->num_heads, &m))
        return born__fail(x->err, BORN_INTERNAL, "multi_head_attention: shapes changed");
    if (born__has(c, 3)) {
        float *p = add_bias(x, &m, &m.q, m.Tq, m.D, x->scratch, &c->in[3], 0);
        p = add_bias(x, &m, &m.k, m.Tk, m.D, p, &c->in[3], m.H * m.D);
        add_bias(x, &m, &m.v, m.Tk, m.Dv, p, &c->in[3], 2 * m.H * m.D);
    }
    bool old = born__has(c, 6);
    if (old) m.past = c->in[6].dim[2];
    born_attn a = { .B = m.B,
                    .Hq = m.H,
                    .Hk = m.H,
                    .Tq = m.Tq,
                    .D = m.D,
                    .Dv = m.Dv,
                    .past = m.past,
                    .T = m.past + m.Tk,
                    .q = m.q,
                    .k = m.k,
                    .v = m.v,
                    .causal = t->unidirectional,
                    .left = -1,
                    .right = -1,
                    .offset = m.past + m.Tk - m.Tq,
                    .fill = (float)t->mask_filter_value,
                    .scores_mode = 3 };
    a.scale = t->scale != 0 ? (float)t->scale : 1.0f / sqrtf((float)m.D);
    a.y = born__attn_side3(&c->out[0], m.H);
    if (old) {
        a.past_k = born__attn_side4(&c->in[6]);
        a.past_v = born__attn_side4(&c->in[7]);
    }
    born_view starts;
    if (born__has(c, 4)) born__ms_mask_set(&a, &c->in[4], &starts);
    if (born__has(c, 5)) a.add2 = born__attn_mask_side(&c->in[5]);
    if (c->out_count > 3 && c->out[3].data) a.scores = born__attn_side4(&c->out[3]);
    for (int o = 1; o <= 2 && o < c->out_count; o++) {
        if (!c->out[o].data) continue;
        born_attn_side dst = born__attn_side4(&c->out[o]);
        int64_t D = o == 1 ? m.D : m.Dv;
        if (old) born__attn_copy(x, &dst, 0, o == 1 ? &a.past_k : &a.past_v, m.B, m.H, m.past, D);
        born__attn_copy(x, &dst, m.past, o == 1 ? &a.k : &a.v, m.B, m.H, m.Tk, D);
    }
    run(&a, x);
    return BORN_OK;
}

born_status born__ref_multi_head_attention(born_call *c, const born_exec *x)
{
    return born__attn_multi_head_attention(c, x, born__attn_run);
}

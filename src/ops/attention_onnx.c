/* The attention row: Attention of ONNX 23 to 25. Operands q k v mask past_k past_v valid; results y present_k present_v
   scores. Three-dimensional operands hold their heads in the last dim. */
#include <math.h>

#include "ops/attention.h"

static bool split_heads(const born_view *v, int64_t heads, int64_t *H, int64_t *T, int64_t *D)
{
    if (v->rank == 4) {
        *H = v->dim[1];
        *T = v->dim[2];
        *D = v->dim[3];
        return true;
    }
    if (heads <= 0 || v->dim[2] % heads != 0) return false;
    *H = heads;
    *T = v->dim[1];
    *D = v->dim[2] / heads;
    return true;
}

bool born__attention_sizes(const born_view *in, const born_attention_attrs *a, born_attn_dims *s)
{
    int64_t Hv, Tv, Dk, q_heads = a->q_num_heads, kv_heads = a->kv_num_heads;
    const born_view *q = &in[0], *k = &in[1], *v = &in[2];
    if ((q->rank != 3 && q->rank != 4) || k->rank != q->rank || v->rank != q->rank) return false;
    s->B = q->dim[0];
    s->past = 0;
    if (!split_heads(q, q_heads, &s->Hq, &s->Tq, &s->D) || !split_heads(k, kv_heads, &s->Hk, &s->Tk, &Dk) ||
        !split_heads(v, kv_heads, &Hv, &Tv, &s->Dv))
        return false;
    return k->dim[0] == s->B && v->dim[0] == s->B && Dk == s->D && Hv == s->Hk && Tv == s->Tk && s->Hk > 0 &&
           s->Hq % s->Hk == 0;
}

static born_status past_rule(born_infer *f, born_attn_dims *s)
{
    if (born__infer_has(f, 4) != born__infer_has(f, 5))
        return born__infer_fail(f, BORN_INVALID, "past key and past value go together");
    if (!born__infer_has(f, 4)) return BORN_OK;
    if (born__infer_has(f, 6)) return born__infer_fail(f, BORN_INVALID, "valid lengths and past exclude each other");
    const born_view *k = &f->in[4], *v = &f->in[5];
    bool fits = k->rank == 4 && v->rank == 4 && k->dim[0] == s->B && k->dim[1] == s->Hk && k->dim[3] == s->D &&
                v->dim[0] == s->B && v->dim[1] == s->Hk && v->dim[2] == k->dim[2] && v->dim[3] == s->Dv;
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "past key %s or past value %s does not fit key %s",
                                born__infer_shape(f, 4), born__infer_shape(f, 5), born__infer_shape(f, 1));
    s->past = k->dim[2];
    return BORN_OK;
}

born_status born__shape_attention(born_infer *f)
{
    const born_attention_attrs *a = BORN_ATTRS_OF(attention, f);
    born_attn_dims s;
    int64_t T;
    if (!born__attention_sizes(f->in, a, &s))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: q %s (%lld heads), k %s, v %s (%lld heads)",
                                born__infer_shape(f, 0), (long long)a->q_num_heads, born__infer_shape(f, 1),
                                born__infer_shape(f, 2), (long long)a->kv_num_heads);
    BORN_TRY(past_rule(f, &s));
    if (!born__add_i64(s.past, s.Tk, &T)) return born__infer_fail(f, BORN_RANGE, "too many keys");
    if (born__infer_has(f, 3)) {
        born_dtype t = f->in[3].dtype;
        if (t != BORN_BOOL && t != f->in[0].dtype)
            return born__infer_fail(f, BORN_DTYPE, "the mask is %s, neither bool nor %s", born_dtype_name(t),
                                    born_dtype_name(f->in[0].dtype));
        if (!born__attn_mask_fits(&f->in[3], s.B, s.Hq, s.Tq, T, true))
            return born__infer_fail(f, BORN_SHAPE, "mask %s does not fit [%lld,%lld,%lld,%lld]",
                                    born__infer_shape(f, 3), (long long)s.B, (long long)s.Hq, (long long)s.Tq,
                                    (long long)T);
    }
    if (born__infer_has(f, 6) && !(f->in[6].rank == 1 && f->in[6].dim[0] == s.B))
        return born__infer_fail(f, BORN_SHAPE, "valid lengths %s are not [%lld]", born__infer_shape(f, 6),
                                (long long)s.B);
    int64_t y4[4] = { s.B, s.Hq, s.Tq, s.Dv }, y3[3] = { s.B, s.Tq, 0 };
    if (!born__mul_i64(s.Hq, s.Dv, &y3[2])) return born__infer_fail(f, BORN_RANGE, "the result is too large");
    born__out_set(f, 0, f->in[0].dtype, f->in[0].rank, f->in[0].rank == 4 ? y4 : y3);
    born__out_set(f, 1, f->in[0].dtype, 4, (int64_t[]){ s.B, s.Hk, T, s.D });
    born__out_set(f, 2, f->in[0].dtype, 4, (int64_t[]){ s.B, s.Hk, T, s.Dv });
    born__out_set(f, 3, f->in[0].dtype, 4, (int64_t[]){ s.B, s.Hq, s.Tq, T });
    return BORN_OK;
}

static born_attn_side heads_of(const born_view *v, int64_t heads)
{
    return v->rank == 4 ? born__attn_side4(v) : born__attn_side3(v, heads);
}

static void set_mask(born_attn *a, const born_view *m, const born_attn_dims *s)
{
    born_attn_side side = born__attn_mask_side(m);
    a->mask_keys = m->rank > 0 ? m->dim[m->rank - 1] : s->past + s->Tk;     /* ONNX pads a shorter mask with -inf */
    if (m->dtype == BORN_BOOL) a->allow = side;
    else a->add = side;
}

born_status born__attn_attention(born_call *c, const born_exec *x, born_attn_engine run)
{
    const born_attention_attrs *t = BORN_ATTRS_OF(attention, c);
    born_attn_dims s;
    if (!born__attention_sizes(c->in, t, &s)) return born__fail(x->err, BORN_INTERNAL, "attention: shapes changed");
    bool old = born__has(c, 4);
    if (old) s.past = c->in[4].dim[2];
    born_attn a = { .B = s.B, .Hq = s.Hq, .Hk = s.Hk, .Tq = s.Tq, .D = s.D, .Dv = s.Dv, .past = s.past,
                    .T = s.past + s.Tk, .softcap = (float)t->softcap, .causal = t->is_causal, .left = t->left_window,
                    .right = t->right_window, .offset = s.past, .scores_mode = (int)t->qk_mode };
    a.scale = t->scale != 0 ? (float)t->scale : 1.0f / sqrtf((float)s.D);
    a.q = heads_of(&c->in[0], s.Hq);
    a.k = heads_of(&c->in[1], s.Hk);
    a.v = heads_of(&c->in[2], s.Hk);
    a.y = heads_of(&c->out[0], s.Hq);
    if (old) {
        a.past_k = born__attn_side4(&c->in[4]);
        a.past_v = born__attn_side4(&c->in[5]);
    }
    if (born__has(c, 6)) {
        a.valid = &c->in[6];
        a.offset_by_valid = true;
    }
    if (born__has(c, 3)) set_mask(&a, &c->in[3], &s);
    if (c->out_count > 3 && c->out[3].data) a.scores = born__attn_side4(&c->out[3]);
    for (int o = 1; o <= 2 && o < c->out_count; o++) {
        if (!c->out[o].data) continue;
        born_attn_side dst = born__attn_side4(&c->out[o]);
        int64_t D = o == 1 ? s.D : s.Dv;
        if (old) born__attn_copy(x, &dst, 0, o == 1 ? &a.past_k : &a.past_v, s.B, s.Hk, s.past, D);
        born__attn_copy(x, &dst, s.past, o == 1 ? &a.k : &a.v, s.B, s.Hk, s.Tk, D);
    }
    run(&a, x);
    return BORN_OK;
}

born_status born__ref_attention(born_call *c, const born_exec *x)
{
    return born__attn_attention(c, x, born__attn_run);
}

/* See attention_grad.h. */
#include "cpu/attention/attention_grad.h"

#include "cpu/attention/attention.h"
#include "cpu/queries.h"

static int64_t whole(int64_t n) { return (n + 15) / 16 * 16; }

static int64_t take(born_attn_scratch *s, int64_t floats)
{
    int64_t at = s->floats;
    s->floats += floats;
    return at;
}

static bool dense(const born_attn_side *s) { return !s->p || s->d == (int64_t)sizeof(float); }

bool born__attn_back_plan(const born_call *c, born_attn_back *b, born_attn_scratch *s)
{
    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].dtype != BORN_F32) return false;
    for (int i = 0; i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE && c->out[i].stride[c->out[i].rank - 1] != 1) return false;
    if (!born__attn_back_of(c, b)) return false;
    const born_attn *a = &b->a;
    bool fits = a->D > 0 && a->D <= BORN_ATTN_WIDEST && a->Dv > 0 && a->Dv <= BORN_ATTN_WIDEST && a->T > 0 &&
                a->T <= BORN_ATTN_BACK_KEYS && a->B > 0 && a->Tq > 0 && a->Tq <= INT32_MAX;
    if (!fits || !dense(&a->q) || !dense(&a->k) || !dense(&a->v) || !dense(&a->y) || !dense(&b->gy)) return false;
    *s = (born_attn_scratch){ .Dp = whole(a->D), .Vp = whole(a->Dv), .Tp = whole(a->T), .Qp = whole(a->Tq) };
    s->rows = a->T <= 512 ? 64 : 32;
    s->q = take(s, s->rows * s->Dp);
    s->gy = take(s, s->rows * s->Vp);
    s->dq = take(s, s->rows * s->Dp);
    s->k = take(s, s->Tp * s->Dp);
    s->dk = take(s, s->Tp * s->Dp);
    s->dv = take(s, s->Tp * s->Vp);
    bool parts = a->Tq > BORN_ATTN_CUT || a->Hq != a->Hk;
    s->dk_part = take(s, parts ? s->Tp * s->Dp : 0);
    s->dv_part = take(s, parts ? s->Tp * s->Vp : 0);
    s->k_panels = take(s, s->Tp * s->Dp);
    s->v_panels = take(s, s->Tp * s->Vp);
    s->wide = s->Tp + 16;
    s->p = take(s, s->rows * s->wide);
    s->ds = take(s, s->rows * s->wide);
    s->shift = take(s, s->rows);
    return true;
}

bool born__query_attention_grad(const born_call *c, born_query *q)
{
    born_attn_back b;
    born_attn_scratch s;

    if (!born__attn_back_plan(c, &b, &s)) return false;
    int64_t items = b.a.B * b.a.Hk, places = items < BORN_ATTN_BACK_PLACES ? items : BORN_ATTN_BACK_PLACES;
    size_t seen = 2 * sizeof(int32_t) * (size_t)(s.Qp + s.Qp / BORN_ATTN_BLOCK);
    return born__mul_size((size_t)places * sizeof(float), (size_t)s.floats, &q->scratch_bytes) &&
           born__add_size(q->scratch_bytes, seen, &q->scratch_bytes);
}

/* The row attention_grad: gradients of q, k and v at once, from q, k, v, the result y and what arrived for it, without
   the scores in memory (Dao et al., 2022, appendix B). Scores are computed again; P = exp(score - max) / sum,
   dS = P (gy v' - sum(gy y)). Pairs of a query and a key go in blocks of 16 x 16 by position: a block in which no pair
   is seen is skipped, in others a pair that is not seen counts with P = dS = +0. Chains over keys and over queries are
   cut every 1,024 positions. */
#include <math.h>

#include "ops/attention_back.h"
#include "ops/lane1.h"
#include "ops/lane_sum.h"

static born_attn_side heads_of(const born_view *v, int64_t heads)
{
    return v->rank == 4 ? born__attn_side4(v) : born__attn_side3(v, heads);
}

born_status born__shape_attention_grad(born_infer *f)
{
    const born_attention_attrs *t = BORN_ATTRS_OF(attention, f);
    const born_view *y = &f->in[3], *gy = &f->in[4];
    born_attn_dims s;
    if (t->softcap > 0) return born__infer_fail(f, BORN_INVALID, "there is no softcap here");
    bool fits = born__attention_sizes(f->in, t, &s) && y->rank == f->in[0].rank && gy->rank == y->rank;
    int64_t y4[4] = { s.B, s.Hq, s.Tq, s.Dv }, y3[3] = { s.B, s.Tq, 0 };
    if (fits && y->rank == 3) fits = born__mul_i64(s.Hq, s.Dv, &y3[2]);
    for (int d = 0; fits && d < y->rank; d++) {
        int64_t want = y->rank == 4 ? y4[d] : y3[d];
        fits = y->dim[d] == want && gy->dim[d] == want;
    }
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: q %s, k %s, v %s, y %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), born__infer_shape(f, 2), born__infer_shape(f, 3));
    for (int i = 0; i < f->out_count; i++) born__out_like(f, i, &f->in[i]);
    return BORN_OK;
}

bool born__attn_back_of(const born_call *c, born_attn_back *b)
{
    const born_attention_attrs *t = BORN_ATTRS_OF(attention, c);
    born_attn_dims s;
    if (!born__attention_sizes(c->in, t, &s)) return false;
    *b = (born_attn_back){ .a = { .B = s.B, .Hq = s.Hq, .Hk = s.Hk, .Tq = s.Tq, .D = s.D, .Dv = s.Dv, .T = s.Tk,
                                  .causal = t->is_causal, .left = t->left_window, .right = t->right_window } };
    b->a.scale = t->scale != 0 ? (float)t->scale : 1.0f / sqrtf((float)s.D);
    b->a.q = heads_of(&c->in[0], s.Hq);
    b->a.k = heads_of(&c->in[1], s.Hk);
    b->a.v = heads_of(&c->in[2], s.Hk);
    b->a.y = heads_of(&c->in[3], s.Hq);
    b->gy = heads_of(&c->in[4], s.Hq);
    born_attn_side *out[3] = { &b->dq, &b->dk, &b->dv };
    for (int i = 0; i < 3 && i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE && c->out[i].data) *out[i] = heads_of(&c->out[i], i ? s.Hk : s.Hq);
    return true;
}

void born__attn_back_range(const born_attn *a, int64_t i, int64_t n, int64_t *lo, int64_t *hi)
{
    born_attn_row r;
    *lo = a->T;
    *hi = 0;
    for (int64_t k = 0; k < n; k++) {
        born__attn_row_start(&r, a, i + k);
        if (r.lo >= r.hi) continue;
        if (r.lo < *lo) *lo = r.lo;
        if (r.hi > *hi) *hi = r.hi;
    }
    if (*lo >= *hi) {
        *lo = *hi = 0;
        return;
    }
    *lo -= *lo % BORN_ATTN_BLOCK;
    *hi = (*hi + BORN_ATTN_BLOCK - 1) / BORN_ATTN_BLOCK * BORN_ATTN_BLOCK;
    if (*hi > a->T) *hi = a->T;
}

/* ---- reference --------------------------------------------------------------------------------------------------- */

/* One key head at a time; P and dS of all its queries, [G * Tq, T], in scratch. */
typedef struct back_job {
    const born_attn_back *b;
    int64_t batch, kh, G;
    float *p, *ds;
} back_job;

static float at_f32(const char *p) { return *(const float *)(const void *)p; }

static float dot(const char *x, int64_t x_step, const char *y, int64_t y_step, int64_t n)
{
    float total = 0;
    for (int64_t at = 0; at < n; at += BORN_ATTN_CUT) {
        int64_t end = n - at < BORN_ATTN_CUT ? n : at + BORN_ATTN_CUT;
        float acc = 0;
        for (int64_t d = at; d < end; d++) acc = born__fmaf(at_f32(x + d * x_step), at_f32(y + d * y_step), acc);
        total = at == 0 ? acc : total + acc;
    }
    return total;
}

/* P and dS of one query against all keys. */
static void weigh(const back_job *j, const born_attn_row *r, float *p, float *ds)
{
    const born_attn *a = &j->b->a;
    const char *q = born__attn_at(&a->q, r->b, r->h, r->i), *y = born__attn_at(&a->y, r->b, r->h, r->i);
    const char *gy = born__attn_at(&j->b->gy, r->b, r->h, r->i);
    born_lanes_f32 sum = { 0 }, along = { 0 };
    float top = -INFINITY, by = 0;
    bool any = false;
    for (int64_t k = r->lo; k < r->hi; k++) {
        p[k] = dot(q, a->q.d, born__attn_at(&a->k, r->b, r->kh, k), a->k.d, a->D) * a->scale;
        any |= p[k] != -INFINITY;
        if (p[k] > top) top = p[k];
    }
    for (int64_t k = 0; k < a->T; k++) {
        bool seen = k >= r->lo && k < r->hi && p[k] != -INFINITY;
        p[k] = seen ? exp_f32(p[k] - top) : 0;
        born__lanes_add_f32(&sum, p[k]);
    }
    if (any) by = 1 / born__lanes_end_f32(&sum);
    for (int64_t d = 0; d < a->Dv; d++)
        born__lanes_add_f32(&along, at_f32(gy + d * j->b->gy.d) * at_f32(y + d * a->y.d));
    float shift = born__lanes_end_f32(&along);
    for (int64_t k = 0; k < a->T; k++) {
        ds[k] = 0;
        if (k < r->lo || k >= r->hi) continue;
        p[k] = p[k] * by;
        ds[k] = p[k] * (dot(gy, j->b->gy.d, born__attn_at(&a->v, r->b, r->kh, k), a->v.d, a->Dv) - shift);
    }
}

/* A chain that is cut by position. */
typedef struct cut_chain { float total, part; bool has_total, has_part; int64_t segment; } cut_chain;

static void chain_cut(cut_chain *c)
{
    if (!c->has_part) return;
    c->total = c->has_total ? c->total + c->part : c->part;
    c->has_total = true;
    c->part = 0;
    c->has_part = false;
}

static void chain_add(cut_chain *c, int64_t segment, float x, float y)
{
    if (segment != c->segment) chain_cut(c);
    c->segment = segment;
    c->part = born__fmaf(x, y, c->part);
    c->has_part = true;
}

static void put(const born_attn_side *s, int64_t b, int64_t h, int64_t t, int64_t d, float v)
{
    *(float *)(void *)((char *)(uintptr_t)born__attn_at(s, b, h, t) + d * s->d) = v;
}

/* Blocks of 16 queries of the heads over one key head: their P, dS and dq. */
static void query_blocks(void *ctx, int64_t begin, int64_t end)
{
    const back_job *j = ctx;
    const born_attn *a = &j->b->a;
    int64_t per = (a->Tq + BORN_ATTN_BLOCK - 1) / BORN_ATTN_BLOCK;
    for (int64_t block = begin; block < end; block++) {
        int64_t g = block / per, i0 = block % per * BORN_ATTN_BLOCK, lo, hi;
        int64_t n = a->Tq - i0 < BORN_ATTN_BLOCK ? a->Tq - i0 : BORN_ATTN_BLOCK;
        born__attn_back_range(a, i0, n, &lo, &hi);
        for (int64_t i = i0; i < i0 + n; i++) {
            int64_t h = j->kh * j->G + g, at = (g * a->Tq + i) * a->T;
            born_attn_row r;
            born__attn_row_start(&r, a, (j->batch * a->Hq + h) * a->Tq + i);
            weigh(j, &r, j->p + at, j->ds + at);
            for (int64_t d = 0; j->b->dq.p && d < a->D; d++) {
                cut_chain c = { 0 };
                for (int64_t k = lo; k < hi; k++) {
                    const char *key = born__attn_at(&a->k, j->batch, j->kh, k);
                    chain_add(&c, k / BORN_ATTN_CUT, j->ds[at + k], at_f32(key + d * a->k.d));
                }
                chain_cut(&c);
                put(&j->b->dq, j->batch, h, i, d, c.total * a->scale);
            }
        }
    }
}

/* Column d of key k: the sum over all queries of w times x. */
static float over_queries(const back_job *j, const float *w, const born_attn_side *x, int64_t k, int64_t d)
{
    const born_attn *a = &j->b->a;
    int64_t segments = (a->Tq + BORN_ATTN_CUT - 1) / BORN_ATTN_CUT;
    cut_chain c = { 0 };
    for (int64_t g = 0; g < j->G; g++)
        for (int64_t i0 = 0; i0 < a->Tq; i0 += BORN_ATTN_BLOCK) {
            int64_t n = a->Tq - i0 < BORN_ATTN_BLOCK ? a->Tq - i0 : BORN_ATTN_BLOCK, lo, hi;
            born__attn_back_range(a, i0, n, &lo, &hi);
            for (int64_t i = i0; k >= lo && k < hi && i < i0 + n; i++) {
                const char *from = born__attn_at(x, j->batch, j->kh * j->G + g, i) + d * x->d;
                chain_add(&c, g * segments + i / BORN_ATTN_CUT, w[(g * a->Tq + i) * a->T + k], at_f32(from));
            }
        }
    chain_cut(&c);
    return c.total;
}

static void keys(void *ctx, int64_t begin, int64_t end)
{
    const back_job *j = ctx;
    const born_attn *a = &j->b->a;
    for (int64_t k = begin; k < end; k++) {
        for (int64_t d = 0; j->b->dk.p && d < a->D; d++)
            put(&j->b->dk, j->batch, j->kh, k, d, over_queries(j, j->ds, &a->q, k, d) * a->scale);
        for (int64_t d = 0; j->b->dv.p && d < a->Dv; d++)
            put(&j->b->dv, j->batch, j->kh, k, d, over_queries(j, j->p, &j->b->gy, k, d));
    }
}

size_t born__scratch_attention_grad(const born_call *c)
{
    born_attn_back b;
    size_t n = 2 * sizeof(float);
    if (!born__attn_back_of(c, &b)) return 0;
    bool fits = born__mul_size(n, (size_t)(b.a.Hq / b.a.Hk), &n) && born__mul_size(n, (size_t)b.a.Tq, &n) &&
                born__mul_size(n, (size_t)b.a.T, &n);
    return fits ? n : SIZE_MAX;
}

born_status born__ref_attention_grad(born_call *c, const born_exec *x)
{
    born_attn_back b;
    if (!born__attn_back_of(c, &b)) return born__fail(x->err, BORN_INTERNAL, "attention_grad: shapes changed");
    back_job j = { .b = &b, .G = b.a.Hq / b.a.Hk, .p = x->scratch };
    int64_t blocks = j.G * ((b.a.Tq + BORN_ATTN_BLOCK - 1) / BORN_ATTN_BLOCK);
    j.ds = j.p + j.G * b.a.Tq * b.a.T;
    for (int64_t pair = 0; pair < b.a.B * b.a.Hk; pair++) {
        j.batch = pair / b.a.Hk;
        j.kh = pair % b.a.Hk;
        born__exec_for(x, blocks, 1, query_blocks, &j);
        born__exec_for(x, b.a.T, 1, keys, &j);
    }
    return BORN_OK;
}

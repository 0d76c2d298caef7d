/* The attention engine of attention.h: rows, units, merging. */
#include <math.h>

#include "ops/attention.h"
#include "ops/lane1.h"

static inline float at_f32(const char *p) { return *(const float *)(const void *)p; }

born_attn_side born__attn_side4(const born_view *v)
{
    int64_t z = born__elem_size(v);
    return (born_attn_side){ v->data, v->stride[0] * z, v->stride[1] * z, v->stride[2] * z, v->stride[3] * z };
}

born_attn_side born__attn_side3(const born_view *v, int64_t heads)
{
    int64_t z = born__elem_size(v), per = heads > 0 ? v->dim[2] / heads : 0;
    return (born_attn_side){ v->data, v->stride[0] * z, per * v->stride[2] * z, v->stride[1] * z, v->stride[2] * z };
}

born_attn_side born__attn_mask_side(const born_view *v)
{
    int64_t step[4] = { 0 }, z = born__elem_size(v);
    for (int d = 0; d < v->rank; d++)
        if (v->dim[d] != 1) step[4 - v->rank + d] = v->stride[d] * z;
    return (born_attn_side){ v->data, step[0], step[1], step[2], step[3] };
}

bool born__attn_mask_fits(const born_view *v, int64_t B, int64_t H, int64_t Tq, int64_t Tk, bool shorter)
{
    int64_t want[4] = { B, H, Tq, Tk };
    if (v->rank > 4) return false;
    for (int d = 0; d < v->rank; d++) {
        int64_t w = want[4 - v->rank + d];
        bool last = d == v->rank - 1;
        if (v->dim[d] != w && v->dim[d] != 1 && !(last && shorter && v->dim[d] < w)) return false;
    }
    return true;
}

/* ---- one row ---- */

static int64_t clamp_keys(int64_t v, int64_t T) { return v < 0 ? 0 : v > T ? T : v; }

static int64_t add_clamped(int64_t a, int64_t b)
{
    int64_t r;
    return born__add_i64(a, b, &r) ? r : b < 0 ? INT64_MIN : INT64_MAX;
}

void born__attn_row_start(born_attn_row *r, const born_attn *a, int64_t row)
{
    *r = (born_attn_row){ .a = a, .i = row % a->Tq, .h = row / a->Tq % a->Hq, .b = row / a->Tq / a->Hq };
    r->kh = r->h / (a->Hq / a->Hk);
    int64_t valid = a->valid ? add_clamped(born__at_i64(a->valid, r->b), a->valid_add) : a->T;
    int64_t pos = add_clamped(a->offset_by_valid ? add_clamped(valid, -a->Tq) : a->offset, r->i);
    int64_t end = valid;
    if (a->causal) end = end < add_clamped(pos, 1) ? end : add_clamped(pos, 1);
    if (a->right >= 0) {
        int64_t stop = add_clamped(add_clamped(pos, a->right), 1);
        end = end < stop ? end : stop;
    }
    r->hi = clamp_keys(end, a->T);
    r->lo = a->left >= 0 ? clamp_keys(add_clamped(pos, -a->left), a->T) : 0;
    if ((a->allow.p || a->add.p) && r->hi > a->mask_keys) r->hi = a->mask_keys;
    r->fill_lo = a->starts ? born__at_i64(a->starts, r->b) : 0;
    r->fill_hi = a->ends ? born__at_i64(a->ends, r->b) : a->T;
}

/* The FMA chain of law (a) over D. */
static float dot(const char *q, int64_t qs, const char *k, int64_t ks, int64_t n)
{
    float total = 0;
    for (int64_t at = 0; at < n; at += 1024) {
        int64_t end = n - at < 1024 ? n : at + 1024;
        float acc = 0;
        for (int64_t d = at; d < end; d++) acc = born__fmaf(at_f32(q + d * qs), at_f32(k + d * ks), acc);
        total = at == 0 ? acc : total + acc;
    }
    return total;
}

static float raw_score(const born_attn_row *r, int64_t j)
{
    const born_attn *a = r->a;
    bool old = j < a->past;
    const born_attn_side *s = old ? &a->past_k : &a->k;
    const char *k = born__attn_at(s, r->b, r->kh, old ? j : j - a->past);
    return dot(born__attn_at(&a->q, r->b, r->h, r->i), a->q.d, k, s->d, a->D) * a->scale;
}

static float soft_cap(const born_attn *a, float s)
{
    return a->softcap > 0 ? tanh_f32(s / a->softcap) * a->softcap : s;
}

/* The score of key j with all masks; -INFINITY where it is masked. */
static float masked_score(const born_attn_row *r, int64_t j)
{
    const born_attn *a = r->a;
    if (j < r->lo || j >= r->hi) return -INFINITY;
    const char *allow = a->allow.p ? born__attn_at(&a->allow, r->b, r->h, r->i) + j * a->allow.d : NULL;
    if (allow && !*(const uint8_t *)allow) return -INFINITY;
    float add = a->add.p ? at_f32(born__attn_at(&a->add, r->b, r->h, r->i) + j * a->add.d) : 0;
    float add2 = a->add2.p ? at_f32(born__attn_at(&a->add2, r->b, r->h, r->i) + j * a->add2.d) : 0;
    if (add == -INFINITY || add2 == -INFINITY) return -INFINITY;
    float s = soft_cap(a, raw_score(r, j));
    if (a->add.p) s += add;
    if (a->add2.p) s += add2;
    bool fill = j < r->fill_lo || j >= r->fill_hi;
    if (a->keep.p)
        fill |= *(const int32_t *)(const void *)(born__attn_at(&a->keep, r->b, r->h, r->i) + j * a->keep.d) <= 0;
    return fill ? s + a->fill : s;
}

/* Law (b) over one unit: element i to lane i % 16 of accumulator i / 16 % 4. */
static float unit_sum(const float *p)
{
    float acc[4][16];
    memcpy(acc, p, sizeof acc);
    for (int base = 64; base < BORN_ATTN_UNIT; base += 64)
        for (int i = 0; i < 64; i++) acc[i / 16][i % 16] += p[base + i];
    for (int l = 0; l < 16; l++) acc[0][l] = (acc[0][l] + acc[1][l]) + (acc[2][l] + acc[3][l]);
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++) acc[0][l] += acc[0][l + half];
    return acc[0][0];
}

/* Adds the products of keys [base, base + n) with weights p to columns [c0, c0 + cols) of the row, after scaling what
   is there by `keep` and the new by `take`. */
static void unit_product(const born_attn_row *r, int64_t base, int64_t n, const float *p, const bool *on, float keep,
                         float take)
{
    const born_attn *a = r->a;
    char *y = (char *)born__attn_at(&a->y, r->b, r->h, r->i);
    float acc[64];
    for (int64_t c0 = 0; c0 < a->Dv; c0 += 64) {
        int64_t cols = a->Dv - c0 < 64 ? a->Dv - c0 : 64;
        memset(acc, 0, sizeof acc);
        for (int64_t j = 0; j < n; j++) {
            if (!on[j]) continue;
            bool old = base + j < a->past;
            const born_attn_side *s = old ? &a->past_v : &a->v;
            const char *v = born__attn_at(s, r->b, r->kh, old ? base + j : base + j - a->past) + c0 * s->d;
            for (int64_t c = 0; c < cols; c++) acc[c] = born__fmaf(p[j], at_f32(v + c * s->d), acc[c]);
        }
        for (int64_t c = 0; c < cols; c++) {
            float *out = (float *)(void *)(y + (c0 + c) * a->y.d);
            *out = r->any ? *out * keep + acc[c] * take : acc[c];
        }
    }
}

static void row_unit(born_attn_row *r, int64_t base, int64_t n)
{
    float p[BORN_ATTN_UNIT] = { 0 };
    bool on[BORN_ATTN_UNIT] = { false }, some = false;
    float top = -INFINITY;
    for (int64_t j = 0; j < n; j++) {
        p[j] = masked_score(r, base + j);
        on[j] = p[j] != -INFINITY;
        some |= on[j];
        if (p[j] > top) top = p[j];
    }
    if (!some) return;
    for (int64_t j = 0; j < n; j++) p[j] = on[j] ? exp_f32(p[j] - top) : 0;
    float sum = unit_sum(p), m = r->any && r->m > top ? r->m : top, keep = 0, take = 1;
    if (r->any) {
        keep = exp_f32(r->m - m);
        take = exp_f32(top - m);
    }
    unit_product(r, base, n, p, on, keep, take);
    r->sum = r->any ? r->sum * keep + sum * take : sum;
    r->m = m;
    r->any = true;
}

static void row_sink(born_attn_row *r, float s)
{
    const born_attn *a = r->a;
    if (!r->any) return;
    float m = r->m > s ? r->m : s, keep = exp_f32(r->m - m);
    r->sum = r->sum * keep + exp_f32(s - m);
    r->m = m;
    char *y = (char *)born__attn_at(&a->y, r->b, r->h, r->i);
    for (int64_t c = 0; c < a->Dv; c++) *(float *)(void *)(y + c * a->y.d) *= keep;
}

void born__attn_row_end(born_attn_row *r)
{
    const born_attn *a = r->a;
    if (a->sink) row_sink(r, (float)born__at_f64(a->sink, r->h));
    else if (a->smooth) row_sink(r, 0);
    char *y = (char *)born__attn_at(&a->y, r->b, r->h, r->i);
    for (int64_t c = 0; c < a->Dv; c++) {
        float *out = (float *)(void *)(y + c * a->y.d);
        *out = r->any ? *out / r->sum : 0;
    }
}

static void row_scores(const born_attn_row *r)
{
    const born_attn *a = r->a;
    char *out = (char *)born__attn_at(&a->scores, r->b, r->h, r->i);
    for (int64_t j = 0; j < a->T; j++) {
        float s = a->scores_mode >= 2 ? masked_score(r, j) : raw_score(r, j);
        if (a->scores_mode == 1) s = soft_cap(a, s);
        if (a->scores_mode == 3) s = !r->any || s == -INFINITY ? 0 : exp_f32(s - r->m) / r->sum;
        *(float *)(void *)(out + j * a->scores.d) = s;
    }
}

static void rows_part(void *ctx, int64_t begin, int64_t end)
{
    const born_attn *a = ctx;
    for (int64_t row = begin; row < end; row++) {
        born_attn_row r;
        born__attn_row_start(&r, a, row);
        for (int64_t u = r.lo / BORN_ATTN_UNIT * BORN_ATTN_UNIT; u < r.hi; u += BORN_ATTN_UNIT)
            row_unit(&r, u, a->T - u < BORN_ATTN_UNIT ? a->T - u : BORN_ATTN_UNIT);
        born__attn_row_end(&r);
        if (a->scores.p) row_scores(&r);
    }
}

void born__attn_run(const born_attn *a, const born_exec *x)
{
    if (a->B == 0 || a->Hq == 0 || a->Tq == 0 || (a->Dv == 0 && (!a->scores.p || a->T == 0))) return;
    born__exec_for(x, a->B * a->Hq * a->Tq, 1, rows_part, (void *)(uintptr_t)a);
}

/* ---- moving keys and values ---- */

typedef struct copy_job { const born_attn_side *dst, *src; int64_t at, H, T, D; } copy_job;
static void copy_part(void *ctx, int64_t begin, int64_t end)
{
    const copy_job *j = ctx;
    for (int64_t r = begin; r < end; r++) {
        int64_t t = r % j->T, h = r / j->T % j->H, b = r / j->T / j->H;
        const char *s = born__attn_at(j->src, b, h, t);
        char *d = (char *)born__attn_at(j->dst, b, h, j->at + t);
        for (int64_t i = 0; i < j->D; i++)
            *(float *)(void *)(d + i * j->dst->d) = at_f32(s + i * j->src->d);
    }
}

void born__attn_copy(const born_exec *x, const born_attn_side *dst, int64_t at, const born_attn_side *src, int64_t B,
                     int64_t H, int64_t T, int64_t D)
{
    copy_job j = { dst, src, at, H, T, D };
    bool same = at == 0 && dst->p == src->p && (B <= 1 || dst->b == src->b) && (H <= 1 || dst->h == src->h) &&
                (T <= 1 || dst->t == src->t) && (D <= 1 || dst->d == src->d);
    if (same) return; /* a past that is appended to where it lies */
    if (B > 0 && H > 0 && T > 0 && D > 0) born__exec_for(x, B * H * T, 64, copy_part, &j);
}

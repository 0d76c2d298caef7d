/* The gradient of attention (reference and rules: ops/attention_back.c). An item is one key head of one image with all
   queries over it: its operands are copied dense into the item's scratch, keys and values also as panels; blocks of
   queries then compute scores, P and dS, and go on with the chains of dq, dk and dv by register tiles. What a block of
   16 queries sees is a range of keys, whole blocks of 16. */
#include "cpu/kernels/row_sum.h"
#include "cpu/simd/lanes.h"

#include "cpu/attention/attention.h"
#include "cpu/attention/attention_grad.h"
#include "cpu/gemm/tile.h"
#include "cpu/slots.h"

enum { BLOCK = BORN_ATTN_BLOCK, MOST_BLOCKS = 4 };

typedef struct span { int64_t lo, hi; } span;

typedef struct item {
    const born_attn_back *b;
    born_attn_scratch s;
    float *at;                          /* its scratch */
    int64_t batch, kh, h;
    int64_t i0, n;                      /* the queries at hand */
    span seen[MOST_BLOCKS], all;        /* keys of each 16 of them, and of any */
    bool later;                         /* not the first segment of the chains over queries */
    span touched;                       /* keys that this segment has met */
} item;

/* ---- in and out -------------------------------------------------------------------------------------------------- */

/* Rows [0, n) of one head, padded with zeros to `wide` floats and to whole vectors of rows. */
static void copy_in(const born_attn_side *s, int64_t b, int64_t h, int64_t n, int64_t d, int64_t wide, float *to)
{
    for (int64_t i = 0; i < n; i++, to += wide) {
        const float *from = (const float *)(const void *)born__attn_at(s, b, h, i);
        for (int64_t c = 0; c < d; c += 16) v_store(to + c, v_load_n(from + c, d - c < 16 ? d - c : 16));
    }
    for (; n % 16 != 0; n++, to += wide) memset(to, 0, (size_t)wide * sizeof *to);
}

static void copy_out(const born_attn_side *s, int64_t b, int64_t h, int64_t n, int64_t d, int64_t wide,
                     const float *from, float by)
{
    v16 k = v_set(by);
    for (int64_t i = 0; i < n; i++, from += wide) {
        float *to = (float *)(void *)(uintptr_t)born__attn_at(s, b, h, i);
        for (int64_t c = 0; c < d; c += 16)
            v_store_n(to + c, by == 1 ? v_load(from + c) : v_mul(v_load(from + c), k), d - c < 16 ? d - c : 16);
    }
}

/* Rows of x [Tp, wide] as panels of 16: number d of row i at to[16 * d + i]. */
static void turn_rows(const float *x, int64_t rows, int64_t d, int64_t wide, float *to)
{
    for (int64_t i = 0; i < rows; i += 16, to += d * 16)
        for (int64_t c = 0; c < d; c += 16) {
            v16 r[16];
            int64_t n = d - c < 16 ? d - c : 16;
            for (int k = 0; k < 16; k++) r[k] = v_load(x + (i + k) * wide + c);
            v_transpose(r);
            for (int k = 0; k < n; k++) v_store(to + (c + k) * 16, r[k]);
        }
}

/* What sum(gy y) is for each query. */
static void find_shifts(const item *t)
{
    const born_attn *a = &t->b->a;
    float *shift = t->at + t->s.shift, row[BORN_ATTN_WIDEST];

    for (int64_t i = 0; i < a->Tq; i++) {
        const float *y = (const float *)(const void *)born__attn_at(&a->y, t->batch, t->h, i);
        const float *gy = t->at + t->s.gy + i * t->s.Vp;
        for (int64_t c = 0; c < a->Dv; c += 16) {
            int64_t n = a->Dv - c < 16 ? a->Dv - c : 16;
            v_store(row + c, v_mul(v_load(gy + c), v_load_n(y + c, n)));
        }
        shift[i] = row_sum(row, a->Dv, v_zero(), map_none);
    }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* m rows of x (`wide` floats apart) times panels [from, to): result row r at out + r * out_row + 16 * panel. */
static void by_panels(const float *x, int64_t wide, int64_t m, const float *panels, int64_t d, int64_t from, int64_t to,
                      float *out, int64_t out_row)
{
    const born_run run = { 0, 0, d };

    for (int64_t p = from; p < to;) {
        int np = (int)(to - p < BORN_TILE_N ? to - p : BORN_TILE_N);
        for (int64_t r0 = 0; r0 < m; r0 += BORN_TILE_M) {
            born_tile tile = { .a_step = 1, .b_panel = d * 16, .b_step = 16, .run = &run, .run_count = 1, .np = np };
            tile.m = (int)(m - r0 < BORN_TILE_M ? m - r0 : BORN_TILE_M);
            tile.b = panels + p * d * 16;
            for (int r = 0; r < tile.m; r++) {
                tile.a[r] = x + (r0 + r) * wide;
                tile.c[r] = out + (r0 + r) * out_row + p * 16;
            }
            BORN_K(tile_f32)(&tile);
        }
        p += np;
    }
}

/* m chains over n terms: row r takes term k from a + r * a_row + k and row k of b; `how` says how they meet out. */
static void by_rows(const float *a, int64_t a_row, int64_t m, int64_t n, const float *b, int64_t wide, float *out,
                    bool chain, bool add)
{
    const born_run run = { 0, 0, n };
    born_tile tile = { .a_step = 1, .b_panel = 16, .b_step = wide, .run = &run, .run_count = 1, .m = (int)m,
                       .chain = chain, .add = add };
    int wider = BORN_K(tilewidth_f32)((int)m);

    for (int r = 0; r < m; r++) tile.a[r] = a + r * a_row;
    for (int64_t c = 0; c < wide; c += (int64_t)tile.np * 16) {
        int64_t left = (wide - c) / 16;
        tile.np = (int)(left < wider ? left : wider);
        tile.b = b + c;
        for (int r = 0; r < m; r++) tile.c[r] = out + r * wide + c;
        BORN_K(tile_f32)(&tile);
    }
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Which of 16 keys from j on the query sees by position. */
BORN_INLINE m16 within(const born_attn_row *row, int64_t j)
{
    int64_t last = row->hi - j, first = row->lo - j;
    m16 before = m_first(first < 0 ? 0 : first < 16 ? first : 16);
    return m_and(m_first(last < 0 ? 0 : last < 16 ? last : 16), m_not(before));
}

/* Scores of one query over `in` to scaled ones, -inf where it sees no key; the largest. */
BORN_INLINE float mask_scores(const born_attn_row *row, v16 scale, span in, float *p)
{
    const v16 none = v_set(-INFINITY);
    v16 top = none;

    for (int64_t j = in.lo; j < in.hi; j += 16) {
        v16 s = v_mul(v_load(p + j), scale);
        if (j < row->lo || j + 16 > row->hi) s = v_sel(within(row, j), s, none);
        v_store(p + j, s);
        top = v_maxr(s, top);
    }
    return v_most(top);
}

/* Scores to exp(score - top) in place; returns 1 / their sum by law (b), 0 where there is no key. */
BORN_INLINE float exponents(float top_, span in, float *p)
{
    const v16 none = v_set(-INFINITY), top = v_set(top_);
    v16 lane[4] = { v_zero(), v_zero(), v_zero(), v_zero() };
    m16 any = m_first(0);

    for (int64_t base = in.lo / 64 * 64; base < in.hi; base += 64)
        BORN_UNROLL
        for (int a = 0; a < 4; a++) {
            int64_t j = base + 16 * a;
            if (j < in.lo || j >= in.hi) continue;
            v16 s = v_load(p + j);
            m16 on = v_ne(s, none);
            v16 e = v_sel(on, exp_v16(v_sub(s, top)), v_zero());
            any = m_or(any, on);
            v_store(p + j, e);
            lane[a] = v_add(lane[a], e);
        }
    return m_any(any) ? 1 / row_fold(v_add, lane) : 0;
}

/* Scores and gy v' of one query to P and dS over `in`, the keys of its block. */
static void weigh(const item *t, int64_t r, span in)
{
    const born_attn *a = &t->b->a;
    float *p = t->at + t->s.p + r * t->s.Tp, *ds = t->at + t->s.ds + r * t->s.Tp;
    born_attn_row row;

    born__attn_row_start(&row, a, t->i0 + r);
    v16 by = v_set(exponents(mask_scores(&row, v_set(a->scale), in, p), in, p));
    v16 shift = v_set(t->at[t->s.shift + t->i0 + r]);
    for (int64_t j = in.lo; j < in.hi; j += 16) {
        v16 w = v_mul(v_load(p + j), by), d = v_mul(w, v_sub(v_load(ds + j), shift));
        if (j < row.lo || j + 16 > row.hi) {
            m16 m = within(&row, j);
            w = v_sel(m, w, v_zero());
            d = v_sel(m, d, v_zero());
        }
        v_store(p + j, w);
        v_store(ds + j, d);
    }
}

/* Columns `in` of 16 rows of x, `rows` of them there, turned: column j at to + j * step. */
static void turn_block(const float *x, int64_t x_row, int rows, span in, float *to, int64_t step)
{
    for (int64_t j = in.lo; j < in.hi; j += 16) {
        v16 v[16];
        for (int k = 0; k < 16; k++) v[k] = k < rows ? v_load(x + k * x_row + j) : v_zero();
        v_transpose(v);
        for (int k = 0; k < 16; k++) v_store(to + (j + k) * step, v[k]);
    }
}

/* ---- blocks of queries ------------------------------------------------------------------------------------------- */

static int rows_of(const item *t, int g)
{
    int64_t left = t->n - g * BLOCK;
    return (int)(left < BLOCK ? left : BLOCK);
}

static void find_ranges(item *t)
{
    t->all = (span){ t->b->a.T, 0 };
    for (int g = 0; g * BLOCK < t->n; g++) {
        span *s = &t->seen[g];
        born__attn_back_range(&t->b->a, t->i0 + g * BLOCK, rows_of(t, g), &s->lo, &s->hi);
        if (s->lo >= s->hi) continue;
        t->all.lo = s->lo < t->all.lo ? s->lo : t->all.lo;
        t->all.hi = s->hi > t->all.hi ? s->hi : t->all.hi;
    }
}

/* dq of block g: chains over its keys, cut where the law says. */
static void queries(const item *t, int g)
{
    const born_attn_scratch *s = &t->s;
    span in = t->seen[g];

    for (int64_t r = 0; r < rows_of(t, g); r += BORN_TILE_M) {
        int64_t m = rows_of(t, g) - r < BORN_TILE_M ? rows_of(t, g) - r : BORN_TILE_M, row = g * BLOCK + r;
        float *out = t->at + s->dq + (t->i0 + row) * s->Dp;
        bool add = false;
        if (in.lo >= in.hi) memset(out, 0, (size_t)(m * s->Dp) * sizeof *out);
        for (int64_t j = in.lo; j < in.hi;) {
            int64_t end = (j / BORN_ATTN_CUT + 1) * BORN_ATTN_CUT;
            if (end > in.hi) end = in.hi;
            by_rows(t->at + s->ds + row * s->Tp + j, s->Tp, m, end - j, t->at + s->k + j * s->Dp, s->Dp, out, false,
                    add);
            add = true;
            j = end;
        }
    }
}

/* dk and dv of 16 keys from j on: the chains go on over the queries at hand that see them. */
static void key_block(const item *t, int64_t j)
{
    const born_attn_scratch *s = &t->s;
    int first = MOST_BLOCKS, last = -1;

    for (int g = 0; g * BLOCK < t->n; g++) {
        if (j < t->seen[g].lo || j >= t->seen[g].hi) continue;
        first = g < first ? g : first;
        last = g;
    }
    if (last < 0) return;
    int64_t from = first * BLOCK, n = last * BLOCK + rows_of(t, last) - from;
    const float *q = t->at + s->q + (t->i0 + from) * s->Dp, *gy = t->at + s->gy + (t->i0 + from) * s->Vp;
    float *dk = t->at + (t->later ? s->dk_part : s->dk), *dv = t->at + (t->later ? s->dv_part : s->dv);
    for (int64_t r = 0; r < BLOCK; r += BORN_TILE_M) {
        int64_t m = BLOCK - r < BORN_TILE_M ? BLOCK - r : BORN_TILE_M, key = j + r;
        by_rows(t->at + s->ds_turned + key * s->rows + from, s->rows, m, n, q, s->Dp, dk + key * s->Dp, true, false);
        by_rows(t->at + s->p_turned + key * s->rows + from, s->rows, m, n, gy, s->Vp, dv + key * s->Vp, true, false);
    }
}

static void run_block(item *t)
{
    const born_attn *a = &t->b->a;
    const born_attn_scratch *s = &t->s;
    float *at = t->at;

    find_ranges(t);
    if (t->all.lo < t->all.hi) {
        int64_t from = t->all.lo / 16, to = (t->all.hi + 15) / 16;
        by_panels(at + s->q + t->i0 * s->Dp, s->Dp, t->n, at + s->k_panels, a->D, from, to, at + s->p, s->Tp);
        by_panels(at + s->gy + t->i0 * s->Vp, s->Vp, t->n, at + s->v_panels, a->Dv, from, to, at + s->ds, s->Tp);
    }
    for (int g = 0; g * BLOCK < t->n; g++) {
        for (int r = 0; r < rows_of(t, g); r++) weigh(t, g * BLOCK + r, t->seen[g]);
        turn_block(at + s->p + g * BLOCK * s->Tp, s->Tp, rows_of(t, g), t->seen[g], at + s->p_turned + g * BLOCK,
                   s->rows);
        turn_block(at + s->ds + g * BLOCK * s->Tp, s->Tp, rows_of(t, g), t->seen[g], at + s->ds_turned + g * BLOCK,
                   s->rows);
        queries(t, g);
    }
    for (int64_t j = t->all.lo; j < t->all.hi; j += BLOCK) key_block(t, j);
    if (t->all.lo >= t->all.hi) return;
    t->touched.lo = t->all.lo < t->touched.lo ? t->all.lo : t->touched.lo;
    t->touched.hi = t->all.hi > t->touched.hi ? t->all.hi : t->touched.hi;
}

/* ---- segments ---------------------------------------------------------------------------------------------------- */

static void begin_segment(item *t)
{
    const born_attn_scratch *s = &t->s;
    float *dk = t->at + (t->later ? s->dk_part : s->dk), *dv = t->at + (t->later ? s->dv_part : s->dv);

    memset(dk, 0, (size_t)(s->Tp * s->Dp) * sizeof *dk);
    memset(dv, 0, (size_t)(s->Tp * s->Vp) * sizeof *dv);
    t->touched = (span){ t->b->a.T, 0 };
}

/* Takes in a part of the chains: added where a segment before had terms, else as it is. */
static void join_rows(float *to, const float *from, span now, span met, int64_t wide)
{
    for (int64_t k = now.lo; k < now.hi; k++) {
        bool add = k >= met.lo && k < met.hi;
        for (int64_t c = k * wide; c < (k + 1) * wide; c += 16)
            v_store(to + c, add ? v_add(v_load(to + c), v_load(from + c)) : v_load(from + c));
    }
}

/* met: keys that segments before touched, a single range since ranges of neighbouring blocks meet. */
static void end_segment(item *t, span *met)
{
    const born_attn_scratch *s = &t->s;
    span now = t->touched;

    if (now.lo >= now.hi) return;
    if (t->later) {
        join_rows(t->at + s->dk, t->at + s->dk_part, now, *met, s->Dp);
        join_rows(t->at + s->dv, t->at + s->dv_part, now, *met, s->Vp);
    }
    met->lo = now.lo < met->lo ? now.lo : met->lo;
    met->hi = now.hi > met->hi ? now.hi : met->hi;
}

static void run_head(item *t, span *met)
{
    const born_attn *a = &t->b->a;
    const born_attn_scratch *s = &t->s;

    copy_in(&a->q, t->batch, t->h, a->Tq, a->D, s->Dp, t->at + s->q);
    copy_in(&t->b->gy, t->batch, t->h, a->Tq, a->Dv, s->Vp, t->at + s->gy);
    find_shifts(t);
    for (int64_t cut = 0; cut < a->Tq; cut += BORN_ATTN_CUT) {
        int64_t end = a->Tq - cut < BORN_ATTN_CUT ? a->Tq : cut + BORN_ATTN_CUT;
        begin_segment(t);
        for (t->i0 = cut; t->i0 < end; t->i0 += s->rows) {
            t->n = end - t->i0 < s->rows ? end - t->i0 : s->rows;
            run_block(t);
        }
        end_segment(t, met);
        t->later = true;
    }
    if (t->b->dq.p) copy_out(&t->b->dq, t->batch, t->h, a->Tq, a->D, s->Dp, t->at + s->dq, a->scale);
}

static void run_item(item *t)
{
    const born_attn *a = &t->b->a;
    const born_attn_scratch *s = &t->s;
    int64_t G = a->Hq / a->Hk;
    span met = { a->T, 0 };

    copy_in(&a->v, t->batch, t->kh, a->T, a->Dv, s->Vp, t->at + s->dv); /* on its way to the panels */
    turn_rows(t->at + s->dv, s->Tp, a->Dv, s->Vp, t->at + s->v_panels);
    copy_in(&a->k, t->batch, t->kh, a->T, a->D, s->Dp, t->at + s->k);
    turn_rows(t->at + s->k, s->Tp, a->D, s->Dp, t->at + s->k_panels);
    t->later = false;
    for (int64_t g = 0; g < G; g++) {
        t->h = t->kh * G + g;
        run_head(t, &met);
    }
    if (t->b->dk.p) copy_out(&t->b->dk, t->batch, t->kh, a->T, a->D, s->Dp, t->at + s->dk, a->scale);
    if (t->b->dv.p) copy_out(&t->b->dv, t->batch, t->kh, a->T, a->Dv, s->Vp, t->at + s->dv, 1);
}

typedef struct back_job {
    born_attn_back b;
    born_attn_scratch s;
    float *scratch;
    int64_t items, places;
    born_slots slots;
} back_job;

/* Ranges of places, which share the items evenly, work in the slots there are for them. */
static void run_places(void *ctx, int64_t begin, int64_t end)
{
    back_job *j = ctx;
    int slot = born__slot_take(&j->slots);
    item t = { .b = &j->b, .s = j->s, .at = j->scratch + slot * j->s.floats };

    for (int64_t i = begin * j->items / j->places; i < end * j->items / j->places; i++) {
        t.batch = i / j->b.a.Hk;
        t.kh = i % j->b.a.Hk;
        run_item(&t);
    }
    born__slot_give(&j->slots, slot);
}

born_status BORN_K(attention_grad_f32)(born_call *c, const born_exec *x)
{
    back_job j = { .scratch = x->scratch };

    if (!born__attn_back_plan(c, &j.b, &j.s)) return BORN_OK;
    j.items = j.b.a.B * j.b.a.Hk;
    j.places = j.items < BORN_ATTN_BACK_PLACES ? j.items : BORN_ATTN_BACK_PLACES;
    born__exec_for(x, j.places, 1, run_places, &j);
    return BORN_OK;
}

/* The gradient of attention (reference and rules: ops/attention_back.c). An item is one key head of one image with all
   queries over it: its operands are copied dense into the item's scratch, keys and values as panels; blocks of queries
   then compute scores, P and dS, and go on with the chains of dq, dk and dv by register tiles, which read P and dS by
   rows or by columns. What a block of 16 queries sees is a range of keys, whole blocks of 16. */
#include "cpu/attention/attention_tile.h"

#include "cpu/attention/attention.h"
#include "cpu/attention/attention_grad.h"
#include "cpu/slots.h"

enum { BLOCK = BORN_ATTN_BLOCK, MOST_BLOCKS = 4 };

typedef struct span { int64_t lo, hi; } span;

typedef struct item {
    const born_attn_back *b;
    born_attn_scratch s;
    float *at;                          /* its scratch */
    const int32_t *sees, *blocks;       /* keys [lo, hi) that each query sees by position, and each 16 of them */
    int64_t batch, kh, h;
    int64_t next_b, next_kh, next_h;    /* the head after this one */
    int64_t i0, n;                      /* the queries at hand */
    span seen[MOST_BLOCKS], all;        /* keys of each 16 of them, and of any */
    bool later;                         /* not the first segment of the chains over queries */
    span touched;                       /* keys that this segment has met */
} item;

static int rows_of(const item *t, int g)
{
    int64_t left = t->n - g * BLOCK;
    return (int)(left < BLOCK ? left : BLOCK);
}

/* ---- in and out -------------------------------------------------------------------------------------------------- */

/* Rows [first, first + n) of one head, padded with zeros to `wide` floats and to whole vectors of rows. */
static void copy_in(const born_attn_side *s, int64_t b, int64_t h, int64_t first, int64_t n, int64_t d, int64_t wide,
                    float *to)
{
    for (int64_t i = 0; i < n; i++, to += wide) {
        const float *from = (const float *)(const void *)born__attn_at(s, b, h, first + i);
        int64_t c = 0;
        for (; c + 16 <= d; c += 16) v_store(to + c, v_load(from + c));
        if (c < d) v_store(to + c, v_load_n(from + c, d - c));
    }
    for (; n % 16 != 0; n++, to += wide) memset(to, 0, (size_t)wide * sizeof *to);
}

static void copy_out(const born_attn_side *s, int64_t b, int64_t h, int64_t first, int64_t n, int64_t d, int64_t wide,
                     const float *from, float by)
{
    v16 k = v_set(by); /* times 1: the same bits */
    for (int64_t i = 0; i < n; i++, from += wide) {
        float *to = (float *)(void *)(uintptr_t)born__attn_at(s, b, h, first + i);
        int64_t c = 0;
        for (; c + 16 <= d; c += 16) v_store(to + c, v_mul(v_load(from + c), k));
        if (c < d) v_store_n(to + c, v_mul(v_load(from + c), k), d - c);
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

/* While query i is at work: where its results will go, and operands of later queries and of the next head. */
BORN_INLINE void look_ahead(const item *t, int64_t i)
{
    const born_attn *a = &t->b->a;
    bool here = i + t->s.rows < a->Tq, more = t->next_b < a->B;

    fetch(&t->b->dq, t->batch, t->h, i, a->D);
    if (here || more) {
        int64_t b = here ? t->batch : t->next_b, h = here ? t->h : t->next_h, q = here ? i + t->s.rows : i - t->i0;
        fetch(&a->q, b, h, q, a->D);
        fetch(&a->y, b, h, q, a->Dv);
        fetch(&t->b->gy, b, h, q, a->Dv);
    }
    if (!more || t->next_kh == t->kh || i >= a->T) return;
    fetch(&t->b->dk, t->batch, t->kh, i, a->D);
    fetch(&t->b->dv, t->batch, t->kh, i, a->Dv);
    fetch(&a->k, t->next_b, t->next_kh, i, a->D);
    fetch(&a->v, t->next_b, t->next_kh, i, a->Dv);
}

/* What sum(gy y) is for each query at hand, 16 at a time. */
static void find_shifts(const item *t)
{
    const born_attn *a = &t->b->a;

    for (int64_t i0 = 0; i0 < t->n; i0 += 16) {
        v16 row[16];
        for (int r = 0; r < 16; r++) {
            v16 lane[4] = { v_zero(), v_zero(), v_zero(), v_zero() };
            int64_t i = i0 + r < t->n ? i0 + r : t->n - 1;
            const float *y = (const float *)(const void *)born__attn_at(&a->y, t->batch, t->h, t->i0 + i);
            const float *gy = t->at + t->s.gy + i * t->s.Vp;
            for (int64_t c = 0; c < a->Dv; c += 64)
                BORN_UNROLL
                for (int l = 0; l < 4; l++) {
                    int64_t at = c + 16 * l, n = a->Dv - at < 16 ? a->Dv - at : 16;
                    if (n <= 0) continue;
                    lane[l] = v_add(lane[l], v_mul(v_load(gy + at), v_load_n(y + at, n)));
                }
            row[r] = row_four(lane);
        }
        v_store(t->at + t->s.shift + i0, rows_join(row, false));
    }
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* A tile of results, rows `wide` apart: chains go on from what is there (chain), or are added to it (add). */
BORN_INLINE void column_tile(terms t, int np, float *out, int64_t wide, bool chain, bool add)
{
    v16 acc[TILE_R][TILE_P];

    tile_zero(acc);
    if (chain)
        BORN_UNROLL
        for (int i = 0; i < TILE_R; i++)
            BORN_UNROLL
            for (int j = 0; j < np; j++) acc[i][j] = v_load(out + i * wide + j * 16);
    tile_chains(acc, np, t);
    if (add)
        for (int i = 0; i < TILE_R; i++)
            BORN_UNROLL
            for (int j = 0; j < np; j++) acc[i][j] = v_add(v_load(out + i * wide + j * 16), acc[i][j]);
    tile_store(acc, np, out, wide);
}

/* dq of block g: chains over its keys, cut where the law says. */
static void queries(const item *t, int g)
{
    const born_attn_scratch *s = &t->s;
    span in = t->seen[g];
    float *out = t->at + s->dq + g * BLOCK * s->Dp;

    if (in.lo >= in.hi) memset(out, 0, (size_t)(BLOCK * s->Dp) * sizeof *out);
    for (int64_t j = in.lo, end; j < in.hi; j = end) {
        end = (j / BORN_ATTN_CUT + 1) * BORN_ATTN_CUT;
        if (end > in.hi) end = in.hi;
        for (int64_t r = 0; r < BLOCK; r += TILE_R) {
            terms m = { t->at + s->ds + (g * BLOCK + r) * s->wide + j, s->wide, 1, t->at + s->k + j * s->Dp, 16,
                        s->Dp, end - j };
            int64_t c = 0;
            for (; c + TILE_P * 16 <= s->Dp; c += TILE_P * 16, m.b += TILE_P * 16)
                column_tile(m, TILE_P, out + r * s->Dp + c, s->Dp, false, j > in.lo);
            for (; c < s->Dp; c += 16, m.b += 16) column_tile(m, 1, out + r * s->Dp + c, s->Dp, false, j > in.lo);
        }
    }
}

/* Chains of TILE_R keys over n queries: weights lie in columns. */
static void over_queries(const float *w, int64_t w_row, int64_t n, const float *x, int64_t wide, float *out)
{
    terms m = { w, 1, w_row, x, 16, wide, n };
    int64_t c = 0;

    for (; c + TILE_P * 16 <= wide; c += TILE_P * 16, m.b += TILE_P * 16)
        column_tile(m, TILE_P, out + c, wide, true, false);
    for (; c < wide; c += 16, m.b += 16) column_tile(m, 1, out + c, wide, true, false);
}

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Which of 16 keys from j on are in `sees`. */
BORN_INLINE m16 within(span sees, int64_t j)
{
    int64_t last = sees.hi - j, first = sees.lo - j;
    m16 before = m_first(first < 0 ? 0 : first < 16 ? first : 16);
    return m_and(m_first(last < 0 ? 0 : last < 16 ? last : 16), m_not(before));
}

static span sees(const item *t, int64_t r)
{
    const int32_t *at = t->sees + 2 * (t->i0 + r);
    return (span){ at[0], at[1] };
}

/* Numbers of row r of x over `in` to `none` where the query does not see the key. */
static void mask_row(const item *t, int64_t r, span in, float *x, v16 none)
{
    span s = sees(t, r);
    int64_t j = in.lo, behind = s.hi / 16 * 16;

    for (; j < in.hi && j < s.lo; j += 16) v_store(x + j, v_sel(within(s, j), v_load(x + j), none));
    for (j = j < behind ? behind : j; j < in.hi; j += 16) v_store(x + j, v_sel(within(s, j), v_load(x + j), none));
}

/* Scores of block g to exp(score - max), by[r]: 1 / their sum by law (b), 0 where there is no key. */
static void exponents(const item *t, int g, float by[BLOCK])
{
    const born_attn_scratch *s = &t->s;
    float *p = t->at + s->p + g * BLOCK * s->wide;
    const v16 none = v_set(-INFINITY);
    span in = t->seen[g];
    v16 row[BLOCK];
    float top[BLOCK];

    for (int r = 0; r < BLOCK; r++) {
        float *x = p + r * s->wide;
        v16 most = none;
        if (r < rows_of(t, g)) mask_row(t, g * BLOCK + r, in, x, none);
        for (int64_t j = in.lo; j < in.hi; j += 16) most = v_maxr(v_load(x + j), most);
        row[r] = most;
    }
    v16 most = rows_join(row, true);
    v_store(top, v_sel(v_eq(most, none), v_zero(), most)); /* no key: exp(-inf) is 0 as well */
    for (int r = 0; r < BLOCK; r++) {
        if (r < rows_of(t, g)) look_ahead(t, t->i0 + g * BLOCK + r);
        row[r] = row_exponents(p + r * s->wide, in.lo, in.hi, v_set(top[r]));
    }
    v16 sum = rows_join(row, false);
    v_store(by, v_sel(v_eq(sum, v_zero()), v_zero(), v_div(v_set(1), sum)));
}

/* gy v' of a tile on its way to dS, exponents to P. */
BORN_INLINE void weight_tile(const item *t, int64_t row, int64_t panel, int np, const float *by, const float *shift)
{
    const born_attn_scratch *s = &t->s;
    const int64_t d = t->b->a.Dv;
    float *p = t->at + s->p + row * s->wide + panel * 16, *ds = t->at + s->ds + row * s->wide + panel * 16;
    v16 acc[TILE_R][TILE_P];

    tile_zero(acc);
    tile_chains(acc, np, (terms){ t->at + s->gy + row * s->Vp, s->Vp, 1,
                                  t->at + s->v_panels + panel * d * 16, d * 16, 16, d });
    BORN_UNROLL
    for (int i = 0; i < TILE_R; i++) {
        v16 k = v_set(by[i]), from = v_set(shift[i]);
        BORN_UNROLL
        for (int j = 0; j < np; j++) {
            v16 w = v_mul(v_load(p + i * s->wide + j * 16), k);
            v_store(p + i * s->wide + j * 16, w);
            v_store(ds + i * s->wide + j * 16, v_mul(w, v_sub(acc[i][j], from)));
        }
    }
}

/* P and dS of block g over the keys that it sees. */
static void weigh(const item *t, int g)
{
    const born_attn_scratch *s = &t->s;
    span in = t->seen[g];
    const float *shift = t->at + s->shift + g * BLOCK;
    float by[BLOCK];
    score_job j = { t->at + s->q + g * BLOCK * s->Dp, s->Dp, t->at + s->k_panels, t->b->a.D,
                    v_set(t->b->a.scale), t->at + s->p + g * BLOCK * s->wide, s->wide };

    if (in.lo >= in.hi) return;
    int64_t panel = in.lo / 16, end = (in.hi + 15) / 16;
    in.hi = end * 16;
    score_panels_of(&j, panel, end);
    exponents(t, g, by);
    for (; panel + TILE_P <= end; panel += TILE_P)
        for (int r = 0; r < BLOCK; r += TILE_R) weight_tile(t, g * BLOCK + r, panel, TILE_P, by + r, shift + r);
    for (; panel < end; panel++)
        for (int r = 0; r < BLOCK; r += TILE_R) weight_tile(t, g * BLOCK + r, panel, 1, by + r, shift + r);
    for (int r = g * BLOCK; r < g * BLOCK + rows_of(t, g); r++) {
        mask_row(t, r, in, t->at + s->p + r * s->wide, v_zero());
        mask_row(t, r, in, t->at + s->ds + r * s->wide, v_zero());
    }
}

/* ---- blocks of queries ------------------------------------------------------------------------------------------- */

static void find_ranges(item *t)
{
    t->all = (span){ t->b->a.T, 0 };
    for (int g = 0; g * BLOCK < t->n; g++) {
        const int32_t *at = t->blocks + 2 * (t->i0 / BLOCK + g);
        span s = t->seen[g] = (span){ at[0], at[1] };
        if (s.lo >= s.hi) continue;
        t->all.lo = s.lo < t->all.lo ? s.lo : t->all.lo;
        t->all.hi = s.hi > t->all.hi ? s.hi : t->all.hi;
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
    const float *q = t->at + s->q + from * s->Dp, *gy = t->at + s->gy + from * s->Vp;
    float *dk = t->at + (t->later ? s->dk_part : s->dk), *dv = t->at + (t->later ? s->dv_part : s->dv);
    for (int64_t key = j; key < j + BLOCK; key += TILE_R) {
        over_queries(t->at + s->ds + from * s->wide + key, s->wide, n, q, s->Dp, dk + key * s->Dp);
        over_queries(t->at + s->p + from * s->wide + key, s->wide, n, gy, s->Vp, dv + key * s->Vp);
    }
}

static void run_block(item *t)
{
    const born_attn *a = &t->b->a;
    const born_attn_scratch *s = &t->s;

    copy_in(&a->q, t->batch, t->h, t->i0, t->n, a->D, s->Dp, t->at + s->q);
    copy_in(&t->b->gy, t->batch, t->h, t->i0, t->n, a->Dv, s->Vp, t->at + s->gy);
    find_shifts(t);
    find_ranges(t);
    for (int g = 0; g * BLOCK < t->n; g++) {
        weigh(t, g);
        queries(t, g);
    }
    if (t->b->dq.p) copy_out(&t->b->dq, t->batch, t->h, t->i0, t->n, a->D, s->Dp, t->at + s->dq, a->scale);
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
    int64_t next = t->batch * a->Hq + t->h + 1;

    t->next_b = next / a->Hq;
    t->next_h = next % a->Hq;
    t->next_kh = t->next_h / (a->Hq / a->Hk);
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
}

static void run_item(item *t)
{
    const born_attn *a = &t->b->a;
    const born_attn_scratch *s = &t->s;
    int64_t G = a->Hq / a->Hk;
    span met = { a->T, 0 };

    if (a->T % 16 || a->Dv % 16) {
        copy_in(&a->v, t->batch, t->kh, 0, a->T, a->Dv, s->Vp, t->at + s->dv); /* on its way to the panels */
        turn_rows(t->at + s->dv, s->Tp, a->Dv, s->Vp, t->at + s->v_panels);
    } else {
        const float *v = (const float *)(const void *)born__attn_at(&a->v, t->batch, t->kh, 0);
        turn_rows(v, a->T, a->Dv, a->v.t / (int64_t)sizeof *v, t->at + s->v_panels);
    }
    copy_in(&a->k, t->batch, t->kh, 0, a->T, a->D, s->Dp, t->at + s->k);
    turn_rows(t->at + s->k, s->Tp, a->D, s->Dp, t->at + s->k_panels);
    t->later = false;
    for (int64_t g = 0; g < G; g++) {
        t->h = t->kh * G + g;
        run_head(t, &met);
    }
    if (t->b->dk.p) copy_out(&t->b->dk, t->batch, t->kh, 0, a->T, a->D, s->Dp, t->at + s->dk, a->scale);
    if (t->b->dv.p) copy_out(&t->b->dv, t->batch, t->kh, 0, a->T, a->Dv, s->Vp, t->at + s->dv, 1);
}

typedef struct back_job {
    born_attn_back b;
    born_attn_scratch s;
    float *scratch;
    int32_t *sees;                      /* for all items */
    int64_t items, places;
    born_slots slots;
} back_job;

/* What each query sees is the same in every head. */
static void find_seen(const born_attn *a, int64_t Qp, int32_t *to)
{
    int64_t lo, hi;

    for (int64_t i = 0; i < a->Tq; i++) {
        born_attn_row row;
        born__attn_row_start(&row, a, i);
        to[2 * i] = (int32_t)row.lo;
        to[2 * i + 1] = (int32_t)row.hi;
    }
    for (int64_t i = 0; i < a->Tq; i += BLOCK) {
        born__attn_back_range(a, i, a->Tq - i < BLOCK ? a->Tq - i : BLOCK, &lo, &hi);
        to[2 * (Qp + i / BLOCK)] = (int32_t)lo;
        to[2 * (Qp + i / BLOCK) + 1] = (int32_t)hi;
    }
}

/* Ranges of places, which share the items evenly, work in the slots there are for them. */
static void run_places(void *ctx, int64_t begin, int64_t end)
{
    back_job *j = ctx;
    int slot = born__slot_take(&j->slots);
    item t = { .b = &j->b, .s = j->s, .at = j->scratch + slot * j->s.floats, .sees = j->sees,
               .blocks = j->sees + 2 * j->s.Qp };

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
    j.sees = (int32_t *)(void *)(j.scratch + j.places * j.s.floats);
    find_seen(&j.b.a, j.s.Qp, j.sees);
    born__exec_for(x, j.places, 1, run_places, &j);
    return BORN_OK;
}

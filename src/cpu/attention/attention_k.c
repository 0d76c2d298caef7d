/* The attention engine of ops/attention.h on register tiles. An item is up to 32 query rows that share a key head:
   heads of a group, then their queries. Keys of a unit are turned into panels of 16 in the first cache, scores come
   from the tile of the matrix products (chains over D), weights times values from the same tile with the weights as
   rows. Masked keys take no part in those chains, as in the reference: rows of a tile first go over the keys that all
   of them see, and each over its own before and behind. Where nothing but positions masks, blocks of 16 queries go a
   shorter way (attention_block.h). */
#include "cpu/attention/attention_block.h"

enum { ROWS = 2 * BLOCK, PANELS = UNIT / 16, WIDEST = BORN_ATTN_WIDEST, WORDS = UNIT / 64 };

typedef struct item {
    const born_attn *a;
    int64_t b, kh, count;
    born_attn_row row[ROWS];
    float score[ROWS][UNIT];            /* then weights */
    float product[ROWS][WIDEST];
    float panel[BORN_TILE_N * WIDEST * 16]; /* each D * 16 numbers */
    float tail[UNIT][16];               /* the last columns of values where they are not 16 */
    uint64_t on[ROWS][WORDS];           /* keys of the unit that the row sees */
    float top[ROWS], sum[ROWS];         /* of this unit */
    int seen[ROWS], seen_count;         /* rows that see a key of the unit */
} item;

/* Raw scores of panels [from, to) of the unit at `base`, all rows. */
static void score_panels(item *t, int64_t base, int from, int to)
{
    const born_attn *a = t->a;
    const born_run run = { 0, 0, a->D };
    const int64_t size = a->D * 16;

    for (int p = from; p < to; p += BORN_TILE_N) {
        int n = to - p < BORN_TILE_N ? to - p : BORN_TILE_N;
        for (int i = 0; i < n; i++) turn_keys(a, t->b, t->kh, base + (p + i) * 16, t->panel + i * size);
        for (int64_t r0 = 0; r0 < t->count; r0 += BORN_TILE_M) {
            born_tile tile = { .a_step = 1, .b_panel = size, .b_step = 16, .run = &run, .run_count = 1 };
            tile.m = (int)(t->count - r0 < BORN_TILE_M ? t->count - r0 : BORN_TILE_M);
            for (int r = 0; r < tile.m; r++) {
                const born_attn_row *row = &t->row[r0 + r];
                tile.a[r] = (const float *)(const void *)born__attn_at(&a->q, row->b, row->h, row->i);
                tile.c[r] = t->score[r0 + r] + p * 16;
            }
            for (int at = 0; at < n;) {
                int wide = BORN_K(tilewidth_f32)(tile.m);
                tile.np = n - at < wide ? n - at : wide;
                tile.b = t->panel + at * size;
                BORN_K(tile_f32)(&tile);
                at += tile.np;
                for (int r = 0; r < tile.m; r++) tile.c[r] += tile.np * 16;
            }
        }
    }
}

/* 16 numbers of a mask row from key j on, n of them there. */
static APART v16 mask_at(const born_attn_side *s, const born_attn_row *r, int64_t j, int64_t n)
{
    const char *p = born__attn_at(s, r->b, r->h, r->i) + j * s->d;
    float t[16] = { 0 };

    if (s->d == 4) return v_load_n((const float *)(const void *)p, n);
    for (int64_t i = 0; i < n; i++) memcpy(&t[i], p + i * s->d, sizeof t[i]);
    return v_load(t);
}

static APART m16 allowed_at(const born_attn_side *s, const born_attn_row *r, int64_t j, int64_t n)
{
    const uint8_t *p = (const uint8_t *)born__attn_at(s, r->b, r->h, r->i) + j * s->d;
    uint8_t t[16] = { 0 };

    if (s->d == 1) return m_load(p, n);
    for (int64_t i = 0; i < n; i++) t[i] = p[i * s->d];
    return m_load(t, 16);
}

/* Adds `fill` to those of 16 scores whose keys are to be filled. */
static APART v16 filled(const born_attn_row *r, v16 s, int64_t j, int64_t n)
{
    const born_attn *a = r->a;
    float t[16];

    v_store(t, s);
    for (int64_t i = 0; i < n; i++) {
        bool fill = j + i < r->fill_lo || j + i >= r->fill_hi;
        if (a->keep.p)
            fill |= *(const int32_t *)(const void *)(born__attn_at(&a->keep, r->b, r->h, r->i) +
                                                     (j + i) * a->keep.d) <= 0;
        if (fill) t[i] += a->fill;
    }
    return v_load(t);
}

/* The masked scores of keys [j, j + n), -inf where masked; *on: which are not. */
static APART v16 masked(const born_attn_row *r, v16 s, int64_t j, int64_t n, m16 *on)
{
    const born_attn *a = r->a;
    const v16 none = v_set(-INFINITY);
    int64_t last = r->hi - j < n ? r->hi - j : n, first = r->lo > j ? r->lo - j : 0;
    m16 m = m_and(m_first(last < 0 ? 0 : last), m_not(m_first(first > 16 ? 16 : first)));

    s = v_mul(s, v_set(a->scale));
    if (a->softcap > 0) s = v_mul(tanh_v16(v_div(s, v_set(a->softcap))), v_set(a->softcap));
    if (a->allow.p) m = m_and(m, allowed_at(&a->allow, r, j, last < 0 ? 0 : last));
    if (a->add.p) {
        v16 add = mask_at(&a->add, r, j, last < 0 ? 0 : last);
        m = m_and(m, v_ne(add, none));
        s = v_add(s, add);
    }
    if (a->add2.p) {
        v16 add = mask_at(&a->add2, r, j, n);
        m = m_and(m, v_ne(add, none));
        s = v_add(s, add);
    }
    if (a->keep.p || a->starts || a->ends) s = filled(r, s, j, n);
    *on = m_and(m, v_ne(s, none));
    return v_sel(*on, s, none);
}

/* The same as masked, for by_position. */
BORN_INLINE v16 placed(const born_attn_row *r, v16 s, int64_t j, v16 scale, m16 *on)
{
    const v16 none = v_set(-INFINITY);

    s = v_mul(s, scale);
    if (j < r->lo || j + 16 > r->hi) {
        int64_t last = r->hi - j, first = r->lo - j;
        m16 before = m_first(first < 0 ? 0 : first > 16 ? 16 : first);
        s = v_sel(m_and(m_first(last < 0 ? 0 : last > 16 ? 16 : last), m_not(before)), s, none);
    }
    *on = v_ne(s, none);
    return s;
}

/* Masks the scores of row r in panels [from, to); t->on[r] says which keys are not. Returns the largest per lane. */
static v16 mask_scores(item *t, int r, int64_t base, int from, int to)
{
    const born_attn_row *row = &t->row[r];
    const v16 scale = v_set(t->a->scale);
    float *p = t->score[r];
    v16 top = v_set(-INFINITY);
    bool plain = by_position(t->a);

    for (int i = from; i < to; i++) {
        int64_t j = base + i * 16, n = t->a->T - j < 16 ? t->a->T - j : 16;
        m16 m;
        v16 s = plain ? placed(row, v_load(p + i * 16), j, scale, &m) : masked(row, v_load(p + i * 16), j, n, &m);
        v_store(p + i * 16, s);
        t->on[r][i / 4] |= (uint64_t)m_bits(m) << i % 4 * 16;
        top = v_maxr(s, top);
    }
    return top;
}

/* Scores of row r to weights, their top and sum by law (b); false: no key is seen. */
static APART bool weigh(item *t, int r, int64_t base, int from, int to)
{
    uint64_t *on = t->on[r], some = 0;

    memset(on, 0, sizeof t->on[r]);
    t->top[r] = v_most(mask_scores(t, r, base, from, to));
    for (int w = 0; w < WORDS; w++) some |= on[w];
    if (!some) return false;
    float top = t->top[r] == -INFINITY ? 0 : t->top[r]; /* all that are seen are NaN */
    t->sum[r] = v_sum(row_exponents(t->score[r], from * 16, to * 16, v_set(top)));
    return true;
}

/* ---- weights times values -------------------------------------------------------------------------------------- */

/* Goes on with the chains of rows who[0..m) over keys [from, to) of the unit; first: from +0. */
static APART void multiply(item *t, const int *who, int m, int64_t base, int64_t from, int64_t to, bool first)
{
    const born_attn *a = t->a;
    int64_t whole = a->Dv / 16, cut = a->past - base;

    if (from < cut && cut < to) { /* values of two places */
        multiply(t, who, m, base, from, cut, first);
        multiply(t, who, m, base, cut, to, false);
        return;
    }
    const born_attn_side *s = base + from < a->past ? &a->past_v : &a->v;
    const born_run run = { from, 0, to - from };
    born_tile tile = { .a_step = 1, .b_panel = 16, .run = &run, .run_count = 1, .m = m, .chain = !first };
    int wide = BORN_K(tilewidth_f32)(m);
    for (int r = 0; r < m; r++) tile.a[r] = t->score[who[r]];
    for (int64_t c = 0; c < whole; c += tile.np) {
        tile.np = (int)(whole - c < wide ? whole - c : wide);
        tile.b = (const float *)(const void *)key_at(a, &a->v, &a->past_v, t->b, t->kh, base + from) + c * 16;
        tile.b_step = s->t / 4;
        for (int r = 0; r < m; r++) tile.c[r] = t->product[who[r]] + c * 16;
        BORN_K(tile_f32)(&tile);
    }
    if (a->Dv % 16 == 0) return;
    tile.np = 1;
    tile.b = t->tail[from];
    tile.b_step = 16;
    for (int r = 0; r < m; r++) tile.c[r] = t->product[who[r]] + whole * 16;
    BORN_K(tile_f32)(&tile);
}

/* The first key from `at` on whose bit is `value`, UNIT if there is none. */
static int64_t find(const uint64_t *on, int64_t at, bool value)
{
    for (; at < UNIT; at = (at / 64 + 1) * 64) {
        uint64_t w = (value ? on[at / 64] : ~on[at / 64]) >> at % 64;
        if (w) return at + __builtin_ctzll(w);
    }
    return UNIT;
}

/* One row over those of its keys that lie in [from, to). */
static APART void multiply_own(item *t, int r, int64_t base, int64_t from, int64_t to, bool *first)
{
    for (int64_t s = find(t->on[r], from, true); s < to;) {
        int64_t e = find(t->on[r], s, false);
        multiply(t, &r, 1, base, s, e < to ? e : to, *first);
        *first = false;
        s = find(t->on[r], e, true);
    }
}

/* Rows who[0..m): the run of keys that all see together, in one tile; what is before and behind, row by row. */
static APART void multiply_rows(item *t, const int *who, int m, int64_t base)
{
    int64_t from = 0, to = UNIT;
    bool first[BORN_TILE_ROWS];

    for (int r = 0; r < m; r++) {
        int64_t s = find(t->on[who[r]], 0, true);
        from = s > from ? s : from;
    }
    for (int r = 0; r < m; r++) {
        int64_t e = find(t->on[who[r]], from, false);
        to = e < to ? e : to;
    }
    bool together = m > 1 && to - from >= 16;
    if (!together) from = to = UNIT;
    for (int r = 0; r < m; r++) {
        first[r] = true;
        multiply_own(t, who[r], base, 0, from, &first[r]);
    }
    if (!together) return;
    bool all = true;
    for (int r = 0; r < m; r++) all = all && first[r];
    for (int r = 0; !all && r < m; r++) /* a tile starts all its rows alike */
        if (first[r]) memset(t->product[who[r]], 0, sizeof t->product[0]);
    multiply(t, who, m, base, from, to, all);
    for (int r = 0; r < m; r++) {
        first[r] = false;
        multiply_own(t, who[r], base, to, UNIT, &first[r]);
    }
}

/* Takes the unit's product into the row's result. */
static APART void merge(item *t, int r)
{
    const born_attn *a = t->a;
    born_attn_row *row = &t->row[r];
    float *y = (float *)(void *)(uintptr_t)born__attn_at(&a->y, row->b, row->h, row->i);
    float top = t->top[r], m = row->any && row->m > top ? row->m : top;
    float keep = 0, take = 1, two[16] = { 0 };

    if (row->any) {
        two[0] = row->m - m;
        two[1] = top - m;
        v_store(two, exp_v16(v_load(two)));
        keep = two[0];
        take = two[1];
    }
    for (int64_t c = 0; c < a->Dv; c += 16) {
        int64_t n = a->Dv - c < 16 ? a->Dv - c : 16;
        v16 v = v_load(t->product[r] + c);
        if (row->any) v = v_add(v_mul(v_load_n(y + c, n), v_set(keep)), v_mul(v, v_set(take)));
        v_store_n(y + c, v, n);
    }
    row->sum = row->any ? row->sum * keep + t->sum[r] * take : t->sum[r];
    row->m = m;
    row->any = true;
}

static void fill_tail(item *t, int64_t base)
{
    const born_attn *a = t->a;
    int64_t whole = a->Dv / 16 * 16, n = a->T - base < UNIT ? a->T - base : UNIT;

    for (int64_t j = 0; a->Dv > whole && j < n; j++) {
        const float *v = (const float *)(const void *)key_at(a, &a->v, &a->past_v, t->b, t->kh, base + j);
        v_store(t->tail[j], v_load_n(v + whole, a->Dv - whole));
    }
}

static void run_unit(item *t, int64_t base, int64_t lo, int64_t hi)
{
    int64_t first = lo > base ? (lo - base) / 16 : 0, last = hi - base < UNIT ? (hi - base + 15) / 16 : PANELS;

    score_panels(t, base, (int)first, (int)last);
    t->seen_count = 0;
    for (int r = 0; r < t->count; r++)
        if (weigh(t, r, base, (int)first, (int)last)) t->seen[t->seen_count++] = r;
    if (t->seen_count) fill_tail(t, base);
    for (int r = 0; r < t->seen_count; r += BORN_TILE_M)
        multiply_rows(t, t->seen + r, t->seen_count - r < BORN_TILE_M ? t->seen_count - r : BORN_TILE_M, base);
    for (int r = 0; r < t->seen_count; r++) merge(t, t->seen[r]);
}

/* The division by the sum. */
static void end_row(born_attn_row *row)
{
    const born_attn *a = row->a;
    float *y = (float *)(void *)(uintptr_t)born__attn_at(&a->y, row->b, row->h, row->i);
    v16 sum = v_set(row->sum);

    if (a->sink || a->smooth) {
        born__attn_row_end(row);
        return;
    }
    for (int64_t c = 0; c < a->Dv; c += 16) {
        int64_t n = a->Dv - c < 16 ? a->Dv - c : 16;
        v_store_n(y + c, row->any ? v_div(v_load_n(y + c, n), sum) : v_zero(), n);
    }
}

/* Rows [first, first + count) of one key head's, `head` of [B, Hk]. */
static APART void run_rows(item *t, int64_t head, int64_t first, int64_t count)
{
    const born_attn *a = t->a;
    int64_t lo = INT64_MAX, hi = 0, rows = a->Hq / a->Hk * a->Tq;

    t->b = head / a->Hk;
    t->kh = head % a->Hk;
    t->count = count;
    for (int r = 0; r < count; r++) { /* heads of a group are neighbours */
        born__attn_row_start(&t->row[r], a, head * rows + first + r);
        if (t->row[r].lo >= t->row[r].hi) continue;
        lo = t->row[r].lo < lo ? t->row[r].lo : lo;
        hi = t->row[r].hi > hi ? t->row[r].hi : hi;
    }
    for (int64_t u = lo / UNIT * UNIT; u < hi; u += UNIT) run_unit(t, u, lo, hi);
    for (int r = 0; r < count; r++) end_row(&t->row[r]);
}

typedef struct job {
    const born_attn *a;
    int64_t rows, per;      /* of an item; items of a key head */
} job;

static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const job *j = ctx;
    const born_attn *a = j->a;
    int64_t rows = a->Hq / a->Hk * a->Tq;
    bool fits = block_fits(a);
    pack p;
    item t;

    t.a = a;
    for (int64_t i = begin; i < end; i++) {
        int64_t head = i / j->per, first = i % j->per * j->rows;
        int64_t stop = rows - first < j->rows ? rows : first + j->rows;
        unsigned done = fits ? run_blocks(&p, a, head * rows + first, (int)((stop - first) / BLOCK)) : 0;
        for (int64_t r = first, n; r < stop; r += n) { /* what the blocks have left, two at a time */
            unsigned next = done >> (r - first) / BLOCK;
            n = next & 3 ? BLOCK : ROWS;
            if (!(next & 1)) run_rows(&t, head, r, stop - r < n ? stop - r : n);
        }
    }
}

static bool dense(const born_attn_side *s)
{
    return !s->p || s->d == 4;
}

static void engine(const born_attn *a, const born_exec *x)
{
    bool fits = a->D > 0 && a->D <= WIDEST && a->Dv > 0 && a->Dv <= WIDEST && a->Hk > 0 && a->T > 0 && !a->scores.p;

    if (!fits || !dense(&a->q) || !dense(&a->k) || !dense(&a->v) || !dense(&a->past_k) || !dense(&a->past_v) ||
        a->y.d != 4) {
        born__attn_run(a, x);
        return;
    }
    int64_t rows = a->Hq / a->Hk * a->Tq, heads = a->B * a->Hk;
    job j = { .a = a, .rows = BLOCKS * BLOCK };
    while (j.rows > ROWS && heads * ((rows + j.rows - 1) / j.rows) < 4 * born__pool_threads(x->pool)) j.rows /= 2;
    j.per = (rows + j.rows - 1) / j.rows;
    born__exec_for(x, heads * j.per, 1, run_items, &j);
}

born_status BORN_K(attention_f32)(born_call *c, const born_exec *x)
{
    return born__attn_of(c)(c, x, engine);
}

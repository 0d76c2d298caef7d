/* Attention of 16 neighbouring queries of one head at a time, for calls whose keys are masked by position alone: the
   queries see all keys before a common one, or one key more each, the first of them at a multiple of 16. Keys of a unit
   are turned into panels, and values copied, once for all blocks of an item. A score of -inf, which takes no part in
   the chains, ends the shortcut: the rows of such a block go the general way. Included by attention_k.c. */
#ifndef BORN_CPU_ATTENTION_BLOCK_H
#define BORN_CPU_ATTENTION_BLOCK_H
#include "cpu/attention/attention_tile.h"

#include "cpu/attention/attention.h"

enum {
    BLOCK = 16,
    BLOCKS = 8,             /* of an item */
    NARROW = 64,            /* head sizes up to */
    UNIT = BORN_ATTN_UNIT,
};

typedef struct block {
    born_attn_row row;      /* of its first query */
    int64_t hi;             /* the last query sees keys [0, hi) */
    bool stairs;            /* each query sees a key more than the one before */
    bool on, any;           /* goes this way; a unit is in */
    float m[BLOCK], sum[BLOCK];
} block;

typedef struct pack {
    const born_attn *a;
    int64_t b, kh, wide;                /* wide: Dv up to whole tiles */
    float panel[UNIT * NARROW];         /* 16 keys: D * 16 numbers */
    float value[UNIT * NARROW];         /* wide apart */
    float score[BLOCK][UNIT + 16];      /* + 16: rows at powers of two would share few sets of the first cache */
    float product[BLOCK][NARROW];
    block block[BLOCKS];
} pack;

static const char *key_at(const born_attn *a, const born_attn_side *now, const born_attn_side *past, int64_t b,
                          int64_t kh, int64_t j)
{
    return j < a->past ? born__attn_at(past, b, kh, j) : born__attn_at(now, b, kh, j - a->past);
}

/* 16 keys from j on as a panel: number d of key i at to[16 * d + i]. */
static APART void turn_keys(const born_attn *a, int64_t b, int64_t kh, int64_t j, float *to)
{
    const float *k[16];
    const int64_t ahead = 32 * a->k.t; /* the panel after the next: keys are far apart for a prefetcher */

    for (int i = 0; i < 16; i++) { /* behind the last key: any key */
        int64_t at = j + i < a->T ? j + i : a->T - 1;
        k[i] = (const float *)(const void *)key_at(a, &a->k, &a->past_k, b, kh, at);
    }
    for (int64_t d = 0; d < a->D; d += 16) {
        v16 r[16];
        int64_t n = a->D - d < 16 ? a->D - d : 16;
        for (int i = 0; i < 16; i++) {
            r[i] = n == 16 ? v_load(k[i] + d) : v_load_n(k[i] + d, n);
            __builtin_prefetch((const void *)((uintptr_t)(k[i] + d) + (uintptr_t)ahead));
        }
        v_transpose(r);
        for (int i = 0; i < n; i++) v_store(to + (d + i) * 16, r[i]);
    }
}

/* Whether keys are masked by position alone. */
static bool by_position(const born_attn *a)
{
    return a->softcap <= 0 && !a->allow.p && !a->add.p && !a->add2.p && !a->keep.p && !a->starts && !a->ends;
}

/* Whether blocks may go this way; not where there are no vectors. */
static bool block_fits(const born_attn *a)
{
    return BORN_TILE_M > 4 && by_position(a) && a->left < 0 && !a->sink && !a->smooth && a->D <= NARROW &&
           a->Dv <= NARROW;
}

/* 16 queries from row `row` on of [B, Hq, Tq]. */
static void block_start(block *k, const born_attn *a, int64_t row)
{
    born_attn_row last;

    born__attn_row_start(&k->row, a, row);
    born__attn_row_start(&last, a, row + BLOCK - 1);
    k->hi = last.hi; /* grows by at most a key from one query to the next */
    k->stairs = last.hi != k->row.hi;
    k->any = false;
    k->on = last.i == k->row.i + BLOCK - 1 && k->row.hi > 0 &&
            (!k->stairs || (last.hi - k->row.hi == BLOCK - 1 && last.hi % 16 == 0));
}

/* Keys and values of the unit at `base`, n of them. */
static void pack_unit(pack *t, int64_t base, int64_t n)
{
    const born_attn *a = t->a;

    for (int64_t j = 0; j < n; j += 16) turn_keys(a, t->b, t->kh, base + j, t->panel + j * a->D);
    for (int64_t j = 0; j < n; j++) {
        const float *v = (const float *)(const void *)key_at(a, &a->v, &a->past_v, t->b, t->kh, base + j);
        float *to = t->value + j * t->wide;
        int64_t c = 0;
        for (; c + 16 <= a->Dv; c += 16) v_store(to + c, v_load(v + c));
        for (; c < t->wide; c += 16) v_store(to + c, c < a->Dv ? v_load_n(v + c, a->Dv - c) : v_zero());
    }
}

/* The block as many rows on as an item has. */
static block next_block(const born_attn *a, const block *k)
{
    block to = { .row = { .b = k->row.b, .h = k->row.h, .kh = k->row.kh, .i = k->row.i + BLOCKS * BLOCK } };
    born_attn_row *r = &to.row;

    if (r->i >= a->Tq) {
        r->i -= a->Tq;
        r->h = r->h + 1 < a->Hq ? r->h + 1 : 0;
        r->b += r->h == 0;
        r->kh = r->h / (a->Hq / a->Hk);
    }
    to.on = r->i + BLOCK <= a->Tq && r->b < a->B;
    return to;
}

/* While row r of a block is at work: where its result will go, and what a later item needs. */
BORN_INLINE void look_ahead(const born_attn *a, const block *k, const block *next, int r)
{
    const born_attn_row *n = &next->row;
    int64_t i = n->i + r;

    fetch(&a->y, k->row.b, k->row.h, k->row.i + r, a->Dv);
    if (!next->on) return;
    fetch(&a->q, n->b, n->h, i, a->D);
    if (a->past || i >= a->T) return;
    fetch(&a->k, n->b, n->kh, i, a->D);
    fetch(&a->v, n->b, n->kh, i, a->Dv);
}

/* Masks the last panel, if `masked`; weights of the 16 rows over n keys, their tops and sums by law (b). false: some
   score is -inf. */
static APART bool block_weigh(pack *t, const block *k, int64_t n, bool masked, v16 *top, v16 *sum)
{
    const v16 none = v_set(-INFINITY);
    int64_t whole = (n - 1) / 16 * 16, to = whole + 16;
    const block next = next_block(t->a, k);
    v16 low = v_zero(), row[BLOCK];
    float most[BLOCK];

    for (int r = 0; r < BLOCK; r++) {
        float *p = t->score[r];
        m16 m = m_first(!masked ? 16 : k->stairs ? r + 1 : n - whole);
        v16 s = v_load(p + whole);
        row[r] = v_sel(m, s, none);
        low = v_minr(v_sel(m, s, v_zero()), low);
        v_store(p + whole, row[r]);
        for (int64_t j = 0; j < whole; j += 16) {
            s = v_load(p + j);
            row[r] = v_maxr(s, row[r]);
            low = v_minr(s, low);
        }
    }
    *top = rows_join(row, true);
    if (m_any(m_or(v_eq(low, none), v_eq(*top, none)))) return false;
    v_store(most, *top);
    for (int r = 0; r < BLOCK; r++) {
        look_ahead(t->a, k, &next, r);
        row[r] = row_exponents(t->score[r], 0, to, v_set(most[r]));
    }
    *sum = rows_join(row, false);
    return true;
}

/* Products of the weights with the values of n keys. */
static APART void block_values(pack *t, int64_t n, bool stairs)
{
    for (int64_t c = 0; c < t->wide; c += TILE_P * 16)
        for (int r = 0; r < BLOCK; r += TILE_R) {
            v16 acc[TILE_R][TILE_P];
            int64_t all = stairs ? n - 15 + r : n; /* keys that all rows see */
            const float *p = t->score[r], *v = t->value + c;
            tile_zero(acc);
            tile_chains(acc, TILE_P, (terms){ p, UNIT + 16, 1, v, 16, t->wide, all });
            p += all;
            v += all * t->wide;
            if (stairs)
                BORN_UNROLL
                for (int i = 1; i < TILE_R; i++)
                    tile_term(acc, TILE_P, i, p + i - 1, UNIT + 16, v + (i - 1) * t->wide, 16);
            tile_store(acc, TILE_P, t->product[r] + c, NARROW);
        }
}

/* Takes the products into the results: y * keep + product * take, once the block is done divided by the sums. */
static void block_end(const pack *t, const block *k, const float *keep, const float *take, bool last)
{
    const born_attn *a = t->a;
    const char *row = born__attn_at(&a->y, k->row.b, k->row.h, k->row.i);

    for (int r = 0; r < BLOCK; r++, row += a->y.t) {
        float *y = (float *)(void *)(uintptr_t)row;
        v16 by = v_set(k->sum[r]);
        for (int64_t c = 0; c < a->Dv; c += 16) {
            int64_t n = a->Dv - c < 16 ? a->Dv - c : 16;
            v16 v = v_load(t->product[r] + c);
            if (k->any) v = v_add(v_mul(v_load_n(y + c, n), v_set(keep[r])), v_mul(v, v_set(take[r])));
            v_store_n(y + c, last ? v_div(v, by) : v, n);
        }
    }
}

/* The block over the unit at `base`. */
static void block_unit(pack *t, block *k, int64_t base)
{
    const born_attn *a = t->a;
    bool last = k->hi - base <= UNIT, stairs = last && k->stairs;
    int64_t n = last ? k->hi - base : UNIT;
    const float *q = (const float *)(const void *)born__attn_at(&a->q, k->row.b, k->row.h, k->row.i);
    const score_job j = { q, (int64_t)(a->q.t / 4), t->panel, a->D, v_set(a->scale), t->score[0], UNIT + 16 };
    float keep[BLOCK], take[BLOCK];
    v16 top, sum;

    score_panels_of(&j, 0, (n + 15) / 16);
    k->on = block_weigh(t, k, n, last, &top, &sum);
    if (!k->on) return;
    if (k->any) {
        v16 was = v_load(k->m), m = v_maxr(was, top), to = exp_v16(v_sub(top, m)), of = exp_v16(v_sub(was, m));
        v_store(keep, of);
        v_store(take, to);
        sum = v_add(v_mul(v_load(k->sum), of), v_mul(sum, to));
        top = m;
    }
    v_store(k->m, top);
    v_store(k->sum, sum);
    block_values(t, n, stairs);
    block_end(t, k, keep, take, last);
    k->any = true;
}

/* `count` whole blocks of rows from row `first` on of [B, Hq, Tq], all over one key head. Bit i of the result: block i
   is done. */
static unsigned run_blocks(pack *t, const born_attn *a, int64_t first, int count)
{
    int64_t hi = 0;

    t->a = a;
    t->wide = (a->Dv + TILE_P * 16 - 1) / (TILE_P * 16) * (TILE_P * 16);
    for (int i = 0; i < count; i++) {
        block *k = &t->block[i];
        block_start(k, a, first + i * BLOCK);
        if (k->on && k->hi > hi) hi = k->hi;
    }
    if (!hi) return 0;
    t->b = t->block[0].row.b;
    t->kh = t->block[0].row.kh;
    for (int64_t base = 0; base < hi; base += UNIT) {
        pack_unit(t, base, hi - base < UNIT ? hi - base : UNIT);
        for (int i = 0; i < count; i++)
            if (t->block[i].on && base < t->block[i].hi) block_unit(t, &t->block[i], base);
    }
    unsigned done = 0;
    for (int i = 0; i < count; i++) done |= (unsigned)t->block[i].on << i;
    return done;
}
#endif

/* Matrix products on register tiles. A work item is a block of rows times a group of panels; for each 1,024 terms
   (where the law cuts chains) it runs over the tiles of its rows, so the group's part of B stays in the second cache
   while A streams past it. Results gather in a block on the stack, and a tile's rows get their epilogue and are written
   once, right after their last segment. Items are independent, so threads and block sizes change no bit. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/panel.h"
#include "cpu/gemm/tile.h"
#include "cpu/slots.h"

enum { HALF_LINE = 32 };        /* bytes that a tile fetches with each term */
enum { BLOCK_ROWS = BORN_TILE_M * 16, BLOCK_FLOATS = BLOCK_ROWS * BORN_TILE_N * BORN_PANEL };

_Static_assert((int)BLOCK_ROWS <= (int)BORN_GEMM_SLACK_ROWS, "scratch has room for one block more");

typedef struct gemm_job {
    const born_gemm *g;
    float *a_pack, *b_pack;         /* of the chunk's first batch; NULL: not packed */
    int64_t first_batch;
    int64_t panels, groups, blocks; /* per batch */
    int64_t block_rows;
    bool direct;                    /* the tile does the epilogue */
    bool by_rows;                   /* an item is a block, all groups for each tile's rows: results come row by row */
    bool own_a, own_b;              /* an item packs its block of A, or its group of B, where its thread works */
    born_slots slots;
} gemm_job;

/* What one item reads: packed A from row a_first of the batch on, packed B from panel b_first on; NULL: in place. */
typedef struct gemm_packs { const float *a, *b; int64_t a_first, b_first; } gemm_packs;

typedef struct gemm_at { const float *a, *b, *bias, *residual; float *out; } gemm_at;

static gemm_at batch_at(const born_gemm *g, int64_t batch)
{
    gemm_at p = { g->a, g->b, g->end.bias, g->end.residual, g->out };

    for (int d = g->batch_rank; d-- > 0;) {
        const born_gemm_dim *x = &g->dim[d];
        int64_t i = batch % x->n;
        batch /= x->n;
        p.a += i * x->a;
        p.b += i * x->b;
        p.out += i * x->out;
        if (g->end.has_bias) p.bias += i * x->bias;
        if (g->end.has_residual) p.residual += i * x->residual;
    }
    return p;
}

/* Moves p by i steps along x. */
static void move(const born_gemm *g, const born_gemm_dim *x, int64_t i, gemm_at *p)
{
    p->a += i * x->a;
    p->out += i * x->out;
    if (g->end.has_bias) p->bias += i * x->bias;
    if (g->end.has_residual) p->residual += i * x->residual;
}

/* Moves p, a batch's first row, to row `row`. */
static gemm_at row_at(const born_gemm *g, gemm_at p, int64_t row)
{
    for (int d = g->rank; d-- > g->batch_rank;) {
        const born_gemm_dim *x = &g->dim[d];
        bool more = d > g->batch_rank;
        move(g, x, more ? row % x->n : row, &p);
        if (more) row /= x->n;
    }
    return p;
}

/* Panels [*first, *last) of group i out of `groups`: sizes differ by one at most. */
static void group_at(const gemm_job *j, int64_t i, int64_t *first, int64_t *last)
{
    *first = i * j->panels / j->groups;
    *last = (i + 1) * j->panels / j->groups;
}

/* One tile over one segment of B read in place; the last, partial panel must not be read beyond the last row. */
static void tile_in_place(born_tile *t, const gemm_job *j, const float *b, int64_t n0, int64_t k0, int64_t kc)
{
    const born_gemm *g = j->g;
    born_run run = { 0, 0, kc };

    t->b = b + k0 * g->b_k + n0;
    t->b_panel = BORN_PANEL;
    t->b_step = g->b_k;
    t->run = &run;
    t->run_count = 1;
    if (n0 + (int64_t)t->np * BORN_PANEL <= g->n || k0 + kc < g->k) {
        BORN_K(tile_f32)(t);
        return;
    }
    float last[BORN_TILE_WIDE * BORN_PANEL] = { 0 }; /* row k - 1, with zeros behind */
    born_run one = { 0, 0, 1 };
    bool add = t->add;
    float *c[BORN_TILE_ROWS], chain[BORN_TILE_ROWS][BORN_TILE_WIDE * BORN_PANEL];
    memcpy(c, t->c, sizeof c);
    memcpy(last, b + (g->k - 1) * g->b_k + n0, (size_t)(g->n - n0) * sizeof *last);
    for (int r = 0; r < t->m; r++) t->c[r] = chain[r];
    run.n = kc - 1;
    t->add = false;
    BORN_K(tile_f32)(t);
    for (int r = 0; r < t->m; r++) t->a[r] += kc - 1;
    t->b = last;
    t->run = &one;
    t->chain = true;
    BORN_K(tile_f32)(t);
    for (int r = 0; r < t->m; r++)
        for (int p = 0; p < t->np * BORN_PANEL; p++) c[r][p] = add ? c[r][p] + chain[r][p] : chain[r][p];
}

/* Where the rows of one tile come from and go to. */
typedef struct tile_rows {
    const float *a[BORN_TILE_ROWS];
    born_finish f;
} tile_rows;

static void find_rows(const born_gemm *g, const gemm_packs *packs, gemm_at base, int64_t r0, int m, int64_t n0,
                      tile_rows *t)
{
    bool even = g->rank == g->batch_rank + 1;       /* rows are all equally far apart */
    gemm_at p = row_at(g, base, r0);

    for (int r = 0; r < m; r++) {
        if (r > 0 && even) move(g, &g->dim[g->batch_rank], 1, &p);
        else if (r > 0) p = row_at(g, base, r0 + r);
        t->a[r] = packs->a ? packs->a + (r0 + r - packs->a_first) * g->a_row : p.a;
        t->f.out[r] = p.out + n0 * g->end.out_col;
        if (g->end.has_bias) t->f.bias[r] = p.bias + n0 * g->end.bias_col;
        if (g->end.has_residual) t->f.residual[r] = p.residual + n0 * g->end.residual_col;
    }
}

/* What the tile at hand fetches for the rows from `row` on: their part of A with the first group, their part of the
   result, cut evenly, with the others. 0 where those are in a cache already or not dense. */
static uintptr_t fetch_at(const gemm_job *j, const gemm_packs *packs, gemm_at base, int64_t row, int64_t group)
{
    const born_gemm *g = j->g;
    const born_gemm_dim *x = &g->dim[g->batch_rank];

    if (g->rank != g->batch_rank + 1 || row >= g->rows || g->k > BORN_CHAIN) return 0;
    if (group == 0) return !packs->a && x->a == g->k ? (uintptr_t)(base.a + row * x->a) : 0;
    if (!j->by_rows || x->out != g->n || g->end.out_col != 1) return 0;
    return (uintptr_t)(base.out + row * x->out + (group - 1) * BORN_TILE_M * g->n / (j->groups - 1));
}

/* All but where the rows and the last panel are. */
static void set_finish(const born_gemm *g, born_finish *f)
{
    f->scales = NULL;
    f->has_bias = g->end.has_bias;
    f->has_residual = g->end.has_residual;
    f->relu = g->end.activation != 0;
    f->bias_one = g->end.bias_col == 0;
    f->bias_shared = true;
    for (int d = g->batch_rank; d < g->rank; d++) f->bias_shared = f->bias_shared && g->dim[d].bias == 0;
}

static void move_columns(const born_gemm *g, born_finish *f, int rows, int columns)
{
    for (int r = 0; r < rows; r++) f->out[r] += columns;
    for (int r = 0; f->has_bias && !f->bias_one && r < rows; r++) f->bias[r] += columns;
    for (int r = 0; f->has_residual && r < rows; r++) f->residual[r] += columns * g->end.residual_col;
}

/* Rows [m0, m1), all groups for each tile's rows, whose addresses are found once; of one segment, straight to the
   result, with B packed or of whole panels. */
static void rows_run(const gemm_job *j, const gemm_packs *packs, int64_t batch, int64_t m0, int64_t m1)
{
    const born_gemm *g = j->g;
    const born_run run = { 0, 0, g->k };
    gemm_at base = batch_at(g, batch);
    tile_rows rows;
    born_tile t = { .run = &run, .run_count = 1, .a_step = 1, .fetch_step = HALF_LINE, .finish = &rows.f,
                    .b_panel = packs->b ? g->k * BORN_PANEL : BORN_PANEL, .b_step = packs->b ? BORN_PANEL : g->b_k };
    int64_t panel_step = packs->b ? g->k * BORN_PANEL : BORN_PANEL;

    set_finish(g, &rows.f);
    for (int64_t r0 = m0; r0 < m1; r0 += t.m) {
        t.m = (int)(m1 - r0 < BORN_TILE_M ? m1 - r0 : BORN_TILE_M);
        find_rows(g, packs, base, r0, t.m, 0, &rows);
        memcpy(t.a, rows.a, sizeof t.a);
        for (int64_t i = 0; i < j->groups; i++) {
            int64_t p0, p1;
            if (i > 0) move_columns(g, &rows.f, t.m, t.np * BORN_PANEL);
            group_at(j, i, &p0, &p1);
            t.np = (int)(p1 - p0);
            t.b = (packs->b ? packs->b : base.b) + p0 * panel_step;
            t.fetch = fetch_at(j, packs, base, r0 + t.m, i);
            rows.f.last = (int)(p1 * BORN_PANEL > g->n ? g->n - (p1 - 1) * BORN_PANEL : BORN_PANEL);
            BORN_K(tile_f32)(&t);
        }
    }
}

static void block_run(const gemm_job *j, const gemm_packs *packs, int64_t batch, int64_t group, int64_t m0, int64_t m1)
{
    const born_gemm *g = j->g;
    _Alignas(64) float buf[BLOCK_FLOATS];
    int64_t p0, p1, tiles = (m1 - m0 + BORN_TILE_M - 1) / BORN_TILE_M;
    gemm_at base = batch_at(g, batch);
    group_at(j, group, &p0, &p1);
    int64_t width = (p1 - p0) * BORN_PANEL, n0 = p0 * BORN_PANEL, columns = g->n - n0 < width ? g->n - n0 : width;
    tile_rows rows;

    set_finish(g, &rows.f);
    rows.f.last = (int)(columns - (p1 - p0 - 1) * BORN_PANEL);
    for (int64_t k0 = 0; k0 < g->k; k0 += BORN_CHAIN) {
        int64_t kc = g->k - k0 < BORN_CHAIN ? g->k - k0 : BORN_CHAIN;
        bool last = k0 + kc == g->k, direct = last && j->direct && (packs->b || columns == width);
        for (int64_t i = 0; i < tiles; i++) {
            int64_t r0 = m0 + i * (m1 - m0) / tiles, r1 = m0 + (i + 1) * (m1 - m0) / tiles;
            born_run run = { 0, 0, kc };
            born_tile t;
            t.m = (int)(r1 - r0);
            t.np = (int)(p1 - p0);
            t.add = k0 > 0;
            t.chain = false;
            t.run = &run;
            t.run_count = 1;
            t.a_step = 1;
            t.fetch_step = HALF_LINE;
            t.fetch = fetch_at(j, packs, base, r1, group);
            t.finish = direct ? &rows.f : NULL;
            find_rows(g, packs, base, r0, t.m, n0, &rows);
            for (int r = 0; r < t.m; r++) {
                t.a[r] = rows.a[r] + k0;
                t.c[r] = buf + (r0 - m0 + r) * width;
            }
            if (packs->b) {
                t.b = packs->b + ((p0 - packs->b_first) * g->k + k0) * BORN_PANEL;
                t.b_panel = g->k * BORN_PANEL;
                t.b_step = BORN_PANEL;
                BORN_K(tile_f32)(&t);
            } else {
                tile_in_place(&t, j, base.b, n0, k0, kc);
            }
            if (last && !direct)
                BORN_K(epilogue_f32)(&g->end, buf + (r0 - m0) * width, width, t.m, n0, columns, rows.f.out, rows.f.bias,
                                     rows.f.residual);
        }
    }
}

/* Panels [first, last) of a b whose terms are neighbours, by turning 16 x 16 blocks; dst: of panel `first`. */
static void pack_turned(const born_gemm *g, const float *b, int64_t first, int64_t last, float *dst)
{
    for (int64_t p = first; p < last; p++) {
        const float *from = b + p * BORN_PANEL * g->b_n;
        float *to = dst + (p - first) * g->k * BORN_PANEL;
        int columns = (int)(g->n - p * BORN_PANEL < BORN_PANEL ? g->n - p * BORN_PANEL : BORN_PANEL);
        for (int64_t k = 0; k < g->k; k += BORN_PANEL) {
            v16 v[BORN_PANEL];
            int64_t n = g->k - k < BORN_PANEL ? g->k - k : BORN_PANEL;
            for (int i = 0; i < BORN_PANEL; i++)
                v[i] = i >= columns ? v_zero() : n == BORN_PANEL ? v_load(from + i * g->b_n + k)
                                                                 : v_load_n(from + i * g->b_n + k, n);
            v_transpose(v);
            for (int i = 0; i < n; i++) v_store(to + (k + i) * BORN_PANEL, v[i]);
        }
    }
}

static void pack_panels(const born_gemm *g, const float *b, int64_t first, int64_t last, float *dst)
{
    if (g->b_k == 1 && g->b_n != 1) pack_turned(g, b, first, last, dst);
    else born__panel_pack(b + first * BORN_PANEL * g->b_n, g->k, g->n - first * BORN_PANEL, g->b_k, g->b_n, 0,
                          last - first, dst);
}

static void pack_b_items(void *ctx, int64_t begin, int64_t end)
{
    const gemm_job *j = ctx;
    const born_gemm *g = j->g;

    for (int64_t i = begin; i < end;) {
        int64_t batch = i / j->panels, first = i % j->panels, last = first + (end - i);
        if (last > j->panels) last = j->panels;
        pack_panels(g, batch_at(g, j->first_batch + batch).b, first, last,
                    j->b_pack + batch * (int64_t)g->b_floats + first * g->k * BORN_PANEL);
        i += last - first;
    }
}

/* Up to 16 rows of A, terms at distance a_k, to dst: where rows are neighbours, by turning 16 x 16 blocks. */
static void pack_a_rows(const born_gemm *g, gemm_at base, int64_t r0, int64_t r1, float *dst)
{
    int64_t k = 0;
    const float *row[BORN_PANEL] = { NULL };
    bool turn = r1 - r0 == BORN_PANEL;

    for (int64_t r = r0; r < r1; r++) {
        row[r - r0] = row_at(g, base, r).a;
        if (row[r - r0] != row[0] + (r - r0)) turn = false;
    }
    for (; turn && k + BORN_PANEL <= g->k; k += BORN_PANEL) {
        v16 v[BORN_PANEL];
        for (int i = 0; i < BORN_PANEL; i++) v[i] = v_load(row[0] + (k + i) * g->a_k);
        v_transpose(v);
        for (int i = 0; i < BORN_PANEL; i++) v_store(dst + i * g->a_row + k, v[i]);
    }
    for (int64_t r = r0; r < r1; r++)
        for (int64_t i = k; i < g->k; i++) dst[(r - r0) * g->a_row + i] = row[r - r0][i * g->a_k];
}

static void pack_a_items(void *ctx, int64_t begin, int64_t end)
{
    const gemm_job *j = ctx;
    const born_gemm *g = j->g;
    int64_t strips = (g->rows + BORN_PANEL - 1) / BORN_PANEL;

    for (int64_t i = begin; i < end; i++) {
        int64_t batch = i / strips, r0 = i % strips * BORN_PANEL,
                r1 = r0 + BORN_PANEL < g->rows ? r0 + BORN_PANEL : g->rows;
        pack_a_rows(g, batch_at(g, j->first_batch + batch), r0, r1,
                    j->a_pack + batch * (int64_t)g->a_floats + r0 * g->a_row);
    }
}

static void pack_own_a(const gemm_job *j, int64_t batch, int64_t m0, int64_t m1, int slot, gemm_packs *packs)
{
    const born_gemm *g = j->g;
    float *to = j->a_pack + slot * j->block_rows * g->a_row;

    for (int64_t r = m0; r < m1; r += BORN_PANEL)
        pack_a_rows(g, batch_at(g, batch), r, r + BORN_PANEL < m1 ? r + BORN_PANEL : m1, to + (r - m0) * g->a_row);
    packs->a = to;
    packs->a_first = m0;
}

static void pack_own_b(const gemm_job *j, int64_t batch, int64_t group, int slot, gemm_packs *packs)
{
    const born_gemm *g = j->g;
    int64_t first, last, most = (j->panels + j->groups - 1) / j->groups;
    float *to = j->b_pack + slot * most * g->k * BORN_PANEL;

    group_at(j, group, &first, &last);
    pack_panels(g, batch_at(g, batch).b, first, last, to);
    packs->b = to;
    packs->b_first = first;
}

static int64_t items_per_block(const gemm_job *j) { return j->own_a || j->by_rows ? 1 : j->groups; }

/* Items: batch, then block of rows, then group of panels: the block of A stays in the second cache while B streams
   through once per block. Where an item packs its own block of A, or goes by rows, it is a whole block. */
static void run_item(const gemm_job *j, int64_t item, int slot)
{
    const born_gemm *g = j->g;
    int64_t per = items_per_block(j), block = item / per % j->blocks, batch = item / per / j->blocks;
    int64_t m0 = block * j->block_rows, m1 = m0 + j->block_rows < g->rows ? m0 + j->block_rows : g->rows;
    int64_t first = per > 1 ? item % per : 0, last = per > 1 ? first + 1 : j->groups;
    int64_t step = j->by_rows ? BORN_TILE_M : m1 - m0;
    gemm_packs packs = { g->pack_a ? j->a_pack + batch * (int64_t)g->a_floats : NULL, g->panels, 0, 0 };

    if (!g->panels && !g->in_place_b) packs.b = j->b_pack + batch * (int64_t)g->b_floats;
    batch += j->first_batch;
    if (j->own_a) pack_own_a(j, batch, m0, m1, slot, &packs);
    if (j->own_b) pack_own_b(j, batch, first, slot, &packs);
    if (j->by_rows && j->direct && (packs.b || g->n % BORN_PANEL == 0)) {
        rows_run(j, &packs, batch, m0, m1);
        return;
    }
    for (int64_t r = m0; r < m1; r += step)
        for (int64_t k = first; k < last; k++) block_run(j, &packs, batch, k, r, r + step < m1 ? r + step : m1);
}

static void run_items(void *ctx, int64_t begin, int64_t end)
{
    gemm_job *j = ctx;
    int slot = j->own_a || j->own_b ? born__slot_take(&j->slots) : -1;

    for (int64_t i = begin; i < end; i++) run_item(j, i, slot);
    if (slot >= 0) born__slot_give(&j->slots, slot);
}

/* Cuts each batch into blocks of rows times groups of panels: as many rows as a block holds, fewer where the pool's
   threads would have too few items to share evenly. A large operand that only one item would read is packed by that
   item, block by block, where it stays in the second cache; there are then at most BORN_SLOTS ranges of items. A large
   result of short chains, which lies in no cache, is written row by row. */
static void cut(gemm_job *j, int64_t batches, int threads)
{
    enum { LARGE = BORN_GEMM_LARGE, BLOCK_MOST = 1 << 16, SHORT = 512 };    /* floats of a packed block; terms */
    _Static_assert((int)SHORT <= (int)BORN_CHAIN, "rows_run knows one segment");
    const born_gemm *g = j->g;
    int64_t wide = BORN_K(tilewidth_f32)((int)(g->rows < BORN_TILE_M ? g->rows : BORN_TILE_M));
    bool packs_b = !g->panels && !g->in_place_b;

    j->groups = (j->panels + wide - 1) / wide;
    j->blocks = (g->rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
    int64_t enough = threads > 1 ? 4 * (int64_t)threads : 1, tiles = (g->rows + BORN_TILE_M - 1) / BORN_TILE_M;
    j->own_a = g->pack_a && batches == 1 && g->rows * g->k >= LARGE && g->rows > g->n && tiles >= enough;
    j->by_rows = !j->own_a && g->k <= SHORT && j->groups > 1 && g->rows * g->n >= LARGE && tiles >= enough;
    int64_t per = items_per_block(j);
    if (j->own_a && g->rows * g->a_row / BLOCK_MOST > enough) enough = g->rows * g->a_row / BLOCK_MOST;
    if (j->blocks * per * batches < enough) j->blocks = (enough - 1) / (per * batches) + 1;
    if (j->blocks > tiles) j->blocks = tiles;
    int64_t per_block = (g->rows + j->blocks - 1) / j->blocks;
    j->block_rows = (per_block + BORN_TILE_M - 1) / BORN_TILE_M * BORN_TILE_M;
    j->blocks = (g->rows + j->block_rows - 1) / j->block_rows;
    j->own_b = packs_b && !j->own_a && !j->by_rows && batches == 1 && j->blocks == 1 && g->n * g->k >= LARGE;
}

static void gemm_run(const born_gemm *g, const born_exec *x)
{
    enum { SMALL = 1 << 15, FLOATS = 1 << 13 };     /* not worth waking a thread for: products, numbers to pack */
    gemm_job j = { .g = g, .panels = (g->n + BORN_PANEL - 1) / BORN_PANEL, .direct = born__epilogue_direct(&g->end) };
    int64_t wide = BORN_K(tilewidth_f32)((int)(g->rows < BORN_TILE_M ? g->rows : BORN_TILE_M));
    int64_t strip = 1 + FLOATS / (g->k * BORN_PANEL);

    if (g->deep) {
        BORN_K(gemm_deep_f32)(g, x);
        return;
    }
    cut(&j, g->chunk, g->rows * g->n * g->k > 4 * SMALL ? born__pool_threads(x->pool) : 1);
    j.a_pack = x->scratch;
    j.b_pack = j.a_pack; /* NULL where nothing is packed */
    if (g->pack_a) j.b_pack += g->chunk * (int64_t)g->a_floats;
    for (int64_t first = 0; first < g->batches; first += g->chunk) {
        int64_t count = g->batches - first < g->chunk ? g->batches - first : g->chunk;
        int64_t work = count * items_per_block(&j) * j.blocks;
        j.first_batch = first;
        if (g->pack_a && !j.own_a)
            born__exec_for(x, count * ((g->rows + BORN_PANEL - 1) / BORN_PANEL), strip, pack_a_items, &j);
        if (!g->panels && !g->in_place_b && !j.own_b) born__exec_for(x, count * j.panels, strip, pack_b_items, &j);
        int64_t flops = g->k * wide * BORN_PANEL * (g->rows < j.block_rows ? g->rows : j.block_rows);
        int64_t grain = flops >= SMALL ? 1 : SMALL / flops + 1, least = (work - 1) / BORN_SLOTS + 1;
        born__exec_for(x, work, (j.own_a || j.own_b) && least > grain ? least : grain, run_items, &j);
    }
}

born_status BORN_K(matmul_f32)(born_call *c, const born_exec *x)
{
    born_gemm g;

    if (born__gemm_of_matmul(c, &g)) gemm_run(&g, x);
    return BORN_OK;
}

born_status BORN_K(gemm_f32)(born_call *c, const born_exec *x)
{
    born_gemm g;

    if (born__gemm_of_gemm(c, &g)) gemm_run(&g, x);
    return BORN_OK;
}

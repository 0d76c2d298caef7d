/* Products of few results over many terms where both operands lie by terms, as the gradient of a weight does: rows of
   A are neighbours, so are columns of B. Nothing is packed. An item is a rectangle of results small enough that 256
   terms of its operands stay in the second cache; it goes over the terms in such steps, and while it works on one the
   tiles fetch the next, a column of lines each. Chains go on in the result; those of later segments (the law cuts at
   1,024 terms) run in a second array of its size and are added to it. */
#include "cpu/simd/simd.h"

#include <stddef.h>

#include "cpu/gemm/gemm.h"
#include "cpu/gemm/tile.h"

enum { TERMS = 256, SIDES = 256 };      /* terms of a step; rows and columns of an item together */

_Static_assert(BORN_CHAIN % TERMS == 0, "chains are cut between steps");

typedef struct deep_job {
    const born_gemm *g;
    float *part;                        /* [rows, n]; NULL: one segment */
    int64_t rows, panels;               /* of an item */
    int64_t across;                     /* items along the columns */
} deep_job;

typedef struct rect { int64_t m0, m1, n0, n1; } rect;

/* Lines of A, then of B, in a step of an item: where line i starts with the terms from k on. 0: there is none. */
static uintptr_t line_at(const born_gemm *g, rect r, int64_t i, int64_t k, int64_t *step)
{
    int64_t a_lines = (r.m1 - r.m0 + BORN_PANEL - 1) / BORN_PANEL, b_lines = (r.n1 - r.n0) / BORN_PANEL;

    if (k >= g->k || i >= a_lines + b_lines) return 0;
    *step = (i < a_lines ? g->a_k : g->b_k) * (int64_t)sizeof(float);
    return i < a_lines ? (uintptr_t)(g->a + k * g->a_k + r.m0 + i * BORN_PANEL)
                       : (uintptr_t)(g->b + k * g->b_k + r.n0 + (i - a_lines) * BORN_PANEL);
}

/* Results of `to`, rows `row` floats apart, go on over terms [k0, k1). */
static void run_step(const born_gemm *g, rect r, int64_t k0, int64_t k1, float *to, int64_t row)
{
    const born_run run = { 0, 0, k1 - k0 };
    int64_t panels = (r.n1 - r.n0) / BORN_PANEL, groups = (panels + BORN_TILE_N - 1) / BORN_TILE_N, line = 0;
    born_tile t = { .a_step = g->a_k, .b_panel = BORN_PANEL, .b_step = g->b_k, .run = &run, .run_count = 1,
                    .chain = k0 % BORN_CHAIN != 0 };

    for (int64_t i = 0; i < groups; i++) {
        int64_t p0 = i * panels / groups, p1 = (i + 1) * panels / groups, n = r.n0 + p0 * BORN_PANEL;
        t.np = (int)(p1 - p0);
        t.b = g->b + k0 * g->b_k + n;
        for (int64_t m = r.m0; m < r.m1; m += t.m) {
            t.m = (int)(r.m1 - m < BORN_TILE_M ? r.m1 - m : BORN_TILE_M);
            for (int k = 0; k < t.m; k++) {
                t.a[k] = g->a + k0 * g->a_k + m + k;
                t.c[k] = to + (m + k) * row + n;
            }
            t.fetch = line_at(g, r, line++, k1, &t.fetch_step);
            BORN_K(tile_f32)(&t);
        }
    }
}

static void add_part(const deep_job *j, rect r)
{
    const born_gemm *g = j->g;

    for (int64_t m = r.m0; m < r.m1; m++) {
        float *to = g->out + m * g->dim[0].out;
        const float *from = j->part + m * g->n;
        for (int64_t n = r.n0; n < r.n1; n += BORN_PANEL) v_store(to + n, v_add(v_load(to + n), v_load(from + n)));
    }
}

static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const deep_job *j = ctx;
    const born_gemm *g = j->g;

    for (int64_t i = begin; i < end; i++) {
        rect r = { i / j->across * j->rows, 0, i % j->across * j->panels * BORN_PANEL, 0 };
        r.m1 = r.m0 + j->rows < g->rows ? r.m0 + j->rows : g->rows;
        r.n1 = r.n0 + j->panels * BORN_PANEL < g->n ? r.n0 + j->panels * BORN_PANEL : g->n;
        for (int64_t k0 = 0; k0 < g->k; k0 += TERMS) {
            int64_t k1 = k0 + TERMS < g->k ? k0 + TERMS : g->k;
            bool later = k0 >= BORN_CHAIN;
            run_step(g, r, k0, k1, later ? j->part : g->out, later ? g->n : g->dim[0].out);
            if (later && (k1 % BORN_CHAIN == 0 || k1 == g->k)) add_part(j, r);
        }
    }
}

/* Cuts the longer side until an item is small enough and the threads share evenly, or there are many for each. */
void BORN_K(gemm_deep_f32)(const born_gemm *g, const born_exec *x)
{
    deep_job j = { .g = g, .part = g->k > BORN_CHAIN ? x->scratch : NULL };
    int64_t panels = g->n / BORN_PANEL, strips = (g->rows + BORN_PANEL - 1) / BORN_PANEL, down = 1, items = 1;
    int64_t threads = born__pool_threads(x->pool), tall, wide;

    j.across = 1;
    for (;;) {
        tall = (strips + down - 1) / down;
        wide = (panels + j.across - 1) / j.across;
        items = ((strips + tall - 1) / tall) * ((panels + wide - 1) / wide);
        bool fits = (tall + wide) * BORN_PANEL <= SIDES, even = items % threads == 0 || items >= 8 * threads;
        if ((fits && even) || (tall == 1 && wide == 1)) break;
        if (tall >= wide) down++;
        else j.across++;
    }
    j.rows = tall * BORN_PANEL;
    j.panels = wide;
    j.across = (panels + wide - 1) / wide;
    born__exec_for(x, items, 1, run_items, &j);
}

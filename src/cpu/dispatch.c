/* Chooses kernels: the rows of kernels.def, per op and dtype, best level first, under the mask. The index is made once
   and the levels are resolved when it is made and when the mask changes; picking is a walk over the few groups of one
   op. */
#include "cpu/kernel.h"

#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "cpu/kernels/formula.h"
#include "cpu/levels.h"
#include "cpu/queries.h"

#define PROTOTYPE(level, LEVEL, fn, dt) born_status born_k_##fn##_##dt##_##level(born_call *c, const born_exec *x);
#define KERNEL(ID, name, DT, dt, fn, query, pack) BORN_LEVELS(PROTOTYPE, fn, dt)
#define KERNEL_DOT(ID, name, DT, dt, fn, query, pack) BORN_LEVELS_DOT(PROTOTYPE, fn, dt)
#define KERNEL_LANES(ID, name, DT, dt, fn, query, pack) BORN_LEVELS_LANES(PROTOTYPE, fn, dt)
#include "cpu/kernels.def"
#undef KERNEL
#undef KERNEL_DOT
#undef KERNEL_LANES

#define ROW(level, LEVEL, ID, name, DT, dt, fn, query, pack)                                                          \
    { #name "_" #dt, BORN_OP_##ID, BORN_##DT, BORN_LEVEL_##LEVEL, query, born_k_##fn##_##dt##_##level, pack },
#define KERNEL(ID, name, DT, dt, fn, query, pack) BORN_LEVELS(ROW, ID, name, DT, dt, fn, query, pack)
#define KERNEL_DOT(ID, name, DT, dt, fn, query, pack) BORN_LEVELS_DOT(ROW, ID, name, DT, dt, fn, query, pack)
#define KERNEL_LANES(ID, name, DT, dt, fn, query, pack) BORN_LEVELS_LANES(ROW, ID, name, DT, dt, fn, query, pack)
static const born_kernel rows[] = {
#include "cpu/kernels.def"
};
#undef KERNEL
#undef KERNEL_DOT
#undef KERNEL_LANES

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

/* Neighbouring rows that differ in level only. `best` is the one to use under the mask, NULL where there is none. */
typedef struct group {
    const born_kernel *first, *end;
    const born_kernel *_Atomic best;
} group;

static _Atomic uint32_t mask = UINT32_MAX;          /* levels that may be used */
static _Atomic uint32_t have;                       /* levels of this CPU; 0: not asked yet */
static _Atomic int indexed;                         /* 0 not yet, 1 being made, 2 ready */
static group groups[ROW_COUNT];
static int group_count;
static uint16_t first_of[BORN_OP_COUNT + 1];        /* groups of op o: from first_of[o] to first_of[o + 1] */

const born_kernel *born__kernel_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
}

static void resolve(uint32_t levels)
{
    for (group *g = groups; g < groups + group_count; g++) {
        const born_kernel *best = NULL;
        for (const born_kernel *r = g->first; r < g->end; r++)
            if ((levels >> r->level & 1u) && (!best || r->level > best->level)) best = r;
        atomic_store_explicit(&g->best, best, memory_order_relaxed);
    }
}

static bool same_group(const born_kernel *a, const born_kernel *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->query == b->query;
}

/* Rows of an op are neighbours, but ops come in the order of kernels.def: so groups are made op by op. */
static void make_groups(void)
{
    const born_kernel *row_of[BORN_OP_COUNT] = { NULL };

    for (int i = ROW_COUNT; i-- > 0;) row_of[rows[i].op] = &rows[i];
    for (int op = 0; op < BORN_OP_COUNT; op++) {
        first_of[op] = (uint16_t)group_count;
        for (const born_kernel *r = row_of[op]; r && r < rows + ROW_COUNT && r->op == op;) {
            group *g = &groups[group_count++];
            for (g->first = r; r < rows + ROW_COUNT && same_group(r, g->first);) r++;
            g->end = r;
        }
    }
    first_of[BORN_OP_COUNT] = (uint16_t)group_count;
}

static void make_index(void)
{
    int expected = 0;

    if (atomic_compare_exchange_strong(&indexed, &expected, 1)) {
        make_groups();
        atomic_store(&have, born__cpu_levels());
        resolve(atomic_load(&have) & atomic_load(&mask));
        atomic_store(&indexed, 2);
        return;
    }
    while (atomic_load(&indexed) != 2) {} /* another thread is at it: microseconds */
}

uint32_t born__cpu_levels_in_use(void)
{
    if (atomic_load(&indexed) != 2) make_index();
    return atomic_load(&have) & atomic_load(&mask);
}

born_status born__cpu_mask(const char *name, born_error *err)
{
    static const struct { const char *name; uint32_t levels; } known[] = {
        { "scalar", 1u << BORN_LEVEL_SCALAR },
        { "avx2", 1u << BORN_LEVEL_SCALAR | 1u << BORN_LEVEL_AVX2 },
        { "avx512f", 1u << BORN_LEVEL_SCALAR | 1u << BORN_LEVEL_AVX2 | 1u << BORN_LEVEL_AVX512 },
        { "avx512", 1u << BORN_LEVEL_SCALAR | 1u << BORN_LEVEL_AVX2 | 1u << BORN_LEVEL_AVX512 |
                        1u << BORN_LEVEL_AVX512VNNI },
        { "neon", 1u << BORN_LEVEL_SCALAR | 1u << BORN_LEVEL_NEON },
    };

    uint32_t levels = name ? 0 : UINT32_MAX;

    for (size_t i = 0; name && i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(name, known[i].name)) levels = known[i].levels;
    BORN_FAIL_IF(!levels, err, BORN_INVALID, "cpu: no level '%s' (scalar, avx2, avx512, neon)", name);
    atomic_store(&mask, levels);
    resolve(born__cpu_levels_in_use());
    return BORN_OK;
}

const born_kernel *born__kernel_pick(const born_call *c, born_query *q)
{
    uint16_t op = c->op->id;

    if (atomic_load_explicit(&indexed, memory_order_acquire) != 2) make_index();
    if (op >= BORN_OP_COUNT || c->in_count < 1) return NULL;
    for (const group *g = groups + first_of[op], *end = groups + first_of[op + 1]; g < end; g++) {
        const born_kernel *best = atomic_load_explicit(&g->best, memory_order_relaxed);
        if (!best || best->dtype != c->in[0].dtype) continue;
        born__query_reset(q);
        if (best->query && !best->query(c, q)) continue;
        q->kernel = best;
        return best;
    }
    return NULL;
}

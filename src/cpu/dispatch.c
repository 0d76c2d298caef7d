/* Chooses kernels: the rows of kernels.def, per op and dtype, best level first, under the mask. The index is made once;
   picking is a walk over the few rows of one op. */
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
#include "cpu/kernels.def"
#undef KERNEL
#undef KERNEL_DOT

#define ROW(level, LEVEL, ID, name, DT, dt, fn, query, pack)                                                          \
    { #name "_" #dt, BORN_OP_##ID, BORN_##DT, BORN_LEVEL_##LEVEL, query, born_k_##fn##_##dt##_##level, pack },
#define KERNEL(ID, name, DT, dt, fn, query, pack) BORN_LEVELS(ROW, ID, name, DT, dt, fn, query, pack)
#define KERNEL_DOT(ID, name, DT, dt, fn, query, pack) BORN_LEVELS_DOT(ROW, ID, name, DT, dt, fn, query, pack)
static const born_kernel rows[] = {
#include "cpu/kernels.def"
};
#undef KERNEL
#undef KERNEL_DOT

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

static _Atomic uint32_t mask = UINT32_MAX;          /* levels that may be used */
static _Atomic uint32_t have;                       /* levels of this CPU; 0: not asked yet */
static _Atomic int indexed;                         /* 0 not yet, 1 being made, 2 ready */
static uint16_t first_of[BORN_OP_COUNT];            /* 1 + the first row of an op; rows of an op are neighbours */

const born_kernel *born__kernel_rows(size_t *count)
{
    *count = ROW_COUNT;
    return rows;
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

    if (!name) {
        atomic_store(&mask, UINT32_MAX);
        return BORN_OK;
    }
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (!strcmp(name, known[i].name)) {
            atomic_store(&mask, known[i].levels);
            return BORN_OK;
        }
    return born__fail(err, BORN_INVALID, "cpu: no level '%s' (scalar, avx2, avx512, neon)", name);
}

static void make_index(void)
{
    int expected = 0;

    if (atomic_compare_exchange_strong(&indexed, &expected, 1)) {
        for (int i = ROW_COUNT; i-- > 0;) first_of[rows[i].op] = (uint16_t)(i + 1);
        atomic_store(&have, born__cpu_levels());
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

static const born_kernel *best_of(const born_kernel *k, const born_kernel *end, uint32_t levels)
{
    const born_kernel *best = NULL;

    for (const born_kernel *r = k; r < end && r->op == k->op && r->dtype == k->dtype && r->query == k->query; r++)
        if ((levels >> r->level & 1u) && (!best || r->level > best->level)) best = r;
    return best;
}

const born_kernel *born__kernel_pick(const born_call *c, born_query *q)
{
    uint32_t levels = born__cpu_levels_in_use();
    uint16_t op = c->op->id;
    if (op >= BORN_OP_COUNT || !first_of[op] || c->in_count < 1) return NULL;
    const born_kernel *k = &rows[first_of[op] - 1], *end = rows + ROW_COUNT;
    while (k < end && k->op == op) {
        const born_kernel *best = k->dtype == c->in[0].dtype ? best_of(k, end, levels) : NULL;
        born_query asked = { .supported = true, .pack_operand = -1 };
        if (best && (!best->query || best->query(c, &asked))) {
            asked.kernel = best;
            *q = asked;
            return best;
        }
        for (const born_kernel *group = k;
             k < end && k->op == op && k->query == group->query && k->dtype == group->dtype;)
            k++;
    }
    return NULL;
}

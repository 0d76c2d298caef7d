/* The CPU leaf's kernels: what a row of kernels.def makes, and how one is chosen. A fast kernel equals the reference
   of its op bit for bit, or its query says no. */
#ifndef BORN_CPU_KERNEL_H
#define BORN_CPU_KERNEL_H
#include "waist/op.h"

/* ISA levels, worst first; each falls back to the one before it that the row table has. */
typedef enum born_level {
    BORN_LEVEL_SCALAR,
    BORN_LEVEL_AVX2,        /* avx2 fma f16c */
    BORN_LEVEL_AVX512,      /* f bw dq vl */
    BORN_LEVEL_AVX512VNNI,
    BORN_LEVEL_NEON,
    BORN_LEVEL_COUNT
} born_level;
uint32_t born__cpu_levels(void);                            /* bit per level this CPU has */
uint32_t born__cpu_levels_in_use(void);                     /* the same under the mask */
/* "scalar", "avx2", "avx512f" (without VNNI), "avx512", "neon": caps what is used from now on, for new leaves; NULL: no
   cap. INVALID otherwise.
   */
born_status born__cpu_mask(const char *name, born_error *err);

typedef struct born_kernel {
    const char *name;               /* "matmul_f32" */
    uint16_t op;
    born_dtype dtype;               /* of operand 0 */
    born_level level;
    /* Fills q (zeroed, supported = true, pack_operand = -1 before); false: this call is not for this kernel. Depends on
       dtypes, sizes, strides and attributes only, never on data, threads or level. NULL: takes any dense call. */
    bool (*query)(const born_call *c, born_query *q);
    born_kernel_fn run;             /* reads c->packed where it asked for packing and got it */
    /* Writes q.pack_bytes to dst from operand q.pack_operand, which may lie at any address. */
    void (*pack)(const born_call *c, void *dst);
} born_kernel;

/* What a query starts from. Field by field: it is on the road of every eager call, and `why` need not be cleared. */
static inline void born__query_reset(born_query *q)
{
    q->supported = true;
    q->kernel = NULL;
    q->scratch_bytes = q->pack_bytes = 0;
    q->pack_operand = -1;
    q->pack_form = q->in_place = 0;
    q->why[0] = '\0';
}

/* The best kernel for the call under the mask, or NULL: then op->ref runs, and what q holds means nothing. */
const born_kernel *born__kernel_pick(const born_call *c, born_query *q);
/* All rows compiled in, for tests and benchmarks. */
const born_kernel *born__kernel_rows(size_t *count);
#endif

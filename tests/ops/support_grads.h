/* Finite differences of whole calls in f64, of first and second order, for tests of gradients of network ops. The
   function is L = sum over results of sum(result * seed); its derivatives are taken with respect to the float operands
   and the seeds, and again those of S = sum over operands of sum(gradient * weight). Each is compared along random
   directions with central differences. Operands lie dense, channels-last or with gaps, by chance. */
#ifndef BORN_TESTS_SUPPORT_GRADS_H
#define BORN_TESTS_SUPPORT_GRADS_H
#include "support_tape.h"

enum { GRADS_OPERANDS = 7, GRADS_RANK = 5, GRADS_MOST = 1024 };
typedef enum grads_kind { GRADS_X, GRADS_FIXED, GRADS_INTS, GRADS_NONE } grads_kind;

/* X: drawn from [lo, hi), away from ties; FIXED: the same, no gradient is asked for (a float operand that has none);
   INTS: the i64 numbers v; NONE: absent. v also gives the values of an X or FIXED where it is not NULL. */
typedef struct grads_operand {
    grads_kind kind;
    int rank;
    int64_t dim[GRADS_RANK];
    double lo, hi;
    const double *v;
} grads_operand;

typedef struct grads_case {
    born_op_id op;
    const void *attrs;
    int operands, outs;
    grads_operand in[GRADS_OPERANDS];
    bool first_only;            /* where a second derivative is refused */
} grads_case;

/* Shorthands for operands. */
#define GRANK(...) (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))
#define GX(...) { GRADS_X, GRANK(__VA_ARGS__), { __VA_ARGS__ }, -2, 2, NULL }
#define GPOS(...) { GRADS_X, GRANK(__VA_ARGS__), { __VA_ARGS__ }, 0.5, 2, NULL }
#define GINTS(n, values) { GRADS_INTS, 1, { n }, 0, 0, values }
#define GNONE { GRADS_NONE, 0, { 0 }, 0, 0, NULL }

/* CHECKs the case, several times with other layouts and values. */
void grads_check(const grads_case *k, uint64_t seed);
#endif

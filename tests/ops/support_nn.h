/* What the tests of network ops share: a call run in every way that must not matter (dense and strided operands, one
   thread and three), and comparison with a plain f64 formula. */
#ifndef BORN_TESTS_OPS_NN_H
#define BORN_TESTS_OPS_NN_H
#include "support_calls.h"

/* Fractions in about [-1.4, 1.4] with full mantissas. */
born_view nn_noise(born_dtype t, int rank, const int64_t *dim);
/* Runs the op; CHECKs that it succeeds and that strides and threads leave every bit as it is. `host` operands (bit
   mask) stay dense. */
bool nn_run(const char *what, born_op_id op, const void *attrs, const born_view *in, int in_count, uint32_t host,
            born_view *out, int out_count);
/* The value that element `at` must have. */
typedef double (*nn_want)(const void *ctx, const int64_t *at);
/* CHECKs every element: |got - want| <= tolerance * (1 + |want|); both NaN is equal. */
bool nn_close(const char *what, const born_view *out, nn_want want, const void *ctx, double tolerance);
/* CHECKs that the rule refuses with this status, and says `text` somewhere. */
bool nn_refused(born_op_id op, const void *attrs, const born_view *in, int in_count, int out_count, born_status status,
                const char *text);
/* Element at coordinates; 0 where one is outside. */
double nn_at(const born_view *v, const int64_t *at);
#define NN_AT(v, ...) nn_at((v), (int64_t[]){ __VA_ARGS__ })
#endif

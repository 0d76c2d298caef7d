/* Elementwise formulas on i32, i64, f64 and bool, and the choice by a mask: the scalar readings of the rows, compiled
   again for each level as loops over whole blocks, which compilers turn into vectors. i32 is read in 32 bits where the
   reference widens to 64; the low bits are the same for the calls that numbers_query.c lets through. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cpu/kernels/spans.h"
#include "cpu/levels.h"
#include "ops/elementwise.h"
#include "ops/ref.h"
#include "ops/words_f64.h"

#if defined(__clang__)
/* builds without optimisation leave the loops as they are */
#pragma clang diagnostic ignored "-Wpass-failed"
#define ROW_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define ROW_LOOP _Pragma("GCC ivdep")
#endif
#define ROW_COUNT(n) ((n) & -(int64_t)BORN_SPAN_BLOCK)

/* Which rows each class has: REALS_, INTS_ and BOOLS_ of formula.h as IF_CLASS wants them. */
#define YES(...) __VA_ARGS__
#define NO(...)
#define FLOATS_BORN_DT_FLOAT NO
#define FLOATS_BORN_DT_NUM YES
#define FLOATS_BORN_DT_ALL YES
#define FLOATS_BORN_DT_INT NO
#define FLOATS_BORN_DT_UINT NO
#define FLOATS_BORN_DT_BOOL NO
#define SIGNED_BORN_DT_FLOAT NO
#define SIGNED_BORN_DT_NUM YES
#define SIGNED_BORN_DT_ALL YES
#define SIGNED_BORN_DT_INT YES
#define SIGNED_BORN_DT_UINT NO
#define SIGNED_BORN_DT_BOOL NO
#define UNSIGNED_BORN_DT_FLOAT NO
#define UNSIGNED_BORN_DT_NUM NO
#define UNSIGNED_BORN_DT_ALL YES
#define UNSIGNED_BORN_DT_INT NO
#define UNSIGNED_BORN_DT_UINT NO
#define UNSIGNED_BORN_DT_BOOL YES

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#define ROW_LOAD(v) (v)
#define IF_CLASS(f, s, u) s
#define IS_SIGNED 1
#define T int32_t
#define U uint32_t
#define N(name) name##_i32
#include "ops/words_int.inc"
#define WORD(name, ...) name##_i32(__VA_ARGS__)
#define WORD_CONST(k) konst_i32(k)
#include "ops/elementwise_rows.inc"
#undef T
#undef U
#undef N

#define T int64_t
#define U uint64_t
#define N(name) name##_i64
#include "ops/words_int.inc"
#define WORD(name, ...) name##_i64(__VA_ARGS__)
#define WORD_CONST(k) konst_i64(k)
#include "ops/elementwise_rows.inc"
#undef T
#undef U
#undef N
#undef IF_CLASS

#define IF_CLASS(f, s, u) f
#define T double
#define N(name) name##_f64
#define WORD(name, ...) name##_f64(__VA_ARGS__)
#define WORD_CONST(k) ((double)(k))
#include "ops/elementwise_rows.inc"
#undef T
#undef N
#undef IF_CLASS
#undef ROW_LOAD

/* bool: any byte but 0 is true */
static inline uint8_t bitand_b8(uint8_t a, uint8_t b) { return a & b; }
static inline uint8_t bitor_b8(uint8_t a, uint8_t b) { return a | b; }
static inline uint8_t bitxor_b8(uint8_t a, uint8_t b) { return a ^ b; }
static inline bool eq_b8(uint8_t a, uint8_t b) { return a == b; }
static inline bool ne_b8(uint8_t a, uint8_t b) { return a != b; }
#define ROW_LOAD(v) ((uint8_t)((v) != 0))
#define IF_CLASS(f, s, u) u
#define T uint8_t
#define N(name) name##_b8
#define WORD(name, ...) name##_b8(__VA_ARGS__)
#define WORD_CONST(k) ((uint8_t)(k))
#include "ops/elementwise_rows.inc"
#undef T
#undef N
#undef IF_CLASS
#pragma GCC diagnostic pop

enum { I32, I64, F64, B8, CLASSES };
#define SPANS(ID, name, f, s, u)                                                                                      \
    s([BORN_OP_##ID][I32] = span_##name##_i32, [BORN_OP_##ID][I64] = span_##name##_i64, )                             \
    f([BORN_OP_##ID][F64] = span_##name##_f64, ) u([BORN_OP_##ID][B8] = span_##name##_b8, )
static const born_span_fn spans[BORN_OP_COUNT][CLASSES] = {
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc)                                                          \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc)                                              \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define COMPARE(ID, name, dtypes, props, value, onnx, doc)                                                            \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc)                                                          \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define OP(ID, ...)
#include "ops/rows.h"
};

static void run_span(const born_span *s, const void *const *x, void *z, int64_t n)
{
    const born_span_fn *fn = s->more;

    (*fn)(s->p, x[0], s->inputs > 1 ? x[1] : NULL, z, n);
}

static born_status run_class(born_call *c, const born_exec *x, int class)
{
    born_span s = { .loop = run_span, .more = &spans[c->op->id][class] };

    born__attrs_numbers(c->op->attrs, c->attrs, s.p);
    return born__span_run(c, x, &s);
}

born_status BORN_K(numbers_i32)(born_call *c, const born_exec *x) { return run_class(c, x, I32); }
born_status BORN_K(numbers_i64)(born_call *c, const born_exec *x) { return run_class(c, x, I64); }
born_status BORN_K(numbers_f64)(born_call *c, const born_exec *x) { return run_class(c, x, F64); }
born_status BORN_K(numbers_b8)(born_call *c, const born_exec *x) { return run_class(c, x, B8); }

/* ---- where ---- */

#define BORN_EACH "cpu/kernels/where_span.inc"
#include "ops/each_size.inc"

born_status BORN_K(where_any)(born_call *c, const born_exec *x)
{
    born_span s = { .loop = BORN_PICK_SIZE(born__elem_size(&c->out[0]), where) };

    return born__span_run(c, x, &s);
}

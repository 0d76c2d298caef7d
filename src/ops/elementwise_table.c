/* The formulas of ops_elementwise.def as scalar loops: four readings of the same rows, and the table of them. */
#include <math.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/lane1.h"
#include "ops/words_f64.h"

#include <born/attrs.h>

/* Which classes a row's dtypes column names, by its spelling. */
#define YES(...) __VA_ARGS__
#define NO(...)
#define FLOATS_BORN_DT_FLOAT YES
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
#define UNSIGNED_BORN_DT_NUM YES
#define UNSIGNED_BORN_DT_ALL YES
#define UNSIGNED_BORN_DT_INT YES
#define UNSIGNED_BORN_DT_UINT YES
#define UNSIGNED_BORN_DT_BOOL YES

#define T float
#define N(name) name##_f32
#define IF_CLASS(f, s, u) f
#define WORD(name, ...) name##_f32(__VA_ARGS__)
#define WORD_CONST(k) ((float)(k))
#include "ops/elementwise_rows.inc"
#undef T
#undef N

#define T double
#define N(name) name##_f64
#define WORD(name, ...) name##_f64(__VA_ARGS__)
#define WORD_CONST(k) ((double)(k))
#include "ops/elementwise_rows.inc"
#undef T
#undef N
#undef IF_CLASS

#define T int64_t
#define U uint64_t
#define N(name) name##_i64
#define IS_SIGNED 1
#include "ops/words_int.inc"
#define IF_CLASS(f, s, u) s
#define WORD(name, ...) name##_i64(__VA_ARGS__)
#define WORD_CONST(k) konst_i64(k)
#include "ops/elementwise_rows.inc"
#undef T
#undef U
#undef N
#undef IF_CLASS
#undef IS_SIGNED

#define T uint64_t
#define U uint64_t
#define N(name) name##_u64
#define IS_SIGNED 0
#include "ops/words_int.inc"
#define IF_CLASS(f, s, u) u
#define WORD(name, ...) name##_u64(__VA_ARGS__)
#define WORD_CONST(k) konst_u64(k)
#include "ops/elementwise_rows.inc"
#undef T
#undef U
#undef N
#undef IF_CLASS
#undef IS_SIGNED

#define SPANS(ID, name, f, s, u)                                                                                      \
    f([BORN_OP_##ID][BORN_CLASS_F32] = span_##name##_f32, )                                                           \
    f([BORN_OP_##ID][BORN_CLASS_F64] = span_##name##_f64, )                                                           \
    s([BORN_OP_##ID][BORN_CLASS_I64] = span_##name##_i64, )                                                           \
    u([BORN_OP_##ID][BORN_CLASS_U64] = span_##name##_u64, )
static const born_span_fn spans[BORN_OP_COUNT][BORN_CLASS_COUNT] = {
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc) \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc) \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define COMPARE(ID, name, dtypes, props, value, onnx, doc) \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc) \
    SPANS(ID, name, FLOATS_##dtypes, SIGNED_##dtypes, UNSIGNED_##dtypes)
#define OP(ID, ...)
#include "ops/rows.h"
};

/* Which ops are unary formulas over floats with a result of the same type. */
static const bool is_unary_float[BORN_OP_COUNT] = {
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc) FLOATS_##dtypes([BORN_OP_##ID] = true, )
#define BINARY(ID, ...)
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"
};

born_class born__class_of(born_dtype t)
{
    if (t == BORN_F32) return BORN_CLASS_F32;
    if (t == BORN_F64) return BORN_CLASS_F64;
    return (BORN_DT_SINT >> t & 1u) != 0 ? BORN_CLASS_I64 : BORN_CLASS_U64;
}

born_span_fn born__span_of(born_op_id op, born_class c)
{
    return spans[op][c];
}

void born__attrs_numbers(const born_attr_set *s, const void *attrs, double p[2])
{
    p[0] = p[1] = 0;
    if (!s || !attrs) return;
    for (int i = 0, n = 0; i < s->count && n < 2; i++) {
        const void *v = (const char *)attrs + s->field[i].offset;
        switch (s->field[i].kind) {
        case BORN_ATTR_FLOAT: p[n++] = *(const double *)v; break;
        case BORN_ATTR_INT: p[n++] = (double)*(const int64_t *)v; break;
        case BORN_ATTR_BOOL: p[n++] = *(const bool *)v; break;
        case BORN_ATTR_ENUM: p[n++] = *(const int *)v; break;
        default: break;
        }
    }
}

bool born__unary_valid(int64_t op)
{
    return op == 0 || (op > 0 && op < BORN_OP_COUNT && is_unary_float[op]);
}

void born__unary_span_f32(born_op_id op, double alpha, double beta, const float *x, float *z, int64_t n)
{
    if (op != BORN_OP_NONE) spans[op][BORN_CLASS_F32]((double[]){ alpha, beta }, x, NULL, z, n);
    else if (x != z) memcpy(z, x, (size_t)n * sizeof *z);
}

void born__unary_span_f64(born_op_id op, double alpha, double beta, const double *x, double *z, int64_t n)
{
    if (op != BORN_OP_NONE) spans[op][BORN_CLASS_F64]((double[]){ alpha, beta }, x, NULL, z, n);
    else if (x != z) memcpy(z, x, (size_t)n * sizeof *z);
}

float born__unary_scalar_f32(born_op_id op, float x, double alpha, double beta)
{
    born__unary_span_f32(op, alpha, beta, &x, &x, 1);
    return x;
}

double born__unary_scalar_f64(born_op_id op, double x, double alpha, double beta)
{
    born__unary_span_f64(op, alpha, beta, &x, &x, 1);
    return x;
}

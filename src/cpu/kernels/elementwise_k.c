/* The elementwise formulas on 16 lanes: each row of ops_elementwise.def that takes floats, read through the words over
   v16, as a loop over a run of elements. Runs come from a walk that visits memory in the order of the result's strides,
   so channels-last and transposed results are as dense as row-major ones; an operand's step inside a run is its own:
   dense, one element for all (scalars, broadcast), or anything else. */
#include "cpu/simd/lanes.h"

#include <stddef.h>

#include "cpu/kernel.h"
#include "cpu/kernels/activation.h"
#include "cpu/kernels/formula.h"
#include "ops/elementwise.h"
#include "ops/ref.h"

/* z[i] = f(x[i], y[i]), n elements; x_one, y_one: the operand is one element. */
typedef void (*span_fn)(const double *p, const float *x, bool x_one, const float *y, bool y_one, void *z, int64_t n);

typedef struct args { v16 p0, p1; double a0, a1; } args;

BORN_INLINE args args_of(const double *p) { return (args){ v_set((float)p[0]), v_set((float)p[1]), p[0], p[1] }; }

BORN_INLINE void loop1(v16 (*fn)(v16, args), const double *p, const float *x, void *z_, int64_t n)
{
    args a = args_of(p);
    float *z = z_;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v_store(z + i, fn(v_load(x + i), a));
    if (i < n) v_store_n(z + i, fn(v_load_n(x + i, n - i), a), n - i);
}

BORN_INLINE void loop2(v16 (*fn)(v16, v16, args), const double *p, const float *x, bool x_one, const float *y,
                       bool y_one, void *z_, int64_t n)
{
    args a = args_of(p);
    float *z = z_;
    int64_t i = 0;
    if (!x_one && !y_one)
        for (; i + 16 <= n; i += 16) v_store(z + i, fn(v_load(x + i), v_load(y + i), a));
    else if (!x_one)
        for (v16 ys = v_set(*y); i + 16 <= n; i += 16) v_store(z + i, fn(v_load(x + i), ys, a));
    for (; i < n; i += 16) {
        int64_t m = n - i < 16 ? n - i : 16;
        v16 xs = x_one ? v_set(*x) : v_load_n(x + i, m), ys = y_one ? v_set(*y) : v_load_n(y + i, m);
        v_store_n(z + i, fn(xs, ys, a), m);
    }
}

BORN_INLINE void loop_test(m16 (*fn)(v16, v16, args), const double *p, const float *x, bool x_one, const float *y,
                           bool y_one, void *z_, int64_t n)
{
    args a = args_of(p);
    uint8_t *z = z_;
    if (!y) y = x, y_one = x_one; /* a predicate: not read */
    for (int64_t i = 0; i < n; i += 16) {
        int64_t m = n - i < 16 ? n - i : 16;
        v16 xs = x_one ? v_set(*x) : v_load_n(x + i, m), ys = y_one ? v_set(*y) : v_load_n(y + i, m);
        m_store(z + i, fn(xs, ys, a), m);
    }
}

#define WORD(name, ...) name##_v16(__VA_ARGS__)
#define WORD_CONST(k) v_set((float)(k))
#include "ops/words.h"

#define DECLARE_ARGS                                                                                                  \
    const v16 P0 = a.p0, P1 = a.p1;                                                                                   \
    const double P0_ATTR = a.a0, P1_ATTR = a.a1;                                                                      \
    (void)P0, (void)P1, (void)P0_ATTR, (void)P1_ATTR

#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc)                                                          \
    FLOATS_##dtypes(                                                                                                  \
        BORN_INLINE v16 row_##name(v16 X, args a)                                                                     \
        {                                                                                                             \
            DECLARE_ARGS;                                                                                             \
            return value;                                                                                             \
        }                                                                                                             \
        static void span_##name(const double *p, const float *x, bool x_one, const float *y, bool y_one, void *z,     \
                                int64_t n)                                                                            \
        {                                                                                                             \
            (void)y, (void)x_one, (void)y_one;                                                                        \
            loop1(row_##name, p, x, z, n);                                                                            \
        })
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc)                                              \
    FLOATS_##dtypes(                                                                                                  \
        BORN_INLINE v16 row_##name(v16 X, v16 Y, args a)                                                              \
        {                                                                                                             \
            DECLARE_ARGS;                                                                                             \
            return value;                                                                                             \
        }                                                                                                             \
        static void span_##name(const double *p, const float *x, bool x_one, const float *y, bool y_one, void *z,     \
                                int64_t n)                                                                            \
        {                                                                                                             \
            loop2(row_##name, p, x, x_one, y, y_one, z, n);                                                           \
        })
#define TEST(IF_FLOATS, name, value)                                                                                   \
    IF_FLOATS(                                                                                                         \
        BORN_INLINE m16 row_##name(v16 X, v16 Y, args a) {                                                             \
            DECLARE_ARGS;                                                                                              \
            (void)Y;                                                                                                   \
            return value;                                                                                              \
        } static void span_##name(const double *p, const float *x, bool x_one, const float *y, bool y_one, void *z,    \
                                  int64_t n) { loop_test(row_##name, p, x, x_one, y, y_one, z, n); })
#define COMPARE(ID, name, dtypes, props, value, onnx, doc) TEST(FLOATS_##dtypes, name, value)
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc) TEST(FLOATS_##dtypes, name, value)
#define OP(ID, ...)
#include "ops/rows.h"
#include "ops/words_off.h"
#undef TEST
#undef DECLARE_ARGS

static const span_fn spans[BORN_OP_COUNT] = {
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc) FLOATS_##dtypes([BORN_OP_##ID] = span_##name, )
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc) FLOATS_##dtypes([BORN_OP_##ID] = span_##name, )
#define COMPARE(ID, name, dtypes, props, value, onnx, doc) FLOATS_##dtypes([BORN_OP_##ID] = span_##name, )
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc) FLOATS_##dtypes([BORN_OP_##ID] = span_##name, )
#define OP(ID, ...)
#include "ops/rows.h"
};

void BORN_K(activation_f32)(uint16_t op, const double *param, float *p, int64_t n)
{
    spans[op](param, p, false, NULL, false, p, n);
}

void BORN_K(formula_f32)(uint16_t op, const double *param, const float *x, const float *y, void *z, int64_t n)
{
    spans[op](param, x, false, y, false, z, n);
}

enum { PIECE = 256 };   /* elements of a strided run gathered at a time */

typedef struct job { span_fn fn; double p[2]; int inputs, out_size; } job;

/* Operand k of the run, from element i on, n <= PIECE of them: in place where dense or single, else gathered in t. */
static const float *operand(char *const *p, const int64_t *step, int k, int64_t i, int64_t n, float *t, bool *one)
{
    const char *from = p[k] + i * step[k];

    *one = step[k] == 0;
    if (step[k] == 0 || step[k] == (int64_t)sizeof(float)) return (const float *)(const void *)from;
    for (int64_t j = 0; j < n; j++) memcpy(t + j, from + j * step[k], sizeof *t);
    return t;
}

static void run_body(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const job *j = ctx;
    bool dense_out = step[0] == j->out_size, plain = dense_out;

    for (int k = 1; k <= j->inputs; k++) plain = plain && (step[k] == 4 || (step[k] == 0 && j->inputs == 2));
    if (plain) {
        const float *x = (const float *)(const void *)p[1], *y = NULL;
        if (j->inputs == 2) y = (const float *)(const void *)p[2];
        j->fn(j->p, x, step[1] == 0, y, j->inputs == 2 && step[2] == 0, p[0], n);
        return;
    }
    float tx[PIECE], ty[PIECE], tz[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
        int64_t m = n - i < PIECE ? n - i : PIECE;
        bool x_one, y_one = false;
        const float *x = operand(p, step, 1, i, m, tx, &x_one), *y = NULL;
        if (j->inputs == 2) y = operand(p, step, 2, i, m, ty, &y_one);
        else if (x_one) {
            for (int64_t k = 0; k < m; k++) tx[k] = *x;
            x = tx;
        }
        char *z = p[0] + i * step[0];
        j->fn(j->p, x, x_one && j->inputs == 2, y, y_one, dense_out ? (void *)z : (void *)tz, m);
        if (!dense_out)
            for (int64_t k = 0; k < m; k++) memcpy(z + k * step[0], (char *)tz + k * j->out_size, (size_t)j->out_size);
    }
}

static born_status elementwise(born_call *c, const born_exec *x, int inputs, int out_size)
{
    job j = { .fn = spans[c->op->id], .inputs = inputs, .out_size = out_size };
    born_nd w;

    born__attrs_numbers(c->op->attrs, c->attrs, j.p);
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    for (int i = 0; i < inputs; i++) born__nd_add(&w, &c->in[i]);
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 1 << 14, run_body, &j);
    return BORN_OK;
}

born_status BORN_K(unary_f32)(born_call *c, const born_exec *x)
{
    return elementwise(c, x, 1, (int)sizeof(float));
}

born_status BORN_K(binary_f32)(born_call *c, const born_exec *x)
{
    return elementwise(c, x, 2, (int)sizeof(float));
}

/* Also the predicates of one input. */
born_status BORN_K(compare_f32)(born_call *c, const born_exec *x)
{
    return elementwise(c, x, c->op->max_in, 1);
}

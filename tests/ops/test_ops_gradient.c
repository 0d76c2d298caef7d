/* Gradients of every elementwise row, the reductions and the products against finite differences in f64; then the
   gradient of the gradient against finite differences of the first. Each case is a function of its operands, projected
   on fixed weights so that one number has a gradient in each element. */
#include <math.h>

#include "../harness.h"
#include "support_tape.h"

enum { MOST = 64, OPERANDS = 4 };

typedef struct gradient_case {
    born_op_id op;
    const void *attrs;
    int operands;
    int rank[OPERANDS];
    int64_t dim[OPERANDS][4];
    double lo, hi; /* where operands are drawn from */
    const double *host; /* values of the last operand where it is i64 and takes no gradient */
    bool no_second;
} gradient_case;

static int64_t count_of(const gradient_case *k, int i)
{
    int64_t n = 1;
    for (int d = 0; d < k->rank[i]; d++) n *= k->dim[i][d];
    return n;
}
static bool is_host(const gradient_case *k, int i)
{
    return k->host && i == k->operands - 1;
}

/* Values far enough from branch points and ties that differences of 1e-5 do not cross them. */
static void draw(const gradient_case *k, double v[OPERANDS][MOST], uint64_t *seed)
{
    for (int i = 0; i < k->operands; i++)
        for (int64_t j = 0; j < count_of(k, i); j++) {
            double r = tape_random(seed, k->lo, k->hi);
            v[i][j] = is_host(k, i) ? k->host[j] : floor(r * 64) / 64 + 0.003 + 0.0001 * (double)((j * 5 + i * 3) % 23);
        }
}

static double weight(int64_t i)
{
    return 0.5 + 0.37 * (double)((i * 7) % 5) - 0.2 * (double)(i % 3);
}

static born_val weights_like(tape *t, born_val v)
{
    double w[4 * MOST];
    const born_view *m = tape_view(t, v);
    for (int64_t i = 0; i < tape_count(t, v); i++) w[i] = weight(i);
    return tape_put(t, m->dtype, m->rank, m->dim, w);
}

/* Puts the operands on a tape and runs the case. */
static born_val forward(tape *t, const gradient_case *k, double v[OPERANDS][MOST], born_val *x)
{
    for (int i = 0; i < k->operands; i++)
        x[i] = tape_put(t, is_host(k, i) ? BORN_I64 : BORN_F64, k->rank[i], k->dim[i], v[i]);
    return tape_run(t, k->op, k->attrs, x, k->operands);
}

static double projected(tape *t, born_val v)
{
    double s = 0;
    for (int64_t i = 0; v && i < tape_count(t, v); i++) s += weight(i) * tape_at(t, v, i);
    return s;
}

/* order 1: the projected result; order 2: the projected gradients of it. */
static double value_of(const gradient_case *k, double v[OPERANDS][MOST], int order)
{
    tape *t = tape_new();
    born_val x[OPERANDS] = { 0 }, g[OPERANDS] = { 0 };
    born_val y = forward(t, k, v, x);
    double s = NAN;
    if (y && order == 1) s = projected(t, y);
    if (y && order == 2) {
        tape_backward(t, y, weights_like(t, y), x, g, k->operands - (k->host != NULL));
        s = 0;
        for (int i = 0; i < k->operands; i++) s += projected(t, g[i]);
    }
    tape_free(t);
    return s;
}

static void compare(tape *t, const gradient_case *k, double v[OPERANDS][MOST], const born_val *g, int order)
{
    const double h = 1e-5;
    for (int i = 0; i < k->operands - (k->host != NULL); i++)
        for (int64_t j = 0; j < count_of(k, i); j++) {
            double keep = v[i][j];
            v[i][j] = keep + h;
            double up = value_of(k, v, order);
            v[i][j] = keep - h;
            double down = value_of(k, v, order);
            v[i][j] = keep;
            double want = (up - down) / (2 * h), got = g[i] ? tape_at(t, g[i], j) : 0;
            double near = 1e-5 * (1 + fabs(want) + 1e-4 * fabs(up) * (order == 2 ? 100 : 1));
            CHECK_MSG(fabs(got - want) <= near, "%s: order %d, operand %d, element %d: %.9g, not %.9g",
                      born__ops[k->op].name, order, i, (int)j, got, want);
        }
}

static void check_case(const gradient_case *k, uint64_t seed)
{
    double v[OPERANDS][MOST];
    born_val x[OPERANDS] = { 0 }, g[OPERANDS] = { 0 }, gg[OPERANDS] = { 0 };
    draw(k, v, &seed);
    tape *t = tape_new();
    int n = k->operands - (k->host != NULL);
    born_val y = forward(t, k, v, x);
    if (CHECK_MSG(y != 0, "%s: %s", born__ops[k->op].name, t->emit.err.text)) {
        tape_backward(t, y, weights_like(t, y), x, g, n);
        CHECK_MSG(!t->emit.err.status, "%s: %s", born__ops[k->op].name, t->emit.err.text);
        for (int i = 0; i < n; i++)
            if (g[i]) {
                const born_view *a = tape_view(t, g[i]), *b = tape_view(t, x[i]);
                CHECK_MSG(a->rank == b->rank && memcmp(a->dim, b->dim, sizeof a->dim[0] * (size_t)a->rank) == 0,
                          "%s: the gradient of operand %d has another shape", born__ops[k->op].name, i);
            }
        compare(t, k, v, g, 1);
    }
    if (y && !k->no_second) {
        for (int i = 0; i < n; i++) { /* the sum of the projected gradients, differentiated */
            born_val more[OPERANDS] = { 0 };
            if (!g[i]) continue;
            tape_backward(t, g[i], weights_like(t, g[i]), x, more, n);
            for (int j = 0; j < n; j++)
                if (more[j])
                    gg[j] = gg[j] ? tape_run(t, BORN_OP_ADD, NULL, (born_val[]){ gg[j], more[j] }, 2) : more[j];
        }
        CHECK_MSG(!t->emit.err.status, "%s, second: %s", born__ops[k->op].name, t->emit.err.text);
        compare(t, k, v, gg, 2);
    }
    tape_free(t);
}

/* Where a unary row is smooth enough to be drawn from. */
static void unary_range(born_op_id op, double *lo, double *hi)
{
    *lo = -2.5;
    *hi = 2.5;
    switch (op) {
    case BORN_OP_SQRT:
    case BORN_OP_RSQRT:
    case BORN_OP_LOG:
        *lo = 0.2;
        break;
    case BORN_OP_RECIPROCAL:
        *lo = 0.3;
        break;
    case BORN_OP_LOG1P:
        *lo = -0.7;
        break;
    case BORN_OP_ASIN:
    case BORN_OP_ACOS:
    case BORN_OP_ATANH:
        *lo = -0.8;
        *hi = 0.8;
        break;
    case BORN_OP_ACOSH:
        *lo = 1.3;
        break;
    case BORN_OP_TAN:
        *lo = -1.2;
        *hi = 1.2;
        break;
    default:
        break;
    }
}

static void unary_case(born_op_id op, uint32_t dtypes)
{
    static const born_clamp_attrs clamp = { .lo = -1, .hi = 1 };
    gradient_case k = { .op = op, .operands = 1, .rank = { 2 }, .dim = { { 3, 5 } } };
    unary_range(op, &k.lo, &k.hi);
    if (op == BORN_OP_CLAMP) k.attrs = &clamp;
    if (born__dtype_is(BORN_F64, dtypes)) check_case(&k, op);
}

TEST(gradient_unary_rows)
{
#define UNARY(ID, name, set, dtypes, value, dx, onnx, doc) unary_case(BORN_OP_##ID, dtypes);
#define BINARY(ID, ...)
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"
    static const born_gelu_attrs by_tanh = { .approximate = 1 };
    check_case(&(gradient_case){ BORN_OP_GELU, &by_tanh, 1, { 1 }, { { 9 } }, -2, 2, NULL, false }, 1);
    check_case(&(gradient_case){ BORN_OP_GELU_GRAD, &by_tanh, 2, { 1, 1 }, { { 9 }, { 9 } }, -2, 2, NULL, false }, 1);
    static const born_silu_attrs steep = { .alpha = 1.7 };
    check_case(&(gradient_case){ BORN_OP_SILU, &steep, 1, { 1 }, { { 9 } }, -2, 2, NULL, false }, 2);
}

static void binary_case(born_op_id op, uint32_t dtypes)
{
    static const struct {
        int rank[2];
        int64_t dim[2][4];
    } shape[] = {
        { { 2, 2 }, { { 2, 3 }, { 2, 3 } } },
        { { 3, 1 }, { { 2, 1, 3 }, { 3 } } },
        { { 2, 3 }, { { 2, 1 }, { 2, 1, 3 } } },
        { { 2, 0 }, { { 2, 3 }, { 0 } } },
    };
    if (!born__dtype_is(BORN_F64, dtypes)) return;
    for (size_t i = 0; i < sizeof shape / sizeof shape[0]; i++) {
        gradient_case k = { .op = op, .operands = 2, .lo = 0.4, .hi = 2.5 };
        memcpy(k.rank, shape[i].rank, sizeof shape[i].rank);
        memcpy(k.dim, shape[i].dim, sizeof shape[i].dim);
        check_case(&k, 11 + i);
    }
}

TEST(gradient_binary_rows)
{
#define BINARY(ID, name, set, dtypes, props, value, dx, dy, onnx, doc) binary_case(BORN_OP_##ID, dtypes);
#define UNARY(ID, ...)
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"
    check_case(&(gradient_case){ BORN_OP_PRELU, NULL, 2, { 2, 1 }, { { 3, 4 }, { 4 } }, -2, 2, NULL, false }, 15);
    check_case(&(gradient_case){ BORN_OP_POW, NULL, 2, { 2, 1 }, { { 2, 3 }, { 3 } }, 0.5, 2, NULL, false }, 16);
    check_case(&(gradient_case){ BORN_OP_FMA, NULL, 3, { 2, 1, 0 }, { { 2, 3 }, { 3 } }, -2, 2, NULL, false }, 17);
    check_case(&(gradient_case){ BORN_OP_CLIP, NULL, 3, { 1, 0, 0 }, { { 12 } }, -2, 2, NULL, false }, 18);
    check_case(&(gradient_case){ BORN_OP_CLIP, NULL, 2, { 1, 0 }, { { 12 } }, -2, 2, NULL, false }, 19);
}

TEST(gradient_reductions)
{
    static const double last[] = { 2 }, first[] = { 0 }, ends[] = { 0, 2 }, tail[] = { -1, 1 };
    static const born_reduce_attrs drop = { .drop_dims = true };
    static const born_variance_attrs unbiased = { .correction = 1 };
    static const uint16_t op[] = { BORN_OP_REDUCE_SUM,       BORN_OP_REDUCE_MEAN,    BORN_OP_REDUCE_PROD,
                                   BORN_OP_REDUCE_MAX,       BORN_OP_REDUCE_MIN,     BORN_OP_REDUCE_L1,
                                   BORN_OP_REDUCE_L2,        BORN_OP_REDUCE_LOG_SUM, BORN_OP_REDUCE_LOG_SUM_EXP,
                                   BORN_OP_REDUCE_SUM_SQUARE };
    for (size_t i = 0; i < sizeof op / sizeof op[0]; i++) {
        double lo = op[i] == BORN_OP_REDUCE_LOG_SUM || op[i] == BORN_OP_REDUCE_PROD ? 0.5 : -2;
        gradient_case k = { op[i], NULL, 2, { 3, 1 }, { { 2, 3, 4 }, { 1 } }, lo, 2, last, false };
        check_case(&k, 21);
        k.host = first;
        k.attrs = &drop;
        check_case(&k, 22);
        k.dim[1][0] = 2;
        k.host = ends;
        check_case(&k, 23);
        k.attrs = NULL;
        k.host = tail;
        check_case(&k, 24);
        gradient_case all = { op[i], &drop, 1, { 2 }, { { 3, 4 } }, lo, 2, NULL, false };
        check_case(&all, 25);
    }
    check_case(
        &(gradient_case){ BORN_OP_REDUCE_VARIANCE, &unbiased, 2, { 3, 1 }, { { 2, 3, 4 }, { 1 } }, -2, 2, last, false },
        26);
}

TEST(gradient_running)
{
    static const double axis[] = { 1 };
    for (int way = 0; way < 4; way++) {
        born_scan_axis_attrs a = { .exclusive = way & 1, .reverse = way >> 1 };
        check_case(&(gradient_case){ BORN_OP_CUMSUM, &a, 2, { 2, 0 }, { { 2, 4 } }, -2, 2, axis, false }, 31);
        check_case(&(gradient_case){ BORN_OP_CUMPROD, &a, 2, { 2, 0 }, { { 2, 4 } }, 0.5, 2, axis, false }, 32);
    }
}

TEST(gradient_products)
{
    static const gradient_case k[] = {
        { BORN_OP_MATMUL, NULL, 2, { 2, 2 }, { { 2, 3 }, { 3, 4 } }, -2, 2, NULL, false },
        { BORN_OP_MATMUL, NULL, 2, { 3, 2 }, { { 2, 2, 3 }, { 3, 2 } }, -2, 2, NULL, false },
        { BORN_OP_MATMUL, NULL, 2, { 2, 3 }, { { 2, 3 }, { 2, 3, 2 } }, -2, 2, NULL, false },
        { BORN_OP_MATMUL, NULL, 2, { 1, 2 }, { { 3 }, { 3, 4 } }, -2, 2, NULL, false },
        { BORN_OP_MATMUL, NULL, 2, { 3, 1 }, { { 2, 2, 3 }, { 3 } }, -2, 2, NULL, false },
        { BORN_OP_MATMUL, NULL, 2, { 1, 1 }, { { 5 }, { 5 } }, -2, 2, NULL, false },
        { BORN_OP_MATMUL, NULL, 4, { 2, 2, 1, 2 }, { { 2, 3 }, { 3, 4 }, { 4 }, { 2, 4 } }, -2, 2, NULL, false },
    };
    for (size_t i = 0; i < sizeof k / sizeof k[0]; i++) check_case(&k[i], 40 + i);
    for (int way = 0; way < 4; way++) {
        born_gemm_attrs a = { .alpha = 0.7, .beta = 1.3, .trans_a = way & 1, .trans_b = way >> 1 };
        gradient_case g = { BORN_OP_GEMM, &a, 3, { 2, 2, 1 }, { { 2, 3 }, { 3, 4 }, { 4 } }, -2, 2, NULL, false };
        if (a.trans_a) g.dim[0][0] = 3, g.dim[0][1] = 2;
        if (a.trans_b) g.dim[1][0] = 4, g.dim[1][1] = 3;
        check_case(&g, (uint64_t)(50 + way));
    }
}

/* The product's gradient is right where terms are 0, too. */
TEST(gradient_product_zeros)
{
    static const double v[] = { 2, 0, 3, 0, 0, 5 };
    static const double want[] = { 0, 6, 0, 0, 0, 0 };
    tape *t = tape_new();
    const double axis = 1;
    born_val x = tape_put(t, BORN_F64, 2, (int64_t[]){ 2, 3 }, v),
             ax = tape_put(t, BORN_I64, 1, (int64_t[]){ 1 }, &axis);
    born_val y = tape_run(t, BORN_OP_REDUCE_PROD, NULL, (born_val[]){ x, ax }, 2), g;
    tape_backward(t, y, tape_put(t, BORN_F64, 2, (int64_t[]){ 2, 1 }, (double[]){ 1, 1 }), &x, &g, 1);
    for (int i = 0; i < 6; i++) CHECK(tape_at(t, g, i) == want[i]);
    tape_free(t);
}

TEST_MAIN

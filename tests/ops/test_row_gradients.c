/* Rows that are no formula of elements, against finite differences: see support_fd.h. */
#include "support_fd.h"

#define F64(...) { BORN_F64, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, NULL, 0, 0, \
                   false }
#define GIVEN(t, v, ...) { BORN_##t, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, v, 0, \
                         0, true }
#define NONE { .dtype = BORN_DTYPE_NONE }

TEST(gradient_scatter_reductions)
{
    static const double at[] = { 2, 0, 2, 1, 2, 0 }, rows[] = { 1, 1, 0 };
    for (int r = 1; r < 5; r++) {
        FD_CHECK(.what = "elements", .op = BORN_OP_SCATTER_ELEMENTS,
                 .attrs = &(born_scatter_elements_attrs){ .reduction = r, .axis = -2 },
                 .in = { F64(4, 2), GIVEN(I64, at, 3, 2), F64(3, 2) });
        FD_CHECK(.what = "tuples", .op = BORN_OP_SCATTER_ND, .attrs = &(born_scatter_nd_attrs){ .reduction = r },
                 .in = { F64(3, 2), GIVEN(I64, rows, 3, 1), F64(3, 2) });
    }
}

/* PyTorch's conventions: equal winners share; a single 0 among factors takes the product of the others. */
TEST(gradient_scatter_at_ties_and_zeros)
{
    static const double x[] = { 3, 0, 2 }, u[] = { 3, 0, 5, 2 }, at[] = { 0, 1, 1, 2 }, ones[] = { 1, 1, 1 };
    static const double want[2][7] = { { 0.5, 0, 0.5, 0.5, 0, 1, 0.5 }, { 3, 0, 2, 3, 0, 0, 2 } };
    for (int k = 0; k < 2; k++) {
        tape *t = tape_new();
        const born_scatter_elements_attrs a = { .reduction = k ? 2 : 3 };
        born_val in[3] = { tape_put(t, BORN_F64, 1, (int64_t[]){ 3 }, x), tape_put(t, BORN_I64, 1, (int64_t[]){ 4 }, at),
                           tape_put(t, BORN_F64, 1, (int64_t[]){ 4 }, u) };
        born_val y = tape_run(t, BORN_OP_SCATTER_ELEMENTS, &a, in, 3), seed = tape_put(t, BORN_F64, 1,
                                                                                       (int64_t[]){ 3 }, ones);
        born_val of[2] = { in[0], in[2] }, g[2];
        tape_backward(t, y, seed, of, g, 2);
        for (int i = 0; i < 7; i++) {
            double got = i < 3 ? tape_at(t, g[0], i) : tape_at(t, g[1], i - 3);
            CHECK_MSG(got == want[k][i], "case %d, element %d: %g, not %g", k, i, got, want[k][i]);
        }
        tape_free(t);
    }
}

TEST(gradient_topk)
{
    static const double two = 2;
    for (int r = 0; r < 2; r++)
        FD_CHECK(.what = r ? "smallest" : "largest", .op = BORN_OP_TOPK, .outs = 2,
                 .attrs = &(born_topk_attrs){ .axis = r - 1, .smallest = r },
                 .in = { F64(3, 5), GIVEN(I64, &two, 1) });
}

/* Running products with zeros in them: each one's gradient is the product of the others. */
TEST(gradient_cumprod_zeros)
{
    static const double v[] = { 2, 0, 3, 4, 0, 5, 1.5, -2 }, axis = 1;
    for (int way = 0; way < 4; way++) {
        const born_scan_axis_attrs a = { .exclusive = way & 1, .reverse = way >> 1 };
        tape *t = tape_new();
        born_val in[2] = { tape_put(t, BORN_F64, 2, (int64_t[]){ 2, 4 }, v), tape_put(t, BORN_I64, 0, NULL, &axis) };
        double w[8], got;
        for (int i = 0; i < 8; i++) w[i] = 1 + 0.5 * i;
        born_val y = tape_run(t, BORN_OP_CUMPROD, &a, in, 2), g;
        tape_backward(t, y, tape_put(t, BORN_F64, 2, (int64_t[]){ 2, 4 }, w), &in[0], &g, 1);
        for (int k = 0; k < 8; k++) {
            double want = 0;
            for (int j = 0; j < 4; j++) {           /* all products that hold element k, without it */
                int row = k / 4 * 4, lo = a.reverse ? j + a.exclusive : 0, hi = a.reverse ? 4 : j + !a.exclusive;
                double p = 1;
                if (k - row < lo || k - row >= hi) continue;
                for (int i = lo; i < hi; i++) p *= i == k - row ? 1 : v[row + i];
                want += w[row + j] * p;
            }
            got = tape_at(t, g, k);
            CHECK_MSG(fabs(got - want) < 1e-12, "way %d, element %d: %g, not %g", way, k, got, want);
        }
        tape_free(t);
    }
}

/* Scores [N, C] and [N, C, d], weights, an ignored class, smoothing, every reduction; log-probabilities too. */
TEST(gradient_losses)
{
    static const double t1[] = { 1, 0, 2, 3 }, t2[] = { 1, 0, 3, 2, -100, 1 }, w[] = { 1, 0.5, 2, 0.25 };
    for (int kind = 0; kind < 48; kind++) {
        born_loss_attrs a = { .reduction = kind % 3, .ignore_index = kind & 16 ? 3 : -100 };
        bool deep = kind & 4, weighted = kind & 8, scores = kind >= 24;
        if (scores) a.label_smoothing = kind & 2 ? 0.3 : 0;
        fd_case k = { .what = scores ? "scores" : "log-probabilities", .attrs = &a, .outs = scores ? 2 : 1,
                      .op = scores ? BORN_OP_CROSS_ENTROPY_LOSS : BORN_OP_NLL_LOSS,
                      .in = { F64(4, 4), GIVEN(I64, t1, 4) } };
        if (deep) {
            k.in[0] = (fd_operand)F64(2, 4, 3);
            k.in[1] = (fd_operand)GIVEN(I32, t2, 2, 3);
            a.ignore_index = -100;
        }
        if (weighted) k.in[2] = (fd_operand)GIVEN(F64, w, 4);
        fd_check(&k);
    }
}

TEST_MAIN

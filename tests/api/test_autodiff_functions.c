/* What a program tells autodiff: updates in place and what they spoil, recording switched off, gradients of its own,
   and checkpoints. */
#include <born/born.h>
#include <math.h>

#include "harness.h"

static born_f64 total(born_f64 x) { return born_reduce_sum(x, (born_ints){ 0 }, NULL); }
static born_f64 of(born_backend *b, const double *v, int64_t n)
{
    return born_from_f64(b, BORN_ARRAY_OF(BORN_F64, v, n));
}

static void expect(born_f64 x, int n, const double *want)
{
    double got[8] = { 0 };
    if (!CHECK_STATUS(born_read(x, got, sizeof got[0] * (size_t)n), BORN_OK)) return;
    for (int i = 0; i < n; i++)
        CHECK_MSG(fabs(got[i] - want[i]) < 1e-12, "element %d: %.15g, not %.15g", i, got[i], want[i]);
}

static void expect_error(born_backend *b, born_status status, const char *part)
{
    born_error err;
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, status);
    CHECK_MSG(strstr(err.text, part), "'%s' is not in: %s", part, err.text);
}

/* ---- in place -------------------------------------------------------------------------------------------------- */

TEST(assign_writes_through)
{
    born_backend *b = born_autodiff(born_cpu(NULL));
    static const double v[6] = { 1, 2, 3, 4, 5, 6 }, w[3] = { 7, 8, 9 };
    born_f64 x = born_from_f64(b, BORN_ARRAY(v, 2, 3)), t = born_transpose(x, (born_ints){ 0 });
    born_f64 y = born_assign(x, of(b, w, 3));
    expect(x, 6, (const double[]){ 7, 8, 9, 7, 8, 9 });
    expect(y, 6, (const double[]){ 7, 8, 9, 7, 8, 9 });
    expect(t, 6, (const double[]){ 7, 7, 8, 8, 9, 9 });
    CHECK_STATUS(born_write(x, v, sizeof v), BORN_OK);
    (void)born_assign(born_slice(x, BORN_INTS(1), BORN_INTS(3), BORN_INTS(1), (born_ints){ 0 }),
                      born_slice(x, BORN_INTS(0), BORN_INTS(2), BORN_INTS(1), (born_ints){ 0 }));
    expect(x, 6, (const double[]){ 1, 1, 2, 4, 4, 5 });      /* the value lay in the state's own storage */
    (void)born_assign(born_expand(of(b, w, 3), BORN_SHAPE(2, 3)), x);
    expect_error(b, BORN_INVALID, "assign: the state [2,3] is broadcast");
    (void)born_assign(of(b, w, 3), x);
    expect_error(b, BORN_SHAPE, "assign: value [2,3] does not broadcast to [3]");
    born_backend_close(&b);
}

TEST(assign_spoils_what_backward_needs)
{
    static const double v[2] = { 3, 4 }, w[2] = { 5, 6 };
    born_backend *b = born_autodiff(born_cpu(NULL));
    born_f64 x = born_requires_grad(of(b, v, 2)), y = born_mul(x, 2);
    born_f64 square = born_mul(y, y), sum = total(born_add(y, 1));
    (void)born_assign(born_slice(y, BORN_INTS(0), BORN_INTS(1), (born_ints){ 0 }, (born_ints){ 0 }),
                      born_slice(of(b, w, 2), BORN_INTS(0), BORN_INTS(1), (born_ints){ 0 }, (born_ints){ 0 }));
    CHECK_STATUS(born_backward(total(square)), BORN_STATE);
    expect_error(b, BORN_STATE, "was overwritten by assign after its use");
    CHECK_STATUS(born_backward(sum), BORN_OK);      /* adding needs no elements of y */
    expect(born_grad_of(x), 2, (const double[]){ 2, 2 });
    born_backend_close(&b);
}

TEST(assign_carries_a_gradient)
{
    static const double v[2] = { 3, 4 }, w[1] = { 5 };
    born_backend *b = born_autodiff(born_cpu(NULL));
    born_f64 x = born_requires_grad(of(b, v, 2)), k = born_requires_grad(of(b, w, 1));
    born_f64 y = born_assign(born_mul(x, 2), k);
    CHECK_STATUS(born_backward(total(born_mul(y, y))), BORN_OK);
    expect(born_grad_of(k), 1, (const double[]){ 20 });
    CHECK(born_grad_of(x).any.w == 0);
    born_backend_close(&b);
}

/* ---- recording off --------------------------------------------------------------------------------------------- */

TEST(nothing_is_recorded_meanwhile)
{
    static const double v[2] = { 3, 4 };
    born_backend *b = born_autodiff(born_autodiff(born_cpu(NULL)));
    born_f64 x = born_requires_grad(of(b, v, 2));
    bool was = born_grad_mode(b, false);
    CHECK(was);
    CHECK(!born_grad_mode(b, false));
    born_f64 k = born_square(x);
    CHECK_STATUS(born_backward(total(k)), BORN_STATE);
    expect_error(b, BORN_STATE, "depends on no tensor");
    CHECK(!born_grad_mode(b, was));
    CHECK_STATUS(born_backward(total(born_mul(k, x))), BORN_OK);
    expect(born_grad_of(x), 2, (const double[]){ 9, 16 });
    born_backend_close(&b);
}

/* ---- gradients of one's own ------------------------------------------------------------------------------------ */

typedef struct counts {
    int forward, backward, released;
    int mode; /* of a bad function: what it does wrong */
    born_tensor outside;
} counts;

/* x y and x + y, with gradients that are twice too large, so that they can be told. */
static born_status both(void *user, const born_tensor *in, int n_in, born_tensor *out, int n_out)
{
    ((counts *)user)->forward++;
    if (n_in != 2 || n_out != 2) return BORN_INVALID;
    out[0] = born_mul(in[0], in[1]);
    out[1] = born_add(in[0], in[1]);
    return BORN_OK;
}

static born_status both_back(void *user, const born_tensor *in, int n_in, const born_tensor *out, int n_out,
                             const born_tensor *gout, born_tensor *gin)
{
    ((counts *)user)->backward++;
    (void)n_in, (void)n_out, (void)out;
    for (int i = 0; i < 2; i++) {
        if (gout[0].w) gin[i] = born_mul(born_mul(gout[0], in[1 - i]), 2);
        born_tensor more = gout[1].w ? born_mul(gout[1], 2) : (born_tensor){ 0 };
        if (more.w) gin[i] = gin[i].w ? born_add(gin[i], more) : more;
    }
    return BORN_OK;
}

static void released(void *user) { ((counts *)user)->released++; }

TEST(custom_gradient_is_used)
{
    static const double v[2] = { 3, 4 }, w[2] = { 5, 7 };
    counts n = { 0 };
    const born_custom_desc f = { both, both_back, &n, released };
    born_backend *b = born_autodiff(born_cpu(NULL));
    born_scope s = born_scope_begin(b);
    born_f64 x = born_requires_grad(of(b, v, 2)), y = born_requires_grad(of(b, w, 2));
    born_tensor out[2];
    CHECK_STATUS(born_custom(&f, (born_tensor[]){ x.any, y.any }, 2, out, 2), BORN_OK);
    expect(born_as_f64(out[0]), 2, (const double[]){ 15, 28 });
    CHECK_STATUS(born_backward(total(born_mul(born_as_f64(out[0]), 10))), BORN_OK);
    expect(born_grad_of(x), 2, (const double[]){ 100, 140 });
    expect(born_grad_of(y), 2, (const double[]){ 60, 80 });
    born_grad_clear(x);
    CHECK_STATUS(born_backward(total(born_add(born_as_f64(out[0]), born_as_f64(out[1])))), BORN_OK);
    expect(born_grad_of(x), 2, (const double[]){ 12, 16 });
    CHECK(n.forward == 1 && n.backward == 2 && n.released == 0);
    born_scope_end(s);
    CHECK(n.released == 1);
    s = born_scope_begin(b);
    CHECK_STATUS(born_custom(&f, (born_tensor[]){ of(b, v, 2).any, of(b, w, 2).any }, 2, out, 2), BORN_OK);
    CHECK(n.released == 2);     /* nobody asked: nothing is recorded */
    born_scope_end(s);
    born_backend_close(&b);
}

/* The rule holds at both levels. */
TEST(custom_gradient_is_differentiated)
{
    static const double v[2] = { 3, 4 };
    counts n = { 0 };
    const born_custom_desc f = { both, both_back, &n, released };
    born_backend *inner = born_autodiff(born_cpu(NULL)), *b = born_autodiff(inner);
    born_scope s = born_scope_begin(b);
    born_f64 x = born_requires_grad(of(b, v, 2));
    born_tensor out[2];
    CHECK_STATUS(born_custom(&f, (born_tensor[]){ x.any, x.any }, 2, out, 2), BORN_OK);   /* x * x by a wrong rule */
    born_f64 z = born_as_f64(out[0]);
    CHECK_STATUS(born_backward(total(born_mul(z, z))), BORN_OK);                /* g = 2 z * (2 x + 2 x) = 8 x z */
    born_f64 g = born_grad_of(x);
    expect(g, 2, (const double[]){ 216, 512 });
    /* 8 z + 8 x dz/dx, dz/dx = 4 x by the same rule: 8 x^2 + 32 x^2 */
    CHECK_STATUS(born_backward(total(g)), BORN_OK);
    expect(born_grad_at(inner, x), 2, (const double[]){ 360, 640 });
    born_grad_clear(x);
    born_scope_end(s);
    born_backend_close(&b);
    CHECK(n.released == 1);
}

static born_status bad(void *user, const born_tensor *in, int n_in, born_tensor *out, int n_out)
{
    const counts *n = user;
    (void)n_in, (void)n_out;
    if (n->mode == 0) return BORN_IO;
    if (n->mode == 1) return BORN_OK;                                   /* leaves its result empty */
    if (n->mode == 2) out[0] = born_reshape(in[0], BORN_SHAPE(7));      /* fails */
    if (n->mode == 3) out[0] = born_mul(in[0], n->outside);             /* uses what it was not given */
    if (n->mode > 3) out[0] = born_mul(in[0], 2);
    return BORN_OK;
}

static born_status bad_back(void *user, const born_tensor *in, int n_in, const born_tensor *out, int n_out,
                            const born_tensor *gout, born_tensor *gin)
{
    const counts *n = user;
    (void)in, (void)n_in, (void)out, (void)n_out;
    if (n->mode == 4) return BORN_IO;
    if (n->mode == 5) gin[0] = born_reduce_sum(gout[0], (born_ints){ 0 }, NULL);
    if (n->mode == 6) gin[0] = n->outside;
    return BORN_OK;
}

TEST(custom_functions_that_fail)
{
    static const double v[2] = { 3, 4 };
    static const struct { born_status s; const char *text; } want[] = {
        { BORN_IO, "custom: the function failed" },
        { BORN_INVALID, "custom: the function left result 0 empty" },
        { BORN_SHAPE, "reshape" },
        { BORN_STATE, "custom: result 0 is made of tensors that the function was not given" },
        { BORN_IO, "the gradient's function failed" },
        { BORN_SHAPE, "custom: the gradient for operand 0 has another shape" },
        { BORN_STATE, "custom: the gradient for operand 0 is made of tensors" },
    };
    for (int mode = 0; mode < 7; mode++) {
        born_backend *b = born_autodiff(born_cpu(NULL));
        born_f64 x = born_requires_grad(of(b, v, 2));
        counts n = { .mode = mode, .outside = x.any };
        const born_custom_desc f = { bad, bad_back, &n, released };
        born_tensor out;
        born_status s = born_custom(&f, &x.any, 1, &out, 1);
        if (mode > 3 && CHECK_STATUS(s, BORN_OK)) s = born_backward(total(born_as_f64(out)));
        CHECK_MSG(s == want[mode].s, "mode %d: %s", mode, born_status_name(s));
        expect_error(b, want[mode].s, want[mode].text);
        CHECK(born_grad_of(x).any.w == 0);
        born_backend_close(&b);
        CHECK_INT(n.released, 1);
    }
}

/* ---- checkpoints ----------------------------------------------------------------------------------------------- */

typedef struct layer {
    born_f64 w;
    int runs;
} layer;

static born_status block(void *user, const born_tensor *in, int n_in, born_tensor *out, int n_out)
{
    layer *l = user;
    (void)n_in, (void)n_out;
    l->runs++;
    born_f64 x = born_as_f64(in[0]), h = born_tanh(born_mul(x, l->w));
    out[0] = born_mul(h, x).any;
    return BORN_OK;
}

static born_f64 plain(born_f64 x, born_f64 w) { return born_mul(born_tanh(born_mul(x, w)), x); }

TEST(checkpoint_gives_the_same_gradients)
{
    static const double v[3] = { 0.3, -0.7, 1.1 }, p[3] = { 0.9, 0.4, -0.6 };
    double want_x[3], want_w[3];
    born_backend *b = born_autodiff(born_cpu(NULL));
    born_f64 x = born_requires_grad(of(b, v, 3)), w = born_requires_grad(of(b, p, 3));
    CHECK_STATUS(born_backward(total(plain(plain(plain(born_exp(x), w), w), w))), BORN_OK);
    CHECK_STATUS(born_read(born_grad_of(x), want_x, sizeof want_x), BORN_OK);
    CHECK_STATUS(born_read(born_grad_of(w), want_w, sizeof want_w), BORN_OK);
    born_grad_clear(x);
    born_grad_clear(w);
    layer l = { w, 0 };
    born_tensor y = born_exp(x).any;
    for (int i = 0; i < 3; i++) CHECK_STATUS(born_recompute(block, &l, NULL, &y, 1, &y, 1), BORN_OK);
    CHECK_INT(l.runs, 3);
    CHECK_STATUS(born_backward(total(born_as_f64(y))), BORN_OK);
    CHECK_INT(l.runs, 6);
    expect(born_grad_of(x), 3, want_x);
    expect(born_grad_of(w), 3, want_w);
    born_backend_close(&b);
}

static born_status outer(void *user, const born_tensor *in, int n_in, born_tensor *out, int n_out)
{
    layer *l = user;
    (void)n_in, (void)n_out;
    born_tensor mid;
    if (born_recompute(block, l, NULL, in, 1, &mid, 1)) return BORN_STATE;
    return born_recompute(block, l, NULL, &mid, 1, out, 1);
}

/* Checkpoints within a checkpoint, the weights found by the blocks themselves; second derivatives too. */
TEST(checkpoints_nest_and_stack)
{
    static const double v[2] = { 0.3, -0.7 }, p[2] = { 0.9, 0.4 };
    double first[2], second[2];
    for (int way = 0; way < 2; way++) {
        born_backend *inner = born_autodiff(born_cpu(NULL)), *b = born_autodiff(inner);
        born_f64 x = born_requires_grad(of(b, v, 2)), w = born_requires_grad(of(b, p, 2));
        layer l = { w, 0 };
        born_tensor y;
        if (way == 0) y = plain(plain(x, w), w).any;
        else CHECK_STATUS(born_recompute(outer, &l, NULL, &x.any, 1, &y, 1), BORN_OK);
        CHECK_STATUS(born_backward(total(born_square(born_as_f64(y)))), BORN_OK);
        born_f64 g = born_keep(born_grad_of(w));
        CHECK_STATUS(born_backward(total(born_mul(g, g))), BORN_OK);
        if (way == 0) {
            CHECK_STATUS(born_read(g, first, sizeof first), BORN_OK);
            CHECK_STATUS(born_read(born_grad_at(inner, x), second, sizeof second), BORN_OK);
        } else {
            expect(g, 2, first);
            expect(born_grad_at(inner, x), 2, second);
        }
        CHECK_MSG(!born_backend_error(b)->status, "%s", born_backend_error(b)->text);
        born_drop(&g);
        born_backend_close(&b);
    }
}

TEST(checkpoint_sees_overwritten_operands)
{
    static const double v[2] = { 3, 4 };
    born_backend *b = born_autodiff(born_cpu(NULL));
    born_f64 x = born_requires_grad(of(b, v, 2)), w = of(b, v, 2);
    layer l = { w, 0 };
    born_tensor in = born_mul(x, 1).any, y;
    CHECK_STATUS(born_recompute(block, &l, NULL, &in, 1, &y, 1), BORN_OK);
    (void)born_assign(in, w.any);
    CHECK_STATUS(born_backward(total(born_as_f64(y))), BORN_STATE);
    expect_error(b, BORN_STATE, "operand 0 of checkpoint");
    CHECK_STATUS(born_recompute(block, &l, NULL, &in, 0, &y, 1), BORN_INVALID);
    CHECK_STATUS(born_recompute(NULL, &l, NULL, &in, 1, &y, 1), BORN_INVALID);
    born_backend_close(&b);
}

TEST_MAIN

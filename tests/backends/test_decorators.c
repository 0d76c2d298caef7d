/* Stacks of decorators: the same program gives the same bits under each of them; check finds a leaf that is wrong and
   names the op; a trace runs again as a model with the same bits, gradients included; plans pass through everything. */
#include <born/born.h>
#include <math.h>

#include "base/error.h"
#include "harness.h"
#include "waist/chain.h"

static const float in6[6] = { 0.3f, -0.7f, 1.1f, 0.9f, -0.25f, 0.6f };

static born_f32 program(born_f32 x)
{
    born_f32 h = born_tanh(born_matmul(x, born_transpose(x, (born_ints){ 0 })));
    born_f32 p = born_softmax(born_add(h, 0.5), -1);
    return born_reduce_sum(born_mul(p, born_exp(h)), BORN_INTS(-1), NULL);
}

static bool answer(born_backend *b, float out[2])
{
    born_scope s = born_scope_begin(b);
    bool good = born_read(program(born_from_f32(b, BORN_ARRAY(in6, 2, 3))), out, 2 * sizeof *out) == BORN_OK;
    born_scope_end(s);
    CHECK_MSG(good, "%s", born_backend_error(b)->text);
    return good;
}

TEST(every_stack_gives_the_same_bits)
{
    born_backend *stack[] = {
        born_cpu(NULL),
        born_check(born_cpu(NULL)),
        born_autodiff(born_cpu(NULL)),
        born_trace(born_cpu(NULL)),
        born_fuse(born_cpu(NULL)),
        born_autodiff(born_fuse(born_cpu(NULL))),
        born_trace(born_fuse(born_cpu(NULL))),
        born_check(born_fuse(born_cpu(NULL))),
        born_check(born_autodiff(born_autodiff(born_trace(born_cpu(NULL))))),
        born_check(born_autodiff(born_autodiff(born_trace(born_fuse(born_cpu(NULL)))))),
        born_check_compare(born_cpu(NULL), born_cpu(&(born_cpu_desc){ .threads = 1 })),
        born_check_compare(born_autodiff(born_cpu(NULL)), born_check(born_cpu(NULL))),
        born_check_compare(born_autodiff(born_fuse(born_cpu(NULL))), born_cpu(NULL)),
        born_check_compare(born_cpu(NULL), born_fuse(born_cpu(NULL))),
    };
    float want[2], got[2];
    for (size_t i = 0; i < sizeof stack / sizeof stack[0]; i++) {
        REQUIRE(answer(stack[i], i ? got : want));
        CHECK_MSG(!i || !memcmp(want, got, sizeof got), "stack %zu gives other bits", i);
        born_backend_close(&stack[i]);
    }
}

/* A leaf's neighbour that flips the lowest bit of what one op gives. */
static born_status liar_run(born_backend *self, born_call *c, born_error *err)
{
    BORN_TRY(born__backend_run(self->below, c, err));
    if (!strcmp(c->op->name, "exp") && c->out[0].data) c->out[0].data[0] ^= 1;
    if (!strcmp(c->op->name, "tanh")) c->out[0].dim[0]++;
    return BORN_OK;
}
static const born_backend_ops liar_ops = { .name = "liar", .run = liar_run };

TEST(check_compare_names_the_op)
{
    born_backend *liar = born__link_new(&liar_ops, BORN_RANK_FUSE, born_cpu(NULL), 0);
    born_backend *b = born_check_compare(liar, born_cpu(NULL));
    born_f32 x = born_from_f32(b, BORN_ARRAY(in6, 6));
    CHECK(born_is_alive(born_sin(x)));
    CHECK(!born_is_alive(born_exp(x)));
    born_error err;
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_MISMATCH);
    CHECK_MSG(strstr(err.text, "check: exp differs in element 0 of result 0"), "%s", err.text);
    CHECK(!born_is_alive(born_tanh(x)));
    born_backend_take_error(b, &err);
    CHECK_TEXT(err.text, "check: tanh changed the sizes of result 0");
    born_backend_close(&b);
}

TEST(check_compare_takes_over_and_may_be_dead)
{
    born_backend *b = born_check_compare(born_cpu(NULL), born_trace(NULL));
    CHECK_INT(born_backend_error(b)->status, BORN_INVALID);
    born_backend_close(&b);
    b = born_check_compare(born_cpu(NULL), NULL);
    CHECK_INT(born_backend_error(b)->status, BORN_INVALID);
    born_backend_close(&b);
    b = born_check_compare(NULL, born_cpu(NULL));
    CHECK_INT(born_backend_error(b)->status, BORN_INVALID);
    born_backend_close(&b);
}

static born_f32 scale;      /* a constant of the recording */

static born_f32 traced_loss(born_f32 x)
{
    return born_reduce_sum(born_mul(born_tanh(born_mul(x, scale)), x), (born_ints){ 0 }, NULL);
}

static void run_again(born_graph **g, const float *x, size_t n, born_array *out, int n_out, void (*then)(born_array *))
{
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err = { 0 };
    born_array in = { BORN_F32, BORN_SHAPE((int64_t)n), x, 0 };
    if (CHECK_OK(born_model_from_graph(g, NULL, &m, &err), &err) &&
        CHECK_OK(born_session_open(m, NULL, &s, &err), &err) &&
        CHECK_OK(born_session_run(s, &in, 1, out, n_out, &err), &err))
        then(out);
    born_session_close(&s);
    born_model_close(&m);
}

static float eager_loss, eager_grad[6];
static void same_as_eager(born_array *out)
{
    const float *p;
    size_t n;
    born_error err = { 0 };
    if (CHECK_OK(born_array_f32(&out[0], &p, &n, &err), &err) && CHECK_INT(n, 1)) CHECK(p[0] == eager_loss);
    if (CHECK_OK(born_array_f32(&out[1], &p, &n, &err), &err) && CHECK_INT(n, 6))
        CHECK(!memcmp(p, eager_grad, sizeof eager_grad));
}

static void check_traced_gradient(born_backend *b)
{
    born_error err = { 0 };
    born_graph *g = NULL;
    born_array out[2];
    const float other[6] = { 1, 2, -3, 0.5f, 0, -1 }, half = 0.5f;
    float v;

    scale = born_from_f32(b, BORN_ARRAY_OF(BORN_F32, &half, 1));
    born_f32 x = born_requires_grad(born_from_f32(b, BORN_ARRAY(other, 6)));
    REQUIRE(born_backward(traced_loss(x)) == BORN_OK);      /* the answer to compare with */
    CHECK_STATUS(born_item_f32(traced_loss(x), &eager_loss), BORN_OK);
    CHECK_STATUS(born_read(born_grad_of(x), eager_grad, sizeof eager_grad), BORN_OK);

    born_f32 y = born_requires_grad(born_from_f32(b, BORN_ARRAY(in6, 6)));
    REQUIRE_OK(born_trace_begin(b, &y.any, 1, &err), &err);
    CHECK_STATUS(born_trace_begin(b, &y.any, 1, &err), BORN_STATE);
    born_f32 loss = traced_loss(y);
    CHECK_STATUS(born_item_f32(loss, &v), BORN_STATE);
    CHECK_TEXT(born_backend_error(b)->text, "read: the value is being traced; read it after born_trace_end");
    born_backend_take_error(b, &err);
    CHECK_STATUS(born_item_f32(born_from_f32(b, BORN_ARRAY_OF(BORN_F32, &half, 1)), &v), BORN_OK);
    CHECK_STATUS(born_backward(loss), BORN_OK);
    born_tensor results[2] = { loss.any, born_grad_of(y).any };
    REQUIRE_OK(born_trace_end(b, results, 2, &g, &err), &err);
    CHECK_STATUS(born_item_f32(loss, &v), BORN_OK);
    run_again(&g, other, 6, out, 2, same_as_eager);
    born_graph_close(&g);
    CHECK_STATUS(born_trace_end(b, results, 2, &g, &err), BORN_STATE);
}

TEST(autodiff_over_trace_records_the_gradient)
{
    born_backend *stack[] = { born_autodiff(born_trace(born_cpu(NULL))),
                              born_autodiff(born_trace(born_fuse(born_cpu(NULL)))) };
    for (size_t i = 0; i < sizeof stack / sizeof stack[0]; i++) {
        check_traced_gradient(stack[i]);
        born_backend_close(&stack[i]);
    }
}

TEST(the_order_of_decorators_is_fixed)
{
    born_backend *stack[] = { born_fuse(born_trace(born_cpu(NULL))), born_fuse(born_autodiff(born_cpu(NULL))),
                              born_fuse(born_fuse(born_cpu(NULL))), born_trace(born_autodiff(born_cpu(NULL))) };
    const char *text[] = { "fuse cannot stand over trace", "fuse cannot stand over autodiff",
                           "fuse cannot stand over fuse", "trace cannot stand over autodiff" };
    for (size_t i = 0; i < sizeof stack / sizeof stack[0]; i++) {
        const born_error *e = born_backend_error(stack[i]);
        CHECK_INT(e->status, BORN_STATE);
        CHECK_MSG(strstr(e->text, text[i]), "%s", e->text);
        born_backend_close(&stack[i]);
    }
    born_backend *none = born_fuse(NULL);
    CHECK_INT(born_backend_error(none)->status, BORN_INVALID);
    born_backend_close(&none);
}

TEST(sessions_run_through_every_stack)
{
    born_backend *b = born_trace(born_cpu(NULL));
    born_error err = { 0 };
    born_graph *g = NULL;
    born_model *m = NULL;
    born_f32 x = born_from_f32(b, BORN_ARRAY(in6, 2, 3));
    float want[2];
    REQUIRE_OK(born_trace_begin(b, &x.any, 1, &err), &err);
    born_f32 y = program(x);
    REQUIRE_OK(born_trace_end(b, &y.any, 1, &g, &err), &err);
    CHECK_STATUS(born_read(y, want, sizeof want), BORN_OK);
    REQUIRE_OK(born_model_from_graph(&g, NULL, &m, &err), &err);
    born_backend *stack[] = {
        b,
        born_check(born_cpu(NULL)),
        born_autodiff(born_cpu(NULL)),
        born_fuse(born_cpu(NULL)),
        born_check(born_autodiff(born_fuse(born_cpu(NULL)))),
        born_check_compare(born_autodiff(born_trace(born_cpu(NULL))), born_cpu(NULL)),
    };
    for (size_t i = 0; i < sizeof stack / sizeof stack[0]; i++) {
        born_session *s = NULL;
        born_array in = BORN_ARRAY(in6, 2, 3), out;
        const float *p;
        size_t n;
        if (CHECK_OK(born_session_open(m, &(born_session_desc){ .backend = stack[i] }, &s, &err), &err)) {
            born_backend_close(&stack[i]);      /* the session holds it */
            if (CHECK_OK(born_session_run(s, &in, 1, &out, 1, &err), &err) &&
                CHECK_OK(born_array_f32(&out, &p, &n, &err), &err) && CHECK_INT(n, 2))
                CHECK_MSG(!memcmp(p, want, sizeof want), "stack %zu gives other bits", i);
        }
        born_session_close(&s);
        born_backend_close(&stack[i]);
    }
    born_model_close(&m);
}

TEST_MAIN

/* The planned training step: the same bits as eager steps, for modules with buffers, random keys and optimisers with
   state; what a bad loss names; that nothing is allocated once it runs. */
#include <born/born.h>
#include <math.h>

#include "../harness.h"
#include "base/alloc.h"

enum { BATCH = 8, WIDE = 12, CLASSES = 5, STEPS = 6 };

typedef struct task {
    born_backend *b;
    born_module *net;
    born_optim *opt;
    born_ema *ema;
    born_step *step;
} task;

typedef struct plan_case {
    born_optim_kind kind;
    born_optim_desc optim;
    double weight_decay;
    bool images, ema;
    int threads;
    born_dtype dtype;           /* 0: f32 */
} plan_case;

static born_module *network(born_backend *b, const plan_case *c)
{
    born_module *net = born_module_create_with(b, &(born_module_desc){ .seed = 3, .dtype = c->dtype });
    if (c->images) {
        born_conv2d(net, NULL, 3, 4, BORN_INTS(3), NULL);
        born_batch_norm2d(net, NULL, 4, NULL);
        born_relu_layer(net, NULL);
        born_flatten_layer(net, NULL, 1, -1, NULL);
        born_linear(net, NULL, 4 * 2 * 2, 16, NULL);
    } else {
        born_linear(net, NULL, WIDE * 4, 16, NULL);
        born_layer_norm_layer(net, NULL, BORN_INTS(16), NULL);
    }
    born_gelu_layer(net, NULL);
    born_dropout_layer(net, NULL, 0.25, NULL);
    born_linear(net, NULL, 16, CLASSES, NULL);
    return net;
}

static born_status open_task(task *t, const plan_case *c, bool eager, born_error *err)
{
    *t = (task){ .b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = c->threads }))) };
    t->net = network(t->b, c);
    t->opt = born_optim_create_sized(c->kind, t->net, 0.02, c->weight_decay, &c->optim, sizeof c->optim);
    if (c->ema) t->ema = born_ema_create(t->net, 0.9);
    return born_step_open(&(born_step_desc){ .net = t->net, .optim = t->opt, .ema = t->ema, .eager = eager }, &t->step,
                          err);
}

static void close_task(task *t)
{
    born_step_close(&t->step);
    born_ema_close(&t->ema);
    born_optim_close(&t->opt);
    born_module_close(&t->net);
    CHECK_MSG(!born_backend_error(t->b)->status, "%s", born_backend_error(t->b)->text);
    born_backend_close(&t->b);
}

static float pixels[STEPS][BATCH][3 * 4 * 4];
static int64_t classes[STEPS][BATCH];

static void fill(void)
{
    uint32_t r = 1;
    for (int s = 0; s < STEPS; s++)
        for (int i = 0; i < BATCH; i++) {
            for (int k = 0; k < 48; k++) {
                r = r * 1664525u + 1013904223u;
                pixels[s][i][k] = (float)(r >> 8) / (float)(1 << 23) - 1;
            }
            classes[s][i] = (int64_t)(r >> 9) % CLASSES;
        }
}

static void batch_of(int step, int64_t n, bool images, born_array *f)
{
    born_shape x = images ? BORN_SHAPE(n, 3, 4, 4) : BORN_SHAPE(n, 48);
    f[0] = (born_array){ BORN_F32, x, pixels[step], 0 };
    f[1] = (born_array){ BORN_I64, BORN_SHAPE(n), classes[step], 0 };
}

typedef struct same_ctx {
    const task *other;
    int different, seen;
} same_ctx;

static void compare(same_ctx *c, const char *path, born_tensor a, born_tensor b)
{
    born_shape s = born_shape_of(a);
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    size_t bytes = (size_t)born_dtype_bytes(born_dtype_of(a), n);
    char *x = malloc(bytes + 1), *y = malloc(bytes + 1);
    bool same = x && y && !born_read(a, x, bytes) && !born_read(b, y, bytes) && !memcmp(x, y, bytes);
    CHECK_MSG(same, "%s differs", path);
    c->different += !same;
    c->seen++;
    free(x), free(y);
}

static bool compare_weight(void *user, const born_module_item *item)
{
    same_ctx *c = user;
    compare(c, item->path, item->value, born_module_find(c->other->net, item->path));
    return true;
}

typedef struct find_ctx { const char *path; born_optim_item found; } find_ctx;
static bool find_state(void *user, const born_optim_item *item)
{
    find_ctx *f = user;
    if (strcmp(f->path, item->path) != 0) return true;
    f->found = *item;
    return false;
}

static bool compare_state(void *user, const born_optim_item *item)
{
    same_ctx *c = user;
    find_ctx f = { .path = item->path };
    CHECK_OK(born_optim_each(c->other->opt, find_state, &f), NULL);
    CHECK_MSG(item->number == f.found.number, "%s: %g, not %g", item->path, item->number, f.found.number);
    if (item->value.w && f.found.value.w) compare(c, item->path, item->value, f.found.value);
    CHECK_INT(item->value.w != 0, f.found.value.w != 0);
    return true;
}

static void same_tasks(const task *a, const task *b)
{
    same_ctx c = { .other = b };
    born_error err = { 0 };

    CHECK_OK(born_step_sync(a->step, &err), &err);
    CHECK_OK(born_step_sync(b->step, &err), &err);
    CHECK_OK(born_module_each(a->net, compare_weight, &c), NULL);
    CHECK_OK(born_optim_each(a->opt, compare_state, &c), NULL);
    CHECK(c.seen > 4);
    if (a->ema) compare(&c, "average", born_ema_find(a->ema, "1.weight"), born_ema_find(b->ema, "1.weight"));
}

static const plan_case cases[] = {
    { .kind = BORN_SGD, .threads = 1 },
    { .kind = BORN_SGD, .optim = { .momentum = 0.9, .nesterov = true }, .weight_decay = 1e-3, .images = true,
      .threads = 2 },
    { .kind = BORN_ADAM, .optim = { .amsgrad = true, .clip_norm = 0.5 }, .threads = 2 },
    { .kind = BORN_ADAMW, .weight_decay = 0.01, .images = true, .ema = true, .threads = 1 },
    { .kind = BORN_RMSPROP, .optim = { .centered = true, .momentum = 0.5 }, .threads = 1 },
    { .kind = BORN_LAMB, .weight_decay = 0.01, .images = true, .threads = 1 },
    { .kind = BORN_NADAM, .threads = 1 },
    { .kind = BORN_LION, .optim = { .clip_value = 0.01 }, .threads = 2 },
    { .kind = BORN_ADAGRAD, .threads = 1 },
    { .kind = BORN_ADAMW, .weight_decay = 0.01, .images = true, .threads = 2, .dtype = BORN_BF16 },
};

/* Batches of two sizes: the second does not fit the plan and is run eagerly between. */
TEST(planned_steps_equal_eager_steps)
{
    born_error err = { 0 };
    born_array f[2], scores[2];
    double loss[2];

    fill();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        task t[2];
        born_step_stats stats;
        REQUIRE_OK(open_task(&t[0], &cases[i], false, &err), &err);
        REQUIRE_OK(open_task(&t[1], &cases[i], true, &err), &err);
        for (int k = 0; k < 2 * STEPS; k++) {
            batch_of(0, BATCH, cases[i].images, f);
            if (k == 0) CHECK_OK(born_step_plan(t[0].step, f, 2, &err), &err);
            batch_of(k % STEPS, k == 7 ? BATCH / 2 : BATCH, cases[i].images, f);
            for (int e = 0; e < 2; e++) {
                loss[e] = 0;
                CHECK_OK(born_step_run(t[e].step, f, 2, &loss[e], &scores[e], &err), &err);
            }
            CHECK_MSG(loss[0] == loss[1] && loss[0] > 0, "case %zu step %d: %.9g, eager %.9g", i, k, loss[0], loss[1]);
            CHECK(scores[0].shape.rank == 2 && scores[0].bytes == scores[1].bytes && scores[0].bytes > 0);
            if (scores[0].bytes == scores[1].bytes) CHECK(!memcmp(scores[0].data, scores[1].data, scores[0].bytes));
            for (int e = 0; e < 2 && k == 4; e++) CHECK_OK(born_optim_set(t[e].opt, 0, "lr", 0.01), NULL);
        }
        same_tasks(&t[0], &t[1]);
        born_step_stats_get(t[0].step, &stats);
        CHECK_INT(stats.eager_runs, cases[i].ema ? 2 : 1);
        CHECK(stats.planned && stats.peak_bytes > stats.weight_bytes && stats.weight_bytes > 0 && stats.flops > 0);
        close_task(&t[0]);
        close_task(&t[1]);
    }
}

TEST(a_plan_changes_nothing)
{
    born_error err = { 0 };
    born_array f[2];
    task t[2];
    double loss;

    fill();
    for (int e = 0; e < 2; e++) REQUIRE_OK(open_task(&t[e], &cases[3], false, &err), &err);
    batch_of(0, BATCH, true, f);
    CHECK_OK(born_step_plan(t[0].step, f, 2, &err), &err);
    for (int e = 0; e < 2; e++) CHECK_OK(born_step_run(t[e].step, f, 2, &loss, NULL, &err), &err);
    same_tasks(&t[0], &t[1]);
    close_task(&t[0]);
    close_task(&t[1]);
}

TEST(nothing_is_allocated_after_the_second_step)
{
    born_error err = { 0 };
    born_array f[2], scores;
    double loss;
    uint64_t before = 0;

    fill();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        task t;
        if (cases[i].ema) continue;
        REQUIRE_OK(open_task(&t, &cases[i], false, &err), &err);
        for (int k = 0; k < STEPS; k++) {
            if (k == 2) before = born__alloc_calls();
            batch_of(k, BATCH, cases[i].images, f);
            CHECK_OK(born_step_run(t.step, f, 2, &loss, &scores, &err), &err);
        }
        CHECK_INT(born__alloc_calls() - before, 0);
        close_task(&t);
    }
}

/* A batch with a NaN, a weight with an infinity, and numbers that overflow inside: named, and nothing has changed. */
TEST(a_bad_loss_names_the_first_bad_tensor)
{
    born_error err = { 0 };
    born_array f[2];
    double loss;

    fill();
    for (int eager = 0; eager < 2; eager++) {
        task t[2];
        for (int e = 0; e < 2; e++) REQUIRE_OK(open_task(&t[e], &cases[1], eager, &err), &err);
        for (int k = 0; k < 3; k++) {
            batch_of(k, BATCH, true, f);
            for (int e = 0; e < 2; e++) CHECK_OK(born_step_run(t[e].step, f, 2, &loss, NULL, &err), &err);
            if (k == 1) continue;
            pixels[k][3][5] = NAN;
            CHECK_INT(born_step_run(t[0].step, f, 2, &loss, NULL, &err), BORN_RANGE);
            char want[96];
            snprintf(want, sizeof want, "step %d: the loss is nan: field 0 of the batch holds the first nan", k + 2);
            CHECK_TEXT(err.text, want);
            pixels[k][3][5] = 0;
        }
        same_tasks(&t[0], &t[1]);

        const float inf = INFINITY;
        float w[16 * 16] = { 0 };
        w[7] = inf;
        CHECK_OK(born_module_copy_in(t[0].net, "4.weight", (born_array){ BORN_F32, BORN_SHAPE(16, 16), w, 0 }, &err),
                 &err);
        born_step_changed(t[0].step);
        CHECK_INT(born_step_run(t[0].step, f, 2, &loss, NULL, &err), BORN_RANGE);
        CHECK_MSG(strstr(err.text, "parameter 4.weight, since step 3 holds the first inf") != NULL, "%s", err.text);
        for (int i = 0; i < 16 * 16; i++) w[i] = 3e38f;
        CHECK_OK(born_module_copy_in(t[0].net, "4.weight", (born_array){ BORN_F32, BORN_SHAPE(16, 16), w, 0 }, &err),
                 &err);
        born_step_changed(t[0].step);
        CHECK_INT(born_step_run(t[0].step, f, 2, &loss, NULL, &err), BORN_RANGE);
        CHECK_MSG(strstr(err.text, "the output of 4 (Linear) holds the first inf") != NULL, "%s", err.text);
        close_task(&t[0]);
        close_task(&t[1]);
        fill();
    }
}

/* Every way of stepping says what is wrong in the words of the operator that found it, and goes on afterwards. */
TEST(a_label_out_of_range_is_named)
{
    static const plan_case kinds[] = { { .kind = BORN_ADAM, .threads = 1 }, { .kind = BORN_LBFGS, .threads = 1 } };
    born_error err = { 0 };
    born_array f[2];
    double loss;

    for (int k = 0; k < 3; k++) {
        task t;
        fill();
        REQUIRE_OK(open_task(&t, &kinds[k == 2], k > 0, &err), &err);
        batch_of(0, BATCH, false, f);
        classes[0][2] = CLASSES;
        CHECK_INT(born_step_run(t.step, f, 2, &loss, NULL, &err), BORN_RANGE);
        CHECK_MSG(strstr(err.text, "nan") == NULL && strstr(err.text, "5") != NULL, "%s", err.text);
        classes[0][2] = 1;
        CHECK_OK(born_step_run(t.step, f, 2, &loss, NULL, &err), &err);
        pixels[0][1][7] = NAN;
        CHECK_INT(born_step_run(t.step, f, 2, &loss, NULL, &err), BORN_RANGE);
        CHECK_MSG(strstr(err.text, "field 0 of the batch holds the first nan") != NULL, "%s", err.text);
        pixels[0][1][7] = 0;
        CHECK_OK(born_step_run(t.step, f, 2, &loss, NULL, &err), &err);
        close_task(&t);
    }
}

TEST(hostile_steps)
{
    born_error err = { 0 };
    born_step *s = NULL;
    born_array f[2];
    double loss;
    task t, other;

    fill();
    REQUIRE_OK(open_task(&t, &cases[0], false, &err), &err);
    REQUIRE_OK(open_task(&other, &cases[0], false, &err), &err);
    CHECK_INT(born_step_open(&(born_step_desc){ .net = t.net }, &s, &err), BORN_INVALID);
    CHECK_INT(born_step_open(&(born_step_desc){ .net = t.net, .optim = other.opt }, &s, &err), BORN_STATE);
    CHECK(!s);
    batch_of(0, BATCH, false, f);
    CHECK_INT(born_step_run(t.step, f, 0, &loss, NULL, &err), BORN_INVALID);
    CHECK_INT(born_step_run(t.step, f, 1, &loss, NULL, &err), BORN_STATE);
    CHECK_OK(born_step_run(t.step, f, 2, &loss, NULL, &err), &err);
    f[0].shape = BORN_SHAPE(BATCH, 47);
    CHECK_INT(born_step_run(t.step, f, 2, &loss, NULL, &err), BORN_SHAPE);
    classes[0][2] = CLASSES;
    batch_of(0, BATCH, false, f);
    CHECK_INT(born_step_run(t.step, f, 2, &loss, NULL, &err), BORN_RANGE);
    born_step *small = NULL;
    CHECK_OK(born_step_open(&(born_step_desc){ .net = t.net, .optim = t.opt, .max_bytes = 4096 }, &small, &err), &err);
    batch_of(1, BATCH, false, f);
    CHECK_INT(born_step_run(small, f, 2, &loss, NULL, &err), BORN_NOMEM);
    born_step_close(&small);
    close_task(&t);
    close_task(&other);
}

TEST_MAIN

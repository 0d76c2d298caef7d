/* Trees of modules: paths, tensors, ties, walks, training mode, freezing, keys; a module of one's own that learns. */
#include <born/born.h>
#include <string.h>

#include "../harness.h"

/* y = x * w: its own kind, as a user would write it. */
static void scale_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    (void)n_in, (void)n_out;
    out[0] = (born_mul)(in[0], born_module_tensor(self, "w"), at);
}
static const born_module_ops scale_ops = { .name = "Scale", .forward = scale_forward };

static born_module *scale(born_module *parent, const char *name, float w)
{
    born_module *m = born_module_define(parent, name, &scale_ops, NULL, 0);
    (void)born_module_add(m, "w", BORN_PARAM, BORN_ARRAY(&w, 1));
    return m;
}

typedef struct list { char text[512]; } list;
static bool add_path(void *user, const born_module_item *item)
{
    list *l = user;
    strcat(l->text, item->path);
    strcat(l->text, item->again ? "* " : item->frozen ? "! " : " ");
    return true;
}

static born_backend *chain(void)
{
    return born_autodiff(born_cpu(&(born_cpu_desc){ .threads = 1 }));
}

TEST(paths_ties_and_walks)
{
    born_backend *b = chain();
    born_module *net = born_module_create(b), *layers = born_module_group(net, "layers");
    born_module *first = scale(layers, NULL, 2), *second = scale(layers, NULL, 3);
    list l = { "" };

    born_module_tie(net, "shared", second, "w");
    CHECK(born_module_each(net, add_path, &l) == BORN_OK);
    CHECK_TEXT(l.text, "shared layers.0.w layers.1.w* ");
    CHECK(born_module_param_count(net) == 2);
    l.text[0] = '\0';
    born_module_freeze(first, true);
    CHECK(born_module_each(layers, add_path, &l) == BORN_OK);
    CHECK_TEXT(l.text, "0.w! 1.w ");
    CHECK(born_module_find(net, "layers.1.w").w == born_module_tensor(second, "w").w);
    CHECK(born_module_find(net, "layers.2.w").w == 0);
    CHECK(born_module_get(layers, "1") == second && born_module_child(layers, 1) == second);
    born_module_train(layers, false);
    CHECK(born_module_training(net) && !born_module_training(second));
    CHECK_TEXT(born_module_kind(second), "Scale");
    born_backend_close(&b); /* before the module: it holds the chain */
    born_module_close(&net);
    CHECK(net == NULL);
}

TEST(forward_and_gradients)
{
    born_backend *b = chain();
    born_module *net = born_module_create(b), *f = scale(net, NULL, 2), *g = scale(net, NULL, 3);
    float x[3] = { 1, 2, 3 }, y = 0, dw = 0;
    born_scope s = born_scope_begin(b);
    born_f32 loss = born_reduce_sum(born_forward(net, born_from_f32(b, BORN_ARRAY(x, 3))), BORN_INTS(0), NULL);

    loss = born_reshape(loss, BORN_SHAPE(1));
    CHECK(born_item_f32(loss, &y) == BORN_OK && y == 36);
    CHECK(born_backward(loss) == BORN_OK);
    CHECK((born_item)(born_grad_of(born_module_tensor(f, "w")), BORN_F32, &dw) == BORN_OK && dw == 18);
    CHECK((born_item)(born_grad_of(born_module_tensor(g, "w")), BORN_F32, &dw) == BORN_OK && dw == 12);
    born_scope_end(s);
    born_module_freeze(f, true);
    born_grad_clear(born_module_tensor(f, "w"));
    s = born_scope_begin(b);
    loss = born_reshape(born_reduce_sum(born_forward(net, born_from_f32(b, BORN_ARRAY(x, 3))), BORN_INTS(0), NULL),
                        BORN_SHAPE(1));
    CHECK(born_backward(loss) == BORN_OK);
    CHECK(born_grad_of(born_module_tensor(f, "w")).w == 0);
    born_scope_end(s);
    CHECK(born_backend_error(b)->status == BORN_OK);
    born_module_close(&net);
    born_backend_close(&b);
}

TEST(keys_differ_by_place_call_and_step)
{
    born_backend *b = chain();
    born_module *net = born_module_create(b), *f = scale(net, "f", 1), *g = scale(net, "g", 1);
    int64_t k[5] = { 0 };
    born_scope s = born_scope_begin(b);

    CHECK((born_item)(born_module_key(f), BORN_I64, &k[0]) == BORN_OK);
    CHECK((born_item)(born_module_key(f), BORN_I64, &k[1]) == BORN_OK);
    CHECK((born_item)(born_module_key(g), BORN_I64, &k[2]) == BORN_OK);
    born_module_next_step(net);
    CHECK((born_item)(born_module_key(f), BORN_I64, &k[3]) == BORN_OK);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++) CHECK(k[i] != k[j]);
    born_scope_end(s);
    born_module *again = born_module_create(b);
    s = born_scope_begin(b);
    CHECK((born_item)(born_module_key(scale(again, "f", 1)), BORN_I64, &k[4]) == BORN_OK && k[4] == k[0]);
    born_scope_end(s);
    born_module_close(&again);
    born_module_close(&net);
    born_backend_close(&b);
}

/* A block with dropout and running statistics, computed once and computed again: the same gradients, the statistics
   updated once. */
static void block_gradients(bool again, float g[6], float stats[2])
{
    born_backend *b = chain();
    born_module *net = born_module_create(b), *m = born_module_group(net, "m");
    born_linear_desc bare = { .no_bias = true };
    float x[12];
    born_scope s = born_scope_begin(b);

    (void)born_linear(m, NULL, 3, 2, &bare);
    (void)born_dropout_layer(m, NULL, 0.5, NULL);
    (void)born_batch_norm1d(m, NULL, 2, NULL);
    (void)born_elu_layer(m, NULL, 1);
    for (int i = 0; i < 12; i++) x[i] = (float)(i * i % 7) - 3;
    born_tensor in = (born_from)(b, BORN_ARRAY(x, 4, 3), BORN_F32, NULL), out;
    if (again) CHECK(born_module_recompute(m, &in, 1, &out, 1) == BORN_OK);
    else born_forward_n(m, &in, 1, &out, 1);
    out = (born_reduce_sum)((born_square)(out, NULL), (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true },
                            NULL);
    CHECK(born_backward(out) == BORN_OK);
    CHECK((born_read)((born_grad_of)(born_module_find(m, "0.weight")), g, 6 * sizeof *g) == BORN_OK);
    CHECK((born_read)(born_module_find(m, "2.running_mean"), stats, 2 * sizeof *stats) == BORN_OK);
    born_scope_end(s);
    CHECK(born_backend_error(b)->status == BORN_OK);
    born_module_close(&net);
    born_backend_close(&b);
}

TEST(a_checkpoint_draws_and_counts_once)
{
    float g[2][6], stats[2][2];

    block_gradients(false, g[0], stats[0]);
    block_gradients(true, g[1], stats[1]);
    CHECK(!memcmp(g[0], g[1], sizeof g[0]) && !memcmp(stats[0], stats[1], sizeof stats[0]) && g[0][0] != 0);
}

TEST(mistakes_are_errors_of_the_chain)
{
    born_backend *b = chain();
    born_error err;
    born_module *net = born_module_create(b), *m = scale(net, "a", 1), *twice = scale(net, "a", 1);

    born_backend_take_error(b, &err);
    CHECK(err.status == BORN_INVALID && strstr(err.text, "there is a child 'a' already"));
    CHECK(!born_is_alive((born_forward)(twice, born_module_tensor(m, "w"), NULL)));
    CHECK_TEXT(born_module_kind(twice), "dead");
    (void)born_module_add(m, "w", BORN_PARAM, BORN_ARRAY((float[]){ 1 }, 1));
    born_backend_take_error(b, &err);
    CHECK(err.status == BORN_INVALID && strstr(err.text, "Scale a: 'w' exists already"));
    (void)born_module_group(net, "a.b");
    born_backend_take_error(b, &err);
    CHECK(err.status == BORN_INVALID && strstr(err.text, "cannot be named"));
    born_module_close(&net);
    net = born_module_create(NULL);
    CHECK_TEXT(born_module_kind(net), "dead");
    born_module_close(&net);
    born_backend_close(&b);
}
TEST_MAIN

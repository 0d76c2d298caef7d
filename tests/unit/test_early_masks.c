/* The pass that masks what goes back through a max pool before it is spread: same bits, the image read once less; and
   graphs that look alike but are not are left alone. */
#include "graph_helpers.h"

#include <math.h>

enum { IMAGE = 2 * 3 * 6 * 7, POOLED = 2 * 3 * 3 * 4 };

#define HEAD                                                                                                          \
    "graph \"\"\ninput %0 \"x\" f32 [2,3,6,7]\ninput %1 \"g\" f32 [2,3,3,4]\nconst %2 \"\" f32 [] 00000000\n"
#define POOL "{kernel_shape=[3,2], strides=[2,2], pads=[1,1,0,0], ceil_mode=false}"

static void make_data(float *x, float *g)
{
    for (int i = 0; i < IMAGE; i++) x[i] = (float)(i * 37 % 23 - 11) * 0.25f;
    for (int i = 0; i < POOLED; i++) g[i] = (float)(i * 29 % 17 - 8) * 0.5f;
    x[5] = NAN;
    x[40] = -0.0f;
    x[41] = INFINITY;
    g[3] = -0.0f;
    for (int i = 60; i < 84; i++) x[i] = -1;        /* windows where relu gives only zeros */
}

static int64_t run(born_model *m, float *out)
{
    float x[IMAGE], g[POOLED];
    born_session *s = NULL;
    born_error err = { 0 };
    int64_t n = -1;

    make_data(x, g);
    const born_array in[2] = { BORN_ARRAY(x, 2, 3, 6, 7), BORN_ARRAY(g, 2, 3, 3, 4) };
    if (m && CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = 1 }, &s, &err), &err))
        n = run_f32(s, in, 2, out, IMAGE);
    born_session_close(&s);
    return n;
}

/* Runs the text with and without the pass; *moved: the condition is no longer over the image. */
static void compare(const char *text, bool *moved)
{
    float with[IMAGE], without[IMAGE];
    born_model *a = model_of_text(text, "fuse_elementwise"), *b = model_of_text(text, "all");

    CHECK_INT(run(a, with), IMAGE);
    CHECK_INT(run(b, without), IMAGE);
    CHECK(!memcmp(with, without, sizeof with));
    *moved = false;
    for (size_t k = 0; a && k < a->graph->node_count; k++) {
        const born_gnode *n = &a->graph->node[k];
        if (!strcmp(n->op->name, "gt")) *moved = a->graph->value[n->in[0]].dim[3] == 4;
    }
    born_model_close(&a);
    born_model_close(&b);
}

TEST(a_mask_behind_the_gradient_of_a_pool_moves_before_it)
{
    bool moved;

    compare(HEAD "node relu \"\" (%0) -> (%3 \"r\" ? ?) {}\n"
                 "node max_pool \"\" (%3) -> (%4 \"p\" ? ?) " POOL "\n"
                 "node max_pool_grad \"\" (%1, %3) -> (%5 \"d\" ? ?) " POOL "\n"
                 "node gt \"\" (%3, %2) -> (%6 \"c\" ? ?) {}\n"
                 "node where \"\" (%6, %5, %2) -> (%7 \"y\" ? ?) {}\noutput %7\noutput %4\nend\n",
            &moved);
    CHECK(moved);
}

TEST(what_is_no_such_mask_stays)
{
    bool moved;

    /* another window */
    compare(HEAD "node relu \"\" (%0) -> (%3 \"r\" ? ?) {}\n"
                 "node max_pool \"\" (%3) -> (%4 \"p\" ? ?) {kernel_shape=[2,2], strides=[2,2], pads=[0,1,0,0]}\n"
                 "node max_pool_grad \"\" (%1, %3) -> (%5 \"d\" ? ?) " POOL "\n"
                 "node gt \"\" (%3, %2) -> (%6 \"c\" ? ?) {}\n"
                 "node where \"\" (%6, %5, %2) -> (%7 \"y\" ? ?) {}\noutput %7\noutput %4\nend\n",
            &moved);
    CHECK(!moved);
    /* a condition over something else */
    compare(HEAD "node relu \"\" (%0) -> (%3 \"r\" ? ?) {}\n"
                 "node max_pool \"\" (%3) -> (%4 \"p\" ? ?) " POOL "\n"
                 "node max_pool_grad \"\" (%1, %3) -> (%5 \"d\" ? ?) " POOL "\n"
                 "node gt \"\" (%0, %2) -> (%6 \"c\" ? ?) {}\n"
                 "node where \"\" (%6, %5, %2) -> (%7 \"y\" ? ?) {}\noutput %7\noutput %4\nend\n",
            &moved);
    CHECK(!moved);
    /* the gradient is read by another, too */
    compare(HEAD "node relu \"\" (%0) -> (%3 \"r\" ? ?) {}\n"
                 "node max_pool \"\" (%3) -> (%4 \"p\" ? ?) " POOL "\n"
                 "node max_pool_grad \"\" (%1, %3) -> (%5 \"d\" ? ?) " POOL "\n"
                 "node gt \"\" (%3, %2) -> (%6 \"c\" ? ?) {}\n"
                 "node where \"\" (%6, %5, %2) -> (%7 \"y\" ? ?) {}\noutput %7\noutput %5\noutput %4\nend\n",
            &moved);
    CHECK(!moved);
}

TEST_MAIN

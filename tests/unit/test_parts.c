/* Parts that lie in the whole (graph/parts.h): where attention alone reads what a split gives, and a concat joins what
   its gradient makes, neither is run; the bits are those of the copies. Where anybody else reads a part, both are. */
#include "graph_helpers.h"

#include "graph/frame.h"
#include "graph/structure.h"

enum { COUNT = 2 * 4 * 24 };

#define ATTN "{q_num_heads=2, kv_num_heads=2, is_causal=true}"
#define HEAD "graph \"\"\ninput %0 \"x\" f32 [2,4,24]\ninput %1 \"g\" f32 [2,4,8]\n"
#define BODY                                                                                                          \
    "node split \"\" (%0) -> (%2 \"q\" ? ?, %3 \"k\" ? ?, %4 \"v\" ? ?) {axis=-1, num_outputs=3}\n"                   \
    "node attention \"\" (%2, %3, %4) -> (%5 \"y\" ? ?) " ATTN "\n"                                                   \
    "node attention_grad \"\" (%2, %3, %4, %5, %1) -> (%6 \"dq\" ? ?, %7 \"dk\" ? ?, %8 \"dv\" ? ?) " ATTN "\n"

/* The second result of a run; *calls: how many of its nodes were run. */
static bool run(const char *text, int threads, float *out, int *calls, int *partners)
{
    float x[COUNT], g[COUNT / 3];
    born_error err = { 0 };
    born_session *s = NULL;
    born_model *m = model_of_text(text, NULL);
    bool ok = m != NULL;

    for (int i = 0; i < COUNT; i++) x[i] = (float)(i * 37 % 23 - 11) * 0.11f;
    for (int i = 0; i < COUNT / 3; i++) g[i] = (float)(i * 29 % 17 - 8) * 0.3f;
    const born_array in[2] = { BORN_ARRAY(x, 2, 4, 24), BORN_ARRAY(g, 2, 4, 8) };
    ok = ok && CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = threads }, &s, &err), &err);
    for (int again = 0; again < 2 && ok; again++) ok = CHECK_INT(run_f32(s, in, 2, out, COUNT), COUNT);
    *calls = ok ? (int)s->frame->now->segment[0].plan.count : 0;
    *partners = 0;
    for (size_t k = 0; ok && k < m->graph->node_count; k++) *partners += m->graph->structure->partner[k] >= 0;
    born_session_close(&s);
    born_model_close(&m);
    return ok;
}

/* `shared` leaves out two calls that `copied` runs; same bits. */
static void compare(const char *shared, const char *copied)
{
    float a[COUNT], b[COUNT];
    int calls[2], partners[2];

    for (int threads = 1; threads <= 2; threads++) {
        REQUIRE(run(shared, threads, a, &calls[0], &partners[0]) && run(copied, threads, b, &calls[1], &partners[1]));
        CHECK(!memcmp(a, b, sizeof a));
        CHECK_INT(calls[0] + 2, calls[1]);
        CHECK_INT(partners[0], 3);
        CHECK_INT(partners[1], 0);
    }
}

TEST(parts_lie_in_the_whole)
{
    compare(HEAD BODY "node concat \"\" (%6, %7, %8) -> (%9 \"d\" ? ?) {axis=-1}\n"
                      "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\nend\n",
            HEAD BODY "node concat \"\" (%6, %7, %8) -> (%9 \"d\" ? ?) {axis=-1}\n"
                      "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\noutput %3\noutput %8\nend\n");
}

TEST(parts_in_another_order)
{
    compare(HEAD BODY "node concat \"\" (%8, %6, %7) -> (%9 \"d\" ? ?) {axis=2}\n"
                      "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\nend\n",
            HEAD BODY "node concat \"\" (%8, %6, %7) -> (%9 \"d\" ? ?) {axis=2}\n"
                      "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\noutput %9\noutput %2\nend\n");
}

TEST(parts_along_a_middle_axis)
{
    compare(HEAD BODY "node concat \"\" (%6, %7, %8) -> (%9 \"d\" ? ?) {axis=1}\n"
                      "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\nend\n",
            HEAD BODY "node concat \"\" (%6, %7, %8) -> (%9 \"d\" ? ?) {axis=1}\n"
                      "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\noutput %2\noutput %6\nend\n");
}

TEST(what_others_read_is_copied)
{
    float out[COUNT];
    int calls, partners;

    /* a part and a gradient that an elementwise node reads as well: split, attention, its gradient, concat, 3 others */
    REQUIRE(run(HEAD BODY "node concat \"\" (%6, %7, %8) -> (%9 \"d\" ? ?) {axis=-1}\n"
                          "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\nnode relu \"\" (%2) -> (%11 \"a\" ? ?) {}\n"
                          "node exp \"\" (%7) -> (%12 \"b\" ? ?) {}\noutput %10\noutput %11\noutput %12\nend\n",
                1, out, &calls, &partners));
    CHECK_INT(calls, 7);
    CHECK_INT(partners, 0);
    /* one gradient twice, another not at all */
    REQUIRE(run(HEAD BODY "node concat \"\" (%6, %7, %7) -> (%9 \"d\" ? ?) {axis=-1}\n"
                          "node neg \"\" (%9) -> (%10 \"y\" ? ?) {}\noutput %10\nend\n", 1, out, &calls, &partners));
    CHECK_INT(calls, 4);
    CHECK_INT(partners, 1);
}

TEST_MAIN

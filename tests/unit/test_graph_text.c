/* The text of a graph reads back to the same graph, and bad texts and bad graphs are refused with a status. */
#include "graph_helpers.h"

static const char *const sample =
    "graph \"main\"\n"
    "input %0 \"x\" f32 [?n,4]\n"
    "const %1 \"w\" f32 [4] 0000803f000000400000404000008040\n"
    "const %2 \"one\" f32 [4] splat 0000803f\n"
    "node mul \"m\" (%0, %1) -> (%3 \"a\" f32 [?n,4]) {}\n"
    "node leaky_relu \"\" (%3) -> (%4 \"b\" ? ?) {alpha=0.5}\n"
    "output %4\n"
    "end\n";

TEST(round_trip)
{
    born_graph *g = NULL, *h = NULL;
    char *one = NULL, *two = NULL;
    born_error err = { 0 };

    REQUIRE(CHECK_OK(born__graph_parse(sample, NULL, NULL, &g, &err), &err));
    REQUIRE(CHECK_OK(born__graph_text(g, &one, &err), &err));
    REQUIRE(CHECK_OK(born__graph_parse(one, NULL, NULL, &h, &err), &err));
    REQUIRE(CHECK_OK(born__graph_text(h, &two, &err), &err));
    CHECK_TEXT(one, two);
    CHECK_INT(g->node_count, 2);
    CHECK(strstr(one, "?n") != NULL);
    born__free(one);
    born__free(two);
    born__graph_free(&g);
    born__graph_free(&h);
}

TEST(every_cut_text_is_refused)
{
    size_t n = strlen(sample);

    for (size_t cut = 0; cut + 5 < n; cut++) { /* the last line may lose its newline */
        char *text = born__strdup_n(sample, cut);
        born_graph *g = NULL;
        born_error err = { 0 };
        REQUIRE(text);
        CHECK_MSG(born__graph_parse(text, NULL, NULL, &g, &err) != BORN_OK && !g, "cut at %zu was accepted", cut);
        born__graph_free(&g);
        born__free(text);
    }
}

TEST(bad_graphs_are_refused)
{
    static const char
        *const
            bad[] = {
                "graph \"\"\nnode relu \"\" (%0) -> (%1 \"\" ? ?) {}\noutput %1\nend\n", /* undefined input */
                "graph \"\"\ninput %0 \"\" f32 [1]\nnode relu \"\" (%0) -> (%0 \"\" ? ?) {}\nend\n", /* defined twice */
                "graph \"\"\ninput %0 \"\" f32 [1]\ninput %0 \"\" f32 [1]\nend\n", /* input twice */
                ("graph \"\"\nnode add \"\" (%1, %1) -> (%2 \"\" ? ?) {}\nnode relu \"\" (%2) -> (%1 \"\" ? ?) "
                 "{}\nend\n"), /* cycle */
                "graph \"\"\ninput %0 \"\" f32 [1]\nnode relu \"\" (%0, %0) -> (%1 \"\" ? ?) {}\nend\n", /* arity */
                "graph \"\"\noutput %5\nend\n", /* no such value */
                "graph \"\"\nconst %0 \"\" f32 [-1] 00\nend\n", /* negative size */
                "graph \"\"\nconst %0 \"\" f32 [4611686018427387904,4] named\nend\n", /* overflow */
            };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        born_graph *g = NULL;
        born_error err = { 0 };
        CHECK_MSG(born__graph_parse(bad[i], NULL, NULL, &g, &err) != BORN_OK, "graph %zu was accepted", i);
        CHECK(err.text[0] != 0);
        born__graph_free(&g);
    }
}

TEST(nodes_are_sorted)
{
    static const char *const text = "graph \"\"\ninput %0 \"x\" f32 [2]\n"
                                    "node relu \"second\" (%1) -> (%2 \"b\" ? ?) {}\n"
                                    "node neg \"first\" (%0) -> (%1 \"a\" ? ?) {}\noutput %2\nend\n";
    born_graph *g = NULL;
    born_error err = { 0 };

    REQUIRE(CHECK_OK(born__graph_parse(text, NULL, NULL, &g, &err), &err));
    CHECK_TEXT(g->node[0].name, "first");
    CHECK_TEXT(g->node[1].name, "second");
    born__graph_free(&g);
}

TEST_MAIN

/* Sessions: results, shapes that change, no allocation once a set of shapes is known, tied state that grows, values
   that decide shapes, control flow, limits, refusals that change nothing. */
#include "graph_helpers.h"

static const char *const affine = "graph \"\"\n"
                                  "input %0 \"x\" f32 [?n,4]\n"
                                  "const %1 \"w\" f32 [4] 0000803f000000400000404000008040\n"
                                  "node mul \"m\" (%0, %1) -> (%2 \"a\" ? ?) {}\n"
                                  "node relu \"r\" (%2) -> (%3 \"y\" ? ?) {}\n"
                                  "output %3\nend\n";

static born_session *open_session(born_model *m, size_t max_bytes)
{
    born_session *s = NULL;
    born_error err = { 0 };

    CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = 1, .max_bytes = max_bytes }, &s, &err), &err);
    return s;
}

TEST(runs_and_allocates_nothing_again)
{
    float x[8] = { 1, -1, 2, -2, 3, -3, 4, -4 }, y[8];
    born_model *m = model_of_text(affine, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 0);
    REQUIRE(s);
    born_array two = BORN_ARRAY(x, 2, 4), one = BORN_ARRAY(x, 1, 4);

    CHECK_INT(run_f32(s, &two, 1, y, 8), 8);
    CHECK(y[0] == 1 && y[1] == 0 && y[2] == 6 && y[3] == 0 && y[4] == 3 && y[6] == 12);
    CHECK_INT(run_f32(s, &one, 1, y, 8), 4);
    uint64_t before = born__alloc_calls();
    for (int i = 0; i < 50; i++) {
        CHECK_INT(run_f32(s, i % 2 ? &one : &two, 1, y, 8), i % 2 ? 4 : 8);
        CHECK(y[2] == 6);
    }
    CHECK_INT(born__alloc_calls() - before, 0);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(bad_inputs_change_nothing)
{
    float x[8] = { 1, 2, 3, 4, 5, 6, 7, 8 }, y[8];
    double d[4] = { 0 };
    born_model *m = model_of_text(affine, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 0);
    REQUIRE(s);
    born_array good = BORN_ARRAY(x, 1, 4), wrong_dtype = BORN_ARRAY(d, 1, 4), wrong_shape = BORN_ARRAY(x, 4, 1);
    born_array short_bytes = good, no_data = good, out[3];
    born_error err = { 0 };

    short_bytes.bytes = 8;
    no_data.data = NULL;
    CHECK_INT(run_f32(s, &good, 1, y, 8), 4);
    CHECK_STATUS(born_session_run(s, &wrong_dtype, 1, out, 1, &err), BORN_DTYPE);
    CHECK_STATUS(born_session_run(s, &wrong_shape, 1, out, 1, &err), BORN_SHAPE);
    CHECK_STATUS(born_session_run(s, &short_bytes, 1, out, 1, &err), BORN_SHAPE);
    CHECK_STATUS(born_session_run(s, &no_data, 1, out, 1, &err), BORN_INVALID);
    CHECK_STATUS(born_session_run(s, &good, 0, out, 1, &err), BORN_INVALID);
    CHECK_STATUS(born_session_run(s, &good, 1, out, 3, &err), BORN_INVALID);
    CHECK_INT(run_f32(s, &good, 1, y, 8), 4);
    CHECK(y[3] == 16);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(limit_is_checked_before_memory_is_taken)
{
    static float x[1 << 16];
    born_model *m = model_of_text(affine, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 4096);
    REQUIRE(s);
    born_array big = BORN_ARRAY(x, 1 << 14, 4), out;
    born_error err = { 0 };

    CHECK_STATUS(born_session_run(s, &big, 1, &out, 1, &err), BORN_NOMEM);
    CHECK(strstr(err.text, "max_bytes") != NULL);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(growing_state)
{
    static const char *const text = "graph \"\"\n"
                                    "input %0 \"x\" f32 [1,2]\n"
                                    "input %1 \"past\" f32 [?t,2]\n"
                                    "node concat \"grow\" (%1, %0) -> (%2 \"present\" ? ?) {axis=0}\n"
                                    "node mul \"double\" (%2, %2) -> (%3 \"y\" ? ?) {}\n"
                                    "output %3\noutput %2\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 0);
    REQUIRE(s);
    born_error err = { 0 };
    born_array out[2];
    uint64_t calls = 0, late = 0;

    REQUIRE(CHECK_OK(born_session_tie(s, "present", "past", &err), &err));
    CHECK_STATUS(born_session_tie(s, "present", "nothing", &err), BORN_INVALID);
    for (int i = 0; i < 500; i++) {
        float x[2] = { (float)i, -1 };
        born_array in = BORN_ARRAY(x, 1, 2);
        const float *p;
        size_t n;
        calls = born__alloc_calls();
        REQUIRE(CHECK_OK(born_session_run(s, &in, 1, out, 2, &err), &err));
        late += i > 0 && born__alloc_calls() != calls;
        REQUIRE(CHECK_OK(born_array_f32(&out[0], &p, &n, &err), &err));
        CHECK_INT(n, 2 * (i + 1));
        CHECK(p[2 * i] == (float)i * (float)i && p[0] == 0 && p[2 * (i / 2)] == (float)(i / 2) * (float)(i / 2));
    }
    CHECK_MSG(late < 40, "%llu of 500 steps allocated", (unsigned long long)late);
    born_session_reset(s);
    float x[2] = { 7, 7 };
    born_array in = BORN_ARRAY(x, 1, 2);
    REQUIRE(CHECK_OK(born_session_run(s, &in, 1, out, 2, &err), &err));
    CHECK_INT(out[0].shape.dim[0], 1);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(elements_decide_shapes)
{
    static const char *const text = "graph \"\"\n"
                                    "input %0 \"x\" f32 [?a,?b]\n"
                                    "input %1 \"to\" i64 [?r]\n"
                                    "node reshape \"\" (%0, %1) -> (%2 \"y\" ? ?) {}\n"
                                    "node relu \"\" (%2) -> (%3 \"z\" ? ?) {}\n"
                                    "output %3\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 0);
    REQUIRE(s);
    float x[6] = { 1, -2, 3, -4, 5, -6 };
    int64_t to[2] = { 3, -1 }, one[1] = { 6 }, bad[2] = { 4, -1 };
    born_array in[2] = { BORN_ARRAY(x, 2, 3), BORN_ARRAY(to, 2) }, out;
    born_error err = { 0 };

    REQUIRE(CHECK_OK(born_session_run(s, in, 2, &out, 1, &err), &err));
    CHECK(out.shape.rank == 2 && out.shape.dim[0] == 3 && out.shape.dim[1] == 2);
    to[0] = 2;
    REQUIRE(CHECK_OK(born_session_run(s, in, 2, &out, 1, &err), &err));
    CHECK(out.shape.dim[0] == 2 && out.shape.dim[1] == 3);
    in[1] = BORN_ARRAY(one, 1);
    REQUIRE(CHECK_OK(born_session_run(s, in, 2, &out, 1, &err), &err));
    CHECK(out.shape.rank == 1 && ((const float *)out.data)[4] == 5);
    in[1] = BORN_ARRAY(bad, 2);
    CHECK(born_session_run(s, in, 2, &out, 1, &err) != BORN_OK);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(sizes_known_only_after_running)
{
    static const char *const text = "graph \"\"\n"
                                    "input %0 \"x\" f32 [?n]\n"
                                    "const %1 \"s\" i64 [1] ffffffffffffffff\n"
                                    "node nonzero \"\" (%0) -> (%2 \"i\" ? ?) {}\n"
                                    "node reshape \"\" (%2, %1) -> (%3 \"f\" ? ?) {}\n"
                                    "node gather \"\" (%0, %3) -> (%4 \"y\" ? ?) {axis=0}\n"
                                    "output %4\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 0);
    REQUIRE(s);
    float x[5] = { 0, 1, 0, 2, 3 }, y[5];
    born_array in = BORN_ARRAY(x, 5);

    CHECK_INT(run_f32(s, &in, 1, y, 5), 3);
    CHECK(y[0] == 1 && y[1] == 2 && y[2] == 3);
    x[0] = 9;
    CHECK_INT(run_f32(s, &in, 1, y, 5), 4);
    CHECK(y[0] == 9 && y[3] == 3);
    memset(x, 0, sizeof x);
    CHECK_INT(run_f32(s, &in, 1, y, 5), 0);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(control_flow)
{
    static const char *const text =
        "graph \"\"\n"
        "input %0 \"n\" i64 []\n"
        "input %1 \"x\" f32 [2]\n"
        "const %2 \"go\" bool [] 01\n"
        "node loop \"l\" (%0, %2, %1, %1) -> (%3 \"last\" ? ?, %4 \"all\" ? ?) {carried=1}\n"
        "  graph \"body\"\n"
        "  input %0 \"i\" i64 []\n"
        "  input %1 \"c\" bool []\n"
        "  input %2 \"v\" f32 [2]\n"
        "  input %3 \"captured\" f32 [2]\n"
        "  node add \"\" (%2, %3) -> (%4 \"next\" ? ?) {}\n"
        "  output %1\n"
        "  output %4\n"
        "  output %4\n"
        "  end\n"
        "output %4\noutput %3\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = open_session(m, 0);
    REQUIRE(s);
    int64_t n = 3;
    float x[2] = { 1, 10 };
    born_array in[2] = { { .dtype = BORN_I64, .data = &n }, BORN_ARRAY(x, 2) }, out[2];
    born_error err = { 0 };

    REQUIRE(CHECK_OK(born_session_run(s, in, 2, out, 2, &err), &err));
    CHECK(out[0].shape.rank == 2 && out[0].shape.dim[0] == 3 && out[0].shape.dim[1] == 2);
    const float *all = out[0].data, *last = out[1].data;
    CHECK(all[0] == 2 && all[1] == 20 && all[4] == 4 && all[5] == 40 && last[0] == 4 && last[1] == 40);
    n = 0;
    REQUIRE(CHECK_OK(born_session_run(s, in, 2, out, 2, &err), &err));
    CHECK(out[0].shape.dim[0] == 0 && ((const float *)out[1].data)[1] == 10);
    born_session_close(&s);
    born_model_close(&m);
}

/* max_steps counts the steps of a Scan as it counts a Loop's, all of them in one run. */
TEST(scan_steps_are_counted)
{
    static const char *const text =
        "graph \"\"\n"
        "input %0 \"h\" f32 [2]\n"
        "input %1 \"x\" f32 [?n,2]\n"
        "node scan \"s\" (%0, %1) -> (%2 \"last\" ? ?, %3 \"all\" ? ?) {num_scan_inputs=1, carried=1}\n"
        "  graph \"body\"\n"
        "  input %0 \"v\" f32 [2]\n"
        "  input %1 \"e\" f32 [2]\n"
        "  node add \"\" (%0, %1) -> (%2 \"next\" ? ?) {}\n"
        "  output %2\n"
        "  output %2\n"
        "  end\n"
        "output %3\noutput %2\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = NULL;
    born_error err = { 0 };
    float h[2] = { 1, 10 }, x[8] = { 1, 1, 2, 2, 3, 3, 4, 4 };
    born_array in[2] = { BORN_ARRAY(h, 2), BORN_ARRAY(x, 3, 2) }, out[2];

    REQUIRE(CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = 1, .max_steps = 3 }, &s, &err), &err));
    for (int i = 0; i < 2; i++) { /* each run has its own count */
        in[1] = BORN_ARRAY(x, 3, 2);
        REQUIRE(CHECK_OK(born_session_run(s, in, 2, out, 2, &err), &err));
        CHECK(((const float *)out[0].data)[4] == 7 && ((const float *)out[1].data)[1] == 16);
        in[1] = BORN_ARRAY(x, 4, 2);
        CHECK_STATUS(born_session_run(s, in, 2, out, 2, &err), BORN_CANCELLED);
        CHECK(strstr(err.text, "max_steps") != NULL);
    }
    born_session_close(&s);
    born_model_close(&m);
}

TEST(passes_keep_bits)
{
    static const char *const text =
        "graph \"\"\n"
        "input %0 \"x\" f32 [?n,4]\n"
        "const %1 \"w\" f32 [4,4] 0000803f0000004000004040000080400000803f0000004000004040000080400000"
        "803f0000004000004040000080400000803f000000400000404000008040\n"
        "const %2 \"b\" f32 [4] 0000803f0000803f000080bf0000c0c2\n"
        "node matmul \"\" (%0, %1) -> (%3 \"a\" ? ?) {}\n"
        "node add \"\" (%3, %2) -> (%4 \"c\" ? ?) {}\n"
        "node tanh \"\" (%4) -> (%5 \"d\" ? ?) {}\n"
        "node identity \"\" (%5) -> (%6 \"e\" ? ?) {}\n"
        "node tanh \"\" (%4) -> (%7 \"f\" ? ?) {}\n"
        "node add \"\" (%6, %7) -> (%8 \"y\" ? ?) {}\n"
        "output %8\nend\n";
    born_model *on = model_of_text(text, NULL), *off = model_of_text(text, "all");
    REQUIRE(on && off);
    born_session *s = open_session(on, 0), *t = open_session(off, 0);
    REQUIRE(s && t);
    float x[12], y[12], z[12];
    born_array in = BORN_ARRAY(x, 3, 4);
    born_model_info a, b;

    for (int i = 0; i < 12; i++) x[i] = (float)(i - 5) * 0.137f;
    CHECK_INT(run_f32(s, &in, 1, y, 12), 12);
    CHECK_INT(run_f32(t, &in, 1, z, 12), 12);
    CHECK(!memcmp(y, z, sizeof y));
    born_model_info_get(on, &a);
    born_model_info_get(off, &b);
    CHECK_INT(b.node_count, 6);
    CHECK_MSG(a.node_count < b.node_count, "%lld nodes after the passes", (long long)a.node_count);
    born_session_close(&s);
    born_session_close(&t);
    born_model_close(&on);
    born_model_close(&off);
}

TEST_MAIN

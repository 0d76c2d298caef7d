/* State that is tied from run to run against the same model fed by hand: the same bits, whatever the graph does with
   the state. What fails leaves the state alone, reserved room is not allocated again, results outlive nothing. */
#include <born/device.h>

#include "graph_helpers.h"
#include "waist/chain.h"

enum { MAX_TIES = 3, MAX_VALUES = 6, MAX_ELEMENTS = 1 << 14 };

/* One way to use state: the graph, how long it is stepped, which output becomes which input. */
typedef struct state_case {
    const char *text;
    int steps;
    int ties, out[MAX_TIES], in[MAX_TIES];      /* indices of outputs and inputs */
    int64_t least, most;                        /* size of the symbol n, new at each step */
    int give_at, reset_at;                      /* steps (0: never) */
} state_case;

typedef struct held {
    born_array a;
    double room[MAX_ELEMENTS];
} held;

static uint64_t seed = 88172645463325252u;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20);
}

static size_t elements(const born_array *a)
{
    size_t n = 1;

    for (int d = 0; d < a->shape.rank; d++) n *= (size_t)a->shape.dim[d];
    return n;
}

static bool hold(held *h, const born_array *a)
{
    size_t bytes = (size_t)born_dtype_bytes(a->dtype, (int64_t)elements(a));

    if (!CHECK(bytes <= sizeof h->room)) return false;
    memcpy(h->room, a->data, bytes);
    h->a = *a;
    h->a.data = h->room;
    return true;
}

/* Sizes as declared, the symbol n as given, others `other`; elements small and random, or 1 for integers. */
static bool fill(const born_model *m, int i, int64_t n, int64_t other, bool zero, held *h)
{
    born_value_info v;

    if (!CHECK(born_model_input(m, i, &v) == BORN_OK)) return false;
    h->a = (born_array){ .dtype = v.dtype, .shape = { .rank = v.rank }, .data = h->room };
    for (int d = 0; d < v.rank; d++) {
        bool is_n = v.dim[d] < 0 && v.symbol[d] && !strcmp(v.symbol[d], "n");
        h->a.shape.dim[d] = v.dim[d] >= 0 ? v.dim[d] : is_n ? n : other;
    }
    if (!CHECK(elements(&h->a) <= MAX_ELEMENTS)) return false;
    for (size_t e = 0; e < elements(&h->a); e++) {
        float f = zero ? 0 : (float)(next_random() % 2000) * 0.01f - 10;
        if (v.dtype == BORN_F32) ((float *)h->room)[e] = f;
        else if (v.dtype == BORN_I64) ((int64_t *)h->room)[e] = zero ? 0 : 1;
        else ((uint8_t *)h->room)[e] = zero ? 0 : (uint8_t)(next_random() % 200);
    }
    return true;
}

static bool same_array(const born_array *a, const born_array *b, const char *what, int step)
{
    bool same = a->dtype == b->dtype && a->shape.rank == b->shape.rank;

    for (int d = 0; same && d < a->shape.rank; d++) same = a->shape.dim[d] == b->shape.dim[d];
    size_t bytes = same ? (size_t)born_dtype_bytes(a->dtype, (int64_t)elements(a)) : 0;
    same = same && (!bytes || !memcmp(a->data, b->data, bytes));
    return CHECK_MSG(same, "%s differs at step %d", what, step);
}

static born_backend *backend; /* of the sessions that are opened; NULL: their own */

static born_session *open_tied(born_model *m, const state_case *c, size_t max_bytes)
{
    born_session *s = NULL;
    born_error err = { 0 };
    born_value_info from, to;
    born_session_desc d = { .backend = backend, .threads = 1, .max_bytes = max_bytes };

    if (!CHECK_OK(born_session_open(m, &d, &s, &err), &err)) return NULL;
    for (int k = 0; c && k < c->ties; k++) {
        CHECK(born_model_output(m, c->out[k], &from) == BORN_OK && born_model_input(m, c->in[k], &to) == BORN_OK);
        CHECK_OK(born_session_tie(s, from.name, to.name, &err), &err);
    }
    return s;
}

static int tie_of(const state_case *c, int in)
{
    for (int k = 0; k < c->ties; k++)
        if (c->in[k] == in) return k;
    return -1;
}

static void check_case(const state_case *c)
{
    static held in[MAX_VALUES], past[MAX_TIES];
    born_model *m = model_of_text(c->text, NULL);
    REQUIRE(m);
    born_session *tied = open_tied(m, c, 0), *by_hand = open_tied(m, NULL, 0);
    REQUIRE(tied && by_hand);
    born_error err = { 0 };
    born_array hand[MAX_VALUES], give[MAX_VALUES], a[MAX_VALUES], b[MAX_VALUES];
    born_model_info info;

    born_model_info_get(m, &info);
    REQUIRE(info.input_count <= MAX_VALUES && info.output_count <= MAX_VALUES);
    for (int step = 1; step <= c->steps; step++) {
        int64_t n = c->least + (int64_t)(next_random() % (uint32_t)(c->most - c->least + 1));
        bool anew = step == 1 || step == c->reset_at, given = step == c->give_at;
        if (step == c->reset_at) born_session_reset(tied);
        for (int i = 0; i < info.input_count; i++) {
            int k = tie_of(c, i);
            if (k < 0) REQUIRE(fill(m, i, n, 1, false, &in[i]));
            if (k >= 0 && anew) REQUIRE(fill(m, i, n, 0, true, &past[k]));
            if (k >= 0 && given) REQUIRE(fill(m, i, n, 3, false, &past[k]));
            hand[i] = give[i] = k < 0 ? in[i].a : past[k].a;
            if (k >= 0 && !given) give[i].data = NULL;
        }
        REQUIRE(CHECK_OK(born_session_run(tied, give, info.input_count, a, info.output_count, &err), &err));
        REQUIRE(CHECK_OK(born_session_run(by_hand, hand, info.input_count, b, info.output_count, &err), &err));
        for (int i = 0; i < info.output_count; i++) REQUIRE(same_array(&a[i], &b[i], "a result", step));
        for (int k = 0; k < c->ties; k++) REQUIRE(hold(&past[k], &b[c->out[k]]));
    }
    born_session_close(&tied);
    born_session_close(&by_hand);
    born_model_close(&m);
}

/* ---- growing ----------------------------------------------------------------------------------------------------- */

static const char *const first_axis = "graph \"\"\ninput %0 \"x\" f32 [?n,3]\ninput %1 \"past\" f32 [?t,3]\n"
                                      "node concat \"\" (%1, %0) -> (%2 \"present\" ? ?) {axis=0}\n"
                                      "node mul \"\" (%2, %2) -> (%3 \"y\" ? ?) {}\n"
                                      "output %3\noutput %2\nend\n";
static const char *const middle_axis = "graph \"\"\ninput %0 \"x\" f32 [2,?n,3]\ninput %1 \"past\" f32 [2,?t,3]\n"
                                       "node concat \"\" (%1, %0) -> (%2 \"present\" ? ?) {axis=1}\n"
                                       "node tanh \"\" (%2) -> (%3 \"y\" ? ?) {}\n"
                                       "output %3\noutput %2\nend\n";

TEST(append_along_axis_0)
{
    check_case(&(state_case){ first_axis, 60, 1, { 1 }, { 1 }, 1, 3, 20, 40 });
}

TEST(append_along_axis_1)
{
    check_case(&(state_case){ middle_axis, 60, 1, { 1 }, { 1 }, 1, 3, 20, 40 });
}

TEST(append_along_the_last_axis)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,3,?n]\ninput %1 \"past\" f32 [2,3,?t]\n"
                              "node concat \"\" (%1, %0) -> (%2 \"present\" ? ?) {axis=-1}\n"
                              "node relu \"\" (%2) -> (%3 \"y\" ? ?) {}\n"
                              "output %3\noutput %2\nend\n",
                              60, 1, { 1 }, { 1 }, 0, 4, 20, 40 });
}

static born_status query_without_appends(born_backend *self, const born_call *call, born_query *q, born_error *err)
{
    born_status st = born__backend_query(self->below, call, q, err);

    q->appends = false;
    return st;
}

/* A backend whose kernels write all of a result: the state is then swapped. */
TEST(backend_that_cannot_append)
{
    static const born_backend_ops ops = { .name = "writes all", .query = query_without_appends };

    backend = born__link_new(&ops, BORN_RANK_FUSE, born_cpu(&(born_cpu_desc){ .threads = 1 }), 0);
    REQUIRE(born_backend_error(backend)->status == BORN_OK);
    check_case(&(state_case){ middle_axis, 40, 1, { 1 }, { 1 }, 1, 3, 20, 30 });
    born_backend_close(&backend);
    backend = NULL;
}

TEST(append_of_three_parts)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" u8 [2,?n]\ninput %1 \"past\" u8 [2,?t]\n"
                              "node concat \"\" (%1, %0, %0) -> (%2 \"present\" ? ?) {axis=1}\n"
                              "output %2\nend\n",
                              40, 1, { 0 }, { 1 }, 1, 2, 20, 30 });
}

/* The new part is the past itself: it doubles. */
TEST(append_of_the_past)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"past\" f32 [2,?t]\n"
                              "node concat \"\" (%0, %0) -> (%1 \"present\" ? ?) {axis=1}\n"
                              "output %1\nend\n",
                              9, 1, { 0 }, { 0 }, 1, 1, 2, 0 });
}

TEST(one_result_for_two_states)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"a\" f32 [2,?t]\n"
                              "input %2 \"b\" f32 [2,?t]\n"
                              "node concat \"\" (%1, %0) -> (%3 \"present\" ? ?) {axis=1}\n"
                              "node add \"\" (%1, %2) -> (%4 \"y\" ? ?) {}\n"
                              "output %3\noutput %4\nend\n",
                              40, 2, { 0, 0 }, { 1, 2 }, 1, 2, 20, 30 });
}

TEST(two_appends_one_after_the_other)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"a\" f32 [2,?t]\n"
                              "input %2 \"b\" f32 [2,?u]\n"
                              "node concat \"\" (%1, %0) -> (%3 \"once\" ? ?) {axis=1}\n"
                              "node concat \"\" (%3, %0) -> (%4 \"twice\" ? ?) {axis=1}\n"
                              "node sigmoid \"\" (%2) -> (%5 \"y\" ? ?) {}\n"
                              "output %3\noutput %4\noutput %5\nend\n",
                              40, 2, { 0, 1 }, { 1, 2 }, 1, 2, 20, 30 });
}

TEST(two_appends_to_one_past)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"a\" f32 [2,?t]\n"
                              "input %2 \"b\" f32 [2,?u]\n"
                              "node neg \"\" (%0) -> (%3 \"minus\" ? ?) {}\n"
                              "node concat \"\" (%1, %0) -> (%4 \"p\" ? ?) {axis=1}\n"
                              "node concat \"\" (%1, %3) -> (%5 \"q\" ? ?) {axis=1}\n"
                              "node tanh \"\" (%2) -> (%6 \"y\" ? ?) {}\n"
                              "output %4\noutput %5\noutput %6\nend\n",
                              40, 2, { 0, 1 }, { 1, 2 }, 1, 2, 20, 30 });
}

TEST(the_past_has_other_readers)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"past\" f32 [2,?t]\n"
                              "const %2 \"turn\" i64 [2] 01000000000000000000000000000000\n"
                              "node relu \"\" (%1) -> (%3 \"before\" ? ?) {}\n"
                              "node concat \"\" (%1, %0) -> (%4 \"present\" ? ?) {axis=1}\n"
                              "node relu \"\" (%4) -> (%5 \"r\" ? ?) {}\n"
                              "node neg \"\" (%1) -> (%6 \"after\" ? ?) {}\n"
                              "node transpose \"\" (%4) -> (%7 \"turned\" ? ?) {perm=[1,0]}\n"
                              "output %4\noutput %1\noutput %3\noutput %5\noutput %6\noutput %7\nend\n",
                              40, 1, { 0 }, { 1 }, 1, 2, 20, 30 });
}

TEST(the_past_behind_the_new_part)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"past\" f32 [2,?t]\n"
                              "node concat \"\" (%0, %1) -> (%2 \"present\" ? ?) {axis=1}\n"
                              "node mul \"\" (%2, %2) -> (%3 \"y\" ? ?) {}\n"
                              "output %2\noutput %3\nend\n",
                              40, 1, { 0 }, { 1 }, 1, 2, 20, 30 });
}

/* What an exported decoder does around its past: the last position by a slice whose place moves, sizes computed on the
   host, views of what grows, results in place of operands, sizes known only after running. */
TEST(much_depends_on_the_length)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"past\" f32 [2,?t]\n"
                              "const %2 \"from\" i64 [1] ffffffffffffffff\n"
                              "const %3 \"to\" i64 [1] ffffffffffffff7f\nconst %4 \"axes\" i64 [1] 0100000000000000\n"
                              "const %5 \"two\" i64 [1] 0200000000000000\nconst %6 \"one\" i64 [] 0100000000000000\n"
                              "const %7 \"zero\" i64 [] 0000000000000000\n"
                              "node concat \"\" (%1, %0) -> (%8 \"present\" ? ?) {axis=1}\n"
                              "node slice \"\" (%8, %2, %3, %4) -> (%9 \"last\" ? ?) {}\n"
                              "node relu \"\" (%9) -> (%10 \"y\" ? ?) {}\n"
                              "node shape \"\" (%8) -> (%11 \"sizes\" ? ?) {}\n"
                              "node gather \"\" (%11, %4) -> (%12 \"t\" ? ?) {axis=0}\n"
                              "node concat \"\" (%5, %12) -> (%13 \"back\" ? ?) {axis=0}\n"
                              "node transpose \"\" (%8) -> (%14 \"turned\" ? ?) {perm=[1,0]}\n"
                              "node tanh \"\" (%14) -> (%15 \"a\" ? ?) {}\n"
                              "node neg \"\" (%15) -> (%16 \"b\" ? ?) {}\n"
                              "node reshape \"\" (%16, %13) -> (%17 \"c\" ? ?) {}\n"
                              "node sigmoid \"\" (%17) -> (%18 \"z\" ? ?) {}\n"
                              "node reshape \"\" (%12, %25) -> (%19 \"count\" ? ?) {}\n"
                              "const %25 \"scalar\" i64 [0]\n"
                              "node range \"\" (%7, %19, %6) -> (%20 \"places\" ? ?) {}\n"
                              "node cast \"\" (%20) -> (%21 \"p\" ? ?) {to=f32}\n"
                              "node add \"\" (%18, %21) -> (%22 \"w\" ? ?) {}\n"
                              "node nonzero \"\" (%10) -> (%23 \"where\" ? ?) {}\n"
                              "node cast \"\" (%23) -> (%24 \"v\" ? ?) {to=f32}\n"
                              "node add \"\" (%9, %9) -> (%26 \"u\" ? ?) {}\n"
                              "const %27 \"first\" i64 [1] 0000000000000000\n"
                              "node slice \"\" (%16, %2, %3, %27) -> (%28 \"row\" ? ?) {}\n"
                              "node relu \"\" (%28) -> (%29 \"r\" ? ?) {}\n"
                              "output %8\noutput %22\noutput %10\noutput %26\noutput %24\noutput %29\nend\n",
                              60, 1, { 0 }, { 1 }, 1, 2, 20, 40 });
}

/* Elements of the state decide a shape, so they must lie dense. */
TEST(the_state_is_a_shape)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [1]\ninput %1 \"shape\" i64 [?t]\n"
                              "const %2 \"one\" i64 [1] 0100000000000000\n"
                              "node concat \"\" (%1, %2) -> (%3 \"next\" ? ?) {axis=0}\n"
                              "node reshape \"\" (%0, %3) -> (%4 \"y\" ? ?) {}\n"
                              "output %3\noutput %4\nend\n",
                              6, 1, { 0 }, { 1 }, 1, 1, 0, 3 });
}

/* ---- of fixed size ----------------------------------------------------------------------------------------------- */

TEST(state_that_is_computed)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,3]\ninput %1 \"h\" f32 [2,3]\n"
                              "node add \"\" (%0, %1) -> (%2 \"a\" ? ?) {}\n"
                              "node tanh \"\" (%2) -> (%3 \"b\" ? ?) {}\n"
                              "node mul \"\" (%3, %1) -> (%4 \"y\" ? ?) {}\n"
                              "output %3\noutput %4\nend\n",
                              30, 1, { 0 }, { 1 }, 1, 1, 10, 20 });
}

TEST(states_that_are_views_inputs_and_constants)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [2,2]\ninput %1 \"turned\" f32 [2,2]\n"
                              "input %2 \"given\" f32 [2,2]\ninput %3 \"fixed\" f32 [2]\n"
                              "const %4 \"c\" f32 [2] 0000803f00000040\n"
                              "node add \"\" (%0, %1) -> (%5 \"a\" ? ?) {}\n"
                              "node transpose \"\" (%5) -> (%6 \"t\" ? ?) {perm=[1,0]}\n"
                              "node mul \"\" (%2, %3) -> (%7 \"y\" ? ?) {}\n"
                              "output %6\noutput %0\noutput %4\noutput %7\nend\n",
                              20, 3, { 0, 1, 2 }, { 1, 2, 3 }, 1, 1, 7, 13 });
}

TEST(states_that_change_places)
{
    check_case(&(state_case){ "graph \"\"\ninput %0 \"x\" f32 [3]\ninput %1 \"a\" f32 [3]\ninput %2 \"b\" f32 [3]\n"
                              "node add \"\" (%0, %1) -> (%3 \"s\" ? ?) {}\n"
                              "node mul \"\" (%3, %2) -> (%4 \"y\" ? ?) {}\n"
                              "output %2\noutput %3\noutput %4\nend\n",
                              20, 2, { 0, 1 }, { 1, 2 }, 1, 1, 7, 13 });
}

/* ---- memory and failures ----------------------------------------------------------------------------------------- */

/* Runs one step of `first_axis` or `middle_axis` and gives the length of the state after it, -1 on failure. */
static int64_t step_length(born_session *s, const born_array *x, int axis, const float **present)
{
    born_error err = { 0 };
    born_array out[2];

    if (!CHECK_OK(born_session_run(s, x, 1, out, 2, &err), &err)) return -1;
    if (present) *present = out[1].data;
    return out[1].shape.dim[axis];
}

TEST(appended_state_stays_where_it_is)
{
    static const state_case c = { .ties = 1, .out = { 1 }, .in = { 1 } };
    float x[3] = { 1, 2, 3 };
    born_array in = BORN_ARRAY(x, 1, 3);
    born_model *m = model_of_text(first_axis, NULL);
    REQUIRE(m);
    born_session *s = open_tied(m, &c, 0);
    REQUIRE(s);
    const float *at = NULL, *before = NULL;
    int moves = 0;

    for (int i = 0; i < 1000; i++) {
        CHECK_INT(step_length(s, &in, 0, &at), i + 1);
        moves += at != before;
        before = at;
    }
    CHECK_MSG(moves < 14, "moved %d times in 1000 steps", moves);
    born_session_close(&s);
    born_model_close(&m);
}

/* A plan for the longest state takes all memory: no step that follows allocates. */
TEST(planned_room_is_not_allocated_again)
{
    static const state_case c = { .ties = 1, .out = { 1 }, .in = { 1 } };
    static const char *const texts[2] = { first_axis, middle_axis };

    for (int k = 0; k < 2; k++) {
        float x[6] = { 1, 2, 3, 4, 5, 6 };
        born_array in[2] = { { .dtype = BORN_F32, .data = x }, { .dtype = BORN_F32 } };
        born_error err = { 0 };
        static const born_shape one[2] = { { .rank = 2, .dim = { 1, 3 } }, { .rank = 3, .dim = { 2, 1, 3 } } };
        static const born_shape most[2] = { { .rank = 2, .dim = { 499, 3 } }, { .rank = 3, .dim = { 2, 499, 3 } } };
        in[0].shape = one[k];
        in[1].shape = most[k];
        born_model *m = model_of_text(texts[k], NULL);
        REQUIRE(m);
        born_session *s = open_tied(m, &c, 0);
        REQUIRE(s);
        born_array out;
        for (int round = 0; round < 2; round++) {
            if (!round) REQUIRE(CHECK_OK(born_session_plan(s, in, 2, &err), &err));
            else born_session_reset(s);
            uint64_t calls = born__alloc_calls();
            for (int i = 0; i < 500; i++) {
                REQUIRE(CHECK_OK(born_session_run(s, in, 1, &out, 1, &err), &err));
                CHECK_INT(out.shape.dim[k], i + 1);
            }
            CHECK_MSG(born__alloc_calls() == calls, "round %d of axis %d: %llu allocations", round, k,
                      (unsigned long long)(born__alloc_calls() - calls));
        }
        born_session_close(&s);
        born_model_close(&m);
    }
}

/* Planning in the middle moves the state to larger buffers and changes nothing else. */
TEST(a_plan_keeps_the_state)
{
    static const state_case c = { .ties = 1, .out = { 1 }, .in = { 1 } };
    float x[6] = { 1, 2, 3, 4, 5, 6 };
    born_array in[2] = { BORN_ARRAY(x, 2, 1, 3), { .dtype = BORN_F32, .shape = { .rank = 3, .dim = { 2, 70, 3 } } } };
    born_model *m = model_of_text(middle_axis, NULL);
    REQUIRE(m);
    born_session *s = open_tied(m, &c, 0);
    REQUIRE(s);
    born_error err = { 0 };
    const float *present = NULL;

    for (int i = 0; i < 5; i++) {
        for (int e = 0; e < 6; e++) x[e] = (float)(10 * i + e);
        if (i == 3) REQUIRE(CHECK_OK(born_session_plan(s, in, 2, &err), &err));
        REQUIRE(step_length(s, in, 1, &present) == i + 1);
        for (int t = 0; t <= i; t++)
            for (int e = 0; e < 6; e++) CHECK(present[(e / 3 * (i + 1) + t) * 3 + e % 3] == (float)(10 * t + e));
    }
    born_session_close(&s);
    born_model_close(&m);
}

TEST(growth_beyond_the_limit_keeps_the_state)
{
    static const state_case c = { .ties = 1, .out = { 1 }, .in = { 1 } };
    float x[6] = { 1, 2, 3, 4, 5, 6 };
    born_array in = BORN_ARRAY(x, 2, 1, 3), out[2];
    born_model *m = model_of_text(middle_axis, NULL);
    REQUIRE(m);
    born_session *s = open_tied(m, &c, 1 << 14);
    REQUIRE(s);
    born_error err = { 0 };
    born_session_stats stats;
    int64_t length = 0;

    while (length < 1000 && born_session_run(s, &in, 1, out, 2, &err) == BORN_OK) length = out[1].shape.dim[1];
    CHECK_MSG(length > 50 && length < 1000, "the limit was met at %lld", (long long)length);
    for (int i = 0; i < 3; i++) {
        CHECK_STATUS(born_session_run(s, &in, 1, out, 2, &err), BORN_NOMEM);
        CHECK(strstr(err.text, "max_bytes") != NULL);
    }
    born_session_stats_get(s, &stats);
    CHECK(stats.state_bytes + stats.arena_bytes + stats.scratch_bytes <= 1 << 14);
    born_session_reset(s);
    CHECK_INT(step_length(s, &in, 1, NULL), 1);
    born_session_close(&s);
    born_model_close(&m);
}

/* The step fails after it has appended: the length it had before is what the next step continues. */
TEST(a_step_that_fails_late_keeps_the_state)
{
    static const char *const text = "graph \"\"\ninput %0 \"x\" f32 [2,?n]\ninput %1 \"trips\" i64 []\n"
                                    "input %2 \"past\" f32 [2,?t]\ninput %3 \"h\" f32 [2]\n"
                                    "const %4 \"go\" bool [] 01\nconst %5 \"axes\" i64 [1] 0100000000000000\n"
                                    "node concat \"\" (%2, %0) -> (%6 \"present\" ? ?) {axis=1}\n"
                                    "node reduce_sum \"\" (%6, %5) -> (%7 \"sum\" ? ?) {drop_dims=true}\n"
                                    "node add \"\" (%7, %3) -> (%8 \"h2\" ? ?) {}\n"
                                    "node loop \"l\" (%1, %4, %8) -> (%9 \"y\" ? ?) {carried=1}\n"
                                    "  graph \"body\"\n  input %0 \"i\" i64 []\n  input %1 \"c\" bool []\n"
                                    "  input %2 \"v\" f32 [2]\n  node neg \"\" (%2) -> (%3 \"w\" ? ?) {}\n"
                                    "  output %1\n  output %3\n  end\n"
                                    "output %9\noutput %6\noutput %8\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = NULL, *t = NULL;
    born_error err = { 0 };
    born_session_desc d = { .threads = 1, .max_steps = 4 };
    float x[2];
    int64_t trips = 1;
    born_array in[2] = { BORN_ARRAY(x, 2, 1), { .dtype = BORN_I64, .data = &trips } }, a[3], b[3];

    REQUIRE(CHECK_OK(born_session_open(m, &d, &s, &err), &err) && CHECK_OK(born_session_open(m, &d, &t, &err), &err));
    for (int i = 0; i < 2; i++) {
        CHECK_OK(born_session_tie(i ? t : s, "present", "past", &err), &err);
        CHECK_OK(born_session_tie(i ? t : s, "h2", "h", &err), &err);
    }
    for (int i = 0; i < 40; i++) {
        if (i % 3 == 1) { /* one of them stumbles */
            x[0] = -100;
            trips = 9;
            CHECK_STATUS(born_session_run(s, in, 2, a, 3, &err), BORN_CANCELLED);
        }
        x[0] = (float)i;
        x[1] = 0.5f * (float)i;
        trips = 2;
        REQUIRE(CHECK_OK(born_session_run(s, in, 2, a, 3, &err), &err));
        REQUIRE(CHECK_OK(born_session_run(t, in, 2, b, 3, &err), &err));
        for (int k = 0; k < 3; k++) REQUIRE(same_array(&a[k], &b[k], "a result", i));
    }
    CHECK_INT(a[1].shape.dim[1], 40);
    born_session_close(&s);
    born_session_close(&t);
    born_model_close(&m);
}

/* Open sizes of a first state are those that other inputs give the same symbol. */
TEST(first_state_follows_the_batch)
{
    static const char *const text = "graph \"\"\ninput %0 \"x\" f32 [?b,1]\ninput %1 \"past\" f32 [?b,?t]\n"
                                    "node concat \"\" (%1, %0) -> (%2 \"present\" ? ?) {axis=1}\n"
                                    "output %2\nend\n";
    static const state_case c = { .ties = 1, .out = { 0 }, .in = { 1 } };
    float x[3] = { 1, 2, 3 };
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = open_tied(m, &c, 0);
    REQUIRE(s);
    born_error err = { 0 };
    born_array three = BORN_ARRAY(x, 3, 1), two = BORN_ARRAY(x, 2, 1), out;

    REQUIRE(CHECK_OK(born_session_run(s, &three, 1, &out, 1, &err), &err));
    CHECK(out.shape.dim[0] == 3 && out.shape.dim[1] == 1);
    CHECK(born_session_run(s, &two, 1, &out, 1, &err) != BORN_OK);
    REQUIRE(CHECK_OK(born_session_run(s, &three, 1, &out, 1, &err), &err));
    CHECK(out.shape.dim[1] == 2 && ((const float *)out.data)[5] == 3);
    born_session_reset(s);
    REQUIRE(CHECK_OK(born_session_run(s, &two, 1, &out, 1, &err), &err));
    CHECK(out.shape.dim[0] == 2 && out.shape.dim[1] == 1);
    born_session_close(&s);
    born_model_close(&m);
}

/* A tie made after runs that are bound already: the output then lies elsewhere. */
TEST(tied_after_a_run)
{
    float x[3] = { 1, 2, 3 }, none[1] = { 0 };
    born_array in[2] = { BORN_ARRAY(x, 1, 3), { .dtype = BORN_F32, .shape = { .rank = 2, .dim = { 0, 3 } } } }, out[2];
    born_model *m = model_of_text(first_axis, NULL);
    REQUIRE(m);
    born_session *s = open_tied(m, NULL, 0);
    REQUIRE(s);
    born_error err = { 0 };

    in[1].data = none;
    REQUIRE(CHECK_OK(born_session_run(s, in, 2, out, 2, &err), &err));
    REQUIRE(CHECK_OK(born_session_tie(s, "present", "past", &err), &err));
    for (int i = 0; i < 20; i++) CHECK_INT(step_length(s, in, 0, NULL), i + 1);
    born_session_close(&s);
    born_model_close(&m);
}

TEST(ties_that_cannot_be)
{
    static const char *const text = "graph \"\"\ninput %0 \"x\" f32 [?n]\ninput %1 \"count\" i64 [?n]\n"
                                    "node relu \"\" (%0) -> (%2 \"y\" f32 ?) {}\noutput %2\nend\n";
    born_model *m = model_of_text(text, NULL);
    REQUIRE(m);
    born_session *s = open_tied(m, NULL, 0);
    REQUIRE(s);
    born_error err = { 0 };

    CHECK_STATUS(born_session_tie(s, "z", "x", &err), BORN_INVALID);
    CHECK_STATUS(born_session_tie(s, "y", "z", &err), BORN_INVALID);
    CHECK_STATUS(born_session_tie(s, "y", "count", &err), BORN_DTYPE);
    CHECK_OK(born_session_tie(s, "y", "x", &err), &err);
    CHECK_STATUS(born_session_tie(s, "y", "x", &err), BORN_STATE);
    born_session_close(&s);
    born_model_close(&m);
}

TEST_MAIN

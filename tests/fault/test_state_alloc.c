/* The nth allocation fails in the middle of steps with tied state, for every n until none is left to fail: the step
   ends in a status, the state is that of the step before, and the step goes well when it is tried again. */
#include <stdlib.h>

#include "../unit/graph_helpers.h"
#include "support_model.h"

enum { MAX_TIES = 5, MAX_OUTPUTS = 8, STEPS = 40, BYTES = 1 << 16 };

typedef struct tied_model {
    born_model *m;
    int ties, out[MAX_TIES], in[MAX_TIES], outputs;
    bool decoder;                               /* token, position and mask; else one input x */
} tied_model;

static long long countdown = -1; /* -1: never fail */
static long long held;
static bool once;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) {
        if (once) countdown = -1;
        return NULL;
    }
    if (countdown > 0) countdown--;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    if (p) held++;
    return p;
}

static void failing_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user, (void)bytes, (void)align;
    if (p) held--;
    free(p);
}

static born_status take_step(const tied_model *t, born_session *s, int at, born_array *out, born_error *err)
{
    static int32_t mask[STEPS];
    float x[3] = { (float)at, 0.5f * (float)at, -1 };
    int32_t id = at * 37 % 1000, position = at;
    born_array token[3] = { BORN_ARRAY(&id, 1, 1), BORN_ARRAY(&position, 1, 1), BORN_ARRAY(mask, 1, at + 1) };
    born_array one = BORN_ARRAY(x, 3, 1);

    for (int i = 0; i <= at; i++) mask[i] = 1;
    return born_session_run(s, t->decoder ? token : &one, t->decoder ? 3 : 1, out, t->outputs, err);
}

static born_session *open_tied(const tied_model *t)
{
    born_session *s = NULL;
    born_error err = { 0 };
    born_value_info from, to;

    CHECK_OK(born_session_open(t->m, &(born_session_desc){ .threads = 1 }, &s, &err), &err);
    for (int k = 0; s && k < t->ties; k++) {
        CHECK(born_model_output(t->m, t->out[k], &from) == BORN_OK);
        CHECK(born_model_input(t->m, t->in[k], &to) == BORN_OK);
        CHECK_OK(born_session_tie(s, from.name, to.name, &err), &err);
    }
    return s;
}

/* Results of a step as bytes, one after the other. */
static size_t flatten(const born_array *out, int n, char *to)
{
    size_t at = 0;

    for (int i = 0; i < n && CHECK(at + out[i].bytes <= BYTES); at += out[i++].bytes)
        memcpy(to + at, out[i].data, out[i].bytes);
    return at;
}

static void every_failure(const tied_model *t)
{
    static char want[STEPS][BYTES], got[BYTES];
    static size_t want_bytes[STEPS];
    born_array out[MAX_OUTPUTS];
    born_error err = { 0 };
    born_session *s = open_tied(t);
    int failures = 0;

    for (int at = 0; at < STEPS; at++) {
        REQUIRE(CHECK_OK(take_step(t, s, at, out, &err), &err));
        want_bytes[at] = flatten(out, t->outputs, want[at]);
    }
    born_session_close(&s);
    for (long long n = 0, met = 1; met && !harness_failures; n++) {
        s = open_tied(t);
        met = 0;
        countdown = n;
        for (int at = 0; at < STEPS; at++) {
            born_status st = take_step(t, s, at, out, &err);
            for (int tries = 0; st != BORN_OK && tries < 3; tries++) { /* also where it fails once more */
                CHECK_MSG(st == BORN_NOMEM && err.text[0], "failure %lld gave %s: %s", n, born_status_name(st),
                          err.text);
                if (tries) countdown = -1;
                failures++;
                st = take_step(t, s, at, out, &err);
            }
            met |= countdown <= 0;
            if (!CHECK_MSG(st == BORN_OK, "failure %lld: step %d stays %s", n, at, err.text)) break;
            bool same = flatten(out, t->outputs, got) == want_bytes[at] && !memcmp(got, want[at], want_bytes[at]);
            if (!CHECK_MSG(same, "failure %lld: step %d gives other bits", n, at)) break;
        }
        countdown = -1;
        born_session_close(&s);
    }
    CHECK_MSG(failures > 10, "only %d failures were met", failures);
}

static void both_ways(tied_model *t)
{
    for (int k = 0; k < 2; k++) {
        once = k == 1;
        every_failure(t);
    }
    born_model_close(&t->m);
    born_allocator_set(NULL);
    CHECK_MSG(held == 0, "%lld blocks left", held);
}

/* Appended, swapped and copied state in one graph. */
TEST(small_graph)
{
    static const char *const text = "graph \"\"\ninput %0 \"x\" f32 [3,1]\ninput %1 \"past\" f32 [3,?t]\n"
                                    "input %2 \"behind\" f32 [3,?u]\ninput %3 \"h\" f32 [3,1]\n"
                                    "input %4 \"v\" f32 [1,3]\n"
                                    "node concat \"\" (%1, %0) -> (%5 \"present\" ? ?) {axis=1}\n"
                                    "node concat \"\" (%0, %2) -> (%6 \"before\" ? ?) {axis=1}\n"
                                    "node add \"\" (%0, %3) -> (%7 \"h2\" ? ?) {}\n"
                                    "node transpose \"\" (%7) -> (%8 \"v2\" ? ?) {perm=[1,0]}\n"
                                    "node tanh \"\" (%5) -> (%9 \"y\" ? ?) {}\n"
                                    "node add \"\" (%4, %8) -> (%10 \"z\" ? ?) {}\n"
                                    "output %5\noutput %6\noutput %7\noutput %8\noutput %9\noutput %10\nend\n";
    born_allocator_set(&(born_allocator){ failing_alloc, failing_release, NULL });
    tied_model t = { model_of_text(text, NULL), 4, { 0, 1, 2, 3 }, { 1, 2, 3, 4 }, 6, false };
    REQUIRE(t.m);
    both_ways(&t);
}

TEST(decoder)
{
    size_t n = 0;
    unsigned char *bytes = support_read("onnx/models/tiny_random_gpt2/model.onnx", &n);
    tied_model t = { NULL, 5, { 1, 2, 3, 4, 5 }, { 3, 4, 5, 6, 7 }, 6, true };
    born_error err = { 0 };

    if (!bytes) SKIP("tiny_random_gpt2 is not there");
    born_allocator_set(&(born_allocator){ failing_alloc, failing_release, NULL });
    REQUIRE(CHECK_OK(born_model_open_memory(bytes, n, NULL, &t.m, &err), &err));
    both_ways(&t);
    free(bytes);
}

TEST_MAIN

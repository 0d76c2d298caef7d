/* Real models that carry state from run to run: tied and fed by hand they give the same bits, a decoder for 500 tokens,
   streaming models for 60 frames. The decoder allocates only where its state outgrows its buffers, and nothing when
   it has been there before. Skipped where the test data is absent. */
#include <born/model.h>

#include "base/alloc.h"
#include "harness.h"

enum { MAX_IO = 8, TOKENS = 500, FRAMES = 60 };

/* Which outputs become which inputs. */
typedef struct model_ties {
    const char *id;
    int count, out[MAX_IO], in[MAX_IO];
} model_ties;

static born_error err;

static born_model *open_model(const char *id)
{
    const char *data = getenv("BORN_TEST_DATA");
    char path[512];
    born_model *m = NULL;

    snprintf(path, sizeof path, "%s/onnx/models/%s/model.onnx", data ? data : "../shared/data", id);
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fclose(f);
    CHECK_OK(born_model_open(path, NULL, &m, &err), &err);
    return m;
}

static born_session *open_session(born_model *m, const model_ties *t)
{
    born_session *s = NULL;
    born_value_info from, to;

    CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = 1 }, &s, &err), &err);
    for (int k = 0; s && t && k < t->count; k++) {
        CHECK(born_model_output(m, t->out[k], &from) == BORN_OK && born_model_input(m, t->in[k], &to) == BORN_OK);
        CHECK_OK(born_session_tie(s, from.name, to.name, &err), &err);
    }
    return s;
}

static bool same_bytes(const born_array *a, const born_array *b)
{
    bool same = a->dtype == b->dtype && a->bytes == b->bytes && a->shape.rank == b->shape.rank;

    for (int d = 0; same && d < a->shape.rank; d++) same = a->shape.dim[d] == b->shape.dim[d];
    return same && !memcmp(a->data, b->data, a->bytes);
}

/* Keeps result `a` beyond the next run. */
static bool keep(born_array *to, const born_array *a)
{
    void *p = realloc((void *)(uintptr_t)to->data, a->bytes + 1);

    if (!p) return false;
    memcpy(p, a->data, a->bytes);
    *to = *a;
    to->data = p;
    return true;
}

/* ---- streaming --------------------------------------------------------------------------------------------------- */

static void fill(born_array *a, int frame, int input)
{
    float *p = (float *)(uintptr_t)a->data;

    for (size_t i = 0; i < a->bytes / 4; i++)
        p[i] = (float)((i * 2654435761u + (unsigned)frame * 40503u + (unsigned)input) % 2001) * 0.001f - 1;
}

static bool make_input(const born_model *m, int i, int64_t open_size, born_array *a)
{
    born_value_info v;
    int64_t n = 1;

    if (born_model_input(m, i, &v) != BORN_OK || v.rank < 0) return false;
    *a = (born_array){ .dtype = v.dtype, .shape = { .rank = v.rank } };
    for (int d = 0; d < v.rank; d++) {
        a->shape.dim[d] = v.dim[d] >= 0 ? v.dim[d] : d == v.rank - 1 ? open_size : 1;
        n *= a->shape.dim[d];
    }
    a->bytes = (size_t)born_dtype_bytes(v.dtype, n);
    a->data = calloc(1, a->bytes + 1);
    return a->data != NULL;
}

static void check_streaming(const model_ties *t, int64_t open_size)
{
    born_model *m = open_model(t->id);
    born_model_info info;
    born_array hand[MAX_IO] = { 0 }, give[MAX_IO], a[MAX_IO], b[MAX_IO];

    if (!m) SKIP("%s is not there", t->id);
    born_model_info_get(m, &info);
    born_session *tied = open_session(m, t), *by_hand = open_session(m, NULL);
    REQUIRE(tied && by_hand && info.input_count <= MAX_IO && info.output_count <= MAX_IO);
    for (int i = 0; i < info.input_count; i++) REQUIRE(make_input(m, i, open_size, &hand[i]));
    for (int frame = 0; frame < FRAMES; frame++) {
        for (int i = 0; i < info.input_count; i++) {
            bool state = false;
            for (int k = 0; k < t->count; k++) state |= t->in[k] == i;
            if (!state && hand[i].dtype == BORN_F32) fill(&hand[i], frame, i);
            if (hand[i].dtype == BORN_I64) *(int64_t *)(uintptr_t)hand[i].data = 16000;
            give[i] = hand[i];
            if (state && frame > 0) give[i].data = NULL;
        }
        uint64_t calls = born__alloc_calls();
        REQUIRE(CHECK_OK(born_session_run(tied, give, info.input_count, a, info.output_count, &err), &err));
        CHECK_MSG(frame < 4 || born__alloc_calls() == calls, "%s: frame %d allocated", t->id, frame);
        REQUIRE(CHECK_OK(born_session_run(by_hand, hand, info.input_count, b, info.output_count, &err), &err));
        for (int i = 0; i < info.output_count; i++)
            REQUIRE(CHECK_MSG(same_bytes(&a[i], &b[i]), "%s: output %d differs at frame %d", t->id, i, frame));
        for (int k = 0; k < t->count; k++) REQUIRE(keep(&hand[t->in[k]], &b[t->out[k]]));
    }
    for (int i = 0; i < info.input_count; i++) free((void *)(uintptr_t)hand[i].data);
    born_session_close(&tied);
    born_session_close(&by_hand);
    born_model_close(&m);
}

TEST(gtcrn) { check_streaming(&(model_ties){ "gtcrn_simple", 3, { 1, 2, 3 }, { 1, 2, 3 } }, 0); }
TEST(dtln) { check_streaming(&(model_ties){ "dtln_1", 1, { 1 }, { 1 } }, 0); }
TEST(silero) { check_streaming(&(model_ties){ "silero_vad", 1, { 1 }, { 1 } }, 576); }
TEST(silero_without_if) { check_streaming(&(model_ties){ "silero_vad_ifless_op18", 1, { 1 }, { 2 } }, 576); }

/* ---- decoding ---------------------------------------------------------------------------------------------------- */

static const model_ties gpt2 = { "tiny_random_gpt2", 5, { 1, 2, 3, 4, 5 }, { 3, 4, 5, 6, 7 } };

/* Token `at`, the past given for `by_hand` only. */
static bool decode(born_session *s, int at, const born_array *past, born_array *out, int n_out)
{
    static int32_t mask[TOKENS];
    int32_t id = at * 37 % 1000, position = at;
    born_array in[MAX_IO] = { BORN_ARRAY(&id, 1, 1), BORN_ARRAY(&position, 1, 1), BORN_ARRAY(mask, 1, at + 1) };

    for (int i = 0; i <= at; i++) mask[i] = 1;
    for (int i = 0; past && i < gpt2.count; i++) in[3 + i] = past[i];
    return CHECK_OK(born_session_run(s, in, past ? 3 + gpt2.count : 3, out, n_out, &err), &err);
}

TEST(decoder_of_500_tokens)
{
    born_model *m = open_model(gpt2.id);
    born_array past[MAX_IO] = { 0 }, a[MAX_IO], b[MAX_IO];

    if (!m) SKIP("%s is not there", gpt2.id);
    born_session *tied = open_session(m, &gpt2), *by_hand = open_session(m, NULL);
    REQUIRE(tied && by_hand);
    for (int k = 0; k < gpt2.count; k++)
        past[k] = (born_array){ .dtype = BORN_F32, .shape = { .rank = 5, .dim = { 2, 1, 4, 0, 8 } },
                                 .data = calloc(1, 1) };
    for (int at = 0; at < TOKENS; at++) {
        int n = at % 50 == 49 ? 1 + gpt2.count : 1; /* now and then the past is looked at too */
        REQUIRE(decode(tied, at, NULL, a, n) && decode(by_hand, at, past, b, 1 + gpt2.count));
        for (int i = 0; i < n; i++)
            REQUIRE(CHECK_MSG(same_bytes(&a[i], &b[i]), "output %d differs at token %d", i, at));
        for (int k = 0; k < gpt2.count; k++) REQUIRE(keep(&past[k], &b[gpt2.out[k]]));
    }
    for (int k = 0; k < gpt2.count; k++) free((void *)(uintptr_t)past[k].data);
    born_session_close(&tied);
    born_session_close(&by_hand);
    born_model_close(&m);
}

TEST(decoder_allocates_where_it_doubles)
{
    born_model *m = open_model(gpt2.id);
    born_array out;
    uint64_t steps = 0;

    if (!m) SKIP("%s is not there", gpt2.id);
    born_session *s = open_session(m, &gpt2);
    REQUIRE(s);
    for (int round = 0; round < 2; round++) {
        uint64_t first = 0, start = born__alloc_calls();
        for (int at = 0; at < TOKENS; at++) {
            uint64_t calls = born__alloc_calls();
            REQUIRE(decode(s, at, NULL, &out, 1));
            steps += round == 0 && born__alloc_calls() != calls;
            if (at == 0) first = born__alloc_calls();
        }
        if (!round) /* five buffers, one block and one scratch, each about log2(500) times */
            CHECK_MSG(born__alloc_calls() - first <= 7 * 10 && steps <= 20, "%llu allocations in %llu of 500 steps",
                      (unsigned long long)(born__alloc_calls() - first), (unsigned long long)steps);
        else
            CHECK_INT(born__alloc_calls() - start, 0);
        born_session_reset(s);
    }
    born_session_stats stats;
    born_session_stats_get(s, &stats);
    CHECK_MSG(stats.bind_count <= 10, "planned anew %lld times in 1000 steps", (long long)stats.bind_count);
    born_session_close(&s);
    born_model_close(&m);
}

/* A plan for 500 tokens first: no step allocates, the first included. */
TEST(decoder_in_planned_room)
{
    static int32_t mask[TOKENS], one[1];
    born_model *m = open_model(gpt2.id);
    born_array in[MAX_IO] = { BORN_ARRAY(one, 1, 1), BORN_ARRAY(one, 1, 1), BORN_ARRAY(mask, 1, TOKENS) }, out;

    if (!m) SKIP("%s is not there", gpt2.id);
    born_session *s = open_session(m, &gpt2);
    REQUIRE(s);
    for (int k = 0; k < gpt2.count; k++)
        in[3 + k] = (born_array){ .dtype = BORN_F32, .shape = { .rank = 5, .dim = { 2, 1, 4, TOKENS - 1, 8 } } };
    REQUIRE(CHECK_OK(born_session_plan(s, in, 3 + gpt2.count, &err), &err));
    uint64_t calls = born__alloc_calls();
    for (int at = 0; at < TOKENS; at++) REQUIRE(decode(s, at, NULL, &out, 1));
    CHECK_INT(born__alloc_calls() - calls, 0);
    born_session_close(&s);
    born_model_close(&m);
}

TEST_MAIN

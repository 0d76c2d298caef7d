/* Batch 1 and batch 5 give the same bits: each model with a batch axis runs five random examples at once and one by
   one. Models are those of the test data; skipped where it is absent. */
#include <born/model.h>

#include "harness.h"

enum { BATCH = 5, MAX_IO = 8 };

typedef struct example {
    void *all[MAX_IO], *one[MAX_IO];
    born_array a_all[MAX_IO], a_one[MAX_IO];
    int axis[MAX_IO];           /* of the batch; -1: the input has none */
    int count;
} example;

static uint64_t seed = 88172645463325252u;

static uint32_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 20);
}

static size_t elements(const born_shape *s)
{
    size_t n = 1;

    for (int i = 0; i < s->rank; i++) n *= (size_t)s->dim[i];
    return n;
}

static void fill(born_dtype t, void *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t r = next_random();
        if (t == BORN_F32) ((float *)p)[i] = (float)(r & 0xffff) / 32768.0f - 1.0f;
        else if (t == BORN_I64) ((int64_t *)p)[i] = 1;
        else if (t == BORN_U8) ((uint8_t *)p)[i] = (uint8_t)(r % 100);
    }
}

static size_t size_of(born_dtype t)
{
    return (size_t)born_dtype_bytes(t, 1);
}

/* Copies example k between an array over the batch and an array of one; returns whether they are equal before. */
static bool slice(const born_array *all, const born_array *one, int axis, int64_t k, bool compare)
{
    size_t inner = size_of(all->dtype), outer = 1;
    bool same = true;

    for (int d = axis + 1; d < all->shape.rank; d++) inner *= (size_t)all->shape.dim[d];
    for (int d = 0; d < axis; d++) outer *= (size_t)all->shape.dim[d];
    for (size_t o = 0; o < outer; o++) {
        const char *from = (const char *)all->data + (o * BATCH + (size_t)k) * inner;
        char *to = (char *)(uintptr_t)one->data + o * inner;
        if (compare) same = same && !memcmp(from, to, inner);
        else memcpy(to, from, inner);
    }
    return same;
}

/* Sizes of symbols: the batch where it is the batch's name, else what the model is known to take. */
static bool make(const born_model *m, example *x, const char *batch, int64_t other)
{
    born_model_info info;

    born_model_info_get(m, &info);
    x->count = info.input_count;
    for (int i = 0; i < x->count; i++) {
        born_value_info v;
        if (born_model_input(m, i, &v) != BORN_OK || v.rank < 0) return false;
        x->a_all[i] = (born_array){ .dtype = v.dtype, .shape = { .rank = v.rank } };
        x->axis[i] = -1;
        for (int d = 0; d < v.rank; d++) {
            bool is_batch = v.dim[d] < 0 && x->axis[i] < 0 && (!batch || (v.symbol[d] && !strcmp(v.symbol[d], batch)));
            if (is_batch) x->axis[i] = d;
            x->a_all[i].shape.dim[d] = is_batch ? BATCH : v.dim[d] < 0 ? other : v.dim[d];
        }
        x->a_one[i] = x->a_all[i];
        if (x->axis[i] >= 0) x->a_one[i].shape.dim[x->axis[i]] = 1;
        size_t n = elements(&x->a_all[i].shape);
        x->all[i] = calloc(n + 1, size_of(v.dtype));
        x->one[i] = calloc(n + 1, size_of(v.dtype));
        if (!x->all[i] || !x->one[i]) return false;
        fill(v.dtype, x->all[i], n);
        if (!strcmp(v.name, "sr")) *(int64_t *)x->all[i] = 16000;
        x->a_all[i].data = x->all[i];
        x->a_one[i].data = x->axis[i] < 0 ? x->all[i] : x->one[i];
    }
    return true;
}

static void compare_outputs(const char *id, const born_array *all, const born_array *one, int n, int64_t k)
{
    for (int i = 0; i < n; i++) {
        int axis = -1;
        REQUIRE(all[i].dtype == one[i].dtype && all[i].shape.rank == one[i].shape.rank);
        for (int d = 0; d < all[i].shape.rank && axis < 0; d++)
            if (all[i].shape.dim[d] != one[i].shape.dim[d]) axis = d;
        REQUIRE(axis >= 0 && all[i].shape.dim[axis] == BATCH && one[i].shape.dim[axis] == 1);
        CHECK_MSG(slice(&all[i], &one[i], axis, k, true), "%s: output %d of example %lld differs in a batch of %d", id,
                  i, (long long)k, BATCH);
    }
}

static void check_model(const char *id, const char *batch, int64_t other)
{
    char path[512];
    const char *data = getenv("BORN_TEST_DATA");
    born_error err = { 0 };
    born_model *m = NULL;
    born_session *s = NULL, *t = NULL;
    example x = { .count = 0 };
    born_array all[MAX_IO], one[MAX_IO];
    born_model_info info;

    snprintf(path, sizeof path, "%s/onnx/models/%s/model.onnx", data ? data : "../shared/data", id);
    FILE *f = fopen(path, "rb");
    if (!f) SKIP("%s is not there", path);
    fclose(f);
    REQUIRE(CHECK_OK(born_model_open(path, NULL, &m, &err), &err));
    born_model_info_get(m, &info);
    REQUIRE(info.input_count <= MAX_IO && info.output_count <= MAX_IO);
    REQUIRE(CHECK_OK(born_session_open(m, NULL, &s, &err), &err));
    REQUIRE(CHECK_OK(born_session_open(m, NULL, &t, &err), &err));
    REQUIRE(make(m, &x, batch, other));
    REQUIRE(CHECK_OK(born_session_run(s, x.a_all, x.count, all, info.output_count, &err), &err));
    for (int64_t k = 0; k < BATCH; k++) {
        for (int i = 0; i < x.count; i++)
            if (x.axis[i] >= 0) slice(&x.a_all[i], &x.a_one[i], x.axis[i], k, false);
        REQUIRE(CHECK_OK(born_session_run(t, x.a_one, x.count, one, info.output_count, &err), &err));
        compare_outputs(id, all, one, info.output_count, k);
    }
    for (int i = 0; i < x.count; i++) {
        free(x.all[i]);
        free(x.one[i]);
    }
    born_session_close(&s);
    born_session_close(&t);
    born_model_close(&m);
}

TEST(dnsmos) { check_model("dnsmos_model_v8", "N", 0); }
TEST(optimum) { check_model("optimum_asset", "batch", 7); }
TEST(super_resolution) { check_model("super_resolution_10", "batch_size", 0); }
TEST(ort_ext_superres) { check_model("ort_ext_superres", "batch_size", 0); }
TEST(silero) { check_model("silero_vad_ifless_op18", "batch", 576); }
TEST(bidi_lstm) { check_model("tract_byte_sb_bidi_lstm", "batch", 9); }
TEST(trees) { check_model("tract_xgb_cls", NULL, 0); }
TEST(kws_qdq) { check_model("kws_qdq", "unk__68", 0); }

TEST_MAIN

/* Saving graphs and models: a traced network goes to .onnx and .born and comes back with the same bits; what ONNX
   cannot say is refused by name; real models survive the way out and in again. */
#include <born/born.h>
#include <math.h>
#include <unistd.h>

#include "../harness.h"

enum { MOST = 4096 };

static char path[2][64];
static const char *file(int born)
{
    snprintf(path[born], sizeof path[born], "born_out_%ld.%s", (long)getpid(), born ? "born" : "onnx");
    return path[born];
}

static unsigned seed;
static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / 8388608.0f - 1;
}

static born_f32 weight(born_backend *b, born_shape s)
{
    static float v[MOST];
    int64_t n = 1;

    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    for (int64_t i = 0; i < n; i++) v[i] = noise() * 0.5f;
    return born_from_f32(b, (born_array){ BORN_F32, s, v, 0 });
}

/* A network that meets attributes of many kinds, operands left out, and rows that ONNX says by others. */
static born_f32 network(born_backend *b, born_f32 x)
{
    const born_f32 none = { { 0 } };
    born_f32 y = born_conv(x, weight(b, BORN_SHAPE(4, 3, 3, 3)), weight(b, BORN_SHAPE(4)),
                           &(born_conv_attrs){ .pads = BORN_INTS(1, 1, 1, 1), .strides = BORN_INTS(2, 2) });

    y = born_leaky_relu(y, &(born_leaky_relu_attrs){ .alpha = 0.25 });
    y = born_max_pool(y, &(born_max_pool_attrs){ .kernel_shape = BORN_INTS(2, 2), .strides = BORN_INTS(2, 2) });
    y = born_flatten(y, 1);                                                             /* [2, 16] */
    y = born_gemm(y, weight(b, BORN_SHAPE(8, 16)), weight(b, BORN_SHAPE(8)), &(born_gemm_attrs){ .trans_b = true });
    born_f32 z = born_square(born_layer_norm(y, weight(b, BORN_SHAPE(8)), none, NULL)), part[2];
    y = born_mul(born_sigmoid(y), z);
    z = born_rsqrt(born_add(z, 1));
    born_f32 both[2] = { y, born_where(born_ne(y, z), born_squared_relu(y), z) };
    y = born_concat(both, 2, 0);                                                        /* [4, 8] */
    (void)born_split(y, part, 2, (born_ints){ 0 }, 1);
    y = born_matmul(born_reshape(part[0], BORN_SHAPE(2, 2, 4)), weight(b, BORN_SHAPE(4, 5)));
    return born_softmax(born_reduce_mean(y, BORN_INTS(1), NULL), -1);
}

/* The answer of a saved file on x, n floats. */
static bool answers(const char *name, const born_model_desc *desc, const float *x, const float *want, size_t n)
{
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err = { .status = BORN_OK };
    born_array in = BORN_ARRAY(x, 2, 3, 8, 8), out;
    const float *p = NULL;
    size_t got = 0;
    bool same = CHECK_OK(born_model_open(name, desc, &m, &err), &err) &&
                CHECK_OK(born_session_open(m, NULL, &s, &err), &err) &&
                CHECK_OK(born_session_run(s, &in, 1, &out, 1, &err), &err) &&
                CHECK_OK(born_array_f32(&out, &p, &got, &err), &err) && CHECK_INT(got, n) &&
                CHECK_MSG(!memcmp(p, want, n * sizeof *p), "%s gives other bits", name);

    born_session_close(&s);
    born_model_close(&m);
    return same;
}

TEST(a_traced_network)
{
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_error err = { .status = BORN_OK };
    born_graph *g = NULL;
    born_model *m = NULL;
    born_model_info info;
    static float x[2 * 3 * 8 * 8];
    float want[10];

    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = noise();
    born_f32 in = born_from_f32(b, BORN_ARRAY(x, 2, 3, 8, 8));
    REQUIRE_OK(born_trace_begin(b, &in.any, 1, &err), &err);
    born_f32 y = network(b, in);
    REQUIRE_OK(born_trace_end(b, &y.any, 1, &g, &err), &err);
    REQUIRE_OK(born_read(y, want, sizeof want), &err);
    CHECK(isfinite(want[0]) && want[0] > 0);
    for (int born = 0; born < 2; born++) {
        REQUIRE_OK(born_graph_save(g, file(born), &err), &err);
        CHECK(answers(file(born), NULL, x, want, 10));
        CHECK(answers(file(born), &(born_model_desc){ .load = BORN_COPY, .passes_off = "all" }, x, want, 10));
    }
    REQUIRE_OK(born_model_open(file(1), &(born_model_desc){ .passes_off = "all" }, &m, &err), &err);
    born_model_info_get(m, &info);
    CHECK_TEXT(info.format, "born");
    for (int born = 0; born < 2; born++) {                  /* and out again, over the file that is mapped */
        CHECK_OK(born_model_save(m, file(born), &err), &err);
        CHECK(answers(file(born), NULL, x, want, 10));
    }
    born_model_close(&m);
    CHECK_STATUS(born_graph_save(g, "model.txt", &err), BORN_INVALID);
    CHECK_STATUS(born_graph_save(g, ".onnx", &err), BORN_INVALID);
    CHECK_STATUS(born_graph_save(g, "no/such/folder/x.born", &err), BORN_IO);
    born_graph_close(&g);
    born_backend_close(&b);
    remove(file(0));
    remove(file(1));
}

TEST(what_onnx_cannot_say)
{
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_error err = { .status = BORN_OK };
    born_graph *g = NULL;
    float x[2] = { 1, 2 };
    born_f32 in = born_from_f32(b, BORN_ARRAY(x, 2));

    REQUIRE_OK(born_trace_begin(b, &in.any, 1, &err), &err);
    born_f32 y = born_log1p(in);
    REQUIRE_OK(born_trace_end(b, &y.any, 1, &g, &err), &err);
    CHECK_STATUS(born_graph_save(g, file(0), &err), BORN_UNSUPPORTED);
    CHECK_TEXT(err.text, "export: ONNX has no operator for log1p");
    CHECK(access(file(0), F_OK) != 0);
    born_graph_close(&g);
    born_backend_close(&b);
}

/* An input that is an output, twice: each output has a name and a node of its own. */
TEST(outputs_that_are_inputs)
{
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_error err = { .status = BORN_OK };
    born_graph *g = NULL;
    born_model *m = NULL;
    born_session *s = NULL;
    float x[2] = { 3, 4 };
    born_f32 in = born_from_f32(b, BORN_ARRAY(x, 2));
    born_array a = BORN_ARRAY(x, 2), out[3];

    REQUIRE_OK(born_trace_begin(b, &in.any, 1, &err), &err);
    born_tensor results[3] = { in.any, born_neg(in).any, in.any };
    REQUIRE_OK(born_trace_end(b, results, 3, &g, &err), &err);
    REQUIRE_OK(born_graph_save(g, file(1), &err), &err);
    born_graph_close(&g);
    REQUIRE_OK(born_model_open(file(1), NULL, &m, &err), &err);
    REQUIRE_OK(born_session_open(m, NULL, &s, &err), &err);
    REQUIRE_OK(born_session_run(s, &a, 1, out, 3, &err), &err);
    for (int i = 0; i < 3; i++) CHECK(((const float *)out[i].data)[1] == (i == 1 ? -4 : 4));
    born_session_close(&s);
    born_model_close(&m);
    born_backend_close(&b);
    remove(file(1));
}

/* Real models: the saved file gives the bits of the one it was made from, on inputs of ones. */
typedef struct answer {
    unsigned char *bytes;
    size_t n;
} answer;

static bool run_on_ones(const char *name, answer *a)
{
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err = { .status = BORN_OK };
    born_model_info info;
    born_array in[8], out;
    float *ones = calloc(1 << 22, sizeof *ones);
    bool good = ones && CHECK_OK(born_model_open(name, NULL, &m, &err), &err);

    for (int i = 0; ones && i < 1 << 22; i++) ones[i] = 1;
    if (good) born_model_info_get(m, &info);
    for (int i = 0; good && i < info.input_count && i < 8; i++) {
        born_value_info v;
        good = born_model_input(m, i, &v) == BORN_OK;
        in[i] = (born_array){ v.dtype, { v.rank, { 0 } }, ones, 0 };
        for (int d = 0; good && d < v.rank; d++) in[i].shape.dim[d] = v.dim[d] < 0 ? 1 : v.dim[d];
    }
    good = good && CHECK_OK(born_session_open(m, NULL, &s, &err), &err) &&
           CHECK_OK(born_session_run(s, in, info.input_count, &out, 1, &err), &err);
    if (good) {
        a->n = out.bytes;
        a->bytes = malloc(out.bytes ? out.bytes : 1);
        if (a->bytes) memcpy(a->bytes, out.data, out.bytes);
    }
    born_session_close(&s);
    born_model_close(&m);
    free(ones);
    return good;
}

static void there_and_back(const char *folder)
{
    char name[256];
    const char *data = getenv("BORN_TEST_DATA");
    born_model *m = NULL;
    born_error err = { .status = BORN_OK };

    snprintf(name, sizeof name, "%s/onnx/models/%s/model.onnx", data ? data : "../shared/data", folder);
    if (access(name, R_OK) != 0) SKIP("%s is not there", name);
    REQUIRE_OK(born_model_open(name, &(born_model_desc){ .passes_off = "all" }, &m, &err), &err);
    for (int born = 0; born < 2; born++) {
        answer a = { NULL, 0 }, b = { NULL, 0 };
        if (CHECK_OK(born_model_save(m, file(born), &err), &err) && run_on_ones(name, &a) &&
            run_on_ones(file(born), &b))
            CHECK_MSG(a.n == b.n && a.n && !memcmp(a.bytes, b.bytes, a.n), "%s: other bits", file(born));
        free(a.bytes);
        free(b.bytes);
        remove(file(born));
    }
    born_model_close(&m);
}

TEST(mnist) { there_and_back("mnist_8"); }
TEST(super_resolution) { there_and_back("super_resolution_10"); }
TEST(fastestdet) { there_and_back("fastestdet"); }
TEST(kws_qdq) { there_and_back("kws_qdq"); }
TEST(ultraface) { there_and_back("ultraface_rfb320"); }

TEST_MAIN

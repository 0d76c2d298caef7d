"""What Born saves as .onnx, ONNX Runtime runs to the same answers: a network traced from eager code, and real models
read and saved again. Needs onnxruntime and numpy; skipped without them."""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime as ort
except ImportError as e:
    print("skipped: %s" % e)
    sys.exit(77)

SOURCE = os.environ.get("BORN_SOURCE", os.getcwd())
CC = os.environ.get("CC", "cc")
ort.set_default_logger_severity(3)
LIB = os.environ["BORN_LIB"]
DATA = os.environ.get("BORN_TEST_DATA", os.path.join(SOURCE, "..", "shared", "data"))
MODELS = ["mnist_8", "super_resolution_10", "fastestdet", "kws_fp32", "ultraface_rfb320"]
PROGRAM = r"""
#include <born/born.h>
#include <stdio.h>
#include <string.h>
static unsigned seed;
static float noise(void) { seed = seed * 1664525u + 1013904223u; return (float)(seed >> 8) / 8388608.0f - 1; }
static born_f32 weight(born_backend *b, born_shape s)
{
    static float v[8192];
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    for (int64_t i = 0; i < n; i++) v[i] = noise() * 0.3f;
    return born_from_f32(b, (born_array){ BORN_F32, s, v, 0 });
}
static void dump(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");
    if (f) { fwrite(p, 1, n, f); fclose(f); }
}
static born_f32 network(born_backend *b, born_f32 x)
{
    const born_f32 none = { { 0 } };
    born_f32 y = born_conv(x, weight(b, BORN_SHAPE(8, 3, 3, 3)), weight(b, BORN_SHAPE(8)),
                           &(born_conv_attrs){ .pads = BORN_INTS(1, 1, 1, 1) }), part[2];
    y = born_max_pool(born_relu(y), &(born_max_pool_attrs){ .kernel_shape = BORN_INTS(2, 2),
                                                            .strides = BORN_INTS(2, 2) });
    y = born_conv(y, weight(b, BORN_SHAPE(8, 2, 3, 3)), none,
                  &(born_conv_attrs){ .group = 4, .dilations = BORN_INTS(2, 2), .pads = BORN_INTS(2, 2, 2, 2) });
    y = born_flatten(born_leaky_relu(y, &(born_leaky_relu_attrs){ .alpha = 0.25 }), 1);
    y = born_gemm(y, weight(b, BORN_SHAPE(12, 128)), weight(b, BORN_SHAPE(12)), &(born_gemm_attrs){ .trans_b = true });
    born_f32 z = born_square(born_layer_norm(y, weight(b, BORN_SHAPE(12)), none, NULL));
    born_f32 both[2] = { born_mul(born_sigmoid(y), z), born_tanh(born_rsqrt(born_add(z, 1))) };
    (void)born_split(born_concat(both, 2, 0), part, 2, (born_ints){ 0 }, 1);
    y = born_add(part[0], born_squared_relu(part[1]));
    y = born_matmul(born_reshape(y, BORN_SHAPE(2, 2, 6)), weight(b, BORN_SHAPE(6, 5)));
    y = born_reduce_mean(y, BORN_INTS(1), &(born_reduce_attrs){ .drop_dims = true });
    return born_log_softmax(y, -1);
}
static int traced(const char *model, const char *in, const char *out)
{
    static float x[2 * 3 * 8 * 8];
    float y[10];
    born_error err = { 0 };
    born_graph *g = NULL;
    born_backend *b = born_trace(born_cpu(NULL));
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = noise();
    born_f32 t = born_from_f32(b, BORN_ARRAY(x, 2, 3, 8, 8));
    if (born_trace_begin(b, &t.any, 1, &err)) return 1;
    born_f32 r = network(b, t);
    if (born_trace_end(b, &r.any, 1, &g, &err) || born_read(r, y, sizeof y) || born_graph_save(g, model, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    dump(in, x, sizeof x);
    dump(out, y, sizeof y);
    born_graph_close(&g);
    born_backend_close(&b);
    return 0;
}
int main(int argc, char **argv)
{
    born_error err = { 0 };
    born_model *m = NULL;
    if (argc == 4) return traced(argv[1], argv[2], argv[3]);
    if (argc != 3 || born_model_open(argv[1], &(born_model_desc){ .passes_off = "all" }, &m, &err) ||
        born_model_save(m, argv[2], &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    born_model_close(&m);
    return 0;
}
"""


def run(path, feeds=None):
    s = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    if feeds is None:
        rng = np.random.default_rng(1)
        feeds = {}
        for i in s.get_inputs():
            shape = [d if isinstance(d, int) and d > 0 else 1 for d in i.shape]
            feeds[i.name] = rng.random(shape, np.float32)
    elif not isinstance(feeds, dict):
        feeds = {s.get_inputs()[0].name: feeds}
    return s.run(None, feeds), feeds


def compare(name, got, want):
    worst = max((float(np.max(np.abs(g - w) / (1 + np.abs(w)))) for g, w in zip(got, want) if w.size), default=0.0)
    good = len(got) == len(want) and all(g.shape == w.shape for g, w in zip(got, want)) and worst <= 1e-5
    print("%s %s: largest difference %.1e" % ("ok" if good else "FAIL", name, worst))
    return good


def main():
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        at = lambda name: os.path.join(folder, name)
        with open(at("t.c"), "w") as f:
            f.write(PROGRAM)
        subprocess.run([CC, "-std=c17", "-I" + os.path.join(SOURCE, "include"), at("t.c"), LIB, "-lm", "-pthread", "-o",
                        at("t")], check=True)
        subprocess.run([at("t"), at("net.onnx"), at("x"), at("y")], check=True)
        x = np.fromfile(at("x"), np.float32).reshape(2, 3, 8, 8)
        failed += not compare("traced network", run(at("net.onnx"), x)[0],
                              [np.fromfile(at("y"), np.float32).reshape(2, 5)])
        for name in MODELS:
            path = os.path.join(DATA, "onnx", "models", name, "model.onnx")
            if not os.path.exists(path):
                print("skipped %s: not there" % name)
                continue
            want, feeds = run(path)
            subprocess.run([at("t"), path, at("again.onnx")], check=True)
            failed += not compare(name, run(at("again.onnx"), feeds)[0], want)
    sys.exit(1 if failed else 0)


main()

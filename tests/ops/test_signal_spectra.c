/* Spectra against the defining sums in f64, for every length up to 40 and some beyond (powers of two and chirps), any
   axis, real and complex, forwards and backwards; short-time spectra; windows; the mel matrix; refusals. */
#include <math.h>

#include "../harness.h"
#include "ops/signal_fft.h"
#include "support_calls.h"
#include "tensor/view.h"

static const double pi = 3.14159265358979323846;

static born_status run(born_op_id op, const void *a, const born_view *in, int n, born_view *y, born_error *err)
{
    *err = (born_error){ 0 };
    return call_op(op, a, in, n, y, 1, err);
}
static void refuse(const char *what, born_op_id op, const void *a, const born_view *in, int n, born_status want)
{
    born_view y;
    born_error err = { 0 };
    born_status got = infer_op(op, a, in, n, &y, 1, 0, &err);
    CHECK_MSG(got == want, "%s gave %s: %s", what, born_status_name(got), err.text);
}

TEST(unit_circle_is_exact)
{
    double worst = 0;
    static const int64_t n[] = { 1, 2, 3, 7, 8, 1000, 1024, 44100, 1LL << 40 };
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        for (int64_t k = -70; k < 5000; k++) {
            born_complex c = born__unit_circle(k, n[i]);
            double x = 2 * pi * (double)(k % n[i]) / (double)n[i];
            worst = fmax(worst, fmax(fabs(c.re - cos(x)), fabs(c.im - sin(x))));
        }
    CHECK_MSG(worst < 2e-15, "off by %g", worst);
    born_complex q = born__unit_circle(3, 4), h = born__unit_circle(1, 2);
    CHECK(q.re == 0 && q.im == -1 && h.re == -1 && h.im == 0);
}

/* Bin k of the transform of length n of x(0..have), each element a pair. */
static born_complex bin(const double *x, int64_t have, int64_t n, int64_t k, double sign)
{
    born_complex s = { 0, 0 };
    for (int64_t j = 0; j < n && j < have; j++) {
        double a = sign * 2 * pi * (double)(j * k % n) / (double)n;
        s.re += x[2 * j] * cos(a) - x[2 * j + 1] * sin(a);
        s.im += x[2 * j] * sin(a) + x[2 * j + 1] * cos(a);
    }
    return s;
}

/* x [2, have, 3, parts] along axis 1. */
static void check_dft(int64_t have, int64_t n, int parts, bool inverse, bool onesided, bool strided)
{
    double line[2 * 300];
    born_view x = tensor_random(strided ? BORN_F64 : BORN_F32, DIMS(2, have, 3, parts)), y;
    born_view in[3] = { strided ? tensor_strided(&x) : x, n == have && !onesided ? no_tensor : tensor_int(n),
                        tensor_int(1) };
    born_dft_attrs a = { .inverse = inverse, .onesided = onesided };
    born_error err;
    if (!CHECK_OK(run(BORN_OP_DFT, &a, in, 3, &y, &err), &err)) return;
    bool real = inverse && onesided;
    int64_t bins = onesided && !inverse ? n / 2 + 1 : n, out_parts = real ? 1 : 2;
    CHECK(y.dim[1] == bins && y.dim[3] == out_parts);
    for (int64_t i = 0; i < 6; i++) {
        int64_t b = i / 3, c = i % 3, used = real ? n : have;
        memset(line, 0, sizeof line);
        for (int64_t j = 0; j < have; j++)
            for (int64_t p = 0; p < parts; p++) line[2 * j + p] = tensor_at(&x, ((b * have + j) * 3 + c) * parts + p);
        for (int64_t j = n / 2 + 1; real && j < n; j++) {
            line[2 * j] = line[2 * (n - j)];
            line[2 * j + 1] = -line[2 * (n - j) + 1];
        }
        for (int64_t k = 0; k < bins; k++) {
            born_complex want = bin(line, used, n, k, inverse ? 1 : -1);
            double scale = inverse ? (double)n : 1;
            for (int64_t p = 0; p < out_parts; p++) {
                double w = (p ? want.im : want.re) / scale,
                       got = tensor_at(&y, ((b * bins + k) * 3 + c) * out_parts + p);
                if (!CHECK_MSG(fabs(got - w) <= 1e-3 * sqrt((double)n) * (strided ? 1e-7 : 1),
                               "length %lld: bin %lld is %g, not %g", (long long)n, (long long)k, got, w))
                    return;
            }
        }
    }
}

TEST(dft_is_its_definition)
{
    random_seed(1);
    for (int64_t n = 1; n <= 40; n++) {
        check_dft(n, n, 2, false, false, n % 2);
        check_dft(n, n, 2, true, false, n % 2);
        check_dft(n, n, 1, false, true, n % 3 == 0);
        check_dft(n / 2 + 1, n, 2, true, true, n % 3 == 0);
        calls_free();
    }
    static const int64_t n[] = { 64, 97, 100, 128, 243, 256 };
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) check_dft(n[i], n[i], 2, i % 2, false, true);
    check_dft(10, 17, 1, false, false, false);      /* padded with zeros */
    check_dft(17, 10, 2, false, false, false);      /* cut */
    calls_free();
}

TEST(stft_is_dfts_of_frames)
{
    enum { L = 50, N = 12, STEP = 5, FRAMES = (L - N) / STEP + 1, BINS = N / 2 + 1 };
    random_seed(2);
    born_view x = tensor_random(BORN_F32, DIMS(2, L, 1)), w = tensor_random(BORN_F32, DIMS(N)), y;
    born_error err;
    born_view in[4] = { tensor_strided(&x), tensor_int(STEP), w, no_tensor };
    REQUIRE_OK(run(BORN_OP_STFT, NULL, in, 4, &y, &err), &err);
    CHECK(y.dim[1] == FRAMES && y.dim[2] == BINS && y.dim[3] == 2);
    for (int64_t f = 0; f < 2 * FRAMES; f++) {
        double line[2 * N] = { 0 };
        for (int64_t j = 0; j < N; j++)
            line[2 * j] = tensor_at(&x, f / FRAMES * L + f % FRAMES * STEP + j) * tensor_at(&w, j);
        for (int64_t k = 0; k < BINS; k++) {
            born_complex want = bin(line, N, N, k, -1);
            CHECK(fabs(tensor_at(&y, (f * BINS + k) * 2) - want.re) < 1e-2);
            CHECK(fabs(tensor_at(&y, (f * BINS + k) * 2 + 1) - want.im) < 1e-2);
        }
    }
    calls_free();
}

TEST(windows)
{
    static const born_op_id op[] = { BORN_OP_HANN_WINDOW, BORN_OP_HAMMING_WINDOW, BORN_OP_BLACKMAN_WINDOW };
    static const double a0[] = { 0.5, 25.0 / 46, 0.42 }, a1[] = { 0.5, 21.0 / 46, 0.5 }, a2[] = { 0, 0, 0.08 };
    born_view y;
    born_error err;
    for (int k = 0; k < 6; k++) {
        born_signal_window_attrs a = { .symmetric = k / 3, .output_dtype = BORN_F64 };
        born_view size = tensor_of(BORN_I32, 0, NULL, (double[]){ 11 });
        REQUIRE_OK(run(op[k % 3], &a, &size, 1, &y, &err), &err);
        for (int i = 0; i < 11; i++) {
            double t = 2 * pi * i / (11 - k / 3), want = a0[k % 3] - a1[k % 3] * cos(t) + a2[k % 3] * cos(2 * t);
            CHECK(fabs(tensor_at(&y, i) - want) < 1e-14);
        }
    }
    born_view one = tensor_int(1), none = tensor_int(0);
    REQUIRE_OK(run(BORN_OP_HANN_WINDOW, &(born_signal_window_attrs){ .symmetric = true }, &one, 1, &y, &err), &err);
    CHECK(tensor_at(&y, 0) == 1);
    REQUIRE_OK(run(BORN_OP_HANN_WINDOW, NULL, &none, 1, &y, &err), &err);
    CHECK_INT(y.dim[0], 0);
    calls_free();
}

TEST(mel_matrix_is_triangles)
{
    born_view low = tensor_of(BORN_F32, 0, NULL, (double[]){ 0 }),
              high = tensor_of(BORN_F32, 0, NULL, (double[]){ 8000 }), y;
    born_view in[5] = { tensor_int(8), tensor_int(256), tensor_int(16000), low, high };
    born_error err;
    REQUIRE_OK(run(BORN_OP_MEL_WEIGHT_MATRIX, NULL, in, 5, &y, &err), &err);
    CHECK(y.dim[0] == 129 && y.dim[1] == 8);
    int64_t last = -1;
    for (int64_t m = 0; m < 8; m++) {
        int64_t peak = 0;
        for (int64_t b = 0; b < 129; b++) {
            double v = tensor_at(&y, b * 8 + m);
            CHECK(v >= 0 && v <= 1);
            if (v > tensor_at(&y, peak * 8 + m)) peak = b;
        }
        CHECK(tensor_at(&y, peak * 8 + m) == 1 && peak > last);
        last = peak;
    }
    in[4] = tensor_of(BORN_F32, 0, NULL, (double[]){ 1e30 });       /* far above the last bin: clamped */
    CHECK_OK(run(BORN_OP_MEL_WEIGHT_MATRIX, NULL, in, 5, &y, &err), &err);
    in[3] = tensor_of(BORN_F32, 0, NULL, (double[]){ NAN });
    CHECK_OK(run(BORN_OP_MEL_WEIGHT_MATRIX, NULL, in, 5, &y, &err), &err);
    in[2] = tensor_int(0);
    CHECK_STATUS(run(BORN_OP_MEL_WEIGHT_MATRIX, NULL, in, 5, &y, &err), BORN_RANGE);
    calls_free();
}

TEST(signal_refusals)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(1, 8, 2)), real = tensor_zeros(BORN_F32, DIMS(1, 8, 1)), y;
    born_dft_attrs half = { .onesided = true };
    born_error err = { 0 };
    refuse("three parts", BORN_OP_DFT, NULL, (born_view[]){ tensor_zeros(BORN_F32, DIMS(1, 8, 3)) }, 1, BORN_SHAPE);
    refuse("complex onesided", BORN_OP_DFT, &half, (born_view[]){ x }, 1, BORN_INVALID);
    refuse("last axis", BORN_OP_DFT, NULL, (born_view[]){ x, no_tensor, tensor_int(2) }, 3, BORN_RANGE);
    refuse("axis -4", BORN_OP_DFT, NULL, (born_view[]){ x, no_tensor, tensor_int(-4) }, 3, BORN_RANGE);
    refuse("length 0", BORN_OP_DFT, NULL, (born_view[]){ x, tensor_int(0) }, 2, BORN_RANGE);
    refuse("length 2^62", BORN_OP_DFT, NULL, (born_view[]){ x, tensor_int(1LL << 62) }, 2, BORN_RANGE);
    CHECK_STATUS(infer_op(BORN_OP_DFT, NULL, (born_view[]){ x, tensor_int(8) }, 2, &y, 1, 1u << 1, &err), BORN_STATE);
    refuse("step 0", BORN_OP_STFT, NULL, (born_view[]){ real, tensor_int(0) }, 2, BORN_RANGE);
    refuse("long frames", BORN_OP_STFT, NULL, (born_view[]){ real, tensor_int(1), no_tensor, tensor_int(9) }, 4,
           BORN_RANGE);
    refuse("window", BORN_OP_STFT, NULL,
           (born_view[]){ real, tensor_int(1), tensor_zeros(BORN_F32, DIMS(3)), tensor_int(4) }, 4, BORN_SHAPE);
    refuse("complex", BORN_OP_STFT, NULL, (born_view[]){ x, tensor_int(1), no_tensor, tensor_int(4) }, 4, BORN_INVALID);
    refuse("negative", BORN_OP_HANN_WINDOW, NULL, (born_view[]){ tensor_int(-1) }, 1, BORN_RANGE);
    refuse("bool", BORN_OP_HANN_WINDOW, &(born_signal_window_attrs){ .output_dtype = BORN_BOOL },
           (born_view[]){ tensor_int(4) }, 1, BORN_DTYPE);
    calls_free();
}
TEST_MAIN

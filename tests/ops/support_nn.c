/* See support_nn.h. */
#include "support_nn.h"

#include <math.h>

#include "../harness.h"
#include "tensor/view.h"

born_view nn_noise(born_dtype t, int rank, const int64_t *dim)
{
    born_view v = tensor_zeros(t, rank, dim);
    for (int64_t i = 0; i < born__view_count(&v); i++)
        born__store_f64(t, tensor_address(&v, i), ((double)random_below(1 << 20) - (1 << 19)) / 377777.0);
    return v;
}

/* The harness counts per file of tests, and this file has none: its counters are passed on by the caller's CHECKs. */
static void say(const char *what, const char *how, const born_error *err)
{
    printf("  %s, %s: %s\n", what, how, err ? err->text : "other bits");
}

bool nn_run(const char *what, born_op_id op, const void *attrs, const born_view *in, int in_count, uint32_t host,
            born_view *out, int out_count)
{
    born_error err = { 0 };
    born_view other[8], again[4];
    calls_threads(1);
    if (call_op(op, attrs, in, in_count, out, out_count, &err) != BORN_OK) {
        say(what, "dense", &err);
        return false;
    }
    for (int way = 0; way < 4; way++) {
        for (int i = 0; i < in_count; i++) {
            bool strided = way > 0 && in[i].dtype != BORN_DTYPE_NONE && !(host >> i & 1u);
            other[i] = strided ? tensor_strided(&in[i]) : in[i];
        }
        calls_threads(way % 2 ? 1 : 3);
        born_status st = call_op(op, attrs, other, in_count, again, out_count, &err);
        calls_threads(1);
        if (st != BORN_OK) {
            say(what, "strided", &err);
            return false;
        }
        for (int o = 0; o < out_count; o++)
            if (!tensor_same_bits(&out[o], &again[o])) {
                say(what, way > 0 ? "strided" : "three threads", NULL);
                return false;
            }
    }
    return true;
}

bool nn_close(const char *what, const born_view *out, nn_want want, const void *ctx, double tolerance)
{
    for (int64_t i = 0; i < born__view_count(out); i++) {
        int64_t at[BORN_MAX_RANK], rest = i;
        for (int d = out->rank - 1; d >= 0; d--) {
            at[d] = rest % out->dim[d];
            rest /= out->dim[d];
        }
        double got = tensor_at(out, i), w = want(ctx, at);
        if ((isnan(got) && isnan(w)) || got == w || fabs(got - w) <= tolerance * (1 + fabs(w))) continue;
        printf("  %s: element %lld is %.9g, not %.9g\n", what, (long long)i, got, w);
        return false;
    }
    return true;
}

bool nn_refused(born_op_id op, const void *attrs, const born_view *in, int in_count, int out_count, born_status status,
                const char *text)
{
    born_view out[4];
    born_error err = { 0 };
    born_status st = infer_op(op, attrs, in, in_count, out, out_count, 0, &err);
    if (st == status && strstr(err.text, text)) return true;
    printf("  %s gave %s: %s\n", born__ops[op].name, born_status_name(st), err.text);
    return false;
}

double nn_at(const born_view *v, const int64_t *at)
{
    int64_t i = 0;
    for (int d = 0; d < v->rank; d++) {
        if (at[d] < 0 || at[d] >= v->dim[d]) return 0;
        i = i * v->dim[d] + at[d];
    }
    return tensor_at(v, i);
}

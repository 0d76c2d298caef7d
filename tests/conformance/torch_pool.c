/* torch_cases: pooling. Images come with or without a batch dim. */
#include "torch_cases.h"

static const tc_ints zeros = { .v = { 0, 0, 0 }, .n = 3 };
static const tc_ints ones = { .v = { 1, 1, 1 }, .n = 3 };

typedef struct pool {
    int spatial;
    bool alone;
    born_tensor x;                  /* with a batch dim */
    tc_ints kernel, stride, dilation;
    int64_t pads[6];
} pool;

static pool read_pool(const tc_call *k, int spatial)
{
    pool p = { .spatial = spatial, .x = tc_in(k, "input") };
    p.alone = tc_rank(p.x) == spatial + 1;
    if (p.alone) p.x = tc_unsqueeze(p.x, 0);
    p.kernel = tc_spatial(k, "kernel_size", spatial, &ones);
    p.stride = tc_spatial(k, "stride", spatial, &p.kernel);
    p.dilation = tc_spatial(k, "dilation", spatial, &ones);
    tc_ints pad = tc_spatial(k, "padding", spatial, &zeros);
    for (int i = 0; i < 2 * spatial; i++) p.pads[i] = pad.v[i % spatial];
    return p;
}
static void out_image(tc_call *k, const pool *p, born_tensor r)
{
    tc_out(k, p->alone ? tc_squeeze(r, 0) : r);
}

static void ints_text(char *text, size_t room, const char *name, const int64_t *v, int n)
{
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, room - used, "%s%s=[", used > 0 ? ", " : "", name);
    for (int i = 0; i < n && used < room; i++) {
        used += (size_t)snprintf(text + used, room - used, "%s%lld", i > 0 ? "," : "", (long long)v[i]);
    }
    if (used < room) snprintf(text + used, room - used, "]");
}

/* PyTorch's indices lie in the plane, the operator's in the whole of x. */
static void max_pool(tc_call *k, int spatial)
{
    pool p = read_pool(k, spatial);
    if (!tc_flag(k, "return_indices")) {
        born_max_pool_attrs a = { .kernel_shape = { p.kernel.v, spatial }, .strides = { p.stride.v, spatial },
                                  .pads = { p.pads, 2 * spatial }, .dilations = { p.dilation.v, spatial },
                                  .ceil_mode = tc_flag(k, "ceil_mode") };
        out_image(k, &p, born_max_pool(p.x, &a));
        return;
    }
    char attrs[300] = "";
    born_tensor out[2] = { { 0 } };
    ints_text(attrs, sizeof attrs, "kernel_shape", p.kernel.v, spatial);
    ints_text(attrs, sizeof attrs, "strides", p.stride.v, spatial);
    ints_text(attrs, sizeof attrs, "pads", p.pads, 2 * spatial);
    ints_text(attrs, sizeof attrs, "dilations", p.dilation.v, spatial);
    snprintf(attrs + strlen(attrs), sizeof attrs - strlen(attrs), ", ceil_mode=%s",
             tc_flag(k, "ceil_mode") ? "true" : "false");
    if (born_call(k->b, "max_pool", &p.x, 1, attrs, out, 2) != BORN_OK) {
        tc_fail(k, "%.300s", born_backend_error(k->b)->text);
        return;
    }
    int64_t plane = 1;
    for (int i = 0; i < spatial; i++) plane *= tc_size(p.x, 2 + i);
    out_image(k, &p, out[0]);
    out_image(k, &p, born_mod(out[1], (double)plane, NULL));
}
static void run_max_pool1d(tc_call *k) { max_pool(k, 1); }
static void run_max_pool2d(tc_call *k) { max_pool(k, 2); }
static void run_max_pool3d(tc_call *k) { max_pool(k, 3); }

static born_tensor average(const pool *p, bool ceil_mode, bool count_pads)
{
    born_average_pool_attrs a = { .kernel_shape = { p->kernel.v, p->spatial }, .strides = { p->stride.v, p->spatial },
                                  .pads = { p->pads, 2 * p->spatial }, .ceil_mode = ceil_mode,
                                  .count_include_pad = count_pads };
    return born_average_pool(p->x, &a);
}

/* A divisor of its own: the mean times how many elements each window has, over the divisor. */
static born_tensor divided(tc_call *k, const pool *p, born_tensor mean, double divisor)
{
    born_shape s = born_shape_of(mean), in = born_shape_of(p->x);
    for (int i = 0; i < p->spatial; i++) {
        double count[4096];
        int64_t n = s.dim[2 + i] < 4096 ? s.dim[2 + i] : 4096;
        for (int64_t o = 0; o < n; o++) {
            int64_t start = o * p->stride.v[i] - p->pads[i], end = start + p->kernel.v[i];
            start = start < 0 ? 0 : start;
            end = end > in.dim[2 + i] ? in.dim[2 + i] : end;
            count[o] = (double)(end - start);
        }
        born_shape one = { .rank = s.rank, .dim = { 1, 1, 1, 1, 1 } };
        one.dim[2 + i] = n;
        mean = born_mul(mean, tc_f64s(k, count, one, born_dtype_of(mean)));
    }
    return born_div(mean, divisor);
}
static void avg_pool(tc_call *k, int spatial)
{
    pool p = read_pool(k, spatial);
    bool up = tc_flag(k, "ceil_mode");
    if (tc_none(k, "divisor_override")) out_image(k, &p, average(&p, up, tc_flag(k, "count_include_pad")));
    else out_image(k, &p, divided(k, &p, average(&p, up, false), tc_num(k, "divisor_override")));
}
static void run_avg_pool1d(tc_call *k) { avg_pool(k, 1); }
static void run_avg_pool2d(tc_call *k) { avg_pool(k, 2); }
static void run_avg_pool3d(tc_call *k) { avg_pool(k, 3); }

/* PyTorch sums x^p, sign and all, where the operator sums |x|^p: the same for even p and for x above 0. */
static void lp_pool(tc_call *k, int spatial)
{
    pool p = read_pool(k, spatial);
    double norm = tc_num(k, "norm_type"), cells = 1;
    bool up = tc_flag(k, "ceil_mode");
    if (norm == 2 && !up) {
        born_lp_pool_attrs a = { .kernel_shape = { p.kernel.v, spatial }, .strides = { p.stride.v, spatial }, .p = 2 };
        out_image(k, &p, born_lp_pool(p.x, &a));
        return;
    }
    p.x = born_pow(p.x, norm);
    for (int i = 0; i < spatial; i++) cells *= (double)p.kernel.v[i];
    born_tensor mean = average(&p, up, true);
    born_tensor sum = born_mul(born_mul(born_sign(mean), born_relu(born_abs(mean))), cells);
    out_image(k, &p, norm == 1 ? sum : born_pow(sum, 1 / norm));
}
static void run_lp_pool1d(tc_call *k) { lp_pool(k, 1); }
static void run_lp_pool2d(tc_call *k) { lp_pool(k, 2); }

/* ---- adaptive: bin o of n covers floor(o * in / n) to ceil((o + 1) * in / n) ---- */

static tc_ints bins(const tc_call *k, born_tensor x, int spatial)
{
    tc_ints size = tc_ints_of(k, "output_size");
    const json_t *v = tc_arg(k, "output_size");
    for (; size.n < spatial; size.n++) size.v[size.n] = size.v[0];
    for (int i = 0; i < spatial; i++) {
        if (json_is_array(v) && json_is_null(json_array_get(v, (size_t)i)))
            size.v[i] = tc_size(x, tc_rank(x) - spatial + i);
    }
    return size;
}

/* A matrix of means for each spatial dim. */
born_tensor tc_adaptive_avg(tc_call *k, born_tensor x, const tc_ints *size)
{
    int rank = tc_rank(x);
    for (int i = 0; i < size->n; i++) {
        int dim = rank - size->n + i;
        int64_t in = tc_size(x, dim), out = size->v[i];
        double *m = calloc((size_t)(in * out) + 1, sizeof *m);
        for (int64_t o = 0; m != NULL && o < out; o++) {
            int64_t start = o * in / out, end = ((o + 1) * in + out - 1) / out;
            for (int64_t j = start; j < end; j++) m[j * out + o] = 1 / (double)(end - start);
        }
        born_tensor mean = tc_f64s(k, m, BORN_SHAPE(in, out), born_dtype_of(x));
        free(m);
        x = tc_swap(born_matmul(tc_swap(x, dim, rank - 1), mean), dim, rank - 1);
    }
    return x;
}
static void adaptive_avg(tc_call *k, int spatial)
{
    tc_ints size = bins(k, tc_in(k, "input"), spatial);
    tc_out(k, tc_adaptive_avg(k, tc_in(k, "input"), &size));
}
static void run_adaptive_avg_pool1d(tc_call *k) { adaptive_avg(k, 1); }
static void run_adaptive_avg_pool2d(tc_call *k) { adaptive_avg(k, 2); }
static void run_adaptive_avg_pool3d(tc_call *k) { adaptive_avg(k, 3); }

/* The bin's part of each plane, flat: where its largest element lies there, and in the plane. */
static born_tensor largest_of_bin(tc_call *k, born_tensor flat, const int64_t *in, const int64_t *out,
                                  const int64_t *bin)
{
    int64_t lo[3], hi[3], n = 0;
    for (int i = 0; i < 3; i++) {
        lo[i] = bin[i] * in[i] / out[i];
        hi[i] = ((bin[i] + 1) * in[i] + out[i] - 1) / out[i];
    }
    int64_t *at = malloc((size_t)((hi[0] - lo[0]) * (hi[1] - lo[1]) * (hi[2] - lo[2])) * sizeof *at + 1);
    for (int64_t a = lo[0]; at != NULL && a < hi[0]; a++) {
        for (int64_t b = lo[1]; b < hi[1]; b++) {
            for (int64_t c = lo[2]; c < hi[2]; c++) at[n++] = (a * in[1] + b) * in[2] + c;
        }
    }
    born_tensor places = tc_i64s(k, at, BORN_SHAPE(n));
    free(at);
    born_tensor part = born_gather(born_detach(flat), places, 1);       /* [planes, n] */
    return born_gather(places, born_arg_max(part, &(born_arg_reduce_attrs){ .axis = 1 }), 0);
}
static void adaptive_max(tc_call *k, int spatial)
{
    born_tensor x = tc_in(k, "input"), part[TC_MOST_OUT];
    tc_ints size = bins(k, x, spatial);
    int rank = tc_rank(x), lead = 3 - spatial;
    int64_t in[3] = { 1, 1, 1 }, out[3] = { 1, 1, 1 };
    for (int i = 0; i < spatial; i++) {
        in[lead + i] = tc_size(x, rank - spatial + i);
        out[lead + i] = size.v[i];
    }
    born_shape s = born_shape_of(x);
    for (int i = 0; i < spatial; i++) s.dim[rank - spatial + i] = size.v[i];
    int64_t n = out[0] * out[1] * out[2];
    if (n > TC_MOST_OUT) {
        tc_fail(k, "more than %d bins", TC_MOST_OUT);
        return;
    }
    born_tensor flat = born_reshape(x, BORN_SHAPE(-1, in[0] * in[1] * in[2]));
    for (int64_t i = 0; i < n; i++) {
        int64_t bin[3] = { i / (out[1] * out[2]), i / out[2] % out[1], i % out[2] };
        part[i] = largest_of_bin(k, flat, in, out, bin);
    }
    born_tensor at = born_concat(part, (int)n, 1);
    tc_out(k, born_reshape(born_gather_elements(flat, at, 1), s));
    if (tc_flag(k, "return_indices")) tc_out(k, born_reshape(at, s));
}
static void run_adaptive_max_pool1d(tc_call *k) { adaptive_max(k, 1); }
static void run_adaptive_max_pool2d(tc_call *k) { adaptive_max(k, 2); }
static void run_adaptive_max_pool3d(tc_call *k) { adaptive_max(k, 3); }

/* ---- max_unpool: elements back to where they were ---- */

static void max_unpool(tc_call *k, int spatial)
{
    pool p = read_pool(k, spatial);
    int rank = tc_rank(p.x);
    born_tensor at = p.alone ? tc_unsqueeze(tc_in(k, "indices"), 0) : tc_in(k, "indices");
    tc_ints size = tc_ints_of(k, "output_size");
    born_shape s = born_shape_of(p.x);
    int64_t cells = 1, planes = s.dim[0] * s.dim[1];
    for (int i = 0; i < spatial; i++) {
        int64_t *d = &s.dim[rank - spatial + i];
        *d = size.none ? (*d - 1) * p.stride.v[i] - 2 * p.pads[i] + p.kernel.v[i] : size.v[size.n - spatial + i];
        cells *= *d;
    }
    born_tensor zero = tc_full(k, born_dtype_of(p.x), BORN_SHAPE(planes, cells), 0);
    born_tensor r = born_scatter_elements(zero, born_reshape(at, BORN_SHAPE(planes, -1)),
                                          born_reshape(p.x, BORN_SHAPE(planes, -1)),
                                          (&(born_scatter_elements_attrs){ .axis = 1 }));
    out_image(k, &p, born_reshape(r, s));
}
static void run_max_unpool1d(tc_call *k) { max_unpool(k, 1); }
static void run_max_unpool2d(tc_call *k) { max_unpool(k, 2); }
static void run_max_unpool3d(tc_call *k) { max_unpool(k, 3); }

#define MAX(dims, f)                                                                                                   \
    {                                                                                                                  \
        .name = "torch.nn.functional.max_pool" dims,                                                                   \
        .params = "input, kernel_size, stride=null, padding=0, dilation=1, ceil_mode=false, return_indices=false",     \
        .run = f                                                                                                       \
    }
#define AVG(dims, f)                                                                                                  \
    { .name = "torch.nn.functional.avg_pool" dims, .params = "input, kernel_size, stride=null, padding=0, "           \
      "ceil_mode=false, count_include_pad=true, divisor_override=null", .run = f }
#define LP(dims, f)                                                                                                   \
    { .name = "torch.nn.functional.lp_pool" dims,                                                                     \
      .params = "input, norm_type, kernel_size, stride=null, ceil_mode=false", .run = f }
#define ADAPTIVE(name_, f)                                                                                            \
    { .name = "torch.nn.functional.adaptive_" name_, .params = "input, output_size, return_indices=false", .run = f }
#define UNPOOL(dims, f)                                                                                               \
    { .name = "torch.nn.functional.max_unpool" dims,                                                                  \
      .params = "input, indices, kernel_size, stride=null, padding=0, output_size=null", .run = f }
const tc_row tc_rows_pool[] = {
    MAX("1d", run_max_pool1d),
    MAX("2d", run_max_pool2d),
    MAX("3d", run_max_pool3d),
    AVG("1d", run_avg_pool1d),
    AVG("2d", run_avg_pool2d),
    AVG("3d", run_avg_pool3d),
    LP("1d", run_lp_pool1d),
    LP("2d", run_lp_pool2d),
    ADAPTIVE("avg_pool1d", run_adaptive_avg_pool1d),
    ADAPTIVE("avg_pool2d", run_adaptive_avg_pool2d),
    ADAPTIVE("avg_pool3d", run_adaptive_avg_pool3d),
    ADAPTIVE("max_pool1d", run_adaptive_max_pool1d),
    ADAPTIVE("max_pool2d", run_adaptive_max_pool2d),
    ADAPTIVE("max_pool3d", run_adaptive_max_pool3d),
    UNPOOL("1d", run_max_unpool1d),
    UNPOOL("2d", run_max_unpool2d),
    UNPOOL("3d", run_max_unpool3d),
    { 0 },
};

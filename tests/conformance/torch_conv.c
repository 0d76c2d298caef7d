/* torch_cases: convolutions of 1 to 3 dims, and their columns (unfold and fold). */
#include "torch_cases.h"

/* x with a batch dim; *alone tells whether it had none. */
static born_tensor batched(born_tensor x, int spatial, bool *alone)
{
    *alone = tc_rank(x) == spatial + 1;
    return *alone ? tc_unsqueeze(x, 0) : x;
}

static const tc_ints zeros = { .v = { 0, 0, 0 }, .n = 3 };
static const tc_ints ones = { .v = { 1, 1, 1 }, .n = 3 };

/* Padding before each dim, then after each; "same" puts the odd one behind. */
static void conv_pads(const tc_call *k, int spatial, born_tensor w, const tc_ints *dilation, int64_t *pads)
{
    bool same = tc_says(k, "padding", "same"), valid = tc_says(k, "padding", "valid");
    tc_ints p = same || valid ? zeros : tc_spatial(k, "padding", spatial, &zeros);
    for (int i = 0; i < spatial; i++) {
        int64_t total = dilation->v[i] * (tc_size(w, 2 + i) - 1);
        pads[i] = same ? total / 2 : p.v[i];
        pads[spatial + i] = same ? total - total / 2 : p.v[i];
    }
}

static void conv(tc_call *k, int spatial)
{
    bool alone;
    int64_t pads[6];
    born_tensor w = tc_in(k, "weight"), x = batched(tc_in(k, "input"), spatial, &alone);
    tc_ints stride = tc_spatial(k, "stride", spatial, &ones), dilation = tc_spatial(k, "dilation", spatial, &ones);
    conv_pads(k, spatial, w, &dilation, pads);
    born_conv_attrs a = { .group = tc_int(k, "groups"), .strides = { stride.v, spatial }, .pads = { pads, 2 * spatial },
                          .dilations = { dilation.v, spatial } };
    born_tensor r = born_conv(x, w, tc_in(k, "bias"), &a);
    tc_out(k, alone ? tc_squeeze(r, 0) : r);
}
static void run_conv1d(tc_call *k) { conv(k, 1); }
static void run_conv2d(tc_call *k) { conv(k, 2); }
static void run_conv3d(tc_call *k) { conv(k, 3); }

static void conv_transpose(tc_call *k, int spatial)
{
    bool alone;
    int64_t pads[6];
    born_tensor x = batched(tc_in(k, "input"), spatial, &alone);
    tc_ints stride = tc_spatial(k, "stride", spatial, &ones), dilation = tc_spatial(k, "dilation", spatial, &ones);
    tc_ints pad = tc_spatial(k, "padding", spatial, &zeros), more = tc_spatial(k, "output_padding", spatial, &zeros);
    for (int i = 0; i < 2 * spatial; i++) pads[i] = pad.v[i % spatial];
    born_conv_transpose_attrs a = { .group = tc_int(k, "groups"), .strides = { stride.v, spatial },
                                    .pads = { pads, 2 * spatial }, .dilations = { dilation.v, spatial },
                                    .output_padding = { more.v, spatial } };
    born_tensor r = born_conv_transpose(x, tc_in(k, "weight"), tc_in(k, "bias"), &a);
    tc_out(k, alone ? tc_squeeze(r, 0) : r);
}
static void run_conv_transpose1d(tc_call *k) { conv_transpose(k, 1); }
static void run_conv_transpose2d(tc_call *k) { conv_transpose(k, 2); }
static void run_conv_transpose3d(tc_call *k) { conv_transpose(k, 3); }

/* ---- columns ---- */

typedef struct windows {
    int64_t kernel[2], stride[2], pad[2], dilation[2], size[2] /* of the image, padding included */, out[2];
} windows;

static windows read_windows(const tc_call *k, int64_t h, int64_t w)
{
    windows r = { .size = { h, w } };
    tc_ints kernel = tc_spatial(k, "kernel_size", 2, &ones), stride = tc_spatial(k, "stride", 2, &ones);
    tc_ints pad = tc_spatial(k, "padding", 2, &zeros), dilation = tc_spatial(k, "dilation", 2, &ones);
    for (int i = 0; i < 2; i++) {
        r.kernel[i] = kernel.v[i];
        r.stride[i] = stride.v[i];
        r.pad[i] = pad.v[i];
        r.dilation[i] = dilation.v[i];
        r.size[i] += 2 * pad.v[i];
        r.out[i] = (r.size[i] - dilation.v[i] * (kernel.v[i] - 1) - 1) / stride.v[i] + 1;
    }
    return r;
}

/* The place in the padded image of each (position in the kernel, position of the window). */
static born_tensor places(tc_call *k, const windows *w)
{
    int64_t rows = w->kernel[0] * w->kernel[1], columns = w->out[0] * w->out[1], n = rows * columns;
    int64_t *at = malloc((size_t)(n + 1) * sizeof *at);
    for (int64_t i = 0; at != NULL && i < n; i++) {
        int64_t r = i / columns, c = i % columns;
        int64_t y = r / w->kernel[1] * w->dilation[0] + c / w->out[1] * w->stride[0];
        int64_t x = r % w->kernel[1] * w->dilation[1] + c % w->out[1] * w->stride[1];
        at[i] = y * w->size[1] + x;
    }
    born_tensor t = tc_i64s(k, at, BORN_SHAPE(n));
    free(at);
    return t;
}

static void run_unfold(tc_call *k)
{
    bool alone;
    born_tensor x = batched(tc_in(k, "input"), 2, &alone);
    int64_t n = tc_size(x, 0), c = tc_size(x, 1);
    windows w = read_windows(k, tc_size(x, 2), tc_size(x, 3));
    x = born_pad(x, BORN_INTS(0, 0, w.pad[0], w.pad[1], 0, 0, w.pad[0], w.pad[1]), 0, NULL);
    x = born_reshape(x, BORN_SHAPE(n, c, w.size[0] * w.size[1]));
    x = born_reshape(born_gather(x, places(k, &w), 2),
                     BORN_SHAPE(n, c * w.kernel[0] * w.kernel[1], w.out[0] * w.out[1]));
    tc_out(k, alone ? tc_squeeze(x, 0) : x);
}

static void run_fold(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    bool alone = tc_rank(x) == 2;
    if (alone) x = tc_unsqueeze(x, 0);
    tc_ints size = tc_spatial(k, "output_size", 2, &ones);
    windows w = read_windows(k, size.v[0], size.v[1]);
    int64_t n = tc_size(x, 0), cells = w.kernel[0] * w.kernel[1], c = tc_size(x, 1) / cells, l = w.out[0] * w.out[1];
    x = born_reshape(x, BORN_SHAPE(n, c, cells * l));
    born_tensor at = born_expand(places(k, &w), BORN_SHAPE(n, c, cells * l));
    born_tensor zero = tc_full(k, born_dtype_of(x), BORN_SHAPE(n, c, w.size[0] * w.size[1]), 0);
    x = born_scatter_elements(zero, at, x, (&(born_scatter_elements_attrs){ .axis = 2, .reduction = 1 }));
    x = born_reshape(x, BORN_SHAPE(n, c, w.size[0], w.size[1]));
    x = born_pad(x, BORN_INTS(0, 0, -w.pad[0], -w.pad[1], 0, 0, -w.pad[0], -w.pad[1]), 0, NULL);
    tc_out(k, alone ? tc_squeeze(x, 0) : x);
}

#define CONV(name_, f)                                                                                                \
    { .name = "torch.nn.functional." name_,                                                                           \
      .params = "input, weight, bias, stride=1, padding=0, dilation=1, groups=1", .run = f }
#define TRANSPOSE(name_, f)                                                                                           \
    { .name = "torch.nn.functional." name_,                                                                           \
      .params = "input, weight, bias, stride=1, padding=0, output_padding=0, groups=1, dilation=1", .run = f }
const tc_row tc_rows_conv[] = {
    CONV("conv1d", run_conv1d),
    CONV("conv2d", run_conv2d),
    CONV("conv3d", run_conv3d),
    TRANSPOSE("conv_transpose1d", run_conv_transpose1d),
    TRANSPOSE("conv_transpose2d", run_conv_transpose2d),
    TRANSPOSE("conv_transpose3d", run_conv_transpose3d),
    { .name = "torch.nn.functional.unfold", .params = "input, kernel_size, dilation=1, padding=0, stride=1",
      .run = run_unfold },
    { .name = "torch.nn.functional.fold", .params = "input, output_size, kernel_size, dilation=1, padding=0, stride=1",
      .run = run_fold },
    { 0 },
};

/* Gradients of convolutions, pools, norms and resampling against finite differences in f64, first and second order,
   over shapes, strides, groups, dilations and padding. */
#include <math.h>

#include "../harness.h"
#include "support_grads.h"
#include "support_nn.h"

#define I1(a) { (const int64_t[]){ a }, 1 }
#define I2(a, b) { (const int64_t[]){ a, b }, 2 }
#define I3(a, b, c) { (const int64_t[]){ a, b, c }, 3 }
#define I4(a, b, c, d) { (const int64_t[]){ a, b, c, d }, 4 }
#define I6(a, b, c, d, e, f) { (const int64_t[]){ a, b, c, d, e, f }, 6 }
#define CASE(ID, outs, attrs, ...)                                                                                    \
    do {                                                                                                               \
        const grads_operand in_[] = { __VA_ARGS__ };                                                                   \
        grads_case k_ = { BORN_OP_##ID, attrs, (int)(sizeof in_ / sizeof in_[0]), outs, { { 0 } }, false };            \
        memcpy(k_.in, in_, sizeof in_);                                                                                \
        grads_check(&k_, (uint64_t)__LINE__);                                                                          \
    } while (0)

TEST(gradient_conv)
{
    const born_conv_attrs plain = { .group = 1 };
    const born_conv_attrs uneven = { .group = 1, .strides = I2(2, 1), .pads = I4(1, 0, 2, 1),
                                            .dilations = I2(1, 2) };
    const born_conv_attrs grouped = { .group = 2, .pads = I4(1, 1, 1, 1), .strides = I2(3, 2) };
    const born_conv_attrs depthwise = { .group = 3, .pads = I4(0, 1, 0, 1) };
    const born_conv_attrs upper = { .group = 1, .auto_pad = 1, .strides = I2(2, 2) };
    const born_conv_attrs lower = { .group = 1, .auto_pad = 2, .strides = I2(2, 3) };
    const born_conv_attrs valid = { .group = 1, .auto_pad = 3, .strides = I2(2, 2) };
    const born_conv_attrs line = { .group = 2, .pads = I2(2, 0), .dilations = I1(2) };
    const born_conv_attrs space = { .group = 1, .strides = I3(1, 2, 1), .pads = I6(0, 1, 0, 1, 0, 1) };
    CASE(CONV, 1, &plain, GX(2, 3, 4, 5), GX(4, 3, 2, 3), GX(4));
    CASE(CONV, 1, &plain, GX(2, 2, 3, 3), GX(3, 2, 1, 1), GX(3), GX(2, 3, 3, 3), GX(3));
    CASE(CONV, 1, &plain, GX(1, 2, 3, 3), GX(3, 2, 2, 2), GNONE, GX(1, 3, 2, 2));
    CASE(CONV, 1, &uneven, GX(2, 2, 5, 6), GX(3, 2, 3, 2));
    CASE(CONV, 1, &grouped, GX(2, 4, 6, 5), GX(6, 2, 3, 3), GX(6));
    CASE(CONV, 1, &depthwise, GX(2, 3, 4, 4), GX(3, 1, 2, 3));
    CASE(CONV, 1, &depthwise, GX(1, 3, 4, 4), GX(6, 1, 2, 3));
    CASE(CONV, 1, &upper, GX(1, 2, 5, 4), GX(2, 2, 3, 2));
    CASE(CONV, 1, &lower, GX(1, 2, 5, 7), GX(2, 2, 2, 3));
    CASE(CONV, 1, &valid, GX(1, 2, 6, 5), GX(2, 2, 3, 2));
    CASE(CONV, 1, &line, GX(2, 2, 7), GX(4, 1, 3), GX(4));
    CASE(CONV, 1, &space, GX(1, 2, 3, 4, 3), GX(2, 2, 2, 2, 3));
    CASE(CONV, 1, &plain, GX(0, 3, 4, 5), GX(4, 3, 2, 3), GX(4));
    CASE(CONV, 1, &plain, GX(2, 0, 4, 5), GX(4, 0, 2, 3), GX(4));
}

TEST(gradient_conv_transpose)
{
    const born_conv_transpose_attrs plain = { .group = 1 };
    const born_conv_transpose_attrs strided = { .group = 1, .strides = I2(2, 3), .pads = I4(1, 0, 0, 2),
                                                       .output_padding = I2(1, 2) };
    const born_conv_transpose_attrs grouped = { .group = 2, .strides = I2(2, 1), .dilations = I2(1, 2),
                                                       .pads = I4(1, 1, 1, 1) };
    const born_conv_transpose_attrs sized = { .group = 1, .strides = I2(2, 2), .output_shape = I2(9, 4) };
    const born_conv_transpose_attrs upper = { .group = 1, .strides = I2(2, 2), .auto_pad = 1 };
    const born_conv_transpose_attrs wide = { .group = 1, .strides = I1(2), .output_padding = I1(5) };
    const born_conv_transpose_attrs gone = { .group = 1, .pads = I2(4, 0), .output_padding = I1(3) };
    const born_conv_transpose_attrs space = { .group = 1, .strides = I3(2, 1, 1) };
    CASE(CONV_TRANSPOSE, 1, &plain, GX(2, 3, 3, 2), GX(3, 4, 2, 3), GX(4));
    CASE(CONV_TRANSPOSE, 1, &plain, GX(1, 2, 2, 2), GX(2, 3, 2, 2), GX(3), GX(1, 3, 3, 3));
    CASE(CONV_TRANSPOSE, 1, &strided, GX(2, 2, 3, 2), GX(2, 3, 3, 2));
    CASE(CONV_TRANSPOSE, 1, &grouped, GX(1, 4, 3, 4), GX(4, 2, 3, 2), GX(4));
    CASE(CONV_TRANSPOSE, 1, &sized, GX(1, 2, 3, 3), GX(2, 2, 3, 3));
    CASE(CONV_TRANSPOSE, 1, &upper, GX(1, 2, 3, 3), GX(2, 2, 3, 3));
    CASE(CONV_TRANSPOSE, 1, &wide, GX(1, 2, 3), GX(2, 2, 3));
    CASE(CONV_TRANSPOSE, 1, &gone, GX(1, 2, 2), GX(2, 2, 3), GX(2));
    CASE(CONV_TRANSPOSE, 1, &space, GX(1, 2, 2, 2, 3), GX(2, 1, 2, 2, 2));
    CASE(CONV_TRANSPOSE, 1, &plain, GX(0, 3, 3, 2), GX(3, 4, 2, 3), GX(4));
}

TEST(gradient_causal_conv)
{
    const born_causal_conv_attrs silu = { .activation = 1 };
    CASE(CAUSAL_CONV, 1, NULL, GX(2, 3, 5), GX(3, 1, 3), GX(3));
    CASE(CAUSAL_CONV, 2, &silu, GX(2, 3, 5), GX(3, 1, 3), GX(3), GX(2, 3, 2));
    CASE(CAUSAL_CONV, 2, &silu, GX(1, 2, 2), GX(2, 1, 4));
    CASE(CAUSAL_CONV, 2, NULL, GX(1, 2, 4), GX(2, 1, 1), GNONE, GX(1, 2, 0));
}

TEST(gradient_max_pools)
{
    const born_max_pool_attrs two = { .kernel_shape = I2(2, 2), .strides = I2(2, 2) };
    const born_max_pool_attrs over = { .kernel_shape = I2(3, 2), .strides = I2(1, 1), .pads = I4(1, 1, 0, 1),
                                              .dilations = I2(1, 2) };
    const born_max_pool_attrs ceil = { .kernel_shape = I2(3, 3), .strides = I2(2, 2), .ceil_mode = true };
    const born_max_pool_attrs same = { .kernel_shape = I1(3), .strides = I1(2), .auto_pad = 1,
                                              .storage_order = 1 };
    const born_max_pool_attrs space = { .kernel_shape = I3(2, 1, 2) };
    const born_max_pool_attrs lost = { .kernel_shape = I1(2), .strides = I1(3), .pads = I2(3, 2) };
    CASE(MAX_POOL, 1, &two, GX(2, 3, 4, 5));
    CASE(MAX_POOL, 1, &over, GX(2, 2, 4, 5));
    CASE(MAX_POOL, 1, &ceil, GX(1, 2, 6, 5));
    CASE(MAX_POOL, 1, &same, GX(2, 3, 7));
    CASE(MAX_POOL, 1, &space, GX(1, 2, 3, 2, 3));
    CASE(MAX_POOL, 1, &two, GX(0, 3, 4, 5));
    CASE(GLOBAL_MAX_POOL, 1, NULL, GX(2, 3, 3, 2));
    CASE(GLOBAL_MAX_POOL, 1, NULL, GX(2, 3));
    /* windows of padding alone give -inf, which no difference can see: their gradients go nowhere */
    tape *t = tape_new();
    born_val x = tape_put(t, BORN_F64, 3, (int64_t[]){ 1, 1, 4 }, (double[]){ 1, 2, 3, 4 }), g, gg;
    born_val y = tape_run(t, BORN_OP_MAX_POOL, &lost, &x, 1);
    born_val seed = tape_put(t, BORN_F64, 3, (int64_t[]){ 1, 1, 3 }, (double[]){ 5, 6, 7 });
    tape_backward(t, y, seed, &x, &g, 1);
    static const double want[] = { 0, 6, 0, 7 }, back[] = { 0, 2, 4 };
    for (int i = 0; i < 4; i++) CHECK(tape_at(t, g, i) == want[i]);
    tape_backward(t, g, x, &seed, &gg, 1);
    for (int i = 0; i < 3; i++) CHECK(tape_at(t, gg, i) == back[i]);
    tape_free(t);
}

/* Of equal elements the first gets all; the last NaN wins over everything. */
TEST(gradient_max_pool_ties)
{
    const born_max_pool_attrs two = { .kernel_shape = I1(3), .strides = I1(3) };
    static const double v[] = { 2, 2, 1, NAN, 9, NAN, -1, -1, -1 }, want[] = { 1, 0, 0, 0, 0, 2, 3, 0, 0 };
    tape *t = tape_new();
    born_val x = tape_put(t, BORN_F64, 3, (int64_t[]){ 1, 1, 9 }, v), g;
    born_val y = tape_run(t, BORN_OP_MAX_POOL, &two, &x, 1);
    tape_backward(t, y, tape_put(t, BORN_F64, 3, (int64_t[]){ 1, 1, 3 }, (double[]){ 1, 2, 3 }), &x, &g, 1);
    for (int i = 0; i < 9; i++) CHECK(tape_at(t, g, i) == want[i]);
    tape_free(t);
}

TEST(gradient_mean_pools)
{
    const born_average_pool_attrs plain = { .kernel_shape = I2(2, 3), .strides = I2(2, 1) };
    const born_average_pool_attrs padded = { .kernel_shape = I2(3, 3), .strides = I2(2, 2), .pads = I4(1, 1, 1, 1),
                                                    .count_include_pad = true, .ceil_mode = true };
    const born_average_pool_attrs spare = { .kernel_shape = I2(3, 2), .strides = I2(2, 2), .pads = I4(1, 1, 0, 1),
                                                   .ceil_mode = true, .dilations = I2(1, 2) };
    const born_average_pool_attrs same = { .kernel_shape = I3(2, 2, 2), .auto_pad = 2 };
    const born_lp_pool_attrs l1 = { .kernel_shape = I2(2, 2), .p = 1 };
    const born_lp_pool_attrs l2 = { .kernel_shape = I2(2, 3), .strides = I2(1, 2), .pads = I4(0, 1, 1, 1), .p = 2 };
    const born_lp_pool_attrs l3 = { .kernel_shape = I1(3), .p = 3, .ceil_mode = true, .strides = I1(2) };
    const born_global_lp_pool_attrs g2 = { .p = 2 }, g3 = { .p = 3 };
    CASE(AVERAGE_POOL, 1, &plain, GX(2, 3, 4, 5));
    CASE(AVERAGE_POOL, 1, &padded, GX(2, 2, 5, 6));
    CASE(AVERAGE_POOL, 1, &spare, GX(1, 2, 6, 5));
    CASE(AVERAGE_POOL, 1, &same, GX(1, 2, 3, 2, 3));
    CASE(AVERAGE_POOL, 1, &plain, GX(2, 0, 4, 5));
    CASE(GLOBAL_AVERAGE_POOL, 1, NULL, GX(2, 3, 3, 2));
    CASE(LP_POOL, 1, &l1, GX(2, 2, 3, 4));
    CASE(LP_POOL, 1, &l2, GX(2, 2, 3, 5));
    CASE(LP_POOL, 1, &l3, GX(2, 2, 6));
    CASE(GLOBAL_LP_POOL, 1, &g2, GX(2, 2, 3, 2));
    CASE(GLOBAL_LP_POOL, 1, &g3, GX(2, 2, 5));
}

TEST(gradient_unpool_and_columns)
{
    const born_max_unpool_attrs two = { .kernel_shape = I2(2, 2), .strides = I2(2, 2) };
    static const double at[] = { 0, 3, 9, 14, 16, 19, 25, 30 }, larger[] = { 1, 2, 5, 6 };
    const born_col2im_attrs a = { .strides = I2(2, 1), .pads = I4(1, 0, 0, 1), .dilations = I2(1, 2) };
    static const double image[] = { 4, 5 }, block[] = { 2, 2 };
    const grads_operand index = { GRADS_INTS, 4, { 1, 2, 2, 2 }, 0, 0, at };
    CASE(MAX_UNPOOL, 1, &two, GX(1, 2, 2, 2), index);
    CASE(MAX_UNPOOL, 1, &two, GX(1, 2, 2, 2), index, GINTS(4, larger));
    CASE(IM2COL, 1, &a, GX(2, 2, 4, 5), GINTS(2, block));
    CASE(COL2IM, 1, &a, GX(2, 8, 8), GINTS(2, image), GINTS(2, block));
}

TEST(gradient_norms)
{
    const born_batch_norm_attrs train = { .epsilon = 0.01, .momentum = 0.9, .training_mode = true };
    const born_batch_norm_attrs use = { .epsilon = 0.01, .momentum = 0.9 };
    const born_instance_norm_attrs instance = { .epsilon = 0.01 };
    const born_layer_norm_attrs last = { .axis = -1, .epsilon = 0.01, .stash_type = 1 };
    const born_layer_norm_attrs from1 = { .axis = 1, .epsilon = 0.01, .stash_type = 1 };
    const born_rms_norm_attrs rms = { .axis = -1, .epsilon = 0.01, .stash_type = 1 };
    const born_rms_norm_attrs rms1 = { .axis = 1, .epsilon = 0.01, .stash_type = 1 };
    const born_group_norm_attrs groups = { .num_groups = 2, .epsilon = 0.01, .stash_type = 1 };
    static const double mean[] = { 0.1, -0.2, 0.3 }, var[] = { 1, 0.5, 2 };
    const grads_operand m = { GRADS_FIXED, 1, { 3 }, 0, 0, mean }, v = { GRADS_FIXED, 1, { 3 }, 0, 0, var };
    CASE(BATCH_NORM, 1, &train, GX(3, 3, 2, 2), GX(3), GX(3), m, v);
    CASE(BATCH_NORM, 1, &train, GX(5, 3), GX(3), GX(3), m, v);
    CASE(BATCH_NORM, 1, &train, GX(0, 3, 2, 2), GX(3), GX(3), m, v);
    CASE(BATCH_NORM, 1, &use, GX(2, 3, 2, 2), GX(3), GX(3), GX(3), GPOS(3));
    CASE(BATCH_NORM, 1, &use, GX(4, 3), GX(3), GX(3), GX(3), GPOS(3));
    CASE(INSTANCE_NORM, 1, &instance, GX(2, 3, 2, 3), GX(3), GX(3));
    CASE(GROUP_NORM, 1, &groups, GX(2, 4, 3), GX(4), GX(4));
    CASE(GROUP_NORM, 1, &groups, GX(2, 4, 2, 2), GX(2), GX(4));
    CASE(GROUP_NORM, 1, &groups, GX(0, 4, 2, 2), GX(4), GX(4));
    CASE(LAYER_NORM, 1, &last, GX(2, 3, 4), GX(4), GX(4));
    CASE(LAYER_NORM, 1, &from1, GX(3, 2, 4), GX(2, 4), GX(2, 4));
    CASE(LAYER_NORM, 1, &from1, GX(3, 2, 4), GX(4), GX(2, 1));
    CASE(LAYER_NORM, 1, &last, GX(2, 3, 4), GX(3, 4), GX(2, 1, 4));
    CASE(LAYER_NORM, 1, &last, GX(5, 4), GX(4));
    CASE(LAYER_NORM, 1, &last, GX(0, 4), GX(4), GX(4));
    CASE(RMS_NORM, 1, &rms, GX(2, 3, 4), GX(4));
    CASE(RMS_NORM, 1, &rms1, GX(2, 3, 4), GX(1, 4));
    CASE(RMS_NORM, 1, &rms, GX(2, 3, 4), GX(3, 1));
}

TEST(gradient_axis_norms)
{
    const born_softmax_attrs last = { .axis = -1 }, first = { .axis = 0 };
    const born_lp_norm_attrs l1 = { .axis = 1, .p = 1 }, l2 = { .axis = -1, .p = 2 };
    const born_lrn_attrs odd = { .size = 3, .alpha = 0.3, .beta = 0.75, .bias = 1 };
    const born_lrn_attrs even = { .size = 4, .alpha = 0.5, .beta = 0.6, .bias = 2 };
    CASE(SOFTMAX, 1, &last, GX(2, 3, 4));
    CASE(SOFTMAX, 1, &first, GX(4, 3));
    CASE(LOG_SOFTMAX, 1, &last, GX(3, 5));
    CASE(LOG_SOFTMAX, 1, &first, GX(4, 2, 2));
    CASE(LP_NORM, 1, &l1, GX(2, 4, 2));
    CASE(LP_NORM, 1, &l2, GX(3, 4));
    CASE(LRN, 1, &odd, GX(2, 5, 2, 2));
    CASE(LRN, 1, &even, GX(1, 6, 3));
}

TEST(gradient_resize)
{
    static const double sizes[] = { 5, 3 }, down[] = { 2, 3 }, same[] = { 2, 2, 7, 4 };
    static const double region[] = { 0.1, 0.2, 0.9, 1.2 };
    const grads_operand roi = { GRADS_FIXED, 1, { 4 }, 0, 0, region };
    const born_resize_attrs crop = { .mode = 1, .coordinate_mode = 5, .extrapolation_value = 3, .axes = I2(2, 3) };
    CASE(RESIZE, 1, &crop, GX(2, 2, 3, 4), roi, GNONE, GINTS(2, sizes));
    for (int coord = 0; coord < 5; coord++)
        for (int mode = 0; mode < 3; mode++) {
            born_resize_attrs a = { .mode = mode, .coordinate_mode = coord, .cubic_coeff_a = -0.75, .axes = I2(2, 3) };
            CASE(RESIZE, 1, &a, GX(2, 2, 3, 4), GNONE, GNONE, GINTS(2, sizes));
            a.antialias = mode > 0;
            a.exclude_outside = mode == 2;
            CASE(RESIZE, 1, &a, GX(1, 2, 5, 6), GNONE, GNONE, GINTS(2, down));
            a.axes.count = 0;
            CASE(RESIZE, 1, &a, GX(2, 2, 4, 2), GNONE, GNONE, GINTS(4, same));
        }
}

TEST(gradient_sampling)
{
    static const double size[] = { 2, 3, 3, 2 }, deep[] = { 1, 2, 2, 3, 2 };
    const born_affine_grid_attrs corners = { .align_corners = true };
    for (int mode = 0; mode < 3; mode++)
        for (int pad = 0; pad < 3; pad++)
            for (int align = 0; align < 2; align++) {
                born_grid_sample_attrs a = { .mode = mode, .padding_mode = pad, .align_corners = align };
                grads_case k = { BORN_OP_GRID_SAMPLE, &a, 2, 1, { GX(2, 2, 3, 4), GX(2, 2, 3, 2) }, true };
                k.in[1].lo = -1.4;
                k.in[1].hi = 1.4;
                grads_check(&k, (uint64_t)(pad * 8 + mode * 2 + align));
                grads_case deeper = { BORN_OP_GRID_SAMPLE, &a, 2, 1, { GX(1, 2, 2, 3, 3), GX(1, 2, 1, 2, 3) }, true };
                grads_check(&deeper, (uint64_t)(100 + pad * 8 + mode * 2 + align));
                k.in[1].kind = GRADS_FIXED;     /* of x alone, twice */
                k.first_only = false;
                grads_check(&k, 7);
            }
    CASE(AFFINE_GRID, 1, NULL, GX(2, 2, 3), GINTS(4, size));
    CASE(AFFINE_GRID, 1, &corners, GX(1, 3, 4), GINTS(5, deep));
}

TEST(gradient_roi_align)
{
    static const double rois[] = { 0.3, 0.2, 3.1, 2.7, 1, 1, 2, 4, -1, -0.5, 9, 2.3 }, image[] = { 0, 1, 1 };
    const born_roi_align_attrs half = { .output_height = 2, .output_width = 2, .sampling_ratio = 2,
                                               .spatial_scale = 1 };
    const born_roi_align_attrs whole = { .coordinate_mode = 1, .output_height = 1, .output_width = 3,
                                                .spatial_scale = 0.5 };
    const grads_operand r = { GRADS_FIXED, 2, { 3, 4 }, 0, 0, rois };
    CASE(ROI_ALIGN, 1, &half, GX(2, 2, 4, 5), r, GINTS(3, image));
    CASE(ROI_ALIGN, 1, &whole, GX(2, 2, 4, 5), r, GINTS(3, image));
}

TEST(gradient_refused)
{
    const born_conv_attrs relu = { .group = 1, .activation = BORN_OP_RELU };
    const born_roi_align_attrs max = { .mode = 1, .output_height = 1, .output_width = 1, .spatial_scale = 1 };
    double v[16] = { 1, 2, 3, 4, 5, 6, 7, 8 };
    for (int which = 0; which < 2; which++) {
        tape *t = tape_new();
        born_val x = tape_put(t, BORN_F64, 4, (int64_t[]){ 1, 1, 2, 2 }, v), g = 0, y;
        born_val w = tape_put(t, BORN_F64, 4, (int64_t[]){ 1, 1, 1, 1 }, v);
        born_val r = tape_put(t, BORN_F64, 2, (int64_t[]){ 1, 4 }, v);
        born_val b = tape_put(t, BORN_I64, 1, (int64_t[]){ 1 }, v + 8);
        if (which == 0) y = tape_run(t, BORN_OP_CONV, &relu, (born_val[]){ x, w }, 2);
        else y = tape_run(t, BORN_OP_ROI_ALIGN, &max, (born_val[]){ x, r, b }, 3);
        if (CHECK(y != 0)) tape_backward(t, y, y, &x, &g, 1);
        CHECK(t->emit.err.status == BORN_UNSUPPORTED);
        CHECK(g == 0);
        tape_free(t);
    }
}

/* The rows that only gradients use: strides and threads change no bit. */
TEST(gradient_rows_are_exact)
{
    const born_conv_attrs conv = { .group = 2, .kernel_shape = I2(3, 2), .strides = I2(2, 1), .pads = I4(1, 0, 1, 1) };
    const born_max_pool_attrs max = { .kernel_shape = I2(3, 3), .strides = I2(2, 1), .pads = I4(1, 1, 1, 1) };
    const born_average_pool_attrs mean = { .kernel_shape = I2(3, 2), .strides = I2(2, 2), .pads = I4(1, 0, 1, 1) };
    const born_layer_norm_attrs layer = { .axis = 1, .epsilon = 1e-5, .stash_type = 1 };
    const born_rms_norm_attrs rms = { .axis = 1, .epsilon = 1e-5, .stash_type = 1 };
    const born_batch_norm_attrs batch = { .epsilon = 1e-5, .training_mode = true };
    const born_resize_attrs cubic = { .mode = 2, .cubic_coeff_a = -0.75, .axes = I2(2, 3) };
    const born_grid_sample_attrs grid = { .padding_mode = 2 };
    const born_roi_align_attrs roi = { .output_height = 2, .output_width = 3, .spatial_scale = 1 };
    const born_col2im_attrs columns = { .strides = I2(2, 1), .pads = I4(1, 0, 1, 1) };
    const born_dtype dtypes[] = { BORN_F32, BORN_F64 };
    born_view out[3];
    for (int i = 0; i < 2; i++) {
        born_dtype t = dtypes[i];
#define NOISE(...) nn_noise(t, DIMS(__VA_ARGS__))
        born_view weight[] = { NOISE(20, 4, 7, 9), NOISE(20, 38, 4, 9) };     /* 1,440 pixels, panels with a rest */
        nn_run("conv_weight_grad", BORN_OP_CONV_WEIGHT_GRAD, &conv, weight, 2, 0, out, 1);
        born_view maxima[] = { NOISE(2, 3, 4, 6), NOISE(2, 3, 7, 6) };
        nn_run("max_pool_grad", BORN_OP_MAX_POOL_GRAD, &max, maxima, 2, 0, out, 1);
        born_view means[] = { NOISE(2, 3, 4, 3), LIST(2, 3, 7, 6) };
        nn_run("average_pool_grad", BORN_OP_AVERAGE_POOL_GRAD, &mean, means, 2, 2, out, 1);
        born_view rows[] = { NOISE(1100, 5, 3), NOISE(1100, 5, 3), NOISE(5, 3) };      /* more than a chain of rows */
        nn_run("layer_norm_grad", BORN_OP_LAYER_NORM_GRAD, &layer, rows, 3, 0, out, 3);
        nn_run("rms_norm_grad", BORN_OP_RMS_NORM_GRAD, &rms, rows, 3, 0, out, 3);
        born_view planes[] = { NOISE(6, 5, 4, 20), NOISE(6, 5, 4, 20), NOISE(5) };
        nn_run("batch_norm_grad", BORN_OP_BATCH_NORM_GRAD, &batch, planes, 3, 0, out, 3);
        born_view resized[] = { NOISE(2, 3, 5, 7), LIST(2, 3, 4, 3), no_tensor, no_tensor, LIST(5, 7) };
        nn_run("resize_grad", BORN_OP_RESIZE_GRAD, &cubic, resized, 5, 30, out, 1);
        born_view sampled[] = { NOISE(3, 2, 4, 3), NOISE(3, 2, 5, 4), NOISE(3, 4, 3, 2) };
        nn_run("grid_sample_grad", BORN_OP_GRID_SAMPLE_GRAD, &grid, sampled, 3, 0, out, 2);
        born_view regions[] = { NOISE(2, 3, 2, 3), tensor_of(t, DIMS(2, 4), (double[]){ 0, 1, 3, 4, 1, 1, 4, 2 }),
                                LIST(1, 0), LIST(2, 3, 5, 6) };
        nn_run("roi_align_grad", BORN_OP_ROI_ALIGN_GRAD, &roi, regions, 4, 8, out, 1);
        born_view image[] = { NOISE(2, 3, 5, 6), LIST(3, 2) };
        nn_run("im2col", BORN_OP_IM2COL, &columns, image, 2, 2, out, 1);
#undef NOISE
    }
    calls_free();
}

TEST(gradient_rows_refuse)
{
    const born_conv_attrs conv = { .group = 1, .kernel_shape = I2(2, 2) };
    const born_conv_attrs odd = { .group = 3, .kernel_shape = I2(1, 1) };
    const born_max_pool_attrs max = { .kernel_shape = I2(2, 2) };
    const born_average_pool_attrs mean = { .kernel_shape = I2(2, 2) };
    const born_average_pool_attrs huge = { .kernel_shape = I2(1 << 20, 1 << 20),
                                           .pads = I4(1 << 20, 1 << 20, 1 << 20, 1 << 20) };
    const born_resize_attrs line = { .mode = 1 };
    const born_roi_align_attrs top = { .mode = 1, .output_height = 1, .output_width = 1, .spatial_scale = 1 };
    born_view x = nn_noise(BORN_F32, DIMS(1, 2, 4, 4)), same = nn_noise(BORN_F32, DIMS(1, 2, 4, 4));
    born_view sizes = LIST(1, 2, 4, 4), negative = LIST(1, 2, -4, 4), three = nn_noise(BORN_F32, DIMS(3));
    born_view roi = nn_noise(BORN_F32, DIMS(1, 4)), image = LIST(0), one = nn_noise(BORN_F32, DIMS(1, 2, 1, 1));
#define REFUSED(ID, attrs, status, text, ...)                                                                         \
    nn_refused(BORN_OP_##ID, attrs, (born_view[]){ __VA_ARGS__ },                                                      \
               (int)(sizeof((born_view[]){ __VA_ARGS__ }) / sizeof(born_view)), 1, status, text)
    REFUSED(CONV_WEIGHT_GRAD, &conv, BORN_SHAPE, "no result of a convolution", x, same);
    REFUSED(CONV_WEIGHT_GRAD, &odd, BORN_SHAPE, "not divisible by 3 groups", x, same);
    REFUSED(CONV_WEIGHT_GRAD, NULL, BORN_INVALID, "no kernel_shape", x, same);
    REFUSED(MAX_POOL_GRAD, &max, BORN_SHAPE, "no result of this pool", same, x);
    REFUSED(AVERAGE_POOL_GRAD, &mean, BORN_SHAPE, "no result of this pool", same, sizes);
    REFUSED(AVERAGE_POOL_GRAD, &mean, BORN_SHAPE, "size -4", same, negative);
    REFUSED(AVERAGE_POOL_GRAD, &huge, BORN_RANGE, "more than 2^30 cells", same, sizes);
    REFUSED(LAYER_NORM_GRAD, NULL, BORN_SHAPE, "does not fit x", x, same, three);
    REFUSED(RMS_NORM_GRAD, NULL, BORN_SHAPE, "does not fit x", three, same);
    REFUSED(BATCH_NORM_GRAD, NULL, BORN_SHAPE, "does not fit x", x, same, three);
    REFUSED(RESIZE_GRAD, &line, BORN_SHAPE, "no result of this resize", x, sizes, no_tensor, no_tensor,
            LIST(1, 2, 5, 5));
    REFUSED(GRID_SAMPLE_GRAD, NULL, BORN_SHAPE, "no result of sampling", x, same, nn_noise(BORN_F32, DIMS(1, 3, 3, 2)));
    REFUSED(ROI_ALIGN_GRAD, &top, BORN_UNSUPPORTED, "mode max", one, roi, image, sizes);
    REFUSED(IM2COL, NULL, BORN_SHAPE, "not [N,C,spatial...]", three, image);
#undef REFUSED
    calls_free();
}

TEST_MAIN

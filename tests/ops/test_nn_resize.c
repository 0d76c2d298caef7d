/* resize against a plain f64 reading of its definition, in all modes and layouts; grid_sample and affine_grid against
   what they must give for known grids; and hostile scales, sizes, regions and grids. */
#include <math.h>

#include "../harness.h"
#include "support_nn.h"
#include "tensor/view.h"

typedef struct resize_case {
    const born_view *x;
    const int64_t *out;
    const double *scale;
    int mode, coordinates, nearest;
    bool exclude, antialias;
    double a;
} resize_case;

static double source(const resize_case *c, int d, int64_t o)
{
    double in = (double)c->x->dim[d], out = (double)c->out[d], s = c->scale[d], half = ((double)o + 0.5) / s - 0.5;
    switch (c->coordinates) {
    case 0: return half;
    case 1: return in / 2 * (1 - out / (s * in)) + half;
    case 2: return out > 1 ? half : 0;
    case 3: return out > 1 ? (double)o * (in - 1) / (out - 1) : 0;
    case 4: return (double)o / s;
    default: return ((double)o + 0.5) / s;
    }
}

static double weight(const resize_case *c, double distance, double s)
{
    double t = fabs(distance) * (c->antialias && s < 1 ? s : 1), a = c->a;
    if (c->mode == 1) return t < 1 ? 1 - t : 0;
    if (t <= 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? a * t * t * t - 5 * a * t * t + 8 * a * t - 4 * a : 0;
}

/* The value at `at`, whose first d coordinates are already those of the input: every cell of each axis is weighed,
   cells beyond the border standing for the border. */
static double sample(const resize_case *c, const int64_t *at, int d)
{
    int64_t i[BORN_MAX_RANK], n = c->x->dim[d < c->x->rank ? d : 0];
    if (d == c->x->rank) return nn_at(c->x, at);
    memcpy(i, at, sizeof i);
    if (c->scale[d] == 1 && c->out[d] == n) return sample(c, i, d + 1);
    double p = source(c, d, at[d]), sum = 0, total = 0;
    if (c->mode == 0) {
        double q = c->nearest == 0   ? ceil(p - 0.5)
                   : c->nearest == 1 ? floor(p + 0.5)
                   : c->nearest == 2 ? floor(p)
                                     : ceil(p);
        i[d] = q < 0 ? 0 : q >= (double)n ? n - 1 : (int64_t)q;
        return sample(c, i, d + 1);
    }
    for (int64_t k = -40; k < n + 40; k++) {
        bool inside = k >= 0 && k < n;
        double w = c->exclude && !inside ? 0 : weight(c, (double)k - p, c->scale[d]);
        if (w == 0) continue;
        i[d] = k < 0 ? 0 : k >= n ? n - 1 : k;
        sum += w * sample(c, i, d + 1);
        total += w;
    }
    return c->exclude || c->antialias ? sum / total : sum;
}

static double want_resize(const void *ctx, const int64_t *at) { return sample(ctx, at, 0); }

static void resize_one(resize_case *c, const double *scale, const char *what)
{
    born_view in[3] = { nn_noise(BORN_F32, DIMS(2, 3, 8, 12)), no_tensor, tensor_of(BORN_F32, DIMS(4), scale) }, out;
    born_resize_attrs a = { .mode = c->mode, .coordinate_mode = c->coordinates, .nearest_mode = c->nearest,
                            .exclude_outside = c->exclude, .antialias = c->antialias, .cubic_coeff_a = c->a };
    c->x = &in[0];
    c->scale = scale;
    c->out = out.dim;
    CHECK(nn_run(what, BORN_OP_RESIZE, &a, in, 3, 6, &out, 1) && nn_close(what, &out, want_resize, c, 2e-5));
    calls_free();
}

/* Scales that f32 holds exactly, so that the f64 definition meets no other ties. */
static const double scales[5][4] = {
    { 1, 1, 2, 2 }, { 1, 1, 0.5, 0.25 }, { 1, 1, 1.5, 0.75 }, { 1, 2, 1, 1.25 }, { 2, 1, 0.375, 3 } };

TEST(resize_equals_its_definition)
{
    for (int s = 0; s < 5; s++)
        for (int coordinates = 0; coordinates < 7; coordinates++) {
            if (coordinates == 5) continue;
            for (int nearest = 0; nearest < 4; nearest++) {
                resize_case c = { .coordinates = coordinates, .nearest = nearest, .a = -0.75 };
                resize_one(&c, scales[s], "nearest");
            }
            for (int mode = 1; mode < 3; mode++)
                for (int extra = 0; extra < 3; extra++) {
                    resize_case c = { .mode = mode, .coordinates = coordinates, .exclude = extra == 1,
                                      .antialias = extra == 2, .a = extra == 1 ? -0.5 : -0.75 };
                    resize_one(&c, scales[s], mode == 1 ? "linear" : "cubic");
                }
        }
}

/* The channels-last layout goes another way through the kernel and must give the same bits. */
TEST(resize_gives_the_same_bits_channels_last)
{
    born_view in[3] = { nn_noise(BORN_F32, DIMS(2, 70, 5, 6)), no_tensor,
                        tensor_of(BORN_F32, DIMS(4), (double[]){ 1, 1, 1.5, 2.5 }) };
    for (int mode = 0; mode < 3; mode++) {
        born_resize_attrs a = { .mode = mode, .cubic_coeff_a = -0.75 };
        born_view out, last = in[0];
        born_error err = { 0 };
        REQUIRE_OK(call_op(BORN_OP_RESIZE, &a, in, 3, &out, 1, &err), &err);
        born__view_channels_last(&last);
        last.data = tensor_zeros(BORN_F32, 4, last.dim).data;
        for (int64_t i = 0; i < born__view_count(&last); i++)
            memcpy(tensor_address(&last, i), tensor_address(&in[0], i), 4);
        born_view y = tensor_zeros(BORN_F32, 4, out.dim), ops[3] = { last, in[1], in[2] };
        born__view_channels_last(&y);
        born_call c = {
            .op = &born__ops[BORN_OP_RESIZE], .attrs = &a, .in_count = 3, .out_count = 1, .in = ops, .out = &y
        };
        size_t bytes = c.op->scratch(&c);
        born_view room = tensor_zeros(BORN_F64, DIMS((int64_t)bytes / 8 + 1));
        born_exec x = { .scratch = room.data, .scratch_bytes = bytes, .err = &err };
        REQUIRE_OK(c.op->ref(&c, &x), &err);
        CHECK(tensor_same_bits(&out, &y));
    }
    calls_free();
}

TEST(resize_by_sizes_axes_and_policies)
{
    born_view in[4] = { tensor_random(BORN_U8, DIMS(1, 3, 6, 4)), no_tensor, tensor_zeros(BORN_F32, DIMS(0)),
                        LIST(9, 8) };
    born_view out;
    born_error err = { 0 };
    const int64_t axes[2] = { 2, -1 };
    born_resize_attrs a = { .mode = 1, .axes = { axes, 2 } };
    REQUIRE(nn_run("sizes", BORN_OP_RESIZE, &a, in, 4, 14, &out, 1));
    CHECK(out.dim[1] == 3 && out.dim[2] == 9 && out.dim[3] == 8);
    a.keep_aspect_ratio = 1;
    REQUIRE(nn_run("not_larger", BORN_OP_RESIZE, &a, in, 4, 14, &out, 1));
    CHECK(out.dim[2] == 9 && out.dim[3] == 6);
    a.keep_aspect_ratio = 2;
    REQUIRE(nn_run("not_smaller", BORN_OP_RESIZE, &a, in, 4, 14, &out, 1));
    CHECK(out.dim[2] == 12 && out.dim[3] == 8);
    born_view x = tensor_of(BORN_U8, DIMS(1, 1, 2), (double[]){ 0, 255 });
    in[0] = x;
    in[2] = tensor_of(BORN_F32, DIMS(3), (double[]){ 1, 1, 2 });
    a = (born_resize_attrs){ .mode = 1 };
    REQUIRE_OK(call_op(BORN_OP_RESIZE, &a, in, 3, &out, 1, &err), &err);
    CHECK(tensor_at(&out, 0) == 0 && tensor_at(&out, 1) == 64 && tensor_at(&out, 2) == 191 &&
          tensor_at(&out, 3) == 255);
    in[0] = tensor_of(BORN_BOOL, DIMS(1, 1, 2), (double[]){ 0, 1 });
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 3, 1, BORN_DTYPE, "bool"));
    a.mode = 0;
    CHECK(nn_run("bool", BORN_OP_RESIZE, &a, in, 3, 6, &out, 1));
    calls_free();
}

TEST(crop_and_resize_extrapolates)
{
    born_view in[4] = { tensor_of(BORN_F32, DIMS(1, 5), (double[]){ 10, 20, 30, 40, 50 }),
                        tensor_of(BORN_F32, DIMS(2), (double[]){ 0.5, 1.5 }), no_tensor, LIST(3) };
    born_view out;
    const int64_t axis = 1;
    for (int mode = 0; mode < 3; mode++) {
        born_resize_attrs a = { .mode = mode, .coordinate_mode = 5, .axes = { &axis, 1 }, .extrapolation_value = 7 };
        REQUIRE(nn_run("crop", BORN_OP_RESIZE, &a, in, 4, 14, &out, 1));
        CHECK(tensor_at(&out, 0) == 30 && tensor_at(&out, 1) == 50 && tensor_at(&out, 2) == 7);
    }
    calls_free();
}

TEST(resize_refuses_what_does_not_fit)
{
    born_view in[4] = { tensor_zeros(BORN_F32, DIMS(1, 4)), no_tensor, no_tensor, no_tensor }, out;
    born_error err = { 0 };
    born_resize_attrs a = { 0 };
    const double bad[5] = { 0, -1, NAN, INFINITY, 1e10 };
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_INVALID, "neither"));
    for (int i = 0; i < 5; i++) {
        in[2] = tensor_of(BORN_F32, DIMS(2), (double[]){ 1, bad[i] });
        CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 3, 1, BORN_INVALID, "scale"));
    }
    in[2] = tensor_of(BORN_F32, DIMS(3), (double[]){ 1, 1, 1 });
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 3, 1, BORN_SHAPE, "3 scales for 2 axes"));
    in[3] = LIST(2, 2);
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_INVALID, "both"));
    in[2] = no_tensor;
    in[3] = LIST(1, -2);
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_SHAPE, "to -2"));
    in[3] = LIST(INT64_MAX, INT64_MAX);
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_RANGE, "too large"));
    CHECK_STATUS(infer_op(BORN_OP_RESIZE, &a, in, 4, &out, 1, 8, &err), BORN_STATE);
    a.coordinate_mode = 5;
    in[3] = LIST(1, 2);
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_INVALID, "region"));
    in[1] = tensor_of(BORN_F32, DIMS(4), (double[]){ 0, NAN, 1, 1 });
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_INVALID, "finite"));
    in[0] = tensor_zeros(BORN_F32, DIMS(1, 0));
    a.coordinate_mode = 0;
    CHECK(nn_refused(BORN_OP_RESIZE, &a, in, 4, 1, BORN_SHAPE, "from 0 to 2"));
    calls_free();
}

/* The identity transform reads the image itself. */
TEST(grid_sample_of_the_identity_grid)
{
    for (int r = 2; r <= 3; r++)
        for (int align = 0; align < 2; align++) {
            int64_t size[5] = { 2, 3, 4, 5, 6 };
            born_view theta = tensor_zeros(BORN_F32, DIMS(2, r, r + 1)), grid, out;
            for (int n = 0; n < 2; n++)
                for (int k = 0; k < r; k++)
                    born__store_f64(BORN_F32, tensor_address(&theta, (n * r + k) * (r + 1) + k), 1);
            born_affine_grid_attrs ga = { .align_corners = align };
            born_view in[2] = { theta, tensor_list(r + 2, size) };
            REQUIRE(nn_run("affine_grid", BORN_OP_AFFINE_GRID, &ga, in, 2, 2, &grid, 1));
            for (int mode = 0; mode < 5; mode++)
                for (int padding = 0; padding < 3; padding++) {
                    born_grid_sample_attrs a = { .mode = mode, .padding_mode = padding, .align_corners = align };
                    born_view x = nn_noise(mode == 1 ? BORN_F64 : BORN_F32, r + 2, size), ops[2] = { x, grid };
                    REQUIRE(nn_run("grid_sample", BORN_OP_GRID_SAMPLE, &a, ops, 2, 0, &out, 1));
                    for (int64_t i = 0; i < born__view_count(&x); i++)
                        if (!CHECK(fabs(tensor_at(&out, i) - tensor_at(&x, i)) < 1e-5)) return;
                }
            calls_free();
        }
}

TEST(grid_sample_beyond_the_border)
{
    born_view x = tensor_of(BORN_F32, DIMS(1, 1, 4), (double[]){ 1, 2, 3, 4 }), out;
    born_view grid = tensor_of(BORN_F32, DIMS(1, 7, 1), (double[]){ -1.5, 1.5, 1.25, NAN, INFINITY, -1e30, 0 });
    const double want[3][7] = { { 0, 0, 0, 0, 0, 0, 2.5 }, { 1, 4, 4, 1, 4, 1, 2.5 }, { 1.5, 3.5, 4, 1, 4, 1, 2.5 } };
    born_view in[2] = { x, grid };
    for (int padding = 0; padding < 3; padding++) {
        born_grid_sample_attrs a = { .padding_mode = padding };
        REQUIRE(nn_run("border", BORN_OP_GRID_SAMPLE, &a, in, 2, 0, &out, 1));
        for (int i = 0; i < 7; i++)
            CHECK_MSG(fabs(tensor_at(&out, i) - want[padding][i]) < 1e-6, "padding %d place %d: %g", padding, i,
                      tensor_at(&out, i));
    }
    in[0] = tensor_zeros(BORN_F32, DIMS(1, 2, 0));
    born_grid_sample_attrs a = { .padding_mode = 1 };
    CHECK(nn_run("no cells", BORN_OP_GRID_SAMPLE, &a, in, 2, 0, &out, 1) && tensor_at(&out, 0) == 0);
    in[1] = tensor_zeros(BORN_F32, DIMS(1, 7, 2));
    CHECK(nn_refused(BORN_OP_GRID_SAMPLE, NULL, in, 2, 1, BORN_SHAPE, "grid"));
    in[1] = tensor_zeros(BORN_I32, DIMS(1, 7, 1));
    CHECK(nn_refused(BORN_OP_GRID_SAMPLE, NULL, in, 2, 1, BORN_DTYPE, "i32"));
    in[0] = tensor_zeros(BORN_F32, DIMS(1, 2, 3));
    in[1] = LIST(1, 1, -4, 4);
    CHECK(nn_refused(BORN_OP_AFFINE_GRID, NULL, in, 2, 1, BORN_SHAPE, "size[1] = -4"));
    calls_free();
}

TEST_MAIN

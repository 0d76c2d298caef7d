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

/* f64 throughout: coordinates and weights of f32 would be off by 1e-7. */
TEST(resize_of_f64_equals_its_definition)
{
    const int64_t sizes[3][4] = { { 2, 3, 7, 19 }, { 1, 3, 3, 5 }, { 2, 2, 11, 7 } };
    for (int s = 0; s < 3; s++)
        for (int coordinates = 0; coordinates < 7; coordinates++)
            for (int way = 0; way < 6 && coordinates != 5; way++) {
                born_view in[4] = { nn_noise(BORN_F64, DIMS(2, 3, 8, 12)), no_tensor, no_tensor,
                                    tensor_list(4, sizes[s]) };
                born_view out;
                double scale[4];
                resize_case c = { .x = in, .out = sizes[s], .scale = scale, .mode = 1 + way % 2, .a = -0.75,
                                  .coordinates = coordinates, .exclude = way / 2 == 1, .antialias = way / 2 == 2 };
                born_resize_attrs a = { .mode = c.mode, .coordinate_mode = coordinates, .exclude_outside = c.exclude,
                                        .antialias = c.antialias, .cubic_coeff_a = c.a };
                for (int d = 0; d < 4; d++) scale[d] = (double)sizes[s][d] / (double)in[0].dim[d];
                CHECK(nn_run("f64", BORN_OP_RESIZE, &a, in, 4, 14, &out, 1) &&
                      nn_close("f64", &out, want_resize, &c, 1e-13));
                calls_free();
            }
}

/* What torch 2.6 gives in f64 for an image of 3 x 7 numbers (37 i mod 23) / 7 - 1, and for its gradient where those
   divided by 3 arrive. */
static const struct {
    const char *name;
    born_resize_attrs attrs;
    int64_t h, w;
    double y[20], dx[21];
} torch_f64[] = {
    { "linear", { .mode = 1 }, 5, 4,
      { -0.25, -0.035714285714285685, 0.5892857142857143, 0.39285714285714274, 0.092857142857142819,
        0.14285714285714282, 0.7678571428571429, 0.73571428571428565, 0.6071428571428571, 0.4107142857142857,
        1.0357142857142858, 1.25, 0.38214285714285712, 0.92499999999999971, 1.5499999999999998, 0.53214285714285736,
        0.23214285714285712, 1.2678571428571426, 1.8928571428571428, 0.053571428571428562 },
      { -0.15476190476190474, -0.092857142857142846, 0.14166666666666658, 0.036904761904761899, 0.11666666666666671,
        0.20357142857142857, 0.33928571428571436, 0.42261904761904762, 0.25357142857142856, 0.30000000000000004,
        0.044047619047619051, 0.008333333333333302, 0.12499999999999997, 0.20833333333333329, 0.29761904761904762,
        0.17857142857142855, 0.39166666666666655, 0.16309523809523807, 0.75, 0.064285714285714321,
        0.10714285714285722 } },
    { "corners", { .mode = 1, .coordinate_mode = 3 }, 5, 4,
      { -1, -0.2857142857142857, 0.4285714285714286, 1.1428571428571428, -0.5714285714285714, 0.14285714285714285,
        0.8571428571428571, 1.5714285714285714, -0.1428571428571429, 0.5714285714285714, 1.2857142857142856, 2,
        0.28571428571428564, 0.99999999999999989, 1.7142857142857142, 0.7857142857142857, 0.71428571428571419,
        1.4285714285714284, 2.1428571428571428, -0.4285714285714286 },
      { -0.26190476190476186, 0, 0.19047619047619044, 0, 0.095238095238095233, 0, 0.54761904761904767,
        0.69047619047619047, 0, 0.38095238095238093, 0, 0.071428571428571383, 0, 0.30952380952380948,
        0.47619047619047611, 0, 0.38095238095238093, 0, 0.83333333333333337, 0, 0.19047619047619052 } },
    { "cubic", { .mode = 2, .cubic_coeff_a = -0.75 }, 5, 4,
      { -0.27683091517857134, -0.20192299107142847, 0.62961997767857125, 0.25511662946428559, 0.17715513392857127,
        -0.048239676339286323, 0.8002837611607132, 0.75958203124999979, 0.66259765625, 0.3242885044642857,
        1.1558314732142856, 1.1945452008928572, 0.39171623883928569, 1.0277625558035701, 1.7149715401785703,
        0.49458928571428612, 0.066968750000000091, 1.5221975446428571, 2.0952600446428575, -0.16949162946428564 },
      { -0.17776134672619054, -0.12868889508928574, 0.15498949032738102, 0.029156436011904756, 0.066240048363095161,
        0.25237806919642869, 0.39073381696428588, 0.42923456101190482, 0.26242215401785718, 0.27427176339285708,
        0.036303478422619009, -0.031326264880952553, 0.10184040178571428, 0.15144438244047609, 0.32725632440476182,
        0.18357979910714278, 0.42206873139880957, 0.15856817336309526, 0.85354882812499988, 0.020572265625000002,
        0.1279296875 } },
    { "smooth", { .mode = 1, .antialias = 1, .exclude_outside = 1 }, 2, 3,
      { 0.33163265306122458, 0.56197478991596639, 0.45408163265306145, 0.52295918367346927, 0.66701680672268893,
        0.79209183673469385 },
      { -0.07440476190476189, -0.07703081232492999, 0.0043767507002801034, 0.085784313725490183, 0.036264505802320934,
        -0.013255302120848326, -0.021258503401360557, 0.031887755102040824, 0.048769507803121268,
        0.061149459783913569, 0.073529411764705885, 0.011404561824729901, -0.050720288115246086,
        -0.051020408163265342, 0.12755102040816327, 0.15831332533013212, 0.097539015606242535, 0.036764705882352991,
        -0.017256902761104434, -0.071278511404561817, -0.06377551020408169 } },
    { "smooth cubic", { .mode = 2, .cubic_coeff_a = -0.5, .antialias = 1, .exclude_outside = 1 }, 2, 3,
      { 0.30850888742593785, 0.54541656972292152, 0.47334511912775284, 0.49497655169352978, 0.74562885202646723,
        0.79697982853888172 },
      { -0.098231012941496595, -0.095584585301911107, 0.0086312165010081487, 0.088351099587054657,
        0.055162605424827024, -0.011675523308139431, -0.025764095765057386, 0.029905034236868449,
        0.049807462067708669, 0.075893631891257501, 0.07778738115816769, 0.016502659119401374, -0.057291013422523629,
        -0.062589103686514047, 0.14499608705676414, 0.17347279758886294, 0.11005018316433277, 0.033291718684977128,
        -0.029355977995310485, -0.077915361879346098, -0.072111868847598334 } },
};

static born_view counted(double by, int64_t h, int64_t w)
{
    born_view v = tensor_zeros(BORN_F64, DIMS(1, 1, h, w));
    for (int64_t i = 0; i < h * w; i++)
        born__store_f64(BORN_F64, tensor_address(&v, i), ((double)(i * 37 % 23) / 7 - 1) / by);
    return v;
}

TEST(resize_of_f64_equals_torch)
{
    for (size_t k = 0; k < sizeof torch_f64 / sizeof *torch_f64; k++) {
        int64_t h = torch_f64[k].h, w = torch_f64[k].w;
        born_view in[4] = { counted(1, 3, 7), no_tensor, no_tensor, LIST(1, 1, h, w) }, y, dx;
        born_view back[5] = { counted(3, h, w), LIST(1, 1, 3, 7), no_tensor, no_tensor, in[3] };
        REQUIRE(nn_run("torch", BORN_OP_RESIZE, &torch_f64[k].attrs, in, 4, 14, &y, 1));
        for (int64_t i = 0; i < h * w; i++)
            CHECK_MSG(fabs(tensor_at(&y, i) - torch_f64[k].y[i]) < 2e-15, "%s %lld: %.17g", torch_f64[k].name,
                      (long long)i, tensor_at(&y, i));
        REQUIRE(nn_run("torch", BORN_OP_RESIZE_GRAD, &torch_f64[k].attrs, back, 5, 30, &dx, 1));
        for (int64_t i = 0; i < 21; i++)
            CHECK_MSG(fabs(tensor_at(&dx, i) - torch_f64[k].dx[i]) < 2e-15, "%s gradient %lld: %.17g",
                      torch_f64[k].name, (long long)i, tensor_at(&dx, i));
    }
    calls_free();
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
    in[0] = tensor_zeros(BORN_F32, DIMS(0, 1));
    in[0].dim[1] = (int64_t)1 << 62;
    in[3] = LIST(0, 1);
    const born_resize_attrs smooth = { .mode = 2, .antialias = 1 };
    CHECK(nn_refused(BORN_OP_RESIZE, &smooth, in, 4, 1, BORN_RANGE, "too small"));
    in[0] = tensor_zeros(BORN_F32, DIMS(1, 4));
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

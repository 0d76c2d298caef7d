/* Shape ops against expected values worked out element by element: each test says for every element of the result
   where it comes from, in the plainest way. Operands come dense and strided, in every dtype width. */
#include "../harness.h"
#include "ops/copy_view.h"
#include "support_calls.h"
#include "tensor/view.h"

static const born_dtype widths[] = { BORN_U8, BORN_BF16, BORN_F32, BORN_I64 };

/* The coordinates of element i. */
static void coordinates(const born_view *v, int64_t i, int64_t *at)
{
    for (int d = v->rank - 1; d >= 0; d--) {
        at[d] = i % v->dim[d];
        i /= v->dim[d];
    }
}

static double tensor_get(const born_view *v, const int64_t *at)
{
    int64_t i = 0;
    for (int d = 0; d < v->rank; d++) i = i * v->dim[d] + at[d];
    return tensor_at(v, i);
}

/* For element `at` of the result, the element of x that it shows; false: it shows `fill`. */
typedef bool (*source_fn)(const born_view *x, const void *how, const int64_t *at, int64_t *from);

/* Runs the op on x dense and strided in all widths, and compares each element with its source. */
static void check_sources(const char *what, born_op_id op, const void *attrs, int rank, const int64_t *dim,
                          const born_view *more, int more_count, source_fn source, const void *how, double fill)
{
    for (int w = 0; w < 8; w++) {
        born_view in[8], out;
        born_error err = { 0 };
        born_view x = tensor_random(widths[w / 2], rank, dim);
        in[0] = w % 2 ? tensor_strided(&x) : x;
        for (int i = 0; i < more_count; i++) in[i + 1] = more[i];
        if (!CHECK_OK(call_op(op, attrs, in, more_count + 1, &out, 1, &err), &err)) return;
        for (int64_t i = 0; i < born__view_count(&out); i++) {
            int64_t at[BORN_MAX_RANK] = { 0 }, from[BORN_MAX_RANK] = { 0 };
            coordinates(&out, i, at);
            double want = source(&x, how, at, from) ? tensor_get(&x, from) : fill;
            if (!CHECK_MSG(tensor_at(&out, i) == want, "%s, case %d: element %lld is %g, not %g", what, w, (long long)i,
                           tensor_at(&out, i), want))
                return;
        }
    }
}

static void check_dims(const char *what, born_op_id op, const void *attrs, const born_view *in, int in_count, int rank,
                       const int64_t *dim)
{
    born_view out;
    born_error err = { 0 };
    if (!CHECK_OK(infer_op(op, attrs, in, in_count, &out, 1, 0, &err), &err)) return;
    bool same = out.rank == rank;
    for (int d = 0; same && d < rank; d++) same = out.dim[d] == dim[d];
    char text[96];
    CHECK_MSG(same, "%s gave %s", what, born__shape_text(out.dim, out.rank, text, sizeof text));
}

/* The call is refused with this status, and the text holds `part`. */
static void check_refused(born_op_id op, const void *attrs, const born_view *in, int in_count, born_status want,
                          const char *part)
{
    born_view out[2];
    born_error err = { 0 };
    bool two = op == BORN_OP_SPLIT || op == BORN_OP_TOPK;
    born_status got = infer_op(op, attrs, in, in_count, out, two ? 2 : 1, 0, &err);
    CHECK_MSG(got == want, "%s: %s, not %s: %s", born__ops[op].name, born_status_name(got), born_status_name(want),
              err.text);
    CHECK_MSG(strstr(err.text, part) != NULL, "%s: \"%s\" lacks \"%s\"", born__ops[op].name, err.text, part);
}
#define REFUSED(op, attrs, status, part, ...)                                                                         \
    check_refused(BORN_OP_##op, attrs, (born_view[]){ __VA_ARGS__ },                                                  \
                  (int)(sizeof((born_view[]){ __VA_ARGS__ }) / sizeof(born_view)), status, part)
#define HAS_DIMS(op, attrs, dims, ...)                                                                                \
    check_dims(#op, BORN_OP_##op, attrs, (born_view[]){ __VA_ARGS__ },                                                \
               (int)(sizeof((born_view[]){ __VA_ARGS__ }) / sizeof(born_view)), dims)
#define F(...) tensor_zeros(BORN_F32, DIMS(__VA_ARGS__))

/* ---- copies ---- */

static void check_copy(const born_view *src, bool strided_dst)
{
    born_view dst = tensor_zeros(src->dtype, src->rank, src->dim);
    if (strided_dst) dst = tensor_strided(&dst);
    born_error err = { 0 };
    born_pool *pool = NULL;
    REQUIRE_OK(born__pool_open(3, &pool, &err), &err);
    born__copy_view(&dst, src, random_below(2) ? pool : NULL);
    born__pool_close(&pool);
    CHECK(tensor_same_bits(&dst, src));
}

TEST(copy_view_any_strides)
{
    for (uint32_t seed = 0; seed < 300; seed++) {
        random_seed(seed);
        int rank = (int)random_below(6);
        int64_t dim[BORN_MAX_RANK];
        for (int d = 0; d < rank; d++) dim[d] = random_below(20) == 0 ? 0 : 1 + random_below(7);
        born_view x = tensor_random(widths[random_below(4)], rank, dim);
        born_view y = random_below(3) ? tensor_strided(&x) : x;
        if (rank > 0 && random_below(4) == 0) y.stride[random_below((uint32_t)rank)] = 0;      /* broadcast */
        check_copy(&y, random_below(2));
    }
    calls_free();
}

TEST(copy_view_transposes)
{
    for (int w = 0; w < 4; w++) {
        born_view x = tensor_random(widths[w], DIMS(3, 130, 77)), t = x;
        t.dim[1] = 77;
        t.dim[2] = 130;
        t.stride[1] = 1;
        t.stride[2] = 77;
        check_copy(&t, false);                  /* the last two dims */
        born_view v = tensor_random(widths[w], DIMS(300, 261)), several = v;    /* tiles both ways */
        several.dim[0] = 261;
        several.dim[1] = 300;
        several.stride[0] = 1;
        several.stride[1] = 261;
        check_copy(&several, false);
        born_view u = { .dtype = x.dtype, .data = x.data, .rank = 3, .dim = { 130, 3, 77 },
                        .stride = { 77, 130 * 77, 1 } };
        check_copy(&u, false);                  /* whole rows */
        u = (born_view){ .dtype = x.dtype, .data = x.data, .rank = 2, .dim = { 77 * 5, 3 * 26 },
                         .stride = { 1, 77 * 5 } };
        check_copy(&u, false);
    }
    calls_free();
}

TEST(copy_long_runs_on_a_pool)
{
    born_view x = tensor_random(BORN_F32, DIMS(300000)), y = tensor_strided(&x);
    for (int i = 0; i < 8; i++) check_copy(i % 2 ? &x : &y, i % 4 > 1);
    calls_free();
}

/* ---- views ---- */

TEST(reshape_solves_sizes)
{
    HAS_DIMS(RESHAPE, NULL, DIMS(4, 6), F(2, 3, 4), LIST(4, -1));
    HAS_DIMS(RESHAPE, NULL, DIMS(2, 3, 2, 2), F(2, 3, 4), LIST(0, 0, 2, -1));
    HAS_DIMS(RESHAPE, NULL, DIMS(0, 3), F(0, 3), LIST(0, -1));
    HAS_DIMS(RESHAPE, (&(born_reshape_attrs){ .allowzero = true }), DIMS(0, 7), F(0, 3), LIST(0, 7));
    check_dims("to rank 0", BORN_OP_RESHAPE, NULL, (born_view[]){ F(1, 1), tensor_list(0, NULL) }, 2, 0, NULL);
    HAS_DIMS(FLATTEN, NULL, DIMS(2, 12), F(2, 3, 4));
    HAS_DIMS(FLATTEN, (&(born_flatten_attrs){ .axis = -1 }), DIMS(6, 4), F(2, 3, 4));
    HAS_DIMS(FLATTEN, (&(born_flatten_attrs){ .axis = 3 }), DIMS(24, 1), F(2, 3, 4));
    HAS_DIMS(SQUEEZE, NULL, DIMS(3), F(1, 3, 1));
    HAS_DIMS(SQUEEZE, NULL, DIMS(1, 3), F(1, 3, 1), LIST(-1));
    HAS_DIMS(UNSQUEEZE, NULL, DIMS(1, 3, 1, 4, 1), F(3, 4), LIST(0, -1, 2));
    REFUSED(RESHAPE, NULL, BORN_SHAPE, "[4,2]", F(2, 3), LIST(4, 2));
    REFUSED(RESHAPE, NULL, BORN_SHAPE, "divide", F(2, 3), LIST(4, -1));
    REFUSED(RESHAPE, NULL, BORN_INVALID, "both -1", F(2, 3), LIST(-1, -1));
    REFUSED(RESHAPE, NULL, BORN_INVALID, "-2", F(2, 3), LIST(-2, 3));
    REFUSED(RESHAPE, NULL, BORN_SHAPE, "none there", F(6), LIST(6, 0));
    REFUSED(RESHAPE, NULL, BORN_SHAPE, "rank", F(6), tensor_zeros(BORN_I64, DIMS(1, 1)));
    REFUSED(RESHAPE, NULL, BORN_SHAPE, "more than 8", F(6), tensor_zeros(BORN_I64, DIMS(9)));
    REFUSED(RESHAPE, NULL, BORN_SHAPE, "", F(1), LIST(INT64_MAX, INT64_MAX));
    REFUSED(RESHAPE, (&(born_reshape_attrs){ .allowzero = true }), BORN_INVALID, "-1 beside", F(0, 3), LIST(0, -1));
    REFUSED(FLATTEN, (&(born_flatten_attrs){ .axis = 4 }), BORN_RANGE, "axis 4", F(2, 3, 4));
    REFUSED(SQUEEZE, NULL, BORN_SHAPE, "not 1", F(1, 3), LIST(1));
    REFUSED(UNSQUEEZE, NULL, BORN_INVALID, "twice", F(3), LIST(0, -3));
    REFUSED(UNSQUEEZE, NULL, BORN_SHAPE, "rank 9", F(1, 1, 1, 1, 1, 1, 1, 1), LIST(0));
    calls_free();
}

TEST(host_operands_must_be_known)
{
    born_view in[5] = { F(4, 4), LIST(2, 8), LIST(2), LIST(0), LIST(1) }, out;
    born_error err = { 0 };
    CHECK_STATUS(infer_op(BORN_OP_RESHAPE, NULL, in, 2, &out, 1, 2, &err), BORN_STATE);
    CHECK(strstr(err.text, "operand 1 must be known") != NULL);
    CHECK_STATUS(infer_op(BORN_OP_EXPAND, NULL, in, 2, &out, 1, 2, &err), BORN_STATE);
    CHECK_STATUS(infer_op(BORN_OP_TILE, NULL, in, 2, &out, 1, 2, &err), BORN_STATE);
    CHECK_STATUS(infer_op(BORN_OP_SLICE, NULL, in, 5, &out, 1, 0x1e, &err), BORN_STATE);
    CHECK_STATUS(infer_op(BORN_OP_CONSTANT_OF_SHAPE, NULL, in + 1, 1, &out, 1, 1, &err), BORN_STATE);
    calls_free();
}

static bool from_transpose(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const int64_t *perm = how;
    for (int d = 0; d < x->rank; d++) from[perm[d]] = at[d];
    return true;
}

TEST(transpose_moves_dims)
{
    static const int64_t perms[][4] = {
        { 3, 2, 1, 0 }, { 0, 2, 1, 3 }, { 0, 3, 1, 2 }, { 1, 0, 3, 2 }, { 0, 1, 2, 3 }
    };
    for (int p = 0; p < 5; p++) {
        born_transpose_attrs a = { .perm = { perms[p], 4 } };
        check_sources("transpose", BORN_OP_TRANSPOSE, &a, DIMS(3, 5, 1, 17), NULL, 0, from_transpose, perms[p], 0);
    }
    REFUSED(TRANSPOSE, (&(born_transpose_attrs){ .perm = BORN_INTS(0, 0) }), BORN_INVALID, "twice", F(2, 3));
    REFUSED(TRANSPOSE, (&(born_transpose_attrs){ .perm = BORN_INTS(0, 2) }), BORN_RANGE, "axis 2", F(2, 3));
    REFUSED(TRANSPOSE, (&(born_transpose_attrs){ .perm = BORN_INTS(0) }), BORN_SHAPE, "perm has 1", F(2, 3));
    calls_free();
}

static bool from_expand(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    int lead = *(const int *)how - x->rank;
    for (int d = 0; d < x->rank; d++) from[d] = x->dim[d] == 1 ? 0 : at[lead + d];
    return true;
}

TEST(expand_broadcasts)
{
    born_view shape = LIST(4, 1, 2, 5);
    check_sources("expand", BORN_OP_EXPAND, NULL, DIMS(3, 1, 5), &shape, 1, from_expand, &(int){ 4 }, 0);
    shape = LIST(5);
    check_sources("expand", BORN_OP_EXPAND, NULL, DIMS(3, 1), &shape, 1, from_expand, &(int){ 2 }, 0);
    REFUSED(EXPAND, NULL, BORN_SHAPE, "broadcast", F(3), LIST(2));
    REFUSED(EXPAND, NULL, BORN_INVALID, "-1", F(3), LIST(-1));
    REFUSED(EXPAND, NULL, BORN_RANGE, "too large", F(1), LIST(INT64_MAX, 2));
    calls_free();
}

typedef struct slicing { int64_t start, end, step; } slicing;       /* of dim 1 */

/* Walks as python does, step by step. */
static bool from_slice(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const slicing *s = how;
    int64_t n = x->dim[1], i = s->start < 0 ? s->start + n : s->start;
    if (s->step > 0 && i < 0) i = 0;
    if (s->step < 0 && i >= n) i = n - 1;
    for (int64_t k = 0; k < at[1]; k++) i += s->step;
    from[0] = at[0];
    from[1] = i;
    from[2] = at[2];
    return true;
}

static int64_t walk_length(int64_t n, const slicing *s)
{
    int64_t count = 0, i = s->start < 0 ? s->start + n : s->start, end = s->end < 0 ? s->end + n : s->end;
    if (s->step > 0 && i < 0) i = 0;
    if (s->step < 0 && i >= n) i = n - 1;
    for (; s->step > 0 ? i < end && i < n : i > end && i >= 0; i += s->step) count++;
    return count;
}

TEST(slice_walks)
{
    for (int64_t start = -9; start <= 9; start += 3)
        for (int64_t end = -8; end <= 9; end++)
            for (int64_t step = -3; step <= 3; step++) {
                if (step == 0) continue;
                slicing s = { start, end, step };
                born_view more[4] = { LIST(start), LIST(end), LIST(-2), LIST(step) };
                born_view in[5] = { F(2, 7, 2), more[0], more[1], more[2], more[3] };
                check_dims("slice", BORN_OP_SLICE, NULL, in, 5, DIMS(2, walk_length(7, &s), 2));
                check_sources("slice", BORN_OP_SLICE, NULL, DIMS(2, 7, 2), more, 4, from_slice, &s, 0);
                calls_free();
            }
    HAS_DIMS(SLICE, NULL, DIMS(7), F(7), LIST(INT64_MIN), LIST(INT64_MAX), LIST(0), LIST(1));
    HAS_DIMS(SLICE, NULL, DIMS(1), F(7), LIST(INT64_MAX), LIST(INT64_MIN), LIST(0), LIST(INT64_MIN));
    REFUSED(SLICE, NULL, BORN_INVALID, "step", F(7), LIST(0), LIST(1), LIST(0), LIST(0));
    REFUSED(SLICE, NULL, BORN_INVALID, "twice", F(7, 7), LIST(0, 0), LIST(1, 1), LIST(1, -1));
    REFUSED(SLICE, NULL, BORN_RANGE, "axis 2", F(7, 7), LIST(0), LIST(1), LIST(2));
    REFUSED(SLICE, NULL, BORN_SHAPE, "starts", F(7, 7), LIST(0, 0), LIST(1));
    calls_free();
}

/* ---- joins ---- */

TEST(concat_and_split_are_inverse)
{
    for (int w = 0; w < 4; w++)
        for (int64_t axis = -3; axis < 3; axis++) {
            born_view x = tensor_random(widths[w], DIMS(6, 6, 6)), parts[3], whole, sizes = LIST(2, 0, 4);
            born_error err = { 0 };
            born_view in[2] = { w % 2 ? tensor_strided(&x) : x, sizes };
            REQUIRE_OK(call_op(BORN_OP_SPLIT, &(born_split_attrs){ .axis = axis }, in, 2, parts, 3, &err), &err);
            int d = (int)(axis < 0 ? axis + 3 : axis);
            for (int64_t i = 0; i < born__view_count(&parts[2]); i++) {
                int64_t at[3];
                coordinates(&parts[2], i, at);
                at[d] += 2;
                CHECK(tensor_at(&parts[2], i) == tensor_get(&x, at));
            }
            parts[0] = tensor_strided(&parts[0]);
            REQUIRE_OK(call_op(BORN_OP_CONCAT, &(born_concat_attrs){ .axis = axis }, parts, 3, &whole, 1, &err), &err);
            CHECK(tensor_same_bits(&whole, &x));
        }
    born_view in[1] = { F(7) }, out[4];
    born_error err = { 0 };
    CHECK_OK(infer_op(BORN_OP_SPLIT, NULL, in, 1, out, 4, 0, &err), &err);
    CHECK(out[0].dim[0] == 2 && out[2].dim[0] == 2 && out[3].dim[0] == 1);
    REFUSED(CONCAT, NULL, BORN_SHAPE, "operand 1 [2,4]", F(2, 3), F(2, 4));
    REFUSED(CONCAT, NULL, BORN_DTYPE, "", F(2, 3), LIST(1));
    REFUSED(CONCAT, NULL, BORN_RANGE, "axis", tensor_of(BORN_F32, 0, NULL, (double[]){ 1 }));
    REFUSED(SPLIT, NULL, BORN_SHAPE, "3 parts, but 2", F(6), LIST(2, 2, 2));
    REFUSED(SPLIT, NULL, BORN_SHAPE, "add up", F(6), LIST(2, 5));
    REFUSED(SPLIT, NULL, BORN_SHAPE, "larger", F(6), LIST(2, 2));
    REFUSED(SPLIT, NULL, BORN_SHAPE, "add up", F(6), LIST(7, -1));
    calls_free();
}

typedef struct padding { int mode; int64_t before, after; } padding;       /* of dim 0 */

/* Walks outwards one element at a time. */
static bool from_pad(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const padding *p = how;
    int64_t low = p->before < 0 ? -p->before : 0, high = x->dim[0] - 1 + (p->after < 0 ? p->after : 0);
    int64_t target = at[0] - p->before, i = low, way = 1;
    from[1] = at[1];
    if (target >= low && target <= high) {
        from[0] = target;
        return true;
    }
    if (p->mode == 0) return false;
    int64_t direction = target < low ? -1 : 1;
    i = direction < 0 ? low : high;
    way = direction;
    for (int64_t k = direction < 0 ? low : high; k != target; k += direction) {
        if (p->mode == 3) i = i + way > high ? low : i + way < low ? high : i + way;
        else if (p->mode == 1 && high > low) {
            if (i + way > high || i + way < low) way = -way;
            i += way;
        }
    }
    from[0] = i;
    return true;
}

TEST(pad_walks)
{
    for (int mode = 0; mode < 4; mode++)
        for (int64_t before = -2; before <= 9; before++)
            for (int64_t after = -1; after <= 9; after += 2) {
                padding p = { mode, before, after };
                born_view more[2] = { LIST(before, 0, after, 0), tensor_of(BORN_F32, 0, NULL, (double[]){ 0 }) };
                check_sources("pad", BORN_OP_PAD, &(born_pad_attrs){ .mode = mode }, DIMS(4, 3), more, 1, from_pad, &p,
                              0);
                calls_free();
            }
    REFUSED(PAD, NULL, BORN_SHAPE, "crop", F(4), LIST(-3, -2));
    REFUSED(PAD, NULL, BORN_SHAPE, "3 pads", F(4), LIST(1, 1, 1));
    REFUSED(PAD, NULL, BORN_RANGE, "too large", F(4), LIST(INT64_MAX, 0));
    REFUSED(PAD, NULL, BORN_SHAPE, "", F(4), LIST(INT64_MIN, INT64_MIN));
    REFUSED(PAD, (&(born_pad_attrs){ .mode = 3 }), BORN_SHAPE, "nothing to pad from", F(0), LIST(1, 1));
    REFUSED(PAD, NULL, BORN_INVALID, "twice", F(4, 4), LIST(1, 1, 1, 1), F(1), LIST(0, -2));
    calls_free();
}

TEST(pad_value)
{
    born_view in[4] = { F(2, 2), LIST(1, 2), tensor_of(BORN_F32, DIMS(1), (double[]){ 7 }), LIST(1) }, out;
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_PAD, NULL, in, 4, &out, 1, &err), &err);
    static const double want[10] = { 7, 0, 0, 7, 7, 7, 0, 0, 7, 7 };
    for (int i = 0; i < 10; i++) CHECK(tensor_at(&out, i) == want[i]);
    calls_free();
}

static bool from_tile(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    (void)how;
    for (int d = 0; d < x->rank; d++) from[d] = at[d] % x->dim[d];
    return true;
}

TEST(tile_repeats)
{
    born_view times = LIST(2, 1, 3);
    check_sources("tile", BORN_OP_TILE, NULL, DIMS(2, 3, 5), &times, 1, from_tile, NULL, 0);
    times = LIST(1, 4, 1);
    check_sources("tile", BORN_OP_TILE, NULL, DIMS(2, 3, 5), &times, 1, from_tile, NULL, 0);
    times = LIST(3, 0, 1);
    check_sources("tile", BORN_OP_TILE, NULL, DIMS(2, 3, 5), &times, 1, from_tile, NULL, 0);
    REFUSED(TILE, NULL, BORN_SHAPE, "2 repeats", F(2), LIST(1, 1));
    REFUSED(TILE, NULL, BORN_INVALID, "-1", F(2), LIST(-1));
    REFUSED(TILE, NULL, BORN_RANGE, "too large", F(2), LIST(INT64_MAX));
    calls_free();
}

static bool from_center(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const int64_t *want = how;
    for (int d = 0; d < x->rank; d++) {
        int64_t grow = want[d] - x->dim[d];
        from[d] = grow >= 0 ? at[d] - grow / 2 : at[d] + -grow / 2;
        if (from[d] < 0 || from[d] >= x->dim[d]) return false;
    }
    return true;
}

TEST(center_crop_pad_centers)
{
    static const int64_t wants[][2] = { { 5, 5 }, { 2, 9 }, { 3, 4 }, { 0, 1 }, { 8, 2 } };
    for (int i = 0; i < 5; i++) {
        born_view want = tensor_list(2, wants[i]);
        check_sources("center_crop_pad", BORN_OP_CENTER_CROP_PAD, NULL, DIMS(5, 4), &want, 1, from_center, wants[i], 0);
    }
    REFUSED(CENTER_CROP_PAD, NULL, BORN_SHAPE, "1 sizes", F(2, 2), LIST(1));
    REFUSED(CENTER_CROP_PAD, NULL, BORN_INVALID, "-4", F(2), LIST(-4));
    calls_free();
}

/* ---- rearrangements ---- */

static bool from_depth(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const born_depth_to_space_attrs *a = how;
    int64_t b = a->blocksize, c = x->dim[1] / (b * b), block = at[2] % b * b + at[3] % b;
    from[0] = at[0];
    from[1] = a->mode == 1 ? at[1] * b * b + block : block * c + at[1];
    from[2] = at[2] / b;
    from[3] = at[3] / b;
    return true;
}

static bool from_space(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const born_depth_to_space_attrs *a = how;
    int64_t b = a->blocksize, c = x->dim[1], block = a->mode == 1 ? at[1] % (b * b) : at[1] / c;
    from[0] = at[0];
    from[1] = a->mode == 1 ? at[1] / (b * b) : at[1] % c;
    from[2] = at[2] * b + block / b;
    from[3] = at[3] * b + block % b;
    return true;
}

TEST(depth_and_space)
{
    for (int mode = 0; mode < 2; mode++) {
        born_depth_to_space_attrs a = { .blocksize = 3, .mode = mode };
        check_sources("depth_to_space", BORN_OP_DEPTH_TO_SPACE, &a, DIMS(2, 18, 3, 4), NULL, 0, from_depth, &a, 0);
        check_sources("space_to_depth", BORN_OP_SPACE_TO_DEPTH, &a, DIMS(2, 2, 6, 9), NULL, 0, from_space, &a, 0);
    }
    REFUSED(DEPTH_TO_SPACE, (&(born_depth_to_space_attrs){ .blocksize = 2 }), BORN_SHAPE, "multiple", F(1, 6, 1, 1));
    REFUSED(DEPTH_TO_SPACE, NULL, BORN_INVALID, "blocksize is 0", F(1, 6, 1, 1));
    REFUSED(SPACE_TO_DEPTH, (&(born_depth_to_space_attrs){ .blocksize = 2 }), BORN_SHAPE, "blocks of 2", F(1, 6, 1, 2));
    REFUSED(SPACE_TO_DEPTH, (&(born_depth_to_space_attrs){ .blocksize = 2 }), BORN_SHAPE, "[N,C,H,W]", F(6, 2, 2));
    calls_free();
}

typedef struct triangle { int64_t k; bool lower; } triangle;
static bool from_trilu(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const triangle *t = how;
    for (int d = 0; d < x->rank; d++) from[d] = at[d];
    return t->lower ? at[2] - at[1] <= t->k : at[2] - at[1] >= t->k;
}

TEST(trilu_keeps_a_triangle)
{
    for (int64_t k = -6; k <= 6; k++)
        for (int lower = 0; lower < 2; lower++) {
            triangle t = { k == 6 ? INT64_MAX : k == -6 ? INT64_MIN + 1 : k, lower != 0 };
            born_view diagonal = tensor_int(t.k);
            check_sources("trilu", BORN_OP_TRILU, &(born_trilu_attrs){ .lower = t.lower }, DIMS(2, 3, 4), &diagonal, 1,
                          from_trilu, &t, 0);
        }
    REFUSED(TRILU, NULL, BORN_SHAPE, "matrices", F(3));
    REFUSED(TRILU, NULL, BORN_SHAPE, "one element", F(3, 3), LIST(1, 2));
    calls_free();
}

static bool from_reverse(const born_view *x, const void *how, const int64_t *at, int64_t *from)
{
    const int64_t *length = how;
    for (int d = 0; d < x->rank; d++) from[d] = at[d];
    if (at[1] < length[at[0]]) from[1] = length[at[0]] - 1 - at[1];
    return true;
}

TEST(reverse_sequence_reverses)
{
    static const int64_t length[3] = { 5, 0, 3 };
    born_view lens = tensor_list(3, length), out;
    born_reverse_sequence_attrs a = { .batch_axis = -3, .time_axis = 1 };
    check_sources("reverse_sequence", BORN_OP_REVERSE_SEQUENCE, &a, DIMS(3, 5, 2), &lens, 1, from_reverse, length, 0);
    REFUSED(REVERSE_SEQUENCE, &a, BORN_SHAPE, "lengths [2]", F(3, 5, 2), LIST(1, 1));
    REFUSED(REVERSE_SEQUENCE, (&(born_reverse_sequence_attrs){ .batch_axis = 1, .time_axis = 1 }), BORN_INVALID, "both",
            F(3, 3), LIST(1, 1, 1));
    born_error err = { 0 };
    born_view in[2] = { F(3, 5, 2), LIST(1, 6, 1) };
    CHECK_STATUS(call_op(BORN_OP_REVERSE_SEQUENCE, &a, in, 2, &out, 1, &err), BORN_RANGE);
    CHECK(strstr(err.text, "length 6 of sequence 1") != NULL);
    calls_free();
}

TEST(col2im_sums_columns)
{
    enum { H = 5, W = 4, KH = 2, KW = 3, OH = 6, OW = 2, C = 2 };      /* stride 1x2, dilation 1, pads 1,0 each side */
    born_view x = tensor_random(BORN_F32, DIMS(1, C * KH * KW, OH * OW)), out;
    born_view in[3] = { tensor_strided(&x), LIST(H, W), LIST(KH, KW) };
    born_col2im_attrs a = { .strides = BORN_INTS(1, 2), .pads = BORN_INTS(1, 1, 1, 0) };
    double image[C * H * W] = { 0 };
    for (int c = 0; c < C; c++)
        for (int k = 0; k < KH * KW; k++)
            for (int p = 0; p < OH * OW; p++) {
                int y = p / OW + k / KW - 1, z = p % OW * 2 + k % KW - 1;
                if (y >= 0 && y < H && z >= 0 && z < W)
                    image[(c * H + y) * W + z] += tensor_at(&x, (c * KH * KW + k) * OH * OW + p);
            }
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_COL2IM, &a, in, 3, &out, 1, &err), &err);
    for (int i = 0; i < C * H * W; i++) CHECK(tensor_at(&out, i) == image[i]);
    REFUSED(COL2IM, NULL, BORN_SHAPE, "is not [N, C*6", F(1, 12, 5), LIST(H, W), LIST(KH, KW));
    REFUSED(COL2IM, NULL, BORN_RANGE, "block 0", F(1, 12, 5), LIST(H, W), LIST(0, KW));
    REFUSED(COL2IM, (&(born_col2im_attrs){ .strides = BORN_INTS(1) }), BORN_SHAPE, "1 strides", F(1, 12, 5), LIST(H, W),
            LIST(KH, KW));
    calls_free();
}

/* ---- made of numbers ---- */

static void check_list(const char *what, const born_view *v, int count, const double *want)
{
    if (!CHECK_MSG(born__view_count(v) == count, "%s has %lld elements", what, (long long)born__view_count(v))) return;
    for (int i = 0; i < count; i++)
        CHECK_MSG(tensor_at(v, i) == want[i], "%s: element %d is %g, not %g", what, i, tensor_at(v, i), want[i]);
}

TEST(shape_and_size)
{
    born_view x = F(2, 3, 4), out;
    born_error err = { 0 };
    REQUIRE_OK(call_op(BORN_OP_SHAPE, NULL, &x, 1, &out, 1, &err), &err);
    check_list("shape", &out, 3, (double[]){ 2, 3, 4 });
    REQUIRE_OK(call_op(BORN_OP_SHAPE, &(born_shape_attrs){ .start = -2, .end = -1 }, &x, 1, &out, 1, &err), &err);
    check_list("shape -2:-1", &out, 1, (double[]){ 3 });
    REQUIRE_OK(call_op(BORN_OP_SHAPE, &(born_shape_attrs){ .start = 2, .end = 1 }, &x, 1, &out, 1, &err), &err);
    check_list("shape 2:1", &out, 0, NULL);
    REQUIRE_OK(call_op(BORN_OP_SIZE, NULL, &x, 1, &out, 1, &err), &err);
    check_list("size", &out, 1, (double[]){ 24 });
    calls_free();
}

static born_view one(born_dtype t, double v) { return tensor_of(t, 0, NULL, &v); }

TEST(range_counts)
{
    born_view out;
    born_error err = { 0 };
    born_view ints[3] = { tensor_int(1), tensor_int(9), tensor_int(3) };
    REQUIRE_OK(call_op(BORN_OP_RANGE, NULL, ints, 3, &out, 1, &err), &err);
    check_list("range i64", &out, 3, (double[]){ 1, 4, 7 });
    born_view down[3] = { one(BORN_I16, 5), one(BORN_I16, -1), one(BORN_I16, -2) };
    REQUIRE_OK(call_op(BORN_OP_RANGE, NULL, down, 3, &out, 1, &err), &err);
    check_list("range i16", &out, 3, (double[]){ 5, 3, 1 });
    born_view floats[3] = { one(BORN_F32, 1), one(BORN_F32, 2.25), one(BORN_F32, 0.5) };
    REQUIRE_OK(call_op(BORN_OP_RANGE, NULL, floats, 3, &out, 1, &err), &err);
    check_list("range f32", &out, 3, (double[]){ 1, 1.5, 2 });
    HAS_DIMS(RANGE, NULL, DIMS(0), tensor_int(5), tensor_int(5), tensor_int(1));
    HAS_DIMS(RANGE, NULL, DIMS(0), one(BORN_F64, 5), one(BORN_F64, 1), one(BORN_F64, 1));
    HAS_DIMS(RANGE, NULL, DIMS(3), tensor_int(INT64_MIN), tensor_int(INT64_MAX), tensor_int(INT64_MAX));
    REFUSED(RANGE, NULL, BORN_INVALID, "by 0", tensor_int(0), tensor_int(1), tensor_int(0));
    REFUSED(RANGE, NULL, BORN_INVALID, "no end", one(BORN_F64, 0), one(BORN_F64, 1), one(BORN_F64, 0));
    REFUSED(RANGE, NULL, BORN_INVALID, "no end", one(BORN_F64, 0), one(BORN_F64, 1e300), one(BORN_F64, 1e-300));
    REFUSED(RANGE, NULL, BORN_INVALID, "no end", tensor_int(INT64_MIN), tensor_int(INT64_MAX), tensor_int(1));
    REFUSED(RANGE, NULL, BORN_SHAPE, "one element", LIST(1, 2), tensor_int(1), tensor_int(1));
    calls_free();
}

TEST(constants_and_eyes)
{
    born_view shape = LIST(2, 2), out, x = F(2, 3);
    born_error err = { 0 };
    int16_t seven = 7;
    born_array value = BORN_ARRAY(&seven, 1);
    born_constant_of_shape_attrs filled = { .value = &value };
    REQUIRE_OK(call_op(BORN_OP_CONSTANT_OF_SHAPE, &filled, &shape, 1, &out, 1, &err), &err);
    CHECK(out.dtype == BORN_I16);
    check_list("constant_of_shape", &out, 4, (double[]){ 7, 7, 7, 7 });
    REQUIRE_OK(call_op(BORN_OP_CONSTANT_OF_SHAPE, NULL, &shape, 1, &out, 1, &err), &err);
    CHECK(out.dtype == BORN_F32);
    check_list("zeros", &out, 4, (double[]){ 0, 0, 0, 0 });
    born_eye_like_attrs a = { .dtype = BORN_F16, .k = 1 };
    REQUIRE_OK(call_op(BORN_OP_EYE_LIKE, &a, &x, 1, &out, 1, &err), &err);
    CHECK(out.dtype == BORN_F16);
    check_list("eye_like", &out, 6, (double[]){ 0, 1, 0, 0, 0, 1 });
    a.k = INT64_MIN;
    REQUIRE_OK(call_op(BORN_OP_EYE_LIKE, &a, &x, 1, &out, 1, &err), &err);
    check_list("no diagonal", &out, 6, (double[]){ 0, 0, 0, 0, 0, 0 });
    REFUSED(CONSTANT_OF_SHAPE, NULL, BORN_INVALID, "-1", LIST(-1));
    REFUSED(CONSTANT_OF_SHAPE, NULL, BORN_RANGE, "too large", LIST(INT64_MAX, INT64_MAX));
    REFUSED(EYE_LIKE, NULL, BORN_SHAPE, "matrix", F(2));
    REFUSED(EYE_LIKE, (&(born_eye_like_attrs){ .dtype = BORN_Q4_0 }), BORN_DTYPE, "q4_0", F(2, 2));
    calls_free();
}

TEST_MAIN

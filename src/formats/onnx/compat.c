/* Older forms of operators said in the newest terms: attributes that became inputs, axes that meant something else,
   names that changed. The rows of the op table know the newest form only. */
#include <string.h>

#include "base/error.h"
#include "formats/onnx/map.h"

enum { MAX_OPERANDS = 8 };

/* c's operands with room for more; absent ones are -1. Too many are cut: the row refuses them by their count. */
static int copy_operands(const map_call *c, born_vid in[MAX_OPERANDS])
{
    for (int i = 0; i < MAX_OPERANDS; i++) in[i] = i < c->in_count ? c->in[i] : -1;
    return c->in_count < MAX_OPERANDS ? c->in_count : MAX_OPERANDS;
}

static born_status refuse(map_frame *f, const map_call *c, const char *why)
{
    born__map_gap(f->x, c->domain, c->op, c->said, c->name, why);
    return BORN_OK;
}

static born_status no_memory(map_frame *f)
{
    return born__fail(f->x->err, BORN_NOMEM, "onnx: out of memory");
}

/* Re-emits c under a name with these operands and c's attributes without `drop`, plus `more`. */
static born_status again(map_frame *f, const map_call *c, born_str op, const born_vid *in, int in_count,
                         const char *drop, const pb_attr *more, int more_count)
{
    int n;
    pb_attr *attr = born__map_attrs_but(f, c, drop, more_count, &n);
    map_call to = *c;

    if (!attr) return no_memory(f);
    for (int i = 0; i < more_count; i++) attr[n++] = more[i];
    to.op = op;
    to.version = MAP_NEWEST;
    to.in = in;
    to.in_count = in_count;
    to.attr = attr;
    to.attr_count = n;
    return born__map_call(f, &to);
}

static born_str str(const char *s)
{
    return (born_str){ s, strlen(s) };
}

/* The dtype of an operand as far as it is known, f32 where it is not. */
static born_dtype dtype_of(const map_frame *f, born_vid v)
{
    born_dtype t = v < 0 ? BORN_DTYPE_NONE : f->g->value[v].dtype;

    return t ? t : BORN_F32;
}

/* The meaning has not changed: only the row names a later version. */
static born_status same(map_frame *f, const map_call *c)
{
    return again(f, c, c->op, c->in, c->in_count, "", NULL, 0);
}

/* Integers of an attribute as a constant; -1 where the attribute is absent. */
static born_vid ints_attr(map_frame *f, const map_call *c, born_status *st, const char *name)
{
    const pb_attr *a = born__map_attr(c, name);

    return a && a->type == PB_ATTR_INTS ? born__map_ints(f, st, a->ints.v, a->ints.count) : -1;
}

/* Squeeze, Unsqueeze, ReduceX: axes became input 1. */
static born_status axes_to_input(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];

    copy_operands(c, in);
    in[1] = ints_attr(f, c, &st, "axes");
    BORN_TRY(st);
    return again(f, c, c->op, in, in[1] < 0 ? 1 : 2, "axes", NULL, 0);
}

static born_status split_old(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];
    pb_attr parts = born__map_attr_i("num_outputs", c->out_count);

    copy_operands(c, in);
    if (in[1] < 0) in[1] = ints_attr(f, c, &st, "split");
    BORN_TRY(st);
    return again(f, c, c->op, in, in[1] < 0 ? 1 : 2, "split", &parts, in[1] < 0);
}

static born_status slice_1(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];

    copy_operands(c, in);
    in[1] = ints_attr(f, c, &st, "starts");
    in[2] = ints_attr(f, c, &st, "ends");
    in[3] = ints_attr(f, c, &st, "axes");
    BORN_TRY(st);
    return again(f, c, c->op, in, in[3] < 0 ? 3 : 4, "starts,ends,axes", NULL, 0);
}

static born_status pad_2(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];

    copy_operands(c, in);
    in[1] = ints_attr(f, c, &st, born__map_attr(c, "pads") ? "pads" : "paddings");
    in[2] = born__map_scalar(f, &st, dtype_of(f, in[0]), born__map_attr_float(c, "value", 0));
    BORN_TRY(st);
    return again(f, c, c->op, in, 3, "pads,paddings,value", NULL, 0);
}

static born_status clip_6(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];
    const char *const name[] = { "min", "max" };

    copy_operands(c, in);
    for (int i = 0; i < 2; i++)
        if (born__map_attr(c, name[i]))
            in[i + 1] = born__map_scalar(f, &st, dtype_of(f, in[0]), born__map_attr_float(c, name[i], 0));
    BORN_TRY(st);
    return again(f, c, c->op, in, 3, "min,max", NULL, 0);
}

static born_status topk_1(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];
    int64_t k = born__map_attr_int(c, "k", 1);

    copy_operands(c, in);
    in[1] = born__map_ints(f, &st, &k, 1);
    BORN_TRY(st);
    return again(f, c, c->op, in, 2, "k", NULL, 0);
}

static born_status reshape_1(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];

    copy_operands(c, in);
    in[1] = ints_attr(f, c, &st, "shape");
    BORN_TRY(st);
    return again(f, c, c->op, in, 2, "shape", NULL, 0);
}

/* Before 10, Resize was Upsample: asymmetric coordinates, rounding down. */
static born_status resize_old(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];
    const pb_attr *scales = born__map_attr(c, "scales"), *mode = born__map_attr(c, "mode");
    pb_attr more[3] = { born__map_attr_s("coordinate_transformation_mode", "asymmetric"),
                        born__map_attr_s("nearest_mode", "floor"), born__map_attr_s("mode", "nearest") };

    copy_operands(c, in);
    in[2] = in[1];
    in[1] = -1;
    if (scales && scales->type == PB_ATTR_FLOATS)
        in[2] = born__map_f32s(f, &st, scales->floats.v, scales->floats.count);
    if (born__map_attr(c, "height_scale")) {
        float v[4] = { 1, 1, (float)born__map_attr_float(c, "height_scale", 1),
                       (float)born__map_attr_float(c, "width_scale", 1) };
        in[2] = born__map_f32s(f, &st, v, 4);
    }
    BORN_TRY(st);
    if (mode && (born__pb_str_is(mode->s, "linear") || born__pb_str_is(mode->s, "bilinear")))
        more[2] = born__map_attr_s("mode", "linear");
    return again(f, c, str("Resize"), in, 3, "scales,height_scale,width_scale,mode", more, 3);
}

/* Softmax, LogSoftmax, Hardmax before 13 worked on x seen as a matrix cut at the axis. */
static born_status softmax_old(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    int64_t axis = born__map_attr_int(c, "axis", 1);
    int rank = c->in_count ? born__map_rank(f, c->in[0]) : -1;
    pb_attr last = born__map_attr_i("axis", -1), cut = born__map_attr_i("axis", axis);

    if (axis == -1 || (rank > 0 && axis == rank - 1)) return again(f, c, c->op, c->in, c->in_count, "axis", &last, 1);
    if (c->in_count != 1 || c->out_count != 1) return refuse(f, c, "it takes one input and gives one output");
    born_vid shape = born__map_emit1(f, c, &st, "Shape", c->in, 1, NULL, 0);
    born_vid flat = born__map_emit1(f, c, &st, "Flatten", c->in, 1, &cut, 1), y = born__map_value(f, &st);
    BORN_TRY(st);
    map_call to = *c;
    to.version = MAP_NEWEST;
    to.in = &flat;
    to.out = &y;
    to.attr = &last;
    to.attr_count = 1;
    BORN_TRY(born__map_call(f, &to));
    return born__map_emit(f, c, "Reshape", (born_vid[]){ y, shape }, 2, c->out, 1, NULL, 0);
}

/* Cast before 6 named the type. */
static born_status cast_1(map_frame *f, const map_call *c)
{
    static const char *const names[] = { "FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "STRING",
                                         "BOOL", "FLOAT16", "DOUBLE", "UINT32", "UINT64" };
    const pb_attr *to = born__map_attr(c, "to");
    pb_attr code = born__map_attr_i("to", 0);

    for (int i = 0; to && i < (int)(sizeof names / sizeof *names); i++)
        if (born__pb_str_is(to->s, names[i])) code.i = i + 1;
    return again(f, c, c->op, c->in, c->in_count, "to", &code, 1);
}

/* Dropout before 12: inference, whatever the ratio. */
static born_status dropout_old(map_frame *f, const map_call *c)
{
    return again(f, c, c->op, c->in, c->in_count ? 1 : 0, "ratio,is_test,seed", NULL, 0);
}

/* BatchNormalization before 14: further outputs mean training. */
static born_status batch_norm_old(map_frame *f, const map_call *c)
{
    for (int i = 1; i < c->out_count; i++)
        if (c->out[i] >= 0) return refuse(f, c, "training mode");
    return again(f, c, c->op, c->in, c->in_count, "momentum,is_test,consumed_inputs", NULL, 0);
}

/* Aligns b's first axis with axis `at` of a: trailing axes of size 1 are put behind it. */
static born_status align(map_frame *f, const map_call *c, born_vid b, int64_t at, int rank, born_vid *out)
{
    born_status st = BORN_OK;
    int64_t axes[BORN_MAX_RANK];
    int rank_b = born__map_rank(f, b);
    int64_t behind = rank - at - rank_b;

    *out = b;
    if (behind <= 0) return BORN_OK;
    for (int64_t i = 0; i < behind && i < BORN_MAX_RANK; i++) axes[i] = rank_b + i;
    born_vid in[2] = { b, born__map_ints(f, &st, axes, behind < BORN_MAX_RANK ? behind : BORN_MAX_RANK) };
    *out = born__map_emit1(f, c, &st, "Unsqueeze", in, 2, NULL, 0);
    return st;
}

/* Arithmetic and comparison before 7 broadcast only when told to, and from an axis. */
static born_status broadcast_6(map_frame *f, const map_call *c)
{
    born_vid in[MAX_OPERANDS];
    const pb_attr *axis = born__map_attr(c, "axis");
    int n = copy_operands(c, in);

    if (axis && axis->type == PB_ATTR_INT && n == 2) {
        int rank = born__map_rank(f, in[0]), rank_b = born__map_rank(f, in[1]);
        if (rank < 0 || rank_b < 0) return refuse(f, c, "broadcasting from an axis, with ranks not stated");
        int64_t at = axis->i < 0 ? axis->i + rank : axis->i;
        if (at < 0 || at > rank) return refuse(f, c, "its axis is out of range");
        BORN_TRY(align(f, c, in[1], at, rank, &in[1]));
    }
    return again(f, c, c->op, in, n, "axis,broadcast,consumed_inputs", NULL, 0);
}

/* PRelu before 7: a slope of one dimension goes along axis 1. */
static born_status prelu_6(map_frame *f, const map_call *c)
{
    born_vid in[MAX_OPERANDS];
    int n = copy_operands(c, in);

    if (n == 2 && born__map_rank(f, in[1]) == 1 && born__map_rank(f, in[0]) > 2)
        BORN_TRY(align(f, c, in[1], 1, born__map_rank(f, in[0]), &in[1]));
    return again(f, c, c->op, in, n, "consumed_inputs", NULL, 0);
}

static born_status scatter_old(map_frame *f, const map_call *c)
{
    return again(f, c, str("ScatterElements"), c->in, c->in_count, "", NULL, 0);
}

static born_status concat_1(map_frame *f, const map_call *c)
{
    pb_attr axis = born__map_attr_i("axis", born__map_attr_int(c, "axis", 1));

    return again(f, c, c->op, c->in, c->in_count, "axis", &axis, 1);
}

/* DFT-17 had the axis as an attribute, 1 by default. */
static born_status dft_17(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid in[MAX_OPERANDS];

    copy_operands(c, in);
    in[2] = born__map_int(f, &st, born__map_attr_int(c, "axis", 1));
    BORN_TRY(st);
    return again(f, c, c->op, in, 3, "axis", NULL, 0);
}

/* GridSample-16 named the modes after pictures. */
static born_status grid_sample_16(map_frame *f, const map_call *c)
{
    const pb_attr *mode = born__map_attr(c, "mode");
    pb_attr to = born__map_attr_s("mode", "linear");

    if (mode && born__pb_str_is(mode->s, "nearest")) to = born__map_attr_s("mode", "nearest");
    if (mode && born__pb_str_is(mode->s, "bicubic")) to = born__map_attr_s("mode", "cubic");
    return again(f, c, c->op, c->in, c->in_count, "mode", &to, 1);
}

static born_status roi_align_10(map_frame *f, const map_call *c)
{
    pb_attr mode = born__map_attr_s("coordinate_transformation_mode", "output_half_pixel");

    return again(f, c, c->op, c->in, c->in_count, "", &mode, 1);
}

/* GroupNormalization-18 had a scale and a bias for each group, not for each channel. */
static born_status group_norm_18(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    int64_t groups = born__map_attr_int(c, "num_groups", 1);
    pb_attr range[2] = { born__map_attr_i("start", 1), born__map_attr_i("end", 2) }, axis = born__map_attr_i("axis", 0);
    born_vid in[3];

    if (c->in_count != 3) return refuse(f, c, "it takes three inputs");
    born_vid channels = born__map_emit1(f, c, &st, "Shape", c->in, 1, range, 2);
    born_vid count = born__map_ints(f, &st, &groups, 1), one = born__map_ints(f, &st, &(int64_t){ 1 }, 1);
    born_vid flat = born__map_ints(f, &st, &(int64_t){ -1 }, 1);
    born_vid each = born__map_emit1(f, c, &st, "Div", (born_vid[]){ channels, count }, 2, NULL, 0);
    born_vid shape = born__map_emit1(f, c, &st, "Concat", (born_vid[]){ count, each }, 2, &axis, 1);
    in[0] = c->in[0];
    for (int i = 1; i < 3; i++) {
        born_vid column = born__map_emit1(f, c, &st, "Unsqueeze", (born_vid[]){ c->in[i], one }, 2, NULL, 0);
        born_vid wide = born__map_emit1(f, c, &st, "Expand", (born_vid[]){ column, shape }, 2, NULL, 0);
        in[i] = born__map_emit1(f, c, &st, "Reshape", (born_vid[]){ wide, flat }, 2, NULL, 0);
    }
    BORN_TRY(st);
    return again(f, c, c->op, in, 3, "", NULL, 0);
}

typedef struct compat_row {
    const char *op;
    uint8_t op_n;
    int8_t first, last;         /* versions of the default domain */
    map_rewrite rewrite;
} compat_row;

#define ROW(op, first, last, fn) { op, sizeof op - 1, first, last, fn },
static const compat_row rows[] = {
    ROW("Squeeze", 1, 12, axes_to_input) ROW("Unsqueeze", 1, 12, axes_to_input) ROW("ReduceSum", 1, 12, axes_to_input)
    ROW("ReduceMean", 1, 17, axes_to_input) ROW("ReduceMax", 1, 17, axes_to_input)
    ROW("ReduceMin", 1, 17, axes_to_input) ROW("ReduceProd", 1, 17, axes_to_input)
    ROW("ReduceL1", 1, 17, axes_to_input) ROW("ReduceL2", 1, 17, axes_to_input)
    ROW("ReduceLogSum", 1, 17, axes_to_input) ROW("ReduceLogSumExp", 1, 17, axes_to_input)
    ROW("ReduceSumSquare", 1, 17, axes_to_input) ROW("Split", 1, 17, split_old) ROW("Slice", 1, 9, slice_1)
    ROW("Pad", 1, 10, pad_2) ROW("Clip", 1, 10, clip_6) ROW("TopK", 1, 9, topk_1) ROW("Reshape", 1, 4, reshape_1)
    ROW("Upsample", 1, 9, resize_old) ROW("Resize", 10, 10, resize_old) ROW("Softmax", 1, 12, softmax_old)
    ROW("LogSoftmax", 1, 12, softmax_old) ROW("Hardmax", 1, 12, softmax_old) ROW("Cast", 1, 5, cast_1)
    ROW("Dropout", 1, 11, dropout_old) ROW("BatchNormalization", 1, 13, batch_norm_old) ROW("Add", 1, 6, broadcast_6)
    ROW("Sub", 1, 6, broadcast_6) ROW("Mul", 1, 6, broadcast_6) ROW("Div", 1, 6, broadcast_6)
    ROW("Pow", 1, 6, broadcast_6) ROW("And", 1, 6, broadcast_6) ROW("Or", 1, 6, broadcast_6)
    ROW("Xor", 1, 6, broadcast_6) ROW("Greater", 1, 6, broadcast_6) ROW("Less", 1, 6, broadcast_6)
    ROW("Equal", 1, 6, broadcast_6) ROW("PRelu", 1, 6, prelu_6) ROW("Scatter", 1, 28, scatter_old)
    ROW("Concat", 1, 3, concat_1) ROW("DFT", 17, 19, dft_17) ROW("GridSample", 16, 19, grid_sample_16)
    ROW("RoiAlign", 10, 15, roi_align_10) ROW("GroupNormalization", 18, 20, group_norm_18)
};

/* Operators whose first versions mean the same as the row's, but for attributes that change nothing. */
static const compat_row unchanged[] = {
    ROW("Elu", 1, 5, same) ROW("Selu", 1, 5, same) ROW("Relu", 1, 5, same) ROW("Sigmoid", 1, 5, same)
    ROW("Tanh", 1, 5, same) ROW("Exp", 1, 5, same) ROW("Log", 1, 5, same) ROW("Sqrt", 1, 5, same)
    ROW("Abs", 1, 5, same) ROW("Neg", 1, 5, same) ROW("Floor", 1, 5, same) ROW("Ceil", 1, 5, same)
    ROW("Reciprocal", 1, 5, same) ROW("LeakyRelu", 1, 5, same) ROW("HardSigmoid", 1, 5, same) ROW("Max", 1, 7, same)
    ROW("Min", 1, 7, same) ROW("Sum", 1, 7, same) ROW("Mean", 1, 7, same) ROW("Gemm", 1, 6, same)
    ROW("PRelu", 7, 8, same) ROW("LSTM", 1, 6, same) ROW("GRU", 1, 6, same) ROW("RNN", 1, 6, same)
    ROW("Tile", 6, 12, same)
};
#undef ROW

static map_rewrite look_up(const compat_row *r, size_t n, const map_call *c)
{
    if (c->version >= MAP_NEWEST || c->domain.n) return NULL;
    for (size_t i = 0; i < n; i++)
        if (r[i].op_n == c->op.n && c->version >= r[i].first && c->version <= r[i].last &&
            memcmp(r[i].op, c->op.p, c->op.n) == 0)
            return r[i].rewrite;
    return NULL;
}

map_rewrite born__map_compat(const map_call *c)
{
    return look_up(rows, sizeof rows / sizeof *rows, c);
}

map_rewrite born__map_unchanged(const map_call *c)
{
    return look_up(unchanged, sizeof unchanged / sizeof *unchanged, c);
}

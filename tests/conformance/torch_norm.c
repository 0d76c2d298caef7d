/* torch_cases: normalisation. */
#include "torch_cases.h"

static born_tensor or_full(tc_call *k, born_tensor given, born_tensor x, born_shape s, double v)
{
    return tc_given(given) ? given : tc_full(k, born_dtype_of(x), s, v);
}

static void run_layer_norm(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = tc_shape(k, "normalized_shape");
    born_layer_norm_attrs a = { .axis = -s.rank, .epsilon = tc_num(k, "eps") };
    tc_out(k, born_layer_norm(x, or_full(k, tc_in(k, "weight"), x, s, 1), tc_in(k, "bias"), &a));
}
/* eps null: the type's own */
static void run_rms_norm(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = tc_shape(k, "normalized_shape");
    double own = born_dtype_of(x) == BORN_F64 ? 2.220446049250313e-16 : 1.1920928955078125e-07;
    born_rms_norm_attrs a = { .axis = -s.rank, .epsilon = tc_none(k, "eps") ? own : tc_num(k, "eps") };
    tc_out(k, born_rms_norm(x, or_full(k, tc_in(k, "weight"), x, s, 1), &a));
}
static void run_group_norm(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = BORN_SHAPE(tc_size(x, 1));
    born_group_norm_attrs a = { .num_groups = tc_int(k, "num_groups"), .epsilon = tc_num(k, "eps") };
    tc_out(k, born_group_norm(x, or_full(k, tc_in(k, "weight"), x, s, 1), or_full(k, tc_in(k, "bias"), x, s, 0), &a));
}

static born_tensor norm_by(tc_call *k, born_tensor x, born_tensor mean, born_tensor var)
{
    born_shape s = BORN_SHAPE(tc_size(x, 1));
    born_batch_norm_attrs a = { .epsilon = tc_num(k, "eps") };
    return born_batch_norm(x, or_full(k, tc_in(k, "weight"), x, s, 1), or_full(k, tc_in(k, "bias"), x, s, 0), mean, var,
                           &a);
}
static void run_instance_norm(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = BORN_SHAPE(tc_size(x, 1));
    if (!tc_flag(k, "use_input_stats")) {
        tc_out(k, norm_by(k, x, tc_in(k, "running_mean"), tc_in(k, "running_var")));
        return;
    }
    born_instance_norm_attrs a = { .epsilon = tc_num(k, "eps") };
    tc_out(k,
           born_instance_norm(x, or_full(k, tc_in(k, "weight"), x, s, 1), or_full(k, tc_in(k, "bias"), x, s, 0), &a));
}

/* (1 - momentum) * old + momentum * new */
static void out_running(tc_call *k, const char *name, born_tensor now)
{
    born_tensor old = tc_in(k, name);
    double m = tc_num(k, "momentum");
    if (tc_given(old)) tc_out(k, born_add(born_mul(old, 1 - m), born_mul(born_detach(now), m)));
}

/* In training the operator's own running variance is the biased one, PyTorch's is not: so it is computed here. */
static void run_batch_norm(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    born_shape s = BORN_SHAPE(tc_size(x, 1));
    if (!tc_flag(k, "training")) {
        tc_out(k, norm_by(k, x, tc_in(k, "running_mean"), tc_in(k, "running_var")));
        return;
    }
    born_tensor in[5] = { x, or_full(k, tc_in(k, "weight"), x, s, 1), or_full(k, tc_in(k, "bias"), x, s, 0),
                          tc_full(k, born_dtype_of(x), s, 0), tc_full(k, born_dtype_of(x), s, 1) };
    char attrs[80];
    snprintf(attrs, sizeof attrs, "epsilon=%.17g, training_mode=true", tc_num(k, "eps"));
    tc_out(k, tc_by_name(k, "batch_norm", in, 5, attrs));
    tc_ints rest = { .n = 0 };
    for (int i = 0; i < tc_rank(x); i++) {
        if (i != 1) rest.v[rest.n++] = i;
    }
    out_running(k, "running_mean", tc_reduce_axes(born_reduce_mean, x, &rest, false));
    born_variance_attrs v = { .drop_dims = true, .correction = 1 };
    out_running(k, "running_var", born_reduce_variance(x, TC_SPAN(rest), &v));
}

/* The longer half of an even window lies before the channel in PyTorch and behind it in the operator: then the channels
   are turned around. */
static void run_local_response_norm(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    bool even = tc_int(k, "size") % 2 == 0;
    born_lrn_attrs a = { .size = tc_int(k, "size"), .alpha = tc_num(k, "alpha"), .beta = tc_num(k, "beta"),
                         .bias = tc_num(k, "k") };
    if (even) x = tc_slice(x, 1, -1, INT64_MIN, -1);
    x = born_lrn(x, &a);
    tc_out(k, even ? tc_slice(x, 1, -1, INT64_MIN, -1) : x);
}

/* x over its norm, or over eps where that is larger. */
static void run_normalize(tc_call *k)
{
    born_tensor x = tc_in(k, "input");
    tc_ints dims = tc_dims(k, "dim", tc_rank(x));
    born_tensor n = tc_norm(k, x, tc_num(k, "p"), &dims, true);
    tc_out(k, born_div(x, born_clip(n, tc_full(k, born_dtype_of(n), (born_shape){ 0 }, tc_num(k, "eps")), tc_absent)));
}

#define ROW(name_, parameters, f) { .name = "torch.nn.functional." name_, .params = "input, " parameters, .run = f }
const tc_row tc_rows_norm[] = {
    ROW("layer_norm", "normalized_shape, weight, bias, eps=1e-05", run_layer_norm),
    ROW("rms_norm", "normalized_shape, weight, eps=null", run_rms_norm),
    ROW("group_norm", "num_groups, weight, bias, eps=1e-05", run_group_norm),
    ROW("instance_norm", "running_mean, running_var, weight, bias, use_input_stats=true, momentum=0.1, eps=1e-05",
        run_instance_norm),
    ROW("batch_norm", "running_mean, running_var, weight, bias, training=false, momentum=0.1, eps=1e-05",
        run_batch_norm),
    ROW("local_response_norm", "size, alpha=0.0001, beta=0.75, k=1.0", run_local_response_norm),
    ROW("normalize", "p=2.0, dim=1, eps=1e-12", run_normalize),
    { 0 },
};

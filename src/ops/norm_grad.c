/* Gradients of the norms that subtract a mean and divide by a deviation. First derivatives are one call of a row that
   computes all three (batch_norm_grad, layer_norm_grad, rms_norm_grad); the derivatives of those rows are built here
   from plain ops, so every further one follows. With t the normalised x and m() the mean over the normalised axes, the
   gradient of t maps to that of x by the projection r * P(v), P(v) = v - m(v) - t * m(v * t) (no m(v) for rms). */
#include "ops/emit_help.h"

static born_val two(born_emit *e, born_op_id op, born_val a, born_val b) { return born__emit_two(e, op, a, b); }
static born_val times(born_emit *e, born_val a, born_val b) { return two(e, BORN_OP_MUL, a, b); }
static born_val minus(born_emit *e, born_val a, born_val b) { return two(e, BORN_OP_SUB, a, b); }

static born_val operand(const born_grad *g, int i) { return i < g->in_count ? g->in[i] : 0; }

/* Calls a row with several results; those from `count` on are 0. */
static bool call_all(born_emit *e, born_op_id op, const void *attrs, const born_val *in, int in_count, born_val *out,
                     int count)
{
    for (int i = 0; i < count; i++) out[i] = 0;
    return !e->err.status && e->call(e, op, attrs, in, in_count, out, count) == BORN_OK;
}

/* ---- x normalised, from plain ops ---- */

typedef struct normal {
    born_emit *e;
    uint32_t axes;              /* one mean over these */
    bool rms;
    born_val t, r;              /* the normalised x, 1 / deviation (dims of 1 along axes) */
} normal;

static born_val mean_of(const normal *n, born_val v)
{
    return born__emit_reduce(n->e, BORN_OP_REDUCE_MEAN, v, n->axes);
}

static normal normalise(born_emit *e, born_val x, uint32_t axes, bool rms, double epsilon)
{
    normal n = { .e = e, .axes = axes, .rms = rms };
    born_val d = rms ? x : minus(e, x, mean_of(&n, x));
    born_val var = mean_of(&n, times(e, d, d));
    n.r = born__emit_one(e, BORN_OP_RSQRT, two(e, BORN_OP_ADD, var, born__emit_const(e, x, epsilon)));
    n.t = times(e, d, n.r);
    return n;
}

static born_val project(const normal *n, born_val v)
{
    born_val p = n->rms ? v : minus(n->e, v, mean_of(n, v));
    return minus(n->e, p, times(n->e, n->t, mean_of(n, times(n->e, v, n->t))));
}

/* ---- the derivative of the rows ---- */

/* What arrives for the three results and what leaves for the three operands of such a row: dx, dscale, dbias from g, x,
   scale. Everything has x's dims or broadcasts to them. */
typedef struct again {
    born_val g, x, scale;           /* scale 0: ones */
    born_val to_dx, to_scale, to_bias;      /* 0: none arrived */
    born_val for_g, for_x, for_scale;       /* for_scale has x's dims: to be summed */
} again;

/* L = <to_dx, r P(h)> + <to_scale, g t> + <to_bias, g> with h = g * scale, differentiated by g, x and scale. */
static void second(const normal *n, again *a)
{
    born_emit *e = n->e;
    born_val via_t = 0, via_r = 0;
    if (a->to_dx) {
        born_val h = a->scale ? times(e, a->g, a->scale) : a->g, p = project(n, a->to_dx), rp = times(e, n->r, p);
        a->for_g = a->scale ? times(e, rp, a->scale) : rp;
        if (a->scale) a->for_scale = times(e, a->g, rp);
        /* P holds t twice, in the product of m(to_dx t) and m(h t) */
        born_val one = times(e, mean_of(n, times(e, h, n->t)), a->to_dx);
        born_val other = times(e, mean_of(n, times(e, a->to_dx, n->t)), h);
        via_t = born__emit_one(e, BORN_OP_NEG, times(e, n->r, two(e, BORN_OP_ADD, one, other)));
        /* dr/dx = -r^2 t / count */
        via_r = times(e, times(e, times(e, n->r, n->r), n->t), mean_of(n, times(e, h, p)));
    }
    if (a->to_scale) {
        a->for_g = born__emit_plus(e, a->for_g, times(e, a->to_scale, n->t));
        via_t = born__emit_plus(e, via_t, times(e, a->to_scale, a->g));
    }
    if (a->to_bias) a->for_g = born__emit_plus(e, a->for_g, a->to_bias);
    if (via_t) a->for_x = times(e, n->r, project(n, via_t));
    if (via_r) a->for_x = a->for_x ? minus(e, a->for_x, via_r) : born__emit_one(e, BORN_OP_NEG, via_r);
}

/* Hands over what was asked for; gradients that only broadcast (that of a bias) become x's dims. */
static void deliver(born_emit *e, const born_grad *g, const again *a)
{
    if (born__grad_wants(g, 0) && a->for_g) {
        born_val v = born__emit_as(e, a->for_g, g->in[0]);
        born_view x;
        if (born__emit_sizes(e, g->in[1], &x)) g->gin[0] = born__emit_expand(e, v, x.dim, x.rank);
    }
    if (born__grad_wants(g, 1) && a->for_x) g->gin[1] = born__emit_as(e, a->for_x, g->in[1]);
}

/* ---- batch_norm ---- */

static uint32_t batch_axes(int rank) { return rank > 1 ? ((1u << rank) - 1) & ~2u : 1u; }

/* v [C] as a factor of x, in x's dtype. */
static born_val per_channel(born_emit *e, born_val v, born_val x)
{
    int rank = e->meta(e, x)->rank;
    return v ? born__emit_along(e, born__emit_as(e, v, x), rank > 1 ? 1 : 0, rank) : 0;
}

/* Summed over all but the channels, as `like` [C]. */
static born_val channel_sums(born_emit *e, born_val v, born_val like)
{
    if (!v || e->err.status) return 0;
    int64_t channels = e->meta(e, like)->dim[0];
    v = born__emit_reduce(e, BORN_OP_REDUCE_SUM, v, batch_axes(e->meta(e, v)->rank));
    return born__emit_as(e, born__emit_reshape(e, v, &channels, 1), like);
}

/* y = (x - mean) * scale / sqrt(var + epsilon) + bias with a mean and variance that are given. */
static void batch_inference(born_emit *e, const born_grad *g, double epsilon)
{
    born_val x = g->in[0], out = g->gout[0], mean = per_channel(e, g->in[3], x);
    born_val var = per_channel(e, g->in[4], x), scale = per_channel(e, g->in[1], x);
    born_val r = born__emit_one(e, BORN_OP_RSQRT, two(e, BORN_OP_ADD, var, born__emit_const(e, x, epsilon)));
    born_val by = times(e, scale, r), off = 0;
    if (born__grad_wants(g, 1) || born__grad_wants(g, 4)) off = times(e, out, minus(e, x, mean));
    if (born__grad_wants(g, 0)) g->gin[0] = times(e, out, by);
    if (born__grad_wants(g, 1)) g->gin[1] = channel_sums(e, times(e, off, r), g->in[1]);
    if (born__grad_wants(g, 2)) g->gin[2] = channel_sums(e, out, g->in[2]);
    if (born__grad_wants(g, 3))
        g->gin[3] = channel_sums(e, born__emit_one(e, BORN_OP_NEG, times(e, out, by)), g->in[3]);
    if (born__grad_wants(g, 4)) {
        born_val cube = times(e, times(e, by, times(e, r, r)), born__emit_const(e, x, -0.5));
        g->gin[4] = channel_sums(e, times(e, off, cube), g->in[4]);
    }
}

void born__grad_batch_norm(born_emit *e, const born_grad *g)
{
    const born_batch_norm_attrs *a = BORN_ATTRS_OF(batch_norm, g);
    born_val out[3];
    for (int i = 1; i < g->out_count; i++)
        if (g->gout[i]) {
            born__emit_refuse(e, g->op->name, "no gradient through the running mean and variance");
            return;
        }
    if (!a->training_mode) {
        batch_inference(e, g, a->epsilon);
        return;
    }
    const born_val in[3] = { g->gout[0], g->in[0], g->in[1] };
    if (!call_all(e, BORN_OP_BATCH_NORM_GRAD, a, in, 3, out, 3)) return;
    for (int i = 0; i < 3; i++)
        if (born__grad_wants(g, i)) g->gin[i] = i == 2 ? born__emit_as(e, out[i], g->in[2]) : out[i];
}

void born__grad_batch_norm_grad(born_emit *e, const born_grad *g)
{
    born_val x = g->in[1];
    again a = { .g = g->in[0], .x = x, .scale = per_channel(e, g->in[2], x), .to_dx = g->gout[0] };
    if (g->out_count > 1) a.to_scale = per_channel(e, g->gout[1], x);
    if (g->out_count > 2) a.to_bias = per_channel(e, g->gout[2], x);
    normal n = normalise(e, x, batch_axes(e->meta(e, x)->rank), false, BORN_ATTRS_OF(batch_norm, g)->epsilon);
    second(&n, &a);
    deliver(e, g, &a);
    if (born__grad_wants(g, 2)) g->gin[2] = channel_sums(e, a.for_scale, g->in[2]);
}

/* ---- layer_norm, rms_norm ---- */

static int row_axis(born_emit *e, born_val x, int64_t axis)
{
    return (int)(axis < 0 ? axis + e->meta(e, x)->rank : axis);
}

static uint32_t row_axes(born_emit *e, born_val x, int axis)
{
    return ((1u << e->meta(e, x)->rank) - 1) & ~((1u << axis) - 1);
}

/* The gradients of a row norm whose scale differs from row to row: the norm's own with the scale multiplied in. */
static void row_norm_spread(born_emit *e, const born_grad *g, born_op_id op, born_val given, const int64_t *width,
                            int n, born_val out[3])
{
    bool rms = op == BORN_OP_RMS_NORM_GRAD;
    born_val x = g->in[0], scale = g->in[1];
    const born_val in[2] = { times(e, given, born__emit_as(e, scale, x)), x };
    if (!in[0] || !call_all(e, op, g->attrs, in, 2, out, 1) || !born__grad_wants(g, 1)) return;
    const born_val plain[2] = { x, born__emit_expand(e, born__emit_const(e, rms ? scale : x, 1), width, n) };
    if (!plain[1]) return;
    out[1] = born__emit_sum_to(e, times(e, g->gout[0], born__emit1(e, g->op->id, g->attrs, plain, 2)), scale);
}

/* The usual case: one scale for all rows, broadcast to their width if need be. */
static void row_norm_shared(born_emit *e, const born_grad *g, born_op_id op, born_val given, const int64_t *width,
                            int n, born_val out[3])
{
    born_val scale = g->in[1];
    const born_view *s = e->meta(e, scale);
    bool same = s->rank == n;
    for (int d = 0; same && d < n; d++) same = s->dim[d] == width[d];
    const born_val in[3] = { given, g->in[0], same ? scale : born__emit_expand(e, scale, width, n) };
    if (!in[2] || !call_all(e, op, g->attrs, in, 3, out, 3)) return;
    out[1] = born__emit_as(e, born__emit_sum_to(e, out[1], scale), scale);
}

/* A row's gradients with respect to x, scale and bias into gin[0..2]; operand 2 is the bias, if any. */
static void row_norm(born_emit *e, const born_grad *g, bool rms, int64_t axis_attr)
{
    born_op_id op = rms ? BORN_OP_RMS_NORM_GRAD : BORN_OP_LAYER_NORM_GRAD;
    born_val bias = operand(g, 2), out[3] = { 0 }, given = g->gout[0];
    born_view m, s;
    if (!given || !born__emit_sizes(e, g->in[0], &m) || !born__emit_sizes(e, g->in[1], &s)) return;
    int axis = row_axis(e, g->in[0], axis_attr), width = m.rank - axis;
    if (rms) given = born__emit_as(e, given, g->in[0]);     /* the result has the scale's dtype */
    bool shared = s.rank <= width;
    if (shared) row_norm_shared(e, g, op, given, m.dim + axis, width, out);
    else row_norm_spread(e, g, op, given, m.dim + axis, width, out);
    if (bias && !e->err.status)
        out[2] = born__emit_sum_to(e, shared && e->meta(e, bias)->rank <= width ? out[2] : g->gout[0], bias);
    for (int i = 0; i < 3; i++)
        if (born__grad_wants(g, i)) g->gin[i] = out[i];
}

void born__grad_layer_norm(born_emit *e, const born_grad *g)
{
    for (int i = 1; i < g->out_count; i++)
        if (g->gout[i]) {
            born__emit_refuse(e, g->op->name, "no gradient through the mean and the inverse deviation");
            return;
        }
    row_norm(e, g, false, BORN_ATTRS_OF(layer_norm, g)->axis);
}

void born__grad_rms_norm(born_emit *e, const born_grad *g)
{
    row_norm(e, g, true, BORN_ATTRS_OF(rms_norm, g)->axis);
}

static void row_norm_again(born_emit *e, const born_grad *g, bool rms, int64_t axis_attr, double epsilon)
{
    born_val x = g->in[1], scale = operand(g, 2);
    int axis = row_axis(e, x, axis_attr);
    again a = { .g = g->in[0], .x = x, .scale = scale ? born__emit_as(e, scale, x) : 0, .to_dx = g->gout[0] };
    if (g->out_count > 1 && g->gout[1]) a.to_scale = born__emit_as(e, g->gout[1], x);
    if (g->out_count > 2 && g->gout[2]) a.to_bias = born__emit_as(e, g->gout[2], x);
    normal n = normalise(e, x, row_axes(e, x, axis), rms, epsilon);
    second(&n, &a);
    deliver(e, g, &a);
    if (scale && born__grad_wants(g, 2) && a.for_scale)
        g->gin[2] = born__emit_as(e, born__emit_sum_to(e, a.for_scale, scale), scale);
}

void born__grad_layer_norm_grad(born_emit *e, const born_grad *g)
{
    const born_layer_norm_attrs *a = BORN_ATTRS_OF(layer_norm, g);
    row_norm_again(e, g, false, a->axis, a->epsilon);
}

void born__grad_rms_norm_grad(born_emit *e, const born_grad *g)
{
    const born_rms_norm_attrs *a = BORN_ATTRS_OF(rms_norm, g);
    row_norm_again(e, g, true, a->axis, a->epsilon);
}

/* ---- instance_norm, group_norm: rows of a reshaped x ---- */

/* x [N, C, ...] seen as [N, groups, K, L], one mean for each of the N * groups rows. */
typedef struct planes { int64_t wide[4], flat[2]; } planes;

/* Scale or bias, one per channel or per group, as a factor of the wide x; false: per group. */
static bool by_channel(const planes *p, int64_t count, int64_t along[4])
{
    bool channel = count == p->wide[1] * p->wide[2];
    along[0] = along[3] = 1;
    along[1] = p->wide[1];
    along[2] = channel ? p->wide[2] : 1;
    return channel;
}

/* The wide x normalised: the norm itself with a scale of ones. */
static born_val normalised(born_emit *e, const planes *p, const born_layer_norm_attrs *a, born_val rows)
{
    const born_val in[2] = { rows, born__emit_expand(e, born__emit_const(e, rows, 1), p->flat + 1, 1) };
    return in[1] ? born__emit_reshape(e, born__emit1(e, BORN_OP_LAYER_NORM, a, in, 2), p->wide, 4) : 0;
}

static void plane_norm(born_emit *e, const born_grad *g, int64_t groups, double epsilon)
{
    const born_layer_norm_attrs a = { .axis = 1, .epsilon = epsilon, .stash_type = 1 };
    born_view x;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    int64_t count = born__view_count(&x), along[4];
    if (count == 0) {
        for (int i = 0; i < 3; i++)
            if (born__grad_wants(g, i)) g->gin[i] = born__emit_filled_like(e, g->in[i], 0);
        return;
    }
    const planes p = { { x.dim[0], groups, x.dim[1] / groups, count / x.dim[0] / x.dim[1] },
                       { x.dim[0] * groups, count / x.dim[0] / groups } };
    born_val out = born__emit_reshape(e, g->gout[0], p.wide, 4), rows = born__emit_reshape(e, g->in[0], p.flat, 2);
    if (born__grad_wants(g, 0)) {
        (void)by_channel(&p, e->meta(e, g->in[1])->dim[0], along);
        born_val scaled = times(e, out, born__emit_reshape(e, g->in[1], along, 4));
        const born_val in[2] = { born__emit_reshape(e, scaled, p.flat, 2), rows };
        if (in[0] && rows)
            g->gin[0] = born__emit_reshape(e, born__emit1(e, BORN_OP_LAYER_NORM_GRAD, &a, in, 2), x.dim, x.rank);
    }
    for (int i = 1; i < 3; i++) {
        if (!born__grad_wants(g, i)) continue;
        int64_t n = e->meta(e, g->in[i])->dim[0];
        born_val v = i == 2 ? out : times(e, out, normalised(e, &p, &a, rows));
        uint32_t axes = 1u << 0 | 1u << 3 | (by_channel(&p, n, along) ? 0 : 1u << 2);
        g->gin[i] = born__emit_reshape(e, born__emit_reduce(e, BORN_OP_REDUCE_SUM, v, axes), &n, 1);
    }
}

void born__grad_instance_norm(born_emit *e, const born_grad *g)
{
    plane_norm(e, g, e->meta(e, g->in[0])->dim[1], BORN_ATTRS_OF(instance_norm, g)->epsilon);
}

void born__grad_group_norm(born_emit *e, const born_grad *g)
{
    const born_group_norm_attrs *a = BORN_ATTRS_OF(group_norm, g);
    plane_norm(e, g, a->num_groups, a->epsilon);
}

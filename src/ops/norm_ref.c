/* Reference kernels of the norms that work on rows: layer_norm, rms_norm, instance_norm, group_norm. A row is what one
   mean is taken of; its elements are summed in row-major order of the logical axes, whatever the strides are. Sums
   follow reduce.h, the variance takes a second pass, and every step is rounded as written:
   y = (x - mean) * (1 / sqrt(var + epsilon)) * scale + bias, or y = x / sqrt(mean(x * x) + epsilon) * scale. */
#include <math.h>

#include "ops/norm_job.h"

#define BORN_EACH "ops/norm_rows.inc"
#include "ops/each_float.inc"
#define BORN_EACH "ops/norm_body.inc"
#include "ops/each_float.inc"

/* The operands of a norm, all with the dims of x. */
typedef struct norm_views { born_view x, y, scale, bias; } norm_views;

static void add_operands(born_nd *w, const norm_views *v, const norm_job *j, int first, bool addresses)
{
    const born_view *all[4] = { &v->x, &v->y, &v->scale, &v->bias };
    for (int k = 0; k < (j->bias ? 4 : 3); k++)
        born__nd_add_raw(w, addresses ? all[k]->data : NULL, all[k]->stride + first, born__elem_size(all[k]));
    born__nd_merge(w);
}

/* Rows are the axes from `axis` on. */
static born_status norm_run(const born_call *c, const born_exec *x, norm_job *j, const norm_views *v, int axis)
{
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(v->x.dtype, norm_rows);
    if (!rows) return born__no_body(c, x);
    born__nd_start(&j->rows, v->x.dim, axis);
    born__nd_start(&j->row, v->x.dim + axis, v->x.rank - axis);
    int64_t count = j->rows.total;
    if (count == 0 || (j->row.total == 0 && !j->mean && !j->inverse)) return BORN_OK;
    add_operands(&j->rows, v, j, 0, true);
    add_operands(&j->row, v, j, axis, false);
    born__exec_for(x, count, 1 + 16384 / (j->row.total + 1), rows, j);
    return BORN_OK;
}

static const born_view *kept(const born_call *c, int i)
{
    bool wanted = i < c->out_count && c->out[i].dtype != BORN_DTYPE_NONE && c->out[i].data;
    return wanted ? &c->out[i] : NULL;
}

static int row_axis(int64_t axis, int rank) { return (int)(axis < 0 ? axis + rank : axis); }

born_status born__ref_layer_norm(born_call *c, const born_exec *x)
{
    const born_layer_norm_attrs *a = BORN_ATTRS_OF(layer_norm, c);
    norm_job j = { .bias = born__has(c, 2), .epsilon = a->epsilon, .mean = kept(c, 1), .inverse = kept(c, 2) };
    norm_views v = { c->in[0], c->out[0], born__view_expand(&c->in[1], &c->in[0]), { 0 } };
    if (j.bias) v.bias = born__view_expand(&c->in[2], &c->in[0]);
    return norm_run(c, x, &j, &v, row_axis(a->axis, v.x.rank));
}

born_status born__ref_rms_norm(born_call *c, const born_exec *x)
{
    const born_rms_norm_attrs *a = BORN_ATTRS_OF(rms_norm, c);
    norm_job j = { .rms = true, .epsilon = a->epsilon };
    norm_views v = { c->in[0], c->out[0], born__view_expand(&c->in[1], &c->in[0]), { 0 } };
    return norm_run(c, x, &j, &v, row_axis(a->axis, v.x.rank));
}

/* v [C] as a view with x's dims, C along `axis`. */
static born_view along(const born_view *v, const born_view *x, int axis)
{
    born_view w = *x;
    w.buffer = v->buffer;
    w.data = v->data;
    w.dtype = v->dtype;
    for (int d = 0; d < w.rank; d++) w.stride[d] = d == axis ? v->stride[0] : 0;
    return w;
}

born_status born__ref_instance_norm(born_call *c, const born_exec *x)
{
    norm_job j = { .bias = true, .epsilon = BORN_ATTRS_OF(instance_norm, c)->epsilon };
    norm_views v = { c->in[0], c->out[0], along(&c->in[1], &c->in[0], 1), along(&c->in[2], &c->in[0], 1) };
    return norm_run(c, x, &j, &v, 2);
}

/* [N, C, ...] as [N, groups, C / groups, ...]. */
static born_view split_channels(const born_view *v, int64_t groups)
{
    born_view w = *v;
    for (int d = v->rank; d > 2; d--) {
        w.dim[d] = v->dim[d - 1];
        w.stride[d] = v->stride[d - 1];
    }
    w.rank = v->rank + 1;
    w.dim[1] = groups;
    w.dim[2] = v->dim[1] / groups;
    w.stride[2] = v->stride[1];
    w.stride[1] = v->stride[1] * w.dim[2];
    return w;
}

born_status born__ref_group_norm(born_call *c, const born_exec *x)
{
    const born_group_norm_attrs *a = BORN_ATTRS_OF(group_norm, c);
    norm_job j = { .bias = true, .epsilon = a->epsilon };
    norm_views v = { .x = split_channels(&c->in[0], a->num_groups), .y = split_channels(&c->out[0], a->num_groups) };
    born_view *to[2] = { &v.scale, &v.bias };
    for (int i = 0; i < 2; i++) {
        bool per_channel = c->in[1 + i].dim[0] == c->in[0].dim[1];
        born_view channels = along(&c->in[1 + i], &c->in[0], 1);
        *to[i] = per_channel ? split_channels(&channels, a->num_groups) : along(&c->in[1 + i], &v.x, 1);
    }
    return norm_run(c, x, &j, &v, 2);
}

/* Loop (ONNX 1..) and Scan (ONNX 9..). Carried values live in two heap buffers that change roles after each
   iteration, so that a body may hand inputs straight on. Stacked results grow in a heap buffer under max_bytes. */
#include <string.h>

#include <born/attrs.h>

#include "base/checked.h"
#include "base/error.h"
#include "graph/control.h"
#include "ops/copy_view.h"
#include "tensor/view.h"

/* A loop without trip count whose condition never ends it would run for ever: it runs under this cap. */
static const int64_t MAX_TRIPS = INT64_C(1) << 24;

static born_status read_scalar(const born_view *v, born_dtype t, int64_t absent, int64_t *out, const char *what,
                               born_error *err)
{
    *out = absent;
    if (v->dtype == BORN_DTYPE_NONE) return BORN_OK;
    BORN_FAIL_IF(v->dtype != t || born__view_count(v) != 1 || !v->data, err, BORN_DTYPE, "its %s is not one %s", what,
                 born_dtype_name(t));
    *out = born__load_i64(t, v->data);
    return BORN_OK;
}

static born_view scalar_view(born_dtype t, const void *p)
{
    return (born_view){ .dtype = t, .data = (char *)(uintptr_t)p };
}

/* Appends w (one iteration's result) to the stack of result i, along a new first axis. */
static born_status append(born_control *c, int i, const born_view *w, int64_t count, born_error *err)
{
    born_view *all = &c->now[i];
    int64_t bytes = born__view_bytes(w);
    size_t have, need;

    BORN_FAIL_IF(bytes < 0 || w->rank >= BORN_MAX_RANK, err, BORN_UNSUPPORTED, "a stacked result is too large");
    if (count == 0) {
        *all = (born_view){ .dtype = w->dtype, .rank = w->rank + 1 };
        for (int d = 0; d < w->rank; d++) all->dim[d + 1] = w->dim[d];
    }
    bool same = all->dtype == w->dtype && all->rank == w->rank + 1;
    for (int d = 0; same && d < w->rank; d++) same = all->dim[d + 1] == w->dim[d];
    BORN_FAIL_IF(!same, err, BORN_SHAPE, "stacked result %d changes its sizes between iterations", i);
    BORN_FAIL_IF(!born__mul_size((size_t)bytes, (size_t)count, &have) || !born__add_size(have, (size_t)bytes, &need),
                 err, BORN_NOMEM, "a stacked result is too large");
    BORN_TRY(born__heap_fit(c, &c->heap[0][i], need ? need : 1, have, err));
    born_view to = *w;
    born__view_row_major(&to);
    to.data = c->heap[0][i].p + have;
    born__copy_view(&to, w, NULL);
    all->dim[0] = count + 1;
    born__view_row_major(all);
    all->data = c->heap[0][i].p;
    return BORN_OK;
}

/* A stack nothing was appended to: sizes the body declares, 0 where it does not. */
static void empty_stack(born_control *c, int i, const born_value *declared)
{
    born_view *all = &c->now[i];

    *all = (born_view){ .dtype = declared->dtype ? declared->dtype : BORN_F32,
                        .rank = declared->rank >= 0 && declared->rank < BORN_MAX_RANK ? declared->rank + 1 : 1 };
    for (int d = 1; d < all->rank; d++) all->dim[d] = declared->dim[d - 1] < 0 ? 0 : declared->dim[d - 1];
    born__view_row_major(all);
    all->data = (char *)&c->counter; /* of no element */
}

static born_status loop_step(born_control *c, int carried, int captures, int64_t trip, int *flip, born_error *err)
{
    const born_gnode *n = &c->frame->graph->node[c->node];
    born_gframe *body = c->body[0];
    int64_t go;

    c->counter = trip;
    c->in[0] = scalar_view(BORN_I64, &c->counter);
    c->in[1] = scalar_view(BORN_BOOL, &c->condition);
    for (int i = 0; i < carried; i++) c->in[2 + i] = c->now[i];
    for (int i = 0; i < captures; i++) c->in[2 + carried + i] = born__control_input(c, 2 + carried + i);
    BORN_TRY(born__session_step(c->frame->session, err));
    BORN_TRY(born__frame_run(body, c->in, false, err));
    born_view w = born__frame_view(body, body->graph->output[0]);
    BORN_TRY(read_scalar(&w, BORN_BOOL, 1, &go, "body's condition", err));
    *flip = !*flip;
    for (int i = 0; i < carried; i++) {
        w = born__frame_view(body, body->graph->output[1 + i]);
        BORN_TRY(born__heap_copy(c, &c->heap[*flip][i], &w, &c->now[i], err));
    }
    for (int i = carried; i < n->out_count; i++) {
        w = born__frame_view(body, body->graph->output[1 + i]);
        BORN_TRY(append(c, i, &w, trip, err));
    }
    c->condition = go != 0;
    return BORN_OK;
}

born_status born__run_loop(born_control *c, born_error *err)
{
    const born_gnode *n = &c->frame->graph->node[c->node];
    const born_loop_attrs *a = n->attrs;
    born_gframe *body = c->body[0];
    int carried = (int)a->carried, captures = n->in_count - 2 - carried, flip = 0;
    int64_t trips, go, t = 0;
    born_view m = born__control_input(c, 0), cond = born__control_input(c, 1);

    BORN_FAIL_IF(carried < 0 || captures < 0 || carried > n->out_count ||
                     (int)body->graph->input_count != 2 + carried + captures ||
                     (int)body->graph->output_count < 1 + n->out_count,
                 err, BORN_FORMAT, "its body does not fit the node");
    BORN_TRY(read_scalar(&m, BORN_I64, INT64_MAX, &trips, "trip count", err));
    BORN_TRY(read_scalar(&cond, BORN_BOOL, 1, &go, "condition", err));
    c->condition = go != 0;
    for (int i = 0; i < carried; i++) {
        born_view w = born__control_input(c, 2 + i);
        BORN_FAIL_IF(w.dtype == BORN_DTYPE_NONE, err, BORN_FORMAT, "carried value %d is missing", i);
        BORN_TRY(born__heap_copy(c, &c->heap[0][i], &w, &c->now[i], err));
    }
    for (int i = carried; i < n->out_count; i++) empty_stack(c, i, &body->graph->value[body->graph->output[1 + i]]);
    for (; t < trips && c->condition; t++) {
        BORN_FAIL_IF(t >= MAX_TRIPS, err, BORN_RANGE, "ran %lld iterations without an end", (long long)t);
        BORN_TRY(loop_step(c, carried, captures, t, &flip, err));
    }
    for (int i = 0; i < n->out_count; i++) born__control_output(c, i, &c->now[i]);
    return BORN_OK;
}

/* One slice of a scan input at step t. */
static born_view scan_slice(const born_view *v, int axis, int64_t t, bool backwards)
{
    born_view s = *v;
    int64_t at = backwards ? v->dim[axis] - 1 - t : t;

    s.data = v->data + at * v->stride[axis] * born__dtype_info(v->dtype)->size;
    for (int d = axis; d + 1 < v->rank; d++) {
        s.dim[d] = v->dim[d + 1];
        s.stride[d] = v->stride[d + 1];
    }
    s.rank--;
    return s;
}

static int64_t list_at(const born_ints *l, int64_t i)
{
    return i < l->count ? l->v[i] : 0;
}

/* Puts the result of step t in its place of the stack, which is made at the first step. */
static born_status scan_put(born_control *c, int i, const born_view *w, int64_t t, int64_t steps, int64_t axis,
                            bool backwards, born_error *err)
{
    born_view *all = &c->now[i];

    BORN_FAIL_IF(w->rank >= BORN_MAX_RANK, err, BORN_UNSUPPORTED, "a stacked result has too many axes");
    if (axis < 0) axis += w->rank + 1;
    BORN_FAIL_IF(axis < 0 || axis > w->rank, err, BORN_RANGE, "scan_output_axes: no axis %lld", (long long)axis);
    if (t == 0) {
        *all = (born_view){ .dtype = w->dtype, .rank = w->rank + 1 };
        for (int d = 0; d < all->rank; d++) all->dim[d] = d == axis ? steps : w->dim[d > axis ? d - 1 : d];
        int64_t bytes = born__view_bytes(all);
        BORN_FAIL_IF(bytes < 0, err, BORN_NOMEM, "a stacked result is too large");
        BORN_TRY(born__heap_fit(c, &c->heap[0][i], (size_t)bytes + 1, 0, err));
        born__view_row_major(all);
        all->data = c->heap[0][i].p;
    }
    born_view to = scan_slice(all, (int)axis, t, backwards);
    bool same = to.dtype == w->dtype && to.rank == w->rank;
    for (int d = 0; same && d < w->rank; d++) same = to.dim[d] == w->dim[d];
    BORN_FAIL_IF(!same, err, BORN_SHAPE, "stacked result %d changes its sizes between steps", i);
    born__copy_view(&to, w, NULL);
    return BORN_OK;
}

static born_status scan_steps(born_control *c, int states, int scans, int64_t *steps, born_error *err)
{
    const born_scan_attrs *a = c->frame->graph->node[c->node].attrs;

    *steps = -1;
    for (int i = 0; i < scans; i++) {
        born_view v = born__control_input(c, states + i);
        int64_t axis = list_at(&a->scan_input_axes, i);
        if (axis < 0) axis += v.rank;
        BORN_FAIL_IF(v.dtype == BORN_DTYPE_NONE || axis < 0 || axis >= v.rank, err, BORN_RANGE,
                     "scan_input_axes: no axis %lld", (long long)axis);
        BORN_FAIL_IF(*steps >= 0 && v.dim[axis] != *steps, err, BORN_SHAPE, "scan inputs have %lld and %lld steps",
                     (long long)*steps, (long long)v.dim[axis]);
        *steps = v.dim[axis];
    }
    return BORN_OK;
}

born_status born__run_scan(born_control *c, born_error *err)
{
    const born_gnode *n = &c->frame->graph->node[c->node];
    const born_scan_attrs *a = n->attrs;
    born_gframe *body = c->body[0];
    int64_t inputs = (int64_t)body->graph->input_count, outputs = (int64_t)body->graph->output_count, steps;
    int64_t scans64 = a->num_scan_inputs, states64 = a->carried;

    /* the body's inputs are states, scan slices, captures: as many as the node has */
    BORN_FAIL_IF(inputs != n->in_count || states64 < 0 || scans64 < 1 || states64 > inputs - scans64 ||
                     states64 > n->out_count || outputs < n->out_count,
                 err, BORN_FORMAT, "its body does not fit the node");
    int scans = (int)scans64, states = (int)states64, captures = (int)(inputs - scans64 - states64), flip = 0;
    BORN_TRY(scan_steps(c, states, scans, &steps, err));
    for (int i = 0; i < states; i++) {
        born_view w = born__control_input(c, i);
        BORN_TRY(born__heap_copy(c, &c->heap[0][i], &w, &c->now[i], err));
    }
    for (int i = states; i < n->out_count; i++) empty_stack(c, i, &body->graph->value[body->graph->output[i]]);
    for (int64_t t = 0; t < steps; t++) {
        for (int i = 0; i < states; i++) c->in[i] = c->now[i];
        for (int i = 0; i < scans; i++) {
            born_view v = born__control_input(c, states + i);
            int64_t axis = list_at(&a->scan_input_axes, i);
            c->in[states + i] = scan_slice(&v, (int)(axis < 0 ? axis + v.rank : axis), t,
                                           list_at(&a->scan_input_directions, i) == 1);
        }
        for (int i = 0; i < captures; i++) c->in[states + scans + i] = born__control_input(c, states + scans + i);
        BORN_TRY(born__session_step(c->frame->session, err));
        BORN_TRY(born__frame_run(body, c->in, false, err));
        flip = !flip;
        for (int i = 0; i < states; i++) {
            born_view w = born__frame_view(body, body->graph->output[i]);
            BORN_TRY(born__heap_copy(c, &c->heap[flip][i], &w, &c->now[i], err));
        }
        for (int i = states; i < n->out_count; i++) {
            born_view w = born__frame_view(body, body->graph->output[i]);
            BORN_TRY(scan_put(c, i, &w, t, steps, list_at(&a->scan_output_axes, i - states),
                              list_at(&a->scan_output_directions, i - states) == 1, err));
        }
    }
    for (int i = 0; i < n->out_count; i++) born__control_output(c, i, &c->now[i]);
    return BORN_OK;
}

/* State of a session: see state.h. Called by session.c around a run, by binding.c and frame.c within. */
#include "graph/state.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "graph/patterns.h"
#include "ops/copy_view.h"
#include "tensor/view.h"

born_tie *born__state_of_input(born_session *s, int in)
{
    for (int i = 0; i < s->tie_count; i++)
        if (s->tie[i].in == in) return &s->tie[i];
    return NULL;
}

/* Finds the node that makes output value v by appending to input value u: then t says so. Only in the first segment:
   a buffer that turns out too small is made larger before anything has run. Elements that decide shapes must lie
   dense, so they are not appended to. */
static void find_append(const born_graph *g, born_tie *t)
{
    born_vid v = g->output[t->out], u = g->input[t->in];
    const born_structure *st = g->structure;
    int axis;

    t->node = -1;
    if (st->segment_of[v] != 0 || st->host_value[u] || st->host_value[v] || g->value[v].channels_last) return;
    for (int32_t k = st->segment[0].begin; k < st->segment[0].end; k++) {
        const born_gnode *n = &g->node[k];
        for (int i = 0; i < n->out_count && !st->host_node[k]; i++) {
            if (n->out[i] != v) continue;
            int from = born__pattern_append(n->op, n->attrs, i, &axis);
            if (from < 0 || from >= n->in_count || n->in[from] != u) return;
            t->node = k;
            t->result = i;
            t->said_axis = axis;
            return;
        }
    }
}

born_status born__state_tie(born_session *s, int out, int in, born_error *err)
{
    size_t cap = (size_t)s->tie_count;
    born_tie t = { .out = out, .in = in };

    BORN_FAIL_IF(!born__grow((void **)&s->tie, &cap, (size_t)s->tie_count + 1, sizeof *s->tie), err, BORN_NOMEM,
                 "session: out of memory");
    find_append(s->model->graph, &t);
    if (t.node >= 0) s->append_count++;
    s->tie[s->tie_count++] = t;
    born__frame_unbind(s->frame); /* its output now lies elsewhere */
    return BORN_OK;
}

void born__state_free(born_session *s)
{
    for (int i = 0; i < s->tie_count; i++) {
        born__free(s->tie[i].p[0]);
        born__free(s->tie[i].p[1]);
    }
    born__free(s->tie);
}

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

/* The axis along which the tie appends to state of this rank, -1: it has no such axis. */
static int axis_of(const born_tie *t, int rank)
{
    int axis = t->said_axis < 0 ? t->said_axis + rank : t->said_axis;

    return t->node < 0 || axis < 0 || axis >= rank ? -1 : axis;
}

/* Bytes of one position along the axis, -1 on overflow. */
static int64_t unit_bytes(const born_view *w, int axis)
{
    born_view one = *w;

    one.dim[axis] = 1;
    return born__view_bytes(&one);
}

/* Positions of w's kind that a buffer of so many bytes holds; where they take no bytes, as many as w has. */
static int64_t room_of(const born_view *w, int axis, size_t bytes)
{
    int64_t unit = unit_bytes(w, axis);

    return unit > 0 ? (int64_t)(bytes / (size_t)unit) : w->dim[axis];
}

/* w's strides in a buffer that has `room` positions along the axis. */
static void set_strides(born_view *w, int axis, int64_t room)
{
    int64_t dim = w->dim[axis];

    w->dim[axis] = room;
    born__view_row_major(w);
    w->dim[axis] = dim;
}

/* At least `bytes` in buffer `which`, or twice as much as it had where max_bytes allows. State that lives in it moves
   along, with the strides of its new room. */
static born_status fit(born_session *s, born_tie *t, int which, size_t bytes, born_error *err)
{
    if (bytes <= t->cap[which] && t->p[which]) return BORN_OK;
    size_t cap = bytes < 64 ? 64 : bytes, twice = t->cap[which] < SIZE_MAX / 2 ? t->cap[which] * 2 : SIZE_MAX;
    if (twice > cap && born__session_reserve(s, twice, NULL) == BORN_OK) cap = twice;
    BORN_TRY(born__session_reserve(s, cap, err)); /* the old buffer counts too, until it is free */
    char *p = born__alloc(cap);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "session: out of memory for %zu bytes of state", cap);
    if (which == t->now && t->view.dtype != BORN_DTYPE_NONE) {
        born_view to = t->view;
        int axis = axis_of(t, to.rank);
        if (axis >= 0) set_strides(&to, axis, room_of(&to, axis, cap));
        else born__view_row_major(&to);
        to.data = p;
        born__copy_view(&to, &t->view, NULL);
        t->view = to;
    }
    born__free(t->p[which]);
    s->state_bytes += cap - t->cap[which];
    t->p[which] = p;
    t->cap[which] = cap;
    return BORN_OK;
}

/* ---- before the run ---------------------------------------------------------------------------------------------- */

void born__state_begin(born_session *s)
{
    for (int i = 0; i < s->tie_count; i++) s->tie[i].need = 0;
}

/* The size that an input taken before gives to a symbol, 0 where none does. */
static int64_t symbol_size(const born_session *s, const char *name)
{
    const born_graph *g = s->model->graph;

    for (size_t i = 0; name && i < g->input_count; i++) {
        const born_value *v = &g->value[g->input[i]];
        for (int d = 0; s->input_view[i].dtype && d < v->rank && d < s->input_view[i].rank; d++)
            if (v->symbol[d] && !strcmp(v->symbol[d], name)) return s->input_view[i].dim[d];
    }
    return 0;
}

/* State that nothing set yet has the sizes the model says; open ones are what other inputs of this run say, or 0, so
   that growing state begins empty. */
static born_status initial_sizes(const born_session *s, const born_tie *t, born_view *w, born_error *err)
{
    const born_value *v = &s->model->graph->value[s->model->graph->input[t->in]];

    *w = (born_view){ .dtype = v->dtype, .rank = v->rank };
    BORN_FAIL_IF(v->rank < 0 || v->dtype == BORN_DTYPE_NONE, err, BORN_STATE,
                 "input '%s': its first state must be given: the model does not say its sizes", v->name);
    for (int d = 0; d < v->rank; d++) w->dim[d] = v->dim[d] < 0 ? symbol_size(s, v->symbol[d]) : v->dim[d];
    born__view_row_major(w);
    BORN_FAIL_IF(born__view_bytes(w) < 0, err, BORN_FORMAT, "input '%s': its sizes overflow", v->name);
    return BORN_OK;
}

static bool lies_in(const born_tie *t, int which, const char *p)
{
    return t->p[which] && (uintptr_t)p >= (uintptr_t)t->p[which] &&
           (uintptr_t)p - (uintptr_t)t->p[which] < t->cap[which];
}

/* State that is appended to must lie in a buffer with room: the live one, or that of a state to be made from `from`
   (data NULL: zeros), which leaves the live one alone. */
static born_status append_input(born_session *s, born_tie *t, const born_view *from, bool live, bool plan,
                                born_view *out, born_error *err)
{
    int64_t dim = from->dim[t->axis], positions = t->need > dim ? t->need : dim, unit = unit_bytes(from, t->axis);
    size_t bytes = 0;
    bool keeps = !live && !plan && (t->view.dtype != BORN_DTYPE_NONE || lies_in(t, t->now, from->data));

    BORN_FAIL_IF(unit < 0 || !born__mul_size((size_t)unit, (size_t)positions, &bytes) || bytes > PTRDIFF_MAX, err,
                 BORN_NOMEM, "session: the state is too large");
    t->target = keeps ? !t->now : t->now;
    BORN_TRY(fit(s, t, t->target, bytes, err));
    t->room = room_of(from, t->axis, t->cap[t->target]);
    if (t->room < positions) t->room = positions; /* they take no bytes */
    *out = live ? t->view : *from;
    if (live) return BORN_OK;
    set_strides(out, t->axis, t->room);
    out->data = t->p[t->target];
    if (plan) return BORN_OK;
    if (from->data) born__copy_view(out, from, NULL);
    else if (dim > 0) memset(out->data, 0, t->cap[t->target]);
    return BORN_OK;
}

born_status born__state_input(born_session *s, born_tie *t, const born_view *given, bool plan, born_view *out,
                              born_error *err)
{
    bool live = !given && t->view.dtype != BORN_DTYPE_NONE;
    born_view from;

    if (given) from = *given;
    else if (live) from = t->view;
    else BORN_TRY(initial_sizes(s, t, &from, err));
    t->axis = axis_of(t, from.rank);
    t->appends = t->axis >= 0;
    t->target = !t->now;
    if (t->appends) return append_input(s, t, &from, live, plan, out, err);
    if (!given && !live) {
        size_t bytes = (size_t)born__view_bytes(&from);
        BORN_TRY(fit(s, t, t->now, bytes, err));
        memset(t->p[t->now], 0, bytes);
        from.data = t->p[t->now];
    }
    *out = from;
    return BORN_OK;
}

/* ---- while shapes are bound -------------------------------------------------------------------------------------- */

int born__state_appended(const born_gframe *f, int32_t k, int32_t node, int i)
{
    const born_session *s = f->session;

    if (f != s->frame || k != 0) return -1;
    for (int t = 0; t < s->tie_count; t++)
        if (s->tie[t].appends && s->tie[t].node == node && s->tie[t].result == i) return t;
    return -1;
}

bool born__state_stride(const born_gframe *f, int32_t k, int32_t node, born_view *out)
{
    const born_session *s = f->session;
    bool any = false;

    for (int i = 0; s->append_count && i < f->graph->node[node].out_count; i++) {
        int at = born__state_appended(f, k, node, i);
        if (at < 0) continue;
        const born_tie *t = &s->tie[at];
        int64_t positions = out[i].dim[t->axis];
        set_strides(&out[i], t->axis, positions > t->room ? positions : t->room);
        any = true;
    }
    return any;
}

void born__state_refuse(born_gframe *f, int32_t node)
{
    born_session *s = f->session;

    for (int i = 0; i < s->tie_count; i++)
        if (s->tie[i].node == node) {
            s->tie[i].node = -1;
            s->append_count--;
        }
    s->prepare_again = true;
}

void born__state_take_roots(born_gframe *f, born_binding *b, int32_t k)
{
    born_session *s = f->session;

    for (int i = 0; f == s->frame && i < s->tie_count; i++) {
        const born_slot *v = &b->slot[f->graph->output[s->tie[i].out]];
        born_slot *r = &b->slot[v->root];
        if (s->tie[i].appends || r->where != BORN_AT_BLOCK || r->index != k || (v != r && v->offset) ||
            !born__view_contiguous(&v->view) || born__view_bytes(&v->view) != (int64_t)r->bytes)
            continue;
        r->where = BORN_AT_STATE;
        r->index = i;
    }
}

/* Does the state of tie i come to lie in its buffer by segment k? Then the bytes it takes there. */
static bool placed(const born_gframe *f, const born_binding *b, int i, int32_t k, size_t *bytes)
{
    const born_tie *t = &f->session->tie[i];
    born_vid root = b->slot[f->graph->output[t->out]].root;
    const born_slot *r = &b->slot[root];

    if (t->appends || f->graph->structure->segment_of[root] != k || r->where != BORN_AT_STATE || r->index != i)
        return false;
    *bytes = r->bytes;
    return true;
}

size_t born__state_missing(const born_gframe *f, const born_binding *b, int32_t k)
{
    size_t sum = 0, bytes;

    for (int i = 0; f == f->session->frame && i < f->session->tie_count; i++) {
        const born_tie *t = &f->session->tie[i];
        if (placed(f, b, i, k, &bytes) && bytes > t->cap[t->target] && !born__add_size(sum, bytes, &sum))
            return SIZE_MAX;
    }
    return sum;
}

born_status born__state_fit(born_gframe *f, int32_t k, bool plan, born_error *err)
{
    born_session *s = f->session;
    size_t bytes;

    for (int i = 0; f == s->frame && i < s->tie_count; i++) {
        born_tie *t = &s->tie[i];
        if (t->appends && k == 0) { /* all ties say what they need before the run is prepared again */
            int64_t positions = f->now->slot[f->graph->output[t->out]].view.dim[t->axis];
            if (positions <= t->room) continue;
            t->need = positions;
            s->prepare_again = true;
        } else if (placed(f, f->now, i, k, &bytes)) {
            BORN_TRY(fit(s, t, t->target, bytes, err));
            if (plan) BORN_TRY(fit(s, t, !t->target, bytes, err));
        }
    }
    BORN_FAIL_IF(s->prepare_again, err, BORN_STATE, "session: its state must be prepared again");
    return BORN_OK;
}

/* ---- after the run ----------------------------------------------------------------------------------------------- */

born_status born__state_keep(born_session *s, born_error *err)
{
    const born_gframe *f = s->frame;

    for (int i = 0; i < s->tie_count; i++) {
        born_tie *t = &s->tie[i];
        born_view w = born__frame_view(f, f->graph->output[t->out]);
        int64_t bytes = born__view_bytes(&w);
        BORN_FAIL_IF(bytes < 0, err, BORN_NOMEM, "session: the state is too large");
        if (!t->appends && !lies_in(t, t->target, w.data)) BORN_TRY(fit(s, t, t->target, (size_t)bytes, err));
    }
    for (int i = 0; i < s->tie_count; i++) {
        born_tie *t = &s->tie[i];
        born_view w = born__frame_view(f, f->graph->output[t->out]);
        if (!lies_in(t, t->target, w.data)) {
            born_view to = w;
            born__view_row_major(&to);
            to.data = t->p[t->target];
            born__copy_view(&to, &w, NULL);
            w = to;
        }
        t->view = w;
        t->now = t->target;
    }
    return BORN_OK;
}

void born__state_back(born_session *s)
{
    for (int i = 0; i < s->tie_count; i++) {
        born_tie *t = &s->tie[i];
        t->now = !t->now;
        t->view.data = t->p[t->now];
    }
}

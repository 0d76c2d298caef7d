/* See parts.h. */
#include "graph/parts.h"

#include <string.h>

#include "base/checked.h"
#include "graph/patterns.h"
#include "tensor/view.h"

static bool is(const born_gnode *n, born_pattern_kind kind) { return born__pattern(kind, n->op->id) != NULL; }

/* plain[v]: read by STRIDED nodes alone; readers[v]: by how many operands. */
static void count_readers(const born_graph *g, const born_structure *s, uint8_t *plain, int32_t *readers)
{
    for (size_t v = 0; v < g->value_count; v++) {
        plain[v] = !s->host_value[v] && !g->value[v].channels_last && s->last_use[v] < (int32_t)g->node_count;
        readers[v] = s->last_use[v] == (int32_t)g->node_count;
    }
    for (size_t k = 0; k < g->node_count; k++) {
        const born_gnode *n = &g->node[k];
        bool strided = is(n, BORN_PATTERN_STRIDED) && !s->host_node[k];
        for (int i = 0; i < n->in_count; i++) {
            if (n->in[i] < 0) continue;
            plain[n->in[i]] &= strided;
            readers[n->in[i]]++;
        }
    }
}

/* The node whose results, all of them, are what node k joins; -1: none. */
static int32_t maker(const born_graph *g, const born_structure *s, int32_t k, const int32_t *readers)
{
    const born_gnode *n = &g->node[k];
    int32_t p = -1;

    for (int i = 0; i < n->in_count; i++) {
        born_vid v = n->in[i];
        if (v < 0 || g->value[v].constant || g->value[v].input || readers[v] != 1) return -1;
        if (g->value[v].channels_last || s->host_value[v] || s->segment_of[v] != s->segment_of[n->out[0]]) return -1;
        if (i > 0 && g->value[v].producer != p) return -1;
        p = g->value[v].producer;
    }
    bool all = p >= 0 && p < k && g->node[p].out_count == n->in_count && !s->host_node[p];
    return all && is(&g->node[p], BORN_PATTERN_STRIDED) ? p : -1;
}

void born__parts_find(const born_graph *g, born_structure *s, uint8_t *plain, int32_t *readers)
{
    count_readers(g, s, plain, readers);
    for (size_t k = 0; k < g->node_count; k++) s->partner[k] = -1;
    for (size_t k = 0; k < g->node_count; k++) {
        const born_gnode *n = &g->node[k];
        if (s->host_node[k] || n->in_count < 1 || n->in[0] < 0 || n->out_count < 1) continue;
        if (is(n, BORN_PATTERN_PARTS)) {
            bool all = true;
            for (int i = 0; i < n->out_count; i++) all &= plain[n->out[i]];
            if (all) s->partner[k] = (int32_t)k;
        } else if (is(n, BORN_PATTERN_JOINS) && n->in_count > 1 && s->last_use[n->out[0]] < (int32_t)g->node_count) {
            int32_t p = maker(g, s, (int32_t)k, readers);
            if (p < 0 || g->value[n->out[0]].channels_last) continue;
            s->partner[k] = p;
            s->partner[p] = (int32_t)k;
        }
    }
}

/* The axis of a node that cuts or joins tensors of this rank; -1: none. */
static int axis_of(const born_gnode *n, int rank)
{
    int axis = born__pattern_axis(n->op, n->attrs);

    if (axis < 0) axis += rank;
    return axis < 0 || axis >= rank ? -1 : axis;
}

/* The node that joins the results of this one; NULL: none. */
static const born_gnode *joiner(const born_gframe *f, int32_t node)
{
    const born_gnode *n = &f->graph->node[node];
    int32_t k = f->graph->structure->partner[node];

    return k < 0 || f->session->append_count || !is(n, BORN_PATTERN_STRIDED) ? NULL : &f->graph->node[k];
}

static int result_of(const born_gnode *n, born_vid v)
{
    int i = 0;

    while (n->out[i] != v) i++;
    return i;
}

bool born__parts_lay_out(const born_gframe *f, born_binding *b, int32_t node)
{
    const born_gnode *n = &f->graph->node[node], *to = joiner(f, node);
    born_view *out = b->operand + f->graph->structure->first_operand[node] + n->in_count, whole = out[0];
    int64_t total = 0;
    int axis = to ? axis_of(to, whole.rank) : -1;

    if (axis < 0 || whole.dtype != BORN_F32) return false;
    for (int i = 0; i < n->out_count; i++) {
        bool fits = out[i].dtype == whole.dtype && out[i].rank == whole.rank && born__view_count(&out[i]) > 0;
        for (int d = 0; fits && d < whole.rank; d++) fits = d == axis || out[i].dim[d] == whole.dim[d];
        if (!fits || !born__add_i64(total, out[i].dim[axis], &total)) return false;
    }
    whole.dim[axis] = total;
    if (born__view_bytes(&whole) < 0) return false;
    born__view_row_major(&whole);
    for (int i = 0; i < n->out_count; i++) memcpy(out[i].stride, whole.stride, sizeof whole.stride);
    return true;
}

void born__parts_place(const born_gframe *f, born_binding *b, int32_t node)
{
    const born_gnode *n = &f->graph->node[node], *to = joiner(f, node);
    const born_view *out = b->operand + f->graph->structure->first_operand[node] + n->in_count;
    int axis = axis_of(to, out[0].rank);
    int64_t at = 0, bytes = 0;

    for (int j = 0; j < to->in_count; j++) {
        const born_view *v = &out[result_of(n, to->in[j])];
        if (j > 0)
            born__bind_alias(b, f->graph->structure, to->in[j], to->in[0],
                             at * v->stride[axis] * (int64_t)sizeof(float));
        at += v->dim[axis];
        bytes += born__view_bytes(v);
    }
    b->slot[to->in[0]].bytes = (size_t)bytes;
}

static bool share_cut(const born_gframe *f, born_binding *b, const born_gnode *n, born_view *in)
{
    born_view *out = in + n->in_count;
    int axis = axis_of(n, in[0].rank), last = in[0].rank - 1;
    int64_t at = 0;

    if (axis < 0 || in[0].dtype != BORN_F32 || (in[0].dim[last] > 1 && in[0].stride[last] != 1)) return false;
    for (int i = 0; i < n->out_count; i++) {
        memcpy(out[i].stride, in[0].stride, sizeof in[0].stride);
        b->slot[n->out[i]].view = out[i];
        born__bind_alias(b, f->graph->structure, n->out[i], n->in[0],
                         out[i].dim[axis] ? at * in[0].stride[axis] * (int64_t)sizeof(float) : 0);
        at += out[i].dim[axis];
    }
    return true;
}

bool born__parts_share(const born_gframe *f, born_binding *b, int32_t node)
{
    const born_gnode *n = &f->graph->node[node];
    const born_structure *s = f->graph->structure;
    born_view *in = b->operand + s->first_operand[node], *out = in + n->in_count;

    if (s->partner[node] < 0 || f->session->append_count) return false;
    if (is(n, BORN_PATTERN_PARTS)) return share_cut(f, b, n, in);
    if (!is(n, BORN_PATTERN_JOINS)) return false;
    for (int i = 1; i < n->in_count; i++)
        if (b->slot[n->in[i]].root != n->in[0]) return false;
    if (b->slot[n->in[0]].bytes != (size_t)born__view_bytes(out)) return false;
    b->slot[n->out[0]].view = out[0];
    born__bind_alias(b, s, n->out[0], n->in[0], 0);
    return true;
}

/* Binding a segment again for a growing state, whose sizes change at every step: nodes whose operands are as they were
   keep everything, the others run their shape rule and are asked about again. Offsets, packed weights and the list of
   what moves stay. Wherever something does not fit its place or would be arranged otherwise, the segment is bound from
   the start (binding.c), so that this file needs no say in errors. Called by frame.c. */
#include <string.h>

#include "base/error.h"
#include "graph/frame.h"
#include "graph/state.h"
#include "tensor/view.h"
#include "waist/chain.h"

static bool same_view(const born_view *a, const born_view *b)
{
    size_t row = sizeof a->dim[0] * (size_t)a->rank;

    return a->dtype == b->dtype && a->rank == b->rank && !memcmp(a->dim, b->dim, row) &&
           !memcmp(a->stride, b->stride, row);
}

static bool changed(const born_gframe *f, const born_binding *b, int32_t node)
{
    const born_gnode *n = &f->graph->node[node];
    const born_view *in = b->operand + f->graph->structure->first_operand[node];

    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && (f->moved[n->in[i]] || !same_view(&in[i], &b->slot[n->in[i]].view))) return true;
    return false;
}

/* A value computed on the host: it stays at its place, and whoever reads it looks again. */
static bool host_again(born_gframe *f, born_binding *b, int32_t k, int32_t node, bool shares)
{
    const born_gnode *n = &f->graph->node[node];
    born_error ignored;

    for (int i = 0; i < n->out_count; i++) {
        born_slot was = b->slot[n->out[i]];
        if (i == 0) {
            f->again = true;
            born_status st = born__bind_host(f, b, node, shares, k, &ignored);
            f->again = false;
            if (st != BORN_OK) return false;
        }
        if (b->slot[n->out[i]].root != was.root || b->slot[n->out[i]].offset != was.offset) return false;
        f->moved[n->out[i]] = 1;
    }
    return true;
}

/* A view of the same root; where it begins elsewhere, its readers must be pointed anew. */
static bool view_again(born_gframe *f, born_binding *b, int32_t node)
{
    const born_gnode *n = &f->graph->node[node];
    born_view *out = b->operand + f->graph->structure->first_operand[node] + n->in_count;
    born_slot *s = &b->slot[n->out[0]];
    const born_slot *from = &b->slot[n->in[0]];
    int64_t offset = out[0].offset + (from->root == n->in[0] ? 0 : from->offset);

    if (s->root == n->out[0] || s->root != from->root) return false;
    const born_slot *root = &b->slot[s->root]; /* an output that swaps must be dense, and the whole of its buffer */
    if (root->where == BORN_AT_STATE && !f->session->tie[root->index].appends) return false;
    out[0].offset = 0;
    s->view = out[0];
    f->moved[n->out[0]] = offset != s->offset || f->moved[n->in[0]];
    s->offset = offset;
    return true;
}

/* Do the results of a call still lie well where they are? */
static bool results_fit(born_gframe *f, born_binding *b, int32_t k, int32_t node, const born_plan_call *pc,
                        const born_query *q, bool appends)
{
    const born_gnode *n = &f->graph->node[node];

    for (int i = 0; i < n->out_count; i++) {
        born_slot *s = &b->slot[n->out[i]];
        int tie = appends ? born__state_appended(f, k, node, i) : -1;
        int64_t bytes = born__view_bytes(&pc->call.out[i]);
        if (bytes < 0 || (tie >= 0 && (s->where != BORN_AT_STATE || s->root != n->out[i] || s->index != tie)))
            return false;
        if (s->root == n->out[i]) {
            if (s->where == BORN_AT_BLOCK && (size_t)bytes > s->room) return false;
            s->bytes = (size_t)bytes;
        } else { /* in place of an operand */
            int at = 0;
            while (at < n->in_count && n->in[at] != s->root) at++;
            if (i > 0 || at >= n->in_count || at >= 32 || !(q->in_place >> at & 1u) ||
                !born__bind_same_places(&pc->call, at) || b->slot[s->root].bytes != (size_t)bytes)
                return false;
        }
        s->view = pc->call.out[i];
    }
    return true;
}

static bool call_again(born_gframe *f, born_binding *b, int32_t k, int32_t node, born_plan_call *pc)
{
    const born_gnode *n = &f->graph->node[node];
    born_bound_segment *seg = &b->segment[k];
    born_plan_call fresh;
    born_error ignored;
    born_query q;
    bool appends;

    if (born__bind_query(f, b, k, node, &fresh, &q, &appends, &ignored) != BORN_OK || f->session->prepare_again)
        return false;
    if (fresh.pack_operand != pc->pack_operand ||
        (fresh.pack_operand >= 0 && (fresh.pack_form != pc->pack_form || fresh.pack_bytes != pc->pack_bytes)))
        return false;
    if (!results_fit(f, b, k, node, &fresh, &q, appends)) return false;
    fresh.call.packed = pc->call.packed;
    *pc = fresh;
    if (q.scratch_bytes > seg->scratch_bytes) seg->scratch_bytes = q.scratch_bytes;
    for (int i = 0; i < n->in_count + n->out_count; i++) {
        born_vid v = i < n->in_count ? n->in[i] : n->out[i - n->in_count];
        pc->call.in[i].data = v < 0 ? NULL : born__slot_data(f, b, v);
    }
    return true;
}

static bool nodes_again(born_gframe *f, born_binding *b, int32_t k)
{
    const born_structure *st = f->graph->structure;
    born_bound_segment *seg = &b->segment[k];
    int64_t c = 0;

    for (int32_t node = st->segment[k].begin; node < st->segment[k].end; node++) {
        born_plan_call *pc = c < seg->plan.count && seg->node[c] == node ? &seg->plan.call[c++] : NULL;
        born_error ignored;
        bool shares = false;

        if (!changed(f, b, node)) continue;
        if (born__bind_infer(f, b, k, node, &shares, &ignored) != BORN_OK) return false;
        bool view = shares && f->graph->node[node].in[0] >= 0 && !st->host_node[node];
        if ((pc != NULL) != (!view && !st->host_node[node])) return false;
        if (!(pc ? call_again(f, b, k, node, pc) : view ? view_again(f, b, node) : host_again(f, b, k, node, shares)))
            return false;
    }
    return true;
}

bool born__rebind_segment(born_gframe *f, born_binding *b, int32_t k)
{
    const born_segment *s = &f->graph->structure->segment[k];
    born_bound_segment *seg = &b->segment[k];
    born_backend *backend = f->session->backend;
    born_error ignored;

    if (!seg->whole || s->control || !f->session->append_count || f != f->session->frame) return false;
    memset(f->moved, 0, f->graph->value_count);
    /* what comes in may have other elements where these decide shapes, and lie elsewhere where a segment made it */
    for (int32_t i = 0; i < s->incoming_count; i++)
        f->moved[s->incoming[i]] = k > 0 || f->graph->structure->host_value[s->incoming[i]];
    seg->whole = nodes_again(f, b, k) && born__bind_fits(f, seg, k, 0, &ignored) == BORN_OK;
    if (!seg->whole) return false;
    born__bind_flops(f, seg);
    if (seg->plan.prepared) born__backend_discard(backend, &seg->plan);
    seg->whole = born__backend_prepare(backend, &seg->plan, &ignored) == BORN_OK;
    return seg->whole;
}

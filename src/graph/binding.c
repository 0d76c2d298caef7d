/* Binding a segment to shapes: one pass over its nodes that runs shape rules, computes host nodes, asks the backend
   for kernels and packs weights; then offsets; then pointers. All arrays are sized by the structure when the binding
   is made, so binding again allocates only where memory must grow. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "graph/edit.h"
#include "graph/frame.h"
#include "graph/parts.h"
#include "graph/patterns.h"
#include "graph/state.h"
#include "ops/copy_view.h"
#include "tensor/view.h"
#include "waist/chain.h"

enum { MAX_HOST_ELEMENTS = 1 << 16 };

born_status born__binding_new(born_gframe *f, born_binding **out, born_error *err)
{
    const born_graph *g = f->graph;
    const born_structure *s = g->structure;
    born_binding *b = born__calloc(1, sizeof *b);

    *out = b;
    BORN_FAIL_IF(!b, err, BORN_NOMEM, "session: out of memory");
    b->slot = born__calloc(g->value_count + 1, sizeof *b->slot);
    b->operand = born__calloc(s->operand_count + 1, sizeof *b->operand);
    b->segment = born__calloc((size_t)s->segment_count, sizeof *b->segment);
    b->call = born__calloc(g->node_count + g->output_count + 1, sizeof *b->call);
    b->call_node = born__calloc(g->node_count + g->output_count + 1, sizeof *b->call_node);
    if (!b->slot || !b->operand || !b->segment || !b->call || !b->call_node) {
        born__binding_free(f, out);
        return born__fail(err, BORN_NOMEM, "session: out of memory");
    }
    for (size_t i = 0; i < g->value_count; i++) {
        b->slot[i].root = (born_vid)i;
        if (!g->value[i].constant) continue;
        b->slot[i].where = BORN_AT_CONST;
        b->slot[i].view = born__value_view(&g->value[i]);
    }
    for (size_t i = 0; i < g->input_count; i++) {
        b->slot[g->input[i]].where = BORN_AT_INPUT;
        b->slot[g->input[i]].index = (int32_t)i;
    }
    for (int32_t k = 0; k < s->segment_count; k++) {
        b->segment[k].plan.call = b->call + s->segment[k].begin;
        b->segment[k].node = b->call_node + s->segment[k].begin;
    }
    return BORN_OK;
}

void born__binding_free(born_gframe *f, born_binding **bp)
{
    born_binding *b = *bp;

    *bp = NULL;
    if (!b) return;
    if (b->segment)
        for (int32_t k = 0; k < f->graph->structure->segment_count; k++) {
            if (b->segment[k].plan.prepared) born__backend_discard(f->session->backend, &b->segment[k].plan);
            born__free(b->segment[k].facts);
            born__free(b->segment[k].patch);
        }
    born__free(b->slot);
    born__free(b->operand);
    born__free(b->segment);
    born__free(b->call);
    born__free(b->call_node);
    born__free(b->host);
    born__free(b);
}

/* Where values without elements lie: kernels add offsets to addresses, and may not to NULL. */
_Alignas(64) const char born__no_elements[64];

char *born__slot_data(const born_gframe *f, const born_binding *b, born_vid v)
{
    const born_slot *s = &b->slot[v], *r = &b->slot[s->root];
    const char *base = NULL;

    switch (r->where) {
    case BORN_AT_NOTHING: return NULL;
    case BORN_AT_CONST:
        base = f->graph->value[s->root].data;
        if (!base && !f->graph->value[s->root].bytes) base = born__no_elements;
        break;
    case BORN_AT_INPUT: base = f->input[r->index]; break;
    case BORN_AT_BLOCK:
        base = f->block[r->index].base;
        if (!base && !f->block[r->index].bytes) base = born__no_elements;
        break;
    case BORN_AT_HOST: base = b->host; break;
    case BORN_AT_EXTERN: base = f->external[s->root]; break;
    case BORN_AT_STATE: base = f->session->tie[r->index].p[f->session->tie[r->index].target]; break;
    }
    if (!base) return NULL;
    return (char *)(uintptr_t)base + (s->root == v ? 0 : s->offset) +
           (r->where == BORN_AT_BLOCK || r->where == BORN_AT_HOST ? r->offset : 0);
}

/* Is the value known while segment k is bound? */
static bool known(const born_gframe *f, const born_binding *b, born_vid v, int32_t k)
{
    const born_slot *r = &b->slot[b->slot[v].root];

    if (r->where == BORN_AT_BLOCK) return r->index < k;
    if (r->where == BORN_AT_STATE) return f->graph->structure->segment_of[b->slot[v].root] < k;
    return r->where != BORN_AT_NOTHING && born__slot_data(f, b, v) != NULL;
}

static const char *node_label(const born_gnode *n)
{
    return n->name[0] ? n->name : n->op->name;
}

static void gather_inputs(born_gframe *f, born_binding *b, const born_gnode *n, born_view *in, int32_t k)
{
    for (int i = 0; i < n->in_count; i++) {
        in[i] = n->in[i] < 0 ? (born_view){ 0 } : b->slot[n->in[i]].view;
        in[i].data = n->in[i] >= 0 && known(f, b, n->in[i], k) ? born__slot_data(f, b, n->in[i]) : NULL;
    }
}

void born__bind_alias(born_binding *b, const born_structure *st, born_vid v, born_vid u, int64_t offset)
{
    born_slot *s = &b->slot[v], *from = &b->slot[u];

    s->root = from->root;
    s->offset = (from->root == u ? 0 : from->offset) + offset;
    s->where = b->slot[s->root].where;
    if (st->last_use[v] > b->slot[s->root].last_use) b->slot[s->root].last_use = st->last_use[v];
}

/* Gives value v of a host node its bytes. Sizes are capped: these are shapes, not data. */
static born_status place_host(born_gframe *f, born_binding *b, const born_gnode *n, born_vid v, const born_view *w,
                              born_error *err)
{
    int64_t count = born__view_count(w), bytes = born__view_bytes(w);
    born_slot *s = &b->slot[v];

    BORN_FAIL_IF(bytes < 0 || count > MAX_HOST_ELEMENTS, err, BORN_UNSUPPORTED,
                 "%s '%s': %lld elements decide shapes, at most %d can", n->op->name, node_label(n), (long long)count,
                 MAX_HOST_ELEMENTS);
    if (f->again) { /* its readers hold its address */
        BORN_FAIL_IF(s->where != BORN_AT_HOST || s->root != v || (size_t)bytes > s->room, err, BORN_STATE,
                     "%s '%s': outgrew its place", n->op->name, node_label(n));
        s->view = *w;
        return BORN_OK;
    }
    size_t need = b->host_bytes + (((size_t)bytes + 63) & ~(size_t)63);
    if (need > b->host_cap) {
        size_t cap = need * 2 + 4096;
        char *p = born__realloc(b->host, cap);
        BORN_FAIL_IF(!p, err, BORN_NOMEM, "session: out of memory");
        b->host = p;
        b->host_cap = cap;
        f->epoch++;
    }
    s->where = BORN_AT_HOST;
    s->root = v;
    s->offset = (int64_t)b->host_bytes;
    s->room = need - b->host_bytes;
    s->view = *w;
    b->host_bytes = need;
    return BORN_OK;
}

static born_status run_host(born_gframe *f, born_binding *b, const born_gnode *n, born_view *in, born_view *out,
                            born_error *err)
{
    for (int i = 0; i < n->out_count; i++) BORN_TRY(place_host(f, b, n, n->out[i], &out[i], err));
    for (int i = 0; i < n->in_count; i++) in[i].data = n->in[i] < 0 ? NULL : born__slot_data(f, b, n->in[i]);
    for (int i = 0; i < n->out_count; i++) out[i].data = born__slot_data(f, b, n->out[i]);
    born_call c = {
        .op = n->op, .attrs = n->attrs, .in_count = n->in_count, .out_count = n->out_count, .in = in, .out = out
    };
    BORN_TRY(born__host_run(&c, err));
    for (int i = 0; i < n->out_count; i++) b->slot[n->out[i]].view = out[i];
    return BORN_OK;
}

/* A host node that is a view of another known value shares it where the elements lie dense; else they are copied, so
   that host operands are always dense. */
born_status born__bind_host(born_gframe *f, born_binding *b, int32_t node, bool shares, int32_t k, born_error *err)
{
    const born_gnode *n = &f->graph->node[node];
    born_view *in = b->operand + f->graph->structure->first_operand[node], *out = in + n->in_count;

    if (!shares) return run_host(f, b, n, in, out, err);
    int64_t offset = out[0].offset;
    out[0].offset = 0;
    if (born__view_contiguous(&out[0])) {
        b->slot[n->out[0]].view = out[0];
        born__bind_alias(b, f->graph->structure, n->out[0], n->in[0], offset);
        return BORN_OK;
    }
    born_view dense = out[0];
    born__view_row_major(&dense);
    BORN_TRY(place_host(f, b, n, n->out[0], &dense, err));
    if (!known(f, b, n->in[0], k)) return born__fail(err, BORN_INTERNAL, "%s: not known on the host", n->op->name);
    out[0].data = born__slot_data(f, b, n->in[0]) + offset;
    dense.data = born__slot_data(f, b, n->out[0]);
    born__copy_view(&dense, &out[0], NULL);
    out[0] = dense;
    return BORN_OK;
}

/* A weight has been packed: its pages in the file are not needed any more. Called from pool threads. */
static void weight_packed(void *user, const born_plan_call *pc)
{
    born_model *m = user;
    const born_view *w = &pc->call.in[pc->pack_operand];
    int64_t bytes = born__view_bytes(w);

    if (m->source_drop && bytes > 0 && born__view_contiguous(w)) m->source_drop(m->source, w->data, (size_t)bytes);
}

static size_t padded(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

static const born_view *packs(const born_plan_call *pc)
{
    return &pc->call.in[pc->pack_operand];
}

/* Bytes of the packed forms that the plan wants and the model lacks, each counted as often as it is wanted. */
static born_status missing_bytes(const born_model *m, const born_plan *plan, size_t *bytes, born_error *err)
{
    *bytes = 0;
    for (int64_t i = 0; i < plan->count; i++) {
        const born_plan_call *pc = &plan->call[i];
        if (pc->pack_operand < 0 || born__model_find_packed(m, packs(pc), pc->pack_form, pc->pack_bytes)) continue;
        BORN_FAIL_IF(pc->pack_bytes > SIZE_MAX / 4 || !born__add_size(*bytes, padded(pc->pack_bytes), bytes), err,
                     BORN_NOMEM, "session: the plan is too large");
    }
    return BORN_OK;
}

/* The whole of the plan against max_bytes, before any of it is allocated. */
born_status born__bind_fits(born_gframe *f, const born_bound_segment *seg, int32_t k, size_t missing, born_error *err)
{
    const born_session *s = f->session;
    bool ok = true;

    if (seg->block_bytes > f->block[k].bytes)
        ok &= born__add_size(missing, seg->block_bytes - f->block[k].bytes, &missing);
    if (seg->scratch_bytes > s->scratch_bytes)
        ok &= born__add_size(missing, seg->scratch_bytes - s->scratch_bytes, &missing);
    ok &= born__add_size(missing, born__state_missing(f, f->now, k), &missing);
    BORN_FAIL_IF(!ok, err, BORN_NOMEM, "session: the plan is too large");
    return born__session_reserve(f->session, missing, err);
}

static born_status name_packed(born_model *m, born_plan *plan, size_t missing, born_error *err)
{
    char *to = NULL;

    if (missing) BORN_TRY(born__model_pack_block(m, missing, &to, err));
    for (int64_t i = 0; i < plan->count; i++) {
        born_plan_call *pc = &plan->call[i];
        if (pc->pack_operand < 0) continue;
        const born_packed *p = born__model_find_packed(m, packs(pc), pc->pack_form, pc->pack_bytes);
        if (!p) {
            BORN_TRY(born__model_add_packed(m, packs(pc), pc->pack_form, to, pc->pack_bytes, err));
            pc->pack_to = to;
            to += padded(pc->pack_bytes);
            p = &m->packed[m->packed_count - 1];
        }
        pc->call.packed = p->bytes;
    }
    return BORN_OK;
}

/* Finds or makes the packed form of every constant operand whose kernel wants one. The model's lock is held until the
   backend has filled the new ones, so other sessions see them whole. */
static born_status pack_weights(born_gframe *f, born_binding *b, int32_t k, born_error *err)
{
    born_plan *plan = &b->segment[k].plan;
    born_model *m = f->session->model;
    size_t missing;

    born__lock(&m->lock);
    size_t first = m->packed_count, blocks = m->block_count;
    born_status st = missing_bytes(m, plan, &missing, err);
    if (st == BORN_OK) st = born__bind_fits(f, &b->segment[k], k, missing, err);
    if (st == BORN_OK) st = name_packed(m, plan, missing, err);
    plan->packed = weight_packed;
    plan->user = m;
    if (st == BORN_OK) st = born__backend_prepare(f->session->backend, plan, err);
    if (st != BORN_OK && m->block_count > blocks) born__model_unpack(m, first);
    for (int64_t i = 0; i < plan->count; i++) plan->call[i].pack_to = NULL;
    born__unlock(&m->lock);
    return st;
}

/* Multiplications and additions of a product; 0 for other ops. */
static double call_flops(const born_call *c)
{
    const born_pattern *p = born__pattern(BORN_PATTERN_COST, c->op->id);

    if (!p || p->a >= c->in_count || !c->out_count) return 0;
    const born_view *v = &c->in[p->a], *y = &c->out[0];
    double results = (double)born__view_count(y);
    if (p->b < 0) return v->rank ? 2 * results * (double)v->dim[v->rank - 1] : 0;
    return p->b < y->rank && y->dim[p->b] ? 2 * results * (double)born__view_count(v) / (double)y->dim[p->b] : 0;
}

/* Operands that are constants at odd addresses in the file: the one that is packed is read there, where a leaf alone
   will read it; others get an aligned copy, which this frame uses from now on. */
static born_status settle_operands(born_gframe *f, born_binding *b, const born_gnode *n, born_view *in, int packed,
                                   born_error *err)
{
    bool alone = !f->session->backend->below; /* a decorator may run calls its own way */

    for (int i = 0; i < n->in_count; i++) {
        if (n->in[i] < 0) continue;
        born_vid root = b->slot[n->in[i]].root;
        const born_value *v = &f->graph->value[root];
        if (!v->loose) continue;
        if (i == packed && alone) {
            in[i].data = (char *)(uintptr_t)v->data + (root == n->in[i] ? 0 : b->slot[n->in[i]].offset);
            continue;
        }
        const void *copy;
        BORN_TRY(born__model_aligned(f->session->model, v, &copy, err));
        f->external[root] = copy;
        b->slot[root].where = BORN_AT_EXTERN;
        in[i].data = born__slot_data(f, b, n->in[i]);
    }
    return BORN_OK;
}

born_status born__bind_query(born_gframe *f, born_binding *b, int32_t k, int32_t node, born_plan_call *pc,
                             born_query *q, bool *appends, born_error *err)
{
    const born_gnode *n = &f->graph->node[node];
    born_view *in = b->operand + f->graph->structure->first_operand[node], *out = in + n->in_count;

    *q = (born_query){ .supported = true, .pack_operand = -1 };
    *pc = (born_plan_call){ .scratch_offset = -1, .pack_operand = -1 };
    pc->call = (born_call){ .op = n->op, .attrs = n->attrs, .in_count = n->in_count, .out_count = n->out_count,
                            .in = in, .out = out };
    *appends = born__state_stride(f, k, node, out);
    BORN_TRY(born__backend_query(f->session->backend, &pc->call, q, err));
    if (*appends && !q->appends) born__state_refuse(f, node);
    born_vid packs = q->pack_operand < 0 || q->pack_operand >= n->in_count ? -1 : n->in[q->pack_operand];
    bool constant = packs >= 0 && f->graph->value[b->slot[packs].root].constant;
    if (constant) { /* asked again: what it needs once the operand is packed */
        static const char yes = 1;
        pc->call.packed = &yes;
        *q = (born_query){ .supported = true, .pack_operand = -1 };
        BORN_TRY(born__backend_query(f->session->backend, &pc->call, q, err));
        constant = q->pack_operand >= 0 && q->pack_operand < n->in_count && n->in[q->pack_operand] == packs;
        pc->call.packed = NULL;
    }
    BORN_FAIL_IF(!q->supported, err, BORN_UNSUPPORTED, "%s '%s': %s", n->op->name, node_label(n),
                 q->why[0] ? q->why : "not supported by this backend");
    BORN_TRY(settle_operands(f, b, n, in, constant ? q->pack_operand : -1, err));
    pc->kernel = q->kernel;
    if (q->scratch_bytes) pc->scratch_offset = 0;
    pc->pack_operand = constant ? q->pack_operand : -1;
    pc->pack_form = q->pack_form;
    pc->pack_bytes = q->pack_bytes;
    return BORN_OK;
}

bool born__bind_same_places(const born_call *c, int i)
{
    const born_view *x = &c->in[i], *y = &c->out[0];
    size_t row = sizeof x->dim[0] * (size_t)x->rank;

    return x->dtype == y->dtype && x->rank == y->rank && !memcmp(x->dim, y->dim, row) &&
           !memcmp(x->stride, y->stride, row);
}

/* The plan entry of one node that runs on the backend, and places for its results. */
static born_status bind_call(born_gframe *f, born_binding *b, int32_t k, int32_t node, born_error *err)
{
    const born_gnode *n = &f->graph->node[node];
    born_bound_segment *seg = &b->segment[k];
    born_plan_call *pc = &seg->plan.call[seg->plan.count];
    born_query q;
    bool appends, joined = born__parts_lay_out(f, b, node);

    BORN_TRY(born__bind_query(f, b, k, node, pc, &q, &appends, err));
    if (q.scratch_bytes > seg->scratch_bytes) seg->scratch_bytes = q.scratch_bytes;
    seg->node[seg->plan.count++] = node;
    for (int i = 0; i < n->out_count; i++) {
        born_slot *s = &b->slot[n->out[i]];
        int64_t bytes = born__view_bytes(&pc->call.out[i]);
        BORN_FAIL_IF(bytes < 0, err, BORN_NOMEM, "%s '%s': its result is too large", n->op->name, node_label(n));
        s->view = pc->call.out[i];
        s->where = BORN_AT_BLOCK;
        s->index = k;
        s->root = n->out[i];
        s->bytes = (size_t)bytes;
        s->last_use = f->graph->structure->last_use[n->out[i]];
        int tie = appends ? born__state_appended(f, k, node, i) : -1;
        if (tie < 0) continue;
        s->where = BORN_AT_STATE;
        s->index = tie;
    }
    if (joined) born__parts_place(f, b, node);
    /* in place: output 0 takes over the storage of an operand that dies here */
    for (int i = 0; i < n->in_count && q.in_place && !joined; i++) {
        if (i >= 32 || !(q.in_place >> i & 1u) || n->in[i] < 0) continue;
        born_slot *r = &b->slot[b->slot[n->in[i]].root], *o = &b->slot[n->out[0]];
        if (r->where != BORN_AT_BLOCK || r->index != k || r->last_use != node || r->bytes != o->bytes ||
            b->slot[n->in[i]].root != n->in[i] || !born__bind_same_places(&pc->call, i))
            continue;
        born_view keep = o->view;
        int32_t last = o->last_use;
        born__bind_alias(b, f->graph->structure, n->out[0], n->in[i], 0);
        o->view = keep;
        if (last > r->last_use) r->last_use = last;
        break;
    }
    return BORN_OK;
}

born_status born__bind_infer(born_gframe *f, born_binding *b, int32_t k, int32_t node, bool *shares, born_error *err)
{
    const born_gnode *n = &f->graph->node[node];
    const born_structure *s = f->graph->structure;
    born_view *in = b->operand + s->first_operand[node], *out = in + n->in_count;

    gather_inputs(f, b, n, in, k);
    memset(out, 0, (size_t)n->out_count * sizeof *out);
    born_status st = born__op_infer(n->op, n->attrs, in, n->in_count, out, n->out_count, shares, err);
    if (st != BORN_OK) {
        born__error_prefix(err, "node '%s'", node_label(n));
        return st;
    }
    for (int i = 0; i < n->out_count; i++) {
        int64_t bytes =
            born__view_bytes(&out[i]); /* views too: what reads them would take as long as what they stand for */
        BORN_FAIL_IF(bytes < 0 || (uint64_t)bytes > f->session->max_bytes, err, BORN_NOMEM,
                     "node '%s': its result is %lld bytes, above max_bytes of %zu", node_label(n), (long long)bytes,
                     f->session->max_bytes);
        bool turned = f->graph->value[n->out[i]].channels_last && out[i].rank >= 3 && !*shares && !s->host_node[node];
        if (turned) born__view_channels_last(&out[i]);
    }
    return BORN_OK;
}

static born_status bind_node(born_gframe *f, born_binding *b, int32_t k, int32_t node, born_error *err)
{
    const born_gnode *n = &f->graph->node[node];
    const born_structure *s = f->graph->structure;
    born_view *out = b->operand + s->first_operand[node] + n->in_count;
    bool shares = false;

    BORN_TRY(born__bind_infer(f, b, k, node, &shares, err));
    if (s->host_node[node]) return born__bind_host(f, b, node, shares, k, err);
    if (shares && n->in[0] >= 0) {
        int64_t offset = out[0].offset;
        out[0].offset = 0;
        b->slot[n->out[0]].view = out[0];
        born__bind_alias(b, s, n->out[0], n->in[0], offset);
        return BORN_OK;
    }
    if (born__parts_share(f, b, node)) return BORN_OK;
    return bind_call(f, b, k, node, err);
}

void born__bind_flops(born_gframe *f, born_bound_segment *seg)
{
    seg->flops = 0;
    for (int64_t c = 0; c < seg->plan.count; c++) {
        double flops = call_flops(&seg->plan.call[c].call);
        seg->flops += flops;
        if (f->flops) f->flops[seg->node[c]] = flops;
    }
}

/* Which operands of the segment's calls move from run to run, and which stay with the blocks. */
static born_status list_patches(born_gframe *f, born_binding *b, int32_t k, born_error *err)
{
    born_bound_segment *seg = &b->segment[k];

    seg->patch_count = 0;
    for (int64_t c = 0; c < seg->plan.count; c++) {
        const born_gnode *n = &f->graph->node[seg->node[c]];
        int32_t first = f->graph->structure->first_operand[seg->node[c]];
        for (int i = 0; i < n->in_count + n->out_count; i++) {
            born_vid v = i < n->in_count ? n->in[i] : n->out[i - n->in_count];
            born_slot_where w = v < 0 ? BORN_AT_NOTHING : b->slot[b->slot[v].root].where;
            if (w != BORN_AT_INPUT && w != BORN_AT_EXTERN && w != BORN_AT_STATE) continue;
            BORN_FAIL_IF(!born__grow((void **)&seg->patch, &seg->patch_cap, seg->patch_count + 1, sizeof *seg->patch),
                         err, BORN_NOMEM, "session: out of memory");
            seg->patch[seg->patch_count++] = (born_patch){ first + i, v };
        }
    }
    return BORN_OK;
}

void born__bind_pointers(born_gframe *f, born_binding *b, int32_t k, bool all)
{
    born_bound_segment *seg = &b->segment[k];

    if (!all) {
        for (size_t i = 0; i < seg->patch_count; i++)
            b->operand[seg->patch[i].operand].data = born__slot_data(f, b, seg->patch[i].value);
        return;
    }
    for (int64_t c = 0; c < seg->plan.count; c++) {
        const born_gnode *n = &f->graph->node[seg->node[c]];
        born_view *v = b->operand + f->graph->structure->first_operand[seg->node[c]];
        for (int i = 0; i < n->in_count + n->out_count; i++) {
            born_vid id = i < n->in_count ? n->in[i] : n->out[i - n->in_count];
            v[i].data = id < 0 ? NULL : born__slot_data(f, b, id);
        }
    }
    seg->epoch = f->epoch;
}

/* Offsets with room to grow where state grows, exact ones where max_bytes is too small for that. */
static born_status place_roots(born_gframe *f, born_binding *b, int32_t k, born_error *err)
{
    born_bound_segment *seg = &b->segment[k];
    bool slack = f->session->append_count > 0;

    BORN_TRY(born__plan_offsets(f, b, k, slack, &seg->block_bytes, err));
    if (slack && seg->block_bytes > f->block[k].bytes &&
        born__session_reserve(f->session, seg->block_bytes - f->block[k].bytes, NULL) != BORN_OK)
        BORN_TRY(born__plan_offsets(f, b, k, false, &seg->block_bytes, err));
    return BORN_OK;
}

born_status born__bind_segment(born_gframe *f, born_binding *b, int32_t k, born_error *err)
{
    const born_segment *s = &f->graph->structure->segment[k];
    born_bound_segment *seg = &b->segment[k];

    if (seg->plan.prepared) born__backend_discard(f->session->backend, &seg->plan);
    for (int32_t j = k; j < f->graph->structure->segment_count; j++) b->segment[j].whole = false;
    seg->bound = false;
    seg->plan.count = 0;
    seg->scratch_bytes = 0;
    b->host_bytes = k ? b->segment[k - 1].host_end : 0;
    f->session->bind_count++;
    if (!s->control)
        for (int32_t n = s->begin; n < s->end; n++) BORN_TRY(bind_node(f, b, k, n, err));
    BORN_FAIL_IF(f->session->prepare_again, err, BORN_STATE, "session: its state must be prepared again");
    born__state_take_roots(f, b, k);
    BORN_TRY(place_roots(f, b, k, err));
    seg->host_end = b->host_bytes;
    born__bind_flops(f, seg);
    BORN_TRY(list_patches(f, b, k, err));
    BORN_TRY(pack_weights(f, b, k, err));
    seg->bound = seg->whole = true;
    return BORN_OK;
}

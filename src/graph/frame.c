/* Running a graph: find or make the binding for these shapes, then segment by segment bind what is not bound for the
   present facts, point moving operands, run. Facts are dtype, sizes, strides and, where elements decide shapes, the
   elements of all a segment reads from outside itself. */
#include "graph/frame.h"

#include <string.h>

#include "base/checked.h"
#include "base/clock.h"
#include "base/error.h"
#include "graph/state.h"
#include "tensor/view.h"
#include "waist/chain.h"

enum { MAX_FACT_BYTES = 1 << 19 };

typedef struct child_list {
    born_graph *g[64];
    int count;
} child_list;

born_status born__frame_open(born_session *s, born_graph *g, born_gframe **out, born_error *err)
{
    const born_structure *st = g->structure;
    born_gframe *f = born__calloc(1, sizeof *f);
    size_t values = g->value_count + 1, nodes = g->node_count + 2;

    *out = f;
    BORN_FAIL_IF(!f, err, BORN_NOMEM, "session: out of memory");
    f->session = s;
    f->graph = g;
    f->block = born__calloc((size_t)st->segment_count, sizeof *f->block);
    f->control = born__calloc((size_t)st->segment_count, sizeof(struct born_control *));
    f->input = born__calloc(g->input_count + 1, sizeof *f->input);
    f->input_view = born__calloc(g->input_count + 1, sizeof *f->input_view);
    f->external = born__calloc(values, sizeof *f->external);
    f->expire_next = born__calloc(values, sizeof *f->expire_next);
    f->expire_head = born__calloc(nodes, sizeof *f->expire_head);
    f->moved = born__calloc(values, sizeof *f->moved);
    bool ok = f->block && f->control && f->input && f->input_view && f->external && f->expire_next && f->expire_head &&
              f->moved;
    if (ok && s->profile) {
        f->seconds = born__calloc(nodes, sizeof *f->seconds);
        f->calls = born__calloc(nodes, sizeof *f->calls);
        f->flops = born__calloc(nodes, sizeof *f->flops);
        ok = f->seconds && f->calls && f->flops;
    }
    born_status status = ok ? BORN_OK : born__fail(err, BORN_NOMEM, "session: out of memory");
    for (int32_t k = 0; k < st->segment_count && status == BORN_OK; k++)
        if (st->segment[k].control) status = born__control_open(f, st->segment[k].begin, &f->control[k], err);
    if (status != BORN_OK) born__frame_close(out);
    return status;
}

void born__frame_close(born_gframe **fp)
{
    born_gframe *f = *fp;

    *fp = NULL;
    if (!f) return;
    for (int i = 0; i < f->binding_count; i++) born__binding_free(f, &f->binding[i]);
    for (int32_t k = 0; k < f->graph->structure->segment_count; k++) {
        if (f->control) born__control_close(&f->control[k]);
        if (f->block && f->block[k].buffer) born__backend_release(f->session->backend, f->block[k].buffer);
    }
    born__free(f->block);
    born__free(f->control);
    born__free(f->input);
    born__free(f->input_view);
    born__free(f->external);
    born__free(f->expire_next);
    born__free(f->expire_head);
    born__free(f->moved);
    born__free(f->free_range);
    born__free(f->key);
    born__free(f->seconds);
    born__free(f->calls);
    born__free(f->flops);
    born__free(f);
}

static born_status add_fact(born_gframe *f, const void *p, size_t bytes, born_error *err)
{
    BORN_FAIL_IF(!born__grow((void **)&f->key, &f->key_cap, f->key_bytes + bytes, 1), err, BORN_NOMEM,
                 "session: out of memory");
    memcpy(f->key + f->key_bytes, p, bytes);
    f->key_bytes += bytes;
    return BORN_OK;
}

/* What binding depends on in value v, seen as `w`. */
static born_status add_value_facts(born_gframe *f, born_vid v, const born_view *w, born_error *err)
{
    int32_t head[2] = { (int32_t)w->dtype, w->rank };

    BORN_TRY(add_fact(f, head, sizeof head, err));
    BORN_TRY(add_fact(f, w->dim, (size_t)w->rank * sizeof w->dim[0], err));
    BORN_TRY(add_fact(f, w->stride, (size_t)w->rank * sizeof w->stride[0], err));
    if (!f->graph->structure->host_value[v]) return BORN_OK;
    int64_t bytes = born__view_bytes(w);
    BORN_FAIL_IF(bytes < 0 || bytes > MAX_FACT_BYTES, err, BORN_UNSUPPORTED,
                 "'%s': %lld bytes of data decide shapes, at most %d can", f->graph->value[v].name, (long long)bytes,
                 MAX_FACT_BYTES);
    bool here = w->data != NULL || bytes == 0;
    BORN_TRY(add_fact(f, &here, sizeof here, err));
    BORN_FAIL_IF(here && !born__view_contiguous(w), err, BORN_UNSUPPORTED,
                 "'%s': data that decides shapes is not dense", f->graph->value[v].name);
    return here && bytes ? add_fact(f, w->data, (size_t)bytes, err) : BORN_OK;
}

born_view born__frame_view(const born_gframe *f, born_vid v)
{
    born_view w = f->now->slot[v].view;

    w.data = born__slot_data(f, f->now, v);
    return w;
}

static born_status segment_facts(born_gframe *f, int32_t k, born_error *err)
{
    const born_segment *s = &f->graph->structure->segment[k];

    f->key_bytes = 0;
    for (int32_t i = 0; i < s->incoming_count; i++) {
        born_vid v = s->incoming[i];
        if (k == 0) {
            int32_t at = -1;
            for (size_t n = 0; n < f->graph->input_count; n++)
                if (f->graph->input[n] == v) at = (int32_t)n;
            BORN_TRY(add_value_facts(f, v, &f->input_view[at], err));
        } else {
            born_view w = born__frame_view(f, v);
            BORN_TRY(add_value_facts(f, v, &w, err));
        }
    }
    return BORN_OK;
}

static bool facts_equal(const born_gframe *f, const born_bound_segment *s)
{
    return s->bound && s->facts_bytes == f->key_bytes &&
           (!f->key_bytes || !memcmp(s->facts, f->key, f->key_bytes));
}

static born_status keep_facts(born_gframe *f, born_bound_segment *s, born_error *err)
{
    BORN_FAIL_IF(!born__grow((void **)&s->facts, &s->facts_cap, f->key_bytes + 1, 1), err, BORN_NOMEM,
                 "session: out of memory");
    if (f->key_bytes) memcpy(s->facts, f->key, f->key_bytes);
    s->facts_bytes = f->key_bytes;
    return BORN_OK;
}

/* The binding for the facts in f->key, or the oldest, to be bound anew. */
static born_status choose_binding(born_gframe *f, born_error *err)
{
    born_binding *oldest = NULL;
    /* growing state never comes back to a shape: one binding is bound anew at each step */
    int most = f->session->append_count ? 1 : f->session->tie_count ? 2 : BORN_MAX_BINDINGS;

    for (int i = 0; i < f->binding_count; i++) {
        born_binding *b = f->binding[i];
        if (facts_equal(f, &b->segment[0])) {
            f->now = b;
            b->used = ++f->clock;
            return BORN_OK;
        }
        if (!oldest || b->used < oldest->used) oldest = b;
    }
    if (f->binding_count < most) {
        BORN_TRY(born__binding_new(f, &oldest, err));
        f->binding[f->binding_count++] = oldest;
    }
    for (int32_t k = 0; k < f->graph->structure->segment_count; k++) oldest->segment[k].bound = false;
    oldest->used = ++f->clock;
    f->now = oldest;
    return BORN_OK;
}

/* Memory of a segment: its block, and the session's scratch. Growth that follows growing shapes leaves room. */
static born_status fit_memory(born_gframe *f, int32_t k, born_error *err)
{
    born_bound_segment *seg = &f->now->segment[k];
    born_block *b = &f->block[k];
    born_session *s = f->session;

    if (seg->block_bytes > b->bytes) {
        size_t want = seg->block_bytes;
        if (b->bytes && s->tie_count) want += want / 2;
        if (born__session_reserve(s, want - b->bytes, NULL) != BORN_OK) want = seg->block_bytes;
        BORN_TRY(born__session_reserve(s, want - b->bytes, err));
        born_buffer *old = b->buffer;
        born_buffer *fresh;
        if (old) born__backend_release(s->backend, old); /* its contents are dead: this segment has yet to run */
        s->block_bytes -= b->bytes;
        *b = (born_block){ 0 };
        f->epoch++;
        BORN_TRY(born__backend_alloc(s->backend, want, 64, NULL, NULL, &fresh, err));
        *b = (born_block){ fresh, fresh->data, want };
        s->block_bytes += want;
    }
    return born__session_scratch(s, seg->scratch_bytes, err);
}

/* True sizes of data-dependent results, after the kernel has written them to the operand views. */
static void take_extents(born_gframe *f, int32_t k)
{
    born_binding *b = f->now;
    born_bound_segment *seg = &b->segment[k];

    for (int64_t c = 0; c < seg->plan.count; c++) {
        const born_gnode *n = &f->graph->node[seg->node[c]];
        if (!(n->op->props & BORN_P_EXTENT)) continue;
        const born_view *out = b->operand + f->graph->structure->first_operand[seg->node[c]] + n->in_count;
        for (int i = 0; i < n->out_count; i++) {
            born_view *w = &b->slot[n->out[i]].view;
            memcpy(w->dim, out[i].dim, sizeof w->dim);
            born__view_row_major(w);
        }
    }
}

/* Extent kernels shrink the sizes in their operand views: put the bounds back before they run again. */
static void restore_bounds(born_gframe *f, int32_t k)
{
    born_binding *b = f->now;
    born_bound_segment *seg = &b->segment[k];
    bool shares;

    for (int64_t c = 0; c < seg->plan.count; c++) {
        const born_gnode *n = &f->graph->node[seg->node[c]];
        if (!(n->op->props & BORN_P_EXTENT)) continue;
        born_view *in = b->operand + f->graph->structure->first_operand[seg->node[c]], *out = in + n->in_count;
        char *data[16];
        int count = n->out_count < 16 ? n->out_count : 16;
        for (int i = 0; i < count; i++) data[i] = out[i].data;
        memset(out, 0, (size_t)count * sizeof *out);
        (void)born__op_infer(n->op, n->attrs, in, n->in_count, out, count, &shares, NULL); /* it passed when bound */
        for (int i = 0; i < count; i++) out[i].data = data[i];
    }
}

static born_status run_profiled(born_gframe *f, born_bound_segment *seg, born_error *err)
{
    for (int64_t c = 0; c < seg->plan.count; c++) {
        born_plan one = seg->plan;
        double from = born__clock_seconds();

        one.call = seg->plan.call + c;
        one.count = 1;
        BORN_TRY(born__backend_run_plan(f->session->backend, &one, err));
        f->seconds[seg->node[c]] += born__clock_seconds() - from;
        f->calls[seg->node[c]]++;
    }
    return BORN_OK;
}

static born_status run_plan(born_gframe *f, int32_t k, born_error *err)
{
    born_bound_segment *seg = &f->now->segment[k];

    seg->plan.scratch = f->session->scratch_base;
    seg->plan.scratch_bytes = f->session->scratch_bytes;
    restore_bounds(f, k);
    BORN_TRY(f->seconds ? run_profiled(f, seg, err) : born__backend_run_plan(f->session->backend, &seg->plan, err));
    f->session->call_count += seg->plan.count;
    f->session->flops += seg->flops;
    take_extents(f, k);
    return BORN_OK;
}

/* After a control node: its results are where the control state keeps them. */
static born_status run_segment(born_gframe *f, int32_t k, bool plan_only, born_error *err)
{
    born_binding *b = f->now;
    born_bound_segment *seg = &b->segment[k];
    const born_segment *s = &f->graph->structure->segment[k];

    BORN_TRY(segment_facts(f, k, err));
    if (!facts_equal(f, seg)) {
        for (int32_t j = k; j < f->graph->structure->segment_count; j++) b->segment[j].bound = false;
        if (!born__rebind_segment(f, b, k)) {
            BORN_TRY(born__bind_segment(f, b, k, err));
            seg->epoch = UINT64_MAX;
        }
        seg->bound = false; /* until its memory is there too */
        BORN_TRY(keep_facts(f, seg, err));
        seg->bound = true;
    }
    if (s->control) return plan_only ? BORN_OK : born__control_run(f, f->control[k], err);
    BORN_TRY(fit_memory(f, k, err));
    BORN_TRY(born__state_fit(f, k, plan_only, err));
    born__bind_pointers(f, b, k, seg->epoch != f->epoch);
    return plan_only ? BORN_OK : run_plan(f, k, err);
}

born_status born__frame_run(born_gframe *f, const born_view *in, bool plan_only, born_error *err)
{
    for (size_t i = 0; i < f->graph->input_count; i++) {
        f->input_view[i] = in[i];
        f->input[i] = in[i].data;
    }
    f->now = NULL;
    BORN_TRY(segment_facts(f, 0, err));
    BORN_TRY(choose_binding(f, err));
    for (size_t i = 0; i < f->graph->input_count; i++) {
        born_slot *s = &f->now->slot[f->graph->input[i]];
        s->view = in[i];
        s->view.buffer = NULL;
        s->view.offset = 0;
    }
    for (int32_t k = 0; k < f->graph->structure->segment_count; k++) {
        if (plan_only && k > 0) break; /* what follows is bound when its inputs are known */
        BORN_TRY(run_segment(f, k, plan_only, err));
    }
    return BORN_OK;
}

void born__frame_unbind(born_gframe *f)
{
    for (int i = 0; i < f->binding_count; i++)
        for (int32_t k = 0; k < f->graph->structure->segment_count; k++)
            f->binding[i]->segment[k].bound = f->binding[i]->segment[k].whole = false;
}

void born__frame_sizes(const born_gframe *f, size_t *block, size_t *state)
{
    for (int32_t k = 0; k < f->graph->structure->segment_count; k++) {
        *block += f->block[k].bytes;
        if (f->control[k]) born__control_sizes(f->control[k], block, state);
    }
}

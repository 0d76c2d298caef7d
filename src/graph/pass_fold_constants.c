/* Computes nodes whose operands are all constants, and carries dtypes, ranks and sizes forward. A result that one
   element describes stays a splat, so that a file of a few kilobytes cannot make us fill gigabytes here. Where sizes
   are symbolic, shape rules run on stand-in sizes and only ranks and dtypes are kept. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"
#include "ops/copy_view.h"
#include "tensor/view.h"

enum { MAX_OPERANDS = 64, STAND_IN = 64 };

typedef struct fold {
    born_edit *e;
    born_view *seen; /* per value: dtype, rank, dims (stand-ins where symbolic), data if constant; dtype NONE:
                                   nothing is known */
    bool *exact;                /* per value: no stand-in went into its dims */
    size_t made_bytes;          /* of new constants so far */
} fold;

static void seed_values(fold *f)
{
    born_graph *g = f->e->g;

    for (size_t i = 0; i < g->value_count; i++) {
        born_value *v = &g->value[i];

        if (v->constant) {
            f->seen[i] = born__value_view(v);
            f->exact[i] = true;
            continue;
        }
        if (!v->input || v->rank < 0 || v->dtype == BORN_DTYPE_NONE) continue;
        f->exact[i] = true;
        f->seen[i] = (born_view){ .dtype = v->dtype, .rank = v->rank };
        for (int d = 0; d < v->rank; d++) {
            f->exact[i] &= v->dim[d] >= 0;
            f->seen[i].dim[d] = v->dim[d] >= 0 ? v->dim[d] : d == 0 ? 1 : STAND_IN;
        }
        born__view_row_major(&f->seen[i]);
    }
}

/* Elements that are about to be read must be aligned; the copy counts as made by this pass. */
static bool settle(fold *f, born_vid v)
{
    const born_value *x = &f->e->g->value[v];
    born_error ignored;

    if (!x->loose) return true;
    if (x->bytes > f->e->ctx->max_bytes || f->made_bytes > f->e->ctx->max_bytes - x->bytes) return false;
    if (born__graph_settle_within(f->e->g, f->e->ctx, v, &ignored) != BORN_OK) return false;
    f->made_bytes += x->bytes;
    f->seen[v].data = born__value_view(x).data;
    return true;
}

/* Turns value v into a constant with these dims. */
static void make_constant(fold *f, born_vid v, const born_view *w, const void *data, size_t bytes, bool splat)
{
    born_value *x = &f->e->g->value[v];

    x->constant = true;
    x->splat = splat;
    x->dtype = w->dtype;
    x->rank = w->rank;
    for (int d = 0; d < w->rank; d++) x->dim[d] = w->dim[d];
    x->data = data;
    x->bytes = bytes;
    f->seen[v] = born__value_view(x);
    f->exact[v] = true;
}

static bool all_constant(const fold *f, const born_gnode *n)
{
    for (int i = 0; i < n->in_count; i++)
        if (n->in[i] >= 0 && !f->e->g->value[n->in[i]].constant) return false;
    return true;
}

/* A view of a constant: the same bytes where it is dense, one element where the source is a splat. Large weights that
   would have to be moved stay as they are: kernels pack them from their strides. */
static bool fold_view(fold *f, const born_gnode *n, born_view *out)
{
    const born_value *src = &f->e->g->value[n->in[0]];
    int64_t bytes = born__view_bytes(out);

    if (src->splat) {
        make_constant(f, n->out[0], out, src->data, src->bytes, true);
        return true;
    }
    if (bytes < 0) return false;
    if (born__view_contiguous(out)) {
        make_constant(f, n->out[0], out, (const char *)src->data + out->offset, (size_t)bytes, false);
        f->e->g->value[n->out[0]].loose = src->loose;
        return true;
    }
    if (bytes > 65536 || !settle(f, n->in[0])) return false;
    void *to = born__alloc((size_t)bytes + 1);
    born_graph *g = f->e->g;
    if (!to || !born__grow((void **)&g->owned, &g->owned_cap, g->owned_count + 1, sizeof *g->owned)) {
        born__free(to);
        return false;
    }
    born_view from = *out, dense = *out;
    from.data = (char *)(uintptr_t)src->data + out->offset;
    dense.data = to;
    dense.offset = 0;
    born__view_row_major(&dense);
    born__copy_view(&dense, &from, NULL);
    g->owned[g->owned_count++] = to;
    make_constant(f, n->out[0], out, to, (size_t)bytes, false);
    return true;
}

/* A splat may stand for more than could ever be walked over. */
static bool walkable(const fold *f, const born_gnode *n, const born_view *in)
{
    for (int i = 0; i < n->in_count; i++) {
        int64_t bytes = in[i].dtype ? born__view_bytes(&in[i]) : 0;
        if (bytes < 0 || (uint64_t)bytes > f->e->ctx->max_bytes) return false;
    }
    return true;
}

/* Runs the node on the host; false where it is not worth it or cannot be done: the node then stays. */
static bool fold_run(fold *f, const born_gnode *n, born_view *in, born_view *out)
{
    born_graph *g = f->e->g;
    size_t need = 0, at[MAX_OPERANDS];
    born_error ignored;

    if (!walkable(f, n, in)) return false;
    for (int i = 0; i < n->out_count; i++) {
        int64_t bytes = born__view_bytes(&out[i]);
        if (bytes < 0 || (uint64_t)bytes > f->e->ctx->max_bytes) return false;
        at[i] = need;
        need += ((size_t)bytes + 63) & ~(size_t)63;
    }
    if (need > f->e->ctx->max_bytes || f->made_bytes > f->e->ctx->max_bytes - need) return false;
    if (n->op->props & BORN_P_EXTENT) return false;
    for (int i = 0; i < n->in_count && !(n->op->props & BORN_P_META); i++) {
        if (n->in[i] < 0) continue;
        if (!settle(f, n->in[i])) return false;
        in[i].data = f->seen[n->in[i]].data;
    }
    char *to = born__alloc(need + 1);
    if (!to || !born__grow((void **)&g->owned, &g->owned_cap, g->owned_count + 1, sizeof *g->owned)) {
        born__free(to);
        return false;
    }
    for (int i = 0; i < n->out_count; i++) out[i].data = to + at[i];
    born_call c = {
        .op = n->op, .attrs = n->attrs, .in_count = n->in_count, .out_count = n->out_count, .in = in, .out = out
    };
    if (born__host_run(&c, &ignored) != BORN_OK) { /* an error at run time belongs to the run */
        born__free(to);
        return false;
    }
    g->owned[g->owned_count++] = to;
    f->made_bytes += need;
    for (int i = 0; i < n->out_count; i++)
        if (n->out[i] >= 0) make_constant(f, n->out[i], &out[i], to + at[i], (size_t)born__view_bytes(&out[i]), false);
    return true;
}

/* A fill: the element alone is kept. */
static bool fold_splat(fold *f, const born_gnode *n, born_view *in, born_view *out)
{
    born_view one = *out;
    size_t size = (size_t)born__dtype_info(out->dtype)->size;
    born_error ignored;

    one.rank = 0;
    one.data = born__arena_alloc(&f->e->g->arena, 16);
    if (!one.data || !size || n->out_count != 1) return false;
    born_call c = { .op = n->op, .attrs = n->attrs, .in_count = n->in_count, .out_count = 1, .in = in, .out = &one };
    if (born__host_run(&c, &ignored) != BORN_OK) return false;
    make_constant(f, n->out[0], out, one.data, size, true);
    return true;
}

static void note_result(fold *f, const born_gnode *n, const born_view *out, bool exact)
{
    for (int i = 0; i < n->out_count; i++) {
        if (n->out[i] < 0) continue;
        born_value *v = &f->e->g->value[n->out[i]];
        f->seen[n->out[i]] = out[i];
        f->seen[n->out[i]].data = NULL;
        f->exact[n->out[i]] = exact;
        v->dtype = out[i].dtype;
        v->rank = out[i].rank;
        for (int d = 0; d < out[i].rank; d++)
            if (exact) v->dim[d] = out[i].dim[d];
            else v->dim[d] = -1;
    }
}

static born_status visit(fold *f, int32_t k)
{
    born_gnode *n = born__edit_node(f->e, k);
    born_view in[MAX_OPERANDS], out[MAX_OPERANDS];
    bool shares = false, exact = true;
    born_error ignored;

    if ((n->op->props & BORN_P_CONTROL) || n->in_count > MAX_OPERANDS || n->out_count > MAX_OPERANDS) return BORN_OK;
    for (int i = 0; i < n->in_count; i++) {
        in[i] = n->in[i] < 0 ? (born_view){ 0 } : f->seen[n->in[i]];
        if (n->in[i] >= 0 && in[i].dtype == BORN_DTYPE_NONE) return BORN_OK;
        exact &= n->in[i] < 0 || f->exact[n->in[i]];
    }
    memset(out, 0, sizeof out[0] * (size_t)n->out_count);
    if (born__op_infer(n->op, n->attrs, in, n->in_count, out, n->out_count, &shares, &ignored) != BORN_OK)
        return BORN_OK;
    if (n->op->props & (BORN_P_EFFECT | BORN_P_EXTENT)) exact = false;
    for (int i = 0; i < n->out_count;
         i++) { /* a fill may describe more than a run is allowed: let the plan refuse it */
        int64_t bytes = born__view_bytes(&out[i]);
        if (bytes < 0 || (uint64_t)bytes / 2 > f->e->ctx->max_bytes) return BORN_OK;
    }
    bool constant = all_constant(f, n), meta = exact && (n->op->props & BORN_P_META);
    if (exact && (constant || meta) && !(n->op->props & BORN_P_EFFECT)) {
        bool done = constant && born__pattern(BORN_PATTERN_SPLAT, n->op->id) ? fold_splat(f, n, in, out)
                    : shares && n->in_count && n->out_count == 1             ? fold_view(f, n, out)
                                                                             : fold_run(f, n, in, out);
        if (done) {
            born__edit_kill(f->e, k);
            return BORN_OK;
        }
    }
    note_result(f, n, out, exact);
    return BORN_OK;
}

born_status pass_fold_constants(born_edit *e)
{
    fold f = { .e = e };

    f.seen = born__calloc(e->g->value_count + 1, sizeof *f.seen);
    f.exact = born__calloc(e->g->value_count + 1, sizeof *f.exact);
    born_status st = f.seen && f.exact ? BORN_OK : born__fail(e->err, BORN_NOMEM, "graph: out of memory");
    if (st == BORN_OK) {
        seed_values(&f);
        for (size_t k = 0; k < e->g->node_count && st == BORN_OK; k++) st = visit(&f, (int32_t)k);
    }
    born__free(f.seen);
    born__free(f.exact);
    return st;
}

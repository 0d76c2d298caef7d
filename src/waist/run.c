/* Calls on handles: the road of every eager op. Handles become nodes, nodes become views, the shape rule makes the
   outputs, the link at the highest level of the inputs runs the call, and what fails becomes poison and the chain's
   error. Nothing here allocates in the steady state: operands up to BORN_FEW live on the stack, nodes in slabs. */
#include <string.h>

#include <born/attrs.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tensor/view.h"
#include "waist/chain.h"

typedef union attrs_any {
    char none;
#define BEGIN(set) born_##set##_attrs set##_;
#define ATTR(kind, field, onnx, def, lo, hi, text)
#define END(set)
#include <born/attrs.def>
#undef BEGIN
#undef ATTR
#undef END
} attrs_any;

/* Room for the views of one call. */
typedef struct room {
    born_view few[BORN_FEW];
    born_view *in, *out;
    void *block;
} room;

static born_status room_open(room *r, int in_count, int out_count, born_error *err)
{
    size_t n = (size_t)in_count + (size_t)out_count;
    r->block = NULL;
    if (n > BORN_FEW) {
        r->block = born__calloc(n, sizeof(born_view));
        BORN_FAIL_IF(!r->block, err, BORN_NOMEM, "no memory for %zu operands", n);
    }
    r->in = r->block ? r->block : r->few;
    r->out = r->in + in_count;
    return BORN_OK;
}

/* ---- host operands --------------------------------------------------------------------------------------------- */

static bool on_host(const born_view *v)
{
    return v->dtype == BORN_DTYPE_NONE || (v->data && born__view_contiguous(v));
}

/* Gives every operand that decides shapes dense host data: its own where it has it, else a copy in the chain's host
   block. */
static born_status read_host_operands(born_chain *c, const born_op *op, born_view *in, int n, born_error *err)
{
    size_t need = 0, at = 0;
    for (int i = 0; i < n && i < 32; i++) {
        if (!(op->host >> i & 1u) || on_host(&in[i])) continue;
        int64_t bytes = born__view_bytes(&in[i]);
        BORN_FAIL_IF(bytes < 0 || (uint64_t)bytes > (SIZE_MAX >> 1) - need - 64, err, BORN_RANGE,
                     "%s: operand %d is too large", op->name, i);
        need += ((size_t)bytes + 63) & ~(size_t)63;
    }
    if (!need) return BORN_OK;
    if (need > c->host_bytes) {
        void *p = born__realloc(c->host, need);
        BORN_FAIL_IF(!p, err, BORN_NOMEM, "%s: no memory for operands read to the host", op->name);
        c->host = p;
        c->host_bytes = need;
    }
    for (int i = 0; i < n && i < 32; i++) {
        if (!(op->host >> i & 1u) || on_host(&in[i])) continue;
        size_t bytes = (size_t)born__view_bytes(&in[i]);
        char *p = (char *)c->host + at;
        BORN_TRY(born__backend_read(c->link[c->floor], &in[i], p, bytes, err));
        in[i].data = p;
        born__view_row_major(&in[i]);
        at += (bytes + 63) & ~(size_t)63;
    }
    return BORN_OK;
}

/* ---- running on nodes ------------------------------------------------------------------------------------------ */

static void bind_view(born_view *out, const born_view *in)
{
    out->buffer = in->buffer;
    out->offset += in->offset;
    out->data = in->buffer->data ? in->buffer->data + out->offset : NULL;
}

/* Moves results into their nodes; `shared`: out[0] borrows the storage of in[0] and takes its own hold of it. */
static void settle(const born_call *call, born_node *const *out, bool shared)
{
    if (shared) call->out[0].buffer->refs++;
    for (int i = 0; i < call->out_count; i++) out[i]->view = call->out[i];
}

static born_status run_in_room(born_chain *c, int level, born_call *call, born_node *const *in, born_node **out,
                               born_error *err)
{
    bool shares = false;
    for (int i = 0; i < call->in_count; i++) {
        if (in[i]) call->in[i] = in[i]->view;
        else memset(&call->in[i], 0, sizeof call->in[i]);
    }
    if (call->op->host) BORN_TRY(read_host_operands(c, call->op, call->in, call->in_count, err));
    BORN_TRY(born__op_infer(call->op, call->attrs, call->in, call->in_count, call->out, call->out_count, &shares, err));
    shares = shares && call->in[0].buffer;
    if (shares) bind_view(&call->out[0], &call->in[0]);
    int made = 0;
    while (made < call->out_count && (out[made] = born__node_new(c, level)) != NULL) made++;
    born_status s = BORN_OK;
    if (made < call->out_count) {
        s = born__fail(err, BORN_NOMEM, "%s: no memory for results", call->op->name);
    } else {
        born_frame frame = { call, in, out, c->frame };
        c->frame = &frame;
        s = born__backend_run(born__level_link(c, level), call, err);
        c->frame = frame.up;
    }
    if (s == BORN_OK) {
        settle(call, out, shares);
        return BORN_OK;
    }
    for (int i = shares ? 1 : 0; i < call->out_count; i++)
        born__backend_release(born__level_link(c, level), call->out[i].buffer);
    for (int i = 0; i < made; i++) born__node_unref(out[i]);
    return s;
}

born_status born__run_nodes(born_chain *c, int level, const born_op *op, const void *attrs, born_node *const *in,
                            int in_count, born_node **out, int out_count, const born_site *at, born_error *err)
{
    room r;
    attrs_any defaults;
    BORN_FAIL_IF(op->props & BORN_P_CONTROL, err, BORN_UNSUPPORTED, "%s: runs in sessions only", op->name);
    BORN_TRY(room_open(&r, in_count, out_count, err));
    if (op->attrs && !attrs) {
        born__attrs_default(op->attrs, &defaults);
        attrs = &defaults;
    }
    born_call call = { .op = op, .attrs = op->attrs ? attrs : NULL, .at = at, .in_count = in_count,
                       .out_count = out_count, .in = r.in, .out = r.out };
    born_status s = run_in_room(c, level, &call, in, out, err);
    born__free(r.block);
    return s;
}

/* ---- running on handles ---------------------------------------------------------------------------------------- */

typedef struct operands {
    born_chain *chain;      /* of the first operand that has one */
    int level;              /* the highest */
    born_node *poison;      /* the first operand that is poison */
} operands;

/* Handles to nodes. An error here belongs to o->chain, where there is one. */
static born_status gather(const born_op *op, const born_tensor *in, int n, born_node **node, operands *o,
                          born_error *err)
{
    for (int i = 0; i < n; i++) {
        born_node *x = node[i] = born__handle_node(in[i]);
        if (x && x->poison) {
            o->poison = x;
            return BORN_OK;
        }
    }
    int stale = -1;
    for (int i = 0; i < n; i++) {
        born_node *x = node[i];
        if (!x) continue;
        if (!born__handle_fresh(x, in[i])) {
            stale = i;
            if (!o->chain) o->chain = x->chain;
            continue;
        }
        if (!o->chain || stale >= 0) o->chain = x->chain;
        BORN_FAIL_IF(x->chain != o->chain, err, BORN_STATE, "%s: operand %d belongs to another backend", op->name, i);
        if (x->level > o->level) o->level = x->level;
    }
    BORN_FAIL_IF(stale >= 0, err, BORN_STATE, "%s: operand %d: a handle was used after its scope ended", op->name,
                 stale);
    return BORN_OK;
}

static born_tensor spread(born_tensor t, born_tensor *outs, int out_count)
{
    for (int i = 0; outs && i < out_count; i++) outs[i] = t;
    return t;
}

static born_status run_gathered(operands *o, const born_op *op, const void *attrs, born_node *const *in, int n,
                                born_tensor *outs, int out_count, const born_site *at, born_error *err)
{
    born_node *few[BORN_FEW], **made = few;
    if (out_count > BORN_FEW) {
        made = born__calloc((size_t)out_count, sizeof *made);
        BORN_FAIL_IF(!made, err, BORN_NOMEM, "%s: no memory for %d results", op->name, out_count);
    }
    born_status s = born__run_nodes(o->chain, o->level, op, attrs, in, n, made, out_count, at, err);
    for (int i = 0; s == BORN_OK && i < out_count; i++) {
        born__node_own(made[i]);
        outs[i] = born__node_handle(made[i]);
    }
    if (made != few) born__free(made);
    return s;
}

born_tensor born__op_call_on(born_backend *b, const born_op *op, const born_tensor *in, int n, const void *attrs,
                             int out_count, born_tensor *outs, const born_site *at)
{
    born_node *few[BORN_FEW], **node = few;
    born_tensor one;
    born_error err;
    operands o = { b ? b->chain : NULL, b ? b->level : 0, NULL };
    if (!outs) outs = &one;
    if (n > BORN_FEW) node = born__calloc((size_t)n, sizeof *node);
    born_status s = node ? gather(op, in, n, node, &o, &err)
                         : born__fail(&err, BORN_NOMEM, "%s: no memory for %d operands", op->name, n);
    bool runs = s == BORN_OK && o.chain && !o.poison;
    if (runs) s = born__chain_alive(o.chain, &err);
    if (runs && s == BORN_OK) s = run_gathered(&o, op, attrs, node, n, outs, out_count, at, &err);
    if (node != few) born__free(node);
    if (runs && s == BORN_OK) return outs[0];
    if (s && o.chain) born__chain_fail(o.chain, &err, at);
    return spread(o.poison ? born__node_handle(o.poison) : born__poison(s ? s : BORN_INVALID), outs, out_count);
}

born_tensor born__op_call(born_op_id id, const born_tensor *in, int n, const void *attrs, int out_count,
                          born_tensor *outs, const born_site *at)
{
    const born_op *op = &born__ops[id];
    attrs_any room_for_attrs;
    if (op->attrs && attrs) {
        born__attrs_resolve(op->attrs, attrs, &room_for_attrs);
        attrs = &room_for_attrs;
    }
    return born__op_call_on(NULL, op, in, n, attrs, out_count, outs, at);
}

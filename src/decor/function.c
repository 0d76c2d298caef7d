/* Functions of the user's under autodiff: gradients of their own, and checkpoints; and switching recording off. A
   function runs on tensors of the level below an autodiff, so that what it computes is not recorded there; its results
   are then given to that level with one record for the whole. Autodiffs further down do the same for themselves. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "decor/autodiff.h"
#include "waist/desc.h"

static const born_op custom_op = { .name = "custom" }, checkpoint_op = { .name = "checkpoint" };

void born__ad_function_unref(ad_function *fn)
{
    if (!fn || --fn->refs) return;
    if (fn->desc.release) fn->desc.release(fn->desc.user);
    born__free(fn);
}

bool born_grad_mode(born_backend *b, bool record)
{
    bool was = true;
    if (!b || born__chain_alive(b->chain, NULL)) return was;
    for (int level = 1; level < b->chain->levels; level++) {
        born_backend *link = b->chain->link[level];
        if (!born__is_autodiff(link)) continue;
        was = ((const ad_state *)link->state)->paused == 0;
        ((ad_state *)link->state)->paused = !record;
    }
    return was;
}

/* ---- calling --------------------------------------------------------------------------------------------------- */

static born_status result_node(const born_chain *c, born_tensor t, const char *who, int i, born_node **out,
                               born_error *err)
{
    born_node *n = born__handle_node(t);
    BORN_FAIL_IF(!n, err, BORN_INVALID, "%s: the function left result %d empty", who, i);
    if (n->poison) return born__fail(err, born__poison_status(n), "%s: result %d of the function failed", who, i);
    BORN_FAIL_IF(!born__handle_fresh(n, t) || n->chain != c, err, BORN_STATE,
                 "%s: result %d of the function is of an ended scope or another backend", who, i);
    *out = n;
    return BORN_OK;
}

static const char *name_of(const ad_function *fn) { return fn->desc.backward ? custom_op.name : checkpoint_op.name; }

static const born_chain *chain_of(born_node *const *in, int n)
{
    for (int i = 0; i < n; i++)
        if (in[i]) return in[i]->chain;
    return NULL;
}

born_status born__ad_call(const ad_function *fn, born_node *const *in, int n_in, born_node **out, int n_out,
                          born_error *err)
{
    born_tensor from[BORN_FEW] = { { 0 } }, to[BORN_FEW] = { { 0 } };
    born_node *made[BORN_FEW];
    for (int i = 0; i < n_in; i++)
        if (in[i]) from[i] = born__node_handle(in[i]);
    born_status s = fn->desc.forward(fn->desc.user, from, n_in, to, n_out);
    BORN_FAIL_IF(s, err, s, "%s: the function failed", name_of(fn));
    for (int i = 0; i < n_out; i++) BORN_TRY(result_node(chain_of(in, n_in), to[i], name_of(fn), i, &made[i], err));
    memcpy(out, made, sizeof *out * (size_t)n_out);
    return BORN_OK;
}

/* n as it is, under a node of its own that belongs to `level`; the caller's. */
static born_status same_at(born_node *n, int level, born_node **out, born_error *err)
{
    return born__run_nodes(n->chain, level, &born__ops[BORN_OP_IDENTITY], NULL, &n, 1, out, 1, NULL, err);
}

/* The operands as tensors of the level below link; owned by the innermost scope. */
static born_status lowered(const born_backend *link, born_node *const *in, int n, born_node **low, born_error *err)
{
    for (int i = 0; i < n; i++) {
        low[i] = NULL;
        if (!in[i]) continue;
        BORN_TRY(same_at(in[i], link->level - 1, &low[i], err));
        born__node_own(low[i]);
    }
    return BORN_OK;
}

/* ---- recording ------------------------------------------------------------------------------------------------- */

static born_status record_function(born_backend *link, ad_function *fn, born_node *const *in, int n_in,
                                   born_node *const *out, int n_out, const born_site *at, born_error *err)
{
    born_view from[BORN_FEW] = { { 0 } }, to[BORN_FEW] = { { 0 } };
    ad_record *r;
    for (int i = 0; i < n_in; i++)
        if (in[i]) from[i] = in[i]->view;
    for (int i = 0; i < n_out; i++) to[i] = out[i]->view;
    const born_call call = { .op = fn->desc.backward ? &custom_op : &checkpoint_op, .at = at, .in_count = n_in,
                             .out_count = n_out, .in = from, .out = to };
    const born_frame frame = { &call, in, out, NULL };
    BORN_TRY(born__ad_record(link, &frame, &r, err));
    r->fn = fn;
    fn->refs++;
    return BORN_OK;
}

/* Nodes for `level` of what was computed below it, unrecorded; the caller's. None on failure. */
static born_status raised(born_backend *link, int level, born_node *const *low, int n, born_node **out,
                          born_error *err)
{
    ad_state *st = link->state;
    uint32_t paused = st->paused;
    born_status s = BORN_OK;
    int made = 0;
    st->paused = 1;
    while (made < n && s == BORN_OK) {
        s = same_at(low[made], level, &out[made], err);
        if (s == BORN_OK) made++;
    }
    st->paused = paused;
    for (int i = 0; s && i < made; i++) born__node_unref(out[i]);
    return s;
}

/* A node that the caller holds: none of them is owned by a scope. */
static born_status held(born_node *const *from, int n, born_node **out)
{
    for (int i = 0; i < n; i++) {
        born__node_ref(from[i]);
        out[i] = from[i];
    }
    return BORN_OK;
}

/* Runs fn for `level`; the results' nodes are the caller's. Recurses once per autodiff of the chain. */
static born_status custom_at(ad_function *fn, born_chain *c, int level, born_node *const *in, int n_in,
                             born_node **out, int n_out, born_error *err)
{
    born_node *low[BORN_FEW], *made[BORN_FEW];
    born_backend *link = born__autodiff_at(c, level);
    bool wanted = false;
    if (!link) {
        BORN_TRY(born__ad_call(fn, in, n_in, made, n_out, err));
        return held(made, n_out, out);
    }
    BORN_TRY(lowered(link, in, n_in, low, err));
    BORN_TRY(custom_at(fn, c, link->level - 1, low, n_in, made, n_out, err));
    born_status s = BORN_OK;
    for (int i = 0; i < n_out && s == BORN_OK; i++)
        if (made[i]->level >= link->level)
            s = born__fail(err, BORN_STATE, "custom: result %d is made of tensors that the function was not given", i);
    if (s == BORN_OK) s = raised(link, level, made, n_out, out, err);
    for (int i = 0; i < n_out; i++) born__node_unref(made[i]);
    if (s) return s;
    for (int i = 0; i < n_in && !wanted; i++) wanted = born__ad_wanted(born__ad_note(link, in[i]));
    if (wanted && !((const ad_state *)link->state)->paused)
        s = record_function(link, fn, in, n_in, out, n_out, NULL, err);
    for (int i = 0; s && i < n_out; i++) born__node_unref(out[i]);
    return s;
}

/* The block at its operands' own level with recording off, and one record that runs it again. */
static born_status checkpoint_at(ad_function *fn, born_chain *c, int level, born_node *const *in, int n_in,
                                 born_node **out, int n_out, born_error *err)
{
    born_node *made[BORN_FEW];
    born_backend *link = born__autodiff_at(c, level);
    ad_state *st = link ? link->state : NULL;
    if (!st || st->paused) {
        BORN_TRY(born__ad_call(fn, in, n_in, made, n_out, err));
        return held(made, n_out, out);
    }
    st->paused = 1;
    born_status s = born__ad_call(fn, in, n_in, made, n_out, err);
    st->paused = 0;
    if (s == BORN_OK) s = raised(link, level, made, n_out, out, err);
    if (s) return s;
    s = record_function(link, fn, in, n_in, out, n_out, NULL, err);
    for (int i = 0; s && i < n_out; i++) born__node_unref(out[i]);
    return s;
}

/* ---- the gradient of a custom record --------------------------------------------------------------------------- */

static born_status gradient_node(const born_backend *link, const ad_record *r, born_tensor t, int i, born_val *gin,
                                 born_error *err)
{
    born_node *n;
    BORN_TRY(result_node(link->chain, t, r->op->name, i, &n, err));
    const born_view *want = &r->in[i]->view, *got = &n->view;
    bool fits = want->dtype == got->dtype && want->rank == got->rank;
    for (int d = 0; fits && d < want->rank; d++) fits = want->dim[d] == got->dim[d];
    BORN_FAIL_IF(!fits, err, BORN_SHAPE, "custom: the gradient for operand %d has another shape or dtype", i);
    BORN_FAIL_IF(n->level >= link->level, err, BORN_STATE,
                 "custom: the gradient for operand %d is made of tensors that the function was not given", i);
    *gin = born__val(n);
    return BORN_OK;
}

born_status born__ad_custom(const born_backend *link, const ad_record *r, const born_val *gout, born_val *gin,
                            born_error *err)
{
    born_node *in[BORN_FEW], *out[BORN_FEW];
    born_tensor from[BORN_FEW] = { { 0 } }, to[BORN_FEW] = { { 0 } };
    born_tensor g[BORN_FEW] = { { 0 } }, made[BORN_FEW] = { { 0 } };
    BORN_TRY(lowered(link, r->in, r->in_count, in, err));
    BORN_TRY(lowered(link, r->out, r->out_count, out, err));
    for (int i = 0; i < r->in_count; i++)
        if (in[i]) from[i] = born__node_handle(in[i]);
    for (int i = 0; i < r->out_count; i++) {
        if (out[i]) to[i] = born__node_handle(out[i]);
        if (gout[i]) g[i] = born__node_handle(born__val_node(gout[i]));
    }
    const born_custom_desc *f = &r->fn->desc;
    born_status s = f->backward(f->user, from, r->in_count, to, r->out_count, g, made);
    BORN_FAIL_IF(s, err, s, "custom: the gradient's function failed");
    for (int i = 0; i < r->in_count; i++)
        if (r->in[i] && made[i].w) BORN_TRY(gradient_node(link, r, made[i], i, &gin[i], err));
    return BORN_OK;
}

/* ---- the public side ------------------------------------------------------------------------------------------- */

typedef struct operands {
    born_chain *chain;
    int level;
    born_node *in[BORN_FEW];
} operands;

static born_status gather(const born_tensor *in, int n_in, int n_out, const char *who, operands *o, born_error *err)
{
    BORN_FAIL_IF(n_in < 1 || n_in > BORN_FEW || n_out < 1 || n_out > BORN_FEW, err, BORN_INVALID,
                 "%s: %d operands and %d results, where 1 to %d are allowed", who, n_in, n_out, BORN_FEW);
    for (int i = 0; i < n_in; i++) {
        born_node *n = o->in[i] = born__handle_node(in[i]);
        if (!n) continue;
        if (n->poison) return born__fail(err, born__poison_status(n), "%s: operand %d failed", who, i);
        BORN_FAIL_IF(!born__handle_fresh(n, in[i]), err, BORN_STATE,
                     "%s: operand %d: a handle was used after its scope ended", who, i);
        BORN_FAIL_IF(o->chain && n->chain != o->chain, err, BORN_STATE, "%s: operand %d belongs to another backend",
                     who, i);
        o->chain = n->chain;
        if (n->level > o->level) o->level = n->level;
    }
    BORN_FAIL_IF(!o->chain, err, BORN_INVALID, "%s: no operand is a tensor", who);
    return born__chain_alive(o->chain, err);
}

static born_status apply(const born_custom_desc *desc, operands *o, int n_in, born_tensor *out, int n_out,
                         born_error *err)
{
    born_node *made[BORN_FEW];
    ad_function *fn = born__calloc(1, sizeof *fn);
    if (!fn) {
        if (desc->release) desc->release(desc->user);
        return born__fail(err, BORN_NOMEM, "custom: out of memory");
    }
    fn->desc = *desc;
    fn->refs = 1;
    born_scope scope = born_scope_begin(o->chain->link[o->level]);
    born_status s = (desc->backward ? custom_at : checkpoint_at)(fn, o->chain, o->level, o->in, n_in, made, n_out, err);
    born_scope_end(scope);
    for (int i = 0; s == BORN_OK && i < n_out; i++) {
        if (!made[i]->held) born__node_own(made[i]);
        else born__node_unref(made[i]);
        out[i] = born__node_handle(made[i]);
    }
    born__ad_function_unref(fn);
    return s;
}

static born_status run(const born_custom_desc *desc, const char *who, const born_tensor *in, int n_in,
                       born_tensor *out, int n_out)
{
    operands o = { 0 };
    born_error err = { 0 };
    born_status s = gather(in, n_in, n_out, who, &o, &err);
    if (s && desc->release) desc->release(desc->user);
    if (s == BORN_OK) s = apply(desc, &o, n_in, out, n_out, &err);
    if (s && o.chain) born__chain_fail(o.chain, &err, NULL);
    for (int i = 0; s && i < n_out; i++) out[i] = born__poison(s);
    return s;
}

born_status born_custom_sized(const born_custom_desc *desc, size_t desc_bytes, const born_tensor *in, int n_in,
                              born_tensor *out, int n_out)
{
    born_custom_desc d = { 0 };
    born_error err;
    if (!desc || !in || !out) return BORN_INVALID;
    BORN_TRY(born__desc_read(&d, sizeof d, desc, desc_bytes, "custom", &err));
    if (!d.forward || !d.backward) return BORN_INVALID;
    return run(&d, custom_op.name, in, n_in, out, n_out);
}

born_status born_recompute(born_block_fn block, void *user, void (*release)(void *user), const born_tensor *in,
                            int n_in, born_tensor *out, int n_out)
{
    const born_custom_desc d = { .forward = block, .user = user, .release = release };
    if (!block || !in || !out) return BORN_INVALID;
    return run(&d, checkpoint_op.name, in, n_in, out, n_out);
}

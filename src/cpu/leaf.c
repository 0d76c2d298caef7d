/* The CPU leaf: twelve functions over host memory. A call is decided once (fast kernel, reference, or either of them
   on widened halves) by its query; a plan keeps the decisions, an eager call decides each time. Work is done when a
   call returns, so sync has nothing to do. */
#include "cpu/leaf.h"

#include <string.h>

#include "base/alloc.h"
#include "base/fpenv.h"
#include "base/text.h"
#include "ops/ref.h"

/* ---- moving host data ------------------------------------------------------------------------------------------ */

typedef struct move_ctx { size_t size; } move_ctx;

static void body_move(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    size_t size = ((const move_ctx *)ctx)->size;
    char *to = p[0];
    const char *from = p[1];
    if (step[0] == (int64_t)size && step[1] == (int64_t)size) {
        memcpy(to, from, (size_t)n * size);
        return;
    }
    for (int64_t i = 0; i < n; i++, to += step[0], from += step[1]) memcpy(to, from, size);
}

/* dst and src have the same dims and dtype. */
static born_status move(const born_view *dst, const born_view *src, const char *who, born_error *err)
{
    int64_t bytes = born__view_bytes(dst);
    if (bytes == 0) return BORN_OK;
    if (born__view_contiguous(dst) && born__view_contiguous(src)) {
        memmove(dst->data, src->data, (size_t)bytes);
        return BORN_OK;
    }
    move_ctx m = { (size_t)born__dtype_info(dst->dtype)->size };
    BORN_FAIL_IF(m.size == 0, err, BORN_UNSUPPORTED, "%s: strided %s on cpu", who, born_dtype_name(dst->dtype));
    born_nd walk;
    born__nd_start(&walk, dst->dim, dst->rank);
    born__nd_add(&walk, dst);
    born__nd_add(&walk, src);
    born__nd_merge(&walk);
    born__nd_range(&walk, 0, walk.total, body_move, &m);
    return BORN_OK;
}

static born_status leaf_write(born_backend *self, const born_view *dst, const void *src, size_t bytes, born_error *err)
{
    (void)self;
    BORN_FAIL_IF(born__view_bytes(dst) != (int64_t)bytes, err, BORN_INVALID, "write: %zu bytes given for %lld", bytes,
                 (long long)born__view_bytes(dst));
    BORN_FAIL_IF(bytes && !src, err, BORN_INVALID, "write: no data");
    born_view from = *dst;
    from.data = (char *)(uintptr_t)src;
    born__view_row_major(&from);
    BORN_TRY(move(dst, &from, "write", err));
    if (dst->buffer) {
        dst->buffer->version++;
        dst->buffer->writer = "write";
    }
    return BORN_OK;
}

static born_status leaf_read(born_backend *self, const born_view *src, void *dst, size_t bytes, born_error *err)
{
    (void)self;
    BORN_FAIL_IF(born__view_bytes(src) != (int64_t)bytes, err, BORN_INVALID, "read: %zu bytes asked of %lld", bytes,
                 (long long)born__view_bytes(src));
    BORN_FAIL_IF(bytes && !dst, err, BORN_INVALID, "read: no room given");
    born_view to = *src;
    to.data = dst;
    born__view_row_major(&to);
    return move(&to, src, "read", err);
}

static born_status leaf_copy(born_backend *self, const born_view *src, const born_view *dst, born_error *err)
{
    (void)self;
    bool same = src->dtype == dst->dtype && src->rank == dst->rank;
    for (int i = 0; same && i < src->rank; i++) same = src->dim[i] == dst->dim[i];
    BORN_FAIL_IF(!same, err, BORN_SHAPE, "copy: source and target differ in dtype or shape");
    BORN_TRY(move(dst, src, "copy", err));
    if (dst->buffer) {
        dst->buffer->version++;
        dst->buffer->writer = "copy";
    }
    return BORN_OK;
}

/* ---- deciding -------------------------------------------------------------------------------------------------- */

/* How a call will run. */
typedef struct choice {
    const born_kernel *kernel;      /* NULL: the reference */
    bool widened;
    size_t wide_bytes;              /* of the stand-ins, before the kernel's own scratch */
    size_t scratch_bytes;           /* in all */
} choice;

static bool is_half(born_dtype t) { return t == BORN_F16 || t == BORN_BF16; }

/* The stand-ins of a widened call start behind its views. */
static size_t views_bytes(const born_call *c)
{
    return ((size_t)(c->in_count + c->out_count) * sizeof(born_view) + 63) & ~(size_t)63;
}

static born_status choose_widened(const born_call *c, born_query *q, choice *how, born_error *err)
{
    born_view few[BORN_FEW], *room = few;
    born_call w;
    size_t n = (size_t)(c->in_count + c->out_count);
    if (n > BORN_FEW) room = born__calloc(n, sizeof *room);
    BORN_FAIL_IF(!room, err, BORN_NOMEM, "%s: no memory for %zu operands", c->op->name, n);
    born__widen_layout(c, &w, room, NULL);
    how->widened = true;
    how->wide_bytes = born__widen_bytes(c);
    /* A plan hands back only the kernel, and from its dtype the run must tell widened from native: see is_widened. */
    if (c->in_count && is_half(c->in[0].dtype)) how->kernel = born__kernel_pick(&w, q);
    if (!how->kernel) {
        born__query_reset(q);
        q->scratch_bytes = c->op->scratch ? c->op->scratch(&w) : 0;
    }
    if (room != few) born__free(room);
    q->in_place = 0;
    q->pack_operand = -1;
    bool fits = how->wide_bytes != SIZE_MAX && born__add_size(how->wide_bytes, views_bytes(c), &how->wide_bytes) &&
                born__add_size(how->wide_bytes, q->scratch_bytes, &how->scratch_bytes);
    BORN_FAIL_IF(!fits, err, BORN_NOMEM, "%s: operands are too large", c->op->name);
    return BORN_OK;
}

static born_status choose(const born_call *c, born_query *q, choice *how, born_error *err)
{
    *how = (choice){ .kernel = born__kernel_pick(c, q) };
    if (how->kernel) {
        how->scratch_bytes = q->scratch_bytes;
        return BORN_OK;
    }
    if (!c->op->ref) {
        born__query_reset(q);
        return BORN_OK;
    }
    if (born__widen_needed(c)) return choose_widened(c, q, how, err);
    born__query_reset(q);
    how->scratch_bytes = c->op->scratch ? c->op->scratch(c) : 0;
    return BORN_OK;
}

static bool same_places(const born_view *a, const born_view *b)
{
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (int d = 0; same && d < a->rank; d++)
        same = a->dim[d] == b->dim[d] && (a->dim[d] <= 1 || a->stride[d] == b->stride[d]);
    return same;
}

/* Inputs whose storage result 0 may take over. */
static uint32_t in_place_mask(const born_call *c)
{
    uint32_t mask = 0;
    if (!(c->op->props & BORN_P_INPLACE) || !c->out_count) return 0;
    int n = c->op->props & BORN_P_ELEMENTWISE ? c->in_count : 1;
    for (int i = 0; i < n && i < c->in_count && i < 32; i++)
        if (same_places(&c->in[i], &c->out[0])) mask |= 1u << i;
    return mask;
}

/* What a call names when nothing runs it. */
static born_dtype named_dtype(const born_call *c)
{
    return c->in_count ? c->in[0].dtype : c->out_count ? c->out[0].dtype : BORN_DTYPE_NONE;
}

static bool runnable(const born_call *c, const choice *how)
{
    return how->kernel || c->op->ref || (c->op->props & BORN_P_VIEW);
}

static born_status leaf_query(born_backend *self, const born_call *c, born_query *q, born_error *err)
{
    choice how;
    (void)self;
    BORN_TRY(choose(c, q, &how, err));
    q->supported = runnable(c, &how);
    q->kernel = how.kernel;
    q->scratch_bytes = how.scratch_bytes;
    if (!how.widened) q->in_place |= in_place_mask(c);
    q->appends = !how.widened;
    if (!q->supported) {
        born_text why = born__text_in(q->why, sizeof q->why);
        born__text_add(&why, "%s: no kernel for %s on cpu", c->op->name, born_dtype_name(named_dtype(c)));
    }
    return BORN_OK;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

/* Whether out[0] of a view op lies in the storage of in[0]: then nothing is to be done. */
static bool view_is_shared(const born_call *c)
{
    if (!(c->op->props & BORN_P_VIEW) || !c->in_count || !c->out_count) return false;
    const born_view *v = &c->in[0], *o = &c->out[0];
    if (born__view_count(o) == 0) return true;
    if (!v->data || !o->data || v->buffer != o->buffer) return false;
    int64_t lo = 0, hi = 0, size = born__dtype_info(v->dtype)->size;
    for (int d = 0; d < v->rank; d++) {
        int64_t reach = (v->dim[d] - 1) * v->stride[d];
        if (reach > 0) hi += reach;
        else lo += reach;
    }
    if (size == 0) return o->data == v->data;
    return o->data >= v->data + lo * size && o->data <= v->data + hi * size;
}

/* Gives results without storage their own, or a share of in[0]'s where the rule of a view op says so. */
static born_status place_results(born_backend *self, born_call *c, born_error *err)
{
    for (int i = 0; i < c->out_count; i++) {
        born_view *o = &c->out[i];
        if (o->buffer || o->data) continue;
        if (i == 0 && (c->op->props & BORN_P_VIEW) && c->out_count == 1 && c->in_count && c->in[0].buffer) {
            bool shares = false;
            born_view v;
            BORN_TRY(born__op_infer(c->op, c->attrs, c->in, c->in_count, &v, 1, &shares, err));
            if (shares) {
                *o = v;
                o->buffer = c->in[0].buffer;
                o->buffer->refs++;
                o->offset += c->in[0].offset;
                o->data = o->buffer->data + o->offset;
                continue;
            }
        }
        int64_t bytes = born__view_bytes(o);
        BORN_FAIL_IF(bytes < 0, err, BORN_RANGE, "%s: result %d is too large", c->op->name, i);
        BORN_TRY(born__cpu_alloc(self, (size_t)bytes, 64, NULL, NULL, &o->buffer, err));
        o->data = o->buffer->data;
        o->offset = 0;
    }
    return BORN_OK;
}

static void trim_results(born_call *c)
{
    for (int i = 0; i < c->out_count; i++) born__view_row_major(&c->out[i]);
}

static born_status execute_widened(born_call *c, const choice *how, born_exec *x)
{
    born_call w;
    char *base = (char *)x->scratch + views_bytes(c);
    born__widen_layout(c, &w, x->scratch, base);
    born__widen_in(c, &w, x);
    born_exec inner = *x;
    inner.scratch = (char *)x->scratch + how->wide_bytes;
    inner.scratch_bytes = x->scratch_bytes > how->wide_bytes ? x->scratch_bytes - how->wide_bytes : 0;
    BORN_TRY((how->kernel ? how->kernel->run : c->op->ref)(&w, &inner));
    born__widen_out(c, &w, x);
    return BORN_OK;
}

static born_status execute(born_call *c, const choice *how, born_exec *x)
{
    BORN_FAIL_IF(!how->kernel && !c->op->ref, x->err, BORN_UNSUPPORTED, "%s: no kernel for %s on cpu", c->op->name,
                 born_dtype_name(named_dtype(c)));
    BORN_TRY(how->widened ? execute_widened(c, how, x) : (how->kernel ? how->kernel->run : c->op->ref)(c, x));
    if (c->op->props & BORN_P_EXTENT) trim_results(c);
    return BORN_OK;
}

static born_status leaf_scratch(born_cpu_leaf *leaf, size_t bytes, const char *op, born_error *err)
{
    if (bytes <= leaf->scratch_bytes) return BORN_OK;
    void *p = born__alloc(bytes);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "%s: no memory for %zu bytes of scratch", op, bytes);
    born__free(leaf->scratch);
    leaf->scratch = p;
    leaf->scratch_bytes = bytes;
    return BORN_OK;
}

static born_status leaf_run(born_backend *self, born_call *c, born_error *err)
{
    born_cpu_leaf *leaf = self->state;
    choice how;
    born_query q;
    BORN_TRY(place_results(self, c, err));
    if (view_is_shared(c)) return BORN_OK;
    BORN_TRY(choose(c, &q, &how, err));
    BORN_TRY(leaf_scratch(leaf, how.scratch_bytes, c->op->name, err));
    born_exec x = { leaf->dev->pool, leaf->scratch, leaf->scratch_bytes, err };
    born_fpenv env = born__fpenv_enter();
    born_status s = execute(c, &how, &x);
    born__fpenv_leave(env);
    bool in_place = c->op->props & BORN_P_EFFECT && c->in_count && c->out_count && c->out[0].buffer &&
                    c->out[0].buffer == c->in[0].buffer;
    if (in_place) {
        c->out[0].buffer->version++;
        c->out[0].buffer->writer = c->op->name;
    }
    return s;
}

/* The plan says which kernel; halves met by an f32 kernel, or by a reference that has no halves, were widened. */
static bool is_widened(const born_call *c, const born_kernel *k)
{
    if (!born__widen_needed(c)) return false;
    return !k || (c->in_count && is_half(c->in[0].dtype) && k->dtype == BORN_F32);
}

static born_status leaf_run_plan(born_backend *self, born_plan *plan, born_error *err)
{
    born_cpu_leaf *leaf = self->state;
    born_status s = BORN_OK;
    born_fpenv env = born__fpenv_enter();
    for (int64_t i = 0; i < plan->count && s == BORN_OK; i++) {
        born_plan_call *p = &plan->call[i];
        if (view_is_shared(&p->call)) continue;
        size_t at = p->scratch_offset < 0 ? plan->scratch_bytes : (size_t)p->scratch_offset;
        born_exec x = { leaf->dev->pool, plan->scratch ? (char *)plan->scratch + at : NULL, plan->scratch_bytes - at,
                        err };
        choice how = { .kernel = p->kernel };
        how.widened = is_widened(&p->call, p->kernel);
        if (how.widened) how.wide_bytes = born__widen_bytes(&p->call) + views_bytes(&p->call);
        s = execute(&p->call, &how, &x);
    }
    born__fpenv_leave(env);
    return s;
}

/* Packs the constant operands a plan wants packed, weights side by side on the pool. */
static void pack_range(void *ctx, int64_t begin, int64_t end)
{
    const born_plan *plan = ctx;
    for (int64_t i = begin; i < end; i++) {
        born_plan_call *p = &plan->call[i];
        const born_kernel *k = p->kernel;
        if (!p->pack_to || !k || !k->pack) continue;
        k->pack(&p->call, p->pack_to);
        if (plan->packed) plan->packed(plan->user, p);
    }
}

static born_status leaf_prepare(born_backend *self, born_plan *plan, born_error *err)
{
    born_cpu_leaf *leaf = self->state;
    bool any = false;
    (void)err;
    for (int64_t i = 0; i < plan->count && !any; i++) any = plan->call[i].pack_to != NULL;
    if (any) born__pool_for(leaf->dev->pool, plan->count, 1, pack_range, plan);
    plan->prepared = NULL;      /* kernels come with the plan, packed operands with its calls */
    return BORN_OK;
}

static void leaf_discard(born_backend *self, born_plan *plan)
{
    (void)self;
    plan->prepared = NULL;
}

static born_status leaf_sync(born_backend *self, born_error *err)
{
    (void)self;
    (void)err;
    return BORN_OK;
}

static void leaf_destroy(born_backend *self)
{
    born_cpu_leaf *leaf = self->state;
    born__cpu_leaf_empty(leaf);
    born__free(leaf->scratch);
    born_device_close(&leaf->dev);
}

static const born_backend_ops leaf_ops = {
    .name = "cpu",
    .alloc = born__cpu_alloc,
    .release = born__cpu_release,
    .write = leaf_write,
    .read = leaf_read,
    .copy = leaf_copy,
    .query = leaf_query,
    .run = leaf_run,
    .prepare = leaf_prepare,
    .run_plan = leaf_run_plan,
    .discard = leaf_discard,
    .sync = leaf_sync,
    .destroy = leaf_destroy,
};

/* ---- opening --------------------------------------------------------------------------------------------------- */

born_backend *born_cpu_on(born_device *d)
{
    born_error err = { 0 };
    if (!d) {
        born__fail(&err, BORN_INVALID, "cpu: no device was given");
        return born__link_dead(&err);
    }
    if (d->error.status) return born__link_dead(&d->error);
    born_backend *b = born__link_new(&leaf_ops, BORN_RANK_LEAF, NULL, sizeof(born_cpu_leaf));
    if (b->chain->dead) return b;
    born__device_hold(d);
    ((born_cpu_leaf *)b->state)->dev = d;
    return b;
}

born_backend *born_cpu_sized(const born_cpu_desc *desc, size_t desc_bytes)
{
    born_device *d = born_device_cpu_sized(desc, desc_bytes);
    born_backend *b = born_cpu_on(d);
    born_device_close(&d);
    return b;
}

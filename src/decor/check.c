/* The check decorator: validates every call that passes, and what came back. born_check_compare also runs each call
   on a second chain and compares bits, so the first op that differs is named. For tests and for finding out whose
   fault it is; slow by design. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "decor/compare.h"
#include "tensor/view.h"
#include "waist/chain.h"

/* ---- views ----------------------------------------------------------------------------------------------------- */

/* Whether every element of v lies in its buffer. */
static born_status check_inside(const born_view *v, const char *op, const char *what, int i, born_error *err)
{
    int64_t lo = v->offset, hi = v->offset, size = born__dtype_info(v->dtype)->size;
    if (!v->buffer || born__view_count(v) == 0) return BORN_OK;
    if (size == 0) {
        int64_t bytes = born__view_bytes(v);
        BORN_FAIL_IF(bytes < 0 || lo < 0 || (uint64_t)lo + (uint64_t)bytes > v->buffer->bytes, err, BORN_INTERNAL,
                     "check: %s %d of %s reaches outside its storage", what, i, op);
        return BORN_OK;
    }
    bool fits = true;
    for (int d = 0; d < v->rank && fits; d++) {
        int64_t reach = 0;
        fits = !__builtin_mul_overflow(v->dim[d] - 1, v->stride[d], &reach) &&
               !__builtin_mul_overflow(reach, size, &reach) &&
               !__builtin_add_overflow(reach < 0 ? lo : hi, reach, reach < 0 ? &lo : &hi);
    }
    fits = fits && lo >= 0 && (uint64_t)hi + (uint64_t)size <= v->buffer->bytes;
    BORN_FAIL_IF(!fits, err, BORN_INTERNAL, "check: %s %d of %s reaches outside its storage", what, i, op);
    return BORN_OK;
}

static born_status check_view(const born_view *v, const char *op, const char *what, int i, born_error *err)
{
    int64_t count = 0;
    BORN_FAIL_IF(v->dtype <= BORN_DTYPE_NONE || v->dtype >= BORN_DTYPE_COUNT, err, BORN_INTERNAL,
                 "check: %s %d of %s has no dtype", what, i, op);
    BORN_FAIL_IF(v->rank < 0 || v->rank > BORN_MAX_RANK || !born__shape_count(v->dim, v->rank, &count), err,
                 BORN_INTERNAL, "check: %s %d of %s has no shape", what, i, op);
    BORN_FAIL_IF(v->buffer && v->buffer->data && v->data && v->data != v->buffer->data + v->offset, err, BORN_INTERNAL,
                 "check: %s %d of %s: address and offset disagree", what, i, op);
    return check_inside(v, op, what, i, err);
}

/* The rule must say of the results what the call says. */
static born_status check_rule(const born_call *c, born_error *err)
{
    born_view few[BORN_FEW], *out = few;
    bool shares;
    char a[96], b[96];
    if (c->out_count > BORN_FEW) out = born__calloc((size_t)c->out_count, sizeof *out);
    BORN_FAIL_IF(!out, err, BORN_NOMEM, "check: no memory for %d results", c->out_count);
    born_status s = born__op_infer(c->op, c->attrs, c->in, c->in_count, out, c->out_count, &shares, err);
    for (int i = 0; i < c->out_count && s == BORN_OK; i++) {
        bool same = out[i].dtype == c->out[i].dtype && out[i].rank == c->out[i].rank;
        for (int d = 0; same && d < out[i].rank; d++) same = out[i].dim[d] == c->out[i].dim[d];
        if (!same)
            s = born__fail(err, BORN_INTERNAL, "check: result %d of %s is %s %s where its rule says %s %s", i,
                           c->op->name, born_dtype_name(c->out[i].dtype),
                           born__shape_text(c->out[i].dim, c->out[i].rank, a, sizeof a), born_dtype_name(out[i].dtype),
                           born__shape_text(out[i].dim, out[i].rank, b, sizeof b));
    }
    if (out != few) born__free(out);
    return s;
}

static born_status check_results(const born_call *c, const born_view *bound, born_error *err)
{
    for (int i = 0; i < c->out_count; i++) {
        BORN_FAIL_IF(!c->out[i].buffer && !c->out[i].data, err, BORN_INTERNAL, "check: %s gave result %d no storage",
                     c->op->name, i);
        for (int d = 0; d < c->out[i].rank; d++) {
            bool good = c->op->props & BORN_P_EXTENT ? c->out[i].dim[d] <= bound[i].dim[d]
                                                     : c->out[i].dim[d] == bound[i].dim[d];
            BORN_FAIL_IF(!good, err, BORN_INTERNAL, "check: %s changed the sizes of result %d", c->op->name, i);
        }
        BORN_TRY(check_view(&c->out[i], c->op->name, "result", i, err));
    }
    return BORN_OK;
}

/* ---- the link -------------------------------------------------------------------------------------------------- */

static born_status run_checked(born_backend *self, born_call *c, born_view *bound, born_error *err)
{
    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].dtype != BORN_DTYPE_NONE) BORN_TRY(check_view(&c->in[i], c->op->name, "operand", i, err));
    BORN_TRY(check_rule(c, err));
    memcpy(bound, c->out, (size_t)c->out_count * sizeof *bound);
    born_compare cmp;
    born_status s = born__compare_begin(self, c, &cmp, err);
    if (s == BORN_OK) s = born__backend_run(self->below, c, err);
    if (s == BORN_OK) s = check_results(c, bound, err);
    if (s == BORN_OK) s = born__compare_finish(self, c, &cmp, err);
    born__compare_end(&cmp);
    return s;
}

static born_status check_run(born_backend *self, born_call *c, born_error *err)
{
    born_view few[BORN_FEW], *bound = few;
    if (c->out_count > BORN_FEW) bound = born__calloc((size_t)c->out_count, sizeof *bound);
    BORN_FAIL_IF(!bound, err, BORN_NOMEM, "check: no memory for %d results", c->out_count);
    born_status s = run_checked(self, c, bound, err);
    if (bound != few) born__free(bound);
    return s;
}

static born_status check_write(born_backend *self, const born_view *dst, const void *src, size_t n, born_error *err)
{
    BORN_TRY(check_view(dst, "write", "target", 0, err));
    return born__backend_write(self->below, dst, src, n, err);
}

static born_status check_read(born_backend *self, const born_view *src, void *dst, size_t n, born_error *err)
{
    BORN_TRY(check_view(src, "read", "source", 0, err));
    return born__backend_read(self->below, src, dst, n, err);
}

static born_status check_copy(born_backend *self, const born_view *src, const born_view *dst, born_error *err)
{
    BORN_TRY(check_view(src, "copy", "source", 0, err));
    BORN_TRY(check_view(dst, "copy", "target", 0, err));
    return born__backend_copy(self->below, src, dst, err);
}

static void check_destroy(born_backend *self) { born_backend_close(&((born_check_state *)self->state)->other); }

static const born_backend_ops check_ops = {
    .name = "check",
    .write = check_write,
    .read = check_read,
    .copy = check_copy,
    .run = check_run,
    .destroy = check_destroy,
};

born_backend *born_check(born_backend *below)
{
    born_backend *b = born__link_new(&check_ops, BORN_RANK_CHECK, below, sizeof(born_check_state));
    if (b->ops == &check_ops && !b->chain->dead) b->forget = born__compare_forget;
    return b;
}

born_backend *born_check_compare(born_backend *below, born_backend *other)
{
    born_error err = { 0 };
    born_backend *b = born_check(below);
    if (b->ops == &check_ops && !b->chain->dead && other && !other->chain->dead && other->chain != b->chain) {
        ((born_check_state *)b->state)->other = other;
        return b;
    }
    if (!other || other->chain == b->chain)
        born__fail(&err, BORN_INVALID, "check_compare: no second backend was given");
    else
        err = other->chain->error;
    if (err.status) b = born__chain_kill(b, &err);
    if (other && other->chain != b->chain) born_backend_close(&other);
    return b;
}

/* Running every call twice: once below, once on another chain, and comparing the results bit for bit (any NaN equals
   any NaN). A tensor's shadow on the other chain is its note; it is made from the tensor's bytes when first needed
   and again when the tensor was overwritten. */
#include "decor/compare.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tensor/view.h"

typedef struct shadow {
    born_node *node;            /* of the other chain; held */
    uint32_t version;           /* of the tensor's storage when it was copied */
} shadow;

void born__compare_forget(born_backend *self, void *note)
{
    shadow *s = note;
    (void)self;
    born__node_unref(s->node);
    born__free(s);
}

static uint32_t version_of(const born_view *v) { return v->buffer ? v->buffer->version : 0; }

/* v's value as a node of the other chain, held for the caller. */
static born_status copy_over(born_backend *self, const born_view *v, born_node **out, born_error *err)
{
    born_backend *other = ((born_check_state *)self->state)->other;
    int64_t bytes = born__view_bytes(v);
    BORN_FAIL_IF(bytes < 0, err, BORN_RANGE, "check: an operand is too large");
    char *p = born__alloc((size_t)bytes);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "check: no memory for %lld bytes", (long long)bytes);
    born_status s = born__backend_read(self->below, v, p, (size_t)bytes, err);
    if (s == BORN_OK)
        s = born__node_from(other->chain, other->chain->levels - 1, v->dtype, v->dim, v->rank, p, out, err);
    born__free(p);
    return s;
}

/* The shadow of a tensor (n), or of a bare view; held for the caller. */
static born_status shadow_of(born_backend *self, born_node *n, const born_view *v, born_node **out, born_error *err)
{
    shadow *s = n ? n->note[self->level - 1] : NULL;
    if (s && s->version == version_of(v)) {
        born__node_ref(s->node);
        *out = s->node;
        return BORN_OK;
    }
    BORN_TRY(copy_over(self, v, out, err));
    if (!n) return BORN_OK;
    if (!s) {
        s = born__calloc(1, sizeof *s);
        if (!s) return BORN_OK;     /* it will be copied again */
        n->note[self->level - 1] = s;
    }
    born__node_ref(*out);
    born__node_unref(s->node);
    s->node = *out;
    s->version = version_of(v);
    return BORN_OK;
}

static bool is_nan(born_dtype t, const unsigned char *p)
{
    double v = born__load_f64(t, p);
    return v != v;
}

static born_status compare_bits(const born_call *c, int i, const unsigned char *a, const unsigned char *b,
                                int64_t bytes, born_error *err)
{
    born_dtype t = c->out[i].dtype;
    int size = born__dtype_info(t)->size;
    if (memcmp(a, b, (size_t)bytes) == 0) return BORN_OK;
    if (size == 0) size = 1;
    for (int64_t at = 0; at + size <= bytes; at += size) {
        if (memcmp(a + at, b + at, (size_t)size) == 0) continue;
        bool number = born__dtype_info(t)->cls != 'Q';
        if (born__dtype_info(t)->cls == 'F' && is_nan(t, a + at) && is_nan(t, b + at)) continue;
        return born__fail(err, BORN_MISMATCH, "check: %s differs in element %lld of result %d: %.9g here, %.9g there",
                          c->op->name, (long long)(at / size), i, number ? born__load_f64(t, a + at) : 0,
                          number ? born__load_f64(t, b + at) : 0);
    }
    return BORN_OK;
}

static born_status compare_result(born_backend *self, const born_call *c, int i, born_node *there, born_error *err)
{
    const born_view *here = &c->out[i], *v = &there->view;
    bool same = here->dtype == v->dtype && here->rank == v->rank;
    for (int d = 0; same && d < here->rank; d++) same = here->dim[d] == v->dim[d];
    BORN_FAIL_IF(!same, err, BORN_MISMATCH, "check: %s gives result %d another shape there", c->op->name, i);
    size_t bytes = (size_t)born__view_bytes(here);
    unsigned char *p = born__calloc(2, bytes ? bytes : 1);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "check: no memory for %zu bytes", 2 * bytes);
    born_status s = born__backend_read(self->below, here, p, bytes, err);
    if (s == BORN_OK) s = born__backend_read(born__node_link(there), v, p + bytes, bytes, err);
    if (s == BORN_OK) s = compare_bits(c, i, p, p + bytes, (int64_t)bytes, err);
    born__free(p);
    return s;
}

/* Random and in-place ops would act a second time on their own state: they are not compared. */
static bool comparable(const born_call *c) { return !(c->op->props & (BORN_P_EFFECT | BORN_P_CONTROL)); }

/* Before the call runs below, since it may overwrite its operands: plans place results in storage that dies. */
born_status born__compare_begin(born_backend *self, const born_call *c, born_compare *cmp, born_error *err)
{
    const born_frame *f = self->chain->frame;
    bool mine = f && f->call == c;
    memset(cmp, 0, sizeof *cmp);
    if (!((born_check_state *)self->state)->other || !comparable(c)) return BORN_OK;
    cmp->in = born__calloc((size_t)(c->in_count + c->out_count + 1), sizeof *cmp->in);
    BORN_FAIL_IF(!cmp->in, err, BORN_NOMEM, "check: no memory for %d operands", c->in_count);
    cmp->out = cmp->in + c->in_count;
    born_status s = BORN_OK;
    for (; cmp->held < c->in_count && s == BORN_OK; cmp->held++)
        if (c->in[cmp->held].dtype != BORN_DTYPE_NONE)
            s = shadow_of(self, mine ? f->in[cmp->held] : NULL, &c->in[cmp->held], &cmp->in[cmp->held], err);
    return s;
}

born_status born__compare_finish(born_backend *self, const born_call *c, born_compare *cmp, born_error *err)
{
    born_backend *other = ((born_check_state *)self->state)->other;
    if (!cmp->in) return BORN_OK;
    BORN_TRY(born__run_nodes(other->chain, other->chain->levels - 1, c->op, c->attrs, cmp->in, c->in_count, cmp->out,
                             c->out_count, c->at, err));
    cmp->made = c->out_count;
    for (int i = 0; i < c->out_count; i++) BORN_TRY(compare_result(self, c, i, cmp->out[i], err));
    return BORN_OK;
}

void born__compare_end(born_compare *cmp)
{
    for (int i = 0; i < cmp->held; i++) born__node_unref(cmp->in[i]);
    for (int i = 0; i < cmp->made; i++) born__node_unref(cmp->out[i]);
    born__free(cmp->in);
}

/* Moves what follows a product into it: a constant bias along the channels, a residual of the same sizes, one unary
   activation. The product's kernels apply them in that order, each rounded, so the bits are those of separate nodes.
   Each step looks at the only reader of the product's result, so a chain fuses link by link. */
#include <string.h>

#include "base/error.h"
#include "graph/edit.h"
#include "graph/patterns.h"

static const born_attr_field *field(const born_op *op, const char *name)
{
    for (int i = 0; op->attrs && i < op->attrs->count; i++)
        if (!strcmp(op->attrs->field[i].name, name)) return &op->attrs->field[i];
    return NULL;
}

static void *attr(const born_gnode *n, const char *name)
{
    const born_attr_field *f = field(n->op, name);

    return f && n->attrs ? (char *)n->attrs + f->offset : NULL;
}

static bool same_dims(const born_value *a, const born_value *b)
{
    if (a->rank < 0 || a->rank != b->rank || a->dtype != b->dtype) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] < 0 || a->dim[i] != b->dim[i]) return false;
    return true;
}

/* Is constant b, broadcast against the product's result (rank, channel axis), one number per channel? */
static bool is_bias(const born_value *b, const born_value *result, int channel)
{
    int axis = channel < 0 ? result->rank + channel : channel;

    if (b->dtype != result->dtype || b->rank < 1 || result->rank < 0 || axis < 0 || axis >= result->rank ||
        b->rank > result->rank || result->dim[axis] < 0)
        return false;
    for (int i = 0; i < b->rank; i++) {
        bool here = result->rank - b->rank + i == axis;
        if (b->dim[i] != (here ? result->dim[axis] : 1)) return false;
    }
    return result->rank - b->rank <= axis && (channel >= 0 || b->rank >= 1);
}

/* A constant with b's bytes and one axis. */
static born_status flatten_const(born_edit *e, const born_value *b, int64_t count, born_vid *out)
{
    born_value copy = *b;

    BORN_TRY(born__edit_new_value(e, b->name, out));
    born_value *v = &e->g->value[*out];
    v->dtype = copy.dtype;
    v->rank = 1;
    v->dim[0] = count;
    v->data = copy.data;
    v->bytes = copy.bytes;
    v->constant = true;
    v->splat = copy.splat;
    v->loose = copy.loose;
    return BORN_OK;
}

/* Makes sure the node has at least `count` operands. */
static born_status widen(born_edit *e, int32_t node, int count)
{
    born_gnode *n = &e->g->node[node];

    if (n->in_count >= count) return BORN_OK;
    born_vid *in = born__arena_alloc(&e->g->arena, (size_t)count * sizeof *in);
    BORN_FAIL_IF(!in, e->err, BORN_NOMEM, "graph: out of memory");
    for (int i = 0; i < count; i++) in[i] = i < n->in_count ? n->in[i] : -1;
    n->in = in;
    n->in_count = count;
    return BORN_OK;
}

static bool operand_absent(const born_gnode *n, int i)
{
    return i >= n->in_count || n->in[i] < 0;
}

/* One addition after the product: *done says whether it went in. */
static born_status fuse_add(born_edit *e, int32_t k, int32_t reader, const born_pattern *p, bool *done)
{
    born_gnode *n = born__edit_node(e, k), *r = born__edit_node(e, reader);
    born_vid result = n->out[0], other = r->in[0] == result ? r->in[1] : r->in[0];
    const born_value *c = born__edit_const(e, other);
    const born_value *y = &e->g->value[result], *sum = &e->g->value[r->out[0]];
    int slot = -1;

    *done = false;
    if (other == result || other < 0) return BORN_OK;
    if (c && is_bias(c, y, p->c) && operand_absent(n, p->a) && operand_absent(n, p->b)) slot = p->a;
    else if (!c && same_dims(&e->g->value[other], y) && same_dims(sum, y) && operand_absent(n, p->b)) slot = p->b;
    if (slot < 0) return BORN_OK;
    if (slot == p->a) BORN_TRY(flatten_const(e, c, y->dim[p->c < 0 ? y->rank + p->c : p->c], &other));
    BORN_TRY(widen(e, k, slot + 1));
    born__edit_kill(e, reader);
    born__edit_set_input(e, k, slot, other);
    born__edit_replace(e, r->out[0], result);
    *done = true;
    return BORN_OK;
}

/* A unary row whose attributes, if any, are one or two numbers. */
static bool is_activation(const born_gnode *r)
{
    const born_op *op = r->op;

    if (!(op->props & BORN_P_ELEMENTWISE) || op->max_in != 1 || r->out_count != 1 || strcmp(op->sig, "T>T"))
        return false;
    if (!op->attrs) return true;
    if (op->attrs->count > 2) return false;
    for (int i = 0; i < op->attrs->count; i++)
        if (op->attrs->field[i].kind != BORN_ATTR_FLOAT) return false;
    return true;
}

static bool fuse_activation(born_edit *e, int32_t k, int32_t reader)
{
    born_gnode *n = born__edit_node(e, k), *r = born__edit_node(e, reader);
    int64_t *act = attr(n, "activation");
    double *param[2] = { attr(n, "alpha"), attr(n, "beta") };

    if (!act || !param[0] || !param[1] || !is_activation(r) || e->g->value[n->out[0]].dtype != BORN_F32) return false;
    *act = r->op->id;
    for (int i = 0; r->op->attrs && i < r->op->attrs->count; i++)
        *param[i] = *(const double *)(const void *)((const char *)r->attrs + r->op->attrs->field[i].offset);
    born__edit_kill(e, reader);
    born__edit_replace(e, r->out[0], n->out[0]);
    return true;
}

born_status pass_fuse_epilogue(born_edit *e)
{
    for (size_t k = 0; k < e->g->node_count; k++) {
        born_gnode *n = born__edit_node(e, (int32_t)k);
        const born_pattern *p = born__pattern(BORN_PATTERN_EPILOGUE, n->op->id);
        bool more = p && !e->dead[k] && n->out_count >= 1 && n->out[0] >= 0;

        while (more) {
            int32_t reader = born__edit_only_reader(e, n->out[0]);
            const int64_t *act = attr(n, "activation");
            more = false;
            if (reader < 0 || !act || *act) break;
            if (born__pattern(BORN_PATTERN_ADDS, e->g->node[reader].op->id))
                BORN_TRY(fuse_add(e, (int32_t)k, reader, p, &more));
            else if (fuse_activation(e, (int32_t)k, reader)) break;
            n = &e->g->node[k];
        }
    }
    return BORN_OK;
}

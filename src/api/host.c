/* Between host memory and handles: making tensors, asking what they are, reading, writing. Called by programs and by
   the generated typed forms of device.h. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "tensor/view.h"
#include "waist/chain.h"

#include <born/op_forms.h>

/* A result made outside an op: owned by the innermost scope, or poison with the chain's error set. */
static born_tensor deliver(born_chain *c, born_status s, born_node *n, born_error *err, const born_site *at)
{
    if (s) {
        born__chain_fail(c, err, at);
        return born__poison(s);
    }
    born__node_own(n);
    return born__node_handle(n);
}

static born_status from_array(born_backend *b, const born_array *a, born_dtype t, born_node **out, born_error *err)
{
    int64_t count = 0;
    BORN_FAIL_IF(t != BORN_DTYPE_NONE && a->dtype != t, err, BORN_DTYPE, "from: the array holds %s, not %s",
                 born_dtype_name(a->dtype), born_dtype_name(t));
    BORN_FAIL_IF(a->shape.rank < 0 || a->shape.rank > BORN_MAX_RANK, err, BORN_SHAPE,
                 "from: rank %d is outside [0, %d]", a->shape.rank, BORN_MAX_RANK);
    BORN_FAIL_IF(!born__shape_count(a->shape.dim, a->shape.rank, &count), err, BORN_SHAPE,
                 "from: sizes are negative or too large");
    int64_t bytes = born_dtype_bytes(a->dtype, count);
    BORN_FAIL_IF(bytes < 0, err, BORN_DTYPE, "from: %lld elements of %s are no whole number of bytes", (long long)count,
                 born_dtype_name(a->dtype));
    BORN_FAIL_IF(a->bytes && a->bytes != (uint64_t)bytes, err, BORN_SHAPE, "from: the array has %zu bytes where its "
                 "shape needs %lld", a->bytes, (long long)bytes);
    BORN_FAIL_IF(bytes && !a->data, err, BORN_INVALID, "from: the array has no data");
    return born__node_from(b->chain, b->level, a->dtype, a->shape.dim, a->shape.rank, a->data, out, err);
}

born_tensor(born_from)(born_backend *b, born_array a, born_dtype t, const born_site *at)
{
    born_error err;
    born_node *n = NULL;
    if (!b) return born__poison(BORN_INVALID);
    born_status s = from_array(b, &a, t, &n, &err);
    return deliver(b->chain, s, n, &err, at);
}

static void fill(char *p, size_t size, int64_t count, const void *value)
{
    for (int64_t i = 0; i < count; i++) memcpy(p + (size_t)i * size, value, size);
}

static born_status full(born_backend *b, born_dtype t, const born_shape *shape, double v, born_node **out,
                        born_error *err)
{
    born_node *one = NULL;
    uint64_t value = 0;
    int64_t count = 0;
    BORN_TRY(born__node_scalar(b->chain, t, v, &one, err));
    born__node_unref(one);      /* only asked whether v fits t */
    BORN_FAIL_IF(shape->rank < 0 || shape->rank > BORN_MAX_RANK || !born__shape_count(shape->dim, shape->rank, &count),
                 err, BORN_SHAPE, "full: the shape is no shape");
    int64_t bytes = born_dtype_bytes(t, count);
    BORN_FAIL_IF(bytes < 0 || (uint64_t)bytes > PTRDIFF_MAX, err, BORN_SHAPE, "full: the shape is too large");
    born__store_f64(t, &value, v);
    char *p = born__alloc((size_t)bytes);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "full: no memory for %lld bytes", (long long)bytes);
    fill(p, (size_t)born__dtype_info(t)->size, count, &value);
    born_status s = born__node_from(b->chain, b->level, t, shape->dim, shape->rank, p, out, err);
    born__free(p);
    return s;
}

born_tensor born_full(born_backend *b, born_dtype t, born_shape shape, double v, const born_site *at)
{
    born_error err;
    born_node *n = NULL;
    if (!b) return born__poison(BORN_INVALID);
    born_status s = full(b, t, &shape, v, &n, &err);
    return deliver(b->chain, s, n, &err, at);
}

born_tensor born_number_like(born_tensor like, double v, const born_site *at)
{
    born_error err;
    born_node *x, *n = NULL;
    born_status s = born__handle_get(like, "number", &x);
    if (s) return born__poison(s);
    s = born__node_scalar(x->chain, x->view.dtype, v, &n, &err);
    if (s) {
        born__chain_fail(x->chain, &err, at);
        return born__poison(s);
    }
    n->kept = 1;        /* as born_keep does, without an owner besides */
    n->chain->holds++;
    return born__node_handle(n);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static const born_node *alive(born_tensor x)
{
    const born_node *n = born__handle_node(x);
    return n && !n->poison && born__handle_fresh(n, x) ? n : NULL;
}

born_dtype(born_dtype_of)(born_tensor x)
{
    const born_node *n = alive(x);
    return n ? n->view.dtype : BORN_DTYPE_NONE;
}

born_shape(born_shape_of)(born_tensor x)
{
    born_shape s = { 0, { 0 } };
    const born_node *n = alive(x);
    if (!n) return s;
    s.rank = n->view.rank;
    memcpy(s.dim, n->view.dim, sizeof s.dim);
    return s;
}

bool(born_is_alive)(born_tensor x) { return alive(x) != NULL; }

born_backend *(born_backend_of)(born_tensor x)
{
    const born_node *n = born__handle_node(x);
    return n && n->chain ? n->chain->link[n->chain->levels - 1] : NULL;
}

/* ---- reading and writing --------------------------------------------------------------------------------------- */

static born_status report(born_node *n, born_status s, born_error *err)
{
    if (s) born__chain_fail(n->chain, err, NULL);
    return s;
}

born_status(born_read)(born_tensor x, void *dst, size_t bytes)
{
    born_error err;
    born_node *n;
    BORN_TRY(born__handle_get(x, "read", &n));
    return report(n, born__backend_read(born__node_link(n), &n->view, dst, bytes, &err), &err);
}

born_status(born_write)(born_tensor x, const void *src, size_t bytes)
{
    born_error err;
    born_node *n;
    BORN_TRY(born__handle_get(x, "write", &n));
    return report(n, born__backend_write(born__node_link(n), &n->view, src, bytes, &err), &err);
}

static born_status item(const born_node *n, born_dtype t, void *value, born_error *err)
{
    char shape[96];
    BORN_FAIL_IF(n->view.dtype != t, err, BORN_DTYPE, "item: the tensor is %s, not %s", born_dtype_name(n->view.dtype),
                 born_dtype_name(t));
    BORN_FAIL_IF(born__view_count(&n->view) != 1, err, BORN_SHAPE, "item: shape %s has not one element",
                 born__shape_text(n->view.dim, n->view.rank, shape, sizeof shape));
    return born__backend_read(born__node_link(n), &n->view, value, (size_t)born__dtype_info(t)->size, err);
}

born_status born_item(born_tensor x, born_dtype t, void *value)
{
    born_error err;
    born_node *n;
    if (!value) return BORN_INVALID;
    BORN_TRY(born__handle_get(x, "item", &n));
    return report(n, item(n, t, value, &err), &err);
}

born_tensor born_as(born_tensor x, born_dtype t)
{
    born_error err;
    born_node *n;
    born_status s = born__handle_get(x, "as", &n);
    if (s) return born__poison(s);
    if (n->view.dtype == t) return x;
    born__fail(&err, BORN_DTYPE, "as: the tensor is %s, not %s", born_dtype_name(n->view.dtype), born_dtype_name(t));
    born__chain_fail(n->chain, &err, NULL);
    return born__poison(BORN_DTYPE);
}

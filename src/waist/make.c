/* Nodes made from host data: the constants and inputs of eager code. */
#include <string.h>

#include "base/error.h"
#include "tensor/view.h"
#include "waist/chain.h"

/* A node of `level` with storage for a dense tensor. */
static born_status node_alloc(born_chain *c, int level, born_dtype t, const int64_t *dim, int rank, born_node **out,
                              born_error *err)
{
    int64_t count = 1;
    *out = NULL;
    BORN_FAIL_IF(rank < 0 || rank > BORN_MAX_RANK, err, BORN_SHAPE, "rank %d is outside [0, %d]", rank, BORN_MAX_RANK);
    BORN_FAIL_IF(!born__shape_count(dim, rank, &count), err, BORN_SHAPE, "sizes are negative or too large");
    int64_t bytes = born_dtype_bytes(t, count);
    BORN_FAIL_IF(bytes < 0 || (uint64_t)bytes > PTRDIFF_MAX, err, BORN_SHAPE,
                 "%lld elements of %s are not a whole or possible size", (long long)count, born_dtype_name(t));
    born_node *n = born__node_new(c, level);
    BORN_FAIL_IF(!n, err, BORN_NOMEM, "no memory for a tensor");
    born_buffer *buf;
    born_status s = born__backend_alloc(c->link[level], (size_t)bytes, 64, NULL, NULL, &buf, err);
    if (s) {
        born__node_unref(n);
        return s;
    }
    n->view = (born_view){ .buffer = buf, .data = buf->data, .dtype = t, .rank = rank };
    if (rank) memcpy(n->view.dim, dim, (size_t)rank * sizeof *dim);
    born__view_row_major(&n->view);
    *out = n;
    return BORN_OK;
}

born_status born__node_from(born_chain *c, int level, born_dtype t, const int64_t *dim, int rank, const void *data,
                            born_node **out, born_error *err)
{
    born_node *n;
    BORN_TRY(born__chain_alive(c, err));
    BORN_TRY(node_alloc(c, level, t, dim, rank, &n, err));
    size_t bytes = (size_t)born__view_bytes(&n->view);
    born_status s = BORN_OK;
    if (bytes && n->view.data) memcpy(n->view.data, data, bytes);   /* fresh storage on the host: nobody else's yet */
    else if (bytes) s = born__backend_write(c->link[level], &n->view, data, bytes, err);
    if (s) born__node_unref(n);
    else *out = n;
    return s;
}

/* Whether v survives the trip to integer dtype t. */
static bool exact_integer(born_dtype t, double v)
{
    uint64_t room;
    born__store_f64(t, &room, v);
    return born__load_f64(t, &room) == v;
}

/* node_from for one element, without the arithmetic on shapes: every C number in an expression comes through here. */
static born_status scalar_from(born_chain *c, born_dtype t, const void *value, born_node **out, born_error *err)
{
    size_t size = (size_t)born__dtype_info(t)->size;
    born_buffer *buf;
    BORN_TRY(born__chain_alive(c, err));
    born_node *n = born__node_new(c, 0);
    BORN_FAIL_IF(!n, err, BORN_NOMEM, "no memory for a number");
    born_status s = born__backend_alloc(c->link[0], size, 64, NULL, NULL, &buf, err);
    if (s == BORN_OK) {
        n->view.buffer = buf;
        n->view.data = buf->data;
        n->view.offset = 0;
        n->view.dtype = t;
        n->view.rank = 0;
        if (buf->data) memcpy(buf->data, value, size);
        else s = born__backend_write(c->link[0], &n->view, value, size, err);
    }
    if (s) born__node_unref(n);
    else *out = n;
    return s;
}

born_status born__node_scalar(born_chain *c, born_dtype t, double v, born_node **out, born_error *err)
{
    uint64_t room = 0;
    char cls = born__dtype_info(t)->cls;
    BORN_FAIL_IF(cls != 'F' && cls != 'I' && cls != 'U' && cls != 'B', err, BORN_DTYPE, "no number can be %s",
                 born_dtype_name(t));
    BORN_FAIL_IF(cls != 'F' && !exact_integer(t, v), err, BORN_RANGE, "the number %.17g is not exact in %s", v,
                 born_dtype_name(t));
    born__store_f64(t, &room, v);
    return scalar_from(c, t, &room, out, err);
}

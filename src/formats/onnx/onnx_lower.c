/* Rows that ONNX lacks, said by operators that it has. Only rewrites that give the same bits when they are read again
   belong here; anything else would make an export differ from the model it came from. */
#include <string.h>

#include "base/error.h"
#include "formats/onnx/onnx_out.h"

/* One default-domain operator on up to two names with one result, which is named `to` or, where that is NULL, gets a
   fresh name. Returns the result's name; NULL and *st on failure. */
static const char *emit(born_onnx_out *x, born_status *st, const char *op, const char *a, const char *b, const char *to)
{
    const char *in[2] = { a, b }, *out = to ? to : born__out_fresh(x, "t");

    if (*st == BORN_OK && (!out || !a)) *st = born__fail(x->err, BORN_NOMEM, "export: out of memory");
    if (*st != BORN_OK) return NULL;
    *st = born__out_node(x, &(out_node){ .op = op, .domain = { "", 0 }, .version = 13, .label = "", .in = in,
                                         .out = &out, .in_count = b ? 2 : 1, .out_count = 1 });
    return *st == BORN_OK ? out : NULL;
}

/* matmul(a, b, c, residual): the product, then each sum, as the row says. */
static born_status lower_matmul(born_onnx_out *x, const born_gnode *n, const char *const *in, const char *const *out)
{
    born_status st = BORN_OK;
    int last = 1;

    for (int i = 2; i < n->in_count; i++)
        if (in[i][0]) last = i;
    const char *at = emit(x, &st, "MatMul", in[0], in[1], last == 1 ? out[0] : NULL);
    for (int i = 2; i <= last; i++)
        if (in[i][0]) at = emit(x, &st, "Add", at, in[i], i == last ? out[0] : NULL);
    return st;
}

/* Without sizes, Split-18 wants to know into how many parts. */
static born_status lower_split(born_onnx_out *x, const born_gnode *n, const char *const *in, const char *const *out)
{
    const born_split_attrs *a = n->attrs;
    born_bytes attrs = { .p = NULL }, one = { .p = NULL };
    const char *const name[] = { "axis", "num_outputs" };
    const int64_t value[] = { a->axis, a->num_outputs ? a->num_outputs : n->out_count };

    for (int i = 0; i < 2; i++) {
        born__pb_put_text(&one, 1, name[i]);
        born__pb_put_int(&one, 3, value[i]);
        born__pb_put_int(&one, 20, 2);
        born__pb_put_message(&attrs, 5, &one);
    }
    return born__out_node(x, &(out_node){ .op = "Split", .domain = { "", 0 }, .version = 18, .label = n->name, .in = in,
                                          .out = out, .in_count = 1, .out_count = n->out_count, .attrs = &attrs });
}

static bool plain_matmul(const born_gnode *n)
{
    const born_linear_attrs *a = n->attrs;
    return !a || a->activation == 0;
}

born_status born__out_lower(born_onnx_out *x, const born_gnode *n, const char *const *in, const char *const *out,
                            bool *done)
{
    born_status st = BORN_OK;
    const born_value *v = n->in_count > 0 && n->in[0] >= 0 ? &x->g->value[n->in[0]] : NULL;
    born_dtype t = v ? v->dtype : BORN_DTYPE_NONE;
    const char *at;

    *done = true;
    switch (n->op->id) {
    case BORN_OP_MATMUL:
        if (n->in_count > 2 && plain_matmul(n)) return lower_matmul(x, n, in, out);
        break;
    case BORN_OP_SPLIT:
        if (n->in_count == 1 || !in[1][0]) return lower_split(x, n, in, out);
        break;
    case BORN_OP_COPY: (void)emit(x, &st, "Identity", in[0], NULL, out[0]); return st;
    case BORN_OP_SQUARE: (void)emit(x, &st, "Mul", in[0], in[0], out[0]); return st;
    case BORN_OP_SQUARED_RELU:
        at = emit(x, &st, "Relu", in[0], NULL, NULL);
        (void)emit(x, &st, "Mul", at, at, out[0]);
        return st;
    case BORN_OP_RSQRT:
        if (t == BORN_DTYPE_NONE) break;
        at = emit(x, &st, "Sqrt", in[0], NULL, NULL);
        (void)emit(x, &st, "Div", born__out_scalar(x, t, 1), at, out[0]);
        return st;
    case BORN_OP_NE:
        at = emit(x, &st, "Equal", in[0], in[1], NULL);
        (void)emit(x, &st, "Not", at, NULL, out[0]);
        return st;
    default: break;
    }
    *done = false;
    return BORN_OK;
}

/* Calling an operator by its name with attributes as text: the road of bindings. Slower than the symbols (a look-up, a
   parse), otherwise the same. */
#include "api/named.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "ops/attrs_text.h"
#include "waist/chain.h"

enum { MOST_OPERANDS = 65536 };

/* The chain that a failure before the call belongs to: b's, else that of the first operand; NULL: none. */
static born_chain *chain_of(born_backend *b, const born_tensor *in, int n_in)
{
    if (b) return b->chain;
    for (int i = 0; i < n_in; i++) {
        born_node *n = born__handle_node(in[i]);
        if (n && n->chain) return n->chain;
    }
    return NULL;
}

static born_status read_attrs(const born_op *op, const char *text, born_arena *arena, void **attrs, born_error *err)
{
    *attrs = NULL;
    size_t n = text ? strlen(text) : 0;
    BORN_FAIL_IF(!op->attrs && n, err, BORN_INVALID, "%s: has no attributes", op->name);
    if (!op->attrs) return BORN_OK;
    void *a = born__arena_alloc(arena, op->attrs->bytes);
    BORN_FAIL_IF(!a, err, BORN_NOMEM, "%s: no memory for attributes", op->name);
    born__attrs_default(op->attrs, a);
    if (n) {
        born_status s = born__attrs_parse(op->attrs, text, n, arena, a, err);
        if (s) {
            born__error_prefix(err, "%s", op->name);
            return s;
        }
    }
    *attrs = a;
    return BORN_OK;
}

static born_status prepare(const char *name, const born_tensor *in, int n_in, const char *text, born_tensor *out,
                           int n_out, born_arena *arena, const born_op **op, void **attrs, born_error *err)
{
    BORN_FAIL_IF(!name, err, BORN_INVALID, "call: no operator name");
    *op = born__op_find(name, strlen(name));
    BORN_FAIL_IF(!*op, err, BORN_INVALID, "call: there is no operator named %.60s", name);
    BORN_FAIL_IF(n_in < 0 || n_in > MOST_OPERANDS || (n_in && !in), err, BORN_INVALID, "%s: %d operands", name, n_in);
    BORN_FAIL_IF(n_out < 1 || n_out > MOST_OPERANDS || !out, err, BORN_INVALID, "%s: %d results", name, n_out);
    return read_attrs(*op, text, arena, attrs, err);
}

born_status born__call_named(born_backend *b, const char *name, const born_tensor *in, int n_in, const char *text,
                             born_tensor *out, int n_out)
{
    born_arena arena = { 0 };
    born_error err = { 0 };
    const born_op *op = NULL;
    void *attrs = NULL;
    born_status s = prepare(name, in, n_in, text, out, n_out, &arena, &op, &attrs, &err);
    if (s) {
        born_chain *c = chain_of(b, in, in ? n_in : 0);
        if (c) born__chain_fail(c, &err, NULL);
        for (int i = 0; out && i < n_out; i++) out[i] = born__poison(s);
    } else {
        born_tensor t = born__op_call_on(b, op, in, n_in, attrs, n_out, out, NULL);
        const born_node *n = born__handle_node(t);
        if (n->poison) s = born__poison_status(n);
    }
    born__arena_free(&arena);
    return s;
}

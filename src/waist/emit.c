/* The level emitter: lets gradients speak to a level of a chain. Each call runs at once; its results belong to the
   innermost scope, which whoever made the emitter opens and ends. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "waist/chain.h"

born_val born__emit1(born_emit *e, born_op_id op, const void *attrs, const born_val *in, int in_count)
{
    born_val out = 0;
    if (e->err.status || e->call(e, op, attrs, in, in_count, &out, 1)) return 0;
    return out;
}

static born_status call_nodes(born_level_emit *e, born_op_id op, const void *attrs, const born_val *in, int in_count,
                              born_val *out, int out_count, born_node **room)
{
    born_node **ins = room, **outs = room + in_count;
    for (int i = 0; i < in_count; i++) {
        ins[i] = born__val_node(in[i]);
        if (ins[i] && e->check) BORN_TRY(e->check(e->check_ctx, ins[i], &e->e.err));
    }
    BORN_TRY(born__run_nodes(e->chain, e->level, &born__ops[op], attrs, ins, in_count, outs, out_count, e->at,
                             &e->e.err));
    for (int i = 0; i < out_count; i++) {
        born__node_own(outs[i]);
        out[i] = born__val(outs[i]);
    }
    return BORN_OK;
}

static born_status level_call(born_emit *base, born_op_id op, const void *attrs, const born_val *in, int in_count,
                              born_val *out, int out_count)
{
    born_level_emit *e = (born_level_emit *)base;
    born_node *few[BORN_FEW], **room = few;
    size_t n = (size_t)in_count + (size_t)out_count;
    for (int i = 0; i < out_count; i++) out[i] = 0;
    if (base->err.status) return base->err.status;
    if (n > BORN_FEW) room = born__calloc(n, sizeof *room);
    BORN_FAIL_IF(!room, &base->err, BORN_NOMEM, "%s: no memory for %zu operands", born__ops[op].name, n);
    born_status s = call_nodes(e, op, attrs, in, in_count, out, out_count, room);
    if (room != few) born__free(room);
    return s;
}

static const born_view *level_meta(born_emit *e, born_val v)
{
    static const born_view none;
    (void)e;
    return v ? &born__val_node(v)->view : &none;
}

static born_val level_scalar(born_emit *base, born_dtype t, double v)
{
    born_level_emit *e = (born_level_emit *)base;
    born_node *n = NULL;
    if (base->err.status || born__node_scalar(e->chain, t, v, &n, &base->err)) return 0;
    born__node_own(n);
    return born__val(n);
}

static born_val level_ints(born_emit *base, const int64_t *v, int count)
{
    born_level_emit *e = (born_level_emit *)base;
    born_node *n = NULL;
    int64_t dim = count;
    if (base->err.status || born__node_from(e->chain, 0, BORN_I64, &dim, 1, v, &n, &base->err)) return 0;
    born__node_own(n);
    return born__val(n);
}

void born__level_emit_init(born_level_emit *e, born_chain *c, int level, const born_site *at)
{
    memset(e, 0, sizeof *e);
    e->e.call = level_call;
    e->e.meta = level_meta;
    e->e.scalar = level_scalar;
    e->e.ints = level_ints;
    e->chain = c;
    e->level = level;
    e->at = at;
}

/* What the elementwise kernels take: f32 operands, any strides. */
#include "cpu/kernels/activation.h"
#include "cpu/kernels/formula.h"
#include "cpu/queries.h"

bool born__query_elementwise(const born_call *c, born_query *q)
{
    int inputs = c->op->max_in;

    (void)q;
    if (c->in_count < inputs || c->out_count < 1) return false;
    for (int i = 0; i < inputs; i++)
        if (c->in[i].dtype != BORN_F32) return false;
    return c->out[0].dtype == BORN_F32 || c->out[0].dtype == BORN_BOOL;
}

static const bool known[BORN_OP_COUNT] = {
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc) FLOATS_##dtypes([BORN_OP_##ID] = true, )
#define BINARY(ID, ...)
#define COMPARE(ID, ...)
#define PREDICATE(ID, ...)
#define OP(ID, ...)
#include "ops/rows.h"
};

bool born__activation_known(uint16_t op)
{
    return op < BORN_OP_COUNT && known[op];
}

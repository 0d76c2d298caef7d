/* See attention.h. The engine asks for no memory beside what the operator's own code does. */
#include "cpu/attention/attention.h"

#include "cpu/queries.h"

born_attn_op born__attn_of(const born_call *c)
{
    switch (c->op->id) {
    case BORN_OP_ATTENTION: return born__attn_attention;
    case BORN_OP_MULTI_HEAD_ATTENTION: return born__attn_multi_head_attention;
    case BORN_OP_GROUP_QUERY_ATTENTION: return born__attn_group_query_attention;
    case BORN_OP_PACKED_ATTENTION: return born__attn_packed_attention;
    default: return NULL;
    }
}

bool born__query_attention(const born_call *c, born_query *q)
{
    q->scratch_bytes = c->op->scratch ? c->op->scratch(c) : 0;
    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].dtype == BORN_F16 || c->in[i].dtype == BORN_BF16) return false;
    return born__attn_of(c) != NULL;
}

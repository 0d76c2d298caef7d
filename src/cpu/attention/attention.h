/* The attention operators as their kernel sees them: the operator's own code prepares operands and masks, and the
   level's engine runs the rows (attention_k.c). */
#ifndef BORN_CPU_ATTENTION_H
#define BORN_CPU_ATTENTION_H
#include "ops/attention.h"

enum { BORN_ATTN_WIDEST = 256 };    /* head sizes above go to the reference */

typedef born_status (*born_attn_op)(born_call *c, const born_exec *x, born_attn_engine run);
born_attn_op born__attn_of(const born_call *c);
#endif

/* attention_grad, as its reference and its kernels see it. Order of sums: docs/decisions/0041-attention-gradient.md. */
#ifndef BORN_OPS_ATTENTION_BACK_H
#define BORN_OPS_ATTENTION_BACK_H
#include "ops/attention.h"

enum { BORN_ATTN_BLOCK = 16, BORN_ATTN_CUT = 1024 };

typedef struct born_attn_back {
    born_attn a;                        /* q k v y of the forward call */
    born_attn_side gy, dq, dk, dv;      /* dq, dk, dv: p NULL where not wanted */
} born_attn_back;

/* false: shapes do not fit (the shape rule has said so). */
bool born__attn_back_of(const born_call *c, born_attn_back *b);
/* Keys of the blocks that rows [i, i + n) of one head see anything of: *lo a multiple of 16, *hi cut to T; an empty
   range where they see nothing. n <= 16. */
void born__attn_back_range(const born_attn *a, int64_t i, int64_t n, int64_t *lo, int64_t *hi);
#endif

/* attention_grad as its kernel sees it, and the scratch of one key head of one image: all in floats, rows padded to
   whole vectors. */
#ifndef BORN_CPU_ATTENTION_GRAD_H
#define BORN_CPU_ATTENTION_GRAD_H
#include "cpu/kernel.h"
#include "ops/attention_back.h"

enum { BORN_ATTN_BACK_KEYS = 4096, BORN_ATTN_BACK_PLACES = 64 };     /* places: at most BORN_SLOTS */

typedef struct born_attn_scratch {
    int64_t Dp, Vp, Tp, Qp;             /* D, Dv, T and Tq up to whole vectors */
    int64_t rows;                       /* queries that go together */
    int64_t q, gy, dq;                  /* places of [rows, Dp], [rows, Vp], [rows, Dp] */
    int64_t k, dk, dv;                  /* [Tp, Dp], [Tp, Dp], [Tp, Vp] */
    int64_t dk_part, dv_part;           /* of a later segment of the chains over queries */
    int64_t k_panels, v_panels;         /* [Tp / 16, D, 16], [Tp / 16, Dv, 16] */
    int64_t p, ds;                      /* [rows, wide] */
    int64_t wide;                       /* above Tp: rows at powers of two would share few sets of the first cache */
    int64_t shift;                      /* [rows] */
    int64_t floats;                     /* in all */
} born_attn_scratch;

/* false: not for the kernel. */
bool born__attn_back_plan(const born_call *c, born_attn_back *b, born_attn_scratch *s);
#endif

/* The one attention engine behind every attention operator (law 6(c) of the design). A row is one query of one head of
   one image of the batch; rows are independent. Keys go in units of 256 by absolute position. Within a unit:
     score   FMA chain over D from +0 (cut every 1,024 terms), times scale, then softcap, then each additive mask
     max     over the keys that are not masked; a score of -inf counts as masked
     sum     of exp(score - max) over the 256 places, masked ones 0: 16 lanes x 4 accumulators, then the fixed tree
     product FMA chain over the unmasked keys in order, from +0
   Units are merged left to right: m = max(m0, m1), and sum and product become x0 * exp(m0 - m) + x1 * exp(m1 - m), each
   step rounded. Units without an unmasked key are skipped; a row without one is 0. So a result depends on what its row
   attends to and on nothing else: prefill = decode = any split of the keys at multiples of 256. */
#ifndef BORN_OPS_ATTENTION_H
#define BORN_OPS_ATTENTION_H
#include "ops/ref.h"

enum { BORN_ATTN_UNIT = 256 };

/* f32 [B, H, T, D] by byte steps; p NULL: absent. Also masks: [B, H, Tq, T]. */
typedef struct born_attn_side { char *p; int64_t b, h, t, d; } born_attn_side;

typedef struct born_attn {
    int64_t B, Hq, Hk, Tq, D, Dv, past, T;      /* T keys in all, the first `past` of them in past_k, past_v */
    born_attn_side q, k, v, past_k, past_v, y;
    float scale, softcap;                       /* softcap 0: none */
    bool causal;
    int64_t left, right;                        /* window around a query's own position; -1: unbounded */
    int64_t offset;                             /* position of query row 0 */
    const born_view *valid;                     /* [B]: keys that exist, valid_add more; NULL: T */
    int64_t valid_add;
    bool offset_by_valid;                       /* row 0 is Tq keys before the end of the valid ones */
    const born_view *starts, *ends;             /* [B]: keys outside [start, end) are filled; NULL: none */
    born_attn_side allow;                       /* bool: false masks */
    born_attn_side add;                         /* f32, added */
    int64_t mask_keys;                          /* keys that `allow` or `add` cover; those behind are masked */
    born_attn_side add2;                        /* f32, added too; covers T */
    born_attn_side keep;                        /* i32: where not above 0, `fill` is added */
    float fill;
    const born_view *sink;                      /* [Hq]: a key that only takes weight; NULL: none */
    bool smooth;                                /* the same with score 0 */
    born_attn_side scores;                      /* result: what scores_mode says, of every key */
    int scores_mode;                            /* 0 raw, 1 softcapped, 2 masked, 3 softmax */
} born_attn;

/* Everything except y's own checks: all rows, on the pool. An engine does this; born__attn_run is the reference. */
typedef void (*born_attn_engine)(const born_attn *a, const born_exec *x);
void born__attn_run(const born_attn *a, const born_exec *x);

/* The operators on a given engine. */
born_status born__attn_attention(born_call *c, const born_exec *x, born_attn_engine run);
born_status born__attn_multi_head_attention(born_call *c, const born_exec *x, born_attn_engine run);
born_status born__attn_group_query_attention(born_call *c, const born_exec *x, born_attn_engine run);
born_status born__attn_packed_attention(born_call *c, const born_exec *x, born_attn_engine run);

/* One row on its way. */
typedef struct born_attn_row {
    const born_attn *a;
    int64_t b, h, kh, i;            /* kh: the key head */
    int64_t lo, hi;                 /* keys that this row may attend to at all */
    int64_t fill_lo, fill_hi;       /* outside: fill is added */
    float m, sum;
    bool any;                       /* a unit has been taken in */
} born_attn_row;
/* Row number `row` of [B, Hq, Tq]. */
void born__attn_row_start(born_attn_row *r, const born_attn *a, int64_t row);
/* Once all units are in: the sink, and the division by the sum. */
void born__attn_row_end(born_attn_row *r);

static inline const char *born__attn_at(const born_attn_side *s, int64_t b, int64_t h, int64_t t)
{
    return s->p + b * s->b + h * s->h + t * s->t;
}

/* v [B, H, T, D] as a side; v [B, T, H * D] with `heads` heads. */
born_attn_side born__attn_side4(const born_view *v);
born_attn_side born__attn_side3(const born_view *v, int64_t heads);
/* A mask of rank <= 4 aligned at its last dims; dims of 1 are broadcast. */
born_attn_side born__attn_mask_side(const born_view *v);
/* Copies src [B, H, T, D] (f32) to dst from position `at` on, heads of src over heads of dst. */
void born__attn_copy(const born_exec *x, const born_attn_side *dst, int64_t at, const born_attn_side *src, int64_t B,
                     int64_t H, int64_t T, int64_t D);
/* Shape rules: v, of rank <= 4, broadcasts to [B, H, Tq, Tk]; its last dim may also be shorter where `shorter`. */
bool born__attn_mask_fits(const born_view *v, int64_t B, int64_t H, int64_t Tq, int64_t Tk, bool shorter);
/* Sizes of the attention row's operands; past is set by who knows it. False where q k v do not fit each other. */
typedef struct born_attn_dims { int64_t B, Hq, Hk, Tq, Tk, D, Dv, past; } born_attn_dims;
bool born__attention_sizes(const born_view *in, const born_attention_attrs *a, born_attn_dims *s);
#endif

/* An einsum's equation as labels: the letters, then the dims of "...", aligned at the right. */
#ifndef BORN_OPS_LINEAR_EINSUM_H
#define BORN_OPS_LINEAR_EINSUM_H
#include "ops/ref.h"

enum {
    EINSUM_OPERANDS = 16,
    EINSUM_LETTERS = 52,
    EINSUM_LABELS = EINSUM_LETTERS + BORN_MAX_RANK
};

typedef struct born_einsum_parts {
    int ops, out_rank;
    bool ellipsis;
    int8_t times[EINSUM_LABELS];                        /* dims that carry the label, over all operands */
    int8_t order[EINSUM_LABELS], seen;                  /* labels by first appearance */
    int8_t out[BORN_MAX_RANK];                          /* labels of the result */
    int8_t label[EINSUM_OPERANDS][BORN_MAX_RANK];       /* of each operand's dims */
    int64_t size[EINSUM_LABELS];
    int64_t stride[EINSUM_OPERANDS][EINSUM_LABELS];     /* in elements; 0: the operand does not move */
} born_einsum_parts;

/* From the attributes and operands of f; INVALID or SHAPE where they do not fit. */
born_status born__einsum_parse(born_infer *f, born_einsum_parts *p);
#endif

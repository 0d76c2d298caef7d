/* Random calls for kernel tests and benchmarks: operands with random sizes, layouts and values, all in memory owned by
   the case. A generator per op (support_cases.c) fills attributes and operands; the rest is the same for all. */
#ifndef BORN_TESTS_KERNEL_CASES_H
#define BORN_TESTS_KERNEL_CASES_H
#include <born/attrs.h>

#include "cpu/kernel.h"

enum { CASE_VIEWS = 20, CASE_ATTR_BYTES = 1024, CASE_BLOCKS = 64 };

typedef struct kcase {
    born_call call;
    born_view in[CASE_VIEWS], out[4];
    _Alignas(16) char attrs[CASE_ATTR_BYTES];
    void *block[CASE_BLOCKS];       /* freed with the case */
    int blocks;
    size_t out_bytes[4];            /* of the whole block around out[i], guard bytes included */
    char *out_block[4];
    int results;                    /* of a variadic row; 0: as its signature says */
    bool results_last;              /* mostly channels-last */
    uint64_t seed;
    bool specials;                  /* NaN, infinities, signed zeros and subnormals among the values */
} kcase;

/* Random numbers of a case. */
uint32_t case_u32(kcase *k);
int64_t case_in(kcase *k, int64_t lo, int64_t hi);      /* lo <= r <= hi */
bool case_chance(kcase *k, int percent);
float case_value(kcase *k);

void *case_block(kcase *k, size_t bytes);
/* A view with its own memory and random values. layout: 0 dense, 1 channels-last (rank >= 3), 2 permuted or padded
   strides, -1 random. */
born_view case_view(kcase *k, born_dtype t, int rank, const int64_t *dim, int layout);
born_ints case_ints(kcase *k, int n, const int64_t *v);
/* The next operand. */
static inline void case_add(kcase *k, born_view v) { k->in[k->call.in_count++] = v; }

/* support_attention.c */
void case_attention(kcase *k, born_dtype t);
void case_attention_grad(kcase *k, born_dtype t);
void case_multi_head(kcase *k, born_dtype t);
void case_packed_attention(kcase *k, born_dtype t);
void case_group_query(kcase *k, born_dtype t);

/* support_quant.c */
void case_qconv(kcase *k, born_dtype t);
void case_qmm(kcase *k, born_dtype t);

/* support_train.c */
void case_norm_grad(kcase *k, born_dtype t);
void case_cross_entropy(kcase *k, born_dtype t);

/* Makes a random call of the row; false: no generator for the op. Results are inferred and placed. */
bool case_make(kcase *k, const born_op *op, born_dtype t, uint64_t seed);
void case_free(kcase *k);
#endif

/* patterns.def as tables: what a pass asks instead of naming operators. */
#ifndef BORN_GRAPH_PATTERNS_H
#define BORN_GRAPH_PATTERNS_H
#include "waist/op.h"

typedef enum born_pattern_kind {
    BORN_PATTERN_EPILOGUE, BORN_PATTERN_ADDS, BORN_PATTERN_NORM, BORN_PATTERN_IDENTITY, BORN_PATTERN_SPLAT,
    BORN_PATTERN_SEED, BORN_PATTERN_COPY, BORN_PATTERN_COST, BORN_PATTERN_FUSED, BORN_PATTERN_APPEND,
    BORN_PATTERN_PUT, BORN_PATTERN_SELECT, BORN_PATTERN_SPREADS, BORN_PATTERN_PARTS, BORN_PATTERN_JOINS,
    BORN_PATTERN_STRIDED
} born_pattern_kind;

typedef struct born_pattern {
    born_pattern_kind kind;
    uint16_t op, other;             /* other: the product of a NORM, the pool of SPREADS */
    int a, b, c;                    /* the row's numbers in order */
} born_pattern;

/* The row of this kind for this op, or NULL. op 0: the first row of the kind. */
const born_pattern *born__pattern(born_pattern_kind kind, uint16_t op);
/* The node's attribute `axis`; BORN_MAX_RANK where it has none, or one that no tensor has. */
int born__pattern_axis(const born_op *op, const void *attrs);
/* The operand that result i of a node continues, and along which axis (negative: from the end); -1: none. */
int born__pattern_append(const born_op *op, const void *attrs, int i, int *axis);
#endif

/* The pattern table: see patterns.h and patterns.def. */
#include "graph/patterns.h"

static const born_pattern rows[] = {
#define EPILOGUE(op, bias, residual, channel) { BORN_PATTERN_EPILOGUE, BORN_OP_##op, 0, bias, residual, channel },
#define ADDS(op) { BORN_PATTERN_ADDS, BORN_OP_##op, 0, 0, 0, 0 },
#define NORM(op, product, scale) { BORN_PATTERN_NORM, BORN_OP_##op, BORN_OP_##product, scale, 0, 0 },
#define IDENTITY(op) { BORN_PATTERN_IDENTITY, BORN_OP_##op, 0, 0, 0, 0 },
#define SPLAT(op) { BORN_PATTERN_SPLAT, BORN_OP_##op, 0, 0, 0, 0 },
#define SEED(op) { BORN_PATTERN_SEED, BORN_OP_##op, 0, 0, 0, 0 },
#define COPY(op) { BORN_PATTERN_COPY, BORN_OP_##op, 0, 0, 0, 0 },
#define FUSED(op) { BORN_PATTERN_FUSED, BORN_OP_##op, 0, 0, 0, 0 },
#define COST(op, operand, axis) { BORN_PATTERN_COST, BORN_OP_##op, 0, operand, axis, 0 },
#include "graph/patterns.def"
};

const born_pattern *born__pattern(born_pattern_kind kind, uint16_t op)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == kind && (!op || rows[i].op == op)) return &rows[i];
    return NULL;
}

/* The pattern table: see patterns.h and patterns.def. */
#include "graph/patterns.h"

#include <limits.h>
#include <string.h>

enum { AXIS_OF_NODE = INT_MIN };

static const born_pattern rows[] = {
#define EPILOGUE(op, bias, residual, channel) { BORN_PATTERN_EPILOGUE, BORN_OP_##op, 0, bias, residual, channel },
#define ADDS(op) { BORN_PATTERN_ADDS, BORN_OP_##op, 0, 0, 0, 0 },
#define NORM(op, product, scale) { BORN_PATTERN_NORM, BORN_OP_##op, BORN_OP_##product, scale, 0, 0 },
#define IDENTITY(op) { BORN_PATTERN_IDENTITY, BORN_OP_##op, 0, 0, 0, 0 },
#define PUT(op) { BORN_PATTERN_PUT, BORN_OP_##op, 0, 0, 0, 0 },
#define SPLAT(op) { BORN_PATTERN_SPLAT, BORN_OP_##op, 0, 0, 0, 0 },
#define SEED(op) { BORN_PATTERN_SEED, BORN_OP_##op, 0, 0, 0, 0 },
#define COPY(op) { BORN_PATTERN_COPY, BORN_OP_##op, 0, 0, 0, 0 },
#define FUSED(op) { BORN_PATTERN_FUSED, BORN_OP_##op, 0, 0, 0, 0 },
#define COST(op, operand, axis) { BORN_PATTERN_COST, BORN_OP_##op, 0, operand, axis, 0 },
#define SELECT(op) { BORN_PATTERN_SELECT, BORN_OP_##op, 0, 0, 0, 0 },
#define SPREADS(op, pool) { BORN_PATTERN_SPREADS, BORN_OP_##op, BORN_OP_##pool, 0, 0, 0 },
#define PARTS(op) { BORN_PATTERN_PARTS, BORN_OP_##op, 0, 0, 0, 0 },
#define JOINS(op) { BORN_PATTERN_JOINS, BORN_OP_##op, 0, 0, 0, 0 },
#define STRIDED(op) { BORN_PATTERN_STRIDED, BORN_OP_##op, 0, 0, 0, 0 },
#define APPEND(op, operand, result, axis) { BORN_PATTERN_APPEND, BORN_OP_##op, 0, operand, result, axis },
#include "graph/patterns.def"
};

const born_pattern *born__pattern(born_pattern_kind kind, uint16_t op)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].kind == kind && (!op || rows[i].op == op)) return &rows[i];
    return NULL;
}

int born__pattern_axis(const born_op *op, const void *attrs)
{
    for (int i = 0; op->attrs && attrs && i < op->attrs->count; i++) {
        const born_attr_field *a = &op->attrs->field[i];
        if (a->kind != BORN_ATTR_INT || strcmp(a->name, "axis")) continue;
        int64_t said = *(const int64_t *)(const void *)((const char *)attrs + a->offset);
        return said < -BORN_MAX_RANK || said >= BORN_MAX_RANK ? BORN_MAX_RANK : (int)said;
    }
    return BORN_MAX_RANK;
}

int born__pattern_append(const born_op *op, const void *attrs, int i, int *axis)
{
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        if (rows[k].kind != BORN_PATTERN_APPEND || rows[k].op != op->id || rows[k].b != i) continue;
        *axis = rows[k].c == AXIS_OF_NODE ? born__pattern_axis(op, attrs) : rows[k].c;
        return rows[k].a;
    }
    return -1;
}

/* The id of an operator by its plain name: BORN__ID(add). */
#ifndef BORN_API_OP_NAMES_H
#define BORN_API_OP_NAMES_H
#include "waist/op.h"

enum {
#define OP(ID, name, ...) born__id_##name = BORN_OP_##ID,
#include "ops/rows.h"
};
#define BORN__ID(name) ((born_op_id)born__id_##name)
#endif

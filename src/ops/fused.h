/* The program of a `fused` call: rows of one result and at most three operands over a few registers, each a piece of
   f32 or, where a test wrote it, of bool. Operand k < inputs of the call is an input, inputs + r is register r.
     program  per step: op id, register written, three operands (-1: none), and the row's attributes as two numbers
              (born__attrs_numbers), each the bits of an f64
     results  per result of the call: the register that holds it at the end
   Op ids are private to a build, so a program never leaves the process. */
#ifndef BORN_OPS_FUSED_H
#define BORN_OPS_FUSED_H
#include <born/attrs.h>

#include "waist/op.h"

enum {
    BORN_FUSED_STEPS = 64, BORN_FUSED_INPUTS = 16, BORN_FUSED_RESULTS = 4, BORN_FUSED_REGISTERS = 12,
    BORN_FUSED_FIELDS = 7,
};

typedef struct born_fused_step {
    uint16_t op;
    int8_t to, in[3];
    int8_t in_count;
    bool test;                  /* writes bool */
    bool choice;                /* where: a bool operand first */
    double p[2];
} born_fused_step;

typedef struct born_fused {
    int inputs, results, steps;
    int last_read;              /* the last step that reads an input */
    born_fused_step step[BORN_FUSED_STEPS];
    int8_t result[BORN_FUSED_RESULTS];
    bool result_is_bool[BORN_FUSED_RESULTS];
} born_fused;

/* Whether a row can be a step: an elementwise formula on f32, or where. */
bool born__fused_takes(const born_op *op);
/* The dtypes that operand i and the result of such a row have in a program. */
static inline born_dtype born__fused_in(const born_op *op, int i) { return op->sig[i] == 'B' ? BORN_BOOL : BORN_F32; }
static inline born_dtype born__fused_out(const born_op *op)
{
    return op->sig[op->max_in + 1] == 'B' ? BORN_BOOL : BORN_F32;
}
/* Reads and checks a program for operands of these dtypes. */
born_status born__fused_read(const born_fused_attrs *a, const born_view *in, int in_count, int out_count, born_fused *f,
                             born_error *err);
#endif

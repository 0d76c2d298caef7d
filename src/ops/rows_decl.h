/* Prototypes of every function that the rows name, generated from the rows. Included by the registry and by each file
   that defines such a function, so that a definition which does not fit its row fails to compile. A 0 in a row declares
   nothing. */
#ifndef BORN_OPS_ROWS_DECL_H
#define BORN_OPS_ROWS_DECL_H
#include "waist/op.h"

/* BORN__ROW_FN(kind, fn): a prototype, or nothing where fn is the token 0. */
#define BORN__ZERO_0 , 
#define BORN__ROW_THIRD(a, b, c, ...) c
#define BORN__ROW_PICK(...) BORN__ROW_THIRD(__VA_ARGS__)
#define BORN__ROW_FN(kind, fn) BORN__ROW_PICK(BORN__ZERO_##fn, BORN__ROW_NO, BORN__ROW_##kind, ~)(fn)
#define BORN__ROW_NO(fn)
#define BORN__ROW_SHAPE(fn) born_status fn(born_infer *f);
#define BORN__ROW_GRAD(fn) void fn(born_emit *e, const born_grad *g);
#define BORN__ROW_REF(fn) born_status fn(born_call *c, const born_exec *x);
#define BORN__ROW_SCRATCH(fn) size_t fn(const born_call *c);

#define OP(ID, name, sig, dtypes, min_in, max_in, props, host, attrs, shape, grad, ref, scratch, onnx, doc)           \
    BORN__ROW_FN(SHAPE, shape) BORN__ROW_FN(GRAD, grad) BORN__ROW_FN(REF, ref) BORN__ROW_FN(SCRATCH, scratch)
#include "ops/rows.h"
#endif

/* Elementwise rows as loops over dense runs, one per class of numbers. Used by the reference kernels, by epilogues of
   matmul and convolution (the activation is an op id), and by tests. */
#ifndef BORN_OPS_ELEMENTWISE_H
#define BORN_OPS_ELEMENTWISE_H
#include "waist/op.h"

/* z[i] = f(x[i], y[i]) for n elements of the class's type (bytes for comparisons' z). p: the row's first two number
   attributes. y is not read by unary rows. z may be x or y. */
typedef void (*born_span_fn)(const double *p, const void *x, const void *y, void *z, int64_t n);

typedef enum born_class { BORN_CLASS_F32, BORN_CLASS_F64, BORN_CLASS_I64, BORN_CLASS_U64, BORN_CLASS_COUNT } born_class;

/* The class that computes t (bool and unsigned: U64), and its loop for an op; NULL where the row has no formula or does
   not take the class. */
born_class born__class_of(born_dtype t);
born_span_fn born__span_of(born_op_id op, born_class c);

/* The first two number attributes (FLOAT, INT, BOOL, ENUM) of a set, 0 where there are fewer. */
void born__attrs_numbers(const born_attr_set *s, const void *attrs, double p[2]);

/* A unary row applied to f32 or f64 values, as epilogues do: op 0 leaves x as it is. alpha and beta are P0 and P1. */
float born__unary_scalar_f32(born_op_id op, float x, double alpha, double beta);
double born__unary_scalar_f64(born_op_id op, double x, double alpha, double beta);
void born__unary_span_f32(born_op_id op, double alpha, double beta, const float *x, float *z, int64_t n);
void born__unary_span_f64(born_op_id op, double alpha, double beta, const double *x, double *z, int64_t n);
/* op is 0 or a unary row that takes floats: what a linear or conv row's activation may be. */
bool born__unary_valid(int64_t op);
#endif

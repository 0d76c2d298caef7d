/* Conversions between dtypes as chains of steps over dense blocks: each source goes to one of four wide types that hold
   it exactly (f32, f64, i32, i64), from there to the target. Two steps never round twice: see cast_plan.c. */
#ifndef BORN_CPU_CAST_H
#define BORN_CPU_CAST_H
#include "cpu/kernels/spans.h"
#include "cpu/levels.h"

/* Named from_to. ODD: the f32 next to an f64 towards zero, its last bit set where that is inexact. SAT: saturates. LOW:
   low bits. */
typedef enum born_cast_step {
    BORN_CAST_NONE,
    BORN_CAST_F16_F32, BORN_CAST_BF16_F32, BORN_CAST_I8_I32, BORN_CAST_U8_I32, BORN_CAST_BOOL_I32,
    BORN_CAST_F32_F16, BORN_CAST_F32_BF16, BORN_CAST_F32_F64, BORN_CAST_F32_I32, BORN_CAST_F32_I64, BORN_CAST_F32_BOOL,
    BORN_CAST_F64_F32, BORN_CAST_F64_ODD, BORN_CAST_F64_I32, BORN_CAST_F64_I64, BORN_CAST_F64_BOOL,
    BORN_CAST_I32_F32, BORN_CAST_I32_F64, BORN_CAST_I32_I64, BORN_CAST_I32_LOW8, BORN_CAST_I32_SATI8,
    BORN_CAST_I32_SATU8, BORN_CAST_I32_BOOL,
    BORN_CAST_I64_F32, BORN_CAST_I64_F64, BORN_CAST_I64_I32, BORN_CAST_I64_BOOL,
    BORN_CAST_STEPS
} born_cast_step;

/* x and z dense, of the step's types; n a multiple of BORN_SPAN_BLOCK. */
typedef void (*born_cast_fn)(const void *x, void *z, int64_t n);

enum { BORN_CAST_CHAIN = 4 };
/* Steps from one dtype to the other; 0: none (same dtype, or not one of those above). */
int born__cast_chain(born_dtype from, born_dtype to, born_cast_step step[BORN_CAST_CHAIN]);

#ifdef BORN_LEVEL_NAME
born_cast_fn BORN_K(cast_step)(born_cast_step s);
#endif
#endif

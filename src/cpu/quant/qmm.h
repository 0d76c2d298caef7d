/* Integer matrix products as their kernel sees them (qmm_problem.c), run by qmm_k.c: matmul_integer, qlinear_matmul and
   matmul_integer_to_float. Rows of a become u8, b becomes panels of i8. With a = a' - za and b = b' - zb:
   sum (a' - za)(b' - zb) = sum a' b' - za sum b' - zb sum a' + K za zb, all modulo 2^32. */
#ifndef BORN_CPU_QMM_H
#define BORN_CPU_QMM_H
#include "cpu/kernel.h"
#include "ops/quant_matmul.h"

enum { BORN_FORM_QMM = 0x514d0001 };

typedef enum born_qmm_kind { BORN_QMM_SUMS, BORN_QMM_REQUANT, BORN_QMM_FLOATS } born_qmm_kind;

typedef struct born_qmm {
    born_mm_shape s;
    born_mm_view a, b, a_zero, b_zero, a_scale, b_scale; /* p NULL: absent */
    const born_call *call;
    born_qmm_kind kind;
    int weight;                             /* operand b */
    int64_t batches, rows;                  /* products with a b of their own, rows in each */
    int64_t k4, panels, panel_bytes;        /* K in whole groups of four; panels of b; bytes of one */
    bool direct;                            /* rows of a are used where they lie */
    int32_t a_shift, b_shift;               /* a' = a + a_shift as u8, b' = b - b_shift as i8 */
    const void *packed;
    const born_view *bias, *y_scale, *y_zero;
    size_t row_bytes, sum_bytes, column_bytes, pack_bytes, scratch_bytes;
} born_qmm;

bool born__qmm_of(const born_call *c, born_qmm *v);
/* Columns of panels [begin, end) of batch, then their sums: panels, then an i32 per column of all panels. */
void born__qmm_pack(const born_qmm *v, int64_t batch, int64_t begin, int64_t end, uint8_t *dst);
#endif

/* Integer convolutions as their kernels see them (qconv_problem.c), run by qconv_k.c. x becomes a padded image of u8
   with channels innermost, the padding being the zero point, so that no window ever meets a border; weights are i8 in
   panels. With x = x' - zx and w = w' - zw: sum (x' - zx)(w' - zw) =
   sum x' w' - zx sum w' - zw sum x' + terms zx zw, all modulo 2^32. */
#ifndef BORN_CPU_QCONV_H
#define BORN_CPU_QCONV_H
#include "cpu/kernel.h"
#include "ops/conv_window.h"

enum { BORN_FORM_QCONV = 0x51430001, BORN_FORM_QDEPTHWISE = 0x51440001 };

typedef struct born_qconv {
    born_window win;
    int64_t batch, channels, groups, cg, mg;
    int64_t cg4; /* cg rounded up to whole groups of four terms; depthwise: 1 */
    int64_t terms, groups_of_4; /* kernel positions * cg; kernel positions * cg4 / 4 */
    int64_t panels, panel_bytes; /* of a group; of one panel */
    bool depthwise;
    int64_t room[3], pitch; /* the padded image: cells per axis, bytes per cell */
    const uint8_t *x, *w;
    uint8_t x_flip, w_flip; /* x' = x ^ x_flip as u8; w' = w ^ w_flip as i8 */
    int32_t zx;
    int64_t xn, xc, xs[3], wm, wc, ws[3], yn, yc, ys[3]; /* in elements */
    const void *packed;
    /* the result */
    const born_call *call;
    int weight; /* operand of the weight; its zero points follow where the op says */
    bool requant; /* qlinear_conv, else i32 sums */
    size_t image_bytes, pack_bytes, column_bytes, scratch_bytes;
} born_qconv;

bool born__qconv_of(const born_call *c, born_qconv *v);
/* Packed weights: panels, then the sum of each column's weights as i32. */
void born__qconv_pack(const born_qconv *v, uint8_t *dst);
/* Where the column sums lie in the packed form. */
const int32_t *born__qconv_sums(const born_qconv *v, const void *packed);
#endif

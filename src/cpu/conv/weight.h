/* The gradient of a convolution's weight as its kernel sees it (weight_problem.c makes it, weight_k.c runs it): a
   matrix product [channels * taps, pixels] x [pixels, result channels] for each group. The left matrix is never made:
   row (channel, tap) is the image seen from where the tap's first window starts, if cells along the last axis are
   neighbours and padding is there as zeros. Where it is not so, the image is copied to scratch so, a stride above 1
   along the last axis being taken apart into phases. The right matrix is the incoming gradient with channels
   innermost, 16 at a time; copied where it does not lie so. Steps are in floats. */
#ifndef BORN_CPU_CONV_WEIGHT_H
#define BORN_CPU_CONV_WEIGHT_H
#include "cpu/kernel.h"
#include "ops/conv_window.h"

typedef struct born_conv_weight {
    born_window win;
    int64_t batch, channels, results, groups, cg, mg;
    int64_t rows, panels, pixels;       /* of a group: cg * taps, panels of 16 results; pixels in all */
    const float *x, *g;
    float *w;
    int64_t xn, xc, xs[3], gn, gc, gs[3];       /* as given */
    int64_t wm, wc, ws[3];
    bool copy_x, copy_g;
    int64_t size[3], phase;             /* of the copied image: cells along the first two axes; phases, their cells */
    int64_t g_step, g_group;            /* of the right matrix: from pixel to pixel, from group to group */
    size_t x_floats, g_floats, sums;    /* scratch: the copies, and two tables of sums */
    size_t scratch_bytes;
} born_conv_weight;

enum {
    BORN_WEIGHT_FEW = 8,                /* rows of a kernel, over all channels, that weight_few_k.c takes */
    BORN_WEIGHT_FEW_FLOATS = 1 << 14,   /* of the copied lines of a segment */
};

/* For weight_few_k.c, whose kernel is no wider than a panel. */
typedef struct born_conv_few {
    int64_t together, panels;           /* kernel rows of a panel; panels of the kernel's second axis */
    int64_t reach;                      /* from the first panel's row to the last's, in kernel rows */
    int64_t lines, most;                /* interleaved lines of an image; the most that a segment reads of a channel */
} born_conv_few;
void born__conv_weight_few(const born_conv_weight *v, born_conv_few *f);
/* Do segments of 1,024 pixels have tables of their own (weight_last_k.c)? Where they are many and tables small. */
bool born__conv_weight_apart(const born_conv_weight *v);
/* false: not for these kernels. */
bool born__conv_weight_of(const born_call *c, born_conv_weight *v);

#ifdef BORN_LEVEL_NAME
#include "cpu/levels.h"
/* Copies planes [begin, end), numbered over batch and channel, with their padding. */
void BORN_K(weight_image_f32)(const born_conv_weight *v, float *dst, int64_t begin, int64_t end);
/* Copies what arrived for images [begin, end) as the right matrix. */
void BORN_K(weight_gradient_f32)(const born_conv_weight *v, float *dst, int64_t begin, int64_t end);
#endif
#endif

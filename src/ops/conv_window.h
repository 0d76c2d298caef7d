/* Where a window of a convolution or pool lies: spatial attributes resolved against sizes. Used by the shape rules
   (which report what does not fit) and again by kernels (which can rely on the rule). Every geometry here has exactly
   three spatial axes; missing leading ones have size, kernel and stride 1. */
#ifndef BORN_OPS_CONV_WINDOW_H
#define BORN_OPS_CONV_WINDOW_H
#include "ops/ref.h"

enum { BORN_PAD_NOTSET, BORN_PAD_SAME_UPPER, BORN_PAD_SAME_LOWER, BORN_PAD_VALID };   /* the choices of auto_pad */
enum { BORN_WINDOW_CUT = 1024 };    /* terms of one segment of a chain */

typedef struct born_window {
    int spatial;                        /* axes of the tensor: 1 to 3, the last of each array below */
    int64_t in[3], out[3];
    int64_t kernel[3], stride[3], dilation[3];
    int64_t pad[3], pad_end[3];         /* cells before and after */
} born_window;

/* The attributes a window is made from; empty lists mean ones (pads: zeros). */
typedef struct born_window_attrs {
    int auto_pad;
    bool ceil_mode;
    born_ints kernel, strides, pads, dilations;
} born_window_attrs;
#define BORN_WINDOW_ATTRS(a, ceil)                                                                                    \
    ((born_window_attrs){ (a)->auto_pad, (ceil), (a)->kernel_shape, (a)->strides, (a)->pads, (a)->dilations })

/* Fills w for x [N, C, spatial...]; w->out is what a convolution or pool gives. `weight` (NULL for pools) has the
   kernel sizes from axis 2 on. `op` names the op in errors; err may be NULL. */
born_status born__window_fill(born_window *w, const born_window_attrs *a, const born_view *x, const born_view *weight,
                              const char *op, born_error *err);
/* The same without output sizes and padding: lists of the right lengths, kernel from the weight. For rules with sizes
   of their own (transposed convolution, unpooling). */
born_status born__window_lists(born_window *w, const born_window_attrs *a, const born_view *x, const born_view *weight,
                               const char *op, born_error *err);

/* The window of a transposed convolution: out and pad as seen from the result. */
born_status born__conv_transpose_window(born_window *w, const born_conv_transpose_attrs *a, const born_view *x,
                                        const born_view *weight, const char *op, born_error *err);

/* The three spatial strides of v, in bytes; 0 for missing axes. */
static inline void born__window_steps(const born_window *w, const born_view *v, int64_t step[3])
{
    for (int i = 0; i < 3; i++) step[i] = i < 3 - w->spatial ? 0 : v->stride[i - 1 + w->spatial] * born__elem_size(v);
}

/* The taps [lo, hi) of axis a that meet input cells, for output cell o of a convolution or pool. */
static inline void born__window_taps(const born_window *w, int a, int64_t o, int64_t *lo, int64_t *hi)
{
    int64_t start = o * w->stride[a] - w->pad[a], d = w->dilation[a];
    *lo = start < 0 ? (-start + d - 1) / d : 0;
    *hi = w->in[a] > start ? (w->in[a] - start + d - 1) / d : 0;
    if (*hi > w->kernel[a]) *hi = w->kernel[a];
    if (*lo > *hi) *lo = *hi;
}

/* The activation that follows a product (attributes activation, alpha, beta). The rule's check: is it a unary
   elementwise op whose attributes are at most two numbers? */
born_status born__activation_check(born_infer *f, int64_t activation);
/* Applies it to y in place; nothing for activation 0. */
born_status born__activation_run(const born_view *y, int64_t activation, double alpha, double beta, const born_exec *x);
#endif

/* A convolution as its kernels see it, derived from a call (conv_problem.c), run by conv_k.c (implicit GEMM),
   depthwise_k.c (one channel per group, lanes over channels) or transpose_k.c. All read x with channels innermost:
   where it is not stored so, the run turns it into scratch first. Steps are in floats. */
#ifndef BORN_CPU_CONV_H
#define BORN_CPU_CONV_H
#include "cpu/gemm/epilogue.h"
#include "cpu/kernel.h"
#include "ops/conv_window.h"

enum {
    BORN_FORM_CONV_F32 = 0x43460001,
    BORN_FORM_DEPTHWISE_F32 = 0x44460001,
    BORN_FORM_CONV_TRANSPOSE_F32 = 0x54460001,
    BORN_BATCH_BLOCK = 32,              /* images that batch_k.c takes at once */
    BORN_CONV_TAPS = 256,               /* of a transposed convolution's kernel; larger ones go to the reference */
};

typedef struct born_conv {
    born_window win;
    int64_t batch, channels, groups;
    int64_t cg, mg;                     /* channels and result channels of a group */
    int64_t terms;                      /* kernel positions * cg */
    int64_t panels;                     /* of a group */
    bool depthwise, transposed;
    bool turn;                          /* x is turned into scratch */
    const float *x, *w, *packed;
    float *y;
    int64_t xn, xc, xs[3];              /* of x as given; after born__conv_turned those of the turned image */
    int64_t yn, ys[3], rn, rs[3];       /* of the result and the residual; channels: end.out_col, end.residual_col */
    int64_t wg, wm, wc, ws[3];          /* of the weight: group, result channel, channel, kernel */
    born_epilogue end;
    size_t x_floats, w_floats;          /* scratch: the turned image, the packed weight */
    size_t scratch_bytes, pack_bytes;
} born_conv;

/* false: not for these kernels. */
bool born__conv_of(const born_call *c, born_conv *v);
/* The steps of x once it lies turned at `at`. */
void born__conv_turned(born_conv *v, const float *at);
/* Packs panels [first, last), numbered over groups: [groups][panels][terms][16], or depthwise
   [channels/16][taps][16]. */
void born__conv_pack(const born_conv *v, int64_t first, int64_t last, float *dst);
/* Result pixels whose windows have the same taps [lo, hi) inside the image: a box of cells o .. o + n per axis, in
   every image of the batch. Boxes follow each other in a walk: `first` is the number of pixels before this one. */
typedef struct born_conv_class { int64_t o[3], n[3], lo[3], hi[3], first; } born_conv_class;
enum { BORN_CONV_CLASSES = 128 };
typedef struct born_conv_classes { int count; born_conv_class at[BORN_CONV_CLASSES]; } born_conv_classes;
/* false: more classes than that, or a transposed convolution with steps: then implicit GEMM does not take the call. */
bool born__conv_classes(const born_conv *v, born_conv_classes *c);
/* Taps of axis a that meet the image at result cell o. A transposed convolution of stride 1 meets cell
   o + pad - k * dilation with tap k. */
void born__conv_taps(const born_conv *v, int a, int64_t o, int64_t *lo, int64_t *hi);
/* For pixels_k.c: the length of its copied rows. */
int64_t born__conv_pixels_width(const born_conv *v);
/* For flat_k.c: cells of an image's plane, vectors of sixteen of them, cells beside an image that may be read. */
typedef struct born_conv_flat { int64_t plane, vectors, margin; } born_conv_flat;
enum { BORN_CONV_MASK_BYTES = 64 };     /* no level's mask has more */
void born__conv_flat_of(const born_conv *v, born_conv_flat *f);
/* Panels in all. */
int64_t born__conv_panels(const born_conv *v);

#ifdef BORN_LEVEL_NAME
/* Turns the image into v->x_floats at dst, on the pool. */
void BORN_K(turn_f32)(const born_conv *v, float *dst, const born_exec *x);
void BORN_K(depthwise_f32)(const born_conv *v, const born_exec *x);
/* Implicit GEMM; x lies with channels innermost, the weight is packed, born__conv_classes takes it. */
void BORN_K(conv_gemm_f32)(const born_conv *v, const born_exec *x);
#endif
#endif

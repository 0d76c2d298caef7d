/* A resize, resolved: sizes, scales and regions per axis from attributes and host operands, for the rule and for the
   kernel; and the taps of each resampled axis. */
#ifndef BORN_OPS_RESIZE_PLAN_H
#define BORN_OPS_RESIZE_PLAN_H
#include "ops/ref.h"

enum { BORN_RESIZE_NEAREST, BORN_RESIZE_LINEAR, BORN_RESIZE_CUBIC };
enum {
    BORN_COORD_HALF_PIXEL, BORN_COORD_HALF_PIXEL_SYMMETRIC, BORN_COORD_PYTORCH_HALF_PIXEL, BORN_COORD_ALIGN_CORNERS,
    BORN_COORD_ASYMMETRIC, BORN_COORD_TF_CROP, BORN_COORD_TF_HALF_PIXEL
};

typedef struct born_resize_axis {
    int64_t in, out;
    double scale;
    double start, end;          /* region of tf_crop_and_resize, else 0 and 1 */
    bool wide;                  /* coordinates in f64; else each step is rounded to f32 */
    bool active;                /* resampled at all */
    int64_t taps;               /* per result */
} born_resize_axis;

typedef struct born_resize_plan {
    int rank;
    born_resize_axis axis[BORN_MAX_RANK];
} born_resize_plan;

/* Reads the operands (x, roi, scales, sizes) of a rule or a call. Errors are reported through f; f->err may be NULL. */
born_status born__resize_plan(born_infer *f, born_resize_plan *p);

/* Taps of one axis, for results [0, out): cell and weight [out][taps]; outside[o] where the extrapolation value stands
   instead. Cells are clamped to the input. */
void born__resize_taps(const born_resize_attrs *a, const born_resize_axis *x, int64_t *cell, double *weight,
                       uint8_t *outside);
#endif

/* A resize on its way: the tables of taps, and the rows of results that a body makes; shared by the reference's bodies
   and the fast ones. */
#ifndef BORN_OPS_RESIZE_JOB_H
#define BORN_OPS_RESIZE_JOB_H
#include "ops/resize_plan.h"

typedef struct born_resize_table {
    int axis;
    int64_t taps;
    int64_t *offset;            /* [out][taps] in bytes */
    void *weight;               /* [out][taps], in the computing type */
    uint8_t *outside;           /* [out] */
} born_resize_table;

typedef struct born_resize_job {
    int rank, lane;             /* axes; the one walked 64 at a time */
    int tables;                 /* of the resampled axes in order; the last may be that of the lane */
    born_resize_table table[BORN_MAX_RANK];
    bool active[BORN_MAX_RANK];
    int64_t out[BORN_MAX_RANK], xs[BORN_MAX_RANK], ys[BORN_MAX_RANK];
    char *x, *y;
    born_dtype dtype;
    uint64_t fill;              /* the bits of the extrapolation value, from byte 0 on */
} born_resize_job;

/* One row of results: where it starts, and the taps of the axes that are not the lane. */
typedef struct born_resize_row {
    const char *x;
    char *y;
    bool outside;
    const int64_t *offset[BORN_MAX_RANK];   /* per table; the lane's: whole table */
    const void *weight[BORN_MAX_RANK];
    int outer;                              /* tables before the innermost one */
    bool lane_active;                       /* the innermost table is the lane's */
} born_resize_row;

/* Row r of all; weights are weight_size bytes each. */
born_resize_row born__resize_row(const born_resize_job *j, int64_t r, size_t weight_size);
/* Overwrites those of results [o, o + n) of a row that lie outside the region. */
void born__resize_fill(const born_resize_job *j, const born_resize_row *w, int64_t o, int64_t n, size_t size);

/* Makes rows [begin, end); ctx is the job. */
typedef void (*born_resize_rows)(void *ctx, int64_t begin, int64_t end);
/* The whole call; linear and cubic f32 through mix_f32 unless that is NULL. */
born_status born__resize_by(born_call *c, const born_exec *x, born_resize_rows mix_f32);
#endif

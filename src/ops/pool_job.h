/* What the pooling files share: a pool seen as rows of results, 16 channels at a time (dense where channels are
   innermost, strided where they are not). */
#ifndef BORN_OPS_POOL_JOB_H
#define BORN_OPS_POOL_JOB_H
#include "ops/conv_window.h"

enum {
    POOL_LANES = 16,
    POOL_MOST_CELLS = 30,           /* log2 of the most cells a window may have */
};
typedef enum born_pool_sum { BORN_POOL_AVERAGE, BORN_POOL_L1, BORN_POOL_L2, BORN_POOL_LP } born_pool_sum;

typedef struct born_pool_job {
    born_window win;
    int64_t batch, channels, blocks;
    char *x, *y, *index;            /* index NULL: not wanted */
    int64_t xn, xc, xs[3], yn, yc, ys[3], in_, ic, is[3];   /* steps in bytes: batch, channel, space */
    bool column_major;              /* of the indices, within a plane */
    bool count_padding;
    born_pool_sum sum;
    double p;
} born_pool_job;

/* Steps and sizes from the call; the window is set. */
static inline void born__pool_describe(const born_call *c, born_pool_job *j)
{
    const born_view *x = &c->in[0], *y = &c->out[0];
    int size = born__elem_size(x);
    j->batch = x->dim[0];
    j->channels = x->dim[1];
    j->blocks = (j->channels + POOL_LANES - 1) / POOL_LANES;
    j->x = x->data;
    j->y = y->data;
    j->xn = x->stride[0] * size;
    j->xc = x->stride[1] * size;
    j->yn = y->stride[0] * size;
    j->yc = y->stride[1] * size;
    born__window_steps(&j->win, x, j->xs);
    born__window_steps(&j->win, y, j->ys);
    if (c->out_count > 1 && c->out[1].dtype != BORN_DTYPE_NONE && c->out[1].data) {
        const born_view *i = &c->out[1];
        j->index = i->data;
        j->in_ = i->stride[0] * (int64_t)sizeof(int64_t);
        j->ic = i->stride[1] * (int64_t)sizeof(int64_t);
        born__window_steps(&j->win, i, j->is);
    }
}

/* The size of what max_unpool's x was pooled from, by the attributes. */
born_status born__max_unpool_dims(const born_max_unpool_attrs *a, const born_view *x, int64_t *dim, const char *op,
                                  born_error *err);

/* The job of a call of any pooling row. */
void born__pool_of(const born_call *c, born_pool_job *j);

/* A row: one batch entry, one block of channels, one place on the first two spatial axes. */
typedef struct born_pool_row {
    int64_t n, first, live;         /* batch; first channel and how many */
    int64_t o[2], lo[3], hi[3];     /* places; taps that meet cells (the last axis: of the present result) */
} born_pool_row;

static inline born_pool_row born__pool_row(const born_pool_job *j, int64_t r)
{
    born_pool_row w;
    w.o[1] = r % j->win.out[1];
    r /= j->win.out[1];
    w.o[0] = r % j->win.out[0];
    r /= j->win.out[0];
    w.first = r % j->blocks * POOL_LANES;
    w.n = r / j->blocks;
    w.live = j->channels - w.first < POOL_LANES ? j->channels - w.first : POOL_LANES;
    for (int a = 0; a < 2; a++) born__window_taps(&j->win, a, w.o[a], &w.lo[a], &w.hi[a]);
    w.lo[2] = w.hi[2] = 0;
    return w;
}

/* The input cell of tap k at result o. */
static inline int64_t born__pool_cell(const born_pool_job *j, int a, int64_t o, int64_t k)
{
    return o * j->win.stride[a] - j->win.pad[a] + k * j->win.dilation[a];
}
#endif

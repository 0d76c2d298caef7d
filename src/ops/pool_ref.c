/* Reference kernels of the pools with a window and of the global ones, whose window is the plane. Sums are chains of
   additions over the window's cells in row-major order, cut like convolutions (docs/decisions/0002-conv-order.md). */
#include <math.h>

#include "ops/lane1.h"
#include "ops/math64.h"
#include "ops/pool_job.h"

#define pow_f64 born__pow_f64

#define BORN_EACH "ops/pool_max_body.inc"
#include "ops/each_num.inc"
#define BORN_EACH "ops/pool_sum_body.inc"
#include "ops/each_float.inc"

static void pool_for(const born_pool_job *j, const born_exec *x, void (*rows)(void *, int64_t, int64_t))
{
    const born_window *w = &j->win;
    int64_t row = w->out[2] * w->kernel[0] * w->kernel[1] * w->kernel[2] * POOL_LANES;
    int64_t grain = 1 + (1 << 15) / (row > 0 ? row : 1);
    born__exec_for(x, j->batch * j->blocks * w->out[0] * w->out[1], grain, rows, (void *)(uintptr_t)j);
}

static born_status run_max(const born_call *c, const born_exec *x)
{
    born_pool_job j;
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_NUM(c->in[0].dtype, pool_max_rows);
    if (!rows) return born__no_body(c, x);
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    born__pool_of(c, &j);
    pool_for(&j, x, rows);
    return BORN_OK;
}

static born_status run_sum(const born_call *c, const born_exec *x)
{
    born_pool_job j;
    void (*rows)(void *, int64_t, int64_t) = BORN_PICK_FLOAT(c->in[0].dtype, pool_sum_rows);
    if (!rows) return born__no_body(c, x);
    if (born__view_count(&c->out[0]) == 0) return BORN_OK;
    born__pool_of(c, &j);
    pool_for(&j, x, rows);
    return BORN_OK;
}

/* The window that is the plane. */
static void global_window(const born_call *c, born_window *w)
{
    const born_view *x = &c->in[0];
    *w = (born_window){ .spatial = x->rank - 2 };
    for (int i = 0; i < 3; i++) {
        w->in[i] = w->kernel[i] = i < 3 - w->spatial ? 1 : x->dim[i - 1 + w->spatial];
        w->out[i] = w->stride[i] = w->dilation[i] = 1;
    }
}

static born_pool_sum sum_of(int64_t p)
{
    return p == 1 ? BORN_POOL_L1 : p == 2 ? BORN_POOL_L2 : BORN_POOL_LP;
}

static void windowed(const born_call *c, born_pool_job *j, born_window_attrs wa)
{
    (void)born__window_fill(&j->win, &wa, &c->in[0], NULL, c->op->name, NULL);
}

void born__pool_of(const born_call *c, born_pool_job *j)
{
    *j = (born_pool_job){ .sum = BORN_POOL_AVERAGE };
    switch (c->op->id) {
    case BORN_OP_MAX_POOL: {
        const born_max_pool_attrs *a = BORN_ATTRS_OF(max_pool, c);
        j->column_major = a->storage_order == 1;
        windowed(c, j, BORN_WINDOW_ATTRS(a, a->ceil_mode));
        break;
    }
    case BORN_OP_AVERAGE_POOL: {
        const born_average_pool_attrs *a = BORN_ATTRS_OF(average_pool, c);
        j->count_padding = a->count_include_pad;
        windowed(c, j, BORN_WINDOW_ATTRS(a, a->ceil_mode));
        break;
    }
    case BORN_OP_LP_POOL: {
        const born_lp_pool_attrs *a = BORN_ATTRS_OF(lp_pool, c);
        j->sum = sum_of(a->p);
        j->p = (double)a->p;
        windowed(c, j, BORN_WINDOW_ATTRS(a, a->ceil_mode));
        break;
    }
    case BORN_OP_GLOBAL_LP_POOL: {
        const born_global_lp_pool_attrs *a = BORN_ATTRS_OF(global_lp_pool, c);
        j->sum = sum_of(a->p);
        j->p = (double)a->p;
        global_window(c, &j->win);
        break;
    }
    default: global_window(c, &j->win); break;
    }
    born__pool_describe(c, j);
}

born_status born__ref_max_pool(born_call *c, const born_exec *x)
{
    return run_max(c, x);
}

born_status born__ref_global_max_pool(born_call *c, const born_exec *x)
{
    return run_max(c, x);
}

born_status born__ref_average_pool(born_call *c, const born_exec *x)
{
    return run_sum(c, x);
}

born_status born__ref_lp_pool(born_call *c, const born_exec *x)
{
    return run_sum(c, x);
}

born_status born__ref_global_average_pool(born_call *c, const born_exec *x)
{
    return run_sum(c, x);
}

born_status born__ref_global_lp_pool(born_call *c, const born_exec *x)
{
    return run_sum(c, x);
}

/* Softmax, layer_norm and rms_norm over dense rows: each row is read while it is in the first cache, all steps rounded
   as in their references (norm_softmax.c, norm_ref.c). Rows are independent items. */
#include "cpu/kernels/row_exp.h"
#include "cpu/kernels/row_norm.h"

#include "cpu/kernels/rows.h"

typedef struct softmax_job {
    const born_rows *rows;
    bool logarithm;
} softmax_job;

/* The largest element, NaN if any is. Which of equal zeros is taken changes no result. */
static float row_max(const float *x, int64_t n)
{
    return row_reduce(x, n, v_zero(), map_none, v_max, v_set(-INFINITY));
}

static void softmax_rows(void *ctx, int64_t begin, int64_t end)
{
    const softmax_job *j = ctx;
    int64_t n = j->rows->n;

    for (int64_t r = begin; r < end; r++) {
        const float *x = born__row_in(j->rows, r);
        float *y = born__row_out(j->rows, r), lane[16];
        v16 max = v_set(row_max(x, n));
        v16 sum = v_set(exp_sum(x, n, max, j->logarithm ? NULL : y));
        if (j->logarithm) {
            v_store(lane, log_v16(sum));
            sum = v_set(lane[0]);
        }
        for (int64_t i = 0; i < n; i += 16) {
            int64_t k = n - i < 16 ? n - i : 16;
            if (j->logarithm)
                v_store_n(y + i, v_sub(v_sub(v_load_n(x + i, k), max), sum), k);
            else
                v_store_n(y + i, v_div(v_load_n(y + i, k), sum), k);
        }
    }
}

static born_status softmax_run(const born_call *c, const born_exec *x, bool logarithm)
{
    born_rows rows;
    softmax_job j = { &rows, logarithm };

    if (born__rows_of_softmax(c, &rows)) born__exec_for(x, rows.count, 1 + 4096 / rows.n, softmax_rows, &j);
    return BORN_OK;
}

born_status BORN_K(softmax_f32)(born_call *c, const born_exec *x)
{
    return softmax_run(c, x, false);
}

born_status BORN_K(log_softmax_f32)(born_call *c, const born_exec *x)
{
    return softmax_run(c, x, true);
}

/* Row r by its mean and deviation. */
BORN_INLINE void norm_row(const born_rows *j, int64_t r, const float *x, float mean, float by, bool rms)
{
    float *y = born__row_out(j, r);
    v16 m = v_set(mean), b = v_set(by);

    if (j->mean) j->mean[r] = mean;
    if (j->inverse) j->inverse[r] = by;
    for (int64_t i = 0; i < j->n; i += 16) {
        int64_t k = j->n - i < 16 ? j->n - i : 16;
        v16 v = v_load_n(x + i, k), scale = v_load_n(j->scale + i, k);
        v = rms ? v_mul(v_div(v, b), scale) : v_mul(v_mul(v_sub(v, m), b), scale);
        if (j->bias) v = v_add(v, v_load_n(j->bias + i, k));
        v_store_n(y + i, v, k);
    }
}

BORN_INLINE void norm_range(const born_rows *j, int64_t r, int64_t end, bool rms)
{
    float count = (float)j->n, epsilon = (float)j->epsilon, mean[NORM_ROWS] = { 0 }, by[NORM_ROWS];
    const float *x[NORM_ROWS];

    for (; j->n <= NORM_SHORT && end - r >= NORM_ROWS; r += NORM_ROWS) {
        for (int i = 0; i < NORM_ROWS; i++) x[i] = born__row_in(j, r + i);
        norm_stats(x, j->n, epsilon, rms, mean, by);
        for (int i = 0; i < NORM_ROWS; i++) norm_row(j, r + i, x[i], mean[i], by[i], rms);
    }
    mean[0] = 0;
    for (; r < end; r++) {
        x[0] = born__row_in(j, r);
        if (rms) {
            by[0] = sqrtf(row_sum(x[0], j->n, v_zero(), map_square) / count + epsilon);
        } else {
            mean[0] = row_sum(x[0], j->n, v_zero(), map_none) / count;
            by[0] = 1 / sqrtf(row_sum(x[0], j->n, v_set(mean[0]), map_square_from) / count + epsilon);
        }
        norm_row(j, r, x[0], mean[0], by[0], rms);
    }
}

static void norm_rows(void *ctx, int64_t begin, int64_t end)
{
    const born_rows *j = ctx;

    if (j->rms) norm_range(j, begin, end, true);
    else norm_range(j, begin, end, false);
}

born_status BORN_K(layer_norm_f32)(born_call *c, const born_exec *x)
{
    born_rows rows;

    if (born__rows_of_norm(c, &rows)) born__exec_for(x, rows.count, NORM_ROWS * (1 + 512 / rows.n), norm_rows, &rows);
    return BORN_OK;
}

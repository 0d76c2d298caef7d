/* Cross entropy of class indices and its gradient over dense rows, all steps rounded as in their reference
   (ops/loss_nll.c). Rows are independent; sixteen go together, so that one vector takes their logarithms. */
#include "cpu/kernels/row_exp.h"

#include "base/error.h"
#include "cpu/kernels/loss.h"

enum { TOGETHER = 16, MEAN = 0, NONE = 1 };

typedef struct loss_job {
    born_loss_rows r;
    float *loss, *weight;
} loss_job;

/* The largest element; NaN is none. Which of equal zeros is taken changes no result. */
static float largest(const float *x, int64_t n)
{
    v16 top = v_set(-INFINITY);
    int64_t i = 0;

    for (; i + 16 <= n; i += 16) top = v_maxr(v_load(x + i), top);
    if (i < n) top = v_sel(m_first(n - i), v_maxr(v_load_n(x + i, n - i), top), top);
    return v_most(top);
}

static float weight_of(const born_loss_rows *r, int64_t target)
{
    if (target == r->ignore && target != INT64_MIN) return 0;
    return r->weights ? r->weights[target * r->weights_step] : 1;
}

static void loss_rows(void *ctx, int64_t begin, int64_t end)
{
    const loss_job *j = ctx;
    const born_loss_rows *r = &j->r;

    for (int64_t at = begin; at < end; at += TOGETHER) {
        int rows = (int)(end - at < TOGETHER ? end - at : TOGETHER);
        float max[TOGETHER], sum[TOGETHER] = { 0 };
        for (int i = 0; i < rows; i++) {
            const float *x = r->x + (at + i) * r->x_row;
            max[i] = largest(x, r->classes);
            sum[i] = exp_sum(x, r->classes, v_set(max[i]), NULL);
        }
        v_store(sum, log_v16(v_load(sum)));
        for (int i = 0; i < rows; i++) {
            const float *x = r->x + (at + i) * r->x_row;
            int64_t t = born__loss_target(r, at + i);
            bool none = t == r->ignore && t != INT64_MIN;
            float w = weight_of(r, t);
            v16 top = v_set(max[i]), total = v_set(sum[i]);
            j->weight[at + i] = w;
            j->loss[at + i] = none ? 0 : -(x[t] - max[i] - sum[i]) * w;
            for (int64_t c = 0; r->y && c < r->classes; c += 16) {
                int64_t n = r->classes - c < 16 ? r->classes - c : 16;
                v_store_n(r->y + (at + i) * r->y_row + c, v_sub(v_sub(v_load_n(x + c, n), top), total), n);
            }
        }
    }
}

born_status BORN_K(cross_entropy_f32)(born_call *c, const born_exec *x)
{
    loss_job j;

    if (!born__loss_rows(c, &j.r)) return BORN_OK;
    BORN_TRY(born__loss_check(&j.r, c, x->err));
    j.loss = x->scratch;
    j.weight = j.loss + j.r.count;
    born__exec_for(x, j.r.count, TOGETHER * (1 + 512 / (j.r.classes + 15)), loss_rows, &j);
    const born_view *y = &c->out[0];
    float *to = (float *)(void *)y->data;
    if (!to) return BORN_OK;
    for (int64_t i = 0; j.r.reduction == NONE && i < j.r.count; i++) to[i * y->stride[0]] = j.loss[i];
    if (j.r.reduction == NONE) return BORN_OK;
    *to = row_sum(j.loss, j.r.count, v_zero(), map_none);
    if (j.r.reduction == MEAN) *to /= row_sum(j.weight, j.r.count, v_zero(), map_none);
    return BORN_OK;
}

static void grad_rows(void *ctx, int64_t begin, int64_t end)
{
    const born_loss_rows *r = ctx;

    for (int64_t i = begin; i < end; i++) {
        const float *x = r->x + i * r->x_row;
        float *y = r->y + i * r->y_row, scale = r->scale[i * r->scale_step];
        int64_t t = born__loss_target(r, i);
        bool none = t == r->ignore && t != INT64_MIN;
        float w = weight_of(r, t), q[16] = { 0 };
        v16 by = v_set(scale), all = v_set(w);
        for (int64_t c = 0; c < r->classes; c += 16) {
            int64_t n = r->classes - c < 16 ? r->classes - c : 16;
            v16 v = v_zero();
            if (!none) {
                bool here = t >= c && t < c + n;
                v = v_mul(all, exp_v16(v_load_n(x + c, n)));
                if (here) q[t - c] = w;
                v = v_mul(by, v_sub(v, here ? v_load(q) : v_zero()));
            }
            v_store_n(y + c, v, n);
        }
    }
}

born_status BORN_K(cross_entropy_grad_f32)(born_call *c, const born_exec *x)
{
    born_loss_rows r;

    if (!born__loss_rows(c, &r)) return BORN_OK;
    BORN_TRY(born__loss_check(&r, c, x->err));
    born__exec_for(x, r.count, TOGETHER * (1 + 512 / (r.classes + 15)), grad_rows, &r);
    return BORN_OK;
}

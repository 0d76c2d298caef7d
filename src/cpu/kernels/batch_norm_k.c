/* Inference batch norm over images: y = (x - mean) * multiplier + bias per channel, each step rounded, the multiplier
   scale / sqrt(var + epsilon) made first. Where channels are side by side vectors run over channels, else over the
   cells of a plane. */
#include "cpu/simd/simd.h"

#include <math.h>

#include "cpu/kernel.h"
#include "ops/ref.h"

typedef struct norm_job {
    const float *mean, *by, *bias; /* [channels], dense */
} norm_job;

/* y, x, and where the channel's mean is. */
static void norm_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const norm_job *j = ctx;
    int64_t first = (const float *)(const void *)p[2] - j->mean;
    float *y = (float *)(void *)p[0];
    const float *x = (const float *)(const void *)p[1];

    if (step[0] == 4 && step[1] == 4 && (step[2] == 0 || step[2] == 4)) {
        v16 mean = v_set(j->mean[first]), by = v_set(j->by[first]), bias = v_set(j->bias[first]);
        for (int64_t i = 0; i < n; i += 16) {
            int64_t k = n - i < 16 ? n - i : 16;
            if (step[2]) {
                mean = v_load_n(j->mean + first + i, k);
                by = v_load_n(j->by + first + i, k);
                bias = v_load_n(j->bias + first + i, k);
            }
            v_store_n(y + i, v_add(v_mul(v_sub(v_load_n(x + i, k), mean), by), bias), k);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t ch = first + i * step[2] / (int64_t)sizeof(float);
        float v = *(const float *)(const void *)(p[1] + i * step[1]);
        *(float *)(void *)(p[0] + i * step[0]) = (v - j->mean[ch]) * j->by[ch] + j->bias[ch];
    }
}

born_status BORN_K(batch_norm_f32)(born_call *c, const born_exec *x)
{
    const born_view *v = &c->in[0], *y = &c->out[0];
    int64_t channels = v->dim[1], along[BORN_MAX_RANK] = { 0 };
    float *by = x->scratch, *mean = by + channels, *bias = mean + channels;
    float epsilon = (float)BORN_ATTRS_OF(batch_norm, c)->epsilon;
    norm_job j = { mean, by, bias };
    born_nd walk;

    for (int64_t i = 0; i < channels; i++) {
        const float *at[5];
        for (int k = 1; k < 5; k++) at[k] = (const float *)(const void *)c->in[k].data + i * c->in[k].stride[0];
        by[i] = *at[1] / sqrtf(*at[4] + epsilon);
        bias[i] = *at[2];
        mean[i] = *at[3];
    }
    born__nd_start(&walk, v->dim, v->rank);
    born__nd_add(&walk, y);
    born__nd_add(&walk, v);
    along[1] = 1;
    born__nd_add_raw(&walk, (char *)mean, along, (int)sizeof(float));
    born__nd_free_order(&walk);
    born__nd_merge(&walk);
    born__nd_for(&walk, x, 1 << 14, norm_run, &j);
    return BORN_OK;
}

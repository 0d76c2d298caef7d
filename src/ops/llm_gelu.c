/* fast_gelu, bias_gelu, quick_gelu: the activations of com.microsoft, with the bias over the last dim added first. */
#include "ops/lane1.h"
#include "ops/ref.h"

born_status born__shape_bias_gelu(born_infer *f)
{
    const born_view *x = &f->in[0];
    if (born__infer_has(f, 1)) {
        const born_view *b = &f->in[1];
        if (x->rank < 1 || b->rank != 1 || b->dim[0] != x->dim[x->rank - 1])
            return born__infer_fail(f, BORN_SHAPE, "bias %s does not fit x %s", born__infer_shape(f, 1),
                                    born__infer_shape(f, 0));
    }
    born__out_like(f, 0, x);
    return BORN_OK;
}

typedef float (*gelu_fn)(float x, float alpha);
static float fast(float x, float alpha)
{
    (void)alpha;
    float inner = x * (0.035677408136300125f * (x * x) + 0.7978845608028654f);
    return 0.5f * x * (1.0f + tanh_f32(inner));
}
static float exact(float x, float alpha)
{
    (void)alpha;
    return 0.5f * x * (1.0f + erf_f32(x * 0.7071067811865476f));
}
static float quick(float x, float alpha) { return x * sigmoid_f32(alpha * x); }

typedef struct gelu_job { gelu_fn fn; float alpha; bool bias; } gelu_job;
static void gelu_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const gelu_job *j = ctx;
    for (int64_t i = 0; i < n; i++) {
        float v = *(const float *)(const void *)(p[1] + i * step[1]);
        if (j->bias) v += *(const float *)(const void *)(p[2] + i * step[2]);
        *(float *)(void *)(p[0] + i * step[0]) = j->fn(v, j->alpha);
    }
}

static born_status gelu_all(born_call *c, const born_exec *x, gelu_fn fn, float alpha)
{
    gelu_job j = { fn, alpha, born__has(c, 1) };
    born_nd w;
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    born__nd_add(&w, &c->in[0]);
    if (j.bias) born__nd_add(&w, &c->in[1]);
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 2048, gelu_run, &j);
    return BORN_OK;
}

born_status born__ref_fast_gelu(born_call *c, const born_exec *x) { return gelu_all(c, x, fast, 0); }
born_status born__ref_bias_gelu(born_call *c, const born_exec *x) { return gelu_all(c, x, exact, 0); }
born_status born__ref_quick_gelu(born_call *c, const born_exec *x)
{
    return gelu_all(c, x, quick, (float)BORN_ATTRS_OF(quick_gelu, c)->alpha);
}

/* Linear attention as a recurrence (LinearAttention of ONNX 27), and swiglu. The state S [Dk, Dv] of each key head goes
   from token to token; its columns never meet, so work is cut by image, head and columns. With d = exp(decay):
     S = d * S (gated);  u = beta * (v - S^T k) (delta) or v;  S = S + k u^T;  out = scale * S^T q
   S^T k and S^T q are FMA chains over Dk, the update one FMA per element. */
#include <math.h>

#include "ops/attention.h"
#include "ops/lane1.h"

enum { RULE_GATED_DELTA, RULE_LINEAR, RULE_GATED, RULE_DELTA, COLUMNS = 64 };

typedef struct linear_job {
    int64_t B, T, Hq, Hk, Dk, Dv, blocks;   /* blocks of COLUMNS columns */
    born_attn_side q, k, v, y, past, decay, beta;   /* past p NULL: zeros */
    bool gated, delta, decay_each, beta_each;
    float scale;
    float *state;                           /* [B, Hk, Dk, Dv] */
} linear_job;

static bool linear_sizes(const born_view *in, const born_linear_attention_attrs *a, linear_job *j)
{
    const born_view *q = &in[0], *k = &in[1], *v = &in[2];
    if (q->rank != 3 || k->rank != 3 || v->rank != 3 || a->q_num_heads <= 0 || a->kv_num_heads <= 0) return false;
    j->B = q->dim[0];
    j->T = q->dim[1];
    j->Hq = a->q_num_heads;
    j->Hk = a->kv_num_heads;
    if (j->Hq % j->Hk != 0 || q->dim[2] % j->Hq != 0 || v->dim[2] % j->Hk != 0) return false;
    j->Dk = q->dim[2] / j->Hq;
    j->Dv = v->dim[2] / j->Hk;
    j->blocks = (j->Dv + COLUMNS - 1) / COLUMNS;
    j->gated = a->update_rule == RULE_GATED || a->update_rule == RULE_GATED_DELTA;
    j->delta = a->update_rule == RULE_DELTA || a->update_rule == RULE_GATED_DELTA;
    return k->dim[0] == j->B && k->dim[1] == j->T && v->dim[0] == j->B && v->dim[1] == j->T &&
           k->dim[2] % j->Hk == 0 && k->dim[2] / j->Hk == j->Dk;
}

static bool gate_fits(const born_view *v, const linear_job *j, int64_t each, int64_t one, bool *is_each)
{
    if (v->rank != 3 || v->dim[0] != j->B || v->dim[1] != j->T) return false;
    *is_each = v->dim[2] == each;
    return *is_each || v->dim[2] == one;
}

born_status born__shape_linear_attention(born_infer *f)
{
    linear_job j = { 0 };
    const born_linear_attention_attrs *a = BORN_ATTRS_OF(linear_attention, f);
    int64_t each, width;
    if (!linear_sizes(f->in, a, &j) || !born__mul_i64(j.Hk, j.Dk, &each) || !born__mul_i64(j.Hq, j.Dv, &width))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: q %s (%lld heads), k %s, v %s (%lld heads)",
                                born__infer_shape(f, 0), (long long)a->q_num_heads, born__infer_shape(f, 1),
                                born__infer_shape(f, 2), (long long)a->kv_num_heads);
    int64_t state[4] = { j.B, j.Hk, j.Dk, j.Dv };
    born_dtype t = f->in[0].dtype;
    if (born__infer_has(f, 3)) {
        const born_view *p = &f->in[3];
        bool fits = p->rank == 4;
        for (int d = 0; fits && d < 4; d++) fits = p->dim[d] == state[d];
        if (!fits) return born__infer_fail(f, BORN_SHAPE, "past state %s does not fit", born__infer_shape(f, 3));
        t = p->dtype;
        if (!born__dtype_is(t, f->op->dtypes))
            return born__infer_fail(f, BORN_DTYPE, "the past state cannot be %s", born_dtype_name(t));
    }
    if (j.gated && !(born__infer_has(f, 4) && gate_fits(&f->in[4], &j, each, j.Hk, &j.decay_each)))
        return born__infer_fail(f, BORN_SHAPE, "decay is missing or does not fit");
    if (j.delta && !(born__infer_has(f, 5) && gate_fits(&f->in[5], &j, j.Hk, 1, &j.beta_each)))
        return born__infer_fail(f, BORN_SHAPE, "beta is missing or does not fit");
    born__out_set(f, 0, f->in[0].dtype, 3, (int64_t[]){ j.B, j.T, width });
    born__out_set(f, 1, t, 4, state);
    return BORN_OK;
}

size_t born__scratch_linear_attention(const born_call *c)
{
    linear_job j = { 0 };
    size_t n = sizeof(float);
    if (!linear_sizes(c->in, BORN_ATTRS_OF(linear_attention, c), &j)) return 0;
    bool ok = born__mul_size(n, (size_t)j.B, &n) && born__mul_size(n, (size_t)j.Hk, &n) &&
              born__mul_size(n, (size_t)j.Dk, &n) && born__mul_size(n, (size_t)j.Dv, &n);
    return ok ? n : SIZE_MAX;
}

static float side_f32(const born_attn_side *s, int64_t b, int64_t h, int64_t t, int64_t d)
{
    return *(const float *)(const void *)(s->p + b * s->b + h * s->h + t * s->t + d * s->d);
}

/* out[c] = sum over k of S[k][c] * x(k), for n columns. */
static void times_state(const linear_job *j, const float *S, int64_t n, const born_attn_side *x, int64_t b, int64_t h,
                        int64_t t, float *out)
{
    memset(out, 0, COLUMNS * sizeof *out);
    for (int64_t k = 0; k < j->Dk; k++) {
        float v = side_f32(x, b, h, t, k);
        for (int64_t c = 0; c < n; c++) out[c] = born__fmaf(S[k * j->Dv + c], v, out[c]);
    }
}

static void linear_step(const linear_job *j, float *S, int64_t b, int64_t h, int64_t t, int64_t c0, int64_t n)
{
    float u[COLUMNS], seen[COLUMNS];
    if (j->gated) {
        float d = 0;
        for (int64_t k = 0; k < j->Dk; k++) {
            if (j->decay_each || k == 0) d = exp_f32(side_f32(&j->decay, b, h, t, k));
            for (int64_t c = 0; c < n; c++) S[k * j->Dv + c] *= d;
        }
    }
    for (int64_t c = 0; c < n; c++) u[c] = side_f32(&j->v, b, h, t, c0 + c);
    if (j->delta) {
        float beta = side_f32(&j->beta, b, h, t, 0);
        times_state(j, S, n, &j->k, b, h, t, seen);
        for (int64_t c = 0; c < n; c++) u[c] = beta * (u[c] - seen[c]);
    }
    for (int64_t k = 0; k < j->Dk; k++) {
        float v = side_f32(&j->k, b, h, t, k);
        for (int64_t c = 0; c < n; c++) S[k * j->Dv + c] = born__fmaf(v, u[c], S[k * j->Dv + c]);
    }
    int64_t group = j->Hq / j->Hk;
    for (int64_t g = h * group; g < (h + 1) * group; g++) {
        times_state(j, S, n, &j->q, b, g, t, seen);
        char *y = j->y.p + b * j->y.b + g * j->y.h + t * j->y.t;
        for (int64_t c = 0; c < n; c++) *(float *)(void *)(y + (c0 + c) * j->y.d) = seen[c] * j->scale;
    }
}

static void linear_part(void *ctx, int64_t begin, int64_t end)
{
    const linear_job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t c0 = i % j->blocks * COLUMNS, h = i / j->blocks % j->Hk, b = i / j->blocks / j->Hk;
        int64_t n = j->Dv - c0 < COLUMNS ? j->Dv - c0 : COLUMNS;
        float *S = j->state + (b * j->Hk + h) * j->Dk * j->Dv + c0;
        for (int64_t k = 0; k < j->Dk; k++)
            for (int64_t c = 0; c < n; c++)
                S[k * j->Dv + c] = j->past.p ? side_f32(&j->past, b, h, k, c0 + c) : 0;
        for (int64_t t = 0; t < j->T; t++) linear_step(j, S, b, h, t, c0, n);
    }
}

/* [B, T, n * heads] or [B, T, heads] or [B, T, 1] as a side. */
static born_attn_side gate_side(const born_view *v, int64_t heads, bool each)
{
    born_attn_side s = born__attn_side3(v, v->dim[2] == 1 ? 1 : heads);
    if (v->dim[2] == 1) s.h = 0;
    if (!each) s.d = 0;
    return s;
}

born_status born__ref_linear_attention(born_call *c, const born_exec *x)
{
    const born_linear_attention_attrs *a = BORN_ATTRS_OF(linear_attention, c);
    linear_job j = { .state = x->scratch };
    if (!linear_sizes(c->in, a, &j)) return born__fail(x->err, BORN_INTERNAL, "linear_attention: shapes changed");
    j.scale = a->scale != 0 ? (float)a->scale : 1.0f / sqrtf((float)j.Dk);
    j.q = born__attn_side3(&c->in[0], j.Hq);
    j.k = born__attn_side3(&c->in[1], j.Hk);
    j.v = born__attn_side3(&c->in[2], j.Hk);
    j.y = born__attn_side3(&c->out[0], j.Hq);
    if (born__has(c, 3)) j.past = born__attn_side4(&c->in[3]);
    if (j.gated) {
        gate_fits(&c->in[4], &j, j.Hk * j.Dk, j.Hk, &j.decay_each);
        j.decay = gate_side(&c->in[4], j.Hk, j.decay_each);
    }
    if (j.delta) j.beta = gate_side(&c->in[5], j.Hk, false);
    if (j.B == 0 || j.blocks == 0 || (j.Dk == 0 && j.T == 0)) return BORN_OK;
    born__exec_for(x, j.B * j.Hk * j.blocks, 1, linear_part, &j);
    if (c->out_count > 1 && c->out[1].data) {
        born_attn_side dst = born__attn_side4(&c->out[1]);
        int64_t row = j.Dv * (int64_t)sizeof(float);
        born_attn_side src = { (char *)j.state, j.Hk * j.Dk * row, j.Dk * row, row, sizeof(float) };
        born__attn_copy(x, &dst, 0, &src, j.B, j.Hk, j.Dk, j.Dv);
    }
    return BORN_OK;
}

/* ---- swiglu ---- */

born_status born__shape_swiglu(born_infer *f)
{
    bool same = f->in[0].rank == f->in[1].rank;
    for (int d = 0; same && d < f->in[0].rank; d++) same = f->in[0].dim[d] == f->in[1].dim[d];
    if (!same)
        return born__infer_fail(f, BORN_SHAPE, "a %s and b %s differ in shape", born__infer_shape(f, 0),
                                born__infer_shape(f, 1));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

static void swiglu_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    float alpha = *(const float *)ctx;
    for (int64_t i = 0; i < n; i++) {
        float a = *(const float *)(const void *)(p[1] + i * step[1]),
              b = *(const float *)(const void *)(p[2] + i * step[2]);
        *(float *)(void *)(p[0] + i * step[0]) = a * sigmoid_f32(alpha * a) * b;
    }
}

born_status born__ref_swiglu(born_call *c, const born_exec *x)
{
    float alpha = (float)BORN_ATTRS_OF(swiglu, c)->alpha;
    born_nd w;
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    born__nd_add(&w, &c->in[0]);
    born__nd_add(&w, &c->in[1]);
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 4096, swiglu_run, &alpha);
    return BORN_OK;
}

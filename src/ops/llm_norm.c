/* The fused normalisations of com.microsoft: skip_layer_norm, skip_rms_norm, embed_layer_norm. Rows are
   independent. Sums over a row follow law (b) of the design (lane_sum.h); variance takes two passes. */
#include <math.h>

#include "ops/lane_sum.h"
#include "ops/ref.h"

typedef enum term { TERM_X, TERM_CENTRED, TERM_SQUARE } term;   /* x, (x - mean)^2, x^2 */

static float *at(const char *p, int64_t step, int64_t i) { return (float *)(uintptr_t)(p + i * step); }

static float row_sum(const char *p, int64_t step, int64_t n, term kind, float mean)
{
    born_lanes_f32 s = { 0 };
    for (int64_t i = 0; i < n; i++) {
        float v = *at(p, step, i);
        if (kind == TERM_CENTRED) v -= mean;
        born__lanes_add_f32(&s, kind == TERM_X ? v : v * v);
    }
    return born__lanes_end_f32(&s);
}

/* What is normalised along the last dim: y rows hold x when this starts. gamma, beta dense or strided [C]. */
typedef struct norm {
    born_view y;
    const born_view *gamma, *beta;      /* beta NULL: none */
    float *mean, *inv;                  /* results per row; NULL: not asked for */
    float epsilon;
    bool rms;
    int64_t C, rows;
} norm;

static void norm_row(const norm *m, int64_t row)
{
    const born_view *v = &m->y;
    int64_t step = v->stride[v->rank - 1] * (int64_t)sizeof(float);
    char *y = v->data + born__offset_of(v->dim, v->stride, v->rank - 1, row) * (int64_t)sizeof(float);
    float n = (float)m->C, mean = m->rms ? 0 : row_sum(y, step, m->C, TERM_X, 0) / n;
    float var = row_sum(y, step, m->C, m->rms ? TERM_SQUARE : TERM_CENTRED, mean) / n;
    float inv = 1.0f / sqrtf(var + m->epsilon);
    const float *g = (const float *)(const void *)m->gamma->data;
    for (int64_t i = 0; i < m->C; i++) {
        float t = (*at(y, step, i) - mean) * inv * g[i * m->gamma->stride[0]];
        if (m->beta) t += ((const float *)(const void *)m->beta->data)[i * m->beta->stride[0]];
        *at(y, step, i) = t;
    }
    if (m->mean) m->mean[row] = mean;
    if (m->inv) m->inv[row] = inv;
}

static born_status vector_rule(born_infer *f, int i, int64_t n)
{
    if (!born__infer_has(f, i) || (f->in[i].rank == 1 && f->in[i].dim[0] == n)) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "operand %d %s is not [%lld]", i, born__infer_shape(f, i), (long long)n);
}

/* ---- skip_layer_norm, skip_rms_norm: x skip gamma (beta) (bias) ---- */

static born_status skip_rule(born_infer *f, int beta, int bias)
{
    const born_view *x = &f->in[0], *s = &f->in[1];
    int rank = x->rank;
    int64_t dim[BORN_MAX_RANK];
    if (x->rank < 1) return born__infer_fail(f, BORN_SHAPE, "x has rank 0");
    memcpy(dim, x->dim, sizeof dim);
    bool fits = s->rank <= x->rank && born__broadcast(dim, &rank, s->dim, s->rank);
    for (int d = 0; fits && d < rank; d++) fits = dim[d] == x->dim[d];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "skip %s does not fit x %s", born__infer_shape(f, 1),
                                born__infer_shape(f, 0));
    int64_t C = x->dim[x->rank - 1];
    BORN_TRY(vector_rule(f, 2, C));
    if (beta > 0) BORN_TRY(vector_rule(f, beta, C));
    BORN_TRY(vector_rule(f, bias, C));
    born__out_like(f, 0, x);
    memcpy(dim, x->dim, sizeof dim);
    dim[x->rank - 1] = 1;
    born__out_set(f, 1, BORN_F32, x->rank, dim);
    born__out_set(f, 2, BORN_F32, x->rank, dim);
    born__out_like(f, 3, x);
    return BORN_OK;
}

born_status born__shape_skip_layer_norm(born_infer *f) { return skip_rule(f, 3, 4); }
born_status born__shape_skip_rms_norm(born_infer *f) { return skip_rule(f, 0, 3); }

typedef struct skip_job {
    norm n;
    born_view x, skip, bias, sum;       /* all with x's dims; bias and sum data NULL: none */
} skip_job;

static void skip_part(void *ctx, int64_t begin, int64_t end)
{
    const skip_job *j = ctx;
    const int64_t f = (int64_t)sizeof(float);
    int last = j->x.rank - 1;
    for (int64_t row = begin; row < end; row++) {
        const char *x = j->x.data + born__offset_of(j->x.dim, j->x.stride, last, row) * f;
        const char *s = j->skip.data + born__offset_of(j->x.dim, j->skip.stride, last, row) * f;
        char *y = j->n.y.data + born__offset_of(j->x.dim, j->n.y.stride, last, row) * f;
        char *sum = j->sum.data ? j->sum.data + born__offset_of(j->x.dim, j->sum.stride, last, row) * f : NULL;
        for (int64_t i = 0; i < j->n.C; i++) {
            float v = *at(x, j->x.stride[last] * f, i) + *at(s, j->skip.stride[last] * f, i);
            if (j->bias.data) v += *at(j->bias.data, j->bias.stride[last] * f, i);
            *at(y, j->n.y.stride[last] * f, i) = v;
            if (sum) *at(sum, j->sum.stride[last] * f, i) = v;
        }
        norm_row(&j->n, row);
    }
}

static float *out_f32(const born_call *c, int o)
{
    return o < c->out_count ? (float *)(void *)c->out[o].data : NULL;
}

static born_status skip_run(born_call *c, const born_exec *x, int beta, int bias)
{
    const born_view *in = &c->in[0];
    skip_job j = { .x = *in, .skip = born__view_expand(&c->in[1], in) };
    j.n = (norm){ .y = c->out[0], .gamma = &c->in[2], .beta = beta > 0 && born__has(c, beta) ? &c->in[beta] : NULL,
                  .mean = out_f32(c, 1), .inv = out_f32(c, 2), .epsilon = (float)BORN_ATTRS_OF(skip_norm, c)->epsilon,
                  .rms = beta == 0, .C = in->dim[in->rank - 1] };
    if (born__has(c, bias)) j.bias = born__view_expand(&c->in[bias], in);
    if (c->out_count > 3 && c->out[3].data) j.sum = c->out[3];
    int64_t count = born__view_count(in);
    if (count > 0) born__exec_for(x, count / j.n.C, 4, skip_part, &j);
    return BORN_OK;
}

born_status born__ref_skip_layer_norm(born_call *c, const born_exec *x) { return skip_run(c, x, 3, 4); }
born_status born__ref_skip_rms_norm(born_call *c, const born_exec *x) { return skip_run(c, x, 0, 3); }

/* ---- embed_layer_norm: ids segments words positions segment_words gamma beta mask position_ids ---- */

typedef struct embed {
    int64_t B, T, C;
    const born_view *ids, *segments, *words, *places, *parts, *positions;    /* NULL: absent */
    norm n;
    born_view sum;
} embed;

static born_status ids_rule(born_infer *f, int i, int64_t B, int64_t T, bool one_row)
{
    if (!born__infer_has(f, i)) return BORN_OK;
    const born_view *v = &f->in[i];
    if (!born__dtype_is(v->dtype, BORN_DT(I32) | BORN_DT(I64)))
        return born__infer_fail(f, BORN_DTYPE, "operand %d cannot be %s", i, born_dtype_name(v->dtype));
    if (v->rank == 2 && (v->dim[0] == B || (one_row && v->dim[0] == 1)) && v->dim[1] == T) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "operand %d %s is not [%lld,%lld]", i, born__infer_shape(f, i), (long long)B,
                            (long long)T);
}

born_status born__shape_embed_layer_norm(born_infer *f)
{
    for (int i = 2; i <= 6; i++)
        if (i != 4 && !born__infer_has(f, i)) return born__infer_fail(f, BORN_INVALID, "operand %d is missing", i);
    if (f->in[0].rank != 2 || f->in[2].rank != 2 || f->in[3].rank != 2)
        return born__infer_fail(f, BORN_SHAPE, "ids %s, words %s and positions %s must have rank 2",
                                born__infer_shape(f, 0), born__infer_shape(f, 2), born__infer_shape(f, 3));
    int64_t B = f->in[0].dim[0], T = f->in[0].dim[1], C = f->in[2].dim[1];
    if (f->in[3].dim[1] != C || (born__infer_has(f, 4) && !(f->in[4].rank == 2 && f->in[4].dim[1] == C)))
        return born__infer_fail(f, BORN_SHAPE, "the embeddings differ in width");
    if (born__infer_has(f, 1) != born__infer_has(f, 4))
        return born__infer_fail(f, BORN_INVALID, "segment ids and segment embedding go together");
    if (!born__infer_has(f, 8) && T > f->in[3].dim[0])
        return born__infer_fail(f, BORN_SHAPE, "%lld positions where the embedding has %lld", (long long)T,
                                (long long)f->in[3].dim[0]);
    BORN_TRY(ids_rule(f, 0, B, T, false));
    BORN_TRY(ids_rule(f, 1, B, T, false));
    BORN_TRY(ids_rule(f, 7, B, T, false));
    BORN_TRY(ids_rule(f, 8, B, T, true));
    BORN_TRY(vector_rule(f, 5, C));
    BORN_TRY(vector_rule(f, 6, C));
    born__out_set(f, 0, f->in[2].dtype, 3, (int64_t[]){ B, T, C });
    born__out_set(f, 1, BORN_I32, 1, (int64_t[]){ B });
    born__out_set(f, 2, f->in[2].dtype, 3, (int64_t[]){ B, T, C });
    return BORN_OK;
}

static int64_t id_at(const born_view *v, int64_t b, int64_t t)
{
    int64_t i = (v->dim[0] == 1 ? 0 : b) * v->stride[0] + t * v->stride[1];
    return born__load_i64(v->dtype, v->data + i * born__elem_size(v));
}

static born_status check_ids(const born_view *v, int64_t rows, const char *what, const born_exec *x)
{
    if (!v || born__view_count(v) == 0) return BORN_OK;
    for (int64_t b = 0; b < v->dim[0]; b++)
        for (int64_t t = 0; t < v->dim[1]; t++) {
            int64_t id = id_at(v, b, t);
            BORN_FAIL_IF(id < 0 || id >= rows, x->err, BORN_RANGE, "embed_layer_norm: %s %lld is outside [0,%lld)",
                         what, (long long)id, (long long)rows);
        }
    return BORN_OK;
}

static const float *table_row(const born_view *v, int64_t row)
{
    return (const float *)(const void *)v->data + row * v->stride[0];
}

static void embed_part(void *ctx, int64_t begin, int64_t end)
{
    const embed *e = ctx;
    for (int64_t row = begin; row < end; row++) {
        int64_t b = row / e->T, t = row % e->T;
        const float *w = table_row(e->words, id_at(e->ids, b, t));
        const float *p = table_row(e->places, e->positions ? id_at(e->positions, b, t) : t);
        const float *s = e->parts ? table_row(e->parts, id_at(e->segments, b, t)) : NULL;
        const born_view *y = &e->n.y;
        float *out = (float *)(void *)y->data + b * y->stride[0] + t * y->stride[1];
        float *sum = e->sum.data ? (float *)(void *)e->sum.data + b * e->sum.stride[0] + t * e->sum.stride[1] : NULL;
        for (int64_t i = 0; i < e->C; i++) {
            float v = w[i * e->words->stride[1]] + p[i * e->places->stride[1]];
            if (s) v += s[i * e->parts->stride[1]];
            out[i * y->stride[2]] = v;
            if (sum) sum[i * e->sum.stride[2]] = v;
        }
        norm_row(&e->n, row);
    }
}

static void mask_index(const born_view *mask, born_view *out)
{
    int32_t *p = (int32_t *)(void *)out->data;
    for (int64_t b = 0; b < out->dim[0]; b++) {
        int32_t n = 0;
        for (int64_t t = 0; mask && t < mask->dim[1]; t++) n += id_at(mask, b, t) == 1;
        p[b * out->stride[0]] = n;
    }
}

born_status born__ref_embed_layer_norm(born_call *c, const born_exec *x)
{
    const born_view *in = c->in;
    embed e = { .B = in[0].dim[0], .T = in[0].dim[1], .C = in[2].dim[1], .ids = &in[0], .words = &in[2],
                .places = &in[3], .segments = born__has(c, 1) ? &in[1] : NULL, .parts = born__has(c, 4) ? &in[4] : NULL,
                .positions = born__has(c, 8) ? &in[8] : NULL };
    e.n = (norm){ .y = c->out[0], .gamma = &in[5], .beta = &in[6], .C = e.C,
                  .epsilon = (float)BORN_ATTRS_OF(embed_norm, c)->epsilon };
    if (c->out_count > 2 && c->out[2].data) e.sum = c->out[2];
    BORN_TRY(check_ids(e.ids, e.words->dim[0], "id", x));
    BORN_TRY(check_ids(e.positions, e.places->dim[0], "position", x));
    BORN_TRY(check_ids(e.segments, e.parts ? e.parts->dim[0] : 0, "segment", x));
    if (born__view_count(&c->out[0]) > 0) born__exec_for(x, e.B * e.T, 4, embed_part, &e);
    if (c->out_count > 1 && c->out[1].data) mask_index(born__has(c, 7) ? &in[7] : NULL, &c->out[1]);
    return BORN_OK;
}

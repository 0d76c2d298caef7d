/* Rotary position embedding (Su et al., "RoFormer", 2021), with the operands of ONNX and those of com.microsoft. Each
   pair (x1, x2) becomes (cos x1 - sin x2, sin x1 + cos x2), every step rounded; elements behind rotary_dim are copied.
   */
#include "ops/attention.h"

typedef struct rotary {
    int64_t B, H, T, D, R;          /* R: elements that take part, even */
    int64_t angles;                 /* rows of cos and sin */
    const born_view *x, *cos, *sin, *ids;   /* ids NULL: cos and sin are [B, T, R / 2] */
    bool interleaved, from_first;   /* from_first: ids holds the position of row 0 only */
    born_attn_side in, out;
} rotary;

static bool rotary_sizes(rotary *r, const born_rotary_attrs *a)
{
    const born_view *x = r->x;
    int64_t half = r->cos->rank > 0 ? r->cos->dim[r->cos->rank - 1] : 0, heads = a->num_heads;
    if ((x->rank != 3 && x->rank != 4) || half <= 0 || half > (int64_t)1 << 32) return false;
    r->B = x->dim[0];
    r->interleaved = a->interleaved;
    if (x->rank == 4) {
        r->H = x->dim[1];
        r->T = x->dim[2];
        r->D = x->dim[3];
    } else {
        if (heads == 0 && a->rotary_dim == 0 && x->dim[2] % (2 * half) == 0) heads = x->dim[2] / (2 * half);
        if (heads <= 0 || x->dim[2] % heads != 0) return false;
        r->H = heads;
        r->T = x->dim[1];
        r->D = x->dim[2] / heads;
    }
    r->R = a->rotary_dim ? a->rotary_dim : r->D;
    return r->R % 2 == 0 && r->R <= r->D && half == r->R / 2;
}

static bool rotary_angles(rotary *r)
{
    const born_view *c = r->cos, *s = r->sin;
    bool same = c->rank == s->rank;
    for (int d = 0; same && d < c->rank; d++) same = c->dim[d] == s->dim[d];
    if (!same) return false;
    r->angles = c->dim[0];
    if (!r->ids) return c->rank == 3 && c->dim[0] == r->B && c->dim[1] == r->T;
    r->from_first = r->ids->rank == 1 && r->ids->dim[0] == 1;
    return c->rank == 2 && (r->from_first || (r->ids->rank == 2 && r->ids->dim[0] == r->B && r->ids->dim[1] == r->T));
}

static born_status rotary_rule(born_infer *f, int cos, int ids, bool first_allowed)
{
    const born_rotary_attrs *a = BORN_ATTRS_OF(rotary, f);
    rotary r = { .x = &f->in[0], .cos = &f->in[cos], .sin = &f->in[cos + 1],
                 .ids = born__infer_has(f, ids) ? &f->in[ids] : NULL };
    if (a->scale != 1 || a->packed_batching)
        return born__infer_fail(f, BORN_UNSUPPORTED, "scale and packed batching are not supported");
    if (!rotary_sizes(&r, a) || !rotary_angles(&r) || (r.from_first && !first_allowed))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: x %s (%lld heads), cos %s, sin %s, positions %s",
                                born__infer_shape(f, 0), (long long)a->num_heads, born__infer_shape(f, cos),
                                born__infer_shape(f, cos + 1), r.ids ? born__infer_shape(f, ids) : "none");
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

born_status born__shape_rotary_embedding(born_infer *f) { return rotary_rule(f, 1, 3, false); }
born_status born__shape_rotary_embedding_ids(born_infer *f) { return rotary_rule(f, 2, 1, true); }

static int64_t position(const rotary *r, int64_t b, int64_t t)
{
    if (r->from_first) return born__at_i64(r->ids, 0) + t;
    const int64_t *s = r->ids->stride;
    return *(const int64_t *)(const void *)(r->ids->data + (b * s[0] + t * s[1]) * (int64_t)sizeof(int64_t));
}

static born_status check_positions(const rotary *r, const born_call *c, const born_exec *x)
{
    if (!r->ids) return BORN_OK;
    int64_t n = r->from_first ? 1 : r->B * r->T;
    for (int64_t i = 0; i < n && r->T > 0; i++) {
        int64_t p = position(r, i / r->T, r->from_first ? 0 : i % r->T),
                last = r->from_first ? r->angles - r->T : r->angles - 1;
        BORN_FAIL_IF(p < 0 || p > last, x->err, BORN_RANGE, "%s: position %lld is outside [0,%lld]", c->op->name,
                     (long long)p, (long long)last);
    }
    return BORN_OK;
}

static void rotary_part(void *ctx, int64_t begin, int64_t end)
{
    const rotary *r = ctx;
    int64_t half = r->R / 2, step = r->interleaved ? 2 : 1, other = r->interleaved ? 1 : half;
    for (int64_t row = begin; row < end; row++) {
        int64_t t = row % r->T, h = row / r->T % r->H, b = row / r->T / r->H;
        const char *in = r->in.p + b * r->in.b + h * r->in.h + t * r->in.t;
        char *out = r->out.p + b * r->out.b + h * r->out.h + t * r->out.t;
        int64_t cs = r->cos->stride[r->cos->rank - 1], ss = r->sin->stride[r->sin->rank - 1], cat, sat;
        if (r->ids) {
            int64_t p = position(r, b, t);
            cat = p * r->cos->stride[0];
            sat = p * r->sin->stride[0];
        } else {
            cat = b * r->cos->stride[0] + t * r->cos->stride[1];
            sat = b * r->sin->stride[0] + t * r->sin->stride[1];
        }
        const float *cos = (const float *)(const void *)r->cos->data + cat;
        const float *sin = (const float *)(const void *)r->sin->data + sat;
        for (int64_t i = 0; i < half; i++) {
            float x1 = *(const float *)(const void *)(in + i * step * r->in.d);
            float x2 = *(const float *)(const void *)(in + (i * step + other) * r->in.d);
            float c = cos[i * cs], s = sin[i * ss], re1 = c * x1, re2 = s * x2, im1 = s * x1, im2 = c * x2;
            *(float *)(void *)(out + i * step * r->out.d) = re1 - re2;
            *(float *)(void *)(out + (i * step + other) * r->out.d) = im1 + im2;
        }
        for (int64_t i = r->R; i < r->D; i++)
            *(float *)(void *)(out + i * r->out.d) = *(const float *)(const void *)(in + i * r->in.d);
    }
}

static born_status rotary_run(born_call *c, const born_exec *x, int cos, int ids)
{
    rotary r = {
        .x = &c->in[0], .cos = &c->in[cos], .sin = &c->in[cos + 1], .ids = born__has(c, ids) ? &c->in[ids] : NULL
    };
    if (!rotary_sizes(&r, BORN_ATTRS_OF(rotary, c)) || !rotary_angles(&r))
        return born__fail(x->err, BORN_INTERNAL, "%s: shapes changed", c->op->name);
    BORN_TRY(check_positions(&r, c, x));
    r.in = r.x->rank == 4 ? born__attn_side4(r.x) : born__attn_side3(r.x, r.H);
    r.out = r.x->rank == 4 ? born__attn_side4(&c->out[0]) : born__attn_side3(&c->out[0], r.H);
    if (born__view_count(r.x) > 0) born__exec_for(x, r.B * r.H * r.T, 16, rotary_part, &r);
    return BORN_OK;
}

born_status born__ref_rotary_embedding(born_call *c, const born_exec *x) { return rotary_run(c, x, 1, 3); }
born_status born__ref_rotary_embedding_ids(born_call *c, const born_exec *x) { return rotary_run(c, x, 2, 1); }

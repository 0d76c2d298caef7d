/* group_query_attention: GroupQueryAttention of com.microsoft. Operands q k v past_k past_v lengths total cos sin
   positions added sink; results y present_k present_v. lengths[b] + 1 tokens are in the cache after this call, the new
   ones last, so rows of one batch may be of different lengths; keys and values go to the present ones first and are
   read from there. q may hold k and v behind its heads. */
#include <math.h>

#include "ops/attention.h"

typedef struct gqa {
    int64_t B, Hq, Hk, T, D, past, cache;       /* T new tokens; past, cache: room in past and present */
    born_attn_side q, k, v;
} gqa;

static bool gqa_read(const born_view *in, int count, const born_group_attention_attrs *a, gqa *g)
{
    const born_view *q = &in[0];
    bool has_k = count > 1 && in[1].dtype != BORN_DTYPE_NONE, has_v = count > 2 && in[2].dtype != BORN_DTYPE_NONE;
    int64_t heads;
    if (q->rank != 3 || a->num_heads <= 0 || a->kv_num_heads <= 0 || a->num_heads % a->kv_num_heads != 0 ||
        has_k != has_v)
        return false;
    *g = (gqa){ .B = q->dim[0], .Hq = a->num_heads, .Hk = a->kv_num_heads, .T = q->dim[1] };
    heads = has_k ? g->Hq : g->Hq + 2 * g->Hk;
    if (q->dim[2] % heads != 0) return false;
    g->D = q->dim[2] / heads;
    g->q = born__attn_side3(q, heads);
    if (!has_k) {
        g->k = g->v = g->q;
        if (q->data) {
            g->k.p += g->Hq * g->q.h;
            g->v.p += (g->Hq + g->Hk) * g->q.h;
        }
        return true;
    }
    for (int i = 1; i <= 2; i++)
        if (in[i].rank != 3 || in[i].dim[0] != g->B || in[i].dim[1] != g->T || in[i].dim[2] % g->Hk != 0 ||
            in[i].dim[2] / g->Hk != g->D)
            return false;
    g->k = born__attn_side3(&in[1], g->Hk);
    g->v = born__attn_side3(&in[2], g->Hk);
    return true;
}

static born_status past_rule(born_infer *f, gqa *g)
{
    if (born__infer_has(f, 3) != born__infer_has(f, 4))
        return born__infer_fail(f, BORN_INVALID, "past key and past value go together");
    for (int i = 3; i <= 4 && born__infer_has(f, 3); i++) {
        const born_view *p = &f->in[i];
        if (p->rank != 4 || p->dim[0] != g->B || p->dim[1] != g->Hk || p->dim[3] != g->D ||
            p->dim[2] != f->in[3].dim[2])
            return born__infer_fail(f, BORN_SHAPE, "past %s does not fit", born__infer_shape(f, i));
        g->past = p->dim[2];
    }
    return BORN_OK;
}

static born_status rotary_rule(born_infer *f, const gqa *g)
{
    if (!BORN_ATTRS_OF(group_attention, f)->do_rotary) return BORN_OK;
    if (!born__infer_has(f, 7) || !born__infer_has(f, 8))
        return born__infer_fail(f, BORN_INVALID, "do_rotary needs cos and sin");
    const born_view *c = &f->in[7], *s = &f->in[8];
    bool fits = c->rank == 2 && s->rank == 2 && c->dim[0] == s->dim[0] && c->dim[1] == s->dim[1] && c->dim[1] > 0 &&
                c->dim[1] <= g->D / 2;
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "cos %s and sin %s do not fit heads of %lld", born__infer_shape(f, 7),
                                born__infer_shape(f, 8), (long long)g->D);
    if (!born__infer_has(f, 9)) return BORN_OK;
    const born_view *p = &f->in[9];
    if (p->dtype == BORN_I64 && p->rank == 2 && p->dim[0] == g->B && p->dim[1] == g->T) return BORN_OK;
    return born__infer_fail(f, BORN_SHAPE, "positions %s do not fit", born__infer_shape(f, 9));
}

born_status born__shape_group_query_attention(born_infer *f)
{
    const born_group_attention_attrs *a = BORN_ATTRS_OF(group_attention, f);
    gqa g;
    int64_t total = 0, count;
    if (!gqa_read(f->in, f->in_count, a, &g))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: q %s, k %s, v %s, %lld and %lld heads",
                                born__infer_shape(f, 0), born__infer_has(f, 1) ? born__infer_shape(f, 1) : "none",
                                born__infer_has(f, 2) ? born__infer_shape(f, 2) : "none", (long long)a->num_heads,
                                (long long)a->kv_num_heads);
    BORN_TRY(past_rule(f, &g));
    BORN_TRY(rotary_rule(f, &g));
    for (int i = 5; i <= 6; i++)
        if (!born__infer_has(f, i) || f->in[i].dtype != BORN_I32)
            return born__infer_fail(f, BORN_INVALID, "operand %d must be i32", i);
    if (f->in[5].rank != 1 || f->in[5].dim[0] != g.B)
        return born__infer_fail(f, BORN_SHAPE, "lengths %s are not [%lld]", born__infer_shape(f, 5), (long long)g.B);
    BORN_TRY(born__host_i64(f, 6, &total, 1, &count));
    if (count != 1 || total < g.T) return born__infer_fail(f, BORN_RANGE, "a total length of %lld", (long long)total);
    if (born__infer_has(f, 10) && !born__attn_mask_fits(&f->in[10], g.B, g.Hq, g.T, total, false))
        return born__infer_fail(f, BORN_SHAPE, "added scores %s do not fit", born__infer_shape(f, 10));
    if (born__infer_has(f, 11) && !(f->in[11].rank == 1 && f->in[11].dim[0] == g.Hq))
        return born__infer_fail(f, BORN_SHAPE, "sinks %s are not [%lld]", born__infer_shape(f, 11), (long long)g.Hq);
    int64_t cache = g.past > total ? g.past : total, width;
    if (!born__mul_i64(g.Hq, g.D, &width)) return born__infer_fail(f, BORN_RANGE, "the result is too large");
    born__out_set(f, 0, f->in[0].dtype, 3, (int64_t[]){ g.B, g.T, width });
    born__out_set(f, 1, f->in[0].dtype, 4, (int64_t[]){ g.B, g.Hk, cache, g.D });
    born__out_set(f, 2, f->in[0].dtype, 4, (int64_t[]){ g.B, g.Hk, cache, g.D });
    return BORN_OK;
}

/* Room for q after rotation, and for keys and values where the call does not ask for them. */
static size_t floats(int64_t a, int64_t b, int64_t c, int64_t d)
{
    size_t n = sizeof(float);
    bool ok = born__mul_size(n, (size_t)a, &n) && born__mul_size(n, (size_t)b, &n) &&
              born__mul_size(n, (size_t)c, &n) && born__mul_size(n, (size_t)d, &n) && born__add_size(n, 63, &n);
    return ok ? n & ~(size_t)63 : SIZE_MAX;
}

static int64_t cache_length(const born_call *c)
{
    int64_t total = born__at_i64(&c->in[6], 0), past = born__has(c, 3) ? c->in[3].dim[2] : 0;
    return past > total ? past : total;
}

size_t born__scratch_group_query_attention(const born_call *c)
{
    gqa g;
    if (!gqa_read(c->in, c->in_count, BORN_ATTRS_OF(group_attention, c), &g)) return 0;
    size_t q = floats(g.B, g.Hq, g.T, g.D), kv = floats(g.B, g.Hk, cache_length(c), g.D), n;
    bool ok = q != SIZE_MAX && kv != SIZE_MAX && born__add_size(kv, kv, &n) && born__add_size(n, q, &n);
    return ok ? n : SIZE_MAX;
}

typedef struct turn_job { const born_call *c; const gqa *g; bool interleaved; } turn_job;

/* Tokens in the cache after this call, and before it, for row b. Checked by check_lengths. */
static int64_t total_of(const born_call *c, int64_t b) { return born__at_i64(&c->in[5], b) + 1; }
static int64_t past_of(const born_call *c, const gqa *g, int64_t b)
{
    bool first = born__at_i64(&c->in[6], 0) == g->T;        /* a prompt: its rows may be padded at the right */
    return first ? 0 : total_of(c, b) - g->T;
}

static int64_t place_of(const born_call *c, const gqa *g, int64_t b, int64_t t)
{
    if (!born__has(c, 9)) return past_of(c, g, b) + t;
    const born_view *p = &c->in[9];
    return ((const int64_t *)(const void *)p->data)[b * p->stride[0] + t * p->stride[1]];
}

static born_status check_lengths(const born_call *c, const gqa *g, const born_exec *x)
{
    bool rotary = BORN_ATTRS_OF(group_attention, c)->do_rotary;
    for (int64_t b = 0; b < g->B; b++) {
        int64_t past = past_of(c, g, b), total = total_of(c, b);
        BORN_FAIL_IF(total < 1 || past < 0 || past > g->past || total > g->cache || past + g->T > g->cache, x->err,
                     BORN_RANGE, "group_query_attention: length %lld of row %lld does not fit the cache of %lld",
                     (long long)total, (long long)b, (long long)g->cache);
        for (int64_t t = 0; rotary && t < g->T; t++) {
            int64_t at = place_of(c, g, b, t);
            BORN_FAIL_IF(at < 0 || at >= c->in[7].dim[0], x->err, BORN_RANGE,
                         "group_query_attention: position %lld is outside [0,%lld)", (long long)at,
                         (long long)c->in[7].dim[0]);
        }
    }
    return BORN_OK;
}

/* One head of one token: from src to dst, rotated at position `at` where cos is not NULL. */
static void move_token(const turn_job *j, const char *src, int64_t ss, char *dst, int64_t ds, int64_t at, bool turn)
{
    const born_view *cos = &j->c->in[7], *sin = &j->c->in[8];
    int64_t half = turn ? cos->dim[1] : 0, D = j->g->D;
    int64_t step = j->interleaved ? 2 : 1, other = j->interleaved ? 1 : half;
    for (int64_t i = 0; i < half; i++) {
        float c = ((const float *)(const void *)cos->data)[at * cos->stride[0] + i * cos->stride[1]];
        float s = ((const float *)(const void *)sin->data)[at * sin->stride[0] + i * sin->stride[1]];
        float x1 = *(const float *)(const void *)(src + i * step * ss);
        float x2 = *(const float *)(const void *)(src + (i * step + other) * ss);
        float a = c * x1, b = s * x2, d = s * x1, e = c * x2;
        *(float *)(void *)(dst + i * step * ds) = a - b;
        *(float *)(void *)(dst + (i * step + other) * ds) = d + e;
    }
    for (int64_t i = 2 * half; i < D; i++)
        *(float *)(void *)(dst + i * ds) = *(const float *)(const void *)(src + i * ss);
}

/* Moves all new tokens of src (H heads) to dst, at their places where `placed`, else from 0. */
static void move_all(const turn_job *j, const born_attn_side *src, const born_attn_side *dst, int64_t H, bool placed,
                     bool turn)
{
    for (int64_t b = 0; b < j->g->B; b++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t t = 0; t < j->g->T; t++) {
                int64_t to = placed ? past_of(j->c, j->g, b) + t : t;
                move_token(j, src->p + b * src->b + h * src->h + t * src->t, src->d,
                           dst->p + b * dst->b + h * dst->h + to * dst->t, dst->d, place_of(j->c, j->g, b, t), turn);
            }
}

static born_attn_side dense_side(void *p, int64_t H, int64_t T, int64_t D)
{
    return (born_attn_side){ p, H * T * D * 4, T * D * 4, D * 4, 4 };
}

/* Keys (or values) of past and present in one place: the result if it is asked for, else scratch. */
static born_attn_side cache_side(const born_call *c, const born_exec *x, const gqa *g, int o, char *scratch)
{
    bool asked = o < c->out_count && c->out[o].data;
    born_attn_side dst = asked ? born__attn_side4(&c->out[o]) : dense_side(scratch, g->Hk, g->cache, g->D);
    for (int64_t b = 0; b < g->B; b++)      /* what nobody writes is 0 */
        for (int64_t h = 0; h < g->Hk; h++)
            for (int64_t t = g->past; t < g->cache; t++)
                for (int64_t i = 0; i < g->D; i++)
                    *(float *)(void *)(dst.p + b * dst.b + h * dst.h + t * dst.t + i * dst.d) = 0;
    if (g->past > 0) {
        born_attn_side src = born__attn_side4(&c->in[2 + o]);
        born__attn_copy(x, &dst, 0, &src, g->B, g->Hk, g->past, g->D);
    }
    return dst;
}

born_status born__attn_group_query_attention(born_call *c, const born_exec *x, born_attn_engine run)
{
    const born_group_attention_attrs *t = BORN_ATTRS_OF(group_attention, c);
    gqa g;
    if (!gqa_read(c->in, c->in_count, t, &g))
        return born__fail(x->err, BORN_INTERNAL, "group_query_attention: shapes changed");
    if (born__has(c, 3)) g.past = c->in[3].dim[2];
    g.cache = cache_length(c);
    if (g.B == 0 || g.T == 0 || g.D == 0) return BORN_OK;
    BORN_TRY(check_lengths(c, &g, x));
    char *scratch = x->scratch;
    size_t q_bytes = floats(g.B, g.Hq, g.T, g.D), kv_bytes = floats(g.B, g.Hk, g.cache, g.D);
    turn_job j = { c, &g, t->rotary_interleaved };
    born_attn_side q = g.q;
    if (t->do_rotary) {
        q = dense_side(scratch, g.Hq, g.T, g.D);
        move_all(&j, &g.q, &q, g.Hq, false, true);
    }
    born_attn_side k = cache_side(c, x, &g, 1, scratch + q_bytes);
    born_attn_side v = cache_side(c, x, &g, 2, scratch + q_bytes + kv_bytes);
    move_all(&j, &g.k, &k, g.Hk, true, t->do_rotary);
    move_all(&j, &g.v, &v, g.Hk, true, false);
    bool first = born__at_i64(&c->in[6], 0) == g.T;
    born_attn a = { .B = g.B,
                    .Hq = g.Hq,
                    .Hk = g.Hk,
                    .Tq = g.T,
                    .D = g.D,
                    .Dv = g.D,
                    .T = g.cache,
                    .q = q,
                    .k = k,
                    .v = v,
                    .softcap = (float)t->softcap,
                    .causal = true,
                    .left = t->local_window > 0 ? t->local_window - 1 : -1,
                    .right = -1,
                    .valid = &c->in[5],
                    .valid_add = 1,
                    .offset_by_valid = !first,
                    .smooth = t->smooth_softmax == 1 };
    a.scale = t->scale != 0 ? (float)t->scale : 1.0f / sqrtf((float)g.D);
    a.y = born__attn_side3(&c->out[0], g.Hq);
    if (born__has(c, 10)) a.add2 = born__attn_mask_side(&c->in[10]);
    if (born__has(c, 11)) a.sink = &c->in[11];
    run(&a, x);
    return BORN_OK;
}

born_status born__ref_group_query_attention(born_call *c, const born_exec *x)
{
    return born__attn_group_query_attention(c, x, born__attn_run);
}

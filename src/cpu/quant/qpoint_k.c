/* quantize_linear, dequantize_linear and dynamic_quantize_linear on 16 lanes (see qpoint.h). */
#include "cpu/quant/qpoint.h"

#include "cpu/kernels/spans.h"
#include "cpu/simd/simd.h"
#include "ops/quant.h"

typedef struct range { w16 lo, hi; bool is_signed; } range;

BORN_INLINE w16 load_q8(const void *p, bool is_signed)
{
    return is_signed ? w_load_i8(p) : w_load_u8(p);
}

static void quantize(const born_span *s, const void *const *x, void *z, int64_t n)
{
    const range *r = s->more;
    const float *v = x[0], *scale = x[1];

    for (int64_t i = 0; i < n; i += 16) {
        v16 q = v_div(v_load(v + i), v_load(scale + i));
        q = v_sel(v_isnan(q), v_zero(), q); /* then as born__round_even */
        q = v_minr(v_maxr(q, v_set(-2097152.0f)), v_set(2097152.0f));
        q = v_sub(v_add(q, v_set(12582912.0f)), v_set(12582912.0f));
        w16 y = w_add(w_from_v(q), load_q8((const uint8_t *)x[2] + i, r->is_signed));
        w_store_low8((uint8_t *)z + i, w_max(w_min(y, r->hi), r->lo));
    }
}

static void dequantize(const born_span *s, const void *const *x, void *z, int64_t n)
{
    const range *r = s->more;

    for (int64_t i = 0; i < n; i += 16) {
        w16 v = load_q8((const uint8_t *)x[0] + i, r->is_signed);
        w16 zero = load_q8((const uint8_t *)x[2] + i, r->is_signed);
        v_store((float *)z + i, v_mul(v_from_w(w_sub(v, zero)), v_load((const float *)x[1] + i)));
    }
}

/* Runs a loop over x, scale and zero point to result 0 of c. */
static born_status run(born_call *c, born_view *in, born_span_loop loop, born_dtype ints, const born_exec *x)
{
    born_call seen = *c;
    int32_t lo, hi;

    born__q_range(ints, &lo, &hi);
    range r = { w_set(lo), w_set(hi), ints == BORN_I8 };
    born_span s = { .loop = loop, .more = &r };
    seen.in = in;
    seen.in_count = 3;
    return born__span_run(&seen, x, &s);
}

born_status BORN_K(quantize_f32)(born_call *c, const born_exec *x)
{
    born_view in[3];

    born__qpoint_inputs(c, in);
    return run(c, in, quantize, c->out[0].dtype, x);
}

born_status BORN_K(dequantize_q8)(born_call *c, const born_exec *x)
{
    born_view in[3];

    born__qpoint_inputs(c, in);
    return run(c, in, dequantize, c->in[0].dtype, x);
}

/* The range is looked for by one thread: the smallest and largest of dense numbers and 0, NaN aside. */
static void range_of(const float *p, int64_t n, float *lo, float *hi)
{
    v16 l[4], h[4];
    int64_t i = 0;

    for (int k = 0; k < 4; k++) l[k] = h[k] = v_zero();
    for (; i + 64 <= n; i += 64)
        for (int k = 0; k < 4; k++) {
            v16 v = v_load(p + i + 16 * k);
            l[k] = v_minr(v, l[k]);
            h[k] = v_maxr(v, h[k]);
        }
    for (; i < n; i += 16) {
        v16 v = v_load_n(p + i, n - i < 16 ? n - i : 16);
        l[0] = v_minr(v, l[0]);
        h[0] = v_maxr(v, h[0]);
    }
    float t[2][64];
    for (int k = 0; k < 4; k++) {
        v_store(t[0] + 16 * k, l[k]);
        v_store(t[1] + 16 * k, h[k]);
    }
    *lo = *hi = 0;
    for (int k = 0; k < 64; k++) {
        *lo = t[0][k] < *lo ? t[0][k] : *lo;
        *hi = t[1][k] > *hi ? t[1][k] : *hi;
    }
}

born_status BORN_K(qdynamic_f32)(born_call *c, const born_exec *x)
{
    born_view in[3] = { c->in[0] };
    float lo, hi;

    range_of((const float *)(const void *)in[0].data, born__view_count(&in[0]), &lo, &hi);
    float scale = hi > lo ? (hi - lo) / 255.0f : 1.0f;
    uint8_t zero = (uint8_t)born__saturate(born__round_even(-lo / scale), 0, 255);
    if (c->out_count > 1 && c->out[1].data) memcpy(c->out[1].data, &scale, sizeof scale);
    if (c->out_count > 2 && c->out[2].data) memcpy(c->out[2].data, &zero, sizeof zero);
    if (!c->out[0].data) return BORN_OK;
    born__qpoint_spread(&in[1], BORN_F32, &scale, in[0].rank);
    born__qpoint_spread(&in[2], BORN_U8, &zero, in[0].rank);
    return run(c, in, quantize, BORN_U8, x);
}

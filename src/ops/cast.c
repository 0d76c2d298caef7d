/* cast, cast_like and bit_cast: between any two number dtypes and bool. Sources are read as f64 (all float dtypes fit),
   i64 or u64, and rounded once to the target. */
#include <math.h>

#include "ops/copy_view.h"
#include "ops/numbers.h"
#include "ops/ref.h"

enum { GRAIN = 16384 };

static float cast_real_f32(double v) { return (float)v; }
static double cast_real_f64(double v) { return v; }
static int64_t clamp_signed(double v, double limit)     /* limit 2^(bits-1) */
{
    if (v >= limit) return limit == 0x1p63 ? INT64_MAX : (int64_t)limit - 1;
    if (v < -limit) return limit == 0x1p63 ? INT64_MIN : -(int64_t)limit;
    return v == v ? (int64_t)v : 0;
}
static uint64_t clamp_unsigned(double v, double limit)  /* limit 2^bits */
{
    if (v >= limit) return limit == 0x1p64 ? UINT64_MAX : (uint64_t)limit - 1;
    return v > 0 ? (uint64_t)v : 0;
}
static int8_t cast_real_i8(double v) { return (int8_t)clamp_signed(v, 0x1p7); }
static int16_t cast_real_i16(double v) { return (int16_t)clamp_signed(v, 0x1p15); }
static int32_t cast_real_i32(double v) { return (int32_t)clamp_signed(v, 0x1p31); }
static int64_t cast_real_i64(double v) { return clamp_signed(v, 0x1p63); }
static uint8_t cast_real_u8(double v) { return (uint8_t)clamp_unsigned(v, 0x1p8); }
static uint16_t cast_real_u16(double v) { return (uint16_t)clamp_unsigned(v, 0x1p16); }
static uint32_t cast_real_u32(double v) { return (uint32_t)clamp_unsigned(v, 0x1p32); }
static uint64_t cast_real_u64(double v) { return clamp_unsigned(v, 0x1p64); }

#define BORN_EACH "ops/cast_to.inc"
#include "ops/each_num.inc"

/* f64 to f32 with the last bit set where anything was lost, so that rounding again, to f16 or bf16, rounds once. */
static float to_odd(double v)
{
    float f = (float)v;
    uint32_t bits;
    if ((double)f == v || v != v || isinf(v)) return f;
    memcpy(&bits, &f, sizeof bits);
    if (fabs((double)f) > fabs(v)) bits--;
    bits |= 1;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* The same of an integer: beyond 53 bits its low 12 become one sticky bit. */
static float int_to_odd(uint64_t magnitude, bool minus)
{
    if (magnitude >> 53) magnitude = (magnitude >> 12 | ((magnitude & 0xfff) != 0)) << 12;
    float f = to_odd((double)magnitude);
    return minus ? -f : f;
}

static void cast_to_half(const born_run *from, born_class cls, born_dtype t, char *p, int64_t step, int64_t n)
{
    for (int64_t i = 0; i < n; i++, p += step) {
        float f;
        if (cls == BORN_CLASS_F64) {
            f = to_odd(from->f64[i]);
        } else if (cls == BORN_CLASS_I64) {
            int64_t v = from->i64[i];
            f = int_to_odd(v < 0 ? 0 - (uint64_t)v : (uint64_t)v, v < 0);
        } else {
            f = int_to_odd(from->u64[i], false);
        }
        uint16_t h = t == BORN_F16 ? born__f32_to_f16(f) : born__f32_to_bf16(f);
        memcpy(p, &h, sizeof h);
    }
}

static void cast_to_bool(const born_run *from, born_class cls, char *p, int64_t step, int64_t n)
{
    for (int64_t i = 0; i < n; i++, p += step)
        *p = cls == BORN_CLASS_F64 ? from->f64[i] != 0 : from->u64[i] != 0;
}

typedef struct cast_job {
    born_dtype from, to;
    born_class cls;
    void (*fn)(const born_run *from, born_class cls, char *p, int64_t step, int64_t n);
} cast_job;

static void cast_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const cast_job *w = ctx;
    born_run buf;
    for (int64_t done = 0; done < n; done += BORN_RUN) {
        int64_t k = n - done < BORN_RUN ? n - done : BORN_RUN;
        char *z = p[0] + done * step[0];
        const void *v = born__run_read(w->cls, w->from, p[1] + done * step[1], step[1], k, &buf);
        if (w->fn) w->fn(v, w->cls, z, step[0], k);
        else cast_to_half(v, w->cls, w->to, z, step[0], k);
    }
}

static born_status cast_view(const born_view *out, const born_view *in, const born_exec *x)
{
    if (in->dtype == out->dtype && in->dtype != BORN_BOOL) {
        born__copy_view(out, in, x->pool);
        return BORN_OK;
    }
    cast_job w = { .from = in->dtype, .to = out->dtype };
    w.cls = born__dtype_is(in->dtype, BORN_DT_FLOAT) ? BORN_CLASS_F64 : born__class_of(in->dtype);
    w.fn = out->dtype == BORN_BOOL ? cast_to_bool : BORN_PICK_NUM(out->dtype, cast_to);
    born_nd nd;
    born__nd_start(&nd, out->dim, out->rank);
    born__nd_add(&nd, out);
    born__nd_add(&nd, in);
    born__nd_free_order(&nd);
    born__nd_merge(&nd);
    born__nd_for(&nd, x, GRAIN, cast_run, &w);
    return BORN_OK;
}

born_status born__shape_cast(born_infer *f)
{
    born_dtype to = BORN_ATTRS_OF(cast, f)->to;
    if (!born__dtype_is(to, BORN_DT_ALL))
        return born__infer_fail(f, BORN_DTYPE, "cannot go to %s", born_dtype_name(to));
    born__out_set(f, 0, to, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

born_status born__ref_cast(born_call *c, const born_exec *x)
{
    return cast_view(&c->out[0], &c->in[0], x);
}

born_status born__shape_cast_like(born_infer *f)
{
    born__out_set(f, 0, f->in[1].dtype, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

born_status born__ref_cast_like(born_call *c, const born_exec *x)
{
    return cast_view(&c->out[0], &c->in[0], x);
}

born_status born__shape_bit_cast(born_infer *f)
{
    born_dtype to = BORN_ATTRS_OF(bit_cast, f)->to;
    if (born__dtype_info(to)->size == 0 || born__dtype_info(to)->size != born__elem_size(&f->in[0]))
        return born__infer_fail(f, BORN_DTYPE, "%s and %s differ in width", born_dtype_name(f->in[0].dtype),
                                born_dtype_name(to));
    born__out_set(f, 0, to, f->in[0].rank, f->in[0].dim);
    return BORN_OK;
}

born_status born__ref_bit_cast(born_call *c, const born_exec *x)
{
    born_view in = c->in[0];
    in.dtype = c->out[0].dtype;
    born__copy_view(&c->out[0], &in, x->pool);
    return BORN_OK;
}

/* Elementwise formulas on f16 and bf16: blocks are widened to f32, run through the f32 loop of the row, and rounded
   back, all within the first cache. */
#include "cpu/kernels/activation.h"
#include "cpu/kernels/cast.h"
#include "ops/elementwise.h"

typedef struct half_job { born_cast_fn widen, narrow; uint16_t op; } half_job;

static void run_half(const born_span *s, const void *const *x, void *z, int64_t n)
{
    const half_job *j = s->more;
    _Alignas(64) float in[2][BORN_SPAN_PIECE], out[BORN_SPAN_PIECE];

    for (int64_t i = 0; i < n; i += BORN_SPAN_PIECE) {
        int64_t m = n - i < BORN_SPAN_PIECE ? n - i : BORN_SPAN_PIECE;
        char *to = (char *)z + i * s->out_size;
        for (int k = 0; k < s->inputs; k++) j->widen((const uint16_t *)x[k] + i, in[k], m);
        BORN_K(formula_f32)(j->op, s->p, in[0], s->inputs > 1 ? in[1] : NULL, j->narrow ? (void *)out : to, m);
        if (j->narrow) j->narrow(out, to, m);
    }
}

static born_status half(born_call *c, const born_exec *x, born_cast_step widen, born_cast_step narrow)
{
    half_job j = { BORN_K(cast_step)(widen), NULL, c->op->id };
    born_span s = { .loop = run_half, .more = &j };

    if (c->out[0].dtype != BORN_BOOL) j.narrow = BORN_K(cast_step)(narrow);
    born__attrs_numbers(c->op->attrs, c->attrs, s.p);
    return born__span_run(c, x, &s);
}

born_status BORN_K(half_f16)(born_call *c, const born_exec *x)
{
    return half(c, x, BORN_CAST_F16_F32, BORN_CAST_F32_F16);
}

born_status BORN_K(half_bf16)(born_call *c, const born_exec *x)
{
    return half(c, x, BORN_CAST_BF16_F32, BORN_CAST_F32_BF16);
}

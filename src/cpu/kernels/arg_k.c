/* arg_max and arg_min of dense f32 rows: the extreme on 16 lanes, then the first or last place that equals it. A NaN
   is beyond every number, either way. */
#include "cpu/simd/simd.h"

#include <math.h>

#include "ops/ref.h"

/* The first (last: the last) place of `best`, or of a NaN where `nan`; there is one. */
static int64_t place_of(const float *p, int64_t n, float best, bool nan, bool last)
{
    v16 b = v_set(best);
    int64_t blocks = (n + 15) / 16;

    for (int64_t i = 0; i < blocks; i++) {
        int64_t at = (last ? blocks - 1 - i : i) * 16, m = n - at < 16 ? n - at : 16;
        v16 v = v_load_n(p + at, m);
        uint32_t hit = m_bits(m_and(nan ? v_isnan(v) : v_eq(v, b), m_first(m)));
        if (hit) return at + (last ? 31 - __builtin_clz(hit) : __builtin_ctz(hit));
    }
    return 0;
}

static int64_t arg_of(const float *p, int64_t n, bool smallest, bool last)
{
    v16 worst = v_set(smallest ? INFINITY : -INFINITY), best = worst, odd = v_zero(); /* NaN once one was seen */
    int64_t i = 0;
    float t[16];

    for (; i + 16 <= n; i += 16) {
        v16 v = v_load(p + i);
        best = smallest ? v_minr(v, best) : v_maxr(v, best);
        odd = v_sel(v_isnan(v), v, odd);
    }
    if (i < n) {
        v16 v = v_sel(m_first(n - i), v_load_n(p + i, n - i), worst);
        best = smallest ? v_minr(v, best) : v_maxr(v, best);
        odd = v_sel(v_isnan(v), v, odd);
    }
    v_store(t, best);
    for (int k = 1; k < 16; k++)
        if (smallest ? t[k] < t[0] : t[k] > t[0]) t[0] = t[k];
    return place_of(p, n, t[0], m_any(v_isnan(odd)), last);
}

typedef struct arg_job { int64_t n; bool smallest, last; } arg_job;

static void run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const arg_job *j = ctx;

    for (int64_t i = 0; i < n; i++) {
        int64_t at = arg_of((const float *)(const void *)(p[1] + i * step[1]), j->n, j->smallest, j->last);
        memcpy(p[0] + i * step[0], &at, sizeof at);
    }
}

born_status BORN_K(arg_f32)(born_call *c, const born_exec *x)
{
    const born_arg_reduce_attrs *a = BORN_ATTRS_OF(arg_reduce, c);
    const born_view *v = &c->in[0];
    born_view rows = *v, out = c->out[0];
    arg_job j = { v->dim[v->rank - 1], c->op->id == BORN_OP_ARG_MIN, a->select_last_index };
    born_nd w;

    rows.rank--;
    out.rank = rows.rank; /* what may follow is a dim of 1 */
    born__nd_start(&w, rows.dim, rows.rank);
    born__nd_add(&w, &out);
    born__nd_add(&w, &rows);
    born__nd_merge(&w);
    born__nd_for(&w, x, 1 + (1 << 14) / j.n, run, &j);
    return BORN_OK;
}

/* Linear and cubic resizing of f32, 16 results at a time; the operator's own code makes the tables (ops/resize_ref.c).
   Each product and sum is rounded, in the reference's order: taps of the innermost axis first, then the combinations of
   the others. */
#include "cpu/simd/simd.h"

#include "ops/resize_job.h"

/* n numbers `step` bytes apart, 0 behind them. */
BORN_INLINE v16 pick(const char *p, int64_t step, int64_t n)
{
    float t[16] = { 0 };

    if (step == (int64_t)sizeof(float)) {
        const float *from = (const float *)(const void *)p;
        return n == 16 ? v_load(from) : v_load_n(from, n);
    }
    for (int64_t e = 0; e < n; e++) memcpy(&t[e], p + e * step, sizeof t[e]);
    return v_load(t);
}

/* The innermost axis's taps for results [o, o + n) that share them. */
BORN_INLINE v16 shared_taps(const born_resize_job *j, const born_resize_row *w, const char *x, int64_t o, int64_t n)
{
    int k = j->tables - 1;
    const float *weight = w->weight[k];
    int64_t xs = j->xs[j->lane];
    v16 part = v_zero();

    for (int64_t t = 0; t < j->table[k].taps; t++)
        part = v_add(part, v_mul(v_set(weight[t]), pick(x + w->offset[k][t] + o * xs, xs, n)));
    return part;
}

/* The same where each result has its own: numbers and weights are picked one by one. */
BORN_INLINE v16 own_taps(const born_resize_job *j, const born_resize_row *w, const char *x, int64_t o, int64_t n)
{
    int k = j->tables - 1;
    int64_t taps = j->table[k].taps;
    const int64_t *offset = w->offset[k] + o * taps;
    const float *weight = (const float *)w->weight[k] + o * taps;
    v16 part = v_zero();

    for (int64_t t = 0; t < taps; t++) {
        float v[16] = { 0 }, u[16] = { 0 };
        for (int64_t e = 0; e < n; e++) {
            memcpy(&v[e], x + offset[e * taps + t], sizeof v[e]);
            u[e] = weight[e * taps + t];
        }
        part = v_add(part, v_mul(v_load(u), v_load(v)));
    }
    return part;
}

static v16 block(const born_resize_job *j, const born_resize_row *w, int64_t o, int64_t n, bool shared)
{
    int64_t at[BORN_MAX_RANK] = { 0 };
    v16 sum = v_zero();

    for (bool more = true; more;) {
        const char *x = w->x;
        float outer = 1;
        for (int k = 0; k < w->outer; k++) {
            x += w->offset[k][at[k]];
            outer *= ((const float *)w->weight[k])[at[k]];
        }
        v16 part = shared ? shared_taps(j, w, x, o, n) : own_taps(j, w, x, o, n);
        if (w->outer == 0) return part;
        sum = v_add(sum, v_mul(v_set(outer), part));
        more = false;
        for (int k = w->outer - 1; k >= 0 && !more; k--) {
            more = ++at[k] < j->table[k].taps;
            if (!more) at[k] = 0;
        }
    }
    return sum;
}

static void rows(void *ctx, int64_t begin, int64_t end)
{
    const born_resize_job *j = ctx;
    int64_t total = j->out[j->lane], ys = j->ys[j->lane];

    for (int64_t r = begin; r < end; r++) {
        born_resize_row w = born__resize_row(j, r, sizeof(float));
        bool shared = !w.lane_active;
        for (int64_t o = 0; o < total; o += 16) {
            int64_t n = total - o < 16 ? total - o : 16;
            v16 z = block(j, &w, o, n, shared);
            if (ys == (int64_t)sizeof(float)) {
                v_store_n((float *)(void *)w.y + o, z, n);
                continue;
            }
            float t[16];
            v_store(t, z);
            for (int64_t e = 0; e < n; e++) memcpy(w.y + (o + e) * ys, &t[e], sizeof t[e]);
        }
        born__resize_fill(j, &w, 0, total, sizeof(float));
    }
}

born_status BORN_K(resize_f32)(born_call *c, const born_exec *x)
{
    return born__resize_by(c, x, rows);
}

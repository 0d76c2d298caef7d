/* Integer matrix products on integer tiles (see qmm.h). Items are blocks of rows times groups of panels; neighbours
   share a group, so that its panels stay in the cache. */
#include "cpu/quant/dot.h"

#include <stddef.h>

#include "cpu/quant/qmm.h"
#include "cpu/quant/qtile.h"

typedef struct qmm_job {
    const born_qmm *v;
    uint8_t *room;              /* rows of a as u8, unless they are used in place */
    int32_t *row_sum;
    const uint8_t *packed;
    const int32_t *column_sum;
    int32_t *zero;              /* per column: zb */
    float *scale, *bias;
    uint8_t *pack_to;
    int64_t batch, blocks;      /* of rows */
    float y_scale;
    born_qfinish f;
} qmm_job;

/* Row i of this batch: where it lies, its batch among the leading dims, its number there. */
static const uint8_t *row_of(const qmm_job *j, int64_t i, int64_t *lead, int64_t *m)
{
    const born_qmm *v = j->v;

    *lead = v->batches > 1 ? j->batch : i / v->s.M;
    *m = v->batches > 1 ? i : i % v->s.M;
    return (const uint8_t *)v->a.p + born__mm_lead(&v->s, &v->a, *lead) + *m * v->a.row;
}

static void fill_rows(void *ctx, int64_t begin, int64_t end)
{
    const qmm_job *j = ctx;
    const born_qmm *v = j->v;
    const int64_t n = v->s.K, col = v->a.col;

    for (int64_t i = begin; i < end; i++) {
        int64_t lead, m;
        const uint8_t *from = row_of(j, i, &lead, &m);
        uint32_t sum = 0;
        if (!v->direct) {
            uint8_t *to = j->room + i * v->k4, flip = v->a_shift ? 0x80 : 0;
            if (col == 1)
                for (int64_t k = 0; k < n; k++) to[k] = from[k] ^ flip;
            else
                for (int64_t k = 0; k < n; k++) to[k] = from[k * col] ^ flip;
            memset(to + n, 0, (size_t)(v->k4 - n));
            from = to;
        }
        for (int64_t k = 0; k < n; k++) sum += from[k];
        j->row_sum[i] = (int32_t)sum;
    }
}

static void pack_panels(void *ctx, int64_t begin, int64_t end)
{
    const qmm_job *j = ctx;

    born__qmm_pack(j->v, j->batch, begin, end, j->pack_to);
}

/* 16 columns from n0 on, `count` of them there, of the row that is number `row` in the result. */
static void finish(const qmm_job *j, const int32_t *sum, int64_t n0, int64_t count, int64_t row, int32_t za, int32_t rs,
                   float as)
{
    const born_qmm *v = j->v;
    const born_view *y = &v->call->out[0];
    w16 s = w_load(sum), zb = w_load(j->zero + n0);
    int64_t at = row * v->s.N + n0;

    s = w_sub(s, w_mul(w_set(za), w_load(j->column_sum + n0)));
    int32_t rest = (int32_t)((uint32_t)v->s.K * (uint32_t)za - (uint32_t)rs);
    s = w_add(s, w_mul(zb, w_set(rest)));
    if (v->kind == BORN_QMM_SUMS) {
        w_store_n((int32_t *)(void *)y->data + at, s, count);
        return;
    }
    v16 scale = v_mul(v_set(as), v_load(j->scale + n0));
    if (v->kind == BORN_QMM_FLOATS) {
        v16 r = v_mul(v_from_w(s), scale);
        if (v->bias) r = v_add(r, v_load(j->bias + n0));
        v_store_n((float *)(void *)y->data + at, r, count);
        return;
    }
    int32_t sums[16];
    float scales[16];
    w_store(sums, s);
    v_store(scales, v_div(scale, v_set(j->y_scale)));
    BORN_K(qstore_q8)(&j->f, sums, scales, count, (uint8_t *)y->data + at, 1);
}

static void run_items(void *ctx, int64_t begin, int64_t end)
{
    const qmm_job *j = ctx;
    const born_qmm *v = j->v;
    int32_t sums[BORN_QTILE_ROWS][BORN_QTILE_N * BORN_QPANEL];
    const born_qrun run = { 0, 0, v->k4 / 4 };

    for (int64_t i = begin; i < end; i++) {
        int64_t r0 = i % j->blocks * BORN_QTILE_M, p0 = i / j->blocks * BORN_QTILE_N;
        born_qtile t = { .b = (const int8_t *)j->packed + p0 * v->panel_bytes,
                         .b_panel = v->panel_bytes,
                         .run = &run,
                         .run_count = 1 };
        t.np = (int)(v->panels - p0 < BORN_QTILE_N ? v->panels - p0 : BORN_QTILE_N);
        t.m = (int)(v->rows - r0 < BORN_QTILE_M ? v->rows - r0 : BORN_QTILE_M);
        int64_t lead, m;
        for (int r = 0; r < t.m; r++) {
            t.a[r] = v->direct ? row_of(j, r0 + r, &lead, &m) : j->room + (r0 + r) * v->k4;
            t.c[r] = sums[r];
        }
        BORN_K(qtile_q8)(&t);
        for (int r = 0; r < t.m; r++) {
            int32_t za = v->a_shift;
            float as = 1;
            row_of(j, r0 + r, &lead, &m);
            if (v->a_zero.p)
                za += born__q8(v->a_zero.p + born__mm_lead(&v->s, &v->a_zero, lead) + m * v->a_zero.row, v->a_shift);
            if (v->a_scale.p)
                as = *(const float *)(const void *)(v->a_scale.p + born__mm_lead(&v->s, &v->a_scale, lead) +
                                                    m * v->a_scale.row);
            for (int p = 0; p < t.np; p++) {
                int64_t n0 = (p0 + p) * BORN_QPANEL, left = v->s.N - n0;
                finish(j, sums[r] + p * BORN_QPANEL, n0, left < BORN_QPANEL ? left : BORN_QPANEL, lead * v->s.M + m,
                       za, j->row_sum[r0 + r], as);
            }
        }
    }
}

static void fill_columns(const qmm_job *j)
{
    const born_qmm *v = j->v;
    const char *zero = v->b_zero.p ? v->b_zero.p + born__mm_lead(&v->s, &v->b_zero, j->batch) : NULL;
    const char *scale = v->b_scale.p ? v->b_scale.p + born__mm_lead(&v->s, &v->b_scale, j->batch) : NULL;
    int flip = born__q8_flip(v->b.dtype);

    for (int64_t n = 0; n < v->panels * BORN_QPANEL; n++) {
        bool there = n < v->s.N;
        j->zero[n] = (there && zero ? born__q8(zero + n * v->b_zero.col, flip) : 0) - v->b_shift;
        j->scale[n] = there && scale ? *(const float *)(const void *)(scale + n * v->b_scale.col) : 0;
        j->bias[n] = there && v->bias ? (float)born__at_f64(v->bias, n) : 0;
    }
}

born_status BORN_K(qmm_q8)(born_call *c, const born_exec *x)
{
    born_qmm v;
    qmm_job j = { .v = &v };
    uint8_t *scratch = x->scratch;

    if (!born__qmm_of(c, &v)) return BORN_OK;
    int64_t columns = v.panels * BORN_QPANEL, groups = (v.panels + BORN_QTILE_N - 1) / BORN_QTILE_N;
    j.room = scratch;
    j.row_sum = (int32_t *)(void *)(scratch + v.row_bytes);
    j.zero = (int32_t *)(void *)(scratch + v.row_bytes + v.sum_bytes);
    j.scale = (float *)(void *)(j.zero + columns);
    j.bias = j.scale + columns;
    j.pack_to = scratch + v.row_bytes + v.sum_bytes + v.column_bytes;
    j.packed = v.packed ? v.packed : j.pack_to;
    j.column_sum = (const int32_t *)(const void *)(j.packed + v.panels * v.panel_bytes);
    j.blocks = (v.rows + BORN_QTILE_M - 1) / BORN_QTILE_M;
    if (v.kind == BORN_QMM_REQUANT) {
        born_requant q = born__requant_for(c->out[0].dtype, born__at_i64(v.y_zero, 0));
        j.f = (born_qfinish){ q.zero, q.lo, q.hi };
        j.y_scale = (float)born__at_f64(v.y_scale, 0);
    }
    for (j.batch = 0; j.batch < v.batches; j.batch++) {
        if (!v.packed) born__exec_for(x, v.panels, 1 + (1 << 14) / v.panel_bytes, pack_panels, &j);
        fill_columns(&j);
        born__exec_for(x, v.rows, 1 + (1 << 14) / v.k4, fill_rows, &j);
        born__exec_for(x, j.blocks * groups, 1 + (1 << 12) / v.k4, run_items, &j);
    }
    return BORN_OK;
}

/* From calls of integer matrix products to a born_qmm; their query and packer. */
#include "cpu/quant/qmm.h"

#include "cpu/quant/qtile.h"
#include "cpu/queries.h"

/* Where an op has its operands; 0: nowhere (operand 0 is always a). */
typedef struct places { int b, a_scale, b_scale, a_zero, b_zero, bias, y_scale, y_zero; } places;

static bool places_of(uint16_t op, places *p, born_qmm_kind *kind)
{
    switch (op) {
    case BORN_OP_MATMUL_INTEGER:
        *kind = BORN_QMM_SUMS;
        *p = (places){ .b = 1, .a_zero = 2, .b_zero = 3 };
        return true;
    case BORN_OP_QLINEAR_MATMUL:
        *kind = BORN_QMM_REQUANT;
        *p = (places){ .b = 3, .a_scale = 1, .b_scale = 4, .a_zero = 2, .b_zero = 5, .y_scale = 6, .y_zero = 7 };
        return true;
    case BORN_OP_MATMUL_INTEGER_TO_FLOAT:
        *kind = BORN_QMM_FLOATS;
        *p = (places){ .b = 1, .a_scale = 2, .b_scale = 3, .a_zero = 4, .b_zero = 5, .bias = 6 };
        return true;
    default: return false;
    }
}

static const born_view *operand(const born_call *c, int i)
{
    return i > 0 && born__has(c, i) ? &c->in[i] : NULL;
}

static void param(born_qmm *v, born_mm_view *to, int i, bool left)
{
    const born_view *p = operand(v->call, i);
    if (p) *to = born__mm_param(&v->s, p, left);
}

static bool bytes_of(int64_t a, int64_t b, size_t *n)
{
    int64_t r;
    if (!born__mul_i64(a, b, &r) || r > INT64_MAX - 64 || (uint64_t)r > SIZE_MAX / 2) return false;
    *n = ((size_t)r + 63) / 64 * 64;
    return true;
}

static bool count_bytes(born_qmm *v)
{
    size_t panel_sums;
    int64_t columns = v->panels * BORN_QPANEL;

    if (!bytes_of(v->rows, v->direct ? 0 : v->k4, &v->row_bytes) || !bytes_of(v->rows, 4, &v->sum_bytes)) return false;
    if (!bytes_of(columns, 3 * 4, &v->column_bytes) || !bytes_of(v->panels, v->panel_bytes, &v->pack_bytes))
        return false;
    if (!bytes_of(columns, 4, &panel_sums) || !born__add_size(v->pack_bytes, panel_sums, &v->pack_bytes)) return false;
    if (!born__add_size(v->row_bytes, v->sum_bytes, &v->scratch_bytes)) return false;
    if (!born__add_size(v->scratch_bytes, v->column_bytes, &v->scratch_bytes)) return false;
    return v->packed || born__add_size(v->scratch_bytes, v->pack_bytes, &v->scratch_bytes);
}

static bool is_f32(const born_call *c, int i)
{
    const born_view *v = operand(c, i);
    return !v || v->dtype == BORN_F32;
}

bool born__qmm_of(const born_call *c, born_qmm *v)
{
    places p;
    born_shape out;
    int64_t lead = 1, b_lead = 1;

    *v = (born_qmm){ .call = c, .packed = c->packed };
    if (!places_of(c->op->id, &p, &v->kind) || c->in_count <= p.b) return false;
    if (!is_f32(c, p.a_scale) || !is_f32(c, p.b_scale) || !is_f32(c, p.bias) || !is_f32(c, p.y_scale)) return false;
    if (v->kind == BORN_QMM_FLOATS && c->out[0].dtype != BORN_F32) return false;
    const born_view *a = &c->in[0], *b = &c->in[p.b];
    if (born__mm_dims(a, b, &v->s, &out, c->op->name, NULL) != BORN_OK) return false;
    if (born__view_count(&c->out[0]) == 0 || v->s.K == 0 || v->s.K > INT32_MAX - 4) return false;
    v->weight = p.b;
    v->a = born__mm_matrix(&v->s, a, true);
    v->b = born__mm_matrix(&v->s, b, false);
    param(v, &v->a_zero, p.a_zero, true);
    param(v, &v->a_scale, p.a_scale, true);
    param(v, &v->b_zero, p.b_zero, false);
    param(v, &v->b_scale, p.b_scale, false);
    v->bias = operand(c, p.bias);
    v->y_scale = operand(c, p.y_scale);
    v->y_zero = operand(c, p.y_zero);
    for (int d = 0; d < v->s.rank; d++) lead *= v->s.lead[d];
    for (int d = 0; d < b->rank - 2; d++) b_lead *= b->dim[d];
    v->batches = b_lead > 1 ? lead : 1;
    v->rows = lead * v->s.M / v->batches;
    v->k4 = (v->s.K + 3) / 4 * 4;
    v->panels = (v->s.N + BORN_QPANEL - 1) / BORN_QPANEL;
    v->panel_bytes = v->k4 / 4 * BORN_QGROUP;
    v->direct = a->dtype == BORN_U8 && v->a.col == 1 && v->k4 == v->s.K;
    v->a_shift = born__q8_flip(a->dtype);
    v->b_shift = b->dtype == BORN_U8 ? 128 : 0;
    return count_bytes(v);
}

bool born__query_qmm(const born_call *c, born_query *q)
{
    born_qmm v;

    if (!born__qmm_of(c, &v)) return false;
    q->scratch_bytes = v.scratch_bytes;
    if (v.batches > 1) return true;
    q->pack_operand = v.weight;
    q->pack_form = BORN_FORM_QMM;
    q->pack_bytes = v.pack_bytes;
    return true;
}

void born__qmm_pack(const born_qmm *v, int64_t batch, int64_t begin, int64_t end, uint8_t *dst)
{
    const uint8_t *b = (const uint8_t *)v->b.p + born__mm_lead(&v->s, &v->b, batch);
    int32_t *sums = (int32_t *)(void *)(dst + v->panels * v->panel_bytes);
    uint8_t flip = v->b_shift ? 0x80 : 0;

    memset(dst + begin * v->panel_bytes, 0, (size_t)((end - begin) * v->panel_bytes));
    for (int64_t p = begin; p < end; p++) {
        int64_t left = v->s.N - p * BORN_QPANEL, n = left < BORN_QPANEL ? left : BORN_QPANEL;
        uint8_t *to = dst + p * v->panel_bytes;
        int32_t sum[BORN_QPANEL] = { 0 };
        for (int64_t k = 0; k < v->s.K; k++) {
            const uint8_t *from = b + k * v->b.row + p * BORN_QPANEL * v->b.col;
            uint8_t *group = to + k / 4 * BORN_QGROUP + k % 4;
            for (int64_t i = 0; i < n; i++) {
                uint8_t w = from[i * v->b.col] ^ flip;
                group[i * 4] = w;
                sum[i] += (w ^ 0x80) - 0x80;
            }
        }
        memcpy(sums + p * BORN_QPANEL, sum, sizeof sum);
    }
}

void born__pack_qmm(const born_call *c, void *dst)
{
    born_qmm v;

    if (born__qmm_of(c, &v)) born__qmm_pack(&v, 0, 0, v.panels, dst);
}

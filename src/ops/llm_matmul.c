/* fused_matmul: a matrix product whose operands are transposed by their strides; and the row product behind it. */
#include <math.h>

#include "base/fma.h"
#include "ops/llm.h"

void born__row_times(const char *a, int64_t a_step, const char *b, int64_t b_row, int64_t b_col, int64_t K, int64_t N,
                     float *out)
{
    float acc[64];
    for (int64_t n0 = 0; n0 < N; n0 += 64) {
        int64_t n = N - n0 < 64 ? N - n0 : 64;
        for (int64_t c = 0; c < n; c++) out[n0 + c] = 0;
        for (int64_t k0 = 0; k0 < K; k0 += 1024) {
            int64_t end = K - k0 < 1024 ? K : k0 + 1024;
            memset(acc, 0, sizeof acc);
            for (int64_t k = k0; k < end; k++) {
                float x = *(const float *)(const void *)(a + k * a_step);
                const char *w = b + k * b_row + n0 * b_col;
                for (int64_t c = 0; c < n; c++)
                    acc[c] = born__fmaf(x, *(const float *)(const void *)(w + c * b_col), acc[c]);
            }
            for (int64_t c = 0; c < n; c++) out[n0 + c] = k0 == 0 ? acc[c] : out[n0 + c] + acc[c];
        }
    }
}

typedef struct fused {
    born_view a, b;             /* after transposition, rank >= 2 */
    int rank;                   /* leading dims of the result */
    int64_t lead[BORN_MAX_RANK], a_lead[BORN_MAX_RANK], b_lead[BORN_MAX_RANK], M, N, K;
    float alpha;
    const born_view *y;
} fused;

/* The first dim moved behind the other leading dims, then the last two swapped, as asked; rank 1 made a row or column.
   */
static born_view fused_operand(const born_view *v, bool batch, bool swap, bool left)
{
    born_view r = *v;
    int n = v->rank;
    if (n == 1) {
        r.rank = 2;
        r.dim[0] = left ? 1 : v->dim[0];
        r.dim[1] = left ? v->dim[0] : 1;
        r.stride[0] = left ? 0 : v->stride[0];
        r.stride[1] = left ? v->stride[0] : 0;
        return r;
    }
    if (batch && n > 2) {
        for (int d = 0; d < n - 2; d++) {
            r.dim[d] = v->dim[d + 1];
            r.stride[d] = v->stride[d + 1];
        }
        r.dim[n - 2] = v->dim[0];
        r.stride[n - 2] = v->stride[0];
    }
    if (!swap) return r;
    int64_t d = r.dim[n - 2], s = r.stride[n - 2];
    r.dim[n - 2] = r.dim[n - 1];
    r.stride[n - 2] = r.stride[n - 1];
    r.dim[n - 1] = d;
    r.stride[n - 1] = s;
    return r;
}

static bool fused_sizes(const born_view *in, const born_fused_matmul_attrs *t, fused *f)
{
    if (in[0].rank < 1 || in[1].rank < 1) return false;
    f->a = fused_operand(&in[0], t->trans_batch_a, t->trans_a, true);
    f->b = fused_operand(&in[1], t->trans_batch_b, t->trans_b, false);
    int ra = f->a.rank, rb = f->b.rank;
    f->M = f->a.dim[ra - 2];
    f->K = f->a.dim[ra - 1];
    f->N = f->b.dim[rb - 1];
    if (f->b.dim[rb - 2] != f->K) return false;
    if (!born__broadcast(f->lead, &f->rank, f->a.dim, ra - 2) || !born__broadcast(f->lead, &f->rank, f->b.dim, rb - 2))
        return false;
    for (int d = 0; d < ra - 2; d++) f->a_lead[f->rank - (ra - 2) + d] = f->a.dim[d] == 1 ? 0 : f->a.stride[d];
    for (int d = 0; d < rb - 2; d++) f->b_lead[f->rank - (rb - 2) + d] = f->b.dim[d] == 1 ? 0 : f->b.stride[d];
    return true;
}

born_status born__shape_fused_matmul(born_infer *f)
{
    fused m = { 0 };
    if (!fused_sizes(f->in, BORN_ATTRS_OF(fused_matmul, f), &m))
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: a %s, b %s", born__infer_shape(f, 0),
                                born__infer_shape(f, 1));
    int64_t dim[BORN_MAX_RANK + 2];
    int rank = m.rank;
    memcpy(dim, m.lead, sizeof m.lead);
    if (f->in[0].rank > 1) dim[rank++] = m.M;
    if (f->in[1].rank > 1) dim[rank++] = m.N;
    born__out_set(f, 0, f->in[0].dtype, rank, dim);
    return BORN_OK;
}

static void fused_part(void *ctx, int64_t begin, int64_t end)
{
    const fused *f = ctx;
    for (int64_t r = begin; r < end; r++) {
        int64_t batch = r / f->M, m = r % f->M;
        const float *a = (const float *)(const void *)f->a.data + born__offset_of(f->lead, f->a_lead, f->rank, batch);
        const float *b = (const float *)(const void *)f->b.data + born__offset_of(f->lead, f->b_lead, f->rank, batch);
        int ra = f->a.rank, rb = f->b.rank;
        float *y = (float *)(void *)f->y->data + r * f->N;
        born__row_times((const char *)(a + m * f->a.stride[ra - 2]), f->a.stride[ra - 1] * 4, (const char *)b,
                        f->b.stride[rb - 2] * 4, f->b.stride[rb - 1] * 4, f->K, f->N, y);
        if (f->alpha != 1)
            for (int64_t n = 0; n < f->N; n++) y[n] *= f->alpha;
    }
}

born_status born__ref_fused_matmul(born_call *c, const born_exec *x)
{
    const born_fused_matmul_attrs *t = BORN_ATTRS_OF(fused_matmul, c);
    fused f = { .alpha = (float)t->alpha, .y = &c->out[0] };
    if (!fused_sizes(c->in, t, &f)) return born__fail(x->err, BORN_INTERNAL, "fused_matmul: shapes changed");
    int64_t count = born__view_count(f.y);
    if (count > 0) born__exec_for(x, count / f.N, 1, fused_part, &f);
    return BORN_OK;
}

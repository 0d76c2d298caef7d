/* From calls of the rows matmul and gemm to a born_gemm: sizes, strides, what has to be packed and the scratch for it;
   their queries and packers. */
#include "cpu/gemm/gemm.h"

#include <stddef.h>
#include <string.h>

#include "base/checked.h"
#include "cpu/gemm/panel.h"
#include "cpu/gemm/tile.h"
#include "cpu/queries.h"
#include "ops/ref.h"

enum {
    CHUNK_BYTES = 8 << 20,          /* packed batches held at a time */
    IN_PLACE_FLOATS = 1 << 16,
    DEEP_TERMS = 512, DEEP_RESULTS = 1 << 18,
};

static const float *floats(const born_view *v) { return (const float *)(const void *)v->data; }

/* Stride of dim d of the result in operand v, aligned at the last dims; `skip` trailing dims of the result are not
   v's. */
static int64_t aligned_stride(const born_view *v, const born_view *out, int d)
{
    int at = d - (out->rank - v->rank);

    return at < 0 || v->dim[at] == 1 ? 0 : v->stride[at];
}

static bool all_f32(const born_call *c)
{
    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].dtype != BORN_DTYPE_NONE && c->in[i].dtype != BORN_F32) return false;
    return c->out[0].dtype == BORN_F32;
}

static bool follows(int64_t outer, int64_t inner, int64_t n) { return outer == inner * n; }

/* Dims of rows that lie one behind the other in every operand become one. */
static void merge_rows(born_gemm *g)
{
    int to = g->batch_rank;

    for (int d = g->batch_rank + 1; d < g->rank; d++) {
        born_gemm_dim *o = &g->dim[to], i = g->dim[d];
        if (i.n == 1) continue;
        if (o->n == 1 || (follows(o->a, i.a, i.n) && follows(o->out, i.out, i.n) && follows(o->bias, i.bias, i.n) &&
                          follows(o->residual, i.residual, i.n))) {
            i.n *= o->n;
            *o = i;
        } else {
            g->dim[++to] = i;
        }
    }
    if (g->rank > g->batch_rank) g->rank = to + 1;
}

/* Whether deep_k.c takes it. Only a weight's gradient is deep: it has no epilogue. */
static bool is_deep(const born_gemm *g)
{
    const born_epilogue *e = &g->end;

    return g->batch_rank == 0 && g->rank == 1 && g->k >= DEEP_TERMS && g->rows >= BORN_PANEL &&
           g->rows * g->n <= DEEP_RESULTS && g->dim[0].a == 1 && g->b_n == 1 && g->n % BORN_PANEL == 0 &&
           g->b_k >= g->n && e->out_col == 1 && e->activation == 0 && !e->scaled && !e->has_bias && !e->has_residual;
}

/* Scratch of one batch, and how many batches are packed at a time. */
static bool count_scratch(born_gemm *g)
{
    size_t a_bytes = 0, b_bytes = 0, both;
    int64_t a_rows = g->rows + (g->rows * g->k >= BORN_GEMM_LARGE ? BORN_GEMM_SLACK_ROWS : 0);
    int64_t columns = g->n + (g->n * g->k >= BORN_GEMM_LARGE ? BORN_GEMM_SLACK_PANELS * BORN_PANEL : 0);

    if (g->pack_a && (!born__mul_size((size_t)a_rows, (size_t)g->a_row, &a_bytes) ||
                      !born__mul_size(a_bytes, sizeof(float), &a_bytes)))
        return false;
    if (!g->panels && !g->in_place_b) b_bytes = born__panel_bytes(g->k, columns);
    if (b_bytes == SIZE_MAX || !born__add_size(a_bytes, b_bytes, &both)) return false;
    g->a_floats = a_bytes / sizeof(float);
    g->b_floats = b_bytes / sizeof(float);
    g->chunk = both == 0 || g->batches == 1 ? g->batches : (int64_t)(CHUNK_BYTES / both);
    if (g->chunk < 1) g->chunk = 1;
    if (g->chunk > g->batches) g->chunk = g->batches;
    return born__mul_size(both, (size_t)g->chunk, &g->scratch_bytes);
}

/* Decides about packing and counts scratch; the sizes and strides are set. */
static bool plan(born_gemm *g, const void *packed)
{
    merge_rows(g);
    g->batches = g->rows = 1;
    for (int i = 0; i < g->rank; i++) {
        if (i < g->batch_rank) g->batches *= g->dim[i].n;
        else g->rows *= g->dim[i].n;
    }
    if (g->n < 1 || g->k < 1 || g->rows < 1 || g->batches < 1) return false;
    if (g->n > INT32_MAX || g->k > INT32_MAX || g->rows > INT32_MAX || g->batches > INT32_MAX) return false;
    g->panels = packed;
    g->deep = is_deep(g);
    if (g->deep) {
        g->chunk = 1;
        g->scratch_bytes = g->k > BORN_CHAIN ? (size_t)(g->rows * g->n) * sizeof(float) : 0;
        return true;
    }
    g->pack_a = g->a_k != 1 && g->k > 1;
    /* b is read where it is by few rows, and where it fits the second cache */
    bool near = g->b_k <= IN_PLACE_FLOATS && g->b_k * g->k <= IN_PLACE_FLOATS;
    g->in_place_b = !packed && g->b_n == 1 && (g->rows <= 4 || near) && g->n >= BORN_PANEL && g->b_k >= g->n;
    g->a_row = (g->k + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL + BORN_PANEL;
    return count_scratch(g);
}

/* All but the dims, which are set as they are found. */
static void clear(born_gemm *g) { memset(g, 0, offsetof(born_gemm, dim)); }

/* The problem's batch axes; true where b is the same matrix for all of them. */
static bool batch_axes(const born_view *a, const born_view *b, const born_view *o, int lead, born_gemm *g)
{
    bool shared = true;

    for (int d = 0; d < lead; d++) {
        int da = d - (lead - (a->rank - 2)), db = d - (lead - (b->rank - 2));
        born_gemm_dim *x = &g->dim[g->rank++];
        *x = (born_gemm_dim){ .n = o->dim[d], .out = o->stride[d] };
        x->a = a->rank == 1 || da < 0 || a->dim[da] == 1 ? 0 : a->stride[da];
        x->b = b->rank == 1 || db < 0 || b->dim[db] == 1 ? 0 : b->stride[db];
        if (x->b && x->n > 1) shared = false;
    }
    return shared;
}

/* Operand i, bias (2) or residual (3), as strides along the result's rows and columns. */
static bool added_operand(const born_call *c, int i, bool b_vector, born_gemm *g)
{
    const born_view *v = &c->in[i], *o = &c->out[0];
    bool bias = i == 2;

    if (v->rank > o->rank) return false;
    for (int d = 0; d < g->rank; d++) *(bias ? &g->dim[d].bias : &g->dim[d].residual) = aligned_stride(v, o, d);
    *(bias ? &g->end.bias_col : &g->end.residual_col) = b_vector ? 0 : aligned_stride(v, o, o->rank - 1);
    *(bias ? &g->end.bias : &g->end.residual) = floats(v);
    *(bias ? &g->end.has_bias : &g->end.has_residual) = true;
    return true;
}

bool born__gemm_of_matmul(const born_call *c, born_gemm *g)
{
    const born_linear_attrs *at = BORN_ATTRS_OF(linear, c);
    const born_view *a = &c->in[0], *b = &c->in[1], *o = &c->out[0];
    bool a_vector = a->rank == 1, b_vector = b->rank == 1;

    if (c->in_count < 2 || a->rank < 1 || b->rank < 1 || !all_f32(c)) return false;
    clear(g);
    g->k = a->dim[a->rank - 1];
    g->n = b_vector ? 1 : b->dim[b->rank - 1];
    g->a_k = a->stride[a->rank - 1];
    g->b_k = b_vector ? b->stride[0] : b->stride[b->rank - 2];
    g->b_n = b_vector ? 0 : b->stride[b->rank - 1];
    g->a = floats(a);
    g->b = floats(b);
    g->out = (float *)(void *)o->data;
    int lead = o->rank - !a_vector - !b_vector;         /* batch dims of the result */
    bool shared = batch_axes(a, b, o, lead, g);
    g->batch_rank = shared ? 0 : g->rank;
    if (!a_vector) {
        g->dim[g->rank++] =
            (born_gemm_dim){ .n = a->dim[a->rank - 2], .a = a->stride[a->rank - 2], .out = o->stride[lead] };
    }
    g->end.out_col = b_vector ? 0 : o->stride[o->rank - 1];
    for (int i = 2; i < 4 && i < c->in_count; i++)
        if (born__has(c, i) && !added_operand(c, i, b_vector, g)) return false;
    g->end.activation = at ? (uint16_t)at->activation : 0;
    g->end.param[0] = at ? at->alpha : 0;
    g->end.param[1] = at ? at->beta : 0;
    return plan(g, b->rank <= 2 ? c->packed : NULL);
}

bool born__gemm_of_gemm(const born_call *c, born_gemm *g)
{
    const born_gemm_attrs *at = BORN_ATTRS_OF(gemm, c);
    const born_view *a = &c->in[0], *b = &c->in[1], *o = &c->out[0];

    if (c->in_count < 2 || a->rank != 2 || b->rank != 2 || !at || !all_f32(c)) return false;
    int am = at->trans_a ? 1 : 0, bn = at->trans_b ? 0 : 1;
    clear(g);
    g->k = a->dim[1 - am];
    g->n = b->dim[bn];
    g->rank = 1;
    g->a_k = a->stride[1 - am];
    g->b_k = b->stride[1 - bn];
    g->b_n = b->stride[bn];
    g->a = floats(a);
    g->b = floats(b);
    g->out = (float *)(void *)o->data;
    g->dim[0] = (born_gemm_dim){ .n = a->dim[am], .a = a->stride[am], .out = o->stride[0] };
    g->end.out_col = o->stride[1];
    g->end.scaled = at->alpha != 1;
    g->end.scale = (float)at->alpha;
    if (born__has(c, 2)) {
        const born_view *v = &c->in[2];
        if (v->rank > 2) return false;
        g->dim[0].bias = aligned_stride(v, o, 0);
        g->end.bias_col = aligned_stride(v, o, 1);
        g->end.bias = floats(v);
        g->end.has_bias = true;
        g->end.bias_scaled = at->beta != 1;
        g->end.bias_scale = (float)at->beta;
    }
    return plan(g, c->packed);
}

static void offer(const born_gemm *g, bool may_pack, born_query *q)
{
    q->scratch_bytes = g->scratch_bytes;
    if (!may_pack || g->deep) return;
    q->pack_operand = 1;
    q->pack_form = BORN_FORM_PANEL_F32 + (g->b_n == 1 ? 0u : 1u << 8);
    q->pack_bytes = born__panel_bytes(g->k, g->n);
}

bool born__query_matmul(const born_call *c, born_query *q)
{
    born_gemm g;

    if (!born__gemm_of_matmul(c, &g)) return false;
    offer(&g, c->in[1].rank <= 2, q);
    return true;
}

bool born__query_gemm(const born_call *c, born_query *q)
{
    born_gemm g;

    if (!born__gemm_of_gemm(c, &g)) return false;
    offer(&g, true, q);
    return true;
}

static void pack(const born_gemm *g, void *dst)
{
    born__panel_pack(g->b, g->k, g->n, g->b_k, g->b_n, 0, (g->n + BORN_PANEL - 1) / BORN_PANEL, dst);
}

void born__pack_matmul(const born_call *c, void *dst)
{
    born_gemm g;

    if (born__gemm_of_matmul(c, &g)) pack(&g, dst);
}

void born__pack_gemm(const born_call *c, void *dst)
{
    born_gemm g;

    if (born__gemm_of_gemm(c, &g)) pack(&g, dst);
}

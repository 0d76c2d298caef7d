/* Random calls: see support_cases.h. */
#include "support_cases.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops/elementwise.h"
#include "ops/fused.h"
#include "tensor/view.h"

uint32_t case_u32(kcase *k)
{
    k->seed = k->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(k->seed >> 33);
}

int64_t case_in(kcase *k, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(case_u32(k) % (uint32_t)(hi - lo + 1));
}

bool case_chance(kcase *k, int percent)
{
    return (int)(case_u32(k) % 100) < percent;
}

float case_value(kcase *k)
{
    static const float special[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, 1e-40f, -1e-42f, 3e38f, 1e-38f, 1, -1, 2 };
    uint32_t u = case_u32(k);

    if (k->specials && u % 23 == 0) return special[case_u32(k) % (sizeof special / sizeof special[0])];
    float v = (float)(int32_t)(case_u32(k) & 0xffffff) / 8388608.0f - 1.0f;
    return u % 7 == 0 ? v * 16 : v;
}

void *case_block(kcase *k, size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);

    if (!p || k->blocks == CASE_BLOCKS) {
        printf("out of memory\n");
        exit(1);
    }
    k->block[k->blocks++] = p;
    return p;
}

static void shuffle(kcase *k, int *order, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int j = (int)case_in(k, 0, i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}

/* Strides by layout; returns the elements that the view spans. */
static int64_t lay_out(kcase *k, born_view *v, int layout)
{
    int order[BORN_MAX_RANK]; /* from the outermost */
    int64_t step = 1;

    for (int i = 0; i < v->rank; i++) order[i] = i;
    if (layout < 0) {
        uint32_t u = case_u32(k) % 10;
        layout = u < 5 || v->rank == 0 ? 0 : u < 7 && v->rank >= 3 ? 1 : 2;
    }
    if (layout == 1 && v->rank >= 3) {
        for (int i = 1; i < v->rank - 1; i++) order[i] = i + 1;
        order[v->rank - 1] = 1;
    }
    if (layout == 2) shuffle(k, order, v->rank);
    for (int i = v->rank; i-- > 0;) {
        v->stride[order[i]] = step;
        step *= v->dim[order[i]] > 0 ? v->dim[order[i]] : 1;
        if (layout == 2 && case_chance(k, 30)) step += case_in(k, 1, 5);
    }
    return step;
}

static void fill(kcase *k, born_dtype t, char *p, int64_t n)
{
    int size = born__dtype_info(t)->size;

    for (int64_t i = 0; i < n; i++) {
        if (t == BORN_F32)
            ((float *)(void *)p)[i] = case_value(k);
        else if (t == BORN_F64)
            ((double *)(void *)p)[i] = (double)case_value(k);
        else if (t == BORN_BOOL)
            p[i] = (char)(case_u32(k) % 16 ? case_u32(k) & 1 : 6); /* any byte but 0 is true */
        else
            for (int b = 0; b < size; b++) p[i * size + b] = (char)case_u32(k);
    }
}

born_view case_view(kcase *k, born_dtype t, int rank, const int64_t *dim, int layout)
{
    born_view v = { .dtype = t, .rank = rank };

    if (rank) memcpy(v.dim, dim, (size_t)rank * sizeof *dim); /* a scalar may come without sizes */
    int64_t span = lay_out(k, &v, layout), lead = case_chance(k, 50) ? case_in(k, 0, 15) : 0,
            size = born__dtype_info(t)->size;
    char *p = case_block(k, (size_t)((span + lead) * size));
    fill(k, t, p, span + lead);
    v.data = p + lead * size;
    return v;
}

born_ints case_ints(kcase *k, int n, const int64_t *v)
{
    int64_t *p = case_block(k, (size_t)n * sizeof *p + 8);

    if (n) memcpy(p, v, (size_t)n * sizeof *p); /* no values may come as no pointer */
    return (born_ints){ p, n };
}

static void dims(kcase *k, int rank, int64_t most, int64_t *dim)
{
    for (int i = 0; i < rank; i++) dim[i] = case_in(k, 1, most);
    if (rank && case_chance(k, 30)) dim[rank - 1] = case_in(k, 1, 70);
    if (rank && case_chance(k, 2)) dim[case_in(k, 0, rank - 1)] = 0;
}

/* Halves the inner dims until a case has at most this many elements: a large one shows no more, and takes seconds. */
static void bound(int rank, int64_t *dim)
{
    const int64_t most = 1 << 17;
    for (int d = rank - 1; d > 0; d--) {
        int64_t n = 1;
        for (int i = 0; i < rank; i++) n *= dim[i];
        while (n > most && dim[d] > 1) {
            n /= dim[d];
            dim[d] = (dim[d] + 1) / 2;
            n *= dim[d];
        }
    }
}

/* Operands that broadcast to one shape. */
static void make_elementwise(kcase *k, born_dtype t)
{
    int rank = (int)case_in(k, 0, 5);
    int64_t dim[BORN_MAX_RANK];
    const born_op *op = k->call.op;

    dims(k, rank, 9, dim);
    if (case_chance(k, 10)) dim[0] = rank ? 1500 : 1;
    bound(rank, dim);
    for (int i = 0; i < op->max_in; i++) {
        int64_t d[BORN_MAX_RANK];
        int lead = op->max_in > 1 && case_chance(k, 30) ? (int)case_in(k, 0, rank) : 0;
        for (int j = lead; j < rank; j++) d[j - lead] = op->max_in > 1 && case_chance(k, 20) ? 1 : dim[j];
        born_dtype dt = op->sig[i] == 'B' ? BORN_BOOL : t;
        case_add(k, case_view(k, dt, rank - lead, d, -1));
    }
}

static born_dtype some_dtype(kcase *k)
{
    static const born_dtype t[] = { BORN_F32, BORN_F64, BORN_F16, BORN_BF16, BORN_I8,
                                    BORN_U8,  BORN_I32, BORN_I64, BORN_BOOL };
    return t[case_u32(k) % (sizeof t / sizeof t[0])];
}

static void make_where(kcase *k, born_dtype t)
{
    (void)t;                                    /* of the mask */
    make_elementwise(k, some_dtype(k));
}

static void make_cast(kcase *k, born_dtype t)
{
    ((born_cast_attrs *)(void *)k->attrs)->to = some_dtype(k);
    make_elementwise(k, t);
    if (t != BORN_F32 && t != BORN_F64) return;
    born_view *v = &k->in[0];                   /* and numbers around the limits of integers */
    char *p = v->data;
    for (int64_t i = 0; v->rank > 0 && i < v->dim[0] && born__view_count(v) > 0; i++)
        if (case_chance(k, 50))
            born__store_f64(t, p + i * v->stride[0] * born__dtype_info(t)->size,
                            ldexp((double)case_value(k), (int)case_in(k, 0, 66)));
}

/* Registers and operands of a program being made: what each holds, as a place of the program's numbering. */
enum { HELD = BORN_FUSED_INPUTS + 1 + BORN_FUSED_REGISTERS };
typedef struct held { int64_t at[HELD]; bool is_bool[HELD]; int n; } held;

static int64_t some_held(kcase *k, const held *h, bool is_bool)
{
    for (int tries = 0; tries < 200; tries++) {
        int i = (int)case_in(k, 0, h->n - 1);
        if (h->is_bool[i] == is_bool) return h->at[i];
    }
    return -1;
}

static bool make_step(kcase *k, int inputs, held *h, int64_t *step)
{
    const born_op *op = &born__ops[case_in(k, 1, BORN_OP_COUNT - 1)];
    int64_t to = inputs + case_in(k, 0, BORN_FUSED_REGISTERS - 1);
    _Alignas(16) char attrs[256];
    int i = 0;

    if (!born__fused_takes(op)) return false;
    step[0] = op->id;
    step[1] = to - inputs;
    for (int j = 0; j < op->max_in; j++)
        if ((step[2 + j] = some_held(k, h, op->sig[j] == 'B')) < 0) return false;
    if (op->attrs) {
        born__attrs_default(op->attrs, attrs);
        double p[2] = { 0 };
        born__attrs_numbers(op->attrs, attrs, p);
        memcpy(step + 5, p, sizeof p);
    }
    while (i < h->n && h->at[i] != to) i++;
    h->at[i] = to;
    h->is_bool[i] = strchr(op->sig, '>')[1] == 'B';
    if (i == h->n) h->n++;
    return true;
}

static void make_fused(kcase *k, born_dtype t)
{
    born_fused_attrs *a = (born_fused_attrs *)(void *)k->attrs;
    int rank = (int)case_in(k, 0, 4), inputs = (int)case_in(k, 1, BORN_FUSED_INPUTS), steps = (int)case_in(k, 1, 20);
    int64_t dim[BORN_MAX_RANK], program[20 * BORN_FUSED_FIELDS] = { 0 }, results[BORN_FUSED_RESULTS];
    held h = { .n = 0 };

    dims(k, rank, 5, dim);
    if (rank == 1 || (rank == 2 && dim[1] < 9)) dim[0] = case_in(k, 1, 1500);
    for (int i = 0; i < inputs; i++) {
        int64_t d[BORN_MAX_RANK];
        int lead = case_chance(k, 30) ? (int)case_in(k, 0, rank) : 0;
        born_dtype dt = i == 0 ? t : case_chance(k, 20) ? BORN_BOOL : BORN_F32;
        for (int j = lead; j < rank; j++) d[j - lead] = case_chance(k, 15) ? 1 : dim[j];
        if (i == inputs - 1) dt = inputs > 1 ? BORN_F32 : t;
        case_add(k, case_view(k, dt, rank - lead, d, -1));
        h.at[h.n] = i;
        h.is_bool[h.n++] = dt == BORN_BOOL;
    }
    if (inputs == 1 && t == BORN_BOOL) { /* something to choose from */
        case_add(k, case_view(k, BORN_F32, rank, dim, -1));
        h.at[h.n] = inputs++;
        h.is_bool[h.n++] = false;
    }
    for (int i = 0; i < steps;)
        if (make_step(k, inputs, &h, program + i * BORN_FUSED_FIELDS)) i++;
    k->results = (int)case_in(k, 1, BORN_FUSED_RESULTS);
    for (int i = 0; i < k->results; i++) {
        int at = (int)case_in(k, inputs, h.n - 1);
        results[i] = h.at[at] - inputs;
    }
    a->program = case_ints(k, steps * BORN_FUSED_FIELDS, program);
    a->results = case_ints(k, k->results, results);
}

static uint16_t some_activation(kcase *k)
{
    static const uint16_t ops[] = { BORN_OP_RELU, BORN_OP_RELU,  BORN_OP_SIGMOID,
                                    BORN_OP_TANH, BORN_OP_CLAMP, BORN_OP_LEAKY_RELU };
    return case_chance(k, 50) ? ops[case_u32(k) % (sizeof ops / sizeof ops[0])] : 0;
}

static void make_matmul(kcase *k, born_dtype t)
{
    born_linear_attrs *a = (born_linear_attrs *)(void *)k->attrs;
    int lead = (int)case_in(k, 0, 2), la = lead, lb = case_chance(k, 50) ? lead : 0;
    int64_t da[8], db[8], out[8], m = case_in(k, 1, 30), n = case_in(k, 1, 90), kk = case_in(k, 1, 150);

    if (case_chance(k, 10)) kk = case_in(k, 1000, 2100);
    if (case_chance(k, 10)) m = case_in(k, 100, 300);
    if (case_chance(k, 30)) m = case_in(k, 1, 5);
    for (int i = 0; i < lead; i++) out[i] = case_in(k, 1, 4);
    for (int i = 0; i < la; i++) da[i] = case_chance(k, 20) ? 1 : out[i];
    for (int i = 0; i < lb; i++) db[i] = case_chance(k, 20) ? 1 : out[i];
    da[la] = m;
    da[la + 1] = db[lb] = kk;
    db[lb + 1] = n;
    case_add(k, case_view(k, t, la + 2, da, -1));
    case_add(k, case_view(k, t, lb + 2, db, -1));
    if (case_chance(k, 5)) {
        k->in[0] = case_view(k, t, 1, &kk, -1);
        return;
    }
    if (case_chance(k, 5)) {
        k->in[1] = case_view(k, t, 1, &kk, -1);
        return;
    }
    for (int i = 0; i < lead; i++) out[i] = da[i] == 1 && i < lb ? db[i] : da[i];
    out[lead] = m;
    out[lead + 1] = n;
    if (case_chance(k, 50))
        case_add(k, case_chance(k, 50) ? case_view(k, t, 1, &n, -1) : case_view(k, t, lead + 2, out, -1));
    if (k->call.in_count == 3 && case_chance(k, 50)) case_add(k, case_view(k, t, lead + 2, out, -1));
    a->activation = some_activation(k);
    a->alpha = 0.1;
    a->beta = 1.5;
}

static void make_gemm(kcase *k, born_dtype t)
{
    born_gemm_attrs *a = (born_gemm_attrs *)(void *)k->attrs;
    int64_t m = case_in(k, 1, 60), n = case_in(k, 1, 90), kk = case_in(k, 1, 150);

    if (case_chance(k, 5)) m = case_in(k, 100, 300), kk = case_in(k, 800, 1300); /* what is packed block by block */
    if (case_chance(k, 5)) n = case_in(k, 300, 700), kk = case_in(k, 200, 300);
    if (case_chance(k, 5)) n = case_in(k, 200, 300), m = case_in(k, 500, 700);   /* what is written row by row */
    a->alpha = case_chance(k, 50) ? 0.7 : 1;
    a->beta = case_chance(k, 50) ? 1.3 : 1;
    a->trans_a = case_chance(k, 50);
    a->trans_b = case_chance(k, 50);
    bool deep = case_chance(k, 8); /* a weight's gradient */
    if (deep) {
        m = case_in(k, 16, 150), n = 16 * case_in(k, 1, 20), kk = case_in(k, 512, 2300);
        a->alpha = 1;
        a->trans_a = true;
        a->trans_b = false;
    }
    case_add(k, case_view(k, t, 2, a->trans_a ? (int64_t[]){ kk, m } : (int64_t[]){ m, kk }, -1));
    case_add(k, case_view(k, t, 2, a->trans_b ? (int64_t[]){ n, kk } : (int64_t[]){ kk, n }, -1));
    if (!deep && case_chance(k, 70)) {
        int rank = (int)case_in(k, 0, 2);
        int64_t d[2] = { case_chance(k, 50) ? 1 : m, case_chance(k, 30) ? 1 : n };
        case_add(k, case_view(k, t, rank, d + (2 - rank), -1));
    }
}

static void make_conv(kcase *k, born_dtype t)
{
    born_conv_attrs *a = (born_conv_attrs *)(void *)k->attrs;
    int s = (int)case_in(k, 1, 3), layout = case_chance(k, 60) ? 1 : -1;
    int64_t groups = case_chance(k, 60) ? 1 : case_in(k, 2, 40), cg = case_in(k, 1, 20), mg = case_in(k, 1, 70);
    int64_t x[5], w[5], y[5], stride[3], dil[3], pads[6], kernel[3];

    if (groups > 1) cg = case_chance(k, 60) ? 1 : case_in(k, 1, 4), mg = case_chance(k, 60) ? 1 : case_in(k, 1, 20);
    if (case_chance(k, 10)) cg = case_in(k, 60, 200);
    bool pixels = case_chance(k, 25); /* dense rows and few results */
    if (pixels) layout = 0, mg = case_in(k, 1, 10), cg = case_in(k, 1, 20);
    x[0] = case_in(k, 1, pixels ? 3 : 2);
    if (pixels && case_chance(k, 40)) x[0] = case_in(k, 24, 70), layout = case_chance(k, 50); /* lanes may be images */
    x[1] = groups * cg;
    w[0] = groups * mg;
    w[1] = cg;
    y[0] = x[0];
    y[1] = w[0];
    bool keep = pixels && case_chance(k, 40), one = !keep && case_chance(k, 30); /* keep: images keep their size */
    if (keep) layout = 0, w[0] = groups * (mg = case_in(k, 1, case_chance(k, 50) ? 8 : 40));
    if (keep) w[1] = cg = case_in(k, 1, 4), x[1] = groups * cg, y[1] = w[0];
    for (int i = 0; i < s; i++) {
        kernel[i] = one ? 1 : case_in(k, 1, s == 3 ? 3 : 5);
        dil[i] = case_chance(k, 70) ? 1 : case_in(k, 1, 3);
        stride[i] = (pixels && i == s - 1) || (one && case_chance(k, 70)) ? 1 : case_in(k, 1, 3);
        pads[i] = one ? 0 : case_in(k, 0, 3);
        pads[s + i] = one ? 0 : case_in(k, 0, 3);
        w[2 + i] = kernel[i];
        int64_t reach = (kernel[i] - 1) * dil[i] + 1;
        x[2 + i] = case_in(k, 1, s == 3 ? 5 : 14);
        if (keep) {
            stride[i] = 1, pads[i] = case_in(k, 0, reach - 1), pads[s + i] = reach - 1 - pads[i];
            x[2 + i] = case_in(k, s == 3 ? 4 : 8, s == 3 ? 9 : 30);
        }
        if (x[2 + i] + pads[i] + pads[s + i] < reach) x[2 + i] = reach;
        y[2 + i] = (x[2 + i] + pads[i] + pads[s + i] - reach) / stride[i] + 1;
    }
    a->group = groups;
    a->strides = case_ints(k, s, stride);
    a->dilations = case_ints(k, s, dil);
    a->pads = case_ints(k, 2 * s, pads);
    a->activation = keep && case_chance(k, 80) ? case_chance(k, 50) * BORN_OP_RELU : some_activation(k);
    a->alpha = 0.1;
    a->beta = 1.5;
    case_add(k, case_view(k, t, 2 + s, x, layout));
    case_add(k, case_view(k, t, 2 + s, w, 0));
    born_view none = { 0 };
    bool bias = case_chance(k, 60), residual = !keep && case_chance(k, 40), scale = !keep && case_chance(k, 30);
    if (bias || residual || scale) case_add(k, bias ? case_view(k, t, 1, &y[1], 0) : none);
    if (residual || scale) case_add(k, residual ? case_view(k, t, 2 + s, y, layout) : none);
    if (scale) case_add(k, case_view(k, t, 1, &y[1], 0));
}

static void make_conv_transpose(kcase *k, born_dtype t)
{
    born_conv_transpose_attrs *a = (born_conv_transpose_attrs *)(void *)k->attrs;
    int s = (int)case_in(k, 1, 3), layout = case_chance(k, 60) ? 1 : -1;
    int64_t groups = case_chance(k, 60) ? 1 : case_in(k, 2, 5), cg = case_in(k, 1, 20), mg = case_in(k, 1, 70);
    int64_t x[5], w[5], y[5], stride[3], dil[3], pads[6], kernel[3], more[3];

    if (case_chance(k, 10)) cg = case_in(k, 60, 300);
    bool pixels = case_chance(k, 40); /* dense rows and few results */
    if (pixels) layout = 0, mg = case_in(k, 1, 10), cg = case_in(k, 1, 30);
    x[0] = y[0] = case_in(k, 1, 3);
    if (pixels && case_chance(k, 40)) x[0] = y[0] = case_in(k, 24, 70), layout = case_chance(k, 50);
    bool keep = pixels && case_chance(k, 40); /* images keep their size */
    if (keep) layout = 0, cg = case_in(k, 1, 8);
    x[1] = w[0] = groups * cg;
    w[1] = mg;
    y[1] = groups * mg;
    for (int i = 0; i < s; i++) {
        kernel[i] = w[2 + i] = case_in(k, 1, s == 3 ? 3 : 5);
        dil[i] = case_chance(k, 70) ? 1 : case_in(k, 1, 3);
        stride[i] = pixels ? 1 : case_in(k, 1, 3);
        more[i] = case_in(k, 0, stride[i] - 1);
        x[2 + i] = keep ? case_in(k, s == 3 ? 4 : 8, s == 3 ? 9 : 30) : case_in(k, 1, s == 3 ? 4 : 12);
        int64_t full = (x[2 + i] - 1) * stride[i] + (kernel[i] - 1) * dil[i] + 1 + more[i];
        pads[i] = case_in(k, 0, full > 4 ? 2 : 0);
        pads[s + i] = case_in(k, 0, full > 4 ? 1 : 0);
        int64_t reach = (kernel[i] - 1) * dil[i];
        if (keep) pads[i] = case_in(k, 0, reach), pads[s + i] = reach - pads[i];
        y[2 + i] = full - pads[i] - pads[s + i];
    }
    a->group = groups;
    a->strides = case_ints(k, s, stride);
    a->dilations = case_ints(k, s, dil);
    a->pads = case_ints(k, 2 * s, pads);
    a->output_padding = case_ints(k, s, more);
    a->activation = keep && case_chance(k, 80) ? case_chance(k, 50) * BORN_OP_RELU : some_activation(k);
    a->alpha = 0.1;
    a->beta = 1.5;
    case_add(k, case_view(k, t, 2 + s, x, layout));
    case_add(k, case_view(k, t, 2 + s, w, 0));
    bool bias = case_chance(k, 60), residual = !keep && case_chance(k, 30);
    if (bias || residual) case_add(k, bias ? case_view(k, t, 1, &y[1], 0) : (born_view){ 0 });
    if (residual) case_add(k, case_view(k, t, 2 + s, y, layout));
}

/* x and the gradient of the result of make_conv's window; few pixels or thousands. */
static void make_conv_weight(kcase *k, born_dtype t)
{
    born_conv_attrs *a = (born_conv_attrs *)(void *)k->attrs;
    make_conv(k, t);
    born_view w = k->in[1];
    int s = w.rank - 2;
    int64_t x[5], g[5];
    memcpy(x, k->in[0].dim, sizeof x);
    x[0] = case_chance(k, 20) ? case_in(k, 8, 40) : x[0];
    g[0] = x[0];
    g[1] = w.dim[0];
    for (int i = 0; i < s; i++)
        g[2 + i] = (x[2 + i] + a->pads.v[i] + a->pads.v[s + i] - (w.dim[2 + i] - 1) * a->dilations.v[i] - 1) /
                       a->strides.v[i] + 1;
    a->activation = 0;
    a->kernel_shape = case_ints(k, s, w.dim + 2);
    bool dense = k->call.in[0].stride[1 + s] == 1;
    int layout = case_chance(k, 40) ? 1 : case_chance(k, 60) ? 0 : -1;
    k->call.in_count = 0;
    case_add(k, case_view(k, t, 2 + s, x, layout));
    int g_layout = layout == 1 && case_chance(k, 60) ? 1 : dense || case_chance(k, 20) ? 0 : -1;
    case_add(k, case_view(k, t, 2 + s, g, g_layout));
}

/* An image [N, C, spatial...]; returns the number of spatial axes. */
static int some_image(kcase *k, born_dtype t, int64_t least, int64_t most)
{
    int s = (int)case_in(k, 1, 3);
    int64_t x[5] = { case_in(k, 1, 3), case_in(k, 1, 70) };

    for (int i = 0; i < s; i++) x[2 + i] = case_in(k, least, s == 3 ? (most < 6 ? most : 6) : most);
    case_add(k, case_view(k, t, 2 + s, x, case_chance(k, 50) ? 1 : -1));
    return s;
}

static void make_pool(kcase *k, born_dtype t)
{
    int s = some_image(k, t, 3, 14);
    int64_t kernel[3], stride[3], dil[3], pads[6];

    for (int i = 0; i < s; i++) {
        kernel[i] = case_in(k, 1, 3);
        dil[i] = case_chance(k, 80) || kernel[i] > 2 ? 1 : 2;
        stride[i] = case_in(k, 1, 3);
        pads[i] = case_in(k, 0, kernel[i] - 1);
        pads[s + i] = case_in(k, 0, kernel[i] - 1);
    }
    born_ints ints[4] = { case_ints(k, s, kernel), case_ints(k, s, stride), case_ints(k, 2 * s, pads),
                          case_ints(k, s, dil) };
    if (k->call.op->id == BORN_OP_MAX_POOL) {
        born_max_pool_attrs *a = (born_max_pool_attrs *)(void *)k->attrs;
        a->kernel_shape = ints[0], a->strides = ints[1], a->pads = ints[2], a->dilations = ints[3];
        a->ceil_mode = case_chance(k, 30);
    } else {
        born_average_pool_attrs *a = (born_average_pool_attrs *)(void *)k->attrs;
        a->kernel_shape = ints[0], a->strides = ints[1], a->pads = ints[2], a->dilations = ints[3];
        a->ceil_mode = case_chance(k, 30);
        a->count_include_pad = case_chance(k, 50);
    }
}

/* make_pool's attributes, with the gradient of its result before x, or before the sizes of x. */
static void make_pool_back(kcase *k, born_dtype t)
{
    const born_op *own = k->call.op;
    bool max = own->id == BORN_OP_MAX_POOL_GRAD, shares;
    born_view y = { 0 };

    k->call.op = &born__ops[max ? BORN_OP_MAX_POOL : BORN_OP_AVERAGE_POOL];
    make_pool(k, t);
    if (born__op_infer(k->call.op, k->call.attrs, k->in, 1, &y, 1, &shares, NULL) != BORN_OK) return;
    k->call.op = own;
    born_view x = k->in[0];
    k->call.in_count = 0;
    k->results_last = x.stride[1] == 1;
    case_add(k, case_view(k, t, y.rank, y.dim, case_chance(k, 40) ? 0 : k->results_last ? 1 : -1));
    if (max) {
        case_add(k, x);
        return;
    }
    case_add(k, case_view(k, BORN_I64, 1, (int64_t[]){ x.rank }, 0));
    memcpy(k->in[1].data, x.dim, (size_t)x.rank * sizeof *x.dim);
}

static void make_global_pool(kcase *k, born_dtype t)
{
    some_image(k, t, 1, case_chance(k, 10) ? 60 : 12);
}

static void make_lrn(kcase *k, born_dtype t)
{
    born_lrn_attrs *a = (born_lrn_attrs *)(void *)k->attrs;

    some_image(k, t, 1, 9);
    a->size = case_in(k, 1, 40);
    if (case_chance(k, 40)) a->beta = 0.6;
}

/* Operands of a recurrent layer of `gates` gates; direction and layout are in its attributes already. */
static void rnn_operands(kcase *k, born_dtype t, int gates, int direction, int64_t layout)
{
    int64_t d = direction == 2 ? 2 : 1, steps = case_in(k, 1, 7), batch = case_in(k, 1, case_chance(k, 50) ? 2 : 9);
    int64_t in = case_in(k, 1, 60), h = case_in(k, 1, 60), state[3] = { layout ? batch : d, layout ? d : batch, h };

    if (case_chance(k, 10)) in = case_in(k, 1000, 1100);
    if (case_chance(k, 5)) steps = 0;
    case_add(k, case_view(k, t, 3, (int64_t[]){ layout ? batch : steps, layout ? steps : batch, in }, -1));
    case_add(k, case_view(k, t, 3, (int64_t[]){ d, gates * h, in }, case_chance(k, 50) ? 0 : -1));
    case_add(k, case_view(k, t, 3, (int64_t[]){ d, gates * h, h }, case_chance(k, 50) ? 0 : -1));
    if (case_chance(k, 20)) { /* stored the other way round */
        k->in[1].stride[1] = 1;
        k->in[1].stride[2] = gates * h;
        k->in[1].stride[0] = gates * h * in;
    }
    case_add(k, case_chance(k, 70) ? case_view(k, t, 2, (int64_t[]){ d, 2 * gates * h }, 0) : (born_view){ 0 });
    case_add(k, (born_view){ 0 });
    if (case_chance(k, 40)) {
        k->in[4] = case_view(k, BORN_I32, 1, &batch, 0);
        for (int64_t b = 0; b < batch; b++)
            born__store_f64(BORN_I32, k->in[4].data + b * 4, (double)case_in(k, -1, steps + 2));
    }
    for (int i = 5; i < (gates == 4 ? 7 : 6); i++)
        case_add(k, case_chance(k, 60) ? case_view(k, t, 3, state, -1) : (born_view){ 0 });
    if (gates == 4) case_add(k, case_chance(k, 50) ? case_view(k, t, 2, (int64_t[]){ d, 3 * h }, 0) : (born_view){ 0 });
}

/* Now and then other activations than the usual ones. */
static born_strs rnn_activations(kcase *k, int per_direction, int direction)
{
    static const char *const names[] = { "Tanh",      "Sigmoid",         "Relu",       "Affine",
                                         "LeakyRelu", "ThresholdedRelu", "ScaledTanh", "HardSigmoid",
                                         "Elu",       "Softsign",        "Softplus" };
    int n = per_direction * (direction == 2 ? 2 : 1);
    born_str *list = case_block(k, (size_t)n * sizeof *list);

    if (case_chance(k, 60)) return (born_strs){ 0 };
    for (int i = 0; i < n; i++) {
        const char *name = names[case_in(k, 0, 10)];
        list[i] = (born_str){ name, strlen(name) };
    }
    return (born_strs){ list, n };
}

static void make_rnn(kcase *k, born_dtype t)
{
    born_rnn_attrs *a = (born_rnn_attrs *)(void *)k->attrs;

    a->direction = (int)case_in(k, 0, 2);
    a->layout = case_in(k, 0, 1);
    a->clip = case_chance(k, 20) ? 0.5 : 0;
    a->activations = rnn_activations(k, 1, a->direction);
    rnn_operands(k, t, 1, a->direction, a->layout);
}

static void make_gru(kcase *k, born_dtype t)
{
    born_gru_attrs *a = (born_gru_attrs *)(void *)k->attrs;

    a->direction = (int)case_in(k, 0, 2);
    a->layout = case_in(k, 0, 1);
    a->clip = case_chance(k, 20) ? 0.5 : 0;
    a->linear_before_reset = case_chance(k, 50);
    a->activations = rnn_activations(k, 2, a->direction);
    rnn_operands(k, t, 3, a->direction, a->layout);
}

static void make_lstm(kcase *k, born_dtype t)
{
    born_lstm_attrs *a = (born_lstm_attrs *)(void *)k->attrs;

    a->direction = (int)case_in(k, 0, 2);
    a->layout = case_in(k, 0, 1);
    a->clip = case_chance(k, 20) ? 0.5 : 0;
    a->input_forget = case_chance(k, 20);
    a->activations = rnn_activations(k, 3, a->direction);
    rnn_operands(k, t, 4, a->direction, a->layout);
}

static void make_softmax(kcase *k, born_dtype t)
{
    int rank = (int)case_in(k, 1, 4);
    int64_t dim[BORN_MAX_RANK];

    for (int i = 0; i < rank; i++) dim[i] = case_in(k, 1, 6);
    if (case_chance(k, 70)) dim[rank - 1] = case_in(k, 1, case_chance(k, 20) ? 9000 : 300);
    case_add(k, case_view(k, t, rank, dim, case_chance(k, 70) ? 0 : -1));
}

static void make_row_norm(kcase *k, born_dtype t)
{
    int64_t dim[3] = { case_in(k, 1, 9), case_in(k, 1, 5), case_in(k, 1, case_chance(k, 20) ? 5000 : 200) };
    int64_t axis = case_chance(k, 70) ? -1 : case_in(k, 0, 2), from = axis < 0 ? 2 : axis;
    bool rms = k->call.op->id == BORN_OP_RMS_NORM;

    if (rms)
        ((born_rms_norm_attrs *)(void *)k->attrs)->axis = axis;
    else
        ((born_layer_norm_attrs *)(void *)k->attrs)->axis = axis;
    case_add(k, case_view(k, t, 3, dim, case_chance(k, 80) ? 0 : -1));
    case_add(k, case_view(k, t, (int)(3 - from), dim + from, 0));
    if (!rms && case_chance(k, 70)) case_add(k, case_view(k, t, (int)(3 - from), dim + from, 0));
}

/* The sizes of an image, at times with a plane of more than one chunk or a batch of more than one chain, and one layout
   for it and the results, mostly. */
static int norm_image(kcase *k, int64_t *dim)
{
    int rank = (int)case_in(k, 2, 5);

    for (int i = 0; i < rank; i++) dim[i] = case_in(k, 1, i == 1 ? 50 : 8);
    if (case_chance(k, 10)) dim[rank - 1] = rank == 2 ? dim[1] : case_in(k, 60, 9000 / dim[1]);
    if (case_chance(k, 5)) {
        dim[0] = case_in(k, 1000, 2100);
        for (int i = 1; i < rank; i++) dim[i] = case_in(k, 1, 3);
    }
    if (case_chance(k, 40)) k->results_last = true;
    return rank;
}

static void make_batch_norm(kcase *k, born_dtype t)
{
    born_batch_norm_attrs *a = (born_batch_norm_attrs *)(void *)k->attrs;
    int64_t dim[BORN_MAX_RANK];
    int rank = norm_image(k, dim);

    a->training_mode = case_chance(k, 70);
    if (a->training_mode) k->results = (int)case_in(k, 1, 3);
    case_add(k, case_view(k, t, rank, dim, k->results_last ? 1 : -1));
    for (int i = 0; i < 4; i++) {
        case_add(k, case_view(k, t, 1, &dim[1], -1));
        float *v = (float *)(void *)k->in[i + 1].data;
        for (int64_t j = 0; i == 3 && j < dim[1]; j++) v[j * k->in[4].stride[0]] = (float)case_in(k, 0, 100) * 0.01f;
    }
}

static void make_batch_norm_grad(kcase *k, born_dtype t)
{
    int64_t dim[BORN_MAX_RANK];
    int rank = norm_image(k, dim), layout = k->results_last ? 1 : 0;

    k->results = (int)case_in(k, 1, 3);
    case_add(k, case_view(k, t, rank, dim, case_chance(k, 90) ? layout : -1));
    case_add(k, case_view(k, t, rank, dim, case_chance(k, 90) ? layout : -1));
    case_add(k, case_view(k, t, 1, &dim[1], -1));
}

/* reduce_sum over everything but the channels of an image. */
static void make_channel_sum(kcase *k, born_dtype t)
{
    int64_t dim[BORN_MAX_RANK], axes[BORN_MAX_RANK];
    int rank = norm_image(k, dim), n = 0;

    ((born_reduce_attrs *)(void *)k->attrs)->drop_dims = case_chance(k, 50);
    case_add(k, case_view(k, t, rank, dim, k->results_last ? 1 : -1));
    for (int i = rank; i-- > 0;)
        if (i != 1) axes[n++] = case_chance(k, 50) ? i : i - rank;
    born_view v = { .dtype = BORN_I64, .rank = 1, .dim = { n }, .stride = { 1 } };
    v.data = case_block(k, sizeof axes);
    memcpy(v.data, axes, (size_t)n * sizeof *axes);
    case_add(k, v);
}

static void make_reduce(kcase *k, born_dtype t)
{
    born_reduce_attrs *a = (born_reduce_attrs *)(void *)k->attrs;
    int rank = (int)case_in(k, 1, 4);
    int64_t dim[BORN_MAX_RANK], axes[BORN_MAX_RANK], n = 0;

    if (k->call.op->id == BORN_OP_REDUCE_SUM && case_chance(k, 50)) {
        make_channel_sum(k, t);
        return;
    }
    for (int i = 0; i < rank; i++) dim[i] = case_in(k, 1, 9);
    if (case_chance(k, 40)) dim[case_in(k, 0, rank - 1)] = case_in(k, 1, case_chance(k, 30) ? 9000 : 200);
    case_add(k, case_view(k, t, rank, dim, case_chance(k, 70) ? 0 : -1));
    if (k->call.op->attrs->bytes >= sizeof *a) a->drop_dims = case_chance(k, 50);
    int64_t first = case_in(k, 0, rank - 1), last = case_chance(k, 50) ? rank - 1 : case_in(k, first, rank - 1);
    for (int64_t i = first; i <= last; i++) axes[n++] = case_chance(k, 50) ? i : i - rank;
    if (case_chance(k, 10)) return;
    born_view v = { .dtype = BORN_I64, .rank = 1, .dim = { n }, .stride = { 1 } };
    v.data = case_block(k, sizeof axes);
    memcpy(v.data, axes, (size_t)n * sizeof *axes);
    case_add(k, v);
}

/* quantize_linear, dequantize_linear */
static void make_qpoint(kcase *k, born_dtype t)
{
    born_quantize_attrs *a = (born_quantize_attrs *)(void *)k->attrs;
    int rank = (int)case_in(k, 1, 4), axis = (int)case_in(k, 0, rank - 1);
    int64_t dim[8];
    bool to_ints = t == BORN_F32, each = case_chance(k, 60);
    born_dtype ints = !to_ints ? t : case_chance(k, 50) ? BORN_I8 : BORN_U8;

    dims(k, rank, 9, dim);
    if (dim[axis] == 0) dim[axis] = 1;
    a->axis = case_chance(k, 50) ? axis : axis - rank;
    case_add(k, case_view(k, t, rank, dim, -1));
    case_add(k, case_view(k, BORN_F32, each, &dim[axis], -1));
    if (case_chance(k, 80)) case_add(k, case_view(k, ints, each, &dim[axis], -1));
    else if (to_ints) a->output_dtype = ints;
}

static void make_qdynamic(kcase *k, born_dtype t)
{
    int64_t dim[2] = { case_in(k, 1, 30), case_in(k, 1, 200) };

    case_add(k, case_view(k, t, 2, dim, 0));
}

static void make_arg(kcase *k, born_dtype t)
{
    born_arg_reduce_attrs *a = (born_arg_reduce_attrs *)(void *)k->attrs;
    int rank = (int)case_in(k, 1, 4);
    int64_t dim[8];

    for (int i = 0; i < rank; i++) dim[i] = case_in(k, 1, i == rank - 1 ? 200 : 6);
    a->axis = case_chance(k, 40) ? -1 : rank - 1;
    a->drop_dims = case_chance(k, 50);
    a->select_last_index = case_chance(k, 50);
    case_add(k, case_view(k, t, rank, dim, case_chance(k, 80) ? 0 : -1));
    float *p = (float *)(void *)k->in[0].data; /* and several extremes in the first row */
    for (int i = 0; i < 4 && case_chance(k, 60); i++)
        p[k->in[0].stride[rank - 1] * case_in(k, 0, dim[rank - 1] - 1)] = i % 2 ? -40 : 40;
}

static void make_resize(kcase *k, born_dtype t)
{
    born_resize_attrs *a = (born_resize_attrs *)(void *)k->attrs;
    int rank = (int)case_in(k, 3, 4);
    int64_t dim[4] = { case_in(k, 1, 2), case_in(k, 1, 40) }, n = rank;

    for (int i = 2; i < rank; i++) dim[i] = case_in(k, 1, 20);
    a->mode = (int)case_in(k, 1, 2);
    a->coordinate_mode = (int)case_in(k, 0, 4);
    a->antialias = case_chance(k, 20);
    case_add(k, case_view(k, t, rank, dim, case_chance(k, 50) ? 1 : -1));
    case_add(k, (born_view){ 0 });
    born_view scales = case_view(k, BORN_F32, 1, &n, 0);
    for (int i = 0; i < rank; i++)
        ((float *)(void *)scales.data)[i] = i < 2 && case_chance(k, 90) ? 1 : (float)case_in(k, 10, 60) / 20;
    case_add(k, scales);
}

typedef struct generator {
    uint16_t op;
    void (*make)(kcase *k, born_dtype t);
} generator;
static const generator generators[] = {
    { BORN_OP_WHERE, make_where },
    { BORN_OP_FUSED, make_fused },
    { BORN_OP_ARG_MAX, make_arg },
    { BORN_OP_ARG_MIN, make_arg },
    { BORN_OP_RESIZE, make_resize },
    { BORN_OP_CAST, make_cast },
    { BORN_OP_MATMUL, make_matmul },
    { BORN_OP_GEMM, make_gemm },
    { BORN_OP_CONV, make_conv },
    { BORN_OP_CONV_TRANSPOSE, make_conv_transpose },
    { BORN_OP_CONV_WEIGHT_GRAD, make_conv_weight },
    { BORN_OP_SOFTMAX, make_softmax },
    { BORN_OP_LOG_SOFTMAX, make_softmax },
    { BORN_OP_LAYER_NORM, make_row_norm },
    { BORN_OP_RMS_NORM, make_row_norm },
    { BORN_OP_BATCH_NORM, make_batch_norm },
    { BORN_OP_LAYER_NORM_GRAD, case_norm_grad },
    { BORN_OP_RMS_NORM_GRAD, case_norm_grad },
    { BORN_OP_CROSS_ENTROPY_LOSS, case_cross_entropy },
    { BORN_OP_CROSS_ENTROPY_GRAD, case_cross_entropy },
    { BORN_OP_BATCH_NORM_GRAD, make_batch_norm_grad },
    { BORN_OP_QLINEAR_CONV, case_qconv },
    { BORN_OP_CONV_INTEGER, case_qconv },
    { BORN_OP_MATMUL_INTEGER, case_qmm },
    { BORN_OP_QLINEAR_MATMUL, case_qmm },
    { BORN_OP_MATMUL_INTEGER_TO_FLOAT, case_qmm },
    { BORN_OP_QUANTIZE_LINEAR, make_qpoint },
    { BORN_OP_DEQUANTIZE_LINEAR, make_qpoint },
    { BORN_OP_DYNAMIC_QUANTIZE_LINEAR, make_qdynamic },
    { BORN_OP_ATTENTION, case_attention },
    { BORN_OP_ATTENTION_GRAD, case_attention_grad },
    { BORN_OP_PACKED_ATTENTION, case_packed_attention },
    { BORN_OP_MULTI_HEAD_ATTENTION, case_multi_head },
    { BORN_OP_GROUP_QUERY_ATTENTION, case_group_query },
    { BORN_OP_REDUCE_SUM, make_reduce },
    { BORN_OP_REDUCE_MEAN, make_reduce },
    { BORN_OP_REDUCE_MAX, make_reduce },
    { BORN_OP_REDUCE_MIN, make_reduce },
    { BORN_OP_REDUCE_L1, make_reduce },
    { BORN_OP_REDUCE_L2, make_reduce },
    { BORN_OP_REDUCE_SUM_SQUARE, make_reduce },
    { BORN_OP_MAX_POOL, make_pool },
    { BORN_OP_AVERAGE_POOL, make_pool },
    { BORN_OP_MAX_POOL_GRAD, make_pool_back },
    { BORN_OP_AVERAGE_POOL_GRAD, make_pool_back },
    { BORN_OP_GLOBAL_MAX_POOL, make_global_pool },
    { BORN_OP_GLOBAL_AVERAGE_POOL, make_global_pool },
    { BORN_OP_LRN, make_lrn },
    { BORN_OP_RNN, make_rnn },
    { BORN_OP_GRU, make_gru },
    { BORN_OP_LSTM, make_lstm },
};

/* Results get memory of their own with guard bytes around; random layout for ops that take any. */
static bool place_results(kcase *k, born_error *err)
{
    const born_op *op = k->call.op;
    bool variadic, shares;
    int outs = born__op_sig_outputs(op, &variadic);
    int64_t lead = 16;

    if (k->results) k->call.out_count = k->results;
    else k->call.out_count = outs > 1 && (op->id == BORN_OP_BATCH_NORM || case_chance(k, 70)) ? 1 : outs;
    if (born__op_infer(op, k->call.attrs, k->in, k->call.in_count, k->out, k->call.out_count, &shares, err) != BORN_OK)
        return false;
    for (int i = 0; i < k->call.out_count; i++) {
        born_view *o = &k->out[i];
        int size = born__dtype_info(o->dtype)->size;
        int layout = op->props & BORN_P_ANY_LAYOUT ? -1 : 0;
        if (case_chance(k, k->results_last ? 90 : 50)) layout = k->results_last ? 1 : 0;
        int64_t span = lay_out(k, o, layout);
        k->out_bytes[i] = (size_t)((span + 2 * lead) * size);
        k->out_block[i] = case_block(k, k->out_bytes[i]);
        memset(k->out_block[i], 0x5a, k->out_bytes[i]);
        o->data = k->out_block[i] + lead * size;
    }
    return true;
}

bool case_make(kcase *k, const born_op *op, born_dtype t, uint64_t seed)
{
    born_error err = { 0 };
    size_t i = 0, count = sizeof generators / sizeof generators[0];

    memset(k, 0, sizeof *k);
    k->seed = seed * 0x9e3779b97f4a7c15u + op->id;
    k->specials = case_chance(k, 30);
    k->call.op = op;
    k->call.in = k->in;
    k->call.out = k->out;
    if (op->attrs) {
        born__attrs_default(op->attrs, k->attrs);
        k->call.attrs = k->attrs;
    }
    while (i < count && generators[i].op != op->id) i++;
    if (i < count)
        generators[i].make(k, t);
    else if (op->props & BORN_P_ELEMENTWISE)
        make_elementwise(k, t);
    else
        return false;
    if (place_results(k, &err)) return true;
    printf("  %s: %s\n", op->name, err.text);
    return false;
}

void case_free(kcase *k)
{
    for (int i = 0; i < k->blocks; i++) free(k->block[i]);
    k->blocks = 0;
}

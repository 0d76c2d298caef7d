/* From a call of conv or conv_transpose to a born_conv, their queries and the packer. */
#include "base/checked.h"
#include "cpu/conv/conv.h"
#include "cpu/gemm/panel.h"
#include "cpu/gemm/tile.h"
#include "cpu/kernels/activation.h"
#include "cpu/queries.h"
#include "ops/ref.h"

static const float *floats(const born_view *v) { return (const float *)(const void *)v->data; }

static void spatial_steps(const born_window *w, const born_view *v, int64_t step[3])
{
    for (int i = 0; i < 3; i++) step[i] = i < 3 - w->spatial ? 0 : v->stride[i - 1 + w->spatial];
}

int64_t born__conv_panels(const born_conv *v)
{
    return v->depthwise ? (v->channels + BORN_PANEL - 1) / BORN_PANEL : v->groups * v->panels;
}

void born__conv_taps(const born_conv *v, int a, int64_t o, int64_t *lo, int64_t *hi)
{
    const born_window *w = &v->win;

    if (!v->transposed) {
        born__window_taps(w, a, o, lo, hi);
        return;
    }
    int64_t at = o + w->pad[a], d = w->dilation[a];
    *hi = at < 0 ? 0 : at / d + 1;
    if (*hi > w->kernel[a]) *hi = w->kernel[a];
    *lo = at < w->in[a] ? 0 : (at - w->in[a]) / d + 1;
    if (*lo > *hi) *lo = *hi;
}

/* The class that begins at result cell o: along each axis, the cells from there on that have o's taps. */
static void class_from(const born_conv *v, const int64_t o[3], born_conv_class *x)
{
    const born_window *w = &v->win;

    for (int a = 0; a < 3; a++) {
        int64_t lo, hi, n = 1;
        born__conv_taps(v, a, o[a], &x->lo[a], &x->hi[a]);
        for (; o[a] + n < w->out[a]; n++) {
            born__conv_taps(v, a, o[a] + n, &lo, &hi);
            if (lo != x->lo[a] || hi != x->hi[a]) break;
        }
        x->o[a] = o[a];
        x->n[a] = n;
    }
}

bool born__conv_classes(const born_conv *v, born_conv_classes *c)
{
    const born_window *w = &v->win;
    int64_t o[3], first = 0;

    c->count = 0;
    if (v->transposed && (w->stride[0] != 1 || w->stride[1] != 1 || w->stride[2] != 1)) return false;
    for (o[0] = 0; o[0] < w->out[0];) {
        born_conv_class x;
        for (o[1] = 0; o[1] < w->out[1];) {
            for (o[2] = 0; o[2] < w->out[2]; o[2] += x.n[2]) {
                if (c->count == BORN_CONV_CLASSES) return false;
                class_from(v, o, &x);
                x.first = first;
                first += v->batch * x.n[0] * x.n[1] * x.n[2];
                c->at[c->count++] = x;
            }
            o[1] += x.n[1];
        }
        o[0] += x.n[0];
    }
    return true;
}

static bool mul(size_t *n, int64_t by)
{
    return by >= 0 && (uint64_t)by <= SIZE_MAX && born__mul_size(*n, (size_t)by, n);
}

static bool count_scratch(born_conv *v, bool packed)
{
    size_t x = sizeof(float), w = sizeof(float) * BORN_PANEL;

    if (!mul(&w, born__conv_panels(v)) || !mul(&w, v->terms)) return false;
    v->pack_bytes = w;
    v->w_floats = packed ? 0 : w / sizeof(float);
    if (v->turn && !(mul(&x, v->batch) && mul(&x, v->channels) && mul(&x, v->win.in[0]) && mul(&x, v->win.in[1]) &&
                     mul(&x, v->win.in[2])))
        return false;
    v->x_floats = v->turn ? (x / sizeof(float) + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL : 0;
    return born__add_size(v->x_floats * sizeof(float), v->w_floats * sizeof(float), &v->scratch_bytes);
}

/* A window of one cell without padding and steps of one: all cells form one row where their steps compose. */
static void flatten(born_conv *v)
{
    born_window *w = &v->win;
    int64_t n = 1;

    for (int i = 0; i < 3; i++)
        if (w->kernel[i] != 1 || w->stride[i] != 1 || w->pad[i] || w->in[i] != w->out[i]) return;
    int64_t size[4] = { v->batch, w->in[0], w->in[1], w->in[2] };
    int64_t x[4] = { v->xn, v->xs[0], v->xs[1], v->xs[2] }, y[4] = { v->yn, v->ys[0], v->ys[1], v->ys[2] };
    int64_t r[4] = { v->rn, v->rs[0], v->rs[1], v->rs[2] };
    int last = 3;
    while (last > 0 && size[last] == 1) last--;
    for (int i = last; i >= 0; i--) {
        if (size[i] != 1 &&
            (x[i] != x[last] * n || y[i] != y[last] * n || (v->end.has_residual && r[i] != r[last] * n)))
            return;
        n *= size[i];
    }
    v->batch = 1;
    for (int i = 0; i < 3; i++) w->in[i] = w->out[i] = i == 2 ? n : 1;
    v->xs[2] = x[last];
    v->ys[2] = y[last];
    v->rs[2] = r[last];
}

void born__conv_turned(born_conv *v, const float *at)
{
    v->x = at;
    v->xc = 1;
    v->xs[2] = v->channels;
    v->xs[1] = v->xs[2] * v->win.in[2];
    v->xs[0] = v->xs[1] * v->win.in[1];
    v->xn = v->xs[0] * v->win.in[0];
    flatten(v);
}

/* The attributes that both operators have. */
typedef struct plan { int64_t group, activation; double alpha, beta; } plan;

static bool window_of(const born_call *c, born_window *win, plan *p)
{
    if (c->op->id == BORN_OP_CONV_TRANSPOSE) {
        const born_conv_transpose_attrs *a = BORN_ATTRS_OF(conv_transpose, c);
        *p = (plan){ a->group, a->activation, a->alpha, a->beta };
        return born__conv_transpose_window(win, a, &c->in[0], &c->in[1], c->op->name, NULL) == BORN_OK;
    }
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, c);
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    *p = (plan){ a->group, a->activation, a->alpha, a->beta };
    return born__window_fill(win, &wa, &c->in[0], &c->in[1], c->op->name, NULL) == BORN_OK;
}

bool born__conv_of(const born_call *c, born_conv *v)
{
    const born_view *x = &c->in[0], *w = &c->in[1], *y = &c->out[0];
    plan p;

    if (c->in_count < 2 || x->rank < 3 || x->rank > 5 || w->rank != x->rank) return false;
    for (int i = 0; i < c->in_count; i++)
        if (c->in[i].dtype != BORN_DTYPE_NONE && c->in[i].dtype != BORN_F32) return false;
    if (born__view_count(y) == 0 || born__view_count(x) == 0 || born__view_count(w) == 0) return false;
    *v = (born_conv){ .batch = x->dim[0], .channels = x->dim[1], .transposed = c->op->id == BORN_OP_CONV_TRANSPOSE };
    if (!window_of(c, &v->win, &p)) return false;
    v->groups = p.group;
    v->cg = v->channels / v->groups;
    v->mg = y->dim[1] / v->groups;
    v->terms = v->cg * v->win.kernel[0] * v->win.kernel[1] * v->win.kernel[2];
    v->depthwise = !v->transposed && v->cg == 1 && v->mg == 1 && v->groups > 1;
    v->panels = (v->mg + BORN_PANEL - 1) / BORN_PANEL;
    if (v->terms > INT32_MAX || v->channels > INT32_MAX) return false;
    v->x = floats(x);
    v->w = floats(w);
    v->y = (float *)(void *)y->data;
    v->packed = c->packed;
    v->xn = x->stride[0];
    v->xc = v->channels == 1 ? 1 : x->stride[1];
    v->yn = y->stride[0];
    v->end.out_col = y->stride[1];
    spatial_steps(&v->win, x, v->xs);
    spatial_steps(&v->win, y, v->ys);
    spatial_steps(&v->win, w, v->ws);
    v->wm = w->stride[v->transposed ? 1 : 0];
    v->wc = w->stride[v->transposed ? 0 : 1];
    v->wg = w->stride[0] * (v->transposed ? v->cg : v->mg);
    if (born__has(c, 2)) {
        v->end.has_bias = true;
        v->end.bias = floats(&c->in[2]);
        v->end.bias_col = c->in[2].stride[0];
    }
    if (born__has(c, 3)) {
        v->end.has_residual = true;
        v->end.residual = floats(&c->in[3]);
        v->rn = c->in[3].stride[0];
        v->end.residual_col = c->in[3].stride[1];
        spatial_steps(&v->win, &c->in[3], v->rs);
    }
    if (!v->transposed && born__has(c, 4)) {
        v->end.has_scales = true;
        v->end.scales = floats(&c->in[4]);
        v->end.scales_col = c->in[4].stride[0];
    }
    v->end.activation = (uint16_t)p.activation;
    v->end.param[0] = p.alpha;
    v->end.param[1] = p.beta;
    if (v->end.activation && !born__activation_known(v->end.activation)) return false;
    v->turn = v->xc != 1;
    if (!count_scratch(v, c->packed != NULL)) return false;
    if (!v->turn) flatten(v);
    return true;
}

bool born__query_conv_transpose(const born_call *c, born_query *q)
{
    born_conv v;

    if (!born__conv_of(c, &v)) return false;
    int64_t taps = v.terms / v.cg;
    if (taps > BORN_CONV_TAPS || v.terms / BORN_CHAIN > BORN_CONV_TAPS || v.win.kernel[2] > 64) return false;
    q->scratch_bytes = v.scratch_bytes;
    q->pack_operand = 1;
    q->pack_form = BORN_FORM_CONV_TRANSPOSE_F32 + ((uint32_t)v.groups - 1) * 0x10000u * 2u;
    q->pack_bytes = v.pack_bytes;
    return true;
}

bool born__query_conv(const born_call *c, born_query *q)
{
    born_conv v;
    born_conv_classes classes;

    if (!born__conv_of(c, &v) || (!v.depthwise && !born__conv_classes(&v, &classes))) return false;
    q->scratch_bytes = v.scratch_bytes;
    q->pack_operand = 1;
    q->pack_form =
        (v.depthwise ? BORN_FORM_DEPTHWISE_F32 : BORN_FORM_CONV_F32) + ((uint32_t)v.groups - 1) * 0x10000u * 2u;
    q->pack_bytes = v.pack_bytes;
    return true;
}

int64_t born__conv_pixels_width(const born_conv *v)
{
    const born_window *w = &v->win;
    return (w->out[2] + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL + (w->kernel[2] - 1) * w->dilation[2];
}

/* Worth it where pixels fill their lanes better than result channels their panels, or where chains are so short that
   turning results is what costs. */
static bool pixels_better(const born_conv *v)
{
    int64_t pixels = (v->win.out[2] + BORN_PANEL - 1) / BORN_PANEL, few = v->mg <= 8 || v->cg <= 4;
    return few && v->win.out[2] * v->panels >= pixels * (v->mg < 12 ? v->mg : 12);
}

bool born__query_conv_pixels(const born_call *c, born_query *q)
{
    born_conv v;
    size_t x = sizeof(float), w = sizeof(float);

    if (!born__conv_of(c, &v) || c->packed || v.depthwise || v.terms > BORN_CHAIN) return false;
    if (v.terms / v.cg > BORN_CONV_TAPS) return false;
    const born_window *win = &v.win;
    if (win->stride[2] != 1 || (v.transposed && (win->stride[0] != 1 || win->stride[1] != 1))) return false;
    bool rows = v.xs[2] == 1 || win->in[2] == 1;
    if ((v.ys[2] != 1 && win->out[2] > 1) || (!rows && v.xc != 1) || !pixels_better(&v)) return false;
    if (v.end.has_residual && v.rs[2] != 1 && win->out[2] > 1) return false;
    int64_t sizes[5] = { v.batch, v.channels, win->in[0], win->in[1], born__conv_pixels_width(&v) };
    for (int i = 0; i < 5; i++)
        if (!mul(&x, sizes[i])) return false;
    if (!mul(&w, v.groups) || !mul(&w, v.mg + BORN_PANEL) || !mul(&w, v.terms)) return false;
    return born__add_size(x, w, &q->scratch_bytes);
}

/* Lanes that are images are better used than lanes that are pixels, and one tile of them is worth turning for. */
bool born__query_conv_batch(const born_call *c, born_query *q)
{
    born_conv v;
    size_t x = sizeof(float), w = sizeof(float);

    if (!born__conv_of(c, &v) || c->packed || v.depthwise || v.terms > BORN_CHAIN || v.mg > 8) return false;
    const born_window *win = &v.win;
    bool steps = win->stride[0] != 1 || win->stride[1] != 1 || win->stride[2] != 1;
    int64_t taps = v.terms / v.cg, blocks = (v.batch + BORN_BATCH_BLOCK - 1) / BORN_BATCH_BLOCK;
    if (taps > BORN_CONV_TAPS || (v.transposed && steps) || v.batch * 4 < blocks * BORN_BATCH_BLOCK * 3) return false;
    if (v.ys[2] != 1 && win->out[2] > 1) return false;
    if (v.end.has_residual || v.end.has_scales || (v.end.activation && v.end.activation != BORN_OP_RELU)) return false;
    bool last = v.xc == 1 && v.xs[2] == v.channels;
    if (!last && v.xs[2] != 1 && win->in[2] > 1) return false;
    int64_t sizes[5] = { blocks * BORN_BATCH_BLOCK, v.channels, win->in[0], win->in[1], win->in[2] };
    for (int i = 0; i < 5; i++)
        if (!mul(&x, sizes[i])) return false;
    if (!mul(&w, v.groups) || !mul(&w, v.mg + BORN_PANEL) || !mul(&w, v.terms)) return false;
    return born__add_size(x, w, &q->scratch_bytes);
}

void born__conv_flat_of(const born_conv *v, born_conv_flat *f)
{
    const born_window *w = &v->win;
    const int64_t inner[3] = { w->in[1] * w->in[2], w->in[2], 1 };

    f->plane = inner[0] * w->in[0];
    f->vectors = (f->plane + BORN_PANEL - 1) / BORN_PANEL;
    f->margin = BORN_PANEL;
    for (int a = 0; a < 3; a++) {
        int64_t reach = (w->kernel[a] - 1) * w->dilation[a], before = w->pad[a], after = reach - w->pad[a];
        f->margin += (before > after ? before : after) * inner[a];
    }
}

/* Whether cells follow each other without a gap. */
static bool dense_plane(const born_window *w, const int64_t step[3])
{
    return (w->in[2] == 1 || step[2] == 1) && (w->in[1] == 1 || step[1] == w->in[2]) &&
           (w->in[0] == 1 || step[0] == w->in[1] * w->in[2]);
}

enum { MOST_MASKS = 1 << 12 };

/* Images keep their size, lie without gaps, and most lanes of most taps are inside them. */
static bool flat_fits(const born_conv *v, born_conv_flat *f)
{
    const born_window *w = &v->win;
    double met = 1;

    if (v->batch < 1 || v->terms / v->cg < 2) return false;
    for (int a = 0; a < 3; a++) {
        int64_t lo, hi, sum = 0;
        int64_t reach = (w->kernel[a] - 1) * w->dilation[a];
        if (w->stride[a] != 1 || w->in[a] != w->out[a] || w->pad[a] < 0 || w->pad[a] > reach) return false;
        if (w->in[a] > MOST_MASKS * BORN_PANEL) return false;
        for (int64_t o = 0; o < w->out[a]; o++, sum += hi - lo) born__conv_taps(v, a, o, &lo, &hi);
        met *= (double)sum;
    }
    if (w->in[0] > MOST_MASKS * BORN_PANEL / w->in[1] / w->in[2]) return false;
    born__conv_flat_of(v, f);
    int64_t taps = v->terms / v->cg;
    if (f->vectors * taps > MOST_MASKS || met < 0.6 * (double)(f->vectors * taps * BORN_PANEL)) return false;
    if (!dense_plane(w, v->xs) || !dense_plane(w, v->ys) || (v->channels > 1 && v->xc != f->plane)) return false;
    return f->margin <= f->plane && (v->batch == 1 || v->xn == v->channels * f->plane);
}

bool born__query_conv_flat(const born_call *c, born_query *q)
{
    born_conv v;
    born_conv_flat f;
    size_t image = 2, w = sizeof(float);

    if (!born__conv_of(c, &v) || c->packed || v.depthwise || v.terms > BORN_CHAIN) return false;
    if (v.mg < 2 || (v.mg > 8 && v.cg > 4) || v.terms / v.cg > BORN_CONV_TAPS) return false;
    if (v.end.has_residual || v.end.has_scales || (v.end.activation && v.end.activation != BORN_OP_RELU)) return false;
    if (!flat_fits(&v, &f)) return false;
    if (!mul(&image, v.channels * f.plane + 2 * f.margin) || !mul(&image, sizeof(float))) return false;
    if (!mul(&w, v.groups) || !mul(&w, v.mg + BORN_PANEL) || !mul(&w, v.terms)) return false;
    size_t masks = (size_t)(f.vectors * (v.terms / v.cg));
    return born__add_size(image, w, &w) &&
           born__add_size(w, masks * (BORN_CONV_MASK_BYTES + 1) + 64, &q->scratch_bytes);
}

/* One panel: `columns` result channels from w on, terms in the order kernel position, channel. */
static void pack_panel(const born_conv *v, const float *w, int64_t columns, float *to)
{
    const int64_t *kernel = v->win.kernel;

    for (int64_t kd = 0; kd < kernel[0]; kd++)
        for (int64_t kh = 0; kh < kernel[1]; kh++)
            for (int64_t kw = 0; kw < kernel[2]; kw++) {
                const float *tap = w + kd * v->ws[0] + kh * v->ws[1] + kw * v->ws[2];
                for (int64_t ch = 0; ch < v->cg; ch++, to += BORN_PANEL)
                    for (int64_t j = 0; j < BORN_PANEL; j++)
                        to[j] = j < columns ? born__loose_float(tap + j * v->wm + ch * v->wc) : 0;
            }
}

void born__conv_pack(const born_conv *v, int64_t first, int64_t last, float *dst)
{
    for (int64_t p = first; p < last; p++) {
        int64_t group = v->depthwise ? 0 : p / v->panels, column = (v->depthwise ? p : p % v->panels) * BORN_PANEL;
        int64_t all = v->depthwise ? v->channels : v->mg,
                columns = all - column < BORN_PANEL ? all - column : BORN_PANEL;
        pack_panel(v, v->w + group * v->wg + column * v->wm, columns, dst + p * v->terms * BORN_PANEL);
    }
}

void born__pack_conv(const born_call *c, void *dst)
{
    born_conv v;

    if (born__conv_of(c, &v)) born__conv_pack(&v, 0, born__conv_panels(&v), dst);
}

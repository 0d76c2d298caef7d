/* From a call of conv_weight_grad to a born_conv_weight, and its query. */
#include "base/checked.h"
#include "cpu/conv/weight.h"
#include "cpu/gemm/tile.h"
#include "cpu/queries.h"

static void spatial_steps(const born_window *w, const born_view *v, int64_t step[3])
{
    for (int i = 0; i < 3; i++) step[i] = i < 3 - w->spatial ? 0 : v->stride[i - 1 + w->spatial];
}

static bool product(size_t *n, const int64_t *v, int count)
{
    *n = 1;
    for (int i = 0; i < count; i++)
        if (v[i] < 0 || (uint64_t)v[i] > SIZE_MAX || !born__mul_size(*n, (size_t)v[i], n)) return false;
    return true;
}

/* How the image is read: in place, or copied with its padding. */
static bool lay_image(born_conv_weight *v)
{
    const born_window *w = &v->win;
    int64_t cells[3];
    v->copy_x = w->stride[2] != 1 || (v->xs[2] != 1 && w->in[2] > 1);
    for (int a = 0; a < 3; a++) {
        cells[a] = (w->out[a] - 1) * w->stride[a] + (w->kernel[a] - 1) * w->dilation[a] + 1;
        if (w->pad[a] != 0 || cells[a] > w->in[a]) v->copy_x = true;
    }
    v->phase = (cells[2] + w->stride[2] - 1) / w->stride[2];
    v->size[0] = cells[0];
    v->size[1] = cells[1];
    v->size[2] = w->stride[2];
    v->x_floats = 0;
    return !v->copy_x || product(&v->x_floats, (int64_t[]){ v->batch, v->channels, v->size[0], v->size[1], v->size[2],
                                                            v->phase }, 6);
}

/* Pixels one after the other with channels innermost and whole panels? */
static bool lay_gradient(born_conv_weight *v)
{
    const born_window *w = &v->win;
    int64_t step = v->gs[2], size[4] = { v->batch, w->out[0], w->out[1], w->out[2] };
    const int64_t given[4] = { v->gn, v->gs[0], v->gs[1], v->gs[2] };
    v->copy_g = v->gc != 1 || v->mg % BORN_PANEL != 0;
    for (int i = 3; i >= 0; i--) {
        if (size[i] != 1 && given[i] != step) v->copy_g = true;
        step *= size[i];
    }
    v->g_step = v->gs[2];
    v->g_group = v->mg;
    v->g_floats = 0;
    if (!v->copy_g) return true;
    v->g_group = v->panels * BORN_PANEL;
    v->g_step = v->g_group * v->groups;
    return product(&v->g_floats, (int64_t[]){ v->pixels, v->g_step }, 2);
}

bool born__conv_weight_of(const born_call *c, born_conv_weight *v)
{
    const born_conv_attrs *a = BORN_ATTRS_OF(conv, c);
    const born_view *x = &c->in[0], *g = &c->in[1], *w = &c->out[0];
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    size_t sums, total;

    if (x->rank < 3 || x->rank > 5 || g->dtype != BORN_F32) return false;
    if (born__view_count(x) == 0 || born__view_count(g) == 0 || born__view_count(w) == 0) return false;
    *v = (born_conv_weight){ .batch = x->dim[0], .channels = x->dim[1], .results = g->dim[1], .groups = a->group };
    if (born__window_fill(&v->win, &wa, x, NULL, c->op->name, NULL) != BORN_OK) return false;
    v->cg = v->channels / v->groups;
    v->mg = v->results / v->groups;
    if (v->mg == 1 && v->groups > 1) return false;      /* one column of sixteen: the reference is as good */
    v->rows = v->cg * v->win.kernel[0] * v->win.kernel[1] * v->win.kernel[2];
    v->panels = (v->mg + BORN_PANEL - 1) / BORN_PANEL;
    v->pixels = v->batch * v->win.out[0] * v->win.out[1] * v->win.out[2];
    if (v->rows > INT32_MAX || v->mg > INT32_MAX || v->win.stride[2] > 1024) return false;
    v->x = (const float *)(const void *)x->data;
    v->g = (const float *)(const void *)g->data;
    v->w = (float *)(void *)w->data;
    v->xn = x->stride[0];
    v->xc = x->stride[1];
    v->gn = g->stride[0];
    v->gc = v->results == 1 ? 1 : g->stride[1];
    v->wm = w->stride[0];
    v->wc = w->stride[1];
    spatial_steps(&v->win, x, v->xs);
    spatial_steps(&v->win, g, v->gs);
    spatial_steps(&v->win, w, v->ws);
    if (!lay_image(v) || !lay_gradient(v)) return false;
    if (!product(&sums, (int64_t[]){ v->groups, v->rows, v->panels * BORN_PANEL }, 3)) return false;
    v->sums = sums;
    v->x_floats = (v->x_floats + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL;
    return born__add_size(v->x_floats, v->g_floats, &total) && born__add_size(total, sums, &total) &&
           born__add_size(total, sums, &total) && born__mul_size(total, sizeof(float), &v->scratch_bytes);
}

bool born__query_conv_weight(const born_call *c, born_query *q)
{
    born_conv_weight v;

    if (!born__conv_weight_of(c, &v)) return false;
    q->scratch_bytes = v.scratch_bytes;
    return true;
}

bool born__conv_weight_apart(const born_conv_weight *v)
{
    int64_t segments = (v->pixels + BORN_CHAIN - 1) / BORN_CHAIN;
    return segments >= 4 && v->sums <= (size_t)1 << 17 && (size_t)segments <= ((size_t)1 << 24) / v->sums;
}

/* The image's channels side by side, enough of them for a tile. */
bool born__query_conv_weight_last(const born_call *c, born_query *q)
{
    born_conv_weight v;
    size_t all, zeros;

    if (!born__conv_weight_of(c, &v) || v.xc != 1 || v.cg < 4) return false;
    size_t tables = born__conv_weight_apart(&v) ? ((size_t)v.pixels + BORN_CHAIN - 1) / BORN_CHAIN : 2;
    zeros = ((size_t)v.cg + BORN_PANEL - 1) / BORN_PANEL * BORN_PANEL;
    return born__mul_size(tables, v.sums, &all) && born__add_size(all, v.g_floats, &all) &&
           born__add_size(all, zeros, &all) && born__mul_size(all, sizeof(float), &q->scratch_bytes);
}

void born__conv_weight_few(const born_conv_weight *v, born_conv_few *f)
{
    const born_window *w = &v->win;
    int64_t rows = (BORN_CHAIN + w->out[2] - 2) / w->out[2] + 1;        /* of results that a segment may touch */

    f->together = BORN_PANEL / w->kernel[2] < w->kernel[1] ? BORN_PANEL / w->kernel[2] : w->kernel[1];
    f->panels = (w->kernel[1] + f->together - 1) / f->together;
    f->reach = (f->panels - 1) * f->together;
    f->lines = (w->out[1] - 1) * w->stride[1] + f->reach * w->dilation[1] + 1;
    f->most = (rows / w->out[1] + 2) * f->lines;
    int64_t near = rows * w->stride[1] + (rows / w->out[1] + 2) * (f->reach * w->dilation[1] + 1);
    if (near < f->most) f->most = near;
}

/* Rows of the incoming gradient dense, and so few result channels and kernel rows that a lane for each result channel
   would leave most of them idle. */
bool born__query_conv_weight_few(const born_call *c, born_query *q)
{
    born_conv_weight v;
    born_conv_few f;
    size_t sums, lines;

    if (!born__conv_weight_of(c, &v)) return false;
    const born_window *w = &v.win;
    int64_t rows = v.rows / w->kernel[2], segments = (v.pixels + BORN_CHAIN - 1) / BORN_CHAIN;
    if (v.mg > 8 || rows > BORN_WEIGHT_FEW || w->kernel[2] > BORN_PANEL) return false;
    if (w->kernel[0] > 1 || w->out[0] > 1 || w->in[0] > 1 || w->pad[0] != 0) return false;
    if (w->stride[2] != 1 || w->dilation[2] != 1 || (v.gs[2] != 1 && w->out[2] > 1)) return false;
    if (w->stride[1] > BORN_CHAIN || w->dilation[1] > BORN_CHAIN) return false;
    born__conv_weight_few(&v, &f);
    if (!product(&lines, (int64_t[]){ f.most, v.phase, f.together, v.cg }, 4)) return false;
    return lines + BORN_PANEL <= BORN_WEIGHT_FEW_FLOATS &&
           product(&sums, (int64_t[]){ v.groups, segments, v.mg, rows * BORN_PANEL }, 4) &&
           born__mul_size(sums, sizeof(float), &q->scratch_bytes);
}

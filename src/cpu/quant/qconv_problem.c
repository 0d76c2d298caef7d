/* From calls of qlinear_conv and conv_integer to a born_qconv; their queries and packer. */
#include "cpu/quant/qconv.h"

#include "cpu/quant/qtile.h"
#include "cpu/queries.h"
#include "ops/quant.h"

static void spatial_steps(const born_window *w, const born_view *v, int64_t step[3])
{
    for (int i = 0; i < 3; i++) step[i] = i < 3 - w->spatial ? 0 : v->stride[i - 1 + w->spatial];
}

static bool product(size_t *n, const int64_t *factor, int count)
{
    for (int i = 0; i < count; i++)
        if (factor[i] < 0 || (uint64_t)factor[i] > SIZE_MAX || !born__mul_size(*n, (size_t)factor[i], n)) return false;
    return true;
}

static int64_t all_panels(const born_qconv *v)
{
    return v->depthwise ? (v->channels + BORN_QPANEL - 1) / BORN_QPANEL : v->groups * v->panels;
}

static bool count_bytes(born_qconv *v)
{
    size_t image = 1, pack = 1, columns = 3 * sizeof(int32_t) * BORN_QPANEL, sums = sizeof(int32_t) * BORN_QPANEL;

    if (!product(&image, (int64_t[]){ v->batch, v->room[0], v->room[1], v->room[2], v->pitch }, 5)) return false;
    if (!product(&pack, (int64_t[]){ all_panels(v), v->panel_bytes }, 2)) return false;
    if (!product(&columns, (int64_t[]){ all_panels(v) }, 1) || !product(&sums, (int64_t[]){ all_panels(v) }, 1))
        return false;
    v->column_bytes = columns;
    v->image_bytes = (image + 16 + 63) / 64 * 64; /* vectors may reach behind the last cell */
    if (image > SIZE_MAX - 128 || !born__add_size(pack, sums, &v->pack_bytes)) return false;
    if (!born__add_size(v->image_bytes, columns, &v->scratch_bytes)) return false;
    return v->packed || born__add_size(v->scratch_bytes, v->pack_bytes, &v->scratch_bytes);
}

bool born__qconv_of(const born_call *c, born_qconv *v)
{
    const born_quant_conv_attrs *a = BORN_ATTRS_OF(quant_conv, c);
    bool requant = c->op->id == BORN_OP_QLINEAR_CONV;
    int weight = requant ? 3 : 1;
    const born_view *x = &c->in[0], *y = &c->out[0];

    if (c->in_count <= weight || x->rank < 3 || x->rank > 5) return false;
    const born_view *w = &c->in[weight];
    if (w->rank != x->rank || born__view_count(x) == 0 || born__view_count(w) == 0 || born__view_count(y) == 0)
        return false;
    *v = (born_qconv){ .batch = x->dim[0],
                       .channels = x->dim[1],
                       .groups = a->group,
                       .call = c,
                       .weight = weight,
                       .requant = requant,
                       .packed = c->packed };
    born_window_attrs wa = BORN_WINDOW_ATTRS(a, false);
    if (born__window_fill(&v->win, &wa, x, w, c->op->name, NULL) != BORN_OK) return false;
    v->cg = v->channels / v->groups;
    v->mg = y->dim[1] / v->groups;
    v->depthwise = v->cg == 1 && v->mg == 1 && v->groups > 1;
    v->cg4 = v->depthwise ? 1 : (v->cg + 3) / 4 * 4;
    int64_t taps = v->win.kernel[0] * v->win.kernel[1] * v->win.kernel[2];
    if (taps > INT32_MAX || v->channels > INT32_MAX || !born__mul_i64(taps, v->cg4, &v->terms)) return false;
    if (v->terms > INT32_MAX) return false;
    v->groups_of_4 = v->terms / 4;
    v->terms = taps * v->cg;
    v->panels = (v->mg + BORN_QPANEL - 1) / BORN_QPANEL;
    v->panel_bytes = v->depthwise ? taps * BORN_QPANEL : v->groups_of_4 * BORN_QGROUP;
    v->pitch = v->depthwise ? (v->channels + 15) / 16 * 16 : v->groups * v->cg4;
    for (int i = 0; i < 3; i++)
        v->room[i] = (v->win.out[i] - 1) * v->win.stride[i] + (v->win.kernel[i] - 1) * v->win.dilation[i] + 1;
    v->x = (const uint8_t *)x->data;
    v->w = (const uint8_t *)w->data;
    v->x_flip = x->dtype == BORN_I8 ? 0x80 : 0;
    v->w_flip = w->dtype == BORN_I8 ? 0 : 0x80;
    v->xn = x->stride[0];
    v->xc = x->stride[1];
    v->yn = y->stride[0];
    v->yc = y->stride[1];
    v->wm = w->stride[0];
    v->wc = w->stride[1];
    spatial_steps(&v->win, x, v->xs);
    spatial_steps(&v->win, y, v->ys);
    spatial_steps(&v->win, w, v->ws);
    if (v->x) v->zx = (int32_t)born__zero_of(c, 2) + v->x_flip;
    return count_bytes(v);
}

bool born__query_qconv(const born_call *c, born_query *q)
{
    born_qconv v;

    if (!born__qconv_of(c, &v)) return false;
    q->scratch_bytes = v.scratch_bytes;
    q->pack_operand = v.weight;
    q->pack_form = (v.depthwise ? BORN_FORM_QDEPTHWISE : BORN_FORM_QCONV) + ((uint32_t)v.groups - 1) * 0x20000u;
    q->pack_bytes = v.pack_bytes;
    return true;
}

const int32_t *born__qconv_sums(const born_qconv *v, const void *packed)
{
    return (const int32_t *)(const void *)((const uint8_t *)packed + all_panels(v) * v->panel_bytes);
}

/* One column: `step` bytes from term group to term group or tap to tap. */
static int32_t pack_column(const born_qconv *v, const uint8_t *w, uint8_t *to)
{
    const int64_t *kernel = v->win.kernel;
    int32_t sum = 0;
    int64_t term = 0;

    for (int64_t kd = 0; kd < kernel[0]; kd++)
        for (int64_t kh = 0; kh < kernel[1]; kh++)
            for (int64_t kw = 0; kw < kernel[2]; kw++)
                for (int64_t ch = 0; ch < v->cg4; ch++, term++) {
                    const uint8_t *at = w + kd * v->ws[0] + kh * v->ws[1] + kw * v->ws[2] + ch * v->wc;
                    uint8_t b = ch < v->cg ? (uint8_t)(*at ^ v->w_flip) : 0;
                    sum += (int32_t)(b ^ 0x80) - 0x80;
                    if (v->depthwise)
                        to[term * BORN_QPANEL] = b;
                    else
                        to[term / 4 * BORN_QGROUP + term % 4] = b;
                }
    return sum;
}

void born__qconv_pack(const born_qconv *v, uint8_t *dst)
{
    int32_t *sums = (int32_t *)(uintptr_t)born__qconv_sums(v, dst);
    int64_t columns = all_panels(v) * BORN_QPANEL, per_group = v->depthwise ? v->channels : v->mg;
    int64_t padded = v->depthwise ? columns : v->panels * BORN_QPANEL;

    memset(dst, 0, v->pack_bytes);
    for (int64_t i = 0; i < columns; i++) {
        int64_t group = i / padded, column = i % padded;
        if (column >= per_group) continue;
        uint8_t *panel = dst + i / BORN_QPANEL * v->panel_bytes;
        uint8_t *to = panel + i % BORN_QPANEL * (v->depthwise ? 1 : 4);
        sums[i] = pack_column(v, v->w + (group * v->mg + column) * v->wm, to);
    }
}

void born__pack_qconv(const born_call *c, void *dst)
{
    born_qconv v;

    if (born__qconv_of(c, &v)) born__qconv_pack(&v, dst);
}

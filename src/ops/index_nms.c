/* non_max_suppression: per image and class, candidates by falling score (a heap sort of their numbers in scratch); one
   is kept if it overlaps none kept before. What is kept is read back from the result. */
#include <math.h>

#include "ops/ref.h"

/* Operand i, where given, as its one element. */
static born_status one_element(born_infer *f, int i)
{
    if (born__infer_has(f, i) && born__view_count(&f->in[i]) != 1)
        return born__infer_fail(f, BORN_SHAPE, "operand %d %s is not one element", i, born__infer_shape(f, i));
    return BORN_OK;
}

born_status born__shape_non_max_suppression(born_infer *f)
{
    const born_view *boxes = &f->in[0], *scores = &f->in[1];
    bool fits = boxes->rank == 3 && scores->rank == 3 && boxes->dim[2] == 4 && boxes->dim[0] == scores->dim[0] &&
                boxes->dim[1] == scores->dim[2];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "boxes %s and scores %s are not [N,B,4] and [N,C,B]",
                                born__infer_shape(f, 0), born__infer_shape(f, 1));
    for (int i = 2; i < 5; i++) BORN_TRY(one_element(f, i));
    int64_t each = born__infer_has(f, 2) ? boxes->dim[1] : 0, rows;
    if (each > 0 && f->in[2].data) {            /* known already: a closer bound */
        int64_t most = born__load_i64(f->in[2].dtype, f->in[2].data);
        each = most < 0 ? 0 : most < each ? most : each;
    }
    if (!born__mul_i64(scores->dim[0], scores->dim[1], &rows) || !born__mul_i64(rows, each, &rows))
        return born__infer_fail(f, BORN_RANGE, "the result is too large");
    born__out_set(f, 0, BORN_I64, 2, (int64_t[]){ rows, 3 });
    return BORN_OK;
}

size_t born__scratch_non_max_suppression(const born_call *c)
{
    int64_t bytes;
    if (!born__mul_i64(c->in[0].dim[1], (int64_t)sizeof(int64_t), &bytes)) return SIZE_MAX;
    return (uint64_t)bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

typedef struct box { float low[2], high[2]; } box;

static float at_f32(const born_view *v, int64_t i, int64_t j, int64_t k)
{
    const float *p = (const float *)(const void *)v->data;
    return p[i * v->stride[0] + j * v->stride[1] + k * v->stride[2]];
}

static box box_at(const born_view *boxes, int64_t n, int64_t b, bool center)
{
    float v[4];
    for (int k = 0; k < 4; k++) v[k] = at_f32(boxes, n, b, k);
    if (center) {
        float w = v[2] / 2, h = v[3] / 2;
        return (box){ { v[0] - w, v[1] - h }, { v[0] + w, v[1] + h } };
    }
    return (box){ { fminf(v[0], v[2]), fminf(v[1], v[3]) }, { fmaxf(v[0], v[2]), fmaxf(v[1], v[3]) } };
}

/* Whether intersection over union is above the threshold. */
static bool overlap(const box *a, const box *b, float threshold)
{
    float inter = 1, area_a = 1, area_b = 1;
    for (int d = 0; d < 2; d++) {
        float low = fmaxf(a->low[d], b->low[d]), high = fminf(a->high[d], b->high[d]);
        if (!(high > low)) return false;
        inter *= high - low;
        area_a *= a->high[d] - a->low[d];
        area_b *= b->high[d] - b->low[d];
    }
    float all = area_a + area_b - inter;
    return area_a > 0 && area_b > 0 && all > 0 && inter / all > threshold;
}

/* One class of one image. Scores with NaN come last. */
typedef struct score_line { const born_view *scores; int64_t n, c; } score_line;

static bool score_before(const score_line *s, int64_t a, int64_t b)
{
    float x = at_f32(s->scores, s->n, s->c, a), y = at_f32(s->scores, s->n, s->c, b);
    if (x > y || (x == x && y != y)) return true;
    if (x < y || (x != x && y == y)) return false;
    return a < b;
}

static void sift(const score_line *s, int64_t *list, int64_t i, int64_t n)
{
    int64_t v = list[i];
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && score_before(s, list[child], list[child + 1])) child++;
        if (!score_before(s, v, list[child])) break;
        list[i] = list[child];
    }
    list[i] = v;
}

static void sort_by_score(const score_line *s, int64_t *list, int64_t n)
{
    for (int64_t i = n / 2 - 1; i >= 0; i--) sift(s, list, i, n);
    for (int64_t m = n - 1; m > 0; m--) {
        int64_t v = list[m];
        list[m] = list[0];
        list[0] = v;
        sift(s, list, 0, m);
    }
}

typedef struct nms_limits { float iou, score; bool scored, center; int64_t most; } nms_limits;

/* Appends the boxes kept for one class to rows; returns how many. `room` bounds them. */
static int64_t keep_class(const born_call *c, const nms_limits *lim, const score_line *s, int64_t *list, int64_t *rows,
                          int64_t room)
{
    int64_t boxes = c->in[0].dim[1], n = 0, kept = 0;
    for (int64_t b = 0; b < boxes; b++)
        if (!lim->scored || at_f32(s->scores, s->n, s->c, b) > lim->score) list[n++] = b;
    sort_by_score(s, list, n);
    for (int64_t i = 0; i < n && kept < lim->most && kept < room; i++) {
        box candidate = box_at(&c->in[0], s->n, list[i], lim->center);
        bool free_of = true;
        for (int64_t k = 0; k < kept && free_of; k++) {
            box other = box_at(&c->in[0], s->n, rows[3 * k + 2], lim->center);
            free_of = !overlap(&candidate, &other, lim->iou);
        }
        if (!free_of) continue;
        int64_t *row = rows + 3 * kept++;
        row[0] = s->n;
        row[1] = s->c;
        row[2] = list[i];
    }
    return kept;
}

born_status born__ref_non_max_suppression(born_call *c, const born_exec *x)
{
    born_view *out = &c->out[0];
    const born_view *scores = &c->in[1];
    nms_limits lim = { .center = BORN_ATTRS_OF(non_max_suppression, c)->center_point_box, .scored = born__has(c, 4) };
    if (born__has(c, 2)) lim.most = born__load_i64(c->in[2].dtype, c->in[2].data);
    if (born__has(c, 3)) lim.iou = (float)born__load_f64(c->in[3].dtype, c->in[3].data);
    if (lim.scored) lim.score = (float)born__load_f64(c->in[4].dtype, c->in[4].data);
    int64_t *rows = (int64_t *)(void *)out->data, total = 0;
    for (int64_t n = 0; n < scores->dim[0]; n++)
        for (int64_t k = 0; k < scores->dim[1]; k++) {
            score_line s = { scores, n, k };
            total += keep_class(c, &lim, &s, x->scratch, rows + 3 * total, out->dim[0] - total);
        }
    out->dim[0] = total;
    born__view_row_major(out);
    return BORN_OK;
}

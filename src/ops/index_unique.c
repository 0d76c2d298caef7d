/* unique: items (elements, or slices along an axis) are sorted by number with a stable merge sort, so that the first of
   each run of equals is its first occurrence. Scratch holds three lists of numbers. */
#include "ops/copy_view.h"
#include "ops/ref.h"
#include "ops/shape_ops.h"

#define BORN_EACH "ops/index_unique.inc"
#include "ops/each_num.inc"

static int compare_f16(const char *pa, const char *pb)
{
    float a = born__f16_to_f32(*(const uint16_t *)(const void *)pa);
    float b = born__f16_to_f32(*(const uint16_t *)(const void *)pb);
    return compare_f32((const char *)&a, (const char *)&b);
}

static int compare_bf16(const char *pa, const char *pb)
{
    float a = born__bf16_to_f32(*(const uint16_t *)(const void *)pa);
    float b = born__bf16_to_f32(*(const uint16_t *)(const void *)pb);
    return compare_f32((const char *)&a, (const char *)&b);
}

typedef int (*compare_fn)(const char *a, const char *b);

static compare_fn pick_compare(born_dtype t)
{
    if (t == BORN_F16) return compare_f16;
    if (t == BORN_BF16) return compare_bf16;
    if (t == BORN_BOOL) return compare_u8;
    return BORN_PICK_NUM(t, compare);
}

/* The items: `count` of them, each `inner` elements over the dims that remain. */
typedef struct items {
    const born_view *in;
    compare_fn compare;
    int axis;                           /* -1: elements */
    int64_t count, inner;
    int rank;
    int64_t dim[BORN_MAX_RANK], stride[BORN_MAX_RANK];      /* of an item */
} items;

static items items_of(const born_call *c)
{
    const born_view *in = &c->in[0];
    int64_t axis = BORN_ATTRS_OF(unique, c)->axis;
    items s = { .in = in, .compare = pick_compare(in->dtype), .axis = -1, .count = born__view_count(in), .inner = 1 };
    if (axis == INT64_MIN) return s;
    s.axis = (int)(axis < 0 ? axis + in->rank : axis);
    s.count = in->dim[s.axis];
    for (int d = 0; d < in->rank; d++) {
        if (d == s.axis) continue;
        s.inner *= in->dim[d];
        s.dim[s.rank] = in->dim[d];
        s.stride[s.rank++] = in->stride[d];
    }
    return s;
}

static const char *item_at(const items *s, int64_t i)
{
    const born_view *in = s->in;
    int64_t at = s->axis >= 0 ? i * in->stride[s->axis] : born__offset_of(in->dim, in->stride, in->rank, i);
    return in->data + at * born__elem_size(in);
}

static int compare_items(const items *s, int64_t i, int64_t j)
{
    const char *a = item_at(s, i), *b = item_at(s, j);
    int size = born__elem_size(s->in), order = 0;
    for (int64_t k = 0; k < s->inner && order == 0; k++) {
        int64_t at = born__offset_of(s->dim, s->stride, s->rank, k) * size;
        order = s->compare(a + at, b + at);
    }
    return order;
}

/* Sorts list[0, n) stably; other is as large. Bottom-up: no recursion. Returns where the result is. */
static int64_t *sort_items(const items *s, int64_t *list, int64_t *other)
{
    int64_t n = s->count;
    for (int64_t run = 1; run < n; run *= 2) {
        for (int64_t lo = 0; lo < n; lo += 2 * run) {
            int64_t mid = n - lo < run ? n : lo + run, hi = n - lo < 2 * run ? n : lo + 2 * run;
            for (int64_t a = lo, b = mid, k = lo; k < hi; k++) {
                bool left = a < mid && (b >= hi || compare_items(s, list[a], list[b]) <= 0);
                other[k] = left ? list[a++] : list[b++];
            }
        }
        int64_t *t = list;
        list = other;
        other = t;
        if (run > n / 2) break;
    }
    return list;
}

born_status born__shape_unique(born_infer *f)
{
    const born_view *x = &f->in[0];
    int64_t axis = BORN_ATTRS_OF(unique, f)->axis, n = born__view_count(x);
    if (axis == INT64_MIN) {
        born__out_set(f, 0, x->dtype, 1, &n);
    } else {
        int a = 0;
        BORN_TRY(born__axis(f, axis, x->rank, &a));
        born__out_like(f, 0, x);
        n = x->dim[a];
    }
    for (int o = 1; o < 4; o++) born__out_set(f, o, BORN_I64, 1, &n);
    return BORN_OK;
}

size_t born__scratch_unique(const born_call *c)
{
    int64_t bytes;
    if (!born__mul_i64(items_of(c).count, 3 * (int64_t)sizeof(int64_t), &bytes)) return SIZE_MAX;
    return (uint64_t)bytes > SIZE_MAX ? SIZE_MAX : (size_t)bytes;
}

/* Copies item `from` to place k of the result. */
static void put_item(const items *s, const born_view *out, int64_t from, int64_t k)
{
    int64_t stride[BORN_MAX_RANK], size = born__elem_size(out);
    int n = 0;
    for (int d = 0; s->axis >= 0 && d < out->rank; d++)
        if (d != s->axis) stride[n++] = out->stride[d];
    born_copy_plan p;
    born__copy_plan(&p, s->rank, s->dim, stride, s->stride, (int)size);
    born__copy_run(&p, out->data + k * out->stride[s->axis >= 0 ? s->axis : 0] * size, item_at(s, from));
}

static void set_i64(const born_call *c, int o, int64_t k, int64_t v)
{
    if (o < c->out_count && c->out[o].data)
        ((int64_t *)(void *)c->out[o].data)[k] = v;
}

/* The number of a distinct item, by the sorted list: group[i] for item i; returns how many there are. */
static int64_t number_groups(const items *s, const int64_t *sorted, int64_t *group)
{
    int64_t groups = 0;
    for (int64_t i = 0; i < s->count; i++) {
        if (i == 0 || compare_items(s, sorted[i - 1], sorted[i]) != 0) groups++;
        group[sorted[i]] = groups - 1;
    }
    return groups;
}

born_status born__ref_unique(born_call *c, const born_exec *x)
{
    items s = items_of(c);
    int64_t n = s.count, *list = x->scratch, *other = list + n, *rank = other + n;
    if (!s.compare) return born__no_body(c, x);
    for (int64_t i = 0; i < n; i++) list[i] = i;
    int64_t *sorted = sort_items(&s, list, other), *group = sorted == list ? other : list;
    int64_t groups = number_groups(&s, sorted, group);
    for (int64_t i = 0; i < groups; i++) rank[i] = BORN_ATTRS_OF(unique, c)->unsorted ? -1 : i;
    if (c->out_count > 0) {
        c->out[0].dim[s.axis >= 0 ? s.axis : 0] = groups;
        born__view_row_major(&c->out[0]);
    }
    for (int o = 1; o < c->out_count; o++) {
        if (o != 2) c->out[o].dim[0] = groups;
        born__view_row_major(&c->out[o]);
    }
    for (int64_t i = 0; i < groups; i++) set_i64(c, 3, i, 0);
    int64_t *seen = sorted;             /* the order is used up: seen[k] = items met of group k */
    for (int64_t i = 0; i < groups; i++) seen[i] = 0;
    for (int64_t i = 0, next = 0; i < n; i++) {
        int64_t g = group[i];
        if (rank[g] < 0) rank[g] = next;
        if (seen[g]++ == 0) {
            next++;
            set_i64(c, 1, rank[g], i);
            if (c->out_count > 0 && c->out[0].data) put_item(&s, &c->out[0], i, rank[g]);
        }
        set_i64(c, 2, i, rank[g]);
        set_i64(c, 3, rank[g], seen[g]);
    }
    return BORN_OK;
}

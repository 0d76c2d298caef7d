/* torch_cases: results against expected arrays, element by element as the data's README says, and case arrays as
   tensors in the memory layout that the case asks for. */
#include "torch_cases.h"

static double element(const born_array *a, const void *data, int64_t i)
{
    switch (a->dtype) {
    case BORN_F32: return ((const float *)data)[i];
    case BORN_F64: return ((const double *)data)[i];
    case BORN_I64: return (double)((const int64_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}

static bool close_enough(double got, double want, double rtol, double atol)
{
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got)) return want == got;
    return fabs(got - want) <= atol + rtol * fabs(want);
}

static void shape_text(char *text, size_t room, const born_shape *s)
{
    size_t n = (size_t)snprintf(text, room, "[");
    for (int i = 0; i < s->rank && n < room; i++) {
        n += (size_t)snprintf(text + n, room - n, "%s%lld", i > 0 ? "," : "", (long long)s->dim[i]);
    }
    if (n < room) snprintf(text + n, room - n, "]");
}

static bool same_shape(const born_shape *a, const born_shape *b)
{
    for (int i = 0; a->rank == b->rank && i < a->rank; i++) {
        if (a->dim[i] != b->dim[i]) return false;
    }
    return a->rank == b->rank;
}

static double tolerance(const tc_case *c, const char *name)
{
    const json_t *v = json_object_get(json_object_get(c->json, "atols"), name);
    return json_number_value(v != NULL ? v : json_object_get(c->json, "atol"));
}

static bool compare(const tc_case *c, const char *name, const born_array *want, const void *got, char *why)
{
    double rtol = json_number_value(json_object_get(c->json, "rtol")), atol = tolerance(c, name);
    int64_t n = 1, wrong = 0;
    bool exact = want->dtype == BORN_I64 || want->dtype == BORN_BOOL;
    for (int i = 0; i < want->shape.rank; i++) n *= want->shape.dim[i];
    for (int64_t i = 0; i < n; i++) {
        double g = element(want, got, i), w = element(want, want->data, i);
        bool good =
            exact ? want->dtype == BORN_I64 ? ((const int64_t *)got)[i] == ((const int64_t *)want->data)[i] : g == w
                  : close_enough(g, w, rtol, atol);
        if (good) continue;
        if (wrong++ == 0) {
            snprintf(why, TC_TEXT, "%s, element %lld: %.9g, not %.9g (off by %.3g, atol %.2g)", name, (long long)i, g,
                     w, fabs(g - w), atol);
        }
    }
    size_t used = strlen(why);
    if (wrong > 1) snprintf(why + used, TC_TEXT - used, "; %lld of %lld differ", (long long)wrong, (long long)n);
    return wrong == 0;
}

/* The expected array, after its shape was compared. */
static const born_array *expected(const tc_case *c, const char *name, const born_shape *shape, char *why)
{
    const born_array *want = tc_find_array(c, name);
    if (want == NULL) {
        snprintf(why, TC_TEXT, "case.npz: no array %.90s", name);
    } else if (!same_shape(&want->shape, shape)) {
        char a[80], b[80];
        shape_text(a, sizeof a, shape);
        shape_text(b, sizeof b, &want->shape);
        snprintf(why, TC_TEXT, "%s: shape %s, not %s", name, a, b);
        want = NULL;
    }
    return want;
}

bool tc_compare(const tc_case *c, const char *name, born_tensor got, char *why)
{
    why[0] = 0;
    if (!born_is_alive(got)) {
        snprintf(why, TC_TEXT, "%s: no value", name);
        return false;
    }
    born_shape shape = born_shape_of(got);
    const born_array *want = expected(c, name, &shape, why);
    if (want == NULL) return false;
    if (born_dtype_of(got) != want->dtype) {
        snprintf(why, TC_TEXT, "%s: dtype %s, not %s", name, born_dtype_name(born_dtype_of(got)),
                 born_dtype_name(want->dtype));
        return false;
    }
    void *data = malloc(want->bytes + 1);
    bool good = data != NULL && born_read(got, data, want->bytes) == BORN_OK;
    if (!good) snprintf(why, TC_TEXT, "%s: cannot be read", name);
    good = good && compare(c, name, want, data, why);
    free(data);
    return good;
}

bool tc_compare_host(const tc_case *c, const char *name, const double *got, const born_shape *shape, char *why)
{
    why[0] = 0;
    const born_array *want = expected(c, name, shape, why);
    if (want == NULL) return false;
    double rtol = json_number_value(json_object_get(c->json, "rtol")), atol = tolerance(c, name);
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++) n *= shape->dim[i];
    for (int64_t i = 0; i < n; i++) {
        double w = element(want, want->data, i);
        if (close_enough(got[i], w, rtol, atol)) continue;
        snprintf(why, TC_TEXT, "%s, element %lld: %.12g, not %.12g", name, (long long)i, got[i], w);
        return false;
    }
    return true;
}

/* ---- arrays as tensors ---- */

static void copy_strided(char *dst, const char *src, const born_shape *s, const int64_t *dst_stride, size_t item)
{
    int64_t at[BORN_MAX_RANK] = { 0 }, n = 1;
    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    for (int64_t e = 0; e < n; e++) {
        int64_t offset = 0;
        for (int i = 0; i < s->rank; i++) offset += at[i] * dst_stride[i];
        memcpy(dst + (size_t)offset * item, src + (size_t)e * item, item);
        for (int i = s->rank - 1; i >= 0 && ++at[i] == s->dim[i]; i--) at[i] = 0;
    }
}

static void dense(const born_shape *s, int64_t *stride)
{
    int64_t n = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        stride[i] = n;
        n *= s->dim[i];
    }
}

/* What a buffer holds between the entries of a slice: never a number that could pass for one of the case's. */
static void fill_gaps(void *data, born_dtype t, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (t == BORN_F32) ((float *)data)[i] = NAN;
        else if (t == BORN_F64) ((double *)data)[i] = NAN;
        else if (t == BORN_I64) ((int64_t *)data)[i] = INT64_MAX / 3;
        else ((uint8_t *)data)[i] = 1;
    }
}

typedef struct layout {
    born_shape memory;              /* the shape of the buffer */
    int64_t stride[BORN_MAX_RANK];  /* where elements of the logical array go in it */
    int64_t offset;
    int a, b;                       /* transpose */
    int64_t start, end, step;       /* slice along a */
} layout;

static born_tensor build(born_backend *b, const born_array *a, const layout *l, const char *kind)
{
    int64_t n = 1;
    size_t item = (size_t)born_dtype_bytes(a->dtype, 1);
    for (int i = 0; i < l->memory.rank; i++) n *= l->memory.dim[i];
    char *data = malloc((size_t)n * item + 1);
    if (data == NULL) return tc_absent;
    fill_gaps(data, a->dtype, n);
    copy_strided(data + (size_t)l->offset * item, a->data, &a->shape, l->stride, item);
    born_tensor x = born_from(b, (born_array){ a->dtype, l->memory, data, 0 }, a->dtype, NULL);
    free(data);
    if (kind[0] == 't') return tc_swap(x, l->a, l->b);
    if (kind[0] == 's') return tc_slice(x, l->a, l->start, l->end, l->step);
    return born_expand(x, a->shape);
}

born_tensor tc_tensor(const tc_case *c, born_backend *b, const char *name, const char *input, char *why)
{
    const born_array *a = tc_find_array(c, name);
    if (a == NULL) {
        snprintf(why, TC_TEXT, "case.npz: no array %.90s", name);
        return tc_absent;
    }
    const json_t *how = input ? json_object_get(json_object_get(c->json, "layout"), input) : NULL;
    if (how == NULL) return born_from(b, (born_array){ a->dtype, a->shape, a->data, 0 }, a->dtype, NULL);
    const char *kind = tc_string(how, "kind", "");
    const json_t *dims = json_object_get(how, "dims");
    layout l = { .memory = a->shape };
    if (strcmp(kind, "transpose") == 0) {
        l.a = (int)json_integer_value(json_array_get(dims, 0));
        l.b = (int)json_integer_value(json_array_get(dims, 1));
        l.a += l.a < 0 ? a->shape.rank : 0;
        l.b += l.b < 0 ? a->shape.rank : 0;
        l.memory.dim[l.a] = a->shape.dim[l.b];
        l.memory.dim[l.b] = a->shape.dim[l.a];
        dense(&l.memory, l.stride);
        int64_t keep = l.stride[l.a];
        l.stride[l.a] = l.stride[l.b];
        l.stride[l.b] = keep;
    } else if (strcmp(kind, "slice") == 0) {
        l.a = (int)json_integer_value(json_object_get(how, "dim"));
        l.a += l.a < 0 ? a->shape.rank : 0;
        l.start = json_integer_value(json_object_get(how, "start"));
        l.step = json_integer_value(json_object_get(how, "step"));
        l.memory.dim[l.a] = json_integer_value(json_object_get(how, "size"));
        l.end = l.start + a->shape.dim[l.a] * l.step;
        if (l.step < 1 || l.end - l.step >= l.memory.dim[l.a]) {
            snprintf(why, TC_TEXT, "case.json: the layout of %.80s does not fit", input);
            return tc_absent;
        }
        dense(&l.memory, l.stride);
        l.offset = l.start * l.stride[l.a];
        l.stride[l.a] *= l.step;
    } else if (strcmp(kind, "expand") == 0) {
        for (size_t i = 0; i < json_array_size(dims); i++) {
            int64_t d = json_integer_value(json_array_get(dims, i));
            l.memory.dim[d < 0 ? d + a->shape.rank : d] = 1;
        }
        dense(&l.memory, l.stride);
        for (int i = 0; i < a->shape.rank; i++) l.stride[i] = l.memory.dim[i] == 1 ? 0 : l.stride[i];
    } else {
        snprintf(why, TC_TEXT, "case.json: a layout of kind \"%.40s\"", kind);
        return tc_absent;
    }
    return build(b, a, &l, kind);
}

/* Tensors of a module by name from and to host memory. Loading many is all or nothing: everything is compared, and the
   one buffer that conversions need is taken, before the first tensor is written. Called by readers of weights. */
#include <stdio.h>
#include <string.h>

#include <born/born.h>

#include "base/alloc.h"
#include "graph/model.h"
#include "nn/module.h"
#include "tensor/view.h"

static bool is_float(born_dtype t) { return t != BORN_DTYPE_NONE && born__dtype_info(t)->cls == 'F'; }

static char *shape_text(const born_shape *s, char *text, size_t n)
{
    size_t k = (size_t)snprintf(text, n, "[");
    for (int d = 0; d < s->rank && k < n; d++)
        k += (size_t)snprintf(text + k, n - k, "%s%lld", d ? ", " : "", (long long)s->dim[d]);
    if (k < n) snprintf(text + k, n - k, "]");
    return text;
}

static bool same_shape(const born_shape *a, const born_shape *b)
{
    return a->rank == b->rank && (a->rank == 0 || !memcmp(a->dim, b->dim, (size_t)a->rank * sizeof *a->dim));
}

/* OK, or SHAPE or DTYPE with the facts in text: can `from` be written to `to`? *count is of its elements. */
static born_status fits(born_tensor to, const born_array *from, int64_t *count, char *text, size_t n)
{
    born_shape want = born_shape_of(to);
    born_dtype t = born_dtype_of(to);
    char a[96], b[96];

    if (from->shape.rank < 0 || from->shape.rank > BORN_MAX_RANK || !same_shape(&want, &from->shape)) {
        born_shape got = from->shape;
        if (got.rank < 0 || got.rank > BORN_MAX_RANK) got.rank = 0;
        snprintf(text, n, "%s was given, the module has %s", shape_text(&got, a, sizeof a),
                 shape_text(&want, b, sizeof b));
        return BORN_SHAPE;
    }
    if (!(is_float(t) && is_float(from->dtype)) && t != from->dtype) {
        snprintf(text, n, "%s was given, the module has %s", born_dtype_name(from->dtype), born_dtype_name(t));
        return BORN_DTYPE;
    }
    int64_t bytes = born__shape_count(want.dim, want.rank, count) ? born_dtype_bytes(from->dtype, *count) : -1;
    if (bytes < 0 || (from->bytes && from->bytes != (size_t)bytes) || (!from->data && *count)) {
        snprintf(text, n, "%zu bytes were given for %s", from->bytes, shape_text(&want, a, sizeof a));
        return BORN_SHAPE;
    }
    return BORN_OK;
}

static size_t room_for(born_tensor to, const born_array *from, int64_t count)
{
    born_dtype t = born_dtype_of(to);
    return t == from->dtype ? 0 : (size_t)born_dtype_bytes(t, count);
}

/* Writes what fits; `room` holds room_for bytes. */
static born_status write_one(born_tensor to, const born_array *from, int64_t count, void *room)
{
    born_dtype t = born_dtype_of(to);
    const void *data = from->data;

    if (count == 0) return BORN_OK;
    if (t != from->dtype) {
        int64_t z = born_dtype_bytes(t, 1), y = born_dtype_bytes(from->dtype, 1);
        for (int64_t i = 0; i < count; i++)
            born__store_f64(t, (char *)room + i * z, born__load_f64(from->dtype, (const char *)from->data + i * y));
        data = room;
    }
    return (born_write)(to, data, (size_t)born_dtype_bytes(t, count));
}

born_status born_module_copy_in(born_module *m, const char *path, born_array value, born_error *err)
{
    char text[200];
    int64_t count = 0;

    BORN_FAIL_IF(!m || !m->ops, err, BORN_STATE, "copy in: the module is dead");
    born_tensor to = born_module_find(m, path);
    BORN_FAIL_IF(to.w == 0, err, BORN_INVALID, "copy in: there is no tensor '%.100s'", path);
    born_status s = fits(to, &value, &count, text, sizeof text);
    BORN_FAIL_IF(s, err, s, "copy in: %.60s: %s", path, text);
    size_t bytes = room_for(to, &value, count);
    void *room = bytes ? born__alloc(bytes) : NULL;
    BORN_FAIL_IF(bytes && !room, err, BORN_NOMEM, "copy in: no memory to convert '%.100s'", path);
    s = write_one(to, &value, count, room);
    born__free(room);
    BORN_FAIL_IF(s, err, s, "copy in: '%.100s' could not be written", path);
    return BORN_OK;
}

born_status born_module_copy_out(const born_module *m, const char *path, void *dst, size_t bytes, born_error *err)
{
    BORN_FAIL_IF(!m || !m->ops, err, BORN_STATE, "copy out: the module is dead");
    born_tensor t = born_module_find(m, path);
    BORN_FAIL_IF(t.w == 0, err, BORN_INVALID, "copy out: there is no tensor '%.100s'", path);
    born_status s = (born_read)(t, dst, bytes);
    BORN_FAIL_IF(s, err, s, "copy out: '%.100s' could not be read into %zu bytes", path, bytes);
    return BORN_OK;
}

/* ---- many ------------------------------------------------------------------------------------------------------ */

enum { PROBLEMS = BORN_LOAD_DTYPE + 1 };
static const char *const problem_text[PROBLEMS] = { "missing", "unexpected", "of another shape", "of another dtype" };

typedef struct load {
    const born_module *m;
    const born_named_array *array;
    int64_t count;
    born_load_desc desc;
    size_t prefix, room_bytes;
    void *room;                 /* NULL: comparing */
    int64_t problems[PROBLEMS];
    char first[PROBLEMS][120];  /* names, as many as fit */
    born_tensor shared;         /* looked for among other names */
    bool found;
    born_status status;
} load;

/* The name without the prefix; NULL where it has another. */
static const char *own_name(const load *l, const char *name)
{
    return l->prefix && strncmp(name, l->desc.prefix, l->prefix) != 0 ? NULL : name + l->prefix;
}

static const born_named_array *find_array(const load *l, const char *path)
{
    for (int64_t i = 0; i < l->count; i++) {
        const char *name = own_name(l, l->array[i].name);
        if (name && !strcmp(name, path)) return &l->array[i];
    }
    return NULL;
}

static void tell(load *l, born_load_problem what, const char *name, const char *text)
{
    char *list = l->first[what];
    size_t used = strlen(list), more = strlen(name);

    if (used + more + 3 < sizeof l->first[0]) {
        snprintf(list + used, sizeof l->first[0] - used, "%s%s", used ? ", " : "", name);
    } else if (used + 4 < sizeof l->first[0] && (used < 3 || strcmp(list + used - 3, "...") != 0)) {
        snprintf(list + used, sizeof l->first[0] - used, "...");
    }
    l->problems[what]++;
    if (l->desc.tell) l->desc.tell(l->desc.user, what, name, text);
}

static bool same_tensor(void *user, const born_module_item *item)
{
    load *l = user;
    l->found = item->value.w == l->shared.w && find_array(l, item->path) != NULL;
    return !l->found;
}

static bool compare_item(void *user, const born_module_item *item)
{
    load *l = user;
    char text[200];
    int64_t count = 0;

    if (item->role == BORN_SCRATCH) return true;
    const born_named_array *a = find_array(l, item->path);
    if (!a) {
        l->shared = item->value;
        l->found = false;
        (void)born_module_each(l->m, same_tensor, l);
        if (!l->found) tell(l, BORN_LOAD_MISSING, item->path, "no such name was given");
        return true;
    }
    born_status s = fits(item->value, &a->value, &count, text, sizeof text);
    if (s) {
        tell(l, s == BORN_SHAPE ? BORN_LOAD_SHAPE : BORN_LOAD_DTYPE, item->path, text);
        return true;
    }
    size_t bytes = room_for(item->value, &a->value, count);
    if (bytes > l->room_bytes) l->room_bytes = bytes;
    return true;
}

static bool write_item(void *user, const born_module_item *item)
{
    load *l = user;
    char text[200];
    int64_t count = 0;
    const born_named_array *a = item->role == BORN_SCRATCH ? NULL : find_array(l, item->path);

    if (a && fits(item->value, &a->value, &count, text, sizeof text) == BORN_OK)
        l->status = write_one(item->value, &a->value, count, l->room);
    return l->status == BORN_OK;
}

static born_status report(const load *l, born_error *err)
{
    char text[240] = "";
    size_t n = 0;

    for (int p = 0; p < PROBLEMS; p++) {
        if (!l->problems[p] || n >= sizeof text) continue;
        int k = snprintf(text + n, sizeof text - n, "%s%lld %s (%s)", n ? "; " : "", (long long)l->problems[p],
                         problem_text[p], l->first[p]);
        n += (size_t)k;
    }
    return born__fail(err, BORN_MISMATCH, "load: %s", text);
}

born_status born_module_load_arrays_sized(born_module *m, const born_named_array *arrays, int64_t count,
                                          const born_load_desc *desc, size_t desc_bytes, born_error *err)
{
    load l = { .m = m, .array = arrays, .count = count };

    BORN_FAIL_IF(!m || !m->ops, err, BORN_STATE, "load: the module is dead");
    BORN_TRY(born__desc_check(desc, desc_bytes, &l.desc, sizeof l.desc, "load", err));
    l.prefix = l.desc.prefix ? strlen(l.desc.prefix) : 0;
    BORN_TRY(born_module_each(m, compare_item, &l));
    for (int64_t i = 0; i < count; i++) {
        const char *name = own_name(&l, arrays[i].name);
        if (!name || born_module_find(m, name).w == 0)
            tell(&l, BORN_LOAD_UNEXPECTED, arrays[i].name, "the module has no such tensor");
    }
    bool refused = l.problems[BORN_LOAD_SHAPE] || l.problems[BORN_LOAD_DTYPE] ||
                   (l.problems[BORN_LOAD_MISSING] && !l.desc.allow_missing) ||
                   (l.problems[BORN_LOAD_UNEXPECTED] && !l.desc.allow_unexpected);
    if (refused) return report(&l, err);
    l.room = l.room_bytes ? born__alloc(l.room_bytes) : NULL;
    BORN_FAIL_IF(l.room_bytes && !l.room, err, BORN_NOMEM, "load: no memory to convert tensors");
    (void)born_module_each(m, write_item, &l);
    born__free(l.room);
    BORN_FAIL_IF(l.status, err, l.status, "load: a tensor could not be written");
    return BORN_OK;
}

/* torch_cases: reading case.npz and case.json. An .npz is a zip; here all members are stored, so that an array is a
   view into the file, moved down over its header to an address that its dtype takes. Everything is checked against the
   file's size. */
#include "torch_cases.h"

static uint32_t get(const unsigned char *p, int bytes)
{
    uint32_t v = 0;
    for (int i = bytes - 1; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

static bool bad(char *why, const char *what, const char *name)
{
    snprintf(why, TC_TEXT, "case.npz: %s%s%s", what, name[0] ? ": " : "", name);
    return false;
}

static unsigned char *read_file(const char *path, size_t *bytes)
{
    unsigned char *data = NULL;
    FILE *f = fopen(path, "rb");
    if (f == NULL) return NULL;
    long end = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (end >= 0 && fseek(f, 0, SEEK_SET) == 0) {
        data = malloc((size_t)end + 1);
        if (data != NULL && fread(data, 1, (size_t)end, f) == (size_t)end) {
            data[end] = 0;
            *bytes = (size_t)end;
        } else {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

/* The dict of an .npy header, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }". */
static bool read_header(const char *text, born_array *a)
{
    static const struct { const char *code; born_dtype t; } types[] = {
        { "<f4", BORN_F32 }, { "<f8", BORN_F64 }, { "<i8", BORN_I64 }, { "|b1", BORN_BOOL },
    };
    const char *descr = strstr(text, "'descr': '"), *shape = strstr(text, "'shape': (");
    if (descr == NULL || shape == NULL || strstr(text, "'fortran_order': False") == NULL) return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strncmp(descr + 10, types[i].code, 3) == 0) a->dtype = types[i].t;
    }
    if (a->dtype == BORN_DTYPE_NONE) return false;
    const char *p = shape + 10;
    while (*p != ')' && *p != 0) {
        char *end;
        long long v = strtoll(p, &end, 10);
        if (end == p || v < 0 || a->shape.rank == BORN_MAX_RANK) return false;
        a->shape.dim[a->shape.rank++] = v;
        p = end + strspn(end, ", ");
    }
    return *p == ')';
}

static bool read_npy(unsigned char *p, size_t bytes, tc_array *out, char *why)
{
    if (bytes < 10 || memcmp(p, "\x93NUMPY\x01", 7) != 0) return bad(why, "no .npy of version 1", out->name);
    size_t header = get(p + 8, 2);
    char text[512];
    if (10 + header > bytes || header >= sizeof text) return bad(why, "a header that does not fit", out->name);
    memcpy(text, p + 10, header);
    text[header] = 0;
    if (!read_header(text, &out->a)) return bad(why, "a header that is not understood", out->name);
    int64_t count = 1;
    for (int i = 0; i < out->a.shape.rank; i++) {
        if (__builtin_mul_overflow(count, out->a.shape.dim[i], &count)) return bad(why, "too large", out->name);
    }
    unsigned char *data = p + 10 + header;
    data -= (uintptr_t)data % 8; /* less than the header before it */
    out->a.data = data;
    out->a.bytes = bytes - 10 - header;
    memmove(data, p + 10 + header, out->a.bytes);
    if (born_dtype_bytes(out->a.dtype, count) != (int64_t)out->a.bytes) return bad(why, "size and shape", out->name);
    return true;
}

bool tc_npz_read(tc_case *c, const char *path, char *why)
{
    size_t bytes = 0, at = 0;
    c->file = read_file(path, &bytes);
    if (c->file == NULL) return bad(why, "cannot be read", "");
    while (at + 30 <= bytes && memcmp(c->file + at, "PK\3\4", 4) == 0) {
        const unsigned char *h = c->file + at;
        size_t size = get(h + 18, 4), name = get(h + 26, 2), extra = get(h + 28, 2), start = at + 30 + name + extra;
        tc_array *a = &c->array[c->arrays];
        if (c->arrays == TC_MOST_ARRAYS) return bad(why, "too many members", "");
        if (get(h + 8, 2) != 0 || name < 5 || name - 4 >= sizeof a->name) return bad(why, "a member not stored", "");
        if (start > bytes || size > bytes - start) return bad(why, "it is cut off", "");
        memcpy(a->name, h + 30, name - 4);
        a->name[name - 4] = 0;
        if (!read_npy(c->file + start, size, a, why)) return false;
        c->arrays++;
        at = start + size;
    }
    return c->arrays > 0 || bad(why, "no members", "");
}

const born_array *tc_find_array(const tc_case *c, const char *name)
{
    for (int i = 0; i < c->arrays; i++) {
        if (strcmp(c->array[i].name, name) == 0) return &c->array[i].a;
    }
    return NULL;
}

const char *tc_string(const json_t *object, const char *key, const char *otherwise)
{
    const json_t *v = json_object_get(object, key);
    return json_is_string(v) ? json_string_value(v) : otherwise;
}

bool tc_case_open(tc_case *c, const char *folder, char *why)
{
    char path[1100];
    memset(c, 0, sizeof *c);
    snprintf(c->path, sizeof c->path, "%s", folder);
    snprintf(path, sizeof path, "%s/case.json", folder);
    json_error_t err;
    c->json = json_load_file(path, JSON_REJECT_DUPLICATES, &err);
    if (!json_is_object(c->json)) {
        snprintf(why, TC_TEXT, "case.json: %.200s", c->json == NULL ? err.text : "no object");
        return false;
    }
    static const char *const needed[] = { "args", "inputs", "outputs", "grad_outputs", "grads", "atols" };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (json_object_get(c->json, needed[i]) == NULL) {
            snprintf(why, TC_TEXT, "case.json: no \"%s\"", needed[i]);
            return false;
        }
    }
    c->real = strcmp(tc_string(c->json, "dtype", ""), "float64") == 0 ? BORN_F64 : BORN_F32;
    snprintf(path, sizeof path, "%s/case.npz", folder);
    return tc_npz_read(c, path, why);
}

void tc_case_close(tc_case *c)
{
    json_decref(c->json);
    free(c->file);
    c->json = NULL;
    c->file = NULL;
}

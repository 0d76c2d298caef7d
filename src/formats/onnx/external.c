/* External tensor data: see external.h. */
#include "formats/onnx/external.h"

#include <string.h>

#include "base/error.h"
#include "base/filemap.h"

enum { MAX_FILES = 64, MAX_PATH = 1024 };

typedef struct opened {
    char *path;
    size_t path_n;
    born_filemap *map;
} opened;

struct born_onnx_files {
    int dir_fd;
    unsigned flags;
    size_t max_bytes;
    born_onnx_find find;        /* NULL: files */
    void *user;
    opened file[MAX_FILES];
    int count;
};

born_onnx_files *born__onnx_files_new(int dir_fd, bool copy, size_t max_bytes)
{
    born_onnx_files *f = born__calloc(1, sizeof *f);

    if (!f) return NULL;
    f->dir_fd = dir_fd;
    f->flags = copy ? BORN_FILE_COPY : 0;
    f->max_bytes = max_bytes;
    return f;
}

born_onnx_files *born__onnx_files_inside(born_onnx_find find, void *user)
{
    born_onnx_files *f = born__onnx_files_new(-1, false, 0);

    if (!f) return NULL;
    f->find = find;
    f->user = user;
    return f;
}

void born__onnx_files_free(born_onnx_files **fp)
{
    born_onnx_files *f = fp ? *fp : NULL;

    if (!f) return;
    for (int i = 0; i < f->count; i++) {
        born__filemap_close(&f->file[i].map);
        born__free(f->file[i].path);
    }
    born__free(f);
    *fp = NULL;
}

void born__onnx_files_seal(born_onnx_files *f)
{
    if (f) f->dir_fd = -1;
}

void born__onnx_files_drop(born_onnx_files *f, const void *p, size_t bytes)
{
    const unsigned char *at = p;

    for (int i = 0; f && i < f->count; i++) {
        const born_filemap *m = f->file[i].map;
        if (at >= m->data && at < m->data + m->bytes) born__filemap_drop(m, (size_t)(at - m->data), bytes);
    }
}

bool born__onnx_files_lost(born_onnx_files *f)
{
    for (int i = 0; f && i < f->count; i++)
        if (born__filemap_lost(f->file[i].map)) return true;
    return false;
}

/* What a tensor's external_data entries say. */
typedef struct place {
    born_str location;
    uint64_t offset, length;
    bool has_location, has_offset, has_length, has_checksum;
} place;

static bool parse_number(born_str s, uint64_t *out)
{
    uint64_t v = 0;

    if (!s.n || s.n > 18) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return true;
}

static born_status parse_entry(pb_slice bytes, place *at, born_error *err)
{
    pb_cursor c = pb_open(bytes);
    pb_field f;
    born_str key = { "", 0 }, value = { "", 0 };
    char text[48];
    bool *seen = NULL, good = true;

    while (born__pb_next(&c, &f)) {
        if (f.type != PB_BYTES) continue;
        if (f.id == 1) key = (born_str){ (const char *)f.bytes.p, f.bytes.n };
        if (f.id == 2) value = (born_str){ (const char *)f.bytes.p, f.bytes.n };
    }
    BORN_FAIL_IF(c.bad, err, BORN_FORMAT, "its place in another file is malformed");
    if (born__pb_str_is(key, "location")) {
        seen = &at->has_location;
        at->location = value;
    } else if (born__pb_str_is(key, "offset")) {
        seen = &at->has_offset;
        good = parse_number(value, &at->offset);
    } else if (born__pb_str_is(key, "length")) {
        seen = &at->has_length;
        good = parse_number(value, &at->length);
    } else if (born__pb_str_is(key, "checksum")) {
        seen = &at->has_checksum;
    }
    BORN_FAIL_IF(!seen, err, BORN_FORMAT, "external data: unknown key '%s'", born__pb_text(key, text, sizeof text));
    BORN_FAIL_IF(*seen, err, BORN_FORMAT, "external data: key '%s' given twice", born__pb_text(key, text, sizeof text));
    BORN_FAIL_IF(!good, err, BORN_FORMAT, "external data: %s is no number", born__pb_text(key, text, sizeof text));
    *seen = true;
    return BORN_OK;
}

/* The names may change while they are read (they lie in a map), so the path is copied before it is looked at. */
static born_status open_file(born_onnx_files *f, born_str location, born_filemap **out, born_error *err)
{
    char text[80];
    opened *o = &f->file[f->count];

    BORN_FAIL_IF(f->dir_fd == -1, err, BORN_UNSUPPORTED, "its data is in another file, and the model has no folder");
    BORN_FAIL_IF(!location.n || location.n > MAX_PATH, err, BORN_FORMAT,
                 "external data: the path is empty or too long");
    char *path = born__strdup_n(location.p, location.n);
    BORN_FAIL_IF(!path, err, BORN_NOMEM, "external data: out of memory");
    for (int i = 0; i < f->count; i++)
        if (f->file[i].path_n == location.n && memcmp(f->file[i].path, path, location.n) == 0) {
            born__free(path);
            *out = f->file[i].map;
            return BORN_OK;
        }
    born_status st = f->count < MAX_FILES
                         ? born__filemap_open_in(f->dir_fd, path, location.n, f->flags, f->max_bytes, &o->map, err)
                         : born__fail(err, BORN_FORMAT, "more than %d files", MAX_FILES);
    if (st) {
        born__pb_text((born_str){ path, location.n }, text, sizeof text);
        born__error_prefix(err, "external data '%s'", text);
        born__free(path);
        return st;
    }
    o->path = path;
    o->path_n = location.n;
    f->count++;
    *out = o->map;
    return BORN_OK;
}

static born_status find_part(born_onnx_files *f, born_str location, pb_slice *out, born_error *err)
{
    char name[80], text[80];

    BORN_FAIL_IF(!location.n || location.n >= sizeof name, err, BORN_FORMAT,
                 "external data: the name of a part is empty or too long");
    memcpy(name, location.p, location.n);       /* the bytes may change: looked at once */
    born__pb_text((born_str){ name, location.n }, text, sizeof text);
    BORN_FAIL_IF(!f->find(f->user, name, location.n, out), err, BORN_FORMAT,
                 "external data: there is no tensor '%s'", text);
    return BORN_OK;
}

born_status born__onnx_external(born_onnx_files *f, const pb_tensor *t, size_t bytes, pb_slice *out, born_error *err)
{
    pb_cursor c = pb_open(t->body);
    pb_field field;
    place at = { .location = { "", 0 } };
    born_filemap *map = NULL;

    BORN_FAIL_IF(t->has_raw || t->data_field, err, BORN_FORMAT, "it has data here and in another file");
    while (born__pb_next(&c, &field))
        if (field.id == 13) {
            BORN_FAIL_IF(field.type != PB_BYTES, err, BORN_FORMAT, "its place in another file is malformed");
            BORN_TRY(parse_entry(field.bytes, &at, err));
        }
    BORN_FAIL_IF(!at.has_location, err, BORN_FORMAT, "external data: no location");
    BORN_FAIL_IF(at.has_length && at.length != bytes, err, BORN_FORMAT,
                 "external data: length %llu, its shape needs %zu", (unsigned long long)at.length, bytes);
    pb_slice whole;
    if (f->find) {
        BORN_TRY(find_part(f, at.location, &whole, err));
    } else {
        BORN_TRY(open_file(f, at.location, &map, err));
        whole = (pb_slice){ map->data, map->bytes };
    }
    BORN_FAIL_IF(at.offset > whole.n || bytes > whole.n - at.offset, err, BORN_FORMAT,
                 "external data: bytes %llu to +%zu lie beyond the %s's %zu", (unsigned long long)at.offset, bytes,
                 f->find ? "part" : "file", whole.n);
    *out = (pb_slice){ whole.p + (size_t)at.offset, bytes };
    return BORN_OK;
}

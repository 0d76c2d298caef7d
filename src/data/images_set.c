/* Pictures in folders, one folder for each class. Only names are kept; a picture is opened beneath the folder's
   descriptor, decoded and scaled when an item is asked for, by whichever thread asks. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/filemap.h"
#include "data/file.h"
#include "data/folder.h"
#include "data/picture.h"
#include "graph/model.h"

typedef struct entry {
    const char *name;
    int32_t class;
} entry;

typedef struct images {
    born_images_desc d;
    int folder;
    born_names classes;
    entry *item;
    size_t count, cap;
    born_arena arena;
} images;

static void images_close(void *self)
{
    images *s = self;
    born__folder_close(&s->folder);
    born__folder_list_free(&s->classes);
    born__free(s->item);
    born__arena_free(&s->arena);
    born__free(s);
}

/* [h, w, 3] of 0 to 255 becomes [C, h, w] of bytes or of [0, 1]. */
static void store(const images *s, const float *rgb, void *dst)
{
    size_t n = (size_t)(s->d.height * s->d.width), channels = s->d.grey ? 1 : 3;
    for (size_t c = 0; c < channels; c++) {
        for (size_t i = 0; i < n; i++) {
            const float *p = rgb + 3 * i;
            /* ITU-R 601 luma, as other readers have it */
            float v = s->d.grey ? 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2] : p[c];
            v = v < 0 ? 0 : v > 255 ? 255 : v;
            if (s->d.raw)
                ((uint8_t *)dst)[c * n + i] = (uint8_t)(v + 0.5f);
            else
                ((float *)dst)[c * n + i] = v / 255.0f;
        }
    }
}

static born_status decode_scaled(const images *s, const born_filemap *m, float *scaled, born_error *err)
{
    int64_t h, w;
    uint8_t *rgb;
    BORN_TRY(born__picture_decode(m->data, m->bytes, s->d.max_bytes, &h, &w, &rgb, err));
    born_status st = born_image_scale(rgb, h, w, 3, scaled, s->d.height, s->d.width, err);
    born__free(rgb);
    return st;
}

static born_status images_get(void *self, const born_item_request *r, born_error *err)
{
    const images *s = self;
    const entry *e = &s->item[r->index];
    char path[1024];
    born_filemap *map;
    int n = snprintf(path, sizeof path, "%s/%s", s->classes.name[e->class], e->name);
    BORN_FAIL_IF(n < 0 || (size_t)n >= sizeof path, err, BORN_INVALID, "%.80s: the path is too long", e->name);
    BORN_TRY(born__filemap_open_in(s->folder, path, (size_t)n, BORN_FILE_COPY, born__data_limit(s->d.max_bytes), &map,
                                   err));
    born_status st = decode_scaled(s, map, r->scratch, err);
    born__filemap_close(&map);
    if (st != BORN_OK) {
        born__error_prefix(err, "%s", path);
        return st;
    }
    store(s, r->scratch, r->dst[0]);
    *(int64_t *)r->dst[1] = e->class;
    return BORN_OK;
}

static born_status list_all(images *s, born_error *err)
{
    BORN_TRY(born__folder_list(s->folder, NULL, true, &s->arena, &s->classes, err));
    BORN_FAIL_IF(s->classes.count == 0 || s->classes.count > BORN_MOST_CLASSES, err, BORN_FORMAT,
                 "%zu folders of classes in it, 1 to %d are possible", s->classes.count, BORN_MOST_CLASSES);
    for (size_t c = 0; c < s->classes.count; c++) {
        born_names files;
        BORN_TRY(born__folder_list(s->folder, s->classes.name[c], false, &s->arena, &files, err));
        bool ok = born__grow((void **)&s->item, &s->cap, s->count + files.count + 1, sizeof *s->item);
        for (size_t i = 0; i < files.count && ok; i++)
            s->item[s->count++] = (entry){ files.name[i], (int32_t)c };
        born__folder_list_free(&files);
        BORN_FAIL_IF(!ok, err, BORN_NOMEM, "no memory for its list of pictures");
    }
    BORN_FAIL_IF(s->count == 0, err, BORN_FORMAT, "no .png or .jpg in its folders");
    return BORN_OK;
}

static born_status make_set(images *s, born_dataset **out, born_error *err)
{
    const born_images_desc *d = &s->d;
    born_field field[2] = {
        { "image", d->raw ? BORN_U8 : BORN_F32, { 3, { d->grey ? 1 : 3, d->height, d->width } } },
        { "label", BORN_I64, { 0, { 0 } } },
    };
    born_dataset_desc set = {
        .get = images_get, .close = images_close, .self = s, .count = (int64_t)s->count, .fields = field,
        .field_count = 2, .scratch_bytes = (size_t)(d->height * d->width * 3) * sizeof(float),
        .classes = (const char *const *)s->classes.name, .class_count = (int64_t)s->classes.count,
    };
    return born_dataset_create(&set, out, err);
}

born_status born_dataset_open_images_sized(const char *folder, const born_images_desc *desc, size_t desc_bytes,
                                           born_dataset **out, born_error *err)
{
    born_images_desc d;
    *out = NULL;
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "dataset", err));
    BORN_FAIL_IF(d.height < 1 || d.width < 1 || d.height > BORN_MOST_SIDE || d.width > BORN_MOST_SIDE, err,
                 BORN_INVALID, "dataset: pictures of height %lld and width %lld, sides are 1 to %d",
                 (long long)d.height, (long long)d.width, BORN_MOST_SIDE);
    const born_codecs *c = born__codecs();
    BORN_FAIL_IF(c->image_size == NULL || c->image_read == NULL, err, BORN_UNSUPPORTED,
                 "%s: holds pictures, and this program has no codec for them (born_codecs_set)",
                 folder != NULL ? folder : "dataset");
    images *s = born__calloc(1, sizeof *s);
    BORN_FAIL_IF(s == NULL, err, BORN_NOMEM, "dataset: no memory");
    s->d = d;
    s->folder = -1;
    born_status st = born__folder_of(folder, &s->folder, err);
    if (st == BORN_OK) {
        st = list_all(s, err);
        if (st == BORN_OK) st = make_set(s, out, err);
        if (st != BORN_OK) born__error_prefix(err, "%s", folder);
    }
    if (st != BORN_OK) images_close(s);
    return st;
}

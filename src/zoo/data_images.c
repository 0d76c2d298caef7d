/* Images for recipes: IDX files as MNIST and its descendants come in, or pictures in a folder for each class. Items are
   [C, H, W] in [0, 1]; what loaders get is changed at random (training alone), then brought to mean 0, deviation 1. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/filemap.h"
#include "data/file.h"
#include "data/folder.h"
#include "zoo/zoo.h"

enum { MOST_MEASURED = 5000, MOST_PATH = 1024, DEFAULT_SIDE = 64, MOST_STEPS = 4 };

#define DEFAULT_FOLDER "/usr/share/datasets/fashion-mnist"
#define PART_TEST "test", "t10k", "val", "valid"

/* Sets whose files have no class names. */
static const struct { const char *folder, *names; int classes; } known[] = {
    { "fashion-mnist", "T-shirt/top\nTrouser\nPullover\nDress\nCoat\nSandal\nShirt\nSneaker\nBag\nAnkle boot\n", 10 },
};

static bool is_file(const char *path)
{
    born_filemap *map = NULL;
    bool is = born__filemap_open(path, BORN_FILE_FOLLOW, 0, &map, NULL) == BORN_OK;
    born__filemap_close(&map);
    return is;
}

static bool is_folder(const char *path)
{
    int at = -1;
    bool is = born__folder_of(path, &at, NULL) == BORN_OK;
    born__folder_close(&at);
    return is;
}

/* The path of a part's IDX file, compressed or not; false: there is none. */
static bool idx_file(const char *folder, const char *part, const char *kind, char out[MOST_PATH])
{
    static const char *const ending[] = { "", ".gz" };
    for (int i = 0; i < 2; i++) {
        int n = snprintf(out, MOST_PATH, "%s/%s-%s-ubyte%s", folder, part, kind, ending[i]);
        if (n > 0 && n < MOST_PATH && is_file(out)) return true;
    }
    return false;
}

/* One of the parts named, as IDX files. *out stays NULL where there is none of them. */
static born_status open_idx(const char *folder, const char *const *part, int parts, int64_t classes,
                            born_dataset **out, born_error *err)
{
    char images[MOST_PATH], labels[MOST_PATH];
    const born_idx_desc d = { .image = true, .classes = classes };

    for (int i = 0; i < parts; i++) {
        if (!idx_file(folder, part[i], "images-idx3", images)) continue;
        BORN_FAIL_IF(!idx_file(folder, part[i], "labels-idx1", labels), err, BORN_IO,
                     "%s has no labels beside it (%s-labels-idx1-ubyte)", images, part[i]);
        return born_dataset_open_idx_with(images, labels, &d, out, err);
    }
    return BORN_OK;
}

/* The same as folders of pictures. */
static born_status open_folders(const born_recipe *r, const char *folder, const char *const *part, int parts,
                                born_dataset **out, born_error *err)
{
    char path[MOST_PATH];
    int64_t side = born__zoo_int(r, "size");
    born_images_desc d = { .grey = born__zoo_int(r, "grey") != 0 };

    d.height = d.width = side > 0 ? side : DEFAULT_SIDE;
    if (r->facts.height > 0) d = (born_images_desc){ .height = r->facts.height, .width = r->facts.width,
                                          .grey = r->facts.channels == 1 };
    for (int i = 0; i < parts; i++) {
        int n = snprintf(path, sizeof path, part[i][0] ? "%s/%s" : "%s%s", folder, part[i]);
        BORN_FAIL_IF(n < 0 || n >= MOST_PATH, err, BORN_INVALID, "the path '%.80s...' is too long", folder);
        if (is_folder(path)) return born_dataset_open_images(path, &d, out, err);
    }
    return BORN_OK;
}

static const char *folder_of(const born_recipe *r, const char *path)
{
    if (!path || !*path) path = born__zoo_text_of(r, "data");
    return *path ? path : DEFAULT_FOLDER;
}

static born_status missing(const char *folder, born_error *err)
{
    if (!strcmp(folder, DEFAULT_FOLDER))
        return born__fail(err, BORN_IO, "%s: no Fashion-MNIST there: install Debian's package dataset-fashion-mnist, "
                          "or give --data FOLDER", folder);
    return born__fail(err, BORN_IO, "%s: neither IDX files (train-images-idx3-ubyte.gz) nor folders of pictures are "
                      "there", folder);
}

static const char *const train_part[] = { "train" }, *const test_part[] = { PART_TEST }, *const whole[] = { "" };

/* The parts of a folder; *test NULL: it has none. */
static born_status open_parts(const born_recipe *r, const char *folder, born_dataset **train, born_dataset **test,
                              born_error *err)
{
    BORN_TRY(open_idx(folder, train_part, 1, 0, train, err));
    if (*train) return open_idx(folder, test_part, 4, born_dataset_class_count(*train), test, err);
    BORN_TRY(open_folders(r, folder, train_part, 1, train, err));
    if (*train) return open_folders(r, folder, test_part, 4, test, err);
    BORN_TRY(open_folders(r, folder, whole, 1, train, err));
    return *train ? BORN_OK : missing(folder, err);
}

/* ---- facts ----------------------------------------------------------------------------------------------------- */

static born_status name_classes(born_recipe *r, const char *folder, born_error *err)
{
    born_facts *f = &r->facts;
    const char *file = born__zoo_text_of(r, "class-names"), *last = strrchr(folder, '/');
    const char **name;
    born_bytes b;

    for (size_t i = 0; i < sizeof known / sizeof *known && !*file; i++)
        if (!strcmp(last ? last + 1 : folder, known[i].folder) && f->classes == known[i].classes &&
            born__zoo_lines(&r->arena, known[i].names, strlen(known[i].names), &name) == f->classes)
            f->class_name = name;
    if (!*file) return BORN_OK;
    BORN_TRY(born__bytes_open(file, 1 << 24, &b, err));
    int64_t n = born__zoo_lines(&r->arena, (const char *)b.data, b.bytes, &name);
    born__bytes_close(&b);
    BORN_FAIL_IF(n < 0, err, BORN_NOMEM, "no memory for class names");
    BORN_FAIL_IF(n < f->classes, err, BORN_SHAPE, "%s has %lld names, the images have %lld classes", file,
                 (long long)n, (long long)f->classes);
    f->class_name = name;
    return BORN_OK;
}

static void add_item(const born_facts *f, const float *x, double *sum, double *square)
{
    int64_t plane = f->height * f->width;
    for (int64_t c = 0; c < f->channels; c++)
        for (int64_t i = 0; i < plane; i++) {
            double v = (double)x[c * plane + i];
            sum[c] += v;
            square[c] += v * v;
        }
}

/* Mean and deviation of each channel, over items evenly spaced through the set. */
static born_status measure(born_recipe *r, const born_dataset *set, born_error *err)
{
    born_facts *f = &r->facts;
    int64_t n = born_dataset_count(set), step = (n + MOST_MEASURED - 1) / MOST_MEASURED, label, seen = 0;
    size_t plane = (size_t)(f->height * f->width);
    float *x = born__alloc((size_t)f->channels * plane * sizeof *x);
    void *scratch = born__alloc(born_dataset_scratch_bytes(set) + 1), *dst[] = { x, &label };
    double sum[4] = { 0 }, square[4] = { 0 };
    born_status st = x && scratch && born__zoo_facts_take(r, f->channels) ? BORN_OK
                                                                         : born__fail(err, BORN_NOMEM, "no memory");

    for (int64_t i = 0; i < n && !st; i += step, seen++) {
        st = born_dataset_get(set, &(born_item_request){ .index = i, .dst = dst, .scratch = scratch }, err);
        if (!st) add_item(f, x, sum, square);
    }
    for (int64_t c = 0; c < f->channels && !st; c++) {
        double count = (double)plane * (double)seen, mean = sum[c] / count;
        double variance = square[c] / count - mean * mean;
        f->mean[c] = (float)mean;
        f->std[c] = variance > 1e-8 ? (float)sqrt(variance) : 1.0f;
    }
    born__free(x);
    born__free(scratch);
    return st;
}

static born_status learn_facts(born_recipe *r, const char *folder, const born_dataset *set, born_error *err)
{
    born_facts *f = &r->facts;
    born_field field;

    BORN_TRY(born_dataset_field(set, 0, &field));
    BORN_FAIL_IF(field.shape.rank != 3 || field.shape.dim[0] > 4, err, BORN_SHAPE, "%s: images of rank %d", folder,
                 field.shape.rank);
    f->channels = field.shape.dim[0];
    f->height = field.shape.dim[1];
    f->width = field.shape.dim[2];
    BORN_TRY(born__zoo_classes_of(r, set, err));
    BORN_FAIL_IF(f->height < 4 || f->width < 4 || f->classes < 2, err, BORN_SHAPE,
                 "%s: pictures of %lld x %lld in %lld classes are too little to learn from", folder,
                 (long long)f->height, (long long)f->width, (long long)f->classes);
    return name_classes(r, folder, err);
}

/* ---- sets ------------------------------------------------------------------------------------------------------ */

/* What loaders get: `set` with the steps of its part; closes `set`. */
static born_status dress(const born_recipe *r, born_dataset **set, bool training, born_dataset **out, born_error *err)
{
    const born_facts *f = &r->facts;
    const char *augment = born__zoo_text_of(r, "augment");
    born_transform step[MOST_STEPS];
    int n = 0;

    if (training && strstr(augment, "flip")) step[n++] = born_random_flip(0.5);
    if (training && strstr(augment, "shift")) step[n++] = born_random_crop(f->height, f->width, (f->height + 4) / 14);
    step[n++] = born_normalise(f->mean, f->std, (int)f->channels);
    born_status st = born_dataset_transform(*set, 0, step, n, out, err);
    born_dataset_close(set);
    return st;
}

static born_status images_open(born_recipe *r, born_error *err)
{
    const char *folder = folder_of(r, NULL);
    born_dataset *all = NULL, *train = NULL, *test = NULL;
    born_field field;
    born_status st = open_parts(r, folder, &all, &test, err);

    if (!st) st = learn_facts(r, folder, all, err);
    if (!st && test) st = born_dataset_field(test, 0, &field);
    if (!st && test)
        if (field.shape.dim[1] != r->facts.height || field.shape.dim[2] != r->facts.width ||
            born_dataset_class_count(test) != r->facts.classes)
            st = born__fail(err, BORN_SHAPE, "%s: the test part has other sizes or classes than the training part",
                            folder);
    if (!st && test) {
        train = all;
        all = NULL;
    } else if (!st) {
        st = born__zoo_cut(r, all, &train, &test, err);
    }
    if (!st) st = measure(r, train, err);
    if (!st) st = dress(r, &train, true, &r->train_set, err);
    if (!st) st = dress(r, &test, false, &r->valid_set, err);
    born_dataset_close(&all);
    born_dataset_close(&train);
    born_dataset_close(&test);
    return st;
}

/* The test part where there is one; the rest is not opened then. */
static born_status open_test(const born_recipe *r, const char *folder, born_dataset **out, born_error *err)
{
    BORN_TRY(open_idx(folder, test_part, 4, r->facts.classes, out, err));
    if (!*out) BORN_TRY(open_idx(folder, train_part, 1, r->facts.classes, out, err));
    if (!*out) BORN_TRY(open_folders(r, folder, test_part, 4, out, err));
    if (!*out) BORN_TRY(open_folders(r, folder, train_part, 1, out, err));
    if (!*out) BORN_TRY(open_folders(r, folder, whole, 1, out, err));
    return *out ? BORN_OK : missing(folder, err);
}

static born_status images_items(const born_recipe *r, const char *path, born_dataset **out, born_error *err)
{
    const char *folder = folder_of(r, path);
    const born_facts *f = &r->facts;
    born_field field;

    *out = NULL;
    born_status st = open_test(r, folder, out, err);
    if (!st) st = born_dataset_field(*out, 0, &field);
    if (!st && (field.shape.dim[0] != f->channels || field.shape.dim[1] != f->height || field.shape.dim[2] != f->width))
        st = born__fail(err, BORN_SHAPE, "%s: images of %lld x %lld x %lld, not %lld x %lld x %lld", folder,
                        (long long)field.shape.dim[0], (long long)field.shape.dim[1], (long long)field.shape.dim[2],
                        (long long)f->channels, (long long)f->height, (long long)f->width);
    if (st) born_dataset_close(out);
    return st;
}

const born_zoo_data born__zoo_images = { "images", images_open, images_items };

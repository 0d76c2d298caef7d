/* Born: data for training. A dataset is a number of items, each of the same fields; a loader makes batches of them, in
   an order that depends on the seed and the epoch alone. Host memory only: no tensors here. A dataset is shared by
   threads and refcounted: what is made from it holds it, so things close in any order. Files are read as hostile: each
   fault is a status and one line, for CSV with the number of the line. */
#ifndef BORN_DATA_H
#define BORN_DATA_H
#include "tensor.h"

BORN_C_BEGIN

typedef struct born_dataset born_dataset;
typedef struct born_loader born_loader;

/// One field of every item: its name, dtype and shape, without the batch.
typedef struct born_field {
    const char *name;
    born_dtype dtype;
    born_shape shape;
} born_field;

/// Which item, and what it may use. `key` is the item's random number: equal keys give equal bits.
typedef struct born_item_request {
    int64_t index;              /* from 0 to below the count */
    uint64_t key;
    void *const *dst;           /* one per field, room for one item each; aligned as its dtype */
    void *scratch;              /* scratch_bytes of the set, aligned to 64; one per thread */
} born_item_request;

/// A dataset of one's own: `get` fills r->dst from any thread and returns a status (and err); `close` may be NULL.
typedef struct born_dataset_desc {
    born_status (*get)(void *self, const born_item_request *r, born_error *err);
    void (*close)(void *self);
    void *self;
    int64_t count;
    const born_field *fields;   /* copied, names too */
    int field_count;
    size_t scratch_bytes;
    const char *const *classes; /* names of classes or characters, copied; NULL: none */
    int64_t class_count;
} born_dataset_desc;

/* The exported symbols take the size of the struct they were compiled with; the inline forms pass it. */
#define BORN__DATA_OPENER(name, desc_type, ...)                                                                       \
    BORN_API BORN_CHECK born_status name##_sized(__VA_ARGS__, const desc_type *desc, size_t desc_bytes,               \
                                                 born_dataset **out, born_error *err);

BORN_API BORN_CHECK born_status born_dataset_create_sized(const born_dataset_desc *desc, size_t desc_bytes,
                                                          born_dataset **out, born_error *err);
/// Makes a dataset of one's own. On failure `close` is not called.
static inline BORN_CHECK born_status born_dataset_create(const born_dataset_desc *desc, born_dataset **out,
                                                         born_error *err)
{
    return born_dataset_create_sized(desc, sizeof(born_dataset_desc), out, err);
}
/// Gives up the caller's hold and sets *set to NULL. NULL allowed.
BORN_API void born_dataset_close(born_dataset **set);
BORN_API int64_t born_dataset_count(const born_dataset *set);
BORN_API int born_dataset_field_count(const born_dataset *set);
/// RANGE where there is no such field. The name lives as long as the set.
BORN_API BORN_CHECK born_status born_dataset_field(const born_dataset *set, int i, born_field *out);
/// Classes of the labels, or characters of a text: 0 where the source knows none; NULL for a name that is not there.
BORN_API int64_t born_dataset_class_count(const born_dataset *set);
BORN_API const char *born_dataset_class_name(const born_dataset *set, int64_t i);
BORN_API size_t born_dataset_scratch_bytes(const born_dataset *set);
/// Writes item r->index into the caller's memory. RANGE for an index outside the set; r->scratch may be NULL where the
/// set wants none.
BORN_API BORN_CHECK born_status born_dataset_get(const born_dataset *set, const born_item_request *r, born_error *err);

/* --- sources --- */

/// Arrays in memory: dimension 0 is the item, the same for all. Borrowed: they outlive the set. names NULL: "0", "1".
BORN_API BORN_CHECK born_status born_dataset_from_arrays(const born_array *fields, const char *const *names, int n,
                                                         born_dataset **out, born_error *err);

typedef struct born_idx_desc {
    bool raw;                   /* bytes as they are; else pixels become f32 in [0, 1] */
    bool image;                 /* [1, H, W]; else flat, [H*W] */
    int64_t classes;            /* labels are below it, else RANGE; 0: one more than the largest */
    size_t max_bytes;           /* most memory to take; 0: what the machine allows */
} born_idx_desc;
BORN__DATA_OPENER(born_dataset_open_idx, born_idx_desc, const char *images, const char *labels)
/// MNIST's format, plain or gzip (for which a codec is needed): "image" f32 [H*W], "label" i64 []. labels NULL: images
/// alone.
static inline BORN_CHECK born_status born_dataset_open_idx(const char *images, const char *labels, born_dataset **out,
                                                           born_error *err)
{
    return born_dataset_open_idx_sized(images, labels, (const born_idx_desc *)0, 0, out, err);
}
static inline BORN_CHECK born_status born_dataset_open_idx_with(const char *images, const char *labels,
                                                                const born_idx_desc *desc, born_dataset **out,
                                                                born_error *err)
{
    return born_dataset_open_idx_sized(images, labels, desc, sizeof(born_idx_desc), out, err);
}

typedef struct born_csv_desc {
    const char *target;         /* the column of labels, by name or by number from 0; NULL: the last; "": none */
    const char *columns;        /* the features, "age,height"; NULL: all but the target */
    const char *const *classes; /* labels in their order, any other is RANGE; NULL: those of the file, sorted */
    int64_t class_count;
    bool regression;            /* the target is a number: "y" is f32 */
    bool no_header;             /* columns are then called "0", "1", ... */
    char separator;             /* 0: a comma */
    size_t max_bytes;
} born_csv_desc;
BORN__DATA_OPENER(born_dataset_open_csv, born_csv_desc, const char *path)
/// A table: "x" f32 [features], "y" i64 [] (or f32, or absent). RFC 4180's quoting. Labels that are all integers sort
/// as numbers, others by their bytes. A row with more or fewer cells than the first, and a feature that is no finite
/// number, are FORMAT with the line. desc NULL: defaults.
static inline BORN_CHECK born_status born_dataset_open_csv(const char *path, const born_csv_desc *desc,
                                                           born_dataset **out, born_error *err)
{
    return born_dataset_open_csv_sized(path, desc, sizeof(born_csv_desc), out, err);
}

/// A .npy file, one field "x", or a .npz, one field for each member named in `fields` ("x_train,y_train"; NULL: all).
/// Dimension 0 is the item. max_bytes 0: what the machine allows.
BORN_API BORN_CHECK born_status born_dataset_open_npy(const char *path, const char *fields, size_t max_bytes,
                                                      born_dataset **out, born_error *err);

typedef struct born_images_desc {
    int64_t height, width;      /* every picture is scaled to this; needed */
    bool grey;                  /* one channel, else RGB */
    bool raw;                   /* u8 */
    size_t max_bytes;           /* of one picture, decoded; 0: what the machine allows */
} born_images_desc;
BORN__DATA_OPENER(born_dataset_open_images, born_images_desc, const char *folder)
/// A folder with a folder for each class, sorted by name: "image" f32 [C, H, W] in [0, 1], "label" i64 []. Pictures are
/// read when asked for; UNSUPPORTED without a codec.
static inline BORN_CHECK born_status born_dataset_open_images(const char *folder, const born_images_desc *desc,
                                                              born_dataset **out, born_error *err)
{
    return born_dataset_open_images_sized(folder, desc, sizeof(born_images_desc), out, err);
}

typedef struct born_text_desc {
    int64_t window;             /* tokens of an item; needed */
    int64_t stride;             /* from one item to the next; 0: window */
    const char *vocabulary;     /* open_text: the characters in order (UTF-8); NULL: those of the text, sorted */
    int64_t vocabulary_size;    /* from_tokens: tokens are below it, else RANGE; 0: one more than the largest */
    size_t max_bytes;
} born_text_desc;
BORN__DATA_OPENER(born_dataset_open_text, born_text_desc, const char *path)
BORN__DATA_OPENER(born_dataset_from_tokens, born_text_desc, const born_array *tokens)
/// A UTF-8 text for a language model over characters: "x" i64 [window], "y" i64 [window], y one character ahead. The
/// classes are the characters.
static inline BORN_CHECK born_status born_dataset_open_text(const char *path, const born_text_desc *desc,
                                                            born_dataset **out, born_error *err)
{
    return born_dataset_open_text_sized(path, desc, sizeof(born_text_desc), out, err);
}
/// The same over tokens that a tokenizer made: [N] of u8, u16, i32, u32 or i64, copied.
static inline BORN_CHECK born_status born_dataset_from_tokens(const born_array *tokens, const born_text_desc *desc,
                                                              born_dataset **out, born_error *err)
{
    return born_dataset_from_tokens_sized(tokens, desc, sizeof(born_text_desc), out, err);
}

/* --- sets from sets --- */

/// The items of these indices, in this order; an index may come twice. The indices are copied.
BORN_API BORN_CHECK born_status born_dataset_subset(born_dataset *set, const int64_t *index, int64_t n,
                                                    born_dataset **out, born_error *err);
/// Cuts a set at random, by seed alone, into n parts of these shares (sum at most 1), as { 0.8, 0.1, 0.1 }. Where they
/// sum to 1 every item is in one part. On failure all of out is NULL.
BORN_API BORN_CHECK born_status born_dataset_split(born_dataset *set, const double *share, int n, uint64_t seed,
                                                   born_dataset **out, born_error *err);
/// One set after the other. Fields must agree.
BORN_API BORN_CHECK born_status born_dataset_concat(born_dataset *const *sets, int n, born_dataset **out,
                                                    born_error *err);

/* --- transforms --- */

typedef enum born_transform_kind {
    BORN_TRANSFORM_TO_FLOAT = 1,    /* u8 becomes f32 in [0, 1]; other numbers keep their value */
    BORN_TRANSFORM_NORMALISE,       /* (x - mean[c]) / std[c] */
    BORN_TRANSFORM_CROP,            /* random place, zeros around by `pad` first */
    BORN_TRANSFORM_CENTRE_CROP,
    BORN_TRANSFORM_FLIP,            /* left-right with probability p */
    BORN_TRANSFORM_FLIP_VERTICAL,
    BORN_TRANSFORM_ROTATE,          /* by -degrees to degrees about the middle, bilinear, zeros outside */
    BORN_TRANSFORM_ERASE,           /* with probability p a box of area lo to hi of the picture becomes zero */
    BORN_TRANSFORM_JITTER           /* brightness, contrast, saturation times 1 - v to 1 + v, cut to [0, 1] */
} born_transform_kind;

/// One step on a picture [C, H, W] or [H, W]. Make it with the functions below; NORMALISE, ROTATE, ERASE and JITTER
/// want f32.
typedef struct born_transform {
    born_transform_kind kind;
    int64_t height, width, pad;
    double p, lo, hi;
    float mean[4], std[4];
    float brightness, contrast, saturation;
} born_transform;

static inline born_transform born_to_float(void)
{
    born_transform t = { BORN_TRANSFORM_TO_FLOAT, 0, 0, 0, 0, 0, 0, { 0 }, { 0 }, 0, 0, 0 };
    return t;
}
/// n channels, 1 to 4; one value serves any number of channels.
static inline born_transform born_normalise(const float *mean, const float *std, int n)
{
    born_transform t = born_to_float();
    t.kind = BORN_TRANSFORM_NORMALISE;
    for (int i = 0; i < 4; i++) {
        t.mean[i] = n > 0 ? mean[i < n ? i : n - 1] : 0;
        t.std[i] = n > 0 ? std[i < n ? i : n - 1] : 1;
    }
    return t;
}
static inline born_transform born_random_crop(int64_t height, int64_t width, int64_t pad)
{
    born_transform t = born_to_float();
    t.kind = BORN_TRANSFORM_CROP;
    t.height = height;
    t.width = width;
    t.pad = pad;
    return t;
}
static inline born_transform born_centre_crop(int64_t height, int64_t width)
{
    born_transform t = born_random_crop(height, width, 0);
    t.kind = BORN_TRANSFORM_CENTRE_CROP;
    return t;
}
static inline born_transform born_random_flip(double p)
{
    born_transform t = born_to_float();
    t.kind = BORN_TRANSFORM_FLIP;
    t.p = p;
    return t;
}
static inline born_transform born_random_flip_vertical(double p)
{
    born_transform t = born_random_flip(p);
    t.kind = BORN_TRANSFORM_FLIP_VERTICAL;
    return t;
}
static inline born_transform born_random_rotate(double degrees)
{
    born_transform t = born_to_float();
    t.kind = BORN_TRANSFORM_ROTATE;
    t.hi = degrees;
    return t;
}
static inline born_transform born_random_erase(double p, double lo, double hi)
{
    born_transform t = born_random_flip(p);
    t.kind = BORN_TRANSFORM_ERASE;
    t.lo = lo;
    t.hi = hi;
    return t;
}
static inline born_transform born_colour_jitter(float brightness, float contrast, float saturation)
{
    born_transform t = born_to_float();
    t.kind = BORN_TRANSFORM_JITTER;
    t.brightness = brightness;
    t.contrast = contrast;
    t.saturation = saturation;
    return t;
}
/// The set with these steps done to one field, in order. Random numbers come from the item's key, so a loader gives the
/// same for any number of workers. SHAPE, DTYPE where a step does not fit.
BORN_API BORN_CHECK born_status born_dataset_transform(born_dataset *set, int field, const born_transform *steps,
                                                       int n, born_dataset **out, born_error *err);

/* --- loader --- */

typedef struct born_loader_desc {
    int64_t batch;              /* items of a batch; 0: 1 */
    bool shuffle;
    uint64_t seed;
    int workers;                /* threads that make batches ahead; 0: the caller's own */
    int prefetch;               /* batches made ahead; 0: two per worker */
    bool drop_last;             /* leave out a last batch that is not full */
    const double *weights;      /* one per item, >= 0, copied: items are drawn with replacement by weight */
    int64_t samples;            /* items of an epoch with weights; 0: as many as the set has */
    double mixup;               /* alpha, up to 4: batches are mixed with themselves; 0: not. Field 0 is f32, field 1
                                   an i64 label, which becomes f32 [batch, classes] */
    int64_t classes;            /* for mixup; 0: as the set says */
    /* Called on each batch when it is stacked, from any worker; may write the arrays' elements. NULL: nothing. */
    born_status (*collate)(void *user, const born_array *fields, int n, uint64_t key, born_error *err);
    void *collate_user;
    size_t max_bytes;           /* most memory of the batches; 0: what the machine allows */
} born_loader_desc;

/// Where a loader stands: the batch that comes next. Store it with a checkpoint.
typedef struct born_loader_position {
    uint64_t seed;
    int64_t epoch, batch;
    int64_t batch_size, item_count;     /* of the loader it was taken from; compared when it is set */
} born_loader_position;

BORN_API BORN_CHECK born_status born_loader_open_sized(born_dataset *set, const born_loader_desc *desc,
                                                       size_t desc_bytes, born_loader **out, born_error *err);
/// Makes a loader; all its memory is taken here. It holds the set. For one thread at a time.
static inline BORN_CHECK born_status born_loader_open(born_dataset *set, const born_loader_desc *desc,
                                                      born_loader **out, born_error *err)
{
    return born_loader_open_sized(set, desc, sizeof(born_loader_desc), out, err);
}
BORN_API void born_loader_close(born_loader **l);
/// The next batch: the first n fields, each [batch, ...], in memory of the loader that stays until the next call.
/// false: the end of the epoch (the next call begins the next one) or an error; born_loader_status says which. The
/// order of an epoch depends on (seed, epoch) alone, for any number of workers.
BORN_API BORN_CHECK bool born_loader_next(born_loader *l, born_array *fields, int n);
/// OK unless a batch failed; an error stays until the position is set.
BORN_API BORN_CHECK born_status born_loader_status(const born_loader *l, born_error *err);
BORN_API int64_t born_loader_batches(const born_loader *l);     /* of an epoch */
BORN_API int born_loader_field_count(const born_loader *l);
/// A field of a batch, without the batch's dimension. RANGE.
BORN_API BORN_CHECK born_status born_loader_field(const born_loader *l, int i, born_field *out);
BORN_API size_t born_loader_memory(const born_loader *l);       /* bytes taken for batches, orders and scratch */
BORN_API void born_loader_position_get(const born_loader *l, born_loader_position *out);
/// Continues as the loader that the position was taken from would have, bit for bit. MISMATCH for a position of another
/// batch size or number of items, RANGE outside the epoch.
BORN_API BORN_CHECK born_status born_loader_position_set(born_loader *l, const born_loader_position *p,
                                                         born_error *err);

/* --- codecs: what needs a library that the core does not have --- */

typedef enum born_inflate_kind {
    BORN_INFLATE_RAW = 0,       /* deflate alone, as in a zip */
    BORN_INFLATE_GZIP
} born_inflate_kind;
/// Takes what was inflated, piece by piece; a status other than OK ends the work and is what inflate returns.
typedef born_status (*born_sink)(void *to, const void *bytes, size_t n);

/// Functions that may be NULL: what they do is then UNSUPPORTED. Called from any thread.
typedef struct born_codecs {
    born_status (*inflate)(void *user, born_inflate_kind kind, const void *bytes, size_t n, born_sink sink, void *to,
                           born_error *err);
    /* The size of a PNG or JPEG picture, then its pixels, [height, width, 3]. */
    born_status (*image_size)(void *user, const void *bytes, size_t n, int64_t *height, int64_t *width,
                              born_error *err);
    born_status (*image_read)(void *user, const void *bytes, size_t n, int64_t height, int64_t width, uint8_t *rgb,
                              born_error *err);
    void *user;
} born_codecs;
/// Sets the process-wide codecs (NULL: none). Not thread-safe: call it first. The struct is copied. The component
/// `born_codecs` has a set of them over zlib, libpng and libjpeg (born/codecs.h).
BORN_API void born_codecs_set(const born_codecs *c);

/// Decodes a picture by the codecs: out is u8 [height, width, 3] in new memory for born_array_free. max_bytes 0: what
/// the machine allows.
BORN_API BORN_CHECK born_status born_image_decode(const void *bytes, size_t byte_count, size_t max_bytes,
                                                  born_array *out, born_error *err);
/// Scales a picture [from_h, from_w, channels] to [to_h, to_w, channels]: bilinear weights over the area that each
/// pixel covers. Sides are 1 to 32,768. RANGE, NOMEM.
BORN_API BORN_CHECK born_status born_image_scale(const uint8_t *pixels, int64_t from_h, int64_t from_w, int channels,
                                                 float *out, int64_t to_h, int64_t to_w, born_error *err);

/// Parses a .npy file in memory. On success out->data is new memory for born_array_free. max_bytes 0: no limit.
BORN_API BORN_CHECK born_status born_npy_read(const void *bytes, size_t byte_count, size_t max_bytes, born_array *out,
                                              born_error *err);
/// Parses a .npz file in memory: calls fn with each member, whose array fn owns then. Compressed members need a codec.
BORN_API BORN_CHECK born_status born_npz_read(const void *bytes, size_t byte_count, size_t max_bytes,
                                              born_status (*fn)(void *user, const char *name, born_array *a,
                                                                born_error *err),
                                              void *user, born_error *err);

#undef BORN__DATA_OPENER
BORN_C_END
#endif

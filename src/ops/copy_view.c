/* Strided copies: see copy_view.h. A plan orders the dims by the destination's steps, so that it is written front to
   back, merges what both sides cross without a jump, and picks one of three inner loops. Work is cut over
   independent rows or tiles. */
#include "ops/copy_view.h"

#include <string.h>

enum { TILE = 128, GRAIN_BYTES = 1 << 16 };

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Vectors of 16 bytes, which every target's compiler has or makes of words, and the halves of two of them interleaved.
   */
typedef uint8_t vec_1 __attribute__((vector_size(16)));
typedef uint16_t vec_2 __attribute__((vector_size(16)));
typedef uint32_t vec_4 __attribute__((vector_size(16)));
typedef uint64_t vec_8 __attribute__((vector_size(16)));
static inline vec_1 zip_low_1(vec_1 a, vec_1 b)
{
    return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
static inline vec_1 zip_high_1(vec_1 a, vec_1 b)
{
    return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
static inline vec_2 zip_low_2(vec_2 a, vec_2 b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
static inline vec_2 zip_high_2(vec_2 a, vec_2 b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
static inline vec_4 zip_low_4(vec_4 a, vec_4 b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
static inline vec_4 zip_high_4(vec_4 a, vec_4 b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
static inline vec_8 zip_low_8(vec_8 a, vec_8 b) { return __builtin_shufflevector(a, b, 0, 2); }
static inline vec_8 zip_high_8(vec_8 a, vec_8 b) { return __builtin_shufflevector(a, b, 1, 3); }

#define BORN_EACH "ops/copy_tile.inc"
#include "ops/each_size.inc"

void born__copy_strided(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n, int size)
{
    if (dst_step == size && src_step == size) {
        memcpy(dst, src, (size_t)n * (size_t)size);
        return;
    }
    switch (size) {
    case 1: move_1(dst, dst_step, src, src_step, n); break;
    case 2: move_2(dst, dst_step, src, src_step, n); break;
    case 4: move_4(dst, dst_step, src, src_step, n); break;
    case 8: move_8(dst, dst_step, src, src_step, n); break;
    default: break;
    }
}

static int64_t magnitude(int64_t v) { return v < 0 ? -v : v; }

/* Dims other than 1, by falling destination step, merged. False: a dim is 0. */
static bool gather_dims(born_copy_plan *p, int rank, const int64_t *dim, const int64_t *ds, const int64_t *ss)
{
    int n = 0;
    for (int d = 0; d < rank; d++) {
        if (dim[d] <= 0) return false;
        if (dim[d] == 1) continue;
        int64_t dst = ds[d] * p->size, src = ss[d] * p->size;
        int at = n++;
        for (; at > 0 && magnitude(p->dst[at - 1]) < magnitude(dst); at--) {
            p->dim[at] = p->dim[at - 1];
            p->dst[at] = p->dst[at - 1];
            p->src[at] = p->src[at - 1];
        }
        p->dim[at] = dim[d];
        p->dst[at] = dst;
        p->src[at] = src;
    }
    p->rank = 0;
    for (int d = 0; d < n; d++) {
        int last = p->rank - 1;
        bool joins = last >= 0 && p->dst[last] == p->dst[d] * p->dim[d] && p->src[last] == p->src[d] * p->dim[d];
        int to = joins ? last : p->rank++;
        p->dim[to] = joins ? p->dim[to] * p->dim[d] : p->dim[d];
        p->dst[to] = p->dst[d];
        p->src[to] = p->src[d];
    }
    return true;
}

static void remove_dim(born_copy_plan *p, int d)
{
    p->rank--;
    for (; d < p->rank; d++) {
        p->dim[d] = p->dim[d + 1];
        p->dst[d] = p->dst[d + 1];
        p->src[d] = p->src[d + 1];
    }
}

void born__copy_plan(born_copy_plan *p, int rank, const int64_t *dim, const int64_t *dst_stride,
                     const int64_t *src_stride, int size)
{
    *p = (born_copy_plan){ .kind = BORN_COPY_NONE, .size = size, .outer = 1 };
    if (size <= 0 || !gather_dims(p, rank, dim, dst_stride, src_stride)) return;
    p->kind = BORN_COPY_ROWS;
    p->bytes = size;
    int last = p->rank - 1;
    if (last >= 0 && p->dst[last] == size && p->src[last] == size) {
        p->bytes = p->dim[last] * size;
        p->rank = last--;
    }
    bool small = p->bytes == 1 || p->bytes == 2 || p->bytes == 4 || p->bytes == 8;
    if (small && last >= 0) {               /* rows this short are elements of a wider type */
        p->size = (int)p->bytes;
        p->kind = BORN_COPY_STRIDED;
        p->inner = p->dim[last];
        p->dst_inner = p->dst[last];
        p->src_inner = p->src[last];
        p->rank = last;
        for (int d = last - 1; d >= 0 && p->dst_inner == p->size; d--) {
            if (p->src[d] != p->size) continue;
            p->kind = BORN_COPY_TILES;
            p->tile = p->dim[d];
            p->dst_tile = p->dst[d];
            remove_dim(p, d);
            break;
        }
    }
    for (int d = 0; d < p->rank; d++) p->outer *= p->dim[d];
}

static void run_tile(const born_copy_plan *p, char *dst, const char *src, int64_t rows, int64_t cols)
{
    switch (p->size) {
    case 1: tile_1(dst, p->dst_tile, src, p->src_inner, rows, cols); break;
    case 2: tile_2(dst, p->dst_tile, src, p->src_inner, rows, cols); break;
    case 4: tile_4(dst, p->dst_tile, src, p->src_inner, rows, cols); break;
    default: tile_8(dst, p->dst_tile, src, p->src_inner, rows, cols); break;
    }
}

static int64_t min_i64(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tiles [begin, end) of one transpose, numbered row by row. */
static void run_tiles(const born_copy_plan *p, char *dst, const char *src, int64_t begin, int64_t end)
{
    int64_t across = (p->inner + TILE - 1) / TILE;
    for (int64_t t = begin; t < end; t++) {
        int64_t r = t / across * TILE, c = t % across * TILE;
        run_tile(p, dst + r * p->dst_tile + c * p->size, src + r * p->size + c * p->src_inner,
                 min_i64(TILE, p->tile - r), min_i64(TILE, p->inner - c));
    }
}

/* The units that work can be cut into: rows, or tiles. */
static int64_t units_per_outer(const born_copy_plan *p)
{
    return p->kind == BORN_COPY_TILES ? ((p->inner + TILE - 1) / TILE) * ((p->tile + TILE - 1) / TILE) : 1;
}

static void run_one(const born_copy_plan *p, char *dst, const char *src, int64_t begin, int64_t end)
{
    if (p->kind == BORN_COPY_ROWS) memcpy(dst, src, (size_t)p->bytes);
    else if (p->kind == BORN_COPY_TILES) run_tiles(p, dst, src, begin, end);
    else born__copy_strided(dst, p->dst_inner, src, p->src_inner, p->inner, p->size);
}

static void run_units(const born_copy_plan *p, char *dst, const char *src, int64_t begin, int64_t end)
{
    int64_t per = units_per_outer(p), at[BORN_COPY_RANK], o = begin / per;
    for (int d = p->rank - 1; d >= 0; d--) {
        at[d] = o % p->dim[d];
        o /= p->dim[d];
        dst += at[d] * p->dst[d];
        src += at[d] * p->src[d];
    }
    for (int64_t u = begin; u < end;) {
        int64_t first = u % per, n = min_i64(per - first, end - u);
        run_one(p, dst, src, first, first + n);
        u += n;
        for (int d = p->rank - 1; d >= 0 && u < end; d--) {
            dst += p->dst[d];
            src += p->src[d];
            if (++at[d] < p->dim[d]) break;
            dst -= p->dst[d] * p->dim[d];
            src -= p->src[d] * p->dim[d];
            at[d] = 0;
        }
    }
}

void born__copy_run(const born_copy_plan *p, char *dst, const char *src)
{
    if (p->kind == BORN_COPY_NONE) return;
    if (p->rank == 0) run_one(p, dst, src, 0, units_per_outer(p));
    else run_units(p, dst, src, 0, p->outer * units_per_outer(p));
}

typedef struct copy_job { const born_copy_plan *p; char *dst; const char *src; int64_t piece; } copy_job;

static void copy_part(void *ctx, int64_t begin, int64_t end)
{
    const copy_job *j = ctx;
    run_units(j->p, j->dst, j->src, begin, end);
}

/* One long run, cut into pieces of `piece` bytes or elements. */
static void copy_piece(void *ctx, int64_t begin, int64_t end)
{
    const copy_job *j = ctx;
    const born_copy_plan *p = j->p;
    if (p->kind == BORN_COPY_ROWS) {
        int64_t from = begin * j->piece, to = min_i64(end * j->piece, p->bytes);
        memcpy(j->dst + from, j->src + from, (size_t)(to - from));
    } else {
        int64_t from = begin * j->piece, to = min_i64(end * j->piece, p->inner);
        born__copy_strided(j->dst + from * p->dst_inner, p->dst_inner, j->src + from * p->src_inner, p->src_inner,
                           to - from, p->size);
    }
}

void born__copy_run_on(const born_copy_plan *p, char *dst, const char *src, born_pool *pool)
{
    if (p->kind == BORN_COPY_NONE) return;
    int64_t row_bytes = p->kind == BORN_COPY_ROWS ? p->bytes : p->inner * p->size;
    int64_t unit_bytes = p->kind == BORN_COPY_TILES ? (int64_t)TILE * TILE * p->size : row_bytes;
    int64_t units = p->outer * units_per_outer(p);
    bool small = units <= GRAIN_BYTES && units * min_i64(unit_bytes, GRAIN_BYTES) <= GRAIN_BYTES;
    if (small || !pool || born__pool_threads(pool) < 2) {
        born__copy_run(p, dst, src);
        return;
    }
    copy_job j = { p, dst, src, GRAIN_BYTES };
    if (units == 1 && p->kind != BORN_COPY_TILES) {
        if (p->kind == BORN_COPY_STRIDED) j.piece = GRAIN_BYTES / p->size;
        int64_t whole = p->kind == BORN_COPY_ROWS ? p->bytes : p->inner;
        born__pool_for(pool, (whole + j.piece - 1) / j.piece, 1, copy_piece, &j);
        return;
    }
    int64_t grain = unit_bytes >= GRAIN_BYTES ? 1 : GRAIN_BYTES / unit_bytes;
    born__pool_for(pool, units, grain, copy_part, &j);
}

void born__copy_view(const born_view *dst, const born_view *src, born_pool *pool)
{
    born_copy_plan p;
    bool same = dst->data == src->data;
    for (int d = 0; same && d < dst->rank; d++) same = dst->dim[d] <= 1 || dst->stride[d] == src->stride[d];
    if (same) return;
    born__copy_plan(&p, dst->rank, dst->dim, dst->stride, src->stride, born__dtype_info(dst->dtype)->size);
    born__copy_run_on(&p, dst->data, src->data, pool);
}

void born__fill_view(const born_view *dst, const void *value, born_pool *pool)
{
    born_copy_plan p;
    int64_t still[BORN_MAX_RANK] = { 0 };
    born__copy_plan(&p, dst->rank, dst->dim, dst->stride, still, born__dtype_info(dst->dtype)->size);
    born__copy_run_on(&p, dst->data, value, pool);
}

static int64_t offset_at(const born_view *v, int64_t i)
{
    int64_t at = 0;
    for (int d = v->rank - 1; d >= 0; d--) {
        at += i % v->dim[d] * v->stride[d];
        i /= v->dim[d];
    }
    return at;
}

void born__copy_reshaped(const born_view *dst, const born_view *src, born_pool *pool)
{
    born_view seen = *src;
    if (born__view_reshape(dst, src->rank, src->dim, seen.stride)) {        /* dst under src's dims */
        seen.data = dst->data;
        born__copy_view(&seen, src, pool);
        return;
    }
    seen = *dst;
    if (born__view_reshape(src, dst->rank, dst->dim, seen.stride)) {        /* src under dst's dims */
        seen.data = src->data;
        born__copy_view(dst, &seen, pool);
        return;
    }
    int64_t n = born__view_count(dst);
    int size = born__dtype_info(dst->dtype)->size;
    for (int64_t i = 0; i < n; i++)
        memcpy(dst->data + offset_at(dst, i) * size, src->data + offset_at(src, i) * size, (size_t)size);
}

bool born__view_reshape(const born_view *v, int rank, const int64_t *dim, int64_t *stride)
{
    int64_t count = 1, step = 1;
    for (int d = rank - 1; d >= 0; d--) {
        stride[d] = count;
        count *= dim[d] > 1 ? dim[d] : 1;
        if (dim[d] == 0) step = 0;
    }
    if (step == 0 || v->rank == 0) return true;     /* no element, or one: any strides do */
    /* Walk v's dims inner to outer in groups that are dense among themselves; each must be covered by whole dims. */
    int at = rank - 1;
    int64_t held = 1, shown = 1;
    step = v->stride[v->rank - 1];
    for (int d = v->rank - 1; d >= 0; d--) {
        held *= v->dim[d];
        if (d > 0 && (v->dim[d - 1] == 1 || v->stride[d - 1] == held * step)) continue;
        for (; at >= 0 && (shown < held || dim[at] == 1); at--) {
            stride[at] = shown * step;
            shown *= dim[at];
        }
        if (shown != held) return false;
        if (d > 0) step = v->stride[d - 1];
        held = shown = 1;
    }
    return at < 0;
}

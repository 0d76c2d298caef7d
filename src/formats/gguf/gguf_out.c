/* Writing GGUF, and the sums by which a reader finds out that bytes have changed: see gguf.h. */
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/filesave.h"
#include "base/hash.h"
#include "formats/gguf/gguf.h"

typedef struct piece {
    const void *data;
    size_t bytes;
} piece;

struct born_gguf_out {
    born_bytes pairs, tensors;  /* the two parts of the header */
    uint64_t pair_count, data_bytes;
    piece *piece;
    size_t piece_count, piece_cap;
    uint32_t align;
    bool failed;
    uint64_t *sums;             /* bytes of the last piece, filled while saving */
};

born_gguf_out *born__gguf_out_new(uint32_t align)
{
    born_gguf_out *o = born__calloc(1, sizeof *o);

    if (!o) return NULL;
    o->align = align;
    born__gguf_put_u32(o, "general.alignment", align);
    return o;
}

void born__gguf_out_free(born_gguf_out **op)
{
    born_gguf_out *o = op ? *op : NULL;

    if (!o) return;
    born__bytes_free(&o->pairs);
    born__bytes_free(&o->tensors);
    born__free(o->piece);
    born__free(o->sums);
    born__free(o);
    *op = NULL;
}

static void put_string(born_bytes *b, const char *s, size_t n)
{
    born__bytes_put_u64(b, n);
    born__bytes_put(b, s, n);
}

static born_bytes *begin_pair(born_gguf_out *o, const char *key, born_gguf_type type)
{
    put_string(&o->pairs, key, strlen(key));
    born__bytes_put_u32(&o->pairs, type);
    o->pair_count++;
    return &o->pairs;
}

void born__gguf_put_text(born_gguf_out *o, const char *key, const char *s, size_t n)
{
    put_string(begin_pair(o, key, GGUF_STRING), s, n);
}

void born__gguf_put_i64(born_gguf_out *o, const char *key, int64_t v)
{
    born__bytes_put_u64(begin_pair(o, key, GGUF_I64), (uint64_t)v);
}

void born__gguf_put_u32(born_gguf_out *o, const char *key, uint32_t v)
{
    born__bytes_put_u32(begin_pair(o, key, GGUF_U32), v);
}

void born__gguf_put_tensor(born_gguf_out *o, const char *name, int code, int rank, const int64_t *dim,
                           const void *data, size_t bytes)
{
    if (!born__grow((void **)&o->piece, &o->piece_cap, o->piece_count + 1, sizeof *o->piece)) {
        o->failed = true;
        return;
    }
    put_string(&o->tensors, name, strlen(name));
    born__bytes_put_u32(&o->tensors, (uint32_t)rank);
    for (int i = 0; i < rank; i++) born__bytes_put_u64(&o->tensors, (uint64_t)dim[i]);
    born__bytes_put_u32(&o->tensors, (uint32_t)code);
    born__bytes_put_u64(&o->tensors, o->data_bytes);
    o->piece[o->piece_count++] = (piece){ data, bytes };
    uint64_t over = bytes % o->align;
    o->data_bytes += bytes + (over ? o->align - over : 0);
}

void born__gguf_put_sums(born_gguf_out *o, const char *name)
{
    int64_t n = (int64_t)o->piece_count + 1;

    o->sums = born__calloc((size_t)n, sizeof *o->sums);
    if (!o->sums) {
        o->failed = true;
        return;
    }
    born__gguf_put_tensor(o, name, 27, 1, &n, o->sums, (size_t)n * sizeof *o->sums);
}

/* A sum as it lies in the file, whatever this machine's byte order. */
static void set_sum(uint64_t *at, uint64_t v)
{
    unsigned char *p = (unsigned char *)at;
    for (int i = 0; i < 8; i++) p[i] = (unsigned char)(v >> 8 * i);
}

static uint64_t get_sum(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static born_status save_zeros(born_filesave *f, size_t n, born_error *err)
{
    static const unsigned char zeros[1024];

    for (; n > sizeof zeros; n -= sizeof zeros) BORN_TRY(born__filesave_write(f, zeros, sizeof zeros, err));
    return born__filesave_write(f, zeros, n, err);
}

static born_status save_pieces(born_gguf_out *o, born_filesave *f, born_error *err)
{
    for (size_t i = 0; i < o->piece_count; i++) {
        const piece *p = &o->piece[i];
        if (o->sums && i + 1 < o->piece_count) set_sum(&o->sums[i + 1], born__hash(p->data, p->bytes, i));
        BORN_TRY(born__filesave_write(f, p->data, p->bytes, err));
        size_t over = p->bytes % o->align;
        if (over) BORN_TRY(save_zeros(f, o->align - over, err));
    }
    return BORN_OK;
}

born_status born__gguf_out_save(born_gguf_out *o, const char *path, born_error *err)
{
    born_bytes head = { .p = NULL };
    born_filesave *f = NULL;

    born__bytes_text(&head, "GGUF");
    born__bytes_put_u32(&head, 3);
    born__bytes_put_u64(&head, o->piece_count);
    born__bytes_put_u64(&head, o->pair_count);
    born__bytes_put(&head, o->pairs.n ? o->pairs.p : NULL, o->pairs.n);
    born__bytes_put(&head, o->tensors.n ? o->tensors.p : NULL, o->tensors.n);
    born__bytes_align(&head, o->align);
    born_status st = BORN_OK;
    if (o->failed || head.failed || o->pairs.failed || o->tensors.failed)
        st = born__fail(err, BORN_NOMEM, "gguf: out of memory for its header");
    if (st == BORN_OK && o->sums) set_sum(&o->sums[0], born__hash(head.p, head.n, 0));
    if (st == BORN_OK) st = born__filesave_open(path, &f, err);
    if (st == BORN_OK) st = born__filesave_write(f, head.p, head.n, err);
    if (st == BORN_OK) st = save_pieces(o, f, err);
    if (st == BORN_OK) st = born__filesave_commit(&f, err);
    born__filesave_abandon(&f);
    born__bytes_free(&head);
    return st;
}

born_status born__gguf_sums_check(const born_gguf *g, const char *name, born_error *err)
{
    const born_gguf_tensor *sums = born__gguf_tensor_find(g, name, strlen(name));
    size_t n = g->tensor_count;

    BORN_FAIL_IF(!sums || sums != &g->tensor[n - 1] || sums->code != 27 || sums->bytes != n * 8, err, BORN_FORMAT,
                 "the file holds no sums of its tensors");
    BORN_FAIL_IF(get_sum(sums->data) != born__hash(g->base, g->data_at, 0), err, BORN_FORMAT,
                 "the file is damaged: its header does not have the sum it was written with");
    for (size_t i = 0; i + 1 < n; i++)
        BORN_FAIL_IF(get_sum(sums->data + 8 * (i + 1)) != born__hash(g->tensor[i].data, g->tensor[i].bytes, i), err,
                     BORN_FORMAT, "the file is damaged: tensor %zu does not have the sum it was written with", i);
    return BORN_OK;
}

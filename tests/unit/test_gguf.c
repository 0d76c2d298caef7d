/* The GGUF reader against what a hostile file may say, and the writer against the reader. Bad headers are made from a
   good one by changing the one thing that is tested. ctest-labels: cross */
#include "base/bytes.h"
#include "formats/gguf/gguf.h"

#include "../harness.h"

/* A file under construction: what a case wants otherwise is set before make(). */
typedef struct plan {
    uint32_t version, align_type, align, rank, code, array_elem;
    uint64_t tensors, pairs, dim[5], offset[2], array_count, name_bytes;
    const char *name[2], *key;
    size_t data_bytes;
} plan;

static const plan good = { .version = 3, .align_type = GGUF_U32, .align = 64, .rank = 2, .code = 0,
                           .array_elem = GGUF_U32, .tensors = 2, .pairs = 2, .dim = { 3, 2 }, .offset = { 0, 64 },
                           .array_count = 2, .name = { "a", "b" }, .key = "list", .data_bytes = 128 };

static void put_name(born_bytes *b, const char *s, uint64_t n)
{
    born__bytes_put_u64(b, n ? n : strlen(s));
    born__bytes_text(b, s);
}

static born_bytes make(const plan *p)
{
    born_bytes b = { .p = NULL };

    born__bytes_text(&b, "GGUF");
    born__bytes_put_u32(&b, p->version);
    born__bytes_put_u64(&b, p->tensors);
    born__bytes_put_u64(&b, p->pairs);
    put_name(&b, "general.alignment", 0);
    born__bytes_put_u32(&b, p->align_type);
    born__bytes_put_u32(&b, p->align);
    put_name(&b, p->key, p->name_bytes);
    born__bytes_put_u32(&b, GGUF_ARRAY);
    born__bytes_put_u32(&b, p->array_elem);
    born__bytes_put_u64(&b, p->array_count);
    born__bytes_put_u64(&b, 7);
    for (int i = 0; i < 2; i++) {
        put_name(&b, p->name[i], 0);
        born__bytes_put_u32(&b, p->rank);
        for (uint32_t d = 0; d < p->rank && d < 5; d++) born__bytes_put_u64(&b, p->dim[d]);
        born__bytes_put_u32(&b, p->code);
        born__bytes_put_u64(&b, p->offset[i]);
    }
    born__bytes_align(&b, 64);
    born__bytes_put(&b, NULL, p->data_bytes);
    return b;
}

static born_status try(const plan *p, born_error *err)
{
    born_bytes b = make(p);
    born_gguf *g = NULL;
    unsigned char *exact = malloc(b.n);     /* exactly as long, so that a sanitizer sees a read beyond it */
    born_status st = BORN_NOMEM;

    if (exact) {
        memcpy(exact, b.p, b.n);
        st = born__gguf_read(exact, b.n, &g, err);
    }
    born__gguf_free(&g);
    born__bytes_free(&b);
    free(exact);
    return st;
}

#define REFUSED(want, ...)                                                                                            \
    do {                                                                                                              \
        plan p = good;                                                                                                \
        born_error err = { .status = BORN_OK };                                                                       \
        __VA_ARGS__;                                                                                                  \
        CHECK_MSG(try(&p, &err) == (want), "%s: %s", #__VA_ARGS__, err.text);                                       \
    } while (0)

TEST(a_good_file)
{
    born_error err;
    born_bytes b = make(&good);
    born_gguf *g = NULL;

    REQUIRE_OK(born__gguf_read(b.p, b.n, &g, &err), &err);
    const born_gguf_tensor *t = born__gguf_tensor_find(g, "b", 1);
    REQUIRE(t != NULL);
    CHECK(t->dtype == BORN_F32 && t->rank == 2 && t->dim[0] == 3 && t->dim[1] == 2 && t->bytes == 24);
    CHECK(t->data == b.p + b.n - 64);
    const born_gguf_pair *k = born__gguf_pair_find(g, "list", 4);
    REQUIRE(k != NULL);
    CHECK(k->type == GGUF_ARRAY && k->count == 2 && k->bytes == 8);
    CHECK(born__gguf_tensor_find(g, "c", 1) == NULL && born__gguf_pair_find(g, "lis", 3) == NULL);
    born__gguf_free(&g);
    born__bytes_free(&b);
}

TEST(hostile_headers)
{
    REFUSED(BORN_OK, (void)0);
    REFUSED(BORN_UNSUPPORTED, p.version = 0);
    REFUSED(BORN_UNSUPPORTED, p.version = 1);
    REFUSED(BORN_UNSUPPORTED, p.version = 4);
    REFUSED(BORN_UNSUPPORTED, p.version = 3u << 24);
    REFUSED(BORN_FORMAT, p.tensors = UINT64_MAX);
    REFUSED(BORN_FORMAT, p.pairs = UINT64_MAX);
    REFUSED(BORN_FORMAT, p.tensors = (uint64_t)1 << 58);
    REFUSED(BORN_FORMAT, p.key = "general.alignment");
    REFUSED(BORN_FORMAT, p.key = "");
    REFUSED(BORN_FORMAT, p.name_bytes = UINT64_MAX);
    REFUSED(BORN_FORMAT, p.name_bytes = 1 << 20);
    REFUSED(BORN_FORMAT, p.name[1] = "a");
    REFUSED(BORN_FORMAT, p.name[1] = "");
    REFUSED(BORN_FORMAT, p.align = 0);
    REFUSED(BORN_FORMAT, p.align = 48);
    REFUSED(BORN_FORMAT, p.align = 1u << 31);
    REFUSED(BORN_FORMAT, p.align_type = GGUF_I32);
    REFUSED(BORN_FORMAT, p.array_elem = GGUF_ARRAY);
    REFUSED(BORN_FORMAT, p.array_elem = 99);
    REFUSED(BORN_FORMAT, p.array_count = UINT64_MAX);
    REFUSED(BORN_FORMAT, p.array_count = UINT64_MAX / 4 + 2);
    REFUSED(BORN_FORMAT, p.array_elem = GGUF_STRING);
}

TEST(hostile_tensors)
{
    REFUSED(BORN_FORMAT, p.rank = 5);
    REFUSED(BORN_FORMAT, p.rank = UINT32_MAX);
    REFUSED(BORN_FORMAT, p.dim[0] = UINT64_MAX);
    REFUSED(BORN_FORMAT, p.dim[0] = (uint64_t)1 << 62; p.dim[1] = 16);
    REFUSED(BORN_FORMAT, p.dim[0] = (uint64_t)1 << 62);
    REFUSED(BORN_FORMAT, p.code = 4);
    REFUSED(BORN_FORMAT, p.code = 31);
    REFUSED(BORN_FORMAT, p.code = UINT32_MAX);
    REFUSED(BORN_FORMAT, p.code = 2);                       /* 3 elements are no block of 32 */
    REFUSED(BORN_FORMAT, p.offset[1] = 0);                  /* overlap */
    REFUSED(BORN_FORMAT, p.offset[1] = 128);                /* a hole */
    REFUSED(BORN_FORMAT, p.offset[0] = 64);
    REFUSED(BORN_FORMAT, p.data_bytes = 64 + 23);           /* cut */
    REFUSED(BORN_OK, p.data_bytes = 64 + 24);               /* the last needs no padding behind it */
    REFUSED(BORN_FORMAT, p.data_bytes = 0);
    REFUSED(BORN_OK, p.dim[0] = 0; p.offset[1] = 0; p.data_bytes = 0);
}

TEST(every_prefix)
{
    born_bytes b = make(&good);
    for (size_t n = 0; n < b.n - 40; n++) {
        born_gguf *g = NULL;
        born_error err = { .status = BORN_OK };
        unsigned char *part = malloc(n ? n : 1);
        REQUIRE(part != NULL);
        memcpy(part, b.p, n);
        CHECK_MSG(born__gguf_read(part, n, &g, &err) == BORN_FORMAT && err.text[0], "prefix of %zu bytes", n);
        free(part);
    }
    born__bytes_free(&b);
}

TEST_MAIN

/* The readers of data files: what they give, and that each bad file is a status and one line. Files are made here.
   ctest-labels: posix */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <born/codecs.h>

#include "harness.h"
#include "unit/data_helpers.h"

/* An error is one line that names what is wanted in it. */
static bool says(const born_error *err, born_status s, const char *part)
{
    return CHECK_MSG(err->status == s && strstr(err->text, part) != NULL && strchr(err->text, '\n') == NULL,
                     "%s: \"%s\", not %s with \"%s\"", born_status_name(err->status), err->text, born_status_name(s),
                     part);
}

/* --- IDX --- */

static size_t idx_images(unsigned char *b, unsigned n)
{
    const unsigned char head[16] = { 0, 0, 8, 3, 0, 0, 0, (unsigned char)n, 0, 0, 0, 2, 0, 0, 0, 3 };
    memcpy(b, head, 16);
    for (unsigned i = 0; i < n * 6; i++) b[16 + i] = (unsigned char)(i * 5);
    return 16 + n * 6;
}

static size_t idx_labels(unsigned char *b, unsigned n)
{
    const unsigned char head[8] = { 0, 0, 8, 1, 0, 0, 0, (unsigned char)n };
    memcpy(b, head, 8);
    for (unsigned i = 0; i < n; i++) b[8 + i] = (unsigned char)(i % 3);
    return 8 + n;
}

TEST(data_idx_gives_pixels_and_labels)
{
    unsigned char b[256];
    float x[6];
    uint8_t raw[6];
    int64_t y;
    born_error err = { 0 };
    born_dataset *set;
    born_field f;
    data_write("i", b, idx_images(b, 7));
    data_write("l", b, idx_labels(b, 7));
    REQUIRE_OK(born_dataset_open_idx(data_path("i"), data_path("l"), &set, &err), &err);
    CHECK_INT(born_dataset_count(set), 7);
    CHECK_INT(born_dataset_class_count(set), 3);
    CHECK_TEXT(born_dataset_class_name(set, 2), "2");
    CHECK_OK(born_dataset_field(set, 0, &f), &err);
    CHECK(f.dtype == BORN_F32 && f.shape.rank == 1 && f.shape.dim[0] == 6);
    REQUIRE(data_get(set, 4, x, &y, &err));
    float want = 125.0f / 255.0f;
    CHECK(memcmp(&x[1], &want, sizeof want) == 0 && y == 1);
    born_dataset_close(&set);
    born_idx_desc d = { .raw = true, .image = true };
    REQUIRE_OK(born_dataset_open_idx_with(data_path("i"), NULL, &d, &set, &err), &err);
    CHECK_OK(born_dataset_field(set, 0, &f), &err);
    CHECK(f.dtype == BORN_U8 && f.shape.rank == 3 && f.shape.dim[0] == 1 && f.shape.dim[1] == 2 && f.shape.dim[2] == 3);
    CHECK(data_get(set, 6, raw, NULL, &err) && raw[5] == 205);
    born_dataset_close(&set);
}

TEST(data_idx_pixels_are_exact_quotients)
{
    /* one item of 259: whole blocks and a rest */
    unsigned char b[12 + 259] = { 0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 1, 3 };
    float x[259];
    born_error err = { 0 };
    born_dataset *set;
    for (int i = 0; i < 259; i++) b[12 + i] = (unsigned char)(i * 3);
    REQUIRE_OK(born_dataset_open_idx(data_write("i", b, sizeof b), NULL, &set, &err), &err);
    REQUIRE(data_get(set, 0, x, NULL, &err));
    for (int i = 0; i < 259; i++) {
        float want = (float)b[12 + i] / 255.0f;
        CHECK(memcmp(&x[i], &want, sizeof want) == 0);
    }
    born_dataset_close(&set);
}

TEST(data_idx_bad_files_are_one_line)
{
    unsigned char b[256];
    born_error err = { 0 };
    born_dataset *set;
    size_t n = idx_images(b, 7);
    data_write("l", b, idx_labels(b, 7));
    n = idx_images(b, 7);
    for (size_t cut = 0; cut < n; cut++) {
        data_write("i", b, cut);
        CHECK(born_dataset_open_idx(data_path("i"), data_path("l"), &set, &err) == BORN_FORMAT && set == NULL);
    }
    says(&err, BORN_FORMAT, "truncated");
    b[n] = 0;
    data_write("i", b, n + 1);
    CHECK_STATUS(born_dataset_open_idx(data_path("i"), data_path("l"), &set, &err), BORN_FORMAT);
    memset(b + 4, 0xff, 12);                            /* absurd sizes */
    data_write("i", b, n);
    CHECK_STATUS(born_dataset_open_idx(data_path("i"), data_path("l"), &set, &err), BORN_FORMAT);
    n = idx_images(b, 7);
    b[2] = 0x0d;
    data_write("i", b, n);
    CHECK_STATUS(born_dataset_open_idx(data_path("i"), data_path("l"), &set, &err), BORN_UNSUPPORTED);
    n = idx_images(b, 6);
    data_write("i", b, n);
    CHECK(born_dataset_open_idx(data_path("i"), data_path("l"), &set, &err) != BORN_OK);
    says(&err, BORN_SHAPE, "does not label 6 images");
    n = idx_images(b, 7);
    data_write("i", b, n);
    born_idx_desc two = { .classes = 2 };
    CHECK(born_dataset_open_idx_with(data_path("i"), data_path("l"), &two, &set, &err) != BORN_OK);
    says(&err, BORN_RANGE, "item 2: label 2 of 2 classes");
    CHECK(born_dataset_open_idx(data_path("absent"), data_path("l"), &set, &err) != BORN_OK);
    says(&err, BORN_IO, "no such file");
}

/* --- compressed: a gzip file of one stored block, so that no compressor is needed --- */

static uint32_t crc32_of(const unsigned char *p, size_t n)
{
    uint32_t c = 0xffffffffu;
    for (size_t i = 0; i < n; i++) {
        c ^= p[i];
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
    }
    return ~c;
}

static size_t stored_block(unsigned char *to, const unsigned char *p, size_t n)
{
    to[0] = 1;
    to[1] = (unsigned char)(n & 255);
    to[2] = (unsigned char)(n >> 8);
    to[3] = (unsigned char)~to[1];
    to[4] = (unsigned char)~to[2];
    memcpy(to + 5, p, n);
    return n + 5;
}

static void put32(unsigned char *to, uint32_t v)
{
    for (int i = 0; i < 4; i++) to[i] = (unsigned char)(v >> 8 * i);
}

static size_t gzip(unsigned char *to, const unsigned char *p, size_t n)
{
    const unsigned char head[10] = { 0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3 };
    memcpy(to, head, 10);
    size_t at = 10 + stored_block(to + 10, p, n);
    put32(to + at, crc32_of(p, n));
    put32(to + at + 4, (uint32_t)n);
    return at + 8;
}

TEST(data_gzip_needs_a_codec_and_stops_at_the_limit)
{
    unsigned char b[256], z[512];
    born_error err = { 0 };
    born_dataset *set;
    float x[6];
    size_t n = gzip(z, b, idx_images(b, 7));
    data_write("i.gz", z, n);
    born_codecs_set(NULL);
    CHECK(born_dataset_open_idx(data_path("i.gz"), NULL, &set, &err) != BORN_OK);
    says(&err, BORN_UNSUPPORTED, "no codec");
    if ((born_codecs_built() & BORN_CODEC_ZLIB) == 0) SKIP("this build has no zlib");
    born_codecs_install();
    REQUIRE_OK(born_dataset_open_idx(data_path("i.gz"), NULL, &set, &err), &err);
    CHECK(born_dataset_count(set) == 7 && data_get(set, 6, x, NULL, &err) && x[5] > 0.80f && x[5] < 0.81f);
    born_dataset_close(&set);
    born_idx_desc small = { .max_bytes = 40 };
    CHECK(born_dataset_open_idx_with(data_path("i.gz"), NULL, &small, &set, &err) != BORN_OK);
    CHECK_STATUS(err.status, BORN_NOMEM);
    for (size_t cut = 2; cut < n; cut += 3) {
        data_write("i.gz", z, cut);
        CHECK(born_dataset_open_idx(data_path("i.gz"), NULL, &set, &err) == BORN_FORMAT);
    }
    z[30] ^= 1;
    data_write("i.gz", z, n);
    CHECK(born_dataset_open_idx(data_path("i.gz"), NULL, &set, &err) == BORN_FORMAT);
}

/* --- CSV --- */

static born_status csv(const char *text, const born_csv_desc *d, born_dataset **set, born_error *err)
{
    *err = (born_error){ 0 };
    return born_dataset_open_csv(data_write_text("t.csv", text), d, set, err);
}

TEST(data_csv_reads_headers_quotes_and_labels)
{
    born_error err;
    born_dataset *set;
    float x[3];
    int64_t y;
    static const char text[] = "\xEF\xBB\xBF"
                               "a,\"b \"\"q\"\"\",kind\r\n1,-2.5e1,\"red, dark\"\r\n\r\n3, 4 ,blue\n"
                               "5,6,\"red, dark\"";
    REQUIRE_OK(csv(text, NULL, &set, &err), &err);
    CHECK_INT(born_dataset_count(set), 3);
    CHECK_INT(born_dataset_class_count(set), 2);
    CHECK_TEXT(born_dataset_class_name(set, 0), "blue");
    CHECK_TEXT(born_dataset_class_name(set, 1), "red, dark");
    REQUIRE(data_get(set, 0, x, &y, &err));
    CHECK(x[0] > 0.9f && x[0] < 1.1f && x[1] > -25.1f && x[1] < -24.9f && y == 1);
    CHECK(data_get(set, 1, x, &y, &err) && y == 0 && x[1] > 3.9f);
    born_dataset_close(&set);

    born_csv_desc d = { .target = "kind", .columns = "c,a", .separator = ';' };
    REQUIRE_OK(csv("a;kind;b;c\n1;10;x;3\n4;9;y;6\n", &d, &set, &err), &err);
    CHECK_TEXT(born_dataset_class_name(set, 0), "9");           /* as numbers, not as text */
    CHECK(data_get(set, 0, x, &y, &err) && x[0] > 2.9f && x[1] < 1.1f && y == 1);
    born_dataset_close(&set);

    born_csv_desc numbers = { .no_header = true, .regression = true, .target = "0" };
    float target;
    REQUIRE_OK(csv("1.5,2,3\n4.5,5,6\n", &numbers, &set, &err), &err);
    CHECK_INT(born_dataset_count(set), 2);
    CHECK(data_get(set, 1, x, &target, &err) && target > 4.4f && target < 4.6f && x[1] > 5.9f);
    born_dataset_close(&set);
}

TEST(data_csv_errors_name_the_line)
{
    static const struct { const char *text; born_status status; const char *says; } rows[] = {
        { "", BORN_FORMAT, "line 1" },
        { "a,b,y\n", BORN_FORMAT, "line 2: no rows" },
        { "a,b,y\n1,2,x\n1,2\n", BORN_FORMAT, "line 3: 2 cells, the first row has 3" },
        { "a,b,y\n1,2,x,4\n", BORN_FORMAT, "line 2: more than the 3 cells" },
        { "a,b,y\n1,2,x\n\n1,nan,x\n", BORN_FORMAT, "line 4, column 'b': 'nan' is not a finite number" },
        { "a,b,y\n1,inf,x\n", BORN_FORMAT, "line 2, column 'b'" },
        { "a,b,y\n1,1e999,x\n", BORN_FORMAT, "line 2, column 'b'" },
        { "a,b,y\n1,1e39,x\n", BORN_FORMAT, "line 2, column 'b'" },
        { "a,b,y\n1,0x10,x\n", BORN_FORMAT, "line 2, column 'b'" },
        { "a,b,y\n1,,x\n", BORN_FORMAT, "line 2, column 'b': ''" },
        { "a,b,y\n\"1\n\",2,x\n", BORN_FORMAT, "line 2, column 'a'" },
        { "a,b,y\n1,2,\"x\ny\"\n1,red,x\n", BORN_FORMAT, "line 4, column 'b'" },
        { "a,b,y\n1,2,\n", BORN_FORMAT, "line 2, column 'y': '' is no label" },
        { "a,b,y\n1,2,\"x\n", BORN_FORMAT, "line 2: a quote is not closed" },
        { "a,b,y\n1,\"2\"3,x\n", BORN_FORMAT, "line 2: text after a closing quote" },
    };
    born_error err;
    born_dataset *set;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        CHECK(csv(rows[i].text, NULL, &set, &err) != BORN_OK && set == NULL);
        says(&err, rows[i].status, rows[i].says);
    }
    const char *const classes[] = { "x", "y" };
    born_csv_desc d = { .classes = classes, .class_count = 2 };
    CHECK(csv("a,y\n1,y\n2,z\n", &d, &set, &err) != BORN_OK);
    says(&err, BORN_RANGE, "line 3, column 'y': 'z' is none of the classes");
    born_csv_desc absent = { .target = "colour" }, tight = { .max_bytes = 20 };
    CHECK(csv("a,y\n1,y\n", &absent, &set, &err) != BORN_OK);
    says(&err, BORN_INVALID, "no column 'colour'");
    CHECK(csv("a,y\n1,y\n2,y\n3,y\n", &tight, &set, &err) != BORN_OK);
    CHECK_STATUS(err.status, BORN_NOMEM);
}

/* --- npy, npz --- */

static size_t npy(unsigned char *to, const char *descr, const char *order, const char *shape, const void *p, size_t n)
{
    char head[160];
    int k = snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n", descr, order, shape);
    memcpy(to, "\x93NUMPY\1\0", 8);
    to[8] = (unsigned char)(k & 255);
    to[9] = (unsigned char)(k >> 8);
    memcpy(to + 10, head, (size_t)k);
    if (n > 0) memcpy(to + 10 + k, p, n);
    return 10 + (size_t)k + n;
}

TEST(data_npy_reads_both_orders)
{
    unsigned char b[512];
    const float v[6] = { 0, 1, 2, 3, 4, 5 };
    float x[3];
    born_error err = { 0 };
    born_dataset *set;
    data_write("a.npy", b, npy(b, "<f4", "False", "(2, 3)", v, sizeof v));
    REQUIRE_OK(born_dataset_open_npy(data_path("a.npy"), NULL, 0, &set, &err), &err);
    CHECK(born_dataset_count(set) == 2 && data_get(set, 1, x, NULL, &err) && x[0] > 2.9f && x[2] > 4.9f);
    born_dataset_close(&set);
    data_write("a.npy", b, npy(b, "<f4", "True", "(2, 3)", v, sizeof v));
    REQUIRE_OK(born_dataset_open_npy(data_path("a.npy"), NULL, 0, &set, &err), &err);
    CHECK(data_get(set, 1, x, NULL, &err) && x[0] > 0.9f && x[0] < 1.1f && x[1] > 2.9f && x[2] > 4.9f);
    born_dataset_close(&set);
}

TEST(data_npy_bad_files_are_one_line)
{
    static const struct { const char *descr, *shape; size_t n; born_status status; } rows[] = {
        { "<f4", "(2, 3)", 23, BORN_FORMAT },           { "<f4", "(2, 3)", 20, BORN_FORMAT },
        { "<f4", "(2, 4)", 24, BORN_FORMAT },           { ">f4", "(2, 3)", 24, BORN_UNSUPPORTED },
        { "|O", "(2, 3)", 24, BORN_UNSUPPORTED },       { "<f4", "(2, -3)", 24, BORN_FORMAT },
        { "<f4", "()", 4, BORN_SHAPE },                 { "<f4", "2, 3", 24, BORN_FORMAT },
        { "<f4", "(4294967296, 4294967296, 6)", 24, BORN_FORMAT },
        { "<f4", "(99999999999999999999,)", 24, BORN_FORMAT },
        { "<f4", "(1,1,1,1,1,1,1,1,6)", 24, BORN_UNSUPPORTED },
    };
    unsigned char b[512];
    const float v[6] = { 0 };
    born_error err = { 0 };
    born_dataset *set;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        data_write("b.npy", b, npy(b, rows[i].descr, "False", rows[i].shape, v, rows[i].n));
        CHECK_STATUS(born_dataset_open_npy(data_path("b.npy"), NULL, 0, &set, &err), rows[i].status);
        says(&err, rows[i].status, "b.npy: ");
    }
    size_t n = npy(b, "<i8", "False", "(3,)", v, 24);
    data_write("b.npy", b, n);
    CHECK_STATUS(born_dataset_open_npy(data_path("b.npy"), NULL, 16, &set, &err), BORN_NOMEM);
    for (size_t cut = 0; cut < n; cut++) {
        data_write("b.npy", b, cut);
        CHECK_STATUS(born_dataset_open_npy(data_path("b.npy"), NULL, 0, &set, &err), BORN_FORMAT);
    }
}

/* A zip of one or two members, stored or as a stored block of deflate. */
static size_t zip(unsigned char *to, const char *const *name, const unsigned char *const *p, const size_t *n, int count,
                  bool deflated)
{
    unsigned char directory[256] = { 0 }, data[512];
    size_t at = 0, d = 0;
    for (int i = 0; i < count; i++) {
        size_t packed = n[i], name_n = strlen(name[i]);
        memcpy(data, p[i], n[i]);
        if (deflated) packed = stored_block(data, p[i], n[i]);
        unsigned char fields[26] = { 20, 0, 0, 0, deflated ? 8 : 0 };
        put32(fields + 10, crc32_of(p[i], n[i]));
        put32(fields + 14, (uint32_t)packed);
        put32(fields + 18, (uint32_t)n[i]);
        fields[22] = (unsigned char)name_n;
        memcpy(directory + d, "PK\1\2\24\0", 6);
        memcpy(directory + d + 6, fields, 26);
        put32(directory + d + 42, (uint32_t)at);
        memcpy(directory + d + 46, name[i], name_n);
        d += 46 + name_n;
        memcpy(to + at, "PK\3\4", 4);
        memcpy(to + at + 4, fields, 26);
        memcpy(to + at + 30, name[i], name_n);
        memcpy(to + at + 30 + name_n, data, packed);
        at += 30 + name_n + packed;
    }
    memcpy(to + at, directory, d);
    unsigned char *end = to + at + d;
    memset(end, 0, 22);
    memcpy(end, "PK\5\6", 4);
    end[8] = end[10] = (unsigned char)count;
    put32(end + 12, (uint32_t)d);
    put32(end + 16, (uint32_t)at);
    return at + d + 22;
}

TEST(data_npz_picks_its_members)
{
    unsigned char x[256], y[256], z[2048];
    const float v[6] = { 0, 1, 2, 3, 4, 5 };
    const int64_t label[2] = { 7, 8 }, more[3] = { 1, 2, 3 };
    const char *const name[2] = { "y_train.npy", "x_train.npy" };
    const unsigned char *const p[2] = { y, x };
    size_t n[2];
    float got[3];
    int64_t k;
    born_error err = { 0 };
    born_dataset *set;
    n[0] = npy(y, "<i8", "False", "(2,)", label, sizeof label);
    n[1] = npy(x, "<f4", "False", "(2, 3)", v, sizeof v);
    data_write("d.npz", z, zip(z, name, p, n, 2, false));
    REQUIRE_OK(born_dataset_open_npy(data_path("d.npz"), "x_train,y_train", 0, &set, &err), &err);
    CHECK(data_get(set, 1, got, &k, &err) && got[2] > 4.9f && k == 8);
    born_dataset_close(&set);
    CHECK_STATUS(born_dataset_open_npy(data_path("d.npz"), "x_train,y_test", 0, &set, &err), BORN_INVALID);
    born_codecs_set(NULL);
    size_t all = zip(z, name, p, n, 2, true);
    data_write("d.npz", z, all);
    CHECK(born_dataset_open_npy(data_path("d.npz"), NULL, 0, &set, &err) != BORN_OK);
    says(&err, BORN_UNSUPPORTED, "no codec");
    born_codecs_install();
    if ((born_codecs_built() & BORN_CODEC_ZLIB) != 0) {
        REQUIRE_OK(born_dataset_open_npy(data_path("d.npz"), "x_train,y_train", 0, &set, &err), &err);
        CHECK(data_get(set, 0, got, &k, &err) && got[2] > 1.9f && k == 7);
        born_dataset_close(&set);
    }
    for (size_t cut = 0; cut < all; cut += 7) {
        data_write("d.npz", z, cut);
        CHECK_STATUS(born_dataset_open_npy(data_path("d.npz"), NULL, 0, &set, &err), BORN_FORMAT);
    }
    n[0] = npy(y, "<i8", "False", "(3,)", more, sizeof more);
    data_write("d.npz", z, zip(z, name, p, n, 2, false));
    CHECK_STATUS(born_dataset_open_npy(data_path("d.npz"), NULL, 0, &set, &err), BORN_SHAPE);
}

/* --- text --- */

TEST(data_text_gives_windows_of_characters)
{
    born_error err = { 0 };
    born_dataset *set;
    int64_t x[4], y[4];
    born_text_desc d = { .window = 4, .stride = 2 };
    data_write_text("t.txt", "abc\xC3\xA9" "bca\n");        /* 8 characters of 5 kinds */
    REQUIRE_OK(born_dataset_open_text(data_path("t.txt"), &d, &set, &err), &err);
    CHECK_INT(born_dataset_count(set), 2);
    CHECK_INT(born_dataset_class_count(set), 5);
    CHECK_TEXT(born_dataset_class_name(set, 4), "\xC3\xA9");
    REQUIRE(data_get(set, 1, x, y, &err));
    CHECK(x[0] == 3 && x[1] == 4 && x[2] == 2 && x[3] == 3 && y[0] == 4 && y[3] == 1);
    born_dataset_close(&set);
    d.vocabulary = "cba\n";
    CHECK(born_dataset_open_text(data_path("t.txt"), &d, &set, &err) != BORN_OK);
    says(&err, BORN_RANGE, "line 1: character U+00E9");
    d.vocabulary = NULL;
    static const char *const bad[] = { "ab\ncd\xFF\nefgh", "a\nb\xC3", "a\nb\xED\xA0\x80xx", "a\n\xC0\x80yy" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        data_write_text("t.txt", bad[i]);
        CHECK(born_dataset_open_text(data_path("t.txt"), &d, &set, &err) != BORN_OK);
        says(&err, BORN_FORMAT, "line 2: not UTF-8");
    }
    data_write_text("t.txt", "abcd");
    CHECK_STATUS(born_dataset_open_text(data_path("t.txt"), &d, &set, &err), BORN_SHAPE);
    d.window = 0;
    CHECK_STATUS(born_dataset_open_text(data_path("t.txt"), &d, &set, &err), BORN_INVALID);
}

TEST(data_tokens_are_checked_against_the_vocabulary)
{
    born_error err = { 0 };
    born_dataset *set;
    uint16_t token[6] = { 5, 4, 3, 2, 1, 0 };
    int64_t x[2], y[2], negative[3] = { 1, -1, 0 };
    born_text_desc d = { .window = 2, .vocabulary_size = 6 };
    born_array a = BORN_ARRAY(token, 6), b = BORN_ARRAY(negative, 3);
    REQUIRE_OK(born_dataset_from_tokens(&a, &d, &set, &err), &err);
    CHECK(born_dataset_count(set) == 2 && data_get(set, 1, x, y, &err) && x[0] == 3 && y[1] == 1);
    born_dataset_close(&set);
    d.vocabulary_size = 5;
    CHECK_STATUS(born_dataset_from_tokens(&a, &d, &set, &err), BORN_RANGE);
    CHECK_STATUS(born_dataset_from_tokens(&b, &d, &set, &err), BORN_RANGE);
}

/* --- folders of pictures, by a codec of this test: "P" height width, then pixels --- */

static born_status tiny_size(void *user, const void *bytes, size_t n, int64_t *h, int64_t *w, born_error *err)
{
    const unsigned char *b = bytes;
    (void)user;
    if (n < 3 || b[0] != 'P' || n != 3 + 3u * b[1] * b[2]) {
        *err = (born_error){ .status = BORN_FORMAT, .text = "not a tiny picture" };
        return BORN_FORMAT;
    }
    *h = b[1];
    *w = b[2];
    return BORN_OK;
}

static born_status tiny_read(void *user, const void *bytes, size_t n, int64_t h, int64_t w, uint8_t *rgb,
                             born_error *err)
{
    (void)user;
    (void)n;
    (void)err;
    memcpy(rgb, (const unsigned char *)bytes + 3, (size_t)(h * w * 3));
    return BORN_OK;
}

TEST(data_images_come_by_class)
{
    const unsigned char red[3 + 12] = { 'P', 2, 2, 200, 0, 0, 200, 0, 0, 200, 0, 0, 200, 0, 0 };
    const born_codecs codecs = { .image_size = tiny_size, .image_read = tiny_read };
    born_error err = { 0 };
    born_dataset *set;
    float x[27];
    int64_t y;
    (void)mkdir(data_path("pics"), 0700);
    (void)mkdir(data_path("pics/b"), 0700);
    (void)mkdir(data_path("pics/a"), 0700);
    data_write("pics/b/1.png", red, sizeof red);
    data_write("pics/a/2.PNG", red, sizeof red);
    data_write("pics/a/notes.txt", red, 1);
    born_images_desc d = { .height = 3, .width = 3 };
    born_codecs_set(NULL);
    CHECK_STATUS(born_dataset_open_images(data_path("pics"), &d, &set, &err), BORN_UNSUPPORTED);
    born_codecs_set(&codecs);
    REQUIRE_OK(born_dataset_open_images(data_path("pics"), &d, &set, &err), &err);
    CHECK_INT(born_dataset_count(set), 2);
    CHECK_TEXT(born_dataset_class_name(set, 1), "b");
    REQUIRE(data_get(set, 1, x, &y, &err));
    CHECK(y == 1 && x[4] > 0.784f && x[4] < 0.785f && x[13] < 0.001f);
    data_write("pics/b/1.png", red, 7);
    CHECK(!data_get(set, 1, x, &y, &err));
    says(&err, BORN_FORMAT, "b/1.png: not a tiny picture");
    (void)unlink(data_path("pics/b/1.png"));
    CHECK(!data_get(set, 1, x, &y, &err) && err.status == BORN_IO);
    REQUIRE(symlink("../a/2.PNG", data_path("pics/b/1.png")) == 0);
    CHECK(!data_get(set, 1, x, &y, &err) && err.status == BORN_INVALID);
    born_dataset_close(&set);
    CHECK_STATUS(born_dataset_open_images(data_path("nothing"), &d, &set, &err), BORN_IO);
    (void)mkdir(data_path("empty"), 0700);
    CHECK_STATUS(born_dataset_open_images(data_path("empty"), &d, &set, &err), BORN_FORMAT);
    born_codecs_install();
}

/* --- the real thing, where it is installed --- */

TEST(data_fashion_mnist_is_read)
{
#define FASHION "/usr/share/datasets/fashion-mnist/"
    born_error err = { 0 };
    born_dataset *set;
    born_loader *l;
    born_array f[2];
    int64_t seen[10] = { 0 };
    if (access(FASHION "t10k-images-idx3-ubyte.gz", R_OK) != 0) SKIP("Debian's dataset-fashion-mnist is not installed");
    if ((born_codecs_built() & BORN_CODEC_ZLIB) == 0) SKIP("this build has no zlib");
    born_codecs_install();
    REQUIRE_OK(born_dataset_open_idx(FASHION "t10k-images-idx3-ubyte.gz", FASHION "t10k-labels-idx1-ubyte.gz", &set,
                                     &err), &err);
    CHECK_INT(born_dataset_count(set), 10000);
    born_loader_desc d = { .batch = 64, .shuffle = true, .seed = 1, .workers = 2 };
    REQUIRE_OK(born_loader_open(set, &d, &l, &err), &err);
    while (born_loader_next(l, f, 2)) {
        CHECK(f[0].shape.dim[1] == 784);
        for (int64_t i = 0; i < f[1].shape.dim[0]; i++) seen[((const int64_t *)f[1].data)[i]]++;
    }
    for (int i = 0; i < 10; i++) CHECK_INT(seen[i], 1000);
    born_loader_close(&l);
    born_dataset_close(&set);
}

TEST_MAIN

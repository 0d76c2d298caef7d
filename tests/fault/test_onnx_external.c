/* External tensor data, attacked: paths that leave the folder, links, odd files, keys, offsets and lengths that lie.
   After CVE-2022-25882, CVE-2024-27318, CVE-2026-27489 (traversal), CVE-2026-34446 (hard links), CVE-2026-34447
   (symbolic links), CVE-2026-34445 (keys, offsets), GHSA-q56x-g2fj-4rj6 (check and use). ctest-labels: posix */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "harness.h"
#if defined(__wasi__)
TEST(nothing_here) { SKIP("no links, no temporary folders, no maps"); }
#else
#include "support_model.h"
#include "support_pb.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[256];

static const char *in_folder(const char *name)
{
    static char path[4][512];
    static int at;

    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", folder, name);
    return path[at];
}

static void put_file(const char *path, const void *p, size_t n)
{
    FILE *f = fopen(path, "wb");

    if (!f || fwrite(p, 1, n, f) != n || fclose(f)) exit(2);
}

static const float weights[4] = { 1, 2, 3, 4 };

/* <folder>/in/ is the model's folder; outside.bin lies beside it. */
static bool set_up(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/born-XXXXXX", base && base[0] ? base : P_tmpdir);
    if (!mkdtemp(folder) || mkdir(in_folder("in"), 0700) || mkdir(in_folder("in/sub"), 0700)) return false;
    put_file(in_folder("outside.bin"), weights, sizeof weights);
    put_file(in_folder("in/w.bin"), weights, sizeof weights);
    put_file(in_folder("in/sub/w.bin"), weights, sizeof weights);
    return true;
}

static void tear_down(void)
{
    static const char *const files[] = { "in/model.onnx", "in/w.bin", "in/sub/w.bin", "in/link.bin", "in/inner.bin",
                                         "in/hard.bin", "in/fifo", "in/away", "in/sub", "in", "outside.bin" };

    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (unlink(in_folder(files[i]))) (void)rmdir(in_folder(files[i]));
    (void)rmdir(folder);
}

typedef struct entry {
    const char *key, *value;
    size_t value_n;             /* 0: as long as the text */
} entry;

/* y = x + w with w [2] outside. */
static void put_model(const entry *e, int count, bool also_raw)
{
    pbw graph = { 0 }, t = { 0 }, one = { 0 };
    const int64_t dim[1] = { 2 };

    pbw_node(&graph, "Add", "x", "w", "y", NULL);
    pbw_int(&t, 1, 2);
    pbw_int(&t, 2, 1);
    pbw_text(&t, 8, "w");
    if (also_raw) pbw_bytes(&t, 9, weights, 8);
    for (int i = 0; i < count; i++) {
        pbw_text(&one, 1, e[i].key);
        pbw_bytes(&one, 2, e[i].value, e[i].value_n ? e[i].value_n : strlen(e[i].value));
        pbw_message(&t, 13, &one);
    }
    pbw_int(&t, 14, 1);
    pbw_message(&graph, 5, &t);
    pbw_value(&graph, 11, "x", dim, 1);
    pbw_value(&graph, 12, "y", dim, 1);
    pbw m = pbw_model(&graph, 13);
    put_file(in_folder("in/model.onnx"), m.p, m.n);
    pbw_free(&m);
}

static born_status open_model(born_model **m, born_error *err)
{
    *err = (born_error){ .status = BORN_OK };
    return born_model_open(in_folder("in/model.onnx"), NULL, m, err);
}

static void refused(const char *what, const entry *e, int count)
{
    born_model *m = NULL;
    born_error err;

    put_model(e, count, false);
    born_status st = open_model(&m, &err);
    CHECK_MSG(st != BORN_OK && !m, "%s was accepted", what);
    CHECK_MSG(st == BORN_OK || err.text[0], "%s: no text", what);
    born_model_close(&m);
}

static void refused_path(const char *path)
{
    refused(path, &(entry){ "location", path, 0 }, 1);
}

TEST(data_in_the_folder_is_read)
{
    float x[2] = { 10, 20 };
    born_array in = BORN_ARRAY(x, 2), out;
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err;
    const float *y;
    size_t n;

    REQUIRE(set_up());
    const entry e[] = { { "location", "sub/w.bin", 0 }, { "offset", "4", 0 }, { "length", "8", 0 },
                        { "checksum", "0", 0 } };
    put_model(e, 4, false);
    if (CHECK_OK(open_model(&m, &err), &err) && CHECK_OK(born_session_open(m, NULL, &s, &err), &err) &&
        CHECK_OK(born_session_run(s, &in, 1, &out, 1, &err), &err) &&
        CHECK_OK(born_array_f32(&out, &y, &n, &err), &err)) {
        CHECK_INT(n, 2);
        CHECK(y[0] > 11.9f && y[0] < 12.1f && y[1] > 22.9f && y[1] < 23.1f);
    }
    born_session_close(&s);
    born_model_close(&m);
    tear_down();
}

TEST(paths_that_leave_the_folder)
{
    char absolute[512];

    REQUIRE(set_up());
    refused_path("../outside.bin");
    refused_path("sub/../../outside.bin");
    refused_path("./../outside.bin");
    refused_path("sub/../w.bin");
    refused_path("");
    refused_path("sub");
    refused_path(".");
    refused_path("/etc/hostname");
    snprintf(absolute, sizeof absolute, "%s", in_folder("in/w.bin"));
    refused_path(absolute);
    refused("a NUL in the path", &(entry){ "location", "w.bin\0.txt", 10 }, 1);
    refused_path("missing.bin");
    tear_down();
}

TEST(links_and_odd_files)
{
    REQUIRE(set_up());
    REQUIRE(!symlink("../outside.bin", in_folder("in/link.bin")));
    REQUIRE(!symlink("w.bin", in_folder("in/inner.bin")));
    REQUIRE(!symlink("..", in_folder("in/away")));
    REQUIRE(!link(in_folder("outside.bin"), in_folder("in/hard.bin")));
    REQUIRE(!mkfifo(in_folder("in/fifo"), 0600));
    refused_path("link.bin");
    refused_path("inner.bin");
    refused_path("away/outside.bin");
    refused_path("hard.bin");
    refused_path("fifo");
    tear_down();
}

TEST(keys_offsets_and_lengths)
{
    static const char *const bad[] = { "-1", "18446744073709551615", "18446744073709551616", "9223372036854775807",
                                       "17", "13", "", " 0", "0x0", "1e1", "99999999999999999999999999" };

    REQUIRE(set_up());
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const entry off[] = { { "location", "w.bin", 0 }, { "offset", bad[i], 0 } };
        const entry len[] = { { "location", "w.bin", 0 }, { "length", bad[i], 0 } };
        refused(bad[i], off, 2);
        refused(bad[i], len, 2);
    }
    const entry unknown[] = { { "location", "w.bin", 0 }, { "__class__", "x", 0 } };
    const entry base[] = { { "location", "w.bin", 0 }, { "basepath", "/", 0 } };
    const entry twice[] = { { "location", "w.bin", 0 }, { "location", "sub/w.bin", 0 } };
    refused("an unknown key", unknown, 2);
    refused("basepath", base, 2);
    refused("a key given twice", twice, 2);
    refused("no location", &(entry){ "offset", "0", 0 }, 1);
    tear_down();
}

TEST(data_in_both_places)
{
    born_model *m = NULL;
    born_error err;

    REQUIRE(set_up());
    put_model(&(entry){ "location", "w.bin", 0 }, 1, true);
    CHECK_STATUS(open_model(&m, &err), BORN_FORMAT);
    born_model_close(&m);
    tear_down();
}

TEST(models_in_memory_have_no_folder)
{
    born_model *m = NULL;
    born_error err = { .status = BORN_OK };
    unsigned char bytes[4096];

    REQUIRE(set_up());
    put_model(&(entry){ "location", "w.bin", 0 }, 1, false);
    FILE *f = fopen(in_folder("in/model.onnx"), "rb");
    REQUIRE(f != NULL);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    CHECK_STATUS(born_model_open_memory(bytes, n, NULL, &m, &err), BORN_UNSUPPORTED);
    born_model_close(&m);
    tear_down();
}
#endif

TEST_MAIN

/* A model's file that is cut or rewritten while it is mapped: wrong numbers or status IO, never a signal.
   ctest-labels: posix */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "harness.h"
#if defined(__wasi__)
TEST(nothing_here) { SKIP("no links, no temporary folders, no maps"); }
#else
#include "support_model.h"

#include <unistd.h>

static char path[512];

static bool copy_model(const char *from)
{
    const char *base = getenv("TMPDIR");
    size_t n = 0;
    unsigned char *bytes = support_read(from, &n);

    if (!bytes) return false;
    snprintf(path, sizeof path, "%s/born-XXXXXX", base && base[0] ? base : P_tmpdir);
    int fd = mkstemp(path);
    bool good = fd >= 0 && write(fd, bytes, n) == (ssize_t)n;
    if (fd >= 0) close(fd);
    free(bytes);
    return good;
}

static void run_after(int (*change)(void), born_load load)
{
    born_model_desc md = { .load = load };
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err = { .status = BORN_OK };

    born_status guard = born_guard_install(&err);
    if (guard == BORN_UNSUPPORTED) SKIP("no guard here");
    REQUIRE_OK(guard, &err);
    if (!copy_model("onnx/models/ultraface_rfb320/model.onnx")) SKIP("ultraface_rfb320 is not there");
    if (CHECK_OK(born_model_open(path, &md, &m, &err), &err)) {
        static float image[3 * 240 * 320];
        born_array in = BORN_ARRAY(image, 1, 3, 240, 320), outs[2];
        CHECK_INT(change(), 0);
        born_status st = born_session_open(m, NULL, &s, &err);
        if (!st) st = born_session_run(s, &in, 1, outs, 2, &err);
        CHECK_MSG(st == BORN_OK || st == BORN_IO, "status %s: %s", born_status_name(st), err.text);
        if (load == BORN_COPY) CHECK_INT(st, BORN_OK);
    }
    born_session_close(&s);
    born_model_close(&m);
    unlink(path);
}

static int cut(void)
{
    return truncate(path, 1000);
}

static int cut_to_nothing(void)
{
    return truncate(path, 0);
}

/* Every byte from the middle on becomes 0xff: NaN weights, lengths that would be huge if anyone read them again. */
static int rewrite(void)
{
    FILE *f = fopen(path, "r+b");
    unsigned char junk[4096];

    if (!f) return 1;
    memset(junk, 0xff, sizeof junk);
    for (int i = 0; i < 300; i++)
        if (fwrite(junk, 1, sizeof junk, f) != sizeof junk) return fclose(f), 1;
    return fclose(f);
}

TEST(cut_while_mapped) { run_after(cut, BORN_MAP); }
TEST(emptied_while_mapped) { run_after(cut_to_nothing, BORN_MAP); }
TEST(rewritten_while_mapped) { run_after(rewrite, BORN_MAP); }
TEST(cut_after_copy) { run_after(cut, BORN_COPY); }
TEST(rewritten_after_copy) { run_after(rewrite, BORN_COPY); }
#endif

TEST_MAIN

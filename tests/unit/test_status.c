/* Errors, the log, bounded text, hash, control word, limits, clock. ctest-labels: cross */
#include "base/cgroup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fpenv.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memlimit.h"
#include "base/text.h"
#include "harness.h"

TEST(status_names_and_texts)
{
    CHECK_TEXT(born_status_name(BORN_OK), "OK");
    CHECK_TEXT(born_status_name(BORN_SHAPE), "SHAPE");
    CHECK_TEXT(born_status_text(BORN_NOMEM), "out of memory, or above max_bytes");
    CHECK_TEXT(born_status_name((born_status)999), "UNKNOWN");
    CHECK_TEXT(born_status_text((born_status)-1), "unknown status");
    char version[32];
    (void)snprintf(version, sizeof version, "%d.%d.%d", BORN_VERSION_MAJOR, BORN_VERSION_MINOR, BORN_VERSION_PATCH);
    CHECK_TEXT(born_version(), version);
}

static born_status try_twice(born_status first, born_error *err)
{
    BORN_TRY(first);
    BORN_FAIL_IF(true, err, BORN_RANGE, "second: %d", 2);
    return BORN_OK;
}

TEST(status_errors_are_one_bounded_line)
{
    born_error err;
    CHECK_STATUS(born__fail(&err, BORN_SHAPE, "matmul: inner sizes differ: K=%d and K=%d", 64, 32), BORN_SHAPE);
    CHECK_TEXT(err.text, "matmul: inner sizes differ: K=64 and K=32");
    CHECK(err.status == BORN_SHAPE && err.file == NULL && err.line == 0);
    born__error_prefix(&err, "node %s", "a");
    CHECK_TEXT(err.text, "node a: matmul: inner sizes differ: K=64 and K=32");
    CHECK_STATUS(born__fail(&err, BORN_FORMAT, "name %s", "a\nb\x1b[2J\x7f"), BORN_FORMAT);
    CHECK_TEXT(err.text, "name a?b?[2J?");
    CHECK_STATUS(born__fail(&err, BORN_FORMAT, "again: %s", err.text), BORN_FORMAT);
    CHECK_TEXT(err.text, "again: name a?b?[2J?");
    char wide[1000];
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    CHECK_STATUS(born__fail(&err, BORN_IO, "%s", wide), BORN_IO);
    CHECK_INT(strlen(err.text), sizeof err.text - 1);
    born__error_prefix(&err, "p");
    CHECK_INT(strlen(err.text), sizeof err.text - 1);
    CHECK(strncmp(err.text, "p: xxx", 6) == 0);
    born__error_prefix(&err, "%s", wide);
    CHECK(strlen(err.text) < sizeof err.text);
    CHECK_STATUS(born__fail(NULL, BORN_IO, "nobody listens"), BORN_IO);
    born__error_prefix(NULL, "nobody");
    CHECK_STATUS(try_twice(BORN_OK, &err), BORN_RANGE);
    CHECK_STATUS(try_twice(BORN_IO, &err), BORN_IO);
}

static char logged[300];
static void keep_line(void *user, born_status s, const char *text)
{
    ++*(int *)user;
    (void)snprintf(logged, sizeof logged, "%s %s", born_status_name(s), text);
}

TEST(status_log_goes_to_the_hook)
{
    int calls = 0;
    born__log(BORN_IO, "lost");
    born_log_set(keep_line, &calls);
    born__log(BORN_STATE, "error %d at close", 3);
    born_log_set(NULL, NULL);
    born__log(BORN_IO, "lost");
    CHECK_INT(calls, 1);
    CHECK_TEXT(logged, "STATE error 3 at close");
}

TEST(text_is_cut_with_a_mark)
{
    char buf[12];
    born_text t = born__text_in(buf, sizeof buf);
    born__text_add(&t, "%d,%d", 1, 2);
    born__text_put(&t, ";abc", 4);
    CHECK_TEXT(buf, "1,2;abc");
    born__text_add(&t, "%s", "defg");
    CHECK(!t.cut);
    CHECK_TEXT(buf, "1,2;abcdefg");
    born__text_put(&t, "h", 1);
    CHECK(t.cut);
    CHECK_TEXT(buf, "1,2;abcd...");
    born__text_add(&t, "more");
    CHECK_TEXT(buf, "1,2;abcd...");
    char one[1];
    t = born__text_in(one, 1);
    born__text_add(&t, "x");
    CHECK_TEXT(one, "");
    char two[3];
    t = born__text_in(two, sizeof two);
    born__text_put(&t, "abc", 3);
    CHECK_TEXT(two, "..");
}

TEST(hash_is_stable_and_spreads)
{
    unsigned char data[100];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (unsigned char)(i * 37 + 11);
    uint64_t seen[101];
    for (size_t n = 0; n <= sizeof data; n++) {
        seen[n] = born__hash(data, n, 0);
        for (size_t k = 0; k < n; k++) CHECK(seen[k] != seen[n]);
    }
    /* every single bit of the input changes about half of the output */
    for (size_t bit = 0; bit < sizeof data * 8; bit++) {
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        uint64_t other = born__hash(data, sizeof data, 0) ^ seen[sizeof data];
        data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        int flips = __builtin_popcountll(other);
        CHECK_MSG(flips >= 10 && flips <= 54, "bit %zu flips %d bits", bit, flips);
    }
    CHECK(born__hash(data, 10, 1) != born__hash(data, 10, 2));
    CHECK(born__hash_u64(0, 1) != born__hash_u64(1, 0));
    /* fixed for ever: files and logs may carry these */
    CHECK(born__hash("", 0, 0) == UINT64_C(0x6f15b1033f49e9a2));
    CHECK(born__hash("The quick brown fox jumps over the lazy dog", 43, 7) == UINT64_C(0xe722bc8e48211aab));
}

TEST(fpenv_is_plain_inside_and_restored)
{
    volatile float tiny = 1e-38f, half = 0.25f;
    born_fpenv before = born__fpenv_enter();
    CHECK(tiny * half > 0.0f);          /* subnormal, not flushed */
    born__fpenv_leave(before);
#if defined(__SSE__)
    uint64_t word = born__fpenv_get();
    born__fpenv_put(word | 0x8040u | 0x2000u);      /* flush to zero, denormals are zero, round down */
    uint64_t set = born__fpenv_get();
    born_fpenv old = born__fpenv_enter();
    CHECK(tiny * half > 0.0f);
    CHECK_INT(born__fpenv_get() & 0xe040u, 0);
    born__fpenv_leave(old);
    CHECK_INT(born__fpenv_get() & 0xffc0u, set & 0xffc0u);
    born__fpenv_put(word);
#endif
}

TEST(limits_and_clock_are_sane)
{
    CHECK(born__memory_limit() > 0);
    CHECK(born__cgroup_cpus() >= 0);
    CHECK(born__cgroup_memory() > 0);
    double a = born__clock_seconds(), b = born__clock_seconds();
    CHECK(b >= a);
}

TEST_MAIN

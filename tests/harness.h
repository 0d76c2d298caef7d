/* The test harness: one header, no library, so that the same tests build for every target. A file of tests is a
   program: TEST(name) { ... } registers itself; TEST_MAIN at the end of the file makes main, which runs all tests, or
   those whose name contains the first argument, and ends with "N passed, N failed, N skipped".
   Exit code: 0 all passed, 1 something failed, 77 everything was skipped. A failed CHECK is printed and the test goes
   on; REQUIRE and SKIP leave the test. The macros count from any one thread only. */
#ifndef BORN_TESTS_HARNESS_H
#define BORN_TESTS_HARNESS_H
#include <born/base.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HARNESS_MOST_TESTS 512
#define HARNESS_MOST_PRINTED 20     /* failures printed per test */

typedef struct harness_test {
    const char *name;
    void (*run)(void);
} harness_test;

static harness_test harness_tests[HARNESS_MOST_TESTS];
static int harness_count, harness_failures, harness_checks;
static bool harness_skipped;

BORN_PRINTF(3, 4) static inline bool harness_fail(const char *file, int line, const char *fmt, ...)
{
    if (++harness_failures > HARNESS_MOST_PRINTED) return false;
    printf("  %s:%d: ", file, line);
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    return false;
}

static inline bool harness_text_equal(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static inline void harness_add(const char *name, void (*run)(void))
{
    if (harness_count == HARNESS_MOST_TESTS) return;
    harness_tests[harness_count].name = name;
    harness_tests[harness_count++].run = run;
}

#define TEST(name)                                                                                                    \
    static void test_##name(void);                                                                                    \
    __attribute__((constructor)) static void harness_add_##name(void)                                                 \
    {                                                                                                                 \
        harness_add(#name, test_##name);                                                                              \
    }                                                                                                                 \
    static void test_##name(void)

/* Each CHECK is an expression: true where it held. */
#define CHECK(cond) (harness_checks++, (cond) ? true : harness_fail(__FILE__, __LINE__, "%s", #cond))
#define CHECK_MSG(cond, ...) (harness_checks++, (cond) ? true : harness_fail(__FILE__, __LINE__, __VA_ARGS__))
#define CHECK_INT(a, b) harness_check_int(__FILE__, __LINE__, #a, (long long)(a), (long long)(b))
#define CHECK_TEXT(a, b) harness_check_text(__FILE__, __LINE__, #a, (a), (b))
#define CHECK_STATUS(expr, want) harness_check_status(__FILE__, __LINE__, #expr, (expr), (want), NULL)
#define CHECK_OK(expr, err) harness_check_status(__FILE__, __LINE__, #expr, (expr), BORN_OK, (err))
#define REQUIRE(cond)                                                                                                 \
    do {                                                                                                              \
        if (!CHECK(cond)) return;                                                                                     \
    } while (0)
#define REQUIRE_OK(expr, err)                                                                                         \
    do {                                                                                                              \
        if (!CHECK_OK(expr, err)) return;                                                                             \
    } while (0)
#define SKIP(...)                                                                                                     \
    do {                                                                                                              \
        printf("  skipped: ");                                                                                        \
        printf(__VA_ARGS__);                                                                                          \
        printf("\n");                                                                                                 \
        harness_skipped = true;                                                                                       \
        return;                                                                                                       \
    } while (0)

static inline bool harness_check_int(const char *file, int line, const char *what, long long a, long long b)
{
    harness_checks++;
    return a == b ? true : harness_fail(file, line, "%s is %lld, not %lld", what, a, b);
}

static inline bool harness_check_text(const char *file, int line, const char *what, const char *a, const char *b)
{
    harness_checks++;
    if (harness_text_equal(a, b)) return true;
    return harness_fail(file, line, "%s is \"%s\", not \"%s\"", what, a ? a : "(null)", b ? b : "(null)");
}

static inline bool harness_check_status(const char *file, int line, const char *what, born_status got,
                                        born_status want, const born_error *err)
{
    harness_checks++;
    if (got == want) return true;
    return harness_fail(file, line, "%s gave %s, not %s%s%s", what, born_status_name(got), born_status_name(want),
                        err != NULL ? ": " : "", err != NULL ? err->text : "");
}

static inline int harness_main(int argc, char **argv)
{
    int passed = 0, failed = 0, skipped = 0;
    setvbuf(stdout, NULL, _IOLBF, 1 << 12);
    for (int i = 0; i < harness_count; i++) {
        if (argc > 1 && strstr(harness_tests[i].name, argv[1]) == NULL) continue;
        harness_failures = 0;
        harness_skipped = false;
        printf("%s\n", harness_tests[i].name);
        harness_tests[i].run();
        if (harness_failures > 0) {
            printf("FAIL %s: %d checks failed\n", harness_tests[i].name, harness_failures);
            failed++;
        } else if (harness_skipped) {
            skipped++;
        } else {
            passed++;
        }
    }
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0 ? 1 : passed == 0 && skipped > 0 ? 77 : 0;
}

#define TEST_MAIN                                                                                                     \
    int main(int argc, char **argv)                                                                                   \
    {                                                                                                                 \
        return harness_main(argc, argv);                                                                              \
    }

#endif

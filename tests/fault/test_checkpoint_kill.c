/* A process killed at a random moment of writing a checkpoint leaves the old file or the new one, whole, and at most
   one file beside it, which the next writer uses again. ctest-labels: posix */
#define _GNU_SOURCE
#include <born/born.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

enum { KILLS = 200, COUNT = 40000 };

static float values[COUNT];

/* Writes state k: every value of it is k, so that a mixture shows. */
static born_status save(const char *path, int64_t k, born_error *err)
{
    born_checkpoint *c = NULL;
    born_status st = born_checkpoint_new(&c, err);

    for (int i = 0; i < COUNT; i++) values[i] = (float)k;
    if (!st) st = born_checkpoint_put(c, "a", &BORN_ARRAY(values, COUNT), err);
    if (!st) st = born_checkpoint_put(c, "b", &BORN_ARRAY(values, COUNT / 2, 2), err);
    if (!st) st = born_checkpoint_put_int(c, "k", k, err);
    if (!st) st = born_checkpoint_write(c, path, err);
    born_checkpoint_close(&c);
    return st;
}

/* The state that the file holds; -1: unreadable or mixed. */
static int64_t load(const char *path, born_error *err)
{
    born_checkpoint *c = NULL;
    born_array a;
    int64_t k = -1;

    if (born_checkpoint_open(path, BORN_COPY, &c, err) || born_checkpoint_int(c, "k", &k, err)) return -1;
    for (int t = 0; t < 2; t++) {
        if (born_checkpoint_get(c, t ? "b" : "a", &a, err) || a.bytes != sizeof values) k = -1;
        for (int i = 0; k >= 0 && i < COUNT; i++)
            if (((const float *)a.data)[i] != (float)k) k = -1;
    }
    born_checkpoint_close(&c);
    return k;
}

static void child(const char *path, int64_t first)
{
    born_error err;
    for (int64_t k = first; save(path, k, &err) == BORN_OK; k++) continue;
    _exit(1);
}

TEST(old_or_new_always)
{
    char path[64], beside[80];
    born_error err = { .status = BORN_OK };
    int64_t last = 1, moved = 0;
    unsigned seed = 12345;

    snprintf(path, sizeof path, "born_kill_%ld.born", (long)getpid());
    snprintf(beside, sizeof beside, "%s.part", path);
    REQUIRE_OK(save(path, last, &err), &err);
    for (int i = 0; i < KILLS; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) child(path, last + 1);
        seed = seed * 1664525u + 1013904223u;
        nanosleep(&(struct timespec){ 0, (long)(seed >> 8) % 30000000 }, NULL);
        kill(pid, SIGKILL);
        int how = 0;
        waitpid(pid, &how, 0);
        CHECK(WIFSIGNALED(how));
        int64_t k = load(path, &err);
        CHECK_MSG(k >= last, "kill %d: state %lld after %lld: %s", i, (long long)k, (long long)last, err.text);
        if (k < last) break;
        moved += k > last;
        last = k;
    }
    printf("  %d kills, %lld of them after a state was saved, %lld states\n", KILLS, (long long)moved, (long long)last);
    CHECK_OK(save(path, last + 1, &err), &err);
    CHECK(access(beside, F_OK) != 0);
    remove(path);
}

/* A limit on the size of files stands for a full disk: one clear status, the old file stays, and nothing beside it. */
TEST(no_room)
{
    char path[64], beside[80];
    born_error err = { .status = BORN_OK };
    int how = 0;

    snprintf(path, sizeof path, "born_room_%ld.born", (long)getpid());
    snprintf(beside, sizeof beside, "%s.part", path);
    REQUIRE_OK(save(path, 1, &err), &err);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        struct rlimit room = { 100000, 100000 };
        signal(SIGXFSZ, SIG_IGN);
        if (setrlimit(RLIMIT_FSIZE, &room) != 0) _exit(2);
        _exit(save(path, 2, &err) == BORN_IO && strstr(err.text, "too large") ? 0 : 1);
    }
    waitpid(pid, &how, 0);
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 0);
    CHECK_INT(load(path, &err), 1);
    CHECK(access(beside, F_OK) != 0);
    remove(path);
}

TEST_MAIN

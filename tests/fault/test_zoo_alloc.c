/* The nth allocation fails while a recipe is opened, prepared and loaded, for every n until none is met: a status with
   one line, nothing leaks. Memory stays short in one sweep and fails once in the other.
   ctest-labels: posix */
#define _DEFAULT_SOURCE
#include <born/born.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"

static long long countdown = -1, held;  /* -1: never fail */
static bool once, failed;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) {
        failed = true;
        if (once) countdown = -1;
        return NULL;
    }
    if (countdown > 0) countdown--;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    held += p != NULL;
    return p;
}
static void failing_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user, (void)bytes, (void)align;
    held -= p != NULL;
    free(p);
}

enum { MOST = 20000 };

static char folder[64], table[96], text[96], checkpoint[128];

static bool write_file(const char *path, const char *line, int lines)
{
    FILE *f = fopen(path, "w");
    if (!f) return false;
    if (line[0] == '%') fprintf(f, "a,b,c\n");
    for (int i = 0; i < lines; i++) {
        if (line[0] == '%')
            fprintf(f, "%d,%d,%s\n", i % 7, i % 5, i % 7 > 3 ? "more" : "less");
        else
            fprintf(f, "%d %s\n", i % 10, line);
    }
    return fclose(f) == 0;
}

static born_status open_small(const char *recipe, const char *data, born_recipe **r, born_error *err)
{
    const char *const options[][2] = {
        { "data", data }, { "width", "8" }, { "layers", "1" },  { "batch", "4" },   { "steps", "2" },
        { "out", folder }, { "heads", "2" }, { "threads", "1" }, { "context", "8" }, { "ema", "0.9" },
    };
    born_status st = born_recipe_open(recipe, r, err);
    for (size_t i = 0; i < sizeof options / sizeof *options && !st; i++)
        if (born_recipe_get(*r, options[i][0])) st = born_recipe_set(*r, options[i][0], options[i][1], err);
    return st ? st : born_recipe_prepare(*r, NULL, err);
}

/* Opens and prepares, or loads, with the nth allocation failing; false when none was met. */
static bool try_once(const char *recipe, const char *data, long long n)
{
    born_error err = { 0 };
    born_recipe *r = NULL;
    long long before = held;

    failed = false;
    countdown = n;
    born_status st = data ? open_small(recipe, data, &r, &err) : born_recipe_load(checkpoint, 1, &r, &err);
    countdown = -1;
    if (failed) /* often NOMEM; STATE or INVALID where a part that is dead is missed first */
        CHECK_MSG(st == BORN_OK || (st == err.status && err.text[0]), "%s, n %lld: %s: '%s'", recipe, n,
                  born_status_name(st), err.text);
    else
        CHECK_MSG(st == BORN_OK, "%s: %s", recipe, err.text);
    CHECK_MSG(!strchr(err.text, '\n'), "more than one line");
    born_recipe_close(&r);
    CHECK_MSG(held == before, "%s, n %lld: %lld blocks leak", recipe, n, held - before);
    return failed;
}

static void sweep(const char *recipe, const char *data)
{
    for (int round = 0; round < 2; round++) {
        long long n = 0;
        once = round == 1;
        /* the first hundred one by one, then every third */
        while (n < MOST && harness_failures == 0 && try_once(recipe, data, n)) n += n < 100 ? 1 : 3;
        CHECK_MSG(n > 20 && n < MOST, "%s: %lld allocations", recipe, n);
    }
}

static bool make_data(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/born_zoo_alloc_%ld", (long)getpid());
    (void)mkdir(folder, 0700);
    (void)snprintf(table, sizeof table, "%s/t.csv", folder);
    (void)snprintf(text, sizeof text, "%s/t.txt", folder);
    (void)snprintf(checkpoint, sizeof checkpoint, "%s/best.born", folder);
    return write_file(table, "%", 60) && write_file(text, "so und so", 60);
}

/* Everything that the process keeps is there before the sweeps. */
static void make_checkpoint(const char *recipe, const char *data)
{
    born_error err = { 0 };
    born_recipe *r = NULL;
    born_train_result result;
    CHECK_MSG(!open_small(recipe, data, &r, &err), "%s", err.text);
    if (r && born_recipe_trainer(r))
        CHECK_MSG(!born_trainer_run(born_recipe_trainer(r), &result, &err), "%s", err.text);
    born_recipe_close(&r);
}

TEST(zoo_runs_out_of_memory)
{
    const born_allocator a = { failing_alloc, failing_release, NULL };
    born_allocator_set(&a);
    REQUIRE(make_data());
    make_checkpoint("gpt", text);
    sweep("gpt", text);
    sweep("gpt", NULL);
    make_checkpoint("tabular", table);
    sweep("tabular", table);
    sweep("tabular", NULL);
    born_allocator_set(NULL);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf '%s'", folder);
    CHECK_INT(system(command), 0);
}

TEST_MAIN

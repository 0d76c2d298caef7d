/* torch_cases DIR [--fuse]: runs every reference case from PyTorch below DIR (a folder with case.json and case.npz),
   over born_fuse where asked. Prints "FAIL <case>: <reason>" for each that fails, "SKIP <case>: <reason>" for each that
   is not run, and last "N passed, N failed, N skipped". Exit code 1 if any failed, 2 for wrong usage, 3 where DIR
   cannot be read. */
#define _POSIX_C_SOURCE 200809L     /* scandir, lstat */
#include <dirent.h>
#include <sys/stat.h>

#include "torch_optim.h"

typedef struct totals {
    int passed, failed, skipped;
    born_device *device;
} totals;

static const struct { const char *kind; tc_kind run; } kinds[] = {
    { "op", tc_run_gradient_case },
    { "grad2", tc_run_gradient_case },
    { "loss", tc_run_gradient_case },
    { "module", tc_run_gradient_case },
    { "init", tc_run_init_case },
    { "optim", tc_run_optim_case },
    { "sched", tc_run_sched_case },
};

static tc_result run_case(tc_case *c, born_device *d, char *why)
{
    const char *kind = tc_string(c->json, "kind", "");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(kinds[i].kind, kind) == 0) return kinds[i].run(c, d, why);
    }
    snprintf(why, TC_TEXT, "kind \"%.40s\" is not run yet", kind);
    return TC_SKIPPED;
}

static void visit_case(const char *folder, totals *t)
{
    char why[TC_TEXT] = "";
    tc_case *c = calloc(1, sizeof *c);
    if (c == NULL) return;
    tc_result r = tc_case_open(c, folder, why) ? run_case(c, t->device, why) : TC_FAILED;
    if (r == TC_PASSED) {
        t->passed++;
    } else {
        /* the last two parts of the path: cases of different kinds share names */
        const char *name = strrchr(folder, '/');
        while (name != NULL && name > folder && name[-1] != '/') name--;
        printf("%s %s: %s\n", r == TC_FAILED ? "FAIL" : "SKIP", name != NULL ? name : folder, why);
        *(r == TC_FAILED ? &t->failed : &t->skipped) += 1;
    }
    tc_case_close(c);
    free(c);
}

static bool has(const char *folder, const char *file)
{
    char path[1100];
    struct stat s;
    int n = snprintf(path, sizeof path, "%s/%s", folder, file);
    return n > 0 && (size_t)n < sizeof path && stat(path, &s) == 0;
}

static int not_hidden(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static void visit(const char *folder, totals *t, int depth)
{
    if (has(folder, "case.json") && has(folder, "case.npz")) {
        visit_case(folder, t);
        return;
    }
    struct dirent **list = NULL;
    int n = depth < 16 ? scandir(folder, &list, not_hidden, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        char path[1024];
        struct stat s;
        int length = snprintf(path, sizeof path, "%s/%s", folder, list[i]->d_name);
        if (length > 0 && (size_t)length < sizeof path && lstat(path, &s) == 0 && S_ISDIR(s.st_mode)) {
            visit(path, t, depth + 1);
        }
        free(list[i]);
    }
    free(list);
}

static bool fuses;

born_backend *tc_leaf(born_device *d) { return fuses ? born_fuse(born_cpu_on(d)) : born_cpu_on(d); }

int main(int argc, char **argv)
{
    struct stat s;
    fuses = argc == 3 && !strcmp(argv[2], "--fuse");
    if (argc != 2 && !fuses) {
        fprintf(stderr, "usage: torch_cases DIR [--fuse]\n");
        return 2;
    }
    if (stat(argv[1], &s) != 0 || !S_ISDIR(s.st_mode)) {
        fprintf(stderr, "torch_cases: no folder %s\n", argv[1]);
        return 3;
    }
    totals t = { .device = born_device_cpu(&(born_cpu_desc){ .threads = 1 }) };
    visit(argv[1], &t, 0);
    born_device_close(&t.device);
    printf("%d passed, %d failed, %d skipped\n", t.passed, t.failed, t.skipped);
    return t.failed > 0;
}

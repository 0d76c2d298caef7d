/* born verify in parts: finding test cases, running one, comparing answers. */
#ifndef BORN_VERIFY_H
#define BORN_VERIFY_H
#include "cli.h"

typedef struct verify_options {
    cli_common common;
    double rtol, atol;
    const char *match;          /* only cases whose path contains this */
    bool hash, in_process;
    long timeout_s;
} verify_options;

typedef struct verify_list {
    char **path;                /* folders, sorted */
    size_t count, cap;
} verify_list;

typedef enum verify_outcome { VERIFY_PASSED, VERIFY_FAILED, VERIFY_SKIPPED } verify_outcome;

/* Plain data: it goes through a pipe. */
typedef struct verify_result {
    verify_outcome outcome;
    int sets;
    uint64_t hash;              /* of all outputs of all sets */
    double seconds;
    char reason[440];
} verify_result;

/* verify_cases.c: every folder below `root`, itself included, that has a model.onnx. IO where root cannot be read. */
born_status verify_find(const char *root, verify_list *list, born_error *err);
void verify_sort(verify_list *list);
void verify_free(verify_list *list);

/* verify_case.c: runs all data sets of a folder in this process. */
void verify_case(const char *folder, const verify_options *o, verify_result *r);

/* verify_child.c: the same in a process of its own, so that a crash or a hang is a failure like any other. */
void verify_apart(const char *folder, const verify_options *o, verify_result *r);

/* verify_compare.c: true where got is what is wanted; else `why` says what differs. Shape and dtype exactly, numbers
   that are no floats exactly, floats within abs(x - y) <= atol + rtol * abs(y); NaN equals NaN, infinities
   themselves. */
bool verify_compare(const born_array *got, const born_array *want, double rtol, double atol, char *why, size_t why_n);
#endif

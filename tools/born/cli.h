/* What the verbs of the command line share: options, messages, JSON, tensors from files. The tool uses public headers
   only; it alone reads the environment, prints and exits. */
#ifndef BORN_CLI_H
#define BORN_CLI_H
#include <born/model.h>
#include <born/tool.h>
#include <stdio.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_MISSING = 3 };   /* exit codes */

typedef struct cli_verb {
    const char *name, *usage, *summary, *help;
    int (*run)(int argc, char **argv);      /* argv[0] is the verb */
    void (*more)(int argc, char **argv);    /* prints help that is not one text; NULL: none */
} cli_verb;
extern const cli_verb cli_verbs[];          /* main.c; ends with name NULL */

/* --- options: cli_args.c --- */
typedef struct cli_args {
    int argc, at;
    char **argv;
    const char *value;          /* of "--name=value" */
} cli_args;
cli_args cli_begin(int argc, char **argv);
bool cli_next(cli_args *a);                                     /* the next argument, which the others look at */
bool cli_flag(const cli_args *a, const char *name);
/* "--name value" or "--name=value"; *value is NULL where the value is missing. */
bool cli_value(cli_args *a, const char *name, const char **value);
bool cli_is_option(const cli_args *a);
const char *cli_word(const cli_args *a);
/* Numbers: false, and a message, where the text is not one in range. "64M", "2G" in sizes. */
bool cli_int(const char *verb, const char *option, const char *text, long lo, long hi, long *out);
bool cli_real(const char *verb, const char *option, const char *text, double *out);
bool cli_size(const char *verb, const char *option, const char *text, size_t *out);

/* Options that several verbs have. */
typedef struct cli_common {
    long threads;
    size_t max_bytes;
    bool json;
    const char *passes_off;
} cli_common;
/* 1: taken, 0: not one of these, -1: wrong (said so). */
int cli_common_option(cli_args *a, cli_common *c);
#define CLI_COMMON_HELP                                                                                               \
    "  --threads N         threads to use (default: what the machine allows)\n"                                       \
    "  --backend NAME      cpu (the only one in this build)\n"                                                        \
    "  --max-bytes SIZE    most memory to take, such as 512M (default: what the machine allows)\n"                    \
    "  --passes-off LIST   graph passes not to run, or 'all'\n"                                                       \
    "  --json              print the result as JSON\n"

/* --- messages --- */
int cli_usage_error(const char *verb, const char *fmt, ...) BORN_PRINTF(2, 3);  /* returns CLI_USAGE */
int cli_fail(const char *verb, const char *what, const born_error *err);        /* returns the exit code */
int cli_fail_text(int code, const char *verb, const char *fmt, ...) BORN_PRINTF(3, 4);
/* A bar on stderr when that is a terminal; total 0 ends it. */
void cli_progress(const char *what, long done, long total);
const char *cli_bytes(double bytes, char buf[24]);      /* "1.5 MiB" */
const char *cli_count_text(int64_t n, char buf[32]);    /* "60,000" */
const char *cli_clock(double seconds, char buf[24]);    /* "1:02:03", "4:05", "12.3 s" */
bool cli_utf8(void);                                    /* whether the locale's characters are UTF-8 */
double cli_seconds(void);
size_t cli_peak_memory(void);                           /* of this process, bytes; 0 unknown */

/* --- JSON on stdout: cli_json.c --- */
typedef struct cli_json {
    int depth;
    bool filled, after_key;
    bool one_line;
} cli_json;
void cli_json_open(cli_json *j, char bracket);          /* { or [ */
void cli_json_close(cli_json *j, char bracket);
void cli_json_key(cli_json *j, const char *key);
void cli_json_text(cli_json *j, const char *text);
void cli_json_real(cli_json *j, double v);
void cli_json_int(cli_json *j, int64_t v);
void cli_json_bool(cli_json *j, bool v);
void cli_json_dims(cli_json *j, const int64_t *dim, int rank);  /* -1 becomes null */
void cli_json_end(void);                                /* the last line break */

/* --- tensors: io_*.c --- */
typedef struct cli_tensor {
    born_array a;
    void *memory;               /* malloc'd; NULL: a.data is Born's, for born_array_free */
    char name[128];             /* as the file says; "" if it does not */
} cli_tensor;
void cli_tensor_free(cli_tensor *t);
bool cli_tensor_new(cli_tensor *t, born_dtype dtype, const int64_t *dim, int rank, size_t max_bytes, born_error *err);
born_status cli_error(born_error *err, born_status s, const char *fmt, ...) BORN_PRINTF(3, 4);
/* A whole file in memory; IO where it cannot be had. */
born_status cli_read_file(const char *path, size_t max_bytes, unsigned char **bytes, size_t *count, born_error *err);
int64_t cli_count(const born_shape *s);                 /* elements; shapes here were checked */
size_t cli_elem_bytes(born_dtype t);
double cli_element(const born_array *a, int64_t i);     /* any element as a number */
void cli_store(born_dtype t, void *p, int64_t i, double v);

/* How pictures become numbers: (pixel - mean) / std. */
typedef struct cli_picture {
    double mean[3], std[3];
    bool bgr;
} cli_picture;
/* Reads `path` by its ending as a value for `want` (NULL: no model to fit; then pictures are refused). Several tensors
   only from .npz. *out is for cli_tensor_free on each, then free. */
born_status cli_read_tensors(const char *path, const born_value_info *want, const cli_picture *p, size_t max_bytes,
                             cli_tensor **out, int *count, born_error *err);
born_status cli_npy_parse(const unsigned char *bytes, size_t n, size_t max_bytes, cli_tensor *out, born_error *err);
born_status cli_npz_parse(const unsigned char *bytes, size_t n, size_t max_bytes, cli_tensor **out, int *count,
                          born_error *err);
born_status cli_csv_parse(const unsigned char *bytes, size_t n, const born_value_info *want, size_t max_bytes,
                          cli_tensor *out, born_error *err);
born_status cli_image_parse(const unsigned char *bytes, size_t n, const born_value_info *want, const cli_picture *p,
                            size_t max_bytes, cli_tensor *out, born_error *err);
/* Writes .npy, .csv or .bin by the ending of path. */
born_status cli_write_tensor(const char *path, const born_array *a, born_error *err);

/* --- values for a model's inputs: cli_inputs.c --- */
typedef struct cli_inputs {
    cli_tensor *t;              /* one per input */
    born_array *a;
    bool *given;
    int count;
} cli_inputs;
typedef struct cli_input_options {
    const char *spec[64];       /* "[name=]FILE", "rand", "zeros" */
    const char *dim[32];        /* "symbol=N" */
    int spec_count, dim_count;
    cli_picture picture;
    size_t max_bytes;
} cli_input_options;
/* 1: taken, 0: not one of these, -1: wrong. */
int cli_input_option(const char *verb, cli_args *a, cli_input_options *o);
#define CLI_INPUT_HELP                                                                                                \
    "  --input [NAME=]FILE .npy .npz .pb .csv .png .jpg, or the words rand or zeros; without NAME in the order\n"     \
    "                      of the graph; bare rand or zeros fill every input that is left\n"                          \
    "  --dim NAME=N        size of a symbolic dimension for rand and zeros (default 1); INPUT.AXIS=N where it has\n"   \
    "                      no name\n"                                                                                 \
    "  --mean M[,M,M] --std S[,S,S] --bgr   pictures become (pixel - M) / S, pixels 0 to 255 (default 0 and 255)\n"
born_status cli_inputs_make(const born_model *m, const cli_input_options *o, cli_inputs *out, born_error *err);
void cli_inputs_free(cli_inputs *in);
bool cli_split(const char *text, char *name, size_t n, const char **rest);  /* "name=rest"; false: no '=' */

/* --- printing --- */
void cli_print_shape(const int64_t *dim, const char *const *symbol, int rank);
void cli_print_value(const char *name, const born_array *a, char *const *labels, int label_count, int top);
void cli_json_value(cli_json *j, const born_array *a, int most);
uint64_t cli_hash(const born_array *a, uint64_t seed);  /* of dtype, shape and elements; all NaN are one */

/* --- the verbs --- */
int cmd_run(int argc, char **argv);
int cmd_train(int argc, char **argv);
void cmd_train_more(int argc, char **argv);
int cmd_predict(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_ops(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_help(int argc, char **argv);
#endif

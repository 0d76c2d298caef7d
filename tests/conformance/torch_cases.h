/* Reference cases from PyTorch: what the parts of the program torch_cases share. A case is a folder with case.json and
   case.npz (tc_case); a call (tc_call) is one PyTorch function applied to tensors of a Born chain; a row (tc_row) says
   how a function of PyTorch is expressed by Born's public operators. Rows know PyTorch's names, argument names and
   defaults, never the name of a case. */
#ifndef BORN_TORCH_CASES_H
#define BORN_TORCH_CASES_H
#include <born/born.h>
#include <born/call.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TC_MOST_ARRAYS = 512, TC_MOST_IN = 24, TC_MOST_OUT = 64, TC_MOST_DIMS = 32, TC_TEXT = 400 };

/* ---- cases ---- */

typedef struct tc_array {
    char name[96];
    born_array a;               /* its data is owned by the case */
} tc_array;

typedef struct tc_case {
    char path[1024];
    json_t *json;
    unsigned char *file;        /* case.npz, whole */
    tc_array array[TC_MOST_ARRAYS];
    int arrays;
    born_dtype real;            /* the type of every floating array of the case */
} tc_case;

/// Reads a folder; false with one line in `why` if it is not a well-formed case. tc_case_close in any event.
bool tc_case_open(tc_case *c, const char *folder, char *why);
void tc_case_close(tc_case *c);
/// Reads the arrays of a .npz whose members are stored, as views into c->file.
bool tc_npz_read(tc_case *c, const char *path, char *why);
const born_array *tc_find_array(const tc_case *c, const char *name);
const char *tc_string(const json_t *object, const char *key, const char *otherwise);

/* ---- calls ---- */

struct tc_call;
typedef born_tensor (*tc_unary)(born_tensor, const born_site *);
typedef born_tensor (*tc_binary)(born_tensor, born_tensor, const born_site *);
typedef struct tc_row {
    const char *name;               /* PyTorch's */
    const char *params;             /* its parameters in order with their defaults, as JSON with single quotes */
    void (*run)(struct tc_call *k);
    tc_unary unary;                 /* or: input -> this operator */
    tc_unary unary_real;            /*     the same, integers becoming floats first */
    tc_binary binary;               /*     input, other -> this operator, of their common type */
    born_module *(*make)(struct tc_call *k, born_module *parent, const char *name);     /* or: a module, run on */
    const char *operands;           /*     these inputs, in this order */
} tc_row;

typedef struct tc_call {
    const tc_row *row;
    const tc_case *from;            /* where a module's state comes from; NULL for calls within calls */
    born_module *root, *module;
    int wanted;                     /* how many results */
    born_backend *b;
    born_dtype real;                /* PyTorch's default float type here */
    json_t *args, *defaults;
    const char *name[TC_MOST_IN];   /* of each input */
    born_tensor in[TC_MOST_IN];
    int n_in;
    born_tensor out[TC_MOST_OUT];
    int n_out;
    char why[TC_TEXT];              /* the first thing that went wrong, or "" */
} tc_call;

/// The row of a PyTorch name; NULL where there is none.
const tc_row *tc_find_row(const char *name);
/// Runs a call whose row, chain, arguments and inputs are set; the results are in k->out. False: k->why.
bool tc_call_run(tc_call *k);
void tc_read_defaults(tc_call *k);          /* into k->defaults, to be given up */
/// The name of a row's parameter by position; false behind the last.
bool tc_param_at(const tc_row *row, int at, char *name, size_t room);
/// Runs a row on the inputs of `like` where `in` and `names` are NULL, and on other arguments where args is given.
born_tensor tc_call_other(tc_call *like, const char *row, json_t *args, const char *const *names,
                          const born_tensor *in, int n_in);

BORN_PRINTF(2, 3) void tc_fail(tc_call *k, const char *format, ...);
void tc_out(tc_call *k, born_tensor x);
/// Input by name; {0} where absent.
born_tensor tc_in(const tc_call *k, const char *name);
/// Input by name, or the number of that argument in like's type (in a float type if it is no whole number).
born_tensor tc_operand(tc_call *k, const char *name, born_tensor like);
/// The list name.0, name.1, ...; returns how many.
int tc_list(const tc_call *k, const char *name, born_tensor *list, int most);

/// An argument, else its default; NULL for null.
json_t *tc_arg(const tc_call *k, const char *name);
bool tc_none(const tc_call *k, const char *name);
double tc_number(const json_t *v);
double tc_num(const tc_call *k, const char *name);
int64_t tc_int(const tc_call *k, const char *name);
bool tc_flag(const tc_call *k, const char *name);
const char *tc_text(const tc_call *k, const char *name);
bool tc_says(const tc_call *k, const char *name, const char *word);

typedef struct tc_ints {
    int64_t v[TC_MOST_DIMS];
    int n;
    bool none;                      /* the argument is null */
} tc_ints;
/// An int or a list of ints.
tc_ints tc_ints_of(const tc_call *k, const char *name);
/// The same as dims of a tensor of that rank: from 0 on.
tc_ints tc_dims(const tc_call *k, const char *name, int rank);
/// One number per spatial dim; null gives `otherwise`.
tc_ints tc_spatial(const tc_call *k, const char *name, int rank, const tc_ints *otherwise);
/// A shape from an int or a list of ints.
born_shape tc_shape(const tc_call *k, const char *name);
#define TC_SPAN(i) ((born_ints){ (i).v, (i).n })

/* ---- tensors ---- */

static const born_tensor tc_absent = { 0 };
static inline bool tc_given(born_tensor x) { return x.w != 0; }
bool tc_is_real(born_dtype t);
born_dtype tc_dtype_named(const char *torch_name);
born_tensor tc_to(born_tensor x, born_dtype t);
born_tensor tc_to_real(tc_call *k, born_tensor x);      /* integers and bools to the default float type */
born_tensor tc_to_bool(born_tensor x);
/// Both to their common type, as PyTorch promotes.
void tc_promote(tc_call *k, born_tensor *x, born_tensor *y);
born_tensor tc_full_like(tc_call *k, born_tensor x, double v);
born_tensor tc_full(tc_call *k, born_dtype t, born_shape s, double v);
born_tensor tc_i64s(tc_call *k, const int64_t *v, born_shape s);
born_tensor tc_f64s(tc_call *k, const double *v, born_shape s, born_dtype t);
int tc_rank(born_tensor x);
int64_t tc_size(born_tensor x, int dim);
int64_t tc_count(born_tensor x);
/// Elements of an integer or bool tensor, to be freed; NULL and tc_fail on failure.
int64_t *tc_read_ints(tc_call *k, born_tensor x);
born_shape tc_broadcast(tc_call *k, born_shape x, born_shape y);
born_shape tc_drop_dim(born_shape s, int dim);

born_tensor tc_sum_all(born_tensor x);
born_tensor tc_reduce_axes(born_tensor (*f)(born_tensor, born_ints, const born_reduce_attrs *, const born_site *),
                           born_tensor x, const tc_ints *dims, bool keep);
born_tensor tc_slice(born_tensor x, int dim, int64_t start, int64_t end, int64_t step);
born_tensor tc_select(born_tensor x, int dim, int64_t at);
born_tensor tc_swap(born_tensor x, int a, int b);
born_tensor tc_move_dim(born_tensor x, int from, int to);
born_tensor tc_unsqueeze(born_tensor x, int dim);
born_tensor tc_squeeze(born_tensor x, int dim);
born_tensor tc_flat(born_tensor x);
born_tensor tc_stack(const born_tensor *x, int n, int dim);
/// x's elements at flat indices (host numbers) in a new shape.
born_tensor tc_pick(tc_call *k, born_tensor x, const int64_t *at, born_shape s);
/// The value of `value` with the gradient of `slope`.
born_tensor tc_through(born_tensor value, born_tensor slope);
/// An operator by its name in `born ops`, with its attributes as text.
born_tensor tc_by_name(tc_call *k, const char *op, const born_tensor *in, int n_in, const char *attrs);

/* Functions that several families use. */
born_tensor tc_norm(tc_call *k, born_tensor x, double p, const tc_ints *dims, bool keep);
born_tensor tc_sort(tc_call *k, born_tensor x, int dim, bool descending, born_tensor *indices);
born_tensor tc_signbit(born_tensor x);
born_tensor tc_sqrt_safe(tc_call *k, born_tensor x);    /* its gradient at 0 is 0 */
born_tensor tc_remainder(born_tensor x, born_tensor y);
born_tensor tc_adaptive_avg(tc_call *k, born_tensor x, const tc_ints *size);
born_tensor tc_pairwise(tc_call *k, born_tensor x, born_tensor y, double p, double eps, bool keep);
born_tensor tc_index(tc_call *k, born_tensor x, const json_t *index);

/* ---- modules ---- */

/// Makes, loads and runs the module of k's row; the results are in k->out.
void tc_module_run(tc_call *k);
/// A module of PyTorch's class with that constructor call's text, "Linear(3, 5)" or "LogSoftmax(dim=1)".
born_module *tc_module_parse(tc_call *k, born_module *parent, const char *name, const char *text);
/// The same with arguments.
born_module *tc_module_make(tc_call *k, born_module *parent, const char *name, const char *row, json_t *args);

/* ---- running ---- */

typedef enum tc_result { TC_PASSED, TC_FAILED, TC_SKIPPED } tc_result;
/// The chain under the autodiffs: a leaf, with born_fuse over it where the program was told so.
born_backend *tc_leaf(born_device *d);
typedef tc_result (*tc_kind)(tc_case *c, born_device *d, char *why);
tc_result tc_run_gradient_case(tc_case *c, born_device *d, char *why);     /* op, grad2, loss, module */
tc_result tc_run_init_case(tc_case *c, born_device *d, char *why);

/// Compares a tensor with an expected array of the case; false with a line in `why`.
bool tc_compare(const tc_case *c, const char *expected, born_tensor got, char *why);
/// The same for numbers on the host, in C order.
bool tc_compare_host(const tc_case *c, const char *expected, const double *got, const born_shape *shape, char *why);
/// A tensor for an array of the case, laid out as the case says; `input` names it in "layout" (NULL: dense).
born_tensor tc_tensor(const tc_case *c, born_backend *b, const char *array, const char *input, char *why);
/// Runs the formula of a note over a case's inputs. `is` tells whether there is one.
bool tc_formula_is(const tc_case *c);
bool tc_formula_run(tc_call *k, const char *text);

#endif

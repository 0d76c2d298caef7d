/* What shape rules and reference kernels share: operands, axes, host operands, and walking strided views.
   Kernels keep to one pattern: pick the typed body, describe the walk over operands as a born_nd, and let
   born__nd_for hand them runs of elements with constant byte steps. Typed bodies are written once in a `.inc` file
   and included for each dtype (each_float.inc, each_num.inc, each_size.inc), so that a debugger steps through them. */
#ifndef BORN_OPS_REF_H
#define BORN_OPS_REF_H
#include <string.h>

#include <born/attrs.h>

#include "base/checked.h"
#include "base/error.h"
#include "ops/rows_decl.h"
#include "tensor/view.h"

/* The attributes of a call, rule or gradient (all have a member `attrs`). */
#define BORN_ATTRS_OF(set, c) ((const born_##set##_attrs *)(c)->attrs)

static inline bool born__has(const born_call *c, int i)
{
    return i < c->in_count && c->in[i].dtype != BORN_DTYPE_NONE;
}
static inline bool born__infer_has(const born_infer *f, int i)
{
    return i < f->in_count && f->in[i].dtype != BORN_DTYPE_NONE;
}

/* ---- shape rules ---- */

/* Fails with the op's name before the text. */
born_status born__infer_fail(born_infer *f, born_status s, const char *fmt, ...) BORN_PRINTF(3, 4);
/* The shape of operand i as text, for messages like "a [2,3], b [4]"; lives as long as the block around it. */
#define born__infer_shape(f, i) born__shape_text((f)->in[i].dim, (f)->in[i].rank, (char[96]){ 0 }, 96)

static inline void born__out_like(born_infer *f, int o, const born_view *v)    /* dims of v; dtype where still unset */
{
    if (o >= f->out_count) return;
    f->out[o].rank = v->rank;
    memcpy(f->out[o].dim, v->dim, sizeof v->dim);
    if (f->out[o].dtype == BORN_DTYPE_NONE) f->out[o].dtype = v->dtype;
}
static inline void born__out_set(born_infer *f, int o, born_dtype t, int rank, const int64_t *dim)
{
    if (o >= f->out_count) return;
    f->out[o].dtype = t;
    f->out[o].rank = rank;
    for (int i = 0; i < rank && i < BORN_MAX_RANK; i++) f->out[o].dim[i] = dim[i];
}

/* Axis in [-rank, rank) to [0, rank). */
born_status born__axis(born_infer *f, int64_t axis, int rank, int *out);
/* The same for a list; a bit per axis; one given twice is INVALID. */
born_status born__axes(born_infer *f, const int64_t *v, int64_t n, int rank, uint32_t *mask);
/* Copies integer host operand i (rank 0 or 1, i32 or i64 or any integer dtype) into out[0..cap), its size to *count.
   STATE where its value is not known yet; SHAPE where it has more than cap elements or rank above 1. */
born_status born__host_i64(born_infer *f, int i, int64_t *out, int64_t cap, int64_t *count);
born_status born__host_f64(born_infer *f, int i, double *out, int64_t cap, int64_t *count);

/* ---- kernels: single values ---- */

/* Element k of a rank 0 or 1 integer operand, through its stride. */
static inline int64_t born__at_i64(const born_view *v, int64_t k)
{
    int64_t at = v->rank > 0 ? k * v->stride[0] : 0;
    return born__load_i64(v->dtype, v->data + at * born__dtype_info(v->dtype)->size);
}
static inline double born__at_f64(const born_view *v, int64_t k)
{
    int64_t at = v->rank > 0 ? k * v->stride[0] : 0;
    return born__load_f64(v->dtype, v->data + at * born__dtype_info(v->dtype)->size);
}
static inline int born__elem_size(const born_view *v) { return born__dtype_info(v->dtype)->size; }
/* A kernel's own dispatch found no body for a dtype: the row's mask and the code disagree. */
static inline born_status born__no_body(const born_call *c, const born_exec *x)
{
    return born__fail(x->err, BORN_INTERNAL, "%s: no reference for %s", c->op->name, born_dtype_name(c->in[0].dtype));
}

/* ---- kernels: walking ---- */

/* A walk over up to BORN_ND_OPS operands in step. `dim` are the walk's sizes after merging; step[k][d] is operand k's
   byte step along dim d (0: broadcast). Order of elements is row-major over the dims given, unless born__nd_free_order
   was called. */
enum { BORN_ND_OPS = 20 };
typedef struct born_nd {
    int rank, ops;
    int64_t total;                              /* elements in all */
    int64_t dim[BORN_MAX_RANK];
    int64_t step[BORN_ND_OPS][BORN_MAX_RANK];
    char *base[BORN_ND_OPS];
} born_nd;

/* Starts a walk over `rank` dims. */
void born__nd_start(born_nd *w, const int64_t *dim, int rank);
/* Adds v, broadcast to the walk's dims (numpy rules; v fits, by the shape rule). Returns its number. */
int born__nd_add(born_nd *w, const born_view *v);
/* Adds an operand by address and element strides along the walk's dims (before merging). */
int born__nd_add_raw(born_nd *w, char *data, const int64_t *stride, int elem_size);
/* Lets the walk visit elements in any order: sorts dims by operand 0's steps, so that channels-last runs are dense. */
void born__nd_free_order(born_nd *w);
/* Merges dims that every operand crosses without a jump, drops dims of 1. Call last. */
void born__nd_merge(born_nd *w);

/* Called with n elements; operand k's are at p[k] + j * step[k]. */
typedef void (*born_nd_body)(void *ctx, char *const *p, const int64_t *step, int64_t n);
/* Visits elements [begin, end) on the calling thread. */
void born__nd_range(const born_nd *w, int64_t begin, int64_t end, born_nd_body body, void *ctx);
/* Visits all elements, cut anywhere, on the pool. */
void born__nd_for(const born_nd *w, const born_exec *x, int64_t grain, born_nd_body body, void *ctx);
/* Address of operand k at linear walk index i (division per dim: for starts of rows, not inner loops). */
char *born__nd_at(const born_nd *w, int k, int64_t i);

/* The byte offset of the element with linear row-major index i over dims [0, rank). */
static inline int64_t born__offset_of(const int64_t *dim, const int64_t *stride, int rank, int64_t i)
{
    int64_t at = 0;
    for (int d = rank - 1; d >= 0; d--) {
        at += (i % dim[d]) * stride[d];
        i /= dim[d];
    }
    return at;
}

/* ---- typed bodies ---- */

/* Functions named base_f32, base_f64, ... made by including a body through each_*.inc. NULL for other dtypes. */
#define BORN_PICK_FLOAT(dt, base) ((dt) == BORN_F32 ? base##_f32 : (dt) == BORN_F64 ? base##_f64 : NULL)
#define BORN_PICK_NUM(dt, base)                                                                                       \
    ((dt) == BORN_F32   ? base##_f32                                                                                  \
     : (dt) == BORN_F64 ? base##_f64                                                                                  \
     : (dt) == BORN_I8  ? base##_i8                                                                                   \
     : (dt) == BORN_U8  ? base##_u8                                                                                   \
     : (dt) == BORN_I16 ? base##_i16                                                                                  \
     : (dt) == BORN_U16 ? base##_u16                                                                                  \
     : (dt) == BORN_I32 ? base##_i32                                                                                  \
     : (dt) == BORN_U32 ? base##_u32                                                                                  \
     : (dt) == BORN_I64 ? base##_i64                                                                                  \
     : (dt) == BORN_U64 ? base##_u64                                                                                  \
                        : NULL)
#define BORN_PICK_SIZE(bytes, base)                                                                                   \
    ((bytes) == 1 ? base##_1 : (bytes) == 2 ? base##_2 : (bytes) == 4 ? base##_4 : (bytes) == 8 ? base##_8 : NULL)
#endif

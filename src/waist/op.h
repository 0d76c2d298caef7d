/* The operator descriptor and what its functions are given: shape rules (born_infer), reference and fast kernels
   (born_exec), gradients (born_emit). One descriptor per row of the ops_<family>.def files; ids follow row order and
   are private to
   a build (files carry names). */
#ifndef BORN_WAIST_OP_H
#define BORN_WAIST_OP_H
#include <born/ext.h>

#include "base/threads.h"

typedef enum born_op_id {
    BORN_OP_NONE = 0,
#define OP(ID, ...) BORN_OP_##ID,
#include "ops/rows.h"
    BORN_OP_COUNT
} born_op_id;

/* Properties of an op. Code asks these; it never names ops. */
enum {
    BORN_P_ELEMENTWISE = 1 << 0,  /* out[i] depends on element i of the broadcast inputs alone */
    BORN_P_COMMUTATIVE = 1 << 1,
    BORN_P_VIEW = 1 << 2,         /* out[0] may share in[0]'s storage; the rule says whether it does */
    BORN_P_INPLACE = 1 << 3,      /* out[0] may reuse in[0]'s storage when in[0] dies here */
    BORN_P_EFFECT = 1 << 4,       /* kept, in order, never repeated or merged */
    BORN_P_EXTENT = 1 << 5,       /* the rule gives a bound; the kernel writes the true sizes to out[i].dim */
    BORN_P_BY_SIZE = 1 << 6,      /* moves elements without reading them: any dtype of any width */
    BORN_P_HALF = 1 << 7,         /* reads f16/bf16 itself; without it the leaf widens to f32 and rounds back */
    BORN_P_ANY_LAYOUT = 1 << 8,   /* fast on channels-last inputs, and its output may be channels-last too */
    BORN_P_META = 1 << 10,        /* reads only dtype and sizes of its inputs, never their elements */
    BORN_P_CONTROL = 1 << 9,      /* If, Loop, Scan: run by the session, never by a leaf */
    BORN_P_DENSE_RESULT = 1 << 11, /* with ANY_LAYOUT: the output is no image and stays row-major */
};

/* Sets of dtypes, as bit masks over born_dtype. */
#define BORN_DT(t) (1u << BORN_##t)
#define BORN_DT_FLOAT (BORN_DT(F32) | BORN_DT(F64) | BORN_DT(F16) | BORN_DT(BF16))
#define BORN_DT_SINT (BORN_DT(I8) | BORN_DT(I16) | BORN_DT(I32) | BORN_DT(I64))
#define BORN_DT_UINT (BORN_DT(U8) | BORN_DT(U16) | BORN_DT(U32) | BORN_DT(U64))
#define BORN_DT_INT (BORN_DT_SINT | BORN_DT_UINT)
#define BORN_DT_SIGNED (BORN_DT_FLOAT | BORN_DT_SINT)
#define BORN_DT_NUM (BORN_DT_FLOAT | BORN_DT_INT)
#define BORN_DT_BOOL BORN_DT(BOOL)
#define BORN_DT_ALL (BORN_DT_NUM | BORN_DT_BOOL)

/* Attribute kinds and fields: generated from attrs.def. */
typedef enum born_attr_kind {
    BORN_ATTR_INT,      /* int64_t */
    BORN_ATTR_FLOAT,    /* double */
    BORN_ATTR_BOOL,     /* bool */
    BORN_ATTR_ENUM,     /* int: index into the '|'-separated `text` */
    BORN_ATTR_DTYPE,    /* born_dtype */
    BORN_ATTR_INTS,     /* born_ints */
    BORN_ATTR_FLOATS,   /* born_floats */
    BORN_ATTR_STRING,   /* born_str */
    BORN_ATTR_STRINGS,  /* born_strs */
    BORN_ATTR_TENSOR,   /* const born_array *, NULL: absent */
    BORN_ATTR_GRAPH,    /* born_graph *, NULL: absent */
} born_attr_kind;

typedef struct born_attr_field {
    const char *name;   /* C name */
    const char *onnx;   /* ONNX name; "" none; a leading '!' means the field is the negation of the ONNX attribute */
    born_attr_kind kind;
    size_t offset;
    double def, lo, hi; /* default (scalars), smallest and largest legal value */
    const char *text;   /* ENUM: choices, in ONNX spelling */
} born_attr_field;

typedef struct born_attr_set {
    const char *name;
    size_t bytes;
    const born_attr_field *field;
    int count;
} born_attr_set;

/* A shape rule's view of a call. Inputs carry dtype and sizes (strides too); `data` is set where the value is known
   on the host. The rule sets dtype (where the signature says '?'), rank and dim of each out; strides are made
   row-major before it runs its checks on them, so only view rules set them. */
typedef struct born_infer {
    const born_op *op;
    const void *attrs;
    int in_count, out_count;
    const born_view *in;
    born_view *out;         /* in: zeroed, dtype set from the signature; out: dtype, rank, dim */
    bool shares;            /* view ops: out[0] is a view of in[0] with the strides and offset set by the rule;
                               offset is relative to in[0].offset, in bytes */
    born_error *err;
} born_infer;
typedef born_status (*born_shape_fn)(born_infer *f);

/* What a kernel may use while it runs. */
typedef struct born_exec {
    born_pool *pool;        /* NULL: run on the caller alone */
    void *scratch;          /* as many bytes as the scratch function or query asked for, 64-byte aligned */
    size_t scratch_bytes;
    born_error *err;
} born_exec;
typedef born_status (*born_kernel_fn)(born_call *c, const born_exec *x);
typedef size_t (*born_scratch_fn)(const born_call *c);

/* Splits [0, n) into ranges of at least `grain` and runs body on them, on the pool where there is one. Ranges are
   independent: never a place where partial results meet. */
static inline void born__exec_for(const born_exec *x, int64_t n, int64_t grain,
                                  void (*body)(void *ctx, int64_t begin, int64_t end), void *ctx)
{
    born__pool_for(x->pool, n, grain, body, ctx);
}

/* Gradients speak to a builder: the next level of a chain, or a graph. A value is an opaque word, 0 = none. */
typedef uint64_t born_val;
typedef struct born_emit born_emit;
struct born_emit {
    born_status (*call)(born_emit *e, born_op_id op, const void *attrs, const born_val *in, int in_count,
                        born_val *out, int out_count);
    const born_view *(*meta)(born_emit *e, born_val v);              /* dtype, rank, dim; never NULL */
    born_val (*scalar)(born_emit *e, born_dtype t, double v);        /* rank 0 constant */
    born_val (*ints)(born_emit *e, const int64_t *v, int count);     /* rank 1 i64 constant, host known */
    born_error err;         /* the first failure; every later call gives 0 */
};
/* One output; 0 where anything failed. */
born_val born__emit1(born_emit *e, born_op_id op, const void *attrs, const born_val *in, int in_count);

typedef struct born_grad {
    const born_op *op;
    const void *attrs;
    int in_count, out_count;
    const born_val *in, *out;   /* the call's operands and results */
    const born_val *gout;       /* gradient of each result; 0: none arrived */
    const bool *wanted;         /* which inputs need one */
    born_val *gin;              /* to fill; left 0 = no gradient */
} born_grad;
typedef void (*born_grad_fn)(born_emit *e, const born_grad *g);

struct born_op {
    const char *name;
    const char *sig;            /* "TT>T": letters T U type variables, I i32/i64, L i64, B bool, F f32, S any, ? set by
                                   the rule; '*' repeats the letter before it (variadic) */
    const char *onnx;           /* "Add:7" name:first version with this meaning; '|' separates, "" none */
    const char *doc;
    const born_attr_set *attrs; /* NULL: none */
    born_shape_fn shape;
    born_grad_fn grad;          /* NULL: not differentiable (yet) */
    born_kernel_fn ref;         /* NULL: view or control op */
    born_scratch_fn scratch;    /* NULL: the reference needs none */
    uint32_t dtypes;            /* mask for T */
    uint32_t props;
    uint32_t host;              /* bit i: input i decides shapes, so it is computed on the host */
    uint16_t id;
    uint8_t min_in, max_in;     /* 255: variadic */
};

extern const born_op born__ops[BORN_OP_COUNT];      /* ops/registry.c */
const born_op *born__op_find(const char *name, size_t n);
int born__op_sig_outputs(const born_op *op, bool *variadic);

/* attributes (ops/attrs.c): all work from the rows */
void born__attrs_default(const born_attr_set *s, void *attrs);
/* out = user with each zero scalar replaced by its default; user NULL: the defaults. Arrays stay borrowed. */
void born__attrs_resolve(const born_attr_set *s, const void *user, void *out);
bool born__attrs_equal(const born_attr_set *s, const void *a, const void *b);
uint64_t born__attrs_hash(const born_attr_set *s, const void *a);
born_status born__attrs_check(const born_attr_set *s, const void *a, const char *op, born_error *err); /* ranges */
/* Copies a, arrays and strings included, into one block from born__alloc (free with born__attrs_free); NULL on
   NOMEM. */
void *born__attrs_dup(const born_attr_set *s, const void *a);
void born__attrs_free(const born_attr_set *s, void *a);

/* ops/infer.c: checks arity and dtypes by the signature, checks attributes, runs the shape rule, checks sizes for
   overflow, makes strides. `out` needs out_count entries. Sets *shares for views. */
born_status born__op_infer(const born_op *op, const void *attrs, const born_view *in, int in_count, born_view *out,
                           int out_count, bool *shares, born_error *err);
#endif

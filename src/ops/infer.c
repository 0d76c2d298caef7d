/* What every call passes before it runs: arity and dtypes by the row's signature, attribute ranges, the row's shape
   rule, then sizes checked for overflow and row-major strides. Called by eager code, sessions (binding) and passes;
   never allocates. */
#include <string.h>

#include "base/error.h"
#include "tensor/view.h"
#include "waist/op.h"

#define DT_ANY (~0u)

typedef struct sig_vars { born_dtype t, u; } sig_vars;

/* Binds or checks one operand against its letter. */
static born_status check_letter(const born_op *op, char letter, int i, born_dtype dt, sig_vars *v, born_error *err)
{
    uint32_t mask = DT_ANY;
    born_dtype want = BORN_DTYPE_NONE;
    switch (letter) {
    case 'T': mask = op->dtypes; want = v->t; v->t = dt; break;
    case 'U': mask = BORN_DT_ALL; want = v->u; v->u = dt; break;
    case 'I': mask = BORN_DT(I32) | BORN_DT(I64); break;
    case 'L': mask = BORN_DT(I64); break;
    case 'B': mask = BORN_DT_BOOL; break;
    case 'F': mask = BORN_DT(F32); break;
    default: break;
    }
    BORN_FAIL_IF(!born__dtype_is(dt, mask), err, BORN_DTYPE, "%s: operand %d cannot be %s", op->name, i,
                 born_dtype_name(dt));
    BORN_FAIL_IF(want != BORN_DTYPE_NONE && want != dt, err, BORN_DTYPE,
                 "%s: operand %d is %s, but %s was given before", op->name, i, born_dtype_name(dt),
                 born_dtype_name(want));
    return BORN_OK;
}

static born_status check_inputs(const born_op *op, const born_view *in, int n, sig_vars *v, born_error *err)
{
    BORN_FAIL_IF(n < op->min_in || (op->max_in != 255 && n > op->max_in), err, BORN_INVALID,
                 "%s: %d operands where %d to %d are taken", op->name, n, op->min_in, op->max_in);
    const char *s = op->sig;
    for (int i = 0; i < n; i++) {
        char letter = *s == '>' || *s == '\0' ? '?' : *s;
        bool repeats = letter != '?' && s[1] == '*';
        if (letter != '?' && !repeats) s++;
        if (in[i].dtype == BORN_DTYPE_NONE) {
            BORN_FAIL_IF(i < op->min_in, err, BORN_INVALID, "%s: operand %d is missing", op->name, i);
            continue;
        }
        BORN_FAIL_IF((unsigned)in[i].rank > BORN_MAX_RANK, err, BORN_SHAPE, "%s: operand %d has rank %d", op->name, i,
                     in[i].rank);
        BORN_TRY(check_letter(op, letter, i, in[i].dtype, v, err));
    }
    return BORN_OK;
}

static born_dtype output_dtype(char letter, const sig_vars *v)
{
    switch (letter) {
    case 'T': return v->t;
    case 'U': return v->u;
    case 'I':
    case 'L': return BORN_I64;
    case 'B': return BORN_BOOL;
    case 'F': return BORN_F32;
    default: return BORN_DTYPE_NONE;    /* the rule sets it */
    }
}

static born_status prepare_outputs(const born_op *op, born_view *out, int n, const sig_vars *v, born_error *err)
{
    static const born_view empty; /* copied: gcc zeroes a view by a slow string instruction */
    const char *s = op->sig;
    while (*s && *s != '>') s++; /* a few letters: less than a call of strchr */
    s += *s == '>';
    if (n != 1 || !*s) { /* one is given by every row that has results */
        bool variadic;
        int declared = born__op_sig_outputs(op, &variadic);
        BORN_FAIL_IF(n < 0 || (!variadic && n > declared), err, BORN_INVALID, "%s: %d results where %d are given",
                     op->name, n, declared);
    }
    for (int i = 0; i < n; i++) {
        out[i] = empty;
        out[i].dtype = output_dtype(*s, v);
        if (*s && s[1] != '*') s++;
    }
    return BORN_OK;
}

static born_status check_output(const born_op *op, born_view *o, int i, bool shares, born_error *err)
{
    int64_t count;
    BORN_FAIL_IF(o->dtype <= BORN_DTYPE_NONE || o->dtype >= BORN_DTYPE_COUNT, err, BORN_INTERNAL,
                 "%s: the rule gave result %d no dtype", op->name, i);
    BORN_FAIL_IF((unsigned)o->rank > BORN_MAX_RANK, err, BORN_SHAPE, "%s: result %d would have rank %d, more than %d",
                 op->name, i, o->rank, BORN_MAX_RANK);
    bool fits = born__shape_count(o->dim, o->rank, &count);
    int64_t bytes = fits ? born_dtype_bytes(o->dtype, count) : -1;
    char text[96];
    BORN_FAIL_IF(bytes < 0 || (uint64_t)bytes > PTRDIFF_MAX, err, BORN_RANGE, "%s: result %d is too large: %s",
                 op->name, i, born__shape_text(o->dim, o->rank, text, sizeof text));
    if (!(shares && i == 0)) born__view_row_major(o);
    return BORN_OK;
}

born_status born__op_infer(const born_op *op, const void *attrs, const born_view *in, int in_count, born_view *out,
                           int out_count, bool *shares, born_error *err)
{
    sig_vars v = { BORN_DTYPE_NONE, BORN_DTYPE_NONE };
    if (shares) *shares = false;
    BORN_TRY(check_inputs(op, in, in_count, &v, err));
    BORN_TRY(prepare_outputs(op, out, out_count, &v, err));
    BORN_FAIL_IF(op->attrs && !attrs, err, BORN_INVALID, "%s: no attributes", op->name);
    if (op->attrs) BORN_TRY(born__attrs_check(op->attrs, attrs, op->name, err));
    BORN_FAIL_IF(!op->shape, err, BORN_UNSUPPORTED, "%s: has no shape rule", op->name);
    born_infer f = { .op = op, .attrs = attrs, .in_count = in_count, .out_count = out_count, .in = in, .out = out,
                     .err = err };
    BORN_TRY(op->shape(&f));
    for (int i = 0; i < out_count; i++) BORN_TRY(check_output(op, &out[i], i, f.shares, err));
    if (shares) *shares = f.shares;
    return BORN_OK;
}

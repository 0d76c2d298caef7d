/* Programs of elementwise rows: reading and checking one (it may come from a caller by name, so nothing of it is
   trusted), the shape rule, and a reference that runs each step's own reference on one element at a time. */
#include "ops/fused.h"

#include <string.h>

#include "base/error.h"
#include "ops/elementwise.h"
#include "ops/ref.h"
#include "tensor/view.h"

#define ON_F32(ID, dtypes) [BORN_OP_##ID] = ((dtypes) & BORN_DT(F32)) != 0,
static const bool is_formula[BORN_OP_COUNT] = {
#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc) ON_F32(ID, dtypes)
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc) ON_F32(ID, dtypes)
#define COMPARE(ID, name, dtypes, props, value, onnx, doc) ON_F32(ID, dtypes)
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc) ON_F32(ID, dtypes)
#define OP(ID, ...)
#include "ops/rows.h"
};

static bool is_choice(const born_op *op)
{
    return (op->props & BORN_P_ELEMENTWISE) && !strcmp(op->sig, "BTT>T");
}

bool born__fused_takes(const born_op *op)
{
    return op->id < BORN_OP_COUNT && (is_formula[op->id] || is_choice(op));
}

/* Which registers hold what so far. */
typedef enum born_held { HELD_NOTHING, HELD_FLOAT, HELD_BOOL } born_held;

static born_status operand(const born_fused *f, const born_view *in, const born_held *held, int64_t v, bool want_bool,
                           born_error *err)
{
    bool is_bool;

    BORN_FAIL_IF(v < 0 || v >= f->inputs + BORN_FUSED_REGISTERS, err, BORN_INVALID, "fused: no operand %lld",
                 (long long)v);
    if (v < f->inputs) {
        is_bool = in[v].dtype == BORN_BOOL;
    } else {
        BORN_FAIL_IF(held[v - f->inputs] == HELD_NOTHING, err, BORN_INVALID, "fused: register %lld is empty",
                     (long long)v - f->inputs);
        is_bool = held[v - f->inputs] == HELD_BOOL;
    }
    BORN_FAIL_IF(is_bool != want_bool, err, BORN_DTYPE, "fused: operand %lld has the wrong dtype", (long long)v);
    return BORN_OK;
}

static born_status read_step(born_fused *f, const int64_t *p, const born_view *in, born_held *held, born_error *err)
{
    born_fused_step *s = &f->step[f->steps];

    BORN_FAIL_IF(p[0] <= 0 || p[0] >= BORN_OP_COUNT || !born__fused_takes(&born__ops[p[0]]), err, BORN_INVALID,
                 "fused: step %d is no elementwise row", f->steps);
    const born_op *op = &born__ops[p[0]];
    s->op = (uint16_t)p[0];
    s->choice = !is_formula[op->id];
    s->in_count = (int8_t)op->max_in;
    s->test = born__fused_out(op) == BORN_BOOL;
    for (int i = 0; i < s->in_count; i++) {
        BORN_TRY(operand(f, in, held, p[2 + i], s->choice && i == 0, err));
        s->in[i] = (int8_t)p[2 + i];
        if (p[2 + i] < f->inputs) f->last_read = f->steps;
    }
    BORN_FAIL_IF(p[1] < 0 || p[1] >= BORN_FUSED_REGISTERS, err, BORN_INVALID, "fused: no register %lld",
                 (long long)p[1]);
    s->to = (int8_t)p[1];
    held[p[1]] = s->test ? HELD_BOOL : HELD_FLOAT;
    f->steps++;
    return BORN_OK;
}

born_status born__fused_read(const born_fused_attrs *a, const born_view *in, int in_count, int out_count, born_fused *f,
                             born_error *err)
{
    born_held held[BORN_FUSED_REGISTERS] = { HELD_NOTHING };
    int64_t steps = a->program.count / BORN_FUSED_FIELDS;

    f->inputs = in_count;
    f->results = out_count;
    f->steps = 0;
    f->last_read = -1;
    BORN_FAIL_IF(in_count > BORN_FUSED_INPUTS || out_count < 1 || out_count > BORN_FUSED_RESULTS, err, BORN_INVALID,
                 "fused: %d operands and %d results", in_count, out_count);
    BORN_FAIL_IF(steps < 1 || steps > BORN_FUSED_STEPS || a->program.count % BORN_FUSED_FIELDS ||
                     a->results.count != out_count,
                 err, BORN_INVALID, "fused: the program's parts do not fit each other");
    for (int i = 0; i < in_count; i++)
        BORN_FAIL_IF(in[i].dtype != BORN_F32 && in[i].dtype != BORN_BOOL, err, BORN_DTYPE, "fused: operand %d is %s", i,
                     born_dtype_name(in[i].dtype));
    for (int64_t i = 0; i < steps; i++) {
        memcpy(f->step[i].p, a->program.v + i * BORN_FUSED_FIELDS + 5, sizeof f->step[i].p);
        BORN_TRY(read_step(f, a->program.v + i * BORN_FUSED_FIELDS, in, held, err));
    }
    for (int i = 0; i < out_count; i++) {
        int64_t r = a->results.v[i];
        BORN_FAIL_IF(r < 0 || r >= BORN_FUSED_REGISTERS || held[r] == HELD_NOTHING, err, BORN_INVALID,
                     "fused: result %d is in no register", i);
        f->result[i] = (int8_t)r;
        f->result_is_bool[i] = held[r] == HELD_BOOL;
    }
    return BORN_OK;
}

born_status born__shape_fused(born_infer *f)
{
    born_fused program;
    int64_t dim[BORN_MAX_RANK] = { 0 };
    int rank = 0;

    BORN_TRY(born__fused_read(BORN_ATTRS_OF(fused, f), f->in, f->in_count, f->out_count, &program, f->err));
    for (int i = 0; i < f->in_count; i++)
        if (!born__broadcast(dim, &rank, f->in[i].dim, f->in[i].rank))
            return born__infer_fail(f, BORN_SHAPE, "operand %d does not broadcast: %s", i, born__infer_shape(f, i));
    for (int i = 0; i < f->out_count; i++)
        born__out_set(f, i, program.result_is_bool[i] ? BORN_BOOL : BORN_F32, rank, dim);
    return BORN_OK;
}

/* ---- the reference --------------------------------------------------------------------------------------------- */

/* Attributes of a row from its two numbers. */
static void attrs_from_numbers(const born_attr_set *set, const double *p, void *attrs)
{
    born__attrs_default(set, attrs);
    for (int i = 0; i < set->count && i < 2; i++) {
        char *at = (char *)attrs + set->field[i].offset;
        switch (set->field[i].kind) {
        case BORN_ATTR_BOOL: *(bool *)(void *)at = p[i] != 0; break;
        case BORN_ATTR_INT: *(int64_t *)(void *)at = (int64_t)p[i]; break;
        case BORN_ATTR_ENUM: *(int *)(void *)at = (int)p[i]; break;
        default: *(double *)(void *)at = p[i]; break;
        }
    }
}

typedef struct ref_job {
    const born_fused *f;
    const born_exec *x;
    born_status status;
} ref_job;

static born_view one(born_dtype t, void *data)
{
    return (born_view){ .dtype = t, .data = data, .rank = 0 };
}

static born_status step_once(const ref_job *j, const born_fused_step *s, char *const *in, float *reg)
{
    const born_op *op = &born__ops[s->op];
    born_view x[3], y = one(s->test ? BORN_BOOL : BORN_F32, NULL);
    _Alignas(16) char attrs[64];
    uint32_t result = 0;

    for (int i = 0; i < s->in_count; i++) {
        born_dtype t = s->choice && i == 0 ? BORN_BOOL : BORN_F32;
        x[i] = one(t, s->in[i] < j->f->inputs ? in[s->in[i]] : (char *)&reg[s->in[i] - j->f->inputs]);
    }
    y.data = (char *)&result;
    if (op->attrs) attrs_from_numbers(op->attrs, s->p, attrs);
    born_call c = { .op = op, .attrs = op->attrs ? attrs : NULL, .in_count = s->in_count, .out_count = 1, .in = x,
                    .out = &y };
    born_exec alone = { .err = j->x->err };
    BORN_TRY(op->ref(&c, &alone));
    memcpy(&reg[s->to], &result, sizeof result);
    return BORN_OK;
}

static void ref_body(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    ref_job *j = ctx;
    const born_fused *f = j->f;

    for (int64_t e = 0; e < n && j->status == BORN_OK; e++) {
        float reg[BORN_FUSED_REGISTERS] = { 0 };
        char *in[BORN_FUSED_INPUTS];
        for (int i = 0; i < f->inputs; i++) in[i] = p[f->results + i] + e * step[f->results + i];
        for (int i = 0; i < f->steps && j->status == BORN_OK; i++) j->status = step_once(j, &f->step[i], in, reg);
        for (int i = 0; i < f->results; i++)
            memcpy(p[i] + e * step[i], &reg[f->result[i]], f->result_is_bool[i] ? 1 : sizeof(float));
    }
}

born_status born__ref_fused(born_call *c, const born_exec *x)
{
    born_fused f;
    born_nd w;

    BORN_TRY(born__fused_read(BORN_ATTRS_OF(fused, c), c->in, c->in_count, c->out_count, &f, x->err));
    ref_job j = { &f, x, BORN_OK };
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    for (int i = 0; i < c->out_count; i++) born__nd_add(&w, &c->out[i]);
    for (int i = 0; i < c->in_count; i++) born__nd_add(&w, &c->in[i]);
    born__nd_merge(&w);
    born__nd_range(&w, 0, w.total, ref_body, &j);
    return j.status;
}

/* ctc_loss and its gradient (Graves et al., "Connectionist temporal classification", 2006) in logarithms. The
   extended target is the labels with blanks around each: 2 S + 1 states. Forward: alpha_t(s), all ways to be in state
   s after step t; backward: beta_t(s), all ways to go on from it. Sequences are independent; sums of up to three go
   in order of the state's number. */
#include <math.h>

#include "ops/emit_help.h"
#include "ops/lane1.h"
#include "ops/math64.h"

typedef struct ctc_job {
    const born_view *x, *targets, *steps, *lengths, *scale, *out;
    int64_t time, N, C, S;          /* S: longest target that can be met */
    int64_t blank;
    bool zero_infinity;
    void *scratch;
    int64_t per_sequence;           /* numbers of scratch */
} ctc_job;

/* The first element of sequence n's target among all. */
static int64_t target_start(const ctc_job *j, int64_t n)
{
    int64_t at = 0;
    if (j->targets->rank == 2) return 0;
    for (int64_t i = 0; i < n; i++) at += born__at_i64(j->lengths, i);
    return at;
}

static int64_t target_label(const ctc_job *j, int64_t n, int64_t start, int64_t i)
{
    const born_view *t = j->targets;
    int64_t at = t->rank == 2 ? n * t->stride[0] + i * t->stride[1] : (start + i) * t->stride[0];
    return born__load_i64(t->dtype, t->data + at * born__elem_size(t));
}

#define exp_f64 born__exp_f64
#define log_f64 born__log_f64
#define BORN_EACH "ops/loss_ctc.inc"
#include "ops/each_float.inc"

static born_status ctc_rule(born_infer *f)
{
    const born_view *x = &f->in[0], *t = &f->in[1];
    bool fits = x->rank == 3 && (t->rank == 1 || (t->rank == 2 && t->dim[0] == x->dim[1]));
    for (int i = 2; fits && i < (f->in_count > 4 ? 5 : 4); i++)
        fits = f->in[i].rank == 1 && f->in[i].dim[0] == x->dim[1];
    if (!fits)
        return born__infer_fail(f, BORN_SHAPE, "shapes do not fit: log-probabilities %s, targets %s, lengths %s and %s",
                                born__infer_shape(f, 0), born__infer_shape(f, 1), born__infer_shape(f, 2),
                                born__infer_shape(f, 3));
    if (BORN_ATTRS_OF(ctc, f)->blank >= x->dim[2])
        return born__infer_fail(f, BORN_RANGE, "blank %lld is none of %lld classes",
                                (long long)BORN_ATTRS_OF(ctc, f)->blank, (long long)x->dim[2]);
    return BORN_OK;
}

born_status born__shape_ctc_loss(born_infer *f)
{
    BORN_TRY(ctc_rule(f));
    born__out_set(f, 0, f->in[0].dtype, 1, &f->in[0].dim[1]);
    return BORN_OK;
}

born_status born__shape_ctc_grad(born_infer *f)
{
    BORN_TRY(ctc_rule(f));
    born__out_like(f, 0, &f->in[0]);
    return BORN_OK;
}

/* A target longer than its sequence is impossible, so states beyond that are never needed. */
static int64_t longest(const born_call *c)
{
    int64_t S = c->in[1].dim[c->in[1].rank - 1], T = c->in[0].dim[0];
    return S < T ? S : T;
}

static size_t ctc_bytes(const born_call *c, int64_t rows)
{
    int64_t states = 2 * longest(c) + 1, n;
    bool fits = born__mul_i64(states, rows, &n) && born__mul_i64(n, c->in[0].dim[1], &n) &&
                born__mul_i64(n, born__elem_size(&c->in[0]), &n) && (uint64_t)n <= SIZE_MAX;
    return fits ? (size_t)n : SIZE_MAX;
}
size_t born__scratch_ctc_loss(const born_call *c) { return ctc_bytes(c, 2); }
size_t born__scratch_ctc_grad(const born_call *c) { return ctc_bytes(c, c->in[0].dim[0] + 2); }

static born_status check(const ctc_job *j, const born_call *c, const born_exec *x)
{
    int64_t room = j->targets->dim[j->targets->rank - 1], start = 0;
    for (int64_t n = 0; n < j->N; n++) {
        int64_t T = born__at_i64(j->steps, n), S = born__at_i64(j->lengths, n);
        BORN_FAIL_IF(T < 0 || T > j->time, x->err, BORN_RANGE, "%s: sequence %lld has %lld steps of %lld", c->op->name,
                     (long long)n, (long long)T, (long long)j->time);
        BORN_FAIL_IF(S < 0 || S > room - (j->targets->rank == 1 ? start : 0), x->err, BORN_RANGE,
                     "%s: target %lld of %lld labels does not fit %lld", c->op->name, (long long)n, (long long)S,
                     (long long)room);
        for (int64_t i = 0; i < S; i++) {
            int64_t label = target_label(j, n, start, i);
            BORN_FAIL_IF(label < 0 || label >= j->C || label == j->blank, x->err, BORN_RANGE,
                         "%s: label %lld is the blank or none of %lld classes", c->op->name, (long long)label,
                         (long long)j->C);
        }
        if (j->targets->rank == 1) start += S;
    }
    return BORN_OK;
}

static born_status ctc_run(born_call *c, const born_exec *x, int64_t rows, bool gradient)
{
    const born_ctc_attrs *a = BORN_ATTRS_OF(ctc, c);
    const born_view *v = &c->in[0];
    bool wide = v->dtype == BORN_F64;
    ctc_job j = { .x = v, .targets = &c->in[1], .steps = &c->in[2], .lengths = &c->in[3], .out = &c->out[0],
                  .time = v->dim[0], .N = v->dim[1], .C = v->dim[2], .S = longest(c), .blank = a->blank,
                  .zero_infinity = a->zero_infinity, .scratch = x->scratch };
    j.per_sequence = rows * (2 * j.S + 1);
    if (gradient) j.scale = &c->in[4];
    if (!wide && v->dtype != BORN_F32) return born__no_body(c, x);
    BORN_TRY(check(&j, c, x));
    void (*part)(void *, int64_t, int64_t) = gradient ? (wide ? ctc_grad_f64 : ctc_grad_f32)
                                                      : (wide ? ctc_loss_f64 : ctc_loss_f32);
    if (j.N > 0) born__exec_for(x, j.N, 1, part, &j);
    return BORN_OK;
}
born_status born__ref_ctc_loss(born_call *c, const born_exec *x) { return ctc_run(c, x, 2, false); }
born_status born__ref_ctc_grad(born_call *c, const born_exec *x) { return ctc_run(c, x, c->in[0].dim[0] + 2, true); }

void born__grad_ctc_loss(born_emit *e, const born_grad *g)
{
    const born_val in[5] = { g->in[0], g->in[1], g->in[2], g->in[3], g->gout[0] };
    if (born__grad_wants(g, 0) && !e->err.status) g->gin[0] = born__emit1(e, BORN_OP_CTC_GRAD, g->attrs, in, 5);
}

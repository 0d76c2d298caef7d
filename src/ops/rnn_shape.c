/* Shape rules of rnn, gru and lstm, and their attributes read alike. */
#include "ops/rnn_job.h"

born_rnn_attrs_all born__rnn_attrs(const born_op *op, const void *attrs)
{
    if (op->id == BORN_OP_LSTM || op->id == BORN_OP_LSTM_GRAD) {
        const born_lstm_attrs *a = attrs;
        return (born_rnn_attrs_all){ .gates = 4, .acts = 3, .direction = a->direction, .hidden_size = a->hidden_size,
                                     .layout = a->layout, .activations = a->activations, .alpha = a->activation_alpha,
                                     .beta = a->activation_beta, .clip = a->clip, .input_forget = a->input_forget };
    }
    if (op->id == BORN_OP_GRU || op->id == BORN_OP_GRU_GRAD) {
        const born_gru_attrs *a = attrs;
        return (born_rnn_attrs_all){ .gates = 3, .acts = 2, .direction = a->direction, .hidden_size = a->hidden_size,
                                     .layout = a->layout, .activations = a->activations, .alpha = a->activation_alpha,
                                     .beta = a->activation_beta, .clip = a->clip,
                                     .linear_before_reset = a->linear_before_reset };
    }
    const born_rnn_attrs *a = attrs;
    return (born_rnn_attrs_all){ .gates = 1, .acts = 1, .direction = a->direction, .hidden_size = a->hidden_size,
                                 .layout = a->layout, .activations = a->activations, .alpha = a->activation_alpha,
                                 .beta = a->activation_beta, .clip = a->clip };
}

/* Name, whether it takes alpha and beta, and their defaults. */
typedef struct fn_row {
    const char *name;
    bool alpha, beta;
    double alpha_default, beta_default;
} fn_row;
static const fn_row fns[BORN_RNN_FN_COUNT] = {
    [BORN_RNN_TANH] = { "tanh", false, false, 0, 0 },
    [BORN_RNN_SIGMOID] = { "sigmoid", false, false, 0, 0 },
    [BORN_RNN_RELU] = { "relu", false, false, 0, 0 },
    [BORN_RNN_AFFINE] = { "affine", true, true, 1, 0 },
    [BORN_RNN_LEAKY_RELU] = { "leakyrelu", true, false, 0.01, 0 },
    [BORN_RNN_THRESHOLDED_RELU] = { "thresholdedrelu", true, false, 1, 0 },
    [BORN_RNN_SCALED_TANH] = { "scaledtanh", true, true, 1, 1 },
    [BORN_RNN_HARD_SIGMOID] = { "hardsigmoid", true, true, 0.2, 0.5 },
    [BORN_RNN_ELU] = { "elu", true, false, 1, 0 },
    [BORN_RNN_SOFTSIGN] = { "softsign", false, false, 0, 0 },
    [BORN_RNN_SOFTPLUS] = { "softplus", false, false, 0, 0 },
};

/* Names are compared without case, as other runtimes do. */
static bool same_name(const born_str *s, const char *name)
{
    if (s->n != strlen(name)) return false;
    for (size_t i = 0; i < s->n; i++) {
        char c = s->p[i];
        if (c >= 'A' && c <= 'Z') c = (char)(c - 'A' + 'a');
        if (c != name[i]) return false;
    }
    return true;
}

born_status born__rnn_activations(const born_rnn_attrs_all *a, born_rnn_act *act, const char *op, born_error *err)
{
    static const born_rnn_fn usual[3] = { BORN_RNN_SIGMOID, BORN_RNN_TANH, BORN_RNN_TANH };
    int n = a->acts * (a->direction == BORN_RNN_BIDIRECTIONAL ? 2 : 1);
    int64_t alphas = 0, betas = 0;
    BORN_FAIL_IF(a->activations.count != 0 && a->activations.count != n, err, BORN_INVALID,
                 "%s: %lld activations where %d are needed", op, (long long)a->activations.count, n);
    for (int i = 0; i < n; i++) {
        int fn = a->acts == 1 ? BORN_RNN_TANH : (int)usual[i % a->acts];
        if (a->activations.count != 0) {
            const born_str *name = &a->activations.v[i];
            for (fn = 0; fn < BORN_RNN_FN_COUNT && !same_name(name, fns[fn].name);) fn++;
            BORN_FAIL_IF(fn == BORN_RNN_FN_COUNT, err, BORN_INVALID, "%s: no activation \"%.*s\"", op,
                         name->n < 40 ? (int)name->n : 40, name->p);
        }
        /* the lists hold values only for the activations that take them, in order */
        act[i] = (born_rnn_act){ (born_rnn_fn)fn, fns[fn].alpha_default, fns[fn].beta_default };
        if (fns[fn].alpha && alphas < a->alpha.count) act[i].alpha = (double)a->alpha.v[alphas++];
        if (fns[fn].beta && betas < a->beta.count) act[i].beta = (double)a->beta.v[betas++];
    }
    return BORN_OK;
}

static born_status check_dims(born_infer *f, int i, const char *name, int rank, const int64_t *dim)
{
    const born_view *v = &f->in[i];
    if (!born__infer_has(f, i)) return BORN_OK;
    bool same = v->rank == rank;
    for (int d = 0; same && d < rank; d++) same = v->dim[d] == dim[d];
    if (!same)
        return born__infer_fail(f, BORN_SHAPE, "%s is %s where %s is needed", name, born__infer_shape(f, i),
                                born__shape_text(dim, rank, (char[96]){ 0 }, 96));
    return BORN_OK;
}

/* Checks the operands that all rows have; `states` gets the shape of the initial ones, `seq` that of all h. */
static born_status rnn_operands(born_infer *f, int64_t *state, int64_t *seq)
{
    born_rnn_attrs_all a = born__rnn_attrs(f->op, f->attrs);
    born_rnn_act act[6];
    const born_view *x = &f->in[0], *w = &f->in[1], *r = &f->in[2];
    BORN_TRY(born__rnn_activations(&a, act, f->op->name, f->err));
    if (x->rank != 3 || w->rank != 3 || r->rank != 3)
        return born__infer_fail(f, BORN_SHAPE, "x is %s, w %s, r %s where rank 3 is needed", born__infer_shape(f, 0),
                                born__infer_shape(f, 1), born__infer_shape(f, 2));
    int64_t d = a.direction == BORN_RNN_BIDIRECTIONAL ? 2 : 1, h = r->dim[2];
    int64_t steps = x->dim[a.layout ? 1 : 0], batch = x->dim[a.layout ? 0 : 1];
    if (a.hidden_size != 0 && a.hidden_size != h)
        return born__infer_fail(f, BORN_SHAPE, "hidden_size is %lld where r has %lld", (long long)a.hidden_size,
                                (long long)h);
    if (h > (int64_t)1 << 40) return born__infer_fail(f, BORN_RANGE, "hidden size %lld is too large", (long long)h);
    int64_t rows = a.gates * h;
    BORN_TRY(check_dims(f, 1, "w", 3, (int64_t[]){ d, rows, x->dim[2] }));
    BORN_TRY(check_dims(f, 2, "r", 3, (int64_t[]){ d, rows, h }));
    BORN_TRY(check_dims(f, 3, "bias", 2, (int64_t[]){ d, 2 * rows }));
    BORN_TRY(check_dims(f, 4, "lengths", 1, (int64_t[]){ batch }));
    state[0] = a.layout ? batch : d;
    state[1] = a.layout ? d : batch;
    state[2] = h;
    BORN_TRY(check_dims(f, 5, "initial h", 3, state));
    if (a.gates == 4) {
        BORN_TRY(check_dims(f, 6, "initial c", 3, state));
        BORN_TRY(check_dims(f, 7, "peepholes", 2, (int64_t[]){ d, 3 * h }));
    }
    seq[0] = a.layout ? batch : steps;
    seq[1] = a.layout ? steps : d;
    seq[2] = a.layout ? d : batch;
    seq[3] = h;
    return BORN_OK;
}

static born_status rnn_shape(born_infer *f)
{
    int64_t state[3], seq[4];
    BORN_TRY(rnn_operands(f, state, seq));
    born__out_set(f, 0, f->in[0].dtype, 4, seq);
    born__out_set(f, 1, f->in[0].dtype, 3, state);
    born__out_set(f, 2, f->in[0].dtype, 3, state);
    return BORN_OK;
}

/* Results: by the gates' input sides and the states before each step [D, T, B, ...], by the initial h; then for LSTM by
   the initial c and the peepholes, for GRU by the gates' state sides, and the reset states. */
static born_status rnn_grad_shape(born_infer *f)
{
    born_rnn_attrs_all a = born__rnn_attrs(f->op, f->attrs);
    int64_t state[3], seq[4];
    born_dtype t = f->in[0].dtype;
    BORN_TRY(rnn_operands(f, state, seq));
    BORN_TRY(check_dims(f, 8, "gradient of all h", 4, seq));
    BORN_TRY(check_dims(f, 9, "gradient of the last h", 3, state));
    if (a.gates == 4) BORN_TRY(check_dims(f, 10, "gradient of the last c", 3, state));
    const born_view *x = &f->in[0], *r = &f->in[2];
    const int64_t rows[4] = { r->dim[0], x->dim[a.layout ? 1 : 0], x->dim[a.layout ? 0 : 1], r->dim[1] };
    const int64_t units[4] = { rows[0], rows[1], rows[2], r->dim[2] };
    born__out_set(f, 0, t, 4, rows);
    born__out_set(f, 1, t, 4, units);
    born__out_set(f, 2, t, 3, state);
    if (a.gates == 4) {
        born__out_set(f, 3, t, 3, state);
        born__out_set(f, 4, t, 2, (int64_t[]){ r->dim[0], 3 * r->dim[2] });
    } else if (a.gates == 3) {
        born__out_set(f, 3, t, 4, rows);
        born__out_set(f, 4, t, 4, units);
    }
    return BORN_OK;
}

born_status born__shape_rnn(born_infer *f) { return rnn_shape(f); }
born_status born__shape_gru(born_infer *f) { return rnn_shape(f); }
born_status born__shape_lstm(born_infer *f) { return rnn_shape(f); }
born_status born__shape_rnn_grad(born_infer *f) { return rnn_grad_shape(f); }
born_status born__shape_gru_grad(born_infer *f) { return rnn_grad_shape(f); }
born_status born__shape_lstm_grad(born_infer *f) { return rnn_grad_shape(f); }

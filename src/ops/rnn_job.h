/* What the recurrent files share: sizes, activations, and operands as strides. A layer of any kind is D directions of G
   gates over T steps of B sequences; layout decides strides only. */
#ifndef BORN_OPS_RNN_JOB_H
#define BORN_OPS_RNN_JOB_H
#include "ops/ref.h"

enum { BORN_RNN_FORWARD, BORN_RNN_REVERSE, BORN_RNN_BIDIRECTIONAL };

typedef enum born_rnn_fn {
    BORN_RNN_TANH, BORN_RNN_SIGMOID, BORN_RNN_RELU, BORN_RNN_AFFINE, BORN_RNN_LEAKY_RELU, BORN_RNN_THRESHOLDED_RELU,
    BORN_RNN_SCALED_TANH, BORN_RNN_HARD_SIGMOID, BORN_RNN_ELU, BORN_RNN_SOFTSIGN, BORN_RNN_SOFTPLUS, BORN_RNN_FN_COUNT
} born_rnn_fn;
typedef struct born_rnn_act {
    born_rnn_fn fn;
    double alpha, beta;
} born_rnn_act;

/* The attributes that all three kinds have, and what tells them apart. */
typedef struct born_rnn_attrs_all {
    int gates, acts;            /* gates; activations per direction */
    int direction;
    int64_t hidden_size, layout;
    born_strs activations;
    born_floats alpha, beta;
    double clip;
    bool linear_before_reset, input_forget;
} born_rnn_attrs_all;
born_rnn_attrs_all born__rnn_attrs(const born_op *op, const void *attrs);

/* Activations of every direction (at most 2 * 3) into act; INVALID for names or counts that are none. */
born_status born__rnn_activations(const born_rnn_attrs_all *a, born_rnn_act *act, const char *op, born_error *err);

/* An operand by element strides over (direction or time, batch, feature); data NULL: absent. */
typedef struct born_rnn_operand {
    char *data;
    int64_t t, d, b, h;
} born_rnn_operand;

typedef struct born_rnn_job {
    const born_call *call;
    int kind;                   /* the op's id */
    int64_t steps, batch, inputs, hidden, directions;
    int gates;
    bool linear_before_reset, input_forget, pack;
    bool reverse[2];            /* per direction: from the sequence's end */
    double clip;
    born_rnn_act act[6];
    born_rnn_operand x, w, r, bias, h0, c0, peep, y, yh, yc;    /* w, r: b is the row, h the column */
    /* scratch */
    void *xg, *hg;              /* [steps * batch][gates * hidden], [batch][gates * hidden] */
    void *h, *c, *rh;           /* [batch][hidden] each; rh: GRU's reset state */
    void *packed_w, *packed_r, *packed_n;   /* panels; n: GRU's last gate, when it is multiplied apart */
} born_rnn_job;

enum { BORN_RNN_LANES = 16, BORN_RNN_CUT = 1024 };

/* The call as a job, without scratch. */
void born__rnn_describe(const born_call *c, born_rnn_job *j);
/* The bytes of scratch, SIZE_MAX where they overflow; with a base, also where each part lies. */
size_t born__rnn_lay_out(born_rnn_job *j, char *base);

/* The length of sequence b. Lengths are data: what is outside [0, steps] is cut. */
static inline int64_t born__rnn_length(const born_rnn_job *j, int64_t b)
{
    if (!born__has(j->call, 4)) return j->steps;
    int64_t n = born__at_i64(&j->call->in[4], b);
    return n < 0 ? 0 : n > j->steps ? j->steps : n;
}

/* Products of `count` rows of a with the rows of a matrix, each a chain, plus a bias. */
typedef struct born_rnn_product {
    const char *a;              /* row i at (i / split) * outer + (i % split) * inner elements */
    int64_t split, outer, inner, step, terms, count;
    const char *m;              /* the matrix by strides in elements */
    int64_t row, col, rows;
    const void *panels;         /* the same as [rows / 16][terms][16]; NULL: not packed */
    void *out;                  /* row i at i * out_row */
    int64_t out_row;
    const char *bias;           /* NULL: none */
    int64_t bias_step;
} born_rnn_product;

/* x w' of direction d for all steps, into xg. */
born_rnn_product born__rnn_inputs(const born_rnn_job *j, int64_t d, const void *panels);
/* The states (dense) times rows [first, first + rows) of r, into hg. */
born_rnn_product born__rnn_recur(const born_rnn_job *j, int64_t d, const void *state, int64_t first, int64_t rows,
                                 const void *panels);
#endif

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
    double clip;
    born_rnn_act act[6];
    born_rnn_operand x, w, r, bias, h0, c0, peep, y, yh, yc;    /* w, r: b is the row, h the column */
    /* scratch */
    void *xg, *hg;              /* [steps * batch][gates * hidden], [batch][gates * hidden] */
    void *h, *c, *rh;           /* [batch][hidden] each; rh: GRU's reset state */
    void *packed_w, *packed_r, *packed_n;   /* panels; n: GRU's last gate, when it is multiplied apart */
} born_rnn_job;
#endif

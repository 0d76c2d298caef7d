/* What recurrent layers and cells share: kinds, and one step of each in PyTorch's gate order. */
#ifndef BORN_NN_RECURRENT_H
#define BORN_NN_RECURRENT_H
#include "nn/nn_help.h"

typedef enum born_recurrent_kind { BORN_RNN_TANH, BORN_RNN_RELU, BORN_GRU, BORN_LSTM } born_recurrent_kind;
static inline int64_t born__nn_gates(born_recurrent_kind k) { return k == BORN_LSTM ? 4 : k == BORN_GRU ? 3 : 1; }

/* One step: gi [B, g H] = w x + b and gh [B, g H] = w h + b; h and for LSTM *c [B, H] are the states before. Returns
   the new h, without projection; *c becomes the new c. */
born_tensor born__nn_step(born_recurrent_kind kind, born_tensor gi, born_tensor gh, born_tensor h, born_tensor *c,
                          const born_site *at);
/* An LSTM layer in one direction, step by step, with h projected by w_hr [P, H]: what the operator has not. m is for
   reports; x [T, B, I]; *h [B, P] and *c [B, H] are the states before and after; lengths [B] or {0}. Returns
   [T, B, P]. */
born_tensor born__nn_projected(const born_module *m, born_tensor x, born_tensor w_ih, born_tensor w_hh,
                               born_tensor w_hr, born_tensor b_ih, born_tensor b_hh, born_tensor lengths,
                               bool reverse, born_tensor *h, born_tensor *c, const born_site *at);
#endif

/* Character language model of LSTM layers. Operands tokens [N, T] and, for going on, h and c; results scores [N, T, V]
   and the new h and c. */
#include "zoo/zoo.h"

static void lstm_forward(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                         const born_site *at)
{
    born_tensor given[3] = { { 0 } }, y[3];
    born_module *drop = born_module_get(m, "drop");

    for (int i = 1; i < n_in && i < 3; i++) given[i] = in[i];
    given[0] = (born_forward)(drop, (born_forward)(born_module_get(m, "embedding"), in[0], at), at);
    (born_forward_n)(born_module_get(m, "lstm"), given, 3, y, 3, at);
    out[0] = (born_forward)(born_module_get(m, "head"), (born_forward)(drop, y[0], at), at);
    for (int i = 1; i < n_out && i < 3; i++) out[i] = y[i];
}
static const born_module_ops lstm_ops = { .name = "CharLSTM", .forward = lstm_forward };

void born__zoo_lstm(born_module *net, const born_recipe *r)
{
    int64_t width = born__zoo_int(r, "width"), layers = born__zoo_int(r, "layers");
    double dropout = born__zoo_real(r, "dropout");
    born_module *m = born_module_define(net, "lm", &lstm_ops, NULL, 0);

    born_embedding(m, "embedding", r->facts.classes, width, NULL);
    born_dropout_layer(m, "drop", dropout, NULL);
    born_lstm_layer(m, "lstm", width, width,
                    &(born_recurrent_desc){ .num_layers = layers, .batch_first = true,
                                            .dropout = layers > 1 ? dropout : 0 });
    born_linear(m, "head", width, r->facts.classes, NULL);
}

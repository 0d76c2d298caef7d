/* Multilayer perceptron on a table's rows: layers of linear, batch norm, ReLU and dropout; one output for each class,
   or one for a number. */
#include "zoo/zoo.h"

void born__zoo_tabular(born_module *net, const born_recipe *r)
{
    const born_facts *f = &r->facts;
    int64_t width = born__zoo_int(r, "width"), in = f->features;

    for (int64_t i = 0; i < born__zoo_int(r, "layers"); i++) {
        born_linear(net, NULL, in, width, NULL);
        born_batch_norm1d(net, NULL, width, NULL);
        born_relu_layer(net, NULL);
        born_dropout_layer(net, NULL, born__zoo_real(r, "dropout"), NULL);
        in = width;
    }
    born_linear(net, NULL, in, f->classes > 0 ? f->classes : 1, NULL);
    if (f->classes == 0) born_flatten_layer(net, NULL, 0, -1, NULL); /* [N, 1] to the targets' [N] */
}

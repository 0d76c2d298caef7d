/* Multilayer perceptron on images: layers of linear, ReLU and dropout on flattened pixels. */
#include "zoo/zoo.h"

void born__zoo_mlp(born_module *net, const born_recipe *r)
{
    const born_facts *f = &r->facts;
    int64_t width = born__zoo_int(r, "width"), in = f->channels * f->height * f->width;

    born_flatten_layer(net, NULL, 1, -1, NULL);
    for (int64_t i = 0; i < born__zoo_int(r, "layers"); i++) {
        born_linear(net, NULL, in, width, NULL);
        born_relu_layer(net, NULL);
        born_dropout_layer(net, NULL, born__zoo_real(r, "dropout"), NULL);
        in = width;
    }
    born_linear(net, NULL, in, f->classes, NULL);
}

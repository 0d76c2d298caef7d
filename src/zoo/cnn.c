/* Small convolutional network: blocks of convolution, batch norm, ReLU and pooling, each with twice the channels of the
   one before, then two linear layers. */
#include "zoo/zoo.h"

static void block(born_module *net, int64_t in, int64_t out)
{
    born_conv2d(net, NULL, in, out, BORN_INTS(3), &(born_conv_desc){ .padding = BORN_INTS(1), .no_bias = true });
    born_batch_norm2d(net, NULL, out, NULL);
    born_relu_layer(net, NULL);
    born_max_pool2d(net, NULL, BORN_INTS(2), &(born_max_pool_desc){ .ceil_mode = true });
}

void born__zoo_cnn(born_module *net, const born_recipe *r)
{
    const born_facts *f = &r->facts;
    int64_t in = f->channels, out = born__zoo_int(r, "width"), hidden = born__zoo_int(r, "hidden");
    int64_t h = f->height, w = f->width;
    double dropout = born__zoo_real(r, "dropout");

    for (int64_t i = 0; i < born__zoo_int(r, "blocks"); i++) {
        block(net, in, out);
        in = out;
        out *= 2;
        h = (h + 1) / 2;
        w = (w + 1) / 2;
    }
    born_flatten_layer(net, NULL, 1, -1, NULL);
    born_dropout_layer(net, NULL, dropout, NULL);
    born_linear(net, NULL, in * h * w, hidden, NULL);
    born_relu_layer(net, NULL);
    born_dropout_layer(net, NULL, dropout, NULL);
    born_linear(net, NULL, hidden, f->classes, NULL);
}

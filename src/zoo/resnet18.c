/* ResNet-18 (He et al., "Deep residual learning for image recognition", 2015), names as in torchvision. Pictures up to
   64 pixels get a stem of one 3 x 3 convolution, as is usual for CIFAR; larger ones the 7 x 7 with stride 2 and a
   pooling. */
#include "zoo/zoo.h"

enum { SMALL = 64, STAGES = 4, BLOCKS = 2 };

static void block_forward(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    born_module *shortcut = born_module_get(m, "downsample");
    (void)n_in;
    (void)n_out;
    born_tensor x = (born_forward)(born_module_get(m, "conv1"), in[0], at);
    x = (born_relu)((born_forward)(born_module_get(m, "bn1"), x, at), at);
    x = (born_forward)(born_module_get(m, "conv2"), x, at);
    x = (born_forward)(born_module_get(m, "bn2"), x, at);
    out[0] = (born_relu)((born_add)(x, shortcut ? (born_forward)(shortcut, in[0], at) : in[0], at), at);
}
static const born_module_ops block_ops = { .name = "BasicBlock", .forward = block_forward };

static void conv(born_module *m, const char *name, int64_t in, int64_t out, int64_t kernel, int64_t stride)
{
    born_conv2d(m, name, in, out, BORN_INTS(kernel),
                &(born_conv_desc){ .stride = BORN_INTS(stride), .padding = BORN_INTS(kernel / 2), .no_bias = true });
}

static void block(born_module *stage, int64_t in, int64_t out, int64_t stride)
{
    born_module *m = born_module_define(stage, NULL, &block_ops, NULL, 0);
    conv(m, "conv1", in, out, 3, stride);
    born_batch_norm2d(m, "bn1", out, NULL);
    conv(m, "conv2", out, out, 3, 1);
    born_batch_norm2d(m, "bn2", out, NULL);
    if (stride == 1 && in == out) return;
    born_module *shortcut = born_module_group(m, "downsample");
    conv(shortcut, NULL, in, out, 1, stride);
    born_batch_norm2d(shortcut, NULL, out, NULL);
}

void born__zoo_resnet18(born_module *net, const born_recipe *r)
{
    static const char *const names[STAGES] = { "layer1", "layer2", "layer3", "layer4" };
    const born_facts *f = &r->facts;
    bool small = f->height <= SMALL && f->width <= SMALL;
    int64_t width = born__zoo_int(r, "width"), in = width;

    conv(net, "conv1", f->channels, width, small ? 3 : 7, small ? 1 : 2);
    born_batch_norm2d(net, "bn1", width, NULL);
    born_relu_layer(net, "relu");
    if (!small)
        born_max_pool2d(net, "maxpool", BORN_INTS(3),
                        &(born_max_pool_desc){ .stride = BORN_INTS(2), .padding = BORN_INTS(1) });
    for (int s = 0; s < STAGES; s++, width *= 2) {
        born_module *stage = born_module_group(net, names[s]);
        for (int i = 0; i < BLOCKS; i++, in = width) block(stage, in, width, s > 0 && i == 0 ? 2 : 1);
    }
    born_adaptive_avg_pool2d(net, "avgpool", BORN_INTS(1), NULL);
    born_flatten_layer(net, "flatten", 1, -1, NULL);
    born_linear(net, "fc", in, f->classes, NULL);
}

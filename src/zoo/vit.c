/* A small vision transformer (Dosovitskiy et al., "An image is worth 16x16 words", 2020): patches become vectors by a
   convolution, learned positions are added, transformer layers follow, and the mean over patches is classified. */
#include "zoo/zoo.h"

static void vit_forward(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                        const born_site *at)
{
    (void)n_in;
    (void)n_out;
    born_tensor x = (born_forward)(born_module_get(m, "patch"), in[0], at); /* [N, D, h, w] */
    born_shape s = born_shape_of(x);
    x = (born_reshape)(x, BORN_SHAPE(s.dim[0], s.dim[1], s.dim[2] * s.dim[3]), at);
    x = (born_transpose)(x, BORN_INTS(0, 2, 1), at); /* [N, T, D] */
    x = (born_add)(x, born_module_tensor(m, "positions"), at);
    x = (born_forward)(born_module_get(m, "drop"), x, at);
    x = (born_forward)(born_module_get(m, "encoder"), x, at);
    x = (born_reduce_mean)(x, BORN_INTS(1), &(born_reduce_attrs){ .drop_dims = true }, at);
    out[0] = (born_forward)(born_module_get(m, "head"), x, at);
}
static const born_module_ops vit_ops = { .name = "VisionTransformer", .forward = vit_forward };

void born__zoo_vit(born_module *net, const born_recipe *r)
{
    const born_facts *f = &r->facts;
    int64_t width = born__zoo_int(r, "width"), patch = born__zoo_int(r, "patch");
    int64_t h = f->height / patch, w = f->width / patch; /* what does not fill a patch is cut off */
    double dropout = born__zoo_real(r, "dropout");
    born_module *m = born_module_define(net, "vit", &vit_ops, NULL, 0);

    born_conv2d(m, "patch", f->channels, width, BORN_INTS(patch), &(born_conv_desc){ .stride = BORN_INTS(patch) });
    born__zoo_learned(m, "positions", h * w, width);
    born_dropout_layer(m, "drop", dropout, NULL);
    born_transformer_encoder(m, "encoder", born__zoo_int(r, "layers"), width, born__zoo_int(r, "heads"), 4 * width,
                             dropout,
                             &(born_transformer_desc){ .activation = BORN_TRANSFORMER_GELU, .batch_first = true,
                                                       .norm_first = true, .final_norm = true });
    born_linear(m, "head", width, f->classes, NULL);
}

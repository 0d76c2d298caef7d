/* The objectives of born/train.h: what most networks are trained for, in calls of the losses. */
#include <born/train.h>

#include "nn/calls.h"

static const born_site *const at = NULL;

/* A float of any dtype, in the dtype of the net's parameters; others as they are. */
static born_tensor to_net(const born_module *net, born_tensor x)
{
    born_dtype want = born_module_dtype(net);
    return born__is_float(x) && born_dtype_of(x) != want ? CAST(x, want) : x;
}

/* The net's output for field 0; poison where the batch has no field 1 to compare it with. */
static born_tensor output_of(born_module *net, const born_tensor *batch, int n)
{
    return n < 2 ? born__poison(BORN_INVALID) : (born_forward)(net, to_net(net, batch[0]), at);
}

born_tensor born_loss_classes(void *user, born_module *net, const born_tensor *batch, int n, born_tensor *scores)
{
    *scores = output_of(net, batch, n);
    return n < 2 ? *scores : (born_cross_entropy)(*scores, to_net(net, batch[1]), user, at);
}

born_tensor born_loss_values(void *user, born_module *net, const born_tensor *batch, int n, born_tensor *scores)
{
    (void)user;
    *scores = output_of(net, batch, n);
    return n < 2 ? *scores : (born_mse_loss)(*scores, to_net(net, batch[1]), NULL, at);
}

born_tensor born_loss_tokens(void *user, born_module *net, const born_tensor *batch, int n, born_tensor *scores)
{
    *scores = output_of(net, batch, n);
    if (n < 2 || !born_is_alive(*scores)) return *scores;
    born_shape s = born_shape_of(*scores), t = born_shape_of(batch[1]);
    if (s.rank < 2 || t.rank != s.rank - 1) return (born_cross_entropy)(*scores, batch[1], user, at);
    born_shape rows = BORN_SHAPE(-1, s.dim[s.rank - 1]), all = BORN_SHAPE(-1);
    return (born_cross_entropy)(RESHAPE(*scores, rows), RESHAPE(batch[1], all), user, at);
}

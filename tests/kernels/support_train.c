/* Random calls of the operators that only training has: gradients of norms, cross entropy and its gradient. */
#include "support_cases.h"
#include "tensor/view.h"

void case_norm_grad(kcase *k, born_dtype t)
{
    int64_t dim[3] = { case_in(k, 1, 9), case_in(k, 1, 5), case_in(k, 1, case_chance(k, 20) ? 5000 : 200) };
    int64_t axis = case_chance(k, 70) ? -1 : case_in(k, 0, 2), from = axis < 0 ? 2 : axis;

    if (case_chance(k, 10)) dim[0] = case_in(k, 300, 900), dim[2] = case_in(k, 1, 80);
    if (k->call.op->id == BORN_OP_RMS_NORM_GRAD) ((born_rms_norm_attrs *)(void *)k->attrs)->axis = axis;
    else ((born_layer_norm_attrs *)(void *)k->attrs)->axis = axis;
    for (int i = 0; i < 2; i++) case_add(k, case_view(k, t, 3, dim, case_chance(k, 80) ? 0 : -1));
    if (case_chance(k, 80)) case_add(k, case_view(k, t, (int)(3 - from), dim + from, 0));
}

/* x targets weights; the gradient has what arrived before the weights. */
void case_cross_entropy(kcase *k, born_dtype t)
{
    born_loss_attrs *a = (born_loss_attrs *)(void *)k->attrs;
    int64_t n = case_in(k, 1, case_chance(k, 20) ? 5000 : 70), classes = case_in(k, 1, case_chance(k, 10) ? 5000 : 90);
    bool grad = k->call.op->id == BORN_OP_CROSS_ENTROPY_GRAD;

    if (n > 70 && classes > 90) n = 3;
    a->reduction = (int)case_in(k, 0, 2);
    if (case_chance(k, 10)) a->label_smoothing = 0.1;
    if (case_chance(k, 50)) a->ignore_index = case_chance(k, 50) ? -100 : 0;
    case_add(k, case_view(k, t, 2, (int64_t[]){ n, classes }, case_chance(k, 80) ? 0 : -1));
    born_view target = case_view(k, case_chance(k, 50) ? BORN_I64 : BORN_I32, 1, &n, -1);
    for (int64_t i = 0; i < n; i++) {
        int64_t v = case_chance(k, 10) && a->ignore_index != INT64_MIN ? a->ignore_index : case_in(k, 0, classes - 1);
        born__store_f64(target.dtype, target.data + i * target.stride[0] * born__dtype_info(target.dtype)->size,
                        (double)v);
    }
    case_add(k, target);
    if (grad) case_add(k, case_view(k, t, 1, &n, -1));
    if (case_chance(k, 40)) case_add(k, case_view(k, t, 1, &classes, -1));
}

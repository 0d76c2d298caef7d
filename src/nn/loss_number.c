/* Losses of numbers and distributions, and what all losses share. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "nn/loss_help.h"

born_tensor born__loss_fail(born_tensor x, const born_site *at, born_status s, const char *format, ...)
{
    born_backend *b = born_is_alive(x) ? born_backend_of(x) : NULL;
    char text[200];
    born_error err;
    va_list args;

    if (!b) return born__given(x) ? x : born__poison(BORN_INVALID);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    born__fail(&err, s, "%s", text);
    born__chain_fail(b->chain, &err, at);
    return born__poison(s);
}

born_tensor born__loss_reduce(born_tensor losses, born_reduction r, const born_site *at)
{
    if (r == BORN_NONE) return losses;
    if (r == BORN_SUM) return SUM_ALL(losses);
    if (r == BORN_MEAN) return MEAN_ALL(losses);
    born_shape s = born_shape_of(losses);
    if (r != BORN_BATCH_MEAN)
        return born__loss_fail(losses, at, BORN_INVALID, "loss: there is no reduction %d", (int)r);
    return DIV_N(SUM_ALL(losses), s.rank ? (double)s.dim[0] : 1);
}

static born_reduction plain(const born_reduction_attrs *a) { return a ? a->reduction : BORN_MEAN; }

born_tensor(born_mse_loss)(born_tensor x, born_tensor target, const born_reduction_attrs *attrs, const born_site *at)
{
    return born__loss_reduce(SQUARE(SUB(x, target)), plain(attrs), at);
}

born_tensor(born_l1_loss)(born_tensor x, born_tensor target, const born_reduction_attrs *attrs, const born_site *at)
{
    return born__loss_reduce(ABS(SUB(x, target)), plain(attrs), at);
}

born_tensor(born_smooth_l1_loss)(born_tensor x, born_tensor target, double beta, const born_reduction_attrs *attrs,
                                 const born_site *at)
{
    born_tensor d = SUB(x, target), far = ABS(d);

    if (!(beta >= 0)) return born__loss_fail(x, at, BORN_INVALID, "smooth_l1_loss: beta %g is below 0", beta);
    if (beta > 0) far = WHERE(LT_N(far, beta), MUL_N(SQUARE(d), 0.5 / beta), SUB_N(far, 0.5 * beta));
    return born__loss_reduce(far, plain(attrs), at);
}

born_tensor(born_huber_loss)(born_tensor x, born_tensor target, double delta, const born_reduction_attrs *attrs,
                             const born_site *at)
{
    born_tensor d = SUB(x, target), far = ABS(d);

    if (!(delta > 0)) return born__loss_fail(x, at, BORN_INVALID, "huber_loss: delta %g is not above 0", delta);
    far = WHERE(LE_N(far, delta), MUL_N(SQUARE(d), 0.5), MUL_N(SUB_N(far, 0.5 * delta), delta));
    return born__loss_reduce(far, plain(attrs), at);
}

/* t log t, 0 where t is 0; the logarithm never sees that 0, so neither does its gradient. */
static born_tensor t_log_t(born_tensor t, const born_site *at)
{
    born_tensor none = EQ_N(t, 0);
    return WHERE(none, born__like(t, 0, at), MUL(t, LOG(WHERE(none, born__like(t, 1, at), t))));
}

born_tensor(born_kl_div)(born_tensor x, born_tensor target, const born_kl_div_attrs *attrs, const born_site *at)
{
    born_tensor l = attrs && attrs->log_target ? MUL(EXP(target), SUB(target, x))
                                               : SUB(t_log_t(target, at), MUL(target, x));
    return born__loss_reduce(l, attrs ? attrs->reduction : BORN_MEAN, at);
}

/* The variance is held at eps or above without touching its gradient, as in PyTorch. */
born_tensor(born_gaussian_nll_loss)(born_tensor x, born_tensor target, born_tensor var,
                                    const born_likelihood_attrs *attrs, const born_site *at)
{
    double eps = attrs && attrs->eps > 0 ? attrs->eps : 1e-6;
    born_shape s = born_shape_of(x), v = born_shape_of(var);

    if (v.rank == s.rank - 1) var = UNSQUEEZE(var, -1);
    born_tensor above = ADD(born__like(var, eps, at), SUB(var, DETACH(var)));
    var = WHERE(LT_N(var, eps), above, var);
    born_tensor l = MUL_N(ADD(LOG(var), DIV(SQUARE(SUB(x, target)), var)), 0.5);
    if (attrs && attrs->full) l = ADD_N(l, 0.91893853320467274178);     /* log(2 pi) / 2 */
    return born__loss_reduce(l, attrs ? attrs->reduction : BORN_MEAN, at);
}

born_tensor(born_poisson_nll_loss)(born_tensor x, born_tensor target, const born_likelihood_attrs *attrs,
                                   const born_site *at)
{
    double eps = attrs && attrs->eps > 0 ? attrs->eps : 1e-8;
    bool rate = attrs && attrs->no_log;
    born_tensor l = rate ? SUB(x, MUL(target, LOG(ADD_N(x, eps)))) : SUB(EXP(x), MUL(target, x));

    if (attrs && attrs->full) {         /* Stirling: t log t - t + log(2 pi t) / 2, for t above 1 */
        born_tensor many = GT_N(target, 1), t = WHERE(many, target, born__like(target, 2, at));
        born_tensor term = ADD(SUB(MUL(t, LOG(t)), t), MUL_N(LOG(MUL_N(t, 6.28318530717958647693)), 0.5));
        l = ADD(l, WHERE(many, term, born__like(target, 0, at)));
    }
    return born__loss_reduce(l, attrs ? attrs->reduction : BORN_MEAN, at);
}

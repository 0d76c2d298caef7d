/* Born: optimisers. One is made over the parameters below a module, with the learning rate and weight decay it
   starts with, and is never NULL: one that could not be made is dead, its error is its chain's. Names, defaults
   and formulas are PyTorch's (torch.optim), so schedules and checkpoints carry over. A step is all or nothing:
   every new value is computed first, unrecorded and below autodiff; only then are parameters and state
   overwritten, in place. Numbers that change from step to step (rate, bias corrections) are operands of the
   update, in one small tensor (born_optim_operand), so that a recorded step can be run again with others.

   Parameters of bf16 or f16 get an f32 copy ("master") that the update works on; the parameter is that copy,
   rounded. */
#ifndef BORN_OPTIM_H
#define BORN_OPTIM_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "module.h"

BORN_C_BEGIN

typedef struct born_optim born_optim;

typedef enum born_optim_kind {
    BORN_SGD, BORN_ADAM, BORN_ADAMW, BORN_ADAMAX, BORN_NADAM, BORN_RADAM, BORN_LAMB, BORN_LION, BORN_RMSPROP,
    BORN_ADAGRAD, BORN_ADADELTA, BORN_RPROP, BORN_ASGD, BORN_MUON, BORN_LBFGS,
    BORN_OPTIM_KINDS
} born_optim_kind;

/// Options of every optimiser, by PyTorch's names. 0 is the default; a negative number means 0 where the default is
/// another. INVALID for one that the optimiser does not have.
typedef struct born_optim_desc {
    double beta1, beta2;        /* Adam and kin 0.9, 0.999; Lion 0.9, 0.99 */
    double eps;                 /* Adam and kin, RMSprop 1e-8; Adadelta, LAMB 1e-6; Adagrad 1e-10; Muon 1e-7 */
    double momentum;            /* SGD, RMSprop 0; Muon 0.95 */
    double dampening;           /* SGD 0 */
    double alpha;               /* RMSprop: smoothing, 0.99; ASGD: power of the rate's decay, 0.75 */
    double rho;                 /* Adadelta 0.9 */
    double lr_decay, initial_accumulator_value;     /* Adagrad 0, 0 */
    double momentum_decay;      /* NAdam 4e-3 */
    double lambd, t0;           /* ASGD 1e-4, 1e6: where averaging begins */
    double eta_minus, eta_plus; /* Rprop 0.5, 1.2 */
    double step_min, step_max;  /* Rprop 1e-6, 50 */
    double ns_steps;            /* Muon: Newton-Schulz iterations, 5 */
    double max_iter, max_eval, history_size;        /* L-BFGS 20, 5/4 of max_iter, 100 */
    double tolerance_grad, tolerance_change;        /* L-BFGS 1e-7, 1e-9 */
    bool nesterov;              /* SGD */
    bool no_nesterov;           /* Muon, which has it otherwise */
    bool amsgrad;               /* Adam, AdamW */
    bool centered;              /* RMSprop */
    bool maximize;              /* all but L-BFGS */
    bool mu_twice;              /* NAdam: the correction of torch before 2.0, which counts the step's mu twice */
    bool strong_wolfe;          /* L-BFGS: line search of Nocedal and Wright, "Numerical optimization", 3.5 */
    /* of the optimiser as a whole, not of a group: */
    bool keep_grads;            /* steps leave gradients; born_optim_zero_grad is the caller's then */
    int accumulate;             /* only every n-th step updates, with the mean of n gradients; 0 and 1: each */
    double clip_value;          /* gradients cut to [-v, v] first; 0: not */
    double clip_norm;           /* then scaled down to this norm over all; 0: not */
    const char *only;           /* takes the parameters whose path matches, see born_optim_group; NULL: all */
    const char *except;         /* and not those that match this; NULL: none left out */
} born_optim_desc;

/// An optimiser over the parameters below net that are not frozen, each once. It holds the parameters and the chain;
/// close it before net or after. lr, weight_decay: >= 0, of all parameters until born_optim_group says otherwise.
BORN_API born_optim *born_optim_create_sized(born_optim_kind kind, born_module *net, double lr, double weight_decay,
                                             const born_optim_desc *desc, size_t desc_bytes);
#define BORN__OPTIM(name, KIND)                                                                                       \
    static inline born_optim *born_##name(born_module *net, double lr, double weight_decay,                           \
                                          const born_optim_desc *desc)                                                \
    {                                                                                                                 \
        return born_optim_create_sized(KIND, net, lr, weight_decay, desc, sizeof(born_optim_desc));                   \
    }
/* In the formulas g is the gradient (its negative with maximize), t the step from 1, d the weight decay; "L2" means
   that g + d p takes the place of g, "decoupled" that p is first multiplied by 1 - lr d. */

/// L2; b = momentum b + (1 - dampening) g, b = g at first; p -= lr b, with nesterov lr (g + momentum b). Equals
/// torch.optim.SGD (state momentum_buffer).
BORN__OPTIM(sgd, BORN_SGD)
/// L2; m, v: means of g and g^2; p -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps); amsgrad: the largest v so
/// far. Equals torch.optim.Adam (exp_avg, exp_avg_sq, max_exp_avg_sq). Kingma and Ba, 2014; Reddi et al., 2018.
BORN__OPTIM(adam, BORN_ADAM)
/// Adam with decoupled weight decay. Equals torch.optim.AdamW. Loshchilov and Hutter, 2017.
BORN__OPTIM(adamw, BORN_ADAMW)
/// L2; u = max(beta2 u, |g| + eps); p -= lr / (1 - beta1^t) m / u. Equals torch.optim.Adamax (exp_avg, exp_inf).
BORN__OPTIM(adamax, BORN_ADAMAX)
/// L2; Adam whose mean looks ahead, with a momentum that warms up. Equals torch.optim.NAdam of
/// torch 2. Dozat, 2016.
BORN__OPTIM(nadam, BORN_NADAM)
/// L2; Adam whose adaptive part enters when its variance can be judged. Equals torch.optim.RAdam. Liu et al., 2019.
BORN__OPTIM(radam, BORN_RADAM)
/// r = Adam's direction, bias corrected, + d p; p -= lr |p| / |r| r for each tensor (a norm of 0: the ratio is 1). You
/// et al., "Large batch optimization for deep learning", 2020. State exp_avg, exp_avg_sq.
BORN__OPTIM(lamb, BORN_LAMB)
/// Decoupled; p -= lr sign(beta1 m + (1 - beta1) g); m = beta2 m + (1 - beta2) g. Chen et al., 2023. State exp_avg.
BORN__OPTIM(lion, BORN_LION)
/// L2; v = alpha v + (1 - alpha) g^2, centered: less the squared mean; p -= lr g / (sqrt(v) + eps), or by momentum.
/// Equals torch.optim.RMSprop (square_avg, grad_avg, momentum_buffer).
BORN__OPTIM(rmsprop, BORN_RMSPROP)
/// L2; s += g^2; p -= lr / (1 + (t - 1) lr_decay) g / (sqrt(s) + eps). Equals torch.optim.Adagrad (sum).
BORN__OPTIM(adagrad, BORN_ADAGRAD)
/// L2; p -= lr x, x = g sqrt(a + eps) / sqrt(v + eps), with v, a the means of g^2 and x^2. Equals torch.optim.Adadelta
/// (square_avg, acc_delta).
BORN__OPTIM(adadelta, BORN_ADADELTA)
/// Steps of a size of each element's own, which grows while the sign of g stays. Equals torch.optim.Rprop (prev,
/// step_size). weight_decay must be 0.
BORN__OPTIM(rprop, BORN_RPROP)
/// L2; SGD with decaying rate, and the mean of p from t0 on (state ax). Equals torch.optim.ASGD.
BORN__OPTIM(asgd, BORN_ASGD)
/// Decoupled; momentum, then the nearest orthogonal matrix by Newton-Schulz steps, times lr sqrt(max(1, rows / cols)).
/// For matrices: SHAPE where a parameter has another rank (see desc.only). Equals torch.optim.Muon, in f32 where that
/// computes in bf16. Jordan et al., 2024. State momentum_buffer.
BORN__OPTIM(muon, BORN_MUON)
/// L-BFGS; steps by born_optim_step_closure. One group; weight_decay must be 0. Equals torch.optim.LBFGS.
BORN__OPTIM(lbfgs, BORN_LBFGS)
#undef BORN__OPTIM

/// A kind's name, "AdamW"; NULL behind the last.
BORN_API const char *born_optim_kind_name(born_optim_kind kind);
/// Closes *o and sets it to NULL. NULL allowed.
BORN_API void born_optim_close(born_optim **o);

/// Makes a parameter group of the parameters whose path matches `pattern` ('*': any text, '?': one character;
/// "*.bias") and gives them options of their own; what they belonged to before loses them. lr, weight_decay: negative
/// means as the first group; a zero field of desc as well. Only before the first step. Gives the group's number.
BORN_API int born_optim_group_sized(born_optim *o, const char *pattern, double lr, double weight_decay,
                                    const born_optim_desc *desc, size_t desc_bytes);
static inline int born_optim_group(born_optim *o, const char *pattern, double lr, double weight_decay,
                                   const born_optim_desc *desc)
{
    return born_optim_group_sized(o, pattern, lr, weight_decay, desc, sizeof(born_optim_desc));
}
BORN_API int born_optim_group_count(const born_optim *o);
/// An option of a group by its name ("lr", "weight_decay", "beta1", "momentum", ...), as schedulers change it. get: NaN
/// where there is none; set: INVALID.
BORN_API double born_optim_get(const born_optim *o, int group, const char *option);
BORN_API BORN_CHECK born_status born_optim_set(born_optim *o, int group, const char *option, double value);

/// Updates every parameter that has a gradient and then, unless keep_grads, forgets the gradients; one without keeps
/// its value, state and count, as in PyTorch. Ends the step of net's random keys too. On failure nothing has changed
/// but the chain's error.
BORN_API BORN_CHECK born_status born_optim_step(born_optim *o);
/// Evaluates the loss for L-BFGS: clears gradients by born_optim_zero_grad, computes, calls born_backward, gives the
/// loss.
typedef born_status (*born_closure_fn)(void *user, double *loss);
/// One step of L-BFGS (up to max_iter iterations), or for others the closure and then born_optim_step. *loss (NULL
/// allowed) is the loss before the step.
BORN_API BORN_CHECK born_status born_optim_step_closure(born_optim *o, born_closure_fn closure, void *user,
                                                        double *loss);
/// Forgets the gradients of all its parameters.
BORN_API void born_optim_zero_grad(born_optim *o);
/// Steps that updated parameters so far.
BORN_API int64_t born_optim_steps(const born_optim *o);
/// The chain, and whether o can step at all.
BORN_API born_backend *born_optim_backend(const born_optim *o);
BORN_API bool born_optim_is_alive(const born_optim *o);

/// For a recorded step. born_optim_operand: the tensor [rows, 16] of f64 that holds the numbers of a step; an input
/// of the recording. born_optim_tick counts a step for the parameters that took part in the last one and writes its
/// numbers there; born_optim_apply is the update with the numbers that are there, without counting. A step is both.
BORN_API born_tensor born_optim_operand(born_optim *o);
BORN_API BORN_CHECK born_status born_optim_tick(born_optim *o);
BORN_API BORN_CHECK born_status born_optim_apply(born_optim *o);

/// One thing an optimiser remembers, by PyTorch's keys: "fc1.weight.exp_avg" is a tensor, borrowed; "fc1.weight.step"
/// and "group.0.lr" are numbers (value {0}).
typedef struct born_optim_item {
    const char *path;
    born_tensor value;
    double number;
} born_optim_item;
/// Shows all state, in a fixed order; fn returns false to stop. What a checkpoint saves.
BORN_API born_status born_optim_each(const born_optim *o, bool (*fn)(void *user, const born_optim_item *item),
                                     void *user);
/// Puts one item back: host data of the shape and dtype that `each` shows (rank 0 f64 for numbers). INVALID where there
/// is no such item, SHAPE or DTYPE where it does not fit.
BORN_API BORN_CHECK born_status born_optim_restore(born_optim *o, const char *path, born_array value);

/* ---- gradients -------------------------------------------------------------------------------------------------- */

/// Scales all gradients below net together so that their norm is at most max_norm; norm_type 2 unless given (> 0;
/// INFINITY: the largest element). *total (NULL allowed): the norm before. Equals torch.nn.utils.clip_grad_norm_.
BORN_API BORN_CHECK born_status born_clip_grad_norm(born_module *net, double max_norm, double norm_type, double *total);
/// Cuts each element of the gradients below net to [-value, value]. Equals torch.nn.utils.clip_grad_value_.
BORN_API BORN_CHECK born_status born_clip_grad_value(born_module *net, double value);

/* ---- mixed precision -------------------------------------------------------------------------------------------- */

/// Dynamic loss scaling, for f16. Zero fields: 65536, 2, 0.5, 2000, as torch.cuda.amp.GradScaler.
typedef struct born_scaling_desc {
    double init_scale, growth_factor, backoff_factor;
    int growth_interval;
} born_scaling_desc;
/// From now on the optimiser expects gradients of the loss that born_optim_scale gives and divides by the scale. A step
/// whose gradients hold an infinity or NaN is skipped (status OK) and the scale shrinks; after growth_interval good
/// steps it grows. Decided by reading: not inside a recording.
BORN_API BORN_CHECK born_status born_optim_scaling_sized(born_optim *o, const born_scaling_desc *desc,
                                                         size_t desc_bytes);
BORN_CHECK static inline born_status born_optim_scaling(born_optim *o, const born_scaling_desc *desc)
{
    return born_optim_scaling_sized(o, desc, sizeof(born_scaling_desc));
}
/// loss times the scale (loss itself without scaling): what to call born_backward on.
BORN_API born_tensor born_optim_scale(born_optim *o, born_tensor loss);
/// The present scale (1 without scaling), and steps skipped so far.
BORN_API double born_optim_scale_now(const born_optim *o);
BORN_API int64_t born_optim_skipped(const born_optim *o);

/* ---- averaged weights ------------------------------------------------------------------------------------------- */

/// An exponential moving average of all parameters below a module: a = decay a + (1 - decay) p, a copy at the first
/// update. Never NULL. Equals torch.optim.swa_utils.AveragedModel with get_ema_multi_avg_fn(decay).
typedef struct born_ema born_ema;
BORN_API born_ema *born_ema_create(born_module *net, double decay);
BORN_API void born_ema_close(born_ema **e);
BORN_API BORN_CHECK born_status born_ema_update(born_ema *e);
/// Exchanges averages and weights: before an evaluation, and again after it.
BORN_API BORN_CHECK born_status born_ema_swap(born_ema *e);
/// The average of the parameter at a path; {0} where there is none. Updates so far.
BORN_API born_tensor born_ema_find(const born_ema *e, const char *path);
BORN_API int64_t born_ema_updates(const born_ema *e);

BORN_C_END

#ifndef __cplusplus
/// The same for a typed loss.
static inline born_f32 born_optim_scale_f32(born_optim *o, born_f32 loss)
{
    loss.any = (born_optim_scale)(o, loss.any);
    return loss;
}
#endif
#endif

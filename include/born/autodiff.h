/* Born: what a program may tell autodiff beyond asking for gradients (device.h): when not to record, gradients of its
   own, and blocks that are computed again instead of remembered. */
#ifndef BORN_AUTODIFF_H
#define BORN_AUTODIFF_H
#include "device.h"

BORN_C_BEGIN

/// Whether b's autodiffs record from now on; gives what they did before, so that uses nest:
/// `bool was = born_grad_mode(b, false); ... born_grad_mode(b, was);`. What is computed meanwhile is a constant. Equals
/// torch.no_grad.
BORN_API bool born_grad_mode(born_backend *b, bool record);

/// Makes g, of x's shape and dtype, x's gradient in place of what it had ({0}: none), at the outermost autodiff that
/// knows x. What clipping and gradients from elsewhere (another process) use. SHAPE, DTYPE, STATE (no autodiff).
BORN_API BORN_CHECK born_status born_grad_set(born_tensor x, born_tensor g);

/// A function over tensors: fills out[0..n_out) from in[0..n_in). Handles are lent for the call. `user` comes from the
/// description. A status other than OK, or a result that is poison, fails the whole.
typedef born_status (*born_block_fn)(void *user, const born_tensor *in, int n_in, born_tensor *out, int n_out);
/// The gradient of such a function: from its operands, its results and what arrived for each result ({0}: nothing) to
/// gin[0..n_in), shaped like the operands ({0}: none). May be made of any ops: then it can be differentiated again.
typedef born_status (*born_backward_fn)(void *user, const born_tensor *in, int n_in, const born_tensor *out, int n_out,
                                        const born_tensor *gout, born_tensor *gin);

/// A function with a gradient of its own.
typedef struct born_custom_desc {
    born_block_fn forward;
    born_backward_fn backward;
    void *user;
    void (*release)(void *user);    /* when no record needs it any more; NULL: nothing to do */
} born_custom_desc;

/// Runs desc->forward on in[0..n_in) and records desc->backward as its gradient, at every autodiff of the chain. Up
/// to 16 operands and results. At least one operand must be a tensor ({0}: absent). Results belong to the innermost
/// scope; on failure they are poison, the chain keeps the error and `release` has been called. Equals
/// torch.autograd.Function.
BORN_API BORN_CHECK born_status born_custom_sized(const born_custom_desc *desc, size_t desc_bytes,
                                                  const born_tensor *in, int n_in, born_tensor *out, int n_out);
BORN_CHECK static inline born_status born_custom(const born_custom_desc *desc, const born_tensor *in, int n_in,
                                                 born_tensor *out, int n_out)
{
    return born_custom_sized(desc, sizeof(born_custom_desc), in, n_in, out, n_out);
}

/// Runs `block` on in[0..n_in) without remembering what it computes; backward runs it again, recorded, and goes through
/// it, also to tensors that the block uses without being given them. The block must compute the same each time: random
/// ops by key, no assignments. Rules as in born_custom. Equals torch.utils.checkpoint. Chen et al., 2016.
BORN_API BORN_CHECK born_status born_recompute(born_block_fn block, void *user, void (*release)(void *user),
                                                const born_tensor *in, int n_in, born_tensor *out, int n_out);

BORN_C_END
#endif

/* Born: attention and its company. Dtypes: f32, f16, bf16.
   How rows and selectors work: op_forms.h. */
#if !defined(BORN_OP_LLM_H) || defined(BORN__READ_ROWS)
#ifndef BORN_OP_LLM_H
#define BORN_OP_LLM_H
#endif
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "op_forms.h"

/// Scaled dot product attention of q [B, Hq, Tq, D], k [B, Hk, Tk, D], v [B, Hk, Tk, Dv]; Hq is a multiple of Hk.
/// mask: {0}, bool (true: may look) or q's dtype (added), broadcast to [B, Hq, Tq, Tk]; any handle through
/// BORN_ANY. Attributes: `is_causal`, `scale` (default 1 / sqrt(D)), `softcap`, `left_window`, `right_window`. Keys
/// go in units of 256 by absolute position, so prefill and decode give the same bits. A row with no key left gives
/// zeros. Equals torch.nn.functional.scaled_dot_product_attention, ONNX Attention.
BORN_OP3X(attention, F32H, (, born_tensor mask, const born_attention_attrs *attrs), (, mask, attrs))
#define born_attention(x, ...) BORN_SEL_N(F32H, born_attention, x, __VA_ARGS__)

/// Rotary position embedding of x [B, H, T, D] with cos and sin [P, R/2] and positions ids [B, T] (i64; or {0},
/// then cos and sin are [B, T, R/2]). Attributes: `interleaved`, `rotary_dim`, `num_heads` for x [B, T, H*D]. Su et
/// al., 2021. Equals ONNX RotaryEmbedding.
BORN_OP3X(rotary_embedding, F32H, (, born_i64 ids, const born_rotary_attrs *attrs), (, ids, attrs))
#define born_rotary_embedding(x, ...) BORN_SEL_N(F32H, born_rotary_embedding, x, __VA_ARGS__)

/// a * sigmoid(alpha * a) * b, for a and b of one shape; `alpha` defaults to 1. Shazeer, 2020. Equals ONNX SwiGLU.
BORN_OP2A(swiglu, F32H, swiglu)
#define born_swiglu(x, ...) BORN_SEL_N(F32H, born_swiglu, x, __VA_ARGS__)

#endif

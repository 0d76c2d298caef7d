/* The masks of com.microsoft attention operators: i32, read as lengths, as 0 and 1 per key, or per query and key. */
#ifndef BORN_OPS_ATTENTION_MS_H
#define BORN_OPS_ATTENTION_MS_H
#include "ops/attention.h"

/* m is [B] (ends), [2 B] (ends, starts), [B, T], [B, Tq, T] or [B, 1, >= past + Tq, >= T]. */
bool born__ms_mask_fits(const born_view *m, int64_t B, int64_t Tq, int64_t past, int64_t T);
/* Shape rule for operands mask and added (scores added, [B or 1, H or 1, Tq, T]). */
born_status born__ms_mask_rule(born_infer *f, int mask, int added, int64_t B, int64_t H, int64_t Tq, int64_t past,
                               int64_t T);
/* Sets a's fields from m; *starts is storage for a view that a then points to. */
void born__ms_mask_set(born_attn *a, const born_view *m, born_view *starts);
#endif

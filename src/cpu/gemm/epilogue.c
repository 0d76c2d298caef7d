/* The level-independent part of epilogues. */
#include "cpu/gemm/epilogue.h"

#include "waist/op.h"

static bool near_or_one(int64_t step) { return step == 1 || step == 0; }

bool born__epilogue_direct(const born_epilogue *e)
{
    return (e->activation == 0 || e->activation == BORN_OP_RELU) && !e->scaled && !e->bias_scaled && e->out_col == 1 &&
           (!e->has_scales || near_or_one(e->scales_col)) && (!e->has_bias || near_or_one(e->bias_col)) &&
           (!e->has_residual || e->residual_col == 1);
}

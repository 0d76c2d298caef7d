/* The level-independent part of epilogues. */
#include "cpu/gemm/epilogue.h"

#include "waist/op.h"

bool born__epilogue_direct(const born_epilogue *e)
{
    return (e->activation == 0 || e->activation == BORN_OP_RELU) && !e->scaled && !e->bias_scaled && e->out_col == 1 &&
           (!e->has_scales || e->scales_col == 1) && (!e->has_bias || e->bias_col == 1) &&
           (!e->has_residual || e->residual_col == 1);
}

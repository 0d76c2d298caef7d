/* Which recurrent calls the lanes take: those whose biases, peepholes and results are dense along their last axis.
   Scratch is that of the reference. */
#include "cpu/queries.h"
#include "ops/rnn_job.h"

static bool dense(const born_view *v)
{
    return v->dtype == BORN_DTYPE_NONE || v->rank == 0 || v->dim[v->rank - 1] <= 1 || v->stride[v->rank - 1] == 1;
}

bool born__query_rnn(const born_call *c, born_query *q)
{
    born_rnn_job j;
    for (int i = 3; i < c->in_count; i += 4)        /* the bias and the peepholes */
        if (!dense(&c->in[i])) return false;
    for (int i = 0; i < c->out_count; i++)
        if (!dense(&c->out[i])) return false;
    born__rnn_describe(c, &j);
    q->scratch_bytes = born__rnn_lay_out(&j, NULL);
    return q->scratch_bytes != SIZE_MAX;
}

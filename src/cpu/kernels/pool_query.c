/* Which calls the channels-last kernels take: images stored with channels side by side, results alike; pools without
   indices. */
#include "cpu/queries.h"

static bool side_by_side(const born_view *v)
{
    return v->rank >= 3 && v->rank <= 5 && (v->stride[1] == 1 || v->dim[1] == 1);
}

bool born__query_pool(const born_call *c, born_query *q)
{
    (void)q;
    for (int i = 1; i < c->out_count; i++)
        if (c->out[i].dtype != BORN_DTYPE_NONE) return false;
    return side_by_side(&c->in[0]) && side_by_side(&c->out[0]);
}

bool born__query_channels_last(const born_call *c, born_query *q)
{
    (void)q;
    return side_by_side(&c->in[0]) && side_by_side(&c->out[0]);
}

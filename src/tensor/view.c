/* See view.h: counts, strides and broadcasting. Dims that come from outside go through born__shape_count first; the
   other functions take views whose count and bytes are known to fit. */
#include "tensor/view.h"

#include <string.h>

#include "base/checked.h"
#include "base/text.h"

int64_t born__view_count(const born_view *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->rank; i++)
        n = (int64_t)((uint64_t)n * (uint64_t)v->dim[i]); /* may pass 2^63 on the way to 0 */
    return n;
}

int64_t born__view_bytes(const born_view *v)
{
    int64_t count;
    if (!born__shape_count(v->dim, v->rank, &count)) return -1;
    return born_dtype_bytes(v->dtype, count);
}

bool born__shape_count(const int64_t *dim, int rank, int64_t *count)
{
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0) return false;
        if (dim[i] == 0) empty = true;
    }
    for (int i = 0; i < rank && !empty; i++) {
        if (!born__mul_i64(n, dim[i], &n)) return false;
    }
    *count = empty ? 0 : n;
    return true;
}

static bool is_empty(const born_view *v)
{
    for (int i = 0; i < v->rank; i++) {
        if (v->dim[i] == 0) return true;
    }
    return false;
}

bool born__view_contiguous(const born_view *v)
{
    if (is_empty(v)) return true;
    int64_t step = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        if (v->dim[i] == 1) continue;
        if (v->stride[i] != step) return false;
        step *= v->dim[i];
    }
    return true;
}

/* A stride of an empty view is never used, but kernels turn it into bytes before they look: it stays small. */
static int64_t step_over(int64_t step, int64_t dim, bool empty)
{
    int64_t next;
    bool fits = dim > 0 && born__mul_i64(step, dim, &next) && !(empty && next > (int64_t)1 << 48);
    return fits ? next : step;
}

void born__view_row_major(born_view *v)
{
    bool empty = is_empty(v);
    int64_t step = 1;
    for (int i = v->rank - 1; i >= 0; i--) {
        v->stride[i] = step;
        step = step_over(step, v->dim[i], empty);
    }
}

void born__view_channels_last(born_view *v)
{
    if (v->rank < 3) {
        born__view_row_major(v);
        return;
    }
    bool empty = is_empty(v);
    int64_t step = 1;
    v->stride[1] = step;
    step = step_over(step, v->dim[1], empty);
    for (int i = v->rank - 1; i >= 2; i--) {
        v->stride[i] = step;
        step = step_over(step, v->dim[i], empty);
    }
    v->stride[0] = step;
}

bool born__view_is_channels_last(const born_view *v)
{
    if (v->rank < 3) return false;
    if (is_empty(v)) return true;
    born_view last = *v;
    born__view_channels_last(&last);
    for (int i = 0; i < v->rank; i++) {
        if (v->dim[i] != 1 && v->stride[i] != last.stride[i]) return false;
    }
    return true;
}

bool born__broadcast(int64_t *dim, int *rank, const int64_t *b, int b_rank)
{
    int64_t out[BORN_MAX_RANK];
    int most = *rank > b_rank ? *rank : b_rank;
    if (most > BORN_MAX_RANK) return false;
    for (int i = 0; i < most; i++) {        /* from the right */
        int64_t x = i < *rank ? dim[*rank - 1 - i] : 1;
        int64_t y = i < b_rank ? b[b_rank - 1 - i] : 1;
        if (x != y && x != 1 && y != 1) return false;
        out[most - 1 - i] = x == 1 ? y : x;
    }
    memcpy(dim, out, (size_t)most * sizeof out[0]);
    *rank = most;
    return true;
}

born_view born__view_expand(const born_view *v, const born_view *to)
{
    born_view out = *v;
    int shift = to->rank - v->rank;
    out.rank = to->rank;
    for (int i = to->rank - 1; i >= 0; i--) {
        int from = i - shift;
        bool kept = from >= 0 && v->dim[from] == to->dim[i];
        out.dim[i] = to->dim[i];
        out.stride[i] = kept && v->dim[from] != 1 ? v->stride[from] : 0;
    }
    return out;
}

const char *born__shape_text(const int64_t *dim, int rank, char *buf, size_t n)
{
    born_text t = born__text_in(buf, n);
    born__text_put(&t, "[", 1);
    for (int i = 0; i < rank; i++) born__text_add(&t, i == 0 ? "%lld" : ",%lld", (long long)dim[i]);
    born__text_put(&t, "]", 1);
    return buf;
}

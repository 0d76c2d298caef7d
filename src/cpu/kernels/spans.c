/* See spans.h. */
#include "cpu/kernels/spans.h"

#include "ops/copy_view.h"
#include "ops/ref.h"

enum { BLOCK = BORN_SPAN_BLOCK, PIECE = BORN_SPAN_PIECE, GRAIN = 1 << 14 };

typedef struct room { _Alignas(64) char bytes[PIECE * 8]; } room;

/* m elements of an operand, m <= PIECE: in place where they are dense whole blocks, else gathered into t with zeros up
   to the end of the block. */
static const void *gather(const char *p, int64_t step, int size, int64_t m, room *t)
{
    if (step == size && m % BLOCK == 0) return p;
    born__copy_strided(t->bytes, size, p, step, m, size);
    if (m % BLOCK) memset(t->bytes + m * size, 0, (size_t)((BLOCK - m % BLOCK) * size));
    return t->bytes;
}

/* Elements [from, n) of a run, a piece at a time. */
static void run_pieces(const born_span *s, char *const *p, const int64_t *step, int64_t from, int64_t n)
{
    room t[BORN_SPAN_INPUTS], tz;
    const void *x[BORN_SPAN_INPUTS];

    for (int k = 0; k < s->inputs; k++) /* one element for all: spread once */
        if (step[k + 1] == 0) {
            int64_t m = n - from < PIECE ? (n - from + BLOCK - 1) / BLOCK * BLOCK : PIECE;
            born__copy_strided(t[k].bytes, s->in_size[k], p[k + 1], 0, m, s->in_size[k]);
            x[k] = t[k].bytes;
        }
    for (int64_t i = from; i < n; i += PIECE) {
        int64_t m = n - i < PIECE ? n - i : PIECE, whole = (m + BLOCK - 1) / BLOCK * BLOCK;
        char *z = p[0] + i * step[0];
        bool in_place = step[0] == s->out_size && m == whole;
        for (int k = 0; k < s->inputs; k++)
            if (step[k + 1] != 0) x[k] = gather(p[k + 1] + i * step[k + 1], step[k + 1], s->in_size[k], m, &t[k]);
        s->loop(s, x, in_place ? z : tz.bytes, whole);
        if (!in_place) born__copy_strided(z, step[0], tz.bytes, s->out_size, m, s->out_size);
    }
}

static void run_body(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const born_span *s = ctx;
    const void *x[BORN_SPAN_INPUTS];
    bool dense = step[0] == s->out_size;
    int64_t whole = 0;

    for (int k = 0; k < s->inputs; k++) {
        dense = dense && step[k + 1] == s->in_size[k];
        x[k] = p[k + 1];
    }
    if (dense) whole = n / BLOCK * BLOCK;
    if (whole) s->loop(s, x, p[0], whole);
    if (whole < n) run_pieces(s, p, step, whole, n);
}

born_status born__span_run(born_call *c, const born_exec *x, born_span *s)
{
    born_nd w;

    s->inputs = c->in_count;
    s->out_size = born__elem_size(&c->out[0]);
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    born__nd_add(&w, &c->out[0]);
    for (int i = 0; i < s->inputs; i++) {
        s->in_size[i] = born__elem_size(&c->in[i]);
        born__nd_add(&w, &c->in[i]);
    }
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, GRAIN, run_body, s);
    return BORN_OK;
}

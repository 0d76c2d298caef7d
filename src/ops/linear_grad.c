/* Gradients of einsum, det and inverse. */
#include "ops/emit_help.h"
#include "ops/linear_einsum.h"

/* ---- einsum ---------------------------------------------------------------------------------------------------- */

/* An equation being written; labels get letters in order of appearance. */
typedef struct writer {
    char text[EINSUM_OPERANDS * (BORN_MAX_RANK + 3) + 64];
    size_t n;
    char letter[EINSUM_LABELS];
    int letters;
} writer;

/* 0: more labels than letters. */
static char fresh(writer *w)
{
    if (w->letters == EINSUM_LETTERS) return 0;
    int k = w->letters++;
    return (char)(k < 26 ? 'a' + k : 'A' + k - 26);
}

static void put(writer *w, char c) { w->text[w->n++] = c; }

static bool put_label(writer *w, int label)
{
    if (!w->letter[label]) w->letter[label] = fresh(w);
    if (w->letter[label]) put(w, w->letter[label]);
    return w->letter[label] != 0;
}

/* What operand i's gradient is an einsum of: what arrived, the other operands, and an identity matrix for each label
   that i carries twice. */
typedef struct back {
    writer w;
    born_val in[2 * EINSUM_OPERANDS];
    int count;
    bool available[EINSUM_LABELS];      /* some factor carries it */
} back;

static bool add_factor(back *b, born_val v, const int8_t *label, int rank)
{
    if (b->count > 0) put(&b->w, ',');
    for (int d = 0; d < rank; d++) {
        b->available[label[d]] = true;
        if (!put_label(&b->w, label[d])) return false;
    }
    b->in[b->count++] = v;
    return true;
}

/* An identity of n x n between a label and a new letter for its second dim; 0: no letter left. */
static char add_identity(born_emit *e, back *b, int label, int64_t n, born_dtype t)
{
    char other = fresh(&b->w);
    if (!other || b->count == EINSUM_OPERANDS) return 0;
    born_val square = born__emit_filled(e, t, 0, (int64_t[]){ n, n }, 2);
    put(&b->w, ',');
    if (!put_label(&b->w, label)) return 0;
    put(&b->w, other);
    b->in[b->count++] = born__emit_one(e, BORN_OP_EYE_LIKE, square);
    return other;
}

/* What has been decided about operand i's dims: the letters of the einsum's result, and which dims those are. */
typedef struct wanted_dims {
    char letter[BORN_MAX_RANK];
    bool kept[BORN_MAX_RANK];
    int count;
} wanted_dims;

static bool add_factors(born_emit *e, const born_grad *g, const born_einsum_parts *p, int i, back *b)
{
    bool fits = add_factor(b, g->gout[0], p->out, p->out_rank);
    for (int k = 0; k < p->ops && fits; k++)
        if (k != i) fits = add_factor(b, g->in[k], p->label[k], e->meta(e, g->in[k])->rank);
    return fits;
}

/* A label that operand i carries twice and no factor has: the identity will give both. */
static bool offer_twice(const born_einsum_parts *p, int i, const born_view *x, back *b)
{
    for (int d = 0; d < x->rank; d++)
        for (int k = 0; k < d; k++) {
            int l = p->label[i][d];
            if (p->label[i][k] != l || b->available[l] || x->dim[d] != x->dim[k]) continue;
            b->available[l] = true;
            b->w.letter[l] = fresh(&b->w);
            if (!b->w.letter[l]) return false;
        }
    return true;
}

static bool choose_dims(born_emit *e, const born_einsum_parts *p, int i, const born_view *x, back *b, wanted_dims *w)
{
    bool met[EINSUM_LABELS] = { false };
    for (int d = 0; d < x->rank; d++) {
        int l = p->label[i][d];
        w->kept[d] = x->dim[d] == p->size[l] && b->available[l];
        if (!w->kept[d]) continue;
        char c = met[l] ? add_identity(e, b, l, x->dim[d], x->dtype) : b->w.letter[l];
        if (!c) return false;
        w->letter[w->count++] = c;
        met[l] = true;
    }
    return b->count <= EINSUM_OPERANDS;
}

/* Dims of operand i that the factors cannot give are broadcast; dims of 1 that others broadcast are summed. */
static born_val gradient_of(born_emit *e, const born_grad *g, const born_einsum_parts *p, int i)
{
    back b = { .count = 0 };
    wanted_dims w = { .count = 0 };
    born_view x;
    int64_t dim[BORN_MAX_RANK];
    if (!born__emit_sizes(e, g->in[i], &x)) return 0;
    if (!add_factors(e, g, p, i, &b) || !offer_twice(p, i, &x, &b) || !choose_dims(e, p, i, &x, &b, &w)) {
        if (!e->err.status) born__fail(&e->err, BORN_UNSUPPORTED, "einsum: a gradient of so many labels");
        return 0;
    }
    put(&b.w, '-');
    put(&b.w, '>');
    for (int d = 0; d < w.count; d++) put(&b.w, w.letter[d]);
    const born_einsum_attrs a = { .equation = { b.w.text, b.w.n } };
    born_val v = e->err.status ? 0 : born__emit1(e, BORN_OP_EINSUM, &a, b.in, b.count);
    for (int d = 0, k = 0; d < x.rank && v; d++)    /* factors of size 1 along a label leave 1 there */
        dim[d] = w.kept[d] ? e->meta(e, v)->dim[k++] : 1;
    return born__emit_expand(e, born__emit_reshape(e, v, dim, x.rank), x.dim, x.rank);
}

void born__grad_einsum(born_emit *e, const born_grad *g)
{
    born_view in[EINSUM_OPERANDS];
    born_einsum_parts p;
    for (int i = 0; i < g->in_count && i < EINSUM_OPERANDS; i++)
        if (!born__emit_sizes(e, g->in[i], &in[i])) return;
    born_infer f = { .op = g->op, .attrs = g->attrs, .in_count = g->in_count, .in = in, .err = &e->err };
    if (e->err.status || born__einsum_parse(&f, &p)) return;
    for (int i = 0; i < g->in_count; i++)
        if (g->wanted[i]) g->gin[i] = gradient_of(e, g, &p, i);
}

/* ---- det and inverse ------------------------------------------------------------------------------------------- */

/* v [...] as [..., 1, 1]. */
static born_val as_matrix(born_emit *e, born_val v, const born_view *x)
{
    int64_t dim[BORN_MAX_RANK];
    for (int d = 0; d < x->rank; d++) dim[d] = d < x->rank - 2 ? x->dim[d] : 1;
    return born__emit_reshape(e, v, dim, x->rank);
}

/* det(x) times the inverse's transpose (Jacobi): a singular matrix has no gradient here but infinities. */
void born__grad_det(born_emit *e, const born_grad *g)
{
    born_view x;
    if (!born__emit_sizes(e, g->in[0], &x)) return;
    born_val scale = as_matrix(e, born__emit_two(e, BORN_OP_MUL, g->gout[0], g->out[0]), &x);
    born_val inverse = born__emit_swap_last(e, born__emit_one(e, BORN_OP_INVERSE, g->in[0]));
    g->gin[0] = born__emit_two(e, BORN_OP_MUL, scale, inverse);
}

void born__grad_inverse(born_emit *e, const born_grad *g)
{
    born_val turned = born__emit_swap_last(e, g->out[0]);
    born_val v = born__emit_two(e, BORN_OP_MATMUL, turned, g->gout[0]);
    g->gin[0] = born__emit_one(e, BORN_OP_NEG, born__emit_two(e, BORN_OP_MATMUL, v, turned));
}

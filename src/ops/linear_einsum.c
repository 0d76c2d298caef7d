/* einsum: the equation is parsed into labels with sizes, and each operand into a step per label. An output element is
   one chain over the flattened summed labels (in order of first appearance), cut every 1,024 products as in a matrix
   product: all operands but the last are multiplied, the last enters by FMA. The kernel parses again: it is short. */
#include <math.h>

#include "base/fma.h"
#include "ops/linear_einsum.h"

enum { CHAIN = 1024 };

static int label_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* The labels of one term of the equation, "..." as `dots` labels. *at moves behind it. */
static born_status read_term(born_infer *f, born_str eq, size_t *at, int dots, int8_t *label, int *n, bool *ellipsis)
{
    *n = 0;
    *ellipsis = false;
    for (; *at < eq.n && eq.p[*at] != ',' && eq.p[*at] != '-'; ++*at) {
        int l = label_of(eq.p[*at]);
        if (eq.p[*at] == ' ') continue;
        if (l < 0 && (*ellipsis || eq.n - *at < 3 || memcmp(eq.p + *at, "...", 3) != 0))
            return born__infer_fail(f, BORN_INVALID, "the equation is wrong at character %d", (int)*at);
        if (l < 0) {
            *ellipsis = true;
            *at += 2;
        }
        if (*n + (l < 0 ? dots : 1) > BORN_MAX_RANK)
            return born__infer_fail(f, BORN_INVALID, "a term has more than %d labels", BORN_MAX_RANK);
        if (l >= 0) label[(*n)++] = (int8_t)l;
        else for (int d = 0; d < dots; d++) label[(*n)++] = (int8_t)(EINSUM_LABELS - dots + d);
    }
    return BORN_OK;
}

/* The number of letters of the term at `at`. */
static int count_letters(born_str eq, size_t at)
{
    int n = 0;
    for (; at < eq.n && eq.p[at] != ',' && eq.p[at] != '-'; at++) n += label_of(eq.p[at]) >= 0;
    return n;
}

static born_status read_operand(born_infer *f, born_einsum_parts *p, int i, born_str eq, size_t *at)
{
    const born_view *v = &f->in[i];
    int8_t label[BORN_MAX_RANK];
    int n, letters = count_letters(eq, *at);
    bool ellipsis;
    BORN_TRY(read_term(f, eq, at, letters > v->rank ? 0 : v->rank - letters, label, &n, &ellipsis));
    if (n != v->rank)
        return born__infer_fail(f, BORN_SHAPE, "operand %d %s does not fit its %d labels", i,
                                born__infer_shape(f, i), n);
    p->ellipsis = p->ellipsis || ellipsis;
    for (int d = 0; d < n; d++) {
        int l = label[d];
        p->label[i][d] = (int8_t)l;
        if (p->times[l] == 0) {
            p->order[p->seen++] = (int8_t)l;
            p->size[l] = 1;
        }
        p->times[l] = (int8_t)(p->times[l] < 2 ? p->times[l] + 1 : 2);
        if (v->dim[d] == 1) continue;
        if (p->size[l] != 1 && p->size[l] != v->dim[d])
            return born__infer_fail(f, BORN_SHAPE, "operand %d %s: dim %d does not fit %lld elsewhere", i,
                                    born__infer_shape(f, i), d, (long long)p->size[l]);
        p->size[l] = v->dim[d];
        p->stride[i][l] += v->stride[d];
    }
    return BORN_OK;
}

/* Without "->": the dims of "...", then the letters that appear once, in the alphabet's order. */
static born_status implicit_result(born_infer *f, born_einsum_parts *p)
{
    for (int k = 0; k < EINSUM_LABELS; k++) {
        int l = (k + EINSUM_LETTERS) % EINSUM_LABELS;
        if (p->times[l] == 0 || (l < EINSUM_LETTERS && p->times[l] > 1)) continue;
        if (p->out_rank == BORN_MAX_RANK) return born__infer_fail(f, BORN_SHAPE, "the result has too many dims");
        p->out[p->out_rank++] = (int8_t)l;
    }
    return BORN_OK;
}

static born_status explicit_result(born_infer *f, born_einsum_parts *p, born_str eq, size_t at)
{
    int dots = 0;
    bool ellipsis;
    for (int l = EINSUM_LETTERS; l < EINSUM_LABELS; l++) dots += p->times[l] > 0;
    BORN_TRY(read_term(f, eq, &at, dots, p->out, &p->out_rank, &ellipsis));
    if (at != eq.n) return born__infer_fail(f, BORN_INVALID, "the equation is wrong at character %d", (int)at);
    uint64_t given = 0;
    for (int d = 0; d < p->out_rank; d++) {
        if (p->times[p->out[d]] == 0 || (given >> p->out[d] & 1u))
            return born__infer_fail(f, BORN_INVALID, "label %d of the result is unknown or given twice", d);
        given |= (uint64_t)1 << p->out[d];
    }
    return BORN_OK;
}

born_status born__einsum_parse(born_infer *f, born_einsum_parts *p)
{
    born_str eq = BORN_ATTRS_OF(einsum, f)->equation;
    size_t at = 0;
    *p = (born_einsum_parts){ .ops = f->in_count };
    if (f->in_count > EINSUM_OPERANDS)
        return born__infer_fail(f, BORN_UNSUPPORTED, "takes up to %d operands, not %d", EINSUM_OPERANDS, f->in_count);
    for (int i = 0; i < f->in_count; i++) {
        if (f->in[i].dtype == BORN_DTYPE_NONE) return born__infer_fail(f, BORN_INVALID, "operand %d is missing", i);
        if (i > 0 && (at >= eq.n || eq.p[at++] != ','))
            return born__infer_fail(f, BORN_INVALID, "the equation has %d terms for %d operands", i, f->in_count);
        BORN_TRY(read_operand(f, p, i, eq, &at));
    }
    if (at == eq.n) return implicit_result(f, p);
    if (eq.n - at < 2 || eq.p[at] != '-' || eq.p[at + 1] != '>')
        return born__infer_fail(f, BORN_INVALID, "the equation is wrong at character %d", (int)at);
    return explicit_result(f, p, eq, at + 2);
}

typedef struct einsum_job {
    int ops, summed, out_rank;
    int64_t total;                                      /* products of one element */
    int64_t size[EINSUM_LABELS];                        /* of the summed labels */
    int64_t step[EINSUM_LABELS][EINSUM_OPERANDS];       /* byte steps along them */
    int64_t inner[EINSUM_OPERANDS];                     /* along the last of them */
    int64_t out_step[EINSUM_OPERANDS][BORN_MAX_RANK];   /* byte steps of the operands along the result's dims */
    const born_view *in, *out;
    void (*element)(const struct einsum_job *j, char *const *base, char *out);
} einsum_job;

static inline float mul_add_f32(float a, float b, float c) { return born__fmaf(a, b, c); }
static inline double mul_add_f64(double a, double b, double c) { return fma(a, b, c); }
#define BORN_EACH "ops/linear_einsum.inc"
#include "ops/each_num.inc"

static bool in_result(const born_einsum_parts *p, int label)
{
    for (int d = 0; d < p->out_rank; d++)
        if (p->out[d] == label) return true;
    return false;
}

/* False: the number of products is out of range. */
static bool plan(const born_einsum_parts *p, einsum_job *j, int size)
{
    *j = (einsum_job){ .ops = p->ops, .out_rank = p->out_rank, .total = 1 };
    for (int i = 0; i < p->seen; i++) {
        int l = p->order[i];
        if (in_result(p, l)) continue;
        j->size[j->summed] = p->size[l];
        for (int k = 0; k < p->ops; k++) j->step[j->summed][k] = j->inner[k] = p->stride[k][l] * size;
        j->summed++;
        if (!born__mul_i64(j->total, p->size[l], &j->total)) return false;
    }
    for (int k = 0; k < p->ops; k++)
        for (int d = 0; d < p->out_rank; d++) j->out_step[k][d] = p->stride[k][p->out[d]] * size;
    return true;
}

born_status born__shape_einsum(born_infer *f)
{
    born_einsum_parts p;
    einsum_job j;
    int64_t dim[BORN_MAX_RANK];
    BORN_TRY(born__einsum_parse(f, &p));
    if (!plan(&p, &j, born__elem_size(&f->in[0]))) return born__infer_fail(f, BORN_RANGE, "the sum is too long");
    for (int d = 0; d < p.out_rank; d++) dim[d] = p.size[p.out[d]];
    born__out_set(f, 0, f->in[0].dtype, p.out_rank, dim);
    return BORN_OK;
}

static void einsum_part(void *ctx, int64_t begin, int64_t end)
{
    const einsum_job *j = ctx;
    char *base[EINSUM_OPERANDS];
    for (int64_t i = begin; i < end; i++) {
        for (int k = 0; k < j->ops; k++)
            base[k] = j->in[k].data + born__offset_of(j->out->dim, j->out_step[k], j->out_rank, i);
        int64_t at = born__offset_of(j->out->dim, j->out->stride, j->out_rank, i);
        j->element(j, base, j->out->data + at * born__elem_size(j->out));
    }
}

born_status born__ref_einsum(born_call *c, const born_exec *x)
{
    born_infer f = { .op = c->op, .attrs = c->attrs, .in_count = c->in_count, .in = c->in, .err = x->err };
    born_einsum_parts p;
    einsum_job j;
    BORN_TRY(born__einsum_parse(&f, &p));
    BORN_FAIL_IF(!plan(&p, &j, born__elem_size(&c->in[0])), x->err, BORN_RANGE, "%s: the sum is too long", c->op->name);
    j.in = c->in;
    j.out = &c->out[0];
    j.element = BORN_PICK_NUM(c->in[0].dtype, element);
    if (!j.element) return born__no_body(c, x);
    born__exec_for(x, born__view_count(j.out), 1 + 16384 / (j.total + 1), einsum_part, &j);
    return BORN_OK;
}

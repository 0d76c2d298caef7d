/* Programs of elementwise rows (ops/fused.h), a piece at a time: registers are pieces in the first cache, each step is
   the row's own loop over a whole piece, so its bits are those of the row alone. Inputs are read where they are dense
   and gathered where they are not. A step writes its result where it goes, unless that lies in the storage of an input
   that is read later: then it is copied out when all steps are done. */
#include "cpu/simd/lanes.h"

#include <string.h>

#include "cpu/kernels/activation.h"
#include "cpu/kernels/spans.h"
#include "cpu/levels.h"
#include "ops/copy_view.h"
#include "ops/fused.h"
#include "ops/ref.h"

enum { PIECE = BORN_SPAN_PIECE, BLOCK = BORN_SPAN_BLOCK };

typedef union piece { _Alignas(64) float f[PIECE]; uint8_t b[PIECE]; } piece;

typedef struct rooms {
    piece reg[BORN_FUSED_REGISTERS], in[BORN_FUSED_INPUTS];
} rooms;

static void choose(const uint8_t *m, const float *x, const float *y, float *z, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) v_store(z + i, v_sel(m_load(m + i, 16), v_load(x + i), v_load(y + i)));
}

static void run_step(const born_fused_step *s, const void *const *at, void *to, int64_t n)
{
    if (s->choice) choose(at[0], at[1], at[2], to, n);
    else BORN_K(formula_f32)(s->op, s->p, at[0], s->in_count > 1 ? at[1] : NULL, to, n);
}

typedef struct fused_job {
    born_fused f;
    bool is_bool[BORN_FUSED_INPUTS];
    int8_t last_write[BORN_FUSED_RESULTS];      /* step that makes result i; -1: it must be copied out */
} fused_job;

/* Where m elements of every input lie, from element i of the run on: in place where they are dense and whole, else
   gathered with zeros up to the end of the block. */
static void gather_inputs(const fused_job *j, rooms *r, char *const *p, const int64_t *step, int64_t i, int64_t m,
                          const void **at)
{
    int64_t whole = (m + BLOCK - 1) / BLOCK * BLOCK;

    for (int k = 0; k < j->f.inputs; k++) {
        int64_t by = step[j->f.results + k];
        int size = j->is_bool[k] ? 1 : (int)sizeof(float);
        const char *from = p[j->f.results + k] + i * by;
        at[k] = r->in[k].b;
        if (by == 0 && i > 0) continue;         /* one element for all: spread before the first piece */
        if (by == size && m == whole) {
            at[k] = from;
            continue;
        }
        char *to = (char *)&r->in[k]; /* all bytes of the piece, not its PIECE bools alone */
        born__copy_strided(to, size, from, by, by == 0 ? whole : m, size);
        if (by != 0) memset(to + m * size, 0, (size_t)((whole - m) * size));
    }
}

/* The place in a result that step s may write at once, or the register. */
static void *target_of(const fused_job *j, int s, rooms *r, char *const *p, const int64_t *step, int64_t i)
{
    const born_fused_step *t = &j->f.step[s];

    for (int k = 0; k < j->f.results; k++)
        if (j->last_write[k] == s && step[k] == (t->test ? 1 : (int64_t)sizeof(float))) return p[k] + i * step[k];
    return r->reg[t->to].b;
}

/* m elements from element i of the run on. */
static void run_piece(const fused_job *j, rooms *r, char *const *p, const int64_t *step, int64_t i, int64_t m)
{
    const born_fused *f = &j->f;
    int64_t whole = (m + BLOCK - 1) / BLOCK * BLOCK;
    const void *at[BORN_FUSED_INPUTS + BORN_FUSED_REGISTERS];

    gather_inputs(j, r, p, step, i, m, at);
    for (int s = 0; s < f->steps; s++) {
        const born_fused_step *t = &f->step[s];
        const void *x[3] = { NULL };
        void *z = m == whole ? target_of(j, s, r, p, step, i) : r->reg[t->to].b;
        for (int k = 0; k < t->in_count; k++) x[k] = at[t->in[k]];
        run_step(t, x, z, whole);
        at[f->inputs + t->to] = z;
    }
    for (int k = 0; k < f->results; k++) {
        int size = f->result_is_bool[k] ? 1 : (int)sizeof(float);
        const char *from = at[f->inputs + f->result[k]];
        char *out = p[k] + i * step[k];
        if (from != out) born__copy_strided(out, step[k], from, size, m, size);
    }
}

static void run_body(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    rooms r;

    for (int64_t i = 0; i < n; i += PIECE) run_piece(ctx, &r, p, step, i, n - i < PIECE ? n - i : PIECE);
}

/* The bytes from *lo up to *hi hold all of v. */
static void extent(const born_view *v, const char **lo, const char **hi)
{
    int size = born__elem_size(v);

    *lo = v->data;
    *hi = v->data + size;
    for (int d = 0; d < v->rank; d++) {
        int64_t reach = (v->dim[d] - 1) * v->stride[d] * size;
        if (reach < 0) *lo += reach;
        else *hi += reach;
    }
}

static bool meets_inputs(const born_call *c, int result)
{
    const char *lo, *hi, *from, *to;

    extent(&c->out[result], &lo, &hi);
    for (int i = 0; i < c->in_count; i++) {
        extent(&c->in[i], &from, &to);
        if (from < hi && lo < to) return true;
    }
    return false;
}

/* A result can be written where it goes by the last step that writes its register, if no other result lies in the same
   register, and no input that it would overwrite is read after that step. */
static void find_last_writes(fused_job *j, const born_call *c)
{
    for (int k = 0; k < j->f.results; k++) {
        int last = -1;
        for (int s = 0; s < j->f.steps; s++)
            if (j->f.step[s].to == j->f.result[k]) last = s;
        for (int i = 0; i < k; i++)
            if (j->f.result[i] == j->f.result[k]) last = -1;
        j->last_write[k] = (int8_t)(last >= j->f.last_read || !meets_inputs(c, k) ? last : -1);
    }
}

born_status BORN_K(fused_any)(born_call *c, const born_exec *x)
{
    fused_job j;
    born_nd w;

    BORN_TRY(born__fused_read(BORN_ATTRS_OF(fused, c), c->in, c->in_count, c->out_count, &j.f, x->err));
    for (int i = 0; i < c->in_count; i++) j.is_bool[i] = c->in[i].dtype == BORN_BOOL;
    find_last_writes(&j, c);
    born__nd_start(&w, c->out[0].dim, c->out[0].rank);
    for (int i = 0; i < c->out_count; i++) born__nd_add(&w, &c->out[i]);
    for (int i = 0; i < c->in_count; i++) born__nd_add(&w, &c->in[i]);
    born__nd_free_order(&w);
    born__nd_merge(&w);
    born__nd_for(&w, x, 1 + (1 << 15) / j.f.steps, run_body, &j);
    return BORN_OK;
}

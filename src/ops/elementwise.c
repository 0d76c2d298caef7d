/* Reference kernels of the elementwise formulas: one walk over strided, broadcast operands in runs of 256, converted to
   the class that the row's loop is written for. The row functions below only name the loop's table entry. */
#include "ops/elementwise.h"

#include "ops/numbers.h"
#include "ops/ref.h"

enum { GRAIN = 16384 };     /* elements worth another thread */

born_status born__shape_elementwise(born_infer *f)
{
    born_view *o = &f->out[0];
    for (int i = 0; i < f->in_count; i++) {
        if (!born__infer_has(f, i)) continue;
        if (!born__broadcast(o->dim, &o->rank, f->in[i].dim, f->in[i].rank)) {
            char before[96];
            born__shape_text(o->dim, o->rank, before, sizeof before);
            return born__infer_fail(f, BORN_SHAPE, "operand %d %s does not broadcast with %s before it", i,
                                    born__infer_shape(f, i), before);
        }
    }
    return BORN_OK;
}

typedef struct formula {
    born_span_fn fn;
    double p[2];
    born_class cls;
    born_dtype in, out;
    bool binary, test;
} formula;

static void formula_run(void *ctx, char *const *p, const int64_t *step, int64_t n)
{
    const formula *w = ctx;
    born_run xb, yb, zb;
    char *z = p[0];
    const char *x = p[1], *y = w->binary ? p[2] : NULL;
    for (int64_t done = 0; done < n; done += BORN_RUN) {
        int64_t k = n - done < BORN_RUN ? n - done : BORN_RUN;
        const void *xs = born__run_read(w->cls, w->in, x, step[1], k, &xb), *ys = NULL;
        if (w->binary) ys = born__run_read(w->cls, w->in, y, step[2], k, &yb);
        if (w->test) {
            w->fn(w->p, xs, ys, zb.u8, k);
            for (int64_t i = 0; i < k; i++) z[i * step[0]] = (char)zb.u8[i];
        } else {
            void *zs = born__run_target(w->cls, w->out, z, step[0], &zb);
            w->fn(w->p, xs, ys, zs, k);
            born__run_write(w->cls, w->out, z, step[0], k, zs);
        }
        z += k * step[0];
        x += k * step[1];
        if (w->binary) y += k * step[2];
    }
}

static born_status run_formula(born_call *c, const born_exec *x)
{
    formula w = { .in = c->in[0].dtype, .out = c->out[0].dtype, .binary = c->op->min_in == 2 };
    w.cls = w.in == BORN_F16 || w.in == BORN_BF16 ? BORN_CLASS_F32 : born__class_of(w.in);
    w.fn = born__span_of(c->op->id, w.cls);
    w.test = c->op->sig[strlen(c->op->sig) - 1] == 'B';
    if (!w.fn) return born__no_body(c, x);
    born__attrs_numbers(c->op->attrs, c->attrs, w.p);
    born_nd nd;
    born__nd_start(&nd, c->out[0].dim, c->out[0].rank);
    born__nd_add(&nd, &c->out[0]);
    for (int i = 0; i < 1 + w.binary; i++) born__nd_add(&nd, &c->in[i]);
    born__nd_free_order(&nd);
    born__nd_merge(&nd);
    born__nd_for(&nd, x, GRAIN, formula_run, &w);
    return BORN_OK;
}

#define UNARY(ID, name, attrs, dtypes, value, dx, onnx, doc)                                                          \
    born_status born__ref_##name(born_call *c, const born_exec *x) { return run_formula(c, x); }
#define BINARY(ID, name, attrs, dtypes, props, value, dx, dy, onnx, doc)                                              \
    born_status born__ref_##name(born_call *c, const born_exec *x) { return run_formula(c, x); }
#define COMPARE(ID, name, dtypes, props, value, onnx, doc)                                                            \
    born_status born__ref_##name(born_call *c, const born_exec *x) { return run_formula(c, x); }
#define PREDICATE(ID, name, attrs, dtypes, value, onnx, doc)                                                          \
    born_status born__ref_##name(born_call *c, const born_exec *x) { return run_formula(c, x); }
#define OP(ID, ...)
#include "ops/rows.h"

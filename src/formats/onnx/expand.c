/* Operators that ONNX defines by others and that have no row of their own, or a row for fewer operands: said as calls
   of operators that have one. */
#include <string.h>

#include "base/error.h"
#include "formats/onnx/map.h"
#include "tensor/view.h"

/* x op y op z ...: from left to right, two at a time. */
static born_status chain(map_frame *f, const map_call *c, const char *op, born_vid *last)
{
    born_status st = BORN_OK;
    born_vid at = c->in[0];

    for (int i = 1; i < c->in_count; i++) {
        born_vid in[2] = { at, c->in[i] };
        if (i == c->in_count - 1 && *last >= 0) return born__map_emit(f, c, op, in, 2, last, 1, NULL, 0);
        at = born__map_emit1(f, c, &st, op, in, 2, NULL, 0);
        BORN_TRY(st);
    }
    if (*last >= 0) return born__map_identity(f, at, *last);
    *last = at;
    return BORN_OK;
}

static born_status variadic(map_frame *f, const map_call *c)
{
    char op[8];
    born_vid out = c->out_count == 1 ? c->out[0] : -1;

    if (c->in_count < 1 || out < 0) {
        born__map_gap(f->x, c->domain, c->op, c->said, c->name, "it needs inputs and gives one output");
        return BORN_OK;
    }
    born__pb_text(c->op, op, sizeof op);
    return chain(f, c, strcmp(op, "Sum") == 0 ? "Add" : op, &out);
}

static born_status mean(map_frame *f, const map_call *c)
{
    born_status st = BORN_OK;
    born_vid sum = -1;

    if (c->in_count < 1 || c->out_count != 1) {
        born__map_gap(f->x, c->domain, c->op, c->said, c->name, "it needs inputs and gives one output");
        return BORN_OK;
    }
    if (c->in_count == 1) return born__map_identity(f, c->in[0], c->out[0]);
    BORN_TRY(chain(f, c, "Add", &sum));
    born_dtype t = f->g->value[c->in[0] < 0 ? sum : c->in[0]].dtype;
    born_vid in[2] = { sum, born__map_scalar(f, &st, t ? t : BORN_F32, c->in_count) };
    BORN_TRY(st);
    return born__map_emit(f, c, "Div", in, 2, c->out, 1, NULL, 0);
}

/* (x - mean) / (sqrt(mean(x * x) - mean * mean) + 1e-9) over axes. */
static born_status mean_variance_norm(map_frame *f, const map_call *c)
{
    static const int64_t usual[] = { 0, 2, 3 };
    born_status st = BORN_OK;
    const pb_attr *a = born__map_attr(c, "axes");
    born_vid axes = a && a->type == PB_ATTR_INTS ? born__map_ints(f, &st, a->ints.v, a->ints.count)
                                                 : born__map_ints(f, &st, usual, 3);

    if (c->in_count != 1 || c->out_count != 1 || c->in[0] < 0) {
        born__map_gap(f->x, c->domain, c->op, c->said, c->name, "it takes one input and gives one output");
        return BORN_OK;
    }
    born_vid x = c->in[0], in[2] = { x, axes };
    born_dtype t = f->g->value[x].dtype ? f->g->value[x].dtype : BORN_F32;
    born_vid m = born__map_emit1(f, c, &st, "ReduceMean", in, 2, NULL, 0);
    born_vid xx = born__map_emit1(f, c, &st, "Mul", (born_vid[]){ x, x }, 2, NULL, 0);
    born_vid mxx = born__map_emit1(f, c, &st, "ReduceMean", (born_vid[]){ xx, axes }, 2, NULL, 0);
    born_vid mm = born__map_emit1(f, c, &st, "Mul", (born_vid[]){ m, m }, 2, NULL, 0);
    born_vid var = born__map_emit1(f, c, &st, "Sub", (born_vid[]){ mxx, mm }, 2, NULL, 0);
    born_vid dev = born__map_emit1(f, c, &st, "Sqrt", &var, 1, NULL, 0);
    born_vid eps = born__map_scalar(f, &st, t, 1e-9);
    born_vid below = born__map_emit1(f, c, &st, "Add", (born_vid[]){ dev, eps }, 2, NULL, 0);
    born_vid above = born__map_emit1(f, c, &st, "Sub", (born_vid[]){ x, m }, 2, NULL, 0);
    BORN_TRY(st);
    return born__map_emit(f, c, "Div", (born_vid[]){ above, below }, 2, c->out, 1, NULL, 0);
}

typedef struct expansion {
    const char *op;
    map_rewrite rewrite;
} expansion;

static const expansion known[] = {
    { "Max", variadic }, { "Min", variadic }, { "Sum", variadic }, { "Mean", mean },
    { "MeanVarianceNormalization", mean_variance_norm },
};

map_rewrite born__map_expansion(const map_call *c)
{
    if (c->domain.n) return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!born__pb_str_is(c->op, known[i].op)) continue;
        if (c->in_count == 2 && c->op.n == 3 && c->op.p[0] == 'M') return NULL;     /* the pair that chains end in */
        return known[i].rewrite;
    }
    return NULL;
}

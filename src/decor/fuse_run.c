/* Running the queue of born_fuse: graph/fusion.h says which calls make a program; each program runs below as one call,
   a call that is left alone as itself, in the order of their last calls. See fuse_queue.h. */
#include <string.h>

#include <born/attrs.h>

#include "base/error.h"
#include "decor/fuse_queue.h"
#include "ops/elementwise.h"
#include "tensor/view.h"

typedef struct flush {
    born_backend *self;
    fuse_queue *q;
    int16_t step_of[BORN_FUSE_CALLS], call_of[BORN_FUSE_CALLS];
    int16_t from[BORN_FUSE_CALLS], count[BORN_FUSE_CALLS];  /* per group: the steps of its next program */
    int32_t written;                                        /* the group whose next program is in `program`; -1: none */
    born_fusion_program program;
    born_error *err;
} flush;

/* The result of a call that has run. */
static void made_view(const fuse_call *c, const fuse_storage *g, born_view *to)
{
    *to = c->view;
    to->buffer = g->real;
    to->data = g->real->data;
}

static void operand_view(const fuse_queue *q, const fuse_operand *o, born_view *to)
{
    if (o->made) {
        made_view(&q->call[o->made->call], o->made, to);
        return;
    }
    *to = q->value[o->value].view;
    born__fuse_lend(to);
}

/* ---- one call of the leaf --------------------------------------------------------------------------------------- */

/* Runs c below; result i is of the queue's call `of[i]`. */
static born_status run_below(flush *f, born_call *c, const int *of, int calls)
{
    born_status s = born__backend_run(f->self->below, c, f->err);

    for (int i = 0; i < c->out_count; i++) {
        if (s) born__backend_release(f->self->below, c->out[i].buffer);
        else f->q->call[of[i]].out->real = c->out[i].buffer;
    }
    if (!s) return BORN_OK;
    const fuse_call *last = &f->q->call[of[c->out_count - 1]];
    if (calls > 1) born__error_prefix(f->err, "%d queued calls up to %s (%s:%d)", calls, last->op->name,
                                      last->at.file ? last->at.file : "?", last->at.line);
    else
        born__error_prefix(f->err, "queued %s (%s:%d)", last->op->name, last->at.file ? last->at.file : "?",
                           last->at.line);
    return s;
}

static born_status run_alone(flush *f, int k)
{
    fuse_call *q = &f->q->call[k];
    born_view in[BORN_FUSE_OPERANDS], out = q->view;
    born_call c = { .op = q->op, .attrs = q->op->attrs ? q->attrs : NULL, .at = &q->at, .in_count = q->op->max_in,
                    .out_count = 1, .in = in, .out = &out };

    for (int i = 0; i < c.in_count; i++) operand_view(f->q, &q->in[i], &in[i]);
    return run_below(f, &c, &k, 1);
}

static born_status run_program(flush *f)
{
    born_fusion_program *p = &f->program;
    born_view in[BORN_FUSED_INPUTS], out[BORN_FUSED_RESULTS];
    int of[BORN_FUSED_RESULTS];
    born_fused_attrs a = { .program = { p->code, (int64_t)p->count * BORN_FUSED_FIELDS },
                           .results = { p->result, p->outputs } };

    for (int i = 0; i < p->inputs; i++) {
        const fuse_call *by = p->in[i] < 0 ? NULL : &f->q->call[f->call_of[p->in[i]]];
        operand_view(f->q, &(fuse_operand){ by ? by->out : NULL, ~p->in[i] }, &in[i]);
    }
    for (int i = 0; i < p->outputs; i++) {
        of[i] = f->call_of[p->out[i]];
        out[i] = f->q->call[of[i]].view;
    }
    born_call c = { .op = born__fusion_op(), .attrs = &a, .at = &f->q->call[of[p->outputs - 1]].at,
                    .in_count = p->inputs, .out_count = p->outputs, .in = in, .out = out };
    return run_below(f, &c, of, p->count);
}

/* ---- the whole queue ------------------------------------------------------------------------------------------- */

/* Call k as a step. Results that are read as something else than a whole must be there before their readers. */
static void add_step(flush *f, int k)
{
    const fuse_call *c = &f->q->call[k];
    born_fusion *fusion = &f->q->fusion;
    born_fusion_step *s = born__fusion_new(fusion);     /* there is room for all */

    s->op = c->op;
    s->dim = c->view.dim;
    s->rank = c->view.rank;
    s->in_count = c->op->max_in;
    s->number[0] = s->number[1] = 0;
    for (int i = 0; i < s->in_count; i++) {
        const fuse_operand *o = &c->in[i];
        s->in[i] = o->made ? f->step_of[o->made->call] : ~o->value;
        if (o->made) continue;
        const fuse_storage *base = born__fuse_storage(&f->q->value[o->value].view);
        if (base && !base->real) born__fusion_read(fusion, f->step_of[base->call]);
    }
    if (c->op->attrs) born__attrs_numbers(c->op->attrs, c->attrs, s->number);
    s->uses = (int32_t)(c->out->readers + (c->out->base.refs ? 1 : 0));
    f->step_of[k] = (int16_t)fusion->steps;
    f->call_of[fusion->steps] = (int16_t)k;
    born__fusion_add(fusion);
}

/* Finds the next program of a group, or writes it again where another one's was written since. */
static void next_program(flush *f, int32_t group)
{
    f->count[group] = (int16_t)born__fusion_next(&f->q->fusion, group, f->from[group], &f->program);
    f->written = group;
}

/* Programs run where their last steps stand. */
static born_status run_steps(flush *f)
{
    const born_fusion *fusion = &f->q->fusion;

    for (size_t i = 0; i < fusion->groups; i++) f->from[i] = f->count[i] = 0;
    for (size_t s = 0; s < fusion->steps; s++) {
        int32_t at = fusion->step[s].group;
        if (!f->count[at]) next_program(f, at);
        if (fusion->group[at].step[f->from[at] + f->count[at] - 1] != (int32_t)s) continue;
        if (f->count[at] > 1 && f->written != at) next_program(f, at);
        BORN_TRY(f->count[at] > 1 ? run_program(f) : run_alone(f, f->call_of[s]));
        f->from[at] = (int16_t)(f->from[at] + f->count[at]);
        f->count[at] = 0;
    }
    return BORN_OK;
}

static born_status run_all(flush *f)
{
    const fuse_queue *q = f->q;

    if (q->calls == 1) return run_alone(f, 0);
    born__fusion_clear(&f->q->fusion);
    f->written = -1;
    for (int k = 0; k < q->calls; k++)
        if (q->call[k].out) add_step(f, k);
    return run_steps(f);
}

/* After a run that failed on its way: operands that were made are values from now on, as their calls leave. */
static void keep_made(fuse_queue *q)
{
    for (int k = 0; k < q->calls; k++) {
        fuse_call *c = &q->call[k];
        for (int i = 0; c->out && !c->out->real && i < c->op->max_in; i++) {
            fuse_storage *g = c->in[i].made;
            int32_t at = 0;
            if (!g || !g->real) continue;
            while (q->value[at].users) at++; /* there is room for every operand of every call */
            born_view v = q->call[g->call].view;
            v.buffer = &g->base;
            born__fuse_hold_value(q, at, &v);
            g->readers--;
            c->in[i] = (fuse_operand){ NULL, at };
        }
    }
}

born_status born__fuse_flush(born_backend *self, born_error *err)
{
    fuse_queue *q = self->state;
    flush f; /* large, and each part is set where it begins to matter */

    if (!q->calls) return BORN_OK;
    f.self = self;
    f.q = q;
    f.err = err;
    born_status s = run_all(&f);
    if (s) keep_made(q);
    for (int k = 0; k < q->calls; k++)
        if (q->call[k].out && q->call[k].out->real) q->call[k].out = NULL;
    born__fuse_drop_dead(self, q->calls - 1);
    return s;
}

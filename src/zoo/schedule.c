/* Learning-rate schedules of recipes: each by its usual numbers over the length of the training, behind a linear
   warm-up where there is one. */
#include "zoo/schedule.h"

#include <math.h>
#include <string.h>

#include "base/error.h"

typedef struct plan {
    double lr;
    const double *lr_list;
    int64_t steps;
    bool maximize;
} plan;

static void fill_cosine(born_sched_desc *d, const plan *p)
{
    d->kind = BORN_SCHED_COSINE;
    d->t_max = p->steps;
    d->eta_min = 0.01 * p->lr;
}
static void fill_one_cycle(born_sched_desc *d, const plan *p)
{
    d->kind = BORN_SCHED_ONE_CYCLE;
    d->max_lr = p->lr_list;
    d->total_steps = p->steps + 1;
    d->keep_momentum = true;
}
static void fill_linear(born_sched_desc *d, const plan *p)
{
    d->kind = BORN_SCHED_LINEAR;
    d->start_factor = 1;
    d->end_factor = 0.01;
    d->total_iters = p->steps;
}
static void fill_step(born_sched_desc *d, const plan *p)
{
    d->kind = BORN_SCHED_STEP;
    d->step_size = (p->steps + 2) / 3;
    d->gamma = 0.1;
}
static void fill_exponential(born_sched_desc *d, const plan *p)
{
    d->kind = BORN_SCHED_EXPONENTIAL;
    d->gamma = 1 - 4.6 / ((double)p->steps + 4.6); /* about 0.01 at the end */
}
static void fill_plateau(born_sched_desc *d, const plan *p)
{
    d->kind = BORN_SCHED_PLATEAU;
    d->patience = 3;
    d->maximize = p->maximize;
}

static const struct { const char *name; void (*fill)(born_sched_desc *d, const plan *p); } rows[] = {
#define ROW(id, name) { name, fill_##id },
    ZOO_SCHEDULE_ROWS(ROW)
#undef ROW
};

born_status born__zoo_schedule(born_optim *o, const char *name, double lr, int64_t warmup, int64_t steps,
                               bool maximize, born_sched **out, bool *by_step, born_error *err)
{
    bool asked = warmup > 0;
    if (warmup > steps / 5) warmup = steps / 5;
    const plan p = { lr, &lr, steps - warmup, maximize };
    const double least = 1 / ((double)warmup + 1);
    born_sched_desc parts[2] = { { .kind = BORN_SCHED_LINEAR, .start_factor = least, .total_iters = warmup },
                                 { .kind = BORN_SCHED_CONSTANT, .factor = 1, .total_iters = 1 } };
    bool none = !strcmp(name, "none");

    *out = NULL;
    *by_step = true;
    if (none && warmup == 0) return BORN_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !none; i++)
        if (!strcmp(name, rows[i].name)) {
            parts[1] = (born_sched_desc){ .kind = BORN_SCHED_KINDS };
            rows[i].fill(&parts[1], &p);
        }
    bool own = parts[1].kind == BORN_SCHED_ONE_CYCLE || parts[1].kind == BORN_SCHED_PLATEAU;
    BORN_FAIL_IF(own && asked, err, BORN_INVALID, "warmup: schedule %s has none of it", name);
    *by_step = parts[1].kind != BORN_SCHED_PLATEAU;
    *out = warmup > 0 ? born_sched_sequence(o, parts, 2, &warmup) : born_sched_create(o, &parts[1]);
    return BORN_OK;
}

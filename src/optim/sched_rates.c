/* The formulas of schedules. Most have two forms, as in PyTorch: from the last rate, so that several can be
   chained, and from the base, which a sequence begins with. Both are kept because their roundings differ. */
#include <math.h>

#include "ops/math64.h"
#include "optim/sched.h"

#define PI 3.14159265358979323846

static double power(double x, double y) { return born__pow_f64(x, y); }
static double cosine(double part) { return born__cos_f64(PI * part); }

static double step_rate(const sched_node *n, double base, double rate, bool closed)
{
    int64_t e = n->epoch, size = n->d.step_size;
    if (closed) return base * power(n->d.gamma, (double)(e / size));
    return e == 0 || e % size != 0 ? rate : rate * n->d.gamma;
}

static double multistep_rate(const sched_node *n, double base, double rate, bool closed)
{
    int here = 0, passed = 0;
    for (int i = 0; i < n->d.milestone_count; i++) {
        here += n->d.milestones[i] == n->epoch;
        passed += n->d.milestones[i] <= n->epoch;
    }
    if (closed) return base * power(n->d.gamma, passed);
    return here ? rate * power(n->d.gamma, here) : rate;
}

static double cosine_rate(const sched_node *n, double base, double rate, bool closed)
{
    double e = (double)n->epoch, t = (double)n->d.t_max, least = n->d.eta_min;
    if (closed) return least + (base - least) * (1 + cosine(e / t)) / 2;
    if (n->epoch == 0) return rate;
    if ((n->epoch - 1 - n->d.t_max) % (2 * n->d.t_max) == 0) return rate + (base - least) * (1 - cosine(1 / t)) / 2;
    return (1 + cosine(e / t)) / (1 + cosine((e - 1) / t)) * (rate - least) + least;
}

static double linear_rate(const sched_node *n, double base, double rate, bool closed)
{
    double e = (double)n->epoch, total = (double)n->d.total_iters, from = n->d.start_factor;
    double by = n->d.end_factor - from;
    if (closed) return base * (from + by * (e < total ? e : total) / total);
    if (n->epoch == 0) return rate * from;
    if (n->epoch > n->d.total_iters) return rate;
    return rate * (1 + by / (total * from + (e - 1) * by));
}

static double constant_rate(const sched_node *n, double base, double rate, bool closed)
{
    if (closed) return base * (n->epoch >= n->d.total_iters ? 1 : n->d.factor);
    if (n->epoch == 0) return rate * n->d.factor;
    return n->epoch != n->d.total_iters ? rate : rate * (1 / n->d.factor);
}

static double polynomial_rate(const sched_node *n, double base, double rate, bool closed)
{
    double e = (double)n->epoch, total = (double)n->d.total_iters;
    if (closed) return base * power(1 - (e < total ? e : total) / total, n->d.power);
    if (n->epoch == 0 || n->epoch > n->d.total_iters) return rate;
    return rate * power((1 - e / total) / (1 - (e - 1) / total), n->d.power);
}

/* ---- cycles ------------------------------------------------------------------------------------------------------ */

/* Of three values, where a one-cycle stands at step e: it goes from the first to the second, and on. */
static double one_cycle(const sched_node *n, double first, double top, double last, double idle)
{
    double e = (double)n->epoch, total = (double)n->d.total_steps, rise = n->d.pct_start * total - 1;
    double end[3] = { rise, n->d.three_phase ? 2 * n->d.pct_start * total - 2 : total - 1, total - 1 };
    double value[4] = { first, top, n->d.three_phase ? idle : last, last }, start = 0;
    int phases = n->d.three_phase ? 3 : 2, i = 0;

    while (i < phases - 1 && e > end[i]) start = end[i++];
    double part = (e - start) / (end[i] - start);
    if (n->d.linear_anneal) return (value[i + 1] - value[i]) * part + value[i];
    return value[i + 1] + (value[i] - value[i + 1]) / 2 * (1 + cosine(part));
}

static double one_cycle_rate(const sched_node *n, int group)
{
    double most = n->max_lr[group], first = most / n->d.div_factor;
    return one_cycle(n, first, most, first / n->d.final_div_factor, first);
}

/* How far up its range a cyclic schedule is, with the scale of its cycle. */
static double cyclic_height(const sched_node *n)
{
    double up = (double)n->d.step_size_up, total = up + (double)n->d.step_size_down, ratio = up / total;
    double e = (double)n->epoch, cycle = floor(1 + e / total), x = 1 + e / total - cycle;
    double part = x <= ratio ? x / ratio : (x - 1) / (ratio - 1);

    if (n->d.mode == BORN_TRIANGULAR2) return part / power(2, cycle - 1);
    return n->d.mode == BORN_EXP_RANGE ? part * power(n->d.gamma, e) : part;
}

double born__sched_momentum(const sched_node *n)
{
    double low = n->d.base_momentum, high = n->d.max_momentum;
    if (n->d.kind == BORN_SCHED_ONE_CYCLE) return one_cycle(n, high, low, high, high);
    return high - (high - low) * cyclic_height(n);
}

double born__sched_rate(const sched_node *n, int group, double rate, bool closed)
{
    double base = n->base[group];

    switch (n->d.kind) {
    case BORN_SCHED_STEP: return step_rate(n, base, rate, closed);
    case BORN_SCHED_MULTISTEP: return multistep_rate(n, base, rate, closed);
    case BORN_SCHED_EXPONENTIAL:
        if (closed) return base * power(n->d.gamma, (double)n->epoch);
        return n->epoch == 0 ? rate : rate * n->d.gamma;
    case BORN_SCHED_COSINE: return cosine_rate(n, base, rate, closed);
    case BORN_SCHED_COSINE_RESTARTS:
        return n->d.eta_min + (base - n->d.eta_min) * (1 + cosine((double)n->t_cur / (double)n->t_i)) / 2;
    case BORN_SCHED_LINEAR: return linear_rate(n, base, rate, closed);
    case BORN_SCHED_CONSTANT: return constant_rate(n, base, rate, closed);
    case BORN_SCHED_POLYNOMIAL: return polynomial_rate(n, base, rate, closed);
    case BORN_SCHED_ONE_CYCLE: return one_cycle_rate(n, group);
    case BORN_SCHED_CYCLIC:
        return n->base_lr[group] + (n->max_lr[group] - n->base_lr[group]) * cyclic_height(n);
    case BORN_SCHED_MULTIPLICATIVE: {
        int64_t i = n->epoch < n->d.factor_count ? n->epoch : n->d.factor_count;
        return n->epoch == 0 ? rate : rate * n->d.factors[i - 1];
    }
    default: return rate;
    }
}

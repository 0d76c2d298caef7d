/* Adam and what came of it: Adam, AdamW (with AMSGrad), Adamax, NAdam, RAdam, LAMB, Lion. Each is its numbers of a step
   and its update; formulas stand at the constructors in optim.h. The update divides where PyTorch divides. */
#include <math.h>

#include "ops/math64.h"
#include "optim/optim.h"

enum { B1, R1, B2, R2, RATE, ROOT, EPS, RECT, PLAIN, MU, MU_NEXT, MU_TWICE };      /* of n[]; R1 = 1 - B1 */
#define ADAM_OPTIONS (H_BIT(BETA1) | H_BIT(BETA2) | H_BIT(EPS))
#define ADAM_DEFAULTS(lr_eps) { [H_BETA1] = 0.9, [H_BETA2] = 0.999, [H_EPS] = (lr_eps) }

/* What all share; gives 1 - beta2^t. */
static double shared_numbers(const double *h, int64_t t, double *n)
{
    double correction = 1 - born__pow_f64(h[H_BETA2], (double)t);

    n[B1] = h[H_BETA1], n[R1] = 1 - h[H_BETA1];
    n[B2] = h[H_BETA2], n[R2] = 1 - h[H_BETA2];
    n[EPS] = h[H_EPS];
    n[RATE] = h[H_LR] / (1 - born__pow_f64(h[H_BETA1], (double)t));
    n[ROOT] = sqrt(correction);
    return correction;
}

static void means(born_update *u, const born_site *at)
{
    u->s[0] = MIX(u->s[0], u->n[B1], u->g, u->n[R1]);
    u->s[1] = MIX(u->s[1], u->n[B2], SQUARE(u->g), u->n[R2]);
}

/* ---- Adam, AdamW ------------------------------------------------------------------------------------------------- */

static void adam_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)keep;
    (void)shared_numbers(h, t, n);
}

static unsigned adam_uses(const double *h, unsigned flags)
{
    (void)h;
    return flags & F_AMSGRAD ? 7 : 3;
}

static void adam_update(born_update *u, const born_site *at)
{
    means(u, at);
    born_tensor v = u->s[1];
    if (u->flags & F_AMSGRAD) v = u->s[2] = MAX(u->s[2], v);
    born_tensor below = ADD(DIV(SQRT(v), u->n[ROOT]), u->n[EPS]);
    u->p = SUB(u->p, MUL(u->n[RATE], DIV(u->s[0], below)));
}

const born_optim_row born__row_adam = {
    .name = "Adam", .options = ADAM_OPTIONS, .flags = F_AMSGRAD | F_MAXIMIZE, .defaults = ADAM_DEFAULTS(1e-8),
    .has_step = true, .state = { "exp_avg", "exp_avg_sq", "max_exp_avg_sq" }, .uses = adam_uses,
    .numbers = adam_numbers, .update = adam_update,
};
const born_optim_row born__row_adamw = {
    .name = "AdamW", .options = ADAM_OPTIONS, .flags = F_AMSGRAD | F_MAXIMIZE, .defaults = ADAM_DEFAULTS(1e-8),
    .decoupled = true, .has_step = true, .state = { "exp_avg", "exp_avg_sq", "max_exp_avg_sq" }, .uses = adam_uses,
    .numbers = adam_numbers, .update = adam_update,
};

/* ---- Adamax ------------------------------------------------------------------------------------------------------ */

static void adamax_update(born_update *u, const born_site *at)
{
    u->s[0] = MIX(u->s[0], u->n[B1], u->g, u->n[R1]);
    u->s[1] = MAX(MUL(u->s[1], u->n[B2]), ADD(ABS(u->g), u->n[EPS]));
    u->p = SUB(u->p, MUL(u->n[RATE], DIV(u->s[0], u->s[1])));
}

const born_optim_row born__row_adamax = {
    .name = "Adamax", .options = ADAM_OPTIONS, .flags = F_MAXIMIZE, .defaults = ADAM_DEFAULTS(1e-8), .has_step = true,
    .state = { "exp_avg", "exp_inf" }, .numbers = adam_numbers, .update = adamax_update,
};

/* ---- NAdam ------------------------------------------------------------------------------------------------------- */

static void nadam_numbers(const double *h, int64_t t, double *keep, double *n)
{
    double mu = h[H_BETA1] * (1 - 0.5 * born__pow_f64(0.96, (double)t * h[H_MOMENTUM_DECAY]));
    double next = h[H_BETA1] * (1 - 0.5 * born__pow_f64(0.96, (double)(t + 1) * h[H_MOMENTUM_DECAY]));
    double correction = shared_numbers(h, t, n);

    keep[0] *= mu;
    n[ROOT] = correction;
    n[MU] = h[H_LR] * (1 - mu) / (1 - keep[0]);
    n[MU_NEXT] = h[H_LR] * next / (1 - keep[0] * next);
    n[MU_TWICE] = h[H_LR] * next / (1 - keep[0] * mu * next);
}

static void nadam_update(born_update *u, const born_site *at)
{
    means(u, at);
    born_tensor below = ADD(SQRT(DIV(u->s[1], u->n[ROOT])), u->n[EPS]);
    born_tensor now = SUB(u->p, MUL(u->n[MU], DIV(u->g, below)));
    u->p = SUB(now, MUL(u->n[u->flags & F_MU_TWICE ? MU_TWICE : MU_NEXT], DIV(u->s[0], below)));
}

const born_optim_row born__row_nadam = {
    .name = "NAdam", .options = ADAM_OPTIONS | H_BIT(MOMENTUM_DECAY), .flags = F_MAXIMIZE | F_MU_TWICE,
    .defaults = { [H_BETA1] = 0.9, [H_BETA2] = 0.999, [H_EPS] = 1e-8, [H_MOMENTUM_DECAY] = 4e-3 },
    .has_step = true, .state = { "exp_avg", "exp_avg_sq" }, .keep = { "mu_product" }, .keep_first = { 1 },
    .numbers = nadam_numbers, .update = nadam_update,
};

/* ---- RAdam ------------------------------------------------------------------------------------------------------- */

/* The two branches of the paper as one sum, whose numbers say which holds: no choice is left to the update. */
static void radam_numbers(const double *h, int64_t t, double *keep, double *n)
{
    double correction = shared_numbers(h, t, n), rho_inf = 2 / (1 - h[H_BETA2]) - 1;
    double rho = rho_inf - 2 * (double)t * born__pow_f64(h[H_BETA2], (double)t) / correction;

    (void)keep;
    n[RECT] = 0, n[PLAIN] = n[RATE];
    if (rho <= 5) return;
    double rect = sqrt((rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho));
    n[RECT] = n[RATE] * rect * n[ROOT], n[PLAIN] = 0;
}

static void radam_update(born_update *u, const born_site *at)
{
    means(u, at);
    born_tensor rate = ADD(DIV(u->n[RECT], ADD(SQRT(u->s[1]), u->n[EPS])), u->n[PLAIN]);
    u->p = SUB(u->p, MUL(u->s[0], rate));
}

const born_optim_row born__row_radam = {
    .name = "RAdam", .options = ADAM_OPTIONS, .flags = F_MAXIMIZE, .defaults = ADAM_DEFAULTS(1e-8), .has_step = true,
    .state = { "exp_avg", "exp_avg_sq" }, .numbers = radam_numbers, .update = radam_update,
};

/* ---- LAMB -------------------------------------------------------------------------------------------------------- */

static void lamb_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)keep;
    (void)shared_numbers(h, t, n);
    n[PLAIN] = 1 / (1 - born__pow_f64(h[H_BETA1], (double)t));
    n[RATE] = h[H_LR];
}

static born_tensor norm(born_tensor x, const born_site *at) { return SQRT(SUM_ALL(SQUARE(x))); }

static void lamb_update(born_update *u, const born_site *at)
{
    means(u, at);
    born_tensor below = ADD(DIV(SQRT(u->s[1]), u->n[ROOT]), u->n[EPS]);
    born_tensor r = ADD(DIV(MUL(u->s[0], u->n[PLAIN]), below), MUL(u->p, u->n[N_DECAY]));
    born_tensor of_p = norm(u->p, at), of_r = norm(r, at), one = born__like(of_p, 1, at);
    born_tensor both = AND(GT_N(of_p, 0), GT_N(of_r, 0));
    born_tensor trust = WHERE(both, DIV(of_p, WHERE(both, of_r, one)), one);
    u->p = SUB(u->p, MUL(MUL(u->n[RATE], trust), r));
}

const born_optim_row born__row_lamb = {
    .name = "LAMB", .options = ADAM_OPTIONS, .flags = F_MAXIMIZE, .defaults = ADAM_DEFAULTS(1e-6), .own_decay = true,
    .has_step = true, .state = { "exp_avg", "exp_avg_sq" }, .numbers = lamb_numbers, .update = lamb_update,
};

/* ---- Lion -------------------------------------------------------------------------------------------------------- */

static void lion_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)t, (void)keep;
    n[B1] = h[H_BETA1], n[R1] = 1 - h[H_BETA1];
    n[B2] = h[H_BETA2], n[R2] = 1 - h[H_BETA2];
    n[RATE] = h[H_LR];
}

static void lion_update(born_update *u, const born_site *at)
{
    born_tensor way = (born_sign)(MIX(u->s[0], u->n[B1], u->g, u->n[R1]), at);
    u->p = SUB(u->p, MUL(u->n[RATE], way));
    u->s[0] = MIX(u->s[0], u->n[B2], u->g, u->n[R2]);
}

const born_optim_row born__row_lion = {
    .name = "Lion", .options = H_BIT(BETA1) | H_BIT(BETA2), .flags = F_MAXIMIZE,
    .defaults = { [H_BETA1] = 0.9, [H_BETA2] = 0.99 }, .decoupled = true, .state = { "exp_avg" },
    .numbers = lion_numbers, .update = lion_update,
};

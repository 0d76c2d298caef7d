/* Optimisers without a mean of gradients that is corrected: SGD, RMSprop, Adagrad, Adadelta, Rprop, ASGD. Formulas
   stand at the constructors in optim.h. */
#include <math.h>

#include "ops/math64.h"
#include "optim/optim.h"

/* ---- SGD --------------------------------------------------------------------------------------------------------- */

enum { RATE, MOMENTUM, FRESH, EPS, KEPT, TAKEN };        /* of n[] */

static unsigned sgd_uses(const double *h, unsigned flags)
{
    (void)flags;
    return h[H_MOMENTUM] != 0;
}

/* The first step takes the gradient as it is: with an empty buffer that is a factor of 1. */
static void sgd_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)keep;
    n[RATE] = h[H_LR], n[MOMENTUM] = h[H_MOMENTUM];
    n[FRESH] = t == 1 ? 1 : 1 - h[H_DAMPENING];
}

static void sgd_update(born_update *u, const born_site *at)
{
    born_tensor d = u->g;
    if (born__given(u->s[0])) {
        u->s[0] = MIX(u->s[0], u->n[MOMENTUM], u->g, u->n[FRESH]);
        d = u->flags & F_NESTEROV ? ADD(u->g, MUL(u->s[0], u->n[MOMENTUM])) : u->s[0];
    }
    u->p = SUB(u->p, MUL(u->n[RATE], d));
}

const born_optim_row born__row_sgd = {
    .name = "SGD", .options = H_BIT(MOMENTUM) | H_BIT(DAMPENING), .flags = F_NESTEROV | F_MAXIMIZE,
    .state = { "momentum_buffer" }, .uses = sgd_uses, .numbers = sgd_numbers, .update = sgd_update,
};

/* ---- RMSprop ----------------------------------------------------------------------------------------------------- */

static unsigned rmsprop_uses(const double *h, unsigned flags)
{
    return 1u | (h[H_MOMENTUM] > 0 ? 2u : 0u) | (flags & F_CENTERED ? 4u : 0u);
}

static void rmsprop_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)t, (void)keep;
    n[RATE] = h[H_LR], n[MOMENTUM] = h[H_MOMENTUM], n[EPS] = h[H_EPS];
    n[KEPT] = h[H_ALPHA], n[TAKEN] = 1 - h[H_ALPHA];
}

static void rmsprop_update(born_update *u, const born_site *at)
{
    born_tensor spread = u->s[0] = MIX(u->s[0], u->n[KEPT], SQUARE(u->g), u->n[TAKEN]);
    if (u->flags & F_CENTERED) {
        u->s[2] = MIX(u->s[2], u->n[KEPT], u->g, u->n[TAKEN]);
        spread = SUB(spread, SQUARE(u->s[2]));
    }
    born_tensor d = DIV(u->g, ADD(SQRT(spread), u->n[EPS]));
    if (born__given(u->s[1])) d = u->s[1] = ADD(MUL(u->s[1], u->n[MOMENTUM]), d);
    u->p = SUB(u->p, MUL(u->n[RATE], d));
}

const born_optim_row born__row_rmsprop = {
    .name = "RMSprop", .options = H_BIT(ALPHA) | H_BIT(EPS) | H_BIT(MOMENTUM), .flags = F_CENTERED | F_MAXIMIZE,
    .defaults = { [H_ALPHA] = 0.99, [H_EPS] = 1e-8 }, .has_step = true,
    .state = { "square_avg", "momentum_buffer", "grad_avg" }, .uses = rmsprop_uses, .numbers = rmsprop_numbers,
    .update = rmsprop_update,
};

/* ---- Adagrad ----------------------------------------------------------------------------------------------------- */

static double adagrad_initial(const double *h, int state)
{
    (void)state;
    return h[H_INITIAL];
}

static void adagrad_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)keep;
    n[RATE] = h[H_LR] / (1 + (double)(t - 1) * h[H_LR_DECAY]);
    n[EPS] = h[H_EPS];
}

static void adagrad_update(born_update *u, const born_site *at)
{
    u->s[0] = ADD(u->s[0], SQUARE(u->g));
    u->p = SUB(u->p, MUL(u->n[RATE], DIV(u->g, ADD(SQRT(u->s[0]), u->n[EPS]))));
}

const born_optim_row born__row_adagrad = {
    .name = "Adagrad", .options = H_BIT(LR_DECAY) | H_BIT(INITIAL) | H_BIT(EPS), .flags = F_MAXIMIZE,
    .defaults = { [H_EPS] = 1e-10 }, .has_step = true, .state = { "sum" }, .initial = adagrad_initial,
    .numbers = adagrad_numbers, .update = adagrad_update,
};

/* ---- Adadelta ---------------------------------------------------------------------------------------------------- */

static void adadelta_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)t, (void)keep;
    n[RATE] = h[H_LR], n[EPS] = h[H_EPS];
    n[KEPT] = h[H_RHO], n[TAKEN] = 1 - h[H_RHO];
}

static void adadelta_update(born_update *u, const born_site *at)
{
    u->s[0] = MIX(u->s[0], u->n[KEPT], SQUARE(u->g), u->n[TAKEN]);
    born_tensor ratio = DIV(SQRT(ADD(u->s[1], u->n[EPS])), SQRT(ADD(u->s[0], u->n[EPS])));
    born_tensor d = MUL(ratio, u->g);
    u->s[1] = MIX(u->s[1], u->n[KEPT], SQUARE(d), u->n[TAKEN]);
    u->p = SUB(u->p, MUL(u->n[RATE], d));
}

const born_optim_row born__row_adadelta = {
    .name = "Adadelta", .options = H_BIT(RHO) | H_BIT(EPS), .flags = F_MAXIMIZE,
    .defaults = { [H_RHO] = 0.9, [H_EPS] = 1e-6 }, .has_step = true, .state = { "square_avg", "acc_delta" },
    .numbers = adadelta_numbers, .update = adadelta_update,
};

/* ---- Rprop ------------------------------------------------------------------------------------------------------- */

enum { SHRINK, GROW, LEAST, MOST };

static double rprop_initial(const double *h, int state) { return state == 1 ? h[H_LR] : 0; }

static void rprop_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)t, (void)keep;
    n[SHRINK] = h[H_ETA_MINUS], n[GROW] = h[H_ETA_PLUS];
    n[LEAST] = h[H_STEP_MIN], n[MOST] = h[H_STEP_MAX];
}

static void rprop_update(born_update *u, const born_site *at)
{
    born_tensor turn = MUL(u->g, u->s[0]), turned = LT_N(turn, 0), one = born__like(u->g, 1, at);
    born_tensor by = WHERE(GT_N(turn, 0), u->n[GROW], WHERE(turned, u->n[SHRINK], one));

    u->s[1] = MIN(MAX(MUL(u->s[1], by), u->n[LEAST]), u->n[MOST]);
    u->s[0] = WHERE(turned, born__like(u->g, 0, at), u->g);
    u->p = SUB(u->p, MUL((born_sign)(u->s[0], at), u->s[1]));
}

const born_optim_row born__row_rprop = {
    .name = "Rprop", .options = H_BIT(ETA_MINUS) | H_BIT(ETA_PLUS) | H_BIT(STEP_MIN) | H_BIT(STEP_MAX),
    .flags = F_MAXIMIZE, .no_decay = true, .has_step = true,
    .defaults = { [H_ETA_MINUS] = 0.5, [H_ETA_PLUS] = 1.2, [H_STEP_MIN] = 1e-6, [H_STEP_MAX] = 50 },
    .state = { "prev", "step_size" }, .initial = rprop_initial, .numbers = rprop_numbers, .update = rprop_update,
};

/* ---- ASGD -------------------------------------------------------------------------------------------------------- */

enum { ETA, SHRUNK, MU, REST };

/* keep: eta and mu as the last step left them; before the first, eta is the rate and mu is 1. */
static void asgd_numbers(const double *h, int64_t t, double *keep, double *n)
{
    double eta = t == 1 ? h[H_LR] : keep[0], mu = t == 1 ? 1 : keep[1], late = (double)t - h[H_T0];

    n[ETA] = eta, n[SHRUNK] = 1 - h[H_LAMBD] * eta;
    n[MU] = mu, n[REST] = 1 - mu;
    keep[0] = h[H_LR] / born__pow_f64(1 + h[H_LAMBD] * h[H_LR] * (double)t, h[H_ALPHA]);
    keep[1] = 1 / (late > 1 ? late : 1);
}

static void asgd_update(born_update *u, const born_site *at)
{
    u->p = SUB(MUL(u->p, u->n[SHRUNK]), MUL(u->n[ETA], u->g));
    u->s[0] = MIX(u->s[0], u->n[REST], u->p, u->n[MU]);
}

const born_optim_row born__row_asgd = {
    .name = "ASGD", .options = H_BIT(LAMBD) | H_BIT(ALPHA) | H_BIT(T0), .flags = F_MAXIMIZE,
    .defaults = { [H_LAMBD] = 1e-4, [H_ALPHA] = 0.75, [H_T0] = 1e6 }, .has_step = true, .state = { "ax" },
    .keep = { "eta", "mu" }, .keep_first = { 0, 1 }, .numbers = asgd_numbers, .update = asgd_update,
};

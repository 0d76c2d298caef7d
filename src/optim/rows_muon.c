/* Muon: momentum whose direction is made orthogonal by a quintic Newton-Schulz iteration (Jordan et al., 2024). The
   iteration works on the wide side, so that the products are of the smaller dim. */
#include <math.h>

#include "optim/optim.h"

enum { RATE, KEPT, TAKEN, EPS };

static void muon_numbers(const double *h, int64_t t, double *keep, double *n)
{
    (void)t, (void)keep;
    n[RATE] = h[H_LR], n[EPS] = h[H_EPS];
    n[KEPT] = h[H_MOMENTUM], n[TAKEN] = 1 - h[H_MOMENTUM];
}

static born_tensor turned(born_tensor x, const born_site *at) { return TRANSPOSE(x, BORN_INTS(1, 0)); }

/* The orthogonal factor of x, roughly: singular values go to about 1. */
static born_tensor orthogonal(born_tensor x, born_tensor eps, int steps, const born_site *at)
{
    const double a = 3.4445, b = -4.7750, c = 2.0315;
    born_shape shape = born_shape_of(x);
    bool tall = shape.rank == 2 && shape.dim[0] > shape.dim[1];

    if (tall) x = turned(x, at);
    x = DIV(x, MAX(SQRT(SUM_ALL(SQUARE(x))), eps));
    for (int i = 0; i < steps; i++) {
        born_tensor g = MATMUL(x, turned(x, at));
        born_tensor poly = ADD(MUL_N(g, b), MUL_N(MATMUL(g, g), c));
        x = ADD(MUL_N(x, a), MATMUL(poly, x));
    }
    return tall ? turned(x, at) : x;
}

static void muon_update(born_update *u, const born_site *at)
{
    born_shape shape = born_shape_of(u->p);
    double ratio = shape.rank == 2 && shape.dim[1] > 0 ? (double)shape.dim[0] / (double)shape.dim[1] : 1;

    u->s[0] = MIX(u->s[0], u->n[KEPT], u->g, u->n[TAKEN]);
    born_tensor way = u->flags & F_NO_NESTEROV ? u->s[0] : MIX(u->s[0], u->n[KEPT], u->g, u->n[TAKEN]);
    way = orthogonal(way, u->n[EPS], (int)u->h[H_NS_STEPS], at);
    if (ratio > 1) way = MUL_N(way, sqrt(ratio));
    u->p = SUB(u->p, MUL(u->n[RATE], way));
}

const born_optim_row born__row_muon = {
    .name = "Muon", .options = H_BIT(MOMENTUM) | H_BIT(EPS) | H_BIT(NS_STEPS), .flags = F_NO_NESTEROV | F_MAXIMIZE,
    .defaults = { [H_MOMENTUM] = 0.95, [H_EPS] = 1e-7, [H_NS_STEPS] = 5 }, .decoupled = true, .matrices = true,
    .state = { "momentum_buffer" }, .numbers = muon_numbers, .update = muon_update,
};

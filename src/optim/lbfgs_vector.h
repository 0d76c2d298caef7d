/* What L-BFGS and its line search share. Vectors are rank-1 tensors below autodiff, of the innermost scope. */
#ifndef BORN_OPTIM_LBFGS_VECTOR_H
#define BORN_OPTIM_LBFGS_VECTOR_H
#include "optim/optim.h"

typedef struct born_lbfgs_state {
    born_tensor *y, *s;         /* pairs, oldest first; kept */
    double *ro, *al;
    int pairs, most;
    born_tensor d, last_grad;   /* kept */
    double t, h_diag;
    int64_t func_evals, n_iter;
} born_lbfgs_state;

typedef struct lbfgs_closure {
    born_closure_fn fn;
    void *user;
} lbfgs_closure;

/* A line search from x along d, where loss, gradient and its product with d are given; changed to what was found. */
typedef struct lbfgs_search {
    born_tensor x, d, g;
    double t, loss, gtd, tolerance;
    int64_t evals;
} lbfgs_search;

born_status born__vector_dot(born_tensor a, born_tensor b, double *out);
born_status born__vector_largest(born_tensor a, double *out);
/* Keeps v in place of what slot kept. */
void born__vector_set(born_tensor *slot, born_tensor v);
born_tensor born__vector_params(const born_optim *o);
born_status born__vector_place(const born_optim *o, born_tensor x);
/* Loss and gradient where the parameters are, and at x + t d. */
born_status born__lbfgs_eval(born_optim *o, const lbfgs_closure *c, double *loss, born_tensor *g);
born_status born__lbfgs_eval_at(born_optim *o, const lbfgs_closure *c, born_tensor x, double t, born_tensor d,
                                double *loss, born_tensor *g);
born_status born__lbfgs_search(born_optim *o, const lbfgs_closure *c, lbfgs_search *w);
#endif

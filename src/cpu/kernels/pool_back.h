/* The gradient of a pool over images whose channels lie side by side, as pool_back_k.c runs it. Steps are in floats. */
#ifndef BORN_CPU_POOL_BACK_H
#define BORN_CPU_POOL_BACK_H
#include "cpu/kernel.h"
#include "ops/conv_window.h"

enum { BORN_POOL_TAPS = 64 };   /* of a window */

typedef struct born_pool_back {
    born_window win;
    int64_t batch, channels;
    bool count_padding;
    bool apart, covers;         /* no cell lies in two windows; every cell lies in one */
    bool turn;                  /* g is row-major */
    const float *x, *g;         /* x NULL: not read (the gradient of a mean) */
    float *dx;
    int64_t xn, xs[3], gn, gc, gs[3], dn, ds[3];
} born_pool_back;

/* false: not for this kernel. */
bool born__pool_back_of(const born_call *c, born_pool_back *p);
#endif

/* Images as sums over planes see them: [batch, channels, cells], the spatial axes being one run of cells. Cells lie
   side by side (rows) or channels do (last). Row sums of planes are in the order of row_sum.h (plane_sums.h makes
   them), batch entries join as a chain: docs/decisions/0003-norm-order.md. Steps are in floats. */
#ifndef BORN_CPU_PLANES_H
#define BORN_CPU_PLANES_H
#include "cpu/kernel.h"

typedef struct born_planes {
    int64_t batch, channels, cells;
    int64_t n, c, cell;         /* steps */
    float *at;
} born_planes;

/* false: not f32 [N, C, ...], empty, or neither kind. */
bool born__planes_of(const born_view *v, bool *last, born_planes *p);

/* The table [sums][batch][padded] of sums of planes, made and joined by channel_sum_k.c. */
typedef struct born_plane_sums {
    born_planes x, g;           /* g.at NULL: not read */
    bool last;
    int set;                    /* which sums: BORN_SUM_* */
    int64_t padded;             /* channels in whole vectors */
    const float *mean;          /* [padded]; what SPREAD and PRODUCT subtract from x */
    float *part;
} born_plane_sums;
enum { BORN_SUM_X = 1, BORN_SUM_SPREAD = 2, BORN_SUM_G = 4, BORN_SUM_PRODUCT = 8, BORN_SUMS = 3 };
static inline int64_t born__padded(int64_t channels) { return (channels + 15) / 16 * 16; }

#ifdef BORN_LEVEL_NAME
#include "cpu/levels.h"
/* Fills the table, on the pool. SPREAD, G and PRODUCT come together; X alone. */
void BORN_K(plane_sums_f32)(const born_plane_sums *s, const born_exec *x);
/* Sum k over the batch: [padded]. */
void BORN_K(plane_join_f32)(const born_plane_sums *s, int k, float *to);
#endif
#endif

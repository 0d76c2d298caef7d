/* Ensembles of decision trees in one form, made from the attribute arrays of the three ONNX operators. Making one
   checks everything: lengths, ids, features, children, that no node has two parents and that no walk can go in circles.
   Shape rules make one to check; kernels make one in scratch and walk it. */
#ifndef BORN_OPS_ML_FOREST_H
#define BORN_OPS_ML_FOREST_H
#include "ops/ref.h"

typedef enum born_branch {
    BORN_BRANCH_LEQ, BORN_BRANCH_LT, BORN_BRANCH_GTE, BORN_BRANCH_GT, BORN_BRANCH_EQ, BORN_BRANCH_NEQ,
    BORN_BRANCH_MEMBER, BORN_LEAF
} born_branch;
typedef enum born_aggregate { BORN_AGG_SUM, BORN_AGG_AVERAGE, BORN_AGG_MIN, BORN_AGG_MAX } born_aggregate;

typedef struct born_tree_node {
    double value;               /* threshold */
    int64_t first, count;       /* leaf: votes; member: values */
    int32_t feature, yes, no;   /* children: nodes */
    uint8_t mode, missing_yes;
} born_tree_node;
typedef struct born_vote { double weight; int64_t target; } born_vote;

typedef struct born_forest {
    int64_t nodes, votes, roots, members, targets;
    born_tree_node *node;
    born_vote *vote;
    double *member;
    int32_t *root;
    born_aggregate aggregate;
} born_forest;

/* The attributes of the classifier and the regressor, which name nodes by (tree, node). */
typedef struct born_tree_votes {
    born_ints tree, node, feature, yes, no, missing, vote_tree, vote_node, vote_id;
    born_strs mode;
    born_floats value, weight;
    const born_array *value_tensor, *weight_tensor;
    int64_t targets;
    born_aggregate aggregate;
} born_tree_votes;

/* Bytes that making it takes; SIZE_MAX on overflow. */
size_t born__forest_bytes(const born_tree_votes *t);
size_t born__forest_bytes_5(const born_tree_ensemble_attrs *a);
/* memory: aligned to 16, as many bytes. features: columns of x. */
born_status born__forest_make(born_forest *f, const born_tree_votes *t, int64_t features, void *memory, const char *op,
                              born_error *err);
born_status born__forest_make_5(born_forest *f, const born_tree_ensemble_attrs *a, int64_t features, void *memory,
                                const char *op, born_error *err);
/* The sums (or means, smallest, largest) for targets [first, first + n), n <= 64, of one row of x; seen[k] says whether
   any tree voted for it. */
void born__forest_row(const born_forest *f, const born_view *x, int64_t row, int64_t first, int64_t n, double *sum,
                      bool *seen);
#endif

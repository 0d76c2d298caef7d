/* tree_classifier, tree_regressor, tree_ensemble: rows of x through a forest (ml_forest.h). Rows are independent; votes
   of a row are added tree by tree in f64. */
#include "base/alloc.h"
#include "ops/ml_forest.h"
#include "ops/ml_scores.h"

#define VOTES_OF(a, n, agg)                                                                                           \
    ((born_tree_votes){ (a)->nodes_treeids, (a)->nodes_nodeids, (a)->nodes_featureids, (a)->nodes_truenodeids,        \
                        (a)->nodes_falsenodeids, (a)->nodes_missing, (a)->vote_treeids, (a)->vote_nodeids,            \
                        (a)->vote_ids, (a)->nodes_modes, (a)->nodes_values, (a)->vote_weights,                        \
                        (a)->nodes_values_tensor, (a)->vote_weights_tensor, (n), (agg) })

static int64_t base_count(born_floats v, const born_array *t)
{
    int64_t n = v.count;
    return t && !born__shape_count(t->shape.dim, t->shape.rank, &n) ? -1 : n;
}
static double base_at(born_floats v, const born_array *t, int64_t i)
{
    if (!t) return (double)v.v[i];
    return born__load_f64(t->dtype, (const char *)t->data + i * born__dtype_info(t->dtype)->size);
}
static born_status base_rule(born_infer *f, born_floats v, const born_array *t, int64_t a, int64_t b)
{
    int64_t n = base_count(v, t);
    if (t && !born__dtype_is(t->dtype, BORN_DT_FLOAT))
        return born__infer_fail(f, BORN_DTYPE, "base values are no floats");
    if (n == 0 || n == a || n == b) return BORN_OK;
    return born__infer_fail(f, BORN_INVALID, "%lld base values where %lld are needed", (long long)n, (long long)a);
}

/* Makes the forest once, to check it. */
static born_status check_forest(born_infer *f, const born_tree_votes *t, int64_t features)
{
    born_forest forest;
    size_t bytes = born__forest_bytes(t);
    void *memory = bytes == SIZE_MAX ? NULL : born__alloc(bytes);
    if (!memory) return born__infer_fail(f, BORN_NOMEM, "no memory to check %lld nodes", (long long)t->tree.count);
    born_status s = born__forest_make(&forest, t, features, memory, f->op->name, f->err);
    born__free(memory);
    return s;
}

/* ---- classifier ---- */

born_status born__shape_tree_classifier(born_infer *f)
{
    const born_tree_classifier_attrs *a = BORN_ATTRS_OF(tree_classifier, f);
    int64_t rows, features;
    BORN_TRY(born__ml_labels(f, a->labels, a->label_strings));
    BORN_TRY(born__ml_rows(f, &rows, &features));
    born_tree_votes t = VOTES_OF(a, a->labels.count, BORN_AGG_SUM);
    BORN_TRY(check_forest(f, &t, features));
    BORN_TRY(base_rule(f, a->base_values, a->base_values_tensor, a->labels.count, 1));
    born__out_set(f, 0, BORN_I64, 1, &rows);
    born__out_set(f, 1, BORN_F32, 2, (int64_t[]){ rows, a->labels.count });
    return BORN_OK;
}

size_t born__scratch_tree_classifier(const born_call *c)
{
    const born_tree_classifier_attrs *a = BORN_ATTRS_OF(tree_classifier, c);
    born_tree_votes t = VOTES_OF(a, a->labels.count, BORN_AGG_SUM);
    return born__forest_bytes(&t);
}

typedef struct tree_job {
    born_forest forest;
    const born_view *x;
    born_view *label, *score;       /* results [N] (NULL: none), [N, targets] */
    born_floats base;
    const born_array *base_tensor;
    born_post post;
    const int64_t *labels;
    bool binary, positive;          /* two classes, votes for one of them only; no vote below 0 */
} tree_job;

static double base_for(const tree_job *j, int64_t k)
{
    int64_t n = base_count(j->base, j->base_tensor);
    if (n == 0) return 0;
    return base_at(j->base, j->base_tensor, n == 1 ? 0 : k);
}

/* All votes are for one of two classes: their sum decides, and the other score follows from it. */
static int64_t binary_row(const tree_job *j, int64_t row, char *p, int64_t step)
{
    double sum[2], s, low;
    bool seen[2];
    born__forest_row(&j->forest, j->x, row, 0, 2, sum, seen);
    s = (seen[1] ? sum[1] : sum[0]) + base_for(j, 1);
    low = j->positive ? 1 - s : -s;
    double top = s;
    if (j->post == BORN_POST_LOGISTIC) {
        low = born__post_logistic(-s);
        top = born__post_logistic(s);
    }
    born__store_f64(BORN_F32, p, low);
    born__store_f64(BORN_F32, p + step, top);
    if (j->post != BORN_POST_LOGISTIC) born__post_transform(j->post, BORN_F32, p, step, 2);
    return s > (j->positive ? 0.5 : 0);
}

static void tree_rows(void *ctx, int64_t begin, int64_t end)
{
    const tree_job *j = ctx;
    int64_t n = j->forest.targets, z = born__elem_size(j->score), step = j->score->stride[1] * z;
    for (int64_t row = begin; row < end; row++) {
        char *p = j->score->data + row * j->score->stride[0] * z;
        int64_t best;
        if (j->binary) {
            best = binary_row(j, row, p, step);
        } else {
            double sum[64];
            bool seen[64];
            for (int64_t k0 = 0; k0 < n; k0 += 64) {
                int64_t m = n - k0 < 64 ? n - k0 : 64;
                born__forest_row(&j->forest, j->x, row, k0, m, sum, seen);
                for (int64_t k = 0; k < m; k++)
                    born__store_f64(j->score->dtype, p + (k0 + k) * step, sum[k] + base_for(j, k0 + k));
            }
            best = j->label ? born__ml_argmax(j->score->dtype, p, step, n) : 0;
            born__post_transform(j->post, j->score->dtype, p, step, n);
        }
        if (j->label && j->label->data)
            ((int64_t *)(void *)j->label->data)[row * j->label->stride[0]] = j->labels[best];
    }
}

born_status born__ref_tree_classifier(born_call *c, const born_exec *x)
{
    const born_tree_classifier_attrs *a = BORN_ATTRS_OF(tree_classifier, c);
    born_tree_votes t = VOTES_OF(a, a->labels.count, BORN_AGG_SUM);
    const born_view *in = &c->in[0];
    tree_job j = { .x = in, .label = &c->out[0], .score = &c->out[1], .base = a->base_values,
                   .base_tensor = a->base_values_tensor, .post = (born_post)a->post_transform, .labels = a->labels.v,
                   .positive = true };
    BORN_FAIL_IF(c->out_count < 2 || !c->out[1].data, x->err, BORN_UNSUPPORTED, "tree_classifier: scores are needed");
    BORN_TRY(born__forest_make(&j.forest, &t, in->dim[in->rank - 1], x->scratch, c->op->name, x->err));
    j.binary = a->labels.count == 2;
    for (int64_t i = 0; i < j.forest.votes; i++) {
        if (j.forest.vote[i].weight < 0) j.positive = false;
        if (a->vote_ids.v[i] != a->vote_ids.v[0]) j.binary = false;
    }
    born__exec_for(x, c->out[1].dim[0], 16, tree_rows, &j);
    return BORN_OK;
}

/* ---- regressor ---- */

born_status born__shape_tree_regressor(born_infer *f)
{
    const born_tree_regressor_attrs *a = BORN_ATTRS_OF(tree_regressor, f);
    int64_t rows, features;
    BORN_TRY(born__ml_rows(f, &rows, &features));
    born_tree_votes t = VOTES_OF(a, a->n_targets, (born_aggregate)a->aggregate);
    BORN_TRY(check_forest(f, &t, features));
    BORN_TRY(base_rule(f, a->base_values, a->base_values_tensor, a->n_targets, a->n_targets));
    born__out_set(f, 0, BORN_F32, 2, (int64_t[]){ rows, a->n_targets });
    return BORN_OK;
}

size_t born__scratch_tree_regressor(const born_call *c)
{
    const born_tree_regressor_attrs *a = BORN_ATTRS_OF(tree_regressor, c);
    born_tree_votes t = VOTES_OF(a, a->n_targets, (born_aggregate)a->aggregate);
    return born__forest_bytes(&t);
}

born_status born__ref_tree_regressor(born_call *c, const born_exec *x)
{
    const born_tree_regressor_attrs *a = BORN_ATTRS_OF(tree_regressor, c);
    born_tree_votes t = VOTES_OF(a, a->n_targets, (born_aggregate)a->aggregate);
    const born_view *in = &c->in[0];
    tree_job j = { .x = in, .score = &c->out[0], .base = a->base_values, .base_tensor = a->base_values_tensor,
                   .post = (born_post)a->post_transform };
    BORN_TRY(born__forest_make(&j.forest, &t, in->dim[in->rank - 1], x->scratch, c->op->name, x->err));
    born__exec_for(x, c->out[0].dim[0], 16, tree_rows, &j);
    return BORN_OK;
}

/* ---- TreeEnsemble 5 ---- */

born_status born__shape_tree_ensemble(born_infer *f)
{
    const born_tree_ensemble_attrs *a = BORN_ATTRS_OF(tree_ensemble, f);
    int64_t rows, features;
    born_forest forest;
    BORN_TRY(born__ml_rows(f, &rows, &features));
    size_t bytes = born__forest_bytes_5(a);
    void *memory = bytes == SIZE_MAX ? NULL : born__alloc(bytes);
    if (!memory) return born__infer_fail(f, BORN_NOMEM, "no memory to check the trees");
    born_status s = born__forest_make_5(&forest, a, features, memory, f->op->name, f->err);
    born__free(memory);
    BORN_TRY(s);
    born__out_set(f, 0, f->in[0].dtype, 2, (int64_t[]){ rows, a->n_targets });
    return BORN_OK;
}

size_t born__scratch_tree_ensemble(const born_call *c)
{
    return born__forest_bytes_5(BORN_ATTRS_OF(tree_ensemble, c));
}

born_status born__ref_tree_ensemble(born_call *c, const born_exec *x)
{
    const born_tree_ensemble_attrs *a = BORN_ATTRS_OF(tree_ensemble, c);
    const born_view *in = &c->in[0];
    tree_job j = { .x = in, .score = &c->out[0], .post = (born_post)a->post_transform };
    BORN_TRY(born__forest_make_5(&j.forest, a, in->dim[in->rank - 1], x->scratch, c->op->name, x->err));
    born__exec_for(x, c->out[0].dim[0], 16, tree_rows, &j);
    return BORN_OK;
}

/* ai.onnx.ml: small ensembles worked out by hand, linear models and encoders against plain loops, and the attribute
   arrays that a hostile file could hold: children out of range, cycles, two parents, two roots, lengths that differ. */
#include <math.h>

#include "../harness.h"
#include "support_calls.h"
#include "tensor/view.h"

#define COUNT(a) ((int64_t)(sizeof(a) / sizeof((a)[0])))
#define INTS_OF(a) ((born_ints){ (a), COUNT(a) })
#define FLOATS_OF(a) ((born_floats){ (a), COUNT(a) })
#define STR(s) { (s), sizeof(s) - 1 }

static born_status run(born_op_id op, const void *a, const born_view *in, int n, born_view *out, int outs,
                       born_error *err)
{
    *err = (born_error){ 0 };
    return call_op(op, a, in, n, out, outs, err);
}
static void refuse(const char *what, born_op_id op, const void *a, born_view x, int outs, born_status want)
{
    born_view out[2];
    born_error err = { 0 };
    born_status got = infer_op(op, a, &x, 1, out, outs, 0, &err);
    CHECK_MSG(got == want, "%s gave %s: %s", what, born_status_name(got), err.text);
}

/* Two trees. 0: x0 <= 0.5 ? leaf 1 : (x1 > 2 ? leaf 3 : leaf 4); 1: one leaf. Node ids need not be in order. */
static int64_t tree[] = { 0, 0, 0, 0, 0, 8 }, node[] = { 7, 1, 2, 3, 4, 0 }, feature[] = { 0, 0, 1, 0, 0, 0 };
static int64_t yes[] = { 1, 0, 3, 0, 0, 0 }, no[] = { 2, 0, 4, 0, 0, 0 }, missing[] = { 0, 0, 1, 0, 0, 0 };
static float value[] = { 0.5f, 0, 2, 0, 0, 0 };
static const born_str mode[] = {
    STR("BRANCH_LEQ"), STR("LEAF"), STR("BRANCH_GT"), STR("LEAF"), STR("LEAF"), STR("LEAF")
};
static int64_t vote_tree[] = { 0, 0, 0, 0, 8 }, vote_node[] = { 1, 3, 4, 4, 0 }, vote_id[] = { 0, 1, 2, 0, 2 };
static float weight[] = { 1, 2, 3, -4, 0.25f };

static born_tree_regressor_attrs regressor(void)
{
    return (born_tree_regressor_attrs){
        .nodes_treeids = INTS_OF(tree), .nodes_nodeids = INTS_OF(node), .nodes_featureids = INTS_OF(feature),
        .nodes_modes = { mode, COUNT(mode) }, .nodes_values = FLOATS_OF(value), .nodes_truenodeids = INTS_OF(yes),
        .nodes_falsenodeids = INTS_OF(no), .nodes_missing = INTS_OF(missing), .vote_treeids = INTS_OF(vote_tree),
        .vote_nodeids = INTS_OF(vote_node), .vote_ids = INTS_OF(vote_id), .vote_weights = FLOATS_OF(weight),
        .n_targets = 3,
    };
}

static born_tree_classifier_attrs classifier(const int64_t *labels, int64_t n)
{
    born_tree_regressor_attrs r = regressor();
    return (born_tree_classifier_attrs){
        .nodes_treeids = r.nodes_treeids, .nodes_nodeids = r.nodes_nodeids, .nodes_featureids = r.nodes_featureids,
        .nodes_modes = r.nodes_modes, .nodes_values = r.nodes_values, .nodes_truenodeids = r.nodes_truenodeids,
        .nodes_falsenodeids = r.nodes_falsenodeids, .nodes_missing = r.nodes_missing, .vote_treeids = r.vote_treeids,
        .vote_nodeids = r.vote_nodeids, .vote_ids = r.vote_ids, .vote_weights = r.vote_weights, .labels = { labels, n },
    };
}

static const double rows[] = { 0.5, 9, 1, 3, 1, 2, NAN, NAN };

static void check_values(const char *what, const born_view *y, const double *want)
{
    for (int64_t i = 0; i < born__view_count(y); i++)
        CHECK_MSG(fabs(tensor_at(y, i) - want[i]) < 1e-6, "%s: y[%lld] is %g, not %g", what, (long long)i,
                  tensor_at(y, i), want[i]);
}

TEST(tree_regressor_by_hand)
{
    static const double sum[] = { 1, 0, 0.25, 0, 2, 0.25, -4, 0, 3.25, 0, 2, 0.25 };
    static const double mean[] = { 0.5, 0, 0.125, 0, 1, 0.125, -2, 0, 1.625, 0, 1, 0.125 };
    static const double min[] = { 1, 0, 0.25, 0, 2, 0.25, -4, 0, 0.25, 0, 2, 0.25 };
    static const double max[] = { 1, 0, 0.25, 0, 2, 0.25, -4, 0, 3, 0, 2, 0.25 };
    static const double *const want[] = { sum, mean, min, max };
    static const born_dtype type[] = { BORN_F32, BORN_F64 };
    born_error err;
    born_view y;
    for (int k = 0; k < 8; k++) {
        born_view x = tensor_of(type[k / 4], DIMS(4, 2), rows), in[1] = { k % 2 ? tensor_strided(&x) : x };
        born_tree_regressor_attrs a = regressor();
        a.aggregate = k % 4;
        REQUIRE_OK(run(BORN_OP_TREE_REGRESSOR, &a, in, 1, &y, 1, &err), &err);
        check_values("regressor", &y, want[k % 4]);
    }
    born_tree_regressor_attrs a = regressor();
    static const float base[] = { 10, 20, 30 };
    a.base_values = FLOATS_OF(base);
    born_view x = tensor_of(BORN_I64, DIMS(2), (double[]){ 0, 9 }), in[1] = { x };
    REQUIRE_OK(run(BORN_OP_TREE_REGRESSOR, &a, in, 1, &y, 1, &err), &err);
    check_values("base values", &y, (double[]){ 11, 20, 30.25 });
    calls_free();
}

TEST(tree_classifier_by_hand)
{
    static const int64_t labels[] = { 40, -50, 60 }, two[] = { 7, 9 };
    born_tree_classifier_attrs a = classifier(labels, 3);
    born_view x = tensor_of(BORN_F32, DIMS(4, 2), rows), in[1] = { x }, out[2];
    born_error err;
    REQUIRE_OK(run(BORN_OP_TREE_CLASSIFIER, &a, in, 1, out, 2, &err), &err);
    static const double sum[] = { 1, 0, 0.25, 0, 2, 0.25, -4, 0, 3.25, 0, 2, 0.25 };
    static const int64_t want[] = { 40, -50, 60, -50 };
    check_values("classifier", &out[1], sum);
    for (int64_t i = 0; i < 4; i++) CHECK_INT(tensor_at(&out[0], i), want[i]);
    a.post_transform = 1;
    REQUIRE_OK(run(BORN_OP_TREE_CLASSIFIER, &a, in, 1, out, 2, &err), &err);
    for (int64_t i = 0; i < 12; i++) {
        double total = exp(sum[i / 3 * 3]) + exp(sum[i / 3 * 3 + 1]) + exp(sum[i / 3 * 3 + 2]);
        CHECK(fabs(tensor_at(&out[1], i) - exp(sum[i]) / total) < 1e-6);
    }
    /* two classes, votes for one of them: the sum decides at 0, or at 0.5 where no vote is below 0 */
    static int64_t zero[] = { 0, 0, 0, 0, 0 };
    a = classifier(two, 2);
    a.vote_ids = INTS_OF(zero);
    a.post_transform = 2;
    REQUIRE_OK(run(BORN_OP_TREE_CLASSIFIER, &a, in, 1, out, 2, &err), &err);
    static const double s[] = { 1.25, 2.25, -0.75, 2.25 };
    for (int64_t i = 0; i < 4; i++) {
        CHECK_INT(tensor_at(&out[0], i), s[i] > 0 ? 9 : 7);
        CHECK(fabs(tensor_at(&out[1], 2 * i + 1) - 1 / (1 + exp(-s[i]))) < 1e-6);
        CHECK(fabs(tensor_at(&out[1], 2 * i) - 1 / (1 + exp(s[i]))) < 1e-6);
    }
    static const float positive[] = { 0.125f, 0.5f, 0.25f, 0.0625f, 0.25f };
    a.post_transform = 0;
    a.vote_weights = FLOATS_OF(positive);
    REQUIRE_OK(run(BORN_OP_TREE_CLASSIFIER, &a, in, 1, out, 2, &err), &err);
    static const double p[] = { 0.375, 0.75, 0.5625, 0.75 };
    for (int64_t i = 0; i < 4; i++) {
        CHECK_INT(tensor_at(&out[0], i), p[i] > 0.5 ? 9 : 7);
        CHECK(tensor_at(&out[1], 2 * i) == 1 - p[i] && tensor_at(&out[1], 2 * i + 1) == p[i]);
    }
    calls_free();
}

TEST(tree_votes_that_do_not_fit)
{
    born_view x = tensor_zeros(BORN_F32, DIMS(3, 2));
    born_tree_regressor_attrs a;
#define BROKEN(what, array, at, v, want)                                                                              \
    do {                                                                                                              \
        int64_t was = (array)[at];                                                                                    \
        (array)[at] = (v);                                                                                            \
        a = regressor();                                                                                              \
        refuse(what, BORN_OP_TREE_REGRESSOR, &a, x, 1, want);                                                         \
        (array)[at] = was;                                                                                            \
    } while (0)
    BROKEN("a child that is not there", yes, 0, 99, BORN_INVALID);
    BROKEN("a child of another tree", no, 2, 0, BORN_INVALID);
    BROKEN("a loop", yes, 2, 7, BORN_INVALID);
    BROKEN("its own child", yes, 2, 2, BORN_INVALID);
    BROKEN("two parents", yes, 0, 3, BORN_INVALID);
    BROKEN("a node twice", node, 1, 2, BORN_INVALID);
    BROKEN("a feature of -1", feature, 0, -1, BORN_RANGE);
    BROKEN("a feature too many", feature, 2, 2, BORN_RANGE);
    BROKEN("a vote for target 3", vote_id, 1, 3, BORN_RANGE);
    BROKEN("a vote for target -1", vote_id, 1, INT64_MIN, BORN_RANGE);
    BROKEN("a vote of no node", vote_node, 1, 55, BORN_INVALID);
    BROKEN("two roots", tree, 5, 0, BORN_INVALID);
#undef BROKEN
    a = regressor();
    a.nodes_featureids.count--;
    refuse("a short array", BORN_OP_TREE_REGRESSOR, &a, x, 1, BORN_INVALID);
    a = regressor();
    a.vote_weights.count--;
    refuse("a weight short", BORN_OP_TREE_REGRESSOR, &a, x, 1, BORN_INVALID);
    a = regressor();
    a.nodes_treeids.count = 0;
    refuse("no nodes", BORN_OP_TREE_REGRESSOR, &a, x, 1, BORN_INVALID);
    a = regressor();
    static const born_str odd[] = {
        STR("BRANCH_LEQ"), STR("LEAF"), STR("BRANCH"), STR("LEAF"), STR("LEAF"), STR("LEAF")
    };
    a.nodes_modes.v = odd;
    refuse("a mode", BORN_OP_TREE_REGRESSOR, &a, x, 1, BORN_INVALID);
    static const float one[] = { 1, 2 };
    a = regressor();
    a.base_values = FLOATS_OF(one);
    refuse("base values", BORN_OP_TREE_REGRESSOR, &a, x, 1, BORN_INVALID);
    a = regressor();
    refuse("rank 3", BORN_OP_TREE_REGRESSOR, &a, tensor_zeros(BORN_F32, DIMS(1, 1, 2)), 1, BORN_SHAPE);
    born_tree_classifier_attrs c = classifier(NULL, 0);
    refuse("no labels", BORN_OP_TREE_CLASSIFIER, &c, x, 2, BORN_INVALID);
    c.label_strings = (born_strs){ mode, 3 };
    refuse("string labels", BORN_OP_TREE_CLASSIFIER, &c, x, 2, BORN_UNSUPPORTED);
    calls_free();
}

/* Version 5: x0 in {1, 4} ? leaf 0 : (x1 < 3 ? leaf 1 : leaf 2). */
static const uint8_t modes_5[] = { 6, 1 };
static const double splits_5[] = { 0, 3 }, weights_5[] = { 5, 7, -1 }, members_5[] = { 1, 4, NAN };
static int64_t features_5[] = { 0, 1 }, yes_5[] = { 0, 1 }, no_5[] = { 1, 2 }, yes_leaf[] = { 1, 1 },
               no_leaf[] = { 0, 1 };
static int64_t targets_5[] = { 0, 1, 0 }, roots_5[] = { 0 };

static born_array vector(born_dtype t, const void *p, int64_t n) { return (born_array){ t, { 1, { n } }, p, 0 }; }

static born_status ensemble_5(const double *members, int64_t member_count, born_view *y, born_error *err)
{
    born_array modes = vector(BORN_U8, modes_5, 2), splits = vector(BORN_F64, splits_5, 2);
    born_array weights = vector(BORN_F64, weights_5, 3), set = vector(BORN_F64, members, member_count);
    born_tree_ensemble_attrs a = {
        .tree_roots = INTS_OF(roots_5),
        .nodes_modes = &modes,
        .nodes_splits = &splits,
        .nodes_featureids = INTS_OF(features_5),
        .nodes_truenodeids = INTS_OF(yes_5),
        .nodes_falsenodeids = INTS_OF(no_5),
        .nodes_trueleafs = INTS_OF(yes_leaf),
        .nodes_falseleafs = INTS_OF(no_leaf),
        .membership_values = &set,
        .leaf_targetids = INTS_OF(targets_5),
        .leaf_weights = &weights,
        .n_targets = 2,
    };
    born_view in[1] = { tensor_of(BORN_F64, DIMS(4, 2), (double[]){ 4, 0, 2, 2.5, 2, 3, NAN, NAN }) };
    return run(BORN_OP_TREE_ENSEMBLE, &a, in, 1, y, 1, err);
}

TEST(tree_ensemble_5)
{
    born_view y;
    born_error err;
    REQUIRE_OK(ensemble_5(members_5, 3, &y, &err), &err);
    check_values("version 5", &y, (double[]){ 5, 0, 0, 7, -1, 0, -1, 0 });
    REQUIRE_OK(ensemble_5(members_5, 2, &y, &err), &err);       /* the last set may lack its NaN */
    CHECK_STATUS(ensemble_5(members_5 + 2, 1, &y, &err), BORN_INVALID);
#define BROKEN(array, at, v, want)                                                                                    \
    do {                                                                                                              \
        int64_t was = (array)[at];                                                                                    \
        (array)[at] = (v);                                                                                            \
        CHECK_STATUS(ensemble_5(members_5, 3, &y, &err), want);                                                       \
        (array)[at] = was;                                                                                            \
    } while (0)
    BROKEN(no_5, 0, 0, BORN_INVALID);
    BROKEN(no_5, 0, 2, BORN_RANGE);
    BROKEN(no_5, 1, -1, BORN_RANGE);
    BROKEN(yes_5, 0, 3, BORN_RANGE);
    BROKEN(no_leaf, 1, 0, BORN_RANGE);
    BROKEN(features_5, 1, 2, BORN_RANGE);
    BROKEN(targets_5, 0, 2, BORN_RANGE);
    BROKEN(roots_5, 0, 1, BORN_INVALID);
    BROKEN(roots_5, 0, INT64_MAX, BORN_INVALID);
#undef BROKEN
    calls_free();
}

TEST(linear_models)
{
    static const float w[] = { 1, -2, 0.5f, 3, 0.25f, -1 }, b[] = { 0.5f, -0.5f, 1 };
    static const int64_t labels[] = { 5, 6, 7 };
    born_view x = tensor_random(BORN_F32, DIMS(4, 2)), in[1] = { tensor_strided(&x) }, y, out[2];
    born_error err;
    born_linear_regressor_attrs r = { .coefficients = FLOATS_OF(w), .intercepts = FLOATS_OF(b), .targets = 3 };
    born_linear_classifier_attrs c = { .coefficients = FLOATS_OF(w),
                                       .intercepts = FLOATS_OF(b),
                                       .labels = INTS_OF(labels) };
    REQUIRE_OK(run(BORN_OP_LINEAR_REGRESSOR, &r, in, 1, &y, 1, &err), &err);
    REQUIRE_OK(run(BORN_OP_LINEAR_CLASSIFIER, &c, in, 1, out, 2, &err), &err);
    for (int64_t i = 0; i < 4; i++) {
        int64_t best = 0;
        double s[3];
        for (int e = 0; e < 3; e++) {
            s[e] = tensor_at(&x, 2 * i) * (double)w[2 * e] + tensor_at(&x, 2 * i + 1) * (double)w[2 * e + 1] +
                   (double)b[e];
            if (s[e] > s[best]) best = e;
            CHECK(tensor_at(&y, 3 * i + e) == s[e] && tensor_at(&out[1], 3 * i + e) == s[e]);
        }
        CHECK_INT(tensor_at(&out[0], i), labels[best]);
    }
    r.targets = 2;
    refuse("targets", BORN_OP_LINEAR_REGRESSOR, &r, x, 1, BORN_INVALID);
    c.intercepts.count = 2;
    refuse("intercepts", BORN_OP_LINEAR_CLASSIFIER, &c, x, 2, BORN_INVALID);
    /* exp(-0.5 |x - v|^2) with one support vector at the point itself */
    static const float v[] = { 1, 2 }, alpha[] = { 4 }, rho[] = { 0.5f }, params[] = { 0.5f, 0, 0 };
    born_svm_regressor_attrs svm = { .kernel_type = 2,
                                     .kernel_params = FLOATS_OF(params),
                                     .support_vectors = FLOATS_OF(v),
                                     .coefficients = FLOATS_OF(alpha),
                                     .rho = FLOATS_OF(rho),
                                     .n_supports = 1 };
    in[0] = tensor_of(BORN_F32, DIMS(2, 2), (double[]){ 1, 2, 2, 2 });
    REQUIRE_OK(run(BORN_OP_SVM_REGRESSOR, &svm, in, 1, &y, 1, &err), &err);
    check_values("svm", &y, (double[]){ 4.5, 4 * exp(-0.5) + 0.5 });
    svm.n_supports = 2;
    refuse("support vectors", BORN_OP_SVM_REGRESSOR, &svm, x, 1, BORN_INVALID);
    calls_free();
}

TEST(encoders)
{
    born_view x = tensor_of(BORN_F32, DIMS(2, 3), (double[]){ 1, -2, 2, 0, 0, 0 }), y, in[2] = { x };
    born_error err;
    static const double max[] = { 0.5, -1, 1, 0, 0, 0 }, l1[] = { 0.2, -0.4, 0.4, 0, 0, 0 },
                        l2[] = { 1.0 / 3, -2.0 / 3, 2.0 / 3, 0, 0, 0 };
    static const double *const want[] = { max, l1, l2 };
    for (int k = 0; k < 3; k++) {
        REQUIRE_OK(run(BORN_OP_NORMALIZER, &(born_normalizer_attrs){ .norm = k }, in, 1, &y, 1, &err), &err);
        check_values("normalizer", &y, want[k]);
    }
    static const float off[] = { 1, 2, 3 }, scale[] = { 2 };
    REQUIRE_OK(run(BORN_OP_SCALER, &(born_scaler_attrs){ .offset = FLOATS_OF(off), .scale = FLOATS_OF(scale) }, in, 1,
                   &y, 1, &err),
               &err);
    check_values("scaler", &y, (double[]){ 0, -8, -2, -2, -4, -6 });
    REQUIRE_OK(run(BORN_OP_BINARIZER, &(born_binarizer_attrs){ .threshold = 1 }, in, 1, &y, 1, &err), &err);
    check_values("binarizer", &y, (double[]){ 0, 0, 1, 0, 0, 0 });
    in[1] = LIST(2, 0, 2, 1);
    REQUIRE_OK(run(BORN_OP_ARRAY_FEATURE_EXTRACTOR, NULL, in, 2, &y, 1, &err), &err);
    check_values("features", &y, (double[]){ 2, 1, 2, -2, 0, 0, 0, 0 });
    in[1] = LIST(3);
    CHECK_STATUS(run(BORN_OP_ARRAY_FEATURE_EXTRACTOR, NULL, in, 2, &y, 1, &err), BORN_RANGE);
    in[1] = LIST(-1);
    CHECK_STATUS(run(BORN_OP_ARRAY_FEATURE_EXTRACTOR, NULL, in, 2, &y, 1, &err), BORN_RANGE);
    static const float keys[] = { 1, -2, 1, NAN };
    static const int64_t values[] = { 10, 20, 30, 40 };
    born_label_encoder_attrs a = { .keys_floats = FLOATS_OF(keys), .values_ints = INTS_OF(values), .default_int = -7 };
    in[0] = tensor_of(BORN_F32, DIMS(4), (double[]){ 1, -2, NAN, 5 });
    REQUIRE_OK(run(BORN_OP_LABEL_ENCODER, &a, in, 1, &y, 1, &err), &err);
    check_values("labels", &y, (double[]){ 30, 20, 40, -7 });
    refuse("other dtype", BORN_OP_LABEL_ENCODER, &a, tensor_zeros(BORN_I64, DIMS(2)), 1, BORN_DTYPE);
    a.values_ints.count = 3;
    refuse("lengths", BORN_OP_LABEL_ENCODER, &a, x, 1, BORN_INVALID);
    a.keys_strings = (born_strs){ mode, 1 };
    refuse("strings", BORN_OP_LABEL_ENCODER, &a, x, 1, BORN_UNSUPPORTED);
    refuse("two scales", BORN_OP_SCALER, &(born_scaler_attrs){ .scale = { off, 2 } }, x, 1, BORN_INVALID);
    calls_free();
}
TEST_MAIN

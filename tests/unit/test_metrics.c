/* Metrics: small batches by hand, batches cut in two ways, AUROC against all pairs, mistakes that change nothing. */
#include "../harness.h"

#include <born/metrics.h>
#include <math.h>

static void near(const char *what, double got, double want)
{
    CHECK_MSG(fabs(got - want) <= 1e-12 * (1 + fabs(want)), "%s is %.17g, not %.17g", what, got, want);
}

static void add(born_metric *m, born_array s, born_array t)
{
    born_error err = { 0 };
    CHECK_MSG(born_metric_add(m, s, t, &err) == BORN_OK, "%s", err.text);
}

static const float scores[6 * 3] = { 5, 1, 0, /**/ 0, 2, 1, /**/ 1, 3, 2, /**/ 2, 2, 0, /**/ 0, 1, 4, /**/ 9, 0, 8 };
static const int64_t targets[6] = { 0, 1, 2, 1, 2, 2 };
/* called: 0 1 1 0 2 0 */

TEST(classes_are_counted)
{
    static const struct {
        born_metric_kind kind;
        born_metric_average average;
        double want;
    } cases[] = {
        { BORN_METRIC_ACCURACY, BORN_MACRO, 3.0 / 6 },
        { BORN_METRIC_PRECISION, BORN_MACRO, (1.0 / 3 + 1.0 / 2 + 1) / 3 },
        { BORN_METRIC_RECALL, BORN_MACRO, (1 + 1.0 / 2 + 1.0 / 3) / 3 },
        { BORN_METRIC_F1, BORN_MACRO, (0.5 + 0.5 + 0.5) / 3 },
        { BORN_METRIC_PRECISION, BORN_MICRO, 3.0 / 6 },
        { BORN_METRIC_RECALL, BORN_WEIGHTED, (1 + 2 * 0.5 + 3 * (1.0 / 3)) / 6 },
        { BORN_METRIC_RECALL, BORN_BINARY, 0.5 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        born_metric *m = born_metric_create(cases[i].kind, &(born_metric_desc){ .average = cases[i].average });
        CHECK(isnan(born_metric_value(m)));
        add(m, BORN_ARRAY(scores, 2, 3), BORN_ARRAY(targets, 2));
        add(m, BORN_ARRAY(scores + 6, 4, 3), BORN_ARRAY(targets + 2, 4));
        near("value", born_metric_value(m), cases[i].want);
        CHECK_INT(born_metric_count(m), 6);
        born_metric_close(&m);
    }
    born_metric *m = born_metric_create(BORN_METRIC_PRECISION, NULL);
    add(m, BORN_ARRAY(scores, 6, 3), BORN_ARRAY(targets, 6));
    const int64_t want[9] = { 1, 0, 0, 1, 1, 0, 1, 1, 1 };
    int64_t classes = 0;
    const int64_t *got = born_metric_confusion(m, &classes);
    if (CHECK(got != NULL) && CHECK_INT(classes, 3)) CHECK(!memcmp(got, want, sizeof want));
    near("of class 1", born_metric_of_class(m, 1), 0.5);
    CHECK(isnan(born_metric_of_class(m, 3)));
    born_metric_reset(m);
    CHECK(born_metric_count(m) == 0 && !born_metric_confusion(m, NULL));
    born_metric_close(&m);
}

TEST(labels_binary_scores_and_ignored_targets)
{
    const int32_t called[4] = { 0, 2, 1, 2 };
    const uint8_t seen[4] = { 0, 1, 1, 255 };
    const double chance[3] = { 0.2, 0.8, 0.5 };
    const int64_t yes[3] = { 0, 1, 1 };
    born_metric *m = born_metric_create(BORN_METRIC_ACCURACY, &(born_metric_desc){ .classes = 3, .has_ignore = true,
                                                                                   .ignore_index = 255 });
    add(m, BORN_ARRAY(called, 4), BORN_ARRAY(seen, 4));
    near("labels", born_metric_value(m), 2.0 / 3);
    born_metric_close(&m);
    m = born_metric_create(BORN_METRIC_F1, &(born_metric_desc){ .average = BORN_BINARY });
    add(m, BORN_ARRAY(chance, 3), BORN_ARRAY(yes, 3));
    near("binary F1", born_metric_value(m), 2.0 / 3);
    born_metric_close(&m);
}

TEST(top_k_and_perplexity)
{
    born_metric *m = born_metric_create(BORN_METRIC_TOP_K, &(born_metric_desc){ .k = 2 });
    add(m, BORN_ARRAY(scores, 6, 3), BORN_ARRAY(targets, 6));
    near("top 2", born_metric_value(m), 1);
    born_metric_close(&m);
    m = born_metric_create(BORN_METRIC_TOP_K, &(born_metric_desc){ .k = 1 });
    add(m, BORN_ARRAY(scores, 6, 3), BORN_ARRAY(targets, 6));
    near("top 1", born_metric_value(m), 0.5);
    born_metric_close(&m);
    m = born_metric_create(BORN_METRIC_PERPLEXITY, NULL);
    add(m, BORN_ARRAY(scores, 6, 3), BORN_ARRAY(targets, 6));
    double sum = 0;
    for (int i = 0; i < 6; i++) {
        double all = 0;
        for (int c = 0; c < 3; c++) all += exp((double)scores[i * 3 + c]);
        sum += log(all) - (double)scores[i * 3 + targets[i]];
    }
    near("perplexity", born_metric_value(m), exp(sum / 6));
    born_metric_close(&m);
}

TEST(auroc_counts_pairs)
{
    enum { N = 40 };
    float s[N], two[2 * N];
    int64_t t[N];
    double above = 0, pairs = 0;

    for (int i = 0; i < N; i++) {
        s[i] = (float)((i * 13) % 17);
        t[i] = (i * 7) % 5 < 2;
        two[2 * i] = -s[i], two[2 * i + 1] = s[i];
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            if (!t[i] || t[j]) continue;
            pairs++;
            above += s[i] > s[j] ? 1 : s[i] == s[j] ? 0.5 : 0;
        }
    born_metric *m = born_metric_create(BORN_METRIC_AUROC, NULL);
    add(m, BORN_ARRAY(s, 15), BORN_ARRAY(t, 15));
    add(m, BORN_ARRAY(s + 15, N - 15), BORN_ARRAY(t + 15, N - 15));
    near("area", born_metric_value(m), above / pairs);
    born_metric_reset(m);
    add(m, BORN_ARRAY(two, N, 2), BORN_ARRAY(t, N));
    near("area of two columns", born_metric_value(m), above / pairs);
    near("area of class 0", born_metric_of_class(m, 0), above / pairs);
    born_metric_reset(m);
    const int64_t all[2] = { 1, 1 };
    add(m, BORN_ARRAY(s, 2), BORN_ARRAY(all, 2));
    CHECK(isnan(born_metric_value(m)));
    born_metric_close(&m);
}

TEST(errors_of_numbers)
{
    const float x[4] = { 1, 2, 3, 5 };
    const double y[4] = { 1, 1, 4, 4 };
    static const struct { born_metric_kind kind; double want; } cases[] = {
        { BORN_METRIC_MSE, 3.0 / 4 }, { BORN_METRIC_MAE, 3.0 / 4 }, { BORN_METRIC_R2, 1 - 3.0 / 9 },
    };
    for (size_t i = 0; i < 3; i++) {
        born_metric *m = born_metric_create(cases[i].kind, NULL);
        add(m, BORN_ARRAY(x, 1), BORN_ARRAY(y, 1));
        add(m, BORN_ARRAY(x + 1, 3, 1), BORN_ARRAY(y + 1, 3, 1));
        near("error", born_metric_value(m), cases[i].want);
        born_metric_close(&m);
    }
}

TEST(a_bad_batch_counts_nothing)
{
    const float with_nan[3] = { 1, NAN, 0 };
    const int64_t high[2] = { 0, 3 }, low[1] = { -1 };
    born_metric *m = born_metric_create(BORN_METRIC_ACCURACY, NULL);
    born_error err = { 0 };

    add(m, BORN_ARRAY(scores, 6, 3), BORN_ARRAY(targets, 6));
    CHECK_INT(born_metric_add(m, BORN_ARRAY(scores, 2, 3), BORN_ARRAY(high, 2), &err), BORN_RANGE);
    CHECK_TEXT(err.text, "metric: target 3 of example 1 is not below 3");
    CHECK_INT(born_metric_add(m, BORN_ARRAY(scores, 1, 3), BORN_ARRAY(low, 1), NULL), BORN_RANGE);
    CHECK_INT(born_metric_add(m, BORN_ARRAY(with_nan, 1, 3), BORN_ARRAY(targets, 1), &err), BORN_RANGE);
    CHECK_TEXT(err.text, "metric: a score of example 0 is NaN");
    CHECK_INT(born_metric_add(m, BORN_ARRAY(scores, 3, 3), BORN_ARRAY(targets, 2), &err), BORN_SHAPE);
    CHECK_INT(born_metric_add(m, BORN_ARRAY(scores, 1, 4), BORN_ARRAY(targets, 1), &err), BORN_SHAPE);
    CHECK_INT(born_metric_add(m, BORN_ARRAY(scores, 1, 3), BORN_ARRAY(scores, 1), &err), BORN_DTYPE);
    CHECK_INT(born_metric_count(m), 6);
    near("accuracy", born_metric_value(m), 0.5);
    born_metric_close(&m);
    m = born_metric_create(BORN_METRIC_KINDS, NULL);
    CHECK_INT(born_metric_add(m, BORN_ARRAY(scores, 1, 3), BORN_ARRAY(targets, 1), &err), BORN_STATE);
    CHECK(isnan(born_metric_value(m)));
    born_metric_close(&m);
}

TEST_MAIN

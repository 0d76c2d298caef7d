/* Metrics: reading batches. A batch is checked as a whole before any of it counts. Sums are f64. */
#include "train/metric.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "graph/model.h"
#include "ops/math64.h"
#include "tensor/view.h"

enum { MOST_CLASSES = 1 << 15 };

static born_metric dead_metric = { .dead = true };

typedef struct batch {
    const char *scores, *targets;
    born_dtype score_type, target_type;
    int64_t score_bytes, target_bytes;  /* of an element */
    int64_t n, columns;                 /* columns 0: scores [N] */
    bool classes;                       /* scores are classes */
} batch;

static double score(const batch *b, int64_t i) { return born__load_f64(b->score_type, b->scores + i * b->score_bytes); }
static int64_t target(const batch *b, int64_t i)
{
    return born__load_i64(b->target_type, b->targets + i * b->target_bytes);
}

/* ---- making ------------------------------------------------------------------------------------------------------ */

born_metric *born_metric_create_sized(born_metric_kind kind, const born_metric_desc *desc, size_t desc_bytes)
{
    born_metric *m = born__calloc(1, sizeof *m);

    if (!m) return &dead_metric;
    m->kind = kind;
    m->dead = born__desc_check(desc, desc_bytes, &m->desc, sizeof m->desc, "metric", NULL) || kind < 0 ||
              kind >= BORN_METRIC_KINDS || m->desc.classes < 0 || m->desc.classes > MOST_CLASSES || m->desc.k < 0;
    if (!m->desc.k) m->desc.k = 5;
    return m;
}

void born_metric_reset(born_metric *m)
{
    if (!m || m == &dead_metric) return;
    born__free(m->confusion), born__free(m->scores), born__free(m->targets);
    *m = (born_metric){ .kind = m->kind, .desc = m->desc, .dead = m->dead };
}

void born_metric_close(born_metric **mp)
{
    born_metric *m = mp ? *mp : NULL;

    if (mp) *mp = NULL;
    if (!m || m == &dead_metric) return;
    born_metric_reset(m);
    born__free(m);
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

static bool of_numbers(const born_metric *m)
{
    return m->kind == BORN_METRIC_MSE || m->kind == BORN_METRIC_MAE || m->kind == BORN_METRIC_R2;
}
static bool of_confusion(const born_metric *m)
{
    return m->kind == BORN_METRIC_ACCURACY || m->kind == BORN_METRIC_PRECISION || m->kind == BORN_METRIC_RECALL ||
           m->kind == BORN_METRIC_F1;
}
static char class_of(born_dtype t)
{
    return t > BORN_DTYPE_NONE && t < BORN_DTYPE_COUNT ? born__dtype_info(t)->cls : ' ';
}

static born_status check_array(const born_array *a, const char *what, int64_t *n, born_error *err)
{
    int64_t count = 1;
    char cls = class_of(a->dtype);

    BORN_FAIL_IF(cls == ' ' || cls == 'Q', err, BORN_DTYPE, "metric: %s of dtype %s", what, born_dtype_name(a->dtype));
    BORN_FAIL_IF(a->shape.rank < 0 || a->shape.rank > BORN_MAX_RANK, err, BORN_SHAPE, "metric: %s of no shape", what);
    for (int d = 0; d < a->shape.rank; d++)
        BORN_FAIL_IF(a->shape.dim[d] < 0 || __builtin_mul_overflow(count, a->shape.dim[d], &count), err, BORN_SHAPE,
                     "metric: %s of no shape", what);
    int64_t bytes = born_dtype_bytes(a->dtype, count);
    BORN_FAIL_IF(bytes < 0 || (a->bytes && a->bytes != (size_t)bytes) || (count && !a->data), err, BORN_SHAPE,
                 "metric: %s have not the bytes of their shape", what);
    *n = count;
    return BORN_OK;
}

static born_status open_batch(const born_metric *m, const born_array *s, const born_array *t, batch *b, born_error *err)
{
    int64_t scores, targets;

    BORN_TRY(check_array(s, "scores", &scores, err));
    BORN_TRY(check_array(t, "targets", &targets, err));
    bool is_float = class_of(s->dtype) == 'F', target_float = class_of(t->dtype) == 'F';
    *b = (batch){ .scores = s->data, .targets = t->data, .score_type = s->dtype, .target_type = t->dtype,
                  .score_bytes = born_dtype_bytes(s->dtype, 1), .target_bytes = born_dtype_bytes(t->dtype, 1),
                  .n = targets, .classes = !is_float };
    if (of_numbers(m)) {
        BORN_FAIL_IF(!is_float || !target_float, err, BORN_DTYPE, "metric: errors are between floats");
        BORN_FAIL_IF(scores != targets, err, BORN_SHAPE, "metric: %lld values for %lld targets", (long long)scores,
                     (long long)targets);
        return BORN_OK;
    }
    BORN_FAIL_IF(target_float, err, BORN_DTYPE, "metric: targets are classes, integers");
    bool rows = s->shape.rank == 2, fits = t->shape.rank == 1 && s->shape.rank >= 1 && s->shape.dim[0] == targets;
    b->columns = rows ? s->shape.dim[1] : 0;
    BORN_FAIL_IF(!fits || s->shape.rank > 2 || (rows && (!is_float || !b->columns)), err, BORN_SHAPE,
                 "metric: scores are [N, C] or [N], targets [N]");
    bool needs = m->kind == BORN_METRIC_TOP_K || m->kind == BORN_METRIC_PERPLEXITY;
    BORN_FAIL_IF(needs && !rows, err, BORN_SHAPE, "metric: it needs scores [N, C]");
    BORN_FAIL_IF(m->kind == BORN_METRIC_AUROC && !is_float, err, BORN_DTYPE, "metric: AUROC needs scores");
    return BORN_OK;
}

static bool ignored(const born_metric *m, int64_t t) { return m->desc.has_ignore && t == m->desc.ignore_index; }

/* The class that example i is called. */
static int64_t called(const batch *b, int64_t i)
{
    int64_t best = 0;
    if (b->classes) return born__load_i64(b->score_type, b->scores + i * b->score_bytes);
    if (!b->columns) return score(b, i) > 0.5;
    for (int64_t c = 1; c < b->columns; c++)
        if (score(b, i * b->columns + c) > score(b, i * b->columns + best)) best = c;
    return best;
}

static born_status check_values(const born_metric *m, const batch *b, int64_t classes, born_error *err)
{
    int64_t wide = b->columns ? b->columns : 1;

    for (int64_t i = 0; i < b->n; i++) {
        int64_t t = of_numbers(m) ? 0 : target(b, i);
        if (of_numbers(m)) {
            double y = born__load_f64(b->target_type, b->targets + i * b->target_bytes);
            BORN_FAIL_IF(!isfinite(score(b, i)) || !isfinite(y), err, BORN_RANGE, "metric: value %lld is not finite",
                         (long long)i);
            continue;
        }
        if (ignored(m, t)) continue;
        BORN_FAIL_IF(t < 0 || t >= classes, err, BORN_RANGE, "metric: target %lld of example %lld is not below %lld",
                     (long long)t, (long long)i, (long long)classes);
        for (int64_t c = 0; !b->classes && c < wide; c++)
            BORN_FAIL_IF(isnan(score(b, i * wide + c)), err, BORN_RANGE, "metric: a score of example %lld is NaN",
                         (long long)i);
        int64_t as = b->classes ? called(b, i) : 0;
        BORN_FAIL_IF(as < 0 || as >= classes, err, BORN_RANGE, "metric: class %lld of example %lld is not below %lld",
                     (long long)as, (long long)i, (long long)classes);
    }
    return BORN_OK;
}

/* ---- counting ---------------------------------------------------------------------------------------------------- */

static void count_confusion(born_metric *m, const batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        int64_t t = target(b, i);
        if (ignored(m, t)) continue;
        int64_t as = called(b, i);
        m->confusion[t * m->classes + as]++;
        m->right += as == t;
        m->count++;
    }
}

static void count_top(born_metric *m, const batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        int64_t t = target(b, i), above = 0;
        if (ignored(m, t)) continue;
        double own = score(b, i * b->columns + t);
        for (int64_t c = 0; c < b->columns; c++) {
            double other = score(b, i * b->columns + c);
            above += other > own || (other == own && c < t);
        }
        m->right += above < m->desc.k;
        m->count++;
    }
}

static void count_perplexity(born_metric *m, const batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        int64_t t = target(b, i), row = i * b->columns;
        double most = -INFINITY, sum = 0;
        if (ignored(m, t)) continue;
        for (int64_t c = 0; c < b->columns; c++) most = fmax(most, score(b, row + c));
        for (int64_t c = 0; c < b->columns; c++) sum += born__exp_f64(score(b, row + c) - most);
        m->sum += born__log_f64(sum) - (score(b, row + t) - most);
        m->count++;
    }
}

/* Welford's update for the spread of targets: no difference of large sums. */
static void count_numbers(born_metric *m, const batch *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        double y = born__load_f64(b->target_type, b->targets + i * b->target_bytes), e = score(b, i) - y;
        double from = y - m->mean;
        m->sum += m->kind == BORN_METRIC_MAE ? fabs(e) : e * e;
        m->count++;
        m->mean += from / (double)m->count;
        m->spread += from * (y - m->mean);
    }
}

static born_status count_scores(born_metric *m, const batch *b, born_error *err)
{
    int64_t wide = b->columns ? b->columns : 1;

    BORN_FAIL_IF(m->columns && m->columns != wide, err, BORN_SHAPE, "metric: %lld scores each, and %lld before",
                 (long long)wide, (long long)m->columns);
    size_t n = (size_t)(m->count + b->n);
    BORN_FAIL_IF(!born__grow((void **)&m->scores, &m->score_cap, n * (size_t)wide, sizeof *m->scores) ||
                     !born__grow((void **)&m->targets, &m->target_cap, n, sizeof *m->targets),
                 err, BORN_NOMEM, "metric: no memory for the scores of %zu examples", n);
    m->columns = wide;
    for (int64_t i = 0; i < b->n; i++) {
        int64_t t = target(b, i);
        if (ignored(m, t)) continue;
        for (int64_t c = 0; c < wide; c++) m->scores[m->count * wide + c] = score(b, i * wide + c);
        m->targets[m->count++] = t;
    }
    return BORN_OK;
}

static born_status make_confusion(born_metric *m, int64_t classes, born_error *err)
{
    if (m->confusion) return BORN_OK;
    m->confusion = born__calloc((size_t)(classes * classes), sizeof *m->confusion);
    BORN_FAIL_IF(!m->confusion, err, BORN_NOMEM, "metric: no memory for %lld classes", (long long)classes);
    return BORN_OK;
}

born_status born_metric_add(born_metric *m, born_array scores, born_array targets, born_error *err)
{
    batch b;

    BORN_FAIL_IF(!m || m->dead, err, BORN_STATE, "metric: it could not be made");
    BORN_TRY(open_batch(m, &scores, &targets, &b, err));
    int64_t classes = m->desc.classes ? m->desc.classes : m->classes ? m->classes : b.columns ? b.columns : 2;
    BORN_FAIL_IF(b.columns && b.columns > classes + (m->kind == BORN_METRIC_AUROC && b.columns == 1), err, BORN_SHAPE,
                 "metric: %lld columns of scores for %lld classes", (long long)b.columns, (long long)classes);
    BORN_FAIL_IF(classes > MOST_CLASSES && of_confusion(m), err, BORN_RANGE, "metric: %lld classes are too many",
                 (long long)classes);
    bool exact = m->kind == BORN_METRIC_TOP_K || m->kind == BORN_METRIC_PERPLEXITY;
    BORN_TRY(check_values(m, &b, exact ? b.columns : classes, err));
    if (of_confusion(m)) BORN_TRY(make_confusion(m, classes, err));
    m->classes = classes;
    if (of_confusion(m)) count_confusion(m, &b);
    if (m->kind == BORN_METRIC_TOP_K) count_top(m, &b);
    if (m->kind == BORN_METRIC_PERPLEXITY) count_perplexity(m, &b);
    if (of_numbers(m)) count_numbers(m, &b);
    return m->kind == BORN_METRIC_AUROC ? count_scores(m, &b, err) : BORN_OK;
}

int64_t born_metric_count(const born_metric *m) { return m ? m->count : 0; }

const int64_t *born_metric_confusion(const born_metric *m, int64_t *classes)
{
    if (classes) *classes = m && m->confusion ? m->classes : 0;
    return m ? m->confusion : NULL;
}

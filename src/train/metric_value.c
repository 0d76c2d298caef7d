/* Metrics: the numbers. AUROC sorts by score and adds ranks (Mann and Whitney's U); equal scores share their mean
   rank. */
#include <math.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "ops/math64.h"
#include "train/metric.h"

typedef struct counts {
    double tp, fp, fn;
} counts;

static counts counts_of(const born_metric *m, int64_t c)
{
    counts n = { .tp = (double)m->confusion[c * m->classes + c] };
    for (int64_t i = 0; i < m->classes; i++) {
        if (i == c) continue;
        n.fn += (double)m->confusion[c * m->classes + i];
        n.fp += (double)m->confusion[i * m->classes + c];
    }
    return n;
}

static double rate(const born_metric *m, counts n)
{
    double above = n.tp, below = n.tp;
    if (m->kind == BORN_METRIC_PRECISION) below += n.fp;
    if (m->kind == BORN_METRIC_RECALL) below += n.fn;
    if (m->kind == BORN_METRIC_F1) above += n.tp, below += n.tp + n.fp + n.fn;
    return below > 0 ? above / below : 0;
}

static double averaged(const born_metric *m)
{
    counts all = { 0, 0, 0 };
    double sum = 0, weight = 0;

    if (m->desc.average == BORN_BINARY) return m->classes > 1 ? rate(m, counts_of(m, 1)) : (double)NAN;
    for (int64_t c = 0; c < m->classes; c++) {
        counts n = counts_of(m, c);
        double w = m->desc.average == BORN_WEIGHTED ? n.tp + n.fn : n.tp + n.fn + n.fp > 0;
        all.tp += n.tp, all.fp += n.fp, all.fn += n.fn;
        sum += w * rate(m, n), weight += w;
    }
    if (m->desc.average == BORN_MICRO) return rate(m, all);
    return weight > 0 ? sum / weight : (double)NAN;
}

/* ---- AUROC ------------------------------------------------------------------------------------------------------- */

static int by_score(const void *a, const void *b)
{
    double x = ((const scored *)a)->score, y = ((const scored *)b)->score;
    return (x > y) - (x < y);
}

/* The area for class c by column `column`; NaN where the class, or any other, is missing or memory is. */
static double area(const born_metric *m, int64_t c, int64_t column)
{
    double ranks = 0, positives = 0;
    scored *s = born__alloc((size_t)m->count * sizeof *s);

    if (!s) return (double)NAN;
    for (int64_t i = 0; i < m->count; i++) {
        s[i] = (scored){ m->scores[i * m->columns + column], m->targets[i] == c };
        positives += s[i].positive;
    }
    qsort(s, (size_t)m->count, sizeof *s, by_score);
    for (int64_t i = 0, end; i < m->count; i = end) {
        double here = 0;
        for (end = i; end < m->count && s[end].score == s[i].score; end++) here += s[end].positive;
        ranks += here * ((double)(i + 1) + (double)end) / 2;
    }
    born__free(s);
    double negatives = (double)m->count - positives;
    return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

static double auroc(const born_metric *m)
{
    double sum = 0;
    int64_t seen = 0;

    if (m->columns <= 2) return area(m, 1, m->columns - 1);
    for (int64_t c = 0; c < m->columns; c++) {
        double a = area(m, c, c);
        if (isnan(a)) continue;
        sum += a;
        seen++;
    }
    return seen ? sum / (double)seen : (double)NAN;
}

double born_metric_of_class(const born_metric *m, int64_t c)
{
    if (!m || m->dead || !m->count || c < 0 || c >= m->classes) return (double)NAN;
    if (m->kind == BORN_METRIC_AUROC) {
        if (m->columns <= 2) return c == 1 || m->columns == 2 ? area(m, c, m->columns == 2 ? c : 0) : (double)NAN;
        return c < m->columns ? area(m, c, c) : (double)NAN;
    }
    return m->confusion && m->kind != BORN_METRIC_ACCURACY ? rate(m, counts_of(m, c)) : (double)NAN;
}

double born_metric_value(const born_metric *m)
{
    if (!m || m->dead || !m->count) return (double)NAN;
    double n = (double)m->count;
    switch (m->kind) {
    case BORN_METRIC_ACCURACY:
    case BORN_METRIC_TOP_K: return (double)m->right / n;
    case BORN_METRIC_PRECISION:
    case BORN_METRIC_RECALL:
    case BORN_METRIC_F1: return averaged(m);
    case BORN_METRIC_AUROC: return auroc(m);
    case BORN_METRIC_MSE:
    case BORN_METRIC_MAE: return m->sum / n;
    case BORN_METRIC_R2: return m->spread > 0 ? 1 - m->sum / m->spread : (double)NAN;
    case BORN_METRIC_PERPLEXITY: return born__exp_f64(m->sum / n);
    default: return (double)NAN;
    }
}

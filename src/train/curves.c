/* curves.svg: loss above, metric below, over the epochs; what was measured on batches thin, on whole epochs thick with
   dots, validation in another colour. Plain SVG without scripts or outside fonts. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "train/trainer.h"

enum { WIDTH = 720, PANEL = 240, LEFT = 64, RIGHT = 16, TOP = 36, GAP = 56 };

typedef struct series {
    const char *label, *colour;
    bool whole;                 /* of epochs' rows, otherwise of steps' */
    bool any;                   /* of both */
    size_t at;                  /* offset of the number in a row */
} series;

static const series losses[] = {
    { "batch", "#b8c4d6", false, false, offsetof(train_row, loss) },
    { "training", "#3465a4", true, false, offsetof(train_row, loss) },
    { "validation", "#c4501b", true, true, offsetof(train_row, valid_loss) },
};
static const series metrics[] = {
    { "batch", "#b8c4d6", false, false, offsetof(train_row, metric) },
    { "training", "#3465a4", true, false, offsetof(train_row, metric) },
    { "validation", "#c4501b", true, true, offsetof(train_row, valid_metric) },
};

typedef struct panel {
    const train_log *log;
    const series *s;
    const char *title;
    double top, least, most, last_step;
} panel;

static double value_of(const train_row *r, const series *s)
{
    double v;
    memcpy(&v, (const char *)r + s->at, sizeof v);
    return v;
}

/* Does the series have this row? */
static bool has(const train_row *r, const series *s, double *v)
{
    *v = value_of(r, s);
    return (s->any || r->whole == s->whole) && isfinite(*v);
}

static bool measure(panel *p)
{
    double v;

    p->least = INFINITY, p->most = -INFINITY, p->last_step = 1;
    for (size_t i = 0; i < p->log->count; i++) {
        p->last_step = fmax(p->last_step, (double)p->log->row[i].step);
        for (int k = 0; k < 3; k++)
            if (has(&p->log->row[i], &p->s[k], &v)) p->least = fmin(p->least, v), p->most = fmax(p->most, v);
    }
    if (!(p->least <= p->most)) return false;
    if (p->least == p->most) p->least -= 0.5, p->most += 0.5;
    return true;
}

static double x_of(const panel *p, double step)
{
    return LEFT + step / p->last_step * (WIDTH - LEFT - RIGHT);
}
static double y_of(const panel *p, double v)
{
    return p->top + PANEL - (v - p->least) / (p->most - p->least) * PANEL;
}

/* Text of the user's, as SVG wants it: control characters are left out. */
static void put_text(FILE *f, const char *text)
{
    for (; *text; text++) {
        if (*text == '<') fputs("&lt;", f);
        else if (*text == '>') fputs("&gt;", f);
        else if (*text == '&') fputs("&amp;", f);
        else if ((unsigned char)*text >= 32) fputc(*text, f);
    }
}

static void draw_axes(FILE *f, const panel *p)
{
    for (int i = 0; i <= 4; i++) {
        double v = p->least + (p->most - p->least) * i / 4, y = y_of(p, v);
        fprintf(f, "<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" stroke=\"#e4e4e4\"/>"
                   "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n", LEFT, y, WIDTH - RIGHT, y, LEFT - 8,
                y + 4, v);
    }
    for (int i = 0; i <= 4; i++) {
        double step = floor(p->last_step * i / 4);
        fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n", x_of(p, step),
                p->top + PANEL + 18, step);
    }
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" font-weight=\"bold\">", LEFT, p->top - 10);
    put_text(f, p->title);
    fputs("</text>\n", f);
}

static void draw_series(FILE *f, const panel *p, int k)
{
    const series *s = &p->s[k];
    double v;
    int points = 0;

    for (size_t i = 0; i < p->log->count; i++)
        if (has(&p->log->row[i], s, &v))
            fprintf(f, "%s%.1f,%.1f", points++ ? " " : "<polyline points=\"", x_of(p, (double)p->log->row[i].step),
                    y_of(p, v));
    if (!points) return;
    fprintf(f, "\" fill=\"none\" stroke=\"%s\" stroke-width=\"%s\"/>\n", s->colour, s->whole ? "2" : "1");
    for (size_t i = 0; i < p->log->count && s->whole; i++)
        if (has(&p->log->row[i], s, &v))
            fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>", x_of(p, (double)p->log->row[i].step),
                    y_of(p, v), s->colour);
    fprintf(f, "<text x=\"%d\" y=\"%.1f\" fill=\"%s\" text-anchor=\"end\">%s</text>\n", WIDTH - RIGHT - 90 * (2 - k),
            p->top - 10, s->colour, s->label);
}

born_status born__train_curves(const born_trainer *t, born_error *err)
{
    char path[4096];
    panel p[2] = { { .log = &t->log, .s = losses, .title = "loss by step" },
                   { .log = &t->log, .s = metrics, .title = t->event.metric_name } };
    int panels = 0;

    if (!t->log.count) return BORN_OK;
    for (int i = 0; i < 2; i++) {
        p[i].top = TOP + 20 + panels * (PANEL + GAP);
        if (p[i].title && measure(&p[i])) p[panels++] = p[i];
    }
    int n = snprintf(path, sizeof path, "%s/curves.svg", t->desc.folder);
    BORN_FAIL_IF(n < 0 || (size_t)n >= sizeof path, err, BORN_INVALID, "train: the folder's path is too long");
    FILE *f = fopen(path, "w");
    BORN_FAIL_IF(!f, err, BORN_IO, "train: %.150s: %s", path, strerror(errno));
    int height = TOP + 20 + panels * (PANEL + GAP);
    fprintf(f, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
               "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n"
               "<text x=\"%d\" y=\"24\" font-size=\"16\">", WIDTH, height, WIDTH, height, WIDTH, height, LEFT);
    put_text(f, t->desc.title ? t->desc.title : "training");
    fputs("</text>\n", f);
    for (int i = 0; i < panels; i++) {
        draw_axes(f, &p[i]);
        for (int k = 0; k < 3; k++) draw_series(f, &p[i], k);
    }
    fputs("</svg>\n", f);
    bool failed = ferror(f) != 0;
    failed = fclose(f) || failed;
    BORN_FAIL_IF(failed, err, BORN_IO, "train: %.150s could not be written", path);
    return BORN_OK;
}

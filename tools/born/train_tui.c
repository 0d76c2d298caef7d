/* The dashboard of a training: curves of loss and metric as they grow, in the terminal's alternate screen, which is
   given back at the end, whatever the end is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#if !defined(__wasi__)
#include <sys/ioctl.h>
#endif

#include "train_view.h"

enum { TRAIN_COLOUR = 36, VALID_COLOUR = 33, AXIS = 9, LEAST_COLUMNS = 40, LEAST_ROWS = 12 };

static volatile int open_now;
static const char leave[] = "\033[0m\033[?25h\033[?1049l";

void train_tui_close(void)      /* also from a signal handler: write alone */
{
    if (!open_now) return;
    open_now = 0;
    if (write(1, leave, sizeof leave - 1) < 0) return;
}

void train_tui_open(void)
{
    static bool registered;
    if (!registered) (void)atexit(train_tui_close);
    registered = true;
    fflush(stdout);
    open_now = 1;
    fputs("\033[?1049h\033[?25l\033[2J", stdout);
    fflush(stdout);
}

static void screen_size(int *columns, int *rows)
{
    *columns = 80;
    *rows = 24;
#if defined(TIOCGWINSZ)
    struct winsize w;
    if (ioctl(1, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 && w.ws_row > 0) {
        *columns = w.ws_col;
        *rows = w.ws_row;
    }
#endif
}

static void bounds(const view_curve *c, double *lo, double *hi)
{
    for (int i = 0; i < c->count; i++) {
        if (!isfinite(c->y[i])) continue;
        *lo = c->y[i] < *lo ? c->y[i] : *lo;
        *hi = c->y[i] > *hi ? c->y[i] : *hi;
    }
}

static void chart(const char *title, const view_curve *train, const view_curve *valid, double x1, int columns, int rows)
{
    double lo = INFINITY, hi = -INFINITY;
    plot p;

    bounds(train, &lo, &hi);
    bounds(valid, &lo, &hi);
    if (!(lo <= hi)) lo = 0, hi = 1;
    if (!(hi > lo)) hi = lo + 1e-6;
    printf("\033[1m%s\033[0m  \033[%dmtraining\033[0m \033[%dmvalidation\033[0m\033[K\r\n", title, TRAIN_COLOUR,
           VALID_COLOUR);
    if (!plot_open(&p, columns - AXIS, rows)) {
        plot_close(&p);
        return;
    }
    plot_curve(&p, train, 1, x1, lo, hi, TRAIN_COLOUR);
    plot_curve(&p, valid, 1, x1, lo, hi, VALID_COLOUR);
    for (int i = 0; i < rows; i++) {
        if (i == 0 || i == rows - 1 || i == rows / 2)
            printf("%8.4g ", hi + (lo - hi) * i / (rows > 1 ? rows - 1 : 1));
        else
            printf("%*s", AXIS, "");
        plot_row(&p, i, cli_utf8());
        fputs("\033[K\r\n", stdout);
    }
    plot_close(&p);
}

static void status_lines(const train_view *v, int columns)
{
    const born_train_event *e = &v->now;
    char clock[24], left[24];
    int width = columns > 60 ? columns - 30 : 30;
    double share = e->steps > 0 ? (double)e->step / (double)e->steps : 0;

    printf("\033[1mborn train %s\033[0m  epoch %lld/%lld  step %lld/%lld\033[K\r\n", born_recipe_name(v->recipe),
           (long long)e->epoch, (long long)e->epochs, (long long)e->step, (long long)e->steps);
    putchar('[');
    for (int i = 0; i < width; i++) putchar(i < (int)(share * width) ? '=' : ' ');
    printf("] %3.0f%%  %s", 100 * share, cli_clock(e->seconds, clock));
    if (share > 0) printf("  %s left", cli_clock(e->seconds * (1 - share) / share, left));
    printf("\033[K\r\nloss %.4f", e->loss);
    if (v->metric_name[0] && isfinite(e->metric)) printf("  %s %.4f", v->metric_name, e->metric);
    printf("  lr %.3g  %.0f items/s", e->lr, e->items_per_second);
    if (v->epoch_count > 0) {
        const view_epoch *last = &v->epoch[v->epoch_count - 1];
        printf("  |  epoch %lld: valid loss %.4f", (long long)last->epoch, last->valid_loss);
        if (v->metric_name[0]) printf(", %s %.4f", v->metric_name, last->valid_metric);
    }
    fputs("\033[K\r\n", stdout);
}

void train_tui_draw(const train_view *v)
{
    int columns, rows;

    if (!open_now) return;
    screen_size(&columns, &rows);
    if (columns < LEAST_COLUMNS || rows < LEAST_ROWS) {
        fputs("\033[H\033[2JThe terminal is too small.", stdout);
        fflush(stdout);
        return;
    }
    fputs("\033[H", stdout);
    status_lines(v, columns);
    double x1 = v->now.steps > 0 ? (double)v->now.steps : (double)v->now.step + 1;
    bool metric = v->metric_name[0] && v->metric.count + v->valid_metric.count > 0;
    int room = (rows - 4 - (metric ? 2 : 1)) / (metric ? 2 : 1);
    chart("loss", &v->loss, &v->valid_loss, x1, columns, room);
    if (metric) chart(v->metric_name, &v->metric, &v->valid_metric, x1, columns, room);
    fputs("Ctrl-C: finish the step, save, stop\033[K\033[J", stdout);
    fflush(stdout);
}

/* How a training is shown: a bar and a line for each epoch, a dashboard, JSON lines, or nothing. */
#ifndef BORN_TRAIN_VIEW_H
#define BORN_TRAIN_VIEW_H
#include <born/zoo.h>

#include "cli.h"

typedef enum view_kind { VIEW_LINES, VIEW_BAR, VIEW_TUI, VIEW_JSON, VIEW_QUIET } view_kind;

/* What is kept of an epoch for the table at the end. */
typedef struct view_epoch {
    int64_t epoch;
    double loss, metric, valid_loss, valid_metric, lr, seconds;
    bool best;
} view_epoch;

/* A curve: values of steps, of which neighbours are averaged when there are too many. */
enum { CURVE_POINTS = 2048 };
typedef struct view_curve {
    double x[CURVE_POINTS], y[CURVE_POINTS];
    int count;
    int each, pending;          /* steps of a point; those of the unfinished one */
    double sum;
} view_curve;
void view_curve_add(view_curve *c, double x, double y);
void view_curve_put(view_curve *c, double x, double y);     /* a point of its own */

typedef struct train_view {
    view_kind kind;
    born_recipe *recipe;
    born_train_event now;       /* the last step's, epoch's */
    char metric_name[32];       /* "" : none */
    view_epoch *epoch;
    int epoch_count, epoch_room;
    view_curve loss, metric, valid_loss, valid_metric;
    double epoch_began, drawn;
    bool header, bar;           /* the table's heading is printed; a bar stands on the terminal */
    char best[512], last[512];  /* paths of checkpoints */
} train_view;

/* The callback of a trainer; user is the train_view. */
born_status train_view_event(void *user, const born_train_event *e, born_error *err);
void train_view_end(train_view *v);         /* gives the terminal back: lines may be printed */
void train_view_close(train_view *v);
/* The table of all epochs, for what has not printed them as they came. */
void train_view_table(const train_view *v);

/* The dashboard: train_tui.c. open takes the alternate screen, close gives it back; close may be called at any time. */
void train_tui_open(void);
void train_tui_draw(const train_view *v);
void train_tui_close(void);

/* A canvas of dots, 2 x 4 in each character of Braille: plot.c. */
typedef struct plot {
    int columns, rows;
    unsigned char *cell;        /* [rows * columns], bits of dots */
    unsigned char *colour;      /* 0: the terminal's */
} plot;
bool plot_open(plot *p, int columns, int rows);
void plot_close(plot *p);
/* Draws a curve within the frame [x0, x1] x [y0, y1]. */
void plot_curve(plot *p, const view_curve *c, double x0, double x1, double y0, double y1, int colour);
void plot_row(const plot *p, int row, bool utf8);           /* prints a row */
#endif

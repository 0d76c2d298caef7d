/* The events of a training on the terminal: a bar on stderr and a line on stdout for each epoch; or the dashboard; or
   each event as a line of JSON. Nothing here changes the training. */
#include "train_view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BAR = 28 };

/* ---- curves ---------------------------------------------------------------------------------------------------- */

void view_curve_put(view_curve *c, double x, double y)
{
    if (c->count == CURVE_POINTS) {
        for (int i = 0; i < CURVE_POINTS / 2; i++) {
            c->x[i] = c->x[2 * i + 1];
            c->y[i] = (c->y[2 * i] + c->y[2 * i + 1]) / 2;
        }
        c->count = CURVE_POINTS / 2;
        c->each *= 2;
    }
    c->x[c->count] = x;
    c->y[c->count++] = y;
}

void view_curve_add(view_curve *c, double x, double y)
{
    if (c->each == 0) c->each = 1;
    c->sum += y;
    if (++c->pending < c->each) return;
    view_curve_put(c, x, c->sum / c->pending);
    c->sum = 0;
    c->pending = 0;
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static void print_header(const train_view *v)
{
    const char *m = v->metric_name;
    if (m[0])
        printf("%5s  %9s  %9s  %10s  %9s  %9s  %8s\n", "epoch", "loss", m, "valid loss", m, "rate", "time");
    else
        printf("%5s  %9s  %10s  %10s  %9s  %8s\n", "epoch", "loss", "valid loss", "perplexity", "rate", "time");
}

static void print_metric(const char *name, double v)
{
    if (!isfinite(v))
        printf("  %9s", "-");
    else if (!strcmp(name, "accuracy"))
        printf("  %8.2f%%", 100 * v);
    else
        printf("  %9.4f", v);
}

static void print_epoch(const train_view *v, const view_epoch *e)
{
    char clock[24];

    printf("%5lld  %9.4f", (long long)e->epoch, e->loss);
    if (v->metric_name[0]) print_metric(v->metric_name, e->metric);
    printf("  %10.4f", e->valid_loss);
    if (v->metric_name[0])
        print_metric(v->metric_name, e->valid_metric);
    else
        printf("  %10.4g", exp(e->valid_loss));
    printf("  %9.3g  %8s%s\n", e->lr, cli_clock(e->seconds, clock), e->best ? " *" : "");
}

void train_view_table(const train_view *v)
{
    if (v->epoch_count == 0) return;
    print_header(v);
    for (int i = 0; i < v->epoch_count; i++) print_epoch(v, &v->epoch[i]);
}

static void wipe_bar(train_view *v)
{
    if (v->bar) fputs("\r\033[K", stderr);
    v->bar = false;
}

static void draw_bar(train_view *v, int64_t at, int64_t of, const char *what)
{
    const born_train_event *e = &v->now;
    char left[24];
    int filled = of > 0 ? (int)(BAR * (at < of ? at : of) / of) : 0;

    fprintf(stderr, "\r%s %lld/%lld [", what, (long long)e->epoch, (long long)e->epochs);
    for (int i = 0; i < BAR; i++) fputc(i < filled ? '=' : i == filled ? '>' : ' ', stderr);
    fprintf(stderr, "] %lld/%lld  loss %.4f", (long long)at, (long long)of, e->loss);
    if (v->metric_name[0] && isfinite(e->metric)) {
        bool share = !strcmp(v->metric_name, "accuracy");
        fprintf(stderr, share ? "  %s %.1f%%" : "  %s %.3f", v->metric_name, share ? 100 * e->metric : e->metric);
    }
    if (e->items_per_second > 0) fprintf(stderr, "  %.0f/s", e->items_per_second);
    if (e->step > 0 && e->steps > e->step)
        fprintf(stderr, "  %s left",
                cli_clock(e->seconds * (double)(e->steps - e->step) / (double)e->step, left));
    fputs("\033[K", stderr);
    v->bar = true;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------ */

static const char *const event_name[] = { "", "begin", "step", "validate", "epoch", "saved", "end", "checked" };
static const char *const end_name[] = { "done", "early", "stopped", "failed" };

static void json_int(cli_json *j, const char *key, int64_t v)
{
    cli_json_key(j, key);
    cli_json_int(j, v);
}
static void json_real(cli_json *j, const char *key, double v)
{
    cli_json_key(j, key);
    cli_json_real(j, v);
}
static void json_text(cli_json *j, const char *key, const char *v)
{
    cli_json_key(j, key);
    cli_json_text(j, v);
}

static void json_epoch(cli_json *j, const born_train_event *e)
{
    json_real(j, "valid_loss", e->valid_loss);
    json_real(j, "valid_metric", e->valid_metric);
    cli_json_key(j, "best");
    cli_json_bool(j, e->best);
}

static void json_begin(cli_json *j, const train_view *v)
{
    born_recipe_facts f;
    born_step_stats s;

    born_recipe_facts_get(v->recipe, &f);
    born_step_stats_get(born_trainer_step(born_recipe_trainer(v->recipe)), &s);
    json_text(j, "recipe", born_recipe_name(v->recipe));
    json_int(j, "parameters", born_module_param_count(born_recipe_net(v->recipe)));
    json_int(j, "train_items", f.train_items);
    json_int(j, "valid_items", f.valid_items);
    json_int(j, "peak_bytes", (int64_t)s.peak_bytes);
    json_int(j, "weight_bytes", (int64_t)s.weight_bytes);
}

static void json_event(const train_view *v, const born_train_event *e)
{
    cli_json j = { .one_line = true };

    if (e->kind == BORN_TRAIN_VALIDATE) return;
    cli_json_open(&j, '{');
    json_text(&j, "event", event_name[e->kind]);
    if (e->kind == BORN_TRAIN_BEGIN) json_begin(&j, v);
    json_int(&j, "epoch", e->epoch);
    json_int(&j, "epochs", e->epochs);
    json_int(&j, "step", e->step);
    json_int(&j, "steps", e->steps);
    if (e->kind == BORN_TRAIN_SAVED) {
        json_text(&j, "path", e->path);
    } else if (e->kind != BORN_TRAIN_BEGIN) {
        json_real(&j, "loss", e->loss);
        if (e->metric_name) json_text(&j, "metric_name", e->metric_name);
        json_real(&j, "metric", e->metric);
        json_real(&j, "lr", e->lr);
        json_real(&j, "items_per_second", e->items_per_second);
    }
    json_real(&j, "seconds", e->seconds);
    if (e->kind == BORN_TRAIN_EPOCH || e->kind == BORN_TRAIN_CHECKED) json_epoch(&j, e);
    if (e->kind == BORN_TRAIN_END) json_text(&j, "why", (unsigned)e->why < 4 ? end_name[e->why] : "");
    cli_json_close(&j, '}');
    cli_json_end();
    fflush(stdout);
}

/* ---- events ---------------------------------------------------------------------------------------------------- */

static void print_start(const train_view *v, const born_train_event *e)
{
    born_step_stats s;
    char peak[24], weights[24];

    born_step_stats_get(born_trainer_step(born_recipe_trainer(v->recipe)), &s);
    if (s.planned)
        printf("plan: peak memory %s, weights and optimiser %s\n", cli_bytes((double)s.peak_bytes, peak),
               cli_bytes((double)s.weight_bytes, weights));
    printf("%lld epoch%s of %lld steps; checkpoints in %s\n", (long long)e->epochs, e->epochs == 1 ? "" : "s",
           (long long)e->batches, born_recipe_folder(v->recipe));
    if (e->step > 0) printf("goes on after step %lld\n", (long long)e->step);
}

static void keep_epoch(train_view *v, const born_train_event *e)
{
    if (v->epoch_count == v->epoch_room) {
        int room = v->epoch_room ? 2 * v->epoch_room : 32;
        view_epoch *more = realloc(v->epoch, (size_t)room * sizeof *more);
        if (!more) return;
        v->epoch = more;
        v->epoch_room = room;
    }
    v->epoch[v->epoch_count++] = (view_epoch){ e->epoch, e->loss, e->metric, e->valid_loss, e->valid_metric, e->lr,
                                               e->seconds - v->epoch_began, e->best };
    v->epoch_began = e->seconds;
    view_curve_put(&v->valid_loss, (double)e->step, e->valid_loss);
    view_curve_put(&v->valid_metric, (double)e->step, e->valid_metric);
}

static void keep(train_view *v, const born_train_event *e)
{
    if (e->metric_name) snprintf(v->metric_name, sizeof v->metric_name, "%s", e->metric_name);
    if (e->kind == BORN_TRAIN_STEP) {
        v->now = *e;
        view_curve_add(&v->loss, (double)e->step, e->loss);
        if (isfinite(e->metric)) view_curve_add(&v->metric, (double)e->step, e->metric);
    } else if (e->kind == BORN_TRAIN_EPOCH) {
        keep_epoch(v, e);
    } else if (e->kind == BORN_TRAIN_CHECKED) {
        view_curve_put(&v->valid_loss, (double)e->step, e->valid_loss);
        view_curve_put(&v->valid_metric, (double)e->step, e->valid_metric);
    } else if (e->kind == BORN_TRAIN_SAVED && e->path) {
        snprintf(e->best ? v->best : v->last, sizeof v->best, "%s", e->path);
    }
}

static void show_lines(train_view *v, const born_train_event *e)
{
    double now = cli_seconds();
    bool fresh = now - v->drawn >= 0.1;

    if (e->kind == BORN_TRAIN_BEGIN) print_start(v, e);
    if (e->kind == BORN_TRAIN_EPOCH) {
        wipe_bar(v);
        if (!v->header) print_header(v);
        v->header = true;
        if (v->epoch_count > 0) print_epoch(v, &v->epoch[v->epoch_count - 1]);
    }
    if (e->kind == BORN_TRAIN_CHECKED) {
        wipe_bar(v);
        printf("  step %lld: valid loss %.4f%s\n", (long long)e->step, e->valid_loss, e->best ? " *" : "");
    }
    if (e->kind == BORN_TRAIN_END) wipe_bar(v);
    if (v->kind == VIEW_BAR && fresh && e->kind == BORN_TRAIN_STEP) draw_bar(v, e->batch, e->batches, "epoch");
    if (v->kind == VIEW_BAR && fresh && e->kind == BORN_TRAIN_VALIDATE) draw_bar(v, e->done, e->total, "valid");
    if (fresh) v->drawn = now;
    if (e->kind != BORN_TRAIN_STEP && e->kind != BORN_TRAIN_VALIDATE) fflush(stdout);
}

born_status train_view_event(void *user, const born_train_event *e, born_error *err)
{
    train_view *v = user;
    (void)err;
    keep(v, e);
    if (v->kind == VIEW_JSON) json_event(v, e);
    if (v->kind == VIEW_LINES || v->kind == VIEW_BAR) show_lines(v, e);
    if (v->kind == VIEW_TUI) {
        if (e->kind == BORN_TRAIN_BEGIN) train_tui_open();
        double now = cli_seconds();
        if (now - v->drawn >= 0.12 || e->kind == BORN_TRAIN_EPOCH) {
            train_tui_draw(v);
            v->drawn = now;
        }
        if (e->kind == BORN_TRAIN_END) train_tui_close();
    }
    return BORN_OK;
}

void train_view_end(train_view *v)
{
    wipe_bar(v);
    if (v->kind == VIEW_TUI) train_tui_close();
}

void train_view_close(train_view *v)
{
    train_view_end(v);
    free(v->epoch);
    v->epoch_count = 0;
    v->epoch = NULL;
}

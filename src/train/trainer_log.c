/* The logs of training: log.csv (numbers only; what is not known is empty) and log.jsonl (the same rows as objects), a
   row for some of the steps and one for each epoch. A training that goes on takes over the rows of its past from
   log.csv and writes both files anew up to there, so that they read as if it had never stopped; so does one whose rows
   could not be written. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "train/trainer.h"

enum { LINE_MOST = 512, COLUMNS = 9, PATH_MOST = 4096 };
static const char columns[] = "step,epoch,whole_epoch,loss,metric,valid_loss,valid_metric,lr,seconds";

static bool keep_row(train_log *l, const train_row *row)
{
    if (!born__grow((void **)&l->row, &l->cap, l->count + 1, sizeof *row)) return false;
    l->row[l->count++] = *row;
    return true;
}

/* ---- one row ----------------------------------------------------------------------------------------------------- */

static void number(FILE *f, double v)
{
    if (isfinite(v)) fprintf(f, ",%.9g", v);
    else fputc(',', f);
}

static void write_csv(FILE *f, const train_row *r)
{
    const double v[] = { r->loss, r->metric, r->valid_loss, r->valid_metric, r->lr, r->seconds };

    fprintf(f, "%lld,%lld,%d", (long long)r->step, (long long)r->epoch, r->whole);
    for (int i = 0; i < 6; i++) number(f, v[i]);
    fputc('\n', f);
}

static born_status to_file(void *user, const char *text, size_t n)
{
    return fwrite(text, 1, n, user) == n ? BORN_OK : BORN_IO;
}

static void write_json(FILE *f, const train_row *r, const char *metric)
{
    born_json j;
    const struct { const char *key; double v; } field[] = {
        { "loss", r->loss }, { metric, r->metric }, { "valid_loss", r->valid_loss },
        { "valid_metric", r->valid_metric }, { "lr", r->lr }, { "seconds", r->seconds },
    };

    born__json_begin(&j, to_file, f, true);
    born__json_object(&j);
    born__json_key(&j, "event"), born__json_text(&j, r->whole ? "epoch" : "step");
    born__json_key(&j, "step"), born__json_int(&j, r->step);
    born__json_key(&j, "epoch"), born__json_int(&j, r->epoch);
    for (int i = 0; i < 6; i++) {
        if (!field[i].key || isnan(field[i].v)) continue;
        born__json_key(&j, field[i].key), born__json_f64(&j, field[i].v);
    }
    born__json_close(&j);
    (void)!born__json_end(&j);
    born__json_free(&j);
    fputc('\n', f);
}

static born_status write_row(born_trainer *t, const train_row *row, born_error *err)
{
    write_csv(t->log.csv, row);
    write_json(t->log.json, row, t->event.metric_name);
    bool ok = !fflush(t->log.csv) && !fflush(t->log.json) && !ferror(t->log.csv) && !ferror(t->log.json);
    BORN_FAIL_IF(!ok, err, BORN_IO, "train: the logs in %.120s cannot be written: %s", t->desc.folder,
                 strerror(errno));
    return BORN_OK;
}

/* ---- both files -------------------------------------------------------------------------------------------------- */

static void close_files(train_log *l)
{
    if (l->csv) fclose(l->csv);
    if (l->json) fclose(l->json);
    l->csv = l->json = NULL;
}

static born_status path_of(const born_trainer *t, const char *name, char *path, born_error *err)
{
    int n = snprintf(path, PATH_MOST, "%s/%s", t->desc.folder, name);
    BORN_FAIL_IF(n < 0 || n >= PATH_MOST, err, BORN_INVALID, "train: the folder's path is too long");
    return BORN_OK;
}

static born_status open_file(const born_trainer *t, const char *name, FILE **out, born_error *err)
{
    char path[PATH_MOST];

    BORN_TRY(path_of(t, name, path, err));
    *out = fopen(path, "w");
    BORN_FAIL_IF(!*out, err, BORN_IO, "train: %.150s: %s", path, strerror(errno));
    return BORN_OK;
}

static born_status move_file(const born_trainer *t, const char *from, const char *to, born_error *err)
{
    char old[PATH_MOST], new[PATH_MOST];

    BORN_TRY(path_of(t, from, old, err));
    BORN_TRY(path_of(t, to, new, err));
    BORN_FAIL_IF(rename(old, new), err, BORN_IO, "train: %.150s: %s", new, strerror(errno));
    return BORN_OK;
}

static born_status write_beside(born_trainer *t, born_error *err)
{
    BORN_TRY(open_file(t, "log.csv.part", &t->log.csv, err));
    BORN_TRY(open_file(t, "log.jsonl.part", &t->log.json, err));
    fprintf(t->log.csv, "%s\n", columns);
    BORN_FAIL_IF(fflush(t->log.csv), err, BORN_IO, "train: the logs in %.120s cannot be written: %s", t->desc.folder,
                 strerror(errno));
    for (size_t i = 0; i < t->log.count; i++) BORN_TRY(write_row(t, &t->log.row[i], err));
    BORN_TRY(move_file(t, "log.csv.part", "log.csv", err));
    return move_file(t, "log.jsonl.part", "log.jsonl", err);
}

/* Both files anew, with all rows: beside the old ones, which stay where that fails. */
static born_status write_all(born_trainer *t, born_error *err)
{
    char path[PATH_MOST];
    born_status st = write_beside(t, err);

    if (!st) return BORN_OK;
    close_files(&t->log);
    if (!path_of(t, "log.csv.part", path, NULL)) (void)remove(path);
    if (!path_of(t, "log.jsonl.part", path, NULL)) (void)remove(path);
    return st;
}

born_status born__train_log_add(born_trainer *t, const train_row *row, born_error *err)
{
    train_log *l = &t->log;
    const train_row *last = l->count ? &l->row[l->count - 1] : NULL;
    bool twice = last && last->step == row->step && last->whole == row->whole &&
                 isnan(last->valid_loss) == isnan(row->valid_loss);     /* told again after a failure */

    if (!t->log.begun) return BORN_OK;
    BORN_FAIL_IF(!twice && !keep_row(l, row), err, BORN_NOMEM, "train: no memory for the log");
    if (!l->csv) return write_all(t, err);
    born_status st = twice ? BORN_OK : write_row(t, row, err);
    if (st) close_files(l); /* with half a row, perhaps: the next one writes both files anew */
    return st;
}

/* ---- the past ---------------------------------------------------------------------------------------------------- */

/* false for a line that is no row: it is left out. */
static bool parse(const char *line, train_row *r)
{
    double v[COLUMNS];
    const char *p = line;

    for (int i = 0; i < COLUMNS; i++) {
        char *end;
        v[i] = strtod(p, &end);
        if (end == p) v[i] = NAN;
        if (*end != (i == COLUMNS - 1 ? '\n' : ',')) return false;
        p = end + 1;
    }
    bool good = v[0] >= 0 && v[0] < 1e15 && v[1] >= 0 && v[1] < 1e15 && !isnan(v[2]);
    if (good)
        *r = (train_row){ .step = (int64_t)v[0], .epoch = (int64_t)v[1], .whole = v[2] != 0, .loss = v[3],
                          .metric = v[4], .valid_loss = v[5], .valid_metric = v[6], .lr = v[7], .seconds = v[8] };
    return good;
}

static born_status take_over(born_trainer *t, const char *path, born_error *err)
{
    char line[LINE_MOST];
    FILE *f = fopen(path, "r");
    train_row row;
    bool ok = true;

    if (!f) return BORN_OK;
    while (ok && fgets(line, sizeof line, f))
        if (parse(line, &row) && row.step <= t->steps_done) ok = keep_row(&t->log, &row);
    fclose(f);
    BORN_FAIL_IF(!ok, err, BORN_NOMEM, "train: no memory for the log");
    return BORN_OK;
}

born_status born__train_log_open(born_trainer *t, born_error *err)
{
    char path[PATH_MOST];

    if (!t->desc.folder || t->desc.no_logs || t->log.begun) return BORN_OK;
    BORN_TRY(born__train_folder(t, err));
    BORN_TRY(path_of(t, "log.csv", path, err));
    t->log.count = 0;
    if (t->steps_done > 0) BORN_TRY(take_over(t, path, err));
    BORN_TRY(write_all(t, err));
    t->log.begun = true;
    return BORN_OK;
}

void born__train_log_close(born_trainer *t)
{
    close_files(&t->log);
    born__free(t->log.row);
    t->log = (train_log){ 0 };
}

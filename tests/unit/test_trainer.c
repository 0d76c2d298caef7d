/* The trainer: training that was stopped anywhere and goes on equals training that never stopped, bit for bit; what
   ends it; what it writes; what it refuses. */
#define _DEFAULT_SOURCE
#include <born/born.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../harness.h"

enum { ITEMS = 52, VALID = 20, BATCH = 8, EPOCHS = 4, CLASSES = 5 };

static float train_x[ITEMS][48], valid_x[VALID][48];
static int64_t train_y[ITEMS], valid_y[VALID];

static void fill_set(float (*x)[48], int64_t *y, int n, uint32_t seed)
{
    for (int i = 0; i < n; i++) {
        y[i] = i % CLASSES;
        for (int k = 0; k < 48; k++) {
            seed = seed * 1664525u + 1013904223u;
            x[i][k] = (float)(seed >> 8) / (float)(1 << 24) + (k % CLASSES == y[i] ? 0.5f : 0);
        }
    }
}

typedef struct variant {
    int threads, workers, accumulate;
    bool ema, by_step, plateau, eager;
} variant;

typedef struct session {
    born_backend *b;
    born_module *net;
    born_optim *opt;
    born_sched *sched;
    born_ema *ema;
    born_dataset *sets[2];
    born_loader *train, *valid;
    born_metric *metric;
    born_trainer *trainer;
    volatile int stop;
    int64_t stop_at_step;       /* 0: never */
    int stop_in_validation;     /* at its n-th batch */
    int64_t spoil_at_step;      /* puts an infinity into a weight; 0: never */
    int epochs_told, saves_told, ends_told, checks_told;
    born_train_event last;
} session;

static born_status listen(void *user, const born_train_event *e, born_error *err)
{
    session *s = user;

    (void)err;
    s->epochs_told += e->kind == BORN_TRAIN_EPOCH;
    s->saves_told += e->kind == BORN_TRAIN_SAVED;
    s->ends_told += e->kind == BORN_TRAIN_END;
    s->checks_told += e->kind == BORN_TRAIN_CHECKED;
    if (e->kind == BORN_TRAIN_STEP && e->step == s->spoil_at_step) {
        static float w[16 * 16];
        for (int i = 0; i < 16 * 16; i++) w[i] = INFINITY;
        CHECK_OK(born_module_copy_in(s->net, "4.weight", (born_array){ BORN_F32, BORN_SHAPE(16, 16), w, 0 }, NULL),
                 NULL);
    }
    if (e->kind == BORN_TRAIN_STEP && e->step == s->stop_at_step && !s->stop_in_validation) s->stop = 1;
    if (e->kind == BORN_TRAIN_VALIDATE && e->step >= s->stop_at_step && e->done == s->stop_in_validation) s->stop = 1;
    s->last = *e;
    return BORN_OK;
}

static born_status open_data(session *s, int workers, born_error *err)
{
    static const char *const names[] = { "x", "y" };
    const born_array train[] = { { BORN_F32, BORN_SHAPE(ITEMS, 3, 4, 4), train_x, 0 },
                                 { BORN_I64, BORN_SHAPE(ITEMS), train_y, 0 } };
    const born_array valid[] = { { BORN_F32, BORN_SHAPE(VALID, 3, 4, 4), valid_x, 0 },
                                 { BORN_I64, BORN_SHAPE(VALID), valid_y, 0 } };
    const born_loader_desc t = { .batch = BATCH, .shuffle = true, .seed = 5, .workers = workers },
                           v = { .batch = BATCH };

    born_status st = born_dataset_from_arrays(train, names, 2, &s->sets[0], err);
    if (!st) st = born_dataset_from_arrays(valid, names, 2, &s->sets[1], err);
    if (!st) st = born_loader_open(s->sets[0], &t, &s->train, err);
    if (!st) st = born_loader_open(s->sets[1], &v, &s->valid, err);
    return st;
}

static void build(born_module *net, int64_t wide)
{
    born_conv2d(net, NULL, 3, 4, BORN_INTS(3), NULL);
    born_batch_norm2d(net, NULL, 4, NULL);
    born_relu_layer(net, NULL);
    born_flatten_layer(net, NULL, 1, -1, NULL);
    born_linear(net, NULL, 16, wide, NULL);
    born_dropout_layer(net, NULL, 0.25, NULL);
    born_linear(net, NULL, wide, CLASSES, NULL);
}

static born_status open_session(session *s, const variant *v, int64_t wide, born_trainer_desc d, born_error *err)
{
    static const char *const meta[] = { "recipe", "test", "wide", "16" };
    const born_sched_desc plateau = { .kind = BORN_SCHED_PLATEAU, .patience = -1 },
                          cosine = { .kind = BORN_SCHED_COSINE, .t_max = 28 },
                          by_epoch = { .kind = BORN_SCHED_STEP, .step_size = 2 };
    static born_train_callback callback;
    int64_t volatile at = s->stop_at_step;
    int volatile in = s->stop_in_validation;

    *s = (session){ .stop_at_step = at, .stop_in_validation = in };
    s->b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = v->threads })));
    s->net = born_module_create_with(s->b, &(born_module_desc){ .seed = d.resume ? 99 : 7 });
    build(s->net, wide);
    s->opt = born_adamw(s->net, 0.01, 0.01, &(born_optim_desc){ .clip_norm = 1, .accumulate = v->accumulate });
    if (v->ema) s->ema = born_ema_create(s->net, 0.9);
    if (v->plateau) s->sched = born_sched_create(s->opt, &plateau);
    else s->sched = born_sched_create(s->opt, v->by_step ? &cosine : &by_epoch);
    s->metric = born_metric_create(BORN_METRIC_ACCURACY, NULL);
    born_status st = open_data(s, v->workers, err);
    if (st) return st;
    callback = (born_train_callback){ listen, s };
    d.net = s->net, d.optim = s->opt, d.sched = s->sched, d.sched_by_step = v->by_step, d.ema = s->ema;
    d.train = s->train, d.valid = s->valid, d.metric = s->metric, d.metric_name = "accuracy", d.stop = &s->stop;
    d.callbacks = &callback, d.callback_count = 1, d.meta = meta, d.meta_count = 2, d.eager = v->eager;
    if (!d.epochs) d.epochs = EPOCHS;
    return born_trainer_open(&d, &s->trainer, err);
}

static void close_session(session *s)
{
    born_trainer_close(&s->trainer);
    born_loader_close(&s->train), born_loader_close(&s->valid);
    born_dataset_close(&s->sets[0]), born_dataset_close(&s->sets[1]);
    born_metric_close(&s->metric);
    born_sched_close(&s->sched);
    born_ema_close(&s->ema);
    born_optim_close(&s->opt);
    born_module_close(&s->net);
    born_backend_close(&s->b);
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

static char folder[64];
static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void clear_folder(void)
{
    snprintf(folder, sizeof folder, "born_train_%ld", (long)getpid());
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') unlink(path_of(e->d_name));
    if (d) closedir(d);
    rmdir(folder);
}

/* Names of the folder's checkpoints of steps, newest in `newest`. */
static int count_steps(char *newest, size_t n)
{
    DIR *d = opendir(folder);
    int count = 0;
    newest[0] = '\0';
    for (const struct dirent *e; d && (e = readdir(d));)
        if (!strncmp(e->d_name, "step-", 5) && strstr(e->d_name, ".born")) {
            if (strcmp(e->d_name, newest) > 0) snprintf(newest, n, "%.60s", e->d_name);
            count++;
        }
    if (d) closedir(d);
    return count;
}

/* ---- all of a training ----------------------------------------------------------------------------------------- */

typedef struct gathered {
    char *bytes;
    size_t n;
} gathered;

static void gather(gathered *g, born_tensor x)
{
    born_shape s = born_shape_of(x);
    int64_t count = 1;
    for (int d = 0; d < s.rank; d++) count *= s.dim[d];
    size_t bytes = (size_t)born_dtype_bytes(born_dtype_of(x), count);
    char *more = realloc(g->bytes, g->n + bytes + 1);
    if (!more) exit(1);
    g->bytes = more;
    CHECK_INT(born_read(x, g->bytes + g->n, bytes), BORN_OK);
    g->n += bytes;
}
static bool gather_module(void *user, const born_module_item *item) { return gather(user, item->value), true; }
static bool gather_optim(void *user, const born_optim_item *item)
{
    gathered *g = user;
    if (item->value.w) return gather(g, item->value), true;
    char *more = realloc(g->bytes, g->n + sizeof item->number);
    if (!more) exit(1);
    g->bytes = more;
    memcpy(g->bytes + g->n, &item->number, sizeof item->number);
    g->n += sizeof item->number;
    return true;
}

static gathered all_of(const session *s)
{
    gathered g = { NULL, 0 };
    CHECK_INT(born_module_each(s->net, gather_module, &g), BORN_OK);
    CHECK_INT(born_optim_each(s->opt, gather_optim, &g), BORN_OK);
    if (s->ema) gather(&g, born_ema_find(s->ema, "4.weight"));
    return g;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void run_all(session *s, born_train_end why)
{
    born_train_result r;
    born_error err = { 0 };
    CHECK_OK(born_trainer_run(s->trainer, &r, &err), &err);
    CHECK_INT(r.why, why);
    CHECK_INT(s->ends_told, 1);
}

static const variant variants[] = {
    { .threads = 1 },
    { .threads = 2, .workers = 2, .by_step = true, .ema = true },
    { .threads = 2, .plateau = true, .eager = true },
    { .threads = 1, .workers = 1, .plateau = true, .ema = true },
    { .threads = 1, .accumulate = 3, .ema = true },
};

TEST(resumed_training_equals_uninterrupted)
{
    static const int stops[] = { 1, 3, 6, 7, 8, 14, 27 };  /* 7 steps an epoch, the last of 4 items */
    born_error err = { 0 };

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    for (size_t v = 0; v < sizeof variants / sizeof *variants; v++) {
        session whole = { .stop_at_step = 0 };
        REQUIRE_OK(open_session(&whole, &variants[v], 16, (born_trainer_desc){ 0 }, &err), &err);
        run_all(&whole, BORN_TRAIN_DONE);
        CHECK_INT(whole.epochs_told, EPOCHS);
        gathered want = all_of(&whole);
        for (size_t k = 0; k < 2 * sizeof stops / sizeof *stops; k++) {
            bool in_validation = k % 2;
            clear_folder();
            session first = { .stop_at_step = stops[k / 2], .stop_in_validation = in_validation ? 2 : 0 }, rest = { 0 };
            REQUIRE_OK(open_session(&first, &variants[v], 16, (born_trainer_desc){ .folder = folder }, &err), &err);
            run_all(&first, BORN_TRAIN_STOPPED);
            close_session(&first);
            REQUIRE_OK(open_session(&rest, &variants[v], 16,
                                    (born_trainer_desc){ .folder = folder, .resume = true }, &err), &err);
            run_all(&rest, BORN_TRAIN_DONE);
            gathered got = all_of(&rest);
            CHECK_MSG(got.n == want.n && !memcmp(got.bytes, want.bytes, want.n),
                      "variant %zu, stopped at %d%s: differs", v, stops[k / 2], in_validation ? " in validation" : "");
            CHECK_INT(rest.last.epoch, EPOCHS);
            CHECK(rest.last.valid_loss == whole.last.valid_loss && rest.last.valid_metric == whole.last.valid_metric);
            free(got.bytes);
            close_session(&rest);
        }
        free(want.bytes);
        close_session(&whole);
    }
    clear_folder();
}

TEST(checkpoints_and_logs)
{
    born_error err = { 0 };
    char newest[64], line[512];
    born_checkpoint *c = NULL;
    const char *text;
    size_t n;
    int64_t steps;
    session s = { 0 };
    int rows = 0, epochs = 0;

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    clear_folder();
    REQUIRE_OK(open_session(&s, &variants[0], 16,
                            (born_trainer_desc){ .folder = folder, .keep_last = 2, .title = "a<b" }, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    CHECK(s.last.valid_metric > 0.5);
    CHECK_INT(count_steps(newest, sizeof newest), 2);
    CHECK_TEXT(newest, "step-00000028.born");
    REQUIRE_OK(born_checkpoint_open(path_of("best.born"), BORN_MAP, &c, &err), &err);
    CHECK_OK(born_checkpoint_text(c, "meta.recipe", &text, &n, &err), &err);
    CHECK_TEXT(text, "test");
    CHECK_OK(born_checkpoint_int(c, "train.steps_done", &steps, &err), &err);
    CHECK(steps > 0 && steps % 7 == 0);
    born_checkpoint_close(&c);

    FILE *f = fopen(path_of("log.csv"), "r");
    REQUIRE(f != NULL);
    while (fgets(line, sizeof line, f)) {
        int commas = 0;
        for (const char *p = line; *p; p++) commas += *p == ',';
        CHECK_INT(commas, 8);
        rows++;
        epochs += strstr(line, ",1,") && !strncmp(strchr(strchr(line, ',') + 1, ','), ",1,", 3);
    }
    fclose(f);
    CHECK_INT(rows, 1 + 28 + EPOCHS);
    CHECK_INT(epochs, EPOCHS);
    f = fopen(path_of("log.jsonl"), "r");
    REQUIRE(f != NULL);
    for (rows = 0; fgets(line, sizeof line, f); rows++) CHECK(line[0] == '{' && strstr(line, "\"accuracy\":"));
    fclose(f);
    CHECK_INT(rows, 28 + EPOCHS);
    f = fopen(path_of("curves.svg"), "r");
    REQUIRE(f != NULL);
    size_t got = fread(line, 1, sizeof line - 1, f);
    line[got] = '\0';
    fclose(f);
    CHECK(!strncmp(line, "<svg ", 5) && strstr(line, "a&lt;b"));

    float w[16 * 16], best[16 * 16];
    CHECK_OK(born_module_copy_out(s.net, "4.weight", w, sizeof w, &err), &err);
    CHECK_OK(born_trainer_best(s.trainer, &err), &err);
    CHECK_OK(born_module_copy_out(s.net, "4.weight", best, sizeof best, &err), &err);
    born_module *other = born_module_create(s.b);
    build(other, 16);
    CHECK_OK(born_trainer_load(path_of("best.born"), other, &err), &err);
    CHECK_OK(born_module_copy_out(other, "4.weight", w, sizeof w, &err), &err);
    CHECK(!memcmp(w, best, sizeof w));
    born_module_close(&other);
    close_session(&s);
    clear_folder();
}

TEST(it_ends_early_and_by_steps)
{
    born_error err = { 0 };
    session s = { 0 };

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    clear_folder();
    REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .epochs = 50, .patience = 2, .min_delta = 0.9 },
                            &err), &err);
    run_all(&s, BORN_TRAIN_EARLY);
    CHECK_INT(s.epochs_told, 3);
    close_session(&s);

    /* Cut short in an epoch, and then on from there: the same as all at once. */
    gathered g[2];
    REQUIRE_OK(open_session(&s, &variants[1], 16, (born_trainer_desc){ .max_steps = 18 }, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    CHECK_INT(s.last.step, 18);
    g[0] = all_of(&s);
    close_session(&s);
    REQUIRE_OK(open_session(&s, &variants[1], 16, (born_trainer_desc){ .max_steps = 10, .folder = folder }, &err),
               &err);
    run_all(&s, BORN_TRAIN_DONE);
    close_session(&s);
    REQUIRE_OK(open_session(&s, &variants[1], 16,
                            (born_trainer_desc){ .max_steps = 18, .folder = folder, .resume = true }, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    g[1] = all_of(&s);
    CHECK(g[0].n == g[1].n && !memcmp(g[0].bytes, g[1].bytes, g[0].n));
    free(g[0].bytes), free(g[1].bytes);
    close_session(&s);
    clear_folder();
}

TEST(a_bad_loss_ends_it_and_loses_nothing)
{
    born_error err = { 0 };
    born_train_result r;
    char newest[64];
    session s = { 0 };

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    clear_folder();
    train_x[9][3] = NAN;
    REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .folder = folder, .save_every = 1 }, &err),
               &err);
    CHECK_INT(born_trainer_run(s.trainer, &r, &err), BORN_RANGE);
    CHECK_MSG(strstr(err.text, "the loss is nan: field 0 of the batch holds the first nan"), "%s", err.text);
    CHECK_INT(r.why, BORN_TRAIN_FAILED);
    CHECK_INT(count_steps(newest, sizeof newest), r.step > 0);
    close_session(&s);

    /* Without checkpoints of single steps: what was learnt before the bad batch is saved now; weights that are no
       numbers are not. */
    char want[64];
    clear_folder();
    REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .folder = folder }, &err), &err);
    CHECK_INT(born_trainer_run(s.trainer, &r, &err), BORN_RANGE);
    REQUIRE(r.step > 0);
    snprintf(want, sizeof want, "step-%08lld.born", (long long)r.step);
    CHECK_INT(count_steps(newest, sizeof newest), 1);
    CHECK_TEXT(newest, want);
    close_session(&s);
    clear_folder();
    train_x[9][3] = 0;
    REQUIRE_OK(open_session(&s, &variants[2], 16, (born_trainer_desc){ .folder = folder }, &err), &err);
    s.spoil_at_step = 3;
    CHECK_INT(born_trainer_run(s.trainer, &r, &err), BORN_RANGE);
    CHECK_INT(r.step, 3);
    CHECK_MSG(strstr(err.text, "parameter 4.weight") != NULL, "%s", err.text);
    CHECK_INT(count_steps(newest, sizeof newest), 0);
    close_session(&s);
    clear_folder();
}

/* A check within an epoch that a stop cut short is made up for by whoever goes on. */
TEST(stopped_in_a_check)
{
    born_error err = { 0 };
    const born_trainer_desc d = { .validate_every = 3, .epochs = 2 };
    born_trainer_desc kept = d, again = d;
    born_train_result want, got;
    session s = { 0 };

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    clear_folder();
    REQUIRE_OK(open_session(&s, &variants[0], 16, d, &err), &err);
    CHECK_OK(born_trainer_run(s.trainer, &want, &err), &err);
    CHECK_INT(s.checks_told, 4);
    close_session(&s);
    kept.folder = again.folder = folder;
    again.resume = true;
    s = (session){ .stop_at_step = 6, .stop_in_validation = 2 };
    REQUIRE_OK(open_session(&s, &variants[0], 16, kept, &err), &err);
    run_all(&s, BORN_TRAIN_STOPPED);
    CHECK_INT(s.checks_told, 1);
    close_session(&s);
    s = (session){ 0 };
    REQUIRE_OK(open_session(&s, &variants[0], 16, again, &err), &err);
    CHECK_OK(born_trainer_run(s.trainer, &got, &err), &err);
    CHECK_INT(s.checks_told, 3);
    CHECK(got.best == want.best && got.best_epoch == want.best_epoch && got.valid_loss == want.valid_loss);
    close_session(&s);
    clear_folder();
}

/* Counts that a file claims and that counting on from would overflow. */
TEST(hostile_counts)
{
    static const char *const key[] = { "train.steps_done", "train.epochs_done", "train.epochs_without_better",
                                       "train.epoch_items", "ema.updates", "loader.batch", "loader.epoch" };
    born_error err = { 0 };
    char newest[64];
    session s = { 0 };

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    for (size_t k = 0; k < sizeof key / sizeof *key; k++)
        for (int low = 0; low < 2; low++) {
            born_checkpoint *c = NULL;
            clear_folder();
            s = (session){ .stop_at_step = 2 };
            REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .folder = folder }, &err), &err);
            run_all(&s, BORN_TRAIN_STOPPED);
            close_session(&s);
            CHECK_INT(count_steps(newest, sizeof newest), 1);
            REQUIRE_OK(born_checkpoint_open(path_of(newest), BORN_COPY, &c, &err), &err);
            CHECK_OK(born_checkpoint_put_int(c, key[k], low ? INT64_MIN : INT64_MAX, &err), &err);
            CHECK_OK(born_checkpoint_write(c, path_of(newest), &err), &err);
            born_checkpoint_close(&c);
            s = (session){ 0 };
            born_status st = open_session(&s, &variants[0], 16,
                                          (born_trainer_desc){ .folder = folder, .resume = true }, &err);
            CHECK_MSG(st == BORN_FORMAT || st == BORN_RANGE, "%s: %s", key[k], born_status_name(st));
            CHECK(s.trainer == NULL && !strchr(err.text, '\n'));
            close_session(&s);
        }
    clear_folder();
}

TEST(checkpoints_that_do_not_fit_change_nothing)
{
    born_error err = { 0 };
    char newest[64], older[64];
    session s = { 0 };
    variant v = variants[0];

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    clear_folder();
    REQUIRE_OK(open_session(&s, &v, 16, (born_trainer_desc){ .folder = folder, .keep_last = 3 }, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    close_session(&s);

    const born_trainer_desc d = { .folder = folder, .resume = true, .epochs = 6, .keep_last = 9 };
    CHECK_INT(open_session(&s, &v, 20, d, &err), BORN_MISMATCH);
    CHECK_MSG(strstr(err.text, "4.weight") != NULL, "%s", err.text);
    close_session(&s);
    v.ema = true;
    CHECK(open_session(&s, &v, 16, d, &err) != BORN_OK);
    float w[16 * 16], fresh[16 * 16];
    CHECK_OK(born_module_copy_out(s.net, "4.weight", w, sizeof w, &err), &err);
    born_module *other = born_module_create_with(s.b, &(born_module_desc){ .seed = 99 });
    build(other, 16);
    CHECK_OK(born_module_copy_out(other, "4.weight", fresh, sizeof fresh, &err), &err);
    CHECK(!memcmp(w, fresh, sizeof w));
    born_module_close(&other);
    close_session(&s);

    /* The newest is cut off: the one before it serves. */
    CHECK_INT(count_steps(newest, sizeof newest), 3);
    struct stat st;
    REQUIRE(stat(path_of(newest), &st) == 0 && truncate(path_of(newest), st.st_size / 2) == 0);
    snprintf(older, sizeof older, "%s", newest);
    v.ema = false;
    REQUIRE_OK(open_session(&s, &v, 16, d, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    CHECK_INT(s.last.step, 42);
    CHECK_INT(s.epochs_told, 3);
    close_session(&s);
    clear_folder();
}

#if !defined(__wasm__)
/* No file may grow beyond 2 KB: as on a full disk, the checkpoint is not written and what was there stays. */
TEST(a_full_disk_is_a_status)
{
    born_error err = { 0 };
    session s = { 0 };
    struct rlimit was, now;

    fill_set(train_x, train_y, ITEMS, 1), fill_set(valid_x, valid_y, VALID, 2);
    clear_folder();
    REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .folder = folder, .epochs = 1 }, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    close_session(&s);
    REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .folder = folder, .resume = true }, &err), &err);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &was) == 0);
    now = was;
    now.rlim_cur = 4096;
    void (*old)(int) = signal(SIGXFSZ, SIG_IGN);
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
    CHECK_INT(born_trainer_run(s.trainer, NULL, &err), BORN_IO);
    CHECK(setrlimit(RLIMIT_FSIZE, &was) == 0);
    signal(SIGXFSZ, old);
    CHECK_MSG(!strchr(err.text, '\n') && err.text[0], "%s", err.text);
    close_session(&s);
    REQUIRE_OK(open_session(&s, &variants[0], 16, (born_trainer_desc){ .folder = folder, .resume = true }, &err), &err);
    run_all(&s, BORN_TRAIN_DONE);
    close_session(&s);
    clear_folder();
}
#endif

TEST_MAIN

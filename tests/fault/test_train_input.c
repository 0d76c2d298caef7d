/* Bad input in the middle of a training: a label that is no class, an item that cannot be read, a number that is none,
   a full disk. Each is a status with one line, nothing is lost, and once the cause is gone the same trainer goes on to
   the bits of a training that never met it. ctest-labels: posix */
#define _DEFAULT_SOURCE
#include <born/born.h>
#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "harness.h"

enum { ITEMS = 44, BATCH = 4, CLASSES = 5, WIDE = 12, EPOCHS = 3, STEPS = 33, BAD = 17 };

typedef enum trouble { NONE, LABEL, NUMBER, ITEM } trouble;
static _Atomic int now;         /* the trouble of item BAD, read by the loader's threads */

static born_status give(void *self, const born_item_request *r, born_error *err)
{
    float *x = r->dst[0];
    int64_t i = r->index;

    (void)self;
    if (now == ITEM && i == BAD) {
        if (err) snprintf(err->text, sizeof err->text, "the disk gave up at %d", BAD);
        if (err) err->status = BORN_IO;
        return BORN_IO;
    }
    for (int k = 0; k < WIDE; k++) x[k] = (float)((i * 37 + k * 11) % 29) / 29 + (k % CLASSES == i % CLASSES);
    if (now == NUMBER && i == BAD) x[3] = NAN;
    *(int64_t *)r->dst[1] = now == LABEL && i == BAD ? CLASSES : i % CLASSES;
    return BORN_OK;
}

typedef struct session {
    born_backend *b;
    born_module *net;
    born_optim *opt;
    born_ema *ema;
    born_dataset *set;
    born_loader *train, *valid;
    born_metric *metric;
    born_trainer *trainer;
    char seen[2048];            /* weights after the last step */
    int64_t steps_told;
    size_t room_at_step;        /* at step 11 no file may grow beyond this; 0: no limit */
} session;

typedef struct copy {
    char *to;
    size_t n;
} copy;
static bool copy_item(void *user, const born_module_item *item)
{
    copy *c = user;
    born_shape s = born_shape_of(item->value);
    int64_t n = 1;
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    size_t bytes = (size_t)born_dtype_bytes(born_dtype_of(item->value), n);
    if (CHECK(c->n + bytes <= 2048)) CHECK_INT((born_read)(item->value, c->to + c->n, bytes), BORN_OK);
    c->n += bytes;
    return true;
}
static void weights(const session *s, char *to)
{
    copy c = { to, 0 };
    memset(to, 0, 2048);
    CHECK_INT(born_module_each(s->net, copy_item, &c), BORN_OK);
}

static void room(size_t bytes)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes ? (rlim_t)bytes : limit.rlim_max;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static born_status listen(void *user, const born_train_event *e, born_error *err)
{
    session *s = user;

    if (e->kind != BORN_TRAIN_STEP) return BORN_OK;
    s->steps_told++;
    if (s->room_at_step && e->step == 11) room(s->room_at_step);
    if (born_step_sync(born_trainer_step(s->trainer), err)) return err->status;
    weights(s, s->seen);
    return BORN_OK;
}

static char folder[64];
static const char *path_of(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}
static void clear_folder(void)
{
    snprintf(folder, sizeof folder, "born_input_%ld", (long)getpid());
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') unlink(path_of(e->d_name));
    if (d) closedir(d);
    rmdir(folder);
}

static born_status open_session(session *s, bool eager, int workers, bool files, born_error *err)
{
    static const born_field fields[2] = { { "x", BORN_F32, { 1, { WIDE } } }, { "y", BORN_I64, { 0 } } };
    static born_train_callback callback;
    const born_dataset_desc own = { .get = give, .count = ITEMS, .fields = fields, .field_count = 2 };
    const born_loader_desc t = { .batch = BATCH, .shuffle = true, .seed = 5, .workers = workers }, v = { .batch = 8 };

    *s = (session){ .b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }))) };
    s->net = born_module_create_with(s->b, &(born_module_desc){ .seed = 7 });
    born_linear(s->net, NULL, WIDE, 8, NULL);
    born_batch_norm1d(s->net, NULL, 8, NULL);
    born_relu_layer(s->net, NULL);
    born_dropout_layer(s->net, NULL, 0.25, NULL);
    born_linear(s->net, NULL, 8, CLASSES, NULL);
    s->opt = born_adamw(s->net, 0.01, 0.01, &(born_optim_desc){ .clip_norm = 1 });
    s->ema = born_ema_create(s->net, 0.9);
    s->metric = born_metric_create(BORN_METRIC_ACCURACY, NULL);
    born_status st = born_dataset_create(&own, &s->set, err);
    if (!st) st = born_loader_open(s->set, &t, &s->train, err);
    if (!st) st = born_loader_open(s->set, &v, &s->valid, err);
    if (st) return st;
    callback = (born_train_callback){ listen, s };
    const born_trainer_desc d = {
        .net = s->net, .optim = s->opt, .ema = s->ema, .train = s->train, .valid = s->valid, .metric = s->metric,
        .epochs = EPOCHS, .eager = eager, .callbacks = &callback, .callback_count = 1,
        .folder = files ? folder : NULL, .resume = files,
    };
    return born_trainer_open(&d, &s->trainer, err);
}

static void close_session(session *s)
{
    born_trainer_close(&s->trainer);
    born_loader_close(&s->train), born_loader_close(&s->valid);
    born_dataset_close(&s->set);
    born_metric_close(&s->metric);
    born_ema_close(&s->ema);
    born_optim_close(&s->opt);
    born_module_close(&s->net);
    CHECK_MSG(!born_backend_error(s->b)->status, "%s", born_backend_error(s->b)->text);
    born_backend_close(&s->b);
}

static void one_line(born_status st, born_status want, const born_error *err, const char *part)
{
    CHECK_MSG(st == want && err->status == want && strstr(err->text, part) && !strchr(err->text, '\n'), "%s: \"%s\"",
              born_status_name(st), err->text);
}

static void untroubled(char *want)
{
    born_error err = { 0 };
    session s;

    now = NONE;
    REQUIRE_OK(open_session(&s, false, 0, false, &err), &err);
    CHECK_OK(born_trainer_run(s.trainer, NULL, &err), &err);
    CHECK_INT(s.steps_told, STEPS);
    weights(&s, want);
    close_session(&s);
}

static void in_trouble(trouble what, born_status want, const char *part)
{
    static char end[2048], got[2048];
    born_error err = { 0 };
    born_train_result r;
    session s;

    untroubled(end);
    for (int k = 0; k < 4; k++) {
        now = what;
        REQUIRE_OK(open_session(&s, k & 1, k & 2, false, &err), &err);
        for (int again = 0; again < 2; again++) {       /* and it stays bad */
            one_line(born_trainer_run(s.trainer, &r, &err), want, &err, part);
            CHECK_INT(r.why, BORN_TRAIN_FAILED);
            weights(&s, got);
            if (s.steps_told) CHECK_MSG(!memcmp(got, s.seen, sizeof got), "a failed step left something behind");
        }
        now = NONE;
        CHECK_OK(born_trainer_run(s.trainer, &r, &err), &err);
        CHECK_INT(r.step, STEPS);
        CHECK_INT(s.steps_told, STEPS);
        weights(&s, got);
        CHECK_MSG(!memcmp(got, end, sizeof got), "training goes on differently");
        close_session(&s);
    }
}

TEST(a_label_that_is_no_class) { in_trouble(LABEL, BORN_RANGE, "5"); }
TEST(a_number_that_is_none) { in_trouble(NUMBER, BORN_RANGE, "the loss is nan: field 0 of the batch"); }
TEST(an_item_that_cannot_be_read) { in_trouble(ITEM, BORN_IO, "the disk gave up"); }

/* ---- a full disk ------------------------------------------------------------------------------------------------- */

static int lines_of(const char *name, int *bad)
{
    char line[512];
    FILE *f = fopen(path_of(name), "r");
    int n = 0, commas;

    *bad = 0;
    while (f && fgets(line, sizeof line, f)) {
        commas = 0;
        for (const char *p = line; *p; p++) commas += *p == ',';
        *bad += commas != 8 && strstr(name, "csv");
        *bad += !strchr(line, '\n');
        n++;
    }
    if (f) fclose(f);
    return n;
}

static void whole_logs(void)
{
    int bad;
    CHECK_INT(lines_of("log.csv", &bad), 1 + STEPS + EPOCHS);
    CHECK_INT(bad, 0);
    CHECK_INT(lines_of("log.jsonl", &bad), STEPS + EPOCHS);
    CHECK_INT(bad, 0);
    CHECK(access(path_of("best.born"), F_OK) == 0 && access(path_of("step-00000033.born"), F_OK) == 0);
    CHECK(access(path_of("log.csv.part"), F_OK) != 0);
}

/* Room for the logs but no checkpoint; for neither. Then there is room again: for this trainer, or for another one. */
TEST(a_full_disk_in_the_middle)
{
    static const size_t rooms[] = { 3500, 700 };
    static char end[2048], got[2048];
    born_error err = { 0 };
    session s;

    untroubled(end);
    for (int k = 0; k < 4; k++) {
        clear_folder();
        REQUIRE_OK(open_session(&s, false, 0, true, &err), &err);
        s.room_at_step = rooms[k / 2];
        born_status st = born_trainer_run(s.trainer, NULL, &err);
        one_line(st, BORN_IO, &err, folder);
        room(0);
        s.room_at_step = 0;
        if (k & 1) {
            close_session(&s);
            REQUIRE_OK(open_session(&s, false, 0, true, &err), &err);
        }
        CHECK_OK(born_trainer_run(s.trainer, NULL, &err), &err);
        weights(&s, got);
        CHECK_MSG(!memcmp(got, end, sizeof got), "case %d: training goes on differently", k);
        whole_logs();
        close_session(&s);
    }
    clear_folder();
}

/* No room to write the logs anew: what they were stays. */
TEST(a_full_disk_at_the_start)
{
    static char end[2048], got[2048];
    born_error err = { 0 };
    session s;
    int bad;

    untroubled(end);
    clear_folder();
    REQUIRE_OK(open_session(&s, false, 0, true, &err), &err);
    CHECK_OK(born_trainer_run(s.trainer, NULL, &err), &err);
    close_session(&s);
    REQUIRE_OK(open_session(&s, false, 0, true, &err), &err);
    room(300);
    born_status st = born_trainer_run(s.trainer, NULL, &err);
    room(0);
    one_line(st, BORN_IO, &err, folder);
    close_session(&s);
    CHECK_INT(lines_of("log.csv", &bad), 1 + STEPS + EPOCHS);
    whole_logs();
    REQUIRE_OK(open_session(&s, false, 0, true, &err), &err);
    weights(&s, got);
    CHECK(!memcmp(got, end, sizeof got));
    close_session(&s);
    clear_folder();
}

/* ---- a checkpoint of another network ----------------------------------------------------------------------------- */

TEST(weights_of_another_network)
{
    static char before[2048], after[2048];
    born_error err = { 0 };
    session s;

    clear_folder();
    now = NONE;
    REQUIRE_OK(open_session(&s, false, 0, true, &err), &err);
    CHECK_OK(born_trainer_run(s.trainer, NULL, &err), &err);
    session other = { .b = s.b, .net = born_module_create_with(s.b, &(born_module_desc){ .seed = 8 }) };
    born_linear(other.net, NULL, WIDE, 8, NULL);
    born_linear(other.net, NULL, 8, CLASSES, NULL);
    weights(&other, before);
    one_line(born_trainer_load(path_of("best.born"), other.net, &err), BORN_MISMATCH, &err, "1.");
    weights(&other, after);
    CHECK(!memcmp(before, after, sizeof before));
    born_module_close(&other.net);
    close_session(&s);
    clear_folder();
}

TEST_MAIN

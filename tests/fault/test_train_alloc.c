/* The nth allocation fails while a step or a trainer is opened, planned and run, for every n until none is met: a
   status with one line, nothing leaks, nothing has changed, and going on gives the bits of a training that was never
   in trouble. Memory stays short in one sweep and fails once in the other. */
#define _DEFAULT_SOURCE
#include <born/born.h>
#include <dirent.h>
#include <unistd.h>

#include "harness.h"
#include "waist/chain.h"

static long long countdown = -1;    /* -1: never fail */
static bool once, failed;
static long long held;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) {
        failed = true;
        if (!once) return NULL;
        countdown = -1;
        return NULL;
    }
    if (countdown > 0) countdown--;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    if (p) held++;
    return p;
}
static void failing_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user, (void)bytes, (void)align;
    if (p) held--;
    free(p);
}

enum { ITEMS = 10, BATCH = 4, CLASSES = 3, WIDE = 12, STEPS = 3, EPOCHS = 2, MOST = 40000 };

static float pixels[ITEMS][WIDE];
static int64_t classes[ITEMS];

static void fill(void)
{
    uint32_t r = 1;
    for (int i = 0; i < ITEMS; i++) {
        classes[i] = i % CLASSES;
        for (int k = 0; k < WIDE; k++) {
            r = r * 1664525u + 1013904223u;
            pixels[i][k] = (float)(r >> 8) / (float)(1 << 23) - 1;
        }
    }
}

/* ---- what is trained --------------------------------------------------------------------------------------------- */

typedef struct variant {
    born_optim_kind kind;
    double clip_norm;
    bool ema, eager, folder;
    int accumulate;
} variant;

typedef struct life {
    const variant *v;
    born_backend *b;
    born_module *net;
    born_optim *opt;
    born_ema *ema;
    born_sched *sched;
    born_metric *metric;
    born_dataset *set;
    born_loader *train, *valid;
    born_step *step;
    born_trainer *trainer;
} life;

static void open_life(life *l, const variant *v)
{
    *l = (life){ .v = v, .b = born_autodiff(born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }))) };
    l->net = born_module_create_with(l->b, &(born_module_desc){ .seed = 3 });
    born_linear(l->net, NULL, WIDE, 6, NULL);
    born_batch_norm1d(l->net, NULL, 6, NULL);
    born_relu_layer(l->net, NULL);
    born_dropout_layer(l->net, NULL, 0.25, NULL);
    born_linear(l->net, NULL, 6, CLASSES, NULL);
    const born_optim_desc d = { .clip_norm = v->clip_norm, .accumulate = v->accumulate };
    l->opt = born_optim_create_sized(v->kind, l->net, 0.02, 0.01, &d, sizeof d);
    if (v->ema) l->ema = born_ema_create(l->net, 0.9);
}

static void close_life(life *l)
{
    born_step_close(&l->step);
    born_trainer_close(&l->trainer);
    born_loader_close(&l->train), born_loader_close(&l->valid);
    born_dataset_close(&l->set);
    born_metric_close(&l->metric);
    born_sched_close(&l->sched);
    born_ema_close(&l->ema);
    born_optim_close(&l->opt);
    born_module_close(&l->net);
    CHECK_MSG(!born_backend_error(l->b)->status, "%s", born_backend_error(l->b)->text);
    born_backend_close(&l->b);
    born__slabs_free();
}

/* Weights, buffers, averages and the optimiser's memory. */
typedef struct snapshot {
    char bytes[16384];
    size_t n;
    const born_ema *ema;
} snapshot;

static void add(snapshot *s, const void *p, size_t n)
{
    if (s->n + n <= sizeof s->bytes) memcpy(s->bytes + s->n, p, n);
    s->n += n;
}
static void add_tensor(snapshot *s, born_tensor x)
{
    char bytes[2048];
    born_shape shape = born_shape_of(x);
    int64_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= shape.dim[d];
    size_t n = (size_t)born_dtype_bytes(born_dtype_of(x), count);
    if (CHECK(n <= sizeof bytes && (born_read)(x, bytes, n) == BORN_OK)) add(s, bytes, n);
}
static bool add_item(void *user, const born_module_item *item)
{
    snapshot *s = user;
    add_tensor(s, item->value);
    if (s->ema && born_ema_find(s->ema, item->path).w) add_tensor(s, born_ema_find(s->ema, item->path));
    return true;
}
static bool add_state(void *user, const born_optim_item *item)
{
    if (item->value.w) return add_tensor(user, item->value), true;
    add(user, &item->number, sizeof item->number);
    return true;
}

/* memory: averages and the optimiser's memory too. A failed first step may leave that behind: it is of zeros. */
static void take(const life *l, bool memory, snapshot *s)
{
    long long was = countdown;
    countdown = -1;
    s->n = 0;
    s->ema = memory ? l->ema : NULL;
    CHECK_OK(born_module_each(l->net, add_item, s), NULL);
    if (memory) CHECK_OK(born_optim_each(l->opt, add_state, s), NULL);
    CHECK(s->n <= sizeof s->bytes);
    countdown = was;
}
static bool same(const snapshot *a, const snapshot *b)
{
    return a->n == b->n && !memcmp(a->bytes, b->bytes, a->n);
}

/* A failure must be NOMEM with a line, and leave no error behind. */
static void is_told(const life *l, born_status st, const born_error *err, const char *what, long long n)
{
    CHECK_MSG(st == BORN_NOMEM && err->status == st && err->text[0] && !strchr(err->text, '\n'),
              "%s, allocation %lld: %s (%s) \"%s\"", what, n, born_status_name(st), born_status_name(err->status),
              err->text);
    CHECK_MSG(!born_backend_error(l->b)->status, "%s, allocation %lld: the chain keeps \"%s\"", what, n,
              born_backend_error(l->b)->text);
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static void batch_of(int k, born_array *f)
{
    f[0] = BORN_ARRAY(pixels[k % 2 * BATCH], BATCH, WIDE);
    f[1] = BORN_ARRAY(&classes[k % 2 * BATCH], BATCH);
}

/* One call of the life of a step: 0 opens, 1 plans, 2.. run. */
static born_status call(life *l, int k, born_error *err)
{
    born_array f[2], scores;
    double loss;

    if (k == 0)
        return born_step_open(&(born_step_desc){ .net = l->net, .optim = l->opt, .ema = l->ema, .eager = l->v->eager },
                              &l->step, err);
    batch_of(k, f);
    return k == 1 ? born_step_plan(l->step, f, 2, err) : born_step_run(l->step, f, 2, &loss, &scores, err);
}

/* Gives whether an allocation failed. */
static bool step_life(const variant *v, long long n, snapshot *end)
{
    static snapshot before, after;
    life l;

    open_life(&l, v);
    failed = false;
    countdown = n;
    for (int k = 0; k < 2 + STEPS; k++) {
        born_error err = { 0 };
        take(&l, false, &before);
        born_status st = call(&l, k, &err);
        if (!st) continue;
        countdown = -1;
        is_told(&l, st, &err, "step", n);
        CHECK_MSG((k > 0) == (l.step != NULL), "call %d leaves %s step", k, l.step ? "a" : "no");
        if (k > 0) CHECK_OK(born_step_sync(l.step, &err), &err);
        take(&l, false, &after);
        CHECK_MSG(same(&before, &after), "allocation %lld failing in call %d changes something", n, k);
        CHECK_OK(call(&l, k, &err), &err);
    }
    countdown = -1;
    born_error err = { 0 };
    CHECK_OK(born_step_sync(l.step, &err), &err);
    take(&l, true, end);
    close_life(&l);
    return failed;
}

/* ---- a trainer --------------------------------------------------------------------------------------------------- */

static char folder[64];
static void clear_folder(void)
{
    char path[512];
    snprintf(folder, sizeof folder, "born_alloc_%ld", (long)getpid());
    DIR *d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(folder);
}

static void open_parts(life *l, born_error *err)
{
    static const char *const names[] = { "x", "y" };
    const born_array all[] = { BORN_ARRAY(*pixels, ITEMS, WIDE), BORN_ARRAY(classes, ITEMS) };

    l->sched = born_sched_create(l->opt, &(born_sched_desc){ .kind = BORN_SCHED_STEP, .step_size = 1 });
    l->metric = born_metric_create(BORN_METRIC_ACCURACY, NULL);
    CHECK_OK(born_dataset_from_arrays(all, names, 2, &l->set, err), err);
    const born_loader_desc t = { .batch = BATCH, .shuffle = true, .seed = 5 }, w = { .batch = BATCH };
    CHECK_OK(born_loader_open(l->set, &t, &l->train, err), err);
    CHECK_OK(born_loader_open(l->set, &w, &l->valid, err), err);
}

static born_status open_trainer(life *l, bool resume, int max_steps, born_error *err)
{
    const born_trainer_desc d = {
        .max_steps = max_steps, .net = l->net, .optim = l->opt, .sched = l->sched, .ema = l->ema, .train = l->train,
        .valid = l->valid, .metric = l->metric, .metric_name = "accuracy", .epochs = EPOCHS, .eager = l->v->eager,
        .validate_every = 2, .save_every = 2,
        .folder = l->v->folder ? folder : NULL, .resume = resume,
    };
    return born_trainer_open(&d, &l->trainer, err);
}

/* Fails, and goes on: with the same trainer, or (again) in a new life from the folder's checkpoint. */
static bool trainer_life(const variant *v, long long n, bool again, snapshot *end)
{
    born_error err = { 0 };
    life l;

    clear_folder();
    open_life(&l, v);
    open_parts(&l, &err);
    failed = false;
    countdown = n;
    born_status st = open_trainer(&l, false, 0, &err);
    bool opened = !st;
    if (!st) st = born_trainer_run(l.trainer, NULL, &err);
    countdown = -1;
    if (st) {
        is_told(&l, st, &err, opened ? "trainer" : "opening the trainer", n);
        err = (born_error){ 0 };
        if (again) {
            close_life(&l);
            open_life(&l, v);
            open_parts(&l, &err);
        }
        if (again || !opened) CHECK_OK(open_trainer(&l, again, 0, &err), &err);
        CHECK_OK(born_trainer_run(l.trainer, NULL, &err), &err);
    }
    take(&l, true, end);
    close_life(&l);
    return failed;
}

/* Two steps without trouble, then memory is short while the rest is opened. */
static bool resume_life(const variant *v, long long n, snapshot *end)
{
    static snapshot before, after;
    born_error err = { 0 };
    life l;

    clear_folder();
    open_life(&l, v);
    open_parts(&l, &err);
    CHECK_OK(open_trainer(&l, false, 2, &err), &err);
    CHECK_OK(born_trainer_run(l.trainer, NULL, &err), &err);
    close_life(&l);
    open_life(&l, v);
    open_parts(&l, &err);
    CHECK_OK(born_init_normal(l.net, "0.weight", 0, 1, &err), &err);
    take(&l, false, &before);
    failed = false;
    countdown = n;
    born_status st = open_trainer(&l, true, 0, &err);
    countdown = -1;
    if (st) {
        is_told(&l, st, &err, "resuming", n);
        take(&l, false, &after);
        CHECK_MSG(same(&before, &after), "allocation %lld failing in resuming changes something", n);
        CHECK_OK(open_trainer(&l, true, 0, &err), &err);
    }
    CHECK_OK(born_trainer_run(l.trainer, NULL, &err), &err);
    take(&l, true, end);
    close_life(&l);
    return failed;
}

/* ---- sweeps ------------------------------------------------------------------------------------------------------ */

typedef enum what { STEP, GO_ON, START_AGAIN, RESUME } what;

static bool one_life(what w, const variant *v, long long n, snapshot *end)
{
    if (w == STEP) return step_life(v, n, end);
    return w == RESUME ? resume_life(v, n, end) : trainer_life(v, n, w == START_AGAIN, end);
}

static void sweep(what w, const variant *v, long long stride)
{
    static snapshot want, got;
    const born_allocator a = { failing_alloc, failing_release, NULL };
    long long n = 0;
    bool met = true;

    fill();
    born__slabs_free();
    born_allocator_set(&a);
    (void)one_life(w, v, -1, &want);
    CHECK_INT(held, 0);
    for (; met && n < MOST && !harness_failures; n += stride) {
        met = one_life(w, v, n, &got);
        CHECK_MSG(held == 0, "allocation %lld failing leaves %lld blocks", n, held);
        CHECK_MSG(same(&want, &got), "after allocation %lld failed, training goes on differently", n);
    }
    CHECK_MSG(n > 10 * stride && !met, "%lld allocations", n);
    clear_folder();
    born_allocator_set(NULL);
}

static void both(what w, const variant *v, long long stride)
{
    for (int k = 0; k < 2; k++) {
        once = k;
        sweep(w, v, stride);
    }
}

TEST(planned_step) { both(STEP, &(variant){ .kind = BORN_ADAMW, .clip_norm = 1 }, 1); }
TEST(planned_step_with_average) { both(STEP, &(variant){ .kind = BORN_SGD, .ema = true }, 1); }
TEST(eager_step) { both(STEP, &(variant){ .kind = BORN_ADAM, .ema = true, .eager = true }, 1); }
TEST(gathering_step) { both(STEP, &(variant){ .kind = BORN_ADAM, .accumulate = 2 }, 1); }
TEST(trainer_goes_on) { both(GO_ON, &(variant){ .kind = BORN_ADAMW, .ema = true }, 1); }
TEST(trainer_goes_on_eagerly) { both(GO_ON, &(variant){ .kind = BORN_SGD, .eager = true }, 1); }
/* Checkpoints are synced to the disk, which takes its time: not every n. */
TEST(trainer_with_folder_goes_on) { both(GO_ON, &(variant){ .kind = BORN_ADAMW, .folder = true }, 61); }
TEST(trainer_starts_again) { both(START_AGAIN, &(variant){ .kind = BORN_ADAMW, .folder = true, .ema = true }, 127); }
TEST(resuming) { both(RESUME, &(variant){ .kind = BORN_ADAMW, .folder = true, .ema = true }, 7); }

TEST_MAIN

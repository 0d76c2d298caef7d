/* The nth allocation of an optimiser's life fails, for every n: nothing leaks, and a step that failed has changed
   neither the parameters nor what is remembered of them. */
#include <born/born.h>
#include <stdlib.h>

#include "harness.h"
#include "waist/chain.h"

static long long countdown = -1;    /* -1: never fail */
static long long held;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) return NULL;
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

enum { N = 64, PARAMS = 3 };
static float start[N];

/* All of an optimiser's tensors and counts, as one row of numbers. */
typedef struct snapshot {
    double v[2048];
    int n;
} snapshot;

static bool add_item(void *user, const born_optim_item *item)
{
    snapshot *s = user;
    float x[N];
    if (!item->value.w) {
        if (s->n < 2048) s->v[s->n++] = item->number;
    } else if ((born_read)(item->value, x, sizeof x) == BORN_OK) {
        for (int i = 0; i < N && s->n < 2048; i++) s->v[s->n++] = (double)x[i];
    }
    return true;
}

static void take(const born_optim *o, const born_tensor *p, snapshot *s)
{
    float x[N];
    s->n = 0;
    for (int k = 0; k < PARAMS; k++) {
        if ((born_read)(p[k], x, sizeof x) != BORN_OK) continue;
        for (int i = 0; i < N; i++) s->v[s->n++] = (double)x[i];
    }
    (void)born_optim_each(o, add_item, s);
}

static born_status give(born_backend *b, const born_tensor *p)
{
    born_scope s = born_scope_begin(b);
    born_tensor sum = (born_add)((born_add)((born_square)(p[0], NULL), (born_square)(p[1], NULL), NULL),
                                 (born_square)(p[2], NULL), NULL);
    born_status st = (born_backward)((born_reduce_sum)(sum, (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true },
                                                       NULL));
    born_scope_end(s);
    return st;
}

static bool fuses;      /* updates wait in born_fuse, and must not find out in the middle that there is no memory */

static born_backend *leaf(void)
{
    born_backend *b = born_cpu(&(born_cpu_desc){ .threads = 1 });
    return fuses ? born_fuse(b) : b;
}

/* Two steps; the nth allocation of the second fails (or of everything, with whole). Says whether one failed. */
static bool life(born_optim_kind kind, long long n, bool whole)
{
    static snapshot before, after;
    born_error err;
    born_tensor p[PARAMS];

    countdown = whole ? n : -1;
    born_backend *b = born_autodiff(leaf());
    born_module *net = born_module_create(b);
    for (int k = 0; k < PARAMS; k++)
        p[k] = born_module_add(net, (const char *[]){ "a", "b", "c" }[k], BORN_PARAM, BORN_ARRAY(start, 8, 8));
    born_optim *o = born_optim_create_sized(kind, net, 0.1, 0, &(born_optim_desc){ .clip_norm = 1, .keep_grads = true },
                                            sizeof(born_optim_desc));
    born_ema *e = born_ema_create(net, 0.9);
    born_status s = give(b, p);
    if (!s) s = born_optim_step(o);
    if (!s) s = born_ema_update(e);
    if (!whole) take(o, p, &before), countdown = n;
    if (!s || whole) s = born_optim_step(o);
    bool failed = countdown == 0;
    countdown = -1;
    if (!whole) take(o, p, &after);
    bool same = before.n == after.n && !memcmp(before.v, after.v, (size_t)before.n * sizeof *before.v);
    if (!whole && s) CHECK_MSG(same, "kind %d: allocation %lld failing changes something", (int)kind, n);
    if (!whole && !s) CHECK(!same);
    if (!whole && s) CHECK_MSG(s == BORN_NOMEM, "%s", born_status_name(s));
    born_backend_take_error(b, &err);
    born_ema_close(&e), born_optim_close(&o), born_module_close(&net), born_backend_close(&b);
    return failed;
}

static void every_allocation(bool whole)
{
    static const born_optim_kind kinds[] = { BORN_SGD, BORN_ADAM, BORN_LAMB, BORN_MUON };
    born_allocator a = { failing_alloc, failing_release, NULL };

    for (int i = 0; i < N; i++) start[i] = (float)(i % 7) - 2.5f;
    born__slabs_free();
    born_allocator_set(&a);
    for (size_t k = 0; k < 2 * sizeof kinds / sizeof *kinds; k++) {
        long long n = 0;
        fuses = k % 2;
        bool failed = true;
        for (; failed && n < 5000; n++) {
            failed = life(kinds[k / 2], n, whole);
            born__slabs_free();
            CHECK_MSG(held == 0, "allocation %lld failing leaves %lld blocks", n, held);
        }
        CHECK_MSG(n > 3 && n < 5000, "%lld allocations", n);
    }
    born_allocator_set(NULL);
}

TEST(a_step_short_of_memory_changes_nothing) { every_allocation(false); }
TEST(a_life_short_of_memory_leaks_nothing) { every_allocation(true); }

TEST_MAIN

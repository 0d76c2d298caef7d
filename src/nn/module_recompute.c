/* A module run as a block that backward computes again. The second run must be the first one: the counts from which
   random keys are made are put back for it, and buffers are not updated. */
#include <born/born.h>

#include "base/alloc.h"
#include "nn/module.h"
#include "waist/chain.h"

typedef struct key_count { uint64_t step; uint32_t calls; } key_count;
typedef struct block {
    born_module *m;
    bool ran;
    size_t modules;
    key_count before[];         /* of each module below m, before the first run */
} block;

static size_t count_below(const born_module *m)
{
    size_t n = 0;
    for (const born_module *x = m; x; x = born__module_next(m, x)) n++;
    return n;
}

static void read_counts(const born_module *m, key_count *to, size_t n)
{
    size_t i = 0;
    for (const born_module *x = m; x && i < n; x = born__module_next(m, x))
        to[i++] = (key_count){ x->key_step, x->key_calls };
}
static void write_counts(const born_module *m, const key_count *from, size_t n)
{
    size_t i = 0;
    for (const born_module *x = m; x && i < n; x = born__module_next(m, x)) {
        born_module *own = (born_module *)(uintptr_t)x;
        own->key_step = from[i].step;
        own->key_calls = from[i++].calls;
    }
}

static born_status run_block(void *user, const born_tensor *in, int n_in, born_tensor *out, int n_out)
{
    block *k = user;
    born_module_root *root = k->m->root;

    if (!k->ran) {
        k->ran = true;
        read_counts(k->m, k->before, k->modules);
        (born_forward_n)(k->m, in, n_in, out, n_out, NULL);
        return BORN_OK;
    }
    key_count *now = born__calloc(k->modules, sizeof *now);
    if (!now) return BORN_NOMEM;
    read_counts(k->m, now, k->modules);
    write_counts(k->m, k->before, k->modules);
    root->again = true;
    (born_forward_n)(k->m, in, n_in, out, n_out, NULL);
    root->again = false;
    write_counts(k->m, now, k->modules);
    born__free(now);
    return BORN_OK;
}

static void release_block(void *user) { born__free(user); }

born_status born_module_recompute(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out)
{
    for (int i = 0; i < n_out; i++) out[i] = born__poison(BORN_STATE);
    if (!m || !m->ops) return BORN_STATE;
    size_t n = count_below(m);
    block *k = born__calloc(1, sizeof *k + n * sizeof k->before[0]);
    if (!k) {
        born__module_fail(m, BORN_NOMEM, "no memory for a checkpoint");
        return BORN_NOMEM;
    }
    k->m = m;
    k->modules = n;
    return born_recompute(run_block, k, release_block, in, n_in, out, n_out);
}

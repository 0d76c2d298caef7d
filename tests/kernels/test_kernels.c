/* ctest-labels: threads
   Every row of kernels.def against the reference of its op, bit for bit (NaN = NaN), under each mask this machine has:
   random sizes, tails, strides, layouts, packed and not, on one to three threads; nothing written beyond the result.
   A row whose op has no generator fails. BORN_KERNEL_CASES sets the number of cases per row. */
#include "harness.h"

#include "base/alloc.h"
#include "ops/copy_view.h"
#include "support_cases.h"
#include "tensor/view.h"

static const char *const masks[] = { "scalar", "avx2", "avx512f", "avx512", "neon" };
static const born_level levels[] = { BORN_LEVEL_SCALAR, BORN_LEVEL_AVX2, BORN_LEVEL_AVX512, BORN_LEVEL_AVX512VNNI,
                                     BORN_LEVEL_NEON };
static born_pool *pools[4];

static bool has_level(size_t mask)
{
    return (born__cpu_levels() >> levels[mask] & 1u) != 0;
}

static bool same_bytes(const kcase *k, int i, const char *want, const char *got, size_t *at)
{
    size_t n = k->out_bytes[i];

    born_dtype t = k->out[i].dtype;
    size_t size = (size_t)born__dtype_info(t)->size;
    bool real = t == BORN_F32 || t == BORN_F64 || t == BORN_F16 || t == BORN_BF16;

    for (*at = 0; *at + size <= n; *at += size) {
        if (!memcmp(want + *at, got + *at, size)) continue;
        double a = real ? born__load_f64(t, want + *at) : 0, b = real ? born__load_f64(t, got + *at) : 0;
        if (!(a != a && b != b)) return false;
    }
    return true;
}

/* Takes the results away and wipes the memory. */
static void keep(const kcase *k, char **to)
{
    for (int i = 0; i < k->call.out_count; i++) {
        to[i] = malloc(k->out_bytes[i] + 1);
        memcpy(to[i], k->out_block[i], k->out_bytes[i]);
        memset(k->out_block[i], 0x5a, k->out_bytes[i]);
    }
}

static void describe(const kcase *k, char *text, size_t n)
{
    size_t used = 0;

    for (int i = 0; i < k->call.in_count + 1; i++) {
        const born_view *v = i < k->call.in_count ? &k->in[i] : &k->out[0];
        used += (size_t)snprintf(text + used, n - used, "%s", i == k->call.in_count ? " ->" : " ");
        for (int d = 0; d < v->rank && used + 60 < n; d++)
            used += (size_t)snprintf(text + used, n - used, "%c%lld:%lld", d ? 'x' : '[', (long long)v->dim[d],
                                     (long long)v->stride[d]);
    }
}

static double value_at(const kcase *k, int i, const char *p)
{
    return born__load_f64(k->out[i].dtype, p);
}

static void run_reference(kcase *k)
{
    born_error err = { 0 };
    size_t bytes = k->call.op->scratch ? k->call.op->scratch(&k->call) : 0;
    born_exec x = { .scratch = born__alloc(bytes + 64), .scratch_bytes = bytes, .err = &err };

    CHECK_OK(k->call.op->ref(&k->call, &x), &err);
    born__free(x.scratch);
}

/* Runs the best kernel under the mask; false: it refused the call. */
static bool run_fast(kcase *k, int threads, bool packed)
{
    born_error err = { 0 };
    born_query q;
    const born_kernel *f = born__kernel_pick(&k->call, &q);
    void *pack = NULL;

    if (!f) return false;
    if (packed && q.pack_operand >= 0) {
        pack = born__alloc(q.pack_bytes);
        f->pack(&k->call, pack);
        k->call.packed = pack;
        f = born__kernel_pick(&k->call, &q);
        if (!CHECK_MSG(f != NULL, "%s refuses its own packed operand", k->call.op->name)) return false;
    }
    born_exec x = { .pool = pools[threads],
                    .scratch = born__alloc(q.scratch_bytes + 64),
                    .scratch_bytes = q.scratch_bytes,
                    .err = &err };
    memset((char *)x.scratch + q.scratch_bytes, 0x77, 64);
    CHECK_OK(f->run(&k->call, &x), &err);
    for (int i = 0; i < 64; i++) CHECK_MSG(((char *)x.scratch)[q.scratch_bytes + (size_t)i] == 0x77, "scratch overrun");
    born__free(x.scratch);
    born__free(pack);
    k->call.packed = NULL;
    return true;
}

/* Puts input 0 where result 0 will be, as a plan does where the row allows it; false: they do not fit. */
static bool share_places(kcase *k)
{
    const born_view *o = &k->out[0];
    born_view *v = &k->in[0];
    bool same = (k->call.op->props & BORN_P_INPLACE) && v->dtype == o->dtype && v->rank == o->rank;

    for (int d = 0; same && d < v->rank; d++) same = v->dim[d] == o->dim[d] && v->stride[d] == o->stride[d];
    if (!same) return false;
    born__copy_view(o, v, NULL);
    v->data = o->data;
    return true;
}

static void compare(const born_kernel *row, const kcase *k, const char *mask, const char *how, int n, char **want)
{
    char *got[4] = { 0 }, text[512];

    keep(k, got);
    for (int i = 0; i < k->call.out_count; i++) {
        size_t at;
        if (same_bytes(k, i, want[i], got[i], &at)) continue;
        describe(k, text, sizeof text);
        harness_fail(__FILE__, __LINE__, "%s %s%s case %d result %d byte %zu of %zu: %g is %g:%s", row->name, mask, how,
                     n, i, at, k->out_bytes[i], value_at(k, i, want[i] + at), value_at(k, i, got[i] + at), text);
    }
    for (int i = 0; i < 4; i++) free(got[i]);
}

static void test_row(const born_kernel *row, int cases)
{
    int ran = 0;

    /* few cases may be none that the kernel accepts: then on until one is */
    for (int n = 0; n < (ran || cases > 60 ? cases : 60) && harness_failures < HARNESS_MOST_PRINTED; n++) {
        kcase k;
        char *want[4] = { 0 };
        if (!CHECK_MSG(case_make(&k, &born__ops[row->op], row->dtype, (uint64_t)n), "%s: no generator", row->name))
            return;
        run_reference(&k);
        keep(&k, want);
        for (size_t m = 0; m < sizeof masks / sizeof masks[0]; m++) {
            if (born__cpu_mask(masks[m], NULL) != BORN_OK || !has_level(m)) continue;
            if (!run_fast(&k, 1 + n % 3, n % 2)) continue;
            ran++;
            compare(row, &k, masks[m], "", n, want);
            char *own = k.in[0].data;
            if (share_places(&k) && run_fast(&k, 1 + n % 3, n % 2)) compare(row, &k, masks[m], " in place", n, want);
            k.in[0].data = own;
        }
        for (int i = 0; i < 4; i++) free(want[i]);
        case_free(&k);
    }
    born__cpu_mask(NULL, NULL);
    CHECK_MSG(ran > 0, "%s: no call was accepted", row->name);
}

TEST(kernel_rows_equal_their_references)
{
    const char *wish = getenv("BORN_KERNEL_CASES"), *only = getenv("BORN_KERNEL_ROW");
    size_t count;
    const born_kernel *rows = born__kernel_rows(&count);

    for (int i = 1; i < 4; i++) REQUIRE_OK(born__pool_open(i, &pools[i], NULL), NULL);
    for (size_t i = 0; i < count; i++) { /* one of the levels stands for all: the masks choose */
        bool seen = false;
        for (size_t j = 0; j < i; j++) seen = seen || (rows[j].op == rows[i].op && rows[j].dtype == rows[i].dtype);
        bool formula = (born__ops[rows[i].op].props & BORN_P_ELEMENTWISE) != 0; /* many rows share its loops */
        if (!seen && (!only || strstr(rows[i].name, only))) test_row(&rows[i], wish ? atoi(wish) : formula ? 20 : 60);
    }
    for (int i = 1; i < 4; i++) born__pool_close(&pools[i]);
}

TEST_MAIN

/* born_fuse: the same bits as without it for random programs of elementwise calls, views, updates in place and reads;
   what nobody holds is never stored; memory held by waiting calls is bounded; running out of it loses no value.
   ctest-labels: cross */
#include <born/born.h>
#include <math.h>
#include <stdlib.h>

#include "decor/fuse_queue.h"
#include "harness.h"

/* ---- counting allocations -------------------------------------------------------------------------------------- */

static long long countdown = -1;        /* allocations until they fail; -1: never */
static long long held, large, large_now, large_most;
static const size_t large_bytes = 1 << 20;

static void *counting_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) return NULL;
    if (countdown > 0) countdown--;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    if (!p) return NULL;
    held++;
    if (bytes < large_bytes) return p;
    large++;
    if (++large_now > large_most) large_most = large_now;
    return p;
}

static void counting_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user, (void)align;
    if (p) held--;
    if (p && bytes >= large_bytes) large_now--;
    free(p);
}

static void count_from_now(void)
{
    born_allocator a = { counting_alloc, counting_release, NULL };
    born__slabs_free();
    born_allocator_set(&a);
    held = large = large_now = large_most = 0;
}

static void stop_counting(void)
{
    born__slabs_free();
    CHECK_INT(held, 0);
    born_allocator_set(NULL);
}

static born_backend *one_thread(void) { return born_cpu(&(born_cpu_desc){ .threads = 1 }); }

/* ---- random programs ------------------------------------------------------------------------------------------- */

enum { SLOTS = 12, ROWS = 6, COLS = 70, ELEMENTS = ROWS * COLS };

/* Shapes that broadcast to [ROWS, COLS]; and its transpose, which is only read through views. */
static const born_shape shapes[] = { { 2, { ROWS, COLS } }, { 2, { ROWS, COLS } }, { 2, { ROWS, 1 } },
                                     { 1, { COLS } },       { 0, { 0 } } };
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static uint64_t state;
static unsigned below(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

static void random_data(float *p, int n)
{
    static const float odd[] = { 0, -0.0f, INFINITY, -INFINITY, NAN, 1e-41f };
    for (int i = 0; i < n; i++) p[i] = below(40) ? (float)((int)below(4001) - 2000) * 1e-3f : odd[below(6)];
}

static born_f32 unary(unsigned which, born_f32 x)
{
    switch (which % 8) {
    case 0: return born_relu(x);
    case 1: return born_tanh(x);
    case 2: return born_mul(x, 1.5);
    case 3: return born_leaky_relu(x, &(born_leaky_relu_attrs){ .alpha = 0.125 });
    case 4: return born_clamp(x, -0.75, 0.5);
    case 5: return born_exp(born_neg(born_square(x)));
    case 6: return born_sub(born_neg(x), -0.25);
    default: return born_abs(x);
    }
}

static born_f32 binary(unsigned which, born_f32 x, born_f32 y)
{
    switch (which % 6) {
    case 0: return born_add(x, y);
    case 1: return born_sub(x, y);
    case 2: return born_mul(x, y);
    case 3: return born_max(x, y);
    case 4: return born_where(born_gt(x, y), x, born_mul(y, 0.5));
    default: return born_div(x, y);
    }
}

/* A view, or a view of a view, with the same dims. */
static born_f32 viewed(unsigned which, born_f32 x)
{
    if (born_shape_of(x).rank != 2) return born_identity(x);
    born_f32 t = born_transpose(x, (born_ints){ 0 });
    if (which % 3 == 0) t = born_tanh(t);
    if (which % 3 == 1) return born_reshape(born_copy(x), born_shape_of(x));
    return born_transpose(t, (born_ints){ 0 });
}

static born_f32 summed(born_f32 x)
{
    if (born_shape_of(x).rank == 0) return born_identity(x);
    return born_reduce_sum(x, BORN_INTS(0), &(born_reduce_attrs){ .drop_dims = true });
}

static size_t count_of(born_f32 x)
{
    born_shape shape = born_shape_of(x);
    size_t count = 1;
    for (int d = 0; d < shape.rank; d++) count *= (size_t)shape.dim[d];
    return count;
}

/* One random step; what it makes takes a slot. */
static void step(born_backend *b, born_f32 slot[SLOTS])
{
    float data[ELEMENTS];
    unsigned what = below(100), which = below(64), i = below(SLOTS), j = below(SLOTS), to = below(SLOTS);
    born_scope s = born_scope_begin(b);
    born_f32 r = { { 0 } };
    if (what < 35) r = unary(which, slot[i]);
    else if (what < 75) r = binary(which, slot[i], slot[j]);
    else if (what < 82) r = viewed(which, slot[i]);
    else if (what < 86) r = summed(slot[i]);
    else if (what < 90) {
        random_data(data, ELEMENTS);
        CHECK_STATUS(born_write(slot[i], data, count_of(slot[i]) * sizeof *data), BORN_OK);
    } else if (what < 93) (void)born_assign(slot[i], born_mul(slot[i], 0.5));
    else r = born_fma(slot[i], slot[j], slot[to]);
    if (born_is_alive(r)) {
        r = born_keep(r);
        born_drop(&slot[to]);
        slot[to] = r;
    }
    born_scope_end(s);
}

/* Runs the program of this seed and writes down what it sees; the values seen. */
static int run_program(born_backend *b, uint64_t seed, int steps, float *seen)
{
    static float data[ELEMENTS];
    born_f32 slot[SLOTS];
    int n = 0;
    state = seed;
    for (int i = 0; i < SLOTS; i++) {
        random_data(data, ELEMENTS);
        born_array a = { BORN_F32, shapes[i % SHAPES], data, 0 };
        born_scope s = born_scope_begin(b);
        slot[i] = born_keep(born_from_f32(b, a));
        born_scope_end(s);
    }
    for (int k = 0; k <= steps; k++) {
        if (k < steps) step(b, slot);
        for (int i = 0; i < SLOTS && (k == steps || below(50) == 0); i++) {
            size_t count = count_of(slot[i]);
            if (!CHECK(count <= ELEMENTS)) continue;
            CHECK_STATUS(born_read(slot[i], seen + n, count * sizeof *seen), BORN_OK);
            n += (int)count;
        }
    }
    for (int i = 0; i < SLOTS; i++) born_drop(&slot[i]);
    CHECK_MSG(!born_backend_error(b)->status, "%s", born_backend_error(b)->text);
    return n;
}

static bool same_numbers(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) && !(isnan(a[i]) && isnan(b[i]))) return false;
    return true;
}

enum { PROGRAMS = 60, STEPS = 160, SEEN = SLOTS * ELEMENTS * 40 };
static float want[SEEN], got[SEEN];

TEST(random_programs_give_the_same_bits)
{
    born_backend *plain = one_thread();
    for (uint64_t seed = 1; seed <= PROGRAMS; seed++) {
        born_backend *b = seed % 3 ? born_fuse(one_thread()) : born_autodiff(born_trace(born_fuse(one_thread())));
        int n = run_program(plain, seed, STEPS, want);
        REQUIRE(n > 0 && n <= SEEN);
        CHECK_INT(run_program(b, seed, STEPS, got), n);
        CHECK_MSG(same_numbers(want, got, n), "program %llu gives other bits", (unsigned long long)seed);
        born_backend_close(&b);
    }
    born_backend_close(&plain);
}

/* ---- what is stored -------------------------------------------------------------------------------------------- */

enum { MANY = 1 << 19 };
static float big[MANY];

static born_f32 ten_calls(born_f32 x)
{
    for (int i = 0; i < 5; i++) x = born_add(born_mul(x, 0.5), 0.25);
    return x;
}

TEST(what_nobody_holds_is_never_stored)
{
    for (int i = 0; i < MANY; i++) big[i] = (float)i;
    count_from_now();
    born_backend *b = born_fuse(one_thread());
    float first[4];
    born_scope s = born_scope_begin(b);
    born_f32 x = born_from_f32(b, BORN_ARRAY(big, MANY));
    CHECK_INT(large, 1);
    born_scope inner = born_scope_begin(b);
    born_f32 unread = ten_calls(x);
    born_scope_end(inner);
    CHECK(!born_is_alive(unread));
    inner = born_scope_begin(b);
    born_f32 y = born_scope_return(inner, ten_calls(x));
    CHECK_INT(large, 1);
    CHECK_STATUS(born_read(born_slice(y, BORN_INTS(3), BORN_INTS(7), (born_ints){ 0 }, (born_ints){ 0 }), first,
                           sizeof first), BORN_OK);
    CHECK_INT(large, 2);                /* x and the last of twenty results */
    CHECK(first[0] == 3 / 32.0f + 0.25f * (1 + 0.5f + 0.25f + 0.125f + 0.0625f));
    born_scope_end(s);
    born_backend_close(&b);
    stop_counting();
}

TEST(calls_nobody_wants_leave_the_queue)
{
    born_backend *b = born_fuse(one_thread());
    const fuse_queue *q = b->state;
    born_f32 x = born_from_f32(b, BORN_ARRAY(big, 64)), y = born_add(x, 1);
    for (int i = 0; i < 1000; i++) {
        born_scope s = born_scope_begin(b);
        born_f32 z = born_mul(born_add(y, 1), x);
        CHECK(born_is_alive(z));
        CHECK_INT(q->calls, 3);
        born_scope_end(s);
        CHECK_INT(q->calls, 1);
    }
    for (int i = 0; i < 3 * BORN_FUSE_CALLS; i++) y = born_add(y, x);
    CHECK(q->calls > 0 && q->calls <= BORN_FUSE_CALLS);
    CHECK_STATUS(born_sync(b), BORN_OK);
    CHECK_INT(q->calls, 0);
    CHECK_INT(q->values, 0);
    born_backend_close(&b);
}

TEST(waiting_calls_hold_little_memory)
{
    enum { TERMS = 100 };               /* of 2 MiB each */
    count_from_now();
    born_backend *b = born_fuse(born_cpu(&(born_cpu_desc){ .threads = 1, .cache_bytes = 1 }));
    born_scope s = born_scope_begin(b);
    born_f32 sum = born_keep(born_from_f32(b, BORN_ARRAY(big, MANY)));
    float last;
    for (int i = 0; i < TERMS; i++) {
        born_scope inner = born_scope_begin(b);
        born_f32 next = born_keep(born_add(sum, born_from_f32(b, BORN_ARRAY(big, MANY))));
        born_drop(&sum);
        sum = next;
        born_scope_end(inner);
    }
    CHECK_STATUS(born_item_f32(born_slice(sum, BORN_INTS(2), BORN_INTS(3), (born_ints){ 0 }, (born_ints){ 0 }), &last),
                 BORN_OK);
    CHECK(last == 2 * (TERMS + 1));
    CHECK_MSG(large_most <= 40, "%lld blocks of 2 MiB at once", large_most);
    born_drop(&sum);
    born_scope_end(s);
    born_backend_close(&b);
    stop_counting();
}

/* ---- order ----------------------------------------------------------------------------------------------------- */

TEST(updates_in_place_wait_for_their_readers)
{
    born_backend *b = born_fuse(one_thread());
    const float one[4] = { 1, 2, 3, 4 }, two[4] = { 5, 6, 7, 8 };
    float y[4], z[4], v[4];
    born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4)), w = born_from_f32(b, BORN_ARRAY(two, 4));
    born_f32 before = born_add(x, 10), view = born_reshape(x, BORN_SHAPE(2, 2)), through = born_neg(view);
    CHECK(born_is_alive(born_assign(x, w)));
    born_f32 after = born_add(x, 10);
    CHECK_STATUS(born_write(w, one, sizeof one), BORN_OK);
    CHECK_STATUS(born_read(before, y, sizeof y), BORN_OK);
    CHECK_STATUS(born_read(through, v, sizeof v), BORN_OK);
    CHECK_STATUS(born_read(after, z, sizeof z), BORN_OK);
    for (int i = 0; i < 4; i++) {
        CHECK(y[i] == one[i] + 10);
        CHECK(v[i] == -one[i]);
        CHECK(z[i] == two[i] + 10);
    }
    /* a result that waits is itself updated: readers before see the old value, views the new one */
    born_f32 r = born_mul(x, 2), old = born_add(r, 1), part = born_reshape(r, BORN_SHAPE(2, 2));
    CHECK(born_is_alive(born_assign(r, w)));
    CHECK_STATUS(born_read(old, y, sizeof y), BORN_OK);
    CHECK_STATUS(born_read(part, z, sizeof z), BORN_OK);
    for (int i = 0; i < 4; i++) {
        CHECK(y[i] == 2 * two[i] + 1);
        CHECK(z[i] == one[i]);
    }
    born_backend_close(&b);
}

TEST(backward_sees_updates_of_what_waited)
{
    born_backend *b = born_autodiff(born_fuse(one_thread()));
    const float data[3] = { 1, 2, 3 };
    born_error err;
    born_f32 x = born_requires_grad(born_from_f32(b, BORN_ARRAY(data, 3)));
    born_f32 y = born_mul(x, 2), z = born_square(y);
    CHECK_STATUS(born_write(y, data, sizeof data), BORN_OK);
    CHECK_STATUS(born_backward(born_reduce_sum(z, (born_ints){ 0 }, NULL)), BORN_STATE);
    born_backend_take_error(b, &err);
    CHECK_MSG(strstr(err.text, "was overwritten by write after its use"), "%s", err.text);
    born_backend_close(&b);
}

TEST(constants_are_read_before_they_change)
{
    born_backend *b = born_autodiff(born_fuse(one_thread()));
    const float data[1] = { 3 }, other[1] = { 5 };
    float v = 0;
    born_f32 x = born_requires_grad(born_from_f32(b, BORN_ARRAY_OF(BORN_F32, data, 1)));
    CHECK_STATUS(born_backward(x), BORN_OK);
    born_f32 g = born_grad_of(x), y = born_add(g, x);       /* g is known to no decorator */
    CHECK_STATUS(born_write(g, other, sizeof other), BORN_OK);
    CHECK_STATUS(born_item_f32(y, &v), BORN_OK);
    CHECK(v == 4);
    y = born_add(g, 1);
    CHECK(born_is_alive(born_assign(g, x)));
    CHECK_STATUS(born_item_f32(y, &v), BORN_OK);
    CHECK(v == 6);
    born_backend_close(&b);
}

TEST(handles_outlive_scopes_and_chains)
{
    born_backend *b = born_fuse(one_thread());
    const float data[3] = { 1, 2, 3 };
    float y[3] = { 0 };
    born_scope s = born_scope_begin(b);
    born_f32 kept = born_keep(born_add(born_mul(born_from_f32(b, BORN_ARRAY(data, 3)), 2), 1));
    born_scope_end(s);
    born_backend_close(&b);
    CHECK_STATUS(born_read(kept, y, sizeof y), BORN_OK);
    CHECK(y[0] == 3 && y[1] == 5 && y[2] == 7);
    born_drop(&kept);
}

TEST(chains_of_one_device_do_not_mix)
{
    born_device *d = born_device_cpu(&(born_cpu_desc){ .threads = 1 });
    born_backend *a = born_fuse(born_cpu_on(d)), *b = born_autodiff(born_fuse(born_cpu_on(d)));
    born_device_close(&d);
    const float one[2] = { 1, 2 }, two[2] = { 3, 4 };
    float x[2], y[2];
    born_f32 p = born_from_f32(a, BORN_ARRAY(one, 2)), q = born_from_f32(b, BORN_ARRAY(two, 2));
    for (int i = 0; i < 100; i++) {
        p = born_add(p, 1);
        q = born_add(q, 2);
    }
    CHECK_STATUS(born_read(p, x, sizeof x), BORN_OK);
    born_backend_close(&a);
    CHECK_STATUS(born_read(q, y, sizeof y), BORN_OK);
    CHECK(x[0] == 101 && x[1] == 102 && y[0] == 203 && y[1] == 204);
    born_backend_close(&b);
}

/* ---- derivatives ----------------------------------------------------------------------------------------------- */

static void second_derivative(born_backend *leaf, float *out)
{
    born_backend *inner = born_autodiff(leaf), *b = born_autodiff(inner);
    float data[ELEMENTS];
    state = 7;
    for (int i = 0; i < ELEMENTS; i++) data[i] = (float)((int)below(2001) - 1000) * 1e-3f;
    born_f32 x = born_requires_grad(born_from_f32(b, BORN_ARRAY(data, ROWS, COLS)));
    born_f32 y = born_mul(born_tanh(born_mul(x, x)), born_sigmoid(born_sub(x, 0.5)));
    CHECK_STATUS(born_backward(born_reduce_sum(y, (born_ints){ 0 }, NULL)), BORN_OK);
    born_f32 g = born_grad_of(x);
    CHECK_STATUS(born_backward(born_reduce_sum(born_square(g), (born_ints){ 0 }, NULL)), BORN_OK);
    CHECK_STATUS(born_read(g, out, sizeof data), BORN_OK);
    CHECK_STATUS(born_read(born_grad_at(inner, x), out + ELEMENTS, sizeof data), BORN_OK);
    CHECK_MSG(!born_backend_error(b)->status, "%s", born_backend_error(b)->text);
    born_backend_close(&b);
}

TEST(second_derivatives_have_the_same_bits)
{
    second_derivative(one_thread(), want);
    second_derivative(born_fuse(one_thread()), got);
    CHECK(!memcmp(want, got, 2 * ELEMENTS * sizeof *want));
    CHECK(want[ELEMENTS] != 0);
}

/* ---- running out of memory ------------------------------------------------------------------------------------- */

/* Blocks of 2.5 MiB, of which four fit; taken: how many are gone when what waits is needed. */
static void run_short(int taken)
{
    born_backend *b = born_fuse(born_cpu(&(born_cpu_desc){ .threads = 1, .max_bytes = 11 << 20, .cache_bytes = 1 }));
    float v = 0;
    born_error err;
    born_f32 block[4];
    born_scope s = born_scope_begin(b);
    for (int i = 0; i < taken; i++) block[i] = born_keep(born_from_f32(b, BORN_ARRAY(big, MANY)));
    born_scope_end(s);
    born_f32 x = block[0];
    born_f32 some = born_mul(x, 2), again = born_reshape(some, BORN_SHAPE(2, MANY / 2)), y = born_add(again, 1);
    CHECK(!born_is_alive(born_reduce_sum(y, (born_ints){ 0 }, NULL)));
    born_backend_take_error(b, &err);
    CHECK_INT(err.status, BORN_NOMEM);
    CHECK_MSG(strstr(err.text, taken == 4 ? "queued mul (" : "queued add (") && strstr(err.text, "test_fuse.c:"), "%s",
              err.text);
    CHECK_STATUS(born_sync(b), BORN_NOMEM);
    born_backend_take_error(b, &err);
    born_f32 z = born_mul(y, 3);
    while (taken > 1) born_drop(&block[--taken]);
    CHECK_STATUS(born_item_f32(born_slice(z, BORN_INTS(0, 5), BORN_INTS(1, 6), BORN_INTS(0, 1), (born_ints){ 0 }), &v),
                 BORN_OK);
    CHECK(v == 3 * (2 * big[5] + 1));
    born_drop(&block[0]);
    CHECK_MSG(!born_backend_error(b)->status, "%s", born_backend_error(b)->text);
    born_backend_close(&b);
}

TEST(a_late_lack_of_memory_loses_no_value)
{
    run_short(4);       /* nothing has been made */
    run_short(3);       /* the first of the two has */
}

/* Everything once; whether it all went well. */
static bool work(born_status *status)
{
    born_backend *b = born_check(born_autodiff(born_fuse(one_thread())));
    const float data[6] = { 0.3f, -0.7f, 1.1f, 0.9f, -0.25f, 0.6f };
    float out[6];
    bool good = true;
    born_scope s = born_scope_begin(b);
    born_f32 x = born_requires_grad(born_from_f32(b, BORN_ARRAY(data, 2, 3))), y = x;
    for (int i = 0; i < 30; i++) {
        born_f32 turned = born_transpose(born_reshape(y, BORN_SHAPE(3, 2)), (born_ints){ 0 });
        y = born_add(born_mul(born_tanh(y), x), turned);
    }
    good = born_backward(born_reduce_sum(y, (born_ints){ 0 }, NULL)) == BORN_OK && good;
    good = born_is_alive(born_assign(y, born_mul(y, 0.5))) && good;
    good = born_read(y, out, sizeof out) == BORN_OK && good;
    good = born_read(born_grad_of(x), out, sizeof out) == BORN_OK && good;
    born_f32 kept = born_keep(born_exp(y));
    born_scope_end(s);
    *status = born_backend_error(b)->status;
    born_error taken;
    born_backend_take_error(b, &taken);
    born_backend_close(&b);
    born_drop(&kept);
    return good;
}

TEST(every_allocation_may_fail)
{
    born_status status;
    long long n = 0;
    count_from_now();
    for (;; n++) {
        countdown = n;
        born__slabs_free();
        bool good = work(&status), ran_out = countdown == 0;
        countdown = -1;
        born__slabs_free();
        CHECK_MSG(held == 0, "allocation %lld failing leaves %lld blocks", n, held);
        if (!ran_out && good) break;
        CHECK_MSG(good || status == BORN_NOMEM, "allocation %lld failing gives %s", n, born_status_name(status));
        if (n > 10000) break;
    }
    CHECK_MSG(n > 10 && n < 10000, "%lld allocations", n);
    stop_counting();
}

TEST_MAIN

/* Who owns what: scopes as values, forgotten ends, return, keep and drop, stale handles, closing in any order, and no
   allocation in the steady state. */
#include <born/born.h>

#include "base/alloc.h"
#include "harness.h"
#include "waist/chain.h"

static float one[4] = { 1, 1, 1, 1 };

static born_f32 forgets(born_backend *b, born_f32 x)
{
    born_scope s = born_scope_begin(b);
    (void)s;
    return born_add(x, 1);
}

static born_f32 block(born_backend *b, born_f32 x)
{
    born_scope s = born_scope_begin(b);
    born_f32 y = born_mul(born_add(x, 1), 2);
    return born_scope_return(s, y);
}

static float first(born_f32 x)
{
    float v[4] = { -1 };
    return born_read(x, v, sizeof v) ? -99 : v[0];
}

TEST(scopes_end_and_return)
{
    born_backend *b = born_cpu(NULL);
    born_chain *c = b->chain;
    born_scope outer = born_scope_begin(b);
    born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4));
    born_f32 kept, y, gone;
    {
        born_scope s = born_scope_begin(b);
        kept = born_keep(born_add(x, x));
        y = block(b, x);
        gone = forgets(b, x);
        CHECK(first(y) == 4);
        y = born_scope_return(s, y);
    }
    CHECK(first(y) == 4);
    CHECK(first(kept) == 2);
    CHECK(!born_is_alive(gone));
    CHECK(!born_is_alive(born_add(gone, x)));
    CHECK_INT(born_backend_error(b)->status, BORN_STATE);
    CHECK_TEXT(born_backend_error(b)->text, "add: operand 0: a handle was used after its scope ended");
    born_error err;
    born_backend_take_error(b, &err);
    x = born_scope_return(outer, x);
    CHECK(first(x) == 1);
    CHECK(!born_is_alive(y));
    CHECK_INT(c->live, 2);
    born_drop(&kept);
    CHECK(kept.any.w == 0);
    CHECK_INT(c->live, 1);
    born_drop(&kept);
    born_scope_end(outer);
    born_scope_end(outer);
    CHECK_INT(c->live, 1);
    born_backend_close(&b);
}

TEST(returning_what_an_outer_scope_owns)
{
    born_backend *b = born_cpu(NULL);
    born_scope outer = born_scope_begin(b);
    born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4));
    born_scope inner = born_scope_begin(b);
    x = born_scope_return(inner, x);
    CHECK(first(x) == 1);
    CHECK_INT(b->chain->live, 1);
    born_scope_end(outer);
    CHECK(!born_is_alive(x));
    CHECK_INT(b->chain->live, 0);
    born_backend_close(&b);
}

TEST(kept_tensors_outlive_the_backend)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x = born_keep(born_from_f32(b, BORN_ARRAY(one, 4)));
    born_f32 twice = born_keep(x);
    born_backend_close(&b);
    CHECK(first(x) == 1);
    CHECK(first(born_add(x, x)) == 2);
    born_drop(&x);
    CHECK(first(twice) == 1);
    born_drop(&twice);
}

TEST(a_handle_after_its_backend)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4));
    born_backend_close(&b);
    CHECK(!born_is_alive(x));
    float v[4];
    CHECK_STATUS(born_read(x, v, sizeof v), BORN_STATE);
    CHECK(!born_is_alive(born_add(x, x)));
    born_drop(&x);
    CHECK(x.any.w == 0);
}

TEST(dropping_what_was_not_kept)
{
    born_backend *b = born_cpu(NULL);
    born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4)), same = x;
    born_drop(&x);
    CHECK(first(same) == 1);
    born_backend_close(&b);
}

TEST(steady_state_allocates_nothing)
{
    born_backend *b = born_cpu(&(born_cpu_desc){ .threads = 1 });
    uint64_t before = 0;
    for (int step = 0; step < 20; step++) {
        if (step == 10) before = born__alloc_calls();
        born_scope s = born_scope_begin(b);
        born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4));
        for (int i = 0; i < 100; i++) x = born_relu(born_mul(born_add(x, 1), 0.5));
        born_scope_end(s);
    }
    CHECK_INT(born__alloc_calls() - before, 0);
    born_backend_close(&b);
}

TEST(device_memory_is_returned_and_reused)
{
    born_device *d = born_device_cpu(NULL);
    for (int i = 0; i < 3; i++) {
        born_backend *b = born_cpu_on(d);
        uint64_t before = born__alloc_calls();
        born_f32 x = born_from_f32(b, BORN_ARRAY(one, 4));
        CHECK(first(x) == 1);
        if (i) CHECK_INT(born__alloc_calls() - before, 0);
        born_backend_close(&b);
    }
    born_device_close(&d);
}

TEST_MAIN

/* The nth allocation fails while files are written and read, for every n until none is left to fail: each call ends in
   a status, nothing is leaked, and the file that was there before stays. ctest-labels: hub */
#include <born/born.h>
#include <born/hub.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness.h"

enum { MOST = 3000 };

static long long countdown = -1; /* -1: never fail */
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

static char path[64];
static const char *file(const char *suffix)
{
    snprintf(path, sizeof path, "born_alloc_%ld.%s", (long)getpid(), suffix);
    return path;
}

static const float w[6] = { 1, 2, 3, 4, 5, 6 };
static born_graph *graph;

static born_status write_checkpoint(born_error *err)
{
    born_checkpoint *c = NULL;
    char name[16];
    born_status st = born_checkpoint_new(&c, err);

    for (int i = 0; !st && i < 40; i++) {
        snprintf(name, sizeof name, "t%d", i);
        st = born_checkpoint_put(c, name, &BORN_ARRAY(w, 2, 3), err);
        if (!st) st = born_checkpoint_put_int(c, name, i, err);
    }
    if (!st) st = born_checkpoint_write(c, file("born"), err);
    born_checkpoint_close(&c);
    return st;
}

static born_status read_checkpoint(born_error *err)
{
    born_checkpoint *c = NULL;
    born_status st = born_checkpoint_open(file("born"), BORN_MAP, &c, err);

    if (!st) CHECK_INT(born_checkpoint_count(c), 40);
    born_checkpoint_close(&c);
    return st;
}

static born_status write_weights(born_error *err)
{
    born_named_array a[2] = { { "a", BORN_ARRAY(w, 2, 3) }, { "b", BORN_ARRAY(w, 6) } };
    return born_safetensors_write(file("safetensors"), a, 2, NULL, 0, err);
}

static born_status read_weights(born_error *err)
{
    born_safetensors *s = NULL;
    born_status st = born_safetensors_open(file("safetensors"), BORN_COPY, &s, err);
    born_safetensors_close(&s);
    return st;
}

static born_status write_model(born_error *err) { return born_graph_save(graph, file("born"), err); }
static born_status write_onnx(born_error *err) { return born_graph_save(graph, file("onnx"), err); }

static born_status read_model(born_error *err)
{
    born_model *m = NULL;
    born_status st = born_model_open(file("born"), NULL, &m, err);
    born_model_close(&m);
    return st;
}

static void try_all(const char *what, born_status (*fn)(born_error *err), born_status (*old)(born_error *err))
{
    born_error err = { .status = BORN_OK };

    for (long long n = 0; n < MOST; n++) {
        long long before = held;
        memset(&err, 0, sizeof err);
        countdown = n;
        born_status st = fn(&err);
        countdown = -1;
        CHECK_MSG(held == before, "%s: %lld blocks leaked at allocation %lld", what, held - before, n);
        if (st == BORN_OK) {
            printf("  %s: %lld allocations\n", what, n);
            return;
        }
        if (!CHECK_MSG(st == BORN_NOMEM && err.text[0], "%s at %lld: %s '%s'", what, n, born_status_name(st), err.text))
            return;
        if (old && !CHECK_MSG(old(&err) == BORN_OK, "%s at %lld: the old file: %s", what, n, err.text)) return;
    }
    CHECK_MSG(false, "%s: more than %d allocations", what, MOST);
}

TEST(every_allocation)
{
    born_error err = { .status = BORN_OK };

    born_allocator_set(&(born_allocator){ failing_alloc, failing_release, NULL });
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_f32 x = born_from_f32(b, BORN_ARRAY(w, 2, 3));
    REQUIRE_OK(born_trace_begin(b, &x.any, 1, &err), &err);
    born_f32 y = born_rsqrt(born_add(born_matmul(x, born_from_f32(b, BORN_ARRAY(w, 3, 2))), 1));
    REQUIRE_OK(born_trace_end(b, &y.any, 1, &graph, &err), &err);

    REQUIRE_OK(write_checkpoint(&err), &err);
    try_all("write a checkpoint", write_checkpoint, read_checkpoint);
    try_all("read a checkpoint", read_checkpoint, NULL);
    REQUIRE_OK(write_weights(&err), &err);
    try_all("write safetensors", write_weights, read_weights);
    try_all("read safetensors", read_weights, NULL);
    REQUIRE_OK(write_model(&err), &err);
    try_all("write a .born model", write_model, read_model);
    try_all("write an .onnx model", write_onnx, NULL);
    try_all("read a .born model", read_model, NULL);
    born_graph_close(&graph);
    born_backend_close(&b);
    remove(file("born"));
    remove(file("onnx"));
    remove(file("safetensors"));
}

TEST_MAIN

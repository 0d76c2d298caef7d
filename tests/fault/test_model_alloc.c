/* The nth allocation fails while a real model is opened and run, for every n until nothing fails: always a status,
   never a crash, a leak or a different answer. Where a model allocates more often than a test can afford, n walks all
   of the first 400 and then in growing steps. ctest-labels: slow */
#include <stdlib.h>

#include "harness.h"
#include "support_model.h"

static long long countdown = -1; /* -1: never fail */
static long long held;

static void *failing_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) return NULL; /* and so do all after it: memory stays short */
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

/* Fails once only: what follows succeeds, so that code which goes on after a failure is met too. */
static void *once_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown >= 0 && countdown-- == 0) return NULL;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    if (p) held++;
    return p;
}

static void every_failure(const char *path, void *(*alloc)(void *, size_t, size_t))
{
    size_t n = 0;
    unsigned char *bytes = support_read(path, &n);
    born_allocator a = { alloc, failing_release, NULL };
    born_status st = BORN_NOMEM;
    long long k = 0;

    if (!bytes) SKIP("%s is not there", path);
    born_allocator_set(&a);
    for (; st != BORN_OK && k < 1000000; k += k < 400 ? 1 : k / 50) {
        born_error err = { .status = BORN_OK };
        bool ran = false;
        countdown = k;
        st = support_run(bytes, n, (size_t)256 << 20, &ran, &err);
        bool failed = countdown <= 0;
        countdown = -1;
        CHECK_MSG(held == 0, "%s: %lld blocks left after failure %lld", path, held, k);
        CHECK_MSG(st == BORN_OK || st == BORN_NOMEM, "%s: failure %lld gave %s: %s", path, k, born_status_name(st),
                  err.text);
        CHECK_MSG(st == BORN_OK || err.text[0], "%s: failure %lld has no text", path, k);
        if (st == BORN_OK && failed) st = BORN_NOMEM; /* it was met and got over: go on to the next */
        if (harness_failures) break;
    }
    born_allocator_set(NULL);
    CHECK_MSG(k > 40, "only %lld allocations were met", k);
    free(bytes);
}

TEST(mnist_memory_stays_short) { every_failure("onnx/models/mnist_8/model.onnx", failing_alloc); }
TEST(mnist_one_failure) { every_failure("onnx/models/mnist_8/model.onnx", once_alloc); }
TEST(kws_memory_stays_short) { every_failure("onnx/models/kws_qdq/model.onnx", failing_alloc); }
TEST(kws_one_failure) { every_failure("onnx/models/kws_qdq/model.onnx", once_alloc); }
TEST(scan_memory_stays_short) { every_failure("onnx/models/tract_qlstm/model.onnx", failing_alloc); }
TEST(scan_one_failure) { every_failure("onnx/models/tract_qlstm/model.onnx", once_alloc); }
TEST(detector_memory_stays_short) { every_failure("onnx/models/fastestdet/model.onnx", failing_alloc); }

TEST_MAIN

/* Real models cut at every 997th byte: each prefix ends in a status, never in a crash. The copies are exactly as long
   as the prefix, so that a sanitizer sees a read beyond it. ctest-labels: slow */
#include "harness.h"
#include "support_model.h"

static void cut(const char *path)
{
    size_t n = 0, ok = 0;
    unsigned char *whole = support_read(path, &n);

    if (!whole) SKIP("%s is not there", path);
    for (size_t k = 0; k < n; k += 997) {
        unsigned char *part = malloc(k ? k : 1);
        born_error err = { .status = BORN_OK };
        bool ran;
        REQUIRE(part != NULL);
        memcpy(part, whole, k);
        born_status st = support_run(part, k, (size_t)256 << 20, &ran, &err);
        if (st == BORN_OK) ok++;
        CHECK_MSG(st == BORN_OK || err.text[0], "%s cut at %zu: no text", path, k);
        free(part);
    }
    free(whole);
    CHECK_INT(ok, 0);
}

TEST(mnist) { cut("onnx/models/mnist_8/model.onnx"); }
TEST(kws_qdq) { cut("onnx/models/kws_qdq/model.onnx"); }
TEST(gpt2) { cut("onnx/models/tiny_random_gpt2/model.onnx"); }
TEST(fastestdet) { cut("onnx/models/fastestdet/model.onnx"); }
TEST(tree) { cut("onnx/models/tract_xgb_cls/model.onnx"); }

TEST_MAIN

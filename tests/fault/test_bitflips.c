/* 20,000 seeded bit flips over small real models, one to four at a time, each opened and run on zeros under a cap on
   memory: all end in a status. ctest-labels: slow */
#include "harness.h"
#include "support_model.h"

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static void flip(const char *path, int rounds, uint64_t seed)
{
    size_t n = 0;
    unsigned char *whole = support_read(path, &n);
    int opened = 0;

    if (!whole) SKIP("%s is not there", path);
    for (int i = 0; i < rounds; i++) {
        size_t at[4];
        unsigned char bit[4];
        int flips = 1 + (int)(next(&seed) % 4);
        born_error err = { .status = BORN_OK };
        bool ran;
        for (int k = 0; k < flips; k++) {
            /* half of them early, where the structure is */
            uint64_t span = next(&seed) % 2 || n < 4096 ? n : 4096;
            at[k] = (size_t)(next(&seed) % span);
            bit[k] = (unsigned char)(1u << next(&seed) % 8);
            whole[at[k]] ^= bit[k];
        }
        born_status st = support_run(whole, n, (size_t)64 << 20, &ran, &err);
        CHECK_MSG(st == BORN_OK || err.text[0], "%s round %d: no text", path, i);
        opened += ran;
        while (flips--) whole[at[flips]] ^= bit[flips];
    }
    free(whole);
    printf("  %s: %d of %d could be run\n", path, opened, rounds);
}

TEST(qtdnn) { flip("onnx/models/tract_qtdnn/model.onnx", 7000, 1); }
TEST(qlstm) { flip("onnx/models/tract_qlstm/model.onnx", 4000, 2); }
TEST(tree) { flip("onnx/models/tract_xgb_cls/model.onnx", 5000, 3); }
TEST(mnist) { flip("onnx/models/mnist_8/model.onnx", 2000, 4); }
TEST(kws_qoperator) { flip("onnx/models/kws_qoperator/model.onnx", 1000, 5); }
TEST(silero) { flip("onnx/models/silero_vad/model.onnx", 200, 6); }
TEST(squeezenet) { flip("onnx/light/light_squeezenet/model.onnx", 300, 7); }
TEST(gpt2) { flip("onnx/models/tiny_random_gpt2/model.onnx", 500, 8); }

TEST_MAIN

/* a * b + c rounded once: ties that only a distant bit decides, subnormal results, the ends of the range. The wanted
   bits were computed with rational numbers. ctest-labels: cross */
#include "base/fma.h"
#include "base/rng.h"
#include "harness.h"

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}
static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

TEST(fma_rounds_once)
{
    static const struct {
        uint32_t a, b, c, want;
    } rows[] = {
        { 0x6352f000, 0x45a69800, 0x4c000000, 0x698944df },
        { 0x63161000, 0x45ef0800, 0x4c000000, 0x698c1da1 },
        { 0xa734b000, 0x45ff1800, 0x8d800000, 0xadb40c41 },
        { 0x277eb000, 0x45d7e800, 0x8d800000, 0x2dd6cc9f },
        { 0xa7571000, 0x45d9a800, 0x83800000, 0xadb6d9b3 },
        { 0xa7451000, 0x45f95800, 0x10000000, 0xadbff04d },
        { 0xe365d000, 0x45e41800, 0x4c000000, 0xe9ccc2cb },
        { 0xc566d000, 0x45c72800, 0xa1800000, 0xcbb38fc1 },
        { 0x1a000001, 0x19fffffe, 0x0030856b, 0x0030856b },
        { 0x9a000001, 0x19fffffe, 0x801c9f61, 0x801c9f61 },
        { 0x1a000001, 0x19fffffe, 0x801da46d, 0x801da46d },
        { 0x9a000001, 0x19fffffe, 0x003a3db9, 0x003a3db9 },
        { 0x1a000001, 0x19fffffe, 0x001c5e2f, 0x001c5e2f },
        { 0x1a000001, 0x19fffffe, 0x003c20d9, 0x003c20d9 },
        { 0x1a000001, 0x19fffffe, 0x003bd131, 0x003bd131 },
        { 0x1a000001, 0x19fffffe, 0x00132d67, 0x00132d67 },
        { 0x7f7fffff, 0x3f800000, 0x7f7fffff, 0x7f800000 },
        { 0x7f7fffff, 0x40000000, 0xff7fffff, 0x7f7fffff },
        { 0x5f800000, 0x5f800000, 0xff000000, 0x7f000000 },
        { 0x0d800000, 0x0d800000, 0x00000001, 0x00000001 },
        { 0x1a000000, 0x1a000000, 0x00000000, 0x00000000 },
        { 0x1a800000, 0x9a000000, 0x00000000, 0x80000001 },
        { 0x1a400000, 0x1a000000, 0x00000001, 0x00000002 },
        { 0x7f7fffff, 0x3f800000, 0x73000000, 0x7f800000 },
        { 0x7f7fffff, 0x3f800000, 0x72ffffff, 0x7f7fffff },
        { 0x3f800000, 0xbf800000, 0x3f800000, 0x00000000 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        float a = from_bits(rows[i].a), b = from_bits(rows[i].b), c = from_bits(rows[i].c);
        uint32_t got = to_bits(born__fmaf(a, b, c)), soft = to_bits(born__fmaf_soft(a, b, c));
        CHECK_MSG(got == rows[i].want, "row %zu: %08x, not %08x", i, (unsigned)got, (unsigned)rows[i].want);
        CHECK_MSG(soft == rows[i].want, "row %zu in f64: %08x, not %08x", i, (unsigned)soft, (unsigned)rows[i].want);
        got = to_bits(born__fmaf(-a, b, -c));
        uint32_t sign = rows[i].want == 0 && c > 0 ? 0u : 0x80000000u;      /* an exact zero is positive */
        CHECK_MSG(got == (rows[i].want ^ sign), "row %zu negated: %08x", i, (unsigned)got);
    }
    CHECK(isnan(born__fmaf_soft(INFINITY, 0, 1)) && isnan(born__fmaf_soft(INFINITY, 1, -INFINITY)));
    CHECK(born__fmaf_soft(INFINITY, -1, 1e30f) == -INFINITY && born__fmaf_soft(1, 1, INFINITY) == INFINITY);
    CHECK(to_bits(born__fmaf_soft(-0.0f, 1, -0.0f)) == 0x80000000u && to_bits(born__fmaf_soft(-0.0f, 1, 0)) == 0);
}

/* Bits at random, and exponents near each other so that the sum cancels: both ways agree. */
TEST(fma_two_ways_agree)
{
    uint32_t draw[3 * 1024];
    for (uint64_t round = 0; round < 64; round++) {
        born__philox_u32(11, 3, round * 3 * 1024, draw, 3 * 1024);
        for (int i = 0; i < 1024; i++) {
            uint32_t *d = draw + 3 * i;
            if (round & 1) {            /* 1 <= |a|, |b| < 2 and c within 2^-32 .. 2^31 */
                d[0] = (d[0] & 0x807fffffu) | 0x3f800000u;
                d[1] = (d[1] & 0x807fffffu) | 0x3f800000u;
                d[2] = (d[2] & 0x9fffffffu) | 0x20000000u;
            }
            float a = from_bits(d[0]), b = from_bits(d[1]), c = from_bits(d[2]);
            float x = born__fmaf(a, b, c), y = born__fmaf_soft(a, b, c);
            CHECK_MSG(to_bits(x) == to_bits(y) || (isnan(x) && isnan(y)), "fma(%a, %a, %a): %a and %a", (double)a,
                      (double)b, (double)c, (double)x, (double)y);
        }
    }
}

/* The chains of doubles rely on libm alone. */
TEST(fma_of_doubles_rounds_once)
{
    volatile double e = 0x1p-52, two = 2;
    CHECK(fma(1 + e, 1 - e, -1.0) == -0x1p-104);
    CHECK(fma(1 + e, 0x1p-53, 1.0) == 1 + e);               /* just above a tie */
    CHECK(fma(1 - e, 0x1p-53, 1.0) == 1.0);
    CHECK(fma((1 - e) * 0x1p-1000, 0x1p-75, 0x1p-1074) == 0x1p-1074);    /* just below 1.5 of the smallest number */
    CHECK(fma(0x1p1023, two, -0x1p1023) == 0x1p1023);
}

TEST_MAIN

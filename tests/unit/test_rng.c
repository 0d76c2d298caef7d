/* Philox4x32-10: the known answers published with Random123, and independence of the cut. ctest-labels: cross */
#include "base/rng.h"
#include "harness.h"

TEST(rng_philox_known_answers)
{
    static const struct {
        uint32_t counter[4], key[2], want[4];
    } rows[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff }, { 0xffffffff, 0xffffffff },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 }, { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t out[4];
        born__philox(rows[i].counter, rows[i].key, out);
        for (int k = 0; k < 4; k++) {
            CHECK_MSG(out[k] == rows[i].want[k], "row %zu word %d: %08x", i, k, (unsigned)out[k]);
        }
    }
}

TEST(rng_elements_do_not_depend_on_the_cut)
{
    uint32_t whole[64], part[64];
    uint64_t first = UINT64_C(0x3fffffffe);         /* crosses a 32-bit carry of the block number */
    born__philox_u32(7, 9, first, whole, 64);
    for (size_t cut = 0; cut <= 64; cut++) {
        born__philox_u32(7, 9, first, part, cut);
        born__philox_u32(7, 9, first + cut, part + cut, 64 - cut);
        CHECK(memcmp(whole, part, sizeof whole) == 0);
    }
    born__philox_u32(8, 9, first, part, 64);
    CHECK(memcmp(whole, part, sizeof whole) != 0);
    born__philox_u32(7, 10, first, part, 64);
    CHECK(memcmp(whole, part, sizeof whole) != 0);
}

TEST(rng_floats_lie_in_the_unit_interval)
{
    static float f[20000];
    born__philox_f32(1, 2, 0, f, 20000);
    double sum = 0, squares = 0;
    int outside = 0;
    for (int i = 0; i < 20000; i++) {
        outside += !(f[i] >= 0.0f && f[i] < 1.0f);
        sum += (double)f[i];
        squares += (double)f[i] * (double)f[i];
    }
    CHECK_INT(outside, 0);
    CHECK(sum / 20000 > 0.49 && sum / 20000 < 0.51);
    CHECK(squares / 20000 > 0.32 && squares / 20000 < 0.35);
    CHECK(born__unit_f32(UINT32_MAX) < 1.0f && born__unit_f32(0) == 0.0f);
    CHECK(born__unit_f64(UINT32_MAX, UINT32_MAX) < 1.0);
}

TEST(many_blocks_at_once_are_the_same)
{
    static const uint64_t first[] = { 0, 7, 0xFFFFFFF8u, 0x123456789ABCu };
    uint32_t many[2 * BORN_PHILOX_SPAN], one[4 * BORN_PHILOX_SPAN];

    for (size_t k = 0; k < sizeof first / sizeof *first; k++) {
        born__philox_even(0x1122334455667788u, 3 + k, first[k], many);
        born__philox_u32(0x1122334455667788u, 3 + k, 4 * first[k], one, sizeof one / sizeof *one);
        for (int i = 0; i < BORN_PHILOX_SPAN; i++)
            CHECK(many[2 * i] == one[4 * i] && many[2 * i + 1] == one[4 * i + 2]);
    }
}

TEST_MAIN

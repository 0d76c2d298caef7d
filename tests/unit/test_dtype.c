/* The dtype table; f16 and bf16 over all bit patterns against arithmetic of their definition. ctest-labels: cross */
#include <math.h>

#include "harness.h"
#include "tensor/view.h"

TEST(dtype_rows)
{
    CHECK_TEXT(born_dtype_name(BORN_F32), "f32");
    CHECK_TEXT(born_dtype_name(BORN_Q4_K), "q4_k");
    CHECK_TEXT(born_dtype_name(BORN_DTYPE_NONE), "none");
    CHECK_TEXT(born_dtype_name((born_dtype)1000), "none");
    CHECK_INT(born_dtype_bytes(BORN_F32, 3), 12);
    CHECK_INT(born_dtype_bytes(BORN_BOOL, 0), 0);
    CHECK_INT(born_dtype_bytes(BORN_Q4_0, 64), 36);
    CHECK_INT(born_dtype_bytes(BORN_Q4_0, 33), -1);
    CHECK_INT(born_dtype_bytes(BORN_F64, INT64_MAX / 4), -1);
    CHECK_INT(born_dtype_bytes(BORN_F64, -1), -1);
    CHECK_INT(born_dtype_bytes((born_dtype)-3, 1), -1);
    for (int t = 1; t < BORN_DTYPE_COUNT; t++) {
        const born_dtype_info *d = born__dtype_info((born_dtype)t);
        CHECK(d->block_elems > 0 && d->block_bytes > 0);
        CHECK(d->size == 0 || (d->size == d->block_bytes && d->block_elems == 1));
    }
}

/* The value of the pattern from its definition: sign, exponent, fraction. */
static double value_of(uint16_t h, int exponent_bits, int fraction_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (h >> fraction_bits) & ((1 << exponent_bits) - 1);
    int fraction = h & ((1 << fraction_bits) - 1);
    double sign = (h & 0x8000) != 0 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1) return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0) return sign * ldexp(fraction, 1 - bias - fraction_bits);
    return sign * ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
}

typedef struct half_kind {
    born_dtype dtype;
    int exponent_bits, fraction_bits;
    uint16_t infinity;
    float (*widen)(uint16_t h);
    uint16_t (*narrow)(float f);
} half_kind;

static float widen_bf16(uint16_t h)
{
    return born__bf16_to_f32(h);
}

static const half_kind halves[] = {
    { BORN_F16, 5, 10, 0x7c00, born__f16_to_f32, born__f32_to_f16 },
    { BORN_BF16, 8, 7, 0x7f80, widen_bf16, born__f32_to_bf16 },
};

TEST(dtype_halves_widen_exactly_and_return)
{
    for (size_t k = 0; k < 2; k++) {
        const half_kind *kind = &halves[k];
        int wrong = 0;
        for (uint32_t h = 0; h < 0x10000; h++) {
            float f = kind->widen((uint16_t)h);
            double want = value_of((uint16_t)h, kind->exponent_bits, kind->fraction_bits);
            uint16_t back = kind->narrow(f);
            if (want != want) {
                wrong += f == f || (back & 0x7fff) <= kind->infinity;
            } else {
                wrong += (double)f != want || (signbit(f) != 0) != (h >= 0x8000) || back != h;
            }
        }
        CHECK_INT(wrong, 0);
    }
}

/* What rounding to nearest even gives between two neighbouring patterns lo and lo + 1 (magnitudes). */
static uint16_t expect_between(const half_kind *kind, uint16_t lo, double v)
{
    uint16_t hi = (uint16_t)(lo + 1);
    double a = value_of(lo, kind->exponent_bits, kind->fraction_bits);
    double b = hi == kind->infinity ? 2 * a - value_of((uint16_t)(lo - 1), kind->exponent_bits, kind->fraction_bits)
                                    : value_of(hi, kind->exponent_bits, kind->fraction_bits);
    double middle = (a + b) / 2;
    if (v < middle) return lo;
    if (v > middle) return hi;
    return (lo & 1) == 0 ? lo : hi;
}

TEST(dtype_halves_round_to_nearest_even)
{
    for (size_t k = 0; k < 2; k++) {
        const half_kind *kind = &halves[k];
        int wrong = 0;
        for (uint16_t lo = 0; lo < kind->infinity; lo++) {
            double a = value_of(lo, kind->exponent_bits, kind->fraction_bits);
            double below = lo == 0 ? 0 : value_of((uint16_t)(lo - 1), kind->exponent_bits, kind->fraction_bits);
            double b = lo + 1 == kind->infinity
                           ? 2 * a - below
                           : value_of((uint16_t)(lo + 1), kind->exponent_bits, kind->fraction_bits);
            double middle = (a + b) / 2;
            float points[5] = { (float)a, (float)middle, nextafterf((float)middle, 0.0f),
                                nextafterf((float)middle, INFINITY), nextafterf((float)b, 0.0f) };
            for (int i = 0; i < 5; i++) {
                double v = (double)points[i];
                if (v < a || v > b) continue;
                uint16_t want = expect_between(kind, lo, v);
                wrong += kind->narrow(points[i]) != want;
                wrong += kind->narrow(-points[i]) != (want | 0x8000);
            }
            /* doubles that a first rounding to f32 would move onto the middle */
            double near[2] = { nextafter(middle, 0.0), nextafter(middle, (double)INFINITY) };
            for (int i = 0; i < 2; i++) {
                uint16_t h;
                born__store_f64(kind->dtype, &h, near[i]);
                wrong += h != expect_between(kind, lo, near[i]);
            }
        }
        CHECK_INT(wrong, 0);
        CHECK_INT(kind->narrow(INFINITY), kind->infinity);
        CHECK_INT(kind->narrow(3.4028234e38f), kind->infinity);
    }
}

TEST(dtype_stores_saturate)
{
    static const struct {
        born_dtype t;
        double lo, hi;
    } rows[] = {
        { BORN_I8, -128, 127 },
        { BORN_U8, 0, 255 },
        { BORN_I16, -32768, 32767 },
        { BORN_U16, 0, 65535 },
        { BORN_I32, -2147483648.0, 2147483647.0 },
        { BORN_U32, 0, 4294967295.0 },
        { BORN_I64, -0x1p63, 0x1p63 },
        { BORN_U64, 0, 0x1p64 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t space = 0;
        born__store_f64(rows[i].t, &space, 1e30);
        CHECK(born__load_f64(rows[i].t, &space) == rows[i].hi);
        born__store_f64(rows[i].t, &space, -(double)INFINITY);
        CHECK(born__load_f64(rows[i].t, &space) == rows[i].lo);
        born__store_f64(rows[i].t, &space, (double)NAN);
        CHECK(born__load_f64(rows[i].t, &space) == 0);
        born__store_f64(rows[i].t, &space, 100.7);
        CHECK_INT(born__load_i64(rows[i].t, &space), 100);
    }
    uint64_t u = UINT64_MAX;
    CHECK(born__load_i64(BORN_U64, &u) == INT64_MAX);
    double d = (double)NAN;
    CHECK_INT(born__load_i64(BORN_F64, &d), 0);
    d = -1e300;
    CHECK(born__load_i64(BORN_F64, &d) == INT64_MIN);
    uint8_t b;
    born__store_f64(BORN_BOOL, &b, -0.5);
    CHECK_INT(b, 1);
    b = 7;
    CHECK_INT(born__load_i64(BORN_BOOL, &b), 1);
    CHECK(born__load_f64(BORN_Q4_0, &b) == 0);
}

TEST_MAIN

/* The stated bounds of math64.h: each function against the C library's long double, over a sweep of every exponent and
   both signs, densely where it bends; against values computed in 300 bits, which hold on every machine; and its signed
   zeros, infinities, NaN and subnormals. Last a hash of all results: the same bits whatever libm is there.
   ctest-labels: cross */
#include <float.h>
#include <math.h>

#include "../harness.h"
#include "ops/math64.h"
#include "ops/math64_pair.h"

/* |got - want| in units of the last place of want in f64; 0 for the same infinity or NaN. */
static double ulps(double got, long double want)
{
    double near = (double)want;
    if (isnan(near)) return isnan(got) ? 0 : 1e9;
    if (isinf(near) || isinf(got)) return got == near ? 0 : fabs(got) > 1.797e308 && fabs(near) > 1.797e308 ? 1 : 1e9;
    int e;
    frexp(near, &e);
    if (e < -1021) e = -1021;
    return (double)fabsl(((long double)got - want) * ldexpl(1, 53 - e));
}

typedef struct worst {
    double ulp, at;
} worst;
static void look(worst *w, double x, double got, long double want)
{
    double u = ulps(got, want);
    if (!(u <= w->ulp)) *w = (worst){ u, x };
}

static double draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) * 0x1p-53;
}

/* Every exponent and sign with 40 mantissas, and `steps` values of [lo, hi] at random. */
static worst sweep(double (*fn)(double), long double (*ref)(long double), double lo, double hi, int steps)
{
    worst w = { 0, 0 };
    uint64_t seed = 1;
    for (uint64_t top = 0; top < 4096; top++)
        for (int i = 0; i < 40; i++) {
            uint64_t low = i == 0 ? 0 : i == 1 ? 0xfffffffffffffu : (uint64_t)(draw(&seed) * 0x1p52);
            double x = born__f64_from(top << 52 | low);
            look(&w, x, fn(x), ref((long double)x));
        }
    for (int i = 0; i <= steps; i++) {
        double x = lo + (hi - lo) * draw(&seed);
        look(&w, x, fn(x), ref((long double)x));
    }
    return w;
}

/* Where long double, or what the C library does in it, is no better than double, its own error counts too. */
static double bound(void)
{
    volatile long double one = 1;
    return LDBL_MANT_DIG > DBL_MANT_DIG && expl(one) != (long double)exp((double)one) ? 1 : 2;
}

#define BOUND(fn, lo, hi)                                                                                              \
    TEST(ulp64_##fn)                                                                                                   \
    {                                                                                                                  \
        worst w = sweep(born__##fn##_f64, fn##l, lo, hi, 50000);                                                       \
        printf("  %.3f ULP at %.17g\n", w.ulp, w.at);                                                                  \
        CHECK_MSG(w.ulp <= bound(), "%s: %g ULP at %.17g", #fn, w.ulp, w.at);                                          \
    }
BOUND(exp, -750, 711)
BOUND(expm1, -40, 4)
BOUND(log, 0, 4)
BOUND(log1p, -1, 4)
BOUND(sin, -100, 100)
BOUND(cos, -100, 100)
BOUND(tan, -100, 100)
BOUND(asin, -1, 1)
BOUND(acos, -1, 1)
BOUND(atan, -5, 5)
BOUND(sinh, -5, 5)
BOUND(cosh, -5, 5)
BOUND(tanh, -20, 20)
BOUND(asinh, -5, 5)
BOUND(acosh, 1, 5)
BOUND(atanh, -1, 1)
BOUND(erf, -6.5, 6.5)

TEST(ulp64_pow)
{
    worst w = { 0, 0 };
    uint64_t seed = 1;
    for (int i = 0; i < 400000; i++) {
        double x = born__f64_from((uint64_t)(draw(&seed) * 0x1p63)), y = draw(&seed) * 20 - 10;
        if (i & 1) x = 0.5 + draw(&seed);
        if (i % 3 == 0) y = rint(y);
        if (i % 5 == 0) x = -x;
        if (i % 7 == 0) y *= 100;
        look(&w, x, born__pow_f64(x, y), powl((long double)x, (long double)y));
    }
    printf("  %.3f ULP at x = %.17g\n", w.ulp, w.at);
    CHECK(w.ulp <= bound());
}

static bool same(double a, double b)
{
    return (a != a && b != b) || born__f64_bits(a) == born__f64_bits(b);
}

TEST(math64_edges)
{
    static double (*const odd[])(double) = { born__expm1_f64, born__log1p_f64, born__sinh_f64, born__tanh_f64,
                                             born__asinh_f64, born__atanh_f64, born__erf_f64,  born__sin_f64,
                                             born__tan_f64,   born__asin_f64,  born__atan_f64 };
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        CHECK(same(odd[i](-0.0), -0.0) && same(odd[i](0.0), 0.0) && isnan(odd[i](NAN)));
        if (odd[i] != born__erf_f64) CHECK(same(odd[i](5e-324), 5e-324) && same(odd[i](-1e-310), -1e-310));
    }
    CHECK(same(born__exp_f64(-INFINITY), 0.0) && same(born__exp_f64(INFINITY), INFINITY) && isnan(born__exp_f64(NAN)));
    CHECK(same(born__exp_f64(0), 1) && same(born__exp_f64(-745), 5e-324) && same(born__exp_f64(710), INFINITY));
    CHECK(same(born__expm1_f64(-INFINITY), -1) && same(born__expm1_f64(INFINITY), INFINITY));
    CHECK(same(born__log_f64(-0.0), -INFINITY) && isnan(born__log_f64(-5e-324)) && same(born__log_f64(1), 0.0));
    CHECK(same(born__log_f64(INFINITY), INFINITY) && isnan(born__log_f64(NAN)));
    CHECK(same(born__log1p_f64(-1), -INFINITY) && isnan(born__log1p_f64(-1.5)) && isnan(born__log1p_f64(-INFINITY)));
    CHECK(same(born__log1p_f64(INFINITY), INFINITY) && same(born__acosh_f64(1), 0.0) && isnan(born__acosh_f64(0.9)));
    CHECK(same(born__sinh_f64(-INFINITY), -INFINITY) && same(born__cosh_f64(-INFINITY), INFINITY));
    CHECK(same(born__cosh_f64(0), 1) && isnan(born__cosh_f64(NAN)) && same(born__tanh_f64(-INFINITY), -1));
    CHECK(same(born__asinh_f64(-INFINITY), -INFINITY) && same(born__acosh_f64(INFINITY), INFINITY));
    CHECK(same(born__atanh_f64(1), INFINITY) && same(born__atanh_f64(-1), -INFINITY) && isnan(born__atanh_f64(1.5)));
    CHECK(same(born__erf_f64(INFINITY), 1) && same(born__erf_f64(-7), -1) && isnan(born__acos_f64(NAN)));
    CHECK(isnan(born__sin_f64(INFINITY)) && isnan(born__cos_f64(-INFINITY)) && isnan(born__tan_f64(INFINITY)));
    CHECK(same(born__cos_f64(-0.0), 1) && isnan(born__asin_f64(1.1)) && isnan(born__acos_f64(-1.1)));
    CHECK(same(born__acos_f64(1), 0.0) && same(born__atan_f64(-INFINITY), -1.5707963267948966));
}

TEST(pow64_edges)
{
    static const double v[] = { 0.0, -0.0, 1.0,      -1.0,      2.0, -2.0,   0.5,    -0.5,      3.0,
                                -3.0, 1e4, INFINITY, -INFINITY, NAN, 0x1p53, 5e-324, -9.5e-310, 0x1.fffffffffffffp52 };
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++)
        for (size_t j = 0; j < sizeof v / sizeof v[0]; j++) {
            double got = born__pow_f64(v[i], v[j]), want = pow(v[i], v[j]);
            bool near = isfinite(want) && want != 0 && ulps(got, (long double)want) <= 1;
            CHECK_MSG(near || same(got, want), "pow(%g, %g) = %g, not %g", v[i], v[j], got, want);
        }
    CHECK(born__pow_f64(3, 5) == 243 && born__pow_f64(10, 15) == 1e15 && born__pow_f64(2, -1074) == 5e-324);
}

/* Computed in 300 bits: the nearest f64 and the next 53 bits. Arguments next to multiples of pi/2 and where results
   cancel, over- or underflow. */
typedef struct known {
    double (*fn)(double);
    double x, high, low;
} known;
static const known values[] = {
    { born__exp_f64, 0x1.0000000000000p+0, 0x1.5bf0a8b145769p+1, 0x1.4d57ee2b1013ap-53 },
    { born__exp_f64, -0x1.12e0be826d695p-30, 0x1.fffffff768fa1p-1, -0x1.003e3b2b92095p-55 },
    { born__exp_f64, 0x1.62e0000000000p+9, 0x1.ef85a11e73f2dp+1023, 0x1.a25d99164d122p+968 },
    { born__exp_f64, -0x1.5e40000000000p+9, 0x1.4ff475c68ca02p-1011, -0x0.0000000000245p-1022 },
    { born__exp_f64, 0x1.62e42fefa39efp-2, 0x1.6a09e667f3bccp+0, 0x1.f68d3de197eeap-54 },
    { born__expm1_f64, 0x1.19799812dea11p-40, 0x1.19799812df3bdp-40, -0x1.eb32bb520fb6fp-96 },
    { born__expm1_f64, -0x1.3333333333333p-2, -0x1.0966f2c7907f6p-2, -0x1.0a730392f0d98p-59 },
    { born__expm1_f64, 0x1.62eb1c432ca58p-2, 0x1.a831641af1de4p-2, 0x1.f736045a854d8p-56 },
    { born__expm1_f64, -0x1.2c00000000000p+5, -0x1.0000000000000p+0, 0x1.dd5c566301ec8p-55 },
    { born__expm1_f64, 0x1.0000000000000p+0, 0x1.b7e151628aed3p+0, -0x1.655023a9dfd8cp-54 },
    { born__log_f64, 0x1.fffffffffffffp-1, -0x1.0000000000000p-53, -0x1.0000000000000p-107 },
    { born__log_f64, 0x1.0000000000001p+0, 0x1.fffffffffffffp-53, 0x1.5555555555554p-158 },
    { born__log_f64, 0x1.6a09e667f3bccp-1, -0x1.62e42fefa39f1p-2, 0x1.8d8f957c3d43cp-57 },
    { born__log_f64, 0x0.012688b70e62bp-1022, -0x1.64e69394d9508p+9, -0x1.35918fe61c196p-47 },
    { born__log_f64, 0x1.fffffffffffffp+1023, 0x1.62e42fefa39efp+9, 0x1.a9c9e3b39803fp-46 },
    { born__log1p_f64, 0x1.203af9ee75616p-50, 0x1.203af9ee75613p-50, 0x1.dbda008a1eb1bp-104 },
    { born__log1p_f64, -0x1.0000000000000p-1, -0x1.62e42fefa39efp-1, -0x1.abc9e3b39803fp-56 },
    { born__log1p_f64, -0x1.fffffffffffffp-1, -0x1.25e4f7b2737fap+5, -0x1.8486612173c69p-51 },
    { born__log1p_f64, 0x1.4e718d7d7625ap+664, 0x1.cc845b54b54f2p+8, -0x1.8ea480fb30567p-46 },
    { born__log1p_f64, 0x1.a827997709f7ap-2, 0x1.62e42fd2cf8f5p-2, -0x1.5981c0cb81c9ep-59 },
    { born__sinh_f64, 0x1.ad7f29abcaf48p-24, 0x1.ad7f29abcaf55p-24, -0x1.a0ca8fd90c7c3p-78 },
    { born__sinh_f64, 0x1.0000000000000p-1, 0x1.0acd00fe63b97p-1, -0x1.ae543b544f28dp-56 },
    { born__sinh_f64, 0x1.0000000000000p+0, 0x1.2cd9fc44eb982p+0, 0x1.6a0092521fc19p-54 },
    { born__sinh_f64, 0x1.62f3333333333p+9, 0x1.1fdb71f9335bap+1023, -0x1.284e298f5c1f9p+966 },
    { born__sinh_f64, 0x1.e000000000000p+4, 0x1.370470aec28edp+42, -0x1.85e0eff118e46p-12 },
    { born__cosh_f64, 0x1.ad7f29abcaf48p-24, 0x1.0000000000017p+0, -0x1.ed91e57b51812p-54 },
    { born__cosh_f64, 0x1.0000000000000p-1, 0x1.20ac1862ae8d0p+0, 0x1.91608e93c1820p-54 },
    { born__cosh_f64, 0x1.8000000000000p+1, 0x1.422a497d6185ep+3, 0x1.28e5883d54185p-51 },
    { born__cosh_f64, 0x1.6300000000000p+9, 0x1.3e21a464507f9p+1023, 0x1.282b80dc02e26p+969 },
    { born__cosh_f64, 0x1.4800000000000p+5, 0x1.1c25c88df6862p+58, 0x1.29c803c020ec6p+4 },
    { born__tanh_f64, 0x1.ad7f29abcaf48p-24, 0x1.ad7f29abcaf2fp-24, -0x1.7cd5c09bcd100p-79 },
    { born__tanh_f64, 0x1.3333333333333p-2, 0x1.2a4dda7d914fap-2, -0x1.dcaef7d34268ap-58 },
    { born__tanh_f64, 0x1.0000000000000p+0, 0x1.85efab514f394p-1, 0x1.5618caf8a4f11p-55 },
    { born__tanh_f64, 0x1.3000000000000p+4, 0x1.fffffffffffffp-1, 0x1.bceea52a399fap-55 },
    { born__tanh_f64, 0x1.4000000000000p+2, 0x1.fff419668df11p-1, 0x1.a800b7186cb57p-56 },
    { born__asinh_f64, 0x1.ad7f29abcaf48p-24, 0x1.ad7f29abcaf3bp-24, 0x1.a0ca8fd90cc31p-78 },
    { born__asinh_f64, 0x1.999999999999ap-3, 0x1.96ead72fe8b33p-3, 0x1.945f552fd9221p-61 },
    { born__asinh_f64, 0x1.1e1a300000000p+28, 0x1.436627b57f716p+4, -0x1.673425e2cb315p-50 },
    { born__asinh_f64, 0x1.7e43c8800759cp+996, 0x1.59bbfd8b83e44p+9, -0x1.3ae4268b01a66p-45 },
    { born__asinh_f64, 0x1.4000000000000p+1, 0x1.a5b0f0be9dcf6p+0, -0x1.9ceba642f9c2cp-54 },
    { born__acosh_f64, 0x1.0000000000001p+0, 0x1.6a09e667f3bccp-26, 0x1.c97ec74cddd11p-80 },
    { born__acosh_f64, 0x1.8000000000000p+0, 0x1.ecc2caec5160ap-1, -0x1.ad07ef7ed5a5dp-55 },
    { born__acosh_f64, 0x1.1e1a300000000p+28, 0x1.436627b57f716p+4, -0x1.68ce135d01e3ap-50 },
    { born__acosh_f64, 0x1.7e43c8800759cp+996, 0x1.59bbfd8b83e44p+9, -0x1.3ae4268b01a66p-45 },
    { born__acosh_f64, 0x1.4000000000000p+3, 0x1.7f21ed1ce05d4p+1, 0x1.fe41cafbc3da4p-54 },
    { born__atanh_f64, 0x1.ad7f29abcaf48p-24, 0x1.ad7f29abcaf61p-24, 0x1.7cd5c09bcf473p-79 },
    { born__atanh_f64, 0x1.fffffffffffffp-1, 0x1.2b708872320e2p+4, -0x1.670da7e077bcbp-51 },
    { born__atanh_f64, 0x1.0000000000000p-1, 0x1.193ea7aad030bp-1, -0x1.a256f99caabebp-55 },
    { born__atanh_f64, 0x1.ccccccccccccdp-1, 0x1.78e360604b32dp+0, -0x1.d0b8ee7108685p-58 },
    { born__atanh_f64, 0x1.5c28f5c28f5c3p-3, 0x1.5f92c58c632c3p-3, 0x1.0984b4adfc335p-57 },
    { born__erf_f64, 0x1.56e1fc2f8f359p-997, 0x1.82e6d98711d3ap-997, -0x0.00000002e31bbp-1022 },
    { born__erf_f64, 0x1.0000000000000p-1, 0x1.0a7ef5c18edd2p-1, 0x1.5e809f1a31a28p-56 },
    { born__erf_f64, 0x1.fff2e48e8a71ep-1, 0x1.af710971c7e19p-1, -0x1.14f20d36347afp-55 },
    { born__erf_f64, 0x1.0000000000000p+0, 0x1.af767a741088bp-1, -0x1.c97f778122797p-56 },
    { born__erf_f64, 0x1.e666666666666p+0, 0x1.fc4f06f2b1c89p-1, -0x1.8a198f3f94faap-55 },
    { born__erf_f64, 0x1.4000000000000p+1, 0x1.ffcaa8f4c9beap-1, 0x1.b0cee160116f9p-55 },
    { born__erf_f64, 0x1.2000000000000p+2, 0x1.fffffffe4fa30p-1, 0x1.d166bcb681c7bp-57 },
    { born__erf_f64, 0x1.799999999999ap+2, 0x1.fffffffffffffp-1, 0x1.68cd3fcb97885p-55 },
    { born__sin_f64, 0x1.921fb54442d18p+1, 0x1.1a62633145c07p-53, -0x1.f1976b7ed8fbdp-109 },
    { born__sin_f64, 0x1.0f0cf064dd592p+73, -0x1.b453ab76bf397p-1, -0x1.f453790772648p-58 },
    { born__sin_f64, 0x1.6ac5b262ca1ffp+849, 0x1.0000000000000p+0, -0x1.2b089ea1e692bp-123 },
    { born__sin_f64, 0x1.7e43c8800759cp+996, -0x1.a2c16b010e385p-1, -0x1.b900a1f54ecd2p-55 },
    { born__sin_f64, 0x1.921fb54442d18p-1, 0x1.6a09e667f3bccp-1, 0x1.7a7fb8d4bd43fp-55 },
    { born__sin_f64, 0x1.6300000000000p+8, -0x1.f9bd0307d1de3p-16, 0x1.894874d2528d2p-70 },
    { born__sin_f64, 0x1.0000000000000p+30, -0x1.3c12353728cafp-1, -0x1.676e91037983ep-55 },
    { born__sin_f64, 0x1.fffffffffffffp+1023, 0x1.452fc98b34e97p-8, -0x1.27bb193d960dfp-62 },
    { born__sin_f64, -0x1.c6bf526340000p+49, -0x1.b76f88136cebap-1, 0x1.b5acbdcf56c2ap-56 },
    { born__cos_f64, 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110 },
    { born__cos_f64, 0x1.0f0cf064dd592p+73, 0x1.0be2cef01c8f4p-1, -0x1.b2d1bc8018c4fp-55 },
    { born__cos_f64, 0x1.6ac5b262ca1ffp+849, -0x1.14ae72e6ba22fp-61, 0x1.73eef1477d90ep-118 },
    { born__cos_f64, 0x1.7e43c8800759cp+996, -0x1.2699022adc4c1p-1, 0x1.edd5594b5c574p-56 },
    { born__cos_f64, 0x1.6000000000000p+3, 0x1.220ae41ee2fdfp-8, 0x1.7f17841b97bf3p-62 },
    { born__cos_f64, 0x1.dcd6500000000p+28, -0x1.eacfa519daddcp-1, -0x1.888bdd5041165p-56 },
    { born__cos_f64, 0x1.0000000000000p-1, 0x1.c1528065b7d50p-1, -0x1.892111312e828p-55 },
    { born__tan_f64, 0x1.921fb54442d18p+0, 0x1.d02967c31cdb5p+53, -0x1.f3c72fe49aa2ap-3 },
    { born__tan_f64, 0x1.0f0cf064dd592p+73, -0x1.a0f79c1b6b257p+0, -0x1.d27810f5737ddp-54 },
    { born__tan_f64, 0x1.6ac5b262ca1ffp+849, -0x1.d9ba9a7975636p+60, 0x1.714cf36c65449p+6 },
    { born__tan_f64, 0x1.921fb54442d18p-1, 0x1.fffffffffffffp-1, 0x1.cb3b399d747f3p-55 },
    { born__tan_f64, 0x1.921fb54442d18p+1, -0x1.1a62633145c07p-53, 0x1.f1976b7ed8fbap-109 },
    { born__tan_f64, -0x1.2666666666666p+1, 0x1.1e84c9047c337p+0, 0x1.094467fcc0400p-54 },
    { born__asin_f64, 0x1.0000000000000p-1, 0x1.0c152382d7366p-1, -0x1.ee6913347c2a6p-55 },
    { born__asin_f64, 0x1.0000000000001p-1, 0x1.0c152382d7367p-1, -0x1.4fff41d06f634p-55 },
    { born__asin_f64, 0x1.fffffffffffffp-1, 0x1.921fb50442d18p+0, 0x1.1a6263269b15cp-54 },
    { born__asin_f64, -0x1.0000000000000p-2, -0x1.02be9ce0b87cdp-2, -0x1.e5d09da2e0f04p-58 },
    { born__asin_f64, 0x1.0000000000000p+0, 0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54 },
    { born__acos_f64, 0x1.0000000000000p-1, 0x1.0c152382d7366p+0, -0x1.ee6913347c2a6p-54 },
    { born__acos_f64, -0x1.fffffffffffffp-1, 0x1.921fb52442d18p+1, 0x1.1a62632bf06b2p-53 },
    { born__acos_f64, 0x1.fffffffffffffp-1, 0x1.0000000000000p-26, 0x1.5555555555555p-83 },
    { born__acos_f64, 0x1.79ca10c924223p-67, 0x1.921fb54442d18p+0, 0x1.1a5694e0bf775p-54 },
    { born__acos_f64, -0x1.6666666666666p-1, 0x1.2c501446cd5f1p+1, 0x1.db79e60431a1bp-53 },
    { born__atan_f64, 0x1.c000000000000p-2, 0x1.a64eec3cc23fdp-2, -0x1.24dec1b50b7ffp-56 },
    { born__atan_f64, 0x1.6000000000000p-1, 0x1.345f01cce37bbp-1, 0x1.1021137c71102p-55 },
    { born__atan_f64, 0x1.3000000000000p+0, 0x1.bde70ed439fe7p-1, -0x1.a2b56372c05efp-56 },
    { born__atan_f64, 0x1.3800000000000p+1, 0x1.2e75728833a54p+0, 0x1.16e3ef7326bdap-56 },
    { born__atan_f64, 0x1.dcd6500000000p+29, 0x1.921fb53ff74e9p+0, -0x1.680b0619e2083p-54 },
    { born__atan_f64, 0x1.4f8b588e368f1p-17, 0x1.4f8b588e06854p-17, -0x1.1497211c788bep-71 },
};

TEST(math64_known_values)
{
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        const known *k = &values[i];
        double got = k->fn(k->x), place = nextafter(fabs(k->high), INFINITY) - fabs(k->high);
        double off = fabs((got - k->high) / place - k->low / place);
        CHECK_MSG(off <= 1, "value %d at %a: %a is %g ULP from %a", (int)i, k->x, got, off, k->high);
    }
}

TEST(math64_same_bits_everywhere)
{
    static double (*const fn[])(double) = {
        born__exp_f64,  born__expm1_f64, born__log_f64,   born__log1p_f64, born__sinh_f64, born__cosh_f64,
        born__tanh_f64, born__asinh_f64, born__acosh_f64, born__atanh_f64, born__erf_f64,  born__sin_f64,
        born__cos_f64,  born__tan_f64,   born__asin_f64,  born__acos_f64,  born__atan_f64
    };
    uint64_t hash = 14695981039346656037u, seed = 7; /* FNV-1a by words */
    for (int i = 0; i < 20000; i++) {
        double x = i & 1 ? draw(&seed) * 8 - 4 : born__f64_from((uint64_t)(draw(&seed) * 0x1p53) << 11);
        double y = draw(&seed) * 60 - 30;
        for (size_t k = 0; k <= sizeof fn / sizeof fn[0]; k++) {
            double z = k < sizeof fn / sizeof fn[0] ? fn[k](x) : born__pow_f64(x, y);
            hash = (hash ^ (z != z ? 0x7ff8000000000000u : born__f64_bits(z))) * 1099511628211u;
        }
    }
    CHECK_MSG(hash == 0x6728c13eb838aab3u, "the results' hash is %016llx", (unsigned long long)hash);
}

TEST_MAIN

/* Special functions against values of 40 digits, at their poles and infinities, and their gradients against finite
   differences. */
#include "support_fd.h"

static const struct { born_op_id op; int n; double x, want; } known[] = {
    { BORN_OP_ERFC, 0, -3.0, 1.9999779095030014 },
    { BORN_OP_ERFC, 0, -0.25, 1.2763263901682369 },
    { BORN_OP_ERFC, 0, 0.0, 1.0 },
    { BORN_OP_ERFC, 0, 0.5, 0.47950012218695346 },
    { BORN_OP_ERFC, 0, 2.0, 0.0046777349810472658 },
    { BORN_OP_ERFC, 0, 9.0, 4.1370317465138102e-37 },
    { BORN_OP_ERFC, 0, 26.0, 5.6631924088561428e-296 },
    { BORN_OP_ERFCX, 0, -4.0, 17772220.904016288 },
    { BORN_OP_ERFCX, 0, -0.5, 1.9523604891825571 },
    { BORN_OP_ERFCX, 0, 0.0, 1.0 },
    { BORN_OP_ERFCX, 0, 1.0, 0.427583576155807 },
    { BORN_OP_ERFCX, 0, 3.0, 0.17900115118138995 },
    { BORN_OP_ERFCX, 0, 50.0, 0.011281536265323773 },
    { BORN_OP_ERFCX, 0, 1000000000.0, 5.6418958354775629e-10 },
    { BORN_OP_ERFINV, 0, -0.999, -2.3267537655135245 },
    { BORN_OP_ERFINV, 0, -0.3, -0.27246271472675435 },
    { BORN_OP_ERFINV, 0, 1e-09, 8.8622692545275807e-10 },
    { BORN_OP_ERFINV, 0, 0.5, 0.47693627620446987 },
    { BORN_OP_ERFINV, 0, 0.75, 0.81341984759761854 },
    { BORN_OP_ERFINV, 0, 0.9999999999, 4.5728249585449249 },
    { BORN_OP_NDTR, 0, -30.0, 4.9067139271481871e-198 },
    { BORN_OP_NDTR, 0, -2.0, 0.022750131948179207 },
    { BORN_OP_NDTR, 0, 0.0, 0.5 },
    { BORN_OP_NDTR, 0, 1.5, 0.93319279873114193 },
    { BORN_OP_LOG_NDTR, 0, -40.0, -804.60844201375379 },
    { BORN_OP_LOG_NDTR, 0, -1.5, -2.7059444008238898 },
    { BORN_OP_LOG_NDTR, 0, 0.0, -0.69314718055994531 },
    { BORN_OP_LOG_NDTR, 0, 3.0, -0.0013508099647481938 },
    { BORN_OP_LGAMMA, 0, -10.5, -15.147270590717841 },
    { BORN_OP_LGAMMA, 0, -0.25, 1.589575312551186 },
    { BORN_OP_LGAMMA, 0, 1e-05, 11.512919692895826 },
    { BORN_OP_LGAMMA, 0, 0.75, 0.20328095143129537 },
    { BORN_OP_LGAMMA, 0, 1.25, -0.098271836421813161 },
    { BORN_OP_LGAMMA, 0, 1.875, -0.0476726853991883 },
    { BORN_OP_LGAMMA, 0, 2.5, 0.28468287047291916 },
    { BORN_OP_LGAMMA, 0, 7.0, 6.579251212010101 },
    { BORN_OP_LGAMMA, 0, 1000000.0, 12815504.569147612 },
    { BORN_OP_DIGAMMA, 0, -3.75, -1.6923885983113303 },
    { BORN_OP_DIGAMMA, 0, 0.001, -1000.5755719318103 },
    { BORN_OP_DIGAMMA, 0, 0.5, -1.9635100260214235 },
    { BORN_OP_DIGAMMA, 0, 1.4375, -0.023613544005297899 },
    { BORN_OP_DIGAMMA, 0, 30.0, 3.3844381326855249 },
    { BORN_OP_POLYGAMMA, 1, -0.5, 8.9348022005446793 },
    { BORN_OP_POLYGAMMA, 1, 0.125, 65.388133444988034 },
    { BORN_OP_POLYGAMMA, 1, 3.0, 0.39493406684822644 },
    { BORN_OP_POLYGAMMA, 1, 1000.0, 0.0010005001666666333 },
    { BORN_OP_POLYGAMMA, 4, -1.5, -0.31375599950673136 },
    { BORN_OP_POLYGAMMA, 4, 0.5, -771.47424982666723 },
    { BORN_OP_POLYGAMMA, 4, 12.0, -0.00034091005070108939 },
    { BORN_OP_BESSEL_I0, 0, -3.0, 4.8807925858650241 },
    { BORN_OP_BESSEL_I0, 0, 0.0, 1.0 },
    { BORN_OP_BESSEL_I0, 0, 19.5, 26760525.339838766 },
    { BORN_OP_BESSEL_I0, 0, 25.0, 5774560606.4663103 },
    { BORN_OP_BESSEL_I0, 0, 700.0, 1.5295933476718737e+302 },
    { BORN_OP_BESSEL_I1, 0, -3.0, -3.9533702174026094 },
    { BORN_OP_BESSEL_I1, 0, 0.0, 0.0 },
    { BORN_OP_BESSEL_I1, 0, 19.5, 26065069.264457166 },
    { BORN_OP_BESSEL_I1, 0, 25.0, 5657865129.8787014 },
    { BORN_OP_BESSEL_I1, 0, 700.0, 1.5285003902339007e+302 },
};

static double at(born_op_id op, int n, born_dtype t, double x)
{
    const born_polygamma_attrs a = { .n = n };
    tape *p = tape_new();
    born_val v = tape_put(p, t, 0, NULL, &x);
    double r = tape_at(p, tape_run(p, op, op == BORN_OP_POLYGAMMA ? (const void *)&a : NULL, &v, 1), 0);
    tape_free(p);
    return r;
}

TEST(special_values)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        double got = at(known[i].op, known[i].n, BORN_F64, known[i].x), want = known[i].want;
        /* far tails take the rounding of x * x along; below 0 the terms of polygamma have both signs */
        bool worse = known[i].x < -20 || (known[i].op == BORN_OP_POLYGAMMA && known[i].x < 0);
        CHECK_MSG(fabs(got - want) <= (worse ? 4e-13 : 4e-15) * fabs(want), "row %d: %.17g, not %.17g", (int)i, got,
                  want);
        if (fabs(want) > 1e37 || fabs(want) < 1e-36 || fabs((double)(float)known[i].x - known[i].x) > 0) continue;
        double f32 = at(known[i].op, known[i].n, BORN_F32, known[i].x);
        CHECK_MSG(f32 == (double)(float)want, "row %d in f32: %.9g, not %.9g", (int)i, f32, (double)(float)want);
    }
}

TEST(special_ends)
{
    static const struct { born_op_id op; double x, want;
    } ends[] = {
        { BORN_OP_ERFC, INFINITY, 0 },
        { BORN_OP_ERFC, -INFINITY, 2 },
        { BORN_OP_ERFC, NAN, NAN },
        { BORN_OP_ERFCX, INFINITY, 0 },
        { BORN_OP_ERFCX, -30, INFINITY },
        { BORN_OP_ERFINV, 1, INFINITY },
        { BORN_OP_ERFINV, -1, -INFINITY },
        { BORN_OP_ERFINV, 1.5, NAN },
        { BORN_OP_ERFINV, 0, 0 },
        { BORN_OP_NDTR, -INFINITY, 0 },
        { BORN_OP_NDTR, INFINITY, 1 },
        { BORN_OP_LOG_NDTR, INFINITY, 0 },
        { BORN_OP_LGAMMA, 0, INFINITY },
        { BORN_OP_LGAMMA, -3, INFINITY },
        { BORN_OP_LGAMMA, 1, 0 },
        { BORN_OP_LGAMMA, -INFINITY, INFINITY },
        { BORN_OP_LGAMMA, 2, 0 },
        { BORN_OP_DIGAMMA, 0.0, -INFINITY },
        { BORN_OP_DIGAMMA, -0.0, INFINITY },
        { BORN_OP_DIGAMMA, -2, NAN },
        { BORN_OP_DIGAMMA, NAN, NAN },
        { BORN_OP_POLYGAMMA, -2, NAN },
        { BORN_OP_BESSEL_I0, INFINITY, INFINITY },
        { BORN_OP_BESSEL_I1, -INFINITY, -INFINITY },
        { BORN_OP_BESSEL_I0, 800, INFINITY },
        { BORN_OP_BESSEL_I0, NAN, NAN },
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        double got = at(ends[i].op, 0, BORN_F64, ends[i].x);
        CHECK_MSG(isnan(ends[i].want) ? isnan(got) : got == ends[i].want, "row %d: %.17g", (int)i, got);
    }
    CHECK(at(BORN_OP_POLYGAMMA, 1, BORN_F64, -2) == INFINITY);
}

/* An argument that would take forever to be raised by recurrence, and the largest order. */
TEST(special_hostile)
{
    CHECK(isnan(at(BORN_OP_POLYGAMMA, 3, BORN_F64, -1e300)));
    CHECK(isfinite(at(BORN_OP_POLYGAMMA, 100, BORN_F64, 20.5)));
    CHECK(isnan(at(BORN_OP_DIGAMMA, 0, BORN_F64, -1e300)));
}

TEST(special_gradients)
{
    static const struct { born_op_id op; double lo, hi;
    } range[] = {
        { BORN_OP_ERFC, -2, 2 },     { BORN_OP_ERFCX, -1, 3 },     { BORN_OP_ERFINV, -0.9, 0.9 },
        { BORN_OP_NDTR, -2, 2 },     { BORN_OP_LOG_NDTR, -6, 3 },  { BORN_OP_LGAMMA, 0.3, 6 },
        { BORN_OP_DIGAMMA, 0.4, 6 }, { BORN_OP_BESSEL_I0, -3, 3 }, { BORN_OP_BESSEL_I1, -3, 3 },
    };
    for (size_t i = 0; i < sizeof range / sizeof range[0]; i++)
        FD_CHECK(.what = "special", .op = range[i].op,
                 .in = { { BORN_F64, 2, { 3, 4 }, NULL, range[i].lo, range[i].hi, false } });
    for (int n = 0; n < 3; n++)
        FD_CHECK(.what = "polygamma", .op = BORN_OP_POLYGAMMA, .attrs = &(born_polygamma_attrs){ .n = n },
                 .in = { { BORN_F64, 1, { 7 }, NULL, 0.8, 5, false } });
}

TEST_MAIN

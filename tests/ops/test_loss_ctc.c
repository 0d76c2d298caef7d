/* ctc_loss against the sum over every path, and its gradient against differences. */
#include "support_fd.h"

#define MOST_T 4
enum { C = 3 };

/* The probability of a target of n labels: each of the C^T paths, joined and without blanks, that spells it. */
static double probability(const double *log_p, int64_t sequences, int n, int64_t T, const double *target, int64_t S,
                          int blank)
{
    double total = 0;
    int paths = 1;
    for (int64_t t = 0; t < T; t++) paths *= C;
    for (int p = 0; p < paths; p++) {
        double log_path = 0;
        int64_t met = 0;
        bool same = true;
        for (int64_t t = 0, rest = p, last = -1; t < T; t++, rest /= C) {
            int64_t c = rest % C;
            log_path += log_p[(t * sequences + n) * C + c];
            if (c != blank && c != last) {
                same = same && met < S && target[met] == (double)c;
                met++;
            }
            last = c;
        }
        if (same && met == S) total += exp(log_path);
    }
    return total;
}

static void check_losses(int blank, bool joined)
{
    static const double padded[] = { 1, 2, 2, 2, 1, 0, 1, 1 }, flat[] = { 1, 2, 2, 2, 1, 1, 1 };
    static const double moved[] = { 0, 1, 1, 1, 0, 0, 0, 0 }, moved_flat[] = { 0, 1, 1, 1, 0, 0, 0 };
    const double steps[] = { 4, 3, 4, 2 }, lengths[] = { 2, 2, 1, 2 };
    const double *all = blank ? moved : padded, *line = blank ? moved_flat : flat;
    double log_p[MOST_T * 4 * C];
    uint64_t seed = 5;
    for (int r = 0; r < MOST_T * 4; r++) {
        double sum = 0;
        for (int c = 0; c < C; c++) sum += exp(log_p[r * C + c] = tape_random(&seed, -2, 2));
        for (int c = 0; c < C; c++) log_p[r * C + c] -= log(sum);
    }
    tape *t = tape_new();
    born_val in[4] = { tape_put(t, BORN_F64, 3, (int64_t[]){ MOST_T, 4, C }, log_p),
                       joined ? tape_put(t, BORN_I64, 1, (int64_t[]){ 7 }, line)
                              : tape_put(t, BORN_I32, 2, (int64_t[]){ 4, 2 }, all),
                       tape_put(t, BORN_I64, 1, (int64_t[]){ 4 }, steps),
                       tape_put(t, BORN_I64, 1, (int64_t[]){ 4 }, lengths) };
    const born_ctc_attrs a = { .blank = blank };
    born_val y = tape_run(t, BORN_OP_CTC_LOSS, &a, in, 4);
    if (CHECK_MSG(y != 0, "%s", t->emit.err.text))
        for (int n = 0, at = 0; n < 4; at += (int)lengths[n], n++) {
            const double *target = joined ? line + at : all + 2 * n;
            double p = probability(log_p, 4, n, (int64_t)steps[n], target, (int64_t)lengths[n], blank);
            double want = -log(p), got = tape_at(t, y, n);
            CHECK_MSG(fabs(got - want) < 1e-12 || (isinf(want) && got == want), "sequence %d: %.15g, not %.15g", n, got,
                      want);
        }
    tape_free(t);
}

TEST(ctc_sums_every_path)
{
    for (int way = 0; way < 4; way++) check_losses(way & 1 ? 2 : 0, way & 2);
}

#define GIVEN(t, v, ...)                                                                                              \
    { BORN_##t, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, v, 0, 0, true }

#define SCORES(T, N) { BORN_F64, 3, { T, N, C }, NULL, -3, -0.5, false }

TEST(ctc_gradient)
{
    static const double labels[] = { 1, 2, 2, 2, 1, 0 }, steps[] = { 4, 3, 5 }, lengths[] = { 2, 2, 1 }, none[] = { 0 };
    FD_CHECK(.what = "padded", .op = BORN_OP_CTC_LOSS, .first_only = true,
             .in = { SCORES(5, 3), GIVEN(I64, labels, 3, 2), GIVEN(I64, steps, 3),
                     GIVEN(I64, lengths, 3) });
    FD_CHECK(.what = "empty target", .op = BORN_OP_CTC_LOSS, .first_only = true,
             .in = { SCORES(4, 1), GIVEN(I64, labels, 1, 2), GIVEN(I64, steps, 1),
                     GIVEN(I64, none, 1) });
    const born_ctc_attrs zero = { .zero_infinity = true };
    static const double short_steps[] = { 1 }, two[] = { 2 };
    FD_CHECK(.what = "impossible", .op = BORN_OP_CTC_LOSS, .attrs = &zero, .first_only = true,
             .in = { SCORES(4, 1), GIVEN(I64, labels, 1, 2),
                     GIVEN(I64, short_steps, 1), GIVEN(I64, two, 1) });
}

TEST(ctc_refuses)
{
    static const double labels[] = { 1, 3 }, blank[] = { 1, 0 }, good[] = { 1, 2 }, two[] = { 2 }, five[] = { 5 };
    static const double x[4 * C] = { 0 };
    const struct { const double *labels, *steps, *lengths; } bad[] = {
        { labels, two, two }, { blank, two, two }, { good, five, two }, { good, two, five },
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        tape *t = tape_new();
        born_val in[4] = { tape_put(t, BORN_F64, 3, (int64_t[]){ 4, 1, C }, x),
                           tape_put(t, BORN_I64, 2, (int64_t[]){ 1, 2 }, bad[i].labels),
                           tape_put(t, BORN_I64, 1, (int64_t[]){ 1 }, bad[i].steps),
                           tape_put(t, BORN_I64, 1, (int64_t[]){ 1 }, bad[i].lengths) };
        CHECK(tape_run(t, BORN_OP_CTC_LOSS, NULL, in, 4) == 0);
        CHECK_INT(t->emit.err.status, BORN_RANGE);
        tape_free(t);
    }
}

TEST_MAIN

/* Which elementwise calls become one program: groups and cuts step by step, and random graphs that give the same bits
   with and without the pass. */
#include <born/born.h>
#include <math.h>

#include "graph/fusion.h"
#include "harness.h"

/* ---- groups ---------------------------------------------------------------------------------------------------- */

static const int64_t wide[2] = { 3, 5 }, narrow[1] = { 5 };

static int32_t add(born_fusion *f, born_op_id op, const int64_t *dim, int rank, int32_t x, int32_t y, int uses)
{
    born_fusion_step *s = born__fusion_new(f);
    if (!CHECK(s)) return 0;
    *s = (born_fusion_step){ .op = &born__ops[op], .dim = dim, .rank = rank, .in_count = born__ops[op].max_in,
                             .in = { x, y }, .uses = uses };
    born__fusion_add(f);
    return (int32_t)f->steps - 1;
}

TEST(a_chain_is_one_program)
{
    born_fusion f = { 0 };
    born_fusion_program p;
    int32_t v = add(&f, BORN_OP_MUL, wide, 2, ~0, ~1, 1);
    for (int i = 0; i < 30; i++) v = add(&f, BORN_OP_ADD, wide, 2, v, ~(i % 3), 1);
    CHECK_INT(born__fusion_next(&f, f.step[v].group, 0, &p), 31);
    CHECK_INT(p.inputs, 3);
    CHECK_INT(p.outputs, 1);
    CHECK_INT(p.out[0], v);
    CHECK_INT(p.in[2], ~2);
    for (int k = 0; k < 31; k++) CHECK(p.code[k * BORN_FUSED_FIELDS + 1] < 2);  /* two registers are enough */
    born__fusion_free(&f);
}

TEST(results_that_others_read_cut_a_chain)
{
    born_fusion f = { 0 };
    born_fusion_program p;
    int32_t v = add(&f, BORN_OP_MUL, wide, 2, ~0, ~1, 2);
    for (int i = 1; i < 10; i++) v = add(&f, BORN_OP_ADD, wide, 2, v, ~1, i == 9 ? 1 : 2);
    int32_t group = f.step[v].group;
    CHECK_INT(born__fusion_next(&f, group, 0, &p), BORN_FUSED_RESULTS);
    CHECK_INT(p.outputs, BORN_FUSED_RESULTS);
    CHECK_INT(born__fusion_next(&f, group, 4, &p), 4);
    CHECK_INT(p.inputs, 2);
    CHECK_INT(p.in[0], 3);              /* the result of step 3, made by the program before */
    CHECK_INT(born__fusion_next(&f, group, 8, &p), 2);
    born__fusion_free(&f);
}

TEST(registers_cut_a_group)
{
    enum { LEAVES = 16 };
    born_fusion f = { 0 };
    born_fusion_program p;
    int32_t leaf[LEAVES], v;
    v = add(&f, BORN_OP_ABS, wide, 2, ~0, 0, LEAVES);
    for (int i = 0; i < LEAVES; i++) leaf[i] = add(&f, BORN_OP_NEG, wide, 2, v, 0, 1);
    v = leaf[0];
    for (int i = 1; i < LEAVES; i++) v = add(&f, BORN_OP_ADD, wide, 2, v, leaf[i], 1);
    int32_t group = f.step[v].group;
    CHECK_INT(f.group[group].count, 2 * LEAVES);
    int steps = 0, programs = 0;
    for (int n; steps < 2 * LEAVES; steps += n, programs++) {
        n = born__fusion_next(&f, group, steps, &p);
        if (!CHECK(n >= 1)) break;
        for (int k = 0; n > 1 && k < n; k++) CHECK(p.code[k * BORN_FUSED_FIELDS + 1] < BORN_FUSED_REGISTERS);
        CHECK(n == 1 || p.outputs <= BORN_FUSED_RESULTS);
    }
    CHECK_INT(steps, 2 * LEAVES);
    CHECK(programs > 1);
    born__fusion_free(&f);
}

TEST(readers_and_sizes_close_groups)
{
    born_fusion f = { 0 };
    int32_t a = add(&f, BORN_OP_ABS, narrow, 1, ~0, 0, 2), b = add(&f, BORN_OP_ADD, wide, 2, a, ~1, 1);
    CHECK(f.step[a].group != f.step[b].group);
    int32_t c = add(&f, BORN_OP_NEG, narrow, 1, a, 0, 1);
    CHECK(f.step[c].group != f.step[a].group);          /* it has been read outside */
    int32_t d = add(&f, BORN_OP_NEG, wide, 2, b, 0, 1);
    CHECK_INT(f.step[d].group, f.step[b].group);
    born__fusion_read(&f, d);
    int32_t e = add(&f, BORN_OP_NEG, wide, 2, d, 0, 1);
    CHECK(f.step[e].group != f.step[d].group);
    born__fusion_barrier(&f);
    int32_t g = add(&f, BORN_OP_ADD, wide, 2, e, d, 0);
    CHECK(f.step[g].group != f.step[e].group);
    CHECK_INT(f.group[f.step[g].group].inputs, 2);
    born__fusion_drop_unused(&f);
    CHECK_INT(f.group[f.step[g].group].count, 0);
    born__fusion_free(&f);
}

TEST(a_step_joins_two_groups_in_order)
{
    born_fusion f = { 0 };
    born_fusion_program p;
    int32_t a = add(&f, BORN_OP_ABS, wide, 2, ~0, 0, 1), b = add(&f, BORN_OP_NEG, wide, 2, ~1, 0, 1);
    int32_t c = add(&f, BORN_OP_EXP, wide, 2, a, 0, 1), d = add(&f, BORN_OP_MUL, wide, 2, b, c, 1);
    const born_fusion_group *g = &f.group[f.step[d].group];
    CHECK_INT(g->count, 4);
    for (int k = 0; k < 4; k++) CHECK_INT(f.step[g->step[k]].place, k);
    CHECK(g->step[0] == a && g->step[1] == b && g->step[2] == c && g->step[3] == d);
    CHECK_INT(born__fusion_next(&f, f.step[d].group, 0, &p), 4);
    CHECK_INT(p.inputs, 2);
    /* seventeen operands are one too many: the last step begins anew */
    int32_t v = d;
    for (int i = 2; i < 17; i++) v = add(&f, BORN_OP_ADD, wide, 2, v, ~i, 1);
    CHECK_INT(f.group[f.step[d].group].inputs, BORN_FUSED_INPUTS);
    CHECK(f.step[v].group != f.step[d].group);
    born__fusion_free(&f);
}

/* ---- graphs ---------------------------------------------------------------------------------------------------- */

enum { ROWS = 4, COLS = 70, INPUTS = 4, VALUES = 80, OUTPUTS = 24 };

static uint64_t state;
static unsigned below(unsigned n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % n;
}

static born_f32 random_call(born_f32 x, born_f32 y)
{
    switch (below(8)) {
    case 0: return born_add(x, y);
    case 1: return born_mul(x, y);
    case 2: return born_max(x, born_mul(y, 0.5));
    case 3: return born_where(born_lt(x, y), x, y);
    case 4: return born_tanh(x);
    case 5: return born_leaky_relu(x, NULL);
    case 6: return born_transpose(born_transpose(born_sub(x, y), (born_ints){ 0 }), (born_ints){ 0 });
    default: return born_neg(born_abs(x));
    }
}

/* A graph of random calls, of which the last `outputs` values are results. */
static born_graph *random_graph(uint64_t seed, int outputs)
{
    static float data[ROWS * COLS];
    static const born_shape shape[INPUTS] = { { 2, { ROWS, COLS } }, { 2, { ROWS, COLS } }, { 1, { COLS } },
                                              { 2, { ROWS, 1 } } };
    born_backend *b = born_trace(born_cpu(&(born_cpu_desc){ .threads = 1 }));
    born_error err = { 0 };
    born_graph *g = NULL;
    born_f32 v[VALUES];
    born_tensor in[INPUTS], out[OUTPUTS];
    state = seed;
    for (int i = 0; i < INPUTS; i++) in[i] = (v[i] = born_from_f32(b, (born_array){ BORN_F32, shape[i], data, 0 })).any;
    CHECK_OK(born_trace_begin(b, in, INPUTS, &err), &err);
    for (int i = INPUTS; i < VALUES; i++) {
        born_f32 near = v[i - 1 - (int)below(i < 8 ? 3 : 7)];
        v[i] = random_call(near, v[below((unsigned)i)]);
    }
    for (int i = 0; i < outputs; i++) out[i] = v[VALUES - 1 - i].any;
    CHECK_OK(born_trace_end(b, out, outputs, &g, &err), &err);
    born_backend_close(&b);
    return g;
}

static size_t run(uint64_t seed, int outputs, const char *off, float *to)
{
    static float data[INPUTS][ROWS * COLS];
    born_graph *g = random_graph(seed, outputs);
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err = { 0 };
    born_array out[OUTPUTS];
    size_t n = 0;
    for (int i = 0; i < INPUTS; i++)
        for (int k = 0; k < ROWS * COLS; k++) data[i][k] = (float)((int)below(2001) - 1000) * 1e-3f;
    born_array in[INPUTS] = { BORN_ARRAY(data[0], ROWS, COLS), BORN_ARRAY(data[1], ROWS, COLS),
                              BORN_ARRAY(data[2], COLS), BORN_ARRAY(data[3], ROWS, 1) };
    if (CHECK_OK(born_model_from_graph(&g, &(born_model_desc){ .passes_off = off }, &m, &err), &err) &&
        CHECK_OK(born_session_open(m, &(born_session_desc){ .threads = 1 }, &s, &err), &err) &&
        CHECK_OK(born_session_run(s, in, INPUTS, out, outputs, &err), &err))
        for (int i = 0; i < outputs; i++) {
            const float *p;
            size_t count;
            if (!CHECK_OK(born_array_f32(&out[i], &p, &count, &err), &err)) break;
            memcpy(to + n, p, count * sizeof *p);
            n += count;
        }
    born_session_close(&s);
    born_model_close(&m);
    return n;
}

TEST(random_graphs_give_the_same_bits)
{
    static float want[OUTPUTS * ROWS * COLS], got[OUTPUTS * ROWS * COLS];
    for (uint64_t seed = 1; seed <= 40; seed++) {
        int outputs = seed % 2 ? 1 + (int)(seed % 5) : OUTPUTS;
        size_t n = run(seed, outputs, "fuse_elementwise", want);
        CHECK_INT(run(seed, outputs, NULL, got), n);
        CHECK_MSG(n > 0 && !memcmp(want, got, n * sizeof *want), "graph %llu gives other bits",
                  (unsigned long long)seed);
    }
}

TEST_MAIN

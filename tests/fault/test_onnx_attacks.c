/* Hostile models made by hand, each after a failure published about some reader or runtime: nesting, counts and sizes
   that lie, names defined twice, functions that never end, attributes and indices that kernels must not trust. Every
   one ends in a status with a text. */
#include "harness.h"
#include "support_model.h"
#include "support_pb.h"

#include <limits.h>

static const size_t cap = (size_t)64 << 20;
static const int64_t cube[4] = { 1, 4, 4, 4 };

/* Runs the model (freed) and checks that it failed with a text. */
static void must_fail(const char *what, pbw *m)
{
    born_error err = { .status = BORN_OK };
    bool ran;
    born_status st = support_run(m->p, m->n, cap, &ran, &err);

    CHECK_MSG(st != BORN_OK, "%s was accepted", what);
    CHECK_MSG(st == BORN_OK || err.text[0], "%s: no text", what);
    CHECK_MSG(st != BORN_INTERNAL, "%s: %s", what, err.text);
    pbw_free(m);
}

/* Runs the model (freed): any status will do. */
static void must_end(const char *what, pbw *m)
{
    born_error err = { .status = BORN_OK };
    bool ran;
    born_status st = support_run(m->p, m->n, cap, &ran, &err);

    CHECK_MSG(st == BORN_OK || err.text[0], "%s: no text", what);
    pbw_free(m);
}

static pbw graph_xy(void)
{
    pbw g = { 0 };

    pbw_value(&g, 11, "x", cube, 4);
    pbw_value(&g, 12, "y", NULL, -1);
    return g;
}

/* --- wire format --- */

TEST(malformed_bytes)
{
    static const struct { const char *what, *bytes; size_t n; } cases[] = {
        { "nothing", "", 0 },
        { "a varint that never ends", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 13 },
        { "a length beyond the end", "\x3a\xff\xff\xff\xff\x0f", 6 },
        { "a length of 2^64 - 1", "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11 },
        { "a group", "\x3b\x3c", 2 },
        { "field 0", "\x02\x00", 2 },
        { "a cut varint", "\x08\x80", 2 },
        { "a graph that is a number", "\x38\x01", 2 },
        { "text", "hello, this is no model", 23 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pbw m = { 0 };
        pbw_raw(&m, cases[i].bytes, cases[i].n);
        must_fail(cases[i].what, &m);
    }
}

/* CVE-2026-0994 and its kind: recursion over the input's depth. */
TEST(graphs_nested_without_end)
{
    for (int depth = 10; depth <= 10000; depth *= 10) {
        pbw g = graph_xy();
        pbw_node(&g, "Relu", "x", NULL, "y", NULL);
        for (int i = 0; i < depth; i++) {
            pbw a = { 0 }, attrs = { 0 }, outer = graph_xy();
            pbw_text(&a, 1, "then_branch");
            pbw_int(&a, 20, 5);
            pbw_message(&a, 6, &g);
            pbw_message(&attrs, 5, &a);
            pbw_node(&outer, "If", "x", NULL, "y", &attrs);
            g = outer;
        }
        pbw m = pbw_model(&g, 16);
        must_fail("nested graphs", &m);
    }
}

TEST(types_nested_without_end)
{
    pbw type = { 0 }, value = { 0 }, g = { 0 };

    pbw_int(&type, 1, 1);
    for (int i = 0; i < 5000; i++) {
        pbw seq = { 0 }, outer = { 0 };
        pbw_message(&seq, 1, &type);
        pbw_message(&outer, 4, &seq);
        type = outer;
    }
    pbw_text(&value, 1, "x");
    pbw_message(&value, 2, &type);
    pbw_message(&g, 11, &value);
    pbw m = pbw_model(&g, 16);
    must_fail("nested types", &m);
}

/* Two bytes in the file, a hundred in memory: counts are charged before they are believed. */
TEST(millions_of_empty_things)
{
    static const unsigned char node[2] = { 0x0a, 0 }, init[2] = { 0x2a, 0 }, value[2] = { 0x6a, 0 };
    const unsigned char *const kinds[] = { node, init, value };

    for (int k = 0; k < 3; k++) {
        pbw g = graph_xy();
        for (int i = 0; i < 2000000; i++) pbw_raw(&g, kinds[k], 2);
        pbw m = pbw_model(&g, 16);
        must_fail("millions of empty messages", &m);
    }
}

/* --- tensors --- */

static pbw with_tensor(const uint64_t *dim, int rank, int type, size_t raw_bytes)
{
    pbw g = graph_xy(), t = { 0 };
    unsigned char *raw = calloc(1, raw_bytes + 1);

    pbw_node(&g, "Add", "x", "w", "y", NULL);
    for (int i = 0; i < rank; i++) pbw_int(&t, 1, dim[i]);
    pbw_int(&t, 2, (uint64_t)type);
    pbw_text(&t, 8, "w");
    pbw_bytes(&t, 9, raw, raw_bytes);
    free(raw);
    pbw_message(&g, 5, &t);
    return pbw_model(&g, 16);
}

TEST(tensor_sizes_that_lie)
{
    const uint64_t big[] = { (uint64_t)1 << 62, 4 }, product[] = { (uint64_t)1 << 33, (uint64_t)1 << 33 };
    const uint64_t negative[] = { UINT64_MAX, 4 }, hidden[] = { 0, (uint64_t)1 << 62, (uint64_t)1 << 62 };
    const uint64_t one[17] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, many[] = { 1000000 };
    pbw m = with_tensor(big, 2, 1, 16);

    must_fail("2^62 x 4", &m);
    m = with_tensor(product, 2, 1, 16);
    must_fail("2^33 x 2^33", &m);
    m = with_tensor(negative, 2, 1, 16);
    must_fail("a negative size", &m);
    m = with_tensor(hidden, 3, 1, 0);
    must_fail("an overflow behind a zero", &m);
    m = with_tensor(one, 17, 1, 4);
    must_fail("rank 17", &m);
    m = with_tensor(one, 9, 1, 4);
    must_fail("rank 9", &m);
    m = with_tensor(many, 1, 1, 16);
    must_fail("less data than declared", &m);
    m = with_tensor(one, 1, 1, 400);
    must_fail("more data than declared", &m);
    m = with_tensor(one, 1, 17, 1);
    must_fail("an 8-bit float", &m);
    m = with_tensor(one, 1, 200, 1);
    must_fail("an unknown type", &m);
}

/* --- names and functions --- */

TEST(names)
{
    pbw g = graph_xy();

    pbw_node(&g, "Relu", "x", NULL, "y", NULL);
    pbw_node(&g, "Abs", "x", NULL, "y", NULL);
    pbw m = pbw_model(&g, 16);
    must_fail("a value defined twice", &m);
    g = graph_xy();
    pbw_node(&g, "Relu", "nowhere", NULL, "y", NULL);
    m = pbw_model(&g, 16);
    must_fail("a value defined nowhere", &m);
    g = graph_xy();
    pbw_node(&g, "Add", "x", "b", "a", NULL);
    pbw_node(&g, "Add", "x", "a", "b", NULL);
    pbw_node(&g, "Add", "a", "b", "y", NULL);
    m = pbw_model(&g, 16);
    must_fail("a cycle", &m);
    g = graph_xy();
    pbw_node(&g, "Relu", "x", NULL, "x", NULL);
    pbw_node(&g, "Relu", "x", NULL, "y", NULL);
    m = pbw_model(&g, 16);
    must_fail("an input defined again", &m);
    g = graph_xy();
    pbw_node(&g, "NoSuchOperator", "x", NULL, "y", NULL);
    m = pbw_model(&g, 16);
    must_fail("an unknown operator", &m);
    g = graph_xy();
    pbw_node(&g, "Relu", "x", NULL, "y", NULL);
    m = pbw_model(&g, INT64_MAX);
    must_fail("an opset of the far future", &m);
}

/* Function fK calls f(K+1) `times` times; the last calls `last`. */
static pbw function_tower(int levels, int times, const char *last)
{
    pbw g = graph_xy(), call = { 0 }, opset = { 0 };

    pbw_text(&call, 1, "x");
    pbw_text(&call, 2, "y");
    pbw_text(&call, 4, "f0");
    pbw_text(&call, 7, "mine");
    pbw_message(&g, 1, &call);
    pbw m = pbw_model(&g, 16);
    pbw_text(&opset, 1, "mine");
    pbw_int(&opset, 2, 1);
    pbw_message(&m, 8, &opset);
    for (int k = 0; k < levels; k++) {
        pbw f = { 0 }, own = { 0 };
        char name[16], next[16], from[16], to[16];
        snprintf(name, sizeof name, "f%d", k);
        snprintf(next, sizeof next, "%s%d", "f", k + 1);
        pbw_text(&f, 1, name);
        pbw_text(&f, 10, "mine");
        pbw_text(&f, 4, "a0");
        snprintf(to, sizeof to, "a%d", times);
        pbw_text(&f, 5, to);
        for (int i = 0; i < times; i++) {
            pbw n = { 0 };
            snprintf(from, sizeof from, "a%d", i);
            snprintf(to, sizeof to, "a%d", i + 1);
            pbw_text(&n, 1, from);
            pbw_text(&n, 2, to);
            pbw_text(&n, 4, k + 1 < levels ? next : last);
            if (k + 1 < levels || last[0] == 'f') pbw_text(&n, 7, "mine");
            pbw_message(&f, 7, &n);
        }
        pbw_int(&own, 2, 16);
        pbw_message(&f, 9, &own);
        pbw_message(&m, 25, &f);
    }
    return m;
}

TEST(functions)
{
    pbw m = function_tower(3, 2, "Relu");
    born_error err = { .status = BORN_OK };
    bool ran;

    CHECK_OK(support_run(m.p, m.n, cap, &ran, &err), &err);
    pbw_free(&m);
    m = function_tower(1, 1, "f0");
    must_fail("a function that calls itself", &m);
    m = function_tower(2, 1, "f0");
    must_fail("functions that call each other", &m);
    m = function_tower(11, 8, "Relu");
    must_fail("8^11 nodes", &m);
    m = function_tower(40, 1, "Relu");
    must_fail("forty levels", &m);
}

/* --- attributes that kernels must not trust --- */

typedef struct attack {
    const char *op, *name;
    int count;                  /* 0: one int */
    int64_t v[8];
    int weight;                 /* dims of a constant second operand [weight, 4, 1, 1]; 0: none */
} attack;

TEST(attributes)
{
    static const attack cases[] = {
        { "Conv", "group", 0, { 0 }, 4 }, { "Conv", "group", 0, { -1 }, 4 }, { "Conv", "group", 0, { 3 }, 4 },
        { "Conv", "group", 0, { INT64_MAX }, 4 }, { "Conv", "strides", 2, { 0, 1 }, 4 },
        { "Conv", "strides", 2, { -1, 1 }, 4 }, { "Conv", "strides", 1, { 1 }, 4 },
        { "Conv", "pads", 4, { -5, 0, 0, 0 }, 4 },
        { "Conv", "pads", 4, { INT64_MAX, 0, INT64_MAX, 0 }, 4 }, { "Conv", "pads", 3, { 1, 1, 1 }, 4 },
        { "Conv", "dilations", 2, { INT64_MAX, 1 }, 4 }, { "Conv", "dilations", 2, { 0, 0 }, 4 },
        { "Conv", "kernel_shape", 2, { 7, 7 }, 4 }, { "ConvTranspose", "strides", 2, { INT64_MAX, 2 }, 4 },
        { "ConvTranspose", "output_padding", 2, { INT64_MAX, 2 }, 4 },
        { "ConvTranspose", "output_shape", 2, { INT64_MAX, 2 }, 4 },
        { "MaxPool", "kernel_shape", 2, { 0, 0 }, 0 }, { "MaxPool", "kernel_shape", 2, { INT64_MAX, 1 }, 0 },
        { "MaxPool", "kernel_shape", 5, { 1, 1, 1, 1, 1 }, 0 }, { "AveragePool", "kernel_shape", 2, { -3, 1 }, 0 },
        { "Transpose", "perm", 4, { 0, 1, 1, 3 }, 0 }, { "Transpose", "perm", 4, { 0, 1, 2, 400 }, 0 },
        { "Transpose", "perm", 2, { 1, 0 }, 0 }, { "Concat", "axis", 0, { 100 }, 0 },
        { "Concat", "axis", 0, { INT64_MIN }, 0 }, { "Softmax", "axis", 0, { 9 }, 0 },
        { "ArgMax", "axis", 0, { -9 }, 0 }, { "DepthToSpace", "blocksize", 0, { 0 }, 0 },
        { "DepthToSpace", "blocksize", 0, { 3037000500 }, 0 }, { "SpaceToDepth", "blocksize", 0, { -2 }, 0 },
        { "LRN", "size", 0, { -5 }, 0 }, { "LRN", "size", 0, { 0 }, 0 },
        { "GroupNormalization", "num_groups", 0, { 0 }, 4 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const attack *c = &cases[i];
        char what[80];
        pbw g = graph_xy(), attrs = { 0 };
        if (c->count)
            pbw_attr_ints(&attrs, c->name, c->v, c->count);
        else
            pbw_attr_int(&attrs, c->name, c->v[0]);
        pbw_node(&g, c->op, "x", c->weight ? "w" : NULL, "y", &attrs);
        if (c->weight) {
            pbw t = { 0 };
            float zero[16] = { 0 };
            const uint64_t dim[4] = { 4, 4, 1, 1 };
            for (int k = 0; k < 4; k++) pbw_int(&t, 1, dim[k]);
            pbw_int(&t, 2, 1);
            pbw_text(&t, 8, "w");
            pbw_bytes(&t, 9, zero, sizeof zero);
            pbw_message(&g, 5, &t);
        }
        snprintf(what, sizeof what, "%s %s case %zu", c->op, c->name, i);
        pbw m = pbw_model(&g, 17);
        must_fail(what, &m);
    }
}

/* --- numbers in constant operands --- */

typedef struct operand {
    const char *op;
    int count;
    int64_t v[8];
    bool may_pass;
} operand;

TEST(operands)
{
    static const operand cases[] = {
        { "Reshape", 2, { -1, -1 }, false }, { "Reshape", 2, { -2, 3 }, false }, { "Reshape", 1, { INT64_MAX }, false },
        { "Reshape", 3, { INT64_MAX, INT64_MAX, -1 }, false }, { "Reshape", 2, { 0, -1 }, true },
        { "Expand", 1, { INT64_MAX }, false }, { "Expand", 5, { 1 << 20, 1, 4, 4, 4 }, false },
        { "Expand", 4, { -1, 1, 1, 1 }, false }, { "Tile", 4, { INT64_MAX, 1, 1, 1 }, false },
        { "Tile", 4, { -1, 1, 1, 1 }, false }, { "Tile", 4, { 1 << 21, 1, 1, 1 }, false },
        { "Squeeze", 1, { 1 }, false }, { "Squeeze", 1, { 99 }, false }, { "Unsqueeze", 1, { -99 }, false },
        { "Unsqueeze", 2, { 1, 1 }, false }, { "Unsqueeze", 5, { 0, 1, 2, 3, 4 }, false },
        { "Pad", 8, { INT64_MAX, 0, 0, 0, 0, 0, 0, 0 }, false },
        { "Pad", 8, { INT64_MIN, 0, 0, 0, 0, 0, 0, 0 }, false },
        { "Pad", 7, { 0, 0, 0, 0, 0, 0, 0 }, false }, { "Gather", 1, { 1 }, false }, { "Gather", 1, { -2 }, false },
        { "Gather", 1, { INT64_MIN }, false }, { "GatherND", 4, { 0, 4, 0, 0 }, false },
        { "TopK", 1, { -1 }, false }, { "TopK", 1, { INT64_MAX }, false }, { "Split", 2, { 1, INT64_MAX }, false },
        { "Split", 2, { -1, 2 }, false }, { "ReduceSum", 1, { 7 }, false }, { "ReduceSum", 2, { 1, 1 }, true },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const operand *c = &cases[i];
        char what[80];
        pbw g = graph_xy();
        pbw_node(&g, c->op, "x", "n", "y", NULL);
        pbw_ints(&g, "n", c->v, c->count);
        snprintf(what, sizeof what, "%s case %zu", c->op, i);
        pbw m = pbw_model(&g, 18);
        if (c->may_pass)
            must_end(what, &m);
        else
            must_fail(what, &m);
    }
}

/* Of constants, which are folded as the model is opened, and of an input. */
TEST(nodes_without_output)
{
    static const char *const of[] = { "n", "x" };
    static const int64_t n[2] = { 1, 2 };

    for (int i = 0; i < 2; i++) {
        pbw g = graph_xy();
        pbw_node(&g, "Relu", "x", NULL, "y", NULL);
        pbw_node(&g, "Identity", of[i], NULL, NULL, NULL);
        pbw_ints(&g, "n", n, 2);
        pbw m = pbw_model(&g, 18);
        must_fail("a node without output", &m);
    }
}

TEST(shapes_made_of_numbers)
{
    static const int64_t huge[] = { (int64_t)1 << 40 }, below[] = { -1 };
    static const int64_t product[] = { (int64_t)1 << 32, (int64_t)1 << 32 };
    const int64_t *const v[] = { huge, product, below };
    const int n[] = { 1, 2, 1 };

    for (int i = 0; i < 3; i++) {
        pbw g = graph_xy();
        pbw_ints(&g, "n", v[i], n[i]);
        pbw_node(&g, "ConstantOfShape", "n", NULL, "big", NULL);
        pbw_node(&g, "ReduceMax", "big", NULL, "top", NULL);
        pbw_node(&g, "Add", "x", "top", "y", NULL);
        pbw m = pbw_model(&g, 18);
        must_fail("ConstantOfShape", &m);
    }
}

/* --- what is fed to a session --- */

TEST(inputs_of_the_wrong_kind)
{
    pbw g = graph_xy();
    born_model *m = NULL;
    born_session *s = NULL;
    born_error err = { .status = BORN_OK };
    float x[64] = { 0 };
    int64_t wrong[64] = { 0 };
    born_array out, good = BORN_ARRAY(x, 1, 4, 4, 4);
    const born_array bad[] = {
        BORN_ARRAY(wrong, 1, 4, 4, 4), BORN_ARRAY(x, 1, 4, 4), BORN_ARRAY(x, 2, 4, 4, 2), BORN_ARRAY(x, 1, 4, -4, -4),
        BORN_ARRAY(x, INT64_MAX, INT64_MAX, 4, 4), BORN_ARRAY_OF(BORN_DTYPE_NONE, x, 1, 4, 4, 4),
        { BORN_F32, { 4, { 1, 4, 4, 4 } }, NULL, 0 }, { BORN_F32, { 4, { 1, 4, 4, 4 } }, x, 12 },
        { BORN_F32, { 99, { 1, 4, 4, 4 } }, x, 0 }, { BORN_F32, { -1, { 1, 4, 4, 4 } }, x, 0 },
        { (born_dtype)1000, { 4, { 1, 4, 4, 4 } }, x, 0 },
    };

    pbw_node(&g, "Relu", "x", NULL, "y", NULL);
    pbw bytes = pbw_model(&g, 16);
    REQUIRE_OK(born_model_open_memory(bytes.p, bytes.n, NULL, &m, &err), &err);
    if (CHECK_OK(born_session_open(m, NULL, &s, &err), &err)) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            CHECK_MSG(born_session_run(s, &bad[i], 1, &out, 1, &err) != BORN_OK, "input %zu was accepted", i);
        CHECK(born_session_run(s, &good, 0, &out, 1, &err) != BORN_OK);
        CHECK(born_session_run(s, &good, 1, &out, 2, &err) != BORN_OK);
        CHECK(born_session_run(s, &good, -1, &out, 1, &err) != BORN_OK);
        CHECK_OK(born_session_run(s, &good, 1, &out, 1, &err), &err);
    }
    born_session_close(&s);
    born_model_close(&m);
    pbw_free(&bytes);
}

/* 9 KB that ask for 570 MB of weights. */
TEST(small_file_large_memory)
{
    size_t n = 0;
    unsigned char *bytes = support_read("onnx/light/light_vgg19/model.onnx", &n);
    born_error err = { .status = BORN_OK };
    bool ran;

    if (!bytes) SKIP("light_vgg19 is not there");
    CHECK_STATUS(support_run(bytes, n, cap, &ran, &err), BORN_NOMEM);
    free(bytes);
}

TEST_MAIN

/* The op table and attribute structs: names are found, descriptors hold together, attributes print and read back, copy
   deeply, compare and hash by value; inference refuses what a row does not take. */
#include <math.h>

#include "../harness.h"
#include "ops/attrs_text.h"
#include "support_tape.h"

TEST(registry_finds_every_row)
{
    for (int i = 1; i < BORN_OP_COUNT; i++) {
        const born_op *op = &born__ops[i];
        CHECK_MSG(born__op_find(op->name, strlen(op->name)) == op, "%s is not found", op->name);
        CHECK_MSG(op->id == i && strchr(op->sig, '>') && op->min_in <= op->max_in && op->doc[0], "%s", op->name);
        bool variadic;
        CHECK_MSG(born__op_sig_outputs(op, &variadic) >= 1, "%s has no result", op->name);
    }
    CHECK(born__op_find("matmu", 5) == NULL && born__op_find("", 0) == NULL && born__op_find("add_", 3) != NULL);
}

/* Every set: the fields lie within the struct, apart from each other, and the defaults pass their own check. */
TEST(attribute_sets_are_consistent)
{
    char room[1024], text[4096];
    for (int i = 1; i < BORN_OP_COUNT; i++) {
        const born_attr_set *s = born__ops[i].attrs;
        born_error err = { 0 };
        if (!s) continue;
        if (!CHECK_MSG(s->bytes <= sizeof room, "%s", s->name)) continue;
        for (int f = 1; f < s->count; f++)
            CHECK_MSG(s->field[f].offset > s->field[f - 1].offset && s->field[f].offset < s->bytes, "%s.%s", s->name,
                      s->field[f].name);
        born__attrs_default(s, room);
        CHECK_MSG(born__attrs_check(s, room, s->name, &err) == BORN_OK, "%s: %s", s->name, err.text);
        CHECK_MSG(born__attrs_print(s, room, text, sizeof text) == 0, "%s prints its defaults: %s", s->name, text);
    }
}

static const born_attr_set *set_of(const char *op)
{
    return born__op_find(op, strlen(op))->attrs;
}

static void round_trip(const char *op, const char *text)
{
    const born_attr_set *s = set_of(op);
    char room[1024], again[1024];
    born_arena arena = { 0 };
    born_error err = { 0 };
    if (CHECK_OK(born__attrs_parse(s, text, strlen(text), &arena, room, &err), &err)) {
        size_t n = born__attrs_print(s, room, again, sizeof again);
        CHECK_TEXT(again, text);
        CHECK_INT(n, strlen(text));
        CHECK_INT(born__attrs_print(s, room, again, 4), n); /* cut, still ended */
        CHECK(strlen(again) <= 3);
        void *copy = born__attrs_dup(s, room);
        CHECK(copy && born__attrs_equal(s, room, copy) && born__attrs_hash(s, room) == born__attrs_hash(s, copy));
        born__arena_free(&arena);
        arena = (born_arena){ 0 };
        born__attrs_print(s, copy, again, sizeof again); /* the copy stands alone */
        CHECK_TEXT(again, text);
        char defaults[1024];
        born__attrs_default(s, defaults);
        if (text[0]) CHECK(!born__attrs_equal(s, copy, defaults));
        born__attrs_free(s, copy);
    }
    born__arena_free(&arena);
}

TEST(attributes_print_and_read_back)
{
    round_trip("leaky_relu", "alpha=0.1");
    round_trip("leaky_relu", "alpha=-inf");
    round_trip("gelu", "approximate=tanh");
    round_trip("is_inf", "no_negative=true, no_positive=true");
    round_trip("cast", "to=bf16");
    round_trip("arg_max", "axis=-3, drop_dims=true");
    round_trip("transpose", "perm=[1,0,2]");
    round_trip("constant_of_shape", "value=f32[2]:0000803f00000040");
    round_trip("label_encoder", "keys_floats=[1.5,2], values_strings=[\"a\\\"b\",\"\\x01\"], default_string=\"none\"");
    round_trip("elu", "");
}

TEST(attribute_text_is_refused)
{
    static const char *const bad[] = { "axis",      "axis=",         "axis=x",  "axis=99999999999999999999",
                                       "nothing=1", "axis=1 axis=2", "axis=1,", "drop_dims=1",
                                       ",",         "axis==1",       "axis=-",  "axis=\"1\"" };
    const born_attr_set *s = set_of("arg_max");
    char room[1024];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        born_arena arena = { 0 };
        born_error err = { 0 };
        born_status got = born__attrs_parse(s, bad[i], strlen(bad[i]), &arena, room, &err);
        CHECK_MSG(got == BORN_FORMAT, "\"%s\" gave %s", bad[i], born_status_name(got));
        born__arena_free(&arena);
    }
    static const char *const tensor[] = { "value=f32[2]:00",
                                          "value=f32[-1]:",
                                          "value=zz[1]:00",
                                          "value=u8[2]:0g00",
                                          "value=u8[1,1,1,1,1,1,1,1,1]:00",
                                          "value=u8[4611686018427387904,8]:00" };
    for (size_t i = 0; i < sizeof tensor / sizeof tensor[0]; i++) {
        born_arena arena = { 0 };
        born_error err = { 0 };
        CHECK_STATUS(born__attrs_parse(set_of("constant_of_shape"), tensor[i], strlen(tensor[i]), &arena, room, &err),
                     BORN_FORMAT);
        born__arena_free(&arena);
    }
}

TEST(attributes_resolve_zero_to_default)
{
    born_selu_attrs user = { .gamma = 2 }, out;
    born__attrs_resolve(set_of("selu"), &user, &out);
    CHECK(out.gamma == 2 && out.alpha == 1.67326319217681884765625);
    born__attrs_resolve(set_of("selu"), NULL, &out);
    CHECK(out.gamma == 1.05070102214813232421875);
}

static born_status infer(const char *name, const void *attrs, const born_view *in, int n, born_view *out)
{
    bool shares;
    born_error err = { 0 };
    return born__op_infer(born__op_find(name, strlen(name)), attrs, in, n, out, 1, &shares, &err);
}

TEST(inference_refuses)
{
    born_view f = { .dtype = BORN_F32, .rank = 2, .dim = { 2, 3 } }, g = { .dtype = BORN_F64, .rank = 1, .dim = { 3 } };
    born_view h = { .dtype = BORN_F32, .rank = 1, .dim = { 2 } }, none = { 0 }, out;
    CHECK_STATUS(infer("add", NULL, (born_view[]){ f, g }, 2, &out), BORN_DTYPE);
    CHECK_STATUS(infer("add", NULL, (born_view[]){ f, h }, 2, &out), BORN_SHAPE);
    CHECK_STATUS(infer("add", NULL, (born_view[]){ f }, 1, &out), BORN_INVALID);
    CHECK_STATUS(infer("add", NULL, (born_view[]){ f, none }, 2, &out), BORN_INVALID);
    CHECK_STATUS(infer("logical_not", NULL, (born_view[]){ f }, 1, &out), BORN_DTYPE);
    CHECK_STATUS(infer("clip", NULL, (born_view[]){ f, none, (born_view){ .dtype = BORN_F32 } }, 3, &out), BORN_OK);
    CHECK_STATUS(infer("clip", NULL, (born_view[]){ f, none, h }, 3, &out), BORN_SHAPE);
    born_cast_attrs to = { .to = BORN_Q4_0 };
    CHECK_STATUS(infer("cast", &to, (born_view[]){ f }, 1, &out), BORN_DTYPE);
    born_arg_reduce_attrs axis = { .axis = 2 };
    CHECK_STATUS(infer("arg_max", &axis, (born_view[]){ f }, 1, &out), BORN_RANGE);
    born_reduce_attrs reduce = { 0 };
    born_view axes = { .dtype = BORN_I64, .rank = 1, .dim = { 1 } };
    CHECK_STATUS(infer("reduce_sum", &reduce, (born_view[]){ f, axes }, 2, &out), BORN_STATE);
    born_linear_attrs linear = { .activation = BORN_OP_ADD };
    CHECK_STATUS(infer("matmul", &linear, (born_view[]){ f, f }, 2, &out), BORN_SHAPE);
    CHECK_STATUS(infer("matmul", &linear, (born_view[]){ f, { .dtype = BORN_F32, .rank = 1, .dim = { 3 } } }, 2, &out),
                 BORN_INVALID);
    born_view huge = { .dtype = BORN_F32, .rank = 2, .dim = { INT64_MAX / 8, 1 } };
    born_view wide = { .dtype = BORN_F32, .rank = 1, .dim = { INT64_MAX / 8 } };
    CHECK_STATUS(infer("add", NULL, (born_view[]){ huge, wide }, 2, &out), BORN_RANGE);
}

TEST_MAIN

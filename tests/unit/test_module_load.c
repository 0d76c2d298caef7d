/* Tensors by name from host memory: one, many, all or nothing, and what is said about those that do not fit. */
#include "nn_helpers.h"

typedef struct told { char text[1024]; } told;
static void tell(void *user, born_load_problem what, const char *name, const char *text)
{
    told *t = user;
    size_t n = strlen(t->text);
    snprintf(t->text + n, sizeof t->text - n, "%d %s: %s\n", (int)what, name, text);
}

static born_module *network(const bench *k)
{
    born_module *m = born_module_group(k->net, "net");
    (void)born_linear(m, "fc", 2, 2, NULL);
    (void)born_batch_norm1d(m, "bn", 2, NULL);
    return m;
}

TEST(one_in_and_out)
{
    bench k = bench_open(BORN_BF16, 1);
    born_module *m = network(&k);
    const double in[4] = { 1.5, -2, 0.1, 1e3 };
    uint16_t out[4];
    born_error err = { 0 };

    CHECK_OK(born_module_copy_in(m, "fc.weight", BORN_ARRAY(in, 2, 2), &err), &err);
    CHECK_OK(born_module_copy_out(m, "fc.weight", out, sizeof out, &err), &err);
    CHECK(out[0] == 0x3FC0 && out[1] == 0xC000 && out[2] == 0x3DCD && out[3] == 0x447A);
    CHECK_INT(born_module_copy_in(m, "fc.weight", BORN_ARRAY(in, 4), &err), BORN_SHAPE);
    CHECK_TEXT(err.text, "copy in: fc.weight: [4] was given, the module has [2, 2]");
    born_array number = { BORN_F64, { 0 }, in, 0 };
    CHECK_INT(born_module_copy_in(m, "bn.num_batches_tracked", number, &err), BORN_DTYPE);
    CHECK_INT(born_module_copy_in(m, "fc.wait", BORN_ARRAY(in, 4), &err), BORN_INVALID);
    born_array wrong = BORN_ARRAY(in, 2, 2);
    wrong.bytes = 31;
    CHECK_INT(born_module_copy_in(m, "fc.weight", wrong, &err), BORN_SHAPE);
    CHECK_INT(born_module_copy_out(m, "fc.weight", out, 6, &err), BORN_INVALID);
    born_backend_take_error(k.b, &err);
    bench_close(&k);
}

TEST(many_or_none)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *m = network(&k);
    const float w[4] = { 1, 2, 3, 4 }, b[2] = { 5, 6 };
    const int64_t seen = 9;
    float before[4], after[4];
    told t = { "" };
    born_error err = { 0 };
    born_named_array a[] = { { "fc.weight", BORN_ARRAY(w, 2, 2) }, { "fc.bias", BORN_ARRAY(b, 2) },
                             { "bn.weight", BORN_ARRAY(b, 2) }, { "bn.bias", BORN_ARRAY(b, 2) },
                             { "bn.running_mean", BORN_ARRAY(b, 2) }, { "bn.running_var", BORN_ARRAY(b, 2) },
                             { "bn.num_batches_tracked", { BORN_I64, { 0 }, &seen, 0 } } };
    born_named_array bad[] = { a[0], { "fc.bias", BORN_ARRAY(w, 4) }, { "head.weight", BORN_ARRAY(w, 4) }, a[2], a[3] };

    (void)get(born_module_find(m, "fc.weight"), before, 4);
    CHECK_INT(born_module_load_arrays(m, bad, 5, &(born_load_desc){ .tell = tell, .user = &t }, &err), BORN_MISMATCH);
    CHECK_TEXT(err.text, "load: 3 missing (bn.running_mean, bn.running_var, bn.num_batches_tracked); "
               "1 unexpected (head.weight); 1 of another shape (fc.bias)");
    CHECK_TEXT(t.text, "2 fc.bias: [4] was given, the module has [2]\n"
               "0 bn.running_mean: no such name was given\n0 bn.running_var: no such name was given\n"
               "0 bn.num_batches_tracked: no such name was given\n1 head.weight: the module has no such tensor\n");
    if (get(born_module_find(m, "fc.weight"), after, 4)) CHECK(!memcmp(before, after, sizeof after));
    CHECK_OK(born_module_load_arrays(m, a, 7, NULL, &err), &err);
    if (get(born_module_find(m, "fc.weight"), after, 4)) CHECK(!memcmp(w, after, sizeof after));
    int64_t n = 0;
    if (get_i64(born_module_find(m, "bn.num_batches_tracked"), &n, 1)) CHECK_INT(n, 9);
    born_load_desc loose = { .allow_missing = true, .allow_unexpected = true };
    born_named_array some[] = { bad[2], { "fc.bias", BORN_ARRAY(w, 2) } };
    CHECK_OK(born_module_load_arrays(m, some, 2, &loose, &err), &err);
    if (get(born_module_find(m, "fc.bias"), after, 2)) CHECK(after[0] == 1 && after[1] == 2);
    bench_close(&k);
}

TEST(prefixes_and_shared_tensors)
{
    bench k = bench_open(BORN_F32, 1);
    born_module *a = born_linear(k.net, "in", 2, 2, &(born_linear_desc){ .no_bias = true });
    const float w[4] = { 1, 2, 3, 4 };
    float after[4];
    born_error err = { 0 };

    born_module_tie(born_module_group(k.net, "out"), "weight", a, "weight");
    born_named_array one[] = { { "model.out.weight", BORN_ARRAY(w, 2, 2) } };
    CHECK_OK(born_module_load_arrays(k.net, one, 1, &(born_load_desc){ .prefix = "model." }, &err), &err);
    if (get(born_module_find(k.net, "in.weight"), after, 4)) CHECK(!memcmp(w, after, sizeof after));
    CHECK_INT(born_module_load_arrays(k.net, one, 1, NULL, &err), BORN_MISMATCH);
    bench_close(&k);
}
TEST_MAIN

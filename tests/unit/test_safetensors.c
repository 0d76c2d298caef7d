/* safetensors: what is written reads back, modules load by their state-dict names or say what does not fit, and hostile
   headers are refused in one line. ctest-labels: hub */
#include <born/born.h>
#include <born/hub.h>
#include <unistd.h>

#include "formats/safetensors/safetensors.h"

#include "../harness.h"

static char path[64];
static const char *file(void)
{
    snprintf(path, sizeof path, "born_test_%ld.safetensors", (long)getpid());
    return path;
}

TEST(arrays_round_trip)
{
    static const char *const notes[] = { "format", "pt", "a \"key\"", "text \n \xc3\xa9" };
    born_error err = { .status = BORN_OK };
    unsigned char raw[48] = { 1, 2, 3, 250 }, yes[6] = { 1, 0, 1, 1, 0, 0 };
    born_named_array in[BORN_BOOL + 2];
    char name[BORN_BOOL + 2][16];
    born_safetensors *s = NULL;
    int64_t n = 0, count = 0;

    for (int t = BORN_F32; t <= BORN_BOOL; t++, n++) {
        snprintf(name[n], sizeof name[n], "t.%s", born_dtype_name((born_dtype)t));
        in[n] = (born_named_array){ name[n], { (born_dtype)t, BORN_SHAPE(3, 2), t == BORN_BOOL ? yes : raw, 0 } };
    }
    in[n++] = (born_named_array){ "scalar", { BORN_F32, { 0 }, raw, 4 } };
    in[n++] = (born_named_array){ "empty", { BORN_I64, BORN_SHAPE(0, 5), NULL, 0 } };
    REQUIRE_OK(born_safetensors_write(file(), in, n, notes, 2, &err), &err);
    for (int load = 0; load < 2; load++) {
        REQUIRE_OK(born_safetensors_open(file(), load ? BORN_COPY : BORN_MAP, &s, &err), &err);
        const born_named_array *got = born_safetensors_arrays(s, &count);
        CHECK_INT(count, n);
        CHECK_TEXT(born_safetensors_note(s, "format"), "pt");
        CHECK_TEXT(born_safetensors_note(s, "a \"key\""), notes[3]);
        CHECK(born_safetensors_note(s, "none") == NULL);
        for (int64_t i = 0; i < n; i++) {
            const born_array *a = &in[i].value, *b = NULL;
            for (int64_t k = 0; k < count; k++)
                if (!strcmp(got[k].name, in[i].name)) b = &got[k].value;
            if (!CHECK_MSG(b != NULL, "%s is not there", in[i].name)) continue;
            CHECK(b->dtype == a->dtype && b->shape.rank == a->shape.rank);
            CHECK_MSG(!b->bytes || !memcmp(a->data, b->data, b->bytes), "%s: other bytes", in[i].name);
        }
        born_safetensors_close(&s);
    }
    in[1].name = in[0].name;
    CHECK_STATUS(born_safetensors_write(file(), in, n, NULL, 0, &err), BORN_INVALID);
    in[1].name = "__metadata__";
    CHECK_STATUS(born_safetensors_write(file(), in, n, NULL, 0, &err), BORN_INVALID);
    in[1] = (born_named_array){ "q", { BORN_Q4_0, BORN_SHAPE(32), raw, 0 } };
    CHECK_STATUS(born_safetensors_write(file(), in, n, NULL, 0, &err), BORN_DTYPE);
    CHECK_OK(born_safetensors_open(file(), BORN_MAP, &s, &err), &err);     /* the old file is still there */
    born_safetensors_close(&s);
    remove(file());
}

static const born_module_ops plain = { .name = "Plain" };

static born_module *net(born_backend *b, float v)
{
    born_module *root = born_module_create(b), *a = born_module_define(root, "a", &plain, NULL, 0);
    born_module *c = born_module_define(root, "c", &plain, NULL, 0);
    float w[6] = { v, v + 1, v + 2, v + 3, v + 4, v + 5 };
    int64_t seen = (int64_t)v;

    (void)born_module_add(a, "weight", BORN_PARAM, BORN_ARRAY(w, 3, 2));
    (void)born_module_add(a, "running_mean", BORN_BUFFER, BORN_ARRAY(w, 2));
    (void)born_module_add(a, "num_batches_tracked", BORN_BUFFER, (born_array){ BORN_I64, { 0 }, &seen, 8 });
    (void)born_module_add(c, "scratch", BORN_SCRATCH, BORN_ARRAY(w, 4));
    born_module_tie(c, "weight", a, "weight");
    return root;
}

typedef struct told {
    char text[4][200];
} told;
static void tell(void *user, born_load_problem what, const char *name, const char *text)
{
    told *t = user;
    (void)text;
    strcat(t->text[what], name);
    strcat(t->text[what], " ");
}

TEST(modules)
{
    born_error err = { .status = BORN_OK };
    born_backend *b = born_cpu(&(born_cpu_desc){ .threads = 1 });
    born_module *one = net(b, 1), *two = net(b, 50);
    born_safetensors *s = NULL;
    int64_t count = 0, seen = 0;
    float w[6] = { 0 };

    REQUIRE_OK(born_module_save(one, file(), &err), &err);
    REQUIRE_OK(born_safetensors_open(file(), BORN_MAP, &s, &err), &err);
    (void)born_safetensors_arrays(s, &count);
    CHECK_INT(count, 4);                                    /* the shared weight under both of its names */
    born_safetensors_close(&s);
    REQUIRE_OK(born_module_load(two, file(), NULL, &err), &err);
    CHECK_OK(born_module_copy_out(two, "c.weight", w, sizeof w, &err), &err);
    CHECK(w[0] == 1 && w[5] == 6);
    CHECK_OK(born_module_copy_out(two, "a.num_batches_tracked", &seen, 8, &err), &err);
    CHECK_INT(seen, 1);

    born_named_array odd[3] = { { "a.weight", BORN_ARRAY(w, 2, 3) }, { "extra", BORN_ARRAY(w, 1) },
                                { "a.running_mean", BORN_ARRAY(&seen, 1) } };
    told t = { { "" } };
    float mean[2] = { 0 };
    REQUIRE_OK(born_safetensors_write(file(), odd, 2, NULL, 0, &err), &err);
    CHECK_STATUS(born_module_load(two, file(), &(born_load_desc){ .tell = tell, .user = &t }, &err), BORN_MISMATCH);
    CHECK_TEXT(t.text[BORN_LOAD_MISSING], "a.running_mean a.num_batches_tracked ");
    CHECK_TEXT(t.text[BORN_LOAD_UNEXPECTED], "extra ");
    CHECK(strstr(t.text[BORN_LOAD_SHAPE], "a.weight ") != NULL);
    CHECK(strstr(err.text, "missing") && strstr(err.text, "extra") && strstr(err.text, "another shape"));
    CHECK_OK(born_module_copy_out(two, "a.running_mean", mean, sizeof mean, &err), &err);
    CHECK(mean[0] == 1);                                    /* nothing was written */
    born_module_close(&one);
    born_module_close(&two);
    born_backend_close(&b);
    remove(file());
}

static born_status parse(const char *header, size_t data, born_error *err)
{
    size_t n = strlen(header);
    unsigned char *bytes = calloc(8 + n + data, 1);
    born_safetensors *s = NULL;

    for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)(n >> 8 * i);
    memcpy(bytes + 8, header, n);
    born_status st = born__st_parse(bytes, 8 + n + data, &s, err);
    born_safetensors_close(&s);
    free(bytes);
    return st;
}
#define REFUSED(want, data, header)                                                                                   \
    do {                                                                                                              \
        born_error err = { .status = BORN_OK };                                                                       \
        CHECK_MSG(parse(header, data, &err) == (want), "%s: %s", header, err.text);                                   \
    } while (0)
#define ROW(shape, from, to) "{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]}"

TEST(hostile_headers)
{
    REFUSED(BORN_OK, 0, "{}");
    REFUSED(BORN_OK, 8, "{\"a\":" ROW("[2]", "0", "8") "}   ");
    REFUSED(BORN_OK, 8, "{\"b\":" ROW("[1]", "4", "8") ",\"a\":" ROW("[1]", "0", "4") "}");
    REFUSED(BORN_OK, 4, "{\"b\":" ROW("[0,3]", "4", "4") ",\"a\":" ROW("[]", "0", "4") "}");
    REFUSED(BORN_FORMAT, 0, "");
    REFUSED(BORN_FORMAT, 0, " {}");
    REFUSED(BORN_FORMAT, 0, "[]");
    REFUSED(BORN_FORMAT, 0, "{} x");
    REFUSED(BORN_FORMAT, 4, "{}");                                                          /* bytes nobody owns */
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[1]", "0", "4") ",\"a\":" ROW("[1]", "4", "8") "}"); /* one name twice */
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[2]", "0", "8") ",\"b\":" ROW("[1]", "4", "8") "}"); /* overlap */
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[1]", "0", "4") ",\"b\":" ROW("[1]", "0", "4") "}"); /* the same bytes */
    REFUSED(BORN_FORMAT, 12, "{\"a\":" ROW("[1]", "0", "4") ",\"b\":" ROW("[1]", "8", "12") "}");   /* a hole */
    REFUSED(BORN_FORMAT, 4, "{\"a\":" ROW("[2]", "0", "8") "}");                            /* cut */
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[3]", "0", "8") "}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[2]", "8", "0") "}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[-2]", "0", "8") "}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[2.0]", "0", "8") "}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("2", "0", "8") "}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[4294967296,4294967296]", "0", "8") "}");        /* the product wraps to 0 */
    REFUSED(BORN_FORMAT, 8, "{\"a\":" ROW("[99999999999999999999]", "0", "8") "}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":{\"dtype\":3,\"shape\":[2],\"data_offsets\":[0,8]}}");
    REFUSED(BORN_FORMAT, 8, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}");
    REFUSED(BORN_FORMAT, 0, "{\"__metadata__\":{\"a\":1}}");
    REFUSED(BORN_FORMAT, 0, "{\"__metadata__\":[]}");
    REFUSED(BORN_UNSUPPORTED, 8, "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[8],\"data_offsets\":[0,8]}}");
    REFUSED(BORN_UNSUPPORTED, 4, "{\"a\":" ROW("[1,1,1,1,1,1,1,1,1]", "0", "4") "}");
}

TEST(hostile_sizes)
{
    born_error err;
    born_safetensors *s = NULL;
    unsigned char bytes[16] = { 0 };

    for (size_t n = 0; n < 8; n++) CHECK_STATUS(born__st_parse(bytes, n, &s, &err), BORN_FORMAT);
    memset(bytes, 0xff, 8);
    CHECK_STATUS(born__st_parse(bytes, sizeof bytes, &s, &err), BORN_FORMAT);
    memset(bytes, 0, 8);
    bytes[0] = 9;
    CHECK_STATUS(born__st_parse(bytes, sizeof bytes, &s, &err), BORN_FORMAT);
    size_t n = 4 << 20;                                     /* brackets without end */
    char *many = malloc(n + 9);
    REQUIRE(many != NULL);
    memset(many, '[', n + 8);
    many[8] = '{';
    for (int i = 0; i < 8; i++) many[i] = (char)(n >> 8 * i);
    CHECK_STATUS(born__st_parse(many, n + 8, &s, &err), BORN_FORMAT);
    free(many);
}

TEST_MAIN

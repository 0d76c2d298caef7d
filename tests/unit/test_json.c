/* The JSON writer: structure, escapes, malformed UTF-8, numbers that read back, failures that stick.
   ctest-labels: cross */
#include <float.h>
#include <math.h>

#include "base/alloc.h"
#include "base/json.h"
#include "harness.h"

TEST(json_structure_in_both_forms)
{
    born_json j;
    for (int one_line = 0; one_line < 2; one_line++) {
        born__json_begin(&j, NULL, NULL, one_line);
        born__json_object(&j);
        born__json_key(&j, "a");
        born__json_int(&j, -5);
        born__json_key(&j, "b");
        born__json_array(&j);
        born__json_bool(&j, true);
        born__json_null(&j);
        born__json_array(&j);
        born__json_close(&j);
        born__json_uint(&j, UINT64_MAX);
        born__json_close(&j);
        born__json_key(&j, "c");
        born__json_text(&j, "x");
        CHECK_STATUS(born__json_end(&j), BORN_OK);
        CHECK_TEXT(j.buf, one_line ? "{\"a\":-5,\"b\":[true,null,[],18446744073709551615],\"c\":\"x\"}"
                                   : "{\n  \"a\": -5,\n  \"b\": [\n    true,\n    null,\n    [],\n"
                                     "    18446744073709551615\n  ],\n  \"c\": \"x\"\n}\n");
        born__json_free(&j);
    }
}

static void check_string(const char *s, size_t n, const char *want)
{
    born_json j;
    born__json_begin(&j, NULL, NULL, true);
    born__json_string(&j, s, n);
    CHECK_STATUS(born__json_end(&j), BORN_OK);
    CHECK_TEXT(j.buf, want);
    born__json_free(&j);
}

TEST(json_strings_are_escaped_and_valid)
{
    check_string("", 0, "\"\"");
    check_string("a\"b\\c\n\t\r\b\f", 10, "\"a\\\"b\\\\c\\n\\t\\r\\b\\f\"");
    check_string("\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"");
    check_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    check_string("\xc3", 1, "\"\xef\xbf\xbd\"");                              /* cut */
    check_string("\xc0\x80", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\"");              /* overlong */
    check_string("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");  /* surrogate */
    check_string("\xf5\x80\x80\x80z", 5, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\"");
}

TEST(json_numbers_read_back)
{
    static const double values[] = { 0.0, -0.0, 1.0, 0.1, 1e300, DBL_MIN, DBL_MAX, 5e-324, 1.0 / 3, 123456789.125,
                                     9007199254740993.0 };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        born_json j;
        born__json_begin(&j, NULL, NULL, true);
        born__json_f64(&j, values[i]);
        CHECK_STATUS(born__json_end(&j), BORN_OK);
        CHECK_MSG(strtod(j.buf, NULL) == values[i], "%s", j.buf);
        born__json_free(&j);
    }
    static const float singles[] = { 0.1f, 1.0f / 3, FLT_MAX, FLT_MIN, 1e-45f, 16777217.0f };
    for (size_t i = 0; i < sizeof singles / sizeof singles[0]; i++) {
        born_json j;
        born__json_begin(&j, NULL, NULL, true);
        born__json_f32(&j, singles[i]);
        CHECK_STATUS(born__json_end(&j), BORN_OK);
        CHECK_MSG(strtof(j.buf, NULL) == singles[i], "%s", j.buf);
        CHECK(strlen(j.buf) <= 15);
        born__json_free(&j);
    }
    born_json j;
    born__json_begin(&j, NULL, NULL, true);
    born__json_array(&j);
    born__json_f64(&j, (double)NAN);
    born__json_f64(&j, -(double)INFINITY);
    born__json_f32(&j, 0.1f);
    CHECK_STATUS(born__json_end(&j), BORN_OK);
    CHECK_TEXT(j.buf, "[null,null,0.1]");
    born__json_free(&j);
}

typedef struct sink {
    size_t bytes, calls, fail_at;
} sink;

static born_status sink_write(void *user, const char *text, size_t n)
{
    sink *s = user;
    (void)text;
    s->bytes += n;
    return ++s->calls == s->fail_at ? BORN_IO : BORN_OK;
}

TEST(json_streams_and_failures_stick)
{
    for (size_t fail_at = 0; fail_at < 3; fail_at++) {
        sink s = { .fail_at = fail_at };
        born_json j;
        born__json_begin(&j, sink_write, &s, true);
        born__json_array(&j);
        for (int i = 0; i < 10000; i++) born__json_int(&j, i);
        CHECK_STATUS(born__json_end(&j), fail_at == 0 ? BORN_OK : BORN_IO);
        if (fail_at == 0) CHECK_INT(s.bytes, 48891);
        if (fail_at > 0) CHECK_INT(s.calls, fail_at);
        born__json_free(&j);
    }
    born_json j;
    born__json_begin(&j, NULL, NULL, true);
    for (int i = 0; i < BORN_JSON_DEPTH + 5; i++) born__json_array(&j);
    CHECK_STATUS(born__json_end(&j), BORN_INTERNAL);
    born__json_free(&j);
}

TEST_MAIN

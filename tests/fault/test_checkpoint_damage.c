/* Damaged checkpoints: a file cut at any byte, or with any one bit turned, is refused in one line, or, where the bit
   lies in padding that means nothing, reads as it was written. */
#include <born/born.h>
#include <unistd.h>

#include "base/alloc.h"
#include "formats/born/checkpoint.h"
#include "harness.h"

static unsigned char *sample(size_t *n)
{
    char path[64];
    born_checkpoint *c = NULL;
    born_error err = { .status = BORN_OK };
    float w[12];
    int64_t steps[3] = { 5, 6, 7 };
    unsigned char *bytes = NULL;
    FILE *f;

    for (int i = 0; i < 12; i++) w[i] = (float)i * 0.25f;
    snprintf(path, sizeof path, "born_damage_%ld.born", (long)getpid());
    if (born_checkpoint_new(&c, &err) || born_checkpoint_put(c, "net.weight", &BORN_ARRAY(w, 3, 4), &err) ||
        born_checkpoint_put(c, "steps", &BORN_ARRAY(steps, 3), &err) ||
        born_checkpoint_put_int(c, "step", 77, &err) || born_checkpoint_put_text(c, "recipe", "mlp", 3, &err) ||
        born_checkpoint_write(c, path, &err))
        printf("  %s\n", err.text);
    born_checkpoint_close(&c);
    if ((f = fopen(path, "rb")) != NULL && !fseek(f, 0, SEEK_END)) {
        *n = (size_t)ftell(f);
        rewind(f);
        bytes = malloc(*n);
        if (bytes && fread(bytes, 1, *n, f) != *n) *n = 0;
    }
    if (f) fclose(f);
    remove(path);
    return bytes;
}

/* Parses a copy exactly n bytes long. */
static born_status parse(const unsigned char *bytes, size_t n, bool *same, born_error *err)
{
    unsigned char *copy = malloc(n ? n : 1);
    born_checkpoint *c = NULL;
    born_array w = { .data = NULL }, s = { .data = NULL };
    int64_t step = 0;

    memcpy(copy, bytes, n);
    born_status st = born_checkpoint_new(&c, err);
    if (!st) st = born__checkpoint_parse(c, copy, n, err);
    if (!st)
        *same = born_checkpoint_count(c) == 2 && !born_checkpoint_get(c, "net.weight", &w, err) &&
                !born_checkpoint_get(c, "steps", &s, err) && !born_checkpoint_int(c, "step", &step, err) &&
                step == 77 && w.bytes == 48 && ((const float *)w.data)[11] == 2.75f && s.bytes == 24 &&
                ((const int64_t *)s.data)[2] == 7;
    born_checkpoint_close(&c);
    free(copy);
    return st;
}

TEST(cut_anywhere)
{
    size_t n = 0;
    unsigned char *whole = sample(&n);
    bool same = false;
    born_error err = { .status = BORN_OK };

    REQUIRE(whole != NULL && n > 500);
    CHECK_OK(parse(whole, n, &same, &err), &err);
    CHECK(same);
    for (size_t k = 0; k < n; k++) {
        memset(&err, 0, sizeof err);
        born_status st = parse(whole, k, &same, &err);
        if (st == BORN_OK) CHECK_MSG(same && k + 64 > n, "cut at %zu of %zu was read", k, n);
        else CHECK_MSG(err.text[0], "cut at %zu: no text", k);
    }
    free(whole);
}

TEST(any_bit)
{
    size_t n = 0, read = 0;
    unsigned char *bytes = sample(&n);
    born_error err = { .status = BORN_OK };

    REQUIRE(bytes != NULL && n > 500);
    for (size_t k = 0; k < n * 8; k++) {
        bool same = false;
        bytes[k / 8] ^= (unsigned char)(1u << k % 8);
        if (parse(bytes, n, &same, &err) == BORN_OK) {
            read++;
            CHECK_MSG(same, "bit %zu of byte %zu: other values were read", k % 8, k / 8);
        }
        bytes[k / 8] ^= (unsigned char)(1u << k % 8);
    }
    CHECK_MSG(read < n * 8 / 2, "%zu of %zu flips were read: the sums do not cover the file", read, n * 8);
    free(bytes);
}

TEST_MAIN

/* The nth allocation fails while each kind of dataset is opened and loaded, for every n until nothing fails: always a
   status with a text, never a crash, a leak or another answer. ctest-labels: posix */
#include <stdlib.h>

#include "harness.h"
#include "unit/data_helpers.h"

static long long countdown = -1, held;

static void *short_alloc(void *user, size_t bytes, size_t align)
{
    (void)user;
    if (countdown == 0) return NULL;            /* and so do all after it */
    if (countdown > 0) countdown--;
    void *p = aligned_alloc(align < sizeof(void *) ? sizeof(void *) : align, (bytes + align - 1) / align * align);
    held += p != NULL;
    return p;
}

static void short_release(void *user, void *p, size_t bytes, size_t align)
{
    (void)user, (void)bytes, (void)align;
    held -= p != NULL;
    free(p);
}

static born_status open_idx(born_dataset **out, born_error *err)
{
    return born_dataset_open_idx(data_path("fail.idx"), data_path("fail.lab"), out, err);
}

static born_status open_csv(born_dataset **out, born_error *err)
{
    return born_dataset_open_csv(data_path("fail.csv"), NULL, out, err);
}

static born_status open_text(born_dataset **out, born_error *err)
{
    born_text_desc d = { .window = 4 };
    return born_dataset_open_text(data_path("fail.csv"), &d, out, err);
}

static born_status open_npy(born_dataset **out, born_error *err)
{
    return born_dataset_open_npy(data_path("fail.npy"), NULL, 0, out, err);
}

static born_status open_made(born_dataset **out, born_error *err)
{
    static const double share[2] = { 0.5, 0.5 };
    const born_transform t[2] = { born_random_flip(0.5), born_to_float() };
    born_idx_desc raw = { .raw = true, .image = true };
    born_dataset *set = NULL, *part[2] = { NULL, NULL }, *all = NULL;
    born_status st = born_dataset_open_idx_with(data_path("fail.idx"), data_path("fail.lab"), &raw, &set, err);
    if (st == BORN_OK) st = born_dataset_split(set, share, 2, 1, part, err);
    if (st == BORN_OK) st = born_dataset_concat(part, 2, &all, err);
    if (st == BORN_OK) st = born_dataset_transform(all, 0, t, 2, out, err);
    born_dataset_close(&all);
    born_dataset_close(&part[0]);
    born_dataset_close(&part[1]);
    born_dataset_close(&set);
    return st;
}

static born_status load(born_status (*open)(born_dataset **out, born_error *err), uint64_t *hash, born_error *err)
{
    born_dataset *set = NULL;
    born_loader *l = NULL;
    born_loader_desc d = { .batch = 2, .shuffle = true, .seed = 4, .workers = 2 };
    born_status st = open(&set, err);
    if (st == BORN_OK) st = born_loader_open(set, &d, &l, err);
    born_dataset_close(&set);
    if (st == BORN_OK) {
        *hash = data_epoch_hash(l);
        st = born_loader_status(l, err);
    }
    born_loader_close(&l);
    return st;
}

static void every_failure(born_status (*open)(born_dataset **out, born_error *err))
{
    const unsigned char idx[20] = { 0, 0, 8, 3, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 1, 9, 8, 7, 6 };
    const unsigned char lab[12] = { 0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 2, 1 };
    static const char npy[] = "\x93NUMPY\1\0\x3a\0{'descr': '|u1', 'fortran_order': True, 'shape': (4, 2)} \n01234567";
    born_allocator a = { short_alloc, short_release, NULL };
    born_error err = { 0 };
    uint64_t want = 0;
    long long n = 0;
    bool met = true;
    data_write("fail.idx", idx, sizeof idx);
    data_write("fail.lab", lab, sizeof lab);
    data_write("fail.npy", npy, sizeof npy - 1);
    data_write_text("fail.csv", "a,b,kind\n1,2,red\n\"3\",4,\"blue\"\n5,6,green\n7,8,red\n");
    REQUIRE_OK(load(open, &want, &err), &err);
    born_allocator_set(&a);
    for (; met && n < 10000; n++) {
        uint64_t hash = 0;
        err = (born_error){ 0 };
        countdown = n;
        born_status st = load(open, &hash, &err);
        met = countdown == 0;
        countdown = -1;
        CHECK_MSG(held == 0, "%lld blocks left after failure %lld", held, n);
        CHECK_MSG(st == BORN_OK || (st == BORN_NOMEM && err.text[0] != '\0'), "failure %lld gave %s: \"%s\"", n,
                  born_status_name(st), err.text);
        CHECK(st != BORN_OK || hash == want);
        if (harness_failures > 0) break;
    }
    born_allocator_set(NULL);
    CHECK_MSG(n > 8 && !met, "%lld allocations were met", n);
}

TEST(data_idx_without_memory) { every_failure(open_idx); }
TEST(data_csv_without_memory) { every_failure(open_csv); }
TEST(data_text_without_memory) { every_failure(open_text); }
TEST(data_npy_without_memory) { every_failure(open_npy); }
TEST(data_made_sets_without_memory) { every_failure(open_made); }

TEST_MAIN

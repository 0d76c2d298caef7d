/* Datasets and the loader: the same batches for any number of workers, every item once, positions that resume exactly,
   errors that stop. ctest-labels: threads */
#include "harness.h"
#include "unit/data_helpers.h"

#define ITEMS 103

static float x_values[ITEMS * 3];
static int64_t y_values[ITEMS];

static born_dataset *make_set(void)
{
    born_error err = { 0 };
    born_dataset *set = NULL;
    for (int i = 0; i < ITEMS; i++) {
        for (int k = 0; k < 3; k++) x_values[i * 3 + k] = (float)(i * 10 + k);
        y_values[i] = i % 5;
    }
    born_array a[2] = { BORN_ARRAY(x_values, ITEMS, 3), BORN_ARRAY(y_values, ITEMS) };
    CHECK_OK(born_dataset_from_arrays(a, NULL, 2, &set, &err), &err);
    return set;
}

static born_loader *open_loader(born_dataset *set, born_loader_desc d)
{
    born_error err = { 0 };
    born_loader *l = NULL;
    CHECK_OK(born_loader_open(set, &d, &l, &err), &err);
    return l;
}

TEST(data_arrays_give_their_items)
{
    born_error err = { 0 };
    float x[3];
    int64_t y;
    born_field f;
    born_dataset *set = make_set();
    REQUIRE(set != NULL);
    CHECK_INT(born_dataset_count(set), ITEMS);
    CHECK_INT(born_dataset_field_count(set), 2);
    CHECK_OK(born_dataset_field(set, 0, &f), &err);
    CHECK(f.dtype == BORN_F32 && f.shape.rank == 1 && f.shape.dim[0] == 3);
    CHECK_TEXT(f.name, "0");
    CHECK_STATUS(born_dataset_field(set, 2, &f), BORN_RANGE);
    REQUIRE(data_get(set, 41, x, &y, &err));
    CHECK(x[2] > 411.5f && x[2] < 412.5f && y == 1);
    CHECK(!data_get(set, ITEMS, x, &y, &err) && err.status == BORN_RANGE);
    CHECK(!data_get(set, -1, x, &y, &err) && err.status == BORN_RANGE);
    born_dataset_close(&set);
    CHECK(set == NULL);
    born_array bad[2] = { BORN_ARRAY(x_values, ITEMS, 3), BORN_ARRAY(y_values, ITEMS - 1) };
    CHECK_STATUS(born_dataset_from_arrays(bad, NULL, 2, &set, &err), BORN_SHAPE);
    bad[1].shape.dim[0] = ITEMS;
    bad[1].bytes = 8;
    CHECK_STATUS(born_dataset_from_arrays(bad, NULL, 2, &set, &err), BORN_SHAPE);
}

/* Every item of an epoch once, the label beside its item; batch sizes as drop_last says. */
static void check_cover(born_loader_desc d, int64_t want_items)
{
    born_dataset *set = make_set();
    born_loader *l = open_loader(set, d);
    born_dataset_close(&set);
    REQUIRE(l != NULL);
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[ITEMS] = { 0 };
        int64_t total = 0;
        born_array f[2];
        while (born_loader_next(l, f, 2)) {
            int64_t rows = f[0].shape.dim[0];
            CHECK(f[0].shape.rank == 2 && f[1].shape.rank == 1 && f[1].shape.dim[0] == rows);
            for (int64_t i = 0; i < rows; i++) {
                int at = (int)(((const float *)f[0].data)[i * 3] / 10);
                REQUIRE(at >= 0 && at < ITEMS);
                seen[at]++;
                CHECK_INT(((const int64_t *)f[1].data)[i], at % 5);
                if (!d.shuffle) CHECK_INT(at, total + i);
            }
            total += rows;
        }
        CHECK_STATUS(born_loader_status(l, NULL), BORN_OK);
        CHECK_INT(total, want_items);
        int most = 0, sum = 0;
        for (int i = 0; i < ITEMS; i++) most = seen[i] > most ? seen[i] : most, sum += seen[i];
        CHECK_INT(most, 1);
        CHECK_INT(sum, want_items);
    }
    born_loader_close(&l);
}

TEST(data_loader_gives_every_item_once)
{
    for (int workers = 0; workers <= 3; workers++) {
        check_cover((born_loader_desc){ .batch = 10, .workers = workers }, ITEMS);
        check_cover((born_loader_desc){ .batch = 10, .workers = workers, .shuffle = true, .seed = 3 }, ITEMS);
        check_cover((born_loader_desc){ .batch = 10, .workers = workers, .shuffle = true, .drop_last = true }, 100);
        check_cover((born_loader_desc){ .batch = 1000, .workers = workers, .shuffle = true }, ITEMS);
        check_cover((born_loader_desc){ .workers = workers, .prefetch = 1 }, ITEMS);
    }
}

/* A picture set with everything random in it. */
static born_dataset *make_pictures(void)
{
    static uint8_t pixels[60 * 3 * 8 * 8];
    static int64_t labels[60];
    born_error err = { 0 };
    born_dataset *set = NULL, *changed = NULL;
    const float mean[3] = { 0.5f, 0.4f, 0.3f }, std[3] = { 0.2f, 0.3f, 0.4f };
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 + i / 11);
    for (int i = 0; i < 60; i++) labels[i] = i % 4;
    born_array a[2] = { BORN_ARRAY(pixels, 60, 3, 8, 8), BORN_ARRAY(labels, 60) };
    born_transform t[] = { born_random_crop(8, 8, 2), born_random_flip(0.5), born_random_flip_vertical(0.5),
                           born_to_float(), born_random_rotate(20), born_colour_jitter(0.3f, 0.3f, 0.3f),
                           born_normalise(mean, std, 3), born_random_erase(0.5, 0.05, 0.3) };
    CHECK_OK(born_dataset_from_arrays(a, NULL, 2, &set, &err), &err);
    CHECK_OK(born_dataset_transform(set, 0, t, (int)(sizeof t / sizeof *t), &changed, &err), &err);
    born_dataset_close(&set);
    return changed;
}

static const born_loader_desc everything = { .batch = 7, .shuffle = true, .seed = 11, .mixup = 0.4, .classes = 4 };

TEST(data_loader_is_the_same_for_any_number_of_workers)
{
    static double weights[60];
    for (int i = 0; i < 60; i++) weights[i] = i % 3;
    for (int kind = 0; kind < 2; kind++) {
        uint64_t want[4] = { 0 };
        for (int workers = 0; workers <= 3; workers += workers == 1 ? 2 : 1) {
            born_dataset *set = make_pictures();
            born_loader_desc d = everything;
            d.workers = workers;
            d.prefetch = workers * 3;
            if (kind == 1) d.weights = weights;
            born_loader *l = open_loader(set, d);
            born_dataset_close(&set);
            REQUIRE(l != NULL);
            for (int e = 0; e < 4; e++) {
                uint64_t h = data_epoch_hash(l);
                if (workers == 0) want[e] = h;
                CHECK(h == want[e]);
            }
            born_loader_close(&l);
        }
        CHECK(want[0] != want[1] && want[1] != want[2]);
    }
}

TEST(data_loader_orders_follow_the_seed)
{
    born_dataset *set = make_set();
    uint64_t hash[3];
    for (uint64_t s = 0; s < 3; s++) {
        born_loader *l = open_loader(set, (born_loader_desc){ .batch = 8, .shuffle = true, .seed = s / 2 });
        REQUIRE(l != NULL);
        hash[s] = data_epoch_hash(l);
        born_loader_close(&l);
    }
    CHECK(hash[0] == hash[1] && hash[1] != hash[2]);
    born_dataset_close(&set);
}

TEST(data_loader_resumes_at_every_position)
{
    enum { MOST = 40 };
    uint64_t want[MOST];
    bool ends[MOST];
    born_loader_position at[MOST + 1];
    born_dataset *set = make_pictures();
    born_loader *l = open_loader(set, everything);
    REQUIRE(l != NULL);
    for (int i = 0; i < MOST; i++) {            /* 9 batches and an end: four epochs */
        born_loader_position_get(l, &at[i]);
        ends[i] = !data_batch_hash(l, &want[i]);
        CHECK(ends[i] == (i % 10 == 9));
    }
    born_loader_close(&l);
    for (int workers = 0; workers <= 3; workers += 3) {
        born_loader_desc d = everything;
        born_error err = { 0 };
        d.workers = workers;
        d.seed = 999;                           /* the position brings its own */
        l = open_loader(set, d);
        REQUIRE(l != NULL);
        for (int from = MOST - 1; from >= 0; from--) {
            CHECK_OK(born_loader_position_set(l, &at[from], &err), &err);
            for (int i = from; i < MOST && i < from + 12; i++) {
                born_loader_position now;
                uint64_t h = 0;
                born_loader_position_get(l, &now);
                CHECK(now.epoch == at[i].epoch && now.batch == at[i].batch && now.seed == 11);
                CHECK(data_batch_hash(l, &h) == !ends[i]);
                CHECK(ends[i] || h == want[i]);
            }
        }
        born_loader_close(&l);
    }
    born_dataset_close(&set);
}

TEST(data_loader_refuses_positions_that_do_not_fit)
{
    born_error err = { 0 };
    born_loader_position p;
    born_dataset *set = make_set();
    born_loader *l = open_loader(set, (born_loader_desc){ .batch = 10 });
    REQUIRE(l != NULL);
    born_loader_position_get(l, &p);
    born_loader_position bad = p;
    bad.batch_size = 11;
    CHECK_STATUS(born_loader_position_set(l, &bad, &err), BORN_MISMATCH);
    bad = p;
    bad.batch = 12;
    CHECK_STATUS(born_loader_position_set(l, &bad, &err), BORN_RANGE);
    bad = p;
    bad.epoch = INT64_MAX;
    CHECK_STATUS(born_loader_position_set(l, &bad, &err), BORN_RANGE);
    bad.epoch = -1;
    CHECK_STATUS(born_loader_position_set(l, &bad, &err), BORN_RANGE);
    born_loader_close(&l);
    born_dataset_close(&set);
}

static born_status fails_at_23(void *self, const born_item_request *r, born_error *err)
{
    *(int64_t *)r->dst[0] = r->index;
    (void)self;
    if (r->index != 23) return BORN_OK;
    if (err != NULL) {
        *err = (born_error){ .status = BORN_IO };
        (void)snprintf(err->text, sizeof err->text, "the disk is gone");
    }
    return BORN_IO;
}

static int closed;
static void count_close(void *self)
{
    closed += self == &closed;
}

TEST(data_own_datasets_work_and_their_errors_stop_the_loader)
{
    born_error err = { 0 };
    born_field f = { "id", BORN_I64, { 0, { 0 } } };
    born_dataset_desc d = { .get = fails_at_23, .close = count_close, .self = &closed, .count = 50, .fields = &f,
                            .field_count = 1 };
    for (int workers = 0; workers <= 3; workers += 3) {
        born_dataset *set = NULL;
        born_array a;
        born_loader_position p;
        int got = 0;
        closed = 0;
        REQUIRE_OK(born_dataset_create(&d, &set, &err), &err);
        born_loader *l = open_loader(set, (born_loader_desc){ .batch = 5, .workers = workers });
        born_dataset_close(&set);
        REQUIRE(l != NULL);
        while (born_loader_next(l, &a, 1)) got++;
        CHECK_INT(got, 4);
        CHECK_STATUS(born_loader_status(l, &err), BORN_IO);
        CHECK_TEXT(err.text, "item 23: the disk is gone");
        CHECK(!born_loader_next(l, &a, 1));             /* it stays */
        born_loader_position_get(l, &p);
        CHECK_INT(p.batch, 4);
        p.batch = 5;
        CHECK_OK(born_loader_position_set(l, &p, &err), &err);
        CHECK(born_loader_next(l, &a, 1) && ((const int64_t *)a.data)[0] == 25);
        CHECK_INT(closed, 0);
        born_loader_close(&l);
        CHECK_INT(closed, 1);
    }
}

TEST(data_loader_weights_decide_what_is_drawn)
{
    static double weights[ITEMS];
    int64_t seen[ITEMS] = { 0 };
    born_array f[2];
    weights[7] = 1;
    weights[90] = 3;
    born_dataset *set = make_set();
    born_loader *l = open_loader(set, (born_loader_desc){ .batch = 50, .weights = weights, .samples = 8000 });
    REQUIRE(l != NULL);
    while (born_loader_next(l, f, 2))
        for (int64_t i = 0; i < f[0].shape.dim[0]; i++) seen[(int)(((const float *)f[0].data)[i * 3] / 10)]++;
    CHECK_INT(seen[7] + seen[90], 8000);
    CHECK(seen[90] > 5840 && seen[90] < 6160);          /* 6000 and four deviations */
    born_loader_close(&l);
    born_error err = { 0 };
    born_loader_desc bad = { .weights = weights };
    weights[3] = -1;
    CHECK_STATUS(born_loader_open(set, &bad, &l, &err), BORN_INVALID);
    memset(weights, 0, sizeof weights);
    CHECK_STATUS(born_loader_open(set, &bad, &l, &err), BORN_INVALID);
    born_dataset_close(&set);
}

TEST(data_loader_mixup_keeps_the_sum_of_labels)
{
    born_array f[2];
    born_dataset *set = make_pictures();
    born_loader *l = open_loader(set, everything);
    int mixed = 0;
    REQUIRE(l != NULL);
    while (born_loader_next(l, f, 2)) {
        REQUIRE(f[1].dtype == BORN_F32 && f[1].shape.rank == 2 && f[1].shape.dim[1] == 4);
        for (int64_t i = 0; i < f[1].shape.dim[0]; i++) {
            const float *y = (const float *)f[1].data + i * 4;
            float sum = y[0] + y[1] + y[2] + y[3];
            CHECK(sum > 0.9999f && sum < 1.0001f);
            for (int k = 0; k < 4; k++) mixed += y[k] > 0.01f && y[k] < 0.99f;
        }
    }
    CHECK(mixed > 10);
    born_loader_close(&l);
    born_dataset_close(&set);
}

static born_status negate(void *user, const born_array *fields, int n, uint64_t key, born_error *err)
{
    float *x = (float *)(uintptr_t)fields[0].data;
    (void)key;
    (void)err;
    for (int64_t i = 0; i < fields[0].shape.dim[0] * 3; i++) x[i] = -x[i];
    return user == NULL && n == 2 ? BORN_OK : BORN_INVALID;
}

TEST(data_loader_collates_and_checks_its_options)
{
    born_error err = { 0 };
    born_array f[3];
    born_dataset *set = make_set();
    born_loader *l = open_loader(set, (born_loader_desc){ .batch = 4, .collate = negate });
    REQUIRE(l != NULL);
    CHECK(born_loader_next(l, f, 1) && ((const float *)f[0].data)[3] < -9.5f);
    CHECK(!born_loader_next(l, f, 3));
    CHECK_STATUS(born_loader_status(l, &err), BORN_INVALID);
    born_loader_close(&l);
    born_loader_desc tight = { .batch = 100, .workers = 2, .max_bytes = 1000 };
    born_loader_desc none = { .batch = 200, .drop_last = true };
    CHECK_STATUS(born_loader_open(set, &tight, &l, &err), BORN_NOMEM);
    CHECK_STATUS(born_loader_open(set, &none, &l, &err), BORN_INVALID);
    born_loader_desc negative = { .batch = -1 }, mixed = { .mixup = 9, .classes = 5 };
    CHECK_STATUS(born_loader_open(set, &negative, &l, &err), BORN_INVALID);
    CHECK_STATUS(born_loader_open(set, &mixed, &l, &err), BORN_INVALID);
    born_dataset_close(&set);
}

TEST(data_splits_and_joins_lose_nothing)
{
    born_error err = { 0 };
    born_dataset *set = make_set(), *part[3], *again[3], *all = NULL;
    const double share[3] = { 0.8, 0.1, 0.1 };
    REQUIRE_OK(born_dataset_split(set, share, 3, 5, part, &err), &err);
    REQUIRE_OK(born_dataset_split(set, share, 3, 5, again, &err), &err);
    CHECK_INT(born_dataset_count(part[0]), 82);
    REQUIRE_OK(born_dataset_concat(part, 3, &all, &err), &err);
    CHECK_INT(born_dataset_count(all), ITEMS);
    int seen[ITEMS] = { 0 }, in_order = 0;
    for (int i = 0; i < ITEMS; i++) {
        float x[3], z[3];
        int64_t y;
        REQUIRE(data_get(all, i, x, &y, &err));
        seen[(int)(x[0] / 10)]++;
        in_order += (int)(x[0] / 10) == i;
        if (i < 82) CHECK(data_get(again[0], i, z, &y, &err) && z[1] - x[1] < 0.5f && x[1] - z[1] < 0.5f);
    }
    for (int i = 0; i < ITEMS; i++) CHECK_INT(seen[i], 1);
    CHECK(in_order < ITEMS / 4);
    const double too_much[2] = { 0.8, 0.3 };
    born_dataset *none[2];
    CHECK_STATUS(born_dataset_split(set, too_much, 2, 5, none, &err), BORN_INVALID);
    const int64_t outside[1] = { ITEMS };
    born_dataset *sub;
    CHECK_STATUS(born_dataset_subset(set, outside, 1, &sub, &err), BORN_RANGE);
    born_dataset *unlike[2] = { set, make_pictures() };
    CHECK(born_dataset_concat(unlike, 2, &sub, &err) != BORN_OK);
    born_dataset_close(&unlike[1]);
    for (int i = 0; i < 3; i++) born_dataset_close(&part[i]), born_dataset_close(&again[i]);
    born_dataset_close(&all);
    born_dataset_close(&set);
}

TEST_MAIN

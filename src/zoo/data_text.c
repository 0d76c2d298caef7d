/* Texts for recipes: windows of characters. The last share of the text is for validation, in windows that do not
   overlap; training windows begin every `stride` characters of what is before. */
#include "zoo/zoo.h"

static born_status open_windows(const char *path, int64_t window, int64_t stride, born_dataset **out, born_error *err)
{
    return born_dataset_open_text(path, &(born_text_desc){ .window = window, .stride = stride }, out, err);
}

/* Items first to last of a set; closes it. */
static born_status items_of(born_dataset **set, int64_t first, int64_t count, born_dataset **out, born_error *err)
{
    int64_t *index = born__calloc((size_t)count + 1, sizeof *index);
    born_status st = index ? BORN_OK : born__fail(err, BORN_NOMEM, "no memory for %lld windows", (long long)count);

    for (int64_t i = 0; i < count && !st; i++) index[i] = first + i;
    if (!st) st = born_dataset_subset(*set, index, count, out, err);
    born__free(index);
    born_dataset_close(set);
    return st;
}

static born_status text_open(born_recipe *r, born_error *err)
{
    const char *path = born__zoo_text_of(r, "data");
    int64_t window = born__zoo_int(r, "context"), stride = born__zoo_int(r, "stride");
    born_dataset *set = NULL;

    BORN_FAIL_IF(!*path, err, BORN_INVALID, "which text? --data FILE");
    if (stride == 0) stride = window >= 4 ? window / 4 : 1;
    BORN_TRY(open_windows(path, 1, 1, &set, err));
    int64_t n = born_dataset_count(set) + 1; /* characters */
    born_status st = born__zoo_classes_of(r, set, err);
    born_dataset_close(&set);
    BORN_TRY(st);
    BORN_FAIL_IF(!born__zoo_facts_take(r, 0), err, BORN_NOMEM, "no memory");
    int64_t cut = (int64_t)((double)n * (1 - born__zoo_real(r, "valid")));
    int64_t train = cut > window ? (cut - 1 - window) / stride + 1 : 0;
    int64_t first = (cut + window - 1) / window, valid = (n - 1) / window - first;
    BORN_FAIL_IF(train < 1 || valid < 1, err, BORN_SHAPE,
                 "%s: %lld characters are too few for windows of %lld: give a longer text or a smaller --context", path,
                 (long long)n, (long long)window);
    BORN_TRY(open_windows(path, window, stride, &set, err));
    BORN_TRY(items_of(&set, 0, train, &r->train_set, err));
    BORN_TRY(open_windows(path, window, window, &set, err));
    return items_of(&set, first, valid, &r->valid_set, err);
}

const born_zoo_data born__zoo_text = { "text", text_open, NULL };

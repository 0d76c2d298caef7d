/* See labels.h. A table of open addressing over the names' hashes; called by the CSV reader. */
#include "data/labels.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/dataset.h"

#define FIRST_SLOTS ((size_t)64)

static bool rehash(born_labels *l)
{
    size_t n = l->slot_count == 0 ? FIRST_SLOTS : l->slot_count * 2;
    int64_t *slot = born__calloc(n, sizeof *slot);
    if (slot == NULL) return false;
    for (size_t i = 0; i < l->count; i++) {
        size_t at = (size_t)born__hash(l->name[i], strlen(l->name[i]), 0) & (n - 1);
        while (slot[at] != 0) at = (at + 1) & (n - 1);
        slot[at] = (int64_t)i + 1;
    }
    born__free(l->slot);
    l->slot = slot;
    l->slot_count = n;
    return true;
}

int64_t born__labels_find(born_labels *l, const char *s, size_t n, bool add)
{
    if (2 * (l->count + 1) > l->slot_count && !rehash(l)) return -2;
    size_t at = (size_t)born__hash(s, n, 0) & (l->slot_count - 1);
    for (; l->slot[at] != 0; at = (at + 1) & (l->slot_count - 1)) {
        const char *name = l->name[l->slot[at] - 1];
        if (strlen(name) == n && memcmp(name, s, n) == 0) return l->slot[at] - 1;
    }
    if (!add) return -1;
    if (l->count == BORN_MOST_CLASSES) return -3;
    char *copy = born__arena_strdup(&l->arena, s, n);
    if (copy == NULL || !born__grow((void **)&l->name, &l->cap, l->count + 1, sizeof *l->name)) return -2;
    l->name[l->count] = copy;
    l->slot[at] = (int64_t)++l->count;
    return (int64_t)l->count - 1;
}

typedef struct ranked {
    const char *name;
    int64_t value, number;
} ranked;

/* A whole integer of at most 18 digits. */
static bool as_integer(const char *s, int64_t *out)
{
    const char *p = *s == '-' ? s + 1 : s;
    size_t n = strspn(p, "0123456789");
    if (n == 0 || n > 18 || p[n] != '\0') return false;
    *out = strtoll(s, NULL, 10);
    return true;
}

static int by_value(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const ranked *)a)->name, ((const ranked *)b)->name);
}

bool born__labels_sort(born_labels *l)
{
    bool numbers = true;
    ranked *r = born__calloc(l->count + 1, sizeof *r);
    l->place = born__calloc(l->count + 1, sizeof *l->place);
    if (r == NULL || l->place == NULL) {
        born__free(r);
        return false;
    }
    for (size_t i = 0; i < l->count; i++) {
        r[i].name = l->name[i];
        r[i].number = (int64_t)i;
        numbers &= as_integer(l->name[i], &r[i].value);
    }
    qsort(r, l->count, sizeof *r, numbers ? by_value : by_name);
    for (size_t i = 0; i < l->count; i++) {
        l->name[i] = (char *)(uintptr_t)r[i].name;
        l->place[r[i].number] = (int64_t)i;
    }
    born__free(r);
    return true;
}

void born__labels_free(born_labels *l)
{
    born__free(l->name);
    born__free(l->place);
    born__free(l->slot);
    born__arena_free(&l->arena);
    *l = (born_labels){ .count = 0 };
}

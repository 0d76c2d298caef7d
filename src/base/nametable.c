/* See nametable.h. */
#include "base/nametable.h"

#include <string.h>

#include "base/alloc.h"
#include "base/hash.h"

enum { MAX_PROBES = 4096, FIRST_CAP = 32 };

/* The slot of a name, or the free one where it would go; NULL: neither is within reach. */
static born_name_slot *probe(const born_names *t, const char *p, size_t n)
{
    if (!t->cap) return NULL;
    size_t at = (size_t)born__hash(p, n, 0x6e616d65) & (t->cap - 1);
    for (int i = 0; i < MAX_PROBES; i++, at = (at + 1) & (t->cap - 1)) {
        born_name_slot *s = &t->slot[at];
        if (!s->p || (s->n == n && memcmp(s->p, p, n) == 0)) return s;
    }
    return NULL;
}

static born_status grow(born_names *t)
{
    born_names more = { .cap = t->cap ? t->cap * 2 : FIRST_CAP, .count = t->count };

    more.slot = born__calloc(more.cap, sizeof *more.slot);
    if (!more.slot) return BORN_NOMEM;
    for (size_t i = 0; i < t->cap; i++) {
        if (!t->slot[i].p) continue;
        born_name_slot *s = probe(&more, t->slot[i].p, t->slot[i].n);
        if (!s) {
            born__free(more.slot);
            return BORN_RANGE;
        }
        *s = t->slot[i];
    }
    born__free(t->slot);
    *t = more;
    return BORN_OK;
}

born_status born__names_add(born_names *t, const char *p, size_t n, size_t index)
{
    if (t->count * 2 >= t->cap) {
        born_status st = grow(t);
        if (st != BORN_OK) return st;
    }
    born_name_slot *s = probe(t, p, n);
    if (!s) return BORN_RANGE;
    if (s->p) return BORN_STATE;
    *s = (born_name_slot){ p, n, index };
    t->count++;
    return BORN_OK;
}

bool born__names_find(const born_names *t, const char *p, size_t n, size_t *index)
{
    const born_name_slot *s = probe(t, p, n);

    if (!s || !s->p) return false;
    *index = s->index;
    return true;
}

void born__names_free(born_names *t)
{
    born__free(t->slot);
    *t = (born_names){ .slot = NULL };
}

/* Memory planning of a segment: walking the nodes in order, each root gets the best fitting free range of the block,
   and gives it back after its last use. Roots that later segments, outputs or the next run read stay to the end. */
#include "base/error.h"
#include "graph/frame.h"

static bool insert_free(born_gframe *f, int64_t offset, size_t bytes)
{
    size_t at = 0;

    if (!bytes) return true;
    while (at < f->free_count && f->free_range[at].offset < offset) at++;
    if (at > 0 && f->free_range[at - 1].offset + (int64_t)f->free_range[at - 1].bytes == offset) { /* joins the left */
        f->free_range[at - 1].bytes += bytes;
        if (at < f->free_count && offset + (int64_t)bytes == f->free_range[at].offset) {
            f->free_range[at - 1].bytes += f->free_range[at].bytes;
            for (size_t i = at; i + 1 < f->free_count; i++) f->free_range[i] = f->free_range[i + 1];
            f->free_count--;
        }
        return true;
    }
    if (at < f->free_count && offset + (int64_t)bytes == f->free_range[at].offset) {
        f->free_range[at].offset = offset;
        f->free_range[at].bytes += bytes;
        return true;
    }
    if (!born__grow((void **)&f->free_range, &f->free_cap, f->free_count + 1, sizeof *f->free_range)) return false;
    for (size_t i = f->free_count; i > at; i--) f->free_range[i] = f->free_range[i - 1];
    f->free_range[at] = (born_free_range){ offset, bytes };
    f->free_count++;
    return true;
}

/* Best fit; otherwise the block grows, from its last range where that is free. */
static int64_t take(born_gframe *f, size_t bytes, size_t *end)
{
    size_t best = f->free_count;

    if (!bytes) return 0;
    for (size_t i = 0; i < f->free_count; i++)
        if (f->free_range[i].bytes >= bytes &&
            (best == f->free_count || f->free_range[i].bytes < f->free_range[best].bytes))
            best = i;
    if (best == f->free_count && f->free_count) {
        born_free_range *last = &f->free_range[f->free_count - 1];
        if ((size_t)last->offset + last->bytes == *end) {
            *end = (size_t)last->offset + bytes;
            f->free_count--;
            return last->offset;
        }
    }
    if (best == f->free_count) {
        int64_t at = (int64_t)*end;
        *end += bytes;
        return at;
    }
    born_free_range *r = &f->free_range[best];
    int64_t at = r->offset;
    r->offset += (int64_t)bytes;
    r->bytes -= bytes;
    if (!r->bytes) {
        for (size_t i = best; i + 1 < f->free_count; i++) f->free_range[i] = f->free_range[i + 1];
        f->free_count--;
    }
    return at;
}

static size_t rounded(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* Places never shrink with slack, else one root that grows would take the room of the others at every step. */
static size_t room_for(const born_slot *o, bool slack)
{
    if (!slack) return rounded(o->bytes);
    if (o->bytes <= o->room) return o->room;
    return o->room > o->bytes / 2 && o->room < SIZE_MAX / 8 ? 2 * o->room : rounded(o->bytes);
}

born_status born__plan_offsets(born_gframe *f, born_binding *b, int32_t k, bool slack, size_t *bytes, born_error *err)
{
    const born_segment *s = &f->graph->structure->segment[k];
    size_t end = 0;

    f->free_count = 0;
    *bytes = 0;
    if (s->control) return BORN_OK;
    for (int32_t n = s->begin; n <= s->end; n++) f->expire_head[n] = -1;
    for (int32_t n = s->begin; n < s->end; n++) {
        const born_gnode *node = &f->graph->node[n];
        for (int i = 0; i < node->out_count; i++) {
            born_slot *o = &b->slot[node->out[i]];
            if (o->root != node->out[i] || o->where != BORN_AT_BLOCK) continue;
            BORN_FAIL_IF(o->bytes > SIZE_MAX / 4 || end > SIZE_MAX / 4, err, BORN_NOMEM,
                         "session: the plan is too large");
            o->room = room_for(o, slack);
            o->offset = take(f, o->room, &end);
            int32_t dies = o->last_use < n ? n : o->last_use;
            if (dies >= s->end) continue;
            f->expire_next[node->out[i]] = f->expire_head[dies];
            f->expire_head[dies] = node->out[i];
        }
        for (int32_t v = f->expire_head[n]; v >= 0; v = f->expire_next[v])
            BORN_FAIL_IF(!insert_free(f, b->slot[v].offset, b->slot[v].room), err, BORN_NOMEM,
                         "session: out of memory");
    }
    *bytes = end;
    return BORN_OK;
}

/* Names: of values in a scope, and of operators in the op table. Both are open-addressed tables with linear probing; a
   file whose names are made to collide is refused rather than searched through for hours. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "formats/onnx/map.h"

enum { MAX_PROBES = 4096, MAX_NAME = 1 << 16 };

static size_t hash_name(born_str s)
{
    return (size_t)born__hash(s.p, s.n, 0x6f6e6e78);
}

/* The slot of a name, or the free slot where it would go; NULL where there is neither within reach. */
static map_name *probe(const map_table *t, born_str name)
{
    size_t at;

    if (!t->cap) return NULL;
    at = hash_name(name) & (t->cap - 1);
    for (int i = 0; i < MAX_PROBES; i++, at = (at + 1) & (t->cap - 1))
        if (!t->slot[at].name.p || born__pb_str_same(t->slot[at].name, name)) return &t->slot[at];
    return NULL;
}

static born_status grow(map_ctx *x, map_table *t)
{
    map_table bigger = { NULL, t->cap ? t->cap * 2 : 64, t->count };

    bigger.slot = born__map_alloc(x, bigger.cap, sizeof *bigger.slot);
    BORN_FAIL_IF(!bigger.slot, x->err, BORN_NOMEM, "onnx: out of memory");
    for (size_t i = 0; i < t->cap; i++) {
        if (!t->slot[i].name.p) continue;
        map_name *s = probe(&bigger, t->slot[i].name);
        BORN_FAIL_IF(!s, x->err, BORN_FORMAT, "onnx: too many names collide");
        *s = t->slot[i];
    }
    *t = bigger;
    return BORN_OK;
}

map_name *born__map_find(const map_frame *f, born_str name)
{
    map_name *s = name.n ? probe(&f->table, name) : NULL;

    return s && s->name.p ? s : NULL;
}

born_status born__map_bind(map_frame *f, born_str name, born_vid v, born_error *err)
{
    char text[64];

    BORN_FAIL_IF(!name.n || name.n > MAX_NAME, err, BORN_FORMAT, "onnx: a value has no name, or one of %zu bytes",
                 name.n);
    if (f->table.count * 2 >= f->table.cap) BORN_TRY(grow(f->x, &f->table));
    map_name *s = probe(&f->table, name);
    BORN_FAIL_IF(!s, err, BORN_FORMAT, "onnx: too many names collide");
    BORN_FAIL_IF(s->name.p, err, BORN_FORMAT, "onnx: value '%s' is defined twice",
                 born__pb_text(name, text, sizeof text));
    *s = (map_name){ name, v, false };
    f->table.count++;
    return BORN_OK;
}

/* A value of an enclosing graph seen from f: a constant is named again (its bytes are shared), anything else becomes a
   further input of the subgraph. */
static born_status capture(map_frame *f, born_str name, const born_graph *from, born_vid outer, born_vid *out)
{
    map_ctx *x = f->x;
    born_value v;

    if (outer < 0) {
        *out = outer;
        return born__map_bind(f, name, outer, x->err);
    }
    v = from->value[outer];
    if (v.constant) {
        BORN_TRY(born__graph_const(f->g, name.p, name.n, v.dtype, v.dim, v.rank, v.data, false, out, x->err));
        f->g->value[*out].splat = v.splat;
        f->g->value[*out].loose = v.loose;
        return born__map_bind(f, name, *out, x->err);
    }
    BORN_FAIL_IF(!born__grow((void **)&f->capture, &f->capture_cap, f->capture_count + 1, sizeof *f->capture), x->err,
                 BORN_NOMEM, "onnx: out of memory");
    BORN_TRY(born__graph_value(f->g, name.p, name.n, out, x->err));
    f->g->value[*out].dtype = v.dtype;
    f->capture[f->capture_count++] = (map_capture){ outer, *out };
    return born__map_bind(f, name, *out, x->err);
}

born_status born__map_resolve(map_frame *f, born_str name, born_vid *out)
{
    map_frame *chain[MAP_MAX_LEVEL + 2];
    int n = 0;
    map_frame *at = f;
    const map_name *s = NULL;
    char text[64];

    for (; at && n < MAP_MAX_LEVEL + 2; at = at->outer) {
        s = born__map_find(at, name);
        if (s) break;
        chain[n++] = at;
    }
    BORN_FAIL_IF(!s, f->x->err, BORN_FORMAT, "onnx: nothing is named '%s'", born__pb_text(name, text, sizeof text));
    born_vid v = s->value;
    const born_graph *from = at->g;
    while (n--) {
        BORN_TRY(capture(chain[n], name, from, v, &v));
        from = chain[n]->g;
    }
    *out = v;
    return BORN_OK;
}

/* --- operators --- */

static size_t hash_op(born_str domain, born_str name)
{
    return (size_t)born__hash(domain.p ? domain.p : "", domain.n, hash_name(name));
}

/* "com.microsoft.FastGelu:1": the domain ends at the last dot. */
static map_op_entry parse_entry(const char *p, const char *end)
{
    map_op_entry e = { { "", 0 }, { p, (size_t)(end - p) }, 1, NULL };
    const char *colon = memchr(p, ':', (size_t)(end - p));

    if (colon) {
        e.version = 0;
        for (const char *d = colon + 1; d < end && *d >= '0' && *d <= '9' && e.version < 1000000; d++)
            e.version = e.version * 10 + (*d - '0');
        end = colon;
        e.name.n = (size_t)(end - p);
    }
    for (const char *q = p; q < end; q++)
        if (*q == '.') {
            e.domain = (born_str){ p, (size_t)(q - p) };
            e.name = (born_str){ q + 1, (size_t)(end - q - 1) };
        }
    if (born__pb_str_is(e.domain, "ai.onnx")) e.domain.n = 0;
    return e;
}

born_status born__map_index_ops(map_ctx *x)
{
    size_t count = 0;

    for (int i = 1; i < BORN_OP_COUNT; i++) {
        count++;
        for (const char *p = born__ops[i].onnx; *p; p++) count += *p == '|';
    }
    for (x->op_cap = 64; x->op_cap < count * 2; x->op_cap *= 2) continue;
    x->op = born__map_alloc(x, x->op_cap, sizeof *x->op);
    BORN_FAIL_IF(!x->op, x->err, BORN_NOMEM, "onnx: out of memory");
    for (int i = 1; i < BORN_OP_COUNT; i++) {
        const char *p = born__ops[i].onnx;
        while (*p) {
            const char *end = p + strcspn(p, "|");
            map_op_entry e = parse_entry(p, end);
            size_t at = hash_op(e.domain, e.name) & (x->op_cap - 1);
            while (x->op[at].op) at = (at + 1) & (x->op_cap - 1);
            e.op = &born__ops[i];
            x->op[at] = e;
            p = *end ? end + 1 : end;
        }
    }
    return BORN_OK;
}

const born_op *born__map_op(const map_ctx *x, born_str domain, born_str name, int64_t version, int64_t *oldest)
{
    const map_op_entry *best = NULL;
    size_t at = hash_op(domain, name) & (x->op_cap - 1);

    *oldest = 0;
    for (; x->op[at].op; at = (at + 1) & (x->op_cap - 1)) {
        const map_op_entry *e = &x->op[at];
        if (!born__pb_str_same(e->name, name) || !born__pb_str_same(e->domain, domain)) continue;
        if (!*oldest || e->version < *oldest) *oldest = e->version;
        if (e->version <= version && (!best || e->version > best->version)) best = e;
    }
    return best ? best->op : NULL;
}

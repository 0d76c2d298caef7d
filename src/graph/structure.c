/* Making a structure: see structure.h. One forward walk says what could be known on the host, one backward walk what
   must be, and a third cuts the node list where something is known only after running. */
#include "graph/structure.h"

#include <string.h>

#include "base/error.h"
#include "graph/parts.h"

static bool small_int_input(const born_value *v)
{
    bool integer = v->dtype == BORN_I64 || v->dtype == BORN_I32 || v->dtype == BORN_BOOL;

    return v->input && (integer || (v->rank >= 0 && v->rank <= 1));
}

/* able[v]: the elements of v can be computed from constants, sizes and small inputs, without running a kernel. */
static void mark_able(const born_graph *g, uint8_t *able)
{
    for (size_t i = 0; i < g->value_count; i++) able[i] = g->value[i].constant || small_int_input(&g->value[i]);
    for (size_t k = 0; k < g->node_count; k++) {
        const born_gnode *n = &g->node[k];
        bool ok = !(n->op->props & (BORN_P_CONTROL | BORN_P_EFFECT)) && (n->op->ref || (n->op->props & BORN_P_VIEW));

        if (!(n->op->props & BORN_P_META))
            for (int i = 0; i < n->in_count; i++) ok &= n->in[i] < 0 || able[n->in[i]];
        for (int i = 0; i < n->out_count; i++)
            if (n->out[i] >= 0) able[n->out[i]] = ok;
    }
}

static void mark_needed(const born_graph *g, const uint8_t *able, born_structure *s)
{
    for (size_t k = g->node_count; k-- > 0;) {
        const born_gnode *n = &g->node[k];
        bool host = false;

        for (int i = 0; i < n->out_count; i++) host |= n->out[i] >= 0 && s->host_value[n->out[i]] && able[n->out[i]];
        s->host_node[k] = host;
        for (int i = 0; i < n->in_count; i++) {
            bool decides = i < 32 && (n->op->host >> i & 1u);
            if (n->in[i] >= 0 && (decides || (host && !(n->op->props & BORN_P_META)))) s->host_value[n->in[i]] = 1;
        }
    }
}

/* Must a new segment begin before node k? Yes where it needs something that only running the present one tells. */
static bool must_split(const born_graph *g, const born_structure *s, size_t k, const uint8_t *able, int32_t current,
                       const uint8_t *late)
{
    const born_gnode *n = &g->node[k];

    for (int i = 0; i < n->in_count; i++) {
        born_vid v = n->in[i];
        if (v < 0 || s->segment_of[v] != current) continue;
        if (late[v]) return true;
        if (s->host_value[v] && !able[v] && ((i < 32 && (n->op->host >> i & 1u)) || s->host_node[k])) return true;
    }
    return false;
}

static void cut(const born_graph *g, born_structure *s, const uint8_t *able, uint8_t *late)
{
    int32_t current = 0;

    s->segment[0] = (born_segment){ .begin = 0 };
    for (size_t k = 0; k < g->node_count; k++) {
        const born_gnode *n = &g->node[k];
        bool control = (n->op->props & BORN_P_CONTROL) != 0;
        born_segment *seg = &s->segment[current];

        if ((control || seg->control || must_split(g, s, k, able, current, late)) && (int32_t)k > seg->begin) {
            seg->end = (int32_t)k;
            seg = &s->segment[++current];
            *seg = (born_segment){ .begin = (int32_t)k };
        }
        seg->control = control;
        for (int i = 0; i < n->out_count; i++) {
            if (n->out[i] < 0) continue;
            s->segment_of[n->out[i]] = current;
            late[n->out[i]] = control || ((n->op->props & BORN_P_EXTENT) && !s->host_node[k]);
        }
    }
    s->segment[current].end = (int32_t)g->node_count;
    s->segment_count = current + 1;
}

/* Counts v once a mark: its place in the list, where there is one already. */
static void count_in(born_segment *seg, born_vid v, int32_t mark, int32_t *stamp)
{
    if (stamp[v] == mark) return;
    stamp[v] = mark;
    if (seg->incoming) seg->incoming[seg->incoming_count] = v;
    seg->incoming_count++;
}

/* The values that segment k takes from outside, counted, and listed where seg->incoming has room for them. */
static void list_incoming(const born_graph *g, const born_structure *s, int32_t k, int32_t mark, int32_t *stamp)
{
    born_segment *seg = &s->segment[k];

    seg->incoming_count = 0;
    for (int32_t n = seg->begin; n < seg->end; n++)
        for (int i = 0; i < g->node[n].in_count; i++) {
            born_vid v = g->node[n].in[i];
            if (v >= 0 && !g->value[v].constant && s->segment_of[v] != k) count_in(seg, v, mark, stamp);
        }
    for (size_t i = 0; k == 0 && i < g->input_count; i++) /* the first segment's facts are the whole key: all inputs */
        count_in(seg, g->input[i], mark, stamp);
}

static bool fill_incoming(born_graph *g, born_structure *s, int32_t *stamp)
{
    for (int32_t k = 0; k < s->segment_count; k++) {
        born_segment *seg = &s->segment[k];

        list_incoming(g, s, k, 2 * k + 1, stamp);
        seg->incoming = born__arena_alloc(&g->arena, ((size_t)seg->incoming_count + 1) * sizeof *seg->incoming);
        if (!seg->incoming) return false;
        list_incoming(g, s, k, 2 * k + 2, stamp);
    }
    return true;
}

static void lifetimes(const born_graph *g, born_structure *s)
{
    size_t at = 0;

    for (size_t i = 0; i < g->value_count; i++) s->last_use[i] = -1;
    for (size_t k = 0; k < g->node_count; k++) {
        const born_gnode *n = &g->node[k];
        s->first_operand[k] = (int32_t)at;
        at += (size_t)n->in_count + (size_t)n->out_count;
        if (n->in_count + n->out_count > s->max_operands) s->max_operands = n->in_count + n->out_count;
        for (int i = 0; i < n->in_count; i++)
            if (n->in[i] >= 0) s->last_use[n->in[i]] = (int32_t)k;
    }
    for (size_t i = 0; i < g->output_count; i++) s->last_use[g->output[i]] = (int32_t)g->node_count;
    s->operand_count = at + 2 * g->output_count;
}

/* Results nobody reads: left out at the end of a node's list, given a value of their own elsewhere, so that every
   result of a call has a place. */
static born_status name_results(born_graph *g, born_error *err)
{
    for (size_t k = 0; k < g->node_count; k++) {
        while (g->node[k].out_count > 1 && g->node[k].out[g->node[k].out_count - 1] < 0) g->node[k].out_count--;
        for (int i = 0; i < g->node[k].out_count; i++)
            if (g->node[k].out[i] < 0) {
                born_vid v;
                BORN_TRY(born__graph_value(g, NULL, 0, &v, err));
                g->value[v].producer = (int32_t)k;
                g->node[k].out[i] = v;
            }
    }
    return BORN_OK;
}

born_status born__structure_make(born_graph *g, born_error *err)
{
    BORN_TRY(name_results(g, err));
    born_structure *s = born__arena_alloc(&g->arena, sizeof *s);
    size_t v = g->value_count + 1, n = g->node_count + 1;
    uint8_t *able = born__calloc(v, 1), *late = born__calloc(v, 1);
    int32_t *stamp = born__calloc(v, sizeof *stamp);
    bool ok = s && able && late && stamp;

    if (ok) {
        s->segment = born__arena_alloc(&g->arena, (n + 1) * sizeof *s->segment);
        s->last_use = born__arena_alloc(&g->arena, v * sizeof *s->last_use);
        s->segment_of = born__arena_alloc(&g->arena, v * sizeof *s->segment_of);
        s->first_operand = born__arena_alloc(&g->arena, n * sizeof *s->first_operand);
        s->host_node = born__arena_alloc(&g->arena, n);
        s->host_value = born__arena_alloc(&g->arena, v);
        s->partner = born__arena_alloc(&g->arena, n * sizeof *s->partner);
        ok = s->segment && s->last_use && s->segment_of && s->first_operand && s->host_node && s->host_value &&
             s->partner;
    }
    if (ok) {
        for (size_t i = 0; i < v; i++) s->segment_of[i] = -1;
        mark_able(g, able);
        mark_needed(g, able, s);
        cut(g, s, able, late);
        lifetimes(g, s);
        born__parts_find(g, s, able, stamp);
        memset(stamp, 0, v * sizeof *stamp);
        ok = fill_incoming(g, s, stamp);
    }
    born__free(able);
    born__free(late);
    born__free(stamp);
    BORN_FAIL_IF(!ok, err, BORN_NOMEM, "graph: out of memory");
    g->structure = s;
    return BORN_OK;
}

/* Models: an optimised graph, the file behind it, and the packed forms of its weights. Immutable once made, but for the
   cache of packed forms, which only grows and is guarded by the model's lock. */
#include "graph/model.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memlimit.h"
#include "graph/edit.h"
#include "graph/print.h"
#include "tensor/view.h"

born_status born__desc_check(const void *desc, size_t desc_bytes, void *own, size_t own_bytes, const char *what,
                             born_error *err)
{
    memset(own, 0, own_bytes);
    if (!desc) return BORN_OK;
    for (size_t i = own_bytes; i < desc_bytes; i++)
        BORN_FAIL_IF(((const char *)desc)[i] != 0, err, BORN_UNSUPPORTED,
                     "%s: set by a newer header: a field this library does not know", what);
    memcpy(own, desc, desc_bytes < own_bytes ? desc_bytes : own_bytes);
    return BORN_OK;
}

static void model_free(born_model *m)
{
    for (size_t i = 0; i < m->block_count; i++) born__free(m->block[i]);
    born__free(m->block);
    born__free(m->packed);
    born__graph_free(&m->graph);
    if (m->source_close) m->source_close(m->source);
    born__lock_destroy(&m->lock);
    born__free(m);
}

/* Passes replace values, but an output keeps the name it has in the file. */
static born_status keep_output_names(born_model *m, born_error *err)
{
    born_graph *g = m->graph;

    m->output_name = born__arena_alloc(&g->arena, (g->output_count + 1) * sizeof *m->output_name);
    m->output_said = born__arena_alloc(&g->arena, (g->output_count + 1) * sizeof *m->output_said);
    BORN_FAIL_IF(!m->output_name || !m->output_said, err, BORN_NOMEM, "model: out of memory");
    for (size_t i = 0; i < g->output_count; i++) {
        m->output_said[i] = g->value[g->output[i]];
        m->output_name[i] = m->output_said[i].name;
    }
    return BORN_OK;
}

born_status born__model_make(born_loaded *l, const char *format, const born_model_desc *desc, born_model **out,
                             born_error *err)
{
    born_model *m = born__calloc(1, sizeof *m);

    *out = NULL;
    if (!m || born__lock_init(&m->lock)) {
        born__free(m);
        born__graph_free(&l->graph);
        return born__fail(err, BORN_NOMEM, "model: out of memory");
    }
    m->refs = 1;
    m->graph = l->graph;
    l->graph = NULL;
    m->opset = l->opset;
    m->max_bytes = desc->max_bytes ? desc->max_bytes : (size_t)born__memory_limit();
    snprintf(m->format, sizeof m->format, "%s", format);
    snprintf(m->producer, sizeof m->producer, "%s", l->producer);
    born_status st = born__graph_verify(m->graph, err);
    m->file_node_count = (int64_t)m->graph->node_count;
    size_t copies_left = m->max_bytes;
    born_pass_ctx ctx = { .max_bytes = m->max_bytes / 2, .copies_left = &copies_left, .exact = desc->exact,
                          .passes_off = desc->passes_off, .dump = desc->dump, .dump_user = desc->dump_user };
    if (st == BORN_OK) st = keep_output_names(m, err);
    if (st == BORN_OK) st = born__graph_optimise(m->graph, &ctx, err);
    if (st != BORN_OK) {
        model_free(m);
        return st;
    }
    *out = m;
    return BORN_OK;
}

void born__model_retain(born_model *m)
{
    born__lock(&m->lock);
    m->refs++;
    born__unlock(&m->lock);
}

void born_model_close(born_model **mp)
{
    born_model *m = mp ? *mp : NULL;

    if (!m) return;
    *mp = NULL;
    born__lock(&m->lock);
    int left = --m->refs;
    born__unlock(&m->lock);
    if (!left) model_free(m);
}

const born_packed *born__model_find_packed(const born_model *m, const born_view *w, uint32_t form, size_t bytes)
{
    size_t row = sizeof w->dim[0] * (size_t)w->rank;

    for (size_t i = 0; i < m->packed_count; i++) {
        const born_packed *p = &m->packed[i];
        if (p->data == w->data && p->form == form && p->byte_count == bytes && p->rank == w->rank &&
            !memcmp(p->dim, w->dim, row) && !memcmp(p->stride, w->stride, row))
            return p;
    }
    return NULL;
}

born_status born__model_pack_block(born_model *m, size_t bytes, char **out, born_error *err)
{
    BORN_FAIL_IF(bytes > m->max_bytes || m->packed_bytes > m->max_bytes - bytes, err, BORN_NOMEM,
                 "packed weights need %zu bytes, above max_bytes of %zu", m->packed_bytes + bytes, m->max_bytes);
    void *p =
        born__grow((void **)&m->block, &m->block_cap, m->block_count + 1, sizeof *m->block) ? born__alloc(bytes) : NULL;
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "model: out of memory for %zu bytes of packed weights", bytes);
    m->block[m->block_count++] = p;
    *out = p;
    return BORN_OK;
}

born_status born__model_add_packed(born_model *m, const born_view *w, uint32_t form, void *bytes, size_t byte_count,
                                   born_error *err)
{
    BORN_FAIL_IF(!born__grow((void **)&m->packed, &m->packed_cap, m->packed_count + 1, sizeof *m->packed), err,
                 BORN_NOMEM, "model: out of memory");
    born_packed *p = &m->packed[m->packed_count++];
    *p = (born_packed){ .data = w->data, .rank = w->rank, .form = form, .bytes = bytes, .byte_count = byte_count };
    memcpy(p->dim, w->dim, sizeof p->dim);
    memcpy(p->stride, w->stride, sizeof p->stride);
    m->packed_bytes += byte_count;
    return BORN_OK;
}

/* Copies are kept as a form of their own, beside the packed ones. */
born_status born__model_aligned(born_model *m, const born_value *v, const void **out, born_error *err)
{
    enum { FORM_COPY = 0 }; /* kernels number theirs from 1 */
    born_view w = born__value_view(v);
    char *to = NULL;

    born__lock(&m->lock);
    const born_packed *p = born__model_find_packed(m, &w, FORM_COPY, v->bytes);
    born_status st = p ? BORN_OK : born__model_pack_block(m, v->bytes, &to, err);
    if (to) {
        size_t first = m->packed_count;
        memcpy(to, v->data, v->bytes);
        st = born__model_add_packed(m, &w, FORM_COPY, to, v->bytes, err);
        if (st != BORN_OK) born__model_unpack(m, first);
        else if (m->source_drop) m->source_drop(m->source, v->data, v->bytes);
    }
    *out = to ? to : p ? p->bytes : NULL;
    born__unlock(&m->lock);
    return st;
}

void born__model_unpack(born_model *m, size_t first)
{
    while (m->packed_count > first) m->packed_bytes -= m->packed[--m->packed_count].byte_count;
    if (m->block_count) born__free(m->block[--m->block_count]);
}

void born_model_info_get(const born_model *m, born_model_info *out)
{
    const born_graph *g = m->graph;

    *out = (born_model_info){ .format = m->format, .producer = m->producer, .opset = m->opset,
                              .input_count = (int)g->input_count, .output_count = (int)g->output_count,
                              .node_count = (int64_t)g->node_count, .file_node_count = m->file_node_count,
                              .packed_bytes = m->packed_bytes };
    for (size_t i = 0; i < g->value_count; i++) {
        int64_t count;
        if (!g->value[i].constant || !born__shape_count(g->value[i].dim, g->value[i].rank, &count)) continue;
        out->param_count += count;
        out->param_bytes += g->value[i].bytes;
    }
}

static void describe(const born_value *v, born_value_info *out)
{
    *out = (born_value_info){ .name = v->name, .dtype = v->dtype, .rank = v->rank };
    for (int d = 0; d < v->rank; d++) {
        out->dim[d] = v->dim[d];
        out->symbol[d] = v->symbol[d];
    }
}

born_status born_model_input(const born_model *m, int i, born_value_info *out)
{
    if (i < 0 || (size_t)i >= m->graph->input_count) return BORN_RANGE;
    describe(&m->graph->value[m->graph->input[i]], out);
    return BORN_OK;
}

born_status born_model_output(const born_model *m, int i, born_value_info *out)
{
    if (i < 0 || (size_t)i >= m->graph->output_count) return BORN_RANGE;
    const born_value *v = &m->graph->value[m->graph->output[i]], *said = &m->output_said[i];
    describe(v->dtype && v->rank >= 0 ? v : said, out);
    if (v->dtype) out->dtype = v->dtype;
    out->name = m->output_name[i];
    return BORN_OK;
}

void born_model_ops(const born_model *m, void (*fn)(void *user, const char *op, int64_t count), void *user)
{
    for (size_t id = 1; id < BORN_OP_COUNT; id++) {
        int64_t count = 0;
        for (size_t k = 0; k < m->graph->node_count; k++) count += m->graph->node[k].op->id == id;
        if (count) fn(user, born__ops[id].name, count);
    }
}

void born_model_print(const born_model *m, void (*fn)(void *user, const char *text, size_t n), void *user)
{
    char *text = NULL;

    if (born__graph_text(m->graph, &text, NULL) == BORN_OK) fn(user, text, strlen(text));
    born__free(text);
}

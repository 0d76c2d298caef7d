/* Sessions: one thread's use of a model on a backend. Checks what the caller hands in, runs the frame, hands out
   results. State that is tied from run to run is in state.c. */
#include <string.h>

#include <born/device.h>

#include "base/error.h"
#include "base/memlimit.h"
#include "graph/state.h"
#include "ops/copy_view.h"
#include "tensor/view.h"
#include "waist/chain.h"

born_status born__session_reserve(born_session *s, size_t more, born_error *err)
{
    size_t held = s->block_bytes + s->scratch_bytes + s->state_bytes + s->model->packed_bytes;

    BORN_FAIL_IF(more > s->max_bytes || held > s->max_bytes - more, err, BORN_NOMEM,
                 "the plan needs %zu bytes, above max_bytes of %zu", held + more, s->max_bytes);
    return BORN_OK;
}

born_status born__session_scratch(born_session *s, size_t bytes, born_error *err)
{
    born_buffer *fresh;

    if (bytes <= s->scratch_bytes) return BORN_OK;
    BORN_TRY(born__session_reserve(s, bytes - s->scratch_bytes, err));
    if (s->scratch) born__backend_release(s->backend, s->scratch);
    s->scratch = NULL;
    s->scratch_base = NULL;
    s->scratch_bytes = 0;
    BORN_TRY(born__backend_alloc(s->backend, bytes, 64, NULL, NULL, &fresh, err));
    s->scratch = fresh;
    s->scratch_base = fresh->data;
    s->scratch_bytes = bytes;
    return BORN_OK;
}

born_status born__session_step(born_session *s, born_error *err)
{
    s->steps++;
    BORN_FAIL_IF(s->max_steps > 0 && s->steps > s->max_steps, err, BORN_CANCELLED,
                 "stopped after max_steps of %lld iterations", (long long)s->max_steps);
    return BORN_OK;
}

born_status born_session_open_sized(born_model *m, const born_session_desc *desc, size_t desc_bytes, born_session **out,
                                    born_error *err)
{
    born_session_desc d;
    born_session *s;

    *out = NULL;
    BORN_FAIL_IF(!m, err, BORN_INVALID, "session: no model");
    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "session", err));
    s = born__calloc(1, sizeof *s);
    BORN_FAIL_IF(!s, err, BORN_NOMEM, "session: out of memory");
    s->model = m;
    born__model_retain(m);
    s->max_bytes = d.max_bytes ? d.max_bytes : m->max_bytes;
    s->max_steps = d.max_steps;
    s->profile = d.profile;
    s->own_backend = !d.backend;
    s->backend = d.backend ? d.backend : born_cpu(&(born_cpu_desc){ .threads = d.threads });
    born_error failed = *born_backend_error(s->backend);
    if (!s->own_backend) born__chain_hold(s->backend); /* closing lets go of it, also where this fails */
    born_status st = failed.status;
    if (st == BORN_OK) st = born__frame_open(s, m->graph, &s->frame, &failed);
    if (st == BORN_OK) {
        s->input_view = born__calloc(m->graph->input_count + 1, sizeof *s->input_view);
        s->result_heap = born__calloc(m->graph->output_count + 1, sizeof *s->result_heap);
        s->result_cap = born__calloc(m->graph->output_count + 1, sizeof *s->result_cap);
        if (!s->input_view || !s->result_heap || !s->result_cap)
            st = born__fail(&failed, BORN_NOMEM, "session: out of memory");
    }
    if (st != BORN_OK) {
        if (err) *err = failed;
        born_session_close(&s);
        return st;
    }
    *out = s;
    return BORN_OK;
}

void born_session_close(born_session **sp)
{
    born_session *s = sp ? *sp : NULL;

    if (!s) return;
    *sp = NULL;
    for (size_t i = 0; s->result_heap && i < s->model->graph->output_count; i++) born__free(s->result_heap[i]);
    born__state_free(s);
    born__free(s->result_heap);
    born__free(s->result_cap);
    born__frame_close(&s->frame);
    if (s->scratch) born__backend_release(s->backend, s->scratch);
    born__free(s->input_view);
    if (s->own_backend) born_backend_close(&s->backend);
    else born__chain_unhold(s->backend);
    born_model_close(&s->model);
    born__free(s);
}

static int find_name(const born_graph *g, const born_vid *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(g->value[list[i]].name, name)) return (int)i;
    return -1;
}

static int find_output(const born_model *m, const char *name)
{
    for (size_t i = 0; i < m->graph->output_count; i++)
        if (!strcmp(m->output_name[i], name)) return (int)i;
    return -1;
}

born_status born_session_tie(born_session *s, const char *output, const char *input, born_error *err)
{
    const born_graph *g = s->model->graph;
    int out = find_output(s->model, output), in = find_name(g, g->input, g->input_count, input);

    BORN_FAIL_IF(out < 0, err, BORN_INVALID, "tie: the model has no output '%s'", output);
    BORN_FAIL_IF(in < 0, err, BORN_INVALID, "tie: the model has no input '%s'", input);
    BORN_FAIL_IF(born__state_of_input(s, in), err, BORN_STATE, "tie: input '%s' is tied already", input);
    const born_value *from = &g->value[g->output[out]], *to = &g->value[g->input[in]];
    BORN_FAIL_IF(from->dtype && to->dtype && from->dtype != to->dtype, err, BORN_DTYPE,
                 "tie: output '%s' is %s, input '%s' takes %s", output, born_dtype_name(from->dtype), input,
                 born_dtype_name(to->dtype));
    return born__state_tie(s, out, in, err);
}

void born_session_reset(born_session *s)
{
    for (int i = 0; i < s->tie_count; i++) s->tie[i].view = (born_view){ 0 };
}

static born_status check_input(const born_value *v, const born_array *a, bool need_data, born_view *out,
                               born_error *err)
{
    char want[96], got[96];
    int64_t count;

    BORN_FAIL_IF(v->dtype != BORN_DTYPE_NONE && a->dtype != v->dtype, err, BORN_DTYPE,
                 "input '%s': is %s, the model takes %s", v->name, born_dtype_name(a->dtype),
                 born_dtype_name(v->dtype));
    BORN_FAIL_IF(a->shape.rank < 0 || a->shape.rank > BORN_MAX_RANK ||
                     !born__shape_count(a->shape.dim, a->shape.rank, &count),
                 err, BORN_SHAPE, "input '%s': its shape is not valid", v->name);
    bool fits = v->rank < 0 || v->rank == a->shape.rank;
    for (int d = 0; fits && d < v->rank; d++) fits = v->dim[d] < 0 || v->dim[d] == a->shape.dim[d];
    BORN_FAIL_IF(!fits, err, BORN_SHAPE, "input '%s': is %s, the model takes %s", v->name,
                 born__shape_text(a->shape.dim, a->shape.rank, got, sizeof got),
                 born__shape_text(v->dim, v->rank, want, sizeof want));
    int64_t bytes = born_dtype_bytes(a->dtype, count);
    BORN_FAIL_IF(bytes < 0, err, BORN_SHAPE, "input '%s': its size overflows", v->name);
    BORN_FAIL_IF(a->bytes && (uint64_t)bytes != a->bytes, err, BORN_SHAPE,
                 "input '%s': %zu bytes, its shape needs %lld", v->name, a->bytes, (long long)bytes);
    BORN_FAIL_IF(need_data && bytes && !a->data, err, BORN_INVALID, "input '%s': has no data", v->name);
    size_t size = (size_t)born__dtype_info(a->dtype)->size;
    BORN_FAIL_IF(a->data && size > 1 && (uintptr_t)a->data % size, err, BORN_INVALID,
                 "input '%s': its data is not aligned to %zu bytes", v->name, size);
    *out = (born_view){ .dtype = a->dtype, .rank = a->shape.rank, .data = (char *)(uintptr_t)a->data };
    memcpy(out->dim, a->shape.dim, sizeof out->dim[0] * (size_t)a->shape.rank);
    born__view_row_major(out);
    static const char nothing[64]; /* what empty inputs point at */
    if (!out->data && !bytes) out->data = (char *)(uintptr_t)nothing;
    return BORN_OK;
}

/* Every symbol means one size. */
static born_status check_symbols(const born_graph *g, const born_view *in, born_error *err)
{
    for (size_t i = 0; i < g->input_count; i++)
        for (int d = 0; d < g->value[g->input[i]].rank; d++) {
            const char *name = g->value[g->input[i]].symbol[d];
            for (size_t j = 0; name && j < i; j++)
                for (int e = 0; e < g->value[g->input[j]].rank; e++) {
                    const char *other = g->value[g->input[j]].symbol[e];
                    BORN_FAIL_IF(other && !strcmp(name, other) && in[i].dim[d] != in[j].dim[e], err, BORN_SHAPE,
                                 "inputs '%s' and '%s' give '%s' the sizes %lld and %lld", g->value[g->input[j]].name,
                                 g->value[g->input[i]].name, name, (long long)in[j].dim[e], (long long)in[i].dim[d]);
                }
        }
    return BORN_OK;
}

/* What the caller hands in first: its sizes say what open sizes of a first state are. */
static born_status take_inputs(born_session *s, const born_array *in, int n_in, bool plan, born_error *err)
{
    const born_graph *g = s->model->graph;

    BORN_FAIL_IF(n_in < 0 || (size_t)n_in > g->input_count, err, BORN_INVALID, "%d inputs given, the model takes %zu",
                 n_in, g->input_count);
    memset(s->input_view, 0, g->input_count * sizeof *s->input_view);
    for (size_t i = 0; i < g->input_count; i++) {
        const born_value *v = &g->value[g->input[i]];
        bool tied = born__state_of_input(s, (int)i) != NULL;
        bool given = (int)i < n_in && (!tied || in[i].data || (plan && in[i].dtype != BORN_DTYPE_NONE));

        BORN_FAIL_IF(!given && !tied, err, BORN_INVALID, "input %zu ('%s') is missing", i, v->name);
        if (given) BORN_TRY(check_input(v, &in[i], !plan, &s->input_view[i], err));
    }
    for (int k = 0; k < s->tie_count; k++) {
        born_view *w = &s->input_view[s->tie[k].in], given = *w;
        BORN_TRY(born__state_input(s, &s->tie[k], given.dtype ? &given : NULL, plan, w, err));
    }
    return s->tie_count ? BORN_OK : check_symbols(g, s->input_view, err);
}

/* Runs or plans; once more where plans ask for larger state buffers, which they do before anything runs. */
static born_status run_frame(born_session *s, const born_array *in, int n_in, bool plan, born_error *err)
{
    born_status st;

    born__state_begin(s);
    do {
        s->prepare_again = false;
        BORN_TRY(take_inputs(s, in, n_in, plan, err));
        st = born__frame_run(s->frame, s->input_view, plan, err);
    } while (st != BORN_OK && s->prepare_again);
    return st;
}

static void to_array(const born_view *w, born_array *a)
{
    *a = (born_array){ .dtype = w->dtype, .shape = { .rank = w->rank }, .data = w->data };
    memcpy(a->shape.dim, w->dim, sizeof w->dim[0] * (size_t)w->rank);
    a->bytes = (size_t)born__view_bytes(w);
}

/* Room for a copy of result i: twice what it was where it grows from run to run. */
static born_status fit_result(born_session *s, int i, size_t bytes, born_error *err)
{
    size_t had = s->result_cap[i], cap = bytes;

    if (bytes <= had) return BORN_OK;
    if (had > bytes / 2 && had < SIZE_MAX / 2 && born__session_reserve(s, had * 2, NULL) == BORN_OK) cap = had * 2;
    BORN_TRY(born__session_reserve(s, cap, err)); /* the old one counts too, until it is free */
    char *p = born__alloc(cap);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "session: out of memory");
    born__free(s->result_heap[i]);
    s->state_bytes += cap - had;
    s->result_heap[i] = p;
    s->result_cap[i] = cap;
    return BORN_OK;
}

/* Result i as a dense array: as it lies where it is dense, copied where it is a view. */
static born_status give_output(born_session *s, int i, born_array *out, born_error *err)
{
    const born_graph *g = s->model->graph;
    born_view w = born__frame_view(s->frame, g->output[i]);
    int64_t bytes = born__view_bytes(&w);

    BORN_FAIL_IF(w.dtype == BORN_DTYPE_NONE || bytes < 0, err, BORN_INTERNAL, "output '%s' was not computed",
                 s->model->output_name[i]);
    if (!born__view_contiguous(&w)) {
        BORN_TRY(fit_result(s, i, (size_t)bytes, err));
        born_view dense = w;
        born__view_row_major(&dense);
        dense.data = s->result_heap[i];
        born__copy_view(&dense, &w, NULL);
        w = dense;
    }
    to_array(&w, out);
    return BORN_OK;
}

born_status born_session_plan(born_session *s, const born_array *in, int n_in, born_error *err)
{
    return run_frame(s, in, n_in, true, err);
}

born_status born_session_run(born_session *s, const born_array *in, int n_in, born_array *out, int n_out,
                             born_error *err)
{
    born_error local;

    if (!err) err = &local;
    BORN_FAIL_IF(n_out < 0 || (size_t)n_out > s->model->graph->output_count, err, BORN_INVALID,
                 "%d outputs asked for, the model gives %zu", n_out, s->model->graph->output_count);
    s->call_count = 0;
    s->flops = 0;
    s->steps = 0;
    BORN_TRY(run_frame(s, in, n_in, false, err));
    BORN_FAIL_IF(s->model->source_lost && s->model->source_lost(s->model->source), err, BORN_IO,
                 "the model's file was cut while it was mapped");
    for (int i = 0; i < n_out; i++) BORN_TRY(give_output(s, i, &out[i], err));
    BORN_TRY(born__state_keep(s, err));
    s->run_count++;
    return BORN_OK;
}

void born_session_stats_get(const born_session *s, born_session_stats *out)
{
    *out = (born_session_stats){ .scratch_bytes = s->scratch_bytes, .packed_bytes = s->model->packed_bytes,
                                 .state_bytes = s->state_bytes, .arena_bytes = s->block_bytes,
                                 .call_count = s->call_count, .run_count = s->run_count, .bind_count = s->bind_count,
                                 .flops = s->flops };
}

void born_session_profile(const born_session *s, void (*fn)(void *user, const born_profile_row *row), void *user)
{
    const born_gframe *f = s->frame;

    for (size_t k = 0; f->seconds && k < f->graph->node_count; k++) {
        const born_gnode *n = &f->graph->node[k];
        born_profile_row row = { .node = n->name, .op = n->op->name, .kernel = "", .seconds = f->seconds[k],
                                 .calls = f->calls[k],
                                 .flops = f->flops[k] * (double)f->calls[k] };
        if (f->calls[k]) fn(user, &row);
    }
}

static born_status array_get(const born_array *a, born_dtype t, const void **p, size_t *count, born_error *err)
{
    int64_t n = 0;

    BORN_FAIL_IF(a->dtype != t, err, BORN_DTYPE, "the array holds %s, not %s", born_dtype_name(a->dtype),
                 born_dtype_name(t));
    BORN_FAIL_IF(!born__shape_count(a->shape.dim, a->shape.rank, &n), err, BORN_SHAPE,
                 "the array's shape is not valid");
    *p = a->data;
    *count = (size_t)n;
    return BORN_OK;
}

born_status born_array_f32(const born_array *a, const float **p, size_t *count, born_error *err)
{
    return array_get(a, BORN_F32, (const void **)(uintptr_t)p, count, err);
}

born_status born_array_f64(const born_array *a, const double **p, size_t *count, born_error *err)
{
    return array_get(a, BORN_F64, (const void **)(uintptr_t)p, count, err);
}

born_status born_array_i32(const born_array *a, const int32_t **p, size_t *count, born_error *err)
{
    return array_get(a, BORN_I32, (const void **)(uintptr_t)p, count, err);
}

born_status born_array_i64(const born_array *a, const int64_t **p, size_t *count, born_error *err)
{
    return array_get(a, BORN_I64, (const void **)(uintptr_t)p, count, err);
}

born_status born_array_u8(const born_array *a, const uint8_t **p, size_t *count, born_error *err)
{
    return array_get(a, BORN_U8, (const void **)(uintptr_t)p, count, err);
}

born_status born_array_i8(const born_array *a, const int8_t **p, size_t *count, born_error *err)
{
    return array_get(a, BORN_I8, (const void **)(uintptr_t)p, count, err);
}

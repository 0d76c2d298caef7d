/* Functions that the model carries: a call is replaced by the function's nodes, in a scope of their own, with the
   call's values bound to its formal inputs and outputs. */
#include "base/error.h"
#include "base/hash.h"
#include "formats/onnx/map.h"

enum { MAX_FUNCTIONS = 4096 };

static bool same_function(const pb_function *fn, born_str domain, born_str name, born_str overload)
{
    return born__pb_str_same(fn->name, name) && born__pb_str_same(fn->domain, domain) &&
           born__pb_str_same(fn->overload, overload);
}

static size_t hash_function(born_str domain, born_str name)
{
    return (size_t)born__hash(domain.n ? domain.p : "", domain.n, born__hash(name.n ? name.p : "", name.n, 1));
}

born_status born__map_index_functions(map_ctx *x)
{
    const pb_model *m = x->model;

    if (!m->function_count) return BORN_OK;
    BORN_FAIL_IF(m->function_count > MAX_FUNCTIONS, x->err, BORN_FORMAT, "onnx: more than %d functions", MAX_FUNCTIONS);
    for (x->fn_cap = 64; x->fn_cap < (size_t)m->function_count * 2; x->fn_cap *= 2) continue;
    x->fn = born__map_alloc(x, x->fn_cap, sizeof *x->fn);
    BORN_FAIL_IF(!x->fn, x->err, BORN_NOMEM, "onnx: out of memory");
    for (int i = 0; i < m->function_count; i++) {
        const pb_function *fn = &m->function[i];
        size_t at = hash_function(fn->domain, fn->name) & (x->fn_cap - 1);
        for (; x->fn[at]; at = (at + 1) & (x->fn_cap - 1))
            BORN_FAIL_IF(same_function(&m->function[x->fn[at] - 1], fn->domain, fn->name, fn->overload), x->err,
                         BORN_FORMAT, "onnx: a function is defined twice");
        x->fn[at] = i + 1;
    }
    return BORN_OK;
}

const pb_function *born__map_function(const map_ctx *x, const pb_node *n)
{
    if (!x->fn_cap) return NULL;
    for (size_t at = hash_function(n->domain, n->op) & (x->fn_cap - 1); x->fn[at]; at = (at + 1) & (x->fn_cap - 1)) {
        const pb_function *fn = &x->model->function[x->fn[at] - 1];
        if (same_function(fn, n->domain, n->op, n->overload)) return fn;
    }
    return NULL;
}

static born_status bind_operands(map_frame *f, map_frame *inner, const pb_function *fn, const pb_node *n)
{
    map_ctx *x = f->x;
    born_vid *in, *out;

    BORN_TRY(born__map_operands(f, n, &in, &out));
    for (int i = 0; i < fn->in_count; i++)
        BORN_TRY(born__map_bind(inner, fn->input[i], i < n->in_count ? in[i] : -1, x->err));
    for (int i = 0; i < fn->out_count && i < n->out_count; i++) {
        if (out[i] < 0) continue;
        map_name *s = born__map_find(inner, fn->output[i]);
        if (s) {
            BORN_FAIL_IF(s->value < 0 || s->promised, x->err, BORN_FORMAT, "onnx: a function's output has no value");
            BORN_TRY(born__map_identity(f, s->value, out[i]));
            continue;
        }
        BORN_TRY(born__map_bind(inner, fn->output[i], out[i], x->err));
        born__map_find(inner, fn->output[i])->promised = true;
    }
    return BORN_OK;
}

born_status born__map_inline(map_frame *f, const pb_function *fn, const pb_node *n)
{
    map_ctx *x = f->x;
    map_binding bind = { fn, n->attr, n->attr_count };
    map_frame inner = { .x = x, .g = f->g, .opset = fn->opset, .opset_count = fn->opset_count, .bind = &bind,
                        .hints = f->hints, .inline_depth = f->inline_depth + 1, .level = f->level + 1 };
    char text[48];

    born__pb_text(fn->name, text, sizeof text);
    BORN_FAIL_IF(inner.inline_depth > MAP_MAX_INLINE || inner.level > MAP_MAX_LEVEL, x->err, BORN_FORMAT,
                 "onnx: function '%s': calls nest deeper than %d", text, MAP_MAX_INLINE);
    BORN_FAIL_IF(n->in_count > fn->in_count || n->out_count > fn->out_count, x->err, BORN_FORMAT,
                 "onnx: function '%s' takes %d inputs and gives %d outputs; a call has %d and %d", text, fn->in_count,
                 fn->out_count, n->in_count, n->out_count);
    x->work += 64;
    BORN_TRY(bind_operands(f, &inner, fn, n));
    BORN_TRY(born__map_declare_nodes(&inner, fn->node, fn->node_count));
    for (int i = 0; i < fn->out_count && i < n->out_count; i++) {
        const map_name *s = n->output[i].n ? born__map_find(&inner, fn->output[i]) : NULL;
        BORN_FAIL_IF(s && s->promised, x->err, BORN_FORMAT, "onnx: function '%s': nothing makes output %d", text, i);
    }
    return born__map_nodes(&inner, fn->node, fn->node_count);
}

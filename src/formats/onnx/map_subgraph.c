/* If, Loop and Scan: each body becomes a graph of its own. What a body uses from outside is found while it is mapped
   (map_names.c) and passed explicitly: the captured values are further inputs of the control node, and further inputs
   of the body in the same order. Constants from outside are named again inside instead. */
#include <string.h>

#include "base/error.h"
#include "formats/onnx/map.h"

typedef struct body {
    born_graph *g;
    map_capture *capture;
    size_t capture_count;
    int formal;                 /* inputs before the captures */
} body;

static void free_body(body *b)
{
    born__graph_free(&b->g);
    born__free(b->capture);
    b->capture = NULL;
}

bool born__map_is_control(const pb_node *n)
{
    return !n->domain.n &&
           (born__pb_str_is(n->op, "If") || born__pb_str_is(n->op, "Loop") || born__pb_str_is(n->op, "Scan"));
}

static born_status fill_body(map_frame *in, const pb_graph *src, born_error *err)
{
    born_vid v;

    BORN_TRY(born__map_declare(in, src, true));
    size_t formal = in->g->input_count;
    BORN_FAIL_IF(formal != (size_t)src->input_count, err, BORN_FORMAT, "onnx: a body's input is also a constant");
    BORN_TRY(born__map_nodes(in, src->node, src->node_count));
    for (int i = 0; i < src->output_count; i++) {
        BORN_TRY(born__map_resolve(in, src->output[i].name, &v));
        BORN_FAIL_IF(v < 0, err, BORN_FORMAT, "onnx: an output of a body has no value");
        BORN_TRY(born__graph_output(in->g, v, err));
    }
    for (size_t i = 0; i < in->capture_count; i++) BORN_TRY(born__graph_input(in->g, in->capture[i].inner, err));
    return BORN_OK;
}

/* Maps the graph of attribute `name`. *b is to be freed by the caller, also on failure. */
static born_status map_body(map_frame *f, const pb_node *n, const char *name, body *b)
{
    map_ctx *x = f->x;
    const pb_attr *a = born__pb_attr_find(n, name);
    map_hints hints = { NULL, 0 };
    map_frame in = { .x = x, .outer = f, .opset = f->opset, .opset_count = f->opset_count, .bind = f->bind,
                     .hints = &hints, .inline_depth = f->inline_depth, .level = f->level + 1 };

    memset(b, 0, sizeof *b);
    BORN_FAIL_IF(!a || a->type != PB_ATTR_GRAPH || !a->g, x->err, BORN_FORMAT, "onnx: %.*s has no graph '%s'",
                 (int)n->op.n, n->op.p, name);
    BORN_FAIL_IF(in.level > MAP_MAX_LEVEL, x->err, BORN_FORMAT, "onnx: bodies nest too deep");
    BORN_TRY(born__graph_new(&b->g, x->err));
    in.g = b->g;
    b->formal = a->g->input_count;
    born_status st = fill_body(&in, a->g, x->err);
    b->capture = in.capture;
    b->capture_count = in.capture_count;
    return st;
}

/* Adds the node: operands `in`, then what the bodies captured. The graphs in attrs are taken over on success. */
static born_status add_control(map_frame *f, const pb_node *n, const born_op *op, const void *attrs,
                               const born_vid *in, int in_count, const body *b, int bodies, const born_vid *out)
{
    map_ctx *x = f->x;
    size_t total = (size_t)in_count;

    for (int i = 0; i < bodies; i++) total += b[i].capture_count;
    BORN_FAIL_IF(total > MAP_MAX_WORK, x->err, BORN_FORMAT, "onnx: the model has too many nodes");
    born_vid *all = born__map_alloc(x, total, sizeof *all);
    BORN_FAIL_IF(!all, x->err, BORN_NOMEM, "onnx: out of memory");
    int k = 0;
    for (int i = 0; i < in_count; i++) all[k++] = in[i];
    for (int i = 0; i < bodies; i++)
        for (size_t j = 0; j < b[i].capture_count; j++) all[k++] = b[i].capture[j].outer;
    x->work += k;
    return born__graph_node(f->g, op, n->name.p, n->name.n, attrs, all, k, out, n->out_count, x->err);
}

static born_status map_if(map_frame *f, const pb_node *n, const born_vid *in, const born_vid *out, body b[2])
{
    born_if_attrs attrs;
    map_ctx *x = f->x;

    BORN_TRY(map_body(f, n, "then_branch", &b[0]));
    BORN_TRY(map_body(f, n, "else_branch", &b[1]));
    BORN_FAIL_IF(n->in_count != 1 || in[0] < 0, x->err, BORN_FORMAT, "onnx: If takes one condition");
    BORN_FAIL_IF(b[0].formal || b[1].formal, x->err, BORN_FORMAT, "onnx: the branches of If take no inputs");
    for (int i = 0; i < 2; i++)
        BORN_FAIL_IF((int)b[i].g->output_count != n->out_count, x->err, BORN_FORMAT,
                     "onnx: If gives %d outputs, a branch %zu", n->out_count, b[i].g->output_count);
    born__attrs_default(born__ops[BORN_OP_IF].attrs, &attrs);
    attrs.then_branch = b[0].g;
    attrs.else_branch = b[1].g;
    attrs.then_inputs = (int64_t)b[0].capture_count;
    BORN_TRY(add_control(f, n, &born__ops[BORN_OP_IF], &attrs, in, 1, b, 2, out));
    b[0].g = b[1].g = NULL;
    return BORN_OK;
}

static born_status map_loop(map_frame *f, const pb_node *n, const born_vid *in, const born_vid *out, body *b)
{
    born_loop_attrs attrs;
    map_ctx *x = f->x;
    int carried = n->in_count - 2;

    BORN_TRY(map_body(f, n, "body", b));
    BORN_FAIL_IF(carried < 0 || b->formal != carried + 2, x->err, BORN_FORMAT,
                 "onnx: Loop has %d inputs, its body %d", n->in_count, b->formal);
    BORN_FAIL_IF((int)b->g->output_count != n->out_count + 1 || n->out_count < carried, x->err, BORN_FORMAT,
                 "onnx: Loop gives %d outputs, its body %zu", n->out_count, b->g->output_count);
    born__attrs_default(born__ops[BORN_OP_LOOP].attrs, &attrs);
    attrs.body = b->g;
    attrs.carried = carried;
    BORN_TRY(add_control(f, n, &born__ops[BORN_OP_LOOP], &attrs, in, n->in_count, b, 1, out));
    b->g = NULL;
    return BORN_OK;
}

/* Scan-9 and later; the body's states come first. */
static born_status map_scan(map_frame *f, const pb_node *n, const born_vid *in, const born_vid *out, body *b)
{
    born_scan_attrs attrs;
    map_ctx *x = f->x;
    map_call c = { n->domain, n->op, n->name, 9, 9, in, out, n->in_count, n->out_count, n->attr, n->attr_count };
    char why[96] = "";
    int64_t scans = born__map_attr_int(&c, "num_scan_inputs", -1);
    pb_attr *rest = born__map_attrs_but(f, &c, "body", 0, &c.attr_count);

    BORN_TRY(map_body(f, n, "body", b));
    BORN_FAIL_IF(!rest, x->err, BORN_NOMEM, "onnx: out of memory");
    BORN_FAIL_IF(scans < 1 || scans > n->in_count || b->formal != n->in_count, x->err, BORN_FORMAT,
                 "onnx: Scan has %d inputs, its body %d", n->in_count, b->formal);
    BORN_FAIL_IF((int)b->g->output_count != n->out_count || n->out_count < n->in_count - scans, x->err, BORN_FORMAT,
                 "onnx: Scan gives %d outputs, its body %zu", n->out_count, b->g->output_count);
    c.attr = rest;
    born__attrs_default(born__ops[BORN_OP_SCAN].attrs, &attrs);
    BORN_TRY(born__map_attrs(f, &born__ops[BORN_OP_SCAN], &c, &attrs, why, sizeof why));
    if (why[0]) {
        born__map_gap(x, n->domain, n->op, 9, n->name, why);
        return BORN_OK;
    }
    attrs.body = b->g;
    attrs.carried = n->in_count - scans;
    BORN_TRY(add_control(f, n, &born__ops[BORN_OP_SCAN], &attrs, in, n->in_count, b, 1, out));
    b->g = NULL;
    return BORN_OK;
}

/* Scan-8 had a batch axis: it is a Scan over that axis whose body is a Scan-9. The first operand, lengths of the
   sequences, is not supported. *b holds the outer body while it is made. */
static born_status map_scan_8(map_frame *f, const pb_node *n, const born_vid *in, const born_vid *out, body *b)
{
    map_ctx *x = f->x;
    body inner = { .g = NULL };
    born_scan_attrs attrs;
    map_hints hints = { NULL, 0 };
    map_frame mid = { .x = x, .opset = f->opset, .opset_count = f->opset_count, .bind = f->bind, .outer = f,
                      .hints = &hints, .inline_depth = f->inline_depth, .level = f->level + 1 };
    pb_node one = *n;
    pb_attr *attr = born__map_alloc(x, (size_t)n->attr_count, sizeof *attr);
    born_vid *v = born__map_alloc(x, (size_t)n->in_count + (size_t)n->out_count, sizeof *v);

    BORN_FAIL_IF(!v || !attr, x->err, BORN_NOMEM, "onnx: out of memory");
    if (n->in_count < 2 || in[0] >= 0) {
        born__map_gap(x, n->domain, n->op, 8, n->name, "lengths of sequences");
        return BORN_OK;
    }
    for (int i = 0; i < n->attr_count; i++) {
        attr[i] = n->attr[i];
        if (born__pb_str_is(attr[i].name, "directions")) attr[i].name = (born_str){ "scan_input_directions", 21 };
    }
    one.attr = attr;
    one.input++;
    one.in_count--;
    BORN_TRY(born__graph_new(&b->g, x->err));
    mid.g = b->g;
    for (int i = 0; i < one.in_count; i++) {
        BORN_TRY(born__graph_value(mid.g, "", 0, &v[i], x->err));
        BORN_TRY(born__graph_input(mid.g, v[i], x->err));
    }
    born_vid *o = v + one.in_count;
    for (int i = 0; i < one.out_count; i++) {
        BORN_TRY(born__graph_value(mid.g, "", 0, &o[i], x->err));
        BORN_TRY(born__graph_output(mid.g, o[i], x->err));
    }
    born_status st = map_scan(&mid, &one, v, o, &inner);
    free_body(&inner);
    b->capture = mid.capture;
    b->capture_count = mid.capture_count;
    BORN_TRY(st);
    for (size_t i = 0; i < mid.capture_count; i++) BORN_TRY(born__graph_input(b->g, mid.capture[i].inner, x->err));
    born__attrs_default(born__ops[BORN_OP_SCAN].attrs, &attrs);
    attrs.body = b->g;
    attrs.num_scan_inputs = one.in_count;
    BORN_TRY(add_control(f, n, &born__ops[BORN_OP_SCAN], &attrs, in + 1, one.in_count, b, 1, out));
    b->g = NULL;
    return BORN_OK;
}

born_status born__map_control(map_frame *f, const pb_node *n)
{
    body b[2] = { { .g = NULL }, { .g = NULL } };
    born_vid *in, *out;
    born_status st;

    BORN_TRY(born__map_operands(f, n, &in, &out));
    if (born__pb_str_is(n->op, "If"))
        st = map_if(f, n, in, out, b);
    else if (born__pb_str_is(n->op, "Loop"))
        st = map_loop(f, n, in, out, b);
    else if (born__map_version(f, n->domain) == 8)
        st = map_scan_8(f, n, in, out, b);
    else
        st = map_scan(f, n, in, out, b);
    free_body(&b[0]);
    free_body(&b[1]);
    return st;
}

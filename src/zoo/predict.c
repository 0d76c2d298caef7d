/* What a recipe's network answers for one item, and its forward as a graph for running elsewhere. Both begin with the
   data's own scaling, so that what goes in is pixels in [0, 1] or a table's numbers. */
#include <born/tool.h>

#include "base/checked.h"
#include "zoo/zoo.h"

int64_t born_recipe_outputs(const born_recipe *r)
{
    return r->facts.classes > 0 ? r->facts.classes : 1;
}

static born_shape item_shape(const born_recipe *r)
{
    const born_facts *f = &r->facts;
    if (r->row->data == BORN_RECIPE_TEXT) return BORN_SHAPE(1, born__zoo_int(r, "context"));
    return f->features > 0 ? BORN_SHAPE(1, f->features) : BORN_SHAPE(1, f->channels, f->height, f->width);
}

/* From an item to what the network gives: scores, or the number in the data's own units. f32. */
static born_tensor forward(born_recipe *r, born_tensor x)
{
    const born_facts *f = &r->facts;
    const born_site *at = NULL;
    int64_t planes = f->channels + f->features;

    if (planes > 0) {
        born_shape s = f->features > 0 ? BORN_SHAPE(1, planes) : BORN_SHAPE(1, planes, 1, 1);
        born_tensor mean = (born_from)(r->b, (born_array){ BORN_F32, s, f->mean, 0 }, BORN_F32, at);
        born_tensor std = (born_from)(r->b, (born_array){ BORN_F32, s, f->std, 0 }, BORN_F32, at);
        x = (born_div)((born_sub)(x, mean, at), std, at);
        if (born_module_dtype(r->net) != BORN_F32) x = (born_cast)(x, born_module_dtype(r->net), at);
    }
    born_tensor y = (born_forward)(r->net, x, at);
    if (born_module_dtype(r->net) != BORN_F32) y = (born_cast)(y, BORN_F32, at);
    if (f->classes > 0) return y;
    return born_add_number(born_mul_number(y, (double)f->target_std, at), (double)f->target_mean, at);
}

/* Evaluation, without records of gradients; undone by leave. */
typedef struct quiet {
    bool training, records;
} quiet;
static quiet enter(born_recipe *r)
{
    quiet q = { born_module_training(r->net), born_grad_mode(r->b, false) };
    born_module_train(r->net, false);
    return q;
}
static void leave(born_recipe *r, quiet q)
{
    born_module_train(r->net, q.training);
    (void)born_grad_mode(r->b, q.records);
}

static born_status check_ready(const born_recipe *r, born_error *err)
{
    BORN_FAIL_IF(!r || !r->net, err, BORN_STATE, "recipe: load a checkpoint, or prepare it, first");
    return BORN_OK;
}

born_status born_recipe_predict(born_recipe *r, const float *x, float *y, born_error *err)
{
    BORN_TRY(check_ready(r, err));
    BORN_FAIL_IF(r->row->data == BORN_RECIPE_TEXT, err, BORN_STATE, "recipe %s: a text is continued, not classified",
                 r->row->name);
    quiet q = enter(r);
    born_scope s = born_scope_begin(r->b);
    born_tensor in = (born_from)(r->b, (born_array){ BORN_F32, item_shape(r), x, 0 }, BORN_F32, NULL);
    born_tensor out = forward(r, in);
    if (r->facts.classes > 0) out = (born_softmax)(out, 1, NULL);
    born_status st = (born_read)(out, y, (size_t)born_recipe_outputs(r) * sizeof *y);
    born_scope_end(s);
    leave(r, q);
    return st ? born__zoo_chain_error(r, err) : BORN_OK;
}

born_status born_recipe_picture(const born_recipe *r, const void *bytes, size_t byte_count, float *x, born_error *err)
{
    const born_facts *f = &r->facts;
    int64_t cells = f->height * f->width;
    born_array picture;

    BORN_FAIL_IF(r->row->data != BORN_RECIPE_IMAGES, err, BORN_STATE, "recipe %s takes no pictures", r->row->name);
    BORN_FAIL_IF(f->channels != 1 && f->channels != 3, err, BORN_UNSUPPORTED, "pictures of %lld channels",
                 (long long)f->channels);
    BORN_TRY(born_image_decode(bytes, byte_count, 0, &picture, err));
    float *rgb = born__alloc((size_t)cells * 3 * sizeof *rgb);
    born_status st = rgb ? BORN_OK : born__fail(err, BORN_NOMEM, "no memory for a picture");
    if (!st)
        st = born_image_scale(picture.data, picture.shape.dim[0], picture.shape.dim[1], 3, rgb, f->height, f->width,
                              err);
    for (int64_t i = 0; i < cells && !st; i++) {
        const float *p = rgb + 3 * i;
        for (int64_t c = 0; c < f->channels && f->channels == 3; c++) x[c * cells + i] = p[c] / 255.0f;
        if (f->channels == 1) x[i] = (0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]) / 255.0f;
    }
    born__free(rgb);
    born_array_free(&picture);
    return st;
}

born_status born_recipe_items(const born_recipe *r, const char *path, born_dataset **out, born_error *err)
{
    const born_zoo_data *data = born__zoo_data(r->row->data);
    BORN_FAIL_IF(!data->items, err, BORN_STATE, "recipe %s: a %s has no items", r->row->name, data->name);
    return data->items(r, path, out, err);
}

/* ---- export ---------------------------------------------------------------------------------------------------- */

static born_status record(born_recipe *r, born_graph **out, born_error *err)
{
    born_shape s = item_shape(r);
    bool text = r->row->data == BORN_RECIPE_TEXT;
    size_t count = 1;

    for (int i = 0; i < s.rank; i++)
        BORN_FAIL_IF(!born__mul_size(count, (size_t)s.dim[i], &count), err, BORN_SHAPE, "an item is too large");
    void *zero = born__calloc(count, sizeof(int64_t));
    BORN_FAIL_IF(!zero, err, BORN_NOMEM, "no memory for an item");
    born_array a = { text ? BORN_I64 : BORN_F32, s, zero, 0 };
    born_tensor in = (born_from)(r->b, a, a.dtype, NULL);
    born_status st = born_trace_begin(r->b, &in, 1, err);
    if (!st) {
        born_tensor y = forward(r, in);
        st = born_trace_end(r->b, &y, 1, out, err);
    }
    born__free(zero);
    return st;
}

born_status born_recipe_export(born_recipe *r, const char *path, born_error *err)
{
    born_graph *g = NULL;

    BORN_TRY(check_ready(r, err));
    quiet q = enter(r);
    born_scope s = born_scope_begin(r->b);
    born_status st = record(r, &g, err);
    born_scope_end(s);
    leave(r, q);
    if (!st) st = born_graph_save(g, path, err);
    born_graph_close(&g);
    return st;
}

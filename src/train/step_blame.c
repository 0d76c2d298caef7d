/* A loss is NaN or infinite: which tensor was bad first? Looks at the batch, then at weights and buffers, then computes
   the loss once more and looks at what each module gives. Only on the way to an error. */
#include <math.h>
#include <stdio.h>

#include "nn/module.h"
#include "optim/optim.h"
#include "train/step.h"

static const born_site *const at = NULL;

/* Does x hold a NaN or an infinity? *what is the larger evil. */
static bool is_bad(born_tensor x, const char **what)
{
    double largest = 0;

    if (!x.w || !born_is_alive(x) || !born__is_float(x) || born__count_of(x) == 0) return false;
    born_tensor a = ABS(CAST(DETACH(x), BORN_F64));
    born_tensor m = (born_reduce_max)(a, (born_ints){ 0 }, &(born_reduce_attrs){ .drop_dims = true }, at);
    if ((born_item)(m, BORN_F64, &largest) || isfinite(largest)) return false;
    *what = isnan(largest) ? "nan" : "inf";
    return true;
}

typedef struct search {
    char name[160];             /* of what is bad first; "": nothing yet */
    const char *what;
    int64_t step;
} search;

static bool look_at_weight(void *user, const born_module_item *item)
{
    search *f = user;

    if (!is_bad(item->value, &f->what)) return true;
    snprintf(f->name, sizeof f->name, "%s %.110s, since step %lld",
             item->role == BORN_PARAM ? "parameter" : "buffer", item->path, (long long)f->step);
    return false;
}

static void look_at_output(void *user, const born_module *m, const born_tensor *out, int n_out)
{
    search *f = user;
    char path[96];

    for (int i = 0; i < n_out && !f->name[0]; i++) {
        if (!is_bad(out[i], &f->what)) continue;
        born__module_path(m, path, sizeof path);
        snprintf(f->name, sizeof f->name, "the output of %s (%.40s)", path[0] ? path : "the network",
                 born_module_kind(m));
    }
}

static void compute_again(born_step *s, const born_tensor *batch, int n, search *f)
{
    born_module_root *root = s->desc.net->root;
    born_tensor loss, scores;
    born_error ignored = { 0 };

    root->again = true;
    root->watch = look_at_output, root->watch_user = f;
    (void)!born__step_loss(s, batch, n, &loss, &scores, &ignored);
    root->watch = NULL;
    root->again = false;
    root->step_serial++;
}

bool born__step_sound(const born_step *s)
{
    search f = { .what = "nan" };
    bool was = born_grad_mode(s->b, false);
    born_scope scope = born_scope_begin(s->b);
    born_status st = born_module_each(s->desc.net, look_at_weight, &f);

    born_scope_end(scope);
    (void)born_grad_mode(s->b, was);
    born_error unknown = { 0 }; /* short of memory, say: then they may not be */
    born_backend_take_error(s->b, &unknown);
    return !st && !f.name[0] && !unknown.status;
}

born_status born__step_blame(born_step *s, const born_array *batch, int n, double loss, born_error *err)
{
    search f = { .what = "nan", .step = born_optim_steps(s->desc.optim) };
    born_tensor x[STEP_FIELDS];
    born_error ignored = { 0 };
    bool was = born_grad_mode(s->b, false);
    s->desc.net->root->step_serial++; /* the failed step drew its random keys: they are drawn again */
    born_scope scope = born_scope_begin(s->b);

    if (born__step_batch(s, batch, n, x, &ignored) == BORN_OK) {
        for (int i = 0; i < n && !f.name[0]; i++)
            if (is_bad(x[i], &f.what)) snprintf(f.name, sizeof f.name, "field %d of the batch", i);
        if (!f.name[0]) (void)born_module_each(s->desc.net, look_at_weight, &f);
        if (!f.name[0]) compute_again(s, x, n, &f);
    }
    born_scope_end(scope);
    (void)born_grad_mode(s->b, was);
    return born__fail(err, BORN_RANGE, "step %lld: the loss is %s: %s holds the first %s", (long long)f.step + 1,
                      isnan(loss) ? "nan" : loss < 0 ? "-inf" : "inf", f.name[0] ? f.name : "the loss itself",
                      f.name[0] ? f.what : "bad number");
}

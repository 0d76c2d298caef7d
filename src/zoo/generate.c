/* Continuing a text, character by character. A transformer keeps keys and values of what it has seen; when its context
   is full it begins again with the later half. A recurrent network carries its state. */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "graph/model.h"
#include "zoo/zoo.h"

enum { STATES = 2, DEFAULT_TOKENS = 500 };

typedef struct writer {
    born_recipe *r;
    born_module *lm;
    born_tensor state[STATES];  /* kept; of a recurrent network */
    bool recurrent;
    int64_t *seen;              /* the last characters, at most `context` */
    int64_t seen_count, context, classes;
    float *p, *sorted;          /* [classes] */
    double temperature;
    int64_t top_k;
} writer;

/* The number of the character at s; *n its bytes; -1: there is none like it. */
static int64_t character(const born_recipe *r, const char *s, size_t *n)
{
    for (int64_t i = 0; i < r->facts.classes; i++) {
        *n = strlen(r->facts.class_name[i]);
        if (*n > 0 && !strncmp(s, r->facts.class_name[i], *n)) return i;
    }
    return -1;
}

/* Gives the network n characters; w->p is what may follow the last. */
static born_status feed(writer *w, const int64_t *token, int64_t n, born_error *err)
{
    born_recipe *r = w->r;
    const born_site *at = NULL;
    born_tensor in[1 + STATES] = { { 0 } }, out[1 + STATES] = { { 0 } };
    int states = w->recurrent ? STATES : 0;
    born_scope s = born_scope_begin(r->b);

    in[0] = (born_from)(r->b, BORN_ARRAY(token, 1, n), BORN_I64, at);
    for (int i = 0; i < states; i++) in[1 + i] = w->state[i];
    (born_forward_n)(w->lm, in, 1 + states, out, 1 + states, at);
    born_tensor y = (born_slice)(out[0], BORN_INTS(n - 1), BORN_INTS(n), BORN_INTS(1), (born_ints){ 0 }, at);
    y = born_mul_number((born_cast)(y, BORN_F32, at), 1 / w->temperature, at);
    y = (born_softmax)(y, 2, at);
    born_status st = (born_read)(y, w->p, (size_t)w->classes * sizeof *w->p);
    for (int i = 0; i < states && !st; i++) {
        born_drop(&w->state[i]);
        w->state[i] = born_keep(out[1 + i]);
    }
    born_scope_end(s);
    return st ? born__zoo_chain_error(r, err) : BORN_OK;
}

static int compare(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

/* One of the likeliest top_k, by a number u in [0, 1). */
static int64_t pick(const writer *w, float u)
{
    float least = 0;
    double sum = 0, at = 0;
    int64_t last = 0;

    if (w->top_k > 0 && w->top_k < w->classes) {
        memcpy(w->sorted, w->p, (size_t)w->classes * sizeof *w->p);
        qsort(w->sorted, (size_t)w->classes, sizeof *w->sorted, compare);
        least = w->sorted[w->top_k - 1];
    }
    for (int64_t i = 0; i < w->classes; i++)
        if (w->p[i] >= least) sum += (double)w->p[i];
    for (int64_t i = 0; i < w->classes; i++) {
        if (!(w->p[i] >= least) || !(w->p[i] > 0)) continue;
        at += (double)w->p[i] / sum;
        last = i;
        if ((double)u < at) return i;
    }
    return last;
}

/* Gives the network one more character, or, where its context is full, the later half of what it saw. */
static born_status go_on(writer *w, int64_t token, born_error *err)
{
    if (w->seen_count == w->context) {
        int64_t keep = w->context / 2;
        memmove(w->seen, w->seen + w->context - keep, (size_t)keep * sizeof *w->seen);
        w->seen_count = keep;
        w->seen[w->seen_count++] = token;
        if (w->recurrent) return feed(w, &token, 1, err);
        born_kv_cache_start(w->lm);
        return feed(w, w->seen, w->seen_count, err);
    }
    w->seen[w->seen_count++] = token;
    return feed(w, &token, 1, err);
}

/* The prompt's characters: the last `context` of them are seen. */
static born_status read_prompt(writer *w, const char *prompt, born_error *err)
{
    size_t n;
    for (const char *p = prompt; *p; p += n) {
        int64_t c = character(w->r, p, &n);
        BORN_FAIL_IF(c < 0, err, BORN_INVALID, "the prompt has a character that the text did not have, at '%.20s'", p);
        if (w->seen_count == w->context) {
            memmove(w->seen, w->seen + 1, (size_t)(w->context - 1) * sizeof *w->seen);
            w->seen_count--;
        }
        w->seen[w->seen_count++] = c;
    }
    if (w->seen_count > 0) return BORN_OK;
    int64_t c = character(w->r, "\n", &n);
    w->seen[w->seen_count++] = c < 0 ? 0 : c;
    return BORN_OK;
}

static born_status write_text(writer *w, const born_generate_desc *d, born_text_fn fn, void *user, born_error *err)
{
    int64_t tokens = d->tokens > 0 ? d->tokens : DEFAULT_TOKENS;

    BORN_TRY(read_prompt(w, d->prompt ? d->prompt : "", err));
    born_kv_cache_start(w->lm);
    BORN_TRY(feed(w, w->seen, w->seen_count, err));
    for (int64_t i = 0; i < tokens; i++) {
        float u;
        born__philox_f32(d->seed, 0, (uint64_t)i, &u, 1);
        int64_t c = pick(w, u);
        const char *text = w->r->facts.class_name[c];
        if (!fn(user, text, strlen(text))) return BORN_OK;
        if (i + 1 < tokens) BORN_TRY(go_on(w, c, err));
    }
    return BORN_OK;
}

born_status born_recipe_generate_sized(born_recipe *r, const born_generate_desc *desc, size_t desc_bytes,
                                       born_text_fn fn, void *user, born_error *err)
{
    born_generate_desc d;

    BORN_TRY(born__desc_check(desc, desc_bytes, &d, sizeof d, "recipe", err));
    BORN_FAIL_IF(!r || !r->net, err, BORN_STATE, "recipe: load a checkpoint, or prepare it, first");
    BORN_FAIL_IF(r->row->data != BORN_RECIPE_TEXT, err, BORN_STATE, "recipe %s continues no texts", r->row->name);
    writer w = { .r = r, .lm = born_module_child(r->net, 0), .context = born__zoo_int(r, "context"),
                 .classes = r->facts.classes, .top_k = d.temperature < 0 ? 1 : d.top_k,
                 .temperature = d.temperature > 0 ? d.temperature : d.temperature < 0 ? 1 : 0.8 };
    w.recurrent = born_module_get(w.lm, "lstm") != NULL;
    w.seen = born__calloc((size_t)w.context + 1, sizeof *w.seen);
    w.p = born__calloc((size_t)w.classes + 1, sizeof *w.p);
    w.sorted = born__calloc((size_t)w.classes + 1, sizeof *w.sorted);
    bool training = born_module_training(r->net), records = born_grad_mode(r->b, false);
    born_module_train(r->net, false);
    born_status st = w.seen && w.p && w.sorted ? write_text(&w, &d, fn, user, err)
                                               : born__fail(err, BORN_NOMEM, "no memory for a text");
    born_kv_cache_stop(w.lm);
    for (int i = 0; i < STATES; i++) born_drop(&w.state[i]);
    born_module_train(r->net, training);
    (void)born_grad_mode(r->b, records);
    born__free(w.seen);
    born__free(w.p);
    born__free(w.sorted);
    return st;
}

/* Backward: from one result to everything it depends on. The records it reaches are put in order, latest call first;
   each turns the gradients of its results into those of its operands by its row's gradient, which runs on the level
   below and can therefore be differentiated again by the next autodiff. Nothing is stored in a tensor's gradient until
   everything has succeeded. No step recurses. */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "decor/autodiff.h"
#include "ops/emit_sum.h"
#include "tensor/view.h"

typedef struct walk {
    born_backend *link;
    ad_state *st;
    born_level_emit emit;
    ad_note *touched;
    uint64_t visit;
} walk;

/* ---- which records, in which order ----------------------------------------------------------------------------- */

/* All records that the first one depends on, itself included, and that this backward has not met, as a list: the list
   grows at its end while it is read. */
static ad_record *reach(const walk *w, ad_record *first)
{
    uint64_t visit = w->visit;
    ad_record *last = first;
    if (!first || first->visit == visit) return NULL;
    first->visit = visit;
    first->next = NULL;
    for (ad_record *r = first; r; r = r->next)
        for (int i = 0; i < r->in_count; i++) {
            ad_note *note = born__ad_note(w->link, r->in[i]);
            ad_record *up = note ? note->rec : NULL;
            if (!up || up->visit == visit) continue;
            up->visit = visit;
            up->next = NULL;
            last->next = up;
            last = up;
        }
    return first;
}

static ad_record *merge(ad_record *a, ad_record *b)
{
    ad_record head, *last = &head;
    while (a && b) {
        ad_record **later = a->serial > b->serial ? &a : &b;
        last->next = *later;
        last = *later;
        *later = (*later)->next;
    }
    last->next = a ? a : b;
    return head.next;
}

/* Merge sort of a list, latest call first: run k of the table holds 2^k records. */
static ad_record *sort(ad_record *list)
{
    ad_record *run[64] = { NULL }, *out = NULL;
    while (list) {
        ad_record *r = list;
        int k = 0;
        list = r->next;
        r->next = NULL;
        for (; run[k]; k++) {
            r = merge(run[k], r);
            run[k] = NULL;
        }
        run[k] = r;
    }
    for (int k = 0; k < 64; k++)
        if (run[k]) out = merge(run[k], out);
    return out;
}

/* ---- sums ------------------------------------------------------------------------------------------------------ */

static void set_sum(walk *w, ad_note *note, born_node *n)
{
    if (n) born__node_ref(n);
    born__node_unref(note->sum);
    note->sum = n;
    if (note->listed || !n) return;
    note->listed = true;
    note->touched = w->touched;
    w->touched = note;
}

static born_status add_to(walk *w, const ad_record *r, int i, born_val g)
{
    ad_note *note = born__ad_note(w->link, r->in[i]);
    const born_view *want = &r->in[i]->view, *got = &born__val_node(g)->view;
    bool fits = want->dtype == got->dtype && want->rank == got->rank;
    for (int d = 0; fits && d < want->rank; d++) fits = want->dim[d] == got->dim[d];
    BORN_FAIL_IF(!fits, &w->emit.e.err, BORN_INTERNAL, "backward: the gradient of %s for operand %d has another shape",
                 r->op->name, i);
    if (note->sum) g = born__emit_sum(&w->emit.e, born__val(note->sum), g);
    if (!g) return w->emit.e.err.status;
    set_sum(w, note, born__val_node(g));
    return BORN_OK;
}

/* ---- one record ------------------------------------------------------------------------------------------------ */

static born_status check_version(const ad_record *r, int i, born_error *err)
{
    bool result = i >= r->in_count;
    const born_node *n = result ? r->out[i - r->in_count] : r->in[i];
    if (!n || !n->view.buffer || n->view.buffer->version == r->version[i]) return BORN_OK;
    const char *who = n->view.buffer->writer ? n->view.buffer->writer : "a write";
    return born__fail(err, BORN_STATE, "backward: %s %d of %s (%s:%d) was overwritten by %s after its use",
                      result ? "result" : "operand", result ? i - r->in_count : i, r->op->name,
                      r->at.file ? r->at.file : "?", r->at.line, who);
}

/* A gradient may ask an overwritten operand for its sizes, but not use its elements. */
static born_status check_use(const void *ctx, const born_node *n, born_error *err)
{
    const ad_record *r = ctx;
    if (!n->view.buffer || n->view.buffer->version == 0) return BORN_OK;
    for (int i = 0; i < r->in_count + r->out_count; i++)
        if (n == (i < r->in_count ? r->in[i] : r->out[i - r->in_count])) BORN_TRY(check_version(r, i, err));
    return BORN_OK;
}

typedef struct grad_room {
    born_val few[3 * BORN_FEW + BORN_FEW];
    bool few_wanted[BORN_FEW];
    born_val *in, *gin, *out, *gout;
    bool *wanted;
    void *block;
} grad_room;

static born_status room_open(grad_room *m, const ad_record *r, born_error *err)
{
    size_t n = (size_t)r->in_count, k = (size_t)r->out_count, vals = 2 * n + 2 * k;
    born_val *v = m->few;
    m->wanted = m->few_wanted;
    m->block = NULL;
    if (n > BORN_FEW || k > BORN_FEW) {
        m->block = born__calloc(vals * sizeof(born_val) + n, 1);
        BORN_FAIL_IF(!m->block, err, BORN_NOMEM, "backward: no memory for %zu operands", n);
        v = m->block;
        m->wanted = (bool *)(v + vals);
    }
    memset(v, 0, vals * sizeof *v);
    m->in = v;
    m->gin = v + n;
    m->out = v + 2 * n;
    m->gout = v + 2 * n + k;
    return BORN_OK;
}

static born_status hand_on(walk *w, const ad_record *r, const grad_room *m)
{
    for (int i = 0; i < r->in_count; i++)
        if (m->wanted[i] && m->gin[i]) BORN_TRY(add_to(w, r, i, m->gin[i]));
    return BORN_OK;
}

static born_status differentiate(walk *w, ad_record *r, grad_room *m)
{
    born_error *err = &w->emit.e.err;
    for (int i = 0; i < r->out_count; i++) {
        ad_note *note = born__ad_note(w->link, r->out[i]);
        m->out[i] = born__val(r->out[i]);
        m->gout[i] = note && note->sum ? born__val(note->sum) : 0;
    }
    for (int i = 0; i < r->in_count; i++) {
        m->in[i] = born__val(r->in[i]);
        m->wanted[i] = r->in[i] && born__dtype_info(r->in[i]->view.dtype)->cls == 'F' &&
                       born__ad_wanted(born__ad_note(w->link, r->in[i]));
    }
    if (r->fn) {
        for (int i = 0; i < r->in_count + r->out_count; i++) BORN_TRY(check_version(r, i, err));
        BORN_TRY(born__ad_custom(w->link, r, m->gout, m->gin, err));
        return hand_on(w, r, m);
    }
    BORN_FAIL_IF(!r->op->grad, err, BORN_UNSUPPORTED, "backward: %s (%s:%d) has no gradient", r->op->name,
                 r->at.file ? r->at.file : "?", r->at.line);
    born_grad g = { .op = r->op, .attrs = r->attrs, .in_count = r->in_count, .out_count = r->out_count, .in = m->in,
                    .out = m->out, .gout = m->gout, .wanted = m->wanted, .gin = m->gin };
    w->emit.at = r->at.file ? &r->at : NULL;
    w->emit.check = check_use;
    w->emit.check_ctx = r;
    r->op->grad(&w->emit.e, &g);
    w->emit.check = NULL;
    if (err->status) {
        born__error_prefix(err, "backward of %s", r->op->name);
        return err->status;
    }
    return hand_on(w, r, m);
}

/* A record that has been walked needs its results' gradients no more. */
static void drop_sums(walk *w, const ad_record *r)
{
    for (int i = 0; i < r->out_count; i++) {
        ad_note *note = born__ad_note(w->link, r->out[i]);
        if (note && !note->asked) set_sum(w, note, NULL);
    }
}

static born_status step(walk *w, ad_record *r)
{
    grad_room m;
    BORN_TRY(room_open(&m, r, &w->emit.e.err));
    born_scope scope = born_scope_begin(w->link);       /* what a gradient makes on the way goes at once */
    born_status s = differentiate(w, r, &m);
    born_scope_end(scope);
    born__free(m.block);
    if (s == BORN_OK) drop_sums(w, r);
    return s;
}

/* ---- a checkpoint ---------------------------------------------------------------------------------------------- */

/* Forgets what is listed of records from `first` on: their tensors are about to die. */
static void unlist_from(walk *w, uint64_t first)
{
    for (ad_note **at = &w->touched; *at;) {
        ad_note *note = *at;
        if (!note->rec || note->rec->serial < first) {
            at = &note->touched;
            continue;
        }
        *at = note->touched;
        note->touched = NULL;
        note->listed = false;
        born__node_unref(note->sum);
        note->sum = NULL;
    }
}

static born_status steps(walk *w, ad_record **list, uint64_t until);

/* The block again, recorded this time: what arrived goes to its results, its records are walked at once, and what they
   reach besides joins the rest of the walk. */
static born_status replay(walk *w, ad_record *r, born_node **out, ad_record **rest)
{
    born_error *err = &w->emit.e.err;
    uint64_t first = w->st->serial + 1;
    ad_record *list = NULL;
    for (int i = 0; i < r->in_count; i++) BORN_TRY(check_version(r, i, err));
    BORN_TRY(born__ad_call(r->fn, r->in, r->in_count, out, r->out_count, err));
    for (int i = 0; i < r->out_count; i++) born__node_ref(out[i]);
    for (int i = 0; i < r->out_count; i++) {
        ad_note *from = born__ad_note(w->link, r->out[i]), *to = born__ad_note(w->link, out[i]);
        if (!from || !from->sum || !born__ad_wanted(to)) continue;
        born_val v = born__val(from->sum);
        if (to->sum) v = born__emit_sum(&w->emit.e, born__val(to->sum), v);
        if (!v) return err->status;
        set_sum(w, to, born__val_node(v));
        list = merge(list, sort(reach(w, to->rec)));
    }
    BORN_TRY(steps(w, &list, first));
    *rest = merge(*rest, list);
    return BORN_OK;
}

static born_status again(walk *w, ad_record *r, ad_record **rest)
{
    born_node *out[BORN_FEW] = { NULL };
    uint64_t first = w->st->serial + 1;
    uint32_t paused = w->st->paused;
    born_scope scope = born_scope_begin(w->link);
    w->st->paused = 0;
    born_status s = replay(w, r, out, rest);
    w->st->paused = paused;
    unlist_from(w, first);
    for (int i = 0; i < r->out_count; i++) born__node_unref(out[i]);
    born_scope_end(scope);
    if (s == BORN_OK) drop_sums(w, r);
    return s;
}

static bool arrived(const walk *w, const ad_record *r)
{
    for (int i = 0; i < r->out_count; i++) {
        const ad_note *note = born__ad_note(w->link, r->out[i]);
        if (note && note->sum) return true;
    }
    return false;
}

/* Walks the list while its records are not older than `until`; *list is what is left. */
static born_status steps(walk *w, ad_record **list, uint64_t until)
{
    while (*list && (*list)->serial >= until) {
        ad_record *r = *list;
        *list = r->next;
        if (!arrived(w, r)) continue;
        bool checkpoint = r->fn && !r->fn->desc.backward;
        BORN_TRY(checkpoint ? again(w, r, list) : step(w, r));
    }
    return BORN_OK;
}

/* ---- the whole ------------------------------------------------------------------------------------------------- */

/* Adds what arrived to what was there, for every tensor that asked; then, when nothing can fail any more, stores it. */
static born_status commit(walk *w)
{
    for (ad_note *note = w->touched; note; note = note->touched) {
        if (!note->asked || !note->sum || !note->grad) continue;
        born_val v = born__emit_sum(&w->emit.e, born__val(note->grad), born__val(note->sum));
        if (!v) return w->emit.e.err.status;
        set_sum(w, note, born__val_node(v));
    }
    for (ad_note *note = w->touched; note; note = note->touched) {
        if (!note->asked || !note->sum) continue;
        born_node *old = note->grad;
        note->grad = note->sum;
        note->sum = NULL;
        born__node_unref(old);
    }
    return BORN_OK;
}

static void clear(walk *w)
{
    while (w->touched) {
        ad_note *note = w->touched;
        w->touched = note->touched;
        note->touched = NULL;
        note->listed = false;
        born__node_unref(note->sum);
        note->sum = NULL;
    }
}

born_status born__ad_backward(born_backend *link, born_node *loss, born_node *seed, born_error *err)
{
    walk w = { .link = link, .st = link->state };
    ad_note *note = born__ad_note(link, loss);
    BORN_FAIL_IF(!born__ad_wanted(note), err, BORN_STATE, "backward: the value depends on no tensor that asked for a "
                 "gradient");
    born__level_emit_init(&w.emit, link->chain, link->level - 1, NULL);
    born_scope scope = born_scope_begin(link);
    set_sum(&w, note, seed);
    w.visit = ++w.st->visit;
    ad_record *list = sort(reach(&w, note->rec));
    born_status s = steps(&w, &list, 0);
    if (s == BORN_OK) s = commit(&w);
    clear(&w);
    born_scope_end(scope);
    if (s) *err = w.emit.e.err;
    return s;
}

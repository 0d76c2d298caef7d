/* Trees of modules: making, naming, tensors, walking. What kinds compute is elsewhere. A tree holds its chain, so
   modules and backends may be closed in any order. Walks use a parent pointer and a child's index, never recursion. */
#include "nn/module.h"
#include "nn/nn_help.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <born/born.h>

#include "base/alloc.h"
#include "base/hash.h"
#include "decor/autodiff.h"
#include "graph/model.h"
#include "tensor/view.h"
#include "waist/chain.h"

static void group_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at);

static const born_module_ops group_ops = { .name = "Module", .forward = group_forward };
/* What a module that found no memory is: no chain knows of it. */
static born_module dead_module = { .name = (char *)(uintptr_t)"" };
born_module *born__nn_dead(void) { return &dead_module; }

/* ---- names ----------------------------------------------------------------------------------------------------- */

char *born__module_path(const born_module *m, char *text, size_t n)
{
    size_t end = n - 1;

    text[end] = '\0';
    for (; m->parent && end > 0; m = m->parent) {
        size_t k = strlen(m->name);
        if (k > end) k = end;
        memcpy(text + end - k, m->name, k);
        end -= k;
        if (m->parent->parent && end > 0) text[--end] = '.';
    }
    memmove(text, text + end, n - end);
    return text;
}

born_tensor born__module_fail(const born_module *m, born_status s, const char *format, ...)
{
    char path[96], text[160];
    born_error err;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    born__module_path(m, path, sizeof path);
    born__fail(&err, s, "%s%s%s: %s", m->ops ? m->ops->name : "module", path[0] ? " " : "", path, text);
    if (m->root && m->root->backend) born__chain_fail(m->root->backend->chain, &err, NULL);
    return born__poison(s);
}

/* ---- the tree -------------------------------------------------------------------------------------------------- */

static void free_one(born_module *m)
{
    if (m->ops && m->ops->close) m->ops->close(m);
    for (size_t i = 0; i < m->slot_count; i++) {
        born_drop(&m->slot[i].value);
        born__free(m->slot[i].name);
    }
    for (size_t i = 0; i < m->derived_count; i++) born__free(m->derived[i].name);
    born__free(m->derived);
    born__free(m->slot);
    born__free(m->child);
    born__free(m->config);
    born__free(m->name);
    born__free(m);
}

void born_module_close(born_module **mp)
{
    born_module *m = mp ? *mp : NULL;

    if (mp) *mp = NULL;
    if (!m || m == &dead_module || m->parent) return;
    born_module_root *root = m->root;
    for (born_module *at = m; at;) {
        if (at->child_count) {
            at = at->child[--at->child_count];
            continue;
        }
        born_module *up = at->parent;
        free_one(at);
        at = up;
    }
    if (!root) return;
    born_drop(&root->step);
    if (root->backend) born__chain_unhold(root->backend);
    born__free(root);
}

static born_module *module_new(const born_module_ops *ops, const char *name, const void *config, size_t bytes)
{
    born_module *m = born__calloc(1, sizeof *m);

    if (!m) return NULL;
    m->name = born__strdup_n(name, strlen(name));
    m->config = bytes ? born__alloc(bytes) : NULL;
    if (!m->name || (bytes && !m->config)) {
        free_one(m);
        return NULL;
    }
    if (bytes) memcpy(m->config, config, bytes);
    m->ops = ops;
    m->training = true;
    return m;
}

static born_status open_root(born_module *m, born_backend *b, const void *desc, size_t desc_bytes, born_error *err)
{
    BORN_FAIL_IF(!b, err, BORN_INVALID, "module: no backend was given");
    m->root = born__calloc(1, sizeof *m->root);
    BORN_FAIL_IF(!m->root, err, BORN_NOMEM, "module: out of memory");
    BORN_TRY(born__desc_check(desc, desc_bytes, &m->root->desc, sizeof m->root->desc, "module", err));
    born__chain_hold(b);
    m->root->backend = b;
    BORN_TRY(born__chain_alive(b->chain, err));
    if (m->root->desc.dtype == BORN_DTYPE_NONE) m->root->desc.dtype = BORN_F32;
    BORN_FAIL_IF(born__dtype_info(m->root->desc.dtype)->cls != 'F', err, BORN_DTYPE, "module: parameters cannot be %s",
                 born_dtype_name(m->root->desc.dtype));
    born_scope s = born_scope_begin(b);
    m->root->step = born_keep(born_full(b, BORN_I64, (born_shape){ 0 }, 0, NULL));
    born_scope_end(s);
    return BORN_OK;
}

born_module *born_module_create_sized(born_backend *b, const born_module_desc *desc, size_t desc_bytes)
{
    born_error err = { 0 };
    born_module *m = module_new(&group_ops, "", NULL, 0);

    if (!m) return &dead_module;
    if (open_root(m, b, desc, desc_bytes, &err) != BORN_OK) {
        if (b) born__chain_fail(b->chain, &err, NULL);
        m->ops = NULL;
    }
    return m;
}

static born_status check_name(const born_module *parent, const char *name, born_error *err)
{
    BORN_FAIL_IF(!name[0] || strchr(name, '.'), err, BORN_INVALID, "a child cannot be named '%.60s'", name);
    for (size_t i = 0; i < parent->child_count; i++)
        BORN_FAIL_IF(!strcmp(parent->child[i]->name, name), err, BORN_INVALID, "there is a child '%.60s' already",
                     name);
    BORN_FAIL_IF(born__module_slot(parent, name), err, BORN_INVALID, "there is a tensor '%.60s' already", name);
    return BORN_OK;
}

born_module *born_module_define(born_module *parent, const char *name, const born_module_ops *ops, const void *config,
                                size_t config_bytes)
{
    char number[24];
    born_error err = { 0 };

    if (!parent || !parent->ops) return parent ? parent : &dead_module;
    if (!name) {
        snprintf(number, sizeof number, "%zu", parent->child_count);
        name = number;
    }
    if (check_name(parent, name, &err) != BORN_OK) {
        born__module_fail(parent, err.status, "%s", err.text);
        return &dead_module;
    }
    born_module *m = module_new(ops, name, config, config_bytes);
    if (!m || !born__grow((void **)&parent->child, &parent->child_cap, parent->child_count + 1, sizeof m)) {
        if (m) m->ops = NULL, free_one(m);
        born__module_fail(parent, BORN_NOMEM, "no memory for a child '%.60s'", name);
        return &dead_module;
    }
    m->parent = parent;
    m->root = parent->root;
    m->training = parent->training;
    m->place = born__hash(name, strlen(name), parent->place + 1);
    parent->child[parent->child_count++] = m;
    return m;
}

born_module *born_module_group(born_module *parent, const char *name)
{
    return born_module_define(parent, name, &group_ops, NULL, 0);
}

void *born_module_config(born_module *m) { return m->config; }

/* The module after `at` in a walk below `top`, parents first; NULL: the end. */
const born_module *born__module_next(const born_module *top, const born_module *at)
{
    if (at->child_count) return at->child[0];
    for (; at != top; at = at->parent) {
        const born_module *up = at->parent;
        size_t i = 0;
        while (up->child[i] != at) i++;
        if (i + 1 < up->child_count) return up->child[i + 1];
    }
    return NULL;
}

/* ---- tensors --------------------------------------------------------------------------------------------------- */

born_slot_tensor *born__module_slot(const born_module *m, const char *name)
{
    for (size_t i = 0; i < m->slot_count; i++)
        if (!strcmp(m->slot[i].name, name)) return &m->slot[i];
    return NULL;
}

static born_status new_slot(born_module *m, const char *name, born_slot_tensor **out, born_error *err)
{
    BORN_FAIL_IF(!name || !name[0] || strchr(name, '.'), err, BORN_INVALID, "a tensor cannot be named '%.60s'",
                 name ? name : "");
    BORN_FAIL_IF(born__module_slot(m, name) || born_module_get(m, name), err, BORN_INVALID, "'%.60s' exists already",
                 name);
    char *copy = born__strdup_n(name, strlen(name));
    if (!copy || !born__grow((void **)&m->slot, &m->slot_cap, m->slot_count + 1, sizeof *m->slot)) {
        born__free(copy);
        return born__fail(err, BORN_NOMEM, "no memory for tensor '%.60s'", name);
    }
    *out = &m->slot[m->slot_count];
    **out = (born_slot_tensor){ .name = copy };
    return BORN_OK;
}

static bool has_autodiff(const born_backend *b) { return born__autodiff_at(b->chain, b->level) != NULL; }
bool born__module_records(const born_module *m) { return has_autodiff(m->root->backend); }

born_tensor born_module_add(born_module *m, const char *name, born_module_role role, born_array value)
{
    born_error err = { 0 };
    born_slot_tensor *slot;

    if (!m || !m->ops) return born__poison(BORN_STATE);
    if (new_slot(m, name, &slot, &err) != BORN_OK) return born__module_fail(m, err.status, "%s", err.text);
    born_backend *b = m->root->backend;
    born_scope scope = born_scope_begin(b);
    born_tensor t = (born_from)(b, value, BORN_DTYPE_NONE, NULL);
    bool is_float = born__dtype_info(value.dtype)->cls == 'F';
    if (role == BORN_PARAM && is_float && value.dtype != m->root->desc.dtype)
        t = (born_cast)(t, m->root->desc.dtype, NULL);
    if (born_is_alive(t)) t = born_keep(t);
    born_scope_end(scope);
    if (!born_is_alive(t)) {
        born__free(slot->name);
        return born__module_fail(m, BORN_INVALID, "tensor '%.60s' could not be made", name);
    }
    slot->value = t;
    slot->role = role;
    m->slot_count++;
    if (role == BORN_PARAM && is_float && has_autodiff(b)) return (born_requires_grad)(t);
    return t;
}

born_tensor born_module_tensor(const born_module *m, const char *name)
{
    if (!m || !m->ops) return born__poison(BORN_STATE);
    const born_slot_tensor *slot = born__module_slot(m, name);
    if (slot) return slot->value;
    return m->derived_count ? born__module_derived(m, name) : (born_tensor){ 0 };
}

char *born__module_remove(born_module *m, const char *name)
{
    born_slot_tensor *slot = born__module_slot(m, name);
    char *own = slot->name;

    born_drop(&slot->value);
    m->slot_count--;
    memmove(slot, slot + 1, (size_t)(m->slot + m->slot_count - slot) * sizeof *slot);
    return own;
}

born_tensor born_module_find(const born_module *m, const char *path)
{
    for (const char *dot; m && m->ops && (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        char name[128];
        size_t n = (size_t)(dot - path);
        if (n >= sizeof name) return (born_tensor){ 0 };
        memcpy(name, path, n);
        name[n] = '\0';
        m = born_module_get(m, name);
    }
    const born_slot_tensor *slot = m && m->ops ? born__module_slot(m, path) : NULL;
    return slot ? slot->value : (born_tensor){ 0 };
}

/* In place and unrecorded: an update is no part of what gradients go through. */
static void assign(const born_module *m, born_tensor to, born_tensor value)
{
    bool was = born_grad_mode(m->root->backend, false);
    (void)(born_assign)(to, value, NULL);
    (void)born_grad_mode(m->root->backend, was);
}

void born_module_update(born_module *m, const char *name, born_tensor value)
{
    born_slot_tensor *slot = m && m->ops ? born__module_slot(m, name) : NULL;

    if (!slot) {
        if (m) born__module_fail(m, BORN_INVALID, "there is no tensor '%.60s' to update", name);
        return;
    }
    if (!m->root->again) assign(m, slot->value, value);
}

void born_module_tie(born_module *m, const char *name, born_module *from, const char *from_name)
{
    born_error err = { 0 };
    born_slot_tensor *slot;
    const born_slot_tensor *other = from && from->ops ? born__module_slot(from, from_name) : NULL;

    if (!m || !m->ops) return;
    if (!other || from->root != m->root) {
        born__module_fail(m, BORN_INVALID, "there is no tensor '%.60s' in this tree to tie to", from_name);
        return;
    }
    born_tensor shared = other->value;
    born_module_role role = other->role;
    if (new_slot(m, name, &slot, &err) != BORN_OK) {
        born__module_fail(m, err.status, "%s", err.text);
        return;
    }
    slot->value = born_keep(shared);
    slot->role = role;
    slot->tied = true;
    m->slot_count++;
}

/* ---- walking --------------------------------------------------------------------------------------------------- */

/* Was this tensor shown before slot `at` of module `m`? Only ties can repeat one. */
static bool shown_before(const born_module *top, const born_module *m, const born_slot_tensor *at)
{
    for (const born_module *x = top; x; x = born__module_next(top, x))
        for (size_t i = 0; i < x->slot_count; i++) {
            if (x == m && &x->slot[i] == at) return false;
            if (x->slot[i].value.w == at->value.w) return true;
        }
    return false;
}

born_status born_module_each(const born_module *m, bool (*fn)(void *user, const born_module_item *item), void *user)
{
    if (!m || !m->ops) return BORN_STATE;
    char top[256], path[512];
    born__module_path(m, top, sizeof top);
    size_t skip = top[0] ? strlen(top) + 1 : 0;
    for (const born_module *x = m; x; x = born__module_next(m, x)) {
        born__module_path(x, path, sizeof path - 130);
        const char *below = strlen(path) >= skip ? path + skip : "";
        for (size_t i = 0; i < x->slot_count; i++) {
            const born_slot_tensor *s = &x->slot[i];
            char full[512];
            snprintf(full, sizeof full, "%s%s%.128s", below, below[0] ? "." : "", s->name);
            born_module_item item = { .path = full, .value = s->value, .role = s->role, .frozen = s->frozen,
                                      .again = shown_before(m, x, s), .owner = (born_module *)(uintptr_t)x };
            if (!fn(user, &item)) return BORN_OK;
        }
    }
    return BORN_OK;
}

static bool count_item(void *user, const born_module_item *item)
{
    int64_t n = 1, *sum = user;

    if (item->role != BORN_PARAM || item->again) return true;
    born_shape s = born_shape_of(item->value);
    for (int d = 0; d < s.rank; d++) n *= s.dim[d];
    *sum += n;
    return true;
}

int64_t born_module_param_count(const born_module *m)
{
    int64_t sum = 0;
    (void)born_module_each(m, count_item, &sum);
    return sum;
}

void born_module_train(born_module *m, bool training)
{
    if (!m || !m->ops) return;
    for (const born_module *x = m; x; x = born__module_next(m, x)) ((born_module *)(uintptr_t)x)->training = training;
}

bool born_module_training(const born_module *m) { return m && m->training; }

void born_module_freeze(born_module *m, bool frozen)
{
    if (!m || !m->ops) return;
    for (const born_module *x = m; x; x = born__module_next(m, x))
        for (size_t i = 0; i < x->slot_count; i++) {
            born_slot_tensor *s = &x->slot[i];
            if (s->role != BORN_PARAM || s->frozen == frozen) continue;
            s->frozen = frozen;
            if (frozen) born__ad_unask(born__handle_node(s->value));
            else if (has_autodiff(m->root->backend)) (void)(born_requires_grad)(s->value);
        }
}

born_module *born_module_child(const born_module *m, int i)
{
    return m && i >= 0 && (size_t)i < m->child_count ? m->child[i] : NULL;
}

born_module *born_module_get(const born_module *m, const char *name)
{
    for (size_t i = 0; m && i < m->child_count; i++)
        if (!strcmp(m->child[i]->name, name)) return m->child[i];
    return NULL;
}

const char *born_module_name(const born_module *m) { return m ? m->name : ""; }
const char *born_module_kind(const born_module *m) { return m && m->ops ? m->ops->name : "dead"; }
born_module *born_module_parent(const born_module *m) { return m ? m->parent : NULL; }
born_backend *born_module_backend(const born_module *m) { return m && m->root ? m->root->backend : NULL; }
born_dtype born_module_dtype(const born_module *m) { return m && m->root ? m->root->desc.dtype : BORN_DTYPE_NONE; }

/* ---- running --------------------------------------------------------------------------------------------------- */

/* Children one after the other, as in PyTorch's Sequential. */
static void group_forward(born_module *self, const born_tensor *in, int n_in, born_tensor *out, int n_out,
                          const born_site *at)
{
    if (n_in != 1 || n_out != 1) {
        born__module_fail(self, BORN_INVALID, "takes 1 operand and gives 1 result, not %d and %d", n_in, n_out);
        return;
    }
    born_tensor x = in[0];
    for (size_t i = 0; i < self->child_count; i++) x = (born_forward)(self->child[i], x, at);
    out[0] = x;
}

void(born_forward_n)(born_module *m, const born_tensor *in, int n_in, born_tensor *out, int n_out, const born_site *at)
{
    for (int i = 0; i < n_out; i++) out[i] = born__poison(BORN_STATE);
    if (!m || !m->ops) return;
    m->ops->forward(m, in, n_in, out, n_out, at);
    if (m->root->watch) m->root->watch(m->root->watch_user, m, out, n_out);
}

born_tensor(born_forward)(born_module *m, born_tensor x, const born_site *at)
{
    born_tensor y;
    (born_forward_n)(m, &x, 1, &y, 1, at);
    return y;
}

/* ---- random keys ----------------------------------------------------------------------------------------------- */

born_tensor born__module_step(const born_module *m) { return m->root->step; }

/* step * odd + f(seed, place, calls), all modulo 2^64: the step is a tensor, so a recording draws anew at each run. */
born_tensor born_module_key(born_module *m)
{
    uint64_t part[3], key;

    if (!m || !m->ops) return born__poison(BORN_STATE);
    if (m->key_step != m->root->step_serial) m->key_calls = 0;
    m->key_step = m->root->step_serial;
    part[0] = m->root->desc.seed;
    part[1] = m->place;
    part[2] = m->key_calls++;
    key = born__hash(part, sizeof part, 0);
    const int64_t odd = (int64_t)0x9E3779B97F4A7C15, add = (int64_t)key;
    born_backend *b = m->root->backend;
    born_tensor k = (born_from)(b, BORN_ARRAY_OF(BORN_I64, &odd, 1), BORN_I64, NULL);
    born_tensor c = (born_from)(b, BORN_ARRAY_OF(BORN_I64, &add, 1), BORN_I64, NULL);
    return (born_add)((born_mul)(m->root->step, k, NULL), c, NULL);
}

void born_module_next_step(born_module *m)
{
    const int64_t one = 1;

    if (!m || !m->ops) return;
    m->root->step_serial++;
    born_scope s = born_scope_begin(m->root->backend);
    born_tensor by = (born_from)(m->root->backend, (born_array){ BORN_I64, { 0 }, &one, 0 }, BORN_I64, NULL);
    assign(m, m->root->step, (born_add)(m->root->step, by, NULL));
    born_scope_end(s);
}

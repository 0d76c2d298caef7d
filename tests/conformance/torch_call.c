/* torch_cases: running one row: its parameters with their defaults, the case's arguments and inputs by PyTorch's names.
   An argument that the row does not know is a failure, so that none is silently ignored. */
#include <stdarg.h>

#include "torch_cases.h"

void tc_fail(tc_call *k, const char *format, ...)
{
    if (k->why[0] != 0) return;
    va_list args;
    va_start(args, format);
    vsnprintf(k->why, sizeof k->why, format, args);
    va_end(args);
}

void tc_out(tc_call *k, born_tensor x)
{
    if (k->n_out == TC_MOST_OUT) {
        tc_fail(k, "more than %d results", TC_MOST_OUT);
        return;
    }
    k->out[k->n_out++] = x;
}

born_tensor tc_in(const tc_call *k, const char *name)
{
    for (int i = 0; i < k->n_in; i++) {
        if (strcmp(k->name[i], name) == 0) return k->in[i];
    }
    return tc_absent;
}

int tc_list(const tc_call *k, const char *name, born_tensor *list, int most)
{
    int n = 0;
    char item[64];
    for (; n < most; n++) {
        snprintf(item, sizeof item, "%s.%d", name, n);
        list[n] = tc_in(k, item);
        if (!tc_given(list[n])) break;
    }
    return n;
}

born_tensor tc_operand(tc_call *k, const char *name, born_tensor like)
{
    born_tensor x = tc_in(k, name);
    const json_t *v = tc_arg(k, name);
    if (tc_given(x) || v == NULL) return x;
    born_dtype t = born_dtype_of(like);
    double number = tc_number(v);
    if (!tc_is_real(t)) {
        t = !json_is_integer(v) && !json_is_boolean(v) ? k->real : json_is_boolean(v) ? BORN_BOOL : BORN_I64;
    }
    return born_full(k->b, t, (born_shape){ 0 }, number, NULL);
}

/* ---- parameters ---- */

/* The text of one parameter from *p on: its name, and where it ends; *value: where its default starts, or NULL. */
static bool next_param(const char **p, char name[48], const char **value, const char **end)
{
    const char *s = *p + strspn(*p, ", ");
    size_t n = strcspn(s, ",= ");
    if (n == 0 || n >= 48) return false;
    memcpy(name, s, n);
    name[n] = 0;
    s += n;
    *value = *s == '=' ? s + 1 : NULL;
    for (int depth = 0; *s != 0 && (*s != ',' || depth > 0); s++) depth += (*s == '[') - (*s == ']');
    *end = s;
    *p = s;
    return true;
}

static json_t *read_default(const char *value, const char *end)
{
    char text[128];
    size_t n = (size_t)(end - value);
    if (n >= sizeof text) return NULL;
    memcpy(text, value, n);
    text[n] = 0;
    for (char *c = text; *c != 0; c++) {
        if (*c == '\'') *c = '"';
    }
    return json_loads(text, JSON_DECODE_ANY, NULL);
}

bool tc_param_at(const tc_row *row, int at, char *name, size_t room)
{
    const char *p = row->params, *value, *end;
    char param[48];
    for (int i = 0; next_param(&p, param, &value, &end); i++) {
        if (i == at) return snprintf(name, room, "%s", param) < (int)room;
    }
    return false;
}

/* Whether `name`, or the list it is an element of ("tensors.1"), is among words that commas or defaults follow. */
static bool is_word(const char *words, const char *name)
{
    const char *p = words, *value, *end;
    char word[48];
    while (p != NULL && next_param(&p, word, &value, &end)) {
        size_t n = strlen(word);
        if (strncmp(word, name, n) == 0 && (name[n] == 0 || name[n] == '.')) return true;
    }
    return false;
}

void tc_read_defaults(tc_call *k)
{
    const char *p = k->row->params, *value, *end;
    char param[48];
    k->defaults = json_object();
    while (next_param(&p, param, &value, &end)) {
        if (value == NULL) continue;
        json_t *v = read_default(value, end);
        if (v == NULL) tc_fail(k, "%s: the default of %s cannot be read", k->row->name, param);
        json_object_set_new(k->defaults, param, v);
    }
}

static void check_names(tc_call *k)
{
    const char *key;
    json_t *v;
    json_object_foreach(k->args, key, v) {
        if (!is_word(k->row->params, key)) tc_fail(k, "%s has no argument %s here", k->row->name, key);
    }
    for (int i = 0; i < k->n_in; i++) {
        if (!is_word(k->row->params, k->name[i]) && !is_word(k->row->operands, k->name[i]))
            tc_fail(k, "%s has no input %s here", k->row->name, k->name[i]);
    }
}

bool tc_call_run(tc_call *k)
{
    const tc_row *row = k->row;
    k->n_out = 0;
    tc_read_defaults(k);
    check_names(k);
    if (k->why[0] == 0) {
        born_tensor x = tc_in(k, "input");
        if (row->run != NULL) {
            row->run(k);
        } else if (row->make != NULL) {
            tc_module_run(k);
        } else if (row->unary != NULL) {
            tc_out(k, row->unary(x, NULL));
        } else if (row->unary_real != NULL) {
            tc_out(k, row->unary_real(tc_to_real(k, x), NULL));
        } else {
            born_tensor y = tc_operand(k, "other", x);
            tc_promote(k, &x, &y);
            tc_out(k, row->binary(x, y, NULL));
        }
    }
    /* a float type asked for is still stored as the case's */
    for (int i = 0; json_object_get(k->args, "dtype") != NULL && i < k->n_out; i++) {
        if (tc_is_real(born_dtype_of(k->out[i]))) k->out[i] = tc_to(k->out[i], k->real);
    }
    json_decref(k->defaults);
    k->defaults = NULL;
    const born_error *err = born_backend_error(k->b);
    if (err->status != BORN_OK) tc_fail(k, "%s: %.300s", born_status_name(err->status), err->text);
    return k->why[0] == 0;
}

born_tensor tc_call_other(tc_call *like, const char *row, json_t *args, const char *const *names,
                          const born_tensor *in, int n_in)
{
    tc_call k = { .row = tc_find_row(row), .b = like->b, .real = like->real, .args = args };
    if (k.row == NULL) {
        tc_fail(like, "no row for %s", row);
        return tc_absent;
    }
    for (int i = 0; i < n_in && i < TC_MOST_IN; i++) {
        if (!tc_given(in[i])) continue;
        k.name[k.n_in] = names[i];
        k.in[k.n_in++] = in[i];
    }
    if (!tc_call_run(&k)) tc_fail(like, "%s", k.why);
    return k.n_out > 0 ? k.out[0] : tc_absent;
}

/* ---- arguments ---- */

json_t *tc_arg(const tc_call *k, const char *name)
{
    json_t *v = json_object_get(k->args, name);
    if (v == NULL) v = json_object_get(k->defaults, name);
    return v == NULL || json_is_null(v) ? NULL : v;
}

bool tc_none(const tc_call *k, const char *name)
{
    return tc_arg(k, name) == NULL;
}

double tc_number(const json_t *v)
{
    if (json_is_string(v)) {
        const char *s = json_string_value(v);
        return strcmp(s, "inf") == 0 ? INFINITY : strcmp(s, "-inf") == 0 ? -INFINITY : NAN;
    }
    return json_is_true(v) ? 1 : json_is_number(v) ? json_number_value(v) : 0;
}

double tc_num(const tc_call *k, const char *name)
{
    return tc_number(tc_arg(k, name));
}

int64_t tc_int(const tc_call *k, const char *name)
{
    const json_t *v = tc_arg(k, name);
    return json_is_integer(v) ? json_integer_value(v) : json_is_true(v) ? 1 : (int64_t)json_real_value(v);
}

bool tc_flag(const tc_call *k, const char *name)
{
    const json_t *v = tc_arg(k, name);
    return json_is_true(v) || (json_is_integer(v) && json_integer_value(v) != 0);
}

const char *tc_text(const tc_call *k, const char *name)
{
    const json_t *v = tc_arg(k, name);
    return json_is_string(v) ? json_string_value(v) : "";
}

bool tc_says(const tc_call *k, const char *name, const char *word)
{
    return strcmp(tc_text(k, name), word) == 0;
}

tc_ints tc_ints_of(const tc_call *k, const char *name)
{
    tc_ints r = { .none = tc_none(k, name) };
    const json_t *v = tc_arg(k, name);
    if (json_is_array(v)) {
        for (size_t i = 0; i < json_array_size(v) && r.n < TC_MOST_DIMS; i++) {
            r.v[r.n++] = json_integer_value(json_array_get(v, i));
        }
    } else if (v != NULL) {
        r.v[r.n++] = tc_int(k, name);
    }
    return r;
}

tc_ints tc_dims(const tc_call *k, const char *name, int rank)
{
    tc_ints r = tc_ints_of(k, name);
    for (int i = 0; i < r.n; i++) r.v[i] += r.v[i] < 0 ? rank : 0;
    return r;
}

tc_ints tc_spatial(const tc_call *k, const char *name, int rank, const tc_ints *otherwise)
{
    tc_ints r = tc_ints_of(k, name);
    if (r.none || r.n == 0) return otherwise != NULL ? *otherwise : r;
    for (; r.n < rank; r.n++) r.v[r.n] = r.v[0];
    return r;
}

born_shape tc_shape(const tc_call *k, const char *name)
{
    tc_ints r = tc_ints_of(k, name);
    born_shape s = { .rank = r.n < BORN_MAX_RANK ? r.n : BORN_MAX_RANK };
    for (int i = 0; i < s.rank; i++) s.dim[i] = r.v[i];
    return s;
}

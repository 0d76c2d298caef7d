/* torch_cases: modules. A row makes the module from PyTorch's constructor arguments; here it gets the case's state by
   name, its mode and its operands. Constructor calls as text ("Conv1d(2, 3, 3)") are read for Sequential and nets. */
#include <ctype.h>

#include "torch_cases.h"

static void load_state(tc_call *k)
{
    born_named_array list[TC_MOST_ARRAYS];
    int64_t n = 0;
    const char *name;
    json_t *array;
    born_error err;
    json_object_foreach(json_object_get(k->from->json, "state"), name, array) {
        const born_array *a = tc_find_array(k->from, json_string_value(array));
        if (a == NULL || n == TC_MOST_ARRAYS) {
            tc_fail(k, "no array for the state %.80s", name);
            return;
        }
        list[n++] = (born_named_array){ .name = name, .value = *a };
    }
    if (born_module_load_arrays(k->module, list, n, NULL, &err) != BORN_OK) tc_fail(k, "state: %.300s", err.text);
}

/* What takes an output_size takes it as the sizes of a tensor. */
static born_tensor wanted_size(tc_call *k)
{
    return tc_none(k, "output_size") ? tc_absent : tc_full(k, k->real, tc_shape(k, "output_size"), 0);
}

/* The inputs that the row lists, in its order; absent ones stay {0}. */
static int operands(tc_call *k, born_tensor *in)
{
    char name[48];
    int n = 0;
    for (const char *p = k->row->operands; *p != 0 && n < TC_MOST_IN; n++) {
        size_t length = strcspn(p, ", ");
        snprintf(name, sizeof name, "%.*s", (int)length, p);
        in[n] = strcmp(name, "like") == 0 ? wanted_size(k) : tc_in(k, name);
        p += length + strspn(p + length, ", ");
    }
    while (n > 0 && !tc_given(in[n - 1])) n--;
    return n;
}

void tc_module_run(tc_call *k)
{
    born_tensor in[TC_MOST_IN];
    born_module_desc desc = { .dtype = k->real };
    if (k->from == NULL) {
        tc_fail(k, "%s within another call", k->row->name);
        return;
    }
    k->root = born_module_create_with(k->b, &desc);
    k->module = k->row->make(k, k->root, "m");
    if (k->why[0] != 0 || k->module == NULL || born_backend_error(k->b)->status != BORN_OK) return;
    load_state(k);
    born_module_train(k->root, json_is_true(json_object_get(k->from->json, "training")));
    int n = operands(k, in);
    k->n_out = k->wanted < TC_MOST_OUT ? k->wanted : TC_MOST_OUT;
    if (k->why[0] == 0) born_forward_n(k->module, in, n, k->out, k->n_out);
}

born_module *tc_module_make(tc_call *k, born_module *parent, const char *name, const char *row, json_t *args)
{
    tc_call part = { .row = tc_find_row(row), .b = k->b, .real = k->real, .args = args };
    if (part.row == NULL || part.row->make == NULL) {
        tc_fail(k, "no module %s", row);
        return NULL;
    }
    tc_read_defaults(&part);
    born_module *m = part.row->make(&part, parent, name);
    json_decref(part.defaults);
    if (part.why[0] != 0) tc_fail(k, "%s", part.why);
    return m;
}

/* ---- constructor calls as text ---- */

/* A Python value as JSON: True, False, None, tuples and quotes. */
static json_t *read_value(const char *text, size_t n)
{
    static const struct {
        const char *python, *json;
    } words[] = { { "True", "true" }, { "False", "false" }, { "None", "null" } };
    char json[256];
    size_t used = 0;
    for (size_t i = 0; i < n && used + 8 < sizeof json;) {
        size_t w = 0, length = 0;
        for (; w < 3; w++) {
            length = strlen(words[w].python);
            if (n - i >= length && strncmp(text + i, words[w].python, length) == 0) break;
        }
        if (w < 3) {
            used += (size_t)snprintf(json + used, sizeof json - used, "%s", words[w].json);
            i += length;
        } else {
            char c = text[i++];
            json[used++] = c == '(' ? '[' : c == ')' ? ']' : c == '\'' ? '"' : c;
        }
    }
    json[used] = 0;
    return json_loads(json, JSON_DECODE_ANY, NULL);
}

/* Adds one argument, "name=value" or the value of the parameter at `at`. */
static bool add_argument(json_t *args, const tc_row *row, int at, const char *text, size_t n)
{
    char key[48];
    const char *equals = memchr(text, '=', n);
    if (equals != NULL) {
        size_t length = (size_t)(equals - text);
        if (length >= sizeof key) return false;
        memcpy(key, text, length);
        key[length] = 0;
        n -= length + 1;
        text = equals + 1;
    } else if (!tc_param_at(row, at, key, sizeof key)) {
        return false;
    }
    return json_object_set_new(args, key, read_value(text, n)) == 0;
}

born_module *tc_module_parse(tc_call *k, born_module *parent, const char *name, const char *text)
{
    char row[96];
    size_t n = strcspn(text, "(");
    const char *p = text + n + (text[n] == '('), *end = text + strlen(text);
    snprintf(row, sizeof row, "torch.nn.%.*s", (int)n, text);
    const tc_row *found = tc_find_row(row);
    json_t *args = json_object();
    bool good = found != NULL && end > p && end[-1] == ')';
    for (int at = 0; good && p < end - 1; at++) {
        const char *start = p;
        for (int depth = 0; p < end - 1 && (*p != ',' || depth > 0); p++) depth += (*p == '(') - (*p == ')');
        good = add_argument(args, found, at, start, (size_t)(p - start));
        p += *p == ',';
        while (p < end - 1 && isspace((unsigned char)*p)) p++;
    }
    if (!good) tc_fail(k, "a layer that is not understood: %.80s", text);
    born_module *m = good ? tc_module_make(k, parent, name, row, args) : NULL;
    json_decref(args);
    return m;
}

static born_module *make_sequential(tc_call *k, born_module *parent, const char *name)
{
    born_module *group = born_module_group(parent, name);
    const json_t *layers = tc_arg(k, "layers");
    for (size_t i = 0; i < json_array_size(layers); i++) {
        const char *text = json_string_value(json_array_get(layers, i));
        if (text == NULL || tc_module_parse(k, group, NULL, text) == NULL) return group;
    }
    return group;
}

static born_module *make_weight_norm(tc_call *k, born_module *parent, const char *name)
{
    born_module *m = tc_module_parse(k, parent, name, tc_text(k, "module"));
    if (m != NULL) born_weight_norm(m, tc_text(k, "name"), tc_none(k, "dim") ? -1 : (int)tc_int(k, "dim"));
    return m;
}

const tc_row tc_rows_module[] = {
    { .name = "torch.nn.Sequential", .params = "layers", .make = make_sequential, .operands = "input" },
    { .name = "torch.nn.utils.weight_norm", .params = "module, name='weight', dim=0", .make = make_weight_norm,
      .operands = "input" },
    { 0 },
};

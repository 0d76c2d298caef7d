/* Values for a model's inputs from --input options: files by name or in the graph's order, random numbers, zeros. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

bool cli_split(const char *text, char *name, size_t n, const char **rest)
{
    const char *eq = strchr(text, '=');

    if (!eq || (size_t)(eq - text) >= n) return false;
    memcpy(name, text, (size_t)(eq - text));
    name[eq - text] = 0;
    *rest = eq + 1;
    return true;
}

/* "1,2,3" or "1" for all three. */
static bool parse_three(const char *verb, const char *option, const char *text, double out[3])
{
    char part[64];
    int n = 0;

    for (const char *p = text ? text : ""; n < 3; n++) {
        size_t k = strcspn(p, ",");
        if (k >= sizeof part) break;
        memcpy(part, p, k);
        part[k] = 0;
        if (!cli_real(verb, option, part, &out[n])) return false;
        if (!p[k]) {
            n++;
            break;
        }
        p += k + 1;
    }
    if (n == 1) out[1] = out[2] = out[0];
    if (n == 1 || n == 3) return true;
    cli_usage_error(verb, "%s needs one number, or three with commas", option);
    return false;
}

int cli_input_option(const char *verb, cli_args *a, cli_input_options *o)
{
    const char *v;

    if (cli_value(a, "--input", &v)) {
        if (!v || o->spec_count == 64) return cli_usage_error(verb, "--input needs a value, at most 64 times"), -1;
        o->spec[o->spec_count++] = v;
        return 1;
    }
    if (cli_value(a, "--dim", &v)) {
        if (!v || !strchr(v, '=') || o->dim_count == 32) return cli_usage_error(verb, "--dim needs NAME=N"), -1;
        o->dim[o->dim_count++] = v;
        return 1;
    }
    if (cli_value(a, "--mean", &v)) return parse_three(verb, "--mean", v, o->picture.mean) ? 1 : -1;
    if (cli_value(a, "--std", &v)) return parse_three(verb, "--std", v, o->picture.std) ? 1 : -1;
    if (cli_flag(a, "--bgr")) {
        o->picture.bgr = true;
        return 1;
    }
    return 0;
}

/* The size of dim d of an input, by its symbol or as "input.d". */
static int64_t dim_size(const cli_input_options *o, const born_value_info *v, int d)
{
    char name[128], place[128];
    const char *rest;

    snprintf(place, sizeof place, "%.100s.%d", v->name, d);
    for (int i = 0; i < o->dim_count; i++) {
        if (!cli_split(o->dim[i], name, sizeof name, &rest)) continue;
        if (!strcmp(name, place) || (v->symbol[d] && !strcmp(name, v->symbol[d]))) return strtoll(rest, NULL, 10);
    }
    return 1;
}

/* Numbers that are the same on every machine: a 64-bit mix of the index. Floats in [0, 1), integers 0 or 1. */
static double random_at(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

static born_status make_numbers(const born_value_info *v, const cli_input_options *o, bool random, cli_tensor *t,
                                born_error *err)
{
    int64_t dim[BORN_MAX_RANK];

    if (v->rank < 0) return cli_error(err, BORN_SHAPE, "input '%s' has no stated rank: give a file", v->name);
    for (int i = 0; i < v->rank; i++) {
        dim[i] = v->dim[i] < 0 ? dim_size(o, v, i) : v->dim[i];
        if (dim[i] < 0) return cli_error(err, BORN_INVALID, "--dim for '%s': a size below 0", v->name);
    }
    if (!cli_tensor_new(t, v->dtype, dim, v->rank, o->max_bytes, err)) return err->status;
    if (!random) return BORN_OK;
    int64_t n = cli_count(&t->a.shape);
    bool real = v->dtype == BORN_F32 || v->dtype == BORN_F64 || v->dtype == BORN_F16 || v->dtype == BORN_BF16;
    for (int64_t i = 0; i < n; i++) {
        double r = random_at((uint64_t)i);
        cli_store(v->dtype, t->memory, i, real ? r : r < 0.5 ? 0 : 1);
    }
    return BORN_OK;
}

static int input_named(const born_model *m, int count, const char *name)
{
    born_value_info v;

    for (int i = 0; i < count; i++)
        if (born_model_input(m, i, &v) == BORN_OK && !strcmp(v.name, name)) return i;
    return -1;
}

static void take(cli_inputs *in, int i, const cli_tensor *t)
{
    if (in->given[i]) cli_tensor_free(&in->t[i]);
    in->t[i] = *t;
    in->a[i] = t->a;
    in->given[i] = true;
}

/* One --input: `to` is the input named in it, -1 none. */
static born_status add_file(const born_model *m, const cli_input_options *o, cli_inputs *in, const char *path, int to,
                            born_error *err)
{
    cli_tensor *t;
    int n, next = to;
    born_value_info v;

    for (int i = 0; next < 0 && i < in->count; i++)
        if (!in->given[i]) next = i;
    if (next < 0) return cli_error(err, BORN_INVALID, "%s: every input has a value already", path);
    born_status st = born_model_input(m, next, &v);
    if (!st) st = cli_read_tensors(path, &v, &o->picture, o->max_bytes, &t, &n, err);
    if (st) return st;
    for (int i = 0; i < n; i++) {
        int at = n == 1 ? next : input_named(m, in->count, t[i].name);
        for (int k = 0; at < 0 && k < in->count; k++)
            if (!in->given[k]) at = k;
        if (at < 0) {
            cli_tensor_free(&t[i]);
            continue;
        }
        take(in, at, &t[i]);
    }
    free(t);
    return BORN_OK;
}

static born_status add_spec(const born_model *m, const cli_input_options *o, cli_inputs *in, const char *spec,
                            born_error *err)
{
    char name[256];
    const char *rest = spec;
    int to = -1;
    born_value_info v;

    if (cli_split(spec, name, sizeof name, &rest)) {
        to = input_named(m, in->count, name);
        if (to < 0) rest = spec;            /* a path with '=' in it */
    }
    bool random = !strcmp(rest, "rand"), zeros = !strcmp(rest, "zeros");
    if (!random && !zeros) return add_file(m, o, in, rest, to, err);
    for (int i = 0; i < in->count; i++) {
        cli_tensor t = { .memory = NULL };
        if (to >= 0 ? i != to : in->given[i]) continue;
        born_status st = born_model_input(m, i, &v);
        if (!st) st = make_numbers(&v, o, random, &t, err);
        if (st) return st;
        take(in, i, &t);
    }
    return BORN_OK;
}

born_status cli_inputs_make(const born_model *m, const cli_input_options *o, cli_inputs *out, born_error *err)
{
    born_model_info info;
    born_value_info v;
    born_status st = BORN_OK;

    born_model_info_get(m, &info);
    size_t n = info.input_count > 0 ? (size_t)info.input_count : 1;
    *out = (cli_inputs){ calloc(n, sizeof *out->t), calloc(n, sizeof *out->a), calloc(n, sizeof *out->given),
                         info.input_count };
    if (!out->t || !out->a || !out->given) return cli_error(err, BORN_NOMEM, "out of memory");
    /* files first, then the words that fill what is left */
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < o->spec_count && !st; i++) {
            bool filler = !strcmp(o->spec[i], "rand") || !strcmp(o->spec[i], "zeros");
            if (filler == (pass == 1)) st = add_spec(m, o, out, o->spec[i], err);
        }
    for (int i = 0; i < out->count && !st; i++)
        if (!out->given[i]) {
            st = born_model_input(m, i, &v);
            if (!st)
                st = cli_error(err, BORN_INVALID, "input '%s' has no value: give --input %s=FILE, or rand or zeros",
                               v.name, v.name);
        }
    return st;
}

void cli_inputs_free(cli_inputs *in)
{
    for (int i = 0; in->t && i < in->count; i++) cli_tensor_free(&in->t[i]);
    free(in->t);
    free(in->a);
    free(in->given);
    *in = (cli_inputs){ 0 };
}

/* torch_cases: cases whose note is a formula around the function, such as "gather(input^2, dim, index) * input[:, :3]".
   Grammar: products of factors; a factor is a primary, "^n" and postfixes; a primary is an input's name or a function
   of the table applied to expressions by position. The case's own function takes the case's arguments; an argument that
   is no input is skipped, since its value stands there. */
#include <ctype.h>

#include "torch_cases.h"

enum { MOST_ARGS = 8, MOST_DEPTH = 16 };

typedef struct parser {
    tc_call *k;
    const char *p;
    int depth;
} parser;

static born_tensor product(parser *s);

static void skip_blanks(parser *s)
{
    while (*s->p == ' ') s->p++;
}

static bool eat(parser *s, char c)
{
    skip_blanks(s);
    if (*s->p != c) return false;
    s->p++;
    return true;
}

static bool word(parser *s, char *text, size_t room)
{
    size_t n = 0;
    skip_blanks(s);
    while ((isalnum((unsigned char)*s->p) || *s->p == '_') && n + 1 < room) text[n++] = *s->p++;
    text[n] = 0;
    return n > 0;
}

static const char *last_part(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

static const char *full_name(const parser *s, const char *function, char *text, size_t room)
{
    static const char *const prefixes[] = { "torch.", "torch.nn.functional.", "torch.special.", "torch.linalg." };
    if (strcmp(last_part(s->k->row->name), function) == 0) return s->k->row->name;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        snprintf(text, room, "%s%s", prefixes[i], function);
        if (tc_find_row(text) != NULL) return text;
    }
    return NULL;
}

/* One argument of a function: an expression, or the name of an argument that is no tensor ({0}). */
static born_tensor argument(parser *s)
{
    char name[48];
    const char *start = s->p;
    if (word(s, name, sizeof name)) {
        skip_blanks(s);
        if ((*s->p == ',' || *s->p == ')') && !tc_given(tc_in(s->k, name))) return tc_absent;
    }
    s->p = start;
    return product(s);
}

static born_tensor function(parser *s, const char *short_name)
{
    char text[96], names[MOST_ARGS][48];
    const char *name = full_name(s, short_name, text, sizeof text), *keys[TC_MOST_IN];
    born_tensor in[TC_MOST_IN] = { { 0 } };
    int n = 0, at = 0;
    if (name == NULL) {
        tc_fail(s->k, "formula: no function %s", short_name);
        return tc_absent;
    }
    const tc_row *row = tc_find_row(name);
    do {
        born_tensor x = argument(s);
        if (tc_given(x) && n < MOST_ARGS && tc_param_at(row, at, names[n], sizeof names[n])) {
            in[n] = x;
            keys[n] = names[n];
            n++;
        }
        at++;
    } while (eat(s, ',') && at < MOST_ARGS);
    if (!eat(s, ')')) tc_fail(s->k, "formula: no ) after %s", short_name);
    bool own = row == s->k->row;
    for (int i = 0; own && i < s->k->n_in; i++) {        /* inputs that the formula leaves out */
        bool there = false;
        for (int j = 0; j < n; j++) there |= strcmp(keys[j], s->k->name[i]) == 0;
        if (there || n == TC_MOST_IN) continue;
        in[n] = s->k->in[i];
        keys[n++] = s->k->name[i];
    }
    return s->k->why[0] != 0 ? tc_absent : tc_call_other(s->k, name, own ? s->k->args : NULL, keys, in, n);
}

/* "[:, 1:3, ::2]" */
static born_tensor subscript(parser *s, born_tensor x)
{
    for (int dim = 0; !eat(s, ']'); dim++) {
        int64_t part[3] = { 0, INT64_MAX, 1 };
        int colons = 0;
        for (;;) {
            char *end;
            skip_blanks(s);
            long long v = strtoll(s->p, &end, 10);
            if (end != s->p) part[colons] = v;
            s->p = end;
            if (colons == 2 || !eat(s, ':')) break;
            colons++;
        }
        if (dim >= tc_rank(x) || colons == 0) {
            tc_fail(s->k, "formula: a subscript that is not understood");
            return x;
        }
        if (part[0] != 0 || part[1] != INT64_MAX || part[2] != 1) x = tc_slice(x, dim, part[0], part[1], part[2]);
        if (!eat(s, ',') && *s->p != ']') {
            tc_fail(s->k, "formula: a subscript that does not end");
            return x;
        }
    }
    return x;
}

static born_tensor factor(parser *s)
{
    char name[48];
    born_tensor x;
    if (++s->depth > MOST_DEPTH || s->k->why[0] != 0) return tc_absent;
    if (eat(s, '(')) {
        x = product(s);
        if (!eat(s, ')')) tc_fail(s->k, "formula: no )");
    } else if (!word(s, name, sizeof name)) {
        tc_fail(s->k, "formula: \"%.20s\"", s->p);
        return tc_absent;
    } else {
        x = eat(s, '(') ? function(s, name) : tc_in(s->k, name);
        if (!tc_given(x)) tc_fail(s->k, "formula: no input %s", name);
    }
    for (;;) {
        if (eat(s, '^')) {
            char *end;
            double n = strtod(s->p, &end);
            s->p = end;
            x = born_pow(x, n);
        } else if (eat(s, '[')) {
            x = subscript(s, x);
        } else if (strncmp(s->p, ".values", 7) == 0) {
            s->p += 7;              /* the first result, which x is */
        } else {
            break;
        }
    }
    s->depth--;
    return x;
}

static born_tensor product(parser *s)
{
    born_tensor x = factor(s);
    while (s->k->why[0] == 0 && eat(s, '*')) x = born_mul(x, factor(s));
    return x;
}

/* A note is a formula where it is a call of, or around, the case's own function; others describe. */
bool tc_formula_is(const tc_case *c)
{
    const char *note = tc_string(c->json, "note", NULL), *function = last_part(tc_string(c->json, "name", ""));
    char call[96];
    if (note == NULL || strcmp(tc_string(c->json, "kind", ""), "grad2") != 0) return false;
    if (json_is_true(json_object_get(c->json, "by_hand"))) return false;
    snprintf(call, sizeof call, "%s(", function);
    return strstr(note, call) != NULL && strpbrk(note, "=:;") == strchr(note, ':') && strchr(note, ';') == NULL;
}

bool tc_formula_run(tc_call *k, const char *text)
{
    parser s = { .k = k, .p = text };
    born_tensor x = product(&s);
    skip_blanks(&s);
    if (*s.p != 0) tc_fail(k, "formula: \"%.60s\" is left over", s.p);
    tc_out(k, x);
    return k->why[0] == 0;
}

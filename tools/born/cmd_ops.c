/* born ops: the operator table, as a list or as JSON that bindings for other languages are made from. */
#include "cli.h"

#include <math.h>
#include <string.h>

const char cli_ops_help[] = "Without NAME all operators, else one with its attributes.\n\n"
                            "  --json              print the table as JSON, attributes included\n";

static void print_one(int i, const born_op_info *o)
{
    born_op_attr_info a;

    printf("%s  %s  %s\n  %s\n", o->name, o->signature, o->onnx, o->doc);
    for (int k = 0; k < o->attr_count; k++) {
        if (born_op_attr_get(i, k, &a)) continue;
        printf("  %-20s %-8s default %.6g%s%s%s%s\n", a.name, a.kind, a.def, a.choices[0] ? "  " : "", a.choices,
               a.onnx[0] ? "  ONNX " : "", a.onnx);
    }
}

static void json_attrs(cli_json *j, int i, int count)
{
    born_op_attr_info a;

    cli_json_key(j, "attributes");
    cli_json_open(j, '[');
    for (int k = 0; k < count; k++) {
        if (born_op_attr_get(i, k, &a)) continue;
        cli_json_open(j, '{');
        cli_json_key(j, "name");
        cli_json_text(j, a.name);
        cli_json_key(j, "kind");
        cli_json_text(j, a.kind);
        cli_json_key(j, "onnx");
        cli_json_text(j, a.onnx);
        if (a.choices[0]) {
            cli_json_key(j, "choices");
            cli_json_text(j, a.choices);
        }
        cli_json_key(j, "default");
        cli_json_real(j, a.def);
        cli_json_key(j, "lo");
        cli_json_real(j, a.lo);
        cli_json_key(j, "hi");
        cli_json_real(j, a.hi);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void json_one(cli_json *j, int i, const born_op_info *o)
{
    const struct { const char *key; bool v; } flags[] = {
        { "elementwise", o->elementwise }, { "view", o->view }, { "host", o->host }, { "extent", o->extent },
        { "effect", o->effect }, { "control", o->control }, { "differentiable", o->differentiable },
    };

    cli_json_open(j, '{');
    cli_json_key(j, "name");
    cli_json_text(j, o->name);
    cli_json_key(j, "signature");
    cli_json_text(j, o->signature);
    cli_json_key(j, "min_inputs");
    cli_json_int(j, o->min_in);
    cli_json_key(j, "max_inputs");
    cli_json_int(j, o->max_in);
    cli_json_key(j, "onnx");
    cli_json_text(j, o->onnx);
    for (size_t k = 0; k < sizeof flags / sizeof *flags; k++) {
        cli_json_key(j, flags[k].key);
        cli_json_bool(j, flags[k].v);
    }
    json_attrs(j, i, o->attr_count);
    cli_json_key(j, "doc");
    cli_json_text(j, o->doc);
    cli_json_close(j, '}');
}

int cmd_ops(int argc, char **argv)
{
    cli_args a = cli_begin(argc, argv);
    bool json = false, found = false;
    const char *name = NULL;
    cli_json j = { 0 };
    born_op_info o;

    while (cli_next(&a)) {
        if (cli_flag(&a, "--json"))
            json = true;
        else if (cli_is_option(&a))
            return cli_usage_error("ops", "no option '%s'", cli_word(&a));
        else if (name)
            return cli_usage_error("ops", "one operator at a time");
        else
            name = cli_word(&a);
    }
    if (json) cli_json_open(&j, '[');
    for (int i = 0; i < born_op_count(); i++) {
        if (born_op_info_get(i, &o) || (name && strcmp(name, o.name))) continue;
        found = true;
        if (json)
            json_one(&j, i, &o);
        else if (name)
            print_one(i, &o);
        else
            printf("%-28s %-14s %s\n", o.name, o.signature, o.onnx);
    }
    if (json) {
        cli_json_close(&j, ']');
        cli_json_end();
    }
    return found ? CLI_OK : cli_fail_text(CLI_FAILED, "ops", "no operator '%s'", name ? name : "");
}

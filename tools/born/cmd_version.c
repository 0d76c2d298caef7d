/* born version: the version, what is in this build, and the notices that its libraries ask for. */
#include "cli.h"

#include <born/codecs.h>

static const struct { unsigned codec; const char *name, *notice; } components[] = {
    { 0, "core", "born: Apache License 2.0" },
    { 0, "onnx", NULL },
    { BORN_CODEC_ZLIB, "npz", "zlib: zlib licence, (C) 1995-2022 Jean-loup Gailly and Mark Adler" },
    { BORN_CODEC_PNG, "png", "libpng: PNG Reference Library License version 2, (C) 1995-2022 the PNG Reference Library "
                             "Authors" },
    { BORN_CODEC_JPEG, "jpeg", "libjpeg-turbo: this software is based in part on the work of the Independent JPEG "
                               "Group; BSD-3-Clause, IJG and zlib licences" },
};

static bool here(size_t i)
{
    return (components[i].codec & ~born_codecs_built()) == 0;
}

int cmd_version(int argc, char **argv)
{
    cli_args a = cli_begin(argc, argv);
    bool json = false, licences = false;
    cli_json j = { 0 };
    char memory[24];

    while (cli_next(&a)) {
        if (cli_flag(&a, "--json"))
            json = true;
        else if (cli_flag(&a, "--licenses") || cli_flag(&a, "--licences"))
            licences = true;
        else
            return cli_usage_error("version", "no option '%s'", cli_word(&a));
    }
    if (licences) {
        for (size_t i = 0; i < sizeof components / sizeof *components; i++)
            if (here(i) && components[i].notice) puts(components[i].notice);
        return CLI_OK;
    }
    if (!json) {
        printf("born %s  cpu %s  %d threads  memory %s\ncomponents:", born_version(), born_cpu_level(),
               born_cpu_count(), cli_bytes((double)born_memory_limit(), memory));
        for (size_t i = 0; i < sizeof components / sizeof *components; i++)
            if (here(i)) printf(" %s", components[i].name);
        putchar('\n');
        return CLI_OK;
    }
    cli_json_open(&j, '{');
    cli_json_key(&j, "version");
    cli_json_text(&j, born_version());
    cli_json_key(&j, "cpu");
    cli_json_text(&j, born_cpu_level());
    cli_json_key(&j, "threads");
    cli_json_int(&j, born_cpu_count());
    cli_json_key(&j, "components");
    cli_json_open(&j, '[');
    for (size_t i = 0; i < sizeof components / sizeof *components; i++)
        if (here(i)) cli_json_text(&j, components[i].name);
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    cli_json_end();
    return CLI_OK;
}

/* torch_cases: all rows, by family. */
#include "torch_cases.h"

extern const tc_row tc_rows_unary[], tc_rows_binary[], tc_rows_choose[], tc_rows_reduce[], tc_rows_count[],
    tc_rows_shape[], tc_rows_join[], tc_rows_index[], tc_rows_getitem[], tc_rows_linear[], tc_rows_conv[],
    tc_rows_pool[], tc_rows_norm[], tc_rows_activation[], tc_rows_embedding[], tc_rows_resample[], tc_rows_loss[],
    tc_rows_module[], tc_rows_layer[], tc_rows_recurrent[], tc_rows_net[],
    tc_rows_init[];

static const tc_row *const families[] = {
    tc_rows_unary,     tc_rows_binary, tc_rows_choose, tc_rows_reduce,     tc_rows_count,     tc_rows_shape,
    tc_rows_join,      tc_rows_index,  tc_rows_getitem, tc_rows_linear,    tc_rows_conv,      tc_rows_pool,
    tc_rows_norm,      tc_rows_activation, tc_rows_embedding, tc_rows_resample, tc_rows_loss,
    tc_rows_module,    tc_rows_layer,  tc_rows_recurrent,  tc_rows_net,
    tc_rows_init,
};

const tc_row *tc_find_row(const char *name)
{
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++) {
        for (const tc_row *r = families[f]; r->name != NULL; r++) {
            if (strcmp(r->name, name) == 0) return r;
        }
    }
    return NULL;
}

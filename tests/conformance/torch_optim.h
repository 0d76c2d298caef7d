/* torch_cases: optimisers and schedules by PyTorch's names. */
#ifndef BORN_TORCH_OPTIM_H
#define BORN_TORCH_OPTIM_H
#include "torch_cases.h"

/// NULL: there is no such optimiser. torch_1: as torch before 2.0 has it.
born_optim *tc_optim_make(born_module *net, const char *name, const json_t *args, bool torch_1);
/// Never NULL, perhaps dead.
born_sched *tc_sched_make(born_optim *o, const char *name, const json_t *args, char *why);
tc_result tc_run_optim_case(tc_case *c, born_device *d, char *why);
tc_result tc_run_sched_case(tc_case *c, born_device *d, char *why);
#endif

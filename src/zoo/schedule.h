/* The schedules that recipes know by name. One row is a name and a function fill_<id> of schedule.c. */
#ifndef BORN_ZOO_SCHEDULE_H
#define BORN_ZOO_SCHEDULE_H
#include <born/sched.h>

#define ZOO_SCHEDULE_ROWS(X)                                                                                          \
    X(cosine, "cosine") X(one_cycle, "one-cycle") X(linear, "linear") X(step, "step") X(exponential, "exponential")   \
    X(plateau, "plateau")
#define ZOO_SCHEDULE_CHOICE(id, name) "|" name
#define ZOO_SCHEDULES "none" ZOO_SCHEDULE_ROWS(ZOO_SCHEDULE_CHOICE)

/* The schedule of that name for `steps` steps, of which the first `warmup` (at most a fifth) rise to lr. *out NULL for
   "none" without warm-up; *by_step: it goes by training steps, not by epochs. INVALID where the schedule takes no
   warm-up. */
born_status born__zoo_schedule(born_optim *o, const char *name, double lr, int64_t warmup, int64_t steps,
                               bool maximize, born_sched **out, bool *by_step, born_error *err);
#endif

/* See clock.h. The start of the scale is the system's; only differences mean anything. */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <time.h>

double born__clock_seconds(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) return 0.0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

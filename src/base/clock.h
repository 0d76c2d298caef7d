/* Time for measuring: seconds on a clock that never goes back. */
#ifndef BORN_BASE_CLOCK_H
#define BORN_BASE_CLOCK_H

double born__clock_seconds(void);
#endif

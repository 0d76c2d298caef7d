/* The log hook's inside: one line for what nobody asked for. Without a hook nothing happens. */
#ifndef BORN_BASE_LOG_H
#define BORN_BASE_LOG_H
#include <born/base.h>

void born__log(born_status s, const char *fmt, ...) BORN_PRINTF(2, 3);
#endif

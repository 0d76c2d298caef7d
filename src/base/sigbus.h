/* Maps that survive a file which shrinks under them. A guarded map is a slot in a fixed table; the handler, installed
   only by born_guard_install (born/model.h), replaces a vanished page of a guarded map by zeros and marks the slot. */
#ifndef BORN_BASE_SIGBUS_H
#define BORN_BASE_SIGBUS_H
#include <born/base.h>

/* A slot for [base, base + bytes); -1 when the table is full. */
int born__guard_add(const void *base, size_t bytes);
/* Before the map goes. -1 allowed. */
void born__guard_remove(int slot);
/* Whether a page of the map was lost. */
bool born__guard_lost(int slot);
#endif

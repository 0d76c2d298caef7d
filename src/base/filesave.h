/* Writing a file so that a writer that is killed, or a disk that is full, loses nothing: bytes go to a file beside
   ("<path>.part"), which is synced and then renamed over the path. Readers see the old file or the whole new one, never
   a mixture. The file beside has one name for each path, so that what a killed writer left is used again by the next
   one and never piles up; a lock on it keeps two writers of one path apart. Called by the writers of formats. */
#ifndef BORN_BASE_FILESAVE_H
#define BORN_BASE_FILESAVE_H
#include <born/base.h>

typedef struct born_filesave born_filesave;

/* IO; STATE: somebody else is writing this path. */
born_status born__filesave_open(const char *path, born_filesave **out, born_error *err);
born_status born__filesave_write(born_filesave *f, const void *p, size_t n, born_error *err);
uint64_t born__filesave_at(const born_filesave *f);             /* bytes written so far */
/* Syncs, renames, syncs the folder; *f is freed and NULL in any case. On failure the old file is untouched. */
born_status born__filesave_commit(born_filesave **f, born_error *err);
void born__filesave_abandon(born_filesave **f);                 /* removes what was written; NULL allowed */
#endif

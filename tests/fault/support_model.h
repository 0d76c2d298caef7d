/* Opening and running models in fault tests: everything must end in a status. */
#ifndef BORN_TESTS_SUPPORT_MODEL_H
#define BORN_TESTS_SUPPORT_MODEL_H
#include <born/model.h>

/* The test data's folder (BORN_TEST_DATA, else ../shared/data). */
const char *support_data(void);
/* A file below it in memory, exactly as long as the file; NULL where it is absent. free() it. */
unsigned char *support_read(const char *path, size_t *n);
/* Opens the bytes, and runs the model on zeros where that takes less than 8 MiB of input. The status of what failed
   first. *ran tells whether it came to a run. */
born_status support_run(const void *bytes, size_t n, size_t max_bytes, bool *ran, born_error *err);
#endif

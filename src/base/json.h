/* Writing JSON: a stream of calls becomes text in a growing buffer, or goes to a callback piece by piece. Commas and
   escapes are the writer's business; text that is not UTF-8 gets U+FFFD; numbers read back exactly; NaN and infinity
   are null. The first failure sticks, later calls do nothing, born__json_end reports it. */
#ifndef BORN_BASE_JSON_H
#define BORN_BASE_JSON_H
#include <born/base.h>

#define BORN_JSON_DEPTH 64

typedef born_status (*born_json_write)(void *user, const char *text, size_t n);

typedef struct born_json {
    born_json_write write;      /* NULL: the text stays in buf */
    void *user;
    char *buf;                  /* NUL-terminated after born__json_end */
    size_t len, cap;
    int depth;
    bool array[BORN_JSON_DEPTH];
    bool filled;                /* the open object or array has a member */
    bool after_key;
    bool one_line;              /* false: a member per line, indented by two */
    born_status status;
} born_json;

void born__json_begin(born_json *j, born_json_write write, void *user, bool one_line);
void born__json_object(born_json *j);               /* { */
void born__json_array(born_json *j);                /* [ */
void born__json_close(born_json *j);                /* } or ] */
void born__json_key(born_json *j, const char *key);
void born__json_string(born_json *j, const char *s, size_t n);
void born__json_text(born_json *j, const char *s);  /* NULL: null */
void born__json_int(born_json *j, int64_t v);
void born__json_uint(born_json *j, uint64_t v);
void born__json_f64(born_json *j, double v);
void born__json_f32(born_json *j, float v);         /* the shortest text that reads back as this float */
void born__json_bool(born_json *j, bool v);
void born__json_null(born_json *j);
/* Closes what is open, flushes; the text of the buffer stays valid until born__json_free. */
born_status born__json_end(born_json *j);
void born__json_free(born_json *j);
#endif

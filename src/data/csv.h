/* Cells of a CSV file, one after the other. */
#ifndef BORN_DATA_CSV_H
#define BORN_DATA_CSV_H
#include <born/data.h>

typedef struct born_csv {
    const char *p, *end;
    char separator;
    int64_t line;               /* of the cell read last, from 1 */
    int64_t next_line;
    bool row_ends;              /* the cell read last was its row's last */
    char *buf;                  /* a quoted cell's text, grown as needed */
    size_t cap;
    const char *cell;           /* the cell read last */
    size_t cell_bytes;
} born_csv;

/* Over n bytes; a byte order mark is skipped. */
born_csv born__csv_begin(const void *bytes, size_t n, char separator);
/* Skips empty lines; false at the end of the file. Call at the beginning of a row. */
bool born__csv_row(born_csv *c);
/* Reads the next cell. FORMAT (quotes that do not fit), NOMEM; the text names the line. */
born_status born__csv_cell(born_csv *c, born_error *err);
void born__csv_end(born_csv *c);

/* The table in n bytes as a set; what born_dataset_open_csv does with a file's. */
born_status born__csv_set(const void *bytes, size_t n, const born_csv_desc *d, born_dataset **out, born_error *err);
#endif

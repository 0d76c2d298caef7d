/* IDX: a header of big-endian sizes, then bytes. */
#ifndef BORN_DATA_IDX_H
#define BORN_DATA_IDX_H
#include <born/tensor.h>

/* Reads the header of a file of bytes (type 0x08); *at is where the elements begin, and as many as the shape needs are
   there, no more. FORMAT, UNSUPPORTED. */
born_status born__idx_parse(const unsigned char *bytes, size_t n, born_shape *shape, size_t *at, born_error *err);
#endif

/* .npy and .npz as structs over the bytes. */
#ifndef BORN_DATA_NPY_H
#define BORN_DATA_NPY_H
#include <born/tensor.h>

typedef struct born_npy {
    born_dtype dtype;
    born_shape shape;
    bool fortran;               /* the elements are in the other order */
    size_t at, bytes;           /* of the elements; all of them are there */
} born_npy;
/* Reads the header. FORMAT, UNSUPPORTED. */
born_status born__npy_parse(const unsigned char *bytes, size_t n, born_npy *out, born_error *err);
/* Writes the elements of a parsed file to dst in C order; bools become 0 or 1. */
void born__npy_copy(const born_npy *h, const unsigned char *bytes, void *dst);
#endif

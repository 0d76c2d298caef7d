/* Packed matrices: panels of 16 columns, [panel][K][16], zeros behind the last column. A permutation of the weights
   (beside the zeros), the same on every ISA; BORN_FORM_PANEL_F32 is its name and version. */
#ifndef BORN_CPU_PANEL_H
#define BORN_CPU_PANEL_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { BORN_FORM_PANEL_F32 = 0x50460001 };

/* Bytes of the packed form; SIZE_MAX where that overflows. */
size_t born__panel_bytes(int64_t k, int64_t n);
/* A weight of which only the packed form is needed may lie at any address of a file: packers read floats with this. */
static inline float born__loose_float(const float *p)
{
    float f;

    memcpy(&f, (const char *)p, sizeof f);
    return f;
}

/* Packs panels [first, last) of b [K, N] (strides in floats, at any address) to dst, the address of panel 0. */
void born__panel_pack(const float *b, int64_t k, int64_t n, int64_t k_stride, int64_t n_stride, int64_t first,
                      int64_t last, float *dst);
#endif

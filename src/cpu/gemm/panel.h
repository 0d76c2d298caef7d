/* Packed matrices: panels of 16 columns, [panel][K][16], zeros behind the last column. A permutation of the weights
   (beside the zeros), the same on every ISA; BORN_FORM_PANEL_F32 is its name and version. */
#ifndef BORN_CPU_PANEL_H
#define BORN_CPU_PANEL_H
#include <stddef.h>
#include <stdint.h>

enum { BORN_FORM_PANEL_F32 = 0x50460001 };

/* Bytes of the packed form; SIZE_MAX where that overflows. */
size_t born__panel_bytes(int64_t k, int64_t n);
/* Packs panels [first, last) of b [K, N] (strides in floats) to dst, the address of panel 0. */
void born__panel_pack(const float *b, int64_t k, int64_t n, int64_t k_stride, int64_t n_stride, int64_t first,
                      int64_t last, float *dst);
#endif

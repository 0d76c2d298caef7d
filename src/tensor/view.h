/* Arithmetic on views: counts, strides, broadcasting. No allocation, no storage. */
#ifndef BORN_TENSOR_VIEW_H
#define BORN_TENSOR_VIEW_H
#include <born/ext.h>

typedef struct born_dtype_info {
    const char *name;
    int size;               /* bytes of one element; 0 for block types */
    char cls;               /* 'F' 'I' 'U' 'B' 'Q' */
    int block_elems, block_bytes;
    int onnx, gguf;         /* codes in those formats; -1 none */
    const char *npy;
} born_dtype_info;
const born_dtype_info *born__dtype_info(born_dtype t);      /* never NULL: an empty row for anything else */
static inline bool born__dtype_is(born_dtype t, uint32_t mask)
{
    return t > 0 && t < BORN_DTYPE_COUNT && (mask >> t & 1u);
}

int64_t born__view_count(const born_view *v);               /* product of dims; 1 for rank 0 (dims are valid here) */
int64_t born__view_bytes(const born_view *v);               /* count * element size, -1 on overflow */
bool born__view_contiguous(const born_view *v);             /* row-major; dims of 1 and empty views count as such */
void born__view_row_major(born_view *v);                    /* sets strides from dims */
void born__view_channels_last(born_view *v);                /* rank >= 3, [N, C, ...]: strides with C innermost */
bool born__view_is_channels_last(const born_view *v);       /* dense with those strides */
bool born__shape_count(const int64_t *dim, int rank, int64_t *count);   /* false: negative dim or overflow */
/* Broadcasts b's dims into out (numpy rules); false where they do not fit. */
bool born__broadcast(int64_t *dim, int *rank, const int64_t *b, int b_rank);
/* v seen with the dims of `to` (broadcast dims get stride 0). v must fit. */
born_view born__view_expand(const born_view *v, const born_view *to);
/* "[2,3,64]" into buf; returns buf. */
const char *born__shape_text(const int64_t *dim, int rank, char *buf, size_t n);
/* Any dtype to and from double / int64 (saturating, NaN -> 0), one element at p. */
double born__load_f64(born_dtype t, const void *p);
void born__store_f64(born_dtype t, void *p, double v);
int64_t born__load_i64(born_dtype t, const void *p);
float born__f16_to_f32(uint16_t h);
uint16_t born__f32_to_f16(float f);                         /* round to nearest even */
static inline float born__bf16_to_f32(uint16_t h)
{
    union {
        uint32_t u;
        float f;
    } x = { (uint32_t)h << 16 };
    return x.f;
}
uint16_t born__f32_to_bf16(float f);                        /* round to nearest even, NaN stays NaN */
#endif

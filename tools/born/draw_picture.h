/* Pictures in a terminal. */
#ifndef BORN_DRAW_PICTURE_H
#define BORN_DRAW_PICTURE_H
#include <stdbool.h>
#include <stdint.h>

/* Draws pixels [channels, height, width] in [0, 1]: half blocks in 256 colours, or characters by brightness. */
void picture_draw(const float *pixels, int64_t channels, int64_t height, int64_t width, bool colour);
#endif

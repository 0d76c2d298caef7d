/* Pictures in a terminal: each character is two pixels, one above the other, as a half block in two of the terminal's
   256 colours; where there is no terminal, a character as bright as both together. */
#include "draw_picture.h"

#include <stdio.h>
#include <string.h>

enum { MOST_COLUMNS = 64 };

/* The mean of a box of the picture, as RGB. */
static void box(const float *p, const int64_t dim[3], const int64_t y[2], const int64_t x[2], float out[3])
{
    int64_t n = 0;

    out[0] = out[1] = out[2] = 0;
    for (int64_t i = y[0]; i < y[1] && i < dim[1]; i++)
        for (int64_t j = x[0]; j < x[1] && j < dim[2]; j++, n++)
            for (int c = 0; c < 3; c++) out[c] += p[((dim[0] == 3 ? c : 0) * dim[1] + i) * dim[2] + j];
    for (int c = 0; c < 3 && n > 0; c++) out[c] /= (float)n;
}

static int level(float v, int most)
{
    return v <= 0 ? 0 : v >= 1 ? most : (int)(v * (float)most + 0.5f);
}

/* The nearest of the 256 colours: the ramp of greys, or the cube of 6 x 6 x 6. */
static int nearest(const float c[3])
{
    float lo = c[0], hi = c[0];
    for (int i = 1; i < 3; i++) {
        lo = c[i] < lo ? c[i] : lo;
        hi = c[i] > hi ? c[i] : hi;
    }
    if (hi - lo > 0.04f) return 16 + 36 * level(c[0], 5) + 6 * level(c[1], 5) + level(c[2], 5);
    int grey = level((c[0] + c[1] + c[2]) / 3, 25);
    return grey == 0 ? 16 : grey == 25 ? 231 : 231 + grey;
}

static char ramp(const float above[3], const float below[3])
{
    static const char by_brightness[] = " .:-=+*#%@";
    float sum = 0;
    for (int i = 0; i < 3; i++) sum += above[i] + below[i];
    return by_brightness[level(sum / 6, (int)strlen(by_brightness) - 1)];
}

void picture_draw(const float *pixels, int64_t channels, int64_t height, int64_t width, bool colour)
{
    const int64_t dim[3] = { channels, height, width };
    int64_t step = (width + MOST_COLUMNS - 1) / MOST_COLUMNS;

    for (int64_t y = 0; y < height; y += 2 * step) {
        fputs("  ", stdout);
        for (int64_t x = 0; x < width; x += step) {
            float above[3], below[3];
            box(pixels, dim, (int64_t[2]){ y, y + step }, (int64_t[2]){ x, x + step }, above);
            box(pixels, dim, (int64_t[2]){ y + step, y + 2 * step }, (int64_t[2]){ x, x + step }, below);
            if (colour)
                printf("\033[38;5;%d;48;5;%dm\xe2\x96\x80", nearest(above), nearest(below)); /* upper half block */
            else
                putchar(ramp(above, below));
        }
        puts(colour ? "\033[0m" : "");
    }
}

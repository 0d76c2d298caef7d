/* Curves as dots: each character of the canvas is a Braille pattern of 2 x 4 dots, or a star where the terminal's
   characters are not UTF-8. */
#include <math.h>
#include <stdlib.h>

#include "train_view.h"

bool plot_open(plot *p, int columns, int rows)
{
    size_t n = (size_t)columns * (size_t)rows + 1;
    *p = (plot){ columns, rows, calloc(n, 1), calloc(n, 1) };
    return p->cell && p->colour;
}

void plot_close(plot *p)
{
    free(p->cell);
    free(p->colour);
    *p = (plot){ 0 };
}

static void dot(plot *p, int x, int y, int colour)
{
    /* Braille numbers its dots down the left column, down the right, then the last row. */
    static const unsigned char bit[4][2] = { { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 } };
    if (x < 0 || y < 0 || x >= 2 * p->columns || y >= 4 * p->rows) return;
    int at = y / 4 * p->columns + x / 2;
    p->cell[at] |= bit[y % 4][x % 2];
    p->colour[at] = (unsigned char)colour;
}

void plot_curve(plot *p, const view_curve *c, double x0, double x1, double y0, double y1, int colour)
{
    double width = 2 * p->columns - 1, height = 4 * p->rows - 1, px = 0, py = 0;

    for (int i = 0; i < c->count; i++) {
        if (!isfinite(c->y[i])) continue;
        double x = (c->x[i] - x0) / (x1 > x0 ? x1 - x0 : 1) * width;
        double y = (y1 - c->y[i]) / (y1 > y0 ? y1 - y0 : 1) * height;
        if (x < 0 || x > width) continue;
        y = y < 0 ? 0 : y > height ? height : y;
        int steps = i == 0 ? 0 : (int)(fabs(x - px) > fabs(y - py) ? fabs(x - px) : fabs(y - py));
        for (int k = 1; k <= steps; k++)
            dot(p, (int)(px + (x - px) * k / steps + 0.5), (int)(py + (y - py) * k / steps + 0.5), colour);
        dot(p, (int)(x + 0.5), (int)(y + 0.5), colour);
        px = x;
        py = y;
    }
}

void plot_row(const plot *p, int row, bool utf8)
{
    int colour = 0;

    for (int i = 0; i < p->columns; i++) {
        unsigned char bits = p->cell[row * p->columns + i], c = p->colour[row * p->columns + i];
        if (bits && c != colour) printf("\033[%dm", colour = c);
        if (!bits)
            putchar(' ');
        else if (utf8)
            printf("\xe2%c%c", 0xa0 + (bits >> 6), 0x80 + (bits & 0x3f)); /* U+2800 + bits */
        else
            putchar('*');
    }
    if (colour) fputs("\033[0m", stdout);
}

/* Eager code: tensors, operators, a gradient, and what an error says. */
#include <born/born.h>
#include <stdio.h>

int main(void)
{
    float a[] = { 1, 2, 3, 4, 5, 6 }, row[] = { 10, 20, 30 }, y[6], g[6];
    born_backend *b = born_autodiff(born_cpu(NULL));        /* never NULL: a dead backend carries its error */
    born_scope s = born_scope_begin(b);                     /* owns what is made from here on */
    born_error err;

    born_f32 x = born_requires_grad(born_from_f32(b, BORN_ARRAY(a, 2, 3)));
    born_f32 z = born_add(born_mul(x, 2), born_from_f32(b, BORN_ARRAY(row, 3)));    /* broadcast */
    if (born_read(z, y, sizeof y) == BORN_OK)
        printf("2x + row: %g %g %g | %g %g %g\n", y[0], y[1], y[2], y[3], y[4], y[5]);

    born_f32 loss = born_reduce_mean(born_square(z), (born_ints){ 0 }, NULL);
    if (born_backward(loss) == BORN_OK && born_read(born_grad_of(x), g, sizeof g) == BORN_OK)
        printf("gradient: %g %g %g | %g %g %g\n", g[0], g[1], g[2], g[3], g[4], g[5]);

    (void)born_matmul(x, x);                                /* does not fit: a poisoned result, and the reason in b */
    born_backend_take_error(b, &err);
    printf("%s:%d: %s\n", err.file, err.line, err.text);

    born_scope_end(s);
    born_backend_close(&b);
    return 0;
}

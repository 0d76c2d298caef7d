/* Opens a model, gives it one image, prints the best class. */
#include <born/born.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    static float image[28 * 28];                            /* the caller's pixels; never copied */
    born_array x = BORN_ARRAY(image, 1, 1, 28, 28), y;      /* dtype comes from the pointer's type */
    born_error err = { 0 };
    born_model *model = NULL;
    born_session *s = NULL;
    const float *p;
    size_t n, best = 0;

    if (argc != 2) return fprintf(stderr, "usage: %s MODEL\n", argv[0]), 2;
    if (born_model_open(argv[1], NULL, &model, &err)) goto done;
    if (born_session_open(model, NULL, &s, &err)) goto done;
    if (born_session_run(s, &x, 1, &y, 1, &err)) goto done;  /* y lives in the session until its next run */
    if (born_array_f32(&y, &p, &n, &err)) goto done;
    for (size_t i = 1; i < n; i++)
        if (p[i] > p[best]) best = i;
    if (n) printf("class %zu, score %g\n", best, (double)p[best]);
done:
    born_session_close(&s);
    born_model_close(&model);
    if (err.status) fprintf(stderr, "%s: %s\n", argv[1], err.text);
    return err.status != BORN_OK;
}

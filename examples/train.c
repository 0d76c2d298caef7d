/* Trains a small network on images in MNIST's format (Fashion-MNIST: Debian's package dataset-fashion-mnist) and says
   after each epoch how it does on the test images: train [FOLDER [EPOCHS]]. */
#include <born/born.h>
#include <born/codecs.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, CLASSES = 10, PIXELS = 784 };

/* What training works on: closed in any order. */
typedef struct training {
    born_backend *b;
    born_module *net;
    born_optim *opt;
    born_loader *train, *test;
} training;

static born_status open_images(const char *folder, const char *what, bool shuffle, born_loader **out, born_error *err)
{
    char images[512], labels[512];
    born_dataset *set = NULL;

    snprintf(images, sizeof images, "%s/%s-images-idx3-ubyte.gz", folder, what);
    snprintf(labels, sizeof labels, "%s/%s-labels-idx1-ubyte.gz", folder, what);
    born_status s = born_dataset_open_idx(images, labels, &set, err);
    if (s == BORN_OK)
        s = born_loader_open(set, &(born_loader_desc){ .batch = BATCH, .shuffle = shuffle, .seed = 1 }, out, err);
    born_dataset_close(&set);
    return s;
}

/* One epoch; *loss is the mean over its batches. */
static born_status learn(training *t, double *loss, born_error *err)
{
    born_array f[2]; /* [64, 784] f32 and [64] i64, in memory of the loader */
    int64_t batches = 0;

    *loss = 0;
    while (born_loader_next(t->train, f, 2)) {
        float one = 0;
        born_scope s = born_scope_begin(t->b);
        born_f32 y = born_forward(t->net, born_from_f32(t->b, f[0]));
        born_f32 l = born_cross_entropy(y, born_from_i64(t->b, f[1]), NULL);
        born_status st = born_backward(l);
        if (!st) st = born_optim_step(t->opt);
        if (!st) st = born_item_f32(l, &one);
        born_scope_end(s); /* results and records go; weights stay */
        if (st) {
            born_backend_take_error(t->b, err);
            return st;
        }
        *loss += (double)one;
        batches++;
    }
    *loss /= batches ? (double)batches : 1;
    return born_loader_status(t->train, err);
}

static int64_t right_in(const float *score, const int64_t *label, int64_t n)
{
    int64_t right = 0;

    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0;
        for (int64_t c = 1; c < CLASSES; c++)
            if (score[i * CLASSES + c] > score[i * CLASSES + best]) best = c;
        right += best == label[i];
    }
    return right;
}

static born_status measure(training *t, double *accuracy, born_error *err)
{
    static float score[BATCH * CLASSES];
    born_array f[2];
    int64_t right = 0, seen = 0;

    born_module_train(t->net, false);
    while (born_loader_next(t->test, f, 2)) {
        int64_t n = f[0].shape.dim[0];
        born_scope s = born_scope_begin(t->b);
        born_f32 y = born_forward(t->net, born_from_f32(t->b, f[0]));
        born_status st = born_read(y, score, (size_t)(n * CLASSES) * sizeof *score);
        born_scope_end(s);
        if (st) {
            born_backend_take_error(t->b, err);
            return st;
        }
        right += right_in(score, f[1].data, n);
        seen += n;
    }
    born_module_train(t->net, true);
    *accuracy = seen ? (double)right / (double)seen : 0;
    return born_loader_status(t->test, err);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 1 ? argv[1] : "/usr/share/datasets/fashion-mnist";
    int epochs = argc > 2 ? atoi(argv[2]) : 3;
    born_error err = { 0 };
    training t = { .b = born_autodiff(born_fuse(born_cpu(NULL))) };

    born_codecs_install(); /* the files are gzipped, and the core has no zlib */
    t.net = born_module_create(t.b);
    born_linear(t.net, NULL, PIXELS, 128, NULL); /* owned by net; errors stay in b */
    born_relu_layer(t.net, NULL);
    born_linear(t.net, NULL, 128, CLASSES, NULL);
    t.opt = born_adamw(t.net, 1e-3, 0.01, NULL);
    born_status st = open_images(folder, "train", true, &t.train, &err);
    if (!st) st = open_images(folder, "t10k", false, &t.test, &err);
    for (int epoch = 1; epoch <= epochs && !st; epoch++) {
        double loss = 0, accuracy = 0;
        st = learn(&t, &loss, &err);
        if (!st) st = measure(&t, &accuracy, &err);
        if (!st) printf("epoch %d  loss %.4f  test accuracy %.2f%%\n", epoch, loss, 100 * accuracy);
    }
    born_loader_close(&t.train);
    born_loader_close(&t.test);
    born_optim_close(&t.opt);
    born_module_close(&t.net);
    born_backend_close(&t.b);
    if (st) fprintf(stderr, "%s\n", err.text);
    return st != BORN_OK;
}

/* The demonstration of `make demo`: finds things in a photo with a COCO detector and speech in a recording with a voice
   detector, both as they came from their authors in ONNX files, and says what loading and running cost.
   usage: demo FOLDER      FOLDER holds fastestdet/ and silero_vad/ (shared/data/onnx/models of the test data) */
#define _GNU_SOURCE
#include <born/born.h>
#include <born/tool.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define GRID 22                 /* cells of the detector's output on each side */
#define CHANNELS 85             /* objectness, box, 80 classes */
#define MOST_BOXES 64
#define MOST_INPUTS 4

static const char *const coco[80] = {
    "person", "bicycle", "car", "motorcycle", "aeroplane", "bus", "train", "lorry", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich",
    "orange", "broccoli", "carrot", "hot dog", "pizza", "doughnut", "cake", "chair", "sofa", "potted plant", "bed",
    "dining table", "toilet", "television", "laptop", "mouse", "remote", "keyboard", "mobile phone", "microwave",
    "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Reads FOLDER/test_data_set_<set>/input_<i>.pb. */
static born_status read_input(const char *folder, int set, int i, born_array *out, born_error *err)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/test_data_set_%d/input_%d.pb", folder, set, i);
    FILE *f = fopen(path, "rb");
    long n = f != NULL && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    unsigned char *bytes = n > 0 && n < 1 << 28 ? malloc((size_t)n) : NULL;
    born_status s = BORN_IO;
    if (bytes != NULL && fseek(f, 0, SEEK_SET) == 0 && fread(bytes, 1, (size_t)n, f) == (size_t)n) {
        s = born_tensor_pb_read(bytes, (size_t)n, 0, NULL, 0, out, err);
    } else {
        (void)snprintf(err->text, sizeof err->text, "%.200s: cannot be read", path);
    }
    free(bytes);
    if (f != NULL) fclose(f);
    return s;
}

typedef struct network {
    char folder[900];
    born_model *model;
    born_session *session;
    double open_seconds, run_seconds;
    int runs;
} network;

static born_status network_open(network *n, const char *models, const char *name, born_error *err)
{
    char path[1000];
    (void)snprintf(n->folder, sizeof n->folder, "%.800s/%s", models, name);
    (void)snprintf(path, sizeof path, "%s/model.onnx", n->folder);
    double begin = now();
    born_status s = born_model_open(path, NULL, &n->model, err);
    if (s == BORN_OK) s = born_session_open(n->model, NULL, &n->session, err);
    n->open_seconds = now() - begin;
    return s;
}

static void network_close(network *n)
{
    born_session_close(&n->session);
    born_model_close(&n->model);
}

/* Runs one test set and hands the first output on. The first run plans and packs; the time kept is of later ones. */
static born_status network_run(network *n, int set, int inputs, void (*show)(const float *y, size_t count),
                               born_error *err)
{
    born_array in[MOST_INPUTS] = { 0 }, out[1];
    const float *y = NULL;
    size_t count = 0;
    born_status s = BORN_OK;
    for (int i = 0; i < inputs && s == BORN_OK; i++) s = read_input(n->folder, set, i, &in[i], err);
    if (s == BORN_OK) s = born_session_run(n->session, in, inputs, out, 1, err);
    for (int i = 0; i < 5 && s == BORN_OK; i++) {
        double begin = now();
        s = born_session_run(n->session, in, inputs, out, 1, err);
        n->run_seconds += now() - begin;
        n->runs++;
    }
    if (s == BORN_OK) s = born_array_f32(&out[0], &y, &count, err);
    if (s == BORN_OK) show(y, count);
    for (int i = 0; i < inputs; i++) born_array_free(&in[i]);
    return s;
}

typedef struct box {
    float x0, y0, x1, y1, score;
    int class;
} box;

static float overlap(const box *a, const box *b)
{
    float w = fminf(a->x1, b->x1) - fmaxf(a->x0, b->x0), h = fminf(a->y1, b->y1) - fmaxf(a->y0, b->y0);
    float shared = w > 0 && h > 0 ? w * h : 0;
    float both = (a->x1 - a->x0) * (a->y1 - a->y0) + (b->x1 - b->x0) * (b->y1 - b->y0) - shared;
    return both > 0 ? shared / both : 0;
}

static int by_score(const void *a, const void *b)
{
    float x = ((const box *)a)->score, y = ((const box *)b)->score;
    return (x < y) - (x > y);
}

/* y: [1, 85, 22, 22]: objectness, box centre and size, class probabilities of each cell. */
static void show_boxes(const float *y, size_t count)
{
    box found[MOST_BOXES];
    int boxes = 0, shown = 0;
    if (count != CHANNELS * GRID * GRID) return;
    for (int cell = 0; cell < GRID * GRID && boxes < MOST_BOXES; cell++) {
        const float *v = y + cell;
        int best = 0;
        for (int c = 1; c < 80; c++) {
            if (v[(5 + c) * GRID * GRID] > v[(5 + best) * GRID * GRID]) best = c;
        }
        float score = powf(v[0], 0.6f) * powf(v[(5 + best) * GRID * GRID], 0.4f);
        if (!(score > 0.5f)) continue;
        float cx = ((float)(cell % GRID) + tanhf(v[1 * GRID * GRID])) / GRID;
        float cy = ((float)(cell / GRID) + tanhf(v[2 * GRID * GRID])) / GRID;
        float w = 1 / (1 + expf(-v[3 * GRID * GRID])), h = 1 / (1 + expf(-v[4 * GRID * GRID]));
        found[boxes++] = (box){ cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2, score, best };
    }
    qsort(found, (size_t)boxes, sizeof found[0], by_score);
    for (int i = 0; i < boxes; i++) {
        bool again = false;
        for (int k = 0; k < i; k++) again = again || overlap(&found[i], &found[k]) > 0.45f;
        if (again) continue;
        printf("  %-13s %2.0f%%  from (%.0f%%, %.0f%%) to (%.0f%%, %.0f%%) of the picture\n", coco[found[i].class],
               100 * (double)found[i].score, 100 * (double)found[i].x0, 100 * (double)found[i].y0,
               100 * (double)found[i].x1, 100 * (double)found[i].y1);
        shown++;
    }
    if (shown == 0) printf("  nothing the network is sure of\n");
}

/* y: [batch, 1]: how probable it is that each piece holds speech. */
static void show_speech(const float *y, size_t count)
{
    printf("  speech:");
    for (size_t i = 0; i < count; i++) printf(" %2.0f%%", 100 * (double)y[i]);
    printf("\n");
}

static void show_cost(const network *n)
{
    born_session_stats st;
    born_session_stats_get(n->session, &st);
    printf("  opened in %.2f ms, runs in %.2f ms, plan %.2f MiB\n\n", 1e3 * n->open_seconds,
           n->runs > 0 ? 1e3 * n->run_seconds / n->runs : 0.0,
           (double)(st.arena_bytes + st.scratch_bytes + st.state_bytes + st.packed_bytes) / 1048576);
}

static born_status find_things(const char *models, born_error *err)
{
    network n = { 0 };
    born_status s = network_open(&n, models, "fastestdet", err);
    printf("The photos show a pagoda above a lake and a dahlia; the network knows 80 things and names what is "
           "nearest.\n");
    for (int set = 0; set < 2 && s == BORN_OK; set++) {
        printf("photo %d (FastestDet, 352 x 352)\n", set + 1);
        s = network_run(&n, set, 1, show_boxes, err);
    }
    if (s == BORN_OK) show_cost(&n);
    network_close(&n);
    return s;
}

static born_status find_speech(const char *models, born_error *err)
{
    static const int sets[] = { 0, 5, 8, 9 };
    network n = { 0 };
    born_status s = network_open(&n, models, "silero_vad", err);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0] && s == BORN_OK; i++) {
        printf("recording, piece %d (Silero VAD, 32 ms)\n", sets[i]);
        s = network_run(&n, sets[i], 3, show_speech, err);
    }
    if (s == BORN_OK) show_cost(&n);
    network_close(&n);
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: demo FOLDER, the onnx/models of the test data\n");
        return 2;
    }
    born_error err = { 0 };
    double begin = now();
    if (find_things(argv[1], &err) != BORN_OK || find_speech(argv[1], &err) != BORN_OK) {
        fprintf(stderr, "demo: %s\n", err.text);
        return 1;
    }
    struct rusage use = { 0 };
    getrusage(RUSAGE_SELF, &use);
    printf("all of it: %.0f ms, peak memory %.1f MiB\n", 1e3 * (now() - begin), (double)use.ru_maxrss / 1024);
    return 0;
}

/* The demonstration of `make demo`: finds things in photos with a COCO detector and speech in recordings with a voice
   detector, both as they came from their authors in ONNX files, and says what loading and running cost. The photos are
   written as PNG files with the boxes drawn in.
   usage: demo MODELS PICTURES     MODELS holds fastestdet/ and silero_vad/ (onnx/models of the test data), PICTURES is
                                   a folder for what is drawn */
#define _GNU_SOURCE
#include <born/born.h>
#include <born/tool.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define SIDE 352                /* pixels of the detector's input on each side */
#define GRID 22                 /* cells of its output on each side */
#define CHANNELS 85             /* objectness, box, 80 classes */
#define MOST_BOXES 64
#define MOST_INPUTS 4
#define MOST_RUNS 64

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
    double open_seconds, run_seconds[MOST_RUNS];
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

/* Runs one test set: in[] is the caller's to free, y and count are the first output, in the session until its next
   run. The first run of a shape plans and packs; the times kept are of those after it. */
static born_status network_run(network *n, int set, int inputs, born_array *in, const float **y, size_t *count,
                               born_error *err)
{
    born_array out[1];
    born_status s = BORN_OK;
    for (int i = 0; i < inputs && s == BORN_OK; i++) s = read_input(n->folder, set, i, &in[i], err);
    if (s == BORN_OK) s = born_session_run(n->session, in, inputs, out, 1, err);
    for (int i = 0; i < 5 && s == BORN_OK && n->runs < MOST_RUNS; i++) {
        double begin = now();
        s = born_session_run(n->session, in, inputs, out, 1, err);
        n->run_seconds[n->runs++] = now() - begin;
    }
    return s == BORN_OK ? born_array_f32(&out[0], y, count, err) : s;
}

static void inputs_free(born_array *in)
{
    for (int i = 0; i < MOST_INPUTS; i++) born_array_free(&in[i]);
}

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_ms(network *n)
{
    qsort(n->run_seconds, (size_t)n->runs, sizeof n->run_seconds[0], by_time);
    return n->runs > 0 ? 1e3 * n->run_seconds[n->runs / 2] : 0;
}

static double plan_mib(const network *n)
{
    born_session_stats st;
    born_session_stats_get(n->session, &st);
    return (double)(st.arena_bytes + st.scratch_bytes + st.state_bytes + st.packed_bytes) / 1048576;
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

/* y: [1, 85, 22, 22]: objectness, box centre and size, class probabilities of each cell. The best boxes, without those
   that lie on a better one. */
static int find_boxes(const float *y, box *found)
{
    int all = 0, kept = 0;
    for (int cell = 0; cell < GRID * GRID && all < MOST_BOXES; cell++) {
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
        found[all++] = (box){ SIDE * (cx - w / 2), SIDE * (cy - h / 2), SIDE * (cx + w / 2), SIDE * (cy + h / 2),
                              score, best };
    }
    qsort(found, (size_t)all, sizeof found[0], by_score);
    for (int i = 0; i < all; i++) {
        bool again = false;
        for (int k = 0; k < kept; k++) again = again || overlap(&found[i], &found[k]) > 0.45f;
        if (!again) found[kept++] = found[i];
    }
    return kept;
}

static void draw_box(unsigned char *rgb, const box *b)
{
    int x0 = (int)fmaxf(b->x0, 0), x1 = (int)fminf(b->x1, SIDE - 1);
    int y0 = (int)fmaxf(b->y0, 0), y1 = (int)fminf(b->y1, SIDE - 1);
    for (int y = y0; y <= y1; y++) {
        for (int x = x0; x <= x1; x++) {
            bool edge = x < x0 + 2 || x > x1 - 2 || y < y0 + 2 || y > y1 - 2;
            if (edge) memcpy(rgb + 3 * (y * SIDE + x), "\xff\x30\x30", 3);
        }
    }
}

static void png_chunk(FILE *f, const char *type, const unsigned char *data, size_t n)
{
    unsigned char head[8] = { (unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                              (unsigned char)n };
    uint32_t crc = 0xffffffffu;
    memcpy(head + 4, type, 4);
    for (size_t i = 0; i < n + 4; i++) {
        crc ^= i < 4 ? head[4 + i] : data[i - 4];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
    }
    crc = ~crc;
    unsigned char tail[4] = { (unsigned char)(crc >> 24), (unsigned char)(crc >> 16), (unsigned char)(crc >> 8),
                              (unsigned char)crc };
    fwrite(head, 1, sizeof head, f);
    if (n > 0) fwrite(data, 1, n, f);
    fwrite(tail, 1, sizeof tail, f);
}

/* A PNG file without compression: each row is one stored block of the zlib stream. */
static bool png_write(const char *path, const unsigned char *rgb)
{
    enum { ROW = 1 + 3 * SIDE, BLOCK = 5 + ROW };
    static unsigned char z[2 + SIDE * BLOCK + 4];
    static const unsigned char header[13] = { 0, 0, SIDE >> 8, SIDE & 255, 0, 0, SIDE >> 8, SIDE & 255, 8, 2 };
    uint32_t a = 1, b = 0;                                  /* Adler-32 */
    memcpy(z, "\x78\x01", 2);
    for (int y = 0; y < SIDE; y++) {
        unsigned char *p = z + 2 + y * BLOCK;
        const unsigned char start[6] = { y == SIDE - 1, ROW & 255, ROW >> 8, ~ROW & 255, ~ROW >> 8 & 255, 0 };
        memcpy(p, start, sizeof start);
        memcpy(p + 6, rgb + 3 * SIDE * y, 3 * SIDE);
        for (int i = 0; i < ROW; i++) b = (b + (a = (a + p[5 + i]) % 65521)) % 65521;
    }
    const unsigned char sum[4] = { (unsigned char)(b >> 8), (unsigned char)b, (unsigned char)(a >> 8),
                                   (unsigned char)a };
    memcpy(z + sizeof z - 4, sum, 4);
    FILE *f = fopen(path, "wb");
    if (f == NULL) return false;
    fwrite("\x89PNG\r\n\x1a\n", 1, 8, f);
    png_chunk(f, "IHDR", header, sizeof header);
    png_chunk(f, "IDAT", z, sizeof z);
    png_chunk(f, "IEND", NULL, 0);
    bool good = !ferror(f);
    return fclose(f) == 0 && good;
}

/* pixels: [1, 3, 352, 352], blue, green, red from 0 to 1. */
static born_status show_photo(int number, const born_array *pixels, const float *y, const char *pictures,
                              born_error *err)
{
    static unsigned char rgb[3 * SIDE * SIDE];
    const float *v = NULL;
    size_t n = 0;
    box found[MOST_BOXES];
    char path[1024];
    born_status s = born_array_f32(pixels, &v, &n, err);
    if (s != BORN_OK || n != sizeof rgb) return s;
    for (size_t i = 0; i < sizeof rgb; i++) {
        float level = v[(2 - i % 3) * SIDE * SIDE + i / 3];
        rgb[i] = (unsigned char)(255 * fminf(fmaxf(level, 0), 1) + 0.5f);
    }
    int boxes = find_boxes(y, found);
    for (int i = boxes - 1; i >= 0; i--) draw_box(rgb, &found[i]);
    (void)snprintf(path, sizeof path, "%.1000s/photo_%d.png", pictures, number);
    printf("  photo %d: %s\n", number, png_write(path, rgb) ? path : "(cannot be written as a picture)");
    for (int i = 0; i < boxes; i++) {
        printf("    %-10s %3.0f%%   x %3.0f to %3.0f, y %3.0f to %3.0f\n", coco[found[i].class],
               100 * (double)found[i].score, (double)found[i].x0, (double)found[i].x1, (double)found[i].y0,
               (double)found[i].y1);
    }
    if (boxes == 0) printf("    nothing it is sure of\n");
    return BORN_OK;
}

static born_status find_things(const char *models, const char *pictures, born_error *err)
{
    network n = { 0 };
    born_status s = network_open(&n, models, "fastestdet", err);
    printf("What is in these photos?   FastestDet, which knows 80 kinds of things; %d x %d pixels\n", SIDE, SIDE);
    for (int set = 0; set < 2 && s == BORN_OK; set++) {
        born_array in[MOST_INPUTS] = { 0 };
        const float *y = NULL;
        size_t count = 0;
        s = network_run(&n, set, 1, in, &y, &count, err);
        if (s == BORN_OK && count == CHANNELS * GRID * GRID) s = show_photo(set + 1, &in[0], y, pictures, err);
        inputs_free(in);
    }
    if (s == BORN_OK) {
        printf("  (The photos show a pagoda and a dahlia. Neither is among the 80, so it names what looks alike.)\n");
        printf("  loaded in %.1f ms, %.1f ms for a photo, plan %.1f MiB\n\n", 1e3 * n.open_seconds, median_ms(&n),
               plan_mib(&n));
    }
    network_close(&n);
    return s;
}

static const char *verdict(float p) { return p >= 0.5f ? "speech" : "no speech"; }

/* Sets 0 to 7 are windows of one recording, one after the other; windows with the same verdict are one segment. */
static born_status show_recording(network *n, born_error *err)
{
    const double window = 0.032;
    float last = 0, least = 0, most = 0;
    int first = 0;
    for (int set = 0; set <= 8; set++) {
        born_array in[MOST_INPUTS] = { 0 };
        const float *y = NULL;
        size_t count = 0;
        born_status s = set < 8 ? network_run(n, set, 3, in, &y, &count, err) : BORN_OK;
        float p = count > 0 ? y[0] : 0;
        inputs_free(in);
        if (s != BORN_OK) return s;
        if (set > 0 && (set == 8 || (p >= 0.5f) != (last >= 0.5f))) {
            printf("  recording 1, %.2f to %.2f s   %-9s   (%.0f%% to %.0f%% in windows of 32 ms)\n", first * window,
                   set * window, verdict(last), 100 * (double)least, 100 * (double)most);
            first = set;
        }
        least = set == first ? p : fminf(least, p);
        most = set == first ? p : fmaxf(most, p);
        last = p;
    }
    return BORN_OK;
}

static born_status find_speech(const char *models, born_error *err)
{
    network n = { 0 };
    born_status s = network_open(&n, models, "silero_vad", err);
    printf("Is anybody speaking?   Silero VAD, a network with an LSTM and branches for 8 and 16 kHz\n");
    if (s == BORN_OK) s = show_recording(&n, err);
    int recording = 2;
    for (int set = 8; set < 10 && s == BORN_OK; set++) {        /* 8 kHz; then three recordings in one batch */
        born_array in[MOST_INPUTS] = { 0 };
        const float *y = NULL;
        size_t count = 0;
        s = network_run(&n, set, 3, in, &y, &count, err);
        for (size_t i = 0; s == BORN_OK && i < count; i++) {
            printf("  recording %d, 32 ms            %-9s   (%.0f%%)\n", recording++, verdict(y[i]),
                   100 * (double)y[i]);
        }
        inputs_free(in);
    }
    if (s == BORN_OK) {
        double ms = median_ms(&n);
        printf("  loaded in %.1f ms, %.2f ms for 32 ms of sound, plan %.1f MiB\n\n", 1e3 * n.open_seconds, ms,
               plan_mib(&n));
    }
    network_close(&n);
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: demo MODELS PICTURES: onnx/models of the test data, and a folder to draw in\n");
        return 2;
    }
    born_error err = { 0 };
    double begin = now();
    if (find_things(argv[1], argv[2], &err) != BORN_OK || find_speech(argv[1], &err) != BORN_OK) {
        fprintf(stderr, "demo: %s\n", err.text);
        return 1;
    }
    struct rusage use = { 0 };
    getrusage(RUSAGE_SELF, &use);
    printf("All of it took %.2f s and %.1f MiB of memory at its peak, on %d thread%s (%s).\n\n", now() - begin,
           (double)use.ru_maxrss / 1024, born_cpu_count(), born_cpu_count() == 1 ? "" : "s", born_cpu_level());
    return 0;
}

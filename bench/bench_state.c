/* What a step of a decoder with growing state costs beside its kernels: tied past, one token a step, several lengths.
     bench_state [--json] [MODEL [LENGTH...]]
   MODEL is a GPT-2 style decoder (input_ids, position_ids, attention_mask, past_i; logits, present_i). `kernels` is the
   time inside the nodes, from a session that profiles; `beside` is the rest of a step of one that does not. `by hand`
   is the same step without ties: the caller feeds the past back, which copies it twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <born/model.h>

#include "base/alloc.h"
#include "base/clock.h"

enum { MAX_PAST = 16, MAX_LENGTH = 4096, STEPS = 16, ROUNDS = 30 };

typedef struct decoder {
    born_model *m;
    born_session *s;
    int layers;
    bool tied;
    born_array past[MAX_PAST];
    float *room[MAX_PAST];              /* by hand: the past, copied from the results */
} decoder;

static int32_t ids[MAX_LENGTH], positions[MAX_LENGTH], mask[MAX_LENGTH];
static born_error err;

static bool open_decoder(decoder *d, born_model *m, bool tied, bool profile)
{
    born_model_info info;
    char out[32], in[32];

    *d = (decoder){ .m = m, .tied = tied };
    born_model_info_get(m, &info);
    d->layers = info.input_count - 3;
    if (d->layers < 1 || d->layers > MAX_PAST || info.output_count != d->layers + 1) return false;
    if (born_session_open(m, &(born_session_desc){ .threads = 1, .profile = profile }, &d->s, &err)) return false;
    for (int i = 0; i < d->layers && tied; i++) {
        snprintf(out, sizeof out, "present_%d", i);
        snprintf(in, sizeof in, "past_%d", i);
        if (born_session_tie(d->s, out, in, &err)) return false;
    }
    return true;
}

static void close_decoder(decoder *d)
{
    for (int i = 0; i < MAX_PAST; i++) free(d->room[i]);
    born_session_close(&d->s);
}

/* `count` tokens at position `at`. */
static bool step(decoder *d, int at, int count)
{
    born_array in[3 + MAX_PAST], out[1 + MAX_PAST];

    in[0] = BORN_ARRAY(ids + at, 1, count);
    in[1] = BORN_ARRAY(positions + at, 1, count);
    in[2] = BORN_ARRAY(mask, 1, at + count);
    for (int i = 0; i < d->layers; i++) in[3 + i] = d->past[i];
    if (d->tied && at > 0) return born_session_run(d->s, in, 3, out, 1, &err) == BORN_OK;
    if (born_session_run(d->s, in, 3 + d->layers, out, d->tied ? 1 : 1 + d->layers, &err)) return false;
    for (int i = 0; i < d->layers && !d->tied; i++) {
        memcpy(d->room[i], out[1 + i].data, out[1 + i].bytes);
        d->past[i] = out[1 + i];
        d->past[i].data = d->room[i];
    }
    return true;
}

/* The empty past: its sizes as the model says, open ones 1, the growing one 0. */
static bool start(decoder *d)
{
    static float nothing[1];

    born_session_reset(d->s);
    for (int i = 0; i < d->layers; i++) {
        born_value_info v;
        size_t bytes = sizeof(float);
        if (born_model_input(d->m, 3 + i, &v) || v.rank != 5) return false;
        born_array a = { .dtype = v.dtype, .shape = { .rank = v.rank }, .data = nothing };
        for (int k = 0; k < v.rank; k++) {
            a.shape.dim[k] = k == 3 ? 0 : v.dim[k] < 0 ? 1 : v.dim[k];
            bytes *= k == 3 ? MAX_LENGTH : (size_t)a.shape.dim[k];
        }
        if (!d->tied && !d->room[i] && !(d->room[i] = malloc(bytes))) return false;
        d->past[i] = a;
    }
    return true;
}

static void add_seconds(void *user, const born_profile_row *row)
{
    *(double *)user += row->seconds;
}

/* Best mean step, in seconds, after `length` tokens. kernels: of the profile, NULL: not asked. */
static double measure(decoder *d, int length, double *kernels, uint64_t *allocations)
{
    double best = 1e9;

    for (int r = 0; r < ROUNDS; r++) {
        double before = 0, after = 0;
        if (!start(d) || !step(d, 0, length) || !step(d, length, 1) || !step(d, length + 1, 1)) return -1;
        if (kernels) born_session_profile(d->s, add_seconds, &before);
        uint64_t calls = born__alloc_calls();
        double t = born__clock_seconds();
        for (int i = 0; i < STEPS; i++)
            if (!step(d, length + 2 + i, 1)) return -1;
        t = (born__clock_seconds() - t) / STEPS;
        *allocations = born__alloc_calls() - calls;
        if (kernels) born_session_profile(d->s, add_seconds, &after);
        if (t < best) {
            best = t;
            if (kernels) *kernels = (after - before) / STEPS;
        }
    }
    return best;
}

int main(int argc, char **argv)
{
    const char *model = "../shared/data/onnx/models/tiny_random_gpt2/model.onnx";
    int lengths[8] = { 1, 100, 500 }, count = 3, at = 1;
    bool json = argc > 1 && !strcmp(argv[1], "--json");
    born_model *m = NULL;
    decoder tied, profiled, by_hand;

    at += json;
    if (at < argc) model = argv[at++];
    if (at < argc) count = 0;
    for (; at < argc && count < 8; at++) {
        lengths[count] = atoi(argv[at]);
        if (lengths[count] < 1 || lengths[count] > MAX_LENGTH - STEPS - 2) {
            fprintf(stderr, "bench_state: lengths are 1 to %d\n", MAX_LENGTH - STEPS - 2);
            return 2;
        }
        count++;
    }
    for (int i = 0; i < MAX_LENGTH; i++) {
        ids[i] = i * 37 % 1000;
        positions[i] = i % 512;
        mask[i] = 1;
    }
    if (born_model_open(model, NULL, &m, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    bool ok = open_decoder(&tied, m, true, false) && open_decoder(&profiled, m, true, true) &&
              open_decoder(&by_hand, m, false, false);
    if (ok && !json)
        printf("%8s %10s %10s %10s %10s %12s\n", "length", "step us", "kernels", "beside", "by hand", "allocations");
    for (int i = 0; i < count && ok; i++) {
        uint64_t allocations = 0, ignored;
        double kernels = 0, t = measure(&tied, lengths[i], NULL, &allocations);
        double p = measure(&profiled, lengths[i], &kernels, &ignored);
        double h = measure(&by_hand, lengths[i], NULL, &ignored);
        ok = t > 0 && p > 0 && h > 0;
        if (!ok) break;
        if (json)
            printf("{\"length\":%d,\"step_us\":%.2f,\"kernels_us\":%.2f,\"by_hand_us\":%.2f,\"allocations\":%llu}\n",
                   lengths[i], t * 1e6, kernels * 1e6, h * 1e6, (unsigned long long)allocations);
        else
            printf("%8d %10.2f %10.2f %10.2f %10.2f %12llu\n", lengths[i], t * 1e6, kernels * 1e6, (t - kernels) * 1e6,
                   h * 1e6, (unsigned long long)allocations);
    }
    if (!ok) fprintf(stderr, "bench_state: %s\n", err.text[0] ? err.text : "not a decoder of the kind described");
    close_decoder(&tied);
    close_decoder(&profiled);
    close_decoder(&by_hand);
    born_model_close(&m);
    return ok ? 0 : 1;
}

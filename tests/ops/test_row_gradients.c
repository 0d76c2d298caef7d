/* Rows that are no formula of elements, against finite differences: see support_fd.h. */
#include "support_fd.h"

#define F64(...) { BORN_F64, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, NULL, 0, 0, \
                   false }
#define F32(...) { BORN_F32, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, NULL, 0, 0, \
                   false }
#define GIVEN(t, v, ...)                                                                                              \
    { BORN_##t, (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), { __VA_ARGS__ }, v, 0, 0, true }
#define SCALAR(v) { BORN_I64, 0, { 0 }, v, 0, 0, true }
#define NONE { .dtype = BORN_DTYPE_NONE }

TEST(gradient_scatter_reductions)
{
    static const double at[] = { 2, 0, 2, 1, 2, 0 }, rows[] = { 1, 1, 0 };
    for (int r = 1; r < 5; r++) {
        FD_CHECK(.what = "elements", .op = BORN_OP_SCATTER_ELEMENTS,
                 .attrs = &(born_scatter_elements_attrs){ .reduction = r, .axis = -2 },
                 .in = { F64(4, 2), GIVEN(I64, at, 3, 2), F64(3, 2) });
        FD_CHECK(.what = "tuples", .op = BORN_OP_SCATTER_ND, .attrs = &(born_scatter_nd_attrs){ .reduction = r },
                 .in = { F64(3, 2), GIVEN(I64, rows, 3, 1), F64(3, 2) });
    }
}

/* PyTorch's conventions: equal winners share; a single 0 among factors takes the product of the others. */
TEST(gradient_scatter_at_ties_and_zeros)
{
    static const double x[] = { 3, 0, 2 }, u[] = { 3, 0, 5, 2 }, at[] = { 0, 1, 1, 2 }, ones[] = { 1, 1, 1 };
    static const double want[2][7] = { { 0.5, 0, 0.5, 0.5, 0, 1, 0.5 }, { 3, 0, 2, 3, 0, 0, 2 } };
    for (int k = 0; k < 2; k++) {
        tape *t = tape_new();
        const born_scatter_elements_attrs a = { .reduction = k ? 2 : 3 };
        const int64_t three = 3, four = 4;
        born_val in[3] = { tape_put(t, BORN_F64, 1, &three, x), tape_put(t, BORN_I64, 1, &four, at),
                           tape_put(t, BORN_F64, 1, &four, u) };
        born_val y = tape_run(t, BORN_OP_SCATTER_ELEMENTS, &a, in, 3), seed = tape_put(t, BORN_F64, 1, &three, ones);
        born_val of[2] = { in[0], in[2] }, g[2];
        tape_backward(t, y, seed, of, g, 2);
        for (int i = 0; i < 7; i++) {
            double got = i < 3 ? tape_at(t, g[0], i) : tape_at(t, g[1], i - 3);
            CHECK_MSG(got == want[k][i], "case %d, element %d: %g, not %g", k, i, got, want[k][i]);
        }
        tape_free(t);
    }
}

TEST(gradient_topk)
{
    static const double two = 2;
    for (int r = 0; r < 2; r++)
        FD_CHECK(.what = r ? "smallest" : "largest", .op = BORN_OP_TOPK, .outs = 2,
                 .attrs = &(born_topk_attrs){ .axis = r - 1, .smallest = r },
                 .in = { F64(3, 5), GIVEN(I64, &two, 1) });
}

/* Running products with zeros in them: each one's gradient is the product of the others. */
TEST(gradient_cumprod_zeros)
{
    static const double v[] = { 2, 0, 3, 4, 0, 5, 1.5, -2 }, axis = 1;
    for (int way = 0; way < 4; way++) {
        const born_scan_axis_attrs a = { .exclusive = way & 1, .reverse = way >> 1 };
        tape *t = tape_new();
        born_val in[2] = { tape_put(t, BORN_F64, 2, (int64_t[]){ 2, 4 }, v), tape_put(t, BORN_I64, 0, NULL, &axis) };
        double w[8], got;
        for (int i = 0; i < 8; i++) w[i] = 1 + 0.5 * i;
        born_val y = tape_run(t, BORN_OP_CUMPROD, &a, in, 2), g;
        tape_backward(t, y, tape_put(t, BORN_F64, 2, (int64_t[]){ 2, 4 }, w), &in[0], &g, 1);
        for (int k = 0; k < 8; k++) {
            double want = 0;
            for (int j = 0; j < 4; j++) {           /* all products that hold element k, without it */
                int row = k / 4 * 4, lo = a.reverse ? j + a.exclusive : 0, hi = a.reverse ? 4 : j + !a.exclusive;
                double p = 1;
                if (k - row < lo || k - row >= hi) continue;
                for (int i = lo; i < hi; i++) p *= i == k - row ? 1 : v[row + i];
                want += w[row + j] * p;
            }
            got = tape_at(t, g, k);
            CHECK_MSG(fabs(got - want) < 1e-12, "way %d, element %d: %g, not %g", way, k, got, want);
        }
        tape_free(t);
    }
}

/* Scores [N, C] and [N, C, d], weights, an ignored class, smoothing, every reduction; log-probabilities too. */
TEST(gradient_losses)
{
    static const double t1[] = { 1, 0, 2, 3 }, t2[] = { 1, 0, 3, 2, -100, 1 }, w[] = { 1, 0.5, 2, 0.25 };
    for (int kind = 0; kind < 48; kind++) {
        born_loss_attrs a = { .reduction = kind % 3, .ignore_index = kind & 16 ? 3 : -100 };
        bool deep = kind & 4, weighted = kind & 8, scores = kind >= 24;
        if (scores) a.label_smoothing = kind & 2 ? 0.3 : 0;
        fd_case k = { .what = scores ? "scores" : "log-probabilities", .attrs = &a, .outs = scores ? 2 : 1,
                      .op = scores ? BORN_OP_CROSS_ENTROPY_LOSS : BORN_OP_NLL_LOSS,
                      .in = { F64(4, 4), GIVEN(I64, t1, 4) } };
        if (deep) {
            k.in[0] = (fd_operand)F64(2, 4, 3);
            k.in[1] = (fd_operand)GIVEN(I32, t2, 2, 3);
            a.ignore_index = -100;
        }
        if (weighted) k.in[2] = (fd_operand)GIVEN(F64, w, 4);
        fd_check(&k);
    }
}

TEST(gradient_gates_and_skip_norms)
{
    static const born_skip_norm_attrs eps = { .epsilon = 1e-3 };
    FD_CHECK(.what = "alpha", .op = BORN_OP_SWIGLU, .attrs = &(born_swiglu_attrs){ .alpha = 1.7 },
             .in = { F32(3, 4), F32(3, 4) });
    FD_CHECK(.what = "bias", .op = BORN_OP_FAST_GELU, .in = { F32(2, 3), F32(3) });
    FD_CHECK(.what = "no bias", .op = BORN_OP_FAST_GELU, .in = { F32(2, 3) });
    FD_CHECK(.what = "bias", .op = BORN_OP_BIAS_GELU, .in = { F32(2, 3), F32(3) });
    FD_CHECK(.what = "", .op = BORN_OP_QUICK_GELU, .in = { F32(2, 3) });
    FD_CHECK(.what = "all", .op = BORN_OP_SKIP_LAYER_NORM, .attrs = &eps, .outs = 4, .unseeded = 6,
             .in = { F32(2, 2, 4), F32(2, 4), F32(4), F32(4), F32(4) });
    FD_CHECK(.what = "gamma alone", .op = BORN_OP_SKIP_LAYER_NORM, .attrs = &eps,
             .in = { F32(1, 2, 4), F32(1, 2, 4), F32(4) });
    FD_CHECK(.what = "all", .op = BORN_OP_SKIP_RMS_NORM, .attrs = &eps, .outs = 4, .unseeded = 6,
             .in = { F32(2, 2, 4), F32(2, 2, 4), F32(4), F32(4) });
}

TEST(gradient_rotary)
{
    static const double ids[] = { 2, 0, 1, 1 };
    fd_operand angles = F32(3, 2), rows = F32(2, 2, 1);
    angles.constant = rows.constant = true;
    for (int way = 0; way < 2; way++) {
        FD_CHECK(.what = "positions", .op = BORN_OP_ROTARY_EMBEDDING,
                 .attrs = &(born_rotary_attrs){ .interleaved = way, .scale = 1 },
                 .in = { F32(2, 1, 2, 4), angles, angles, GIVEN(I64, ids, 2, 2) });
        FD_CHECK(.what = "part of a head", .op = BORN_OP_ROTARY_EMBEDDING,
                 .attrs = &(born_rotary_attrs){ .interleaved = way, .rotary_dim = 2, .num_heads = 2,
                                           .scale = 1 },
                 .in = { F32(2, 2, 6), rows, rows });
        FD_CHECK(.what = "ids second", .op = BORN_OP_ROTARY_EMBEDDING_IDS,
                 .attrs = &(born_rotary_attrs){ .interleaved = way, .scale = 1 },
                 .in = { F32(2, 1, 2, 4), GIVEN(I64, ids, 2, 2), angles, angles });
    }
}

TEST(gradient_fused_matmul)
{
    for (int way = 0; way < 16; way++) {
        const born_fused_matmul_attrs a = { .alpha = 0.7, .trans_a = way & 1, .trans_b = way & 2,
                                            .trans_batch_a = way & 4, .trans_batch_b = way & 8 };
        int64_t ab[3] = { 2, way & 1 ? 3 : 4, way & 1 ? 4 : 3 }, bb[3] = { 2, way & 2 ? 2 : 3, way & 2 ? 3 : 2 };
        fd_operand x = F32(2, 4, 3), y = F32(2, 3, 2);
        /* trans_batch: the first dim stands behind the next */
        x.dim[0] = way & 4 ? ab[1] : ab[0], x.dim[1] = way & 4 ? ab[0] : ab[1], x.dim[2] = ab[2];
        y.dim[0] = way & 8 ? bb[1] : bb[0], y.dim[1] = way & 8 ? bb[0] : bb[1], y.dim[2] = bb[2];
        FD_CHECK(.what = "batches", .op = BORN_OP_FUSED_MATMUL, .attrs = &a, .in = { x, y });
    }
    FD_CHECK(.what = "row", .op = BORN_OP_FUSED_MATMUL, .in = { F32(3), F32(2, 3, 2) });
    FD_CHECK(.what = "column", .op = BORN_OP_FUSED_MATMUL, .in = { F32(2, 4, 3), F32(3) });
    FD_CHECK(.what = "broadcast", .op = BORN_OP_FUSED_MATMUL, .in = { F32(2, 2, 3), F32(3, 2) });
}

/* Second order through the softmax row, where that has a gradient. */
static void attention_case(const char *what, const born_attention_attrs *a, int outs, const fd_operand *in, int n)
{
    fd_case k = { .what = what, .op = BORN_OP_ATTENTION, .attrs = a, .outs = outs,
                  .first_only = !born__ops[BORN_OP_SOFTMAX].grad };
    memcpy(k.in, in, sizeof *in * (size_t)n);
    fd_check(&k);
}
#define ATTENTION(what, attrs, outs, ...)                                                                             \
    attention_case(what, attrs, outs, (const fd_operand[]){ __VA_ARGS__ },                                            \
                   (int)(sizeof((const fd_operand[]){ __VA_ARGS__ }) / sizeof(fd_operand)))

TEST(gradient_attention)
{
    static const double on[] = { 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0 }, lengths[] = { 3 };
    static const double some[] = { -INFINITY, 0.5, -1, 0.25 };
    const born_attention_attrs causal = { .is_causal = true, .left_window = -1, .right_window = -1 };
    const born_attention_attrs window = { .left_window = 1, .right_window = 1, .scale = 0.6, .softcap = 1.5 };
    const born_attention_attrs flat = { .q_num_heads = 4, .kv_num_heads = 2, .left_window = -1, .right_window = -1 };
    ATTENTION("plain", NULL, 1, F32(1, 2, 3, 2), F32(1, 2, 4, 2), F32(1, 2, 4, 3));
    ATTENTION("causal", &causal, 1, F32(1, 2, 3, 2), F32(1, 2, 3, 2), F32(1, 2, 3, 2));
    ATTENTION("grouped, window, softcap", &window, 1, F32(1, 4, 3, 2), F32(1, 2, 4, 2), F32(1, 2, 4, 2));
    ATTENTION("heads in the last dim", &flat, 1, F32(1, 3, 8), F32(1, 2, 4), F32(1, 2, 6));
    ATTENTION("bool mask, a row of none", NULL, 1, F32(1, 1, 3, 2), F32(1, 1, 4, 2), F32(1, 1, 4, 2),
              GIVEN(BOOL, on, 3, 4));
    ATTENTION("added mask", NULL, 1, F32(1, 2, 3, 2), F32(1, 1, 4, 2), F32(1, 1, 4, 2), F32(2, 3, 4));
    ATTENTION("mask per key, shorter", NULL, 1, F32(2, 1, 2, 2), F32(2, 1, 4, 2), F32(2, 1, 4, 2), F32(2, 1, 1, 3));
    ATTENTION("mask with -inf", NULL, 1, F32(1, 2, 2, 2), F32(1, 2, 4, 2), F32(1, 2, 4, 2), GIVEN(F32, some, 4));
    ATTENTION("past", &causal, 3, F32(1, 2, 2, 2), F32(1, 1, 2, 2), F32(1, 1, 2, 2), NONE, F32(1, 1, 3, 2),
              F32(1, 1, 3, 2));
    ATTENTION("lengths", &causal, 1, F32(1, 2, 2, 2), F32(1, 1, 5, 2), F32(1, 1, 5, 2), NONE, NONE, NONE,
              GIVEN(I64, lengths, 1));
}

static void einsum_case(const char *equation, const fd_operand *in, int n)
{
    const born_einsum_attrs a = { .equation = { equation, strlen(equation) } };
    fd_case k = { .what = equation, .op = BORN_OP_EINSUM, .attrs = &a };
    memcpy(k.in, in, sizeof *in * (size_t)n);
    fd_check(&k);
}
#define EINSUM(equation, ...)                                                                                         \
    einsum_case(equation, (const fd_operand[]){ __VA_ARGS__ },                                                        \
                (int)(sizeof((const fd_operand[]){ __VA_ARGS__ }) / sizeof(fd_operand)))

TEST(gradient_einsum)
{
    EINSUM("bij,bjk->bik", F64(2, 2, 3), F64(2, 3, 2));
    EINSUM("ij,jk,kl->il", F64(2, 2), F64(2, 3), F64(3, 2));
    EINSUM("ii->i", F64(3, 3));
    EINSUM("ii", F64(3, 3));
    EINSUM("iij,j->i", F64(2, 2, 3), F64(3));
    EINSUM("ij->", F64(2, 3));
    EINSUM("ij,k->j", F64(2, 3), F64(2));
    EINSUM("...i,...i->...", F64(2, 2, 3), F64(2, 1, 3));
    EINSUM("...ij,jk->...ki", F64(2, 3, 2), F64(2, 2));
    EINSUM("bi,oij,bj->bo", F64(2, 2), F64(3, 2, 2), F64(2, 2));
    EINSUM("ij,ij->j", F64(2, 3), F64(1, 3));
    EINSUM("i,i->i", F64(1), F64(1));
    EINSUM("ba", F64(2, 3));
}

TEST(gradient_det_and_inverse)
{
    FD_CHECK(.what = "3 x 3", .op = BORN_OP_DET, .in = { F64(2, 3, 3) });
    FD_CHECK(.what = "1 x 1", .op = BORN_OP_DET, .in = { F64(1, 1) });
    FD_CHECK(.what = "3 x 3", .op = BORN_OP_INVERSE, .in = { F64(2, 3, 3) });
}

/* T = 3 steps of B = 2 sequences, I = 2, H = 2; every kind, direction and layout, with everything optional and
   without. */
static void recurrent_case(born_op_id op, int gates, const void *attrs, int directions, bool batch_first, int given)
{
    static const double lengths[] = { 3, 2 };
    int64_t d = directions, h = 2, rows = gates * h;
    fd_case k = { .what = given & 1 ? "all operands" : "few operands", .op = op, .attrs = attrs, .first_only = true,
                  .outs = gates == 4 ? 3 : 2 };
    k.in[0] = batch_first ? (fd_operand)F64(2, 3, 2) : (fd_operand)F64(3, 2, 2);
    k.in[1] = (fd_operand)F64(d, rows, 2);
    k.in[2] = (fd_operand)F64(d, rows, h);
    const fd_operand state = batch_first ? (fd_operand)F64(2, d, h) : (fd_operand)F64(d, 2, h);
    if (given & 1) {
        k.in[3] = (fd_operand)F64(d, 2 * rows);
        k.in[5] = state;
        if (gates == 4) k.in[6] = state;
    }
    if (given & 2) k.in[4] = (fd_operand)GIVEN(I32, lengths, 2);
    if (given & 4 && gates == 4) k.in[7] = (fd_operand)F64(d, 3 * h);
    for (int i = 0; i < FD_OPERANDS; i++) k.in[i].lo = -0.9, k.in[i].hi = 0.9;
    fd_check(&k);
}

TEST(gradient_recurrent)
{
    for (int direction = 0; direction < 3; direction++)
        for (int given = 0; given < 8; given++) {
            int d = direction == 2 ? 2 : 1, layout = given >> 1 & 1;
            const born_lstm_attrs lstm = { .direction = direction, .layout = layout };
            const born_gru_attrs gru = { .direction = direction, .layout = layout, .linear_before_reset = given >> 2 };
            const born_rnn_attrs rnn = { .direction = direction, .layout = layout };
            recurrent_case(BORN_OP_LSTM, 4, &lstm, d, layout, given);
            recurrent_case(BORN_OP_GRU, 3, &gru, d, layout, given);
            if (given < 4) recurrent_case(BORN_OP_RNN, 1, &rnn, d, layout, given);
        }
}

/* Every activation, the clip, and the forget gate from the input gate. */
TEST(gradient_recurrent_activations)
{
    static const char *const name[] = { "Tanh", "Sigmoid", "Affine", "LeakyRelu", "ScaledTanh", "HardSigmoid", "Elu",
                                        "Softsign", "Softplus", "Relu", "ThresholdedRelu" };
    static const float alpha[] = { 0.7f }, beta[] = { 0.6f };
    for (size_t i = 0; i < sizeof name / sizeof name[0]; i++) {
        born_str one = { name[i], strlen(name[i]) };
        const born_rnn_attrs a = { .activations = { &one, 1 }, .activation_alpha = { alpha, 1 },
                                   .activation_beta = { beta, 1 } };
        recurrent_case(BORN_OP_RNN, 1, &a, 1, false, 1);
    }
    const born_lstm_attrs coupled = { .input_forget = true, .clip = 0.8 };
    recurrent_case(BORN_OP_LSTM, 4, &coupled, 1, false, 5);
}

TEST(gradient_spectra)
{
    static const double six[] = { 6 }, four[] = { 4 }, seven[] = { 7 }, two[] = { 2 }, one[] = { 1 };
    for (int way = 0; way < 4; way++) {
        const born_dft_attrs a = { .inverse = way >> 1, .onesided = way & 1 };
        int64_t parts = way == 1 ? 1 : 2;
        const double *lengths[] = { six, four, seven };
        for (int k = 0; k < 3; k++)     /* as long as x, cut, filled up */
            FD_CHECK(.what = "length given", .op = BORN_OP_DFT, .attrs = &a,
                     .in = { F64(2, 6, parts), SCALAR(lengths[k]), SCALAR(one) });
        FD_CHECK(.what = "length of x", .op = BORN_OP_DFT, .attrs = &a, .in = { F64(2, 5, parts) });
    }
    FD_CHECK(.what = "real", .op = BORN_OP_DFT, .in = { F64(1, 5, 1) });
    FD_CHECK(.what = "window", .op = BORN_OP_STFT, .in = { F64(2, 9, 1), SCALAR(two), F64(4), SCALAR(four) });
    FD_CHECK(.what = "two-sided, complex", .op = BORN_OP_STFT, .attrs = &(born_stft_attrs){ .two_sided = true },
             .in = { F64(1, 7, 2), SCALAR(two), NONE, SCALAR(four) });
}

TEST(gradient_dequantize)
{
    static const double x[] = { 3, -2, 7, 0, 5, -6, 1, 4, -1, 2, 8, -3, 6, 9 }, zero[] = { 1 }, zeros[] = { 1, -2 };
    FD_CHECK(.what = "tensor", .op = BORN_OP_DEQUANTIZE_LINEAR,
             .in = { GIVEN(I8, x, 2, 7), F32(1), GIVEN(I8, zero, 1) });
    FD_CHECK(.what = "axis", .op = BORN_OP_DEQUANTIZE_LINEAR, .attrs = &(born_quantize_attrs){ .axis = -2 },
             .in = { GIVEN(I8, x, 2, 7), F32(2), GIVEN(I8, zeros, 2) });
    FD_CHECK(.what = "blocks", .op = BORN_OP_DEQUANTIZE_LINEAR,
             .attrs = &(born_quantize_attrs){ .axis = 1, .block_size = 3 }, .in = { GIVEN(I8, x, 2, 7), F32(2, 3) });
}

TEST_MAIN

/* rnn, gru and lstm over sixteen lanes (ops/rnn_job.h; the arithmetic is that of ops/rnn_ref.c). Where there are few
   rows to multiply, the weights are turned block by block on the way into registers; where there are many, they are
   packed once into panels and four rows share each load. */
#include "cpu/simd/lanes.h"

#include "cpu/kernel.h"
#include "ops/rnn_job.h"

enum { ROWS = 4 };

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Up to sixteen columns of up to sixteen rows of a matrix, as vectors over the rows. Weights lie row-major in most
   files, transposed in some. */
BORN_INLINE void load_turned(const float *m, int64_t row, int64_t col, int64_t rows, int64_t cols, v16 r[16])
{
    if (col == 1) {
        for (int i = 0; i < 16; i++)
            r[i] = i >= rows ? v_zero() : cols == 16 ? v_load(m + i * row) : v_load_n(m + i * row, cols);
        v_transpose(r);
    } else if (row == 1) {
        for (int64_t i = 0; i < cols; i++) r[i] = rows == 16 ? v_load(m + i * col) : v_load_n(m + i * col, rows);
    } else {
        for (int64_t i = 0; i < cols; i++) {
            float t[16] = { 0 };
            for (int64_t l = 0; l < rows; l++) t[l] = m[l * row + i * col];
            r[i] = v_load(t);
        }
    }
}

/* Panels [k][16] of rows [first, first + rows). */
static const void *pack(const born_rnn_operand *m, int64_t d, int64_t first, int64_t rows, int64_t terms, float *to)
{
    const float *from = (const float *)(const void *)m->data + d * m->d + first * m->b;
    float *at = to;
    if (!to) return NULL;
    for (int64_t r = 0; r < rows; r += 16)
        for (int64_t k = 0; k < terms; k += 16) {
            v16 t[16];
            int64_t n = least(16, terms - k);
            load_turned(from + r * m->b + k * m->h, m->b, m->h, least(16, rows - r), n, t);
            for (int64_t i = 0; i < n; i++, at += 16) v_store(at, t[i]);
        }
    return to;
}

static const float *row_of(const born_rnn_product *p, int64_t i)
{
    return (const float *)(const void *)p->a + i / p->split * p->outer + i % p->split * p->inner;
}

/* The results of `rows` chains for one block of sixteen, all segments joined. */
BORN_INLINE void finish(const born_rnn_product *p, int64_t row, int64_t block, int rows, const v16 *sum)
{
    int64_t n = least(16, p->rows - block * 16);
    for (int r = 0; r < rows; r++) {
        v16 v = sum[r];
        if (p->bias) v = v_add(v, v_load_n((const float *)(const void *)p->bias + block * 16, n));
        v_store_n((float *)p->out + (row + r) * p->out_row + block * 16, v, n);
    }
}

BORN_INLINE void from_panel(const born_rnn_product *p, int64_t row, int64_t block, int rows)
{
    const float *w = (const float *)p->panels + block * p->terms * 16, *a[ROWS];
    v16 total[ROWS], chain[ROWS];
    for (int r = 0; r < rows; r++) {
        a[r] = row_of(p, row + r);
        total[r] = chain[r] = v_zero();
    }
    for (int64_t k = 0; k < p->terms;) {
        int64_t stop = least(k + BORN_RNN_CUT, p->terms);
        for (int r = 0; k > 0 && r < rows; r++) {
            total[r] = k == BORN_RNN_CUT ? chain[r] : v_add(total[r], chain[r]);
            chain[r] = v_zero();
        }
        for (; k < stop; k++) {
            v16 v = v_load(w + k * 16);
            for (int r = 0; r < rows; r++) chain[r] = v_fma(v_set(a[r][k * p->step]), v, chain[r]);
        }
    }
    for (int r = 0; p->terms > BORN_RNN_CUT && r < rows; r++) chain[r] = v_add(total[r], chain[r]);
    finish(p, row, block, rows, chain);
}

/* One row against a block of the matrix as it lies. */
static void from_matrix(const born_rnn_product *p, int64_t row, int64_t block)
{
    const float *a = row_of(p, row), *m = (const float *)(const void *)p->m + block * 16 * p->row;
    int64_t rows = least(16, p->rows - block * 16);
    v16 total = v_zero(), chain = v_zero();
    for (int64_t k = 0; k < p->terms; k += 16) {
        if (k > 0 && k % BORN_RNN_CUT == 0) {
            total = k == BORN_RNN_CUT ? chain : v_add(total, chain);
            chain = v_zero();
        }
        v16 r[16];
        int64_t n = least(16, p->terms - k);
        load_turned(m + k * p->col, p->row, p->col, rows, n, r);
        if (n == 16) {
            BORN_UNROLL
            for (int i = 0; i < 16; i++) chain = v_fma(v_set(a[(k + i) * p->step]), r[i], chain);
        } else {
            for (int i = 0; i < n; i++) chain = v_fma(v_set(a[(k + i) * p->step]), r[i], chain);
        }
    }
    if (p->terms > BORN_RNN_CUT) chain = v_add(total, chain);
    finish(p, row, block, 1, &chain);
}

/* Pieces: blocks of sixteen results, group of rows fastest, so that a panel is read from the first cache. */
static void pieces(void *ctx, int64_t begin, int64_t end)
{
    const born_rnn_product *p = ctx;
    int64_t groups = (p->count + ROWS - 1) / ROWS;
    for (int64_t i = begin; i < end; i++) {
        int64_t block = i / groups, row = i % groups * ROWS, rows = least(ROWS, p->count - row);
        if (!p->panels)
            for (int64_t r = 0; r < rows; r++) from_matrix(p, row + r, block);
        else if (rows == 4) from_panel(p, row, block, 4);
        else if (rows == 3) from_panel(p, row, block, 3);
        else if (rows == 2) from_panel(p, row, block, 2);
        else from_panel(p, row, block, 1);
    }
}

static void multiply(const born_rnn_product *p, const born_exec *x)
{
    int64_t work = (p->rows + 15) / 16 * ((p->count + ROWS - 1) / ROWS), grain = 1 + (1 << 13) / (p->terms + 1);
    if (work <= grain) pieces((void *)(uintptr_t)p, 0, work);
    else born__exec_for(x, work, grain, pieces, (void *)(uintptr_t)p);
}

/* ---- cells ---- */

static v16 act(const born_rnn_job *j, const born_rnn_act *f, v16 x)
{
    v16 alpha = v_set((float)f->alpha), beta = v_set((float)f->beta), zero = v_zero(), one = v_set(1);
    v16 clip = v_set((float)j->clip), low = v_set(-(float)j->clip);
    if ((float)j->clip > 0) x = v_sel(v_gt(x, clip), clip, v_sel(v_lt(x, low), low, x));
    v16 positive = v_sel(m_or(v_gt(x, zero), v_isnan(x)), x, zero);
    switch (f->fn) {
    case BORN_RNN_TANH: return tanh_v16(x);
    case BORN_RNN_SIGMOID: return sigmoid_v16(x);
    case BORN_RNN_RELU: return positive;
    case BORN_RNN_AFFINE: return v_add(v_mul(alpha, x), beta);
    case BORN_RNN_LEAKY_RELU: return v_sel(v_lt(x, zero), v_mul(alpha, x), x);
    case BORN_RNN_THRESHOLDED_RELU: return v_sel(v_le(x, alpha), zero, x);
    case BORN_RNN_SCALED_TANH: return v_mul(alpha, tanh_v16(v_mul(beta, x)));
    case BORN_RNN_HARD_SIGMOID: {
        v16 v = v_add(v_mul(alpha, x), beta);
        return v_sel(v_gt(v, one), one, v_sel(v_lt(v, zero), zero, v));
    }
    case BORN_RNN_ELU: return v_sel(v_lt(x, zero), v_mul(alpha, expm1_v16(x)), x);
    case BORN_RNN_SOFTSIGN: return v_div(x, v_add(one, v_abs(x)));
    default: return v_add(positive, log1p_v16(exp_v16(v_neg(v_abs(x)))));
    }
}

/* Gate i of a row of xg or hg, elements k.. */
BORN_INLINE v16 gate(const born_rnn_job *j, const float *g, int i, int64_t k, int64_t n)
{
    return v_load_n(g + i * j->hidden + k, n);
}

static void rnn_step(const born_rnn_job *j, int64_t d, const float *xg, const float *hg, float *h)
{
    for (int64_t k = 0; k < j->hidden; k += 16) {
        int64_t n = least(16, j->hidden - k);
        v_store_n(h + k, act(j, &j->act[d], v_add(gate(j, xg, 0, k, n), gate(j, hg, 0, k, n))), n);
    }
}

static void lstm_step(const born_rnn_job *j, int64_t d, const float *xg, const float *hg, float *h, float *c)
{
    const born_rnn_act *f = &j->act[3 * d];
    const float *peep = j->peep.data ? (const float *)(const void *)j->peep.data + d * j->peep.d : NULL;
    for (int64_t k = 0; k < j->hidden; k += 16) {
        int64_t n = least(16, j->hidden - k);
        v16 i = v_add(gate(j, xg, 0, k, n), gate(j, hg, 0, k, n));
        v16 o = v_add(gate(j, xg, 1, k, n), gate(j, hg, 1, k, n));
        v16 g = v_add(gate(j, xg, 2, k, n), gate(j, hg, 2, k, n));
        v16 v = v_add(gate(j, xg, 3, k, n), gate(j, hg, 3, k, n));
        v16 state = v_load_n(c + k, n);
        if (peep) {
            i = v_add(i, v_mul(gate(j, peep, 0, k, n), state));
            g = v_add(g, v_mul(gate(j, peep, 2, k, n), state));
        }
        i = act(j, &f[0], i);
        g = j->input_forget ? v_sub(v_set(1), i) : act(j, &f[0], g);
        v = act(j, &f[1], v);
        state = v_add(v_mul(g, state), v_mul(i, v));
        if (peep) o = v_add(o, v_mul(gate(j, peep, 1, k, n), state));
        v_store_n(c + k, state, n);
        v_store_n(h + k, v_mul(act(j, &f[0], o), act(j, &f[2], state)), n);
    }
}

/* z into hg, reset * (h or its product) into rh. */
static void gru_gates(const born_rnn_job *j, int64_t d, const float *xg, float *hg, const float *h, float *rh)
{
    const born_rnn_act *f = &j->act[2 * d];
    for (int64_t k = 0; k < j->hidden; k += 16) {
        int64_t n = least(16, j->hidden - k);
        v16 r = act(j, f, v_add(gate(j, xg, 1, k, n), gate(j, hg, 1, k, n)));
        v_store_n(rh + k, v_mul(r, j->linear_before_reset ? gate(j, hg, 2, k, n) : v_load_n(h + k, n)), n);
        v_store_n(hg + k, act(j, f, v_add(gate(j, xg, 0, k, n), gate(j, hg, 0, k, n))), n);
    }
}

static void gru_step(const born_rnn_job *j, int64_t d, const float *xg, const float *z, const float *add, float *h)
{
    for (int64_t k = 0; k < j->hidden; k += 16) {
        int64_t n = least(16, j->hidden - k);
        v16 v = act(j, &j->act[2 * d + 1], v_add(gate(j, xg, 2, k, n), v_load_n(add + k, n))), u = v_load_n(z + k, n);
        v_store_n(h + k, v_add(v_mul(v_sub(v_set(1), u), v), v_mul(u, v_load_n(h + k, n))), n);
    }
}

/* ---- the walk over steps ---- */

static void load_state(const born_rnn_job *j, const born_rnn_operand *from, int64_t d, float *to)
{
    const float *s = (const float *)(const void *)from->data;
    for (int64_t b = 0; b < j->batch; b++, to += j->hidden) {
        if (!s) memset(to, 0, (size_t)j->hidden * sizeof *to);
        for (int64_t k = 0; s && k < j->hidden; k++) to[k] = s[d * from->d + b * from->b + k * from->h];
    }
}

static void store_state(const born_rnn_job *j, const born_rnn_operand *to, int64_t d, const float *from)
{
    for (int64_t b = 0; to->data && b < j->batch; b++)
        memcpy((float *)(void *)to->data + d * to->d + b * to->b, from + b * j->hidden,
               (size_t)j->hidden * sizeof *from);
}

static void store_row(const born_rnn_job *j, int64_t t, int64_t d, int64_t b, const float *v)
{
    if (!j->y.data) return;
    float *to = (float *)(void *)j->y.data + t * j->y.t + d * j->y.d + b * j->y.b;
    if (v) memcpy(to, v, (size_t)j->hidden * sizeof *to);
    else memset(to, 0, (size_t)j->hidden * sizeof *to);
}

static void recur(const born_rnn_job *j, const born_exec *x, int64_t d, const void *state, int64_t first, int64_t rows,
                  const void *panels)
{
    born_rnn_product p = born__rnn_recur(j, d, state, first, rows, panels);
    multiply(&p, x);
}

/* The gates of a GRU that come before its state is multiplied, for step s of each row. */
static void open_gates(const born_rnn_job *j, int64_t d, int64_t s)
{
    int64_t n = j->hidden, all = j->gates * n;
    float *xg = j->xg, *hg = j->hg, *h = j->h, *rh = j->rh;

    for (int64_t b = 0; b < j->batch; b++) {
        int64_t len = born__rnn_length(j, b), t = j->reverse[d] ? len - 1 - s : s;
        if (s < len) gru_gates(j, d, xg + (t * j->batch + b) * all, hg + b * all, h + b * n, rh + b * n);
        else memset(rh + b * n, 0, (size_t)n * sizeof *rh);
    }
}

/* The new states of step s; rows that have ended give zeros. */
static void close_step(const born_rnn_job *j, int64_t d, int64_t s, bool split)
{
    int64_t n = j->hidden, all = j->gates * n;
    float *xg = j->xg, *hg = j->hg, *h = j->h, *c = j->c, *rh = j->rh;

    for (int64_t b = 0; b < j->batch; b++) {
        int64_t len = born__rnn_length(j, b), t = j->reverse[d] ? len - 1 - s : s;
        if (s >= len) {
            store_row(j, s, d, b, NULL);
            continue;
        }
        const float *gx = xg + (t * j->batch + b) * all, *gh = hg + b * all;
        if (j->kind == BORN_OP_GRU) gru_step(j, d, gx, gh, split ? gh + 2 * n : rh + b * n, h + b * n);
        else if (j->kind == BORN_OP_LSTM) lstm_step(j, d, gx, gh, h + b * n, c + b * n);
        else rnn_step(j, d, gx, gh, h + b * n);
        store_row(j, t, d, b, h + b * n);
    }
}

static void direction(const born_rnn_job *j, const born_exec *x, int64_t d)
{
    int64_t n = j->hidden, all = j->gates * n;
    bool gru = j->kind == BORN_OP_GRU, split = gru && !j->linear_before_reset;
    born_rnn_product p = born__rnn_inputs(j, d, pack(&j->w, d, 0, all, j->inputs, j->packed_w));
    const void *pr = pack(&j->r, d, 0, split ? all - n : all, n, j->packed_r);
    const void *pn = split ? pack(&j->r, d, all - n, n, n, j->packed_n) : NULL;
    multiply(&p, x);
    load_state(j, &j->h0, d, j->h);
    if (j->kind == BORN_OP_LSTM) load_state(j, &j->c0, d, j->c);
    for (int64_t s = 0; s < j->steps; s++) {
        recur(j, x, d, j->h, 0, split ? all - n : all, pr);
        if (gru) open_gates(j, d, s);
        if (split) recur(j, x, d, j->rh, all - n, n, pn);
        close_step(j, d, s, split);
    }
    store_state(j, &j->yh, d, j->h);
    if (j->kind == BORN_OP_LSTM) store_state(j, &j->yc, d, j->c);
}

born_status BORN_K(rnn_f32)(born_call *c, const born_exec *x)
{
    born_rnn_job j;
    born__rnn_describe(c, &j);
    (void)born__rnn_lay_out(&j, x->scratch);
    if (j.batch == 0 || j.hidden == 0) return BORN_OK;
    for (int64_t d = 0; d < j.directions; d++) direction(&j, x, d);
    return BORN_OK;
}

/* Initial values: what torch.nn.init does, with counter-based numbers. Element i of a tensor depends on the tensor's
   key (seed and path) and i alone, and is computed with our own elementary functions, so a network starts with the same
   bits everywhere. Called by the constructors (born__init_fill) and by users. */
#include <born/init.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "nn/nn_help.h"
#include "ops/lane1.h"
#include "tensor/view.h"

enum { STREAM_NUMBERS, STREAM_CHOICE };
enum { PIECE = 256 };

/* Box and Muller, 1958: of f32 resolution, never beyond 5.8 deviations. */
static double normal_of(uint32_t w0, uint32_t w1)
{
    float u = ((float)(w0 >> 8) + 1.0f) * 0x1p-24f;
    return (double)(sqrtf(-2.0f * log_f32(u)) * cos_f32(6.28318530717958648f * born__unit_f32(w1)));
}

static double value_of(const born_fill *f, const uint32_t w[2])
{
    switch (f->kind) {
    case BORN_FILL_UNIFORM:
        return f->a + (f->b - f->a) * born__unit_f64(w[0], w[1]);
    case BORN_FILL_NORMAL:
        return f->a + f->b * normal_of(w[0], w[1]);
    default:
        return f->a;
    }
}

void born__init_fill(born_dtype t, void *dst, int64_t n, uint64_t key, born_fill fill)
{
    uint32_t word[2 * PIECE] = { 0 };
    int64_t z = born_dtype_bytes(t, 1);

    for (int64_t i = 0; i < n; i++) {
        int64_t at = i % PIECE, left = n - i;
        if (at == 0 && fill.kind != BORN_FILL_CONSTANT)
            born__philox_u32(key, STREAM_NUMBERS, 2 * (uint64_t)i, word, 2 * (size_t)(left < PIECE ? left : PIECE));
        born__store_f64(t, (char *)dst + i * z, value_of(&fill, word + 2 * at));
    }
}

/* ---- the tensor to fill ---------------------------------------------------------------------------------------- */

typedef struct target {
    born_tensor tensor;
    born_shape shape;
    born_dtype dtype;
    int64_t count;
    uint64_t key;
    void *data;                 /* count elements, zero */
} target;

static born_status target_open(born_module *m, const char *path, int least_rank, target *t, born_error *err)
{
    BORN_FAIL_IF(!m || !m->ops, err, BORN_STATE, "init: the module is dead");
    *t = (target){ .tensor = born_module_find(m, path) };
    BORN_FAIL_IF(!born__given(t->tensor), err, BORN_INVALID, "init: there is no tensor '%.100s'", path);
    t->shape = born_shape_of(t->tensor);
    t->dtype = born_dtype_of(t->tensor);
    BORN_FAIL_IF(born__dtype_info(t->dtype)->cls != 'F', err, BORN_DTYPE, "init: '%.100s' is %s, not a float", path,
                 born_dtype_name(t->dtype));
    BORN_FAIL_IF(t->shape.rank < least_rank, err, BORN_SHAPE, "init: '%.100s' has %d dims, fewer than %d", path,
                 t->shape.rank, least_rank);
    t->count = born__span_of(&t->shape, 0, t->shape.rank);
    const char *dot = strrchr(path, '.');
    const born_module *owner = m;
    for (const char *at = path, *end; dot && at <= dot; at = end + 1) {
        char name[128];
        end = strchr(at, '.');
        snprintf(name, sizeof name, "%.*s", (int)(end - at), at);
        owner = born_module_get(owner, name);
    }
    t->key = born__init_key(owner, dot ? dot + 1 : path);
    t->data = born__calloc((size_t)(t->count ? t->count : 1), (size_t)born_dtype_bytes(t->dtype, 1));
    BORN_FAIL_IF(!t->data, err, BORN_NOMEM, "init: no memory for '%.100s'", path);
    return BORN_OK;
}

static void put(const target *t, int64_t i, double v)
{
    born__store_f64(t->dtype, (char *)t->data + i * born_dtype_bytes(t->dtype, 1), v);
}

/* Writes what was filled in, if `so_far` is OK, and gives the memory back. */
static born_status target_close(target *t, born_status so_far, born_error *err)
{
    if (so_far == BORN_OK && t->count) {
        so_far = (born_write)(t->tensor, t->data, (size_t)born_dtype_bytes(t->dtype, t->count));
        if (so_far) born__fail(err, so_far, "init: the tensor could not be written");
    }
    born__free(t->data);
    return so_far;
}

static born_status fill_with(born_module *m, const char *path, born_fill fill, born_error *err)
{
    target t;

    BORN_FAIL_IF(!isfinite(fill.a) || !isfinite(fill.b), err, BORN_INVALID, "init: %g and %g are not both finite",
                 fill.a, fill.b);
    BORN_TRY(target_open(m, path, 0, &t, err));
    born__init_fill(t.dtype, t.data, t.count, t.key, fill);
    return target_close(&t, BORN_OK, err);
}

born_status born_init_uniform(born_module *m, const char *path, double low, double high, born_error *err)
{
    return fill_with(m, path, (born_fill){ BORN_FILL_UNIFORM, low, high }, err);
}
born_status born_init_normal(born_module *m, const char *path, double mean, double std, born_error *err)
{
    return fill_with(m, path, (born_fill){ BORN_FILL_NORMAL, mean, std }, err);
}
born_status born_init_constant(born_module *m, const char *path, double v, born_error *err)
{
    return fill_with(m, path, born__fill_constant(v), err);
}

/* ---- by fan ---------------------------------------------------------------------------------------------------- */

double born_init_gain(born_nonlinearity f, double param)
{
    switch (f) {
    case BORN_GAIN_LEAKY_RELU: return sqrt(2 / (1 + param * param));
    case BORN_GAIN_TANH: return 5.0 / 3;
    case BORN_GAIN_RELU: return sqrt(2);
    case BORN_GAIN_SELU: return 0.75;
    default: return 1;
    }
}

static born_status fans(born_module *m, const char *path, double fan[2], born_error *err)
{
    BORN_FAIL_IF(!m || !m->ops, err, BORN_STATE, "init: the module is dead");
    born_tensor t = born_module_find(m, path);
    BORN_FAIL_IF(!born__given(t), err, BORN_INVALID, "init: there is no tensor '%.100s'", path);
    born_shape s = born_shape_of(t);
    BORN_FAIL_IF(s.rank < 2, err, BORN_SHAPE, "init: '%.100s' has %d dims; fans need 2 or more", path, s.rank);
    double field = (double)born__span_of(&s, 2, s.rank);
    fan[BORN_FAN_IN] = (double)s.dim[1] * field;
    fan[BORN_FAN_OUT] = (double)s.dim[0] * field;
    return BORN_OK;
}

/* Uniform or normal of a given deviation; an empty tensor has no fan and needs none. */
static born_status fill_by_std(born_module *m, const char *path, bool uniform, double std, born_error *err)
{
    if (!isfinite(std)) std = 0;
    if (uniform) return fill_with(m, path, born__fill_within(sqrt(3) * std), err);
    return fill_with(m, path, (born_fill){ BORN_FILL_NORMAL, 0, std }, err);
}

static born_status xavier(born_module *m, const char *path, bool uniform, double gain, born_error *err)
{
    double fan[2];
    BORN_TRY(fans(m, path, fan, err));
    return fill_by_std(m, path, uniform, gain * sqrt(2 / (fan[0] + fan[1])), err);
}
born_status born_init_xavier_uniform(born_module *m, const char *path, double gain, born_error *err)
{
    return xavier(m, path, true, gain, err);
}
born_status born_init_xavier_normal(born_module *m, const char *path, double gain, born_error *err)
{
    return xavier(m, path, false, gain, err);
}

static born_status kaiming(born_module *m, const char *path, bool uniform, double a, born_fan mode, born_nonlinearity f,
                           born_error *err)
{
    double fan[2];
    BORN_FAIL_IF(mode != BORN_FAN_IN && mode != BORN_FAN_OUT, err, BORN_INVALID, "init: there is no fan mode %d",
                 (int)mode);
    BORN_TRY(fans(m, path, fan, err));
    return fill_by_std(m, path, uniform, born_init_gain(f, a) / sqrt(fan[mode]), err);
}
born_status born_init_kaiming_uniform(born_module *m, const char *path, double a, born_fan mode, born_nonlinearity f,
                                      born_error *err)
{
    return kaiming(m, path, true, a, mode, f, err);
}
born_status born_init_kaiming_normal(born_module *m, const char *path, double a, born_fan mode, born_nonlinearity f,
                                     born_error *err)
{
    return kaiming(m, path, false, a, mode, f, err);
}

/* ---- truncated normal ------------------------------------------------------------------------------------------ */

/* A proposal and its chance of being taken, from two words. Robert, 1995, "Simulation of truncated normal variables":
   normal numbers where the interval holds many of them, uniform ones where it is narrow, exponential ones in a tail. */
static double propose(double lo, double hi, const uint32_t w[2], double *chance)
{
    double u = born__unit_f64(w[0], w[1]);

    if (lo <= 0 && hi >= 0) {
        double x = hi - lo > 2.5 ? normal_of(w[0], w[1]) : lo + (hi - lo) * u;
        *chance = hi - lo > 2.5 ? 1 : (double)exp_f32((float)(-0.5 * x * x));
        return x;
    }
    double rate = 0.5 * (lo + sqrt(lo * lo + 4));       /* lo > 0 here */
    if (hi - lo < 1 / rate) {
        double x = lo + (hi - lo) * u;
        *chance = (double)exp_f32((float)(0.5 * (lo * lo - x * x)));
        return x;
    }
    double x = lo - (double)log_f32((float)(1 - u)) / rate;
    *chance = (double)exp_f32((float)(-0.5 * (x - rate) * (x - rate)));
    return x;
}

/* One normal number within [lo, hi]; element i has a stream of its own. Each try is taken with a chance of 0.3 or more,
   so the bound on tries is never met. */
static double truncated(double lo, double hi, uint64_t key, int64_t i)
{
    if (hi < 0) return -truncated(-hi, -lo, key, i);
    for (uint64_t try = 0; try < 1000; try++) {
        uint32_t w[4];
        double chance;
        born__philox_u32(key, 2 + (uint64_t)i, 4 * try, w, 4);
        double x = propose(lo, hi, w, &chance);
        if (x >= lo && x <= hi && born__unit_f64(w[2], w[3]) < chance) return x;
    }
    return lo > 0 ? lo : hi < 0 ? hi : 0;
}

born_status born_init_trunc_normal(born_module *m, const char *path, double mean, double std, double low, double high,
                                   born_error *err)
{
    target t;
    bool sound = isfinite(mean) && isfinite(std) && std > 0 && low < high;

    BORN_FAIL_IF(!sound, err, BORN_INVALID, "init: no normal numbers of mean %g and deviation %g within [%g, %g]", mean,
                 std, low, high);
    BORN_TRY(target_open(m, path, 0, &t, err));
    for (int64_t i = 0; i < t.count; i++) {
        double v = mean + std * truncated((low - mean) / std, (high - mean) / std, t.key, i);
        put(&t, i, v < low ? low : v > high ? high : v);
    }
    return target_close(&t, BORN_OK, err);
}

/* ---- patterns -------------------------------------------------------------------------------------------------- */

born_status born_init_eye(born_module *m, const char *path, born_error *err)
{
    target t;

    BORN_TRY(target_open(m, path, 2, &t, err));
    bool matrix = t.shape.rank == 2;
    int64_t rows = t.shape.dim[0], columns = t.shape.dim[1];
    for (int64_t i = 0; matrix && i < rows && i < columns; i++) put(&t, i * columns + i, 1);
    return target_close(&t, matrix ? BORN_OK : born__fail(err, BORN_SHAPE, "init: eye needs a matrix"), err);
}

born_status born_init_dirac(born_module *m, const char *path, int64_t groups, born_error *err)
{
    target t;

    BORN_TRY(target_open(m, path, 3, &t, err));
    int64_t out = t.shape.dim[0], in = t.shape.dim[1], field = born__span_of(&t.shape, 2, t.shape.rank), middle = 0;
    bool sound = t.shape.rank <= 5 && groups >= 1 && out % groups == 0;
    for (int d = 2; d < t.shape.rank; d++) middle = middle * t.shape.dim[d] + t.shape.dim[d] / 2;
    for (int64_t o = 0; sound && field > 0 && o < out; o++) {
        int64_t channel = o % (out / groups);
        if (channel < in) put(&t, (o * in + channel) * field + middle, 1);
    }
    born_status s = BORN_OK;
    if (!sound)
        s = born__fail(err, BORN_SHAPE, "init: dirac needs 3 to 5 dims whose first, %lld, is a multiple of %lld groups",
                       (long long)out, (long long)groups);
    return target_close(&t, s, err);
}

/* The rows of a [rows, n] made orthonormal by Gram and Schmidt, twice each, which is enough (Kahan and Parlett). Equals
   the Q of a QR decomposition whose R has a positive diagonal. */
static void orthonormal(double *a, int64_t rows, int64_t n)
{
    for (int64_t r = 0; r < rows; r++) {
        double *v = a + r * n, square = 0;
        for (int pass = 0; pass < 2; pass++)
            for (int64_t q = 0; q < r; q++) {
                const double *u = a + q * n;
                double dot = 0;
                for (int64_t i = 0; i < n; i++) dot += u[i] * v[i];
                for (int64_t i = 0; i < n; i++) v[i] -= dot * u[i];
            }
        for (int64_t i = 0; i < n; i++) square += v[i] * v[i];
        double norm = sqrt(square);
        for (int64_t i = 0; i < n && norm > 0; i++) v[i] /= norm;
    }
}

born_status born_init_orthogonal(born_module *m, const char *path, double gain, born_error *err)
{
    target t;
    born_status s = BORN_OK;

    BORN_FAIL_IF(!isfinite(gain), err, BORN_INVALID, "init: the gain %g is not finite", gain);
    BORN_TRY(target_open(m, path, 2, &t, err));
    int64_t rows = t.shape.dim[0], columns = rows ? t.count / rows : 0;
    bool tall = rows > columns;                         /* then the columns are made orthonormal, as rows */
    int64_t count = tall ? columns : rows, length = tall ? rows : columns;
    double *a = born__alloc((size_t)(t.count ? t.count : 1) * sizeof *a);
    if (a) {
        born__init_fill(BORN_F64, a, t.count, t.key, (born_fill){ BORN_FILL_NORMAL, 0, 1 });
        orthonormal(a, count, length);
        for (int64_t r = 0; r < count; r++)
            for (int64_t i = 0; i < length; i++)
                put(&t, tall ? i * columns + r : r * columns + i, gain * a[r * length + i]);
    } else {
        s = born__fail(err, BORN_NOMEM, "init: no memory for '%.100s'", path);
    }
    born__free(a);
    return target_close(&t, s, err);
}

born_status born_init_sparse(born_module *m, const char *path, double sparsity, double std, born_error *err)
{
    target t;

    BORN_FAIL_IF(!(sparsity >= 0 && sparsity <= 1) || !isfinite(std), err, BORN_INVALID,
                 "init: sparsity %g is not in [0, 1], or deviation %g not finite", sparsity, std);
    BORN_TRY(target_open(m, path, 2, &t, err));
    int64_t rows = t.shape.dim[0], columns = t.shape.dim[1], z = born_dtype_bytes(t.dtype, 1);
    int64_t zeros = (int64_t)ceil(sparsity * (double)rows), *row = born__alloc((size_t)(rows ? rows : 1) * sizeof *row);
    born_status s = BORN_OK;
    if (t.shape.rank != 2) s = born__fail(err, BORN_SHAPE, "init: sparse needs a matrix");
    else if (!row) s = born__fail(err, BORN_NOMEM, "init: no memory for '%.100s'", path);
    if (s == BORN_OK) born__init_fill(t.dtype, t.data, t.count, t.key, (born_fill){ BORN_FILL_NORMAL, 0, std });
    for (int64_t c = 0; s == BORN_OK && c < columns; c++) {
        for (int64_t r = 0; r < rows; r++) row[r] = r;
        for (int64_t k = 0; k < zeros; k++) {           /* the first `zeros` of a shuffle */
            uint32_t w;
            born__philox_u32(t.key, STREAM_CHOICE, (uint64_t)(c * rows + k), &w, 1);
            int64_t pick = k + (int64_t)((uint64_t)w * (uint64_t)(rows - k) >> 32), was = row[k];
            row[k] = row[pick];
            row[pick] = was;
            memset((char *)t.data + (row[k] * columns + c) * z, 0, (size_t)z);
        }
    }
    born__free(row);
    return target_close(&t, s, err);
}

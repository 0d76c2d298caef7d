/* Tensors from files, by the ending of the name; whole files in memory; elements as numbers. */
#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

born_status cli_error(born_error *err, born_status s, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, args);
    va_end(args);
    err->status = s;
    return s;
}

born_status cli_read_file(const char *path, size_t max_bytes, unsigned char **bytes, size_t *count, born_error *err)
{
    FILE *f = fopen(path, "rb");
    size_t n = 0, cap = 1 << 16;
    unsigned char *p = NULL;

    *bytes = NULL;
    if (!f) return cli_error(err, BORN_IO, "%s: %s", path, strerror(errno));
    for (size_t got = 1; got;) {
        if (!p || n + 1 == cap) {
            unsigned char *bigger = realloc(p, p ? cap *= 2 : cap);
            if (!bigger || (max_bytes && n > max_bytes)) {
                born_status st = cli_error(err, BORN_NOMEM, "%s: %s", path,
                                           bigger ? "larger than --max-bytes allows" : "out of memory");
                free(bigger ? bigger : p);
                fclose(f);
                return st;
            }
            p = bigger;
        }
        got = fread(p + n, 1, cap - n - 1, f);
        n += got;
    }
    bool bad = ferror(f) != 0;
    fclose(f);
    if (bad) {
        free(p);
        return cli_error(err, BORN_IO, "%s: cannot be read", path);
    }
    p[n] = 0;
    *bytes = p;
    *count = n;
    return BORN_OK;
}

void cli_tensor_free(cli_tensor *t)
{
    if (t->memory)
        free(t->memory);
    else
        born_array_free(&t->a);
    memset(t, 0, sizeof *t);
}

size_t cli_elem_bytes(born_dtype t)
{
    int64_t n = born_dtype_bytes(t, 1);

    return n > 0 ? (size_t)n : 0;
}

int64_t cli_count(const born_shape *s)
{
    int64_t n = 1;

    for (int i = 0; i < s->rank; i++) n *= s->dim[i];
    return n;
}

bool cli_tensor_new(cli_tensor *t, born_dtype dtype, const int64_t *dim, int rank, size_t max_bytes, born_error *err)
{
    int64_t n = 1;

    memset(t, 0, sizeof *t);
    if (rank < 0 || rank > BORN_MAX_RANK) return cli_error(err, BORN_UNSUPPORTED, "rank %d, at most 8", rank), false;
    t->a.dtype = dtype;
    t->a.shape.rank = rank;
    for (int i = 0; i < rank; i++) {
        if (dim[i] < 0 || __builtin_mul_overflow(n, dim[i], &n))
            return cli_error(err, BORN_FORMAT, "its sizes overflow"), false;
        t->a.shape.dim[i] = dim[i];
    }
    int64_t bytes = born_dtype_bytes(dtype, n);
    if (bytes < 0 || (uint64_t)bytes > SIZE_MAX / 2) return cli_error(err, BORN_FORMAT, "its size overflows"), false;
    if (max_bytes && (uint64_t)bytes > max_bytes)
        return cli_error(err, BORN_NOMEM, "%lld bytes are above the limit of %zu", (long long)bytes, max_bytes), false;
    t->memory = calloc(1, bytes ? (size_t)bytes : 1);
    if (!t->memory) return cli_error(err, BORN_NOMEM, "out of memory"), false;
    t->a.data = t->memory;
    t->a.bytes = (size_t)bytes;
    return true;
}

static double half_value(uint16_t h)
{
    int e = h >> 10 & 31;
    double m = h & 1023, v = e == 31 ? (m > 0 ? NAN : INFINITY) : e ? ldexp(m + 1024, e - 25) : ldexp(m, -24);

    return h >> 15 ? -v : v;
}

double cli_element(const born_array *a, int64_t i)
{
    const char *p = (const char *)a->data + (size_t)i * cli_elem_bytes(a->dtype);
    union { float f; uint32_t u; double d; int64_t i; uint64_t w; uint16_t h; uint8_t b[8]; } x = { .w = 0 };

    memcpy(x.b, p, cli_elem_bytes(a->dtype));
    switch (a->dtype) {
    case BORN_F32: return (double)x.f;
    case BORN_F64: return x.d;
    case BORN_F16: return half_value(x.h);
    case BORN_BF16: x.u = (uint32_t)x.h << 16; return (double)x.f;
    case BORN_I8: return (int8_t)x.b[0];
    case BORN_U8:
    case BORN_BOOL: return x.b[0];
    case BORN_I16: return (int16_t)x.h;
    case BORN_U16: return x.h;
    case BORN_I32: return (int32_t)x.u;
    case BORN_U32: return x.u;
    case BORN_I64: return (double)x.i;
    case BORN_U64: return (double)x.w;
    default: return 0;
    }
}

static uint16_t half_bits(double v)
{
    int e;
    uint16_t sign = signbit(v) ? 0x8000 : 0;

    if (isnan(v)) return 0x7e00;
    v = fabs(v);
    if (v >= 65520) return sign | 0x7c00;
    if (v < ldexp(1, -25)) return sign;
    (void)frexp(v, &e);
    e = e < -13 ? -13 : e;                          /* subnormals share the smallest exponent */
    double m = nearbyint(ldexp(v, 11 - e));         /* 11 bits: 1024..2048 */
    uint32_t bits = (uint32_t)(m + ((double)e + 13) * 1024);
    return (uint16_t)(sign | bits);
}

/* v as an integer from lo to hi; NaN becomes 0. */
static double whole(double v, double lo, double hi)
{
    return isnan(v) ? 0 : v < lo ? lo : v > hi ? hi : trunc(v);
}

void cli_store(born_dtype t, void *p, int64_t i, double v)
{
    char *at = (char *)p + (size_t)i * cli_elem_bytes(t);
    union { float f; uint32_t u; double d; int64_t i; uint64_t w; uint16_t h; uint8_t b[8]; } x = { .w = 0 };

    switch (t) {
    case BORN_F32: x.f = (float)v; break;
    case BORN_F64: x.d = v; break;
    case BORN_F16: x.h = half_bits(v); break;
    case BORN_BF16: x.f = (float)v; x.u = (x.u + 0x7fff + (x.u >> 16 & 1)) >> 16; break;
    case BORN_I8: x.b[0] = (uint8_t)(int8_t)whole(v, -128, 127); break;
    case BORN_U8: x.b[0] = (uint8_t)whole(v, 0, 255); break;
    case BORN_BOOL: x.b[0] = (uint8_t)(v < 0 || v > 0); break;
    case BORN_I16: x.h = (uint16_t)(int16_t)whole(v, -32768, 32767); break;
    case BORN_U16: x.h = (uint16_t)whole(v, 0, 65535); break;
    case BORN_I32: x.u = (uint32_t)(int32_t)whole(v, INT32_MIN, INT32_MAX); break;
    case BORN_U32: x.u = (uint32_t)whole(v, 0, UINT32_MAX); break;
    case BORN_I64: x.i = (int64_t)whole(v, -9.2e18, 9.2e18); break;
    case BORN_U64: x.w = (uint64_t)whole(v, 0, 1.8e19); break;
    default: break;
    }
    memcpy(at, x.b, cli_elem_bytes(t));
}

static bool ends_with(const char *path, const char *ending)
{
    size_t n = strlen(path), k = strlen(ending);

    return n >= k && !strcasecmp(path + n - k, ending);
}

static born_status parse_one(const char *path, const unsigned char *bytes, size_t n, const born_value_info *want,
                             const cli_picture *p, size_t max_bytes, cli_tensor *out, born_error *err)
{
    if (ends_with(path, ".npy")) return cli_npy_parse(bytes, n, max_bytes, out, err);
    if (ends_with(path, ".pb"))
        return born_tensor_pb_read(bytes, n, max_bytes, out->name, sizeof out->name, &out->a, err);
    if (ends_with(path, ".csv")) return cli_csv_parse(bytes, n, want, max_bytes, out, err);
    if (ends_with(path, ".png") || ends_with(path, ".jpg") || ends_with(path, ".jpeg"))
        return cli_image_parse(bytes, n, want, p, max_bytes, out, err);
    return cli_error(err, BORN_UNSUPPORTED, "not a kind of file known (.npy .npz .pb .csv .png .jpg)");
}

born_status cli_read_tensors(const char *path, const born_value_info *want, const cli_picture *p, size_t max_bytes,
                             cli_tensor **out, int *count, born_error *err)
{
    unsigned char *bytes;
    size_t n;
    char text[sizeof err->text];

    *out = NULL;
    *count = 0;
    born_status st = cli_read_file(path, max_bytes, &bytes, &n, err);
    if (st) return st;
    if (ends_with(path, ".npz")) {
        st = cli_npz_parse(bytes, n, max_bytes, out, count, err);
    } else {
        *out = calloc(1, sizeof **out);
        *count = 1;
        st = *out ? parse_one(path, bytes, n, want, p, max_bytes, *out, err)
                  : cli_error(err, BORN_NOMEM, "out of memory");
        if (st) {
            free(*out);
            *out = NULL;
            *count = 0;
        }
    }
    free(bytes);
    if (st) {
        snprintf(text, sizeof text, "%s", err->text);
        cli_error(err, st, "%.100s: %.130s", path, text);
    }
    return st;
}

static int write_npy(FILE *f, const born_array *a)
{
    static const char *const codes[BORN_DTYPE_COUNT] = {
        [BORN_F32] = "<f4", [BORN_F64] = "<f8", [BORN_F16] = "<f2", [BORN_BF16] = "<u2", [BORN_I8] = "|i1",
        [BORN_U8] = "|u1", [BORN_I16] = "<i2", [BORN_U16] = "<u2", [BORN_I32] = "<i4", [BORN_U32] = "<u4",
        [BORN_I64] = "<i8", [BORN_U64] = "<u8", [BORN_BOOL] = "|b1",
    };
    char head[512];
    int n = snprintf(head, sizeof head, "{'descr': '%s', 'fortran_order': False, 'shape': (", codes[a->dtype]);

    for (int i = 0; i < a->shape.rank; i++)
        n += snprintf(head + n, sizeof head - (size_t)n, "%lld,", (long long)a->shape.dim[i]);
    n += snprintf(head + n, sizeof head - (size_t)n, "), }");
    while ((n + 11) % 64) head[n++] = ' ';
    head[n++] = '\n';
    const unsigned char start[10] = { 0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(n & 255),
                                      (unsigned char)(n >> 8) };
    if (fwrite(start, 1, 10, f) != 10 || fwrite(head, 1, (size_t)n, f) != (size_t)n) return -1;
    size_t bytes = (size_t)cli_count(&a->shape) * cli_elem_bytes(a->dtype);
    return bytes && fwrite(a->data, 1, bytes, f) != bytes ? -1 : 0;
}

static int write_csv(FILE *f, const born_array *a)
{
    int64_t n = cli_count(&a->shape), row = a->shape.rank ? a->shape.dim[a->shape.rank - 1] : 1;

    for (int64_t i = 0; i < n; i++)
        if (fprintf(f, "%.9g%c", cli_element(a, i), (i + 1) % row ? ',' : '\n') < 0) return -1;
    return 0;
}

born_status cli_write_tensor(const char *path, const born_array *a, born_error *err)
{
    char beside[1100];
    int bad;

    if (snprintf(beside, sizeof beside, "%s.part", path) >= (int)sizeof beside)
        return cli_error(err, BORN_INVALID, "%.100s: the path is too long", path);
    if (!ends_with(path, ".npy") && !ends_with(path, ".csv") && !ends_with(path, ".bin"))
        return cli_error(err, BORN_UNSUPPORTED, "%s: outputs are written as .npy, .csv or .bin", path);
    FILE *f = fopen(beside, "wb");
    if (!f) return cli_error(err, BORN_IO, "%s: %s", beside, strerror(errno));
    if (ends_with(path, ".npy"))
        bad = write_npy(f, a);
    else if (ends_with(path, ".csv"))
        bad = write_csv(f, a);
    else
        bad = fwrite(a->data, 1, (size_t)cli_count(&a->shape) * cli_elem_bytes(a->dtype), f) !=
              (size_t)cli_count(&a->shape) * cli_elem_bytes(a->dtype);
    if (fclose(f)) bad = 1;
    if (bad || rename(beside, path)) {
        remove(beside);
        return cli_error(err, BORN_IO, "%s: cannot be written", path);
    }
    return BORN_OK;
}

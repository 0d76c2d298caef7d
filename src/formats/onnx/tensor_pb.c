/* TensorProto to array: see tensor_pb.h. */
#include "formats/onnx/tensor_pb.h"

#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "tensor/view.h"

/* The fields that may hold numbers. */
enum { FLOAT_DATA = 4, INT32_DATA = 5, STRING_DATA = 6, INT64_DATA = 7, DOUBLE_DATA = 10, UINT64_DATA = 11 };

born_dtype born__onnx_dtype(int64_t code)
{
    for (int t = 1; t < BORN_DTYPE_COUNT; t++)
        if (code > 0 && born__dtype_info((born_dtype)t)->onnx == code) return (born_dtype)t;
    return BORN_DTYPE_NONE;
}

int born__onnx_dtype_code(born_dtype t)
{
    return born__dtype_info(t)->onnx;
}

const char *born__onnx_dtype_name(int64_t code)
{
    static const char *const names[] = {
        "undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16",
        "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz",
        "float8e5m2", "float8e5m2fnuz", "uint4", "int4", "float4e2m1", "float8e8m0", "uint2", "int2",
    };

    return code >= 0 && code < (int64_t)(sizeof names / sizeof *names) ? names[code] : "unknown";
}

static uint32_t field_of(born_dtype t)
{
    switch (t) {
    case BORN_F32: return FLOAT_DATA;
    case BORN_F64: return DOUBLE_DATA;
    case BORN_I64: return INT64_DATA;
    case BORN_U32:
    case BORN_U64: return UINT64_DATA;
    default: return INT32_DATA;
    }
}

static int wire_of(uint32_t field)
{
    return field == FLOAT_DATA ? PB_FIXED32 : field == DOUBLE_DATA ? PB_FIXED64 : PB_VARINT;
}

/* The numbers of the tensor's data field must be as many as the shape says. A single packed run of floats or doubles
   is the same as raw data. */
static born_status check_numbers(const pb_tensor *t, uint32_t field, int64_t count, pb_data *d, born_error *err)
{
    pb_cursor c = pb_open(t->body);
    pb_field f;
    size_t n = 0, runs = 0;
    bool bad = false;

    while (born__pb_next(&c, &f)) {
        if (f.id != field) continue;
        n += born__pb_number_count(&f, wire_of(field), &bad);
        runs++;
        d->raw = f.type == PB_BYTES ? f.bytes : (pb_slice){ NULL, 0 };
    }
    if (runs != 1 || wire_of(field) == PB_VARINT) d->raw = (pb_slice){ NULL, 0 };
    BORN_FAIL_IF(bad || c.bad, err, BORN_FORMAT, "its numbers are malformed");
    BORN_FAIL_IF((uint64_t)n != (uint64_t)count, err, BORN_FORMAT, "it holds %zu elements, its shape needs %lld", n,
                 (long long)count);
    return BORN_OK;
}

static born_status find_data(const pb_tensor *t, born_onnx_files *files, int64_t count, born_array *a, pb_data *d,
                             born_error *err)
{
    if (t->external) {
        BORN_FAIL_IF(!files, err, BORN_UNSUPPORTED, "its data is in another file");
        return born__onnx_external(files, t, a->bytes, &d->raw, err);
    }
    if (t->has_raw) {
        BORN_FAIL_IF(t->raw.n != a->bytes, err, BORN_FORMAT, "it holds %zu bytes, its shape needs %zu", t->raw.n,
                     a->bytes);
        d->raw = t->raw;
        return BORN_OK;
    }
    if (!count) return BORN_OK;
    BORN_FAIL_IF(t->data_field != field_of(a->dtype), err, BORN_FORMAT, "it holds no %s data",
                 born__onnx_dtype_name(t->type));
    return check_numbers(t, t->data_field, count, d, err);
}

born_status born__pb_tensor_open(const pb_tensor *t, born_onnx_files *files, born_array *a, pb_data *d, born_error *err)
{
    char name[64];
    int64_t count, bytes;
    born_status st = BORN_OK;

    memset(a, 0, sizeof *a);
    memset(d, 0, sizeof *d);
    born__pb_text(t->name, name, sizeof name);
    a->dtype = born__onnx_dtype(t->type);
    BORN_FAIL_IF(!a->dtype, err, BORN_UNSUPPORTED, "tensor '%s': element type %s is not supported", name,
                 born__onnx_dtype_name(t->type));
    BORN_FAIL_IF(t->rank > BORN_MAX_RANK, err, BORN_UNSUPPORTED, "tensor '%s': rank %d, at most %d", name, t->rank,
                 BORN_MAX_RANK);
    a->shape.rank = t->rank;
    for (int i = 0; i < t->rank; i++) a->shape.dim[i] = t->dim[i];
    if (!born__shape_count(a->shape.dim, t->rank, &count) || (bytes = born_dtype_bytes(a->dtype, count)) < 0 ||
        (uint64_t)bytes > SIZE_MAX / 2)
        return born__fail(err, BORN_FORMAT, "tensor '%s': its size overflows", name);
    a->bytes = (size_t)bytes;
    st = find_data(t, files, count, a, d, err);
    if (st) {
        born__error_prefix(err, "tensor '%s'", name);
        return st;
    }
    size_t size = (size_t)born__dtype_info(a->dtype)->size;
    d->in_place = d->raw.p && born__dtype_info(a->dtype)->cls == 'F' && (uintptr_t)d->raw.p % size == 0;
    return BORN_OK;
}

static void store_number(born_dtype t, void *p, uint64_t v)
{
    uint16_t half = (uint16_t)v;
    uint32_t word = (uint32_t)v;
    uint8_t byte = (uint8_t)v;

    switch (born__dtype_info(t)->size) {
    case 1:
        if (t == BORN_BOOL) byte = v != 0;
        memcpy(p, &byte, 1);
        break;
    case 2: memcpy(p, &half, 2); break;
    case 4: memcpy(p, &word, 4); break;
    default: memcpy(p, &v, 8); break;
    }
}

/* The next number of a packed run; false at its end. */
static bool next_packed(pb_cursor *run, int wire, uint64_t *v)
{
    size_t step = wire == PB_FIXED64 ? 8 : 4;

    if (wire == PB_VARINT) return born__pb_varint(run, v);
    if ((size_t)(run->end - run->p) < step) return false;
    *v = step == 8 ? born__pb_load64(run->p) : born__pb_load32(run->p);
    run->p += step;
    return true;
}

/* Elements from a number field, one by one; never more than the array holds, whatever the bytes say by now. */
static born_status decode_numbers(const pb_tensor *t, const born_array *a, char *dst, born_error *err)
{
    size_t size = (size_t)born__dtype_info(a->dtype)->size, left = a->bytes / size;
    int wire = wire_of(t->data_field);
    pb_cursor c = pb_open(t->body);
    pb_field f;

    while (left && born__pb_next(&c, &f)) {
        if (f.id != t->data_field) continue;
        if (f.type == wire) {
            store_number(a->dtype, dst, f.number);
            dst += size;
            left--;
            continue;
        }
        pb_cursor run = pb_open(f.bytes);
        uint64_t v;
        for (; left && next_packed(&run, wire, &v); left--, dst += size) store_number(a->dtype, dst, v);
        if (run.bad) break;
    }
    BORN_FAIL_IF(left, err, BORN_FORMAT, "a tensor's numbers are malformed");
    return BORN_OK;
}

born_status born__pb_tensor_copy(const pb_tensor *t, const pb_data *d, const born_array *a, void *dst, born_error *err)
{
    uint8_t *p = dst;

    if (!a->bytes) return BORN_OK;
    if (!d->raw.p) return decode_numbers(t, a, dst, err);
    memcpy(dst, d->raw.p, a->bytes);
    if (a->dtype == BORN_BOOL)
        for (size_t i = 0; i < a->bytes; i++) p[i] = p[i] != 0;
    return BORN_OK;
}

born_status born__pb_array_read(const void *bytes, size_t n, size_t max_bytes, born_array *a, born_str *name,
                                born_error *err)
{
    pb_tensor t;
    pb_data d;

    BORN_TRY(born__pb_parse_tensor((pb_slice){ bytes, n }, &t, err));
    BORN_TRY(born__pb_tensor_open(&t, NULL, a, &d, err));
    BORN_FAIL_IF(max_bytes && a->bytes > max_bytes, err, BORN_NOMEM, "tensor: %zu bytes are above the limit of %zu",
                 a->bytes, max_bytes);
    void *p = born__alloc(a->bytes);
    BORN_FAIL_IF(!p, err, BORN_NOMEM, "tensor: out of memory");
    born_status st = born__pb_tensor_copy(&t, &d, a, p, err);
    if (st) {
        born__free(p);
        return st;
    }
    a->data = p;
    if (name) *name = t.name;
    return BORN_OK;
}

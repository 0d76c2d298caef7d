/* Random calls of the quantised products and convolutions. */
#include "support_cases.h"

#include <math.h>
#include <string.h>

#include "tensor/view.h"

static born_view one_value(kcase *k, born_dtype t, double v)
{
    born_view s = case_view(k, t, 0, NULL, 0);
    born__store_f64(t, s.data, v);
    return s;
}

/* qlinear_conv: x xs xz w ws wz ys yz bias; conv_integer: x w xz wz */
void case_qconv(kcase *k, born_dtype t)
{
    born_quant_conv_attrs *a = (born_quant_conv_attrs *)(void *)k->attrs;
    bool q = k->call.op->id == BORN_OP_QLINEAR_CONV, per_channel = case_chance(k, 50), depthwise = case_chance(k, 25);
    int s = (int)case_in(k, 1, 2);
    int64_t groups = depthwise ? case_in(k, 2, 40) : case_chance(k, 70) ? 1 : case_in(k, 2, 4);
    int64_t cg = depthwise ? 1 : case_in(k, 1, 20), mg = depthwise ? 1 : case_in(k, 1, 70), x[4], w[4], pads[4],
            stride[2];
    born_dtype wt = case_chance(k, 50) ? BORN_I8 : BORN_U8;

    x[0] = case_in(k, 1, 2);
    x[1] = groups * cg;
    w[0] = groups * mg;
    w[1] = cg;
    for (int i = 0; i < s; i++) {
        w[2 + i] = case_in(k, 1, case_chance(k, 5) ? 9 : 3);
        x[2 + i] = w[2 + i] + case_in(k, 0, 12);
        stride[i] = case_in(k, 1, 2);
        pads[i] = case_in(k, 0, 2);
        pads[s + i] = case_in(k, 0, 2);
    }
    a->group = groups;
    a->strides = case_ints(k, s, stride);
    a->pads = case_ints(k, 2 * s, pads);
    int64_t columns = per_channel ? w[0] : 1;
    born_view weight = case_view(k, wt, 2 + s, w, 0), wz = case_view(k, wt, per_channel, &columns, 0);
    born_view ws = case_view(k, BORN_F32, per_channel, &columns, 0);
    if (case_chance(k, 50)) memset(wz.data, wt == BORN_U8 ? 128 : 0, (size_t)columns);
    for (int64_t i = 0; i < columns; i++) ((float *)(void *)ws.data)[i] = (float)case_in(k, 1, 100) * 1e-3f;
    case_add(k, case_view(k, t, 2 + s, x, case_chance(k, 50) ? 0 : -1));
    born_view xz = case_view(k, t, 0, NULL, 0);
    if (!q) {
        case_add(k, weight);
        case_add(k, xz);
        case_add(k, wz);
        return;
    }
    case_add(k, one_value(k, BORN_F32, 0.02));
    case_add(k, xz);
    case_add(k, weight);
    case_add(k, ws);
    case_add(k, wz);
    case_add(k, one_value(k, BORN_F32, 0.3));
    case_add(k, case_view(k, case_chance(k, 50) ? BORN_I8 : BORN_U8, 0, NULL, 0));
    if (case_chance(k, 50)) case_add(k, case_view(k, BORN_I32, 1, &w[0], 0));
}

/* A scale or zero point of a matrix of rank 2 or more: of the tensor, of rows or columns, or of those of each
   matrix. */
static born_view some_param(kcase *k, born_dtype t, int rank, const int64_t *dim, bool left)
{
    int64_t d[8], n = left ? dim[rank - 2] : dim[rank - 1];

    if (case_chance(k, 40)) return case_view(k, t, 0, NULL, 0);
    if (case_chance(k, 50)) return case_view(k, t, 1, &n, -1);
    memcpy(d, dim, (size_t)rank * sizeof *d);
    d[left ? rank - 1 : rank - 2] = 1;
    return case_view(k, t, rank, d, -1);
}

/* matmul_integer a b az bz; qlinear_matmul a as az b bs bz ys yz; matmul_integer_to_float a b as bs az bz bias */
void case_qmm(kcase *k, born_dtype t)
{
    uint16_t op = k->call.op->id;
    int lead = case_chance(k, 50) ? 0 : (int)case_in(k, 1, 2), lb = case_chance(k, 50) ? lead : 0;
    int64_t da[8], db[8], m = case_in(k, 1, 30), n = case_in(k, 1, 90), kk = case_in(k, 1, 150);
    born_dtype bt = case_chance(k, 50) ? BORN_I8 : BORN_U8;

    if (case_chance(k, 10)) kk = case_in(k, 1000, 2100);
    for (int i = 0; i < lead; i++) {
        da[i] = case_in(k, 1, 3);
        if (lb) db[i] = case_chance(k, 30) ? 1 : da[i];
    }
    da[lead] = m;
    da[lead + 1] = db[lb] = kk;
    db[lb + 1] = n;
    born_view a = case_view(k, t, lead + 2, da, case_chance(k, 60) ? 0 : -1), b = case_view(k, bt, lb + 2, db, -1);
    born_view az = some_param(k, t, lead + 2, da, true), bz = some_param(k, bt, lb + 2, db, false);
    born_view as = some_param(k, BORN_F32, lead + 2, da, true), bs = some_param(k, BORN_F32, lb + 2, db, false);
    if (case_chance(k, 5)) {
        a = case_view(k, t, 1, &kk, -1);
        az = case_view(k, t, 0, NULL, 0);
        as = case_view(k, BORN_F32, 0, NULL, 0);
    }
    case_add(k, a);
    if (op == BORN_OP_QLINEAR_MATMUL) {
        case_add(k, as);
        case_add(k, az);
        case_add(k, b);
        case_add(k, bs);
        case_add(k, bz);
        case_add(k, one_value(k, BORN_F32, 0.3 * sqrt((double)kk)));
        case_add(k, case_view(k, case_chance(k, 50) ? BORN_I8 : BORN_U8, 0, NULL, 0));
        return;
    }
    case_add(k, b);
    if (op == BORN_OP_MATMUL_INTEGER_TO_FLOAT) {
        case_add(k, as);
        case_add(k, bs);
    }
    if (case_chance(k, 80)) {
        case_add(k, case_chance(k, 80) ? az : (born_view){ 0 });
        if (case_chance(k, 80)) case_add(k, bz);
    }
    if (op == BORN_OP_MATMUL_INTEGER_TO_FLOAT && k->call.in_count == 6 && case_chance(k, 60))
        case_add(k, case_view(k, BORN_F32, 1, &n, -1));
}

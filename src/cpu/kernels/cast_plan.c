/* Which steps lead from dtype to dtype (cast.h), and what the cast kernel takes.

   i32 and i64 to f16 go by f32: below 2^24 that is exact, above it the result is infinite either way. f64 and i32 to
   bf16 round once, because the f32 in between is rounded to odd; i64 to bf16 would need more bits than an f64 has and
   is left to the reference. */
#include "cpu/kernels/cast.h"

#include "cpu/queries.h"

enum { W_F32, W_F64, W_I32, W_I64, WIDE };

/* The wide type of a source and the step to it. */
static bool source_of(born_dtype t, int *wide, born_cast_step *step)
{
    *step = BORN_CAST_NONE;
    switch (t) {
    case BORN_F32: *wide = W_F32; break;
    case BORN_F16: *wide = W_F32, *step = BORN_CAST_F16_F32; break;
    case BORN_BF16: *wide = W_F32, *step = BORN_CAST_BF16_F32; break;
    case BORN_F64: *wide = W_F64; break;
    case BORN_I32: *wide = W_I32; break;
    case BORN_I8: *wide = W_I32, *step = BORN_CAST_I8_I32; break;
    case BORN_U8: *wide = W_I32, *step = BORN_CAST_U8_I32; break;
    case BORN_BOOL: *wide = W_I32, *step = BORN_CAST_BOOL_I32; break;
    case BORN_I64: *wide = W_I64; break;
    default: return false;
    }
    return true;
}

#define S(name) BORN_CAST_##name
/* From each wide type; NONE first: no step is needed where the target is the wide type, else there is no way. */
typedef struct route { born_dtype to; born_cast_step step[WIDE][3]; } route;
static const route routes[] = {
    { BORN_F32, { { 0 }, { S(F64_F32) }, { S(I32_F32) }, { S(I64_F32) } } },
    { BORN_F16,
      { { S(F32_F16) }, { S(F64_ODD), S(F32_F16) }, { S(I32_F32), S(F32_F16) }, { S(I64_F32), S(F32_F16) } } },
    { BORN_BF16, { { S(F32_BF16) }, { S(F64_ODD), S(F32_BF16) }, { S(I32_F64), S(F64_ODD), S(F32_BF16) }, { 0 } } },
    { BORN_F64, { { S(F32_F64) }, { 0 }, { S(I32_F64) }, { S(I64_F64) } } },
    { BORN_I32, { { S(F32_I32) }, { S(F64_I32) }, { 0 }, { S(I64_I32) } } },
    { BORN_I64, { { S(F32_I64) }, { S(F64_I64) }, { S(I32_I64) }, { 0 } } },
    { BORN_I8, { { S(F32_I32), S(I32_SATI8) }, { S(F64_I32), S(I32_SATI8) }, { S(I32_LOW8) },
                 { S(I64_I32), S(I32_LOW8) } } },
    { BORN_U8, { { S(F32_I32), S(I32_SATU8) }, { S(F64_I32), S(I32_SATU8) }, { S(I32_LOW8) },
                 { S(I64_I32), S(I32_LOW8) } } },
    { BORN_BOOL, { { S(F32_BOOL) }, { S(F64_BOOL) }, { S(I32_BOOL) }, { S(I64_BOOL) } } },
};
#undef S

int born__cast_chain(born_dtype from, born_dtype to, born_cast_step step[BORN_CAST_CHAIN])
{
    int wide, n = 0;
    born_cast_step first;

    if (from == to || !source_of(from, &wide, &first)) return 0;
    if (first) step[n++] = first;
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (routes[i].to != to) continue;
        const born_cast_step *way = routes[i].step[wide];
        bool there = (to == BORN_F32 && wide == W_F32) || (to == BORN_I32 && wide == W_I32);
        if (!way[0] && !there) return 0;
        for (int k = 0; k < 3 && way[k]; k++) step[n++] = way[k];
        return n;
    }
    return 0;
}

bool born__query_cast(const born_call *c, born_query *q)
{
    born_cast_step step[BORN_CAST_CHAIN];

    (void)q;
    return c->in_count == 1 && born__cast_chain(c->in[0].dtype, c->out[0].dtype, step) > 0;
}

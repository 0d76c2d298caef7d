/* Defines the exported symbols of operators whose public form needs no thought: operands, perhaps attributes. They come
   from the rows of the public headers; those with further parameters (rows ...X) are in op_params.c. */
#include <born/born.h>

#include "api/op_names.h"
#include "waist/chain.h"

#include "api/op_undef.h"

#define CALL(name, n, attrs, ...)                                                                                     \
    {                                                                                                                 \
        const born_tensor in[] = { __VA_ARGS__ };                                                                     \
        return born__op_call(BORN__ID(name), in, n, attrs, 1, NULL, at);                                              \
    }
#define DEF1(name) born_tensor(born_##name)(born_tensor a, const born_site *at) CALL(name, 1, NULL, a)
#define DEF2(name) born_tensor(born_##name)(born_tensor a, born_tensor b, const born_site *at) CALL(name, 2, NULL, a, b)
#define DEF1A(name, set)                                                                                              \
    born_tensor(born_##name)(born_tensor a, const born_##set##_attrs *attrs, const born_site *at)                     \
    CALL(name, 1, attrs, a)
#define DEF2A(name, set)                                                                                              \
    born_tensor(born_##name)(born_tensor a, born_tensor b, const born_##set##_attrs *attrs, const born_site *at)      \
    CALL(name, 2, attrs, a, b)

#define BORN_OP1(name, SET) DEF1(name)
#define BORN_OP2(name, SET) DEF2(name)
#define BORN_OP3(name, SET)                                                                                           \
    born_tensor(born_##name)(born_tensor a, born_tensor b, born_tensor c, const born_site *at)                        \
    CALL(name, 3, NULL, a, b, c)
#define BORN_OP4(name, SET)                                                                                           \
    born_tensor(born_##name)(born_tensor a, born_tensor b, born_tensor c, born_tensor d, const born_site *at)         \
    CALL(name, 4, NULL, a, b, c, d)
#define BORN_OP1A(name, SET, set) DEF1A(name, set)
#define BORN_OP2A(name, SET, set) DEF2A(name, set)
#define BORN_OP3A(name, SET, set)                                                                                     \
    born_tensor(born_##name)(born_tensor a, born_tensor b, born_tensor c, const born_##set##_attrs *attrs,            \
                             const born_site *at)                                                                     \
    CALL(name, 3, attrs, a, b, c)
#define BORN_OP4A(name, SET, set)                                                                                     \
    born_tensor(born_##name)(born_tensor a, born_tensor b, born_tensor c, born_tensor d,                              \
                             const born_##set##_attrs *attrs, const born_site *at)                                    \
    CALL(name, 4, attrs, a, b, c, d)
#define BORN_OP5A(name, SET, set)                                                                                     \
    born_tensor(born_##name)(born_tensor a, born_tensor b, born_tensor c, born_tensor d, born_tensor e,               \
                             const born_##set##_attrs *attrs, const born_site *at)                                    \
    CALL(name, 5, attrs, a, b, c, d, e)
#define BORN_OP1R(name, SET, R) DEF1(name)
#define BORN_OP1RA(name, SET, R, set) DEF1A(name, set)
#define BORN_OP2N(name, SET) DEF2(name)
#define BORN_OP2NA(name, SET, set) DEF2A(name, set)
#define BORN_OP2NR(name, SET, R) DEF2(name)
#define BORN_OPWHERE(name, SET)                                                                                       \
    born_tensor(born_##name)(born_tensor k, born_tensor a, born_tensor b, const born_site *at)                        \
    CALL(name, 3, NULL, k, a, b)
#define BORN_OPCAST(name)                                                                                             \
    born_tensor(born_##name)(born_tensor a, born_dtype to, const born_site *at)                                       \
    CALL(name, 1, (&(const born_##name##_attrs){ .to = to }), a)
#define BORN_OP1X(name, SET, params, args)
#define BORN_OP2X(name, SET, params, args)
#define BORN_OP3X(name, SET, params, args)
#define BORN_OP4X(name, SET, params, args)
#define BORN_OP5X(name, SET, params, args)
#define BORN_OP1RX(name, SET, R, params, args)
#define BORN_OPANY(name, params, args)
#define BORN_OPIDX1(name, SET, params, args)
#define BORN_OPIDX2A(name, SET, set)                                                                                  \
    born_tensor(born_##name)(born_tensor a, born_tensor i, born_tensor b, const born_##set##_attrs *attrs,            \
                             const born_site *at)                                                                     \
    CALL(name, 3, attrs, a, i, b)
#define BORN_OPLIST(name, params, args)
#define BORN_OPSPLIT(name, params, args)
#define BORN_OPMAKE(name, params, args)
#include "api/op_rows.h"

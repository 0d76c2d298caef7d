/* How the public operators are declared. An operator is three things in op_<family>.h: a doc comment, a row, a
   selector.

   The row declares the exported symbol, born_<name>, which works on born_tensor and takes a call site (NULL allowed)
   last; one inline form per dtype of its set, born_<name>_<dtype>, over it; and in C++ overloads of born_<name>. The
   rows:

       BORN_OP<n>(name, SET)              n operands of one dtype, a result of that dtype
       BORN_OP<n>A(name, SET, set)        and attributes: const born_<set>_attrs *, NULL: defaults
       BORN_OP<n>X(name, SET, (params), (args))     and other parameters, written with a leading comma
       BORN_OP<n>R, RA, RX(name, SET, _dtype, ...)  the result is of that dtype instead
       BORN_OP2N, 2NA, 2NR                the second operand may be a C number
       BORN_OPWHERE(name, SET)            a bool operand first
       BORN_OPIDX1, IDX2A                 an i32 or i64 index (BORN_INDEX) second; IDX2A: then one more operand
       BORN_OPLIST(name, (params), (args))     an array of one typed handle and its length first
       BORN_OPSPLIT(name, (params), (args))    one operand and an array for the results
       BORN_OPMAKE(name, (params), (args))     no operand
       BORN_OPCAST(name)                  any handle and a dtype; the result's dtype is known at run time
       BORN_OPANY(name, (params), (args)) any handle and other parameters, likewise

   SET is FLT (f32 f64 f16 bf16), F32H (FLT without f64), INT, UINT, NUM (FLT and INT), ALL (NUM and bool), BOOL. The
   selector is a macro of the same name that picks the inline form by the type of the first operand, evaluates each
   argument once, and passes the call site. The library reads the rows a second time to define the symbols, and a test
   compares them with ops.def. */
#ifndef BORN_OP_FORMS_H
#define BORN_OP_FORMS_H
#if defined(__GNUC__) && !defined(BORN_LINT_HEADERS)
#pragma GCC system_header
#endif
#include "attrs.h"
#include "device.h"

BORN_C_BEGIN
/* A rank-0 tensor of like's dtype and chain, the caller's until born_drop: what a C number operand becomes. RANGE
   where an integer dtype cannot hold v exactly. */
BORN_API born_tensor born_number_like(born_tensor like, double v, const born_site *at);
BORN_C_END

#define BORN__LIST(...) __VA_ARGS__
#define BORN__OPEN(list) BORN__LIST list

#define BORN__FOR_BOOL(X, ...) X(_bool, __VA_ARGS__)
#define BORN__FOR_FLT(X, ...) X(_f32, __VA_ARGS__) X(_f64, __VA_ARGS__) X(_f16, __VA_ARGS__) X(_bf16, __VA_ARGS__)
#define BORN__FOR_F32H(X, ...) X(_f32, __VA_ARGS__) X(_f16, __VA_ARGS__) X(_bf16, __VA_ARGS__)
#define BORN__FOR_UINT(X, ...) X(_u8, __VA_ARGS__) X(_u16, __VA_ARGS__) X(_u32, __VA_ARGS__) X(_u64, __VA_ARGS__)
#define BORN__FOR_INT(X, ...)                                                                                         \
    X(_i8, __VA_ARGS__) X(_i16, __VA_ARGS__) X(_i32, __VA_ARGS__) X(_i64, __VA_ARGS__) BORN__FOR_UINT(X, __VA_ARGS__)
#define BORN__FOR_NUM(X, ...) BORN__FOR_FLT(X, __VA_ARGS__) BORN__FOR_INT(X, __VA_ARGS__)
#define BORN__FOR_ALL(X, ...) BORN__FOR_NUM(X, __VA_ARGS__) BORN__FOR_BOOL(X, __VA_ARGS__)

#ifndef __cplusplus
#define BORN__GEN_FLT_(fn) born_f32: fn##_f32, born_f64: fn##_f64, born_f16: fn##_f16, born_bf16: fn##_bf16
#define BORN__GEN_F32H_(fn) born_f32: fn##_f32, born_f16: fn##_f16, born_bf16: fn##_bf16
#define BORN__GEN_UINT_(fn) born_u8: fn##_u8, born_u16: fn##_u16, born_u32: fn##_u32, born_u64: fn##_u64
#define BORN__GEN_INT_(fn)                                                                                            \
    born_i8: fn##_i8, born_i16: fn##_i16, born_i32: fn##_i32, born_i64: fn##_i64, born_u8: fn##_u8,                   \
    born_u16: fn##_u16, born_u32: fn##_u32, born_u64: fn##_u64
#define BORN__GEN_NUM_(fn)                                                                                            \
    born_f32: fn##_f32, born_f64: fn##_f64, born_f16: fn##_f16, born_bf16: fn##_bf16, born_i8: fn##_i8,               \
    born_i16: fn##_i16, born_i32: fn##_i32, born_i64: fn##_i64, born_u8: fn##_u8, born_u16: fn##_u16,                 \
    born_u32: fn##_u32, born_u64: fn##_u64
#define BORN__GEN_BOOL_(fn) born_bool: fn##_bool
#define BORN__GEN_ALL_(fn)                                                                                            \
    born_f32: fn##_f32, born_f64: fn##_f64, born_f16: fn##_f16, born_bf16: fn##_bf16, born_i8: fn##_i8,               \
    born_i16: fn##_i16, born_i32: fn##_i32, born_i64: fn##_i64, born_u8: fn##_u8, born_u16: fn##_u16,                 \
    born_u32: fn##_u32, born_u64: fn##_u64, born_bool: fn##_bool
#define BORN__GEN(SET, fn, x) _Generic((x), BORN__GEN_##SET##_(fn), born_tensor: fn)
#define BORN__GEN_LIST(fn, x)                                                                                         \
    _Generic((x), born_tensor *: fn, const born_tensor *: fn, BORN__GEN_PTR_(fn, f32), BORN__GEN_PTR_(fn, f64),       \
        BORN__GEN_PTR_(fn, f16), BORN__GEN_PTR_(fn, bf16), BORN__GEN_PTR_(fn, i8), BORN__GEN_PTR_(fn, i16),           \
        BORN__GEN_PTR_(fn, i32), BORN__GEN_PTR_(fn, i64), BORN__GEN_PTR_(fn, u8), BORN__GEN_PTR_(fn, u16),            \
        BORN__GEN_PTR_(fn, u32), BORN__GEN_PTR_(fn, u64), born_bool *: fn##_bool, const born_bool *: fn##_bool)
#define BORN__GEN_PTR_(fn, T) born_##T *: fn##_##T, const born_##T *: fn##_##T
/* An index operand: i32, i64, or a tensor whose dtype is known at run time. */
#define BORN_INDEX(i)                                                                                                 \
    (_Generic((i), born_i64: born__any_i64, born_i32: born__any_i32, born_tensor: born__any_tensor)(i))
/* by the second operand where that is a tensor, else the number form of the first */
#define BORN__GEN2(SET, fn, x, y)                                                                                     \
    _Generic((y), BORN__GEN_##SET##_(fn), born_tensor: fn,                                                            \
        default: _Generic((x), BORN__GEN_##SET##_(fn##_number), born_tensor: fn##_number))
#endif

/* ---- selectors ------------------------------------------------------------------------------------------------- */

#if defined(__cplusplus)
#define BORN_SEL(SET, fn, x) fn(x)
#define BORN_SEL_N(SET, fn, x, ...) fn(x, __VA_ARGS__)
#define BORN_SEL_2(SET, fn, x, y) fn(x, y)
#define BORN_SEL_2N(SET, fn, x, y, ...) fn(x, y, __VA_ARGS__)
#define BORN_SEL_W(SET, fn, c, x, y) fn(c, x, y)
#define BORN_SEL_LIST(fn, xs, ...) fn(xs, __VA_ARGS__)
#define BORN_SEL_MAKE(fn, ...) fn(__VA_ARGS__)
#elif defined(__GNUC__)
#define BORN__AT const born_site born__at = { __FILE__, __LINE__ }
#define BORN_SEL(SET, fn, x)                                                                                          \
    __extension__({ BORN__AT; __auto_type born__a = (x); BORN__GEN(SET, fn, born__a)(born__a, &born__at); })
#define BORN_SEL_N(SET, fn, x, ...)                                                                                   \
    __extension__({ BORN__AT; __auto_type born__a = (x);                                                              \
                    BORN__GEN(SET, fn, born__a)(born__a, __VA_ARGS__, &born__at); })
#define BORN_SEL_2(SET, fn, x, y)                                                                                     \
    __extension__({ BORN__AT; __auto_type born__a = (x); __auto_type born__b = (y);                                   \
                    BORN__GEN2(SET, fn, born__a, born__b)(born__a, born__b, &born__at); })
#define BORN_SEL_2N(SET, fn, x, y, ...)                                                                               \
    __extension__({ BORN__AT; __auto_type born__a = (x); __auto_type born__b = (y);                                   \
                    BORN__GEN2(SET, fn, born__a, born__b)(born__a, born__b, __VA_ARGS__, &born__at); })
#define BORN_SEL_W(SET, fn, c, x, y)                                                                                  \
    __extension__({ BORN__AT; __auto_type born__a = (x);                                                              \
                    BORN__GEN(SET, fn, born__a)((c), born__a, (y), &born__at); })
#define BORN_SEL_LIST(fn, xs, ...)                                                                                    \
    __extension__({ BORN__AT; __auto_type born__a = (xs);                                                             \
                    BORN__GEN_LIST(fn, born__a)(born__a, __VA_ARGS__, &born__at); })
#define BORN_SEL_MAKE(fn, ...) __extension__({ BORN__AT; (fn)(__VA_ARGS__, &born__at); })
#else
#define BORN__AT (&(const born_site){ __FILE__, __LINE__ })
#define BORN_SEL(SET, fn, x) BORN__GEN(SET, fn, x)((x), BORN__AT)
#define BORN_SEL_N(SET, fn, x, ...) BORN__GEN(SET, fn, x)((x), __VA_ARGS__, BORN__AT)
#define BORN_SEL_2(SET, fn, x, y) BORN__GEN2(SET, fn, x, y)((x), (y), BORN__AT)
#define BORN_SEL_2N(SET, fn, x, y, ...) BORN__GEN2(SET, fn, x, y)((x), (y), __VA_ARGS__, BORN__AT)
#define BORN_SEL_W(SET, fn, c, x, y) BORN__GEN(SET, fn, x)((c), (x), (y), BORN__AT)
#define BORN_SEL_LIST(fn, xs, ...) BORN__GEN_LIST(fn, xs)((xs), __VA_ARGS__, BORN__AT)
#define BORN_SEL_MAKE(fn, ...) (fn)(__VA_ARGS__, BORN__AT)
#endif

#if defined(__cplusplus)
#define BORN_SEL_ANY(fn, x, ...) fn(born__any(x), __VA_ARGS__)
#elif defined(__GNUC__)
#define BORN_SEL_ANY(fn, x, ...)                                                                                      \
    __extension__({ BORN__AT; (fn)(BORN_ANY(x), __VA_ARGS__, &born__at); })
#else
#define BORN_SEL_ANY(fn, x, ...) (fn)(BORN_ANY(x), __VA_ARGS__, BORN__AT)
#endif

/* ---- rows ------------------------------------------------------------------------------------------------------ */

#ifdef __cplusplus
#define BORN__HERE , const char *born__file = __builtin_FILE(), int born__line = __builtin_LINE()
#define BORN__SITE born_site born__at = { born__file, born__line };
#define BORN__CXX(...) __VA_ARGS__
#define BORN_ANY(x) born__any(x)
inline born_tensor born__index(born_tensor i) { return i; }
inline born_tensor born__index(born_i32 i) { return i.any; }
inline born_tensor born__index(born_i64 i) { return i.any; }
#define BORN_INDEX(i) born__index(i)
#else
#define BORN__CXX(...)
#endif

/* One inline form: returns R, over the symbol born_<name>; operands o, their handles h. `params` and `args` are lists
   with a leading comma. */
#define BORN__INLINE(R, T, name, o, h, params, args)                                                                  \
    static inline born##R born_##name##T(BORN__OPEN(o) BORN__OPEN(params), const born_site *at)                       \
    {                                                                                                                 \
        born##R born__r = { (born_##name)(BORN__OPEN(h) BORN__OPEN(args), at) };                                      \
        return born__r;                                                                                               \
    }                                                                                                                 \
    BORN__CXX(inline born##R born_##name(BORN__OPEN(o) BORN__OPEN(params) BORN__HERE)                                 \
              { BORN__SITE born##R born__r = { born_##name(BORN__OPEN(h) BORN__OPEN(args), &born__at) };              \
                return born__r; })
/* The exported symbol, and in C++ its form without a site. */
#define BORN__SYMBOL(name, o, h, params, args)                                                                        \
    BORN_C_BEGIN BORN_API born_tensor born_##name(BORN__OPEN(o) BORN__OPEN(params), const born_site *at); BORN_C_END  \
    BORN__CXX(inline born_tensor born_##name(BORN__OPEN(o) BORN__OPEN(params) BORN__HERE)                             \
              { BORN__SITE return born_##name(BORN__OPEN(h) BORN__OPEN(args), &born__at); })

#define BORN__O1(T) (born##T a)
#define BORN__O2(T) (born##T a, born##T b)
#define BORN__O3(T) (born##T a, born##T b, born##T c)
#define BORN__O4(T) (born##T a, born##T b, born##T c, born##T d)
#define BORN__O5(T) (born##T a, born##T b, born##T c, born##T d, born##T e)
#define BORN__H1 (a.any)
#define BORN__H2 (a.any, b.any)
#define BORN__H3 (a.any, b.any, c.any)
#define BORN__H4 (a.any, b.any, c.any, d.any)
#define BORN__H5 (a.any, b.any, c.any, d.any, e.any)
#define BORN__V1 (a)
#define BORN__V2 (a, b)
#define BORN__V3 (a, b, c)
#define BORN__V4 (a, b, c, d)
#define BORN__V5 (a, b, c, d, e)

#define BORN__SAME(T, n, name, params, args) BORN__INLINE(T, T, name, BORN__O##n(T), BORN__H##n, params, args)
#define BORN__FIXED(T, n, name, R, params, args) BORN__INLINE(R, T, name, BORN__O##n(T), BORN__H##n, params, args)
#define BORN__DECL(n, name, SET, params, args)                                                                        \
    BORN__SYMBOL(name, BORN__O##n(_tensor), BORN__V##n, params, args) BORN__FOR_##SET(BORN__SAME, n, name, params, args)
#define BORN__DECL_R(n, name, SET, R, params, args)                                                                   \
    BORN__SYMBOL(name, BORN__O##n(_tensor), BORN__V##n, params, args)                                                 \
    BORN__FOR_##SET(BORN__FIXED, n, name, R, params, args)

/* The number forms of a binary operator. */
#define BORN__NUMBER(T, name, R, params, args)                                                                        \
    static inline born##R born_##name##_number##T(born##T a, double b BORN__OPEN(params), const born_site *at)        \
    {                                                                                                                 \
        born##R born__r = { born_##name##_number(a.any, b BORN__OPEN(args), at) };                                    \
        return born__r;                                                                                               \
    }                                                                                                                 \
    BORN__CXX(inline born##R born_##name(born##T a, double b BORN__OPEN(params) BORN__HERE)                           \
              { BORN__SITE return born_##name##_number##T(a, b BORN__OPEN(args), &born__at); })
#define BORN__NUMBER_SAME(T, name, params, args) BORN__NUMBER(T, name, T, params, args)
#define BORN__NUMBER_SYMBOL(name, params, args)                                                                       \
    static inline born_tensor born_##name##_number(born_tensor a, double b BORN__OPEN(params), const born_site *at)   \
    {                                                                                                                 \
        born_tensor born__n = born_number_like(a, b, at);                                                             \
        born_tensor born__r = (born_##name)(a, born__n BORN__OPEN(args), at);                                         \
        (born_drop)(&born__n);                                                                                        \
        return born__r;                                                                                               \
    }                                                                                                                 \
    BORN__CXX(inline born_tensor born_##name(born_tensor a, double b BORN__OPEN(params) BORN__HERE)                   \
              { BORN__SITE return born_##name##_number(a, b BORN__OPEN(args), &born__at); })
#define BORN__DECL_NUMBER(name, SET, params, args)                                                                    \
    BORN__DECL(2, name, SET, params, args) BORN__NUMBER_SYMBOL(name, params, args)                                    \
    BORN__FOR_##SET(BORN__NUMBER_SAME, name, params, args)

#define BORN__ATTRS_P(set) (, const born_##set##_attrs *attrs)
#define BORN__ATTRS_A (, attrs)

#define BORN__IDX2(T, name, params, args)                                                                             \
    BORN__INLINE(T, T, name, (born##T a, born_tensor i, born##T b), (a.any, i, b.any), params, args)
#define BORN__LIST_OF(T, name, params, args)                                                                          \
    BORN__INLINE(T, T, name, (const born##T *xs, int n), (xs ? &xs->any : (const born_tensor *)0, n), params, args)
#define BORN__SPLIT(T, name, params, args)                                                                            \
    BORN__INLINE(T, T, name, (born##T a, born##T *out, int n), (a.any, out ? &out->any : (born_tensor *)0, n), params, \
                 args)
#define BORN__WHERE(T, name)                                                                                          \
    BORN__INLINE(T, T, name, (born_bool k, born##T a, born##T b), (k.any, a.any, b.any), (), ())
#endif

/* The rows themselves: defined again before each reading. */
#ifndef BORN__OP_ROWS
#define BORN__OP_ROWS
#define BORN_OP1(name, SET) BORN__DECL(1, name, SET, (), ())
#define BORN_OP2(name, SET) BORN__DECL(2, name, SET, (), ())
#define BORN_OP3(name, SET) BORN__DECL(3, name, SET, (), ())
#define BORN_OP4(name, SET) BORN__DECL(4, name, SET, (), ())
#define BORN_OP1A(name, SET, set) BORN__DECL(1, name, SET, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP2A(name, SET, set) BORN__DECL(2, name, SET, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP3A(name, SET, set) BORN__DECL(3, name, SET, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP4A(name, SET, set) BORN__DECL(4, name, SET, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP5A(name, SET, set) BORN__DECL(5, name, SET, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP1X(name, SET, params, args) BORN__DECL(1, name, SET, params, args)
#define BORN_OP2X(name, SET, params, args) BORN__DECL(2, name, SET, params, args)
#define BORN_OP3X(name, SET, params, args) BORN__DECL(3, name, SET, params, args)
#define BORN_OP4X(name, SET, params, args) BORN__DECL(4, name, SET, params, args)
#define BORN_OP5X(name, SET, params, args) BORN__DECL(5, name, SET, params, args)
#define BORN_OP1R(name, SET, R) BORN__DECL_R(1, name, SET, R, (), ())
#define BORN_OP1RA(name, SET, R, set) BORN__DECL_R(1, name, SET, R, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP1RX(name, SET, R, params, args) BORN__DECL_R(1, name, SET, R, params, args)
#define BORN_OP2N(name, SET) BORN__DECL_NUMBER(name, SET, (), ())
#define BORN_OP2NA(name, SET, set) BORN__DECL_NUMBER(name, SET, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OP2NR(name, SET, R)                                                                                      \
    BORN__DECL_R(2, name, SET, R, (), ()) BORN__NUMBER_SYMBOL(name, (), ())                                           \
    BORN__FOR_##SET(BORN__NUMBER, name, R, (), ())
#define BORN_OPIDX1(name, SET, params, args)                                                                          \
    BORN__DECL(1, name, SET, (, born_tensor i BORN__OPEN(params)), (, i BORN__OPEN(args)))
#define BORN_OPIDX2A(name, SET, set)                                                                                  \
    BORN__SYMBOL(name, (born_tensor a, born_tensor i, born_tensor b), (a, i, b), BORN__ATTRS_P(set), BORN__ATTRS_A)   \
    BORN__FOR_##SET(BORN__IDX2, name, BORN__ATTRS_P(set), BORN__ATTRS_A)
#define BORN_OPLIST(name, params, args)                                                                               \
    BORN__SYMBOL(name, (const born_tensor *xs, int n), (xs, n), params, args)                                         \
    BORN__FOR_ALL(BORN__LIST_OF, name, params, args)
#define BORN_OPSPLIT(name, params, args)                                                                              \
    BORN__SYMBOL(name, (born_tensor a, born_tensor *out, int n), (a, out, n), params, args)                           \
    BORN__FOR_ALL(BORN__SPLIT, name, params, args)
#define BORN_OPMAKE(name, params, args) BORN__SYMBOL(name, params, args, (), ())
#define BORN_OPCAST(name) BORN__SYMBOL(name, (born_tensor a, born_dtype to), (a, to), (), ())
#define BORN_OPANY(name, params, args) BORN__SYMBOL(name, (born_tensor a), (a), params, args)
#define BORN_OPWHERE(name, SET)                                                                                       \
    BORN__SYMBOL(name, (born_tensor k, born_tensor a, born_tensor b), (k, a, b), (), ())                              \
    BORN__FOR_##SET(BORN__WHERE, name)
#endif

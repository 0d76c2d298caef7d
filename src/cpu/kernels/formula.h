/* <CLASS>_<dtypes of a row>(text): text where the row's formula has a kernel for the class, else nothing. By the
   spelling of the dtypes column, since the preprocessor cannot test a mask. FLOATS: f32, and f16 and bf16 through it.
   REALS: f64, of which only formulas that integers have too; the others are libm's. INTS: i32 and i64. BOOLS. */
#ifndef BORN_CPU_FORMULA_H
#define BORN_CPU_FORMULA_H
#define FLOATS_BORN_DT_FLOAT(...) __VA_ARGS__
#define FLOATS_BORN_DT_NUM(...) __VA_ARGS__
#define FLOATS_BORN_DT_ALL(...) __VA_ARGS__
#define FLOATS_BORN_DT_INT(...)
#define FLOATS_BORN_DT_UINT(...)
#define FLOATS_BORN_DT_BOOL(...)
#define REALS_BORN_DT_FLOAT(...)
#define REALS_BORN_DT_NUM(...) __VA_ARGS__
#define REALS_BORN_DT_ALL(...) __VA_ARGS__
#define REALS_BORN_DT_INT(...)
#define REALS_BORN_DT_UINT(...)
#define REALS_BORN_DT_BOOL(...)
#define INTS_BORN_DT_FLOAT(...)
#define INTS_BORN_DT_NUM(...) __VA_ARGS__
#define INTS_BORN_DT_ALL(...) __VA_ARGS__
#define INTS_BORN_DT_INT(...) __VA_ARGS__
#define INTS_BORN_DT_UINT(...)
#define INTS_BORN_DT_BOOL(...)
#define BOOLS_BORN_DT_FLOAT(...)
#define BOOLS_BORN_DT_NUM(...)
#define BOOLS_BORN_DT_ALL(...) __VA_ARGS__
#define BOOLS_BORN_DT_INT(...)
#define BOOLS_BORN_DT_UINT(...)
#define BOOLS_BORN_DT_BOOL(...) __VA_ARGS__
#endif

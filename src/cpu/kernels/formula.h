/* FLOATS_<dtypes of a row>(text): text where the row's formula is read for floats, else nothing. By the spelling of the
   dtypes column, since the preprocessor cannot test a mask. */
#ifndef BORN_CPU_FORMULA_H
#define BORN_CPU_FORMULA_H
#define FLOATS_BORN_DT_FLOAT(...) __VA_ARGS__
#define FLOATS_BORN_DT_NUM(...) __VA_ARGS__
#define FLOATS_BORN_DT_ALL(...) __VA_ARGS__
#define FLOATS_BORN_DT_INT(...)
#define FLOATS_BORN_DT_UINT(...)
#define FLOATS_BORN_DT_BOOL(...)
#endif

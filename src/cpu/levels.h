/* The ISA levels compiled into this library, and the names of what an ISA object defines. A file that ends in _k.c is
   compiled once per level with BORN_LEVEL_NAME set to the level's name and the level's compiler flags; the only global
   symbols it defines are BORN_K(...). Everything else includes this file to list levels. */
#ifndef BORN_CPU_LEVELS_H
#define BORN_CPU_LEVELS_H

/* BORN_LEVELS(X, ...): X(level, LEVEL, ...) for each level, best last. BORN_LEVELS_LANES: those with vector registers,
   where the machine has such; its scalar level then runs the reference, whose bits are the same, and the tool is
   smaller by a copy that only processors without AVX2 would run. */
#if defined(__x86_64__)
#define BORN_LEVELS_LANES(X, ...) X(avx2, AVX2, __VA_ARGS__) X(avx512, AVX512, __VA_ARGS__)
#define BORN_LEVELS(X, ...) X(scalar, SCALAR, __VA_ARGS__) BORN_LEVELS_LANES(X, __VA_ARGS__)
/* the same for kernels made of integer dot products */
#define BORN_LEVELS_DOT(X, ...) BORN_LEVELS(X, __VA_ARGS__) X(avx512vnni, AVX512VNNI, __VA_ARGS__)
#elif defined(__aarch64__)
#define BORN_LEVELS_LANES(X, ...) X(neon, NEON, __VA_ARGS__)
#define BORN_LEVELS(X, ...) X(scalar, SCALAR, __VA_ARGS__) BORN_LEVELS_LANES(X, __VA_ARGS__)
#define BORN_LEVELS_DOT(X, ...) BORN_LEVELS(X, __VA_ARGS__)
#else
#define BORN_LEVELS(X, ...) X(scalar, SCALAR, __VA_ARGS__)
#define BORN_LEVELS_LANES(X, ...) BORN_LEVELS(X, __VA_ARGS__)
#define BORN_LEVELS_DOT(X, ...) BORN_LEVELS(X, __VA_ARGS__)
#endif

#define BORN_CAT3_(a, b, c) a##b##c
#define BORN_CAT3(a, b, c) BORN_CAT3_(a, b, c)
#define BORN_CAT2_(a, b) a##b
#define BORN_CAT2(a, b) BORN_CAT2_(a, b)

#ifdef BORN_LEVEL_NAME
#define BORN_K(name) BORN_CAT3(born_k_, name##_, BORN_LEVEL_NAME)
#define BORN__LEVEL_IS_scalar 1
#define BORN__LEVEL_IS_avx2 2
#define BORN__LEVEL_IS_avx512 3
#define BORN__LEVEL_IS_avx512vnni 4
#define BORN__LEVEL_IS_neon 5
/* a number usable in #if: compare with the ones above */
#define BORN_LEVEL_IS BORN_CAT2(BORN__LEVEL_IS_, BORN_LEVEL_NAME)
#endif
#endif

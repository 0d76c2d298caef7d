/* The floating-point control word: every run enters with rounding to nearest, no flush to zero and no traps, and
   leaves with the caller's word. Inline because an eager call pays for it. Nothing to do where the machine has one
   mode only (wasm). */
#ifndef BORN_BASE_FPENV_H
#define BORN_BASE_FPENV_H
#include <stdint.h>

typedef struct born_fpenv {
    uint64_t word;
} born_fpenv;

#if defined(__SSE__)
#include <xmmintrin.h>
#define BORN__FP_DEFAULT 0x1f80u        /* all exceptions masked, nearest, FTZ and DAZ off */
static inline uint64_t born__fpenv_get(void)
{
    return _mm_getcsr();
}
static inline void born__fpenv_put(uint64_t w)
{
    _mm_setcsr((unsigned)w);
}
static inline uint64_t born__fpenv_plain(uint64_t w)
{
    return BORN__FP_DEFAULT | (w & 0x3fu);      /* sticky flags stay, so that an equal word needs no write */
}
#elif defined(__aarch64__)
static inline uint64_t born__fpenv_get(void)
{
    uint64_t w;
    __asm__ volatile("mrs %0, fpcr" : "=r"(w));
    return w;
}
static inline void born__fpenv_put(uint64_t w)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(w) : "memory");
}
static inline uint64_t born__fpenv_plain(uint64_t w)
{
    (void)w;
    return 0;
}
#elif defined(__arm__) && defined(__ARM_FP)
static inline uint64_t born__fpenv_get(void)
{
    uint32_t w;
    __asm__ volatile("vmrs %0, fpscr" : "=r"(w));
    return w;
}
static inline void born__fpenv_put(uint64_t w)
{
    __asm__ volatile("vmsr fpscr, %0" : : "r"((uint32_t)w) : "memory");
}
static inline uint64_t born__fpenv_plain(uint64_t w)
{
    return w & ~(uint64_t)0x03c09f00u;          /* DN, FZ, rounding mode, trap enables */
}
#elif defined(__riscv) && defined(__riscv_flen)
static inline uint64_t born__fpenv_get(void)
{
    unsigned long w;
    __asm__ volatile("frrm %0" : "=r"(w));
    return w;
}
static inline void born__fpenv_put(uint64_t w)
{
    __asm__ volatile("fsrm %0" : : "r"((unsigned long)w) : "memory");
}
static inline uint64_t born__fpenv_plain(uint64_t w)
{
    (void)w;
    return 0;
}
#else
static inline uint64_t born__fpenv_get(void)
{
    return 0;
}
static inline void born__fpenv_put(uint64_t w)
{
    (void)w;
}
static inline uint64_t born__fpenv_plain(uint64_t w)
{
    return w;
}
#endif

/* Sets the plain mode; returns what was there. */
static inline born_fpenv born__fpenv_enter(void)
{
    born_fpenv old = { born__fpenv_get() };
    uint64_t plain = born__fpenv_plain(old.word);
    if (plain != old.word) born__fpenv_put(plain);
    return old;
}
/* Puts back what enter returned. */
static inline void born__fpenv_leave(born_fpenv old)
{
    if (born__fpenv_plain(old.word) != old.word) born__fpenv_put(old.word);
}
#endif

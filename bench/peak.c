/*
 * peak.c: how fast one core can multiply and add at most: independent vector instructions on registers alone.
 *
 *   peak     prints lines "name number", in 10^9 multiplications and additions a second: peak_f32 by the
 *            widest fused multiply-add, peak_bf16 by AVX512_BF16. A line is left out if the processor lacks
 *            the instruction. Instructions on tiles (AMX), and other kinds of processors, are not measured.
 */
#if !defined(__x86_64__)
int main(void)
{
    return 0;
}
#else

#include <immintrin.h>
#include <stdio.h>
#include <time.h>

enum { CHAINS = 16, ROUNDS = 4000000, TRIES = 5 };

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Each works on CHAINS sums, none of which waits for another one, and returns one number, so that none is
 * left out. The second loop is unrolled, and its sums stay in registers. */
#define WORK(name, instructions, vector, zero, step, first)                                           \
    __attribute__((target(instructions))) static float name(float start)                              \
    {                                                                                                 \
        vector sums[CHAINS];                                                                          \
        for (int chain = 0; chain < CHAINS; chain++)                                                  \
            sums[chain] = zero;                                                                       \
        for (int round = 0; round < ROUNDS; round++) {                                                \
            _Pragma("GCC unroll 16") for (int chain = 0; chain < CHAINS; chain++) sums[chain] = step; \
            __asm__ volatile("");                                                                     \
        }                                                                                             \
        for (int chain = 1; chain < CHAINS; chain++)                                                  \
            sums[0] = sums[0] + sums[chain];                                                          \
        return first + start;                                                                         \
    }

WORK(avx2_f32, "avx2,fma", __m256, _mm256_set1_ps(start),
     _mm256_fmadd_ps(sums[chain], _mm256_set1_ps(0.5F), _mm256_set1_ps(1)), sums[0][0])
WORK(avx512_f32, "avx512f", __m512, _mm512_set1_ps(start),
     _mm512_fmadd_ps(sums[chain], _mm512_set1_ps(0.5F), _mm512_set1_ps(1)), sums[0][0])
WORK(avx512_bf16, "avx512f,avx512bf16", __m512, _mm512_set1_ps(start),
     _mm512_dpbf16_ps(sums[chain], (__m512bh)_mm512_set1_epi16(0x3f00), (__m512bh)_mm512_set1_epi16(0x3f00)),
     sums[0][0])

/* The best of some tries. operations: of one instruction. */
static void measure(const char *name, float (*work)(float start), double operations)
{
    double best = 0;
    volatile float keep = 0;
    for (int i = 0; i < TRIES; i++) {
        double begun = seconds();
        keep = work(keep);
        double rate = operations * CHAINS * ROUNDS / (seconds() - begun) * 1e-9;
        best = rate > best ? rate : best;
    }
    printf("%s %.1f\n", name, best);
}

int main(void)
{
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f"))
        measure("peak_f32", avx512_f32, 2 * 16);
    else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        measure("peak_f32", avx2_f32, 2 * 8);
    if (__builtin_cpu_supports("avx512bf16"))
        measure("peak_bf16", avx512_bf16, 2 * 32);
    return fflush(stdout) == 0 ? 0 : 1;
}
#endif

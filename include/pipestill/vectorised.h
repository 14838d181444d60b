/* vectorised.h: how a kernel is compiled for several processors, and what kernels of several rooms share. */
#ifndef PIPESTILL_VECTORISED_H
#define PIPESTILL_VECTORISED_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * A kernel is compiled for several processors, and the best one is chosen when the program starts. clang 14
 * does so only for a kernel of one file, which begins with VECTORISED_STATIC: it gives such a kernel another
 * name, which other files do not know.
 */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(PST_SANITIZED)
#if defined(__clang__) || __GNUC__ >= 12
#define PST_AVX2 "arch=x86-64-v3"
#else
#define PST_AVX2 "avx2" /* without FMA, so exponentials call fma, which is slow */
#endif
#define PST_CLONES __attribute__((target_clones("default", PST_AVX2, "avx512f")))
#else
#define PST_CLONES
#endif
#if defined(__clang__)
#define VECTORISED
#else
#define VECTORISED PST_CLONES
#endif
#define VECTORISED_STATIC PST_CLONES static

#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t pst_bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE double pst_of_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE uint32_t pst_bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float pst_float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The first value if it holds, otherwise the second one. Both are computed: with a branch the compiler makes
 * no vector of a loop, because one of them may raise an exception. */
INLINE double pst_chosen(bool holds, double first, double second)
{
    uint64_t all = 0 - (uint64_t)holds;
    return pst_of_bits((pst_bits_of(first) & all) | (pst_bits_of(second) & ~all));
}

INLINE float pst_chosen_float(bool holds, float first, float second)
{
    uint32_t all = 0 - (uint32_t)holds;
    return pst_float_of_bits((pst_bits_of_float(first) & all) | (pst_bits_of_float(second) & ~all));
}

/* The rounds of Philox4x32-10 (Salmon et al. 2011) on one counter. */
INLINE void pst_philox_rounds(uint32_t c[4], const uint32_t key[2])
{
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53U * c[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57U * c[2];
        c[0] = (uint32_t)(p1 >> 32) ^ c[1] ^ k0;
        c[1] = (uint32_t)p1;
        c[2] = (uint32_t)(p0 >> 32) ^ c[3] ^ k1;
        c[3] = (uint32_t)p0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
}

/* Blocks of Philox that are computed at once. */
#define PST_PHILOX_BLOCKS 16

/* pst_philox for counters whose first words follow each other, in a loop that can be vectorised. counter:
 * the first one. words: receives the four words of each answer. */
INLINE void pst_philox_blocks(const uint32_t counter[4], const uint32_t key[2],
                              uint32_t words[4][PST_PHILOX_BLOCKS])
{
    for (uint32_t block = 0; block < PST_PHILOX_BLOCKS; block++) {
        uint32_t c[4] = { counter[0] + block, counter[1], counter[2], counter[3] };
        pst_philox_rounds(c, key);
        for (int word = 0; word < 4; word++)
            words[word][block] = c[word];
    }
}

#endif

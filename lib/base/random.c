/* Philox4x32-10 (Salmon et al. 2011) and the distributions drawn from it. */
#include "pipestill/base.h"

#include <math.h>
#include <string.h>

void pst_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53U * c0;
        uint64_t p1 = (uint64_t)0xCD9E8D57U * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* The finalizer of SplitMix64 (Steele, Lea, Flood 2014): close seeds give keys that are far apart. */
static uint64_t mix(uint64_t value)
{
    value ^= value >> 30;
    value *= 0xBF58476D1CE4E5B9U;
    value ^= value >> 27;
    value *= 0x94D049BB133111EBU;
    return value ^ (value >> 31);
}

void pst_random_key(uint64_t seed, uint32_t use, uint32_t key[2])
{
    uint64_t mixed = mix(mix(seed + 0x9E3779B97F4A7C15U) + use);
    key[0] = (uint32_t)mixed;
    key[1] = (uint32_t)(mixed >> 32);
}

void pst_random_start(struct pst_random *random, uint64_t seed, uint32_t use, uint64_t epoch, uint64_t id)
{
    memset(random, 0, sizeof *random);
    pst_random_key(seed, use, random->key);
    random->counter[1] = (uint32_t)epoch;
    random->counter[2] = (uint32_t)id;
    random->counter[3] = (uint32_t)(id >> 32);
    random->used = 4;
}

uint32_t pst_random_u32(struct pst_random *random)
{
    if (random->used == 4) {
        pst_philox(random->counter, random->key, random->block);
        random->counter[0]++;
        random->used = 0;
    }
    return random->block[random->used++];
}

static uint64_t random_u64(struct pst_random *random)
{
    uint64_t high = pst_random_u32(random);
    return high << 32 | pst_random_u32(random);
}

double pst_random_uniform(struct pst_random *random)
{
    return (double)(random_u64(random) >> 11) * 0x1p-53;
}

uint64_t pst_random_below(struct pst_random *random, uint64_t bound)
{
    /* Numbers below this would make the first residues likelier than the others. */
    uint64_t uneven = (0 - bound) % bound;
    uint64_t number;
    do
        number = random_u64(random);
    while (number < uneven);
    return number % bound;
}

double pst_random_normal(struct pst_random *random)
{
    const double two_pi = 6.283185307179586;
    double radius = sqrt(-2 * log(1 - pst_random_uniform(random)));
    return radius * cos(two_pi * pst_random_uniform(random));
}

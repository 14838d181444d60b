/* Philox4x32-10 (Salmon et al. 2011) and the distributions drawn from it. */
#include "pipestill/base.h"
#include "pipestill/vectorised.h"

#include <math.h>
#include <string.h>

void pst_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    memcpy(out, counter, 4 * sizeof *out);
    pst_philox_rounds(out, key);
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

/* Computes several blocks at once, and puts the words of each block together. */
VECTORISED static void make_blocks(const struct pst_random *random, uint32_t blocks[PST_PHILOX_BLOCKS][4])
{
    uint32_t words[4][PST_PHILOX_BLOCKS];
    pst_philox_blocks(random->counter, random->key, words);
    for (size_t i = 0; i < PST_PHILOX_BLOCKS; i++)
        for (size_t k = 0; k < 4; k++)
            blocks[i][k] = words[k][i];
}

void pst_random_fill(struct pst_random *random, uint32_t *words, size_t count)
{
    uint32_t blocks[PST_PHILOX_BLOCKS][4];
    const size_t most = PST_PHILOX_BLOCKS * 4;
    while (random->used < 4 && count > 0) {
        *words++ = random->block[random->used++];
        count--;
    }
    while (count > 0) {
        size_t here = count < most ? count : most, last = (here - 1) / 4;
        make_blocks(random, blocks);
        memcpy(words, blocks, here * sizeof *words);
        memcpy(random->block, blocks[last], sizeof random->block);
        random->counter[0] += (uint32_t)last + 1;
        random->used = (unsigned)(here - 4 * last);
        words += here;
        count -= here;
    }
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

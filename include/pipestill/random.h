/*
 * random.h: random numbers that depend on a counter. Each is a function of (seed, use, epoch, sample id,
 * position), and never of which process drew first. So a stream can be cut, repeated and distributed, and
 * none of them changes. The generator is Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy
 * as 1, 2, 3").
 */
#ifndef PIPESTILL_RANDOM_H
#define PIPESTILL_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* What a random number is for: one independent sequence each. The values are part of "same seed, same bits".
 */
enum pst_random_use {
    PST_RANDOM_ORDER = 1,      /* the order of an epoch */
    PST_RANDOM_SELECT = 2,     /* --fraction, --limit */
    PST_RANDOM_HOLD_OUT = 3,   /* which samples are validation */
    PST_RANDOM_SHIFT = 4,      /* augmentation by whole pixels */
    PST_RANDOM_ELASTIC = 5,    /* augmentation by elastic distortion */
    PST_RANDOM_DIGIT = 6,      /* the synthetic digits */
    PST_RANDOM_INITIAL = 7,    /* initial weights */
    PST_RANDOM_DRAWS = 8,      /* classes drawn from soft targets */
    PST_RANDOM_REPLAY = 9,     /* the order of an epoch of a recording */
    PST_RANDOM_FLIP = 10,      /* augmentation by mirrors */
    PST_RANDOM_CROP = 11,      /* augmentation by cropping */
    PST_RANDOM_SPEED = 12,     /* augmentation of sound: how fast it is played */
    PST_RANDOM_NOISE = 13,     /* noise */
    PST_RANDOM_GAIN = 14,      /* loudness */
    PST_RANDOM_MASK = 15,      /* augmentation of frames by masks */
    PST_RANDOM_JITTER = 16,    /* augmentation of colours */
    PST_RANDOM_CUTOUT = 17,    /* augmentation by a square that is blanked */
    PST_RANDOM_MIX = 18,       /* with which other sample one is mixed, and how */
    PST_RANDOM_BOOTSTRAP = 20, /* which utterances or speakers are drawn */
    PST_RANDOM_SPECIAL = 24,   /* the order of special samples; + 1: of the rest */
    PST_RANDOM_REST = 25,
    PST_RANDOM_K_MEANS = 32, /* first centres, and the order of points */
    PST_RANDOM_MUNGE = 33,   /* samples that are made up; + 1: how a mixture begins */
    PST_RANDOM_DROPOUT = 64, /* + the number of the layer whose input is dropped, 0 for the network's input */
    /* from 1000 on: free for stages of others */
};

/* One sequence of random numbers. */
struct pst_random {
    uint32_t key[2];
    uint32_t counter[4]; /* block, epoch, id (low), id (high) */
    uint32_t block[4];
    unsigned used; /* numbers of the block that were given out */
};

/* Ten rounds of Philox4x32: 128 bits for each counter and key. */
void pst_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* The Philox key for a seed and a use. */
void pst_random_key(uint64_t seed, uint32_t use, uint32_t key[2]);

/* Starts the sequence of (seed, use, epoch, id). Only the low 32 bits of the epoch are used. */
void pst_random_start(struct pst_random *random, uint64_t seed, uint32_t use, uint64_t epoch, uint64_t id);

/* The next 32 random bits. */
uint32_t pst_random_u32(struct pst_random *random);

/* The next `count` times 32 random bits: the same as from `count` calls of pst_random_u32, in less time. */
void pst_random_fill(struct pst_random *random, uint32_t *words, size_t count);

/* A number in [0, 1), 53 bits. */
double pst_random_uniform(struct pst_random *random);

/* A number in [0, bound) without bias; bound ≥ 1. */
uint64_t pst_random_below(struct pst_random *random, uint64_t bound);

/* A number from the normal distribution with mean 0 and variance 1 (Box and Muller 1958). */
double pst_random_normal(struct pst_random *random);

#endif

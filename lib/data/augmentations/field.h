/* field.h: smooth random fields over an image. Private to lib/data/augmentations. */
#ifndef PIPESTILL_LIB_DATA_AUGMENTATIONS_FIELD_H
#define PIPESTILL_LIB_DATA_AUGMENTATIONS_FIELD_H

#include "pipestill/view.h"

#define EDGE 64  /* largest edge of an image */
#define BLOCK 16 /* pixels that are made at a time */

/* A number of pixels, rounded up to whole blocks. */
static inline size_t pst_whole_blocks(size_t count)
{
    return (count + BLOCK - 1) / BLOCK * BLOCK;
}

/* One direction of an image: where its random numbers stand, and what gives every pixel variance 1. */
struct pst_axis {
    size_t length;      /* pixels */
    size_t count, step; /* of numbers, and pixels from one to the next */
    size_t first;       /* the pixel where the first one stands */
    float scales[EDGE];
};

/* How fields are made smooth. */
struct pst_smoothing {
    float taps[4 * EDGE]; /* a Gaussian about [2 * EDGE]; 0 beyond its reach */
    size_t reach;         /* taps each side of the middle one */
    struct pst_axis down, right;
};

/*
 * Settles how fields are made smooth.
 * sigma: of the Gaussian, in pixels, above 0. height, width: 1 … EDGE.
 */
void pst_smoothing_settle(struct pst_smoothing *smoothing, double sigma, size_t height, size_t width);

/*
 * Makes a smooth field of random numbers, each of mean 0 and variance 1.
 * field: receives [height, width], each row filled up to whole blocks with anything.
 */
void pst_smooth_field(const struct pst_smoothing *smoothing, struct pst_random *random, float *field);

#endif

/*
 * Elastic distortion (Simard, Steinkraus, Platt 2003, "Best practices for convolutional neural networks
 * applied to visual document analysis"): every pixel looks for its value at a place moved by a smooth random
 * field, after a small random affine map about the middle.
 */
#include "pipestill/data.h"

#include <math.h>

#define EDGE 64  /* largest edge of an image, and the row length of every table here */
#define BLOCK 16 /* columns smoothed at a time: their sums stay in registers */

static float between(struct pst_random *random, double least, double most)
{
    return (float)(least + (most - least) * pst_random_uniform(random));
}

/* One half of a Gaussian; its scale does not matter here. Returns how many taps lie beyond the middle one. */
static size_t gaussian(double sigma, float taps[EDGE])
{
    size_t reach = sigma >= EDGE / 3.0 ? EDGE - 1 : (size_t)ceil(3 * sigma);
    for (size_t i = 0; i <= reach; i++)
        taps[i] = (float)exp(-0.5 * (double)(i * i) / (sigma * sigma));
    return reach;
}

/*
 * Smooths along columns, and scales each row such that independent numbers of variance 1 come out with
 * variance 1, near the edge too, where fewer of them are summed.
 * columns: rounded up to whole blocks.
 */
static void smooth(float from[EDGE][EDGE], float to[EDGE][EDGE], size_t rows, size_t columns,
                   const float taps[EDGE], size_t reach)
{
    for (size_t i = 0; i < rows; i++) {
        size_t first = i > reach ? i - reach : 0;
        size_t last = i + reach < rows ? i + reach : rows - 1;
        float power = 0;
        for (size_t k = first; k <= last; k++) {
            float tap = taps[k > i ? k - i : i - k];
            power += tap * tap;
        }
        float scale = 1 / sqrtf(power);
        for (size_t block = 0; block < columns; block += BLOCK) {
            float sum[BLOCK] = { 0 };
            for (size_t k = first; k <= last; k++) {
                float tap = taps[k > i ? k - i : i - k];
                for (size_t j = 0; j < BLOCK; j++)
                    sum[j] += tap * from[k][block + j];
            }
            for (size_t j = 0; j < BLOCK; j++)
                to[i][block + j] = scale * sum[j];
        }
    }
}

/* Turns [rows, columns] into [columns, rows], each row filled up with zeros. */
static void transpose(float from[EDGE][EDGE], float to[EDGE][EDGE], size_t rows, size_t columns)
{
    for (size_t j = 0; j < columns; j++)
        for (size_t i = 0; i < EDGE; i++)
            to[j][i] = i < rows ? from[i][j] : 0;
}

/* Independent numbers of variance 1, evenly distributed, two from each 32 bits; columns beyond are 0. */
static void random_noise(struct pst_random *random, float noise[EDGE][EDGE], size_t rows, size_t columns)
{
    const float unit = 3.4641016F / 65536;
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < EDGE; j += 2) {
            uint32_t bits = j < columns ? pst_random_u32(random) : 0x80008000;
            noise[i][j] = ((float)(bits & 0xffff) - 32768) * unit;
            noise[i][j + 1] = ((float)(bits >> 16) - 32768) * unit;
        }
    }
}

/*
 * Makes a smooth field with variance 1.
 * field: receives [height, width].
 */
static void random_field(struct pst_random *random, const float taps[EDGE], size_t reach,
                         float field[EDGE][EDGE], size_t height, size_t width)
{
    float other[EDGE][EDGE];
    random_noise(random, other, width, height);
    smooth(other, field, width, height, taps, reach);
    transpose(field, other, width, height);
    smooth(other, field, height, width, taps, reach);
}

struct image {
    const uint8_t *elements;
    size_t height, width;
};

/* A pixel, or 0 outside of the image. */
static float pixel(const struct image *image, int row, int column)
{
    bool inside = row >= 0 && column >= 0 && row < (int)image->height && column < (int)image->width;
    return inside ? (float)image->elements[(size_t)row * image->width + (size_t)column] : 0;
}

/* The value at a place between pixels. */
static uint8_t interpolate(const struct image *image, float y, float x)
{
    if (!(y > -1 && x > -1 && y < (float)image->height && x < (float)image->width))
        return 0;
    int row = (int)(y + 1) - 1, column = (int)(x + 1) - 1; /* rounded down, as y and x are above -1 */
    float down = y - (float)row, right = x - (float)column;
    float upper = pixel(image, row, column) * (1 - right) + pixel(image, row, column + 1) * right;
    float lower = pixel(image, row + 1, column) * (1 - right) + pixel(image, row + 1, column + 1) * right;
    return (uint8_t)(upper * (1 - down) + lower * down + 0.5F);
}

/* The affine map from a place in the distorted image to one in the source, both counted from the middle. */
struct map {
    float xx, xy, yx, yy;
};

/* The inverse of: scale both directions, then rotate. */
static struct map random_map(struct pst_random *random, const struct pst_elastic *elastic)
{
    const float radians = 0.017453293F;
    float angle = radians * between(random, -elastic->rotation, elastic->rotation);
    float wide = 1 / (1 + between(random, -elastic->scaling, elastic->scaling));
    float high = 1 / (1 + between(random, -elastic->scaling, elastic->scaling));
    float cosine = cosf(angle), sine = sinf(angle);
    return (struct map){ wide * cosine, wide * sine, -high * sine, high * cosine };
}

void pst_augment_elastic(const uint8_t *source, uint8_t *distorted, size_t height, size_t width,
                         const struct pst_elastic *elastic, uint64_t seed, uint64_t epoch, uint64_t id)
{
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_ELASTIC, epoch, id);
    struct map map = random_map(&random, elastic);
    float right[EDGE][EDGE], down[EDGE][EDGE];
    float strength = (float)elastic->strength;
    bool bent = strength > 0;
    if (bent) {
        float taps[EDGE];
        size_t reach = gaussian(elastic->smoothness, taps);
        random_field(&random, taps, reach, right, height, width);
        random_field(&random, taps, reach, down, height, width);
    }
    struct image image = { source, height, width };
    float middle_y = (float)(height - 1) / 2, middle_x = (float)(width - 1) / 2;
    for (size_t i = 0; i < height; i++) {
        for (size_t j = 0; j < width; j++) {
            float y = (float)i - middle_y, x = (float)j - middle_x;
            float from_x = middle_x + map.xx * x + map.xy * y + (bent ? strength * right[i][j] : 0);
            float from_y = middle_y + map.yx * x + map.yy * y + (bent ? strength * down[i][j] : 0);
            distorted[i * width + j] = interpolate(&image, from_y, from_x);
        }
    }
}

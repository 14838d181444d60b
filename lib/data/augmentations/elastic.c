/*
 * elastic: an elastic distortion (Simard, Steinkraus, Platt 2003, "Best practices for convolutional neural
 * networks applied to visual document analysis"): every pixel looks for its value at a place moved by a
 * smooth random field, after a small random affine map about the middle.
 */
#include "pipestill/data.h"

#include <math.h>

#define EDGE 64  /* largest edge of an image, and the row length of every table here */
#define BLOCK 16 /* columns smoothed at a time: their sums stay in registers */

struct settings {
    double strength;   /* alpha: pixels by which the smoothed field moves a point, its standard deviation */
    double smoothness; /* sigma of the Gaussian that smooths the field, in pixels */
    double rotation;   /* largest angle, degrees, either way */
    double scaling;    /* largest relative change of size, either way, in each direction on its own */
};

static const struct settings defaults = { .smoothness = 4 };

static const struct pst_option options[] = {
    { 0, "elastic", PST_DOUBLE, offsetof(struct settings, strength), "bend images by about so many pixels",
      .most = 100 },
    { 0, "elastic-smoothness", PST_DOUBLE, offsetof(struct settings, smoothness),
      "width of the bends in pixels", .metavar = "SIGMA", .least = 0.1, .most = 100, .needs = "elastic" },
    { 0, "rotate", PST_DOUBLE, offsetof(struct settings, rotation),
      "turn images by up to so many degrees each way", .most = 180 },
    { 0, "scale-jitter", PST_DOUBLE, offsetof(struct settings, scaling),
      "stretch and shrink images by up to this share", .most = 0.9 },
    { 0 },
};

static bool is_on(const void *settings)
{
    const struct settings *elastic = settings;
    return elastic->strength > 0 || elastic->rotation > 0 || elastic->scaling > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    if (planes->height == 0)
        return "only images can be bent, turned or stretched";
    if (planes->height > EDGE || planes->width > EDGE)
        return "images of more than 64 by 64 pixels cannot be bent, turned or stretched";
    return NULL;
}

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

/* One plane as numbers. */
struct image {
    const float *pixels;
    size_t height, width;
    float background;
};

/* A pixel, or the background outside of the image. */
static float pixel(const struct image *image, int row, int column)
{
    bool inside = row >= 0 && column >= 0 && row < (int)image->height && column < (int)image->width;
    return inside ? image->pixels[(size_t)row * image->width + (size_t)column] : image->background;
}

/* The value at a place between pixels. */
static float interpolate(const struct image *image, float y, float x)
{
    if (!(y > -1 && x > -1 && y < (float)image->height && x < (float)image->width))
        return image->background;
    int row = (int)(y + 1) - 1, column = (int)(x + 1) - 1; /* rounded down, as y and x are above -1 */
    float down = y - (float)row, right = x - (float)column;
    float upper = pixel(image, row, column) * (1 - right) + pixel(image, row, column + 1) * right;
    float lower = pixel(image, row + 1, column) * (1 - right) + pixel(image, row + 1, column + 1) * right;
    return upper * (1 - down) + lower * down;
}

/* The affine map from a place in the distorted image to one in the source, both counted from the middle. */
struct map {
    float xx, xy, yx, yy;
};

/* The inverse of: scale both directions, then rotate. */
static struct map random_map(struct pst_random *random, const struct settings *elastic)
{
    const float radians = 0.017453293F;
    float angle = radians * between(random, -elastic->rotation, elastic->rotation);
    float wide = 1 / (1 + between(random, -elastic->scaling, elastic->scaling));
    float high = 1 / (1 + between(random, -elastic->scaling, elastic->scaling));
    float cosine = cosf(angle), sine = sinf(angle);
    return (struct map){ wide * cosine, wide * sine, -high * sine, high * cosine };
}

/* Where every pixel of the distorted planes is fetched. */
struct places {
    float y[EDGE][EDGE], x[EDGE][EDGE];
};

static void draw_places(struct places *places, const struct settings *elastic,
                        const struct pst_planes *planes, const struct pst_draw *draw)
{
    size_t height = planes->height, width = planes->width;
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_ELASTIC, draw->epoch, draw->id);
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
    float middle_y = (float)(height - 1) / 2, middle_x = (float)(width - 1) / 2;
    for (size_t i = 0; i < height; i++) {
        for (size_t j = 0; j < width; j++) {
            float y = (float)i - middle_y, x = (float)j - middle_x;
            places->x[i][j] = middle_x + map.xx * x + map.xy * y + (bent ? strength * right[i][j] : 0);
            places->y[i][j] = middle_y + map.yx * x + map.yy * y + (bent ? strength * down[i][j] : 0);
        }
    }
}

static void distort_numbers(const struct places *places, const struct image *image, float *to)
{
    for (size_t i = 0; i < image->height; i++)
        for (size_t j = 0; j < image->width; j++)
            to[i * image->width + j] = interpolate(image, places->y[i][j], places->x[i][j]);
}

/* The same for bytes, which are rounded. */
static void distort_bytes(const struct places *places, size_t height, size_t width, const uint8_t *from,
                          uint8_t *to)
{
    float pixels[EDGE * EDGE];
    const struct image image = { .pixels = pixels, .height = height, .width = width };
    for (size_t i = 0; i < height * width; i++)
        pixels[i] = from[i];
    for (size_t i = 0; i < height; i++)
        for (size_t j = 0; j < width; j++)
            to[i * width + j] = (uint8_t)(interpolate(&image, places->y[i][j], places->x[i][j]) + 0.5F);
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    struct places places;
    size_t height = planes->height, width = planes->width;
    draw_places(&places, settings, planes, draw);
    for (size_t at = 0; at < planes->channels * height * width; at += height * width) {
        if (planes->numbers)
            distort_numbers(&places,
                            &(struct image){ (const float *)from + at, height, width, planes->background },
                            (float *)to + at);
        else
            distort_bytes(&places, height, width, (const uint8_t *)from + at, (uint8_t *)to + at);
    }
}

const struct pst_augmentation pst_augmentation_elastic = {
    .name = "elastic",
    .help = "bends, turns and stretches images of up to 64 by 64 pixels",
    .settings = { options, sizeof(struct settings), &defaults },
    .example = &(const struct settings){ .strength = 1.5, .smoothness = 4, .rotation = 10, .scaling = 0.1 },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

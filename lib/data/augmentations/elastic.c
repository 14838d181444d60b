/*
 * elastic: an elastic distortion (Simard, Steinkraus, Platt 2003, "Best practices for convolutional neural
 * networks applied to visual document analysis"): every pixel takes its value from a place that is moved by a
 * small random affine map about the middle, and by a smooth random field.
 */
#include "lib/data/augmentations/field.h"

#include "pipestill/vectorised.h"

#include <math.h>
#include <string.h>

struct settings {
    double strength;   /* alpha: standard deviation of the field's moves, in pixels */
    double smoothness; /* sigma of the Gaussian that smooths the field, in pixels */
    double rotation;   /* largest angle, degrees, either way */
    double scaling;    /* largest relative change of size, either way, in each direction on its own */
};

static const struct settings defaults = { .smoothness = 4 };

static const struct pst_option options[] = {
    { 0, "elastic", PST_DOUBLE, offsetof(struct settings, strength), "bend images by about this many pixels",
      .most = 100, .in_origins = "elastic-grid" }, /* older fields had a number for every pixel */
    { 0, "elastic-smoothness", PST_DOUBLE, offsetof(struct settings, smoothness),
      "width of the bends in pixels", .metavar = "SIGMA", .least = 0.1, .most = 100, .needs = "elastic" },
    { 0, "rotate", PST_DOUBLE, offsetof(struct settings, rotation),
      "turn images by up to this many degrees each way", .most = 180 },
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

/* A plane's frame is background, one pixel before it and two behind, so that every place has four pixels
 * about it. Its rows are filled up to whole blocks. */
#define MOST_FRAMED ((EDGE + 3) * (EDGE + BLOCK))

static size_t framed_row(const struct pst_planes *planes)
{
    return pst_whole_blocks(planes->width + 3);
}

#define PIXELS (EDGE * EDGE + BLOCK) /* of a plane, whose last row is filled up */

/* What is fetched for every pixel: in a plane with a frame, the upper left one of the four pixels about its
 * place, and how far below it and to the right of it the place is. */
struct fetch {
    int at[PIXELS];
    float down[PIXELS], right[PIXELS];
};

/*
 * Finds what is fetched. A place beyond the image is moved onto a pixel of the frame below the image: all
 * four pixels there are background, so the value is the background exactly. right, down: fields; the next row
 * overwrites what fills up a row.
 */
VECTORISED static void find_pixels(struct fetch *restrict fetch, const struct map *map, float strength,
                                   const struct pst_planes *planes, const float *restrict right,
                                   const float *restrict down)
{
    size_t whole = pst_whole_blocks(planes->width);
    float height = (float)planes->height, width = (float)planes->width;
    float middle_y = (height - 1) / 2, middle_x = (width - 1) / 2;
    int stride = (int)framed_row(planes);
    for (size_t i = 0; i < planes->height; i++) {
        float from_middle = (float)i - middle_y;
        size_t first = i * planes->width;
        for (size_t j = 0; j < whole; j++) {
            float across = (float)(int)j - middle_x;
            float x = middle_x + map->xx * across + map->xy * from_middle + strength * right[i * whole + j];
            float y = middle_y + map->yx * across + map->yy * from_middle + strength * down[i * whole + j];
            bool inside = (y > -1) & (x > -1) & (y < height) & (x < width);
            y = pst_chosen_float(inside, y, height);
            x = pst_chosen_float(inside, x, -1);
            int row = (int)(y + 1), column = (int)(x + 1); /* in the frame; not below 0, so rounded down */
            fetch->down[first + j] = y - (float)(row - 1);
            fetch->right[first + j] = x - (float)(column - 1);
            fetch->at[first + j] = row * stride + column;
        }
    }
}

static void draw_fetch(struct fetch *fetch, const struct settings *elastic, const struct pst_planes *planes,
                       const struct pst_draw *draw)
{
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_ELASTIC, draw->epoch, draw->id);
    struct map map = random_map(&random, elastic);
    float right[EDGE * EDGE], down[EDGE * EDGE];
    if (elastic->strength > 0) {
        struct pst_smoothing smoothing;
        pst_smoothing_settle(&smoothing, elastic->smoothness, planes->height, planes->width);
        pst_smooth_field(&smoothing, &random, right);
        pst_smooth_field(&smoothing, &random, down);
    } else {
        size_t bytes = planes->height * pst_whole_blocks(planes->width) * sizeof(float);
        memset(right, 0, bytes);
        memset(down, 0, bytes);
    }
    find_pixels(fetch, &map, (float)elastic->strength, planes, right, down);
}

/* The value at a place between four pixels. */
INLINE float between_pixels(float upper_left, float upper_right, float lower_left, float lower_right,
                            float down, float right)
{
    float upper = upper_left * (1 - right) + upper_right * right;
    float lower = lower_left * (1 - right) + lower_right * right;
    return upper * (1 - down) + lower * down;
}

VECTORISED static void distort_numbers(const struct fetch *fetch, const struct pst_planes *planes,
                                       const float *restrict from, float *restrict to)
{
    size_t height = planes->height, width = planes->width, stride = framed_row(planes);
    size_t count = height * width;
    float pixels[MOST_FRAMED];
    for (size_t i = 0; i < (height + 3) * stride; i++)
        pixels[i] = planes->background;
    for (size_t i = 0; i < height; i++)
        memcpy(pixels + (i + 1) * stride + 1, from + i * width, width * sizeof *from);
    const float *below = pixels + stride;
    for (size_t i = 0; i < count; i++) {
        /* find_pixels has filled them. NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
        int at = fetch->at[i];
        to[i] = between_pixels(pixels[at], pixels[at + 1], below[at], below[at + 1], fetch->down[i],
                               fetch->right[i]);
    }
}

/* Puts two bytes into one number for each pixel of the frame: its own, and the one below. */
VECTORISED static void make_pairs(const struct pst_planes *planes, const uint8_t *restrict from,
                                  uint16_t *restrict pairs)
{
    size_t height = planes->height, width = planes->width, stride = framed_row(planes);
    size_t whole = pst_whole_blocks(width);
    uint8_t rows[(EDGE + 2) * EDGE + BLOCK]; /* with a row of zeros above and below */
    uint16_t within[EDGE];                   /* all bits set in columns of the image */
    memset(rows, 0, width);
    memcpy(rows + width, from, height * width);
    memset(rows + width + height * width, 0, width + BLOCK);
    for (size_t j = 0; j < whole; j++)
        within[j] = j < width ? 0xffff : 0;
    memset(pairs, 0, (height + 3) * stride * sizeof *pairs);
    for (size_t i = 0; i <= height; i++) {
        const uint8_t *own = rows + i * width, *below = own + width;
        uint16_t *to = pairs + i * stride + 1;
        for (size_t j = 0; j < whole; j++)
            to[j] = (uint16_t)(own[j] | below[j] << 8) & within[j];
    }
}

/* Fetches four bytes for each pixel: upper left, lower left, upper right, lower right. In a loop with
 * vectors, gcc would take the vector of places apart for these loads, which takes longer. */
static void fetch_fours(const struct fetch *restrict fetch, size_t count, const uint16_t *restrict pairs,
                        uint32_t *restrict fours)
{
    for (size_t i = 0; i < count; i++)
        /* find_pixels has filled them. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        memcpy(fours + i, pairs + fetch->at[i], sizeof *fours);
}

VECTORISED static void mix_bytes(const struct fetch *restrict fetch, size_t count,
                                 const uint32_t *restrict fours, uint8_t *restrict to)
{
    for (size_t i = 0; i < count; i++) {
        float upper_left = (float)(int)(fours[i] & 255), lower_left = (float)(int)(fours[i] >> 8 & 255);
        float upper_right = (float)(int)(fours[i] >> 16 & 255), lower_right = (float)(int)(fours[i] >> 24);
        float value =
            /* The same. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
            between_pixels(upper_left, upper_right, lower_left, lower_right, fetch->down[i], fetch->right[i]);
        to[i] = (uint8_t)(int)(value + 0.5F);
    }
}

/* The same for bytes, which are rounded. Their background is 0. */
static void distort_bytes(const struct fetch *fetch, const struct pst_planes *planes,
                          const uint8_t *restrict from, uint8_t *restrict to)
{
    size_t count = planes->height * planes->width;
    uint16_t pairs[MOST_FRAMED];
    uint32_t fours[PIXELS];
    make_pairs(planes, from, pairs);
    fetch_fours(fetch, count, pairs, fours);
    mix_bytes(fetch, count, fours, to);
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    struct fetch fetch;
    size_t plane = planes->height * planes->width;
    draw_fetch(&fetch, settings, planes, draw);
    for (size_t at = 0; at < planes->channels * plane; at += plane) {
        if (planes->numbers)
            distort_numbers(&fetch, planes, (const float *)from + at, (float *)to + at);
        else
            distort_bytes(&fetch, planes, (const uint8_t *)from + at, (uint8_t *)to + at);
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

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

#define PIXELS (EDGE * EDGE + BLOCK) /* of a plane, whose last block is filled up */

/* The place that each pixel of the distorted planes is taken from. */
struct places {
    float y[PIXELS], x[PIXELS];
};

/* Adds up the moves of each pixel. right, down: fields; the next row overwrites what fills up a row. */
VECTORISED static void place(struct places *places, const struct map *map, float strength,
                             const struct pst_planes *planes, const float *restrict right,
                             const float *restrict down)
{
    size_t whole = pst_whole_blocks(planes->width);
    float middle_y = (float)(planes->height - 1) / 2, middle_x = (float)(planes->width - 1) / 2;
    for (size_t i = 0; i < planes->height; i++) {
        float y = (float)i - middle_y;
        float *restrict to_x = places->x + i * planes->width, *restrict to_y = places->y + i * planes->width;
        for (size_t j = 0; j < whole; j++) {
            float x = (float)(int)j - middle_x;
            to_x[j] = middle_x + map->xx * x + map->xy * y + strength * right[i * whole + j];
            to_y[j] = middle_y + map->yx * x + map->yy * y + strength * down[i * whole + j];
        }
    }
    size_t count = planes->height * planes->width;
    for (size_t i = count; i < pst_whole_blocks(count); i++)
        places->x[i] = places->y[i] = 0;
}

static void draw_places(struct places *places, const struct settings *elastic,
                        const struct pst_planes *planes, const struct pst_draw *draw)
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
    place(places, &map, (float)elastic->strength, planes, right, down);
}

/* What is fetched for every pixel: in a plane with a frame, the upper left one of the four pixels about its
 * place, and how far below it and to the right of it the place is. */
struct fetch {
    int at[PIXELS];
    float down[PIXELS], right[PIXELS];
};

/* A plane's frame is background, one pixel before it and two behind, so that every place has four pixels
 * about it. Its rows are filled up to whole blocks. */
#define MOST_FRAMED ((EDGE + 3) * (EDGE + BLOCK))

static size_t framed_row(const struct pst_planes *planes)
{
    return pst_whole_blocks(planes->width + 3);
}

INLINE float limited(float value, float most)
{
    float raised = value > -1 ? value : -1;
    return raised < most ? raised : most;
}

/* Beyond the image, places are limited to its frame. */
VECTORISED static void find_pixels(struct fetch *restrict fetch, const struct places *restrict places,
                                   const struct pst_planes *planes)
{
    float height = (float)planes->height, width = (float)planes->width;
    size_t count = pst_whole_blocks(planes->height * planes->width);
    int stride = (int)framed_row(planes);
    for (size_t i = 0; i < count; i++) {
        /* `place` has filled whole blocks. NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
        float y = limited(places->y[i], height), x = limited(places->x[i], width);
        int row = (int)(y + 1), column = (int)(x + 1); /* in the frame; not below 0, so rounded down */
        fetch->down[i] = y - (float)(row - 1);
        fetch->right[i] = x - (float)(column - 1);
        fetch->at[i] = row * stride + column;
    }
}

/* The value at a place between four pixels. */
INLINE float between_pixels(float upper_left, float upper_right, float lower_left, float lower_right,
                            float down, float right)
{
    float upper = upper_left * (1 - right) + upper_right * right;
    float lower = lower_left * (1 - right) + lower_right * right;
    return upper * (1 - down) + lower * down;
}

VECTORISED static void distort_numbers(const struct fetch *fetch, const struct places *places,
                                       const struct pst_planes *planes, const float *restrict from,
                                       float *restrict to)
{
    size_t height = planes->height, width = planes->width, stride = framed_row(planes);
    size_t count = pst_whole_blocks(height * width);
    float edge_y = (float)height, edge_x = (float)width, background = planes->background;
    float pixels[MOST_FRAMED], values[PIXELS];
    for (size_t i = 0; i < (height + 3) * stride; i++)
        pixels[i] = background;
    for (size_t i = 0; i < height; i++)
        memcpy(pixels + (i + 1) * stride + 1, from + i * width, width * sizeof *from);
    const float *below = pixels + stride;
    for (size_t i = 0; i < count; i++) {
        int at = fetch->at[i];
        values[i] = between_pixels(pixels[at], pixels[at + 1], below[at], below[at + 1], fetch->down[i],
                                   fetch->right[i]);
    }
    for (size_t i = 0; i < count; i++) {
        float y = places->y[i], x = places->x[i];
        bool inside = (y > -1) & (x > -1) & (y < edge_y) & (x < edge_x);
        values[i] = inside ? values[i] : background;
    }
    memcpy(to, values, height * width * sizeof *to);
}

/* Puts four bytes into one number for each pixel of the frame: of itself, and right, below, and below right
 * of it. */
INLINE void pack(const struct pst_planes *planes, const uint8_t *restrict from, uint32_t *restrict packed)
{
    size_t height = planes->height, width = planes->width, stride = framed_row(planes);
    uint32_t pixels[MOST_FRAMED + BLOCK];
    memset(pixels, 0, ((height + 3) * stride + 1) * sizeof *pixels);
    for (size_t i = 0; i < height; i++)
        for (size_t j = 0; j < width; j++)
            pixels[(i + 1) * stride + 1 + j] = from[i * width + j];
    const uint32_t *below = pixels + stride;
    for (size_t i = 0; i < (height + 2) * stride; i++)
        packed[i] = pixels[i] | pixels[i + 1] << 8 | below[i] << 16 | below[i + 1] << 24;
}

/* The same for bytes, which are rounded. Their background is 0, so it needs no case of its own. */
VECTORISED static void distort_bytes(const struct fetch *fetch, const struct pst_planes *planes,
                                     const uint8_t *restrict from, uint8_t *restrict to)
{
    size_t count = pst_whole_blocks(planes->height * planes->width);
    uint32_t packed[MOST_FRAMED], four[PIXELS];
    uint8_t values[PIXELS];
    pack(planes, from, packed);
    for (size_t i = 0; i < count; i++)
        four[i] = packed[fetch->at[i]];
    for (size_t i = 0; i < count; i++) {
        float value = between_pixels((float)(int)(four[i] & 255), (float)(int)(four[i] >> 8 & 255),
                                     (float)(int)(four[i] >> 16 & 255), (float)(int)(four[i] >> 24),
                                     fetch->down[i], fetch->right[i]);
        values[i] = (uint8_t)(int)(value + 0.5F);
    }
    memcpy(to, values, planes->height * planes->width);
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    struct places places;
    struct fetch fetch;
    size_t plane = planes->height * planes->width;
    draw_places(&places, settings, planes, draw);
    find_pixels(&fetch, &places, planes);
    for (size_t at = 0; at < planes->channels * plane; at += plane) {
        if (planes->numbers)
            distort_numbers(&fetch, &places, planes, (const float *)from + at, (float *)to + at);
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

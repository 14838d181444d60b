/*
 * The synthetic digits: an endless set of images like handwriting, each a function of (seed, id). A glyph's
 * points are bent by a random polynomial field, jittered one by one, mapped by a random affine map, drawn
 * with a pen of random width and pressure, blurred and made noisy.
 */
#include "lib/data/glyphs.h"
#include "lib/data/pen.h"
#include "pipestill/data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASSES 10
#define ELEMENTS ((size_t)PST_SHEET * PST_SHEET)
#define CACHE_BYTES ((size_t)16 << 20)
#define TEST_FIRST_ID (UINT64_C(1) << 48) /* beyond the ids of any training set */

/* The two random sequences of a digit: its class can be found without drawing it. */
enum sequence { SEQUENCE_CLASS, SEQUENCE_DRAWING };

/* Goes into the digest: its number changes whenever the digits that come out of these files change. */
static const char recipe[] = "pipestill synthetic digits, recipe 1";

#define BENDS 7 /* terms of the field that bends a glyph, in each direction */

/* How one digit is written. */
struct hand {
    float bend_x[BENDS], bend_y[BENDS];
    float jitter;    /* of single points, in glyph units of -1 … 1 */
    float map[2][2]; /* from glyph units to pixels */
    struct pst_point middle;
    struct pst_pen pen;
    float blur, darkness, noise;
};

static float between(struct pst_random *random, float least, float most)
{
    return least + (most - least) * (float)pst_random_uniform(random);
}

/* Nearly normal, mean 0, variance 1, at most 3.5 either way: the sum of four uniform numbers. */
static float bell(struct pst_random *random)
{
    uint32_t a = pst_random_u32(random), b = pst_random_u32(random);
    uint32_t sum = (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16);
    return ((float)sum - 2 * 65535.0F) * (1.7320508F / 65536);
}

/* Slant, then rotation, then size. The angle is small, so two terms of each series are accurate enough. */
static void random_map(struct pst_random *random, float map[2][2])
{
    float slant = 0.22F * bell(random);
    float angle = 0.13F * bell(random);
    float sine = angle - angle * angle * angle / 6, cosine = 1 - angle * angle / 2;
    float height = 9.3F * (1 + 0.11F * bell(random));
    float width = 8.8F * (1 + 0.16F * bell(random));
    map[0][0] = width * cosine;
    map[0][1] = -height * (slant * cosine + sine);
    map[1][0] = width * sine;
    map[1][1] = height * (cosine - slant * sine);
}

static void random_hand(struct pst_random *random, struct hand *hand)
{
    for (int i = 0; i < BENDS; i++) {
        hand->bend_x[i] = 0.13F * bell(random);
        hand->bend_y[i] = 0.11F * bell(random);
    }
    hand->jitter = between(random, 0.01F, 0.08F);
    random_map(random, hand->map);
    hand->middle.x = (PST_SHEET - 1) / 2.0F + 0.9F * bell(random);
    hand->middle.y = (PST_SHEET - 1) / 2.0F + 0.9F * bell(random);
    hand->pen.radius = between(random, 0.5F, 1.5F);
    hand->pen.taper = 0.15F * bell(random);
    hand->pen.swell = 0.12F * bell(random);
    hand->blur = between(random, 0, 0.2F);
    hand->darkness = between(random, 0.75F, 1.1F);
    hand->noise = between(random, 0, 0.12F);
}

static float bend(const float coefficients[BENDS], float x, float y)
{
    const float terms[BENDS] = { x * y, x * x, y * y, x * x * y, x * y * y, y * y * y, x * x * x };
    float sum = 0;
    for (int i = 0; i < BENDS; i++)
        sum += coefficients[i] * terms[i];
    return sum;
}

/* The point of a glyph as this hand sets it on the sheet. */
static struct pst_point place(const struct hand *hand, const uint8_t point[2], float jitter_x, float jitter_y)
{
    float x = ((float)point[0] - 50) / 50, y = ((float)point[1] - 50) / 50;
    float u = x + bend(hand->bend_x, x, y) + jitter_x;
    float v = y + bend(hand->bend_y, x, y) + jitter_y;
    return (struct pst_point){ hand->middle.x + hand->map[0][0] * u + hand->map[0][1] * v,
                               hand->middle.y + hand->map[1][0] * u + hand->map[1][1] * v };
}

static void draw_stroke(struct pst_random *random, const struct hand *hand, const struct pst_stroke *stroke,
                        float ink[PST_SHEET][PST_SHEET])
{
    struct pst_point points[PST_STROKE_POINTS];
    for (unsigned i = 0; i < stroke->count; i++) {
        if (i > 0 && memcmp(stroke->points[i], stroke->points[i - 1], sizeof stroke->points[i]) == 0) {
            points[i] = points[i - 1]; /* a corner stays one */
            continue;
        }
        bool end = i == 0 || i + 1 == stroke->count; /* the ends of a line vary more */
        float jitter = end ? 2 * hand->jitter : hand->jitter;
        float jitter_x = jitter * bell(random), jitter_y = jitter * bell(random);
        points[i] = place(hand, stroke->points[i], jitter_x, jitter_y);
    }
    pst_pen_draw(&hand->pen, points, stroke->count, ink);
}

static const struct pst_glyph *choose_glyph(struct pst_random *random, int class)
{
    const struct pst_glyph *glyph = pst_digit_glyphs[class].glyphs;
    unsigned total = 0;
    for (int i = 0; i < PST_CLASS_GLYPHS; i++)
        total += glyph[i].weight;
    unsigned drawn = (unsigned)pst_random_below(random, total);
    while (drawn >= glyph->weight) {
        drawn -= glyph->weight;
        glyph++;
    }
    return glyph;
}

/* Turns ink into grey values, with noise that is the sum of two uniform numbers. */
static void expose(struct pst_random *random, const struct hand *hand, float ink[PST_SHEET][PST_SHEET],
                   uint8_t *image)
{
    float noise = 255 * hand->noise / 128;
    float darkness = 255 * hand->darkness;
    const float *from = ink[0];
    for (size_t i = 0; i < ELEMENTS; i += 2) {
        uint32_t bits = pst_random_u32(random);
        for (size_t j = 0; j < 2; j++, bits >>= 16) {
            float wobble = (float)((int)(bits & 0xff) + (int)(bits >> 8 & 0xff) - 255);
            float grey = darkness * from[i + j] + noise * wobble + 0.5F;
            image[i + j] = (uint8_t)(grey < 0 ? 0 : grey > 255 ? 255 : grey);
        }
    }
}

static int digit_class(uint64_t seed, uint64_t id)
{
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_DIGIT, SEQUENCE_CLASS, id);
    return (int)pst_random_below(&random, CLASSES);
}

int pst_digit_draw(uint64_t seed, uint64_t id, uint8_t *image)
{
    int class = digit_class(seed, id);
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_DIGIT, SEQUENCE_DRAWING, id);
    struct hand hand;
    random_hand(&random, &hand);
    float ink[PST_SHEET][PST_SHEET] = { 0 };
    const struct pst_glyph *glyph = choose_glyph(&random, class);
    for (unsigned i = 0; i < glyph->stroke_count; i++)
        draw_stroke(&random, &hand, &glyph->strokes[i], ink);
    pst_sheet_blur(ink, hand.blur);
    expose(&random, &hand, ink, image);
    return class;
}

/* ---- the data set ---- */

#define MOST_SAMPLES 100000000 /* their labels and order are held, 20 bytes each */

struct settings {
    uint64_t seed;
    size_t samples;
};

static const struct pst_option options[] = {
    { 0, "samples", PST_SIZE, offsetof(struct settings, samples),
      "samples of digits; 0: 10000, and 5000 for the test set", .most = MOST_SAMPLES, .of_samples = true },
    { 0, "data-seed", PST_U64, offsetof(struct settings, seed), "seed that draws the digits", .metavar = "N",
      .of_samples = true },
    { 0 },
};

/* Small sets are drawn once and kept; otherwise every epoch would draw them again. */
struct digits {
    uint64_t seed;
    uint8_t *cache; /* [samples, ELEMENTS]; NULL if the set is too large to be kept */
    bool *drawn;    /* [samples] */
};

static void close_digits(struct pst_dataset *dataset)
{
    struct digits *digits = dataset->own;
    if (digits != NULL) {
        free(digits->cache);
        free(digits->drawn);
    }
    free(digits);
}

static enum pst_status get_digit(const struct pst_dataset *dataset, size_t index, void *elements,
                                 struct pst_error *error)
{
    (void)error;
    struct digits *digits = dataset->own;
    uint64_t id = dataset->first_id + index;
    if (digits->cache == NULL) {
        pst_digit_draw(digits->seed, id, elements);
        return PST_OK;
    }
    uint8_t *kept = digits->cache + index * ELEMENTS;
    if (!digits->drawn[index])
        pst_digit_draw(digits->seed, id, kept);
    digits->drawn[index] = true;
    memcpy(elements, kept, ELEMENTS);
    return PST_OK;
}

/* Takes memory for the labels, and for the images if they may be kept. */
static enum pst_status allocate(struct pst_dataset *dataset, struct pst_error *error)
{
    struct digits *digits = dataset->own = pst_allocate(1, sizeof *digits, error);
    dataset->labels = pst_allocate(dataset->samples, sizeof(int32_t), error);
    if (digits == NULL || dataset->labels == NULL)
        return PST_TRY_AGAIN;
    if (dataset->samples > CACHE_BYTES / ELEMENTS)
        return PST_OK;
    digits->cache = pst_allocate(dataset->samples, ELEMENTS, error);
    digits->drawn = pst_allocate(dataset->samples, sizeof *digits->drawn, error);
    return digits->cache != NULL && digits->drawn != NULL ? PST_OK : PST_TRY_AGAIN;
}

static enum pst_status open_digits(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                   struct pst_error *error)
{
    const struct settings *settings = request->settings;
    strcpy(dataset->name, "digits");
    dataset->samples = settings->samples > 0 ? settings->samples : request->test ? 5000 : 10000;
    dataset->rank = 2;
    dataset->shape[0] = dataset->shape[1] = PST_SHEET;
    dataset->scale = 1.0 / 255;
    dataset->label_kind = PST_LABELS_CLASS;
    dataset->classes = CLASSES;
    dataset->first_id = request->test ? TEST_FIRST_ID : 0;
    if (allocate(dataset, error) != PST_OK)
        return PST_TRY_AGAIN;
    ((struct digits *)dataset->own)->seed = settings->seed;
    for (size_t i = 0; i < dataset->samples; i++)
        ((int32_t *)dataset->labels)[i] = digit_class(settings->seed, dataset->first_id + i);
    char text[128]; /* the digits do not depend on their number */
    int length = snprintf(text, sizeof text, "%s, seed %llu, ids from %llu", recipe,
                          (unsigned long long)settings->seed, (unsigned long long)dataset->first_id);
    pst_digest(text, (size_t)length, dataset->digest);
    return PST_OK;
}

const struct pst_dataset_type pst_dataset_digits = {
    .name = "digits",
    .help = "synthetic digits, made as they are needed",
    .has_test_part = true,
    .settings = { options, sizeof(struct settings), NULL },
    .open = open_digits,
    .get = get_digit,
    .close = close_digits,
};

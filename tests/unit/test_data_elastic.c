/* Elastic distortions: the fast kernels against plain ones, and the distribution of the random fields. */
#include "data_fixture.h"
#include "lib/data/augmentations/field.h"

#include <math.h>

/* ---- the plain way ------------------------------------------------------------------------------------ */

/* Along an edge of `length` pixels, `count` numbers stand `step` apart, from `first` on, about the middle. */
struct plain_axis {
    size_t length, step, count, first;
};

static struct plain_axis plain_axis(double sigma, size_t length)
{
    size_t step = (size_t)(0.75 * sigma);
    if (step > length / 8)
        step = length / 8;
    if (step < 1)
        step = 1;
    size_t count = (length - 1) / step + 1;
    return (struct plain_axis){ length, step, count, (length - 1 - (count - 1) * step) / 2 };
}

static float plain_weight(double sigma, size_t pixel, size_t number)
{
    size_t distance = pixel > number ? pixel - number : number - pixel;
    size_t reach = sigma >= EDGE / 3.0 ? EDGE - 1 : (size_t)ceil(3 * sigma);
    return distance > reach ? 0 : (float)exp(-0.5 * (double)(distance * distance) / (sigma * sigma));
}

/* The sum for one pixel of an edge, divided by the root of the sum of squared weights. numbers: `stride`
 * places apart. */
static float plain_sum(const struct plain_axis *axis, double sigma, size_t pixel, const float *numbers,
                       size_t stride)
{
    float sum = 0, power = 0;
    for (size_t k = 0; k < axis->count; k++) {
        float weight = plain_weight(sigma, pixel, axis->first + k * axis->step);
        sum += weight * numbers[k * stride];
        power += weight * weight;
    }
    return 1 / sqrtf(power) * sum;
}

static void plain_field(struct pst_random *random, double sigma, size_t height, size_t width,
                        float field[EDGE][EDGE])
{
    static float noise[EDGE * EDGE + 1], rows[EDGE][EDGE];
    struct plain_axis down = plain_axis(sigma, height), right = plain_axis(sigma, width);
    for (size_t i = 0; i < down.count * right.count; i += 2) {
        uint32_t bits = pst_random_u32(random);
        noise[i] = ((float)(bits & 0xffff) - 32768) * (3.4641016F / 65536);
        noise[i + 1] = ((float)(bits >> 16) - 32768) * (3.4641016F / 65536);
    }
    for (size_t i = 0; i < down.count; i++)
        for (size_t j = 0; j < width; j++)
            rows[i][j] = plain_sum(&right, sigma, j, noise + i * right.count, 1);
    for (size_t i = 0; i < height; i++)
        for (size_t j = 0; j < width; j++)
            field[i][j] = plain_sum(&down, sigma, i, &rows[0][j], EDGE);
}

struct plain_image {
    const float *pixels;
    size_t height, width;
    float background;
};

static float plain_pixel(const struct plain_image *image, int row, int column)
{
    bool inside = row >= 0 && column >= 0 && row < (int)image->height && column < (int)image->width;
    return inside ? image->pixels[(size_t)row * image->width + (size_t)column] : image->background;
}

static float plain_value(const struct plain_image *image, float y, float x)
{
    if (!(y > -1 && x > -1 && y < (float)image->height && x < (float)image->width))
        return image->background;
    int row = (int)(y + 1) - 1, column = (int)(x + 1) - 1;
    float down = y - (float)row, right = x - (float)column;
    float upper = plain_pixel(image, row, column) * (1 - right) + plain_pixel(image, row, column + 1) * right;
    float lower =
        plain_pixel(image, row + 1, column) * (1 - right) + plain_pixel(image, row + 1, column + 1) * right;
    return upper * (1 - down) + lower * down;
}

struct elastic {
    double strength, smoothness, rotation, scaling;
};

static float between(struct pst_random *random, double least, double most)
{
    return (float)(least + (most - least) * pst_random_uniform(random));
}

static void plain_distortion(const struct elastic *elastic, const struct plain_image *image,
                             const struct pst_draw *draw, float *to)
{
    static float field_x[EDGE][EDGE], field_y[EDGE][EDGE];
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_ELASTIC, draw->epoch, draw->id);
    float angle = 0.017453293F * between(&random, -elastic->rotation, elastic->rotation);
    float wide = 1 / (1 + between(&random, -elastic->scaling, elastic->scaling));
    float high = 1 / (1 + between(&random, -elastic->scaling, elastic->scaling));
    float cosine = cosf(angle), sine = sinf(angle), strength = (float)elastic->strength;
    if (strength > 0) {
        plain_field(&random, elastic->smoothness, image->height, image->width, field_x);
        plain_field(&random, elastic->smoothness, image->height, image->width, field_y);
    }
    float middle_y = (float)(image->height - 1) / 2, middle_x = (float)(image->width - 1) / 2;
    for (size_t i = 0; i < image->height; i++)
        for (size_t j = 0; j < image->width; j++) {
            float y = (float)i - middle_y, x = (float)j - middle_x;
            float at_x = middle_x + wide * cosine * x + wide * sine * y;
            float at_y = middle_y + -high * sine * x + high * cosine * y;
            at_x += strength > 0 ? strength * field_x[i][j] : 0;
            at_y += strength > 0 ? strength * field_y[i][j] : 0;
            to[i * image->width + j] = plain_value(image, at_y, at_x);
        }
}

/* ---- the same bits ------------------------------------------------------------------------------------- */

static const size_t sizes[][2] = { { 28, 28 }, { 1, 1 },   { 1, 64 },  { 64, 1 }, { 17, 33 },
                                   { 64, 64 }, { 32, 16 }, { 27, 29 }, { 5, 48 } };
#define SIZES (sizeof sizes / sizeof *sizes)

static const double sigmas[] = { 0.1, 1, 2, 3.7, 4, 8, 16, 100 };
#define SIGMAS (sizeof sigmas / sizeof *sigmas)

static void a_field_has_the_bits_of_the_plain_one(void **state)
{
    (void)state;
    static float field[EDGE * EDGE], plain[EDGE][EDGE];
    for (size_t s = 0; s < SIZES; s++)
        for (size_t k = 0; k < SIGMAS; k++) {
            size_t height = sizes[s][0], width = sizes[s][1];
            struct pst_random one, other;
            struct pst_smoothing smoothing;
            pst_random_start(&one, 3, PST_RANDOM_ELASTIC, k, s);
            other = one;
            pst_smoothing_settle(&smoothing, sigmas[k], height, width);
            pst_smooth_field(&smoothing, &one, field);
            plain_field(&other, sigmas[k], height, width, plain);
            for (size_t i = 0; i < height; i++)
                assert_memory_equal(field + i * pst_whole_blocks(width), plain[i], width * sizeof **plain);
            assert_int_equal(pst_random_u32(&one), pst_random_u32(&other));
        }
}

/* Distorts a plane of numbers or bytes, and compares it with the plain way. */
static void compare(const struct elastic *elastic, size_t height, size_t width, bool numbers, uint64_t id)
{
    static float pixels[EDGE * EDGE], plain[EDGE * EDGE], distorted[EDGE * EDGE];
    static uint8_t bytes[EDGE * EDGE], distorted_bytes[EDGE * EDGE];
    const struct pst_augmentation *augmentation = augmentation_of("elastic");
    const struct pst_planes planes = { .rank = 2,
                                       .channels = 1,
                                       .height = height,
                                       .width = width,
                                       .numbers = numbers,
                                       .background = numbers ? -0.37F : 0 };
    const struct plain_image image = { pixels, height, width, planes.background };
    const struct pst_draw draw = { 5, 1, id };
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, id);
    for (size_t i = 0; i < height * width; i++) {
        bytes[i] = (uint8_t)pst_random_below(&random, 256);
        pixels[i] = numbers ? (float)pst_random_normal(&random) : bytes[i];
    }
    augmentation->apply(elastic, &planes, numbers ? (const void *)pixels : bytes,
                        numbers ? (void *)distorted : distorted_bytes, &draw);
    plain_distortion(elastic, &image, &draw, plain);
    for (size_t i = 0; i < height * width; i++)
        if (!numbers)
            assert_int_equal(distorted_bytes[i], (int)(plain[i] + 0.5F));
    if (numbers)
        assert_memory_equal(distorted, plain, height * width * sizeof *plain);
}

static void a_distortion_has_the_bits_of_the_plain_one(void **state)
{
    (void)state;
    static const struct elastic kinds[] = { { 1.5, 4, 0, 0 },     { 1.5, 4, 10, 0.1 }, { 0, 4, 15, 0 },
                                            { 0, 4, 0, 0.3 },     { 3, 2.5, 5, 0.05 }, { 100, 100, 180, 0.9 },
                                            { 40, 0.1, 180, 0.9 } };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t s = 0; s < SIZES; s++)
            for (uint64_t id = 0; id < 6; id++)
                compare(&kinds[k], sizes[s][0], sizes[s][1], id % 2 == 1, id);
}

/* ---- the distribution of fields ------------------------------------------------------------------------ */

#define SIDE 28
#define FIELDS 4000

/*
 * The correlation of two pixels of an edge if a number stood at every pixel. A field should have it for every
 * grid that it is made on.
 */
static double wanted_correlation(double sigma, size_t one, size_t other)
{
    double product = 0, power = 0, other_power = 0;
    for (size_t k = 0; k < SIDE; k++) {
        double a = (double)plain_weight(sigma, one, k), b = (double)plain_weight(sigma, other, k);
        product += a * b;
        power += a * a;
        other_power += b * b;
    }
    return product / sqrt(power * other_power);
}

/* Moments of a field at places along its middle row and column, over many fields. */
struct moments {
    double mean[SIDE], square[SIDE], fourth[SIDE], across[SIDE], down[SIDE];
};

/* across, down: the mean of the pixel in the middle times another one of its row or column. */
static void measure(double sigma, struct moments *moments)
{
    static float field[EDGE * EDGE];
    struct pst_smoothing smoothing;
    size_t row = pst_whole_blocks(SIDE);
    *moments = (struct moments){ 0 };
    pst_smoothing_settle(&smoothing, sigma, SIDE, SIDE);
    for (uint64_t id = 0; id < FIELDS; id++) {
        struct pst_random random;
        pst_random_start(&random, 11, PST_RANDOM_ELASTIC, 0, id);
        pst_smooth_field(&smoothing, &random, field);
        double middle = (double)field[SIDE / 2 * row + SIDE / 2];
        for (size_t i = 0; i < SIDE; i++) {
            double value = (double)field[i * row + i];
            moments->mean[i] += value / FIELDS;
            moments->square[i] += value * value / FIELDS;
            moments->fourth[i] += value * value * value * value / FIELDS;
            moments->across[i] += middle * (double)field[SIDE / 2 * row + i] / FIELDS;
            moments->down[i] += middle * (double)field[i * row + SIDE / 2] / FIELDS;
        }
    }
}

/* 4000 fields give a mean to 0.016, a variance to 0.022, a correlation to 0.016; four times that is allowed.
 */
static void deviation_and_correlation_are_those_of_a_number_at_every_pixel(void **state)
{
    (void)state;
    for (size_t k = 1; k < 7; k++) {
        struct moments moments;
        measure(sigmas[k], &moments);
        for (size_t i = 0; i < SIDE; i++) {
            double wanted = wanted_correlation(sigmas[k], SIDE / 2, i);
            assert_true(fabs(moments.mean[i]) < 0.064);
            assert_true(fabs(moments.square[i] - 1) < 0.09);
            assert_true(fabs(moments.across[i] - wanted) < 0.07);
            assert_true(fabs(moments.down[i] - wanted) < 0.07);
        }
    }
}

/* The fourth moment of a normal number is 3. */
static void displacements_are_about_normal(void **state)
{
    (void)state;
    struct moments moments;
    measure(4, &moments);
    double fourth = 0;
    for (size_t i = 0; i < SIDE; i++)
        fourth += moments.fourth[i] / SIDE;
    assert_true(fourth > 2.7 && fourth < 3.2);
}

/* The exact effect of the grid on the correlation, without the noise of draws. */
static void the_grid_changes_no_correlation_far_from_edges(void **state)
{
    (void)state;
    for (size_t k = 1; k < 6; k++) {
        double sigma = sigmas[k];
        struct plain_axis axis = plain_axis(sigma, EDGE);
        for (size_t distance = 0; distance < 8; distance++) {
            double product = 0, power = 0, other_power = 0;
            for (size_t i = 0; i < axis.count; i++) {
                double a = (double)plain_weight(sigma, EDGE / 2, axis.first + i * axis.step);
                double b = (double)plain_weight(sigma, EDGE / 2 + distance, axis.first + i * axis.step);
                product += a * b;
                power += a * a;
                other_power += b * b;
            }
            double found = product / sqrt(power * other_power);
            double wanted = exp(-(double)(distance * distance) / (4 * sigma * sigma));
            assert_true(fabs(found - wanted) < 0.003);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_field_has_the_bits_of_the_plain_one),
        cmocka_unit_test(a_distortion_has_the_bits_of_the_plain_one),
        cmocka_unit_test(deviation_and_correlation_are_those_of_a_number_at_every_pixel),
        cmocka_unit_test(displacements_are_about_normal),
        cmocka_unit_test(the_grid_changes_no_correlation_far_from_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

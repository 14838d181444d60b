/* Augmentations of pictures: what jitter does to colours, and what cutout blanks. */
#include "data_fixture.h"

#include <math.h>

#define HEIGHT 6
#define WIDTH 8
#define PLANE ((size_t)HEIGHT * WIDTH)

static const struct pst_planes coloured = {
    .rank = 3, .channels = 3, .height = HEIGHT, .width = WIDTH, .numbers = true, .background = -0.5F
};

/* Numbers from 0.1 to 0.9 above the background, all different. */
static void make_picture(float picture[3 * PLANE])
{
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, 0);
    for (size_t i = 0; i < 3 * PLANE; i++)
        picture[i] = (float)(-0.4 + 0.8 * pst_random_uniform(&random));
}

/* What a pixel's three numbers are above the background. */
static double above(const float *picture, size_t channel, size_t pixel)
{
    return (double)picture[channel * PLANE + pixel] + 0.5;
}

static double grey_of(const float *picture, size_t pixel)
{
    return 0.299 * above(picture, 0, pixel) + 0.587 * above(picture, 1, pixel) +
           0.114 * above(picture, 2, pixel);
}

static double mean_of(const float *picture)
{
    double sum = 0;
    for (size_t pixel = 0; pixel < PLANE; pixel++)
        sum += grey_of(picture, pixel) / (double)PLANE;
    return sum;
}

static void jitter(const char *option, const char *share, const float *from, float *to, uint64_t id)
{
    const struct pst_augmentation *augmentation = augmentation_of("jitter");
    struct settings settings = make_settings(&augmentation->settings, OPTIONS(option, share));
    assert_null(augmentation->refuse(settings.bytes, &coloured));
    augmentation->apply(settings.bytes, &coloured, from, to, &(struct pst_draw){ 7, 2, id });
}

/* The least and the most factor of many images. */
struct range {
    double least, most;
};

static void widen(struct range *range, double factor)
{
    range->least = fmin(range->least, factor);
    range->most = fmax(range->most, factor);
}

static void assert_fills(struct range range, double share)
{
    assert_true(range.least > 1 - share - 1e-5 && range.least < 1 - 0.95 * share);
    assert_true(range.most < 1 + share + 1e-5 && range.most > 1 + 0.95 * share);
}

static void brightness_multiplies_every_number(void **state)
{
    (void)state;
    float from[3 * PLANE], to[3 * PLANE];
    struct range range = { 1, 1 };
    make_picture(from);
    for (uint64_t id = 0; id < 300; id++) {
        jitter("jitter-brightness", "0.4", from, to, id);
        double factor = above(to, 0, 0) / above(from, 0, 0);
        for (size_t i = 0; i < 3 * PLANE; i++)
            assert_true(fabs(above(to, 0, i) - factor * above(from, 0, i)) < 1e-6);
        widen(&range, factor);
    }
    assert_fills(range, 0.4);
}

static void contrast_moves_every_number_away_from_the_mean_grey(void **state)
{
    (void)state;
    float from[3 * PLANE], to[3 * PLANE];
    struct range range = { 1, 1 };
    make_picture(from);
    double mean = mean_of(from);
    for (uint64_t id = 0; id < 300; id++) {
        jitter("jitter-contrast", "0.5", from, to, id);
        double factor = (above(to, 0, 0) - mean) / (above(from, 0, 0) - mean);
        for (size_t i = 0; i < 3 * PLANE; i++)
            assert_true(fabs(above(to, 0, i) - mean - factor * (above(from, 0, i) - mean)) < 1e-6);
        widen(&range, factor);
    }
    assert_fills(range, 0.5);
}

static void saturation_moves_every_colour_away_from_its_grey(void **state)
{
    (void)state;
    float from[3 * PLANE], to[3 * PLANE];
    struct range range = { 1, 1 };
    make_picture(from);
    for (uint64_t id = 0; id < 300; id++) {
        jitter("jitter-saturation", "1", from, to, id);
        double factor = (above(to, 0, 0) - grey_of(from, 0)) / (above(from, 0, 0) - grey_of(from, 0));
        for (size_t channel = 0; channel < 3; channel++)
            for (size_t pixel = 0; pixel < PLANE; pixel++) {
                double grey = grey_of(from, pixel);
                assert_true(fabs(above(to, channel, pixel) - grey -
                                 factor * (above(from, channel, pixel) - grey)) < 1e-6);
            }
        widen(&range, factor);
    }
    assert_fills(range, 1);
}

static void jitter_draws_three_factors_of_their_own(void **state)
{
    (void)state;
    float from[3 * PLANE], to[3 * PLANE];
    make_picture(from);
    double products = 0, squares = 0;
    for (uint64_t id = 0; id < 1000; id++) {
        jitter("jitter", "0.5", from, to, id);
        double bright = mean_of(to) / mean_of(from) - 1; /* contrast and saturation do not change it */
        double spread = (grey_of(to, 1) - grey_of(to, 0)) / (grey_of(from, 1) - grey_of(from, 0));
        double contrast = spread / (1 + bright) - 1;
        assert_true(fabs(bright) <= 0.5 + 1e-5 && fabs(contrast) <= 0.5 + 1e-5);
        products += bright * contrast;
        squares += bright * bright;
    }
    assert_true(fabs(products) < 0.15 * squares);
    assert_true(fabs(squares / 1000 - 0.25 / 3) < 0.01);
}

static void bytes_are_limited_and_rounded_and_one_channel_has_no_saturation(void **state)
{
    (void)state;
    const struct pst_augmentation *augmentation = augmentation_of("jitter");
    const struct pst_planes plane = { .rank = 2, .channels = 1, .height = 1, .width = 4 };
    const uint8_t from[4] = { 0, 100, 200, 255 };
    uint8_t to[4];
    unsigned limited = 0;
    struct settings bright = make_settings(&augmentation->settings, OPTIONS("jitter-brightness", "1"));
    for (uint64_t id = 0; id < 100; id++) {
        augmentation->apply(bright.bytes, &plane, from, to, &(struct pst_draw){ 7, 2, id });
        assert_int_equal(to[0], 0);
        assert_true(abs(to[2] - (to[1] < 127 ? 2 * to[1] : 255)) <= 1);
        limited += to[3] == 255;
    }
    assert_in_range(limited, 30, 70);
    struct settings saturated = make_settings(&augmentation->settings, OPTIONS("jitter-saturation", "1"));
    assert_non_null(augmentation->refuse(saturated.bytes, &plane));
    assert_null(augmentation->refuse(augmentation->example, &plane));
}

static void cutout_blanks_one_square_whose_middle_is_anywhere(void **state)
{
    (void)state;
    const struct pst_augmentation *augmentation = augmentation_of("cutout");
    struct settings three = make_settings(&augmentation->settings, OPTIONS("cutout", "3"));
    float from[3 * PLANE], to[3 * PLANE];
    unsigned seen[HEIGHT][WIDTH] = { { 0 } };
    make_picture(from);
    for (uint64_t id = 0; id < 4800; id++) {
        augmentation->apply(three.bytes, &coloured, from, to, &(struct pst_draw){ 7, 2, id });
        size_t first = 0, last = PLANE;
        while (to[first] == from[first])
            first++;
        while (to[last - 1] == from[last - 1])
            last--;
        size_t top = first / WIDTH, left = first % WIDTH, bottom = (last - 1) / WIDTH,
               right = (last - 1) % WIDTH;
        for (size_t i = 0; i < 3 * PLANE; i++) {
            size_t row = i % PLANE / WIDTH, column = i % WIDTH;
            bool inside = row >= top && row <= bottom && column >= left && column <= right;
            assert_true(to[i] == (inside ? -0.5F : from[i]));
        }
        assert_true(bottom - top == (top == 0 && bottom == 1 ? 1 : bottom == HEIGHT - 1 ? bottom - top : 2));
        seen[bottom == HEIGHT - 1 ? top + 1 : bottom - 1][right == WIDTH - 1 ? left + 1 : right - 1]++;
    }
    for (size_t i = 0; i < PLANE; i++) /* 100 expected, with a standard deviation of 10 */
        assert_in_range(seen[i / WIDTH][i % WIDTH], 50, 150);
}

static void a_square_larger_than_the_image_leaves_nothing_of_it(void **state)
{
    (void)state;
    const struct pst_augmentation *augmentation = augmentation_of("cutout");
    struct settings large = make_settings(&augmentation->settings, OPTIONS("cutout", "10000"));
    float from[3 * PLANE], to[3 * PLANE];
    make_picture(from);
    augmentation->apply(large.bytes, &coloured, from, to, &(struct pst_draw){ 7, 2, 1 });
    for (size_t i = 0; i < 3 * PLANE; i++)
        assert_true(to[i] == -0.5F);
}

static void sound_has_neither_colours_nor_squares(void **state)
{
    (void)state;
    struct pst_planes frames = coloured;
    frames.sound = true;
    assert_non_null(augmentation_of("jitter")->refuse(augmentation_of("jitter")->example, &frames));
    assert_non_null(augmentation_of("cutout")->refuse(augmentation_of("cutout")->example, &frames));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brightness_multiplies_every_number),
        cmocka_unit_test(contrast_moves_every_number_away_from_the_mean_grey),
        cmocka_unit_test(saturation_moves_every_colour_away_from_its_grey),
        cmocka_unit_test(jitter_draws_three_factors_of_their_own),
        cmocka_unit_test(bytes_are_limited_and_rounded_and_one_channel_has_no_saturation),
        cmocka_unit_test(cutout_blanks_one_square_whose_middle_is_anywhere),
        cmocka_unit_test(a_square_larger_than_the_image_leaves_nothing_of_it),
        cmocka_unit_test(sound_has_neither_colours_nor_squares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

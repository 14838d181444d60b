/* Augmentation: images move as promised, and the same for the same (seed, epoch, id). */
#include "pipestill/data.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define EDGE 28
#define ELEMENTS ((size_t)EDGE * EDGE)
#define MIDDLE (14 * EDGE + 14)

/* Pixels that tell their place, with one brightest in the middle. */
static void make_image(uint8_t image[ELEMENTS])
{
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, 0);
    for (size_t i = 0; i < ELEMENTS; i++)
        image[i] = (uint8_t)pst_random_below(&random, 255);
    image[MIDDLE] = 255;
}

/* How far the brightest pixel went. */
static void find_shift(const uint8_t moved[ELEMENTS], int *down, int *right)
{
    const uint8_t *at = memchr(moved, 255, ELEMENTS);
    assert_non_null(at);
    *down = (int)((at - moved) / EDGE) - 14;
    *right = (int)((at - moved) % EDGE) - 14;
}

static void a_shift_moves_every_pixel_by_the_same_whole_step(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], moved[ELEMENTS];
    make_image(image);
    for (uint64_t id = 0; id < 200; id++) {
        pst_augment_shift(image, moved, EDGE, EDGE, 3, 7, 0, id);
        int down, right;
        find_shift(moved, &down, &right);
        for (int i = 0; i < EDGE; i++) {
            for (int j = 0; j < EDGE; j++) {
                int y = i - down, x = j - right;
                bool inside = y >= 0 && y < EDGE && x >= 0 && x < EDGE;
                assert_int_equal(moved[i * EDGE + j], inside ? image[y * EDGE + x] : 0);
            }
        }
    }
}

static void all_shifts_of_the_range_are_equally_likely(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], moved[ELEMENTS];
    make_image(image);
    unsigned seen[5][5] = { { 0 } };
    for (uint64_t id = 0; id < 25000; id++) {
        pst_augment_shift(image, moved, EDGE, EDGE, 2, 7, 3, id);
        int down, right;
        find_shift(moved, &down, &right);
        assert_in_range(down + 2, 0, 4);
        assert_in_range(right + 2, 0, 4);
        seen[down + 2][right + 2]++;
    }
    for (size_t i = 0; i < 25; i++) /* 1000 expected, with a standard deviation of 31 */
        assert_in_range(seen[i / 5][i % 5], 850, 1150);
}

static void a_shift_of_zero_is_the_identity(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], moved[ELEMENTS];
    make_image(image);
    pst_augment_shift(image, moved, EDGE, EDGE, 0, 7, 0, 1);
    assert_memory_equal(image, moved, ELEMENTS);
}

static void shifts_beyond_the_edge_leave_nothing(void **state)
{
    (void)state;
    const uint8_t image[6] = { 1, 2, 3, 4, 5, 6 };
    unsigned blank = 0;
    for (uint64_t id = 0; id < 100; id++) {
        uint8_t moved[6];
        pst_augment_shift(image, moved, 2, 3, 50, 7, 0, id);
        blank += memcmp(moved, (const uint8_t[6]){ 0 }, 6) == 0;
    }
    assert_true(blank > 80);
}

static const struct pst_elastic usual = { .strength = 1.5, .smoothness = 4, .rotation = 10, .scaling = 0.1 };

static void augmentation_depends_on_seed_epoch_and_id_only(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], first[ELEMENTS], again[ELEMENTS], other[ELEMENTS];
    make_image(image);
    pst_augment_elastic(image, first, EDGE, EDGE, &usual, 7, 2, 5);
    pst_augment_elastic(image, other, EDGE, EDGE, &usual, 8, 2, 5);
    assert_memory_not_equal(first, other, ELEMENTS);
    pst_augment_elastic(image, other, EDGE, EDGE, &usual, 7, 3, 5);
    assert_memory_not_equal(first, other, ELEMENTS);
    pst_augment_elastic(image, other, EDGE, EDGE, &usual, 7, 2, 6);
    assert_memory_not_equal(first, other, ELEMENTS);
    pst_augment_elastic(image, again, EDGE, EDGE, &usual, 7, 2, 5);
    assert_memory_equal(first, again, ELEMENTS);
}

static void an_elastic_distortion_of_zero_is_the_identity(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], distorted[ELEMENTS];
    make_image(image);
    for (uint64_t id = 0; id < 20; id++) {
        pst_augment_elastic(image, distorted, EDGE, EDGE, &(struct pst_elastic){ 0 }, 7, 0, id);
        assert_memory_equal(image, distorted, ELEMENTS);
    }
}

/* On a ramp the grey value says where a pixel was fetched: 8 per pixel to the right. */
static void make_ramp(uint8_t image[ELEMENTS])
{
    for (size_t i = 0; i < ELEMENTS; i++)
        image[i] = (uint8_t)(8 * (i % EDGE) + 10);
}

static void strength_is_the_standard_deviation_of_the_way_moved(void **state)
{
    (void)state;
    uint8_t ramp[ELEMENTS], distorted[ELEMENTS];
    make_ramp(ramp);
    static const double smoothness[] = { 2, 4, 8 };
    for (size_t k = 0; k < 3; k++) {
        const struct pst_elastic elastic = { .strength = 1.5, .smoothness = smoothness[k] };
        double sum = 0, squares = 0, count = 0;
        for (uint64_t id = 0; id < 400; id++) {
            pst_augment_elastic(ramp, distorted, EDGE, EDGE, &elastic, 7, 0, id);
            for (size_t i = 6; i < EDGE - 6; i++) { /* far from the edges, where zeros come in */
                for (size_t j = 6; j < EDGE - 6; j++) {
                    double moved = (distorted[i * EDGE + j] - ramp[i * EDGE + j]) / 8.0;
                    sum += moved;
                    squares += moved * moved;
                    count++;
                }
            }
        }
        double mean = sum / count, deviation = sqrt(squares / count - mean * mean);
        assert_true(fabs(mean) < 0.1);
        assert_true(fabs(deviation - 1.5) < 0.1);
    }
}

static void smoothness_keeps_neighbours_together(void **state)
{
    (void)state;
    uint8_t ramp[ELEMENTS], distorted[ELEMENTS];
    make_ramp(ramp);
    double roughness[2] = { 0, 0 };
    for (size_t k = 0; k < 2; k++) {
        const struct pst_elastic elastic = { .strength = 1.5, .smoothness = k == 0 ? 2 : 8 };
        for (uint64_t id = 0; id < 100; id++) {
            pst_augment_elastic(ramp, distorted, EDGE, EDGE, &elastic, 7, 0, id);
            for (size_t i = 6; i < EDGE - 6; i++)
                roughness[k] += abs(distorted[i * EDGE + 14] - distorted[(i + 1) * EDGE + 14]);
        }
    }
    assert_true(roughness[1] < roughness[0] / 2);
}

static void rotation_and_scaling_fill_their_ranges_and_stay_in_them(void **state)
{
    (void)state;
    uint8_t ramp[ELEMENTS], distorted[ELEMENTS];
    make_ramp(ramp);
    const struct pst_elastic turn = { .rotation = 20 }, stretch = { .scaling = 0.2 };
    double least_angle = 0, most_angle = 0, least_scale = 1, most_scale = 1;
    for (uint64_t id = 0; id < 500; id++) {
        pst_augment_elastic(ramp, distorted, EDGE, EDGE, &turn, 7, 0, id);
        double angle = asin((distorted[18 * EDGE + 13] - distorted[8 * EDGE + 13]) / 80.0) * 57.29578;
        least_angle = fmin(least_angle, angle);
        most_angle = fmax(most_angle, angle);
        pst_augment_elastic(ramp, distorted, EDGE, EDGE, &stretch, 7, 0, id);
        double scale = 80.0 / (distorted[14 * EDGE + 18] - distorted[14 * EDGE + 8]);
        least_scale = fmin(least_scale, scale);
        most_scale = fmax(most_scale, scale);
    }
    assert_true(least_angle > -21.5 && least_angle < -18);
    assert_true(most_angle < 21.5 && most_angle > 18);
    assert_true(least_scale > 0.78 && least_scale < 0.83);
    assert_true(most_scale < 1.22 && most_scale > 1.17);
}

static void a_digit_keeps_about_its_ink(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], distorted[ELEMENTS];
    double before = 0, after = 0;
    for (uint64_t id = 0; id < 500; id++) {
        pst_digit_draw(1, id, image);
        pst_augment_elastic(image, distorted, EDGE, EDGE, &usual, 7, 0, id);
        for (size_t i = 0; i < ELEMENTS; i++) {
            before += image[i];
            after += distorted[i];
        }
    }
    assert_true(after > 0.9 * before && after < 1.1 * before);
}

static void images_of_any_size_up_to_64_are_distorted(void **state)
{
    (void)state;
    static const size_t sizes[][2] = { { 1, 1 }, { 1, 64 }, { 64, 1 }, { 17, 33 }, { 64, 64 } };
    const struct pst_elastic wild = { .strength = 100, .smoothness = 100, .rotation = 180, .scaling = 0.9 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t size = sizes[k][0] * sizes[k][1];
        uint8_t *image = malloc(size), *distorted = malloc(size);
        assert_non_null(image);
        assert_non_null(distorted);
        memset(image, 100, size);
        for (uint64_t id = 0; id < 10; id++) {
            pst_augment_elastic(image, distorted, sizes[k][0], sizes[k][1], &usual, 7, 0, id);
            assert_true(size <= 64 || distorted[sizes[k][0] / 2 * sizes[k][1] + sizes[k][1] / 2] > 0);
            pst_augment_elastic(image, distorted, sizes[k][0], sizes[k][1], &wild, 7, 0, id);
            for (size_t i = 0; i < size; i++)
                assert_true(distorted[i] <= 100);
        }
        free(image);
        free(distorted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shift_moves_every_pixel_by_the_same_whole_step),
        cmocka_unit_test(all_shifts_of_the_range_are_equally_likely),
        cmocka_unit_test(a_shift_of_zero_is_the_identity),
        cmocka_unit_test(shifts_beyond_the_edge_leave_nothing),
        cmocka_unit_test(augmentation_depends_on_seed_epoch_and_id_only),
        cmocka_unit_test(an_elastic_distortion_of_zero_is_the_identity),
        cmocka_unit_test(strength_is_the_standard_deviation_of_the_way_moved),
        cmocka_unit_test(smoothness_keeps_neighbours_together),
        cmocka_unit_test(rotation_and_scaling_fill_their_ranges_and_stay_in_them),
        cmocka_unit_test(a_digit_keeps_about_its_ink),
        cmocka_unit_test(images_of_any_size_up_to_64_are_distorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

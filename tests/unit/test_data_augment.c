/* Augmentation: images move as promised, and the same for the same (seed, epoch, id). */
#include "data_fixture.h"

#include <math.h>
#include <stdio.h>

#define EDGE 28
#define ELEMENTS ((size_t)EDGE * EDGE)
#define MIDDLE (14 * EDGE + 14)

/* Pixels that differ by their place, with the brightest one in the middle. */
static void make_image(uint8_t image[ELEMENTS])
{
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, 0);
    for (size_t i = 0; i < ELEMENTS; i++)
        image[i] = (uint8_t)pst_random_below(&random, 255);
    image[MIDDLE] = 255;
}

/* Applies an augmentation to one plane of bytes. */
static void apply(const char *name, const char *const *options, const uint8_t *from, uint8_t *to,
                  size_t height, size_t width, struct pst_draw draw)
{
    const struct pst_augmentation *augmentation = augmentation_of(name);
    struct settings settings = make_settings(&augmentation->settings, options);
    struct pst_planes planes = { .rank = 2, .channels = 1, .height = height, .width = width };
    assert_null(augmentation->refuse(settings.bytes, &planes));
    augmentation->apply(settings.bytes, &planes, from, to, &draw);
}

static void shift(const uint8_t *from, uint8_t *to, size_t height, size_t width, unsigned most, uint64_t seed,
                  uint64_t epoch, uint64_t id)
{
    char text[16];
    snprintf(text, sizeof text, "%u", most);
    apply("shift", OPTIONS("shift", text), from, to, height, width, (struct pst_draw){ seed, epoch, id });
}

struct elastic {
    double strength, smoothness, rotation, scaling;
};

static void distort(const uint8_t *from, uint8_t *to, size_t height, size_t width,
                    const struct elastic *elastic, uint64_t seed, uint64_t epoch, uint64_t id)
{
    const double values[4] = { elastic->strength, elastic->smoothness > 0 ? elastic->smoothness : 4,
                               elastic->rotation, elastic->scaling };
    char text[4][32];
    for (size_t i = 0; i < 4; i++)
        snprintf(text[i], sizeof text[i], "%.17g", values[i]);
    apply("elastic",
          OPTIONS("elastic", text[0], "elastic-smoothness", text[1], "rotate", text[2], "scale-jitter",
                  text[3]),
          from, to, height, width, (struct pst_draw){ seed, epoch, id });
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
        shift(image, moved, EDGE, EDGE, 3, 7, 0, id);
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
        shift(image, moved, EDGE, EDGE, 2, 7, 3, id);
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
    shift(image, moved, EDGE, EDGE, 0, 7, 0, 1);
    assert_memory_equal(image, moved, ELEMENTS);
}

static void shifts_beyond_the_edge_leave_nothing(void **state)
{
    (void)state;
    const uint8_t image[6] = { 1, 2, 3, 4, 5, 6 };
    unsigned blank = 0;
    for (uint64_t id = 0; id < 100; id++) {
        uint8_t moved[6];
        shift(image, moved, 2, 3, 50, 7, 0, id);
        blank += memcmp(moved, (const uint8_t[6]){ 0 }, 6) == 0;
    }
    assert_true(blank > 80);
}

static const struct elastic usual = { .strength = 1.5, .smoothness = 4, .rotation = 10, .scaling = 0.1 };

static void augmentation_depends_on_seed_epoch_and_id_only(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], first[ELEMENTS], again[ELEMENTS], other[ELEMENTS];
    make_image(image);
    distort(image, first, EDGE, EDGE, &usual, 7, 2, 5);
    distort(image, other, EDGE, EDGE, &usual, 8, 2, 5);
    assert_memory_not_equal(first, other, ELEMENTS);
    distort(image, other, EDGE, EDGE, &usual, 7, 3, 5);
    assert_memory_not_equal(first, other, ELEMENTS);
    distort(image, other, EDGE, EDGE, &usual, 7, 2, 6);
    assert_memory_not_equal(first, other, ELEMENTS);
    distort(image, again, EDGE, EDGE, &usual, 7, 2, 5);
    assert_memory_equal(first, again, ELEMENTS);
}

static void an_elastic_distortion_of_zero_is_the_identity(void **state)
{
    (void)state;
    uint8_t image[ELEMENTS], distorted[ELEMENTS];
    make_image(image);
    for (uint64_t id = 0; id < 20; id++) {
        distort(image, distorted, EDGE, EDGE, &(struct elastic){ 0 }, 7, 0, id);
        assert_memory_equal(image, distorted, ELEMENTS);
    }
}

/* On a ramp the grey value shows where a pixel came from: 8 more for each pixel to the right. */
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
        const struct elastic elastic = { .strength = 1.5, .smoothness = smoothness[k] };
        double sum = 0, squares = 0, count = 0;
        for (uint64_t id = 0; id < 400; id++) {
            distort(ramp, distorted, EDGE, EDGE, &elastic, 7, 0, id);
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
        const struct elastic elastic = { .strength = 1.5, .smoothness = k == 0 ? 2 : 8 };
        for (uint64_t id = 0; id < 100; id++) {
            distort(ramp, distorted, EDGE, EDGE, &elastic, 7, 0, id);
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
    const struct elastic turn = { .rotation = 20 }, stretch = { .scaling = 0.2 };
    double least_angle = 0, most_angle = 0, least_scale = 1, most_scale = 1;
    for (uint64_t id = 0; id < 500; id++) {
        distort(ramp, distorted, EDGE, EDGE, &turn, 7, 0, id);
        double angle = asin((distorted[18 * EDGE + 13] - distorted[8 * EDGE + 13]) / 80.0) * 57.29578;
        least_angle = fmin(least_angle, angle);
        most_angle = fmax(most_angle, angle);
        distort(ramp, distorted, EDGE, EDGE, &stretch, 7, 0, id);
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
        distort(image, distorted, EDGE, EDGE, &usual, 7, 0, id);
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
    const struct elastic wild = { .strength = 100, .smoothness = 100, .rotation = 180, .scaling = 0.9 };
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        size_t size = sizes[k][0] * sizes[k][1];
        uint8_t *image = malloc(size), *distorted = malloc(size);
        assert_non_null(image);
        assert_non_null(distorted);
        memset(image, 100, size);
        for (uint64_t id = 0; id < 10; id++) {
            distort(image, distorted, sizes[k][0], sizes[k][1], &usual, 7, 0, id);
            assert_true(size <= 64 || distorted[sizes[k][0] / 2 * sizes[k][1] + sizes[k][1] / 2] > 0);
            distort(image, distorted, sizes[k][0], sizes[k][1], &wild, 7, 0, id);
            for (size_t i = 0; i < size; i++)
                assert_true(distorted[i] <= 100);
        }
        free(image);
        free(distorted);
    }
}

/* ---- crop and flip ---- */

/* A plane of numbers that are all different. */
static void make_plane(uint8_t plane[48])
{
    for (size_t i = 0; i < 48; i++)
        plane[i] = (uint8_t)(i + 1);
}

static const struct pst_planes small = { .rank = 2, .channels = 1, .height = 6, .width = 8 };

static void a_flip_mirrors_half_of_all_images(void **state)
{
    (void)state;
    const struct pst_augmentation *flip = augmentation_of("flip");
    uint8_t plane[48], flipped[48];
    unsigned mirrored = 0;
    make_plane(plane);
    for (uint64_t id = 0; id < 1000; id++) {
        flip->apply(flip->example, &small, plane, flipped, &(struct pst_draw){ 3, 0, id });
        bool turned = flipped[0] != plane[0];
        for (size_t i = 0; i < 48; i++)
            assert_int_equal(flipped[i], plane[turned ? i / 8 * 8 + 7 - i % 8 : i]);
        mirrored += turned;
    }
    assert_in_range(mirrored, 440, 560);
}

static void a_crop_cuts_every_piece_of_the_padded_image(void **state)
{
    (void)state;
    const struct pst_augmentation *crop = augmentation_of("crop");
    struct settings two = make_settings(&crop->settings, OPTIONS("crop", "2"));
    uint8_t plane[48], cut[48];
    unsigned pieces[5][5] = { 0 };
    make_plane(plane);
    for (uint64_t id = 0; id < 5000; id++) {
        crop->apply(two.bytes, &small, plane, cut, &(struct pst_draw){ 3, 0, id });
        size_t middle = cut[2 * 8 + 3] - 1U; /* which pixel came to row 2, column 3 */
        size_t down = middle / 8, right = middle % 8 - 1;
        assert_true(down < 5 && right < 5);
        pieces[down][right]++;
        for (size_t i = 0; i < 48; i++) {
            size_t row = i / 8 + down - 2, column = i % 8 + right - 2;
            assert_int_equal(cut[i], row < 6 && column < 8 ? plane[row * 8 + column] : 0);
        }
    }
    for (size_t i = 0; i < 25; i++)
        assert_in_range(pieces[i / 5][i % 5], 130, 270);
}

static void crop_and_shift_draw_on_their_own(void **state)
{
    (void)state;
    const struct pst_augmentation *crop = augmentation_of("crop"), *move = augmentation_of("shift");
    uint8_t plane[48], cut[48], moved[48];
    unsigned same = 0;
    make_plane(plane);
    for (uint64_t id = 0; id < 100; id++) {
        struct pst_draw draw = { 3, 0, id };
        crop->apply(crop->example, &small, plane, cut, &draw);
        move->apply(move->example, &small, plane, moved, &draw);
        same += memcmp(cut, moved, sizeof cut) == 0;
    }
    assert_in_range(same, 0, 20);
}

/* ---- all augmentations of the table ---- */

#define CHANNELS 3

/* Three channels of digits, as bytes and as the same numbers. */
static void make_channels(uint8_t bytes[CHANNELS * ELEMENTS], float numbers[CHANNELS * ELEMENTS])
{
    for (uint64_t channel = 0; channel < CHANNELS; channel++)
        pst_digit_draw(1, channel, bytes + channel * ELEMENTS);
    for (size_t i = 0; i < CHANNELS * ELEMENTS; i++)
        numbers[i] = bytes[i];
}

static const struct pst_planes one = { .rank = 2, .channels = 1, .height = EDGE, .width = EDGE };
static const struct pst_planes three = { .rank = 3, .channels = CHANNELS, .height = EDGE, .width = EDGE };

/* test_data_sound_augment.c tests those of sound. */
static bool is_of_sound(const struct pst_augmentation *augmentation)
{
    bool of_sound = augmentation->apply == NULL || strcmp(augmentation->name, "mask") == 0;
    assert_int_equal(augmentation->refuse(augmentation->example, &three) != NULL, of_sound);
    return of_sound;
}

/* A colour depends on all channels; test_data_augment_pictures.c tests it. */
static bool is_of_colours(const struct pst_augmentation *augmentation)
{
    return strcmp(augmentation->name, "jitter") == 0;
}

static void every_augmentation_moves_all_channels_alike(void **state)
{
    (void)state;
    static uint8_t bytes[CHANNELS * ELEMENTS], together[CHANNELS * ELEMENTS], alone[ELEMENTS];
    static float numbers[CHANNELS * ELEMENTS];
    make_channels(bytes, numbers);
    for (size_t i = 0; pst_augmentations[i] != NULL; i++) {
        const struct pst_augmentation *augmentation = pst_augmentations[i];
        assert_true(augmentation->is_on(augmentation->example));
        if (is_of_sound(augmentation) || is_of_colours(augmentation))
            continue;
        for (uint64_t id = 0; id < 50; id++) {
            struct pst_draw draw = { 7, 1, id };
            augmentation->apply(augmentation->example, &three, bytes, together, &draw);
            for (size_t channel = 0; channel < CHANNELS; channel++) {
                augmentation->apply(augmentation->example, &one, bytes + channel * ELEMENTS, alone, &draw);
                assert_memory_equal(alone, together + channel * ELEMENTS, ELEMENTS);
            }
        }
    }
}

/* Numbers change like bytes, but without rounding or limits, and the background comes in instead of 0. */
static void every_augmentation_moves_numbers_as_it_moves_bytes(void **state)
{
    (void)state;
    static uint8_t bytes[CHANNELS * ELEMENTS], moved[CHANNELS * ELEMENTS];
    static float numbers[CHANNELS * ELEMENTS], raised[CHANNELS * ELEMENTS],
        moved_numbers[CHANNELS * ELEMENTS], moved_raised[CHANNELS * ELEMENTS];
    make_channels(bytes, numbers);
    for (size_t i = 0; i < CHANNELS * ELEMENTS; i++)
        raised[i] = numbers[i] - 100;
    struct pst_planes planes = three, high = three;
    planes.numbers = high.numbers = true;
    high.background = -100;
    for (size_t i = 0; pst_augmentations[i] != NULL; i++) {
        const struct pst_augmentation *augmentation = pst_augmentations[i];
        for (uint64_t id = 0; id < 50 && !is_of_sound(augmentation); id++) {
            struct pst_draw draw = { 7, 1, id };
            augmentation->apply(augmentation->example, &three, bytes, moved, &draw);
            augmentation->apply(augmentation->example, &planes, numbers, moved_numbers, &draw);
            augmentation->apply(augmentation->example, &high, raised, moved_raised, &draw);
            for (size_t k = 0; k < CHANNELS * ELEMENTS; k++) {
                assert_true(fabsf(fminf(fmaxf(moved_numbers[k], 0), 255) - moved[k]) <= 0.501F);
                assert_true(fabsf(moved_numbers[k] - 100 - moved_raised[k]) < 1e-3F);
            }
        }
    }
}

static void every_augmentation_depends_on_seed_epoch_and_id(void **state)
{
    (void)state;
    static uint8_t bytes[CHANNELS * ELEMENTS], first[CHANNELS * ELEMENTS], again[CHANNELS * ELEMENTS];
    static float numbers[CHANNELS * ELEMENTS];
    make_channels(bytes, numbers);
    for (size_t i = 0; pst_augmentations[i] != NULL; i++) {
        const struct pst_augmentation *augmentation = pst_augmentations[i];
        unsigned others = 0;
        if (is_of_sound(augmentation))
            continue;
        for (uint64_t k = 0; k < 60; k++) {
            struct pst_draw draw = { 7, 1, 9 }, other = { 7, 1, 9 };
            *(k % 3 == 0 ? &other.seed : k % 3 == 1 ? &other.epoch : &other.id) += 1 + k;
            augmentation->apply(augmentation->example, &three, bytes, first, &draw);
            augmentation->apply(augmentation->example, &three, bytes, again, &draw);
            assert_memory_equal(first, again, sizeof first);
            augmentation->apply(augmentation->example, &three, bytes, again, &other);
            others += memcmp(first, again, sizeof first) != 0;
        }
        assert_true(others > 15); /* a flip leaves half of them unchanged */
    }
}

static void what_an_augmentation_cannot_do_is_refused(void **state)
{
    (void)state;
    const struct pst_planes row = { .rank = 1 };
    struct pst_planes wide = one;
    wide.width = 65;
    const struct pst_augmentation *elastic = augmentation_of("elastic"), *move = augmentation_of("shift");
    for (size_t i = 0; pst_augmentations[i] != NULL; i++)
        assert_non_null(pst_augmentations[i]->refuse(pst_augmentations[i]->example, &row));
    assert_non_null(elastic->refuse(elastic->example, &wide));
    assert_null(move->refuse(move->example, &wide));
    struct settings smooth = make_settings(&elastic->settings, OPTIONS("elastic-smoothness", "5"));
    assert_false(elastic->is_on(smooth.bytes)); /* the table of options says that it needs --elastic */
    struct settings off = make_settings(&elastic->settings, NULL);
    assert_false(elastic->is_on(off.bytes));
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
        cmocka_unit_test(a_flip_mirrors_half_of_all_images),
        cmocka_unit_test(a_crop_cuts_every_piece_of_the_padded_image),
        cmocka_unit_test(crop_and_shift_draw_on_their_own),
        cmocka_unit_test(every_augmentation_moves_all_channels_alike),
        cmocka_unit_test(every_augmentation_moves_numbers_as_it_moves_bytes),
        cmocka_unit_test(every_augmentation_depends_on_seed_epoch_and_id),
        cmocka_unit_test(what_an_augmentation_cannot_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

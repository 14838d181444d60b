/* Mixed samples: their partners and shares, and what becomes of inputs, labels and weights. */
#include "data_fixture.h"
#include "lib/data/mix.h"

#include <math.h>

#define SAMPLES 60
#define CHANNELS 2
#define HEIGHT 6
#define WIDTH 8
#define ELEMENTS ((size_t)CHANNELS * HEIGHT * WIDTH)
#define CLASSES 4

/* Pixels that tell their sample and place apart. */
static uint8_t pixel_of(size_t sample, size_t element)
{
    return (uint8_t)((sample * 37 + element * 11) % 251);
}

static enum pst_status get_pixels(const struct pst_dataset *dataset, size_t index, void *elements,
                                  struct pst_error *error)
{
    (void)error;
    for (size_t i = 0; i < ELEMENTS; i++) {
        if (dataset->element == PST_ELEMENT_U8)
            ((uint8_t *)elements)[i] = pixel_of(index, i);
        else
            ((float *)elements)[i] = pixel_of(index, i);
    }
    return PST_OK;
}

static const struct pst_dataset_type made_up = { .name = "made-up", .get = get_pixels };

static int32_t labels[SAMPLES];
static float numbers[SAMPLES][3], weights[SAMPLES];

static struct pst_dataset make_set(enum pst_element element)
{
    for (size_t i = 0; i < SAMPLES; i++) {
        labels[i] = (int32_t)(i % CLASSES);
        weights[i] = (float)i / 10;
        for (size_t j = 0; j < 3; j++)
            numbers[i][j] = (float)(i * (j + 1)) - 40;
    }
    return (struct pst_dataset){ .type = &made_up,
                                 .name = "made up",
                                 .samples = SAMPLES,
                                 .element = element,
                                 .rank = 3,
                                 .shape = { CHANNELS, HEIGHT, WIDTH },
                                 .scale = 1,
                                 .label_kind = PST_LABELS_CLASS,
                                 .classes = CLASSES,
                                 .labels = labels,
                                 .first_id = 1000 };
}

static const struct pst_view_settings plain = { .no_shuffle = true, .rules = { .seed = 5 } };

static struct pst_view_settings mixed_by(double mixup, double cutmix)
{
    struct pst_view_settings settings = plain;
    settings.mixup = mixup;
    settings.cutmix = cutmix;
    return settings;
}

/* Opens a view in epoch 3; flip: with mirrored images. */
static struct pst_view open_view(const struct pst_dataset *set, struct pst_view_settings settings, bool flip)
{
    static const unsigned char off[MOST_SETTINGS];
    const void *augmentations[PST_MAX_AUGMENTATIONS];
    for (size_t i = 0; pst_augmentations[i] != NULL; i++)
        augmentations[i] =
            strcmp(pst_augmentations[i]->name, "flip") == 0 && flip ? pst_augmentations[i]->example : off;
    struct pst_view view;
    struct pst_error error = { 0 };
    if (pst_view_open(&view, set, &settings, augmentations, &error) != PST_OK)
        fail_msg("%s", error.message);
    assert_int_equal(pst_view_begin(&view, 3, 0, NULL), PST_OK);
    return view;
}

/* ---- inputs -------------------------------------------------------------------------------------------- */

static void mixup_adds_a_share_of_another_sample_as_it_is_augmented(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_F32);
    struct pst_view mixed = open_view(&set, mixed_by(1, 0), true), alone = open_view(&set, plain, true);
    float x[ELEMENTS], own[ELEMENTS], other[ELEMENTS], y[CLASSES];
    uint64_t id, ignored;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pst_mixture mixture = pst_mix_draw(&mixed, i);
        assert_int_equal(pst_view_get(&mixed, i, x, y, &id, NULL), PST_OK);
        assert_int_equal(pst_view_get(&alone, i, own, NULL, &ignored, NULL), PST_OK);
        assert_int_equal(pst_view_get(&alone, mixture.other, other, NULL, &ignored, NULL), PST_OK);
        assert_int_equal(id, 1000 + i);
        for (size_t k = 0; k < ELEMENTS; k++)
            assert_true(fabs((double)x[k] - mixture.share * (double)own[k] -
                             (1 - mixture.share) * (double)other[k]) < 1e-4);
    }
    pst_view_close(&mixed);
    pst_view_close(&alone);
}

static void bytes_are_mixed_and_rounded(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    struct pst_view mixed = open_view(&set, mixed_by(0.5, 0), false);
    uint8_t x[ELEMENTS];
    uint64_t id;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pst_mixture mixture = pst_mix_draw(&mixed, i);
        assert_int_equal(pst_view_get(&mixed, i, x, NULL, &id, NULL), PST_OK);
        for (size_t k = 0; k < ELEMENTS; k++)
            assert_true(fabs(x[k] - mixture.share * pixel_of(i, k) -
                             (1 - mixture.share) * pixel_of(mixture.other, k)) < 0.5 + 1e-9);
    }
    pst_view_close(&mixed);
}

static void cutmix_puts_a_rectangle_of_another_image_into_one(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    struct pst_view mixed = open_view(&set, mixed_by(0, 1), false);
    uint8_t x[ELEMENTS];
    uint64_t id;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pst_mixture mixture = pst_mix_draw(&mixed, i);
        const struct pst_box box = mixture.box;
        assert_true(mixture.boxed && box.row + box.height <= HEIGHT && box.column + box.width <= WIDTH);
        assert_true(fabs(mixture.share - 1 + (double)(box.height * box.width) / (HEIGHT * WIDTH)) < 1e-12);
        assert_int_equal(pst_view_get(&mixed, i, x, NULL, &id, NULL), PST_OK);
        for (size_t k = 0; k < ELEMENTS; k++) {
            size_t row = k / WIDTH % HEIGHT - box.row, column = k % WIDTH - box.column;
            bool inside = row < box.height && column < box.width; /* a place before the box wraps around */
            assert_int_equal(x[k], pixel_of(inside ? mixture.other : i, k));
        }
    }
    pst_view_close(&mixed);
}

/* ---- what is drawn ------------------------------------------------------------------------------------- */

static void others_are_all_samples_of_the_selection_alike(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    struct pst_view_settings some = mixed_by(1, 0);
    some.rules.only = "1,3";
    struct pst_view view = open_view(&set, some, false);
    unsigned seen[SAMPLES] = { 0 };
    for (view.epoch = 0; view.epoch < 2900; view.epoch++) {
        struct pst_mixture mixture = pst_mix_draw(&view, 13);
        assert_int_not_equal(mixture.other, 13);
        seen[mixture.other]++;
    }
    for (size_t i = 0; i < SAMPLES; i++) /* 100 expected, with a standard deviation of 10 */
        assert_in_range(seen[i], i % 2 == 0 || i == 13 ? 0 : 55, i % 2 == 0 || i == 13 ? 0 : 145);
    pst_view_close(&view);
}

static double arcsine(double x)
{
    return 0.63661977236758134 * asin(sqrt(x));
}

static double uniform(double x)
{
    return x;
}

static double parabola(double x)
{
    return x * x * (3 - 2 * x);
}

static int compare_doubles(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

/* By the test of Kolmogorov and Smirnov, for the three whose distribution functions are short. */
static void shares_are_from_the_beta_distribution(void **state)
{
    (void)state;
    enum { DRAWS = 20000 };
    static const struct {
        double alpha;
        double (*distribution)(double x);
    } cases[] = { { 0.5, arcsine }, { 1, uniform }, { 2, parabola } };
    static double shares[DRAWS];
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct pst_view view = open_view(&set, mixed_by(cases[c].alpha, 0), false);
        for (size_t i = 0; i < DRAWS; i++) {
            view.epoch = i / SAMPLES;
            shares[i] = pst_mix_draw(&view, i % SAMPLES).share;
        }
        qsort(shares, DRAWS, sizeof *shares, compare_doubles);
        for (size_t i = 0; i < DRAWS; i++)
            assert_true(fabs(cases[c].distribution(shares[i]) - ((double)i + 0.5) / DRAWS) <
                        1.63 / sqrt(DRAWS));
        pst_view_close(&view);
    }
}

static void small_and_large_alphas_give_shares(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    static const double alphas[] = { 0.001, 0.05, 1000 };
    for (size_t a = 0; a < sizeof alphas / sizeof *alphas; a++) {
        struct pst_view view = open_view(&set, mixed_by(alphas[a], 0), false);
        double mean = 0, middling = 0;
        for (size_t i = 0; i < 6000; i++) {
            view.epoch = i / SAMPLES;
            double share = pst_mix_draw(&view, i % SAMPLES).share;
            assert_true(share >= 0 && share <= 1);
            mean += share / 6000;
            middling += share > 0.4 && share < 0.6;
        }
        assert_true(fabs(mean - 0.5) < 0.03);
        assert_true(alphas[a] < 1 ? middling < 200 : middling == 6000);
        pst_view_close(&view);
    }
}

static void with_both_a_coin_chooses(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    struct pst_view view = open_view(&set, mixed_by(1, 1), false);
    unsigned boxed = 0;
    for (view.epoch = 0; view.epoch < 1000; view.epoch++)
        boxed += pst_mix_draw(&view, 3).boxed;
    assert_in_range(boxed, 430, 570);
    pst_view_close(&view);
}

static void a_mixed_sample_is_the_same_in_any_order(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_F32);
    struct pst_view_settings settings = mixed_by(0.4, 1), other = settings;
    other.no_shuffle = false;
    other.shuffle = true;
    struct pst_view in_order = open_view(&set, settings, true), shuffled = open_view(&set, other, true);
    float x[ELEMENTS], again[ELEMENTS], y[CLASSES], y_again[CLASSES];
    uint64_t id, same;
    for (size_t i = SAMPLES; i-- > 0;) {
        assert_int_equal(pst_view_get(&shuffled, i, x, y, &id, NULL), PST_OK);
        assert_int_equal(pst_view_get(&in_order, (size_t)id - 1000, again, y_again, &same, NULL), PST_OK);
        assert_int_equal(id, same);
        assert_memory_equal(x, again, sizeof x);
        assert_memory_equal(y, y_again, sizeof y);
    }
    pst_view_close(&in_order);
    pst_view_close(&shuffled);
}

/* ---- labels and weights -------------------------------------------------------------------------------- */

static void labels_become_the_share_of_each_class(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    struct pst_view view = open_view(&set, mixed_by(0, 1), false);
    uint8_t x[ELEMENTS];
    float y[CLASSES];
    uint64_t id;
    assert_int_equal(view.label_bytes, sizeof y);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pst_mixture mixture = pst_mix_draw(&view, i);
        double expected[CLASSES] = { 0 };
        expected[i % CLASSES] += mixture.share;
        expected[mixture.other % CLASSES] += 1 - mixture.share;
        memset(y, 77, sizeof y);
        assert_int_equal(pst_view_get(&view, i, x, y, &id, NULL), PST_OK);
        for (size_t c = 0; c < CLASSES; c++)
            assert_true(fabs((double)y[c] - expected[c]) < 1e-7);
    }
    pst_view_close(&view);
}

static void numbers_to_predict_and_weights_are_mixed_too(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    set.label_kind = PST_LABELS_NUMBERS;
    set.label_width = 3;
    set.labels = numbers;
    set.weights = weights;
    struct pst_view view = open_view(&set, mixed_by(1, 0), false), alone = open_view(&set, plain, false);
    uint8_t x[ELEMENTS];
    float y[3];
    uint64_t id;
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pst_mixture mixture = pst_mix_draw(&view, i);
        double own = mixture.share, rest = 1 - own;
        assert_int_equal(pst_view_get(&view, i, x, y, &id, NULL), PST_OK);
        for (size_t j = 0; j < 3; j++)
            assert_true(fabs((double)y[j] - own * (double)numbers[i][j] -
                             rest * (double)numbers[mixture.other][j]) < 1e-4);
        assert_true(fabs((double)pst_view_weight(&view, i) - own * (double)weights[i] -
                         rest * (double)weights[mixture.other]) < 1e-6);
        assert_true(pst_view_weight(&alone, i) == weights[i]);
    }
    pst_view_close(&view);
    pst_view_close(&alone);
}

/* ---- refusals ------------------------------------------------------------------------------------------ */

static void assert_refused(const struct pst_dataset *set, struct pst_view_settings settings,
                           const char *words)
{
    struct pst_view view;
    struct pst_error error = { 0 };
    assert_int_equal(pst_view_open(&view, set, &settings, NULL, &error), PST_USAGE);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, words);
}

static void what_cannot_be_mixed_is_refused(void **state)
{
    (void)state;
    struct pst_dataset set = make_set(PST_ELEMENT_U8);
    struct pst_sequence sequence = { 0, SAMPLES, 0 };
    set.label_kind = PST_LABELS_BITS;
    assert_refused(&set, mixed_by(1, 0), "made up: --mixup: several labels a sample are not mixed");
    set.label_kind = PST_LABELS_CLASS;
    set.classes = 65537;
    assert_refused(&set, mixed_by(1, 0), "more than 65536 classes");
    set.classes = CLASSES;
    assert_refused(&set, mixed_by(1e-4, 0), "a number below 0.001");
    struct pst_view_settings one = mixed_by(0, 1);
    one.rules.limit = 1;
    assert_refused(&set, one, "--cutmix: there is only one sample");
    set.sequences = 1;
    set.sequence = &sequence;
    assert_refused(&set, mixed_by(1, 0), "samples that follow each other are not mixed");
    set.sequences = 0;
    set.rank = 1;
    set.shape[0] = ELEMENTS;
    assert_refused(&set, mixed_by(0, 1), "--cutmix: only images have rectangles");
    struct pst_view rows = open_view(&set, mixed_by(1, 0), false); /* rows have no pixels to cut */
    pst_view_close(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mixup_adds_a_share_of_another_sample_as_it_is_augmented),
        cmocka_unit_test(bytes_are_mixed_and_rounded),
        cmocka_unit_test(cutmix_puts_a_rectangle_of_another_image_into_one),
        cmocka_unit_test(others_are_all_samples_of_the_selection_alike),
        cmocka_unit_test(shares_are_from_the_beta_distribution),
        cmocka_unit_test(small_and_large_alphas_give_shares),
        cmocka_unit_test(with_both_a_coin_chooses),
        cmocka_unit_test(a_mixed_sample_is_the_same_in_any_order),
        cmocka_unit_test(labels_become_the_share_of_each_class),
        cmocka_unit_test(numbers_to_predict_and_weights_are_mixed_too),
        cmocka_unit_test(what_cannot_be_mixed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

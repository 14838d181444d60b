/* Augmentations of sound, and sets whose samples follow each other. The set is made up here. */
#include "data_fixture.h"

#include <math.h>

/* ---- augmentations ----------------------------------------------------------------------------------- */

#define COUNT ((size_t)16000)

static void make_wave(struct pst_wave *wave)
{
    struct pst_error error;
    *wave = (struct pst_wave){ .count = COUNT };
    assert_int_equal(pst_buffer_reserve(&wave->samples, COUNT * sizeof(float), 0, &error), PST_OK);
    for (size_t i = 0; i < COUNT; i++)
        ((float *)wave->samples.data)[i] = 5000 * sinf(0.2F * (float)i);
}

/* Changes a wave by the augmentation of a name. */
static void change(const char *name, const char *value, struct pst_wave *wave, struct pst_draw draw)
{
    const struct pst_augmentation *augmentation = augmentation_of(name);
    struct settings settings = make_settings(&augmentation->settings, OPTIONS(name, value));
    struct pst_error error;
    make_wave(wave);
    assert_true(augmentation->is_on(settings.bytes));
    assert_int_equal(augmentation->change_sound(settings.bytes, wave, &draw, &error), PST_OK);
}

static double energy(const struct pst_wave *wave)
{
    double sum = 0;
    for (size_t i = 0; i < wave->count; i++)
        sum += pow(((const float *)wave->samples.data)[i], 2);
    return sum / (double)wave->count;
}

static void changes_of_sound_depend_on_seed_epoch_and_id(void **state)
{
    (void)state;
    static const char *const rows[][2] = { { "speed", "0.1" }, { "noise", "10" }, { "gain", "6" } };
    for (size_t i = 0; i < 3; i++) {
        struct pst_wave first, again, others[3];
        change(rows[i][0], rows[i][1], &first, (struct pst_draw){ 7, 1, 9 });
        change(rows[i][0], rows[i][1], &again, (struct pst_draw){ 7, 1, 9 });
        assert_int_equal(first.count, again.count);
        assert_memory_equal(first.samples.data, again.samples.data, first.count * sizeof(float));
        for (size_t k = 0; k < 3; k++) {
            change(rows[i][0], rows[i][1], &others[k],
                   (struct pst_draw){ 7 + (k == 0), 1 + (k == 1), 9 + (k == 2) });
            assert_true(others[k].count != first.count ||
                        memcmp(first.samples.data, others[k].samples.data, first.count * sizeof(float)) != 0);
            pst_buffer_free(&others[k].samples);
        }
        pst_buffer_free(&first.samples);
        pst_buffer_free(&again.samples);
    }
}

static void speed_changes_the_length_within_its_range(void **state)
{
    (void)state;
    size_t shorter = 0, longer = 0;
    for (uint64_t id = 0; id < 40; id++) {
        struct pst_wave wave;
        change("speed", "0.1", &wave, (struct pst_draw){ 1, 0, id });
        assert_in_range(wave.count, (size_t)(COUNT / 1.1) - 2, (size_t)(COUNT / 0.9) + 2);
        shorter += wave.count < COUNT;
        longer += wave.count > COUNT;
        pst_buffer_free(&wave.samples);
    }
    assert_in_range(shorter, 8, 32);
    assert_in_range(longer, 8, 32);
}

static void noise_and_gain_stay_in_their_ranges(void **state)
{
    (void)state;
    struct pst_wave plain;
    make_wave(&plain);
    for (uint64_t id = 0; id < 20; id++) {
        struct pst_wave noisy, louder;
        change("noise", "10", &noisy, (struct pst_draw){ 1, 0, id });
        double added = 0;
        for (size_t i = 0; i < COUNT; i++)
            added += pow(((float *)noisy.samples.data)[i] - ((float *)plain.samples.data)[i], 2);
        double ratio = 10 * log10(energy(&plain) * (double)COUNT / added);
        assert_true(ratio > 9.5 && ratio < 30.5);
        change("gain", "6", &louder, (struct pst_draw){ 1, 0, id });
        assert_true(fabs(10 * log10(energy(&louder) / energy(&plain))) < 6.01);
        pst_buffer_free(&noisy.samples);
        pst_buffer_free(&louder.samples);
    }
    pst_buffer_free(&plain.samples);
}

static void a_mask_is_one_run_of_bands_and_one_of_frames(void **state)
{
    (void)state;
    enum { FRAMES = 26, BANDS = 40 };
    const struct pst_augmentation *mask = augmentation_of("mask");
    const struct pst_planes planes = {
        .rank = 2, .channels = 1, .height = FRAMES, .width = BANDS, .numbers = true, .sound = true
    };
    static float from[FRAMES][BANDS], to[FRAMES][BANDS];
    for (size_t i = 0; i < (size_t)FRAMES * BANDS; i++)
        from[i / BANDS][i % BANDS] = 1;
    struct settings settings = make_settings(&mask->settings, OPTIONS("mask-bands", "8", "mask-frames", "5"));
    assert_null(mask->refuse(settings.bytes, &planes));
    size_t most_bands = 0, most_frames = 0;
    for (uint64_t id = 0; id < 200; id++) {
        size_t bands = 0, frames = 0, runs = 0;
        mask->apply(settings.bytes, &planes, from, to, &(struct pst_draw){ 3, 0, id });
        for (size_t band = 0; band < BANDS; band++) {
            bool all = true;
            for (size_t frame = 0; frame < FRAMES; frame++)
                all = all && to[frame][band] == 0;
            runs += all && (band == 0 || to[0][band - 1] != 0 || to[FRAMES - 1][band - 1] != 0);
            bands += all;
        }
        for (size_t frame = 0; frame < FRAMES; frame++) {
            bool all = true;
            for (size_t band = 0; band < BANDS; band++)
                all = all && to[frame][band] == 0;
            frames += all;
        }
        assert_true(bands <= 8 && frames <= 5 && runs <= 1);
        most_bands = bands > most_bands ? bands : most_bands;
        most_frames = frames > most_frames ? frames : most_frames;
    }
    assert_int_equal(most_bands, 8);
    assert_int_equal(most_frames, 5);
}

static void changes_of_sound_refuse_samples_that_are_not_sound(void **state)
{
    (void)state;
    static const char *const names[] = { "speed", "noise", "gain", "mask" };
    const struct pst_planes image = { .rank = 2, .channels = 1, .height = 28, .width = 28, .numbers = true };
    struct pst_planes frame = { .rank = 1, .numbers = true, .sound = true };
    for (size_t i = 0; i < 4; i++) {
        const struct pst_augmentation *augmentation = augmentation_of(names[i]);
        assert_non_null(augmentation->refuse(augmentation->example, &image));
        assert_int_equal(augmentation->refuse(augmentation->example, &frame) != NULL, i == 3);
    }
}

/* ---- sequences --------------------------------------------------------------------------------------- */

#define SAMPLES 20

/* Four sequences of five samples, of three speakers; sample i holds i. */
static struct pst_sequence sequences[4] = { { 0, 5, 0 }, { 5, 5, 1 }, { 10, 5, 2 }, { 15, 5, 2 } };

static enum pst_status get_near(const struct pst_dataset *dataset, size_t index, ptrdiff_t offset,
                                void *elements, struct pst_error *error)
{
    (void)dataset, (void)error;
    ptrdiff_t place = (ptrdiff_t)(index % 5) + offset;
    *(float *)elements = (float)(index / 5 * 5) + (float)(place < 0 ? 0 : place > 4 ? 4 : place);
    return PST_OK;
}

static enum pst_status get(const struct pst_dataset *dataset, size_t index, void *elements,
                           struct pst_error *error)
{
    return get_near(dataset, index, 0, elements, error);
}

static const struct pst_dataset_type made_up = { .name = "made-up", .get = get, .near = get_near };

static struct pst_dataset make_set(void)
{
    return (struct pst_dataset){ .type = &made_up,
                                 .name = "made up",
                                 .samples = SAMPLES,
                                 .element = PST_ELEMENT_F32,
                                 .rank = 1,
                                 .shape = { 1 },
                                 .scale = 1,
                                 .sequences = 4,
                                 .sequence = sequences };
}

static void spliced_samples_repeat_the_ends_of_their_sequence(void **state)
{
    (void)state;
    const struct pst_dataset set = make_set();
    const struct pst_view_settings settings = { .splice = "2,1", .no_shuffle = true };
    struct pst_view view;
    struct pst_error error;
    float x[4];
    uint64_t id;
    assert_int_equal(pst_view_open(&view, &set, &settings, NULL, &error), PST_OK);
    assert_int_equal(view.rank, 2);
    assert_int_equal(view.shape[0], 4);
    assert_int_equal(view.shape[1], 1);
    for (size_t i = 0; i < SAMPLES; i++) {
        assert_int_equal(pst_view_get(&view, i, x, NULL, &id, &error), PST_OK);
        for (size_t k = 0; k < 4; k++) {
            long place = (long)(i % 5) + (long)k - 2;
            assert_int_equal((long)x[k], (long)(i / 5 * 5) + (place < 0 ? 0 : place > 4 ? 4 : place));
        }
    }
    pst_view_close(&view);
}

static void what_cannot_be_spliced_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = { "", "2", "2,", ",2", "2,1,1", "-1,2", "2;1", "1001,0" };
    struct pst_dataset set = make_set();
    struct pst_view view;
    struct pst_error error;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct pst_view_settings settings = { .splice = wrong[i] };
        assert_int_equal(pst_view_open(&view, &set, &settings, NULL, &error), PST_USAGE);
        assert_non_null(strstr(error.message, "is not BEFORE,AFTER"));
    }
    set.sequences = 0;
    const struct pst_view_settings good = { .splice = "1,1" };
    assert_int_equal(pst_view_open(&view, &set, &good, NULL, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "do not follow each other"));
}

/* The speakers of a selection, a bit for each. */
static unsigned speakers_of(const struct pst_dataset *set, const struct pst_selection_rules *rules,
                            size_t *count)
{
    struct pst_selection selection;
    struct pst_error error;
    unsigned speakers = 0;
    if (pst_select(set, rules, &selection, &error) != PST_OK)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < selection.count; i++)
        speakers |= 1U << sequences[selection.indices[i] / 5].speaker;
    *count = selection.count;
    pst_selection_free(&selection);
    return speakers;
}

static void speakers_are_held_out_as_a_whole(void **state)
{
    (void)state;
    const struct pst_dataset set = make_set();
    unsigned held_out[3] = { 0 };
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct pst_selection_rules rules = { .hold_out_speakers = 1, .hold_out_seed = seed };
        size_t train, validation;
        unsigned left = speakers_of(&set, &rules, &train);
        rules.split = PST_SPLIT_VALIDATION;
        unsigned out = speakers_of(&set, &rules, &validation);
        assert_int_equal(left | out, 7);
        assert_int_equal(left & out, 0);
        assert_int_equal(train + validation, SAMPLES);
        assert_true(out == 1 || out == 2 || out == 4);
        held_out[out >> 1]++;
    }
    assert_true(held_out[0] > 2 && held_out[1] > 2 && held_out[2] > 2);
}

static void utterances_are_taken_as_a_whole(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct pst_selection_rules rules = { .utterances = 2, .seed = 5 };
    struct pst_selection selection;
    struct pst_error error;
    assert_int_equal(pst_select(&set, &rules, &selection, &error), PST_OK);
    assert_int_equal(selection.count, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(selection.indices[i] % 5, i % 5);
    pst_selection_free(&selection);
    rules = (struct pst_selection_rules){ .hold_out_speakers = 3 };
    assert_int_equal(pst_select(&set, &rules, &selection, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "3 speakers cannot be held out of 3"));
    set.sequences = 0;
    assert_int_equal(pst_select(&set, &rules, &selection, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "no utterances and no speakers"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_of_sound_depend_on_seed_epoch_and_id),
        cmocka_unit_test(speed_changes_the_length_within_its_range),
        cmocka_unit_test(noise_and_gain_stay_in_their_ranges),
        cmocka_unit_test(a_mask_is_one_run_of_bands_and_one_of_frames),
        cmocka_unit_test(changes_of_sound_refuse_samples_that_are_not_sound),
        cmocka_unit_test(spliced_samples_repeat_the_ends_of_their_sequence),
        cmocka_unit_test(what_cannot_be_spliced_is_refused),
        cmocka_unit_test(speakers_are_held_out_as_a_whole),
        cmocka_unit_test(utterances_are_taken_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

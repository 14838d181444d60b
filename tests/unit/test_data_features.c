/* What is made of sound: other speeds, noise, and frames of features. tests/python/test_sound_oracle.py has
 * the numbers of frames. */
#include "lib/data/sound/sound.h"
#include "sound_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLES 20000

static size_t count;
static struct pst_error error;

/* ---- perturbations ------------------------------------------------------------------------------------- */

static void speed_keeps_what_is_said_and_takes_less_time(void **state)
{
    (void)state;
    struct pst_buffer out = { 0 };
    float tone[8000], again[8000];
    for (size_t i = 0; i < 8000; i++)
        tone[i] = (float)(10000 * sin(0.2 * (double)i));
    for (int quarters = 2; quarters <= 8; quarters++) {
        double speed = quarters / 4.0, sine = 0, cosine = 0;
        assert_int_equal(pst_sound_speed(tone, 8000, speed, &out, &count, &error), PST_OK);
        assert_in_range(count, (size_t)(8000 / speed) - 1, (size_t)(8000 / speed) + 2);
        size_t compared = count < 8000 ? count : 8000;
        memcpy(again, out.data, compared * sizeof(float));
        for (size_t i = 500; i < count - 500; i++) {
            sine += (double)((float *)out.data)[i] * sin(0.2 * speed * (double)i);
            cosine += (double)((float *)out.data)[i] * cos(0.2 * speed * (double)i);
        }
        assert_near(hypot(sine, cosine) / (double)(count - 1000) * 2, 10000, 100);
        assert_int_equal(pst_sound_speed(tone, 8000, speed, &out, &count, &error), PST_OK);
        assert_memory_equal(again, out.data, compared * sizeof(float));
    }
    assert_int_equal(pst_sound_speed(tone, 8000, 1, &out, &count, &error), PST_OK);
    assert_memory_equal(tone, out.data, sizeof tone);
    assert_int_equal(pst_sound_speed(tone, 8000, 0.49, &out, &count, &error), PST_USAGE);
    assert_int_equal(pst_sound_speed(tone, 8000, (double)NAN, &out, &count, &error), PST_USAGE);
    assert_int_equal(pst_sound_speed(tone, 0, 2, &out, &count, &error), PST_OK);
    assert_int_equal(count, 0);
    pst_buffer_free(&out);
}

static void noise_has_the_power_that_is_asked_for(void **state)
{
    (void)state;
    static float clean[SAMPLES], noisy[SAMPLES], again[SAMPLES];
    struct pst_random random;
    double signal = 0, noise = 0;
    for (size_t i = 0; i < SAMPLES; i++)
        clean[i] = noisy[i] = again[i] = (float)(500 + 1000 * sin(0.3 * (double)i));
    pst_random_start(&random, 1, 1000, 2, 3);
    pst_sound_noise(noisy, SAMPLES, 10, &random);
    pst_random_start(&random, 1, 1000, 2, 3);
    pst_sound_noise(again, SAMPLES, 10, &random);
    assert_memory_equal(noisy, again, sizeof noisy);
    for (size_t i = 0; i < SAMPLES; i++) {
        signal += pow((double)clean[i] - 500, 2);
        noise += pow((double)noisy[i] - (double)clean[i], 2);
    }
    assert_near(10 * log10(signal / noise), 10, 0.15);
    memset(noisy, 0, sizeof noisy);
    pst_sound_noise(noisy, SAMPLES, 10, &random);
    for (size_t i = 0; i < SAMPLES; i++)
        assert_true(noisy[i] == 0);
    pst_sound_gain(clean, 2, 20 * log10(2));
    assert_near((double)clean[0], 1000, 0.001);
}

/* ---- features ------------------------------------------------------------------------------------------ */

static struct pst_features *new_features(struct pst_feature_settings settings)
{
    struct pst_features *features;
    assert_int_equal(pst_features_new(&features, &settings, &error), PST_OK);
    return features;
}

static void frames_are_whole_windows(void **state)
{
    (void)state;
    struct pst_features *features = new_features(pst_feature_defaults);
    assert_int_equal(pst_features_width(features), 40);
    assert_int_equal(pst_features_frames(features, 0), 0);
    assert_int_equal(pst_features_frames(features, 399), 0);
    assert_int_equal(pst_features_frames(features, 400), 1);
    assert_int_equal(pst_features_frames(features, 559), 1);
    assert_int_equal(pst_features_frames(features, 560), 2);
    assert_int_equal(pst_features_check(features, 399, &error), PST_BAD_DATA);
    assert_string_equal(error.message,
                        "it has 399 samples, fewer than the 400 of one window of 0.025 seconds");
    assert_int_equal(pst_features_check(features, 400, &error), PST_OK);
    assert_int_equal(pst_features_check(features, (size_t)1 << 30, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "an utterance has at most 1048576"));
    pst_features_free(features);
    pst_features_free(NULL);
}

static void silence_is_the_floor(void **state)
{
    (void)state;
    struct pst_feature_settings settings = pst_feature_defaults;
    static float silence[1000], frames[4 * 40];
    struct pst_features *features = new_features(settings);
    for (int level = 0; level <= 100; level += 100) {
        for (size_t i = 0; i < 1000; i++)
            silence[i] = (float)level;
        pst_features_make(features, silence, 1000, frames);
        for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
            assert_near((double)frames[i], log(0x1p-23), 1e-5);
    }
    pst_features_free(features);
    settings.kind = PST_MFCC;
    settings.deltas = 2;
    features = new_features(settings);
    pst_features_make(features, silence, 1000, frames);
    for (size_t i = 1; i < 39; i++)
        assert_near((double)frames[i], 0, 1e-4);
    assert_near((double)frames[0], sqrt(40) * log(0x1p-23), 1e-3);
    pst_features_free(features);
}

static void the_loudest_sound_has_finite_features(void **state)
{
    (void)state;
    static float loud[1000], frames[4 * 40];
    struct pst_features *features = new_features(pst_feature_defaults);
    for (size_t i = 0; i < 1000; i++)
        loud[i] = i % 2 == 0 ? 262144 : -262144;
    pst_features_make(features, loud, 1000, frames);
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        assert_true(isfinite(frames[i]));
    pst_features_free(features);
}

static void frames_are_the_same_bits_whatever_was_made_before(void **state)
{
    (void)state;
    struct pst_feature_settings settings = pst_feature_defaults;
    static float samples[SAMPLES], first[124 * 39], second[124 * 39];
    settings.kind = PST_MFCC;
    settings.deltas = 2;
    struct pst_random random;
    pst_random_start(&random, 5, 1000, 0, 0);
    struct pst_features *one = new_features(settings), *two = new_features(settings);
    assert_in_range(pst_features_frames(one, SAMPLES) * pst_features_width(one), 1, 124 * 39);
    for (size_t i = 0; i < SAMPLES; i++)
        samples[i] = (float)(8000 * sin(0.05 * (double)i) + 1000 * pst_random_normal(&random));
    pst_features_make(one, samples, SAMPLES, first);
    pst_features_make(two, samples + 1000, SAMPLES - 1000, second);
    pst_features_make(two, samples, SAMPLES, second);
    assert_memory_equal(first, second, pst_features_frames(one, SAMPLES) * 39 * sizeof(float));
    pst_features_free(one);
    pst_features_free(two);
}

/* Invalid settings, and their messages. */
static void settings_that_cannot_be_are_refused_by_name(void **state)
{
    (void)state;
    const struct pst_feature_settings usual = pst_feature_defaults;
    struct pst_feature_settings wrong[16];
    const char *says[16];
    size_t cases = 0;
#define WRONG(change, text)     \
    do {                        \
        wrong[cases] = usual;   \
        wrong[cases].change;    \
        says[cases++] = (text); \
    } while (0)
    WRONG(rate = 999, "rate 999");
    WRONG(bands = 0, "bands 0");
    WRONG(bands = 257, "bands 257");
    WRONG(bands = 200, "200 bands are too many: no frequency of the spectrum, 31.25 Hz apart, lies in band");
    WRONG(length = 2, "length 2");
    WRONG(length = (double)NAN, "length nan");
    WRONG(length = 1e-5, "length 1e-05");
    WRONG(shift = 0, "shift 0");
    WRONG(shift = 0.03, "shift 0.03");
    WRONG(pre_emphasis = 1.5, "pre-emphasis 1.5");
    WRONG(deltas = 3, "deltas 3");
    WRONG(low = -1, "bands from -1 Hz to 8000 Hz");
    WRONG(high = 8001, "bands from 20 Hz to 8001 Hz");
    WRONG(high = -7990, "bands from 20 Hz to 10 Hz");
    WRONG(low = (double)NAN, "bands from nan Hz");
#undef WRONG
    wrong[cases] = usual;
    wrong[cases].kind = PST_MFCC;
    wrong[cases].coefficients = 41;
    says[cases++] = "41 coefficients of 40 bands";
    for (size_t i = 0; i < cases; i++) {
        struct pst_features *features;
        assert_int_equal(pst_features_new(&features, &wrong[i], &error), PST_USAGE);
        assert_null(features);
        if (strstr(error.message, says[i]) == NULL)
            fail_msg("'%s' does not say '%s'", error.message, says[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speed_keeps_what_is_said_and_takes_less_time),
        cmocka_unit_test(noise_has_the_power_that_is_asked_for),
        cmocka_unit_test(frames_are_whole_windows),
        cmocka_unit_test(silence_is_the_floor),
        cmocka_unit_test(the_loudest_sound_has_finite_features),
        cmocka_unit_test(frames_are_the_same_bits_whatever_was_made_before),
        cmocka_unit_test(settings_that_cannot_be_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Files of sound: whole files of every kind are read; files that are cut, damaged or of another kind are
 * refused with a reason. tests/python/test_sound_oracle.py has the numbers of frames. */
#include "lib/data/sound/sound.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sndfile.h>

#define RATE 16000
#define SAMPLES 20000
#define MOST_FILE (1 << 18)

#define WAV (SF_FORMAT_WAV | SF_FORMAT_PCM_16)
#define FLAC (SF_FORMAT_FLAC | SF_FORMAT_PCM_16)
#define SPHERE (SF_FORMAT_NIST | SF_FORMAT_PCM_16)

static char folder[64], path[128];
static short sound[2 * SAMPLES];
static unsigned char bytes[MOST_FILE];
static struct pst_buffer wave;
static size_t count;
static struct pst_error error;

static int begin(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 5, 1000, 0, 0);
    for (size_t i = 0; i < 2 * SAMPLES; i++)
        sound[i] = (short)(8000 * sin(0.05 * (double)i) + 1000 * pst_random_normal(&random));
    sound[0] = INT16_MIN;
    sound[1] = INT16_MAX;
    snprintf(folder, sizeof folder, "/tmp/pipestill-sound-%ld", (long)getpid());
    snprintf(path, sizeof path, "%s/one", folder);
    return mkdir(folder, 0700);
}

static int end(void **state)
{
    (void)state;
    pst_buffer_free(&wave);
    unlink(path);
    return rmdir(folder);
}

/* libsndfile does not scale floats to -1 … 1 itself. */
static void write_floats(SNDFILE *file, const short *samples, size_t frames)
{
    for (size_t i = 0; i < frames; i++) {
        float number = (float)samples[i] / 32768;
        assert_int_equal(sf_writef_float(file, &number, 1), 1);
    }
}

/* Writes some samples of the sound as a file of a kind. Returns its bytes, which are in `bytes`, too. */
static size_t write_sound(int format, int channels, int rate, const short *samples, size_t frames)
{
    SF_INFO info = { .format = format, .channels = channels, .samplerate = rate };
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    if ((format & SF_FORMAT_SUBMASK) == SF_FORMAT_FLOAT)
        write_floats(file, samples, frames);
    else
        assert_int_equal(sf_writef_short(file, samples, (sf_count_t)frames), frames);
    assert_int_equal(sf_close(file), 0);
    FILE *written = fopen(path, "rb");
    assert_non_null(written);
    size_t size = fread(bytes, 1, sizeof bytes, written);
    assert_in_range(size, 1, sizeof bytes - 1);
    assert_int_equal(fclose(written), 0);
    return size;
}

static void write_bytes(const void *content, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static enum pst_status read_sound(void)
{
    error = (struct pst_error){ 0 };
    return pst_sound_read(path, RATE, false, &wave, &count, &error);
}

/* Reading must fail, in one line that names the file and holds `what`. */
static void assert_refused(const char *what)
{
    enum pst_status status = read_sound();
    if (status != PST_BAD_DATA || strncmp(error.message, path, strlen(path)) != 0 ||
        strstr(error.message, what) == NULL)
        fail_msg("status %d: '%s' does not say '%s'", (int)status, error.message, what);
}

static void assert_same_samples(size_t samples)
{
    assert_int_equal(count, samples);
    for (size_t i = 0; i < samples; i++)
        assert_true(((const float *)wave.data)[i] == (float)sound[i]);
}

static void assert_near(double number, double expected, double most)
{
    if (!(fabs(number - expected) <= most))
        fail_msg("%g is not %g", number, expected);
}

/* ---- files --------------------------------------------------------------------------------------------- */

static const int kinds[] = { WAV, SF_FORMAT_WAVEX | SF_FORMAT_PCM_16, FLAC, SPHERE };
#define KINDS (sizeof kinds / sizeof *kinds)

static void every_kind_gives_the_same_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        write_sound(kinds[i], 1, RATE, sound, SAMPLES);
        assert_int_equal(read_sound(), PST_OK);
        assert_same_samples(SAMPLES);
    }
    write_sound(SF_FORMAT_WAV | SF_FORMAT_PCM_24, 1, RATE, sound, SAMPLES);
    assert_int_equal(read_sound(), PST_OK);
    assert_same_samples(SAMPLES);
    write_sound(SF_FORMAT_WAV | SF_FORMAT_PCM_16 | SF_ENDIAN_BIG, 1, RATE, sound, SAMPLES);
    assert_int_equal(read_sound(), PST_OK);
    assert_same_samples(SAMPLES);
}

static void an_ending_that_a_list_leaves_out_is_found(void **state)
{
    (void)state;
    static const char *const endings[] = { ".flac", ".wav", ".sph", ".WAV" };
    char other[160];
    write_sound(SPHERE, 1, RATE, sound, SAMPLES);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        snprintf(other, sizeof other, "%s%s", path, endings[i]);
        assert_int_equal(rename(path, other), 0);
        assert_int_equal(read_sound(), PST_OK);
        assert_same_samples(SAMPLES);
        assert_int_equal(truncate(other, 1500), 0);
        assert_int_equal(read_sound(), PST_BAD_DATA);
        assert_int_equal(strncmp(error.message, other, strlen(other)), 0);
        assert_int_equal(unlink(other), 0);
        write_sound(SPHERE, 1, RATE, sound, SAMPLES);
    }
}

static void a_file_that_is_cut_anywhere_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        size_t size = write_sound(kinds[i], 1, RATE, sound, 3000);
        for (size_t cut = 0; cut < size; cut += cut < 64 || cut > size - 64 ? 1 : 89) {
            write_bytes(bytes, cut);
            assert_refused(cut == 0 ? "it is empty" : "it ");
        }
    }
    size_t size = write_sound(WAV, 1, RATE, sound, 3000);
    write_bytes(bytes, size - 1000);
    assert_refused("it announces 6000 bytes of samples, but 5000 follow");
    size = write_sound(SPHERE, 1, RATE, sound, 3000);
    write_bytes(bytes, size - 1000);
    assert_refused("it announces 3000 samples, but only 2500 can be read");
    size = write_sound(FLAC, 1, RATE, sound, SAMPLES);
    write_bytes(bytes, size / 2);
    assert_refused("it announces 20000 samples, but only");
}

/* A frame of FLAC has a checksum. Bytes before the first are descriptions. */
static void damage_of_flac_is_seen(void **state)
{
    (void)state;
    size_t size = write_sound(FLAC, 1, RATE, sound, SAMPLES), first = 42;
    while (bytes[first] != 0xFF || (bytes[first + 1] & 0xFC) != 0xF8)
        first++;
    for (size_t i = first; i < size; i += 211) {
        bytes[i] ^= 0x10;
        write_bytes(bytes, size);
        assert_refused("can be read: it is cut short or damaged");
        bytes[i] ^= 0x10;
    }
}

/* Every byte of the headers, changed in one bit and in all. */
static void damaged_headers_are_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < KINDS; i++) {
        write_sound(kinds[i], 1, RATE, sound, 100);
        int fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        for (off_t at = 0; at < 160; at++) {
            for (unsigned mask = 1; mask <= 0xFF; mask += 0xFE) {
                unsigned char changed = (unsigned char)(bytes[at] ^ mask);
                assert_int_equal(pwrite(fd, &changed, 1, at), 1);
                enum pst_status status = read_sound();
                assert_true(status == PST_OK || status == PST_BAD_DATA);
                assert_null(strchr(error.message, '\n'));
            }
            assert_int_equal(pwrite(fd, &bytes[at], 1, at), 1);
        }
        close(fd);
    }
}

static void other_files_are_refused_with_a_reason(void **state)
{
    (void)state;
    static const char text[] = "an251-fash-b is said by fash";
    assert_int_equal(unlink(path), 0);
    assert_int_equal(read_sound(), PST_NO_INPUT);
    assert_non_null(strstr(error.message, "one: there is no such file, nor one with .flac"));
    write_bytes(text, strlen(text));
    assert_refused("it is no file of sound: it begins neither as WAV, FLAC nor NIST SPHERE");
    write_bytes("\x1f\x8b\x08 and so on", 14);
    assert_refused("it is a gzip file; unpack it first: gunzip");
    char sphere[2000] = "NIST_1A\n   1024\nchannel_count -i 1\nsample_rate -i 16000\nsample_n_bytes -i 2\n"
                        "sample_coding -s26 pcm,embedded-shorten-v2.00\nsample_byte_format -s2 01\n"
                        "sample_count -i 40000\nend_head\n";
    write_bytes(sphere, sizeof sphere);
    assert_refused("it is compressed with shorten; 'sph2pipe' unpacks it");
    write_sound(SF_FORMAT_AIFF | SF_FORMAT_PCM_16, 1, RATE, sound, 100);
    assert_refused("it is a file of the kind AIFF (Apple/SGI); WAV, FLAC and NIST SPHERE are read");
    write_sound(WAV, 1, RATE, sound, 0);
    assert_refused("it has no samples");
    assert_int_equal(pst_sound_read(folder, RATE, false, &wave, &count, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "is not a regular file"));
}

static void two_channels_and_another_rate_are_refused(void **state)
{
    (void)state;
    write_sound(WAV, 2, RATE, sound, SAMPLES);
    assert_refused("it has 2 channels; one is needed");
    write_sound(FLAC, 1, 8000, sound, SAMPLES);
    assert_refused("it has 8000 samples a second; 16000 are needed");
    write_sound(WAV, 1, 400000, sound, 100);
    assert_int_equal(pst_sound_read(path, RATE, true, &wave, &count, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "it has 400000 samples a second; at most 192000 are read"));
    write_sound(WAV, 1, 10, sound, 100);
    assert_int_equal(pst_sound_read(path, RATE, true, &wave, &count, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "cannot be made 1600 times as high"));
}

/* FLAC has 36 bits for its samples, the last at byte 25. */
static void sound_of_hours_is_refused_before_memory_is_reserved(void **state)
{
    (void)state;
    size_t size = write_sound(FLAC, 1, RATE, sound, 100);
    pst_buffer_free(&wave);
    bytes[21] = (unsigned char)(bytes[21] | 0x0F);
    write_bytes(bytes, size);
    assert_refused("it lasts 1118.5 hours; at most 2.9 are read");
    assert_int_equal(wave.capacity, 0);
    memset(bytes + 22, 0, 4);
    bytes[21] = (unsigned char)(bytes[21] & 0xF0);
    write_bytes(bytes, size);
    assert_refused("its header does not say how many samples there are");
}

static void a_wav_file_that_was_written_to_a_pipe_is_refused(void **state)
{
    (void)state;
    size_t size = write_sound(WAV, 1, RATE, sound, 100);
    memset(bytes + 40, 0xFF, 4);
    write_bytes(bytes, size);
    assert_refused("it announces 4294967295 bytes of samples, but 200 follow: it was cut short, or written");
}

static void floats_that_are_no_sound_are_refused(void **state)
{
    (void)state;
    const float hostile[] = { NAN, INFINITY, -INFINITY, 12000, -8.5F };
    size_t size = write_sound(SF_FORMAT_WAV | SF_FORMAT_FLOAT, 1, RATE, sound, 100);
    assert_int_equal(read_sound(), PST_OK);
    assert_same_samples(100);
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        memcpy(bytes + size - 4 * 7, &hostile[i], 4);
        write_bytes(bytes, size);
        assert_refused("sample 93 is ");
    }
}

static void sound_of_another_rate_is_resampled(void **state)
{
    (void)state;
    static short tone[8000];
    double squares = 0, sine = 0, cosine = 0;
    for (size_t i = 0; i < 8000; i++)
        tone[i] = (short)lround(10000 * sin(0.5 * (double)i));
    write_sound(WAV, 1, 8000, tone, 8000);
    assert_int_equal(pst_sound_read(path, RATE, true, &wave, &count, &error), PST_OK);
    assert_in_range(count, 15999, 16001);
    for (size_t i = 1000; i < 15000; i++) {
        double sample = (double)((const float *)wave.data)[i];
        squares += sample * sample / 14000;
        sine += sample * sin(0.25 * (double)i) / 7000;
        cosine += sample * cos(0.25 * (double)i) / 7000;
    }
    assert_near(sqrt(2 * squares), 10000, 20);
    assert_near(hypot(sine, cosine), 10000, 20);
}

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
    struct pst_features *one = new_features(settings), *two = new_features(settings);
    assert_in_range(pst_features_frames(one, SAMPLES) * pst_features_width(one), 1, 124 * 39);
    for (size_t i = 0; i < SAMPLES; i++)
        samples[i] = sound[i];
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
        cmocka_unit_test(every_kind_gives_the_same_samples),
        cmocka_unit_test(an_ending_that_a_list_leaves_out_is_found),
        cmocka_unit_test(a_file_that_is_cut_anywhere_is_refused),
        cmocka_unit_test(damage_of_flac_is_seen),
        cmocka_unit_test(damaged_headers_are_read_or_refused),
        cmocka_unit_test(other_files_are_refused_with_a_reason),
        cmocka_unit_test(two_channels_and_another_rate_are_refused),
        cmocka_unit_test(sound_of_hours_is_refused_before_memory_is_reserved),
        cmocka_unit_test(a_wav_file_that_was_written_to_a_pipe_is_refused),
        cmocka_unit_test(floats_that_are_no_sound_are_refused),
        cmocka_unit_test(sound_of_another_rate_is_resampled),
        cmocka_unit_test(speed_keeps_what_is_said_and_takes_less_time),
        cmocka_unit_test(noise_has_the_power_that_is_asked_for),
        cmocka_unit_test(frames_are_whole_windows),
        cmocka_unit_test(silence_is_the_floor),
        cmocka_unit_test(the_loudest_sound_has_finite_features),
        cmocka_unit_test(frames_are_the_same_bits_whatever_was_made_before),
        cmocka_unit_test(settings_that_cannot_be_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, begin, end);
}

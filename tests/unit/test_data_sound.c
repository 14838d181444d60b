/* Files of sound: whole files of every kind are read; files that are cut, damaged or of another kind are
 * refused with a reason. */
#include "lib/data/sound/sound.h"
#include "sound_fixture.h"

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
    };
    return cmocka_run_group_tests(tests, begin, end);
}

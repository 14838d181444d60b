/* Files of sound, by libsndfile. */
#include "lib/data/sound/read.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipestill/speech.h"

#define FULL_SCALE 32768.0F /* what libsndfile calls 1 */
#define LOUDEST 8.0F        /* times full scale: files of floats may be over it, but not by far */
#define MOST_RATE 192000
#define OPEN_ROOM ((size_t)1 << 18) /* bytes: more than libsndfile takes for a file */
#define BLOCK ((size_t)1 << 16)     /* samples that are read at once */

/* A file that is open. */
struct sound_file {
    struct pst_sound_input input;
    SNDFILE *sound;
    SF_INFO info;
};

/* ---- which file ---------------------------------------------------------------------------------------- */

static bool is_missing(const char *path)
{
    struct stat status;
    return stat(path, &status) != 0 && errno == ENOENT;
}

/* Finds a file by its name, or with the first ending behind it that exists. name: [PATH_MAX]; receives it. */
static enum pst_status find(const char *path, char *name, struct pst_error *error)
{
    static const char *const endings[] = { "", ".flac", ".wav", ".sph", ".WAV" };
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        int length = snprintf(name, PATH_MAX, "%s%s", path, endings[i]);
        if (length >= 0 && length < PATH_MAX && !is_missing(name))
            return PST_OK;
    }
    return pst_fail(error, PST_NO_INPUT,
                    "%s: there is no such file, nor one with .flac, .wav or .sph behind it", path);
}

/* ---- opening ------------------------------------------------------------------------------------------- */

/* Says what a file is that does not begin as sound. */
static enum pst_status refuse_kind(struct sound_file *file, struct pst_error *error)
{
    char start[PST_FILE_START];
    size_t size = pst_sound_read_at(&file->input, 0, start, sizeof start);
    const char *is = pst_wrong_file(PST_FOREIGN_FILE, start, size);
    if (size == 0)
        return pst_fail(error, PST_BAD_DATA, "it is empty");
    return pst_fail(error, PST_BAD_DATA, "it is %s",
                    is != NULL ? is : "no file of sound: it begins neither as WAV, FLAC nor NIST SPHERE");
}

/* Reports a failure that the file's bytes did not cause. errno was 0 before. */
static enum pst_status check_means(const struct sound_file *file, struct pst_error *error)
{
    if (errno == ENOMEM)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a file of sound");
    if (file->input.failure != 0)
        return pst_fail(error, PST_IO_ERROR, "cannot be read: %s", strerror(file->input.failure));
    return PST_OK;
}

/* Whether the header of a SPHERE file names the compression shorten. */
static bool is_shorten(struct pst_sound_input *input)
{
    char start[PST_FILE_START + 1];
    start[pst_sound_read_at(input, 0, start, PST_FILE_START)] = '\0';
    return strncmp(start, "NIST_1A", 7) == 0 && strstr(start, "embedded-shorten") != NULL;
}

static enum pst_status refuse_to_open(struct sound_file *file, struct pst_error *error)
{
    enum pst_status status = check_means(file, error);
    if (status != PST_OK)
        return status;
    if (sf_error(NULL) == SF_ERR_UNRECOGNISED_FORMAT)
        return refuse_kind(file, error);
    if (is_shorten(&file->input))
        return pst_fail(error, PST_BAD_DATA, "it is compressed with shorten; 'sph2pipe' unpacks it");
    return pst_fail(error, PST_BAD_DATA, "it cannot be read as sound: %s", sf_strerror(NULL));
}

static enum pst_status check_kind(const SF_INFO *info, struct pst_error *error)
{
    SF_FORMAT_INFO kind = { .format = info->format & SF_FORMAT_TYPEMASK };
    if (kind.format == SF_FORMAT_WAV || kind.format == SF_FORMAT_WAVEX || kind.format == SF_FORMAT_FLAC ||
        kind.format == SF_FORMAT_NIST)
        return PST_OK;
    bool named = sf_command(NULL, SFC_GET_FORMAT_INFO, &kind, (int)sizeof kind) == 0 && kind.name != NULL;
    return pst_fail(error, PST_BAD_DATA, "it is a file of the kind %s; WAV, FLAC and NIST SPHERE are read",
                    named ? kind.name : "unknown");
}

static enum pst_status check(struct sound_file *file, size_t rate, bool resample, struct pst_error *error)
{
    const SF_INFO *info = &file->info;
    const double most = (double)PST_MAX_FRAMES / 100; /* seconds */
    enum pst_status status = check_kind(info, error);
    if (status != PST_OK)
        return status;
    if (info->channels != 1)
        return pst_fail(error, PST_BAD_DATA, "it has %d channels; one is needed", info->channels);
    if (info->samplerate < 1 || (!resample && (size_t)info->samplerate != rate))
        return pst_fail(error, PST_BAD_DATA, "it has %d samples a second; %zu are needed", info->samplerate,
                        rate);
    if (info->samplerate > MOST_RATE)
        return pst_fail(error, PST_BAD_DATA, "it has %d samples a second; at most %d are read",
                        info->samplerate, MOST_RATE);
    if (info->frames == SF_COUNT_MAX)
        return pst_fail(error, PST_BAD_DATA,
                        "its header does not say how many samples there are, so a cut would not be seen");
    if ((double)info->frames > most * info->samplerate)
        return pst_fail(error, PST_BAD_DATA, "it lasts %.1f hours; at most %.1f are read",
                        (double)info->frames / info->samplerate / 3600, most / 3600);
    status = pst_sound_check_whole(&file->input, info, error);
    if (status == PST_OK && info->frames < 1)
        status = pst_fail(error, PST_BAD_DATA, "it has no samples");
    return status;
}

/* ---- reading ------------------------------------------------------------------------------------------- */

/* Scales samples to 16 bits. first: the place of these samples in the file. */
static enum pst_status scale(float *samples, size_t count, size_t first, struct pst_error *error)
{
    for (size_t i = 0; i < count; i++) {
        if (!(fabsf(samples[i]) <= LOUDEST))
            return pst_fail(error, PST_BAD_DATA, "sample %zu is %g; samples lie in -1 … 1", first + i,
                            (double)samples[i]);
        samples[i] *= FULL_SCALE;
    }
    return PST_OK;
}

/* Why there is no more to read. */
static enum pst_status read_failure(const struct sound_file *file, size_t count, struct pst_error *error)
{
    enum pst_status status = check_means(file, error);
    return status != PST_OK ? status : pst_sound_is_cut((uint64_t)file->info.frames, count, error);
}

/* Memory for all announced samples is reserved: check() has limited their number. */
static enum pst_status read_samples(struct sound_file *file, struct pst_buffer *wave, size_t *count,
                                    struct pst_error *error)
{
    size_t samples = (size_t)file->info.frames;
    enum pst_status status = pst_buffer_reserve(wave, samples * sizeof(float), 0, error);
    for (*count = 0; status == PST_OK && *count < samples;) {
        float *block = (float *)wave->data + *count;
        size_t wanted = samples - *count < BLOCK ? samples - *count : BLOCK;
        errno = 0;
        sf_count_t got = sf_readf_float(file->sound, block, (sf_count_t)wanted);
        status = got > 0 ? scale(block, (size_t)got, *count, error) : read_failure(file, *count, error);
        *count += got > 0 ? (size_t)got : 0;
    }
    return status;
}

static enum pst_status read_at_rate(struct sound_file *file, size_t rate, struct pst_buffer *wave,
                                    size_t *count, struct pst_error *error)
{
    struct pst_buffer own = { 0 };
    if ((size_t)file->info.samplerate == rate)
        return read_samples(file, wave, count, error);
    enum pst_status status = read_samples(file, &own, count, error);
    if (status == PST_OK)
        status =
            pst_sound_resample(own.data, *count, (double)rate / file->info.samplerate, wave, count, error);
    pst_buffer_free(&own);
    return status;
}

/* libsndfile 1.2 does not check all memory that it allocates, so this checks for some beforehand. */
static enum pst_status check_room(struct pst_error *error)
{
    void *room = malloc(OPEN_ROOM);
    free(room);
    return room != NULL ? PST_OK : pst_fail(error, PST_TRY_AGAIN, "out of memory for a file of sound");
}

/* Reads a file that is open as a descriptor. */
static enum pst_status read_open(struct sound_file *file, size_t rate, bool resample, struct pst_buffer *wave,
                                 size_t *count, struct pst_error *error)
{
    struct stat about;
    SF_VIRTUAL_IO io = pst_sound_io; /* libsndfile copies it */
    enum pst_status status = check_room(error);
    if (status != PST_OK)
        return status;
    if (fstat(file->input.fd, &about) != 0)
        return pst_fail(error, PST_IO_ERROR, "cannot be read: %s", strerror(errno));
    file->input.size = (uint64_t)about.st_size;
    errno = 0;
    file->sound = sf_open_virtual(&io, SFM_READ, &file->info, &file->input);
    if (file->sound == NULL)
        return refuse_to_open(file, error);
    status = check(file, rate, resample, error);
    if (status == PST_OK)
        status = read_at_rate(file, rate, wave, count, error);
    sf_close(file->sound);
    return status;
}

enum pst_status pst_sound_read(const char *path, size_t rate, bool resample, struct pst_buffer *wave,
                               size_t *count, struct pst_error *error)
{
    char name[PATH_MAX];
    struct sound_file file = { 0 };
    *count = 0;
    enum pst_status status = find(path, name, error);
    if (status == PST_OK)
        status = pst_file_open(name, &file.input.fd, error);
    if (status != PST_OK)
        return status;
    status = read_open(&file, rate, resample, wave, count, error);
    close(file.input.fd);
    return status == PST_OK ? PST_OK : pst_fail_at(error, "%s", name);
}

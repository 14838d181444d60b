/* From waves to frames: windows, spectra, bands, and, if they are wanted, cepstra and differences. */
#include "lib/data/sound/features.h"

#include <kiss_fftr.h>
#include <math.h>
#include <stdlib.h>

#include "pipestill/speech.h"

#define MOST_BANDS 256
#define LEAST_RATE 1000
#define MOST_RATE 192000
#define MOST_LENGTH 1.0 /* seconds of a window */

const struct pst_feature_settings pst_feature_defaults = PST_FEATURE_DEFAULTS;

struct pst_features {
    struct pst_feature_settings settings;
    size_t length, shift; /* samples */
    size_t numbers;       /* of a frame, without differences */
    float *window;        /* [length] */
    struct pst_mel mel;
    float *matrix; /* of cepstra: [coefficients, bands] */
    kiss_fftr_cfg transform;
    float *samples;         /* [size]: zeros behind the window */
    kiss_fft_cpx *spectrum; /* [size / 2 + 1] */
    float *power;           /* [size / 2] */
    float *energies;        /* [bands] */
    size_t size;            /* of the transform, a power of two */
};

/* ---- settings ----------------------------------------------------------------------------------------- */

static enum pst_status refuse(struct pst_error *error, const char *what, double value, const char *range)
{
    return pst_fail(error, PST_USAGE, "%s %g: it lies in %s", what, value, range);
}

static enum pst_status check_bands(const struct pst_feature_settings *settings, struct pst_error *error)
{
    double half = (double)settings->rate / 2;
    double high = settings->high > 0 ? settings->high : half + settings->high;
    if (settings->bands < 1 || settings->bands > MOST_BANDS)
        return refuse(error, "bands", (double)settings->bands, "1 … 256");
    if (settings->kind == PST_MFCC &&
        (settings->coefficients < 1 || settings->coefficients > settings->bands))
        return pst_fail(error, PST_USAGE, "%zu coefficients of %zu bands: there are 1 … as many as bands",
                        settings->coefficients, settings->bands);
    if (!(settings->low >= 0 && settings->low < high && high <= half))
        return pst_fail(error, PST_USAGE,
                        "bands from %g Hz to %g Hz: they rise, and end at %g Hz, half the rate, at the most",
                        settings->low, high, half);
    return PST_OK;
}

static enum pst_status check(const struct pst_feature_settings *settings, struct pst_error *error)
{
    if (settings->rate < LEAST_RATE || settings->rate > MOST_RATE)
        return refuse(error, "rate", (double)settings->rate, "1000 … 192000 samples a second");
    if (!(settings->length > 0 && settings->length <= MOST_LENGTH) ||
        settings->length * (double)settings->rate < 2)
        return refuse(error, "length", settings->length, "two samples … 1 second");
    if (!(settings->shift <= settings->length) || settings->shift * (double)settings->rate < 1)
        return refuse(error, "shift", settings->shift, "one sample … the length of a window");
    if (!(settings->pre_emphasis >= 0 && settings->pre_emphasis <= 1))
        return refuse(error, "pre-emphasis", settings->pre_emphasis, "0 … 1");
    if (settings->deltas > 2)
        return refuse(error, "deltas", (double)settings->deltas, "0 … 2");
    return check_bands(settings, error);
}

/* ---- making and freeing ------------------------------------------------------------------------------- */

/* Whole samples in so many seconds; slightly more, because 0.029 · 1000 is slightly less than 29. */
static size_t samples_in(double seconds, size_t rate)
{
    return (size_t)(seconds * (double)rate + 1e-6);
}

static enum pst_status make_room(struct pst_features *features, struct pst_error *error)
{
    const struct pst_feature_settings *settings = &features->settings;
    size_t size = features->size, matrix = settings->kind == PST_MFCC ? settings->coefficients : 0;
    features->window = pst_allocate(features->length, sizeof(float), error);
    features->samples = pst_allocate(size, sizeof(float), error);
    features->spectrum = pst_allocate(size / 2 + 1, sizeof *features->spectrum, error);
    features->power = pst_allocate(size / 2, sizeof(float), error);
    features->energies = pst_allocate(settings->bands, sizeof(float), error);
    features->matrix = pst_allocate(matrix * settings->bands, sizeof(float), error);
    features->transform = kiss_fftr_alloc((int)size, 0, NULL, NULL);
    if (features->window == NULL || features->samples == NULL || features->spectrum == NULL ||
        features->power == NULL || features->energies == NULL || features->matrix == NULL ||
        features->transform == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for features of sound");
    pst_window_make((enum pst_feature_window)settings->window, features->length, features->window);
    pst_cepstra_matrix(matrix, settings->bands, features->matrix);
    return PST_OK;
}

enum pst_status pst_features_new(struct pst_features **features, const struct pst_feature_settings *settings,
                                 struct pst_error *error)
{
    *features = NULL;
    enum pst_status status = check(settings, error);
    if (status != PST_OK)
        return status;
    struct pst_features *made = pst_allocate(1, sizeof *made, error);
    if (made == NULL)
        return PST_TRY_AGAIN;
    made->settings = *settings;
    made->length = samples_in(settings->length, settings->rate);
    made->shift = samples_in(settings->shift, settings->rate);
    made->numbers = settings->kind == PST_MFCC ? settings->coefficients : settings->bands;
    for (made->size = 2; made->size < made->length; made->size *= 2)
        ;
    status = make_room(made, error);
    if (status == PST_OK)
        status = pst_mel_new(&made->mel, settings, made->size, error);
    if (status == PST_OK)
        *features = made;
    else
        pst_features_free(made);
    return status;
}

void pst_features_free(struct pst_features *features)
{
    if (features == NULL)
        return;
    pst_mel_free(&features->mel);
    kiss_fftr_free(features->transform);
    free(features->window);
    free(features->samples);
    free(features->spectrum);
    free(features->power);
    free(features->energies);
    free(features->matrix);
    free(features);
}

/* ---- frames ------------------------------------------------------------------------------------------- */

size_t pst_features_width(const struct pst_features *features)
{
    return features->numbers * (1 + features->settings.deltas);
}

size_t pst_features_frames(const struct pst_features *features, size_t samples)
{
    return samples < features->length ? 0 : 1 + (samples - features->length) / features->shift;
}

enum pst_status pst_features_check(const struct pst_features *features, size_t samples,
                                   struct pst_error *error)
{
    size_t frames = pst_features_frames(features, samples);
    if (frames == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "it has %zu samples, fewer than the %zu of one window of %g seconds", samples,
                        features->length, features->settings.length);
    if (frames > PST_MAX_FRAMES)
        return pst_fail(error, PST_BAD_DATA, "it makes %zu frames; an utterance has at most %zu", frames,
                        PST_MAX_FRAMES);
    return PST_OK;
}

/* Makes a frame of one window of a wave, without differences. */
static void make_frame(struct pst_features *features, const float *wave, float *frame)
{
    const struct pst_feature_settings *settings = &features->settings;
    bool cepstra = settings->kind == PST_MFCC;
    pst_window_take(wave, features->window, features->length, settings->pre_emphasis, features->samples);
    kiss_fftr(features->transform, features->samples, features->spectrum);
    for (size_t i = 0; i < features->size / 2; i++) {
        kiss_fft_cpx bin = features->spectrum[i];
        features->power[i] = bin.r * bin.r + bin.i * bin.i;
    }
    pst_mel_energies(&features->mel, features->power, cepstra ? features->energies : frame);
    if (cepstra)
        pst_cepstra_make(features->matrix, settings->coefficients, settings->bands, features->energies,
                         frame);
}

void pst_features_make(struct pst_features *features, const float *wave, size_t samples, float *frames)
{
    size_t count = pst_features_frames(features, samples), width = pst_features_width(features);
    for (size_t t = 0; t < count; t++)
        make_frame(features, wave + t * features->shift, frames + t * width);
    if (features->settings.deltas > 0)
        pst_deltas_fill(frames, count, features->numbers, features->settings.deltas);
}

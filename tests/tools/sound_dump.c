/* Reads a file of sound and writes its wave or its features to standard output as f32, for oracles:
 * sound_dump FILE [NAME=NUMBER ...]. With times=N it makes them N times, for measurements, and writes
 * nothing. */
#include "lib/data/sound/sound.h"

#include <stdlib.h>
#include <string.h>

struct request {
    struct pst_feature_settings settings;
    size_t resample, wave, times;
    double speed, noise, gain; /* noise: dB; 0: none */
};

static void set(struct request *request, const char *text)
{
    struct pst_feature_settings *settings = &request->settings;
    const char *value = strchr(text, '=');
    double number = value != NULL ? atof(value + 1) : 0;
    const struct {
        const char *name;
        size_t *size;
        int *choice;
        double *number;
    } places[] = {
        { "rate=", &settings->rate, NULL, NULL },
        { "bands=", &settings->bands, NULL, NULL },
        { "coefficients=", &settings->coefficients, NULL, NULL },
        { "deltas=", &settings->deltas, NULL, NULL },
        { "kind=", NULL, &settings->kind, NULL },
        { "window=", NULL, &settings->window, NULL },
        { "length=", NULL, NULL, &settings->length },
        { "shift=", NULL, NULL, &settings->shift },
        { "pre-emphasis=", NULL, NULL, &settings->pre_emphasis },
        { "low=", NULL, NULL, &settings->low },
        { "high=", NULL, NULL, &settings->high },
        { "resample=", &request->resample, NULL, NULL },
        { "wave=", &request->wave, NULL, NULL },
        { "times=", &request->times, NULL, NULL },
        { "speed=", NULL, NULL, &request->speed },
        { "noise=", NULL, NULL, &request->noise },
        { "gain=", NULL, NULL, &request->gain },
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (strncmp(text, places[i].name, strlen(places[i].name)) != 0)
            continue;
        if (places[i].size != NULL)
            *places[i].size = (size_t)number;
        else if (places[i].choice != NULL)
            *places[i].choice = (int)number;
        else
            *places[i].number = number;
        return;
    }
    fprintf(stderr, "sound_dump: %s?\n", text);
    exit(PST_USAGE);
}

/* The wave, perturbed. */
static enum pst_status make_wave(const struct request *request, const char *path, struct pst_buffer *wave,
                                 size_t *count, struct pst_error *error)
{
    struct pst_buffer read = { 0 };
    struct pst_random random;
    pst_random_start(&random, 1, 1000, 0, 0);
    enum pst_status status =
        pst_sound_read(path, request->settings.rate, request->resample > 0, &read, count, error);
    if (status == PST_OK)
        status = pst_sound_speed(read.data, *count, request->speed, wave, count, error);
    pst_buffer_free(&read);
    if (status == PST_OK && (request->noise > 0 || request->noise < 0))
        pst_sound_noise(wave->data, *count, request->noise, &random);
    if (status == PST_OK && (request->gain > 0 || request->gain < 0))
        pst_sound_gain(wave->data, *count, request->gain);
    return status;
}

static enum pst_status write_features(const struct request *request, const float *wave, size_t count,
                                      struct pst_error *error)
{
    struct pst_features *features;
    enum pst_status status = pst_features_new(&features, &request->settings, error);
    if (status != PST_OK)
        return status;
    status = pst_features_check(features, count, error);
    size_t rows = pst_features_frames(features, count), width = pst_features_width(features);
    float *frames = pst_allocate(rows * width, sizeof(float), error);
    if (status == PST_OK && frames == NULL)
        status = PST_TRY_AGAIN;
    for (size_t i = 0; status == PST_OK && (i == 0 || i < request->times); i++)
        pst_features_make(features, wave, count, frames);
    if (status == PST_OK && request->times == 0)
        fwrite(frames, sizeof(float), rows * width, stdout);
    free(frames);
    pst_features_free(features);
    return status;
}

int main(int count, char **arguments)
{
    struct request request = { .settings = pst_feature_defaults, .speed = 1 };
    struct pst_buffer wave = { 0 };
    struct pst_error error = { 0 };
    size_t samples = 0;
    for (int i = 2; i < count; i++)
        set(&request, arguments[i]);
    enum pst_status status = make_wave(&request, count > 1 ? arguments[1] : "", &wave, &samples, &error);
    if (status == PST_OK && request.wave > 0)
        fwrite(wave.data, sizeof(float), samples, stdout);
    else if (status == PST_OK)
        status = write_features(&request, wave.data, samples, &error);
    if (status != PST_OK)
        fprintf(stderr, "sound_dump: %s\n", error.message);
    pst_buffer_free(&wave);
    return (int)status;
}

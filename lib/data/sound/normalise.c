/* Mean and deviation of a speaker's, or an utterance's, frames. */
#include "lib/data/sound/spoken.h"

#include <math.h>
#include <stdlib.h>

struct sums {
    double frames;
    double *mean, *squares; /* [width] */
};

static void add(struct sums *sums, const struct pst_spoken *spoken, size_t width)
{
    for (size_t frame = 0; frame < spoken->made; frame++) {
        const float *values = spoken->values + frame * width;
        for (size_t i = 0; i < width; i++) {
            sums->mean[i] += values[i];
            sums->squares[i] += (double)values[i] * values[i];
        }
    }
    sums->frames += (double)spoken->made;
}

/* Turns sums into means and factors. */
static void settle(struct sums *sums, size_t width, bool scale)
{
    for (size_t i = 0; i < width; i++) {
        sums->mean[i] /= sums->frames;
        double variance = sums->squares[i] / sums->frames - sums->mean[i] * sums->mean[i];
        sums->squares[i] = scale && variance > 1e-10 ? 1 / sqrt(variance) : 1;
    }
}

static void apply(const struct sums *sums, struct pst_spoken *spoken, size_t width)
{
    for (size_t frame = 0; frame < spoken->made; frame++) {
        float *values = spoken->values + frame * width;
        for (size_t i = 0; i < width; i++)
            values[i] = (float)((values[i] - sums->mean[i]) * sums->squares[i]);
    }
}

/* The group whose mean is subtracted from an utterance's frames. */
static size_t group_of(const struct pst_speech *speech, size_t utterance)
{
    return speech->normalise == PST_NORMALISE_SPEAKER ? speech->spoken[utterance].speaker : utterance;
}

enum pst_status pst_speech_normalise(struct pst_speech *speech, const bool *marks, struct pst_error *error)
{
    size_t width = pst_features_width(speech->features), groups = 0;
    if (speech->normalise == PST_NORMALISE_NONE)
        return PST_OK;
    for (size_t i = 0; i < speech->count; i++)
        groups = group_of(speech, i) >= groups ? group_of(speech, i) + 1 : groups;
    struct sums *sums = pst_allocate(groups, sizeof *sums, error);
    double *room = pst_allocate(groups, 2 * width * sizeof *room, error);
    bool enough = sums != NULL && room != NULL;
    for (size_t i = 0; i < groups && enough; i++)
        sums[i] = (struct sums){ .mean = room + 2 * i * width, .squares = room + (2 * i + 1) * width };
    for (size_t i = 0; i < speech->count && enough; i++)
        add(&sums[group_of(speech, i)], &speech->spoken[i], width);
    for (size_t i = 0; i < groups && enough; i++)
        if (sums[i].frames > 0)
            settle(&sums[i], width, speech->scale);
    for (size_t i = 0; i < speech->count && enough; i++)
        if (marks == NULL || marks[i])
            apply(&sums[group_of(speech, i)], &speech->spoken[i], width);
    free(sums);
    free(room);
    return enough ? PST_OK : PST_TRY_AGAIN;
}

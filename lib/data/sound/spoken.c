/* Utterances in memory as frames: made once when a set is opened, and again in each epoch that changes the
 * sound. */
#include "lib/data/sound/spoken.h"

#include <stdlib.h>
#include <string.h>

/* ---- sound ------------------------------------------------------------------------------------------- */

/* Reads an utterance's sound. digest: receives that of the wave. */
static enum pst_status read_wave(struct pst_speech *speech, const struct pst_spoken *spoken, size_t *count,
                                 char digest[PST_DIGEST_TEXT], struct pst_error *error)
{
    enum pst_status status =
        pst_sound_read(spoken->path, speech->settings.rate, speech->resample, &speech->wave, count, error);
    if (status == PST_OK)
        pst_digest(speech->wave.data, *count * sizeof(float), digest);
    if (status == PST_OK && pst_stop_signal() != 0)
        return pst_fail(error, PST_STOPPED, "stopped by a signal");
    return status;
}

/* Makes an utterance's frames out of a wave. */
static enum pst_status make_frames(struct pst_speech *speech, struct pst_spoken *spoken, const float *wave,
                                   size_t count, struct pst_error *error)
{
    size_t made = pst_features_frames(speech->features, count);
    size_t width = pst_features_width(speech->features);
    if (pst_features_check(speech->features, count, error) != PST_OK)
        return pst_fail_at(error, "%s", spoken->path);
    if (made != spoken->made) {
        free(spoken->values);
        spoken->made = 0;
        spoken->values = pst_allocate(made, width * sizeof(float), error);
    }
    if (spoken->values == NULL)
        return PST_TRY_AGAIN;
    spoken->made = made;
    pst_features_make(speech->features, wave, count, spoken->values);
    return PST_OK;
}

/* ---- opening ----------------------------------------------------------------------------------------- */

enum pst_status pst_speech_open(struct pst_speech *speech, size_t max_memory, struct pst_error *error)
{
    enum pst_status status = pst_features_new(&speech->features, &speech->settings, error);
    size_t samples = 0, count;
    for (size_t i = 0; i < speech->count && status == PST_OK; i++) {
        struct pst_spoken *spoken = &speech->spoken[i];
        status = read_wave(speech, spoken, &count, spoken->digest, error);
        if (status == PST_OK)
            status = make_frames(speech, spoken, speech->wave.data, count, error);
        if (status != PST_OK)
            return status;
        spoken->first = samples;
        spoken->frames = spoken->made;
        samples += spoken->frames;
        size_t bytes = samples * pst_features_width(speech->features) * sizeof(float);
        if (max_memory > 0 && bytes > max_memory)
            return pst_fail(error, PST_BAD_DATA,
                            "%s: with it the frames take more than --max-memory, %zu bytes", spoken->path,
                            max_memory);
    }
    return status == PST_OK ? pst_speech_normalise(speech, NULL, error) : status;
}

void pst_speech_close(struct pst_speech *speech)
{
    for (size_t i = 0; i < speech->count && speech->spoken != NULL; i++)
        free(speech->spoken[i].values);
    free(speech->spoken);
    pst_features_free(speech->features);
    pst_buffer_free(&speech->wave);
    *speech = (struct pst_speech){ 0 };
}

/* ---- changing ---------------------------------------------------------------------------------------- */

/* Reads an utterance again, and changes its sound as a plan says; without a plan it is unchanged. */
static enum pst_status remake(struct pst_speech *speech, struct pst_spoken *spoken,
                              const struct pst_plan *plan, struct pst_error *error)
{
    char digest[PST_DIGEST_TEXT];
    struct pst_wave wave = { 0 };
    enum pst_status status = read_wave(speech, spoken, &wave.count, digest, error);
    if (status != PST_OK)
        return status;
    if (strcmp(digest, spoken->digest) != 0)
        return pst_fail(error, PST_BAD_DATA, "%s: has changed since it was opened", spoken->path);
    wave.samples = speech->wave; /* changes may move it */
    const struct pst_draw draw = { plan->seed, plan->epoch, spoken->first_id };
    for (size_t i = 0; plan->changes != NULL && pst_augmentations[i] != NULL && status == PST_OK; i++)
        if (plan->changes[i] != NULL)
            status = pst_augmentations[i]->change_sound(plan->changes[i], &wave, &draw, error);
    speech->wave = wave.samples;
    return status == PST_OK ? make_frames(speech, spoken, speech->wave.data, wave.count, error) : status;
}

/* Marks the utterances of the planned samples. Only these are made again; with speakers' means all are. */
static void mark_planned(const struct pst_speech *speech, const struct pst_plan *plan, bool *marks)
{
    memset(marks, speech->normalise == PST_NORMALISE_SPEAKER, speech->count);
    for (size_t i = 0; i < plan->count && speech->normalise != PST_NORMALISE_SPEAKER; i++)
        marks[pst_speech_find(speech, plan->samples[i])] = true;
}

enum pst_status pst_speech_plan(struct pst_speech *speech, const struct pst_plan *plan,
                                struct pst_error *error)
{
    if (plan->changes == NULL && !speech->changed)
        return PST_OK;
    bool *marks = pst_allocate(speech->count, sizeof *marks, error);
    enum pst_status status = marks == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        mark_planned(speech, plan, marks);
    for (size_t i = 0; i < speech->count && status == PST_OK; i++)
        if (marks[i])
            status = remake(speech, &speech->spoken[i], plan, error);
    speech->changed = plan->changes != NULL;
    if (status == PST_OK)
        status = pst_speech_normalise(speech, marks, error);
    free(marks);
    return status;
}

/* ---- frames ------------------------------------------------------------------------------------------ */

size_t pst_speech_find(const struct pst_speech *speech, size_t sample)
{
    size_t from = 0, to = speech->count;
    while (to - from > 1) {
        size_t middle = from + (to - from) / 2;
        if (speech->spoken[middle].first <= sample)
            from = middle;
        else
            to = middle;
    }
    return from;
}

const float *pst_speech_frame(const struct pst_speech *speech, size_t sample, ptrdiff_t offset)
{
    const struct pst_spoken *spoken = &speech->spoken[pst_speech_find(speech, sample)];
    size_t frame = sample - spoken->first, width = pst_features_width(speech->features);
    if (spoken->made != spoken->frames) /* the sound was played faster or slower: takes the same moment */
        frame = (2 * frame + 1) * spoken->made / (2 * spoken->frames);
    ptrdiff_t at = (ptrdiff_t)frame + offset, last = (ptrdiff_t)spoken->made - 1;
    return spoken->values + width * (size_t)(at < 0 ? 0 : at > last ? last : at);
}

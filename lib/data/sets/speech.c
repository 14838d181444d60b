/*
 * speech: the frames of a corpus of speech. A sample is a frame of log-mel energies, or of cepstra; its label
 * is its state in an alignment; its id is (number of the utterance) · 2^20 + its place there.
 */
#include "pipestill/speech.h"
#include "lib/data/places.h"
#include "lib/data/sound/spoken.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct settings {
    const char *alignment, *list;
    struct pst_feature_settings features;
    bool resample, scale;
    int normalise;
};

static const struct settings defaults = { .features = PST_FEATURE_DEFAULTS };

static const char *const normalisations[] = { "none", "speaker", "utterance", NULL };
static const char *const kinds[] = { "fbank", "mfcc", NULL };
static const char *const windows[] = { "hamming", "povey", NULL };

#define AT(member) offsetof(struct settings, member)

static const struct pst_option options[] = {
    { 0, "alignment", PST_STRING, AT(alignment),
      "ctm file with the states of frames; utterances that it lacks are left out", .metavar = "FILE",
      .silent = true, .files = PST_FILE_READ },
    { 0, "list", PST_STRING, AT(list), "take the utterances that this file names, of all parts",
      .metavar = "FILE", .silent = true, .files = PST_FILE_READ },
    { 0, "normalise", PST_CHOICE, AT(normalise), "subtract the mean over each speaker or utterance",
      .choices = normalisations, .tensor = "x" },
    { 0, "normalise-deviation", PST_FLAG, AT(scale), "then divide by the standard deviation", .tensor = "x",
      .needs = "normalise=speaker|normalise=utterance" },
    { 0, "features", PST_CHOICE, AT(features.kind), "log-mel energies, or cepstra of them", .choices = kinds,
      .tensor = "x" },
    { 0, "bands", PST_SIZE, AT(features.bands), "mel bands", .least = 1, .most = 256, .tensor = "x" },
    { 0, "cepstra", PST_SIZE, AT(features.coefficients), "cepstra of a frame", .least = 1, .most = 256,
      .tensor = "x", .needs = "features=mfcc" },
    { 0, "deltas", PST_SIZE, AT(features.deltas),
      "1: add differences to each frame; 2: also differences of these", .most = 2, .tensor = "x" },
    { 0, "window-shape", PST_CHOICE, AT(features.window), "the shape of a window", .choices = windows,
      .tensor = "x" },
    { 0, "window-length", PST_POSITIVE_DOUBLE, AT(features.length), "length of a window", .most = 1,
      .metavar = "SECONDS", .tensor = "x" },
    { 0, "window-shift", PST_POSITIVE_DOUBLE, AT(features.shift), "seconds from window to window", .most = 1,
      .metavar = "SECONDS", .tensor = "x" },
    { 0, "pre-emphasis", PST_DOUBLE, AT(features.pre_emphasis),
      "subtract this share of the previous sample from each one", .least = 0, .most = 1, .tensor = "x" },
    { 0, "low-frequency", PST_DOUBLE, AT(features.low), "where the lowest band begins", .metavar = "HZ",
      .least = 0, .most = 1e6, .tensor = "x" },
    { 0, "high-frequency", PST_DOUBLE, AT(features.high),
      "where the highest band ends; if 0 or less, this is added to half the rate", .metavar = "HZ",
      .least = -1e6, .most = 1e6, .tensor = "x" },
    { 0, "rate", PST_SIZE, AT(features.rate), "samples of sound a second", .metavar = "HZ", .least = 1000,
      .most = 384000, .tensor = "x" },
    { 0, "resample", PST_FLAG, AT(resample),
      "convert sound of other rates to this rate; otherwise it is refused", .tensor = "x" },
    { 0 },
};

struct speech {
    struct pst_corpus corpus;
    struct pst_alignments alignments;
    struct pst_speech speech;
    size_t *number; /* [utterances taken]: in the corpus */
    char folder[PATH_MAX];
};

/* ---- finding ----------------------------------------------------------------------------------------- */

static bool is_in(const char *folder, void *found)
{
    static const char *const marks[] = { "etc", "wav.scp", "train/wav.scp" };
    char path[PATH_MAX];
    for (size_t i = 0; i < 3; i++)
        if (snprintf(path, sizeof path, "%s/%s", folder, marks[i]) < PATH_MAX && access(path, F_OK) == 0)
            return snprintf(found, PATH_MAX, "%s", folder) < PATH_MAX;
    return false;
}

static enum pst_status open_corpus(struct speech *own, const struct pst_dataset_request *request,
                                   struct pst_error *error)
{
    static const char *const usual[] = { "data/an4", "~/data/an4", "/usr/share/an4", NULL };
    const struct pst_places places = { .title = "a corpus of speech",
                                       .variable = "AN4_DIR",
                                       .usual = usual,
                                       .files = "etc/NAME_train.fileids or wav.scp",
                                       .below = "",
                                       .is_in = is_in };
    const struct settings *settings = request->settings;
    const char *named = request->count > 0 ? request->arguments[0] : NULL;
    enum pst_status status = pst_find_place(&places, named, own->folder, error);
    if (status == PST_OK)
        status = pst_corpus_open(&own->corpus, own->folder, error);
    if (status == PST_OK && settings->alignment != NULL)
        status = pst_alignments_read(&own->alignments, &own->corpus, settings->alignment,
                                     settings->features.shift, error);
    return status;
}

/* ---- which utterances -------------------------------------------------------------------------------- */

/* Marks the utterances of the part, or of the list. */
static enum pst_status mark(const struct speech *own, const struct pst_dataset_request *request, bool *marks,
                            struct pst_error *error)
{
    const struct settings *settings = request->settings;
    if (settings->list != NULL)
        return pst_corpus_mark(&own->corpus, settings->list, marks, error);
    for (size_t i = 0; i < own->corpus.count; i++)
        marks[i] = own->corpus.utterances[i].test == request->test;
    return PST_OK;
}

/* Numbers the speakers in the order of their first utterances. speakers: [corpus.count]; receives a number
 * for each utterance. */
static enum pst_status number_speakers(const struct pst_corpus *corpus, uint32_t *speakers,
                                       struct pst_error *error)
{
    const char **names = pst_allocate(corpus->count, sizeof *names, error);
    size_t count = 0;
    for (size_t i = 0; i < corpus->count && names != NULL; i++) {
        size_t number = count; /* a speaker's utterances mostly stand together */
        while (number > 0 && strcmp(names[number - 1], corpus->utterances[i].speaker) != 0)
            number--;
        if (number == 0)
            names[number = count++] = corpus->utterances[i].speaker;
        else
            number--;
        speakers[i] = (uint32_t)number;
    }
    free((void *)names);
    return names == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* Lists the utterances that are marked and, if there are alignments, aligned. */
static enum pst_status list(struct speech *own, const bool *marks, const uint32_t *speakers,
                            size_t *not_aligned, struct pst_error *error)
{
    const struct pst_corpus *corpus = &own->corpus;
    struct pst_speech *speech = &own->speech;
    own->number = pst_allocate(corpus->count, sizeof *own->number, error);
    speech->spoken = pst_allocate(corpus->count, sizeof *speech->spoken, error);
    if (own->number == NULL || speech->spoken == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < corpus->count; i++) {
        bool aligned = own->alignments.count == 0 || own->alignments.frames[i] > 0;
        *not_aligned += marks[i] && !aligned;
        if (!marks[i] || !aligned)
            continue;
        own->number[speech->count] = i;
        speech->spoken[speech->count++] = (struct pst_spoken){ .path = corpus->utterances[i].path,
                                                               .first_id = (uint64_t)i << PST_FRAME_BITS,
                                                               .speaker = speakers[i] };
    }
    return speech->count > 0
               ? PST_OK
               : pst_fail(error, PST_BAD_DATA, "%s: no utterance is left: %zu of the part are not aligned",
                          corpus->folder, *not_aligned);
}

static enum pst_status choose(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                              struct pst_error *error)
{
    struct speech *own = dataset->own;
    size_t not_aligned = 0;
    bool *marks = pst_allocate(own->corpus.count, sizeof *marks, error);
    uint32_t *speakers = pst_allocate(own->corpus.count, sizeof *speakers, error);
    enum pst_status status = marks == NULL || speakers == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        status = mark(own, request, marks, error);
    if (status == PST_OK)
        status = number_speakers(&own->corpus, speakers, error);
    if (status == PST_OK)
        status = list(own, marks, speakers, &not_aligned, error);
    free(marks);
    free(speakers);
    if (status == PST_OK && not_aligned > 0)
        snprintf(dataset->notice, sizeof dataset->notice, "%zu utterances are not aligned, and left out",
                 not_aligned);
    return status;
}

/* ---- what the set is --------------------------------------------------------------------------------- */

static enum pst_status take_ids(struct pst_dataset *dataset, struct pst_error *error)
{
    const struct pst_speech *speech = &((struct speech *)dataset->own)->speech;
    dataset->ids = pst_allocate(dataset->samples, sizeof *dataset->ids, error);
    dataset->sequence = pst_allocate(speech->count, sizeof *dataset->sequence, error);
    if (dataset->ids == NULL || dataset->sequence == NULL)
        return PST_TRY_AGAIN;
    dataset->sequences = speech->count;
    for (size_t i = 0; i < speech->count; i++) {
        const struct pst_spoken *spoken = &speech->spoken[i];
        dataset->sequence[i] = (struct pst_sequence){ spoken->first, spoken->frames, spoken->speaker };
        for (size_t frame = 0; frame < spoken->frames; frame++)
            dataset->ids[spoken->first + frame] = spoken->first_id + frame;
    }
    return PST_OK;
}

static enum pst_status name_states(struct pst_dataset *dataset, struct pst_error *error)
{
    enum { MOST = 128 };
    const struct pst_corpus *corpus = &((struct speech *)dataset->own)->corpus;
    dataset->classes = pst_corpus_states(corpus);
    char(*texts)[MOST] = pst_allocate(dataset->classes, sizeof *texts, error);
    const char **names = pst_allocate(dataset->classes, sizeof *names, error);
    bool enough = texts != NULL && names != NULL;
    for (size_t i = 0; i < dataset->classes && enough; i++) {
        pst_corpus_state_name(corpus, i, texts[i], sizeof texts[i]);
        names[i] = texts[i];
    }
    dataset->class_names = enough ? pst_names_copy(names, dataset->classes, error) : NULL;
    free((void *)names);
    free(texts);
    return dataset->class_names == NULL ? PST_TRY_AGAIN : PST_OK;
}

static enum pst_status take_labels(struct pst_dataset *dataset, const char *alignment,
                                   struct pst_error *error)
{
    const struct speech *own = dataset->own;
    int32_t *labels = dataset->labels = pst_allocate(dataset->samples, sizeof *labels, error);
    if (labels == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < own->speech.count; i++) {
        const struct pst_spoken *spoken = &own->speech.spoken[i];
        size_t number = own->number[i], aligned = own->alignments.frames[number];
        if (aligned != spoken->frames)
            return pst_fail(error, PST_BAD_DATA, "%s: %s has %zu frames there, but its sound has %zu",
                            alignment, own->corpus.utterances[number].name, aligned, spoken->frames);
        for (size_t frame = 0; frame < aligned; frame++)
            labels[spoken->first + frame] = own->alignments.states[number][frame];
    }
    dataset->label_kind = PST_LABELS_CLASS;
    return name_states(dataset, error);
}

/* Over sound, names, ids, speakers and states; the features' settings are options. Means and held-out samples
 * depend on speakers. */
static void digest(struct pst_dataset *dataset)
{
    const struct speech *own = dataset->own;
    struct pst_digest_state state;
    pst_digest_start(&state);
    for (size_t i = 0; i < own->speech.count; i++) {
        const struct pst_spoken *spoken = &own->speech.spoken[i];
        const struct pst_utterance *utterance = &own->corpus.utterances[own->number[i]];
        pst_digest_add(&state, utterance->name, strlen(utterance->name) + 1);
        pst_digest_add(&state, utterance->speaker, strlen(utterance->speaker) + 1);
        pst_digest_add(&state, &spoken->first_id, sizeof spoken->first_id);
        pst_digest_add(&state, spoken->digest, sizeof spoken->digest);
    }
    if (dataset->labels != NULL)
        pst_digest_add(&state, dataset->labels, dataset->samples * sizeof(int32_t));
    pst_digest_finish(&state, dataset->digest);
}

/* Describes all that the numbers of a frame depend on, except the sound. */
static void describe_making(struct pst_dataset *dataset, const struct settings *settings)
{
    const struct pst_feature_settings *features = &settings->features;
    char cepstra[48] = "", deltas[48] = "";
    if (features->kind == PST_MFCC)
        snprintf(cepstra, sizeof cepstra, ", %zu cepstra", features->coefficients);
    if (features->deltas > 0)
        snprintf(deltas, sizeof deltas, ", deltas %zu", features->deltas);
    bool normalised = settings->normalise != PST_NORMALISE_NONE;
    snprintf(dataset->made, sizeof dataset->made,
             "%s of %zu bands, %zu Hz, %.15g s every %.15g s, %s, pre-emphasis %.15g, "
             "%.15g to %.15g Hz%s%s%s%s%s",
             kinds[features->kind], features->bands, features->rate, features->length, features->shift,
             windows[features->window], features->pre_emphasis, features->low, features->high, cepstra,
             deltas, normalised ? ", normalised by " : "",
             normalised ? normalisations[settings->normalise] : "",
             normalised && settings->scale ? " with deviation" : "");
}

/* ---- the type ---------------------------------------------------------------------------------------- */

static enum pst_status open_speech(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                   struct pst_error *error)
{
    const struct settings *settings = request->settings;
    struct speech *own = dataset->own = pst_allocate(1, sizeof *own, error);
    if (own == NULL)
        return PST_TRY_AGAIN;
    own->speech = (struct pst_speech){ .settings = settings->features,
                                       .resample = settings->resample,
                                       .normalise = settings->normalise,
                                       .scale = settings->scale };
    enum pst_status status = open_corpus(own, request, error);
    if (status == PST_OK)
        status = choose(dataset, request, error);
    if (status == PST_OK)
        status = pst_speech_open(&own->speech, request->max_memory, error);
    if (status != PST_OK)
        return status;
    const struct pst_spoken *last = &own->speech.spoken[own->speech.count - 1];
    const char *slash = strrchr(own->folder, '/');
    snprintf(dataset->name, sizeof dataset->name, "%.60s",
             slash != NULL && slash[1] != '\0' ? slash + 1 : own->folder);
    dataset->samples = last->first + last->frames;
    dataset->element = PST_ELEMENT_F32;
    dataset->rank = 1;
    dataset->shape[0] = pst_features_width(own->speech.features);
    status = take_ids(dataset, error);
    if (status == PST_OK && settings->alignment != NULL)
        status = take_labels(dataset, settings->alignment, error);
    describe_making(dataset, settings);
    digest(dataset);
    return status;
}

static enum pst_status get_near(const struct pst_dataset *dataset, size_t index, ptrdiff_t offset,
                                void *elements, struct pst_error *error)
{
    (void)error;
    const float *frame = pst_speech_frame(&((const struct speech *)dataset->own)->speech, index, offset);
    memcpy(elements, frame, dataset->shape[0] * sizeof *frame);
    return PST_OK;
}

static enum pst_status get_frame(const struct pst_dataset *dataset, size_t index, void *elements,
                                 struct pst_error *error)
{
    return get_near(dataset, index, 0, elements, error);
}

static enum pst_status plan_frames(const struct pst_dataset *dataset, const struct pst_plan *plan,
                                   struct pst_error *error)
{
    return pst_speech_plan(&((struct speech *)dataset->own)->speech, plan, error);
}

static void place_frame(const struct pst_dataset *dataset, size_t index, char *text, size_t size)
{
    const struct speech *own = dataset->own;
    size_t utterance = pst_speech_find(&own->speech, index);
    snprintf(text, size, "%s, utterance %.200s, frame %zu", dataset->name,
             own->corpus.utterances[own->number[utterance]].name,
             index - own->speech.spoken[utterance].first);
}

static void close_speech(struct pst_dataset *dataset)
{
    struct speech *own = dataset->own;
    if (own == NULL)
        return;
    pst_speech_close(&own->speech);
    pst_alignments_free(&own->alignments);
    pst_corpus_close(&own->corpus);
    free(own->number);
    free(own);
}

const struct pst_dataset_type pst_dataset_speech = {
    .name = "speech",
    .help = "frames of a corpus in the layout of Sphinx or Kaldi, in AN4_DIR or a folder",
    .arguments = "FOLDER",
    .most_arguments = 1,
    .has_test_part = true,
    .settings = { options, sizeof(struct settings), &defaults },
    .open = open_speech,
    .get = get_frame,
    .near = get_near,
    .plan = plan_frames,
    .place = place_frame,
    .close = close_speech,
};

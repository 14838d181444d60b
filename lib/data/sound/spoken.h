/* spoken.h: utterances in memory as frames, which may change from epoch to epoch. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_SOUND_SPOKEN_H
#define PIPESTILL_LIB_DATA_SOUND_SPOKEN_H

#include "lib/data/sound/sound.h"

enum pst_normalise { PST_NORMALISE_NONE, PST_NORMALISE_SPEAKER, PST_NORMALISE_UTTERANCE };

/* One utterance. */
struct pst_spoken {
    const char *path;  /* of its sound; borrowed */
    uint64_t first_id; /* of its first frame */
    uint32_t speaker;
    size_t first, frames;         /* samples of the set: the first, and how many */
    size_t made;                  /* frames that are there: not `frames` if its speed was changed */
    float *values;                /* [made, width]; owned */
    char digest[PST_DIGEST_TEXT]; /* of its wave */
};

/* Utterances that are open. {0} is closed. */
struct pst_speech {
    size_t count;
    struct pst_spoken *spoken; /* [count]; owned */
    struct pst_feature_settings settings;
    bool resample;
    int normalise; /* of enum pst_normalise */
    bool scale;    /* deviations are normalised, too */
    struct pst_features *features;
    struct pst_buffer wave; /* room for one */
    bool changed;           /* the frames are of changed sound */
};

/*
 * Reads the sound of all utterances, and makes their frames.
 * speech: count, spoken (path, first_id, speaker) and all settings are set. max_memory: bytes that frames may
 * take; 0: any number.
 * Returns PST_OK; PST_USAGE for settings out of range; PST_BAD_DATA, with the file, also for sound that is
 * shorter than a window; what pst_sound_read returns; PST_STOPPED.
 */
PST_CHECKED enum pst_status pst_speech_open(struct pst_speech *speech, size_t max_memory,
                                            struct pst_error *error);

/*
 * Makes the frames of a plan's utterances again, out of sound that is changed as the plan says. Returns
 * PST_OK; PST_BAD_DATA if a file has changed; what pst_sound_read returns.
 */
PST_CHECKED enum pst_status pst_speech_plan(struct pst_speech *speech, const struct pst_plan *plan,
                                            struct pst_error *error);

/* The utterance that a sample is a frame of. */
size_t pst_speech_find(const struct pst_speech *speech, size_t sample);

/* The frame that is offset places away from a sample's, or the first or last. Returns [width]. */
const float *pst_speech_frame(const struct pst_speech *speech, size_t sample, ptrdiff_t offset);

/* Frees what it holds, except what is borrowed, and makes it {0}. */
void pst_speech_close(struct pst_speech *speech);

/*
 * Subtracts the mean of each number from the frames of each speaker, or each utterance, and with
 * speech->scale divides by the deviation.
 * marks: [count], the utterances whose frames are new; NULL: all are. By speaker all must be new.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_speech_normalise(struct pst_speech *speech, const bool *marks,
                                                 struct pst_error *error);

#endif

/*
 * sound.h: files of sound, and what a network sees of them: frames of log-mel energies or cepstra. Private to
 * lib/data.
 */
#ifndef PIPESTILL_LIB_DATA_SOUND_SOUND_H
#define PIPESTILL_LIB_DATA_SOUND_SOUND_H

#include "pipestill/data.h"

/* ---- files -------------------------------------------------------------------------------------------- */

/*
 * Reads a file of sound: WAV, FLAC, NIST SPHERE, and what else libsndfile reads.
 * path: if there is no such file, the endings .flac, .wav, .sph and .WAV are tried behind it.
 * rate: samples a second that are wanted. resample: whether sound of another rate is brought to it by
 *   libsamplerate; otherwise it is refused.
 * wave: receives [count] numbers as 16-bit samples have them, -32768 … 32767.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA for a file that is cut short, has more than one channel, no
 * samples or more than PST_MAX_FRAMES frames of 10 ms, with the file; PST_IO_ERROR; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_sound_read(const char *path, size_t rate, bool resample,
                                           struct pst_buffer *wave, size_t *count, struct pst_error *error);

/* ---- features ----------------------------------------------------------------------------------------- */

enum pst_feature_kind { PST_FBANK, PST_MFCC };
enum pst_feature_window { PST_HAMMING, PST_POVEY };

struct pst_feature_settings {
    int kind;             /* of enum pst_feature_kind */
    size_t rate;          /* samples a second */
    size_t bands;         /* of mel, 1 … 256 */
    size_t coefficients;  /* of cepstra, 1 … bands */
    double length, shift; /* seconds of a window, and from one to the next; length ≥ shift > 0 */
    double pre_emphasis;  /* 0 … 1 */
    int window;           /* of enum pst_feature_window */
    double low, high;     /* Hz, the edges of the bands; a high of 0 or less counts from half the rate */
    size_t deltas;        /* 0: none; 1: and differences; 2: and differences of these */
};

/* As the paper has them: 40 log-mel energies of 25 ms every 10 ms. */
extern const struct pst_feature_settings pst_feature_defaults;

/* What turns waves into frames: filters, windows and room for one frame. Serves one thread. */
struct pst_features;

/*
 * Makes one. Windows are taken as Kaldi takes them with snip_edges, without dithering; the mean of each is
 * taken off; energies are logarithms, natural, floored at the smallest f32 epsilon.
 * Returns PST_OK; PST_USAGE, which names the setting that cannot be; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_features_new(struct pst_features **features,
                                             const struct pst_feature_settings *settings,
                                             struct pst_error *error);

/* Numbers of one frame: (bands or coefficients) · (1 + deltas). */
size_t pst_features_width(const struct pst_features *features);

/* Frames of a wave: whole windows in it. */
size_t pst_features_frames(const struct pst_features *features, size_t samples);

/* Makes the frames of a wave. wave: [samples]. frames: receives [pst_features_frames, width]. */
void pst_features_make(struct pst_features *features, const float *wave, size_t samples, float *frames);

/* features: may be NULL. */
void pst_features_free(struct pst_features *features);

#endif

/*
 * sound.h: files of sound, and what a network sees of them: frames of log-mel energies or cepstra. Private to
 * lib/data.
 */
#ifndef PIPESTILL_LIB_DATA_SOUND_SOUND_H
#define PIPESTILL_LIB_DATA_SOUND_SOUND_H

#include "pipestill/view.h"

/* ---- files -------------------------------------------------------------------------------------------- */

/*
 * Reads a file of sound: WAV, FLAC or NIST SPHERE. Other kinds are refused, because some do not show that
 * they are cut short, and the samples of others depend on the decoder.
 * path: if there is no such file, the endings .flac, .wav, .sph and .WAV are tried behind it.
 * rate: samples a second that are needed. resample: whether sound of another rate is brought to it by
 *   libsamplerate; otherwise it is refused.
 * wave: receives [count] numbers as 16-bit samples have them, -32768 … 32767; of files of floats they may be
 *   up to eight times as large.
 * Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA for a file that is cut short or does not say how long it is, has
 * another rate or more than one channel, no samples or more than PST_MAX_FRAMES frames of 10 ms;
 * PST_IO_ERROR; PST_TRY_AGAIN. The message begins with the file.
 */
PST_CHECKED enum pst_status pst_sound_read(const char *path, size_t rate, bool resample,
                                           struct pst_buffer *wave, size_t *count, struct pst_error *error);

/* ---- perturbations ------------------------------------------------------------------------------------- */

/* All depend on their arguments alone, and give the same bits in every run. */

/*
 * Plays a wave faster, so that tempo and pitch rise together: it is resampled by libsamplerate.
 * speed: 0.5 … 2; 1 copies. out: receives [count], about samples / speed; not the buffer that holds the wave.
 * Returns PST_OK; PST_USAGE for another speed; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_sound_speed(const float *wave, size_t samples, double speed,
                                            struct pst_buffer *out, size_t *count, struct pst_error *error);

/*
 * Adds white noise, drawn from the normal distribution.
 * wave: [samples]; silence stays silence. ratio: of signal to noise, in dB: of the variance of the whole wave
 * to that of the noise. random: one number of the normal distribution is drawn for each sample.
 */
void pst_sound_noise(float *wave, size_t samples, double ratio, struct pst_random *random);

/* Makes a wave louder by so many dB. wave: [samples]; it is not clipped. */
void pst_sound_gain(float *wave, size_t samples, double gain);

/* ---- features ----------------------------------------------------------------------------------------- */

enum pst_feature_kind { PST_FBANK, PST_MFCC };
enum pst_feature_window { PST_HAMMING, PST_POVEY };

struct pst_feature_settings {
    int kind;             /* of enum pst_feature_kind */
    size_t rate;          /* samples a second, 1000 … 192000 */
    size_t bands;         /* of mel, 1 … 256 */
    size_t coefficients;  /* of cepstra, 1 … bands; with the lifter 22 */
    double length, shift; /* seconds of a window, and from one to the next; 1 ≥ length ≥ shift > 0 */
    double pre_emphasis;  /* 0 … 1 */
    int window;           /* of enum pst_feature_window */
    double low, high;     /* Hz, the edges of the bands; a high of 0 or less counts from half the rate */
    size_t deltas;        /* 0: none; 1: and differences; 2: and differences of these; Kaldi's window of 2 */
};

/* As the paper has them: 40 log-mel energies of 25 ms every 10 ms, from 20 Hz on, by Hamming windows. */
#define PST_FEATURE_DEFAULTS                                                                               \
    {                                                                                                      \
        .kind = PST_FBANK, .rate = 16000, .bands = 40, .coefficients = 13, .length = 0.025, .shift = 0.01, \
        .pre_emphasis = 0.97, .window = PST_HAMMING, .low = 20                                             \
    }
extern const struct pst_feature_settings pst_feature_defaults;

/* What turns waves into frames: filters, windows and room for one frame. Serves one thread. */
struct pst_features;

/*
 * Makes one. Windows are taken as Kaldi takes them with snip_edges, without dithering; the mean of each is
 * subtracted; energies are natural logarithms, and not below that of the f32 epsilon, 2^-23.
 * Returns PST_OK; PST_USAGE, which names the setting out of range; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_features_new(struct pst_features **features,
                                             const struct pst_feature_settings *settings,
                                             struct pst_error *error);

/* Numbers of one frame: (bands or coefficients) · (1 + deltas). */
size_t pst_features_width(const struct pst_features *features);

/* Frames of a wave: whole windows in it. */
size_t pst_features_frames(const struct pst_features *features, size_t samples);

/*
 * Checks that a wave makes frames. Returns PST_OK; PST_BAD_DATA if it is shorter than one window, or makes
 * more than PST_MAX_FRAMES frames.
 */
PST_CHECKED enum pst_status pst_features_check(const struct pst_features *features, size_t samples,
                                               struct pst_error *error);

/* Makes the frames of a wave: the same bits in every run, without allocating. wave: [samples]. frames:
 * receives [pst_features_frames, width]. */
void pst_features_make(struct pst_features *features, const float *wave, size_t samples, float *frames);

/* features: may be NULL. */
void pst_features_free(struct pst_features *features);

#endif

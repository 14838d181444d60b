/*
 * features.h: the steps from a window of sound to a frame, each by itself. docs/sound.md has the formulas.
 * Private to lib/data/sound.
 */
#ifndef PIPESTILL_LIB_DATA_SOUND_FEATURES_H
#define PIPESTILL_LIB_DATA_SOUND_FEATURES_H

#include "lib/data/sound/sound.h"

/* ---- windows ------------------------------------------------------------------------------------------ */

/* Makes the factors of a window. factors: receives [length], length ≥ 2. */
void pst_window_make(enum pst_feature_window window, size_t length, float *factors);

/*
 * Takes one window of a wave: subtracts its mean, then applies pre-emphasis, then the factors.
 * wave, factors: [length]. taken: receives [length].
 */
void pst_window_take(const float *wave, const float *factors, size_t length, double pre_emphasis,
                     float *taken);

/* ---- bands -------------------------------------------------------------------------------------------- */

/* One triangle of the filterbank: the weights of neighbouring bins of the spectrum. */
struct pst_mel_band {
    size_t first, count;  /* of bins; count ≥ 1 */
    const float *weights; /* [count] */
};

/* The triangles. {0} is empty. */
struct pst_mel {
    size_t count;
    struct pst_mel_band *bands; /* [count]; owned */
    float *weights;             /* of all of them, behind each other; owned */
};

/*
 * Makes the triangles for a spectrum of `size` samples, so of size / 2 bins.
 * Returns PST_OK; PST_USAGE if a band is so narrow that no bin lies in it; PST_TRY_AGAIN. On failure nothing
 * is owned.
 */
PST_CHECKED enum pst_status pst_mel_new(struct pst_mel *mel, const struct pst_feature_settings *settings,
                                        size_t size, struct pst_error *error);

/* The natural logarithms of the bands' energies, floored. power: [size / 2]. energies: receives [count]. */
void pst_mel_energies(const struct pst_mel *mel, const float *power, float *energies);

/* Frees what it holds and makes it {0}. */
void pst_mel_free(struct pst_mel *mel);

/* ---- cepstra ------------------------------------------------------------------------------------------ */

/* Makes the matrix of the cosine transform and the lifter. matrix: receives [coefficients, bands]. */
void pst_cepstra_matrix(size_t coefficients, size_t bands, float *matrix);

/* Multiplies with it. energies: [bands]. cepstra: receives [coefficients]; it may not overlap energies. */
void pst_cepstra_make(const float *matrix, size_t coefficients, size_t bands, const float *energies,
                      float *cepstra);

/* ---- differences -------------------------------------------------------------------------------------- */

/*
 * Fills in the differences behind the numbers of each frame.
 * frames: [count, (1 + orders) · numbers]; the first `numbers` of each row are there. orders: 1 or 2.
 */
void pst_deltas_fill(float *frames, size_t count, size_t numbers, size_t orders);

#endif

/* The mel filterbank: triangles that are straight on the mel scale, as Kaldi's MelBanks has them. */
#include "lib/data/sound/features.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* In single precision, as Kaldi has it, because that matters at the feet of triangles. */
static float mel_of(float hertz)
{
    return 1127.0F * logf(1.0F + hertz / 700.0F);
}

/* Where the bands lie. */
struct layout {
    float low, step; /* mel: band i rises from low + i · step on, and is 1 a step later */
    float bin;       /* Hz from bin to bin */
    size_t bins;
};

/* Where a band begins. The one before it has its top there, and the one before that ends. */
static float edge_of(const struct layout *layout, size_t band)
{
    return layout->low + (float)band * layout->step;
}

static struct layout lay_out(const struct pst_feature_settings *settings, size_t size)
{
    double half = (double)settings->rate / 2;
    float low = mel_of((float)settings->low);
    float high = mel_of((float)(settings->high > 0 ? settings->high : half + settings->high));
    return (struct layout){ low, (high - low) / (float)(settings->bands + 1),
                            (float)settings->rate / (float)size, size / 2 };
}

/* The weight of a bin in a band: 0 outside of its triangle. */
static float weight_of(const struct layout *layout, size_t band, size_t bin)
{
    float left = edge_of(layout, band), top = edge_of(layout, band + 1), right = edge_of(layout, band + 2);
    float mel = mel_of(layout->bin * (float)bin);
    if (mel <= left || mel >= right)
        return 0;
    return mel <= top ? (mel - left) / (top - left) : (right - mel) / (right - top);
}

/* Fills in one band. weights: receives its weights, at most as many as there are bins. */
static void fill_band(const struct layout *layout, size_t number, struct pst_mel_band *band, float *weights)
{
    *band = (struct pst_mel_band){ .weights = weights };
    for (size_t bin = 0; bin < layout->bins; bin++) {
        float weight = weight_of(layout, number, bin);
        if (weight > 0 && band->count == 0)
            band->first = bin;
        if (weight > 0)
            weights[band->count++] = weight;
    }
}

enum pst_status pst_mel_new(struct pst_mel *mel, const struct pst_feature_settings *settings, size_t size,
                            struct pst_error *error)
{
    struct layout layout = lay_out(settings, size);
    size_t used = 0;
    *mel = (struct pst_mel){ .count = settings->bands };
    mel->bands = pst_allocate(mel->count, sizeof *mel->bands, error);
    mel->weights = pst_allocate(2 * layout.bins, sizeof *mel->weights, error); /* a bin is in two bands */
    bool made = mel->bands != NULL && mel->weights != NULL;
    for (size_t i = 0; i < settings->bands && made; i++) {
        fill_band(&layout, i, &mel->bands[i], mel->weights + used);
        used += mel->bands[i].count;
        if (mel->bands[i].count > 0)
            continue;
        pst_fail(error, PST_USAGE,
                 "%zu bands are too many: no frequency of the spectrum, %g Hz apart, lies in band %zu",
                 settings->bands, (double)layout.bin, i + 1);
        pst_mel_free(mel);
        return PST_USAGE;
    }
    if (!made)
        pst_mel_free(mel);
    return made ? PST_OK : PST_TRY_AGAIN;
}

void pst_mel_energies(const struct pst_mel *mel, const float *power, float *energies)
{
    for (size_t i = 0; i < mel->count; i++) {
        const struct pst_mel_band *band = &mel->bands[i];
        float energy = 0;
        for (size_t j = 0; j < band->count; j++)
            energy += band->weights[j] * power[band->first + j];
        energies[i] = logf(fmaxf(energy, FLT_EPSILON));
    }
}

void pst_mel_free(struct pst_mel *mel)
{
    free(mel->bands);
    free(mel->weights);
    *mel = (struct pst_mel){ 0 };
}

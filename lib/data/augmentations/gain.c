/* gain: each utterance is made louder or quieter. */
#include "lib/data/sound/sound.h"

struct settings {
    double most;
};

static const struct pst_option options[] = {
    { 0, "gain", PST_DOUBLE, offsetof(struct settings, most),
      "make each utterance louder or quieter, at random up to this many dB", .metavar = "DB", .least = 0,
      .most = 60 },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->most > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->sound ? NULL : "only sound can be made louder";
}

static enum pst_status change_sound(const void *settings, struct pst_wave *wave, const struct pst_draw *draw,
                                    struct pst_error *error)
{
    (void)error;
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_GAIN, draw->epoch, draw->id);
    double most = ((const struct settings *)settings)->most;
    pst_sound_gain(wave->samples.data, wave->count, most * (2 * pst_random_uniform(&random) - 1));
    return PST_OK;
}

const struct pst_augmentation pst_augmentation_gain = {
    .name = "gain",
    .help = "makes utterances louder or quieter",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .most = 6 },
    .is_on = is_on,
    .refuse = refuse,
    .change_sound = change_sound,
};

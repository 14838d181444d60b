/* noise: white noise is added to each utterance. */
#include "lib/data/sound/sound.h"

#define RANGE 20.0 /* dB between the most noise and the least */

struct settings {
    double ratio; /* 0: none is added */
};

static const struct pst_option options[] = {
    { 0, "noise", PST_DOUBLE, offsetof(struct settings, ratio),
      "add white noise, DB to DB + 20 dB below the sound, at random; 0: none", .metavar = "DB", .least = 0,
      .most = 100 },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->ratio > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->sound ? NULL : "noise can only be added to sound";
}

static enum pst_status change_sound(const void *settings, struct pst_wave *wave, const struct pst_draw *draw,
                                    struct pst_error *error)
{
    (void)error;
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_NOISE, draw->epoch, draw->id);
    double ratio = ((const struct settings *)settings)->ratio + RANGE * pst_random_uniform(&random);
    pst_sound_noise(wave->samples.data, wave->count, ratio, &random);
    return PST_OK;
}

const struct pst_augmentation pst_augmentation_noise = {
    .name = "noise",
    .help = "adds white noise to utterances",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .ratio = 10 },
    .is_on = is_on,
    .refuse = refuse,
    .change_sound = change_sound,
};

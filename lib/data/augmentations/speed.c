/* speed: each utterance is played faster or slower, so that tempo and pitch change (Ko et al. 2015, "Audio
 * augmentation for speech recognition"). */
#include "lib/data/sound/sound.h"

struct settings {
    double most;
};

static const struct pst_option options[] = {
    { 0, "speed", PST_DOUBLE, offsetof(struct settings, most),
      "play each utterance faster or slower, at random up to this share: 0.1", .metavar = "SHARE", .least = 0,
      .most = 0.5 },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->most > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->sound ? NULL : "only sound can be played faster";
}

static enum pst_status change_sound(const void *settings, struct pst_wave *wave, const struct pst_draw *draw,
                                    struct pst_error *error)
{
    struct pst_random random;
    struct pst_wave faster = { 0 };
    pst_random_start(&random, draw->seed, PST_RANDOM_SPEED, draw->epoch, draw->id);
    double most = ((const struct settings *)settings)->most;
    double speed = 1 + most * (2 * pst_random_uniform(&random) - 1);
    enum pst_status status =
        pst_sound_speed(wave->samples.data, wave->count, speed, &faster.samples, &faster.count, error);
    if (status != PST_OK) {
        pst_buffer_free(&faster.samples);
        return status;
    }
    pst_buffer_free(&wave->samples);
    *wave = faster;
    return PST_OK;
}

const struct pst_augmentation pst_augmentation_speed = {
    .name = "speed",
    .help = "plays utterances faster or slower",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .most = 0.1 },
    .is_on = is_on,
    .refuse = refuse,
    .change_sound = change_sound,
};

/* flip: every other image, at random, is mirrored, left for right. */
#include "pipestill/view.h"

#include <string.h>

struct settings {
    bool on;
};

static const struct pst_option options[] = {
    { 0, "flip", PST_FLAG, offsetof(struct settings, on),
      "mirror each image, left for right, with probability 1/2" },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->on;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->height > 0 ? NULL : "only images can be mirrored";
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    (void)settings;
    size_t width = planes->width, rows = planes->channels * planes->height;
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_FLIP, draw->epoch, draw->id);
    if (pst_random_below(&random, 2) == 0) {
        memcpy(to, from, rows * width * (planes->numbers ? sizeof(float) : 1));
        return;
    }
    for (size_t i = 0; i < rows; i++) {
        size_t row = i * width;
        for (size_t j = 0; j < width && planes->numbers; j++)
            ((float *)to)[row + j] = ((const float *)from)[row + width - 1 - j];
        for (size_t j = 0; j < width && !planes->numbers; j++)
            ((uint8_t *)to)[row + j] = ((const uint8_t *)from)[row + width - 1 - j];
    }
}

const struct pst_augmentation pst_augmentation_flip = {
    .name = "flip",
    .help = "mirrors images, left for right",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .on = true },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

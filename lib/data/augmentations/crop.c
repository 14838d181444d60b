/* crop: images with a margin of background all around, out of which a piece of the old size is cut at random.
 */
#include "lib/data/augmentations/move.h"

struct settings {
    size_t padding;
};

static const struct pst_option options[] = {
    { 0, "crop", PST_SIZE, offsetof(struct settings, padding),
      "pad images by this many pixels, and cut their old size out at random", .metavar = "PADDING",
      .most = 1000 },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->padding > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->height > 0 ? NULL : "only images can be cropped";
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    pst_move_at_random(planes, from, to, ((const struct settings *)settings)->padding, PST_RANDOM_CROP, draw);
}

const struct pst_augmentation pst_augmentation_crop = {
    .name = "crop",
    .help = "pads images and cuts their old size out again",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .padding = 3 },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

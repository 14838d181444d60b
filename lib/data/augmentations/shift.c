/* shift: images moved by whole pixels, drawn evenly from [-most, most] in each direction. */
#include "lib/data/augmentations/move.h"

struct settings {
    size_t most;
};

static const struct pst_option options[] = {
    { 0, "shift", PST_SIZE, offsetof(struct settings, most), "move images by up to N pixels each way",
      .most = 1000 },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->most > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->height > 0 ? NULL : "only images can be moved";
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    pst_move_at_random(planes, from, to, ((const struct settings *)settings)->most, PST_RANDOM_SHIFT, draw);
}

const struct pst_augmentation pst_augmentation_shift = {
    .name = "shift",
    .help = "moves images by whole pixels",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .most = 3 },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

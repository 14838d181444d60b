/* cutout: a square of each image becomes background (DeVries, Taylor 2017, "Improved regularization of
 * convolutional neural networks with cutout"). */
#include "lib/data/box.h"

#include <string.h>

struct settings {
    size_t edge;
};

static const struct pst_option options[] = {
    { 0, "cutout", PST_SIZE, offsetof(struct settings, edge),
      "blank a square with edges of this many pixels, anywhere in each image, at random", .metavar = "SIZE",
      .most = 10000 },
    { 0 },
};

static bool is_on(const void *settings)
{
    return ((const struct settings *)settings)->edge > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    (void)settings;
    return planes->height > 0 && !planes->sound ? NULL : "only images can have a square cut out";
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_CUTOUT, draw->epoch, draw->id);
    size_t edge = ((const struct settings *)settings)->edge;
    size_t middle_row = (size_t)pst_random_below(&random, planes->height);
    size_t middle_column = (size_t)pst_random_below(&random, planes->width);
    struct pst_box box = pst_box_about(planes, middle_row, middle_column, edge, edge);
    memcpy(to, from,
           planes->channels * planes->height * planes->width * (planes->numbers ? sizeof(float) : 1));
    pst_box_copy(planes, &box, NULL, to);
}

const struct pst_augmentation pst_augmentation_cutout = {
    .name = "cutout",
    .help = "blanks a square of images",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .edge = 12 },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

/* mask: some bands of mel, and some frames, of a spliced sample become 0, which is their mean if frames are
 * normalised (Park et al. 2019, "SpecAugment"). */
#include "pipestill/view.h"

#include <string.h>

struct settings {
    size_t bands, frames;
};

static const struct pst_option options[] = {
    { 0, "mask-bands", PST_SIZE, offsetof(struct settings, bands),
      "set up to N neighbouring bands of a spliced sample to 0", .most = 256 },
    { 0, "mask-frames", PST_SIZE, offsetof(struct settings, frames),
      "set up to N neighbouring frames of a spliced sample to 0", .most = 2 * PST_MAX_SPLICE + 1 },
    { 0 },
};

static bool is_on(const void *settings)
{
    const struct settings *mask = settings;
    return mask->bands > 0 || mask->frames > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    const struct settings *mask = settings;
    if (!planes->sound || !planes->numbers || planes->height == 0)
        return "only spliced frames of sound can be masked: --splice";
    return mask->bands >= planes->width || mask->frames >= planes->height
               ? "a mask is smaller than a spliced sample"
               : NULL;
}

/* Draws a width up to `most`, and a place for it. */
static size_t draw_span(struct pst_random *random, size_t most, size_t size, size_t *from)
{
    size_t width = (size_t)pst_random_below(random, most + 1);
    *from = (size_t)pst_random_below(random, size - width + 1);
    return width;
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    const struct settings *mask = settings;
    struct pst_random random;
    float *numbers = to;
    size_t first, count, width = planes->width;
    pst_random_start(&random, draw->seed, PST_RANDOM_MASK, draw->epoch, draw->id);
    memcpy(to, from, planes->height * width * sizeof *numbers);
    count = draw_span(&random, mask->bands, width, &first);
    for (size_t frame = 0; frame < planes->height; frame++)
        memset(numbers + frame * width + first, 0, count * sizeof *numbers);
    count = draw_span(&random, mask->frames, planes->height, &first);
    memset(numbers + first * width, 0, count * width * sizeof *numbers);
}

const struct pst_augmentation pst_augmentation_mask = {
    .name = "mask",
    .help = "sets bands and frames of spliced sound to 0",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .bands = 8, .frames = 5 },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

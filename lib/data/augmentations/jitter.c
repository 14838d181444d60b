/*
 * jitter: images brighter or darker, of more or less contrast, and of stronger or paler colours, each by a
 * factor drawn evenly from [1 - SHARE, 1 + SHARE]: brightness multiplies, contrast moves a pixel away from
 * the image's mean grey, saturation away from its own grey. Elements are counted from the number for an
 * element of 0. Bytes are limited and rounded once, after all three, so their order does not matter; numbers
 * are not limited.
 */
#include "pipestill/view.h"

#include <math.h>

struct settings {
    double all, brightness, contrast, saturation;
};

#define EACH(name, what)                                                                      \
    {                                                                                         \
        0, "jitter-" #name, PST_DOUBLE, offsetof(struct settings, name),                      \
            "the share of " what " alone; 0: that of --jitter", .metavar = "SHARE", .most = 1 \
    }

static const struct pst_option options[] = {
    { 0, "jitter", PST_DOUBLE, offsetof(struct settings, all),
      "change brightness, contrast and saturation of each image, at random up to this share",
      .metavar = "SHARE", .most = 1 },
    EACH(brightness, "brightness"),
    EACH(contrast, "contrast"),
    EACH(saturation, "saturation"),
    { 0 },
};

static bool is_on(const void *settings)
{
    const struct settings *jitter = settings;
    return jitter->all > 0 || jitter->brightness > 0 || jitter->contrast > 0 || jitter->saturation > 0;
}

static const char *refuse(const void *settings, const struct pst_planes *planes)
{
    if (planes->height == 0 || planes->sound)
        return "only images have brightness and contrast";
    if (((const struct settings *)settings)->saturation > 0 && planes->channels != 3)
        return "only images of three channels have saturation";
    return NULL;
}

/* The factor of one of the three. own: its share; 0: that of all. */
static double factor(struct pst_random *random, double own, double all)
{
    double share = own > 0 ? own : all;
    return 1 + share * (2 * pst_random_uniform(random) - 1);
}

/* An element, counted from the background. */
static float value(const struct pst_planes *planes, const void *from, size_t at)
{
    return planes->numbers ? ((const float *)from)[at] - planes->background : ((const uint8_t *)from)[at];
}

/* How bright a pixel is. Three channels are red, green and blue, weighted by ITU-R BT.601. */
static double grey(const struct pst_planes *planes, const void *from, size_t pixel)
{
    static const double weights[3] = { 0.299, 0.587, 0.114 };
    size_t plane = planes->height * planes->width;
    double sum = 0;
    for (size_t channel = 0; channel < planes->channels; channel++)
        sum += (planes->channels == 3 ? weights[channel] : 1 / (double)planes->channels) *
               (double)value(planes, from, channel * plane + pixel);
    return sum;
}

static void store(const struct pst_planes *planes, void *to, size_t at, double number)
{
    if (planes->numbers)
        ((float *)to)[at] = (float)(number + (double)planes->background);
    else
        ((uint8_t *)to)[at] = (uint8_t)(fmin(fmax(number, 0), 255) + 0.5);
}

static void apply(const void *settings, const struct pst_planes *planes, const void *from, void *to,
                  const struct pst_draw *draw)
{
    const struct settings *jitter = settings;
    struct pst_random random;
    pst_random_start(&random, draw->seed, PST_RANDOM_JITTER, draw->epoch, draw->id);
    double bright = factor(&random, jitter->brightness, jitter->all);
    double contrast = factor(&random, jitter->contrast, jitter->all);
    double colour = planes->channels == 3 ? factor(&random, jitter->saturation, jitter->all) : 1;
    size_t plane = planes->height * planes->width;
    double mean = 0;
    for (size_t pixel = 0; pixel < plane; pixel++)
        mean += grey(planes, from, pixel) / (double)plane;
    for (size_t pixel = 0; pixel < plane; pixel++) {
        double pale = (1 - colour) * grey(planes, from, pixel);
        for (size_t at = pixel; at < planes->channels * plane; at += plane) {
            double coloured = colour * (double)value(planes, from, at) + pale;
            store(planes, to, at, bright * (contrast * coloured + (1 - contrast) * mean));
        }
    }
}

const struct pst_augmentation pst_augmentation_jitter = {
    .name = "jitter",
    .help = "changes brightness, contrast and saturation of images",
    .settings = { options, sizeof(struct settings), NULL },
    .example = &(const struct settings){ .all = 0.4 },
    .is_on = is_on,
    .refuse = refuse,
    .apply = apply,
};

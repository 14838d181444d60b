/* Samples mixed with others: which, how much of each, and what becomes of inputs and labels. */
#include "lib/data/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- what can be mixed --------------------------------------------------------------------------------- */

#define LEAST_ALPHA 1e-3         /* below, hardly any sample is mixed, and numbers would overflow */
#define MOST_MIXED_CLASSES 65536 /* so many shares for each sample */

/* Why such samples cannot be mixed, as a clause; NULL: they can. */
static const char *refusal(const struct pst_view *view)
{
    const struct pst_dataset *dataset = view->dataset;
    if (dataset->sequences > 0)
        return "samples that follow each other are not mixed";
    if (view->cutmix > 0 && view->planes.height == 0)
        return "only images have rectangles; --mixup mixes all numbers of a sample";
    if (dataset->label_kind == PST_LABELS_BITS)
        return "several labels a sample are not mixed; samples with one label, with numbers, or without "
               "labels are";
    if (dataset->label_kind == PST_LABELS_CLASS && dataset->classes > MOST_MIXED_CLASSES)
        return "labels of more than 65536 classes are not mixed";
    if (view->special.count > 0)
        return "special classes are not mixed: of a mixed sample, only a part would be special";
    if (view->selection.count < 2)
        return "there is only one sample, and mixing takes two";
    if ((view->mixup > 0 && view->mixup < LEAST_ALPHA) || (view->cutmix > 0 && view->cutmix < LEAST_ALPHA))
        return "a number below 0.001 mixes hardly any sample";
    return NULL;
}

enum pst_status pst_mix_settle(struct pst_view *view, const struct pst_view_settings *settings,
                               struct pst_error *error)
{
    view->mixup = settings->mixup;
    view->cutmix = settings->cutmix;
    view->mixed = view->mixup > 0 || view->cutmix > 0;
    if (!view->mixed)
        return PST_OK;
    const char *wrong = refusal(view);
    if (wrong != NULL)
        return pst_fail(error, PST_USAGE, "%s: --%s: %s", view->dataset->name,
                        view->cutmix > 0 ? "cutmix" : "mixup", wrong);
    if (view->dataset->label_kind == PST_LABELS_CLASS)
        view->label_bytes = view->dataset->classes * sizeof(float);
    return PST_OK;
}

/* ---- what is drawn ------------------------------------------------------------------------------------- */

static int compare_indices(const void *one, const void *other)
{
    size_t a = *(const size_t *)one, b = *(const size_t *)other;
    return (a > b) - (a < b);
}

/* Another sample of the selection, all equally likely. */
static size_t draw_other(const struct pst_selection *selection, size_t index, struct pst_random *random)
{
    const size_t *own = bsearch(&index, selection->indices, selection->count, sizeof index, compare_indices);
    size_t number = (size_t)pst_random_below(random, selection->count - 1);
    return selection->indices[number + (number >= (size_t)(own - selection->indices))];
}

/* The logarithm of a number from the gamma distribution of a shape ≥ 1 (Marsaglia, Tsang 2000). */
static double log_gamma_large(struct pst_random *random, double shape)
{
    double d = shape - 1 / 3.0, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = pst_random_normal(random), v = pow(1 + c * x, 3), u = pst_random_uniform(random);
        if (v > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v))
            return log(d * v);
    }
}

/* The same for any shape: a factor, a power of a uniform number, lowers it by 1. */
static double log_gamma(struct pst_random *random, double shape)
{
    if (shape >= 1)
        return log_gamma_large(random, shape);
    double larger = log_gamma_large(random, shape + 1);
    return larger + log(1 - pst_random_uniform(random)) / shape;
}

/* A number from Beta(alpha, alpha). */
static double draw_share(struct pst_random *random, double alpha)
{
    double own = log_gamma(random, alpha), other = log_gamma(random, alpha);
    return 1 / (1 + exp(other - own));
}

/* A rectangle of about 1 - share of the image. Its part outside adds to the sample's share. */
static void draw_box(struct pst_mixture *mixture, const struct pst_planes *planes, struct pst_random *random)
{
    double edge = sqrt(1 - mixture->share);
    size_t row = (size_t)pst_random_below(random, planes->height);
    size_t column = (size_t)pst_random_below(random, planes->width);
    mixture->boxed = true;
    mixture->box = pst_box_about(planes, row, column, (size_t)((double)planes->height * edge),
                                 (size_t)((double)planes->width * edge));
    mixture->share =
        1 - (double)(mixture->box.height * mixture->box.width) / (double)(planes->height * planes->width);
}

struct pst_mixture pst_mix_draw(const struct pst_view *view, size_t index)
{
    struct pst_random random;
    pst_random_start(&random, view->seed, PST_RANDOM_MIX, view->epoch, pst_dataset_id(view->dataset, index));
    struct pst_mixture mixture = { .other = draw_other(&view->selection, index, &random) };
    bool both = view->mixup > 0 && view->cutmix > 0;
    bool cut = both ? pst_random_below(&random, 2) == 1 : view->cutmix > 0;
    mixture.share = draw_share(&random, cut ? view->cutmix : view->mixup);
    if (cut)
        draw_box(&mixture, &view->planes, &random);
    return mixture;
}

/* ---- what becomes of samples --------------------------------------------------------------------------- */

void pst_mix_inputs(const struct pst_view *view, const struct pst_mixture *mixture, const void *other,
                    void *x)
{
    size_t elements = pst_view_elements(view);
    double own = mixture->share, rest = 1 - own;
    if (mixture->boxed) {
        pst_box_copy(&view->planes, &mixture->box, other, x);
        return;
    }
    for (size_t i = 0; i < elements && view->planes.numbers; i++)
        ((float *)x)[i] = (float)(own * (double)((float *)x)[i] + rest * (double)((const float *)other)[i]);
    for (size_t i = 0; i < elements && !view->planes.numbers; i++)
        ((uint8_t *)x)[i] = (uint8_t)(own * ((uint8_t *)x)[i] + rest * ((const uint8_t *)other)[i] + 0.5);
}

void pst_mix_labels(const struct pst_view *view, const struct pst_mixture *mixture, size_t index, void *y)
{
    const struct pst_dataset *dataset = view->dataset;
    size_t width = view->label_bytes / sizeof(float);
    double own = mixture->share, rest = 1 - own;
    float *shares = y;
    if (dataset->label_kind == PST_LABELS_CLASS) {
        const int32_t *labels = dataset->labels;
        memset(y, 0, view->label_bytes);
        shares[labels[mixture->other]] = (float)rest;
        shares[labels[index]] = labels[index] == labels[mixture->other] ? 1 : (float)own;
        return;
    }
    const float *numbers = dataset->labels;
    for (size_t i = 0; i < width; i++)
        shares[i] = (float)(own * (double)numbers[index * width + i] +
                            rest * (double)numbers[mixture->other * width + i]);
}

/* Mean and deviation of each channel: fitted to the samples that are learned from. */
#include "pipestill/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

size_t pst_dataset_channels(const struct pst_dataset *dataset)
{
    return dataset->rank == 1 || dataset->rank >= 3 ? dataset->shape[0] : 1;
}

enum pst_status pst_standard_new(struct pst_standard *standard, size_t channels, struct pst_error *error)
{
    *standard = (struct pst_standard){ 0 };
    standard->mean = pst_allocate(channels, 2 * sizeof *standard->mean, error);
    if (standard->mean == NULL)
        return PST_TRY_AGAIN;
    standard->deviation = standard->mean + channels;
    standard->channels = channels;
    return PST_OK;
}

void pst_standard_free(struct pst_standard *standard)
{
    free(standard->mean);
    *standard = (struct pst_standard){ 0 };
}

void pst_standard_apply(const struct pst_standard *standard, size_t elements, float *numbers)
{
    size_t run = elements / standard->channels;
    for (size_t channel = 0; channel < standard->channels; channel++)
        for (size_t i = channel * run; i < (channel + 1) * run; i++)
            numbers[i] =
                (float)(((double)numbers[i] - standard->mean[channel]) / standard->deviation[channel]);
}

/* Sums while samples pass: the mean so far, and the sum of squares about it (Welford 1962). */
struct sums {
    double *mean, *squares; /* [channels]: where the standard will be */
    size_t channels, run;   /* elements of a channel in a sample */
    double count;           /* numbers of a channel so far */
};

static void add_number(struct sums *sums, size_t channel, double count, double number)
{
    double before = number - sums->mean[channel];
    sums->mean[channel] += before / count;
    sums->squares[channel] += before * (number - sums->mean[channel]);
}

/* elements: of a sample, as the set has them, because numbers of 32 bits are too coarse far from 0. */
static void add_sample(struct sums *sums, const struct pst_dataset *dataset, const void *elements)
{
    for (size_t channel = 0; channel < sums->channels; channel++)
        for (size_t i = 0; i < sums->run; i++) {
            double element = pst_element_number(dataset->element, elements, channel * sums->run + i);
            add_number(sums, channel, sums->count + (double)i + 1,
                       dataset->scale * element + dataset->offset);
        }
    sums->count += (double)sums->run;
}

/* Turns sums into deviations. A channel that never varies is divided by 1. */
static void divide(struct pst_standard *standard, double count)
{
    for (size_t i = 0; i < standard->channels; i++) {
        double deviation = sqrt(standard->deviation[i] / count);
        double least = 1e-12 * fabs(standard->mean[i]); /* that rounding alone may give */
        standard->deviation[i] = deviation > least ? deviation : 1;
    }
}

/* Elements of categories stay as they are. */
static void leave_categories(struct pst_standard *standard, const struct pst_dataset *dataset)
{
    size_t element = 0;
    for (size_t i = 0; i < dataset->columns; i++) {
        for (size_t j = 0; j < dataset->column[i].categories; j++) {
            standard->mean[element + j] = 0;
            standard->deviation[element + j] = 1;
        }
        element += dataset->column[i].categories > 0 ? dataset->column[i].categories : 1;
    }
}

static enum pst_status add_samples(struct sums *sums, const struct pst_dataset *dataset,
                                   const struct pst_selection *selection, struct pst_error *error)
{
    size_t elements = pst_dataset_elements(dataset), size = pst_element_size(dataset->element);
    void *x = pst_allocate(elements, sizeof(float), error), *raw = pst_allocate(elements, size, error);
    const struct pst_plan plan = { .samples = selection->indices, .count = selection->count };
    enum pst_status status =
        x == NULL || raw == NULL ? PST_TRY_AGAIN : pst_dataset_plan(dataset, &plan, error);
    for (size_t i = 0; i < selection->count && status == PST_OK; i++) {
        status = pst_dataset_read(dataset, selection->indices[i], NULL, x, raw, error);
        if (status == PST_OK)
            add_sample(sums, dataset, dataset->element == PST_ELEMENT_U8 ? x : raw);
    }
    free(x);
    free(raw);
    return status;
}

enum pst_status pst_standard_fit(struct pst_standard *standard, const struct pst_dataset *dataset,
                                 const struct pst_selection *selection, struct pst_error *error)
{
    size_t channels = pst_dataset_channels(dataset);
    enum pst_status status = pst_standard_new(standard, channels, error);
    if (status != PST_OK)
        return status;
    struct sums sums = { .mean = standard->mean,
                         .squares = standard->deviation,
                         .channels = channels,
                         .run = pst_dataset_elements(dataset) / channels };
    status = add_samples(&sums, dataset, selection, error);
    if (status != PST_OK) {
        pst_standard_free(standard);
        return status;
    }
    divide(standard, sums.count);
    leave_categories(standard, dataset);
    return PST_OK;
}

enum pst_status pst_targets_fit(struct pst_standard *standard, const struct pst_dataset *dataset,
                                const struct pst_selection *selection, struct pst_error *error)
{
    size_t width = dataset->label_width > 0 ? dataset->label_width : 1;
    if (pst_standard_new(standard, width, error) != PST_OK)
        return PST_TRY_AGAIN;
    struct sums sums = {
        .mean = standard->mean, .squares = standard->deviation, .channels = width, .run = 1
    };
    for (size_t i = 0; i < selection->count; i++) {
        const float *label = (const float *)dataset->labels + selection->indices[i] * width;
        for (size_t j = 0; j < width; j++)
            add_number(&sums, j, (double)i + 1, (double)label[j]);
    }
    divide(standard, (double)selection->count);
    return PST_OK;
}

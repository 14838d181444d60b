/* A loss: the sum of its terms over a batch, with the weights of terms, classes and samples. */
#include "pipestill/losses.h"

#include <string.h>

static bool is_error(const float *outputs, size_t count, int32_t label)
{
    return pst_largest(outputs, count) != (size_t)label;
}

/* By what the terms of a sample are multiplied. */
static double sample_weight(const struct pst_loss *loss, const struct pst_loss_targets *targets,
                            size_t sample)
{
    double weight = targets->weight != NULL ? (double)targets->weight[sample] : 1;
    if (loss->class_weight == NULL || targets->labels == NULL)
        return weight;
    return weight * loss->class_weight[targets->labels[sample]];
}

static const void *target_of(const struct pst_loss_term *term, const void *targets, size_t sample,
                             size_t count)
{
    if (term->type->target == PST_TARGET_LABELS)
        return (const int32_t *)targets + sample;
    return (const float *)targets + sample * count;
}

void pst_loss_compute(const struct pst_loss *loss, const struct pst_loss_targets *targets,
                      const float *outputs, size_t n, size_t count, float *gradient,
                      struct pst_loss_sums *sums)
{
    *sums = (struct pst_loss_sums){ 0 };
    if (gradient != NULL)
        memset(gradient, 0, n * count * sizeof *gradient);
    for (size_t i = 0; i < n; i++) {
        const float *z = outputs + i * count;
        float *g = gradient != NULL ? gradient + i * count : NULL;
        double weight = sample_weight(loss, targets, i);
        sums->weight += weight;
        sums->errors += targets->labels != NULL && is_error(z, count, targets->labels[i]);
        for (size_t k = 0; k < loss->count; k++) {
            const struct pst_loss_term *term = &loss->terms[k];
            const void *target = target_of(term, targets->terms[k], i, count);
            sums->terms[k] +=
                weight * term->type->row(term, z, target, count, term->weight / (double)n * weight,
                                         term->weight > 0 ? g : NULL);
        }
    }
    for (size_t k = 0; k < loss->count; k++)
        sums->total += loss->terms[k].weight > 0 ? loss->terms[k].weight * sums->terms[k] : 0;
}

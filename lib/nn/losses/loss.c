/* A loss: the sum of its terms over a batch, with the weights of terms, classes and samples. */
#include "pipestill/losses.h"

#include <string.h>

static bool is_error(const float *outputs, size_t count, int32_t label)
{
    return pst_largest(outputs, count) != (size_t)label;
}

/* The factor for the terms of a sample. */
static double sample_weight(const struct pst_loss *loss, const struct pst_loss_targets *targets,
                            size_t sample)
{
    double weight = targets->weight != NULL ? (double)targets->weight[sample] : 1;
    if (loss->class_weight == NULL || targets->labels == NULL)
        return weight;
    return weight * loss->class_weight[targets->labels[sample]];
}

/* What a term is computed from: all samples' outputs and targets, and how many numbers each has of them. */
struct view {
    const float *outputs;
    float *gradient;
    const void *targets;
    size_t count, target_count;
};

static struct view view_of(const struct pst_loss_term *term, const struct pst_loss_targets *targets, size_t k,
                           const struct view *network)
{
    const struct pst_loss_layer *layer = &targets->layers[k];
    struct view view = *network;
    if (layer->outputs != NULL)
        view = (struct view){ layer->outputs, layer->gradient, NULL, layer->count, layer->hint };
    view.targets = targets->terms[k];
    if (term->weight <= 0)
        view.gradient = NULL;
    return view;
}

static const void *target_of(const struct pst_loss_term *term, const struct view *view, size_t sample)
{
    if (term->type->target == PST_TARGET_LABELS)
        return (const int32_t *)view->targets + sample;
    return (const float *)view->targets + sample * view->target_count;
}

/* Adds the terms of one sample. weight: of the sample. */
static void add_terms(const struct pst_loss *loss, const struct view *views, size_t sample, size_t n,
                      double weight, struct pst_loss_sums *sums)
{
    for (size_t k = 0; k < loss->count; k++) {
        const struct pst_loss_term *term = &loss->terms[k];
        const struct view *view = &views[k];
        float *gradient = view->gradient != NULL ? view->gradient + sample * view->count : NULL;
        sums->terms[k] += weight * term->type->row(term, view->outputs + sample * view->count,
                                                   target_of(term, view, sample), view->count,
                                                   term->weight / (double)n * weight, gradient);
    }
}

static void clear(float *gradient, size_t count)
{
    if (gradient != NULL)
        memset(gradient, 0, count * sizeof *gradient);
}

void pst_loss_compute(const struct pst_loss *loss, const struct pst_loss_targets *targets,
                      const float *outputs, size_t n, size_t count, float *gradient,
                      struct pst_loss_sums *sums)
{
    const struct view network = { outputs, gradient, NULL, count, count };
    struct view views[PST_MAX_TERMS];
    *sums = (struct pst_loss_sums){ 0 };
    clear(gradient, n * count);
    for (size_t k = 0; k < loss->count; k++) {
        views[k] = view_of(&loss->terms[k], targets, k, &network);
        if (targets->layers[k].outputs != NULL)
            clear(targets->layers[k].gradient, n * views[k].count);
    }
    for (size_t i = 0; i < n; i++) {
        double weight = sample_weight(loss, targets, i);
        sums->weight += weight;
        sums->errors += targets->labels != NULL && is_error(outputs + i * count, count, targets->labels[i]);
        add_terms(loss, views, i, n, weight, sums);
    }
    for (size_t k = 0; k < loss->count; k++)
        sums->total += loss->terms[k].weight > 0 ? loss->terms[k].weight * sums->terms[k] : 0;
}

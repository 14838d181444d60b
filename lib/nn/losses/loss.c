/* A loss: the sum of its terms over a batch, with the weights of terms, classes and samples. */
#include "pipestill/losses.h"
#include "pipestill/nn.h"

#include <string.h>

/* Samples that are computed before they are added up. */
enum { SAMPLES = 128 };

/* Whether the label is not the first place of the largest output. */
static bool is_error(const float *outputs, size_t count, int32_t label)
{
    float largest = pst_largest_number(outputs, count);
    if (outputs[label] != largest)
        return true;
    for (size_t i = 0; i < (size_t)label; i++)
        if (outputs[i] == largest)
            return true;
    return false;
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

/* What is known of one sample. */
struct found {
    double weight, terms[PST_MAX_TERMS];
    bool wrong;
};

/* What all rounds share. They write to the places of other samples, so they may run side by side. */
struct work {
    const struct pst_loss *loss;
    const struct pst_loss_targets *targets;
    const struct view *network, *views;
    size_t n, from, count; /* samples: of the batch, before these, and of these */
    size_t rounds;
    struct found *found; /* [count] */
};

static float *row_of(float *gradient, size_t sample, size_t count)
{
    return gradient == NULL ? NULL : gradient + sample * count;
}

static void clear(float *row, size_t count)
{
    if (row != NULL)
        memset(row, 0, count * sizeof *row);
}

/* One term of one sample. weight: for the gradient. */
static double compute_term(const struct pst_loss_term *term, const struct view *view, size_t sample,
                           double weight, double *scratch)
{
    const float *outputs = view->outputs + sample * view->count;
    const void *target = target_of(term, view, sample);
    float *gradient = row_of(view->gradient, sample, view->count);
    if (!term->from_logits)
        return term->type->row(term, outputs, target, view->count, weight, gradient);
    if (term->type->row_of_logits != NULL)
        return term->type->row_of_logits(term, outputs, target, view->count, weight, gradient, scratch);
    float *soft = (float *)scratch;
    pst_softmax(target, soft, 1, view->count, term->temperature);
    return term->type->row(term, outputs, soft, view->count, weight, gradient);
}

static void compute_sample(const struct work *work, size_t sample, struct found *found, double *scratch)
{
    const struct view *network = work->network;
    const struct pst_loss_targets *targets = work->targets;
    const float *outputs = network->outputs + sample * network->count;
    found->weight = sample_weight(work->loss, targets, sample);
    found->wrong = targets->labels != NULL && is_error(outputs, network->count, targets->labels[sample]);
    clear(row_of(network->gradient, sample, network->count), network->count);
    for (size_t k = 0; k < work->loss->count; k++) {
        const struct pst_loss_term *term = &work->loss->terms[k];
        if (targets->layers[k].outputs != NULL)
            clear(row_of(targets->layers[k].gradient, sample, work->views[k].count), work->views[k].count);
        found->terms[k] = compute_term(term, &work->views[k], sample,
                                       term->weight / (double)work->n * found->weight, scratch);
    }
}

static void compute_round(const void *context, size_t i)
{
    const struct work *work = context;
    size_t first = i * work->count / work->rounds, end = (i + 1) * work->count / work->rounds;
    double *scratch = work->targets->scratch;
    if (scratch != NULL)
        scratch += i * 2 * work->network->count;
    for (size_t at = first; at < end; at++)
        compute_sample(work, work->from + at, &work->found[at], scratch);
}

/* Adds samples in their order, whichever thread computed them. */
static void add_up(const struct work *work, struct pst_loss_sums *sums)
{
    for (size_t i = 0; i < work->count; i++) {
        const struct found *found = &work->found[i];
        sums->weight += found->weight;
        sums->errors += found->wrong;
        for (size_t k = 0; k < work->loss->count; k++)
            sums->terms[k] += found->weight * found->terms[k];
    }
}

void pst_loss_compute(const struct pst_loss *loss, const struct pst_loss_targets *targets,
                      const float *outputs, size_t n, size_t count, float *gradient,
                      struct pst_loss_sums *sums)
{
    const struct view network = { outputs, gradient, NULL, count, count };
    struct view views[PST_MAX_TERMS];
    struct found found[SAMPLES];
    *sums = (struct pst_loss_sums){ 0 };
    for (size_t k = 0; k < loss->count; k++)
        views[k] = view_of(&loss->terms[k], targets, k, &network);
    for (size_t from = 0; from < n; from += SAMPLES) {
        size_t some = n - from < SAMPLES ? n - from : SAMPLES;
        size_t rounds = pst_team_rounds(targets->team, some, some * count);
        const struct work work = { loss, targets, &network, views, n, from, some, rounds, found };
        pst_parallel(targets->team, rounds, compute_round, &work);
        add_up(&work, sums);
    }
    for (size_t k = 0; k < loss->count; k++)
        sums->total += loss->terms[k].weight > 0 ? loss->terms[k].weight * sums->terms[k] : 0;
}

/* Optimisers: each parameter is updated in one pass when its gradient arrives. */
#include "pipestill/training.h"

#include "lib/nn/kernels.h"

#include <math.h>
#include <stdlib.h>

struct pst_optimiser_settings pst_optimiser_defaults(void)
{
    return (struct pst_optimiser_settings){
        .kind = PST_SGD, .momentum = 0.9, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8
    };
}

enum pst_status pst_optimiser_new(struct pst_optimiser *optimiser, struct pst_network *network,
                                  const struct pst_optimiser_settings *settings, struct pst_error *error)
{
    *optimiser = (struct pst_optimiser){ .settings = *settings, .network = network };
    optimiser->first = pst_allocate(network->parameter_count, sizeof(float), error);
    if (optimiser->first != NULL && settings->kind == PST_ADAM)
        optimiser->second = pst_allocate(network->parameter_count, sizeof(float), error);
    if (optimiser->first == NULL || (settings->kind == PST_ADAM && optimiser->second == NULL)) {
        pst_optimiser_free(optimiser);
        return PST_TRY_AGAIN;
    }
    return PST_OK;
}

void pst_optimiser_free(struct pst_optimiser *optimiser)
{
    free(optimiser->first);
    free(optimiser->second);
    *optimiser = (struct pst_optimiser){ 0 };
}

void pst_optimiser_begin(struct pst_optimiser *optimiser, double learning_rate, double momentum)
{
    optimiser->step++;
    optimiser->rate = learning_rate;
    optimiser->momentum = momentum;
}

/* The current step, as the kernels take it. weight_decay: 0 for parameters that do not decay. */
static struct pst_step current_step(const struct pst_optimiser *optimiser, double weight_decay)
{
    const struct pst_optimiser_settings *settings = &optimiser->settings;
    struct pst_step step = { .rate = (float)optimiser->rate,
                             .decay = (float)weight_decay,
                             .momentum = (float)optimiser->momentum };
    if (settings->kind == PST_ADAM) {
        step.rate = (float)(optimiser->rate / (1 - pow(settings->beta1, (double)optimiser->step)));
        step.second_correction = (float)(1 / (1 - pow(settings->beta2, (double)optimiser->step)));
        step.decay = (float)(optimiser->rate * weight_decay);
        step.beta1 = (float)settings->beta1;
        step.beta2 = (float)settings->beta2;
        step.rest1 = (float)(1 - settings->beta1);
        step.rest2 = (float)(1 - settings->beta2);
        step.epsilon = (float)settings->epsilon;
    }
    return step;
}

/* Updates `count` parameters from place `at` of the flat vectors. */
static void update_some(const struct pst_optimiser *optimiser, const struct pst_step *step, size_t at,
                        size_t count, const float *gradient)
{
    float *parameters = optimiser->network->parameters + at;
    float *first = optimiser->first + at;
    switch (optimiser->settings.kind) {
    case PST_SGD:
        pst_kernel_sgd(parameters, first, gradient, count, step);
        break;
    case PST_NESTEROV:
        pst_kernel_nesterov(parameters, first, gradient, count, step);
        break;
    case PST_ADAM:
        pst_kernel_adam(parameters, first, optimiser->second + at, gradient, count, step);
        break;
    }
}

/* So many parameters are worth a thread. */
#define PIECE 16384

struct all {
    const struct pst_optimiser *optimiser;
    const struct pst_step *step;
    size_t at, count;
    const float *gradient;
};

static void update_piece(const void *context, size_t piece)
{
    const struct all *all = context;
    size_t from = piece * PIECE, rest = all->count - from;
    update_some(all->optimiser, all->step, all->at + from, rest < PIECE ? rest : PIECE, all->gradient + from);
}

static void update(const struct pst_optimiser *optimiser, struct pst_team *team, const struct pst_step *step,
                   size_t at, size_t count, const float *gradient)
{
    const struct all all = { optimiser, step, at, count, gradient };
    pst_parallel(team, (count + PIECE - 1) / PIECE, update_piece, &all);
}

/* Some rows of a tensor that is learned, by the threads of a team. */
static void take_rows(const struct pst_optimiser *optimiser, struct pst_team *team,
                      const struct pst_parameter *tensor, size_t from, size_t count, const float *gradient)
{
    const struct pst_optimiser_settings *settings = &optimiser->settings;
    const struct pst_step step = current_step(optimiser, tensor->decays ? settings->weight_decay : 0);
    if (settings->max_norm <= 0 || !tensor->limited) {
        update(optimiser, team, &step, tensor->at + from, count, gradient);
        return;
    }
    size_t row = pst_parameter_row(tensor), first = tensor->at + from;
    for (size_t at = 0; at < count; at += row) {
        update(optimiser, team, &step, first + at, row, gradient + at);
        pst_kernel_limit_norm(optimiser->network->parameters + first + at, row, settings->max_norm);
    }
}

void pst_optimiser_take(void *context, const struct pst_parameter *tensor, const float *gradient)
{
    const struct pst_optimiser *optimiser = context;
    float *values = optimiser->network->parameters + tensor->at;
    if (tensor->at < optimiser->settings.first)
        return;
    if (tensor->follows > 0)
        pst_kernel_follow(values, gradient, tensor->count, tensor->follows);
    else
        take_rows(optimiser, optimiser->team, tensor, 0, tensor->count, gradient);
}

static void take_some(void *context, const struct pst_parameter *tensor, size_t from, size_t count,
                      const float *gradient)
{
    const struct pst_optimiser *optimiser = context;
    if (tensor->at >= optimiser->settings.first)
        take_rows(optimiser, NULL, tensor, from, count, gradient);
}

static const float *changed_by(void *context, size_t i)
{
    const struct pst_optimiser *optimiser = context;
    const float *const vectors[] = { optimiser->network->parameters, optimiser->first, optimiser->second };
    return i < sizeof vectors / sizeof *vectors ? vectors[i] : NULL;
}

const struct pst_rows_taker pst_optimiser_rows = { take_some, changed_by };

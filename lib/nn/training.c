/* A training step: it calls the parts of this room in order. */
#include "pipestill/training.h"

#include "lib/nn/kernels.h"
#include "lib/nn/matches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum pst_status pst_training_begin(struct pst_training *training, struct pst_error *error)
{
    if (training->clip > 0) {
        training->gradient = pst_allocate(training->network.parameter_count, sizeof(float), error);
        if (training->gradient == NULL)
            return PST_TRY_AGAIN;
    }
    if (training->ema > 0) {
        training->average = pst_allocate(training->network.parameter_count, sizeof(float), error);
        if (training->average == NULL)
            return PST_TRY_AGAIN;
    }
    return pst_optimiser_new(&training->optimiser, &training->network, &training->optimiser_settings, error);
}

/* ---- memory of the loss -------------------------------------------------------------------------------- */

/* Threads that a pass may have. */
static size_t most_threads(const struct pst_training *training)
{
    return training->arithmetic.threads > 0 ? training->arithmetic.threads : pst_processors();
}

static size_t classes_of(const struct pst_training *training)
{
    return training->given_classes > 0 ? training->given_classes : pst_network_outputs(&training->network);
}

/* Bytes of the loss's scratch; 0 if no term needs any. */
static size_t loss_memory(const struct pst_training *training)
{
    size_t count = 0, bytes;
    for (size_t k = 0; k < training->loss.count; k++)
        if (training->loss.terms[k].from_logits)
            count = 2 * most_threads(training);
    return pst_multiply(classes_of(training), count * sizeof(double), &bytes) ? bytes : SIZE_MAX;
}

static bool make_scratch(struct pst_training *training, struct pst_error *error)
{
    size_t bytes = loss_memory(training);
    free(training->scratch);
    training->scratch = bytes == 0 ? NULL : pst_allocate(bytes, 1, error);
    return bytes == 0 || training->scratch != NULL;
}

size_t pst_training_memory(const struct pst_training *training, size_t n)
{
    size_t vectors = (training->optimiser_settings.kind == PST_ADAM ? 3U : 2U) +
                     (training->clip > 0 ? 1U : 0U) + (training->ema > 0 ? 1U : 0U),
           bytes, given, all;
    if (!pst_multiply(training->network.parameter_count, vectors * sizeof(float), &bytes) ||
        !pst_multiply(n, 2 * training->given_classes * sizeof(float), &given) ||
        __builtin_add_overflow(bytes, given, &bytes) ||
        __builtin_add_overflow(bytes, loss_memory(training), &bytes) ||
        __builtin_add_overflow(bytes, pst_network_memory(&training->network, n, true), &all) ||
        __builtin_add_overflow(all, pst_matches_memory(training, n), &all))
        return SIZE_MAX;
    return all;
}

/* ---- a class whose logit is given --------------------------------------------------------------------- */

/* Makes room for n samples. Returns false, with an error, if memory is short. */
static bool make_given(struct pst_training *training, size_t n, struct pst_error *error)
{
    free(training->given);
    training->given = NULL;
    if (training->given_classes == 0)
        return true;
    training->given = pst_allocate(n, 2 * training->given_classes * sizeof(float), error);
    return training->given != NULL;
}

/* Computes the loss of some outputs with the given logit behind them. The network receives the gradient of
 * these outputs; that of all others is 0. */
static void compute_given(const struct pst_training *training, const struct pst_loss_targets *targets,
                          size_t n, struct pst_loss_sums *sums)
{
    size_t outputs = pst_network_outputs(&training->network), classes = training->given_classes;
    const uint32_t *places = training->given_outputs;
    const float *logits = pst_workspace_logits(training->workspace);
    float *own = pst_workspace_logits_gradient(training->workspace);
    float *given = training->given, *gradient = given + n * classes;
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k + 1 < classes; k++)
            given[i * classes + k] = logits[i * outputs + places[k]];
        given[i * classes + classes - 1] = targets->given[i * classes + classes - 1];
    }
    pst_loss_compute(&training->loss, targets, given, n, classes, gradient, sums);
    memset(own, 0, n * outputs * sizeof *own);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k + 1 < classes; k++)
            own[i * outputs + places[k]] = gradient[i * classes + k];
}

float *pst_training_input(struct pst_training *training, size_t n, struct pst_error *error)
{
    if (n > training->room) {
        pst_workspace_free(training->workspace);
        training->workspace = NULL;
        training->room = 0;
        if (pst_workspace_new(&training->workspace, &training->network, n, true, &training->arithmetic,
                              error) != PST_OK ||
            pst_matches_make_room(training, n, error) != PST_OK)
            return NULL;
        if (!make_given(training, n, error) || !make_scratch(training, error))
            return NULL;
        training->room = n;
    }
    return pst_workspace_input(training->workspace);
}

enum pst_status pst_training_check(const struct pst_training *training, struct pst_error *error)
{
    enum pst_status status = pst_workspace_check(training->workspace, error);
    for (size_t m = 0; m < training->match_count && status == PST_OK; m++)
        if (training->matches[m].workspace != NULL)
            status = pst_workspace_check(training->matches[m].workspace, error);
    return status;
}

/* ---- clipping ---------------------------------------------------------------------------------------- */

static void keep(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    struct pst_training *training = context;
    memcpy(training->gradient + parameter->at, gradient, parameter->count * sizeof *gradient);
}

/* The factor for all gradients. Statistics do not count, because what they follow is not a gradient; nor do
 * parameters that stay as they are. */
static float clip_scale(const struct pst_training *training)
{
    double square = pst_matches_squares(training);
    for (size_t t = 0; t < training->network.tensor_count; t++) {
        const struct pst_parameter *tensor = training->network.tensors[t];
        if (tensor->follows == 0 && tensor->at >= training->optimiser_settings.first)
            square += pst_kernel_squares(training->gradient + tensor->at, tensor->count, 0);
    }
    return square > training->clip * training->clip ? (float)(training->clip / sqrt(square)) : 1;
}

/* The way back with all gradients at hand before the first step. */
static void backward_clipped(struct pst_training *training, size_t n)
{
    pst_backward(&training->network, training->workspace, n, keep, training);
    float scale = clip_scale(training);
    pst_matches_step(training, scale);
    for (size_t t = training->network.tensor_count; t-- > 0;) {
        const struct pst_parameter *tensor = training->network.tensors[t];
        float *gradient = training->gradient + tensor->at;
        for (size_t i = 0; tensor->follows == 0 && scale < 1 && i < tensor->count; i++)
            gradient[i] *= scale;
        pst_optimiser_take(&training->optimiser, tensor, gradient);
    }
}

/* ---- average ----------------------------------------------------------------------------------------- */

/*
 * Adds the weights after step k to the average, with a share of (1 - d) / (1 - d^k). So the shares of all
 * steps sum to 1 from the first one on, as with Adam's means, and the initial weights have no share.
 */
static void average_step(struct pst_training *training)
{
    double rest = 1 - pow(training->ema, (double)training->optimiser.step);
    pst_kernel_follow(training->average, training->network.parameters, training->network.parameter_count,
                      (float)((1 - training->ema) / rest));
}

const float *pst_training_result(const struct pst_training *training)
{
    return training->average != NULL ? training->average : training->network.parameters;
}

/* ---- steps ------------------------------------------------------------------------------------------- */

/* Begins a step of the optimiser with what the schedule says. */
static void begin_step(struct pst_training *training, double position)
{
    const struct pst_schedule *schedule = &training->schedule;
    double momentum = pst_schedule_momentum(schedule, training->optimiser_settings.momentum, position);
    double rate = pst_schedule_rate(schedule, position);
    pst_optimiser_begin(&training->optimiser, schedule->by_momentum ? rate * (1 - momentum) : rate, momentum);
}

void pst_training_step(struct pst_training *training, size_t n, const struct pst_loss_targets *targets,
                       const uint64_t *ids, uint64_t epoch, double position, struct pst_loss_sums *sums)
{
    struct pst_workspace *workspace = training->workspace;
    struct pst_loss_targets all = *targets;
    pst_forward_training(&training->network, workspace, n, &training->dropout, epoch, ids);
    all.team = pst_workspace_team(workspace);
    all.scratch = training->scratch;
    pst_matches_forward(training, n, &all);
    if (training->given_classes > 0)
        compute_given(training, &all, n, sums);
    else
        pst_loss_compute(&training->loss, &all, pst_workspace_logits(workspace), n,
                         pst_network_outputs(&training->network), pst_workspace_logits_gradient(workspace),
                         sums);
    if (!isfinite(sums->total))
        return;
    training->optimiser.team = pst_workspace_team(workspace);
    begin_step(training, position);
    pst_matches_backward(training, n);
    if (training->clip > 0)
        backward_clipped(training, n);
    else
        pst_backward_by_rows(&training->network, workspace, n, pst_optimiser_take, &pst_optimiser_rows,
                             &training->optimiser);
    if (training->ema > 0)
        average_step(training);
}

void pst_training_free(struct pst_training *training)
{
    pst_matches_free(training);
    pst_workspace_free(training->workspace);
    free(training->gradient);
    free(training->average);
    free(training->given_outputs);
    free(training->given);
    free(training->scratch);
    pst_optimiser_free(&training->optimiser);
    pst_network_free(&training->network);
    *training = (struct pst_training){ 0 };
}

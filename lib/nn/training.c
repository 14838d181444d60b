/* A training step: what the rest of this room does, in order. */
#include "pipestill/nn.h"

#include "lib/nn/kernels.h"

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
    return pst_optimiser_new(&training->optimiser, &training->network, &training->optimiser_settings, error);
}

size_t pst_training_memory(const struct pst_training *training, size_t n)
{
    size_t vectors =
               (training->optimiser_settings.kind == PST_ADAM ? 3U : 2U) + (training->clip > 0 ? 1U : 0U),
           bytes, all;
    if (!pst_multiply(training->network.parameter_count, vectors * sizeof(float), &bytes) ||
        __builtin_add_overflow(bytes, pst_network_memory(&training->network, n, true), &all))
        return SIZE_MAX;
    return all;
}

float *pst_training_input(struct pst_training *training, size_t n, struct pst_error *error)
{
    if (n > training->room) {
        pst_workspace_free(training->workspace);
        training->workspace = NULL;
        training->room = 0;
        if (pst_workspace_new(&training->workspace, &training->network, n, true, error) != PST_OK)
            return NULL;
        training->room = n;
    }
    return pst_workspace_input(training->workspace);
}

/* ---- clipping ---------------------------------------------------------------------------------------- */

static void keep(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    struct pst_training *training = context;
    memcpy(training->gradient + parameter->at, gradient, parameter->count * sizeof *gradient);
}

/* What all gradients are multiplied by. What a statistic is given is no gradient. */
static float clip_scale(const struct pst_training *training)
{
    double square = 0;
    for (size_t t = 0; t < training->network.tensor_count; t++) {
        const struct pst_parameter *tensor = training->network.tensors[t];
        if (tensor->follows == 0)
            square += pst_kernel_squares(training->gradient + tensor->at, tensor->count, 0);
    }
    return square > training->clip * training->clip ? (float)(training->clip / sqrt(square)) : 1;
}

/* The way back with all gradients at hand before the first step. */
static void backward_clipped(struct pst_training *training, size_t n)
{
    pst_backward(&training->network, training->workspace, n, keep, training);
    float scale = clip_scale(training);
    for (size_t t = training->network.tensor_count; t-- > 0;) {
        const struct pst_parameter *tensor = training->network.tensors[t];
        float *gradient = training->gradient + tensor->at;
        for (size_t i = 0; tensor->follows == 0 && scale < 1 && i < tensor->count; i++)
            gradient[i] *= scale;
        pst_optimiser_take(&training->optimiser, tensor, gradient);
    }
}

/* ---- steps ------------------------------------------------------------------------------------------- */

void pst_training_step(struct pst_training *training, size_t n, const struct pst_loss_targets *targets,
                       const uint64_t *ids, uint64_t epoch, double position, struct pst_loss_sums *sums)
{
    struct pst_workspace *workspace = training->workspace;
    pst_forward_training(&training->network, workspace, n, &training->dropout, epoch, ids);
    pst_loss_compute(&training->loss, targets, pst_workspace_logits(workspace), n,
                     pst_network_outputs(&training->network), pst_workspace_logits_gradient(workspace), sums);
    if (!isfinite(sums->total))
        return;
    pst_optimiser_begin(&training->optimiser, pst_schedule_rate(&training->schedule, position));
    if (training->clip > 0)
        backward_clipped(training, n);
    else
        pst_backward(&training->network, workspace, n, pst_optimiser_take, &training->optimiser);
}

void pst_training_free(struct pst_training *training)
{
    pst_workspace_free(training->workspace);
    free(training->gradient);
    pst_optimiser_free(&training->optimiser);
    pst_network_free(&training->network);
    *training = (struct pst_training){ 0 };
}

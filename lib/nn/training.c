/* A training step: what the rest of this room does, in order. */
#include "pipestill/nn.h"

#include <math.h>

enum pst_status pst_training_begin(struct pst_training *training, struct pst_error *error)
{
    return pst_optimiser_new(&training->optimiser, &training->network, &training->optimiser_settings, error);
}

size_t pst_training_memory(const struct pst_training *training, size_t n)
{
    size_t vectors = training->optimiser_settings.kind == PST_ADAM ? 3 : 2, bytes, all;
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
    pst_backward(&training->network, workspace, n, pst_optimiser_take, &training->optimiser);
}

void pst_training_free(struct pst_training *training)
{
    pst_workspace_free(training->workspace);
    pst_optimiser_free(&training->optimiser);
    pst_network_free(&training->network);
    *training = (struct pst_training){ 0 };
}

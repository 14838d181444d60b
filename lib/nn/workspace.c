/* The memory of forward and backward passes: laid out once in one piece, so that a pass allocates nothing. */
#include "lib/nn/workspace.h"

#include <limits.h>
#include <stdlib.h>

#define FLOATS_ALIGNED (PST_ALIGNMENT / sizeof(float))

/* A piece of memory that is handed out from its start; with base NULL it only counts what would be needed. */
struct carving {
    float *base;
    size_t used;
    bool overflow;
};

static float *carve(struct carving *carving, size_t rows, size_t columns)
{
    size_t count, at = carving->used;
    if (!pst_multiply(rows, columns, &count) || count > SIZE_MAX - FLOATS_ALIGNED) {
        carving->overflow = true;
        return NULL;
    }
    count = (count + FLOATS_ALIGNED - 1) / FLOATS_ALIGNED * FLOATS_ALIGNED;
    carving->overflow |= __builtin_add_overflow(at, count, &carving->used);
    return carving->base == NULL ? NULL : carving->base + at;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What a pass for use needs: layers read and write two pieces of memory in turn. */
static void lay_out_for_use(struct pst_workspace *workspace, const struct pst_network *network, size_t most,
                            size_t widest_hidden, struct carving *carving)
{
    size_t hidden = network->layer_count - 1;
    float *turns[2];
    for (int i = 0; i < 2; i++)
        turns[i] = carve(carving, most, widest_hidden);
    for (size_t l = 0; l < hidden; l++)
        workspace->activation[l] = turns[l % 2];
}

/* What a training pass needs: every activation for the way back, and gradients. */
static void lay_out_for_training(struct pst_workspace *workspace, const struct pst_network *network,
                                 size_t most, size_t widest_hidden, struct carving *carving)
{
    size_t largest_weight = 0, widest_output = 0;
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct pst_layer *layer = &network->layers[l];
        if (l + 1 < network->layer_count)
            workspace->activation[l] = carve(carving, most, layer->outputs);
        largest_weight = larger(largest_weight, layer->inputs * layer->outputs);
        widest_output = larger(widest_output, layer->outputs);
    }
    workspace->logits_gradient = carve(carving, most, pst_network_outputs(network));
    for (int i = 0; i < 2; i++)
        workspace->hidden_gradient[i] = carve(carving, most, widest_hidden);
    workspace->weight_gradient = carve(carving, 1, largest_weight);
    workspace->bias_gradient = carve(carving, 1, widest_output);
}

static void lay_out(struct pst_workspace *workspace, const struct pst_network *network, size_t most,
                    bool training, struct carving *carving)
{
    size_t widest_hidden = 0;
    for (size_t l = 0; l + 1 < network->layer_count; l++)
        widest_hidden = larger(widest_hidden, network->layers[l].outputs);
    workspace->input = carve(carving, most, pst_network_inputs(network));
    if (training)
        lay_out_for_training(workspace, network, most, widest_hidden, carving);
    else
        lay_out_for_use(workspace, network, most, widest_hidden, carving);
    workspace->logits = carve(carving, most, pst_network_outputs(network));
    workspace->activation[network->layer_count - 1] = workspace->logits;
}

enum pst_status pst_workspace_new(struct pst_workspace **workspace, const struct pst_network *network,
                                  size_t most, bool training, struct pst_error *error)
{
    *workspace = NULL;
    struct pst_workspace *made = pst_allocate(1, sizeof *made, error);
    if (made == NULL)
        return PST_TRY_AGAIN;
    struct carving carving = { 0 };
    lay_out(made, network, most, training, &carving);
    /* BLAS counts rows with an int. */
    if (carving.overflow || most > INT_MAX) {
        free(made);
        return pst_fail(error, PST_TRY_AGAIN, "a batch of %zu samples is too large for memory", most);
    }
    made->memory = pst_allocate(carving.used, sizeof(float), error);
    if (made->memory == NULL) {
        free(made);
        return PST_TRY_AGAIN;
    }
    carving = (struct carving){ .base = made->memory };
    lay_out(made, network, most, training, &carving);
    made->hidden_scale = 1;
    *workspace = made;
    return PST_OK;
}

void pst_workspace_free(struct pst_workspace *workspace)
{
    if (workspace != NULL)
        free(workspace->memory);
    free(workspace);
}

float *pst_workspace_input(struct pst_workspace *workspace)
{
    return workspace->input;
}

const float *pst_workspace_logits(const struct pst_workspace *workspace)
{
    return workspace->logits;
}

float *pst_workspace_logits_gradient(struct pst_workspace *workspace)
{
    return workspace->logits_gradient;
}

/* The memory of forward and backward passes, laid out once in one piece, and the passes of whole networks. */
#include "pipestill/nn.h"

#include "lib/nn/blas.h"
#include "lib/nn/kernels.h"
#include "lib/nn/passes.h"

#include <limits.h>
#include <stdlib.h>

/* Pointers lead into memory. */
struct pst_workspace {
    struct pst_pass pass;   /* the last one */
    float *input;           /* [room, inputs] */
    float *logits;          /* [room, outputs] */
    float *logits_gradient; /* [room, outputs]; NULL without training */
    float *gradients;       /* of one layer's parameters; NULL without training */
    float *scratch;         /* of one layer */
    float *chain;           /* [room, chain->memory] */
    void *memory;           /* owned */
};

/* A piece of memory that is handed out from its start; with base NULL it only counts what would be needed. */
struct carving {
    float *base;
    size_t used;
    bool overflow;
};

static float *carve(struct carving *carving, size_t rows, size_t columns)
{
    size_t count, at = carving->used;
    if (!pst_multiply(rows, columns, &count) || count > SIZE_MAX / 2) {
        carving->overflow = true;
        return NULL;
    }
    carving->overflow |= __builtin_add_overflow(at, pst_aligned(count), &carving->used);
    return carving->base == NULL ? NULL : carving->base + at;
}

static void lay_out(struct pst_workspace *workspace, const struct pst_network *network, bool training,
                    struct carving *carving)
{
    size_t room = workspace->pass.room, outputs = pst_network_outputs(network);
    workspace->input = carve(carving, room, pst_network_inputs(network));
    workspace->chain = carve(carving, room, network->chain.memory[training]);
    workspace->logits = carve(carving, room, outputs);
    workspace->scratch = carve(carving, 1, pst_chain_scratch(&network->chain, training));
    if (!training)
        return;
    workspace->logits_gradient = carve(carving, room, outputs);
    workspace->gradients = carve(carving, 1, pst_chain_gradient_count(&network->chain));
}

enum pst_status pst_workspace_new(struct pst_workspace **workspace, const struct pst_network *network,
                                  size_t most, bool training, struct pst_error *error)
{
    *workspace = NULL;
    struct pst_workspace *made = pst_allocate(1, sizeof *made, error);
    if (made == NULL)
        return PST_TRY_AGAIN;
    struct carving carving = { .overflow = most > INT_MAX }; /* BLAS counts rows with an int */
    made->pass.room = carving.overflow ? 0 : pst_aligned(most);
    lay_out(made, network, training, &carving);
    if (carving.overflow) {
        free(made);
        return pst_fail(error, PST_TRY_AGAIN, "a batch of %zu samples is too large for memory", most);
    }
    made->memory = pst_allocate(carving.used, sizeof(float), error);
    if (made->memory == NULL) {
        free(made);
        return PST_TRY_AGAIN;
    }
    carving = (struct carving){ .base = made->memory };
    lay_out(made, network, training, &carving);
    enum pst_status status = pst_blas_claim(error);
    if (status == PST_OK)
        *workspace = made;
    else
        pst_workspace_free(made);
    return status;
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

/* ---- passes ------------------------------------------------------------------------------------------ */

void pst_forward(const struct pst_network *network, struct pst_workspace *workspace, size_t n)
{
    workspace->pass = (struct pst_pass){
        .n = n, .room = workspace->pass.room, .parameters = network->parameters, .scratch = workspace->scratch
    };
    pst_chain_forward(&network->chain, &workspace->pass, workspace->input, workspace->logits,
                      workspace->chain);
}

void pst_forward_training(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          const struct pst_dropout *dropout, uint64_t epoch, const uint64_t *ids)
{
    struct pst_pass *pass = &workspace->pass;
    size_t inputs = pst_network_inputs(network);
    *pass = (struct pst_pass){ .n = n,
                               .room = pass->room,
                               .training = true,
                               .parameters = network->parameters,
                               .gradients = workspace->gradients,
                               .scratch = workspace->scratch,
                               .epoch = epoch,
                               .ids = ids };
    if (dropout != NULL)
        pass->dropout = *dropout;
    if (pass->dropout.input > 0) {
        struct pst_drop drop = pst_drop_start(pass->dropout.input, pass->dropout.seed, 0, epoch);
        for (size_t sample = 0; sample < n; sample++)
            pst_kernel_drop(workspace->input + sample * inputs, inputs, &drop, ids[sample]);
    }
    pst_chain_forward(&network->chain, pass, workspace->input, workspace->logits, workspace->chain);
}

void pst_backward(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                  pst_gradient_taker *take, void *context)
{
    workspace->pass.n = n;
    workspace->pass.take = take;
    workspace->pass.context = context;
    pst_chain_backward(&network->chain, &workspace->pass, workspace->input, workspace->logits,
                       workspace->logits_gradient, NULL, workspace->chain);
}

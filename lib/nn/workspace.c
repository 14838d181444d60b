/* The memory of forward and backward passes, laid out once in one piece, and the passes of whole networks. */
#include "pipestill/nn.h"

#include "lib/nn/channels.h"
#include "lib/nn/kernels.h"
#include "lib/nn/kernels/products.h"
#include "lib/nn/passes.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Pointers lead into memory. */
struct pst_workspace {
    struct pst_pass pass;   /* the last one */
    size_t piece;           /* samples that go through the network at a time */
    float *input;           /* [room, inputs] */
    float *moved;           /* those of a piece with the channels last; NULL if there is no difference */
    bool channels_last;     /* kernels and network can have it so */
    float *logits;          /* [room, outputs] */
    float *logits_gradient; /* [room, outputs]; NULL without training */
    float *gradients;       /* of one layer's parameters; NULL without training */
    float *scratch;         /* of one layer */
    float *chain;           /* [pass.room, chain->memory] */
    struct pst_kernels kernels;
    const struct pst_tap *taps; /* [tap_count]; borrowed */
    size_t tap_count;
    void *memory; /* owned */
};

/* Memory that is given out from its start. base NULL: only counts what is needed. */
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

/* most: samples of a batch. */
static void lay_out(struct pst_workspace *workspace, const struct pst_network *network, size_t most,
                    bool training, struct carving *carving)
{
    size_t room = pst_aligned(most), outputs = pst_network_outputs(network), at_once = workspace->pass.room;
    workspace->input = carve(carving, room, pst_network_inputs(network));
    if (pst_shape_moves(&network->chain.in))
        workspace->moved = carve(carving, at_once, pst_network_inputs(network));
    workspace->chain = carve(carving, at_once, network->chain.memory[training]);
    workspace->logits = carve(carving, room, outputs);
    workspace->scratch = carve(carving, 1, pst_chain_scratch(&network->chain, training));
    if (!training)
        return;
    workspace->logits_gradient = carve(carving, room, outputs);
    workspace->gradients = carve(carving, 1, pst_chain_gradient_count(&network->chain));
}

/* Maps between two layers of at most so many bytes stay in a cache of the processor's own. */
#define MAPS_AT_ONCE (1 << 20)
/* Fewer samples at once are not worth the calls. */
enum { FEWEST_AT_ONCE = 8 };

/* How many samples go through a network in use at a time: a power of two for each thread, if their maps would
 * leave the cache; all if there are none. */
static size_t piece_of(const struct pst_chain *chain, size_t most, const struct pst_arithmetic *arithmetic)
{
    size_t widest = 0, piece = FEWEST_AT_ONCE, threads = arithmetic->threads > 1 ? arithmetic->threads : 1;
    for (size_t i = 0; i < chain->count; i++) {
        size_t elements = pst_shape_elements(&chain->layers[i].out);
        if (pst_shape_moves(&chain->layers[i].out) && elements > widest)
            widest = elements;
    }
    if (widest == 0)
        return most;
    while (2 * piece <= MAPS_AT_ONCE / sizeof(float) / widest)
        piece *= 2;
    return piece * threads < most ? piece * threads : most;
}

/* Takes memory for batches of up to `most` samples. */
static enum pst_status take_memory(struct pst_workspace *workspace, const struct pst_network *network,
                                   size_t most, bool training, struct pst_error *error)
{
    struct carving carving = { .overflow = most > INT_MAX }; /* BLAS counts rows with an int */
    workspace->pass.room = carving.overflow ? 0 : pst_aligned(workspace->piece);
    if (!carving.overflow)
        lay_out(workspace, network, most, training, &carving);
    if (carving.overflow)
        return pst_fail(error, PST_TRY_AGAIN, "a batch of %zu samples is too large for memory", most);
    workspace->memory = pst_allocate(carving.used, sizeof(float), error);
    if (workspace->memory == NULL)
        return PST_TRY_AGAIN;
    carving = (struct carving){ .base = workspace->memory };
    lay_out(workspace, network, most, training, &carving);
    return PST_OK;
}

enum pst_status pst_workspace_new(struct pst_workspace **workspace, const struct pst_network *network,
                                  size_t most, bool training, const struct pst_arithmetic *arithmetic,
                                  struct pst_error *error)
{
    *workspace = NULL;
    struct pst_workspace *made = pst_allocate(1, sizeof *made, error);
    if (made == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_kernels_open(&made->kernels, arithmetic, error);
    made->channels_last = made->kernels.type != NULL && made->kernels.type->convolve != NULL &&
                          pst_chain_takes_channels_last(&network->chain) &&
                          !pst_shape_moves(&network->chain.out);
    made->piece = training || !made->channels_last ? most : piece_of(&network->chain, most, arithmetic);
    if (status == PST_OK)
        status = take_memory(made, network, most, training, error);
    if (status == PST_OK)
        *workspace = made;
    else
        pst_workspace_free(made);
    return status;
}

void pst_workspace_free(struct pst_workspace *workspace)
{
    if (workspace == NULL)
        return;
    pst_kernels_close(&workspace->kernels);
    free(workspace->memory);
    free(workspace);
}

enum pst_status pst_workspace_check(const struct pst_workspace *workspace, struct pst_error *error)
{
    if (workspace->kernels.status != PST_OK && error != NULL)
        *error = workspace->kernels.error;
    return workspace->kernels.status;
}

float *pst_workspace_input(struct pst_workspace *workspace)
{
    return workspace->input;
}

struct pst_team *pst_workspace_team(const struct pst_workspace *workspace)
{
    return workspace->kernels.team;
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

/* A pass's inputs in the order of channels that the first layer takes. */
static const float *moved_input(const struct pst_network *network, struct pst_workspace *workspace,
                                const float *inputs)
{
    if (!workspace->pass.channels_last || workspace->moved == NULL)
        return inputs;
    pst_channels_to_last(&network->chain.in, workspace->pass.n, inputs, workspace->moved);
    return workspace->moved;
}

/* Has the kernels go through as many of the first layers at once as they can. Returns how many; 0: none. */
static size_t use_at_once(const struct pst_network *network, struct pst_workspace *workspace,
                          const float *inputs, float *logits)
{
    const struct pst_pass *pass = &workspace->pass;
    struct pst_kernels *kernels = &workspace->kernels;
    const struct pst_chain *chain = &network->chain;
    if (kernels->type->plan == NULL || !kernels->arithmetic.constant || pass->tap_count > 0)
        return 0;
    size_t layers = kernels->type->plan(kernels, chain, pass, inputs);
    if (layers == 0)
        return 0;
    size_t at = chain->layers[layers - 1].out_at[false] * pass->room;
    kernels->type->run(kernels, inputs, layers == chain->count ? logits : workspace->chain + at);
    return layers;
}

/* Passes n samples of a batch. first: how many came before them. logits: receives those of the batch. */
static void forward_piece(const struct pst_network *network, struct pst_workspace *workspace, size_t first,
                          size_t n, float *logits)
{
    const float *inputs = workspace->input + first * pst_network_inputs(network);
    logits += first * pst_network_outputs(network);
    workspace->pass = (struct pst_pass){ .n = n,
                                         .first = first,
                                         .room = workspace->pass.room,
                                         .channels_last = workspace->channels_last,
                                         .parameters = network->parameters,
                                         .scratch = workspace->scratch,
                                         .kernels = &workspace->kernels,
                                         .taps = workspace->taps,
                                         .tap_count = workspace->tap_count };
    size_t done = use_at_once(network, workspace, inputs, logits);
    pst_chain_forward_from(&network->chain, &workspace->pass, done,
                           done > 0 ? NULL : moved_input(network, workspace, inputs), logits,
                           workspace->chain);
}

void pst_forward_to(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                    float *logits)
{
    size_t piece = workspace->piece;
    pst_kernels_begin(&workspace->kernels);
    for (size_t first = 0; first < n; first += piece)
        forward_piece(network, workspace, first, n - first < piece ? n - first : piece, logits);
}

void pst_forward(const struct pst_network *network, struct pst_workspace *workspace, size_t n)
{
    pst_forward_to(network, workspace, n, workspace->logits);
}

void pst_forward_training(const struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          const struct pst_dropout *dropout, uint64_t epoch, const uint64_t *ids)
{
    struct pst_pass *pass = &workspace->pass;
    size_t inputs = pst_network_inputs(network);
    pst_kernels_begin(&workspace->kernels);
    *pass = (struct pst_pass){ .n = n,
                               .room = pass->room,
                               .training = true,
                               /* Dropout is by units' numbers, which count with channels first. */
                               .channels_last =
                                   workspace->channels_last && !(dropout != NULL && dropout->hidden > 0),
                               .parameters = network->parameters,
                               .gradients = workspace->gradients,
                               .scratch = workspace->scratch,
                               .kernels = &workspace->kernels,
                               .taps = workspace->taps,
                               .tap_count = workspace->tap_count,
                               .epoch = epoch,
                               .ids = ids };
    if (dropout != NULL)
        pass->dropout = *dropout;
    if (pass->dropout.input > 0) {
        struct pst_drop drop = pst_drop_start(pass->dropout.input, pass->dropout.seed, 0, epoch);
        for (size_t sample = 0; sample < n; sample++)
            pst_kernel_drop(workspace->input + sample * inputs, inputs, &drop, ids[sample]);
    }
    pst_chain_forward(&network->chain, pass, moved_input(network, workspace, workspace->input),
                      workspace->logits, workspace->chain);
}

void pst_workspace_tap(struct pst_workspace *workspace, const struct pst_tap *taps, size_t count)
{
    workspace->taps = taps;
    workspace->tap_count = count;
}

void pst_backward_to_input(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                           pst_gradient_taker *take, void *context, float *input_gradient)
{
    bool moved = workspace->pass.channels_last && workspace->moved != NULL;
    workspace->pass.n = n;
    workspace->pass.take = take;
    workspace->pass.context = context;
    pst_chain_backward(&network->chain, &workspace->pass, moved ? workspace->moved : workspace->input,
                       workspace->logits, workspace->logits_gradient, input_gradient, workspace->chain);
    if (!moved || input_gradient == NULL)
        return;
    memcpy(workspace->moved, input_gradient, n * pst_network_inputs(network) * sizeof *input_gradient);
    pst_channels_to_first(&network->chain.in, n, workspace->moved, input_gradient);
}

void pst_backward(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                  pst_gradient_taker *take, void *context)
{
    pst_backward_to_input(network, workspace, n, take, context, NULL);
}

void pst_backward_by_rows(struct pst_network *network, struct pst_workspace *workspace, size_t n,
                          pst_gradient_taker *take, const struct pst_rows_taker *rows, void *context)
{
    workspace->pass.rows = rows;
    pst_backward(network, workspace, n, take, context);
    workspace->pass.rows = NULL;
}

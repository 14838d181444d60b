/*
 * Terms of a loss that compare a layer of the network with a hint: taps on these layers, and the projections
 * that make their outputs comparable. A projection is a network of one layer, which learns as the student
 * does.
 */
#include "lib/nn/matches.h"

#include "lib/nn/kernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool projects(const struct pst_match *match)
{
    return match->projection.parameter_count > 0;
}

static const struct pst_loss_term *term_of(const struct pst_training *training, const struct pst_match *match)
{
    return &training->loss.terms[match->term];
}

/* ---- making one -------------------------------------------------------------------------------------- */

static bool same_sides(const struct pst_shape *a, const struct pst_shape *b)
{
    bool same = a->rank == b->rank;
    for (size_t i = 1; same && i < a->rank; i++)
        same = a->size[i] == b->size[i];
    return same;
}

/* Checks that the layer can be compared with the hint: both maps of the same height and width, or, except
 * for attention, both rows. */
static enum pst_status check_shapes(const struct pst_loss_term *term, const struct pst_shape *own,
                                    const struct pst_shape *hint, struct pst_error *error)
{
    char gives[PST_SHAPE_TEXT], wants[PST_SHAPE_TEXT];
    bool maps = own->rank == 3;
    if (same_sides(own, hint) && (maps || (own->rank == 1 && term->type->projects)))
        return PST_OK;
    pst_shape_text(own, gives);
    pst_shape_text(hint, wants);
    if (own->rank == 3 && hint->rank == 3)
        return pst_fail(
            error, PST_BAD_DATA,
            "layer %s gives %s, and the hint '%s' is %s: heights and widths differ; choose a layer of "
            "the hint's height and width",
            term->layer, gives, term->tensor, wants);
    return pst_fail(error, PST_BAD_DATA, "layer %s gives %s, and the hint '%s' is %s: %s", term->layer, gives,
                    term->tensor, wants,
                    term->type->projects
                        ? "only maps of the same height and width, or two rows, can be compared"
                        : "attention is of maps, channels x height x width");
}

/* Makes the projection. Its random initial values do not depend on the network's. */
static enum pst_status make_projection(struct pst_match *match, const struct pst_training *training,
                                       const struct pst_shape *hint, uint64_t seed, struct pst_error *error)
{
    char from[PST_SHAPE_TEXT], words[2 * PST_SHAPE_TEXT + 16];
    snprintf(words, sizeof words, "%s-%s%zu", pst_shape_text(&match->layer->out, from),
             hint->rank == 3 ? "conv1x1:" : "", hint->size[0]);
    enum pst_status status = pst_network_new(&match->projection, words, error);
    if (status != PST_OK)
        return pst_fail_at(error, "the projection of layer %s", term_of(training, match)->layer);
    for (size_t t = 0; t < match->projection.tensor_count; t++)
        match->projection.tensors[t]->sequence += (match->term + 1) * PST_MAX_LAYERS;
    pst_network_initialise(&match->projection, seed);
    if (training->clip > 0) {
        match->kept = pst_allocate(match->projection.parameter_count, sizeof *match->kept, error);
        if (match->kept == NULL)
            return PST_TRY_AGAIN;
    }
    return pst_optimiser_new(&match->optimiser, &match->projection, &training->optimiser_settings, error);
}

static enum pst_status find_layer(struct pst_match *match, const struct pst_training *training,
                                  struct pst_error *error)
{
    const struct pst_chain *chain = &training->network.chain;
    const struct pst_loss_term *term = term_of(training, match);
    enum pst_status status = pst_chain_find(chain, term->layer, &match->layer, error);
    if (status != PST_OK)
        return pst_fail_at(error, "--loss %s", term->type->name);
    if (pst_chain_learns_by(chain, match->layer))
        return PST_OK;
    return pst_fail(
        error, PST_USAGE,
        "--loss %s: nothing up to layer %s learns, so its outputs stay as they are; choose a later one",
        term->type->name, term->layer);
}

enum pst_status pst_training_match(struct pst_training *training, size_t k, const struct pst_shape *hint,
                                   uint64_t seed, struct pst_error *error)
{
    struct pst_loss_term *term = &training->loss.terms[k];
    if (training->matches == NULL)
        training->matches = pst_allocate(PST_MAX_TERMS, sizeof *training->matches, error);
    if (training->matches == NULL)
        return PST_TRY_AGAIN;
    struct pst_match *match = &training->matches[training->match_count];
    *match = (struct pst_match){ .term = k, .hint = pst_shape_elements(hint) };
    enum pst_status status = find_layer(match, training, error);
    if (status == PST_OK)
        status = check_shapes(term, &match->layer->out, hint, error);
    if (status != PST_OK)
        return status;
    training->match_count++;
    term->maps[0] = match->layer->out.size[0];
    term->maps[1] = hint->size[0];
    return term->type->projects ? make_projection(match, training, hint, seed, error) : PST_OK;
}

/* ---- memory ------------------------------------------------------------------------------------------ */

/* Where a layer's outputs go if nothing projects them, and where their gradient is. */
static float *outputs_of(const struct pst_match *match)
{
    return projects(match) ? pst_workspace_input(match->workspace) : match->memory;
}

static float *gradient_of(const struct pst_match *match, size_t room)
{
    return projects(match) ? match->memory : match->memory + room * pst_shape_elements(&match->layer->out);
}

static size_t layer_memory(const struct pst_match *match, size_t n)
{
    size_t bytes;
    return pst_multiply(n, pst_shape_elements(&match->layer->out) * (projects(match) ? 1 : 2) * sizeof(float),
                        &bytes)
               ? bytes
               : SIZE_MAX;
}

static enum pst_status make_room(struct pst_match *match, size_t n, const struct pst_arithmetic *arithmetic,
                                 struct pst_error *error)
{
    pst_workspace_free(match->workspace);
    free(match->memory);
    match->workspace = NULL;
    match->memory = pst_allocate(layer_memory(match, n), 1, error);
    if (match->memory == NULL)
        return PST_TRY_AGAIN;
    return projects(match)
               ? pst_workspace_new(&match->workspace, &match->projection, n, true, arithmetic, error)
               : PST_OK;
}

enum pst_status pst_matches_make_room(struct pst_training *training, size_t n, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t m = 0; m < training->match_count && status == PST_OK; m++) {
        struct pst_match *match = &training->matches[m];
        status = make_room(match, n, &training->arithmetic, error);
        if (status != PST_OK)
            return status;
        bool learns = term_of(training, match)->weight > 0;
        training->taps[m] = (struct pst_tap){ .layer = match->layer,
                                              .outputs = outputs_of(match),
                                              .gradient = learns ? gradient_of(match, n) : NULL };
    }
    pst_workspace_tap(training->workspace, training->taps, training->match_count);
    return status;
}

static size_t add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

size_t pst_matches_memory(const struct pst_training *training, size_t n)
{
    size_t all = 0;
    for (size_t m = 0; m < training->match_count; m++) {
        const struct pst_match *match = &training->matches[m];
        size_t vectors = (match->optimiser.second != NULL ? 3U : 2U) + (match->kept != NULL ? 1U : 0U);
        all = add(all, layer_memory(match, n));
        if (projects(match))
            all = add(all, add(vectors * match->projection.parameter_count * sizeof(float),
                               pst_network_memory(&match->projection, n, true)));
    }
    return all;
}

/* ---- passes ------------------------------------------------------------------------------------------ */

void pst_matches_forward(struct pst_training *training, size_t n, struct pst_loss_targets *targets)
{
    for (size_t m = 0; m < training->match_count; m++) {
        struct pst_match *match = &training->matches[m];
        struct pst_loss_layer *layer = &targets->layers[match->term];
        *layer = (struct pst_loss_layer){ .outputs = outputs_of(match),
                                          .gradient = gradient_of(match, training->room),
                                          .count = pst_shape_elements(&match->layer->out),
                                          .hint = match->hint };
        if (!projects(match))
            continue;
        pst_forward_training(&match->projection, match->workspace, n, NULL, 0, NULL);
        layer->outputs = pst_workspace_logits(match->workspace);
        layer->gradient = pst_workspace_logits_gradient(match->workspace);
        layer->count = match->hint;
    }
}

static void keep(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    const struct pst_match *match = context;
    memcpy(match->kept + parameter->at, gradient, parameter->count * sizeof *gradient);
}

void pst_matches_backward(struct pst_training *training, size_t n)
{
    for (size_t m = 0; m < training->match_count; m++) {
        struct pst_match *match = &training->matches[m];
        if (!projects(match) || term_of(training, match)->weight <= 0)
            continue;
        pst_optimiser_begin(&match->optimiser, training->optimiser.rate, training->optimiser.momentum);
        bool clips = match->kept != NULL;
        pst_backward_to_input(&match->projection, match->workspace, n, clips ? keep : pst_optimiser_take,
                              clips ? (void *)match : &match->optimiser, gradient_of(match, training->room));
    }
}

double pst_matches_squares(const struct pst_training *training)
{
    double square = 0;
    for (size_t m = 0; m < training->match_count; m++)
        if (training->matches[m].kept != NULL)
            square += pst_kernel_squares(training->matches[m].kept,
                                         training->matches[m].projection.parameter_count, 0);
    return square;
}

void pst_matches_step(struct pst_training *training, float scale)
{
    for (size_t m = 0; m < training->match_count; m++) {
        struct pst_match *match = &training->matches[m];
        for (size_t i = 0; match->kept != NULL && scale < 1 && i < match->projection.parameter_count; i++)
            match->kept[i] *= scale;
        for (size_t t = match->projection.tensor_count; match->kept != NULL && t-- > 0;) {
            const struct pst_parameter *tensor = match->projection.tensors[t];
            if (term_of(training, match)->weight > 0)
                pst_optimiser_take(&match->optimiser, tensor, match->kept + tensor->at);
        }
    }
}

void pst_matches_free(struct pst_training *training)
{
    for (size_t m = 0; m < training->match_count; m++) {
        struct pst_match *match = &training->matches[m];
        pst_workspace_free(match->workspace);
        pst_optimiser_free(&match->optimiser);
        pst_network_free(&match->projection);
        free(match->memory);
        free(match->kept);
    }
    free(training->matches);
}

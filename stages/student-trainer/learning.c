/* Learning: batch by batch, epoch by epoch. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LITTLE_LOSS 0.05

bool parameters_are_finite(const struct trainer *trainer)
{
    const struct pst_network *network = &trainer->training.network;
    for (size_t i = 0; i < network->parameter_count; i++) {
        if (!isfinite(network->parameters[i]))
            return false;
    }
    return true;
}

enum pst_status diverged(struct trainer *trainer, struct pst_error *error)
{
    trainer->state.spoiled = true;
    return pst_fail(error, PST_BAD_DATA,
                    "the run has diverged; use a smaller --learning-rate than %g, or --warm-up",
                    trainer->training.schedule.rate);
}

/*
 * Checks the mean loss of a batch, divided by the weights of samples. With ReLU and a rate far too large it
 * may stay finite: all hidden units become 0, and the loss stays as high as the biases make it. A run that
 * learns never has a loss a thousand times the first one (or, if that was below 1, a thousand).
 */
static enum pst_status check_loss(struct trainer *trainer, const struct pst_loss_sums *sums,
                                  struct pst_error *error)
{
    struct state *state = &trainer->state;
    double loss = sums->total / sums->weight;
    if (sums->weight == 0)
        return PST_OK;
    if (state->first_loss == 0)
        state->first_loss = loss;
    if (isfinite(loss) && loss <= 1000 * fmax(state->first_loss, 1))
        return PST_OK;
    diverged(trainer, error);
    return pst_fail_at(error, "the loss is %.3g, after %.3g in the first batch", loss, state->first_loss);
}

/* Validates, keeps the best parameters, and decides whether to stop. */
static enum pst_status validate_epoch(struct pst_run *run, json_t *event, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct settings *settings = &trainer->settings;
    struct state *state = &trainer->state;
    double errors, loss;
    enum pst_status status = validate(trainer, &errors, &loss, error);
    if (status != PST_OK)
        return status;
    double value = settings->validate_by == 0 ? errors : loss;
    if (!state->has_best || value < state->best_value) {
        state->has_best = true;
        state->best_value = value;
        state->best_epoch = state->epoch;
        state->epochs_since_best = 0;
        memcpy(trainer->best_parameters, pst_training_result(&trainer->training),
               trainer->training.network.parameter_count * sizeof(float));
    } else
        state->epochs_since_best++;
    state->stopped = settings->patience > 0 && state->epochs_since_best >= settings->patience;
    json_object_set_new(event, "validation_errors", json_real(errors));
    json_object_set_new(event, "validation_loss", json_real(loss));
    pst_progress_note(run, "validation errors %g, best %g", errors, state->best_value);
    return PST_OK;
}

/* Warns if the mean loss of the first epoch is no better than that of its first batch. Not if the rate is
 * still in its warm-up, if the student began from a model, or if its loss is tiny. */
static void doubt_learning(struct pst_run *run, double loss)
{
    struct trainer *trainer = run->self;
    struct state *state = &trainer->state;
    bool too_early = state->next_seq < 10 || trainer->training.schedule.warm_up > 1;
    bool learned = trainer->settings.from_path != NULL || loss < LITTLE_LOSS;
    if (!too_early && !learned && loss > 0.98 * state->first_loss)
        pst_say(run,
                "in the first epoch the mean loss was %.4g, and %.4g in its first batch: hardly anything is "
                "learned; is the learning rate of %g right?",
                loss, state->first_loss, trainer->training.schedule.rate);
}

/* Adds the figures of the terms: hard_loss and soft_loss for the shorthands, TYPE:TENSOR for --loss. */
static void add_figures(const struct trainer *trainer, json_t *event)
{
    const struct state *state = &trainer->state;
    const struct pst_loss *loss = &trainer->training.loss;
    double n = (double)state->samples, halves[2] = { 0 };
    json_t *terms = json_object();
    for (size_t k = 0; k < loss->count; k++) {
        char name[PST_TARGET_NAME + PST_LAYER_NUMBER + 64];
        const char *layer = loss->terms[k].layer;
        snprintf(name, sizeof name, "%s:%s%s%s", loss->terms[k].type->name, loss->terms[k].tensor,
                 layer[0] != '\0' ? ",layer=" : "", layer);
        json_object_set_new(terms, name, json_real(state->sums.terms[k] / n));
        halves[strcmp(loss->terms[k].tensor, "y") != 0] = state->sums.terms[k] / n;
    }
    if (trainer->shorthand) {
        json_object_set_new(event, "hard_loss", json_real(halves[0]));
        json_object_set_new(event, "soft_loss", json_real(halves[1]));
    } else
        json_object_set(event, "terms", terms);
    json_decref(terms);
    if (trainer->stream.labels_index != PST_NONE)
        json_object_set_new(event, "error_share", json_real((double)state->sums.errors / n));
}

enum pst_status end_epoch(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct state *state = &trainer->state;
    if (state->epoch == 0)
        doubt_learning(run, state->sums.total / state->sums.weight);
    json_t *event = json_pack("{s:I, s:f}", "epoch", (json_int_t)state->epoch, "loss",
                              state->sums.total / (double)state->samples);
    add_figures(trainer, event);
    enum pst_status status = has_validation(trainer) ? validate_epoch(run, event, error) : PST_OK;
    pst_log(run, "epoch", event);
    state->epoch_open = false;
    state->samples = 0;
    state->sums = (struct pst_loss_sums){ 0 };
    if (status == PST_OK && trainer->settings.checkpoint_path != NULL)
        status = save_checkpoint(run, error);
    return status == PST_OK && state->stopped ? PST_END : status;
}

/* The samples' ids; in a stream without them, the places of the samples take their part. */
static const uint64_t *sample_ids(struct trainer *trainer, const struct pst_batch *batch,
                                  struct pst_error *error)
{
    if (trainer->stream.id_index != PST_NONE)
        return batch->tensors[trainer->stream.id_index].data;
    if (batch->n > trainer->made_up_room) {
        free(trainer->made_up_ids);
        trainer->made_up_ids = pst_allocate(batch->n, sizeof *trainer->made_up_ids, error);
        trainer->made_up_room = trainer->made_up_ids == NULL ? 0 : batch->n;
    }
    for (size_t i = 0; i < trainer->made_up_room && i < batch->n; i++)
        trainer->made_up_ids[i] = batch->seq << 32 | i;
    return trainer->made_up_ids;
}

/* How many epochs have passed before this batch, with their fraction: a function of its number only. */
static double position(const struct trainer *trainer, const struct pst_batch *batch)
{
    const struct stream *stream = &trainer->stream;
    return stream->batches > 0 && stream->epochs > 0 ? (double)batch->seq * stream->epochs / stream->batches
                                                     : (double)batch->epoch;
}

static void add_sums(struct pst_loss_sums *all, const struct pst_loss_sums *sums)
{
    all->total += sums->total;
    all->weight += sums->weight;
    all->errors += sums->errors;
    for (size_t k = 0; k < PST_MAX_TERMS; k++)
        all->terms[k] += sums->terms[k];
}

/* Above this a network's need of memory is reported. */
#define MUCH_MEMORY ((size_t)1 << 30)

/* Checks, before a batch of a new size, that there is memory for it. The kernel may promise memory that it
 * does not have, and would then kill the run later. */
static enum pst_status check_training_memory(struct pst_run *run, size_t n, struct pst_error *error)
{
    const struct trainer *trainer = run->self;
    const struct pst_training *training = &trainer->training;
    if (n <= training->room)
        return PST_OK;
    size_t needed = pst_training_memory(training, n), there = pst_training_memory(training, training->room);
    size_t more = training->room > 0 ? needed - there : needed, left = pst_free_memory();
    char takes[16], is_left[16];
    struct pst_layer_counts counts;
    pst_bytes_text(needed, takes, sizeof takes);
    if (more > left)
        return pst_fail(
            error, PST_TRY_AGAIN,
            "the network takes %s of memory for batches of %zu samples, and %s are free; use smaller "
            "batches (loader --batch), or a smaller network",
            takes, n, pst_bytes_text(left, is_left, sizeof is_left));
    if (needed >= MUCH_MEMORY)
        pst_say(run, "the network takes %s of memory for batches of %zu samples", takes, n);
    pst_network_count(&training->network, &counts);
    pst_log(run, "network",
            json_pack("{s:I, s:I, s:f, s:I, s:I, s:o*}", "parameters", (json_int_t)counts.parameters,
                      "statistics", (json_int_t)counts.statistics, "multiply_adds", counts.multiply_adds,
                      "samples", (json_int_t)n, "memory", (json_int_t)needed, "ema",
                      training->ema > 0 ? json_real(training->ema) : NULL));
    return PST_OK;
}

static enum pst_status learn(struct pst_run *run, const struct pst_batch *batch, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct pst_loss_targets targets;
    if (check_training_memory(run, batch->n, error) != PST_OK)
        return PST_TRY_AGAIN;
    float *inputs = pst_training_input(&trainer->training, batch->n, error);
    const uint64_t *ids = sample_ids(trainer, batch, error);
    if (inputs == NULL || ids == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_fill_inputs(&trainer->stream.binding, batch, inputs, error);
    if (status == PST_OK)
        status = read_targets(trainer, batch, &targets, error);
    if (status != PST_OK)
        return status;
    struct pst_loss_sums sums;
    pst_training_step(&trainer->training, batch->n, &targets, ids, batch->epoch, position(trainer, batch),
                      &sums);
    status = pst_training_check(&trainer->training, error);
    trainer->state.spoiled |= status != PST_OK; /* the step was made with wrong numbers */
    if (status == PST_OK)
        status = check_loss(trainer, &sums, error);
    if (status != PST_OK)
        return status;
    add_sums(&trainer->state.sums, &sums);
    trainer->state.samples += batch->n;
    return PST_OK;
}

enum pst_status take_batch(struct pst_run *run, const struct pst_batch *batch, struct pst_batch *out,
                           struct pst_error *error)
{
    (void)out;
    struct trainer *trainer = run->self;
    struct state *state = &trainer->state;
    if (state->stopped)
        return PST_END;
    if (batch->seq < state->next_seq)
        return PST_OK; /* learned before the run was interrupted */
    enum pst_status status = PST_OK;
    if (state->epoch_open && batch->epoch != state->epoch)
        status = end_epoch(run, error);
    if (status != PST_OK)
        return status;
    state->epoch = batch->epoch;
    state->epoch_open = true;
    status = learn(run, batch, error);
    if (status != PST_OK)
        return status;
    state->next_seq = batch->seq + 1;
    if (!has_validation(trainer))
        pst_progress_note(run, "loss %.4f", state->sums.total / (double)state->samples);
    if (trainer->settings.checkpoint_every > 0 && state->next_seq % trainer->settings.checkpoint_every == 0)
        return save_checkpoint(run, error);
    return PST_OK;
}

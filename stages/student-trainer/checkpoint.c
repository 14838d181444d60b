/* Checkpoints of student-trainer: its state as strings beside the vectors that lib/nn writes. */
#include "stages/student-trainer/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the sums of the terms are called. */
static const char term_names[PST_MAX_TERMS][8] = { "term0", "term1", "term2", "term3",
                                                   "term4", "term5", "term6", "term7" };

static void put_number(json_t *object, const char *name, uint64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    json_object_set_new(object, name, json_string(text));
}

/* Hexadecimal, so that not a bit is lost. */
static void put_real(json_t *object, const char *name, double number)
{
    char text[40];
    pst_print_plain(text, sizeof text, "%a", number);
    json_object_set_new(object, name, json_string(text));
}

enum pst_status check_checkpoint(const struct settings *settings, struct pst_error *error)
{
    const char *path = settings->checkpoint_path;
    if (path == NULL || settings->resume) /* load_checkpoint says what it cannot read */
        return PST_OK;
    enum pst_checkpoint_place place = pst_checkpoint_look(path);
    if (place == PST_CHECKPOINT_OTHER)
        return pst_fail(error, PST_USAGE,
                        "--checkpoint %s: is there already, and is not a checkpoint; name another file",
                        path);
    if (place == PST_CHECKPOINT_THERE && !settings->restart)
        return pst_fail(error, PST_USAGE,
                        "--checkpoint %s: is there already; --resume takes it up, --restart discards it",
                        path);
    return PST_OK;
}

void discard_checkpoint(const struct trainer *trainer)
{
    const char *path = trainer->settings.checkpoint_path;
    if (pst_checkpoint_look(path) == PST_CHECKPOINT_THERE)
        remove(path);
}

enum pst_status save_checkpoint(struct pst_run *run, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct state *state = &trainer->state;
    if (!parameters_are_finite(trainer))
        return diverged(trainer, error);
    if (pst_checkpoint_look(trainer->settings.checkpoint_path) == PST_CHECKPOINT_OTHER)
        return pst_fail(error, PST_IO_ERROR,
                        "%s: is not the checkpoint any more, but another file; it is left as it is",
                        trainer->settings.checkpoint_path);
    char *options_text = pst_settings_text(run);
    json_t *object = json_pack("{s:s*, s:s, s:s*}", "settings", options_text, "stream",
                               trainer->stream.description, "lineage", trainer->stream.lineage);
    free(options_text);
    if (object == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a checkpoint");
    put_number(object, "next_seq", state->next_seq);
    put_number(object, "epoch", state->epoch);
    put_number(object, "epoch_open", state->epoch_open);
    put_number(object, "samples", state->samples);
    put_number(object, "errors", state->sums.errors);
    put_number(object, "best_epoch", state->best_epoch);
    put_number(object, "epochs_since_best", state->epochs_since_best);
    put_number(object, "has_best", state->has_best);
    put_number(object, "stopped", state->stopped);
    put_real(object, "total", state->sums.total);
    put_real(object, "weight", state->sums.weight);
    for (size_t k = 0; k < trainer->training.loss.count; k++)
        put_real(object, term_names[k], state->sums.terms[k]);
    put_real(object, "best_value", state->best_value);
    put_real(object, "first_loss", state->first_loss);
    enum pst_status status = pst_checkpoint_write(trainer->settings.checkpoint_path, &trainer->training,
                                                  trainer->best_parameters, object, error);
    json_decref(object);
    state->saved = state->saved || status == PST_OK;
    return status;
}

static uint64_t get_number(const json_t *object, const char *name)
{
    uint64_t number = 0;
    return pst_parse_u64(json_string_value(json_object_get(object, name)), 0, UINT64_MAX, &number) ? number
                                                                                                   : 0;
}

static double get_real(const json_t *object, const char *name)
{
    double number = 0;
    return pst_parse_real(json_string_value(json_object_get(object, name)), &number) ? number : 0;
}

static void take_state(struct trainer *trainer, const json_t *object)
{
    struct state *state = &trainer->state;
    state->next_seq = get_number(object, "next_seq");
    state->epoch = get_number(object, "epoch");
    state->epoch_open = get_number(object, "epoch_open") != 0;
    state->samples = get_number(object, "samples");
    state->sums.errors = get_number(object, "errors");
    state->best_epoch = get_number(object, "best_epoch");
    state->epochs_since_best = get_number(object, "epochs_since_best");
    state->has_best = get_number(object, "has_best") != 0;
    state->stopped = get_number(object, "stopped") != 0;
    state->sums.total = get_real(object, "total");
    state->sums.weight = get_real(object, "weight");
    for (size_t k = 0; k < trainer->training.loss.count; k++)
        state->sums.terms[k] = get_real(object, term_names[k]);
    state->best_value = get_real(object, "best_value");
    state->first_loss = get_real(object, "first_loss");
}

static enum pst_status start_anew(struct pst_run *run, const struct pst_header *header,
                                  struct pst_error *error)
{
    struct trainer *trainer = run->self;
    if (header->first != 0)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream begins at batch %" PRIu64 ", but there is no checkpoint %s to go on from",
                        header->first, trainer->settings.checkpoint_path);
    pst_say(run, "%s: there is no checkpoint yet; starting anew", trainer->settings.checkpoint_path);
    return PST_OK;
}

enum pst_status load_checkpoint(struct pst_run *run, const struct pst_header *header, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    const struct settings *settings = &trainer->settings;
    json_t *object = NULL;
    enum pst_status status = pst_checkpoint_read(settings->checkpoint_path, &trainer->training,
                                                 trainer->best_parameters, &object, error);
    if (status == PST_NO_INPUT && access(settings->checkpoint_path, F_OK) != 0 && errno == ENOENT)
        return start_anew(run, header, error);
    if (object == NULL)
        return status;
    /* Another network or optimiser comes of an option, too, which is the better thing to name. */
    enum pst_status same = check_resumed(run, object, error);
    status = same != PST_OK ? same : status;
    if (status == PST_OK)
        take_state(trainer, object);
    trainer->state.saved = status == PST_OK;
    if (status == PST_OK && header->first > trainer->state.next_seq)
        status = pst_fail(error, PST_BAD_DATA,
                          "the stream begins at batch %" PRIu64 ", but %s continues from batch %" PRIu64,
                          header->first, settings->checkpoint_path, trainer->state.next_seq);
    json_decref(object);
    return status;
}

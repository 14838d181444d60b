/* Checkpoints of student-trainer: its state as strings beside the vectors that lib/nn writes. */
#include "stages/student-trainer/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum pst_status check_checkpoint(const struct settings *settings, struct pst_error *error)
{
    const char *path = settings->checkpoint_path;
    if (path == NULL || settings->resume) /* load_checkpoint refuses what it cannot read */
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
    if (!parameters_are_finite(trainer))
        return diverged(trainer, error);
    if (pst_checkpoint_look(trainer->settings.checkpoint_path) == PST_CHECKPOINT_OTHER)
        return pst_fail(error, PST_IO_ERROR,
                        "%s: is not the checkpoint any more, but another file; it is left as it is",
                        trainer->settings.checkpoint_path);
    char *options_text = pst_settings_text(run);
    json_t *object = NULL;
    if (options_text != NULL)
        object = json_pack("{s:s, s:s, s:s*}", "settings", options_text, "stream",
                           trainer->stream.description, "lineage", trainer->stream.lineage);
    free(options_text);
    if (object == NULL || !state_to_json(&trainer->state, object)) {
        json_decref(object);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a checkpoint");
    }
    enum pst_status status = pst_checkpoint_write(trainer->settings.checkpoint_path, &trainer->training,
                                                  trainer->best_parameters, object, error);
    json_decref(object);
    trainer->state.saved = trainer->state.saved || status == PST_OK;
    return status;
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
    /* Another network or optimiser also comes from an option, and a message about the option is clearer. */
    enum pst_status same = check_resumed(run, object, error);
    status = same != PST_OK ? same : status;
    if (status == PST_OK)
        status = state_from_json(&trainer->state, object, settings->checkpoint_path, error);
    trainer->state.saved = status == PST_OK;
    if (status == PST_OK && header->first > trainer->state.next_seq)
        status = pst_fail(error, PST_BAD_DATA,
                          "the stream begins at batch %" PRIu64 ", but %s continues from batch %" PRIu64,
                          header->first, settings->checkpoint_path, trainer->state.next_seq);
    json_decref(object);
    return status;
}

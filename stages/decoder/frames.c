/* From batches to utterances. The frames of one come in order and together. */
#include "stages/decoder/decoder.h"

#include <inttypes.h>
#include <stdlib.h>

static const char *name_of(const struct decoder *decoder, size_t utterance)
{
    return decoder->corpus.utterances[utterance].name;
}

/* ---- the end of an utterance --------------------------------------------------------------------------- */

/* An alignment must have as many frames as the utterance, or it is one of other frames. */
static enum pst_status check_length(const struct decoder *decoder, const struct outcome *outcome,
                                    struct pst_error *error)
{
    size_t aligned = decoder->aligned.frames != NULL ? decoder->aligned.frames[outcome->utterance] : 0;
    if (aligned == 0 || aligned == outcome->frames)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA, "utterance %s has %zu frames in the stream, but %zu in %s",
                    name_of(decoder, outcome->utterance), outcome->frames, aligned, decoder->priors_path);
}

static enum pst_status finish(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    struct outcome *outcome = &decoder->outcomes[decoder->outcome_count - 1];
    enum pst_status status = check_length(decoder, outcome, error);
    if (status != PST_OK)
        return status;
    decoder->begun = false;
    if (decoder->tune != NULL) { /* all stay in memory */
        decoder->in_memory += outcome->frames;
        return PST_OK;
    }
    return decoder->align_path != NULL ? align(decoder, outcome, error) : recognise(decoder, outcome, error);
}

enum pst_status frames_end(struct pst_run *run, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    return decoder->begun ? finish(run, error) : PST_OK;
}

/* ---- its beginning and its frames ---------------------------------------------------------------------- */

static enum pst_status begin(struct decoder *decoder, size_t utterance, struct pst_error *error)
{
    if (decoder->outcome_count == decoder->outcome_room) {
        struct outcome *grown = pst_grown(decoder->outcomes, &decoder->outcome_room, decoder->outcome_count,
                                          sizeof *grown, error);
        if (grown == NULL)
            return PST_TRY_AGAIN;
        decoder->outcomes = grown;
    }
    decoder->outcomes[decoder->outcome_count++] =
        (struct outcome){ .utterance = utterance, .first = decoder->in_memory };
    decoder->came[utterance] = true;
    decoder->begun = true;
    return PST_OK;
}

/* last: the utterance that has begun, or NULL. */
static enum pst_status refuse_id(const struct decoder *decoder, const struct outcome *last, size_t sample,
                                 uint64_t id, struct pst_error *error)
{
    uint64_t utterance = id >> PST_FRAME_BITS, frame = id % PST_MAX_FRAMES;
    if (utterance >= decoder->corpus.count)
        return pst_fail(error, PST_BAD_DATA,
                        "sample %zu of the batch: its id %" PRIu64 " is of utterance %" PRIu64
                        ", but %s has %zu; is --corpus that of the stream?",
                        sample, id, utterance, decoder->corpus.folder, decoder->corpus.count);
    const char *name = name_of(decoder, utterance);
    if (last != NULL && last->utterance == utterance)
        return pst_fail(error, PST_BAD_DATA,
                        "utterance %s: frame %" PRIu64 " comes behind %zu frames, where frame %zu is due; "
                        "frames are needed in order and all of them, as loader --no-shuffle gives them",
                        name, frame, last->frames, last->frames);
    if (decoder->came[utterance])
        return pst_fail(error, PST_BAD_DATA,
                        "utterance %s: frame %" PRIu64 " comes after another utterance has followed; frames "
                        "are needed together, as loader --no-shuffle gives them, and once: --epochs 1",
                        name, frame);
    return pst_fail(error, PST_BAD_DATA,
                    "utterance %s begins with frame %" PRIu64
                    ", not with frame 0; frames are needed in order "
                    "and all of them, as loader --no-shuffle gives them",
                    name, frame);
}

/* Finds the utterance of a frame, and checks that the frame is the next one. */
static enum pst_status follow(struct pst_run *run, size_t sample, uint64_t id, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    uint64_t utterance = id >> PST_FRAME_BITS, frame = id % PST_MAX_FRAMES;
    const struct outcome *last = decoder->begun ? &decoder->outcomes[decoder->outcome_count - 1] : NULL;
    if (last != NULL && last->utterance == utterance)
        return frame == last->frames ? PST_OK : refuse_id(decoder, last, sample, id, error);
    if (utterance >= decoder->corpus.count || decoder->came[utterance] || frame != 0)
        return refuse_id(decoder, last, sample, id, error);
    enum pst_status status = last != NULL ? finish(run, error) : PST_OK;
    return status == PST_OK ? begin(decoder, utterance, error) : status;
}

enum pst_status frames_take(struct pst_run *run, const struct pst_batch *batch, struct pst_error *error)
{
    struct decoder *decoder = run->self;
    const uint64_t *ids = batch->tensors[decoder->id].data;
    for (size_t i = 0; i < batch->n; i++) {
        enum pst_status status = follow(run, i, ids[i], error);
        if (status != PST_OK)
            return status;
        struct outcome *outcome = &decoder->outcomes[decoder->outcome_count - 1];
        size_t at = outcome->first + outcome->frames++;
        if (decoder->of.index != PST_NONE)
            status = scores_take(&decoder->of, batch, i, at, error);
        if (status == PST_OK && decoder->against.index != PST_NONE)
            status = scores_take(&decoder->against, batch, i, at, error);
        if (status != PST_OK)
            return status;
    }
    return PST_OK;
}

/* What the stream is, as its header says: inputs, length, and a digest to know it again. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static enum pst_status settle_inputs(struct trainer *trainer, const struct pst_header *header,
                                     struct pst_error *error)
{
    struct stream *stream = &trainer->stream;
    size_t inputs = pst_network_inputs(&trainer->training.network);
    stream->x_index = pst_header_find(header, "x");
    if (stream->x_index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x'%s", pst_compact_advice(header));
    stream->x_spec = header->tensors[stream->x_index];
    if (pst_spec_elements(&stream->x_spec) != inputs)
        return pst_fail(error, PST_BAD_DATA,
                        "the network takes %zu inputs, but 'x' has %zu elements a sample", inputs,
                        pst_spec_elements(&stream->x_spec));
    stream->id_index = pst_header_find(header, "id");
    if (stream->x_spec.dtype == PST_DTYPE_U8) {
        trainer->training.network.input_scale = stream->x_spec.scale == 0 ? 1 : stream->x_spec.scale;
        trainer->training.network.input_offset = stream->x_spec.offset;
    }
    return PST_OK;
}

static enum pst_status settle_schedule(struct trainer *trainer, const struct pst_header *header,
                                       struct pst_error *error)
{
    struct stream *stream = &trainer->stream;
    stream->epochs = (double)header->epochs;
    stream->batches = (double)header->batches;
    trainer->training.schedule.epochs = stream->epochs;
    if (trainer->settings.schedule >= PST_LINEAR && (header->epochs == 0 || header->batches == 0))
        return pst_fail(error, PST_BAD_DATA,
                        "the stream does not say how long it is, which --schedule %s needs",
                        trainer->settings.schedule == PST_LINEAR ? "linear" : "cosine");
    return PST_OK;
}

/* A digest of what the stream is, whichever way and however often it comes. */
static enum pst_status digest_stream(struct trainer *trainer, const struct pst_header *header,
                                     struct pst_error *error)
{
    json_t *object = pst_header_to_json(header);
    if (object == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    json_object_del(object, "run");
    json_object_del(object, "first");
    json_object_del(object, "encoding");
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(object);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    pst_digest(text, strlen(text), trainer->stream.digest);
    free(text);
    return PST_OK;
}

enum pst_status settle_stream(struct pst_run *run, const struct pst_header *header, struct pst_error *error)
{
    struct trainer *trainer = run->self;
    enum pst_status status = settle_inputs(trainer, header, error);
    if (status == PST_OK)
        status = make_terms(run, header, error);
    if (status == PST_OK)
        status = settle_targets(run, header, error);
    if (status == PST_OK)
        status = settle_weights(trainer, header, error);
    if (status == PST_OK)
        status = check_history(trainer, header, error);
    if (status == PST_OK)
        status = settle_schedule(trainer, header, error);
    return status == PST_OK ? digest_stream(trainer, header, error) : status;
}

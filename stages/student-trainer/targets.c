/* What student-trainer learns from: inputs, labels, soft targets, as the stream's header has them. */
#include "stages/student-trainer/trainer.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The tensor that --soft-targets names, or the one that stands to reason; PST_NONE where there is none.
 */
static enum pst_status find_soft(struct trainer *trainer, const struct pst_header *header,
                                 struct pst_error *error)
{
    const struct settings *settings = &trainer->settings;
    const char *kind = settings->soft_loss == PST_SOFT_LOGITS ? "logits" : "soft";
    trainer->stream.soft_index =
        pst_header_find(header, settings->soft_name != NULL ? settings->soft_name : kind);
    if (trainer->stream.soft_index != PST_NONE)
        return PST_OK;
    if (settings->soft_name != NULL)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor '%s'", settings->soft_name);
    if (pst_header_find_all(header, kind, &trainer->stream.soft_index, 1) > 1)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream has several %s/NAME; average them first, or choose with "
                        "--soft-targets",
                        kind);
    return PST_OK;
}

static enum pst_status use_soft(struct trainer *trainer, const struct pst_header *header, size_t classes,
                                struct pst_error *error)
{
    const struct settings *settings = &trainer->settings;
    struct stream *stream = &trainer->stream;
    struct pst_training *training = &trainer->training;
    if (stream->soft_index == PST_NONE && pst_compact_is(header))
        return pst_fail(error, PST_BAD_DATA, "the stream has no soft targets%s", pst_compact_advice(header));
    if (stream->soft_index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no soft targets; is %s before this stage?",
                        settings->soft_loss == PST_SOFT_LOGITS ? "a teacher-forward" : "temperature-softmax");
    const struct pst_tensor_spec *spec = &header->tensors[stream->soft_index];
    if (spec->dtype != PST_DTYPE_F32 || spec->rank != 1 || spec->shape[0] != classes)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' is not f32 with %zu classes", spec->name, classes);
    if (settings->soft_loss != PST_SOFT_LOGITS && !(spec->temperature > 0))
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' does not say at which temperature it is",
                        spec->name);
    training->loss.soft = (enum pst_soft_loss)settings->soft_loss;
    training->loss.soft_weight = settings->soft_weight;
    training->loss.temperature = spec->temperature;
    return PST_OK;
}

/* Settles what is learned from. Labels are used for counting errors even where nothing is learned from them.
 */
static enum pst_status settle_targets(struct trainer *trainer, const struct pst_header *header,
                                      struct pst_error *error)
{
    struct settings *settings = &trainer->settings;
    struct pst_training *training = &trainer->training;
    size_t classes = pst_network_outputs(&training->network);
    enum pst_status status = find_soft(trainer, header, error);
    if (status != PST_OK && settings->targets != HARD)
        return status;
    if (settings->targets == AUTO) /* those of a compact stream are wanted, though they are not restored */
        settings->targets = trainer->stream.soft_index != PST_NONE || pst_compact_is(header) ? SOFT : HARD;
    if (settings->targets != HARD) {
        status = use_soft(trainer, header, classes, error);
        if (status != PST_OK)
            return status;
    }
    if (settings->targets != SOFT)
        training->loss.hard_weight = settings->hard_weight;
    if (training->loss.hard_weight + training->loss.soft_weight == 0)
        return pst_fail(error, PST_USAGE, "the weights of the targets are 0: there is nothing to learn from");
    if (pst_header_find(header, "y") == PST_NONE)
        return settings->targets == SOFT ? PST_OK
                                         : pst_fail(error, PST_BAD_DATA, "the stream has no labels 'y'");
    return pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &trainer->stream.y_index, error);
}

static enum pst_status settle_inputs(struct trainer *trainer, const struct pst_header *header,
                                     struct pst_error *error)
{
    struct stream *stream = &trainer->stream;
    size_t inputs = pst_network_inputs(&trainer->training.network),
           classes = pst_network_outputs(&trainer->training.network);
    stream->x_index = pst_header_find(header, "x");
    if (stream->x_index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "the stream has no inputs 'x'%s", pst_compact_advice(header));
    stream->x_spec = header->tensors[stream->x_index];
    if (pst_spec_elements(&stream->x_spec) != inputs)
        return pst_fail(error, PST_BAD_DATA,
                        "the network takes %zu inputs, but 'x' has %zu elements a sample", inputs,
                        pst_spec_elements(&stream->x_spec));
    if (header->classes != 0 && header->classes != classes)
        return pst_fail(error, PST_BAD_DATA,
                        "the network has %zu outputs, but the stream has %" PRIu64 " classes", classes,
                        header->classes);
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

enum pst_status settle_stream(struct trainer *trainer, const struct pst_header *header,
                              struct pst_error *error)
{
    enum pst_status status = settle_inputs(trainer, header, error);
    if (status == PST_OK)
        status = settle_targets(trainer, header, error);
    if (status == PST_OK)
        status = check_history(trainer, header, error);
    if (status == PST_OK)
        status = settle_schedule(trainer, header, error);
    return status == PST_OK ? digest_stream(trainer, header, error) : status;
}

enum pst_status check_labels(const struct trainer *trainer, const int32_t *labels, size_t n,
                             struct pst_error *error)
{
    size_t classes = pst_network_outputs(&trainer->training.network);
    for (size_t i = 0; i < n; i++) {
        if (labels[i] < 0 || (size_t)labels[i] >= classes)
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch: label %" PRId32 " is not one of %zu classes", i,
                            labels[i], classes);
    }
    return PST_OK;
}

/* Soft targets must be distributions: a row that is not would teach in silence. */
enum pst_status check_soft(const struct trainer *trainer, const float *rows, size_t n, size_t classes,
                           struct pst_error *error)
{
    const struct settings *settings = &trainer->settings;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        bool good = true;
        for (size_t c = 0; c < classes; c++) {
            float value = rows[i * classes + c];
            good = good && isfinite(value) && (settings->soft_loss == PST_SOFT_LOGITS || value >= 0);
            sum += (double)value;
        }
        if (!good || (settings->soft_loss != PST_SOFT_LOGITS && fabs(sum - 1) > 1e-3))
            return pst_fail(error, PST_BAD_DATA, "sample %zu of the batch: its soft targets are no %s", i,
                            settings->soft_loss == PST_SOFT_LOGITS ? "logits" : "distribution");
    }
    return PST_OK;
}

/* Predictions of a stream: which tensor holds them, their type, and the values made from them. */
#include "stages/stream-export/export.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_words[] = {
    [AS_CLASSES] = "classes", [AS_NUMBERS] = "numbers", [AS_BITS] = "bits"
};

bool predictions_are_in(const struct pst_header *header)
{
    bool logits, any = false;
    for (size_t i = 0; i < header->tensor_count; i++)
        any = any || pst_target_kind(header->tensors[i].name, &logits);
    return any;
}

/* The type of y. Without y the header's number of classes and its names decide. */
static enum prediction_type find_type(const struct export *export, const struct pst_header *header)
{
    const struct predictions *predictions = &export->predictions;
    size_t y = pst_header_find(header, "y");
    if (export->as != AS_STREAM_SAYS)
        return (enum prediction_type) export->as;
    if (y != PST_NONE && !pst_labels_are_mixed(header))
        return header->tensors[y].dtype == PST_DTYPE_F32  ? AS_NUMBERS
               : header->tensors[y].dtype == PST_DTYPE_U8 ? AS_BITS
                                                          : AS_CLASSES;
    if (!predictions->logits || header->classes > 0 || export->names.classes.count > 0)
        return AS_CLASSES;
    return export->names.outputs.count > 0 || predictions->outputs == 1 ? AS_NUMBERS : AS_CLASSES;
}

/* Checks that the header's classes are those of the predictions. */
static enum pst_status check_classes(const struct export *export, const struct pst_header *header,
                                     struct pst_error *error)
{
    const struct predictions *predictions = &export->predictions;
    size_t classes = predictions->outputs, named = export->names.classes.count;
    if (predictions->type != AS_CLASSES && !predictions->logits)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' holds probabilities of classes, but %s are predicted by %s",
                        predictions->spec.name, type_words[predictions->type], "logits or logits/NAME");
    if (predictions->type != AS_CLASSES)
        return PST_OK;
    if (header->classes != 0 && header->classes != classes)
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, but the stream has %llu",
                        predictions->spec.name, classes, (unsigned long long)header->classes);
    if (named != 0 && named != classes)
        return pst_fail(error, PST_BAD_DATA,
                        "'%s' has %zu classes, but the header's key 'class_names' names %zu",
                        predictions->spec.name, classes, named);
    return PST_OK;
}

static enum pst_status find_tensor(struct export *export, const struct pst_header *header,
                                   struct pst_error *error)
{
    static const char *const kinds[] = { "logits", "soft", NULL };
    struct predictions *predictions = &export->predictions;
    enum pst_status status = pst_target_find(header, export->of, "--of", kinds, &predictions->index, error);
    if (status != PST_OK)
        return status;
    if (predictions->index == PST_NONE)
        return pst_fail(
            error, PST_BAD_DATA, "the stream holds no predictions: logits, logits/NAME, soft or soft/NAME%s",
            pst_compact_is(header) ? pst_compact_advice(header) : "; is teacher-forward before this stage?");
    const char *name = header->tensors[predictions->index].name;
    if (!pst_target_kind(name, &predictions->logits))
        return pst_fail(error, PST_BAD_DATA,
                        "--of %s: predictions are logits, logits/NAME, soft or soft/NAME", name);
    status = pst_target_whole(header, name, error);
    return status == PST_OK
               ? pst_header_require(header, name, PST_DTYPE_F32, 1, NULL, &predictions->index, error)
               : status;
}

enum pst_status predictions_open(struct export *export, const struct pst_header *header,
                                 struct pst_error *error)
{
    struct predictions *predictions = &export->predictions;
    if (predictions->index != PST_NONE)
        return PST_OK;
    enum pst_status status = find_tensor(export, header, error);
    if (status != PST_OK)
        return status;
    predictions->spec = header->tensors[predictions->index];
    predictions->outputs = predictions->spec.shape[0];
    predictions->type = find_type(export, header);
    predictions->log_p = pst_allocate(predictions->outputs, sizeof *predictions->log_p, error);
    return predictions->log_p != NULL ? check_classes(export, header, error) : PST_TRY_AGAIN;
}

/* The probability of each bit that is 1. */
static void squash(const float *logits, float *probabilities, size_t count)
{
    for (size_t i = 0; i < count; i++)
        probabilities[i] = (float)(1 / (1 + exp(-(double)logits[i])));
}

enum pst_status predictions_take(struct predictions *predictions, const struct pst_batch *batch,
                                 struct pst_error *error)
{
    if (predictions->index == PST_NONE)
        return PST_OK;
    size_t outputs = predictions->outputs;
    predictions->rows = predictions->values = batch->tensors[predictions->index].data;
    enum pst_status status =
        pst_rows_check(&predictions->spec, predictions->rows, batch->n,
                       predictions->logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION, error);
    if (status != PST_OK || !predictions->logits || predictions->type == AS_NUMBERS)
        return status;
    status = pst_buffer_reserve(&predictions->memory, batch->tensors[predictions->index].bytes, 0, error);
    if (status != PST_OK)
        return status;
    if (predictions->type == AS_CLASSES)
        pst_softmax(predictions->rows, predictions->memory.data, batch->n, outputs, 1);
    else
        squash(predictions->rows, predictions->memory.data, batch->n * outputs);
    predictions->values = predictions->memory.data;
    return PST_OK;
}

void predictions_free(struct predictions *predictions)
{
    pst_buffer_free(&predictions->memory);
    free(predictions->log_p);
}

/* The weights of samples: that of a label's class, and the tensor of weights. */
#include "stages/student-trainer/trainer.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

/* Reads one CLASS=WEIGHT of a list, up to the next comma. */
static enum pst_status take_one(struct trainer *trainer, const char *text, size_t length,
                                struct pst_error *error)
{
    char copy[64] = "";
    uint64_t class;
    double weight;
    size_t classes = pst_network_outputs(&trainer->training.network);
    if (length < sizeof copy)
        memcpy(copy, text, length);
    char *equals = strchr(copy, '=');
    if (equals != NULL)
        *equals = '\0';
    if (equals == NULL || !pst_parse_u64(copy, 0, classes - 1, &class) ||
        !pst_parse_double(equals + 1, 0, 1e300, &weight))
        return pst_fail(error, PST_USAGE,
                        "--class-weight: '%.*s' is not CLASS=WEIGHT with a class from 0 to %zu and a weight "
                        "from 0",
                        (int)length, text, classes - 1);
    if (!isnan(trainer->class_weight[class]))
        return pst_fail(error, PST_USAGE, "--class-weight: class %s is there twice", copy);
    trainer->class_weight[class] = weight;
    return PST_OK;
}

static bool is_balanced(const struct trainer *trainer)
{
    return strcmp(trainer->settings.class_weights, "balanced") == 0;
}

enum pst_status parse_class_weights(struct trainer *trainer, struct pst_error *error)
{
    const char *text = trainer->settings.class_weights;
    size_t classes = pst_network_outputs(&trainer->training.network);
    if (text == NULL)
        return PST_OK;
    trainer->class_weight = pst_allocate(classes, sizeof *trainer->class_weight, error);
    if (trainer->class_weight == NULL)
        return PST_TRY_AGAIN;
    trainer->training.loss.class_weight = trainer->class_weight;
    if (is_balanced(trainer))
        return PST_OK;
    for (size_t class = 0; class < classes; class ++)
        trainer->class_weight[class] = NAN; /* not listed yet */
    enum pst_status status = PST_OK;
    for (const char *end; status == PST_OK && text != NULL; text = *end == '\0' ? NULL : end + 1) {
        end = text + strcspn(text, ",");
        status = take_one(trainer, text, (size_t)(end - text), error);
    }
    for (size_t class = 0; class < classes; class ++)
        if (isnan(trainer->class_weight[class]))
            trainer->class_weight[class] = 1;
    return status;
}

/* Sets n / (K n_c): each of the K classes with samples counts the same, and the mean weight is 1. */
static enum pst_status balance(struct trainer *trainer, const struct pst_header *header,
                               struct pst_error *error)
{
    size_t classes = pst_network_outputs(&trainer->training.network);
    const json_t *counts = json_object_get(header->other, "class_counts");
    double sum = 0, present = 0;
    if (counts == NULL)
        return pst_fail(error, PST_BAD_DATA,
                        "the stream does not say how many samples each class has (class_counts), which "
                        "--class-weight balanced needs; give the weights, such as --class-weight 0=1,7=5");
    for (size_t class = 0; class < classes; class ++) {
        const json_t *count = json_array_get(counts, class);
        if (!json_is_integer(count) || json_integer_value(count) < 0 || json_array_size(counts) != classes)
            return pst_fail(error, PST_BAD_DATA, "the header's class_counts are not %zu numbers from 0",
                            classes);
        sum += (double)json_integer_value(count);
        present += json_integer_value(count) > 0;
    }
    for (size_t class = 0; class < classes; class ++) {
        double count = (double)json_integer_value(json_array_get(counts, class));
        trainer->class_weight[class] = count > 0 ? sum / (present * count) : NAN; /* none may come */
    }
    return PST_OK;
}

enum pst_status settle_weights(struct trainer *trainer, const struct pst_header *header,
                               struct pst_error *error)
{
    if (trainer->class_weight != NULL && trainer->stream.labels_index == PST_NONE)
        return pst_fail(error, PST_BAD_DATA,
                        "--class-weight needs labels: a tensor 'y' (i32, rank 0), and a loss of classes");
    enum pst_status status =
        trainer->class_weight != NULL && is_balanced(trainer) ? balance(trainer, header, error) : PST_OK;
    if (status != PST_OK || pst_header_find(header, "weight") == PST_NONE)
        return status;
    return pst_header_require(header, "weight", PST_DTYPE_F32, 0, NULL, &trainer->stream.weight_index, error);
}

enum pst_status check_sample_weights(const struct trainer *trainer, const struct pst_loss_targets *targets,
                                     size_t n, struct pst_error *error)
{
    for (size_t i = 0; i < n && targets->weight != NULL; i++) {
        if (!(targets->weight[i] >= 0 && isfinite(targets->weight[i])))
            return pst_fail(error, PST_BAD_DATA,
                            "tensor 'weight', sample %zu of the batch: %g is not a weight, a number from 0",
                            i, (double)targets->weight[i]);
    }
    for (size_t i = 0; i < n && trainer->class_weight != NULL; i++) {
        if (isnan(trainer->class_weight[targets->labels[i]]))
            return pst_fail(error, PST_BAD_DATA,
                            "sample %zu of the batch has the label %" PRId32
                            ", of which there are no samples by the header's class_counts",
                            i, targets->labels[i]);
    }
    return PST_OK;
}

/* Numbers to predict. They are standardised for learning, by the mean and deviation in the header; the model
 * that is written gives them in their own unit. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdlib.h>

/* Whether the outputs learn only numbers, because other targets have no mean. Hints do not count: they are
 * not for outputs. */
static bool learns_numbers(const struct trainer *trainer)
{
    const struct pst_loss *loss = &trainer->training.loss;
    bool numbers = true, hints = true;
    for (size_t k = 0; k < loss->count; k++) {
        enum pst_loss_target kind = loss->terms[k].type->target;
        numbers = numbers && (kind == PST_TARGET_NUMBERS || kind == PST_TARGET_HINT);
        hints = hints && kind == PST_TARGET_HINT;
    }
    return numbers && !hints;
}

enum pst_status settle_outputs(struct trainer *trainer, struct pst_error *error)
{
    struct pst_network *network = &trainer->training.network;
    const json_t *said = json_object_get(network->about, "outputs");
    const json_t *mean = json_object_get(said, "mean"), *deviation = json_object_get(said, "deviation");
    size_t outputs = pst_network_outputs(network);
    if (json_array_size(mean) != outputs || !learns_numbers(trainer))
        return PST_OK;
    double *scale = pst_allocate(outputs, 2 * sizeof *scale, error), *offset = scale + outputs;
    if (scale == NULL)
        return PST_TRY_AGAIN;
    for (size_t j = 0; j < outputs; j++) {
        scale[j] = 1 / json_number_value(json_array_get(deviation, j));
        offset[j] = -scale[j] * json_number_value(json_array_get(mean, j));
    }
    /* The outputs of a network that was trained before are in the numbers' own unit, so they are rescaled;
     * those of a new one are not. */
    bool trained = trainer->settings.from_path != NULL;
    if (pst_network_scale_outputs(network, trained ? scale : NULL, offset))
        trainer->output_scale = scale;
    else
        free(scale);
    return PST_OK;
}

void standardise_targets(const struct trainer *trainer, size_t n, float *numbers)
{
    const double *scale = trainer->output_scale;
    size_t outputs = pst_network_outputs(&trainer->training.network);
    for (size_t i = 0; scale != NULL && i < n * outputs; i++)
        numbers[i] = (float)(scale[i % outputs] * (double)numbers[i] + scale[outputs + i % outputs]);
}

enum pst_status restore_outputs(struct trainer *trainer, struct pst_error *error)
{
    struct pst_network *network = &trainer->training.network;
    size_t outputs = pst_network_outputs(network);
    if (trainer->output_scale == NULL)
        return PST_OK;
    double *deviation = pst_allocate(outputs, 2 * sizeof *deviation, error), *mean = deviation + outputs;
    if (deviation == NULL)
        return PST_TRY_AGAIN;
    for (size_t j = 0; j < outputs; j++) {
        deviation[j] = 1 / trainer->output_scale[j];
        mean[j] = -trainer->output_scale[outputs + j] * deviation[j];
    }
    bool done = pst_network_scale_outputs(network, deviation, mean); /* the reverse of settle_outputs */
    free(deviation);
    return done ? PST_OK : pst_fail(error, PST_BAD_DATA, "the last layer cannot be scaled");
}

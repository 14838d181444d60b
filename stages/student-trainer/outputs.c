/* Numbers to predict, of any size: they are learned less their mean and divided by their deviation, which the
 * header says, and the model that is written gives them as they are. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <stdlib.h>

/* Whether all that is learned are numbers: others have no mean. */
static bool learns_numbers(const struct trainer *trainer)
{
    const struct pst_loss *loss = &trainer->training.loss;
    bool numbers = true;
    for (size_t k = 0; k < loss->count; k++)
        numbers = numbers && loss->terms[k].type->target == PST_TARGET_NUMBERS;
    return numbers;
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
    /* A network that was trained before gives numbers as they are; a new one has yet to learn them. */
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
    bool done = pst_network_scale_outputs(network, deviation, mean); /* as it was before */
    free(deviation);
    return done ? PST_OK : pst_fail(error, PST_BAD_DATA, "the last layer cannot be scaled");
}

/* Classes that come more often than in the data set. A softmax would learn how often they come in the
 * stream, but should learn their share of the data set. */
#include "stages/student-trainer/trainer.h"

#include <jansson.h>
#include <math.h>

/* Reads the factors as logarithms. spread: receives the largest factor divided by the smallest one. */
static enum pst_status read_factors(const json_t *said, size_t classes, double *logarithms, double *spread,
                                    struct pst_error *error)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < classes; i++) {
        double factor = json_number_value(json_array_get(said, i));
        if (json_array_size(said) != classes || !(factor > 0 && isfinite(factor)))
            return pst_fail(error, PST_BAD_DATA,
                            "the header's class_oversampling are not %zu numbers above 0", classes);
        logarithms[i] = log(factor);
        least = fmin(least, logarithms[i]);
        most = fmax(most, logarithms[i]);
    }
    *spread = exp(most - least);
    return PST_OK;
}

enum pst_status settle_oversampling(struct pst_run *run, const struct pst_header *header,
                                    struct pst_error *error)
{
    struct trainer *trainer = run->self;
    struct pst_loss *loss = &trainer->training.loss;
    const json_t *said = json_object_get(header->other, "class_oversampling");
    size_t classes = trainer_classes(trainer), terms = 0;
    double spread = 1;
    for (size_t k = 0; k < loss->count; k++)
        terms += loss->terms[k].type->target == PST_TARGET_LABELS && loss->terms[k].weight > 0;
    if (said == NULL || terms == 0 || trainer->settings.keep_oversampling)
        return PST_OK;
    trainer->log_oversampling = pst_allocate(classes, sizeof *trainer->log_oversampling, error);
    if (trainer->log_oversampling == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = read_factors(said, classes, trainer->log_oversampling, &spread, error);
    if (status != PST_OK || spread < 1 + 1e-9)
        return status;
    for (size_t k = 0; k < loss->count; k++)
        if (loss->terms[k].type->target == PST_TARGET_LABELS)
            loss->terms[k].shift = trainer->log_oversampling;
    pst_say(
        run,
        "some classes come %.3g times more often than others by --special: taken out of what labels teach",
        spread);
    return pst_history_note(run, "oversampling_taken_out", json_real(spread), error);
}

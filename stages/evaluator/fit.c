/* --fit-bias: keeps all samples, and then finds biases of classes from them. */
#include "stages/evaluator/evaluator.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for so many rows. Returns false if memory is short; the rows then stay as they were. */
static bool grow_rows(float **rows, size_t capacity, size_t classes)
{
    size_t bytes;
    if (!pst_multiply(capacity, classes, &bytes) || !pst_multiply(bytes, sizeof **rows, &bytes))
        return false;
    float *grown = realloc(*rows, bytes);
    if (grown != NULL)
        *rows = grown;
    return grown != NULL;
}

static bool grow_labels(struct kept *kept, size_t capacity)
{
    size_t bytes;
    if (!pst_multiply(capacity, sizeof *kept->ids, &bytes))
        return false;
    uint64_t *ids = realloc(kept->ids, bytes);
    if (ids != NULL)
        kept->ids = ids;
    int32_t *labels = realloc(kept->labels, capacity * sizeof *labels);
    if (labels != NULL)
        kept->labels = labels;
    return ids != NULL && labels != NULL;
}

static enum pst_status make_room(struct kept *kept, size_t classes, bool compared, struct pst_error *error)
{
    if (kept->count < kept->capacity)
        return PST_OK;
    size_t capacity = kept->capacity == 0 ? 1024 : kept->capacity;
    if (!pst_multiply(capacity, 2, &capacity) || !grow_rows(&kept->rows, capacity, classes) ||
        (compared && !grow_rows(&kept->others, capacity, classes)) || !grow_labels(kept, capacity))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for keeping %zu samples", kept->count);
    kept->capacity = capacity;
    return PST_OK;
}

enum pst_status fit_keep(struct kept *kept, const struct sample *sample, size_t classes,
                         struct pst_error *error)
{
    if (make_room(kept, classes, sample->other != NULL, error) != PST_OK)
        return PST_TRY_AGAIN;
    memcpy(kept->rows + kept->count * classes, sample->row, classes * sizeof *kept->rows);
    if (sample->other != NULL)
        memcpy(kept->others + kept->count * classes, sample->other, classes * sizeof *kept->others);
    kept->ids[kept->count] = sample->id;
    kept->labels[kept->count++] = sample->label;
    return PST_OK;
}

struct sample fit_sample(const struct kept *kept, size_t i, size_t classes)
{
    return (struct sample){ .row = kept->rows + i * classes,
                            .other = kept->others != NULL ? kept->others + i * classes : NULL,
                            .label = kept->labels[i],
                            .number = i,
                            .id = kept->ids[i] };
}

void fit_forget(struct kept *kept)
{
    free(kept->rows);
    free(kept->others);
    free(kept->labels);
    free(kept->ids);
}

/* The share of each class: the mean of the other predictions, or the share of the label. */
static void measure_mass(const struct evaluator *evaluator, double *mass)
{
    const struct kept *kept = &evaluator->kept;
    size_t classes = evaluator->classes.classes;
    for (size_t i = 0; i < kept->count; i++) {
        if (kept->others == NULL) {
            mass[kept->labels[i]] += 1 / (double)kept->count;
            continue;
        }
        struct pst_prediction other = source_predict(&evaluator->against, kept->others + i * classes);
        for (size_t j = 0; j < classes; j++)
            mass[j] += exp(other.log_probabilities[j]) / (double)kept->count;
    }
}

static enum pst_status find_biases(const struct evaluator *evaluator,
                                   const struct pst_class_bias_problem *problem, struct pst_error *error)
{
    size_t classes = problem->classes;
    double *bias = evaluator->of.bias;
    if (evaluator->fit_by == FIT_BY_ERRORS) {
        double shift;
        enum pst_status status = pst_class_bias_fewest_errors(problem, evaluator->kept.labels, &shift, error);
        for (size_t j = 0; status == PST_OK && j < classes; j++)
            bias[j] = problem->free[j] ? shift : 0;
        return status;
    }
    double *mass = pst_allocate(classes, sizeof *mass, error);
    if (mass == NULL)
        return PST_TRY_AGAIN;
    measure_mass(evaluator, mass);
    enum pst_status status = pst_class_bias_match_mass(problem, mass, bias, error);
    free(mass);
    return status;
}

enum pst_status fit_biases(struct evaluator *evaluator, struct pst_error *error)
{
    const struct kept *kept = &evaluator->kept;
    size_t classes = evaluator->classes.classes;
    float *scores = pst_allocate(kept->count * classes, sizeof *scores, error);
    if (scores == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < kept->count * classes; i++)
        scores[i] = (float)source_score(&evaluator->of, kept->rows[i]);
    struct pst_class_bias_problem problem = { scores, kept->count, classes, evaluator->free_classes };
    enum pst_status status = find_biases(evaluator, &problem, error);
    free(scores);
    return status;
}

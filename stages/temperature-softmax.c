/* temperature-softmax: a filter that turns teachers' logits into soft targets, and probabilities back into
 * logits. */
#include "pipestill.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_UNSHIFTED 1000.0 /* the highest temperature at which logits are T log p as it is */

/* One teacher: the places of what is read and of what is added. */
struct pair {
    size_t from, to;
    size_t asked; /* place of the tensor that says which rows count; PST_NONE: all do */
};

struct softening {
    double temperature;
    bool from_probs;
    struct pair *pairs; /* [pair_count]; owned */
    size_t pair_count;
};

static const struct softening defaults = { .temperature = 1 };

static const struct pst_option options[] = {
    { 'T', "temperature", PST_POSITIVE_DOUBLE, offsetof(struct softening, temperature),
      "softmax temperature, at most 1e6; 1 gives plain probabilities" },
    { 0, "from-probs", PST_FLAG, offsetof(struct softening, from_probs),
      "the opposite: add logits/NAME = T log p for every soft/NAME" },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    const struct softening *softening = run->self;
    (void)count;
    (void)operands;
    if (softening->temperature <= PST_MOST_TEMPERATURE)
        return PST_OK;
    return pst_fail(
        error, PST_USAGE,
        "-T %g: above %g probabilities in f32 cannot carry the differences between logits; leave this "
        "stage out and give student-trainer --loss logits, which is the limit at high temperatures",
        softening->temperature, PST_MOST_TEMPERATURE);
}

/* Declares TO/NAME beside the tensor FROM/NAME. */
static enum pst_status add_pair(struct pst_run *run, struct pst_header *header, const char *to, size_t from,
                                struct pst_error *error)
{
    struct softening *softening = run->self;
    struct pst_tensor_spec spec = header->tensors[from];
    double temperature = softening->temperature;
    if (pst_spec_of_classes(&spec, error) != PST_OK)
        return PST_BAD_DATA;
    if (softening->from_probs && spec.temperature != 0 && spec.temperature != temperature)
        return pst_fail(error, PST_BAD_DATA, "'%s' is at temperature %g; give -T %g", spec.name,
                        spec.temperature, spec.temperature);
    char name[PST_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s%s", to, strchr(spec.name, '/'));
    if (strlen(name) >= sizeof spec.name)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s': its name is too long", spec.name);
    strcpy(spec.name, name);
    spec.temperature = softening->from_probs ? 0 : temperature;
    struct pair *pair = &softening->pairs[softening->pair_count++];
    pair->from = from;
    enum pst_status status = pst_target_asked(header, spec.name, &pair->asked, error);
    if (status == PST_OK)
        status = pst_header_add_tensor(header, &spec, &pair->to, error);
    return status == PST_OK ? pst_made_from(run, pair->to, to, &from, 1, error) : status;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    struct softening *softening = run->self;
    bool from_probs = softening->from_probs;
    const char *from = from_probs ? "soft" : "logits";
    size_t count = pst_header_find_all(in, from, NULL, 0);
    if (count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor %s/NAME; is %s before this stage?",
                        from, from_probs ? "a source of probabilities" : "a teacher-forward");
    size_t *found = pst_allocate(count, sizeof *found, error);
    softening->pairs = pst_allocate(count, sizeof *softening->pairs, error);
    enum pst_status status = found == NULL || softening->pairs == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        pst_header_find_all(in, from, found, count);
    for (size_t i = 0; i < count && status == PST_OK; i++)
        status = add_pair(run, out, from_probs ? "logits" : "soft", found[i], error);
    free(found);
    return status;
}

/*
 * T log p, which softmax at T turns into p again; a probability of 0 counts as the smallest normal f32. At a
 * high T these logits are so large that f32 would lose their differences, so the row is shifted to a largest
 * logit of 0.
 */
static void to_logits(const float *probabilities, float *logits, size_t classes, double temperature)
{
    double largest = 0x1p-126;
    for (size_t j = 0; j < classes; j++)
        largest = fmax(largest, (double)probabilities[j]);
    double shift = temperature > MOST_UNSHIFTED ? temperature * log(largest) : 0;
    for (size_t j = 0; j < classes; j++)
        logits[j] = (float)(temperature * log(fmax((double)probabilities[j], 0x1p-126)) - shift);
}

/* Adds soft/NAME = softmax(logits/NAME / T) for every teacher NAME in the batch (Hinton et al. 2015, eq. 1).
 */
static enum pst_status soften(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                              struct pst_error *error)
{
    const struct softening *softening = run->self;
    enum pst_row_kind kind = softening->from_probs ? PST_ROW_DISTRIBUTION : PST_ROW_LOGITS;
    for (size_t i = 0; i < softening->pair_count; i++) {
        const struct pair *pair = &softening->pairs[i];
        const struct pst_tensor_spec *spec = &pst_input_header(run)->tensors[pair->from];
        const float *from = in->tensors[pair->from].data;
        float *to = out->tensors[pair->to].data;
        const unsigned char *asked = pair->asked == PST_NONE ? NULL : in->tensors[pair->asked].data;
        enum pst_status status = pst_rows_check_asked(spec, from, asked, in->n, kind, error);
        if (status != PST_OK)
            return status;
        for (size_t row = 0; softening->from_probs && row < in->n; row++)
            to_logits(from + row * spec->shape[0], to + row * spec->shape[0], spec->shape[0],
                      softening->temperature);
        if (!softening->from_probs)
            pst_softmax(from, to, in->n, spec->shape[0], softening->temperature);
        for (size_t row = 0; asked != NULL && row < in->n; row++)
            if (asked[row] == 0) /* a row that does not count stays zeros */
                memset(to + row * spec->shape[0], 0, spec->shape[0] * sizeof *to);
    }
    return PST_OK;
}

static void stop(struct pst_run *run)
{
    struct softening *softening = run->self;
    free(softening->pairs);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "temperature-softmax",
            .purpose = "turn teachers' logits into soft targets",
            .description = "Adds soft/NAME = softmax(logits/NAME / T) for every teacher NAME in the stream.",
            .example = "loader mnist | teacher-forward t.safetensors | temperature-softmax -T 20 "
                       ">soft.pst",
            .see_also = "teacher-forward(1), averager(1), student-trainer(1)",
            .options = options,
            .size = sizeof(struct softening),
            .defaults = &defaults,
            .traits = PST_READS | PST_WRITES | PST_PARALLEL,
            .start = start,
            .on_header = declare,
            .on_batch = soften,
            .stop = stop,
        });
}

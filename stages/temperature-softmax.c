/* temperature-softmax: a filter that turns teachers' logits into soft targets, and probabilities back into
 * logits. */
#include "pipestill.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double temperature = 1;
static bool from_probs;

/* One teacher: the place of what is read and of what is added. */
static struct pair {
    size_t from, to, classes;
} * pairs;
static size_t pair_count;

static const struct pst_option options[] = {
    { .letter = 'T',
      .name = "temperature",
      .type = PST_POSITIVE_DOUBLE,
      .target = &temperature,
      .help = "softmax temperature; 1 gives plain probabilities" },
    { .name = "from-probs",
      .type = PST_FLAG,
      .target = &from_probs,
      .help = "the other way: add logits/NAME = T log p for every soft/NAME" },
    { 0 },
};

/* Declares TO/NAME beside the tensor FROM/NAME. */
static enum pst_status add_pair(struct pst_header *header, const char *to, size_t from,
                                struct pst_error *error)
{
    struct pst_tensor_spec spec = header->tensors[from];
    if (spec.dtype != PST_DTYPE_F32 || spec.rank != 1)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' is not f32 with one dimension of classes",
                        spec.name);
    if (from_probs && spec.temperature != 0 && spec.temperature != temperature)
        return pst_fail(error, PST_BAD_DATA, "'%s' is at temperature %g; give -T %g", spec.name,
                        spec.temperature, spec.temperature);
    char name[PST_NAME_SIZE + 8];
    snprintf(name, sizeof name, "%s%s", to, strchr(spec.name, '/'));
    if (strlen(name) >= sizeof spec.name)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s': its name is too long", spec.name);
    pairs[pair_count] = (struct pair){ .from = from, .classes = spec.shape[0] };
    strcpy(spec.name, name);
    spec.temperature = from_probs ? 0 : temperature;
    enum pst_status status = pst_header_add_tensor(header, &spec, &pairs[pair_count].to, error);
    pair_count++;
    return status;
}

static enum pst_status declare(struct pst_header *header, struct pst_error *error)
{
    const char *from = from_probs ? "soft" : "logits";
    size_t count = pst_header_find_all(header, from, NULL, 0);
    if (count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor %s/NAME; is %s before this stage?",
                        from, from_probs ? "a source of probabilities" : "a teacher-forward");
    size_t *found = calloc(count, sizeof *found);
    pairs = calloc(count, sizeof *pairs);
    if (found == NULL || pairs == NULL) {
        free(found);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    }
    pst_header_find_all(header, from, found, count);
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < count && status == PST_OK; i++)
        status = add_pair(header, from_probs ? "logits" : "soft", found[i], error);
    free(found);
    return status;
}

/* T log p, which softmax at T turns into p again; a probability of 0 becomes the smallest that f32 holds. */
static void to_logits(const float *probabilities, float *logits, size_t count)
{
    for (size_t i = 0; i < count; i++)
        logits[i] = (float)(temperature * log(fmax((double)probabilities[i], 0x1p-126)));
}

/* What is wrong with a row of logits, or of probabilities with --from-probs; NULL where it is good. */
static const char *find_fault(const float *row, size_t classes)
{
    double sum = 0;
    for (size_t i = 0; i < classes; i++) {
        if (!isfinite(row[i]))
            return from_probs ? "not a probability" : "a logit is NaN or infinite";
        if (from_probs && row[i] < 0)
            return "not a probability";
        sum += (double)row[i];
    }
    return from_probs && fabs(sum - 1) > 1e-3 ? "not probabilities that add up to 1" : NULL;
}

static enum pst_status check_rows(const struct pst_tensor_spec *spec, const float *rows, size_t n,
                                  struct pst_error *error)
{
    for (size_t i = 0; i < n; i++) {
        const char *fault = find_fault(rows + i * spec->shape[0], spec->shape[0]);
        if (fault != NULL)
            return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %s", spec->name, i,
                            fault);
    }
    return PST_OK;
}

/* Adds soft/NAME = softmax(logits/NAME / T) for every teacher NAME in the batch (Hinton et al. 2015, eq. 1).
 */
static enum pst_status soften(struct pst_batch *batch, const struct pst_header *header,
                              struct pst_error *error)
{
    for (size_t i = 0; i < pair_count; i++) {
        const float *from = batch->tensors[pairs[i].from].data;
        float *to = batch->tensors[pairs[i].to].data;
        enum pst_status status = check_rows(&header->tensors[pairs[i].from], from, batch->n, error);
        if (status != PST_OK)
            return status;
        if (from_probs)
            to_logits(from, to, batch->n * pairs[i].classes);
        else
            pst_softmax(from, to, batch->n, pairs[i].classes, temperature);
    }
    return PST_OK;
}

static void stop(void)
{
    free(pairs);
}

int main(int argc, char **argv)
{
    return pst_filter_main(
        argc, argv,
        &(struct pst_filter){
            .stage = { .name = "temperature-softmax",
                       .purpose = "turn teachers' logits into soft targets",
                       .description =
                           "Adds soft/NAME = softmax(logits/NAME / T) for every teacher NAME in the stream.",
                       .options = options,
                       .example = "loader mnist | teacher-forward t.safetensors | temperature-softmax -T 20 "
                                  ">soft.pst",
                       .see_also = "teacher-forward(1), averager(1), student-trainer(1)",
                       .stop = stop },
            .on_header = declare,
            .on_batch = soften });
}

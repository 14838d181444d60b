/* averager: a filter that averages the teachers' soft targets, or their logits, into one. */
#include "pipestill.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --weight NAME=W. */
struct weight {
    char name[PST_NAME_SIZE];
    double weight;
    bool used;
};

struct averager {
    bool geometric, of_logits;
    size_t expected;        /* --teachers; 0: any number */
    struct weight *weights; /* [weight_count], in the order they came; owned */
    size_t weight_count;
    /* The teachers averaged: the places of their tensors, and their shares, which sum to 1. */
    size_t *members; /* [member_count]; owned */
    double *shares;  /* [member_count]; owned */
    size_t member_count;
    size_t target, classes;
    double *row; /* [classes]; a job's own */
};

static enum pst_status take_weight(void *self, const char *value, struct pst_error *error)
{
    struct averager *averager = self;
    const char *equals = strrchr(value, '=');
    double weight;
    if (equals == NULL || equals == value || (size_t)(equals - value) >= PST_NAME_SIZE ||
        !pst_parse_double(equals + 1, 0, 1e6, &weight))
        return pst_fail(error, PST_USAGE, "a weight is NAME=W, W a number from 0 to 1000000");
    size_t length = (size_t)(equals - value);
    for (size_t w = 0; w < averager->weight_count; w++) {
        const char *name = averager->weights[w].name;
        if (strlen(name) == length && memcmp(name, value, length) == 0)
            return pst_fail(error, PST_USAGE, "'%s' has a weight already", name);
    }
    struct weight *grown = realloc(averager->weights, (averager->weight_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    averager->weights = grown;
    struct weight *new = &averager->weights[averager->weight_count++];
    *new = (struct weight){ .weight = weight };
    memcpy(new->name, value, length);
    return PST_OK;
}

static const struct pst_option options[] = {
    { 'g', "geometric", PST_FLAG, offsetof(struct averager, geometric),
      "geometric mean, scaled to sum to 1, instead of the arithmetic mean" },
    { 'w', "weight", PST_LIST, 0, "weight of a teacher, 1 if not given; weights are divided by their sum",
      .take = take_weight, .metavar = "NAME=W" },
    { 0, "logits", PST_FLAG, offsetof(struct averager, of_logits),
      "average logits/NAME into logits, for student-trainer --soft-loss logits" },
    { 'n', "teachers", PST_SIZE, offsetof(struct averager, expected),
      "how many teachers there must be; 0: any number", .least = 0, .most = PST_MAX_TENSORS,
      .of_samples = true },
    { 0 },
};

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    (void)count, (void)operands;
    const struct averager *averager = run->self;
    if (averager->geometric && averager->of_logits)
        return pst_fail(error, PST_USAGE,
                        "--geometric is of probabilities; with --logits there is only one mean");
    return PST_OK;
}

/* Checks the i-th member against the first one, and sets its share to its weight. */
static enum pst_status check_member(struct averager *averager, const struct pst_header *header, size_t i,
                                    struct pst_error *error)
{
    const struct pst_tensor_spec *first = &header->tensors[averager->members[0]],
                                 *spec = &header->tensors[averager->members[i]];
    if (pst_spec_of_classes(spec, error) != PST_OK || pst_target_whole(header, spec->name, error) != PST_OK)
        return PST_BAD_DATA;
    if (spec->shape[0] != first->shape[0])
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, but '%s' has %zu", first->name,
                        first->shape[0], spec->name, spec->shape[0]);
    if (spec->temperature != first->temperature)
        return pst_fail(error, PST_BAD_DATA, "'%s' is at temperature %g, but '%s' at %g: soften them alike",
                        first->name, first->temperature, spec->name, spec->temperature);
    averager->shares[i] = 1;
    for (size_t w = 0; w < averager->weight_count; w++) {
        struct weight *weight = &averager->weights[w];
        if (strcmp(strchr(spec->name, '/') + 1, weight->name) == 0) {
            weight->used = true;
            averager->shares[i] = weight->weight;
        }
    }
    return PST_OK;
}

static enum pst_status settle_shares(struct averager *averager, const char *kind, struct pst_error *error)
{
    for (size_t w = 0; w < averager->weight_count; w++) {
        const struct weight *weight = &averager->weights[w];
        if (!weight->used)
            return pst_fail(error, PST_BAD_DATA, "--weight names '%s', but the stream has no %s/%s",
                            weight->name, kind, weight->name);
    }
    double sum = 0;
    for (size_t i = 0; i < averager->member_count; i++)
        sum += averager->shares[i];
    if (!(sum > 0))
        return pst_fail(error, PST_USAGE, "--weight: the weights sum to 0; give one above 0");
    for (size_t i = 0; i < averager->member_count; i++)
        averager->shares[i] /= sum;
    return PST_OK;
}

/* Every teacher must have been softened: one left out would change the mean without notice. */
static enum pst_status check_softened(const struct pst_header *header, struct pst_error *error)
{
    static const char prefix[] = "logits/";
    for (size_t i = 0; i < header->tensor_count; i++) {
        const char *name = header->tensors[i].name;
        if (strncmp(name, prefix, strlen(prefix)) != 0)
            continue;
        const char *teacher = name + strlen(prefix);
        char soft[PST_NAME_SIZE];
        snprintf(soft, sizeof soft, "soft/%s", teacher);
        if (pst_header_find(header, soft) == PST_NONE)
            return pst_fail(error, PST_BAD_DATA, "teacher '%s' has logits, but no tensor %s", teacher, soft);
    }
    return PST_OK;
}

/* Finds the teachers whose tensors are averaged. */
static enum pst_status find_members(struct averager *averager, const struct pst_header *header,
                                    const char *kind, struct pst_error *error)
{
    averager->member_count = pst_header_find_all(header, kind, NULL, 0);
    if (averager->member_count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor %s/NAME; is %s before this stage?",
                        kind, averager->of_logits ? "a teacher-forward" : "temperature-softmax");
    enum pst_status status = averager->of_logits ? PST_OK : check_softened(header, error);
    if (status != PST_OK)
        return status;
    if (averager->expected != 0 && averager->member_count != averager->expected)
        return pst_fail(error, PST_BAD_DATA, "the stream has %zu teachers, but --teachers says %zu",
                        averager->member_count, averager->expected);
    averager->members = calloc(averager->member_count, sizeof *averager->members);
    averager->shares = calloc(averager->member_count, sizeof *averager->shares);
    if (averager->members == NULL || averager->shares == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    pst_header_find_all(header, kind, averager->members, averager->member_count);
    return PST_OK;
}

static enum pst_status declare(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                               struct pst_error *error)
{
    struct averager *averager = run->self;
    const char *kind = averager->of_logits ? "logits" : "soft";
    enum pst_status status = find_members(averager, in, kind, error);
    for (size_t i = 0; i < averager->member_count && status == PST_OK; i++)
        status = check_member(averager, in, i, error);
    if (status == PST_OK)
        status = settle_shares(averager, kind, error);
    if (status != PST_OK)
        return status;
    struct pst_tensor_spec spec = in->tensors[averager->members[0]];
    strcpy(spec.name, kind);
    averager->classes = spec.shape[0];
    status = pst_header_add_tensor(out, &spec, &averager->target, error);
    return status == PST_OK
               ? pst_made_from(run, averager->target, kind, averager->members, averager->member_count, error)
               : status;
}

/* A member's row of one sample. */
static const float *row_of(const struct averager *averager, const struct pst_batch *batch, size_t member,
                           size_t sample)
{
    return (const float *)batch->tensors[averager->members[member]].data + sample * averager->classes;
}

/* The weighted sum of one sample's rows. */
static void add_up(const struct averager *averager, const struct pst_batch *batch, size_t sample)
{
    double *row = averager->row;
    memset(row, 0, averager->classes * sizeof *row);
    for (size_t i = 0; i < averager->member_count; i++) {
        const float *from = row_of(averager, batch, i, sample);
        for (size_t c = 0; c < averager->classes; c++)
            row[c] += averager->shares[i] * (double)from[c];
    }
}

/* The weighted sum of logarithms. A probability of 0 counts as the smallest normal f32, so that no teacher
 * alone can exclude a class. */
static void multiply_up(const struct averager *averager, const struct pst_batch *batch, size_t sample)
{
    double *row = averager->row;
    size_t classes = averager->classes;
    memset(row, 0, classes * sizeof *row);
    for (size_t i = 0; i < averager->member_count; i++) {
        const float *from = row_of(averager, batch, i, sample);
        for (size_t c = 0; c < classes; c++)
            row[c] += averager->shares[i] * log(fmax((double)from[c], 0x1p-126));
    }
    double largest = row[0], sum = 0;
    for (size_t c = 1; c < classes; c++)
        largest = fmax(largest, row[c]);
    for (size_t c = 0; c < classes; c++)
        sum += row[c] = exp(row[c] - largest);
    for (size_t c = 0; c < classes; c++)
        row[c] /= sum;
}

/* The inputs are checked, because the mean can hide a NaN (fmax does). */
static enum pst_status check_members(const struct pst_run *run, const struct pst_batch *in,
                                     struct pst_error *error)
{
    const struct averager *averager = run->self;
    enum pst_row_kind kind = averager->of_logits ? PST_ROW_LOGITS : PST_ROW_DISTRIBUTION;
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < averager->member_count && status == PST_OK; i++) {
        size_t member = averager->members[i];
        status = pst_rows_check(&pst_input_header(run)->tensors[member], in->tensors[member].data, in->n,
                                kind, error);
    }
    return status;
}

static enum pst_status average(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                               struct pst_error *error)
{
    struct averager *averager = run->self;
    size_t classes = averager->classes;
    float *to = out->tensors[averager->target].data;
    if (averager->row == NULL)
        averager->row = pst_allocate(classes, sizeof *averager->row, error);
    if (averager->row == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = check_members(run, in, error);
    for (size_t sample = 0; sample < in->n && status == PST_OK; sample++) {
        if (averager->geometric)
            multiply_up(averager, in, sample);
        else
            add_up(averager, in, sample);
        for (size_t c = 0; c < classes; c++)
            to[sample * classes + c] = (float)averager->row[c];
    }
    return status;
}

static void leave(struct pst_run *run)
{
    struct averager *averager = run->self;
    free(averager->row);
}

static void stop(struct pst_run *run)
{
    struct averager *averager = run->self;
    free(averager->weights);
    free(averager->members);
    free(averager->shares);
}

int main(int argc, char **argv)
{
    return pst_main(
        argc, argv,
        &(struct pst_stage){
            .name = "averager",
            .purpose = "average the teachers' soft targets into one",
            .description = "Adds soft, the arithmetic mean of all soft/NAME, or their geometric or weighted "
                           "mean.\nThe geometric mean of softmaxes is the softmax of the mean logits.",
            .example = "loader mnist | teacher-forward a.safetensors | teacher-forward b.safetensors | "
                       "temperature-softmax -T 20 | averager --geometric >soft.pst",
            .see_also = "temperature-softmax(1), student-trainer(1)",
            .options = options,
            .size = sizeof(struct averager),
            .traits = PST_READS | PST_WRITES | PST_PARALLEL,
            .start = start,
            .on_header = declare,
            .on_batch = average,
            .leave = leave,
            .stop = stop,
        });
}

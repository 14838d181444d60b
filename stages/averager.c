/* averager: a filter that averages the teachers' soft targets, or their logits, into one. */
#include "pipestill.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool geometric, of_logits;
static size_t expected;

/* --weight NAME=W, in the order they came. */
static struct weight {
    char name[PST_NAME_SIZE];
    double weight;
    bool used;
} * weights;
static size_t weight_count;

/* The teachers averaged: the places of their tensors, and their shares, which sum to 1. */
static size_t *members;
static double *shares;
static size_t member_count;
static size_t target, classes;
static double *row; /* [classes] */

static enum pst_status take_weight(const char *value, struct pst_error *error)
{
    const char *equals = strrchr(value, '=');
    double weight;
    if (equals == NULL || equals == value || (size_t)(equals - value) >= PST_NAME_SIZE ||
        !pst_parse_double(equals + 1, 0, 1e6, &weight))
        return pst_fail(error, PST_USAGE, "a weight is NAME=W, W a number from 0 to 1000000");
    size_t length = (size_t)(equals - value);
    for (size_t w = 0; w < weight_count; w++) {
        if (strlen(weights[w].name) == length && memcmp(weights[w].name, value, length) == 0)
            return pst_fail(error, PST_USAGE, "'%s' has a weight already", weights[w].name);
    }
    struct weight *grown = realloc(weights, (weight_count + 1) * sizeof *grown);
    if (grown == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    weights = grown;
    weights[weight_count] = (struct weight){ .weight = weight };
    memcpy(weights[weight_count].name, value, length);
    weight_count++;
    return PST_OK;
}

static const struct pst_option options[] = {
    { .letter = 'g',
      .name = "geometric",
      .type = PST_FLAG,
      .target = &geometric,
      .help = "geometric mean, made to sum to 1 again, instead of the arithmetic one" },
    { .letter = 'w',
      .name = "weight",
      .type = PST_LIST,
      .take = take_weight,
      .metavar = "NAME=W",
      .help = "weight of a teacher; those not named have 1; weights are divided by their sum" },
    { .name = "logits",
      .type = PST_FLAG,
      .target = &of_logits,
      .help = "average logits/NAME into logits, for student-trainer --soft-loss logits" },
    { .letter = 'n',
      .name = "teachers",
      .type = PST_SIZE,
      .target = &expected,
      .least = 0,
      .most = PST_MAX_TENSORS,
      .help = "how many teachers there must be; 0: any number" },
    { 0 },
};

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    (void)count;
    (void)operands;
    if (geometric && of_logits)
        return pst_fail(error, PST_USAGE,
                        "--geometric is of probabilities; with --logits there is only one mean");
    return PST_OK;
}

/* What the i-th member adds to the mean, and a check against the first member. */
static enum pst_status check_member(const struct pst_header *header, size_t i, struct pst_error *error)
{
    const struct pst_tensor_spec *first = &header->tensors[members[0]], *spec = &header->tensors[members[i]];
    if (spec->dtype != PST_DTYPE_F32 || spec->rank != 1)
        return pst_fail(error, PST_BAD_DATA, "tensor '%s' is not f32 with one dimension of classes",
                        spec->name);
    if (spec->shape[0] != first->shape[0])
        return pst_fail(error, PST_BAD_DATA, "'%s' has %zu classes, but '%s' has %zu", first->name,
                        first->shape[0], spec->name, spec->shape[0]);
    if (spec->temperature != first->temperature)
        return pst_fail(error, PST_BAD_DATA, "'%s' is at temperature %g, but '%s' at %g: soften them alike",
                        first->name, first->temperature, spec->name, spec->temperature);
    shares[i] = 1;
    for (size_t w = 0; w < weight_count; w++) {
        if (strcmp(strchr(spec->name, '/') + 1, weights[w].name) == 0) {
            weights[w].used = true;
            shares[i] = weights[w].weight;
        }
    }
    return PST_OK;
}

static enum pst_status settle_shares(const char *kind, struct pst_error *error)
{
    for (size_t w = 0; w < weight_count; w++) {
        if (!weights[w].used)
            return pst_fail(error, PST_BAD_DATA, "--weight names '%s', but the stream has no %s/%s",
                            weights[w].name, kind, weights[w].name);
    }
    double sum = 0;
    for (size_t i = 0; i < member_count; i++)
        sum += shares[i];
    if (!(sum > 0))
        return pst_fail(error, PST_USAGE, "the weights sum to 0");
    for (size_t i = 0; i < member_count; i++)
        shares[i] /= sum;
    return PST_OK;
}

/* Every teacher must have been softened: one left out would change the mean in silence. */
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
static enum pst_status find_members(const struct pst_header *header, const char *kind,
                                    struct pst_error *error)
{
    member_count = pst_header_find_all(header, kind, NULL, 0);
    if (member_count == 0)
        return pst_fail(error, PST_BAD_DATA, "the stream has no tensor %s/NAME; is %s before this stage?",
                        kind, of_logits ? "a teacher-forward" : "temperature-softmax");
    enum pst_status status = of_logits ? PST_OK : check_softened(header, error);
    if (status != PST_OK)
        return status;
    if (expected != 0 && member_count != expected)
        return pst_fail(error, PST_BAD_DATA, "%zu teachers are in the stream, where --teachers says %zu",
                        member_count, expected);
    members = calloc(member_count, sizeof *members);
    shares = calloc(member_count, sizeof *shares);
    if (members == NULL || shares == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    pst_header_find_all(header, kind, members, member_count);
    return PST_OK;
}

static enum pst_status declare(struct pst_header *header, struct pst_error *error)
{
    const char *kind = of_logits ? "logits" : "soft";
    enum pst_status status = find_members(header, kind, error);
    for (size_t i = 0; i < member_count && status == PST_OK; i++)
        status = check_member(header, i, error);
    if (status == PST_OK)
        status = settle_shares(kind, error);
    if (status != PST_OK)
        return status;
    struct pst_tensor_spec spec = header->tensors[members[0]];
    strcpy(spec.name, kind);
    classes = spec.shape[0];
    row = calloc(classes, sizeof *row);
    if (row == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    return pst_header_add_tensor(header, &spec, &target, error);
}

/* The weighted sum of one sample's rows. */
static void add_up(const struct pst_batch *batch, size_t sample)
{
    memset(row, 0, classes * sizeof *row);
    for (size_t i = 0; i < member_count; i++) {
        const float *from = (const float *)batch->tensors[members[i]].data + sample * classes;
        for (size_t c = 0; c < classes; c++)
            row[c] += shares[i] * (double)from[c];
    }
}

/* The same of logarithms; a probability of 0 counts as the smallest that f32 holds, so that one teacher's 0
 * is no veto. */
static void multiply_up(const struct pst_batch *batch, size_t sample)
{
    memset(row, 0, classes * sizeof *row);
    for (size_t i = 0; i < member_count; i++) {
        const float *from = (const float *)batch->tensors[members[i]].data + sample * classes;
        for (size_t c = 0; c < classes; c++)
            row[c] += shares[i] * log(fmax((double)from[c], 0x1p-126));
    }
    double largest = row[0], sum = 0;
    for (size_t c = 1; c < classes; c++)
        largest = fmax(largest, row[c]);
    for (size_t c = 0; c < classes; c++)
        sum += row[c] = exp(row[c] - largest);
    for (size_t c = 0; c < classes; c++)
        row[c] /= sum;
}

/* Means hide a NaN among numbers (fmax would), so what goes in is looked at, not what comes out. */
static enum pst_status check_sample(const struct pst_batch *batch, const struct pst_header *header,
                                    size_t sample, struct pst_error *error)
{
    for (size_t i = 0; i < member_count; i++) {
        const float *from = (const float *)batch->tensors[members[i]].data + sample * classes;
        for (size_t c = 0; c < classes; c++) {
            if (!isfinite(from[c]) || (!of_logits && from[c] < 0))
                return pst_fail(error, PST_BAD_DATA, "tensor '%s', sample %zu of the batch: %g is no %s",
                                header->tensors[members[i]].name, sample, (double)from[c],
                                of_logits ? "logit" : "probability");
        }
    }
    return PST_OK;
}

static enum pst_status average(struct pst_batch *batch, const struct pst_header *header,
                               struct pst_error *error)
{
    float *to = batch->tensors[target].data;
    for (size_t sample = 0; sample < batch->n; sample++) {
        enum pst_status status = check_sample(batch, header, sample, error);
        if (status != PST_OK)
            return status;
        if (geometric)
            multiply_up(batch, sample);
        else
            add_up(batch, sample);
        for (size_t c = 0; c < classes; c++)
            to[sample * classes + c] = (float)row[c];
    }
    return PST_OK;
}

static void stop(void)
{
    free(weights);
    free(members);
    free(shares);
    free(row);
}

int main(int argc, char **argv)
{
    return pst_filter_main(
        argc, argv,
        &(struct pst_filter){
            .stage = { .name = "averager",
                       .purpose = "average the teachers' soft targets into one",
                       .description =
                           "Adds soft, the arithmetic mean of all soft/NAME, or their geometric or weighted "
                           "mean.\nThe geometric mean of softmaxes is the softmax of the mean logits.",
                       .options = options,
                       .example =
                           "loader mnist | teacher-forward a.safetensors | teacher-forward b.safetensors | "
                           "temperature-softmax -T 20 | averager --geometric >soft.pst",
                       .see_also = "temperature-softmax(1), student-trainer(1)",
                       .start = start,
                       .stop = stop },
            .on_header = declare,
            .on_batch = average });
}

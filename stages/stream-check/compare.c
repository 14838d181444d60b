/* How far a recorded row is from what the teachers say now. */
#include "stages/stream-check/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *expected, *member; /* [classes] */
static double *sums, *logs;      /* [classes], [2, classes] */

enum pst_status prepare_rows(struct pst_error *error)
{
    expected = pst_allocate(check.classes, sizeof *expected, error);
    member = pst_allocate(check.classes, sizeof *member, error);
    sums = pst_allocate(check.classes, sizeof *sums, error);
    logs = pst_allocate(check.classes, 2 * sizeof *logs, error);
    return expected == NULL || member == NULL || sums == NULL || logs == NULL ? PST_TRY_AGAIN : PST_OK;
}

void free_rows(void)
{
    free(expected);
    free(member);
    free(sums);
    free(logs);
}

/* exp of the sums, made to sum to 1, as averager's. */
static void normalise(void)
{
    double largest = sums[0], sum = 0;
    for (size_t c = 1; c < check.classes; c++)
        largest = fmax(largest, sums[c]);
    for (size_t c = 0; c < check.classes; c++)
        sum += sums[c] = exp(sums[c] - largest);
    for (size_t c = 0; c < check.classes; c++)
        sums[c] /= sum;
}

/*
 * Writes what the row should be to `expected`. The arithmetic is that of temperature-softmax and averager,
 * operation by operation, so that nothing but the teachers' products can differ.
 */
static void make_expected(const struct comparison *comparison, size_t asked)
{
    size_t classes = check.classes;
    memset(sums, 0, classes * sizeof *sums);
    for (size_t i = 0; i < comparison->member_count; i++) {
        const struct teacher *teacher = &check.teachers[comparison->members[i]];
        const float *logits = pst_workspace_logits(teacher->workspace) + asked * classes;
        if (comparison->of_logits)
            memcpy(member, logits, classes * sizeof *member);
        else
            pst_softmax(logits, member, 1, classes, comparison->temperature);
        for (size_t c = 0; c < classes; c++)
            sums[c] += comparison->shares[i] *
                       (comparison->geometric ? log(fmax((double)member[c], 0x1p-126)) : (double)member[c]);
    }
    if (comparison->geometric)
        normalise();
    for (size_t c = 0; c < classes; c++)
        expected[c] = (float)sums[c];
}

/* The largest difference of two logits, by the row's largest logit where that is above 1. */
static double logits_apart(const float *recorded)
{
    double largest = 0, scale = 1;
    for (size_t c = 0; c < check.classes; c++) {
        double difference = fabs((double)recorded[c] - (double)expected[c]);
        if (!isnan(largest) && !(difference <= largest)) /* a NaN is taken, and stays */
            largest = difference;
        scale = fmax(scale, fabs((double)expected[c]));
    }
    return largest / scale;
}

/* Half the sum of differences: the largest probability on which the two could disagree. */
static double probabilities_apart(const float *recorded)
{
    double sum = 0;
    for (size_t c = 0; c < check.classes; c++)
        sum += fabs((double)recorded[c] - (double)expected[c]);
    return sum / 2;
}

/* KL(expected ‖ recorded) in nats; 0 where they are the same, and not below it by rounding. */
static double divergence(const struct comparison *comparison, const float *recorded)
{
    double *ours = logs, *theirs = logs + check.classes, sum = 0;
    if (comparison->of_logits) {
        pst_log_softmax(expected, ours, check.classes, 1);
        pst_log_softmax(recorded, theirs, check.classes, 1);
    } else {
        for (size_t c = 0; c < check.classes; c++) {
            ours[c] = log(fmax((double)expected[c], 0x1p-149));
            theirs[c] = log(fmax((double)recorded[c], 0x1p-149));
        }
    }
    for (size_t c = 0; c < check.classes; c++)
        sum += exp(ours[c]) * (ours[c] - theirs[c]);
    return fmax(sum, 0);
}

double compare_row(struct comparison *comparison, const float *recorded, size_t asked)
{
    make_expected(comparison, asked);
    double apart = comparison->of_logits ? logits_apart(recorded) : probabilities_apart(recorded);
    double kl = divergence(comparison, recorded);
    comparison->largest = fmax(comparison->largest, apart);
    comparison->total += apart;
    comparison->largest_kl = fmax(comparison->largest_kl, kl);
    comparison->total_kl += kl;
    return apart;
}

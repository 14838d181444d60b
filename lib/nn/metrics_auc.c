/* The area under the ROC curve, exactly: scores are kept, and sorted when all are there. */
#include "pipestill/metrics.h"
#include "pipestill/vectorised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    FEW = 1024, /* keys up to which a sort without tables is quicker */
    DIGIT_BITS = 11,
    DIGITS = 1 << DIGIT_BITS,
    PASSES = 3 /* for keys of 32 bits */
};

/* Makes an array of so many items of that size. Returns false, and leaves it as it is, if memory is short. */
static bool grow(void **array, size_t count, size_t size)
{
    size_t bytes;
    void *grown = pst_multiply(count, size, &bytes) ? realloc(*array, bytes) : NULL;
    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

static enum pst_status make_room(struct pst_auc *auc, struct pst_error *error)
{
    size_t most = auc->most / auc->labels, capacity = auc->capacity < 512 ? 1024 : 2 * auc->capacity;
    capacity = capacity < most ? capacity : most;
    void *scores = auc->scores, *bits = auc->bits;
    bool grown = grow(&scores, capacity * auc->labels, sizeof *auc->scores) &&
                 grow(&bits, capacity * auc->labels, sizeof *auc->bits);
    auc->scores = scores;
    auc->bits = bits;
    if (!grown)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for keeping the scores of %zu samples",
                        capacity);
    auc->capacity = capacity;
    return PST_OK;
}

enum pst_status pst_auc_add(struct pst_auc *auc, const float *scores, const uint8_t *bits,
                            struct pst_error *error)
{
    if (!auc->full && auc->samples == auc->most / auc->labels) {
        pst_auc_free(auc);
        auc->full = true;
    }
    if (auc->full)
        return PST_OK;
    if (auc->samples == auc->capacity && make_room(auc, error) != PST_OK)
        return PST_TRY_AGAIN;
    size_t at = auc->samples++ * auc->labels;
    memcpy(auc->scores + at, scores, auc->labels * sizeof *scores);
    memcpy(auc->bits + at, bits, auc->labels);
    return PST_OK;
}

void pst_auc_free(struct pst_auc *auc)
{
    free(auc->scores);
    free(auc->bits);
    *auc = (struct pst_auc){ .labels = auc->labels, .most = auc->most };
}

/* ---- ranks --------------------------------------------------------------------------------------------- */

/* A whole number in the same order as the score; 0 and -0 are equal. */
static uint32_t key_of(float score)
{
    uint32_t bits = pst_bits_of_float(score + 0.0F);
    return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}

static unsigned digit_of(uint32_t key, unsigned pass)
{
    return key >> (pass * DIGIT_BITS) & (DIGITS - 1);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Turns the count of each digit into the place of the first key with it. */
static void add_up(size_t starts[DIGITS])
{
    size_t sum = 0;
    for (size_t j = 0; j < DIGITS; j++) {
        size_t count = starts[j];
        starts[j] = sum;
        sum += count;
    }
}

/* Sorts by one digit after another, the lowest one first. scratch: [count]. Returns which of both holds the
 * sorted keys. */
static const uint32_t *sort_keys(uint32_t *keys, uint32_t *scratch, size_t count)
{
    size_t starts[PASSES][DIGITS] = { 0 };
    if (count <= FEW) {
        qsort(keys, count, sizeof *keys, compare);
        return keys;
    }
    for (size_t i = 0; i < count; i++)
        for (unsigned pass = 0; pass < PASSES; pass++)
            starts[pass][digit_of(keys[i], pass)]++;
    for (unsigned pass = 0; pass < PASSES; pass++) {
        add_up(starts[pass]);
        for (size_t i = 0; i < count; i++)
            scratch[starts[pass][digit_of(keys[i], pass)]++] = keys[i];
        uint32_t *sorted = scratch;
        scratch = keys;
        keys = sorted;
    }
    return keys;
}

/* Twice the number of pairs in which the positive has the higher key, plus the number of equal pairs. Both
 * arrays are sorted. */
static uint64_t count_wins(const uint32_t *positives, size_t p, const uint32_t *negatives, size_t n)
{
    uint64_t wins = 0;
    size_t lower = 0, not_higher = 0;
    for (size_t i = 0; i < p; i++) {
        while (lower < n && negatives[lower] < positives[i])
            lower++;
        while (not_higher < n && negatives[not_higher] <= positives[i])
            not_higher++;
        wins += lower + not_higher;
    }
    return wins;
}

/* Divides the keys: samples with the label go to keys, those without to scratch. Returns how many have it.
 * Every key is written to both, because a processor cannot predict such a branch. */
static size_t split_keys(const struct pst_auc *auc, size_t label, uint32_t *keys, uint32_t *scratch)
{
    size_t positives = 0, negatives = 0;
    for (size_t i = 0, at = label; i < auc->samples; i++, at += auc->labels) {
        keys[positives] = scratch[negatives] = key_of(auc->scores[at]);
        positives += auc->bits[at] != 0;
        negatives += auc->bits[at] == 0;
    }
    memcpy(keys + positives, scratch, negatives * sizeof *keys);
    return positives;
}

/* keys, scratch: [samples]. */
static double area_of(const struct pst_auc *auc, size_t label, uint32_t *keys, uint32_t *scratch)
{
    size_t positives = split_keys(auc, label, keys, scratch), negatives = auc->samples - positives;
    if (positives == 0 || negatives == 0)
        return (double)NAN;
    const uint32_t *high = sort_keys(keys, scratch, positives);
    const uint32_t *low = sort_keys(keys + positives, scratch + positives, negatives);
    return (double)count_wins(high, positives, low, negatives) / (2 * (double)positives * (double)negatives);
}

enum pst_status pst_auc_areas(const struct pst_auc *auc, double *areas, struct pst_error *error)
{
    uint32_t *keys = pst_allocate(auc->samples + 1, sizeof *keys, error);
    uint32_t *scratch = pst_allocate(auc->samples + 1, sizeof *scratch, error);
    bool room = keys != NULL && scratch != NULL;
    for (size_t j = 0; room && j < auc->labels; j++)
        areas[j] = auc->samples > 0 ? area_of(auc, j, keys, scratch) : (double)NAN;
    free(keys);
    free(scratch);
    return room ? PST_OK : PST_TRY_AGAIN;
}

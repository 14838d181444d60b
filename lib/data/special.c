/* Special classes: in every batch a share of the samples is of these, and the others are of the rest. */
#include "pipestill/view.h"

#include <math.h>

/* Special ones among the first `positions` of an epoch: they are spread as evenly as possible. */
static uint64_t special_before(const struct pst_special *special, uint64_t positions)
{
    return (uint64_t)floor((double)positions * special->share);
}

enum pst_status pst_special_start(struct pst_special *special, uint64_t samples, uint64_t rest, double share,
                                  uint64_t seed, struct pst_error *error)
{
    if (samples == 0)
        return pst_fail(error, PST_USAGE, "--special: these classes have no samples");
    if (rest == 0)
        return pst_fail(error, PST_USAGE, "--special: all samples are of these classes; there is no rest");
    *special = (struct pst_special){ .samples = samples, .rest = rest, .share = share, .seed = seed };
    special->count = (uint64_t)floor((double)samples / share);
    while (special_before(special, special->count) > samples)
        special->count--;
    while (special_before(special, special->count) < samples)
        special->count++;
    return PST_OK;
}

/* The number that a permutation of a part gives for a number. The two parts have different keys: with the
 * same key, parts of the same size would always meet in the same pairs. */
static uint64_t permuted(const struct pst_special *special, bool is_special, uint64_t count, uint64_t pass,
                         uint64_t number)
{
    struct pst_permutation permutation;
    pst_permutation_start(&permutation, count, special->seed, pass);
    pst_random_key(special->seed, is_special ? PST_RANDOM_SPECIAL : PST_RANDOM_REST, permutation.key);
    return pst_permute(&permutation, number);
}

uint64_t pst_special_at(const struct pst_special *special, uint64_t epoch, uint64_t position,
                        bool *is_special)
{
    uint64_t before = special_before(special, position);
    *is_special = special_before(special, position + 1) > before;
    if (*is_special)
        return permuted(special, true, special->samples, epoch, before);
    uint64_t passed = epoch * (special->count - special->samples) + position - before;
    return permuted(special, false, special->rest, passed / special->rest, passed % special->rest);
}

double pst_special_factor(const struct pst_special *special, bool is_special)
{
    double all = (double)special->samples + (double)special->rest;
    return is_special ? special->share * all / (double)special->samples
                      : (1 - special->share) * all / (double)special->rest;
}

/* Which sequences of a set are taken: those of some speakers, and at most a given number. */
#include "lib/data/sequences.h"

#include <stdlib.h>
#include <string.h>

/* Chooses `wanted` of the items that are marked, at random, and takes the mark off all others (Knuth, The Art
 * of Computer Programming 2, 3.4.2, algorithm S). others: keeps the others instead. */
static void draw(bool *marks, size_t count, size_t wanted, struct pst_random *random, bool others)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += marks[i];
    for (size_t i = 0; i < count; i++) {
        if (!marks[i])
            continue;
        bool drawn = pst_random_below(random, left--) < wanted;
        wanted -= drawn;
        marks[i] = drawn != others;
    }
}

/* Removes the marks of sequences of held-out speakers; for the validation split, of all others. */
static enum pst_status hold_out(const struct pst_dataset *dataset, const struct pst_selection_rules *rules,
                                bool *taken, struct pst_error *error)
{
    size_t speakers = 0, present = 0;
    for (size_t i = 0; i < dataset->sequences; i++)
        if (dataset->sequence[i].speaker >= speakers)
            speakers = (size_t)dataset->sequence[i].speaker + 1;
    bool *marks = pst_allocate(speakers, sizeof *marks, error);
    if (marks == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < dataset->sequences; i++)
        marks[dataset->sequence[i].speaker] = true;
    for (size_t i = 0; i < speakers; i++)
        present += marks[i];
    struct pst_random random;
    pst_random_start(&random, rules->hold_out_seed, PST_RANDOM_HOLD_OUT, 1, 0);
    draw(marks, speakers, rules->hold_out_speakers, &random, rules->split != PST_SPLIT_VALIDATION);
    for (size_t i = 0; i < dataset->sequences; i++)
        taken[i] = marks[dataset->sequence[i].speaker];
    free(marks);
    return rules->hold_out_speakers < present
               ? PST_OK
               : pst_fail(error, PST_USAGE, "%zu speakers cannot be held out of %zu",
                          rules->hold_out_speakers, present);
}

/* Marks the samples of sequences that are not taken. */
static enum pst_status mark_samples(const struct pst_dataset *dataset, const bool *taken, bool **out,
                                    struct pst_error *error)
{
    *out = pst_allocate(dataset->samples, sizeof **out, error);
    for (size_t i = 0; *out != NULL && i < dataset->sequences; i++)
        memset(*out + dataset->sequence[i].first, !taken[i], dataset->sequence[i].count);
    return *out == NULL ? PST_TRY_AGAIN : PST_OK;
}

enum pst_status pst_choose_sequences(const struct pst_dataset *dataset,
                                     const struct pst_selection_rules *rules, bool **out,
                                     struct pst_error *error)
{
    bool speakers = rules->hold_out_speakers > 0 && rules->split != PST_SPLIT_TEST;
    *out = NULL;
    if (dataset->sequences > 0 && rules->hold_out > 0 && rules->split != PST_SPLIT_TEST)
        return pst_fail(error, PST_USAGE,
                        "--hold-out would share the frames of an utterance out among both parts; "
                        "--hold-out-speakers takes whole ones");
    if (!speakers && rules->utterances == 0)
        return PST_OK;
    if (dataset->sequences == 0)
        return pst_fail(error, PST_USAGE, "%s has no utterances and no speakers to choose from",
                        dataset->name);
    bool *taken = pst_allocate(dataset->sequences, sizeof *taken, error);
    if (taken == NULL)
        return PST_TRY_AGAIN;
    memset(taken, true, dataset->sequences);
    enum pst_status status = speakers ? hold_out(dataset, rules, taken, error) : PST_OK;
    if (status == PST_OK && rules->utterances > 0) {
        struct pst_random random;
        pst_random_start(&random, rules->seed, PST_RANDOM_SELECT, 2, 0);
        draw(taken, dataset->sequences, rules->utterances, &random, false);
    }
    if (status == PST_OK)
        status = mark_samples(dataset, taken, out, error);
    free(taken);
    return status;
}

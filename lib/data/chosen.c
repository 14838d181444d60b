/* Which samples are taken: a bit for each, and counts by which the k-th one taken is found. */
#include "pipestill/view.h"

#include <stdlib.h>
#include <string.h>

enum { WORD = 64, GROUP = 8 /* words between two counts */ };

static uint64_t words_for(uint64_t samples)
{
    return (samples + WORD - 1) / WORD;
}

enum pst_status pst_chosen_all(struct pst_chosen *chosen, uint64_t samples, struct pst_error *error)
{
    uint64_t words = words_for(samples);
    *chosen = (struct pst_chosen){ .samples = samples, .count = samples };
    chosen->words = pst_allocate(words + 1, sizeof *chosen->words, error);
    chosen->before = pst_allocate(words / GROUP + 1, sizeof *chosen->before, error);
    if (chosen->words == NULL || chosen->before == NULL) {
        pst_chosen_free(chosen);
        return PST_TRY_AGAIN;
    }
    memset(chosen->words, 0xff, words * sizeof *chosen->words);
    if (samples % WORD != 0)
        chosen->words[words - 1] = ((uint64_t)1 << samples % WORD) - 1;
    return PST_OK;
}

void pst_chosen_drop(struct pst_chosen *chosen, uint64_t sample)
{
    chosen->words[sample / WORD] &= ~((uint64_t)1 << sample % WORD);
    chosen->count--;
}

uint64_t pst_chosen_next(const struct pst_chosen *chosen, uint64_t from)
{
    if (from >= chosen->samples)
        return chosen->samples;
    uint64_t at = from / WORD, words = words_for(chosen->samples);
    uint64_t word = chosen->words[at] >> from % WORD << from % WORD;
    while (word == 0 && ++at < words)
        word = chosen->words[at];
    return word == 0 ? chosen->samples : at * WORD + (uint64_t)__builtin_ctzll(word);
}

void pst_chosen_count(struct pst_chosen *chosen)
{
    uint64_t words = words_for(chosen->samples), count = 0;
    for (uint64_t i = 0; i < words; i++) {
        if (i % GROUP == 0)
            chosen->before[i / GROUP] = count;
        count += (uint64_t)__builtin_popcountll(chosen->words[i]);
    }
}

uint64_t pst_chosen_at(const struct pst_chosen *chosen, uint64_t number)
{
    uint64_t low = 0, high = (words_for(chosen->samples) + GROUP - 1) / GROUP;
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (chosen->before[middle] <= number)
            low = middle;
        else
            high = middle;
    }
    uint64_t left = number - chosen->before[low], at = low * GROUP, word;
    while (left >= (uint64_t)__builtin_popcountll(word = chosen->words[at])) {
        left -= (uint64_t)__builtin_popcountll(word);
        at++;
    }
    for (; left > 0; left--)
        word &= word - 1;
    return at * WORD + (uint64_t)__builtin_ctzll(word);
}

enum pst_status pst_chosen_part(const struct pst_chosen *chosen, const struct pst_labels *labels,
                                const bool *mask, bool is, struct pst_chosen *part, struct pst_error *error)
{
    enum pst_status status = pst_chosen_all(part, chosen->samples, error);
    if (status != PST_OK)
        return status;
    memcpy(part->words, chosen->words, words_for(chosen->samples) * sizeof *part->words);
    part->count = chosen->count;
    for (uint64_t i = pst_chosen_next(chosen, 0); i < chosen->samples; i = pst_chosen_next(chosen, i + 1))
        if (mask[labels->class_of(labels->labels, i)] != is)
            pst_chosen_drop(part, i);
    pst_chosen_count(part);
    return PST_OK;
}

void pst_chosen_free(struct pst_chosen *chosen)
{
    free(chosen->words);
    free(chosen->before);
    *chosen = (struct pst_chosen){ 0 };
}

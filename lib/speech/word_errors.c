/* Word errors: the Levenshtein distance, taken apart into kinds of errors. */
#include "pipestill/speech.h"

/*
 * The cost of an alignment of both. The best one has the fewest errors, and among these the fewest deletions
 * and insertions. Both are sums, so the cost is one sum: errors · 2^32 + deletions + insertions.
 */
#define ONE_ERROR ((uint64_t)1 << 32)
#define SUBSTITUTION ONE_ERROR
#define GAP (ONE_ERROR + 1)

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* row: [words + 1], scratch. */
static uint64_t cost_of(const struct pst_word_list *reference, const struct pst_word_list *words,
                        uint64_t *row)
{
    for (size_t j = 0; j <= words->count; j++)
        row[j] = j * GAP;
    for (size_t i = 0; i < reference->count; i++) {
        uint64_t before = row[0]; /* of one word fewer on both sides */
        row[0] += GAP;
        for (size_t j = 0; j < words->count; j++) {
            uint64_t both = before + (reference->words[i] == words->words[j] ? 0 : SUBSTITUTION);
            before = row[j + 1];
            row[j + 1] = least(both, least(row[j], row[j + 1]) + GAP);
        }
    }
    return row[words->count];
}

enum pst_status pst_word_errors_add(struct pst_word_errors *errors, const struct pst_word_list *reference,
                                    const struct pst_word_list *words, struct pst_buffer *scratch,
                                    struct pst_error *error)
{
    if (pst_buffer_reserve(scratch, (words->count + 1) * sizeof(uint64_t), 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    uint64_t cost = cost_of(reference, words, scratch->data);
    uint64_t gaps = cost % ONE_ERROR;
    /* deletions + insertions = gaps, and deletions - insertions = the difference of the lengths */
    uint64_t deletions = (gaps + reference->count - words->count) / 2;
    errors->words += reference->count;
    errors->substitutions += cost / ONE_ERROR - gaps;
    errors->deletions += deletions;
    errors->insertions += gaps - deletions;
    return PST_OK;
}

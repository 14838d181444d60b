/*
 * The search for the words of an utterance: Viterbi's algorithm, all paths in step with the frames. Of the
 * paths that are in the same place only the best one is kept; its words are in its records.
 */
#include "lib/speech/search.h"

#include <math.h>
#include <stdlib.h>

/* ---- records ------------------------------------------------------------------------------------------- */

/* Makes room for all that one frame may record: each word, and silence behind each. */
static enum pst_status reserve_records(struct pst_search *search, struct pst_error *error)
{
    size_t most = search->record_count + 2 * search->words + 1;
    if (most > UINT32_MAX - 1)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the paths of one utterance");
    while (search->record_room < most) {
        struct record *grown = pst_grown(search->records, &search->record_room, search->record_room,
                                         sizeof *search->records, error);
        if (grown == NULL)
            return PST_TRY_AGAIN;
        search->records = grown;
    }
    return PST_OK;
}

static uint32_t add_record(struct pst_search *search, uint32_t previous, uint32_t word, size_t frame)
{
    search->records[search->record_count] = (struct record){ previous, word, (uint32_t)frame };
    return (uint32_t)search->record_count++;
}

/* ---- one frame ----------------------------------------------------------------------------------------- */

static void enter(struct pst_search *search, const struct chain *chain, float score, uint32_t record)
{
    search->score[chain->at] = score;
    search->record[chain->at] = record;
}

static void kill_chain(struct pst_search *search, struct chain *chain)
{
    for (uint32_t i = 0; i <= chain->states; i++)
        search->score[chain->at + i] = -INFINITY;
    chain->best = -INFINITY;
    chain->alive = false;
}

/* Moves the paths of a chain by one frame: each stays in its state or goes on to the next. */
static void advance(struct pst_search *search, struct chain *chain)
{
    float *score = search->score + chain->at, best = -INFINITY;
    uint32_t *record = search->record + chain->at;
    const uint16_t *state = search->state + chain->at;
    for (uint32_t i = chain->states; i > 0; i--) {
        bool goes_on = score[i - 1] > score[i];
        record[i] = goes_on ? record[i - 1] : record[i];
        score[i] = (goes_on ? score[i - 1] : score[i]) + search->acoustic[state[i]];
        best = score[i] > best ? score[i] : best;
    }
    score[0] = -INFINITY;
    chain->best = best;
    chain->alive = true;
}

/* Moves all chains. least: a chain without a score above it is given up. Returns the best score. */
static float advance_all(struct pst_search *search, float least)
{
    float best = -INFINITY;
    for (size_t i = 0; i < search->chain_count; i++) {
        struct chain *chain = &search->chains[i];
        float waits = search->score[chain->at];
        if ((waits > chain->best ? waits : chain->best) > least)
            advance(search, chain);
        else if (chain->alive || waits > -INFINITY)
            kill_chain(search, chain);
        best = chain->best > best ? chain->best : best;
    }
    return best;
}

/* ---- from word to word --------------------------------------------------------------------------------- */

/* The best path that is at the end of a chain, if it is better than what is known. */
static void end_of(const struct pst_search *search, const struct chain *chain, float *score, uint32_t *record)
{
    uint32_t last = chain->at + chain->states;
    if (search->score[last] > *score) {
        *score = search->score[last];
        *record = search->record[last];
    }
}

/* Finds the best path that may leave each context with this frame, and lets the ends of words enter silence.
 */
static void leave_words(struct pst_search *search, float least, size_t next_frame)
{
    for (size_t v = 0; v <= search->words; v++) {
        float score = -INFINITY;
        uint32_t record = NO_RECORD;
        for (size_t i = search->first_chain[v]; v < search->words && i < search->first_chain[v + 1]; i++)
            end_of(search, &search->chains[i], &score, &record);
        if (search->silence) {
            const struct chain *silence = &search->chains[search->first_chain[search->words] + v];
            if (score > least)
                enter(search, silence, score, add_record(search, record, SILENCE, next_frame));
            end_of(search, silence, &score, &record);
        }
        search->left[v] = score;
        search->left_record[v] = record;
    }
}

/* Finds from which context each word is entered best, and the end of the sentence. */
static void choose_contexts(struct pst_search *search, float least)
{
    const size_t side = search->words + 1;
    float *restrict entry = search->entry;
    uint32_t *restrict from = search->entry_from;
    for (size_t w = 0; w < side; w++)
        entry[w] = -INFINITY;
    for (size_t v = 0; v < side; v++) {
        const float *restrict weighed = search->weighed + v * side, left = search->left[v];
        if (!(left > least))
            continue;
        for (size_t w = 0; w < side; w++) {
            float score = left + weighed[w];
            from[w] = score > entry[w] ? (uint32_t)v : from[w];
            entry[w] = score > entry[w] ? score : entry[w];
        }
    }
}

static void enter_words(struct pst_search *search, float least, size_t next_frame)
{
    for (size_t w = 0; w < search->words; w++) {
        if (!(search->entry[w] > least))
            continue;
        uint32_t before = search->left_record[search->entry_from[w]];
        uint32_t record = add_record(search, before, (uint32_t)w, next_frame);
        for (size_t i = search->first_chain[w]; i < search->first_chain[w + 1]; i++)
            enter(search, &search->chains[i], search->entry[w], record);
    }
}

/* ---- an utterance -------------------------------------------------------------------------------------- */

/* Before the first frame: nothing was said, so every word and silence may begin. */
static void begin(struct pst_search *search)
{
    search->record_count = 0;
    for (size_t i = 0; i < search->chain_count; i++)
        kill_chain(search, &search->chains[i]);
    for (size_t v = 0; v <= search->words; v++)
        search->left[v] = v == search->words ? 0 : -INFINITY;
    search->left_record[search->words] = NO_RECORD;
    if (search->silence)
        enter(search, &search->chains[search->first_chain[search->words] + search->words], 0, NO_RECORD);
    choose_contexts(search, -INFINITY);
    enter_words(search, -INFINITY, 0);
}

/* Writes down the words that lead to a record, the last one first, and then reverses them. */
static enum pst_status trace_back(const struct pst_search *search, uint32_t at, size_t frames,
                                  struct pst_hypothesis *hypothesis, struct pst_error *error)
{
    for (size_t end = frames; at != NO_RECORD; at = search->records[at].previous) {
        const struct record *record = &search->records[at];
        if (record->word != SILENCE && hypothesis->count == hypothesis->room) {
            struct pst_found_word *grown =
                pst_grown(hypothesis->words, &hypothesis->room, hypothesis->count, sizeof *grown, error);
            if (grown == NULL)
                return PST_TRY_AGAIN;
            hypothesis->words = grown;
        }
        if (record->word != SILENCE)
            hypothesis->words[hypothesis->count++] =
                (struct pst_found_word){ record->word, record->frame, (uint32_t)end };
        end = record->frame;
    }
    for (size_t i = 0, j = hypothesis->count; i + 1 < j; i++) {
        struct pst_found_word last = hypothesis->words[--j];
        hypothesis->words[j] = hypothesis->words[i];
        hypothesis->words[i] = last;
    }
    return PST_OK;
}

/* Scores are kept near 0, because an f32 could not tell those of long utterances apart: the best score of the
 * frame before is subtracted from every path, and summed up. */
enum pst_status pst_search_utterance(struct pst_search *search, const float *log_p, size_t frames,
                                     struct pst_hypothesis *hypothesis, struct pst_error *error)
{
    float best = 0, least = -INFINITY;
    double offset = 0;
    hypothesis->count = 0;
    search->record_count = 0;
    if (reserve_records(search, error) != PST_OK)
        return PST_TRY_AGAIN;
    begin(search);
    for (size_t t = 0; t < frames; t++, log_p += search->states) {
        if (reserve_records(search, error) != PST_OK)
            return PST_TRY_AGAIN;
        float taken = isinf(best) ? 0 : best;
        for (size_t j = 0; j < search->states; j++)
            search->acoustic[j] = log_p[j] - search->bias[j] - taken;
        offset += (double)taken;
        best = advance_all(search, least);
        least = best - search->beam; /* -INFINITY without a beam */
        leave_words(search, least, t + 1);
        choose_contexts(search, t + 1 < frames ? least : -INFINITY);
        if (t + 1 < frames)
            enter_words(search, least, t + 1);
    }
    float score = search->entry[search->words];
    hypothesis->found = score > -INFINITY;
    hypothesis->score = offset + (double)score;
    if (!hypothesis->found)
        return PST_OK;
    return trace_back(search, search->left_record[search->entry_from[search->words]], frames, hypothesis,
                      error);
}

/* Language models estimated from transcripts, by absolute discounting (Ney, Essen and Kneser 1994). */
#include "lib/speech/language_model.h"

#include <math.h>
#include <stdlib.h>

/* Counts: [words + 1] of single words, the last of ends; [words + 1, words + 1] of pairs, in the table's
 * places. A table of floats holds them exactly up to 2^24. */
struct counts {
    double *single;
    double *pairs;
    size_t side;
};

static void count_sentence(struct counts *counts, const struct pst_word_list *list)
{
    size_t end = counts->side - 1, before = end;
    for (size_t i = 0; i <= list->count; i++) {
        size_t word = i < list->count ? list->words[i] : end;
        counts->single[word]++;
        counts->pairs[before * counts->side + word]++;
        before = word;
    }
}

static enum pst_status count_all(struct counts *counts, struct pst_language_model *model,
                                 const struct pst_lexicon *lexicon, const bool *chosen,
                                 struct pst_error *error)
{
    const struct pst_corpus *corpus = lexicon->corpus;
    struct pst_word_list list = { 0 };
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && i < corpus->count; i++) {
        if (!chosen[i] || corpus->utterances[i].words == NULL)
            continue;
        status = pst_lexicon_transcript(lexicon, i, &list, error);
        if (status != PST_OK)
            break;
        count_sentence(counts, &list);
        model->from++;
    }
    free(list.words);
    if (status == PST_OK && model->from == 0)
        return pst_fail(error, PST_BAD_DATA,
                        "none of the utterances that the language model is estimated from has a transcript");
    return status;
}

/* D = n1 / (n1 + 2 n2). */
static double discount_of(const double *counts, size_t count)
{
    size_t once = 0, twice = 0;
    for (size_t i = 0; i < count; i++) {
        once += counts[i] == 1;
        twice += counts[i] == 2;
    }
    return once == 0 || twice == 0 ? 0.5 : (double)once / (double)(once + 2 * twice);
}

/* log p(w) of all words, and of the end. Without counts all are alike. */
static void estimate_single(double *log_p, const struct counts *counts)
{
    double discount = discount_of(counts->single, counts->side), sum = 0;
    size_t types = 0;
    for (size_t w = 0; w < counts->side; w++) {
        sum += counts->single[w];
        types += counts->single[w] > 0;
    }
    for (size_t w = 0; w < counts->side; w++) {
        double kept = sum > 0 ? fmax(counts->single[w] - discount, 0) / sum : 0;
        double freed = sum > 0 ? discount * (double)types / sum : 1;
        log_p[w] = log(kept + freed / (double)counts->side);
    }
}

/* The log weight of words that were never seen after a word: it makes all p(. | before) add up to 1. */
static double backoff_of(const double *pairs, const double *single, size_t side, double discount)
{
    double sum = 0, freed = 0, unseen = 0;
    for (size_t w = 0; w < side; w++) {
        sum += pairs[w];
        freed += pairs[w] > 0 ? discount : 0;
        unseen += pairs[w] > 0 ? 0 : exp(single[w]);
    }
    return sum == 0 ? 0 : log(freed / sum / unseen);
}

/* If every word was seen behind `before`, nothing is discounted there. */
static void estimate_pairs(struct pst_language_model *model, const struct backoff *backoff,
                           const struct counts *counts)
{
    double discount = discount_of(counts->pairs, counts->side * counts->side);
    for (size_t before = 0; before < counts->side; before++)
        backoff->backoff[before] =
            backoff_of(counts->pairs + before * counts->side, backoff->single, counts->side, discount);
    language_model_back_off(model, backoff);
    for (size_t before = 0; before < counts->side; before++) {
        const double *pairs = counts->pairs + before * counts->side;
        double sum = 0;
        for (size_t w = 0; w < counts->side; w++)
            sum += pairs[w];
        double kept = isinf(backoff->backoff[before]) ? 0 : discount;
        for (size_t w = 0; w < counts->side; w++)
            if (pairs[w] > 0)
                *language_model_at(model, before, w) = (float)log((pairs[w] - kept) / sum);
    }
}

enum pst_status pst_language_model_estimate(struct pst_language_model *model,
                                            const struct pst_lexicon *lexicon, const bool *chosen,
                                            enum pst_ngram order, struct pst_error *error)
{
    struct backoff backoff;
    enum pst_status status = language_model_open(model, &backoff, lexicon, error);
    if (status != PST_OK)
        return status;
    size_t side = lexicon->count + 1;
    struct counts counts = { pst_allocate(side, sizeof(double), error),
                             pst_allocate(side * side, sizeof(double), error), side };
    if (counts.single == NULL || counts.pairs == NULL)
        status = PST_TRY_AGAIN;
    else if (order != PST_ZEROGRAM)
        status = count_all(&counts, model, lexicon, chosen, error);
    if (status == PST_OK) {
        estimate_single(backoff.single, &counts);
        if (order == PST_BIGRAM)
            estimate_pairs(model, &backoff, &counts);
        else
            language_model_back_off(model, &backoff);
    }
    free(counts.single);
    free(counts.pairs);
    backoff_free(&backoff);
    if (status != PST_OK)
        pst_language_model_free(model);
    return status;
}

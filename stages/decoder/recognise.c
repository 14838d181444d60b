/* The search for the words of an utterance, its files, and its errors. */
#include "stages/decoder/decoder.h"

#include <stdlib.h>

static const char *word_of(const struct decoder *decoder, size_t i)
{
    return decoder->lexicon.words[decoder->hypothesis.words[i].word].text;
}

static void write_words(const struct decoder *decoder, const struct outcome *outcome)
{
    const char *name = decoder->corpus.utterances[outcome->utterance].name;
    const struct pst_hypothesis *hypothesis = &decoder->hypothesis;
    if (decoder->hypotheses.out != NULL) {
        fputs(name, decoder->hypotheses.out);
        for (size_t i = 0; i < hypothesis->count; i++)
            fprintf(decoder->hypotheses.out, " %s", word_of(decoder, i));
        fputc('\n', decoder->hypotheses.out);
    }
    for (size_t i = 0; i < hypothesis->count && decoder->ctm.out != NULL; i++) {
        char times[80];
        pst_print_plain(times, sizeof times, "%.10g %.10g", hypothesis->words[i].begin * decoder->shift,
                        (hypothesis->words[i].end - hypothesis->words[i].begin) * decoder->shift);
        fprintf(decoder->ctm.out, "%s 1 %s %s\n", name, times, word_of(decoder, i));
    }
}

/* The words that were found, without their times. */
static enum pst_status list_words(struct decoder *decoder, struct pst_error *error)
{
    struct pst_word_list *list = &decoder->words;
    const struct pst_hypothesis *hypothesis = &decoder->hypothesis;
    if (hypothesis->count > list->room) {
        uint32_t *grown = realloc(list->words, hypothesis->count * sizeof *grown);
        if (grown == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory");
        list->words = grown;
        list->room = hypothesis->count;
    }
    for (size_t i = 0; i < hypothesis->count; i++)
        list->words[i] = hypothesis->words[i].word;
    list->count = hypothesis->count;
    return PST_OK;
}

enum pst_status recognise_errors(struct decoder *decoder, const struct scores *scores,
                                 const struct outcome *outcome, struct pst_word_errors *errors, bool *found,
                                 struct pst_error *error)
{
    const float *log_p = scores->log_p + outcome->first * scores->states;
    enum pst_status status =
        pst_search_utterance(decoder->search, log_p, outcome->frames, &decoder->hypothesis, error);
    *found = decoder->hypothesis.found;
    if (status == PST_OK)
        status = list_words(decoder, error);
    if (status == PST_OK && decoder->corpus.utterances[outcome->utterance].words != NULL)
        status = pst_lexicon_transcript(&decoder->lexicon, outcome->utterance, &decoder->reference, error);
    else
        return status;
    return status == PST_OK
               ? pst_word_errors_add(errors, &decoder->reference, &decoder->words, &decoder->scratch, error)
               : status;
}

enum pst_status recognise(struct decoder *decoder, struct outcome *outcome, struct pst_error *error)
{
    pst_search_set(decoder->search, &decoder->model, decoder->log_prior, &decoder->settings);
    enum pst_status status =
        recognise_errors(decoder, &decoder->of, outcome, &outcome->errors, &outcome->found, error);
    outcome->score = decoder->hypothesis.score;
    if (status == PST_OK)
        write_words(decoder, outcome);
    if (status != PST_OK || decoder->against.index == PST_NONE)
        return status;
    bool found;
    pst_search_set(decoder->search, &decoder->model, decoder->log_prior, &decoder->against_settings);
    return recognise_errors(decoder, &decoder->against, outcome, &outcome->others, &found, error);
}

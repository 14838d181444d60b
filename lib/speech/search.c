/* The graph that is searched for words, and how its scores are weighed. */
#include "lib/speech/search.h"

#include <math.h>
#include <stdlib.h>

static const struct pst_pronunciation *said_of(const struct pst_lexicon *lexicon, size_t word, size_t form)
{
    return &lexicon->corpus->dictionary[lexicon->words[word].first + form];
}

/* Counts chains, and the places of all of them. */
static void count_places(const struct pst_search *search, size_t *chains, size_t *places)
{
    const struct pst_lexicon *lexicon = search->lexicon;
    *chains = search->words + 1;
    *places = *chains * (PST_PHONE_STATES + 1);
    for (size_t w = 0; w < lexicon->count; w++) {
        for (size_t i = 0; i < lexicon->words[w].count; i++, ++*chains)
            *places += said_of(lexicon, w, i)->count * PST_PHONE_STATES + 1;
    }
}

static void add_chain(struct pst_search *search, const uint16_t *phones, size_t count, uint32_t *place)
{
    search->chains[search->chain_count++] =
        (struct chain){ .at = *place, .states = (uint32_t)(count * PST_PHONE_STATES) };
    ++*place;
    for (size_t i = 0; i < count; i++)
        for (size_t s = 0; s < PST_PHONE_STATES; s++)
            search->state[(*place)++] = (uint16_t)(phones[i] * PST_PHONE_STATES + s);
}

static void add_chains(struct pst_search *search)
{
    const struct pst_lexicon *lexicon = search->lexicon;
    const uint16_t silence = (uint16_t)lexicon->corpus->silence;
    uint32_t place = 0;
    for (size_t w = 0; w < lexicon->count; w++) {
        search->first_chain[w] = search->chain_count;
        for (size_t i = 0; i < lexicon->words[w].count; i++)
            add_chain(search, said_of(lexicon, w, i)->phones, said_of(lexicon, w, i)->count, &place);
    }
    search->first_chain[search->words] = search->chain_count;
    for (size_t v = 0; v <= search->words && search->silence; v++)
        add_chain(search, &silence, 1, &place);
}

enum pst_status pst_search_new(struct pst_search **made, const struct pst_lexicon *lexicon,
                               struct pst_error *error)
{
    size_t chains, places, side = lexicon->count + 1, states = pst_corpus_states(lexicon->corpus);
    struct pst_search *search = *made = pst_allocate(1, sizeof *search, error);
    if (search == NULL)
        return PST_TRY_AGAIN;
    search->lexicon = lexicon;
    search->words = lexicon->count;
    search->states = states;
    search->silence = lexicon->corpus->silence < lexicon->corpus->phones;
    search->beam = INFINITY;
    count_places(search, &chains, &places);
    if ((search->chains = pst_allocate(chains, sizeof *search->chains, error)) != NULL &&
        (search->first_chain = pst_allocate(side, sizeof *search->first_chain, error)) != NULL &&
        (search->state = pst_allocate(places, sizeof *search->state, error)) != NULL &&
        (search->score = pst_allocate(places, sizeof *search->score, error)) != NULL &&
        (search->record = pst_allocate(places, sizeof *search->record, error)) != NULL &&
        (search->weighed = pst_allocate(side * side, sizeof *search->weighed, error)) != NULL &&
        (search->bias = pst_allocate(states, sizeof *search->bias, error)) != NULL &&
        (search->acoustic = pst_allocate(states, sizeof *search->acoustic, error)) != NULL &&
        (search->left = pst_allocate(side, sizeof *search->left, error)) != NULL &&
        (search->left_record = pst_allocate(side, sizeof *search->left_record, error)) != NULL &&
        (search->entry = pst_allocate(side, sizeof *search->entry, error)) != NULL &&
        (search->entry_from = pst_allocate(side, sizeof *search->entry_from, error)) != NULL) {
        add_chains(search);
        return PST_OK;
    }
    pst_search_free(search);
    *made = NULL;
    return PST_TRY_AGAIN;
}

void pst_search_set(struct pst_search *search, const struct pst_language_model *model, const float *log_prior,
                    const struct pst_search_settings *settings)
{
    size_t side = search->words + 1;
    for (size_t i = 0; i < side * side; i++) {
        double penalty = i % side < search->words ? settings->penalty : 0;
        double log_p = (double)model->log_p[i]; /* -INFINITY stays so, with a scale of 0 as well */
        search->weighed[i] = (float)(isinf(log_p) ? log_p : settings->scale * log_p - penalty);
    }
    for (size_t j = 0; j < search->states; j++)
        search->bias[j] = log_prior != NULL ? (float)(settings->prior_exponent * (double)log_prior[j]) : 0;
    search->beam = (float)settings->beam;
}

void pst_search_free(struct pst_search *search)
{
    if (search == NULL)
        return;
    free(search->chains);
    free(search->first_chain);
    free(search->state);
    free(search->score);
    free(search->record);
    free(search->weighed);
    free(search->bias);
    free(search->acoustic);
    free(search->left);
    free(search->left_record);
    free(search->entry);
    free(search->entry_from);
    free(search->records);
    free(search);
}

void pst_hypothesis_free(struct pst_hypothesis *hypothesis)
{
    free(hypothesis->words);
    *hypothesis = (struct pst_hypothesis){ 0 };
}

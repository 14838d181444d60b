/* The first alignment, which needs no model: equal shares of the frames. */
#include "pipestill/speech.h"

/* Where states are written: the k-th of `total` has its share of the frames. */
struct shares {
    size_t k, total, frames;
    uint16_t *states;
};

static void add_phone(struct shares *shares, size_t phone)
{
    for (size_t s = 0; s < PST_PHONE_STATES; s++, shares->k++) {
        size_t begin = shares->k * shares->frames / shares->total;
        size_t end = (shares->k + 1) * shares->frames / shares->total;
        for (size_t t = begin; t < end; t++)
            shares->states[t] = (uint16_t)(phone * PST_PHONE_STATES + s);
    }
}

static const struct pst_pronunciation *first_of(const struct pst_lexicon *lexicon, uint32_t word)
{
    return &lexicon->corpus->dictionary[lexicon->words[word].first];
}

bool pst_flat_start(const struct pst_lexicon *lexicon, const struct pst_word_list *words, size_t frames,
                    uint16_t *states)
{
    const struct pst_corpus *corpus = lexicon->corpus;
    bool silence = corpus->silence < corpus->phones;
    size_t phones = silence ? 2 : 0;
    for (size_t i = 0; i < words->count; i++)
        phones += first_of(lexicon, words->words[i])->count;
    struct shares shares = { 0, phones * PST_PHONE_STATES, frames, states };
    if (phones == 0 || shares.total > frames)
        return false;
    if (silence)
        add_phone(&shares, corpus->silence);
    for (size_t i = 0; i < words->count; i++) {
        const struct pst_pronunciation *said = first_of(lexicon, words->words[i]);
        for (size_t j = 0; j < said->count; j++)
            add_phone(&shares, said->phones[j]);
    }
    if (silence)
        add_phone(&shares, corpus->silence);
    return true;
}

/* language_model.h: what the ways to make a language model share. */
#ifndef PIPESTILL_LIB_SPEECH_LANGUAGE_MODEL_H
#define PIPESTILL_LIB_SPEECH_LANGUAGE_MODEL_H

#include "pipestill/speech.h"

/*
 * A bigram with backoff, which becomes a table: log p(w | v) is that of the pair, if it is there, otherwise
 * backoff[v] + single[w]. Places are those of the table: `words` is the beginning as the word before, and the
 * end as the word.
 */
struct backoff {
    double *single;  /* [words + 1] */
    double *backoff; /* [words + 1] */
};

/* Makes an empty model for the words of a lexicon. Returns PST_OK; PST_BAD_DATA if there are too many. */
PST_CHECKED enum pst_status language_model_open(struct pst_language_model *model, struct backoff *backoff,
                                                const struct pst_lexicon *lexicon, struct pst_error *error);

/* Fills the whole table from single words; pairs are then set one by one. */
void language_model_back_off(struct pst_language_model *model, const struct backoff *backoff);

/* The place of p(word | before) in the table. */
float *language_model_at(struct pst_language_model *model, size_t before, size_t word);

void backoff_free(struct backoff *backoff);

#endif

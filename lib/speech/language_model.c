/* Language models: a dense table of log p(word | word before), so that the search need not follow backoff. */
#include "lib/speech/language_model.h"

#include <stdlib.h>

enum pst_status language_model_open(struct pst_language_model *model, struct backoff *backoff,
                                    const struct pst_lexicon *lexicon, struct pst_error *error)
{
    size_t side = lexicon->count + 1;
    *model = (struct pst_language_model){ .words = lexicon->count };
    *backoff = (struct backoff){ 0 };
    if (lexicon->count > PST_MOST_WORDS)
        return pst_fail(error, PST_BAD_DATA, "the dictionary has %zu words, but a language model at most %d",
                        lexicon->count, PST_MOST_WORDS);
    model->log_p = pst_allocate(side * side, sizeof *model->log_p, error);
    backoff->single = pst_allocate(side, sizeof *backoff->single, error);
    backoff->backoff = pst_allocate(side, sizeof *backoff->backoff, error);
    if (model->log_p != NULL && backoff->single != NULL && backoff->backoff != NULL)
        return PST_OK;
    backoff_free(backoff);
    pst_language_model_free(model);
    return PST_TRY_AGAIN;
}

float *language_model_at(struct pst_language_model *model, size_t before, size_t word)
{
    return model->log_p + before * (model->words + 1) + word;
}

void language_model_back_off(struct pst_language_model *model, const struct backoff *backoff)
{
    for (size_t before = 0; before <= model->words; before++)
        for (size_t word = 0; word <= model->words; word++)
            *language_model_at(model, before, word) =
                (float)(backoff->backoff[before] + backoff->single[word]);
}

void backoff_free(struct backoff *backoff)
{
    free(backoff->single);
    free(backoff->backoff);
    *backoff = (struct backoff){ 0 };
}

void pst_language_model_free(struct pst_language_model *model)
{
    free(model->log_p);
    *model = (struct pst_language_model){ 0 };
}

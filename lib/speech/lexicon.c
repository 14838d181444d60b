/* The words that can be recognised, and transcripts as numbers of words. */
#include "pipestill/speech.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int compare(const void *a, const void *b)
{
    return strcmp(((const struct pst_word *)a)->text, ((const struct pst_word *)b)->text);
}

/* Whether a pronunciation stands for silence, or for the end of a sentence. */
static bool is_filler(const struct pst_corpus *corpus, const struct pst_pronunciation *said)
{
    size_t phones = 0;
    while (phones < said->count && said->phones[phones] == corpus->silence)
        phones++;
    return phones == said->count || strcmp(said->word, "<s>") == 0 || strcmp(said->word, "</s>") == 0;
}

enum pst_status pst_lexicon_open(struct pst_lexicon *lexicon, const struct pst_corpus *corpus,
                                 struct pst_error *error)
{
    *lexicon = (struct pst_lexicon){ .corpus = corpus };
    lexicon->words = pst_allocate(corpus->pronunciations + 1, sizeof *lexicon->words, error);
    if (lexicon->words == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0, last; i < corpus->pronunciations; i = last) {
        const struct pst_pronunciation *said = &corpus->dictionary[i];
        for (last = i + 1; last < corpus->pronunciations; last++)
            if (strcmp(corpus->dictionary[last].word, said->word) != 0)
                break;
        if (!is_filler(corpus, said))
            lexicon->words[lexicon->count++] = (struct pst_word){ said->word, i, last - i };
    }
    qsort(lexicon->words, lexicon->count, sizeof *lexicon->words, compare);
    if (lexicon->count > 0)
        return PST_OK;
    pst_lexicon_close(lexicon);
    return pst_fail(error, PST_BAD_DATA, "%s: there is no dictionary with words in it", corpus->folder);
}

void pst_lexicon_close(struct pst_lexicon *lexicon)
{
    free(lexicon->words);
    *lexicon = (struct pst_lexicon){ 0 };
}

size_t pst_lexicon_find(const struct pst_lexicon *lexicon, const char *text, size_t length)
{
    size_t low = 0, high = lexicon->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const char *word = lexicon->words[middle].text;
        int order = strncmp(text, word, length);
        if (order == 0 && word[length] == '\0')
            return middle;
        if (order > 0)
            low = middle + 1;
        else
            high = middle;
    }
    return lexicon->count;
}

static enum pst_status refuse_word(const struct pst_lexicon *lexicon, const struct pst_utterance *utterance,
                                   const char *text, size_t length, struct pst_error *error)
{
    for (size_t i = 0; i < lexicon->count; i++) {
        const char *word = lexicon->words[i].text;
        if (strncasecmp(word, text, length) == 0 && word[length] == '\0')
            return pst_fail(
                error, PST_BAD_DATA,
                "utterance %s: the dictionary does not have the word '%.*s' of the transcript, but "
                "it has '%s'; write both in the same case",
                utterance->name, (int)length, text, word);
    }
    return pst_fail(error, PST_BAD_DATA,
                    "utterance %s: the dictionary does not have the word '%.*s' of the transcript; add its "
                    "pronunciation",
                    utterance->name, (int)length, text);
}

static enum pst_status add_word(struct pst_word_list *list, size_t word, struct pst_error *error)
{
    if (list->count == list->room) {
        uint32_t *grown = pst_grown(list->words, &list->room, list->count, sizeof *grown, error);
        if (grown == NULL)
            return PST_TRY_AGAIN;
        list->words = grown;
    }
    list->words[list->count++] = (uint32_t)word;
    return PST_OK;
}

enum pst_status pst_lexicon_transcript(const struct pst_lexicon *lexicon, size_t utterance,
                                       struct pst_word_list *list, struct pst_error *error)
{
    const struct pst_utterance *said = &lexicon->corpus->utterances[utterance];
    const char *text = said->words;
    list->count = 0;
    for (size_t length; text != NULL && *(text += strspn(text, " ")) != '\0'; text += length) {
        length = strcspn(text, " ");
        size_t word = pst_lexicon_find(lexicon, text, length);
        if (word == lexicon->count)
            return refuse_word(lexicon, said, text, length, error);
        if (add_word(list, word, error) != PST_OK)
            return PST_TRY_AGAIN;
    }
    return PST_OK;
}

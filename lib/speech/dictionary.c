/* The phones of a corpus, their states, and how words are pronounced. */
#include "lib/speech/own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_PHONES (65536 / PST_PHONE_STATES)
#define MOST_PHONE_BYTES 100 /* names of states are written into texts of fixed sizes */
#define MOST_WORD_PHONES 256

/* ---- phones ------------------------------------------------------------------------------------------ */

enum pst_status pst_corpus_take_phone(void *context, char *line, struct pst_error *error)
{
    struct pst_corpus *corpus = context;
    line += strspn(line, " \t");
    line[strcspn(line, " \t")] = '\0';
    if (*line == '\0' || *line == '#' || *line == '<')
        return PST_OK;
    if (pst_corpus_find_phone(corpus, line) < corpus->phones)
        return pst_fail(error, PST_BAD_DATA, "the phone '%.100s' comes twice", line);
    if (strlen(line) > MOST_PHONE_BYTES)
        return pst_fail(error, PST_BAD_DATA, "the name of a phone has at most %d bytes", MOST_PHONE_BYTES);
    if (corpus->phones == MOST_PHONES)
        return pst_fail(error, PST_BAD_DATA, "there are more than %d phones", MOST_PHONES);
    const char **grown =
        pst_grown((void *)corpus->phone, &corpus->own->phone_room, corpus->phones, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    corpus->phone = grown;
    grown[corpus->phones] = pst_corpus_text(corpus, line, error);
    return grown[corpus->phones] == NULL ? PST_TRY_AGAIN : (corpus->phones++, PST_OK);
}

size_t pst_corpus_find_phone(const struct pst_corpus *corpus, const char *name)
{
    size_t phone = 0;
    while (phone < corpus->phones && strcmp(corpus->phone[phone], name) != 0)
        phone++;
    return phone;
}

size_t pst_corpus_states(const struct pst_corpus *corpus)
{
    return PST_PHONE_STATES * corpus->phones;
}

void pst_corpus_state_name(const struct pst_corpus *corpus, size_t state, char *text, size_t size)
{
    snprintf(text, size, "%s.%zu", corpus->phone[state / PST_PHONE_STATES], state % PST_PHONE_STATES);
}

/* ---- words ------------------------------------------------------------------------------------------- */

/* Removes the number of a form that is not the first, "A(2)". */
static void cut_form(char *word)
{
    char *open = strrchr(word, '(');
    if (open != NULL && open > word && open[1] != '\0' && open[1 + strspn(open + 1, "0123456789")] == ')' &&
        word[strlen(word) - 1] == ')')
        *open = '\0';
}

/* Reads the phones of a word, in front of which a probability may stand. */
static enum pst_status take_phones(const struct pst_corpus *corpus, char **rest, uint16_t *phones,
                                   size_t *count, struct pst_error *error)
{
    double ignored;
    char *name = strtok_r(NULL, " \t", rest);
    if (name != NULL && pst_corpus_find_phone(corpus, name) == corpus->phones &&
        pst_parse_double(name, 0, 1, &ignored))
        name = strtok_r(NULL, " \t", rest);
    for (*count = 0; name != NULL; name = strtok_r(NULL, " \t", rest)) {
        size_t phone = pst_corpus_find_phone(corpus, name);
        if (phone == corpus->phones)
            return pst_fail(error, PST_BAD_DATA, "'%.100s' is not in the list of phones", name);
        if (*count == MOST_WORD_PHONES)
            return pst_fail(error, PST_BAD_DATA, "the word has more than %d phones", MOST_WORD_PHONES);
        phones[(*count)++] = (uint16_t)phone;
    }
    return *count > 0 ? PST_OK : pst_fail(error, PST_BAD_DATA, "the word has no phones");
}

enum pst_status pst_corpus_take_word(void *context, char *line, struct pst_error *error)
{
    struct pst_corpus *corpus = context;
    uint16_t phones[MOST_WORD_PHONES], *kept;
    char *rest, *word = strtok_r(line, " \t", &rest);
    struct pst_pronunciation said = { .number = corpus->pronunciations };
    if (word == NULL || strncmp(word, ";;", 2) == 0 || *word == '<')
        return PST_OK;
    cut_form(word);
    enum pst_status status = take_phones(corpus, &rest, phones, &said.count, error);
    if (status != PST_OK)
        return status;
    struct pst_pronunciation *grown =
        pst_grown(corpus->dictionary, &corpus->own->word_room, corpus->pronunciations, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    corpus->dictionary = grown;
    said.word = pst_corpus_text(corpus, word, error);
    said.phones = kept = pst_corpus_allocate(corpus, said.count * sizeof *kept, error);
    if (said.word == NULL || kept == NULL)
        return PST_TRY_AGAIN;
    memcpy(kept, phones, said.count * sizeof *kept);
    grown[corpus->pronunciations++] = said;
    return PST_OK;
}

/* By word, and forms of a word in the order of the file. */
static int compare_words(const void *a, const void *b)
{
    const struct pst_pronunciation *left = a, *right = b;
    int order = strcmp(left->word, right->word);
    return order != 0 ? order : left->number < right->number ? -1 : 1;
}

void pst_corpus_settle_dictionary(struct pst_corpus *corpus)
{
    if (corpus->pronunciations > 0)
        qsort(corpus->dictionary, corpus->pronunciations, sizeof *corpus->dictionary, compare_words);
    corpus->silence = pst_corpus_find_phone(corpus, "SIL");
}

size_t pst_corpus_find_word(const struct pst_corpus *corpus, const char *word)
{
    size_t from = 0, to = corpus->pronunciations;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (strcmp(corpus->dictionary[middle].word, word) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    bool found = from < corpus->pronunciations && strcmp(corpus->dictionary[from].word, word) == 0;
    return found ? from : corpus->pronunciations;
}

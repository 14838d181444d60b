/* A corpus: its utterances, and finding them by name. */
#include "lib/speech/own.h"

#include <stdlib.h>
#include <string.h>

/* ---- memory ------------------------------------------------------------------------------------------ */

void *pst_corpus_allocate(struct pst_corpus *corpus, size_t size, struct pst_error *error)
{
    struct pst_corpus_own *own = corpus->own;
    char **grown = pst_grown(own->blocks, &own->room, own->count, sizeof *grown, error);
    if (grown == NULL)
        return NULL;
    own->blocks = grown;
    char *block = calloc(1, size > 0 ? size : 1);
    if (block == NULL)
        (void)pst_fail(error, PST_TRY_AGAIN, "out of memory for a corpus");
    else
        own->blocks[own->count++] = block;
    return block;
}

const char *pst_corpus_text(struct pst_corpus *corpus, const char *text, struct pst_error *error)
{
    char *copy = pst_corpus_allocate(corpus, strlen(text) + 1, error);
    return copy == NULL ? NULL : strcpy(copy, text);
}

/* ---- utterances -------------------------------------------------------------------------------------- */

enum pst_status pst_corpus_add(struct pst_corpus *corpus, const struct pst_utterance *utterance,
                               struct pst_error *error)
{
    struct pst_utterance *grown =
        pst_grown(corpus->utterances, &corpus->own->utterance_room, corpus->count, sizeof *grown, error);
    if (grown == NULL)
        return PST_TRY_AGAIN;
    corpus->utterances = grown;
    struct pst_utterance copy = { .test = utterance->test };
    if ((copy.name = pst_corpus_text(corpus, utterance->name, error)) == NULL ||
        (copy.speaker = pst_corpus_text(corpus, utterance->speaker, error)) == NULL ||
        (copy.path = pst_corpus_text(corpus, utterance->path, error)) == NULL)
        return PST_TRY_AGAIN;
    grown[corpus->count++] = copy;
    return PST_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const struct pst_corpus_name *)a)->name, ((const struct pst_corpus_name *)b)->name);
}

enum pst_status pst_corpus_index(struct pst_corpus *corpus, struct pst_error *error)
{
    struct pst_corpus_name *names = pst_allocate(corpus->count, sizeof *names, error);
    if (names == NULL)
        return PST_TRY_AGAIN;
    corpus->own->by_name = names;
    for (size_t i = 0; i < corpus->count; i++)
        names[i] = (struct pst_corpus_name){ corpus->utterances[i].name, i };
    qsort(names, corpus->count, sizeof *names, compare_names);
    for (size_t i = 1; i < corpus->count; i++) {
        if (strcmp(names[i - 1].name, names[i].name) == 0)
            return pst_fail(error, PST_BAD_DATA, "the lists name the utterance '%.200s' twice",
                            names[i].name);
    }
    return PST_OK;
}

size_t pst_corpus_find(const struct pst_corpus *corpus, const char *name)
{
    const struct pst_corpus_name sought = { .name = name };
    const struct pst_corpus_name *found =
        bsearch(&sought, corpus->own->by_name, corpus->count, sizeof sought, compare_names);
    return found != NULL ? found->number : corpus->count;
}

/* Whether a word of a transcript is a mark: <s>, <sil>, ++NOISE++. */
static bool is_mark(const char *word)
{
    return (word[0] == '<' && word[strlen(word) - 1] == '>') || strncmp(word, "++", 2) == 0;
}

enum pst_status pst_corpus_add_words(struct pst_corpus *corpus, const char *name, char *words,
                                     struct pst_error *error)
{
    size_t number = pst_corpus_find(corpus, name);
    if (number == corpus->count)
        return pst_fail(error, PST_BAD_DATA, "no list names the utterance '%.200s'", name);
    if (corpus->utterances[number].words != NULL)
        return pst_fail(error, PST_BAD_DATA, "the utterance '%.200s' has a transcript already", name);
    char *text = pst_corpus_allocate(corpus, strlen(words) + 1, error), *end = text, *rest;
    if (text == NULL)
        return PST_TRY_AGAIN;
    for (char *word = strtok_r(words, " \t", &rest); word != NULL; word = strtok_r(NULL, " \t", &rest)) {
        if (is_mark(word))
            continue;
        if (end > text)
            *end++ = ' ';
        end = stpcpy(end, word);
    }
    corpus->utterances[number].words = text;
    return PST_OK;
}

/* ---- lists of some ----------------------------------------------------------------------------------- */

struct marking {
    const struct pst_corpus *corpus;
    bool *marks;
};

static enum pst_status mark_line(void *context, char *line, struct pst_error *error)
{
    const struct marking *marking = context;
    line += strspn(line, " \t");
    line[strcspn(line, " \t")] = '\0';
    if (*line == '\0' || *line == '#')
        return PST_OK;
    char *slash = strrchr(line, '/'), *name = slash != NULL ? slash + 1 : line;
    size_t number = pst_corpus_find(marking->corpus, name);
    char *point = strrchr(name, '.');
    if (number == marking->corpus->count && point != NULL) {
        *point = '\0';
        number = pst_corpus_find(marking->corpus, name);
    }
    if (number == marking->corpus->count)
        return pst_fail(error, PST_BAD_DATA, "the corpus has no utterance '%.200s'", name);
    if (marking->marks[number])
        return pst_fail(error, PST_BAD_DATA, "the utterance '%.200s' comes twice", name);
    marking->marks[number] = true;
    return PST_OK;
}

enum pst_status pst_corpus_mark(const struct pst_corpus *corpus, const char *path, bool *marks,
                                struct pst_error *error)
{
    struct marking marking = { corpus, marks };
    memset(marks, 0, corpus->count * sizeof *marks);
    return pst_file_lines(path, mark_line, &marking, error);
}

/* ---- opening ----------------------------------------------------------------------------------------- */

enum pst_status pst_corpus_open(struct pst_corpus *corpus, const char *folder, struct pst_error *error)
{
    bool found = false;
    *corpus = (struct pst_corpus){ .own = calloc(1, sizeof *corpus->own) };
    if (corpus->own == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a corpus");
    corpus->folder = pst_corpus_text(corpus, folder, error);
    enum pst_status status = corpus->folder == NULL ? PST_TRY_AGAIN : PST_OK;
    if (status == PST_OK)
        status = pst_corpus_read_sphinx(corpus, &found, error);
    if (status == PST_OK && !found)
        status = pst_corpus_read_kaldi(corpus, &found, error);
    if (status == PST_OK && !found)
        status =
            pst_fail(error, PST_NO_INPUT,
                     "%s: there is no corpus: neither etc/NAME_train.fileids nor wav.scp is there", folder);
    if (status == PST_OK && corpus->count == 0)
        status = pst_fail(error, PST_BAD_DATA, "%s: its lists name no utterance", folder);
    if (status == PST_OK)
        pst_corpus_settle_dictionary(corpus);
    else
        pst_corpus_close(corpus);
    return status;
}

void pst_corpus_close(struct pst_corpus *corpus)
{
    struct pst_corpus_own *own = corpus->own;
    for (size_t i = 0; own != NULL && i < own->count; i++)
        free(own->blocks[i]);
    if (own != NULL) {
        free(own->blocks);
        free(own->by_name);
    }
    free(own);
    free(corpus->utterances);
    free((void *)corpus->phone);
    free(corpus->dictionary);
    *corpus = (struct pst_corpus){ 0 };
}

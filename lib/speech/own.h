/* own.h: what the files of the speech room share about a corpus. Private to lib/speech. */
#ifndef PIPESTILL_LIB_SPEECH_OWN_H
#define PIPESTILL_LIB_SPEECH_OWN_H

#include "pipestill/speech.h"

struct pst_corpus_name {
    const char *name;
    size_t number;
};

struct pst_corpus_own {
    char **blocks; /* [count]: memory that is freed with the corpus */
    size_t count, room;
    size_t utterance_room, phone_room, word_room;
    struct pst_corpus_name *by_name; /* [utterances], in the order of names */
};

/* Memory that is freed with the corpus, zeroed. NULL, with an error, if memory is short. */
PST_CHECKED void *pst_corpus_allocate(struct pst_corpus *corpus, size_t size, struct pst_error *error);

/* A copy of a text that is freed with the corpus; NULL, with an error, if memory is short. */
PST_CHECKED const char *pst_corpus_text(struct pst_corpus *corpus, const char *text, struct pst_error *error);

/* Appends an utterance without words. Texts are copied. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_corpus_add(struct pst_corpus *corpus, const struct pst_utterance *utterance,
                                           struct pst_error *error);

/* Sorts the names, so that they can be found. Returns PST_OK; PST_BAD_DATA for a name that comes twice;
 * PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_corpus_index(struct pst_corpus *corpus, struct pst_error *error);

/* Gives an utterance its words, from words between blanks, which are changed; marks such as <s> are left
 * out. Returns PST_OK; PST_BAD_DATA if there is no such utterance, or it has words; PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_corpus_add_words(struct pst_corpus *corpus, const char *name, char *words,
                                                 struct pst_error *error);

/* A line of a list of phones: "AA", or "AA 12". For pst_file_lines. */
enum pst_status pst_corpus_take_phone(void *corpus, char *line, struct pst_error *error);

/* A line of a dictionary: "WORD PHONE …", "WORD(2) PHONE …", "WORD 0.7 PHONE …". For pst_file_lines. */
enum pst_status pst_corpus_take_word(void *corpus, char *line, struct pst_error *error);

/* Puts the dictionary in order, and finds silence. */
void pst_corpus_settle_dictionary(struct pst_corpus *corpus);

/* The lists of a folder, as Sphinx or Kaldi has them. found: receives whether there are any. */
PST_CHECKED enum pst_status pst_corpus_read_sphinx(struct pst_corpus *corpus, bool *found,
                                                   struct pst_error *error);
PST_CHECKED enum pst_status pst_corpus_read_kaldi(struct pst_corpus *corpus, bool *found,
                                                  struct pst_error *error);

#endif

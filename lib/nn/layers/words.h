/* words.h: the settings in the words of layers: "3x3:32,stride=2,nobias". */
#ifndef PIPESTILL_NN_WORDS_H
#define PIPESTILL_NN_WORDS_H

#include "pipestill/layers.h"

enum pst_key_kind {
    PST_KEY_PAIR,  /* ",stride=2" or ",stride=2x1": size_t [2], height and width */
    PST_KEY_COUNT, /* ",groups=4": size_t */
    PST_KEY_REAL,  /* ",epsilon=0.001": double */
    PST_KEY_FLAG,  /* ",nobias": bool */
};

/* A key that may follow a word. A key without a name ends a table. */
struct pst_word_key {
    const char *name;
    enum pst_key_kind kind;
    size_t at; /* offset of its value in the settings */
    double least, most;
};

/* Reads "3" or "3x5" into height and width, each 0 to 4095, and moves on behind it. */
PST_CHECKED bool pst_word_pair(const char **word, size_t pair[2]);

/* Reads a whole number of at most PST_MAX_WIDTH and moves on behind it. */
PST_CHECKED bool pst_word_count(const char **word, size_t *count);

/* Reads the keys that follow a word, up to its end: those of the table, each at most once. */
PST_CHECKED bool pst_word_keys(const char *word, const struct pst_word_key *keys, void *settings);

/* Writes "3x5" after what is before it. */
void pst_word_write_pair(FILE *text, const char *before, const size_t pair[2]);

/* Writes ",key=0.001", so that it is read as the same number. */
void pst_word_write_real(FILE *text, const char *key, double value);

#endif

/* search.h: what the files of the search for words share. */
#ifndef PIPESTILL_LIB_SPEECH_SEARCH_H
#define PIPESTILL_LIB_SPEECH_SEARCH_H

#include "pipestill/speech.h"

#define NO_RECORD UINT32_MAX
#define SILENCE UINT32_MAX /* in place of a word */

/* States in a row: a pronunciation, or a copy of silence. The first of its places is the one before its first
 * state: a path that enters with the next frame waits there. */
struct chain {
    uint32_t at;     /* its first place */
    uint32_t states; /* behind it */
    float best;      /* of its states, after the last frame */
    bool alive;      /* otherwise all its scores are -INFINITY */
};

/* A word, or silence, was entered. */
struct record {
    uint32_t previous; /* the record of what was before; NO_RECORD: nothing was */
    uint32_t word;     /* or SILENCE */
    uint32_t frame;    /* its first one */
};

/*
 * The search's graph and its memory. Context v < words means that v was the last word, context `words` that
 * there was none. Chains are those of the words, in their order, then the copy of silence of each context.
 */
struct pst_search {
    const struct pst_lexicon *lexicon;
    size_t words, states;
    size_t chain_count;
    struct chain *chains;
    size_t *first_chain; /* [words + 1] of each word; the last is that of silence */
    bool silence;
    uint16_t *state;  /* [places]: of each place in a chain */
    float *score;     /* [places], of the best path to there, less pst_search_utterance's `offset` */
    uint32_t *record; /* [places], of that path */
    float *weighed;   /* [words + 1, words + 1]: the language model's scores */
    float *bias;      /* [states]: subtracted from log_p */
    float beam;
    float *acoustic; /* [states], of this frame */
    float *left;     /* [words + 1]: the best score of a path that may leave a context */
    uint32_t *left_record;
    float *entry;         /* [words + 1]: the best score with which a word may be entered, or the end */
    uint32_t *entry_from; /* [words + 1]: the context */
    struct record *records;
    size_t record_count, record_room;
};

/* Chains of a word: [first_chain[word], first_chain[word + 1]). The silence of context v: first_chain[words]
 * + v. */

#endif

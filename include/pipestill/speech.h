/*
 * speech.h: what a corpus of speech is beside its sound: utterances, speakers, transcripts, pronunciations,
 * the states of phones, which frame is in which state, and the search for the words. Knows nothing of
 * streams, networks or files of sound.
 */
#ifndef PIPESTILL_SPEECH_H
#define PIPESTILL_SPEECH_H

#include "pipestill/base.h"

/* ---- frames ------------------------------------------------------------------------------------------ */

/* The id of a frame is (number of its utterance) · 2^20 + its place there: no utterance has more frames. */
#define PST_FRAME_BITS 20
#define PST_MAX_FRAMES ((size_t)1 << PST_FRAME_BITS)

/* States of a phone, from left to right. State s of phone p is class PST_PHONE_STATES · p + s. */
#define PST_PHONE_STATES 3

/* ---- corpora ----------------------------------------------------------------------------------------- */

/* One utterance. Texts are the corpus's. */
struct pst_utterance {
    const char *name;    /* "an251-fash-b"; no other utterance has it */
    const char *speaker; /* "fash" */
    const char *path;    /* of its file of sound, without an ending in lists as Sphinx has them */
    const char *words;   /* its transcript, words between single spaces; NULL: there is none */
    bool test;           /* it is in the list of the test part */
};

/* A word, said in one way. */
struct pst_pronunciation {
    const char *word;
    size_t count; /* of phones, ≥ 1 */
    const uint16_t *phones;
    size_t number; /* its place in the file */
};

/* A corpus that is open. {0} is closed. An utterance's number is its place in the array. */
struct pst_corpus {
    const char *folder;
    size_t count;
    struct pst_utterance *utterances;     /* [count]: the training list's, then the test list's; owned */
    size_t phones;                        /* 0: the corpus names none */
    const char **phone;                   /* [phones], in the order of its list; owned */
    size_t silence;                       /* the phone that is silence; phones: there is none */
    size_t pronunciations;                /* 0: there is no dictionary */
    struct pst_pronunciation *dictionary; /* [pronunciations], by word, its first form first; owned */
    struct pst_corpus_own *own;           /* texts, and what finds names */
};

/*
 * Opens a corpus.
 * folder: as Sphinx has it: etc/ holds NAME_train.fileids and NAME_test.fileids (FOLDER/SPEAKER/UTTERANCE,
 * the utterance's name is the last part, its speaker the one before), NAME_train.transcription and
 *   NAME_test.transcription ("WORDS (UTTERANCE)", with or without <s> and </s>), NAME.dic, NAME.filler and
 *   NAME.phone; sound is below audio/ or wav/. Or as Kaldi has it: train/ and test/, or the folder itself,
 *   hold wav.scp, text and utt2spk; lexicon.txt and phones.txt stand in the folder, or below dict/.
 * Returns PST_OK; PST_NO_INPUT if there is neither kind of list; PST_BAD_DATA, with file and line, for a name
 * that comes twice, a transcript of no utterance, a phone that is not in the list; PST_IO_ERROR;
 * PST_TRY_AGAIN. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_corpus_open(struct pst_corpus *corpus, const char *folder,
                                            struct pst_error *error);

/* Frees what a corpus holds and makes it {0}. */
void pst_corpus_close(struct pst_corpus *corpus);

/* The number of an utterance; count if no utterance has the name. */
size_t pst_corpus_find(const struct pst_corpus *corpus, const char *name);

/* The number of a phone; phones if the list does not have it. */
size_t pst_corpus_find_phone(const struct pst_corpus *corpus, const char *name);

/* The first pronunciation of a word; pronunciations if the dictionary does not have it. The others follow. */
size_t pst_corpus_find_word(const struct pst_corpus *corpus, const char *word);

/* The classes of a corpus's frames: PST_PHONE_STATES · phones. */
size_t pst_corpus_states(const struct pst_corpus *corpus);

/* What a state is called, "AA.0". text: receives it, cut to size. */
void pst_corpus_state_name(const struct pst_corpus *corpus, size_t state, char *text, size_t size);

/*
 * Marks the utterances that a list file names: a line's first word without folders and without an ending,
 * so that lists of files as Sphinx has them and lists of utterances as Kaldi has them will do.
 * marks: [count]; receives true for those that are named, and false for all others.
 * Returns PST_OK; PST_BAD_DATA, with file and line, for a name that no utterance has, or one that comes
 * twice; what opening returns.
 */
PST_CHECKED enum pst_status pst_corpus_mark(const struct pst_corpus *corpus, const char *path, bool *marks,
                                            struct pst_error *error);

/* ---- alignments -------------------------------------------------------------------------------------- */

/* The state of each frame of some utterances. {0} is empty. */
struct pst_alignments {
    size_t count;      /* utterances of the corpus */
    size_t *frames;    /* [count]; 0: the utterance is not aligned; owned */
    uint16_t **states; /* [count]: [frames] or NULL; owned */
};

/*
 * Reads alignments: lines "UTTERANCE CHANNEL START DURATION STATE" (NIST's ctm; times in seconds), in which
 * the lines of an utterance stand together and follow each other without a gap. STATE is a state's name.
 * Lines that begin with ;; are comments. shift: seconds from frame to frame; times are multiples of it, to a
 * tenth. Returns PST_OK; PST_BAD_DATA, with file and line; PST_NO_INPUT; PST_IO_ERROR; PST_TRY_AGAIN. On
 * failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_alignments_read(struct pst_alignments *alignments,
                                                const struct pst_corpus *corpus, const char *path,
                                                double shift, struct pst_error *error);

/*
 * Writes the alignment of one utterance as pst_alignments_read reads it, a line for each run of a state.
 * states: [frames]. Errors of the file are the caller's to find.
 */
void pst_alignment_write(FILE *file, const struct pst_corpus *corpus, size_t utterance,
                         const uint16_t *states, size_t frames, double shift);

/* Frees what they hold and makes them {0}. */
void pst_alignments_free(struct pst_alignments *alignments);

#endif

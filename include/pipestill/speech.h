/*
 * speech.h: a corpus of speech without its sound: utterances, speakers, transcripts, pronunciations, the
 * states of phones, the state of each frame, and the search for words. Independent of streams, networks and
 * files of sound.
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

/* One utterance. The corpus owns the texts. */
struct pst_utterance {
    const char *name;    /* "an251-fash-b"; no other utterance has it */
    const char *speaker; /* "fash" */
    const char *path;    /* of its file of sound; lists in Sphinx's form leave out its ending */
    const char *words;   /* its transcript, words between single spaces; NULL: there is none */
    bool test;           /* it is in the list of the test part */
};

/* One pronunciation of a word. */
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
    struct pst_corpus_own *own;           /* texts, and tables to find names */
};

/*
 * Opens a corpus.
 * folder: in Sphinx's form etc/ holds NAME_train.fileids and NAME_test.fileids (FOLDER/SPEAKER/UTTERANCE,
 * the utterance's name is the last part, its speaker the one before), NAME_train.transcription and
 *   NAME_test.transcription ("WORDS (UTTERANCE)", with or without <s> and </s>), NAME.dic and
 *   NAME.phone; sound is below audio/ or wav/. In Kaldi's form train/ and test/, or the folder itself, hold
 *   wav.scp, text and utt2spk; lexicon.txt and phones.txt are in the folder, or below dict/.
 * Returns PST_OK; PST_NO_INPUT if there is neither kind of list; PST_BAD_DATA, with file and line, for a
 * name that comes twice, a transcript without an utterance, a phone that is not in the list; PST_IO_ERROR;
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

/* The name of a state, "AA.0". text: receives it, cut to size. */
void pst_corpus_state_name(const struct pst_corpus *corpus, size_t state, char *text, size_t size);

/*
 * Marks the utterances that a list file names: a line's first word without folders and without an ending, so
 * that lists of files (Sphinx) and lists of utterances (Kaldi) both work.
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
 * the lines of an utterance are together and have no gap in time. STATE is a state's name. Lines that begin
 * with ;; are comments. shift: seconds from frame to frame; times are multiples of it, to a tenth of it.
 * Returns PST_OK; PST_BAD_DATA, with file and line; PST_NO_INPUT; PST_IO_ERROR; PST_TRY_AGAIN. On failure
 * nothing is owned.
 */
PST_CHECKED enum pst_status pst_alignments_read(struct pst_alignments *alignments,
                                                const struct pst_corpus *corpus, const char *path,
                                                double shift, struct pst_error *error);

/*
 * Writes the alignment of one utterance as pst_alignments_read reads it, a line for each run of a state.
 * states: [frames]. The caller has to check the file for errors.
 */
void pst_alignment_write(FILE *file, const struct pst_corpus *corpus, size_t utterance,
                         const uint16_t *states, size_t frames, double shift);

/* Frees what they hold and makes them {0}. */
void pst_alignments_free(struct pst_alignments *alignments);

/* ---- words ------------------------------------------------------------------------------------------- */

/* A word that can be recognised: pronunciations [first, first + count) of the corpus's dictionary. */
struct pst_word {
    const char *text;
    size_t first, count;
};

/*
 * The words of a dictionary that are not silence, in alphabetical order; a word's number is its place here.
 * {0} is closed.
 */
struct pst_lexicon {
    const struct pst_corpus *corpus; /* borrowed */
    size_t count;
    struct pst_word *words; /* [count]; owned */
};

/* Words by their numbers. {0} is empty. */
struct pst_word_list {
    size_t count, room;
    uint32_t *words; /* [count]; owned */
};

/*
 * Makes a lexicon. A word is left out if it is called <s> or </s>, or if all its phones are silence.
 * Returns PST_OK; PST_BAD_DATA if the corpus has no word that is not silence; PST_TRY_AGAIN. On failure
 * nothing is owned.
 */
PST_CHECKED enum pst_status pst_lexicon_open(struct pst_lexicon *lexicon, const struct pst_corpus *corpus,
                                             struct pst_error *error);

/* Frees what a lexicon holds and makes it {0}. */
void pst_lexicon_close(struct pst_lexicon *lexicon);

/* The number of the word that is `length` bytes at text; count if the lexicon does not have it. */
size_t pst_lexicon_find(const struct pst_lexicon *lexicon, const char *text, size_t length);

/*
 * Turns the transcript of an utterance into numbers of words.
 * list: receives them in place of its old contents; its memory is reused.
 * Returns PST_OK; PST_BAD_DATA for a word that the dictionary does not have: the message names it, and the
 * same word in another case if there is one; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_lexicon_transcript(const struct pst_lexicon *lexicon, size_t utterance,
                                                   struct pst_word_list *list, struct pst_error *error);

/* ---- language models --------------------------------------------------------------------------------- */

/* The most words of a language model, which has a row and a column for each. */
#define PST_MOST_WORDS 8192

/* The order of a language model. PST_ZEROGRAM gives all words the same probability. */
enum pst_ngram { PST_BIGRAM, PST_UNIGRAM, PST_ZEROGRAM };

/*
 * log p(word | the word before), natural. {0} is empty.
 * log_p: [words + 1, words + 1], a row for each word before; the last row is the beginning of a sentence,
 * the last column its end. A word that cannot follow has -INFINITY. The others' p add up to 1 in each row.
 */
struct pst_language_model {
    size_t words;
    float *log_p;   /* owned */
    size_t from;    /* sentences that it was estimated from; 0 if it was read */
    size_t unknown; /* words of the lexicon that are not in the file; they have the p of <unk>, or 0 */
};

/*
 * Estimates a language model from transcripts, by absolute discounting: with c counts, D = n1 / (n1 + 2 n2)
 * of each order (Ney, Essen and Kneser 1994; 0.5 if n1 or n2 is 0), and V = words + 1,
 *   p(w) = max(c(w) - D1, 0) / c + (D1 · types / c) / V,
 *   p(w | v) = max(c(v, w) - D2, 0) / c(v), or, if v w was not seen, backoff(v) p(w), with a backoff that
 *   makes them add up to 1.
 * chosen: [utterances of the corpus], whose transcripts are counted; those without one are skipped. Returns
 * PST_OK; PST_BAD_DATA if there are more than PST_MOST_WORDS words, or if none of the chosen has a
 * transcript (PST_ZEROGRAM allows that); what pst_lexicon_transcript returns. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_language_model_estimate(struct pst_language_model *model,
                                                        const struct pst_lexicon *lexicon, const bool *chosen,
                                                        enum pst_ngram order, struct pst_error *error);

/*
 * Reads a language model from an ARPA file with 1-grams, or 1-grams and 2-grams. Words that the lexicon does
 * not have are skipped; a logarithm of -99 or less means p = 0.
 * Returns PST_OK; PST_BAD_DATA, with file and line; PST_NO_INPUT; PST_IO_ERROR; PST_TRY_AGAIN. On failure
 * nothing is owned.
 */
PST_CHECKED enum pst_status pst_language_model_read(struct pst_language_model *model,
                                                    const struct pst_lexicon *lexicon, const char *path,
                                                    struct pst_error *error);

/* Frees what a language model holds and makes it {0}. */
void pst_language_model_free(struct pst_language_model *model);

/* ---- the search for the words ------------------------------------------------------------------------ */

/* How scores are weighted. The score of a path is Σ (log p(s | x) - prior_exponent · log p(s)) over frames +
 * Σ (scale · log p(word | word before) - penalty) over words + scale · log p(end | last word). */
struct pst_search_settings {
    double prior_exponent;
    double scale;
    double penalty;
    double beam; /* paths whose score is lower than the best by more than this are dropped; INFINITY: none */
};

/* A word that was found, and its frames [begin, end). */
struct pst_found_word {
    uint32_t word;
    uint32_t begin, end;
};

/* What was found in an utterance. {0} is empty. */
struct pst_hypothesis {
    bool found; /* a path reaches the end; else there are no words */
    double score;
    size_t count, room;
    struct pst_found_word *words; /* [count]; owned */
};

struct pst_search;

/*
 * Prepares to search utterances for words: a loop over all words, each in all its pronunciations, whose
 * phones have PST_PHONE_STATES states in a row, each of one frame or more. Before and behind each word there
 * may be silence, if the corpus has such a phone; there is one copy of it for each word before. lexicon:
 * borrowed. Returns PST_OK; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_search_new(struct pst_search **search, const struct pst_lexicon *lexicon,
                                           struct pst_error *error);

/*
 * Sets how it searches. model: of the lexicon's words; copied. log_prior: [states]; copied; NULL: none.
 */
void pst_search_set(struct pst_search *search, const struct pst_language_model *model, const float *log_prior,
                    const struct pst_search_settings *settings);

/*
 * Finds the words of an utterance: those of the best path (Viterbi). Without a beam no path is better.
 * log_p: [frames, states], finite. frames: at least 1, at most PST_MAX_FRAMES.
 * hypothesis: receives them; its memory is reused.
 * Returns PST_OK, whether or not a path was found; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_search_utterance(struct pst_search *search, const float *log_p, size_t frames,
                                                 struct pst_hypothesis *hypothesis, struct pst_error *error);

/* Frees a search; NULL is allowed. */
void pst_search_free(struct pst_search *search);

/* Frees what a hypothesis holds and makes it {0}. */
void pst_hypothesis_free(struct pst_hypothesis *hypothesis);

/* ---- forced alignment -------------------------------------------------------------------------------- */

/* Memory for alignments, reused for each. {0} is empty. */
struct pst_aligner {
    struct pst_buffer nodes, arcs, scores, traces;
};

/*
 * Finds the best path of states along known words: all pronunciations of each, and optional silence before,
 * between and behind them, if the corpus has such a phone.
 * log_p: [frames, states], finite. log_prior: [states], subtracted from each frame's log_p, times
 * prior_exponent; NULL: none. states: receives [frames]. score: receives the sum over the frames.
 * found: receives false if there are fewer frames than states in the shortest path.
 * Returns PST_OK, found or not; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_align(struct pst_aligner *aligner, const struct pst_lexicon *lexicon,
                                      const struct pst_word_list *words, const float *log_p,
                                      const float *log_prior, double prior_exponent, size_t frames,
                                      uint16_t *states, double *score, bool *found, struct pst_error *error);

/* Frees what an aligner holds and makes it {0}. */
void pst_aligner_free(struct pst_aligner *aligner);

/*
 * Gives equal shares of the frames to the states of silence (if the corpus has it), of the first
 * pronunciation of each word, and of silence again: state k of K has frames [k · frames / K, (k + 1) ·
 * frames / K). states: receives [frames]. Returns false, with `states` unchanged, if there are fewer frames
 * than states.
 */
PST_CHECKED bool pst_flat_start(const struct pst_lexicon *lexicon, const struct pst_word_list *words,
                                size_t frames, uint16_t *states);

/*
 * The logarithms of the states' shares of aligned frames. A state without a frame counts as if it had half
 * of one. log_prior: receives [states]. Returns PST_OK; PST_BAD_DATA if no frame is aligned.
 */
PST_CHECKED enum pst_status pst_alignments_priors(const struct pst_alignments *alignments,
                                                  const struct pst_corpus *corpus, float *log_prior,
                                                  struct pst_error *error);

/* ---- word errors ------------------------------------------------------------------------------------- */

struct pst_word_errors {
    uint64_t words; /* of the reference */
    uint64_t substitutions, deletions, insertions;
};

/*
 * Compares words with those of a reference: the fewest errors (Levenshtein), and, if several alignments have
 * that few, the one with most substitutions. scratch: reused. Adds to errors.
 * Returns PST_OK; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_word_errors_add(struct pst_word_errors *errors,
                                                const struct pst_word_list *reference,
                                                const struct pst_word_list *words, struct pst_buffer *scratch,
                                                struct pst_error *error);

/* An interval. */
struct pst_interval {
    double low, high;
};

/*
 * A 95 % bootstrap interval (percentiles) of Σ errors / Σ words, or with `others`, which are of the same
 * units, of its difference Σ (errors - others) / Σ words. Units are drawn with replacement: utterances, or
 * speakers (Bisani and Ney 2004).
 * errors, others, words: [units]; others: NULL for none. resamples: at least 1. The same arguments give the
 * same interval. interval: receives it; NaN if all words are 0 or there is no unit.
 * Returns PST_OK; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_bootstrap(const uint64_t *errors, const uint64_t *others,
                                          const uint64_t *words, size_t units, size_t resamples,
                                          uint64_t seed, struct pst_interval *interval,
                                          struct pst_error *error);

#endif

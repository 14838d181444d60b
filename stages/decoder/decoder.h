/* decoder.h: what the files of this stage share. */
#ifndef PIPESTILL_STAGES_DECODER_H
#define PIPESTILL_STAGES_DECODER_H

#include "pipestill.h"

struct json_t;

/* ---- scores.c: a tensor of the stream as log p(state | x), for the utterances in memory ---- */

enum scores_kind { SCORES_LOGITS, SCORES_SOFT, SCORES_LABELS };

struct scores {
    struct pst_tensor_spec spec;
    size_t index; /* PST_NONE: there is no such tensor */
    enum scores_kind kind;
    size_t states, room;
    float *log_p; /* [room, states] */
    double *row;  /* [states], scratch */
};

/* Finds the tensor. named, option: as for pst_target_find. Returns PST_OK; PST_BAD_DATA; PST_TRY_AGAIN. */
PST_CHECKED enum pst_status scores_open(struct scores *scores, const char *named, const char *option,
                                        size_t states, const struct pst_header *header,
                                        struct pst_error *error);

/* Checks the rows of a batch. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status scores_check(const struct scores *scores, const struct pst_batch *batch,
                                         struct pst_error *error);

/* Puts one row of a batch into memory. at: its place there. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status scores_take(struct scores *scores, const struct pst_batch *batch, size_t sample,
                                        size_t at, struct pst_error *error);

void scores_close(struct scores *scores);

/* ---- files.c: texts that appear when they are whole ---- */

/* {0} is closed. */
struct text_file {
    struct pst_atomic_file file;
    const char *path;
    FILE *out; /* to be written to; NULL if no file is wanted */
};

/* path: NULL: no file is wanted. Returns what pst_atomic_open returns. */
PST_CHECKED enum pst_status text_file_open(struct pst_run *run, struct text_file *file, const char *path,
                                           struct pst_error *error);
PST_CHECKED enum pst_status text_file_commit(struct text_file *file, struct pst_error *error);
void text_file_abandon(struct text_file *file);

/* ---- settings.c ---- */

PST_CHECKED enum pst_status settings_read(struct pst_search_settings *settings, const char *path,
                                          struct pst_error *error);
void settings_write(FILE *file, const struct pst_search_settings *settings);

/* ---- the stage ---- */

/* One utterance that was searched, or aligned. */
struct outcome {
    size_t utterance, frames;
    size_t first; /* of its frames in memory */
    bool found;
    double score;                          /* of the path that was found */
    struct pst_word_errors errors, others; /* all 0 without a transcript */
};

/* Utterances left out of an alignment. */
struct left_out {
    size_t silent; /* without a transcript */
    size_t brief;  /* with too few frames */
    size_t example;
};

struct decoder {
    /* options */
    const char *of_name, *against_name, *folder, *priors_path, *transcripts, *model_path;
    const char *tune, *settings_path, *against_settings_path, *align_path, *hypotheses_path, *ctm_path;
    struct pst_search_settings settings; /* beam 0: none */
    int ngram;                           /* of enum pst_ngram */
    bool flat, as_json;
    double shift;
    size_t resamples;
    uint64_t seed;

    struct pst_search_settings against_settings;
    struct pst_corpus corpus;
    struct pst_lexicon lexicon;
    struct pst_language_model model;
    struct pst_alignments aligned; /* of --priors */
    float *log_prior;              /* [states]; NULL: there are none */
    bool *chosen;                  /* [utterances]: the language model is estimated from them */
    struct text_file hypotheses, ctm, alignment, tuned;

    size_t id;
    struct scores of, against;
    bool *came;       /* [utterances] */
    bool begun;       /* an utterance is in memory, the last outcome */
    size_t in_memory; /* frames, of those before it */
    struct outcome *outcomes;
    size_t outcome_count, outcome_room;

    struct pst_search *search;
    struct pst_hypothesis hypothesis;
    struct pst_word_list reference, words;
    struct pst_buffer scratch;

    struct pst_aligner aligner;
    struct pst_buffer states; /* of the utterance that is aligned */
    struct left_out left_out;
    double log_likelihood;
    size_t aligned_frames, compared_frames, same_frames;
};

/* ---- sources.c: what is opened before the stream ---- */

PST_CHECKED enum pst_status sources_open(struct pst_run *run, struct pst_error *error);

/* ---- frames.c: from batches to utterances ---- */

/* Takes the frames of a batch, and finishes each utterance when the next one begins. */
PST_CHECKED enum pst_status frames_take(struct pst_run *run, const struct pst_batch *batch,
                                        struct pst_error *error);

/* Finishes the last one. */
PST_CHECKED enum pst_status frames_end(struct pst_run *run, struct pst_error *error);

/* ---- recognise.c ---- */

/* Searches an utterance that is in memory for its words, writes them to the files and counts errors. */
PST_CHECKED enum pst_status recognise(struct decoder *decoder, struct outcome *outcome,
                                      struct pst_error *error);

/* The errors of one search. errors: is added to. */
PST_CHECKED enum pst_status recognise_errors(struct decoder *decoder, const struct scores *scores,
                                             const struct outcome *outcome, struct pst_word_errors *errors,
                                             bool *found, struct pst_error *error);

/* ---- align.c ---- */

PST_CHECKED enum pst_status align(struct decoder *decoder, struct outcome *outcome, struct pst_error *error);
PST_CHECKED enum pst_status align_report(const struct decoder *decoder, struct pst_report *report,
                                         struct pst_error *error);

/* ---- tune.c ---- */

/* Tries settings on all utterances, which are in memory, and leaves the best in the decoder. */
PST_CHECKED enum pst_status tune(struct pst_run *run, struct pst_error *error);

/* Says if the best settings are at the edge of those that were tried, because better ones may be beyond. */
void tune_say_edges(struct pst_run *run);

/* ---- doubts.c: lines on standard error ---- */

void say_left_out(struct pst_run *run);
void say_doubts(struct pst_run *run);

/* ---- results.c ---- */

/* What is printed at the end. */
struct results {
    const struct decoder *decoder;
    struct pst_word_errors all, others;
    double score; /* of all paths that were found */
    size_t frames, found_frames, wrong_utterances, transcripts, speaker_count;
    const char **speakers; /* [speaker_count] */
    struct pst_word_errors *of_speaker, *others_of_speaker;
};

PST_CHECKED enum pst_status results_report(struct pst_run *run, struct pst_error *error);

/* Prints a report as a table or JSON. */
PST_CHECKED enum pst_status print_report(struct pst_run *run, struct pst_report *report,
                                         struct pst_error *error);

#endif

/* frame.h: what the files of this room share. */
#ifndef PIPESTILL_LIB_FRAME_H
#define PIPESTILL_LIB_FRAME_H

#include "pipestill/cli.h"

#include <stdio.h>

#define MOST_OPTIONS 160 /* of a stage, with those that stages have in common */

/* The values of the options that stages have in common. */
struct pst_common {
    const char *input, *output; /* endpoints */
    const char *log_path;       /* NULL without --log */
    size_t threads, jobs;
    uint64_t zstd; /* level; 0: tensors are written as they are */
    struct pst_link_settings link;
    bool quiet, force;
};

/* What the progress line and the log show. */
struct pst_progress {
    bool draws, drawn, elsewhere;
    double started; /* the program */
    double began;   /* the stream */
    double drew, logged;
    uint64_t batches, samples, epoch, epochs, total_batches;
    double waited_for_input, waited_for_output;
    char note[64];
};

/* One program that runs. */
struct pst_frame {
    const struct pst_stage *stage;
    struct pst_run run; /* the stage's, with its own struct */
    void *usual;        /* the stage's struct before the options were parsed */
    struct pst_common common;
    const struct pst_option *options[MOST_OPTIONS]; /* the stage's own, then those in common */
    bool seen[MOST_OPTIONS];                        /* on the command line */
    size_t own_count, option_count;
    char **operands; /* [operand_count], borrowed from argv */
    size_t operand_count;
    struct json_t *details;    /* what the history says of this stage */
    bool verbatim;             /* no history entry is added */
    const char *effect;        /* on samples; NULL: "adds" of a filter, otherwise none */
    struct json_t *matters;    /* what determines its tensors' contents, as texts; NULL: only options do */
    struct json_t *matters_to; /* the same for one tensor each, by its name; NULL: nothing */
    struct json_t *made;       /* what each tensor is made from, by its name; NULL: not declared */
    struct json_t *learned, *learned_from; /* lineage and origins of the stage's model; NULL: not declared */
    FILE *log;                             /* NULL without --log */
    struct pst_progress progress;
    struct pst_streams streams;
    struct pst_header out; /* of what is written */
    uint64_t next_seq;     /* of a source's next batch */
    bool other_kernels;    /* OpenBLAS does not multiply */
    bool input_ended;      /* its trailer was read, and fits */
    bool abandoned;        /* a thread still waits for input and uses what the frame owns */
    void *left_to_thread;  /* what that thread uses besides: it stays reachable, and is never freed */
};

static inline bool pst_frame_reads(const struct pst_frame *frame)
{
    return (frame->stage->traits & PST_READS) != 0;
}

static inline bool pst_frame_writes(const struct pst_frame *frame)
{
    return (frame->stage->traits & PST_WRITES) != 0;
}

/* ---- options ------------------------------------------------------------------------------------------- */

/* The defaults of the options in common. */
extern const struct pst_common pst_usual;

/* Lists the options of this program. */
void pst_list_options(struct pst_frame *frame);

/*
 * Parses the command line, checks that every option has an effect, and notes the options for the history.
 * Returns PST_OK; PST_USAGE; PST_END if --help or --version was given, and its text was printed.
 */
PST_CHECKED enum pst_status pst_parse_options(struct pst_frame *frame, int argc, char **argv,
                                              struct pst_error *error);

/* The place of the option with a name, [length]; PST_NONE if the stage does not have it. */
size_t pst_option_find(const struct pst_frame *frame, const char *name, size_t length);

/* The struct that holds the value of an option: the stage's own, or that of the options in common. */
void *pst_option_object(const struct pst_frame *frame, size_t at);

/* Refuses options that were given without effect: see pst_option.needs. Returns PST_OK or PST_USAGE. */
PST_CHECKED enum pst_status pst_check_needs(const struct pst_frame *frame, struct pst_error *error);

/* What an option needs, in words: "--shuffle or --limit"; "" if it needs nothing. */
void pst_describe_needs(const struct pst_frame *frame, const struct pst_option *option, char *text,
                        size_t size);

/* ---- files ------------------------------------------------------------------------------------------------
 */

/* What the command line names: a file, or an endpoint. */
struct pst_named {
    const char *option; /* NULL: it is an operand */
    const char *value;  /* NULL: the option was not given */
    unsigned files;     /* of enum pst_file_use */
};

/* The i-th option or operand, as a name of a file or endpoint, defaults included. Returns false behind the
 * last. */
bool pst_named_at(const struct pst_frame *frame, size_t i, struct pst_named *named);

/* Whether a name is that of a link. */
bool pst_named_is_link(const struct pst_named *named);

/*
 * Refuses a command line if it would write a file that it also reads or writes elsewhere, or if the output
 * would replace a file without --force. Opens nothing. Returns PST_OK; PST_USAGE; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_check_files(const struct pst_frame *frame, struct pst_error *error);

/*
 * The text of --help, to be freed; NULL if memory is short.
 * as_table: the text of --list-options instead, for completion and suggestions. Tabs separate its columns:
 * in the first line the stage's name, its kind (source, filter, sink or tool) and its purpose; in the others
 * an option, its letter, its metavar (empty: it takes no value), its choices and its help.
 */
PST_CHECKED char *pst_help_text(const struct pst_frame *frame, bool as_table);

/* Fails with PST_USAGE because the stage does not have an option; the message suggests another one. */
enum pst_status pst_unknown_option(const struct pst_frame *frame, const char *text, struct pst_error *error);

/* Which values an option takes, in words: "a whole number from 1 to 100". */
void pst_describe_values(const struct pst_option *option, char *text, size_t size);

/* Writes a value to its place in a struct; false if it is not one of the option's values. */
PST_CHECKED bool pst_option_set(const struct pst_option *option, void *object, const char *value);

/* The value that an option has in a struct, for the history; NULL if it has none, or memory is short. */
PST_CHECKED struct json_t *pst_option_to_json(const struct pst_option *option, const void *object);

/* ---- logs and progress --------------------------------------------------------------------------------- */

/* Opens the log of --log. */
PST_CHECKED enum pst_status pst_log_open(struct pst_frame *frame, struct pst_error *error);

/* Closes the log, if there is one. Returns false, after a message, if not all of it could be written. */
PST_CHECKED bool pst_log_close(struct pst_frame *frame);

/* Begins to count (header: the totals that are known); removes the line from the terminal; writes the log's
 * closing event. */
void pst_progress_begin(struct pst_frame *frame, const struct pst_header *header, bool output_is_pipe);
void pst_progress_clear(struct pst_frame *frame);
void pst_progress_end(struct pst_frame *frame, enum pst_status status);

/*
 * If the kernels that multiply matrices leave much of the processor unused, says so, and what would help, in
 * the log and on a terminal. Nothing is written to a file or pipe on standard error, because its reader
 * expects only failures.
 */
void pst_say_slow_blas(struct pst_frame *frame);

/* ---- SIGUSR1 ------------------------------------------------------------------------------------------- */

/* What a program is doing; with --jobs, what one of its jobs is doing. */
enum pst_doing { PST_STARTING, PST_WAITING_FOR_INPUT, PST_WORKING, PST_WAITING_FOR_OUTPUT, PST_ENDING };

/* From now on SIGUSR1 prints the state of this program. stage: its name; must stay valid. */
void pst_state_begin(const char *stage);

/* Set what SIGUSR1 prints. Any thread may call them. */
void pst_state_doing(enum pst_doing doing);
void pst_state_figures(const struct pst_progress *progress);

/* ---- streams ------------------------------------------------------------------------------------------- */

/* Opens the streams that the stage has, and reads the header. */
PST_CHECKED enum pst_status pst_streams_open(struct pst_frame *frame, struct pst_error *error);

/* Computes the origins of the tensors that the stage makes. in: NULL for a source. */
PST_CHECKED enum pst_status pst_origins_compute(struct pst_frame *frame, const struct pst_header *in,
                                                struct pst_header *out, struct pst_error *error);

/* Calls the stage's on_header, and writes its header. */
PST_CHECKED enum pst_status pst_headers_pass(struct pst_frame *frame, struct pst_error *error);

/* Closes the streams. If the run failed, links send the reason to their other sides. */
void pst_streams_close(struct pst_frame *frame, enum pst_status status, const struct pst_error *error);

/* ---- batches ------------------------------------------------------------------------------------------- */

/* One job: a run of the stage and the batches that it works on. {0} holds nothing. */
struct pst_job {
    struct pst_run run;
    struct pst_batch in, out;
    uint64_t seq;  /* of a source's batch */
    double waited; /* seconds waited for input until the batch was read */
};

/*
 * The three steps of a batch: it is read, or a source takes it; the stage answers it; the answer is written
 * and counted. pst_job_answer also returns PST_END if the stage needs no more batches; if it reads, this
 * last batch still counts.
 */
PST_CHECKED enum pst_status pst_job_read(struct pst_job *job, struct pst_error *error);
PST_CHECKED enum pst_status pst_job_answer(struct pst_job *job, struct pst_error *error);
PST_CHECKED enum pst_status pst_job_write(struct pst_job *job, struct pst_error *error);

/* The first step without a note for SIGUSR1, and without the time: for a thread that only reads. */
PST_CHECKED enum pst_status pst_job_fetch(struct pst_job *job, struct pst_error *error);

/* The second and the third step. Returns what pst_job_answer returns, or why the answer could not be written.
 */
PST_CHECKED enum pst_status pst_job_finish(struct pst_job *job, struct pst_error *error);

/* Whether there is something to write or count after pst_job_answer returned this status. */
bool pst_job_has_answer(const struct pst_job *job, enum pst_status status);

/* Frees a job's batches. */
void pst_job_free(struct pst_job *job);

/* Processes all batches: one after another; the same while a thread reads ahead; in --jobs threads; or in as
 * many as can have a processor. Returns PST_END after the last. */
PST_CHECKED enum pst_status pst_batches_pass(struct pst_frame *frame, struct pst_error *error);
PST_CHECKED enum pst_status pst_ahead_pass(struct pst_frame *frame, struct pst_error *error);
PST_CHECKED enum pst_status pst_jobs_pass(struct pst_frame *frame, struct pst_error *error);
PST_CHECKED enum pst_status pst_jobs_add(struct pst_frame *frame, struct pst_error *error);

/* Whether a thread is to read ahead: the stage gains by it, and there is a processor for it. */
bool pst_may_read_ahead(const struct pst_frame *frame);

/* Whether the run may have several jobs though no option says so: its batches are independent, and there is
 * more than one processor. */
bool pst_may_add_jobs(const struct pst_frame *frame);

#endif

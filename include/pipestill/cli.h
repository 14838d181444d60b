/*
 * cli.h: the frame around a stage. A stage says what it is (options, help, and what it does with a header
 * and a batch) in a struct pst_stage and hands that to pst_main; endpoints, help, progress, logs, history,
 * integrity, threads, interruption and exit codes are the frame's work. docs/adding-a-stage.md is a worked
 * example.
 */
#ifndef PIPESTILL_CLI_H
#define PIPESTILL_CLI_H

#include "pipestill/base.h"
#include "pipestill/option.h"
#include "pipestill/stream.h"

struct pst_frame; /* the frame's own data: command line, streams, history entry, log, progress */

/* A stage that runs: what the frame hands to each function of the stage. */
struct pst_run {
    void *self; /* the stage's own struct: its options and its state; owned by the frame */
    struct pst_frame *frame;
};

/* ---- a stage ----------------------------------------------------------------------------------------- */

/* What a stage can do, and which options of the frame it has for that. */
enum pst_trait {
    PST_READS = 1,     /* reads a stream: --input */
    PST_WRITES = 2,    /* writes a stream: --output, --zstd */
    PST_LINKS = 4,     /* opens sockets of its own: the options of links, see pst_link_options */
    PST_BLAS = 8,      /* multiplies matrices: --threads; OpenBLAS has one thread if it is not given */
    PST_PARALLEL = 16, /* its answer to a batch depends on that batch alone, or on what `take` says: --jobs */
    PST_READS_AHEAD = 32 /* computes so long for a batch that a thread may read the next ones meanwhile */
};

/* Streams that are open, for a stage with a loop of its own. */
struct pst_streams {
    struct pst_reader *reader; /* run_all sets it to NULL if a thread still waits in it */
    struct pst_writer *writer;
    struct pst_header header; /* of the input */
};

/*
 * A stage: what its program is and does. Functions that it does not need are NULL.
 *
 * A source has PST_WRITES, a filter PST_READS | PST_WRITES, a sink PST_READS, and a tool neither. They differ
 * in nothing else: `in` is NULL for a source, `out` for a sink.
 */
struct pst_stage {
    const char *name;     /* as the program's */
    const char *purpose;  /* one line, an imperative: "turn teachers' logits into soft targets" */
    const char *operands; /* usage of arguments that are not options: "MODEL"; NULL if there are none */
    size_t least_operands, most_operands;
    unsigned operand_files;  /* how the files that operands name are used: of enum pst_file_use */
    const char *description; /* a few lines for --help, or NULL */
    const char *example;     /* a command that runs */
    const char *see_also;    /* "averager(1), student-trainer(1)" */
    const struct pst_option *options;
    size_t size;          /* bytes of the stage's struct, run->self */
    const void *defaults; /* its contents before options are parsed, which --help shows; NULL: zeros */
    unsigned traits;      /* of enum pst_trait */
    /* With PST_BLAS: pst_blas_kernel of nn.h, so that the frame can report slow kernels; or NULL. */
    const char *(*blas_kernel)(const char **unused);
    /*
     * Called once after the options are parsed, before anything is opened: checks options against each
     * other, opens models. operands: borrowed, valid as long as the program. Returns PST_OK; PST_END if all
     * is done: the run ends as a success.
     */
    enum pst_status (*start)(struct pst_run *run, size_t count, char **operands, struct pst_error *error);
    /*
     * Called once before the first batch. in: the header that was read. out: the header to be written, which
     * for a filter is `in` at first: it adds tensors (pst_header_add_tensor), drops them (pst_header_drop)
     * or declares that it fills them itself (pst_header_replace). For a source it has a run id and nothing
     * else.
     */
    enum pst_status (*on_header)(struct pst_run *run, const struct pst_header *in, struct pst_header *out,
                                 struct pst_error *error);
    /*
     * Of a source with PST_PARALLEL: called for each batch before on_batch, in the order of the batches, one
     * call at a time: determines what the next batch is, and notes it in job->self. run: the stage's own.
     * job: that of the on_batch that follows; run itself while there is one job only. Returns PST_OK;
     * PST_END: there are no more.
     */
    enum pst_status (*take)(struct pst_run *run, struct pst_run *job, struct pst_error *error);
    /*
     * Called for each of several jobs before its first batch: takes the memory that the job needs for
     * itself, and for its batches. So a shortage is found before anything is written, or, without --jobs,
     * only leaves fewer jobs. out: NULL for a sink. Returns PST_OK or PST_TRY_AGAIN; `leave` follows in both
     * cases.
     */
    enum pst_status (*join)(struct pst_run *job, struct pst_batch *out, struct pst_error *error);
    /*
     * Called for each batch. in: the batch that was read, which no stage changes. out: of a filter, a batch
     * with seq, epoch and n of `in`, the tensors that pass on unchanged, and room for n samples of each
     * other tensor, which the stage fills; of a source, a batch whose epoch, size (pst_batch_resize) and
     * tensors it sets. Returns PST_OK; PST_END from a source: there are no more batches; from others: they
     * need no more.
     */
    enum pst_status (*on_batch)(struct pst_run *run, const struct pst_batch *in, struct pst_batch *out,
                                struct pst_error *error);
    /* Called after the last batch, if all went well, before the trailer is written: writes results. */
    enum pst_status (*on_end)(struct pst_run *run, struct pst_error *error);
    /*
     * Called between two batches if a signal came, the stream broke or on_batch failed: saves what a later
     * run can use. With it, signals end the run between two batches and not at once.
     */
    enum pst_status (*on_interrupt)(struct pst_run *run, struct pst_error *error);
    /*
     * The stage's own loop, instead of the functions from on_header to on_interrupt: does everything between
     * opening and closing the streams. With streams it calls pst_write_header once, writes the batches and
     * counts each with pst_progress_batch.
     * streams: NULL for a tool. Returns PST_OK if all is done; then the frame writes the trailer.
     */
    enum pst_status (*run_all)(struct pst_run *run, struct pst_streams *streams, struct pst_error *error);
    /*
     * Called once for every job after its last batch, before on_end, also after errors: hands over results,
     * and frees what on_batch made in run->self. A run begins as one job, unless --jobs says otherwise; if
     * others take its place, its `leave` comes then.
     */
    void (*leave)(struct pst_run *run);
    /* Called once at the very end, also after errors, to free what start and on_header took. */
    void (*stop)(struct pst_run *run);
};

/*
 * Runs a stage: the whole of a program's main.
 *
 * With --jobs N there are N threads, each with its own run; without it, as many as find an idle processor, if
 * one was not enough. Its self is a copy, byte by byte, of the stage's struct after on_header. Data behind
 * pointers are shared, and on_batch only reads them; on_batch keeps its own data in its copy, and `leave`
 * frees them. on_batch may call only those functions of this header that change nothing (pst_input_header,
 * pst_link_options).
 *
 * Returns the exit code: a pst_status, never PST_END. A program that a signal stopped ends by that signal.
 * If a thread still waits for input, the program ends here.
 */
int pst_main(int argc, char **argv, const struct pst_stage *stage);

/* ---- for stages that do more ------------------------------------------------------------------------- */

/* The headers of the streams that are read and written; valid from on_header on. */
const struct pst_header *pst_input_header(const struct pst_run *run);
const struct pst_header *pst_output_header(const struct pst_run *run);

/* Bytes written so far; in on_end, of all but the trailer. */
uint64_t pst_bytes_written(const struct pst_run *run);

/*
 * Adds a value to this stage's entry in the stream's history, and to its log; call it from start or
 * on_header. value: stolen. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_history_note(struct pst_run *run, const char *key, struct json_t *value,
                                             struct pst_error *error);

/*
 * The same for a value that determines the contents of the stage's tensors, such as the digest of a file: it
 * becomes a part of their origins, too. value: a text. Options that are not silent are a part already if
 * they differ from their defaults.
 */
PST_CHECKED enum pst_status pst_origin_note(struct pst_run *run, const char *key, const char *value,
                                            struct pst_error *error);

/* The same for a value that determines one tensor only. tensor: its name in the output header. */
PST_CHECKED enum pst_status pst_origin_note_of(struct pst_run *run, const char *tensor, const char *key,
                                               const char *value, struct pst_error *error);

/*
 * Declares from which tensors this stage makes one that it adds or replaces; call it from on_header. Without
 * this call it counts as made from all tensors of the input: its origin then names too many, never too few.
 * tensor: its place in the output header. as: what it is, whatever its name ("logits"); NULL: its name.
 * from: places in the input header, [count]. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_made_from(struct pst_run *run, size_t tensor, const char *as,
                                          const size_t *from, size_t count, struct pst_error *error);

/* Declares that it is not known what a tensor of this stage is made from. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_made_from_unknown(struct pst_run *run, size_t tensor,
                                                  struct pst_error *error);

/*
 * Declares what this stage's model, which makes its tensors, learned from. lineage: of these origins;
 * borrowed. origins: a list of texts; borrowed. Both may be NULL. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_learned_from(struct pst_run *run, const struct json_t *lineage,
                                             const struct json_t *origins, struct pst_error *error);

/*
 * What this stage does to samples, for the history: "adds" (tensors; the default), "selects" or "reorders".
 * A filter that selects may keep some samples of a batch or none (pst_batch_keep): empty batches are not
 * written, and the others are numbered anew. It sets samples and batches of the output header to 0, for
 * unknown.
 */
void pst_set_effect(struct pst_run *run, const char *effect);

/* Adds no entry to the history, because the output has the same contents as the input. Call it from
 * on_header. */
void pst_verbatim(struct pst_run *run);

/* Declares what multiplies matrices if it is not OpenBLAS, as pst_arithmetic_name names it: it is logged,
 * and nothing is said about OpenBLAS's kernels. NULL: it is OpenBLAS. */
void pst_multiplied_by(struct pst_run *run, const char *name);

/* Threads of a matrix product: --threads, 1 or more. If that is not given: 1 if several jobs share the
 * processors, or may, otherwise 0. */
size_t pst_threads(const struct pst_run *run);

/*
 * The first of these options that is on the command line, or NULL: for a stage that refuses options which
 * would have no effect. names: without dashes, ended by NULL.
 */
const char *pst_options_given(const struct pst_run *run, const char *const *names);

/* Reads from this endpoint instead of --input's. Call it from start, in stages that take the endpoint as an
 * operand. */
void pst_read_from(struct pst_run *run, const char *endpoint);

/* What messages call the input of this stage: its endpoint, or "standard input". */
const char *pst_input_name(const struct pst_run *run);

/*
 * For run_all: appends this stage to the history of a header, unless pst_verbatim was called, writes it and
 * begins to show progress.
 * Returns PST_OK; PST_TRY_AGAIN; what pst_writer_header returns.
 */
PST_CHECKED enum pst_status pst_write_header(struct pst_run *run, struct pst_header *header,
                                             struct pst_error *error);

/* For run_all: counts a batch that was written. waited_…: seconds that the stage has waited on each side so
 * far. */
void pst_progress_batch(struct pst_run *run, const struct pst_batch *batch, double waited_for_input,
                        double waited_for_output);

/* The user's settings for links, valid as long as the run. For stages that open their own sockets. */
const struct pst_link_settings *pst_link_options(const struct pst_run *run);

/*
 * This program's options with their values, without silent ones, as JSON text with sorted keys: two runs
 * with the same text have to do the same. Returns the text, to be freed; NULL if memory is short.
 */
PST_CHECKED char *pst_settings_text(const struct pst_run *run);

/*
 * Opens a second stream for reading (validation), with the user's settings for links and limits.
 * Returns what pst_input_open, pst_reader_new and pst_reader_header return.
 */
PST_CHECKED enum pst_status pst_open_stream(const struct pst_run *run, const char *endpoint,
                                            struct pst_reader **reader, struct pst_header *header,
                                            struct pst_error *error);

/* Writes one line to standard error, above the progress line: "stage: message". */
void pst_say(struct pst_run *run, const char *format, ...) PST_PRINTF(2, 3);

/* Warns that a file is written without a lock: see pst_lock_for_writer. */
void pst_say_unlocked(struct pst_run *run, const char *path);

/*
 * Writes an event to the log of --log FILE as one JSON line with the time and the stage's name added. No-op
 * without a log. fields: an object; stolen; NULL is allowed.
 */
void pst_log(struct pst_run *run, const char *event, struct json_t *fields);

/* Sets a figure that the progress line shows, such as "loss 0.123"; copied, at most 60 bytes. */
void pst_progress_note(struct pst_run *run, const char *format, ...) PST_PRINTF(2, 3);

/* Whether standard error is a terminal on which a later stage of the pipeline draws the progress line. */
bool pst_progress_is_elsewhere(const struct pst_run *run);

/*
 * Writes a text to standard output.
 * Returns PST_OK; PST_READER_LEFT; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_print(struct pst_run *run, const char *text, struct pst_error *error);

/*
 * Writes one line to standard output that may contain foreign names: the text as pst_make_plain changes it
 * (in place), and an end of line. Returns as pst_print.
 */
PST_CHECKED enum pst_status pst_print_line(struct pst_run *run, char *text, struct pst_error *error);

#endif

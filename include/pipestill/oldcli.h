/*
 * cli.h: the frame around a stage. A stage says what it is (options, help, and what it does with a header and
 * a batch) and calls pst_source_main, pst_filter_main or pst_sink_main; endpoints, help, progress, logs,
 * history, integrity, interruption and exit codes come with that. docs/adding-a-stage.md is a worked example.
 */
#ifndef PIPESTILL_OLDCLI_H
#define PIPESTILL_OLDCLI_H

/* Goes when all stages are converted. */
#define pst_cli old_pst_cli
#define pst_common_options old_pst_common_options
#define pst_describe_default old_pst_describe_default
#define pst_describe_values old_pst_describe_values
#define pst_filter_main old_pst_filter_main
#define pst_help_text old_pst_help_text
#define pst_history_note old_pst_history_note
#define pst_input_name old_pst_input_name
#define pst_link_options old_pst_link_options
#define pst_log old_pst_log
#define pst_log_close old_pst_log_close
#define pst_log_open old_pst_log_open
#define pst_open_stream old_pst_open_stream
#define pst_option_metavar old_pst_option_metavar
#define pst_option_set old_pst_option_set
#define pst_option_to_json old_pst_option_to_json
#define pst_options_given old_pst_options_given
#define pst_options_recall old_pst_options_recall
#define pst_parse_options old_pst_parse_options
#define pst_print old_pst_print
#define pst_progress_batch old_pst_progress_batch
#define pst_progress_begin old_pst_progress_begin
#define pst_progress_clear old_pst_progress_clear
#define pst_progress_end old_pst_progress_end
#define pst_progress_is_elsewhere old_pst_progress_is_elsewhere
#define pst_progress_note old_pst_progress_note
#define pst_read_from old_pst_read_from
#define pst_relay_header old_pst_relay_header
#define pst_relay_main old_pst_relay_main
#define pst_relay_verbatim old_pst_relay_verbatim
#define pst_say old_pst_say
#define pst_settings_text old_pst_settings_text
#define pst_sink_main old_pst_sink_main
#define pst_source_main old_pst_source_main
#define pst_tool_main old_pst_tool_main

#include "pipestill/base.h"
#include "pipestill/stream.h"

/* ---- options ----------------------------------------------------------------------------------------- */

enum pst_option_type {
    PST_OPTION_END = 0,  /* the end of a table */
    PST_FLAG,            /* bool: takes no value */
    PST_POSITIVE_DOUBLE, /* double > 0 */
    PST_DOUBLE,          /* double in [least, most] */
    PST_SIZE,   /* size_t in [least, most]; suffixes k, M, G (powers of 1024) where the metavar is BYTES */
    PST_U64,    /* uint64_t in [least, most] */
    PST_STRING, /* const char *, borrowed from argv */
    PST_CHOICE, /* int: the place of the word in `choices` */
    PST_LIST,   /* the function `take` is called for each value, so the option may come several times */
};

/*
 * One option. The value that *target has before parsing is the default that --help shows.
 * Where least and most are both 0, any value of the type is allowed (a size or double from 0 up).
 */
struct pst_option {
    int letter; /* 'T', or 0 for none */
    const char *name;
    enum pst_option_type type;
    void *target;
    const char *help;    /* one line, lower case, no full stop */
    const char *metavar; /* "N", "FILE"; NULL: made from the type */
    double least,
        most; /* inclusive; values of a PST_U64 or PST_SIZE above 2^53 are not expressible as bounds */
    const char *const *choices; /* PST_CHOICE: words, ended by NULL */
    enum pst_status (*take)(const char *value, struct pst_error *error); /* PST_LIST */
    bool required;
    bool silent; /* left out of the stream's history: it does not change what flows (names of files, logs) */
};

/* ---- a stage ----------------------------------------------------------------------------------------- */

/* What all stages say of themselves. */
struct pst_stage {
    const char *name;     /* as the program's */
    const char *purpose;  /* one line, an imperative: "turn teachers' logits into soft targets" */
    const char *operands; /* usage of what is not an option: "MODEL", or NULL where there is none */
    size_t least_operands, most_operands;
    const char *description; /* a few lines for --help, or NULL */
    const char *example;     /* a command that runs */
    const char *see_also;    /* "averager(1), student-trainer(1)" */
    const struct pst_option *options;
    bool uses_blas; /* adds --threads, and keeps OpenBLAS at one thread unless told otherwise */
    /*
     * Called once after the options are parsed, before anything is opened: checks options against each other,
     * loads models. operands: borrowed, live as long as the program. May be NULL.
     */
    enum pst_status (*start)(size_t count, char **operands, struct pst_error *error);
    /* Called once at the very end, whatever happened, to free what start took. May be NULL. */
    void (*stop)(void);
};

/* A stage that only writes. */
struct pst_source {
    struct pst_stage stage;
    /* Fills an empty header (classes, samples, tensors…). History is appended by the runner. */
    enum pst_status (*on_header)(struct pst_header *header, struct pst_error *error);
    /*
     * Fills the next batch: sets epoch, calls pst_batch_resize, writes the tensors. seq is set by the runner.
     * Returns PST_OK; PST_END where there are no more.
     */
    enum pst_status (*next)(struct pst_batch *batch, const struct pst_header *header,
                            struct pst_error *error);
    /* Asked after on_header: whether what is written is a recorded stream just as it was, to whose history
     * this stage has nothing to add. May be NULL: never. */
    bool (*verbatim)(void);
};

/* A stage that reads and writes. */
struct pst_filter {
    struct pst_stage stage;
    /* Looks at what comes and adds the tensors that this filter will add. May be NULL. */
    enum pst_status (*on_header)(struct pst_header *header, struct pst_error *error);
    /* Fills the tensors added; they have room for batch->n samples already. Call pst_batch_changed for
     * others. */
    enum pst_status (*on_batch)(struct pst_batch *batch, const struct pst_header *header,
                                struct pst_error *error);
};

/* A stage that only reads. */
struct pst_sink {
    struct pst_stage stage;
    enum pst_status (*on_header)(struct pst_header *header, struct pst_error *error);
    /* Returns PST_OK; PST_END to stop reading early, which is success (early stopping). */
    enum pst_status (*on_batch)(struct pst_batch *batch, const struct pst_header *header,
                                struct pst_error *error);
    /*
     * Called when the stream ended as it should, or on_batch returned PST_END: writes results. May be NULL.
     */
    enum pst_status (*on_end)(struct pst_error *error);
    /* Called between two batches where a signal came or the stream broke, and where on_batch failed: saves
     * what can be taken up again. May be NULL. */
    enum pst_status (*on_interrupt)(struct pst_error *error);
};

/* The streams of a relay, open. The header is that of the input. */
struct pst_streams {
    struct pst_reader *reader; /* set to NULL where a thread that goes on holds it when run returns */
    struct pst_writer *writer;
    struct pst_header header;
};

/* A filter with a loop of its own, for one that does not answer batch by batch. */
struct pst_relay {
    struct pst_stage stage;
    /*
     * Does everything between opening and closing: calls pst_relay_header or pst_relay_verbatim once, writes
     * the batches, counts each with pst_progress_batch. Returns PST_OK where all of it was written; the
     * trailer is then the runner's.
     */
    enum pst_status (*run)(struct pst_streams *streams, struct pst_error *error);
};

/* A program beside the streams: it has neither --input nor --output. */
struct pst_tool {
    struct pst_stage stage;
    bool links; /* it opens sockets of its own: gives it the options of links, see pst_link_options */
    enum pst_status (*run)(struct pst_error *error);
};

/*
 * Runs a stage: all of a main.
 * Returns the exit code: a pst_status, never PST_END. A program stopped by a signal ends by that signal.
 */
int pst_source_main(int argc, char **argv, const struct pst_source *source);
int pst_filter_main(int argc, char **argv, const struct pst_filter *filter);
int pst_sink_main(int argc, char **argv, const struct pst_sink *sink);
int pst_relay_main(int argc, char **argv, const struct pst_relay *relay);
int pst_tool_main(int argc, char **argv, const struct pst_tool *tool);

/* ---- for stages that do more ------------------------------------------------------------------------- */

/*
 * Adds something to what this stage writes about itself in the stream's history, and to its log; to be called
 * from start or on_header. value: stolen. Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_history_note(const char *key, struct json_t *value, struct pst_error *error);

/*
 * The first of these options that stands on the command line, or NULL: for a stage that refuses options which
 * would have no effect. names: without dashes, ended by NULL.
 */
const char *pst_options_given(const char *const *names);

/*
 * Sets the targets of a table of options to what a history's entry of the same stage says that they were.
 * entry: what the stage wrote of itself; strings are borrowed from it. known: other keys that it may have,
 * ended by NULL.
 * Returns PST_OK; PST_BAD_DATA where the entry has a key that is neither, or a value that the option cannot
 * have: it was written by a stage that could do more.
 */
PST_CHECKED enum pst_status pst_options_recall(const struct pst_option *options, const struct json_t *entry,
                                               const char *const *known, struct pst_error *error);

/* Reads from this endpoint instead of that of --input; to be called from start, for stages that take it as an
 * operand. */
void pst_read_from(const char *endpoint);

/* What messages call the input of this stage: its endpoint, or "standard input". */
const char *pst_input_name(void);

/*
 * A relay's: appends this stage to the history of a header, writes it and begins to show progress.
 * Returns PST_OK; PST_TRY_AGAIN; what pst_writer_header returns.
 */
PST_CHECKED enum pst_status pst_relay_header(struct pst_streams *streams, struct pst_header *header,
                                             struct pst_error *error);

/* The same without an entry in the history, for a stage that changes nothing of what the stream says. */
PST_CHECKED enum pst_status pst_relay_verbatim(struct pst_streams *streams, const struct pst_header *header,
                                               struct pst_error *error);

/* A relay's: counts a batch that was written; seconds that the stage has waited on either side so far. */
void pst_progress_batch(const struct pst_batch *batch, double waited_for_input, double waited_for_output);

/* What the user asked of links; lives as long as the program. For stages that open sockets of their own. */
const struct pst_link_settings *pst_link_options(void);

/*
 * This program's options with their values, those that are silent left out, as JSON text with sorted keys:
 * two runs with the same text were asked to do the same. Returns the text, to be freed; NULL where memory is
 * short.
 */
PST_CHECKED char *pst_settings_text(void);

/*
 * Opens a second stream for reading (validation), with the user's settings for links and limits.
 * Returns what pst_input_open, pst_reader_new and pst_reader_header return.
 */
PST_CHECKED enum pst_status pst_open_stream(const char *endpoint, struct pst_reader **reader,
                                            struct pst_header *header, struct pst_error *error);

/* Writes one line to standard error, above the progress line: "stage: message". */
void pst_say(const char *format, ...) PST_PRINTF(1, 2);

/*
 * Writes an event to the log of --log FILE as one JSON line with the time and the stage's name added. No-op
 * without a log. fields: an object; stolen; NULL is allowed.
 */
void pst_log(const char *event, struct json_t *fields);

/* Sets a figure that the progress line shows, such as "loss 0.123"; copied, at most 60 bytes. */
void pst_progress_note(const char *format, ...) PST_PRINTF(1, 2);

/* Whether the user looks at a terminal whose progress line is that of a later stage, for which this one
 * writes. */
bool pst_progress_is_elsewhere(void);

/*
 * Writes a text to standard output and counts errors.
 * Returns PST_OK; PST_READER_LEFT; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_print(const char *text, struct pst_error *error);

#endif

/* cli.h: what the files of this room share. One program is one stage, so there is one of everything. */
#ifndef PIPESTILL_LIB_OLDCLI_H
#define PIPESTILL_LIB_OLDCLI_H

#include "pipestill/oldcli.h"

#include <stdio.h>

enum pst_stage_kind { PST_SOURCE, PST_FILTER, PST_SINK, PST_TOOL, PST_LINKED_TOOL };

/* The program that runs. */
struct pst_cli {
    const struct pst_stage *stage;
    enum pst_stage_kind kind;
    struct json_t *details; /* what the history says of this stage */
    const char *log_path;   /* NULL without --log */
    FILE *log;              /* NULL without --log */
    const char *input;      /* endpoints */
    const char *output;
    size_t threads;
    struct pst_link_settings link;
    bool quiet;
};

extern struct pst_cli pst_cli;

/* The options of all stages that fit this one's kind; ended by PST_OPTION_END. */
const struct pst_option *pst_common_options(enum pst_stage_kind kind, bool uses_blas);

/*
 * Parses the command line into the options' targets and notes them for the history.
 * first_operand: receives the place in argv of the first operand; the operands stand behind all options.
 * Returns PST_OK; PST_USAGE; PST_END where --help or --version was asked for and answered.
 */
PST_CHECKED enum pst_status pst_parse_options(int argc, char **argv, int *first_operand,
                                              struct pst_error *error);

/* The text of --help, to be freed; NULL where memory is short. */
PST_CHECKED char *pst_help_text(void);

/* What values an option takes, in words: "a whole number from 1 to 100". */
void pst_describe_values(const struct pst_option *option, char *text, size_t size);

/* The word for an option's value in usage lines: "N", "FILE". */
const char *pst_option_metavar(const struct pst_option *option);

/* Whether an option has a value that --help can show as its default; text receives it. */
bool pst_describe_default(const struct pst_option *option, char *text, size_t size);

/* Opens the log of --log. */
PST_CHECKED enum pst_status pst_log_open(const char *path, struct pst_error *error);

/* Closes the log, if there is one. Returns false, and has said so, where not all of it could be written. */
PST_CHECKED bool pst_log_close(void);

/* Progress: begins (with what is known of the whole), takes its line off the terminal. */
void pst_progress_begin(const struct pst_header *header, bool output_is_pipe);
void pst_progress_clear(void);

/* Writes the log's closing event: figures of the whole run. */
void pst_progress_end(enum pst_status status);

/* Writes a value to the option's target; false where it is not one of its values. */
PST_CHECKED bool pst_option_set(const struct pst_option *option, const char *value);

/* The value that an option has, for the history; NULL where it has none, or memory is short. */
PST_CHECKED struct json_t *pst_option_to_json(const struct pst_option *option);

#endif

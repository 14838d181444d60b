/* The frame around a stage: what happens before, between and after the calls into the stage itself. */
#include "lib/oldcli/cli.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * OpenBLAS makes its threads when it is loaded, before main, and idle ones spin. So the number has to be in
 * the environment before this program starts: it starts itself again where it is not.
 */
static void settle_threads(char **argv)
{
    char wanted[24];
    snprintf(wanted, sizeof wanted, "%zu", pst_cli.threads);
    const char *set = getenv("OPENBLAS_NUM_THREADS");
    if (!pst_cli.stage->uses_blas || (set != NULL && strcmp(set, wanted) == 0))
        return;
    if (setenv("OPENBLAS_NUM_THREADS", wanted, 1) == 0)
        execv("/proc/self/exe", argv);
    /* Without /proc it goes on as it is: slower, not wrong. */
}

static enum pst_status begin(int argc, char **argv, struct pst_error *error)
{
    int first;
    char **kept = calloc((size_t)argc + 1, sizeof *kept); /* getopt_long reorders argv */
    if (kept == NULL || (pst_cli.details = json_object()) == NULL) {
        free(kept);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    }
    memcpy(kept, argv, (size_t)argc * sizeof *kept);
    enum pst_status status = pst_parse_options(argc, argv, &first, error);
    if (status == PST_OK)
        settle_threads(kept);
    free(kept);
    if (status == PST_OK && pst_cli.log_path != NULL)
        status = pst_log_open(pst_cli.log_path, error);
    if (status == PST_OK)
        pst_log("start", json_pack("{s:s, s:O}", "version", PST_VERSION, "options", pst_cli.details));
    if (status == PST_OK && pst_cli.stage->start != NULL)
        status = pst_cli.stage->start((size_t)(argc - first), argv + first, error);
    return status;
}

enum pst_status pst_history_note(const char *key, json_t *value, struct pst_error *error)
{
    if (value == NULL || json_object_set_new(pst_cli.details, key, value) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the stream's history");
    return PST_OK;
}

void pst_read_from(const char *endpoint)
{
    pst_cli.input = endpoint;
}

char *pst_settings_text(void)
{
    return json_dumps(pst_cli.details, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
}

/* ---- streams ----------------------------------------------------------------------------------------- */

enum pst_status pst_open_stream(const char *endpoint, struct pst_reader **reader, struct pst_header *header,
                                struct pst_error *error)
{
    struct pst_input *input;
    enum pst_status status = pst_input_open(&input, endpoint, &pst_cli.link, error);
    if (status == PST_OK)
        status = pst_reader_new(reader, input, pst_cli.link.max_message, error);
    if (status != PST_OK)
        return status;
    status = pst_reader_header(*reader, header, error);
    if (status != PST_OK) {
        pst_reader_free(*reader);
        *reader = NULL;
    }
    return status;
}

static enum pst_status open_writer(struct pst_writer **writer, struct pst_error *error)
{
    struct pst_output *output;
    enum pst_status status = pst_output_open(&output, pst_cli.output, &pst_cli.link, error);
    return status == PST_OK ? pst_writer_new(writer, output, error) : status;
}

/* Only the last stage of a pipeline draws, or all would draw over each other. */
static bool output_is_pipe(void)
{
    struct stat status;
    if (pst_cli.kind == PST_SINK)
        return false;
    return strcmp(pst_cli.output, "-") != 0 ||
           (fstat(STDOUT_FILENO, &status) == 0 && !S_ISREG(status.st_mode));
}

/* Sends the header on its way. */
static enum pst_status send_header(struct pst_writer *writer, const struct pst_header *header,
                                   struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(batch, header, error);
    if (status == PST_OK)
        status = pst_writer_header(writer, header, error);
    pst_progress_begin(header, output_is_pipe());
    return status;
}

/* Appends this stage to the history. */
static enum pst_status sign(struct pst_header *header, struct pst_error *error)
{
    return pst_header_append_history(header, pst_cli.stage->name, json_deep_copy(pst_cli.details), error);
}

/* Everything that a stage holds while it runs. */
struct run {
    struct pst_reader *reader;
    struct pst_writer *writer;
    struct pst_header header;
    struct pst_batch batch;
    size_t own; /* tensors from this place on are this stage's */
};

/* Where the stage failed, links tell their other sides why when they are closed. */
static void note_reason(enum pst_status status, const struct pst_error *error)
{
    char why[sizeof error->message + 64];
    snprintf(why, sizeof why, "%s: %s", pst_cli.stage->name, error->message);
    bool failed = status != PST_OK && status != PST_END && error->message[0] != '\0';
    pst_closing_reason(failed ? why : NULL);
}

static void free_run(struct run *run, enum pst_status status, const struct pst_error *error)
{
    note_reason(status, error);
    pst_reader_free(run->reader);
    pst_writer_free(run->writer);
    pst_header_free(&run->header);
    pst_batch_free(&run->batch);
}

/* Says what went wrong, closes what is common, and turns a status into an exit code. */
static int end(enum pst_status status, struct pst_error *error)
{
    if (status == PST_END)
        status = PST_OK;
    pst_progress_end(status);
    if (pst_cli.stage->stop != NULL)
        pst_cli.stage->stop();
    int number = pst_stop_signal();
    if (status != PST_OK && number == 0) {
        pst_log("error", json_pack("{s:s}", "message", error->message));
        pst_say("%s", error->message);
        if (status == PST_USAGE && strstr(error->message, "--help") == NULL)
            pst_say("'%s --help' shows all options", pst_cli.stage->name);
    }
    if (!pst_log_close() && status == PST_OK)
        status = PST_IO_ERROR;
    json_decref(pst_cli.details);
    pst_cli.details = NULL;
    if (number != 0 && status != PST_OK) {
        signal(number, SIG_DFL);
        raise(number);
    }
    return (int)status;
}

static void enter(const struct pst_stage *stage, enum pst_stage_kind kind)
{
    pst_cli.stage = stage;
    pst_cli.kind = kind;
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an error of write, with a message */
}

/* ---- sources ----------------------------------------------------------------------------------------- */

static enum pst_status run_source(struct run *run, const struct pst_source *source, struct pst_error *error)
{
    enum pst_status status = open_writer(&run->writer, error);
    if (status == PST_OK)
        status = pst_header_new(&run->header, error);
    if (status == PST_OK)
        status = source->on_header(&run->header, error);
    if (status == PST_OK && (source->verbatim == NULL || !source->verbatim()))
        status = sign(&run->header, error);
    if (status == PST_OK)
        status = send_header(run->writer, &run->header, &run->batch, error);
    for (uint64_t seq = run->header.first; status == PST_OK; seq++) {
        status = source->next(&run->batch, &run->header, error);
        run->batch.seq = seq;
        if (status == PST_OK)
            status = pst_writer_batch(run->writer, &run->batch, error);
        if (status == PST_OK)
            pst_progress_batch(&run->batch, 0, pst_writer_waited(run->writer));
    }
    return status == PST_END ? pst_writer_finish(run->writer, error) : status;
}

int pst_source_main(int argc, char **argv, const struct pst_source *source)
{
    struct pst_error error = { 0 };
    struct run run = { 0 };
    enter(&source->stage, PST_SOURCE);
    enum pst_status status = begin(argc, argv, &error);
    if (status == PST_OK)
        status = run_source(&run, source, &error);
    free_run(&run, status, &error);
    return end(status, &error);
}

/* ---- filters ----------------------------------------------------------------------------------------- */

static enum pst_status filter_batch(struct run *run, const struct pst_filter *filter, struct pst_error *error)
{
    enum pst_status status = pst_reader_next(run->reader, &run->batch, error);
    if (status == PST_OK)
        status = pst_batch_resize(&run->batch, &run->header, run->batch.n, run->own, error);
    if (status != PST_OK)
        return status;
    status = filter->on_batch(&run->batch, &run->header, error);
    if (status != PST_OK)
        return pst_fail_at(error, "batch %llu", (unsigned long long)run->batch.seq);
    status = pst_writer_batch(run->writer, &run->batch, error);
    if (status == PST_OK)
        pst_progress_batch(&run->batch, pst_reader_waited(run->reader), pst_writer_waited(run->writer));
    return status;
}

static enum pst_status run_filter(struct run *run, const struct pst_filter *filter, struct pst_error *error)
{
    enum pst_status status = open_writer(&run->writer, error);
    if (status == PST_OK)
        status = pst_open_stream(pst_cli.input, &run->reader, &run->header, error);
    if (status != PST_OK)
        return status;
    run->own = run->header.tensor_count;
    if (filter->on_header != NULL)
        status = filter->on_header(&run->header, error);
    if (status == PST_OK)
        status = sign(&run->header, error);
    if (status == PST_OK)
        status = send_header(run->writer, &run->header, &run->batch, error);
    while (status == PST_OK)
        status = filter_batch(run, filter, error);
    return status == PST_END ? pst_writer_finish(run->writer, error) : status;
}

int pst_filter_main(int argc, char **argv, const struct pst_filter *filter)
{
    struct pst_error error = { 0 };
    struct run run = { 0 };
    enter(&filter->stage, PST_FILTER);
    enum pst_status status = begin(argc, argv, &error);
    if (status == PST_OK)
        status = run_filter(&run, filter, &error);
    free_run(&run, status, &error);
    return end(status, &error);
}

/* ---- sinks ------------------------------------------------------------------------------------------- */

static enum pst_status sink_batch(struct run *run, const struct pst_sink *sink, struct pst_error *error)
{
    enum pst_status status = pst_stop_signal() == 0 ? pst_reader_next(run->reader, &run->batch, error)
                                                    : pst_fail(error, PST_STOPPED, "stopped by a signal");
    if (status != PST_OK)
        return status;
    status = sink->on_batch(&run->batch, &run->header, error);
    if (status != PST_OK && status != PST_END)
        return pst_fail_at(error, "batch %llu", (unsigned long long)run->batch.seq);
    pst_progress_batch(&run->batch, pst_reader_waited(run->reader), 0);
    return status;
}

static enum pst_status run_sink(struct run *run, const struct pst_sink *sink, struct pst_error *error)
{
    enum pst_status status = pst_open_stream(pst_cli.input, &run->reader, &run->header, error);
    if (status == PST_OK && sink->on_header != NULL)
        status = sink->on_header(&run->header, error);
    if (status != PST_OK)
        return status;
    pst_progress_begin(&run->header, false);
    while (status == PST_OK)
        status = sink_batch(run, sink, error);
    if (status == PST_END)
        return sink->on_end == NULL ? PST_OK : sink->on_end(error);
    /* What the sink can save, it saves, and the first error stays the one told. */
    struct pst_error second = { 0 };
    if (sink->on_interrupt != NULL && sink->on_interrupt(&second) != PST_OK)
        pst_say("%s", second.message);
    return status;
}

int pst_sink_main(int argc, char **argv, const struct pst_sink *sink)
{
    struct pst_error error = { 0 };
    struct run run = { 0 };
    enter(&sink->stage, PST_SINK);
    if (sink->on_interrupt != NULL)
        pst_stop_on_signals();
    enum pst_status status = begin(argc, argv, &error);
    if (status == PST_OK)
        status = run_sink(&run, sink, &error);
    free_run(&run, status, &error);
    return end(status, &error);
}

/* ---- relays ------------------------------------------------------------------------------------------ */

enum pst_status pst_relay_verbatim(struct pst_streams *streams, const struct pst_header *header,
                                   struct pst_error *error)
{
    struct pst_batch none = { 0 };
    enum pst_status status = send_header(streams->writer, header, &none, error);
    pst_batch_free(&none);
    return status;
}

enum pst_status pst_relay_header(struct pst_streams *streams, struct pst_header *header,
                                 struct pst_error *error)
{
    enum pst_status status = sign(header, error);
    return status == PST_OK ? pst_relay_verbatim(streams, header, error) : status;
}

static enum pst_status run_relay(struct pst_streams *streams, const struct pst_relay *relay,
                                 struct pst_error *error)
{
    enum pst_status status = open_writer(&streams->writer, error);
    if (status == PST_OK)
        status = pst_open_stream(pst_cli.input, &streams->reader, &streams->header, error);
    if (status == PST_OK)
        status = relay->run(streams, error);
    return status == PST_OK ? pst_writer_finish(streams->writer, error) : status;
}

int pst_relay_main(int argc, char **argv, const struct pst_relay *relay)
{
    struct pst_error error = { 0 };
    struct pst_streams streams = { 0 };
    enter(&relay->stage, PST_FILTER);
    enum pst_status status = begin(argc, argv, &error);
    if (status == PST_OK)
        status = run_relay(&streams, relay, &error);
    note_reason(status, &error);
    pst_reader_free(streams.reader);
    pst_writer_free(streams.writer);
    pst_header_free(&streams.header);
    return end(status, &error);
}

/* ---- tools ------------------------------------------------------------------------------------------- */

int pst_tool_main(int argc, char **argv, const struct pst_tool *tool)
{
    struct pst_error error = { 0 };
    enter(&tool->stage, tool->links ? PST_LINKED_TOOL : PST_TOOL);
    enum pst_status status = begin(argc, argv, &error);
    if (status == PST_OK)
        status = tool->run(&error);
    return end(status, &error);
}

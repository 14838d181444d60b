/* The streams of a stage: opened, their headers passed on, and closed. */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- opening ------------------------------------------------------------------------------------------- */

enum pst_status pst_open_stream(const struct pst_run *run, const char *endpoint, struct pst_reader **reader,
                                struct pst_header *header, struct pst_error *error)
{
    const struct pst_link_settings *link = pst_link_options(run);
    struct pst_input *input;
    enum pst_status status = pst_input_open(&input, endpoint, link, error);
    if (status == PST_OK)
        status = pst_reader_new(reader, input, link->max_message, error);
    if (status != PST_OK)
        return status;
    status = pst_reader_header(*reader, header, error);
    if (status != PST_OK) {
        pst_reader_free(*reader);
        *reader = NULL;
    }
    return status;
}

static enum pst_status open_writer(struct pst_frame *frame, struct pst_error *error)
{
    struct pst_output *output;
    struct pst_writer **writer = &frame->streams.writer;
    enum pst_status status = pst_output_open(&output, frame->common.output, &frame->common.link, error);
    if (status == PST_OK && output->unlocked)
        pst_say_unlocked(&frame->run, frame->common.output);
    if (status == PST_OK)
        status = pst_writer_new(writer, output, error);
    if (status == PST_OK && frame->common.zstd > 0)
        status = pst_writer_compress(*writer, (int)frame->common.zstd, error);
    return status;
}

enum pst_status pst_streams_open(struct pst_frame *frame, struct pst_error *error)
{
    struct pst_streams *streams = &frame->streams;
    pst_state_doing(pst_frame_writes(frame) ? PST_WAITING_FOR_OUTPUT : PST_WORKING);
    enum pst_status status = pst_frame_writes(frame) ? open_writer(frame, error) : PST_OK;
    if (status == PST_OK && pst_frame_reads(frame))
        pst_state_doing(PST_WAITING_FOR_INPUT);
    if (status == PST_OK && pst_frame_reads(frame))
        status = pst_open_stream(&frame->run, frame->common.input, &streams->reader, &streams->header, error);
    return status;
}

/* ---- headers ------------------------------------------------------------------------------------------- */

/* Only the last stage of a pipeline draws; otherwise all would draw over each other. */
static bool output_is_pipe(const struct pst_frame *frame)
{
    struct stat status;
    if (!pst_frame_writes(frame))
        return false;
    return strcmp(frame->common.output, "-") != 0 ||
           (fstat(STDOUT_FILENO, &status) == 0 && !S_ISREG(status.st_mode));
}

void pst_verbatim(struct pst_run *run)
{
    run->frame->verbatim = true;
}

enum pst_status pst_write_header(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    struct pst_frame *frame = run->frame;
    const char *effect = frame->effect == NULL && pst_frame_reads(frame) ? "adds" : frame->effect;
    enum pst_status status = PST_OK;
    if (!frame->verbatim && effect != NULL)
        status = pst_history_note(run, "effect", json_string(effect), error);
    if (!frame->verbatim && status == PST_OK)
        status = pst_header_append_history(header, frame->stage->name, json_deep_copy(frame->details), error);
    if (status == PST_OK)
        status = pst_check_memory(error);
    if (status == PST_OK)
        status = pst_writer_header(frame->streams.writer, header, error);
    pst_progress_begin(frame, header, output_is_pipe(frame));
    return status;
}

enum pst_status pst_headers_pass(struct pst_frame *frame, struct pst_error *error)
{
    const struct pst_stage *stage = frame->stage;
    const struct pst_header *in = pst_frame_reads(frame) ? &frame->streams.header : NULL;
    struct pst_header *out = pst_frame_writes(frame) ? &frame->out : NULL;
    enum pst_status status = PST_OK;
    pst_state_doing(PST_WORKING);
    if (out != NULL)
        status = in != NULL ? pst_header_pass(out, in, error) : pst_header_new(out, error);
    if (status == PST_OK && stage->on_header != NULL)
        status = stage->on_header(&frame->run, in, out, error);
    if (status == PST_OK && out != NULL)
        status = pst_origins_compute(frame, in, out, error);
    if (status == PST_OK && out != NULL)
        return pst_write_header(&frame->run, out, error);
    if (status == PST_OK)
        pst_progress_begin(frame, in, false);
    return status;
}

const struct pst_header *pst_input_header(const struct pst_run *run)
{
    return &run->frame->streams.header;
}

const struct pst_header *pst_output_header(const struct pst_run *run)
{
    return &run->frame->out;
}

uint64_t pst_bytes_written(const struct pst_run *run)
{
    return pst_writer_bytes(run->frame->streams.writer);
}

/* ---- closing ------------------------------------------------------------------------------------------- */

void pst_streams_close(struct pst_frame *frame, enum pst_status status, const struct pst_error *error)
{
    char why[sizeof error->message + 64];
    snprintf(why, sizeof why, "%s: %s", frame->stage->name, error->message);
    bool failed = status != PST_OK && status != PST_END && error->message[0] != '\0';
    pst_closing_reason(failed ? why : NULL);
    if (!frame->abandoned)
        pst_reader_free(frame->streams.reader);
    pst_writer_free(frame->streams.writer);
    if (frame->abandoned)
        return;
    pst_header_free(&frame->streams.header);
    pst_header_free(&frame->out);
}

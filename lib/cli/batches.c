/* The steps of a batch: it is read, answered, and written. */
#include "lib/cli/frame.h"

#include <string.h>

enum pst_status pst_job_fetch(struct pst_job *job, struct pst_error *error)
{
    struct pst_frame *frame = job->run.frame;
    if (pst_stop_signal() != 0)
        return pst_fail(error, PST_STOPPED, "stopped by a signal");
    enum pst_status status = pst_check_memory(error);
    if (status != PST_OK)
        return status;
    if (pst_frame_reads(frame))
        return pst_reader_next(frame->streams.reader, &job->in, error);
    job->seq = frame->next_seq++;
    return frame->stage->take == NULL ? PST_OK : frame->stage->take(&frame->run, &job->run, error);
}

enum pst_status pst_job_read(struct pst_job *job, struct pst_error *error)
{
    struct pst_frame *frame = job->run.frame;
    bool reads = pst_frame_reads(frame);
    if (reads)
        pst_state_doing(PST_WAITING_FOR_INPUT);
    enum pst_status status = pst_job_fetch(job, error);
    if (!reads)
        return status;
    pst_state_doing(PST_WORKING);
    frame->input_ended = frame->input_ended || status == PST_END;
    job->waited = pst_reader_waited(frame->streams.reader);
    return status;
}

enum pst_status pst_job_answer(struct pst_job *job, struct pst_error *error)
{
    struct pst_frame *frame = job->run.frame;
    struct pst_batch *in = pst_frame_reads(frame) ? &job->in : NULL;
    struct pst_batch *out = pst_frame_writes(frame) ? &job->out : NULL;
    enum pst_status status = PST_OK;
    if (in != NULL && out != NULL)
        status = pst_batch_derive(out, &frame->out, in, error);
    else if (out != NULL)
        status = pst_batch_follow(out, &frame->out, error);
    if (status == PST_OK && frame->stage->on_batch != NULL)
        status = frame->stage->on_batch(&job->run, in, out, error);
    if (in == NULL && out != NULL)
        out->seq = job->seq;
    if (status == PST_OK || status == PST_END || in == NULL)
        return status;
    return pst_fail_at(error, "batch %llu", (unsigned long long)in->seq);
}

bool pst_job_has_answer(const struct pst_job *job, enum pst_status status)
{
    return status == PST_OK || (status == PST_END && pst_frame_reads(job->run.frame));
}

enum pst_status pst_job_write(struct pst_job *job, struct pst_error *error)
{
    struct pst_frame *frame = job->run.frame;
    struct pst_writer *writer = frame->streams.writer;
    bool selects = pst_frame_reads(frame) && frame->effect != NULL && strcmp(frame->effect, "selects") == 0;
    if (writer != NULL && selects) /* empty batches are not written and leave no gap */
        job->out.seq = frame->out.first + pst_writer_trailer(writer)->batches;
    if (writer != NULL && selects && job->out.n == 0)
        return PST_OK;
    pst_state_doing(writer != NULL ? PST_WAITING_FOR_OUTPUT : PST_WORKING);
    enum pst_status status = writer != NULL ? pst_writer_batch(writer, &job->out, error) : PST_OK;
    if (status == PST_OK)
        pst_progress_batch(&frame->run, writer != NULL ? &job->out : &job->in, job->waited,
                           writer != NULL ? pst_writer_waited(writer) : 0);
    return status;
}

void pst_job_free(struct pst_job *job)
{
    pst_batch_free(&job->in);
    pst_batch_free(&job->out);
}

enum pst_status pst_job_finish(struct pst_job *job, struct pst_error *error)
{
    enum pst_status status = pst_job_answer(job, error);
    if (!pst_job_has_answer(job, status))
        return status;
    enum pst_status written = pst_job_write(job, error);
    return written == PST_OK ? status : written;
}

enum pst_status pst_batches_pass(struct pst_frame *frame, struct pst_error *error)
{
    struct pst_job job = { .run = frame->run };
    enum pst_status status = PST_OK;
    while (status == PST_OK) {
        status = pst_job_read(&job, error);
        if (status == PST_OK)
            status = pst_job_finish(&job, error);
    }
    pst_job_free(&job);
    if (frame->stage->leave != NULL)
        frame->stage->leave(&frame->run);
    return status;
}

/*
 * Progress: one line on the terminal, drawn by the last stage of a pipeline only, and figures in the log.
 */
#include "lib/cli/frame.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define DRAW_EVERY 0.2 /* seconds */
#define LOG_EVERY 2.0  /* seconds */

void pst_progress_begin(struct pst_frame *frame, const struct pst_header *header, bool output_is_pipe)
{
    struct pst_progress *progress = &frame->progress;
    *progress = (struct pst_progress){ .started = progress->started };
    bool shown = !frame->common.quiet && isatty(STDERR_FILENO);
    progress->draws = shown && !output_is_pipe;
    progress->elsewhere = shown && output_is_pipe;
    progress->began = progress->drew = progress->logged = pst_seconds();
    progress->epochs = header->epochs;
    progress->total_batches = header->batches > header->first ? header->batches - header->first : 0;
    pst_state_figures(progress);
    pst_say_slow_blas(frame);
    pst_state_doing(PST_WORKING);
}

void pst_progress_note(struct pst_run *run, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    vsnprintf(run->frame->progress.note, sizeof run->frame->progress.note, format, values);
    va_end(values);
    pst_make_plain(run->frame->progress.note);
}

bool pst_progress_is_elsewhere(const struct pst_run *run)
{
    return run->frame->progress.elsewhere;
}

static int columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

/* "[=====>    ] 52%, 0:41 left", or nothing if the total is not known. */
static void describe_share(const struct pst_progress *progress, char *text, size_t size, double elapsed)
{
    enum { WIDTH = 20 };
    text[0] = '\0';
    if (progress->total_batches == 0)
        return;
    double share = (double)progress->batches / (double)progress->total_batches;
    share = share > 1 ? 1 : share;
    char bar[WIDTH + 1];
    int full = (int)(share * WIDTH);
    for (int i = 0; i < WIDTH; i++)
        bar[i] = i < full ? '=' : i == full ? '>' : ' ';
    bar[WIDTH] = '\0';
    double left = share > 0 ? elapsed / share - elapsed : 0;
    snprintf(text, size, " [%s] %3.0f%%, %.0f:%02.0f left", bar, 100 * share, (double)(long)(left / 60),
             (double)((long)left % 60));
}

/* In percent of the time since the program started, because it may also have waited for the header. */
static double waited_share(const struct pst_progress *progress, double waited, double now)
{
    double share = now > progress->started ? 100 * waited / (now - progress->started) : 0;
    return share > 100 ? 100 : share;
}

static void draw(struct pst_frame *frame, double now)
{
    struct pst_progress *progress = &frame->progress;
    double elapsed = now - progress->began;
    char share[96], line[512];
    describe_share(progress, share, sizeof share, elapsed);
    double rate = elapsed > 0 ? (double)progress->samples / elapsed : 0;
    int length = snprintf(line, sizeof line, "%s: epoch %llu", frame->stage->name,
                          (unsigned long long)progress->epoch + 1);
    if (progress->epochs > 0)
        length += snprintf(line + length, sizeof line - (size_t)length, "/%llu",
                           (unsigned long long)progress->epochs);
    snprintf(line + length, sizeof line - (size_t)length,
             "%s, %.0f samples/s%s%s, waiting in %.0f%% out %.0f%%", share, rate,
             progress->note[0] == '\0' ? "" : ", ", progress->note,
             waited_share(progress, progress->waited_for_input, now),
             waited_share(progress, progress->waited_for_output, now));
    if (columns() <= (int)sizeof line)
        line[columns() - 1] = '\0';
    pst_make_plain(line); /* a letter may be cut */
    fprintf(stderr, "\r\033[K%s", line);
    fflush(stderr);
    progress->drawn = true;
}

static json_t *figures(const struct pst_progress *progress, double now)
{
    double elapsed = now - progress->began;
    return json_pack("{s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "batches", (json_int_t)progress->batches,
                     "total_batches", (json_int_t)progress->total_batches, "samples",
                     (json_int_t)progress->samples, "epoch", (json_int_t)progress->epoch, "seconds",
                     now - progress->started, "samples_per_second",
                     elapsed > 0 ? (double)progress->samples / elapsed : 0.0, "waited_for_input",
                     progress->waited_for_input, "waited_for_output", progress->waited_for_output);
}

void pst_progress_batch(struct pst_run *run, const struct pst_batch *batch, double waited_for_input,
                        double waited_for_output)
{
    struct pst_frame *frame = run->frame;
    struct pst_progress *progress = &frame->progress;
    progress->batches++;
    progress->samples += batch->n;
    progress->epoch = batch->epoch;
    progress->waited_for_input = waited_for_input;
    progress->waited_for_output = waited_for_output;
    pst_state_figures(progress);
    if (!progress->draws && frame->log == NULL)
        return;
    double now = pst_seconds();
    if (progress->draws && now - progress->drew >= DRAW_EVERY) {
        progress->drew = now;
        draw(frame, now);
    }
    if (frame->log != NULL && now - progress->logged >= LOG_EVERY) {
        progress->logged = now;
        pst_log(&frame->run, "progress", figures(progress, now));
    }
}

void pst_progress_clear(struct pst_frame *frame)
{
    struct pst_progress *progress = &frame->progress;
    if (!progress->drawn)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress->drawn = false;
}

void pst_progress_end(struct pst_frame *frame, enum pst_status status)
{
    pst_progress_clear(frame);
    if (frame->log == NULL)
        return;
    json_t *end = figures(&frame->progress, pst_seconds());
    if (end != NULL)
        json_object_set_new(end, "status", json_integer(status));
    pst_log(&frame->run, "end", end);
}

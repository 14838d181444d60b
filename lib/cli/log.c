/* What a program writes: lines on standard error, text on standard output, events in the log. */
#include "lib/cli/frame.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

void pst_say(struct pst_run *run, const char *format, ...)
{
    char line[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(line, sizeof line, format, values);
    va_end(values);
    pst_make_plain(line);
    pst_progress_clear(run->frame);
    /* One write, so that lines of several stages on one terminal do not mix. */
    char whole[1200];
    snprintf(whole, sizeof whole, "%s: %s\n", run->frame->stage->name, line);
    if (pst_write_all(STDERR_FILENO, whole, strlen(whole), "standard error", NULL) != PST_OK)
        return; /* there is no other place to report this */
}

void pst_say_unlocked(struct pst_run *run, const char *path)
{
    pst_say(run, "%s: its file system has no locks (flock), so take care that no other process writes it",
            path);
}

enum pst_status pst_print(struct pst_run *run, const char *text, struct pst_error *error)
{
    pst_progress_clear(run->frame);
    enum pst_status status = pst_check_memory(error);
    return status != PST_OK ? status
                            : pst_write_all(STDOUT_FILENO, text, strlen(text), "standard output", error);
}

enum pst_status pst_print_line(struct pst_run *run, char *text, struct pst_error *error)
{
    pst_make_plain(text);
    enum pst_status status = pst_print(run, text, error);
    return status == PST_OK ? pst_print(run, "\n", error) : status;
}

/*
 * Whether a file is empty or begins as a log does. Lines that are appended to another file would damage it.
 */
static bool may_be_log(const char *path)
{
    static const char beginning[] = "{\"time\":";
    char bytes[sizeof beginning] = "";
    struct stat status;
    FILE *file = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "re") : NULL;
    if (file == NULL)
        return true; /* opening it to write reports what is wrong */
    size_t got = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    return got == 0 || strcmp(bytes, beginning) == 0;
}

enum pst_status pst_log_open(struct pst_frame *frame, struct pst_error *error)
{
    if (strcmp(frame->common.log_path, "-") == 0)
        return pst_fail(error, PST_USAGE, "--log -: is for a file; /dev/stderr is standard error");
    if (!may_be_log(frame->common.log_path))
        return pst_fail(error, PST_USAGE, "--log %s: is not a log, and is left as it is; name another file",
                        frame->common.log_path);
    frame->log = fopen(frame->common.log_path, "ae");
    if (frame->log == NULL)
        return pst_fail(error, pst_shortage_or(PST_IO_ERROR), "--log %s: cannot be written: %s",
                        frame->common.log_path, strerror(errno));
    return PST_OK;
}

void pst_log(struct pst_run *run, const char *event, json_t *fields)
{
    struct pst_frame *frame = run->frame;
    if (frame->log == NULL) {
        json_decref(fields);
        return;
    }
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *line = json_pack("{s:f, s:s, s:s}", "time", (double)now.tv_sec + 1e-9 * (double)now.tv_nsec,
                             "stage", frame->stage->name, "event", event);
    if (line != NULL && (fields == NULL || json_object_update_missing(line, fields) == 0)) {
        json_dumpf(line, frame->log, JSON_COMPACT | JSON_REAL_PRECISION(12));
        fputc('\n', frame->log);
        fflush(frame->log);
    }
    json_decref(line);
    json_decref(fields);
}

bool pst_log_close(struct pst_frame *frame)
{
    if (frame->log == NULL)
        return true;
    bool complete = ferror(frame->log) == 0;
    complete = fclose(frame->log) == 0 && complete;
    frame->log = NULL;
    if (!complete)
        pst_say(&frame->run, "--log %s: is not complete: it could not be written", frame->common.log_path);
    return complete;
}

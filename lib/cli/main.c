/* The main of every stage: what happens before, between and after the calls into the stage itself. */
#include "lib/cli/frame.h"

#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- beginning ----------------------------------------------------------------------------------------- */

/* How often a thread of oneDNN looks for work before it sleeps: 0.1 or 0.2 milliseconds. To sleep at once
 * costs more, because the next product comes soon. */
#define SPINS "3000"

/* By its path, because a process gets its name from that; by the link itself if a new version has replaced
 * the file. */
static void start_again(char **argv)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length > 0 && length < (ssize_t)sizeof path - 1) {
        path[length] = '\0';
        execv(path, argv);
    }
    execv("/proc/self/exe", argv);
}

/*
 * OpenBLAS makes its threads when it is loaded, before main. Idle ones spin, as those of OpenMP do. So the
 * number of threads, and how they wait, must be in the environment before the program starts. If they are
 * not, the program starts itself again.
 */
static void settle_threads(const struct pst_frame *frame, char **argv)
{
    char wanted[24];
    size_t threads = frame->common.threads;
    snprintf(wanted, sizeof wanted, "%zu", threads == 0 ? 1 : threads);
    const char *set = getenv("OPENBLAS_NUM_THREADS");
    bool as_wanted = set != NULL && strcmp(set, wanted) == 0,
         may_spin = threads != 1 && getenv("OMP_WAIT_POLICY") == NULL;
    if ((frame->stage->traits & PST_BLAS) == 0 || (as_wanted && !may_spin))
        return;
    if (setenv("OPENBLAS_NUM_THREADS", wanted, 1) == 0 && setenv("OMP_WAIT_POLICY", "passive", 0) == 0 &&
        setenv("GOMP_SPINCOUNT", SPINS, 0) == 0)
        start_again(argv);
    /* If that fails, the program continues as it is: slower, not wrong. */
}

size_t pst_threads(const struct pst_run *run)
{
    const struct pst_common *common = &run->frame->common;
    return common->threads == 0 && (common->jobs > 1 || pst_may_add_jobs(run->frame)) ? 1 : common->threads;
}

static bool uses_blas(const struct pst_frame *frame)
{
    return (frame->stage->traits & PST_BLAS) != 0;
}

static enum pst_status check_blas(const struct pst_frame *frame, struct pst_error *error)
{
    const struct pst_common *common = &frame->common;
    size_t most = common->threads > common->jobs ? common->threads : common->jobs;
    return uses_blas(frame) ? pst_check_blas_memory(most > 1 ? most : 1, error) : PST_OK;
}

/* OpenBLAS's threads without a buffer try to get one for ever, and OpenBLAS waits for them when the program
 * ends. */
static bool may_wait_for_blas(const struct pst_frame *frame)
{
    struct rlimit limit;
    return uses_blas(frame) && (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY);
}

/* Only after a second start, which loses handlers: a signal in between would end the program or be lost. */
static void handle_signals(const struct pst_stage *stage)
{
    if (stage->on_interrupt != NULL)
        pst_stop_on_signals();
    pst_state_begin(stage->name);
}

static enum pst_status begin(struct pst_frame *frame, int argc, char **argv, struct pst_error *error)
{
    char **kept = calloc((size_t)argc + 1, sizeof *kept); /* getopt_long reorders argv */
    if (kept == NULL || (frame->details = json_object()) == NULL) {
        free(kept);
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    }
    memcpy(kept, argv, (size_t)argc * sizeof *kept);
    enum pst_status status = pst_parse_options(frame, argc, argv, error);
    if (status == PST_OK)
        settle_threads(frame, kept);
    free(kept);
    handle_signals(frame->stage);
    if (status == PST_OK)
        status = pst_check_files(frame, error);
    if (status == PST_OK)
        status = check_blas(frame, error);
    if (status == PST_OK && frame->common.log_path != NULL)
        status = pst_log_open(frame, error);
    if (status == PST_OK)
        pst_log(&frame->run, "start",
                json_pack("{s:s, s:O}", "version", PST_VERSION, "options", frame->details));
    if (status == PST_OK && frame->stage->start != NULL)
        status = frame->stage->start(&frame->run, frame->operand_count, frame->operands, error);
    return status;
}

enum pst_status pst_history_note(struct pst_run *run, const char *key, json_t *value, struct pst_error *error)
{
    if (value == NULL || json_object_set_new(run->frame->details, key, value) != 0)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for the stream's history");
    return PST_OK;
}

char *pst_settings_text(const struct pst_run *run)
{
    return json_dumps(run->frame->details, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
}

/*
 * If memory is short, jansson leaves things out without an error: a text lacks a letter, intact JSON looks
 * damaged. So after a shortage no output is completed, and apparent faults of the input are not reported.
 */
static enum pst_status after_shortage(enum pst_status status, struct pst_error *error)
{
    return status != PST_TRY_AGAIN && pst_memory_ran_short() ? pst_check_memory(error) : status;
}

/* ---- running ------------------------------------------------------------------------------------------- */

/* A sink reports that its input is complete, but has fewer batches than announced: a recording was cut short
 * and repaired. */
static void say_if_short(struct pst_frame *frame)
{
    const struct pst_header *header = &frame->streams.header;
    if (!frame->input_ended || pst_frame_writes(frame) || header->batches <= header->first)
        return;
    uint64_t announced = header->batches - header->first;
    uint64_t came = pst_reader_trailer(frame->streams.reader)->batches;
    if (came < announced)
        pst_say(&frame->run, "%s: ended after %llu of the %llu batches that its header announces",
                pst_input_name(&frame->run), (unsigned long long)came, (unsigned long long)announced);
}

static enum pst_status run_batches(struct pst_frame *frame, struct pst_error *error)
{
    const struct pst_stage *stage = frame->stage;
    enum pst_status status = pst_headers_pass(frame, error);
    if (status != PST_OK)
        return status;
    frame->next_seq = frame->out.first;
    if (frame->common.jobs > 1)
        status = pst_jobs_pass(frame, error);
    else if (pst_may_add_jobs(frame))
        status = pst_jobs_add(frame, error);
    else
        status = pst_may_read_ahead(frame) ? pst_ahead_pass(frame, error) : pst_batches_pass(frame, error);
    if (status == PST_END)
        status = after_shortage(status, error);
    if (status == PST_END) {
        status = stage->on_end == NULL ? PST_OK : stage->on_end(&frame->run, error);
        if (status == PST_OK)
            say_if_short(frame);
        return status;
    }
    /* The stage saves what it can; the first error is the one that is returned. */
    struct pst_error second = { 0 };
    if (stage->on_interrupt != NULL && stage->on_interrupt(&frame->run, &second) != PST_OK &&
        strstr(error->message, second.message) == NULL)
        pst_say(&frame->run, "%s", second.message);
    return status;
}

static enum pst_status run_all(struct pst_frame *frame, struct pst_error *error)
{
    bool streams = pst_frame_reads(frame) || pst_frame_writes(frame);
    bool has_reader = frame->streams.reader != NULL;
    enum pst_status status = frame->stage->run_all(&frame->run, streams ? &frame->streams : NULL, error);
    frame->abandoned = has_reader && frame->streams.reader == NULL;
    return status;
}

static enum pst_status run(struct pst_frame *frame, struct pst_error *error)
{
    enum pst_status status = pst_streams_open(frame, error);
    if (status == PST_OK)
        status = frame->stage->run_all != NULL ? run_all(frame, error) : run_batches(frame, error);
    status = after_shortage(status, error);
    return status == PST_OK && pst_frame_writes(frame) ? pst_writer_finish(frame->streams.writer, error)
                                                       : status;
}

/* ---- ending -------------------------------------------------------------------------------------------- */

/* A reader of a pipe that left early has reported its own error, or needed no more, like head. */
static bool reader_has_reported(const struct pst_frame *frame, enum pst_status status)
{
    return status == PST_READER_LEFT && (!pst_frame_writes(frame) || strcmp(frame->common.output, "-") == 0);
}

static void report(struct pst_frame *frame, enum pst_status status, const struct pst_error *error)
{
    pst_log(&frame->run, "error", json_pack("{s:s}", "message", error->message));
    if (reader_has_reported(frame, status))
        return;
    pst_say(&frame->run, "%s", error->message);
    if (status == PST_USAGE && strstr(error->message, "--help") == NULL)
        pst_say(&frame->run, "'%s --help' shows all options", frame->stage->name);
}

/* Reports an error, frees what all stages share, and turns a status into an exit code. */
static int end(struct pst_frame *frame, enum pst_status status, struct pst_error *error)
{
    status = after_shortage(status == PST_END ? PST_OK : status, error);
    pst_progress_clear(frame);
    if (frame->stage->stop != NULL)
        frame->stage->stop(&frame->run);
    int number = pst_stop_signal();
    if (status != PST_OK && number == 0)
        report(frame, status, error);
    pst_progress_end(frame, status);
    if (!pst_log_close(frame) && status == PST_OK)
        status = PST_IO_ERROR;
    json_decref(frame->details);
    json_decref(frame->matters);
    json_decref(frame->matters_to);
    json_decref(frame->made);
    json_decref(frame->learned);
    json_decref(frame->learned_from);
    if (number != 0 && status != PST_OK) {
        signal(number, SIG_DFL);
        raise(number);
    }
    if (frame->abandoned || may_wait_for_blas(frame))
        _exit((int)status); /* the abandoned thread still uses what exit would free */
    return (int)status;
}

/*
 * A listener says that it waits, on a terminal or not: it waits for ever for a first connection, and
 * otherwise a job's log could not tell a run that waits from one that works. No error follows from this, so
 * one cause still has one message.
 */
static void say_waiting(void *frame, const char *name)
{
    struct pst_run *run = &((struct pst_frame *)frame)->run;
    struct pst_error plain = { 0 };
    pst_fail(&plain, PST_OK, "%s", name);
    pst_log(run, "waiting", json_pack("{s:s}", "endpoint", plain.message));
    pst_say(run, "%s: waiting for the other side to connect", name);
}

static void set_up(struct pst_frame *frame, const struct pst_stage *stage)
{
    void *self = pst_allocate(1, stage->size + 1, NULL), *usual = pst_allocate(1, stage->size + 1, NULL);
    if (self == NULL || usual == NULL) {
        fprintf(stderr, "%s: out of memory\n", stage->name);
        exit(PST_TRY_AGAIN);
    }
    if (stage->defaults != NULL)
        memcpy(usual, stage->defaults, stage->size);
    memcpy(self, usual, stage->size);
    *frame =
        (struct pst_frame){ .stage = stage, .run = { self, frame }, .common = pst_usual, .usual = usual };
    frame->progress.started = frame->progress.began = pst_seconds();
    frame->common.link.on_wait = say_waiting;
    frame->common.link.context = frame;
    pst_list_options(frame);
}

/*
 * Opens those of the descriptors 0 to 2 that are closed at the start: otherwise a file would get one of
 * them, and messages would be written into it. They are opened in the wrong direction, so that their use is
 * still an error.
 */
static void reserve_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            _exit(PST_IO_ERROR);
}

int pst_main(int argc, char **argv, const struct pst_stage *stage)
{
    struct pst_error error = { 0 };
    struct pst_frame frame; /* on main's stack, where an abandoned thread's memory stays reachable */
    reserve_descriptors();
    set_up(&frame, stage);
    json_set_alloc_funcs(pst_marking_malloc, free);
    signal(SIGPIPE, SIG_IGN); /* a reader that leaves is an error of write, with a message */
    signal(SIGXFSZ, SIG_IGN); /* and so is a file that grows beyond a limit */
    enum pst_status status = pst_check_machine(&error);
    if (status == PST_OK)
        status = begin(&frame, argc, argv, &error);
    status = after_shortage(status, &error);
    if (status == PST_OK)
        status = run(&frame, &error);
    status = after_shortage(status, &error);
    pst_state_doing(PST_ENDING);
    pst_streams_close(&frame, status, &error);
    int code = end(&frame, status, &error);
    free(frame.run.self);
    free(frame.usual);
    return code;
}

/* A worker's child and the threads around it; see command.h. */
#include "pipestill/linux.h"

#include "lib/pool/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum pst_status pst_command_new(struct command *command, struct pst_run *run, char **arguments, size_t room,
                                struct pst_error *error)
{
    *command = (struct command){ .run = run, .arguments = arguments, .room = room };
    command->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    command->tasks = calloc(room, sizeof *command->tasks);
    pthread_mutex_init(&command->lock, NULL);
    pthread_cond_init(&command->change, NULL);
    if (command->event < 0 || command->tasks == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu jobs", room);
    return PST_OK;
}

static void notify(struct command *command)
{
    uint64_t one = 1;
    if (write(command->event, &one, sizeof one) < 0)
        return; /* it can be read already */
}

/* ---- feeding ---- */

/* The next task to feed, or NULL if there will be none. */
static struct task *next_to_feed(struct command *command)
{
    pthread_mutex_lock(&command->lock);
    while (command->fed == command->put && !command->closing && !command->aborting)
        pthread_cond_wait(&command->change, &command->lock);
    bool more = command->fed < command->put && !command->aborting;
    struct task *task = more ? &command->tasks[command->fed % command->room] : NULL;
    pthread_mutex_unlock(&command->lock);
    return task;
}

static bool is_patient(struct command *command)
{
    pthread_mutex_lock(&command->lock);
    bool patient = !command->aborting;
    pthread_mutex_unlock(&command->lock);
    return patient;
}

/* Feeds the child. The collector notices a failure here, too: the child's stream ends without a trailer. */
static void *feed(void *argument)
{
    struct command *command = argument;
    struct task *task = NULL;
    struct pst_error error = { 0 };
    enum pst_status status = pst_writer_header(command->writer, &command->header, &error);
    while (status == PST_OK && (task = next_to_feed(command)) != NULL) {
        status = pst_writer_batch(command->writer, &task->batch, &error);
        pthread_mutex_lock(&command->lock);
        command->fed++;
        pthread_mutex_unlock(&command->lock);
        notify(command);
    }
    if (status == PST_OK && is_patient(command))
        status = pst_writer_finish(command->writer, &error);
    if (status != PST_OK && status != PST_READER_LEFT)
        pst_say(command->run, "%s", error.message);
    pst_writer_free(command->writer); /* the child's input ends */
    command->writer = NULL;
    return NULL;
}

/* ---- collecting ---- */

/* Finds the tensors that a command adds, behind the input's, which must be as they were. */
static enum pst_status settle_answers(struct command *command, const struct pst_header *out,
                                      struct pst_error *error)
{
    const struct pst_header *in = &command->header;
    for (size_t i = 0; i < in->tensor_count; i++) {
        if (i >= out->tensor_count || strcmp(in->tensors[i].name, out->tensors[i].name) != 0 ||
            in->tensors[i].dtype != out->tensors[i].dtype ||
            in->tensors[i].sample_bytes != out->tensors[i].sample_bytes)
            return pst_fail(error, PST_BAD_DATA,
                            "the command does not hand on tensor '%s'; a worker's command may only add",
                            in->tensors[i].name);
    }
    enum pst_status status = pst_header_copy(&command->answers, out, error);
    if (status != PST_OK)
        return status;
    size_t added = out->tensor_count - in->tensor_count;
    memmove(command->answers.tensors, command->answers.tensors + in->tensor_count,
            added * sizeof *command->answers.tensors);
    command->answers.tensor_count = added;
    return PST_OK;
}

/* Makes the answer from the batch that came back, which must hold the task's own tensors unchanged. */
static enum pst_status answer(struct command *command, struct task *task, const struct pst_batch *batch,
                              struct pst_error *error)
{
    size_t own = command->header.tensor_count;
    for (size_t i = 0; i < own; i++) {
        if (batch->n != task->batch.n || batch->epoch != task->batch.epoch ||
            batch->tensors[i].crc != task->batch.tensors[i].crc)
            return pst_fail(error, PST_BAD_DATA,
                            "the command changed tensor '%s'; a worker's command may only add",
                            command->header.tensors[i].name);
    }
    struct pst_batch added = { .seq = task->seq,
                               .epoch = batch->epoch,
                               .n = batch->n,
                               .tensor_count = command->answers.tensor_count,
                               .tensors = batch->tensors + own };
    return pst_parcel_pack(&command->answers, &added, &task->answer, &task->answer_size, error);
}

/* Takes one batch from the child. Returns PST_OK; PST_END; or an error. */
static enum pst_status collect_one(struct command *command, struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = pst_reader_next(command->reader, batch, error);
    if (status != PST_OK)
        return status;
    pthread_mutex_lock(&command->lock);
    bool expected = command->answered < command->put;
    struct task *task = &command->tasks[command->answered % command->room];
    pthread_mutex_unlock(&command->lock);
    if (!expected) {
        command->refused = true;
        return pst_fail(error, PST_BAD_DATA, "the command wrote more batches than it read");
    }
    status = answer(command, task, batch, error);
    if (status != PST_OK) {
        command->refused = true;
        return status;
    }
    pthread_mutex_lock(&command->lock);
    command->answered++;
    pthread_mutex_unlock(&command->lock);
    notify(command);
    return PST_OK;
}

static void *collect(void *argument)
{
    struct command *command = argument;
    struct pst_header out;
    struct pst_batch batch = { 0 };
    struct pst_error error = { 0 };
    enum pst_status status = pst_reader_header(command->reader, &out, &error);
    if (status == PST_OK) {
        status = settle_answers(command, &out, &error);
        command->refused = status != PST_OK;
    }
    while (status == PST_OK)
        status = collect_one(command, &batch, &error);
    pst_batch_free(&batch);
    pst_header_free(&out);
    pst_reader_free(command->reader); /* a child that still writes finds that its reader has gone */
    command->reader = NULL;
    pthread_mutex_lock(&command->lock);
    command->ended = true;
    command->error = error;
    pthread_mutex_unlock(&command->lock);
    notify(command);
    return NULL;
}

/* ---- listening ---- */

/* Keeps the end of what the child writes. */
static void remember(struct command *command, const char *text, size_t size)
{
    if (size > KEPT) {
        text += size - KEPT;
        size = KEPT;
    }
    pthread_mutex_lock(&command->lock);
    size_t keep = command->kept_size + size > KEPT ? KEPT - size : command->kept_size;
    memmove(command->kept, command->kept + command->kept_size - keep, keep);
    memcpy(command->kept + keep, text, size);
    command->kept_size = keep + size;
    pthread_mutex_unlock(&command->lock);
}

static void *listen_to_child(void *argument)
{
    struct command *command = argument;
    char text[1024];
    for (;;) {
        ssize_t got = read(command->child_says, text, sizeof text);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        remember(command, text, (size_t)got);
        if (pst_write_all(STDERR_FILENO, text, (size_t)got, "standard error", NULL) != PST_OK)
            continue; /* it is kept all the same */
    }
    close(command->child_says);
    return NULL;
}

/* ---- starting ---- */

static enum pst_status start_threads(struct command *command, struct pst_error *error)
{
    static void *(*const work[COMMAND_THREADS])(
        void *) = { [LISTENER] = listen_to_child, [COLLECTOR] = collect, [FEEDER] = feed };
    for (; command->thread_count < COMMAND_THREADS; command->thread_count++) {
        pthread_t *thread = &command->threads[command->thread_count];
        if (pthread_create(thread, NULL, work[command->thread_count], command) != 0)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for a thread");
    }
    return PST_OK;
}

/* Takes over the child's input and output, also on failure. */
static enum pst_status open_streams(struct command *command, int in, int out, struct pst_error *error)
{
    struct pst_output *output;
    struct pst_input *input;
    enum pst_status status = pst_output_to_fd(&output, in, "the command's input", error);
    if (status == PST_OK)
        status = pst_writer_new(&command->writer, output, error);
    if (status != PST_OK) {
        close(out);
        return status;
    }
    status = pst_input_from_fd(&input, out, "the command's output", error);
    if (status != PST_OK)
        return status;
    return pst_reader_new(&command->reader, input, pst_link_options(command->run)->max_message, error);
}

/* Ends the threads that run, and the child after so many seconds. Returns the child's exit code. */
static int end_threads(struct command *command, bool aborting, double seconds)
{
    pthread_mutex_lock(&command->lock);
    command->closing = true;
    command->aborting = aborting;
    pthread_cond_signal(&command->change);
    pthread_mutex_unlock(&command->lock);
    int code = pst_child_end(command->child, seconds);
    while (command->thread_count > 0)
        pthread_join(command->threads[--command->thread_count], NULL);
    pst_header_free(&command->header);
    pst_header_free(&command->answers);
    command->running = false;
    return code;
}

/* Ends a command that did not start. Each thread frees what is its own, so what has none is freed here. */
static void end_early(struct command *command)
{
    size_t running = command->thread_count;
    if (running <= FEEDER) {
        pst_writer_free(command->writer);
        command->writer = NULL;
    }
    if (running <= COLLECTOR) {
        pst_reader_free(command->reader);
        command->reader = NULL;
    }
    end_threads(command, true, 0);
    if (running <= LISTENER)
        close(command->child_says);
}

enum pst_status pst_command_start(struct command *command, const struct pst_header *header,
                                  struct pst_error *error)
{
    int in, out;
    enum pst_status status = pst_header_copy(&command->header, header, error);
    if (status != PST_OK)
        return status;
    command->header.first = 0;
    command->header.batches = 0; /* it is not known how many will come to this worker */
    status = pst_child_start(command->arguments, &command->child, &in, &out, &command->child_says, error);
    if (status != PST_OK) {
        pst_header_free(&command->header);
        return status;
    }
    command->put = command->fed = command->answered = command->taken = 0;
    command->closing = command->aborting = command->ended = false;
    command->error = (struct pst_error){ 0 };
    command->refused = false;
    command->kept_size = 0;
    command->running = true;
    status = open_streams(command, in, out, error);
    if (status == PST_OK)
        status = start_threads(command, error);
    if (status != PST_OK)
        end_early(command);
    return status;
}

/* ---- tasks ---- */

bool pst_command_is_full(const struct command *command)
{
    return command->put - command->taken >= command->room;
}

void pst_command_put(struct command *command, struct pst_batch *batch)
{
    pthread_mutex_lock(&command->lock);
    struct task *task = &command->tasks[command->put % command->room];
    struct pst_batch unused = task->batch;
    task->batch = *batch;
    *batch = unused;
    task->check = pst_batch_check(&task->batch, command->header.tensor_count);
    task->seq = task->batch.seq;
    task->batch.seq = command->put++;
    pthread_cond_signal(&command->change);
    pthread_mutex_unlock(&command->lock);
}

struct task *pst_command_answer(struct command *command)
{
    uint64_t ignored;
    if (read(command->event, &ignored, sizeof ignored) < 0)
        ignored = 0; /* nothing new */
    pthread_mutex_lock(&command->lock);
    /* An answer may come before the feeder is done with the batch. */
    bool ready = command->answered > command->taken && command->fed > command->taken;
    struct task *task = ready ? &command->tasks[command->taken % command->room] : NULL;
    pthread_mutex_unlock(&command->lock);
    return task;
}

void pst_command_took(struct command *command)
{
    pthread_mutex_lock(&command->lock);
    command->taken++;
    pthread_mutex_unlock(&command->lock);
}

bool pst_command_has_ended(struct command *command)
{
    pthread_mutex_lock(&command->lock);
    bool ended = command->running && command->ended;
    pthread_mutex_unlock(&command->lock);
    return ended;
}

struct task *pst_command_give_up(struct command *command)
{
    return command->taken < command->put ? &command->tasks[command->taken++ % command->room] : NULL;
}

/* ---- ending ---- */

/* How the child ended, and what it last wrote, on one line. */
static void describe_end(const struct command *command, int code, char *why, size_t size)
{
    /* A command whose reader has gone ends because the collector stopped; the collector has the reason. */
    bool told = command->refused || code == 0 || code == PST_READER_LEFT;
    int length = told         ? snprintf(why, size, "%s", command->error.message)
                 : code > 128 ? snprintf(why, size, "the command was ended by signal %d", code - 128)
                              : snprintf(why, size, "the command ended with exit code %d", code);
    size_t begin = 0, end = command->kept_size;
    while (end > begin && (unsigned char)command->kept[end - 1] <= ' ')
        end--;
    if (end > begin && length > 0 && (size_t)length < size)
        snprintf(why + length, size - (size_t)length, "; it said: %.*s", (int)(end - begin),
                 command->kept + begin);
    for (char *at = why; *at != '\0'; at++)
        *at = (unsigned char)*at < ' ' ? ' ' : *at;
}

int pst_command_stop(struct command *command, bool patient, char *why, size_t size)
{
    why[0] = '\0';
    if (!command->running)
        return 0;
    /* A child that has ended its stream itself may still write why. */
    int code = end_threads(command, !patient, patient ? 30 : pst_command_has_ended(command) ? 2 : 0);
    describe_end(command, code, why, size);
    return code;
}

void pst_command_free(struct command *command)
{
    char why[512];
    pst_command_stop(command, false, why, sizeof why);
    for (size_t i = 0; command->tasks != NULL && i < command->room; i++) {
        pst_batch_free(&command->tasks[i].batch);
        pst_buffer_free(&command->tasks[i].answer);
    }
    free(command->tasks);
    close(command->event);
}

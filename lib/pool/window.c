/* The window: a thread that reads ahead, as far as batches and bytes allow. */
#include "pipestill/linux.h"

#include "lib/pool/pool.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static size_t batch_bytes(const struct pst_batch *batch)
{
    size_t bytes = 0;
    for (size_t i = 0; i < batch->tensor_count; i++)
        bytes += batch->tensors[i].bytes;
    return bytes;
}

/* Whether another batch may be read. Batches in the window get answers, which need room, too. */
static bool has_room(const struct window *window)
{
    uint64_t held = window->filled - window->emptied;
    uint64_t answers = (held - window->answered + 1) * window->largest_answer;
    return held == 0 ||
           (held < window->room && window->bytes + window->largest + answers <= window->room_bytes);
}

static void notify(const struct window *window)
{
    uint64_t one = 1;
    if (write(window->event, &one, sizeof one) < 0)
        return; /* it is readable already */
}

/* Waits for room and takes a batch to read into. Returns whether to read at all. */
static bool take_spare(struct window *window, struct pst_batch *batch)
{
    *batch = (struct pst_batch){ 0 };
    pthread_mutex_lock(&window->lock);
    window->reading = false;
    while (!has_room(window) && !window->ended)
        pthread_cond_wait(&window->change, &window->lock);
    if (window->spare_count > 0) {
        *batch = window->spare[--window->spare_count];
        window->spare_bytes -= batch_bytes(batch);
    }
    window->reading = !window->ended;
    bool go_on = window->reading;
    pthread_mutex_unlock(&window->lock);
    if (!go_on)
        pst_batch_free(batch);
    return go_on;
}

/* Puts a batch that was read into the window, or notes why there is none. Returns whether to go on. */
static bool put(struct window *window, struct pst_batch *batch, enum pst_status status)
{
    pthread_mutex_lock(&window->lock);
    window->waited = pst_reader_waited(window->reader);
    if (status == PST_OK && !window->ended) {
        size_t bytes = batch_bytes(batch);
        window->slots[window->filled % window->room] =
            (struct slot){ .state = SLOT_WAITING, .batch = *batch, .bytes = bytes };
        window->filled++;
        window->bytes += bytes;
        window->largest = bytes > window->largest ? bytes : window->largest;
    } else {
        window->ended = true;
        window->reading = false;
        window->status = status;
        pst_batch_free(batch);
    }
    bool go_on = !window->ended;
    pthread_mutex_unlock(&window->lock);
    notify(window);
    return go_on;
}

static void *read_ahead(void *argument)
{
    struct window *window = argument;
    struct pst_batch batch;
    bool go_on;
    do {
        go_on = take_spare(window, &batch) &&
                put(window, &batch, pst_reader_next(window->reader, &batch, &window->error));
    } while (go_on);
    return NULL;
}

enum pst_status pst_window_open(struct window *window, struct pst_reader *reader,
                                const struct pst_link_settings *settings, struct pst_error *error)
{
    window->reader = reader;
    window->room = settings->window_messages;
    window->room_bytes = settings->window_bytes;
    window->slots = calloc(window->room, sizeof *window->slots);
    window->spare = calloc(window->room, sizeof *window->spare);
    window->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&window->lock, NULL);
    pthread_cond_init(&window->change, NULL);
    if (window->slots == NULL || window->spare == NULL || window->event < 0 ||
        pthread_create(&window->thread, NULL, read_ahead, window) != 0) {
        window->ended = true;
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a window of %zu batches", window->room);
    }
    return PST_OK;
}

uint64_t pst_window_filled(struct window *window, bool *ended)
{
    uint64_t count;
    if (read(window->event, &count, sizeof count) < 0)
        count = 0; /* nothing new */
    pthread_mutex_lock(&window->lock);
    count = window->filled;
    *ended = window->ended;
    pthread_mutex_unlock(&window->lock);
    return count;
}

double pst_window_waited(struct window *window)
{
    pthread_mutex_lock(&window->lock);
    double waited = window->waited;
    pthread_mutex_unlock(&window->lock);
    return waited;
}

struct slot *pst_window_slot(struct window *window, uint64_t number)
{
    return &window->slots[number % window->room];
}

void pst_window_answered(struct window *window, struct slot *slot, size_t bytes)
{
    pthread_mutex_lock(&window->lock);
    slot->state = SLOT_ANSWERED;
    slot->bytes += bytes;
    window->answered++;
    window->bytes += bytes;
    window->largest_answer = bytes > window->largest_answer ? bytes : window->largest_answer;
    pthread_mutex_unlock(&window->lock);
}

size_t pst_window_room_for_answers(struct window *window)
{
    pthread_mutex_lock(&window->lock);
    size_t left = window->bytes < window->room_bytes ? window->room_bytes - window->bytes : 0;
    size_t answers = window->largest_answer == 0 ? SIZE_MAX : left / window->largest_answer;
    pthread_mutex_unlock(&window->lock);
    return answers;
}

/* Keeps a batch, to use its memory again, if the window's bytes leave room for it. */
static void put_aside(struct window *window, struct pst_batch *batch)
{
    size_t bytes = batch_bytes(batch);
    if (window->bytes + window->spare_bytes + bytes > window->room_bytes) {
        pst_batch_free(batch);
        return;
    }
    window->spare[window->spare_count++] = *batch;
    window->spare_bytes += bytes;
}

void pst_window_advance(struct window *window)
{
    struct slot *slot = pst_window_slot(window, window->emptied);
    pthread_mutex_lock(&window->lock);
    window->bytes -= slot->bytes;
    window->answered--;
    put_aside(window, &slot->batch);
    slot->batch = (struct pst_batch){ 0 };
    window->emptied++;
    pthread_cond_signal(&window->change);
    pthread_mutex_unlock(&window->lock);
}

bool pst_window_close(struct window *window)
{
    pthread_mutex_lock(&window->lock);
    window->ended = true;
    bool reading = window->reading;
    pthread_cond_signal(&window->change);
    pthread_mutex_unlock(&window->lock);
    if (reading && !pst_reader_interrupt(window->reader))
        return false;
    pthread_join(window->thread, NULL);
    for (uint64_t i = window->emptied; i < window->filled; i++)
        pst_batch_free(&pst_window_slot(window, i)->batch);
    for (size_t i = 0; i < window->spare_count; i++)
        pst_batch_free(&window->spare[i]);
    free(window->slots);
    free(window->spare);
    close(window->event);
    return true;
}

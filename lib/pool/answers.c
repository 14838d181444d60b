/* The messages of workers: greetings, failures, and answers. An answer must be to the batch that was given,
 * and of the same work as the first answer. */
#include "lib/pool/pool.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* ---- whether workers do the same: an answer's header tells the program and the model ---- */

static bool same_specs(const struct pst_tensor_spec *first, const struct pst_tensor_spec *other)
{
    return strcmp(first->name, other->name) == 0 && first->dtype == other->dtype &&
           first->rank == other->rank &&
           memcmp(first->shape, other->shape, first->rank * sizeof *first->shape) == 0 &&
           first->scale == other->scale && first->offset == other->offset &&
           first->temperature == other->temperature;
}

static bool answer_follows_input(const struct pst_header *answer, const struct pst_header *input, char *why,
                                 size_t size)
{
    for (size_t i = 0; i < answer->tensor_count; i++) {
        if (pst_header_find(input, answer->tensors[i].name) == PST_NONE)
            continue;
        snprintf(why, size, "the answer brings '%s', which the stream has already", answer->tensors[i].name);
        return false;
    }
    return true;
}

/* Whether a tensor of two answers has the same origin. why: receives the difference. */
static bool same_origin(const struct pst_header *first, const struct pst_header *other, size_t i, char *why,
                        size_t size)
{
    const char *ours = first->tensors[i].origin, *theirs = other->tensors[i].origin;
    char words[200];
    if (strcmp(ours, theirs) == 0)
        return true;
    pst_lineage_difference(first->lineage, ours, other->lineage, theirs, words, sizeof words);
    snprintf(why, size, "'%s': %s", first->tensors[i].name, words);
    return false;
}

static bool same_work(const struct pst_header *first, const struct pst_header *other, char *why, size_t size)
{
    if (first->tensor_count != other->tensor_count) {
        snprintf(why, size, "the command adds %zu tensors, not %zu", other->tensor_count,
                 first->tensor_count);
        return false;
    }
    for (size_t i = 0; i < first->tensor_count; i++) {
        if (!same_specs(&first->tensors[i], &other->tensors[i])) {
            snprintf(why, size, "tensor '%s' is not what '%s' is", other->tensors[i].name,
                     first->tensors[i].name);
            return false;
        }
        if (!same_origin(first, other, i, why, size))
            return false;
    }
    return true;
}
/* ---- answers ------------------------------------------------------------------------------------------ */

/* The first answer settles what the output holds. */
static enum pst_status begin_output(struct pst_pool *pool, const struct pst_header *answer,
                                    const struct worker *worker, struct pst_error *error)
{
    const struct pst_header *input = &pool->streams->header;
    enum pst_status status = pst_header_copy(&pool->answers, answer, error);
    if (status == PST_OK)
        status = pst_header_copy(&pool->header, input, error);
    for (size_t i = 0; status == PST_OK && i < answer->tensor_count; i++)
        status = pst_header_pass_tensor(&pool->header, &answer->tensors[i], PST_NONE, NULL, error);
    size_t known = json_array_size(input->history);
    for (size_t i = known; status == PST_OK && i < json_array_size(answer->history); i++) {
        if (json_array_append(pool->header.history, json_array_get(answer->history, i)) != 0)
            status = pst_fail(error, PST_TRY_AGAIN, "out of memory for the stream's history");
    }
    if (status == PST_OK)
        status = pst_lineage_merge(&pool->header, answer->lineage, error);
    if (status == PST_OK)
        status = pst_write_header(pool->run, &pool->header, error);
    pool->own = input->tensor_count;
    memcpy(pool->first_worker, worker->name, sizeof pool->first_worker);
    pool->has_answers = status == PST_OK;
    return status;
}

/* Adds an answer's tensors to its batch. */
static enum pst_status keep(struct pst_pool *pool, struct slot *slot, struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(&slot->batch, &pool->header, error);
    if (status == PST_OK)
        status = pst_batch_resize(&slot->batch, &pool->header, slot->batch.n, pool->own, error);
    if (status != PST_OK)
        return status;
    size_t bytes = 0;
    for (size_t i = 0; i < pool->answers.tensor_count; i++) {
        struct pst_tensor *to = &slot->batch.tensors[pool->own + i];
        memcpy(to->data, pool->answer.tensors[i].data, to->bytes);
        to->crc = pool->answer.tensors[i].crc;
        to->crc_known = true;
        bytes += to->bytes;
    }
    pst_window_answered(&pool->window, slot, bytes);
    return PST_OK;
}

/* What is known of an answer before it is read. */
struct arrival {
    size_t place; /* the worker's */
    bool current; /* it is of the worker's session, not of one before */
    bool had_it;  /* the batch was its job */
    const struct pst_pool_control *control;
};

/* A worker could not do a batch: another one tries, up to MOST_FAILURES times. Returns PST_OK, or
 * PST_BAD_DATA if the batch has failed too often. */
static enum pst_status take_failure(struct pst_pool *pool, size_t place, uint64_t seq, bool had_it,
                                    const char *why, struct pst_error *error)
{
    struct worker *worker = &pool->workers[place];
    struct slot *slot = had_it ? pst_pool_slot(pool, seq) : NULL;
    worker->failed++;
    worker->failed_in_a_row++;
    pst_say(pool->run, "worker %s: batch %llu failed: %s", worker->name, (unsigned long long)seq, why);
    enum pst_status status = slot == NULL ? PST_OK : pst_pool_blame(pool, slot, worker, why, error);
    /* The last worker stays: if the batches are to blame, they stop the run. */
    if (status == PST_OK && worker->failed_in_a_row >= MOST_FAILURES && worker->present &&
        pst_pool_present(pool) > 1)
        pst_pool_dismiss(pool, place, "is dismissed: it failed three times in a row");
    return status;
}

static enum pst_status fail(struct pst_pool *pool, const struct arrival *arrival, const char *why,
                            struct pst_error *error)
{
    return take_failure(pool, arrival->place, arrival->control->seq, arrival->had_it, why, error);
}

/* Whether an answer is to this batch. */
static bool is_answer_to(const struct pst_batch *answer, const struct pst_pool_control *control,
                         const struct pst_batch *batch, size_t own)
{
    return answer->seq == control->seq && answer->n == batch->n && answer->epoch == batch->epoch &&
           control->check == pst_batch_check(batch, own);
}

/* Checks an answer that could be read, and keeps it if it fits. */
static enum pst_status judge(struct pst_pool *pool, const struct arrival *arrival,
                             const struct pst_header *header, struct pst_error *error)
{
    const struct pst_header *input = &pool->streams->header;
    struct worker *worker = &pool->workers[arrival->place];
    char why[344], line[520];
    if (strcmp(header->run, input->run) != 0) {
        pool->of_another_run++;
        /* It may have been sent before this dispatcher started; an answer of this session was not. */
        return arrival->current ? fail(pool, arrival, "the answer is of another run", error) : PST_OK;
    }
    if (!answer_follows_input(header, input, why, sizeof why))
        return fail(pool, arrival, why, error);
    if (pool->has_answers && !same_work(&pool->answers, header, why, sizeof why)) {
        snprintf(line, sizeof line, "is refused: it does not do what worker %s does: %s", pool->first_worker,
                 why);
        pst_pool_dismiss(pool, arrival->place, line);
        return PST_OK;
    }
    struct slot *slot = pst_pool_slot(pool, pool->answer.seq);
    if (slot == NULL) {
        pool->answered_twice++;
        return PST_OK;
    }
    if (!is_answer_to(&pool->answer, arrival->control, &slot->batch, input->tensor_count))
        return fail(pool, arrival, "the answer is to something else", error);
    enum pst_status status = pool->has_answers ? PST_OK : begin_output(pool, header, worker, error);
    worker->failed_in_a_row = 0;
    worker->answered++;
    worker->samples += slot->batch.n;
    pool->samples += slot->batch.n;
    return status == PST_OK ? keep(pool, slot, error) : status;
}

static enum pst_status take_answer(struct pst_pool *pool, const struct arrival *arrival,
                                   const struct pst_message *message, struct pst_error *error)
{
    struct pst_header header;
    struct pst_error fault = { 0 };
    enum pst_status status =
        pst_parcel_open(message->payload, message->payload_size, pst_link_options(pool->run)->max_message,
                        &header, &pool->answer, &fault);
    if (status == PST_BAD_DATA)
        return fail(pool, arrival, fault.message, error);
    if (status != PST_OK)
        return pst_fail(error, status, "%s", fault.message);
    status = judge(pool, arrival, &header, error);
    pst_header_free(&header);
    return status;
}

/* Takes a known worker's message about its jobs. */
static enum pst_status take_job_outcome(struct pst_pool *pool, size_t place,
                                        const struct pst_message *message,
                                        const struct pst_pool_control *control, struct pst_error *error)
{
    struct worker *worker = &pool->workers[place];
    char why[400];
    struct arrival arrival = { .place = place,
                               .current = worker->present && control->session == worker->session,
                               .control = control };
    if (!arrival.current && control->kind != PST_POOL_ANSWER)
        return PST_OK;
    switch (control->kind) {
    case PST_POOL_ANSWER:
        arrival.had_it = arrival.current && pst_pool_drop_job(pool, worker, control->seq);
        if (arrival.had_it)
            pst_pool_count_outcome(worker);
        return take_answer(pool, &arrival, message, error);
    case PST_POOL_FAILED:
        arrival.had_it = pst_pool_drop_job(pool, worker, control->seq);
        if (arrival.had_it)
            pst_pool_count_outcome(worker);
        pst_pool_text(message, why, sizeof why);
        return arrival.had_it ? fail(pool, &arrival, why, error) : PST_OK;
    case PST_POOL_RETURNED:
        if (pst_pool_drop_job(pool, worker, control->seq))
            pst_pool_count_return(pool, place);
        return PST_OK;
    case PST_POOL_PING:
        return pst_pool_check_command(pool, worker, error);
    default:
        return PST_OK;
    }
}

static enum pst_status answer_stranger(struct pst_pool *pool, const uint8_t *peer, enum pst_pool_kind kind,
                                       const char *text, struct pst_error *error)
{
    struct pst_pool_control control = { .kind = (uint8_t)kind };
    enum pst_status status =
        pst_pool_send(pool->socket, peer, &control, text, text == NULL ? 0 : strlen(text), error);
    return status == PST_UNAVAILABLE || status == PST_TRY_AGAIN ? PST_OK : status;
}

enum pst_status pst_pool_take(struct pst_pool *pool, const struct pst_message *message,
                              struct pst_error *error)
{
    struct pst_pool_control control;
    struct pst_error fault;
    if (pst_pool_parse(message, &control, &fault) != PST_OK) {
        pst_say(pool->run, "a peer is refused: %s", fault.message);
        return answer_stranger(pool, message->peer, PST_POOL_REFUSE, fault.message, error);
    }
    if (pst_pool_was_dismissed(pool, message->peer))
        return control.kind == PST_POOL_READY
                   ? answer_stranger(pool, message->peer, PST_POOL_REFUSE, "was dismissed", error)
                   : PST_OK;
    if (control.kind == PST_POOL_READY)
        return pst_pool_welcome(pool, message, &control, error);
    size_t place = pst_pool_find(pool, message->peer);
    if (place == NO_WORKER || !pool->workers[place].present) {
        enum pst_status status = answer_stranger(pool, message->peer, PST_POOL_WHO, NULL, error);
        if (status != PST_OK || place == NO_WORKER)
            return status;
    }
    return take_job_outcome(pool, place, message, &control, error);
}

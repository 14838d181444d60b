/* What workers say: greetings, answers, failures. */
#include "stages/dispatcher/pool.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static unsigned long long number(uint64_t value)
{
    return value;
}

/* A worker could not do a batch: another one tries, but not for ever. */
static enum pst_status take_failure(struct pool *pool, size_t place, uint64_t seq, const char *why,
                                    struct pst_error *error)
{
    struct worker *worker = &pool->workers[place];
    struct slot *slot = find_slot(pool, seq);
    worker->failed++;
    worker->failed_in_a_row++;
    pst_say("worker %s: batch %llu failed: %s", worker->name, number(seq), why);
    if (slot != NULL) {
        slot->failed_by[slot->failures++] = worker->number;
        if (slot->failures == MOST_FAILURES)
            return pst_fail(error, PST_BAD_DATA, "batch %llu failed three times, at %s, %s and %s: %s",
                            number(seq), pool->workers[slot->failed_by[0] - 1].name,
                            pool->workers[slot->failed_by[1] - 1].name, worker->name, why);
    }
    /* The last one stays: it may be the batches' fault, which then stops the run. */
    if (worker->failed_in_a_row >= MOST_FAILURES && worker->present && present_workers(pool) > 1)
        dismiss(pool, place, "is dismissed: it failed three times in a row");
    return PST_OK;
}

/* The first answer settles what the output holds. */
static enum pst_status begin_output(struct pool *pool, const struct pst_header *answer, size_t worker,
                                    struct pst_error *error)
{
    const struct pst_header *input = &pool->streams->header;
    enum pst_status status = pst_header_copy(&pool->answers, answer, error);
    if (status == PST_OK)
        status = pst_header_copy(&pool->header, input, error);
    for (size_t i = 0; status == PST_OK && i < answer->tensor_count; i++)
        status = pst_header_add_tensor(&pool->header, &answer->tensors[i], NULL, error);
    size_t known = json_array_size(input->history);
    for (size_t i = known; status == PST_OK && i < json_array_size(answer->history); i++) {
        if (json_array_append(pool->header.history, json_array_get(answer->history, i)) != 0)
            status = pst_fail(error, PST_TRY_AGAIN, "out of memory for the stream's history");
    }
    if (status == PST_OK)
        status = pst_relay_header(pool->streams, &pool->header, error);
    pool->own = input->tensor_count;
    pool->first_worker = worker;
    pool->has_answers = status == PST_OK;
    return status;
}

/* Joins an answer's tensors to the batch that was asked about. */
static enum pst_status keep(struct pool *pool, struct slot *slot, struct pst_error *error)
{
    enum pst_status status = pst_batch_follow(&slot->batch, &pool->header, error);
    if (status == PST_OK)
        status = pst_batch_resize(&slot->batch, &pool->header, slot->batch.n, pool->own, error);
    if (status != PST_OK)
        return status;
    for (size_t i = 0; i < pool->answers.tensor_count; i++) {
        struct pst_tensor *to = &slot->batch.tensors[pool->own + i];
        memcpy(to->data, pool->answer.tensors[i].data, to->bytes);
        to->crc = pool->answer.tensors[i].crc;
        to->crc_known = true;
    }
    slot->state = SLOT_ANSWERED;
    return PST_OK;
}

/* Takes an answer that could be read, for what it says it is. */
static enum pst_status judge(struct pool *pool, size_t place, bool current, const struct pst_header *header,
                             const struct pst_pool_control *control, struct pst_error *error)
{
    uint64_t seq = control->seq;
    const struct pst_header *input = &pool->streams->header;
    char why[256];
    if (strcmp(header->run, input->run) != 0) {
        pool->of_another_run++;
        /* It may have been on its way since before this dispatcher came; a job of this session's was not. */
        return current ? take_failure(pool, place, seq, "the answer is of another run", error) : PST_OK;
    }
    if (!answer_follows_input(header, input, why, sizeof why))
        return take_failure(pool, place, seq, why, error);
    if (pool->has_answers && !same_work(&pool->answers, header, why, sizeof why)) {
        char line[480];
        snprintf(line, sizeof line, "is refused: it does not do what worker %s does: %s",
                 pool->workers[pool->first_worker].name, why);
        dismiss(pool, place, line);
        return PST_OK;
    }
    struct slot *slot = find_slot(pool, pool->answer.seq);
    if (slot == NULL) {
        pool->answered_twice++;
        return PST_OK;
    }
    if (pool->answer.seq != seq || pool->answer.n != slot->batch.n ||
        pool->answer.epoch != slot->batch.epoch ||
        control->check != pst_batch_check(&slot->batch, input->tensor_count))
        return take_failure(pool, place, seq, "the answer is to something else", error);
    enum pst_status status = pool->has_answers ? PST_OK : begin_output(pool, header, place, error);
    pool->workers[place].failed_in_a_row = 0;
    pool->workers[place].answered++;
    pool->workers[place].samples += slot->batch.n;
    return status == PST_OK ? keep(pool, slot, error) : status;
}

static enum pst_status take_answer(struct pool *pool, size_t place, bool current,
                                   const struct pst_message *message, const struct pst_pool_control *control,
                                   struct pst_error *error)
{
    struct pst_header header;
    struct pst_error fault = { 0 };
    enum pst_status status = pst_parcel_open(message->payload, message->payload_size,
                                             pst_link_options()->max_message, &header, &pool->answer, &fault);
    if (status == PST_BAD_DATA)
        return take_failure(pool, place, control->seq, fault.message, error);
    if (status != PST_OK)
        return pst_fail(error, status, "%s", fault.message);
    if (!pool->workers[place].dismissed)
        status = judge(pool, place, current, &header, control, error);
    pst_header_free(&header);
    return status;
}

/* Takes what a worker that is known says of its jobs. */
static enum pst_status take_job_outcome(struct pool *pool, size_t place, const struct pst_message *message,
                                        const struct pst_pool_control *control, struct pst_error *error)
{
    struct worker *worker = &pool->workers[place];
    char why[400];
    bool current = worker->present && control->session == worker->session;
    bool of_a_job = control->kind == PST_POOL_ANSWER || control->kind == PST_POOL_FAILED ||
                    control->kind == PST_POOL_RETURNED;
    bool had_it = current && of_a_job && drop_job(pool, worker, control->seq);
    if (control->kind == PST_POOL_ANSWER)
        return take_answer(pool, place, current, message, control, error);
    if (control->kind != PST_POOL_FAILED || !had_it)
        return PST_OK;
    pst_pool_text(message, why, sizeof why);
    return take_failure(pool, place, control->seq, why, error);
}

static enum pst_status answer_stranger(struct pool *pool, const uint8_t *peer, enum pst_pool_kind kind,
                                       const char *text, struct pst_error *error)
{
    struct pst_pool_control control = { .kind = (uint8_t)kind };
    enum pst_status status =
        pst_pool_send(pool->socket, peer, &control, text, text == NULL ? 0 : strlen(text), error);
    return status == PST_UNAVAILABLE || status == PST_TRY_AGAIN ? PST_OK : status;
}

enum pst_status take_message(struct pool *pool, const struct pst_message *message, struct pst_error *error)
{
    struct pst_pool_control control;
    struct pst_error fault;
    if (pst_pool_parse(message, &control, &fault) != PST_OK) {
        pst_say("a peer is refused: %s", fault.message);
        return answer_stranger(pool, message->peer, PST_POOL_REFUSE, fault.message, error);
    }
    if (control.kind == PST_POOL_READY)
        return welcome(pool, message, &control, error);
    size_t place = find_worker(pool, message->peer);
    bool asks = place == NO_WORKER || (!pool->workers[place].present && !pool->workers[place].dismissed);
    if (asks) {
        enum pst_status status = answer_stranger(pool, message->peer, PST_POOL_WHO, NULL, error);
        if (status != PST_OK || place == NO_WORKER)
            return status;
    }
    return take_job_outcome(pool, place, message, &control, error);
}

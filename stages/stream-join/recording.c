/* A recording in memory: read once, then searched for samples in any order. */
#include "stages/stream-join/join.h"

#include "pipestill/compact.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROOM = 1024 }; /* samples */

/* ---- opening ---- */

/* Makes the header of the tensors to take from. */
static enum pst_status open_restorer(const struct pst_run *run, struct recording *recording,
                                     struct pst_error *error)
{
    const struct pst_header *recorded = &recording->recorded;
    if (!pst_compact_is(recorded))
        return pst_header_copy(&recording->header, recorded, error);
    return pst_restorer_new(&recording->restorer, recorded, pst_link_options(run)->max_message,
                            &recording->header, error);
}

/* Finds the ids of samples, and their inputs or the digests of these. */
static enum pst_status find_places(struct recording *recording, struct pst_error *error)
{
    const struct pst_header *header = &recording->header;
    const char *path = recording->path;
    const size_t size = PST_COMPACT_DIGEST_SIZE;
    bool has_x = pst_header_find(&recording->recorded, "x") != PST_NONE;
    recording->x = has_x ? pst_header_find(header, "x") : PST_NONE;
    recording->y = pst_labels_are_mixed(header) ? PST_NONE : pst_header_find(header, "y");
    recording->id = pst_header_find(header, "id");
    recording->digest = pst_header_find(&recording->recorded, PST_COMPACT_DIGEST);
    if (recording->id == PST_NONE)
        return pst_fail(error, PST_BAD_DATA, "%s has no tensor 'id', by which its samples could be found",
                        path);
    if (!has_x && recording->digest == PST_NONE)
        return pst_fail(error, PST_BAD_DATA,
                        "%s has neither 'x' nor 'digest/x': nothing binds its targets to their inputs", path);
    enum pst_status status = PST_OK;
    if (!has_x)
        status = pst_header_require(&recording->recorded, PST_COMPACT_DIGEST, PST_DTYPE_U8, 1, &size,
                                    &recording->digest, error);
    if (status == PST_OK && recording->y != PST_NONE)
        status = pst_header_require(header, "y", PST_DTYPE_I32, 0, NULL, &recording->y, error);
    return status == PST_OK ? status : pst_fail_at(error, "%s", path);
}

enum pst_status recording_open(const struct pst_run *run, struct recording *recording, const char *path,
                               struct pst_error *error)
{
    recording->path = path;
    enum pst_status status = pst_open_stream(run, path, &recording->reader, &recording->recorded, error);
    if (status != PST_OK)
        return status;
    status = open_restorer(run, recording, error);
    return status == PST_OK ? find_places(recording, error) : pst_fail_at(error, "%s", path);
}

/* ---- reading ---- */

/* Makes room for n more samples. Memory doubles, so that less is copied than is kept. */
static enum pst_status make_room(struct recording *recording, size_t n, struct pst_error *error)
{
    if (n <= recording->room - recording->count)
        return PST_OK;
    size_t room = recording->room < LEAST_ROOM ? LEAST_ROOM : recording->room, count = recording->count;
    while (room - count < n && room < SIZE_MAX / 64)
        room *= 2;
    enum pst_status status =
        pst_buffer_reserve(&recording->epochs, room * sizeof(uint64_t), count * sizeof(uint64_t), error);
    if (status == PST_OK)
        status =
            pst_buffer_reserve(&recording->ids, room * sizeof(uint64_t), count * sizeof(uint64_t), error);
    if (status == PST_OK)
        status =
            pst_buffer_reserve(&recording->digests, room * sizeof(uint32_t), count * sizeof(uint32_t), error);
    for (size_t i = 0; i < recording->taken_count && status == PST_OK; i++) {
        struct taken *taken = &recording->taken[i];
        size_t bytes;
        if (!pst_multiply(room, taken->bytes, &bytes))
            return pst_fail(error, PST_TRY_AGAIN, "%s is too large", recording->path);
        status = pst_buffer_reserve(&taken->rows, bytes, count * taken->bytes, error);
    }
    if (status == PST_OK)
        recording->room = room;
    return status;
}

/* The digest of a recorded sample: of its input, or the one recorded in place of the input. */
static uint32_t read_digest(struct recording *recording, const struct pst_batch *recorded,
                            const struct pst_batch *batch, size_t row)
{
    if (recording->x == PST_NONE) {
        const uint8_t *bytes = (const uint8_t *)recorded->tensors[recording->digest].data + 3 * row;
        return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16;
    }
    size_t bytes = recording->header.tensors[recording->x].sample_bytes;
    const int32_t *labels = recording->covers_labels ? batch->tensors[recording->y].data : NULL;
    return pst_compact_checksum((const uint8_t *)batch->tensors[recording->x].data + row * bytes, bytes,
                                labels == NULL ? NULL : labels + row,
                                ((const uint64_t *)batch->tensors[recording->id].data)[row]);
}

/* recorded: as it was read. batch: the restored one, or the same batch. */
static enum pst_status keep(struct recording *recording, const struct pst_batch *recorded,
                            const struct pst_batch *batch, struct pst_error *error)
{
    enum pst_status status = make_room(recording, batch->n, error);
    if (status != PST_OK)
        return status;
    uint64_t *epochs = recording->epochs.data, *ids = recording->ids.data;
    uint32_t *digests = recording->digests.data;
    for (size_t row = 0; row < batch->n; row++) {
        size_t number = recording->count + row;
        epochs[number] = batch->epoch;
        ids[number] = ((const uint64_t *)batch->tensors[recording->id].data)[row];
        digests[number] = read_digest(recording, recorded, batch, row);
    }
    recording->several_epochs = recording->several_epochs || epochs[0] != batch->epoch;
    for (size_t i = 0; i < recording->taken_count; i++) {
        const struct taken *taken = &recording->taken[i];
        memcpy((char *)taken->rows.data + recording->count * taken->bytes, batch->tensors[taken->from].data,
               batch->n * taken->bytes);
    }
    recording->count += batch->n;
    return PST_OK;
}

/* ---- finding ---- */

/* The slot of a sample, or the empty slot where it would go. */
static size_t find_slot(const struct recording *recording, uint64_t epoch, uint64_t id)
{
    const uint64_t *epochs = recording->epochs.data, *ids = recording->ids.data;
    const size_t *table = recording->table.data;
    bool any_epoch = !recording->several_epochs;
    size_t slot = (size_t)pst_sample_hash(any_epoch ? 0 : epoch, id) & recording->mask;
    for (;; slot = (slot + 1) & recording->mask) {
        size_t number = table[slot] - 1;
        if (table[slot] == 0 || (ids[number] == id && (any_epoch || epochs[number] == epoch)))
            return slot;
    }
}

/* At most two thirds of the table are full. */
static enum pst_status make_table(struct recording *recording, struct pst_error *error)
{
    size_t slots = LEAST_ROOM;
    while (slots / 3 * 2 < recording->count)
        slots *= 2;
    enum pst_status status = pst_buffer_reserve(&recording->table, slots * sizeof(size_t), 0, error);
    if (status != PST_OK)
        return status;
    recording->mask = slots - 1;
    size_t *table = recording->table.data;
    memset(table, 0, slots * sizeof *table);
    const uint64_t *epochs = recording->epochs.data, *ids = recording->ids.data;
    for (size_t number = 0; number < recording->count; number++) {
        size_t slot = find_slot(recording, epochs[number], ids[number]);
        if (table[slot] != 0)
            return pst_fail(error, PST_BAD_DATA,
                            "%s has sample %" PRIu64 " twice in epoch %" PRIu64
                            ": which of its targets is meant?",
                            recording->path, ids[number], epochs[number]);
        table[slot] = number + 1;
    }
    return PST_OK;
}

/* Reads a batch, restores it if it is compact, and keeps the tensors that are taken. */
static enum pst_status read_batch(struct recording *recording, struct pst_batch *recorded,
                                  struct pst_batch *restored, struct pst_error *error)
{
    enum pst_status status = pst_reader_next(recording->reader, recorded, error);
    if (status != PST_OK)
        return status;
    if (recording->restorer == NULL)
        return keep(recording, recorded, recorded, error);
    status = pst_restorer_batch(recording->restorer, recorded, restored, &recording->scratch, error);
    return status == PST_OK ? keep(recording, recorded, restored, error)
                            : pst_fail_at(error, "%s, batch %" PRIu64, recording->path, recorded->seq);
}

enum pst_status recording_read(struct recording *recording, struct pst_error *error)
{
    struct pst_batch recorded = { 0 }, restored = { 0 };
    enum pst_status status = pst_batch_follow(&recorded, &recording->recorded, error);
    while (status == PST_OK)
        status = read_batch(recording, &recorded, &restored, error);
    pst_batch_free(&recorded);
    pst_batch_free(&restored);
    pst_reader_free(recording->reader);
    recording->reader = NULL;
    if (status != PST_END)
        return status;
    if (recording->count == 0)
        return pst_fail(error, PST_BAD_DATA, "%s has no samples", recording->path);
    return make_table(recording, error);
}

size_t recording_find(const struct recording *recording, uint64_t epoch, uint64_t id)
{
    size_t found = ((const size_t *)recording->table.data)[find_slot(recording, epoch, id)];
    return found == 0 ? PST_NONE : found - 1;
}

bool recording_agrees(const struct recording *recording, size_t number, uint32_t digest)
{
    uint32_t kept = ((const uint32_t *)recording->digests.data)[number];
    return recording->x == PST_NONE ? kept == (digest & 0xFFFFFF) : kept == digest;
}

void recording_free(struct recording *recording)
{
    pst_reader_free(recording->reader);
    pst_restorer_free(recording->restorer);
    pst_buffer_free(&recording->scratch);
    pst_header_free(&recording->recorded);
    pst_header_free(&recording->header);
    for (size_t i = 0; i < recording->taken_count; i++)
        pst_buffer_free(&recording->taken[i].rows);
    free(recording->taken);
    pst_buffer_free(&recording->epochs);
    pst_buffer_free(&recording->ids);
    pst_buffer_free(&recording->digests);
    pst_buffer_free(&recording->table);
}

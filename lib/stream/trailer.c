/* Trailers: sums and the index; see trailer.h. */
#include "lib/stream/trailer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- the index ---------------------------------------------------------------------------------------- */

#define MOST_RUNS 32768 /* about 700 KB of metadata at most; the limit is 1 MiB */

enum { FIELDS = 4 }; /* numbers of a run */

static bool make_room(struct pst_index *index)
{
    if (index->run_count == MOST_RUNS)
        return false;
    struct pst_index_run *grown = pst_grown(index->runs, &index->room, index->run_count, sizeof *grown, NULL);
    if (grown == NULL) {
        pst_mark_shortage();
        return false;
    }
    index->runs = grown;
    return true;
}

void pst_index_add(struct pst_index *index, uint64_t bytes, uint64_t samples, uint64_t epoch)
{
    if (index->given_up)
        return;
    struct pst_index_run *last =
        index->runs == NULL || index->run_count == 0 ? NULL : &index->runs[index->run_count - 1];
    if (last != NULL && last->bytes == bytes && last->samples == samples && last->epoch == epoch) {
        last->count++;
    } else if (make_room(index)) {
        index->runs[index->run_count++] =
            (struct pst_index_run){ .count = 1, .bytes = bytes, .samples = samples, .epoch = epoch };
    } else {
        pst_index_free(index);
        index->given_up = true;
    }
}

void pst_index_free(struct pst_index *index)
{
    free(index->runs);
    *index = (struct pst_index){ 0 };
}

static bool get_number(const json_t *value, uint64_t *number)
{
    *number = (uint64_t)json_integer_value(value);
    return json_is_integer(value) && json_integer_value(value) >= 0;
}

static bool get_run(const json_t *numbers, size_t at, struct pst_index_run *run)
{
    return get_number(json_array_get(numbers, at), &run->count) &&
           get_number(json_array_get(numbers, at + 1), &run->bytes) &&
           get_number(json_array_get(numbers, at + 2), &run->samples) &&
           get_number(json_array_get(numbers, at + 3), &run->epoch) && run->count > 0 && run->bytes > 0 &&
           run->samples > 0;
}

static enum pst_status get_runs(struct pst_index *index, const json_t *numbers, struct pst_error *error)
{
    size_t count = json_array_size(numbers) / FIELDS;
    bool good = json_is_array(numbers) && json_array_size(numbers) == count * FIELDS;
    index->runs = calloc(count + 1, sizeof *index->runs);
    if (index->runs == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for an index");
    for (; good && index->run_count < count; index->run_count++)
        good = get_run(numbers, index->run_count * FIELDS, &index->runs[index->run_count]);
    return good ? PST_OK
                : pst_fail(error, PST_BAD_DATA,
                           "the trailer's index lacks run, header or runs, or one of them is not as the "
                           "format says");
}

/* Finds the value of the key "index" in a trailer, whose sums are numbers that JSON values cannot hold. */
static json_t *find_index(const uint8_t *meta, size_t size)
{
    struct pst_cursor cursor = { .at = meta, .end = meta + size };
    uint64_t pairs;
    if (!pst_cursor_map(&cursor, &pairs))
        return NULL;
    for (uint64_t i = 0; i < pairs; i++) {
        char key[32];
        if (!pst_cursor_text(&cursor, key, sizeof key))
            return NULL;
        const uint8_t *value = cursor.at;
        if (!pst_cursor_skip(&cursor))
            return NULL;
        if (strcmp(key, "index") == 0)
            return pst_unpack_json(value, (size_t)(cursor.at - value));
    }
    return NULL;
}

static enum pst_status take_object(struct pst_index *index, const json_t *object, const char *run,
                                   struct pst_error *error)
{
    const char *its_run = json_string_value(json_object_get(object, "run"));
    if (its_run == NULL || !get_number(json_object_get(object, "header"), &index->header_bytes))
        return pst_fail(
            error, PST_BAD_DATA,
            "the trailer's index lacks run, header or runs, or one of them is not as the format says");
    if (strcmp(its_run, run) != 0)
        return pst_fail(error, PST_BAD_DATA,
                        "the trailer's index belongs to run %.32s, the header to run %.32s; two streams in "
                        "one file?",
                        its_run, run);
    return get_runs(index, json_object_get(object, "runs"), error);
}

enum pst_status pst_index_take(struct pst_index *index, const void *meta, size_t size, const char *run,
                               struct pst_error *error)
{
    *index = (struct pst_index){ 0 };
    json_t *object = find_index(meta, size);
    if (object == NULL)
        return PST_END;
    enum pst_status status = take_object(index, object, run, error);
    json_decref(object);
    if (status != PST_OK)
        pst_index_free(index);
    return status;
}

/* ---- sums --------------------------------------------------------------------------------------------- */

uint64_t pst_sample_hash(uint64_t epoch, uint64_t id)
{
    uint64_t value = id * 0x9E3779B97F4A7C15U + epoch;
    value = (value ^ value >> 32) * 0xD6E8FEB86659FD93U;
    value = (value ^ value >> 32) * 0xD6E8FEB86659FD93U;
    return value ^ value >> 32;
}

void pst_trailer_count(struct pst_trailer *sums, const struct pst_batch *batch, uint32_t crc, size_t id_index)
{
    const uint64_t *ids = id_index == PST_NONE ? NULL : batch->tensors[id_index].data;
    sums->batches++;
    sums->samples += batch->n;
    sums->batch_checksum += crc;
    for (size_t i = 0; ids != NULL && i < batch->n; i++)
        sums->sample_checksum += pst_sample_hash(batch->epoch, ids[i]);
}

bool pst_trailer_take(const void *meta, size_t size, struct pst_trailer *said)
{
    struct pst_meta_field fields[] = { { .name = "batches", .numbers = &said->batches },
                                       { .name = "samples", .numbers = &said->samples },
                                       { .name = "batch_checksum", .numbers = &said->batch_checksum },
                                       { .name = "sample_checksum", .numbers = &said->sample_checksum } };
    return pst_meta_take(meta, size, fields, 4);
}

enum pst_status pst_trailer_check(const struct pst_trailer *said, const struct pst_trailer *came,
                                  struct pst_error *error)
{
    if (said->batches != came->batches || said->samples != came->samples)
        return pst_fail(error, PST_BAD_DATA,
                        "the trailer tells of %" PRIu64 " batches and %" PRIu64 " samples, but %" PRIu64
                        " and %" PRIu64 " came",
                        said->batches, said->samples, came->batches, came->samples);
    if (said->batch_checksum != came->batch_checksum || said->sample_checksum != came->sample_checksum)
        return pst_fail(error, PST_BAD_DATA, "the trailer's checksums do not fit what came");
    return PST_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------ */

void pst_pack_trailer(msgpack_packer *packer, const struct pst_trailer *trailer,
                      const struct pst_index *index, const char *run)
{
    msgpack_pack_map(packer, index->given_up ? 4 : 5);
    pst_pack_pair(packer, "batches", trailer->batches);
    pst_pack_pair(packer, "samples", trailer->samples);
    pst_pack_pair(packer, "batch_checksum", trailer->batch_checksum);
    pst_pack_pair(packer, "sample_checksum", trailer->sample_checksum);
    if (index->given_up)
        return;
    pst_pack_text(packer, "index");
    msgpack_pack_map(packer, 3);
    pst_pack_text(packer, "run");
    pst_pack_text(packer, run);
    pst_pack_pair(packer, "header", index->header_bytes);
    pst_pack_text(packer, "runs");
    msgpack_pack_array(packer, FIELDS * index->run_count);
    for (size_t i = 0; i < index->run_count; i++) {
        msgpack_pack_uint64(packer, index->runs[i].count);
        msgpack_pack_uint64(packer, index->runs[i].bytes);
        msgpack_pack_uint64(packer, index->runs[i].samples);
        msgpack_pack_uint64(packer, index->runs[i].epoch);
    }
}

/* Recordings: streams in files, read at any place. */
#include "lib/stream/recording.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ------------------------------------------------------------------------------------------ */

enum pst_status pst_recording_add(struct pst_recording *recording, const struct pst_place *place,
                                  struct pst_error *error)
{
    if (recording->count == recording->room) {
        size_t room = recording->room == 0 ? 1024 : 2 * recording->room;
        struct pst_place *grown = realloc(recording->places, room * sizeof *grown);
        if (grown == NULL)
            return pst_fail(error, PST_TRY_AGAIN, "out of memory for the places of %zu batches", room);
        recording->places = grown;
        recording->room = room;
    }
    struct pst_place *added = &recording->places[recording->count++];
    *added = *place;
    added->first = recording->samples;
    recording->samples += place->n;
    return PST_OK;
}

struct pst_recorded pst_recording_batch_at(const struct pst_recording *recording, size_t index)
{
    const struct pst_place *place = &recording->places[index];
    return (struct pst_recorded){
        .seq = place->seq, .epoch = place->epoch, .first = place->first, .n = place->n
    };
}

size_t pst_recording_find(const struct pst_recording *recording, uint64_t sample)
{
    size_t low = 0, high = recording->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (recording->places[middle].first <= sample)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- reading ----------------------------------------------------------------------------------------- */

static enum pst_status fail_batch(const struct pst_recording *recording, uint64_t seq,
                                  struct pst_error *error)
{
    return pst_fail_at(error, "%s, batch %" PRIu64, recording->reader->source.input->name, seq);
}

/*
 * Whether the batch that was just read has the layout that pst_recording_copy computes: the shortest heads.
 * Then only where its first tensor begins need be kept.
 */
static bool is_plain(const struct pst_reader *reader, size_t n)
{
    uint64_t expected = reader->places[0];
    for (size_t i = 0; i < reader->header.tensor_count; i++) {
        if (reader->places[i] != expected)
            return false;
        expected += n * reader->header.tensors[i].sample_bytes;
        if (i + 1 < reader->header.tensor_count)
            expected += pst_bin_head(n * reader->header.tensors[i + 1].sample_bytes);
    }
    return reader->source.offset == expected;
}

enum pst_status pst_recording_read(struct pst_recording *recording, size_t index, struct pst_batch *batch,
                                   struct pst_error *error)
{
    struct pst_reader *reader = recording->reader;
    struct pst_place *place = &recording->places[index];
    pst_reader_goto(reader, place->begin, place->seq);
    enum pst_status status = pst_reader_next(reader, batch, error);
    if (status == PST_END)
        status = pst_fail(error, PST_BAD_DATA, "a trailer, where the index tells of a batch");
    if (status == PST_OK && (batch->n != place->n || batch->epoch != place->epoch))
        status = pst_fail(error, PST_BAD_DATA, "the index does not fit this batch; is it another stream's?");
    if (status != PST_OK)
        return strstr(error->message, reader->source.input->name) != NULL
                   ? status
                   : fail_batch(recording, place->seq, error);
    bool plain = reader->header.encoding == PST_PLAIN && reader->header.tensor_count > 0 &&
                 is_plain(reader, batch->n) && reader->places[0] - place->begin < PST_PLACE_WHOLE;
    place->data = plain ? (uint32_t)(reader->places[0] - place->begin) : PST_PLACE_WHOLE;
    return PST_OK;
}

/* ---- batches that are kept --------------------------------------------------------------------------- */

/*
 * How many batches are kept: of compressed ones, from which no sample can be had alone, as many as go into
 * 64 MiB; of others the last one.
 */
static size_t count_kept(const struct pst_recording *recording)
{
    const struct pst_header *header = &recording->reader->header;
    size_t bytes = 1, most = 1;
    if (header->encoding == PST_PLAIN)
        return 1;
    for (size_t i = 0; i < header->tensor_count; i++)
        bytes += header->tensors[i].sample_bytes;
    for (size_t i = 0; i < recording->count; i++)
        most = recording->places[i].n > most ? recording->places[i].n : most;
    size_t fit = ((size_t)64 << 20) / bytes / most;
    return fit < recording->count ? fit : recording->count;
}

static enum pst_status make_kept(struct pst_recording *recording, struct pst_error *error)
{
    size_t fit = count_kept(recording), count = fit > 0 ? fit : 1;
    recording->kept = calloc(count, sizeof *recording->kept);
    if (recording->kept == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu batches", count);
    for (size_t i = 0; i < count; i++)
        recording->kept[i].index = PST_NONE;
    recording->kept_count = count;
    return PST_OK;
}

/*
 * Makes sure that the batch was checked once, and for one without a plain layout that it is kept.
 * whole: receives the batch where it is kept, or NULL.
 */
static enum pst_status touch(struct pst_recording *recording, size_t index, const struct pst_batch **whole,
                             struct pst_error *error)
{
    *whole = NULL;
    enum pst_status status = recording->kept == NULL ? make_kept(recording, error) : PST_OK;
    if (status != PST_OK || recording->kept_count == 0)
        return status;
    struct pst_kept *kept = &recording->kept[index % recording->kept_count];
    uint32_t data = recording->places[index].data;
    if (kept->index != index && data != 0 && data != PST_PLACE_WHOLE)
        return PST_OK;
    if (kept->index != index) {
        kept->index = PST_NONE;
        status = pst_recording_read(recording, index, &kept->batch, error);
        if (status != PST_OK)
            return status;
        kept->index = index;
    }
    *whole = &kept->batch;
    return PST_OK;
}

/* ---- samples ----------------------------------------------------------------------------------------- */

static void copy_rows(const struct pst_recording *recording, const struct pst_batch *whole, size_t row,
                      size_t count, struct pst_batch *batch, size_t at)
{
    const struct pst_header *header = &recording->reader->header;
    for (size_t i = 0; i < header->tensor_count; i++) {
        size_t bytes = header->tensors[i].sample_bytes;
        memcpy((char *)batch->tensors[i].data + at * bytes,
               (const char *)whole->tensors[i].data + row * bytes, count * bytes);
    }
}

static enum pst_status read_rows(struct pst_recording *recording, const struct pst_place *place, size_t row,
                                 size_t count, struct pst_batch *batch, size_t at, struct pst_error *error)
{
    const struct pst_header *header = &recording->reader->header;
    uint64_t begin = place->begin + place->data;
    for (size_t i = 0; i < header->tensor_count; i++) {
        size_t bytes = header->tensors[i].sample_bytes;
        enum pst_status status =
            pst_input_read_at(recording->reader->source.input, begin + row * bytes,
                              (char *)batch->tensors[i].data + at * bytes, count * bytes, error);
        if (status == PST_END)
            return pst_fail(error, PST_BAD_DATA, "%s: the file has become shorter",
                            recording->reader->source.input->name);
        if (status != PST_OK)
            return status;
        begin += place->n * bytes;
        if (i + 1 < header->tensor_count)
            begin += pst_bin_head(place->n * header->tensors[i + 1].sample_bytes);
    }
    return PST_OK;
}

enum pst_status pst_recording_copy(struct pst_recording *recording, uint64_t sample, size_t count,
                                   struct pst_batch *batch, size_t at, struct pst_error *error)
{
    size_t index = pst_recording_find(recording, sample);
    const struct pst_batch *whole;
    enum pst_status status = touch(recording, index, &whole, error);
    if (status != PST_OK)
        return status;
    const struct pst_place *place = &recording->places[index];
    size_t row = (size_t)(sample - place->first);
    if (whole == NULL)
        return read_rows(recording, place, row, count, batch, at, error);
    copy_rows(recording, whole, row, count, batch, at);
    return PST_OK;
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

const struct pst_header *pst_recording_header(const struct pst_recording *recording)
{
    return &recording->reader->header;
}

size_t pst_recording_batches(const struct pst_recording *recording)
{
    return recording->count;
}

uint64_t pst_recording_left_out(const struct pst_recording *recording)
{
    return recording->left_out;
}

uint64_t pst_recording_samples(const struct pst_recording *recording)
{
    return recording->samples;
}

void pst_recording_close(struct pst_recording *recording)
{
    if (recording == NULL)
        return;
    pst_reader_free(recording->reader);
    pst_batch_free(&recording->whole);
    for (size_t i = 0; i < recording->kept_count; i++)
        pst_batch_free(&recording->kept[i].batch);
    free(recording->kept);
    free(recording->places);
    free(recording);
}

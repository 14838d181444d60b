/* Batches and samples of a recording, read in any order. Each batch is checked when it is first read, and
 * kept if memory allows. */
#include "lib/stream/recording.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- batches ----------------------------------------------------------------------------------------- */

static bool is_marked(const uint64_t *bits, size_t index)
{
    return bits[index / 64] >> index % 64 & 1;
}

static void mark(uint64_t *bits, size_t index)
{
    bits[index / 64] |= (uint64_t)1 << index % 64;
}

/* Counts a batch when it is read for the first time; after the last one the sums must be the trailer's.
 * before: the reader's sums before it was read. */
static enum pst_status count_once(struct pst_recording *recording, size_t index,
                                  const struct pst_trailer *before, struct pst_error *error)
{
    const struct pst_trailer *after = &recording->reader->so_far;
    struct pst_trailer *came = &recording->came;
    if (is_marked(recording->seen, index))
        return PST_OK;
    mark(recording->seen, index);
    came->batches++;
    came->samples += after->samples - before->samples;
    came->batch_checksum += after->batch_checksum - before->batch_checksum;
    came->sample_checksum += after->sample_checksum - before->sample_checksum;
    if (came->batches < recording->count || recording->said.batches == 0 ||
        pst_trailer_check(&recording->said, came, error) == PST_OK)
        return PST_OK;
    return pst_fail_at(error, "%s", recording->reader->source.input->name);
}

/*
 * Whether the batch that was just read has the layout that pst_recording_copy computes: the shortest heads.
 * Then it is enough to note where its first tensor begins.
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

/* Notes where the rows of the batch that was just read are, if they can be read one by one from now on. */
static void note_layout(struct pst_recording *recording, struct pst_run *run, size_t index, size_t n)
{
    const struct pst_reader *reader = recording->reader;
    if (reader->header.encoding != PST_PLAIN || reader->header.tensor_count == 0 || !is_plain(reader, n))
        return;
    uint64_t data = reader->places[0] - pst_recording_begin(recording, index);
    if (run->data == 0 && data <= UINT32_MAX)
        run->data = (uint32_t)data;
    if (run->data == data)
        mark(recording->laid_out, index);
}

enum pst_status pst_recording_read(struct pst_recording *recording, size_t index, struct pst_batch *batch,
                                   struct pst_error *error)
{
    struct pst_run *run = pst_recording_run(recording, index, false);
    uint64_t within = index - run->first;
    struct pst_trailer before = recording->reader->so_far;
    enum pst_status status = pst_reader_fetch(recording->reader, run->begin + within * run->bytes, run->bytes,
                                              run->seq + within, error);
    if (status == PST_OK)
        status = pst_reader_next(recording->reader, batch, error);
    const char *wrong = NULL;
    if (status == PST_END)
        wrong = "a trailer stands here, but the index tells of a batch";
    else if (status == PST_OK && (batch->n != run->n || batch->epoch != run->epoch))
        wrong = "the index does not fit this batch; is it another stream's?";
    if (wrong != NULL)
        return pst_fail(error, PST_BAD_DATA, "%s, batch %" PRIu64 ": %s",
                        recording->reader->source.input->name, run->seq + within, wrong);
    if (status != PST_OK)
        return status;
    note_layout(recording, run, index, batch->n);
    return count_once(recording, index, &before, error);
}

/* ---- batches that are kept --------------------------------------------------------------------------- */

/* Bytes that one batch takes in memory. */
static size_t bytes_of_batch(const struct pst_recording *recording)
{
    enum { MALLOC = 32 }; /* about what an allocation takes in addition */
    const struct pst_header *header = &recording->reader->header;
    size_t of_sample = 0, of_batch = sizeof(struct pst_kept), most = 1;
    for (size_t i = 0; i < header->tensor_count; i++) {
        of_sample += header->tensors[i].sample_bytes;
        of_batch += sizeof(struct pst_tensor) + PST_ALIGNMENT + MALLOC;
    }
    for (size_t i = 0; i < recording->run_count; i++)
        most = recording->runs[i].n > most ? recording->runs[i].n : most;
    return of_batch + most * of_sample;
}

uint64_t pst_recording_memory(const struct pst_recording *recording)
{
    return (uint64_t)bytes_of_batch(recording) * recording->count;
}

void pst_recording_keep(struct pst_recording *recording, uint64_t bytes, bool in_order)
{
    recording->budget = in_order ? 0 : bytes;
    recording->in_order = in_order;
}

static enum pst_status make_kept(struct pst_recording *recording, struct pst_error *error)
{
    uint64_t fit = recording->budget / bytes_of_batch(recording);
    size_t count = fit < recording->count ? (size_t)fit : recording->count;
    count = count > 0 ? count : 1;
    recording->kept = calloc(count, sizeof *recording->kept);
    if (recording->kept == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for %zu batches", count);
    for (size_t i = 0; i < count; i++)
        recording->kept[i].index = PST_NONE;
    recording->kept_count = count;
    return PST_OK;
}

/*
 * Makes sure that a batch's checksums fit, and that its rows can be read.
 * whole: receives the batch if it is kept in memory; NULL if its rows have to be read from the file.
 */
static enum pst_status check_once(struct pst_recording *recording, size_t index,
                                  const struct pst_batch **whole, struct pst_error *error)
{
    *whole = NULL;
    enum pst_status status = recording->kept == NULL ? make_kept(recording, error) : PST_OK;
    if (status != PST_OK)
        return status;
    struct pst_kept *kept = &recording->kept[index % recording->kept_count];
    if (kept->index != index) {
        /* The kept batch stays if the rows of this one can be read from the file. */
        if (!recording->in_order && kept->index != PST_NONE && is_marked(recording->laid_out, index))
            return PST_OK;
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

/* Samples that follow each other in a batch that was checked. */
struct stretch {
    const struct pst_tensor *kept; /* of the batch, if it is kept in memory; NULL: it is only in the file */
    uint64_t data;                 /* byte of the file where its first tensor begins */
    size_t n, row;                 /* samples of the batch, and the place of the first one to read */
};

static enum pst_status find_stretch(struct pst_recording *recording, uint64_t sample, struct stretch *stretch,
                                    struct pst_error *error)
{
    const struct pst_run *run = pst_recording_run(recording, sample, true);
    uint64_t within = (sample - run->sample) / run->n;
    stretch->n = run->n;
    stretch->row = (size_t)((sample - run->sample) % run->n);
    const struct pst_batch *whole;
    enum pst_status status = check_once(recording, run->first + (size_t)within, &whole, error);
    stretch->kept = whole == NULL ? NULL : whole->tensors;
    stretch->data = run->begin + within * run->bytes + run->data; /* set by the check */
    return status;
}

/* begin: byte of the file where the tensor of a batch begins. */
static enum pst_status take_rows(struct pst_recording *recording, const struct stretch *stretch,
                                 size_t tensor, uint64_t begin, size_t count, void *rows,
                                 struct pst_error *error)
{
    size_t bytes = recording->reader->header.tensors[tensor].sample_bytes;
    if (stretch->kept != NULL) {
        memcpy(rows, (const char *)stretch->kept[tensor].data + stretch->row * bytes, count * bytes);
        return PST_OK;
    }
    enum pst_status status = pst_input_read_at(recording->reader->source.input, begin + stretch->row * bytes,
                                               rows, count * bytes, error);
    return status != PST_END ? status
                             : pst_fail(error, PST_BAD_DATA, "%s: the file has become shorter",
                                        recording->reader->source.input->name);
}

/* Bytes of the file from the start of a tensor of a batch to that of the next one. */
static uint64_t step(const struct pst_recording *recording, size_t tensor, size_t n)
{
    const struct pst_header *header = &recording->reader->header;
    uint64_t head =
        tensor + 1 < header->tensor_count ? pst_bin_head(n * header->tensors[tensor + 1].sample_bytes) : 0;
    return n * header->tensors[tensor].sample_bytes + head;
}

enum pst_status pst_recording_copy(struct pst_recording *recording, uint64_t sample, size_t count,
                                   struct pst_batch *batch, size_t at, struct pst_error *error)
{
    const struct pst_header *header = &recording->reader->header;
    struct stretch stretch;
    enum pst_status status = find_stretch(recording, sample, &stretch, error);
    uint64_t begin = stretch.data;
    for (size_t i = 0; i < header->tensor_count && status == PST_OK; i++) {
        char *rows = (char *)batch->tensors[i].data + at * header->tensors[i].sample_bytes;
        status = take_rows(recording, &stretch, i, begin, count, rows, error);
        begin += step(recording, i, stretch.n);
    }
    return status;
}

enum pst_status pst_recording_copy_tensor(struct pst_recording *recording, size_t tensor, uint64_t sample,
                                          size_t count, void *rows, struct pst_error *error)
{
    struct stretch stretch;
    enum pst_status status = find_stretch(recording, sample, &stretch, error);
    uint64_t begin = stretch.data;
    for (size_t i = 0; i < tensor && stretch.kept == NULL; i++)
        begin += step(recording, i, stretch.n);
    return status == PST_OK ? take_rows(recording, &stretch, tensor, begin, count, rows, error) : status;
}

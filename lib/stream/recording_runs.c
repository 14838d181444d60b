/* Where the batches of a recording are: runs of batches that are alike, found by batch and by sample. */
#include "lib/stream/recording.h"

#include <stdlib.h>

static bool goes_on(const struct pst_recording *recording, const struct pst_run *run)
{
    if (recording->run_count == 0)
        return false;
    const struct pst_run *last = &recording->runs[recording->run_count - 1];
    uint64_t length = recording->count - last->first;
    return run->bytes == last->bytes && run->n == last->n && run->epoch == last->epoch &&
           run->begin == last->begin + length * last->bytes && run->seq == last->seq + length;
}

enum pst_status pst_recording_add(struct pst_recording *recording, const struct pst_run *run, uint64_t count,
                                  struct pst_error *error)
{
    size_t samples;
    if (!pst_multiply(count, run->n, &samples) || samples > UINT64_MAX / 2 - recording->samples)
        return pst_fail(error, PST_BAD_DATA, "more samples than can be counted");
    if (!goes_on(recording, run)) {
        if (recording->run_count == recording->room) {
            size_t room = recording->room == 0 ? 16 : 2 * recording->room;
            struct pst_run *grown = realloc(recording->runs, room * sizeof *grown);
            if (grown == NULL)
                return pst_fail(error, PST_TRY_AGAIN, "out of memory for the places of batches");
            recording->runs = grown;
            recording->room = room;
        }
        struct pst_run *added = &recording->runs[recording->run_count++];
        *added = *run;
        added->first = recording->count;
        added->sample = recording->samples;
        added->data = 0;
    }
    recording->count += count;
    recording->samples += samples;
    return PST_OK;
}

size_t pst_recording_run_length(const struct pst_recording *recording, size_t run)
{
    size_t next = run + 1 < recording->run_count ? recording->runs[run + 1].first : recording->count;
    return next - recording->runs[run].first;
}

uint64_t pst_recording_due(const struct pst_recording *recording)
{
    if (recording->run_count == 0)
        return recording->reader->header.first;
    size_t last = recording->run_count - 1;
    return recording->runs[last].seq + pst_recording_run_length(recording, last);
}

struct pst_run *pst_recording_run(const struct pst_recording *recording, uint64_t number, bool by_sample)
{
    size_t low = 0, high = recording->run_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        const struct pst_run *run = &recording->runs[middle];
        if ((by_sample ? run->sample : run->first) <= number)
            low = middle;
        else
            high = middle;
    }
    return &recording->runs[low];
}

uint64_t pst_recording_begin(const struct pst_recording *recording, size_t index)
{
    const struct pst_run *run = pst_recording_run(recording, index, false);
    return run->begin + (index - run->first) * run->bytes;
}

struct pst_recorded pst_recording_batch_at(const struct pst_recording *recording, size_t index)
{
    const struct pst_run *run = pst_recording_run(recording, index, false);
    uint64_t within = index - run->first;
    return (struct pst_recorded){
        .seq = run->seq + within, .epoch = run->epoch, .first = run->sample + within * run->n, .n = run->n
    };
}

size_t pst_recording_find(const struct pst_recording *recording, uint64_t sample)
{
    const struct pst_run *run = pst_recording_run(recording, sample, true);
    return run->first + (size_t)((sample - run->sample) / run->n);
}

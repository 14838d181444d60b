/* shards.h: one or several recordings as one set of samples, and as one sequence of batches. */
#ifndef PIPESTILL_STAGES_SHARDS_H
#define PIPESTILL_STAGES_SHARDS_H

#include "pipestill/recording.h"

struct shard {
    const char *path; /* borrowed */
    struct pst_recording *recording;
    uint64_t first_sample; /* of the whole set */
    size_t first_batch;
    uint64_t first_epoch; /* the set's epoch that this shard's first batch belongs to */
};

struct shards {
    size_t count;
    struct shard *list; /* [count]; owned */
    uint64_t samples, epochs, left_out;
    size_t batches;
};

/*
 * Opens recordings as one set. They must hold the same tensors, of the same origins.
 * salvage: damaged batches are left out.
 * Returns what pst_recording_open returns; PST_BAD_DATA if they do not fit together; the message names both.
 */
PST_CHECKED enum pst_status shards_open(struct shards *shards, size_t count, char **paths, size_t max_message,
                                        bool salvage, struct pst_error *error);

/* Whether they are parts of one stream: each goes on where the one before it ends, under the same header. */
bool shards_are_one_stream(const struct shards *shards);

/* How many batches the headers promise and no recording holds. */
uint64_t shards_missing(const struct shards *shards);

/* Divides memory for kept batches among the recordings, by their sizes; see pst_recording_keep. */
void shards_keep(struct shards *shards, uint64_t bytes, bool in_order);

/* A batch of the set, and its recording. `recorded` counts epoch and first sample over the whole set. */
struct shard_batch {
    struct shard *shard;
    size_t index; /* in the shard */
    struct pst_recorded recorded;
};

/* batch: 0 … batches - 1. */
struct shard_batch shards_batch(const struct shards *shards, size_t batch);

/* The batch that holds a sample. sample: 0 … samples - 1. */
struct shard_batch shards_find(const struct shards *shards, uint64_t sample);

void shards_close(struct shards *shards);

#endif

/* A data set as a source, epoch after epoch. */
#include "stages/loader/set.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct source {
    struct set set;
    size_t *order;   /* [selection.count]: the current epoch's */
    size_t x, y, id; /* places of the tensors; y is PST_NONE without labels */
    uint64_t epoch;
    size_t position; /* in the epoch */
};

static struct source *source_of(const struct pst_run *run)
{
    return ((const struct loader *)run->self)->source;
}

static void begin_epoch(struct source *source, uint64_t epoch, size_t position)
{
    source->epoch = epoch;
    source->position = position;
    set_order(&source->set, epoch, source->order);
}

/* Batches of the whole stream, or 0 where it is endless or cannot be counted. */
static uint64_t batches_in_stream(const struct set *set)
{
    size_t batches = 0;
    return pst_multiply(set_batches(set), set->wishes.epochs, &batches) ? batches : 0;
}

static enum pst_status go_to_start(struct source *source, struct pst_error *error)
{
    const struct wishes *asked = &source->set.wishes;
    if (asked->epochs > 0 && asked->start > batches_in_stream(&source->set))
        return pst_fail(error, PST_USAGE, "--start %llu: the stream has only %llu batches",
                        (unsigned long long)asked->start,
                        (unsigned long long)batches_in_stream(&source->set));
    source->order = pst_allocate(source->set.selection.count, sizeof *source->order, error);
    if (source->order == NULL)
        return PST_TRY_AGAIN;
    uint64_t batches = set_batches(&source->set);
    begin_epoch(source, asked->start / batches, (size_t)(asked->start % batches) * source->set.wishes.batch);
    return PST_OK;
}

/* Samples that are moved about are others with another seed. */
static enum pst_status note_augmentation(struct pst_run *run, const struct set *set, struct pst_error *error)
{
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, set->wishes.seed);
    return pst_origin_note(run, "augmentation_seed", seed, error);
}

struct source *source_new(struct pst_error *error)
{
    return pst_allocate(1, sizeof(struct source), error);
}

enum pst_status source_start(struct pst_run *run, const char *name, struct pst_error *error)
{
    struct source *source = source_of(run);
    struct set *set = &source->set;
    enum pst_status status = set_open(set, &((const struct loader *)run->self)->asked, name, error);
    if (status == PST_OK)
        status = go_to_start(source, error);
    if (status == PST_OK)
        status = pst_history_note(run, "data", json_string(set->data.name), error);
    if (status == PST_OK)
        status = pst_origin_note(run, "digest", set->data.digest, error);
    if (status == PST_OK && (set->distorted || set->wishes.shift > 0))
        status = note_augmentation(run, set, error);
    if (status == PST_OK)
        status = pst_history_note(run, "shuffle", json_boolean(set->shuffled), error);
    if (status == PST_OK)
        status = pst_history_note(run, "batch", json_integer((json_int_t)set->wishes.batch), error);
    return status;
}

/* Tells how many of the chosen samples are of each class, which one pass over a stream cannot find out in
 * time. */
static enum pst_status tell_counts(const struct set *set, struct pst_header *header, struct pst_error *error)
{
    uint64_t *counts = pst_allocate(set->data.classes, sizeof *counts, error);
    if (counts == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < set->selection.count; i++)
        counts[set->data.labels[set->selection.indices[i]]]++;
    json_t *list = json_array();
    bool good = list != NULL;
    for (size_t class = 0; class < set->data.classes && good; class ++)
        good = json_array_append_new(list, json_integer((json_int_t)counts[class])) == 0;
    free(counts);
    header->other = json_pack("{s:o}", "class_counts", list);
    return good && header->other != NULL ? PST_OK
                                         : pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
}

enum pst_status source_header(struct pst_run *run, struct pst_header *header, struct pst_error *error)
{
    struct source *source = source_of(run);
    const struct wishes *wishes = &source->set.wishes;
    const struct pst_dataset *data = &source->set.data;
    header->classes = data->labels != NULL ? data->classes : 0;
    header->samples = source->set.selection.count;
    header->epochs = wishes->epochs;
    header->batches = batches_in_stream(&source->set);
    header->first = wishes->start;
    struct pst_tensor_spec x = { .name = "x", .dtype = PST_DTYPE_U8, .rank = data->rank, .scale = 1.0 / 255 };
    memcpy(x.shape, data->shape, sizeof x.shape);
    enum pst_status status = pst_header_add_tensor(header, &x, &source->x, error);
    source->y = PST_NONE;
    struct pst_tensor_spec y = { .name = "y", .dtype = PST_DTYPE_I32 };
    if (status == PST_OK && data->labels != NULL)
        status = pst_header_add_tensor(header, &y, &source->y, error);
    struct pst_tensor_spec id = { .name = "id", .dtype = PST_DTYPE_U64 };
    if (status == PST_OK)
        status = pst_header_add_tensor(header, &id, &source->id, error);
    bool counted = data->labels != NULL && data->classes <= MOST_CLASSES;
    return status == PST_OK && counted ? tell_counts(&source->set, header, error) : status;
}

enum pst_status source_next(struct pst_run *run, const struct pst_batch *in, struct pst_batch *batch,
                            struct pst_error *error)
{
    (void)in;
    struct source *source = source_of(run);
    const struct set *set = &source->set;
    if (source->position >= set->selection.count)
        begin_epoch(source, source->epoch + 1, 0);
    if (set->wishes.epochs > 0 && source->epoch >= set->wishes.epochs)
        return PST_END;
    size_t left = set->selection.count - source->position;
    size_t n = left < set->wishes.batch ? left : set->wishes.batch;
    enum pst_status status = pst_batch_resize(batch, pst_output_header(run), n, 0, error);
    if (status != PST_OK)
        return status;
    batch->epoch = source->epoch;
    uint8_t *x = batch->tensors[source->x].data;
    int32_t *y = source->y != PST_NONE ? batch->tensors[source->y].data : NULL;
    uint64_t *id = batch->tensors[source->id].data;
    for (size_t i = 0; i < n; i++) {
        size_t index = source->order[source->position + i];
        set_sample(set, index, source->epoch, x + i * set->data.sample_bytes);
        if (y != NULL)
            y[i] = set->data.labels[index];
        id[i] = set->data.first_id + index;
    }
    source->position += n;
    return PST_OK;
}

void source_free(struct source *source)
{
    if (source == NULL)
        return;
    set_close(&source->set);
    free(source->order);
    free(source);
}

/* Inputs made again from their data set; see rebuild.h. */
#include "stages/loader/rebuild.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Bytes that the orders of epochs may take; more epochs than fit have theirs made again when they are needed.
 */
#define ORDER_BYTES ((size_t)96 << 20)

/* ---- the data set ---- */

/* The wishes that the recording's loader had. What the user says of files counts: a history names none. */
static enum pst_status recall_wishes(const json_t *entry, const struct wishes *asked, struct wishes *wishes,
                                     struct pst_error *error)
{
    static const char *const known[] = { "stage", "version", "data", "digest", NULL };
    struct loader recalled = { .asked = USUAL_WISHES };
    enum pst_status status = pst_options_recall(loader_options, &recalled, entry, known, error);
    *wishes = recalled.asked;
    wishes->no_shuffle = !wishes->shuffle;
    wishes->images = asked->images;
    wishes->labels = asked->labels;
    return status;
}

static enum pst_status check_digest(const struct set *set, const json_t *entry, struct pst_error *error)
{
    const char *recorded = json_string_value(json_object_get(entry, "digest"));
    if (recorded != NULL && strcmp(recorded, set->data.digest) == 0)
        return PST_OK;
    return pst_fail(
        error, PST_BAD_DATA,
        "the data set %s is not the one that was recorded: its SHA-256 is %.12s…, recorded was %.12s…",
        set->data.name, set->data.digest, recorded == NULL ? "none" : recorded);
}

/* What the loader at the beginning of the history loaded, and how. */
static enum pst_status open_set(struct set *set, const struct wishes *asked, const struct pst_header *compact,
                                struct pst_error *error)
{
    const json_t *entry = json_array_get(compact->history, 0);
    const char *stage = json_string_value(json_object_get(entry, "stage"));
    const char *data = json_string_value(json_object_get(entry, "data"));
    if (stage == NULL || strcmp(stage, "loader") != 0 || data == NULL)
        return pst_fail(
            error, PST_BAD_DATA,
            "its inputs were left out, and its history names no data set to make them again from%s",
            pst_header_find(compact, "id") == PST_NONE
                ? ""
                : "; '… | stream-join FILE' brings its targets to inputs from elsewhere");
    struct wishes wishes;
    enum pst_status status = recall_wishes(entry, asked, &wishes, error);
    if (status != PST_OK)
        return status;
    bool named = strcmp(data, "mnist") == 0 || strcmp(data, "digits") == 0;
    if (!named && wishes.images == NULL)
        return pst_fail(error, PST_USAGE, "its inputs came from the file %s; name it with --images", data);
    status = set_open(set, &wishes, named ? data : NULL, error);
    return status == PST_OK ? check_digest(set, entry, error) : status;
}

static enum pst_status find_places(struct rebuilder *rebuilder, const struct pst_header *compact,
                                   const struct pst_header *restored, struct pst_error *error)
{
    const struct pst_dataset *data = &rebuilder->set.data;
    rebuilder->y = pst_header_find(restored, "y");
    rebuilder->id_from = pst_header_find(compact, "id");
    enum pst_status status =
        pst_header_require(restored, "x", PST_DTYPE_U8, data->rank, data->shape, &rebuilder->x, error);
    if (status == PST_OK)
        status = pst_header_require(restored, "id", PST_DTYPE_U64, 0, NULL, &rebuilder->id, error);
    if (status == PST_OK && rebuilder->y != PST_NONE)
        status = pst_header_require(restored, "y", PST_DTYPE_I32, 0, NULL, &rebuilder->y, error);
    if (status == PST_OK)
        status = pst_header_require(compact, PST_COMPACT_DIGEST, PST_DTYPE_U8, 1,
                                    (size_t[]){ PST_COMPACT_DIGEST_SIZE }, &rebuilder->digest, error);
    return status;
}

enum pst_status rebuilder_open(struct rebuilder *rebuilder, const struct wishes *asked,
                               enum pst_compact_inputs inputs, const struct pst_header *compact,
                               const struct pst_header *restored, struct pst_error *error)
{
    rebuilder->inputs = inputs;
    enum pst_status status = open_set(&rebuilder->set, asked, compact, error);
    if (status == PST_OK)
        status = find_places(rebuilder, compact, restored, error);
    if (status != PST_OK)
        return status;
    rebuilder->slots = ORDER_BYTES / (rebuilder->set.selection.count * sizeof(size_t));
    if (rebuilder->slots == 0)
        rebuilder->slots = 1;
    if (rebuilder->slots > 4096)
        rebuilder->slots = 4096;
    rebuilder->orders = pst_allocate(rebuilder->slots, sizeof *rebuilder->orders, error);
    return rebuilder->orders == NULL ? PST_TRY_AGAIN : PST_OK;
}

void rebuilder_close(struct rebuilder *rebuilder)
{
    for (size_t i = 0; i < rebuilder->slots && rebuilder->orders != NULL; i++)
        free(rebuilder->orders[i].order);
    free(rebuilder->orders);
    set_close(&rebuilder->set);
    *rebuilder = (struct rebuilder){ 0 };
}

/* ---- samples ---- */

/* The order of an epoch, or NULL where memory is short. */
static const size_t *order_of(struct rebuilder *rebuilder, uint64_t epoch, struct pst_error *error)
{
    struct order *slot = &rebuilder->orders[epoch % rebuilder->slots];
    if (slot->order != NULL && slot->epoch == epoch)
        return slot->order;
    if (slot->order == NULL)
        slot->order = pst_allocate(rebuilder->set.selection.count, sizeof *slot->order, error);
    if (slot->order == NULL)
        return NULL;
    set_order(&rebuilder->set, epoch, slot->order);
    slot->epoch = epoch;
    return slot->order;
}

enum pst_status rebuilder_index(struct rebuilder *rebuilder, const struct origin *origin, size_t *index,
                                struct pst_error *error)
{
    uint64_t batches = set_batches(&rebuilder->set);
    uint64_t position = origin->seq % batches * rebuilder->set.wishes.batch + origin->row;
    if (origin->seq / batches != origin->epoch || position >= rebuilder->set.selection.count)
        return pst_fail(error, PST_BAD_DATA,
                        "%s, batch %" PRIu64
                        ", sample %zu: the data set has no such place; its history tells of another one",
                        origin->path, origin->seq, origin->row);
    const size_t *order = order_of(rebuilder, origin->epoch, error);
    if (order == NULL)
        return PST_TRY_AGAIN;
    *index = order[position];
    return PST_OK;
}

/* The same, of a sample whose id was kept. */
static enum pst_status index_of_id(const struct rebuilder *rebuilder, uint64_t id, size_t *index,
                                   const struct origin *origin, struct pst_error *error)
{
    uint64_t place = id - rebuilder->set.data.first_id;
    if (place >= rebuilder->set.data.samples)
        return pst_fail(error, PST_BAD_DATA,
                        "%s, batch %" PRIu64 ", sample %zu: the id %" PRIu64 " is not in the data set %s",
                        origin->path, origin->seq, origin->row, id, rebuilder->set.data.name);
    *index = (size_t)place;
    return PST_OK;
}

static enum pst_status check_sample(const struct rebuilder *rebuilder, const struct pst_batch *compact,
                                    size_t i, const struct origin *origin, const struct pst_batch *restored,
                                    struct pst_error *error)
{
    size_t bytes = rebuilder->set.data.sample_bytes;
    const int32_t *y =
        rebuilder->y == PST_NONE ? NULL : (const int32_t *)restored->tensors[rebuilder->y].data;
    uint64_t id = ((const uint64_t *)restored->tensors[rebuilder->id].data)[i];
    uint8_t digest[PST_COMPACT_DIGEST_SIZE];
    pst_compact_digest((const uint8_t *)restored->tensors[rebuilder->x].data + i * bytes, bytes,
                       y == NULL ? NULL : &y[i], id, digest);
    const uint8_t *recorded = compact->tensors[rebuilder->digest].data;
    if (memcmp(digest, recorded + i * sizeof digest, sizeof digest) == 0)
        return PST_OK;
    return pst_fail(error, PST_BAD_DATA,
                    "%s, batch %" PRIu64 ", sample %zu, id %" PRIu64
                    ": the input made again is not the one that was recorded",
                    origin->path, origin->seq, origin->row, id);
}

static enum pst_status fill_sample(struct rebuilder *rebuilder, const struct pst_batch *compact, size_t i,
                                   const struct origin *origin, struct pst_batch *restored,
                                   struct pst_error *error)
{
    const struct pst_dataset *data = &rebuilder->set.data;
    bool by_reference = rebuilder->inputs == PST_COMPACT_BY_REFERENCE;
    size_t index = 0;
    enum pst_status status =
        by_reference
            ? rebuilder_index(rebuilder, origin, &index, error)
            : index_of_id(rebuilder, ((const uint64_t *)compact->tensors[rebuilder->id_from].data)[i], &index,
                          origin, error);
    if (status != PST_OK)
        return status;
    set_sample(&rebuilder->set, index, origin->epoch,
               (uint8_t *)restored->tensors[rebuilder->x].data + i * data->sample_bytes);
    if (by_reference) {
        ((uint64_t *)restored->tensors[rebuilder->id].data)[i] = data->first_id + index;
        if (rebuilder->y != PST_NONE)
            ((int32_t *)restored->tensors[rebuilder->y].data)[i] =
                data->labels == NULL ? 0 : data->labels[index];
    }
    return check_sample(rebuilder, compact, i, origin, restored, error);
}

enum pst_status rebuilder_fill(struct rebuilder *rebuilder, const struct pst_batch *compact,
                               const struct origin *origins, struct pst_batch *restored,
                               struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < compact->n && status == PST_OK; i++)
        status = fill_sample(rebuilder, compact, i, &origins[i], restored, error);
    return status;
}

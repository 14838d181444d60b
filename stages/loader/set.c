/* A data set as a source: which samples, in which order, moved about. */
#include "stages/loader/loader.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* What is being loaded. */
static struct {
    struct pst_dataset data;
    struct pst_selection selection;
    size_t *order; /* [selection.count]: the current epoch's */
    bool shuffled, distorted;
    uint8_t *scratch[2]; /* one sample each, on its way through the augmentation */
    size_t x, y, id;     /* places of the tensors; y is PST_NONE without labels */
    uint64_t epoch;
    size_t position; /* in the epoch */
} loader;

/* ---- which samples ---- */

static enum pst_status open_named(const char *name, struct pst_error *error)
{
    bool test = asked.split == SPLIT_TEST;
    if (strcmp(name, "mnist") == 0) {
        if (asked.samples > 0)
            return pst_fail(error, PST_USAGE, "--samples is for digits; --limit takes a part of mnist");
        return pst_dataset_open_mnist(&loader.data, test, error);
    }
    if (strcmp(name, "digits") == 0) {
        size_t usual = test ? 5000 : 10000;
        return pst_dataset_open_digits(&loader.data, asked.data_seed,
                                       asked.samples > 0 ? asked.samples : usual, test, error);
    }
    return pst_fail(error, PST_USAGE, "there is no set '%s'; there are mnist and digits, and --images", name);
}

static enum pst_status open_data(size_t count, char **operands, struct pst_error *error)
{
    if (count == 0 && asked.images == NULL)
        return pst_fail(error, PST_USAGE, "which data? mnist, digits, or --images FILE");
    if (count > 0 && (asked.images != NULL || asked.labels != NULL || asked.classes > 0))
        return pst_fail(error, PST_USAGE, "--images, --labels and --classes do not go with a named set");
    if (count > 0)
        return open_named(operands[0], error);
    if (asked.split == SPLIT_TEST)
        return pst_fail(error, PST_USAGE,
                        "--split test is for named sets; give --images the file of test images");
    if (asked.samples > 0)
        return pst_fail(error, PST_USAGE, "--samples is for digits; --limit takes a part of a file");
    return pst_dataset_open_idx(&loader.data, asked.images, asked.labels, asked.classes, error);
}

bool is_choosy(const struct wishes *wishes)
{
    return wishes->only != NULL || wishes->omit != NULL || wishes->fraction < 1 || wishes->limit > 0;
}

enum pst_status choose_samples(const struct wishes *wishes, const struct pst_dataset *data,
                               struct pst_selection *selection, struct pst_error *error)
{
    bool mask[MOST_CLASSES];
    for (size_t class = 0; class < MOST_CLASSES; class ++)
        mask[class] = wishes->only == NULL;
    if (data->labels == NULL && (wishes->only != NULL || wishes->omit != NULL))
        return pst_fail(error, PST_USAGE, "--only-classes and --omit-classes need --labels");
    if (wishes->only != NULL && pst_mark_classes(wishes->only, data->classes, true, mask, error) != PST_OK)
        return pst_fail_at(error, "--only-classes");
    if (wishes->omit != NULL && pst_mark_classes(wishes->omit, data->classes, false, mask, error) != PST_OK)
        return pst_fail_at(error, "--omit-classes");
    struct pst_selection_rules rules = {
        .split = wishes->split == SPLIT_VALIDATION ? PST_SPLIT_VALIDATION : PST_SPLIT_TRAIN,
        .hold_out = wishes->split == SPLIT_TEST ? 0 : wishes->hold_out,
        .hold_out_seed = wishes->hold_out_seed,
        .class_mask = wishes->only != NULL || wishes->omit != NULL ? mask : NULL,
        .fraction = wishes->fraction < 1 ? wishes->fraction : 0,
        .limit = wishes->limit,
        .seed = wishes->seed,
    };
    if (rules.split == PST_SPLIT_VALIDATION && rules.hold_out == 0)
        return pst_fail(error, PST_USAGE,
                        "--split validation needs --hold-out N, as given for the training split");
    return pst_select(data, &rules, selection, error);
}

/* ---- in which order ---- */

static void begin_epoch(uint64_t epoch, size_t position)
{
    loader.epoch = epoch;
    loader.position = position;
    if (loader.shuffled)
        pst_shuffle(&loader.selection, asked.seed, epoch, loader.order);
    else
        memcpy(loader.order, loader.selection.indices, loader.selection.count * sizeof *loader.order);
}

static uint64_t batches_in_epoch(void)
{
    return (loader.selection.count + asked.batch - 1) / asked.batch;
}

/* Batches of the whole stream, or 0 where it is endless or cannot be counted. */
static uint64_t batches_in_stream(void)
{
    size_t batches = 0;
    return pst_multiply(batches_in_epoch(), asked.epochs, &batches) ? batches : 0;
}

static enum pst_status prepare_order(struct pst_error *error)
{
    if (asked.shuffle && asked.no_shuffle)
        return pst_fail(error, PST_USAGE, "--shuffle and --no-shuffle exclude each other");
    loader.shuffled = asked.shuffle || (asked.split == SPLIT_TRAIN && !asked.no_shuffle);
    if (asked.epochs > 0 && asked.start > batches_in_stream())
        return pst_fail(error, PST_USAGE, "--start %llu: the stream has only %llu batches",
                        (unsigned long long)asked.start, (unsigned long long)batches_in_stream());
    loader.order = pst_allocate(loader.selection.count, sizeof *loader.order, error);
    if (loader.order == NULL)
        return PST_TRY_AGAIN;
    uint64_t epoch = asked.start / batches_in_epoch();
    begin_epoch(epoch, (size_t)(asked.start % batches_in_epoch()) * asked.batch);
    return PST_OK;
}

/* ---- moved about ---- */

static enum pst_status prepare_augmentation(struct pst_error *error)
{
    const struct pst_dataset *data = &loader.data;
    loader.distorted = asked.elastic.strength > 0 || asked.elastic.rotation > 0 || asked.elastic.scaling > 0;
    if ((loader.distorted || asked.shift > 0) && data->rank != 2)
        return pst_fail(error, PST_USAGE, "%s: its samples are not images of one plane, and cannot be moved",
                        data->name);
    if (loader.distorted && (data->shape[0] > 64 || data->shape[1] > 64))
        return pst_fail(error, PST_USAGE, "%s: images of more than 64 by 64 pixels cannot be distorted",
                        data->name);
    for (size_t i = 0; i < 2; i++) {
        loader.scratch[i] = pst_allocate(data->sample_bytes, 1, error);
        if (loader.scratch[i] == NULL)
            return PST_TRY_AGAIN;
    }
    return PST_OK;
}

/* Writes sample number index, as it is in this epoch, to elements. */
static void write_sample(size_t index, uint8_t *elements)
{
    const struct pst_dataset *data = &loader.data;
    uint64_t id = data->first_id + index;
    const size_t *shape = data->shape;
    uint8_t *read = loader.distorted || asked.shift > 0 ? loader.scratch[0] : elements;
    data->get(data, index, read);
    if (loader.distorted) {
        uint8_t *distorted = asked.shift > 0 ? loader.scratch[1] : elements;
        pst_augment_elastic(read, distorted, shape[0], shape[1], &asked.elastic, asked.seed, loader.epoch,
                            id);
        read = distorted;
    }
    if (asked.shift > 0)
        pst_augment_shift(read, elements, shape[0], shape[1], (unsigned)asked.shift, asked.seed, loader.epoch,
                          id);
}

/* ---- the stage ---- */

static enum pst_status start_set(size_t count, char **operands, struct pst_error *error)
{
    if (asked.batch == 0)
        asked.batch = USUAL_BATCH;
    enum pst_status status = open_data(count, operands, error);
    if (status == PST_OK)
        status = choose_samples(&asked, &loader.data, &loader.selection, error);
    if (status == PST_OK)
        status = prepare_order(error);
    if (status == PST_OK)
        status = prepare_augmentation(error);
    if (status == PST_OK)
        status = pst_history_note("data", json_string(loader.data.name), error);
    if (status == PST_OK)
        status = pst_history_note("digest", json_string(loader.data.digest), error);
    if (status == PST_OK)
        status = pst_history_note("shuffle", json_boolean(loader.shuffled), error);
    if (status == PST_OK)
        status = pst_history_note("batch", json_integer((json_int_t)asked.batch), error);
    return status;
}

static enum pst_status set_header(struct pst_header *header, struct pst_error *error)
{
    const struct pst_dataset *data = &loader.data;
    header->classes = data->labels != NULL ? data->classes : 0;
    header->samples = loader.selection.count;
    header->epochs = asked.epochs;
    header->batches = batches_in_stream();
    header->first = asked.start;
    struct pst_tensor_spec x = { .name = "x", .dtype = PST_DTYPE_U8, .rank = data->rank, .scale = 1.0 / 255 };
    memcpy(x.shape, data->shape, sizeof x.shape);
    enum pst_status status = pst_header_add_tensor(header, &x, &loader.x, error);
    loader.y = PST_NONE;
    struct pst_tensor_spec y = { .name = "y", .dtype = PST_DTYPE_I32 };
    if (status == PST_OK && data->labels != NULL)
        status = pst_header_add_tensor(header, &y, &loader.y, error);
    struct pst_tensor_spec id = { .name = "id", .dtype = PST_DTYPE_U64 };
    if (status == PST_OK)
        status = pst_header_add_tensor(header, &id, &loader.id, error);
    return status;
}

static enum pst_status next_of_set(struct pst_batch *batch, const struct pst_header *header,
                                   struct pst_error *error)
{
    if (loader.position >= loader.selection.count)
        begin_epoch(loader.epoch + 1, 0);
    if (asked.epochs > 0 && loader.epoch >= asked.epochs)
        return PST_END;
    size_t left = loader.selection.count - loader.position;
    size_t n = left < asked.batch ? left : asked.batch;
    enum pst_status status = pst_batch_resize(batch, header, n, 0, error);
    if (status != PST_OK)
        return status;
    batch->epoch = loader.epoch;
    uint8_t *x = batch->tensors[loader.x].data;
    int32_t *y = loader.y != PST_NONE ? batch->tensors[loader.y].data : NULL;
    uint64_t *id = batch->tensors[loader.id].data;
    for (size_t i = 0; i < n; i++) {
        size_t index = loader.order[loader.position + i];
        write_sample(index, x + i * loader.data.sample_bytes);
        if (y != NULL)
            y[i] = loader.data.labels[index];
        id[i] = loader.data.first_id + index;
    }
    loader.position += n;
    return PST_OK;
}

static void stop_set(void)
{
    pst_dataset_free(&loader.data);
    pst_selection_free(&loader.selection);
    free(loader.order);
    free(loader.scratch[0]);
    free(loader.scratch[1]);
}

static bool never(void)
{
    return false;
}

const struct kind set_kind = {
    .start = start_set,
    .on_header = set_header,
    .next = next_of_set,
    .verbatim = never,
    .stop = stop_set,
};

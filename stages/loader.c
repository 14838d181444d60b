/*
 * loader: the source of a pipeline. Opens a data set, chooses samples, puts them in order, moves them about,
 * and writes them as batches. The bits of a sample depend on (seed, epoch, id) only.
 */
#include "pipestill/cli.h"
#include "pipestill/data.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CLASSES 256      /* labels in IDX files are bytes */
#define MOST_DIGITS 100000000 /* their labels and order are held, 20 bytes each */

enum split { SPLIT_TRAIN, SPLIT_VALIDATION, SPLIT_TEST };
static const char *const splits[] = { "train", "validation", "test", NULL };

/* What the command line says. */
static struct {
    int split;
    const char *images, *labels, *only, *omit;
    size_t classes, samples, hold_out, limit, batch, shift;
    uint64_t data_seed, hold_out_seed, seed, epochs, start;
    double fraction;
    bool shuffle, no_shuffle;
    struct pst_elastic elastic;
} asked = { .epochs = 1, .batch = 128, .fraction = 1, .elastic.smoothness = 4 };

static const struct pst_option options[] = {
    { 0, "split", PST_CHOICE, &asked.split, "which part of the set", .choices = splits },
    { 0, "images", PST_STRING, &asked.images, "IDX file of samples, plain or .gz, instead of a named set",
      .metavar = "FILE", .silent = true },
    { 0, "labels", PST_STRING, &asked.labels, "IDX file of their labels", .metavar = "FILE", .silent = true },
    { 0, "classes", PST_SIZE, &asked.classes, "classes of IDX files; 0: the largest label plus one",
      .most = MOST_CLASSES },
    { 0, "samples", PST_SIZE, &asked.samples, "size of digits; 0: 10000, and 5000 for the test set",
      .most = MOST_DIGITS },
    { 0, "data-seed", PST_U64, &asked.data_seed, "seed that draws the digits", .metavar = "N" },
    { 0, "hold-out", PST_SIZE, &asked.hold_out, "training samples that are the validation split",
      .metavar = "N" },
    { 0, "hold-out-seed", PST_U64, &asked.hold_out_seed, "seed that chooses them", .metavar = "N" },
    { 0, "only-classes", PST_STRING, &asked.only, "take these classes only: 7,8 or 0-4", .metavar = "LIST" },
    { 0, "omit-classes", PST_STRING, &asked.omit, "leave these classes out", .metavar = "LIST" },
    { 0, "fraction", PST_POSITIVE_DOUBLE, &asked.fraction, "take this share of each class", .most = 1 },
    { 0, "limit", PST_SIZE, &asked.limit, "take at most so many, in all classes' proportion; 0: all",
      .metavar = "N" },
    { 'b', "batch", PST_SIZE, &asked.batch, "samples in a batch", .least = 1, .most = 1 << 20 },
    { 0, "epochs", PST_U64, &asked.epochs, "times to go through the samples; 0: without end", .most = 1e6 },
    { 0, "start", PST_U64, &asked.start, "begin with this batch, counted from 0", .most = 1e14,
      .silent = true },
    { 's', "seed", PST_U64, &asked.seed, "seed of selection, order and augmentation", .metavar = "N" },
    { 0, "shuffle", PST_FLAG, &asked.shuffle, "a new order each epoch; usual for the training split",
      .silent = true },
    { 0, "no-shuffle", PST_FLAG, &asked.no_shuffle, "the set's own order; usual for the others",
      .silent = true },
    { 0, "shift", PST_SIZE, &asked.shift, "move images by up to so many pixels each way", .most = 1000 },
    { 0, "elastic", PST_DOUBLE, &asked.elastic.strength, "bend images by about so many pixels", .most = 100 },
    { 0, "elastic-smoothness", PST_DOUBLE, &asked.elastic.smoothness, "width of the bends in pixels",
      .metavar = "SIGMA", .least = 0.1, .most = 100 },
    { 0, "rotate", PST_DOUBLE, &asked.elastic.rotation, "turn images by up to so many degrees each way",
      .most = 180 },
    { 0, "scale-jitter", PST_DOUBLE, &asked.elastic.scaling, "stretch and shrink images by up to this share",
      .most = 0.9 },
    { 0 },
};

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

static enum pst_status choose_samples(struct pst_error *error)
{
    const struct pst_dataset *data = &loader.data;
    bool mask[MOST_CLASSES];
    for (size_t class = 0; class < MOST_CLASSES; class ++)
        mask[class] = asked.only == NULL;
    if (data->labels == NULL && (asked.only != NULL || asked.omit != NULL))
        return pst_fail(error, PST_USAGE, "--only-classes and --omit-classes need --labels");
    if (asked.only != NULL && pst_mark_classes(asked.only, data->classes, true, mask, error) != PST_OK)
        return pst_fail_at(error, "--only-classes");
    if (asked.omit != NULL && pst_mark_classes(asked.omit, data->classes, false, mask, error) != PST_OK)
        return pst_fail_at(error, "--omit-classes");
    struct pst_selection_rules rules = {
        .split = asked.split == SPLIT_VALIDATION ? PST_SPLIT_VALIDATION : PST_SPLIT_TRAIN,
        .hold_out = asked.split == SPLIT_TEST ? 0 : asked.hold_out,
        .hold_out_seed = asked.hold_out_seed,
        .class_mask = asked.only != NULL || asked.omit != NULL ? mask : NULL,
        .fraction = asked.fraction < 1 ? asked.fraction : 0,
        .limit = asked.limit,
        .seed = asked.seed,
    };
    if (rules.split == PST_SPLIT_VALIDATION && rules.hold_out == 0)
        return pst_fail(error, PST_USAGE,
                        "--split validation needs --hold-out N, as given for the training split");
    return pst_select(data, &rules, &loader.selection, error);
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

static enum pst_status start(size_t count, char **operands, struct pst_error *error)
{
    enum pst_status status = open_data(count, operands, error);
    if (status == PST_OK)
        status = choose_samples(error);
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
    return status;
}

static enum pst_status on_header(struct pst_header *header, struct pst_error *error)
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

static enum pst_status next(struct pst_batch *batch, const struct pst_header *header, struct pst_error *error)
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

static void stop(void)
{
    pst_dataset_free(&loader.data);
    pst_selection_free(&loader.selection);
    free(loader.order);
    free(loader.scratch[0]);
    free(loader.scratch[1]);
}

int main(int argc, char **argv)
{
    return pst_source_main(
        argc, argv,
        &(struct pst_source){
            .stage = { .name = "loader",
                       .purpose = "write a data set as a stream of batches",
                       .operands = "[mnist | digits]",
                       .least_operands = 0,
                       .most_operands = 1,
                       .description =
                           "mnist is read from $MNIST_DIR or one of the usual places; digits are drawn\n"
                           "as they are needed. Other sets come from IDX files with --images.",
                       .example = "loader digits --epochs 2 --shift 2 | stream-inspect",
                       .see_also = "teacher-forward(1), student-trainer(1), stream-inspect(1)",
                       .options = options,
                       .start = start,
                       .stop = stop },
            .on_header = on_header,
            .next = next });
}

/*
 * loader: the source of a pipeline. Opens a data set, chooses samples, orders and augments them, and writes
 * them as batches. The bits of a sample depend on (seed, epoch, id) only.
 */
#include "stages/loader/loader.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct pst_option options[] = {
    { 'b', "batch", PST_SIZE, offsetof(struct loader, batch), "samples in a batch", .least = 1,
      .most = 1 << 20, .of_samples = true },
    { 0, "epochs", PST_U64, offsetof(struct loader, epochs),
      "times to go through the samples; 0: without end", .most = 1e6, .of_samples = true },
    { 0, "start", PST_U64, offsetof(struct loader, start), "begin with this batch, counted from 0",
      .most = 1e14, .silent = true },
    { 0, "max-memory", PST_SIZE, offsetof(struct loader, max_memory),
      "refuse files whose contents take more memory", .metavar = "BYTES", .least = 1, .most = 1099511627776.0,
      .silent = true },
    { 0, "standardise", PST_FLAG, offsetof(struct loader, standardise),
      "fit mean and deviation of each channel or column to the training samples", .silent = true,
      .excludes = "like" },
    { 0, "like", PST_STRING, offsetof(struct loader, like_path),
      "make samples like those of this model or recording", .metavar = "FILE", .silent = true,
      .files = PST_FILE_READ },
    { 0, "run", PST_STRING, offsetof(struct loader, run), "name of this run in the header; otherwise random",
      .metavar = "NAME", .silent = true },
    { 0 },
};

/* ---- opening ------------------------------------------------------------------------------------------- */

/* Finds the type of set that the first operand names; without operands, the type that an option names. */
static enum pst_status find_type(struct pst_run *run, const char *operand,
                                 const struct pst_dataset_type **type, const char **argument,
                                 struct pst_error *error)
{
    *argument = NULL;
    for (size_t i = 0; operand == NULL && pst_dataset_types[i] != NULL; i++) {
        *type = pst_dataset_types[i];
        if ((*type)->named_by != NULL &&
            pst_options_given(run, (const char *const[]){ (*type)->named_by, NULL }) != NULL)
            return PST_OK;
    }
    return pst_dataset_find(operand, type, argument, error);
}

/* Lists the operands' arguments; later operands may repeat the type's name. list: [count + 1]. */
static size_t list_arguments(const struct pst_dataset_type *type, const char *first, size_t count,
                             char **operands, const char **list)
{
    size_t listed = 0, length = strlen(type->name);
    if (first != NULL)
        list[listed++] = first;
    for (size_t i = 1; i < count; i++) {
        bool named = strncmp(operands[i], type->name, length) == 0 && operands[i][length] == ':';
        list[listed++] = operands[i] + (named ? length + 1 : 0);
    }
    return listed;
}

static enum pst_status open_data(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct loader *loader = run->self;
    const struct pst_dataset_type *type;
    struct pst_dataset_request request = { .test = loader->chosen.rules.split == PST_SPLIT_TEST,
                                           .max_memory = loader->max_memory };
    const char *first;
    enum pst_status status = find_type(run, count > 0 ? operands[0] : NULL, &type, &first, error);
    if (status == PST_OK)
        status = find_settings(run, type, &request.settings, error);
    if (status != PST_OK)
        return status;
    const char **list = pst_allocate(count + 1, sizeof *list, error);
    if (list == NULL)
        return PST_TRY_AGAIN;
    request.arguments = list;
    request.count = list_arguments(type, first, count, operands, list);
    if (loader->like_path != NULL) {
        status = read_like(run, loader->like_path, &loader->likeness, error);
        request.like = &loader->likeness.found;
    }
    if (status == PST_OK)
        status = loader->standardise ? open_standardised(loader, type, &request, error)
                                     : pst_dataset_open(&loader->data, type, &request, error);
    free((void *)list);
    if (status == PST_OK && *loader->data.notice != '\0')
        pst_say(run, "%s", loader->data.notice);
    return status;
}

/* Batches of one epoch: the last one may be smaller. */
static uint64_t batches_in_epoch(const struct loader *loader)
{
    return (loader->view.count + loader->batch - 1) / loader->batch;
}

/* Batches of the whole stream, or 0 if it is endless or cannot be counted. */
static uint64_t batches_in_stream(const struct loader *loader)
{
    size_t batches = 0;
    return pst_multiply(batches_in_epoch(loader), loader->epochs, &batches) ? batches : 0;
}

static enum pst_status go_to_start(struct loader *loader, struct pst_error *error)
{
    uint64_t batches = batches_in_epoch(loader);
    if (loader->epochs > 0 && loader->start > batches_in_stream(loader))
        return pst_fail(error, PST_USAGE, "--start %" PRIu64 ": the stream has only %" PRIu64 " batches",
                        loader->start, batches_in_stream(loader));
    loader->position = (size_t)(loader->start % batches) * loader->batch;
    return pst_view_begin(&loader->view, loader->start / batches, loader->position, error);
}

/* Refuses a seed that has no effect, because a user may think that it has one. */
static enum pst_status check_seed(const struct pst_run *run, struct pst_error *error)
{
    const struct loader *loader = run->self;
    const struct pst_selection_rules *rules = &loader->chosen.rules;
    bool draws = loader->view.shuffled || loader->view.steps > 0 || loader->view.changes > 0 ||
                 loader->view.mixed || rules->utterances > 0 || rules->fraction < 1 || rules->limit > 0;
    if (draws || pst_options_given(run, (const char *const[]){ "seed", NULL }) == NULL)
        return PST_OK;
    return pst_fail(error, PST_USAGE,
                    "--seed does nothing here: samples are neither chosen nor shuffled nor moved about");
}

/* Notes columns and standard, because the options alone do not determine them. */
static enum pst_status note_inputs(struct pst_run *run, struct pst_error *error)
{
    const struct loader *loader = run->self;
    char digest[PST_DIGEST_TEXT];
    char *text = json_dumps(loader->inputs, JSON_COMPACT | JSON_SORT_KEYS);
    if (text == NULL)
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
    pst_digest(text, strlen(text), digest);
    free(text);
    return pst_origin_note_of(run, "x", "inputs", digest, error);
}

/* Notes the names of classes, unless they are numbers, because the options do not determine them. */
static enum pst_status note_outputs(struct pst_run *run, struct pst_error *error)
{
    const struct pst_dataset *data = &((const struct loader *)run->self)->data;
    bool plain = true;
    json_t *names = json_array();
    for (size_t i = 0; data->class_names != NULL && i < data->classes; i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        plain = plain && strcmp(data->class_names[i], number) == 0;
        json_array_append_new(names, json_string(data->class_names[i]));
    }
    char *text = plain ? NULL : json_dumps(names, JSON_COMPACT);
    char digest[PST_DIGEST_TEXT];
    if (text != NULL)
        pst_digest(text, strlen(text), digest);
    free(text);
    json_decref(names);
    if (plain)
        return PST_OK;
    return text != NULL ? pst_origin_note_of(run, "y", "classes", digest, error)
                        : pst_fail(error, PST_TRY_AGAIN, "out of memory for a header");
}

/* Every chosen sample may be mixed into another one, so the origins hold the choice of samples. Those of y
 * and weight also hold how they are mixed, with the seed. */
static enum pst_status note_mixing(struct pst_run *run, struct pst_error *error)
{
    static const char *const tensors[] = { "x", "y", "weight" };
    const struct pst_view *view = &((const struct loader *)run->self)->view;
    const struct pst_selection *chosen = &view->selection;
    char digest[PST_DIGEST_TEXT], how[128];
    pst_print_plain(how, sizeof how, "mixup %.17g, cutmix %.17g, seed %llu", view->mixup, view->cutmix,
                    (unsigned long long)view->seed);
    uint64_t *ids = pst_allocate(chosen->count, sizeof *ids, error);
    if (ids == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < chosen->count; i++)
        ids[i] = pst_dataset_id(view->dataset, chosen->indices[i]);
    pst_digest(ids, chosen->count * sizeof *ids, digest);
    free(ids);
    enum pst_status status = PST_OK;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors && status == PST_OK; i++) {
        status = pst_origin_note_of(run, tensors[i], "mixed_with", digest, error);
        if (status == PST_OK && i > 0)
            status = pst_origin_note_of(run, tensors[i], "mixed", how, error);
    }
    return status;
}

/* Notes what determines the samples: the set, and, if there are augmentations, the seed. Their options are
 * noted already. */
static enum pst_status note_data(struct pst_run *run, struct pst_error *error)
{
    const struct loader *loader = run->self;
    bool moved = loader->view.mixed;
    char seed[24];
    for (size_t i = 0; i < PST_MAX_AUGMENTATIONS; i++)
        moved = moved || loader->view.settings[i] != NULL;
    snprintf(seed, sizeof seed, "%" PRIu64, loader->view.seed);
    enum pst_status status = pst_history_note(run, "data", json_string(loader->data.name), error);
    if (status == PST_OK)
        status = pst_origin_note(run, "set", loader->data.type->name, error);
    if (status == PST_OK)
        status = pst_origin_note(run, "digest", loader->data.digest, error);
    if (status == PST_OK && moved)
        status = pst_origin_note_of(run, "x", "augmentation_seed", seed, error);
    if (status == PST_OK && loader->view.mixed)
        status = note_mixing(run, error);
    if (status == PST_OK && loader->inputs != NULL)
        status = note_inputs(run, error);
    if (status == PST_OK)
        status = note_outputs(run, error);
    return status == PST_OK ? pst_history_note(run, "shuffle", json_boolean(loader->view.shuffled), error)
                            : status;
}

/* Samples for a model that learned from spliced ones are spliced in the same way. */
static enum pst_status take_splice(struct loader *loader, struct pst_error *error)
{
    const char *wanted = loader->likeness.found.splice;
    if (loader->chosen.splice != NULL && strcmp(loader->chosen.splice, wanted) != 0)
        return pst_fail(error, PST_USAGE, "--splice %s: %s was made with --splice %s", loader->chosen.splice,
                        loader->like_path, wanted);
    loader->chosen.splice = wanted;
    return PST_OK;
}

/* Turns the value of --special, names of classes or a set of a file, into numbers, which a view takes. */
static enum pst_status find_special(struct loader *loader, struct pst_error *error)
{
    const struct pst_dataset *data = &loader->data;
    struct pst_class_map map = { 0 };
    if (loader->chosen.special == NULL || data->label_kind != PST_LABELS_CLASS)
        return PST_OK;
    enum pst_status status =
        pst_class_map_named(&map, &(struct pst_classes){ data->classes, data->class_names },
                            loader->chosen.special, "--special", NULL, error);
    if (status == PST_OK && (loader->special = pst_class_map_numbers(&map)) == NULL)
        status = pst_fail(error, PST_TRY_AGAIN, "out of memory for a set of classes");
    pst_class_map_free(&map);
    loader->chosen.special = loader->special;
    return status;
}

static enum pst_status start(struct pst_run *run, size_t count, char **operands, struct pst_error *error)
{
    struct loader *loader = run->self;
    const void *augmentations[PST_MAX_AUGMENTATIONS];
    const size_t most = sizeof((struct pst_header *)0)->run - 1;
    if (loader->run != NULL && (strlen(loader->run) > most || !pst_is_utf8(loader->run)))
        return pst_fail(error, PST_USAGE, "--run: its value is not UTF-8 of at most %zu bytes", most);
    find_augmentations(loader, augmentations);
    enum pst_status status = open_data(run, count, operands, error);
    if (loader->likeness.found.splice != NULL && status == PST_OK)
        status = take_splice(loader, error);
    if (loader->like_path != NULL && loader->data.label_kind == PST_LABELS_NONE && loader->epochs == 1 &&
        !loader->chosen.shuffle)
        loader->chosen.no_shuffle = true; /* these are for predictions, not for learning */
    if (status == PST_OK)
        status = find_special(loader, error);
    if (status == PST_OK)
        status = pst_view_open(&loader->view, &loader->data, &loader->chosen, augmentations, error);
    if (status == PST_OK)
        status = describe_inputs(loader, error);
    if (status == PST_OK)
        status = check_seed(run, error);
    if (status == PST_OK)
        status = go_to_start(loader, error);
    return status == PST_OK ? note_data(run, error) : status;
}

static enum pst_status on_header(struct pst_run *run, const struct pst_header *in, struct pst_header *header,
                                 struct pst_error *error)
{
    (void)in;
    struct loader *loader = run->self;
    if (loader->run != NULL)
        strcpy(header->run, loader->run); /* start has checked its length */
    header->epochs = loader->epochs;
    header->batches = batches_in_stream(loader);
    header->first = loader->start;
    return describe_data(run, header, error);
}

/* ---- batches ------------------------------------------------------------------------------------------- */

/* Goes on to the next epoch. Returns PST_END after the last. */
static enum pst_status go_on(struct loader *loader, struct pst_error *error)
{
    struct pst_view *view = &loader->view;
    bool more = loader->epochs == 0 || view->epoch + 1 < loader->epochs;
    loader->position = 0;
    return more ? pst_view_begin(view, view->epoch + 1, 0, error) : PST_END;
}

static enum pst_status take(struct pst_run *run, struct pst_run *run_of_job, struct pst_error *error)
{
    struct loader *loader = run->self, *job = run_of_job->self;
    struct pst_view *view = &loader->view;
    enum pst_status status = loader->position >= view->count ? go_on(loader, error) : PST_OK;
    if (status != PST_OK)
        return status;
    if (loader->epochs > 0 && view->epoch >= loader->epochs)
        return PST_END;
    size_t left = view->count - loader->position, first = loader->position;
    job->taken = left < loader->batch ? left : loader->batch;
    job->first = job->is_job ? 0 : first;
    loader->position += job->taken;
    return job->is_job ? pst_view_lend(view, first, job->taken, &job->view, error) : PST_OK;
}

/* One job at a time reads samples, in order; all jobs change them. */
static enum pst_status join(struct pst_run *job, struct pst_batch *batch, struct pst_error *error)
{
    struct loader *loader = job->self;
    size_t most = loader->view.count < loader->batch ? loader->view.count : loader->batch;
    loader->is_job = true;
    enum pst_status status = pst_view_join(&loader->view, most, error);
    return status == PST_OK ? pst_batch_resize(batch, pst_output_header(job), most, 0, error) : status;
}

static void leave(struct pst_run *job)
{
    struct loader *loader = job->self;
    if (loader->is_job)
        pst_view_leave(&loader->view);
}

static enum pst_status make_batch(struct pst_run *run, const struct pst_batch *in, struct pst_batch *batch,
                                  struct pst_error *error)
{
    (void)in;
    struct loader *loader = run->self;
    struct pst_view *view = &loader->view;
    const struct pst_header *header = pst_output_header(run);
    size_t n = loader->taken;
    enum pst_status status = pst_batch_resize(batch, header, n, 0, error);
    if (status != PST_OK)
        return status;
    batch->epoch = view->epoch;
    unsigned char *x = batch->tensors[loader->x].data;
    unsigned char *y = loader->y != PST_NONE ? batch->tensors[loader->y].data : NULL;
    float *weight = loader->weight != PST_NONE ? batch->tensors[loader->weight].data : NULL;
    uint64_t *id = batch->tensors[loader->id].data;
    size_t label = view->label_bytes, sample = header->tensors[loader->x].sample_bytes;
    for (size_t i = 0; i < n && status == PST_OK; i++, x += sample, y = y == NULL ? NULL : y + label) {
        if (weight != NULL)
            weight[i] = pst_view_weight(view, loader->first + i);
        status = pst_view_get(view, loader->first + i, x, y, &id[i], error);
    }
    return status;
}

static void stop(struct pst_run *run)
{
    struct loader *loader = run->self;
    pst_view_close(&loader->view);
    pst_dataset_close(&loader->data);
    free_like(&loader->likeness);
    free(loader->special);
    json_decref(loader->inputs);
}

int main(int argc, char **argv)
{
    struct loader defaults = { .batch = 128, .epochs = 1, .max_memory = (size_t)1 << 30 };
    struct pst_option all[MOST_OPTIONS];
    char description[4096] = "";
    list_options(options, all, &defaults);
    FILE *text = fmemopen(description, sizeof description, "w");
    if (text != NULL) {
        fputs("SET is the name of a set, or a file that one of them recognises:\n", text);
        describe_sets(text);
        fclose(text);
    }
    return pst_main(argc, argv,
                    &(struct pst_stage){
                        .name = "loader",
                        .purpose = "write a data set as a stream of batches",
                        .operands = "SET...",
                        .most_operands = 4096,
                        .operand_files = PST_FILE_READ | PST_FILE_LIST,
                        .description = description,
                        .example = "loader digits --epochs 2 --shift 2 | stream-inspect",
                        .see_also = "replay(1), teacher-forward(1), student-trainer(1), stream-inspect(1)",
                        .options = all,
                        .size = sizeof(struct loader),
                        .defaults = &defaults,
                        .traits = PST_WRITES | PST_PARALLEL,
                        .start = start,
                        .on_header = on_header,
                        .take = take,
                        .join = join,
                        .on_batch = make_batch,
                        .leave = leave,
                        .stop = stop,
                    });
}

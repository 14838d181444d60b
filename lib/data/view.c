/* Views: which samples of a set are taken, in which order, moved about how. */
#include "pipestill/data.h"

#include <stdlib.h>
#include <string.h>

/* ---- options ----------------------------------------------------------------------------------------- */

static const char *const splits[] = { "train", "validation", "test", NULL };

static const struct pst_view_settings defaults = { .rules = { .fraction = 1 } };

#define PLACE(member) offsetof(struct pst_view_settings, member)

static const struct pst_option options[] = {
    { 0, "split", PST_CHOICE, PLACE(rules.split), "which part of the set", .choices = splits,
      .of_samples = true },
    { 0, "hold-out", PST_SIZE, PLACE(rules.hold_out), "training samples that are the validation split",
      .metavar = "N", .of_samples = true, .needs = "split=train|split=validation" },
    { 0, "hold-out-speakers", PST_SIZE, PLACE(rules.hold_out_speakers),
      "training speakers whose samples are the validation split", .metavar = "N", .of_samples = true,
      .needs = "split=train|split=validation", .excludes = "hold-out" },
    { 0, "hold-out-seed", PST_U64, PLACE(rules.hold_out_seed), "seed that chooses them", .metavar = "N",
      .of_samples = true, .needs = "hold-out|hold-out-speakers" },
    { 0, "utterances", PST_SIZE, PLACE(rules.utterances), "take at most so many utterances, by seed; 0: all",
      .metavar = "N", .of_samples = true },
    { 0, "only-classes", PST_STRING, PLACE(rules.only), "take these classes only: 7,8 or 0-4",
      .metavar = "LIST", .of_samples = true },
    { 0, "omit-classes", PST_STRING, PLACE(rules.omit), "leave these classes out", .metavar = "LIST",
      .of_samples = true },
    { 0, "fraction", PST_POSITIVE_DOUBLE, PLACE(rules.fraction), "take this share of each class", .most = 1,
      .of_samples = true },
    { 0, "limit", PST_SIZE, PLACE(rules.limit), "take at most so many, in all classes' proportion; 0: all",
      .metavar = "N", .of_samples = true },
    { 's', "seed", PST_U64, PLACE(rules.seed), "seed of selection, order and augmentation", .metavar = "N",
      .of_samples = true },
    { 0, "splice", PST_STRING, PLACE(splice), "so many frames before and behind each come with it",
      .metavar = "BEFORE,AFTER", .tensor = "x" },
    { 0, "shuffle", PST_FLAG, PLACE(shuffle), "a new order each epoch; usual for a training split",
      .silent = true },
    { 0, "no-shuffle", PST_FLAG, PLACE(no_shuffle), "the set's own order; usual for the others",
      .silent = true, .excludes = "shuffle" },
    { 0 },
};

const struct pst_settings pst_view_options = { options, sizeof(struct pst_view_settings), &defaults };

/* ---- opening ----------------------------------------------------------------------------------------- */

struct pst_planes pst_dataset_planes(const struct pst_dataset *dataset)
{
    struct pst_planes planes = { .rank = dataset->rank,
                                 .numbers = dataset->element != PST_ELEMENT_U8,
                                 .sound = dataset->sequences > 0 };
    if (dataset->rank != 2 && dataset->rank != 3)
        return planes;
    planes.channels = dataset->rank == 3 ? dataset->shape[0] : 1;
    planes.height = dataset->shape[dataset->rank - 2];
    planes.width = dataset->shape[dataset->rank - 1];
    planes.background = planes.numbers ? (float)dataset->offset : 0; /* what an element of 0 stands for */
    return planes;
}

/* What x is: a sample, or one with its neighbours. */
static enum pst_status settle_shape(struct pst_view *view, const char *splice, struct pst_error *error)
{
    const struct pst_dataset *dataset = view->dataset;
    size_t own = splice != NULL;
    view->spliced = splice != NULL;
    view->rank = dataset->rank + own;
    memcpy(view->shape + own, dataset->shape, dataset->rank * sizeof *view->shape);
    view->planes = pst_dataset_planes(dataset);
    if (!view->spliced)
        return PST_OK;
    if (dataset->sequences == 0)
        return pst_fail(error, PST_USAGE, "--splice: the samples of %s do not follow each other",
                        dataset->name);
    if (!pst_parse_splice(splice, &view->before, &view->after))
        return pst_fail(error, PST_USAGE, "--splice: '%s' is not BEFORE,AFTER, two numbers up to %d", splice,
                        PST_MAX_SPLICE);
    view->shape[0] = view->before + 1 + view->after;
    view->planes.rank = view->rank;
    if (view->rank == 2) {
        view->planes.channels = 1;
        view->planes.height = view->shape[0];
        view->planes.width = view->shape[1];
    }
    return PST_OK;
}

static enum pst_status take_augmentations(struct pst_view *view, const void *const *augmentations,
                                          struct pst_error *error)
{
    for (size_t i = 0; augmentations != NULL && pst_augmentations[i] != NULL; i++) {
        const struct pst_augmentation *augmentation = pst_augmentations[i];
        if (!augmentation->is_on(augmentations[i]))
            continue;
        const char *wrong = augmentation->refuse(augmentations[i], &view->planes);
        if (wrong != NULL)
            return pst_fail(error, PST_USAGE, "%s: %s", view->dataset->name, wrong);
        view->settings[i] = augmentations[i];
        view->steps += augmentation->apply != NULL;
        view->changes += augmentation->change_sound != NULL;
    }
    return PST_OK;
}

static enum pst_status make_room(struct pst_view *view, struct pst_error *error)
{
    size_t elements = pst_view_elements(view);
    size_t size = pst_element_size(view->dataset->element);
    for (size_t i = 0; i < 3; i++) {
        view->scratch[i] = pst_allocate(elements, size < sizeof(float) ? sizeof(float) : size, error);
        if (view->scratch[i] == NULL)
            return PST_TRY_AGAIN;
    }
    view->order = pst_allocate(view->selection.count, sizeof *view->order, error);
    return view->order == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* Puts the samples in the order of an epoch. */
static void arrange(struct pst_view *view, uint64_t epoch)
{
    view->epoch = epoch;
    if (view->shuffled)
        pst_shuffle(&view->selection, view->seed, epoch, view->order);
    else
        memcpy(view->order, view->selection.indices, view->selection.count * sizeof *view->order);
}

enum pst_status pst_view_open(struct pst_view *view, const struct pst_dataset *dataset,
                              const struct pst_view_settings *settings, const void *const *augmentations,
                              struct pst_error *error)
{
    *view = (struct pst_view){ .dataset = dataset,
                               .seed = settings->rules.seed,
                               .label_bytes = pst_dataset_label_bytes(dataset) };
    if (settings->shuffle && settings->no_shuffle)
        return pst_fail(error, PST_USAGE, "--shuffle and --no-shuffle exclude each other");
    view->shuffled = settings->shuffle || (settings->rules.split == PST_SPLIT_TRAIN && !settings->no_shuffle);
    enum pst_status status = pst_select(dataset, &settings->rules, &view->selection, error);
    if (status == PST_OK)
        status = settle_shape(view, settings->splice, error);
    if (status == PST_OK)
        status = take_augmentations(view, augmentations, error);
    if (status == PST_OK)
        status = make_room(view, error);
    if (status == PST_OK)
        arrange(view, 0);
    else
        pst_view_close(view);
    return status;
}

void pst_view_close(struct pst_view *view)
{
    pst_selection_free(&view->selection);
    free(view->order);
    for (size_t i = 0; i < 3; i++)
        free(view->scratch[i]);
    *view = (struct pst_view){ 0 };
}

size_t pst_view_elements(const struct pst_view *view)
{
    size_t elements = 1;
    for (size_t i = 0; i < view->rank; i++)
        elements *= view->shape[i];
    return elements;
}

/* ---- samples ----------------------------------------------------------------------------------------- */

enum pst_status pst_view_begin(struct pst_view *view, uint64_t epoch, size_t position,
                               struct pst_error *error)
{
    arrange(view, epoch);
    const void *changes[PST_MAX_AUGMENTATIONS] = { NULL };
    for (size_t i = 0; pst_augmentations[i] != NULL; i++)
        if (pst_augmentations[i]->change_sound != NULL)
            changes[i] = view->settings[i];
    const struct pst_plan plan = { .samples = view->order + position,
                                   .count = view->selection.count - position,
                                   .seed = view->seed,
                                   .epoch = epoch,
                                   .changes = view->changes > 0 ? changes : NULL };
    return pst_dataset_plan(view->dataset, &plan, error);
}

/* Reads a sample, or one with its neighbours. */
static enum pst_status read(const struct pst_view *view, size_t index, const struct pst_standard *standard,
                            void *x, struct pst_error *error)
{
    return view->spliced ? pst_dataset_read_spliced(view->dataset, index, view->before, view->after, standard,
                                                    x, view->scratch[0], error)
                         : pst_dataset_read(view->dataset, index, standard, x, view->scratch[0], error);
}

enum pst_status pst_view_get(struct pst_view *view, size_t position, void *x, void *y, uint64_t *id,
                             struct pst_error *error)
{
    const struct pst_dataset *dataset = view->dataset;
    size_t index = view->order[position], steps = view->steps, label = view->label_bytes;
    void *at = steps > 0 ? view->scratch[1] : x;
    /* An image that is moved about is standardised behind it, for what comes in from outside is no mean. */
    const struct pst_standard *standard =
        view->planes.numbers && dataset->standard.channels > 0 ? &dataset->standard : NULL;
    bool later = steps > 0 && !view->planes.sound;
    enum pst_status status = read(view, index, later ? NULL : standard, at, error);
    *id = pst_dataset_id(dataset, index);
    if (y != NULL)
        memcpy(y, (const unsigned char *)dataset->labels + index * label, label);
    struct pst_draw draw = { view->seed, view->epoch, *id };
    for (size_t i = 0; status == PST_OK && steps > 0; i++) {
        if (view->settings[i] == NULL || pst_augmentations[i]->apply == NULL)
            continue;
        void *to = --steps == 0 ? x : at == view->scratch[1] ? view->scratch[2] : view->scratch[1];
        pst_augmentations[i]->apply(view->settings[i], &view->planes, at, to, &draw);
        at = to;
    }
    if (status == PST_OK && later && standard != NULL)
        pst_standard_apply(standard, pst_dataset_elements(dataset), x);
    return status;
}

/* Views: which samples of a set are taken, in which order, and how they are changed. */
#include "lib/data/mix.h"

#include <stdlib.h>
#include <string.h>

/* ---- options ----------------------------------------------------------------------------------------- */

static const char *const splits[] = { "train", "validation", "test", NULL };

static const struct pst_view_settings defaults = { .rules = { .fraction = 1 }, .special_share = 0.5 };

#define PLACE(member) offsetof(struct pst_view_settings, member)

static const struct pst_option options[] = {
    { 0, "split", PST_CHOICE, PLACE(rules.split), "which part of the set", .choices = splits,
      .of_samples = true },
    { 0, "hold-out", PST_SIZE, PLACE(rules.hold_out),
      "number of training samples that form the validation split", .metavar = "N", .of_samples = true,
      .needs = "split=train|split=validation" },
    { 0, "hold-out-speakers", PST_SIZE, PLACE(rules.hold_out_speakers),
      "number of training speakers whose samples form the validation split", .metavar = "N",
      .of_samples = true, .needs = "split=train|split=validation", .excludes = "hold-out" },
    { 0, "hold-out-seed", PST_U64, PLACE(rules.hold_out_seed), "seed that chooses them", .metavar = "N",
      .of_samples = true, .needs = "hold-out|hold-out-speakers" },
    { 0, "utterances", PST_SIZE, PLACE(rules.utterances),
      "take at most N utterances, chosen by --seed; 0: all", .metavar = "N", .of_samples = true },
    { 0, "only-classes", PST_STRING, PLACE(rules.only), "take these classes only: 7,8 or 0-4",
      .metavar = "LIST", .of_samples = true },
    { 0, "omit-classes", PST_STRING, PLACE(rules.omit), "leave these classes out", .metavar = "LIST",
      .of_samples = true },
    { 0, "fraction", PST_POSITIVE_DOUBLE, PLACE(rules.fraction), "take this share of each class", .most = 1,
      .of_samples = true },
    { 0, "limit", PST_SIZE, PLACE(rules.limit),
      "take at most N samples, in the proportion of classes; 0: all", .metavar = "N", .of_samples = true },
    { 0, "special", PST_STRING, PLACE(special), "make these classes a share of every batch: 7,8 or @FILE:SET",
      .metavar = "CLASSES", .of_samples = true, .excludes = "no-shuffle" },
    { 0, "special-share", PST_DOUBLE, PLACE(special_share), "how large that share is", .least = 0.01,
      .most = 0.99, .of_samples = true, .needs = "special" },
    { 's', "seed", PST_U64, PLACE(rules.seed), "seed of selection, order and augmentation", .metavar = "N",
      .of_samples = true },
    { 0, "splice", PST_STRING, PLACE(splice), "give each frame so many frames before and after it, too: 20,5",
      .metavar = "BEFORE,AFTER", .tensor = "x" },
    { 0, "mixup", PST_DOUBLE, PLACE(mixup),
      "mix each sample with another one, by a share from Beta(ALPHA, ALPHA); labels become shares",
      .metavar = "ALPHA", .most = 1000, .tensor = "x" },
    { 0, "cutmix", PST_DOUBLE, PLACE(cutmix),
      "put a rectangle of another image into each; with --mixup, one of the two at random",
      .metavar = "ALPHA", .most = 1000, .tensor = "x" },
    { 0, "shuffle", PST_FLAG, PLACE(shuffle), "a new order each epoch; the default for the training split",
      .silent = true },
    { 0, "no-shuffle", PST_FLAG, PLACE(no_shuffle), "the set's own order; the default for the other splits",
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

/* Allocates memory to make samples in, and the order of `count`. */
static enum pst_status make_room(struct pst_view *view, size_t count, struct pst_error *error)
{
    size_t elements = pst_view_elements(view);
    size_t size = pst_element_size(view->dataset->element);
    for (size_t i = 0; i < (view->mixed ? 4 : 3); i++) {
        view->scratch[i] = pst_allocate(elements, size < sizeof(float) ? sizeof(float) : size, error);
        if (view->scratch[i] == NULL)
            return PST_TRY_AGAIN;
    }
    view->order = pst_allocate(count, sizeof *view->order, error);
    return view->order == NULL ? PST_TRY_AGAIN : PST_OK;
}

static enum pst_status make_plan(struct pst_view *view, struct pst_error *error)
{
    if (view->mixed)
        view->plan = pst_allocate(view->count, 2 * sizeof *view->plan, error);
    return view->mixed && view->plan == NULL ? PST_TRY_AGAIN : PST_OK;
}

/* Divides the selection into what is special and the rest. mask: [classes]. */
static enum pst_status divide(struct pst_view *view, const bool *mask, struct pst_error *error)
{
    const struct pst_selection *all = &view->selection;
    for (size_t part = 0; part < 2; part++) {
        view->parts[part].indices = pst_allocate(all->count, sizeof *all->indices, error);
        if (view->parts[part].indices == NULL)
            return PST_TRY_AGAIN;
    }
    for (size_t i = 0; i < all->count; i++) {
        struct pst_selection *part =
            &view->parts[mask[((const int32_t *)view->dataset->labels)[all->indices[i]]]];
        part->indices[part->count++] = all->indices[i];
    }
    return PST_OK;
}

/* Which classes are special, and how long an epoch is. */
static enum pst_status settle_special(struct pst_view *view, const struct pst_view_settings *settings,
                                      struct pst_error *error)
{
    const struct pst_dataset *dataset = view->dataset;
    view->count = view->selection.count;
    if (settings->special == NULL)
        return PST_OK;
    if (!view->shuffled)
        return pst_fail(error, PST_USAGE,
                        "--special draws samples in an order of its own; it needs --shuffle");
    if (dataset->label_kind != PST_LABELS_CLASS)
        return pst_fail(error, PST_USAGE, "--special needs labels that are classes, and %s has none",
                        dataset->name);
    bool *mask = pst_allocate(dataset->classes, sizeof *mask, error);
    enum pst_status status = mask == NULL
                                 ? PST_TRY_AGAIN
                                 : pst_mark_classes(settings->special, dataset->classes, true, mask, error);
    if (status == PST_USAGE)
        status = pst_fail_at(error, "--special");
    if (status == PST_OK)
        status = divide(view, mask, error);
    if (status == PST_OK)
        status = pst_special_start(&view->special, view->parts[1].count, view->parts[0].count,
                                   settings->special_share, view->seed, error);
    if (status == PST_OK)
        view->count = (size_t)view->special.count;
    free(mask);
    return status;
}

/* Puts the samples in the order of an epoch. */
static void arrange(struct pst_view *view, uint64_t epoch)
{
    view->epoch = epoch;
    bool special;
    if (view->special.count > 0)
        for (size_t i = 0; i < view->count; i++) {
            uint64_t number = pst_special_at(&view->special, epoch, i, &special);
            view->order[i] = view->parts[special].indices[number];
        }
    else if (view->shuffled)
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
        status = settle_special(view, settings, error);
    if (status == PST_OK)
        status = settle_shape(view, settings->splice, error);
    if (status == PST_OK)
        status = take_augmentations(view, augmentations, error);
    if (status == PST_OK)
        status = pst_mix_settle(view, settings, error);
    if (status == PST_OK)
        status = make_room(view, view->count, error);
    if (status == PST_OK)
        status = make_plan(view, error);
    if (status == PST_OK)
        arrange(view, 0);
    else
        pst_view_close(view);
    return status;
}

void pst_view_close(struct pst_view *view)
{
    pst_selection_free(&view->selection);
    pst_selection_free(&view->parts[0]);
    pst_selection_free(&view->parts[1]);
    free(view->order);
    free(view->plan);
    for (size_t i = 0; i < 4; i++)
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
    size_t count = view->count - position;
    for (size_t i = 0; i < count && view->mixed; i++) {
        view->plan[2 * i] = view->order[position + i];
        view->plan[2 * i + 1] = pst_mix_draw(view, view->plan[2 * i]).other;
    }
    const struct pst_plan plan = { .samples = view->mixed ? view->plan : view->order + position,
                                   .count = view->mixed ? 2 * count : count,
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

/* How numbers are standardised; NULL: they are not. */
static const struct pst_standard *standard_of(const struct pst_view *view)
{
    const struct pst_dataset *dataset = view->dataset;
    return view->planes.numbers && dataset->standard.channels > 0 ? &dataset->standard : NULL;
}

/* An image is standardised after it was moved, because the background that comes in is not the mean. */
static bool is_standardised_later(const struct pst_view *view)
{
    return view->steps > 0 && !view->planes.sound;
}

/* Bytes of a sample as `fetch` gives it. */
static size_t sample_bytes(const struct pst_view *view)
{
    return pst_view_elements(view) * (view->planes.numbers ? sizeof(float) : 1);
}

/* Reads a sample, or finds it among those that were read ahead. number: its place there. */
static enum pst_status fetch(const struct pst_view *view, size_t index, size_t number, void *x,
                             struct pst_error *error)
{
    if (view->ahead == NULL)
        return read(view, index, is_standardised_later(view) ? NULL : standard_of(view), x, error);
    memcpy(x, view->ahead + number * sample_bytes(view), sample_bytes(view));
    return PST_OK;
}

/* Makes a sample that is not mixed. x: receives its elements. */
static enum pst_status make(const struct pst_view *view, size_t index, size_t number, void *x,
                            struct pst_error *error)
{
    const struct pst_dataset *dataset = view->dataset;
    const struct pst_standard *standard = standard_of(view);
    size_t steps = view->steps;
    void *at = steps > 0 ? view->scratch[1] : x;
    enum pst_status status = fetch(view, index, number, at, error);
    struct pst_draw draw = { view->seed, view->epoch, pst_dataset_id(dataset, index) };
    for (size_t i = 0; status == PST_OK && steps > 0; i++) {
        if (view->settings[i] == NULL || pst_augmentations[i]->apply == NULL)
            continue;
        void *to = --steps == 0 ? x : at == view->scratch[1] ? view->scratch[2] : view->scratch[1];
        pst_augmentations[i]->apply(view->settings[i], &view->planes, at, to, &draw);
        at = to;
    }
    if (status == PST_OK && is_standardised_later(view) && standard != NULL)
        pst_standard_apply(standard, pst_dataset_elements(dataset), x);
    return status;
}

enum pst_status pst_view_get(struct pst_view *view, size_t position, void *x, void *y, uint64_t *id,
                             struct pst_error *error)
{
    const struct pst_dataset *dataset = view->dataset;
    size_t index = view->order[position], label = view->label_bytes;
    size_t number = view->mixed ? 2 * position : position;
    struct pst_mixture mixture = { 0 };
    enum pst_status status = make(view, index, number, x, error);
    *id = pst_dataset_id(dataset, index);
    if (status == PST_OK && view->mixed) {
        mixture = pst_mix_draw(view, index);
        status = make(view, mixture.other, number + 1, view->scratch[3], error);
    }
    if (status == PST_OK && view->mixed)
        pst_mix_inputs(view, &mixture, view->scratch[3], x);
    if (y != NULL && view->mixed && status == PST_OK)
        pst_mix_labels(view, &mixture, index, y);
    else if (y != NULL && !view->mixed)
        memcpy(y, (const unsigned char *)dataset->labels + index * label, label);
    return status;
}

float pst_view_weight(const struct pst_view *view, size_t position)
{
    const float *weights = view->dataset->weights;
    size_t index = view->order[position];
    if (!view->mixed)
        return weights[index];
    struct pst_mixture mixture = pst_mix_draw(view, index);
    return (float)(mixture.share * (double)weights[index] +
                   (1 - mixture.share) * (double)weights[mixture.other]);
}

/* ---- samples for other threads ------------------------------------------------------------------------- */

enum pst_status pst_view_join(struct pst_view *view, size_t samples, struct pst_error *error)
{
    size_t read;
    view->order = view->plan = NULL;
    memset(view->scratch, 0, sizeof view->scratch);
    if (!pst_multiply(samples, view->mixed ? 2 : 1, &read))
        return pst_fail(error, PST_TRY_AGAIN, "out of memory");
    view->ahead = pst_allocate(read, sample_bytes(view), error);
    return view->ahead == NULL ? PST_TRY_AGAIN : make_room(view, samples, error);
}

enum pst_status pst_view_lend(const struct pst_view *view, size_t position, size_t count, struct pst_view *to,
                              struct pst_error *error)
{
    size_t size = sample_bytes(view);
    unsigned char *ahead = to->ahead;
    enum pst_status status = PST_OK;
    to->epoch = view->epoch;
    memcpy(to->order, view->order + position, count * sizeof *to->order);
    for (size_t i = 0; i < count && status == PST_OK; i++, ahead += size) {
        status = fetch(view, to->order[i], 0, ahead, error);
        if (status != PST_OK || !view->mixed)
            continue;
        ahead += size;
        status = fetch(view, pst_mix_draw(view, to->order[i]).other, 0, ahead, error);
    }
    return status;
}

void pst_view_leave(struct pst_view *view)
{
    free(view->ahead);
    free(view->order);
    for (size_t i = 0; i < 4; i++)
        free(view->scratch[i]);
    *view = (struct pst_view){ 0 };
}

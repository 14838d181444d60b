/* A data set, and what a run of loader does to it; see set.h. */
#include "stages/loader/set.h"

#include <stdlib.h>
#include <string.h>

/* ---- which samples ---- */

static enum pst_status open_named(struct set *set, const char *name, struct pst_error *error)
{
    const struct wishes *wishes = &set->wishes;
    bool test = wishes->split == SPLIT_TEST;
    if (strcmp(name, "mnist") == 0) {
        if (wishes->samples > 0)
            return pst_fail(error, PST_USAGE, "--samples is for digits; --limit takes a part of mnist");
        return pst_dataset_open_mnist(&set->data, test, error);
    }
    if (strcmp(name, "digits") == 0) {
        size_t usual = test ? 5000 : 10000;
        return pst_dataset_open_digits(&set->data, wishes->data_seed,
                                       wishes->samples > 0 ? wishes->samples : usual, test, error);
    }
    return pst_fail(error, PST_USAGE, "there is no set '%s'; there are mnist and digits, and --images", name);
}

static enum pst_status open_data(struct set *set, const char *name, struct pst_error *error)
{
    const struct wishes *wishes = &set->wishes;
    if (name == NULL && wishes->images == NULL)
        return pst_fail(error, PST_USAGE, "which data? mnist, digits, or --images FILE");
    if (name != NULL && (wishes->images != NULL || wishes->labels != NULL || wishes->classes > 0))
        return pst_fail(error, PST_USAGE, "--images, --labels and --classes do not go with a named set");
    if (name != NULL)
        return open_named(set, name, error);
    if (wishes->split == SPLIT_TEST)
        return pst_fail(error, PST_USAGE,
                        "--split test is for named sets; give --images the file of test images");
    if (wishes->samples > 0)
        return pst_fail(error, PST_USAGE, "--samples is for digits; --limit takes a part of a file");
    return pst_dataset_open_idx(&set->data, wishes->images, wishes->labels, wishes->classes, error);
}

/* mask: receives the classes that are taken; the rules borrow it. */
static enum pst_status settle_rules(const struct wishes *wishes, bool has_labels, size_t classes,
                                    bool mask[static MOST_CLASSES], struct pst_selection_rules *rules,
                                    struct pst_error *error)
{
    for (size_t class = 0; class < MOST_CLASSES; class ++)
        mask[class] = wishes->only == NULL;
    if (!has_labels && (wishes->only != NULL || wishes->omit != NULL))
        return pst_fail(error, PST_USAGE, "--only-classes and --omit-classes need --labels");
    if (wishes->only != NULL && pst_mark_classes(wishes->only, classes, true, mask, error) != PST_OK)
        return pst_fail_at(error, "--only-classes");
    if (wishes->omit != NULL && pst_mark_classes(wishes->omit, classes, false, mask, error) != PST_OK)
        return pst_fail_at(error, "--omit-classes");
    *rules = (struct pst_selection_rules){
        .split = wishes->split == SPLIT_VALIDATION ? PST_SPLIT_VALIDATION : PST_SPLIT_TRAIN,
        .hold_out = wishes->split == SPLIT_TEST ? 0 : wishes->hold_out,
        .hold_out_seed = wishes->hold_out_seed,
        .class_mask = wishes->only != NULL || wishes->omit != NULL ? mask : NULL,
        .fraction = wishes->fraction < 1 ? wishes->fraction : 0,
        .limit = wishes->limit,
        .seed = wishes->seed,
    };
    if (rules->split == PST_SPLIT_VALIDATION && rules->hold_out == 0)
        return pst_fail(error, PST_USAGE,
                        "--split validation needs --hold-out N, as given for the training split");
    return PST_OK;
}

static enum pst_status choose_samples(struct set *set, struct pst_error *error)
{
    bool mask[MOST_CLASSES];
    struct pst_selection_rules rules;
    enum pst_status status =
        settle_rules(&set->wishes, set->data.labels != NULL, set->data.classes, mask, &rules, error);
    return status == PST_OK ? pst_select(&set->data, &rules, &set->selection, error) : status;
}

/* ---- in which order ---- */

uint64_t set_batches(const struct set *set)
{
    return (set->selection.count + set->wishes.batch - 1) / set->wishes.batch;
}

void set_order(const struct set *set, uint64_t epoch, size_t *order)
{
    if (set->shuffled)
        pst_shuffle(&set->selection, set->wishes.seed, epoch, order);
    else
        memcpy(order, set->selection.indices, set->selection.count * sizeof *order);
}

/* ---- moved about ---- */

static enum pst_status prepare_augmentation(struct set *set, struct pst_error *error)
{
    const struct wishes *wishes = &set->wishes;
    const struct pst_dataset *data = &set->data;
    set->distorted =
        wishes->elastic.strength > 0 || wishes->elastic.rotation > 0 || wishes->elastic.scaling > 0;
    if ((set->distorted || wishes->shift > 0) && data->rank != 2)
        return pst_fail(error, PST_USAGE, "%s: its samples are not images of one plane, and cannot be moved",
                        data->name);
    if (set->distorted && (data->shape[0] > 64 || data->shape[1] > 64))
        return pst_fail(error, PST_USAGE, "%s: images of more than 64 by 64 pixels cannot be distorted",
                        data->name);
    for (size_t i = 0; i < 2; i++) {
        set->scratch[i] = pst_allocate(data->sample_bytes, 1, error);
        if (set->scratch[i] == NULL)
            return PST_TRY_AGAIN;
    }
    return PST_OK;
}

void set_sample(const struct set *set, size_t index, uint64_t epoch, uint8_t *elements)
{
    const struct wishes *wishes = &set->wishes;
    const struct pst_dataset *data = &set->data;
    uint64_t id = data->first_id + index;
    const size_t *shape = data->shape;
    uint8_t *read = set->distorted || wishes->shift > 0 ? set->scratch[0] : elements;
    data->get(data, index, read);
    if (set->distorted) {
        uint8_t *distorted = wishes->shift > 0 ? set->scratch[1] : elements;
        pst_augment_elastic(read, distorted, shape[0], shape[1], &wishes->elastic, wishes->seed, epoch, id);
        read = distorted;
    }
    if (wishes->shift > 0)
        pst_augment_shift(read, elements, shape[0], shape[1], (unsigned)wishes->shift, wishes->seed, epoch,
                          id);
}

/* ---- all of it ---- */

enum pst_status set_open(struct set *set, const struct wishes *wishes, const char *name,
                         struct pst_error *error)
{
    set->wishes = *wishes;
    if (wishes->shuffle && wishes->no_shuffle)
        return pst_fail(error, PST_USAGE, "--shuffle and --no-shuffle exclude each other");
    set->shuffled = wishes->shuffle || (wishes->split == SPLIT_TRAIN && !wishes->no_shuffle);
    if (wishes->batch == 0)
        set->wishes.batch = USUAL_BATCH;
    enum pst_status status = open_data(set, name, error);
    if (status == PST_OK)
        status = choose_samples(set, error);
    return status == PST_OK ? prepare_augmentation(set, error) : status;
}

void set_close(struct set *set)
{
    pst_dataset_free(&set->data);
    pst_selection_free(&set->selection);
    free(set->scratch[0]);
    free(set->scratch[1]);
}

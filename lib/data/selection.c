/*
 * Which samples of a set are taken. Each rule gives every class a quota, and one pass then draws that many of
 * the class's samples (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S). This needs one bit of
 * memory for each sample.
 */
#include "lib/data/sequences.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The state of choosing. Sets without labels count as one class. */
struct pool {
    const struct pst_labels *labels;
    struct pst_chosen *chosen;
    size_t classes;
    uint64_t *counts; /* [classes]: samples of each class among those chosen */
    uint64_t *quotas; /* [classes] */
};

static size_t class_of(const struct pool *pool, uint64_t sample)
{
    return pool->labels->class_of != NULL ? pool->labels->class_of(pool->labels->labels, sample) : 0;
}

/* The sample taken after this one. */
static uint64_t after(const struct pool *pool, uint64_t sample)
{
    return pst_chosen_next(pool->chosen, sample + 1);
}

static void count_classes(struct pool *pool)
{
    memset(pool->counts, 0, pool->classes * sizeof *pool->counts);
    for (uint64_t i = pst_chosen_next(pool->chosen, 0); i < pool->chosen->samples; i = after(pool, i))
        pool->counts[class_of(pool, i)]++;
}

/* Keeps quotas[class] samples of each class, drawn at random; or, with `others`, the rest instead. */
static void draw(struct pool *pool, uint64_t seed, enum pst_random_use use, uint64_t sequence, bool others)
{
    struct pst_random random;
    pst_random_start(&random, seed, use, sequence, 0);
    for (uint64_t i = pst_chosen_next(pool->chosen, 0); i < pool->chosen->samples; i = after(pool, i)) {
        size_t class = class_of(pool, i);
        bool drawn = pst_random_below(&random, pool->counts[class]) < pool->quotas[class];
        pool->counts[class]--;
        if (drawn)
            pool->quotas[class]--;
        if (drawn == others)
            pst_chosen_drop(pool->chosen, i);
    }
}

/* total · share / whole and its remainder, without overflow. */
static uint64_t scale_down(uint64_t total, uint64_t share, uint64_t whole, uint64_t *remainder)
{
    __extension__ unsigned __int128 product = (unsigned __int128)total * share;
    *remainder = (uint64_t)(product % whole);
    return (uint64_t)(product / whole);
}

/* What the whole part of a class's share leaves. */
struct rest {
    uint64_t remainder;
    size_t class;
};

/* The largest remainder first, and of two that are equal the lower class. */
static int compare_rests(const void *a, const void *b)
{
    const struct rest *left = a, *right = b;
    if (left->remainder != right->remainder)
        return left->remainder > right->remainder ? -1 : 1;
    return left->class < right->class ? -1 : 1;
}

/*
 * Shares `total` out among the classes in proportion to their counts: each gets the whole part of its share,
 * and what is left goes to those with the largest remainders (Hamilton's method), the lower class first.
 */
static enum pst_status share_out(struct pool *pool, uint64_t total, struct pst_error *error)
{
    struct rest *rests = pst_allocate(pool->classes, sizeof *rests, error);
    if (rests == NULL)
        return PST_TRY_AGAIN;
    uint64_t left = total;
    for (size_t class = 0; class < pool->classes; class ++) {
        rests[class].class = class;
        pool->quotas[class] =
            scale_down(total, pool->counts[class], pool->chosen->count, &rests[class].remainder);
        left -= pool->quotas[class];
    }
    qsort(rests, pool->classes, sizeof *rests, compare_rests);
    for (uint64_t i = 0; i < left; i++) /* fewer than there are classes with a remainder */
        pool->quotas[rests[i].class]++;
    free(rests);
    return PST_OK;
}

static enum pst_status take_split(struct pool *pool, const struct pst_selection_rules *rules,
                                  struct pst_error *error)
{
    bool validation = rules->split == PST_SPLIT_VALIDATION;
    if (validation && rules->hold_out == 0 && rules->hold_out_speakers == 0)
        return pst_fail(
            error, PST_USAGE,
            "--split validation needs --hold-out N or --hold-out-speakers N, as given for the training "
            "split");
    if (rules->hold_out == 0 || rules->split == PST_SPLIT_TEST)
        return PST_OK;
    if (rules->hold_out >= pool->chosen->count)
        return pst_fail(error, PST_USAGE, "%zu samples cannot be held out of %" PRIu64, rules->hold_out,
                        pool->chosen->count);
    count_classes(pool);
    if (share_out(pool, rules->hold_out, error) != PST_OK)
        return PST_TRY_AGAIN;
    draw(pool, rules->hold_out_seed, PST_RANDOM_HOLD_OUT, 0, !validation);
    return PST_OK;
}

/* Marks the classes that are taken. mask: [classes]. */
static enum pst_status mark_taken(const struct pst_selection_rules *rules, size_t classes, bool *mask,
                                  struct pst_error *error)
{
    memset(mask, rules->only == NULL, classes);
    if (rules->only != NULL && pst_mark_classes(rules->only, classes, true, mask, error) != PST_OK)
        return pst_fail_at(error, "--only-classes");
    if (rules->omit != NULL && pst_mark_classes(rules->omit, classes, false, mask, error) != PST_OK)
        return pst_fail_at(error, "--omit-classes");
    return PST_OK;
}

static enum pst_status take_classes(struct pool *pool, const struct pst_selection_rules *rules,
                                    struct pst_error *error)
{
    if (rules->only == NULL && rules->omit == NULL)
        return PST_OK;
    if (pool->labels->class_of == NULL)
        return pst_fail(error, PST_USAGE,
                        "--only-classes and --omit-classes need labels, and there are none that are "
                        "classes in %s",
                        pool->labels->name);
    bool *mask = pst_allocate(pool->classes, sizeof *mask, error);
    enum pst_status status = mask == NULL ? PST_TRY_AGAIN : mark_taken(rules, pool->classes, mask, error);
    for (uint64_t i = pst_chosen_next(pool->chosen, 0); status == PST_OK && i < pool->chosen->samples;
         i = after(pool, i)) {
        if (!mask[class_of(pool, i)])
            pst_chosen_drop(pool->chosen, i);
    }
    free(mask);
    if (status == PST_OK && pool->chosen->count == 0)
        return pst_fail(error, PST_USAGE, "the classes chosen have no samples");
    return status;
}

static enum pst_status take_share(struct pool *pool, const struct pst_selection_rules *rules,
                                  struct pst_error *error)
{
    if (rules->fraction > 0 && rules->fraction < 1) {
        count_classes(pool);
        for (size_t class = 0; class < pool->classes; class ++) {
            uint64_t quota = (uint64_t)llround(rules->fraction * (double)pool->counts[class]);
            pool->quotas[class] = quota == 0 && pool->counts[class] > 0 ? 1 : quota;
        }
        draw(pool, rules->seed, PST_RANDOM_SELECT, 0, false);
    }
    if (rules->limit > 0 && rules->limit < pool->chosen->count) {
        count_classes(pool);
        if (share_out(pool, rules->limit, error) != PST_OK)
            return PST_TRY_AGAIN;
        draw(pool, rules->seed, PST_RANDOM_SELECT, 1, false);
    }
    return PST_OK;
}

/* Leaves out the samples for which the caller's is_out is true. */
static enum pst_status drop_out(struct pool *pool, struct pst_error *error)
{
    const struct pst_labels *labels = pool->labels;
    for (uint64_t i = 0; i < labels->samples && labels->is_out != NULL; i++)
        if (labels->is_out(labels->labels, i))
            pst_chosen_drop(pool->chosen, i);
    return pool->chosen->count > 0 || labels->is_out == NULL
               ? PST_OK
               : pst_fail(error, PST_USAGE, "the utterances chosen have no samples");
}

static enum pst_status choose_from(struct pool *pool, const struct pst_selection_rules *rules,
                                   struct pst_error *error)
{
    pool->counts = pst_allocate(pool->classes, sizeof *pool->counts, error);
    pool->quotas = pst_allocate(pool->classes, sizeof *pool->quotas, error);
    if (pool->counts == NULL || pool->quotas == NULL)
        return PST_TRY_AGAIN;
    enum pst_status status = pst_chosen_all(pool->chosen, pool->labels->samples, error);
    if (status == PST_OK)
        status = drop_out(pool, error);
    if (status == PST_OK)
        status = take_split(pool, rules, error);
    if (status == PST_OK)
        status = take_classes(pool, rules, error);
    if (status == PST_OK)
        status = take_share(pool, rules, error);
    if (status == PST_OK)
        pst_chosen_count(pool->chosen);
    return status;
}

enum pst_status pst_choose(const struct pst_labels *labels, const struct pst_selection_rules *rules,
                           struct pst_chosen *chosen, struct pst_error *error)
{
    *chosen = (struct pst_chosen){ 0 };
    struct pool pool = { .labels = labels,
                         .chosen = chosen,
                         .classes = labels->class_of != NULL ? labels->classes : 1 };
    enum pst_status status = choose_from(&pool, rules, error);
    free(pool.counts);
    free(pool.quotas);
    if (status != PST_OK)
        pst_chosen_free(chosen);
    return status;
}

/* ---- data sets ----------------------------------------------------------------------------------------- */

struct labelled {
    const int32_t *labels;
    const bool *out; /* NULL: no sample is left out by its sequence */
};

static size_t label_of(const void *labels, uint64_t sample)
{
    return (size_t)((const struct labelled *)labels)->labels[sample];
}

static bool is_out(const void *labels, uint64_t sample)
{
    return ((const struct labelled *)labels)->out[sample];
}

/* Lists what was chosen. */
static enum pst_status list_chosen(struct pst_chosen *chosen, struct pst_selection *selection,
                                   struct pst_error *error)
{
    selection->indices = pst_allocate((size_t)chosen->count, sizeof(size_t), error);
    if (selection->indices == NULL)
        return PST_TRY_AGAIN;
    for (uint64_t i = pst_chosen_next(chosen, 0); i < chosen->samples; i = pst_chosen_next(chosen, i + 1))
        selection->indices[selection->count++] = (size_t)i;
    return PST_OK;
}

enum pst_status pst_select(const struct pst_dataset *dataset, const struct pst_selection_rules *rules,
                           struct pst_selection *selection, struct pst_error *error)
{
    *selection = (struct pst_selection){ 0 };
    bool classed = dataset->label_kind == PST_LABELS_CLASS, *out = NULL;
    enum pst_status status = pst_choose_sequences(dataset, rules, &out, error);
    struct labelled labelled = { .labels = dataset->labels, .out = out };
    struct pst_labels labels = { .name = dataset->name,
                                 .samples = dataset->samples,
                                 .classes = dataset->classes,
                                 .class_of = classed ? label_of : NULL,
                                 .is_out = out != NULL ? is_out : NULL,
                                 .labels = &labelled };
    struct pst_chosen chosen = { 0 };
    if (status == PST_OK)
        status = pst_choose(&labels, rules, &chosen, error);
    if (status == PST_OK)
        status = list_chosen(&chosen, selection, error);
    pst_chosen_free(&chosen);
    free(out);
    return status;
}

void pst_selection_free(struct pst_selection *selection)
{
    free(selection->indices);
    *selection = (struct pst_selection){ 0 };
}

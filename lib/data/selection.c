/*
 * Which samples of a set are taken. Each rule gives every class a quota, and one pass then draws that many of
 * the class's samples (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S), which needs no memory
 * but a bit a sample.
 */
#include "pipestill/data.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What choosing works on. Sets without labels count as one class. */
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

/*
 * Shares `total` out among the classes in proportion to their counts: each gets the whole part of its share,
 * and what is left goes to those with the largest remainders (Hamilton's method), the lower class first.
 */
static void share_out(struct pool *pool, uint64_t total)
{
    uint64_t left = total;
    for (size_t class = 0; class < pool->classes; class ++) {
        uint64_t remainder;
        pool->quotas[class] = scale_down(total, pool->counts[class], pool->chosen->count, &remainder);
        left -= pool->quotas[class];
    }
    /* Fewer than `classes` are left. A class that got one of them is recognised by its quota. */
    for (; left > 0; left--) {
        size_t best = 0;
        uint64_t largest = 0;
        for (size_t class = 0; class < pool->classes; class ++) {
            uint64_t remainder;
            uint64_t whole = scale_down(total, pool->counts[class], pool->chosen->count, &remainder);
            if (pool->quotas[class] == whole && remainder > largest) {
                largest = remainder;
                best = class;
            }
        }
        pool->quotas[best]++;
    }
}

static enum pst_status take_split(struct pool *pool, const struct pst_selection_rules *rules,
                                  struct pst_error *error)
{
    bool validation = rules->split == PST_SPLIT_VALIDATION;
    if (validation && rules->hold_out == 0)
        return pst_fail(error, PST_USAGE, "no samples are held out for validation");
    if (rules->hold_out == 0)
        return PST_OK;
    if (rules->hold_out >= pool->chosen->count)
        return pst_fail(error, PST_USAGE, "%zu samples cannot be held out of %" PRIu64, rules->hold_out,
                        pool->chosen->count);
    count_classes(pool);
    share_out(pool, rules->hold_out);
    draw(pool, rules->hold_out_seed, PST_RANDOM_HOLD_OUT, 0, !validation);
    return PST_OK;
}

static enum pst_status take_classes(struct pool *pool, const struct pst_selection_rules *rules,
                                    struct pst_error *error)
{
    if (rules->class_mask == NULL)
        return PST_OK;
    if (pool->labels->class_of == NULL)
        return pst_fail(error, PST_USAGE, "%s has no labels to choose classes by", pool->labels->name);
    for (uint64_t i = pst_chosen_next(pool->chosen, 0); i < pool->chosen->samples; i = after(pool, i)) {
        if (!rules->class_mask[class_of(pool, i)])
            pst_chosen_drop(pool->chosen, i);
    }
    if (pool->chosen->count == 0)
        return pst_fail(error, PST_USAGE, "the classes chosen have no samples");
    return PST_OK;
}

static void take_share(struct pool *pool, const struct pst_selection_rules *rules)
{
    if (rules->fraction > 0) {
        count_classes(pool);
        for (size_t class = 0; class < pool->classes; class ++) {
            uint64_t quota = (uint64_t)llround(rules->fraction * (double)pool->counts[class]);
            pool->quotas[class] = quota == 0 && pool->counts[class] > 0 ? 1 : quota;
        }
        draw(pool, rules->seed, PST_RANDOM_SELECT, 0, false);
    }
    if (rules->limit > 0 && rules->limit < pool->chosen->count) {
        count_classes(pool);
        share_out(pool, rules->limit);
        draw(pool, rules->seed, PST_RANDOM_SELECT, 1, false);
    }
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
        status = take_split(pool, rules, error);
    if (status == PST_OK)
        status = take_classes(pool, rules, error);
    if (status != PST_OK)
        return status;
    take_share(pool, rules);
    pst_chosen_count(pool->chosen);
    return PST_OK;
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

static size_t label_of(const void *labels, uint64_t sample)
{
    return (size_t)((const int32_t *)labels)[sample];
}

enum pst_status pst_select(const struct pst_dataset *dataset, const struct pst_selection_rules *rules,
                           struct pst_selection *selection, struct pst_error *error)
{
    *selection = (struct pst_selection){ 0 };
    struct pst_labels labels = { .name = dataset->name,
                                 .samples = dataset->samples,
                                 .classes = dataset->classes,
                                 .class_of = dataset->labels != NULL ? label_of : NULL,
                                 .labels = dataset->labels };
    struct pst_chosen chosen;
    enum pst_status status = pst_choose(&labels, rules, &chosen, error);
    if (status != PST_OK)
        return status;
    selection->indices = pst_allocate((size_t)chosen.count, sizeof(size_t), error);
    if (selection->indices != NULL) {
        for (uint64_t i = pst_chosen_next(&chosen, 0); i < chosen.samples;
             i = pst_chosen_next(&chosen, i + 1))
            selection->indices[selection->count++] = (size_t)i;
    }
    pst_chosen_free(&chosen);
    return selection->indices != NULL ? PST_OK : PST_TRY_AGAIN;
}

void pst_selection_free(struct pst_selection *selection)
{
    free(selection->indices);
    *selection = (struct pst_selection){ 0 };
}

/*
 * Which samples of a set are taken. Each rule gives every class a quota, and one pass then draws that many of
 * the class's samples (Knuth, The Art of Computer Programming 2, 3.4.2, algorithm S), which keeps them in
 * ascending order and needs no memory but the list itself.
 */
#include "pipestill/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What selection works on. Sets without labels count as one class. */
struct pool {
    const struct pst_dataset *dataset;
    struct pst_selection *selection;
    size_t classes;
    size_t *counts; /* [classes]: samples of each class in the selection */
    size_t *quotas; /* [classes] */
};

static size_t class_of(const struct pool *pool, size_t index)
{
    return pool->dataset->labels != NULL ? (size_t)pool->dataset->labels[index] : 0;
}

static void count_classes(struct pool *pool)
{
    memset(pool->counts, 0, pool->classes * sizeof *pool->counts);
    for (size_t i = 0; i < pool->selection->count; i++)
        pool->counts[class_of(pool, pool->selection->indices[i])]++;
}

/* Keeps quotas[class] samples of each class, drawn at random; or, with `others`, the rest instead. */
static void draw(struct pool *pool, uint64_t seed, enum pst_random_use use, uint64_t sequence, bool others)
{
    struct pst_random random;
    pst_random_start(&random, seed, use, sequence, 0);
    struct pst_selection *selection = pool->selection;
    size_t kept = 0;
    for (size_t i = 0; i < selection->count; i++) {
        size_t class = class_of(pool, selection->indices[i]);
        bool drawn = pst_random_below(&random, pool->counts[class]) < pool->quotas[class];
        pool->counts[class]--;
        if (drawn)
            pool->quotas[class]--;
        if (drawn != others)
            selection->indices[kept++] = selection->indices[i];
    }
    selection->count = kept;
}

/* total · share / whole and its remainder, without overflow. */
static size_t scale_down(size_t total, size_t share, size_t whole, size_t *remainder)
{
    __extension__ unsigned __int128 product = (unsigned __int128)total * share;
    *remainder = (size_t)(product % whole);
    return (size_t)(product / whole);
}

/*
 * Shares `total` out among the classes in proportion to their counts: each gets the whole part of its share,
 * and what is left goes to those with the largest remainders (Hamilton's method), the lower class first.
 */
static void share_out(struct pool *pool, size_t total)
{
    size_t left = total;
    for (size_t class = 0; class < pool->classes; class ++) {
        size_t remainder;
        pool->quotas[class] = scale_down(total, pool->counts[class], pool->selection->count, &remainder);
        left -= pool->quotas[class];
    }
    /* Fewer than `classes` are left. A class that got one of them is recognised by its quota. */
    for (; left > 0; left--) {
        size_t best = 0, largest = 0;
        for (size_t class = 0; class < pool->classes; class ++) {
            size_t remainder;
            size_t whole = scale_down(total, pool->counts[class], pool->selection->count, &remainder);
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
    if (rules->hold_out >= pool->selection->count)
        return pst_fail(error, PST_USAGE, "%zu samples cannot be held out of %zu", rules->hold_out,
                        pool->selection->count);
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
    if (pool->dataset->labels == NULL)
        return pst_fail(error, PST_USAGE, "%s has no labels to choose classes by", pool->dataset->name);
    struct pst_selection *selection = pool->selection;
    size_t kept = 0;
    for (size_t i = 0; i < selection->count; i++)
        if (rules->class_mask[class_of(pool, selection->indices[i])])
            selection->indices[kept++] = selection->indices[i];
    selection->count = kept;
    if (kept == 0)
        return pst_fail(error, PST_USAGE, "the classes chosen have no samples");
    return PST_OK;
}

static void take_share(struct pool *pool, const struct pst_selection_rules *rules)
{
    if (rules->fraction > 0) {
        count_classes(pool);
        for (size_t class = 0; class < pool->classes; class ++) {
            size_t quota = (size_t)llround(rules->fraction * (double)pool->counts[class]);
            pool->quotas[class] = quota == 0 && pool->counts[class] > 0 ? 1 : quota;
        }
        draw(pool, rules->seed, PST_RANDOM_SELECT, 0, false);
    }
    if (rules->limit > 0 && rules->limit < pool->selection->count) {
        count_classes(pool);
        share_out(pool, rules->limit);
        draw(pool, rules->seed, PST_RANDOM_SELECT, 1, false);
    }
}

static enum pst_status select_from(struct pool *pool, const struct pst_selection_rules *rules,
                                   struct pst_error *error)
{
    pool->counts = pst_allocate(pool->classes, sizeof *pool->counts, error);
    pool->quotas = pst_allocate(pool->classes, sizeof *pool->quotas, error);
    pool->selection->indices = pst_allocate(pool->dataset->samples, sizeof(size_t), error);
    if (pool->counts == NULL || pool->quotas == NULL || pool->selection->indices == NULL)
        return PST_TRY_AGAIN;
    pool->selection->count = pool->dataset->samples;
    for (size_t i = 0; i < pool->dataset->samples; i++)
        pool->selection->indices[i] = i;
    enum pst_status status = take_split(pool, rules, error);
    if (status == PST_OK)
        status = take_classes(pool, rules, error);
    if (status == PST_OK)
        take_share(pool, rules);
    return status;
}

enum pst_status pst_select(const struct pst_dataset *dataset, const struct pst_selection_rules *rules,
                           struct pst_selection *selection, struct pst_error *error)
{
    *selection = (struct pst_selection){ 0 };
    struct pool pool = { .dataset = dataset,
                         .selection = selection,
                         .classes = dataset->labels != NULL ? dataset->classes : 1 };
    enum pst_status status = select_from(&pool, rules, error);
    free(pool.counts);
    free(pool.quotas);
    if (status != PST_OK)
        pst_selection_free(selection);
    return status;
}

void pst_selection_free(struct pst_selection *selection)
{
    free(selection->indices);
    *selection = (struct pst_selection){ 0 };
}

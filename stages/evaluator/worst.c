/* --worst: the samples that are predicted worst, in a heap of bounded size. */
#include "stages/evaluator/evaluator.h"

#include <stdlib.h>

enum pst_status worst_open(struct worst *worst, struct pst_error *error)
{
    if (worst->most == 0)
        return PST_OK;
    worst->list = pst_allocate(worst->most, sizeof *worst->list, error);
    return worst->list != NULL ? PST_OK : PST_TRY_AGAIN;
}

/* Of equally bad samples the earlier one is worse, so the list does not depend on the heap. */
static bool is_worse(const struct worst_sample *a, const struct worst_sample *b)
{
    if (a->rank != b->rank)
        return a->rank > b->rank;
    if (a->loss != b->loss)
        return a->loss > b->loss;
    return a->number < b->number;
}

/* Puts a sample into a free place, and moves it towards the leaves until no better one is below it. */
static void sink_down(struct worst *worst, size_t at, const struct worst_sample *sample)
{
    struct worst_sample *list = worst->list;
    for (size_t child; (child = 2 * at + 1) < worst->count; at = child) {
        if (child + 1 < worst->count && is_worse(&list[child], &list[child + 1]))
            child++;
        if (!is_worse(sample, &list[child]))
            break;
        list[at] = list[child];
    }
    list[at] = *sample;
}

/* The same towards the root. */
static void rise(struct worst *worst, size_t at, const struct worst_sample *sample)
{
    struct worst_sample *list = worst->list;
    for (size_t parent; at > 0; at = parent) {
        parent = (at - 1) / 2;
        if (!is_worse(&list[parent], sample))
            break;
        list[at] = list[parent];
    }
    list[at] = *sample;
}

void worst_add(struct worst *worst, const struct worst_sample *sample)
{
    if (worst->count < worst->most)
        rise(worst, worst->count++, sample);
    else if (is_worse(sample, &worst->list[0]))
        sink_down(worst, 0, sample);
}

/* ---- the report ---------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return is_worse(a, b) ? -1 : 1; /* no two of them have the same number */
}

static void add_sample(const void *scores, size_t row, struct pst_figures *figures)
{
    const struct evaluator *evaluator = scores;
    const struct worst_sample *sample = &evaluator->worst.list[row];
    pst_figures_add(figures, "sample", "sample", PST_FIGURE_COUNT, (double)sample->number);
    if (evaluator->id != PST_NONE)
        pst_figures_add_id(figures, "id", "id", sample->id);
    evaluator->type->describe(sample, figures);
}

void worst_report(struct evaluator *evaluator, struct pst_report *report)
{
    struct worst *worst = &evaluator->worst;
    if (worst->count > 0)
        qsort(worst->list, worst->count, sizeof *worst->list, compare);
    report->worst = (struct pst_rows){
        .key = "worst", .scope = "worst", .count = worst->count, .row = add_sample, .scores = evaluator
    };
}

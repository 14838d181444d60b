/* Combines a generalist and specialists, by EM over groups of classes that the same specialists know. */
#include "pipestill/specialists.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALLEST 0x1p-126 /* counts instead of a probability of 0, so that no network can exclude a class */

enum pst_status pst_combination_start(struct pst_combination *work, size_t classes, size_t most,
                                      struct pst_error *error)
{
    *work = (struct pst_combination){ .classes = classes, .most = most };
    work->sums = pst_allocate(classes, sizeof *work->sums, error);
    work->group_of = pst_allocate(classes, sizeof *work->group_of, error);
    work->members = pst_allocate(classes + 1, sizeof *work->members, error);
    work->split = pst_allocate(classes + 1, sizeof *work->split, error);
    work->stamp = pst_allocate(classes + 1, sizeof *work->stamp, error);
    work->spare = pst_allocate(classes + 1, sizeof *work->spare, error);
    work->knows = pst_allocate(classes + 1, most, error);
    work->mass = pst_allocate(classes + 1, sizeof *work->mass, error);
    work->parts = pst_allocate(classes + 1, sizeof *work->parts, error);
    work->factors = pst_allocate(most, sizeof *work->factors, error);
    return work->sums != NULL && work->group_of != NULL && work->members != NULL && work->split != NULL &&
                   work->stamp != NULL && work->spare != NULL && work->knows != NULL && work->mass != NULL &&
                   work->parts != NULL && work->factors != NULL
               ? PST_OK
               : PST_TRY_AGAIN;
}

void pst_combination_free(struct pst_combination *work)
{
    free(work->sums);
    free(work->group_of);
    free(work->members);
    free(work->split);
    free(work->stamp);
    free(work->spare);
    free(work->knows);
    free(work->mass);
    free(work->parts);
    free(work->factors);
    *work = (struct pst_combination){ 0 };
}

/* ---- groups -------------------------------------------------------------------------------------------- */

/* The group for those classes of a group that an opinion knows. It is made at the first of them, in the
 * place of an empty group if there is one. */
static uint32_t split_group(struct pst_combination *work, uint32_t group, size_t opinion, uint32_t stamp)
{
    if (work->stamp[group] != stamp) {
        uint32_t new = work->spares > 0 ? work->spare[--work->spares] : (uint32_t)work->groups++;
        memcpy(work->knows + new * work->most, work->knows + group * work->most, work->most);
        work->knows[new * work->most + opinion] = 1;
        work->members[new] = 0;
        work->stamp[new] = 0;
        work->stamp[group] = stamp;
        work->split[group] = new;
    }
    return work->split[group];
}

/* Divides classes into groups: at first all are in one; each opinion splits off those that it knows. */
static void find_groups(struct pst_combination *work, const struct pst_opinion *opinions, size_t count)
{
    memset(work->group_of, 0, work->classes * sizeof *work->group_of);
    memset(work->knows, 0, work->most);
    work->members[0] = (uint32_t)work->classes;
    work->stamp[0] = 0;
    work->groups = 1;
    work->spares = 0;
    for (size_t m = 0; m < count; m++)
        for (size_t i = 0; i < opinions[m].count; i++) {
            uint32_t class = opinions[m].classes[i], old = work->group_of[class];
            uint32_t new = split_group(work, old, m, (uint32_t)m + 1);
            work->group_of[class] = new;
            work->members[new]++;
            if (--work->members[old] == 0)
                work->spare[work->spares++] = old;
        }
}

/* ---- steps --------------------------------------------------------------------------------------------- */

/* Adds up what stays the same in all steps: the generalist's probability of each class, and those of the
 * specialists that know it. */
static void add_up(struct pst_combination *work, const float *generalist, const struct pst_opinion *opinions,
                   size_t count)
{
    for (size_t i = 0; i < work->classes; i++)
        work->sums[i] = generalist[i] > 0 ? (double)generalist[i] : SMALLEST;
    for (size_t m = 0; m < count; m++)
        for (size_t i = 0; i < opinions[m].count; i++)
            work->sums[opinions[m].classes[i]] += (double)opinions[m].probabilities[i];
    memset(work->parts, 0, work->groups * sizeof *work->parts);
    for (size_t i = 0; i < work->classes; i++)
        work->parts[work->group_of[i]] += work->sums[i];
}

/* A step over the groups. Returns the sum of the changes. */
static double step(struct pst_combination *work, const struct pst_opinion *opinions, size_t count)
{
    double change = 0;
    for (size_t m = 0; m < count; m++) {
        double dustbin = 0;
        for (size_t g = 0; g < work->groups; g++)
            dustbin += work->knows[g * work->most + m] ? 0 : work->mass[g];
        work->factors[m] = opinions[m].dustbin > 0 && dustbin > 0 ? opinions[m].dustbin / dustbin : 0;
    }
    for (size_t g = 0; g < work->groups; g++) {
        double factor = 0;
        for (size_t m = 0; m < count; m++)
            factor += work->knows[g * work->most + m] ? 0 : work->factors[m];
        double mass = (work->parts[g] + work->mass[g] * factor) / (double)(count + 1);
        change += fabs(mass - work->mass[g]);
        work->mass[g] = mass;
    }
    return change;
}

/* Whether a specialist's probabilities are the generalist's, to the bit. */
static bool agrees(const struct pst_opinion *opinion, const float *generalist, size_t classes)
{
    double others = 0;
    size_t next = 0;
    for (size_t i = 0; i < classes; i++) {
        if (next == opinion->count || opinion->classes[next] != i)
            others += (double)generalist[i];
        else if (opinion->probabilities[next++] != generalist[i])
            return false;
    }
    return others == opinion->dustbin;
}

static size_t iterate(struct pst_combination *work, const struct pst_opinion *opinions, size_t count,
                      double tolerance)
{
    double sum = 0;
    size_t steps = 0;
    for (size_t g = 0; g < work->groups; g++)
        sum += work->parts[g];
    for (size_t g = 0; g < work->groups; g++)
        work->mass[g] = work->parts[g] / sum;
    while (steps++ < PST_COMBINATION_MOST_STEPS)
        if (step(work, opinions, count) <= tolerance)
            return steps;
    return steps;
}

size_t pst_combine(struct pst_combination *work, const float *generalist, const struct pst_opinion *opinions,
                   size_t count, double tolerance, float *combined)
{
    size_t agreed = 0;
    while (agreed < count && agrees(&opinions[agreed], generalist, work->classes))
        agreed++;
    if (agreed == count) {
        memcpy(combined, generalist, work->classes * sizeof *combined);
        return 0;
    }
    find_groups(work, opinions, count);
    add_up(work, generalist, opinions, count);
    size_t steps = iterate(work, opinions, count, tolerance);
    double sum = 0;
    for (size_t g = 0; g < work->groups; g++)
        sum += work->mass[g];
    for (size_t g = 0; g < work->groups; g++)
        work->mass[g] /= work->parts[g] > 0 ? work->parts[g] * sum : 1;
    for (size_t i = 0; i < work->classes; i++)
        combined[i] = (float)(work->sums[i] * work->mass[work->group_of[i]]);
    return steps;
}

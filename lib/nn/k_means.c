/* K-means, Lloyd's and the online one, and sets of a bounded size around its centres. */
#include "pipestill/class_sets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run of K-means: its settings, and what it works with. */
struct clustering {
    const struct pst_k_means *how;
    const double *points; /* [count, size] */
    size_t count, size;
    double *centres;   /* [clusters, size] */
    double *distances; /* [count]: of each point to its centre, squared; owned */
    size_t *cluster;   /* [count]: of each point; owned */
    size_t *members;   /* [clusters]; owned */
    size_t *order;     /* [count]: of the points in a round; owned */
    struct pst_random random;
};

static double distance_of(const double *a, const double *b, size_t size)
{
    double sums[4] = { 0 };
    size_t i = 0;
    for (; i + 4 <= size; i += 4)
        for (size_t k = 0; k < 4; k++)
            sums[k] += (a[i + k] - b[i + k]) * (a[i + k] - b[i + k]);
    for (; i < size; i++)
        sums[0] += (a[i] - b[i]) * (a[i] - b[i]);
    return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

static void copy_point(struct clustering *run, size_t point, size_t centre)
{
    memcpy(run->centres + centre * run->size, run->points + point * run->size, run->size * sizeof(double));
}

/* ---- the first centres --------------------------------------------------------------------------------- */

/* Draws a point, with a probability proportional to its squared distance from the nearest centre so far; if
 * all points are centres, gives the next one. */
static size_t draw_point(struct clustering *run, size_t next)
{
    double sum = 0;
    for (size_t i = 0; i < run->count; i++)
        sum += run->distances[i];
    double left = pst_random_uniform(&run->random) * sum;
    for (size_t i = 0; i < run->count && sum > 0; i++) {
        left -= run->distances[i];
        if (left < 0)
            return i;
    }
    return next;
}

/* k-means++ (Arthur and Vassilvitskii 2007). */
static void begin(struct clustering *run)
{
    copy_point(run, (size_t)pst_random_below(&run->random, run->count), 0);
    for (size_t i = 0; i < run->count; i++)
        run->distances[i] = INFINITY;
    for (size_t k = 1; k < run->how->clusters; k++) {
        const double *last = run->centres + (k - 1) * run->size;
        for (size_t i = 0; i < run->count; i++)
            run->distances[i] =
                fmin(run->distances[i], distance_of(run->points + i * run->size, last, run->size));
        copy_point(run, draw_point(run, k), k);
    }
}

/* ---- rounds -------------------------------------------------------------------------------------------- */

/* The centre nearest to a point; of equally near ones the first. */
static size_t nearest(const struct clustering *run, size_t point, double *distance)
{
    size_t best = 0;
    *distance = INFINITY;
    for (size_t k = 0; k < run->how->clusters; k++) {
        double away = distance_of(run->points + point * run->size, run->centres + k * run->size, run->size);
        if (away < *distance) {
            *distance = away;
            best = k;
        }
    }
    return best;
}

/* Gives an empty cluster the point that is farthest from its centre, among those that do not stand alone. */
static void fill_cluster(struct clustering *run, size_t cluster)
{
    size_t farthest = run->count;
    for (size_t i = 0; i < run->count; i++)
        if (run->members[run->cluster[i]] > 1 &&
            (farthest == run->count || run->distances[i] > run->distances[farthest]))
            farthest = i;
    run->members[run->cluster[farthest]]--;
    run->members[cluster] = 1;
    run->cluster[farthest] = cluster;
    run->distances[farthest] = 0;
    copy_point(run, farthest, cluster);
}

/* Assigns every point to its nearest centre. Returns whether any point changed its cluster. */
static bool assign(struct clustering *run)
{
    bool changed = false;
    memset(run->members, 0, run->how->clusters * sizeof *run->members);
    for (size_t i = 0; i < run->count; i++) {
        size_t cluster = nearest(run, i, &run->distances[i]);
        changed = changed || cluster != run->cluster[i];
        run->cluster[i] = cluster;
        run->members[cluster]++;
    }
    for (size_t k = 0; k < run->how->clusters; k++)
        if (run->members[k] == 0)
            fill_cluster(run, k);
    return changed;
}

/* Makes every centre the mean of its points. */
static void move_centres(struct clustering *run)
{
    memset(run->centres, 0, run->how->clusters * run->size * sizeof(double));
    for (size_t i = 0; i < run->count; i++)
        for (size_t c = 0; c < run->size; c++)
            run->centres[run->cluster[i] * run->size + c] += run->points[i * run->size + c];
    for (size_t k = 0; k < run->how->clusters; k++)
        for (size_t c = 0; c < run->size; c++)
            run->centres[k * run->size + c] /= (double)run->members[k];
}

/* Goes through all points once, in a random order; the nearest centre of each becomes the mean of all points
 * that it got so far. seen: [clusters], how many it got. */
static void show_points(struct clustering *run, uint64_t *seen)
{
    for (size_t i = run->count; i > 1; i--) {
        size_t other = (size_t)pst_random_below(&run->random, i), kept = run->order[i - 1];
        run->order[i - 1] = run->order[other];
        run->order[other] = kept;
    }
    for (size_t i = 0; i < run->count; i++) {
        double distance;
        size_t point = run->order[i], cluster = nearest(run, point, &distance);
        double share = 1 / (double)++seen[cluster];
        for (size_t c = 0; c < run->size; c++) {
            double *centre = &run->centres[cluster * run->size + c];
            *centre += (run->points[point * run->size + c] - *centre) * share;
        }
    }
}

static enum pst_status run_rounds(struct clustering *run, bool *settled, struct pst_error *error)
{
    uint64_t *seen = pst_allocate(run->how->clusters, sizeof *seen, error);
    if (seen == NULL)
        return PST_TRY_AGAIN;
    for (size_t k = 0; k < run->how->clusters; k++)
        seen[k] = 1;
    for (size_t i = 0; i < run->count; i++) {
        run->cluster[i] = SIZE_MAX;
        run->order[i] = i;
    }
    begin(run);
    *settled = false;
    for (size_t round = 0; round < run->how->rounds && !*settled; round++) {
        if (!run->how->lloyd)
            show_points(run, seen);
        *settled = !assign(run);
        if (!*settled && run->how->lloyd)
            move_centres(run);
    }
    free(seen);
    return PST_OK;
}

enum pst_status pst_k_means(const struct pst_k_means *how, const double *points, size_t count, size_t size,
                            double *centres, bool *settled, struct pst_error *error)
{
    struct clustering run = {
        .how = how, .points = points, .count = count, .size = size, .centres = centres
    };
    run.distances = pst_allocate(count, sizeof *run.distances, error);
    run.cluster = pst_allocate(count, sizeof *run.cluster, error);
    run.members = pst_allocate(how->clusters, sizeof *run.members, error);
    run.order = pst_allocate(count, sizeof *run.order, error);
    bool whole = run.distances != NULL && run.cluster != NULL && run.members != NULL && run.order != NULL;
    pst_random_start(&run.random, how->seed, PST_RANDOM_K_MEANS, 0, 0);
    enum pst_status status = whole ? run_rounds(&run, settled, error) : PST_TRY_AGAIN;
    free(run.distances);
    free(run.cluster);
    free(run.members);
    free(run.order);
    return status;
}

/* ---- sets ---------------------------------------------------------------------------------------------- */

/* A point and a centre. */
struct near {
    double distance;
    size_t point, centre;
};

static int by_distance(const void *left, const void *right)
{
    const struct near *a = left, *b = right;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    if (a->point != b->point)
        return a->point < b->point ? -1 : 1;
    return (a->centre > b->centre) - (a->centre < b->centre);
}

/* Goes through all pairs, the nearest first. only_once: a point goes into one set. */
static void take_nearest(const struct near *pairs, size_t pair_count, size_t count, size_t most,
                         bool only_once, bool *placed, size_t *members, bool *sets)
{
    for (size_t i = 0; i < pair_count; i++) {
        const struct near *pair = &pairs[i];
        bool *in = &sets[pair->centre * count + pair->point];
        if (*in || members[pair->centre] == most || (only_once && placed[pair->point]))
            continue;
        *in = placed[pair->point] = true;
        members[pair->centre]++;
    }
}

enum pst_status pst_class_sets(const double *points, size_t count, size_t size, const double *centres,
                               size_t clusters, size_t most, bool fill, bool *sets, struct pst_error *error)
{
    size_t pair_count = 0;
    struct near *pairs = pst_allocate(count, clusters * sizeof *pairs, error);
    bool *placed = pst_allocate(count, sizeof *placed, error);
    size_t *members = pst_allocate(clusters, sizeof *members, error);
    bool whole = pairs != NULL && placed != NULL && members != NULL;
    for (size_t i = 0; i < count && whole; i++)
        for (size_t k = 0; k < clusters; k++)
            pairs[pair_count++] =
                (struct near){ distance_of(points + i * size, centres + k * size, size), i, k };
    if (whole) {
        qsort(pairs, pair_count, sizeof *pairs, by_distance);
        memset(sets, 0, clusters * count * sizeof *sets);
        take_nearest(pairs, pair_count, count, most, true, placed, members, sets);
        if (fill)
            take_nearest(pairs, pair_count, count, most, false, placed, members, sets);
    }
    free(pairs);
    free(placed);
    free(members);
    return whole ? PST_OK : PST_TRY_AGAIN;
}

/* Finds, from a student's predictions, the biases of classes that its transfer set taught it wrongly. */
#include "pipestill/nn.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- fewest errors ------------------------------------------------------------------------------------- */

/* A sample's prediction changes from the best of the other classes to the best of the free ones when the
 * shift passes `at`; this adds `gain` errors. */
struct change {
    double at;
    int gain;
};

static int by_place(const void *left, const void *right)
{
    double a = ((const struct change *)left)->at, b = ((const struct change *)right)->at;
    return (a > b) - (a < b);
}

static struct change find_change(const struct pst_class_bias_problem *problem, size_t sample, int32_t label)
{
    const float *row = problem->scores + sample * problem->classes;
    double best[2] = { -INFINITY, -INFINITY }; /* of the other classes, of the free ones */
    size_t class[2] = { 0, 0 };
    for (size_t j = 0; j < problem->classes; j++) {
        bool is_free = problem->free[j];
        if ((double)row[j] > best[is_free]) {
            best[is_free] = (double)row[j];
            class[is_free] = j;
        }
    }
    return (struct change){ best[0] - best[1], (class[1] != (size_t)label) - (class[0] != (size_t)label) };
}

/* The middle of the interval with fewest errors. Changes at the same place count together. */
static double best_shift(const struct change *changes, size_t count)
{
    long errors = 0, fewest = 0; /* compared with a shift of -∞ */
    double begin = -INFINITY, end = changes[0].at;
    for (size_t i = 0; i < count; i++) {
        errors += changes[i].gain;
        if (i + 1 < count && changes[i + 1].at == changes[i].at)
            continue;
        double next = i + 1 < count ? changes[i + 1].at : INFINITY;
        if (errors < fewest || (errors == fewest && next - changes[i].at > end - begin && isfinite(next))) {
            fewest = errors;
            begin = changes[i].at;
            end = next;
        }
    }
    if (isinf(begin))
        return end - 1;
    return isinf(end) ? begin + 1 : (begin + end) / 2;
}

enum pst_status pst_class_bias_fewest_errors(const struct pst_class_bias_problem *problem,
                                             const int32_t *labels, double *shift, struct pst_error *error)
{
    *shift = 0;
    for (size_t j = 0; j <= problem->classes; j++) {
        if (j == problem->classes)
            return PST_OK; /* a shift of all classes changes no prediction */
        if (!problem->free[j])
            break;
    }
    struct change *changes = pst_allocate(problem->samples, sizeof *changes, error);
    if (changes == NULL)
        return PST_TRY_AGAIN;
    for (size_t i = 0; i < problem->samples; i++)
        changes[i] = find_change(problem, i, labels[i]);
    qsort(changes, problem->samples, sizeof *changes, by_place);
    *shift = best_shift(changes, problem->samples);
    free(changes);
    return PST_OK;
}

/* ---- a given mass -------------------------------------------------------------------------------------- */

#define MOST_ROUNDS 5000
#define CLOSE_ENOUGH 1e-7 /* of the whole mass */

static enum pst_status check_mass(const struct pst_class_bias_problem *problem, const double *mass,
                                  struct pst_error *error)
{
    double sum = 0;
    bool all_free = true;
    for (size_t j = 0; j < problem->classes; j++) {
        all_free = all_free && problem->free[j];
        if (!problem->free[j])
            continue;
        if (!(mass[j] > 0))
            return pst_fail(error, PST_BAD_DATA, "class %zu is to have no mass at all, which no bias can do",
                            j);
        sum += mass[j];
    }
    if (sum > 1 + 1e-6 || (!all_free && sum >= 1 - 1e-9))
        return pst_fail(error, PST_BAD_DATA,
                        "the classes with a free bias are to have all of the mass, which no bias can do");
    return PST_OK;
}

/* Adds up the probabilities of each class over the samples, by softmax with the biases. sums: [classes]. */
static void add_up(const struct pst_class_bias_problem *problem, const double *bias, double *p, double *sums)
{
    size_t classes = problem->classes;
    memset(sums, 0, classes * sizeof *sums);
    for (size_t i = 0; i < problem->samples; i++) {
        const float *row = problem->scores + i * classes;
        double largest = -INFINITY, sum = 0;
        for (size_t j = 0; j < classes; j++)
            largest = fmax(largest, (double)row[j] + bias[j]);
        for (size_t j = 0; j < classes; j++)
            sum += p[j] = exp((double)row[j] + bias[j] - largest);
        for (size_t j = 0; j < classes; j++)
            sums[j] += p[j] / sum;
    }
}

enum pst_status pst_class_bias_match_mass(const struct pst_class_bias_problem *problem, const double *mass,
                                          double *bias, struct pst_error *error)
{
    size_t classes = problem->classes;
    memset(bias, 0, classes * sizeof *bias);
    if (check_mass(problem, mass, error) != PST_OK)
        return PST_BAD_DATA;
    double *p = pst_allocate(2 * classes, sizeof *p, error);
    if (p == NULL)
        return PST_TRY_AGAIN;
    double *sums = p + classes, gap = 1;
    for (size_t round = 0; round < MOST_ROUNDS && gap > CLOSE_ENOUGH; round++) {
        add_up(problem, bias, p, sums);
        gap = 0;
        for (size_t j = 0; j < classes; j++) {
            if (!problem->free[j])
                continue;
            double share = fmax(sums[j] / (double)problem->samples, DBL_MIN);
            gap = fmax(gap, fabs(share - mass[j]));
            bias[j] += log(mass[j] / share);
        }
    }
    free(p);
    return PST_OK;
}

/* Naive Bayes estimation (Lowd and Domingos 2005): a mixture of components in which columns are independent,
 * numbers normal and categories multinomial, fitted by EM. */
#include "stages/munge/munge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ROUNDS 100
#define ENOUGH 1e-4       /* EM ends if the mean log-likelihood of a row rises by less */
#define LEAST_SPREAD 1e-3 /* of a number's range: no component shrinks to a point */
#define LEAST_WEIGHT 1e-3 /* rows: a component with less than this of all rows is not fitted any more */

void free_mixture(struct mixture *mixture)
{
    free(mixture->weights);
    free(mixture->means);
    free(mixture->spreads);
}

/* The smallest deviation of a number; 0 if the column is constant. */
static double least_spread(const struct column *column)
{
    return LEAST_SPREAD * column->range;
}

/* Log of a component's density of a row, with its weight. */
static double log_density(const struct munge *self, size_t k, const float *row)
{
    const struct table *table = &self->table;
    const double *means = self->mixture.means + k * table->width,
                 *spreads = self->mixture.spreads + k * table->width;
    double sum = log(self->mixture.weights[k]);
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];
        size_t category = column->category ? category_of(table, column, row) : 0;
        if (column->category && category < column->count)
            sum += log(means[column->at + category]);
        else if (!column->category && column->range > 0) {
            double away = ((double)row[column->at] - means[column->at]) / spreads[column->at];
            sum -= 0.5 * away * away + log(spreads[column->at] / column->range);
        }
    }
    return sum;
}

/* Each row's shares of the components. Returns the mean log-likelihood. */
static double expect(const struct munge *self, double *shares)
{
    size_t components = self->mixture.components;
    double likelihood = 0;
    for (size_t i = 0; i < self->table.count; i++) {
        double *share = shares + i * components, largest = -INFINITY, sum = 0;
        for (size_t k = 0; k < components; k++) {
            share[k] = log_density(self, k, self->table.rows + i * self->table.width);
            largest = fmax(largest, share[k]);
        }
        for (size_t k = 0; k < components; k++)
            sum += share[k] = exp(share[k] - largest);
        for (size_t k = 0; k < components; k++)
            share[k] /= sum;
        likelihood += largest + log(sum);
    }
    return likelihood / (double)self->table.count;
}

/* The mean and deviation of a number, or the probabilities of a category, in one component. One row is added
 * to the counts, spread evenly over the categories, so none has probability 0. */
static void fit_column(const struct munge *self, const struct column *column, const double *shares, size_t k,
                       double weight)
{
    const struct table *table = &self->table;
    size_t components = self->mixture.components;
    double *means = self->mixture.means + k * table->width + column->at,
           *spread = self->mixture.spreads + k * table->width + column->at, square = 0;
    for (size_t e = 0; e < column->count; e++)
        means[e] = column->category ? 1 / (double)column->count : 0;
    for (size_t i = 0; i < table->count; i++) {
        const float *row = table->rows + i * table->width;
        double share = shares[i * components + k];
        size_t category = column->category ? category_of(table, column, row) : 0;
        if (!column->category)
            means[0] += share * (double)row[column->at];
        else if (category < column->count)
            means[category] += share;
    }
    for (size_t e = 0; e < column->count; e++)
        means[e] /= weight + (column->category ? 1 : 0);
    for (size_t i = 0; i < table->count && !column->category; i++) {
        double away = (double)table->rows[i * table->width + column->at] - means[0];
        square += shares[i * components + k] * away * away;
    }
    *spread = fmax(sqrt(square / weight), least_spread(column));
}

/* Fits the components. One with too little weight keeps its parameters, with almost no weight. */
static void maximise(const struct munge *self, const double *shares)
{
    const struct table *table = &self->table;
    const struct mixture *mixture = &self->mixture;
    for (size_t k = 0; k < mixture->components; k++) {
        double weight = 0;
        for (size_t i = 0; i < table->count; i++)
            weight += shares[i * mixture->components + k];
        mixture->weights[k] = fmax(weight, LEAST_WEIGHT) / (double)table->count;
        for (size_t c = 0; c < table->column_count && weight >= LEAST_WEIGHT; c++)
            fit_column(self, &table->columns[c], shares, k, weight);
    }
}

/* Gives the rows to the components at random, as a start. */
static void deal(const struct munge *self, double *shares)
{
    size_t components = self->mixture.components;
    struct pst_random random;
    memset(shares, 0, self->table.count * components * sizeof *shares);
    for (size_t i = 0; i < self->table.count; i++) {
        pst_random_start(&random, self->seed, PST_RANDOM_MUNGE + 1, 0, i);
        size_t k = i < components ? i : (size_t)pst_random_below(&random, components);
        for (size_t other = 0; other < components; other++)
            shares[i * components + other] = other == k ? 0.9 : 0.1 / (double)components;
    }
}

enum pst_status fit_mixture(struct munge *self, struct pst_error *error)
{
    struct mixture *mixture = &self->mixture;
    size_t width = self->table.width;
    mixture->components = self->components < self->table.count ? self->components : self->table.count;
    mixture->weights = pst_allocate(mixture->components, sizeof *mixture->weights, error);
    mixture->means = pst_allocate(mixture->components, width * sizeof *mixture->means, error);
    mixture->spreads = pst_allocate(mixture->components, width * sizeof *mixture->spreads, error);
    double *shares = pst_allocate(self->table.count, mixture->components * sizeof *shares, error);
    bool whole =
        mixture->weights != NULL && mixture->means != NULL && mixture->spreads != NULL && shares != NULL;
    double before = -INFINITY;
    if (whole)
        deal(self, shares);
    for (size_t round = 0; round < MOST_ROUNDS && whole; round++) {
        maximise(self, shares);
        double now = expect(self, shares);
        if (now - before < ENOUGH)
            break;
        before = now;
    }
    free(shares);
    return whole ? PST_OK : PST_TRY_AGAIN;
}

/* ---- drawing ------------------------------------------------------------------------------------------- */

/* One of several, by weights that need not sum to 1. */
static size_t draw_one(struct pst_random *random, const double *weights, size_t count)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += weights[k];
    double left = pst_random_uniform(random) * sum;
    size_t k = 0;
    while (k + 1 < count && (left -= weights[k]) >= 0)
        k++;
    return k;
}

/* Writes a category: copies its elements, which may be standardised, from a row of the table with it. */
static void write_category(const struct table *table, const struct column *column, size_t category,
                           float *row)
{
    for (size_t i = 0; i < table->count; i++) {
        const float *from = table->rows + i * table->width;
        if (category_of(table, column, from) != category)
            continue;
        memcpy(row + column->at, from + column->at, column->count * sizeof *row);
        return;
    }
    memcpy(row + column->at, table->rows + column->at, column->count * sizeof *row);
}

void draw_from_mixture(const struct munge *self, struct pst_random *random, float *row)
{
    const struct table *table = &self->table;
    const struct mixture *mixture = &self->mixture;
    size_t k = draw_one(random, mixture->weights, mixture->components);
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];
        const double *mean = mixture->means + k * table->width + column->at;
        double spread = mixture->spreads[k * table->width + column->at];
        if (column->category)
            write_category(table, column, draw_one(random, mean, column->count), row);
        else if (column->range > 0)
            row[column->at] = as_number(*mean + spread * pst_random_normal(random));
        else
            row[column->at] = table->rows[column->at];
    }
}

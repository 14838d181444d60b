/* The methods that make rows: MUNGE, AutoGluon's variant of it, and columns drawn from the table. */
#include "stages/munge/munge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- neighbours ---------------------------------------------------------------------------------------- */

#define FAR 1e15 /* ranges: a number that is farther off counts as this far, so that squares fit into f32 */

/* Writes the row in the form for distances: numbers on [0, 1], and categories so that two different ones add
 * 1 to the square. */
static void code_row(struct munge *self, const float *row, size_t place)
{
    const struct table *table = &self->table;
    float *to = self->neighbours.rows + place * table->width;
    memset(to, 0, table->width * sizeof *to);
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];
        size_t category = column->category ? category_of(table, column, row) : 0;
        if (column->category && category < column->count)
            to[column->at + category] = (float)sqrt(0.5);
        else if (!column->category && column->range > 0)
            to[column->at] =
                (float)fmin(fmax(((double)row[column->at] - column->least) / column->range, -FAR), FAR);
    }
}

static void code_table(struct munge *self)
{
    for (size_t i = 0; i < self->table.count; i++)
        code_row(self, self->table.rows + i * self->table.width, i);
    pst_neighbours_filled(&self->neighbours);
}

enum pst_status begin_method(struct munge *self, struct pst_error *error)
{
    const struct table *table = &self->table;
    bool near = self->method == METHOD_MUNGE || self->method == METHOD_AUTOGLUON;
    if (near && table->count < 2)
        return pst_fail(error, PST_BAD_DATA, "a table of one row has no neighbours to mix it with");
    self->made = pst_allocate(table->count, table->width * sizeof *self->made, error);
    if (self->made == NULL)
        return PST_TRY_AGAIN;
    if (self->method == METHOD_NBE)
        return fit_mixture(self, error);
    if (!near)
        return PST_OK;
    enum pst_status status = pst_neighbours_start(&self->neighbours, table->count, table->width, error);
    if (status != PST_OK || self->method != METHOD_AUTOGLUON)
        return status;
    self->nearest = pst_allocate(table->count, sizeof *self->nearest, error);
    if (self->nearest == NULL)
        return PST_TRY_AGAIN;
    code_table(self);
    for (size_t i = 0; i < table->count; i++)
        self->nearest[i] = pst_neighbours_nearest(&self->neighbours, i);
    return PST_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------------- */

/* Draws a normal number around `mean`; its deviation is the difference of both, divided by --spread. */
static float draw_near(const struct munge *self, struct pst_random *random, double mean, double other)
{
    return as_number(mean + fabs(mean - other) / self->spread * pst_random_normal(random));
}

/* MUNGE: both partners change. Both new numbers are drawn from the old ones. */
static void mix_both(const struct munge *self, struct pst_random *random, float *row, float *partner)
{
    for (size_t c = 0; c < self->table.column_count; c++) {
        const struct column *column = &self->table.columns[c];
        if (pst_random_uniform(random) >= self->probability)
            continue;
        if (!column->category) {
            double a = (double)row[column->at], b = (double)partner[column->at];
            row[column->at] = draw_near(self, random, b, a);
            partner[column->at] = draw_near(self, random, a, b);
        }
        for (size_t k = column->at; column->category && k < column->at + column->count; k++) {
            float kept = row[k];
            row[k] = partner[k];
            partner[k] = kept;
        }
    }
}

static void munge_pass(struct munge *self)
{
    const struct table *table = &self->table;
    struct pst_random random;
    memcpy(self->made, table->rows, table->count * table->width * sizeof *self->made);
    code_table(self);
    for (size_t i = 0; i < table->count; i++) {
        size_t partner = pst_neighbours_nearest(&self->neighbours, i);
        float *a = self->made + i * table->width, *b = self->made + partner * table->width;
        pst_random_start(&random, self->seed, PST_RANDOM_MUNGE, self->pass, i);
        mix_both(self, &random, a, b);
        code_row(self, a, i);
        code_row(self, b, partner);
        pst_neighbours_changed(&self->neighbours, i);
        pst_neighbours_changed(&self->neighbours, partner);
    }
}

/* AutoGluon's variant: neighbours are rows of the table, and only the row itself changes. */
static void mix_one(const struct munge *self, struct pst_random *random, const float *partner, float *row)
{
    for (size_t c = 0; c < self->table.column_count; c++) {
        const struct column *column = &self->table.columns[c];
        if (pst_random_uniform(random) >= self->probability)
            continue;
        if (column->category)
            memcpy(row + column->at, partner + column->at, column->count * sizeof *row);
        else
            row[column->at] = draw_near(self, random, (double)partner[column->at], (double)row[column->at]);
    }
}

/* RANDOM: each column comes from another row of the table, drawn at random. */
static void draw_columns(const struct munge *self, struct pst_random *random, float *row)
{
    const struct table *table = &self->table;
    for (size_t c = 0; c < table->column_count; c++) {
        const struct column *column = &table->columns[c];
        const float *from = table->rows + (size_t)pst_random_below(random, table->count) * table->width;
        memcpy(row + column->at, from + column->at, column->count * sizeof *row);
    }
}

static void make_row(const struct munge *self, struct pst_random *random, size_t i)
{
    size_t width = self->table.width;
    float *row = self->made + i * width;
    if (self->method == METHOD_AUTOGLUON) {
        memcpy(row, self->table.rows + i * width, width * sizeof *row);
        mix_one(self, random, self->table.rows + self->nearest[i] * width, row);
    } else if (self->method == METHOD_RANDOM) {
        draw_columns(self, random, row);
    } else {
        draw_from_mixture(self, random, row);
    }
}

void make_pass(struct munge *self)
{
    struct pst_random random;
    if (self->method == METHOD_MUNGE) {
        munge_pass(self);
        return;
    }
    for (size_t i = 0; i < self->table.count; i++) {
        pst_random_start(&random, self->seed, PST_RANDOM_MUNGE, self->pass, i);
        make_row(self, &random, i);
    }
}

/* Bias, activation and dropout. ReLU behind a bias has kernels that do two of the three at once. */
#include "lib/nn/layers/finish.h"

#include "lib/nn/kernels.h"
#include "lib/nn/kernels/products.h"
#include "lib/nn/plain.h"

#include <string.h>

static bool is_relu(const struct pst_finish *finish)
{
    return finish->activation == &pst_activation_relu;
}

static bool drops(const struct pst_finish *finish, const struct pst_pass *pass)
{
    return pass->training && finish->number > 0 && pass->dropout.hidden > 0;
}

bool pst_take_activation(struct pst_taken_activation *taken, const struct pst_activation *activation,
                         double slope)
{
    if (taken->activation != NULL || activation == &pst_activation_none)
        return taken->activation == NULL;
    *taken = (struct pst_taken_activation){ activation, slope };
    return true;
}

void pst_taken_describe(const struct pst_taken_activation *taken, FILE *text)
{
    if (taken->activation == NULL)
        return;
    fputc('-', text);
    pst_activation_describe(taken->activation, taken->slope, text);
}

bool pst_use_activation(struct pst_use *use, const struct pst_activation *activation)
{
    use->relu = activation == &pst_activation_relu;
    return use->relu || activation == NULL || activation == &pst_activation_none;
}

/* ReLU needs no inputs: its outputs show its slope, even if units were dropped. */
size_t pst_finish_memory(const struct pst_finish *finish)
{
    return finish->activation == NULL || is_relu(finish) ? 0 : finish->width;
}

bool pst_finish_is_simple(const struct pst_finish *finish, const struct pst_pass *pass, bool *relu)
{
    *relu = is_relu(finish);
    return (finish->activation == NULL || *relu) && finish->spread <= 1 && !drops(finish, pass);
}

static void add_bias(const struct pst_finish *finish, const float *bias, float *row)
{
    if (finish->spread > 1)
        pst_kernel_spread_bias(row, bias, finish->width / finish->spread, finish->spread);
    else
        pst_kernel_bias(row, bias, 1, finish->width);
}

/* Bias and activation of one row. */
static void finish_row(const struct pst_finish *finish, const float *bias, float *row, float *kept)
{
    if (is_relu(finish) && bias != NULL && finish->spread <= 1) {
        pst_kernel_bias_relu(row, bias, 1, finish->width);
        return;
    }
    if (bias != NULL)
        add_bias(finish, bias, row);
    if (kept != NULL)
        memcpy(kept, row, finish->width * sizeof *kept);
    if (finish->activation != NULL)
        finish->activation->forward(row, finish->width, (float)finish->slope);
}

/* What rounds share. Some rounds take samples of their own, others columns. */
struct work {
    const struct pst_finish *finish;
    const struct pst_pass *pass;
    const float *bias, *outputs, *kept;
    float *values, *keep, *sums; /* values: or their gradient */
    struct pst_drop drop;
    bool dropping;
    size_t rounds;
};

static struct work work_of(const struct pst_finish *finish, const struct pst_pass *pass, float *values)
{
    struct work work = { .finish = finish, .pass = pass, .values = values, .drop = { .scale = 1 } };
    work.dropping = drops(finish, pass);
    if (work.dropping)
        work.drop = pst_drop_start(pass->dropout.hidden, pass->dropout.seed, finish->number, pass->epoch);
    return work;
}

/* Divides samples, or blocks of columns, among the threads of the pass. */
static void divide(struct work *work, size_t items, pst_round *round)
{
    struct pst_team *team = pst_pass_team(work->pass);
    work->rounds = pst_team_rounds(team, items, work->pass->n * work->finish->width);
    pst_parallel(team, work->rounds, round, work);
}

/* The first sample of a round. */
static size_t sample_of(const struct work *work, size_t round)
{
    return round * work->pass->n / work->rounds;
}

static void finish_samples(const void *context, size_t i)
{
    const struct work *work = context;
    size_t width = work->finish->width, end = sample_of(work, i + 1);
    for (size_t sample = sample_of(work, i); sample < end; sample++) {
        float *row = work->values + sample * width;
        finish_row(work->finish, work->bias, row, work->keep == NULL ? NULL : work->keep + sample * width);
        if (work->dropping)
            pst_kernel_drop(row, width, &work->drop, work->pass->ids[sample]);
    }
}

void pst_finish_forward(const struct pst_finish *finish, const struct pst_pass *pass, const float *bias,
                        float *values, float *kept)
{
    struct work work = work_of(finish, pass, values);
    work.bias = bias;
    if (pass->training && pst_finish_memory(finish) > 0)
        work.keep = kept;
    divide(&work, pass->n, finish_samples);
}

static void slope_of_samples(const void *context, size_t i)
{
    const struct work *work = context;
    const struct pst_finish *finish = work->finish;
    size_t width = finish->width, first = sample_of(work, i), end = sample_of(work, i + 1);
    if (is_relu(finish))
        pst_kernel_relu_mask(work->values + first * width, work->outputs + first * width, work->drop.scale,
                             (end - first) * width);
    for (size_t sample = first; !is_relu(finish) && sample < end; sample++) {
        float *row = work->values + sample * width;
        if (work->dropping)
            pst_kernel_drop(row, width, &work->drop, work->pass->ids[sample]);
        finish->activation->backward(row, work->kept + sample * width, width, (float)finish->slope);
    }
}

/* Columns that a round takes together. */
enum { COLUMNS = 64 };

static size_t blocks_of(const struct pst_finish *finish)
{
    return (finish->width + COLUMNS - 1) / COLUMNS;
}

/* Sums of columns, which add the samples in their order; behind ReLU, with its slope. */
static void sum_columns(const void *context, size_t i)
{
    const struct work *work = context;
    size_t width = work->finish->width, blocks = blocks_of(work->finish), n = work->pass->n;
    size_t first = i * blocks / work->rounds * COLUMNS, end = (i + 1) * blocks / work->rounds * COLUMNS;
    size_t columns = (end < width ? end : width) - first;
    if (is_relu(work->finish))
        pst_kernel_relu_gradient(work->values + first, work->outputs + first, width, work->drop.scale,
                                 work->sums + first, n, columns);
    else
        pst_kernel_column_sums(work->values + first, width, work->sums + first, n, columns);
}

void pst_finish_backward(const struct pst_finish *finish, const struct pst_pass *pass, const float *outputs,
                         const float *kept, float *gradient, float *bias_gradient)
{
    struct work work = work_of(finish, pass, gradient);
    bool by_columns = bias_gradient != NULL && finish->spread <= 1;
    work.outputs = outputs;
    work.kept = kept;
    work.sums = bias_gradient;
    if (finish->activation != NULL && !(is_relu(finish) && by_columns))
        divide(&work, pass->n, slope_of_samples);
    if (by_columns)
        divide(&work, blocks_of(finish), sum_columns);
    else if (bias_gradient != NULL)
        pst_kernel_spread_sums(gradient, bias_gradient, pass->n, finish->width / finish->spread,
                               finish->spread);
}

/* The factor by which dropout multiplies element `at` of [n, width]. */
static double plain_drop(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at)
{
    size_t sample = at / finish->width, unit = at % finish->width;
    return finish->number == 0 ? 1 : pst_plain_drop(pass, pass->dropout.hidden, sample, finish->number, unit);
}

double pst_finish_plain(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at,
                        double sum)
{
    if (finish->activation == NULL)
        return sum;
    return finish->activation->plain(sum, finish->slope) * plain_drop(finish, pass, at);
}

double pst_finish_plain_slope(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at,
                              double sum)
{
    if (finish->activation == NULL)
        return 1;
    return finish->activation->plain_slope(sum, finish->slope) * plain_drop(finish, pass, at);
}

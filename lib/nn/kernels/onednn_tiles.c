/*
 * The three products of a dense layer by tiles. First what is on the right is converted, for all threads;
 * then rounds make blocks of the results, and convert what is on the left for themselves.
 */
#include "lib/nn/kernels/onednn_tiles.h"

#include "lib/nn/kernels/onednn_tiles_work.h"

#if PST_HAS_TILES

bool pst_tiles_make_room(struct pst_kernels *kernels, struct pst_tiles_work *work, size_t words,
                         size_t pieces)
{
    struct pst_onednn *own = kernels->own;
    if (!pst_onednn_make_room(&own->tiles, words * sizeof *work->converted + pieces * sizeof *work->places)) {
        pst_onednn_fail(kernels, "compute", dnnl_out_of_memory);
        return false;
    }
    work->converted = own->tiles.memory;
    work->places = (struct pst_tiles_places *)(work->converted + words);
    return true;
}

/* ---- forward: the weight is on the left, the turned inputs on the right ------------------------------- */

/* Turns the inputs of one panel for one part of the depth. */
static void turn_inputs(const void *context, size_t i)
{
    const struct pst_tiles_work *work = context;
    size_t in = work->product->in, word = pst_tiles_word(work->bf16), part = pst_tiles_part(work->step);
    size_t count = pst_tiles_parts(work->step), sample = i / count * PST_PANEL, k = i % count * part;
    size_t words = pst_tiles_least(part, work->step - k);
    size_t samples = pst_tiles_least(PST_PANEL, work->product->n - sample);
    uint32_t *panel = work->converted + sample * work->step + k * PST_PANEL;
    pst_tiles_turned(panel, work->bf16, work->right + sample * in + word * k, samples,
                     pst_tiles_least(word * words, in - word * k), in);
}

/* Some units for up to PST_TILES_SAMPLES samples. */
static void multiply_forward(const struct pst_tiles_work *work, size_t unit, size_t units, size_t sample,
                             float *sums)
{
    _Alignas(PST_ALIGNMENT) uint32_t weights[PST_BLOCK_ROWS * (PST_TILES_DEPTH + PST_VECTOR)];
    size_t in = work->product->in, word = pst_tiles_word(work->bf16);
    size_t depth = pst_tiles_words(in, work->bf16), part = pst_tiles_part(depth);
    size_t samples = pst_tiles_least(PST_TILES_SAMPLES, work->product->n - sample);
    size_t out = work->product->out;
    struct pst_tiles_soon soon = { 0 };
    pst_tiles_need(&soon, work->results + sample * out + unit, samples, units, work->product->n, out);
    pst_tiles_need_within(&soon, pst_tiles_count(samples, PST_PANEL), units, depth);
    size_t step = part + PST_VECTOR; /* so that rows do not compete for the same places of the cache */
    for (size_t k = 0; k < depth; k += part) {
        size_t words = pst_tiles_least(part, depth - k);
        const float *weight = work->left + unit * in + word * k;
        if (work->bf16)
            pst_tiles_rows(weights, step, true, weight, units, pst_tiles_least(word * words, in - word * k),
                           in);
        for (size_t at = 0; at < samples; at += PST_PANEL)
            pst_tiles_multiply(&(struct pst_tiles){
                .bf16 = work->bf16,
                .left = work->bf16 ? (const void *)weights : weight,
                .row_step = work->bf16 ? step : in,
                .depth_step = 1,
                .panel = work->converted + (sample + at) * work->step + k * PST_PANEL,
                .rows = units,
                .columns = pst_tiles_least(PST_PANEL, pst_tiles_up_to(samples - at, PST_VECTOR)),
                .words = words,
                .sums = sums + at * PST_BLOCK_ROWS,
                .apart = PST_PANEL,
                .add = k > 0,
                .soon = &soon });
    }
}

static void forward_round(const void *context, size_t i)
{
    _Alignas(PST_ALIGNMENT) float sums[PST_BLOCK_ROWS * PST_TILES_SAMPLES];
    const struct pst_tiles_work *work = context;
    size_t n = work->product->n, out = work->product->out, first = i / work->rounds * PST_TILES_SAMPLES;
    size_t unit = pst_tiles_first(work, i % work->rounds, out, PST_TILE_ROWS);
    size_t units = pst_tiles_first(work, i % work->rounds + 1, out, PST_TILE_ROWS) - unit;
    const struct pst_finishing *finishing = work->product->finishing;
    struct pst_tiles_finish finish = { 0 };
    if (finishing != NULL)
        finish = (struct pst_tiles_finish){ finishing->bias == NULL ? NULL : finishing->bias + unit,
                                            finishing->relu };
    multiply_forward(work, unit, units, first, sums);
    for (size_t sample = first; sample < n && sample < first + PST_TILES_SAMPLES; sample += PST_PANEL)
        pst_tiles_turn_sums(work->results + sample * out + unit, out,
                            sums + (sample - first) * PST_BLOCK_ROWS, units,
                            pst_tiles_least(PST_PANEL, n - sample), &finish);
}

bool pst_tiles_forward(struct pst_kernels *kernels, const struct pst_dense_product *product,
                       const float *inputs, float *outputs)
{
    if (!pst_tiles_multiply_for(kernels))
        return false;
    if (pst_tiles_sparse_forward(kernels, product, inputs, outputs))
        return true;
    bool bf16 = kernels->arithmetic.precision == PST_BF16;
    size_t n = product->n, step = pst_tiles_words(product->in, bf16), panels = pst_tiles_count(n, PST_PANEL);
    struct pst_tiles_work work = { .product = product,
                                   .left = product->weight,
                                   .right = inputs,
                                   .results = outputs,
                                   .bf16 = bf16,
                                   .step = step };
    work.rounds = pst_tiles_rounds(kernels, pst_tiles_count(product->out, PST_TILE_ROWS),
                                   PST_BLOCK_ROWS / PST_TILE_ROWS);
    if (!pst_tiles_make_room(kernels, &work, panels * PST_PANEL * step, 0))
        return true;
    pst_parallel(kernels->team, panels * pst_tiles_parts(step), turn_inputs, &work);
    pst_parallel(kernels->team, pst_tiles_count(n, PST_TILES_SAMPLES) * work.rounds, forward_round, &work);
    if (product->finishing != NULL)
        product->finishing->done = true;
    return true;
}

/* ---- the gradient of the inputs: the gradient is on the left, the weight on the right ------------------ */

static void convert_gradient(const void *context, size_t i)
{
    const struct pst_tiles_work *work = context;
    size_t out = work->product->out, sample = i * PST_VECTOR;
    pst_tiles_rows(work->converted + sample * work->step, work->step, work->bf16, work->left + sample * out,
                   pst_tiles_least(PST_VECTOR, work->product->n - sample), out, out);
}

/* One part of the units, and up to 64 inputs of all samples. */
static void input_gradient_part(const struct pst_tiles_work *work, size_t column, size_t columns, size_t k,
                                size_t words, uint32_t *panel, struct pst_tiles_soon *soon)
{
    size_t in = work->product->in, out = work->product->out, word = pst_tiles_word(work->bf16);
    pst_tiles_columns(panel, PST_PANEL, work->bf16, work->right + word * k * in + column,
                      pst_tiles_least(word * words, out - word * k), columns, in);
    pst_tiles_multiply(
        &(struct pst_tiles){ .bf16 = work->bf16,
                             .left = work->bf16 ? (const void *)(work->converted + k) : work->left + k,
                             .row_step = work->bf16 ? work->step : out,
                             .depth_step = 1,
                             .panel = panel,
                             .rows = work->product->n,
                             .columns = columns,
                             .words = words,
                             .sums = work->results + column,
                             .apart = in,
                             .add = k > 0,
                             .soon = soon });
}

enum { MANY_UNITS = 4096, SEVERAL_PANELS = 4 };

/* Vectors of a round. With many units, the weight has more pages than the processor remembers places of; so a
 * round goes through it once for several panels. */
static size_t vectors_at_once(const struct pst_tiles_work *work)
{
    return PST_PANEL / PST_VECTOR * (work->product->out > MANY_UNITS ? SEVERAL_PANELS : 1);
}

/* The weights of such a part, if there is one, are needed soon. */
static void need_weights(const struct pst_tiles_work *work, size_t column, size_t end, size_t k,
                         struct pst_tiles_soon *soon)
{
    size_t in = work->product->in, out = work->product->out, word = pst_tiles_word(work->bf16);
    size_t words = pst_tiles_part(pst_tiles_words(out, work->bf16)), unit = word * k;
    if (unit >= out)
        return;
    pst_tiles_need(soon, work->right + unit * in + column, pst_tiles_least(word * words, out - unit),
                   pst_tiles_least(PST_PANEL, end - column), out, in);
    pst_tiles_need_within(soon, 1, work->product->n, words);
}

static void input_gradient_round(const void *context, size_t i)
{
    _Alignas(PST_ALIGNMENT) uint32_t panel[PST_TILES_DEPTH * PST_PANEL];
    const struct pst_tiles_work *work = context;
    size_t depth = pst_tiles_words(work->product->out, work->bf16), part = pst_tiles_part(depth);
    size_t first = pst_tiles_first(work, i, work->product->in, PST_VECTOR),
           end = pst_tiles_first(work, i + 1, work->product->in, PST_VECTOR);
    for (size_t k = 0; k < depth; k += part)
        for (size_t column = first; column < end; column += PST_PANEL) {
            bool last = end - column <= PST_PANEL;
            struct pst_tiles_soon soon = { 0 };
            need_weights(work, last ? first : column + PST_PANEL, end, last ? k + part : k, &soon);
            input_gradient_part(work, column, pst_tiles_least(PST_PANEL, end - column), k,
                                pst_tiles_least(part, depth - k), panel, &soon);
        }
}

bool pst_tiles_input_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                              const float *gradient, float *input_gradient)
{
    if (!pst_tiles_multiply_for(kernels))
        return false;
    struct pst_tiles_work work = { .product = product,
                                   .left = gradient,
                                   .right = product->weight,
                                   .results = input_gradient,
                                   .bf16 = kernels->arithmetic.precision == PST_BF16 };
    work.step = pst_tiles_words(product->out, work.bf16) + PST_VECTOR;
    work.rounds = pst_tiles_rounds(kernels, pst_tiles_count(product->in, PST_VECTOR), vectors_at_once(&work));
    if (!pst_tiles_make_room(kernels, &work, product->n * work.step, 0))
        return true;
    if (work.bf16)
        pst_parallel(kernels->team, pst_tiles_count(product->n, PST_VECTOR), convert_gradient, &work);
    pst_parallel(kernels->team, work.rounds, input_gradient_round, &work);
    return true;
}

/* ---- the gradient of the weight: the gradient is on the left, turned; the inputs are on the right ------ */

static void convert_inputs(const void *context, size_t i)
{
    const struct pst_tiles_work *work = context;
    size_t in = work->product->in, word = pst_tiles_word(work->bf16), sample = i * PST_VECTOR * word;
    for (size_t column = 0; column < in; column += PST_PANEL)
        pst_tiles_columns(work->converted + column * work->step + i * PST_VECTOR * PST_PANEL, PST_PANEL,
                          work->bf16, work->right + sample * in + column,
                          pst_tiles_least(PST_VECTOR * word, work->product->n - sample),
                          pst_tiles_least(PST_PANEL, in - column), in);
}

/* The gradient of some units' rows. */
static void sum_rows(const struct pst_tiles_work *work, size_t unit, size_t units, float *rows,
                     struct pst_tiles_soon *soon)
{
    _Alignas(PST_ALIGNMENT) uint32_t gradient[PST_TILES_ADDED * PST_BLOCK_ROWS];
    size_t n = work->product->n, in = work->product->in, out = work->product->out;
    size_t word = pst_tiles_word(work->bf16);
    for (size_t sample = 0; sample < n; sample += PST_TILES_ADDED * word) {
        size_t samples = pst_tiles_least(PST_TILES_ADDED * word, n - sample);
        pst_tiles_columns(gradient, PST_BLOCK_ROWS, work->bf16, work->left + sample * out + unit, samples,
                          units, out);
        for (size_t column = 0; column < in; column += PST_PANEL)
            pst_tiles_multiply(&(struct pst_tiles){ .bf16 = work->bf16,
                                                    .left = gradient,
                                                    .row_step = 1,
                                                    .depth_step = PST_BLOCK_ROWS,
                                                    .panel = work->converted + column * work->step +
                                                             sample / word * PST_PANEL,
                                                    .rows = units,
                                                    .columns = pst_tiles_least(PST_PANEL, in - column),
                                                    .words = pst_tiles_words(samples, work->bf16),
                                                    .sums = rows + column,
                                                    .apart = in,
                                                    .add = sample > 0,
                                                    .soon = soon });
    }
}

/* What the taker of these rows changes, and the next round's part of the gradient. */
static void need_rows(const struct pst_tiles_work *work, size_t unit, size_t units,
                      struct pst_tiles_soon *soon)
{
    const struct pst_taking *taking = work->product->taking;
    size_t n = work->product->n, in = work->product->in, out = work->product->out;
    size_t next = unit + units;
    for (size_t i = 0; taking != NULL && i + 1 < PST_TILES_PIECES; i++) {
        const float *changed = taking->pass->rows->changes(taking->pass->context, i);
        if (changed == NULL)
            break;
        pst_tiles_need(soon, changed + taking->weight->at + unit * in, units, in, out, in);
    }
    pst_tiles_need(soon, work->left + next, n, pst_tiles_least(units, out - next), n, out);
}

/* Rows that are taken at once are needed nowhere else, so they stay in a core's cache if they are not too
 * long. */
void pst_tiles_gradient_round(const struct pst_tiles_work *work, size_t round, size_t divided, size_t times,
                              pst_tiles_summer *sum)
{
    _Alignas(PST_ALIGNMENT) float rows[PST_TILES_TAKEN];
    const struct pst_taking *taking = work->product->taking;
    size_t in = work->product->in, out = work->product->out;
    size_t unit = pst_tiles_first(work, round, out, divided);
    size_t units = pst_tiles_first(work, round + 1, out, divided) - unit;
    float *sums = taking != NULL && units * in <= PST_TILES_TAKEN ? rows : work->results + unit * in;
    struct pst_tiles_soon soon = { 0 };
    need_rows(work, unit, units, &soon);
    pst_tiles_need_within(&soon, times, units, work->step);
    sum(work, unit, units, sums, &soon);
    if (taking != NULL)
        taking->pass->rows->take(taking->pass->context, taking->weight, unit * in, units * in, sums);
}

static void weight_gradient_round(const void *context, size_t i)
{
    const struct pst_tiles_work *work = context;
    pst_tiles_gradient_round(work, i, PST_TILE_ROWS, pst_tiles_count(work->product->in, PST_PANEL), sum_rows);
}

/* The gradient of all rows, of any inputs. */
static void sum_all_rows(struct pst_kernels *kernels, const struct pst_dense_product *product,
                         const float *gradient, const float *inputs, float *weight_gradient)
{
    struct pst_tiles_work work = { .product = product,
                                   .left = gradient,
                                   .right = inputs,
                                   .results = weight_gradient,
                                   .bf16 = kernels->arithmetic.precision == PST_BF16 };
    work.step = pst_tiles_words(product->n, work.bf16);
    work.rounds = pst_tiles_rounds(kernels, pst_tiles_count(product->out, PST_TILE_ROWS),
                                   PST_BLOCK_ROWS / PST_TILE_ROWS);
    if (!pst_tiles_make_room(kernels, &work, pst_tiles_up_to(product->in, PST_PANEL) * work.step, 0))
        return;
    pst_parallel(kernels->team, pst_tiles_count(work.step, PST_VECTOR), convert_inputs, &work);
    pst_parallel(kernels->team, work.rounds, weight_gradient_round, &work);
}

bool pst_tiles_weight_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                               const float *gradient, const float *inputs, float *weight_gradient)
{
    if (!pst_tiles_multiply_for(kernels))
        return false;
    if (!pst_tiles_sparse_gradient(kernels, product, gradient, inputs, weight_gradient))
        sum_all_rows(kernels, product, gradient, inputs, weight_gradient);
    if (product->taking != NULL)
        product->taking->done = kernels->status == PST_OK;
    return true;
}

#else

bool pst_tiles_forward(struct pst_kernels *kernels, const struct pst_dense_product *product,
                       const float *inputs, float *outputs)
{
    (void)kernels, (void)product, (void)inputs, (void)outputs;
    return false;
}

bool pst_tiles_input_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                              const float *gradient, float *input_gradient)
{
    (void)kernels, (void)product, (void)gradient, (void)input_gradient;
    return false;
}

bool pst_tiles_weight_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                               const float *gradient, const float *inputs, float *weight_gradient)
{
    (void)kernels, (void)product, (void)gradient, (void)inputs, (void)weight_gradient;
    return false;
}

#endif

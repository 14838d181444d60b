/*
 * Products with inputs that are mostly 0, as the pixels of images. The inputs are on the left: each tile has
 * 6 samples, or 6 inputs of the weight's gradient, and leaves out what is 0 in all of them.
 */
#include "lib/nn/kernels/onednn_tiles_work.h"

#if PST_HAS_TILES

#include <string.h>

void pst_tiles_squeeze_samples(const struct pst_tiles_samples *samples, const float *inputs, size_t in)
{
    size_t depth = samples->depth, part = pst_tiles_part(depth);
    struct pst_tiles_places *places = samples->places;
    pst_tiles_rows(samples->rows, depth, samples->bf16, inputs, samples->count, in, in);
    for (size_t first = 0; first < samples->count; first += PST_TILE_ROWS)
        for (size_t k = 0; k < depth; k += part)
            pst_tiles_squeeze_rows(samples->rows + first * depth + k, depth,
                                   pst_tiles_least(PST_TILE_ROWS, samples->count - first),
                                   pst_tiles_least(part, depth - k), places++);
}

void pst_tiles_multiply_samples(const struct pst_tiles_samples *samples, size_t k, const uint32_t *panel,
                                size_t units, float *sums, struct pst_tiles_soon *soon)
{
    size_t depth = samples->depth, part = pst_tiles_part(depth), count = pst_tiles_parts(depth);
    for (size_t first = 0; first < samples->count; first += PST_TILE_ROWS)
        pst_tiles_multiply(
            &(struct pst_tiles){ .bf16 = samples->bf16,
                                 .left = samples->rows + first * depth + k,
                                 .row_step = depth,
                                 .depth_step = 1,
                                 .panel = panel,
                                 .rows = pst_tiles_least(PST_TILE_ROWS, samples->count - first),
                                 .columns = pst_tiles_up_to(units, PST_VECTOR),
                                 .words = pst_tiles_least(part, depth - k),
                                 .kept = &samples->places[first / PST_TILE_ROWS * count + k / part],
                                 .sums = sums + first * PST_PANEL,
                                 .apart = PST_PANEL,
                                 .add = k > 0,
                                 .soon = soon });
}

void pst_tiles_store_samples(float *outputs, size_t apart, float *sums, size_t samples, size_t units,
                             const struct pst_tiles_finish *finish)
{
    pst_tiles_finish_columns(sums, samples, units, finish);
    for (size_t i = 0; i < samples; i++)
        memcpy(outputs + i * apart, sums + i * PST_PANEL, units * sizeof *sums);
}

/* Samples that are looked at, and of how many inputs at least so many are 0: with fewer, hardly one would be
 * 0 for all rows of a tile. */
enum { LOOKED_AT = 8, OF = 3, ZEROS = 2 };

static bool are_mostly_0(const float *inputs, size_t n, size_t in)
{
    size_t count = pst_tiles_least(n, LOOKED_AT) * in;
    return pst_tiles_zeros(inputs, count) >= count / OF * ZEROS;
}

/* ---- forward ------------------------------------------------------------------------------------------ */

/* The samples that a round has. */
static struct pst_tiles_samples samples_of(const struct pst_tiles_work *work, size_t chunk)
{
    size_t first = chunk * PST_TILES_SAMPLES;
    return (
        struct pst_tiles_samples){ work->bf16, pst_tiles_least(PST_TILES_SAMPLES, work->product->n - first),
                                   work->step, work->converted + first * work->step,
                                   work->places + chunk * pst_tiles_pieces(PST_TILES_SAMPLES, work->step) };
}

static void squeeze_chunk(const void *context, size_t i)
{
    const struct pst_tiles_work *work = context;
    const struct pst_tiles_samples samples = samples_of(work, i);
    size_t in = work->product->in;
    pst_tiles_squeeze_samples(&samples, work->right + i * PST_TILES_SAMPLES * in, in);
}

/* Up to 64 units. Their weights are turned for this round, part by part. */
static void forward_round(const void *context, size_t i)
{
    _Alignas(PST_ALIGNMENT) uint32_t panel[PST_TILES_DEPTH * PST_PANEL];
    _Alignas(PST_ALIGNMENT) float sums[PST_TILES_SAMPLES * PST_PANEL];
    const struct pst_tiles_work *work = context;
    const struct pst_finishing *finishing = work->product->finishing;
    size_t in = work->product->in, out = work->product->out, word = pst_tiles_word(work->bf16);
    size_t chunk = i / work->rounds, unit = pst_tiles_first(work, i % work->rounds, out, PST_VECTOR);
    size_t units = pst_tiles_first(work, i % work->rounds + 1, out, PST_VECTOR) - unit;
    const struct pst_tiles_samples samples = samples_of(work, chunk);
    struct pst_tiles_finish finish = { 0 };
    if (finishing != NULL)
        finish = (struct pst_tiles_finish){ finishing->bias == NULL ? NULL : finishing->bias + unit,
                                            finishing->relu };
    for (size_t k = 0, part = pst_tiles_part(work->step); k < work->step; k += part) {
        size_t columns = pst_tiles_least(word * pst_tiles_least(part, work->step - k), in - word * k);
        pst_tiles_turned(panel, work->bf16, work->left + unit * in + word * k, units, columns, in);
        pst_tiles_multiply_samples(&samples, k, panel, units, sums, NULL);
    }
    pst_tiles_store_samples(work->results + chunk * PST_TILES_SAMPLES * out + unit, out, sums, samples.count,
                            units, &finish);
}

bool pst_tiles_sparse_forward(struct pst_kernels *kernels, const struct pst_dense_product *product,
                              const float *inputs, float *outputs)
{
    if (!are_mostly_0(inputs, product->n, product->in))
        return false;
    struct pst_tiles_work work = { .product = product,
                                   .left = product->weight,
                                   .right = inputs,
                                   .results = outputs,
                                   .bf16 = kernels->arithmetic.precision == PST_BF16 };
    size_t chunks = pst_tiles_count(product->n, PST_TILES_SAMPLES);
    work.step = pst_tiles_words(product->in, work.bf16);
    work.rounds =
        pst_tiles_rounds(kernels, pst_tiles_count(product->out, PST_VECTOR), PST_PANEL / PST_VECTOR);
    if (!pst_tiles_make_room(kernels, &work, product->n * work.step,
                             chunks * pst_tiles_pieces(PST_TILES_SAMPLES, work.step)))
        return true;
    pst_parallel(kernels->team, chunks, squeeze_chunk, &work);
    pst_parallel(kernels->team, chunks * work.rounds, forward_round, &work);
    if (product->finishing != NULL)
        product->finishing->done = true;
    return true;
}

/* ---- the gradient of the weight: the inputs are on the left, the gradient on the right ------------------
 */

/* Words from a place of a tile's rows to the next one. */
enum { PLACE = 8 };

/* The samples of 48 inputs. */
static void squeeze_inputs(const void *context, size_t i)
{
    _Alignas(PST_ALIGNMENT) uint32_t words[PST_TILES_ADDED * PST_PANEL];
    const struct pst_tiles_work *work = context;
    size_t in = work->product->in, column = i * PST_BLOCK_ROWS;
    size_t columns = pst_tiles_least(PST_BLOCK_ROWS, in - column);
    pst_tiles_columns(words, PST_PANEL, work->bf16, work->right + column, work->product->n, columns, in);
    for (size_t at = 0; at < columns; at += PST_TILE_ROWS)
        pst_tiles_squeeze_columns(work->converted + (column + at) / PST_TILE_ROWS * work->step * PLACE, PLACE,
                                  words + at, PST_PANEL, work->step,
                                  pst_tiles_least(PST_TILE_ROWS, columns - at),
                                  &work->places[(column + at) / PST_TILE_ROWS]);
}

/* The gradient of some units' rows: 48 inputs after another. */
static void sum_rows(const struct pst_tiles_work *work, size_t unit, size_t units, float *rows,
                     struct pst_tiles_soon *soon)
{
    _Alignas(PST_ALIGNMENT) uint32_t gradient[PST_TILES_ADDED * PST_PANEL];
    _Alignas(PST_ALIGNMENT) float sums[PST_BLOCK_ROWS * PST_PANEL];
    size_t in = work->product->in, out = work->product->out;
    const struct pst_tiles_finish finish = { 0 };
    pst_tiles_columns(gradient, PST_PANEL, work->bf16, work->left + unit, work->product->n, units, out);
    for (size_t column = 0; column < in; column += PST_BLOCK_ROWS) {
        size_t columns = pst_tiles_least(PST_BLOCK_ROWS, in - column);
        for (size_t at = 0; at < columns; at += PST_TILE_ROWS) {
            size_t tile = (column + at) / PST_TILE_ROWS;
            pst_tiles_multiply(&(struct pst_tiles){ .bf16 = work->bf16,
                                                    .left = work->converted + tile * work->step * PLACE,
                                                    .row_step = 1,
                                                    .depth_step = PLACE,
                                                    .panel = gradient,
                                                    .rows = pst_tiles_least(PST_TILE_ROWS, columns - at),
                                                    .columns = pst_tiles_up_to(units, PST_VECTOR),
                                                    .words = work->step,
                                                    .kept = &work->places[tile],
                                                    .sums = sums + at * PST_PANEL,
                                                    .apart = PST_PANEL,
                                                    .soon = soon });
        }
        pst_tiles_turn_sums(rows + column, in, sums, columns, units, &finish);
    }
}

static void gradient_round(const void *context, size_t i)
{
    const struct pst_tiles_work *work = context;
    pst_tiles_gradient_round(work, i, PST_VECTOR, pst_tiles_count(work->product->in, PST_PANEL) / 2,
                             sum_rows);
}

bool pst_tiles_sparse_gradient(struct pst_kernels *kernels, const struct pst_dense_product *product,
                               const float *gradient, const float *inputs, float *weight_gradient)
{
    struct pst_tiles_work work = { .product = product,
                                   .left = gradient,
                                   .right = inputs,
                                   .results = weight_gradient,
                                   .bf16 = kernels->arithmetic.precision == PST_BF16 };
    size_t tiles = pst_tiles_count(product->in, PST_TILE_ROWS);
    work.step = pst_tiles_words(product->n, work.bf16);
    if (work.step > PST_TILES_ADDED || !are_mostly_0(inputs, product->n, product->in))
        return false;
    work.rounds =
        pst_tiles_rounds(kernels, pst_tiles_count(product->out, PST_VECTOR), PST_PANEL / PST_VECTOR);
    if (!pst_tiles_make_room(kernels, &work, tiles * work.step * PLACE, tiles))
        return true;
    pst_parallel(kernels->team, pst_tiles_count(product->in, PST_BLOCK_ROWS), squeeze_inputs, &work);
    pst_parallel(kernels->team, work.rounds, gradient_round, &work);
    return true;
}

#endif

/* onednn_tiles_work.h: what the products of a dense layer by tiles share: their work, and how it is divided.
 */
#ifndef PIPESTILL_NN_ONEDNN_TILES_WORK_H
#define PIPESTILL_NN_ONEDNN_TILES_WORK_H

#include "lib/nn/kernels/onednn_prepared.h"
#include "lib/nn/kernels/tiles.h"

/* A product. */
struct pst_tiles_work {
    const struct pst_dense_product *product;
    const float *left, *right; /* what the layer has; its inputs, its gradient or its weight */
    float *results;
    bool bf16;
    size_t step;                     /* words between the rows of what is converted, or panels */
    uint32_t *converted;             /* for all rounds */
    struct pst_tiles_places *places; /* of what is squeezed */
    size_t rounds;                   /* among which tiles of rows, or vectors of columns, are divided */
};

/* Words of samples that are added up at a time, and numbers of a gradient that are taken at once. */
enum { PST_TILES_ADDED = 256, PST_TILES_TAKEN = 1 << 16 };

/* How many parts of a size there are, the last one of which may be smaller. */
static inline size_t pst_tiles_count(size_t count, size_t size)
{
    return (count + size - 1) / size;
}

/* Rounds for `count` tiles or vectors, `most` of them in each: as many for one thread as for another. */
static inline size_t pst_tiles_rounds(const struct pst_kernels *kernels, size_t count, size_t most)
{
    return pst_tiles_least(pst_tiles_up_to(pst_tiles_count(count, most), pst_team_threads(kernels->team)),
                           count);
}

/* The first row or column of a round, in units of so many. */
static inline size_t pst_tiles_first(const struct pst_tiles_work *work, size_t round, size_t count,
                                     size_t unit)
{
    return pst_tiles_least(round * pst_tiles_count(count, unit) / work->rounds * unit, count);
}

/* Memory for so many words that are converted, and for so many pieces that are squeezed. False: memory is
 * short, and kernels->status says so. */
PST_CHECKED bool pst_tiles_make_room(struct pst_kernels *kernels, struct pst_tiles_work *work, size_t words,
                                     size_t pieces);

/* Sums the gradient of some units into rows[units, in]. soon: what products are to fetch meanwhile. */
typedef void pst_tiles_summer(const struct pst_tiles_work *work, size_t unit, size_t units, float *rows,
                              struct pst_tiles_soon *soon);

/* One round of the weight's gradient, which is handed over if it is taken at once. divided: rounds begin at
 * multiples of so many units. times: products of a round's units and the samples that sum computes. */
void pst_tiles_gradient_round(const struct pst_tiles_work *work, size_t round, size_t divided, size_t times,
                              pst_tiles_summer *sum);

/* ---- inputs that are mostly 0: onednn_tiles_sparse.c ------------------------------------------------ */

/* Rows of words of some samples. Each tile of 6 has those words only that one of its samples needs. */
struct pst_tiles_samples {
    bool bf16;
    size_t count, depth;             /* samples; words of one before they are squeezed */
    uint32_t *rows;                  /* [count, depth] */
    struct pst_tiles_places *places; /* [pst_tiles_count(count, 6), pst_tiles_parts(depth)] */
};

/* Pieces that so many samples have. */
static inline size_t pst_tiles_pieces(size_t samples, size_t depth)
{
    return pst_tiles_count(samples, PST_TILE_ROWS) * pst_tiles_parts(depth);
}

/* Converts inputs[samples->count, in] and squeezes them. */
void pst_tiles_squeeze_samples(const struct pst_tiles_samples *samples, const float *inputs, size_t in);

/* Adds the part of the depth that begins at word k to sums[samples, 64], or begins them with it, if it is the
 * first one. panel: [words of the part, 64], the weights of up to 64 units. */
void pst_tiles_multiply_samples(const struct pst_tiles_samples *samples, size_t k, const uint32_t *panel,
                                size_t units, float *sums, struct pst_tiles_soon *soon);

/* outputs[samples, apart] receives units of sums[samples, 64], finished. */
void pst_tiles_store_samples(float *outputs, size_t apart, float *sums, size_t samples, size_t units,
                             const struct pst_tiles_finish *finish);

/* As pst_tiles_forward and pst_tiles_weight_gradient. False: the inputs are not mostly 0, or the samples are
 * too many, and nothing was done. */
PST_CHECKED bool pst_tiles_sparse_forward(struct pst_kernels *kernels,
                                          const struct pst_dense_product *product, const float *inputs,
                                          float *outputs);
PST_CHECKED bool pst_tiles_sparse_gradient(struct pst_kernels *kernels,
                                           const struct pst_dense_product *product, const float *gradient,
                                           const float *inputs, float *weight_gradient);

#endif

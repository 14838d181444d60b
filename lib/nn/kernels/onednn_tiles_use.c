/*
 * Dense layers in use, by tiles. The samples are the rows of the first layer's tiles, so each tile leaves out
 * what its six samples have not. From then on they are columns: the sums of one layer become the panels of
 * the next without being turned.
 */
#include "lib/nn/kernels/onednn_tiles.h"

#include "lib/nn/kernels/onednn_tiles_work.h"

#include <stdlib.h>

struct pst_tiles_chain {
    bool bf16;
    size_t count, widest;           /* widest: words of the inputs of the widest layer */
    struct pst_tiles_layer *layers; /* [count]; the weight is not used */
    uint32_t **weights; /* [count]: of the first layer panels [pst_tiles_words(in), 64] of 64 units each; of
                           the others words [out, pst_tiles_words(in)] */
};

void pst_tiles_chain_free(struct pst_tiles_chain *chain)
{
    if (chain == NULL)
        return;
    for (size_t i = 0; chain->weights != NULL && i < chain->count; i++)
        free(chain->weights[i]);
    free(chain->weights);
    free(chain->layers);
    free(chain);
}

bool pst_tiles_multiply_for(const struct pst_kernels *kernels)
{
    bool bf16 = kernels->arithmetic.precision == PST_BF16;
    return PST_HAS_TILES && !pst_onednn_may_use(dnnl_cpu_isa_avx512_core_amx) &&
           pst_onednn_may_use(bf16 ? dnnl_cpu_isa_avx512_core_bf16 : dnnl_cpu_isa_avx512_core);
}

#if PST_HAS_TILES

/* Makes the weights of one layer ready. */
static bool make_weights(struct pst_tiles_chain *chain, size_t i)
{
    const struct pst_tiles_layer *layer = &chain->layers[i];
    size_t depth = pst_tiles_words(layer->in, chain->bf16), unit = i == 0 ? PST_PANEL : 1;
    uint32_t *weights = chain->weights[i] =
        pst_allocate(pst_tiles_up_to(layer->out, unit) * depth, sizeof *weights, NULL);
    if (weights == NULL)
        return false;
    if (i > 0)
        pst_tiles_rows(weights, depth, chain->bf16, layer->weight, layer->out, layer->in, layer->in);
    for (size_t at = 0; i == 0 && at < layer->out; at += PST_PANEL)
        pst_tiles_turned(weights + at * depth, chain->bf16, layer->weight + at * layer->in,
                         pst_tiles_least(PST_PANEL, layer->out - at), layer->in, layer->in);
    return true;
}

struct pst_tiles_chain *pst_tiles_chain_new(bool bf16, const struct pst_tiles_layer *layers, size_t count)
{
    struct pst_tiles_chain *chain = pst_allocate(1, sizeof *chain, NULL);
    if (chain == NULL)
        return NULL;
    chain->bf16 = bf16;
    chain->layers = pst_allocate(count, sizeof *chain->layers, NULL);
    chain->weights = pst_allocate(count, sizeof *chain->weights, NULL);
    bool made = chain->layers != NULL && chain->weights != NULL;
    while (made && chain->count < count) {
        size_t i = chain->count++, depth = pst_tiles_words(layers[i].in, bf16);
        chain->layers[i] = layers[i];
        chain->widest = depth > chain->widest ? depth : chain->widest;
        made = make_weights(chain, i);
    }
    if (made)
        return chain;
    pst_tiles_chain_free(chain);
    return NULL;
}

/* One layer for up to PST_TILES_SAMPLES samples. */
struct work {
    const struct pst_tiles_layer *layer;
    bool bf16;
    struct pst_tiles_samples inputs; /* of the first layer */
    const uint32_t *weights, *from;  /* from: of another layer panels [pst_tiles_words(in), 64] */
    uint32_t *to;   /* panels [pst_tiles_words(out), 64] of the next layer; NULL: there is none */
    float *outputs; /* [samples, out] of the last one */
    size_t samples;
};

/* Some units for the samples of one panel. */
static void run_block(const struct work *work, size_t unit, size_t units, size_t p)
{
    _Alignas(PST_ALIGNMENT) float sums[PST_BLOCK_ROWS * PST_PANEL];
    const struct pst_tiles_layer *layer = work->layer;
    size_t depth = pst_tiles_words(layer->in, work->bf16), part = pst_tiles_part(depth);
    size_t samples = pst_tiles_least(PST_PANEL, work->samples - p * PST_PANEL);
    size_t columns = pst_tiles_up_to(samples, PST_VECTOR);
    float *outputs = work->to == NULL ? work->outputs + p * PST_PANEL * layer->out + unit : NULL;
    struct pst_tiles_soon soon = { 0 };
    if (outputs != NULL)
        pst_tiles_need(&soon, outputs, samples, units, work->samples, layer->out);
    pst_tiles_need_within(&soon, 1, units, depth);
    for (size_t k = 0; k < depth; k += part)
        pst_tiles_multiply(&(struct pst_tiles){ .bf16 = work->bf16,
                                                .left = work->weights + unit * depth + k,
                                                .row_step = depth,
                                                .depth_step = 1,
                                                .panel = work->from + (p * depth + k) * PST_PANEL,
                                                .rows = units,
                                                .columns = columns,
                                                .words = pst_tiles_least(part, depth - k),
                                                .sums = sums,
                                                .apart = PST_PANEL,
                                                .add = k > 0,
                                                .soon = &soon });
    const struct pst_tiles_finish finish = { layer->bias == NULL ? NULL : layer->bias + unit, layer->relu };
    if (work->to != NULL)
        pst_tiles_keep_sums(
            work->to +
                (p * pst_tiles_words(layer->out, work->bf16) + unit / pst_tiles_word(work->bf16)) * PST_PANEL,
            work->bf16, sums, units, columns, &finish);
    else
        pst_tiles_turn_sums(outputs, layer->out, sums, units, samples, &finish);
}

static void run_round(const void *context, size_t i)
{
    const struct work *work = context;
    size_t unit = i * PST_BLOCK_ROWS;
    for (size_t p = 0; p * PST_PANEL < work->samples; p++)
        run_block(work, unit, pst_tiles_least(PST_BLOCK_ROWS, work->layer->out - unit), p);
}

/* Up to 64 units of the first layer, for all samples. */
static void run_first_round(const void *context, size_t i)
{
    _Alignas(PST_ALIGNMENT) float sums[PST_TILES_SAMPLES * PST_PANEL];
    const struct work *work = context;
    const struct pst_tiles_layer *layer = work->layer;
    size_t depth = work->inputs.depth, part = pst_tiles_part(depth);
    size_t unit = i * PST_PANEL, units = pst_tiles_least(PST_PANEL, layer->out - unit);
    const struct pst_tiles_finish finish = { layer->bias == NULL ? NULL : layer->bias + unit, layer->relu };
    struct pst_tiles_soon soon = { 0 };
    if (work->to == NULL)
        pst_tiles_need(&soon, work->outputs + unit, work->samples, units, work->samples, layer->out);
    pst_tiles_need_within(&soon, 1, work->samples, depth);
    for (size_t k = 0; k < depth; k += part)
        pst_tiles_multiply_samples(&work->inputs, k, work->weights + unit * depth + k * PST_PANEL, units,
                                   sums, &soon);
    if (work->to == NULL) {
        pst_tiles_store_samples(work->outputs + unit, layer->out, sums, work->samples, units, &finish);
        return;
    }
    pst_tiles_finish_columns(sums, work->samples, units, &finish);
    for (size_t sample = 0; sample < work->samples; sample += PST_PANEL)
        pst_tiles_turned(work->to + sample * pst_tiles_words(layer->out, work->bf16) +
                             unit / pst_tiles_word(work->bf16) * PST_PANEL,
                         work->bf16, sums + sample * PST_PANEL,
                         pst_tiles_least(PST_PANEL, work->samples - sample), units, PST_PANEL);
}

/* Up to PST_TILES_SAMPLES samples through all layers. */
static void run_samples(const struct pst_tiles_chain *chain, struct pst_team *team, struct work *work,
                        uint32_t *panels[2], struct pst_tiles_places *places, const float *inputs)
{
    size_t in = chain->layers[0].in;
    work->inputs = (struct pst_tiles_samples){ work->bf16, work->samples, pst_tiles_words(in, work->bf16),
                                               panels[0], places };
    pst_tiles_squeeze_samples(&work->inputs, inputs, in);
    for (size_t i = 0; i < chain->count; i++) {
        work->layer = &chain->layers[i];
        work->weights = chain->weights[i];
        work->from = panels[i % 2];
        work->to = i + 1 == chain->count ? NULL : panels[(i + 1) % 2];
        if (i == 0)
            pst_parallel(team, pst_tiles_up_to(work->layer->out, PST_PANEL) / PST_PANEL, run_first_round,
                         work);
        else
            pst_parallel(team, pst_tiles_up_to(work->layer->out, PST_BLOCK_ROWS) / PST_BLOCK_ROWS, run_round,
                         work);
    }
}

void pst_tiles_chain_run(struct pst_kernels *kernels, const struct pst_tiles_chain *chain, size_t n,
                         const float *inputs, float *outputs)
{
    struct pst_onednn *own = kernels->own;
    size_t in = chain->layers[0].in, panels = PST_TILES_SAMPLES * chain->widest;
    size_t pieces = pst_tiles_pieces(PST_TILES_SAMPLES, pst_tiles_words(in, chain->bf16));
    if (!pst_onednn_make_room(&own->tiles,
                              2 * panels * sizeof(uint32_t) + pieces * sizeof(struct pst_tiles_places))) {
        pst_onednn_fail(kernels, "compute", dnnl_out_of_memory);
        return;
    }
    uint32_t *memory = own->tiles.memory, *both[2] = { memory, memory + panels };
    struct pst_tiles_places *places = (struct pst_tiles_places *)(memory + 2 * panels);
    struct work work = { .bf16 = chain->bf16 };
    const struct pst_tiles_layer *last = &chain->layers[chain->count - 1];
    for (size_t sample = 0; sample < n; sample += PST_TILES_SAMPLES) {
        work.samples = pst_tiles_least(PST_TILES_SAMPLES, n - sample);
        work.outputs = outputs + sample * last->out;
        run_samples(chain, kernels->team, &work, both, places, inputs + sample * in);
    }
}

#else

struct pst_tiles_chain *pst_tiles_chain_new(bool bf16, const struct pst_tiles_layer *layers, size_t count)
{
    (void)bf16, (void)layers, (void)count;
    return NULL;
}

void pst_tiles_chain_run(struct pst_kernels *kernels, const struct pst_tiles_chain *chain, size_t n,
                         const float *inputs, float *outputs)
{
    (void)kernels, (void)chain, (void)n, (void)inputs, (void)outputs;
}

#endif

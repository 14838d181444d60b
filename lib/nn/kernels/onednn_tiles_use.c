/*
 * Dense layers in use, by tiles. Between two layers the samples stay columns: the sums of one layer become
 * the panels of the next without being turned.
 */
#include "lib/nn/kernels/onednn_tiles.h"

#include "lib/nn/kernels/onednn_prepared.h"
#include "lib/nn/kernels/tiles.h"

#include <stdlib.h>

struct pst_tiles_chain {
    bool bf16;
    size_t count, widest;           /* widest: words of the inputs of the widest layer */
    struct pst_tiles_layer *layers; /* [count]; the weight is not used */
    uint32_t **weights;             /* [count]: words [out, pst_tiles_words(in)] */
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

struct pst_tiles_chain *pst_tiles_chain_new(bool bf16, const struct pst_tiles_layer *layers, size_t count)
{
    struct pst_tiles_chain *chain = pst_allocate(1, sizeof *chain, NULL);
    if (chain == NULL)
        return NULL;
    chain->bf16 = bf16;
    chain->layers = pst_allocate(count, sizeof *chain->layers, NULL);
    chain->weights = pst_allocate(count, sizeof *chain->weights, NULL);
    bool made = chain->layers != NULL && chain->weights != NULL;
    for (; made && chain->count < count; chain->count++) {
        const struct pst_tiles_layer *layer = &layers[chain->count];
        size_t depth = pst_tiles_words(layer->in, bf16);
        uint32_t *weights = chain->weights[chain->count] =
            pst_allocate(layer->out * depth, sizeof *weights, NULL);
        chain->layers[chain->count] = *layer;
        chain->widest = depth > chain->widest ? depth : chain->widest;
        made = weights != NULL;
        if (made)
            pst_tiles_rows(weights, depth, bf16, layer->weight, layer->out, layer->in, layer->in);
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
    const uint32_t *weights, *from;  /* from: panels [pst_tiles_words(in), 64] */
    struct pst_tiles_places *places; /* of the parts of the panels; NULL: all words are multiplied */
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
        pst_tiles_multiply(&(struct pst_tiles){
            .bf16 = work->bf16,
            .left = work->weights + unit * depth + k,
            .row_step = depth,
            .depth_step = 1,
            .panel = work->from + (p * depth + k) * PST_PANEL,
            .rows = units,
            .columns = columns,
            .words = pst_tiles_least(part, depth - k),
            .kept = work->places == NULL ? NULL : &work->places[p * pst_tiles_parts(depth) + k / part],
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

/* The inputs of the first layer, for the samples of one panel. */
static void turn_inputs(const struct work *work, size_t p, size_t in, const float *inputs, uint32_t *panels)
{
    size_t depth = pst_tiles_words(in, work->bf16), part = pst_tiles_part(depth);
    size_t samples = pst_tiles_least(PST_PANEL, work->samples - p * PST_PANEL);
    uint32_t *panel = panels + p * depth * PST_PANEL;
    struct pst_tiles_places *places = work->places + p * pst_tiles_parts(depth);
    pst_tiles_turned(panel, work->bf16, inputs + p * PST_PANEL * in, samples, in, in);
    for (size_t k = 0; k < depth; k += part)
        pst_tiles_squeeze(panel + k * PST_PANEL, pst_tiles_least(part, depth - k),
                          pst_tiles_up_to(samples, PST_VECTOR), places++);
}

/* Up to PST_TILES_SAMPLES samples through all layers. */
static void run_samples(const struct pst_tiles_chain *chain, struct pst_team *team, struct work *work,
                        uint32_t *panels[2], struct pst_tiles_places *places, const float *inputs)
{
    work->places = places;
    for (size_t p = 0; p * PST_PANEL < work->samples; p++)
        turn_inputs(work, p, chain->layers[0].in, inputs, panels[0]);
    for (size_t i = 0; i < chain->count; i++) {
        work->layer = &chain->layers[i];
        work->weights = chain->weights[i];
        work->from = panels[i % 2];
        work->to = i + 1 == chain->count ? NULL : panels[(i + 1) % 2];
        pst_parallel(team, pst_tiles_up_to(work->layer->out, PST_BLOCK_ROWS) / PST_BLOCK_ROWS, run_round,
                     work);
        work->places = NULL; /* of units hardly one is 0 for so many samples */
    }
}

void pst_tiles_chain_run(struct pst_kernels *kernels, const struct pst_tiles_chain *chain, size_t n,
                         const float *inputs, float *outputs)
{
    struct pst_onednn *own = kernels->own;
    size_t in = chain->layers[0].in, panels = PST_TILES_SAMPLES * chain->widest;
    size_t pieces = PST_TILES_SAMPLES / PST_PANEL * pst_tiles_parts(pst_tiles_words(in, chain->bf16));
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

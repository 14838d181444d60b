/* What a network needs: numbers to learn, multiplications, memory. No pass is made, so programs that only
 * inspect networks need no BLAS. */
#include "pipestill/nn.h"

#include "lib/nn/channels.h"
#include "lib/nn/passes.h"

static size_t add(size_t a, size_t b)
{
    size_t sum;
    return __builtin_add_overflow(a, b, &sum) ? SIZE_MAX : sum;
}

static size_t times(size_t a, size_t b)
{
    size_t product;
    return pst_multiply(a, b, &product) ? product : SIZE_MAX;
}

void pst_layer_count(const struct pst_layer *layer, struct pst_layer_counts *counts)
{
    for (size_t p = 0; p < layer->parameter_count; p++)
        *(layer->parameters[p].follows > 0 ? &counts->statistics : &counts->parameters) +=
            layer->parameters[p].count;
    for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++)
        for (size_t i = 0; i < pst_layer_inner(layer, which)->count; i++)
            pst_layer_count(&pst_layer_inner(layer, which)->layers[i], counts);
}

void pst_network_count(const struct pst_network *network, struct pst_layer_counts *counts)
{
    *counts = (struct pst_layer_counts){ 0 };
    for (size_t i = 0; i < network->chain.count; i++) {
        pst_layer_count(&network->chain.layers[i], counts);
        counts->multiply_adds += network->chain.layers[i].multiply_adds;
    }
}

size_t pst_network_memory(const struct pst_network *network, size_t most, bool training)
{
    const struct pst_chain *chain = &network->chain;
    size_t outputs = pst_network_outputs(network);
    size_t inputs =
        pst_shape_moves(&chain->in) ? 2 * pst_network_inputs(network) : pst_network_inputs(network);
    size_t sample = add(inputs, add(chain->memory[training], outputs));
    size_t once = pst_chain_scratch(chain, training);
    if (training) {
        sample = add(sample, outputs);
        once = add(once, pst_chain_gradient_count(chain));
    }
    return times(add(times(pst_aligned(most), sample), once), sizeof(float));
}

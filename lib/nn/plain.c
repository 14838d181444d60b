/* Passes and updates in plain loops and double precision: the oracle of the fast ones. */
#include "lib/nn/plain.h"

#include <math.h>
#include <string.h>

double pst_plain_drop_factor(double share, uint64_t seed, uint64_t epoch, uint64_t id, size_t layer,
                             size_t unit)
{
    double threshold = round(share * 65536);
    if (threshold > 65535)
        threshold = 65535;
    uint32_t key[2], words[4];
    uint32_t counter[4] = { (uint32_t)(unit / 8), (uint32_t)epoch, (uint32_t)id, (uint32_t)(id >> 32) };
    pst_random_key(seed, PST_RANDOM_DROPOUT + (uint32_t)layer, key);
    pst_philox(counter, key, words);
    uint32_t word = words[unit % 8 / 2];
    uint32_t bits = unit % 2 == 0 ? word & 0xffff : word >> 16;
    return bits < threshold ? 0 : 65536 / (65536 - threshold);
}

/* By what dropout multiplies a unit of one sample in a batch. layer: as in pst_plain_drop_factor. */
static double drop_factor(const struct pst_plain_batch *batch, size_t sample, size_t layer, size_t unit)
{
    const struct pst_dropout *dropout = batch->dropout;
    if (dropout == NULL)
        return 1;
    double share = layer == 0 ? dropout->input : dropout->hidden;
    if (share <= 0)
        return 1;
    return pst_plain_drop_factor(share, dropout->seed, batch->epoch, batch->ids[sample], layer, unit);
}

void pst_plain_forward(const struct pst_network *network, const double *parameters,
                       const struct pst_plain_batch *batch, double *const values[PST_MAX_LAYERS + 1])
{
    size_t inputs = pst_network_inputs(network);
    for (size_t sample = 0; sample < batch->n; sample++)
        for (size_t i = 0; i < inputs; i++)
            values[0][sample * inputs + i] =
                batch->input[sample * inputs + i] * drop_factor(batch, sample, 0, i);
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct pst_layer *layer = &network->layers[l];
        bool hidden = l + 1 < network->layer_count;
        for (size_t sample = 0; sample < batch->n; sample++)
            for (size_t unit = 0; unit < layer->outputs; unit++) {
                const double *weight = parameters + layer->weight_at + unit * layer->inputs;
                double sum = parameters[layer->bias_at + unit];
                for (size_t i = 0; i < layer->inputs; i++)
                    sum += weight[i] * values[l][sample * layer->inputs + i];
                if (hidden)
                    sum = sum < 0 ? 0 : sum * drop_factor(batch, sample, l + 1, unit);
                values[l + 1][sample * layer->outputs + unit] = sum;
            }
    }
}

/* Of one layer: from the gradient of its outputs to those of its parameters and its inputs. */
static void backward_layer(const struct pst_layer *layer, const double *parameters, size_t n,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    memset(input_gradient, 0, n * layer->inputs * sizeof *input_gradient);
    for (size_t sample = 0; sample < n; sample++)
        for (size_t unit = 0; unit < layer->outputs; unit++) {
            double g = gradient[sample * layer->outputs + unit];
            parameter_gradient[layer->bias_at + unit] += g;
            for (size_t i = 0; i < layer->inputs; i++) {
                size_t at = layer->weight_at + unit * layer->inputs + i;
                parameter_gradient[at] += g * inputs[sample * layer->inputs + i];
                input_gradient[sample * layer->inputs + i] += g * parameters[at];
            }
        }
}

void pst_plain_backward(const struct pst_network *network, const double *parameters,
                        const struct pst_plain_batch *batch, double *const values[PST_MAX_LAYERS + 1],
                        double *const gradients[PST_MAX_LAYERS + 1], double *parameter_gradient)
{
    memset(parameter_gradient, 0, network->parameter_count * sizeof *parameter_gradient);
    for (size_t l = network->layer_count; l-- > 0;) {
        const struct pst_layer *layer = &network->layers[l];
        backward_layer(layer, parameters, batch->n, values[l], gradients[l + 1], gradients[l],
                       parameter_gradient);
        if (l == 0) /* nothing learns from the gradient of the network's own input */
            break;
        for (size_t sample = 0; sample < batch->n; sample++)
            for (size_t unit = 0; unit < layer->inputs; unit++) {
                size_t at = sample * layer->inputs + unit;
                gradients[l][at] *= values[l][at] > 0 ? drop_factor(batch, sample, l, unit) : 0;
            }
    }
}

/* The step of the parameter at one place of the flat vectors. decay: weight decay, 0 for biases. */
static void step_parameter(const struct pst_optimiser_settings *settings, double *parameters,
                           const double *gradients, double *first, double *second, size_t at, uint64_t step,
                           double rate, double decay)
{
    double gradient = gradients[at], g = gradient + decay * parameters[at];
    switch (settings->kind) {
    case PST_SGD:
        first[at] = settings->momentum * first[at] + g;
        parameters[at] -= rate * first[at];
        break;
    case PST_NESTEROV:
        first[at] = settings->momentum * first[at] + g;
        parameters[at] -= rate * (g + settings->momentum * first[at]);
        break;
    case PST_ADAM:
        first[at] = settings->beta1 * first[at] + (1 - settings->beta1) * gradient;
        second[at] = settings->beta2 * second[at] + (1 - settings->beta2) * gradient * gradient;
        double mean = first[at] / (1 - pow(settings->beta1, (double)step));
        double square = second[at] / (1 - pow(settings->beta2, (double)step));
        parameters[at] -= rate * (mean / (sqrt(square) + settings->epsilon) + decay * parameters[at]);
        break;
    }
}

static void limit_norm(double *row, size_t width, double most)
{
    double square = 0;
    for (size_t i = 0; i < width; i++)
        square += row[i] * row[i];
    for (size_t i = 0; sqrt(square) > most && i < width; i++)
        row[i] *= most / sqrt(square);
}

void pst_plain_step(const struct pst_network *network, const struct pst_optimiser_settings *settings,
                    double *parameters, const double *gradient, double *first, double *second, uint64_t step,
                    double learning_rate)
{
    for (size_t l = 0; l < network->layer_count; l++) {
        const struct pst_layer *layer = &network->layers[l];
        size_t weights = layer->inputs * layer->outputs;
        for (size_t at = layer->weight_at; at < layer->weight_at + weights; at++)
            step_parameter(settings, parameters, gradient, first, second, at, step, learning_rate,
                           settings->weight_decay);
        for (size_t at = layer->bias_at; at < layer->bias_at + layer->outputs; at++)
            step_parameter(settings, parameters, gradient, first, second, at, step, learning_rate, 0);
        if (settings->max_norm > 0 && l + 1 < network->layer_count)
            for (size_t unit = 0; unit < layer->outputs; unit++)
                limit_norm(parameters + layer->weight_at + unit * layer->inputs, layer->inputs,
                           settings->max_norm);
    }
}

/* Passes and updates in plain loops and double precision: the oracle for the fast ones. */
#include "lib/nn/plain.h"

#include <math.h>
#include <stdlib.h>
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

double pst_plain_drop(const struct pst_plain_pass *pass, double share, size_t sample, size_t layer,
                      size_t unit)
{
    if (share <= 0 || pass->use)
        return 1;
    return pst_plain_drop_factor(share, pass->dropout.seed, pass->epoch, pass->ids[sample], layer, unit);
}

void pst_plain_drop_inputs(const struct pst_network *network, const struct pst_plain_pass *pass,
                           double *inputs)
{
    size_t width = pst_network_inputs(network);
    for (size_t i = 0; i < pass->n * width; i++)
        inputs[i] *= pst_plain_drop(pass, pass->dropout.input, i / width, 0, i % width);
}

/* ---- chains ------------------------------------------------------------------------------------------ */

static void free_values(double **values, size_t count)
{
    for (size_t i = 0; values != NULL && i < count; i++)
        free(values[i]);
    free(values);
}

/* The outputs of every layer: values[i] is [n, out of layer i]. NULL if memory is short. */
static double **all_values(const struct pst_chain *chain, const struct pst_plain_pass *pass,
                           const double *inputs)
{
    double **values = pst_allocate(chain->count, sizeof *values, NULL);
    for (size_t i = 0; values != NULL && i < chain->count; i++) {
        const struct pst_layer *layer = &chain->layers[i];
        size_t count = pass->n * pst_shape_elements(&layer->out);
        values[i] = pst_allocate(count, sizeof **values, NULL);
        if (values[i] == NULL) {
            free_values(values, i);
            return NULL;
        }
        if (layer->type->in_place)
            memcpy(values[i], inputs, count * sizeof **values);
        else
            layer->type->plain_forward(layer, pass, inputs, values[i]);
        for (size_t t = 0; t < pass->tap_count; t++)
            if (pass->taps[t].layer == layer)
                memcpy(pass->taps[t].outputs, values[i], count * sizeof **values);
        inputs = values[i];
    }
    return values;
}

bool pst_plain_chain_forward(const struct pst_chain *chain, const struct pst_plain_pass *pass,
                             const double *inputs, double *outputs)
{
    double **values = all_values(chain, pass, inputs);
    if (values != NULL)
        memcpy(outputs, values[chain->count - 1],
               pass->n * pst_shape_elements(&chain->out) * sizeof *outputs);
    free_values(values, chain->count);
    return values != NULL;
}

/* Adds the gradients of the taps on a layer. */
static void add_taps(const struct pst_layer *layer, const struct pst_plain_pass *pass, double *gradient)
{
    for (size_t t = 0; t < pass->tap_count; t++)
        for (size_t i = 0; pass->taps[t].layer == layer && pass->taps[t].gradient != NULL &&
                           i < pass->n * pst_shape_elements(&layer->out);
             i++)
            gradient[i] += pass->taps[t].gradient[i];
}

bool pst_plain_chain_backward(const struct pst_chain *chain, const struct pst_plain_pass *pass,
                              const double *inputs, const double *gradient, double *input_gradient,
                              double *parameter_gradient)
{
    double **values = all_values(chain, pass, inputs), **gradients = all_values(chain, pass, inputs);
    bool good = values != NULL && gradients != NULL;
    if (good)
        memcpy(gradients[chain->count - 1], gradient,
               pass->n * pst_shape_elements(&chain->out) * sizeof *gradient);
    for (size_t i = chain->count; good && i-- > 0;) {
        const struct pst_layer *layer = &chain->layers[i];
        double *to = i > 0 ? gradients[i - 1] : input_gradient;
        add_taps(layer, pass, gradients[i]);
        if (layer->type->in_place)
            memcpy(to, gradients[i], pass->n * pst_shape_elements(&layer->in) * sizeof *to);
        else
            layer->type->plain_backward(layer, pass, i > 0 ? values[i - 1] : inputs, gradients[i], to,
                                        parameter_gradient);
    }
    free_values(values, chain->count);
    free_values(gradients, chain->count);
    return good;
}

/* ---- steps ------------------------------------------------------------------------------------------- */

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
    for (size_t t = 0; t < network->tensor_count; t++) {
        const struct pst_parameter *tensor = network->tensors[t];
        size_t row = pst_parameter_row(tensor);
        for (size_t at = tensor->at; tensor->follows > 0 && at < tensor->at + tensor->count; at++)
            parameters[at] += (double)tensor->follows * (gradient[at] - parameters[at]);
        for (size_t at = tensor->at; tensor->follows == 0 && at < tensor->at + tensor->count; at++)
            step_parameter(settings, parameters, gradient, first, second, at, step, learning_rate,
                           tensor->decays ? settings->weight_decay : 0);
        for (size_t unit = 0; settings->max_norm > 0 && tensor->limited && unit < tensor->shape[0]; unit++)
            limit_norm(parameters + tensor->at + unit * row, row, settings->max_norm);
    }
}

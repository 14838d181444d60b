/* ln: layer normalisation (Ba et al. 2016): the elements of each sample have mean 0 and variance 1, and are
 * then scaled and moved by learned numbers, a pair for every element. The same in training and in use. */
#include "lib/nn/layers/words.h"

#include "lib/nn/kernels.h"

#include <math.h>
#include <string.h>

struct ln {
    double epsilon;
};

enum { SCALE, OFFSET };

#define EPSILON 1e-5

static const struct pst_word_key keys[] = {
    { "epsilon", PST_KEY_REAL, offsetof(struct ln, epsilon), 1e-12, 1 }, { 0 }
};

static bool parse(const char *word, void *settings)
{
    struct ln *ln = settings;
    ln->epsilon = EPSILON;
    return strncmp(word, "ln", 2) == 0 && pst_word_keys(word + 2, keys, ln);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct ln *ln = layer->settings;
    fputs("ln", text);
    if (ln->epsilon != EPSILON)
        pst_word_write_real(text, "epsilon", ln->epsilon);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    (void)settling;
    layer->out = layer->in;
    pst_layer_add(layer, "weight", layer->in.rank, layer->in.size, 0)->initial = 1;
    pst_layer_add(layer, "bias", layer->in.rank, layer->in.size, 0);
    layer->memory_for_training = 2; /* mean and scale of the sample */
    return NULL;
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    const struct ln *ln = layer->settings;
    size_t width = pst_shape_elements(&layer->in);
    const float *gain = pst_layer_values(layer, pass, SCALE), *offset = pst_layer_values(layer, pass, OFFSET);
    for (size_t sample = 0; sample < pass->n; sample++) {
        const float *row = inputs + sample * width;
        float *to = outputs + sample * width;
        float mean = (float)(pst_sum(row, width) / (double)width);
        double variance = pst_kernel_squares(row, width, mean) / (double)width;
        float scale = (float)(1 / sqrt(variance + ln->epsilon));
        for (size_t i = 0; i < width; i++)
            to[i] = (row[i] - mean) * scale * gain[i] + offset[i];
        if (pass->training) {
            memory[2 * sample] = mean;
            memory[2 * sample + 1] = scale;
        }
    }
}

/* The way back of a sample. gradient: becomes that of the normalised inputs. */
static void sample_back(size_t width, const float *row, float *gradient, const float *gain, float mean,
                        float scale, float *input_gradient)
{
    for (size_t i = 0; i < width; i++)
        gradient[i] *= gain[i];
    double sum = pst_sum(gradient, width);
    double product = pst_kernel_products(row, gradient, width, mean) * (double)scale;
    pst_kernel_blend(input_gradient, gradient, row, width, scale,
                     (float)(-(double)(scale * scale) * product / (double)width), mean,
                     (float)(-(double)scale * sum / (double)width));
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    size_t width = pst_shape_elements(&layer->in);
    float *gain_gradient = pst_layer_gradient(layer, pass, SCALE);
    float *offset_gradient = pst_layer_gradient(layer, pass, OFFSET);
    (void)outputs;
    memset(gain_gradient, 0, width * sizeof *gain_gradient);
    memset(offset_gradient, 0, width * sizeof *offset_gradient);
    for (size_t sample = 0; sample < pass->n; sample++) {
        const float *row = inputs + sample * width;
        float *g = gradient + sample * width, mean = memory[2 * sample], scale = memory[2 * sample + 1];
        for (size_t i = 0; i < width; i++) {
            gain_gradient[i] += g[i] * (row[i] - mean) * scale;
            offset_gradient[i] += g[i];
        }
        if (input_gradient != NULL)
            sample_back(width, row, g, pst_layer_values(layer, pass, SCALE), mean, scale,
                        input_gradient + sample * width);
    }
    pass->take(pass->context, &layer->parameters[SCALE], gain_gradient);
    pass->take(pass->context, &layer->parameters[OFFSET], offset_gradient);
}

struct plain {
    double mean, scale;
};

static struct plain plain_sample(const struct pst_layer *layer, const double *row)
{
    const struct ln *ln = layer->settings;
    size_t width = pst_shape_elements(&layer->in);
    double mean = 0, variance = 0;
    for (size_t i = 0; i < width; i++)
        mean += row[i] / (double)width;
    for (size_t i = 0; i < width; i++)
        variance += pow(row[i] - mean, 2) / (double)width;
    return (struct plain){ mean, 1 / sqrt(variance + ln->epsilon) };
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    size_t width = pst_shape_elements(&layer->in);
    for (size_t at = 0; at < pass->n * width; at++) {
        struct plain plain = plain_sample(layer, inputs + at / width * width);
        outputs[at] = (inputs[at] - plain.mean) * plain.scale *
                          pass->parameters[layer->parameters[SCALE].at + at % width] +
                      pass->parameters[layer->parameters[OFFSET].at + at % width];
    }
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    size_t width = pst_shape_elements(&layer->in), gain = layer->parameters[SCALE].at;
    for (size_t start = 0; start < pass->n * width; start += width) {
        struct plain plain = plain_sample(layer, inputs + start);
        double sum = 0, product = 0;
        for (size_t i = 0; i < width; i++) {
            double g = gradient[start + i], normal = (inputs[start + i] - plain.mean) * plain.scale;
            parameter_gradient[gain + i] += g * normal;
            parameter_gradient[layer->parameters[OFFSET].at + i] += g;
            sum += g * pass->parameters[gain + i] / (double)width;
            product += g * pass->parameters[gain + i] * normal / (double)width;
        }
        for (size_t i = 0; i < width; i++) {
            double normal = (inputs[start + i] - plain.mean) * plain.scale;
            input_gradient[start + i] =
                plain.scale * (gradient[start + i] * pass->parameters[gain + i] - sum - normal * product);
        }
    }
}

const struct pst_layer_type pst_layer_ln = {
    .name = "ln",
    .grammar = "ln, ln,epsilon=0.00001",
    .help = "every sample with mean 0 and variance 1",
    .example = "6-8-none-ln-relu-4 2x4x5-ln-flatten-5-ln,epsilon=0.001-3",
    .settings_size = sizeof(struct ln),
    .parse = parse,
    .describe = describe,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};

/*
 * bn: batch normalisation (Ioffe, Szegedy 2015): every channel has mean 0 and variance 1 over the batch and
 * its maps, and is then scaled and moved by learned numbers. In use mean and variance are statistics of the
 * training, which follow those of its batches.
 */
#include "lib/nn/layers/finish.h"
#include "lib/nn/layers/words.h"

#include "lib/nn/kernels.h"

#include <math.h>
#include <string.h>

struct bn {
    double momentum, epsilon;
    struct pst_taken_activation taken;
    size_t channels, area; /* settled */
};

enum { SCALE, OFFSET, MEAN, VARIANCE };

#define MOMENTUM 0.1
#define EPSILON 1e-5

static const struct pst_word_key keys[] = {
    { "momentum", PST_KEY_REAL, offsetof(struct bn, momentum), 1e-6, 1 },
    { "epsilon", PST_KEY_REAL, offsetof(struct bn, epsilon), 1e-12, 1 },
    { 0 },
};

static bool parse(const char *word, void *settings)
{
    struct bn *bn = settings;
    bn->momentum = MOMENTUM;
    bn->epsilon = EPSILON;
    return strncmp(word, "bn", 2) == 0 && pst_word_keys(word + 2, keys, bn);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct bn *bn = layer->settings;
    fputs("bn", text);
    if (bn->momentum != MOMENTUM)
        pst_word_write_real(text, "momentum", bn->momentum);
    if (bn->epsilon != EPSILON)
        pst_word_write_real(text, "epsilon", bn->epsilon);
    pst_taken_describe(&bn->taken, text);
}

static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    return pst_take_activation(&((struct bn *)layer->settings)->taken, activation, slope);
}

static struct pst_finish finish_of(const struct pst_layer *layer)
{
    const struct bn *bn = layer->settings;
    return (struct pst_finish){ .activation = bn->taken.activation,
                                .slope = bn->taken.slope,
                                .number = layer->number,
                                .width = pst_shape_elements(&layer->out) };
}

/* What a batch had, one row of channels each; kept behind what the activation keeps. */
enum { BATCH_MEAN, BATCH_VARIANCE, BATCH_SCALE, BATCH_ROWS };

/* Room is for 16 samples at least (struct pst_pass), so a share of the rows a sample is enough. */
#define LEAST_ROOM 16

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    struct bn *bn = layer->settings;
    layer->out = layer->in;
    bn->channels = layer->in.size[0];
    bn->area = pst_shape_elements(&layer->in) / bn->channels;
    pst_layer_add(layer, "weight", 1, &bn->channels, 0)->initial = 1;
    pst_layer_add(layer, "bias", 1, &bn->channels, 0);
    pst_layer_add(layer, "running_mean", 1, &bn->channels, 0)->follows = (float)bn->momentum;
    struct pst_parameter *variance = pst_layer_add(layer, "running_var", 1, &bn->channels, 0);
    variance->initial = 1;
    variance->follows = (float)bn->momentum;
    if (bn->taken.activation != NULL) {
        settling->activations++;
        layer->number = settling->last ? 0 : settling->activations;
    }
    struct pst_finish finish = finish_of(layer);
    layer->memory_for_training =
        pst_finish_memory(&finish) + (BATCH_ROWS * bn->channels + LEAST_ROOM - 1) / LEAST_ROOM;
    return NULL;
}

static float *batch_row(const struct pst_layer *layer, const struct pst_pass *pass, float *memory, size_t row)
{
    const struct bn *bn = layer->settings;
    struct pst_finish finish = finish_of(layer);
    return memory + pass->room * pst_finish_memory(&finish) + row * bn->channels;
}

/* ---- sums over a batch ------------------------------------------------------------------------------- */

static double channel_sum(const struct bn *bn, size_t n, size_t channel, const float *values)
{
    double sum = 0;
    for (size_t sample = 0; sample < n; sample++)
        sum += pst_kernel_sum(values + (sample * bn->channels + channel) * bn->area, bn->area);
    return sum;
}

static double channel_squares(const struct bn *bn, size_t n, size_t channel, const float *values,
                              float middle)
{
    double sum = 0;
    for (size_t sample = 0; sample < n; sample++)
        sum += pst_kernel_squares(values + (sample * bn->channels + channel) * bn->area, bn->area, middle);
    return sum;
}

static double channel_products(const struct bn *bn, size_t n, size_t channel, const float *values,
                               const float *others, float middle)
{
    double sum = 0;
    for (size_t sample = 0; sample < n; sample++) {
        size_t at = (sample * bn->channels + channel) * bn->area;
        sum += pst_kernel_products(values + at, others + at, bn->area, middle);
    }
    return sum;
}

/* ---- passes ------------------------------------------------------------------------------------------ */

/* Measures a batch: mean, variance and what they scale by. The variance that use will take is the unbiased
 * one; one number alone has none, and leaves the statistic as it is. */
static void measure(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *memory)
{
    const struct bn *bn = layer->settings;
    float *mean = batch_row(layer, pass, memory, BATCH_MEAN);
    float *variance = batch_row(layer, pass, memory, BATCH_VARIANCE);
    float *scale = batch_row(layer, pass, memory, BATCH_SCALE);
    const float *old = pst_layer_values(layer, pass, VARIANCE);
    double count = (double)(pass->n * bn->area);
    for (size_t c = 0; c < bn->channels; c++) {
        mean[c] = (float)(channel_sum(bn, pass->n, c, inputs) / count);
        double squares = channel_squares(bn, pass->n, c, inputs, mean[c]);
        scale[c] = (float)(1 / sqrt(squares / count + bn->epsilon));
        variance[c] = count > 1 ? (float)(squares / (count - 1)) : old[c];
    }
}

static void normalise(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                      float *outputs, const float *mean, const float *scale)
{
    const struct bn *bn = layer->settings;
    const float *gain = pst_layer_values(layer, pass, SCALE), *offset = pst_layer_values(layer, pass, OFFSET);
    for (size_t sample = 0; sample < pass->n; sample++)
        for (size_t c = 0; c < bn->channels; c++) {
            size_t at = (sample * bn->channels + c) * bn->area;
            pst_kernel_rescale(outputs + at, inputs + at, bn->area, mean[c], scale[c] * gain[c], offset[c]);
        }
}

/* In use: by the statistics of the training. */
static void normalise_for_use(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                              float *outputs)
{
    const struct bn *bn = layer->settings;
    const float *gain = pst_layer_values(layer, pass, SCALE), *offset = pst_layer_values(layer, pass, OFFSET);
    const float *mean = pst_layer_values(layer, pass, MEAN),
                *variance = pst_layer_values(layer, pass, VARIANCE);
    for (size_t c = 0; c < bn->channels; c++) {
        float scale = (float)((double)gain[c] / sqrt((double)variance[c] + bn->epsilon));
        for (size_t sample = 0; sample < pass->n; sample++) {
            size_t at = (sample * bn->channels + c) * bn->area;
            pst_kernel_rescale(outputs + at, inputs + at, bn->area, mean[c], scale, offset[c]);
        }
    }
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    struct pst_finish finish = finish_of(layer);
    if (pass->training) {
        measure(layer, pass, inputs, memory);
        normalise(layer, pass, inputs, outputs, batch_row(layer, pass, memory, BATCH_MEAN),
                  batch_row(layer, pass, memory, BATCH_SCALE));
    } else
        normalise_for_use(layer, pass, inputs, outputs);
    pst_finish_forward(&finish, pass, NULL, outputs, memory);
}

/* input_gradient = scale · gain · (g - mean of g - normalised input · mean of g times normalised input). */
static void channel_back(const struct pst_layer *layer, const struct pst_pass *pass, size_t c,
                         const float *inputs, const float *gradient, float *input_gradient, float *memory)
{
    const struct bn *bn = layer->settings;
    float mean = batch_row(layer, pass, memory, BATCH_MEAN)[c];
    float scale = batch_row(layer, pass, memory, BATCH_SCALE)[c];
    double count = (double)(pass->n * bn->area);
    double sum = channel_sum(bn, pass->n, c, gradient);
    double product = channel_products(bn, pass->n, c, inputs, gradient, mean) * (double)scale;
    pst_layer_gradient(layer, pass, SCALE)[c] = (float)product;
    pst_layer_gradient(layer, pass, OFFSET)[c] = (float)sum;
    double factor = (double)(scale * pst_layer_values(layer, pass, SCALE)[c]);
    for (size_t sample = 0; input_gradient != NULL && sample < pass->n; sample++) {
        size_t at = (sample * bn->channels + c) * bn->area;
        pst_kernel_blend(input_gradient + at, gradient + at, inputs + at, bn->area, (float)factor,
                         (float)(-factor * (double)scale * product / count), mean,
                         (float)(-factor * sum / count));
    }
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    const struct bn *bn = layer->settings;
    struct pst_finish finish = finish_of(layer);
    pst_finish_backward(&finish, pass, outputs, memory, gradient, NULL);
    for (size_t c = 0; c < bn->channels; c++)
        channel_back(layer, pass, c, inputs, gradient, input_gradient, memory);
    pass->take(pass->context, &layer->parameters[SCALE], pst_layer_gradient(layer, pass, SCALE));
    pass->take(pass->context, &layer->parameters[OFFSET], pst_layer_gradient(layer, pass, OFFSET));
    pass->take(pass->context, &layer->parameters[MEAN], batch_row(layer, pass, memory, BATCH_MEAN));
    pass->take(pass->context, &layer->parameters[VARIANCE], batch_row(layer, pass, memory, BATCH_VARIANCE));
}

/* ---- plain twins ------------------------------------------------------------------------------------- */

/* One channel of a batch, or in use. */
struct plain {
    double mean, variance, unbiased, scale, gain, offset;
};

static size_t place_of(const struct bn *bn, size_t channel, size_t i)
{
    return (i / bn->area * bn->channels + channel) * bn->area + i % bn->area;
}

static struct plain plain_channel(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                                  const double *inputs, size_t c)
{
    const struct bn *bn = layer->settings;
    size_t count = pass->n * bn->area;
    struct plain plain = { .gain = pass->parameters[layer->parameters[SCALE].at + c],
                           .offset = pass->parameters[layer->parameters[OFFSET].at + c],
                           .unbiased = pass->parameters[layer->parameters[VARIANCE].at + c] };
    for (size_t i = 0; i < count; i++)
        plain.mean += inputs[place_of(bn, c, i)] / (double)count;
    for (size_t i = 0; i < count; i++)
        plain.variance += pow(inputs[place_of(bn, c, i)] - plain.mean, 2) / (double)count;
    if (count > 1)
        plain.unbiased = plain.variance * (double)count / (double)(count - 1);
    if (pass->use) {
        plain.mean = pass->parameters[layer->parameters[MEAN].at + c];
        plain.variance = pass->parameters[layer->parameters[VARIANCE].at + c];
    }
    plain.scale = 1 / sqrt(plain.variance + bn->epsilon);
    return plain;
}

static double plain_sum(const struct plain *plain, double input)
{
    return (input - plain->mean) * plain->scale * plain->gain + plain->offset;
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    const struct bn *bn = layer->settings;
    struct pst_finish finish = finish_of(layer);
    for (size_t c = 0; c < bn->channels; c++) {
        struct plain plain = plain_channel(layer, pass, inputs, c);
        for (size_t i = 0; i < pass->n * bn->area; i++) {
            size_t at = place_of(bn, c, i);
            outputs[at] = pst_finish_plain(&finish, pass, at, plain_sum(&plain, inputs[at]));
        }
    }
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    const struct bn *bn = layer->settings;
    struct pst_finish finish = finish_of(layer);
    double count = (double)(pass->n * bn->area);
    for (size_t c = 0; c < bn->channels; c++) {
        struct plain plain = plain_channel(layer, pass, inputs, c);
        double sum = 0, product = 0;
        for (size_t i = 0; i < pass->n * bn->area; i++) {
            size_t at = place_of(bn, c, i);
            double g =
                gradient[at] * pst_finish_plain_slope(&finish, pass, at, plain_sum(&plain, inputs[at]));
            sum += g;
            product += g * (inputs[at] - plain.mean) * plain.scale;
            input_gradient[at] = g;
        }
        for (size_t i = 0; i < pass->n * bn->area; i++) {
            size_t at = place_of(bn, c, i);
            double normal = (inputs[at] - plain.mean) * plain.scale;
            input_gradient[at] =
                plain.scale * plain.gain * (input_gradient[at] - sum / count - normal * product / count);
        }
        parameter_gradient[layer->parameters[SCALE].at + c] += product;
        parameter_gradient[layer->parameters[OFFSET].at + c] += sum;
        parameter_gradient[layer->parameters[MEAN].at + c] += plain.mean;
        parameter_gradient[layer->parameters[VARIANCE].at + c] += plain.unbiased;
    }
}

const struct pst_layer_type pst_layer_bn = {
    .name = "bn",
    .grammar = "bn, bn,momentum=0.1,epsilon=0.00001",
    .help = "every channel with mean 0 and variance 1 over the batch",
    .example =
        "2x5x4-conv3x3:3-bn-relu-flatten-4 6-8-none-bn-tanh-4 2x4x4-bn,momentum=0.3,epsilon=0.001-gap-3",
    .settings_size = sizeof(struct bn),
    .parse = parse,
    .describe = describe,
    .absorb = absorb,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
};

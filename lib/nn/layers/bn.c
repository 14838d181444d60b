/*
 * bn: batch normalisation (Ioffe, Szegedy 2015): every channel has mean 0 and variance 1 over the batch and
 * its maps, and is then scaled and moved by learned numbers. In use, mean and variance are statistics of the
 * training, which follow those of its batches.
 */
#include "lib/nn/layers/bn.h"
#include "lib/nn/layers/words.h"

#include "lib/nn/kernels.h"

#include <math.h>
#include <string.h>

enum { SCALE = PST_BN_SCALE, OFFSET = PST_BN_OFFSET, MEAN = PST_BN_MEAN, VARIANCE = PST_BN_VARIANCE };

#define MOMENTUM 0.1
#define EPSILON 1e-5

static const struct pst_word_key keys[] = {
    { "momentum", PST_KEY_REAL, offsetof(struct pst_bn, momentum), 1e-6, 1 },
    { "epsilon", PST_KEY_REAL, offsetof(struct pst_bn, epsilon), 1e-12, 1 },
    { 0 },
};

static bool parse(const char *word, void *settings)
{
    struct pst_bn *bn = settings;
    bn->momentum = MOMENTUM;
    bn->epsilon = EPSILON;
    return strncmp(word, "bn", 2) == 0 && pst_word_keys(word + 2, keys, bn);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct pst_bn *bn = layer->settings;
    fputs("bn", text);
    if (bn->momentum != MOMENTUM)
        pst_word_write_real(text, "momentum", bn->momentum);
    if (bn->epsilon != EPSILON)
        pst_word_write_real(text, "epsilon", bn->epsilon);
    pst_taken_describe(&bn->taken, text);
}

static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    return pst_take_activation(&((struct pst_bn *)layer->settings)->taken, activation, slope);
}

struct pst_finish pst_bn_finish(const struct pst_layer *layer)
{
    const struct pst_bn *bn = layer->settings;
    return (struct pst_finish){ .activation = bn->taken.activation,
                                .slope = bn->taken.slope,
                                .number = layer->number,
                                .width = pst_shape_elements(&layer->out) };
}

/* Memory is for 16 samples at least (struct pst_pass), so each sample needs only a part of the rows. */
#define LEAST_ROOM 16

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    struct pst_bn *bn = layer->settings;
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
    struct pst_finish finish = pst_bn_finish(layer);
    layer->memory_for_training =
        pst_finish_memory(&finish) + (PST_BN_BATCH_ROWS * bn->channels + LEAST_ROOM - 1) / LEAST_ROOM;
    if (layer->in.rank == 3)
        layer->scratch[false] = layer->scratch[true] = pst_bn_rows_scratch(bn->channels);
    return NULL;
}

float *pst_bn_batch(const struct pst_layer *layer, const struct pst_pass *pass, float *memory, size_t row)
{
    const struct pst_bn *bn = layer->settings;
    struct pst_finish finish = pst_bn_finish(layer);
    return memory + pass->room * pst_finish_memory(&finish) + row * bn->channels;
}

/* ---- sums over a batch ------------------------------------------------------------------------------- */

static double channel_sum(const struct pst_bn *bn, size_t n, size_t channel, const float *values)
{
    double sum = 0;
    for (size_t sample = 0; sample < n; sample++)
        sum += pst_sum(values + (sample * bn->channels + channel) * bn->area, bn->area);
    return sum;
}

static double channel_squares(const struct pst_bn *bn, size_t n, size_t channel, const float *values,
                              float middle)
{
    double sum = 0;
    for (size_t sample = 0; sample < n; sample++)
        sum += pst_kernel_squares(values + (sample * bn->channels + channel) * bn->area, bn->area, middle);
    return sum;
}

static double channel_products(const struct pst_bn *bn, size_t n, size_t channel, const float *values,
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

/* The statistic is the unbiased variance. One number alone has none, so the statistic stays as it is. */
void pst_bn_note(const struct pst_layer *layer, const struct pst_pass *pass, float *memory, size_t c,
                 double mean, double squares)
{
    const struct pst_bn *bn = layer->settings;
    double count = (double)(pass->n * bn->area);
    pst_bn_batch(layer, pass, memory, PST_BN_BATCH_MEAN)[c] = (float)mean;
    pst_bn_batch(layer, pass, memory, PST_BN_BATCH_SCALE)[c] =
        (float)(1 / sqrt(squares / count + bn->epsilon));
    pst_bn_batch(layer, pass, memory, PST_BN_BATCH_VARIANCE)[c] =
        count > 1 ? (float)(squares / (count - 1)) : pst_layer_values(layer, pass, VARIANCE)[c];
}

static void measure(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *memory)
{
    const struct pst_bn *bn = layer->settings;
    double count = (double)(pass->n * bn->area);
    for (size_t c = 0; c < bn->channels; c++) {
        float mean = (float)(channel_sum(bn, pass->n, c, inputs) / count);
        pst_bn_note(layer, pass, memory, c, (double)mean, channel_squares(bn, pass->n, c, inputs, mean));
    }
}

static void normalise(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                      float *outputs, const float *mean, const float *scale)
{
    const struct pst_bn *bn = layer->settings;
    const float *gain = pst_layer_values(layer, pass, SCALE), *offset = pst_layer_values(layer, pass, OFFSET);
    for (size_t sample = 0; sample < pass->n; sample++)
        for (size_t c = 0; c < bn->channels; c++) {
            size_t at = (sample * bn->channels + c) * bn->area;
            pst_kernel_rescale(outputs + at, inputs + at, bn->area, mean[c], scale[c] * gain[c], offset[c]);
        }
}

/* From the statistics of the training. */
float pst_bn_scale_for_use(const struct pst_layer *layer, const struct pst_pass *pass, size_t c)
{
    const struct pst_bn *bn = layer->settings;
    double variance = (double)pst_layer_values(layer, pass, VARIANCE)[c];
    return (float)((double)pst_layer_values(layer, pass, SCALE)[c] / sqrt(variance + bn->epsilon));
}

static void normalise_for_use(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                              float *outputs)
{
    const struct pst_bn *bn = layer->settings;
    const float *offset = pst_layer_values(layer, pass, OFFSET), *mean = pst_layer_values(layer, pass, MEAN);
    for (size_t c = 0; c < bn->channels; c++) {
        float scale = pst_bn_scale_for_use(layer, pass, c);
        for (size_t sample = 0; sample < pass->n; sample++) {
            size_t at = (sample * bn->channels + c) * bn->area;
            pst_kernel_rescale(outputs + at, inputs + at, bn->area, mean[c], scale, offset[c]);
        }
    }
}

/* Whether the inputs are rows of channels. */
static bool has_rows(const struct pst_layer *layer, const struct pst_pass *pass)
{
    return pass->channels_last && layer->in.rank == 3;
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    struct pst_finish finish = pst_bn_finish(layer);
    if (has_rows(layer, pass)) {
        pst_bn_forward_rows(layer, pass, inputs, outputs, memory);
        return;
    }
    if (pass->training) {
        measure(layer, pass, inputs, memory);
        normalise(layer, pass, inputs, outputs, pst_bn_batch(layer, pass, memory, PST_BN_BATCH_MEAN),
                  pst_bn_batch(layer, pass, memory, PST_BN_BATCH_SCALE));
    } else
        normalise_for_use(layer, pass, inputs, outputs);
    pst_finish_forward(&finish, pass, NULL, outputs, memory);
}

/* input_gradient = scale · gain · (g - mean of g - normalised input · mean of g times normalised input). */
static void channel_back(const struct pst_layer *layer, const struct pst_pass *pass, size_t c,
                         const float *inputs, const float *gradient, float *input_gradient, float *memory)
{
    const struct pst_bn *bn = layer->settings;
    float mean = pst_bn_batch(layer, pass, memory, PST_BN_BATCH_MEAN)[c];
    float scale = pst_bn_batch(layer, pass, memory, PST_BN_BATCH_SCALE)[c];
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

void pst_bn_hand_over(const struct pst_layer *layer, const struct pst_pass *pass, float *memory)
{
    pass->take(pass->context, &layer->parameters[SCALE], pst_layer_gradient(layer, pass, SCALE));
    pass->take(pass->context, &layer->parameters[OFFSET], pst_layer_gradient(layer, pass, OFFSET));
    pass->take(pass->context, &layer->parameters[MEAN], pst_bn_batch(layer, pass, memory, PST_BN_BATCH_MEAN));
    pass->take(pass->context, &layer->parameters[VARIANCE],
               pst_bn_batch(layer, pass, memory, PST_BN_BATCH_VARIANCE));
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    const struct pst_bn *bn = layer->settings;
    struct pst_finish finish = pst_bn_finish(layer);
    if (has_rows(layer, pass))
        pst_bn_backward_rows(layer, pass, inputs, outputs, gradient, input_gradient, memory);
    else {
        pst_finish_backward(&finish, pass, outputs, memory, gradient, NULL);
        for (size_t c = 0; c < bn->channels; c++)
            channel_back(layer, pass, c, inputs, gradient, input_gradient, memory);
    }
    pst_bn_hand_over(layer, pass, memory);
}

/* ---- plain twins ------------------------------------------------------------------------------------- */

/* One channel of a batch, or in use. */
struct plain {
    double mean, variance, unbiased, scale, gain, offset;
};

static size_t place_of(const struct pst_bn *bn, size_t channel, size_t i)
{
    return (i / bn->area * bn->channels + channel) * bn->area + i % bn->area;
}

static struct plain plain_channel(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                                  const double *inputs, size_t c)
{
    const struct pst_bn *bn = layer->settings;
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
    const struct pst_bn *bn = layer->settings;
    struct pst_finish finish = pst_bn_finish(layer);
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
    const struct pst_bn *bn = layer->settings;
    struct pst_finish finish = pst_bn_finish(layer);
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

static bool use(const struct pst_layer *layer, const struct pst_pass *pass, struct pst_use *use)
{
    const struct pst_bn *bn = layer->settings;
    use->kind = PST_USE_CHANGE;
    use->middle = pst_layer_values(layer, pass, PST_BN_MEAN);
    use->offset = pst_layer_values(layer, pass, PST_BN_OFFSET);
    for (size_t c = 0; c < bn->channels; c++)
        use->factor[c] = pst_bn_scale_for_use(layer, pass, c);
    return pst_use_activation(use, bn->taken.activation);
}

const struct pst_layer_type pst_layer_bn = {
    .name = "bn",
    .grammar = "bn, bn,momentum=0.1,epsilon=0.00001",
    .help = "every channel with mean 0 and variance 1 over the batch",
    .example =
        "2x5x4-conv3x3:3-bn-relu-flatten-4 6-8-none-bn-tanh-4 2x4x4-bn,momentum=0.3,epsilon=0.001-gap-3 "
        "2x8x8-conv1x1:16-bn-relu-maxpool2-bn-maxpool2-flatten-3",
    .settings_size = sizeof(struct pst_bn),
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .absorb = absorb,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .joins = pst_bn_joins,
    .forward_joined = pst_bn_forward_joined,
    .backward_joined = pst_bn_backward_joined,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
    .use = use,
};

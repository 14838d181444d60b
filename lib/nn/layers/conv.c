/* conv: every output map is a sum of all input maps (of its group), each under a kernel that moves over it.
 * The weight is [maps, channels / groups, height, width]. The elements under the kernels are spread out as
 * the columns of a matrix, for several samples side by side if maps are small, and BLAS multiplies it. */
#include "lib/nn/layers/conv.h"
#include "lib/nn/kernels/products.h"
#include "lib/nn/layers/product.h"
#include "lib/nn/layers/words.h"

#include "lib/nn/kernels.h"
#include "lib/nn/passes.h"

#include <math.h>
#include <string.h>

extern const struct pst_layer_type pst_layer_bn;

#define PAD SIZE_MAX /* not given: half of the kernel's reach */

static const struct pst_word_key keys[] = {
    { "stride", PST_KEY_PAIR, offsetof(struct pst_conv, window.stride), 1, 4095 },
    { "pad", PST_KEY_PAIR, offsetof(struct pst_conv, window.pad), 0, 4095 },
    { "dilation", PST_KEY_PAIR, offsetof(struct pst_conv, window.dilation), 1, 4095 },
    { "groups", PST_KEY_COUNT, offsetof(struct pst_conv, groups), 1, PST_MAX_WIDTH },
    { "nobias", PST_KEY_FLAG, offsetof(struct pst_conv, no_bias), 0, 0 },
    { "bias", PST_KEY_FLAG, offsetof(struct pst_conv, bias), 0, 0 },
    { 0 },
};

/* The padding that centres a kernel of odd size: it reaches equally far on both sides. */
static size_t half_span(const struct pst_window *window, size_t side)
{
    return window->dilation[side] * (window->kernel[side] - 1) / 2;
}

static bool parse_keys(struct pst_conv *conv, const char *word)
{
    struct pst_window *window = &conv->window;
    window->pad[0] = window->pad[1] = PAD;
    if (window->kernel[0] == 0 || window->kernel[1] == 0 || !pst_word_keys(word, keys, conv))
        return false;
    for (size_t side = 0; side < 2; side++)
        if (window->pad[side] == PAD)
            window->pad[side] = half_span(window, side);
    return !(conv->bias && conv->no_bias) && !(conv->depthwise && conv->groups > 1);
}

static bool parse(const char *word, void *settings)
{
    struct pst_conv *conv = settings;
    struct pst_window *window = &conv->window;
    for (size_t side = 0; side < 2; side++)
        window->stride[side] = window->dilation[side] = 1;
    conv->groups = 1;
    conv->depthwise = strncmp(word, "depthwise", 9) == 0;
    if (!conv->depthwise && strncmp(word, "conv", 4) != 0)
        return false;
    word += conv->depthwise ? 9 : 4;
    if (!pst_word_pair(&word, window->kernel))
        return false;
    if (!conv->depthwise && (*word++ != ':' || !pst_word_count(&word, &conv->maps) || conv->maps == 0))
        return false;
    return parse_keys(conv, word);
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct pst_conv *conv = layer->settings;
    const struct pst_window *window = &conv->window;
    fprintf(text, "%s%zux%zu", conv->depthwise ? "depthwise" : "conv", window->kernel[0], window->kernel[1]);
    if (!conv->depthwise)
        fprintf(text, ":%zu", conv->maps);
    if (window->stride[0] != 1 || window->stride[1] != 1)
        pst_word_write_pair(text, ",stride=", window->stride);
    if (window->pad[0] != half_span(window, 0) || window->pad[1] != half_span(window, 1))
        pst_word_write_pair(text, ",pad=", window->pad);
    if (window->dilation[0] != 1 || window->dilation[1] != 1)
        pst_word_write_pair(text, ",dilation=", window->dilation);
    if (!conv->depthwise && conv->groups > 1)
        fprintf(text, ",groups=%zu", conv->groups);
    if (conv->no_bias && !conv->implied_no_bias)
        fputs(",nobias", text);
    if (conv->bias && conv->implied_no_bias)
        fputs(",bias", text);
    pst_taken_describe(&conv->taken, text);
}

static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    return pst_take_activation(&((struct pst_conv *)layer->settings)->taken, activation, slope);
}

struct pst_finish pst_conv_finish(const struct pst_layer *layer)
{
    const struct pst_conv *conv = layer->settings;
    return (struct pst_finish){ .activation = conv->taken.activation,
                                .slope = conv->taken.slope,
                                .number = layer->number,
                                .width = pst_shape_elements(&layer->out),
                                .spread = conv->area };
}

/* If the channels are last, every place of the maps is a row of its own: this is possible because dropout is
 * not used then. */
static struct pst_finish finish_in(const struct pst_layer *layer, const struct pst_pass *pass,
                                   struct pst_pass *rows)
{
    const struct pst_conv *conv = layer->settings;
    struct pst_finish finish = pst_conv_finish(layer);
    *rows = *pass;
    if (!pass->channels_last)
        return finish;
    rows->n = pass->n * conv->area;
    finish.width = conv->maps;
    finish.spread = 0;
    return finish;
}

/* ---- settling ---------------------------------------------------------------------------------------- */

/* With so many columns a product is worth its call. */
#define COLUMNS 256

/* Whether the columns are the maps themselves, so that nothing is spread out. */
static bool is_plain_product(const struct pst_conv *conv)
{
    const struct pst_window *window = &conv->window;
    return window->kernel[0] * window->kernel[1] == 1 && window->stride[0] * window->stride[1] == 1 &&
           conv->together == 1;
}

/* Columns, products of several samples side by side, and on the way back the gradients of the columns. */
static void settle_scratch(struct pst_layer *layer, struct pst_conv *conv, size_t channels)
{
    conv->area = conv->window.out[0] * conv->window.out[1];
    conv->together = conv->area < COLUMNS ? COLUMNS / conv->area : 1;
    size_t kernel = conv->window.kernel[0] * conv->window.kernel[1], width = conv->together * conv->area;
    conv->depth = channels / conv->groups * kernel;
    size_t columns = pst_aligned(channels * kernel * width), products = pst_aligned(conv->maps * width);
    if (is_plain_product(conv))
        columns = 0;
    layer->scratch[false] = columns + products;
    layer->scratch[true] = 2 * columns + products;
}

static void settle_parameters(struct pst_layer *layer, struct pst_conv *conv,
                              const struct pst_settling *settling)
{
    const struct pst_window *window = &conv->window;
    size_t shape[] = { conv->maps, layer->in.size[0] / conv->groups, window->kernel[0], window->kernel[1] };
    bool normalised = settling->next == &pst_layer_bn && conv->taken.activation == NULL;
    double variance = conv->taken.activation != NULL ? conv->taken.activation->variance : normalised ? 2 : 1;
    struct pst_parameter *weight =
        pst_layer_add(layer, "weight", 4, shape, sqrt(variance / (double)conv->depth));
    weight->decays = true;
    weight->limited = !settling->last;
    conv->implied_no_bias = normalised;
    conv->no_bias = conv->no_bias || (normalised && !conv->bias);
    if (!conv->no_bias)
        pst_layer_add(layer, "bias", 1, shape, 0);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    struct pst_conv *conv = layer->settings;
    if (conv->depthwise && layer->in.rank == 3)
        conv->maps = conv->groups = layer->in.size[0];
    const char *wrong = pst_window_settle(&conv->window, layer, conv->maps, settling);
    if (wrong != NULL)
        return wrong;
    size_t channels = layer->in.size[0];
    if (channels % conv->groups != 0 || conv->maps % conv->groups != 0)
        return pst_unfit(settling, "has %zu groups, which do not divide its %zu channels and %zu maps",
                         conv->groups, channels, conv->maps);
    settle_scratch(layer, conv, channels);
    settle_parameters(layer, conv, settling);
    if (conv->taken.activation != NULL) {
        settling->activations++;
        layer->number = settling->last ? 0 : settling->activations;
    }
    struct pst_finish finish = pst_conv_finish(layer);
    layer->memory_for_training = pst_finish_memory(&finish);
    layer->multiply_adds = (double)conv->maps * (double)conv->depth * (double)conv->area;
    return NULL;
}

/* ---- passes ------------------------------------------------------------------------------------------ */

/* Some samples that are multiplied side by side. */
struct part {
    const struct pst_layer *layer;
    const struct pst_conv *conv;
    size_t count, in, out;    /* samples; elements of each */
    size_t width;             /* columns: count · area */
    const float *columns;     /* [channels · kernel, width] */
    float *spread, *unspread; /* memory for columns, and for their gradients */
    float *products;          /* memory for products, [maps, width] */
};

static struct part begin_part(const struct pst_layer *layer, const struct pst_pass *pass, size_t sample)
{
    const struct pst_conv *conv = layer->settings;
    size_t left = pass->n - sample;
    size_t count = left < conv->together ? left : conv->together;
    size_t columns = (layer->scratch[true] - layer->scratch[false]);
    return (struct part){ .layer = layer,
                          .conv = conv,
                          .count = count,
                          .in = pst_shape_elements(&layer->in),
                          .out = pst_shape_elements(&layer->out),
                          .width = count * conv->area,
                          .spread = pass->scratch,
                          .products = pass->scratch + columns,
                          .unspread = pass->scratch + layer->scratch[false] };
}

/* Lays the columns out. inputs: of the first sample of the part. */
static void spread_part(struct part *part, const float *inputs)
{
    part->columns = inputs;
    if (is_plain_product(part->conv))
        return;
    part->columns = part->spread;
    for (size_t s = 0; s < part->count; s++)
        pst_window_spread(&part->conv->window, inputs + s * part->in, part->layer->in.size[0],
                          part->spread + s * part->conv->area, part->width);
}

/* Copies samples that stand beside one another, [maps, count, area], to samples after one another, [count,
 * maps, area]. join_samples does the reverse. */
static void part_samples(const struct part *part, const float *beside, float *after)
{
    size_t maps = part->conv->maps, area = part->conv->area;
    for (size_t s = 0; s < part->count; s++)
        for (size_t m = 0; m < maps; m++)
            memcpy(after + (s * maps + m) * area, beside + m * part->width + s * area, area * sizeof *after);
}

static void join_samples(const struct part *part, const float *after, float *beside)
{
    size_t maps = part->conv->maps, area = part->conv->area;
    for (size_t s = 0; s < part->count; s++)
        for (size_t m = 0; m < maps; m++)
            memcpy(beside + m * part->width + s * area, after + (s * maps + m) * area, area * sizeof *beside);
}

/* products[maps, width] = weight · columns, group by group. */
static void multiply(const struct part *part, const float *weight, float *products)
{
    const struct pst_conv *conv = part->conv;
    size_t maps = conv->maps / conv->groups;
    for (size_t g = 0; g < conv->groups; g++)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (blasint)maps, (blasint)part->width,
                    (blasint)conv->depth, 1, weight + g * maps * conv->depth, (blasint)conv->depth,
                    part->columns + g * conv->depth * part->width, (blasint)part->width, 0,
                    products + g * maps * part->width, (blasint)part->width);
}

static struct pst_convolution convolution_of(const struct pst_layer *layer, const struct pst_pass *pass)
{
    const struct pst_conv *conv = layer->settings;
    return (struct pst_convolution){ .layer = layer,
                                     .n = pass->n,
                                     .channels = layer->in.size[0],
                                     .maps = conv->maps,
                                     .groups = conv->groups,
                                     .window = &conv->window,
                                     .channels_last = pass->channels_last,
                                     .weight = pst_layer_values(layer, pass, PST_CONV_WEIGHT) };
}

static void convolve(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     float *outputs)
{
    const struct pst_convolution convolution = convolution_of(layer, pass);
    if (pass->kernels->type->convolve != NULL) {
        pass->kernels->type->convolve(pass->kernels, &convolution, inputs, outputs);
        return;
    }
    for (size_t sample = 0; sample < pass->n;) {
        struct part part = begin_part(layer, pass, sample);
        spread_part(&part, inputs + sample * part.in);
        float *to = outputs + sample * part.out;
        multiply(&part, convolution.weight, part.count == 1 ? to : part.products);
        if (part.count > 1)
            part_samples(&part, part.products, to);
        sample += part.count;
    }
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    struct pst_pass rows;
    struct pst_finish finish = finish_in(layer, pass, &rows);
    convolve(layer, pass, inputs, outputs);
    const float *bias =
        layer->parameter_count > PST_CONV_BIAS ? pst_layer_values(layer, pass, PST_CONV_BIAS) : NULL;
    if (bias != NULL || finish.activation != NULL)
        pst_finish_forward(&finish, &rows, bias, outputs, memory);
}

/* weight_gradient += gradient[maps, width] · columnsᵀ, and the gradient of the columns = weightᵀ · gradient.
 */
static void multiply_back(const struct part *part, const float *weight, const float *gradient,
                          float *weight_gradient, float *column_gradient)
{
    const struct pst_conv *conv = part->conv;
    blasint maps = (blasint)(conv->maps / conv->groups), depth = (blasint)conv->depth,
            width = (blasint)part->width;
    for (size_t g = 0; g < conv->groups; g++) {
        size_t rows = g * conv->depth * part->width, at = g * (size_t)maps * conv->depth;
        const float *from = gradient + g * (size_t)maps * part->width;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, maps, depth, width, 1, from, width,
                    part->columns + rows, width, 1, weight_gradient + at, depth);
        if (column_gradient != NULL)
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, depth, width, maps, 1, weight + at, depth,
                        from, width, 0, column_gradient + rows, width);
    }
}

/* The way back of some samples. gradient: that of their products. input_gradient: NULL if it is not needed.
 */
static void part_back(struct part *part, const float *weight, const float *gradient, float *weight_gradient,
                      float *input_gradient)
{
    bool plain = is_plain_product(part->conv);
    float *column_gradient = input_gradient == NULL ? NULL : plain ? input_gradient : part->unspread;
    if (part->count > 1) {
        join_samples(part, gradient, part->products);
        gradient = part->products;
    }
    multiply_back(part, weight, gradient, weight_gradient, column_gradient);
    if (input_gradient == NULL || plain)
        return;
    memset(input_gradient, 0, part->count * part->in * sizeof *input_gradient);
    for (size_t s = 0; s < part->count; s++)
        pst_window_gather(&part->conv->window, part->unspread + s * part->conv->area, part->layer->in.size[0],
                          input_gradient + s * part->in, part->width);
}

/* gradient: that of the products. input_gradient: NULL if it is not needed. */
static void convolve_back(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                          const float *gradient, float *input_gradient, float *weight_gradient)
{
    const struct pst_convolution convolution = convolution_of(layer, pass);
    struct pst_kernels *kernels = pass->kernels;
    if (kernels->type->convolve != NULL) {
        kernels->type->convolve_back(kernels, &convolution, gradient, inputs, input_gradient,
                                     weight_gradient);
        return;
    }
    memset(weight_gradient, 0, layer->parameters[PST_CONV_WEIGHT].count * sizeof *weight_gradient);
    for (size_t sample = 0; sample < pass->n;) {
        struct part part = begin_part(layer, pass, sample);
        spread_part(&part, inputs + sample * part.in);
        part_back(&part, convolution.weight, gradient + sample * part.out, weight_gradient,
                  input_gradient == NULL ? NULL : input_gradient + sample * part.in);
        sample += part.count;
    }
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    struct pst_pass rows;
    struct pst_finish finish = finish_in(layer, pass, &rows);
    bool has_bias = layer->parameter_count > PST_CONV_BIAS;
    float *weight_gradient = pst_layer_gradient(layer, pass, PST_CONV_WEIGHT);
    float *bias_gradient = has_bias ? pst_layer_gradient(layer, pass, PST_CONV_BIAS) : NULL;
    pst_finish_backward(&finish, &rows, outputs, memory, gradient, bias_gradient);
    convolve_back(layer, pass, inputs, gradient, input_gradient, weight_gradient);
    pass->take(pass->context, &layer->parameters[PST_CONV_WEIGHT], weight_gradient);
    if (has_bias)
        pass->take(pass->context, &layer->parameters[PST_CONV_BIAS], bias_gradient);
}

static bool use(const struct pst_layer *layer, const struct pst_pass *pass, struct pst_use *use)
{
    const struct pst_conv *conv = layer->settings;
    const float *bias =
        layer->parameter_count > PST_CONV_BIAS ? pst_layer_values(layer, pass, PST_CONV_BIAS) : NULL;
    *use = (struct pst_use){ .kind = PST_USE_CONVOLUTION,
                             .window = &conv->window,
                             .groups = conv->groups,
                             .weight = pst_layer_values(layer, pass, PST_CONV_WEIGHT),
                             .bias = bias };
    return pst_use_activation(use, conv->taken.activation);
}

const struct pst_layer_type pst_layer_conv = {
    .name = "conv",
    .grammar = "conv3x3:32, conv5:6,pad=0,stride=2,dilation=1,groups=2,nobias, depthwise3x3",
    .help = "maps; each element is a weighted sum under a kernel",
    .example =
        "2x5x4-conv3x3:3-flatten-4 2x7x6-conv3x2:4,stride=2x1,pad=1,groups=2-tanh-conv1x1:3-relu-flatten-2 "
        "3x6x6-depthwise3x3,dilation=2-gelu-conv2:4,pad=0,nobias-flatten-2 1x1x9-conv1x3:4-relu-flatten-3 "
        "2x18x17-conv3x3:2-tanh-conv1x1:3-conv5x5:2,stride=3",
    .settings_size = sizeof(struct pst_conv),
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .absorb = absorb,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = pst_conv_plain_forward,
    .plain_backward = pst_conv_plain_backward,
    .use = use,
};

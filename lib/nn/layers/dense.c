/* dense: every output is a weighted sum of all inputs, plus a bias unless "nobias" is given, under the
 * activation that follows. The weight is [outputs, inputs]: each row holds what comes into one unit. */
#include "lib/nn/kernels/products.h"
#include "lib/nn/layers/finish.h"

#include <math.h>
#include <string.h>

extern const struct pst_layer_type pst_layer_dense;

struct dense {
    size_t units;
    bool no_bias;
    const struct pst_activation *activation; /* NULL: none was named, and none follows from the next layer */
    double slope;
    bool implied; /* ReLU, because the next layer is dense */
};

enum { WEIGHT, BIAS };

static bool parse(const char *word, void *settings)
{
    struct dense *dense = settings;
    char digits[8] = "";
    uint64_t units;
    size_t length = strspn(word, "0123456789");
    if (length >= sizeof digits)
        return false;
    memcpy(digits, word, length);
    dense->no_bias = strcmp(word + length, "nobias") == 0;
    if ((word[length] != '\0' && !dense->no_bias) || !pst_parse_u64(digits, 1, PST_MAX_WIDTH, &units))
        return false;
    dense->units = (size_t)units;
    return true;
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct dense *dense = layer->settings;
    fprintf(text, "%zu%s", dense->units, dense->no_bias ? "nobias" : "");
    if (dense->activation == NULL || dense->implied)
        return;
    fputc('-', text);
    pst_activation_describe(dense->activation, dense->slope, text);
}

static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    struct dense *dense = layer->settings;
    if (dense->activation != NULL)
        return false;
    dense->activation = activation;
    dense->slope = slope;
    return true;
}

static struct pst_finish finish_of(const struct pst_layer *layer)
{
    const struct dense *dense = layer->settings;
    return (struct pst_finish){
        .activation = dense->activation, .slope = dense->slope, .number = layer->number, .width = dense->units
    };
}

/* ReLU is implied before another dense layer, and `none` before everything else. */
static void imply(struct dense *dense, const struct pst_settling *settling)
{
    bool dense_follows = settling->next == &pst_layer_dense;
    if (dense_follows && dense->activation == NULL)
        dense->activation = &pst_activation_relu;
    dense->implied = dense_follows && dense->activation == &pst_activation_relu;
    if (!dense_follows && dense->activation == &pst_activation_none)
        dense->activation = NULL;
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    struct dense *dense = layer->settings;
    if (layer->in.rank != 1)
        return "takes one row of numbers; put flatten before it";
    imply(dense, settling);
    size_t shape[] = { dense->units, layer->in.size[0] };
    double variance = dense->activation != NULL ? dense->activation->variance : 1;
    layer->out = (struct pst_shape){ .rank = 1, .size = { dense->units } };
    struct pst_parameter *weight =
        pst_layer_add(layer, "weight", 2, shape, sqrt(variance / (double)layer->in.size[0]));
    weight->decays = true;
    weight->limited = !settling->last;
    if (!dense->no_bias)
        pst_layer_add(layer, "bias", 1, shape, 0);
    if (dense->activation != NULL) {
        settling->activations++;
        layer->number = settling->last ? 0 : settling->activations;
    }
    struct pst_finish finish = finish_of(layer);
    layer->memory_for_training = pst_finish_memory(&finish);
    layer->multiply_adds = (double)dense->units * (double)layer->in.size[0];
    return NULL;
}

static struct pst_dense_product product_of(const struct pst_layer *layer, const struct pst_pass *pass)
{
    const struct dense *dense = layer->settings;
    return (struct pst_dense_product){ .layer = layer,
                                       .n = pass->n,
                                       .in = layer->in.size[0],
                                       .out = dense->units,
                                       .weight = pst_layer_values(layer, pass, WEIGHT) };
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    struct pst_finish finish = finish_of(layer);
    struct pst_dense_product product = product_of(layer, pass);
    const float *bias = layer->parameter_count > BIAS ? pst_layer_values(layer, pass, BIAS) : NULL;
    struct pst_finishing finishing = { .bias = bias };
    if (pst_finish_is_simple(&finish, pass, &finishing.relu))
        product.finishing = &finishing;
    pass->kernels->type->forward(pass->kernels, &product, inputs, outputs);
    if (!finishing.done)
        pst_finish_forward(&finish, pass, bias, outputs, memory);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    struct pst_finish finish = finish_of(layer);

    struct pst_dense_product product = product_of(layer, pass);
    struct pst_taking taking = { .pass = pass, .weight = &layer->parameters[WEIGHT] };
    bool has_bias = layer->parameter_count > BIAS;
    float *weight_gradient = pst_layer_gradient(layer, pass, WEIGHT);
    float *bias_gradient = has_bias ? pst_layer_gradient(layer, pass, BIAS) : NULL;
    pst_finish_backward(&finish, pass, outputs, memory, gradient, bias_gradient);
    if (input_gradient != NULL)
        pass->kernels->type->input_gradient(pass->kernels, &product, gradient, input_gradient);

    product.taking = pass->rows == NULL ? NULL : &taking;
    pass->kernels->type->weight_gradient(pass->kernels, &product, gradient, inputs, weight_gradient);
    if (!taking.done)
        pass->take(pass->context, taking.weight, weight_gradient);

    if (has_bias)
        pass->take(pass->context, &layer->parameters[BIAS], bias_gradient);
}

static bool use(const struct pst_layer *layer, const struct pst_pass *pass, struct pst_use *use)
{
    const struct dense *dense = layer->settings;
    const float *bias = layer->parameter_count > BIAS ? pst_layer_values(layer, pass, BIAS) : NULL;
    *use = (struct pst_use){ .kind = PST_USE_PRODUCT,
                             .weight = pst_layer_values(layer, pass, WEIGHT),
                             .bias = bias };
    return pst_use_activation(use, dense->activation);
}

/* The weighted sum of one unit for one sample. */
static double plain_sum(const struct pst_layer *layer, const double *parameters, const double *inputs,
                        size_t unit)
{
    size_t in = layer->in.size[0];
    const double *weight = parameters + layer->parameters[WEIGHT].at + unit * in;
    double sum = layer->parameter_count > BIAS ? parameters[layer->parameters[BIAS].at + unit] : 0;
    for (size_t i = 0; i < in; i++)
        sum += weight[i] * inputs[i];
    return sum;
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    struct pst_finish finish = finish_of(layer);
    for (size_t sample = 0; sample < pass->n; sample++)
        for (size_t unit = 0; unit < finish.width; unit++) {
            double sum = plain_sum(layer, pass->parameters, inputs + sample * layer->in.size[0], unit);
            size_t at = sample * finish.width + unit;
            outputs[at] = pst_finish_plain(&finish, pass, at, sum);
        }
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    struct pst_finish finish = finish_of(layer);
    size_t in = layer->in.size[0];
    memset(input_gradient, 0, pass->n * in * sizeof *input_gradient);
    for (size_t sample = 0; sample < pass->n; sample++)
        for (size_t unit = 0; unit < finish.width; unit++) {
            const double *x = inputs + sample * in;
            size_t output = sample * finish.width + unit;
            double sum = plain_sum(layer, pass->parameters, x, unit);
            double g = gradient[output] * pst_finish_plain_slope(&finish, pass, output, sum);
            if (layer->parameter_count > BIAS)
                parameter_gradient[layer->parameters[BIAS].at + unit] += g;
            size_t at = layer->parameters[WEIGHT].at + unit * in;
            for (size_t i = 0; i < in; i++) {
                parameter_gradient[at + i] += g * x[i];
                input_gradient[sample * in + i] += g * pass->parameters[at + i];
            }
        }
}

const struct pst_layer_type pst_layer_dense = {
    .name = "dense",
    .grammar = "800, 800nobias",
    .help = "this many units, each a weighted sum of all inputs",
    .example = "6-8-7-4 6-8-none-4 6-8nobias-5nobias-4nobias",
    .settings_size = sizeof(struct dense),
    .parse = parse,
    .describe = describe,
    .absorb = absorb,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
    .use = use,
};

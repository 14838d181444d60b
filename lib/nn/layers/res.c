/*
 * res: a residual block (He et al. 2016): a chain of layers, whose outputs are added to the block's inputs
 * or to the outputs of a second chain, the shortcut. If the shapes differ and no shortcut is named, there is
 * a projection: a convolution of 1x1 or a dense layer, with batch normalisation if the chain ends with one.
 */
#include "lib/nn/layers/finish.h"

#include "lib/nn/kernels.h"
#include "lib/nn/plain.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const struct pst_layer_type pst_layer_bn;

struct res {
    struct pst_chain chain, shortcut; /* a shortcut without layers gives the inputs */
    struct pst_taken_activation taken;
};

static bool parse(const char *word, void *settings)
{
    (void)settings;
    return strcmp(word, "res") == 0;
}

static struct pst_chain *inner(const struct pst_layer *layer, size_t which)
{
    struct res *res = layer->settings;
    return which == 0 ? &res->chain : which == 1 ? &res->shortcut : NULL;
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    const struct res *res = layer->settings;
    fputs("res(", text);
    pst_chain_describe(&res->chain, text);
    if (res->shortcut.count > 0) {
        fputc('|', text);
        pst_chain_describe(&res->shortcut, text);
    }
    fputc(')', text);
    pst_taken_describe(&res->taken, text);
}

static bool absorb(struct pst_layer *layer, const struct pst_activation *activation, double slope)
{
    return pst_take_activation(&((struct res *)layer->settings)->taken, activation, slope);
}

static struct pst_finish finish_of(const struct pst_layer *layer)
{
    const struct res *res = layer->settings;
    return (struct pst_finish){ .activation = res->taken.activation,
                                .slope = res->taken.slope,
                                .number = layer->number,
                                .width = pst_shape_elements(&layer->out) };
}

/* ---- settling ---------------------------------------------------------------------------------------- */

static bool same_shape(const struct pst_shape *a, const struct pst_shape *b)
{
    bool same = a->rank == b->rank;
    for (size_t i = 0; same && i < a->rank; i++)
        same = a->size[i] == b->size[i];
    return same;
}

/* The words of a projection from one shape to another; false if there is none. */
static bool name_projection(const struct res *res, const struct pst_shape *in, const struct pst_shape *out,
                            char *words, size_t size)
{
    bool normal = res->chain.layers[res->chain.count - 1].type == &pst_layer_bn;
    if (in->rank == 1 && out->rank == 1) {
        snprintf(words, size, "%zu%s", out->size[0], normal ? "nobias-bn" : "-none");
        return true;
    }
    if (in->rank != 3 || out->rank != 3)
        return false;
    size_t stride[2];
    for (size_t side = 0; side < 2; side++) {
        stride[side] = (in->size[1 + side] + out->size[1 + side] - 1) / out->size[1 + side];
        if ((in->size[1 + side] - 1) / stride[side] + 1 != out->size[1 + side])
            return false;
    }
    snprintf(words, size, "conv1x1:%zu,stride=%zux%zu%s", out->size[0], stride[0], stride[1],
             normal ? "-bn" : "");
    return true;
}

static const char *project(struct res *res, const struct pst_layer *layer, struct pst_settling *settling)
{
    char words[80], in[PST_SHAPE_TEXT], out[PST_SHAPE_TEXT];
    if (!name_projection(res, &layer->in, &res->chain.out, words, sizeof words))
        return pst_unfit(settling,
                         "makes %s of %s, which no projection does; name the shortcut: res(...|...)",
                         pst_shape_text(&res->chain.out, out), pst_shape_text(&layer->in, in));
    if (pst_chain_parse(&res->shortcut, words, 0, NULL, NULL) != PST_OK ||
        pst_chain_settle(&res->shortcut, &layer->in, settling, false, NULL) != PST_OK)
        return "has no memory for its projection";
    return NULL;
}

/* The chains' memory, and the other parts of struct pieces. */
static void settle_memory(struct pst_layer *layer, const struct res *res)
{
    struct pst_finish finish = finish_of(layer);
    size_t out = pst_shape_elements(&layer->out), in = pst_shape_elements(&layer->in);
    layer->memory_for_use = res->chain.memory[false] + res->shortcut.memory[false] + out;
    layer->memory_for_training = res->chain.memory[true] + res->shortcut.memory[true] + 2 * out +
                                 pst_finish_memory(&finish) + (res->shortcut.count > 0 ? out + in : 0);
}

static double multiply_adds(const struct pst_chain *chain)
{
    double sum = 0;
    for (size_t i = 0; i < chain->count; i++)
        sum += chain->layers[i].multiply_adds;
    return sum;
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    struct res *res = layer->settings;
    char in[PST_SHAPE_TEXT], out[PST_SHAPE_TEXT];
    const struct pst_shape *from = res->shortcut.count > 0 ? &res->shortcut.out : &layer->in;
    bool last = settling->last;
    const char *wrong = NULL;
    layer->out = res->chain.out;
    if (!same_shape(from, &layer->out) && res->shortcut.count > 0)
        wrong = pst_unfit(settling, "adds %s of its shortcut to %s of its chain", pst_shape_text(from, in),
                          pst_shape_text(&layer->out, out));
    else if (!same_shape(from, &layer->out))
        wrong = project(res, layer, settling);
    if (wrong != NULL)
        return wrong;
    if (res->taken.activation != NULL) {
        settling->activations++;
        layer->number = last ? 0 : settling->activations;
    }
    settle_memory(layer, res);
    layer->multiply_adds = multiply_adds(&res->chain) + multiply_adds(&res->shortcut);
    return NULL;
}

/* ---- passes ------------------------------------------------------------------------------------------ */

/* The parts of a layer's memory. In use there are only the first three. */
struct pieces {
    float *chain, *shortcut;                 /* the chains' own */
    float *outputs;                          /* of the chain */
    float *gradient;                         /* of the sum */
    float *kept;                             /* of the activation */
    float *shortcut_outputs, *shortcut_back; /* of a shortcut: outputs, and gradient of inputs */
};

static struct pieces pieces_of(const struct pst_layer *layer, const struct pst_pass *pass, float *memory)
{
    const struct res *res = layer->settings;
    struct pst_finish finish = finish_of(layer);
    size_t room = pass->room, out = pst_shape_elements(&layer->out);
    struct pieces pieces = { .chain = memory };
    pieces.shortcut = pieces.chain + room * res->chain.memory[pass->training];
    pieces.outputs = pieces.shortcut + room * res->shortcut.memory[pass->training];
    pieces.gradient = pieces.outputs + room * out;
    pieces.kept = pieces.gradient + room * out;
    pieces.shortcut_outputs = pieces.kept + room * pst_finish_memory(&finish);
    pieces.shortcut_back = pieces.shortcut_outputs + room * out;
    return pieces;
}

static void forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                    float *outputs, float *memory)
{
    const struct res *res = layer->settings;
    struct pst_finish finish = finish_of(layer);
    struct pieces pieces = pieces_of(layer, pass, memory);
    const float *from = inputs;
    pst_chain_forward(&res->chain, pass, inputs, pieces.outputs, pieces.chain);
    if (res->shortcut.count > 0) {
        float *to = pass->training ? pieces.shortcut_outputs : outputs;
        pst_chain_forward(&res->shortcut, pass, inputs, to, pieces.shortcut);
        from = to;
    }
    if (from != outputs)
        memcpy(outputs, from, pass->n * finish.width * sizeof *outputs);
    pst_kernel_add(outputs, pieces.outputs, pass->n * finish.width);
    pst_finish_forward(&finish, pass, NULL, outputs, pieces.kept);
}

static void backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                     const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    const struct res *res = layer->settings;
    struct pst_finish finish = finish_of(layer);
    struct pieces pieces = pieces_of(layer, pass, memory);
    const float *back = pieces.gradient;
    pst_finish_backward(&finish, pass, outputs, pieces.kept, gradient, NULL);
    memcpy(pieces.gradient, gradient, pass->n * finish.width * sizeof *gradient);
    pst_chain_backward(&res->chain, pass, inputs, pieces.outputs, gradient, input_gradient, pieces.chain);
    if (res->shortcut.count > 0) {
        back = pieces.shortcut_back;
        pst_chain_backward(&res->shortcut, pass, inputs, pieces.shortcut_outputs, pieces.gradient,
                           input_gradient == NULL ? NULL : pieces.shortcut_back, pieces.shortcut);
    }
    if (input_gradient != NULL)
        pst_kernel_add(input_gradient, back, pass->n * pst_shape_elements(&layer->in));
}

/* ---- plain twins ------------------------------------------------------------------------------------- */

/* The sums before the activation, [n, out]; NULL if memory is short. */
static double *plain_sums(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs)
{
    const struct res *res = layer->settings;
    size_t count = pass->n * pst_shape_elements(&layer->out);
    double *sums = pst_allocate(count, sizeof *sums, NULL), *other = pst_allocate(count, sizeof *other, NULL);
    bool good = sums != NULL && other != NULL && pst_plain_chain_forward(&res->chain, pass, inputs, sums);
    if (good && res->shortcut.count == 0)
        memcpy(other, inputs, count * sizeof *other);
    else
        good = good && pst_plain_chain_forward(&res->shortcut, pass, inputs, other);
    for (size_t i = 0; good && i < count; i++)
        sums[i] += other[i];
    free(other);
    if (!good)
        free(sums);
    return good ? sums : NULL;
}

static void spoil(double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        values[i] = NAN;
}

static void plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                          const double *inputs, double *outputs)
{
    struct pst_finish finish = finish_of(layer);
    double *sums = plain_sums(layer, pass, inputs);
    if (sums == NULL)
        spoil(outputs, pass->n * finish.width);
    for (size_t at = 0; sums != NULL && at < pass->n * finish.width; at++)
        outputs[at] = pst_finish_plain(&finish, pass, at, sums[at]);
    free(sums);
}

/* sum: becomes the gradient of the sum. other: memory for that of the shortcut's inputs. */
static bool plain_chains_back(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                              const double *inputs, double *sum, double *other, double *input_gradient,
                              double *parameter_gradient)
{
    const struct res *res = layer->settings;
    size_t in = pass->n * pst_shape_elements(&layer->in);
    if (!pst_plain_chain_backward(&res->chain, pass, inputs, sum, input_gradient, parameter_gradient))
        return false;
    if (res->shortcut.count == 0)
        memcpy(other, sum, in * sizeof *other);
    else if (!pst_plain_chain_backward(&res->shortcut, pass, inputs, sum, other, parameter_gradient))
        return false;
    for (size_t i = 0; i < in; i++)
        input_gradient[i] += other[i];
    return true;
}

static void plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                           const double *inputs, const double *gradient, double *input_gradient,
                           double *parameter_gradient)
{
    struct pst_finish finish = finish_of(layer);
    size_t in = pass->n * pst_shape_elements(&layer->in);
    double *sum = plain_sums(layer, pass, inputs), *other = pst_allocate(in, sizeof *other, NULL);
    for (size_t at = 0; sum != NULL && at < pass->n * finish.width; at++)
        sum[at] = gradient[at] * pst_finish_plain_slope(&finish, pass, at, sum[at]);
    if (sum == NULL || other == NULL ||
        !plain_chains_back(layer, pass, inputs, sum, other, input_gradient, parameter_gradient))
        spoil(input_gradient, in);
    free(sum);
    free(other);
}

const struct pst_layer_type pst_layer_res = {
    .name = "res",
    .grammar = "res(conv3x3:32-bn), res(...|conv1x1:32)",
    .help = "a chain of layers, plus its input or a shortcut",
    .example = "2x5x4-res(conv3x3:2-bn-relu-conv3x3:2-bn)-relu-flatten-4 "
               "2x5x4-conv1x1:3-res(conv3x3:4,stride=2-bn-relu-conv3x3:4-bn)-relu-gap-3 "
               "2x5x4-res(conv3x3:4-relu|conv1x1:4-relu)-tanh-res(res(conv3x3:4-relu)-ln)-gap-3 "
               "6-8-res(8-tanh-8-relu)-res(5-bn)-silu-4 "
               "2x4x4-res(conv3x3:3|avgpool3x3,stride=1,pad=1-conv1x1:3)-gap-2",
    .settings_size = sizeof(struct res),
    .channels_last = true,
    .parse = parse,
    .describe = describe,
    .absorb = absorb,
    .settle = settle,
    .forward = forward,
    .backward = backward,
    .plain_forward = plain_forward,
    .plain_backward = plain_backward,
    .inner = inner,
};

/* Networks: architecture strings, the layout of parameters, initial weights, workspaces. */
#include "lib/nn/kernels/products.h"
#include "lib/nn/plain.h"
#include "tests/unit/nn_fixture.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static void an_architecture_gives_its_layers(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_error error;
    assert_int_equal(pst_network_new(&network, "784-30-20-10", &error), PST_OK);
    assert_int_equal(network.chain.count, 3);
    assert_int_equal(network.chain.layers[0].in.size[0], 784);
    assert_int_equal(network.chain.layers[0].out.size[0], 30);
    assert_int_equal(network.chain.layers[1].in.size[0], 30);
    assert_int_equal(network.chain.layers[2].out.size[0], 10);
    assert_int_equal(pst_network_inputs(&network), 784);
    assert_int_equal(pst_network_outputs(&network), 10);
    for (size_t i = 0; i < network.parameter_count; i++)
        assert_true(network.parameters[i] == 0);
    pst_network_free(&network);
    assert_null(network.parameters);
}

static void a_text_without_an_architecture_is_refused_and_quoted(void **state)
{
    (void)state;
    static const char *const bad[] = { "",
                                       "784",
                                       "-",
                                       "784-",
                                       "-10",
                                       "784--10",
                                       "0-10",
                                       "784-0",
                                       "3- 4",
                                       " 3-4",
                                       "3-4 ",
                                       "3-4-",
                                       "784x10",
                                       "784-1e2",
                                       "3,4",
                                       "3-+4",
                                       "1048577-1",
                                       "1-1048577",
                                       "3.5-4",
                                       "0x10-4",
                                       "3-4a",
                                       "three-4",
                                       "3-relu-",
                                       "3x3x3x3-4",
                                       "3x0-4",
                                       "3x-flatten-2",
                                       "2000x2000-flatten-1",
                                       "3-drop1-2",
                                       "3-drop-2",
                                       "3-drop0.5x-2",
                                       "3-leaky2-2",
                                       "3-leaky-0.1-2",
                                       "3-tanh0.1-2",
                                       "3-2-drop0.5",
                                       "3-relu",
                                       "3x3-4",
                                       "3-4no",
                                       "3-(4)",
                                       "3-((4-5)-6" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pst_network network;
        struct pst_error error = { 0 };
        assert_int_equal(pst_network_new(&network, bad[i], &error), PST_USAGE);
        assert_int_equal(error.status, PST_USAGE);
        assert_non_null(strstr(error.message, bad[i]));
        assert_null(network.parameters);
        assert_int_equal(network.chain.count, 0);
    }
}

static void a_number_longer_than_any_width_is_refused(void **state)
{
    (void)state;
    struct pst_network network;
    assert_int_equal(pst_network_new(&network, "99999999999999999999999999-10", NULL), PST_USAGE);
    assert_int_equal(pst_network_new(&network, "18446744073709551617-10", NULL), PST_USAGE);
}

/* "1-1-…" with the given number of layers. */
static void chain(char *text, size_t layers)
{
    strcpy(text, "1");
    for (size_t l = 0; l < layers; l++)
        strcat(text, "-1");
}

static void as_many_layers_as_allowed_and_not_one_more(void **state)
{
    (void)state;
    static char text[2 * PST_MAX_LAYERS + 8];
    struct pst_network network;
    chain(text, PST_MAX_LAYERS);
    assert_int_equal(pst_network_new(&network, text, NULL), PST_OK);
    assert_int_equal(network.chain.count, PST_MAX_LAYERS);
    pst_network_free(&network);
    chain(text, PST_MAX_LAYERS + 1);
    assert_int_equal(pst_network_new(&network, text, NULL), PST_USAGE);
}

static void the_widest_layer_is_allowed(void **state)
{
    (void)state;
    struct pst_network network;
    assert_int_equal(pst_network_new(&network, "1-1048576", NULL), PST_OK);
    assert_int_equal(pst_network_outputs(&network), PST_MAX_WIDTH);
    pst_network_free(&network);
}

static void layers_are_aligned_and_do_not_overlap(void **state)
{
    (void)state;
    struct pst_network network;
    assert_int_equal(pst_network_new(&network, "7-5-3-1", NULL), PST_OK);
    size_t end = 0;
    for (size_t t = 0; t < network.tensor_count; t++) {
        assert_int_equal((uintptr_t)values_of(&network, t) % PST_ALIGNMENT, 0);
        assert_true(network.tensors[t]->at >= end);
        end = network.tensors[t]->at + network.tensors[t]->count;
    }
    assert_int_equal(network.tensor_count, 6);
    assert_true(network.parameter_count >= end);
    pst_network_free(&network);
}

static void describe_gives_the_architecture_back(void **state)
{
    (void)state;
    /* The text, and its only description. */
    static const char *const texts[][2] = {
        { "1-1", NULL },
        { "784-30-20-10", NULL },
        { "784-30-relu-20-10", "784-30-20-10" },
        { "784-30-tanh-20-none-10-none", "784-30-tanh-20-none-10" },
        { "784-30-drop0.50-10", "784-30-drop0.5-10" },
        { "784-30nobias-leaky0.01-10nobias", "784-30nobias-leaky-10nobias" },
        { "3x32x32-flatten-30-10-sigmoid", NULL },
        { "3x4-relu-flatten-9", NULL },
        { "784-30-relu-tanh-10", NULL },
        { "784-30-relu", NULL },
        { "0784-010", "784-10" },
        { "1x28x28-conv5x5:6,pad=0-tanh-maxpool2x2-flatten-10", NULL },
        { "1x28x28-conv5:6,pad=2-maxpool2x2,stride=2-flatten-10", "1x28x28-conv5x5:6-maxpool2x2-flatten-10" },
        { "1x28x28-conv5:6-none-bn,epsilon=0.00001-relu-gap-10", "1x28x28-conv5x5:6-bn-relu-gap-10" },
        { "1x28x28-conv3:6,bias-bn,momentum=0.01-gap-10", "1x28x28-conv3x3:6,bias-bn,momentum=0.01-gap-10" },
        { "1x28x28-conv3:6,nobias-bn-gap-10", "1x28x28-conv3x3:6-bn-gap-10" },
        { "4x9x9-depthwise3,stride=2x2,nobias-conv1:8,groups=2,dilation=1-ln,epsilon=0.0010-gap-10",
          "4x9x9-depthwise3x3,stride=2,nobias-conv1x1:8,groups=2-ln,epsilon=0.001-gap-10" },
        { "1x1x40-conv1x5:4,stride=1x2,dilation=1x2-avgpool1x4-flatten-3", NULL },
        { "2x8x8-res(conv3:2)-relu-gap-3", "2x8x8-res(conv3x3:2)-relu-gap-3" },
        { "2x8x8-res(conv3:4,stride=2-bn)-relu-gap-3",
          "2x8x8-res(conv3x3:4,stride=2-bn|conv1x1:4,stride=2-bn)-relu-gap-3" },
        { "5-res(4)-3", "5-res(4|4)-3" },
        { "5-3*4-3", "5-4-4-4-3" },
        { "5-2*(4-tanh)-3", "5-4-tanh-4-tanh-3" },
        { "2x4x4-2*res(2*(conv3:2-relu))-gap-3",
          "2x4x4-res(conv3x3:2-relu-conv3x3:2-relu)-res(conv3x3:2-relu-conv3x3:2-relu)-gap-3" },
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pst_network network;
        assert_int_equal(pst_network_new(&network, texts[i][0], NULL), PST_OK);
        assert_string_equal(network.architecture, texts[i][1] != NULL ? texts[i][1] : texts[i][0]);
        pst_network_free(&network);
    }
}

static void a_wrong_word_is_named_with_the_words_that_there_are(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_error error = { 0 };
    assert_int_equal(pst_network_new(&network, "784-30-rleu-10", &error), PST_USAGE);
    assert_non_null(strstr(error.message, "'rleu' is not a layer; layers are like: 800"));
    assert_int_equal(pst_network_new(&network, "3x8x8-30-10", &error), PST_USAGE);
    assert_non_null(strstr(error.message, "layer 1, dense, takes one row of numbers; put flatten before it"));
}

/* A text whose part between < and > is at fault, and its message. */
static void assert_fault(const char *marked, const char *said)
{
    char text[200] = "";
    struct pst_network network;
    struct pst_place place;
    struct pst_error error = { 0 };
    const char *from = strchr(marked, '<'), *to = strchr(marked, '>');
    assert_true(from != NULL && to != NULL && strlen(marked) < sizeof text);
    snprintf(text, sizeof text, "%.*s%.*s%s", (int)(from - marked), marked, (int)(to - from - 1), from + 1,
             to + 1);
    assert_int_equal(pst_network_parse(&network, text, &place, &error), PST_USAGE);
    if (strstr(error.message, said) == NULL)
        fail_msg("%s: %s", text, error.message);
    if (place.at != (size_t)(from - marked) || place.length != (size_t)(to - from - 1))
        fail_msg("%s: place %zu, %zu bytes", text, place.at, place.length);
}

static void a_fault_is_told_with_its_place(void **state)
{
    (void)state;
    assert_fault("<784>", "begin with the shape");
    assert_fault("784-30-<rleu>-10", "'rleu' is not a layer; layers are like: 800");
    assert_fault("784-30-<>", "'' is not a layer");
    assert_fault("3x8x8-<30>-10",
                 "layer 1, dense, takes one row of numbers; put flatten before it (its input is 3x8x8)");
    assert_fault("3x8x8-<conv3x3>-gap-10", "is not a layer conv, which is like: conv3x3:32");
    assert_fault("3x8x8-<conv0:4>-gap-10", "is not a layer conv");
    assert_fault("3x8x8-<conv3:0>-gap-10", "is not a layer conv");
    assert_fault("3x8x8-<conv3:4,stride=0>-gap-10", "is not a layer conv");
    assert_fault("3x8x8-<conv3:4,stride=1,stride=1>-gap-10", "is not a layer conv");
    assert_fault("3x8x8-<conv3:4,bias,nobias>-gap-10", "is not a layer conv");
    assert_fault("3x8x8-<conv3:4,width=3>-gap-10", "is not a layer conv");
    assert_fault("3x8x8-<depthwise3,groups=3>-gap-10", "is not a layer conv");
    assert_fault("192-<conv3:4>-gap-10",
                 "layer 1, conv, takes channels, height and width, such as 3x32x32 (its input is 192)");
    assert_fault("3x8x8-flatten-<maxpool2>-10", "layer 2, maxpool, takes channels, height and width");
    assert_fault("3x8x8-gap-<gap>-10", "layer 2, gap, takes maps");
    assert_fault("3x8x8-<conv3:4,pad=3>-gap-10",
                 "has a padding of 3, but its kernel is 3 high, so at most 2 is of use");
    assert_fault("3x8x8-<maxpool2,pad=0x2>-gap-10", "has a padding of 2, but its kernel is 2 wide");
    assert_fault("3x8x8-<conv9:4,pad=0>-gap-10",
                 "has a kernel 9 high, but its input is only 8 high with padding");
    assert_fault("3x4x8-<conv3:4,pad=1,dilation=3>-gap-10",
                 "has a kernel 7 high, but its input is only 6 high");
    assert_fault("3x8x8-maxpool8-<maxpool2>-gap-10",
                 "layer 2, maxpool, has a kernel 2 high, but its input is only 1 high");
    assert_fault("3x8x8-<conv3:4,groups=2>-gap-10",
                 "has 2 groups, which do not divide its 3 channels and 4 maps");
    assert_fault("4x8x8-<conv3:3,groups=2>-gap-10",
                 "has 2 groups, which do not divide its 4 channels and 3 maps");
    assert_fault("3x8x8-<res(conv3:3|conv1:4)>-gap-10", "adds 4x8x8 of its shortcut to 3x8x8 of its chain");
    assert_fault("3x8x8-<res(conv3:3,pad=0)>-gap-10",
                 "makes 3x6x6 of 3x8x8, which no projection does; name the shortcut");
    assert_fault("3x8x8-res(conv3:3-<conv3:4,groups=2>)-gap-10",
                 "in layer 1, res: layer 2, conv, has 2 groups");
    assert_fault("3x8x8-res(conv3:3-bn|<conv9>)-gap-10", "'conv9' is not a layer conv");
    assert_fault("3x8x8-<res>-gap-10", "'res' is not a layer res, which is like: res(conv3x3:32-bn)");
    assert_fault("3x8x8-res(<>)-gap-10", "'' is not a layer");
    assert_fault("3x8x8-res(bn|bn|<bn>)-gap-10", "res holds 2 chains, and not more");
    assert_fault("3x8x8-res<(>conv3:3-gap-10", "a '(' has no ')'");
    assert_fault("3x8x8-conv3:3<)>-gap-10", "a ')' has no '('");
    assert_fault("3-9*((((((((<(>4)))))))))-10", "more than 8 parentheses");
    assert_fault("3-<0*4>-10", "a number from 1 to 512 is before '*'");
    assert_fault("3-4-3*<4*5>-10", "'4*5' is not a layer");
    assert_fault("3-300*4-300*<5>-10", "more than 512 layers");
    assert_fault("2x2x2-conv1x1:2-512*(512*(512*(512*(<none>))))",
                 "more than 2048 words, repeated ones included");
}

static void an_architecture_of_any_length_comes_back(void **state)
{
    (void)state;
    static char text[8 * (PST_MAX_LAYERS + 1) + 1];
    struct pst_network network;
    strcpy(text, "2");
    for (size_t l = 0; l < PST_MAX_LAYERS; l++)
        strcat(text, "-2nobias");
    assert_int_equal(pst_network_new(&network, text, NULL), PST_OK);
    assert_string_equal(network.architecture, text);
    pst_network_free(&network);
}

/* A layer that holds a chain, like a residual block: its output is its input plus the chain's output. */
struct holder {
    struct pst_chain chain;
};

static const char *holder_settle(struct pst_layer *layer, struct pst_settling *settling)
{
    struct holder *holder = layer->settings;
    (void)settling;
    layer->out = layer->in;
    layer->memory_for_use = holder->chain.memory[false];
    layer->memory_for_training = holder->chain.memory[true];
    return NULL;
}

static void holder_forward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                           float *outputs, float *memory)
{
    struct holder *holder = layer->settings;
    pst_chain_forward(&holder->chain, pass, inputs, outputs, memory);
    for (size_t i = 0; i < pass->n * pst_shape_elements(&layer->in); i++)
        outputs[i] += inputs[i];
}

static void holder_backward(const struct pst_layer *layer, const struct pst_pass *pass, const float *inputs,
                            const float *outputs, float *gradient, float *input_gradient, float *memory)
{
    struct holder *holder = layer->settings;
    size_t count = pass->n * pst_shape_elements(&layer->in);
    float *kept = needed(count, sizeof *kept);
    memcpy(kept, gradient, count * sizeof *kept);
    pst_chain_backward(&holder->chain, pass, inputs, outputs, gradient, input_gradient, memory);
    for (size_t i = 0; input_gradient != NULL && i < count; i++)
        input_gradient[i] += kept[i];
    free(kept);
}

static void holder_plain_forward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                                 const double *inputs, double *outputs)
{
    struct holder *holder = layer->settings;
    assert_true(pst_plain_chain_forward(&holder->chain, pass, inputs, outputs));
    for (size_t i = 0; i < pass->n * pst_shape_elements(&layer->in); i++)
        outputs[i] += inputs[i];
}

static void holder_plain_backward(const struct pst_layer *layer, const struct pst_plain_pass *pass,
                                  const double *inputs, const double *gradient, double *input_gradient,
                                  double *parameter_gradient)
{
    struct holder *holder = layer->settings;
    assert_true(
        pst_plain_chain_backward(&holder->chain, pass, inputs, gradient, input_gradient, parameter_gradient));
    for (size_t i = 0; i < pass->n * pst_shape_elements(&layer->in); i++)
        input_gradient[i] += gradient[i];
}

static struct pst_chain *holder_inner(const struct pst_layer *layer, size_t which)
{
    struct holder *holder = layer->settings;
    return which == 0 ? &holder->chain : NULL;
}

static const struct pst_layer_type holder_type = { .name = "holder",
                                                   .settle = holder_settle,
                                                   .forward = holder_forward,
                                                   .backward = holder_backward,
                                                   .plain_forward = holder_plain_forward,
                                                   .plain_backward = holder_plain_backward,
                                                   .inner = holder_inner };

static void keep_gradient(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    memcpy((float *)context + parameter->at, gradient, parameter->count * sizeof *gradient);
}

static void a_layer_may_hold_a_chain(void **state)
{
    (void)state;
    enum { N = 5, WIDTH = 7, OUTPUTS = 3, PARAMETERS = 1024, MEMORY = 4096 };
    static float parameters[PARAMETERS], gradients[PARAMETERS], room[PARAMETERS], memory[16 * MEMORY];
    static float inputs[N * WIDTH], outputs[N * OUTPUTS], gradient[N * OUTPUTS];
    static double plain_parameters[PARAMETERS], plain_gradients[PARAMETERS], plain_inputs[N * WIDTH],
        plain_outputs[N * OUTPUTS], plain_gradient[N * OUTPUTS], plain_input_gradient[N * WIDTH];
    struct holder held;
    struct pst_chain chain;
    struct pst_settling settling = { 0 };
    const struct pst_shape in = { .rank = 1, .size = { WIDTH } };
    assert_int_equal(pst_chain_parse(&chain, "7-tanh-7-3", 0, NULL, NULL), PST_OK);
    assert_int_equal(pst_chain_parse(&held.chain, "9-gelu-7", 0, NULL, NULL), PST_OK);
    struct pst_layer replaced = chain.layers[1];
    chain.layers[1] = (struct pst_layer){ .type = &holder_type, .settings = &held };
    assert_int_equal(pst_chain_settle(&chain, &in, &settling, true, NULL), PST_OK);
    assert_int_equal(settling.layers, 4);
    assert_true(chain.memory[true] < MEMORY);
    struct pst_layer *layers[] = { &chain.layers[0], &held.chain.layers[0], &held.chain.layers[1],
                                   &chain.layers[2] };
    size_t at = 0;
    for (size_t l = 0; l < 4; l++)
        for (size_t p = 0; p < 2; p++) {
            layers[l]->parameters[p].at = at;
            at += layers[l]->parameters[p].count;
        }
    assert_true(at < PARAMETERS);
    fill_random(parameters, at, 0.5, 1);
    fill_random(inputs, N * WIDTH, 1, 2);
    copy_to_double(plain_parameters, parameters, at);
    copy_to_double(plain_inputs, inputs, N * WIDTH);
    struct pst_kernels kernels;
    assert_int_equal(pst_kernels_open(&kernels, &(struct pst_arithmetic){ 0 }, NULL), PST_OK);
    struct pst_pass pass = { .n = N,
                             .kernels = &kernels,
                             .room = 16,
                             .training = true,
                             .parameters = parameters,
                             .gradients = room,
                             .take = keep_gradient,
                             .context = gradients };
    const struct pst_plain_pass plain = { .n = N, .parameters = plain_parameters };
    pst_chain_forward(&chain, &pass, inputs, outputs, memory);
    assert_true(pst_plain_chain_forward(&chain, &plain, plain_inputs, plain_outputs));
    assert_close(outputs, plain_outputs, N * OUTPUTS, 1e-5);
    for (size_t i = 0; i < N * OUTPUTS; i++)
        gradient[i] = (float)(plain_gradient[i] = 1 + (double)(i % 3));
    pst_chain_backward(&chain, &pass, inputs, outputs, gradient, NULL, memory);
    assert_true(pst_plain_chain_backward(&chain, &plain, plain_inputs, plain_gradient, plain_input_gradient,
                                         plain_gradients));
    assert_close(gradients, plain_gradients, at, 1e-4);
    pass.training = false; /* outside of training it gives the same */
    float again[N * OUTPUTS];
    pst_chain_forward(&chain, &pass, inputs, again, memory);
    assert_memory_equal(outputs, again, sizeof again);
    chain.layers[1] = replaced;
    pst_chain_free(&held.chain);
    pst_chain_free(&chain);
    pst_kernels_close(&kernels);
}

/* Mean and variance of a layer's weights are those of a sample of that size from N(0, variance), to 5 sigma.
 */
static void assert_normal(const struct pst_network *network, size_t parameter, double variance)
{
    const float *weight = values_of(network, parameter);
    size_t count = network->tensors[parameter]->count;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)weight[i];
        squares += (double)weight[i] * (double)weight[i];
    }
    assert_true(fabs(sum / (double)count) < 5 * sqrt(variance / (double)count));
    assert_true(fabs(squares / (double)count / variance - 1) < 5 * sqrt(2.0 / (double)count));
}

static void initial_weights_have_the_promised_variance_and_biases_are_zero(void **state)
{
    (void)state;
    struct pst_network network;
    assert_int_equal(pst_network_new(&network, "300-200-150-tanh-100", NULL), PST_OK);
    pst_network_initialise(&network, 5);
    assert_normal(&network, 0, 2.0 / 300);
    assert_normal(&network, 2, 1.0 / 200);
    assert_normal(&network, 4, 1.0 / 150);
    for (size_t bias = 1; bias < 6; bias += 2)
        for (size_t i = 0; i < network.tensors[bias]->count; i++)
            assert_true(values_of(&network, bias)[i] == 0);
    pst_network_free(&network);
}

static void the_same_seed_gives_the_same_weights_and_another_others(void **state)
{
    (void)state;
    struct pst_network network[2];
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pst_network_new(&network[i], "20-30-10", NULL), PST_OK);
        pst_network_initialise(&network[i], 9);
    }
    size_t bytes = network[0].parameter_count * sizeof(float);
    assert_memory_equal(network[0].parameters, network[1].parameters, bytes);
    pst_network_initialise(&network[1], 10);
    assert_memory_not_equal(network[0].parameters, network[1].parameters, bytes);
    fill_random(network[1].parameters, network[1].parameter_count, 1, 3);
    pst_network_initialise(&network[1], 9);
    assert_memory_equal(network[0].parameters, network[1].parameters, bytes);
    for (int i = 0; i < 2; i++)
        pst_network_free(&network[i]);
}

static void a_batch_too_large_for_memory_is_an_error(void **state)
{
    (void)state;
    static const size_t too_many[] = { SIZE_MAX, SIZE_MAX / 8, (size_t)INT_MAX + 1 };
    struct pst_network network;
    assert_int_equal(pst_network_new(&network, "20-30-10", NULL), PST_OK);
    for (size_t i = 0; i < sizeof too_many / sizeof *too_many; i++) {
        struct pst_workspace *workspace;
        assert_int_equal(
            pst_workspace_new(&workspace, &network, too_many[i], true, &(struct pst_arithmetic){ 0 }, NULL),
            PST_TRY_AGAIN);
        assert_null(workspace);
    }
    pst_network_free(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_architecture_gives_its_layers),
        cmocka_unit_test(a_text_without_an_architecture_is_refused_and_quoted),
        cmocka_unit_test(a_number_longer_than_any_width_is_refused),
        cmocka_unit_test(as_many_layers_as_allowed_and_not_one_more),
        cmocka_unit_test(the_widest_layer_is_allowed),
        cmocka_unit_test(layers_are_aligned_and_do_not_overlap),
        cmocka_unit_test(describe_gives_the_architecture_back),
        cmocka_unit_test(a_wrong_word_is_named_with_the_words_that_there_are),
        cmocka_unit_test(a_fault_is_told_with_its_place),
        cmocka_unit_test(an_architecture_of_any_length_comes_back),
        cmocka_unit_test(a_layer_may_hold_a_chain),
        cmocka_unit_test(initial_weights_have_the_promised_variance_and_biases_are_zero),
        cmocka_unit_test(the_same_seed_gives_the_same_weights_and_another_others),
        cmocka_unit_test(a_batch_too_large_for_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

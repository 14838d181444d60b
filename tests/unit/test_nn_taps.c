/* Taps: the outputs of layers inside of a network, and gradients that are added there on the way back; for
 * every type of layer, and for layers that other layers hold. */
#include "lib/nn/plain.h"
#include "tests/unit/nn_fixture.h"

#include <stdio.h>
#include <string.h>

enum { N = 5, MOST_TAPS = 40 };

/* A network with a tap on each of its layers. The loss is half the squared distance from 1 of the outputs,
 * and from 0.5 of what every layer gives. */
struct tapped {
    struct pst_network network;
    struct pst_dropout dropout;
    uint64_t ids[N];
    size_t count;
    const struct pst_layer *layers[MOST_TAPS];
    struct pst_plain_tap plain[MOST_TAPS];
    struct pst_tap fast[MOST_TAPS];
    double *outputs[MOST_TAPS], *gradients[MOST_TAPS];
    float *fast_outputs[MOST_TAPS], *fast_gradients[MOST_TAPS];
    float *input;
    double *parameters, *parameter_gradient, *plain_input, *dropped, *logits, *logits_gradient,
        *input_gradient;
};

static size_t elements(const struct tapped *t, size_t tap)
{
    return N * pst_shape_elements(&t->layers[tap]->out);
}

/* Adds the layers that have a number, and finds each by its number. */
static void add_layers(struct tapped *t, const struct pst_chain *chain, const char *holder)
{
    for (size_t i = 0; i < chain->count; i++) {
        char number[64];
        struct pst_error error;
        snprintf(number, sizeof number, "%.40s%s%zu", holder, holder[0] == '\0' ? "" : ".", i + 1);
        assert_true(t->count < MOST_TAPS);
        assert_int_equal(pst_chain_find(&t->network.chain, number, &t->layers[t->count], &error), PST_OK);
        assert_ptr_equal(t->layers[t->count], &chain->layers[i]);
        t->count++;
        if (pst_layer_inner(&chain->layers[i], 0) != NULL)
            add_layers(t, pst_layer_inner(&chain->layers[i], 0), number);
    }
}

static void prepare(struct tapped *t, const char *architecture, const struct pst_dropout *dropout)
{
    *t = (struct tapped){ .dropout = *dropout };
    make_network(&t->network, architecture, 11);
    for (size_t p = 0; p < t->network.tensor_count; p++) /* variances are above 0 */
        for (size_t i = 0; t->network.tensors[p]->initial > 0 && i < t->network.tensors[p]->count; i++)
            values_of(&t->network, p)[i] = 0.5F + 0.25F * (float)(i % 7);
    add_layers(t, &t->network.chain, "");
    for (size_t i = 0; i < t->count; i++) {
        t->outputs[i] = needed(elements(t, i), sizeof(double));
        t->gradients[i] = needed(elements(t, i), sizeof(double));
        t->fast_outputs[i] = needed(elements(t, i), sizeof(float));
        t->fast_gradients[i] = needed(elements(t, i), sizeof(float));
        t->plain[i] = (struct pst_plain_tap){ t->layers[i], t->outputs[i], t->gradients[i] };
        t->fast[i] = (struct pst_tap){ t->layers[i], t->fast_outputs[i], t->fast_gradients[i] };
    }
    size_t inputs = N * pst_network_inputs(&t->network), outputs = N * pst_network_outputs(&t->network);
    t->input = needed(inputs, sizeof *t->input);
    t->plain_input = needed(inputs, sizeof *t->plain_input);
    t->dropped = needed(inputs, sizeof *t->dropped);
    t->input_gradient = needed(inputs, sizeof *t->input_gradient);
    t->logits = needed(outputs, sizeof *t->logits);
    t->logits_gradient = needed(outputs, sizeof *t->logits_gradient);
    t->parameters = needed(t->network.parameter_count, sizeof *t->parameters);
    t->parameter_gradient = needed(t->network.parameter_count, sizeof *t->parameter_gradient);
    fill_random(t->input, inputs, 1, 77);
    copy_to_double(t->plain_input, t->input, inputs);
    copy_to_double(t->parameters, t->network.parameters, t->network.parameter_count);
    for (size_t i = 0; i < N; i++)
        t->ids[i] = 3 * i + 1;
}

static void release(struct tapped *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free(t->outputs[i]);
        free(t->gradients[i]);
        free(t->fast_outputs[i]);
        free(t->fast_gradients[i]);
    }
    free(t->input);
    free(t->plain_input);
    free(t->dropped);
    free(t->input_gradient);
    free(t->logits);
    free(t->logits_gradient);
    free(t->parameters);
    free(t->parameter_gradient);
    pst_network_free(&t->network);
}

static struct pst_plain_pass pass_of(const struct tapped *t, bool use)
{
    return (struct pst_plain_pass){ .n = N,
                                    .use = use,
                                    .parameters = t->parameters,
                                    .dropout = t->dropout,
                                    .epoch = 3,
                                    .ids = t->ids,
                                    .taps = t->plain,
                                    .tap_count = t->count };
}

/* Half the squared distance from `from`; gradient: receives the differences. */
static double distance(const double *values, size_t count, double from, double *gradient)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        gradient[i] = values[i] - from;
        sum += gradient[i] * gradient[i] / 2;
    }
    return sum;
}

static double plain_loss(struct tapped *t, bool use)
{
    struct pst_plain_pass pass = pass_of(t, use);
    memcpy(t->dropped, t->plain_input, N * pst_network_inputs(&t->network) * sizeof(double));
    if (!use)
        pst_plain_drop_inputs(&t->network, &pass, t->dropped);
    assert_true(pst_plain_chain_forward(&t->network.chain, &pass, t->dropped, t->logits));
    double loss = distance(t->logits, N * pst_network_outputs(&t->network), 1, t->logits_gradient);
    for (size_t i = 0; i < t->count; i++)
        loss += distance(t->outputs[i], elements(t, i), 0.5, t->gradients[i]);
    return loss;
}

static void plain_backward(struct tapped *t)
{
    (void)plain_loss(t, false);
    struct pst_plain_pass pass = pass_of(t, false);
    assert_true(pst_plain_chain_backward(&t->network.chain, &pass, t->dropped, t->logits_gradient,
                                         t->input_gradient, t->parameter_gradient));
}

/* The parameter that has an element of the flat vector; NULL for padding and statistics. */
static const struct pst_parameter *learned_at(const struct pst_network *network, size_t at)
{
    for (size_t p = 0; p < network->tensor_count; p++) {
        const struct pst_parameter *one = network->tensors[p];
        if (at >= one->at && at < one->at + one->count)
            return one->follows == 0 ? one : NULL;
    }
    return NULL;
}

static double largest_gradient(const struct tapped *t)
{
    double largest = 0;
    for (size_t i = 0; i < t->network.parameter_count; i++)
        if (learned_at(&t->network, i) != NULL)
            largest = fmax(largest, fabs(t->parameter_gradient[i]));
    return largest;
}

static void check_differences(struct tapped *t)
{
    const double step = 1e-5, largest = (plain_backward(t), largest_gradient(t));
    for (size_t i = 0; i < t->network.parameter_count; i++) {
        double middle = t->parameters[i];
        if (learned_at(&t->network, i) == NULL)
            continue;
        t->parameters[i] = middle + step;
        double above = plain_loss(t, false);
        t->parameters[i] = middle - step;
        double slope = (above - plain_loss(t, false)) / (2 * step);
        t->parameters[i] = middle;
        if (!(fabs(slope - t->parameter_gradient[i]) <= 1e-6 * largest))
            fail_msg("%s: parameter %zu: gradient %.12g, differences %.12g", t->network.architecture, i,
                     t->parameter_gradient[i], slope);
    }
}

/* Calls check with every example of every type of layer, with dropout if it has none of its own. */
static void for_every_example(void (*check)(struct tapped *t))
{
    const struct pst_dropout none = { .seed = 6 }, some = { .input = 0.2, .hidden = 0.3, .seed = 4 };
    for (size_t type = 0; pst_layer_types[type] != NULL; type++) {
        char *examples = strdup(pst_layer_types[type]->example), *rest = examples;
        assert_non_null(examples);
        for (char *one = strtok_r(examples, " ", &rest); one != NULL; one = strtok_r(NULL, " ", &rest)) {
            struct tapped t;
            prepare(&t, one, strstr(one, "drop") == NULL ? &some : &none);
            check(&t);
            release(&t);
        }
        free(examples);
    }
}

static void gradients_that_join_at_every_layer_are_finite_differences(void **state)
{
    (void)state;
    for_every_example(check_differences);
}

static void assert_outputs_are_plain(const struct tapped *t)
{
    for (size_t i = 0; i < t->count; i++)
        assert_close(t->fast_outputs[i], t->outputs[i], elements(t, i), 1e-5);
}

static void keep(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    memcpy((float *)context + parameter->at, gradient, parameter->count * sizeof *gradient);
}

/* Kernels that have maps with the channels first, and, if they are built in, with the channels last. */
static const struct pst_arithmetic ways[] = { { .kernels = 0 }, { .kernels = 1 } };

static bool can(const struct pst_arithmetic *way)
{
    struct pst_arithmetic arithmetic = *way;
    return pst_arithmetic_settle(&arithmetic, NULL) == PST_OK;
}

/* Fast passes; gradient: receives those of the parameters; NULL: a pass for use. */
static void fast_run(struct tapped *t, const struct pst_arithmetic *way, float *gradient)
{
    struct pst_workspace *workspace;
    size_t outputs = N * pst_network_outputs(&t->network);
    assert_int_equal(pst_workspace_new(&workspace, &t->network, N + 2, gradient != NULL, way, NULL), PST_OK);
    memcpy(pst_workspace_input(workspace), t->input, N * pst_network_inputs(&t->network) * sizeof(float));
    pst_workspace_tap(workspace, t->fast, t->count);
    if (gradient == NULL)
        pst_forward(&t->network, workspace, N);
    else
        pst_forward_training(&t->network, workspace, N, &t->dropout, 3, t->ids);
    for (size_t i = 0; gradient != NULL && i < outputs; i++)
        pst_workspace_logits_gradient(workspace)[i] = pst_workspace_logits(workspace)[i] - 1;
    for (size_t i = 0; i < t->count; i++)
        for (size_t j = 0; j < elements(t, i); j++)
            t->fast_gradients[i][j] = t->fast_outputs[i][j] - 0.5F;
    if (gradient != NULL)
        pst_backward(&t->network, workspace, N, keep, gradient);
    pst_workspace_free(workspace);
}

static void check_training(struct tapped *t, const struct pst_arithmetic *way, double largest)
{
    float *gradient = needed(t->network.parameter_count, sizeof *gradient);
    fast_run(t, way, gradient);
    assert_outputs_are_plain(t);
    for (size_t i = 0; i < t->network.parameter_count; i++)
        if (learned_at(&t->network, i) != NULL &&
            !(fabs((double)gradient[i] - t->parameter_gradient[i]) <= 1e-5 * largest))
            fail_msg("%s: %s: gradient %.9g, expected %.9g", t->network.architecture,
                     learned_at(&t->network, i)->name, (double)gradient[i], t->parameter_gradient[i]);
    free(gradient);
}

static void check_fast(struct tapped *t)
{
    plain_backward(t);
    double largest = largest_gradient(t);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (can(&ways[i]))
            check_training(t, &ways[i], largest);
    (void)plain_loss(t, true);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!can(&ways[i]))
            continue;
        fast_run(t, &ways[i], NULL);
        assert_outputs_are_plain(t);
    }
}

static void fast_passes_have_the_outputs_and_gradients_of_the_plain_ones(void **state)
{
    (void)state;
    for_every_example(check_fast);
}

static void check_bits(const struct pst_arithmetic *way)
{
    const struct pst_dropout none = { 0 };
    struct tapped t;
    prepare(&t,
            "2x4x6-conv1x1:16-bn-relu-maxpool2-res(conv3x3:16-bn-relu-conv3x3:16-bn)-relu-flatten-7-tanh-4",
            &none);
    struct pst_workspace *workspace;
    assert_int_equal(pst_workspace_new(&workspace, &t.network, N, false, way, NULL), PST_OK);
    float outputs[2][N * 4];
    for (size_t tapped = 0; tapped < 2; tapped++) {
        memcpy(pst_workspace_input(workspace), t.input, N * 48 * sizeof(float));
        pst_workspace_tap(workspace, t.fast, tapped == 0 ? 0 : t.count);
        pst_forward(&t.network, workspace, N);
        memcpy(outputs[tapped], pst_workspace_logits(workspace), sizeof outputs[tapped]);
    }
    assert_memory_equal(outputs[0], outputs[1], sizeof outputs[0]);
    pst_workspace_free(workspace);
    release(&t);
}

static void taps_change_no_bit_of_the_outputs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (can(&ways[i]))
            check_bits(&ways[i]);
}

static void a_text_that_does_not_number_a_layer_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = { "",  "0",   "01",  "3.",  ".3", "3..1", "-1",         "1.5",  "x",
                                         "8", "2.1", "1.0", "1.3", "1 ", "1,2",  "4294967297", "1.1.1" };
    struct pst_network network;
    make_network(&network, "6-res(8-tanh-6|6)-4", 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const struct pst_layer *layer;
        struct pst_error error;
        if (pst_chain_find(&network.chain, wrong[i], &layer, &error) != PST_USAGE)
            fail_msg("'%s' is found", wrong[i]);
    }
    pst_network_free(&network);
}

static void a_layer_that_nothing_learns_up_to_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *number;
        bool learns;
    } known[] = { { "1", false },   { "2", false },  { "3", true },
                  { "3.1", false }, { "3.2", true }, { "4", true } };
    struct pst_network network;
    make_network(&network, "2x4x4-avgpool2-tanh-res(tanh-conv3x3:2)-gap-4", 1);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct pst_layer *layer;
        assert_int_equal(pst_chain_find(&network.chain, known[i].number, &layer, NULL), PST_OK);
        if (pst_chain_learns_by(&network.chain, layer) != known[i].learns)
            fail_msg("layer %s", known[i].number);
    }
    pst_network_free(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_that_join_at_every_layer_are_finite_differences),
        cmocka_unit_test(fast_passes_have_the_outputs_and_gradients_of_the_plain_ones),
        cmocka_unit_test(taps_change_no_bit_of_the_outputs),
        cmocka_unit_test(a_text_that_does_not_number_a_layer_is_refused),
        cmocka_unit_test(a_layer_that_nothing_learns_up_to_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Networks: architecture strings, the layout of parameters, initial weights, workspaces. */
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
    assert_int_equal(network.layer_count, 3);
    assert_int_equal(network.layers[0].inputs, 784);
    assert_int_equal(network.layers[0].outputs, 30);
    assert_int_equal(network.layers[1].inputs, 30);
    assert_int_equal(network.layers[2].outputs, 10);
    assert_int_equal(pst_network_inputs(&network), 784);
    assert_int_equal(pst_network_outputs(&network), 10);
    for (size_t i = 0; i < network.parameter_count; i++)
        assert_true(network.parameters[i] == 0);
    pst_network_free(&network);
    assert_null(network.parameters);
}

static void what_is_no_architecture_is_refused_and_quoted(void **state)
{
    (void)state;
    static const char *const bad[] = { "",       "784",     "-",    "784-",   "-10",       "784--10",
                                       "0-10",   "784-0",   "3- 4", " 3-4",   "3-4 ",      "3-4-",
                                       "784x10", "784-1e2", "3,4",  "3-+4",   "1048577-1", "1-1048577",
                                       "3.5-4",  "0x10-4",  "3-4a", "three-4" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pst_network network;
        struct pst_error error = { 0 };
        assert_int_equal(pst_network_new(&network, bad[i], &error), PST_USAGE);
        assert_int_equal(error.status, PST_USAGE);
        assert_non_null(strstr(error.message, bad[i]));
        assert_null(network.parameters);
        assert_int_equal(network.layer_count, 0);
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
    char text[256];
    struct pst_network network;
    chain(text, PST_MAX_LAYERS);
    assert_int_equal(pst_network_new(&network, text, NULL), PST_OK);
    assert_int_equal(network.layer_count, PST_MAX_LAYERS);
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
    for (size_t l = 0; l < network.layer_count; l++) {
        const struct pst_layer *layer = &network.layers[l];
        assert_int_equal((uintptr_t)layer->weight % PST_ALIGNMENT, 0);
        assert_int_equal((uintptr_t)layer->bias % PST_ALIGNMENT, 0);
        assert_ptr_equal(layer->weight, network.parameters + layer->weight_at);
        assert_ptr_equal(layer->bias, network.parameters + layer->bias_at);
        assert_true(layer->weight_at >= end);
        assert_true(layer->bias_at >= layer->weight_at + layer->inputs * layer->outputs);
        end = layer->bias_at + layer->outputs;
    }
    assert_true(network.parameter_count >= end);
    pst_network_free(&network);
}

static void describe_gives_the_architecture_back(void **state)
{
    (void)state;
    static const char *const good[] = { "1-1", "784-10", "784-30-20-10", "5-4-3-2-1" };
    char text[512];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct pst_network network;
        assert_int_equal(pst_network_new(&network, good[i], NULL), PST_OK);
        pst_network_describe(&network, text, sizeof text);
        assert_string_equal(text, good[i]);
        pst_network_free(&network);
    }
}

static void the_longest_description_fits_and_a_short_text_is_not_overrun(void **state)
{
    (void)state;
    struct pst_network network = { .layer_count = PST_MAX_LAYERS };
    for (size_t l = 0; l < PST_MAX_LAYERS; l++)
        network.layers[l] = (struct pst_layer){ .inputs = PST_MAX_WIDTH, .outputs = PST_MAX_WIDTH };
    char text[512];
    pst_network_describe(&network, text, sizeof text);
    assert_int_equal(strlen(text), 8 * (PST_MAX_LAYERS + 1) - 1);
    memset(text, 'x', sizeof text);
    pst_network_describe(&network, text, 10);
    assert_string_equal(text, "1048576-1");
    assert_int_equal(text[10], 'x');
}

/* Mean and variance of a layer's weights are those of a sample of that size from N(0, variance), to 5 sigma.
 */
static void assert_normal(const struct pst_layer *layer, double variance)
{
    size_t count = layer->inputs * layer->outputs;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)layer->weight[i];
        squares += (double)layer->weight[i] * (double)layer->weight[i];
    }
    assert_true(fabs(sum / (double)count) < 5 * sqrt(variance / (double)count));
    assert_true(fabs(squares / (double)count / variance - 1) < 5 * sqrt(2.0 / (double)count));
}

static void initial_weights_have_the_promised_variance_and_biases_are_zero(void **state)
{
    (void)state;
    struct pst_network network;
    assert_int_equal(pst_network_new(&network, "300-200-100", NULL), PST_OK);
    pst_network_initialise(&network, 5);
    assert_normal(&network.layers[0], 2.0 / 300);
    assert_normal(&network.layers[1], 1.0 / 200);
    for (size_t l = 0; l < 2; l++)
        for (size_t i = 0; i < network.layers[l].outputs; i++)
            assert_true(network.layers[l].bias[i] == 0);
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
        assert_int_equal(pst_workspace_new(&workspace, &network, too_many[i], true, NULL), PST_TRY_AGAIN);
        assert_null(workspace);
    }
    pst_network_free(&network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_architecture_gives_its_layers),
        cmocka_unit_test(what_is_no_architecture_is_refused_and_quoted),
        cmocka_unit_test(a_number_longer_than_any_width_is_refused),
        cmocka_unit_test(as_many_layers_as_allowed_and_not_one_more),
        cmocka_unit_test(the_widest_layer_is_allowed),
        cmocka_unit_test(layers_are_aligned_and_do_not_overlap),
        cmocka_unit_test(describe_gives_the_architecture_back),
        cmocka_unit_test(the_longest_description_fits_and_a_short_text_is_not_overrun),
        cmocka_unit_test(initial_weights_have_the_promised_variance_and_biases_are_zero),
        cmocka_unit_test(the_same_seed_gives_the_same_weights_and_another_others),
        cmocka_unit_test(a_batch_too_large_for_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Models: written, read back, taken over from other tools, and refused with the tensor's name. */
#include "pipestill/nn.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/pipestill-test-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const float values[32] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

/* A tensor of a file made elsewhere; columns 0 stands for a vector. */
static struct pst_named_tensor tensor(const char *name, size_t rows, size_t columns)
{
    struct pst_named_tensor made = { .dtype = "F32",
                                     .rank = columns > 0 ? 2 : 1,
                                     .shape = { rows, columns },
                                     .data = values,
                                     .bytes = rows * (columns > 0 ? columns : 1) * sizeof *values };
    snprintf(made.name, sizeof made.name, "%s", name);
    return made;
}

/* What a user would give with --activation. */
static const char *activation = "relu";

/* Writes the tensors with one metadata entry (key NULL: none) and reads them as a model. */
static enum pst_status read_as_model(const struct pst_named_tensor *tensors, size_t count, const char *key,
                                     const char *value, struct pst_network *network, struct pst_error *error)
{
    json_t *metadata = key != NULL ? json_pack("{s:s}", key, value) : NULL;
    assert_int_equal(pst_safetensors_write(path, metadata, tensors, count, error), PST_OK);
    json_decref(metadata);
    return pst_model_read(path, activation, network, NULL, error);
}

static void a_model_comes_back_as_it_was_written(void **state)
{
    (void)state;
    struct pst_network network, back;
    struct pst_error error = { 0 };
    char digest[PST_DIGEST_TEXT], expected[PST_DIGEST_TEXT];
    assert_int_equal(pst_network_new(&network, "7-5-3-2", &error), PST_OK);
    pst_network_initialise(&network, 3);
    network.parameters[network.tensors[3]->at + 2] = -0.125F;
    assert_int_equal(pst_network_set_scale(&network, 1, (const double[]){ 1.0 / 255, -0.1 }, &error), PST_OK);
    json_t *extra = json_pack("{s:s}", "learnt from", "a test");
    assert_int_equal(pst_model_write(path, &network, extra, &error), PST_OK);
    json_decref(extra);
    assert_int_equal(pst_model_read(path, NULL, &back, digest, &error), PST_OK);
    assert_string_equal(back.architecture, network.architecture);
    assert_int_equal(back.parameter_count, network.parameter_count);
    assert_memory_equal(back.parameters, network.parameters, network.parameter_count * sizeof(float));
    assert_int_equal(back.input_channels, 1);
    assert_true(back.input_scale[0] == 1.0 / 255 && back.input_scale[1] == -0.1);
    assert_int_equal(pst_digest_file(path, expected, &error), PST_OK);
    assert_string_equal(digest, expected);
    pst_network_free(&back);
    pst_network_free(&network);
}

static void a_written_model_says_what_it_is(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_safetensors file;
    struct pst_error error = { 0 };
    assert_int_equal(pst_network_new(&network, "4-3-2", &error), PST_OK);
    json_t *extra = json_pack("{s:s, s:s}", "note", "kept", "architecture", "not ours");
    assert_int_equal(pst_model_write(path, &network, extra, &error), PST_OK);
    json_decref(extra);
    assert_int_equal(pst_safetensors_read(path, &file, &error), PST_OK);
    static const char *const said[][2] = { { "architecture", "4-3-2" },
                                           { "activation", "relu" },
                                           { "note", "kept" } };
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(json_string_value(json_object_get(file.metadata, said[i][0])), said[i][1]);
    static const char *const names[] = { "layers.0.weight", "layers.0.bias", "layers.1.weight",
                                         "layers.1.bias" };
    assert_int_equal(file.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(file.tensors[i].name, names[i]);
    pst_safetensors_free(&file);
    pst_network_free(&network);
}

static void state_dicts_of_other_tools_are_read_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    static const char *const names[][4] = {
        { "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias" },
        { "0.weight", "0.bias", "2.weight", "2.bias" },
        { "model.net.9.weight", "model.net.9.bias", "model.net.10.weight", "model.net.10.bias" },
        { "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias" },
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct pst_named_tensor tensors[] = { tensor(names[i][3], 2, 0), tensor(names[i][2], 2, 3),
                                                    tensor(names[i][1], 3, 0), tensor(names[i][0], 3, 4) };
        struct pst_network network;
        struct pst_error error = { 0 };
        assert_int_equal(read_as_model(tensors, 4, "format", "pt", &network, &error), PST_OK);
        assert_string_equal(network.architecture, "4-3-2");
        assert_memory_equal(network.parameters + network.tensors[0]->at, values, 12 * sizeof *values);
        assert_memory_equal(network.parameters + network.tensors[3]->at, values, 2 * sizeof *values);
        pst_network_free(&network);
    }
}

static void expect_refusal(const struct pst_named_tensor *tensors, size_t count, const char *key,
                           const char *value, const char *message)
{
    struct pst_network network;
    struct pst_error error = { 0 };
    enum pst_status status = read_as_model(tensors, count, key, value, &network, &error);
    if (status != PST_BAD_DATA || strstr(error.message, message) == NULL)
        fail_msg("expected \"%s\", got status %d, \"%s\"", message, (int)status, error.message);
    assert_true(network.parameters == NULL && network.chain.count == 0);
}

static void tensors_that_make_no_network_are_refused_by_name_and_size(void **state)
{
    (void)state;
    const struct pst_named_tensor w0 = tensor("layers.0.weight", 3, 4), b0 = tensor("layers.0.bias", 3, 0),
                                  b1 = tensor("layers.1.bias", 2, 0);
    const struct {
        struct pst_named_tensor tensors[4];
        size_t count;
        const char *message;
    } cases[] = {
        { { w0, b0, tensor("layers.1.weight", 2, 5), b1 },
          4,
          "tensor layers.1.weight takes 5 inputs, but layers.0.weight gives 3 outputs" },
        { { w0, b0, b1 }, 3, "tensor layers.1.bias has no weight beside it" },
        { { w0, tensor("layers.0.bias", 4, 0) },
          2,
          "tensor layers.0.bias has 4 values, but layers.0.weight gives 3" },
        { { w0, tensor("layers.0.bias", 1, 3) }, 2, "tensor layers.0.bias has 2 dimensions, not 1" },
        { { tensor("layers.0.weight", 3, 0), b0 }, 2, "tensor layers.0.weight has 1 dimensions, not 2" },
        { { w0, b0, tensor("layers.0.running_mean", 3, 0) },
          3,
          "tensor layers.0.running_mean: not a layer's" },
        { { tensor("weight", 3, 4), tensor("bias", 3, 0) }, 2, "not a layer's weight or bias" },
        { { tensor("fc.weight", 3, 4), tensor("fc.bias", 3, 0) }, 2, "not a layer's weight or bias" },
        { { w0, b0, tensor("head.1.weight", 2, 3), tensor("head.1.bias", 2, 0) },
          4,
          "tensor head.1.weight: not of the same sequence of layers as layers.0.weight" },
        { { w0, b0, tensor("layers.00.weight", 3, 4) }, 3, "layers.0.weight and layers.00.weight" },
        { { tensor("99999999999999999999.weight", 3, 4) }, 1, "not a layer's weight or bias" },
        { { w0 }, 0, "holds no tensors" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(cases[i].tensors, cases[i].count, NULL, NULL, cases[i].message);
}

static void widths_that_no_network_has_are_refused(void **state)
{
    (void)state;
    struct pst_named_tensor tensors[2] = { tensor("0.weight", 3, 1), tensor("0.bias", 3, 0) };
    tensors[0].shape[1] = 0;
    tensors[0].bytes = 0;
    expect_refusal(tensors, 2, NULL, NULL, "tensor 0.weight: a width of 0 is not in 1 to 1048576");
    tensors[0].shape[0] = 0;
    tensors[0].shape[1] = (size_t)1 << 40;
    expect_refusal(tensors, 2, NULL, NULL, "tensor 0.weight: a width of 0");
}

static void another_dtype_is_refused_with_what_to_do(void **state)
{
    (void)state;
    struct pst_named_tensor tensors[2] = { tensor("0.weight", 3, 4), tensor("0.bias", 3, 0) };
    tensors[0].dtype = "I16";
    tensors[0].bytes /= 2;
    expect_refusal(tensors, 2, NULL, NULL, "tensor 0.weight is I16; convert it to F32, F16, BF16 or F64");
}

static void more_layers_than_a_network_may_have_are_refused(void **state)
{
    (void)state;
    static struct pst_named_tensor tensors[2 * PST_MAX_LAYERS + 2];
    for (size_t i = 0; i <= PST_MAX_LAYERS; i++) {
        char name[32];
        snprintf(name, sizeof name, "%zu.weight", i);
        tensors[2 * i] = tensor(name, 1, 1);
        snprintf(name, sizeof name, "%zu.bias", i);
        tensors[2 * i + 1] = tensor(name, 1, 0);
    }
    struct pst_network network;
    struct pst_error error = { 0 };
    assert_int_equal(read_as_model(tensors, 2 * PST_MAX_LAYERS, NULL, NULL, &network, &error), PST_OK);
    assert_int_equal(network.chain.count, PST_MAX_LAYERS);
    pst_network_free(&network);
    expect_refusal(tensors, 2 * PST_MAX_LAYERS + 2, NULL, NULL, "tensor 512.weight: more than 512 layers");
}

static void a_model_without_biases_is_read(void **state)
{
    (void)state;
    const struct pst_named_tensor tensors[] = { tensor("0.weight", 3, 4), tensor("0.bias", 3, 0),
                                                tensor("1.weight", 2, 3) };
    struct pst_network network;
    struct pst_error error = { 0 };
    assert_int_equal(read_as_model(tensors, 3, NULL, NULL, &network, &error), PST_OK);
    assert_string_equal(network.architecture, "4-3-2nobias");
    assert_int_equal(network.tensor_count, 3);
    pst_network_free(&network);
}

static void a_foreign_model_needs_an_activation_that_it_or_the_user_names(void **state)
{
    (void)state;
    const struct pst_named_tensor tensors[] = { tensor("0.weight", 3, 4), tensor("0.bias", 3, 0),
                                                tensor("2.weight", 2, 3), tensor("2.bias", 2, 0) };
    struct pst_network network;
    struct pst_error error = { 0 };
    activation = NULL;
    expect_refusal(tensors, 4, NULL, NULL, "give --activation NAME");
    assert_int_equal(read_as_model(tensors, 2, NULL, NULL, &network, &error),
                     PST_OK); /* no layers for an activation between */
    assert_string_equal(network.architecture, "4-3");
    pst_network_free(&network);
    assert_int_equal(read_as_model(tensors, 4, "activation", "tanh", &network, &error), PST_OK);
    assert_string_equal(network.architecture, "4-3-tanh-2");
    pst_network_free(&network);
    activation = "gelu";
    assert_int_equal(read_as_model(tensors, 4, NULL, NULL, &network, &error), PST_OK);
    assert_string_equal(network.architecture, "4-3-gelu-2");
    pst_network_free(&network);
    assert_int_equal(read_as_model(tensors, 4, "activation", "tanh", &network, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "says that its activation is tanh; leave --activation gelu out"));
    activation = "swish";
    assert_int_equal(read_as_model(tensors, 4, NULL, NULL, &network, &error), PST_USAGE);
    activation = "relu";
}

static void numbers_of_other_precisions_are_read(void **state)
{
    (void)state;
    static const uint16_t halves[4] = { 0x3c00, 0xc000, 0x3555, 0 },
                          brains[4] = { 0x3f80, 0xc000, 0x3eab, 0 };
    static const double doubles[4] = { 1, -2, 1.0 / 3, 0 };
    const struct {
        const char *dtype;
        const void *data;
        size_t size;
        double tolerance;
    } types[] = { { "F16", halves, 2, 1e-3 }, { "BF16", brains, 2, 1e-2 }, { "F64", doubles, 8, 1e-7 } };
    for (size_t i = 0; i < 3; i++) {
        struct pst_named_tensor tensors[] = { tensor("0.weight", 4, 1), tensor("0.bias", 4, 0) };
        struct pst_network network;
        struct pst_error error = { 0 };
        tensors[0].dtype = types[i].dtype;
        tensors[0].data = types[i].data;
        tensors[0].bytes = 4 * types[i].size;
        assert_int_equal(read_as_model(tensors, 2, NULL, NULL, &network, &error), PST_OK);
        for (size_t k = 0; k < 4; k++)
            assert_true(fabs((double)network.parameters[network.tensors[0]->at + k] - doubles[k]) <=
                        types[i].tolerance);
        pst_network_free(&network);
    }
}

static void a_scale_for_each_channel_comes_back(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_error error = { 0 };
    double *scale = calloc(6, sizeof *scale);
    for (size_t i = 0; i < 6; i++)
        scale[i] = 0.25 * (double)(i + 1);
    assert_int_equal(pst_network_new(&network, "3x2x2-flatten-2", &error), PST_OK);
    network.input_channels = 3;
    network.input_scale = scale;
    assert_int_equal(pst_model_write(path, &network, NULL, &error), PST_OK);
    pst_network_free(&network);
    assert_int_equal(pst_model_read(path, NULL, &network, NULL, &error), PST_OK);
    assert_string_equal(network.architecture, "3x2x2-flatten-2");
    assert_int_equal(network.input_channels, 3);
    for (size_t i = 0; i < 6; i++)
        assert_true(network.input_scale[i] == 0.25 * (double)(i + 1));
    pst_network_free(&network);
}

static void every_layer_comes_back_from_a_file(void **state)
{
    (void)state;
    static const char *const architectures[] = { "6-5-tanh-4", "6-drop0.5-5nobias-leaky0.25-4-sigmoid",
                                                 "2x3-tanh-flatten-5-gelu-4nobias-silu-3-none-2" };
    for (size_t i = 0; i < 3; i++) {
        struct pst_network network, back;
        struct pst_error error = { 0 };
        assert_int_equal(pst_network_new(&network, architectures[i], &error), PST_OK);
        pst_network_initialise(&network, 8);
        assert_int_equal(pst_model_write(path, &network, NULL, &error), PST_OK);
        assert_int_equal(pst_model_read(path, NULL, &back, NULL, &error), PST_OK);
        assert_string_equal(back.architecture, architectures[i]);
        assert_memory_equal(back.parameters, network.parameters, network.parameter_count * sizeof(float));
        pst_network_free(&back);
        pst_network_free(&network);
    }
}

static void a_model_whose_tensors_are_not_those_of_its_architecture_is_refused(void **state)
{
    (void)state;
    const struct pst_named_tensor w = tensor("layers.0.weight", 3, 4), b = tensor("layers.0.bias", 3, 0);
    const struct {
        struct pst_named_tensor tensors[3];
        size_t count;
        const char *architecture, *message;
    } cases[] = {
        { { w, b }, 2, "4-3-2", "holds no tensor layers.1.weight" },
        { { w, b, tensor("more", 1, 0) }, 3, "4-3", "holds 3 tensors, but its architecture 4-3 has 2" },
        { { w, b }, 2, "4-2", "tensor layers.0.weight has not the shape" },
        { { w, b }, 2, "4-3oops", "'3oops' is not a layer" },
        { { w, b }, 2, NULL, "the architecture is missing" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pst_network network;
        struct pst_error error = { 0 };
        json_t *metadata =
            json_pack("{s:s, s:s*}", "format", "pipestill-model-1", "architecture", cases[i].architecture);
        assert_int_equal(pst_safetensors_write(path, metadata, cases[i].tensors, cases[i].count, &error),
                         PST_OK);
        json_decref(metadata);
        assert_int_equal(pst_model_read(path, NULL, &network, NULL, &error), PST_BAD_DATA);
        if (strstr(error.message, cases[i].message) == NULL)
            fail_msg("expected \"%s\", got \"%s\"", cases[i].message, error.message);
    }
}

static void values_that_are_not_finite_are_refused(void **state)
{
    (void)state;
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < 3; i++) {
        float weight[12] = { 0 }, bias[3] = { 0 };
        struct pst_named_tensor tensors[2] = { tensor("0.weight", 3, 4), tensor("0.bias", 3, 0) };
        tensors[0].data = weight;
        tensors[1].data = bias;
        bias[1] = bad[i];
        expect_refusal(tensors, 2, NULL, NULL, "tensor 0.bias: value 1 is not finite as f32");
        weight[11] = bad[i];
        expect_refusal(tensors, 2, NULL, NULL, "tensor 0.weight: value 11 is not finite as f32");
    }
}

static void metadata_that_contradicts_the_tensors_is_refused(void **state)
{
    (void)state;
    const struct pst_named_tensor tensors[] = { tensor("layers.0.weight", 3, 4),
                                                tensor("layers.0.bias", 3, 0) };
    static const char *const cases[][3] = {
        { "architecture", "4-4", "the architecture is 4-4, but the tensors make 4-3" },
        { "architecture", "4-3\n", "the architecture is 4-3?, but" },
        { "activation", "swish", "the activation is swish; known are: relu, leaky, tanh" },
        { "format", "pipestill-model-2", "the format is pipestill-model-2" },
        { "input_scale", "nan", "input_scale and input_offset are not numbers" },
        { "input_offset", "", "input_scale and input_offset are not numbers" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_refusal(tensors, 2, cases[i][0], cases[i][1], cases[i][2]);
}

static void a_checkpoint_is_refused_as_what_it_is(void **state)
{
    (void)state;
    const struct pst_named_tensor tensors[] = { tensor("parameters", 15, 0) };
    expect_refusal(tensors, 1, "format", "pipestill-checkpoint", "the format is pipestill-checkpoint, not");
}

static void the_same_network_gives_the_same_file(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_error error = { 0 };
    char first[PST_DIGEST_TEXT], second[PST_DIGEST_TEXT];
    assert_int_equal(pst_network_new(&network, "6-5-4", &error), PST_OK);
    pst_network_initialise(&network, 1);
    assert_int_equal(pst_model_write(path, &network, NULL, &error), PST_OK);
    assert_int_equal(pst_digest_file(path, first, &error), PST_OK);
    assert_int_equal(pst_model_write(path, &network, NULL, &error), PST_OK);
    assert_int_equal(pst_digest_file(path, second, &error), PST_OK);
    assert_string_equal(first, second);
    pst_network_free(&network);
}

static void a_missing_model_is_a_missing_input(void **state)
{
    (void)state;
    struct pst_network network;
    struct pst_error error = { 0 };
    unlink(path);
    assert_int_equal(pst_model_read(path, NULL, &network, NULL, &error), PST_NO_INPUT);
    assert_non_null(strstr(error.message, "model.safetensors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_comes_back_as_it_was_written),
        cmocka_unit_test(a_written_model_says_what_it_is),
        cmocka_unit_test(state_dicts_of_other_tools_are_read_in_the_order_of_their_numbers),
        cmocka_unit_test(tensors_that_make_no_network_are_refused_by_name_and_size),
        cmocka_unit_test(widths_that_no_network_has_are_refused),
        cmocka_unit_test(another_dtype_is_refused_with_what_to_do),
        cmocka_unit_test(more_layers_than_a_network_may_have_are_refused),
        cmocka_unit_test(a_model_without_biases_is_read),
        cmocka_unit_test(a_foreign_model_needs_an_activation_that_it_or_the_user_names),
        cmocka_unit_test(numbers_of_other_precisions_are_read),
        cmocka_unit_test(a_scale_for_each_channel_comes_back),
        cmocka_unit_test(every_layer_comes_back_from_a_file),
        cmocka_unit_test(a_model_whose_tensors_are_not_those_of_its_architecture_is_refused),
        cmocka_unit_test(values_that_are_not_finite_are_refused),
        cmocka_unit_test(metadata_that_contradicts_the_tensors_is_refused),
        cmocka_unit_test(a_checkpoint_is_refused_as_what_it_is),
        cmocka_unit_test(the_same_network_gives_the_same_file),
        cmocka_unit_test(a_missing_model_is_a_missing_input),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

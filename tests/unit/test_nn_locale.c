/* Numbers in files and options do not depend on the program's locale. All of this runs in a locale whose
 * decimal point is a comma; it is made here. */
#include "nn_fixture.h"

#include "pipestill/losses.h"
#include "pipestill/stream.h"

#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

static char folder[] = "/tmp/pipestill-test-XXXXXX";
static char path[64];

static int write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    return file == NULL || fputs(text, file) < 0 || fclose(file) != 0 ? -1 : 0;
}

/* localedef warns about all that a locale of numbers alone lacks, and then ends with 1. */
static int make_locale(void **state)
{
    char source[64], command[256];
    (void)state;
    if (mkdtemp(folder) == NULL || setenv("LOCPATH", folder, 1) != 0)
        return -1;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    snprintf(source, sizeof source, "%s/source", folder);
    snprintf(command, sizeof command, "localedef -c -i %s %s/comma >%s/said 2>&1", source, folder, folder);
    if (write_text(source, "LC_NUMERIC\ndecimal_point \"<U002C>\"\nthousands_sep \"\"\ngrouping -1\n"
                           "END LC_NUMERIC\n") != 0 ||
        system(command) == -1)
        return -1;
    return setlocale(LC_NUMERIC, "comma") == NULL ? -1 : 0;
}

static int remove_locale(void **state)
{
    char command[80];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void the_locale_has_a_comma(void **state)
{
    (void)state;
    char text[16];
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5");
    assert_int_equal(pst_print_plain(text, sizeof text, "%.1f", 0.5), 3);
    assert_string_equal(text, "0.5");
    snprintf(text, sizeof text, "%.1f", 0.5);
    assert_string_equal(text, "0,5"); /* the program's own numbers stay as they were */
}

static void options_are_parsed_with_a_point(void **state)
{
    (void)state;
    double values[2];
    assert_true(pst_parse_double("0.25", 0, 1, &values[0]) && values[0] == 0.25);
    assert_false(pst_parse_double("0,25", 0, 1, &values[0]));
    assert_int_equal(pst_parse_doubles("0.5,0.75", 0, 1, values, 2), 2);
    assert_true(values[0] == 0.5 && values[1] == 0.75);
    assert_true(pst_parse_real("0x1.8p-1", values) && values[0] == 0.75);
    assert_true(pst_parse_real("-inf", values) && isinf(values[0]));
    assert_false(pst_parse_real("", values) || pst_parse_real("1 ", values) || pst_parse_real(NULL, values));
}

static void a_term_of_a_loss_is_parsed_with_a_point(void **state)
{
    (void)state;
    struct pst_loss loss = { 0 };
    struct pst_error error;
    assert_int_equal(pst_loss_parse(&loss, "kl:soft/a:0.5,T=2.5", &error), PST_OK);
    assert_true(loss.terms[0].weight == 0.5 && loss.terms[0].temperature == 2.5);
}

static void a_model_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct pst_network written, network;
    struct pst_error error;
    make_network(&written, "4-3-leaky0.02-drop0.25-2", 1);
    assert_string_equal(written.architecture, "4-3-leaky0.02-drop0.25-2");
    assert_int_equal(pst_network_set_scale(&written, 1, (const double[]){ 1 / 255.0, -0.5 }, &error), PST_OK);
    assert_int_equal(pst_model_write(path, &written, NULL, &error), PST_OK);
    if (pst_model_read(path, NULL, &network, NULL, &error) != PST_OK)
        fail_msg("%s", error.message);
    assert_string_equal(network.architecture, written.architecture);
    assert_true(network.input_scale[0] == 1 / 255.0 && network.input_scale[1] == -0.5);
    assert_memory_equal(network.parameters, written.parameters, written.parameter_count * sizeof(float));
    pst_network_free(&network);
    pst_network_free(&written);
}

static void a_specification_is_the_same_in_json(void **state)
{
    (void)state;
    struct pst_tensor_spec spec = {
        .name = "x", .dtype = PST_DTYPE_U8, .rank = 1, .shape = { 4 }, .scale = 0.25
    };
    json_t *object = pst_spec_to_json(&spec);
    char *text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
    assert_non_null(strstr(text, "\"scale\":0.25"));
    json_t *again = json_loads(text, 0, NULL);
    assert_true(json_equal(again, object));
    json_decref(again);
    json_decref(object);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_locale_has_a_comma),
        cmocka_unit_test(options_are_parsed_with_a_point),
        cmocka_unit_test(a_term_of_a_loss_is_parsed_with_a_point),
        cmocka_unit_test(a_model_is_read_as_it_was_written),
        cmocka_unit_test(a_specification_is_the_same_in_json),
    };
    return cmocka_run_group_tests_name("numbers in another locale", tests, make_locale, remove_locale);
}

/* Lineage and what a header says of inputs and outputs: texts from outside, and what is refused. */
#include "tests/unit/stream_fixture.h"

#include <jansson.h>

static void escapes_in_an_entry_are_as_in_other_languages(void **state)
{
    (void)state;
    /* Of Python: json.dumps({"stage": "loader", "b": "\x1b[2J\x01\n\x0f\\u001B\x7f"}, sort_keys=True,
     * separators=(",", ":"), ensure_ascii=False). */
    static const char expected[] = "8571ed15f13c94597db602c11f7b7fa83300558b8f1ffc6e647596af9684f36e";
    struct pst_header header = { 0 };
    char origin[PST_DIGEST_TEXT];
    json_t *entry = json_pack("{s:s, s:s}", "stage", "loader", "b", "\x1b[2J\x01\n\x0f\\u001B\x7f");
    assert_int_equal(pst_lineage_enter(&header, entry, origin, NULL), PST_OK);
    assert_string_equal(origin, expected);
    assert_int_equal(pst_lineage_check(header.lineage, NULL), PST_OK);
    pst_header_free(&header);
}

/* A header whose other keys are those of a JSON text. */
static enum pst_status about_of(const char *text, json_t **about, struct pst_error *error)
{
    struct pst_header header = { .other = json_loads(text, JSON_ALLOW_NUL, NULL) };
    assert_non_null(header.other);
    enum pst_status status = pst_header_about(&header, about, error);
    pst_header_free(&header);
    return status;
}

static void what_is_said_of_inputs_is_checked(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "{\"inputs\": 3}", "'inputs': it is not a map" },
        { "{\"inputs\": {\"columns\": {}}}", "'columns' is not a list" },
        { "{\"inputs\": {\"columns\": [{\"name\": 1}]}}", "an entry of 'columns' is not a column" },
        { "{\"inputs\": {\"columns\": [{\"name\": \"a\", \"categories\": []}]}}", "is not a column" },
        { "{\"inputs\": {\"columns\": [{\"name\": \"a\", \"missing\": \"3\"}]}}", "is not a column" },
        { "{\"inputs\": {\"columns\": [{\"name\": \"a\"}, {\"name\": \"a\"}]}}",
          "two columns have the same name" },
        { "{\"inputs\": {\"mean\": [1]}}", "two lists of numbers" },
        { "{\"inputs\": {\"mean\": [], \"deviation\": []}}", "two lists of numbers" },
        { "{\"inputs\": {\"mean\": [1], \"deviation\": [0]}}", "two lists of numbers" },
        { "{\"inputs\": {\"mean\": [1], \"deviation\": [1, 1]}}", "two lists of numbers" },
        { "{\"inputs\": {\"mean\": [\"1\"], \"deviation\": [1]}}", "two lists of numbers" },
        { "{\"class_names\": [\"a\\u0000b\"]}", "'class_names' is not a list of texts" },
        { "{\"outputs\": {\"mean\": [1], \"deviation\": [-1]}}",
          "'outputs': 'mean' and 'deviation' are not" },
        { "{\"outputs\": []}", "'outputs': it is not a map" },
        { "{\"class_names\": \"ab\"}", "'class_names' is not a list of texts" },
        { "{\"output_names\": [\"a\", null]}", "'output_names' is not a list of texts" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        json_t *about;
        struct pst_error error = { 0 };
        assert_int_equal(about_of(bad[i].text, &about, &error), PST_BAD_DATA);
        if (strstr(error.message, bad[i].words) == NULL)
            fail_msg("%s: '%s' does not say '%s'", bad[i].text, error.message, bad[i].words);
        json_decref(about);
    }
}

static void inputs_that_were_made_otherwise_are_refused(void **state)
{
    (void)state;
    static const char plain[] = "{\"inputs\": {\"columns\": [{\"name\": \"a\"}]}}";
    static const char other[] = "{\"inputs\": {\"columns\": [{\"name\": \"b\"}]}}";
    static const char one[] = "{\"inputs\": {\"mean\": [1, 2.5], \"deviation\": [1, 1]}}";
    static const char same[] = "{\"inputs\": {\"mean\": [1.0, 2.5], \"deviation\": [1.0, 1.0]}}";
    static const char two[] = "{\"inputs\": {\"mean\": [1, 2.5], \"deviation\": [1, 1.5]}}";
    static const struct {
        const char *stream, *model;
        bool bytes;
        enum pst_status status;
    } cases[] = {
        { "{}", "{}", false, PST_OK },         { plain, "{}", false, PST_OK },
        { "{}", plain, false, PST_OK },        { plain, plain, false, PST_OK },
        { plain, other, false, PST_BAD_DATA }, { one, same, false, PST_OK },
        { one, two, false, PST_BAD_DATA },     { one, "{}", false, PST_BAD_DATA },
        { "{}", one, false, PST_BAD_DATA },    { one, two, true, PST_OK },
        { "{}", one, true, PST_OK },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *stream, *model;
        assert_int_equal(about_of(cases[i].stream, &stream, NULL), PST_OK);
        assert_int_equal(about_of(cases[i].model, &model, NULL), PST_OK);
        assert_int_equal(pst_about_compare_inputs(stream, model, "the model", cases[i].bytes, NULL),
                         cases[i].status);
        json_decref(stream);
        json_decref(model);
    }
}

static void outputs_that_are_called_otherwise_are_refused(void **state)
{
    (void)state;
    json_t *stream, *model;
    struct pst_error error = { 0 };
    assert_int_equal(about_of("{\"class_names\": [\"cat\", \"dog\"]}", &stream, NULL), PST_OK);
    assert_int_equal(about_of("{\"class_names\": [\"cat\", \"emu\"]}", &model, NULL), PST_OK);
    assert_int_equal(pst_about_compare_outputs(stream, stream, "the model", NULL), PST_OK);
    assert_int_equal(pst_about_compare_outputs(stream, NULL, "the model", NULL), PST_OK);
    assert_int_equal(pst_about_compare_outputs(stream, model, "the model", &error), PST_BAD_DATA);
    assert_string_equal(error.message, "class 1 is 'emu' to the model, but 'dog' in the stream");
    json_decref(stream);
    json_decref(model);
}

static void outputs_in_another_order_are_refused(void **state)
{
    (void)state;
    json_t *model, *swapped, *others;
    assert_int_equal(about_of("{\"class_names\": [\"a\", \"b\"]}", &model, NULL), PST_OK);
    assert_int_equal(about_of("{\"class_names\": [\"b\", \"a\"]}", &swapped, NULL), PST_OK);
    assert_int_equal(about_of("{\"class_names\": [\"c\", \"d\"]}", &others, NULL), PST_OK);
    assert_int_equal(pst_about_compare_order(model, model, "the model", NULL), PST_OK);
    assert_int_equal(pst_about_compare_order(others, model, "the model", NULL), PST_OK);
    assert_int_equal(pst_about_compare_order(others, NULL, "the model", NULL), PST_OK);
    assert_int_equal(pst_about_compare_order(swapped, model, "the model", NULL), PST_BAD_DATA);
    json_decref(model);
    json_decref(swapped);
    json_decref(others);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_in_an_entry_are_as_in_other_languages),
        cmocka_unit_test(what_is_said_of_inputs_is_checked),
        cmocka_unit_test(inputs_that_were_made_otherwise_are_refused),
        cmocka_unit_test(outputs_that_are_called_otherwise_are_refused),
        cmocka_unit_test(outputs_in_another_order_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Headers and batches as a stage handles them: tensors found, sizes checked, elements as numbers. */
#include "tests/unit/stream_fixture.h"

#include <float.h>
#include <math.h>

static void tensors_are_found_by_name_and_by_prefix(void **state)
{
    (void)state;
    struct pst_header header;
    make_header(&header);
    add_tensor(&header, "logits", PST_DTYPE_F32, 3);
    add_tensor(&header, "logitsx/b", PST_DTYPE_F32, 3);
    add_tensor(&header, "logits/b", PST_DTYPE_F32, 3);
    assert_int_equal(pst_header_find(&header, "id"), 2);
    assert_true(pst_header_find(&header, "none") == PST_NONE);
    size_t found[1];
    assert_int_equal(pst_header_find_all(&header, "logits", found, 1), 2);
    assert_int_equal(found[0], 3);
    pst_header_free(&header);
}

static void a_requirement_names_what_is_there_instead(void **state)
{
    (void)state;
    struct pst_header header;
    struct pst_error error;
    size_t index;
    make_header(&header);
    assert_int_equal(pst_header_require(&header, "x", PST_DTYPE_U8, 2, NULL, &index, &error), PST_OK);
    assert_int_equal(pst_header_require(&header, "x", PST_DTYPE_U8, 2, (size_t[]){ 0, 3 }, &index, &error),
                     PST_OK);
    assert_int_equal(pst_header_require(&header, "x", PST_DTYPE_U8, 2, (size_t[]){ 2, 4 }, &index, &error),
                     PST_BAD_DATA);
    assert_non_null(strstr(error.message, "3 elements in dimension 2; 4"));
    assert_int_equal(pst_header_require(&header, "x", PST_DTYPE_F32, 2, NULL, &index, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "u8"));
    assert_int_equal(pst_header_require(&header, "z", PST_DTYPE_F32, 2, NULL, &index, &error), PST_BAD_DATA);
    pst_header_free(&header);
}

static void a_name_is_declared_once(void **state)
{
    (void)state;
    struct pst_header header;
    struct pst_error error;
    make_header(&header);
    struct pst_tensor_spec again = { .name = "logits/a", .dtype = PST_DTYPE_F32 };
    assert_int_equal(pst_header_add_tensor(&header, &again, NULL, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "'logits/a'"));
    assert_int_equal(header.tensor_count, 4);
    pst_header_free(&header);
}

static void two_runs_have_two_names(void **state)
{
    (void)state;
    struct pst_header a, b;
    assert_int_equal(pst_header_new(&a, NULL), PST_OK);
    assert_int_equal(pst_header_new(&b, NULL), PST_OK);
    assert_int_equal(strspn(a.run, "0123456789abcdef"), 32);
    assert_string_not_equal(a.run, b.run);
    pst_header_free(&a);
    pst_header_free(&b);
}

static void a_copy_of_a_header_is_its_own(void **state)
{
    (void)state;
    struct pst_header header, copy;
    make_header(&header);
    header.other = json_pack("{s:i}", "later", 1);
    assert_int_equal(pst_header_copy(&copy, &header, NULL), PST_OK);
    add_tensor(&header, "more", PST_DTYPE_F32, 1);
    json_object_set_new(header.other, "later", json_integer(2));
    assert_int_equal(pst_header_append_history(&header, "later", NULL, NULL), PST_OK);
    assert_int_equal(copy.tensor_count, 4);
    assert_int_equal(json_array_size(copy.history), 1);
    assert_int_equal(json_integer_value(json_object_get(copy.other, "later")), 1);
    pst_header_free(&header);
    pst_header_free(&copy);
}

static void a_batch_of_impossible_size_is_refused(void **state)
{
    (void)state;
    struct pst_header header;
    struct pst_batch batch = { 0 };
    make_header(&header);
    assert_int_equal(pst_batch_follow(&batch, &header, NULL), PST_OK);
    assert_int_equal(pst_batch_resize(&batch, &header, 0, 0, NULL), PST_BAD_DATA);
    assert_int_equal(pst_batch_resize(&batch, &header, SIZE_MAX / 4, 0, NULL), PST_BAD_DATA);
    pst_batch_free(&batch);
    pst_header_free(&header);
}

static void a_writer_refuses_what_does_not_fit_its_header(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded recorded = { 0 };
    struct pst_batch batch = { 0 };
    struct pst_error error;
    make_header(&header);
    struct pst_writer *writer = open_writer(&recorded);
    assert_int_equal(pst_writer_header(writer, &header, NULL), PST_OK);
    make_batch(&batch, &header, 1, 0, 3);
    assert_int_equal(pst_writer_batch(writer, &batch, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "out of order"));
    batch.seq = 0;
    batch.tensors[1].bytes--;
    assert_int_equal(pst_writer_batch(writer, &batch, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "'y'"));
    batch.tensors[1].bytes++;
    assert_int_equal(pst_writer_batch(writer, &batch, &error), PST_OK);
    pst_writer_free(writer);
    pst_batch_free(&batch);
    pst_header_free(&header);
    forget(&recorded);
}

/* A reader must accept what a writer writes. */
static void a_header_larger_than_readers_accept_is_not_written(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded recorded = { 0 };
    struct pst_error error;
    make_header(&header);
    char *text = calloc(1, PST_MAX_META + 1U);
    assert_non_null(text);
    memset(text, 'a', PST_MAX_META);
    assert_int_equal(pst_header_append_history(&header, "wordy", json_pack("{s:s}", "text", text), NULL),
                     PST_OK);
    free(text);
    struct pst_writer *writer = open_writer(&recorded);
    assert_int_equal(pst_writer_header(writer, &header, &error), PST_BAD_DATA);
    assert_int_equal(recorded.size, 0);
    pst_writer_free(writer);
    pst_header_free(&header);
    forget(&recorded);
}

static void u8_elements_are_scaled_and_shifted(void **state)
{
    (void)state;
    uint8_t bytes[3] = { 0, 4, 255 };
    float numbers[3];
    struct pst_tensor tensor = { .data = bytes, .bytes = 3 };
    struct pst_tensor_spec spec = { .name = "x", .dtype = PST_DTYPE_U8, .scale = 0.5, .offset = -1 };
    assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 3, numbers, NULL), PST_OK);
    assert_true(numbers[0] == -1 && numbers[1] == 1 && numbers[2] == 126.5F);
    spec.scale = spec.offset = 0;
    assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 3, numbers, NULL), PST_OK);
    assert_true(numbers[0] == 0 && numbers[1] == 4 && numbers[2] == 255);
}

static void numbers_that_are_not_finite_are_found(void **state)
{
    (void)state;
    float values[6] = { 1, -2, FLT_MAX, -FLT_MAX, 0, 3 }, numbers[6];
    struct pst_tensor tensor = { .data = values, .bytes = sizeof values };
    struct pst_tensor_spec spec = { .name = "x", .dtype = PST_DTYPE_F32, .rank = 1, .shape = { 2 } };
    struct pst_error error;
    assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 3, numbers, &error), PST_OK);
    assert_memory_equal(numbers, values, sizeof values);
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < 3; i++) {
        values[5] = bad[i];
        assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 3, numbers, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, "'x', sample 2 of the batch"));
    }
}

static void halves_are_numbers_too(void **state)
{
    (void)state;
    uint16_t halves[4] = { 0x3C00, 0xC500, 0x0001, 0x7BFF };
    float numbers[4];
    struct pst_tensor tensor = { .data = halves, .bytes = sizeof halves };
    struct pst_tensor_spec spec = { .name = "soft", .dtype = PST_DTYPE_F16, .rank = 1, .shape = { 2 } };
    struct pst_error error;
    assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 2, numbers, &error), PST_OK);
    assert_true(numbers[0] == 1 && numbers[1] == -5 && numbers[2] == 0x1p-24F && numbers[3] == 65504);
    halves[3] = 0x7C00;
    assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 2, numbers, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "'soft', sample 1 of the batch"));
}

static void a_scale_beyond_what_f32_holds_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[1] = { 1 };
    float numbers[1];
    struct pst_tensor tensor = { .data = bytes, .bytes = 1 };
    struct pst_tensor_spec scaled = { .name = "x", .dtype = PST_DTYPE_U8, .scale = 1e300 };
    struct pst_tensor_spec shifted = { .name = "x", .dtype = PST_DTYPE_U8, .offset = -1e39 };
    assert_int_equal(pst_tensor_to_f32(&scaled, &tensor, 1, numbers, NULL), PST_BAD_DATA);
    assert_int_equal(pst_tensor_to_f32(&shifted, &tensor, 1, numbers, NULL), PST_BAD_DATA);
}

static void numbers_of_other_kinds_are_refused(void **state)
{
    (void)state;
    int32_t labels[1] = { 1 };
    float numbers[1];
    struct pst_tensor tensor = { .data = labels, .bytes = 4 };
    struct pst_tensor_spec spec = { .name = "y", .dtype = PST_DTYPE_I32 };
    assert_int_equal(pst_tensor_to_f32(&spec, &tensor, 1, numbers, NULL), PST_BAD_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_are_found_by_name_and_by_prefix),
        cmocka_unit_test(a_requirement_names_what_is_there_instead),
        cmocka_unit_test(a_name_is_declared_once),
        cmocka_unit_test(two_runs_have_two_names),
        cmocka_unit_test(a_copy_of_a_header_is_its_own),
        cmocka_unit_test(a_batch_of_impossible_size_is_refused),
        cmocka_unit_test(a_writer_refuses_what_does_not_fit_its_header),
        cmocka_unit_test(a_header_larger_than_readers_accept_is_not_written),
        cmocka_unit_test(u8_elements_are_scaled_and_shifted),
        cmocka_unit_test(numbers_that_are_not_finite_are_found),
        cmocka_unit_test(halves_are_numbers_too),
        cmocka_unit_test(a_scale_beyond_what_f32_holds_is_refused),
        cmocka_unit_test(numbers_of_other_kinds_are_refused),
    };
    return cmocka_run_group_tests_name("headers and batches", tests, NULL, NULL);
}

/* NPY files: their contents are read, and every fault of a file is reported. */
#include "npy_fixture.h"

#include <math.h>

#define F4_3_2 "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n"

static const float floats[] = { 1, 2, 3, 4, 5, 6 };

static void write_npy(unsigned version, const char *header, const void *elements, size_t size)
{
    static struct bytes bytes;
    bytes = npy(version, header, elements, size);
    write_bytes(&bytes);
}

/* The one sample of the file at `index` must be these numbers. */
static void assert_sample(size_t index, const float *wanted, size_t count)
{
    char text[128];
    float x[8], raw[16];
    snprintf(text, sizeof text, "npy:%s", path);
    struct pst_dataset set = open_good(text, false, NULL);
    assert_int_equal(pst_dataset_elements(&set), count);
    assert_int_equal(pst_dataset_read(&set, index, NULL, x, raw, NULL), PST_OK);
    assert_memory_equal(x, wanted, count * sizeof *x);
    pst_dataset_close(&set);
}

static void headers_of_every_form_are_read(void **state)
{
    (void)state;
    static const char *const headers[] = {
        F4_3_2,
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}",
        "  { \"shape\" : ( 3 , 2 , ) , \"fortran_order\":False,\n\"descr\":\"<f4\"}   \n",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3L, 2L), }          \n",
    };
    for (unsigned version = 1; version <= 3; version++)
        for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
            write_npy(version, headers[i], floats, sizeof floats);
            assert_sample(2, floats + 4, 2);
        }
    write_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }", floats, sizeof floats);
    assert_sample(2, (const float[]){ 3, 6 }, 2);
    write_npy(1, "{'descr': '<f4', 'fortran_order': True, 'shape': (6,), }", floats, sizeof floats);
    assert_sample(4, floats + 4, 1);
}

static void a_header_that_is_none_is_refused(void **state)
{
    (void)state;
#define WITH(descr, order, shape) "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"
    static const struct {
        const char *header, *words;
    } wrong[] = {
        { "", "at byte 10 there should be '{'" },
        { "{", "at byte 11 there should be a text in quotes" },
        { "{}", "it has not all of descr, fortran_order and shape" },
        { "{'descr': '<f4', 'fortran_order': False}", "it has not all of" },
        { "{'descr': '<f4', 'descr': '<f4'}", "'descr' before byte 34 is there twice" },
        { "{'other': 3}", "'other' before byte 18 is not one of its keys" },
        { "{'descr' '<f4'}", "at byte 19 there should be ':'" },
        { "{'desc\\x72': '<f4'}", "there should be the end of a text in quotes" },
        { "{'descr", "there should be the end of a text in quotes" },
        { WITH("'<f4'", "False", "(3, 2)") "}", "there should be nothing but white space" },
        { WITH("'<f4'", "False", "(3, 2)") " 1", "there should be nothing but white space" },
        { "{{{{{{{{{{{{{{{{{{{{", "there should be a text in quotes" },
        { WITH("'<f4'", "0", "(3, 2)"), "there should be True or False" },
        { WITH("'<f4'", "False", "[3, 2]"), "there should be '('" },
        { WITH("'<f4'", "False", "((((((3, 2)"), "there should be a size" },
        { WITH("'<f4'", "False", "(3 2)"), "there should be ',' or ')'" },
        { WITH("'<f4'", "False", "(3, 2"), "there should be ',' or ')'" },
        { WITH("'<f4'", "False", "(6)"), "there should be a comma before ')'" },
        { WITH("'<f4'", "False", "(-3, 2)"), "there should be a size" },
        { WITH("'<f4'", "False", "(3.0, 2)"), "there should be ',' or ')'" },
        { WITH("'<f4'", "False", "()"), "it is a single number" },
        { WITH("'<f4'", "False", "(0, 2)"), "a dimension is 0" },
        { WITH("'<f4'", "False", "(1,1,1,1,1,1,1,1,6)"), "it has more than 8 dimensions" },
        { WITH("'<f4'", "False", "(99999999999999999999999,)"), "is beyond all memory" },
        { WITH("'<f4'", "False", "(18446744073709551615, 2)"),
          "multiply to more bytes than memory can have" },
        { WITH("'<f4'", "False", "(4294967296, 4294967296)"), "multiply to more bytes than memory can have" },
        { WITH("'<f4'", "False", "(3000000000, 2000)"), "too short" },
        { WITH("'|O'", "False", "(6,)"),
          "its elements are Python objects ('|O'), and pickles are never read" },
        { WITH("[('a', '<f4'), ('b', '<f4')]", "False", "(3,)"), "its elements are records" },
        { WITH("'<U4'", "False", "(1,)"), "its elements are of type '<U4'" },
        { WITH("'<c8'", "False", "(3,)"), "its elements are of type '<c8'" },
        { WITH("'<M8[ns]'", "False", "(3,)"), "its elements are of type '<M8[ns]'" },
        { WITH("'|f4'", "False", "(6,)"), "its elements are of type '|f4'" },
        { WITH("'f4'", "False", "(6,)"), "its elements are of type 'f4'" },
        { WITH("'<f16'", "False", "(1,)"), "its elements are of type '<f16'" },
        { WITH("''", "False", "(6,)"), "its elements are of type ''" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_npy(1, wrong[i].header, floats, sizeof floats);
        assert_bad("npy", 0, wrong[i].words);
    }
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    static struct bytes bytes;
    for (unsigned version = 1; version <= 3; version++) {
        bytes = npy(version, F4_3_2, floats, sizeof floats);
        for (size_t whole = bytes.size; bytes.size-- > 0 && whole > 0;) {
            write_bytes(&bytes);
            assert_bad("npy", 0, "too short");
        }
    }
    bytes = npy(1, F4_3_2, floats, sizeof floats);
    put(&bytes, "", 1);
    write_bytes(&bytes);
    assert_bad("npy", 0, "too long: more follows after the last element, at byte 94");
}

static void a_file_whose_bits_flip_is_survived(void **state)
{
    (void)state;
    static struct bytes good;
    good = npy(1, F4_3_2, floats, sizeof floats);
    flip_bits("npy", &good, 1000);
}

static void what_contradicts_itself_is_refused(void **state)
{
    (void)state;
    static struct bytes bytes;
    bytes = npy(4, F4_3_2, floats, sizeof floats);
    write_bytes(&bytes);
    assert_bad("npy", 0, "version 4.0 at byte 6");
    bytes = npy(2, F4_3_2, floats, sizeof floats);
    memcpy(bytes.at + 8, "\xff\xff\xff\xff", 4);
    write_bytes(&bytes);
    assert_bad("npy", 0, "a header of 4294967295 bytes at byte 8; at most 10000 are read");
    bytes = npy(1, F4_3_2, floats, sizeof floats);
    bytes.at[20] = '\0';
    write_bytes(&bytes);
    assert_bad("npy", 0, "damaged header: at byte 20");
    bytes.size = 0;
    put(&bytes, "\0\0\x08\3and so on", 13);
    write_bytes(&bytes);
    assert_bad("npy", 0, "not an NPY file, but an IDX file");
    write_npy(1, WITH("'|b1'", "False", "(2, 2)"), "\0\1\2\1", 4);
    assert_bad("npy", 0, "element 2 is a bool, but its byte is 2");
    write_npy(1, F4_3_2, (const float[]){ 1, 2, 3, INFINITY, 5, 6 }, sizeof floats);
    assert_bad("npy", 0, "sample 1: element 1 is not a finite number of 32 bits: inf");
}

static void fortran_order_stays_within_the_memory_that_is_given(void **state)
{
    (void)state;
    static const uint8_t zeros[20000];
    write_npy(1, WITH("'|u1'", "True", "(200, 100)"), zeros, sizeof zeros);
    assert_bad("npy", 19999, "it takes 20000 bytes, more than --max-memory leaves (19999)");
    assert_good("npy", NULL);
    write_npy(1, WITH("'|u1'", "False", "(200, 100)"), zeros, sizeof zeros);
    assert_int_equal(open_and_read("npy", 1, NULL, NULL), PST_OK);
}

static void a_file_that_shrinks_is_noticed(void **state)
{
    (void)state;
    char text[128];
    float x[2], raw[2];
    struct pst_error error;
    struct pst_dataset set;
    const struct pst_dataset_type *type;
    const char *arguments[1];
    write_npy(1, F4_3_2, floats, sizeof floats);
    snprintf(text, sizeof text, "npy:%s", path);
    assert_int_equal(pst_dataset_find(text, &type, arguments, NULL), PST_OK);
    struct pst_dataset_request request = { .count = 1, .arguments = arguments, .max_memory = 95 };
    assert_int_equal(pst_dataset_open(&set, type, &request, NULL), PST_OK);
    assert_int_equal(truncate(path, 80), 0);
    assert_int_equal(pst_dataset_read(&set, 2, NULL, x, raw, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "file, sample 2: the file ends at byte"));
    pst_dataset_close(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_of_every_form_are_read),
        cmocka_unit_test(a_header_that_is_none_is_refused),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_file_whose_bits_flip_is_survived),
        cmocka_unit_test(what_contradicts_itself_is_refused),
        cmocka_unit_test(fortran_order_stays_within_the_memory_that_is_given),
        cmocka_unit_test(a_file_that_shrinks_is_noticed),
    };
    return cmocka_run_group_tests_name("data_npy", tests, make_folder, remove_folder);
}

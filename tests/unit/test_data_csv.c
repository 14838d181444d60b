/* Tables in text: numbers as strtod reads them, what is a table, and files that are damaged anywhere. */
#include "data_fixture.h"

#include "lib/data/csv/csv.h"

#include <stdio.h>
#include <unistd.h>

static const char table[] = "\xEF\xBB\xBFnumber,\"a \"\"text\"\"\",label\r\n"
                            "1.5,\"two\nlines\",yes\r\n"
                            "\r\n"
                            "-2e3,\xC3\xA4,no\r\n"
                            "7,\"\xC3\xA4\",yes";

static char path[64];

static int name_file(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/pipestill-csv-%ld", (long)getpid());
    return 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_bytes(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static enum pst_status open_file(struct pst_dataset *set, struct pst_error *error)
{
    char text[80];
    snprintf(text, sizeof text, "csv:%s", path);
    return open_set(set, text, false, NULL, error);
}

static void numbers_are_those_of_strtod(void **state)
{
    (void)state;
    struct pst_random random;
    pst_random_start(&random, 3, 1000, 0, 0);
    for (int i = 0; i < 200000; i++) {
        char text[64];
        double number, value = pst_random_normal(&random) * (double)(1 << pst_random_below(&random, 30));
        int digits = (int)pst_random_below(&random, 18);
        uint64_t form = pst_random_below(&random, 3);
        int size = form == 0   ? pst_print_plain(text, sizeof text, "%.*f", digits, value)
                   : form == 1 ? pst_print_plain(text, sizeof text, "%.*g", digits, value)
                               : pst_print_plain(text, sizeof text, "%.*e", digits, value);
        assert_true(pst_csv_number(text, (size_t)size, &number));
        assert_memory_equal(&number, &(double){ strtod(text, NULL) }, sizeof number);
    }
}

static void a_field_that_is_not_a_number_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = { "",      " ",     "-",     ".",   "-.",       "1,5", "1 5",
                                         "0x10",  "inf",   "nan",   "1e",  "e5",       "1..", "--1",
                                         "1e999", "1_000", "1.5.2", "one", "\xC3\xA4", "1-2" };
    double number;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (pst_csv_number(texts[i], strlen(texts[i]), &number))
            fail_msg("'%s' was taken for %g", texts[i], number);
    assert_true(pst_csv_number(" \t-.5e+1 ", 9, &number));
    assert_true(number == -5);
    assert_true(pst_csv_number("+007.", 5, &number));
    assert_true(number == 7);
}

static bool recognised(const char *text)
{
    return pst_csv_recognises((const unsigned char *)text, strlen(text));
}

static void tables_are_recognised_and_other_texts_are_not(void **state)
{
    (void)state;
    assert_true(recognised(table));
    assert_true(recognised("1\t2\n3\t4\n"));
    assert_true(recognised("\n1;\"a;b\"\n\n3;4"));
    assert_false(recognised("1,2\n"));
    assert_false(recognised("1,2\n3\n"));
    assert_false(recognised("1 1:0.5 3:2\n-1 2:1\n"));
    assert_false(recognised("{\"a\":1,\n\"b\":2,\n"));
    assert_false(recognised("a,b\n\x01,2\n"));
    assert_false(recognised(""));
    char row[PST_FILE_START + 1] = "";
    for (size_t i = 0; i < PST_FILE_START; i++)
        row[i] = i % 4 == 3 ? ',' : '1';
    assert_true(recognised(row));
}

static void texts_are_found_and_sorted(void **state)
{
    (void)state;
    struct pst_csv_texts texts = { 0 };
    uint32_t *places;
    const char *const *names;
    char text[16];
    for (size_t i = 0; i < 3000; i++) {
        int size = snprintf(text, sizeof text, "%zu", i * 7919 % 3000);
        assert_int_equal(pst_csv_find_text(&texts, text, (size_t)size), PST_CSV_NOWHERE);
        assert_int_equal(pst_csv_add_text(&texts, text, (size_t)size, NULL), PST_OK);
        assert_int_equal(pst_csv_find_text(&texts, text, (size_t)size), i);
    }
    assert_int_equal(pst_csv_sort_texts(&texts, true, &places, &names, NULL), PST_OK);
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(strtoul(names[i], NULL, 10), i);
        assert_string_equal(names[places[i]], pst_csv_text(&texts, i));
    }
    free(places);
    free((void *)names);
    pst_csv_free_texts(&texts);
}

static void a_table_says_what_its_columns_are_and_where_rows_stand(void **state)
{
    (void)state;
    struct pst_dataset set;
    struct pst_error error = { 0 };
    char place[200], expected[200];
    float x[3];
    write_bytes(table, sizeof table - 1);
    if (open_file(&set, &error) != PST_OK)
        fail_msg("%s", error.message);
    assert_int_equal(set.samples, 3);
    assert_int_equal(set.columns, 2);
    assert_string_equal(set.column[0].name, "number");
    assert_string_equal(set.column[1].name, "a \"text\"");
    assert_int_equal(set.column[1].categories, 2);
    assert_string_equal(set.column[1].category[0], "two\nlines");
    assert_string_equal(set.class_names[0], "no");
    get_good(&set, 2, x);
    assert_true(x[0] == 7 && x[1] == 0 && x[2] == 1);
    static const size_t lines[] = { 2, 5, 6 };
    for (size_t i = 0; i < 3; i++) {
        set.type->place(&set, i, place, sizeof place);
        snprintf(expected, sizeof expected, "%s, row %zu (line %zu)", path, i, lines[i]);
        assert_string_equal(place, expected);
    }
    pst_dataset_close(&set);
}

/* Opens the rest of a table, which must be a set or an error that names the file. */
static void try_damaged(const char *bytes, size_t size)
{
    struct pst_dataset set;
    struct pst_error error = { 0 };
    write_bytes(bytes, size);
    enum pst_status status = open_file(&set, &error);
    if (status == PST_OK) {
        assert_in_range(set.samples, 1, 3);
        pst_dataset_close(&set);
        return;
    }
    assert_true(status == PST_BAD_DATA || status == PST_USAGE);
    if (strstr(error.message, path) == NULL)
        fail_msg("'%s' does not name the file", error.message);
}

static void tables_cut_or_flipped_anywhere_are_read_or_refused(void **state)
{
    (void)state;
    char bytes[sizeof table];
    for (size_t size = 0; size < sizeof table; size++)
        try_damaged(table, size);
    for (size_t i = 0; i + 1 < sizeof table; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(bytes, table, sizeof table);
            bytes[i] = (char)(bytes[i] ^ 1 << bit);
            try_damaged(bytes, sizeof table - 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_those_of_strtod),
        cmocka_unit_test(a_field_that_is_not_a_number_is_refused),
        cmocka_unit_test(tables_are_recognised_and_other_texts_are_not),
        cmocka_unit_test(texts_are_found_and_sorted),
        cmocka_unit_test(a_table_says_what_its_columns_are_and_where_rows_stand),
        cmocka_unit_test(tables_cut_or_flipped_anywhere_are_read_or_refused),
    };
    return cmocka_run_group_tests_name("csv", tests, name_file, remove_file);
}

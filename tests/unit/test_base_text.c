/* Text from elsewhere is printed without anything that moves a terminal's cursor. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_becomes(const char *text, const char *expected)
{
    char copy[600];
    snprintf(copy, sizeof copy, "%s", text);
    pst_make_printable(copy);
    assert_string_equal(copy, expected);
}

static void letters_of_any_language_stay(void **state)
{
    (void)state;
    assert_becomes("", "");
    assert_becomes("plain text ~", "plain text ~");
    assert_becomes("\xc2\xa0\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf",
                   "\xc2\xa0\xc3\xa9\xe2\x82\xac\xed\x9f\xbf\xee\x80\x80\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf");
}

static void control_characters_become_question_marks(void **state)
{
    (void)state;
    assert_becomes("a\nb\tc\033[2J\177", "a?b?c?[2J?");
    for (unsigned c1 = 0x80; c1 < 0xa0; c1++) {
        const char utf8[] = { 'a', '\xc2', (char)c1, '3', '1', 'm', '\0' };
        const char raw[] = { 'a', (char)c1, '3', '1', 'm', '\0' };
        assert_becomes(utf8, "a?31m");
        assert_becomes(raw, "a?31m");
    }
}

static void bytes_that_are_not_utf_8_become_question_marks(void **state)
{
    (void)state;
    assert_becomes("caf\xe9!", "caf?!");
    assert_becomes("\xc1\x9b.", "??.");           /* longer than needed */
    assert_becomes("\xe0\x82\x9b.", "???.");      /* the same, of three bytes */
    assert_becomes("\xf0\x80\x82\x9b.", "????."); /* and of four */
    assert_becomes("\xed\xa0\x80.", "???.");      /* a surrogate */
    assert_becomes("\xf4\x90\x80\x80.", "????."); /* beyond the last letter */
    assert_becomes("\xff\xfe\xe2\x82.", "????.");
}

static void a_letter_that_the_end_cuts_is_left_out(void **state)
{
    (void)state;
    assert_becomes("a\xc3", "a");
    assert_becomes("a\xe2\x82", "a");
    assert_becomes("a\xf0\x9f\x98", "a");
}

static char *written(const char *text, int width)
{
    char *result = NULL;
    size_t size;
    FILE *out = open_memstream(&result, &size);
    assert_non_null(out);
    pst_write_printable(out, width, text);
    assert_int_equal(fclose(out), 0);
    return result;
}

static void a_text_is_written_with_blanks_behind_it(void **state)
{
    (void)state;
    char *text = written("a\033b", 6), *wide = written("abc", 2);
    assert_string_equal(text, "a?b   ");
    assert_string_equal(wide, "abc");
    free(text);
    free(wide);
}

static void a_long_text_is_written_whole(void **state)
{
    (void)state;
    char text[1000] = "";
    for (size_t i = 0; i < 300; i++)
        memcpy(text + 3 * i, "\xe2\x82\xac", 4);
    for (size_t shift = 0; shift < 3; shift++) {
        char shifted[1010];
        snprintf(shifted, sizeof shifted, "%.*s%s", (int)shift, "aa", text);
        char *whole = written(shifted, 0);
        assert_string_equal(whole, shifted);
        free(whole);
    }
    memset(text, '\x9b', 900);
    char *whole = written(text, 0);
    assert_int_equal(strlen(whole), 900);
    assert_int_equal(strspn(whole, "?"), 900);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_of_any_language_stay),
        cmocka_unit_test(control_characters_become_question_marks),
        cmocka_unit_test(bytes_that_are_not_utf_8_become_question_marks),
        cmocka_unit_test(a_letter_that_the_end_cuts_is_left_out),
        cmocka_unit_test(a_text_is_written_with_blanks_behind_it),
        cmocka_unit_test(a_long_text_is_written_whole),
    };
    return cmocka_run_group_tests_name("text from elsewhere", tests, NULL, NULL);
}

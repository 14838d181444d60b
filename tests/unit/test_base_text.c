/* Foreign text: what is UTF-8, and which of it may be in a line and in JSON. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void letters_of_every_length_are_utf8(void **state)
{
    (void)state;
    assert_true(pst_is_utf8(""));
    assert_true(pst_is_utf8("a \t\x7f"));
    assert_true(
        pst_is_utf8("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80 \xF4\x8F\xBF\xBF \xED\x9F\xBF \xEE\x80\x80"));
}

static void what_no_letter_consists_of_is_not_utf8(void **state)
{
    (void)state;
    static const char *const bad[] = { "\xFF",
                                       "\x80",
                                       "a\xC3",
                                       "\xC0\xAF",
                                       "\xE0\x9F\xBF",
                                       "\xED\xA0\x80",
                                       "\xF4\x90\x80\x80",
                                       "\xF0\x8F\xBF\xBF",
                                       "\xE2\x82",
                                       "\xF5\x80\x80\x80" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(pst_is_utf8(bad[i]));
}

/* assert_plain: what becomes of a text. */
static void assert_plain(const char *text, const char *plain)
{
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    pst_make_plain(copy);
    assert_string_equal(copy, plain);
    assert_true(pst_is_utf8(copy));
}

static void what_a_terminal_obeys_becomes_question_marks(void **state)
{
    (void)state;
    assert_plain("two\nlines\033[2J\177", "two?lines?[2J?");
    assert_plain("a\xC2\x9B"
                 "2J",
                 "a??2J");
    assert_plain("a\xC2\xA0z", "a\xC2\xA0z");
}

static void bytes_that_are_no_letters_become_question_marks(void **state)
{
    (void)state;
    assert_plain("m\xFFz", "m?z");
    assert_plain("\xC3(", "?(");
    assert_plain("\xE2\x82z", "??z");
}

static void a_letter_that_is_cut_goes(void **state)
{
    (void)state;
    assert_plain("caf\xC3", "caf");
    assert_plain("5 \xE2\x82", "5 ");
    assert_plain("\xF0\x9F\x98", "");
}

static void a_message_that_is_cut_ends_with_a_letter(void **state)
{
    (void)state;
    struct pst_error error;
    char text[1000] = "x";
    for (size_t i = 1; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xC3\xA9", 3);
    pst_fail(&error, PST_BAD_DATA, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_true(pst_is_utf8(error.message));
    pst_fail_at(&error, "a place");
    assert_true(pst_is_utf8(error.message));
    assert_int_equal(error.message[strlen(error.message) - 1] & 0xFF, 0xA9);
}

static char *written(const char *text, int width)
{
    char *result = NULL;
    size_t size;
    FILE *out = open_memstream(&result, &size);
    assert_non_null(out);
    pst_write_plain(out, width, text);
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
        cmocka_unit_test(letters_of_every_length_are_utf8),
        cmocka_unit_test(what_no_letter_consists_of_is_not_utf8),
        cmocka_unit_test(what_a_terminal_obeys_becomes_question_marks),
        cmocka_unit_test(bytes_that_are_no_letters_become_question_marks),
        cmocka_unit_test(a_letter_that_is_cut_goes),
        cmocka_unit_test(a_message_that_is_cut_ends_with_a_letter),
        cmocka_unit_test(a_text_is_written_with_blanks_behind_it),
        cmocka_unit_test(a_long_text_is_written_whole),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}

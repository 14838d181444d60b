/* An error is one plain line for all names and texts from outside. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void an_error_holds_its_status_and_message(void **state)
{
    (void)state;
    struct pst_error error;
    assert_int_equal(pst_fail(&error, PST_BAD_DATA, "batch %d is bad", 7), PST_BAD_DATA);
    assert_int_equal(error.status, PST_BAD_DATA);
    assert_string_equal(error.message, "batch 7 is bad");
}

static void an_error_that_nobody_wants_is_lost(void **state)
{
    (void)state;
    assert_int_equal(pst_fail(NULL, PST_IO_ERROR, "%s", "unheard"), PST_IO_ERROR);
}

static void a_place_is_put_in_front(void **state)
{
    (void)state;
    struct pst_error error;
    pst_fail(&error, PST_BAD_DATA, "damaged");
    assert_int_equal(pst_fail_at(&error, "file %s, byte %d", "a", 3), PST_BAD_DATA);
    assert_string_equal(error.message, "file a, byte 3: damaged");
}

static void a_long_message_is_cut(void **state)
{
    (void)state;
    struct pst_error error;
    char text[1000];
    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    pst_fail(&error, PST_BAD_DATA, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    pst_fail_at(&error, "%.300s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
    assert_true(error.message[300] == ':');
    pst_fail_at(&error, "%s", text);
    assert_int_equal(strlen(error.message), sizeof error.message - 1);
}

static void control_characters_in_a_message_become_question_marks(void **state)
{
    (void)state;
    struct pst_error error;
    pst_fail(&error, PST_NO_INPUT, "%s: missing", "two\nlines\033[2J");
    assert_string_equal(error.message, "two?lines?[2J: missing");
}

static void control_characters_in_a_place_become_question_marks(void **state)
{
    (void)state;
    struct pst_error error;
    pst_fail(&error, PST_NO_INPUT, "missing");
    pst_fail_at(&error, "%s", "two\nlines\177");
    assert_string_equal(error.message, "two?lines?: missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_holds_its_status_and_message),
        cmocka_unit_test(an_error_that_nobody_wants_is_lost),
        cmocka_unit_test(a_place_is_put_in_front),
        cmocka_unit_test(a_long_message_is_cut),
        cmocka_unit_test(control_characters_in_a_message_become_question_marks),
        cmocka_unit_test(control_characters_in_a_place_become_question_marks),
    };
    return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}

/* base.h: texts that are made piece by piece. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifdef PST_SANITIZED
/* If memory is short, an allocation returns NULL, as without a sanitizer, and the program goes on. */
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}
#endif

static void a_text_of_any_length_is_whole(void **state)
{
    (void)state;
    for (size_t lines = 0; lines < 20000; lines = 3 * lines + 1) {
        struct pst_text text;
        FILE *out = pst_text_open(&text);
        assert_non_null(out);
        for (size_t i = 0; i < lines; i++)
            fprintf(out, "line %04zu\n", i % 10000);
        char *whole = pst_text_close(&text);
        assert_non_null(whole);
        assert_int_equal(strlen(whole), 10 * lines);
        assert_true(lines == 0 || strncmp(whole + 10 * (lines - 1), "line ", 5) == 0);
        free(whole);
    }
    assert_false(pst_memory_ran_short());
}

static void memory_that_cannot_be_had_leaves_a_mark(void **state)
{
    (void)state;
    struct pst_error error;
    assert_int_equal(pst_check_memory(&error), PST_OK);
    volatile size_t size = PTRDIFF_MAX;
    assert_null(pst_marking_malloc(size));
    assert_true(pst_memory_ran_short());
    assert_int_equal(pst_check_memory(&error), PST_TRY_AGAIN);
    assert_string_equal(error.message, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_of_any_length_is_whole),
        cmocka_unit_test(memory_that_cannot_be_had_leaves_a_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

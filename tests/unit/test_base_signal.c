/* base.h, signals: the effect of the first one, and of the second. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* A program that gets these signals one after another, and then ends with 10 + the one that asked it to stop.
 * Returns how it ended, as waitpid says it. */
static int end_of(bool ignores_hup, int first, int second)
{
    pid_t child = fork();
    if (child == 0) {
        if (ignores_hup)
            signal(SIGHUP, SIG_IGN);
        pst_stop_on_signals();
        raise(first);
        raise(second);
        _exit(10 + pst_stop_signal());
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void the_second_sigterm_ends_at_once(void **state)
{
    (void)state;
    static const int first[] = { SIGTERM, SIGINT, SIGHUP };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        int status = end_of(false, first[i], SIGTERM);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGTERM);
    }
}

static void sighup_asks_to_stop_however_often(void **state)
{
    (void)state;
    int status = end_of(false, SIGHUP, SIGHUP);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 10 + SIGHUP);
    status = end_of(false, SIGTERM, SIGHUP);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 10 + SIGTERM);
}

static void sighup_that_is_ignored_stays_ignored(void **state)
{
    (void)state;
    int status = end_of(true, SIGHUP, SIGHUP);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_second_sigterm_ends_at_once),
        cmocka_unit_test(sighup_asks_to_stop_however_often),
        cmocka_unit_test(sighup_that_is_ignored_stays_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

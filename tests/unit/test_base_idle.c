/* Idle processors: for how many threads there is one. */
#include "pipestill/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static void threads_are_as_many_as_processors_that_are_used_and_idle(void **state)
{
    (void)state;
    assert_int_equal(pst_idle_decide(0.25, 0, 0.25, 8), 1);    /* all others are busy */
    assert_int_equal(pst_idle_decide(0.25, 0.25, 0.25, 8), 2); /* one is idle */
    assert_int_equal(pst_idle_decide(0.43, 0.05, 0.25, 8),
                     2);                                    /* two threads that wait now and then keep two */
    assert_int_equal(pst_idle_decide(0.30, 0, 0.25, 8), 1); /* one of two lost its processor to others */
    assert_int_equal(pst_idle_decide(0.15, 0.15, 0.25, 8), 1); /* this one waits for its input */
    assert_int_equal(pst_idle_decide(0.25, 1.75, 0.25, 8), 8);
    assert_int_equal(pst_idle_decide(0.25, 7.75, 0.25, 8), 8);
    assert_int_equal(pst_idle_decide(0, 0, 0.25, 8), 1);
}

static void a_second_thread_stays_if_a_process_that_keeps_pace_uses_more_because_of_it(void **state)
{
    (void)state;
    assert_int_equal(pst_idle_decide(0.25, 0.18, 0.25, 2), 2);    /* the other one needs 0.28 of this one */
    assert_int_equal(pst_idle_decide(0.39, 0, 0.25, 2), 2);       /* and takes 0.28 of twice the work */
    assert_int_equal(pst_idle_decide(0.25, 0.12, 0.25, 2), 1);    /* another one needs 0.52 of this one */
    assert_int_equal(pst_idle_decide(0.33, 0, 0.25, 2), 1);       /* here, too */
    assert_int_equal(pst_idle_decide(0.25, 0.25, 0.25, 1000), 2); /* many others have no part in it */
}

static void a_job_is_added_if_all_have_work_and_a_processor_is_idle(void **state)
{
    (void)state;
    assert_int_equal(pst_idle_decide_jobs(1, 0.25, 0.25, 0.25, 8), 2);
    assert_int_equal(pst_idle_decide_jobs(1, 0.25, 0.08, 0.25, 8), 2); /* others use the rest of it */
    assert_int_equal(pst_idle_decide_jobs(1, 0.25, 0.05, 0.25, 8), 1); /* almost nothing is idle */
    assert_int_equal(pst_idle_decide_jobs(1, 0.2, 0.25, 0.25, 8), 1);  /* it waits for its input */
    assert_int_equal(pst_idle_decide_jobs(1, 0.25, 1.5, 0.25, 8), 7);  /* all that are idle */
    assert_int_equal(pst_idle_decide_jobs(2, 0.5, 1.5, 0.25, 8), 8);
    assert_int_equal(pst_idle_decide_jobs(2, 0.5, 0.25, 0.25, 2), 2);
}

static void a_job_rests_if_the_others_can_do_its_work(void **state)
{
    (void)state;
    assert_int_equal(pst_idle_decide_jobs(2, 0.25, 0.25, 0.25, 8), 2); /* no change at once */
    assert_int_equal(pst_idle_decide_jobs(2, 0.19, 0.25, 0.25, 8), 1);
    assert_int_equal(pst_idle_decide_jobs(8, 0.6, 0.25, 0.25, 8), 3);
    assert_int_equal(pst_idle_decide_jobs(8, 0, 0, 0.25, 8), 1);
}

static void a_share_of_time_is_so_many_processors(void **state)
{
    (void)state;
    assert_true(pst_processors_of_share("150000 100000\n") == 1.5);
    assert_true(isinf(pst_processors_of_share("max 100000\n")));
    assert_true(isinf(pst_processors_of_share("")));
    assert_true(isinf(pst_processors_of_share("100000 0\n")));
}

static void a_number_of_threads_is_one_to_all_processors(void **state)
{
    (void)state;
    struct pst_idle idle, jobs;
    pst_idle_start(&idle);
    pst_idle_start(&jobs);
    assert_true(pst_processors() >= 1);
    for (int i = 0; i < 4; i++) {
        size_t threads = pst_idle_threads(&idle);
        assert_in_range(threads, 1, pst_processors());
        assert_in_range(pst_idle_jobs(&jobs), 1, pst_processors());
        nanosleep(&(struct timespec){ .tv_nsec = 130000000 }, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_are_as_many_as_processors_that_are_used_and_idle),
        cmocka_unit_test(a_second_thread_stays_if_a_process_that_keeps_pace_uses_more_because_of_it),
        cmocka_unit_test(a_job_is_added_if_all_have_work_and_a_processor_is_idle),
        cmocka_unit_test(a_job_rests_if_the_others_can_do_its_work),
        cmocka_unit_test(a_share_of_time_is_so_many_processors),
        cmocka_unit_test(a_number_of_threads_is_one_to_all_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

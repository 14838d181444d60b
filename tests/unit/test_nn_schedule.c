/* Learning rates and momentum over time. */
#include "tests/unit/nn_fixture.h"

static void assert_rate(const struct pst_schedule *schedule, double epoch, double expected)
{
    double rate = pst_schedule_rate(schedule, epoch);
    if (!(fabs(rate - expected) <= 1e-12))
        fail_msg("rate at %g is %.15g, expected %.15g", epoch, rate, expected);
}

static void a_constant_rate_stays(void **state)
{
    (void)state;
    struct pst_schedule schedule = { .kind = PST_CONSTANT, .rate = 0.1 };
    assert_rate(&schedule, 0, 0.1);
    assert_rate(&schedule, 1234.5, 0.1);
}

static void a_warm_up_rises_linearly_from_zero_for_every_kind(void **state)
{
    (void)state;
    struct pst_schedule schedule = {
        .rate = 0.4, .warm_up = 2, .epochs = 10, .step_epochs = 5, .gamma = 0.5, .final_rate = 0.1
    };
    for (schedule.kind = PST_CONSTANT; schedule.kind <= PST_COSINE; schedule.kind++) {
        assert_rate(&schedule, 0, 0);
        assert_rate(&schedule, 0.5, 0.1);
        assert_rate(&schedule, 1.5, 0.3);
        assert_rate(&schedule, 2, 0.4);
    }
}

static void steps_multiply_after_every_so_many_epochs(void **state)
{
    (void)state;
    struct pst_schedule schedule = { .kind = PST_STEP, .rate = 1, .step_epochs = 3, .gamma = 0.1 };
    assert_rate(&schedule, 2.999, 1);
    assert_rate(&schedule, 3, 0.1);
    assert_rate(&schedule, 5.9, 0.1);
    assert_rate(&schedule, 6, 0.01);
}

static void a_step_comes_in_time_where_the_quotient_is_rounded(void **state)
{
    (void)state;
    struct pst_schedule schedule = { .kind = PST_STEP, .rate = 1, .step_epochs = 0.1, .gamma = 0.5 };
    assert_rate(&schedule, 0.3, 0.125);
}

static void steps_are_counted_from_the_start_and_warm_up_multiplies_them(void **state)
{
    (void)state;
    struct pst_schedule schedule = {
        .kind = PST_STEP, .rate = 1, .step_epochs = 1, .gamma = 0.5, .warm_up = 4
    };
    assert_rate(&schedule, 2, 0.5 * 0.25);
    assert_rate(&schedule, 4, 0.0625);
}

static void a_linear_rate_goes_from_the_warm_up_to_the_final_rate_and_stays(void **state)
{
    (void)state;
    struct pst_schedule schedule = {
        .kind = PST_LINEAR, .rate = 1, .final_rate = 0.2, .warm_up = 2, .epochs = 10
    };
    assert_rate(&schedule, 2, 1);
    assert_rate(&schedule, 6, 0.6);
    assert_rate(&schedule, 10, 0.2);
    assert_rate(&schedule, 11, 0.2);
}

static void a_cosine_rate_follows_half_a_cosine(void **state)
{
    (void)state;
    struct pst_schedule schedule = { .kind = PST_COSINE, .rate = 1, .final_rate = 0, .epochs = 12 };
    assert_rate(&schedule, 0, 1);
    assert_rate(&schedule, 3, 0.5 + sqrt(0.5) / 2);
    assert_rate(&schedule, 4, 0.75);
    assert_rate(&schedule, 6, 0.5);
    assert_rate(&schedule, 8, 0.25);
    assert_rate(&schedule, 12, 0);
    assert_rate(&schedule, 13, 0);
}

static void a_warm_up_as_long_as_the_run_divides_nothing_by_zero(void **state)
{
    (void)state;
    struct pst_schedule schedule = {
        .kind = PST_LINEAR, .rate = 1, .final_rate = 0.5, .warm_up = 4, .epochs = 4
    };
    assert_rate(&schedule, 2, 0.5);
    assert_rate(&schedule, 4, 1);
    assert_rate(&schedule, 5, 0.5);
}

static void momentum_stays_without_epochs_to_change_in(void **state)
{
    (void)state;
    const struct pst_schedule schedule = { .rate = 1, .final_momentum = 0.99 };
    assert_true(pst_schedule_momentum(&schedule, 0.5, 0) == 0.5);
    assert_true(pst_schedule_momentum(&schedule, 0.5, 1000) == 0.5);
}

static void momentum_goes_straight_to_the_final_one_and_stays(void **state)
{
    (void)state;
    static const double expected[][2] = { { 0, 0.5 },          { 125, 0.6225 }, { 250, 0.745 },
                                          { 499.9, 0.989902 }, { 500, 0.99 },   { 3000, 0.99 } };
    const struct pst_schedule schedule = { .rate = 1, .final_momentum = 0.99, .momentum_epochs = 500 };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        double momentum = pst_schedule_momentum(&schedule, 0.5, expected[i][0]);
        if (!(fabs(momentum - expected[i][1]) <= 1e-12))
            fail_msg("momentum at %g is %.15g, expected %.15g", expected[i][0], momentum, expected[i][1]);
    }
}

int main(void)
{

    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_constant_rate_stays),
        cmocka_unit_test(a_warm_up_rises_linearly_from_zero_for_every_kind),
        cmocka_unit_test(steps_multiply_after_every_so_many_epochs),
        cmocka_unit_test(a_step_comes_in_time_where_the_quotient_is_rounded),
        cmocka_unit_test(steps_are_counted_from_the_start_and_warm_up_multiplies_them),
        cmocka_unit_test(a_linear_rate_goes_from_the_warm_up_to_the_final_rate_and_stays),
        cmocka_unit_test(a_cosine_rate_follows_half_a_cosine),
        cmocka_unit_test(a_warm_up_as_long_as_the_run_divides_nothing_by_zero),
        cmocka_unit_test(momentum_stays_without_epochs_to_change_in),
        cmocka_unit_test(momentum_goes_straight_to_the_final_one_and_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

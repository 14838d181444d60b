/* Teams: every round is made once, by whichever thread. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

enum { MANY = 5000, MOST = 8 };

struct counts {
    _Atomic unsigned made[MANY];
};

static void count_round(const void *context, size_t i)
{
    struct counts *counts = *(struct counts *const *)context;
    atomic_fetch_add(&counts->made[i], 1);
}

static void every_round_is_made_once(void **state)
{
    (void)state;
    static const size_t sizes[] = { 0, 1, 2, 3, 17, 31, 32, 33, 63, 64, 65, 255, 256, 257, 1000, MANY };
    static struct counts counts;
    const struct counts *place = &counts;
    struct pst_team *team = pst_team_new(MOST, NULL);
    assert_non_null(team);
    for (size_t threads = 1; threads <= MOST; threads++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            pst_team_use(team, threads);
            memset(&counts, 0, sizeof counts);
            pst_parallel(team, sizes[s], count_round, &place);
            for (size_t i = 0; i < MANY; i++)
                assert_int_equal(counts.made[i], i < sizes[s]);
        }
    pst_team_free(team);
}

/* What one run writes, the next one reads. */
struct sums {
    const uint64_t *from;
    uint64_t *to;
};

static void add_neighbours(const void *context, size_t i)
{
    const struct sums *sums = context;
    sums->to[i] = sums->from[i] + sums->from[(i + 1) % 32];
}

static void a_run_sees_what_the_one_before_wrote(void **state)
{
    (void)state;
    struct pst_team *team = pst_team_new(3, NULL);
    uint64_t values[2][32] = { { 0 } }, alone[2][32] = { { 0 } };
    assert_non_null(team);
    values[0][0] = alone[0][0] = 1;
    for (size_t run = 0; run < 20000; run++) {
        const struct sums ours = { values[run % 2], values[(run + 1) % 2] },
                          plain = { alone[run % 2], alone[(run + 1) % 2] };
        pst_team_use(team, 1 + run % 3);
        pst_parallel(team, 32, add_neighbours, &ours);
        pst_parallel(NULL, 32, add_neighbours, &plain);
        assert_memory_equal(ours.to, plain.to, sizeof alone[0]);
    }
    pst_team_free(team);
}

/* The first round to be made is a long one, whoever makes it. */
static void sleep_once(const void *context, size_t i)
{
    struct counts *counts = *(struct counts *const *)context;
    if (atomic_fetch_add(&counts->made[0], 1) == 0)
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    atomic_fetch_add(&counts->made[1 + i], 1);
}

static void a_run_waits_for_the_rounds_that_were_begun(void **state)
{
    (void)state;
    static struct counts counts;
    const struct counts *place = &counts;
    struct pst_team *team = pst_team_new(2, NULL);
    assert_non_null(team);
    pst_team_use(team, 2);
    for (size_t run = 0; run < 50; run++) {
        memset(&counts, 0, sizeof counts);
        pst_parallel(team, 4, sleep_once, &place);
        for (size_t i = 0; i < 4; i++)
            assert_int_equal(counts.made[1 + i], 1);
    }
    pst_team_free(team);
}

static void note_order(const void *context, size_t i)
{
    size_t *next = *(size_t *const *)context;
    assert_int_equal(i, (*next)++);
}

static void one_thread_makes_rounds_in_their_order(void **state)
{
    (void)state;
    size_t next = 0, *place = &next;
    struct pst_team *team = pst_team_new(4, NULL);
    assert_non_null(team);
    assert_int_equal(pst_team_threads(team), 1);
    assert_int_equal(pst_team_threads(NULL), 1);
    pst_parallel(team, 100, note_order, &place);
    next = 0;
    pst_parallel(NULL, 100, note_order, &place);
    assert_int_equal(next, 100);
    pst_team_free(team);
}

static void a_team_has_from_one_thread_to_the_most(void **state)
{
    (void)state;
    struct pst_team *team = pst_team_new(4, NULL);
    assert_non_null(team);
    pst_team_use(team, 0);
    assert_int_equal(pst_team_threads(team), 1);
    pst_team_use(team, 3);
    assert_int_equal(pst_team_threads(team), 3);
    pst_team_use(team, 9);
    assert_int_equal(pst_team_threads(team), 4);
    pst_team_free(team);
    pst_team_free(NULL);
}

static void items_are_divided_if_they_are_worth_it(void **state)
{
    (void)state;
    struct pst_team *team = pst_team_new(4, NULL);
    assert_non_null(team);
    pst_team_use(team, 4);
    assert_int_equal(pst_team_rounds(team, 0, 0), 1);
    assert_int_equal(pst_team_rounds(team, 1000, 1000), 1);
    assert_int_equal(pst_team_rounds(team, 1000, 50000), 3);
    assert_int_equal(pst_team_rounds(team, 1000, 1000000), 4);
    assert_int_equal(pst_team_rounds(team, 2, 1000000), 2);
    assert_int_equal(pst_team_rounds(NULL, 1000, 1000000), 1);
    pst_team_free(team);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_round_is_made_once),
        cmocka_unit_test(a_run_sees_what_the_one_before_wrote),
        cmocka_unit_test(a_run_waits_for_the_rounds_that_were_begun),
        cmocka_unit_test(one_thread_makes_rounds_in_their_order),
        cmocka_unit_test(a_team_has_from_one_thread_to_the_most),
        cmocka_unit_test(items_are_divided_if_they_are_worth_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

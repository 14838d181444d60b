/* Decoders: for any plan and any requests, each sample is the requested one. */
#include "lib/data/pictures/decoders.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SAMPLES 1000
#define BYTES 400 /* of a sample, so that some runs fill the ring */
#define BAD 613

/* A sample is its number, over and over. */
static enum pst_status decode(void *own, size_t worker, size_t index, void *elements, struct pst_error *error)
{
    assert_true(worker <= PST_MOST_DECODERS);
    if (own != NULL && index == BAD)
        return pst_fail(error, PST_BAD_DATA, "this one is bad");
    for (size_t i = 0; i < BYTES / sizeof(uint32_t); i++)
        ((uint32_t *)elements)[i] = (uint32_t)index;
    return PST_OK;
}

static void assert_gives(struct pst_decoders *decoders, size_t index)
{
    uint32_t elements[BYTES / sizeof(uint32_t)];
    struct pst_error error = { 0 };
    assert_int_equal(pst_decoders_get(decoders, index, elements, &error), PST_OK);
    for (size_t i = 0; i < BYTES / sizeof *elements; i++)
        assert_int_equal(elements[i], index);
}

static struct pst_decoders *make(size_t count, void *own)
{
    struct pst_decoders *decoders = pst_decoders_new(count, BYTES, decode, own, NULL);
    assert_non_null(decoders);
    return decoders;
}

static void plan_all(struct pst_decoders *decoders, size_t step, size_t plan[SAMPLES])
{
    for (size_t i = 0; i < SAMPLES; i++)
        plan[i] = i * step % SAMPLES;
    assert_int_equal(pst_decoders_plan(decoders, plan, SAMPLES, NULL), PST_OK);
}

static void planned_samples_come_in_order_from_any_number_of_threads(void **state)
{
    (void)state;
    size_t plan[SAMPLES];
    for (size_t count = 0; count <= PST_MOST_DECODERS; count = 2 * count + 1) {
        struct pst_decoders *decoders = make(count, NULL);
        for (size_t epoch = 0; epoch < 3; epoch++) {
            plan_all(decoders, 7, plan);
            for (size_t i = 0; i < SAMPLES; i++)
                assert_gives(decoders, plan[i]);
        }
        pst_decoders_free(decoders);
    }
}

static void other_samples_than_planned_come_all_the_same(void **state)
{
    (void)state;
    size_t plan[SAMPLES];
    struct pst_decoders *decoders = make(3, NULL);
    struct pst_random random;
    assert_gives(decoders, 5); /* without a plan */
    for (uint64_t round = 0; round < 40; round++) {
        pst_random_start(&random, 1, 1000, 0, round);
        plan_all(decoders, 3, plan);
        size_t most = 1 + pst_random_below(&random, round % 2 == 0 ? 10 : 400);
        for (size_t i = 0; i < SAMPLES;
             i += pst_random_below(&random, most)) { /* the same one, the next, or a later one */
            assert_gives(decoders, plan[i]);
            if (pst_random_below(&random, 5) == 0)
                assert_gives(decoders, pst_random_below(&random, SAMPLES));
            if (pst_random_below(&random, 300) == 0)
                break; /* the plan is not finished */
        }
    }
    pst_decoders_free(decoders);
}

static void an_error_comes_when_its_sample_is_asked_for(void **state)
{
    (void)state;
    size_t plan[SAMPLES];
    unsigned char elements[BYTES];
    struct pst_decoders *decoders = make(2, plan);
    plan_all(decoders, 1, plan);
    for (size_t i = 0; i < SAMPLES; i++) {
        struct pst_error error = { 0 };
        if (i != BAD)
            assert_gives(decoders, i);
        else
            assert_int_equal(pst_decoders_get(decoders, i, elements, &error), PST_BAD_DATA);
        assert_string_equal(error.message, i == BAD ? "this one is bad" : "");
    }
    pst_decoders_free(decoders);
}

static void decoders_stop_in_the_middle_of_a_plan(void **state)
{
    (void)state;
    size_t plan[SAMPLES];
    for (size_t i = 0; i < 50; i++) {
        struct pst_decoders *decoders = make(1 + i % 4, NULL);
        plan_all(decoders, 9, plan);
        for (size_t k = 0; k < i; k++)
            assert_gives(decoders, plan[k]);
        pst_decoders_free(decoders);
    }
    struct pst_decoders *unused = make(1, NULL);
    assert_int_equal(pst_decoders_plan(unused, plan, 0, NULL), PST_OK);
    pst_decoders_free(unused);
    pst_decoders_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(planned_samples_come_in_order_from_any_number_of_threads),
        cmocka_unit_test(other_samples_than_planned_come_all_the_same),
        cmocka_unit_test(an_error_comes_when_its_sample_is_asked_for),
        cmocka_unit_test(decoders_stop_in_the_middle_of_a_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

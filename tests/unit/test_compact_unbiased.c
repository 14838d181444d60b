/*
 * Sampled soft targets of 32,768 classes with a long tail: their expectation, and that of the student's
 * gradient, are the full ones within the noise, and systematic sampling makes less noise than independent
 * draws. Samples' ids are fixed, so every run is the same. A right implementation exceeds the asserted bounds
 * for one of thousands of choices of ids.
 */
#include "pipestill/nn.h"
#include "tests/unit/compact_fixture.h"

#include <stdio.h>

#define CLASSES 32768
#define DRAWS 16
#define DIRECTIONS 12

static float full[CLASSES];
static double total;

static int prepare(void **state)
{
    (void)state;
    make_zipf(full, CLASSES, 1);
    total = sum_of(full, CLASSES);
    return 0;
}

static void draw(uint64_t id, uint16_t *drawn)
{
    struct pst_random random;
    pst_random_start(&random, 5, PST_RANDOM_DRAWS, 0, id);
    pst_draw_systematically(full, CLASSES, pst_random_uniform(&random), DRAWS, drawn);
}

/* The oracle of a worse method: each class is drawn independently. cumulated: [CLASSES]. */
static void draw_independently(const double *cumulated, uint64_t id, uint16_t *drawn)
{
    struct pst_random random;
    pst_random_start(&random, 6, PST_RANDOM_DRAWS, 0, id);
    for (size_t i = 0; i < DRAWS; i++) {
        double at = pst_random_uniform(&random) * total;
        size_t low = 0, high = CLASSES - 1;
        while (low < high) {
            size_t middle = (low + high) / 2;
            if (cumulated[middle] > at)
                high = middle;
            else
                low = middle + 1;
        }
        drawn[i] = (uint16_t)low;
    }
}

static double expected_draws(size_t class)
{
    return DRAWS * (double)full[class] / total;
}

/* The variance of a class's count, which is the whole part of the expectation or one more. */
static double variance_of(size_t class)
{
    double part = expected_draws(class) - floor(expected_draws(class));
    return part * (1 - part);
}

/* Classes frequent enough for a normal approximation, one by one: each z, and their mean square. */
static void every_frequent_class_is_drawn_as_often_as_it_should(void **state)
{
    (void)state;
    enum { SAMPLES = 6000 };
    uint32_t *counts = calloc(CLASSES, sizeof *counts);
    assert_non_null(counts);
    for (uint64_t id = 0; id < SAMPLES; id++) {
        uint16_t drawn[DRAWS];
        draw(id, drawn);
        for (size_t i = 0; i < DRAWS; i++)
            counts[drawn[i]]++;
    }
    double squares = 0;
    size_t classes = 0;
    for (size_t c = 0; c < CLASSES; c++) {
        double variance = SAMPLES * variance_of(c);
        if (variance < 10)
            continue;
        double z = (counts[c] - SAMPLES * expected_draws(c)) / sqrt(variance);
        assert_true(fabs(z) < 5);
        squares += z * z;
        classes++;
    }
    printf("# %zu classes, mean square of z %.3f\n", classes, squares / (double)classes);
    assert_true(classes > 500);
    assert_true(fabs(squares / (double)classes - 1) < 5 * sqrt(2 / (double)classes));
    free(counts);
}

/* Each class of the tail is drawn too rarely, so they are grouped by the rank of their probability. */
static void every_part_of_the_tail_is_drawn_as_often_as_it_should(void **state)
{
    (void)state;
    enum { SAMPLES = 6000, PARTS = 13 };
    double expected[PARTS] = { 0 }, counts[PARTS] = { 0 }, squares[PARTS] = { 0 };
    for (size_t c = 0; c < CLASSES; c++)
        expected[ilogb(1 / (double)full[c]) % PARTS] += expected_draws(c);
    for (uint64_t id = 0; id < SAMPLES; id++) {
        uint16_t drawn[DRAWS];
        double mine[PARTS] = { 0 };
        draw(id, drawn);
        for (size_t i = 0; i < DRAWS; i++)
            mine[ilogb(1 / (double)full[drawn[i]]) % PARTS]++;
        for (size_t part = 0; part < PARTS; part++) {
            counts[part] += mine[part];
            squares[part] += mine[part] * mine[part];
        }
    }
    for (size_t part = 0; part < PARTS; part++) {
        double mean = counts[part] / SAMPLES, variance = squares[part] / SAMPLES - mean * mean;
        double z = (mean - expected[part]) / sqrt(variance / SAMPLES + 1e-12);
        assert_true(fabs(z) < 4.5);
    }
}

/* The way of student-trainer: from the stored classes by the row to the gradient of the mean loss. */
static void gradient_of(const float *targets, const float *logits, float *gradient)
{
    struct pst_loss loss = { 0 };
    struct pst_loss_sums sums;
    pst_loss_add(&loss, "cross-entropy")->temperature = 2;
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { targets } }, logits, 1, CLASSES, gradient,
                     &sums);
}

static void the_gradients_expectation_is_the_full_gradient(void **state)
{
    (void)state;
    enum { SAMPLES = 300 };
    struct pst_target target = make_target("soft", PST_COMPACT_SAMPLED, CLASSES, DRAWS);
    float *memory = calloc(4, CLASSES * sizeof *memory);
    assert_non_null(memory);
    float *logits = memory, *row = logits + CLASSES, *gradient = row + CLASSES, *whole = gradient + CLASSES;
    int8_t *directions = calloc(DIRECTIONS, CLASSES);
    assert_non_null(directions);
    struct pst_random random;
    pst_random_start(&random, 9, 1000, 0, 0);
    for (size_t c = 0; c < CLASSES; c++)
        logits[c] = (float)(2 * pst_random_normal(&random));
    for (size_t i = 0; i < (size_t)DIRECTIONS * CLASSES; i++)
        directions[i] = pst_random_u32(&random) & 1 ? 1 : -1;
    gradient_of(full, logits, whole);
    double sums[DIRECTIONS] = { 0 }, squares[DIRECTIONS] = { 0 };
    for (uint64_t id = 0; id < SAMPLES; id++) {
        uint16_t drawn[DRAWS];
        draw(id, drawn);
        assert_null(pst_draws_restore(&target, drawn, row));
        gradient_of(row, logits, gradient);
        for (size_t d = 0; d < DIRECTIONS; d++) {
            double along = 0;
            for (size_t c = 0; c < CLASSES; c++)
                along += directions[d * CLASSES + c] * (double)(gradient[c] - whole[c]);
            sums[d] += along;
            squares[d] += along * along;
        }
    }
    double worst = 0;
    for (size_t d = 0; d < DIRECTIONS; d++) {
        double mean = sums[d] / SAMPLES, variance = squares[d] / SAMPLES - mean * mean;
        assert_true(variance > 0);
        worst = fmax(worst, fabs(mean) / sqrt(variance / SAMPLES));
    }
    printf("# largest of %d z %.2f\n", DIRECTIONS, worst);
    assert_true(worst < 4);
    free(directions);
    free(memory);
}

/* ‖restored - full‖², from the classes drawn alone. */
static double squared_error(const uint16_t *drawn, double squares_of_full)
{
    double error = squares_of_full;
    for (size_t i = 0; i < DRAWS; i++) {
        size_t same = 0;
        for (size_t j = 0; j < DRAWS; j++)
            same += drawn[i] == drawn[j];
        error += ((double)same / DRAWS - 2 * (double)full[drawn[i]] / total) / DRAWS;
    }
    return error;
}

static void systematic_draws_vary_less_than_independent_ones(void **state)
{
    (void)state;
    enum { SAMPLES = 3000 };
    double *cumulated = calloc(CLASSES, sizeof *cumulated), squares = 0, theory = 0, sum = 0;
    assert_non_null(cumulated);
    for (size_t c = 0; c < CLASSES; c++) {
        cumulated[c] = sum += (double)full[c];
        squares += (double)full[c] * (double)full[c] / (total * total);
        theory += variance_of(c) / (DRAWS * DRAWS);
    }
    double systematic = 0, independent = 0;
    for (uint64_t id = 0; id < SAMPLES; id++) {
        uint16_t drawn[DRAWS];
        draw(id, drawn);
        systematic += squared_error(drawn, squares) / SAMPLES;
        draw_independently(cumulated, id, drawn);
        independent += squared_error(drawn, squares) / SAMPLES;
    }
    printf("# variance: systematic %.5f (theory %.5f), independent %.5f (theory %.5f)\n", systematic, theory,
           independent, (1 - squares) / DRAWS);
    assert_true(fabs(systematic / theory - 1) < 0.05);
    assert_true(fabs(independent * DRAWS / (1 - squares) - 1) < 0.05);
    assert_true(systematic < 0.9 * independent);
    free(cumulated);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frequent_class_is_drawn_as_often_as_it_should),
        cmocka_unit_test(every_part_of_the_tail_is_drawn_as_often_as_it_should),
        cmocka_unit_test(the_gradients_expectation_is_the_full_gradient),
        cmocka_unit_test(systematic_draws_vary_less_than_independent_ones),
    };
    return cmocka_run_group_tests_name("sampled soft targets", tests, prepare, NULL);
}

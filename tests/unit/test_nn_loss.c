/* The losses and their gradients, against a plain version in double and its finite differences. */
#include "pipestill/nn.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#define SAMPLES 7
#define CLASSES 5
#define VALUES (SAMPLES * CLASSES)

static const struct pst_loss losses[] = {
    { .hard_weight = 1, .soft_weight = 0 },
    { .hard_weight = 0, .soft_weight = 1, .soft = PST_SOFT_KL, .temperature = 4 },
    { .hard_weight = 0, .soft_weight = 1, .soft = PST_SOFT_CROSS_ENTROPY, .temperature = 0.5 },
    { .hard_weight = 0, .soft_weight = 2, .soft = PST_SOFT_LOGITS },
    { .hard_weight = 0.1, .soft_weight = 0.9, .soft = PST_SOFT_KL, .temperature = 20 },
    { .hard_weight = 0.5, .soft_weight = 3, .soft = PST_SOFT_LOGITS },
};
#define LOSSES (sizeof losses / sizeof *losses)

struct samples {
    float logits[VALUES], teacher[VALUES], targets[VALUES];
    int32_t labels[SAMPLES];
};

/* Samples by a fixed seed; targets are what the loss wants, soft or logits. */
static struct samples draw(const struct pst_loss *loss)
{
    struct samples s;
    struct pst_random random;
    pst_random_start(&random, 1, PST_RANDOM_INITIAL, 0, 0);
    for (size_t i = 0; i < VALUES; i++) {
        s.logits[i] = (float)(3 * pst_random_normal(&random));
        s.teacher[i] = (float)(3 * pst_random_normal(&random));
    }
    for (size_t i = 0; i < SAMPLES; i++)
        s.labels[i] = (int32_t)pst_random_below(&random, CLASSES);
    memcpy(s.targets, s.teacher, sizeof s.targets);
    if (loss->soft_weight > 0 && loss->soft != PST_SOFT_LOGITS)
        pst_softmax(s.teacher, s.targets, SAMPLES, CLASSES, loss->temperature);
    return s;
}

/* -log softmax(z / T) of class j, straight from the definition. */
static double plain_surprise(const double *z, size_t j, double temperature)
{
    double sum = 0;
    for (size_t k = 0; k < CLASSES; k++)
        sum += exp(z[k] / temperature);
    return log(sum) - z[j] / temperature;
}

/* The loss of one sample, straight from the definitions in nn.h, in double and without care for extremes. */
static double plain_sample(const struct pst_loss *loss, const double *z, int32_t label, const float *target)
{
    double soft = 0, temperature = loss->temperature;
    for (size_t j = 0; j < CLASSES; j++) {
        double t = (double)target[j];
        if (loss->soft == PST_SOFT_LOGITS)
            soft += 0.5 * (z[j] - t) * (z[j] - t) / CLASSES;
        else if (t > 0)
            soft += temperature * temperature * t *
                    ((loss->soft == PST_SOFT_KL ? log(t) : 0) + plain_surprise(z, j, temperature));
    }
    double total = 0;
    if (loss->hard_weight > 0)
        total += loss->hard_weight * plain_surprise(z, (size_t)label, 1);
    if (loss->soft_weight > 0)
        total += loss->soft_weight * soft;
    return total;
}

/* The mean over the samples, with one logit moved. */
static double plain_mean(const struct pst_loss *loss, const struct samples *s, size_t moved, double by)
{
    double sum = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        double z[CLASSES];
        for (size_t j = 0; j < CLASSES; j++)
            z[j] = (double)s->logits[i * CLASSES + j] + (i * CLASSES + j == moved ? by : 0);
        sum += plain_sample(loss, z, s->labels[i], s->targets + i * CLASSES);
    }
    return sum / SAMPLES;
}

static void the_loss_is_that_of_a_plain_version_in_double(void **state)
{
    (void)state;
    for (size_t k = 0; k < LOSSES; k++) {
        struct samples s = draw(&losses[k]);
        struct pst_loss_sums sums;
        pst_loss_compute(&losses[k], s.logits, s.labels, s.targets, SAMPLES, CLASSES, NULL, &sums);
        double expected = SAMPLES * plain_mean(&losses[k], &s, VALUES, 0);
        assert_true(fabs(sums.total - expected) <= 1e-12 * fabs(expected));
        double parts = losses[k].hard_weight * sums.hard + losses[k].soft_weight * sums.soft;
        assert_true(fabs(sums.total - parts) <= 1e-12 * fabs(expected));
    }
}

static void every_gradient_agrees_with_finite_differences_in_double(void **state)
{
    (void)state;
    const double step = 1e-5;
    for (size_t k = 0; k < LOSSES; k++) {
        struct samples s = draw(&losses[k]);
        struct pst_loss_sums sums;
        float gradient[VALUES];
        pst_loss_compute(&losses[k], s.logits, s.labels, s.targets, SAMPLES, CLASSES, gradient, &sums);
        for (size_t i = 0; i < VALUES; i++) {
            double slope =
                (plain_mean(&losses[k], &s, i, step) - plain_mean(&losses[k], &s, i, -step)) / (2 * step);
            assert_true(fabs((double)gradient[i] - slope) <= 1e-6 * (0.01 + fabs(slope)));
        }
    }
}

static void the_gradient_is_of_the_mean_so_a_batch_twice_over_halves_each_samples_share(void **state)
{
    (void)state;
    for (size_t k = 0; k < LOSSES; k++) {
        struct samples s = draw(&losses[k]);
        float logits[2 * VALUES], targets[2 * VALUES], once[VALUES], twice[2 * VALUES];
        int32_t labels[2 * SAMPLES];
        for (size_t half = 0; half < 2; half++) {
            memcpy(logits + half * VALUES, s.logits, sizeof s.logits);
            memcpy(targets + half * VALUES, s.targets, sizeof s.targets);
            memcpy(labels + half * SAMPLES, s.labels, sizeof s.labels);
        }
        struct pst_loss_sums sums, doubled;
        pst_loss_compute(&losses[k], s.logits, s.labels, s.targets, SAMPLES, CLASSES, once, &sums);
        pst_loss_compute(&losses[k], logits, labels, targets, 2 * SAMPLES, CLASSES, twice, &doubled);
        for (size_t i = 0; i < 2 * VALUES; i++)
            assert_near(twice[i], once[i % VALUES] / 2, 1e-7);
        assert_true(fabs(doubled.total - 2 * sums.total) <= 1e-12 * fabs(doubled.total));
        assert_int_equal(doubled.errors, 2 * sums.errors);
    }
}

static void at_a_high_temperature_the_soft_gradient_is_z_minus_v_over_classes(void **state)
{
    (void)state;
    struct pst_loss loss = { .soft_weight = 1, .soft = PST_SOFT_KL, .temperature = 1000 };
    struct samples s = draw(&loss);
    for (size_t i = 0; i < SAMPLES; i++) { /* Hinton et al. 2015, eq. 3 and 4: logits with zero mean */
        float *rows[2] = { s.logits + i * CLASSES, s.teacher + i * CLASSES };
        for (size_t r = 0; r < 2; r++) {
            float mean = 0;
            for (size_t j = 0; j < CLASSES; j++)
                mean += rows[r][j] / CLASSES;
            for (size_t j = 0; j < CLASSES; j++)
                rows[r][j] -= mean;
        }
    }
    pst_softmax(s.teacher, s.targets, SAMPLES, CLASSES, loss.temperature);
    float soft[VALUES], logits[VALUES];
    struct pst_loss_sums sums;
    pst_loss_compute(&loss, s.logits, NULL, s.targets, SAMPLES, CLASSES, soft, &sums);
    struct pst_loss matching = { .soft_weight = 1, .soft = PST_SOFT_LOGITS };
    pst_loss_compute(&matching, s.logits, NULL, s.teacher, SAMPLES, CLASSES, logits, &sums);
    for (size_t i = 0; i < VALUES; i++)
        assert_near(soft[i], logits[i], 0.01 / SAMPLES);
}

static void a_student_equal_to_its_teacher_has_no_divergence_and_no_gradient(void **state)
{
    (void)state;
    struct pst_loss loss = { .soft_weight = 1, .soft = PST_SOFT_KL, .temperature = 3 };
    struct samples s = draw(&loss);
    float gradient[VALUES];
    struct pst_loss_sums sums;
    pst_loss_compute(&loss, s.teacher, NULL, s.targets, SAMPLES, CLASSES, gradient, &sums);
    assert_near(sums.soft, 0, 1e-6);
    for (size_t i = 0; i < VALUES; i++)
        assert_near(gradient[i], 0, 1e-6);
}

static void errors_are_counted_and_of_equal_logits_the_first_wins(void **state)
{
    (void)state;
    const float logits[4 * 3] = { 1, 2, 3, 5, 5, 0, 5, 5, 0, 0, 0, 0 };
    const int32_t labels[4] = { 2, 0, 1, 2 };
    struct pst_loss loss = { .hard_weight = 1 };
    struct pst_loss_sums sums;
    pst_loss_compute(&loss, logits, labels, NULL, 4, 3, NULL, &sums);
    assert_int_equal(sums.errors, 2);
}

static void labels_are_reported_on_even_where_only_soft_targets_count(void **state)
{
    (void)state;
    struct pst_loss soft = { .soft_weight = 1, .soft = PST_SOFT_KL, .temperature = 4 },
                    hard = { .hard_weight = 1 };
    struct samples s = draw(&soft);
    struct pst_loss_sums with, without, alone;
    float gradient_with[VALUES], gradient_without[VALUES];
    pst_loss_compute(&soft, s.logits, s.labels, s.targets, SAMPLES, CLASSES, gradient_with, &with);
    pst_loss_compute(&soft, s.logits, NULL, s.targets, SAMPLES, CLASSES, gradient_without, &without);
    pst_loss_compute(&hard, s.logits, s.labels, NULL, SAMPLES, CLASSES, NULL, &alone);
    assert_memory_equal(gradient_with, gradient_without, sizeof gradient_with);
    assert_true(with.total == without.total && with.total == with.soft);
    assert_true(with.hard == alone.hard && with.errors == alone.errors);
    assert_true(without.hard == 0 && without.errors == 0 && alone.soft == 0);
}

static void extreme_logits_and_temperatures_give_finite_losses(void **state)
{
    (void)state;
    const float logits[2 * 3] = { FLT_MAX, 0, -FLT_MAX, 80000, -80000, 0 },
                           targets[2 * 3] = { 0, 0, 1, 0, 1, 0 };
    const int32_t labels[2] = { 2, 1 };
    const double temperatures[] = { 4.9e-324, 1e-200, 1, 1e100 };
    for (size_t k = 0; k < sizeof temperatures / sizeof *temperatures; k++) {
        struct pst_loss loss = {
            .hard_weight = 1, .soft_weight = 1, .soft = PST_SOFT_KL, .temperature = temperatures[k]
        };
        struct pst_loss_sums sums;
        pst_loss_compute(&loss, logits, labels, targets, 2, 3, NULL, &sums);
        assert_true(isfinite(sums.total) && sums.hard > 6e38);
    }
}

static void what_is_not_finite_shows_in_the_sums(void **state)
{
    (void)state;
    const int32_t label = 0;
    const float targets[3] = { 0.5F, 0.5F, 0 };
    for (size_t k = 0; k < LOSSES; k++) {
        const float logits[3] = { 0, NAN, 1 };
        struct pst_loss_sums sums;
        pst_loss_compute(&losses[k], logits, &label, targets, 1, 3, NULL, &sums);
        assert_true(!isfinite(sums.total));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_loss_is_that_of_a_plain_version_in_double),
        cmocka_unit_test(every_gradient_agrees_with_finite_differences_in_double),
        cmocka_unit_test(the_gradient_is_of_the_mean_so_a_batch_twice_over_halves_each_samples_share),
        cmocka_unit_test(at_a_high_temperature_the_soft_gradient_is_z_minus_v_over_classes),
        cmocka_unit_test(a_student_equal_to_its_teacher_has_no_divergence_and_no_gradient),
        cmocka_unit_test(errors_are_counted_and_of_equal_logits_the_first_wins),
        cmocka_unit_test(labels_are_reported_on_even_where_only_soft_targets_count),
        cmocka_unit_test(extreme_logits_and_temperatures_give_finite_losses),
        cmocka_unit_test(what_is_not_finite_shows_in_the_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

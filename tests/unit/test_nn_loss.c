/* Every type of loss in the table: its gradient against central differences, values by hand, hostile numbers;
 * and the effect of weights of terms, classes and samples. tests/python/test_loss_oracle.py computes the
 * values with numpy. */
#include "pipestill/nn.h"

#include "loss_fixture.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#define SAMPLES 7
#define OUTPUTS 5
#define VALUES (SAMPLES * OUTPUTS)

struct samples {
    float outputs[VALUES], numbers[VALUES], bits[VALUES], soft[VALUES];
    int32_t labels[SAMPLES];
};

/* Samples by a fixed seed. Outputs are multiples of 2^-12, so that a step of 2^-9 to either side is exact. */
static struct samples draw(double temperature)
{
    struct samples s;
    struct pst_random random;
    pst_random_start(&random, 1, PST_RANDOM_INITIAL, 0, 0);
    for (size_t i = 0; i < VALUES; i++) {
        s.outputs[i] = (float)(round(3 * pst_random_normal(&random) * 4096) / 4096);
        s.numbers[i] = (float)(3 * pst_random_normal(&random));
        s.bits[i] = i % 4 == 0 ? (float)pst_random_uniform(&random) : (float)pst_random_below(&random, 2);
    }
    for (size_t i = 0; i < SAMPLES; i++)
        s.labels[i] = (int32_t)pst_random_below(&random, OUTPUTS);
    pst_softmax(s.numbers, s.soft, SAMPLES, OUTPUTS, temperature > 0 ? temperature : 1);
    return s;
}

static const void *targets_of(const struct samples *s, const struct pst_loss_type *type)
{
    const void *const targets[] = { [PST_TARGET_LABELS] = s->labels,  [PST_TARGET_DISTRIBUTION] = s->soft,
                                    [PST_TARGET_LOGITS] = s->numbers, [PST_TARGET_NUMBERS] = s->numbers,
                                    [PST_TARGET_BITS] = s->bits,      [PST_TARGET_HINT] = s->numbers };
    return targets[type->target];
}

/* A loss of one term with its standard numbers. */
static struct pst_loss one_term(const struct pst_loss_type *type, double temperature)
{
    struct pst_loss loss = { 0 };
    struct pst_loss_term *term = pst_loss_add(&loss, type->name);
    assert_non_null(term);
    assert_ptr_equal(term->type, type);
    term->temperature = type->has_temperature ? temperature : 0;
    return loss;
}

static double loss_of(const struct pst_loss *loss, const struct samples *s, float *gradient)
{
    struct pst_loss_sums sums;
    struct pst_loss_targets targets = { .labels = s->labels };
    for (size_t k = 0; k < loss->count; k++)
        targets.terms[k] = targets_of(s, loss->terms[k].type);
    pst_loss_compute(loss, &targets, s->outputs, SAMPLES, OUTPUTS, gradient, &sums);
    return sums.total / SAMPLES;
}

/* ---- gradients ---- */

static double slope(const struct pst_loss *loss, struct samples s, size_t at, float step)
{
    float middle = s.outputs[at];
    s.outputs[at] = middle + step;
    double above = loss_of(loss, &s, NULL);
    s.outputs[at] = middle - step;
    return (above - loss_of(loss, &s, NULL)) / (2 * (double)step);
}

/* Central differences at two steps, so that errors of second order cancel. */
static void check_gradient(const struct pst_loss *loss, const struct samples *s)
{
    const float step = 0x1p-9F;
    float gradient[VALUES];
    (void)loss_of(loss, s, gradient);
    for (size_t i = 0; i < VALUES; i++) {
        double expected = (4 * slope(loss, *s, i, step / 2) - slope(loss, *s, i, step)) / 3;
        if (!(fabs((double)gradient[i] - expected) <= 1e-6 * (0.01 + fabs(expected))))
            fail_msg("%s: element %zu of the gradient is %.9g, the slope %.9g", loss->terms[0].type->name, i,
                     (double)gradient[i], expected);
    }
}

static void every_type_has_the_gradient_that_central_differences_show(void **state)
{
    (void)state;
    const double temperatures[] = { 1, 0.5, 4, 20 };
    for (size_t k = 0; pst_loss_types[k] != NULL; k++) {
        const struct pst_loss_type *type = pst_loss_types[k];
        for (size_t t = 0; t < (type->has_temperature ? 4 : 1); t++) {
            struct pst_loss loss = one_term(type, temperatures[t]);
            struct samples s = draw(temperatures[t]);
            check_gradient(&loss, &s);
            for (size_t i = 0; i < PST_MAX_LOSS_KEYS && type->keys[i].name != NULL; i++) {
                loss.terms[0].values[i] = 0.75 * type->keys[i].least + 0.25 * fmin(type->keys[i].most, 10);
                check_gradient(&loss, &s);
            }
        }
    }
}

static void a_sum_of_terms_has_the_sum_of_their_gradients(void **state)
{
    (void)state;
    struct pst_loss loss = { 0 };
    pst_loss_add(&loss, "labels")->weight = 0.1;
    pst_loss_add(&loss, "kl")->weight = 0.9;
    pst_loss_add(&loss, "mse")->weight = 3;
    loss.terms[1].temperature = 20;
    struct samples s = draw(20);
    check_gradient(&loss, &s);
}

static void the_gradient_is_of_the_mean_so_a_batch_twice_over_halves_each_samples_share(void **state)
{
    (void)state;
    for (size_t k = 0; pst_loss_types[k] != NULL; k++) {
        struct pst_loss loss = one_term(pst_loss_types[k], 2);
        struct samples s[2] = { draw(2), draw(2) };
        float once[VALUES], outputs[2 * VALUES], twice[2 * VALUES], numbers[2 * VALUES];
        int32_t labels[2 * SAMPLES];
        for (size_t half = 0; half < 2; half++) {
            memcpy(outputs + half * VALUES, s->outputs, sizeof s->outputs);
            memcpy(labels + half * SAMPLES, s->labels, sizeof s->labels);
            if (pst_loss_types[k]->target != PST_TARGET_LABELS)
                memcpy(numbers + half * VALUES, targets_of(s, pst_loss_types[k]), sizeof s->outputs);
        }
        bool by_label = pst_loss_types[k]->target == PST_TARGET_LABELS;
        struct pst_loss_targets targets = { .terms = { by_label ? (void *)labels : numbers },
                                            .labels = labels };
        struct pst_loss_sums sums;
        double mean = loss_of(&loss, s, once);
        pst_loss_compute(&loss, &targets, outputs, 2 * SAMPLES, OUTPUTS, twice, &sums);
        for (size_t i = 0; i < 2 * VALUES; i++)
            assert_near(twice[i], once[i % VALUES] / 2, 1e-6);
        assert_near(sums.total / (2 * SAMPLES), mean, 1e-12 * fabs(mean));
        assert_true(sums.weight == 2 * SAMPLES);
    }
}

/* ---- values by hand ---- */

/* Checks the loss and the gradient of one sample with two outputs. */
static void check_row(const char *text, const float outputs[2], const void *target, double expected,
                      double first, double second)
{
    struct pst_loss loss = { 0 };
    struct pst_error error;
    struct pst_loss_sums sums;
    float gradient[2];
    assert_int_equal(pst_loss_parse(&loss, text, &error), PST_OK);
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .terms = { target } }, outputs, 1, 2, gradient,
                     &sums);
    assert_near(sums.total, expected, 1e-6);
    assert_near(gradient[0], first, 1e-6);
    assert_near(gradient[1], second, 1e-6);
}

static void values_are_those_computed_by_hand(void **state)
{
    (void)state;
    const int32_t label = 1;
    const float third[2] = { 0, (float)log(3) }, warm[2] = { 0, (float)(2 * log(3)) },
                half[2] = { 0.5F, 0.5F };
    const float numbers[2] = { 1, 2 }, others[2] = { 3, 1 }, bits[2] = { 1, 0 };
    check_row("labels", third, &label, -log(0.75), 0.25, -0.25);
    check_row("labels,smoothing=0.4", third, &label, -0.2 * log(0.25) - 0.8 * log(0.75), 0.05, -0.05);
    check_row("kl,T=2", warm, half, 4 * 0.5 * (log(2) + log(2.0 / 3)), -0.5, 0.5);
    check_row("cross-entropy,T=2", warm, half, -4 * 0.5 * (log(0.25) + log(0.75)), -0.5, 0.5);
    check_row("logits", numbers, others, 1.25, -1, 0.5);
    check_row("mse", numbers, others, 2.5, -2, 1);
    check_row("bce", third, bits, (log(2) + log(4)) / 2, -0.25, 0.375);
}

static void at_a_high_temperature_the_soft_gradient_is_z_minus_v_over_classes(void **state)
{
    (void)state;
    struct samples s = draw(1);
    for (size_t i = 0; i < SAMPLES; i++) { /* Hinton et al. 2015, eq. 3 and 4: logits with zero mean */
        float *rows[2] = { s.outputs + i * OUTPUTS, s.numbers + i * OUTPUTS };
        for (size_t r = 0; r < 2; r++) {
            float mean = 0;
            for (size_t j = 0; j < OUTPUTS; j++)
                mean += rows[r][j] / OUTPUTS;
            for (size_t j = 0; j < OUTPUTS; j++)
                rows[r][j] -= mean;
        }
    }
    pst_softmax(s.numbers, s.soft, SAMPLES, OUTPUTS, 1000);
    float soft[VALUES], logits[VALUES];
    struct pst_loss kl = one_term(pst_loss_find("kl"), 1000), matching = one_term(pst_loss_find("logits"), 0);
    (void)loss_of(&kl, &s, soft);
    (void)loss_of(&matching, &s, logits);
    for (size_t i = 0; i < VALUES; i++)
        assert_near(soft[i], logits[i], 0.01 / SAMPLES);
}

static double norm_of_difference(const float *values, const double *expected)
{
    double sum = 0;
    for (size_t i = 0; i < VALUES; i++) {
        double difference = (values != NULL ? (double)values[i] : 0) - expected[i];
        sum += difference * difference;
    }
    return sqrt(sum);
}

static void up_to_the_highest_temperature_loss_and_gradient_are_within_1_percent_of_double(void **state)
{
    (void)state;
    const double temperatures[] = { 1, 20, 1e3, 1e4, 1e5, PST_MOST_TEMPERATURE };
    for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
        struct samples s = draw(temperatures[t]);
        struct pst_loss kl = one_term(pst_loss_find("kl"), temperatures[t]);
        float gradient[VALUES];
        double exact[VALUES], loss = loss_of(&kl, &s, gradient), expected = 0;
        for (size_t i = 0; i < SAMPLES; i++)
            expected += exact_divergence(s.numbers + i * OUTPUTS, s.outputs + i * OUTPUTS, OUTPUTS,
                                         temperatures[t], SAMPLES, exact + i * OUTPUTS) /
                        SAMPLES;
        double away = norm_of_difference(gradient, exact) / norm_of_difference(NULL, exact);
        if (!(away <= 0.01) || !(fabs(loss - expected) <= 0.01 * expected))
            fail_msg("T = %g: the gradient is %g away, the loss is %g, not %g", temperatures[t], away, loss,
                     expected);
    }
}

static void a_student_equal_to_its_teacher_has_no_divergence_and_no_gradient(void **state)
{
    (void)state;
    struct pst_loss loss = one_term(pst_loss_find("kl"), 3);
    struct samples s = draw(3);
    float gradient[VALUES];
    memcpy(s.outputs, s.numbers, sizeof s.outputs);
    assert_near(loss_of(&loss, &s, gradient), 0, 1e-6);
    for (size_t i = 0; i < VALUES; i++)
        assert_near(gradient[i], 0, 1e-6);
}

static void errors_are_counted_and_of_equal_logits_the_first_wins(void **state)
{
    (void)state;
    const float logits[4 * 3] = { 1, 2, 3, 5, 5, 0, 5, 5, 0, 0, 0, 0 };
    const int32_t labels[4] = { 2, 0, 1, 2 };
    struct pst_loss loss = { 0 };
    struct pst_loss_sums sums;
    pst_loss_compute(&loss, &(struct pst_loss_targets){ .labels = labels }, logits, 4, 3, NULL, &sums);
    assert_int_equal(sums.errors, 2);
    pst_loss_compute(&loss, &(struct pst_loss_targets){ 0 }, logits, 4, 3, NULL, &sums);
    assert_int_equal(sums.errors, 0);
}

/* ---- weights ---- */

static void a_term_of_weight_0_is_computed_and_nothing_is_learned_from_it(void **state)
{
    (void)state;
    struct samples s = draw(4);
    struct pst_loss soft = one_term(pst_loss_find("kl"), 4), both = soft;
    pst_loss_add(&both, "labels")->weight = 0;
    struct pst_loss_targets targets = { .terms = { s.soft, s.labels }, .labels = s.labels };
    struct pst_loss_sums sums;
    float gradient[VALUES], expected[VALUES];
    double mean = loss_of(&soft, &s, expected);
    pst_loss_compute(&both, &targets, s.outputs, SAMPLES, OUTPUTS, gradient, &sums);
    assert_memory_equal(gradient, expected, sizeof gradient);
    assert_true(sums.total / SAMPLES == mean && sums.terms[0] == sums.total && sums.terms[1] > 0);
}

static void weights_of_samples_and_classes_multiply_every_term(void **state)
{
    (void)state;
    struct samples s = draw(4);
    const double class_weight[OUTPUTS] = { 0.5, 3, 1, 0, 7 };
    const float weight[SAMPLES] = { 1, 0, 2.5F, 1, 1, 0.125F, 3 };
    struct pst_loss loss = one_term(pst_loss_find("kl"), 4);
    pst_loss_add(&loss, "labels")->weight = 0.5;
    struct pst_loss_targets targets = { .terms = { s.soft, s.labels }, .labels = s.labels };
    struct pst_loss_sums plain, sums;
    float before[VALUES], gradient[VALUES];
    pst_loss_compute(&loss, &targets, s.outputs, SAMPLES, OUTPUTS, before, &plain);
    targets.weight = weight;
    loss.class_weight = class_weight;
    pst_loss_compute(&loss, &targets, s.outputs, SAMPLES, OUTPUTS, gradient, &sums);
    double total = 0, weights = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        double factor = (double)weight[i] * class_weight[s.labels[i]];
        struct pst_loss_targets own = { .terms = { s.soft + i * OUTPUTS, s.labels + i } };
        struct pst_loss unweighted = loss;
        struct pst_loss_sums one;
        unweighted.class_weight = NULL;
        pst_loss_compute(&unweighted, &own, s.outputs + i * OUTPUTS, 1, OUTPUTS, NULL, &one);
        total += factor * one.total;
        weights += factor;
        for (size_t j = i * OUTPUTS; j < (i + 1) * OUTPUTS; j++)
            assert_near(gradient[j], factor * (double)before[j], 1e-6);
    }
    assert_near(sums.total, total, 1e-9);
    assert_near(sums.weight, weights, 1e-12);
    assert_int_equal(sums.errors, plain.errors);
}

static void weights_of_1_change_no_bit(void **state)
{
    (void)state;
    const double class_weight[OUTPUTS] = { 1, 1, 1, 1, 1 };
    const float weight[SAMPLES] = { 1, 1, 1, 1, 1, 1, 1 };
    for (size_t k = 0; pst_loss_types[k] != NULL; k++) {
        struct samples s = draw(3);
        struct pst_loss loss = one_term(pst_loss_types[k], 3);
        loss.terms[0].weight = 0.3;
        struct pst_loss_targets targets = { .terms = { targets_of(&s, pst_loss_types[k]) },
                                            .labels = s.labels };
        struct pst_loss_sums plain, sums;
        float before[VALUES], gradient[VALUES];
        pst_loss_compute(&loss, &targets, s.outputs, SAMPLES, OUTPUTS, before, &plain);
        targets.weight = weight;
        loss.class_weight = class_weight;
        pst_loss_compute(&loss, &targets, s.outputs, SAMPLES, OUTPUTS, gradient, &sums);
        assert_memory_equal(gradient, before, sizeof gradient);
        assert_memory_equal(&sums, &plain, sizeof sums);
    }
}

/* ---- hostile numbers ---- */

static void extreme_outputs_and_temperatures_give_finite_losses(void **state)
{
    (void)state;
    const float outputs[2 * 3] = { FLT_MAX, 0, -FLT_MAX, 80000, -80000, 0 },
                            targets[2 * 3] = { 0, 0, 1, 0, 1, 0 };
    const int32_t labels[2] = { 2, 1 };
    const double temperatures[] = { 4.9e-324, 1e-200, 1, 1e100 };
    for (size_t k = 0; pst_loss_types[k] != NULL; k++) {
        const struct pst_loss_type *type = pst_loss_types[k];
        for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
            struct pst_loss loss = one_term(type, temperatures[t]);
            struct pst_loss_targets set = {
                .terms = { type->target == PST_TARGET_LABELS ? (void *)labels : (void *)targets }
            };
            struct pst_loss_sums sums;
            pst_loss_compute(&loss, &set, outputs, 2, 3, NULL, &sums);
            if (!(isfinite(sums.total) && sums.total >= 0))
                fail_msg("%s at T = %g: %g", type->name, loss.terms[0].temperature, sums.total);
        }
    }
}

static void what_is_not_finite_shows_in_the_sums(void **state)
{
    (void)state;
    for (size_t k = 0; pst_loss_types[k] != NULL; k++) {
        struct samples s = draw(2);
        struct pst_loss loss = one_term(pst_loss_types[k], 2);
        s.outputs[8] = NAN;
        assert_true(!isfinite(loss_of(&loss, &s, NULL)));
        s = draw(2);
        s.soft[8] = s.bits[8] = s.numbers[8] = NAN;
        assert_true(pst_loss_types[k]->target == PST_TARGET_LABELS || !isfinite(loss_of(&loss, &s, NULL)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_has_the_gradient_that_central_differences_show),
        cmocka_unit_test(a_sum_of_terms_has_the_sum_of_their_gradients),
        cmocka_unit_test(the_gradient_is_of_the_mean_so_a_batch_twice_over_halves_each_samples_share),
        cmocka_unit_test(values_are_those_computed_by_hand),
        cmocka_unit_test(at_a_high_temperature_the_soft_gradient_is_z_minus_v_over_classes),
        cmocka_unit_test(up_to_the_highest_temperature_loss_and_gradient_are_within_1_percent_of_double),
        cmocka_unit_test(a_student_equal_to_its_teacher_has_no_divergence_and_no_gradient),
        cmocka_unit_test(errors_are_counted_and_of_equal_logits_the_first_wins),
        cmocka_unit_test(a_term_of_weight_0_is_computed_and_nothing_is_learned_from_it),
        cmocka_unit_test(weights_of_samples_and_classes_multiply_every_term),
        cmocka_unit_test(weights_of_1_change_no_bit),
        cmocka_unit_test(extreme_outputs_and_temperatures_give_finite_losses),
        cmocka_unit_test(what_is_not_finite_shows_in_the_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

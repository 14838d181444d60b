/* Losses of a teacher's logits, which are softened in place, and the loss over several threads. */
#include "pipestill/nn.h"

#include "loss_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(a, b, tolerance) assert_true(fabs((double)(a) - (double)(b)) <= (tolerance))

#define SAMPLES 7
#define OUTPUTS 37
#define VALUES (SAMPLES * OUTPUTS)

struct samples {
    float outputs[VALUES], logits[VALUES];
};

static struct samples draw(void)
{
    struct samples s;
    struct pst_random random;
    pst_random_start(&random, 1, PST_RANDOM_INITIAL, 0, 0);
    for (size_t i = 0; i < VALUES; i++) {
        s.outputs[i] = (float)(3 * pst_random_normal(&random));
        s.logits[i] = (float)(3 * pst_random_normal(&random));
    }
    return s;
}

static struct pst_loss one_term(const struct pst_loss_type *type, double temperature, bool from_logits)
{
    struct pst_loss loss = { 0 };
    struct pst_loss_term *term = pst_loss_add(&loss, type->name);
    assert_non_null(term);
    term->temperature = temperature;
    term->from_logits = from_logits;
    return loss;
}

/* The mean loss with targets, [SAMPLES, OUTPUTS]. */
static double loss_of(const struct pst_loss *loss, const struct samples *s, const float *targets,
                      float *gradient)
{
    struct pst_loss_sums sums;
    double scratch[2 * OUTPUTS];
    const struct pst_loss_targets all = { .terms = { targets }, .scratch = scratch };
    pst_loss_compute(loss, &all, s->outputs, SAMPLES, OUTPUTS, gradient, &sums);
    return sums.total / SAMPLES;
}

static void logits_are_softened_as_temperature_softmax_does(void **state)
{
    (void)state;
    const double temperatures[] = { 0.5, 1, 3, 20 };
    size_t tried = 0;
    for (size_t k = 0; pst_loss_types[k] != NULL; k++)
        for (size_t t = 0; t < 4 && pst_loss_types[k]->target == PST_TARGET_DISTRIBUTION; t++, tried++) {
            struct samples s = draw();
            float soft[VALUES], expected[VALUES], gradient[VALUES];
            struct pst_loss of_soft = one_term(pst_loss_types[k], temperatures[t], false),
                            of_logits = one_term(pst_loss_types[k], temperatures[t], true);
            pst_softmax(s.logits, soft, SAMPLES, OUTPUTS, temperatures[t]);
            double mean = loss_of(&of_soft, &s, soft, expected);
            assert_near(loss_of(&of_logits, &s, s.logits, gradient), mean, 1e-5 * (1 + mean));
            assert_near(loss_of(&of_logits, &s, s.logits, NULL), mean, 1e-5 * (1 + mean));
            for (size_t i = 0; i < VALUES; i++)
                assert_near(gradient[i], expected[i], 1e-5);
        }
    assert_true(tried >= 12);
}

static void a_type_that_cannot_take_logits_gets_the_bits_of_temperature_softmax(void **state)
{
    (void)state;
    struct samples s = draw();
    float soft[VALUES], expected[VALUES], gradient[VALUES];
    struct pst_loss of_soft = one_term(pst_loss_find("brier"), 3, false),
                    of_logits = one_term(pst_loss_find("brier"), 3, true);
    assert_null(of_logits.terms[0].type->row_of_logits);
    pst_softmax(s.logits, soft, SAMPLES, OUTPUTS, 3);
    double mean = loss_of(&of_soft, &s, soft, expected);
    assert_true(loss_of(&of_logits, &s, s.logits, gradient) == mean);
    assert_memory_equal(gradient, expected, sizeof gradient);
}

static void loss_and_gradient_are_exact_up_to_the_highest_temperature(void **state)
{
    (void)state;
    const double temperatures[] = { 0.5, 1, 20, 1e3, 1e5, PST_MOST_TEMPERATURE };
    for (size_t t = 0; t < sizeof temperatures / sizeof *temperatures; t++) {
        struct samples s = draw();
        struct pst_loss kl = one_term(pst_loss_find("kl"), temperatures[t], true);
        float gradient[VALUES];
        double exact[VALUES], expected = 0, away = 0, length = 0, loss = loss_of(&kl, &s, s.logits, gradient);
        for (size_t i = 0; i < SAMPLES; i++)
            expected += exact_divergence(s.logits + i * OUTPUTS, s.outputs + i * OUTPUTS, OUTPUTS,
                                         temperatures[t], SAMPLES, exact + i * OUTPUTS) /
                        SAMPLES;
        for (size_t i = 0; i < VALUES; i++) {
            away += ((double)gradient[i] - exact[i]) * ((double)gradient[i] - exact[i]);
            length += exact[i] * exact[i];
        }
        if (!(away <= 1e-12 * length) || !(fabs(loss - expected) <= 1e-3 * expected))
            fail_msg("T = %g: the gradient is %g away, the loss is %.9g, not %.9g", temperatures[t],
                     sqrt(away / length), loss, expected);
    }
}

static void equal_logits_have_no_divergence_and_no_gradient(void **state)
{
    (void)state;
    struct pst_loss loss = one_term(pst_loss_find("kl"), 20, true);
    struct samples s = draw();
    float gradient[VALUES];
    memcpy(s.outputs, s.logits, sizeof s.outputs);
    assert_true(loss_of(&loss, &s, s.logits, gradient) == 0);
    for (size_t i = 0; i < VALUES; i++)
        assert_true(gradient[i] == 0);
}

static void a_number_that_is_not_finite_shows_in_the_loss(void **state)
{
    (void)state;
    const float bad[] = { NAN, INFINITY };
    for (size_t b = 0; b < 2; b++)
        for (size_t of_teacher = 0; of_teacher < 2; of_teacher++) {
            struct samples s = draw();
            struct pst_loss loss = one_term(pst_loss_find("kl"), 2, true);
            float gradient[VALUES];
            (of_teacher ? s.logits : s.outputs)[7] = bad[b];
            assert_true(!isfinite(loss_of(&loss, &s, s.logits, gradient)));
        }
}

static void any_number_of_threads_gives_the_same_bits(void **state)
{
    (void)state;
    enum { MANY = 300, WIDE = 501, MOST = 8 };
    float *outputs = test_malloc(4 * MANY * WIDE * sizeof *outputs), *logits = outputs + MANY * WIDE,
          *expected = logits + MANY * WIDE, *gradient = expected + MANY * WIDE;
    double *scratch = test_malloc((size_t)MOST * 2 * WIDE * sizeof *scratch);
    int32_t labels[MANY];
    struct pst_loss loss = { 0 };
    struct pst_loss_sums sums, of_one;
    struct pst_random random;
    pst_random_start(&random, 2, PST_RANDOM_INITIAL, 0, 0);
    for (size_t i = 0; i < (size_t)2 * MANY * WIDE; i++)
        outputs[i] = (float)pst_random_normal(&random);
    for (size_t i = 0; i < MANY; i++)
        labels[i] = (int32_t)pst_random_below(&random, WIDE);
    pst_loss_add(&loss, "labels")->weight = 0.1;
    *pst_loss_add(&loss, "kl") = (struct pst_loss_term){
        .type = pst_loss_find("kl"), .weight = 0.9, .temperature = 3, .from_logits = true
    };
    struct pst_loss_targets targets = { .terms = { labels, logits }, .labels = labels, .scratch = scratch };
    pst_loss_compute(&loss, &targets, outputs, MANY, WIDE, expected, &of_one);
    targets.team = pst_team_new(MOST, NULL);
    for (size_t threads = 1; threads <= MOST; threads++) {
        pst_team_use(targets.team, threads);
        memset(gradient, 0xff, MANY * WIDE * sizeof *gradient);
        pst_loss_compute(&loss, &targets, outputs, MANY, WIDE, gradient, &sums);
        assert_memory_equal(gradient, expected, MANY * WIDE * sizeof *gradient);
        assert_true(sums.total == of_one.total && sums.terms[0] == of_one.terms[0] &&
                    sums.terms[1] == of_one.terms[1] && sums.weight == of_one.weight &&
                    sums.errors == of_one.errors);
    }
    pst_team_free(targets.team);
    test_free(outputs);
    test_free(scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_softened_as_temperature_softmax_does),
        cmocka_unit_test(a_type_that_cannot_take_logits_gets_the_bits_of_temperature_softmax),
        cmocka_unit_test(loss_and_gradient_are_exact_up_to_the_highest_temperature),
        cmocka_unit_test(equal_logits_have_no_divergence_and_no_gradient),
        cmocka_unit_test(a_number_that_is_not_finite_shows_in_the_loss),
        cmocka_unit_test(any_number_of_threads_gives_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

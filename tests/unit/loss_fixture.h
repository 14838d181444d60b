/* loss_fixture.h: what the tests of losses have in common. */
#ifndef PIPESTILL_TESTS_LOSS_FIXTURE_H
#define PIPESTILL_TESTS_LOSS_FIXTURE_H

#include "pipestill/nn.h"

#include <math.h>

enum { MOST_CLASSES = 64 };

/*
 * T² · Σ a_j (log a_j - log b_j), a and b the softmax at T of a teacher's and a student's logits, in double
 * throughout. classes: up to MOST_CLASSES. gradient: receives T (b_j - a_j) / n.
 */
static inline double exact_divergence(const float *teacher, const float *student, size_t classes,
                                      double temperature, double n, double *gradient)
{
    double log_a[MOST_CLASSES], log_b[MOST_CLASSES], sum = 0;
    pst_log_softmax(teacher, log_a, classes, temperature);
    pst_log_softmax(student, log_b, classes, temperature);
    for (size_t j = 0; j < classes; j++) {
        sum += exp(log_a[j]) * (log_a[j] - log_b[j]);
        gradient[j] = temperature * (exp(log_b[j]) - exp(log_a[j])) / n;
    }
    return temperature * temperature * sum;
}

#endif

/* compact_fixture.h: what the tests of compact forms share: rows, and targets as in a plan. */
#ifndef PIPESTILL_TESTS_COMPACT_FIXTURE_H
#define PIPESTILL_TESTS_COMPACT_FIXTURE_H

#include "lib/compact/codec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline struct pst_target make_target(const char *name, enum pst_compact_form form, size_t classes,
                                            size_t kept)
{
    struct pst_target target = { .form = form, .classes = classes, .kept = kept };
    strcpy(target.dense.name, name);
    target.logits = strncmp(name, "logits", 6) == 0;
    assert_int_equal(pst_target_parts(&target, NULL), PST_OK);
    return target;
}

/* softmax(normal numbers · width), as f32. */
static inline void make_row(float *row, size_t classes, double width, uint64_t id)
{
    struct pst_random random;
    pst_random_start(&random, 7, 1000, 0, id);
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        sum += (double)(row[c] = (float)exp(width * pst_random_normal(&random)));
    for (size_t c = 0; c < classes; c++)
        row[c] = (float)((double)row[c] / sum);
}

/* p_c ∝ 1 / (rank + 1)^1.1: a few likely classes and a long tail, in a mixed order. */
static inline void make_zipf(float *row, size_t classes, uint64_t id)
{
    struct pst_random random;
    pst_random_start(&random, 8, 1000, 0, id);
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        sum += pow((double)(c + 1), -1.1);
    for (size_t c = 0; c < classes; c++)
        row[c] = (float)(pow((double)(c + 1), -1.1) / sum);
    for (size_t c = classes - 1; c > 0; c--) {
        size_t other = (size_t)pst_random_below(&random, c + 1);
        float value = row[c];
        row[c] = row[other];
        row[other] = value;
    }
}

static inline double sum_of(const float *row, size_t classes)
{
    double sum = 0;
    for (size_t c = 0; c < classes; c++)
        sum += (double)row[c];
    return sum;
}

#endif

/* nn_fixture.h: what the tests of networks share: random numbers, networks, comparisons to a tolerance. */
#ifndef PIPESTILL_TESTS_NN_FIXTURE_H
#define PIPESTILL_TESTS_NN_FIXTURE_H

#include "pipestill/training.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

/* Memory that a test cannot do without. */
static inline void *needed(size_t count, size_t size)
{
    struct pst_error error;
    void *memory = pst_allocate(count, size, &error);
    assert_non_null(memory);
    return memory;
}

/* Normal random numbers, the same for the same seed. */
static inline void fill_random(float *values, size_t count, double deviation, uint64_t seed)
{
    struct pst_random random;
    pst_random_start(&random, seed, PST_RANDOM_ORDER, 0, 0);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(deviation * pst_random_normal(&random));
}

/* A network with initial weights, and random biases in place of zeros. */
static inline void make_network(struct pst_network *network, const char *architecture, uint64_t seed)
{
    struct pst_error error;
    if (pst_network_new(network, architecture, &error) != PST_OK)
        fail_msg("%s", error.message);
    pst_network_initialise(network, seed);
    for (size_t t = 0; t < network->tensor_count; t++)
        if (network->tensors[t]->rank == 1)
            fill_random(network->parameters + network->tensors[t]->at, network->tensors[t]->count, 0.5,
                        seed + 100 + t / 2);
}

/* The values of a network's parameter: 0 is the first layer's weight, 1 its bias, and so on. */
static inline float *values_of(const struct pst_network *network, size_t parameter)
{
    return network->parameters + network->tensors[parameter]->at;
}

static inline void copy_to_double(double *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (double)from[i];
}

/* Every value is the expected one to within tolerance times the largest of the expected values. */
static inline void assert_close(const float *values, const double *expected, size_t count, double tolerance)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)values[i] - expected[i]) <= tolerance * largest))
            fail_msg("value %zu of %zu is %.9g, expected %.9g (largest %.3g)", i, count, (double)values[i],
                     expected[i], largest);
}

#endif

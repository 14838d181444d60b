/* Activations: whole rows against the plain functions, and their limits. */
#include "pipestill/layers.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SLOPE 0.125

/* The next activation of the list of all; list: what is left of it. */
static const struct pst_activation *next(char **list)
{
    double slope;
    const char *word = strtok_r(NULL, ", ", list);
    return word == NULL ? NULL : pst_activation_parse(word, &slope);
}

#define FOR_EACH(ACTIVATION)                  \
    char names[256], *list = names;           \
    pst_activation_list(names, sizeof names); \
    for (const struct pst_activation *ACTIVATION; (ACTIVATION = next(&list)) != NULL;)

/* Within 1 unit in the last place of a float, or very near. */
static void assert_same(const char *name, double input, float found, double expected)
{
    if (!(fabs((double)found - expected) <= FLT_EPSILON * fabs(expected) + 1e-11))
        fail_msg("%s at %.9g: %.9g, expected %.17g", name, input, (double)found, expected);
}

/* Inputs of one size, of both signs. */
static void fill(float *inputs, size_t count, double most)
{
    for (size_t i = 0; i < count; i++)
        inputs[i] = (float)(most * (2 * (double)i / (double)(count - 1) - 1));
}

static void rows_are_what_the_plain_functions_give(void **state)
{
    (void)state;
    enum { COUNT = 4001 };
    static float inputs[COUNT], outputs[COUNT], gradient[COUNT];
    FOR_EACH(activation)
    for (double most = 1e-6; most < 1e5; most *= 7) {
        fill(inputs, COUNT, most);
        memcpy(outputs, inputs, sizeof outputs);
        activation->forward(outputs, COUNT, SLOPE);
        for (size_t i = 0; i < COUNT; i++)
            gradient[i] = 1;
        activation->backward(gradient, inputs, COUNT, SLOPE);
        for (size_t i = 0; i < COUNT; i++) {
            double input = (double)inputs[i];
            assert_same(activation->name, input, outputs[i], activation->plain(input, SLOPE));
            assert_same(activation->name, input, gradient[i], activation->plain_slope(input, SLOPE));
        }
    }
}

/* The last numbers of a row, which do not fill a vector, have the same bits as elsewhere. */
static void bits_do_not_depend_on_the_row(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    float inputs[COUNT], outputs[COUNT], found[COUNT];
    fill(inputs, COUNT, 3);
    FOR_EACH(activation)
    {
        memcpy(outputs, inputs, sizeof outputs);
        activation->forward(outputs, COUNT, SLOPE);
        for (size_t first = 0; first < COUNT; first++)
            for (size_t count = 1; first + count <= COUNT; count++) {
                memcpy(found, inputs + first, count * sizeof *found);
                activation->forward(found, count, SLOPE);
                assert_memory_equal(found, outputs + first, count * sizeof *found);
            }
    }
}

/* What an activation gives for one number. */
static float of(const char *word, float input)
{
    double slope = 0;
    const struct pst_activation *activation = pst_activation_parse(word, &slope);
    assert_non_null(activation);
    activation->forward(&input, 1, (float)slope);
    return input;
}

static void activations_have_their_limits(void **state)
{
    (void)state;
    assert_true(of("tanh", INFINITY) == 1 && of("tanh", -INFINITY) == -1 && of("tanh", -1e30F) == -1);
    assert_true(of("sigmoid", INFINITY) == 1 && of("sigmoid", -INFINITY) == 0 && of("sigmoid", 0) == 0.5F);
    assert_true(of("silu", -1e30F) == 0 && of("silu", 1e30F) == 1e30F);
    assert_true(of("gelu", -1e30F) == 0 && of("gelu", 1e30F) == 1e30F);
    assert_true(of("tanh", FLT_MIN) == FLT_MIN && of("tanh", -0x1p-140F) == -0x1p-140F);
    FOR_EACH(activation)
    assert_true(isnan(of(activation->name, NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_what_the_plain_functions_give),
        cmocka_unit_test(bits_do_not_depend_on_the_row),
        cmocka_unit_test(activations_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

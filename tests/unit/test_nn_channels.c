/* Loops over maps whose channels are last, against plain ones in double. */
#include "lib/nn/channels.h"
#include "tests/unit/nn_fixture.h"

#include <string.h>

/* Channels that fill less than a vector, one, and several; rows that end within a period, and more than a
 * block. */
static const size_t all_channels[] = { 1, 3, 12, 16, 40, 256, 300 };
static const size_t all_rows[] = { 1, 2, 37, 1000, 9001 };

struct maps {
    size_t rows, channels;
    struct pst_channels maps;
    float *values, *gradient, *outputs, *result, *scratch;
    float *middle, *factor, *offset;
    double *sums, *others;
};

static void prepare(struct maps *m, size_t rows, size_t channels)
{
    size_t count = rows * channels;
    *m = (struct maps){ .rows = rows, .channels = channels };
    m->values = needed(count, sizeof(float));
    m->gradient = needed(count, sizeof(float));
    m->outputs = needed(count, sizeof(float));
    m->result = needed(count, sizeof(float));
    m->scratch = needed(pst_channels_scratch(channels), sizeof(float));
    m->maps = (struct pst_channels){ rows, channels, NULL, m->scratch };
    m->middle = needed(channels, sizeof(float));
    m->factor = needed(channels, sizeof(float));
    m->offset = needed(channels, sizeof(float));
    m->sums = needed(channels, sizeof(double));
    m->others = needed(channels, sizeof(double));
    fill_random(m->values, count, 1, 1);
    fill_random(m->gradient, count, 1, 2);
    fill_random(m->middle, channels, 1, 3);
    fill_random(m->factor, channels, 1, 4);
    fill_random(m->offset, channels, 1, 5);
    for (size_t i = 0; i < count; i++) /* far from 0, so that differences of squares lose digits */
        m->values[i] += 100 * (float)(i % channels);
}

static void release(struct maps *m)
{
    float *const all[] = { m->values,  m->gradient, m->outputs, m->result,
                           m->scratch, m->middle,   m->factor,  m->offset };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    free(m->sums);
    free(m->others);
}

static void for_every_size(void (*check)(struct maps *m))
{
    for (size_t c = 0; c < sizeof all_channels / sizeof *all_channels; c++)
        for (size_t r = 0; r < sizeof all_rows / sizeof *all_rows; r++) {
            struct maps m;
            prepare(&m, all_rows[r], all_channels[c]);
            check(&m);
            release(&m);
        }
}

static void assert_near(double value, double expected, double size, const char *what)
{
    if (!(fabs(value - expected) <= 1e-5 * size))
        fail_msg("%s is %.9g, expected %.9g", what, value, expected);
}

static void check_measure(struct maps *m)
{
    pst_channels_measure(&m->maps, m->values, m->sums, m->others);
    for (size_t c = 0; c < m->channels; c++) {
        double mean = 0, squares = 0;
        for (size_t r = 0; r < m->rows; r++)
            mean += (double)m->values[r * m->channels + c] / (double)m->rows;
        for (size_t r = 0; r < m->rows; r++)
            squares += pow((double)m->values[r * m->channels + c] - mean, 2);
        assert_near(m->sums[c], mean, fabs(mean) + 1, "a mean");
        assert_near(m->others[c], squares, squares + 1, "a sum of squares");
    }
}

static void mean_and_squares_are_the_plain_ones(void **state)
{
    (void)state;
    for_every_size(check_measure);
}

static double plainly_changed(const struct maps *m, size_t at, bool relu)
{
    size_t c = at % m->channels;
    double value =
        ((double)m->values[at] - (double)m->middle[c]) * (double)m->factor[c] + (double)m->offset[c];
    return relu && value < 0 ? 0 : value;
}

static void check_change(struct maps *m, bool relu)
{
    const struct pst_channels_change change = { m->middle, m->factor, m->offset, relu };
    pst_channels_change(&m->maps, &change, m->values, m->outputs);
    for (size_t at = 0; at < m->rows * m->channels; at++) {
        double expected = plainly_changed(m, at, relu);
        assert_near((double)m->outputs[at], expected, 100 * (double)m->channels + fabs(expected), "a value");
    }
}

static void check_back(struct maps *m, bool relu)
{
    const struct pst_channels_change change = { m->middle, m->factor, m->offset, relu };
    pst_channels_sums(&m->maps, &change, m->values, m->outputs, m->gradient, m->sums, m->others);
    for (size_t c = 0; c < m->channels; c++) {
        double sum = 0, product = 0, size = 1;
        for (size_t at = c; at < m->rows * m->channels; at += m->channels) {
            double g = relu && !(m->outputs[at] > 0) ? 0 : (double)m->gradient[at];
            sum += g;
            product += g * ((double)m->values[at] - (double)m->middle[c]);
            size += fabs(g * ((double)m->values[at] - (double)m->middle[c]));
        }
        assert_near(m->sums[c], sum, size, "a sum of gradients");
        assert_near(m->others[c], product, size, "a sum of products");
    }
    pst_channels_blend(&m->maps, &change, &(struct pst_channels_blend){ m->factor, m->offset, m->middle },
                       m->values, m->outputs, m->gradient, m->result);
    for (size_t at = 0; at < m->rows * m->channels; at++) {
        size_t c = at % m->channels;
        double g = relu && !(m->outputs[at] > 0) ? 0 : (double)m->gradient[at],
               away = (double)m->values[at] - (double)m->middle[c];
        assert_near((double)m->result[at],
                    (double)m->factor[c] * g + (double)m->offset[c] * away + (double)m->middle[c],
                    10 + 4 * fabs((double)m->values[at]), "a gradient");
    }
}

static void check_changes(struct maps *m)
{
    for (int relu = 0; relu < 2; relu++) {
        check_change(m, relu);
        check_back(m, relu);
    }
}

static void changes_and_their_way_back_are_the_plain_ones(void **state)
{
    (void)state;
    for_every_size(check_changes);
}

static void what_is_not_a_number_goes_through_a_change(void **state)
{
    (void)state;
    float value = NAN, zero = 0, one = 1, output = 0,
          *scratch = needed(pst_channels_scratch(1), sizeof *scratch);
    const struct pst_channels maps = { 1, 1, NULL, scratch };
    const struct pst_channels_change change = { &zero, &one, &zero, true };
    pst_channels_change(&maps, &change, &value, &output);
    assert_true(isnan(output));
    free(scratch);
}

static void maps_are_turned_and_turned_back(void **state)
{
    (void)state;
    static const struct pst_shape shapes[] = {
        { 3, { 3, 4, 5 } }, { 3, { 17, 1, 33 } }, { 3, { 1, 4, 4 } }, { 3, { 40, 1, 1 } }
    };
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        size_t size = pst_shape_elements(&shapes[s]), channels = shapes[s].size[0], area = size / channels;
        float *first = needed(2 * size, sizeof *first), *last = needed(2 * size, sizeof *last),
              *again = needed(2 * size, sizeof *again);
        fill_random(first, 2 * size, 1, 7);
        pst_channels_to_last(&shapes[s], 2, first, last);
        for (size_t at = 0; at < 2 * size; at++) {
            size_t sample = at / size, c = at % size / area, place = at % area;
            assert_true(last[sample * size + place * channels + c] == first[at]);
        }
        pst_channels_to_first(&shapes[s], 2, last, again);
        assert_memory_equal(again, first, 2 * size * sizeof *first);
        pst_channels_add_to_last(&shapes[s], 2, first, last);
        pst_channels_to_first(&shapes[s], 2, last, again);
        for (size_t at = 0; at < 2 * size; at++)
            assert_true(again[at] == 2 * first[at]);
        assert_true(pst_shape_moves(&shapes[s]) == (channels > 1 && area > 1));
        free(first);
        free(last);
        free(again);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_and_squares_are_the_plain_ones),
        cmocka_unit_test(changes_and_their_way_back_are_the_plain_ones),
        cmocka_unit_test(what_is_not_a_number_goes_through_a_change),
        cmocka_unit_test(maps_are_turned_and_turned_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

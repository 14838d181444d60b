/* Mean and deviation of channels, and likeness. The set is made up here. */
#include "data_fixture.h"

#include <math.h>

#define ROWS 6

/* A number, three categories, and a number that never varies. */
static const double rows[ROWS][5] = { { 1, 1, 0, 0, 7 },  { 2, 0, 1, 0, 7 },  { 3, 0, 0, 1, 7 },
                                      { 10, 1, 0, 0, 7 }, { 20, 0, 1, 0, 7 }, { -6, 0, 0, 1, 7 } };

static enum pst_status get_row(const struct pst_dataset *dataset, size_t index, void *elements,
                               struct pst_error *error)
{
    (void)dataset, (void)error;
    memcpy(elements, rows[index], sizeof rows[index]);
    return PST_OK;
}

static const char *const colours[] = { "blue", "green", "red" };
static const struct pst_column columns[] = { { "size", 0, NULL, 0 },
                                             { "colour", 3, colours, 0 },
                                             { "age", 0, NULL, 0 } };
static int32_t labels[ROWS] = { 0, 1, 0, 1, 0, 1 };
static const char *const names[] = { "no", "yes", "perhaps" };

static enum pst_status open_rows(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                 struct pst_error *error)
{
    (void)request;
    strcpy(dataset->name, "rows");
    dataset->samples = ROWS;
    dataset->element = PST_ELEMENT_F64;
    dataset->rank = 1;
    dataset->shape[0] = 5;
    dataset->columns = 3;
    dataset->column = columns;
    dataset->label_kind = PST_LABELS_CLASS;
    dataset->classes = 2;
    dataset->labels = pst_allocate(ROWS, sizeof *labels, error);
    dataset->class_names = pst_names_copy(names, 2, error);
    if (dataset->labels == NULL || dataset->class_names == NULL)
        return PST_TRY_AGAIN;
    memcpy(dataset->labels, labels, sizeof labels);
    return PST_OK;
}

static const struct pst_dataset_type type = { .name = "rows", .open = open_rows, .get = get_row };

static enum pst_status open_like(struct pst_dataset *dataset, const struct pst_likeness *like,
                                 struct pst_error *error)
{
    return pst_dataset_open(dataset, &type, &(struct pst_dataset_request){ .like = like }, error);
}

static struct pst_likeness as_it_is(void)
{
    return (struct pst_likeness){
        .name = "a model", .columns = 3, .column = columns, .classes = 2, .class_names = names
    };
}

/* ---- fitting ----------------------------------------------------------------------------------------- */

static void the_standard_is_that_of_the_chosen_rows(void **state)
{
    (void)state;
    struct pst_dataset dataset;
    struct pst_standard standard;
    size_t indices[] = { 0, 1, 2 };
    const struct pst_selection selection = { 3, indices };
    assert_int_equal(open_like(&dataset, NULL, NULL), PST_OK);
    assert_int_equal(pst_standard_fit(&standard, &dataset, &selection, NULL), PST_OK);
    assert_int_equal(standard.channels, 5);
    assert_true(fabs(standard.mean[0] - 2) < 1e-12);
    assert_true(fabs(standard.deviation[0] - sqrt(2.0 / 3)) < 1e-12);
    for (size_t i = 1; i < 4; i++) /* categories */
        assert_true(standard.mean[i] == 0 && standard.deviation[i] == 1);
    assert_true(standard.mean[4] == 7 && standard.deviation[4] == 1);
    float x[5];
    double raw[5];
    assert_int_equal(pst_dataset_read(&dataset, 3, &standard, x, raw, NULL), PST_OK);
    assert_true(fabsf(x[0] - 8 / sqrtf(2.0F / 3)) < 1e-5F);
    assert_true(x[1] == 1 && x[2] == 0 && x[3] == 0 && x[4] == 0);
    pst_standard_free(&standard);
    pst_dataset_close(&dataset);
}

static void far_means_lose_no_digits(void **state)
{
    (void)state;
    struct pst_dataset dataset;
    struct pst_standard standard;
    size_t indices[] = { 0, 1, 2 };
    const struct pst_selection selection = { 3, indices };
    assert_int_equal(open_like(&dataset, NULL, NULL), PST_OK);
    dataset.offset = 1e9;
    assert_int_equal(pst_standard_fit(&standard, &dataset, &selection, NULL), PST_OK);
    /* In 32 bits 1e9 + 1 and 1e9 + 2 are the same, so the fit must use numbers as fine as the source's. */
    assert_true(fabs(standard.mean[0] - 1000000002) < 1e-3);
    assert_true(fabs(standard.deviation[0] - sqrt(2.0 / 3)) < 1e-3);
    pst_standard_free(&standard);
    pst_dataset_close(&dataset);
}

/* ---- likeness ---------------------------------------------------------------------------------------- */

static void a_set_that_is_alike_takes_over_the_standard(void **state)
{
    (void)state;
    double numbers[] = { 5, 0, 0, 0, 7, 2, 1, 1, 1, 1 };
    struct pst_likeness like = as_it_is();
    struct pst_dataset dataset;
    like.standard = (struct pst_standard){ 5, numbers, numbers + 5 };
    assert_int_equal(open_like(&dataset, &like, NULL), PST_OK);
    assert_int_equal(dataset.standard.channels, 5);
    assert_true(dataset.standard.mean != numbers && dataset.standard.mean[0] == 5);
    assert_true(dataset.standard.deviation[0] == 2);
    pst_dataset_close(&dataset);
}

static void classes_without_a_sample_are_taken_over(void **state)
{
    (void)state;
    struct pst_likeness like = as_it_is();
    struct pst_dataset dataset;
    like.classes = 3;
    assert_int_equal(open_like(&dataset, &like, NULL), PST_OK);
    assert_int_equal(dataset.classes, 3);
    assert_string_equal(dataset.class_names[2], "perhaps");
    pst_dataset_close(&dataset);
}

static void assert_refused(const struct pst_likeness *like, const char *words)
{
    struct pst_dataset dataset;
    struct pst_error error = { 0 };
    assert_int_equal(open_like(&dataset, like, &error), PST_BAD_DATA);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' does not say '%s'", error.message, words);
}

static void what_differs_is_named(void **state)
{
    (void)state;
    struct pst_likeness like = as_it_is();
    struct pst_column other[3];
    memcpy(other, columns, sizeof other);
    like.column = other;
    other[0].name = "length";
    assert_refused(&like, "column 1 is 'length' in a model, but 'size' in rows");
    other[0] = columns[0];
    other[1].category = (const char *const[]){ "blue", "grey", "red" };
    assert_refused(&like, "column 'colour' has other categories in rows than in a model");
    like = as_it_is();
    like.columns = 2;
    assert_refused(&like, "a model has 2 columns of inputs, but rows has 3");
    like = as_it_is();
    like.class_names = (const char *const[]){ "no", "maybe" };
    assert_refused(&like, "class 1 is 'maybe' in a model, but 'yes' in rows");
    like = as_it_is();
    like.classes = 1;
    assert_refused(&like, "a model has 1 classes, but rows has 2");
    like = as_it_is();
    like.classes = 0;
    like.outputs = 2;
    assert_refused(&like, "labels of rows are classes");
    like = as_it_is();
    like.standard.channels = 4;
    assert_refused(&like, "a model standardises 4 channels or columns, but rows has 5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_standard_is_that_of_the_chosen_rows),
        cmocka_unit_test(far_means_lose_no_digits),
        cmocka_unit_test(a_set_that_is_alike_takes_over_the_standard),
        cmocka_unit_test(classes_without_a_sample_are_taken_over),
        cmocka_unit_test(what_differs_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

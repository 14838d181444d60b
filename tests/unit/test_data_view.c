/* Views: what a program sees of a set, for all kinds of samples and labels. The set is made up here. */
#include "data_fixture.h"

#include <math.h>

#define SAMPLES 40

/* Sample i holds i, i + 0.5, -i and 4; sample 7 cannot be read, and sample 9 is not finite. */
static enum pst_status get_numbers(const struct pst_dataset *dataset, size_t index, void *elements,
                                   struct pst_error *error)
{
    double *numbers = elements;
    (void)dataset;
    if (index == 7)
        return pst_fail(error, PST_IO_ERROR, "the disk is gone");
    numbers[0] = (double)index;
    numbers[1] = (double)index + 0.5;
    numbers[2] = index == 9 ? 1e300 : -(double)index;
    numbers[3] = 4;
    return PST_OK;
}

static enum pst_status open_nothing(struct pst_dataset *dataset, const struct pst_dataset_request *request,
                                    struct pst_error *error)
{
    (void)request;
    dataset->samples = 3;
    dataset->labels = pst_allocate(3, sizeof(int32_t), error);
    return pst_fail(error, PST_BAD_DATA, "it never opens");
}

static unsigned closed;

static void close_set(struct pst_dataset *dataset)
{
    (void)dataset;
    closed++;
}

static const struct pst_dataset_type made_up = {
    .name = "made-up", .open = open_nothing, .get = get_numbers, .close = close_set, .most_arguments = 1
};

static int32_t labels[SAMPLES];

static struct pst_dataset make_set(void)
{
    for (int i = 0; i < SAMPLES; i++)
        labels[i] = i % 4;
    return (struct pst_dataset){ .type = &made_up,
                                 .name = "made up",
                                 .samples = SAMPLES,
                                 .element = PST_ELEMENT_F64,
                                 .rank = 2,
                                 .shape = { 2, 2 },
                                 .scale = 2,
                                 .offset = 1,
                                 .label_kind = PST_LABELS_CLASS,
                                 .classes = 4,
                                 .labels = labels,
                                 .first_id = 1000 };
}

/* Opens a view with all augmentations off but shift, which `settings` may turn on. */
static struct pst_view open_view(const struct pst_dataset *set, const struct pst_view_settings *settings,
                                 struct settings off[PST_MAX_AUGMENTATIONS], const char *const *shift)
{
    const void *augmentations[PST_MAX_AUGMENTATIONS];
    for (size_t i = 0; pst_augmentations[i] != NULL; i++) {
        bool moved = shift != NULL && strcmp(pst_augmentations[i]->name, "shift") == 0;
        off[i] = make_settings(&pst_augmentations[i]->settings, moved ? shift : NULL);
        augmentations[i] = off[i].bytes;
    }
    struct pst_view view;
    struct pst_error error = { 0 };
    if (pst_view_open(&view, set, settings, augmentations, &error) != PST_OK)
        fail_msg("%s", error.message);
    return view;
}

static void a_sample_comes_with_its_numbers_label_and_id(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct settings off[PST_MAX_AUGMENTATIONS];
    struct pst_view view = open_view(&set, &(struct pst_view_settings){ .no_shuffle = true }, off, NULL);
    float x[4];
    int32_t y;
    uint64_t id;
    assert_int_equal(view.selection.count, SAMPLES);
    assert_int_equal(pst_view_get(&view, 6, x, &y, &id, NULL), PST_OK);
    assert_memory_equal(x, ((const float[4]){ 13, 14, -11, 9 }), sizeof x); /* 2 e + 1 */
    assert_int_equal(y, 2);
    assert_int_equal(id, 1006);
    uint64_t ids[SAMPLES] = { 0 };
    ids[6] = 99;
    set.ids = ids;
    assert_int_equal(pst_view_get(&view, 6, x, NULL, &id, NULL), PST_OK);
    assert_int_equal(id, 99);
    pst_view_close(&view);
}

static void labels_of_every_kind_come_as_they_are(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct settings off[PST_MAX_AUGMENTATIONS];
    static float numbers[SAMPLES][3];
    static uint8_t bits[SAMPLES][2];
    numbers[5][2] = 0.25F;
    bits[5][1] = 1;
    float x[4], number[3];
    uint8_t bit[2];
    uint64_t id;
    set.label_kind = PST_LABELS_NUMBERS;
    set.label_width = 3;
    set.labels = numbers;
    struct pst_view view = open_view(&set, &(struct pst_view_settings){ .no_shuffle = true }, off, NULL);
    assert_int_equal(pst_view_get(&view, 5, x, number, &id, NULL), PST_OK);
    assert_memory_equal(number, numbers[5], sizeof number);
    pst_view_close(&view);
    set.label_kind = PST_LABELS_BITS;
    set.label_width = 2;
    set.labels = bits;
    view = open_view(&set, &(struct pst_view_settings){ .no_shuffle = true }, off, NULL);
    assert_int_equal(pst_view_get(&view, 5, x, bit, &id, NULL), PST_OK);
    assert_memory_equal(bit, bits[5], sizeof bit);
    pst_view_close(&view);
}

static void a_sample_that_fails_is_named(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct settings off[PST_MAX_AUGMENTATIONS];
    struct pst_view view = open_view(&set, &(struct pst_view_settings){ .no_shuffle = true }, off, NULL);
    float x[4];
    uint64_t id;
    struct pst_error error;
    assert_int_equal(pst_view_get(&view, 7, x, NULL, &id, &error), PST_IO_ERROR);
    assert_string_equal(error.message, "made up, sample 7: the disk is gone");
    assert_int_equal(pst_view_get(&view, 9, x, NULL, &id, &error), PST_BAD_DATA);
    assert_string_equal(error.message,
                        "made up, sample 9: element 2 is not a finite number of 32 bits: 1e+300");
    assert_int_equal(pst_view_get(&view, 8, x, NULL, &id, &error), PST_OK);
    pst_view_close(&view);
}

/* The order, the other samples and the position of reading must not matter. */
static void a_view_is_a_function_of_seed_epoch_and_id(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct settings off[2][PST_MAX_AUGMENTATIONS];
    struct pst_view_settings settings = { .rules = { .omit = "1,3", .seed = 5 } };
    const char *const *shift = OPTIONS("shift", "1");
    struct pst_view all = open_view(&set, &settings, off[0], shift);
    settings.rules.limit = 8;
    settings.no_shuffle = true;
    struct pst_view some = open_view(&set, &settings, off[1], shift);
    assert_int_equal(all.selection.count, 20);
    assert_int_equal(some.selection.count, 8);
    unsigned moved = 0;
    for (uint64_t epoch = 3; epoch-- > 0;) {
        assert_int_equal(pst_view_begin(&some, epoch, 0, NULL), PST_OK);
        assert_int_equal(pst_view_begin(&all, epoch, 0, NULL), PST_OK);
        for (size_t i = 8; i-- > 0;) {
            float one[4], other[4];
            uint64_t id, other_id;
            assert_int_equal(pst_view_get(&some, i, one, NULL, &id, NULL), PST_OK);
            size_t at = 0;
            while (pst_dataset_id(&set, all.order[at]) != id)
                at++;
            assert_int_equal(pst_view_get(&all, at, other, NULL, &other_id, NULL), PST_OK);
            assert_memory_equal(one, other, sizeof one);
            moved += one[3] != 9; /* an element of 0 moves in, which stands for 1 */
        }
    }
    assert_true(moved > 10);
    pst_view_close(&all);
    pst_view_close(&some);
}

static void a_training_split_is_shuffled_unless_it_must_not_be(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct settings off[PST_MAX_AUGMENTATIONS];
    struct pst_view view = open_view(&set, &(struct pst_view_settings){ .rules = { .seed = 3 } }, off, NULL);
    size_t order[SAMPLES];
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        assert_int_equal(pst_view_begin(&view, epoch, 0, NULL), PST_OK);
        pst_shuffle(&view.selection, 3, epoch, order);
        assert_memory_equal(view.order, order, sizeof order);
    }
    pst_view_close(&view);
    struct pst_view_settings test = { .rules = { .split = PST_SPLIT_TEST, .hold_out = 5 } };
    view = open_view(&set, &test, off, NULL);
    assert_int_equal(view.selection.count, SAMPLES);
    assert_memory_equal(view.order, view.selection.indices, sizeof order);
    pst_view_close(&view);
}

static void impossible_selections_are_refused(void **state)
{
    (void)state;
    struct pst_dataset set = make_set();
    struct pst_view view;
    struct pst_error error;
    struct pst_view_settings both = { .shuffle = true, .no_shuffle = true };
    assert_int_equal(pst_view_open(&view, &set, &both, NULL, &error), PST_USAGE);
    const void *augmentations[PST_MAX_AUGMENTATIONS];
    for (size_t i = 0; pst_augmentations[i] != NULL; i++)
        augmentations[i] = pst_augmentations[i]->example;
    set.rank = 1;
    set.shape[0] = 4;
    assert_int_equal(pst_view_open(&view, &set, &(struct pst_view_settings){ 0 }, augmentations, &error),
                     PST_USAGE);
    assert_non_null(strstr(error.message, "made up: only images "));
    assert_null(view.order);
    set.label_kind = PST_LABELS_NONE;
    struct pst_view_settings by_class = { .rules = { .only = "1" } };
    assert_int_equal(pst_view_open(&view, &set, &by_class, NULL, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "none that are classes in made up"));
}

static void a_set_that_does_not_open_leaves_nothing(void **state)
{
    (void)state;
    struct pst_dataset set;
    struct pst_error error;
    struct pst_dataset_request request = { 0 };
    closed = 0;
    assert_int_equal(pst_dataset_open(&set, &made_up, &request, &error), PST_BAD_DATA);
    assert_int_equal(closed, 1);
    assert_null(set.labels);
    request.test = true;
    assert_int_equal(pst_dataset_open(&set, &made_up, &request, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "made-up has no test part"));
    request = (struct pst_dataset_request){ .count = 2, .arguments = (const char *const[]){ "a", "b" } };
    assert_int_equal(pst_dataset_open(&set, &made_up, &request, &error), PST_USAGE);
    assert_string_equal(error.message, "'b' is one argument too many for made-up");
}

static void elements_of_every_type_are_numbers(void **state)
{
    (void)state;
    static const uint8_t u8[2] = { 0, 255 };
    static const int8_t i8[2] = { -128, 127 };
    static const uint16_t u16[2] = { 0, 65535 }, f16[2] = { 0xBE00, 0x0001 };
    static const int16_t i16[2] = { -32768, 32767 };
    static const uint32_t u32[2] = { 0, UINT32_MAX };
    static const int32_t i32[2] = { INT32_MIN, INT32_MAX };
    static const uint64_t u64[2] = { 1, UINT64_MAX };
    static const int64_t i64[2] = { INT64_MIN, (int64_t)1 << 53 };
    static const float f32[2] = { -1.5F, 3e38F };
    static const double f64[2] = { 1e-300, 0.1 };
    static const struct {
        const char *name;
        enum pst_element element;
        size_t size;
        const void *elements;
        double wanted[2];
    } all[] = { { "u8", PST_ELEMENT_U8, 1, u8, { 0, 255 } },
                { "i8", PST_ELEMENT_I8, 1, i8, { -128, 127 } },
                { "u16", PST_ELEMENT_U16, 2, u16, { 0, 65535 } },
                { "i16", PST_ELEMENT_I16, 2, i16, { -32768, 32767 } },
                { "u32", PST_ELEMENT_U32, 4, u32, { 0, UINT32_MAX } },
                { "i32", PST_ELEMENT_I32, 4, i32, { INT32_MIN, INT32_MAX } },
                { "u64", PST_ELEMENT_U64, 8, u64, { 1, 0x1p64 } },
                { "i64", PST_ELEMENT_I64, 8, i64, { -0x1p63, 0x1p53 } },
                { "f16", PST_ELEMENT_F16, 2, f16, { -1.5, 0x1p-24 } },
                { "f32", PST_ELEMENT_F32, 4, f32, { -1.5, (double)3e38F } },
                { "f64", PST_ELEMENT_F64, 8, f64, { 1e-300, 0.1 } } };
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        float numbers[2];
        assert_int_equal(pst_element_size(all[k].element), all[k].size);
        assert_string_equal(pst_element_name(all[k].element), all[k].name);
        assert_int_equal(pst_element_numbers(all[k].element, all[k].elements, 2, 0.5, 1, numbers), 2);
        for (size_t i = 0; i < 2; i++) {
            assert_true(pst_element_number(all[k].element, all[k].elements, i) == all[k].wanted[i]);
            assert_true(numbers[i] == (float)(0.5 * all[k].wanted[i] + 1));
        }
    }
    const float wrong[3] = { 1, NAN, INFINITY };
    float numbers[3];
    assert_int_equal(pst_element_numbers(PST_ELEMENT_F32, wrong, 3, 1, 0, numbers), 1);
    assert_int_equal(pst_element_numbers(PST_ELEMENT_F32, f32, 2, 1e3, 0, numbers), 1);
    static float many[3000], of_many[3000];
    many[2500] = -INFINITY;
    assert_int_equal(pst_element_numbers(PST_ELEMENT_F32, many, 2500, 1, 0, of_many), 2500);
    assert_int_equal(pst_element_numbers(PST_ELEMENT_F32, many, 3000, 1, 0, of_many), 2500);
}

/* A program offers one option for all types that have it, so it must mean the same for each. */
static void options_of_one_name_are_alike(void **state)
{
    (void)state;
    for (size_t i = 0; pst_dataset_types[i] != NULL; i++) {
        const struct pst_settings *settings = &pst_dataset_types[i]->settings;
        for (const struct pst_option *one = settings->options; one != NULL && one->type != PST_OPTION_END;
             one++) {
            assert_true(one->at < settings->size);
            for (size_t k = 0; k < i; k++) {
                const struct pst_option *other = pst_dataset_types[k]->settings.options;
                for (; other != NULL && other->type != PST_OPTION_END; other++)
                    if (strcmp(one->name, other->name) == 0)
                        assert_true(one->type == other->type && one->type != PST_LIST &&
                                    one->least == other->least && one->most == other->most &&
                                    strcmp(one->help, other->help) == 0);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sample_comes_with_its_numbers_label_and_id),
        cmocka_unit_test(labels_of_every_kind_come_as_they_are),
        cmocka_unit_test(a_sample_that_fails_is_named),
        cmocka_unit_test(a_view_is_a_function_of_seed_epoch_and_id),
        cmocka_unit_test(a_training_split_is_shuffled_unless_it_must_not_be),
        cmocka_unit_test(impossible_selections_are_refused),
        cmocka_unit_test(a_set_that_does_not_open_leaves_nothing),
        cmocka_unit_test(options_of_one_name_are_alike),
        cmocka_unit_test(elements_of_every_type_are_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

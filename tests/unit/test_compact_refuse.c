/* Tensors that cannot be made compact, or restored, are refused with a message that says where. */
#include "tests/unit/compact_stream_fixture.h"

static void refuse_plan(void (*spoil)(struct pst_header *), struct pst_compact_options options,
                        enum pst_status status, const char *words)
{
    struct pst_header original, compact;
    struct pst_compactor *compactor;
    struct pst_error error = { 0 };
    make_original(&original);
    if (spoil != NULL)
        spoil(&original);
    assert_int_equal(pst_compactor_new(&compactor, &original, &options, &compact, &error), status);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, words);
    assert_null(compactor);
    pst_header_free(&original);
}

static void drop_id(struct pst_header *header)
{
    strcpy(header->tensors[2].name, "number");
}

static void drop_mean(struct pst_header *header)
{
    strcpy(header->tensors[5].name, "soft/u");
}

static void drop_all(struct pst_header *header)
{
    for (size_t t = 3; t < 6; t++)
        header->tensors[t].name[0] = 'z';
}

static void grow_classes(struct pst_header *header)
{
    header->tensors[5].shape[0] = PST_COMPACT_MOST_CLASSES + 1;
}

static void compact_already(struct pst_header *header)
{
    json_object_set_new(header->other, "compact", json_object());
}

static void plans_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct pst_compact_options none = { 0 }, top = every[3], sampled = every[4], digest = every[5];
    refuse_plan(compact_already, none, PST_BAD_DATA, "compact already");
    refuse_plan(drop_all, none, PST_BAD_DATA, "neither soft targets nor logits");
    refuse_plan(drop_mean, none, PST_BAD_DATA, "several soft/NAME");
    refuse_plan(drop_id, sampled, PST_BAD_DATA, "'id'");
    refuse_plan(drop_id, digest, PST_BAD_DATA, "'id'");
    refuse_plan(grow_classes, top, PST_BAD_DATA, "65537 classes");
    refuse_plan(grow_classes, sampled, PST_BAD_DATA, "65537 classes");
    none.target = "soft/v";
    refuse_plan(NULL, none, PST_BAD_DATA, "no tensor 'soft/v'");
    none.target = "extra";
    refuse_plan(NULL, none, PST_BAD_DATA, "neither soft targets nor logits, by its name");
    top.top = CLASSES;
    refuse_plan(NULL, top, PST_BAD_DATA, "would be all of them");
    top.top = 0;
    refuse_plan(NULL, top, PST_USAGE, "number of classes");
    sampled.target = "logits/t";
    refuse_plan(NULL, sampled, PST_BAD_DATA, "form of soft targets");
}

static void a_bad_row_is_named_by_tensor_and_sample(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVERY; i++) {
        struct journey journey;
        struct pst_error error = { 0 };
        begin(&journey, &every[i]);
        make_targets(&journey.from, &journey.original, 0, 4);
        ((float *)journey.from.tensors[5].data)[2 * CLASSES + 1] = NAN;
        assert_int_equal(
            pst_compactor_pack(journey.compactor, &journey.from, &journey.between, &journey.scratch, &error),
            PST_BAD_DATA);
        assert_non_null(strstr(error.message, "tensor 'soft', sample 2 of the batch: number 1 is nan"));
        end(&journey);
    }
}

static void a_bad_compact_row_is_named_by_tensor_and_sample(void **state)
{
    (void)state;
    struct journey journey;
    struct pst_error error = { 0 };
    begin(&journey, &every[3]);
    assert_int_equal(step(&journey, 0, 4, NULL), PST_OK);
    ((uint16_t *)journey.between.tensors[pst_header_find(&journey.compact, "top/soft")].data)[3 * 3] =
        CLASSES;
    assert_int_equal(
        pst_restorer_batch(journey.restorer, &journey.between, &journey.to, &journey.scratch, &error),
        PST_BAD_DATA);
    assert_non_null(strstr(error.message, "tensor 'top/soft', sample 3 of the batch: a class that it names"));
    end(&journey);
}

static void a_batch_that_would_become_too_large_is_refused(void **state)
{
    (void)state;
    struct journey journey;
    struct pst_header restored;
    struct pst_restorer *small;
    struct pst_error error = { 0 };
    begin(&journey, &every[4]);
    assert_int_equal(step(&journey, 0, 4, NULL), PST_OK);
    size_t bytes = 0;
    for (size_t t = 0; t < journey.restored.tensor_count; t++)
        bytes += journey.to.tensors[t].bytes;
    for (size_t less = 0; less < 2; less++) {
        assert_int_equal(pst_restorer_new(&small, &journey.compact, bytes - less, &restored, NULL), PST_OK);
        assert_int_equal(pst_restorer_batch(small, &journey.between, &journey.to, &journey.scratch, &error),
                         less ? PST_BAD_DATA : PST_OK);
        pst_restorer_free(small);
        pst_header_free(&restored);
    }
    assert_non_null(strstr(error.message, "--max-message"));
    end(&journey);
}

/* Changes the key `compact` of a top-k stream without inputs in one way, and expects a refusal. */
static void refuse_key(const char *path, const char *value, const char *words)
{
    struct pst_header original, compact, restored;
    struct pst_compactor *compactor;
    struct pst_restorer *restorer;
    struct pst_error error = { 0 };
    struct pst_compact_options options = { .form = PST_COMPACT_TOP_K, .digest = true };
    options.top = 3;
    make_original(&original);
    assert_int_equal(pst_compactor_new(&compactor, &original, &options, &compact, NULL), PST_OK);
    json_t *at = json_object_get(compact.other, "compact");
    const char *last = strchr(path, '.');
    if (last != NULL) { /* LIST.KEY is a key of the list's first element */
        char list[16] = { 0 };
        memcpy(list, path, (size_t)(last - path));
        at = json_array_get(json_object_get(at, list), 0);
    }
    json_t *made = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(made);
    assert_int_equal(json_object_set_new(at, last == NULL ? path : last + 1, made), 0);
    if (pst_restorer_new(&restorer, &compact, 1 << 20, &restored, &error) != PST_BAD_DATA)
        fail_msg("%s = %s was not refused", path, value);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' lacks '%s'", error.message, words);
    assert_null(restorer);
    pst_compactor_free(compactor);
    pst_header_free(&original);
    pst_header_free(&compact);
}

static void keys_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const char *const spoiled[][2] = {
        { "inputs", "\"none\"" },
        { "inputs", "3" },
        { "inputs", "\"keep\"" },
        { "targets", "{}" },
        { "targets", "[3]" },
        { "targets", "[]" },
        { "tensors", "null" },
        { "tensors", "[]" },
        { "tensors", "[7]" },
        { "targets.name", "\"x\"" },
        { "targets.name", "\"soft/t\"" },
        { "targets.name", "8" },
        { "targets.form", "\"f8\"" },
        { "targets.form", "\"sampled\"" },
        { "targets.classes", "0" },
        { "targets.classes", "6" },
        { "targets.classes", "65537" },
        { "targets.classes", "3" },
        { "targets.top", "2" },
        { "targets.top", "-1" },
        { "targets.top", "5" },
        { "targets.temperature", "-1" },
        { "tensors.place", "-1" },
        { "tensors.place", "9" },
        { "tensors.name", "\"z\"" },
        { "tensors.name", "\"extra\"" },
        { "tensors.name", "\"id\"" },
        { "tensors.dtype", "\"u7\"" },
        { "tensors.shape", "[0]" },
    };
    for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++)
        refuse_key(spoiled[i][0], spoiled[i][1], " ");
}

static void kinds_that_are_no_longer_made_are_refused_with_the_way_out(void **state)
{
    (void)state;
    refuse_key("inputs", "\"reference\"", "left out by reference, which an older pipestill");
    refuse_key("targets.form", "\"f16\"", "compact as f16, which an older pipestill");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plans_that_cannot_be_are_refused),
        cmocka_unit_test(a_bad_row_is_named_by_tensor_and_sample),
        cmocka_unit_test(a_bad_compact_row_is_named_by_tensor_and_sample),
        cmocka_unit_test(a_batch_that_would_become_too_large_is_refused),
        cmocka_unit_test(keys_that_contradict_themselves_are_refused),
        cmocka_unit_test(kinds_that_are_no_longer_made_are_refused_with_the_way_out),
    };
    return cmocka_run_group_tests_name("compact streams that are refused", tests, NULL, NULL);
}

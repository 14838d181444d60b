/* Compact streams: what becomes of headers and batches, and that restoring gives back what was there. */
#include "tests/unit/compact_fixture.h"
#include "tests/unit/stream_fixture.h"

#define CLASSES 5

/* A header as a loader and a chain of filters make it: x, y, id, logits/t, soft/t, soft, extra. */
static void make_original(struct pst_header *header)
{
    make_header(header);
    header->tensor_count = 3;
    header->classes = CLASSES;
    add_tensor(header, "logits/t", PST_DTYPE_F32, CLASSES);
    add_tensor(header, "soft/t", PST_DTYPE_F32, CLASSES);
    add_tensor(header, "soft", PST_DTYPE_F32, CLASSES);
    add_tensor(header, "extra", PST_DTYPE_F32, 2);
    header->tensors[4].temperature = header->tensors[5].temperature = 20;
    json_array_clear(header->history);
    assert_int_equal(pst_header_append_history(
                         header, "loader", json_pack("{s:s, s:s}", "data", "mnist", "digest", "abc"), NULL),
                     PST_OK);
    assert_int_equal(pst_header_append_history(header, "averager", NULL, NULL), PST_OK);
    header->other = json_pack("{s:i}", "later", 1);
}

static void make_targets(struct pst_batch *batch, const struct pst_header *header, uint64_t seq, size_t n)
{
    make_batch(batch, header, seq, seq / 2, n);
    for (size_t t = 0; t < header->tensor_count; t++) {
        bool logits;
        const char *name = header->tensors[t].name;
        logits = strncmp(name, "logits", 6) == 0;
        if (!logits && strncmp(name, "soft", 4) != 0)
            continue;
        for (size_t i = 0; i < n; i++)
            make_row((float *)batch->tensors[t].data + i * CLASSES, CLASSES, 1, seq * n + i);
    }
}

static const struct pst_compact_options every[] = {
    { .form = PST_COMPACT_F32 },
    { .form = PST_COMPACT_F16 },
    { .form = PST_COMPACT_U8 },
    { .form = PST_COMPACT_TOP_K, .top = 3 },
    { .form = PST_COMPACT_SAMPLED, .draws = 4, .seed = 3 },
    { .form = PST_COMPACT_U8, .inputs = PST_COMPACT_BY_DIGEST },
    { .form = PST_COMPACT_F16, .inputs = PST_COMPACT_BY_REFERENCE },
};
#define EVERY (sizeof every / sizeof *every)

/* Drops what cannot be restored. */
static void forget_lost(struct pst_header *header)
{
    memmove(&header->tensors[3], &header->tensors[5], 2 * sizeof *header->tensors);
    header->tensor_count = 5;
}

static void a_restored_header_is_the_originals(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVERY; i++) {
        struct pst_header original, compact, restored;
        struct pst_compactor *compactor;
        struct pst_restorer *restorer;
        make_original(&original);
        assert_int_equal(pst_compactor_new(&compactor, &original, &every[i], &compact, NULL), PST_OK);
        assert_true(pst_compact_is(&compact) && !pst_compact_is(&original));
        assert_int_equal(pst_restorer_new(&restorer, &compact, 1 << 20, &restored, NULL), PST_OK);
        assert_int_equal(pst_restorer_inputs(restorer), every[i].inputs);
        forget_lost(&original);
        json_t *expected = pst_header_to_json(&original), *found = pst_header_to_json(&restored);
        assert_true(json_equal(expected, found));
        json_decref(expected);
        json_decref(found);
        pst_compactor_free(compactor);
        pst_restorer_free(restorer);
        pst_header_free(&original);
        pst_header_free(&compact);
        pst_header_free(&restored);
    }
}

/* A plan there and back, over several batches of different sizes. */
struct journey {
    struct pst_header original, compact, restored;
    struct pst_compactor *compactor;
    struct pst_restorer *restorer;
    struct pst_batch from, between, to;
};

static void begin(struct journey *journey, const struct pst_compact_options *options)
{
    *journey = (struct journey){ 0 };
    make_original(&journey->original);
    assert_int_equal(
        pst_compactor_new(&journey->compactor, &journey->original, options, &journey->compact, NULL), PST_OK);
    assert_int_equal(
        pst_restorer_new(&journey->restorer, &journey->compact, 1 << 20, &journey->restored, NULL), PST_OK);
}

static enum pst_status step(struct journey *journey, uint64_t seq, size_t n, struct pst_error *error)
{
    make_targets(&journey->from, &journey->original, seq, n);
    journey->from.tensors[6].crc = 77; /* of `extra`, and wrong: it must be handed on as it came */
    journey->from.tensors[6].crc_known = true;
    enum pst_status status = pst_compactor_pack(journey->compactor, &journey->from, &journey->between, error);
    return status == PST_OK ? pst_restorer_batch(journey->restorer, &journey->between, &journey->to, error)
                            : status;
}

static void end(struct journey *journey)
{
    pst_compactor_free(journey->compactor);
    pst_restorer_free(journey->restorer);
    pst_header_free(&journey->original);
    pst_header_free(&journey->compact);
    pst_header_free(&journey->restored);
    pst_batch_free(&journey->from);
    pst_batch_free(&journey->between);
    pst_batch_free(&journey->to);
}

static void what_stays_comes_back_with_its_checksum(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVERY; i++) {
        struct journey journey;
        begin(&journey, &every[i]);
        for (uint64_t seq = 0; seq < 4; seq++) {
            size_t n = seq == 2 ? 9 : 4;
            assert_int_equal(step(&journey, seq, n, NULL), PST_OK);
            assert_true(journey.to.seq == seq && journey.to.epoch == seq / 2 && journey.to.n == n);
            const struct pst_tensor *extra = &journey.to.tensors[4], *soft = &journey.to.tensors[3];
            assert_memory_equal(extra->data, journey.from.tensors[6].data, extra->bytes);
            assert_true(extra->crc_known && extra->crc == 77 && !soft->crc_known);
            for (size_t t = every[i].inputs == PST_COMPACT_KEEP        ? 0
                            : every[i].inputs == PST_COMPACT_BY_DIGEST ? 1
                                                                       : 3;
                 t < 3; t++)
                assert_memory_equal(journey.to.tensors[t].data, journey.from.tensors[t].data,
                                    journey.to.tensors[t].bytes);
            assert_int_equal(journey.to.tensors[0].bytes, 6 * n); /* room, even where x is left out */
            for (size_t s = 0; s < n; s++)
                assert_true(fabs(sum_of((float *)soft->data + s * CLASSES, CLASSES) - 1) < 1e-6);
        }
        end(&journey);
    }
}

static void batches_are_made_and_restored_in_memory_that_is_reused(void **state)
{
    (void)state;
    struct journey journey;
    begin(&journey, &every[2]);
    assert_int_equal(step(&journey, 0, 8, NULL), PST_OK);
    const void *between = journey.between.tensors[3].data, *to = journey.to.tensors[3].data;
    for (uint64_t seq = 1; seq < 5; seq++) {
        assert_int_equal(step(&journey, seq, 8 - (size_t)seq, NULL), PST_OK);
        assert_ptr_equal(journey.between.tensors[3].data, between);
        assert_ptr_equal(journey.to.tensors[3].data, to);
    }
    end(&journey);
}

static void samples_of_several_batches_can_be_restored_together(void **state)
{
    (void)state;
    struct journey journey;
    begin(&journey, &every[3]);
    assert_int_equal(step(&journey, 0, 4, NULL), PST_OK);
    float first[CLASSES], second[CLASSES];
    memcpy(first, (float *)journey.to.tensors[3].data + CLASSES, sizeof first);
    memcpy(second, (float *)journey.to.tensors[3].data + 3 * CLASSES, sizeof second);
    struct pst_batch mixed = { 0 };
    assert_int_equal(pst_batch_follow(&mixed, &journey.compact, NULL), PST_OK);
    assert_int_equal(pst_batch_resize(&mixed, &journey.compact, 2, 0, NULL), PST_OK);
    for (size_t t = 0; t < mixed.tensor_count; t++) {
        size_t bytes = journey.compact.tensors[t].sample_bytes;
        const char *from = journey.between.tensors[t].data;
        memcpy(mixed.tensors[t].data, from + 3 * bytes, bytes);
        memcpy((char *)mixed.tensors[t].data + bytes, from + bytes, bytes);
    }
    assert_int_equal(pst_restorer_batch(journey.restorer, &mixed, &journey.to, NULL), PST_OK);
    assert_memory_equal(journey.to.tensors[3].data, second, sizeof second);
    assert_memory_equal((float *)journey.to.tensors[3].data + CLASSES, first, sizeof first);
    pst_batch_free(&mixed);
    end(&journey);
}

static void draws_depend_on_seed_epoch_and_id_alone(void **state)
{
    (void)state;
    enum { N = 64 };
    uint16_t drawn[4][N * 4];
    for (size_t i = 0; i < 4; i++) {
        struct journey journey;
        struct pst_compact_options options = every[4];
        options.seed += i == 3;
        begin(&journey, &options);
        make_targets(&journey.from, &journey.original, 0, N);
        journey.from.seq = i; /* counts for nothing */
        journey.from.epoch = i == 2;
        assert_int_equal(pst_compactor_pack(journey.compactor, &journey.from, &journey.between, NULL),
                         PST_OK);
        size_t at = pst_header_find(&journey.compact, "sampled/soft");
        memcpy(drawn[i], journey.between.tensors[at].data, sizeof drawn[i]);
        end(&journey);
    }
    assert_memory_equal(drawn[0], drawn[1], sizeof drawn[0]);
    assert_memory_not_equal(drawn[0], drawn[2], sizeof drawn[0]);
    assert_memory_not_equal(drawn[0], drawn[3], sizeof drawn[0]);
}

static void digests_are_those_of_inputs_labels_and_ids(void **state)
{
    (void)state;
    struct journey journey;
    begin(&journey, &every[6]);
    assert_int_equal(step(&journey, 3, 5, NULL), PST_OK);
    const uint8_t *digests =
        journey.between.tensors[pst_header_find(&journey.compact, PST_COMPACT_DIGEST)].data;
    for (size_t i = 0; i < 5; i++) {
        uint8_t bytes[6 + 4 + 8], digest[3];
        memcpy(bytes, (char *)journey.from.tensors[0].data + 6 * i, 6);
        memcpy(bytes + 6, (char *)journey.from.tensors[1].data + 4 * i, 4);
        memcpy(bytes + 10, (char *)journey.from.tensors[2].data + 8 * i, 8);
        uint32_t crc = pst_crc32c_plain(0, bytes, sizeof bytes);
        assert_true(digests[3 * i] == (crc & 255) && digests[3 * i + 1] == (crc >> 8 & 255) &&
                    digests[3 * i + 2] == (crc >> 16 & 255));
        pst_compact_digest(bytes, 6, NULL, 7, digest);
        memcpy(bytes + 6, (uint64_t[]){ 7 }, 8);
        crc = pst_crc32c_plain(0, bytes, 14);
        assert_true(digest[0] == (crc & 255) && digest[2] == (crc >> 16 & 255));
    }
    end(&journey);
}

static void what_is_lost_is_measured(void **state)
{
    (void)state;
    struct journey journey;
    struct pst_compact_loss loss = { 0 };
    begin(&journey, &every[2]);
    for (uint64_t seq = 0; seq < 2; seq++) {
        assert_int_equal(step(&journey, seq, 6, NULL), PST_OK);
        assert_int_equal(
            pst_compactor_compare(journey.compactor, &journey.from, &journey.between, &loss, NULL), PST_OK);
    }
    assert_int_equal(loss.samples, 12);
    assert_true(loss.sum > 0 && loss.largest > 0 && loss.largest < loss.sum && loss.sum < 12 * 1e-4);
    end(&journey);
}

/* ---- what is refused ---- */

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

static void other_source(struct pst_header *header)
{
    json_object_del(json_array_get(header->history, 0), "digest");
}

static void replayed(struct pst_header *header)
{
    assert_int_equal(pst_header_append_history(header, "loader", NULL, NULL), PST_OK);
}

static void compact_already(struct pst_header *header)
{
    json_object_set_new(header->other, "compact", json_object());
}

static void plans_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct pst_compact_options none = { 0 }, top = every[3], sampled = every[4], by_reference = every[6];
    refuse_plan(compact_already, none, PST_BAD_DATA, "compact already");
    refuse_plan(drop_all, none, PST_BAD_DATA, "neither soft targets nor logits");
    refuse_plan(drop_mean, none, PST_BAD_DATA, "several soft/NAME");
    refuse_plan(drop_id, sampled, PST_BAD_DATA, "'id'");
    refuse_plan(drop_id, by_reference, PST_BAD_DATA, "'id'");
    refuse_plan(other_source, by_reference, PST_BAD_DATA, "no loader of a data set");
    refuse_plan(replayed, by_reference, PST_BAD_DATA, "replayed");
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
        assert_int_equal(pst_compactor_pack(journey.compactor, &journey.from, &journey.between, &error),
                         PST_BAD_DATA);
        assert_non_null(strstr(error.message, "tensor 'soft', sample 2 of the batch: a probability is NaN"));
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
    assert_int_equal(pst_restorer_batch(journey.restorer, &journey.between, &journey.to, &error),
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
        assert_int_equal(pst_restorer_batch(small, &journey.between, &journey.to, &error),
                         less ? PST_BAD_DATA : PST_OK);
        pst_restorer_free(small);
        pst_header_free(&restored);
    }
    assert_non_null(strstr(error.message, "--max-message"));
    end(&journey);
}

/* Changes the key `compact` of a top-k stream by reference in one way, and expects a refusal. */
static void refuse_key(const char *path, const char *value)
{
    struct pst_header original, compact, restored;
    struct pst_compactor *compactor;
    struct pst_restorer *restorer;
    struct pst_error error = { 0 };
    struct pst_compact_options options = { .form = PST_COMPACT_TOP_K, .inputs = PST_COMPACT_BY_REFERENCE };
    options.top = 3;
    make_original(&original);
    assert_int_equal(pst_compactor_new(&compactor, &original, &options, &compact, NULL), PST_OK);
    json_t *at = json_object_get(compact.other, "compact");
    const char *last = strchr(path, '.');
    if (last != NULL) { /* LIST.KEY is of the list's first */
        char list[16] = { 0 };
        memcpy(list, path, (size_t)(last - path));
        at = json_array_get(json_object_get(at, list), 0);
    }
    json_t *made = json_loads(value, JSON_DECODE_ANY, NULL);
    assert_non_null(made);
    assert_int_equal(json_object_set_new(at, last == NULL ? path : last + 1, made), 0);
    if (pst_restorer_new(&restorer, &compact, 1 << 20, &restored, &error) != PST_BAD_DATA)
        fail_msg("%s = %s was not refused", path, value);
    assert_true(error.message[0] != 0);
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
        { "tensors.place", "1" },
        { "tensors.name", "\"z\"" },
        { "tensors.name", "\"extra\"" },
        { "tensors.name", "\"id\"" },
        { "tensors.dtype", "\"u7\"" },
        { "tensors.shape", "[0]" },
    };
    for (size_t i = 0; i < sizeof spoiled / sizeof *spoiled; i++)
        refuse_key(spoiled[i][0], spoiled[i][1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_restored_header_is_the_originals),
        cmocka_unit_test(what_stays_comes_back_with_its_checksum),
        cmocka_unit_test(batches_are_made_and_restored_in_memory_that_is_reused),
        cmocka_unit_test(samples_of_several_batches_can_be_restored_together),
        cmocka_unit_test(draws_depend_on_seed_epoch_and_id_alone),
        cmocka_unit_test(digests_are_those_of_inputs_labels_and_ids),
        cmocka_unit_test(what_is_lost_is_measured),
        cmocka_unit_test(plans_that_cannot_be_are_refused),
        cmocka_unit_test(a_bad_row_is_named_by_tensor_and_sample),
        cmocka_unit_test(a_bad_compact_row_is_named_by_tensor_and_sample),
        cmocka_unit_test(a_batch_that_would_become_too_large_is_refused),
        cmocka_unit_test(keys_that_contradict_themselves_are_refused),
    };
    return cmocka_run_group_tests_name("compact streams", tests, NULL, NULL);
}

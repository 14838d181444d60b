/* Compact streams: what becomes of headers and batches, and that restoring gives the original back. */
#include "tests/unit/compact_stream_fixture.h"

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
        assert_int_equal(pst_restorer_lacks_inputs(restorer), every[i].digest);
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
            for (size_t t = every[i].digest ? 1 : 0; t < 3; t++)
                assert_memory_equal(journey.to.tensors[t].data, journey.from.tensors[t].data,
                                    journey.to.tensors[t].bytes);
            assert_int_equal(journey.to.tensors[0].bytes, 6 * n); /* room, even if x is left out */
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
    assert_int_equal(pst_restorer_batch(journey.restorer, &mixed, &journey.to, &journey.scratch, NULL),
                     PST_OK);
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
        journey.from.seq = i; /* has no effect */
        journey.from.epoch = i == 2;
        assert_int_equal(
            pst_compactor_pack(journey.compactor, &journey.from, &journey.between, &journey.scratch, NULL),
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
    begin(&journey, &every[5]);
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
        assert_int_equal(pst_compactor_compare(journey.compactor, &journey.from, &journey.between, &loss,
                                               &journey.scratch, NULL),
                         PST_OK);
    }
    assert_int_equal(loss.samples, 12);
    assert_true(loss.sum > 0 && loss.largest > 0 && loss.largest < loss.sum && loss.sum < 12 * 1e-4);
    end(&journey);
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
    };
    return cmocka_run_group_tests_name("compact streams", tests, NULL, NULL);
}

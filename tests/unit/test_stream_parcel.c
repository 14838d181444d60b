/* A parcel is one whole batch and nothing else: what is packed comes back to the bit, and all other bytes
 * are refused. */
#include "tests/unit/stream_fixture.h"

/* Packs batch number `seq` of n samples; *check receives its check. */
static void pack(struct recorded *parcel, const struct pst_header *header, uint64_t seq, size_t n,
                 uint64_t *check)
{
    struct pst_batch batch = { 0 };
    make_batch(&batch, header, seq, 4, n);
    assert_int_equal(pst_parcel_pack(header, &batch, &parcel->buffer, &parcel->size, NULL), PST_OK);
    *check = pst_batch_check(&batch, batch.tensor_count);
    pst_batch_free(&batch);
}

static enum pst_status open_parcel(const struct recorded *parcel, size_t max_message,
                                   struct pst_header *header, struct pst_batch *batch,
                                   struct pst_error *error)
{
    return pst_parcel_open(parcel->buffer.data, parcel->size, max_message, header, batch, error);
}

static void a_batch_comes_out_as_it_was_packed(void **state)
{
    (void)state;
    struct pst_header header, came;
    struct recorded parcel = { 0 };
    struct pst_batch batch = { 0 }, made = { 0 };
    uint64_t check;
    make_header(&header);
    /* The buffer and the batch are reused: large, small, large. */
    static const size_t sizes[] = { 1001, 1, 63 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t seq = 1000000 * i + 41;
        pack(&parcel, &header, seq, sizes[i], &check);
        assert_int_equal(open_parcel(&parcel, PST_DEFAULT_MAX_MESSAGE, &came, &batch, NULL), PST_OK);
        make_batch(&made, &header, seq, 4, sizes[i]);
        assert_true(came.first == seq && batch.seq == seq && batch.epoch == 4 && batch.n == sizes[i]);
        assert_string_equal(came.run, header.run);
        assert_true(json_equal(came.history, header.history));
        assert_int_equal(batch.tensor_count, header.tensor_count);
        for (size_t t = 0; t < batch.tensor_count; t++)
            assert_memory_equal(batch.tensors[t].data, made.tensors[t].data, made.tensors[t].bytes);
        assert_true(pst_batch_check(&batch, batch.tensor_count) == check);
        pst_header_free(&came);
    }
    pst_batch_free(&batch);
    pst_batch_free(&made);
    pst_header_free(&header);
    forget(&parcel);
}

static void packing_leaves_the_header_as_it_was(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded parcel = { 0 };
    uint64_t check;
    make_header(&header);
    header.first = 3;
    pack(&parcel, &header, 9, 2, &check);
    assert_true(header.first == 3);
    pst_header_free(&header);
    forget(&parcel);
}

static void the_check_tells_batches_and_numbers_of_tensors_apart(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded parcel = { 0 };
    struct pst_batch batch = { 0 };
    uint64_t first, second, changed;
    make_header(&header);
    pack(&parcel, &header, 1, 5, &first);
    pack(&parcel, &header, 2, 5, &second);
    assert_true(first != second);
    struct pst_header came;
    assert_int_equal(open_parcel(&parcel, PST_DEFAULT_MAX_MESSAGE, &came, &batch, NULL), PST_OK);
    assert_true(pst_batch_check(&batch, batch.tensor_count - 1) != second);
    *(uint8_t *)batch.tensors[0].data ^= 1;
    batch.tensors[0].crc_known = false;
    struct recorded again = { 0 };
    assert_int_equal(pst_parcel_pack(&came, &batch, &again.buffer, &again.size, NULL), PST_OK);
    changed = pst_batch_check(&batch, batch.tensor_count);
    assert_true(changed != second);
    pst_header_free(&came);
    pst_batch_free(&batch);
    pst_header_free(&header);
    forget(&parcel);
    forget(&again);
}

/* Opens bytes that are not a parcel; frees them. */
static void assert_no_parcel(struct recorded *bytes, size_t max_message, const char *words)
{
    struct pst_header header;
    struct pst_batch batch = { 0 };
    struct pst_error error = { 0 };
    enum pst_status status = open_parcel(bytes, max_message, &header, &batch, &error);
    if (status != PST_BAD_DATA || strstr(error.message, words) == NULL)
        fail_msg("status %d, '%s' is not about '%s'", (int)status, error.message, words);
    assert_null(header.tensors); /* the header is {0}: there is nothing to free */
    assert_null(header.history);
    pst_batch_free(&batch);
    forget(bytes);
}

static void none_or_two_batches_are_no_parcel(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded bytes = { 0 };
    make_header(&header);
    record(&bytes, &header, 0, 1);
    assert_no_parcel(&bytes, PST_DEFAULT_MAX_MESSAGE, "a parcel without a batch");
    record(&bytes, &header, 2, 1);
    assert_no_parcel(&bytes, PST_DEFAULT_MAX_MESSAGE, "a parcel with more than one batch");
    pst_header_free(&header);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded parcel = { 0 }, cut = { 0 };
    uint64_t check;
    make_header(&header);
    pack(&parcel, &header, 7, 2, &check);
    for (size_t size = 0; size < parcel.size; size++) {
        append(&cut, parcel.buffer.data, size);
        assert_no_parcel(&cut, PST_DEFAULT_MAX_MESSAGE, "");
    }
    pst_header_free(&header);
    forget(&parcel);
}

static void what_follows_the_trailer_is_refused(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded parcel = { 0 };
    uint64_t check;
    make_header(&header);
    pack(&parcel, &header, 7, 2, &check);
    append(&parcel, "x", 1);
    assert_no_parcel(&parcel, PST_DEFAULT_MAX_MESSAGE, "");
    pst_header_free(&header);
}

static void a_flipped_bit_anywhere_is_refused_or_changes_nothing(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded parcel = { 0 };
    uint64_t check;
    make_header(&header);
    pack(&parcel, &header, 7, 2, &check);
    for (size_t bit = 0; bit < 8 * parcel.size; bit++) {
        unsigned char *byte = (unsigned char *)parcel.buffer.data + bit / 8;
        struct pst_header came;
        struct pst_batch batch = { 0 };
        struct pst_error error = { 0 };
        *byte ^= (unsigned char)(1 << bit % 8);
        /* A number may have several encodings; then the batch must be the same. */
        if (open_parcel(&parcel, PST_DEFAULT_MAX_MESSAGE, &came, &batch, &error) == PST_OK) {
            assert_true(pst_batch_check(&batch, batch.tensor_count) == check);
            assert_true(batch.seq == 7);
            pst_header_free(&came);
        }
        pst_batch_free(&batch);
        *byte ^= (unsigned char)(1 << bit % 8);
    }
    pst_header_free(&header);
    forget(&parcel);
}

static void a_parcel_above_the_limit_is_refused(void **state)
{
    (void)state;
    struct pst_header header;
    struct recorded parcel = { 0 };
    uint64_t check;
    make_header(&header);
    pack(&parcel, &header, 7, 1000, &check);
    assert_no_parcel(&parcel, 1000, "--max-message");
    pst_header_free(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_batch_comes_out_as_it_was_packed),
        cmocka_unit_test(packing_leaves_the_header_as_it_was),
        cmocka_unit_test(the_check_tells_batches_and_numbers_of_tensors_apart),
        cmocka_unit_test(none_or_two_batches_are_no_parcel),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(what_follows_the_trailer_is_refused),
        cmocka_unit_test(a_flipped_bit_anywhere_is_refused_or_changes_nothing),
        cmocka_unit_test(a_parcel_above_the_limit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

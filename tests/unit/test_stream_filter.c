/* What a filter does with tensors: they pass on, are added, dropped or replaced. */
#include "tests/unit/stream_fixture.h"

static void all_tensors_of_a_header_pass_on(void **state)
{
    (void)state;
    struct pst_header in, out;
    make_header(&in);
    for (size_t i = 0; i < in.tensor_count; i++)
        assert_int_equal(in.tensors[i].passed_from, PST_NONE);
    assert_int_equal(pst_header_pass(&out, &in, NULL), PST_OK);
    assert_int_equal(out.tensor_count, in.tensor_count);
    for (size_t i = 0; i < out.tensor_count; i++)
        assert_int_equal(out.tensors[i].passed_from, i);
    json_t *ours = pst_header_to_json(&out), *theirs = pst_header_to_json(&in);
    assert_true(json_equal(ours, theirs));
    json_decref(ours);
    json_decref(theirs);
    pst_header_free(&in);
    pst_header_free(&out);
}

/* x passes on, y is replaced, id is dropped, logits/a passes on, soft/a is added. */
static void make_filtered(struct pst_header *out, const struct pst_header *in)
{
    assert_int_equal(pst_header_pass(out, in, NULL), PST_OK);
    pst_header_replace(out, 1);
    pst_header_drop(out, 2);
    add_tensor(out, "soft/a", PST_DTYPE_F32, 3);
}

static void a_dropped_tensor_leaves_no_gap(void **state)
{
    (void)state;
    static const char *const names[] = { "x", "y", "logits/a", "soft/a" };
    static const size_t from[] = { 0, PST_NONE, 3, PST_NONE };
    struct pst_header in, out;
    make_header(&in);
    make_filtered(&out, &in);
    assert_int_equal(out.tensor_count, 4);
    for (size_t i = 0; i < out.tensor_count; i++) {
        assert_string_equal(out.tensors[i].name, names[i]);
        assert_int_equal(out.tensors[i].passed_from, from[i]);
    }
    pst_header_drop(&out, 3);
    assert_int_equal(out.tensor_count, 3);
    add_tensor(&out, "soft/a", PST_DTYPE_F32, 3);
    pst_header_free(&in);
    pst_header_free(&out);
}

static void tensors_that_pass_on_are_shared_and_others_have_room(void **state)
{
    (void)state;
    struct pst_header in, out;
    struct pst_batch read = { 0 }, written = { 0 };
    make_header(&in);
    make_filtered(&out, &in);
    for (uint64_t seq = 3; seq < 6; seq++) {
        size_t n = 7 - (size_t)seq;
        make_batch(&read, &in, seq, 2, n);
        pst_batch_sum(&read, read.tensor_count);
        const void *filled = seq > 3 ? written.tensors[1].data : NULL;
        assert_int_equal(pst_batch_derive(&written, &out, &read, NULL), PST_OK);
        assert_true(written.seq == seq && written.epoch == 2 && written.n == n);
        assert_ptr_equal(written.tensors[0].data, read.tensors[0].data);
        assert_ptr_equal(written.tensors[2].data, read.tensors[3].data);
        assert_true(written.tensors[2].crc_known && written.tensors[2].crc == read.tensors[3].crc);
        assert_ptr_not_equal(written.tensors[1].data, read.tensors[1].data);
        assert_true(filled == NULL || written.tensors[1].data == filled);
        assert_true(written.tensors[1].bytes == 4 * n && written.tensors[3].bytes == 12 * n);
        assert_true(!written.tensors[1].crc_known && !written.tensors[3].crc_known);
    }
    pst_batch_free(&written);
    pst_batch_free(&read);
    pst_header_free(&in);
    pst_header_free(&out);
}

static void a_derived_batch_of_impossible_size_is_refused(void **state)
{
    (void)state;
    struct pst_header in, out;
    struct pst_batch read = { 0 }, written = { 0 };
    make_header(&in);
    assert_int_equal(pst_header_pass(&out, &in, NULL), PST_OK);
    pst_header_replace(&out, 3);
    make_batch(&read, &in, 0, 0, 2);
    read.n = SIZE_MAX / 4;
    struct pst_error error;
    assert_int_equal(pst_batch_derive(&written, &out, &read, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "'logits/a'"));
    pst_batch_free(&written);
    pst_batch_free(&read);
    pst_header_free(&in);
    pst_header_free(&out);
}

static void only_checksums_that_are_not_known_are_computed(void **state)
{
    (void)state;
    struct pst_header header;
    struct pst_batch batch = { 0 };
    make_header(&header);
    make_batch(&batch, &header, 0, 0, 5);
    batch.tensors[1].crc = 77;
    batch.tensors[1].crc_known = true;
    pst_batch_sum(&batch, 3);
    assert_int_equal(batch.tensors[0].crc, pst_crc32c(0, batch.tensors[0].data, batch.tensors[0].bytes));
    assert_int_equal(batch.tensors[1].crc, 77);
    assert_true(batch.tensors[2].crc_known && !batch.tensors[3].crc_known);
    pst_batch_free(&batch);
    pst_header_free(&header);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_tensors_of_a_header_pass_on),
        cmocka_unit_test(a_dropped_tensor_leaves_no_gap),
        cmocka_unit_test(tensors_that_pass_on_are_shared_and_others_have_room),
        cmocka_unit_test(a_derived_batch_of_impossible_size_is_refused),
        cmocka_unit_test(only_checksums_that_are_not_known_are_computed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

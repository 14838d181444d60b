/* Products of sizes that overflow are found, and buffers keep the bytes that they should keep. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_product_that_fits_is_given(void **state)
{
    (void)state;
    size_t product = 99;
    assert_true(pst_multiply(0, SIZE_MAX, &product) && product == 0);
    assert_true(pst_multiply(SIZE_MAX, 1, &product) && product == SIZE_MAX);
    assert_true(pst_multiply((size_t)1 << 31, (size_t)1 << 32, &product) && product == (size_t)1 << 63);
}

static void a_product_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    size_t product;
    assert_false(pst_multiply((size_t)1 << 32, (size_t)1 << 32, &product));
    assert_false(pst_multiply(SIZE_MAX, 2, &product));
}

static void a_buffer_is_aligned_and_keeps_its_bytes_when_it_grows(void **state)
{
    (void)state;
    struct pst_buffer buffer = { 0 };
    size_t kept = 0;
    for (size_t size = 1; size < 100000; size = 3 * size + 1) {
        assert_int_equal(pst_buffer_reserve(&buffer, size, kept, NULL), PST_OK);
        assert_true(buffer.capacity >= size);
        assert_true((uintptr_t)buffer.data % PST_ALIGNMENT == 0);
        unsigned char *bytes = buffer.data;
        for (size_t i = 0; i < kept; i++)
            assert_int_equal(bytes[i], i % 251);
        for (size_t i = 0; i < size; i++)
            bytes[i] = (unsigned char)(i % 251);
        kept = size;
    }
    pst_buffer_free(&buffer);
    assert_null(buffer.data);
    assert_int_equal(buffer.capacity, 0);
}

static void a_buffer_does_not_shrink(void **state)
{
    (void)state;
    struct pst_buffer buffer = { 0 };
    assert_int_equal(pst_buffer_reserve(&buffer, 1000, 0, NULL), PST_OK);
    void *data = buffer.data;
    assert_int_equal(pst_buffer_reserve(&buffer, 10, 0, NULL), PST_OK);
    assert_ptr_equal(buffer.data, data);
    assert_true(buffer.capacity >= 1000);
    pst_buffer_free(&buffer);
}

static void short_memory_leaves_a_buffer_as_it_was(void **state)
{
    (void)state;
    struct pst_buffer buffer = { 0 };
    struct pst_error error;
    assert_int_equal(pst_buffer_reserve(&buffer, 10, 0, &error), PST_OK);
    memcpy(buffer.data, "still here", 10);
    struct pst_buffer before = buffer;
    assert_int_equal(pst_buffer_reserve(&buffer, SIZE_MAX, 10, &error), PST_TRY_AGAIN);
    assert_int_equal(error.status, PST_TRY_AGAIN);
    assert_ptr_equal(buffer.data, before.data);
    assert_int_equal(buffer.capacity, before.capacity);
    assert_memory_equal(buffer.data, "still here", 10);
    pst_buffer_free(&buffer);
}

static void allocated_memory_is_zero_and_aligned(void **state)
{
    (void)state;
    for (size_t count = 0; count < 300; count += 13) {
        unsigned char *memory = pst_allocate(count, 7, NULL);
        assert_non_null(memory);
        assert_true((uintptr_t)memory % PST_ALIGNMENT == 0);
        for (size_t i = 0; i < 7 * count; i++)
            assert_int_equal(memory[i], 0);
        free(memory);
    }
}

static void an_allocation_whose_size_overflows_is_refused(void **state)
{
    (void)state;
    struct pst_error error = { 0 };
    assert_null(pst_allocate((size_t)1 << 33, (size_t)1 << 33, &error));
    assert_int_equal(error.status, PST_TRY_AGAIN);
}

static void an_array_grows_and_keeps_its_items(void **state)
{
    (void)state;
    int *items = NULL;
    size_t room = 0;
    for (int i = 0; i < 100; i++) {
        int *grown = pst_grown(items, &room, (size_t)i, sizeof *grown, NULL);
        assert_non_null(grown);
        assert_true(room > (size_t)i);
        items = grown;
        items[i] = i;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    free(items);
}

static void an_array_that_cannot_grow_stays_as_it_was(void **state)
{
    (void)state;
    struct pst_error error = { 0 };
    size_t room = SIZE_MAX / 4;
    int item = 7;
    assert_null(pst_grown(&item, &room, room, sizeof item, &error));
    assert_int_equal(error.status, PST_TRY_AGAIN);
    assert_true(room == SIZE_MAX / 4 && item == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_that_fits_is_given),
        cmocka_unit_test(a_product_that_does_not_fit_is_refused),
        cmocka_unit_test(a_buffer_is_aligned_and_keeps_its_bytes_when_it_grows),
        cmocka_unit_test(a_buffer_does_not_shrink),
        cmocka_unit_test(short_memory_leaves_a_buffer_as_it_was),
        cmocka_unit_test(allocated_memory_is_zero_and_aligned),
        cmocka_unit_test(an_allocation_whose_size_overflows_is_refused),
        cmocka_unit_test(an_array_grows_and_keeps_its_items),
        cmocka_unit_test(an_array_that_cannot_grow_stays_as_it_was),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}

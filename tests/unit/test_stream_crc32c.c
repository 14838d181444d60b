/* CRC-32C: the answers of RFC 3720, appendix B.4, and the fast one against the plain one. */
#include "pipestill/stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef uint32_t (*checksum)(uint32_t crc, const void *bytes, size_t size);

static void check_answers(checksum crc32c)
{
    uint8_t bytes[32] = { 0 };
    assert_int_equal(crc32c(0, bytes, 32), 0x8A9136AA);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(0, bytes, 32), 0x62A8AB43);
    for (size_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(crc32c(0, bytes, 32), 0x46DD794E);
    for (size_t i = 0; i < 32; i++)
        bytes[i] = (uint8_t)(31 - i);
    assert_int_equal(crc32c(0, bytes, 32), 0x113FDB5C);
    static const uint8_t read_command[48] = {
        0x01, 0xc0, 0, 0,    0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0,
        0,    0,    0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0,    0,
    };
    assert_int_equal(crc32c(0, read_command, 48), 0xD9963A56);
    assert_int_equal(crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(crc32c(0, "", 0), 0);
}

static void the_fast_one_gives_the_published_answers(void **state)
{
    (void)state;
    check_answers(pst_crc32c);
}

static void the_plain_one_gives_the_published_answers(void **state)
{
    (void)state;
    check_answers(pst_crc32c_plain);
}

static void fill(uint8_t *bytes, size_t size)
{
    struct pst_random random;
    pst_random_start(&random, 1, 1, 0, 0);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)pst_random_u32(&random);
}

static void fast_and_plain_agree_at_every_length_and_alignment(void **state)
{
    (void)state;
    uint8_t bytes[512];
    fill(bytes, sizeof bytes);
    for (size_t from = 0; from < 16; from++) {
        for (size_t size = 0; size <= 300; size++)
            assert_int_equal(pst_crc32c(7, bytes + from, size), pst_crc32c_plain(7, bytes + from, size));
    }
}

static void fast_and_plain_agree_on_long_blocks(void **state)
{
    (void)state;
    static uint8_t bytes[20000];
    fill(bytes, sizeof bytes);
    for (size_t size = 6000; size <= 6300; size++) /* around the length at which the fast one changes */
        assert_int_equal(pst_crc32c(7, bytes + size % 8, size), pst_crc32c_plain(7, bytes + size % 8, size));
    for (size_t size = 12000; size <= sizeof bytes; size += 97)
        assert_int_equal(pst_crc32c(0, bytes, size), pst_crc32c_plain(0, bytes, size));
}

static void a_checksum_can_be_continued_anywhere(void **state)
{
    (void)state;
    uint8_t bytes[200];
    fill(bytes, sizeof bytes);
    uint32_t whole = pst_crc32c(0, bytes, sizeof bytes);
    for (size_t cut = 0; cut <= sizeof bytes; cut++)
        assert_int_equal(pst_crc32c(pst_crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fast_one_gives_the_published_answers),
        cmocka_unit_test(the_plain_one_gives_the_published_answers),
        cmocka_unit_test(fast_and_plain_agree_at_every_length_and_alignment),
        cmocka_unit_test(fast_and_plain_agree_on_long_blocks),
        cmocka_unit_test(a_checksum_can_be_continued_anywhere),
    };
    return cmocka_run_group_tests_name("CRC-32C", tests, NULL, NULL);
}

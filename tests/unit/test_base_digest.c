/* SHA-256 against the examples of FIPS 180-4, of memory and of files. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct {
    const char *text, *digest;
} known[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
};

static void bytes_have_their_known_digests(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char digest[PST_DIGEST_TEXT];
        pst_digest(known[i].text, strlen(known[i].text), digest);
        assert_string_equal(digest, known[i].digest);
    }
}

static void a_file_has_the_digest_of_its_bytes(void **state)
{
    (void)state;
    char path[] = "/tmp/pipestill-test-XXXXXX", of_file[PST_DIGEST_TEXT], of_bytes[PST_DIGEST_TEXT];
    enum { SIZE = 200000 }; /* more than one block of reading */
    char *bytes = malloc(SIZE);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i * i % 251);
    int fd = mkstemp(path);
    assert_int_equal(pst_write_all(fd, bytes, SIZE, path, NULL), PST_OK);
    close(fd);
    enum pst_status status = pst_digest_file(path, of_file, NULL);
    unlink(path);
    pst_digest(bytes, SIZE, of_bytes);
    free(bytes);
    assert_int_equal(status, PST_OK);
    assert_string_equal(of_file, of_bytes);
}

static void a_file_that_is_missing_or_unreadable_is_told_apart(void **state)
{
    (void)state;
    char digest[PST_DIGEST_TEXT];
    struct pst_error error;
    assert_int_equal(pst_digest_file("/nonexistent/file", digest, &error), PST_NO_INPUT);
    assert_non_null(strstr(error.message, "/nonexistent/file"));
    assert_int_equal(pst_digest_file("/tmp", digest, &error), PST_BAD_DATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_have_their_known_digests),
        cmocka_unit_test(a_file_has_the_digest_of_its_bytes),
        cmocka_unit_test(a_file_that_is_missing_or_unreadable_is_told_apart),
    };
    return cmocka_run_group_tests_name("digests", tests, NULL, NULL);
}

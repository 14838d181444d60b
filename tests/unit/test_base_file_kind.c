/* Files of another kind are recognised by their first bytes, and files of the right kind are accepted. */
#include "pipestill/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct start {
    const char *bytes;
    size_t size;
    const char *is;
};

#define START(bytes, is)             \
    {                                \
        bytes, sizeof(bytes) - 1, is \
    }

static void the_kinds_that_are_often_mistaken_are_named(void **state)
{
    (void)state;
    static const struct start starts[] = {
        START("\x93NUMPY\1\0v\0{'descr': '<f4'", "a NumPy array"),
        START("label,pixel1,pixel2\n3,0,1\n", "a table in text (CSV)"),
        START("0.5;1,5\r\n", "a table in text (CSV)"),
        START("3\t0\t1", "a table in text (CSV)"),
        START("\x1f\x8b\x08\0\0\0\0\0", "a gzip file"),
        START("\x28\xb5\x2f\xfd\x04", "a zstd file"),
        START("PK\3\4\x14\0", "a zip archive"),
        START("\x89PNG\r\n\x1a\n", "a PNG image"),
        START("\x08\x07\x12\x07pytorch", "an ONNX network"),
        START("\x08\x0a\x3a\x80\x01", "an ONNX network"),
        START("<!DOCTYPE html>\n", "an HTML page"),
        START("\n <HTML lang=\"en\">", "an HTML page"),
        START("version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer"),
        START("\x40\0\0\0\0\0\0\0{\"__metadata__\"", "a safetensors file"),
        START("\x83\xa4kind\xa6header", "a recorded stream"),
        START("\0\0\x08\3\0\0\0\1", "an IDX file"),
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        const char *is = pst_wrong_file(PST_FOREIGN_FILE, starts[i].bytes, starts[i].size);
        if (is == NULL || strncmp(is, starts[i].is, strlen(starts[i].is)) != 0)
            fail_msg("%s: called %s", starts[i].is, is == NULL ? "nothing" : is);
    }
}

static void what_is_due_is_not_wrong(void **state)
{
    (void)state;
    assert_null(pst_wrong_file(PST_STREAM_FILE, "\x83\xa4kind\xa6header", 13));
    assert_null(pst_wrong_file(PST_SAFETENSORS_FILE, "\x40\0\0\0\0\0\0\0{\"a\"", 12));
    assert_null(
        pst_wrong_file(PST_SAFETENSORS_FILE, "\x1f\x8b\0\0\0\0\0\0{\"a\"", 12)); /* a length like gzip */
    assert_null(pst_wrong_file(PST_IDX_FILE, "\0\0\x0d\2\0\0\0\1", 8));
    assert_non_null(pst_wrong_file(PST_IDX_FILE, "\x83\xa4kind\xa6header", 13));
}

static void what_is_not_known_has_no_name(void **state)
{
    (void)state;
    static const struct start starts[] = {
        START("", ""),
        START("hello\n", ""),
        START("{\"a\": 1, \"b\": 2}", ""),
        START("\0\0\0\0\0\0", ""),
        START("a\1b,c,d\n", ""),
        START("[1, 2, 3]", ""),
        START("\x08", ""),
        START("<?xml version", ""),
    };
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        if (pst_wrong_file(PST_FOREIGN_FILE, starts[i].bytes, starts[i].size) != NULL)
            fail_msg("%zu: %s", i, pst_wrong_file(PST_FOREIGN_FILE, starts[i].bytes, starts[i].size));
}

/* No byte after the end is read: the sanitizers watch the copies. */
static void every_shorter_beginning_is_safe(void **state)
{
    (void)state;
    static const char longest[] = "version https://git-lfs.github.com/spec/v1\n";
    for (size_t size = 0; size < sizeof longest; size++) {
        char *copy = malloc(size > 0 ? size : 1);
        assert_non_null(copy);
        memcpy(copy, longest, size);
        (void)pst_wrong_file(PST_FOREIGN_FILE, copy, size);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_kinds_that_are_often_mistaken_are_named),
        cmocka_unit_test(what_is_due_is_not_wrong),
        cmocka_unit_test(what_is_not_known_has_no_name),
        cmocka_unit_test(every_shorter_beginning_is_safe),
    };
    return cmocka_run_group_tests_name("files of another kind", tests, NULL, NULL);
}

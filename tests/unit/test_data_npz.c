/* NPZ files: members of zip archives are found and read, and no archive takes more memory than the limit. */
#include "npy_fixture.h"

#define U1_3_2 "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2), }\n"
#define U1_3 "{'descr': '|u1', 'fortran_order': False, 'shape': (3,), }\n"

static struct bytes x, y, bytes;

static void make_arrays(void)
{
    x = npy(1, U1_3_2, "\1\2\3\4\5\6", 6);
    y = npy(1, U1_3, "\2\0\1", 3);
}

static void write_zip(const struct member *members, size_t count)
{
    bytes = zip(members, count);
    write_bytes(&bytes);
}

#define ZIP(...)                                      \
    write_zip((const struct member[]){ __VA_ARGS__ }, \
              sizeof((const struct member[]){ __VA_ARGS__ }) / sizeof(struct member))
#define X .name = "x.npy", .content = &x
#define Y .name = "y.npy", .content = &y

static void members_are_read_stored_and_deflated(void **state)
{
    (void)state;
    char digests[4][PST_DIGEST_TEXT];
    make_arrays();
    for (int i = 0; i < 4; i++) {
        uint8_t sample[2];
        ZIP({ Y, .deflated = i & 1 }, { X, .deflated = i & 2 });
        struct pst_dataset set = open_good(path, false, NULL); /* by its first bytes */
        assert_string_equal(set.type->name, "npz");
        assert_string_equal(set.name, "file");
        assert_int_equal(set.samples, 3);
        assert_int_equal(class_of(&set, 0), 2);
        get_good(&set, 2, sample);
        assert_memory_equal(sample, "\5\6", 2);
        strcpy(digests[i], set.digest);
        assert_string_equal(digests[i], digests[0]);
        pst_dataset_close(&set);
    }
}

static void an_archive_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    make_arrays();
    ZIP({ X }, { Y, .deflated = true });
    while (bytes.size-- > 0) {
        write_bytes(&bytes);
        assert_bad("npz", 0, "damaged zip archive");
    }
}

static void an_archive_whose_bits_flip_is_survived(void **state)
{
    (void)state;
    static struct bytes good;
    make_arrays();
    ZIP({ X, .deflated = true }, { Y });
    good = bytes;
    flip_bits("npz", &good, 1000);
}

static void members_that_cannot_be_read_are_refused(void **state)
{
    (void)state;
    make_arrays();
    ZIP({ X, .flags = 1 });
    assert_bad("npz", 0, "file: x: it is encrypted");
    ZIP({ X, .method = 14 });
    assert_bad("npz", 0, "file: x: it is compressed by method 14");
    ZIP({ X }, { X });
    assert_bad("npz", 0, "'x.npy' is there twice");
    ZIP({ X }, { Y, .at = 10 });
    assert_bad("npz", 0, "overlaps what follows it");
    ZIP({ X }, { Y, .at = 4000000000 });
    assert_bad("npz", 0, "overlaps what follows it, or lies outside");
    ZIP({ X, .size = 73 });
    assert_bad("npz", 0, "it is stored, but its two sizes differ");
    ZIP({ .name = "other.txt", .content = &y });
    assert_bad("npz", 0, "file: there is no array in it, as NAME.npy");
    ZIP({ .name = "a.npy", .content = &y }, { .name = "b.npy", .content = &y });
    struct pst_error error;
    assert_int_equal(open_and_read("npz", 0, NULL, &error), PST_USAGE);
    assert_non_null(strstr(error.message, "which array holds the samples? It has a, b: --x NAME"));
}

static void a_damaged_member_is_refused(void **state)
{
    (void)state;
    make_arrays();
    ZIP({ X });
    bytes.at[35 + x.size - 1] ^= 1;
    write_bytes(&bytes);
    assert_bad("npz", 0, "file: x: damaged: its CRC-32 is");
    x.at[30] = '\0';
    ZIP({ X });
    assert_bad("npz", 0, "file: x: damaged header: at byte 30");
    ZIP({ .name = "x.npy", .content = &(struct bytes){ .at = "\x93NUMPY", .size = 6 } });
    assert_bad("npz", 0, "file: x: too short");
    bytes.at[bytes.size - 22 - 2] = '\0'; /* in the name */
    write_bytes(&bytes);
    assert_bad("npz", 0, "a NUL byte in the name of a member");
}

/* 60 kB of zeros in a hundred bytes. */
static void a_bomb_takes_no_more_than_is_allowed(void **state)
{
    (void)state;
    static const uint8_t zeros[60000];
    x = npy(1, "{'descr': '|u1', 'fortran_order': False, 'shape': (600, 100), }", zeros, sizeof zeros);
    ZIP({ X, .deflated = true });
    assert_true(bytes.size < 400);
    assert_good("npz", NULL);
    assert_bad("npz", 60000, "unpacked it takes 60073 bytes, more than --max-memory leaves (60000)");
    ZIP({ X, .deflated = true, .size = 1000 });
    assert_bad("npz", 60000, "more comes out than the 1000 bytes that are announced");
    ZIP({ X, .deflated = true, .size = 60074 });
    assert_bad("npz", 0, "60073 bytes come out, but 60074 are announced");
    ZIP({ X, .deflated = true, .size = 4000000000 });
    assert_bad("npz", 0, "60073 bytes come out, but 4000000000 are announced");
}

static void an_end_that_lies_is_refused(void **state)
{
    (void)state;
    make_arrays();
    static const struct {
        size_t back, size;
        const char *bytes, *words;
    } lies[] = {
        { 12, 2, "\2\0", "it is in several parts" },
        { 10, 4, "\xff\xff\xff\x7f", "its directory is not where its end says" },
        { 6, 4, "\1\0\0\0", "its directory is not where its end says" },
        { 2, 2, "\1\0", "its end is missing" },
    };
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        ZIP({ X });
        memcpy(bytes.at + bytes.size - lies[i].back, lies[i].bytes, lies[i].size);
        write_bytes(&bytes);
        assert_bad("npz", 0, lies[i].words);
    }
    ZIP({ X });
    memcpy(bytes.at + bytes.size - 14, "\x40\x9c\x40\x9c", 4); /* 40,000 members */
    write_bytes(&bytes);
    assert_bad("npz", 0, "it announces more members than its directory has");
    memcpy(bytes.at + bytes.size - 14, "\0\0\0\0", 4);
    write_bytes(&bytes);
    assert_bad("npz", 0, "its directory has more than the members that it announces");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read_stored_and_deflated),
        cmocka_unit_test(an_archive_cut_at_any_byte_is_refused),
        cmocka_unit_test(an_archive_whose_bits_flip_is_survived),
        cmocka_unit_test(members_that_cannot_be_read_are_refused),
        cmocka_unit_test(a_damaged_member_is_refused),
        cmocka_unit_test(a_bomb_takes_no_more_than_is_allowed),
        cmocka_unit_test(an_end_that_lies_is_refused),
    };
    return cmocka_run_group_tests_name("data_npz", tests, make_folder, remove_folder);
}

/* Tar files: every form of name and size is read, and what is cut off, damaged or absurd is refused. */
#include "lib/data/pictures/tar.h"

#include "data_fixture.h"

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#define BLOCK 512
#define MOST_FILE ((size_t)64 * BLOCK)
#define PIXELS "P5 2 2 255\nabcd"

static char folder[64], path[96];
static uint8_t bytes[MOST_FILE];
static size_t size;

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pipestill-tar-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/set.tar", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

/* ---- making files ---- */

static void begin(void)
{
    memset(bytes, 0, sizeof bytes);
    size = 0;
}

static void set_checksum(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum & 0777777);
}

/* Adds a member, whose header is returned, to be changed before set_checksum. */
static uint8_t *add(const char *name, char type, const void *content, size_t count)
{
    uint8_t *header = bytes + size;
    assert_true(size + BLOCK + count <= sizeof bytes);
    memcpy(header, name, strlen(name) < 100 ? strlen(name) : 100);
    snprintf((char *)header + 124, 12, "%011o", (unsigned)count);
    header[156] = (uint8_t)type;
    memcpy(header + 257, "ustar\00000", 8);
    set_checksum(header);
    if (count > 0)
        memcpy(header + BLOCK, content, count);
    size += BLOCK + (count + BLOCK - 1) / BLOCK * BLOCK;
    return header;
}

static void add_text(const char *name, char type, const char *content)
{
    add(name, type, content, strlen(content));
}

static void end(void)
{
    size += (size_t)2 * BLOCK;
    assert_true(size <= sizeof bytes);
}

/* Writes the first `count` bytes of the archive. */
static void write_file(size_t count, bool packed)
{
    unlink(path); /* to overwrite a file would wait for the disk */
    gzFile file = gzopen(path, packed ? "wb" : "wbT");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)count), (int)count);
    assert_int_equal(gzclose(file), Z_OK);
}

/* ---- reading them ---- */

/* Reads all members. names: receives their names with blanks between. */
static enum pst_status read_all(char *names, struct pst_error *error)
{
    struct pst_tar tar;
    *error = (struct pst_error){ 0 };
    *names = '\0';
    enum pst_status status = pst_tar_open(&tar, path, error);
    while (status == PST_OK && (status = pst_tar_next(&tar, error)) == PST_OK) {
        char content[BLOCK];
        if (strlen(names) + strlen(tar.name) + 2 < MOST_FILE)
            strcat(strcat(names, *names == '\0' ? "" : " "), tar.name);
        if (tar.kind == PST_TAR_FILE && tar.size < sizeof content)
            status = pst_tar_read(&tar, content, error);
    }
    pst_tar_close(&tar);
    return status;
}

static char names[MOST_FILE];

static void assert_names(const char *wanted)
{
    for (int packed = 0; packed < 2; packed++) {
        struct pst_error error;
        write_file(size, packed);
        if (read_all(names, &error) != PST_END)
            fail_msg("%s", error.message);
        assert_string_equal(names, wanted);
    }
}

static void assert_refused(const char *words)
{
    for (int packed = 0; packed < 2; packed++) {
        struct pst_error error;
        write_file(size, packed);
        assert_int_equal(read_all(names, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, path));
        if (strstr(error.message, words) == NULL)
            fail_msg("'%s' is not in '%s'", words, error.message);
    }
}

/* ---- what is read ---- */

static void names_of_every_form_are_read(void **state)
{
    (void)state;
    char hundred[101] = "", deep[301] = "";
    memset(hundred, 'n', 100);
    memset(deep, 'd', 300);
    begin();
    add_text("plain", '0', "abc");
    add_text("old", '\0', "");
    add_text(hundred, '0', "");
    uint8_t *header = add("name", '0', "", 0);
    memcpy(header + 345, "prefix/of it", 12);
    set_checksum(header);
    add_text("././@LongLink", 'L', deep);
    add_text("cut", '0', "abc");
    add_text("pax", 'x', "14 path=a/b c\n8 x=abc\n");
    add_text("cut", '0', "abc");
    add_text("global", 'g', "14 path=wrong\n");
    add_text("folder/", '5', "");
    end();
    char wanted[1024];
    snprintf(wanted, sizeof wanted, "plain old %s prefix/of it/name %s a/b c folder/", hundred, deep);
    assert_names(wanted);
}

static void sizes_of_every_form_are_read(void **state)
{
    (void)state;
    begin();
    uint8_t *header = add("base-256", '0', "abcde", 5);
    memcpy(header + 124, "\x80\0\0\0\0\0\0\0\0\0\0\5", 12);
    set_checksum(header);
    header = add("blanks", '0', "abcde", 5);
    memcpy(header + 124, "        5 \0 ", 12);
    set_checksum(header);
    add_text("pax", 'x', "9 size=5\n");
    header = add("pax", '0', "abcde", 5);
    memcpy(header + 124, "00000000777", 12);
    set_checksum(header);
    header = add("link", '1', "", 0); /* has a size, and no bytes */
    memcpy(header + 124, "00000000777", 12);
    set_checksum(header);
    add_text("last", '0', "abc");
    end();
    assert_names("base-256 blanks pax link last");
}

static void kinds_of_members_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        char type;
        enum pst_tar_kind kind;
    } cases[] = { { '0', PST_TAR_FILE },  { '\0', PST_TAR_FILE }, { '7', PST_TAR_FILE },
                  { '1', PST_TAR_LINK },  { '2', PST_TAR_LINK },  { '3', PST_TAR_OTHER },
                  { '5', PST_TAR_OTHER }, { '6', PST_TAR_OTHER }, { 'S', PST_TAR_SPARSE },
                  { 'D', PST_TAR_OTHER } };
    struct pst_tar tar;
    begin();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        add_text("a", cases[i].type, "");
    add_text("pax", 'x', "22 GNU.sparse.major=1\n");
    add_text("a", '0', "");
    end();
    write_file(size, false);
    assert_int_equal(pst_tar_open(&tar, path, NULL), PST_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(pst_tar_next(&tar, NULL), PST_OK);
        assert_int_equal(tar.kind, cases[i].kind);
    }
    assert_int_equal(pst_tar_next(&tar, NULL), PST_OK);
    assert_int_equal(tar.kind, PST_TAR_SPARSE);
    assert_int_equal(pst_tar_next(&tar, NULL), PST_END);
    pst_tar_close(&tar);
}

/* ---- what is refused ---- */

/* A file with all that the reader knows. */
static void make_rich(void)
{
    begin();
    add_text("a/1.pgm", '0', PIXELS);
    add_text("././@LongLink", 'L', "a/a long name.pgm");
    add_text("cut", '0', PIXELS);
    add_text("pax", 'x', "16 path=b/3.pgm\n10 size=15\n");
    add_text("cut", '0', PIXELS);
    end();
}

/* After the first block of zeros a plain file is whole; a gzip file still has its checksum there. */
static void a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    uint8_t packed[MOST_FILE];
    struct pst_error error;
    make_rich();
    for (size_t count = 1; count < size - BLOCK; count++) {
        write_file(count, false);
        assert_int_equal(read_all(names, &error), PST_BAD_DATA);
        assert_non_null(strstr(error.message, "damaged tar file, at byte"));
    }
    write_file(size, true);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t whole = fread(packed, 1, sizeof packed, file);
    fclose(file);
    for (size_t count = 2; count < whole; count++) {
        unlink(path);
        file = fopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(fwrite(packed, 1, count, file), count);
        fclose(file);
        assert_int_equal(read_all(names, &error), PST_BAD_DATA);
    }
}

static void damaged_bytes_are_read_or_refused(void **state)
{
    (void)state;
    uint8_t whole[MOST_FILE];
    struct pst_random random;
    make_rich();
    memcpy(whole, bytes, sizeof whole);
    for (uint64_t i = 0; i < 3000; i++) {
        struct pst_error error;
        memcpy(bytes, whole, sizeof whole);
        pst_random_start(&random, 6, 1000, 0, i);
        size_t header = pst_random_below(&random, size / BLOCK) * BLOCK;
        bytes[pst_random_below(&random, size)] ^= (uint8_t)(1 + pst_random_below(&random, 255));
        bytes[header + pst_random_below(&random, BLOCK)] ^= (uint8_t)(1 + pst_random_below(&random, 255));
        if (i % 2 == 0)
            set_checksum(bytes + header); /* otherwise hardly a file would pass this check */
        write_file(size, false);
        enum pst_status status = read_all(names, &error);
        assert_true(status == PST_END || (status == PST_BAD_DATA && error.message[0] != '\0'));
    }
}

static void sizes_that_no_file_has_are_refused(void **state)
{
    (void)state;
    static const char *const sizes[] = {
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", /* -1 */
        "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff",
        "\x80\xff\0\0\0\0\0\0\0\0\0\0",
        "abc\0\0\0\0\0\0\0\0\0",
    };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin();
        uint8_t *header = add("a", '0', "abc", 3);
        memcpy(header + 124, sizes[i], 12);
        set_checksum(header);
        end();
        assert_refused("a member's size is no number that a file can have");
    }
    begin();
    uint8_t *header = add("a", '0', "abc", 3);
    memcpy(header + 124, "77777777777", 12);
    set_checksum(header);
    end();
    assert_refused("it ends early");
    begin();
    add_text("pax", 'x', "30 size=99999999999999999999\n");
    add_text("a", '0', "");
    end();
    assert_refused("a pax");
}

static void false_records_and_names_are_refused(void **state)
{
    (void)state;
    static const char *const records[] = { "path=a\n",     "0 path=a\n", "99999999 path=a\n",
                                           "12 path=ab\n", "10 path=a",  "8 path a\n",
                                           "2 \n",         "8 path=\n",  "123456789 a=b\n" };
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        begin();
        add_text("pax", 'x', records[i]);
        add_text("a", '0', "");
        end();
        assert_refused(path);
    }
    begin();
    add("pax", 'x', "11 path=a\0\n", 11);
    add_text("a", '0', "");
    end();
    assert_refused("a name is empty, too long, or has a NUL in it");
    begin();
    add_text("././@LongLink", 'L', "");
    add_text("a", '0', "");
    end();
    assert_refused("a name is empty");
    begin();
    uint8_t *header = add("././@LongLink", 'L', "", 0);
    memcpy(header + 124, "00000010001", 12);
    set_checksum(header);
    end();
    assert_refused("a name is too long");
    begin();
    header = add("pax", 'x', "", 0);
    memcpy(header + 124, "00077777777", 12);
    set_checksum(header);
    end();
    assert_refused("its pax records are too long");
    begin();
    add("a", '0', "", 0)[20] = 'x';
    end();
    assert_refused("a header's checksum is wrong");
}

static void a_tar_file_is_recognised_by_its_first_block(void **state)
{
    (void)state;
    begin();
    assert_false(pst_tar_recognises(bytes, BLOCK));
    add_text("a", '0', "");
    assert_true(pst_tar_recognises(bytes, BLOCK));
    assert_false(pst_tar_recognises(bytes, BLOCK - 1));
    bytes[3]++;
    assert_false(pst_tar_recognises(bytes, BLOCK));
}

/* ---- as a set ---- */

static void assert_set_refused(bool packed, size_t max_memory, const char *words)
{
    struct pst_dataset set = { 0 };
    const struct pst_dataset_type *type;
    const char *argument, *list[] = { path };
    struct pst_error error = { 0 };
    assert_int_equal(pst_dataset_find("images", &type, &argument, &error), PST_OK);
    write_file(size, packed);
    struct pst_dataset_request request = { .count = 1, .arguments = list, .max_memory = max_memory };
    assert_int_equal(pst_dataset_open(&set, type, &request, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, path));
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, error.message);
}

static void names_that_lead_out_of_the_file_are_left_out(void **state)
{
    (void)state;
    begin();
    add_text("../../etc/a.pgm", '0', PIXELS);
    add_text("a/../../b.pgm", '0', PIXELS);
    add_text("/a//./b/c.pgm", '0', PIXELS);
    add_text("a/.hidden/d.pgm", '0', PIXELS);
    end();
    write_file(size, false);
    struct pst_dataset set = open_good(path, false, NULL);
    char place[200];
    assert_int_equal(set.samples, 1);
    set.type->place(&set, 0, place, sizeof place);
    assert_non_null(strstr(place, "set.tar: a/b/c.pgm"));
    assert_string_equal(set.class_names[0], "b");
    pst_dataset_close(&set);
}

static void pictures_that_cannot_be_taken_are_refused(void **state)
{
    (void)state;
    begin();
    add_text("a/1.pgm", '2', "");
    end();
    assert_set_refused(true, 0, "a/1.pgm: it is a link, whose bytes are elsewhere");
    begin();
    add_text("a/1.pgm", 'S', "");
    end();
    assert_set_refused(true, 0, "its holes are left out");
    begin();
    add_text("a/1.gif", '0', "");
    end();
    assert_set_refused(true, 0, "a/1.gif: pictures of this kind are not read");
    begin();
    add_text("a/1.pgm", '0', PIXELS);
    add_text("./a//1.pgm", '0', PIXELS);
    end();
    assert_set_refused(false, 0, "'a/1.pgm' is there twice");
    begin();
    add_text("README", '0', PIXELS);
    end();
    assert_set_refused(false, 0, "there is no picture in it");
    begin();
    add_text("a/\xff/1.pgm", '0', PIXELS);
    add_text("\xff/1.pgm", '0', PIXELS);
    end();
    assert_set_refused(false, 0, "is not UTF-8");
}

static void a_packed_file_takes_no_more_memory_than_it_may(void **state)
{
    (void)state;
    begin();
    uint8_t *header = add("a/1.pgm", '0', "", 0);
    memcpy(header + 124, "00777777777", 12); /* 128 MiB, and no data follow */
    set_checksum(header);
    end();
    assert_set_refused(true, 1 << 20, "a/1.pgm: it takes 134217727 bytes, more than --max-memory leaves");
    memcpy(header + 124, "10000000000", 12);
    set_checksum(header);
    assert_set_refused(true, 0, "it is too large for a picture");
    begin();
    for (size_t i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "a/%zu.pgm", i);
        add_text(name, '0', PIXELS);
    }
    end();
    assert_set_refused(true, 1500, "more than --max-memory leaves");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_every_form_are_read),
        cmocka_unit_test(sizes_of_every_form_are_read),
        cmocka_unit_test(kinds_of_members_are_told_apart),
        cmocka_unit_test(a_file_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(damaged_bytes_are_read_or_refused),
        cmocka_unit_test(sizes_that_no_file_has_are_refused),
        cmocka_unit_test(false_records_and_names_are_refused),
        cmocka_unit_test(a_tar_file_is_recognised_by_its_first_block),
        cmocka_unit_test(names_that_lead_out_of_the_file_are_left_out),
        cmocka_unit_test(pictures_that_cannot_be_taken_are_refused),
        cmocka_unit_test(a_packed_file_takes_no_more_memory_than_it_may),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

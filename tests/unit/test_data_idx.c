/* IDX files: read plain and gzip alike, and refused with a message wherever they are damaged. */
#include "pipestill/data.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static char folder[64];
static char images_path[96], labels_path[96];

/* Three samples of 2 by 2, and their labels. */
static const uint8_t images[] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2,  0,  0,
                                  0, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255 };
static const uint8_t labels[] = { 0, 0, 8, 1, 0, 0, 0, 3, 7, 0, 2 };

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/pipestill-idx-XXXXXX");
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(images_path, sizeof images_path, "%s/images", folder);
    snprintf(labels_path, sizeof labels_path, "%s/labels", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(images_path);
    unlink(labels_path);
    return rmdir(folder);
}

static void write_plain(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void write_gzip(const char *path, const void *bytes, size_t size)
{
    gzFile file = gzopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), (int)size);
    assert_int_equal(gzclose(file), Z_OK);
}

static size_t read_back(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    assert_true(size < room);
    return size;
}

/* Opens the pair, which must be refused as bad data by a message that names `culprit` and holds `words`. */
static void assert_refused(const char *labels_file, const char *culprit, const char *words)
{
    struct pst_dataset data;
    struct pst_error error = { 0 };
    assert_int_equal(pst_dataset_open_idx(&data, images_path, labels_file, 0, &error), PST_BAD_DATA);
    assert_int_equal(error.status, PST_BAD_DATA);
    assert_non_null(strstr(error.message, culprit));
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, error.message);
    assert_null(data.state);
    assert_null(data.labels);
}

static void check_good(const char *digest_wanted, char *digest)
{
    struct pst_dataset data;
    struct pst_error error = { 0 };
    assert_int_equal(pst_dataset_open_idx(&data, images_path, labels_path, 0, &error), PST_OK);
    assert_int_equal(data.samples, 3);
    assert_int_equal(data.classes, 8);
    assert_int_equal(data.rank, 2);
    assert_int_equal(data.shape[0], 2);
    assert_int_equal(data.shape[1], 2);
    assert_int_equal(data.sample_bytes, 4);
    assert_int_equal(data.labels[0], 7);
    assert_int_equal(data.labels[2], 2);
    uint8_t sample[4];
    data.get(&data, 2, sample);
    assert_memory_equal(sample, images + 24, 4);
    assert_string_equal(data.name, "images");
    if (digest_wanted != NULL)
        assert_string_equal(data.digest, digest_wanted);
    strcpy(digest, data.digest);
    pst_dataset_free(&data);
}

static void good_files_are_read_plain_and_gzip_alike(void **state)
{
    (void)state;
    char digest[PST_DIGEST_TEXT];
    write_plain(images_path, images, sizeof images);
    write_plain(labels_path, labels, sizeof labels);
    check_good(NULL, digest);
    write_gzip(images_path, images, sizeof images);
    write_gzip(labels_path, labels, sizeof labels);
    check_good(digest, digest);
}

static void images_need_no_labels(void **state)
{
    (void)state;
    write_plain(images_path, images, sizeof images);
    struct pst_dataset data;
    assert_int_equal(pst_dataset_open_idx(&data, images_path, NULL, 0, NULL), PST_OK);
    assert_null(data.labels);
    assert_int_equal(data.samples, 3);
    pst_dataset_free(&data);
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof images; size++) {
        write_plain(images_path, images, size);
        assert_refused(NULL, images_path, "too short");
    }
    write_plain(images_path, images, sizeof images);
    for (size_t size = 0; size < sizeof labels; size++) {
        write_plain(labels_path, labels, size);
        assert_refused(labels_path, labels_path, "too short");
    }
}

static void a_gzip_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    uint8_t whole[256];
    write_gzip(images_path, images, sizeof images);
    size_t whole_size = read_back(images_path, whole, sizeof whole);
    for (size_t size = 0; size < whole_size; size++) {
        write_plain(images_path, whole, size);
        assert_refused(NULL, images_path, "");
    }
}

/* gzip's header has bytes that carry no content (the time, the system); all others are under its checksum. */
static void a_gzip_with_any_byte_changed_is_refused_or_reads_the_same(void **state)
{
    (void)state;
    uint8_t whole[256];
    write_gzip(images_path, images, sizeof images);
    size_t size = read_back(images_path, whole, sizeof whole);
    size_t refused = 0;
    for (size_t at = 0; at < size; at++) {
        whole[at] ^= 0x10;
        write_plain(images_path, whole, size);
        whole[at] ^= 0x10;
        struct pst_dataset data;
        enum pst_status status = pst_dataset_open_idx(&data, images_path, NULL, 0, NULL);
        refused += status == PST_BAD_DATA;
        if (status == PST_BAD_DATA)
            continue;
        assert_int_equal(status, PST_OK);
        uint8_t sample[4];
        data.get(&data, 2, sample);
        assert_memory_equal(sample, images + 24, 4);
        pst_dataset_free(&data);
    }
    assert_true(refused > size - 10);
}

static void what_follows_the_last_element_is_refused(void **state)
{
    (void)state;
    uint8_t longer[sizeof images + 1] = { 0 };
    memcpy(longer, images, sizeof images);
    write_plain(images_path, longer, sizeof longer);
    assert_refused(NULL, images_path, "too long: more follows after the last element, at byte 28");
    write_gzip(images_path, longer, sizeof longer);
    assert_refused(NULL, images_path, "too long");
}

/* Writes the images with one byte replaced. */
static void write_changed(size_t at, uint8_t value)
{
    uint8_t changed[sizeof images];
    memcpy(changed, images, sizeof images);
    changed[at] = value;
    write_plain(images_path, changed, sizeof changed);
}

static void a_wrong_header_is_refused(void **state)
{
    (void)state;
    write_changed(0, 'P');
    assert_refused(NULL, images_path, "not an IDX file: it begins with 50 00");
    write_changed(2, 0x0D);
    assert_refused(NULL, images_path, "type 0d at byte 2");
    write_changed(3, 0);
    assert_refused(NULL, images_path, "0 dimensions at byte 3");
    write_changed(3, 9);
    assert_refused(NULL, images_path, "9 dimensions at byte 3");
    write_changed(7, 0);
    assert_refused(NULL, images_path, "a dimension of 0 at byte 4");
    write_plain(images_path, labels, sizeof labels);
    assert_refused(NULL, images_path, "labels rather than images");
}

static void counts_that_disagree_are_refused(void **state)
{
    (void)state;
    uint8_t fewer[sizeof labels - 1];
    memcpy(fewer, labels, sizeof fewer);
    fewer[7] = 2;
    write_plain(images_path, images, sizeof images);
    write_plain(labels_path, fewer, sizeof fewer);
    assert_refused(labels_path, labels_path, "2 labels at byte 4, but");
    write_plain(labels_path, images, sizeof images);
    assert_refused(labels_path, labels_path, "3 dimensions at byte 3; labels have one");
}

static void a_label_outside_the_classes_is_refused(void **state)
{
    (void)state;
    write_plain(images_path, images, sizeof images);
    write_plain(labels_path, labels, sizeof labels);
    struct pst_dataset data;
    struct pst_error error;
    assert_int_equal(pst_dataset_open_idx(&data, images_path, labels_path, 7, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "label 7 of sample 0, at byte 8: there are 7 classes"));
    assert_int_equal(pst_dataset_open_idx(&data, images_path, labels_path, 20, &error), PST_OK);
    assert_int_equal(data.classes, 20);
    pst_dataset_free(&data);
}

/* Were the promised size reserved, it would be memory that fails here, and not the data. */
static void a_header_that_lies_reserves_nothing(void **state)
{
    (void)state;
    uint8_t lies[sizeof images];
    memcpy(lies, images, sizeof images);
    memset(lies + 4, 0xff, 12);
    write_plain(images_path, lies, sizeof lies);
    assert_refused(NULL, images_path, "absurd");
    memcpy(lies + 4, (const uint8_t[]){ 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 1 }, 12);
    write_plain(images_path, lies, sizeof lies);
    assert_refused(NULL, images_path, "too short: it ends at byte 28");
    write_gzip(images_path, lies, sizeof lies);
    assert_refused(NULL, images_path, "too short: it ends at byte 28");
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct pst_dataset data;
    struct pst_error error;
    assert_int_equal(pst_dataset_open_idx(&data, "/nowhere/images", NULL, 0, &error), PST_NO_INPUT);
    assert_non_null(strstr(error.message, "/nowhere/images"));
    assert_int_equal(pst_dataset_open_idx(&data, folder, NULL, 0, &error), PST_IO_ERROR);
    assert_non_null(strstr(error.message, folder));
}

/* More than the first reservation, so memory has to grow on the way. */
static void a_large_file_arrives_whole(void **state)
{
    (void)state;
    const size_t count = 5000, sample = 1000;
    uint8_t *file = calloc(12 + count * sample, 1);
    assert_non_null(file);
    memcpy(file, (const uint8_t[]){ 0, 0, 8, 2, 0, 0, 0x13, 0x88, 0, 0, 3, 0xe8 }, 12);
    for (size_t i = 0; i < count * sample; i++)
        file[12 + i] = (uint8_t)(i * 2654435761U >> 13);
    write_gzip(images_path, file, 12 + count * sample);
    struct pst_dataset data;
    assert_int_equal(pst_dataset_open_idx(&data, images_path, NULL, 0, NULL), PST_OK);
    uint8_t elements[1000];
    for (size_t i = 0; i < count; i++) {
        data.get(&data, i, elements);
        assert_memory_equal(elements, file + 12 + i * sample, sample);
    }
    pst_dataset_free(&data);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_files_are_read_plain_and_gzip_alike),
        cmocka_unit_test(images_need_no_labels),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_gzip_cut_at_any_byte_is_refused),
        cmocka_unit_test(a_gzip_with_any_byte_changed_is_refused_or_reads_the_same),
        cmocka_unit_test(what_follows_the_last_element_is_refused),
        cmocka_unit_test(a_wrong_header_is_refused),
        cmocka_unit_test(counts_that_disagree_are_refused),
        cmocka_unit_test(a_label_outside_the_classes_is_refused),
        cmocka_unit_test(a_header_that_lies_reserves_nothing),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(a_large_file_arrives_whole),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

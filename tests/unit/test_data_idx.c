/* IDX files: read plain and gzip alike, of every type, and refused with a message if they are damaged. */
#include "data_fixture.h"

#include <stdio.h>
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

/* Opens a pair. labels: NULL if there are none. */
static enum pst_status open_pair(struct pst_dataset *data, const char *of_images, const char *of_labels,
                                 const char *classes, struct pst_error *error)
{
    return open_set(data, "idx", false, OPTIONS("images", of_images, "labels", of_labels, "classes", classes),
                    error);
}

/* Opens the pair, which must be refused as bad data by a message that names `file` and holds `words`. */
static void assert_refused(const char *labels_file, const char *file, const char *words)
{
    struct pst_dataset data;
    struct pst_error error = { 0 };
    assert_int_equal(open_pair(&data, images_path, labels_file, "0", &error), PST_BAD_DATA);
    assert_int_equal(error.status, PST_BAD_DATA);
    assert_non_null(strstr(error.message, file));
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, error.message);
    assert_null(data.own);
    assert_null(data.labels);
}

static void check_good(const char *digest_wanted, char *digest)
{
    struct pst_dataset data;
    struct pst_error error = { 0 };
    assert_int_equal(open_pair(&data, images_path, labels_path, "0", &error), PST_OK);
    assert_int_equal(data.samples, 3);
    assert_int_equal(data.classes, 8);
    assert_int_equal(data.rank, 2);
    assert_int_equal(data.shape[0], 2);
    assert_int_equal(data.shape[1], 2);
    assert_int_equal(data.element, PST_ELEMENT_U8);
    assert_int_equal(class_of(&data, 0), 7);
    assert_int_equal(class_of(&data, 2), 2);
    uint8_t sample[4];
    get_good(&data, 2, sample);
    assert_memory_equal(sample, images + 24, 4);
    assert_string_equal(data.name, "images");
    if (digest_wanted != NULL)
        assert_string_equal(data.digest, digest_wanted);
    strcpy(digest, data.digest);
    pst_dataset_close(&data);
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
    assert_int_equal(open_pair(&data, images_path, NULL, "0", NULL), PST_OK);
    assert_null(data.labels);
    assert_int_equal(data.samples, 3);
    pst_dataset_close(&data);
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

/* gzip's header has bytes without content (the time, the system); its checksum covers all others. */
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
        enum pst_status status = open_pair(&data, images_path, NULL, "0", NULL);
        refused += status == PST_BAD_DATA;
        if (status == PST_BAD_DATA)
            continue;
        assert_int_equal(status, PST_OK);
        uint8_t sample[4];
        get_good(&data, 2, sample);
        assert_memory_equal(sample, images + 24, 4);
        pst_dataset_close(&data);
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
    write_changed(2, 0x0A);
    assert_refused(NULL, images_path, "type 0a at byte 2");
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
    assert_refused(labels_path, labels_path, "2 labels, but");
    write_plain(labels_path, images, sizeof images);
    assert_refused(labels_path, labels_path, "3 dimensions; labels have one or two");
}

static void a_label_outside_the_classes_is_refused(void **state)
{
    (void)state;
    write_plain(images_path, images, sizeof images);
    write_plain(labels_path, labels, sizeof labels);
    struct pst_dataset data;
    struct pst_error error;
    assert_int_equal(open_pair(&data, images_path, labels_path, "7", &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "label 7 of sample 0, at byte 8: there are 7 classes"));
    assert_int_equal(open_pair(&data, images_path, labels_path, "20", &error), PST_OK);
    assert_int_equal(data.classes, 20);
    pst_dataset_close(&data);
}

/* If the promised size were reserved, memory would fail here, and not the data. */
static void a_header_that_lies_reserves_nothing(void **state)
{
    (void)state;
    uint8_t lies[sizeof images];
    memcpy(lies, images, sizeof images);
    memset(lies + 4, 0xff, 12);
    write_plain(images_path, lies, sizeof lies);
    assert_refused(NULL, images_path, "more bytes than memory can have");
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
    assert_int_equal(open_pair(&data, "/nowhere/images", NULL, "0", &error), PST_NO_INPUT);
    assert_non_null(strstr(error.message, "/nowhere/images"));
    assert_int_equal(open_pair(&data, folder, NULL, "0", &error), PST_BAD_DATA);
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
    assert_int_equal(open_pair(&data, images_path, NULL, "0", NULL), PST_OK);
    uint8_t elements[1000];
    for (size_t i = 0; i < count; i++) {
        get_good(&data, i, elements);
        assert_memory_equal(elements, file + 12 + i * sample, sample);
    }
    pst_dataset_close(&data);
    free(file);
}

/* ---- labels of other kinds, and several pairs ---- */

/* Labels of one type: a head of that type and shape, then these bytes. columns: 0 for one dimension. */
static void write_labels(const char *path, uint8_t type, uint8_t columns, const void *elements, size_t size)
{
    uint8_t file[128] = { 0, 0, type, columns > 0 ? 2 : 1, 0, 0, 0, 3, 0, 0, 0, columns };
    size_t head = columns > 0 ? 12 : 8;
    memcpy(file + head, elements, size);
    write_plain(path, file, head + size);
}

static void labels_of_every_integer_type_are_classes(void **state)
{
    (void)state;
    write_plain(images_path, images, sizeof images);
    static const struct {
        uint8_t type;
        const char *elements;
        size_t size;
    } files[] = { { 0x08, "\2\0\1", 3 },
                  { 0x09, "\2\0\1", 3 },
                  { 0x0B, "\0\2\0\0\0\1", 6 },
                  { 0x0C, "\0\0\0\2\0\0\0\0\0\0\0\1", 12 } };
    for (size_t i = 0; i < 4; i++) {
        for (uint8_t columns = 0; columns < 2; columns++) { /* a single column does not make rows */
            write_labels(labels_path, files[i].type, columns, files[i].elements, files[i].size);
            struct pst_dataset data;
            assert_int_equal(open_pair(&data, images_path, labels_path, "0", NULL), PST_OK);
            assert_int_equal(data.classes, 3);
            assert_null(data.class_names);
            assert_int_equal(class_of(&data, 0), 2);
            assert_int_equal(class_of(&data, 1), 0);
            assert_int_equal(class_of(&data, 2), 1);
            pst_dataset_close(&data);
        }
    }
}

static void classes_begin_at_the_first_label_and_keep_its_name(void **state)
{
    (void)state;
    struct pst_error error;
    struct pst_dataset data;
    write_plain(images_path, images, sizeof images);
    write_labels(labels_path, 0x09, 0, "\xff\1\xff", 3);
    const char *const *options = OPTIONS("images", images_path, "labels", labels_path, "first-label", "-1");
    assert_int_equal(open_set(&data, "idx", false, options, &error), PST_OK);
    assert_int_equal(data.classes, 3);
    assert_int_equal(class_of(&data, 0), 0);
    assert_int_equal(class_of(&data, 1), 2);
    assert_string_equal(data.class_names[0], "-1");
    assert_string_equal(data.class_names[2], "1");
    pst_dataset_close(&data);
    assert_refused(labels_path, labels_path,
                   "label -1 of sample 0, at byte 8: it is below the first label, 0");
    options = OPTIONS("images", images_path, "labels", labels_path, "first-label", "0.5");
    assert_int_equal(open_set(&data, "idx", false, options, &error), PST_USAGE);
}

static void fractions_are_numbers_and_rows_of_bytes_are_bits(void **state)
{
    (void)state;
    write_plain(images_path, images, sizeof images);
    const char *const *options = OPTIONS("images", images_path, "labels", labels_path);
    write_labels(labels_path, 0x0D, 0, "\x3f\x80\0\0\xc0\0\0\0\0\0\0\0", 12);
    struct pst_dataset data = open_good("idx", false, options);
    assert_int_equal(data.label_kind, PST_LABELS_NUMBERS);
    assert_int_equal(data.label_width, 0);
    assert_memory_equal(data.labels, ((const float[3]){ 1, -2, 0 }), 12);
    assert_int_equal(data.classes, 0);
    pst_dataset_close(&data);
    write_labels(labels_path, 0x08, 2, "\0\1\1\1\1\0", 6);
    data = open_good("idx", false, options);
    assert_int_equal(data.label_kind, PST_LABELS_BITS);
    assert_int_equal(data.label_width, 2);
    assert_memory_equal(data.labels, "\0\1\1\1\1\0", 6);
    assert_int_equal(pst_dataset_label_bytes(&data), 2);
    pst_dataset_close(&data);
}

static void labels_that_are_nothing_of_this_are_refused(void **state)
{
    (void)state;
    struct pst_error error;
    struct pst_dataset data;
    write_plain(images_path, images, sizeof images);
    write_labels(labels_path, 0x08, 2, "\0\1\1\2\1\0", 6);
    assert_refused(labels_path, labels_path, "label 2 of sample 1, at byte 15: a bit is 0 or 1");
    write_labels(labels_path, 0x0B, 2, "\0\1\1\2\1\0\0\1\1\2\1\0", 12);
    assert_refused(
        labels_path, labels_path,
        "label 258 of sample 0, at byte 14: a bit is 0 or 1; --regression takes rows of other numbers");
    write_labels(labels_path, 0x0D, 0, "\x3f\x80\0\0\x7f\xc0\0\0\0\0\0\0", 12);
    assert_refused(labels_path, labels_path, "label nan of sample 1, at byte 12: it is not a finite number");
    write_labels(labels_path, 0x0D, 0, "\x3f\x80\0\0\0\0\0\0\0\0\0\0", 12);
    assert_int_equal(open_pair(&data, images_path, labels_path, "3", &error), PST_USAGE);
    assert_non_null(strstr(error.message, "its labels are numbers"));
    write_labels(labels_path, 0x0C, 0, "\x7f\0\0\2\0\0\0\0\0\0\0\1", 12);
    assert_refused(labels_path, labels_path, "there are at most 16777216 classes");
}

/* Text for the arguments of several pairs. */
static enum pst_status open_twice(struct pst_dataset *data, const char *other_images,
                                  const char *other_labels, struct pst_error *error)
{
    char lists[2][256];
    snprintf(lists[0], sizeof lists[0], "%s,%s", images_path, other_images);
    snprintf(lists[1], sizeof lists[1], "%s%s%s", labels_path, other_labels[0] != '\0' ? "," : "",
             other_labels);
    return open_set(data, "idx", false, OPTIONS("images", lists[0], "labels", lists[1]), error);
}

static void several_pairs_are_one_set(void **state)
{
    (void)state;
    struct pst_error error;
    struct pst_dataset data;
    char others[2][128], place[256];
    snprintf(others[0], sizeof others[0], "%s/more", folder);
    snprintf(others[1], sizeof others[1], "%s/more-labels", folder);
    write_plain(images_path, images, sizeof images);
    write_plain(labels_path, labels, sizeof labels);
    uint8_t one[16] = { 0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2 };
    uint8_t pixels[20];
    memcpy(pixels, one, 16);
    memset(pixels + 16, 77, 4);
    write_plain(others[0], pixels, sizeof pixels);
    write_plain(others[1], "\0\0\10\1\0\0\0\1\x9", 9);
    assert_int_equal(open_twice(&data, others[0], others[1], &error), PST_OK);
    assert_int_equal(data.samples, 4);
    assert_int_equal(data.classes, 10);
    assert_int_equal(class_of(&data, 2), 2);
    assert_int_equal(class_of(&data, 3), 9);
    uint8_t sample[4];
    get_good(&data, 2, sample);
    assert_memory_equal(sample, images + 24, 4);
    get_good(&data, 3, sample);
    assert_memory_equal(sample, "MMMM", 4);
    data.type->place(&data, 3, place, sizeof place);
    assert_non_null(strstr(place, "/more, sample 0"));
    pst_dataset_close(&data);
    assert_int_equal(open_twice(&data, others[0], "", &error), PST_USAGE);
    assert_non_null(strstr(error.message, "--images names more files"));
    pixels[2] = 9;
    write_plain(others[0], pixels, sizeof pixels);
    assert_int_equal(open_twice(&data, others[0], others[1], &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "more: its samples have another type or shape"));
    pixels[2] = 8;
    write_plain(others[0], pixels, sizeof pixels);
    write_plain(others[1], "\0\0\11\1\0\0\0\1\x9", 9);
    assert_int_equal(open_twice(&data, others[0], others[1], &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "more-labels: its labels have another type or shape"));
    unlink(others[0]);
    unlink(others[1]);
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
        cmocka_unit_test(labels_of_every_integer_type_are_classes),
        cmocka_unit_test(classes_begin_at_the_first_label_and_keep_its_name),
        cmocka_unit_test(fractions_are_numbers_and_rows_of_bytes_are_bits),
        cmocka_unit_test(labels_that_are_nothing_of_this_are_refused),
        cmocka_unit_test(several_pairs_are_one_set),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

/* Pictures: files that are cut off, damaged or absurd are refused, and whole files are read.
 * tests/python/test_images_oracle.py compares pixels. */
#include "lib/data/pictures/picture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jpeglib.h>
#include <zlib.h>

#define WIDTH 7
#define HEIGHT 5
#define MOST_FILE 4096

/* A file in memory. */
struct file {
    uint8_t bytes[MOST_FILE];
    size_t size;
};

static void add_bytes(struct file *file, const void *bytes, size_t size)
{
    assert_true(file->size + size <= sizeof file->bytes);
    if (size > 0)
        memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

static void add_number(struct file *file, uint32_t number)
{
    uint8_t bytes[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8),
                         (uint8_t)number };
    add_bytes(file, bytes, 4);
}

static void add_chunk(struct file *file, const char *kind, const void *bytes, size_t size)
{
    size_t begin = file->size + 4;
    add_number(file, (uint32_t)size);
    add_bytes(file, kind, 4);
    add_bytes(file, bytes, size);
    add_number(file, (uint32_t)crc32(0, file->bytes + begin, (uInt)size + 4));
}

/* A PNG file in colour that announces a size, and has so many bytes of rows. */
static struct file make_png(uint32_t width, uint32_t height, size_t row_bytes)
{
    struct file file = { 0 }, head = { 0 };
    uint8_t *rows = calloc(row_bytes + 1, 1), packed[2048];
    uLongf size = sizeof packed;
    assert_non_null(rows);
    for (size_t i = 0; i < row_bytes && row_bytes < 1000; i++)
        rows[i] = (uint8_t)(i % (3 * WIDTH + 1) == 0 ? 0 : i * 37);
    assert_int_equal(compress2(packed, &size, rows, row_bytes, 9), Z_OK);
    free(rows);
    add_number(&head, width);
    add_number(&head, height);
    add_bytes(&head, "\x08\x02\0\0\0", 5);
    add_bytes(&file, "\x89PNG\r\n\x1a\n", 8);
    add_chunk(&file, "IHDR", head.bytes, head.size);
    add_chunk(&file, "IDAT", packed, size);
    add_chunk(&file, "IEND", "", 0);
    return file;
}

static struct file usual_png(void)
{
    return make_png(WIDTH, HEIGHT, (size_t)HEIGHT * (3 * WIDTH + 1));
}

/* A JPEG file in colour, of one scan or several. */
static struct file make_jpeg(bool progressive)
{
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct file file = { 0 };
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = WIDTH;
    jpeg.image_height = HEIGHT;
    jpeg.input_components = 3;
    jpeg.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg.optimize_coding = TRUE;
    if (progressive)
        jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (uint8_t row[3 * WIDTH]; jpeg.next_scanline < HEIGHT;) {
        for (size_t i = 0; i < sizeof row; i++)
            row[i] = (uint8_t)(i * 11 + jpeg.next_scanline * 40);
        jpeg_write_scanlines(&jpeg, (JSAMPROW[]){ row }, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    add_bytes(&file, bytes, size);
    free(bytes);
    return file;
}

static struct file make_text(const char *text, size_t pixels)
{
    struct file file = { 0 };
    add_bytes(&file, text, strlen(text));
    for (size_t i = 0; i < pixels; i++)
        add_bytes(&file, &(uint8_t){ (uint8_t)(i * 7) }, 1);
    return file;
}

/* One of each kind. */
#define KINDS 4

static struct file make_kind(size_t kind)
{
    return kind == 0   ? usual_png()
           : kind == 1 ? make_jpeg(false)
           : kind == 2 ? make_jpeg(true)
                       : make_text("P6\n# size\n7 5\n255\n", (size_t)3 * WIDTH * HEIGHT);
}

/* Decodes a copy of the file's exact size, so that a sanitizer sees reads past its end. */
static enum pst_status decode(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                              struct pst_error *error)
{
    uint8_t *copy = malloc(size + (size == 0));
    assert_non_null(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    *error = (struct pst_error){ 0 };
    enum pst_status status = pst_picture_decode(picture, copy, size, error);
    free(copy);
    return status;
}

static void assert_refused(const struct file *file, const char *words)
{
    struct pst_picture picture = { 0 };
    struct pst_error error;
    assert_int_equal(decode(&picture, file->bytes, file->size, &error), PST_BAD_DATA);
    if (strstr(error.message, words) == NULL)
        fail_msg("'%s' is not in '%s'", words, error.message);
    assert_int_equal(picture.pixels.capacity, 0);
    pst_picture_free(&picture);
}

static void every_kind_is_read(void **state)
{
    (void)state;
    struct pst_picture picture = { 0 };
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct file file = make_kind(kind);
        struct pst_error error;
        if (decode(&picture, file.bytes, file.size, &error) != PST_OK)
            fail_msg("%zu: %s", kind, error.message);
        assert_int_equal(picture.width, WIDTH);
        assert_int_equal(picture.height, HEIGHT);
        assert_int_equal(picture.channels, 3);
    }
    pst_picture_free(&picture);
}

static void a_file_that_is_cut_off_anywhere_is_refused(void **state)
{
    (void)state;
    struct pst_picture picture = { 0 };
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct file file = make_kind(kind);
        size_t end =
            file.size - (kind == 0 ? 4 : 0); /* a PNG's last four bytes are the checksum of nothing */
        for (size_t size = 0; size < end; size++) {
            struct pst_error error;
            if (decode(&picture, file.bytes, size, &error) != PST_BAD_DATA)
                fail_msg("kind %zu, %zu of %zu bytes are read", kind, size, file.size);
            assert_true(error.message[0] != '\0');
        }
    }
    pst_picture_free(&picture);
}

static void damaged_bytes_are_read_or_refused(void **state)
{
    (void)state;
    struct pst_picture picture = { 0 };
    struct pst_random random;
    for (size_t kind = 0; kind < KINDS; kind++) {
        const struct file whole = make_kind(kind);
        for (uint64_t i = 0; i < 2000; i++) {
            struct file file = whole;
            struct pst_error error;
            pst_random_start(&random, 5, 1000, kind, i);
            for (uint64_t k = pst_random_below(&random, 4) + 1; k > 0; k--)
                file.bytes[pst_random_below(&random, file.size)] ^=
                    (uint8_t)(1 + pst_random_below(&random, 255));
            enum pst_status status = decode(&picture, file.bytes, file.size, &error);
            assert_true(status == PST_OK || (status == PST_BAD_DATA && error.message[0] != '\0'));
            assert_true(status != PST_OK ||
                        picture.width * picture.height * picture.channels <= picture.pixels.capacity);
        }
    }
    pst_picture_free(&picture);
}

static void absurd_sizes_are_refused_before_memory_is_reserved(void **state)
{
    (void)state;
    struct file file = make_png(0x7fffffff, 0x7fffffff, 10);
    assert_refused(&file, "it announces more pixels; at most 67108864 are read");
    file = make_png((1 << 26) + 1, 1, 10);
    assert_refused(&file, "at most 67108864 are read");
    file = make_png(1 << 14, (1 << 12) + 1, 10);
    assert_refused(&file, "it announces 16384 by 4097 pixels; at most 67108864 are read");
    file = make_png(1 << 26, 1 << 26, 10);
    assert_refused(&file, "at most 67108864 are read");
    file = make_png(0, 5, 10);
    assert_refused(&file, "damaged PNG");
    file = make_text("P5 2147483647 2147483647 255\n", 0);
    assert_refused(&file, "at most 67108864 are read");
    file = make_text("P5 99999999999999999999 1 255\n", 0);
    assert_refused(&file, "damaged PPM or PGM");
    file = make_text("P5 0 1 255\n", 0);
    assert_refused(&file, "it announces 0 by 1 pixels");
    file = make_jpeg(false);
    for (size_t i = 0; i + 9 < file.size; i++) /* the frame's header: its length, 8, height, width */
        if (file.bytes[i] == 0xff && file.bytes[i + 1] == 0xc0)
            memset(file.bytes + i + 5, 0x80, 4);
    assert_refused(&file, "at most 67108864 are read");
}

static void other_files_are_refused_with_a_reason(void **state)
{
    (void)state;
    struct file file = { 0 };
    assert_refused(&file, "it is empty");
    file = make_text("GIF89a", 100);
    assert_refused(&file, "it begins neither as PNG nor as JPEG, PPM (P6) or PGM (P5)");
    file = make_text("P6 7 5 65535\n", 210);
    assert_refused(&file, "numbers up to 65535; those up to 255 are read");
    file = make_text("P6 7 5 0\n", 105);
    assert_refused(&file, "numbers up to 0");
    file = make_text("P6 7 # no end", 0);
    assert_refused(&file, "damaged PPM or PGM");
}

static void another_size_than_is_wanted_is_refused(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < KINDS; kind++) {
        struct file file = make_kind(kind);
        struct pst_picture picture = { .only_width = 8, .only_height = HEIGHT };
        struct pst_error error;
        assert_int_equal(decode(&picture, file.bytes, file.size, &error), PST_BAD_DATA);
        assert_string_equal(error.message, "it has 7 by 5 pixels, but the first picture has 8 by 5; --resize "
                                           "gives all one size");
        assert_int_equal(picture.pixels.capacity, 0);
    }
}

/* 1 by 1 pixel, followed by as many bytes as compress best. */
static void pixels_that_nothing_announces_are_not_unpacked(void **state)
{
    (void)state;
    struct file file = make_png(1, 1, 1000000);
    struct pst_picture picture = { 0 };
    struct pst_error error;
    (void)decode(&picture, file.bytes, file.size, &error);
    assert_in_range(picture.pixels.capacity, 0, PST_ALIGNMENT);
    pst_picture_free(&picture);
}

static void a_picture_too_narrow_to_be_stretched_is_refused(void **state)
{
    (void)state;
    struct pst_picture picture = { 0 };
    struct pst_resizing resizing = { 0 };
    struct pst_error error = { 0 };
    assert_int_equal(pst_picture_settle(&picture, 1, 1 << 20, 1, &error), PST_OK);
    memset(picture.pixels.data, 200, 1 << 20);
    assert_int_equal(pst_picture_resize(&picture, &resizing, 65, 1, &error), PST_BAD_DATA);
    assert_non_null(strstr(error.message, "cannot become 65 by 1"));
    assert_int_equal(pst_picture_resize(&picture, &resizing, 4, 3, &error), PST_OK);
    for (size_t i = 0; i < 12; i++)
        assert_int_equal(((const uint8_t *)picture.pixels.data)[i], 200);
    assert_int_equal(pst_picture_settle(&picture, 1, 1, 1 << 22, &error), PST_OK);
    memset(picture.pixels.data, 200, 1 << 22);
    assert_int_equal(pst_picture_resize(&picture, &resizing, 1, 1, &error), PST_OK);
    assert_int_equal(((const uint8_t *)picture.pixels.data)[0], 200);
    pst_picture_free(&picture);
    pst_resizing_free(&resizing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_is_read),
        cmocka_unit_test(a_file_that_is_cut_off_anywhere_is_refused),
        cmocka_unit_test(damaged_bytes_are_read_or_refused),
        cmocka_unit_test(absurd_sizes_are_refused_before_memory_is_reserved),
        cmocka_unit_test(other_files_are_refused_with_a_reason),
        cmocka_unit_test(another_size_than_is_wanted_is_refused),
        cmocka_unit_test(pixels_that_nothing_announces_are_not_unpacked),
        cmocka_unit_test(a_picture_too_narrow_to_be_stretched_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

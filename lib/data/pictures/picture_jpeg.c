/*
 * JPEG by libjpeg-turbo. On an error the library would end the program; here it jumps back into decode_image
 * instead. Nothing else in pipestill jumps. Damage that the library would paint over is an error, too.
 */
#include "lib/data/pictures/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>

#include <jerror.h>

#define MOST_SCANS 100 /* of a progressive picture: each goes over all pixels, even if it has few bytes */
#define MOST_MEMORY                                                                        \
    ((long)(PST_PICTURE_MOST_PIXELS * 6 + (1 << 20))) /* coefficients of a progressive one \
                                                       */

/* The state of decoding a picture. The library uses only the first member. */
struct decoder {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf out;
    struct pst_buffer inks; /* a row of cyan, magenta, yellow and black */
    enum pst_status status;
    struct pst_error *error;
};

static bool begins(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

/* ---- errors ------------------------------------------------------------------------------------------ */

static struct decoder *decoder_of(j_common_ptr jpeg)
{
    return (struct decoder *)jpeg;
}

static _Noreturn void leave(j_common_ptr jpeg)
{
    struct decoder *decoder = decoder_of(jpeg);
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    decoder->status = jpeg->err->msg_code == JERR_OUT_OF_MEMORY
                          ? pst_fail(decoder->error, PST_TRY_AGAIN, "out of memory for a JPEG picture")
                          : pst_fail(decoder->error, PST_BAD_DATA, "damaged JPEG: %s", text);
    longjmp(decoder->out, 1);
}

/* Missing or damaged parts would have grey or wrong pixels. Too many bytes do no harm. */
static void warn(j_common_ptr jpeg, int level)
{
    int code = jpeg->err->msg_code;
    bool damage = code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
                  code == JWRN_ARITH_BAD_CODE || code == JWRN_MUST_RESYNC;
    if (level < 0 && damage)
        leave(jpeg);
}

static void say_nothing(j_common_ptr jpeg)
{
    (void)jpeg;
}

static void watch(j_common_ptr jpeg)
{
    struct decoder *decoder = decoder_of(jpeg);
    if (decoder->jpeg.input_scan_number <= MOST_SCANS)
        return;
    decoder->status = pst_fail(decoder->error, PST_BAD_DATA, "damaged JPEG: more than %d scans", MOST_SCANS);
    longjmp(decoder->out, 1);
}

/* ---- pixels ------------------------------------------------------------------------------------------ */

/* Which colours the library gives: grey, colour, or the four inks of print, which it does not mix. */
static size_t choose_colours(struct jpeg_decompress_struct *jpeg)
{
    if (jpeg->jpeg_color_space == JCS_GRAYSCALE)
        jpeg->out_color_space = JCS_GRAYSCALE;
    else if (jpeg->jpeg_color_space == JCS_CMYK || jpeg->jpeg_color_space == JCS_YCCK)
        jpeg->out_color_space = JCS_CMYK;
    else
        jpeg->out_color_space = JCS_RGB;
    return jpeg->jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
}

/* a · b / 255, rounded. */
static unsigned share(unsigned a, unsigned b)
{
    unsigned product = a * b + 128;
    return ((product >> 8) + product) >> 8;
}

/* Mixes inks as Pillow does. inverted: as Adobe writes them. */
static void mix(const uint8_t *inks, size_t width, bool inverted, uint8_t *pixels)
{
    for (size_t i = 0; i < width; i++) {
        unsigned turn = inverted ? 255 : 0, light = 255 - (inks[4 * i + 3] ^ turn);
        for (size_t k = 0; k < 3; k++)
            pixels[3 * i + k] = (uint8_t)(light - share(inks[4 * i + k] ^ turn, light));
    }
}

static enum pst_status read_rows(struct decoder *decoder, struct pst_picture *picture)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    bool printed = jpeg->out_color_space == JCS_CMYK;
    size_t row = picture->width * picture->channels;
    if (printed && pst_buffer_reserve(&decoder->inks, 4 * picture->width, 0, decoder->error) != PST_OK)
        return PST_TRY_AGAIN;
    while (jpeg->output_scanline < jpeg->output_height) {
        uint8_t *pixels = (uint8_t *)picture->pixels.data + jpeg->output_scanline * row;
        JSAMPROW into = printed ? decoder->inks.data : pixels;
        jpeg_read_scanlines(jpeg, &into, 1);
        if (printed)
            mix(into, picture->width, jpeg->saw_Adobe_marker != 0, pixels);
    }
    return PST_OK;
}

static enum pst_status decode_image(struct decoder *decoder, struct pst_picture *picture,
                                    const uint8_t *bytes, size_t size)
{
    struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
    if (setjmp(decoder->out) != 0)
        return decoder->status;
    jpeg_create_decompress(jpeg);
    jpeg->mem->max_memory_to_use = MOST_MEMORY;
    jpeg->progress = &decoder->progress;
    jpeg_mem_src(jpeg, bytes, size);
    (void)jpeg_read_header(jpeg, TRUE);
    size_t channels = choose_colours(jpeg);
    enum pst_status status =
        pst_picture_settle(picture, jpeg->image_width, jpeg->image_height, channels, decoder->error);
    if (status != PST_OK)
        return status;
    (void)jpeg_start_decompress(jpeg);
    status = read_rows(decoder, picture);
    if (status == PST_OK)
        (void)jpeg_finish_decompress(jpeg);
    return status;
}

static enum pst_status decode(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                              struct pst_error *error)
{
    struct decoder decoder = { .error = error, .progress.progress_monitor = watch };
    decoder.jpeg.err = jpeg_std_error(&decoder.errors);
    decoder.errors.error_exit = leave;
    decoder.errors.emit_message = warn;
    decoder.errors.output_message = say_nothing;
    enum pst_status status = decode_image(&decoder, picture, bytes, size);
    jpeg_destroy_decompress(&decoder.jpeg);
    pst_buffer_free(&decoder.inks);
    return status;
}

const struct pst_picture_kind pst_picture_jpeg = { begins, decode };

/* PNG by libspng. Of 16 bits a channel the upper 8 are kept, and transparency is dropped, both as Pillow's
 * convert("RGB") does. */
#include "lib/data/pictures/picture.h"

#include <spng.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CHUNK ((size_t)1 << 24) /* bytes of texts, profiles and the like, which are not used */

/* The library, and zlib below it, may report a shortage of memory as damage, so it is marked. */
static void *marking_realloc(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (grown == NULL)
        pst_mark_shortage();
    return grown;
}

static void *marking_calloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL)
        pst_mark_shortage();
    return memory;
}

static bool begins(const uint8_t *bytes, size_t size)
{
    return size >= 8 && memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) == 0;
}

static enum pst_status failure(int code, struct pst_error *error)
{
    if (code == SPNG_EMEM || pst_memory_ran_short())
        return pst_fail(error, PST_TRY_AGAIN, "out of memory for a PNG picture");
    if (code == SPNG_EUSER_WIDTH || code == SPNG_EUSER_HEIGHT)
        return pst_fail(error, PST_BAD_DATA, "it announces more pixels; at most %zu are read",
                        PST_PICTURE_MOST_PIXELS);
    const char *why = code == SPNG_IO_EOF ? "it ends early" : spng_strerror(code);
    return pst_fail(error, PST_BAD_DATA, "damaged PNG: %s", why);
}

/* libspng gives grey of 16 bits, or with transparency, as colour only. */
static void keep_first_channel(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pixels[i] = pixels[3 * i];
}

static enum pst_status decode_image(spng_ctx *context, struct pst_picture *picture, struct pst_error *error)
{
    struct spng_ihdr header;
    size_t size;
    int code = spng_get_ihdr(context, &header);
    if (code != 0)
        return failure(code, error);
    bool grey = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE ||
                header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA;
    bool plain = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && header.bit_depth <= 8;
    int format = plain ? SPNG_FMT_G8 : SPNG_FMT_RGB8;
    enum pst_status status = pst_picture_settle(picture, header.width, header.height, plain ? 1 : 3, error);
    if (status != PST_OK)
        return status;
    code = spng_decoded_image_size(context, format, &size);
    if (code == 0 && size > picture->pixels.capacity)
        return pst_fail(error, PST_BAD_DATA, "damaged PNG: %zu bytes of pixels", size);
    if (code == 0)
        code = spng_decode_image(context, picture->pixels.data, size, format, 0);
    if (code == 0)
        code = spng_decode_chunks(context); /* to the end of the file, which may be missing */
    if (code != 0)
        return failure(code, error);
    if (grey && !plain) {
        keep_first_channel(picture->pixels.data, picture->width * picture->height);
        picture->channels = 1;
    }
    return PST_OK;
}

static enum pst_status decode(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                              struct pst_error *error)
{
    struct spng_alloc memory = { pst_marking_malloc, marking_realloc, marking_calloc, free };
    spng_ctx *context = spng_ctx_new2(&memory, 0);
    if (context == NULL)
        return failure(SPNG_EMEM, error);
    int code = spng_set_image_limits(context, PST_PICTURE_MOST_PIXELS, PST_PICTURE_MOST_PIXELS);
    if (code == 0)
        code = spng_set_chunk_limits(context, MOST_CHUNK, MOST_CHUNK);
    if (code == 0)
        code = spng_set_png_buffer(context, bytes, size);
    enum pst_status status = code == 0 ? decode_image(context, picture, error) : failure(code, error);
    spng_ctx_free(context);
    return status;
}

const struct pst_picture_kind pst_picture_png = { begins, decode };

/* Pictures: which kind a file is, and what is done with the pixels of all kinds. */
#include "lib/data/pictures/picture.h"

#include <string.h>

enum pst_status pst_picture_settle(struct pst_picture *picture, size_t width, size_t height, size_t channels,
                                   struct pst_error *error)
{
    size_t pixels;
    if (width == 0 || height == 0)
        return pst_fail(error, PST_BAD_DATA, "it announces %zu by %zu pixels", width, height);
    if (!pst_multiply(width, height, &pixels) || pixels > PST_PICTURE_MOST_PIXELS)
        return pst_fail(error, PST_BAD_DATA, "it announces %zu by %zu pixels; at most %zu are read", width,
                        height, PST_PICTURE_MOST_PIXELS);
    if (picture->only_width > 0 && (width != picture->only_width || height != picture->only_height))
        return pst_fail(
            error, PST_BAD_DATA,
            "it has %zu by %zu pixels, but the first picture has %zu by %zu; --resize gives all one size",
            width, height, picture->only_width, picture->only_height);
    picture->width = width;
    picture->height = height;
    picture->channels = channels;
    return pst_buffer_reserve(&picture->pixels, pixels * channels, 0, error);
}

enum pst_status pst_picture_decode(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                                   struct pst_error *error)
{
    static const struct pst_picture_kind *const kinds[] = { &pst_picture_png, &pst_picture_jpeg,
                                                            &pst_picture_pnm };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i]->begins(bytes, size))
            return kinds[i]->decode(picture, bytes, size, error);
    if (size == 0)
        return pst_fail(error, PST_BAD_DATA, "it is empty");
    return pst_fail(error, PST_BAD_DATA, "it begins neither as PNG nor as JPEG, PPM (P6) or PGM (P5)");
}

void pst_picture_free(struct pst_picture *picture)
{
    pst_buffer_free(&picture->pixels);
    *picture = (struct pst_picture){ 0 };
}

static void make_grey(uint8_t *pixels, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *rgb = pixels + 3 * i;
        pixels[i] = (uint8_t)((rgb[0] * 19595U + rgb[1] * 38470U + rgb[2] * 7471U + 0x8000U) >> 16);
    }
}

/* Begins at the end, because every pixel grows. */
static void make_colour(uint8_t *pixels, size_t count)
{
    for (size_t i = count; i-- > 0;)
        pixels[3 * i] = pixels[3 * i + 1] = pixels[3 * i + 2] = pixels[i];
}

enum pst_status pst_picture_recolour(struct pst_picture *picture, size_t channels, struct pst_error *error)
{
    size_t pixels = picture->width * picture->height;
    if (picture->channels == channels)
        return PST_OK;
    enum pst_status status = pst_buffer_reserve(&picture->pixels, pixels * channels, pixels, error);
    if (status != PST_OK)
        return status;
    if (channels == 1)
        make_grey(picture->pixels.data, pixels);
    else
        make_colour(picture->pixels.data, pixels);
    picture->channels = channels;
    return PST_OK;
}

void pst_picture_planes(const struct pst_picture *picture, uint8_t *planes)
{
    const uint8_t *pixels = picture->pixels.data;
    size_t count = picture->width * picture->height;
    if (picture->channels == 1)
        memcpy(planes, pixels, count);
    for (size_t i = 0; i < count && picture->channels == 3; i++) {
        planes[i] = pixels[3 * i];
        planes[count + i] = pixels[3 * i + 1];
        planes[2 * count + i] = pixels[3 * i + 2];
    }
}

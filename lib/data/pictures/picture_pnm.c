/* PPM and PGM of one byte a number: "P6" or "P5", width, height and the largest number as text, then pixels.
 */
#include "lib/data/pictures/picture.h"

#include <string.h>

#define MOST_NUMBER 0x7fffffff

static bool is_white(uint8_t byte)
{
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool begins(const uint8_t *bytes, size_t size)
{
    return size >= 3 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6') &&
           (is_white(bytes[2]) || bytes[2] == '#');
}

/* Reads a number of the header, behind white space and comments, which go to the end of their lines. */
static bool take_number(const uint8_t *bytes, size_t size, size_t *at, size_t *number)
{
    while (*at < size && (is_white(bytes[*at]) || bytes[*at] == '#')) {
        bool comment = bytes[(*at)++] == '#';
        while (comment && *at < size && bytes[*at] != '\n')
            (*at)++;
    }
    size_t begin = *at;
    *number = 0;
    for (; *at < size && bytes[*at] >= '0' && bytes[*at] <= '9' && *number <= MOST_NUMBER; (*at)++)
        *number = 10 * *number + (bytes[*at] - '0');
    return *at > begin && *number <= MOST_NUMBER;
}

/* Stretches numbers from 0 … most to 0 … 255, half to even. */
static void stretch(uint8_t *pixels, size_t count, size_t most)
{
    uint8_t levels[256];
    for (size_t i = 0; i < 256; i++) {
        size_t product = (i < most ? i : most) * 255, level = product / most, rest = product % most;
        levels[i] = (uint8_t)(level + (2 * rest > most || (2 * rest == most && level % 2 == 1)));
    }
    for (size_t i = 0; i < count; i++)
        pixels[i] = levels[pixels[i]];
}

static enum pst_status decode(struct pst_picture *picture, const uint8_t *bytes, size_t size,
                              struct pst_error *error)
{
    size_t at = 2, width, height, most;
    if (!take_number(bytes, size, &at, &width) || !take_number(bytes, size, &at, &height) ||
        !take_number(bytes, size, &at, &most) || at >= size || !is_white(bytes[at]))
        return pst_fail(error, PST_BAD_DATA, "damaged PPM or PGM: byte %zu of its header", at);
    at++;
    if (most < 1 || most > 255)
        return pst_fail(error, PST_BAD_DATA, "a PPM or PGM of numbers up to %zu; those up to 255 are read",
                        most);
    enum pst_status status = pst_picture_settle(picture, width, height, bytes[1] == '6' ? 3 : 1, error);
    if (status != PST_OK)
        return status;
    size_t count = width * height * picture->channels;
    if (size - at < count)
        return pst_fail(error, PST_BAD_DATA, "damaged PPM or PGM: %zu bytes of pixels, but it announces %zu",
                        size - at, count);
    memcpy(picture->pixels.data, bytes + at, count);
    if (most < 255)
        stretch(picture->pixels.data, count, most);
    return PST_OK;
}

const struct pst_picture_kind pst_picture_pnm = { begins, decode };

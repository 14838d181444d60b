/* Other sizes for pictures: first the width, then the height, by the same function. */
#include "lib/data/pictures/picture.h"

#include <string.h>

#define MANY 4096 /* weights, whose rounding errors would add up */
#define PLACES 22 /* binary places of weights: with 8 bits of a pixel and a sign they fill 32 bits */

/* One direction: how many old pixels become how many new ones. */
struct direction {
    size_t from, to;
    size_t most;         /* old pixels that count for a new one, at most */
    const size_t *first; /* [to] */
    const int32_t *taps; /* [to, most]; 0: does not count */
};

static double triangle(double x)
{
    x = x < 0 ? -x : x;
    return x < 1 ? 1 - x : 0;
}

/* The weights of one new pixel. */
static void weigh(const struct direction *way, size_t to, double scale, double reach, size_t *first,
                  int32_t *taps)
{
    double centre = ((double)to + 0.5) * scale, low = centre - reach + 0.5, sum = 0;
    size_t begin = low > 0 ? (size_t)low : 0, end = (size_t)(centre + reach + 0.5);
    if (end > way->from)
        end = way->from;
    for (size_t i = begin; i < end; i++)
        sum += triangle(((double)i - centre + 0.5) * (1 / reach));
    double so_far = 0;
    int32_t given = 0;
    for (size_t i = begin; i < end; i++) {
        double weight = triangle(((double)i - centre + 0.5) * (1 / reach)) / sum;
        so_far = end - begin > MANY ? so_far + weight : weight;
        int32_t rounded = (int32_t)(0.5 + so_far * (1 << PLACES));
        taps[i - begin] = rounded - given;
        given = end - begin > MANY ? rounded : 0;
    }
    *first = begin;
}

static enum pst_status prepare(struct direction *way, struct pst_buffer *first, struct pst_buffer *taps,
                               struct pst_error *error)
{
    double scale = (double)way->from / (double)way->to, reach = scale > 1 ? scale : 1;
    way->most = 2 * ((size_t)reach + 1) + 1;
    size_t count = way->to * way->most;
    if (pst_buffer_reserve(first, way->to * sizeof(size_t), 0, error) != PST_OK ||
        pst_buffer_reserve(taps, count * sizeof(int32_t), 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    memset(taps->data, 0, count * sizeof(int32_t));
    for (size_t i = 0; i < way->to; i++)
        weigh(way, i, scale, reach, (size_t *)first->data + i, (int32_t *)taps->data + i * way->most);
    way->first = first->data;
    way->taps = taps->data;
    return PST_OK;
}

/* The mean of old pixels, `step` bytes apart. */
static uint8_t mean(const struct direction *way, size_t to, const uint8_t *from, size_t step)
{
    size_t first = way->first[to], count = way->most < way->from - first ? way->most : way->from - first;
    const int32_t *taps = way->taps + to * way->most;
    int32_t sum = 1 << (PLACES - 1);
    for (size_t i = 0; i < count; i++)
        sum += taps[i] * from[(first + i) * step];
    sum >>= PLACES;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

/* [rows, from, channels] becomes [rows, to, channels]. */
static void change_width(const struct direction *way, const uint8_t *from, uint8_t *to, size_t rows,
                         size_t channels)
{
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < way->to; i++)
            for (size_t k = 0; k < channels; k++)
                to[(row * way->to + i) * channels + k] =
                    mean(way, i, from + row * way->from * channels + k, channels);
}

/* [from, row] becomes [to, row]. */
static void change_height(const struct direction *way, const uint8_t *from, uint8_t *to, size_t row)
{
    for (size_t i = 0; i < way->to; i++)
        for (size_t k = 0; k < row; k++)
            to[i * row + k] = mean(way, i, from + k, row);
}

static void exchange(struct pst_buffer *a, struct pst_buffer *b)
{
    struct pst_buffer kept = *a;
    *a = *b;
    *b = kept;
}

enum pst_status pst_picture_resize(struct pst_picture *picture, struct pst_resizing *resizing, size_t width,
                                   size_t height, struct pst_error *error)
{
    size_t channels = picture->channels, half = picture->height * width;
    struct direction across = { .from = picture->width, .to = width },
                     down = { .from = picture->height, .to = height };
    if (half > PST_PICTURE_MOST_PIXELS)
        return pst_fail(error, PST_BAD_DATA,
                        "it has %zu by %zu pixels, which cannot become %zu by %zu: in between it would have "
                        "more than %zu",
                        picture->width, picture->height, width, height, PST_PICTURE_MOST_PIXELS);
    enum pst_status status = PST_OK;
    if (width != picture->width) {
        status = prepare(&across, &resizing->first[0], &resizing->taps[0], error);
        if (status == PST_OK)
            status = pst_buffer_reserve(&resizing->half, half * channels, 0, error);
        if (status != PST_OK)
            return status;
        change_width(&across, picture->pixels.data, resizing->half.data, picture->height, channels);
        exchange(&picture->pixels, &resizing->half);
        picture->width = width;
    }
    if (height != picture->height) {
        status = prepare(&down, &resizing->first[1], &resizing->taps[1], error);
        if (status == PST_OK)
            status = pst_buffer_reserve(&resizing->whole, width * height * channels, 0, error);
        if (status != PST_OK)
            return status;
        change_height(&down, picture->pixels.data, resizing->whole.data, width * channels);
        exchange(&picture->pixels, &resizing->whole);
        picture->height = height;
    }
    return PST_OK;
}

void pst_resizing_free(struct pst_resizing *resizing)
{
    pst_buffer_free(&resizing->half);
    pst_buffer_free(&resizing->whole);
    for (size_t i = 0; i < 2; i++) {
        pst_buffer_free(&resizing->first[i]);
        pst_buffer_free(&resizing->taps[i]);
    }
    *resizing = (struct pst_resizing){ 0 };
}

/* Windows that move over maps. */
#include "lib/nn/layers/window.h"

#include <string.h>

/* How many places a kernel spans, with its dilation. */
static size_t span_of(const struct pst_window *window, size_t side)
{
    return window->dilation[side] * (window->kernel[side] - 1) + 1;
}

static const char *settle_side(struct pst_window *window, size_t side, struct pst_settling *settling)
{
    static const char *const names[] = { "high", "wide" };
    size_t span = span_of(window, side), padded = window->in[side] + 2 * window->pad[side];
    if (window->pad[side] >= span)
        return pst_unfit(settling, "has a padding of %zu, but its kernel is %zu %s, so at most %zu is of use",
                         window->pad[side], span, names[side], span - 1);
    if (padded < span)
        return pst_unfit(settling, "has a kernel %zu %s, but its input is only %zu %s with padding", span,
                         names[side], padded, names[side]);
    window->out[side] = (padded - span) / window->stride[side] + 1;
    return NULL;
}

const char *pst_window_settle(struct pst_window *window, struct pst_layer *layer, size_t channels,
                              struct pst_settling *settling)
{
    if (layer->in.rank != 3)
        return "takes channels, height and width, such as 3x32x32";
    for (size_t side = 0; side < 2; side++) {
        window->in[side] = layer->in.size[1 + side];
        const char *wrong = settle_side(window, side, settling);
        if (wrong != NULL)
            return wrong;
    }
    layer->out = (struct pst_shape){ .rank = 3, .size = { channels, window->out[0], window->out[1] } };
    return NULL;
}

struct pst_reach pst_window_reach(const struct pst_window *window, size_t side, size_t out)
{
    size_t start = out * window->stride[side], pad = window->pad[side], dilation = window->dilation[side];
    size_t end = window->in[side] + pad; /* the window is inside from pad up to here, counted from start */
    struct pst_reach reach = { start >= pad ? 0 : (pad - start + dilation - 1) / dilation,
                               start >= end ? 0 : (end - start + dilation - 1) / dilation };
    if (reach.end > window->kernel[side])
        reach.end = window->kernel[side];
    if (reach.first > reach.end)
        reach.first = reach.end;
    return reach;
}

struct pst_reach pst_window_outputs(const struct pst_window *window, size_t side, size_t k)
{
    size_t before = k * window->dilation[side], pad = window->pad[side], stride = window->stride[side];
    size_t end = window->in[side] + pad;
    struct pst_reach reach = { before >= pad ? 0 : (pad - before + stride - 1) / stride,
                               before >= end ? 0 : (end - before + stride - 1) / stride };
    if (reach.end > window->out[side])
        reach.end = window->out[side];
    if (reach.first > reach.end)
        reach.first = reach.end;
    return reach;
}

/* One place of the kernel: the outputs for which it is inside of the maps, and the first one's input. */
struct place {
    struct pst_reach down, across;
    size_t from; /* in a map */
};

static struct place place_of(const struct pst_window *window, size_t i, size_t j)
{
    struct place place = { pst_window_outputs(window, 0, i), pst_window_outputs(window, 1, j), 0 };
    if (place.down.first < place.down.end && place.across.first < place.across.end)
        place.from = pst_window_at(window, 0, place.down.first, i) * window->in[1] +
                     pst_window_at(window, 1, place.across.first, j);
    else
        place.down = place.across = (struct pst_reach){ 0 };
    return place;
}

/* One row of columns from one map. */
static void spread_row(const struct pst_window *window, const struct place *place, const float *map,
                       float *row)
{
    const struct pst_reach down = place->down, across = place->across;
    size_t width = window->out[1], stride = window->stride[1], count = across.end - across.first;
    memset(row, 0, down.first * width * sizeof *row);
    const float *from = map + place->from;
    for (size_t y = down.first; y < down.end; y++, from += window->stride[0] * window->in[1]) {
        float *to = row + y * width;
        for (size_t x = 0; x < across.first; x++)
            to[x] = 0;
        for (size_t x = across.end; x < width; x++)
            to[x] = 0;
        if (stride == 1)
            memcpy(to + across.first, from, count * sizeof *to);
        for (size_t x = 0; stride > 1 && x < count; x++)
            to[across.first + x] = from[x * stride];
    }
    memset(row + down.end * width, 0, (window->out[0] - down.end) * width * sizeof *row);
}

static void gather_row(const struct pst_window *window, const struct place *place, const float *row,
                       float *map)
{
    const struct pst_reach down = place->down, across = place->across;
    size_t stride = window->stride[1], count = across.end - across.first;
    float *to = map + place->from;
    for (size_t y = down.first; y < down.end; y++, to += window->stride[0] * window->in[1]) {
        const float *from = row + y * window->out[1] + across.first;
        if (stride == 1)
            for (size_t x = 0; x < count; x++)
                to[x] += from[x];
        for (size_t x = 0; stride > 1 && x < count; x++)
            to[x * stride] += from[x];
    }
}

void pst_window_spread(const struct pst_window *window, const float *maps, size_t channels, float *columns,
                       size_t pitch)
{
    size_t area = window->in[0] * window->in[1], places = window->kernel[0] * window->kernel[1];
    for (size_t k = 0; k < places; k++) {
        struct place place = place_of(window, k / window->kernel[1], k % window->kernel[1]);
        for (size_t c = 0; c < channels; c++)
            spread_row(window, &place, maps + c * area, columns + (c * places + k) * pitch);
    }
}

void pst_window_gather(const struct pst_window *window, const float *columns, size_t channels, float *maps,
                       size_t pitch)
{
    size_t area = window->in[0] * window->in[1], places = window->kernel[0] * window->kernel[1];
    for (size_t k = 0; k < places; k++) {
        struct place place = place_of(window, k / window->kernel[1], k % window->kernel[1]);
        for (size_t c = 0; c < channels; c++)
            gather_row(window, &place, columns + (c * places + k) * pitch, maps + c * area);
    }
}

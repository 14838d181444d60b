/* Windows that move over maps. */
#include "lib/nn/layers/window.h"

#include <string.h>

/* What a kernel reaches over, with its dilation. */
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

/* One row of columns from one map. */
static void spread_row(const struct pst_window *window, const float *map, size_t i, size_t j, float *row)
{
    struct pst_reach down = pst_window_outputs(window, 0, i), across = pst_window_outputs(window, 1, j);
    size_t width = window->out[1], stride = window->stride[1];
    memset(row, 0, down.first * width * sizeof *row);
    for (size_t y = down.first; y < down.end; y++) {
        float *to = row + y * width;
        memset(to, 0, across.first * sizeof *to);
        memset(to + across.end, 0, (width - across.end) * sizeof *to);
        if (across.first == across.end)
            continue;
        const float *from =
            map + pst_window_at(window, 0, y, i) * window->in[1] + pst_window_at(window, 1, across.first, j);
        if (stride == 1)
            memcpy(to + across.first, from, (across.end - across.first) * sizeof *to);
        for (size_t x = across.first; stride > 1 && x < across.end; x++)
            to[x] = from[(x - across.first) * stride];
    }
    memset(row + down.end * width, 0, (window->out[0] - down.end) * width * sizeof *row);
}

static void gather_row(const struct pst_window *window, const float *row, size_t i, size_t j, float *map)
{
    struct pst_reach down = pst_window_outputs(window, 0, i), across = pst_window_outputs(window, 1, j);
    size_t stride = window->stride[1], count = across.end - across.first;
    for (size_t y = down.first; y < down.end && count > 0; y++) {
        const float *from = row + y * window->out[1] + across.first;
        float *to =
            map + pst_window_at(window, 0, y, i) * window->in[1] + pst_window_at(window, 1, across.first, j);
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
    for (size_t c = 0; c < channels; c++, maps += window->in[0] * window->in[1])
        for (size_t i = 0; i < window->kernel[0]; i++)
            for (size_t j = 0; j < window->kernel[1]; j++, columns += pitch)
                spread_row(window, maps, i, j, columns);
}

void pst_window_gather(const struct pst_window *window, const float *columns, size_t channels, float *maps,
                       size_t pitch)
{
    for (size_t c = 0; c < channels; c++, maps += window->in[0] * window->in[1])
        for (size_t i = 0; i < window->kernel[0]; i++)
            for (size_t j = 0; j < window->kernel[1]; j++, columns += pitch)
                gather_row(window, columns, i, j, maps);
}

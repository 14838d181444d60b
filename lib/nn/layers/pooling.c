/* What the poolings over windows have in common. */
#include "lib/nn/layers/pooling.h"
#include "lib/nn/layers/words.h"

#include <string.h>

static const struct pst_word_key keys[] = {
    { "stride", PST_KEY_PAIR, offsetof(struct pst_window, stride), 1, 4095 },
    { "pad", PST_KEY_PAIR, offsetof(struct pst_window, pad), 0, 4095 },
    { 0 },
};

bool pst_pooling_parse(const char *name, const char *word, struct pst_window *window)
{
    size_t length = strlen(name);
    if (strncmp(word, name, length) != 0)
        return false;
    word += length;
    if (!pst_word_pair(&word, window->kernel) || window->kernel[0] == 0 || window->kernel[1] == 0 ||
        !pst_word_keys(word, keys, window))
        return false;
    for (size_t side = 0; side < 2; side++) {
        window->dilation[side] = 1;
        if (window->stride[side] == 0)
            window->stride[side] = window->kernel[side];
    }
    return true;
}

void pst_pooling_describe(const char *name, const struct pst_window *window, FILE *text)
{
    fprintf(text, "%s%zux%zu", name, window->kernel[0], window->kernel[1]);
    if (window->stride[0] != window->kernel[0] || window->stride[1] != window->kernel[1])
        pst_word_write_pair(text, ",stride=", window->stride);
    if (window->pad[0] > 0 || window->pad[1] > 0)
        pst_word_write_pair(text, ",pad=", window->pad);
}

struct pst_pooling_place pst_pooling_place(const struct pst_window *window, size_t at)
{
    size_t width = window->out[1], area = window->out[0] * width;
    size_t y = at / width % window->out[0], x = at % width;
    return (struct pst_pooling_place){ .at = at,
                                       .map = at / area * window->in[0] * window->in[1],
                                       .y = y,
                                       .x = x,
                                       .down = pst_window_reach(window, 0, y),
                                       .across = pst_window_reach(window, 1, x) };
}

struct pst_pooling_line pst_pooling_line(const struct pst_window *window, size_t channels, size_t sample,
                                         size_t y, size_t i, size_t j)
{
    struct pst_reach down = pst_window_outputs(window, 0, i), across = pst_window_outputs(window, 1, j);
    struct pst_pooling_line line = { .row = { .step = window->stride[1] * channels, .channels = channels } };
    if (y < down.first || y >= down.end || across.first >= across.end)
        return line;
    line.row.count = across.end - across.first;
    line.from = ((sample * window->in[0] + pst_window_at(window, 0, y, i)) * window->in[1] +
                 pst_window_at(window, 1, across.first, j)) *
                channels;
    line.to = ((sample * window->out[0] + y) * window->out[1] + across.first) * channels;
    return line;
}

bool pst_pooling_tiles(const struct pst_window *window)
{
    bool all = true;
    for (size_t side = 0; side < 2; side++)
        all = all && window->stride[side] == window->kernel[side] && window->pad[side] == 0 &&
              window->out[side] * window->stride[side] == window->in[side];
    return all;
}

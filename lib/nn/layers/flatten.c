/* flatten: the same elements as one row, in the order channels, height, width. */
#include "pipestill/layers.h"

#include <string.h>

static bool parse(const char *word, void *settings)
{
    (void)settings;
    return strcmp(word, "flatten") == 0;
}

static void describe(const struct pst_layer *layer, FILE *text)
{
    (void)layer;
    fputs("flatten", text);
}

static const char *settle(struct pst_layer *layer, struct pst_settling *settling)
{
    (void)settling;
    layer->out = (struct pst_shape){ .rank = 1, .size = { pst_shape_elements(&layer->in) } };
    return NULL;
}

const struct pst_layer_type pst_layer_flatten = {
    .name = "flatten",
    .grammar = "flatten",
    .help = "the same elements as one row",
    .example = "2x3x2-flatten-7-4 2x3-gelu-flatten-silu-5-flatten-4-flatten",
    .in_place = true,
    .channels_last = true,
    .transparent = true,
    .parse = parse,
    .describe = describe,
    .settle = settle,
};

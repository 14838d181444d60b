/* The layers of a network: what each gives, its parameters and its multiplications. */
#include "stages/stream-inspect/inspect.h"

#include <stdlib.h>
#include <string.h>

/* The word of a layer, with "..." in place of layers that it holds. To be freed; NULL if memory is short. */
static char *word_of(const struct pst_layer *layer)
{
    struct pst_text text;
    FILE *out = pst_text_open(&text);
    if (out != NULL)
        layer->type->describe(layer, out);
    char *word = pst_text_close(&text);
    char *inner = word == NULL || pst_layer_inner(layer, 0) == NULL ? NULL : strchr(word, '(');
    if (inner != NULL) { /* at least "(x)" */
        char *behind = strrchr(word, ')');
        memmove(inner + 1, behind, strlen(behind) + 1);
    }
    return word;
}

#define NUMBERS 5 /* width of the column of numbers */

/* ---- for people -------------------------------------------------------------------------------------- */

/* Makes the number of a layer, as pst_chain_find takes it. holder: the number of the layer that holds the
 * chain, "" for the network; NULL for a shortcut, whose layers have no number. */
static void number_layer(char number[PST_LAYER_NUMBER], const char *holder, size_t at)
{
    number[0] = '\0';
    if (holder != NULL)
        snprintf(number, PST_LAYER_NUMBER, "%.40s%s%zu", holder, holder[0] == '\0' ? "" : ".", at + 1);
}

static void write_layers(FILE *out, const struct pst_chain *chain, const char *holder, int depth)
{
    for (size_t i = 0; i < chain->count; i++) {
        const struct pst_layer *layer = &chain->layers[i];
        struct pst_layer_counts counts = { 0 };
        char gives[PST_SHAPE_TEXT], number[PST_LAYER_NUMBER], *word = word_of(layer);
        pst_layer_count(layer, &counts);
        number_layer(number, holder, i);
        fprintf(out, "  %-*s %*s%-*s %-12s %12zu %14.0f\n", NUMBERS, number, depth, "", 34 - depth,
                word == NULL ? "" : word, pst_shape_text(&layer->out, gives), counts.parameters,
                layer->multiply_adds);
        free(word);
        for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++) {
            const struct pst_chain *inner = pst_layer_inner(layer, which);
            if (which > 0 && inner->count > 0)
                fprintf(out, "  %*s|\n", NUMBERS + depth + 3, "");
            write_layers(out, inner, which == 0 && holder != NULL ? number : NULL, depth + 2);
        }
    }
}

void write_network(FILE *out, const void *what)
{
    const struct pst_network *network = what;
    struct pst_layer_counts counts;
    char takes[PST_SHAPE_TEXT], bytes[16];
    pst_network_count(network, &counts);
    fprintf(out, "%-*s %-12s %12s %14s\n", NUMBERS + 37, "layers", "gives", "parameters", "multiply-adds");
    fprintf(out, "  %-*s %-12s\n", NUMBERS + 35, "inputs", pst_shape_text(&network->chain.in, takes));
    write_layers(out, &network->chain, "", 0);
    fprintf(out, "  %-*s %-12s %12zu %14.0f\n", NUMBERS + 35, "in all", "", counts.parameters,
            counts.multiply_adds);
    if (counts.statistics > 0)
        fprintf(out, "statistics     %zu, which are not learned, but follow the training\n",
                counts.statistics);
    for (int training = 0; training < 2; training++) {
        fputs(training ? ", in training " : "memory         for 128 samples: in use ", out);
        fputs(pst_bytes_text(pst_network_memory(network, 128, training), bytes, sizeof bytes), out);
    }
    fputs("\n", out);
}

/* ---- for programs ------------------------------------------------------------------------------------ */

static json_t *shape_to_json(const struct pst_shape *shape)
{
    json_t *list = json_array();
    for (size_t i = 0; i < shape->rank; i++)
        json_array_append_new(list, json_integer((json_int_t)shape->size[i]));
    return list;
}

static json_t *chain_to_json(const struct pst_chain *chain, const char *holder)
{
    json_t *list = json_array();
    for (size_t i = 0; i < chain->count; i++) {
        const struct pst_layer *layer = &chain->layers[i];
        struct pst_layer_counts counts = { 0 };
        char number[PST_LAYER_NUMBER], *word = word_of(layer);
        pst_layer_count(layer, &counts);
        number_layer(number, holder, i);
        json_t *object =
            json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:f}", "type", layer->type->name, "word",
                      word == NULL ? "" : word, "in", shape_to_json(&layer->in), "out",
                      shape_to_json(&layer->out), "parameters", (json_int_t)counts.parameters, "statistics",
                      (json_int_t)counts.statistics, "multiply_adds", layer->multiply_adds);
        free(word);
        if (number[0] != '\0')
            json_object_set_new(object, "number", json_string(number));
        for (size_t which = 0; pst_layer_inner(layer, which) != NULL; which++)
            json_object_set_new(
                object, which == 0 ? "chain" : "shortcut",
                chain_to_json(pst_layer_inner(layer, which), which == 0 && holder != NULL ? number : NULL));
        json_array_append_new(list, object);
    }
    return list;
}

json_t *network_to_json(const struct pst_network *network)
{
    struct pst_layer_counts counts;
    pst_network_count(network, &counts);
    return json_pack("{s:s, s:o, s:o, s:I, s:I, s:f, s:{s:I, s:I, s:I}}", "architecture",
                     network->architecture, "in", shape_to_json(&network->chain.in), "layers",
                     chain_to_json(&network->chain, ""), "parameters", (json_int_t)counts.parameters,
                     "statistics", (json_int_t)counts.statistics, "multiply_adds", counts.multiply_adds,
                     "memory", "samples", (json_int_t)128, "use",
                     (json_int_t)pst_network_memory(network, 128, false), "training",
                     (json_int_t)pst_network_memory(network, 128, true));
}

/* ---- a network from an architecture ------------------------------------------------------------------ */

enum pst_status show_network(struct pst_run *run, const char *architecture, bool as_json,
                             struct pst_error *error)
{
    struct pst_network network = { 0 };
    char excerpt[PST_EXCERPT], mark[PST_EXCERPT];
    enum pst_status status = pst_network_written(&network, architecture, "--arch", excerpt, mark, error);
    if (status != PST_OK && excerpt[0] != '\0') {
        pst_say(run, "%s", excerpt);
        pst_say(run, "%s", mark);
    }
    if (status != PST_OK)
        return status;
    if (as_json)
        status = print_json(run, network_to_json(&network), error);
    else
        status = print_text(run, write_network, &network, error);
    pst_network_free(&network);
    return status;
}

/* The numbers of layers: "3", and "3.2" for a layer in the chain that the third one holds. */
#include "lib/nn/passes.h"

#include <string.h>

/* Reads a part of a number, up to the next dot. rest: receives the text behind it. Returns 0 on failure. */
static size_t read_part(const char *text, const char **rest)
{
    char digits[8] = "";
    size_t length = strspn(text, "0123456789");
    uint64_t part;
    *rest = text + length + (text[length] == '.');
    if (length == 0 || length >= sizeof digits || text[0] == '0' ||
        (text[length] != '.' && text[length] != '\0') || (text[length] == '.' && text[length + 1] == '\0'))
        return 0;
    memcpy(digits, text, length);
    return pst_parse_u64(digits, 1, PST_MAX_LAYERS * 10, &part) ? (size_t)part : 0;
}

/* Fails because there is no such layer in a chain. holder: the layer that holds the chain, NULL for the
 * network; number, length: its number. */
static enum pst_status no_layer(const struct pst_chain *chain, const struct pst_layer *holder,
                                const char *number, int length, struct pst_error *error)
{
    if (holder == NULL)
        return pst_fail(error, PST_USAGE,
                        "there is no layer %.60s: the network has %zu; stream-inspect shows them", number,
                        chain->count);
    return pst_fail(
        error, PST_USAGE,
        "there is no layer %.60s: the chain of layer %.*s, %s, has %zu, and those of a shortcut have no "
        "number",
        number, length, number, holder->type->name, chain->count);
}

enum pst_status pst_chain_find(const struct pst_chain *chain, const char *number,
                               const struct pst_layer **layer, struct pst_error *error)
{
    const char *rest = number;
    *layer = NULL;
    while (*rest != '\0' || rest == number) {
        int length = (int)(rest - number) - 1; /* of the holder's number */
        size_t part = read_part(rest, &rest);
        if (part == 0 || strlen(number) >= PST_LAYER_NUMBER)
            return pst_fail(
                error, PST_USAGE,
                "'%.60s' is not the number of a layer, such as 3, or 3.2 for one inside of layer 3; "
                "stream-inspect shows them",
                number);
        if (*layer != NULL && (chain = pst_layer_inner(*layer, 0)) == NULL)
            return pst_fail(error, PST_USAGE, "there is no layer %.60s: layer %.*s, %s, holds no others",
                            number, length, number, (*layer)->type->name);
        if (part > chain->count)
            return no_layer(chain, *layer, number, length, error);
        *layer = &chain->layers[part - 1];
    }
    return PST_OK;
}

/* Walks up to a layer. learns: becomes true at the first that learns. Returns whether it was found. */
static bool walk_to(const struct pst_chain *chain, const struct pst_layer *layer, bool *learns)
{
    for (size_t i = 0; i < chain->count; i++) {
        const struct pst_layer *one = &chain->layers[i];
        for (size_t which = 0; one != layer && pst_layer_inner(one, which) != NULL; which++) {
            bool before = *learns;
            if (walk_to(pst_layer_inner(one, which), layer, learns))
                return true;
            *learns = before;
        }
        *learns = *learns || pst_layer_learns(one);
        if (one == layer)
            return true;
    }
    return false;
}

bool pst_chain_learns_by(const struct pst_chain *chain, const struct pst_layer *layer)
{
    bool learns = false;
    return walk_to(chain, layer, &learns) && learns;
}

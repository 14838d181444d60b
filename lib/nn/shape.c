/* Shapes of samples, as text and as numbers. */
#include "pipestill/layers.h"

#include <string.h>

size_t pst_shape_elements(const struct pst_shape *shape)
{
    size_t elements = 1;
    for (size_t i = 0; i < shape->rank; i++)
        elements *= shape->size[i];
    return elements;
}

bool pst_shape_parse(const char *text, struct pst_shape *shape)
{
    size_t elements = 1;
    *shape = (struct pst_shape){ 0 };
    for (;; text++) {
        char digits[8] = "";
        uint64_t size;
        size_t length = strspn(text, "0123456789");
        if (length >= sizeof digits || shape->rank == PST_SHAPE_RANK)
            return false;
        memcpy(digits, text, length);
        if (!pst_parse_u64(digits, 1, PST_MAX_WIDTH, &size) || (elements *= size) > PST_MAX_WIDTH)
            return false;
        shape->size[shape->rank++] = (size_t)size;
        text += length;
        if (*text != 'x')
            return *text == '\0';
    }
}

void pst_shape_describe(const struct pst_shape *shape, FILE *text)
{
    for (size_t i = 0; i < shape->rank; i++)
        fprintf(text, "%s%zu", i == 0 ? "" : "x", shape->size[i]);
}

const char *pst_shape_text(const struct pst_shape *shape, char *text)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < shape->rank && used < PST_SHAPE_TEXT; i++)
        used +=
            (size_t)snprintf(text + used, PST_SHAPE_TEXT - used, "%s%zu", i == 0 ? "" : "x", shape->size[i]);
    return text;
}

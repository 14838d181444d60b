/* Maps of classes. A map that is read is also written and read again, and must be the same. */
#include "tests/fuzz/fuzz.h"

enum { CLASSES = 6 };

static const char *const names[CLASSES] = { "cat", "dog", "crane", "crane", "7", "a, b" };

/* Maps a row there and back; the sanitizers watch its bounds. */
static void use(const struct pst_class_map *map)
{
    float row[CLASSES] = { 0.5F, 0.25F, 0.125F, 0.125F, 0, 0 }, back[CLASSES];
    float *new = malloc(map->to * sizeof *new);
    double dropped;
    if (new == NULL)
        abort();
    pst_class_map_logits(map, row, new, 1, &dropped);
    pst_class_unmap_logits(map, new, back, 1);
    pst_class_map_probabilities(map, row, new, 1, &dropped);
    pst_class_unmap_probabilities(map, new, back, 1);
    free(new);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pst_classes old = { CLASSES, size % 2 == 0 ? names : NULL };
    struct pst_class_map map, again;
    struct pst_error error;
    char *text = fuzz_text(data, size);
    enum pst_status status =
        pst_class_map_parse(&map, &old, text, size, "map", true, size % 3 == 0 ? "rest" : NULL, &error);
    free(text);
    if (status != PST_OK)
        return 0;
    use(&map);
    char *first = pst_class_map_text(&map, false);
    char *end = strstr(first, " of ");
    if (end == NULL)
        abort();
    *end = '\0';
    /* In a list "0-1;2" are three classes, but in this text two. */
    if (strpbrk(first, ",-") == NULL) {
        if (pst_class_map_parse(&again, &old, first, strlen(first), "map", true, NULL, &error) != PST_OK ||
            again.to != map.to)
            abort();
        pst_class_map_free(&again);
    }
    free(first);
    pst_class_map_free(&map);
    return 0;
}

/* Where sets with a fixed name, such as MNIST, are looked for: a named folder, a variable, the usual
 * folders. */
#include "lib/data/places.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static bool is_in_usual(const struct pst_places *places, const char *usual, void *found)
{
    const char *home = getenv("HOME");
    char path[PATH_MAX];
    if (strncmp(usual, "~/", 2) != 0)
        return places->is_in(usual, found);
    return home != NULL && snprintf(path, sizeof path, "%s%s", home, usual + 1) < PATH_MAX &&
           places->is_in(path, found);
}

/* "./data/mnist, ./data or /usr/share/mnist" */
static void list_usual(const struct pst_places *places, char *text, size_t size)
{
    size_t length = 0;
    for (size_t i = 0; places->usual[i] != NULL && length < size; i++) {
        const char *between = i == 0 ? "" : places->usual[i + 1] == NULL ? " or " : ", ";
        bool relative = strchr("/~", places->usual[i][0]) == NULL;
        length += (size_t)snprintf(text + length, size - length, "%s%s%s", between, relative ? "./" : "",
                                   places->usual[i]);
    }
}

enum pst_status pst_find_place(const struct pst_places *places, const char *named, void *found,
                               struct pst_error *error)
{
    const char *folder = named != NULL ? named : getenv(places->variable);
    char usual[400] = "";
    if (folder != NULL && *folder != '\0')
        return places->is_in(folder, found)
                   ? PST_OK
                   : pst_fail(error, PST_NO_INPUT, "%s is not in %s%s%s: %s should be there%s", places->title,
                              named != NULL ? "" : places->variable, named != NULL ? "" : "=", folder,
                              places->files, places->below);
    for (size_t i = 0; places->usual[i] != NULL; i++)
        if (is_in_usual(places, places->usual[i], found))
            return PST_OK;
    list_usual(places, usual, sizeof usual);
    return pst_fail(error, PST_NO_INPUT, "%s is not found in %s: set %s to the folder with %s", places->title,
                    usual, places->variable, places->files);
}

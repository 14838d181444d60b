/* The pictures of a list: one file in each line, and behind it its label, if there are labels. */
#include "lib/data/pictures/pictures.h"

#include <string.h>

/* Cuts a line into path and label: at the first TAB, or, if there is none, at the last blank. Returns the
 * label; NULL: none. */
static char *cut(char *line)
{
    char *at = strchr(line, '\t');
    at = at != NULL ? at : strrchr(line, ' ');
    if (at == NULL)
        return NULL;
    *at = '\0';
    for (char *end = at; end > line && end[-1] == ' ';)
        *--end = '\0';
    return at + 1 + strspn(at + 1, " \t");
}

static enum pst_status take_line(void *context, char *line, struct pst_error *error)
{
    struct pst_pictures *pictures = context;
    if (*line == '\0' || *line == '#')
        return PST_OK;
    char *label = cut(line);
    void *copy = NULL;
    if (*line == '\0')
        return pst_fail(error, PST_BAD_DATA, "there is no path before the label");
    enum pst_status status = pst_pictures_add(pictures, line, error);
    if (status == PST_OK && label != NULL)
        status = pst_pictures_allocate(pictures, strlen(label) + 1, &copy, error);
    if (status != PST_OK)
        return status;
    struct pst_picture_file *file = &pictures->files[pictures->count - 1];
    file->label = copy != NULL ? strcpy(copy, label) : NULL;
    if ((file->label == NULL) != (pictures->files[0].label == NULL))
        return pst_fail(error, PST_BAD_DATA, "it has %s label, but the first picture has %s",
                        label == NULL ? "no" : "a", label == NULL ? "one" : "none");
    return PST_OK;
}

enum pst_status pst_pictures_of_list(struct pst_pictures *pictures, struct pst_error *error)
{
    return pst_file_lines(pictures->path, take_line, pictures, error);
}

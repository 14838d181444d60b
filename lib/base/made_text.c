/* A text that is made with stdio. open_memstream does not report that there was no memory for a part of it;
 * this does. */
#include "pipestill/linux.h"

#include "pipestill/base.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for `size` more bytes and a NUL. */
static bool grow(struct pst_text *text, size_t size)
{
    if (text->used + size < text->room)
        return true;
    size_t room = 2 * (text->used + size + 64);
    char *grown = realloc(text->bytes, room);
    if (grown == NULL)
        return false;
    text->bytes = grown;
    text->room = room;
    return true;
}

static ssize_t append(void *cookie, const char *bytes, size_t size)
{
    struct pst_text *text = cookie;
    text->failed = text->failed || !grow(text, size);
    if (text->failed)
        return 0;
    memcpy(text->bytes + text->used, bytes, size);
    text->used += size;
    return (ssize_t)size;
}

FILE *pst_text_open(struct pst_text *text)
{
    *text = (struct pst_text){ 0 };
    text->out = fopencookie(text, "w", (cookie_io_functions_t){ .write = append });
    return text->out;
}

char *pst_text_close(struct pst_text *text)
{
    bool whole = text->out != NULL && fclose(text->out) == 0 && !text->failed && grow(text, 0);
    if (!whole) {
        free(text->bytes);
        pst_mark_shortage();
        return NULL;
    }
    text->bytes[text->used] = '\0';
    return text->bytes;
}

/* Architectures for people: in a file, with lines and comments; and in a message, with a mark below a
 * place. */
#include "pipestill/nn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_BYTES ((size_t)1 << 20)

static bool is_space(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

/* Whether white space between these two letters has no meaning, because one of them separates words or joins
 * parts of a word. */
static bool joins(char before, char after)
{
    return before == '\0' || strchr("-(|*,:=", before) != NULL || strchr("-)|*,:=", after) != NULL;
}

/* The next letter that is neither white space nor in a comment. line: grows with each line passed. */
static const char *next_letter(const char *from, size_t *line)
{
    for (; is_space(*from) || *from == '#'; from++) {
        if (*from == '#')
            from += strcspn(from, "\n");
        *line += *from == '\n';
        if (*from == '\0')
            break;
    }
    return from;
}

/* Leaves comments out and makes white space between words into "-". */
static void tidy(struct pst_architecture_file *file, const char *written)
{
    size_t used = 0, line = 1;
    char before = '\0';
    for (const char *from = written;;) {
        const char *next = next_letter(from, &line);
        if (*next == '\0')
            break;
        if (next > from && !joins(before, *next)) {
            file->lines[used] = line;
            file->text[used++] = '-';
        }
        file->lines[used] = line;
        file->text[used++] = before = *next;
        from = next + 1;
    }
    file->lines[used] = line;
    file->text[used] = '\0';
}

/* Reads a file whole. Returns a text to be freed; NULL with an error. */
static char *read_whole(const char *path, struct pst_error *error, enum pst_status *status)
{
    int fd;
    char *bytes = pst_allocate(MOST_BYTES + 1, 1, error);
    *status = bytes == NULL ? PST_TRY_AGAIN : pst_file_open(path, &fd, error);
    if (*status != PST_OK) {
        free(bytes);
        return NULL;
    }
    size_t size = 0;
    ssize_t got = 1;
    while (got > 0 && size <= MOST_BYTES) {
        got = read(fd, bytes + size, MOST_BYTES + 1 - size);
        size += got > 0 ? (size_t)got : 0;
        if (got < 0 && errno == EINTR)
            got = 1;
    }
    if (got < 0)
        *status = pst_fail(error, PST_IO_ERROR, "%s: cannot be read: %s", path, strerror(errno));
    else if (size > MOST_BYTES || memchr(bytes, '\0', size) != NULL)
        *status = pst_fail(error, PST_BAD_DATA, "%s: is not a text of layers", path);
    close(fd);
    if (*status == PST_OK)
        return bytes;
    free(bytes);
    return NULL;
}

enum pst_status pst_architecture_read(const char *path, struct pst_architecture_file *file,
                                      struct pst_error *error)
{
    enum pst_status status;
    *file = (struct pst_architecture_file){ 0 };
    char *written = read_whole(path, error, &status);
    if (written == NULL)
        return status == PST_OK ? PST_TRY_AGAIN : status;
    size_t room = 2 * strlen(written) + 1;
    file->text = pst_allocate(room, 1, error);
    file->lines = pst_allocate(room, sizeof *file->lines, error);
    if (file->text == NULL || file->lines == NULL) {
        pst_architecture_file_free(file);
        status = PST_TRY_AGAIN;
    } else
        tidy(file, written);
    free(written);
    return status;
}

void pst_architecture_file_free(struct pst_architecture_file *file)
{
    free(file->text);
    free(file->lines);
    *file = (struct pst_architecture_file){ 0 };
}

void pst_architecture_mark(const char *architecture, struct pst_place place, char excerpt[PST_EXCERPT],
                           char mark[PST_EXCERPT])
{
    enum { BEFORE = 40, MOST = 72 };
    size_t start = place.at > BEFORE ? place.at - BEFORE : 0, length = strlen(architecture + start);
    const char *left = start > 0 ? "..." : "", *right = length > MOST ? "..." : "";
    size_t shown = length > MOST ? MOST : length, at = place.at - start + strlen(left);
    size_t carets = place.length < shown - (place.at - start) ? place.length : shown - (place.at - start);
    snprintf(excerpt, PST_EXCERPT, "%s%.*s%s", left, (int)shown, architecture + start, right);
    memset(mark, ' ', at);
    memset(mark + at, '^', carets > 0 ? carets : 1);
    mark[at + (carets > 0 ? carets : 1)] = '\0';
}

/* lines: the line in its file of each letter of the text; NULL: the text is not from a file. */
static enum pst_status parse(struct pst_network *network, const char *text, const char *from,
                             const size_t *lines, char excerpt[PST_EXCERPT], char mark[PST_EXCERPT],
                             struct pst_error *error)
{
    struct pst_place place;
    enum pst_status status = pst_network_parse(network, text, &place, error);
    if (status != PST_USAGE)
        return status;
    if (text[0] != '\0')
        pst_architecture_mark(text, place, excerpt, mark);
    if (lines == NULL)
        return pst_fail_at(error, "%s", from);
    if (error != NULL)
        error->status = PST_BAD_DATA;
    pst_fail_at(error, "%s: line %zu", from, lines[place.at]);
    return PST_BAD_DATA;
}

enum pst_status pst_network_written(struct pst_network *network, const char *architecture, const char *option,
                                    char excerpt[PST_EXCERPT], char mark[PST_EXCERPT],
                                    struct pst_error *error)
{
    struct pst_architecture_file file;
    excerpt[0] = mark[0] = '\0';
    if (architecture[0] != '@')
        return parse(network, architecture, option, NULL, excerpt, mark, error);
    enum pst_status status = pst_architecture_read(architecture + 1, &file, error);
    if (status != PST_OK)
        return status;
    status = parse(network, file.text, architecture + 1, file.lines, excerpt, mark, error);
    pst_architecture_file_free(&file);
    return status;
}

/*
 * Text from elsewhere, fit to be printed: names, histories and reasons come from peers and files, and may
 * hold what moves a terminal's cursor, forges a line, or is no text at all.
 */
#include "pipestill/base.h"

#include <stdio.h>
#include <string.h>

enum { NO_LETTER = 0, CUT_LETTER = 5 }; /* beside the bytes of a letter, 1 to 4 */

/* Whether the second byte can follow the first: no longer form than is needed, no surrogate, none too large.
 */
static bool can_follow(unsigned char first, unsigned char second)
{
    return (first != 0xe0 || second >= 0xa0) && (first != 0xed || second < 0xa0) &&
           (first != 0xf0 || second >= 0x90) && (first != 0xf4 || second < 0x90);
}

/* How many bytes the letter that begins here has in UTF-8; NO_LETTER; CUT_LETTER if the text ends within it.
 */
static size_t letter(const unsigned char *at)
{
    if (at[0] < 0x80)
        return 1;
    size_t bytes = at[0] < 0xc2 || at[0] > 0xf4 ? NO_LETTER : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    for (size_t i = 1; i < bytes; i++) {
        if (at[i] == '\0')
            return CUT_LETTER;
        if ((at[i] & 0xc0) != 0x80 || (i == 1 && !can_follow(at[0], at[1])))
            return NO_LETTER;
    }
    return bytes;
}

/* C0, DEL, or C1 as UTF-8 has it. */
static bool is_control(const unsigned char *at)
{
    return at[0] < ' ' || at[0] == 127 || (at[0] == 0xc2 && at[1] < 0xa0);
}

void pst_make_printable(char *text)
{
    const unsigned char *from = (const unsigned char *)text;
    char *to = text;
    while (*from != '\0') {
        size_t bytes = letter(from);
        if (bytes == CUT_LETTER)
            break;
        if (bytes == NO_LETTER || is_control(from))
            *to++ = '?';
        else
            to = (char *)memmove(to, from, bytes) + bytes;
        from += bytes == NO_LETTER ? 1 : bytes;
    }
    *to = '\0';
}

void pst_write_printable(FILE *out, int width, const char *text)
{
    char part[256];
    size_t size = strlen(text), done = 0, columns = 0;
    while (done < size) {
        /* A part ends before a letter, so that none is cut in two. */
        size_t end = size - done < sizeof part ? size : done + sizeof part - 1;
        while (end < size && end > done + 1 && ((unsigned char)text[end] & 0xc0) == 0x80)
            end--;
        memcpy(part, text + done, end - done);
        part[end - done] = '\0';
        pst_make_printable(part);
        columns += strlen(part);
        fputs(part, out);
        done = end;
    }
    if (width > 0 && columns < (size_t)width)
        fprintf(out, "%*s", (int)((size_t)width - columns), "");
}

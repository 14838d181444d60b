/* Makes foreign text safe for messages and for JSON: no letter of UTF-8 (RFC 3629) is cut, and none controls
 * a terminal. */
#include "pipestill/base.h"

#include <stdio.h>
#include <string.h>

/* The length in bytes of a letter that begins with this byte; 0 if none does. */
static size_t length_by(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first < 0xC2 || first > 0xF4)
        return 0;
    return first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* Whether a second byte may follow a first one. Longer forms than needed, surrogates, and numbers beyond
 * U+10FFFF are not allowed. */
static bool may_follow(unsigned char first, unsigned char second)
{
    unsigned char least = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    unsigned char most = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    return second >= least && second <= most;
}

/* The length in bytes of a text's first letter; 0 if it is not valid. cut: receives whether the text ends
 * within it. */
static size_t letter(const char *text, bool *cut)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t length = length_by(byte[0]);
    *cut = false;
    for (size_t i = 1; i < length; i++) {
        *cut = byte[i] == '\0';
        if (i == 1 ? !may_follow(byte[0], byte[1]) : (byte[i] & 0xC0) != 0x80)
            return 0;
    }
    return length;
}

static bool is_control(const char *text, size_t length)
{
    unsigned char byte = (unsigned char)text[0];
    return length == 1 ? byte < ' ' || byte == 127 : byte == 0xC2 && (unsigned char)text[1] < 0xA0;
}

bool pst_is_utf8(const char *text)
{
    size_t length;
    for (bool cut; *text != '\0'; text += length)
        if ((length = letter(text, &cut)) == 0)
            return false;
    return true;
}

void pst_make_plain(char *text)
{
    while (*text != '\0') {
        bool cut;
        size_t length = letter(text, &cut);
        if (cut) {
            *text = '\0';
            return;
        }
        if (length == 0 || is_control(text, length))
            memset(text, '?', length = length == 0 ? 1 : length);
        text += length;
    }
}

void pst_write_plain(FILE *out, int width, const char *text)
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
        pst_make_plain(part);
        columns += strlen(part);
        fputs(part, out);
        done = end;
    }
    if (width > 0 && columns < (size_t)width)
        fprintf(out, "%*s", (int)((size_t)width - columns), "");
}

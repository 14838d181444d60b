/* keys.h: CURVE keys and the list of those who may connect, which secure.c uses. */
#ifndef PIPESTILL_LIB_KEYS_H
#define PIPESTILL_LIB_KEYS_H

#include "pipestill/transport.h"

#include <stdio.h>

struct pst_key_pair {
    char public_key[PST_KEY_TEXT], secret_key[PST_KEY_TEXT];
};

/*
 * Finds the key in a line of keygen's or of an allow-list: "public KEY" or KEY, then perhaps a comment, which
 * begins with #. A key may hold a # too, and even begin with one. line: is cut into words. Returns NULL if
 * there is none; *empty tells a line without anything from one with a mistake.
 */
const char *pst_key_in_line(char *line, bool *empty);

/*
 * Opens a file of keys, which no one but its owner and its group may write; a secret one must be its owner's
 * only. PST_OK; PST_NO_INPUT; PST_BAD_DATA; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_key_file_open(const char *path, bool secret, FILE **file,
                                              struct pst_error *error);

/*
 * Reads one whole line, however long. line: grows, to be freed; size: its room. Returns PST_OK with a line;
 * PST_END if there is none left; PST_BAD_DATA for one with a NUL, which is no text; PST_IO_ERROR.
 */
PST_CHECKED enum pst_status pst_key_line(FILE *file, const char *path, char **line, size_t *size,
                                         struct pst_error *error);

/* Reads a pair that keygen made. PST_OK; PST_NO_INPUT; PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_key_pair_read(const char *path, struct pst_key_pair *pair,
                                              struct pst_error *error);

/* Takes a public key: as text, as the line that keygen prints, or from a file with that line. PST_OK;
 * PST_NO_INPUT; PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_public_key_read(const char *text_or_path, char key[PST_KEY_TEXT],
                                                struct pst_error *error);

/*
 * Starts the ZAP handler of a context, which admits the keys of an allow-list; pst_secure_stop ends it.
 * Returns PST_OK; PST_NO_INPUT or PST_BAD_DATA for the list; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_allow_start(void *context, const char *allow, struct pst_error *error);

#endif

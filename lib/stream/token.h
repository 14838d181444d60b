/*
 * token.h: MessagePack one token at a time, over memory that is not trusted. Nothing is reserved for what a
 * token announces; whoever reads on checks it against what may come there.
 */
#ifndef PIPESTILL_LIB_TOKEN_H
#define PIPESTILL_LIB_TOKEN_H

#include "pipestill/base.h"

enum pst_token_kind {
    PST_TOKEN_NIL,
    PST_TOKEN_BOOL,
    PST_TOKEN_UINT, /* number, also for positive values written as signed */
    PST_TOKEN_INT,  /* a negative number, in number as two's complement */
    PST_TOKEN_FLOAT,
    PST_TOKEN_STR,   /* number: bytes that follow */
    PST_TOKEN_BIN,   /* number: bytes that follow */
    PST_TOKEN_ARRAY, /* number: elements that follow */
    PST_TOKEN_MAP,   /* number: pairs that follow */
    PST_TOKEN_OTHER, /* extension types and what MessagePack leaves undefined: nothing here uses them */
};

struct pst_token {
    enum pst_token_kind kind;
    uint64_t number;
};

#define PST_TOKEN_MOST 9 /* bytes of the longest token head */

/* Reads the head of one token. Returns its length in bytes; 0 where size is too small to hold it. */
size_t pst_token_read(const uint8_t *bytes, size_t size, struct pst_token *token);

/* A place in a block of metadata. */
struct pst_cursor {
    const uint8_t *at, *end;
};

/* Reads one token and, for STR and BIN, steps over its bytes (`bytes` receives where they are). False at any
 * fault. */
PST_CHECKED bool pst_cursor_next(struct pst_cursor *cursor, struct pst_token *token, const uint8_t **bytes);

/* Reads an unsigned integer. */
PST_CHECKED bool pst_cursor_uint(struct pst_cursor *cursor, uint64_t *number);

/* Reads a map's head. */
PST_CHECKED bool pst_cursor_map(struct pst_cursor *cursor, uint64_t *pairs);

/* Reads a string into text, which has room for size bytes with the final NUL; longer ones are a fault. */
PST_CHECKED bool pst_cursor_text(struct pst_cursor *cursor, char *text, size_t size);

/* Steps over one value, whatever it is; nesting deeper than 16 is a fault. */
PST_CHECKED bool pst_cursor_skip(struct pst_cursor *cursor);

#endif

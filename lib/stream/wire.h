/*
 * wire.h: the bytes of the format. MessagePack is read one token at a time, from memory that may hold
 * anything: no memory is reserved for the size in a token, and the caller checks that size. msgpack-c writes
 * it. Metadata are maps of numbers, or JSON values.
 */
#ifndef PIPESTILL_LIB_WIRE_H
#define PIPESTILL_LIB_WIRE_H

#include "pipestill/stream.h"

#include <jansson.h>
#include <msgpack.h>

/* ---- reading ------------------------------------------------------------------------------------------ */

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

/* Reads the head of one token. Returns its length in bytes; 0 if size is too small to hold it. */
size_t pst_token_read(const uint8_t *bytes, size_t size, struct pst_token *token);

/* A place in a block of metadata. */
struct pst_cursor {
    const uint8_t *at, *end;
};

/* Reads one token and, for STR and BIN, steps over its bytes (`bytes` receives where they are). Returns
 * false at any fault. */
PST_CHECKED bool pst_cursor_next(struct pst_cursor *cursor, struct pst_token *token, const uint8_t **bytes);

/* Reads a map's head. */
PST_CHECKED bool pst_cursor_map(struct pst_cursor *cursor, uint64_t *pairs);

/* Reads a string into text, which has room for size bytes with the final NUL; longer ones are a fault. */
PST_CHECKED bool pst_cursor_text(struct pst_cursor *cursor, char *text, size_t size);

/* Steps over one value, whatever it is; nesting deeper than 16 is a fault. */
PST_CHECKED bool pst_cursor_skip(struct pst_cursor *cursor);

/* A named number in metadata, or a list of numbers. */
struct pst_meta_field {
    const char *name;
    uint64_t *numbers; /* receives them: [1], or [length] of a list */
    bool list;
    size_t length; /* how many the list must have */
    uint64_t most; /* the largest value allowed; 0: any */
    bool optional; /* it may be absent */
    bool seen;     /* receives whether it was there; starts as false */
};

/*
 * Reads metadata, which must be a map: each of the fields must be there once, or at most once if it is
 * optional; other keys are skipped. Returns whether that holds.
 */
PST_CHECKED bool pst_meta_take(const void *meta, size_t size, struct pst_meta_field *fields, size_t count);

/*
 * Unpacks one block of metadata. It must be one value of kinds that JSON has, with at most 2^19 values in
 * it, 2^16 of them maps or arrays. Returns the value, owned by the caller; NULL if it is anything else, or
 * memory is short.
 */
PST_CHECKED json_t *pst_unpack_json(const void *bytes, size_t size);

/*
 * Sets a key of a JSON object that is being made; takes the value. If this fails, or the value or the object
 * is NULL, because memory is short, the object is freed and becomes NULL. So one check at the end is enough.
 */
void pst_json_put(json_t **object, const char *name, json_t *value);

/* Copies a JSON string of 1 to size - 1 bytes. Returns whether the value is one. */
PST_CHECKED bool pst_json_text(const json_t *value, char *text, size_t size);

/* ---- writing ------------------------------------------------------------------------------------------ */

/* Bytes that are being packed. */
struct pst_packed {
    struct pst_buffer buffer;
    size_t size;
    bool failed; /* memory was short at some point */
};

/* msgpack-c's callback that appends to a struct pst_packed. */
int pst_packed_append(void *packed, const char *bytes, size_t size);

/* A packer that writes to `packed`. */
msgpack_packer pst_packer(struct pst_packed *packed);

/* Packs a string with its length. */
void pst_pack_text(msgpack_packer *packer, const char *text);

/* Packs a name and an unsigned number. */
void pst_pack_pair(msgpack_packer *packer, const char *name, uint64_t number);

/* Packs a JSON value: null, booleans, integers, reals, strings, arrays, objects. */
void pst_pack_json(msgpack_packer *packer, const json_t *value);

#endif

/* MessagePack token by token; see token.h. Heads as in the MessagePack specification, "Formats". */
#include "lib/stream/token.h"

#include <string.h>

static uint64_t big_endian(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* The heads 0xc0 … 0xdf: what they are, and how many bytes of number follow. */
static const struct {
    enum pst_token_kind kind;
    uint8_t width;
} wide_heads[32] = {
    { PST_TOKEN_NIL, 0 },   { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_BOOL, 0 },  { PST_TOKEN_BOOL, 0 },
    { PST_TOKEN_BIN, 1 },   { PST_TOKEN_BIN, 2 },   { PST_TOKEN_BIN, 4 },   { PST_TOKEN_OTHER, 0 },
    { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_FLOAT, 4 }, { PST_TOKEN_FLOAT, 8 },
    { PST_TOKEN_UINT, 1 },  { PST_TOKEN_UINT, 2 },  { PST_TOKEN_UINT, 4 },  { PST_TOKEN_UINT, 8 },
    { PST_TOKEN_INT, 1 },   { PST_TOKEN_INT, 2 },   { PST_TOKEN_INT, 4 },   { PST_TOKEN_INT, 8 },
    { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_OTHER, 0 },
    { PST_TOKEN_OTHER, 0 }, { PST_TOKEN_STR, 1 },   { PST_TOKEN_STR, 2 },   { PST_TOKEN_STR, 4 },
    { PST_TOKEN_ARRAY, 2 }, { PST_TOKEN_ARRAY, 4 }, { PST_TOKEN_MAP, 2 },   { PST_TOKEN_MAP, 4 },
};

static size_t read_wide(const uint8_t *bytes, size_t size, struct pst_token *token)
{
    size_t head = bytes[0] - 0xc0U;
    size_t width = wide_heads[head].width;
    if (size < 1 + width)
        return 0;
    token->kind = wide_heads[head].kind;
    token->number = token->kind == PST_TOKEN_BOOL ? head & 1 : big_endian(bytes + 1, width);
    if (token->kind == PST_TOKEN_INT) {
        /* An INT has a width. NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult) */
        uint64_t sign = (uint64_t)1 << (8 * width - 1);
        token->number = (token->number ^ sign) - sign;
        if (token->number >> 63 == 0)
            token->kind = PST_TOKEN_UINT;
    }
    return 1 + width;
}

size_t pst_token_read(const uint8_t *bytes, size_t size, struct pst_token *token)
{
    if (size == 0)
        return 0;
    uint8_t head = bytes[0];
    if (head >= 0xc0 && head <= 0xdf)
        return read_wide(bytes, size, token);
    if (head < 0x80)
        *token = (struct pst_token){ PST_TOKEN_UINT, head };
    else if (head < 0x90)
        *token = (struct pst_token){ PST_TOKEN_MAP, head & 0x0fU };
    else if (head < 0xa0)
        *token = (struct pst_token){ PST_TOKEN_ARRAY, head & 0x0fU };
    else if (head < 0xc0)
        *token = (struct pst_token){ PST_TOKEN_STR, head & 0x1fU };
    else
        *token = (struct pst_token){ PST_TOKEN_INT, head | ~(uint64_t)0xff };
    return 1;
}

bool pst_cursor_next(struct pst_cursor *cursor, struct pst_token *token, const uint8_t **bytes)
{
    size_t head = pst_token_read(cursor->at, (size_t)(cursor->end - cursor->at), token);
    if (head == 0 || token->kind == PST_TOKEN_OTHER)
        return false;
    cursor->at += head;
    *bytes = cursor->at;
    if (token->kind == PST_TOKEN_STR || token->kind == PST_TOKEN_BIN) {
        if (token->number > (size_t)(cursor->end - cursor->at))
            return false;
        cursor->at += token->number;
    }
    return true;
}

bool pst_cursor_uint(struct pst_cursor *cursor, uint64_t *number)
{
    struct pst_token token;
    const uint8_t *bytes;
    if (!pst_cursor_next(cursor, &token, &bytes) || token.kind != PST_TOKEN_UINT)
        return false;
    *number = token.number;
    return true;
}

bool pst_cursor_map(struct pst_cursor *cursor, uint64_t *pairs)
{
    struct pst_token token;
    const uint8_t *bytes;
    if (!pst_cursor_next(cursor, &token, &bytes) || token.kind != PST_TOKEN_MAP)
        return false;
    *pairs = token.number;
    return true;
}

bool pst_cursor_text(struct pst_cursor *cursor, char *text, size_t size)
{
    struct pst_token token;
    const uint8_t *bytes;
    if (!pst_cursor_next(cursor, &token, &bytes) || token.kind != PST_TOKEN_STR || token.number >= size)
        return false;
    memcpy(text, bytes, token.number);
    text[token.number] = '\0';
    return true;
}

bool pst_cursor_skip(struct pst_cursor *cursor)
{
    enum { DEEPEST = 16 };
    uint64_t left[DEEPEST]; /* values still to come at each depth */
    size_t depth = 0;
    left[0] = 1;
    for (;;) {
        while (left[depth] == 0) {
            if (depth == 0)
                return true;
            depth--;
        }
        left[depth]--;
        struct pst_token token;
        const uint8_t *bytes;
        if (!pst_cursor_next(cursor, &token, &bytes))
            return false;
        if (token.kind != PST_TOKEN_ARRAY && token.kind != PST_TOKEN_MAP)
            continue;
        if (++depth == DEEPEST || token.number > (size_t)(cursor->end - cursor->at))
            return false; /* every value takes a byte at least */
        left[depth] = token.kind == PST_TOKEN_MAP ? 2 * token.number : token.number;
    }
}

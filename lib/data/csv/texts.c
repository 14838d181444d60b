/* Texts of a table, each once: names of columns, categories and classes. And numbers, as tables have them. */
#include "pipestill/linux.h"

#include "lib/data/csv/csv.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 16

/* ---- finding ------------------------------------------------------------------------------------------- */

const char *pst_csv_text(const struct pst_csv_texts *texts, size_t number)
{
    return (const char *)texts->bytes.data + ((const size_t *)texts->starts.data)[number];
}

static size_t size_of(const struct pst_csv_texts *texts, size_t number)
{
    const size_t *starts = texts->starts.data;
    return (number + 1 < texts->count ? starts[number + 1] : texts->used) - starts[number] - 1;
}

/* FNV-1a, which starts from a random seed. */
static size_t hash(const struct pst_csv_texts *texts, const char *text, size_t size)
{
    uint64_t sum = 0xCBF29CE484222325U ^ texts->seed;
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ (unsigned char)text[i]) * 0x100000001B3U;
    return (size_t)(sum ^ sum >> 32);
}

static size_t slot_count(const struct pst_csv_texts *texts)
{
    return texts->count == 0 ? 0 : texts->slots.capacity / sizeof(uint32_t);
}

/* The slot that holds a text, or the one where it belongs. */
static uint32_t *find_slot(const struct pst_csv_texts *texts, const char *text, size_t size)
{
    uint32_t *slots = texts->slots.data;
    size_t mask = texts->slots.capacity / sizeof *slots - 1;
    for (size_t at = hash(texts, text, size) & mask;; at = (at + 1) & mask) {
        if (slots[at] == 0)
            return &slots[at];
        size_t number = slots[at] - 1;
        if (size_of(texts, number) == size && memcmp(pst_csv_text(texts, number), text, size) == 0)
            return &slots[at];
    }
}

size_t pst_csv_find_text(const struct pst_csv_texts *texts, const char *text, size_t size)
{
    if (slot_count(texts) == 0)
        return PST_CSV_NOWHERE;
    uint32_t slot = *find_slot(texts, text, size);
    return slot == 0 ? PST_CSV_NOWHERE : slot - 1;
}

/* ---- adding -------------------------------------------------------------------------------------------- */

enum pst_status pst_csv_grow(struct pst_buffer *buffer, size_t used, size_t more, struct pst_error *error)
{
    return used + more <= buffer->capacity ? PST_OK
                                           : pst_buffer_reserve(buffer, 2 * used + more, used, error);
}

/* Doubles the slots before half of them are taken. */
static enum pst_status grow_slots(struct pst_csv_texts *texts, struct pst_error *error)
{
    size_t slots = slot_count(texts);
    if (2 * (texts->count + 1) <= slots)
        return PST_OK;
    struct pst_buffer more = { 0 };
    if (slots == 0 && getrandom(&texts->seed, sizeof texts->seed, GRND_NONBLOCK) < 0)
        texts->seed = (uintptr_t)texts; /* better than none */
    slots = slots == 0 ? FIRST_SLOTS : 2 * slots;
    if (pst_buffer_reserve(&more, slots * sizeof(uint32_t), 0, error) != PST_OK)
        return PST_TRY_AGAIN;
    memset(more.data, 0, more.capacity);
    pst_buffer_free(&texts->slots);
    texts->slots = more;
    for (size_t i = 0; i < texts->count; i++) {
        const char *text = pst_csv_text(texts, i);
        *find_slot(texts, text, strlen(text)) = (uint32_t)i + 1;
    }
    return PST_OK;
}

enum pst_status pst_csv_add_text(struct pst_csv_texts *texts, const char *text, size_t size,
                                 struct pst_error *error)
{
    size_t start = texts->used;
    enum pst_status status = pst_csv_grow(&texts->bytes, texts->used, size + 1, error);
    if (status == PST_OK)
        status = pst_csv_grow(&texts->starts, texts->count * sizeof start, sizeof start, error);
    if (status == PST_OK)
        status = grow_slots(texts, error);
    if (status != PST_OK)
        return status;
    char *copy = (char *)texts->bytes.data + start;
    memcpy(copy, text, size);
    copy[size] = '\0';
    ((size_t *)texts->starts.data)[texts->count] = start;
    *find_slot(texts, text, size) = (uint32_t)++texts->count;
    texts->used += size + 1;
    return PST_OK;
}

void pst_csv_free_texts(struct pst_csv_texts *texts)
{
    pst_buffer_free(&texts->starts);
    pst_buffer_free(&texts->bytes);
    pst_buffer_free(&texts->slots);
    *texts = (struct pst_csv_texts){ 0 };
}

/* ---- sorting ------------------------------------------------------------------------------------------- */

struct entry {
    const char *text;
    double number;
    uint32_t at;
};

static int by_bytes(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->text, ((const struct entry *)b)->text);
}

static int by_value(const void *a, const void *b)
{
    double x = ((const struct entry *)a)->number, y = ((const struct entry *)b)->number;
    return x < y ? -1 : x > y ? 1 : by_bytes(a, b);
}

static struct entry *list_entries(const struct pst_csv_texts *texts, struct pst_error *error)
{
    struct entry *entries = pst_allocate(texts->count + 1, sizeof *entries, error);
    for (size_t i = 0; i < texts->count && entries != NULL; i++) {
        struct entry *entry = &entries[i];
        *entry = (struct entry){ .text = pst_csv_text(texts, i), .at = (uint32_t)i };
        if (!pst_csv_number(entry->text, strlen(entry->text), &entry->number))
            entry->number = 0;
    }
    return entries;
}

enum pst_status pst_csv_sort_texts(const struct pst_csv_texts *texts, bool by_number, uint32_t **places,
                                   const char *const **names, struct pst_error *error)
{
    struct entry *entries = list_entries(texts, error);
    const char **sorted = pst_allocate(texts->count + 1, sizeof *sorted, error);
    *places = pst_allocate(texts->count + 1, sizeof **places, error);
    *names = NULL;
    if (entries != NULL && sorted != NULL && *places != NULL) {
        qsort(entries, texts->count, sizeof *entries, by_number ? by_value : by_bytes);
        for (size_t i = 0; i < texts->count; i++) {
            sorted[i] = entries[i].text;
            (*places)[entries[i].at] = (uint32_t)i;
        }
        *names = pst_names_copy(sorted, texts->count, error);
    }
    free(entries);
    free((void *)sorted);
    if (*names != NULL)
        return PST_OK;
    free(*places);
    *places = NULL;
    return PST_TRY_AGAIN;
}

/* ---- numbers ------------------------------------------------------------------------------------------- */

/* What the digits of a number say: mantissa · 10^exponent. */
struct decimal {
    uint64_t mantissa;
    int exponent, digits;
};

/* Takes digits off the front. Returns what follows. */
static const char *take_digits(const char *at, struct decimal *decimal)
{
    for (; *at >= '0' && *at <= '9'; at++) {
        decimal->mantissa = decimal->mantissa * 10 + (uint64_t)(*at - '0');
        decimal->digits++;
    }
    return at;
}

/*
 * Numbers of up to 15 digits: mantissa and power of ten are both exact, so that one division rounds as strtod
 * does (Clinger 1990, "How to read floating point numbers accurately"). Returns false for all others.
 */
static bool is_short_number(const char *text, size_t size, double *number)
{
    static const double powers[] = { 1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                     1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15 };
    struct decimal decimal = { 0 };
    const char *at = text + (*text == '-');
    if (size > 17)
        return false;
    at = take_digits(at, &decimal);
    int whole = decimal.digits;
    if (*at == '.')
        at = take_digits(at + 1, &decimal);
    if (at != text + size || decimal.digits == 0 || decimal.digits > 15)
        return false;
    double value = (double)decimal.mantissa / powers[decimal.digits - whole];
    *number = *text == '-' ? -value : value;
    return true;
}

bool pst_csv_number(const char *text, size_t size, double *number)
{
    char copy[512];
    if (is_short_number(text, size, number))
        return true;
    while (size > 0 && (*text == ' ' || *text == '\t'))
        text++, size--;
    while (size > 0 && (text[size - 1] == ' ' || text[size - 1] == '\t'))
        size--;
    if (size == 0 || size >= sizeof copy || strchr("+-.0123456789", *text) == NULL)
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return pst_parse_double(copy, -DBL_MAX, DBL_MAX, number);
}

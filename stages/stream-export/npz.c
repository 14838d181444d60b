/*
 * NPZ: a ZIP archive (APPNOTE 6.3.3) of NPY files, as numpy.savez writes it: members are not compressed, and
 * numbers too large for 32 bits are in the ZIP64 fields.
 */
#include "stages/stream-export/export.h"

#include <string.h>
#include <zlib.h>

#define LIMIT UINT32_MAX /* the value in 32 bits that says "see the ZIP64 field" */
#define NAME_BITS 0x0800 /* names are UTF-8 */
#define VERSION 20       /* of ZIP that a reader must support; for ZIP64 it is */
#define VERSION_64 45
#define FIRST_DAY 0x0021 /* 1 January 1980: the same samples give the same bytes */
#define UNIX_FILE ((uint32_t)0100644 << 16)

/* Bytes of a header while it is made. */
struct record {
    unsigned char bytes[128];
    size_t used;
};

static void put(struct record *record, size_t size, uint64_t number)
{
    for (size_t i = 0; i < size; i++)
        record->bytes[record->used++] = (unsigned char)(number >> 8 * i);
}

static void put_record(struct output *output, const struct record *record)
{
    output_write(output, record->bytes, record->used);
}

static uint64_t at_most_limit(uint64_t number)
{
    return number < LIMIT ? number : LIMIT;
}

/* The part that both headers of a member share, from the needed version to the length of the extra field. */
static void put_member(struct record *record, const struct column *column, const struct array *array,
                       size_t extra)
{
    put(record, 2, extra > 0 ? VERSION_64 : VERSION);
    put(record, 2, NAME_BITS);
    put(record, 2, 0); /* stored */
    put(record, 2, 0);
    put(record, 2, FIRST_DAY);
    put(record, 4, array->crc);
    put(record, 4, at_most_limit(array->size));
    put(record, 4, at_most_limit(array->size));
    put(record, 2, strlen(column->name) + strlen(".npy"));
    put(record, 2, extra);
}

static void write_name(struct output *output, const struct column *column)
{
    output_write(output, column->name, strlen(column->name));
    output_write(output, ".npy", 4);
}

static enum pst_status write_member(struct export *export, size_t index, struct pst_error *error)
{
    const struct column *column = &export->columns[index];
    struct array *array = &export->arrays[index];
    struct output *output = &export->output;
    char header[MOST_NPY_HEADER];
    size_t length = array_header(column, array, header);
    uLong crc = crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)header, length);
    array->crc = (uint32_t)crc32_combine(crc, array->crc, (z_off_t)array->bytes);
    array->size = length + array->bytes;
    array->offset = output->written;
    size_t extra = array->size >= LIMIT ? 20 : 0;
    struct record record = { 0 };
    put(&record, 4, 0x04034b50);
    put_member(&record, column, array, extra);
    put_record(output, &record);
    write_name(output, column);
    record.used = 0;
    if (extra > 0) {
        put(&record, 2, 1);
        put(&record, 2, extra - 4);
        put(&record, 8, array->size);
        put(&record, 8, array->size);
    }
    put_record(output, &record);
    output_write(output, header, length);
    return array_copy(export, array, error);
}

/* A member's entry in the directory at the end. */
static void write_entry(struct output *output, const struct column *column, const struct array *array)
{
    bool large = array->size >= LIMIT, far = array->offset >= LIMIT;
    size_t extra = large || far ? 4 + (large ? 16U : 0) + (far ? 8U : 0) : 0;
    struct record record = { 0 };
    put(&record, 4, 0x02014b50);
    put(&record, 2, 3 << 8 | (extra > 0 ? VERSION_64 : VERSION)); /* made by Unix */
    put_member(&record, column, array, extra);
    put(&record, 2, 0); /* no comment, on the first disk, binary */
    put(&record, 2, 0);
    put(&record, 2, 0);
    put(&record, 4, UNIX_FILE);
    put(&record, 4, at_most_limit(array->offset));
    put_record(output, &record);
    write_name(output, column);
    record.used = 0;
    if (extra > 0) {
        put(&record, 2, 1);
        put(&record, 2, extra - 4);
    }
    if (large) {
        put(&record, 8, array->size);
        put(&record, 8, array->size);
    }
    if (far)
        put(&record, 8, array->offset);
    put_record(output, &record);
}

static void write_end_64(struct output *output, uint64_t count, uint64_t size, uint64_t offset)
{
    uint64_t here = output->written;
    struct record record = { 0 };
    put(&record, 4, 0x06064b50);
    put(&record, 8, 44);
    put(&record, 2, 3 << 8 | VERSION_64);
    put(&record, 2, VERSION_64);
    put(&record, 8, 0); /* this disk is the first, and the only one */
    put(&record, 8, count);
    put(&record, 8, count);
    put(&record, 8, size);
    put(&record, 8, offset);
    put(&record, 4, 0x07064b50);
    put(&record, 4, 0);
    put(&record, 8, here);
    put(&record, 4, 1);
    put_record(output, &record);
}

static void write_directory(struct export *export)
{
    struct output *output = &export->output;
    uint64_t offset = output->written;
    for (size_t i = 0; i < export->count; i++)
        write_entry(output, &export->columns[i], &export->arrays[i]);
    uint64_t size = output->written - offset;
    if (offset >= LIMIT || size >= LIMIT)
        write_end_64(output, export->count, size, offset);
    struct record record = { 0 };
    put(&record, 4, 0x06054b50);
    put(&record, 4, 0);
    put(&record, 2, export->count); /* at most PST_MAX_TENSORS and the derived columns */
    put(&record, 2, export->count);
    put(&record, 4, at_most_limit(size));
    put(&record, 4, at_most_limit(offset));
    put(&record, 2, 0);
    put_record(output, &record);
}

static enum pst_status finish(struct export *export, struct pst_error *error)
{
    enum pst_status status = PST_OK;
    for (size_t i = 0; status == PST_OK && i < export->count; i++)
        status = write_member(export, i, error);
    if (status == PST_OK)
        write_directory(export);
    return status;
}

const struct format format_npz = {
    .is_binary = true, .begin = arrays_begin, .add = arrays_add, .finish = finish
};

/* Reads tables: libcsv gets one line at a time, so that the line of each row is known. */
#include "lib/data/csv/csv.h"
#include "lib/data/gzip.h"

#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define CHUNK 65536

struct source {
    const char *path;
    gzFile file;
    struct csv_parser parser;
    struct pst_digest_state digest;
    size_t bytes; /* of the content, so far */
};

/* ---- what a file looks like ---------------------------------------------------------------------------- */

static const char delimiters[] = ",\t;";

/* Counts a delimiter outside of quotes, from *at to the line's end. at: receives the line's end. */
static size_t count_in_line(const char *text, size_t size, char delimiter, size_t *at)
{
    size_t count = 0;
    bool quoted = false;
    for (; *at < size && (quoted || (text[*at] != '\n' && text[*at] != '\r')); ++*at) {
        quoted ^= text[*at] == '"';
        count += !quoted && text[*at] == delimiter;
    }
    return count;
}

char pst_csv_guess_delimiter(const char *text, size_t size)
{
    size_t most = 0;
    char best = ',';
    for (; size > 0 && strchr(" \r\n", *text) != NULL; text++)
        size--; /* empty lines */
    for (const char *delimiter = delimiters; *delimiter != '\0'; delimiter++) {
        size_t at = 0, count = count_in_line(text, size, *delimiter, &at);
        if (count > most)
            best = *delimiter;
        most = count > most ? count : most;
    }
    return best;
}

static bool is_text(const unsigned char *start, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((start[i] < ' ' && strchr("\t\r\n", start[i]) == NULL) || start[i] == '\0' || start[i] == 127)
            return false;
    return size > 0 && strchr("{[<", start[0]) == NULL;
}

static size_t skip_mark(const unsigned char *start, size_t size)
{
    return size >= 3 && memcmp(start, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
}

static bool is_blank(const char *text, size_t size)
{
    while (size > 0 && text[size - 1] == ' ')
        size--;
    return size == 0;
}

bool pst_csv_recognises(const unsigned char *start, size_t size)
{
    size_t mark = skip_mark(start, size), rows = 0, fields = 0, at = 0;
    const char *text = (const char *)start + mark;
    bool cut = size == PST_FILE_START; /* the last line is not whole */
    size -= mark;
    if (!is_text(start + mark, size))
        return false;
    char delimiter = pst_csv_guess_delimiter(text, size);
    while (at < size) {
        size_t begin = at, count = count_in_line(text, size, delimiter, &at);
        bool whole = at < size || !cut;
        if (is_blank(text + begin, at - begin)) {
            at++;
            continue;
        }
        if (whole) {
            if (count == 0 || (rows > 0 && count != fields))
                return false;
            fields = count;
            rows++;
        } else if (rows == 0) {
            return count >= 8; /* one long line is all that was read */
        }
        at++;
    }
    return rows >= 2;
}

/* ---- lines --------------------------------------------------------------------------------------------- */

/* Puts file, row and line in front of a message. An error in the command line has no row. */
static enum pst_status fail_here(const struct pst_csv *table, const struct source *source)
{
    if (table->error->status == PST_USAGE)
        return PST_USAGE;
    if (table->first_row)
        return pst_fail_at(table->error, "%s, line %zu", source->path, table->row_line);
    return pst_fail_at(table->error, "%s, row %zu (line %zu)", source->path, table->rows, table->row_line);
}

static enum pst_status parser_failure(struct pst_csv *table, struct source *source)
{
    int code = csv_error(&source->parser);
    if (code == CSV_ENOMEM)
        return pst_fail(table->error, PST_TRY_AGAIN, "%s: out of memory", source->path);
    pst_fail(table->error, PST_BAD_DATA,
             "a quote stands within a field that does not begin with one, or a quoted field goes on behind "
             "its end, in line %zu; a quote within a quoted field is written \"\"",
             table->line);
    return fail_here(table, source);
}

/* Between rows libcsv's state is 0: the next one begins here. */
static void note_line(struct pst_csv *table, const struct source *source)
{
    if (source->parser.pstate == 0)
        table->row_line = table->line;
}

/* Hands on a piece of a line. */
static enum pst_status feed(struct pst_csv *table, struct source *source, const char *piece, size_t size)
{
    note_line(table, source);
    if (csv_parse(&source->parser, piece, size, pst_csv_take_field, pst_csv_end_row, table) != size)
        return parser_failure(table, source);
    if (table->status == PST_OK && source->parser.entry_pos > PST_CSV_MOST_FIELD)
        table->status =
            pst_fail(table->error, PST_BAD_DATA, "a field of more than %zu bytes; is a quote not closed?",
                     PST_CSV_MOST_FIELD);
    return table->status == PST_OK ? PST_OK : fail_here(table, source);
}

/* Hands on a chunk, line by line. */
static enum pst_status feed_lines(struct pst_csv *table, struct source *source, const char *chunk,
                                  size_t size)
{
    const char *end = chunk + size;
    enum pst_status status = PST_OK;
    while (chunk < end && status == PST_OK) {
        const char *newline = memchr(chunk, '\n', (size_t)(end - chunk));
        const char *next = newline != NULL ? newline + 1 : end;
        status = feed(table, source, chunk, (size_t)(next - chunk));
        table->line += newline != NULL;
        chunk = next;
    }
    return status;
}

/* A NUL in a table is a sign of damage, or of UTF-16; all before it is read, so that its row is known. */
static enum pst_status feed_chunk(struct pst_csv *table, struct source *source, const char *chunk,
                                  size_t size)
{
    const char *nul = memchr(chunk, '\0', size);
    size_t good = nul != NULL ? (size_t)(nul - chunk) : size;
    enum pst_status status = feed_lines(table, source, chunk, good);
    if (status != PST_OK || nul == NULL)
        return status;
    note_line(table, source);
    pst_fail(table->error, PST_BAD_DATA, "a byte of 0 in line %zu; is the file UTF-16? Tables are UTF-8",
             table->line);
    return fail_here(table, source);
}

/* ---- files --------------------------------------------------------------------------------------------- */

/* Reads up to a chunk. got: 0 only at the file's end. */
static enum pst_status read_chunk(struct source *source, char *chunk, size_t *got, struct pst_error *error)
{
    int count = gzread(source->file, chunk, CHUNK), code;
    gzerror(source->file, &code); /* zlib gives what a file has, and only then an error if it is cut short */
    if (count < 0 || (count < CHUNK && code != Z_OK && code != Z_STREAM_END))
        return pst_gzip_failure(source->file, source->path, source->bytes, error);
    *got = (size_t)count;
    pst_digest_add(&source->digest, chunk, *got);
    return PST_OK;
}

/* What depends on the first bytes: a mark of UTF-8, and the delimiter. */
static size_t begin(struct pst_csv *table, struct source *source, const char *chunk, size_t size)
{
    size_t mark = skip_mark((const unsigned char *)chunk, size);
    if (table->delimiter == 0)
        table->delimiter = pst_csv_guess_delimiter(chunk + mark, size - mark);
    csv_set_delim(&source->parser, (unsigned char)table->delimiter);
    return mark;
}

/* Refuses a file of another kind. */
static enum pst_status check_kind(const struct source *source, const char *chunk, size_t size,
                                  struct pst_error *error)
{
    const char *is = source->bytes == 0 ? pst_wrong_file(PST_CSV_FILE, chunk, size) : NULL;
    return is == NULL ? PST_OK : pst_fail(error, PST_BAD_DATA, "%s: not a table, but %s", source->path, is);
}

static enum pst_status read_all(struct pst_csv *table, struct source *source, struct pst_error *error)
{
    char chunk[CHUNK];
    size_t got = 0;
    enum pst_status status;
    while ((status = read_chunk(source, chunk, &got, error)) == PST_OK && got > 0) {
        size_t mark = source->bytes == 0 ? begin(table, source, chunk, got) : 0;
        status = check_kind(source, chunk, got, error);
        if (status == PST_OK)
            status = feed_chunk(table, source, chunk + mark, got - mark);
        if (status != PST_OK)
            return status;
        source->bytes += got;
    }
    if (status != PST_OK)
        return status;
    if (csv_fini(&source->parser, pst_csv_take_field, pst_csv_end_row, table) != 0) {
        pst_fail(error, PST_BAD_DATA, "the file ends within a quoted field");
        return fail_here(table, source);
    }
    return table->status == PST_OK ? PST_OK : fail_here(table, source);
}

enum pst_status pst_csv_read(struct pst_csv *table, const char *path, char digest[PST_DIGEST_TEXT],
                             struct pst_error *error)
{
    int fd;
    struct source source = { .path = path };
    enum pst_status status = pst_file_open(path, &fd, error);
    if (status != PST_OK)
        return status;
    source.file = gzdopen(fd, "rb");
    if (source.file == NULL) {
        close(fd);
        return pst_fail(error, PST_TRY_AGAIN, "%s: out of memory", path);
    }
    table->error = error;
    table->line = table->row_line = 1;
    table->field = table->collected_bytes = 0;
    table->first_row = true;
    pst_digest_start(&source.digest);
    (void)csv_init(&source.parser,
                   CSV_STRICT | CSV_STRICT_FINI | CSV_APPEND_NULL); /* 0: it allocates nothing */
    status = read_all(table, &source, error);
    csv_free(&source.parser);
    gzclose(source.file);
    pst_digest_finish(&source.digest, digest);
    return status;
}

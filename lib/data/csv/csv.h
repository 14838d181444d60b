/* csv.h: tables in text, and sets whose samples are their rows. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_CSV_CSV_H
#define PIPESTILL_LIB_DATA_CSV_CSV_H

#include "pipestill/data.h"

#include <csv.h>

#define PST_CSV_MOST_COLUMNS ((size_t)1 << 20)
#define PST_CSV_MOST_ELEMENTS ((size_t)1 << 24) /* of a sample */
#define PST_CSV_MOST_CATEGORIES 1000            /* of a column */
#define PST_CSV_MOST_CLASSES 65536
#define PST_CSV_MOST_TEXT 1000               /* bytes of a name, a category or a class */
#define PST_CSV_MOST_FIELD ((size_t)1 << 20) /* bytes of any field */
#define PST_CSV_NOWHERE SIZE_MAX

/* ---- texts, each once ---------------------------------------------------------------------------------- */

/* Different texts, numbered from 0 as they came. {0} is empty. */
struct pst_csv_texts {
    size_t count, used;       /* texts, and their bytes */
    struct pst_buffer starts; /* size_t [count]: where each begins */
    struct pst_buffer bytes;  /* [used]; each text ends with a NUL */
    struct pst_buffer slots;  /* uint32_t, a power of 2 of them: the number of a text plus 1, or 0 */
    uint64_t seed;            /* of the hash: random, so that texts cannot be made to share a slot */
};

/*
 * Makes room for more bytes behind those of a buffer that are used; the room doubles.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_csv_grow(struct pst_buffer *buffer, size_t used, size_t more,
                                         struct pst_error *error);

/* A text by its number. */
const char *pst_csv_text(const struct pst_csv_texts *texts, size_t number);

/* The number of a text, or PST_CSV_NOWHERE. */
size_t pst_csv_find_text(const struct pst_csv_texts *texts, const char *text, size_t size);

/* Adds a text that is not there. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_csv_add_text(struct pst_csv_texts *texts, const char *text, size_t size,
                                             struct pst_error *error);

/*
 * Puts texts in the order of their bytes, or of the numbers that they are.
 * places: receives [count]: the new place of each, to be freed. names: receives the texts in that order, as
 * pst_names_copy makes them. Returns PST_OK or PST_TRY_AGAIN; then neither is owned.
 */
PST_CHECKED enum pst_status pst_csv_sort_texts(const struct pst_csv_texts *texts, bool by_number,
                                               uint32_t **places, const char *const **names,
                                               struct pst_error *error);

/* Frees what it holds and makes it {0}. */
void pst_csv_free_texts(struct pst_csv_texts *texts);

/*
 * Parses a field as a decimal number, without the blanks around it; "." is the decimal point in every locale.
 * text: [size], and a NUL behind it. Returns whether it is a finite number.
 */
PST_CHECKED bool pst_csv_number(const char *text, size_t size, double *number);

/* ---- what a user says of a table ------------------------------------------------------------------------
 */

/* The values of an option that may be given several times. */
struct pst_csv_list {
    size_t count;
    const char *text[16]; /* borrowed */
};

enum pst_csv_header { PST_CSV_HEADER_AUTO, PST_CSV_HEADER_YES, PST_CSV_HEADER_NO };

struct pst_csv_settings {
    struct pst_csv_list label, ignore, categorical, missing_values;
    const char *id, *weight, *delimiter, *strip_label;
    int header;      /* of enum pst_csv_header */
    int mean, zeros; /* 1: --missing mean, --unknown-category zeros */
    bool regression;
};

/* ---- a table --------------------------------------------------------------------------------------------
 */

enum pst_csv_role { PST_CSV_INPUT, PST_CSV_LABEL, PST_CSV_ID, PST_CSV_WEIGHT, PST_CSV_IGNORED };

/* What the fields of a column become. */
enum pst_csv_kind {
    PST_CSV_UNKNOWN, /* there was no value yet */
    PST_CSV_NUMBERS,
    PST_CSV_TEXTS,     /* categories, because the first value is no number; numbers are refused */
    PST_CSV_CATEGORIES /* categories, also if they are numbers, because the user or a model says so */
};

#define PST_CSV_GAP UINT32_MAX /* a value is missing, or a category is unknown; as a float it is a NaN */

/* A field that was read: a number, or the number of a category or class, or a bit. */
union pst_csv_cell {
    float number;
    uint32_t category;
};

/* A column of the files. */
struct pst_csv_column {
    enum pst_csv_role role;
    enum pst_csv_kind kind;
    size_t place;               /* among the inputs, or among the labels */
    bool listed;                /* its categories or classes are those of a model */
    size_t numbers, gaps;       /* fields that are numbers, and those that are missing */
    double sum;                 /* of the numbers */
    double missing;             /* what stands for a number that is missing; NaN: not known */
    struct pst_csv_texts texts; /* its categories or classes */
};

/* A file, and which of the rows are its own. */
struct pst_csv_file {
    char *path;
    size_t first; /* number of its first row */
};

/* From this row on, rows have one line each, and the first is `line`. */
struct pst_csv_jump {
    size_t row, line;
};

/* What a set of the type csv owns. */
struct pst_csv {
    const struct pst_csv_settings *settings; /* set while it is opened; likewise the next two */
    const struct pst_likeness *like;
    struct pst_error *error;
    enum pst_status status; /* of what libcsv's callbacks did */
    size_t memory, kept;    /* bytes that it may keep, and that it keeps */
    char notice[200];       /* a decision that the user should know */

    char delimiter;                /* 0: not known yet */
    bool header;                   /* the files have one */
    bool unnamed;                  /* and their first column has no name */
    struct pst_csv_texts names;    /* of the columns, one each */
    struct pst_csv_column *column; /* [columns]; NULL until the first row has been seen */
    size_t columns, inputs, labels;
    bool has_ids, has_weights;
    bool regression; /* labels are numbers, because the settings or a model say so */

    size_t rows, files;
    struct pst_csv_file *file; /* [files] */
    struct pst_buffer jumps;   /* struct pst_csv_jump [jump_count] */
    size_t jump_count, next_line;
    struct pst_buffer cells;   /* union pst_csv_cell [rows, inputs] */
    struct pst_buffer targets; /* union pst_csv_cell [rows, labels] */
    struct pst_buffer ids;     /* uint64_t [rows] */
    struct pst_buffer weights; /* float [rows] */

    struct pst_column *given; /* [inputs]: the columns as others see them; texts and lists in it are owned */
    const char *const *given_names; /* [inputs] */

    /* The row that is read. */
    size_t line, row_line;       /* counted from 1 */
    size_t field;                /* fields so far */
    bool first_row;              /* it is a file's first one: its fields are collected */
    struct pst_buffer collected; /* their bytes, a NUL behind each */
    size_t collected_bytes;
};

/*
 * Reads a file, plain or gzip, and hands its fields to pst_csv_take_field and its rows to pst_csv_end_row.
 * digest: receives the SHA-256 of its content. Returns PST_OK; PST_NO_INPUT; PST_BAD_DATA; PST_IO_ERROR;
 * PST_TRY_AGAIN; the message names file, row and line.
 */
PST_CHECKED enum pst_status pst_csv_read(struct pst_csv *table, const char *path,
                                         char digest[PST_DIGEST_TEXT], struct pst_error *error);

/* The delimiter that a text's first line has most often; "," if there is none. */
char pst_csv_guess_delimiter(const char *text, size_t size);

/* Whether a file that begins with these bytes is a table: rows that have the same number of fields. */
bool pst_csv_recognises(const unsigned char *start, size_t size);

/* libcsv's callbacks: a field's end, and a row's. They do nothing once table->status is not PST_OK. */
void pst_csv_take_field(void *text, size_t size, void *table);
void pst_csv_end_row(int end, void *table);

/*
 * Decides what each column is for, by names and numbers in the settings, and by the likeness.
 * Returns PST_OK; PST_USAGE for a column that is not there or is used twice; PST_BAD_DATA for columns that do
 * not fit; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_csv_choose_columns(struct pst_csv *table, struct pst_error *error);

/* Finds the columns that a model has among those of the table: a part of pst_csv_choose_columns. */
PST_CHECKED enum pst_status pst_csv_fit_columns(struct pst_csv *table, struct pst_error *error);

/* The name of a column. */
const char *pst_csv_name(const struct pst_csv *table, const struct pst_csv_column *column);

/* Stores a field of an input, or a label, in the row's cell. Returns PST_OK, PST_BAD_DATA, PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_csv_store_input(struct pst_csv *table, struct pst_csv_column *column,
                                                const char *text, size_t size, struct pst_error *error);
PST_CHECKED enum pst_status pst_csv_store_label(struct pst_csv *table, struct pst_csv_column *column,
                                                const char *text, size_t size, struct pst_error *error);

/* Whether a field is one that stands for a missing value. */
bool pst_csv_is_missing(const struct pst_csv *table, const char *text, size_t size);

/* The number of a category or class of a column, which is added if it is new. */
PST_CHECKED enum pst_status pst_csv_categorise(struct pst_csv *table, struct pst_csv_column *column,
                                               const char *text, size_t size, size_t most, uint32_t *number,
                                               struct pst_error *error);

/* When all rows are read: sorts categories, fills gaps, and describes the columns for others.
 * elements: receives those of a sample. */
PST_CHECKED enum pst_status pst_csv_finish_inputs(struct pst_csv *table, size_t *elements,
                                                  struct pst_error *error);

/* When all rows are read: labels, classes and names of outputs, ids and weights of the set. */
PST_CHECKED enum pst_status pst_csv_finish_labels(struct pst_csv *table, struct pst_dataset *dataset,
                                                  struct pst_error *error);

/* Says where a row stands: "train.csv, row 17 (line 19)". */
void pst_csv_place(const struct pst_csv *table, size_t row, char *text, size_t size);

#endif

/* export.h: what the files of this stage share. */
#ifndef PIPESTILL_STAGES_EXPORT_H
#define PIPESTILL_STAGES_EXPORT_H

#include "pipestill.h"

struct export;

/* ---- the output ---------------------------------------------------------------------------------------- */

/*
 * A file that appears when it is whole, or standard output, behind a buffer. `error` keeps the first error,
 * and everything written afterwards is dropped, so that not every number needs a check. {0} is closed.
 */
struct output {
    const char *path; /* NULL: standard output */
    int fd;
    bool terminal; /* names must not send control characters to it */
    struct pst_atomic_file file;
    struct pst_buffer buffer;
    size_t used;      /* bytes of the buffer */
    uint64_t written; /* bytes, those in the buffer included */
    struct pst_error error;
};

/* path: NULL or "-" for standard output. Returns PST_OK; what pst_atomic_open returns; PST_TRY_AGAIN. */
enum pst_status output_open(struct pst_run *run, struct output *output, const char *path,
                            struct pst_error *error);

/* A place in the buffer for so many bytes, up to 1 MiB. output_used then takes the end of the bytes. */
char *output_room(struct output *output, size_t size);
void output_used(struct output *output, const char *end);

void output_write(struct output *output, const void *bytes, size_t size);

/* Makes the separator that was written last the end of a line. */
void output_end_line(struct output *output);

/* Writes the bytes in the buffer. Returns PST_OK, or the first error since the output was opened. */
enum pst_status output_flush(struct output *output, struct pst_error *error);

/* Writes the rest and gives the file its name. */
enum pst_status output_finish(struct output *output, struct pst_error *error);

/* Frees everything; a file that was not finished is removed. */
void output_stop(struct output *output);

/* ---- names --------------------------------------------------------------------------------------------- */

/* A list of names. {0} is empty. */
struct names {
    const struct json_t *list; /* borrowed */
    size_t count;
    bool unique;
};

/* Those that the stream's header has. */
struct all_names {
    struct names inputs; /* of the elements of x: a column's, or COLUMN=CATEGORY */
    struct names classes, outputs;
    struct json_t *about; /* the object that holds them; owned */
};

/* Reads them. Returns PST_OK, also if there are none; PST_BAD_DATA; PST_TRY_AGAIN. */
enum pst_status names_read(struct all_names *names, const struct pst_header *header, struct pst_error *error);

void names_free(struct all_names *names);

const char *names_at(const struct names *names, size_t index);

/* ---- columns ------------------------------------------------------------------------------------------- */

/* What is written of each sample: a tensor as it is, or something derived from the stream. */
struct column {
    char name[PST_NAME_SIZE];
    enum pst_dtype dtype; /* i32 if it is a text */
    bool is_text;         /* the numbers are classes, and their names are written */
    size_t rank, shape[PST_MAX_RANK - 1], width;
    const struct names *parts;   /* names of its numbers; NULL: 0, 1, ... */
    size_t tensor;               /* its place in a batch; PST_NONE: none */
    struct pst_tensor_spec spec; /* of the tensor */
    /* Sets `data` for a batch, [n, width]; it may use `memory`. */
    enum pst_status (*fill)(struct export *export, struct column *column, const struct pst_batch *batch,
                            struct pst_error *error);
    const void *data;
    struct pst_buffer memory;
};

/* What in the stream a derived column needs. */
enum column_source { FROM_BATCH, FROM_LABELS, FROM_PREDICTIONS, FROM_CLASSES };

/* A column that is not a tensor. */
struct derived {
    const char *name;
    enum column_source source;
    enum pst_dtype dtype;
    bool is_text, is_wide; /* wide: a number for each output */
    enum pst_status (*fill)(struct export *export, struct column *column, const struct pst_batch *batch,
                            struct pst_error *error);
};

/* All of them, ended by one without a name. */
extern const struct derived derived_columns[];

/* Chooses the columns of --take, or the usual ones. Returns PST_OK; PST_USAGE; PST_BAD_DATA;
 * PST_TRY_AGAIN. */
enum pst_status columns_choose(struct export *export, const struct pst_header *header,
                               struct pst_error *error);

/* Takes the values of a batch. */
enum pst_status columns_fill(struct export *export, const struct pst_batch *batch, struct pst_error *error);

void columns_free(struct export *export);

/* ---- predictions --------------------------------------------------------------------------------------- */

/* What is predicted. The first is not a type: y and the header then decide. */
enum prediction_type { AS_STREAM_SAYS, AS_CLASSES, AS_NUMBERS, AS_BITS };

struct predictions {
    struct pst_tensor_spec spec;
    size_t index; /* PST_NONE: none are needed */
    bool logits;  /* else probabilities */
    enum prediction_type type;
    size_t outputs;
    const float *rows;   /* of the current batch, as in the stream: [n, outputs] */
    const float *values; /* probabilities, or numbers if those are predicted: [n, outputs] */
    struct pst_buffer memory;
    double *log_p; /* [outputs], of one sample */
};

/* Whether a stream has any. */
bool predictions_are_in(const struct pst_header *header);

/* Finds the predictions and their type, unless that was done before. */
enum pst_status predictions_open(struct export *export, const struct pst_header *header,
                                 struct pst_error *error);

/* Takes those of a batch. */
enum pst_status predictions_take(struct predictions *predictions, const struct pst_batch *batch,
                                 struct pst_error *error);

void predictions_free(struct predictions *predictions);

/* ---- formats ------------------------------------------------------------------------------------------- */

/* A type of file. */
struct format {
    bool is_binary;    /* not for a terminal */
    char separator;    /* of the formats in csv.c */
    const char *quote; /* written on both sides of a number that is a text */
    /* Writes a text as a field. NULL: the format has no fields. */
    void (*write_field)(FILE *out, const char *text);
    enum pst_status (*begin)(struct export *export, struct pst_error *error); /* the columns are known */
    enum pst_status (*add)(struct export *export, size_t n, struct pst_error *error); /* they are filled */
    enum pst_status (*finish)(struct export *export, struct pst_error *error); /* NULL: nothing to do */
};

extern const struct format format_csv, format_tsv, format_jsonl, format_npy, format_npz;

/* The names of classes as fields. */
struct fields {
    char **texts; /* [count] */
    size_t *lengths;
    size_t count;
};

/* An array that grows in a file without a name. */
struct array {
    int fd; /* -1: closed */
    uint64_t rows, bytes;
    uint32_t crc;    /* CRC-32 of the bytes, then, in npz, of the whole member */
    uint64_t size;   /* npz: bytes of the member */
    uint64_t offset; /* npz: where the member begins */
    size_t letters;  /* of a text */
};

/* The stage. */
struct export
{
    /* options */
    int to, as;
    const char *output_path, *of;
    bool raw, no_header;
    const char **lists; /* [list_count], of --take; the texts are borrowed */
    size_t list_count;
    /* the stream */
    struct all_names names;
    struct predictions predictions;
    struct column *columns; /* [count]; owned */
    size_t count, room;
    /* what is written */
    const struct format *format;
    struct output output;
    struct fields fields;
    char **keys;          /* [count], of jsonl; owned */
    struct array *arrays; /* [count], of npy and npz; owned */
};

/* ---- formats of text ----------------------------------------------------------------------------------- */

/* A text as a field, to be freed; NULL if memory is short. For a terminal it has no control characters. */
char *field_of(const struct export *export, const char *text);

/* Makes the fields of the classes' names. Returns PST_OK or PST_TRY_AGAIN. */
enum pst_status fields_make(struct export *export, struct pst_error *error);

/* Writes the name of a class as a field; its number if it has none. */
void field_write_class(struct export *export, int32_t class);

void fields_free(struct fields *fields);

/* Writes a number of a column. text: PST_NUMBER_TEXT bytes. finite: receives whether the number is finite.
 * Returns the length. */
size_t column_put(const struct column *column, size_t index, char *text, bool *finite);

/* ---- formats of arrays --------------------------------------------------------------------------------- */

#define MOST_NPY_HEADER 1024

/* Begins an array for each column. */
enum pst_status arrays_begin(struct export *export, struct pst_error *error);

/* Adds the values of n samples. */
enum pst_status arrays_add(struct export *export, size_t n, struct pst_error *error);

/* Makes the header of an array's file. Returns its length. */
size_t array_header(const struct column *column, const struct array *array, char header[MOST_NPY_HEADER]);

/* Copies an array's bytes to the output. */
enum pst_status array_copy(struct export *export, const struct array *array, struct pst_error *error);

void arrays_free(struct export *export);

#endif

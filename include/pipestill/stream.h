/*
 * stream.h: what flows between stages. A stream is one header, then batches in order, then one trailer, each
 * a MessagePack object with a checksum; docs/stream-format.md is its definition for other languages.
 *
 * The header declares every tensor of the stream once; each batch then holds exactly those, in that order. So
 * a batch's sizes are known before its first byte is read, and its framing is a few dozen bytes.
 */
#ifndef PIPESTILL_STREAM_H
#define PIPESTILL_STREAM_H

#include "pipestill/base.h"
#include "pipestill/lineage.h"
#include "pipestill/transport.h"

struct json_t; /* jansson's value */

#define PST_FORMAT_VERSION 2    /* written; 1 is read as well */
#define PST_MAX_RANK 8          /* dimensions of a tensor, n included */
#define PST_MAX_TENSORS 4096    /* tensors in a stream */
#define PST_MAX_META (1U << 20) /* bytes of the metadata of one message */
#define PST_NAME_SIZE 128       /* a tensor's name with its final NUL */
#define PST_DEFAULT_MAX_MESSAGE ((size_t)256 << 20)

/* ---- tensors and batches ----------------------------------------------------------------------------- */

enum pst_dtype {
    PST_DTYPE_U8,
    PST_DTYPE_I32,
    PST_DTYPE_U64,
    PST_DTYPE_F32,
    PST_DTYPE_F16, /* IEEE 754 binary16 */
    PST_DTYPE_U16,
    PST_DTYPES
};

/* Bytes of one element. */
size_t pst_dtype_size(enum pst_dtype dtype);

/* "u8", "i32", "u64", "f32", "f16" or "u16". */
const char *pst_dtype_name(enum pst_dtype dtype);

/* A header's description of a tensor. Set name, dtype, rank and shape; the rest may stay 0. */
struct pst_tensor_spec {
    char name[PST_NAME_SIZE]; /* "x", "y", "id", "logits/NAME", "soft/NAME", "soft", or anything else */
    enum pst_dtype dtype;
    size_t rank;                    /* dimensions of one sample: 0 to PST_MAX_RANK - 1 */
    size_t shape[PST_MAX_RANK - 1]; /* of one sample, each ≥ 1 */
    double scale; /* a u8 tensor stands for the numbers scale · element + offset; 0 means scale 1 */
    double offset;
    double temperature;           /* of soft targets: the T of their softmax; 0 if there is none */
    size_t sample_bytes;          /* of one sample; computed by pst_header_add_tensor */
    char origin[PST_DIGEST_TEXT]; /* what made it, see "lineage"; empty: not known */
    size_t passed_from; /* of a filter: the place in its input of the tensor whose bytes pass on unchanged;
                           PST_NONE if the filter fills it, as after pst_header_add_tensor */
};

/* A tensor in a batch: n samples, C order, little-endian, aligned to PST_ALIGNMENT. */
struct pst_tensor {
    void *data; /* [n, spec.shape…]; the batch's own memory, or that of a filter's input (pst_batch_derive);
                   valid until the batch is resized or read again */
    size_t bytes; /* n · sample_bytes */
    uint32_t crc; /* CRC-32C of data, if crc_known */
    bool crc_known;
    struct pst_buffer memory;
};

/* n samples. {0} is empty; see pst_batch_follow. Its memory is reused from batch to batch. */
struct pst_batch {
    uint64_t seq;   /* from the header's first, without a gap */
    uint64_t epoch; /* from 0 */
    size_t n;       /* samples, ≥ 1 */
    size_t tensor_count;
    struct pst_tensor *tensors; /* in the order of the header */
};

/* ---- header and trailer ------------------------------------------------------------------------------ */

/* How tensors are stored in a stream. Readers decode them, so no other code depends on it. */
enum pst_encoding {
    PST_PLAIN, /* as they are */
    PST_ZSTD   /* each as a Zstandard frame (RFC 8878) */
};

/* What is known of a stream before its first batch. */
struct pst_header {
    char run[33];               /* 32 hexadecimal digits, random, one a run of the source */
    uint64_t classes;           /* 0 if unknown */
    uint64_t samples;           /* in an epoch; 0 if unknown */
    uint64_t epochs;            /* 0 if unknown */
    uint64_t batches;           /* in the whole stream, counted from seq 0; 0 if unknown or endless */
    uint64_t first;             /* seq of the first batch: 0, or the place from which a source continues */
    enum pst_encoding encoding; /* of the stream that was read; writers do not use it */
    size_t tensor_count;
    struct pst_tensor_spec *tensors; /* owned */
    struct json_t *history;          /* array of objects, one a stage, source first; owned */
    struct json_t *lineage;          /* object: from an origin to what made the tensor; owned; may be NULL */
    struct json_t *other;            /* keys that this version does not use, passed on; owned; may be NULL */
};

/* The sums of a stream, at its end. */
struct pst_trailer {
    uint64_t batches;
    uint64_t samples;
    uint64_t batch_checksum;  /* sum modulo 2^64 of the batches' metadata CRCs, in any order */
    uint64_t sample_checksum; /* sum modulo 2^64 of pst_sample_hash over all samples with an id, else 0:
                                 equal on both sides of a stage that loses and repeats nothing */
};

/* Makes an empty header with a new random run id. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_header_new(struct pst_header *header, struct pst_error *error);

/* Makes `copy` a deep copy of a header. Returns PST_OK or PST_TRY_AGAIN. */
PST_CHECKED enum pst_status pst_header_copy(struct pst_header *copy, const struct pst_header *header,
                                            struct pst_error *error);

/*
 * Makes `out` a deep copy of the header of a filter's input; all its tensors pass on unchanged.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_header_pass(struct pst_header *out, const struct pst_header *in,
                                            struct pst_error *error);

/*
 * Declares a tensor that passes on unchanged, with its origin, at the end of the list.
 * spec: its description. from: its place in the header of the stream that was read. index: may be NULL.
 * Returns what pst_header_add_tensor returns.
 */
PST_CHECKED enum pst_status pst_header_pass_tensor(struct pst_header *header,
                                                   const struct pst_tensor_spec *spec, size_t from,
                                                   size_t *index, struct pst_error *error);

/* Takes a tensor out of a header; those behind it move up. */
void pst_header_drop(struct pst_header *header, size_t index);

/* Declares that a filter fills a tensor itself, and does not pass on the bytes of its input. */
void pst_header_replace(struct pst_header *header, size_t index);

/* Frees what a header holds and makes it {0}. */
void pst_header_free(struct pst_header *header);

/*
 * Declares a tensor at the end of the header's list.
 * index: receives its place in header and batches; may be NULL.
 * Returns PST_OK; PST_BAD_DATA if the name is taken or not UTF-8, the shape is out of bounds, or 'id' is not
 * one u64 a sample; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_header_add_tensor(struct pst_header *header,
                                                  const struct pst_tensor_spec *spec, size_t *index,
                                                  struct pst_error *error);

#define PST_NONE SIZE_MAX /* no such tensor */

/* The place of the tensor of that name, or PST_NONE. */
size_t pst_header_find(const struct pst_header *header, const char *name);

/* Writes the names of a header's tensors, as many as fit. text: receives them, [size], size at least 16. */
void pst_header_names(const struct pst_header *header, char *text, size_t size);

/*
 * Lists the tensors whose name is PREFIX/NAME, for example all "logits/…".
 * indices: receives up to `room` places, in stream order.
 * Returns how many there are, which may be more than room.
 */
size_t pst_header_find_all(const struct pst_header *header, const char *prefix, size_t *indices, size_t room);

/*
 * Finds a tensor and checks that it is what the caller can use.
 * dtype, rank, shape: what it must be; a shape of NULL or a 0 in it matches anything.
 * Returns PST_OK; PST_BAD_DATA with a message that names what is there instead.
 */
PST_CHECKED enum pst_status pst_header_require(const struct pst_header *header, const char *name,
                                               enum pst_dtype dtype, size_t rank, const size_t *shape,
                                               size_t *index, struct pst_error *error);

/*
 * Appends a stage to the history.
 * details: object with more about it (options, digests); stolen; NULL is allowed.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_header_append_history(struct pst_header *header, const char *stage,
                                                      struct json_t *details, struct pst_error *error);

/* The header as a JSON object for people and tools, or NULL if memory is short; the caller owns it. */
PST_CHECKED struct json_t *pst_header_to_json(const struct pst_header *header);

/*
 * Gives a batch the tensors of a header, keeping those that it has already.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_batch_follow(struct pst_batch *batch, const struct pst_header *header,
                                             struct pst_error *error);

/*
 * Gives every tensor of the batch, from the place `from` on, room for n samples; contents are undefined.
 * Returns PST_OK; PST_BAD_DATA if n is 0 or a size overflows; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_batch_resize(struct pst_batch *batch, const struct pst_header *header,
                                             size_t n, size_t from, struct pst_error *error);

/*
 * Makes a filter's batch ready to be filled: seq, epoch and n are those of its input, tensors that pass on
 * share the input's bytes, until it is read anew, and the others have room for n samples.
 * header: of the output. Returns PST_OK; PST_BAD_DATA if a size overflows; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_batch_derive(struct pst_batch *out, const struct pst_header *header,
                                             const struct pst_batch *in, struct pst_error *error);

/*
 * Keeps only some samples of a batch. All its tensors must be its own memory (pst_header_replace). rows:
 * their places, ascending, [count]; count may be 0.
 */
void pst_batch_keep(struct pst_batch *batch, const struct pst_header *header, const size_t *rows,
                    size_t count);

/* Computes the checksums of the first `count` tensors that are not known yet. */
void pst_batch_sum(struct pst_batch *batch, size_t count);

/* Frees what a batch holds and makes it {0}. */
void pst_batch_free(struct pst_batch *batch);

/* Elements in one sample of a tensor: the product of its shape. */
size_t pst_spec_elements(const struct pst_tensor_spec *spec);

/*
 * Turns n samples of a u8, f16 or f32 tensor into numbers.
 * spec, tensor: the tensor; u8 becomes scale · element + offset.
 * numbers: receives [n, elements].
 * Returns PST_OK; PST_BAD_DATA if the dtype is another one, scale and offset lead beyond f32, or a number is
 * NaN or infinite (the message names the sample within the batch).
 */
PST_CHECKED enum pst_status pst_tensor_to_f32(const struct pst_tensor_spec *spec,
                                              const struct pst_tensor *tensor, size_t n, float *numbers,
                                              struct pst_error *error);

/*
 * A tensor's description as in a header, as a JSON object owned by the caller; NULL if memory is short.
 */
PST_CHECKED struct json_t *pst_spec_to_json(const struct pst_tensor_spec *spec);

/*
 * The reverse: unknown keys are skipped; sample_bytes stays 0.
 * due: receives, in words, what the key that is returned should hold; borrowed.
 * Returns NULL, or the first key that is missing or is not what it should be.
 */
PST_CHECKED const char *pst_spec_from_json(struct pst_tensor_spec *spec, const struct json_t *object,
                                           const char **due);

/* Writes dtype and shape for a message: "f32 [10]", "u8 [28, 28]". text: [size], size at least 16; returned.
 */
const char *pst_spec_text(const struct pst_tensor_spec *spec, char *text, size_t size);

/* Checks that a tensor is f32 with one dimension, that of classes. Returns PST_OK or PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_spec_of_classes(const struct pst_tensor_spec *spec, struct pst_error *error);

/* ---- targets ------------------------------------------------------------------------------------------- */

/*
 * Whether a tensor of that name holds logits or soft targets: logits, logits/NAME, soft, soft/NAME.
 * logits: receives whether it holds logits.
 */
bool pst_target_kind(const char *name, bool *logits);

/* Whether a tensor of that name holds a hint, the outputs of a teacher's layer: hint/NAME. */
bool pst_target_is_hint(const char *name);

/*
 * Whether 'y' holds the share of each class in a mixed sample, in place of labels: f32 [classes] with a
 * temperature, which is 1.
 */
bool pst_labels_are_mixed(const struct pst_header *header);

/*
 * Finds the tensor of targets or predictions to use, by one rule for all stages: the one that is named;
 * otherwise the mean, whose name is only a kind ("soft"), in the order of the kinds; otherwise the only
 * KIND/NAME of the first kind that has any. named: NULL if the user named none. option: the option that
 * chooses one, for messages ("--of"). kinds: "soft", "logits" or others, in their order; ended by NULL.
 * index: receives its place; PST_NONE (with PST_OK) if none was named and there is none.
 * Returns PST_OK; PST_BAD_DATA if the one that is named is missing (the message lists the stream's tensors),
 * or if none was named and several are possible.
 */
PST_CHECKED enum pst_status pst_target_find(const struct pst_header *header, const char *named,
                                            const char *option, const char *const *kinds, size_t *index,
                                            struct pst_error *error);

/*
 * A teacher need not answer every sample. Then there is a tensor asked/NAME beside its tensor KIND/NAME, u8:
 * 1 for a sample that it answered, and 0 for one whose row is zeros and does not count.
 */

/*
 * Finds asked/NAME for a tensor. name: of the tensor. index: receives its place; PST_NONE if there is none,
 * because all rows count. Returns PST_OK; PST_BAD_DATA if it is not one u8 a sample.
 */
PST_CHECKED enum pst_status pst_target_asked(const struct pst_header *header, const char *name, size_t *index,
                                             struct pst_error *error);

/* Refuses a tensor with rows that do not count, for stages that need all rows. Returns PST_OK or
 * PST_BAD_DATA. */
PST_CHECKED enum pst_status pst_target_whole(const struct pst_header *header, const char *name,
                                             struct pst_error *error);

/* What a row of targets or predictions must be. */
enum pst_row_kind {
    PST_ROW_DISTRIBUTION, /* probabilities: finite, not negative, with a sum of 1 */
    PST_ROW_LOGITS        /* finite numbers */
};

/* How far from 1 the sum of a distribution may be: rounding to f32, and a teacher's own rounding before. */
#define PST_DISTRIBUTION_TOLERANCE 1e-3

/*
 * Checks the rows of an f32 tensor.
 * spec: of the tensor; only its name and shape are used. rows: [n, elements of a sample].
 * Returns PST_OK; PST_BAD_DATA with a message that names tensor, sample of the batch, and the number or the
 * sum.
 */
PST_CHECKED enum pst_status pst_rows_check(const struct pst_tensor_spec *spec, const float *rows, size_t n,
                                           enum pst_row_kind kind, struct pst_error *error);

/* The same, by the threads of a team; NULL: by one. */
PST_CHECKED enum pst_status pst_rows_check_by(struct pst_team *team, const struct pst_tensor_spec *spec,
                                              const float *rows, size_t n, enum pst_row_kind kind,
                                              struct pst_error *error);

/* The same for rows that count. asked: [n], 0: the row does not count and is not checked; NULL: all do. */
PST_CHECKED enum pst_status pst_rows_check_asked(const struct pst_tensor_spec *spec, const float *rows,
                                                 const unsigned char *asked, size_t n, enum pst_row_kind kind,
                                                 struct pst_error *error);

/* ---- integrity --------------------------------------------------------------------------------------- */

/*
 * CRC-32C (Castagnoli; RFC 3720, appendix B.4), by the processor's instruction if it has one.
 * crc: 0, or the result for the bytes before these.
 */
uint32_t pst_crc32c(uint32_t crc, const void *bytes, size_t size);

/* The same by table: the oracle of the fast one. */
uint32_t pst_crc32c_plain(uint32_t crc, const void *bytes, size_t size);

/* A sample's share in the trailer's sample_checksum. */
uint64_t pst_sample_hash(uint64_t epoch, uint64_t id);

/* ---- reading and writing ----------------------------------------------------------------------------- */

struct pst_reader;
struct pst_writer;

/*
 * Makes a reader.
 * input: taken over, also on failure; closed with the reader.
 * max_message: bytes that one message may take; larger ones are refused before memory is reserved.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_reader_new(struct pst_reader **reader, struct pst_input *input,
                                           size_t max_message, struct pst_error *error);

/*
 * Reads the header; the first thing to do with a reader.
 * header: receives it; owned by the caller.
 * Returns PST_OK; PST_BAD_DATA (not a stream, newer format, damaged); PST_IO_ERROR; PST_UNAVAILABLE;
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_reader_header(struct pst_reader *reader, struct pst_header *header,
                                              struct pst_error *error);

/*
 * Reads the next batch and checks everything about it.
 * batch: reused; must have come from the same reader or be {0}. Tensors beyond the stream's own are left
 * alone. Returns PST_OK; PST_END after a trailer that fits; PST_BAD_DATA with the batch's number (damaged,
 * gap, repeat, truncated); PST_IO_ERROR; PST_UNAVAILABLE; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_reader_next(struct pst_reader *reader, struct pst_batch *batch,
                                            struct pst_error *error);

/* What has been read so far; after PST_END it equals the trailer. Valid as long as the reader. */
const struct pst_trailer *pst_reader_trailer(const struct pst_reader *reader);

/* Seconds that the reader waited for its input so far. */
double pst_reader_waited(const struct pst_reader *reader);

/* Ends a pst_reader_next that waits in another thread; returns as pst_input_interrupt. */
bool pst_reader_interrupt(struct pst_reader *reader);

/* Frees a reader and closes its input; NULL is allowed. */
void pst_reader_free(struct pst_reader *reader);

/*
 * Makes a writer.
 * output: taken over, also on failure; closed with the writer.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_writer_new(struct pst_writer **writer, struct pst_output *output,
                                           struct pst_error *error);

/*
 * Makes a writer write every tensor as a Zstandard frame. To be called before the header is written.
 * level: 1 (fast) to 19 (small). Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_writer_compress(struct pst_writer *writer, int level,
                                                struct pst_error *error);

/* Writes the header; the first thing to do with a writer. Returns PST_OK, or what the output returns. */
PST_CHECKED enum pst_status pst_writer_header(struct pst_writer *writer, const struct pst_header *header,
                                              struct pst_error *error);

/*
 * Writes a batch. Checksums are computed for tensors that have none yet, and passed on for the others.
 * Returns PST_OK; PST_BAD_DATA if the batch does not fit the header or the order; what the output returns.
 */
PST_CHECKED enum pst_status pst_writer_batch(struct pst_writer *writer, struct pst_batch *batch,
                                             struct pst_error *error);

/*
 * Writes the trailer and completes the output. Without it the stream counts as truncated.
 * Returns PST_OK, or what the output returns.
 */
PST_CHECKED enum pst_status pst_writer_finish(struct pst_writer *writer, struct pst_error *error);

/* What has been written so far. */
const struct pst_trailer *pst_writer_trailer(const struct pst_writer *writer);

/* Bytes written so far, with framing. */
uint64_t pst_writer_bytes(const struct pst_writer *writer);

/* Seconds that the writer waited for its output so far. */
double pst_writer_waited(const struct pst_writer *writer);

/* Frees a writer and closes its output; NULL is allowed. */
void pst_writer_free(struct pst_writer *writer);

/* ---- parcels ------------------------------------------------------------------------------------------- */

/* A checksum over the checksums of a batch's first `tensors` tensors, all of which must be known. */
uint64_t pst_batch_check(const struct pst_batch *batch, size_t tensors);

/*
 * Packs one batch as a stream of its own in memory, to be sent as one message.
 * header: declares the batch's tensors; the parcel's `first` is the batch's seq.
 * buffer, size: receive the bytes and their number; the buffer is reused.
 * Returns what pst_writer_batch returns.
 */
PST_CHECKED enum pst_status pst_parcel_pack(const struct pst_header *header, struct pst_batch *batch,
                                            struct pst_buffer *buffer, size_t *size, struct pst_error *error);

/*
 * Unpacks what pst_parcel_pack made, with all the checks of a reader.
 * header: receives the header; owned by the caller. batch: receives the batch; reused, or {0}.
 * Returns PST_OK; PST_BAD_DATA if it is anything but one whole batch (header is then {0}); PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_parcel_open(const void *bytes, size_t size, size_t max_message,
                                            struct pst_header *header, struct pst_batch *batch,
                                            struct pst_error *error);

#endif

/*
 * compact.h: smaller forms of a stream's tensors, for recordings: soft targets in fewer bits, and a digest
 * of each input in place of the input. A compactor turns a stream into its compact form; a restorer turns
 * that back, and needs only the compact stream. docs/recordings.md has the forms' sizes and errors;
 * docs/stream-format.md defines the tensors.
 *
 * Both work sample by sample, so a batch of samples from several compact batches can also be restored.
 */
#ifndef PIPESTILL_COMPACT_H
#define PIPESTILL_COMPACT_H

#include "pipestill/base.h"
#include "pipestill/stream.h"

#define PST_COMPACT_MOST_CLASSES 65536 /* of the forms that store classes' numbers, in 16 bits */
#define PST_COMPACT_DIGEST_SIZE 3      /* bytes of a sample's digest */
#define PST_COMPACT_DIGEST "digest/x"  /* the tensor that holds it: u8 [PST_COMPACT_DIGEST_SIZE] */

/* How soft targets are stored. */
enum pst_compact_form {
    PST_COMPACT_F32,     /* as they are */
    PST_COMPACT_U8,      /* logits in 256 levels between the largest and the smallest */
    PST_COMPACT_TOP_K,   /* the k likeliest classes, and the sum of the others */
    PST_COMPACT_SAMPLED, /* N classes drawn from the distribution, without bias */
    PST_COMPACT_FORMS
};

/* "f32", "u8", "top-k" or "sampled". */
const char *pst_compact_form_name(enum pst_compact_form form);

/* What is to be done. {0} changes nothing. */
struct pst_compact_options {
    enum pst_compact_form form;
    bool digest; /* a digest replaces x; y and id stay */
    bool half;   /* hints in f32 become f16, and are not restored to f32 */
    const char
        *target;   /* tensor of the soft targets or logits; NULL: `soft`, or the only one that there is */
    size_t top;    /* PST_COMPACT_TOP_K: classes kept, 1 or more, but not all */
    size_t draws;  /* PST_COMPACT_SAMPLED: classes drawn, 1 or more */
    uint64_t seed; /* PST_COMPACT_SAMPLED: the draws depend on it, and on the sample's epoch and id */
};

/*
 * What a sample's digest is made from: the CRC-32C over x, then over y as i32 if the sample has one, then
 * over id as u64, both little-endian. The parameters are those of pst_compact_digest.
 */
uint32_t pst_compact_checksum(const void *x, size_t bytes, const int32_t *y, uint64_t id);

/*
 * The digest of a sample's input: the low 24 bits, little-endian, of pst_compact_checksum, as the tensor
 * PST_COMPACT_DIGEST holds it. x: [bytes], the elements as the stream held them. y: NULL if there is none.
 */
void pst_compact_digest(const void *x, size_t bytes, const int32_t *y, uint64_t id,
                        uint8_t digest[PST_COMPACT_DIGEST_SIZE]);

/* Whether a header is that of a compact stream. */
bool pst_compact_is(const struct pst_header *header);

/*
 * How a compact stream is restored, to follow "the stream has no …" in a message. It begins with "; ", and
 * is empty for any other stream.
 */
const char *pst_compact_advice(const struct pst_header *header);

/* ---- making streams smaller ---- */

struct pst_compactor;

/*
 * Plans how a stream becomes smaller.
 * original: its header. options: borrowed only during the call.
 * compact: receives the header of the smaller stream, with the key `compact`; owned by the caller.
 * Soft targets and logits other than the chosen ones are lost; every other tensor stays as it is.
 * Returns PST_OK; PST_USAGE if options do not fit each other or the number of classes; PST_BAD_DATA if the
 * stream does not have what they need, or is compact already; PST_TRY_AGAIN. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_compactor_new(struct pst_compactor **compactor,
                                              const struct pst_header *original,
                                              const struct pst_compact_options *options,
                                              struct pst_header *compact, struct pst_error *error);

/* The name of the tensor that holds the targets; valid as long as the compactor. */
const char *pst_compactor_target(const struct pst_compactor *compactor);

/* The tensors of the smaller stream that hold the targets: how many there are, and their places in its
 * header. from: receives the place of the target in the original. */
size_t pst_compactor_parts(const struct pst_compactor *compactor, const size_t **places, size_t *from);

/*
 * Makes a batch smaller.
 * original: of the planned stream. compact: reused from batch to batch, {0} at first; receives seq, epoch, n
 * and all tensors; those that stay as they are share the original's bytes (see pst_batch_derive).
 * scratch: memory that is reused, {0} at first. Several threads may each have a scratch of their own.
 * Returns PST_OK; PST_BAD_DATA if targets are not valid (the message names tensor and sample);
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_compactor_pack(const struct pst_compactor *compactor,
                                               const struct pst_batch *original, struct pst_batch *compact,
                                               struct pst_buffer *scratch, struct pst_error *error);

/* How far restored targets are from the full ones. {0} is empty. */
struct pst_compact_loss {
    uint64_t samples;
    double sum;     /* Σ KL(full ‖ restored), in nats; of logits: of their softmax at T = 1 */
    double largest; /* of one sample */
};

/*
 * Adds the loss of a batch: restores its targets and compares them. A probability restored as 0 counts as
 * 2^-126. original, compact, scratch: what pst_compactor_pack took and made. Returns PST_OK, or PST_BAD_DATA
 * if the compact batch is not one that pst_compactor_pack makes.
 */
PST_CHECKED enum pst_status pst_compactor_compare(const struct pst_compactor *compactor,
                                                  const struct pst_batch *original,
                                                  const struct pst_batch *compact,
                                                  struct pst_compact_loss *loss, struct pst_buffer *scratch,
                                                  struct pst_error *error);

/* NULL is allowed. */
void pst_compactor_free(struct pst_compactor *compactor);

/* ---- and back ---- */

struct pst_restorer;

/*
 * Plans how a compact stream is restored.
 * compact: its header; later stages may have added tensors and history.
 * max_message: bytes that one restored batch may take, as for pst_reader_new.
 * restored: receives a header with the tensors of the original in their order, without those that were lost;
 * owned by the caller. Its history is that of `compact`.
 * Returns PST_OK; PST_BAD_DATA if the header contradicts itself; PST_TRY_AGAIN. On failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_restorer_new(struct pst_restorer **restorer, const struct pst_header *compact,
                                             size_t max_message, struct pst_header *restored,
                                             struct pst_error *error);

/* Whether the inputs x were left out; the caller has to fill them. */
bool pst_restorer_lacks_inputs(const struct pst_restorer *restorer);

/*
 * Restores a batch.
 * restored: reused from batch to batch, {0} at first; receives seq, epoch, n, targets as f32, and every
 * tensor that stayed as it was, which shares the bytes of `compact`. Inputs that were left out have memory
 * with undefined contents. scratch: memory that is reused, {0} at first; each thread needs its own.
 * Returns PST_OK; PST_BAD_DATA if compact targets are not valid (the message names tensor and sample), or if
 * the batch becomes larger than max_message; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_restorer_batch(const struct pst_restorer *restorer,
                                               const struct pst_batch *compact, struct pst_batch *restored,
                                               struct pst_buffer *scratch, struct pst_error *error);

/* NULL is allowed. */
void pst_restorer_free(struct pst_restorer *restorer);

#endif

/* safetensors.h: what writing and reading of safetensors files share besides the format itself. */
#ifndef PIPESTILL_LIB_NN_SAFETENSORS_H
#define PIPESTILL_LIB_NN_SAFETENSORS_H

#include "pipestill/nn.h"

/* The key of a file's checksum in its metadata. */
#define PST_CHECKSUM_KEY "checksum"

/*
 * The checksum of a file: the SHA-256 of a text, which is the SHA-256 of the header (without the checksum,
 * as JSON with sorted keys and no white space) and those of the tensors' bytes, in the order of their
 * places, in hexadecimal digits one after another.
 * header: as in the file. tensors: [count], in the order of their places.
 * Returns PST_OK or PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_safetensors_checksum(const struct json_t *header,
                                                     const struct pst_named_tensor *tensors, size_t count,
                                                     char checksum[PST_DIGEST_TEXT], struct pst_error *error);

#endif

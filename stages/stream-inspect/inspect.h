/* inspect.h: what the parts of stream-inspect share. */
#ifndef STREAM_INSPECT_H
#define STREAM_INSPECT_H

#include "pipestill.h"

#include <jansson.h>
#include <stdio.h>

/* Writes a text; what: whatever that function writes of. */
typedef void text_writer(FILE *out, const void *what);

/* print.c: the text that `write` makes goes out in one piece. */
PST_CHECKED enum pst_status print_text(text_writer *write, const void *what, struct pst_error *error);

/* print.c: one JSON line. object: stolen; NULL where memory was short. */
PST_CHECKED enum pst_status print_json(json_t *object, struct pst_error *error);

/* print.c: an element of a tensor as it is stored, without scale and offset. */
double element(const struct pst_tensor_spec *spec, const void *data, size_t i);

/* header.c: the header for people. what: a struct pst_header. */
text_writer write_header;

/* statistics.c: begins to collect figures of each of a header's tensors. header: must live as long. */
PST_CHECKED enum pst_status statistics_begin(const struct pst_header *header, struct pst_error *error);
void statistics_add(const struct pst_batch *batch);
text_writer write_statistics;
json_t *statistics_to_json(void);
void statistics_free(void);

/* One sample in its batch. */
struct sample {
    const struct pst_header *header;
    const struct pst_batch *batch;
    size_t row;
    uint64_t id;
    bool has_id;
};

/* sample.c: all that a stream says of one sample, for people. what: a struct sample. */
text_writer write_sample;

/* sample.c: the same for programs, with the numbers of all tensors as they are stored. */
json_t *sample_to_json(const struct sample *sample);

#endif

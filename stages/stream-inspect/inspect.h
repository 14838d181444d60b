/* inspect.h: what the parts of stream-inspect share. */
#ifndef STREAM_INSPECT_H
#define STREAM_INSPECT_H

#include "pipestill.h"

#include <jansson.h>
#include <stdio.h>

/* Writes a text. what: the object that the function writes about. */
typedef void text_writer(FILE *out, const void *what);

/* print.c: prints the text that `write` makes, in one piece. */
PST_CHECKED enum pst_status print_text(struct pst_run *run, text_writer *write, const void *what,
                                       struct pst_error *error);

/* print.c: one JSON line. object: stolen; NULL if memory was short. */
PST_CHECKED enum pst_status print_json(struct pst_run *run, json_t *object, struct pst_error *error);

/* print.c: an element of a tensor as it is stored, without scale and offset. */
double element(const struct pst_tensor_spec *spec, const void *data, size_t i);

/* header.c: the header for people. what: a struct pst_header. */
text_writer write_header;

/* model.c: whether a file is a model and not a stream, by its first bytes. */
bool is_model(const char *path);

/* model.c: shows a model file. Returns what pst_safetensors_read and pst_print return; PST_BAD_DATA. */
PST_CHECKED enum pst_status show_model(struct pst_run *run, const char *path, bool as_json,
                                       struct pst_error *error);

/* layers.c: the layers of a network for people. what: a struct pst_network. */
text_writer write_network;

/* layers.c: the same for programs. */
json_t *network_to_json(const struct pst_network *network);

/* layers.c: shows the network that an architecture, or the one in the file of "@FILE", would make. Returns
 * PST_OK; PST_USAGE; what pst_architecture_read and pst_print return. */
PST_CHECKED enum pst_status show_network(struct pst_run *run, const char *architecture, bool as_json,
                                         struct pst_error *error);

/* Figures of the numbers of each tensor of a header. */
struct statistics {
    const struct pst_header *header; /* borrowed */
    struct figures {
        uint64_t count, not_finite;
        double least, most, sum, squares;
    } * figures; /* [tensor_count]; owned */
};

/* statistics.c: begins to collect figures. header: must stay valid as long as statistics. */
PST_CHECKED enum pst_status statistics_begin(struct statistics *statistics, const struct pst_header *header,
                                             struct pst_error *error);
void statistics_add(struct statistics *statistics, const struct pst_batch *batch);
text_writer write_statistics; /* what: a struct statistics */
json_t *statistics_to_json(const struct statistics *statistics);
void statistics_free(struct statistics *statistics);

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

/* about.c: writes the meaning of inputs and outputs. width: of the text before each line. about: as in
 * stream.h; parts of another form are skipped. */
void write_about(FILE *out, int width, const json_t *about);

#endif

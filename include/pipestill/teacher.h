/*
 * teacher.h: who is asked for answers, and how a stream's inputs reach a network. A teacher is something that
 * is opened from a file, says what it takes and gives, and answers samples. The types of teachers are a table
 * (lib/teacher/table.c), one file a type; docs/adding-a-teacher.md adds one.
 */
#ifndef PIPESTILL_TEACHER_H
#define PIPESTILL_TEACHER_H

#include "pipestill/base.h"
#include "pipestill/class_map.h"
#include "pipestill/layers.h"
#include "pipestill/stream.h"

struct json_t; /* jansson's value */

/* ---- teachers ---------------------------------------------------------------------------------------- */

struct pst_teacher_type;

/* A teacher that is open; several sessions may ask it at once. {0} is closed. */
struct pst_teacher {
    const struct pst_teacher_type *type;
    struct pst_shape in;          /* of one sample's inputs */
    size_t outputs;               /* numbers in an answer */
    const char *description;      /* what it is, "784-800-800-10"; lives as long as the teacher */
    const char *precision;        /* of its arithmetic, "f32" */
    char digest[PST_DIGEST_TEXT]; /* SHA-256 of its file */
    size_t input_channels;      /* how it wants bytes scaled, as in struct pst_network; 0: it does not say */
    const double *input_scale;  /* [2, input_channels]; lives as long as the teacher */
    const struct json_t *about; /* what inputs and outputs stand for, as in struct pst_network; or NULL */
    const struct json_t *lineage; /* what it learned from, as in struct pst_network; or NULL */
    void *own;                    /* the type's */
};

/* One asker of a teacher, with memory for its samples. {.teacher = …} is new. */
struct pst_session {
    const struct pst_teacher *teacher;
    size_t room; /* samples that there is memory for */
    void *own;   /* the type's */
};

/*
 * A type of teacher: one file in lib/teacher and one row in its table.
 *
 * recognises: whether a file that starts with these bytes is of this type. size: at most 512.
 * open: fills all of teacher but type. activation: NULL, or what the user says of a model that does not.
 * close: frees what open took.
 * make_room: gives session->own room for `most` samples, and keeps no inputs that were there before.
 * inputs: where a session's inputs go, [room, in].
 * answer: answers the n samples whose inputs are there. outputs: receives [n, outputs].
 * release: frees what make_room took.
 */
struct pst_teacher_type {
    const char *name;
    const char *help; /* what kind of file it is */
    bool (*recognises)(const unsigned char *start, size_t size);
    enum pst_status (*open)(struct pst_teacher *teacher, const char *path, const char *activation,
                            struct pst_error *error);
    void (*close)(struct pst_teacher *teacher);
    enum pst_status (*make_room)(struct pst_session *session, size_t most, struct pst_error *error);
    float *(*inputs)(struct pst_session *session);
    enum pst_status (*answer)(struct pst_session *session, size_t n, float *outputs, struct pst_error *error);
    void (*release)(struct pst_session *session);
};

/* The table; ended by NULL. */
extern const struct pst_teacher_type *const pst_teacher_types[];

/*
 * Opens a teacher. The first type that recognises the file's first bytes opens it; if none does, the first
 * type says what is wrong with the file. activation: of a model that does not name its own; NULL if the user
 * named none. Returns PST_OK; PST_NO_INPUT; PST_USAGE; PST_BAD_DATA; PST_IO_ERROR; PST_TRY_AGAIN. On failure
 * nothing is owned.
 */
PST_CHECKED enum pst_status pst_teacher_open(struct pst_teacher *teacher, const char *path,
                                             const char *activation, struct pst_error *error);
void pst_teacher_close(struct pst_teacher *teacher);

/* Makes room for n samples and returns where their inputs go, [n, in]; NULL, with an error, if memory is
 * short. */
PST_CHECKED float *pst_session_inputs(struct pst_session *session, size_t n, struct pst_error *error);

/*
 * Answers the n samples whose inputs are in place. The answer to a sample depends on the samples beside it in
 * no way but rounding, and the same n samples give the same bits. outputs: receives [n, teacher->outputs].
 * Returns PST_OK, or what the type returns.
 */
PST_CHECKED enum pst_status pst_session_answer(struct pst_session *session, size_t n, float *outputs,
                                               struct pst_error *error);
void pst_session_free(struct pst_session *session);

/* ---- classes ------------------------------------------------------------------------------------------- */

/*
 * Reads the classes that a command line names (pst_class_map_named), of a stream whose header may name its
 * classes. count: how many there are. dustbin: as there. map: receives them; owned by the caller.
 * Returns what pst_class_map_named and pst_header_about return.
 */
PST_CHECKED enum pst_status pst_stream_classes(const struct pst_header *header, size_t count,
                                               const char *text, const char *option, const char *dustbin,
                                               struct pst_class_map *map, struct pst_error *error);

/* ---- inputs ------------------------------------------------------------------------------------------ */

/* What a network wants of its inputs. */
struct pst_inputs {
    const char *who; /* what messages call the network: a path, or "the network" */
    const struct pst_shape *shape;
    size_t
        channels; /* how it wants bytes scaled: 0 if it does not say, otherwise 1 or one for each channel */
    const double *scale;        /* [2, channels]: scales, then offsets */
    const struct json_t *about; /* what it was told of inputs and outputs, as in struct pst_network; NULL: it
                                   does not know */
    const char *mean,
        *deviation; /* what the user says: numbers with "," between, of the stream's numbers; or NULL */
};

/* How a stream's x becomes a network's inputs. {0} is empty. */
struct pst_binding {
    size_t x;                    /* the place of x in header and batches */
    struct pst_tensor_spec spec; /* how its elements become numbers, the same for all channels */
    size_t channels;             /* 0: that is all */
    double *scale;               /* [2, channels]: then each channel's numbers are scaled and moved; owned */
};

/*
 * Settles how a stream's x becomes a network's inputs: x must have as many elements, and the same shape if
 * both have as many dimensions. Bytes are scaled as the network says, and if it does not, as the stream says,
 * with its mean and deviation; numbers are taken as they are, and must have been standardised as those that
 * the network learned from, if that is known. A mean and a deviation from the user standardise what the
 * stream's numbers are. Returns PST_OK; PST_USAGE for a mean or deviation that cannot be; PST_BAD_DATA;
 * PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_bind_inputs(struct pst_binding *binding, const struct pst_header *header,
                                            const struct pst_inputs *inputs, struct pst_error *error);

/*
 * Turns a batch's x into inputs. numbers: receives [n, elements].
 * Returns PST_OK, or PST_BAD_DATA for numbers that are not finite.
 */
PST_CHECKED enum pst_status pst_fill_inputs(const struct pst_binding *binding, const struct pst_batch *batch,
                                            float *numbers, struct pst_error *error);
void pst_binding_free(struct pst_binding *binding);

#endif

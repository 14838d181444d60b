/*
 * teacher.h: teachers, and how a stream's inputs reach a network. A teacher is opened from a file, declares
 * its inputs and outputs, and answers samples. The types of teachers are a table (lib/teacher/table.c), one
 * file a type; docs/adding-a-teacher.md adds one.
 */
#ifndef PIPESTILL_TEACHER_H
#define PIPESTILL_TEACHER_H

#include "pipestill/base.h"
#include "pipestill/class_map.h"
#include "pipestill/nn.h"
#include "pipestill/stream.h"

struct json_t; /* jansson's value */

#define PST_MAX_HINTS 8 /* hints that a teacher gives at once */

/* ---- teachers ---------------------------------------------------------------------------------------- */

struct pst_teacher_type;

/* A layer whose outputs a teacher gives beside its answers. */
struct pst_hint {
    const char *layer; /* its number, as stream-inspect shows it; borrowed */
    struct pst_shape shape;
    const void *own; /* the type's */
};

/* A teacher that is open; several sessions may use it at once. {0} is closed. */
struct pst_teacher {
    const struct pst_teacher_type *type;
    struct pst_shape in;              /* of one sample's inputs */
    size_t outputs;                   /* numbers in an answer */
    const char *description;          /* what it is, "784-800-800-10"; valid as long as the teacher */
    struct pst_arithmetic arithmetic; /* settled by the caller, before the first session */
    char digest[PST_DIGEST_TEXT];     /* SHA-256 of its file */
    size_t input_channels;        /* how bytes are scaled for it, as in struct pst_network; 0: not known */
    const double *input_scale;    /* [2, input_channels]; valid as long as the teacher */
    const struct json_t *about;   /* the meaning of inputs and outputs, as in struct pst_network; or NULL */
    const struct json_t *lineage; /* what it learned from, as in struct pst_network; or NULL */
    struct pst_hint hints[PST_MAX_HINTS]; /* what it gives beside answers, [hint_count] */
    size_t hint_count;
    void *own; /* the type's */
};

/* One use of a teacher, with memory for samples. {.teacher = …} is new. */
struct pst_session {
    const struct pst_teacher *teacher;
    size_t room;                 /* samples that there is memory for */
    float *hints[PST_MAX_HINTS]; /* where the hints of the next answer go, each [n, elements]; borrowed */
    void *own;                   /* the type's */
};

/*
 * A type of teacher: one file in lib/teacher and one row in its table.
 *
 * recognises: whether a file that starts with these bytes is of this type. size: at most 512.
 * open: fills all of teacher but type. activation: NULL, or the user's word for a model that does not name
 * it. close: frees what open took.
 * make_room: gives session->own room for `most` samples; earlier inputs are lost.
 * inputs: where a session's inputs go, [room, in].
 * hint: finds the layer of a hint, and its shape. Returns PST_OK; PST_USAGE if there is no such layer. NULL:
 * teachers of this type give no hints. answer: answers the n samples whose inputs are there. outputs:
 * receives [n, outputs]. Hints go to session->hints. release: frees what make_room took.
 */
struct pst_teacher_type {
    const char *name;
    const char *help; /* what kind of file it is */
    bool (*recognises)(const unsigned char *start, size_t size);
    enum pst_status (*open)(struct pst_teacher *teacher, const char *path, const char *activation,
                            struct pst_error *error);
    void (*close)(struct pst_teacher *teacher);
    enum pst_status (*hint)(const struct pst_teacher *teacher, struct pst_hint *hint,
                            struct pst_error *error);
    enum pst_status (*make_room)(struct pst_session *session, size_t most, struct pst_error *error);
    float *(*inputs)(struct pst_session *session);
    enum pst_status (*answer)(struct pst_session *session, size_t n, float *outputs, struct pst_error *error);
    void (*release)(struct pst_session *session);
};

/* The table; ended by NULL. */
extern const struct pst_teacher_type *const pst_teacher_types[];

/*
 * Opens a teacher. The first type that recognises the file's first bytes opens it; if none does, the first
 * type says what is wrong with the file. activation: the user's word for a model that does not name it;
 * NULL: not given. Returns PST_OK; PST_NO_INPUT; PST_USAGE; PST_BAD_DATA; PST_IO_ERROR; PST_TRY_AGAIN. On
 * failure nothing is owned.
 */
PST_CHECKED enum pst_status pst_teacher_open(struct pst_teacher *teacher, const char *path,
                                             const char *activation, struct pst_error *error);
void pst_teacher_close(struct pst_teacher *teacher);

/*
 * Makes a teacher give a hint with each answer; to be called before the first session. layer: the number of
 * the layer; borrowed. Returns PST_OK; PST_USAGE if there is no such layer, it is named twice, there are
 * more than PST_MAX_HINTS, or the teacher gives no hints.
 */
PST_CHECKED enum pst_status pst_teacher_hint(struct pst_teacher *teacher, const char *layer,
                                             struct pst_error *error);

/* Makes room for n samples and returns where their inputs go, [n, in]; NULL, with an error, if memory is
 * short. */
PST_CHECKED float *pst_session_inputs(struct pst_session *session, size_t n, struct pst_error *error);

/*
 * Answers the n samples whose inputs are in place. An answer depends on the other samples only by rounding,
 * and the same n samples give the same bits. outputs: receives [n, teacher->outputs]. Hints go to
 * session->hints. Returns PST_OK, or what the type returns.
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

/* What a network needs of its inputs. */
struct pst_inputs {
    const char *who; /* what messages call the network: a path, or "the network" */
    const struct pst_shape *shape;
    size_t channels; /* how bytes are scaled for it: 0 if not known, otherwise 1 or one for each channel */
    const double *scale;        /* [2, channels]: scales, then offsets */
    const struct json_t *about; /* the meaning of inputs and outputs, as in struct pst_network; or NULL */
    const char *mean,
        *deviation; /* from the user: numbers with "," between, for the stream's numbers; or NULL */
};

/* How a stream's x becomes a network's inputs. {0} is empty. */
struct pst_binding {
    size_t x;                    /* the place of x in header and batches */
    struct pst_tensor_spec spec; /* how its elements become numbers, the same for all channels */
    size_t channels;             /* 0: there is no other scale */
    double *scale;               /* [2, channels]: then scales and shifts each channel's numbers; owned */
};

/*
 * Determines how a stream's x becomes a network's inputs. x must have as many elements, and the same shape
 * if both have as many dimensions. Bytes are scaled as the network declares. If it does not, they are scaled
 * as the stream declares, and standardised with the stream's mean and deviation. Numbers are used as they
 * are; if it is known how the network's numbers were standardised, theirs must be the same. A mean and a
 * deviation from the user standardise the stream's numbers. Returns PST_OK; PST_USAGE for a mean or
 * deviation that is not possible; PST_BAD_DATA; PST_TRY_AGAIN.
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

/*
 * The class maps that are nearest to a tensor in its lineage, as pst_class_map_note writes them; those that
 * map back are skipped. origin: the tensor's. of_models: if a model made it, go on with what the model
 * learned from; otherwise the search ends there.
 * Returns a list of texts, empty if there is none; owned by the caller.
 */
PST_CHECKED struct json_t *pst_lineage_class_maps(const struct json_t *lineage, const char *origin,
                                                  bool of_models);

#endif

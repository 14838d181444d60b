/* check.h: what the parts of stream-check share: the teachers asked again, and what of the stream is
 * compared. */
#ifndef STREAM_CHECK_H
#define STREAM_CHECK_H

#include "pipestill.h"

struct json_t;

/* A teacher that is asked again. */
struct teacher {
    const char *path;
    char name[PST_NAME_SIZE]; /* what it is called in the stream */
    struct pst_network network;
    struct pst_workspace *workspace; /* holds the logits of the samples chosen from a batch */
    size_t room;                     /* samples that it holds */
    char digest[PST_DIGEST_TEXT];
    bool in_history; /* the history names this very model */
    bool used;       /* something is compared with what it says */
};

/* A tensor that is compared: what one teacher says, or a mean of several. */
struct comparison {
    const char *name; /* the tensor's; borrowed from the header */
    size_t tensor;    /* its place */
    bool of_logits;   /* else of probabilities at `temperature` */
    double temperature;
    bool geometric; /* the mean */
    size_t *members;
    double *shares; /* of the members, which sum to 1; owned, as members */
    size_t member_count;
    struct pst_buffer recorded; /* rows of the samples collected, [size of the group, classes] */
    double largest, total;      /* differences */
    double largest_kl, total_kl;
};

/* Where a sample stands in the stream, and whether this row of a group is taken by one. */
struct place {
    uint64_t batch, id;
    size_t row;
    bool taken;
};

/* What cannot be compared, and why. */
struct reason {
    char text[PST_NAME_SIZE + 200];
};

struct check {
    double share, tolerance;
    uint64_t seed;
    struct teacher *teachers;
    size_t teacher_count;
    size_t classes;
    struct comparison *comparisons;
    size_t comparison_count;
    struct reason reasons[2]; /* one for soft, one for logits */
    size_t reason_count;
    struct pst_header header; /* a copy: names and history for the end */
    uint64_t batches, samples, checked;
};

extern struct check check;

/* teachers.c: takes another --against, and --name for the one taken last. */
PST_CHECKED enum pst_status take_teacher(const char *path, struct pst_error *error);
PST_CHECKED enum pst_status take_name(const char *name, struct pst_error *error);

/* teachers.c: reads the models and settles their names. */
PST_CHECKED enum pst_status read_teachers(struct pst_error *error);

/* teachers.c: whether the teachers can be asked about these inputs, and are those of the history. */
PST_CHECKED enum pst_status check_teachers(const struct pst_header *header, size_t x,
                                           struct pst_error *error);

/*
 * teachers.c: asks all teachers about some samples.
 * spec: of the inputs. x: [count, sample_bytes]. places: [count], for messages.
 */
PST_CHECKED enum pst_status ask_teachers(const struct pst_tensor_spec *spec, const uint8_t *x,
                                         const struct place *places, size_t count, struct pst_error *error);
void free_teachers(void);

/* plan.c: settles what is compared with what. */
PST_CHECKED enum pst_status plan(const struct pst_header *header, struct pst_error *error);
void free_plan(void);

/*
 * group.c: collects a sample that was chosen; those collected are compared when there is no room for the
 * next. x: place of the inputs. ids: [n] of the batch. Returns PST_OK; PST_BAD_DATA where one of the group is
 * off (the message names its place); PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status collect(const struct pst_batch *batch, size_t x, const uint64_t *ids, size_t row,
                                    struct pst_error *error);

/* group.c: compares those collected since the last time. */
PST_CHECKED enum pst_status compare_collected(struct pst_error *error);
void free_group(void);

/* compare.c: memory for rows of `classes` numbers. */
PST_CHECKED enum pst_status prepare_rows(struct pst_error *error);

/*
 * compare.c: compares one recorded row with what the teachers said.
 * asked: the sample's number among those that the teachers were asked about.
 * Returns how far apart they are, in the measure of --tolerance: NaN where the row has one.
 */
double compare_row(struct comparison *comparison, const float *recorded, size_t asked);
void free_rows(void);

/* report.c: writes what was found. */
PST_CHECKED enum pst_status report_text(struct pst_error *error);
PST_CHECKED enum pst_status report_json(struct pst_error *error);

#endif

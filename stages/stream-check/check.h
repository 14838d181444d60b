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
    double largest, total; /* differences */
    double largest_kl, total_kl;
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
 * teachers.c: asks all teachers about some samples of a batch.
 * rows: the samples' places in the batch, count of them.
 */
PST_CHECKED enum pst_status ask_teachers(const struct pst_header *header, const struct pst_batch *batch,
                                         size_t x, const size_t *rows, size_t count, struct pst_error *error);
void free_teachers(void);

/* plan.c: settles what is compared with what. */
PST_CHECKED enum pst_status plan(const struct pst_header *header, struct pst_error *error);
void free_plan(void);

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

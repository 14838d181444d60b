/*
 * codec.h: the forms of soft targets, a row (one sample) at a time. A row has a probability for each class,
 * or a logit if the tensor holds logits.
 */
#ifndef PIPESTILL_LIB_COMPACT_CODEC_H
#define PIPESTILL_LIB_COMPACT_CODEC_H

#include "pipestill/compact.h"

#define MOST_PARTS 3 /* tensors that one tensor of targets becomes */

/* Soft targets, and the tensors that hold them in compact form. */
struct pst_target {
    struct pst_tensor_spec dense; /* as they were: f32 [classes] */
    enum pst_compact_form form;
    bool logits;    /* they are logits, not probabilities */
    size_t classes; /* 1 or more */
    size_t kept;    /* top-k: classes kept; sampled: classes drawn; otherwise 0 */
    uint64_t seed;  /* of the draws; for making only */
    size_t at;      /* place among the dense tensors */
    size_t part_count;
    struct pst_tensor_spec parts[MOST_PARTS];
    size_t part_at[MOST_PARTS]; /* places among the compact tensors */
};

/* Where a sample's elements are in the parts of a target. */
static inline void pst_parts_of(const struct pst_target *target, const struct pst_batch *compact,
                                size_t sample, void *parts[MOST_PARTS])
{
    for (size_t i = 0; i < MOST_PARTS; i++)
        parts[i] = i >= target->part_count ? NULL
                                           : (char *)compact->tensors[target->part_at[i]].data +
                                                 sample * target->parts[i].sample_bytes;
}

/* What is wrong with a row, in words that follow "sample 3 of the batch: "; NULL if nothing is. */
typedef const char *pst_fault;

/*
 * Settles what the parts are: their names, dtypes and shapes, from the fields before them.
 * Returns PST_OK; PST_BAD_DATA if a name becomes too long.
 */
PST_CHECKED enum pst_status pst_target_parts(struct pst_target *target, struct pst_error *error);

/*
 * Makes a row compact.
 * row: [classes], checked by pst_rows_check. parts: where the sample's elements go, one pointer a part.
 * random: for draws; otherwise NULL.
 * scratch: [classes].
 */
PST_CHECKED pst_fault pst_row_pack(const struct pst_target *target, const float *row,
                                   void *const parts[MOST_PARTS], struct pst_random *random, double *scratch);

/* Restores a row. parts: of one sample. row: receives [classes]: probabilities that sum to 1, or logits;
 * those of PST_COMPACT_F32 are only copied, and still need pst_rows_check. scratch: [classes]. */
PST_CHECKED pst_fault pst_row_restore(const struct pst_target *target, const void *const parts[MOST_PARTS],
                                      float *row, double *scratch);

/* KL(full ‖ restored) of two rows, in nats, each made to sum to 1; never below 0. */
double pst_row_divergence(const struct pst_target *target, const float *full, const float *restored);

/* ---- what the forms are made of ---- */

/*
 * Quantises to 256 levels: log-probabilities, no more than pst_u8_reach below the largest, or logits.
 * row: [classes]. levels: receives [classes]. step: receives the half between two levels. largest: receives,
 * for logits, the half that level 0 stands for; not written otherwise. scratch: [classes].
 */
PST_CHECKED pst_fault pst_u8_pack(const struct pst_target *target, const float *row, uint8_t *levels,
                                  uint16_t *step, uint16_t *largest, double *scratch);

/* Restores a row. levels: [classes]. largest: finite; used for logits only. row: receives [classes]. scratch:
 * [classes]. */
PST_CHECKED pst_fault pst_u8_restore(const struct pst_target *target, const uint8_t *levels, uint16_t step,
                                     uint16_t largest, float *row, double *scratch);

/* How far below the largest log-probability the levels reach, in nats. */
double pst_u8_reach(size_t classes);

/* The powers e^(-step · level) of levels, both [classes]. The first uses a table if there are many
 * classes. */
void pst_u8_powers(const uint8_t *levels, double step, size_t classes, double *powers);
void pst_u8_powers_plain(const uint8_t *levels, double step, size_t classes, double *powers);

/*
 * Chooses the k likeliest of a row [classes]: the likeliest first, and of equals the lower class. chosen:
 * receives [k]. Returns the others' sum.
 */
double pst_top_choose(const float *row, size_t classes, size_t k, uint16_t *chosen);

/* Keeps the likeliest. chosen, logs: receive [kept] classes and, as halves, the logarithms of their
 * probabilities. tail: receives that of the sum of all others. row: [classes]. */
PST_CHECKED pst_fault pst_top_pack(const struct pst_target *target, const float *row, uint16_t *chosen,
                                   uint16_t *logs, uint16_t *tail);

/* Restores a row: the others share the tail evenly. chosen, logs: [kept]. row: receives [classes]. scratch:
 * [classes]. */
PST_CHECKED pst_fault pst_top_restore(const struct pst_target *target, const uint16_t *chosen,
                                      const uint16_t *logs, uint16_t tail, float *row, double *scratch);

/*
 * Systematic sampling (Madow, Madow 1944): [0, 1) is divided among all classes by their probabilities, and
 * each point (offset + j) / draws, j from 0 on, draws the class that it falls in. Class c is drawn draws ·
 * p_c times on average over offsets; a count differs from that by less than 1.
 * row: a distribution. offset: in [0, 1). drawn: receives [draws] classes, in ascending order.
 */
void pst_draw_systematically(const float *row, size_t classes, double offset, size_t draws, uint16_t *drawn);

/* Restores a row: a class's probability is its share of the draws. drawn: [kept]. row: receives [classes]. */
PST_CHECKED pst_fault pst_draws_restore(const struct pst_target *target, const uint16_t *drawn, float *row);

#endif

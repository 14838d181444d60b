/*
 * losses.h: what training minimises: a sum of terms, each of a type, with its target and its weight.
 * lib/nn/losses/ has one file for each type, and a table of them; docs/training.md writes out every formula
 * with its gradient, docs/adding-a-loss.md is a worked example of another type.
 */
#ifndef PIPESTILL_LOSSES_H
#define PIPESTILL_LOSSES_H

#include "pipestill/base.h"
#include "pipestill/layers.h"

#define PST_MAX_TERMS 8     /* terms of a loss */
#define PST_MAX_LOSS_KEYS 2 /* numbers of its own that a type may have */
#define PST_TARGET_NAME 128 /* a tensor's name with its final NUL */

/* What a term compares a sample's outputs with. */
enum pst_loss_target {
    PST_TARGET_LABELS,       /* a class, int32_t, 0 … outputs - 1 */
    PST_TARGET_DISTRIBUTION, /* probabilities of the classes, float [outputs], at a temperature */
    PST_TARGET_LOGITS,       /* a teacher's logits, float [outputs] */
    PST_TARGET_NUMBERS,      /* any numbers, float [outputs] */
    PST_TARGET_BITS,         /* several labels, float [outputs], each from 0 to 1 */
    PST_TARGET_HINT, /* the outputs of a teacher's layer, float [elements]; they are compared with those of
                      * one of the network's layers */
};

struct pst_loss_term;

/* A number that only this type has, such as smoothing= of labels. */
struct pst_loss_key {
    const char *name; /* NULL: there is no such number */
    const char *help; /* a few words */
    double standard;  /* its value if it is not given */
    double least, most;
};

/* A type of loss: one file, one row in the table. */
struct pst_loss_type {
    const char *name;
    const char *help; /* one line, lower case, no full stop */
    enum pst_loss_target target;
    bool has_temperature; /* the targets' T is a part of the formula */
    bool projects;        /* of hints: a learned projection makes the layer's outputs as many as the hint's */
    struct pst_loss_key keys[PST_MAX_LOSS_KEYS];
    /*
     * Computes the loss of one sample.
     * outputs: [count], of the network. target: as the type's kind says. gradient: [count]; weight times the
     * gradient with respect to the outputs is added to it; NULL: it is not wanted.
     * Returns the loss, not multiplied by the weight. Values that are not finite reach the result.
     */
    double (*row)(const struct pst_loss_term *term, const float *outputs, const void *target, size_t count,
                  double weight, float *gradient);
    /*
     * Of distributions: the same from a teacher's logits, [count], whose softmax at the temperature is the
     * target. scratch: [2, count]. NULL: row gets that softmax, as temperature-softmax computes it.
     */
    double (*row_of_logits)(const struct pst_loss_term *term, const float *outputs, const float *logits,
                            size_t count, double weight, float *gradient, double *scratch);
};

/* One term of a loss. */
struct pst_loss_term {
    const struct pst_loss_type *type;
    char tensor[PST_TARGET_NAME]; /* where the targets are; "": the caller finds them */
    double weight;                /* ≥ 0; a term of weight 0 is computed, and nothing is learned from it */
    double temperature;           /* of the targets, > 0; 0: not known yet, or the type has none */
    bool from_logits;             /* of distributions: the targets are logits, and are softened here */
    double values[PST_MAX_LOSS_KEYS]; /* in the order of the type's keys */
    /* Of hints: the layer's number, as pst_chain_find takes it; and the maps of the layer and of the hint, if
     * the type does not project: 0 counts as 1. */
    char layer[PST_LAYER_NUMBER];
    size_t maps[2];
    /* Of labels: what is added to the outputs before softmax, [outputs], so that the outputs need not learn
     * it; NULL: nothing; borrowed. */
    const double *shift;
};

/* What is minimised: the mean over samples of the sum of the terms. {0} is empty. */
struct pst_loss {
    size_t count;
    struct pst_loss_term terms[PST_MAX_TERMS];
    const double *class_weight; /* [outputs], ≥ 0, by label; NULL: all are 1; borrowed */
};

/* A layer that a term compares with a hint. */
struct pst_loss_layer {
    const float
        *outputs;       /* [n, count]: of the layer, or of its projection; NULL: the network's are compared */
    float *gradient;    /* receives [n, count]; NULL: it is not wanted */
    size_t count, hint; /* elements of a sample, of the layer and of the hint */
};

/* The targets of n samples; all borrowed. */
struct pst_loss_targets {
    const void *terms[PST_MAX_TERMS]; /* of each term: int32_t [n] for labels, otherwise float [n, outputs],
                                         of hints [n, elements] */
    struct pst_loss_layer layers[PST_MAX_TERMS]; /* of terms with hints */
    const int32_t *labels; /* [n], for counting errors and for class weights; NULL: there are none, and
                              classes have no weight */
    const float *weight;   /* [n], ≥ 0: how much each sample counts; NULL: all count 1 */
    const float *given;    /* of a training with given_classes: rows of [n, given_classes], of which only the
                              last number is used; otherwise NULL */
    struct pst_team *team; /* among whose threads the samples are divided, or NULL; changes no bit */
    double *scratch;       /* [threads, 2, outputs]; may be NULL if no term is from_logits */
};

/* Sums over samples, in double: divide by n for means. */
struct pst_loss_sums {
    double total;                /* the sum of the terms, each times its weight */
    double terms[PST_MAX_TERMS]; /* of each term, without the term's weight, with the samples' weights */
    double weight;               /* of the samples: n if there are neither class weights nor sample weights */
    size_t errors;               /* samples whose largest output is not that of the label; 0 without labels */
};

/* The table of types, ended by NULL. */
extern const struct pst_loss_type *const pst_loss_types[];

/* The type of that name, or NULL. */
const struct pst_loss_type *pst_loss_find(const char *name);

/*
 * Adds a term that is written as TYPE[:TENSOR[:WEIGHT]][,KEY=NUMBER…]; T= is the temperature,
 * layer= the number of a layer.
 * Returns PST_OK; PST_USAGE with a message that lists what is possible.
 */
PST_CHECKED enum pst_status pst_loss_parse(struct pst_loss *loss, const char *text, struct pst_error *error);

/* Adds a term of a type, with weight 1 and the standard numbers. Returns it; NULL if there are too many. */
struct pst_loss_term *pst_loss_add(struct pst_loss *loss, const char *type);

/*
 * Computes a loss and its gradient. A sample's share in both is multiplied by its weight and by that of its
 * class; the mean is over n nevertheless, so a sample of weight 2 counts as if it came twice in a batch of
 * n. outputs: [n, count], of the network. gradient: receives [n, count], of the mean over the n samples; may
 * be NULL. Terms with hints have their layers, and their gradients, in targets. sums: receives the sums over
 * these n samples. Values that are not finite reach the sums, so that the caller can check them.
 */
void pst_loss_compute(const struct pst_loss *loss, const struct pst_loss_targets *targets,
                      const float *outputs, size_t n, size_t count, float *gradient,
                      struct pst_loss_sums *sums);

#endif

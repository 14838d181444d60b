/* mix.h: samples mixed with other samples of a view. Private to lib/data. */
#ifndef PIPESTILL_LIB_DATA_MIX_H
#define PIPESTILL_LIB_DATA_MIX_H

#include "lib/data/box.h"

/* What a mixed sample is made of: itself and another one. */
struct pst_mixture {
    size_t other;       /* its place in the set */
    double share;       /* of the sample itself, 0 … 1; the other one has the rest */
    bool boxed;         /* a rectangle is the other's, and the rest is the sample's; otherwise sums */
    struct pst_box box; /* that rectangle */
};

/*
 * Settles whether a view mixes, and then the bytes of a label. view: with its selection and shape.
 * Returns PST_OK; PST_USAGE if such samples cannot be mixed.
 */
PST_CHECKED enum pst_status pst_mix_settle(struct pst_view *view, const struct pst_view_settings *settings,
                                           struct pst_error *error);

/*
 * Draws the mixture of a sample: the other one evenly from the rest of the selection, the share from
 * Beta(alpha, alpha): mixup (Zhang et al. 2018), or cutmix (Yun et al. 2019), or, if both are on, one of the
 * two, equally likely. A function of (seed, epoch, id) and the selection.
 */
struct pst_mixture pst_mix_draw(const struct pst_view *view, size_t index);

/* Mixes inputs. other: as pst_view_get would give it alone. x: the sample's own. Bytes are rounded. */
void pst_mix_inputs(const struct pst_view *view, const struct pst_mixture *mixture, const void *other,
                    void *x);

/* Mixes labels. y: receives view->label_bytes: the share of each class, or the mean of numbers. */
void pst_mix_labels(const struct pst_view *view, const struct pst_mixture *mixture, size_t index, void *y);

#endif

/*
 * labels: the classic loss of a label, - log softmax(z)_y, with gradient softmax(z) - [j = y]. With smoothing
 * s the label's 1 becomes 1 - s, and every class gets s / N (Szegedy et al. 2016, section 7).
 */
#include "lib/nn/losses/losses.h"

#include "lib/nn/softmax.h"

#include <math.h>

static double row(const struct pst_loss_term *term, const float *logits, const void *target, size_t classes,
                  double weight, float *gradient)
{
    struct pst_normaliser row = pst_normalise(logits, classes, 1);
    size_t label = (size_t) * (const int32_t *)target;
    double spread = term->values[0] / (double)classes, own = 1 - term->values[0];
    double loss = own * (row.log_sum - ((double)logits[label] - row.largest));
    for (size_t j = 0; j < classes; j++) {
        double log_probability = (double)logits[j] - row.largest - row.log_sum;
        if (spread > 0)
            loss -= spread * log_probability;
        if (gradient != NULL)
            gradient[j] += (float)(weight * (exp(log_probability) - (j == label ? own : 0) - spread));
    }
    return loss;
}

const struct pst_loss_type pst_loss_labels = {
    .name = "labels",
    .help = "cross-entropy with labels",
    .target = PST_TARGET_LABELS,
    .keys = { { .name = "smoothing", .help = "share of a label spread over all classes", .most = 1 } },
    .row = row,
};

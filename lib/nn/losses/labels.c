/*
 * labels: the usual loss of a label, - log softmax(z)_y, with gradient softmax(z) - [j = y]. With smoothing
 * s the label's 1 becomes 1 - s, and every class gets s / N (Szegedy et al. 2016, section 7). With a shift
 * it is the loss of z + shift. If the shift is the logarithm of how much more often each class comes in
 * training than in the data set, z learns its share in the data set (Menon et al. 2021, logit adjustment).
 */
#include "lib/nn/losses/losses.h"

#include "lib/nn/kernels.h"
#include "lib/nn/softmax.h"

#include <math.h>

/* Some classes of a row. */
struct piece {
    const float *logits;
    size_t at, count;
};

/* target: the target of the label, whose place is `label`; spread: added for every class. */
static void add_gradient(const struct piece *piece, const struct pst_normaliser *row, size_t label,
                         double target, double spread, double weight, float *gradient)
{
    double q[PST_AT_ONCE];
    pst_kernel_softmax(q, piece->logits + piece->at, piece->count, row->largest, 1, row->log_sum);
    if (label >= piece->at && label < piece->at + piece->count)
        q[label - piece->at] -= target;
    for (size_t j = 0; j < piece->count; j++)
        gradient[piece->at + j] += (float)(weight * (q[j] - spread));
}

/* The normaliser of logits + shift. */
static struct pst_normaliser normalise_shifted(const float *logits, const double *shift, size_t classes)
{
    struct pst_normaliser row = { .largest = -INFINITY };
    double sum = 0;
    for (size_t j = 0; j < classes; j++)
        row.largest = fmax(row.largest, (double)logits[j] + shift[j]);
    for (size_t j = 0; j < classes; j++)
        sum += exp((double)logits[j] + shift[j] - row.largest);
    row.log_sum = log(sum);
    return row;
}

static double shifted_row(const struct pst_loss_term *term, const float *logits, size_t label, size_t classes,
                          double weight, float *gradient)
{
    struct pst_normaliser row = normalise_shifted(logits, term->shift, classes);
    double spread = term->values[0] / (double)classes, own = 1 - term->values[0], loss = 0;
    for (size_t j = 0; j < classes; j++) {
        double log_probability = (double)logits[j] + term->shift[j] - row.largest - row.log_sum;
        double target = spread + (j == label ? own : 0);
        loss -= target > 0 ? target * log_probability : 0;
        if (gradient != NULL)
            gradient[j] += (float)(weight * (exp(log_probability) - target));
    }
    return loss;
}

static double row(const struct pst_loss_term *term, const float *logits, const void *target, size_t classes,
                  double weight, float *gradient)
{
    size_t label = (size_t) * (const int32_t *)target;
    if (term->shift != NULL)
        return shifted_row(term, logits, label, classes, weight, gradient);
    struct pst_normaliser row = pst_normalise(logits, classes, 1);
    double spread = term->values[0] / (double)classes, own = 1 - term->values[0];
    double loss = own * (row.log_sum - ((double)logits[label] - row.largest));
    for (size_t j = 0; spread > 0 && j < classes; j++)
        loss -= spread * ((double)logits[j] - row.largest - row.log_sum);
    for (size_t at = 0; gradient != NULL && at < classes; at += PST_AT_ONCE) {
        const struct piece piece = { logits, at, classes - at < PST_AT_ONCE ? classes - at : PST_AT_ONCE };
        add_gradient(&piece, &row, label, own, spread, weight, gradient);
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

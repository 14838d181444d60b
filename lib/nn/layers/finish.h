/* finish.h: what follows the products of a layer: bias, activation and dropout, row by row, so that each row
 * is in the nearest cache for all three. */
#ifndef PIPESTILL_NN_FINISH_H
#define PIPESTILL_NN_FINISH_H

#include "pipestill/layers.h"

/* The activation that follows a layer in the text and that the layer applies itself. {0}: none. */
struct pst_taken_activation {
    const struct pst_activation *activation;
    double slope;
};

/* Takes an activation, as absorb of pst_layer_type: `none` changes nothing, and a second one is not
 * taken. */
bool pst_take_activation(struct pst_taken_activation *taken, const struct pst_activation *activation,
                         double slope);

/* Writes "-relu" behind the layer. */
void pst_taken_describe(const struct pst_taken_activation *taken, FILE *text);

/* Says in `use` whether ReLU follows. Returns false if another activation does. */
bool pst_use_activation(struct pst_use *use, const struct pst_activation *activation);

struct pst_finish {
    const struct pst_activation *activation; /* NULL: none */
    double slope;
    size_t number; /* as in pst_layer: --dropout-hidden drops these units; 0: none */
    size_t width;
    size_t spread; /* elements in a row that share a bias, such as a map's; 0 is 1 */
};

/* Floats a sample to keep for the way back: width if the activation needs its inputs there, otherwise 0. */
size_t pst_finish_memory(const struct pst_finish *finish);

/* Whether a bias is all that follows, or a bias and ReLU, as *relu says. */
bool pst_finish_is_simple(const struct pst_finish *finish, const struct pst_pass *pass, bool *relu);

/* values[n, width] become those of the layer. bias: [width / spread], or NULL. kept: [n, width], for the way
 * back; not used outside of training. */
void pst_finish_forward(const struct pst_finish *finish, const struct pst_pass *pass, const float *bias,
                        float *values, float *kept);

/* gradient[n, width] of the outputs becomes that of the products. bias_gradient: receives [width / spread],
 * or NULL. */
void pst_finish_backward(const struct pst_finish *finish, const struct pst_pass *pass, const float *outputs,
                         const float *kept, float *gradient, float *bias_gradient);

/* What a layer gives, in a plain pass, for the sum of element `at` of [n, width]; and the slope there. */
double pst_finish_plain(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at,
                        double sum);
double pst_finish_plain_slope(const struct pst_finish *finish, const struct pst_plain_pass *pass, size_t at,
                              double sum);

#endif

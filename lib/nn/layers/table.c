/* The types of layers. An architecture's word belongs to the first type that reads it. */
#include "pipestill/layers.h"

const struct pst_layer_type *const pst_layer_types[] = {
    &pst_layer_dense, &pst_layer_flatten, &pst_layer_dropout, &pst_layer_activation, NULL,
};

/* model.h: what writing and reading of models agree on. */
#ifndef PIPESTILL_LIB_NN_MODEL_H
#define PIPESTILL_LIB_NN_MODEL_H

#include "pipestill/nn.h"

/* The metadata's "format". A file with another format of this family is this project's, but not a model. */
#define PST_MODEL_FORMAT "pipestill-model-1"
#define PST_FORMAT_FAMILY "pipestill-"

/* The keys about the meaning of inputs and outputs, each a JSON text in the metadata. */
#define PST_ABOUT_KEYS 5
extern const char *const pst_about_keys[PST_ABOUT_KEYS];

/* Refuses this project's files of other kinds. own: receives whether it is a model of this project. */
PST_CHECKED enum pst_status pst_model_check_format(const struct pst_safetensors *file, const char *path,
                                                   bool *own, struct pst_error *error);

/*
 * Reads the meaning of inputs and outputs. about: receives a new object, also on failure. Returns PST_OK;
 * PST_BAD_DATA for a text that is not JSON; PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_model_take_about(const struct pst_safetensors *file, const char *path,
                                                 struct json_t **about, struct pst_error *error);

/*
 * Copies a tensor's values as f32 and checks that each is finite. tensor: F32, F16, BF16 or F64.
 * values: receives all elements of the tensor. Returns PST_OK or PST_BAD_DATA.
 */
PST_CHECKED enum pst_status pst_tensor_values(const struct pst_named_tensor *tensor, float *values,
                                              const char *path, struct pst_error *error);

/*
 * Makes a network from the tensors of a file that another tool made: NAME.0.weight, NAME.0.bias,
 * NAME.1.weight and so on are dense layers in the order of their numbers. activation: the word of the one
 * between the layers; NULL if neither the file nor the user names it. Returns PST_OK; PST_BAD_DATA (the
 * message names the tensor); PST_TRY_AGAIN.
 */
PST_CHECKED enum pst_status pst_model_adopt(const struct pst_safetensors *file, const char *path,
                                            const char *activation, struct pst_network *network,
                                            struct pst_error *error);

#endif

/* workspace.h: the memory of forward and backward passes, as the passes see it. */
#ifndef PIPESTILL_NN_WORKSPACE_H
#define PIPESTILL_NN_WORKSPACE_H

#include "pipestill/nn.h"

/* Every pointer leads into memory; those of the backward pass are NULL without training. */
struct pst_workspace {
    float *input;                      /* [most, inputs] */
    float *activation[PST_MAX_LAYERS]; /* what each layer gives: [most, outputs]. Without training,
                                          layers share memory: only the last is whole after a pass. */
    float *logits;                     /* the last of them */
    float *logits_gradient;            /* [most, outputs] */
    float *hidden_gradient[2];         /* of two layers next to each other, in turn: [most, widest hidden] */
    float *weight_gradient;            /* of one layer at a time: [outputs, inputs] */
    float *bias_gradient;              /* of one layer at a time: [outputs] */
    float hidden_scale;                /* what dropout multiplied kept hidden units by in the last pass */
    void *memory;                      /* owned */
};

#endif

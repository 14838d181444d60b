/*
 * nn_dump.c: runs ten training steps on one random batch, and writes their inputs and results, which
 * tests/python/test_nn_oracle.py computes again with numpy.
 *
 *   nn_dump FOLDER ARCHITECTURE SAMPLES OPTIMISER RATE DECAY MAX_NORM DROP_INPUT DROP_HIDDEN HARD SOFT T
 *
 * OPTIMISER: sgd, nesterov or adam. HARD, SOFT: the weights of the two losses. FOLDER receives a raw
 * little-endian file for each array: input.f32, labels.i32, ids.u64, targets.f32, logits.f32, losses.f64
 * (total, hard, soft: sums) of the first step; weight.L.f32 and bias.L.f32, with the prefix
 * initial, gradient (of the first step) or final (after ten). Step s is epoch s for dropout.
 */
#include "pipestill/training.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED 42
#define STEPS 10

static const char *folder;

static void fail(const char *what)
{
    fprintf(stderr, "nn_dump: %s\n", what);
    exit(PST_USAGE);
}

static void dump(const char *prefix, const char *name, const char *extension, const void *data, size_t bytes)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s%s.%s", folder, prefix, name, extension);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, bytes, file) != bytes || fclose(file) != 0)
        fail(path);
}

/* A parameter's values or gradient under the name that the oracle expects: weight.L or bias.L. */
static void dump_parameter(const char *prefix, const struct pst_parameter *parameter, const float *values)
{
    char name[80];
    const char *kind = strrchr(parameter->name, '.') + 1;
    snprintf(name, sizeof name, "%s.%llu", kind, (unsigned long long)parameter->sequence);
    dump(prefix, name, "f32", values, parameter->count * sizeof *values);
}

static void dump_network(const char *prefix, const struct pst_network *network)
{
    for (size_t t = 0; t < network->tensor_count; t++)
        dump_parameter(prefix, network->tensors[t], network->parameters + network->tensors[t]->at);
}

/* Writes the gradients of the first step to files before they are used. */
static void dump_and_take(void *context, const struct pst_parameter *parameter, const float *gradient)
{
    struct pst_optimiser *optimiser = context;
    if (optimiser->step == 1)
        dump_parameter("gradient.", parameter, gradient);
    pst_optimiser_take(optimiser, parameter, gradient);
}

static double number(const char *text)
{
    double value;
    if (!pst_parse_double(text, 0, DBL_MAX, &value))
        fail(text);
    return value;
}

static enum pst_optimiser_kind kind_of(const char *name)
{
    if (strcmp(name, "adam") == 0)
        return PST_ADAM;
    return strcmp(name, "nesterov") == 0 ? PST_NESTEROV : PST_SGD;
}

/* The batch: normal inputs, labels in turn, soft targets from random logits, ids above 32 bits. */
struct data {
    float *input, *targets;
    int32_t *labels;
    uint64_t *ids;
    size_t n, inputs, classes;
};

static void make_data(struct data *data, const struct pst_network *network, size_t n, double temperature)
{
    size_t inputs = pst_network_inputs(network), classes = pst_network_outputs(network);
    *data = (struct data){ .n = n, .inputs = inputs, .classes = classes };
    data->input = pst_allocate(n * inputs, sizeof *data->input, NULL);
    data->targets = pst_allocate(n * classes, sizeof *data->targets, NULL);
    data->labels = pst_allocate(n, sizeof *data->labels, NULL);
    data->ids = pst_allocate(n, sizeof *data->ids, NULL);
    if (data->input == NULL || data->targets == NULL || data->labels == NULL || data->ids == NULL)
        fail("out of memory");
    struct pst_random random;
    pst_random_start(&random, SEED, PST_RANDOM_ORDER, 0, 0);
    for (size_t i = 0; i < n * inputs; i++)
        data->input[i] = (float)pst_random_normal(&random);
    for (size_t i = 0; i < n * classes; i++)
        data->targets[i] = (float)(5 * pst_random_normal(&random));
    pst_softmax(data->targets, data->targets, n, classes, temperature);
    for (size_t i = 0; i < n; i++) {
        data->labels[i] = (int32_t)(i % classes);
        data->ids[i] = 7 + 1000 * i + ((uint64_t)i << 33);
    }
    dump("", "input", "f32", data->input, n * inputs * sizeof *data->input);
    dump("", "targets", "f32", data->targets, n * classes * sizeof *data->targets);
    dump("", "labels", "i32", data->labels, n * sizeof *data->labels);
    dump("", "ids", "u64", data->ids, n * sizeof *data->ids);
}

static void free_data(struct data *data)
{
    free(data->input);
    free(data->targets);
    free(data->labels);
    free(data->ids);
}

/* Ten steps on the same batch. */
static void train(struct pst_network *network, const struct data *data, struct pst_optimiser *optimiser,
                  double rate, const struct pst_dropout *dropout, const struct pst_loss *loss)
{
    struct pst_workspace *workspace;
    if (pst_workspace_new(&workspace, network, data->n, true, &(struct pst_arithmetic){ 0 }, NULL) != PST_OK)
        fail("out of memory");
    for (uint64_t step = 0; step < STEPS; step++) {
        struct pst_loss_sums sums;
        memcpy(pst_workspace_input(workspace), data->input, data->n * data->inputs * sizeof(float));
        pst_forward_training(network, workspace, data->n, dropout, step, data->ids);
        const struct pst_loss_targets targets = { .terms = { data->labels, data->targets },
                                                  .labels = data->labels };
        pst_loss_compute(loss, &targets, pst_workspace_logits(workspace), data->n, data->classes,
                         pst_workspace_logits_gradient(workspace), &sums);
        if (step == 0) {
            const double losses[] = { sums.total, sums.terms[0], sums.terms[1] };
            dump("", "losses", "f64", losses, sizeof losses);
            dump("", "logits", "f32", pst_workspace_logits(workspace),
                 data->n * data->classes * sizeof(float));
        }
        pst_optimiser_begin(optimiser, rate, optimiser->settings.momentum);
        pst_backward(network, workspace, data->n, dump_and_take, optimiser);
    }
    pst_workspace_free(workspace);
}

int main(int argc, char **argv)
{
    if (argc != 13)
        fail("expected 12 arguments; see the head of nn_dump.c");
    folder = argv[1];
    struct pst_network network;
    struct pst_optimiser optimiser;
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    settings.kind = kind_of(argv[4]);
    settings.weight_decay = number(argv[6]);
    settings.max_norm = number(argv[7]);
    if (pst_network_new(&network, argv[2], NULL) != PST_OK ||
        pst_optimiser_new(&optimiser, &network, &settings, NULL) != PST_OK)
        fail("no network");
    pst_network_initialise(&network, SEED);
    dump_network("initial.", &network);
    const struct pst_dropout dropout = { .input = number(argv[8]), .hidden = number(argv[9]), .seed = SEED };
    struct pst_loss loss = { 0 };
    pst_loss_add(&loss, "labels")->weight = number(argv[10]);
    struct pst_loss_term *soft = pst_loss_add(&loss, "kl");
    soft->weight = number(argv[11]);
    soft->temperature = number(argv[12]);
    struct data data;
    make_data(&data, &network, (size_t)number(argv[3]), soft->temperature);
    train(&network, &data, &optimiser, number(argv[5]), &dropout, &loss);
    dump_network("final.", &network);
    free_data(&data);
    pst_optimiser_free(&optimiser);
    pst_network_free(&network);
    return PST_OK;
}

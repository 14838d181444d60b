/*
 * nn_step.c: how much of a training step and of a forward pass is matrix products.
 *
 *   nn_step
 *       times each in turn with the bare cblas_sgemm calls of the same shapes. A share is the median time
 *       of these calls divided by the median time of the whole. Prints a line "name share" for each.
 *   nn_step training|forward WIDTHS
 *       prints the median time of these calls alone, in seconds for a batch of 128, to compare programs with
 *
 * Times are the processor's, not the clock's: on one thread they agree, unless other programs use the
 * machine.
 */
#include "pipestill/training.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SAMPLES 128
#define REPETITIONS 101
#define WARM_UP 10
#define MOST_LAYERS 32

/* What is timed: a network in use or in training, and memory of the same shapes for the bare products. */
struct subject {
    struct pst_network network;
    struct pst_workspace *workspace;
    struct pst_optimiser optimiser;
    float *values[MOST_LAYERS + 1], *gradients[MOST_LAYERS + 1], *weights[MOST_LAYERS];
    float *weight_gradient;
};

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *random_floats(size_t count, double scale)
{
    struct pst_error error;
    float *values = pst_allocate(count, sizeof *values, &error);
    if (values == NULL) {
        fprintf(stderr, "nn_step: %s\n", error.message);
        exit(PST_TRY_AGAIN);
    }
    struct pst_random random;
    pst_random_start(&random, 1, 1, 0, count);
    for (size_t i = 0; i < count; i++)
        values[i] = (float)(scale * (pst_random_uniform(&random) - 0.5));
    return values;
}

static void bare_products(struct subject *subject, bool training)
{
    const blasint n = SAMPLES;
    for (size_t l = 0; l < subject->network.chain.count; l++) {
        blasint in = (blasint)subject->network.chain.layers[l].in.size[0],
                out = (blasint)subject->network.chain.layers[l].out.size[0];
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, out, in, 1, subject->values[l], in,
                    subject->weights[l], in, 0, subject->values[l + 1], out);
    }
    for (size_t l = subject->network.chain.count; training && l-- > 0;) {
        blasint in = (blasint)subject->network.chain.layers[l].in.size[0],
                out = (blasint)subject->network.chain.layers[l].out.size[0];
        if (l > 0)
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, in, out, 1, subject->gradients[l + 1],
                        out, subject->weights[l], in, 0, subject->gradients[l], in);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, n, 1, subject->gradients[l + 1], out,
                    subject->values[l], in, 0, subject->weight_gradient, in);
    }
}

static void whole(struct subject *subject, bool training)
{
    if (!training) {
        pst_forward(&subject->network, subject->workspace, SAMPLES);
        return;
    }
    pst_forward_training(&subject->network, subject->workspace, SAMPLES, NULL, 0, NULL);
    pst_optimiser_begin(&subject->optimiser, 1e-6, subject->optimiser.settings.momentum);
    pst_backward(&subject->network, subject->workspace, SAMPLES, pst_optimiser_take, &subject->optimiser);
}

static void prepare(struct subject *subject, const char *architecture)
{
    struct pst_error error;
    struct pst_optimiser_settings settings = pst_optimiser_defaults();
    *subject = (struct subject){ 0 };
    if (pst_network_new(&subject->network, architecture, &error) != PST_OK ||
        pst_workspace_new(&subject->workspace, &subject->network, SAMPLES, true,
                          &(struct pst_arithmetic){ 0 }, &error) != PST_OK ||
        pst_optimiser_new(&subject->optimiser, &subject->network, &settings, &error) != PST_OK) {
        fprintf(stderr, "nn_step: %s\n", error.message);
        exit((int)error.status);
    }
    pst_network_initialise(&subject->network, 1);
    if (subject->network.chain.count > MOST_LAYERS || subject->network.chain.in.rank != 1) {
        fprintf(stderr, "nn_step: give a dense network of at most %d layers\n", MOST_LAYERS);
        exit(PST_USAGE);
    }
    size_t largest = 0, inputs = pst_network_inputs(&subject->network);
    subject->values[0] = random_floats(SAMPLES * inputs, 1);
    for (size_t i = 0; i < SAMPLES * inputs; i++)
        pst_workspace_input(subject->workspace)[i] = subject->values[0][i];
    for (size_t l = 0; l < subject->network.chain.count; l++) {
        const struct pst_layer *layer = &subject->network.chain.layers[l];
        size_t outputs = layer->out.size[0], count = layer->in.size[0] * outputs;
        largest = count > largest ? count : largest;
        subject->weights[l] = random_floats(count, 0.1);
        subject->values[l + 1] = random_floats(SAMPLES * outputs, 1);
        subject->gradients[l + 1] = random_floats(SAMPLES * outputs, 1e-3);
    }
    for (size_t i = 0; i < SAMPLES * pst_network_outputs(&subject->network); i++)
        pst_workspace_logits_gradient(subject->workspace)[i] = 1e-4F * (float)(i % 7);
    subject->weight_gradient = random_floats(largest, 1e-3);
}

static void clear(struct subject *subject)
{
    for (size_t l = 0; l <= subject->network.chain.count; l++) {
        free(subject->values[l]);
        free(subject->gradients[l]);
        if (l < subject->network.chain.count)
            free(subject->weights[l]);
    }
    free(subject->weight_gradient);
    pst_optimiser_free(&subject->optimiser);
    pst_workspace_free(subject->workspace);
    pst_network_free(&subject->network);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *times)
{
    qsort(times, REPETITIONS, sizeof *times, compare);
    return times[REPETITIONS / 2];
}

/* bare, all: receive the median seconds of the products alone and of the whole; all may be NULL: only the
 * products run. */
static void measure(const char *architecture, bool training, double *bare, double *all)
{
    static double bare_times[REPETITIONS], all_times[REPETITIONS];
    struct subject subject;
    prepare(&subject, architecture);
    for (int i = -WARM_UP; i < REPETITIONS; i++) {
        int at = i < 0 ? 0 : i;
        double start = cpu_seconds();
        bare_products(&subject, training);
        double middle = cpu_seconds();
        bare_times[at] = middle - start;
        if (all == NULL)
            continue;
        whole(&subject, training);
        all_times[at] = cpu_seconds() - middle;
    }
    *bare = median(bare_times);
    if (all != NULL)
        *all = median(all_times);
    clear(&subject);
}

static void print_share(const char *name, const char *architecture, bool training)
{
    double bare, all;
    measure(architecture, training, &bare, &all);
    printf("%s %.3f\n", name, bare / all);
}

int main(int argc, char **argv)
{
    if (openblas_get_num_threads() != 1) {
        fputs("nn_step: shares are those of one thread: set OPENBLAS_NUM_THREADS=1\n", stderr);
        return PST_USAGE;
    }
    if (argc == 3 && (strcmp(argv[1], "training") == 0 || strcmp(argv[1], "forward") == 0)) {
        double bare;
        measure(argv[2], argv[1][0] == 't', &bare, NULL);
        printf("%.9f\n", bare);
    } else if (argc == 1) {
        print_share("training_step_gemm_share", "784-800-800-10", true);
        print_share("forward_pass_gemm_share", "784-1200-1200-10", false);
    } else {
        fputs("usage: nn_step [training|forward WIDTHS]\n", stderr);
        return PST_USAGE;
    }
    return fflush(stdout) == 0 ? PST_OK : PST_IO_ERROR;
}

/* The figures of pst_metrics as a table. */
#include "pipestill/nn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void print_labelled(FILE *out, const struct pst_metrics *metrics)
{
    double samples = (double)metrics->samples;
    fprintf(out, "samples                     %10" PRIu64 "\n", metrics->samples);
    fprintf(out, "errors                      %10" PRIu64 "\n", metrics->errors);
    fprintf(out, "accuracy                    %10.4f %%\n",
            100 * (double)(metrics->samples - metrics->errors) / samples);
    fprintf(out, "negative log-likelihood     %10.6f nats\n", metrics->surprise / samples);
    fprintf(out, "Brier score                 %10.6f\n", metrics->brier / samples);
    fprintf(out, "expected calibration error  %10.6f\n", pst_metrics_calibration_error(metrics));
}

static void print_compared(FILE *out, const struct pst_metrics *metrics)
{
    double compared = (double)metrics->compared;
    fprintf(out, "samples compared            %10" PRIu64 "\n", metrics->compared);
    fprintf(out, "agreement                   %10.4f %%\n", 100 * (double)metrics->agreed / compared);
    fprintf(out, "KL                          %10.6f nats\n", metrics->divergence / compared);
}

static void print_classes(FILE *out, const struct pst_metrics *metrics)
{
    fprintf(out, "\nclass    samples     errors    accuracy\n");
    for (size_t i = 0; i < metrics->classes; i++) {
        uint64_t samples = metrics->class_samples[i], errors = metrics->class_errors[i];
        fprintf(out, "%5zu %10" PRIu64 " %10" PRIu64, i, samples, errors);
        if (samples > 0)
            fprintf(out, " %9.4f %%\n", 100 * (double)(samples - errors) / (double)samples);
        else
            fprintf(out, "           -\n");
    }
}

static void print_confusion(FILE *out, const struct pst_metrics *metrics)
{
    fprintf(out, "\nconfusion: a row for each true class, a column for each predicted one\n     ");
    for (size_t j = 0; j < metrics->classes; j++)
        fprintf(out, " %6zu", j);
    for (size_t i = 0; i < metrics->classes; i++) {
        fprintf(out, "\n%5zu", i);
        for (size_t j = 0; j < metrics->classes; j++)
            fprintf(out, " %6" PRIu64, metrics->confusion[i * metrics->classes + j]);
    }
    fputc('\n', out);
}

char *pst_metrics_to_text(const struct pst_metrics *metrics)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL)
        return NULL;
    if (metrics->samples > 0)
        print_labelled(out, metrics);
    if (metrics->compared > 0)
        print_compared(out, metrics);
    if (metrics->samples > 0)
        print_classes(out, metrics);
    if (metrics->samples > 0 && metrics->confusion != NULL)
        print_confusion(out, metrics);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}
